/* Arrays that a point makes element by element: a length for each level of lists, and columns that grow, have
   their places already, or are left out because only the lengths are wanted. And the ops that make arrays of
   arrays. Everything here is done by one thread. */
#include "text.h"

#include <string.h>

enum { MOST_LOCAL = 64 }; /* elements of an array that a thread keeps to itself */

/* ---- builders ---- */

CuBuilder cu_builder(Cu *cu, const Layout *l) {
    CuBuilder b = {l, BUILD_GROW, cu_slots(cu, l->nlevels), cu_slots(cu, l->ncols)};
    for (int k = 0; k < l->nlevels; k++) {
        b.len[k] = cu_name(cu, "len");
        cu_line(cu, "i64 %s = 0;", b.len[k]);
    }
    for (int c = 0; c < l->ncols; c++) {
        b.col[c] = cu_name(cu, "list");
        cu_line(cu, "gx_column<%s> %s = {};", cu_col_type(cu, &l->cols[c]), b.col[c]);
    }
    for (int c = 0; c < l->ncols; c++)
        if (l->cols[c].kind == COL_OFFSETS) {
            cu_need(cu, arena_printf(cu->arena, "gx_room(%s, %s, %s, 0, 1)", cu->heap, cu->side, b.col[c]));
            cu_line(cu, "%s.at[0] = 0;", b.col[c]);
            cu->out->takes++;
        }
    return b;
}

/* The data pointer of a column. */
static const char *column_at(Cu *cu, const CuBuilder *b, int c) {
    return b->mode == BUILD_GROW ? arena_printf(cu->arena, "%s.at", b->col[c]) : b->col[c];
}

void cu_built(Cu *cu, const CuBuilder *b, const char **cols) {
    for (int c = 0; c < b->l->ncols; c++)
        cols[2 * c + 1] = column_at(cu, b, c);
}

/* Room for n more in all columns of a level. */
static void reserve(Cu *cu, const CuBuilder *b, int level, const char *n) {
    for (int c = 0; b->mode == BUILD_GROW && c < b->l->ncols; c++) {
        const Column *col = &b->l->cols[c];
        if (col->level != level)
            continue;
        const char *had = col->kind == COL_OFFSETS ? arena_printf(cu->arena, "%s + 1", b->len[level]) : b->len[level];
        cu_need(cu, arena_printf(cu->arena, "gx_room(%s, %s, %s, %s, %s)", cu->heap, cu->side, b->col[c], had, n));
        cu->out->takes++;
    }
}

static void append_level(Cu *cu, CuBuilder *b, int level, const char *const *data, const char *n);

/* Appends n lists given by their offsets: the inner elements first, then the offsets where these end. */
static void append_lists(Cu *cu, CuBuilder *b, int c, const char *const *data, const char *n) {
    const Layout *l = b->l;
    int level = l->cols[c].inner;
    const char *from = data[c], *base, *count, *move, *p = cu_name(cu, "p");
    base = cu_named(cu, "i64", "lo", arena_printf(cu->arena, "%s > 0 ? (%s)[0] : (i64)0", n, from));
    count = cu_named(cu, "i64", "n", arena_printf(cu->arena, "%s > 0 ? (%s)[%s] - %s : (i64)0", n, from, n, base));
    move = cu_named(cu, "i64", "by", arena_printf(cu->arena, "%s - %s", b->len[level], base));
    const char **inner = cu_slots(cu, l->ncols);
    for (int k = 0; k < l->ncols; k++)
        inner[k] = data[k] && l->cols[k].level == level ? arena_printf(cu->arena, "%s + %s", data[k], base) : data[k];
    append_level(cu, b, level, inner, count);
    if (b->mode == BUILD_COUNT)
        return;
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++)", p, p, n, p);
    if (b->mode == BUILD_GROW)
        cu_line(cu, "    %s[%s + %s + 1] = (%s)[%s + 1] + %s;", column_at(cu, b, c), b->len[l->cols[c].level], p,
                from, p, move);
    else
        cu_line(cu, "    %s[%s + %s] = (%s)[%s] + %s;", column_at(cu, b, c), b->len[l->cols[c].level], p, from, p,
                move);
}

