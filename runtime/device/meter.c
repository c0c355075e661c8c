/* A meter in front of a device: it takes the place of the device's table and passes every call on.

   What a call costs on the device is the time between two marks around it. They are read when the
   host waits for the device, or when there are no more marks, so that measuring makes nobody wait
   while it goes on; a wait for one stream is a wait for all meanwhile. They are set while a profile or a
   trace is taken, and around what placement wants to know. */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PENDING = DEVICE_MARKS / 2 };

typedef enum { WORK_IN, WORK_OUT, WORK_WITHIN, WORK_FILL, WORK_KERNEL } WorkKind;

static const struct {
    const char *name;
    Metric count, bytes, ns;
} work_kinds[] = {
    [WORK_IN] = {"copy in", METRIC_COPIES_IN, METRIC_BYTES_IN, METRIC_NS_IN},
    [WORK_OUT] = {"copy out", METRIC_COPIES_OUT, METRIC_BYTES_OUT, METRIC_NS_OUT},
    [WORK_WITHIN] = {"copy", METRIC_COPIES_WITHIN, METRIC_BYTES_WITHIN, METRIC_NS_WITHIN},
    [WORK_FILL] = {"fill", METRIC_FILLS, METRIC_FILL_BYTES, METRIC_FILL_NS},
    [WORK_KERNEL] = {"kernel", METRIC_LAUNCHES, METRIC_COUNT, METRIC_KERNEL_NS},
};

/* A call between two marks. */
typedef struct {
    WorkKind kind;
    int32_t stream;
    int64_t bytes;
    KernelStat *kernel;
    CostKernel *cost; /* that is told of this, or NULL */
    int64_t call, points;
} Work;

typedef struct DeviceMeter {
    DeviceTable table;
    const DeviceTable *real;
    KernelStat *kernel; /* what is launched, or NULL */
    CostKernel *cost;   /* that wants to know, or NULL */
    int64_t call, points;
    CostMachine *machine;
    struct {
        CostKernel *cost; /* NULL: none */
        int64_t call, points, ns;
    } sum; /* of the works of a call so far */
    Work pending[MOST_PENDING];
    int32_t count;
    int64_t host_ns; /* when the first was issued */
} DeviceMeter;

static bool measures(void) {
    return profile_on || trace_on;
}

/* ---- reading the marks ---- */

static void tell_sum(DeviceMeter *m) {
    if (m->sum.cost)
        cost_ran(m->sum.cost, COST_DEVICE, m->sum.points, m->sum.ns);
    m->sum.cost = NULL;
}

static void tell(DeviceMeter *m, const Work *w, int64_t ns) {
    if (m->machine && (w->kind == WORK_IN || w->kind == WORK_OUT))
        cost_moved(m->machine, w->kind == WORK_IN, w->bytes, ns);
    if (!w->cost)
        return;
    if (w->call != m->sum.call)
        tell_sum(m);
    m->sum.ns = ns + (m->sum.cost ? m->sum.ns : 0);
    m->sum.cost = w->cost;
    m->sum.call = w->call;
    m->sum.points = w->points;
}

static void note(DeviceMeter *m, const Work *w, int64_t begin, int64_t ns) {
    tell(m, w, ns);
    if (!measures())
        return;
    metric_add(work_kinds[w->kind].ns, ns);
    if (w->kernel)
        atomic_fetch_add_explicit(&w->kernel->device.ns, ns, memory_order_relaxed);
    if (trace_on)
        trace_device(w->kind == WORK_KERNEL ? "kernel" : "copy",
                     w->kernel ? w->kernel->name : work_kinds[w->kind].name, w->stream,
                     m->host_ns + begin, ns, w->bytes);
}

static void settle(Device *d) {
    DeviceMeter *m = d->meter;
    for (int32_t k = 0; k < m->count; k++) {
        int64_t begin = 0, ns = 0;
        if (!m->real->between(d, 0, 2 * k, &begin) && !m->real->between(d, 2 * k, 2 * k + 1, &ns))
            note(m, &m->pending[k], begin, ns);
    }
    m->count = 0;
    if (!m->cost)
        tell_sum(m);
}

/* Does placement want to know how long this takes? */
static bool is_wanted(const DeviceMeter *m, WorkKind kind, int64_t bytes) {
    if (kind == WORK_KERNEL)
        return m->cost != NULL;
    return m->machine && (kind == WORK_IN || kind == WORK_OUT) &&
           cost_wants_move(m->machine, kind == WORK_IN, bytes);
}

/* Sets the mark before a call on a stream; -1 when it is not measured. */
static int32_t begin_work(Device *d, WorkKind kind, int32_t stream, int64_t bytes) {
    DeviceMeter *m = d->meter;
    if (!measures() && !is_wanted(m, kind, bytes))
        return -1;
    if (m->count == MOST_PENDING)
        settle(d);
    if (!m->count)
        m->host_ns = clock_ns();
    return m->real->mark(d, stream, 2 * m->count) ? -1 : m->count;
}

