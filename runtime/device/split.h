/* How a launch whose arrays do not fit the device's memory together is cut in pieces along their
   leading axis. Pieces follow each other on two streams that alternate, each with memory of its
   own, so that one piece is copied while the other runs; piece k takes the place of piece k - 2,
   after it on the same stream. What a kernel computes for a row must not depend on other rows, or
   only on those of the same grain. Pure arithmetic: what it decides depends on its arguments alone.
 */
#ifndef GACT_DEVICE_SPLIT_H
#define GACT_DEVICE_SPLIT_H

#include "device.h"

/* Of the free bytes, those that a launch may take. */
enum { DEVICE_SPLIT_PERCENT = 80 };

typedef struct {
    int64_t rows;
    int64_t row_bytes;   /* of one row of all the arrays that are cut, read and written */
    int64_t whole_bytes; /* of what every piece needs whole */
    int64_t grain;       /* pieces begin at a multiple of so many rows; at least 1 */
    int64_t free_bytes;  /* device_pool_available */
} DeviceBatch;

typedef struct {
    int64_t rows, piece; /* of all, and of every piece but the last, which may have fewer */
    int64_t pieces;      /* 0 when there are no rows */
    int32_t buffers;     /* pieces in memory at a time: 2, or 1 for one piece or scarce memory */
} DeviceSplit;

typedef struct {
    int64_t first, rows;
    int32_t stream; /* and the number of its buffer */
} DevicePiece;

/* Pieces as few and as equal as can be. GACT_FAULTED and a text where not even one grain fits. */
GactStatus device_split(const DeviceBatch *batch, DeviceSplit *split, GactError *error);
DevicePiece device_split_piece(const DeviceSplit *split, int64_t k);

#endif
