/* A kernel as CUDA text: the struct of its arguments, the function of a point, and the loops over the
   space, which depend on what becomes of the yields.

   Maps alone: a thread a point, or a warp where the point has long loops. With sums and selections: a
   warp a chunk of 4096 points, then one block that combines the chunks. Scans and filters: pass.c.
   Histograms and scatters: bins.c. Lists, whose sizes are known when the points have run: lists.c.

   A point that faults says so in a flag and is left; nobody waits for it. The host then runs the kernel
   itself and finds the first fault. */
#include "writer.h"

#include <ctype.h>
#include <string.h>

/* ---- what is wanted ---- */

static bool is_reduction(SinkKind kind) {
    return kind == SINK_REDUCE || kind == SINK_PICK;
}

int writer_count(const Kernel *k, SinkKind kind) {
    int n = 0;
    for (int i = 0; i < k->nsinks; i++)
        n += k->sinks[i].sink->kind == kind;
    return n;
}

/* The reason why no form fits these sinks, or NULL. */
static const char *refuse(const Kernel *k) {
    for (int i = 0; i < k->nsinks; i++) {
        const Sink *s = &k->sinks[i];
        switch (s->sink->kind) {
        case SINK_MAP:
        case SINK_REDUCE:
        case SINK_PICK: break;
        case SINK_SCAN:
        case SINK_FILTER: break;
        case SINK_HIST:
        case SINK_SCATTER:
            if (bins_refuses(s))
                return bins_refuses(s);
            break;
        case SINK_LIST:
        case SINK_FLATMAP: break;
        case SINK_KIND_COUNT: UNREACHABLE();
        }
    }
    return NULL;
}

/* Can the lanes of a warp share an op of the point? */
static bool is_shared(const Kernel *k, const IrRegion *region);

static bool is_shared_kernel(const Kernel *k, const IrOp *op) {
    const IrRegion *body = op->regions[0];
    for (int i = 0; i < op->kernel->nsinks; i++) {
        const IrSink *sink = &op->kernel->sinks[i];
        const Type *yield = ir_type(k->f->ir, body->results.at[sink->yield]);
        if ((sink->kind != SINK_MAP && !is_reduction(sink->kind)) || !type_is_flat(yield))
            return false;
    }
    return true;
}

static bool is_shared_op(const Kernel *k, const IrOp *op) {
    switch ((int)op->kind) {
    case IR_KERNEL: return is_shared_kernel(k, op);
    case IR_UPDATE:
    case IR_CONCAT:
    case IR_SORT:
    case IR_TRY: return false;
    case IR_LIST: return op->type->rank == 1 && type_is_flat(op->type->elem);
    case IR_TAG: return op->type->kind != TYPE_ARRAY;
    case IR_CALL: return op->callee->is_lanewise;
    default: break;
    }
    for (int r = 0; r < op->nregions; r++)
        if (!is_shared(k, op->regions[r]))
            return false;
    return true;
}

static bool is_shared(const Kernel *k, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++)
        if (!is_shared_op(k, ir_op(k->f->ir, region->ops.at[i])))
            return false;
    return true;
}

/* Does the body have loops that are worth a warp? */
static bool wants_warp(const Kernel *k, const IrRegion *body) {
    enum { FEW = 16 };
    const IrFunc *ir = k->f->ir;
    if (!is_shared(k, body))
        return false;
    for (int i = 0; i < body->ops.len; i++) {
        const IrOp *op = ir_op(ir, body->ops.at[i]);
        int64_t n;
        if (op->kind == IR_MATMUL)
            return true;
        if (op->kind != IR_KERNEL)
            continue;
        for (int d = 0; d < op->kernel->rank; d++)
            if (!ir_const_int(ir, op->args[d], &n) || n > FEW)
                return true;
    }
    return false;
}

/* ---- arguments ---- */

static void open_output(Writer *w, Out *o, int i) {
    Cu *cu = &w->cu;
    const Kernel *k = cu->k;
    SinkKind kind = o->sink->kind;
    o->l = layout_of(cu->e, o->sink->type);
    o->is_row = kind == SINK_SCATTER ? o->l->rank > 1 : kind == SINK_MAP && o->l->rank > k->rank;
    o->is_built = lists_take(o);
    if (!o->l->is_regular && (o->is_row || !o->is_built)) {
        cu_no(cu, k->op->span, "it makes rows of lists");
        return;
    }
    if (o->is_built) {
        lists_open(w, o);
        return;
    }
    if (!o->is_row && o->yield->nslots != o->l->ncols) {
        cu_no(cu, k->op->span, "it makes an array a point");
        return;
    }
    o->data = cu_slots(cu, o->l->ncols);
    for (int c = 0; c < o->l->ncols; c++) {
        vec_push(cu->arena, &cu->out->words, (CudaWord){WORD_BUF, 0, c, i, NULL});
        vec_push(cu->arena, &cu->out->words, (CudaWord){WORD_DATA, 0, c, i, NULL});
        GactDeviceArg arg = {.kind = GACT_ARG_OUT,
                             .at = cu->out->words.len - 2,
                             .bytes = o->l->cols[c].bytes};
        arg.count = cu_word(cu, WORD_ROOM, 0, 0, i);
        const char *type = arena_printf(cu->arena, "%s *", cu_col_type(cu, &o->l->cols[c]));
        o->data[c] = cu_field(cu, type, "out", arg);
    }
    if (o->is_row && kind == SINK_MAP)
        o->part = cu_word_field(cu, "row", "i64", WORD_PART, 0, 0, i);
}

