/* Kernels inside of a point: sums and selections by the templates of lang/device_forms.cuh, which keep
   the host's trees, and loops that fill a row of the output or a short array of the thread's own.
   Where a warp does the point, its lanes share the loop of a kernel that is not inside another. */
#include "text.h"

#include <string.h>

enum { MOST_LOCAL = 64 };

/* ---- operators ---- */

static bool is_exact(IrKind kind, const Type *type) {
    return !type_is_float(type) || kind == IR_MIN || kind == IR_MAX;
}

CuFold cu_fold(Cu *cu, const IrOp *kernel, const IrSink *sink) {
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
    const char *name = cu_operator(cu, kernel->regions[sink->region], fold.l, is_pick);
    fold.op = arena_printf(cu->arena, "[&](const %s &x, const %s &y) { return %s(a, x, y); }", fold.type,
                           fold.type, name);
    return fold;
}

/* ---- points ---- */

void cu_point(Cu *cu, const IrRegion *body, const char *p, const char *const *dims, int rank) {
    static const char *const names[] = {"i", "j", "k", "l", "m", "n", "o", "q"};
    const char *rest = p;
    for (int axis = rank - 1; axis >= 0; axis--) {
        const char **s = cu_slots(cu, 1);
        s[0] = axis < ARRAY_LEN(names) && !cu->is_nested ? names[axis] : cu_name(cu, "i");
        if (axis > 0) {
            const char *next = cu_name(cu, "r");
            cu_line(cu, "i64 %s, %s;", next, s[0]);
            cu_line(cu, "gx_split(%s, %s, %s, %s);", rest, dims[axis], next, s[0]);
            rest = next;
        } else if (strcmp(rest, s[0])) {
            cu_line(cu, "const i64 %s = %s;", s[0], rest);
        }
        cu_set(cu, body->params.at[axis], s, 1);
    }
}

/* The sizes and the number of points of a nested kernel. */
static const char *points_of(Cu *cu, const IrOp *op, const char **dims) {
    const char *total = NULL;
    for (int k = 0; k < op->kernel->rank; k++) {
        dims[k] = cu_scalar(cu, op->args[k]);
        total = total ? arena_printf(cu->arena, "%s * gx_max(%s, (i64)0)", total, dims[k])
                      : arena_printf(cu->arena, "gx_max(%s, (i64)0)", dims[k]);
    }
    return total ? total : "(i64)1";
}

/* ---- sums ---- */

/* The body as a lambda of a point's number that gives sink's value, in code of its own. */
static void write_lambda(Cu *cu, const IrOp *op, const IrSink *sink, const CuFold *fold,
                         const char *const *dims, const char *zero, const char *ok) {
    Cu inner = *cu;
    const char *p = cu_name(&inner, "p");
    inner.is_wide = false;
    inner.is_nested = true;
    inner.indent++;
    inner.fail = arena_printf(cu->arena, "{ %s = false; return %s; }", ok, zero);
    cu_line(cu, "    [&](const i64 %s) -> %s {", p, fold->type);
    inner.indent++;
    cu_point(&inner, op->regions[0], p, dims, op->kernel->rank);
    cu_ops(&inner, op->regions[0]);
    if (!cu->out->why) {
        Text *v = cu_value(&inner, op->regions[0]->results.at[sink->yield]);
        if (v->s)
            cu_line(&inner, "return %s;", cu_make(&inner, fold->l, v->s));
    }
    cu_line(cu, "    },");
    cu_leave(cu, &inner);
}

