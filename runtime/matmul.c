/* Matrix products c[n, m] = a[n, k] b[k, m]. Every element is one chain of fma over k in order from
   0, so its bits depend neither on blocking nor on threads. f32 and f64 are blocked for the caches
   as in Goto and van de Geijn (2008): blocks of b in the third level, of a in the second, a panel
   of b in the first, a tile of c in registers; a sum that is put down between blocks of k keeps all
   its bits. f16 and bf16 run in f32 and round after each step. Integers wrap. */
#include "runtime.h"

#include <string.h>

#include "matmul_tiles.h"

enum {
    DEPTH = 256,           /* of k: a panel of b fits the first level */
    ROW_TILES = 16,        /* rows of a packed at once, in tiles: half the second level */
    COL_BYTES = 1 << 14,   /* columns of b packed at once, of one row: 4 MiB in all */
    TASK_COLS = 512,       /* columns that are worth packing a's rows for */
    ROWS_COLS = 2048,      /* columns that a row-wise product holds in the first level */
    SMALL_BYTES = 1 << 13, /* of a matrix that is multiplied without packing */
    TILE_MAX = 12 * 32
};

/* A product under way; a, b and c by rows. */
typedef struct {
    const void *a, *b;
    void *c;
    int64_t n, k, m;
} Product;

static GactBuf *scratch(Thread *t, int64_t bytes) {
    GactBuf *buf = heap_alloc(t, bytes);
    if (!buf)
        fault_raise(&t->ctx, NULL, "memory",
                    "memory is exhausted: a product wanted %lld more bytes", (long long)bytes);
    return buf;
}

static int64_t min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t round_up(int64_t a, int64_t to) {
    return (a + to - 1) / to * to;
}

/* ---- f32 and f64 by blocks ---- */

/* A matrix by strides, in elements; transposing swaps them. */
typedef struct {
    char *at;
    int64_t row, col;
} Matrix;

/* One block of c: columns col … col + cols, products k0 … k0 + depth. */
typedef struct {
    const TileKernel *kernel;
    Matrix a, b, c;
    int64_t n;
    int64_t col, cols, k0, depth;
    int64_t task_rows, task_cols, tasks_across;
    char *packed; /* b's panels */
} Block;

static inline void copy_element(int size, char *to, const char *from) {
    if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, 8);
}

/* Copies lines that are contiguous along the depth, each into a column of the panel. */
static void pack_lines(int size, const char *from, int64_t line, int64_t count, int64_t width,
                       int64_t depth, char *to) {
    int64_t whole_lines = size == 4 ? count / 4 * 4 : 0,
            whole_depth = size == 4 ? depth / 4 * 4 : 0;
    for (int64_t p = 0; p < whole_depth; p += 4)
        for (int64_t i = 0; i < whole_lines; i += 4)
            transpose_4x4(from + (i * line + p) * 4, line, to + (p * width + i) * 4, width);
    for (int64_t i = 0; i < count; i++)
        for (int64_t p = i < whole_lines ? whole_depth : 0; p < depth; p++)
            copy_element(size, to + (p * width + i) * size, from + (i * line + p) * size);
}

/* Packs `count` lines (at most `width`, the rest zeros) of `depth` elements side by side. Lines are
   `line` elements apart, their elements `step`; one of the two is 1. */
static void pack_panel(int size, const char *from, int64_t line, int64_t step, int64_t count,
                       int64_t width, int64_t depth, char *to) {
    for (int64_t p = 0; p < depth && count < width; p++)
        memset(to + (p * width + count) * size, 0, (size_t)((width - count) * size));
    if (line == 1)
        for (int64_t p = 0; p < depth; p++)
            memcpy(to + p * width * size, from + p * step * size, (size_t)(count * size));
    else
        pack_lines(size, from, line, count, width, depth, to);
}

static void pack_columns(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Block *bl = env;
    int size = bl->kernel->size, width = bl->kernel->cols;
    (void)ctx;
    for (int64_t panel = lo; panel < hi; panel++) {
        int64_t col = panel * width;
        const char *from = bl->b.at + (bl->k0 * bl->b.row + (bl->col + col) * bl->b.col) * size;
        pack_panel(size, from, bl->b.col, bl->b.row, min_i64(width, bl->cols - col), width,
                   bl->depth, bl->packed + col * bl->depth * size);
    }
}

