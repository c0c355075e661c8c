/* What an editor is told of a program while it is checked: the types and sizes of its expressions and
   names, and what its members mean. Only in compilations whose code nobody wants, as asking for sizes
   adds to the IR. */
#include "check.h"

#include <stdio.h>

static void write_dim(Checker *ck, Buf *out, IrId dim, int depth);

static void write_pair(Checker *ck, Buf *out, const IrOp *op, const char *sign, int depth) {
    write_dim(ck, out, op->args[0], depth + 1);
    buf_puts(out, sign);
    write_dim(ck, out, op->args[1], depth + 1);
}

/* The visible name of a size. */
static Name name_of_dim(Checker *ck, IrId dim) {
    int base = ck->fn ? ck->fn->base : 0;
    for (int i = base; i < ck->locals.len; i++) {
        const Local *l = &ck->locals.at[i];
        int64_t rest;
        bool shown = !l->is_pseudo && !l->is_var && l->val.type && l->name[0] != '_' && l->name[0] != '#';
        if (shown && type_of(ck, l->val)->kind == TYPE_I64 &&
            ir_difference(ck->b.func, l->val.id, dim, &rest) && rest == 0)
            return l->name;
    }
    return NULL;
}

/* A size as one would write it, `_` where that is long or unknown. */
static void write_dim(Checker *ck, Buf *out, IrId dim, int depth) {
    int64_t number;
    const IrOp *op = ir_op(ck->b.func, dim);
    bool is_number = ir_const_int(ck->b.func, dim, &number);
    Name name = is_number ? NULL : name_of_dim(ck, dim);
    if (name)
        buf_puts(out, name);
    else if (is_number)
        buf_printf(out, "%lld", (long long)number);
    else if (depth < 2 && op->kind == IR_ADD)
        write_pair(ck, out, op, " + ", depth);
    else if (depth < 2 && op->kind == IR_SUB)
        write_pair(ck, out, op, " - ", depth);
    else
        buf_puts(out, "_");
}

static bool is_noted(const CheckNotes *notes, Span span) {
    return notes && span.to > span.from && span.from >= notes->within.from && span.to <= notes->within.to;
}

void note_typed(Checker *ck, Span span, Val v) {
    const CheckNotes *notes = ck->c->notes;
    if (is_noted(notes, span) && v.type)
        notes->typed(notes->data, span, v.type, NULL);
}

void note_local(Checker *ck, Span span, Val v) {
    const CheckNotes *notes = ck->c->notes;
    if (!is_noted(notes, span) || !v.type)
        return;
    Type *type = type_of(ck, v);
    Buf dims = {.arena = ck->arena};
    for (int k = 0; type->kind == TYPE_ARRAY && k < type->rank && !ck->dead; k++) {
        buf_puts(&dims, k ? ", " : "[");
        write_dim(ck, &dims, ck_dim(ck, v.id, k), 0);
    }
    if (dims.len)
        buf_puts(&dims, "]");
    notes->typed(notes->data, span, v.type, dims.len ? buf_text(&dims) : NULL);
}

void note_refers(Checker *ck, Span use, Span target) {
    const CheckNotes *notes = ck->c->notes;
    if (is_noted(notes, use) && target.to > target.from)
        notes->refers(notes->data, use, target);
}

void note_field(Checker *ck, const Type *type, Name name, Span use) {
    if (!ck->c->notes || !type->decl || type->kind != TYPE_RECORD)
        return;
    const TypeItemList *fields = &type->decl->type.fields;
    for (int i = 0; i < fields->len; i++)
        if (fields->at[i].name == name)
            note_refers(ck, use, fields->at[i].name_span);
}
