/* How launches are cut in pieces. */
#include "runtime/device/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static DeviceSplit split(DeviceBatch batch) {
    DeviceSplit s;
    batch.grain = batch.grain ? batch.grain : 1;
    assert_int_equal(device_split(&batch, &s, NULL), GACT_OK);
    return s;
}

/* The pieces follow each other without gaps and stay within the memory. */
static void check(DeviceBatch batch) {
    DeviceSplit s = split(batch);
    int64_t next = 0, grain = batch.grain ? batch.grain : 1;
    assert_in_range(s.buffers, 1, 2);
    for (int64_t k = 0; k < s.pieces; k++) {
        DevicePiece p = device_split_piece(&s, k);
        assert_int_equal(p.first, next);
        assert_int_equal(p.first % grain, 0);
        assert_true(p.rows > 0 && p.rows <= s.piece);
        assert_true(p.rows == s.piece || k == s.pieces - 1);
        assert_int_equal(p.stream, k % s.buffers);
        next += p.rows;
    }
    assert_int_equal(next, batch.rows);
    if (s.pieces)
        assert_true(s.piece * s.buffers * batch.row_bytes + batch.whole_bytes <=
                    batch.free_bytes / 100 * 80);
}

static void keeps_what_fits_whole(void **state) {
    (void)state;
    DeviceSplit s = split((DeviceBatch){.rows = 800, .row_bytes = 1000, .free_bytes = 1000000});
    assert_int_equal(s.pieces, 1);
    assert_int_equal(s.piece, 800);
    assert_int_equal(s.buffers, 1);
    s = split((DeviceBatch){.rows = INT64_MAX, .row_bytes = 0, .free_bytes = 100});
    assert_int_equal(s.pieces, 1);
    s = split((DeviceBatch){.rows = 0, .row_bytes = 1 << 20, .free_bytes = 100});
    assert_int_equal(s.pieces, 0);
}

static void cuts_in_equal_pieces(void **state) {
    (void)state;
    DeviceSplit s = split((DeviceBatch){.rows = 801, .row_bytes = 1000, .free_bytes = 1000000});
    assert_int_equal(s.buffers, 2);
    assert_int_equal(s.pieces, 3);
    assert_int_equal(s.piece, 267);
    s = split((DeviceBatch){.rows = 1000001, .row_bytes = 1000, .free_bytes = 1000000});
    assert_int_equal(s.piece, 400);
    assert_int_equal(s.pieces, 2501);
    assert_int_equal(device_split_piece(&s, 2500).rows, 1);
    assert_int_equal(device_split_piece(&s, 2499).stream, 1);
}

static void leaves_room_for_what_is_whole(void **state) {
    (void)state;
    DeviceBatch batch = {
        .rows = 1000, .row_bytes = 1000, .whole_bytes = 600000, .free_bytes = 1000000};
    DeviceSplit s = split(batch);
    assert_int_equal(s.piece, 100);
    assert_int_equal(s.pieces, 10);
}

static void keeps_grains_together(void **state) {
    (void)state;
    DeviceBatch batch = {.rows = 10000, .row_bytes = 100, .grain = 512, .free_bytes = 300000};
    DeviceSplit s = split(batch);
    assert_int_equal(s.piece % 512, 0);
    assert_int_equal(s.buffers, 2);
    assert_int_equal(s.pieces, 10);
    /* One grain at a time, as two do not fit. */
    batch.free_bytes = 100000;
    s = split(batch);
    assert_int_equal(s.buffers, 1);
    assert_int_equal(s.piece, 512);
}

static void says_what_does_not_fit(void **state) {
    GactError error;
    DeviceSplit s;
    (void)state;
    DeviceBatch batch = {.rows = 5, .row_bytes = 801, .grain = 1, .free_bytes = 1000};
    assert_int_equal(device_split(&batch, &s, &error), GACT_FAULTED);
    assert_non_null(strstr(error.text, "a row of 801 bytes"));
    assert_non_null(strstr(error.text, "1000 bytes are free"));
    batch = (DeviceBatch){.rows = 5, .row_bytes = 1, .whole_bytes = 801, .free_bytes = 1000};
    batch.grain = 1;
    assert_int_equal(device_split(&batch, &s, &error), GACT_FAULTED);
    batch = (DeviceBatch){.rows = 500, .row_bytes = 10, .grain = 100, .free_bytes = 1000};
    assert_int_equal(device_split(&batch, &s, &error), GACT_FAULTED);
    assert_non_null(strstr(error.text, "100 rows of 10 bytes"));
}

static void every_size_is_covered(void **state) {
    (void)state;
    for (int64_t rows = 0; rows < 200; rows += 7)
        for (int64_t row_bytes = 0; row_bytes < 80; row_bytes += 3)
            for (int64_t grain = 1; grain < 9; grain += 3)
                for (int64_t whole = 0; whole < 100; whole += 33)
                    check((DeviceBatch){rows, row_bytes, whole, grain, 1000});
    check((DeviceBatch){.rows = INT64_C(1) << 40,
                        .row_bytes = INT64_C(1) << 22,
                        .grain = 1 << 10,
                        .free_bytes = INT64_C(1) << 60});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_fits_whole),         cmocka_unit_test(cuts_in_equal_pieces),
        cmocka_unit_test(leaves_room_for_what_is_whole), cmocka_unit_test(keeps_grains_together),
        cmocka_unit_test(says_what_does_not_fit),        cmocka_unit_test(every_size_is_covered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
