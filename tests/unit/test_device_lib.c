/* The library's kernels on the emulated device, blocks and threads in an order that a seed gives,
   against the host's functions, bit for bit; and their texts through NVRTC where there is one. The
   emulated part is skipped where there is no C++ compiler. */
#include "fixture/device_kernels.h"
#include "runtime/device/lib_unit.h"
#include "runtime/runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Run run;
static Device *d;
static DeviceLib *lib, *large; /* large: takes the kernels for many elements */
static int64_t scratch_bytes;

static void ok(DeviceStatus status) {
    if (status != DEVICE_OK)
        fail_msg("%s", d->error);
}

/* ---- memory ---- */

static DeviceStatus scratch_alloc(void *env, int64_t bytes, DevicePtr *p) {
    (void)env;
    scratch_bytes += bytes;
    return d->table->alloc(d, bytes, p);
}

static void scratch_free(void *env, DevicePtr p, int64_t bytes) {
    (void)env;
    scratch_bytes -= bytes;
    d->table->free(d, p);
}

static const DeviceScratch scratch = {scratch_alloc, scratch_free, NULL};

static DevicePtr put(const void *from, int64_t bytes) {
    DevicePtr p;
    ok(d->table->alloc(d, bytes, &p));
    ok(d->table->copy_in(d, 0, p, from, bytes));
    return p;
}

static DevicePtr room(int64_t bytes) {
    DevicePtr p;
    ok(d->table->alloc(d, bytes, &p));
    return p;
}

static void *take(DevicePtr p, int64_t bytes) {
    void *to = malloc((size_t)bytes + 1);
    ok(d->table->copy_out(d, 0, to, p, bytes));
    ok(d->table->sync(d, 0));
    d->table->free(d, p);
    return to;
}

static uint64_t seed = 1;
static uint64_t random_bits(void) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t x = seed ^ seed >> 29;
    return x * UINT64_C(0xbf58476d1ce4e5b9) ^ x >> 32;
}

static int width_of(int32_t kind) {
    static const int widths[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 8};
    return widths[kind];
}

/* ---- sorts ---- */

enum { SHAPES = 7 };

/* Keys that are hard in different ways. */
static void fill(void *keys, int32_t kind, int64_t n, int shape) {
    int width = width_of(kind);
    for (int64_t i = 0; i < n; i++) {
        uint64_t x = random_bits();
        switch (shape) {
        case 1: x %= 7; break;                              /* ties */
        case 2: x = (uint64_t)i; break;                     /* in order */
        case 3: x = ~(uint64_t)i; break;                    /* in reverse */
        case 4: x = 0x4242424242424242; break;              /* all equal */
        case 5: x = x % 3 << (8 * width - 8) | 0x15; break; /* the highest digit alone */
        case 6:
            x = x % 3 ? x | UINT64_C(0x7f) << (8 * width - 8) /* floats: NaNs of all kinds, */
                      : x << (8 * width - 1);
            break; /* and zeros of both signs */
        }
        if (kind == GACT_BOOL)
            x &= 1;
        memcpy((char *)keys + i * width, &x, (size_t)width);
    }
}

typedef enum { IN_PLACE, APART, PERM, FORMS } Form;

static void check_sort(DeviceLib *with, int32_t kind, int64_t n, int shape, bool descending,
                       Form form) {
    int64_t bytes = n * width_of(kind);
    void *keys = malloc((size_t)bytes + 1);
    int64_t *perm = malloc((size_t)n * 8 + 8);
    fill(keys, kind, n, shape);
    DeviceSort s = {.kind = kind, .descending = descending, .n = n, .keys = put(keys, bytes)};
    s.perm = form == PERM ? room(n * 8) : 0;
    s.sorted = form == IN_PLACE ? s.keys : form == APART ? room(bytes) : 0;
    ok(device_sort(with, 0, &s));
    if (form != IN_PLACE) {
        void *after = take(s.keys, bytes);
        assert_memory_equal(after, keys, (size_t)bytes);
        free(after);
    }
    rt_sort(&run.main.ctx, kind, keys, n, descending, form == PERM ? perm : NULL);
    void *got = form == PERM ? take(s.perm, n * 8) : take(s.sorted, bytes);
    if (memcmp(got, form == PERM ? (void *)perm : keys, (size_t)(form == PERM ? n * 8 : bytes)) !=
        0)
        fail_msg("kind %d, %lld keys of shape %d, descending %d, form %d", kind, (long long)n,
                 shape, descending, form);
    assert_int_equal(scratch_bytes, 0);
    free(got), free(perm), free(keys);
}

