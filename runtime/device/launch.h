/* A launch under way; of launch.c and launch_pieces.c. */
#ifndef GACT_DEVICE_LAUNCH_H
#define GACT_DEVICE_LAUNCH_H

#include "resident.h"

enum { MOST_SCRATCH = 32 };

typedef struct {
    Residence *r;
    Thread *thread;
    Run *run;
    const GactDeviceKernel *kernel;
    const GactSlot *words;
    int64_t from, to;  /* the points that are launched */
    bool is_in_pieces; /* arrays that are cut are not brought whole */
    uint64_t args[DEVICE_ARGS / 8];
    DevicePtr scratch[MOST_SCRATCH];
    int64_t scratch_bytes[MOST_SCRATCH];
    int32_t nscratch;
    DevicePtr report; /* the faults' flags, then the results: the first of scratch */
    GactSlot *results;
    GactBuf *made[DEVICE_ARGS / 8]; /* for the NEW arguments */
    int64_t arena;    /* bytes of a slot of the arena; 0: it has none */
    int64_t room;     /* for the slots of all threads together */
    int64_t *learnt;  /* what a slot needed the last time, or 0 */
    bool is_later;    /* the results have been left to later.h */
    CostKernel *cost; /* NULL: it is not asked what it costs */
} Launch;

/* Bytes of an array that is read or written. */
int64_t launch_bytes(const Launch *l, const GactDeviceArg *arg);
/* Takes scratch memory and brings what the kernel reads. */
DeviceStatus launch_fill_args(Launch *l);
/* Gives back what launch_fill_args took. */
void launch_give_back(Launch *l);
/* Launches points from … to - 1. */
DeviceStatus launch_phases(Launch *l, int32_t stream, DeviceFunc **funcs);

/* ---- launch_arena.c ---- */

/* Slots of the size that they had to have the last time. */
void launch_open_arena(Launch *l);
/* Larger slots, and fewer where all together would take more than half of the memory there is; false: not even
   one block has room for them. */
bool launch_grow_arena(Launch *l);
/* Makes the arrays whose sizes the results tell by now. */
DeviceStatus launch_make_arrays(Launch *l);
/* Is a result the buffer of an array that was made? */
bool launch_has_made(const Launch *l, int32_t result);
/* Drops them, as the launch has not succeeded; without the lock, as their copies go, too. */
void launch_drop_made(Launch *l);

/* ---- launch_pieces.c ---- */

/* Is it an array that is cut in this launch: point p has to do with its element p alone, and it is not on the device? */
bool launch_cuts(const Launch *l, const GactDeviceArg *arg);
/* Do its arrays take more than the device's memory has room for? */
bool launch_is_large(const Launch *l);
/* Does the kernel in pieces, each with the parts of the arrays that it needs, up to what its results wait for.
   DEVICE_NO_MEMORY: it cannot be cut, or not small enough. */
DeviceStatus launch_pieces(Launch *l, DeviceFunc **funcs);

#endif
