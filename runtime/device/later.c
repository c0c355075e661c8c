#include "later.h"

#include <stdlib.h>

typedef struct RunLater {
    Residence *r;
    GactSlot *results;
    DevicePtr report; /* the fault's flag, then the results */
    const GactDeviceKernel *kernel;
} RunLater;

static int64_t report_bytes(const GactDeviceKernel *kernel) {
    return 8 * (1 + (int64_t)kernel->nresults);
}

static void drop(Run *run, int32_t k) {
    device_pool_free(run->later[k].r->pool, NULL, run->later[k].report, report_bytes(run->later[k].kernel));
    run->nlater--;
    for (; k < run->nlater; k++)
        run->later[k] = run->later[k + 1];
}

static void drop_at(Run *run, const GactSlot *results) {
    for (int32_t k = run->nlater - 1; k >= 0; k--)
        if (run->later[k].results == results)
            drop(run, k);
}

bool later_add(Residence *r, Run *run, const GactDeviceKernel *kernel, GactSlot *results, DevicePtr report) {
    drop_at(run, results);
    if (run->nlater % 16 == 0) {
        RunLater *more = realloc(run->later, (size_t)(run->nlater + 16) * sizeof *more);
        if (!more)
            return false;
        run->later = more;
    }
    run->later[run->nlater++] = (RunLater){r, results, report, kernel};
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

/* That of the results that are to come, which all belong to the device of the run. */
static Residence *enter(const Run *run) {
    return residence_enter(run->later[0].r->d, NULL);
}

static void collect(GactCtx *ctx, Run *run) {
    char text[DEVICE_ERROR] = "";
    const GactSite *site = run->later[0].kernel->site;
    Residence *r = enter(run);
    DeviceStatus status = bring_results(r, run);
    if (status)
        snprintf(text, sizeof text, "%s", r->d->error);
    while (run->nlater)
        drop(run, run->nlater - 1);
    residence_leave(r);
    if (status)
        fault_raise(ctx, site, "device", "the device failed: %s", text);
}

/* Runs of the host ask often, and have nothing to wait for. */
void rt_collect(GactCtx *ctx) {
    Run *run = thread_of(ctx)->run;
    if (run->nlater)
        collect(ctx, run);
}

void rt_forget(GactCtx *ctx, GactSlot *results) {
    Run *run = thread_of(ctx)->run;
    if (!run->nlater)
        return;
    Residence *r = enter(run);
    drop_at(run, results);
    residence_leave(r);
}

void launch_forget_since(Run *run, int32_t left) {
    if (run->nlater <= left)
        return;
    Residence *r = enter(run);
    while (run->nlater > left)
        drop(run, run->nlater - 1);
    residence_leave(r);
}