const char *writer_scratch(Writer *w, const char *type, const char *name, GactDeviceArg arg) {
    arg.kind = GACT_ARG_SCRATCH;
    return cu_field(&w->cu, arena_printf(w->cu.arena, "%s *", type), name, arg);
}

static void open_sink(Writer *w, Out *o, int i) {
    Cu *cu = &w->cu;
    const Kernel *k = cu->k;
    o->sink = k->sinks[i].sink;
    o->yield = k->sinks[i].yield;
    SinkKind kind = o->sink->kind;
    if (!is_reduction(kind))
        open_output(w, o, i);
    if (cu->out->why || kind == SINK_MAP || kind == SINK_FILTER || o->is_built)
        return;
    if (bins_is(o)) {
        bins_open(w, o, i);
        return;
    }
    if (!type_is_flat(o->yield->type)) {
        cu_no(cu, k->op->span, "its result is an array a point");
        return;
    }
    o->fold = cu_fold(cu, k->op, o->sink, NULL);
    Text *zero = cu_value(cu, k->op->args[o->sink->arg]);
    if (cu->out->why || !zero->s)
        return;
    o->zero = cu_make(cu, o->fold.l, zero->s);
    int bytes = 8 * (o->fold.l->nslots + (kind == SINK_PICK));
    const char *type = o->fold.type;
    if (kind == SINK_PICK)
        type = arena_printf(cu->arena, "gx_picked<%s>", type);
    if (!pass_takes(o))
        o->rows = writer_scratch(w, type, "chunk", (GactDeviceArg){.bytes = bytes, .unit = GACT_UNIT_CHUNK});
}

/* Are its points on their own but for sums, and does a thread do one? Then it can be launched for some at a time. */
static bool can_be_cut(const Writer *w) {
    const Kernel *k = w->cu.k;
    for (int i = 0; i < k->nsinks; i++) {
        const IrSink *sink = k->sinks[i].sink;
        bool is_row = sink->kind == SINK_MAP && sink->type->rank != k->rank;
        bool is_list = sink->kind == SINK_MAP && !layout_of(w->cu.e, sink->type)->is_regular;
        if (is_row || is_list || (sink->kind != SINK_MAP && !is_reduction(sink->kind)))
            return false;
    }
    return !w->cu.is_warp;
}

static void open_arguments(Writer *w) {
    Cu *cu = &w->cu;
    const Kernel *k = cu->k;
    w->total = cu_word_field(cu, "total", "i64", WORD_TOTAL, 0, 0, -1);
    w->chunks = cu_word_field(cu, "chunks", "i64", WORD_CHUNKS, 0, 0, -1);
    cu->out->is_cut = can_be_cut(w);
    if (cu->out->is_cut) {
        w->from = cu_field(cu, "i64", "from", (GactDeviceArg){.kind = GACT_ARG_FROM});
        w->to = cu_field(cu, "i64", "to", (GactDeviceArg){.kind = GACT_ARG_TO});
    }
    w->dims = cu_slots(cu, k->rank);
    for (int d = 0; d < k->rank; d++)
        w->dims[d] = k->rank > 1 ? cu_word_field(cu, arena_printf(cu->arena, "n%d", d), "i64", WORD_DIM, 0, d, -1)
                                 : w->total;
    w->outs = NEW_ARRAY(cu->arena, Out, k->nsinks);
    w->nouts = k->nsinks;
    for (int i = 0; i < k->nsinks && !cu->out->why; i++)
        open_sink(w, &w->outs[i], i);
    if (!cu->out->why)
        pass_open(w);
}

/* ---- the function of a point ---- */

/* Does a region make arrays? */
static bool makes_arrays(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        if (layout_is_array(op->type) && op->kind != IR_INDEX)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (makes_arrays(ir, op->regions[r]))
                return true;
    }
    return false;
}

bool writer_is_flat(const Writer *w) {
    const Kernel *k = w->cu.k;
    for (int i = 0; i < w->nouts; i++)
        if (w->outs[i].sink->kind != SINK_MAP || w->outs[i].is_row || w->outs[i].is_built)
            return false;
    return w->cu.out->is_cut && !makes_arrays(k->f->ir, k->body);
}

bool writer_is_plain(const Writer *w, IrId array, int rank) {
    Emit *e = w->cu.e;
    Layout *l = layout_of(e, ir_type(w->cu.ir, array));
    for (int c = 0; c < l->ncols; c++)
        if (l->cols[c].kind != COL_SCALAR)
            return false;
    return layout_is_array(l->type) && l->rank == rank && l->is_regular && layout_of(e, l->elem)->nslots == l->ncols;
}

