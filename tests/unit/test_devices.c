/* Several devices at once: how they are opened, and that arrays of runs on different ones do not meet. Skipped where
   there is no C++ compiler. */
#include "runtime/device/later.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICES = 3, BYTES = 1 << 16, ROUNDS = 50 };

static void opens_all(void **state) {
    (void)state;
    Device *list[8];
    GactError error = {0};
    assert_int_equal(device_open_all("emu", list, 8, &error), DEVICES);
    for (int k = 0; k < DEVICES; k++) {
        assert_int_equal(list[k]->ordinal, k);
        device_close(list[k]);
    }
    assert_int_equal(device_open_all("emu", list, 2, &error), 2);
    device_close(list[0]);
    device_close(list[1]);
    assert_int_equal(device_open_all("abacus", list, 8, &error), 0);
    assert_non_null(strstr(error.text, "there is no such kind"));
    assert_int_equal(device_open("emu:3", list, &error), DEVICE_FAILED);
    assert_non_null(strstr(error.text, "there are 3"));
}

/* The process's devices: its own comes first. */
static void lists_those_in_use(void **state) {
    (void)state;
    Device *const *list;
    GactError error = {0};
    assert_int_equal(device_use("emu:1", &error), GACT_OK);
    assert_int_equal(runtime_devices(&list), DEVICES);
    assert_ptr_equal(list[0], runtime_device());
    assert_int_equal(list[0]->ordinal + list[1]->ordinal + list[2]->ordinal, 0 + 1 + 2);
    assert_int_equal(list[0]->ordinal, 1);
    assert_int_equal(runtime_devices(&list), DEVICES);
    assert_int_equal(device_use("host", &error), GACT_OK);
    assert_int_equal(runtime_devices(&list), 0);
    device_stop();
}

/* ---- runs side by side ---- */

typedef struct {
    Device *d;
    uint8_t number;
    bool good;
} Side;

/* A buffer and borrowed memory go to the device, are copied from one to the other there, and come back. */
static bool round_trip(Side *side, Run *run, const uint8_t *borrowed) {
    Device *d = side->d;
    GactBuf *buf = heap_alloc(&run->main, BYTES);
    DevicePtr to, from;
    Residence *r = residence_enter(d, NULL);
    bool good = buf && r && !residence_read(r, run, NULL, borrowed, BYTES, &from) &&
                !residence_write(r, buf, buf + 1, BYTES, &to) && !d->table->copy(d, 0, to, from, BYTES);
    if (good)
        residence_written(buf, NULL);
    residence_unpin(r);
    residence_leave(r);
    good = good && residence_is_away(buf);
    rt_to_host(&run->main.ctx, buf, 0, 0);
    for (int k = 0; good && k < BYTES; k++)
        good = ((uint8_t *)(buf + 1))[k] == (uint8_t)(side->number + k);
    heap_release(&run->main, buf);
    return good;
}

static void *work(void *arg) {
    Side *side = arg;
    Run run;
    uint8_t *borrowed = malloc(BYTES);
    side->good = borrowed && run_open(&run, NULL);
    run.main.ctx.device = side->d;
    for (int k = 0; borrowed && k < BYTES; k++)
        borrowed[k] = (uint8_t)(side->number + k);
    for (int k = 0; side->good && k < ROUNDS; k++) {
        side->good = round_trip(side, &run, borrowed);
        residence_end_run(&run);
    }
    run_close(&run);
    free(borrowed);
    return NULL;
}

/* Two threads a device. */
static void runs_side_by_side(void **state) {
    (void)state;
    Device *const *list;
    pthread_t threads[2 * DEVICES];
    Side sides[2 * DEVICES];
    GactError error = {0};
    assert_int_equal(device_use("emu", &error), GACT_OK);
    assert_int_equal(runtime_devices(&list), DEVICES);
    for (int k = 0; k < 2 * DEVICES; k++) {
        sides[k] = (Side){list[k % DEVICES], (uint8_t)(40 * k), false};
        assert_int_equal(pthread_create(&threads[k], NULL, work, &sides[k]), 0);
    }
    for (int k = 0; k < 2 * DEVICES; k++) {
        pthread_join(threads[k], NULL);
        assert_true(sides[k].good);
    }
    residence_close(list[1]);
    residence_stop();
    device_stop();
}

/* An array that is on one device is the host's business before another one takes it. */
static void leaves_others_alone(void **state) {
    (void)state;
    Device *const *list;
    Run run;
    GactError error = {0};
    DevicePtr p;
    assert_int_equal(device_use("emu", &error), GACT_OK);
    assert_int_equal(runtime_devices(&list), DEVICES);
    assert_true(run_open(&run, NULL));
    run.main.ctx.device = list[0];
    GactBuf *buf = heap_alloc(&run.main, 64);
    memset(buf + 1, 7, 64);
    Residence *r = residence_enter(list[0], NULL);
    assert_int_equal(residence_read(r, &run, buf, buf + 1, 64, &p), DEVICE_OK);
    residence_unpin(r);
    residence_leave(r);
    r = residence_enter(list[1], NULL);
    assert_int_equal(residence_read(r, &run, buf, buf + 1, 64, &p), DEVICE_NO_MEMORY);
    residence_leave(r);
    rt_to_host(&run.main.ctx, buf, 1, 0);
    r = residence_enter(list[1], NULL);
    assert_int_equal(residence_read(r, &run, buf, buf + 1, 64, &p), DEVICE_OK);
    residence_unpin(r);
    residence_leave(r);
    heap_release(&run.main, buf);
    run_close(&run);
    residence_stop();
    device_stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_all),
        cmocka_unit_test(lists_those_in_use),
        cmocka_unit_test(runs_side_by_side),
        cmocka_unit_test(leaves_others_alone),
    };
    setenv("GACT_EMU_DEVICES", "3", 1);
    unsetenv("GACT_DEVICE");
    if (!device_emu.count(NULL)) {
        fputs("skipped: no C++ compiler\n", stderr);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
