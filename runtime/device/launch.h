/* A launch under way; of launch.c and launch_pieces.c. */
#ifndef GACT_DEVICE_LAUNCH_H
#define GACT_DEVICE_LAUNCH_H

#include "resident.h"

enum { MOST_SCRATCH = 16 };

typedef struct {
    Residence *r;
    Run *run;
    const GactDeviceKernel *kernel;
    const GactSlot *words;
    int64_t from, to;  /* the points that are launched */
    bool is_in_pieces; /* arrays that are cut are not brought whole */
    uint64_t args[DEVICE_ARGS / 8];
    DevicePtr scratch[MOST_SCRATCH];
    int64_t scratch_bytes[MOST_SCRATCH];
    int32_t nscratch;
    DevicePtr report; /* the fault's flag, then the results: the first of scratch */
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

/* ---- launch_pieces.c ---- */

/* Is it an array that is cut in this launch: point p has to do with its element p alone, and it is not on the device? */
bool launch_cuts(const Launch *l, const GactDeviceArg *arg);
/* Do its arrays take more than the device's memory has room for? */
bool launch_is_large(const Launch *l);
/* Does the kernel in pieces, each with the parts of the arrays that it needs, up to what its results wait for.
   DEVICE_NO_MEMORY: it cannot be cut, or not small enough. */
DeviceStatus launch_pieces(Launch *l, DeviceFunc **funcs);

#endif
