/* Matrix products against the plain chain of fma, bit for bit. */
#include "runtime/runtime.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Run run;

static int open_run(void **state) {
    (void)state;
    assert_int_equal(pool_configure(3, false, NULL), GACT_OK);
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

static uint32_t seed = 12345;
static float random_float(void) {
    seed = seed * 1664525 + 1013904223;
    return (float)(int32_t)seed * 0x1p-31f;
}

typedef struct {
    int64_t n, k, m;
} Size;
static const Size sizes[] = {{1, 1, 1},    {3, 2, 5},      {12, 256, 32}, {13, 257, 33},
                             {1, 300, 77}, {77, 300, 1},   {100, 5, 3},   {5, 0, 4},
                             {0, 3, 3},    {65, 600, 129}, {6, 40, 500},  {200, 1, 200},
                             {37, 64, 15}, {150, 520, 7}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void multiplies_f32(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        Size z = sizes[s];
        float *a = malloc((size_t)(z.n * z.k) * 4 + 4), *b = malloc((size_t)(z.k * z.m) * 4 + 4);
        float *c = malloc((size_t)(z.n * z.m) * 4 + 4);
        for (int64_t i = 0; i < z.n * z.k; i++)
            a[i] = random_float();
        for (int64_t i = 0; i < z.k * z.m; i++)
            b[i] = random_float();
        memset(c, 0xff, (size_t)(z.n * z.m) * 4);
        rt_matmul(&run.main.ctx, GACT_F32, a, b, c, z.n, z.k, z.m);
        for (int64_t i = 0; i < z.n; i++)
            for (int64_t j = 0; j < z.m; j++) {
                float sum = 0;
                for (int64_t q = 0; q < z.k; q++)
                    sum = fmaf(a[i * z.k + q], b[q * z.m + j], sum);
                assert_memory_equal(&sum, &c[i * z.m + j], 4);
            }
        free(a), free(b), free(c);
    }
}

static void multiplies_f64(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        Size z = sizes[s];
        double *a = malloc((size_t)(z.n * z.k) * 8 + 8), *b = malloc((size_t)(z.k * z.m) * 8 + 8);
        double *c = malloc((size_t)(z.n * z.m) * 8 + 8);
        for (int64_t i = 0; i < z.n * z.k; i++)
            a[i] = random_float() * 1.1;
        for (int64_t i = 0; i < z.k * z.m; i++)
            b[i] = random_float() / 3.0;
        rt_matmul(&run.main.ctx, GACT_F64, a, b, c, z.n, z.k, z.m);
        for (int64_t i = 0; i < z.n; i++)
            for (int64_t j = 0; j < z.m; j++) {
                double sum = 0;
                for (int64_t q = 0; q < z.k; q++)
                    sum = fma(a[i * z.k + q], b[q * z.m + j], sum);
                assert_memory_equal(&sum, &c[i * z.m + j], 8);
            }
        free(a), free(b), free(c);
    }
}

static void wraps_integers(void **state) {
    static const int32_t kinds[] = {GACT_I8,  GACT_U8,  GACT_I16, GACT_U16,
                                    GACT_I32, GACT_U32, GACT_I64, GACT_U64};
    static const int widths[] = {1, 1, 2, 2, 4, 4, 8, 8};
    (void)state;
    for (int kind = 0; kind < 8; kind++)
        for (int s = 0; s < SIZES; s++) {
            Size z = sizes[s];
            size_t w = (size_t)widths[kind];
            unsigned char *a = malloc((size_t)(z.n * z.k) * w + 8),
                          *b = malloc((size_t)(z.k * z.m) * w + 8);
            unsigned char *c = malloc((size_t)(z.n * z.m) * w + 8);
            for (size_t i = 0; i < (size_t)(z.n * z.k) * w; i++)
                a[i] = (unsigned char)(int)(random_float() * 127);
            for (size_t i = 0; i < (size_t)(z.k * z.m) * w; i++)
                b[i] = (unsigned char)(int)(random_float() * 127);
            rt_matmul(&run.main.ctx, kinds[kind], a, b, c, z.n, z.k, z.m);
            for (int64_t i = 0; i < z.n * z.m; i++) {
                uint64_t sum = 0;
                for (int64_t q = 0; q < z.k; q++) {
                    uint64_t x = 0, y = 0;
                    memcpy(&x, a + (size_t)(i / z.m * z.k + q) * w, w);
                    memcpy(&y, b + (size_t)(q * z.m + i % z.m) * w, w);
                    sum += x * y;
                }
                assert_memory_equal(&sum, c + (size_t)i * w, w);
            }
            free(a), free(b), free(c);
        }
}

/* ---- half floats: a slow reference by counting in units of the last place ---- */

static double round_to(double x, int bits, int least_exponent) {
    int exponent;
    if (x == 0 || !isfinite(x))
        return x;
    frexp(x, &exponent);
    int unit = exponent - bits < least_exponent ? least_exponent : exponent - bits;
    return ldexp(rint(ldexp(x, -unit)), unit);
}

static double half_of(int32_t kind, uint16_t h) {
    if (kind == GACT_BF16) {
        uint32_t u = (uint32_t)h << 16;
        float f;
        memcpy(&f, &u, 4);
        return f;
    }
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double size = exponent == 31  ? (fraction ? NAN : INFINITY)
                  : exponent == 0 ? ldexp(fraction, -24)
                                  : ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -size : size;
}

static double round_half(int32_t kind, double x) {
    double y = kind == GACT_BF16 ? round_to(x, 8, -133) : round_to(x, 11, -24);
    return kind == GACT_F16 && fabs(y) >= 65536 ? copysign(INFINITY, y) : y;
}

static void rounds_halves_at_each_step(void **state) {
    static const int32_t kinds[] = {GACT_F16, GACT_BF16};
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (int s = 0; s < SIZES; s++) {
            Size z = sizes[s];
            uint16_t *a = malloc((size_t)(z.n * z.k) * 2 + 2),
                     *b = malloc((size_t)(z.k * z.m) * 2 + 2);
            uint16_t *c = malloc((size_t)(z.n * z.m) * 2 + 2);
            for (int64_t i = 0; i < z.n * z.k; i++)
                a[i] = (uint16_t)(seed >> 16 & 0xbfff), random_float();
            for (int64_t i = 0; i < z.k * z.m; i++)
                b[i] = (uint16_t)(seed >> 16 & 0xbfff), random_float();
            rt_matmul(&run.main.ctx, kinds[kind], a, b, c, z.n, z.k, z.m);
            for (int64_t i = 0; i < z.n * z.m; i++) {
                double sum = 0;
                for (int64_t q = 0; q < z.k; q++)
                    sum = round_half(kinds[kind],
                                     fmaf((float)half_of(kinds[kind], a[i / z.m * z.k + q]),
                                          (float)half_of(kinds[kind], b[q * z.m + i % z.m]),
                                          (float)sum));
                double got = half_of(kinds[kind], c[i]);
                assert_true(sum == got || (isnan(sum) && isnan(got)));
            }
            free(a), free(b), free(c);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiplies_f32),
        cmocka_unit_test(multiplies_f64),
        cmocka_unit_test(wraps_integers),
        cmocka_unit_test(rounds_halves_at_each_step),
    };
    return cmocka_run_group_tests(tests, open_run, close_run);
}
