/* The ops of a point, as statements and expressions. A point that faults leaves by the statement at
   hand, so everything before it has been computed and nothing after it. */
#include "text.h"

#include <string.h>

enum { MOST_LOCAL = 64 }; /* elements of an array that a thread keeps to itself */

/* ---- faults ---- */

static void need(Cu *cu, const char *condition) {
    cu_line(cu, "if (!(%s)) %s", condition, cu->fail);
    cu->out->can_fault = true;
}

/* ---- products and sums ---- */

static void set_part(Cu *cu, IrId id, const char *const *from, int n) {
    const char **s = cu_slots(cu, n);
    for (int k = 0; k < n; k++)
        s[k] = from[k];
    cu_set(cu, id, s, n);
}

/* The slots of all args, one after the other. */
static void op_tuple(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const char **s = cu_slots(cu, cu_layout(cu, id)->nslots);
    int n = 0;
    for (int k = 0; k < op->nargs; k++) {
        Text *v = cu_value(cu, op->args[k]);
        for (int i = 0; v->s && i < v->n; i++)
            s[n++] = v->s[i];
    }
    cu_set(cu, id, s, n);
}

static void columns_of(Cu *cu, IrId id, IrId array, int first) {
    Layout *l = cu_layout(cu, id);
    Text *v = cu_value(cu, array);
    const char **s = cu_slots(cu, l->nslots);
    for (int k = 0; v->s && k < l->rank; k++)
        s[k] = v->s[k];
    for (int k = 0; v->s && k < 2 * l->ncols; k++)
        s[l->rank + k] = v->s[l->rank + 2 * first + k];
    cu_set(cu, id, s, l->nslots);
}

static void op_get(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *from = cu_layout(cu, op->args[0]);
    if (layout_is_array(from->type)) {
        columns_of(cu, id, op->args[0], layout_member_col(cu->e, from->elem, (int)op->imm));
        return;
    }
    int at = layout_member_slot(cu->e, from->type, (int)op->imm);
    Text *v = cu_value(cu, op->args[0]);
    if (v->s)
        set_part(cu, id, v->s + at, cu_layout(cu, id)->nslots);
}

static void op_zip(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    const char **s = cu_slots(cu, l->nslots);
    int n = l->rank;
    for (int k = 0; k < op->nargs; k++) {
        Text *v = cu_value(cu, op->args[k]);
        for (int i = 0; v->s && i < v->n; i++)
            s[i < l->rank ? i : n++] = v->s[i];
    }
    cu_set(cu, id, s, l->nslots);
}