/* A tile that c's memory cannot take as it is: at an edge, or by columns. It goes through a copy.
 */
static void tile_by_copy(const Block *bl, const char *a, const char *b, int64_t row, int64_t col,
                         int64_t rows, int64_t cols) {
    alignas(64) char tile[TILE_MAX * 8];
    int size = bl->kernel->size, width = bl->kernel->cols;
    bool first = bl->k0 == 0;
    char *c = bl->c.at + (row * bl->c.row + col * bl->c.col) * size;
    for (int64_t i = 0; i < rows && !first; i++)
        for (int64_t j = 0; j < cols; j++)
            copy_element(size, tile + (i * width + j) * size,
                         c + (i * bl->c.row + j * bl->c.col) * size);
    bl->kernel->tile((int)rows, bl->depth, a, b, tile, width, first);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            copy_element(size, c + (i * bl->c.row + j * bl->c.col) * size,
                         tile + (i * width + j) * size);
}

static void one_tile(const Block *bl, const char *a, int64_t row, int64_t col, int64_t rows) {
    const TileKernel *kernel = bl->kernel;
    int64_t cols = min_i64(kernel->cols, bl->cols - col);
    const char *b = bl->packed + col * bl->depth * kernel->size;
    bool direct = cols == kernel->cols && bl->c.col == 1 &&
                  (rows == kernel->rows || rows == kernel->rows / 2 || rows == 1);
    if (!direct) {
        tile_by_copy(bl, a, b, row, bl->col + col, rows, cols);
        return;
    }
    char *c = bl->c.at + (row * bl->c.row + (bl->col + col) * bl->c.col) * kernel->size;
    kernel->tile((int)rows, bl->depth, a, b, c, bl->c.row, bl->k0 == 0);
}

/* One task: some rows by some of the block's columns. */
static void run_task(Thread *t, const Block *bl, int64_t task) {
    const TileKernel *kernel = bl->kernel;
    int64_t row0 = task / bl->tasks_across * bl->task_rows;
    int64_t col0 = task % bl->tasks_across * bl->task_cols;
    int64_t row_end = min_i64(row0 + bl->task_rows, bl->n);
    int64_t col_end = min_i64(col0 + bl->task_cols, bl->cols);
    int64_t panel_bytes = kernel->rows * bl->depth * kernel->size;
    int64_t panels = (row_end - row0 + kernel->rows - 1) / kernel->rows;
    GactBuf *buf = scratch(t, panels * panel_bytes);
    char *packed = (char *)(buf + 1);
    for (int64_t i = 0; i < panels; i++) {
        int64_t row = row0 + i * kernel->rows;
        const char *from = bl->a.at + (row * bl->a.row + bl->k0 * bl->a.col) * kernel->size;
        pack_panel(kernel->size, from, bl->a.row, bl->a.col, min_i64(kernel->rows, row_end - row),
                   kernel->rows, bl->depth, packed + i * panel_bytes);
    }
    for (int64_t col = col0; col < col_end; col += kernel->cols)
        for (int64_t i = 0; i < panels; i++) {
            int64_t row = row0 + i * kernel->rows;
            one_tile(bl, packed + i * panel_bytes, row, col, min_i64(kernel->rows, row_end - row));
        }
    heap_release(t, buf);
}

static void run_tasks(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    for (int64_t task = lo; task < hi; task++)
        run_task(thread_of(ctx), env, task);
}

/* Cuts a block into tasks: as many as keep the threads busy, if they are big enough. */
static int64_t block_cut(Block *bl) {
    const TileKernel *kernel = bl->kernel;
    int64_t wanted = 4 * (int64_t)pool_threads();
    bl->task_rows = (int64_t)kernel->rows * ROW_TILES;
    if ((bl->n + bl->task_rows - 1) / bl->task_rows < wanted)
        bl->task_rows = round_up((bl->n + wanted - 1) / wanted, kernel->rows);
    int64_t down = (bl->n + bl->task_rows - 1) / bl->task_rows;
    int64_t across = min_i64((wanted + down - 1) / down, (bl->cols + TASK_COLS - 1) / TASK_COLS);
    bl->task_cols = round_up((bl->cols + across - 1) / across, kernel->cols);
    bl->tasks_across = (bl->cols + bl->task_cols - 1) / bl->task_cols;
    return down * bl->tasks_across;
}

