/* Kernels of the library: what compiled code has done as a whole on a device, with the results that
   the host's functions of sort.c and matmul.c give, bit for bit. Their text is
   lang/device/NAME.cuh; a unit of it for the types at hand is compiled when it is first wanted and
   stays loaded.

   Calls return when the work is issued to the stream, and take what scratch memory they need from
   the owner. A DeviceLib belongs to the thread that uses the device. */
#ifndef GACT_DEVICE_LIB_H
#define GACT_DEVICE_LIB_H

#include "device.h"

/* Where scratch memory comes from. It is given back while work of the stream may still use it, so
   the owner gives it to later work of the same stream only. Results are DEVICE_NO_MEMORY too. */
typedef struct {
    DeviceStatus (*alloc)(void *env, int64_t bytes, DevicePtr *p); /* 256-byte aligned */
    void (*free)(void *env, DevicePtr p, int64_t bytes);
    void *env;
} DeviceScratch;

/* From where on the kernels for more elements are taken. Tests lower them. */
typedef struct {
    int64_t block_sort;   /* keys that one block sorts */
    int64_t short_counts; /* keys below which what tiles publish is 4 bytes */
    int64_t short_places; /* keys up to which places are 4 bytes */
    int64_t square;       /* sides from which on matrices are transposed by squares */
} DeviceLimits;

extern const DeviceLimits device_limits;

typedef struct DeviceLib DeviceLib;

/* *lib: NULL where the status is not DEVICE_OK. limits NULL: device_limits. */
DeviceStatus device_lib_open(Device *d, const DeviceScratch *scratch, const DeviceLimits *limits,
                             DeviceLib **lib);
/* Waits for the device's work. NULL is ignored. */
void device_lib_close(DeviceLib *lib);

/* n keys of a scalar kind in the total order, stable. Either the keys are written to `sorted`,
   which may be `keys`, or the permutation to `perm` (n of int64_t) and the keys stay. */
typedef struct {
    int32_t kind; /* GactScalar */
    bool descending;
    int64_t n;
    DevicePtr keys, sorted, perm; /* one of the last two is 0 */
} DeviceSort;

DeviceStatus device_sort(DeviceLib *lib, int32_t stream, const DeviceSort *sort);

/* c[n, m] = a[n, k] b[k, m], by rows. */
typedef struct {
    int32_t kind; /* any but bool and hlc */
    int64_t n, k, m;
    DevicePtr a, b, c;
} DeviceMatmul;

DeviceStatus device_matmul(DeviceLib *lib, int32_t stream, const DeviceMatmul *product);

/* to[count, m, n] from from[count, n, m]; elements of 1, 2, 4 or 8 bytes. */
typedef struct {
    int32_t width;
    int64_t count, n, m;
    DevicePtr from, to;
} DeviceTranspose;

DeviceStatus device_transpose(DeviceLib *lib, int32_t stream, const DeviceTranspose *transpose);

/* A text for generated kernels, to stand behind the prelude. */
extern const char device_text_histogram[];

#endif
