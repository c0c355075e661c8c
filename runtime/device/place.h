/* Placement by cost (cost.h) in the runtime: what is known of the kernels of programs and of the library's,
   kept on disk from one process to the next, and what is told to it by launches, the meter and host code. Used under
   the residence's lock where a device was not asked for by name. */
#ifndef GACT_DEVICE_PLACE_H
#define GACT_DEVICE_PLACE_H

#include "cost.h"
#include "device.h"

/* Of a device. */
typedef struct Placement {
    CostMachine machine;
    CostKernel library[3][GACT_DURATION + 1]; /* by GactLibraryOp and kind */
} Placement;

void place_open(Placement *p, const DeviceInfo *info);

/* Shall the device run this call? If not, the host does so next, on t, and is measured. info: what the
   host's code is measured under, and where the profile notes the choice; NULL: a sort or product. */
bool place_wins(Placement *p, Thread *t, CostKernel *k, const GactKernelInfo *info, const CostCall *call);
/* Would a kernel of so many points of no great weight be launched? */
bool place_would_win(const Placement *p, int64_t points);

/* What is known of an image's kernels: an array, with what was kept of it; NULL: no memory. */
CostKernel *place_load(Device *d, const GactImage *image, char name[]);
/* Keeps it where there is something new, under the name that place_load gave. */
void place_keep(const CostKernel *kernels, const GactImage *image, const char *name);

#endif
