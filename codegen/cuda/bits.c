/* PACK and BIT as CUDA text: a thread makes a whole word of 64 elements, or reads one bit. */
#include "text.h"

/* The row-major number of the row that all indices but the last pick, times `dim`. */
static const char *row_of(Cu *cu, const IrOp *op, const char *const *dims, const char *dim) {
    const char *row = NULL;
    for (int k = 0; k < op->nargs - 2; k++) {
        const char *i = cu_scalar(cu, op->args[1 + k]);
        row = row ? arena_printf(cu->arena, "(%s * %s + %s)", row, dims[k], i) : i;
    }
    return row ? arena_printf(cu->arena, "%s * %s", row, dim) : "(i64)0";
}

static void set_one(Cu *cu, IrId id, const char *name) {
    const char **s = cu_slots(cu, 1);
    s[0] = name;
    cu_set(cu, id, s, 1);
}

void cu_bit(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, op->args[0]);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    const char *at = cu_scalar(cu, op->args[op->nargs - 1]), *name = cu_name(cu, "bit");
    const char *row = row_of(cu, op, v->s, v->s[l->rank - 1]), *words = v->s[layout_col_slot(l, 0) + 1];
    cu_line(cu, "const bool %s = (%s[%s + (%s >> 6)] >> (%s & 63) & 1) != 0;", name, words, row, at, at);
    set_one(cu, id, name);
}

void cu_pack(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, op->args[0]);
    Text *v = cu_value(cu, op->args[0]);
    if (!v->s)
        return;
    const char *name = cu_name(cu, "word"), *from = cu_name(cu, "from"), *at = cu_name(cu, "at");
    const char *dim = v->s[l->rank - 1], *elements = v->s[layout_col_slot(l, 0) + 1];
    cu_line(cu, "const i64 %s = %s * 64, %s = %s + %s;", from, cu_scalar(cu, op->args[op->nargs - 1]), at,
            row_of(cu, op, v->s, dim), from);
    cu_line(cu, "u64 %s = 0;", name);
    cu_line(cu, "for (i64 i = 0; i < 64 && %s + i < %s; i++)", from, dim);
    cu_line(cu, "    %s |= (u64)(((u64)%s[%s + i] >> %d%s) != 0) << i;", name, elements, at, (int)op->imm,
            op->imm2 ? "" : " & 1");
    set_one(cu, id, name);
}
