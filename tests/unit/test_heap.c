/* Buffers: classes, counting, lists by stamp, limits and failing allocations. */
#include "runtime/runtime.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static GactBuf *alloc(int64_t bytes) {
    GactBuf *buf = heap_alloc(&run.main, bytes);
    assert_non_null(buf);
    return buf;
}

static int64_t live_bytes(void) {
    GactMemoryStats stats;
    heap_flush(&run.main.own);
    heap_stats(&stats);
    return stats.live_bytes;
}

static void aligns_every_size(void **state) {
    (void)state;
    for (int64_t bytes = 0; bytes < INT64_C(1) << 26; bytes = bytes * 2 + 3) {
        GactBuf *buf = alloc(bytes);
        assert_int_equal((uintptr_t)buf % 64, 0);
        assert_int_equal(buf->bytes, bytes);
        assert_int_equal(buf->count, 1);
        memset(buf + 1, 0xa5, (size_t)bytes);
        heap_release(&run.main, buf);
    }
    assert_int_equal(live_bytes(), 0);
}

/* What is reserved counts once it is settled. */
static void reserves(void **state) {
    (void)state;
    GactMemoryStats stats;
    GactBuf *buf = heap_reserve(&run.main, 1 << 24);
    assert_non_null(buf);
    assert_int_equal(live_bytes(), 0);
    heap_stats(&stats);
    int64_t peak = stats.peak_bytes;
    memset(buf + 1, 0xa5, 1 << 20);
    heap_settle(&run.main, buf, peak + (1 << 21), 1 << 20);
    assert_int_equal(live_bytes(), 1 << 20);
    assert_int_equal(buf->bytes, 1 << 20);
    heap_stats(&stats);
    assert_int_equal(stats.peak_bytes, peak + (1 << 21));
    heap_release(&run.main, buf);
    assert_int_equal(live_bytes(), 0);
    assert_ptr_equal(heap_reserve(&run.main, 1 << 24), buf); /* the whole block is there again */
    heap_release(&run.main, buf);
}

static void reuses_what_is_released(void **state) {
    (void)state;
    for (int64_t bytes = 100; bytes < 1 << 24; bytes *= 4) {
        GactBuf *first = alloc(bytes);
        heap_release(&run.main, first);
        GactBuf *second = alloc(bytes - bytes / 8);
        assert_ptr_equal(first, second);
        heap_release(&run.main, second);
    }
}

static void counts_references(void **state) {
    GactBuf constant = {.count = -1};
    (void)state;
    GactBuf *buf = alloc(10);
    heap_retain(buf);
    heap_release(&run.main, buf);
    assert_int_equal(buf->count, 1);
    assert_int_equal(live_bytes(), 10);
    heap_release(&run.main, buf);
    assert_int_equal(live_bytes(), 0);
    heap_retain(NULL);
    heap_release(&run.main, NULL);
    heap_retain(&constant);
    heap_release(&run.main, &constant);
    assert_int_equal(constant.count, -1);
}

static void frees_what_is_newer(void **state) {
    GactBuf *bufs[10];
    (void)state;
    for (int i = 0; i < 10; i++) {
        run.main.stamp = i;
        bufs[i] = alloc(1000);
    }
    heap_release(&run.main, bufs[7]);
    heap_release(&run.main, bufs[2]);
    heap_detach(bufs[9]);
    heap_free_since(&run.main, run.main.live, 5);
    assert_int_equal(live_bytes(), 5000); /* 0, 1, 3, 4 and the detached one */
    heap_release(&run.main, bufs[9]);
    run_free_since(&run, 0);
    assert_int_equal(live_bytes(), 0);
    run.main.stamp = 0;
}

static void obeys_the_limit(void **state) {
    (void)state;
    heap_limit(1 << 20);
    assert_null(heap_alloc(&run.main, (1 << 20) + 1));
    GactBuf *buf = alloc(1 << 19);
    heap_flush(&run.main.own);
    assert_null(heap_alloc(&run.main, (1 << 19) + 1));
    heap_release(&run.main, buf);
    heap_flush(&run.main.own);
    heap_release(&run.main, alloc(1 << 20));
    heap_limit(0);
    assert_null(heap_alloc(&run.main, -1));
    assert_null(heap_alloc(&run.main, INT64_MAX));
}

static void fails_the_nth(void **state) {
    (void)state;
    heap_fail_at(3);
    GactBuf *a = alloc(1), *b = alloc(1);
    assert_null(heap_alloc(&run.main, 1));
    GactBuf *c = alloc(1);
    heap_release(&run.main, a);
    heap_release(&run.main, b);
    heap_release(&run.main, c);
}

static void counts_hits(void **state) {
    GactMemoryStats before, after;
    (void)state;
    heap_release(&run.main, alloc(1 << 20));
    heap_flush(&run.main.own);
    heap_stats(&before);
    for (int i = 0; i < 100; i++)
        heap_release(&run.main, alloc(1 << 20));
    heap_flush(&run.main.own);
    heap_stats(&after);
    assert_int_equal(after.hits - before.hits, 100);
    assert_int_equal(after.misses, before.misses);
    assert_true(after.kept_bytes >= 1 << 20);
}

/* Parts make buffers, keep some, release others' and leave the rest to the run. */
enum { SHARED = 64 };
static GactBuf *_Atomic shared[SHARED];

static void churn(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    (void)env;
    for (int64_t i = lo; i < hi; i++) {
        GactBuf *buf = runtime_api.alloc(ctx, NULL, i % 3000);
        memset(buf + 1, (int)i, (size_t)buf->bytes);
        GactBuf *other = atomic_exchange(&shared[i * 7919 % SHARED], buf);
        runtime_api.release(ctx, other);
    }
}

static void moves_between_threads(void **state) {
    (void)state;
    pool_run(&run.main, NULL, churn, NULL, 200000);
    for (int i = 0; i < SHARED; i++)
        shared[i] = NULL;
    run_free_since(&run, 0);
    pool_stop();
    assert_int_equal(live_bytes(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reserves),
        cmocka_unit_test(aligns_every_size), cmocka_unit_test(reuses_what_is_released),
        cmocka_unit_test(counts_references), cmocka_unit_test(frees_what_is_newer),
        cmocka_unit_test(obeys_the_limit),   cmocka_unit_test(fails_the_nth),
        cmocka_unit_test(counts_hits),       cmocka_unit_test(moves_between_threads),
    };
    return cmocka_run_group_tests(tests, open_run, close_run);
}
