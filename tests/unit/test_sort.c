/* Sorts against a slow, obviously stable one. */
#include "runtime/runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/sort_quick.h"

static Run run;

static int open_run(void **state) {
    (void)state;
    assert_int_equal(pool_configure(4, false, NULL), GACT_OK);
    return !run_open(&run, NULL);
}

static int close_run(void **state) {
    GactMemoryStats stats;
    (void)state;
    run_close(&run);
    gact_shutdown(NULL);
    gact_memory_stats(&stats);
    return stats.live_bytes != 0;
}

static uint64_t random_bits(uint64_t *seed) {
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t x = *seed ^ *seed >> 29;
    return x * UINT64_C(0xbf58476d1ce4e5b9) ^ x >> 32;
}

/* ---- a total order to compare with ---- */

typedef struct {
    int32_t kind;
    int width;
    const void *keys;
    bool descending;
} Keys;

static double float_at(const Keys *k, int64_t i) {
    double d;
    float f;
    uint32_t u;
    uint16_t h;
    switch (k->kind) {
    case GACT_F64: memcpy(&d, (const double *)k->keys + i, 8); return d;
    case GACT_F32: memcpy(&f, (const float *)k->keys + i, 4); return f;
    case GACT_BF16:
        memcpy(&h, (const uint16_t *)k->keys + i, 2);
        u = (uint32_t)h << 16;
        memcpy(&f, &u, 4);
        return f;
    }
    memcpy(&h, (const uint16_t *)k->keys + i, 2);
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -size : size;
}

static int compare_floats(double x, double y) {
    if (isnan(x) || isnan(y))
        return (isnan(x) != 0) - (isnan(y) != 0);
    if (x != y)
        return x < y ? -1 : 1;
    return (signbit(x) == 0) - (signbit(y) == 0);
}

static int64_t integer_at(const Keys *k, int64_t i) {
    switch (k->kind) {
    case GACT_I8: return ((const int8_t *)k->keys)[i];
    case GACT_I16: return ((const int16_t *)k->keys)[i];
    case GACT_I32: return ((const int32_t *)k->keys)[i];
    case GACT_BOOL:
    case GACT_U8: return ((const uint8_t *)k->keys)[i];
    case GACT_U16: return ((const uint16_t *)k->keys)[i];
    case GACT_U32: return ((const uint32_t *)k->keys)[i];
    case GACT_U64:
    case GACT_HLC: return (int64_t)(((const uint64_t *)k->keys)[i] ^ UINT64_C(1) << 63);
    }
    return ((const int64_t *)k->keys)[i];
}

static bool is_float(int32_t kind) {
    return kind >= GACT_F16 && kind <= GACT_F64;
}

static int compare(const Keys *k, int64_t a, int64_t b) {
    int order;
    if (is_float(k->kind)) {
        order = compare_floats(float_at(k, a), float_at(k, b));
    } else {
        int64_t x = integer_at(k, a), y = integer_at(k, b);
        order = (x > y) - (x < y);
    }
    return k->descending ? -order : order;
}

/* Is perm the stable permutation? It is if neighbours are in order, ties by index, and it is a
   permutation. */
static void check_stable(const Keys *k, const int64_t *perm, int64_t n) {
    bool *seen = calloc((size_t)n + 1, 1);
    for (int64_t i = 0; i < n; i++) {
        assert_true(perm[i] >= 0 && perm[i] < n && !seen[perm[i]]);
        seen[perm[i]] = true;
        if (i == 0)
            continue;
        int order = compare(k, perm[i - 1], perm[i]);
        assert_true(order < 0 || (order == 0 && perm[i - 1] < perm[i]));
    }
    free(seen);
}

static int width_of(int32_t kind) {
    static const int widths[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 8, 8};
    return widths[kind];
}