void writer_add_reads(Writer *w, IrId id, const char *ending, const char *inside, const char *alone) {
    Cu *cu = &w->cu;
    IrId array = ir_op(cu->ir, id)->args[0];
    Layout *l = cu_layout(cu, array);
    Text *v = cu_value(cu, array);
    const char **s = cu_slots(cu, l->ncols);
    for (int c = 0; v->s && c < l->ncols; c++) {
        PointRead r = {.data = v->s[layout_col_slot(l, c) + 1],
                       .type = cu_col_type(cu, &l->cols[c]),
                       .row = v->s[l->rank - 1]};
        s[c] = r.name = arena_printf(cu->arena, "%s%s", r.data + strlen("a."), ending);
        r.inside = arena_printf(cu->arena, "%s%s", r.name, inside);
        r.alone = arena_printf(cu->arena, "%s%s", r.data, alone);
        vec_push(cu->arena, &w->reads, r);
    }
    cu_set(cu, id, s, l->ncols);
    cu->is_given[id] = true;
}

/* Copies the row that the point yields to its place, unless it is there already. */
static void copy_row(Writer *w, const Out *o, IrId id) {
    Cu *cu = &w->cu;
    Text *v = cu_value(cu, id);
    if (!v->s)
        return;
    const char *p = cu_name(cu, "p");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = %s; %s < %s; %s += %d)", p, cu->is_wide ? "gx_lane()" : "0", p, o->part, p,
            cu->is_wide ? 32 : 1);
    cu_line(cu, "{");
    for (int c = 0; c < o->l->ncols; c++)
        cu_line(cu, "    %s[p * %s + %s] = %s[%s];", o->data[c], o->part, p,
                v->s[layout_col_slot(cu_layout(cu, id), c) + 1], p);
    cu_line(cu, "}");
}

static bool is_in(const IrRegion *region, IrId id) {
    for (int k = 0; k < region->ops.len; k++)
        if (region->ops.at[k] == id)
            return true;
    return false;
}

/* Can a nested kernel make its array at a place that is given? */
static bool makes_row(Cu *cu, const IrOp *op) {
    const IrSink *sink = &op->kernel->sinks[0];
    if (op->kernel->nsinks != 1 || cu_is_built(cu, op, sink))
        return false;
    return sink->kind == SINK_MAP || sink->kind == SINK_SCAN;
}

/* Where a row that a nested kernel makes goes. */
static void aim_rows(Writer *w) {
    Cu *cu = &w->cu;
    const IrRegion *body = cu->k->body;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        IrId id = o->is_row && !bins_is(o) ? body->results.at[o->sink->yield] : IR_NONE;
        const IrOp *op = id && is_in(body, id) ? ir_op(cu->ir, id) : NULL;
        bool is_made = op && (op->kind == IR_MATMUL || (op->kind == IR_KERNEL && makes_row(cu, op)));
        if (!is_made || cu->row)
            continue;
        cu->row = id;
        cu->row_data = cu_slots(cu, o->l->ncols);
        for (int c = 0; c < o->l->ncols; c++) {
            cu->row_data[c] = cu_name(cu, "row");
            cu_line(cu, "%s *const %s = %s + p * %s;", cu_col_type(cu, &o->l->cols[c]), cu->row_data[c],
                    o->data[c], o->part);
        }
    }
}

int writer_yields(const Out *o) {
    return ir_sink_yields(o->sink->kind) - o->is_row;
}

/* A slot of what the sinks take of a point: its type as text, NULL: it has none; and what the point gives. */
typedef void SlotVisit(Writer *w, const char *type, const char *text);

/* The slots of what sink o takes of a point: FILTER and HIST take two yields. */
static void each_slot(Writer *w, const Out *o, SlotVisit *visit) {
    Cu *cu = &w->cu;
    for (int k = 0; k < writer_yields(o); k++) {
        IrId id = cu->k->body->results.at[o->sink->yield + k];
        Layout *l = cu_layout(cu, id);
        Text *v = &cu->values[id];
        const char **types = cu_types(cu, l);
        for (int i = 0; i < l->nslots; i++, w->nslots++)
            if (types[i])
                visit(w, types[i], v->s ? v->s[i] : NULL);
    }
}

static void add_parameter(Writer *w, const char *type, const char *text) {
    (void)text;
    buf_printf(&w->text, ", %s &y%d", type, w->nslots);
}

/* The type that the function returns, if this is the only value. */
static void note_result(Writer *w, const char *type, const char *text) {
    (void)text;
    w->returns = type;
}

static void set_result(Writer *w, const char *type, const char *text) {
    (void)type;
    text = text ? cu_bare(&w->cu, text) : "0";
    if (w->returns)
        cu_line(&w->cu, "return %s;", text);
    else
        cu_line(&w->cu, "y%d = %s;", w->nslots, text);
}

static void add_argument(Writer *w, const char *type, const char *text) {
    (void)type;
    (void)text;
    buf_printf(&w->call, ", y%d", w->nslots);
}

/* Calls visit for the slots of all sinks; notes where each begins. */
static void each_result(Writer *w, SlotVisit *visit) {
    w->nslots = 0;
    for (int i = 0; i < w->nouts; i++) {
        w->outs[i].first = w->nslots;
        each_slot(w, &w->outs[i], visit);
    }
}

static bool has_row_tables(const Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (bins_is(&w->outs[i]) && w->outs[i].is_row)
            return true;
    return false;
}

