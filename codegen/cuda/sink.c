/* What becomes of the points of a nested kernel that one thread does in order: scans, filters, lists, tables.
   The orders are those of the host: scans by gx_prefix, tables of rounding sums in chunks of the points. */
#include "text.h"

#include <string.h>

/* ---- sizes that are known before a kernel inside of the point runs ---- */

static const char *number_before(Cu *cu, const IrRegion *region, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    if (!ir_defined_in(cu->ir, region, id))
        return cu_scalar(cu, id);
    if (op->kind == IR_CONST)
        return cu_const(cu, op->type, op->imm);
    if (op->kind == IR_DIM)
        return cu_size_before(cu, region, op->args[0], (int)op->imm);
    if (op->kind == IR_CHECK && op->args[0])
        return number_before(cu, region, op->args[0]);
    if (!ir_is_scalar_op(op->kind))
        return NULL;
    const char *args[3];
    for (int k = 0; k < op->nargs; k++)
        if (!(args[k] = number_before(cu, region, op->args[k])))
            return NULL;
    return arena_printf(cu->arena, "(%s)", cu_expression(cu, op->kind, op->type, args));
}

static const char *row_before(Cu *cu, const IrRegion *region, const IrOp *op, int axis) {
    const IrSink *sink = &op->kernel->sinks[0];
    if (op->kernel->nsinks != 1 || (sink->kind != SINK_MAP && sink->kind != SINK_SCAN && sink->kind != SINK_LIST))
        return NULL;
    if (axis >= op->kernel->rank)
        return cu_size_before(cu, region, op->regions[0]->results.at[sink->yield], axis - op->kernel->rank);
    const char *n = number_before(cu, region, op->args[axis]);
    return n ? arena_printf(cu->arena, "gx_max(%s, (i64)0)", n) : NULL;
}

const char *cu_size_before(Cu *cu, const IrRegion *region, IrId id, int axis) {
    const IrOp *op = ir_op(cu->ir, id);
    if (!ir_defined_in(cu->ir, region, id))
        return cu_value(cu, id)->s ? cu_value(cu, id)->s[axis] : NULL;
    switch ((int)op->kind) {
    case IR_ZIP:
    case IR_UPDATE:
    case IR_SORT:
    case IR_CHECK: return cu_size_before(cu, region, op->args[0], axis);
    case IR_INDEX:
        if (op->nargs - 1 == cu_layout(cu, op->args[0])->rank)
            return NULL;
        return cu_size_before(cu, region, op->args[0], axis + op->nargs - 1);
    case IR_SLICE: return axis > 0 ? cu_size_before(cu, region, op->args[0], axis) : NULL;
    case IR_LIST:
        if (axis == 0)
            return arena_printf(cu->arena, "(i64)%d", op->nargs);
        return op->nargs ? cu_size_before(cu, region, op->args[0], axis - 1) : NULL;
    case IR_RESHAPE: return number_before(cu, region, op->args[1 + axis]);
    case IR_MATMUL: return cu_size_before(cu, region, op->args[axis], axis);
    case IR_SELECT: return cu_size_before(cu, region, op->args[1], axis);
    case IR_IF: return op->regions[0]->results.len == 1
                           ? cu_size_before(cu, region, op->regions[0]->results.at[0], axis)
                           : NULL;
    case IR_KERNEL: return row_before(cu, region, op, axis);
    default: return NULL;
    }
}

bool cu_is_built(Cu *cu, const IrOp *op, const IrSink *sink) {
    Layout *l = layout_of(cu->e, sink->type);
    const IrRegion *body = op->regions[0];
    if (sink->kind != SINK_MAP)
        return sink->kind == SINK_FILTER || sink->kind == SINK_LIST || sink->kind == SINK_FLATMAP;
    if (!l->is_regular)
        return true;
    for (int d = op->kernel->rank; d < l->rank; d++)
        if (!cu_size_before(cu, body, body->results.at[sink->yield], d - op->kernel->rank))
            return true;
    return false;
}

/* ---- before the points ---- */

static void open_operator(Cu *cu, const IrOp *op, CuSink *s, const char *ok, CuFold *fold) {
    *fold = cu_fold(cu, op, s->sink, arena_printf(cu->arena, "{ %s = false;", ok));
    if (cu->out->why)
        return;
    s->value = fold->l;
    s->op = cu_name(cu, "op");
    cu_line(cu, "const auto %s = %s;", s->op, fold->op);
}

static const char *made(Cu *cu, IrId id) {
    Text *v = cu_value(cu, id);
    return v->s ? cu_make(cu, cu_layout(cu, id), v->s) : "0";
}

