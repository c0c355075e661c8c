/* Memory of the arrays that a point makes: it comes from the arena of lang/device_arena.cuh. Kernels inside
   of the point make their results on one side of it and run their points on the other, whose memory goes
   back after each point; loops that carry arrays free what they have left behind now and then.

   No count says whether memory is shared, so what some op writes over is never shared: where the plan counts
   a reference up, such a value is copied. */
#include "text.h"

#include <string.h>

const char *cu_take(Cu *cu, const char *type, const char *n) {
    const char *name = cu_name(cu, "row");
    cu_line(cu, "%s *const %s = gx_take<%s>(%s, %s, %s);", type, name, type, cu->heap, cu->side, n);
    cu_need(cu, name);
    cu->out->takes++;
    return name;
}

const char **cu_take_columns(Cu *cu, const Layout *l, const char *n) {
    const char **data = cu_slots(cu, l->ncols);
    for (int c = 0; c < l->ncols; c++)
        data[c] = cu_take(cu, cu_col_type(cu, &l->cols[c]), n);
    return data;
}

/* ---- scopes ---- */

void cu_open_scope(Cu *cu, CuScope *scope) {
    *scope = (CuScope){.code = {.arena = cu->arena},
                       .outer = cu->code,
                       .mark = cu_name(cu, "mark"),
                       .heap = cu->heap,
                       .side = cu->side,
                       .other = cu->other,
                       .takes = cu->out->takes};
    cu->code = &scope->code;
    cu->side = scope->other;
    cu->other = scope->side;
}

void cu_close_scope(Cu *cu, CuScope *scope) {
    bool takes = cu->out->takes > scope->takes;
    cu->code = scope->outer;
    cu->side = scope->side;
    cu->other = scope->other;
    if (takes)
        cu_line(cu, "u8 *const %s = %s.at[%s];", scope->mark, scope->heap, scope->other);
    buf_add(cu->code, buf_text(&scope->code), scope->code.len);
    if (takes)
        cu_line(cu, "%s.at[%s] = %s;", scope->heap, scope->other, scope->mark);
}

/* ---- copies ---- */

typedef struct {
    const char *const *from; /* the next slot */
    const char **to;
} Copy;

/* How many elements each level of an array has, and where they begin in its columns; NULL: at 0. */
typedef struct {
    const char **count, **base;
} Levels;

static Levels open_levels(Cu *cu, const Layout *l, const char *total) {
    Levels levels = {cu_slots(cu, l->nlevels), cu_slots(cu, l->nlevels)};
    levels.count[0] = total;
    return levels;
}

/* A column's first element. */
static const char *begin_of(Cu *cu, const Levels *levels, const Column *col, const char *data) {
    const char *base = levels->base[col->level];
    return base ? arena_printf(cu->arena, "%s + %s", data, base) : data;
}

/* What a column of offsets says of the level that it begins. */
static void enter_level(Cu *cu, Levels *levels, const Column *col, const char *from) {
    const char *n = levels->count[col->level];
    const char *lo = cu_named(cu, "i64", "lo", arena_printf(cu->arena, "%s > 0 ? *(%s) : (i64)0", n, from));
    levels->base[col->inner] = lo;
    levels->count[col->inner] = cu_named(
        cu, "i64", "n", arena_printf(cu->arena, "%s > 0 ? (%s)[%s] - %s : (i64)0", n, from, n, lo));
}

static void copy_column(Cu *cu, Levels *levels, const Column *col, Copy *c) {
    const char *type = cu_col_type(cu, col), *n = levels->count[col->level];
    const char *from = begin_of(cu, levels, col, c->from[1]);
    int width = cu->is_wide ? 32 : 1;
    if (col->kind == COL_OFFSETS) {
        enter_level(cu, levels, col, from);
        c->to[1] = cu_take(cu, type, arena_printf(cu->arena, "%s + 1", n));
        cu_line(cu, "gx_copy_offsets<%d>(%s, %s, %s);", width, c->to[1], from, n);
    } else {
        c->to[1] = cu_take(cu, type, n);
        cu_line(cu, "gx_copy<%d>(%s, (const %s *)(%s), %s);", width, c->to[1], type, from, n);
    }
    c->from += 2;
    c->to += 2;
}

