/* Sweeps: whatever the bands and the depth, every step sees just the step before it. */
#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 3000 };

static const GactKernelInfo kernel = {.name = "kernel", .ops = "map", .file = -1};
static Run run;

/* A chunk is one cell, made of its neighbours on a ring. */
typedef struct {
    const uint64_t *from;
    uint64_t *to;
    int64_t n, radius;
} Step;

static int open_run(void **state) {
    (void)state;
    assert_int_equal(pool_configure(4, false, NULL), GACT_OK);
    return !run_open(&run, NULL);
}

static int close_run(void **state) {
    (void)state;
    run_close(&run);
    gact_shutdown(NULL);
    return 0;
}

static void step(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Step *s = env;
    (void)ctx;
    for (int64_t i = lo; i < hi; i++) {
        uint64_t sum = 0;
        for (int64_t d = -s->radius; d <= s->radius; d++)
            sum = sum * 31 + s->from[(i + d + s->n * s->radius) % s->n];
        s->to[i] = sum ^ sum >> 29;
    }
}

/* Step by step into `out`, with `spare` as the other half. */
static void step_by_step(const uint64_t *first, uint64_t *out, uint64_t *spare, int64_t n,
                         int64_t radius, int64_t steps) {
    memcpy(out, first, sizeof(uint64_t) * (size_t)n);
    for (int64_t k = 0; k < steps; k++) {
        step(NULL, &(Step){out, spare, n, radius}, 0, n);
        memcpy(out, spare, sizeof(uint64_t) * (size_t)n);
    }
}

static void check(int64_t n, int64_t radius, int64_t steps, int64_t chunk_bytes) {
    static uint64_t first[MOST], odd[MOST], even[MOST], wanted[MOST], spare[MOST];
    for (int64_t i = 0; i < n; i++)
        first[i] = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
    memset(odd, 0, sizeof odd);
    memset(even, 0, sizeof even);
    Step parts[] = {{first, odd, n, radius}, {even, odd, n, radius}, {odd, even, n, radius}};
    void *envs[] = {&parts[0], &parts[1], &parts[2]};
    GactSweep space = {n, steps, radius, chunk_bytes, INT64_C(1) << 32};
    rt_sweep(&run.main.ctx, &kernel, step, envs, &space);
    step_by_step(first, wanted, spare, n, radius, steps);
    assert_memory_equal(steps % 2 ? odd : even, wanted, sizeof(uint64_t) * (size_t)n);
}

static void sees_the_step_before(void **state) {
    static const int64_t sizes[] = {1, 2, 3, 8, 9, 64, 257, 2900};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int64_t radius = 1; radius <= 3; radius++)
            for (int64_t steps = 1; steps <= 40; steps += steps < 4 ? 1 : 9)
                for (int64_t bytes = 64; bytes <= 1 << 20; bytes *= 128)
                    check(sizes[k], radius, steps, bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sees_the_step_before)};
    return cmocka_run_group_tests(tests, open_run, close_run);
}
