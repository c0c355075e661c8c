/* Transposes on a device: lang/device/transpose.cuh. */
#include "lib_unit.h"

enum { SIDE = 32, THREADS = 256, WAVES = 16 };

/* The struct of the kernel. */
typedef struct {
    DevicePtr from, to;
    int64_t count, n, m;
} TransposeArgs;

static const char *element_of(int32_t width) {
    return width == 1 ? "u8" : width == 2 ? "u16" : width == 4 ? "u32" : "u64";
}

DeviceStatus device_transpose(DeviceLib *lib, int32_t stream, const DeviceTranspose *t) {
    LibUnit unit = {.text = device_text_transpose};
    TransposeArgs args = {t->from, t->to, t->count, t->n, t->m};
    const char *element = element_of(t->width);
    int64_t total = t->count * t->n * t->m, blocks;
    DeviceFunc *f;
    if (total == 0)
        return DEVICE_OK;
    if (t->n == 1 || t->m == 1)
        return lib->device->table->copy(lib->device, stream, t->to, t->from, total * t->width);
    if (t->n >= lib->limits.square && t->m >= lib->limits.square) {
        blocks = t->count * lib_blocks(t->n, SIDE) * lib_blocks(t->m, SIDE);
        snprintf(unit.make, sizeof unit.make, "TRANSPOSE_SQUARES(%s)\n", element);
    } else {
        int64_t most = (int64_t)lib->multiprocessors * WAVES;
        blocks = lib_blocks(total, THREADS);
        blocks = blocks < most ? blocks : most;
        snprintf(unit.make, sizeof unit.make, "TRANSPOSE_ELEMENTS(%s, %s)\n", element,
                 total > lib->limits.short_places ? "u64" : "u32");
    }
    DeviceStatus st = lib_kernel(lib, &unit, "transpose", &f);
    return st != DEVICE_OK ? st : lib_launch(lib, stream, f, blocks, THREADS, &args, sizeof args);
}
