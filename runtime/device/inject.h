/* Failing calls, for tests of what happens then. */
#ifndef GACT_INJECT_H
#define GACT_INJECT_H

#include "device.h"

/* Where GACT_DEVICE_FAIL_AT is N, puts a device around *d whose N-th call fails (1: the first), or
   with "N+" that one and all after it, as after a fault of the GPU. An allocation then says that
   there is no memory. Says when it is closed if there were fewer calls. The new device owns the one
   inside. */
DeviceStatus device_inject(Device **d, GactError *error);

#endif