/* A value that is never looked at. */
static const char **nothing(Cu *cu, const Layout *l) {
    const char **s = cu_slots(cu, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        s[k] = l->slots[k].kind == SLOT_SCALAR ? cu_const(cu, l->slots[k].type, 0) : "(i64)0";
    return s;
}

static void op_variant(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    const char **s = nothing(cu, l);
    s[0] = arena_printf(cu->arena, "(i64)%d", (int)op->imm);
    for (int k = 0; k < op->nargs; k++) {
        int at = layout_payload_slot(cu->e, l->type, (int)op->imm, k);
        Text *v = cu_value(cu, op->args[k]);
        for (int i = 0; v->s && i < v->n; i++)
            s[at + i] = v->s[i];
    }
    cu_set(cu, id, s, l->nslots);
}

static void op_payload(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *from = cu_layout(cu, op->args[0]);
    int c = (int)op->imm, k = (int)op->imm2;
    if (layout_is_array(from->type)) {
        columns_of(cu, id, op->args[0], layout_payload_col(cu->e, from->elem, c, k));
        return;
    }
    Text *v = cu_value(cu, op->args[0]);
    if (v->s)
        set_part(cu, id, v->s + layout_payload_slot(cu->e, from->type, c, k), cu_layout(cu, id)->nslots);
}

/* ---- scalars ---- */

static void op_select(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Text *a = cu_value(cu, op->args[1]), *b = cu_value(cu, op->args[2]);
    const char **s = cu_slots(cu, a->n), *c = cu_scalar(cu, op->args[0]);
    for (int k = 0; a->s && b->s && k < a->n; k++)
        s[k] = a->s[k] ? arena_printf(cu->arena, "(%s ? %s : %s)", c, a->s[k], b->s[k]) : NULL;
    cu_set(cu, id, s, a->n);
}

static void op_scalar(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    if (op->kind == IR_SELECT && !type_is_scalar(op->type)) {
        op_select(cu, id);
        return;
    }
    const char *args[3];
    for (int k = 0; k < op->nargs; k++)
        args[k] = cu_scalar(cu, op->args[k]);
    if (op->flags & IRF_CHECKED_ZERO && type_is_int(op->type))
        if (op->kind != IR_POW || type_is_signed(ir_type(cu->ir, op->args[1])))
            need(cu, arena_printf(cu->arena, op->kind == IR_POW ? "%s >= 0" : "%s != 0", args[1]));
    const char *text = cu_expression(cu, op->kind, op->type, args);
    bool is_logic = op->type->kind == TYPE_BOOL && ir_scalar_arity(op->kind) == 2 &&
                    (op->kind == IR_BITAND || op->kind == IR_BITOR || op->kind == IR_BITXOR);
    if (is_logic) /* C++ would make an int of it */
        text = arena_printf(cu->arena, "(bool)(%s)", text);
    const char **s = cu_slots(cu, 1);
    s[0] = cu_keep(cu, id, cu_type(cu, op->type), text);
    cu_set(cu, id, s, 1);
}

static void op_check(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    need(cu, cu_scalar(cu, op->args[1]));
    Text *v = op->args[0] ? cu_value(cu, op->args[0]) : NULL;
    if (v && v->s)
        set_part(cu, id, v->s, v->n);
    else
        cu_set(cu, id, cu_slots(cu, 0), 0);
}

/* ---- arrays ---- */

typedef struct {
    const char *const *cols; /* pairs */
    const char *at;
    const char *name; /* of what is loaded */
    int col; /* the next column */
    const char **out;
} Cursor;

static const char *next_data(Cursor *c) {
    return c->cols[2 * c->col++ + 1];
}

static const char *load_text(Cu *cu, const char *type, const char *text) {
    const char *name = cu_name(cu, "v");
    cu_line(cu, "const %s %s = %s;", type, name, text);
    return name;
}

static void shift(Cu *cu, const Layout *l, const char *const *cols, const char *place, const char **out);

/* Element `at` of an irregular list: a view of its part of the inner columns. */
static void load_list(Cu *cu, Cursor *c, const Layout *inner) {
    const char *offsets = next_data(c);
    const char *from = load_text(cu, "i64", arena_printf(cu->arena, "%s[%s]", offsets, c->at));
    if (inner->rank == 1) {
        *c->out++ = load_text(cu, "i64", arena_printf(cu->arena, "%s[%s + 1] - %s", offsets, c->at, from));
    } else {
        for (int k = 0; k < inner->rank; k++)
            *c->out++ = load_text(cu, "i64", arena_printf(cu->arena, "%s[%s]", next_data(c), c->at));
    }
    shift(cu, inner, c->cols + 2 * c->col, from, c->out);
    c->out += 2 * inner->ncols;
    c->col += inner->ncols;
}

static void load_part(Cu *cu, Cursor *c, Type *elem) {
    if (type_is_product(elem)) {
        for (int k = 0; k < layout_members(elem); k++)
            load_part(cu, c, layout_of(cu->e, elem->items[k])->type);
    } else if (type_is_sum(elem)) {
        *c->out++ = load_text(cu, "i64", arena_printf(cu->arena, "(i64)%s[%s]", next_data(c), c->at));
        for (int i = 0; i < elem->nctors; i++)
            for (int k = 0; k < elem->ctors[i].count; k++)
                load_part(cu, c, layout_of(cu->e, elem->ctors[i].items[k])->type);
    } else if (layout_is_array(elem)) {
        load_list(cu, c, layout_of(cu->e, elem));
    } else {
        const char *name = cu_name(cu, c->name);
        cu_line(cu, "const %s %s = %s[%s];", cu_type(cu, elem), name, next_data(c), cu_bare(cu, c->at));
        *c->out++ = name;
    }
}

void cu_load(Cu *cu, Type *elem, const char *const *cols, const char *at, const char *name, const char **out) {
    Cursor c = {.cols = cols, .at = at, .name = name, .out = out};
    load_part(cu, &c, layout_of(cu->e, elem)->type);
}

void cu_store(Cu *cu, Type *elem, const char *const *data, const char *at, const char *const *s) {
    Layout *l = layout_of(cu->e, elem);
    for (int k = 0; k < l->nslots; k++)
        cu_line(cu, "%s[%s] = %s%s;", data[k], at, l->slots[k].kind == SLOT_SCALAR ? "" : "(u8)", s[k]);
}

/* The row-major number of the place that n indices pick, checked if the op asks for it. */
static const char *place_of(Cu *cu, const IrOp *op, const Layout *l, const char *const *s, const IrId *at,
                            int n) {
    const char *place = "(i64)0";
    for (int k = 0; k < n; k++) {
        const char *i = cu_scalar(cu, at[k]);
        if (op->flags & IRF_CHECKED)
            need(cu, arena_printf(cu->arena, "(u64)%s < (u64)%s", i, s[k]));
        place = k ? arena_printf(cu->arena, "(%s * %s + %s)", place, s[k], i) : i;
    }
    for (int k = n; k < l->rank; k++)
        place = arena_printf(cu->arena, "%s * %s", place, s[k]);
    return place;
}

/* Columns (pairs) moved on by `place` elements; what lies in lists stays, as offsets lead there. */
static void shift(Cu *cu, const Layout *l, const char *const *cols, const char *place, const char **out) {
    for (int k = 0; k < l->ncols; k++) {
        out[2 * k + 1] = cols[2 * k + 1];
        if (l->cols[k].level > 0)
            continue;
        out[2 * k + 1] = cu_name(cu, "p");
        cu_line(cu, "const %s *const %s = %s + %s;", cu_col_type(cu, &l->cols[k]), out[2 * k + 1],
                cols[2 * k + 1], place);
    }
}

static void op_index(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, op->args[0]), *r = cu_layout(cu, id);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    int n = op->nargs - 1;
    const char *place = place_of(cu, op, l, v->s, op->args + 1, n);
    const char **out = cu_slots(cu, r->nslots);
    if (n == l->rank) {
        cu_load(cu, l->elem, v->s + l->rank, place, cu_element_name(cu, op->args[0]), out);
    } else {
        for (int k = n; k < l->rank; k++)
            out[k - n] = v->s[k];
        shift(cu, l, v->s + l->rank, place, out + l->rank - n);
    }
    cu_set(cu, id, out, r->nslots);
}

