/* Launches that come again as one. */
#ifndef GACT_DEVICE_GRAPHS_H
#define GACT_DEVICE_GRAPHS_H

#include "device.h"

/* Puts a layer in front of d's table that replays sequences of launches as graphs; nothing where the device makes none.
   It ends with the device. */
void device_graphs(Device *d);

#endif
