/* The code of an image's kernels on a device, compiled as it is wanted. Kernels that follow each other form groups by
   the size of their texts; when one is launched its group is compiled, in several units side by side where the machine
   has the processors and the text is long. Kernels that differ by their names alone share their functions. */
#ifndef GACT_DEVICE_UNITS_H
#define GACT_DEVICE_UNITS_H

#include "device.h"

typedef struct DeviceUnits DeviceUnits;

/* Nothing is compiled yet; NULL: no memory. */
DeviceUnits *units_open(Device *d, const GactImage *image);
void units_close(DeviceUnits *u);
/* The functions of a kernel, phase by phase. What could not be compiled once is not tried again. */
DeviceStatus units_functions(DeviceUnits *u, int32_t kernel, DeviceFunc ***funcs);

/* ---- of units.c, for tests ---- */

/* A kernel's text without its own name and without where it comes from, from malloc; NULL: no memory. */
char *units_plain_text(const char *text, const char *name);

#endif
