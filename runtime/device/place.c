#include "place.h"

#include "../../lang/store.h"

#include <stdlib.h>
#include <string.h>

enum { LANES = 64 /* that a multiprocessor has for simple operations, about */ };

void place_open(Placement *p, const DeviceInfo *info) {
    memset(p, 0, sizeof *p);
    CostPriors priors = {.bandwidth = (double)info->bandwidth * 0.7,
                         .rate = (double)info->units * LANES * (double)info->clock * 1e3 * 0.5,
                         .threads = pool_threads()};
    cost_open(&p->machine, &priors);
}

/* ---- the host's side ---- */

/* Notes what the host took for the kernel that was declined last. */
static void settle_declined(Thread *t) {
    if (t->declined.cost)
        cost_ran(t->declined.cost, COST_HOST, t->declined.points, t->declined.ns);
    t->declined.cost = NULL;
}

void place_host_ran(Thread *t, const GactKernelInfo *info, int64_t ns) {
    if (t->declined.cost && t->declined.info == info)
        t->declined.ns += ns;
}

void place_end_run(Thread *t) {
    settle_declined(t);
}

/* ---- the choice ---- */

static void note(const GactKernelInfo *info, const CostGuess *g) {
    KernelStat *stat = profile_kernel(info);
    atomic_fetch_add_explicit(&stat->chosen[g->place], 1, memory_order_relaxed);
    for (int place = 0; place < 2; place++)
        atomic_store_explicit(&stat->estimate[place], (int64_t)(g->run_ns[place] + g->move_ns[place]),
                              memory_order_relaxed);
}

bool place_wins(Placement *p, Thread *t, CostKernel *k, const GactKernelInfo *info, const CostCall *call) {
    CostGuess g;
    settle_declined(t);
    bool wins = cost_choose(&p->machine, k, call, &g) == COST_DEVICE;
    if (profile_on && info)
        note(info, &g);
    if (!wins) {
        t->declined.cost = k;
        t->declined.info = info;
        t->declined.points = call->points;
        t->declined.ns = 0;
    }
    return wins;
}

bool place_would_win(const Placement *p, int64_t points) {
    CostKernel none = {0};
    CostCall call = {.points = points, .bytes = 8 * points, .ops = 8 * points, .launches = 1};
    CostGuess g;
    cost_estimate(&p->machine, &none, &call, &g);
    return g.run_ns[COST_DEVICE] < g.run_ns[COST_HOST];
}

/* ---- from one process to the next ---- */

/* Timings belong to these kernels on this device beside this host. */
static bool name_of(Device *d, const GactImage *image, char name[]) {
    enum { OWN = 3 };
    DeviceInfo info;
    StorePart *parts = malloc((size_t)(image->nkernels + OWN) * sizeof *parts);
    const char *key = d->table->compile_key(d);
    char host[64];
    if (!parts || d->table->info(d, &info)) {
        free(parts);
        return false;
    }
    snprintf(host, sizeof host, "%d threads", pool_threads());
    parts[0] = (StorePart){key, strlen(key)};
    parts[1] = (StorePart){info.name, strlen(info.name)};
    parts[2] = (StorePart){host, strlen(host)};
    for (int64_t k = 0; k < image->nkernels; k++)
        parts[OWN + k] = (StorePart){image->kernels[k]->text, strlen(image->kernels[k]->text)};
    store_name(parts, (int)image->nkernels + OWN, ".cost", name);
    free(parts);
    return true;
}

CostKernel *place_load(Device *d, const GactImage *image, char name[]) {
    CostKernel *kernels = calloc((size_t)image->nkernels + 1, sizeof *kernels);
    Store store;
    char *text;
    size_t len;
    *name = 0;
    if (!kernels || !name_of(d, image, name))
        return kernels;
    store_open(&store);
    if (store_get(&store, name, &text, &len, NULL)) {
        if (!cost_read(text, kernels, image->nkernels))
            store_drop(&store, name);
        free(text);
    }
    return kernels;
}

void place_keep(const CostKernel *kernels, const GactImage *image, const char *name) {
    bool is_new = false;
    char *text = NULL;
    size_t len;
    for (int64_t k = 0; k < image->nkernels; k++)
        is_new |= kernels[k].is_new;
    FILE *out = is_new && *name ? open_memstream(&text, &len) : NULL;
    if (!out)
        return;
    cost_write(out, kernels, image->nkernels);
    if (!fclose(out)) {
        Store store;
        store_open(&store);
        store_put(&store, name, text, len, "");
    }
    free(text);
}