static void open_scan(Cu *cu, IrId id, CuSink *s, const char *total, const char *ok) {
    const IrOp *op = ir_op(cu->ir, id);
    CuFold fold;
    open_operator(cu, op, s, ok, &fold);
    if (cu->out->why)
        return;
    if (!type_is_flat(fold.l->type)) {
        cu_no(cu, op->span, "it scans arrays inside of a point");
        return;
    }
    s->data = cu->row == id ? cu->row_data : cu_take_columns(cu, s->l, total);
    s->state = cu_name(cu, "scan");
    s->is_exact = fold.mode == FOLD_ANY;
    cu_line(cu, s->is_exact ? "%s %s = %s;" : "gx_prefix<%s> %s(%s);", fold.type, s->state,
            made(cu, op->args[s->sink->arg]));
}

/* Elements of the table's columns all set to the zero. */
static void fill_zeros(Cu *cu, const IrOp *op, CuSink *s) {
    Text *zero = cu_value(cu, op->args[s->sink->arg + 1]);
    const char *p = cu_name(cu, "p");
    if (!zero->s)
        return;
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++) {", p, p, s->dims[0], p);
    cu->indent++;
    cu_store(cu, s->l->elem, s->data, p, zero->s);
    cu->indent--;
    cu_line(cu, "}");
}

static void load_made(Cu *cu, CuSink *s, const char *const *data, const char *at, const char **v) {
    const char **cols = cu_slots(cu, 2 * s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++)
        cols[2 * c + 1] = data[c];
    cu_load(cu, s->l->elem, cols, at, "old", v);
}

/* data[at] = op(data[at], v). */
static void combine(Cu *cu, CuSink *s, const char *const *data, const char *at, const char *const *v) {
    const char **old = cu_slots(cu, s->value->nslots), **sum = cu_slots(cu, s->value->nslots);
    load_made(cu, s, data, at, old);
    const char *r = cu_named(cu, cu_struct(cu, s->value), "sum",
                             arena_printf(cu->arena, "%s(%s, %s)", s->op, cu_make(cu, s->value, old),
                                          cu_make(cu, s->value, v)));
    for (int k = 0; k < s->value->nslots; k++)
        sum[k] = cu_member(cu, s->value, r, k);
    cu_store(cu, s->l->elem, data, at, sum);
}

/* Chunks after the first have a table of their own, which is joined to the first at their end. */
static void open_chunks(Cu *cu, CuSink *s, const char *total) {
    const char *b = cu_name(cu, "b"), **v = cu_slots(cu, s->value->nslots);
    s->chunk = cu_named(cu, "i64", "chunk", arena_printf(cu->arena, "gx_table_chunk(%s, %s)", total, s->dims[0]));
    const char *n = cu_named(cu, "i64", "n",
                             arena_printf(cu->arena, "%s > %s ? %s : (i64)0", total, s->chunk, s->dims[0]));
    s->more = cu_take_columns(cu, s->l, n);
    s->seen = cu_take(cu, "u8", n);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++) %s[%s] = 0;", b, b, n, b, s->seen, b);
    s->join = cu_name(cu, "join");
    cu_line(cu, "const auto %s = [&]() {", s->join);
    cu->indent++;
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++) {", b, b, n, b);
    cu->indent++;
    cu_line(cu, "if (!%s[%s]) continue;", s->seen, b);
    cu_line(cu, "%s[%s] = 0;", s->seen, b);
    load_made(cu, s, s->more, b, v);
    combine(cu, s, s->data, b, v);
    cu->indent--;
    cu_line(cu, "}");
    cu->indent--;
    cu_line(cu, "};");
}

static void open_hist(Cu *cu, const IrOp *op, CuSink *s, const char *total, const char *ok) {
    CuFold fold;
    open_operator(cu, op, s, ok, &fold);
    if (cu->out->why)
        return;
    if (s->l->rank > 1 || !s->l->is_regular) {
        cu_no(cu, op->span, "it makes a table of arrays inside of a point");
        return;
    }
    const char *n = cu_scalar(cu, op->args[s->sink->arg]);
    s->dims[0] = cu_named(cu, "i64", "n", arena_printf(cu->arena, "gx_max(%s, (i64)0)", n));
    s->data = cu_take_columns(cu, s->l, s->dims[0]);
    fill_zeros(cu, op, s);
    if (fold.mode != FOLD_ANY)
        open_chunks(cu, s, total);
}

