/* Kernels inside of a point: sums and selections by the templates of lang/device_forms.cuh, which keep
   the host's trees, and a loop for all that becomes arrays: a row of the output, a short array of the thread's
   own, memory of the launch where a size is the same for all points, otherwise the arena's.
   Where a warp does the point, its lanes share the loop of a kernel that is not inside another. */
#include "text.h"

#include <string.h>

enum { MOST_LOCAL = 64 };

/* ---- operators ---- */

static bool is_exact(IrKind kind, const Type *type) {
    return !type_is_float(type) || kind == IR_MIN || kind == IR_MAX;
}

CuFold cu_fold(Cu *cu, const IrOp *kernel, const IrSink *sink, const char *fail) {
    int yield = sink->yield + (sink->kind == SINK_HIST || sink->kind == SINK_SCATTER);
    CuFold fold = {.mode = FOLD_PIECES};
    fold.l = cu_layout(cu, kernel->regions[0]->results.at[yield]);
    fold.type = cu_struct(cu, fold.l);
    if (cu->out->why)
        return fold;
    Type *type = fold.l->type;
    int64_t bits;
    if (sink->kind == SINK_PICK) {
        fold.mode = FOLD_PICK;
    } else if (sink->op != IR_INVALID && type_is_scalar(type)) {
        static const char *const args[] = {"x", "y"};
        fold.op = arena_printf(cu->arena, "[](const %s x, const %s y) -> %s { return %s; }", fold.type,
                               fold.type, fold.type, cu_expression(cu, sink->op, type, args));
        if (!scalar_identity_bits(sink->op, type, &bits))
            return fold;
        bool is_free = kernel->flags & IRF_FAST && sink->kind == SINK_REDUCE;
        fold.mode = is_free || is_exact(sink->op, type) ? FOLD_ANY : FOLD_LANES;
        fold.identity = cu_const(cu, type, bits);
        return fold;
    }
    bool is_pick = sink->kind == SINK_PICK;
    const IrRegion *op = kernel->regions[sink->region];
    if (fail) {
        fold.op = cu_inner_operator(cu, op, fold.l, is_pick, fail);
        return fold;
    }
    const char *name = cu_operator(cu, op, fold.l, is_pick);
    fold.op = arena_printf(cu->arena, "[&](const %s &x, const %s &y) { return %s(a, x, y); }", fold.type,
                           fold.type, name);
    return fold;
}

/* ---- points ---- */

void cu_point(Cu *cu, const IrRegion *body, const char *p, const char *const *dims, int rank) {
    static const char *const names[] = {"i", "j", "k", "l", "m", "n", "o", "q"};
    const char *rest = p;
    bool has_names = rank <= ARRAY_LEN(names) && !cu->is_nested;
    for (int axis = rank - 1; axis >= 0; axis--) {
        const char **s = cu_slots(cu, 1);
        s[0] = rest;
        if (axis > 0) { /* what is left is the first index, in the end */
            s[0] = has_names ? names[axis] : cu_name(cu, "i");
            const char *next = axis > 1 ? cu_name(cu, "r") : has_names ? names[0] : cu_name(cu, "i");
            cu_line(cu, "i64 %s, %s;", next, s[0]);
            cu_line(cu, "gx_split(%s, %s, %s, %s);", rest, dims[axis], next, s[0]);
            rest = next;
        }
        cu_set(cu, body->params.at[axis], s, 1);
    }
}

/* The sizes and the number of points of a nested kernel. */
static const char *points_of(Cu *cu, const IrOp *op, const char **dims) {
    const char *total = NULL;
    int64_t n;
    for (int k = 0; k < op->kernel->rank; k++) {
        dims[k] = cu_scalar(cu, op->args[k]);
        if (!ir_const_int(cu->ir, op->args[k], &n) || n < 0)
            dims[k] = cu_named(cu, "i64", "n", arena_printf(cu->arena, "gx_max(%s, (i64)0)", dims[k]));
        total = total ? arena_printf(cu->arena, "gx_times(%s, %s)", total, dims[k]) : dims[k];
    }
    if (op->kernel->rank > 1)
        total = cu_named(cu, "i64", "n", total);
    return total ? total : "(i64)1";
}

/* ---- a point's values ---- */

/* What a loop over the points fills. */
typedef struct {
    const char ***data; /* by sink: columns of a MAP, or NULL */
    const char **parts; /* by sink: elements of a row, where its points are rows */
    const char ***dims; /* by sink: of its array */
    CuSink *sinks;      /* by sink: those that one thread does in order; NULL: there are none */
} Stores;