static void op_slice(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    const char *lo = cu_scalar(cu, op->args[1]), *hi = cu_scalar(cu, op->args[2]), *place = lo;
    if (op->flags & IRF_CHECKED)
        need(cu, arena_printf(cu->arena, "(u64)%s <= (u64)%s && (u64)%s <= (u64)%s", lo, hi, hi, v->s[0]));
    const char **out = cu_slots(cu, l->nslots);
    out[0] = cu_name(cu, "n");
    cu_line(cu, "const i64 %s = %s - %s;", out[0], hi, lo);
    for (int k = 1; k < l->rank; k++) {
        out[k] = v->s[k];
        place = arena_printf(cu->arena, "%s * %s", place, v->s[k]);
    }
    shift(cu, l, v->s + l->rank, place, out + l->rank);
    cu_set(cu, id, out, l->nslots);
}

static void op_reshape(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *from = cu_layout(cu, op->args[0]), *l = cu_layout(cu, id);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    const char **out = cu_slots(cu, l->nslots);
    for (int k = 0; k < l->rank; k++)
        out[k] = cu_scalar(cu, op->args[1 + k]);
    for (int k = 0; k < 2 * l->ncols; k++)
        out[l->rank + k] = v->s[from->rank + k];
    cu_set(cu, id, out, l->nslots);
}

