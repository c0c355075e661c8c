/* What the drivers of the library's kernels share: units of text that are compiled and loaded when
   they are wanted, launches, scratch memory. */
#ifndef GACT_DEVICE_LIB_UNIT_H
#define GACT_DEVICE_LIB_UNIT_H

#include "lib.h"

extern const char device_text_sort[], device_text_matmul[], device_text_transpose[];

/* A text of lang/device and the line behind it that makes kernels of its templates. */
typedef struct {
    const char *text;
    char make[80];
} LibUnit;

struct DeviceLib {
    Device *device;
    DeviceScratch scratch;
    DeviceLimits limits;
    int32_t multiprocessors;
    struct LoadedUnit *units;
};

/* Kernel `name` of a unit, which is loaded if it is not yet. */
DeviceStatus lib_kernel(DeviceLib *lib, const LibUnit *unit, const char *name, DeviceFunc **f);
/* Launches `blocks` blocks in a row. */
DeviceStatus lib_launch(DeviceLib *lib, int32_t stream, DeviceFunc *f, int64_t blocks,
                        int32_t threads, const void *args, size_t bytes);
DeviceStatus lib_alloc(DeviceLib *lib, int64_t bytes, DevicePtr *p);
void lib_free(DeviceLib *lib, DevicePtr p, int64_t bytes);

/* Blocks that cover n elements of `each`, at least one. */
int64_t lib_blocks(int64_t n, int64_t each);

#endif