static void block_run(Thread *t, Block *bl, bool pays) {
    int64_t panels = (bl->cols + bl->kernel->cols - 1) / bl->kernel->cols;
    int64_t tasks = block_cut(bl);
    if (pays) {
        pool_run(t, "matmul: pack", pack_columns, bl, panels);
        pool_run(t, "matmul", run_tasks, bl, tasks);
    } else {
        pack_columns(&t->ctx, bl, 0, panels);
        run_tasks(&t->ctx, bl, 0, tasks);
    }
}

static void matmul_tiled(Thread *t, const TileKernel *kernel, const Product *p) {
    Block bl = {.kernel = kernel, .n = p->n};
    int64_t m = p->m;
    bl.a = (Matrix){(char *)p->a, p->k, 1};
    bl.b = (Matrix){(char *)p->b, p->m, 1};
    bl.c = (Matrix){p->c, p->m, 1};
    if (p->m < kernel->cols / 2 &&
        p->n > p->m) { /* few columns: the transposed product, same bits */
        bl.a = (Matrix){(char *)p->b, 1, p->m};
        bl.b = (Matrix){(char *)p->a, 1, p->k};
        bl.c = (Matrix){p->c, 1, p->m};
        bl.n = p->m;
        m = p->n;
    }
    int64_t most = round_up(min_i64(m, COL_BYTES / kernel->size), kernel->cols);
    GactBuf *packed = scratch(t, most * min_i64(p->k, DEPTH) * kernel->size);
    bl.packed = (char *)(packed + 1);
    bool pays = pool_pays(t, p->n * p->m * p->k / 8, 0);
    for (bl.col = 0; bl.col < m; bl.col += most) {
        bl.cols = min_i64(most, m - bl.col);
        for (bl.k0 = 0; bl.k0 < p->k; bl.k0 += DEPTH) {
            bl.depth = min_i64(DEPTH, p->k - bl.k0);
            block_run(t, &bl, pays);
        }
    }
    heap_release(t, packed);
}

/* ---- integers ---- */

#define WRAP_STEP(a, b, c) (c) + (a) * (b)
#define ROWS_NAME(x)       x##_u8
#define ROWS_TARGET
#define ROWS_T             uint8_t
#define ROWS_STEP(a, b, c) (uint8_t)((c) + (unsigned)(a) * (b))
#include "matmul_rows.h"
#define ROWS_NAME(x) x##_u16
#define ROWS_TARGET
#define ROWS_T             uint16_t
#define ROWS_STEP(a, b, c) (uint16_t)((c) + (unsigned)(a) * (b))
#include "matmul_rows.h"
#define ROWS_NAME(x) x##_u32
#define ROWS_TARGET
#define ROWS_T             uint32_t
#define ROWS_STEP(a, b, c) WRAP_STEP(a, b, c)
#include "matmul_rows.h"
#define ROWS_NAME(x) x##_u64
#define ROWS_TARGET
#define ROWS_T             uint64_t
#define ROWS_STEP(a, b, c) WRAP_STEP(a, b, c)
#include "matmul_rows.h"

#if defined(__x86_64__)
#define WIDE               __attribute__((target("avx2,fma,bmi2")))
#define ROWS_NAME(x)       x##_u8_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             uint8_t
#define ROWS_STEP(a, b, c) (uint8_t)((c) + (unsigned)(a) * (b))
#include "matmul_rows.h"
#define ROWS_NAME(x)       x##_u16_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             uint16_t
#define ROWS_STEP(a, b, c) (uint16_t)((c) + (unsigned)(a) * (b))
#include "matmul_rows.h"
#define ROWS_NAME(x)       x##_u32_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             uint32_t
#define ROWS_STEP(a, b, c) WRAP_STEP(a, b, c)
#include "matmul_rows.h"
#define ROWS_NAME(x)       x##_u64_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             uint64_t
#define ROWS_STEP(a, b, c) WRAP_STEP(a, b, c)
#include "matmul_rows.h"
#endif

/* ---- f32 and f64 that are not worth packing ---- */

