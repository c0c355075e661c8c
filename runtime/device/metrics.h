/* Counters of what is asked of devices and of their memory, and of the host's memory. They belong
   to the process, count always, and may be read at any time. A meter in front of a device counts
   its calls; while a profile or a trace is taken it also measures how long they take there. */
#ifndef GACT_DEVICE_METRICS_H
#define GACT_DEVICE_METRICS_H

#include "cost.h"
#include "pool.h"

typedef enum {
#define METRIC(id, ...) METRIC_##id,
#include "metrics.def"
    METRIC_COUNT
} Metric;

extern _Atomic int64_t metric_counters[METRIC_COUNT];

static inline void metric_add(Metric metric, int64_t n) {
    atomic_fetch_add_explicit(&metric_counters[metric], n, memory_order_relaxed);
}

/* The counts of a pool are those of the process from now on; it is unwatched before it closes. */
void metrics_watch(DevicePool *pool);
void metrics_unwatch(DevicePool *pool);

/* The values at this moment. */
void metrics_read(int64_t values[METRIC_COUNT]);
/* What only grows counts from here on, in the two that follow. */
void metrics_restart(void);
/* A few lines about the device for the profile; none when it was not used. */
void metrics_print(FILE *out);
/* Members of a JSON object, "copies_in": 12, … */
void metrics_print_json(FILE *out);
/* In Prometheus's text format, since the process started. */
void metrics_print_prometheus(FILE *out);

/* ---- meter.c ---- */

/* Puts a meter in front of d's table. It ends with the device. Without memory for it nothing is
   measured. */
void device_meter(Device *d);
/* What is launched on d from now on is this kernel (NULL: none), which is counted as called once,
   with the launch's own estimate of the elements, the bytes moved and the floating-point operations
   of that call (0: not known). */
void device_meter_kernel(Device *d, const GactKernelInfo *info, int64_t work, int64_t bytes,
                         int64_t flops);
/* What is launched until the next call is one call of a kernel over so many points, whose time is told to
   cost (NULL: to nobody) where that is worth it. */
void device_meter_cost(Device *d, CostKernel *cost, int64_t points);
/* Tells machine about copies that are worth it from now on; NULL: nobody. */
void device_meter_moves(Device *d, CostMachine *machine);
/* What was told of before is: nothing is kept of a kernel that is no more. */
void device_meter_settle(Device *d);

#endif
