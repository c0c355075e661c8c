#include "cost.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FEW_MEASURED = 4, SELDOM = 32, MOVE_BYTES = 1 << 16 /* less tells nothing of bandwidth */ };

static const double keep_below = 0.75; /* of what staying costs: then a kernel moves */
static const double trial_share = 0.05, first_trials_ns = 2e6;
static const double trial_worst = 4; /* times the known place's estimate */

/* A new measurement in a mean; what is faster counts more, as delays come from elsewhere. */
static double blend(double old, double x) {
    return old + (x - old) * (x < old ? 0.5 : 0.2);
}

/* ---- sizes ---- */

static int32_t class_of(int64_t points) {
    int32_t k = 0;
    for (; points >= 4 && k < COST_CLASSES - 1; points /= 4)
        k++;
    return k;
}

/* The class that was measured and is nearest to `at`, the larger of two; -1: none. */
static int32_t nearest(const CostSide *s, int32_t at) {
    for (int32_t by = 0; by < COST_CLASSES; by++) {
        if (at + by < COST_CLASSES && s->count[at + by])
            return at + by;
        if (at - by >= 0 && s->count[at - by])
            return at - by;
    }
    return -1;
}

/* ---- estimates ---- */

static double larger(double a, double b) {
    return a > b ? a : b;
}

void cost_open(CostMachine *m, const CostPriors *p) {
    double threads = p->threads > 0 ? p->threads : 1;
    *m = (CostMachine){.launch_ns = 4000,
                       .wait_ns = 8000,
                       .byte_ns = {0.1 / (threads < 4 ? threads : 4), 1e9 / p->bandwidth},
                       .op_ns = {0.5 / threads, 1e9 / p->rate},
                       .in_ns = 0.125,
                       .out_ns = 0.125,
                       .threads = p->threads};
}

static double run_ns(const CostMachine *m, const CostKernel *k, const CostCall *call, CostPlace place,
                     bool *is_measured) {
    const CostSide *side = &k->sides[place];
    int32_t at = class_of(call->points), known = nearest(side, at);
    *is_measured = known == at;
    if (known >= 0)
        return side->point_ns[known] * (double)call->points;
    double memory = m->byte_ns[place] * (double)call->bytes, ops = m->op_ns[place] * (double)call->ops;
    return larger(memory, ops);
}

/* How much of what the kernel writes the host reads later; half, as long as nothing is known. */
static double returned_share(const CostKernel *k) {
    if (k->written <= 0)
        return 0.5;
    return k->returned < k->written ? (double)k->returned / (double)k->written : 1;
}

void cost_estimate(const CostMachine *m, const CostKernel *k, const CostCall *call, CostGuess *g) {
    *g = (CostGuess){0};
    g->run_ns[COST_HOST] = run_ns(m, k, call, COST_HOST, &g->is_measured[COST_HOST]);
    g->run_ns[COST_DEVICE] = run_ns(m, k, call, COST_DEVICE, &g->is_measured[COST_DEVICE]) +
                             m->launch_ns * call->launches + m->wait_ns * call->waits;
    g->move_ns[COST_HOST] = m->out_ns * (double)call->away_bytes;
    g->move_ns[COST_DEVICE] = m->in_ns * (double)call->in_bytes +
                              m->out_ns * (double)call->out_bytes * returned_share(k);
}

/* ---- the decision ---- */

static double whole(const CostGuess *g, CostPlace place) {
    return g->run_ns[place] + g->move_ns[place];
}

static bool may_try(const CostMachine *m, const CostKernel *k, const CostGuess *g, int32_t class,
                    CostPlace here, CostPlace there) {
    double extra = whole(g, there);
    return !g->is_measured[there] && !(k->tried[there] >> class & 1) && extra < trial_worst * whole(g, here) &&
           m->tried + extra < first_trials_ns + trial_share * m->spent;
}

/* Is it time to leave? Notes what staying loses. */
static bool leaves(CostKernel *k, const CostGuess *g, CostPlace here, CostPlace there) {
    double loss = g->run_ns[here] - g->run_ns[there];
    if (whole(g, there) < keep_below * whole(g, here))
        return true;
    k->regret = larger(k->regret + loss, 0);
    return loss > 0 && k->regret > g->move_ns[there];
}