/* Around the sizes of warps, tiles and what one block sorts. */
static const int64_t sort_sizes[] = {0,    1,    2,    31,   32,   33,   384,  3839,
                                     3840, 3841, 4224, 4225, 8063, 8064, 8065, 16129};

static void sort_all(DeviceLib *with, int32_t kind, int cases) {
    enum { SIZES = sizeof sort_sizes / sizeof *sort_sizes };
    for (int k = 0; k < cases; k++)
        check_sort(with, kind, sort_sizes[k % SIZES], (k + k / SIZES) % SHAPES, k / 2 % 2,
                   (Form)(k % FORMS));
}

static void sorts_every_kind(void **state) {
    (void)state;
    for (int32_t kind = GACT_BOOL; kind <= GACT_DURATION; kind++)
        sort_all(lib, kind, 32);
}

/* The kernels with wide counts and places, and sweeps for few keys. */
static void sorts_with_wide_words(void **state) {
    static const int32_t kinds[] = {GACT_I8, GACT_F16, GACT_F32, GACT_F64};
    (void)state;
    for (int k = 0; k < 4; k++)
        sort_all(large, kinds[k], 24);
}

static void sorts_many(void **state) {
    (void)state;
    check_sort(lib, GACT_F32, 100000, 6, false, PERM);
    check_sort(lib, GACT_I64, 100000, 0, true, IN_PLACE);
    check_sort(lib, GACT_U16, 100000, 0, false, APART);
    check_sort(lib, GACT_U8, 100000, 0, true, IN_PLACE);
}

/* ---- products ---- */

typedef struct {
    int64_t n, k, m;
} Size;

/* Every tile, its edges, and depths around its own. */
static const Size products[] = {
    {1, 1, 1},    {3, 2, 5},     {5, 0, 4},      {0, 3, 3},      {33, 16, 32}, {31, 17, 33},
    {64, 33, 8},  {65, 31, 1},   {130, 64, 7},   {8, 65, 130},   {1, 40, 100}, {65, 15, 66},
    {64, 48, 64}, {129, 9, 130}, {257, 40, 129}, {128, 24, 256}, {400, 7, 140}};

static double random_float(void) {
    uint64_t x = random_bits();
    double unit = (double)(int64_t)x * 0x1p-63;
    switch (x % 61) {
    case 0: return unit * 0x1p-80; /* products that vanish, also to -0 */
    case 1: return unit * 0x1p70;
    case 2: return 0 * unit;
    case 3: return x & 64 ? INFINITY : unit;
    }
    return unit;
}

static void fill_elements(int32_t kind, void *to, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = random_bits();
        double x = random_float();
        float f = (float)x;
        if (kind == GACT_F64)
            memcpy(&bits, &x, 8);
        else if (kind == GACT_F32)
            memcpy(&bits, &f, 4);
        else if (kind == GACT_BF16)
            memcpy(&bits, (char *)&f + 2, 2);
        memcpy((char *)to + i * width_of(kind), &bits, (size_t)width_of(kind));
    }
}

/* NaNs are one value. */
static bool same_element(int32_t kind, const void *a, const void *b) {
    static const uint64_t infinities[] = {[GACT_F16] = 0x7c00,
                                          [GACT_BF16] = 0x7f80,
                                          [GACT_F32] = 0x7f800000,
                                          [GACT_F64] = 0x7ff0000000000000};
    int width = width_of(kind);
    uint64_t x = 0, y = 0, sign = UINT64_C(1) << (8 * width - 1);
    memcpy(&x, a, (size_t)width);
    memcpy(&y, b, (size_t)width);
    bool is_float = kind >= GACT_F16 && kind <= GACT_F64;
    return x == y || (is_float && (x & ~sign) > infinities[kind] && (y & ~sign) > infinities[kind]);
}

static void check_product(int32_t kind, Size z) {
    int64_t w = width_of(kind), na = z.n * z.k * w, nb = z.k * z.m * w, nc = z.n * z.m * w;
    char *a = malloc((size_t)na + 1), *b = malloc((size_t)nb + 1), *c = malloc((size_t)nc + 1);
    fill_elements(kind, a, z.n * z.k);
    fill_elements(kind, b, z.k * z.m);
    rt_matmul(&run.main.ctx, kind, a, b, c, z.n, z.k, z.m);
    DeviceMatmul p = {kind, z.n, z.k, z.m, put(a, na), put(b, nb), room(nc)};
    ok(device_matmul(lib, 0, &p));
    char *got = take(p.c, nc);
    for (int64_t i = 0; i < z.n * z.m; i++)
        if (!same_element(kind, got + i * w, c + i * w))
            fail_msg("kind %d, [%lld, %lld] by [%lld]: element %lld", kind, (long long)z.n,
                     (long long)z.k, (long long)z.m, (long long)i);
    d->table->free(d, p.a);
    d->table->free(d, p.b);
    free(a), free(b), free(c), free(got);
}