static void write_head(Writer *w) {
    Cu *cu = &w->cu;
    const char *result = cu->point_faults ? "bool" : w->returns ? w->returns : "void";
    w->text = (Buf){.arena = cu->arena};
    buf_printf(&w->text, "GX_DEV %s %s_point(const %s_args &a, %sconst i64 %s", result, cu->name, cu->name,
               !cu->out->takes ? "" : cu->is_warp ? "gx_arena &m, gx_arena &own, " : "gx_arena &m, ",
               w->is_plane ? "i, const i64 j" : "p");
    if (has_row_tables(w))
        buf_puts(&w->text, ", const bool stores");
    for (int k = 0; k < w->reads.len; k++)
        buf_printf(&w->text, ", const %s %s", w->reads.at[k].type, w->reads.at[k].name);
    if (!w->returns)
        each_result(w, add_parameter);
}

/* The indices of a plane's point are parameters. */
static void name_indices(Writer *w) {
    static const char *const names[] = {"i", "j"};
    for (int d = 0; d < 2; d++) {
        const char **s = cu_slots(&w->cu, 1);
        s[0] = names[d];
        cu_set(&w->cu, w->cu.k->body->params.at[d], s, 1);
    }
}

static void write_point(Writer *w) {
    Cu *cu = &w->cu;
    const Kernel *k = cu->k;
    Buf code = {.arena = cu->arena};
    cu->code = &code;
    cu->indent = 1;
    cu->fail = "return false;";
    cu_from(cu, k->op->span);
    cu->is_wide = cu->is_warp;
    cu->heap = "m";
    cu->side = "0";
    cu->other = "1";
    cu->outlives = lists_are(w); /* the point hands out pointers to what it makes */
    cu_find_owned(cu, k->body);
    if (w->is_plane)
        name_indices(w);
    else
        cu_point(cu, k->body, "p", w->dims, k->rank);
    aim_rows(w);
    cu_ops(cu, k->body);
    for (int i = 0; i < k->body->results.len && !cu->out->why; i++)
        cu_value(cu, k->body->results.at[i]);
    for (int i = 0; i < w->nouts && !cu->out->why; i++) {
        const Out *o = &w->outs[i];
        IrId id = k->body->results.at[o->sink->yield];
        if (o->is_row && bins_is(o))
            bins_row(w, o, cu_scalar(cu, id), k->body->results.at[o->sink->yield + 1]);
        else if (o->is_row && cu->row != id)
            copy_row(w, o, id);
    }
    if (cu->out->why)
        return;
    bool can = cu->point_faults = cu->out->can_fault;
    each_result(w, note_result);
    if (can || w->nslots != 1)
        w->returns = NULL;
    each_result(w, set_result);
    write_head(w);
    buf_printf(&w->text, ") {\n%s%s}\n\n", buf_text(&code), can ? "    return true;\n" : "");
}

/* ---- loops ---- */

static int region_weight(const IrFunc *ir, const IrRegion *region) {
    int n = region->ops.len;
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        if (op->kind == IR_CALL && !op->callee->is_recursive)
            n += region_weight(op->callee, op->callee->body);
        for (int r = 0; r < op->nregions; r++)
            n += region_weight(ir, op->regions[r]);
    }
    return n;
}

int writer_weight(const Writer *w) {
    return region_weight(w->cu.ir, w->cu.k->body);
}

static bool has_loops(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        if (op->kind == IR_KERNEL || op->kind == IR_FOR || op->kind == IR_LOOP || op->kind == IR_MATMUL)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (has_loops(ir, op->regions[r]))
                return true;
    }
    return false;
}

int writer_flight(const Writer *w, int most) {
    enum { MOST_TEXT = 128 };
    int n = 1, weight = writer_weight(w);
    if (has_loops(w->cu.ir, w->cu.k->body))
        return 1;
    while (n < most && 2 * n * weight <= MOST_TEXT)
        n *= 2;
    return n;
}

void writer_declare(Writer *w, const char *(*init)(Writer *w, const Out *o, int slot)) {
    Cu *cu = &w->cu;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        int n = 0;
        for (int k = 0; k < writer_yields(o); k++) {
            Layout *l = cu_layout(cu, cu->k->body->results.at[o->sink->yield + k]);
            const char **types = cu_types(cu, l);
            for (int j = 0; j < l->nslots; j++, n++) {
                const char *value = init ? init(w, o, n) : NULL;
                if (types[j])
                    cu_line(cu, "%s y%d%s%s;", types[j], o->first + n, value ? " = " : "", value ? value : "");
            }
        }
    }
}

/* The point's function for point p, where what it gives is declared, or returned. */
static const char *point_call(Writer *w) {
    CudaKernel *out = w->cu.out;
    out->phases.at[out->phases.len - 1].has_points = 1;
    w->call = (Buf){.arena = w->cu.arena};
    buf_printf(&w->call, "%s_point(a, %s%s", w->cu.name, !w->arena ? "" : w->cu.is_warp ? "m, own, " : "m, ",
               w->is_plane ? "i, j" : "p");
    if (has_row_tables(w))
        buf_puts(&w->call, w->stores ? ", true" : ", false");
    for (int k = 0; k < w->reads.len; k++)
        buf_printf(&w->call, ", %s", w->in_pack ? w->reads.at[k].inside : w->reads.at[k].alone);
    if (!w->returns)
        each_result(w, add_argument);
    buf_puts(&w->call, ")");
    return buf_text(&w->call);
}

