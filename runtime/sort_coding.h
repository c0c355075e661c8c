/* How keys become unsigned integers of their width whose order is the total order: -0 before 0, NaN
   last, the reverse when descending. Sorts on the host and on devices share it. */
#ifndef GACT_SORT_CODING_H
#define GACT_SORT_CODING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t mask;     /* of the width */
    uint64_t sign;     /* the sign bit, or 0 */
    uint64_t infinity; /* of a float; 0: an integer */
    uint64_t flip;     /* mask when descending */
    uint64_t below;    /* a float: how many patterns lie before -infinity: NaNs with a sign */
    bool nan_equal;    /* all NaNs get one key; otherwise codes can be decoded */
    int width;         /* bytes */
} SortCoding;

/* Of a scalar kind. */
SortCoding sort_coding(int32_t kind, bool descending, bool nan_equal);

#endif
