/* Where a kernel is put: by estimates, by measurements, with what must move, and without going to and fro. Times
   are those of a made-up machine: nothing here is measured. */
#include "runtime/device/cost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static CostMachine machine(void) {
    CostMachine m;
    cost_open(&m, &(CostPriors){.bandwidth = 2e12, .rate = 1e13, .threads = 8});
    return m;
}

/* A call of n points of so many operations whose arrays lie on the host. */
static CostCall call_of(int64_t n, int64_t ops) {
    return (CostCall){.points = n, .bytes = 8 * n, .ops = ops * n, .in_bytes = 4 * n, .out_bytes = 4 * n,
                      .launches = 1};
}

static CostPlace choose(CostMachine *m, CostKernel *k, CostCall call) {
    CostGuess g;
    return cost_choose(m, k, &call, &g);
}

/* A kernel that was measured at n points: nanoseconds of a call in each place. */
static CostKernel measured(int64_t n, int64_t host_ns, int64_t device_ns) {
    CostKernel k = {0};
    cost_ran(&k, COST_HOST, n, host_ns);
    cost_ran(&k, COST_DEVICE, n, device_ns);
    return k;
}

static void test_estimates(void **state) {
    (void)state;
    CostMachine m = machine();
    CostKernel small = {0}, light = {0}, heavy = {0}, resident = {0};
    assert_int_equal(choose(&m, &small, call_of(1000, 100)), COST_HOST);
    m.tried = 1e18; /* no trials */
    assert_int_equal(choose(&m, &light, call_of(1 << 24, 1)), COST_HOST);
    assert_int_equal(choose(&m, &heavy, call_of(1 << 24, 1000)), COST_DEVICE);
    CostCall there = call_of(1 << 24, 1);
    there.in_bytes = 0;
    there.away_bytes = (int64_t)1 << 26;
    assert_int_equal(choose(&m, &resident, there), COST_DEVICE);
}

static void test_measurements_win(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    CostMachine m = machine();
    CostKernel slow_there = measured(N, 1000000, 50000000), slow_here = measured(N, 90000000, 100000);
    assert_int_equal(choose(&m, &slow_there, call_of(N, 1000)), COST_HOST);
    assert_int_equal(choose(&m, &slow_here, call_of(N, 1)), COST_DEVICE);
}

/* What was measured at one size is scaled to others. */
static void test_other_sizes(void **state) {
    (void)state;
    CostMachine m = machine();
    CostKernel k = measured(1 << 20, 1000000, 10000);
    CostCall call = call_of(1 << 24, 1);
    CostGuess g;
    cost_estimate(&m, &k, &call, &g);
    assert_true(g.run_ns[COST_HOST] > 15.9e6 && g.run_ns[COST_HOST] < 16.1e6);
    assert_false(g.is_measured[COST_HOST]);
    call = call_of(1 << 20, 1);
    cost_estimate(&m, &k, &call, &g);
    assert_true(g.is_measured[COST_HOST] && g.is_measured[COST_DEVICE]);
}

/* Two places that are alike, a little better in turns: nothing moves. */
static void test_hysteresis(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    CostMachine m = machine();
    CostCall call = call_of(N, 1);
    call.in_bytes = call.out_bytes = 0;
    call.launches = 0;
    CostKernel k = measured(N, 1000000, 1000000);
    CostPlace first = choose(&m, &k, call);
    for (int i = 0; i < 100; i++) {
        for (int place = 0; place < 2; place++)
            k.sides[place].point_ns[10] = (i + place) % 2 ? 1.0 : 1.1;
        call.in_bytes = call.away_bytes = N;
        assert_int_equal(choose(&m, &k, call), first);
    }
}

/* A kernel that is better on the device by less than moving costs moves once it has lost as much. */
static void test_regret(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    CostMachine m = machine();
    CostCall call = call_of(N, 1);
    call.out_bytes = 0; /* moving costs about half a millisecond */
    CostKernel k = measured(N, 200000, 80000);
    int stays = 0;
    while (choose(&m, &k, call) == COST_HOST && stays < 100)
        stays++;
    assert_in_range(stays, 2, 10);
    call.in_bytes = 0;
    for (int i = 0; i < 10; i++)
        assert_int_equal(choose(&m, &k, call), COST_DEVICE);
}