/* The arena of the thread or warp, all of it free. */
static void open_arena(Writer *w) {
    Cu *cu = &w->cu;
    static const char one[] = "gx_arena %s = %s(%s, %s, %s);";
    if (cu->is_warp) {
        cu_line(cu, one, "m", "gx_arena_shared", w->arena, w->arena_bytes, "gx_warp()");
        cu_line(cu, one, "own", "gx_arena_lane", w->arena, w->arena_bytes, "gx_warp()");
    } else {
        cu_line(cu, one, "m", "gx_arena_of", w->arena, w->arena_bytes, "gx_thread()");
    }
}

void writer_call(Writer *w, const char *leave) {
    Cu *cu = &w->cu;
    if (w->arena)
        open_arena(w);
    if (!cu->point_faults) {
        cu_line(cu, "%s%s;", w->returns ? "y0 = " : "", point_call(w));
        return;
    }
    const char *which = !w->arena ? "0" : cu->is_warp ? "gx_any(m.over || own.over)" : "m.over";
    cu_line(cu, "if (!%s) {", point_call(w));
    cu_line(cu, "    %s[%s] = 1;", cu->fault, which);
    if (leave)
        cu_line(cu, "    %s", leave);
    cu_line(cu, "}");
}

void writer_point(Writer *w, const char *leave) {
    if (w->returns) {
        cu_line(&w->cu, "const %s y0 = %s;", w->returns, point_call(w));
        return;
    }
    writer_declare(w, NULL);
    writer_call(w, leave);
}

const char *writer_result(Writer *w, const Out *o, int skip) {
    Cu *cu = &w->cu;
    Layout *l = o->fold.l ? o->fold.l : o->yield;
    const char **s = cu_slots(cu, l->nslots);
    for (int i = 0; i < l->nslots; i++)
        s[i] = arena_printf(cu->arena, "y%d", o->first + skip + i);
    return cu_make(cu, l, s);
}

void writer_store(Writer *w, const Out *o, const char *at, int skip) {
    Cu *cu = &w->cu;
    const char **s = cu_slots(cu, o->yield->nslots);
    for (int i = 0; i < o->yield->nslots; i++)
        s[i] = arena_printf(cu->arena, "y%d", o->first + skip + i);
    cu_store(cu, o->l->elem, o->data, at, s);
}

void writer_store_maps(Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (w->outs[i].sink->kind == SINK_MAP && !w->outs[i].is_row && !w->outs[i].is_built)
            writer_store(w, &w->outs[i], "p", 0);
}

static void add_phase(Writer *w, const char *suffix, GactGridKind grid) {
    Cu *cu = &w->cu;
    const char *name = arena_printf(cu->arena, "%s%s", cu->name, suffix);
    int each = grid != GACT_GRID_POINTS ? 0 : w->is_plane ? 4 : w->wide;
    vec_push(cu->arena, &cu->out->phases, (GactDevicePhase){.name = name, .grid = (int)grid, .each = each});
}

void writer_open_phase(Writer *w, const char *how, const char *suffix, GactGridKind grid) {
    add_phase(w, suffix, grid);
    w->cu.indent = 0;
    cu_from(&w->cu, w->cu.k->op->span);
    cu_line(&w->cu, "%s(%s%s, %s_args, GX_BLOCK) {", how, w->cu.name, suffix, w->cu.name);
    w->cu.indent = 1;
}

void writer_close_phase(Writer *w) {
    w->cu.indent = 0;
    cu_line(&w->cu, "}\n");
}

/* ---- maps ---- */

static void write_maps(Writer *w) {
    Cu *cu = &w->cu;
    bool is_warp = cu->is_warp, is_shared = bins_are_shared(w);
    const char *leave = is_warp ? "continue;" : is_shared ? "break;" : "return;";
    GactGridKind grid = is_warp ? GACT_GRID_WARPS : is_shared ? GACT_GRID_FULL : GACT_GRID_POINTS;
    writer_open_phase(w, is_warp || is_shared ? KERNEL_WAITS : KERNEL_PLAIN, "", grid);
    bins_open_shared(w);
    const char *first = is_warp ? "gx_warp()" : "gx_thread()";
    if (w->wide) {
        wide_write(w);
        first = arena_printf(cu->arena, "packs * %d + %s", w->wide, first);
    }
    if (cu->out->is_cut)
        first = arena_printf(cu->arena, "%s + %s", w->from, first);
    cu_line(cu, "GX_UNROLL1");
    const char *to = cu->out->is_cut ? w->to : w->total;
    cu_line(cu, "for (i64 p = %s; p < %s; p += gx_%s()) {", first, to, is_warp ? "warps" : "threads");
    cu->indent++;
    writer_point(w, leave);
    if (is_warp) {
        cu_line(cu, "if (gx_lane() == 0) {");
        cu->indent++;
    }
    writer_store_maps(w);
    bins_put(w, leave);
    if (is_warp) {
        cu->indent--;
        cu_line(cu, "}");
    }
    cu->indent--;
    cu_line(cu, "}");
    bins_close_shared(w);
    writer_close_phase(w);
}

/* ---- sums ---- */

static bool is_piecewise(const Out *o) {
    return is_reduction(o->sink->kind) && o->fold.mode == FOLD_PIECES;
}

