/* Hybrid logical clocks: 52 bits of microseconds since 1970 above 12 bits of a counter, so the order of
   the numbers extends what happened before what. Nothing here reads a clock. */
#ifndef GACT_HLC_H
#define GACT_HLC_H

#include <stdbool.h>
#include <stdint.h>

enum { HLC_COUNTER_BITS = 12 };

/* The stamp of the next event of a node whose last was `last`, at wall time now_us. */
static inline uint64_t hlc_tick(uint64_t last, uint64_t now_us) {
    uint64_t wall = now_us << HLC_COUNTER_BITS;
    return wall > last ? wall : last + 1;
}

/* The stamp of taking a message that was stamped `remote`. */
static inline uint64_t hlc_receive(uint64_t last, uint64_t remote, uint64_t now_us) {
    return hlc_tick(remote > last ? remote : last, now_us);
}

/* Is a stamp further ahead of wall time than clocks may differ? */
static inline bool hlc_is_ahead(uint64_t remote, uint64_t now_us, uint64_t bound_us) {
    return remote >> HLC_COUNTER_BITS > now_us + bound_us;
}

#endif