static void store_row(Cu *cu, const Layout *l, IrId id, const char *const *data, const char *p, const char *part) {
    Layout *row = cu_layout(cu, id);
    Text *v = cu_value(cu, id);
    for (int c = 0; v->s && c < l->ncols; c++)
        cu_line(cu, "gx_copy<1>(%s + %s * %s, (const %s *)(%s), %s);", data[c], p, part, cu_col_type(cu, &l->cols[c]),
                v->s[layout_col_slot(row, c) + 1], part);
}

static void store_points(Cu *cu, IrId id, const Stores *stores, const char *p) {
    const IrOp *op = ir_op(cu->ir, id);
    for (int k = 0; k < op->kernel->nsinks && !cu->out->why; k++) {
        const IrSink *sink = &op->kernel->sinks[k];
        IrId yield = op->regions[0]->results.at[sink->yield];
        Layout *l = layout_of(cu->e, sink->type);
        if (stores->sinks && stores->sinks[k].sink) {
            cu_sink_point(cu, id, &stores->sinks[k], p);
        } else if (stores->data && stores->data[k] && stores->parts[k]) {
            store_row(cu, l, yield, stores->data[k], p, stores->parts[k]);
        } else if (stores->data && stores->data[k]) {
            Text *v = cu_value(cu, yield);
            if (v->s)
                cu_store(cu, l->elem, stores->data[k], p, v->s);
        }
    }
}

/* The state for the body of a kernel, which one thread or lane does for a point. */
static Cu enter_body(const Cu *cu) {
    Cu inner = *cu;
    inner.is_wide = false;
    inner.is_nested = true;
    inner.indent++;
    if (cu->is_wide)
        inner.heap = "own";
    return inner;
}

/* ---- sums ---- */

/* The body as a lambda of a point's number that gives sink's value. */
static void write_lambda(Cu *cu, IrId id, const IrSink *sink, const CuFold *fold, const char *const *dims,
                         const char *zero, const char *ok, const Stores *stores) {
    const IrOp *op = ir_op(cu->ir, id);
    Cu inner = enter_body(cu);
    const char *p = cu_name(&inner, "p");
    bool is_flat = type_is_flat(fold->l->type);
    CuScope scope;
    inner.fail = arena_printf(cu->arena, "{ %s = false; return %s; }", ok, zero);
    inner.outlives |= !is_flat;
    cu_line(cu, "    [&](const i64 %s) -> %s {", p, fold->type);
    inner.indent++;
    if (is_flat)
        cu_open_scope(&inner, &scope);
    cu_point(&inner, op->regions[0], p, dims, op->kernel->rank);
    cu_ops(&inner, op->regions[0]);
    if (!cu->out->why)
        store_points(&inner, id, stores, p);
    if (is_flat)
        cu_close_scope(&inner, &scope);
    Text *v = cu->out->why ? NULL : cu_value(&inner, op->regions[0]->results.at[sink->yield]);
    if (v && v->s)
        cu_line(&inner, "return %s;", cu_make(&inner, fold->l, v->s));
    cu_line(cu, "    },");
    cu_leave(cu, &inner);
}

static void call_fold(Cu *cu, IrId id, const IrSink *sink, const char *const *dims, const char *total,
                      const Stores *stores, const char *ok, const char *v, CuFold *fold) {
    static const char *const forms[] = {
        [FOLD_ANY] = "any", [FOLD_LANES] = "lanes", [FOLD_PICK] = "pick", [FOLD_PIECES] = "pieces"};
    const IrOp *op = ir_op(cu->ir, id);
    *fold = cu_fold(cu, op, sink, arena_printf(cu->arena, "{ %s = false;", ok));
    Text *zero = cu_value(cu, op->args[sink->arg]);
    if (cu->out->why || !zero->s)
        return;
    const char *start = cu_make(cu, fold->l, zero->s);
    cu_line(cu, "const %s %s = gx_fold_%s<%d, %s>(", fold->type, v, forms[fold->mode], cu->is_wide ? 32 : 1,
            fold->type);
    cu_line(cu, "    %s, %s%s%s,", total, start, fold->identity ? ", " : "", fold->identity ? fold->identity : "");
    write_lambda(cu, id, sink, fold, dims, start, ok, stores);
    cu_line(cu, "    %s);", fold->op);
}

