#include "later.h"

#include <stdlib.h>

typedef struct RunLater {
    GactSlot *results;
    DevicePtr report; /* the fault's flag, then the results */
    const GactDeviceKernel *kernel;
} RunLater;

static int64_t report_bytes(const GactDeviceKernel *kernel) {
    return 8 * (1 + (int64_t)kernel->nresults);
}

static void drop(Residence *r, Run *run, int32_t k) {
    device_pool_free(r->pool, NULL, run->later[k].report, report_bytes(run->later[k].kernel));
    run->nlater--;
    for (; k < run->nlater; k++)
        run->later[k] = run->later[k + 1];
}

static void drop_at(Residence *r, Run *run, const GactSlot *results) {
    for (int32_t k = run->nlater - 1; k >= 0; k--)
        if (run->later[k].results == results)
            drop(r, run, k);
}

bool later_add(Residence *r, Run *run, const GactDeviceKernel *kernel, GactSlot *results, DevicePtr report) {
    drop_at(r, run, results);
    if (run->nlater % 16 == 0) {
        RunLater *more = realloc(run->later, (size_t)(run->nlater + 16) * sizeof *more);
        if (!more)
            return false;
        run->later = more;
    }
    run->later[run->nlater++] = (RunLater){results, report, kernel};
    return true;
}

DevicePtr later_find(const Run *run, const void *place) {
    for (int32_t k = 0; k < run->nlater; k++) {
        const RunLater *l = &run->later[k];
        int64_t at = (const GactSlot *)place - l->results;
        if (at >= 0 && at < l->kernel->nresults)
            return l->report + 8 * (DevicePtr)(1 + at);
    }
    return 0;
}

/* One wait for all. */
static DeviceStatus bring_results(Residence *r, const Run *run) {
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 0; k < run->nlater && !status; k++) {
        const RunLater *l = &run->later[k];
        status = r->d->table->copy_out(r->d, 0, l->results, l->report + 8, 8 * (int64_t)l->kernel->nresults);
    }
    DeviceStatus waited = r->d->table->sync(r->d, 0);
    return status ? status : waited;
}

void rt_collect(GactCtx *ctx) {
    Run *run = thread_of(ctx)->run;
    char text[DEVICE_ERROR] = "";
    if (!run->nlater)
        return;
    const GactSite *site = run->later[0].kernel->site;
    residence_lock();
    Residence *r = residence_take(NULL);
    DeviceStatus status = bring_results(r, run);
    if (status)
        snprintf(text, sizeof text, "%s", r->d->error);
    while (run->nlater)
        drop(r, run, run->nlater - 1);
    residence_unlock();
    if (status)
        fault_raise(ctx, site, "device", "the device failed: %s", text);
}

void rt_forget(GactCtx *ctx, GactSlot *results) {
    Run *run = thread_of(ctx)->run;
    if (!run->nlater)
        return;
    residence_lock();
    drop_at(residence_take(NULL), run, results);
    residence_unlock();
}

void launch_forget_since(Run *run, int32_t left) {
    if (run->nlater <= left)
        return;
    residence_lock();
    while (run->nlater > left)
        drop(residence_take(NULL), run, run->nlater - 1);
    residence_unlock();
}