/* All elements of a list of lists, one level flattened. */
static void op_flat(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *from = cu_layout(cu, op->args[0]), *l = cu_layout(cu, id);
    Layout *inner = layout_of(cu->e, from->elem);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    int skipped = 1 + (inner->rank > 1 ? inner->rank : 0);
    const char *offsets = v->s[from->rank + 1], *total = v->s[0], **out = cu_slots(cu, l->nslots);
    for (int k = 1; k < from->rank; k++)
        total = arena_printf(cu->arena, "%s * %s", total, v->s[k]);
    const char *lo = load_text(cu, "i64", arena_printf(cu->arena, "%s > 0 ? %s[0] : (i64)0", total, offsets));
    out[0] = load_text(cu, "i64", arena_printf(cu->arena, "(%s > 0 ? %s[%s] : (i64)0) - %s", total, offsets, total, lo));
    shift(cu, l, v->s + from->rank + 2 * skipped, lo, out + 1);
    cu_set(cu, id, out, l->nslots);
}

/* A list of scalars that the thread keeps: in a variable, outside of the branches it may be made in. */
static void op_list(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    if (l->rank != 1 || !l->is_regular || op->nargs > MOST_LOCAL || op->nargs == 0) {
        cu_no(cu, op->span, "it makes an array a point");
        return;
    }
    const char **out = cu_slots(cu, l->nslots);
    out[0] = arena_printf(cu->arena, "(i64)%d", op->nargs);
    for (int c = 0; c < l->ncols; c++) {
        const char *name = cu_name(cu, "list");
        Buf text = {.arena = cu->arena};
        for (int k = 0; k < op->nargs; k++) {
            Text *v = cu_value(cu, op->args[k]);
            buf_printf(&text, "%s(%s)%s", k ? ", " : "", cu_col_type(cu, &l->cols[c]), v->s ? v->s[c] : "0");
        }
        const char *type = cu_col_type(cu, &l->cols[c]);
        if (cu->lists) {
            buf_printf(cu->lists, "%*s%s %s[%d];\n", 4 * cu->lists_indent, "", type, name, op->nargs);
            for (int k = 0; k < op->nargs; k++) {
                const Text *v = &cu->values[op->args[k]];
                cu_line(cu, "%s[%d] = (%s)(%s);", name, k, type, v->s ? v->s[c] : "0");
            }
        } else {
            cu_line(cu, "const %s %s[%d] = {%s};", type, name, op->nargs, buf_text(&text));
        }
        out[layout_col_slot(l, c) + 1] = name;
    }
    cu_set(cu, id, out, l->nslots);
}

/* ---- control ---- */

/* Variables for the slots of a value that control decides; no_init: they are set later. */
static const char **declare(Cu *cu, const Layout *l, const char *const *init) {
    const char **names = cu_slots(cu, l->nslots);
    bool is_array = layout_is_array(l->type);
    for (int k = 0; k < l->nslots; k++) {
        const char *type;
        if (l->slots[k].kind == SLOT_BUF)
            continue;
        if (l->slots[k].kind == SLOT_DATA) {
            if (!is_array) {
                cu_no(cu, (Span){0}, "it uses arrays inside of a product or sum");
                return names;
            }
            int col = (k - l->rank) / 2;
            type = arena_printf(cu->arena, "const %s *", cu_col_type(cu, &l->cols[col]));
        } else {
            type = arena_printf(cu->arena, "%s ", cu_slot_type(cu, &l->slots[k]));
        }
        names[k] = cu_name(cu, "c");
        if (init)
            cu_line(cu, "%s%s = %s;", type, names[k], init[k]);
        else
            cu_line(cu, "%s%s;", type, names[k]);
    }
    return names;
}

