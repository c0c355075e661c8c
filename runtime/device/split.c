/* Cutting launches in pieces that fit the device's memory. Products of sizes are never formed where
   they could overflow: sizes are compared by division. */
#include "split.h"

/* n / d, rounded up, for n >= 0 and d > 0. */
static int64_t ceil_div(int64_t n, int64_t d) {
    return n / d + (n % d != 0);
}

/* The bytes that pieces may take together; below zero when not even what is whole fits. */
static int64_t usable_bytes(const DeviceBatch *b) {
    return b->free_bytes / 100 * DEVICE_SPLIT_PERCENT - b->whole_bytes;
}

static GactStatus too_big(const DeviceBatch *b, GactError *error) {
    if (b->grain > 1)
        return error_set(error, GACT_FAULTED,
                         "%lld rows of %lld bytes and %lld bytes beside them do not fit the "
                         "device's memory, of which %lld bytes are free",
                         (long long)b->grain, (long long)b->row_bytes, (long long)b->whole_bytes,
                         (long long)b->free_bytes);
    return error_set(error, GACT_FAULTED,
                     "a row of %lld bytes and %lld bytes beside it do not fit the device's memory, "
                     "of which %lld bytes are free",
                     (long long)b->row_bytes, (long long)b->whole_bytes, (long long)b->free_bytes);
}

GactStatus device_split(const DeviceBatch *b, DeviceSplit *split, GactError *error) {
    assert(b->rows >= 0 && b->row_bytes >= 0 && b->whole_bytes >= 0 && b->grain > 0);
    assert(b->free_bytes >= 0);
    int64_t usable = usable_bytes(b);
    *split = (DeviceSplit){.rows = b->rows, .piece = b->rows, .pieces = b->rows > 0, .buffers = 1};
    if (!b->rows)
        return GACT_OK;
    if (usable < 0)
        return too_big(b, error);
    int64_t fit = b->row_bytes ? usable / b->row_bytes : b->rows;
    if (b->rows <= fit)
        return GACT_OK;
    split->buffers = fit / 2 >= b->grain ? 2 : 1;
    fit = fit / split->buffers / b->grain; /* grains of a piece at most */
    if (!fit)
        return too_big(b, error);
    int64_t grains = ceil_div(b->rows, b->grain);
    int64_t piece = ceil_div(grains, ceil_div(grains, fit));
    split->piece = piece * b->grain;
    split->pieces = ceil_div(grains, piece);
    return GACT_OK;
}

DevicePiece device_split_piece(const DeviceSplit *split, int64_t k) {
    assert(k >= 0 && k < split->pieces);
    int64_t first = k * split->piece, left = split->rows - first;
    return (DevicePiece){first, left < split->piece ? left : split->piece,
                         (int32_t)(k % split->buffers)};
}