/* One REDUCE or PICK of a nested kernel; its value's slots. */
static void nested_fold(Cu *cu, IrId id, const IrSink *sink, const char *const *dims, const char *total,
                        const Stores *stores, const char **out) {
    const char *v = cu_name(cu, "v"), *ok = arena_printf(cu->arena, "ok_%s", v);
    bool could = cu->out->can_fault;
    cu->out->can_fault = false;
    Buf code = {.arena = cu->arena}, *outer = cu->code;
    CuFold fold;
    cu->code = &code;
    call_fold(cu, id, sink, dims, total, stores, ok, v, &fold);
    cu->code = outer;
    if (cu->out->why)
        return;
    if (cu->out->can_fault)
        cu_line(cu, "bool %s = true;", ok);
    buf_add(cu->code, buf_text(&code), code.len);
    if (cu->out->can_fault)
        cu_line(cu, cu->is_wide ? "if (gx_any(!%s)) %s" : "if (!%s) %s", ok, cu->fail);
    cu->out->can_fault |= could;
    for (int k = 0; k < fold.l->nslots; k++)
        out[k] = cu_member(cu, fold.l, v, k);
}

/* ---- rows ---- */

/* The size of a nested space if it is a small constant, else 0. */
static int64_t constant_points(Cu *cu, const IrOp *op) {
    int64_t total = 1, n;
    for (int k = 0; k < op->kernel->rank; k++) {
        if (!ir_const_int(cu->ir, op->args[k], &n) || n < 0 || n > MOST_LOCAL)
            return 0;
        total *= n;
        if (total > MOST_LOCAL)
            return 0;
    }
    return total;
}

/* Arrays for the columns of a value that the thread keeps. */
static const char **local_columns(Cu *cu, const Layout *l, int64_t n) {
    const char **data = cu_slots(cu, l->ncols);
    for (int c = 0; c < l->ncols; c++) {
        const char *type = cu_col_type(cu, &l->cols[c]);
        data[c] = cu_name(cu, "row");
        if (cu->lists)
            buf_printf(cu->lists, "%*s%s %s[%d];\n", 4 * cu->lists_indent, "", type, data[c], (int)n);
        else
            cu_line(cu, "%s %s[%d];", type, data[c], (int)n);
    }
    return data;
}

/* Memory of the launch for the columns of an array that a point makes; one a thread or warp. */
static const char **scratch_columns(Cu *cu, IrId id, const Layout *l) {
    const char **data = cu_slots(cu, l->ncols);
    int count = cu_word(cu, WORD_ROWS, id, 0, -1);
    const char *n = cu_word_field(cu, "row", "i64", WORD_ROWS, id, 0, -1);
    for (int c = 0; c < l->ncols; c++) {
        GactDeviceArg arg = {.kind = GACT_ARG_SCRATCH,
                             .bytes = l->cols[c].bytes,
                             .unit = GACT_UNIT_SLOT,
                             .count = count};
        const char *type = cu_col_type(cu, &l->cols[c]);
        const char *field = cu_field(cu, arena_printf(cu->arena, "%s *", type), "rows", arg);
        data[c] = cu_name(cu, "row");
        cu_line(cu, "%s *const %s = %s + gx_%s() * %s;", type, data[c], field,
                cu->is_warp ? "warp" : "thread", n);
    }
    return data;
}

/* May a number, or with is_size the sizes of an array, differ from point to point? */
static bool varies(Cu *cu, IrId id, bool is_size) {
    const IrOp *op = ir_op(cu->ir, id);
    if (!cu->inner[id] || op->kind == IR_CONST)
        return false;
    if (op->kind == IR_DIM)
        return varies(cu, op->args[0], true);
    if (is_size && (op->kind == IR_INDEX || op->kind == IR_CHECK))
        return varies(cu, op->args[0], true);
    if (is_size && op->kind != IR_KERNEL)
        return true;
    if (!is_size && !ir_is_scalar_op(op->kind))
        return true;
    int n = is_size ? op->kernel->rank : op->nargs;
    for (int k = 0; k < n; k++)
        if (varies(cu, op->args[k], false))
            return true;
    return false;
}

/* Where a regular array of n elements that a point makes goes: to its place in the output, to the thread
   itself where `few`, its number of elements, is small and not 0, to memory of the launch or to the arena.
   *is_shared: the lanes of a warp fill it together. */
static const char **place_array(Cu *cu, IrId id, const Layout *l, int64_t few, const char *n, bool *is_shared) {
    const IrOp *op = ir_op(cu->ir, id);
    *is_shared = cu->is_wide;
    if (cu->row == id)
        return cu->row_data;
    if (few > 0 && !cu->outlives) {
        *is_shared = false;
        return local_columns(cu, l, few);
    }
    bool is_fixed = op->kind == IR_KERNEL ? l->rank == op->kernel->rank && !varies(cu, id, true)
                                          : !varies(cu, op->args[0], true) && !varies(cu, op->args[1], true);
    if (is_fixed && !cu->is_function && !cu->is_nested && !cu->in_loop && !cu->outlives && cu->is_warp == cu->is_wide)
        return scratch_columns(cu, id, l);
    return cu_take_columns(cu, l, n);
}

