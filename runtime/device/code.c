/* Code for devices: compiled once and kept in the store (lang/store.h) under the hash of the text
   and of all else that decides the code, so that the next process only loads it. Anything that is
   wrong with what was kept, its loading included, is as if it were not there. */
#include "device.h"

#include "../../lang/store.h"

#include <stdlib.h>
#include <string.h>

static struct { _Atomic int64_t made, hits, misses, compile_ns; } counts;

void device_code_stats(DeviceCodeStats *stats) {
    *stats = (DeviceCodeStats){counts.made, counts.hits, counts.misses, counts.compile_ns};
}

/* ---- code in the image ---- */

/* Does a device of this architecture run it? A cubin is good for its generation alone. */
static bool fits(const GactDeviceCode *code, int32_t arch) {
    return code->arch <= arch && (code->form == GACT_CODE_PTX || code->arch / 10 == arch / 10);
}

/* Is a nearer to the device than b? */
static bool is_nearer(const GactDeviceCode *a, const GactDeviceCode *b) {
    if (a->form != b->form)
        return a->form == GACT_CODE_CUBIN;
    return a->arch > b->arch;
}

/* The nearest that is less near than `last` (NULL: the nearest of all), or NULL. */
static const GactDeviceCode *next_code(const GactImage *image, int32_t arch,
                                       const GactDeviceCode *last) {
    const GactDeviceCode *best = NULL;
    for (const GactDeviceCode *c = image->codes; c < image->codes + image->ncodes; c++)
        if (fits(c, arch) && (!last || is_nearer(last, c)) && (!best || is_nearer(c, best)))
            best = c;
    return best;
}

bool device_code_made(Device *d, const GactImage *image, DeviceModule **module) {
    DeviceInfo info;
    int32_t arch;
    if (!image->ncodes || d->table->info(d, &info) || sscanf(info.arch, "sm_%d", &arch) != 1)
        return false;
    const GactDeviceCode *code = next_code(image, arch, NULL);
    while (code && d->table->load(d, code->bytes, (size_t)code->len, module))
        code = next_code(image, arch, code);
    if (code)
        atomic_fetch_add(&counts.made, 1);
    return code != NULL;
}

/* ---- code on disk ---- */

/* The code that is kept under a name; false where there is none that the device takes. */
static bool load_kept(Device *d, const Store *store, const char *name, DeviceModule **module) {
    char *code;
    size_t len;
    if (!store_get(store, name, &code, &len, NULL))
        return false;
    bool loaded = d->table->load(d, code, len, module) == DEVICE_OK;
    free(code);
    if (!loaded)
        store_drop(store, name);
    return loaded;
}

/* Compiles a unit, loads the code and keeps it, with what it is for as the note. */
static DeviceStatus compile_and_load(Device *d, const Store *store, const char *name,
                                     const char *unit, size_t len, DeviceModule **module) {
    void *code = NULL;
    size_t code_len = 0;
    char *log = NULL;
    int64_t begin = clock_ns();
    DeviceStatus status = d->table->compile(d, unit, len, &code, &code_len, &log);
    atomic_fetch_add(&counts.compile_ns, clock_ns() - begin);
    if (trace_on)
        trace_event("device", "compile", 0, begin);
    free(log);
    if (!status)
        status = d->table->load(d, code, code_len, module);
    if (!status)
        store_put(store, name, code, code_len, d->table->compile_key(d));
    free(code);
    return status;
}

DeviceStatus device_code(Device *d, const char *text, size_t len, DeviceModule **module) {
    size_t prelude = strlen(device_prelude);
    const char *key = d->table->compile_key(d);
    char name[STORE_NAME];
    Store store;
    char *unit = malloc(prelude + len + 1);
    *module = NULL;
    if (!unit) {
        snprintf(d->error, sizeof d->error, "no memory for a text of %zu bytes", len);
        return DEVICE_FAILED;
    }
    memcpy(unit, device_prelude, prelude);
    memcpy(unit + prelude, text, len);
    unit[prelude + len] = 0;
    StorePart parts[] = {{unit, prelude + len}, {key, strlen(key)}};
    store_name(parts, 2, ".code", name);
    store_open(&store);
    DeviceStatus status = DEVICE_OK;
    if (load_kept(d, &store, name, module)) {
        atomic_fetch_add(&counts.hits, 1);
    } else {
        atomic_fetch_add(&counts.misses, 1);
        status = compile_and_load(d, &store, name, unit, prelude + len, module);
    }
    free(unit);
    return status;
}