/* Points of the chunk in strides of the warp: maps, sums of lanes, selections. */
static void write_strides(Writer *w) {
    Cu *cu = &w->cu;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (o->sink->kind == SINK_PICK)
            cu_line(cu, "gx_picked<%s> sum%d = {%s, -1};", o->fold.type, i, o->zero);
        else if (o->sink->kind == SINK_REDUCE && !is_piecewise(o))
            cu_line(cu, "%s sum%d = %s;", o->fold.type, i, o->fold.identity);
    }
    cu_line(cu, "GX_UNROLL_BY(%d)", writer_flight(w, FLIGHT));
    cu_line(cu, "for (i64 p = lo + gx_lane(); p < hi; p += 32) {");
    cu->indent++;
    writer_point(w, "break;");
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        const char *y = is_reduction(o->sink->kind) ? writer_result(w, o, 0) : NULL;
        if (o->sink->kind == SINK_PICK)
            cu_line(cu, "if (op%d(sum%d.v, %s)) sum%d = {%s, p};", i, i, y, i, y);
        else if (o->sink->kind == SINK_REDUCE && !is_piecewise(o))
            cu_line(cu, "sum%d = op%d(sum%d, %s);", i, i, i, y);
    }
    writer_store_maps(w);
    bins_put(w, "break;");
    cu->indent--;
    cu_line(cu, "}");
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (o->sink->kind == SINK_PICK)
            cu_line(cu, "sum%d = gx_butterfly(sum%d, gx_better_of(op%d));", i, i, i);
        else if (o->sink->kind == SINK_REDUCE && !is_piecewise(o))
            cu_line(cu, "sum%d = gx_butterfly(sum%d, op%d);", i, i, i);
    }
}

/* Points of the chunk in pieces of 128 in order, one a lane. */
static void write_pieces(Writer *w) {
    Cu *cu = &w->cu;
    cu_line(cu, "const i64 from = lo + (i64)gx_lane() * GX_PIECE, to = gx_min(from + (i64)GX_PIECE, hi);");
    for (int i = 0; i < w->nouts; i++)
        if (is_piecewise(&w->outs[i]))
            cu_line(cu, "%s sum%d{};", w->outs[i].fold.type, i);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 p = from; p < to; p++) {");
    cu->indent++;
    writer_point(w, "break;");
    for (int i = 0; i < w->nouts; i++)
        if (is_piecewise(&w->outs[i])) {
            const char *y = writer_result(w, &w->outs[i], 0);
            cu_line(cu, "if (p == from) sum%d = %s; else sum%d = op%d(sum%d, %s);", i, y, i, i, i, y);
        }
    cu->indent--;
    cu_line(cu, "}");
    for (int i = 0; i < w->nouts; i++)
        if (is_piecewise(&w->outs[i]))
            cu_line(cu, "sum%d = gx_lane_pairs(sum%d, (int)((hi - lo + GX_PIECE - 1) / GX_PIECE), op%d);", i,
                    i, i);
}

/* The last block combines the chunks and writes the results. */
static void write_tree(Writer *w) {
    Cu *cu = &w->cu;
    cu_line(cu, "if (!gx_last_block(%s)) return;", w->done);
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        int n = o->result;
        if (!is_reduction(o->sink->kind))
            continue;
        bool is_pick = o->sink->kind == SINK_PICK;
        cu_line(cu, is_pick ? "gx_tree(%s, %s, gx_better_of(op%d));" : "gx_tree(%s, %s, op%d);", o->rows,
                w->chunks, i);
        cu_line(cu, "if (threadIdx.x == 0) {");
        cu->indent++;
        cu_line(cu, "const %s zero = %s;", o->fold.type, o->zero);
        if (is_pick)
            cu_line(cu, "const %s all = %s > 0 ? %s[0].v : zero;", o->fold.type, w->chunks, o->rows);
        else
            cu_line(cu, "const %s all = %s > 0 ? op%d(zero, %s[0]) : zero;", o->fold.type, w->chunks, i,
                    o->rows);
        for (int k = 0; k < o->fold.l->nslots; k++)
            cu_line(cu, "%s[%d] = gx_slot(%s);", w->result, n++, cu_member(cu, o->fold.l, "all", k));
        cu->indent--;
        cu_line(cu, "}");
    }
}

static void write_sums(Writer *w) {
    Cu *cu = &w->cu;
    bool has_pieces = false, has_strides = false;
    for (int i = 0; i < w->nouts; i++) {
        has_pieces |= is_piecewise(&w->outs[i]);
        has_strides |= !is_piecewise(&w->outs[i]) && w->outs[i].sink->kind != SINK_SCAN &&
                       w->outs[i].sink->kind != SINK_FILTER;
    }
    writer_open_phase(w, KERNEL_WAITS, "", GACT_GRID_CHUNKS);
    for (int i = 0; i < w->nouts; i++)
        if (is_reduction(w->outs[i].sink->kind))
            cu_line(cu, "const auto op%d = %s;", i, w->outs[i].fold.op);
    cu_line(cu, "GX_UNROLL1");
    if (w->cu.out->is_cut)
        cu_line(cu, "for (i64 c = %s / GX_CHUNK + gx_warp(); c * GX_CHUNK < %s; c += gx_warps()) {", w->from, w->to);
    else
        cu_line(cu, "for (i64 c = gx_warp(); c < %s; c += gx_warps()) {", w->chunks);
    cu->indent++;
    cu_line(cu, "const i64 lo = c * GX_CHUNK, hi = gx_min(lo + (i64)GX_CHUNK, %s);", w->total);
    if (has_strides)
        write_strides(w);
    if (has_pieces)
        write_pieces(w);
    for (int i = 0; i < w->nouts; i++)
        if (is_reduction(w->outs[i].sink->kind))
            cu_line(cu, "if (gx_lane() == 0) %s[c] = sum%d;", w->outs[i].rows, i);
    cu->indent--;
    cu_line(cu, "}");
    if (w->cu.out->is_cut)
        cu_line(cu, "if (%s < %s) return;", w->to, w->total);
    write_tree(w);
    writer_close_phase(w);
}