/* The slots of an array. */
static const char **array_slots(Cu *cu, const Layout *l, const char *const *dims, const char *const *data) {
    const char **s = cu_slots(cu, l->nslots);
    for (int k = 0; k < l->rank; k++)
        s[k] = dims[k];
    for (int c = 0; c < l->ncols; c++)
        s[layout_col_slot(l, c) + 1] = data[c];
    return s;
}

/* A loop over the points that fills all arrays. */
static void fill_rows(Cu *cu, IrId id, const char *const *dims, const char *total, const Stores *stores,
                      bool is_wide) {
    const IrOp *op = ir_op(cu->ir, id);
    const char *p = cu_name(cu, "p"), *ok = arena_printf(cu->arena, "ok_%s", p);
    bool could = cu->out->can_fault;
    cu->out->can_fault = false;
    Buf code = {.arena = cu->arena}, *outer = cu->code;
    cu->code = &code;
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = %s; %s < %s; %s += %d) {", p, is_wide ? "gx_lane()" : "0", p, total, p,
            is_wide ? 32 : 1);
    Cu inner = enter_body(cu);
    if (is_wide) /* the others of the warp go on, and all meet after the loop */
        inner.fail = arena_printf(cu->arena, "{ %s = false; break; }", ok);
    CuScope scope;
    cu_open_scope(&inner, &scope);
    cu_point(&inner, op->regions[0], p, dims, op->kernel->rank);
    cu_ops(&inner, op->regions[0]);
    if (!cu->out->why) { /* what it makes stays on the side of the code around it */
        inner.side = cu->side;
        inner.other = cu->other;
        store_points(&inner, id, stores, p);
    }
    cu_close_scope(&inner, &scope);
    cu_leave(cu, &inner);
    cu_line(cu, "}");
    cu->code = outer;
    bool can = is_wide && cu->out->can_fault;
    if (can)
        cu_line(cu, "bool %s = true;", ok);
    buf_add(cu->code, buf_text(&code), code.len);
    if (can)
        cu_line(cu, "if (gx_any(!%s)) %s", ok, cu->fail);
    cu->out->can_fault |= could;
}

/* A product of matrices: each element adds its products in order. */
void cu_matmul(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Text *a = cu_value(cu, op->args[0]), *b = cu_value(cu, op->args[1]);
    Layout *l = cu_layout(cu, id);
    bool is_wide;
    if (!a->s || !b->s)
        return;
    const char *n = arena_printf(cu->arena, "gx_times(%s, %s)", a->s[0], b->s[1]);
    const char **data = place_array(cu, id, l, 0, n, &is_wide);
    const char *type = cu_type(cu, l->elem), *p = cu_name(cu, "p");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = %s; %s < %s * %s; %s += %d)", p, is_wide ? "gx_lane()" : "0", p, a->s[0],
            b->s[1], p, is_wide ? 32 : 1);
    cu_line(cu, "    %s[%s] = gx_dot<%s>(%s + %s / %s * %s, %s + %s %% %s, %s, %s);", data[0], p, type, a->s[3],
            p, b->s[1], a->s[1], b->s[3], p, b->s[1], a->s[1], b->s[1]);
    if (is_wide)
        cu_line(cu, "gx_sync_warp();");
    const char *dims[] = {a->s[0], b->s[1]};
    cu_set(cu, id, array_slots(cu, l, dims, data), l->nslots);
}

/* Places for the arrays of a nested kernel's MAPs of known size. All are filled by the lanes of a warp together,
   or none. */
static void place_maps(Cu *cu, IrId id, const char *const *dims, const char *total, Stores *stores,
                       bool *is_wide) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *body = op->regions[0];
    int rank = op->kernel->rank;
    for (int k = 0; k < op->kernel->nsinks; k++) {
        const IrSink *sink = &op->kernel->sinks[k];
        Layout *l = layout_of(cu->e, sink->type);
        if (sink->kind != SINK_MAP || cu_is_built(cu, op, sink))
            continue;
        const char *n = total, *part = NULL;
        stores->dims[k] = cu_slots(cu, l->rank);
        for (int d = 0; d < rank; d++)
            stores->dims[k][d] = dims[d];
        for (int d = rank; d < l->rank; d++) {
            const char *size = cu_size_before(cu, body, body->results.at[sink->yield], d - rank);
            stores->dims[k][d] = size = cu_named(cu, "i64", "n", size);
            part = part ? arena_printf(cu->arena, "gx_times(%s, %s)", part, size) : size;
        }
        if (part) {
            stores->parts[k] = part = cu_named(cu, "i64", "part", part);
            n = arena_printf(cu->arena, "gx_times(%s, %s)", total, part);
        }
        int64_t few = op->kernel->nsinks == 1 && !part && !cu->owned[id] ? constant_points(cu, op) : 0;
        stores->data[k] = place_array(cu, id, l, few, n, is_wide);
    }
}

