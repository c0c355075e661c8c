/* The thread pool: every chunk once, faults of the lowest chunk, nesting, several callers. */
#include "runtime/runtime.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const GactSite site = {
    .kind = "assert", .text = "chunk {} failed", .node = "", .file = -1, .other_file = -1};
static const GactKernelInfo kernel = {.name = "kernel", .ops = "map", .file = -1};
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

static void count_chunks(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    _Atomic int32_t *counts = env;
    assert_true(ctx->serial);
    for (int64_t i = lo; i < hi; i++)
        atomic_fetch_add(&counts[i], 1);
}

static void runs_each_chunk_once(void **state) {
    enum { N = 5000 };
    static _Atomic int32_t counts[N];
    (void)state;
    for (int64_t n = 2; n <= N; n = n * 3 - 1) {
        memset(counts, 0, sizeof counts);
        for (int round = 1; round <= 50; round++)
            pool_run(&run.main, NULL, count_chunks, counts, n);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(counts[i], 50);
    }
    assert_int_equal(run.main.ctx.serial, 0);
}

/* Workers that went to sleep come back. */
static void wakes_sleepers(void **state) {
    static _Atomic int32_t counts[100];
    (void)state;
    memset(counts, 0, sizeof counts);
    for (int round = 0; round < 20; round++) {
        struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        pool_run(&run.main, NULL, count_chunks, counts, 100);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(counts[i], 20);
}

typedef struct {
    int64_t first, step; /* chunks that fault */
} FaultEnv;

static void fault_some(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    FaultEnv *e = env;
    for (int64_t i = lo; i < hi; i++) {
        runtime_api.alloc(ctx, &site, 100);
        if (i >= e->first && (i - e->first) % e->step == 0)
            rt_fault(ctx, &site, &i, 1);
    }
}

static void fault_body(GactCtx *ctx, void *env) {
    rt_parallel(ctx, &kernel, fault_some, env, 1000, 1000000, 100000000);
}

static void reports_the_lowest_chunk(void **state) {
    (void)state;
    for (int64_t first = 0; first < 1000; first += 37) {
        FaultEnv env = {first, 3};
        assert_int_equal(rt_guard(&run.main.ctx, fault_body, &env), 1);
        assert_int_equal(run.faults[run.nfaults - 1].nums[0], first);
    }
    for (int32_t i = 0; i < run.nlists; i++)
        assert_null(run.lists[i].head);
}

static void nest_inner(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    (void)ctx;
    atomic_fetch_add((_Atomic int64_t *)env, hi - lo);
}

static void nest_outer(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; i++)
        rt_parallel(ctx, &kernel, nest_inner, env, 10, INT64_C(1) << 30, INT64_C(1) << 30);
}

static void runs_nested_kernels_serially(void **state) {
    _Atomic int64_t sum = 0;
    (void)state;
    rt_parallel(&run.main.ctx, &kernel, nest_outer, &sum, 100, INT64_C(1) << 30, INT64_C(1) << 30);
    assert_int_equal(sum, 1000);
}

/* A try in a part frees its own buffers and leaves those of other parts alone. */
static void try_inner(GactCtx *ctx, void *env) {
    (void)env;
    GactBuf *buf = runtime_api.alloc(ctx, &site, 5000);
    memset(buf + 1, 1, 5000);
    int64_t zero = 0;
    rt_fault(ctx, &site, &zero, 1);
}

static void try_part(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    GactBuf **kept = env;
    for (int64_t i = lo; i < hi; i++) {
        kept[i] = runtime_api.alloc(ctx, &site, 64);
        memset(kept[i] + 1, (int)i, 64);
        assert_int_equal(rt_try_call(ctx, try_inner, NULL), 1);
    }
}

static void tries_inside_parts(void **state) {
    enum { N = 300 };
    GactBuf *kept[N];
    (void)state;
    pool_run(&run.main, NULL, try_part, kept, N);
    for (int i = 0; i < N; i++) {
        assert_int_equal(((unsigned char *)(kept[i] + 1))[63], i & 255);
        heap_release(&run.main, kept[i]);
    }
    for (int32_t i = 0; i < run.nlists; i++)
        assert_null(run.lists[i].head);
}

static void *other_caller(void *arg) {
    Run own;
    (void)arg;
    static _Atomic int32_t counts[64];
    if (!run_open(&own, NULL))
        return NULL;
    for (int i = 0; i < 300; i++)
        pool_run(&own.main, NULL, nest_inner, counts, 64);
    run_close(&own);
    return NULL;
}

static void serves_several_callers(void **state) {
    pthread_t threads[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, other_caller, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

static void keeps_small_work_on_the_caller(void **state) {
    (void)state;
    assert_false(pool_pays(&run.main, 1000, 8000));
    assert_true(pool_pays(&run.main, 1 << 20, 1 << 22));
    assert_int_equal(pool_configure(1, false, NULL), GACT_OK);
    assert_false(pool_pays(&run.main, 1 << 20, 1 << 22));
    assert_int_equal(pool_configure(-1, false, NULL), GACT_BAD_INPUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_each_chunk_once),
        cmocka_unit_test(wakes_sleepers),
        cmocka_unit_test(reports_the_lowest_chunk),
        cmocka_unit_test(runs_nested_kernels_serially),
        cmocka_unit_test(tries_inside_parts),
        cmocka_unit_test(serves_several_callers),
        cmocka_unit_test(keeps_small_work_on_the_caller),
    };
    return cmocka_run_group_tests(tests, open_run, close_run);
}
