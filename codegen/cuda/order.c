/* Sorting inside of a point: the numbers of the elements are sorted by a comparison that is written for their
   type, as codegen/host/sort.c has it, and the elements are then taken in that order. */
#include "text.h"

/* Statements that return less than 0 or more where a and b differ. */
static void compare(Cu *cu, Type *type, const char *const *a, const char *const *b);

static void compare_numbers(Cu *cu, const char *a, const char *b) {
    cu_line(cu, "if (%s != %s) return %s < %s ? -1 : 1;", a, b, a, b);
}

static void compare_items(Cu *cu, Type *const *items, int n, const char *const *a, const char *const *b) {
    for (int k = 0; k < n; k++) {
        int slots = layout_of(cu->e, items[k])->nslots;
        compare(cu, items[k], a, b);
        a += slots;
        b += slots;
    }
}

static void compare_sums(Cu *cu, Type *type, const char *const *a, const char *const *b) {
    compare_numbers(cu, a[0], b[0]);
    for (int c = 0; c < type->nctors; c++) {
        int at = layout_payload_slot(cu->e, type, c, 0);
        if (!type->ctors[c].count)
            continue;
        cu_line(cu, "if (%s == %d) {", a[0], c);
        cu->indent++;
        compare_items(cu, type->ctors[c].items, type->ctors[c].count, a + at, b + at);
        cu->indent--;
        cu_line(cu, "}");
    }
}

/* Row i of an array. */
static void row_of(Cu *cu, const Layout *l, const char *const *s, const char *i, const char **out) {
    if (l->rank == 1) {
        cu_load(cu, l->elem, s + 1, i, "v", out);
        return;
    }
    for (int k = 1; k < l->rank; k++)
        out[k - 1] = s[k];
    cu_shift(cu, l, s + l->rank, arena_printf(cu->arena, "%s * %s", i, cu_total(cu, l, s, 1)), out + l->rank - 1);
}

static void compare_arrays(Cu *cu, Layout *l, const char *const *a, const char *const *b) {
    Type *row = l->rank == 1 ? l->elem : type_array(cu->e->m->types, l->elem, l->rank - 1);
    int n = layout_of(cu->e, row)->nslots;
    const char **x = cu_slots(cu, n), **y = cu_slots(cu, n), *i = cu_name(cu, "i");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < gx_min(%s, %s); %s++) {", i, i, a[0], b[0], i);
    cu->indent++;
    row_of(cu, l, a, i, x);
    row_of(cu, l, b, i, y);
    compare(cu, row, x, y);
    cu->indent--;
    cu_line(cu, "}");
    compare_numbers(cu, a[0], b[0]);
}

static void compare(Cu *cu, Type *type, const char *const *a, const char *const *b) {
    Layout *l = layout_of(cu->e, type);
    type = l->type;
    if (type_is_product(type)) {
        compare_items(cu, type->items, layout_members(type), a, b);
    } else if (type_is_sum(type)) {
        compare_sums(cu, type, a, b);
    } else if (layout_is_array(type)) {
        compare_arrays(cu, l, a, b);
    } else {
        cu_line(cu, "if (gx_before(%s, %s)) return -1;", a[0], b[0]);
        cu_line(cu, "if (gx_before(%s, %s)) return 1;", b[0], a[0]);
    }
}

/* A lambda that tells whether element x comes before y. */
static const char *write_less(Cu *cu, const Layout *l, const char *const *s, bool descending) {
    const char *which = cu_name(cu, "which"), *less = cu_name(cu, "less");
    const char *x = cu_name(cu, "x"), *y = cu_name(cu, "y");
    int n = layout_of(cu->e, l->elem)->nslots;
    const char **a = cu_slots(cu, n), **b = cu_slots(cu, n);
    cu_line(cu, "const auto %s = [&](const i64 %s, const i64 %s) -> i32 {", which, x, y);
    cu->indent++;
    cu_load(cu, l->elem, s + 1, x, "a", a);
    cu_load(cu, l->elem, s + 1, y, "b", b);
    compare(cu, l->elem, a, b);
    cu_line(cu, "return 0;");
    cu->indent--;
    cu_line(cu, "};");
    cu_line(cu, "const auto %s = [&](const i64 x, const i64 y) -> bool { return %s(%s) < 0; };", less, which,
            descending ? "y, x" : "x, y");
    return less;
}

/* The elements in that order. */
static void take_in_order(Cu *cu, IrId id, const char *const *s, const char *order) {
    Layout *l = cu_layout(cu, id);
    CuBuilder b = cu_builder(cu, l);
    const char **elem = cu_slots(cu, layout_of(cu->e, l->elem)->nslots), *p = cu_name(cu, "p");
    const char **out = cu_slots(cu, l->nslots);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++) {", p, p, s[0], p);
    cu->indent++;
    cu_load(cu, l->elem, s + 1, arena_printf(cu->arena, "%s[%s]", order, p), "v", elem);
    cu_push(cu, &b, elem);
    cu->indent--;
    cu_line(cu, "}");
    out[0] = s[0];
    cu_built(cu, &b, out + 1);
    cu_set(cu, id, out, l->nslots);
}

void cu_sort(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, op->args[0]);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    const char *n = v->s[0], *order = cu_take(cu, "i64", n), *less;
    cu_line(cu, "{");
    cu->indent++;
    CuScope scope;
    less = write_less(cu, l, v->s, op->imm & SORT_DESCENDING);
    cu_open_scope(cu, &scope);
    const char *spare = cu_take(cu, "i64", n);
    cu_line(cu, "gx_sort_order(%s, %s, %s, %s);", order, spare, n, less);
    cu_close_scope(cu, &scope);
    cu->indent--;
    cu_line(cu, "}");
    if (!(op->imm & SORT_PERMUTATION)) {
        take_in_order(cu, id, v->s, order);
        return;
    }
    const char **s = cu_slots(cu, 3);
    s[0] = n;
    s[2] = order;
    cu_set(cu, id, s, 3);
}