/* Sets variables to the results of a region, all at once where one may depend on another. */
static void assign(Cu *cu, const IrRegion *region, const char **const *names) {
    const char ***values = NEW_ARRAY(cu->arena, const char **, region->results.len + 1);
    for (int k = 0; k < region->results.len; k++) {
        Text *v = cu_value(cu, region->results.at[k]);
        values[k] = cu_slots(cu, v->n);
        for (int i = 0; v->s && i < v->n; i++) {
            values[k][i] = v->s[i];
            if (!v->s[i] || !names[k][i] || region->results.len == 1 || !strcmp(v->s[i], names[k][i]))
                continue;
            values[k][i] = cu_name(cu, "t");
            cu_line(cu, "const auto %s = %s;", values[k][i], v->s[i]);
        }
    }
    for (int k = 0; k < region->results.len; k++) {
        int n = cu_layout(cu, region->results.at[k])->nslots;
        for (int i = 0; i < n; i++)
            if (names[k][i] && values[k][i] && strcmp(values[k][i], names[k][i]))
                cu_line(cu, "%s = %s;", names[k][i], cu_bare(cu, values[k][i]));
    }
}

static void block(Cu *cu, const IrRegion *region, const char **const *names) {
    cu->indent++;
    cu_ops(cu, region);
    if (!cu->out->why)
        assign(cu, region, names);
    cu->indent--;
}

/* The value of a control op: its variables, all in a row. */
static void set_joined(Cu *cu, IrId id, const char **const *names, const IrId *like, int n) {
    Layout *l = cu_layout(cu, id);
    const char **s = cu_slots(cu, l->nslots);
    int at = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < cu_layout(cu, like[k])->nslots; i++)
            s[at++] = names[k][i];
    cu_set(cu, id, s, l->nslots);
}

static void branches(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *then = op->regions[0];
    const char *cond = cu_scalar(cu, op->args[0]);
    int n = then->results.len;
    const char ***names = NEW_ARRAY(cu->arena, const char **, n + 1);
    for (int k = 0; k < n; k++)
        names[k] = declare(cu, cu_layout(cu, then->results.at[k]), NULL);
    cu_line(cu, "if (%s) {", cond);
    block(cu, then, (const char **const *)names);
    cu_line(cu, "} else {");
    block(cu, op->regions[1], (const char **const *)names);
    cu_line(cu, "}");
    set_joined(cu, id, (const char **const *)names, then->results.at, n);
}

/* The lists that the branches of the outermost `if` make outlive them: they are declared before it. */
static void op_if(Cu *cu, IrId id) {
    Buf code = {.arena = cu->arena}, lists = {.arena = cu->arena}, *outer = cu->code;
    if (cu->lists) {
        branches(cu, id);
        return;
    }
    cu->code = &code;
    cu->lists = &lists;
    cu->lists_indent = cu->indent;
    branches(cu, id);
    cu->code = outer;
    cu->lists = NULL;
    buf_printf(outer, "%s%s", lists.len ? buf_text(&lists) : "", code.len ? buf_text(&code) : "");
}

/* Variables with the initial values of a loop, bound to the parameters of a region. */
static const char ***carry(Cu *cu, const IrId *init, int n, const IrRegion *region, int first) {
    const char ***names = NEW_ARRAY(cu->arena, const char **, n + 1);
    for (int k = 0; k < n; k++) {
        Text *v = cu_value(cu, init[k]);
        if (!v->s)
            return names;
        Layout *l = cu_layout(cu, init[k]);
        if (layout_is_array(l->type)) { /* the next round's would lie where this one's does */
            cu_no(cu, ir_op(cu->ir, init[k])->span, "a loop of it carries an array");
            return names;
        }
        names[k] = declare(cu, l, v->s);
        cu_set(cu, region->params.at[first + k], names[k], l->nslots);
    }
    return names;
}

static void op_for(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *body = op->regions[0];
    int n = op->nargs - 2;
    const char *lo = cu_scalar(cu, op->args[0]), *hi = cu_scalar(cu, op->args[1]);
    const char ***names = carry(cu, op->args + 2, n, body, 1);
    if (cu->out->why)
        return;
    const char **i = cu_slots(cu, 1);
    i[0] = cu_name(cu, "i");
    cu_set(cu, body->params.at[0], i, 1);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = %s; %s < %s; %s++) {", i[0], lo, i[0], hi, i[0]);
    bool was_in_loop = cu->in_loop;
    cu->in_loop = true;
    block(cu, body, (const char **const *)names);
    cu->in_loop = was_in_loop;
    cu_line(cu, "}");
    set_joined(cu, id, (const char **const *)names, op->args + 2, n);
}

