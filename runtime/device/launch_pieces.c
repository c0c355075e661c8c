/* Kernels whose arrays do not fit the device together: a piece of the points at a time, with the elements that belong to
   it. While one piece runs, the next is copied, on the other stream. What a kernel adds up to stays in one table of its
   chunks, which the last piece combines, so results are those of a launch in one piece. What it writes goes to the host. */
#include "launch.h"
#include "metrics.h"
#include "split.h"

enum { CHUNK = 4096, FEWEST = 6 /* halvings of the memory before it is given up */ };

typedef struct {
    Launch *l;
    DeviceFunc **funcs;
    DeviceSplit split;
    DevicePtr *memory[DEVICE_STREAMS]; /* by argument, of each buffer */
    DevicePtr all[DEVICE_STREAMS * (DEVICE_ARGS / 8)];
} Pieces;

static bool is_away(const Launch *l, const GactDeviceArg *arg) {
    int64_t in = 0, away = 0;
    residence_where(l->r, l->run, l->words[arg->at].p, l->words[arg->at + 1].p, launch_bytes(l, arg), &in, &away);
    return in > 0;
}

bool launch_cuts(const Launch *l, const GactDeviceArg *arg) {
    int64_t total = l->words[l->kernel->total].i;
    return l->kernel->is_cut && arg->is_cut && launch_bytes(l, arg) == total * arg->bytes &&
           (arg->kind == GACT_ARG_OUT || is_away(l, arg));
}

bool launch_is_large(const Launch *l) {
    int64_t bytes = 0, limit = l->r->limit / 100 * DEVICE_SPLIT_PERCENT;
    for (int32_t k = 0; l->kernel->is_cut && k < l->kernel->nargs && bytes <= limit; k++) {
        const GactDeviceArg *arg = &l->kernel->args[k];
        if (arg->kind == GACT_ARG_OUT || (arg->kind == GACT_ARG_IN && is_away(l, arg)))
            bytes += launch_bytes(l, arg);
    }
    return bytes > limit;
}

/* ---- memory ---- */

static void give_back(Pieces *p) {
    const Launch *l = p->l;
    for (int32_t b = 0; b < DEVICE_STREAMS; b++)
        for (int32_t k = 0; k < l->kernel->nargs; k++) {
            device_pool_free(l->r->pool, NULL, p->memory[b][k], p->split.piece * l->kernel->args[k].bytes);
            p->memory[b][k] = 0;
        }
}

static DeviceStatus take(Pieces *p) {
    const Launch *l = p->l;
    DeviceStatus status = DEVICE_OK;
    for (int32_t b = 0; b < p->split.buffers; b++)
        for (int32_t k = 0; k < l->kernel->nargs && !status; k++) {
            const GactDeviceArg *arg = &l->kernel->args[k];
            if (launch_cuts(l, arg))
                status = device_pool_alloc(l->r->pool, NULL, p->split.piece * arg->bytes, &p->memory[b][k]);
        }
    if (status)
        give_back(p);
    return status;
}

/* Pieces as large as there is memory for: blocks of the pool are larger than what is asked for. */
static DeviceStatus choose(Pieces *p) {
    const Launch *l = p->l;
    DeviceBatch batch = {.rows = l->words[l->kernel->total].i,
                         .grain = CHUNK,
                         .free_bytes = device_pool_available(l->r->pool)};
    for (int32_t k = 0; k < l->kernel->nargs; k++)
        if (launch_cuts(l, &l->kernel->args[k]))
            batch.row_bytes += l->kernel->args[k].bytes;
    for (int32_t k = 0; batch.row_bytes && k < FEWEST; k++, batch.free_bytes /= 2) {
        if (device_split(&batch, &p->split, NULL))
            return DEVICE_NO_MEMORY;
        DeviceStatus status = take(p);
        if (status != DEVICE_NO_MEMORY)
            return status;
    }
    return DEVICE_NO_MEMORY;
}

/* ---- a piece ---- */

static char *host_part(const Launch *l, const GactDeviceArg *arg) {
    return (char *)l->words[arg->at + 1].p + l->from * arg->bytes;
}

/* Copies in what is read; an argument points to where element 0 would be. */
static DeviceStatus begin_piece(Pieces *p, int32_t stream) {
    Launch *l = p->l;
    Device *d = l->r->d;
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 0; k < l->kernel->nargs && !status; k++) {
        const GactDeviceArg *arg = &l->kernel->args[k];
        DevicePtr at = p->memory[stream][k];
        if (arg->kind == GACT_ARG_FROM)
            l->args[k] = (uint64_t)l->from;
        else if (arg->kind == GACT_ARG_TO)
            l->args[k] = (uint64_t)l->to;
        if (!at)
            continue;
        l->args[k] = at - (DevicePtr)(l->from * arg->bytes);
        if (arg->kind == GACT_ARG_IN)
            status = d->table->copy_in(d, stream, at, host_part(l, arg), (l->to - l->from) * arg->bytes);
    }
    return status;
}

static DeviceStatus end_piece(Pieces *p, int32_t stream) {
    Launch *l = p->l;
    Device *d = l->r->d;
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 0; k < l->kernel->nargs && !status; k++) {
        const GactDeviceArg *arg = &l->kernel->args[k];
        if (p->memory[stream][k] && arg->kind == GACT_ARG_OUT)
            status = d->table->copy_out(d, stream, host_part(l, arg), p->memory[stream][k],
                                        (l->to - l->from) * arg->bytes);
    }
    return status;
}

static DeviceStatus run_piece(Pieces *p, int64_t number) {
    Launch *l = p->l;
    Device *d = l->r->d;
    DevicePiece piece = device_split_piece(&p->split, number);
    l->from = piece.first;
    l->to = piece.first + piece.rows;
    DeviceStatus status = begin_piece(p, piece.stream);
    if (!status && number > 0 && number == p->split.pieces - 1) /* which combines what all have added up */
        status = d->table->order(d, !piece.stream, piece.stream);
    if (!status)
        status = launch_phases(l, piece.stream, p->funcs);
    return status ? status : end_piece(p, piece.stream);
}

DeviceStatus launch_pieces(Launch *l, DeviceFunc **funcs) {
    Pieces p = {.l = l, .funcs = funcs};
    Device *d = l->r->d;
    for (int32_t b = 0; b < DEVICE_STREAMS; b++)
        p.memory[b] = p.all + b * (DEVICE_ARGS / 8);
    l->is_in_pieces = true;
    residence_make_room(l->r);
    DeviceStatus status = launch_fill_args(l);
    if (!status)
        status = choose(&p);
    if (status)
        return status;
    status = d->table->order(d, 0, 1);
    for (int64_t k = 0; k < p.split.pieces && !status; k++)
        status = run_piece(&p, k);
    DeviceStatus ordered = d->table->order(d, 1, 0), waited = d->table->sync(d, 0);
    give_back(&p);
    metric_add(METRIC_PIECES, p.split.pieces);
    return status ? status : ordered ? ordered : waited;
}