static void copy_value(Cu *cu, Type *type, Copy *c) {
    Layout *l = layout_of(cu->e, type);
    type = l->type;
    if (layout_is_array(type)) {
        Levels levels = open_levels(cu, l, cu_total(cu, l, c->from, 0));
        for (int k = 0; k < l->rank; k++)
            *c->to++ = *c->from++;
        for (int k = 0; k < l->ncols; k++)
            copy_column(cu, &levels, &l->cols[k], c);
        return;
    }
    if (type_is_product(type)) {
        for (int k = 0; k < layout_members(type); k++)
            copy_value(cu, type->items[k], c);
        return;
    }
    *c->to++ = *c->from++;
    for (int i = 0; type_is_sum(type) && i < type->nctors; i++)
        for (int k = 0; k < type->ctors[i].count; k++)
            copy_value(cu, type->ctors[i].items[k], c);
}

const char **cu_copy(Cu *cu, Type *type, const char *const *s) {
    const char **out = cu_slots(cu, layout_of(cu->e, type)->nslots);
    Copy c = {s, out};
    copy_value(cu, type, &c);
    return out;
}

/* ---- loops ---- */

enum { KEEP_LEAST = 2048 }; /* bytes that a loop may leave behind in any case */

void cu_keep_open(Cu *cu, CuKeep *keep) {
    *keep = (CuKeep){.mark = cu_name(cu, "mark"),
                     .most = cu_name(cu, "most"),
                     .code = NEW(cu->arena, Buf),
                     .outer = cu->code,
                     .indent = cu->indent,
                     .takes = cu->out->takes};
    keep->code->arena = cu->arena;
    cu->code = keep->code;
}

/* The arrays of a value, one after the other. */
typedef struct {
    Cu *cu;
    CuKeep *keep;
    void (*visit)(Cu *cu, CuKeep *keep, Layout *l, const char **names, const char *flag);
    const char **names; /* the next slot */
    const char **flags; /* the next array's */
} Walk;

static void walk(Walk *w, Type *type) {
    Layout *l = layout_of(w->cu->e, type);
    type = l->type;
    if (layout_is_array(type)) {
        if (!*w->flags)
            *w->flags = cu_name(w->cu, "is");
        w->visit(w->cu, w->keep, l, w->names, *w->flags++);
        w->names += l->nslots;
        return;
    }
    if (type_is_product(type)) {
        for (int k = 0; k < layout_members(type); k++)
            walk(w, type->items[k]);
        return;
    }
    w->names++;
    for (int i = 0; type_is_sum(type) && i < type->nctors; i++)
        for (int k = 0; k < type->ctors[i].count; k++)
            walk(w, type->ctors[i].items[k]);
}

/* Copies an array to the other side if some of it was made since the mark. */
static void save_array(Cu *cu, CuKeep *keep, Layout *l, const char **names, const char *flag) {
    Buf any = {.arena = cu->arena};
    for (int c = 0; c < l->ncols; c++)
        buf_printf(&any, "%sgx_is_since(%s, %s, %s, %s)", c ? " || " : "", cu->heap, cu->other, keep->mark,
                   names[layout_col_slot(l, c) + 1]);
    cu_line(cu, "const bool %s = %s;", flag, l->ncols ? buf_text(&any) : "false");
    cu_line(cu, "if (%s) {", flag);
    cu->indent++;
    const char **copy = cu_copy(cu, l->type, names);
    for (int c = 0; c < l->ncols; c++) {
        int k = layout_col_slot(l, c) + 1;
        cu_line(cu, "%s = %s;", names[k], copy[k]);
    }
    cu->indent--;
    cu_line(cu, "}");
}

static void move_array(Cu *cu, CuKeep *keep, Layout *l, const char **names, const char *flag) {
    (void)keep;
    for (int c = 0; c < l->ncols; c++) {
        const char *name = names[layout_col_slot(l, c) + 1];
        cu_line(cu, "if (%s) %s = gx_moved(%s, by);", flag, name, name);
    }
}

static int count_arrays(Cu *cu, Type *type) {
    Layout *l = layout_of(cu->e, type);
    int n = 0;
    for (int k = 0; k < l->nslots; k++)
        n += l->slots[k].kind == SLOT_DATA;
    return n;
}