static void open_scatter(Cu *cu, const IrOp *op, CuSink *s, const char *ok) {
    IrId dest = op->args[s->sink->arg];
    Text *v = cu_value(cu, dest);
    CuFold fold;
    if (!v->s)
        return;
    if (!s->l->is_regular || (s->l->rank > 1 && s->sink->region >= 0)) {
        cu_no(cu, op->span, "it scatters arrays inside of a point");
        return;
    }
    if (s->sink->region >= 0)
        open_operator(cu, op, s, ok, &fold);
    bool is_taken = s->sink->arg < 64 && op->consumed >> s->sink->arg & 1;
    const char *const *from = is_taken ? v->s : cu_copy(cu, s->l->type, v->s);
    s->data = cu_slots(cu, s->l->ncols);
    for (int c = 0; c < s->l->ncols; c++) {
        const char *type = cu_col_type(cu, &s->l->cols[c]);
        s->data[c] = cu_named(cu, arena_printf(cu->arena, "%s *", type), "w",
                              arena_printf(cu->arena, "(%s *)(%s)", type, from[layout_col_slot(s->l, c) + 1]));
    }
    for (int d = 0; d < s->l->rank; d++)
        s->dims[d] = v->s[d];
    s->part = cu_total(cu, s->l, v->s, 1);
}

/* The sizes of a row of what is built are those of the last one, where they are not known before. */
static void open_built(Cu *cu, const IrOp *op, CuSink *s, int nspace) {
    const IrRegion *body = op->regions[0];
    int yield = s->sink->yield + (s->sink->kind == SINK_FILTER);
    s->builder = cu_builder(cu, s->l);
    s->rows = cu_slots(cu, s->l->rank);
    for (int d = nspace; d < s->l->rank; d++) {
        const char *n = cu_size_before(cu, body, body->results.at[yield], d - nspace);
        s->rows[d] = s->dims[d] = cu_name(cu, "n");
        cu_line(cu, "i64 %s = %s;", s->dims[d], n ? n : "0");
    }
    if (s->sink->kind == SINK_FILTER) {
        s->dims[0] = cu_name(cu, "kept");
        cu_line(cu, "i64 %s = 0;", s->dims[0]);
    }
}

void cu_sink_open(Cu *cu, IrId id, CuSink *s, const char *const *dims, const char *total, const char *ok) {
    const IrOp *op = ir_op(cu->ir, id);
    int nspace = s->sink->kind == SINK_FILTER || s->sink->kind == SINK_FLATMAP ? 1 : op->kernel->rank;
    s->dims = cu_slots(cu, s->l->rank);
    for (int d = 0; s->sink->kind != SINK_FLATMAP && d < nspace && d < op->kernel->rank; d++)
        s->dims[d] = dims[d];
    s->is_built = cu_is_built(cu, op, s->sink);
    if (s->is_built) {
        open_built(cu, op, s, nspace);
        return;
    }
    switch (s->sink->kind) {
    case SINK_SCAN: open_scan(cu, id, s, total, ok); break;
    case SINK_HIST: open_hist(cu, op, s, total, ok); break;
    case SINK_SCATTER: open_scatter(cu, op, s, ok); break;
    default: UNREACHABLE();
    }
}

/* ---- points ---- */

static void put_scan(Cu *cu, CuSink *s, const char *p, const char *const *v) {
    const char *type = cu_struct(cu, s->value), *y = cu_make(cu, s->value, v), *all = cu_name(cu, "all");
    const char **out = cu_slots(cu, s->value->nslots);
    bool is_exclusive = s->sink->imm;
    if (s->is_exact) {
        cu_line(cu, "const %s %s = %s;", type, all,
                is_exclusive ? s->state : arena_printf(cu->arena, "%s(%s, %s)", s->op, s->state, y));
        cu_line(cu, "%s = %s;", s->state,
                is_exclusive ? arena_printf(cu->arena, "%s(%s, %s)", s->op, s->state, y) : all);
    } else {
        cu_line(cu, "const %s %s = %s.next(%s, %s, %s);", type, all, s->state, y, s->op,
                is_exclusive ? "true" : "false");
    }
    for (int k = 0; k < s->value->nslots; k++)
        out[k] = cu_member(cu, s->value, all, k);
    cu_store(cu, s->l->elem, s->data, p, out);
}