#define ROWS_NAME(x) x##_f32
#define ROWS_TARGET
#define ROWS_T             float
#define ROWS_STEP(a, b, c) __builtin_fmaf((a), (b), (c))
#include "matmul_rows.h"
#define ROWS_NAME(x) x##_f64
#define ROWS_TARGET
#define ROWS_T             double
#define ROWS_STEP(a, b, c) __builtin_fma((a), (b), (c))
#include "matmul_rows.h"
#if defined(__x86_64__)
#define ROWS_NAME(x)       x##_f32_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             float
#define ROWS_STEP(a, b, c) __builtin_fmaf((a), (b), (c))
#include "matmul_rows.h"
#define ROWS_NAME(x)       x##_f64_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             double
#define ROWS_STEP(a, b, c) __builtin_fma((a), (b), (c))
#include "matmul_rows.h"
#endif

/* ---- half floats, in f32 that is rounded to their precision ---- */

static inline uint32_t bits_of(float x) {
    uint32_t u;
    memcpy(&u, &x, 4);
    return u;
}

static inline float float_of(uint32_t u) {
    float x;
    memcpy(&x, &u, 4);
    return x;
}

/* To nearest, ties to even; a NaN stays one. */
static inline __attribute__((always_inline)) float round_bf16(float x) {
    uint32_t u = bits_of(x);
    uint32_t rounded = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
    return float_of((u & 0x7fffffff) > 0x7f800000 ? (u | 0x400000) & 0xffff0000 : rounded);
}

static inline __attribute__((always_inline)) float round_f16(float x) {
    uint32_t u = bits_of(x), size = u & 0x7fffffff, sign = u & 0x80000000;
    uint32_t normal = (size + 0xfff + (size >> 13 & 1)) & ~UINT32_C(0x1fff);
    normal = normal >= 0x47800000 ? 0x7f800000 : normal;     /* 65536 and more: infinity */
    uint32_t tiny = bits_of((float_of(size) + 0.5f) - 0.5f); /* multiples of 2^-24 */
    uint32_t rounded = size < 0x38800000 ? tiny : normal;
    rounded = size > 0x7f800000 ? (size | 0x400000) & ~UINT32_C(0x1fff) : rounded;
    return float_of(rounded | sign);
}

#define ROWS_NAME(x) x##_f16
#define ROWS_TARGET
#define ROWS_T             float
#define ROWS_STEP(a, b, c) round_f16(__builtin_fmaf((a), (b), (c)))
#include "matmul_rows.h"
#define ROWS_NAME(x) x##_bf16
#define ROWS_TARGET
#define ROWS_T             float
#define ROWS_STEP(a, b, c) round_bf16(__builtin_fmaf((a), (b), (c)))
#include "matmul_rows.h"
#if defined(__x86_64__)
#define ROWS_NAME(x)       x##_f16_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             float
#define ROWS_STEP(a, b, c) round_f16(__builtin_fmaf((a), (b), (c)))
#include "matmul_rows.h"
#define ROWS_NAME(x)       x##_bf16_wide
#define ROWS_TARGET        WIDE
#define ROWS_T             float
#define ROWS_STEP(a, b, c) round_bf16(__builtin_fmaf((a), (b), (c)))
#include "matmul_rows.h"
#endif

/* The row-wise product of a kind on this machine. */
static GactRangeFn rows_fn(int32_t kind) {
#if defined(__x86_64__)
    static const GactRangeFn wide[] = {
        [GACT_I8] = rows_u8_wide,   [GACT_U8] = rows_u8_wide,     [GACT_I16] = rows_u16_wide,
        [GACT_U16] = rows_u16_wide, [GACT_I32] = rows_u32_wide,   [GACT_U32] = rows_u32_wide,
        [GACT_I64] = rows_u64_wide, [GACT_U64] = rows_u64_wide,   [GACT_DURATION] = rows_u64_wide,
        [GACT_F16] = rows_f16_wide, [GACT_BF16] = rows_bf16_wide, [GACT_F32] = rows_f32_wide,
        [GACT_F64] = rows_f64_wide};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
        return wide[kind];
#endif
    static const GactRangeFn any[] = {
        [GACT_I8] = rows_u8,   [GACT_U8] = rows_u8,     [GACT_I16] = rows_u16,
        [GACT_U16] = rows_u16, [GACT_I32] = rows_u32,   [GACT_U32] = rows_u32,
        [GACT_I64] = rows_u64, [GACT_U64] = rows_u64,   [GACT_DURATION] = rows_u64,
        [GACT_F16] = rows_f16, [GACT_BF16] = rows_bf16, [GACT_F32] = rows_f32,
        [GACT_F64] = rows_f64};
    return any[kind];
}