/* Appends n elements of a level and of those inside it. data: one pointer a column. */
static void append_level(Cu *cu, CuBuilder *b, int level, const char *const *data, const char *n) {
    const Layout *l = b->l;
    reserve(cu, b, level, n);
    for (int c = 0; c < l->ncols; c++) {
        const Column *col = &l->cols[c];
        if (col->level != level)
            continue;
        if (col->kind == COL_OFFSETS)
            append_lists(cu, b, c, data, n);
        else if (b->mode != BUILD_COUNT)
            cu_line(cu, "gx_copy<1>(%s + %s, (const %s *)(%s), %s);", column_at(cu, b, c), b->len[level],
                    cu_col_type(cu, col), data[c], n);
    }
    cu_line(cu, "%s += %s;", b->len[level], n);
}

void cu_append(Cu *cu, CuBuilder *b, const char *const *cols, const char *n) {
    const char **data = cu_slots(cu, b->l->ncols);
    for (int c = 0; c < b->l->ncols; c++)
        data[c] = cols[2 * c + 1];
    append_level(cu, b, 0, data, n);
}

/* ---- one element ---- */

typedef struct {
    CuBuilder *b;
    const char *const *s; /* the next slot */
    int col;              /* the next column */
} Push;

static void put(Cu *cu, const Push *p, int c, const char *value) {
    const Column *col = &p->b->l->cols[c];
    if (p->b->mode != BUILD_COUNT)
        cu_line(cu, "%s[%s] = (%s)(%s);", column_at(cu, p->b, c), p->b->len[0], cu_col_type(cu, col), value);
}

static void push_list(Cu *cu, Push *p, const Layout *inner) {
    CuBuilder *b = p->b;
    int offsets = p->col++, level = b->l->cols[offsets].inner;
    const char *n = cu_named(cu, "i64", "n", cu_total(cu, inner, p->s, 0)), **data = cu_slots(cu, b->l->ncols);
    for (int k = 0; inner->rank > 1 && k < inner->rank; k++)
        put(cu, p, p->col++, p->s[k]);
    for (int k = 0; k < inner->ncols; k++)
        data[p->col + k] = p->s[inner->rank + 2 * k + 1];
    if (b->mode == BUILD_FIXED)
        put(cu, p, offsets, b->len[level]);
    append_level(cu, b, level, data, n);
    if (b->mode == BUILD_GROW)
        cu_line(cu, "%s[%s + 1] = %s;", column_at(cu, b, offsets), b->len[0], b->len[level]);
    p->col += inner->ncols;
    p->s += inner->nslots;
}

static void push_part(Cu *cu, Push *p, Type *type) {
    Layout *l = layout_of(cu->e, type);
    type = l->type;
    if (layout_is_array(type)) {
        push_list(cu, p, l);
    } else if (type_is_product(type)) {
        for (int k = 0; k < layout_members(type); k++)
            push_part(cu, p, type->items[k]);
    } else {
        put(cu, p, p->col++, *p->s++);
        for (int i = 0; type_is_sum(type) && i < type->nctors; i++)
            for (int k = 0; k < type->ctors[i].count; k++)
                push_part(cu, p, type->ctors[i].items[k]);
    }
}

void cu_push(Cu *cu, CuBuilder *b, const char *const *s) {
    reserve(cu, b, 0, "1");
    Push p = {b, s, 0};
    push_part(cu, &p, b->l->elem);
    cu_line(cu, "%s++;", b->len[0]);
}

/* ---- lists ---- */

static void set_array(Cu *cu, IrId id, const char *const *dims, const char *const *data) {
    Layout *l = cu_layout(cu, id);
    const char **s = cu_slots(cu, l->nslots);
    for (int k = 0; k < l->rank; k++)
        s[k] = dims[k];
    for (int c = 0; c < l->ncols; c++)
        s[layout_col_slot(l, c) + 1] = data[c];
    cu_set(cu, id, s, l->nslots);
}

