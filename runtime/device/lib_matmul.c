/* Matrix products on a device: lang/device/matmul.cuh. */
#include "lib_unit.h"

/* The struct of the kernel. */
typedef struct {
    DevicePtr a, b, c;
    int64_t n, k, m;
    int64_t down, across;
} MatmulArgs;

/* A block's tile and depth, a thread's part of it. */
typedef struct {
    int16_t rows, cols, depth, thread_rows, thread_cols;
} Tile;

/* By size; the first index is whether sums take 8 bytes. */
static const Tile large[] = {{128, 128, 8, 8, 8}, {128, 64, 8, 8, 4}};
static const Tile middle[] = {{64, 64, 16, 4, 4}, {64, 64, 8, 4, 4}};
static const Tile small = {32, 32, 16, 2, 2};
static const Tile tall = {64, 8, 32, 2, 2}, flat = {8, 64, 32, 2, 2};

static const char *const elements[] = {
    [GACT_I8] = "u8",       [GACT_U8] = "u8",     [GACT_I16] = "u16", [GACT_U16] = "u16",
    [GACT_I32] = "u32",     [GACT_U32] = "u32",   [GACT_I64] = "u64", [GACT_U64] = "u64",
    [GACT_F16] = "f16",     [GACT_BF16] = "bf16", [GACT_F32] = "f32", [GACT_F64] = "f64",
    [GACT_DURATION] = "u64"};

static int64_t tiles_of(const Tile *tile, int64_t n, int64_t m) {
    return lib_blocks(n, tile->rows) * lib_blocks(m, tile->cols);
}

/* The largest tile of which there are enough for all multiprocessors: large ones read memory less,
   small ones spread a small product. The depth is never cut, as sums have one order. */
static const Tile *choose_tile(const DeviceLib *lib, const DeviceMatmul *p) {
    bool wide = p->kind == GACT_I64 || p->kind == GACT_U64 || p->kind == GACT_F64 ||
                p->kind == GACT_DURATION;
    if (p->m <= tall.cols)
        return &tall;
    if (p->n <= flat.rows)
        return &flat;
    if (tiles_of(&large[wide], p->n, p->m) >= lib->multiprocessors)
        return &large[wide];
    return tiles_of(&middle[wide], p->n, p->m) >= lib->multiprocessors ? &middle[wide] : &small;
}

DeviceStatus device_matmul(DeviceLib *lib, int32_t stream, const DeviceMatmul *p) {
    LibUnit unit = {.text = device_text_matmul};
    DeviceFunc *f;
    if (p->n == 0 || p->m == 0)
        return DEVICE_OK;
    const Tile *t = choose_tile(lib, p);
    MatmulArgs args = {
        p->a, p->b, p->c, p->n, p->k, p->m, lib_blocks(p->n, t->rows), lib_blocks(p->m, t->cols)};
    snprintf(unit.make, sizeof unit.make, "MATMUL_KERNEL(%s, %d, %d, %d, %d, %d)\n",
             elements[p->kind], t->rows, t->cols, t->depth, t->thread_rows, t->thread_cols);
    DeviceStatus st = lib_kernel(lib, &unit, "matmul", &f);
    int32_t threads = t->rows / t->thread_rows * (t->cols / t->thread_cols);
    return st != DEVICE_OK
               ? st
               : lib_launch(lib, stream, f, args.down * args.across, threads, &args, sizeof args);
}