static void op_loop(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *cond = op->regions[0], *body = op->regions[1];
    const char ***names = carry(cu, op->args, op->nargs, cond, 0);
    if (cu->out->why)
        return;
    for (int k = 0; k < op->nargs; k++)
        cu_set(cu, body->params.at[k], names[k], cu_layout(cu, op->args[k])->nslots);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (;;) {");
    bool was_in_loop = cu->in_loop;
    cu->in_loop = true;
    cu->indent++;
    cu_ops(cu, cond);
    if (!cu->out->why)
        cu_line(cu, "if (!%s) break;", cu_scalar(cu, cond->results.at[0]));
    cu->indent--;
    if (!cu->out->why)
        block(cu, body, (const char **const *)names);
    cu->in_loop = was_in_loop;
    cu_line(cu, "}");
    set_joined(cu, id, (const char **const *)names, op->args, op->nargs);
}

/* ---- functions ---- */

/* How often each value is used in a region; a use in a loop counts as many. */
void cu_count_uses(Cu *cu, const IrRegion *region, int weight) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(cu->ir, region->ops.at[k]);
        const IrPutIn *call = cu->library[region->ops.at[k]];
        for (int i = 0; call && i < call->nargs && call->value == region->ops.at[k]; i++)
            cu->uses[call->args[i]] += weight;
        if (call)
            continue;
        for (int i = 0; i < op->nargs; i++)
            cu->uses[op->args[i]] += weight;
        for (int r = 0; r < op->nregions; r++)
            cu_count_uses(cu, op->regions[r], 2);
    }
    for (int k = 0; k < region->results.len; k++)
        cu->uses[region->results.at[k]] += weight;
}

/* The state for writing a function of its own, whose code goes to a text of its own. */
Cu cu_enter(Cu *cu, const IrFunc *ir, Buf *code) {
    Cu inner = *cu;
    inner.code = code;
    inner.lists = NULL;
    inner.indent = 1;
    inner.is_wide = inner.is_warp = false;
    if (ir == cu->ir)
        return inner;
    inner.ir = ir;
    inner.values = NEW_ARRAY(cu->arena, Text, ir->ops.len + 1);
    inner.uses = NEW_ARRAY(cu->arena, int, ir->ops.len + 1);
    inner.inner = NEW_ARRAY(cu->arena, char, ir->ops.len + 1);
    memset(inner.inner, 1, (size_t)ir->ops.len);
    cu_find_library(&inner, (IrRegion *const[]){ir->body}, 1);
    cu_count_uses(&inner, ir->body, 1);
    return inner;
}

void cu_leave(Cu *cu, Cu *inner) {
    cu->fields = inner->fields;
    cu->helpers = inner->helpers;
    cu->types = inner->types;
    cu->functions.at = inner->functions.at;
    cu->functions.len = inner->functions.len;
    cu->functions.cap = inner->functions.cap;
    cu->counter = inner->counter;
    cu->fault = inner->fault;
}

