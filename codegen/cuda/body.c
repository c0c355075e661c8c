/* The ops of a point, as statements and expressions. A point that faults leaves by the statement at
   hand, so everything before it has been computed and nothing after it. */
#include "text.h"

#include <string.h>

/* ---- faults ---- */

void cu_need(Cu *cu, const char *condition) {
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

static void op_variant(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    const char **s = cu_nothing(cu, l);
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
            cu_need(cu, arena_printf(cu->arena, op->kind == IR_POW ? "%s >= 0" : "%s != 0", args[1]));
    const char *text = cu_expression(cu, op->kind, op->type, args);
    bool is_logic = op->type->kind == TYPE_BOOL && ir_scalar_arity(op->kind) == 2 &&
                    op->kind == IR_BITXOR;
    if (is_logic) /* C++ would make an int of it */
        text = arena_printf(cu->arena, "(bool)(%s)", text);
    const char **s = cu_slots(cu, 1);
    s[0] = cu_keep(cu, id, cu_type(cu, op->type), text);
    cu_set(cu, id, s, 1);
}

static void op_check(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    cu_need(cu, cu_scalar(cu, op->args[1]));
    Text *v = op->args[0] ? cu_value(cu, op->args[0]) : NULL;
    if (v && v->s)
        set_part(cu, id, v->s, v->n);
    else
        cu_set(cu, id, cu_slots(cu, 0), 0);
}

/* ---- arrays ---- */

const char *cu_named(Cu *cu, const char *type, const char *base, const char *expression) {
    const char *name = cu_name(cu, base);
    bool is_pointer = type[strlen(type) - 1] == '*';
    cu_line(cu, is_pointer ? "%s const %s = %s;" : "const %s %s = %s;", type, name, expression);
    return name;
}

const char *cu_total(Cu *cu, const Layout *l, const char *const *s, int first) {
    const char *total = NULL;
    for (int k = first; k < l->rank; k++)
        total = total ? arena_printf(cu->arena, "gx_times(%s, %s)", total, s[k]) : s[k];
    return total ? total : "(i64)1";
}

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
    return cu_named(cu, type, "v", text);
}

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
    cu_shift(cu, inner, c->cols + 2 * c->col, from, c->out);
    c->out += 2 * inner->ncols;
    c->col += inner->ncols;
}

static void load_part(Cu *cu, Cursor *c, Type *elem) {
    if (type_is_product(elem)) {
        for (int k = 0; k < layout_members(elem); k++)
            load_part(cu, c, layout_of(cu->e, elem->items[k])->type);
    } else if (type_is_sum(elem)) {
        *c->out++ = load_text(cu, "i64", arena_printf(cu->arena, "(i64)%s[%s]", next_data(c), cu_bare(cu, c->at)));
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

const char *cu_place(Cu *cu, const IrOp *op, const Layout *l, const char *const *s, const IrId *at, int n) {
    const char *place = "(i64)0";
    for (int k = 0; k < n; k++) {
        const char *i = cu_scalar(cu, at[k]);
        if (op->flags & IRF_CHECKED)
            cu_need(cu, arena_printf(cu->arena, "(u64)%s < (u64)%s", i, s[k]));
        place = k ? arena_printf(cu->arena, "(%s * %s + %s)", place, s[k], i) : i;
    }
    for (int k = n; k < l->rank; k++)
        place = arena_printf(cu->arena, "%s * %s", place, s[k]);
    return place;
}

void cu_shift(Cu *cu, const Layout *l, const char *const *cols, const char *place, const char **out) {
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
    const char *place = cu_place(cu, op, l, v->s, op->args + 1, n);
    const char **out = cu_slots(cu, r->nslots);
    if (n == l->rank) {
        cu_load(cu, l->elem, v->s + l->rank, place, cu_element_name(cu, op->args[0]), out);
    } else {
        for (int k = n; k < l->rank; k++)
            out[k - n] = v->s[k];
        cu_shift(cu, l, v->s + l->rank, place, out + l->rank - n);
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
        cu_need(cu, arena_printf(cu->arena, "(u64)%s <= (u64)%s && (u64)%s <= (u64)%s", lo, hi, hi, v->s[0]));
    const char **out = cu_slots(cu, l->nslots);
    out[0] = cu_name(cu, "n");
    cu_line(cu, "const i64 %s = %s - %s;", out[0], hi, lo);
    for (int k = 1; k < l->rank; k++) {
        out[k] = v->s[k];
        place = arena_printf(cu->arena, "%s * %s", place, v->s[k]);
    }
    cu_shift(cu, l, v->s + l->rank, place, out + l->rank);
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
    cu_shift(cu, l, v->s + from->rank + 2 * skipped, lo, out + 1);
    cu_set(cu, id, out, l->nslots);
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
    cu_set(cu, id, cu_nothing(cu, l), l->nslots);
}

static void op_tag(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Text *v = cu_value(cu, op->args[0]);
    if (layout_is_array(ir_type(cu->ir, op->args[0])))
        cu_tags(cu, id);
    else if (v->s)
        set_part(cu, id, v->s, 1);
}

static void emit_one(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    if (cu->is_given[id])
        return;
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
    case IR_LIST: cu_list(cu, id); break;
    case IR_UPDATE: cu_update(cu, id); break;
    case IR_CONCAT: cu_concat(cu, id); break;
    case IR_IF: cu_if(cu, id); break;
    case IR_FOR: cu_for(cu, id); break;
    case IR_LOOP: cu_loop(cu, id); break;
    case IR_CALL: cu_call(cu, id); break;
    case IR_CHECK: op_check(cu, id); break;
    case IR_KERNEL: cu_nested(cu, id); break;
    case IR_RT: cu_no(cu, op->span, "it calls the host (%s)", ir_rt_name((int)op->imm)); break;
    case IR_STRING: cu_string(cu, id); break;
    case IR_TRY: cu_try(cu, id); break;
    case IR_SORT: cu_sort(cu, id); break;
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
            cu_library_call(cu, call);
    }
}
