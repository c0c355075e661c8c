/* Results of launches that stay on the device until the host needs them: a list of the run's, newest last. To be used
   with the residence's lock held. */
#ifndef GACT_DEVICE_LATER_H
#define GACT_DEVICE_LATER_H

#include "resident.h"

/* The host wants n results at `results` once it collects them; they are behind the first word of report, a block of the
   pool, which is the list's from here on. False: no memory, and the block is still the caller's. What was to come to
   that place before is forgotten. */
bool later_add(Residence *r, Run *run, const GactDeviceKernel *kernel, GactSlot *results, DevicePtr report);
/* Where on the device a result is that is to come to `place`; 0: it is there. */
DevicePtr later_find(const Run *run, const void *place);

#endif