/* ---- all ---- */

static bool has_direct(const Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (w->outs[i].sink->kind == SINK_MAP && !w->outs[i].is_built)
            return true;
    return false;
}

/* The phases for all sinks but scans, filters and lists. */
static void write_plain(Writer *w) {
    const Kernel *k = w->cu.k;
    bins_begin(w);
    if (writer_count(k, SINK_REDUCE) || writer_count(k, SINK_PICK))
        write_sums(w);
    else if (w->is_plane)
        plane_write(w);
    else if (bins_have_points(w) || has_direct(w))
        write_maps(w);
    bins_end(w);
}

/* ---- arrays that can be cut ---- */

static bool is_own_element(const Kernel *k, const IrOp *op) {
    bool is_own = op->kind == IR_INDEX && op->nargs - 1 == k->rank;
    for (int d = 0; is_own && d < k->rank; d++)
        is_own = op->args[1 + d] == k->body->params.at[d];
    return is_own;
}

/* Do the ops of a region look at array id at their own point alone? Its size may be asked for. */
static bool reads_own(const Kernel *k, const IrRegion *region, IrId id) {
    const IrFunc *ir = k->f->ir;
    for (int i = 0; i < region->results.len; i++)
        if (region->results.at[i] == id)
            return false;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(ir, region->ops.at[i]);
        for (int a = 0; a < op->nargs; a++)
            if (op->args[a] == id && op->kind != IR_DIM && !(a == 0 && is_own_element(k, op)))
                return false;
        for (int r = 0; r < op->nregions; r++)
            if (!reads_own(k, op->regions[r], id))
                return false;
    }
    return true;
}

/* Marks the arguments of which each point has to do with its own element alone. */
static void mark_cut(Writer *w) {
    const Kernel *k = w->cu.k;
    CudaKernel *out = w->cu.out;
    for (int a = 0; out->is_cut && a < out->args.len; a++) {
        GactDeviceArg *arg = &out->args.at[a];
        if (arg->kind == GACT_ARG_OUT)
            arg->is_cut = true;
        if (arg->kind != GACT_ARG_IN || arg->unit || arg->one_more)
            continue;
        arg->is_cut = true;
        for (int r = 0; r < k->op->nregions; r++)
            arg->is_cut &= reads_own(k, k->op->regions[r], out->words.at[arg->at].id);
    }
}

static void write_loops(Writer *w) {
    if (!pass_takes_maps(w))
        write_plain(w);
    pass_write(w);
    if (lists_are(w))
        lists_write(w);
}

/* Numbers the words of the results. */
static int result_words(Writer *w) {
    int n = 0;
    for (int i = 0; i < w->nouts; i++) {
        w->outs[i].result = n;
        if (w->outs[i].is_built)
            n += w->outs[i].l->nlevels + w->outs[i].l->ncols;
        else if (w->outs[i].sink->kind == SINK_FILTER)
            n++;
        else if (is_reduction(w->outs[i].sink->kind))
            n += w->outs[i].fold.l->nslots;
    }
    return n;
}

static const char *kernel_name(const Kernel *k) {
    Emit *e = k->f->e;
    char name[64];
    size_t n = 0;
    int node = k->op->node;
    const char *what = node ? k->f->ir->nodes.at[node].name : "kernel";
    const char *whole = arena_printf(e->arena, "%s_%s", k->f->ir->name, what);
    for (; *whole && n + 1 < sizeof name - 12; whole++) {
        bool is_plain = (*whole >= 'a' && *whole <= 'z') || (*whole >= 'A' && *whole <= 'Z') ||
                        (*whole >= '0' && *whole <= '9');
        name[n++] = is_plain ? *whole : '_';
    }
    name[n] = 0;
    return arena_printf(e->arena, "%s_%u", name, (unsigned)k->id);
}

static bool mentions(const char *text, const char *field) {
    size_t n = strlen(field);
    for (const char *at = text; (at = strstr(at, field)); at += n)
        if (!isalnum((unsigned char)at[n]) && at[n] != '_')
            return true;
    return false;
}

/* Which arguments the text uses, or tell how long those are that it uses. */
static bool *used_arguments(const CudaKernel *c, Arena *arena, const char *text) {
    bool *used = NEW_ARRAY(arena, bool, c->args.len + 1);
    for (int k = c->args.len - 1; k >= 0; k--) {
        const GactDeviceArg *arg = &c->args.at[k];
        used[k] |= mentions(text, c->fields.at[k]);
        if (used[k] && arg->kind == GACT_ARG_IN && arg->unit)
            used[arg->unit - 1] = true;
    }
    return used;
}