static void multiplies_every_kind(void **state) {
    static const int32_t kinds[] = {GACT_F32, GACT_F64, GACT_I8,  GACT_U16,
                                    GACT_I32, GACT_U64, GACT_F16, GACT_BF16};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t s = 0; s < sizeof products / sizeof *products; s++)
            check_product(kinds[k], products[s]);
}

/* A product that vanishes leaves -0, and nothing is added to it. */
static void keeps_negative_zeros(void **state) {
    float a[] = {1e-30f, -1e-30f, 0}, b[] = {-1e-30f, 1e-30f, -0.0f}, *c;
    double a8[] = {1e-300, -1e-300, 0}, b8[] = {-1e-300, 1e-300, -0.0}, *c8;
    DeviceMatmul p = {GACT_F32, 3, 1, 3, put(a, sizeof a), put(b, sizeof b), room(36)};
    DeviceMatmul p8 = {GACT_F64, 3, 1, 3, put(a8, sizeof a8), put(b8, sizeof b8), room(72)};
    (void)state;
    ok(device_matmul(lib, 0, &p));
    ok(device_matmul(lib, 0, &p8));
    c = take(p.c, 36);
    c8 = take(p8.c, 72);
    for (int i = 0; i < 9; i++) {
        bool negative = signbit(fmaf(a[i / 3], b[i % 3], 0)) != 0;
        assert_true(c[i] == 0 && (signbit(c[i]) != 0) == negative);
        assert_true(c8[i] == 0 && (signbit(c8[i]) != 0) == negative);
    }
    d->table->free(d, p.a), d->table->free(d, p.b);
    d->table->free(d, p8.a), d->table->free(d, p8.b);
    free(c), free(c8);
}

/* ---- transposes ---- */

static void check_transpose(int32_t width, int64_t count, int64_t n, int64_t m) {
    int64_t bytes = count * n * m * width;
    char *from = malloc((size_t)bytes + 1);
    for (int64_t i = 0; i < bytes; i++)
        from[i] = (char)random_bits();
    DeviceTranspose t = {width, count, n, m, put(from, bytes), room(bytes)};
    ok(device_transpose(lib, 0, &t));
    char *got = take(t.to, bytes);
    for (int64_t c = 0; c < count; c++)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m; j++)
                assert_memory_equal(got + ((c * m + j) * n + i) * width,
                                    from + ((c * n + i) * m + j) * width, (size_t)width);
    d->table->free(d, t.from);
    free(from), free(got);
}

static void transposes(void **state) {
    static const Size sizes[] = {{0, 3, 3},    {1, 1, 9},    {3, 2, 2},   {700, 3, 5},
                                 {1, 32, 32},  {2, 33, 31},  {1, 64, 97}, {5, 16, 40},
                                 {1, 5, 3000}, {1, 200, 130}};
    (void)state;
    for (int32_t width = 1; width <= 8; width *= 2)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            check_transpose(width, sizes[s].n, sizes[s].k, sizes[s].m);
}

/* ---- look-back and histograms, in kernels as compiled code has them ---- */

static DeviceFunc *func_of(const char *library, const char *text, const char *name,
                           DeviceModule **module) {
    size_t size = strlen(device_prelude) + strlen(library) + strlen(text) + 1, code_len;
    char *all = malloc(size), *log;
    void *code;
    snprintf(all, size, "%s%s%s", device_prelude, library, text);
    if (d->table->compile(d, all, size - 1, &code, &code_len, &log) != DEVICE_OK)
        fail_msg("%s:\n%s", d->error, log);
    ok(d->table->load(d, code, code_len, module));
    free(code), free(log), free(all);
    DeviceFunc *f;
    ok(d->table->function(d, *module, name, &f));
    return f;
}

enum { SCAN_THREADS = 256, SCAN_EACH = 2, SCAN_TILE = SCAN_THREADS * SCAN_EACH };
static const int64_t scan_sizes[] = {
    0, 1, 2, 31, 32, 33, SCAN_TILE - 1, SCAN_TILE, SCAN_TILE + 1, 40 * SCAN_TILE, 100000};