/* Trials are few and short beside the rest. */
static void test_trials(void **state) {
    (void)state;
    CostMachine m = machine();
    double tried = 0, all = 0;
    for (int i = 0; i < 400; i++) {
        CostKernel k = {0};
        CostCall call = call_of((int64_t)1 << (10 + i % 12), 1 + i % 50);
        CostGuess g;
        for (int j = 0; j < 20; j++) {
            CostPlace place = cost_choose(&m, &k, &call, &g);
            double ns = g.run_ns[place] + g.move_ns[place];
            tried += g.is_trial ? ns : 0;
            all += ns;
            cost_ran(&k, place, call.points, (int64_t)ns);
        }
    }
    assert_true(tried > 0);
    assert_true(tried < 2e6 + 0.05 * all);
}

/* A place that is tried is left again where it turns out to be worse, and is not tried again. */
static void test_trial_fails(void **state) {
    (void)state;
    CostMachine m = machine();
    CostKernel k = {0};
    CostCall call = call_of(1 << 18, 40);
    int there = 0;
    for (int i = 0; i < 50; i++) {
        CostPlace place = choose(&m, &k, call);
        there += place == COST_DEVICE;
        cost_ran(&k, place, call.points, place == COST_HOST ? 300000 : 9000000);
    }
    assert_in_range(there, 0, 1);
    assert_int_equal(choose(&m, &k, call), COST_HOST);
}

/* Results that the host never reads back cost no copy. */
static void test_returned(void **state) {
    (void)state;
    CostMachine m = machine();
    CostKernel k = {.written = 1000, .returned = 0};
    CostCall call = call_of(1 << 20, 1);
    call.in_bytes = 0;
    CostGuess g;
    cost_estimate(&m, &k, &call, &g);
    assert_true(g.move_ns[COST_DEVICE] == 0);
    k.returned = 5000;
    cost_estimate(&m, &k, &call, &g);
    assert_true(g.move_ns[COST_DEVICE] > 4e5);
}

static void test_machine(void **state) {
    (void)state;
    CostMachine m = machine();
    for (int i = 0; i < 50; i++) {
        cost_moved(&m, true, 1 << 20, 1 << 19);
        cost_moved(&m, false, 100, 1 << 30); /* too little to tell */
        cost_issued(&m, 2, 20000);
    }
    assert_true(m.in_ns > 0.49 && m.in_ns < 0.51);
    assert_true(m.out_ns > 0.1 && m.out_ns < 0.15);
    assert_true(m.launch_ns > 9000 && m.launch_ns < 11000);
}

/* ---- as text ---- */

static void test_text(void **state) {
    (void)state;
    CostKernel from[3] = {0}, to[3] = {0};
    cost_ran(&from[0], COST_HOST, 100, 5000);
    cost_ran(&from[2], COST_DEVICE, 1 << 20, 123456);
    cost_ran(&from[2], COST_DEVICE, 1, 7);
    assert_true(from[2].is_new);
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    cost_write(out, from, 3);
    fclose(out);
    assert_true(cost_read(text, to, 3));
    for (int k = 0; k < 3; k++)
        for (int place = 0; place < 2; place++)
            for (int c = 0; c < COST_CLASSES; c++) {
                double x = from[k].sides[place].point_ns[c], y = to[k].sides[place].point_ns[c];
                assert_int_equal(from[k].sides[place].count[c], to[k].sides[place].count[c]);
                assert_true(x == y || (y / x > 0.9999 && y / x < 1.0001));
            }
    assert_false(cost_read(text, to, 2)); /* another image's */
    free(text);
}

static void test_bad_text(void **state) {
    static const char *const bad[] = {
        "", "gact placement 0\n", "gact placement 1\nx", "gact placement 1\n0 2 0 1 5\n",
        "gact placement 1\n0 0 20 1 5\n", "gact placement 1\n0 0 0 0 5\n", "gact placement 1\n0 0 0 1 -5\n",
        "gact placement 1\n0 0 0 1 nan\n", "gact placement 1\n0 0 0 1"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CostKernel k = measured(100, 5, 6), same = k;
        assert_false(cost_read(bad[i], &k, 1));
        assert_memory_equal(&k, &same, sizeof k);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_estimates),   cmocka_unit_test(test_measurements_win),
        cmocka_unit_test(test_other_sizes), cmocka_unit_test(test_hysteresis),
        cmocka_unit_test(test_regret),      cmocka_unit_test(test_trials),
        cmocka_unit_test(test_trial_fails), cmocka_unit_test(test_returned),
        cmocka_unit_test(test_machine),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_bad_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