/* Leaves out the arguments that nothing uses: lines of `fields` are in their order. */
static void write_arguments(Writer *w, Buf *out, const char *text) {
    CudaKernel *c = w->cu.out;
    const char *line = buf_text(&w->cu.fields);
    const bool *used = used_arguments(c, w->cu.arena, text);
    int *now = NEW_ARRAY(w->cu.arena, int, c->args.len + 1), n = 0;
    for (int k = 0; k < c->args.len; k++) {
        const char *end = strchr(line, '\n') + 1;
        if (used[k]) {
            GactDeviceArg arg = c->args.at[k];
            if (arg.kind == GACT_ARG_IN && arg.unit)
                arg.unit = now[arg.unit - 1] + 1;
            buf_add(out, line, (size_t)(end - line));
            now[k] = n;
            c->args.at[n++] = arg;
        }
        line = end;
    }
    c->args.len = n;
}

static const char *assemble(Writer *w, const char *loops) {
    Cu *cu = &w->cu;
    Buf all = {.arena = cu->arena}, rest = {.arena = cu->arena};
    buf_printf(&rest, "%s%s%s", cu->helpers.len ? buf_text(&cu->helpers) : "", buf_text(&w->text), loops);
    buf_printf(&all, "%sstruct %s_args {\n", cu->types.len ? buf_text(&cu->types) : "", cu->name);
    write_arguments(w, &all, buf_text(&rest));
    buf_printf(&all, "};\n\n%s", buf_text(&rest));
    return buf_text(&all);
}

/* The arguments that are known to be wanted once the point has been written. */
static void add_fields(Writer *w) {
    Cu *cu = &w->cu;
    CudaKernel *out = cu->out;
    const Kernel *k = cu->k;
    if (out->can_fault && !cu->fault)
        cu->fault = cu_field(cu, "i32 *", "fault", (GactDeviceArg){.kind = GACT_ARG_FAULT});
    out->can_fault |= cu->fault != NULL;
    out->nresults = result_words(w);
    if (out->nresults)
        w->result = cu_field(cu, "u64 *", "result", (GactDeviceArg){.kind = GACT_ARG_RESULT});
    if (writer_count(k, SINK_REDUCE) || writer_count(k, SINK_PICK) || writer_count(k, SINK_SCAN))
        w->done = cu_field(cu, "u32 *", "done", (GactDeviceArg){.kind = GACT_ARG_DONE});
    if (out->takes) {
        w->arena = cu_field(cu, "u8 *", "arena", (GactDeviceArg){.kind = GACT_ARG_ARENA});
        w->arena_bytes = cu_field(cu, "i64", "arena_bytes", (GactDeviceArg){.kind = GACT_ARG_ARENA_BYTES});
    }
    for (int i = 0; i < w->nouts; i++)
        if (w->outs[i].is_built)
            lists_add_columns(w, &w->outs[i]);
}

CudaKernel *cuda_kernel(Kernel *k) {
    Emit *e = k->f->e;
    CudaKernel *out = NEW(e->arena, CudaKernel);
    Writer writer = {0}, *w = &writer;
    const IrFunc *ir = k->f->ir;
    Cu *cu = &w->cu;
    *cu = (Cu){.k = k, .e = e, .ir = ir, .arena = e->arena, .out = out};
    out->why = refuse(k);
    out->where = k->op->span;
    if (out->why)
        return out;
    out->name = cu->name = kernel_name(k);
    cu->fields.arena = cu->types.arena = cu->helpers.arena = w->text.arena = e->arena;
    cu->values = NEW_ARRAY(e->arena, Text, ir->ops.len + 1);
    cu->uses = NEW_ARRAY(e->arena, int, ir->ops.len + 1);
    cu->inner = NEW_ARRAY(e->arena, char, ir->ops.len + 1);
    cu->owned = NEW_ARRAY(e->arena, char, ir->ops.len + 1);
    cu->is_given = NEW_ARRAY(e->arena, bool, ir->ops.len + 1);
    for (int r = 0; r < k->op->nregions; r++) {
        char *inner = region_inner(k->f, k->op->regions[r]);
        for (int i = 0; i < ir->ops.len; i++)
            cu->inner[i] |= inner[i];
    }
    cu_find_library(cu, k->op->regions, k->op->nregions);
    for (int r = 0; r < k->op->nregions; r++)
        cu_count_uses(cu, k->op->regions[r], 1);
    bool is_space = writer_count(k, SINK_MAP) + writer_count(k, SINK_HIST) == k->nsinks;
    cu->is_warp = is_space && wants_warp(k, k->body);
    open_arguments(w);
    cu->is_warp &= !lists_are(w);
    if (!out->why)
        wide_open(w);
    if (!out->why)
        plane_open(w);
    if (out->why)
        return out;
    write_point(w);
    if (out->why)
        return out;
    if (writer_count(k, SINK_HIST) || writer_count(k, SINK_SCATTER))
        out->can_fault = true;
    add_fields(w);
    Buf loops = {.arena = e->arena};
    cu->code = &loops;
    write_loops(w);
    mark_cut(w);
    out->text = assemble(w, buf_text(&loops));
    return out;
}