typedef struct {
    DevicePtr x, before, upto, count, ticket, status;
    int64_t n;
} ScanArgs;

/* Runs a kernel; before and upto (from malloc) and the count are its results. */
static int64_t run_scan(DeviceFunc *f, const uint64_t *x, int64_t n, uint64_t **before,
                        uint64_t **upto) {
    int64_t tiles = n / SCAN_TILE + 1, count;
    int64_t words = 4 * tiles * 8;
    ScanArgs a = {put(x, n * 8), room(n * 8), room(n * 8), room(8), room(256), room(words), n};
    DeviceGrid grid = {
        {(int32_t)((n + SCAN_TILE - 1) / SCAN_TILE + (n == 0)), 1, 1}, SCAN_THREADS, 0};
    ok(d->table->fill(d, 0, a.ticket, 0, 256));
    ok(d->table->fill(d, 0, a.status, 0, words));
    ok(d->table->fill(d, 0, a.count, 0xff, 8));
    ok(d->table->launch(d, 0, f, &grid, &a, sizeof a));
    *before = take(a.before, n * 8);
    *upto = take(a.upto, n * 8);
    ok(d->table->copy_out(d, 0, &count, a.count, 8));
    ok(d->table->sync(d, 0));
    d->table->free(d, a.x);
    d->table->free(d, a.count);
    d->table->free(d, a.ticket);
    d->table->free(d, a.status);
    return count;
}

/* f: what the scan gives with each point, and without it. */
static void check_affine(DeviceFunc *const *f, const uint64_t *x, int64_t n) {
    uint64_t *before, *upto, *other, p = 7;
    run_scan(f[0], x, n, &other, &upto);
    free(other);
    run_scan(f[1], x, n, &before, &other);
    free(other);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(before[i], p);
        p = p * x[i] + (uint64_t)i;
        assert_int_equal(upto[i], p);
    }
    free(before), free(upto);
}

static void check_most(DeviceFunc *const *f, const uint64_t *x, int64_t n) {
    uint64_t *before, *upto, *other, p = 3;
    run_scan(f[0], x, n, &other, &upto);
    free(other);
    run_scan(f[1], x, n, &before, &other);
    free(other);
    for (int64_t i = 0; i < n; i++) {
        uint64_t value = (x[i] >> 5 & 0x7f) > 100 ? (uint64_t)i >> 9 & 0xff : 0;
        assert_int_equal(before[i], p);
        p = value > p ? value : p;
        assert_int_equal(upto[i], p);
    }
    free(before), free(upto);
}

static void check_filter(DeviceFunc *f, const uint64_t *x, int64_t n) {
    uint64_t *kept, *others;
    int64_t count = run_scan(f, x, n, &kept, &others), k = 0, j = 0;
    for (int64_t i = 0; i < n; i++)
        if (x[i] % 3 == 0)
            assert_int_equal(kept[k++], x[i]);
        else
            assert_int_equal(others[j++], x[i]);
    assert_int_equal(count, k);
    free(kept), free(others);
}

/* What a kernel gives lane 31 that looks back over n tiles. */
static uint64_t look_back(const char *library, const char *text, const uint64_t *x, int64_t n) {
    struct {
        DevicePtr x, out, status;
        int64_t n;
    } a = {put(x, n * 8), room(32 * 8), room((n + 1) * 256 * 4), n};
    DeviceGrid grid = {{1, 1, 1}, 32, 0};
    DeviceModule *m;
    ok(d->table->launch(d, 0, func_of(library, text, "look", &m), &grid, &a, sizeof a));
    uint64_t *out = take(a.out, 32 * 8), result = out[31];
    d->table->free(d, a.x);
    d->table->free(d, a.status);
    d->table->unload(d, m);
    free(out);
    return result;
}

/* Over more tiles than are looked at together; blocks that run in turn seldom get so far. */
static void looks_far_back(void **state) {
    enum { N = 101 };
    uint64_t x[N], sum = 0;
    uint64_t affine = 0;
    (void)state;
    for (int i = 0; i < N; i++) {
        x[i] = random_bits() | 1;
        sum += x[i] & 0xfff;
        affine = affine * x[i] + (uint64_t)i;
    }
    assert_int_equal(look_back("", look_text, x, N), affine);
    assert_int_equal(look_back(device_text_sort, sort_look_text, x, N), sum);
}