static bool is_fold(const IrSink *sink) {
    return sink->kind == SINK_REDUCE || sink->kind == SINK_PICK;
}

/* Opens the sinks that one thread does in order; are there any? */
static bool open_sinks(Cu *cu, IrId id, const char *const *dims, const char *total, Stores *stores, const char *ok) {
    const IrOp *op = ir_op(cu->ir, id);
    stores->sinks = NEW_ARRAY(cu->arena, CuSink, op->kernel->nsinks);
    bool is_any = false;
    for (int k = 0; k < op->kernel->nsinks && !cu->out->why; k++) {
        const IrSink *sink = &op->kernel->sinks[k];
        if (is_fold(sink) || stores->data[k])
            continue;
        is_any = true;
        CuSink *s = &stores->sinks[k];
        *s = (CuSink){.sink = sink, .l = layout_of(cu->e, sink->type)};
        cu_sink_open(cu, id, s, dims, total, ok);
    }
    return is_any;
}

/* The loop over the points for sinks in order, and what they have become; their operators' faults count. */
static void run_in_order(Cu *cu, IrId id, const char *const *dims, const char *total, Stores *stores,
                         const char *ok) {
    if (cu->is_wide)
        cu_no(cu, ir_op(cu->ir, id)->span, "it makes lists where a warp does a point");
    fill_rows(cu, id, dims, total, stores, false);
    for (int k = 0; k < ir_op(cu->ir, id)->kernel->nsinks && !cu->out->why; k++)
        if (stores->sinks[k].chunk)
            cu_line(cu, "%s();", stores->sinks[k].join);
    if (cu->out->can_fault)
        cu_line(cu, "if (!%s) %s", ok, cu->fail);
}

void cu_nested(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrKernel *kernel = op->kernel;
    const char **dims = cu_slots(cu, kernel->rank), *total = points_of(cu, op, dims);
    const char **s = cu_slots(cu, cu_layout(cu, id)->nslots), *ok = cu_name(cu, "in_order");
    Stores stores = {.data = NEW_ARRAY(cu->arena, const char **, kernel->nsinks),
                     .parts = cu_slots(cu, kernel->nsinks),
                     .dims = NEW_ARRAY(cu->arena, const char **, kernel->nsinks)};
    const Stores none = {0};
    bool is_wide = cu->is_wide, is_filled = false, has_maps = false;
    place_maps(cu, id, dims, total, &stores, &is_wide);
    Buf code = {.arena = cu->arena}, *outer = cu->code;
    cu->code = &code;
    bool is_ordered = open_sinks(cu, id, dims, total, &stores, ok);
    if (is_ordered && !cu->out->why)
        run_in_order(cu, id, dims, total, &stores, ok);
    cu->code = outer;
    if (is_ordered)
        cu_line(cu, "bool %s = true;", ok);
    buf_add(cu->code, buf_text(&code), code.len);
    if (!is_ordered)
        stores.sinks = NULL;
    is_filled = is_ordered;
    for (int k = 0, at = 0; k < kernel->nsinks && !cu->out->why; k++) {
        const IrSink *sink = &kernel->sinks[k];
        Layout *l = layout_of(cu->e, sink->type);
        if (is_fold(sink)) {
            nested_fold(cu, id, sink, dims, total, is_filled ? &none : &stores, s + at);
            is_filled = true;
        } else if (stores.data[k]) {
            const char **slots = array_slots(cu, l, stores.dims[k], stores.data[k]);
            for (int i = 0; i < l->nslots; i++)
                s[at + i] = slots[i];
            has_maps = true;
        } else {
            cu_sink_close(cu, &stores.sinks[k], s + at);
        }
        at += l->nslots;
    }
    if (!is_filled && !cu->out->why)
        fill_rows(cu, id, dims, total, &stores, is_wide);
    if (has_maps && is_wide)
        cu_line(cu, "gx_sync_warp();");
    cu_set(cu, id, s, cu_layout(cu, id)->nslots);
}