static void fill(void *keys, int32_t kind, int64_t n, int shape, uint64_t *seed) {
    int width = width_of(kind);
    for (int64_t i = 0; i < n; i++) {
        uint64_t x = random_bits(seed);
        if (shape == 1)
            x %= 7; /* many ties; of floats: tiny numbers */
        else if (shape == 2)
            x = (uint64_t)i; /* in order */
        else if (shape == 4)
            x = (uint64_t)-70000 + x % 100003; /* few values, on both sides of 0 */
        else if (shape == 5)
            x = (uint64_t)(n - i) / 3 * (uint64_t)-3; /* in runs of equals, across the sign */
        else if (shape == 6)
            x = (uint64_t)(n - i); /* in the reverse order */
        else if (shape == 3)
            x = x % 3 ? x : (uint64_t)0xffff << 48 | (x & 0xffffffff); /* NaNs */
        if (kind == GACT_BOOL)
            x &= 1;
        if (shape == 3 && kind == GACT_F32 && x % 3 == 0)
            x = 0x7fc00000 | (x & 0x80000001);
        memcpy((char *)keys + i * width, &x, (size_t)width);
    }
}

static uint64_t sum_bits(const unsigned char *at, int64_t bytes, int width) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < bytes; i += width) {
        uint64_t x = 0;
        memcpy(&x, at + i, (size_t)width);
        sum += x * UINT64_C(0x9e3779b97f4a7c15) ^ x >> 7;
    }
    return sum;
}

static void check_kind(int32_t kind, int64_t n, int shape, bool descending, uint64_t *seed) {
    int width = width_of(kind);
    char *keys = malloc((size_t)(n * width) + 1);
    int64_t *perm = malloc((size_t)n * sizeof *perm + 1);
    fill(keys, kind, n, shape, seed);
    Keys k = {kind, width, keys, descending};
    rt_sort(&run.main.ctx, kind, keys, n, descending, perm);
    check_stable(&k, perm, n);
    uint64_t before = sum_bits((unsigned char *)keys, n * width, width);
    rt_sort(&run.main.ctx, kind, keys, n, descending, NULL);
    assert_true(sum_bits((unsigned char *)keys, n * width, width) == before);
    for (int64_t i = 1; i < n; i++)
        assert_true(compare(&k, i - 1, i) <= 0);
    free(perm);
    free(keys);
}

static void sorts_every_kind(void **state) {
    static const int64_t sizes[] = {0, 1, 2, 20, 21, 47, 129, 256, 257, 1000, 70001};
    uint64_t seed = 1;
    (void)state;
    for (int32_t kind = GACT_BOOL; kind <= GACT_DURATION; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int shape = 0; shape < 7; shape++)
                for (int descending = 0; descending < 2; descending++)
                    check_kind(kind, sizes[s], shape, descending, &seed);
}

static void sorts_big_arrays_on_threads(void **state) {
    uint64_t seed = 2;
    (void)state;
    check_kind(GACT_F32, 1000003, 3, false, &seed);
    check_kind(GACT_I64, 1000003, 0, true, &seed);
    check_kind(GACT_U16, 1000003, 0, false, &seed);
    check_kind(GACT_BF16, 1000003, 3, true, &seed);
    check_kind(GACT_U32, 1000003, 0, false, &seed);
    check_kind(GACT_I64, 1000003, 4, false, &seed);
    check_kind(GACT_U64, 300007, 4, true, &seed);
}

/* ---- vectors ---- */

#define CHECK_QUICK(T, name)                                                                       \
    static void check_##name(int64_t n, int shape, int cuts, uint64_t *seed) {                     \
        T *keys = malloc((size_t)n * sizeof *keys + 1), sum = 0;                                   \
        for (int64_t i = 0; i < n; i++) {                                                          \
            keys[i] = (T)(shape ? random_bits(seed) % (uint64_t)shape : random_bits(seed));        \
            sum += keys[i] * keys[i];                                                              \
        }                                                                                          \
        name(keys, n, cuts);                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                          \
            assert_true(i == 0 || keys[i - 1] <= keys[i]);                                         \
            sum -= keys[i] * keys[i];                                                              \
        }                                                                                          \
        assert_true(sum == 0);                                                                     \
        free(keys);                                                                                \
    }