static void matmul_rows(Thread *t, int32_t kind, Product *p) {
    GactRangeFn fn = rows_fn(kind);
    if (p->n > 1 && pool_pays(t, p->n * p->m * p->k / 4, 0))
        pool_run(t, "matmul", fn, p, p->n);
    else
        fn(&t->ctx, p, 0, p->n);
}

static void widen(int32_t kind, const uint16_t *from, float *to, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t sign = (uint32_t)(from[i] & 0x8000) << 16, rest = from[i] & 0x7fff;
        if (kind == GACT_BF16)
            to[i] = float_of((uint32_t)from[i] << 16);
        else if (rest >= 0x7c00)
            to[i] = float_of(sign | 0x7f800000 | (rest & 0x3ff) << 13);
        else
            to[i] = float_of(sign | bits_of(float_of(rest << 13) * 0x1p112f));
    }
}

/* Exact: the numbers have the kind's precision already. */
static void narrow(int32_t kind, const float *from, uint16_t *to, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = bits_of(from[i]), size = u & 0x7fffffff;
        uint32_t half = size >= 0x7f800000 ? 0x7c00 | (size >> 13 & 0x3ff)
                                           : bits_of(float_of(size) * 0x1p-112f) >> 13;
        to[i] = kind == GACT_BF16 ? (uint16_t)(u >> 16) : (uint16_t)((u >> 16 & 0x8000) | half);
    }
}

static void matmul_half(Thread *t, int32_t kind, const Product *p) {
    int64_t na = p->n * p->k, nb = p->k * p->m, nc = p->n * p->m;
    GactBuf *buf = scratch(t, (na + nb + nc) * (int64_t)sizeof(float));
    float *a = (float *)(buf + 1), *b = a + na, *c = b + nb;
    widen(kind, p->a, a, na);
    widen(kind, p->b, b, nb);
    matmul_rows(t, kind, &(Product){a, b, c, p->n, p->k, p->m});
    narrow(kind, c, p->c, nc);
    heap_release(t, buf);
}

/* ---- all ---- */

/* Does it fit the first level? */
static bool is_small(const TileKernel *kernel, const Product *p) {
    int64_t row = p->m * kernel->size;
    return p->k * row <= SMALL_BYTES && p->n * row <= SMALL_BYTES && p->n * p->k <= SMALL_BYTES;
}

static void matmul_float(Thread *t, int32_t kind, Product *p) {
    const TileKernel *kernel = tile_kernel(kind == GACT_F64);
    if (is_small(kernel, p))
        kernel->small(p->n, p->k, p->m, p->a, p->b, p->c);
    else if (p->k == 0 || (p->n <= 2 && p->m > 1)) /* few rows: packing b would cost more */
        matmul_rows(t, kind, p);
    else
        matmul_tiled(t, kernel, p);
}

static const GactKernelInfo info_matmul = {.name = "matmul", .ops = "fma", .file = -1, .flops = 2};
static const int8_t kind_bytes[] = {
    [GACT_I8] = 1,   [GACT_U8] = 1,  [GACT_I16] = 2,     [GACT_U16] = 2, [GACT_F16] = 2,
    [GACT_BF16] = 2, [GACT_I32] = 4, [GACT_U32] = 4,     [GACT_F32] = 4, [GACT_I64] = 8,
    [GACT_U64] = 8,  [GACT_F64] = 8, [GACT_DURATION] = 8};

void rt_matmul(GactCtx *ctx, int32_t kind, const void *a, const void *b, void *c, int64_t n,
               int64_t k, int64_t m) {
    Thread *t = thread_of(ctx);
    Product p = {a, b, c, n, k, m};
    int64_t begin = profile_wants(t) || t->declined.cost ? clock_ns() : 0;
    if (n == 0 || m == 0)
        return;
    if (kind == GACT_F16 || kind == GACT_BF16)
        matmul_half(t, kind, &p);
    else if (kind == GACT_F32 || kind == GACT_F64)
        matmul_float(t, kind, &p);
    else
        matmul_rows(t, kind, &p);
    if (t->declined.cost)
        place_host_ran(t, NULL, clock_ns() - begin);
    profile_call(t, &info_matmul, begin, n * k * m, (n * k + k * m + n * m) * kind_bytes[kind]);
}