CostPlace cost_choose(CostMachine *m, CostKernel *k, const CostCall *call, CostGuess *g) {
    cost_estimate(m, k, call, g);
    CostPlace best = whole(g, COST_DEVICE) < whole(g, COST_HOST) ? COST_DEVICE : COST_HOST;
    CostPlace here = k->place ? (CostPlace)(k->place - 1) : best;
    CostPlace there = here == COST_HOST ? COST_DEVICE : COST_HOST;
    g->place = here;
    if (k->place && leaves(k, g, here, there)) {
        g->place = there;
    } else if (may_try(m, k, g, class_of(call->points), here, there)) {
        g->place = there;
        g->is_trial = true;
        k->tried[there] |= UINT32_C(1) << class_of(call->points);
        m->tried += whole(g, there);
    }
    if (g->place != here && !g->is_trial)
        k->regret = 0;
    m->spent += whole(g, g->place);
    if (!g->is_trial) /* which does not say where it belongs */
        k->place = 1 + (int32_t)g->place;
    if (g->place == COST_DEVICE) {
        k->calls++;
        k->written += call->out_bytes;
    }
    return g->place;
}

/* ---- measurements ---- */

bool cost_wants(const CostKernel *k, int64_t points) {
    return k->sides[COST_DEVICE].count[class_of(points)] < FEW_MEASURED || k->calls % SELDOM == 0;
}

void cost_ran(CostKernel *k, CostPlace place, int64_t points, int64_t ns) {
    if (points <= 0 || ns <= 0)
        return;
    int32_t at = class_of(points);
    CostSide *side = &k->sides[place];
    double x = (double)ns / (double)points, old = side->point_ns[at];
    side->point_ns[at] = side->count[at] ? blend(old, x) : x;
    k->is_new |= side->count[at] < FEW_MEASURED;
    if (side->count[at] < INT32_MAX)
        side->count[at]++;
}

bool cost_wants_move(const CostMachine *m, bool is_in, int64_t bytes) {
    return bytes >= MOVE_BYTES && m->moves[is_in] < SELDOM;
}

void cost_moved(CostMachine *m, bool is_in, int64_t bytes, int64_t ns) {
    double *byte_ns = is_in ? &m->in_ns : &m->out_ns;
    if (bytes < MOVE_BYTES || ns <= 0)
        return;
    double x = (double)ns / (double)bytes;
    *byte_ns = m->moves[is_in] ? blend(*byte_ns, x) : x;
    if (m->moves[is_in] < INT32_MAX)
        m->moves[is_in]++;
}

void cost_issued(CostMachine *m, int32_t launches, int64_t ns) {
    if (launches > 0 && ns > 0)
        m->launch_ns = blend(m->launch_ns, (double)ns / launches);
}

/* ---- as text ---- */

static const char first_line[] = "gact placement 1\n";

void cost_write(FILE *out, const CostKernel *kernels, int64_t count) {
    fputs(first_line, out);
    for (int64_t i = 0; i < count; i++)
        for (int place = 0; place < 2; place++)
            for (int k = 0; k < COST_CLASSES; k++)
                if (kernels[i].sides[place].count[k])
                    fprintf(out, "%" PRId64 " %d %d %" PRId32 " %.6g\n", i, place, k,
                            kernels[i].sides[place].count[k], kernels[i].sides[place].point_ns[k]);
}

/* One line; NULL: it is none. */
static const char *read_line(const char *text, CostKernel *kernels, int64_t count) {
    long long i, place, k, n;
    double ns;
    int used = 0;
    if (sscanf(text, "%lld %lld %lld %lld %lf\n%n", &i, &place, &k, &n, &ns, &used) != 5 || !used)
        return NULL;
    bool fits = i >= 0 && i < count && (place == 0 || place == 1) && k >= 0 && k < COST_CLASSES && n > 0 &&
                n <= INT32_MAX && ns > 0 && ns < 1e18;
    if (!fits)
        return NULL;
    CostSide *side = &kernels[i].sides[place];
    side->point_ns[k] = ns;
    side->count[k] = (int32_t)n;
    return text + used;
}

bool cost_read(const char *text, CostKernel *kernels, int64_t count) {
    if (strncmp(text, first_line, strlen(first_line)) != 0)
        return false;
    CostKernel *fresh = calloc((size_t)count + 1, sizeof *fresh);
    const char *at = fresh ? text + strlen(first_line) : NULL;
    while (at && *at)
        at = read_line(at, fresh, count);
    if (at && count)
        memcpy(kernels, fresh, (size_t)count * sizeof *fresh);
    free(fresh);
    return at != NULL;
}