#if defined(__x86_64__)
CHECK_QUICK(uint32_t, quick_u32)
CHECK_QUICK(uint64_t, quick_u64)

/* Of every length, with all cuts at keys and with none. */
static void sorts_by_vectors(void **state) {
    static const int shapes[] = {0, 1, 2, 50};
    uint64_t seed = 4;
    (void)state;
    if (!has_quick())
        skip();
    for (int s = 0; s < 4; s++)
        for (int cuts = 0; cuts <= 64; cuts += 64) {
            for (int64_t n = 0; n < 700; n++) {
                check_quick_u32(n, shapes[s], cuts, &seed);
                check_quick_u64(n, shapes[s], cuts, &seed);
            }
            check_quick_u32(100003, shapes[s], cuts, &seed);
            check_quick_u64(100003, shapes[s], cuts, &seed);
        }
}
#else
static void sorts_by_vectors(void **state) {
    (void)state;
    skip();
}
#endif

/* ---- by comparison ---- */

static int32_t less_key(GactCtx *ctx, void *env, int64_t a, int64_t b) {
    const int32_t *keys = env;
    (void)ctx;
    return keys[a] < keys[b];
}

static void sorts_by_comparison(void **state) {
    static const int64_t sizes[] = {0, 1, 2, 15, 16, 17, 33, 1000, 4096, 200001};
    uint64_t seed = 3;
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int shape = 0; shape < 3; shape++) {
            int64_t n = sizes[s];
            int32_t *keys = malloc((size_t)n * sizeof *keys + 1);
            int64_t *perm = malloc((size_t)n * sizeof *perm + 1);
            fill(keys, GACT_I32, n, shape, &seed);
            rt_sort_by(&run.main.ctx, less_key, keys, n, perm);
            check_stable(&(Keys){GACT_I32, 4, keys, false}, perm, n);
            free(perm);
            free(keys);
        }
}

static const GactSite site = {.kind = "assert",
                              .text = "key {} cannot be compared",
                              .node = "",
                              .file = -1,
                              .other_file = -1};

static int32_t less_or_fault(GactCtx *ctx, void *env, int64_t a, int64_t b) {
    const int32_t *keys = env;
    if (keys[a] == 77 || keys[b] == 77)
        rt_fault(ctx, &site, (int64_t[]){77}, 1);
    return keys[a] < keys[b];
}

typedef struct {
    int32_t *keys;
    int64_t n, *perm;
} SortEnv;

static void sort_body(GactCtx *ctx, void *env) {
    SortEnv *e = env;
    rt_sort_by(ctx, less_or_fault, e->keys, e->n, e->perm);
}

/* A fault of the comparison leaves nothing behind. */
static void passes_faults_on(void **state) {
    enum { N = 100000 };
    int32_t *keys = calloc(N, sizeof *keys);
    int64_t *perm = calloc(N, sizeof *perm);
    SortEnv env = {keys, N, perm};
    (void)state;
    for (int i = 0; i < N; i++)
        keys[i] = 100 + i * 7919 % 1000;
    assert_int_equal(rt_try_call(&run.main.ctx, sort_body, &env), 0);
    keys[N / 2] = 77;
    assert_int_equal(rt_try_call(&run.main.ctx, sort_body, &env), 1);
    for (int32_t i = 0; i < run.nlists; i++)
        assert_null(run.lists[i].head);
    free(keys);
    free(perm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorts_every_kind), cmocka_unit_test(sorts_big_arrays_on_threads),
        cmocka_unit_test(sorts_by_vectors), cmocka_unit_test(sorts_by_comparison),
        cmocka_unit_test(passes_faults_on),
    };
    return cmocka_run_group_tests(tests, open_run, close_run);
}