/* One REDUCE or PICK of a nested kernel; its value's slots. */
static void nested_fold(Cu *cu, const IrOp *op, const IrSink *sink, const char *const *dims,
                        const char *total, const char **out) {
    static const char *const forms[] = {
        [FOLD_ANY] = "any", [FOLD_LANES] = "lanes", [FOLD_PICK] = "pick", [FOLD_PIECES] = "pieces"};
    CuFold fold = cu_fold(cu, op, sink);
    Text *zero = cu_value(cu, op->args[sink->arg]);
    if (cu->out->why || !zero->s)
        return;
    const char *start = cu_make(cu, fold.l, zero->s), *v = cu_name(cu, "v");
    const char *ok = arena_printf(cu->arena, "ok_%s", v);
    bool could = cu->out->can_fault;
    cu->out->can_fault = false;
    Buf code = {.arena = cu->arena}, *outer = cu->code;
    cu->code = &code;
    cu_line(cu, "const %s %s = gx_fold_%s<%d, %s>(", fold.type, v, forms[fold.mode], cu->is_wide ? 32 : 1,
            fold.type);
    cu_line(cu, "    %s, %s%s%s,", total, start, fold.identity ? ", " : "",
            fold.identity ? fold.identity : "");
    write_lambda(cu, op, sink, &fold, dims, start, ok);
    cu_line(cu, "    %s);", fold.op);
    cu->code = outer;
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
        data[c] = cu_name(cu, "row");
        cu_line(cu, "%s %s[%d];", cu_col_type(cu, &l->cols[c]), data[c], (int)n);
    }
    return data;
}

static void nested_map(Cu *cu, IrId id, const char *const *dims, const char *total) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrSink *sink = &op->kernel->sinks[0];
    Layout *l = cu_layout(cu, id);
    bool is_output = cu->row == id, is_wide = cu->is_wide && is_output;
    int64_t n = is_output ? 0 : constant_points(cu, op);
    if (!l->is_regular || l->rank != op->kernel->rank || (!is_output && n == 0)) {
        cu_no(cu, op->span, "it makes an array a point");
        return;
    }
    const char **data = is_output ? cu->row_data : local_columns(cu, l, n);
    const char *p = cu_name(cu, "p");
    cu_line(cu, "for (i64 %s = %s; %s < %s; %s += %d) {", p, is_wide ? "gx_lane()" : "0", p, total, p,
            is_wide ? 32 : 1);
    Cu inner = *cu;
    inner.is_wide = false;
    inner.is_nested = true;
    inner.indent++;
    bool could = cu->out->can_fault;
    cu->out->can_fault = false;
    cu_point(&inner, op->regions[0], p, dims, op->kernel->rank);
    cu_ops(&inner, op->regions[0]);
    Text *v = cu->out->why ? NULL : cu_value(&inner, op->regions[0]->results.at[sink->yield]);
    if (v && v->s)
        cu_store(&inner, l->elem, data, p, v->s);
    cu_leave(cu, &inner);
    cu_line(cu, "}");
    if (is_wide && cu->out->can_fault)
        cu_no(cu, op->span, "its rows may fault");
    cu->out->can_fault |= could;
    if (is_wide)
        cu_line(cu, "gx_sync_warp();");
    const char **s = cu_slots(cu, l->nslots);
    for (int k = 0; k < l->rank; k++)
        s[k] = dims[k];
    for (int c = 0; c < l->ncols; c++)
        s[layout_col_slot(l, c) + 1] = data[c];
    cu_set(cu, id, s, l->nslots);
}

void cu_nested(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrKernel *kernel = op->kernel;
    const char **dims = cu_slots(cu, kernel->rank), *total = points_of(cu, op, dims);
    if (kernel->nsinks == 1 && kernel->sinks[0].kind == SINK_MAP) {
        nested_map(cu, id, dims, total);
        return;
    }
    const char **s = cu_slots(cu, cu_layout(cu, id)->nslots);
    int at = 0;
    for (int k = 0; k < kernel->nsinks && !cu->out->why; k++) {
        const IrSink *sink = &kernel->sinks[k];
        if (sink->kind != SINK_REDUCE && sink->kind != SINK_PICK) {
            cu_no(cu, op->span, "it makes an array a point");
            return;
        }
        nested_fold(cu, op, sink, dims, total, s + at);
        at += layout_of(cu->e, sink->type)->nslots;
    }
    cu_set(cu, id, s, at);
}