/* A point of a table whose chunks have their own. */
static void put_in_chunk(Cu *cu, CuSink *s, const char *p, const char *at, const char *const *v) {
    const char **here = cu_slots(cu, s->l->ncols);
    cu_line(cu, "if (%s >= 2 * %s && %s %% %s == 0) %s();", p, s->chunk, p, s->chunk, s->join);
    for (int c = 0; c < s->l->ncols; c++)
        here[c] = cu_named(cu, arena_printf(cu->arena, "%s *", cu_col_type(cu, &s->l->cols[c])), "here",
                           arena_printf(cu->arena, "%s < %s ? %s : %s", p, s->chunk, s->data[c], s->more[c]));
    cu_line(cu, "if (%s < %s || %s[%s]) {", p, s->chunk, s->seen, at);
    cu->indent++;
    combine(cu, s, here, at, v);
    cu->indent--;
    cu_line(cu, "} else {");
    cu->indent++;
    cu_line(cu, "%s[%s] = 1;", s->seen, at);
    cu_store(cu, s->l->elem, here, at, v);
    cu->indent--;
    cu_line(cu, "}");
}

static void put_in_table(Cu *cu, CuSink *s, const char *p, const char *at, const Layout *l, const char *const *v) {
    at = cu_named(cu, "i64", "at", at);
    cu_need(cu, arena_printf(cu->arena, "(u64)%s < (u64)%s", at, s->dims[0]));
    if (s->l->rank > 1) {
        cu_need(cu, arena_printf(cu->arena, "%s == %s", cu_total(cu, l, v, 0), s->part));
        for (int c = 0; c < s->l->ncols; c++)
            cu_line(cu, "gx_copy<1>(%s + %s * %s, (const %s *)(%s), %s);", s->data[c], at, s->part,
                    cu_col_type(cu, &s->l->cols[c]), v[layout_col_slot(l, c) + 1], s->part);
    } else if (s->chunk) {
        put_in_chunk(cu, s, p, at, v);
    } else if (s->op) {
        combine(cu, s, s->data, at, v);
    } else {
        cu_store(cu, s->l->elem, s->data, at, v);
    }
}

/* An element of what is built, or all elements of a row. */
static void build_one(Cu *cu, CuSink *s, const Layout *l, const char *const *v) {
    bool is_row = s->sink->kind == SINK_FLATMAP || (s->rows && l->rank > 0 && s->sink->kind != SINK_LIST &&
                                                    layout_is_array(l->type) && !layout_is_array(s->l->elem));
    if (!is_row) {
        cu_push(cu, &s->builder, v);
        return;
    }
    int first = s->l->rank - l->rank;
    for (int d = 0; s->sink->kind != SINK_FLATMAP && d < l->rank; d++)
        cu_line(cu, "%s = %s;", s->rows[first + d], v[d]);
    cu_append(cu, &s->builder, v + l->rank, cu_named(cu, "i64", "n", cu_total(cu, l, v, 0)));
}

static void put_built(Cu *cu, CuSink *s, const char *keep, const Layout *l, const char *const *v) {
    if (!keep) {
        build_one(cu, s, l, v);
        return;
    }
    cu_line(cu, "if (%s) {", keep);
    cu->indent++;
    build_one(cu, s, l, v);
    cu_line(cu, "%s++;", s->dims[0]);
    cu->indent--;
    cu_line(cu, "}");
}

void cu_sink_point(Cu *cu, IrId id, CuSink *s, const char *p) {
    const IrRegion *body = ir_op(cu->ir, id)->regions[0];
    const char *const *v[2];
    int n = ir_sink_yields(s->sink->kind);
    for (int k = 0; k < n; k++)
        if (!(v[k] = cu_value(cu, body->results.at[s->sink->yield + k])->s))
            return;
    const Layout *l = cu_layout(cu, body->results.at[s->sink->yield + n - 1]);
    if (s->is_built)
        put_built(cu, s, n > 1 ? v[0][0] : NULL, l, v[n - 1]);
    else if (s->sink->kind == SINK_SCAN)
        put_scan(cu, s, p, v[0]);
    else
        put_in_table(cu, s, p, v[0][0], l, v[1]);
}

/* ---- after the points ---- */

void cu_sink_close(Cu *cu, CuSink *s, const char **out) {
    const char **cols = cu_slots(cu, 2 * s->l->ncols);
    for (int c = 0; !s->is_built && c < s->l->ncols; c++)
        cols[2 * c + 1] = s->data[c];
    if (s->is_built)
        cu_built(cu, &s->builder, cols);
    for (int d = 0; d < s->l->rank; d++)
        out[d] = s->dims[d] ? s->dims[d] : s->builder.len[0];
    for (int k = 0; k < 2 * s->l->ncols; k++)
        out[s->l->rank + k] = cols[k];
}
