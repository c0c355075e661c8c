/* The least time that passes over memory take on this machine: the loops of stream.gact that move
   the same bytes and compute as little as they can, for stream.sh. Prints `took` and the time for
   each repetition of the pass that the first argument names. */
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

static float *filled(long n, long k) {
    float *x = aligned_alloc(4096, (size_t)n * sizeof *x);
    if (!x)
        exit(2);
#pragma omp parallel for
    for (long i = 0; i < n; i++)
        x[i] = (float)(i % k) * 0.001f;
    return x;
}

/* From one array into another. */
static float copy(float *restrict x, float *restrict y, long n) {
#pragma omp parallel for simd schedule(dynamic, 1 << 18)
    for (long i = 0; i < n; i++)
        y[i] = x[i];
    return y[n / 2];
}

/* The same with stores that go round the caches. */
static float stream(float *restrict x, float *restrict y, long n) {
#pragma omp parallel for schedule(dynamic, 1 << 16)
    for (long i = 0; i < n / 4; i++)
        _mm_stream_ps(y + 4 * i, _mm_load_ps(x + 4 * i));
    return y[n / 2];
}

/* In place: what stays in the caches need not be fetched again. */
static float scale(float *restrict x, float *restrict y, long n) {
    (void)y;
#pragma omp parallel for simd schedule(dynamic, 1 << 18)
    for (long i = 0; i < n; i++)
        x[i] *= 0.999f;
    return x[n / 2];
}

static float sum(float *restrict x, float *restrict y, long n) {
    float s = 0;
    (void)y;
#pragma omp parallel for simd reduction(+ : s) schedule(dynamic, 1 << 18)
    for (long i = 0; i < n; i++)
        s += x[i];
    return s;
}

static float dot(float *restrict x, float *restrict y, long n) {
    float s = 0;
#pragma omp parallel for simd reduction(+ : s) schedule(dynamic, 1 << 18)
    for (long i = 0; i < n; i++)
        s += x[i] * y[i];
    return s;
}

typedef struct {
    const char *name;
    float (*run)(float *restrict x, float *restrict y, long n);
} Pass;

static const Pass passes[] = {
    {"copy", copy}, {"stream", stream}, {"scale", scale}, {"sum", sum}, {"dot", dot},
};

int main(int argc, char **argv) {
    const Pass *pass = NULL;
    for (size_t k = 0; argc == 4 && k < sizeof passes / sizeof *passes; k++)
        if (!strcmp(passes[k].name, argv[1]))
            pass = &passes[k];
    if (!pass) {
        fprintf(stderr, "usage: floor copy|stream|scale|sum|dot COUNT REPETITIONS\n");
        return 2;
    }
    long n = atol(argv[2]);
    float *x = filled(n, 1000), *y = filled(n, 997), kept = 0;
    for (int k = atoi(argv[3]); k > 0; k--) {
        double start = now_ms();
        kept += pass->run(x, y, n);
        printf("took %.3fms\n", now_ms() - start);
    }
    return kept == -1; /* so that nothing is left out */
}
