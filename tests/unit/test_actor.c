/* Leaf modules of the actors' runtime: clocks, queues of messages, timers, messages put aside. */
#include "runtime/actor/actor.h"
#include "runtime/actor/hlc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A small generator of numbers for the properties. */
static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

/* ---- clocks ---- */

enum { NODES = 4, EVENTS = 200000 };

/* Nodes with clocks that jump back and forth send each other stamps: what happened before has the smaller
   stamp, and no clock runs away from the fastest wall clock by more than its counter. */
static void test_hlc_order(void **state) {
    uint64_t seed = 1, clock[NODES] = {0}, wall[NODES] = {1000000, 999000, 1001000, 1000500}, most = 0;
    (void)state;
    for (int k = 0; k < EVENTS; k++) {
        int a = (int)(next_random(&seed) % NODES), b = (int)(next_random(&seed) % NODES);
        wall[a] += next_random(&seed) % 5;
        if (next_random(&seed) % 64 == 0)
            wall[a] -= next_random(&seed) % 1000;
        uint64_t before = clock[a], sent = hlc_tick(clock[a], wall[a]);
        assert_true(sent > before);
        clock[a] = sent;
        uint64_t received = hlc_receive(clock[b], sent, wall[b]);
        assert_true(received > sent && received > clock[b] - (a == b));
        clock[b] = received;
        for (int n = 0; n < NODES; n++)
            most = wall[n] > most ? wall[n] : most;
        assert_true(received >> HLC_COUNTER_BITS <= most + EVENTS / 4096 + 1);
    }
}

static void test_hlc_edges(void **state) {
    (void)state;
    assert_int_equal(hlc_tick(0, 5), 5 << 12);
    assert_int_equal(hlc_tick(5 << 12, 5), (5 << 12) + 1);
    assert_int_equal(hlc_tick((5 << 12) + 4095, 5), 6 << 12);
    assert_int_equal(hlc_receive(7, 9 << 12, 5), (9 << 12) + 1);
    assert_true(hlc_is_ahead(1001 << 12, 500, 500));
    assert_false(hlc_is_ahead(1000 << 12, 500, 500));
}

/* ---- queues ---- */

static void push(Queue *q, GactWorker *face, uint64_t number, int64_t words) {
    int64_t bytes = words * WORD_BYTES;
    if (face->tail + bytes > face->limit)
        assert_true(queue_room(q, face, bytes));
    for (int64_t k = 0; k < words; k++)
        store_word(face->tail + k * WORD_BYTES, k ? number : number << 16 | (uint64_t)words);
    face->tail += bytes;
}

/* Takes the oldest message and checks that it is this one. */
static void pop(Queue *q, GactWorker *face, uint64_t number) {
    if (load_word(face->head) == 0)
        queue_next(q, face);
    uint64_t word = load_word(face->head), words = word & 0xffff;
    assert_int_equal(word >> 16, number);
    for (uint64_t k = 1; k < words; k++)
        assert_int_equal(load_word(face->head + k * WORD_BYTES), number);
    face->head += words * WORD_BYTES;
}

/* Messages of all sizes come out as they went in, over the ends of parts. */
static void test_queue_order(void **state) {
    GactWorker face = {0};
    Queue q = {0};
    uint64_t seed = 7, in = 1, out = 1;
    (void)state;
    assert_true(queue_open(&q, &face));
    for (int round = 0; round < 2000; round++) {
        for (uint64_t n = next_random(&seed) % 200; n > 0; n--)
            push(&q, &face, in++, 1 + (int64_t)(next_random(&seed) % (round % 100 == 0 ? 5000 : 9)));
        for (uint64_t n = next_random(&seed) % 220; n > 0 && out < in; n--)
            pop(&q, &face, out++);
    }
    while (out < in)
        pop(&q, &face, out++);
    assert_ptr_equal(face.head, face.tail);
    queue_close(&q);
}

/* What was pushed last is taken back, however many parts it needed. */
static void test_queue_cut(void **state) {
    GactWorker face = {0};
    Queue q = {0};
    (void)state;
    assert_true(queue_open(&q, &face));
    for (uint64_t n = 1; n <= 3000; n++) {
        push(&q, &face, 2 * n, 3);
        char *from = face.tail;
        for (uint64_t k = 0; k < n % 7 * 400; k++)
            push(&q, &face, 1, 2);
        queue_cut(&q, &face, from);
        assert_ptr_equal(face.tail, from);
        if (n % 2 == 0)
            pop(&q, &face, n);
    }
    queue_close(&q);
}

/* ---- timers ---- */

static void test_timers(void **state) {
    Timers timers = {0};
    uint64_t seed = 3;
    int64_t last_due = 0;
    uint64_t last_order = 0;
    (void)state;
    for (int k = 0; k < 5000; k++)
        assert_true(timers_add(&timers, (Timer){.due = (int64_t)(next_random(&seed) % 100)}));
    for (int k = 0; k < 5000; k++) {
        Timer t = timers_take(&timers);
        assert_true(t.due > last_due || (t.due == last_due && (k == 0 || t.order > last_order)));
        last_due = t.due;
        last_order = t.order;
    }
    assert_int_equal(timers.len, 0);
    free(timers.at);
}

/* ---- messages put aside ---- */

static void count_one(void *arg, char *message) {
    (void)message;
    ++*(int *)arg;
}

static void test_stash(void **state) {
    Stash stash = {0};
    (void)state;
    assert_null(stash_take(&stash, 1));
    for (uint64_t k = 0; k < 3000; k++) {
        uint64_t ref = 1 + k % 300;
        assert_true(stash_put(&stash, ref, (char *)&k, sizeof k));
    }
    for (uint64_t round = 0; round < 9; round++)
        for (uint64_t ref = 1; ref <= 300; ref++) {
            Stashed *kept = stash_take(&stash, ref);
            assert_non_null(kept);
            assert_int_equal(load_word(kept->message), round * 300 + ref - 1);
            assert_true(stash_has(&stash, ref));
            free(kept);
        }
    int left = 0;
    stash_free(&stash, count_one, &left);
    assert_int_equal(left, 300);
    assert_false(stash_has(&stash, 5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hlc_order), cmocka_unit_test(test_hlc_edges),
        cmocka_unit_test(test_queue_order), cmocka_unit_test(test_queue_cut),
        cmocka_unit_test(test_timers), cmocka_unit_test(test_stash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