static void scans_and_filters(void **state) {
    (void)state;
    DeviceModule *m;
    DeviceFunc *affine[2], *most[2], *filter;
    affine[0] = func_of("", scan_text, "affine", &m);
    ok(d->table->function(d, m, "affine_before", &affine[1]));
    ok(d->table->function(d, m, "most", &most[0]));
    ok(d->table->function(d, m, "most_before", &most[1]));
    ok(d->table->function(d, m, "filter", &filter));
    for (size_t s = 0; s < sizeof scan_sizes / sizeof *scan_sizes; s++) {
        int64_t n = scan_sizes[s];
        uint64_t *x = malloc((size_t)n * 8 + 8);
        for (int64_t i = 0; i < n; i++)
            x[i] = random_bits() | (n > 99999); /* odd ones keep all that was before */
        check_affine(affine, x, n);
        check_most(most, x, n);
        check_filter(filter, x, n);
        free(x);
    }
    d->table->unload(d, m);
}

typedef struct {
    DevicePtr x, counts, sums, most;
    int64_t n, k, copies;
} BinArgs;

static void check_bins(DeviceFunc *f, int64_t n, int64_t k, int64_t copies) {
    uint64_t *x = malloc((size_t)n * 8 + 8);
    int64_t *counts = calloc((size_t)k, 8), *sums = calloc((size_t)k, 8);
    int32_t *most = malloc((size_t)k * 4);
    memset(most, 0x80, (size_t)k * 4);
    for (int64_t i = 0; i < n; i++)
        x[i] = random_bits();
    BinArgs a = {put(x, n * 8), put(counts, k * 8), put(sums, k * 8), put(most, k * 4), n, k,
                 copies};
    DeviceGrid grid = {{3, 1, 1}, 256, (int32_t)(copies * k * 4 < 8 ? 8 : copies * k * 4)};
    ok(d->table->launch(d, 0, f, &grid, &a, sizeof a));
    for (int64_t i = 0; i < n; i++)
        if (x[i] % 11) {
            int64_t bin = (int64_t)(x[i] % (uint64_t)k);
            int32_t value = (int32_t)(x[i] >> 32);
            counts[bin]++;
            sums[bin] = (int64_t)((uint64_t)sums[bin] + x[i]);
            most[bin] = value > most[bin] ? value : most[bin];
        }
    int64_t *got_counts = take(a.counts, k * 8), *got_sums = take(a.sums, k * 8);
    int32_t *got_most = take(a.most, k * 4);
    assert_memory_equal(got_counts, counts, (size_t)k * 8);
    assert_memory_equal(got_sums, sums, (size_t)k * 8);
    assert_memory_equal(got_most, most, (size_t)k * 4);
    d->table->free(d, a.x);
    free(x), free(counts), free(sums), free(most), free(got_counts), free(got_sums), free(got_most);
}

static void counts_bins(void **state) {
    static const int64_t sizes[] = {0, 1, 33, 4999, 100000};
    (void)state;
    DeviceModule *m;
    DeviceFunc *f = func_of(device_text_histogram, bins_text, "shared_bins", &m);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        check_bins(f, sizes[s], 1, 8);
        check_bins(f, sizes[s], 17, 8);
        check_bins(f, sizes[s], 1500, 8);
        check_bins(f, sizes[s], 2500, 3);
        check_bins(f, sizes[s], 12288, 1);
    }
    d->table->unload(d, m);
}

/* ---- all ---- */

static int open_all(void **state) {
    const DeviceLimits none = {.square = 16};
    GactError error;
    (void)state;
    setenv("GACT_EMU_SEED", "20160311", 1);
    assert_int_equal(pool_configure(2, false, NULL), GACT_OK);
    if (!run_open(&run, NULL) || device_emu.open(0, &d, &error) != DEVICE_OK)
        return 1;
    ok(device_lib_open(d, &scratch, NULL, &lib));
    ok(device_lib_open(d, &scratch, &none, &large));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    device_lib_close(lib);
    device_lib_close(large);
    d->table->close(d);
    run_close(&run);
    gact_shutdown(NULL);
    return 0;
}

int main(void) {
    GactError why;
    if (!device_emu.count(&why)) {
        puts(why.text);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_every_kind),     cmocka_unit_test(sorts_with_wide_words),
        cmocka_unit_test(sorts_many),           cmocka_unit_test(multiplies_every_kind),
        cmocka_unit_test(keeps_negative_zeros), cmocka_unit_test(transposes),
        cmocka_unit_test(looks_far_back),       cmocka_unit_test(scans_and_filters),
        cmocka_unit_test(counts_bins),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