/* Counts a call, and sets the mark behind it. */
static DeviceStatus end_work(Device *d, int32_t at, Work work, DeviceStatus status) {
    DeviceMeter *m = d->meter;
    if (status)
        return status;
    metric_add(work_kinds[work.kind].count, 1);
    if (work.bytes)
        metric_add(work_kinds[work.kind].bytes, work.bytes);
    if (at >= 0 && !m->real->mark(d, work.stream, 2 * at + 1)) {
        m->pending[at] = work;
        m->count = at + 1;
    }
    return DEVICE_OK;
}

/* ---- the calls ---- */

static DeviceStatus meter_copy_in(Device *d, int32_t stream, DevicePtr to, const void *from,
                                  int64_t bytes) {
    int32_t at = begin_work(d, WORK_IN, stream, bytes);
    return end_work(d, at, (Work){.kind = WORK_IN, .stream = stream, .bytes = bytes},
                    d->meter->real->copy_in(d, stream, to, from, bytes));
}

static DeviceStatus meter_copy_out(Device *d, int32_t stream, void *to, DevicePtr from,
                                   int64_t bytes) {
    int32_t at = begin_work(d, WORK_OUT, stream, bytes);
    return end_work(d, at, (Work){.kind = WORK_OUT, .stream = stream, .bytes = bytes},
                    d->meter->real->copy_out(d, stream, to, from, bytes));
}

static DeviceStatus meter_copy(Device *d, int32_t stream, DevicePtr to, DevicePtr from,
                               int64_t bytes) {
    int32_t at = begin_work(d, WORK_WITHIN, stream, bytes);
    return end_work(d, at, (Work){.kind = WORK_WITHIN, .stream = stream, .bytes = bytes},
                    d->meter->real->copy(d, stream, to, from, bytes));
}

static DeviceStatus meter_fill(Device *d, int32_t stream, DevicePtr to, uint8_t byte,
                               int64_t bytes) {
    int32_t at = begin_work(d, WORK_FILL, stream, bytes);
    return end_work(d, at, (Work){.kind = WORK_FILL, .stream = stream, .bytes = bytes},
                    d->meter->real->fill(d, stream, to, byte, bytes));
}

static DeviceStatus meter_launch(Device *d, int32_t stream, DeviceFunc *f, const DeviceGrid *grid,
                                 const void *args, size_t bytes) {
    const DeviceMeter *m = d->meter;
    int32_t at = begin_work(d, WORK_KERNEL, stream, 0);
    Work work = {.kind = WORK_KERNEL, .stream = stream, .kernel = m->kernel, .cost = m->cost,
                 .call = m->call, .points = m->points};
    return end_work(d, at, work, m->real->launch(d, stream, f, grid, args, bytes));
}

static DeviceStatus meter_sync(Device *d, int32_t stream) {
    int64_t begin = measures() ? clock_ns() : 0;
    DeviceStatus status = d->meter->real->sync(d, stream);
    metric_add(METRIC_WAITS, 1);
    if (begin)
        metric_add(METRIC_WAIT_NS, clock_ns() - begin);
    if (!status)
        settle(d);
    return status;
}

static void meter_close(Device *d) {
    DeviceMeter *m = d->meter;
    settle(d);
    d->table = m->real;
    d->meter = NULL;
    free(m);
    d->table->close(d);
}

void device_meter(Device *d) {
    DeviceMeter *m = calloc(1, sizeof *m);
    if (!m)
        return;
    m->real = d->table;
    m->table = *d->table;
    m->table.copy_in = meter_copy_in;
    m->table.copy_out = meter_copy_out;
    m->table.copy = meter_copy;
    m->table.fill = meter_fill;
    m->table.launch = meter_launch;
    m->table.sync = meter_sync;
    m->table.close = meter_close;
    d->meter = m;
    d->table = &m->table;
}

void device_meter_kernel(Device *d, const GactKernelInfo *info, int64_t work, int64_t bytes,
                         int64_t flops) {
    if (!d->meter)
        return;
    KernelStat *stat = info && measures() ? profile_kernel(info) : NULL;
    d->meter->kernel = stat;
    if (stat)
        side_count(&stat->device, 0, work, bytes, flops);
}

void device_meter_cost(Device *d, CostKernel *cost, int64_t points) {
    DeviceMeter *m = d->meter;
    if (!m)
        return;
    m->cost = cost && cost_wants(cost, points) ? cost : NULL;
    m->points = points;
    m->call++;
}

void device_meter_moves(Device *d, CostMachine *machine) {
    if (!d->meter)
        return;
    settle(d);
    d->meter->machine = machine;
}

void device_meter_settle(Device *d) {
    if (d->meter)
        settle(d);
}
