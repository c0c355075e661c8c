/* The library's units on a device, loaded, and what their drivers call. */
#include "lib_unit.h"

#include <stdlib.h>
#include <string.h>

enum { UNIT_KERNELS = 4 };

const DeviceLimits device_limits = {
    .block_sort = 384 * 11,
    .short_counts = (int64_t)1 << 30,
    .short_places = (int64_t)UINT32_MAX,
    .square = 16,
};

typedef struct LoadedUnit LoadedUnit;
struct LoadedUnit {
    LoadedUnit *next;
    LibUnit unit;
    DeviceModule *module;
    struct {
        const char *name; /* static text of the driver */
        DeviceFunc *f;
    } kernels[UNIT_KERNELS];
};

static DeviceStatus no_memory(Device *d) {
    snprintf(d->error, sizeof d->error, "no memory for the library of kernels");
    return DEVICE_NO_MEMORY;
}

DeviceStatus device_lib_open(Device *d, const DeviceScratch *scratch, const DeviceLimits *limits,
                             DeviceLib **out) {
    DeviceInfo info;
    *out = NULL;
    DeviceStatus st = d->table->info(d, &info);
    if (st != DEVICE_OK)
        return st;
    DeviceLib *lib = malloc(sizeof *lib);
    if (!lib)
        return no_memory(d);
    *lib = (DeviceLib){.device = d,
                       .scratch = *scratch,
                       .limits = limits ? *limits : device_limits,
                       .multiprocessors = info.units};
    *out = lib;
    return DEVICE_OK;
}

void device_lib_close(DeviceLib *lib) {
    if (!lib)
        return;
    for (int32_t stream = 0; stream < DEVICE_STREAMS; stream++)
        lib->device->table->sync(lib->device, stream);
    for (LoadedUnit *u = lib->units, *next; u; u = next) {
        next = u->next;
        lib->device->table->unload(lib->device, u->module);
        free(u);
    }
    free(lib);
}

static LoadedUnit *find_unit(const DeviceLib *lib, const LibUnit *unit) {
    for (LoadedUnit *u = lib->units; u; u = u->next)
        if (u->unit.text == unit->text && strcmp(u->unit.make, unit->make) == 0)
            return u;
    return NULL;
}

static DeviceStatus load_unit(DeviceLib *lib, const LibUnit *unit, LoadedUnit **out) {
    Device *d = lib->device;
    size_t len = strlen(unit->text), more = strlen(unit->make);
    LoadedUnit *u = calloc(1, sizeof *u);
    char *text = malloc(len + more + 1);
    DeviceStatus st = DEVICE_NO_MEMORY;
    if (u && text) {
        memcpy(text, unit->text, len);
        memcpy(text + len, unit->make, more + 1);
        st = device_code(d, text, len + more, &u->module);
    } else {
        no_memory(d);
    }
    free(text);
    if (st != DEVICE_OK) {
        free(u);
        return st;
    }
    u->unit = *unit;
    u->next = lib->units;
    lib->units = *out = u;
    return DEVICE_OK;
}

DeviceStatus lib_kernel(DeviceLib *lib, const LibUnit *unit, const char *name, DeviceFunc **f) {
    LoadedUnit *u = find_unit(lib, unit);
    int k = 0;
    if (!u) {
        DeviceStatus st = load_unit(lib, unit, &u);
        if (st != DEVICE_OK)
            return st;
    }
    while (u->kernels[k].name && strcmp(u->kernels[k].name, name) != 0)
        k++;
    if (!u->kernels[k].name) {
        DeviceStatus st =
            lib->device->table->function(lib->device, u->module, name, &u->kernels[k].f);
        if (st != DEVICE_OK)
            return st;
        u->kernels[k].name = name;
    }
    *f = u->kernels[k].f;
    return DEVICE_OK;
}

DeviceStatus lib_launch(DeviceLib *lib, int32_t stream, DeviceFunc *f, int64_t blocks,
                        int32_t threads, const void *args, size_t bytes) {
    Device *d = lib->device;
    if (blocks > INT32_MAX) {
        snprintf(d->error, sizeof d->error, "a grid of %lld blocks is too large",
                 (long long)blocks);
        return DEVICE_FAILED;
    }
    DeviceGrid grid = {.blocks = {(int32_t)blocks, 1, 1}, .threads = threads};
    return d->table->launch(d, stream, f, &grid, args, bytes);
}

DeviceStatus lib_alloc(DeviceLib *lib, int64_t bytes, DevicePtr *p) {
    *p = 0;
    return bytes > 0 ? lib->scratch.alloc(lib->scratch.env, bytes, p) : DEVICE_OK;
}

void lib_free(DeviceLib *lib, DevicePtr p, int64_t bytes) {
    if (p)
        lib->scratch.free(lib->scratch.env, p, bytes);
}

int64_t lib_blocks(int64_t n, int64_t each) {
    return n <= each ? 1 : (n - 1) / each + 1;
}