/* Writes a called function of scalars; its name. */
static const char *function_of(Cu *cu, const IrFunc *callee, const IrOp *op) {
    const char *name = arena_printf(cu->arena, "gact_");
    for (const char *c = callee->name + (*callee->name == '_'); *c; c++)
        name = arena_printf(cu->arena, "%s%c", name, *c == '.' ? '_' : *c);
    for (int k = 0; k < cu->functions.len; k++)
        if (!strcmp(cu->functions.at[k], name))
            return name;
    vec_push(cu->arena, &cu->functions, name);
    if (callee->is_recursive || callee->has_effect || ir_may_fault(cu->ir, op - cu->ir->ops.at)) {
        cu_no(cu, op->span, callee->is_recursive ? "it calls %s, which is recursive"
                                                 : "it calls %s, which may fault", callee->name);
        return name;
    }
    Buf code = {.arena = cu->arena}, head = {.arena = cu->arena};
    Cu inner = cu_enter(cu, callee, &code);
    inner.counter = 0;
    for (int k = 0; k < callee->body->params.len; k++) {
        IrId p = callee->body->params.at[k];
        Layout *l = cu_layout(&inner, p);
        const char **s = cu_slots(cu, l->nslots);
        for (int i = 0; i < l->nslots; i++) {
            if (layout_is_array(l->type)) {
                cu_no(cu, op->span, "it calls %s, which takes an array", callee->name);
                return name;
            }
            s[i] = cu_name(&inner, "x");
            buf_printf(&head, "%s%s %s", head.len ? ", " : "", cu_slot_type(&inner, &l->slots[i]), s[i]);
        }
        cu_set(&inner, p, s, l->nslots);
    }
    cu_ops(&inner, callee->body);
    Layout *r = layout_of(cu->e, callee->result);
    if (!cu->out->why) {
        Text *v = cu_value(&inner, callee->body->results.at[0]);
        const char *type = cu_struct(&inner, r);
        if (v->s)
            cu_line(&inner, "return %s;", cu_bare(&inner, cu_make(&inner, r, v->s)));
        buf_printf(&inner.helpers, "#ifndef GX_HAS_%s\n#define GX_HAS_%s\nGX_DEV %s %s(%s) {\n%s}\n#endif\n\n",
                   name, name, type, name, buf_text(&head), buf_text(&code));
    }
    inner.counter = cu->counter;
    cu_leave(cu, &inner);
    return name;
}

static void op_call(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    const char *name = function_of(cu, op->callee, op);
    Buf text = {.arena = cu->arena};
    buf_printf(&text, "%s(", name);
    for (int k = 0, n = 0; k < op->nargs; k++) {
        Text *v = cu_value(cu, op->args[k]);
        for (int i = 0; v->s && i < v->n; i++, n++)
            buf_printf(&text, "%s%s", n ? ", " : "", cu_bare(cu, v->s[i]));
    }
    buf_puts(&text, ")");
    if (cu->out->why)
        return;
    const char **s = cu_slots(cu, l->nslots), *v = cu_name(cu, "v");
    cu_line(cu, "const %s %s = %s;", cu_struct(cu, l), v, buf_text(&text));
    for (int k = 0; k < l->nslots; k++)
        s[k] = cu_member(cu, l, v, k);
    cu_set(cu, id, s, l->nslots);
}

static void library_call(Cu *cu, const IrPutIn *call) {
    const IrOp *op = ir_op(cu->ir, call->value);
    Buf text = {.arena = cu->arena};
    buf_printf(&text, "%s(", function_of(cu, call->func, op));
    for (int k = 0; k < call->nargs; k++)
        buf_printf(&text, "%s%s", k ? ", " : "", cu_bare(cu, cu_scalar(cu, call->args[k])));
    buf_puts(&text, ")");
    if (cu->out->why)
        return;
    const char **s = cu_slots(cu, 1);
    s[0] = cu_keep(cu, call->value, cu_type(cu, op->type), buf_text(&text));
    cu_set(cu, call->value, s, 1);
}

static bool may_fault(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        if (ir_may_fault(ir, region->ops.at[k]))
            return true;
    return false;
}

const char *cu_operator(Cu *cu, const IrRegion *op, const Layout *l, bool is_bool) {
    bool may = may_fault(cu->ir, op);
    if (may && !cu->fault)
        cu->fault = cu_field(cu, "i32 *", "fault", (GactDeviceArg){.kind = GACT_ARG_FAULT});
    Buf code = {.arena = cu->arena};
    const char *name = arena_printf(cu->arena, "%s_op%d", cu->name, ++cu->counter);
    const char *type = cu_struct(cu, l);
    Cu inner = cu_enter(cu, cu->ir, &code);
    static const char *const sides[] = {"x", "y"};
    for (int k = 0; k < 2; k++) {
        const char **s = cu_slots(cu, l->nslots);
        for (int i = 0; i < l->nslots; i++)
            s[i] = cu_member(cu, l, sides[k], i);
        cu_set(&inner, op->params.at[k], s, l->nslots);
    }
    bool could = cu->out->can_fault;
    if (may) /* it gives anything, as the host runs the kernel again */
        inner.fail = arena_printf(cu->arena, "{ *%s = 1; return %s; }", cu->fault, is_bool ? "false" : "x");
    cu_ops(&inner, op);
    cu->out->can_fault = could;
    if (!cu->out->why) {
        Text *v = cu_value(&inner, op->results.at[0]);
        cu_line(&inner, "return %s;", is_bool ? v->s[0] : cu_make(&inner, l, v->s));
        buf_printf(&inner.helpers, "GX_DEV %s %s(const %s_args &a, const %s x, const %s y) {\n%s}\n\n",
                   is_bool ? "bool" : type, name, cu->name, type, type, buf_text(&code));
    }
    cu_leave(cu, &inner);
    return name;
}

