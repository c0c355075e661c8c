/* Ranges for NVIDIA's profilers, where their library is: what runs between a push and its pop has that name in their time
   lines. */
#ifndef GACT_DEVICE_NVTX_H
#define GACT_DEVICE_NVTX_H

void nvtx_push(const char *name);
void nvtx_pop(void);

#endif