void cu_keep_close(Cu *cu, CuKeep *keep, Type *const *types, const char **const *names, int n) {
    const char *heap = cu->heap, *side = cu->side, *other = cu->other;
    int indent = cu->indent;
    bool takes = cu->out->takes > keep->takes;
    cu->code = keep->outer;
    cu->indent = keep->indent;
    if (takes) {
        cu_line(cu, "u8 *const %s = %s.at[%s];", keep->mark, heap, side);
        cu_line(cu, "i64 %s = %d;", keep->most, KEEP_LEAST);
    }
    cu->indent = indent;
    if (keep->code->len)
        buf_add(cu->code, buf_text(keep->code), keep->code->len);
    if (!takes)
        return;
    cu_line(cu, "if (gx_since(%s, %s, %s) > %s) {", heap, side, keep->mark, keep->most);
    cu->indent++;
    cu_line(cu, "u8 *const there = %s.at[%s];", heap, other);
    cu_line(cu, "i64 by;");
    const char ***flags = NEW_ARRAY(cu->arena, const char **, n + 1);
    cu->side = other;
    cu->other = side;
    for (int k = 0; k < n; k++) {
        flags[k] = cu_slots(cu, count_arrays(cu, types[k]));
        Walk w = {cu, keep, save_array, names[k], flags[k]};
        walk(&w, types[k]);
    }
    cu->side = side;
    cu->other = other;
    cu_need(cu, arena_printf(cu->arena, "gx_move_back<%d>(%s, %s, %s, there, by)", cu->is_wide ? 32 : 1, heap,
                             side, keep->mark));
    for (int k = 0; k < n; k++) {
        Walk w = {cu, keep, move_array, names[k], flags[k]};
        walk(&w, types[k]);
    }
    cu_line(cu, "%s = 2 * gx_since(%s, %s, %s) + %d;", keep->most, heap, side, keep->mark, KEEP_LEAST);
    cu->indent--;
    cu_line(cu, "}");
}

/* ---- what has to be owned ---- */

static bool has_arrays(const Cu *cu, IrId id) {
    return !type_is_flat(ir_type(cu->ir, id));
}

static bool own(Cu *cu, IrId id) {
    if (!id || cu->owned[id] || !has_arrays(cu, id))
        return false;
    cu->owned[id] = 1;
    return true;
}

static bool own_all(Cu *cu, const IrId *ids, int n) {
    bool more = false;
    for (int k = 0; k < n; k++)
        more |= own(cu, ids[k]);
    return more;
}

static bool is_consumed(const IrOp *op, int k) {
    return k < 64 && op->consumed >> k & 1;
}

/* A loop's values are owned together, around and inside of it. */
static bool own_loop(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    int first = op->kind == IR_FOR ? 2 : 0;
    const IrRegion *body = op->regions[op->nregions - 1];
    bool is_owned = cu->owned[id], more = false;
    for (int k = 0; k < body->params.len; k++)
        is_owned |= cu->owned[body->params.at[k]];
    if (!is_owned)
        return false;
    more |= own(cu, id);
    more |= own_all(cu, body->params.at, body->params.len);
    more |= own_all(cu, body->results.at, body->results.len);
    more |= own_all(cu, op->args + first, op->nargs - first);
    return more;
}

static bool own_operands(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    bool more = false;
    switch ((int)op->kind) {
    case IR_FOR:
    case IR_LOOP: return own_loop(cu, id);
    case IR_UPDATE: return is_consumed(op, 0) && own(cu, op->args[0]);
    case IR_KERNEL:
        for (int k = 0; k < op->kernel->nsinks; k++) {
            const IrSink *sink = &op->kernel->sinks[k];
            if (sink->kind == SINK_SCATTER && is_consumed(op, sink->arg))
                more |= own(cu, op->args[sink->arg]);
        }
        return more;
    default: break;
    }
    if (!cu->owned[id])
        return false;
    switch ((int)op->kind) {
    case IR_CONCAT: return is_consumed(op, 0) && own(cu, op->args[0]);
    case IR_IF:
    case IR_TRY:
        return own_all(cu, op->regions[0]->results.at, op->regions[0]->results.len) |
               own_all(cu, op->regions[1]->results.at, op->regions[1]->results.len);
    case IR_GET:
    case IR_ZIP:
    case IR_TUPLE:
    case IR_VARIANT:
    case IR_PAYLOAD:
    case IR_INDEX:
    case IR_SLICE:
    case IR_RESHAPE:
    case IR_FLAT:
    case IR_SELECT:
    case IR_CHECK: return own_all(cu, op->args, op->nargs);
    default: return false;
    }
}

static bool own_region(Cu *cu, const IrRegion *region) {
    bool more = false;
    for (int k = region->ops.len - 1; k >= 0; k--) {
        const IrOp *op = ir_op(cu->ir, region->ops.at[k]);
        more |= own_operands(cu, region->ops.at[k]);
        for (int r = 0; r < op->nregions; r++)
            more |= own_region(cu, op->regions[r]);
    }
    return more;
}

void cu_find_owned(Cu *cu, const IrRegion *region) {
    while (own_region(cu, region))
        ;
}

const char *const *cu_handed_over(Cu *cu, const IrRegion *region, int k) {
    IrId id = region->results.at[k];
    Text *v = cu_value(cu, id);
    bool is_moved = k < 64 && region->moved >> k & 1;
    return v->s && cu->owned[id] && !is_moved ? cu_copy(cu, ir_type(cu->ir, id), v->s) : v->s;
}