/* ---- all ops ---- */

static void op_const(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const char **s = cu_slots(cu, 1);
    s[0] = cu_const(cu, cu_layout(cu, id)->type, op->imm);
    cu_set(cu, id, s, 1);
}

static void op_dim(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Text *v = cu_value(cu, op->args[0]);
    if (v->s)
        set_part(cu, id, v->s + op->imm, 1);
}

static void op_undef(Cu *cu, IrId id) {
    Layout *l = cu_layout(cu, id);
    if (layout_is_array(l->type))
        cu_no(cu, ir_op(cu->ir, id)->span, "it makes an array a point");
    cu_set(cu, id, nothing(cu, l), l->nslots);
}

static void op_tag(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Text *v = cu_value(cu, op->args[0]);
    if (layout_is_array(ir_type(cu->ir, op->args[0])))
        cu_no(cu, op->span, "it makes an array a point");
    else if (v->s)
        set_part(cu, id, v->s, 1);
}

static void emit_one(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    cu_from(cu, op->span);
    if (ir_is_scalar_op(op->kind)) {
        op_scalar(cu, id);
        return;
    }
    switch ((int)op->kind) {
    case IR_CONST: op_const(cu, id); break;
    case IR_UNDEF: op_undef(cu, id); break;
    case IR_TUPLE: op_tuple(cu, id); break;
    case IR_GET: op_get(cu, id); break;
    case IR_ZIP: op_zip(cu, id); break;
    case IR_VARIANT: op_variant(cu, id); break;
    case IR_TAG: op_tag(cu, id); break;
    case IR_PAYLOAD: op_payload(cu, id); break;
    case IR_DIM: op_dim(cu, id); break;
    case IR_INDEX: op_index(cu, id); break;
    case IR_PACK: cu_pack(cu, id); break;
    case IR_BIT: cu_bit(cu, id); break;
    case IR_SLICE: op_slice(cu, id); break;
    case IR_RESHAPE: op_reshape(cu, id); break;
    case IR_FLAT: op_flat(cu, id); break;
    case IR_LIST: op_list(cu, id); break;
    case IR_IF: op_if(cu, id); break;
    case IR_FOR: op_for(cu, id); break;
    case IR_LOOP: op_loop(cu, id); break;
    case IR_CALL: op_call(cu, id); break;
    case IR_CHECK: op_check(cu, id); break;
    case IR_KERNEL: cu_nested(cu, id); break;
    case IR_RT: cu_no(cu, op->span, "it calls the host (%s)", ir_rt_name((int)op->imm)); break;
    case IR_STRING: cu_no(cu, op->span, "it uses strings"); break;
    case IR_TRY: cu_no(cu, op->span, "it has a try"); break;
    case IR_SORT: cu_no(cu, op->span, "it sorts inside of a point"); break;
    case IR_MATMUL: cu_matmul(cu, id); break;
    default: cu_no(cu, op->span, "it makes an array a point (%s)", ir_kind_name(op->kind)); break;
    }
}

void cu_ops(Cu *cu, const IrRegion *region) {
    for (int k = 0; k < region->ops.len && !cu->out->why; k++) {
        IrId id = region->ops.at[k];
        const IrPutIn *call = cu->library[id];
        if (!call)
            emit_one(cu, id);
        else if (call->value == id)
            library_call(cu, call);
    }
}