static void set_built(Cu *cu, IrId id, const CuBuilder *b, const char *const *dims) {
    const char **cols = cu_slots(cu, 2 * b->l->ncols), **data = cu_slots(cu, b->l->ncols);
    cu_built(cu, b, cols);
    for (int c = 0; c < b->l->ncols; c++)
        data[c] = cols[2 * c + 1];
    set_array(cu, id, dims, data);
}

/* A short list of flat values in a variable, outside of the branches it may be made in. */
static void local_list(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    const char **data = cu_slots(cu, l->ncols), *n = arena_printf(cu->arena, "(i64)%d", op->nargs);
    for (int c = 0; c < l->ncols; c++) {
        const char *name = data[c] = cu_name(cu, "list"), *type = cu_col_type(cu, &l->cols[c]);
        Buf text = {.arena = cu->arena};
        for (int k = 0; k < op->nargs; k++) {
            Text *v = cu_value(cu, op->args[k]);
            buf_printf(&text, "%s(%s)(%s)", k ? ", " : "", type, v->s ? v->s[c] : "0");
        }
        if (!cu->lists) {
            cu_line(cu, "const %s %s[%d] = {%s};", type, name, op->nargs, buf_text(&text));
            continue;
        }
        buf_printf(cu->lists, "%*s%s %s[%d];\n", 4 * cu->lists_indent, "", type, name, op->nargs);
        for (int k = 0; k < op->nargs; k++) {
            const Text *v = &cu->values[op->args[k]];
            cu_line(cu, "%s[%d] = (%s)(%s);", name, k, type, v->s ? v->s[c] : "0");
        }
    }
    set_array(cu, id, &n, data);
}

/* Sub-arrays of equal shape, one behind the other. */
static void list_of_rows(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id), *row = NULL;
    CuBuilder b = cu_builder(cu, l);
    const char **dims = cu_slots(cu, l->rank);
    dims[0] = arena_printf(cu->arena, "(i64)%d", op->nargs);
    for (int k = 1; k < l->rank; k++)
        dims[k] = "(i64)0";
    for (int k = 0; k < op->nargs && !cu->out->why; k++) {
        const char *const *s = cu_value(cu, op->args[k])->s;
        row = cu_layout(cu, op->args[k]);
        if (!s)
            return;
        cu_append(cu, &b, s + row->rank, cu_named(cu, "i64", "n", cu_total(cu, row, s, 0)));
        for (int d = 1; k == 0 && d < l->rank; d++)
            dims[d] = s[d - 1];
    }
    set_built(cu, id, &b, dims);
}

void cu_list(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    bool is_short = l->rank == 1 && l->is_regular && op->nargs <= MOST_LOCAL && op->nargs > 0;
    if (is_short && !cu->outlives && !cu->owned[id]) {
        local_list(cu, id);
        return;
    }
    if (l->rank > 1) {
        list_of_rows(cu, id);
        return;
    }
    CuBuilder b = cu_builder(cu, l);
    const char *n = arena_printf(cu->arena, "(i64)%d", op->nargs);
    for (int k = 0; k < op->nargs && !cu->out->why; k++) {
        Text *v = cu_value(cu, op->args[k]);
        if (v->s)
            cu_push(cu, &b, v->s);
    }
    set_built(cu, id, &b, &n);
}

/* ---- updates ---- */

static bool is_consumed(const IrOp *op) {
    return op->consumed & 1;
}

/* The elements of an array of lists, of which one is replaced. */
static void update_lists(Cu *cu, IrId id, const char *place, const char *const *value) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    Text *v = cu_value(cu, op->args[0]);
    CuBuilder b = cu_builder(cu, l);
    const char **elem = cu_slots(cu, layout_of(cu->e, l->elem)->nslots), *p = cu_name(cu, "p");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++) {", p, p, cu_total(cu, l, v->s, 0), p);
    cu->indent++;
    cu_line(cu, "if (%s == %s) {", p, place);
    cu->indent++;
    cu_push(cu, &b, value);
    cu_line(cu, "continue;");
    cu->indent--;
    cu_line(cu, "}");
    cu_load(cu, l->elem, v->s + l->rank, p, "v", elem);
    cu_push(cu, &b, elem);
    cu->indent--;
    cu_line(cu, "}");
    set_built(cu, id, &b, v->s);
}

/* Columns that may be written: those of an array that nobody else sees, or copies. */
static const char *const *columns_to_write(Cu *cu, IrId id, const IrOp *op, const char *const *s) {
    Layout *l = cu_layout(cu, id);
    const char *const *from = is_consumed(op) ? s : cu_copy(cu, l->type, s);
    const char **data = cu_slots(cu, l->ncols);
    for (int c = 0; c < l->ncols; c++) {
        const char *type = cu_col_type(cu, &l->cols[c]);
        data[c] = cu_named(cu, arena_printf(cu->arena, "%s *", type), "w",
                           arena_printf(cu->arena, "(%s *)(%s)", type, from[layout_col_slot(l, c) + 1]));
    }
    return data;
}

void cu_update(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id), *part = cu_layout(cu, op->args[1]);
    Text *v = cu_value(cu, op->args[0]), *value = cu_value(cu, op->args[1]);
    int n = op->nargs - 2;
    if (!v->s || !value->s)
        return;
    const char *place = cu_place(cu, op, l, v->s, op->args + 2, n);
    place = cu_named(cu, "i64", "at", place);
    if (!l->is_regular) {
        if (n == l->rank)
            update_lists(cu, id, place, value->s);
        else
            cu_no(cu, op->span, "it replaces rows of lists inside of a point");
        return;
    }
    const char *const *data = columns_to_write(cu, id, op, v->s);
    if (n == l->rank)
        cu_store(cu, l->elem, data, place, value->s);
    for (int c = 0; n < l->rank && c < l->ncols; c++)
        cu_line(cu, "gx_copy<1>(%s + %s, (const %s *)(%s), %s);", data[c], place, cu_col_type(cu, &l->cols[c]),
                value->s[layout_col_slot(part, c) + 1], cu_total(cu, part, value->s, 0));
    set_array(cu, id, v->s, data);
}

/* ---- the others ---- */

void cu_concat(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    CuBuilder b = cu_builder(cu, l);
    Buf rows = {.arena = cu->arena};
    const char **dims = cu_slots(cu, l->rank);
    for (int k = 0; k < op->nargs; k++) {
        const char *const *s = cu_value(cu, op->args[k])->s;
        if (!s)
            return;
        buf_printf(&rows, "%s%s", k ? " + " : "", s[0]);
        for (int d = 1; k == 0 && d < l->rank; d++)
            dims[d] = s[d];
        cu_append(cu, &b, s + l->rank, cu_named(cu, "i64", "n", cu_total(cu, l, s, 0)));
    }
    dims[0] = cu_named(cu, "i64", "n", buf_text(&rows));
    set_built(cu, id, &b, dims);
}

void cu_string(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Buf text = {.arena = cu->arena};
    buf_puts(&text, "(const u8 *)\"");
    for (size_t k = 0; k < op->text_len; k++)
        buf_printf(&text, "\\%03o", (unsigned char)op->text[k]);
    buf_puts(&text, "\"");
    const char *n = arena_printf(cu->arena, "(i64)%lld", (long long)op->text_len), *data;
    data = cu_named(cu, "const u8 *", "text", buf_text(&text));
    set_array(cu, id, &n, &data);
}

void cu_tags(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, op->args[0]);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    const char *n = cu_named(cu, "i64", "n", cu_total(cu, l, v->s, 0)), *data = cu_take(cu, "i64", n);
    const char *p = cu_name(cu, "p");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = 0; %s < %s; %s++) %s[%s] = (i64)%s[%s];", p, p, n, p, data, p,
            v->s[layout_col_slot(l, 0) + 1], p);
    set_array(cu, id, v->s, &data);
}
