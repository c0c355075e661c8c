/* What is known about integers without running anything: differences of linear forms, and sizes
   that cannot be negative. Terms are compared by structure, so that two `dim`s of one array are
   one. */
#include "ir_build.h"

enum { MAX_TERMS = 12, MAX_DEPTH = 8 };

typedef struct {
    IrId term[MAX_TERMS];
    uint64_t factor[MAX_TERMS]; /* wraps, like the values themselves */
    int n;
    uint64_t constant;
} Linear;

static bool is_pure(const IrOp *op) {
    if (op->flags & IRF_PINNED)
        return false;
    switch (op->kind) {
    case IR_DIM:
    case IR_GET:
    case IR_TAG:
    case IR_PAYLOAD:
    case IR_INDEX:
    case IR_CONST: return true;
    default: return ir_is_scalar_op(op->kind);
    }
}

/* The same op on the same arguments: one value, wherever both are defined. */
static bool same_value(const IrFunc *f, IrId a, IrId b, int depth) {
    if (a == b)
        return true;
    const IrOp *x = ir_op(f, a), *y = ir_op(f, b);
    if (depth == 0 || x->kind != y->kind || !is_pure(x) || x->nargs != y->nargs ||
        x->imm != y->imm || x->imm2 != y->imm2 || ir_follow(x->type) != ir_follow(y->type))
        return false;
    for (int i = 0; i < x->nargs; i++)
        if (!same_value(f, x->args[i], y->args[i], depth - 1))
            return false;
    return true;
}

static bool add_term(const IrFunc *f, Linear *sum, IrId term, uint64_t factor) {
    for (int i = 0; i < sum->n; i++)
        if (same_value(f, sum->term[i], term, MAX_DEPTH)) {
            sum->factor[i] += factor;
            return true;
        }
    if (sum->n == MAX_TERMS)
        return false;
    sum->term[sum->n] = term;
    sum->factor[sum->n++] = factor;
    return true;
}

/* sum += factor * value; false when it gets too long. */
static bool accumulate(const IrFunc *f, Linear *sum, IrId value, uint64_t factor, int depth) {
    int64_t c;
    if (ir_const_int(f, value, &c)) {
        sum->constant += factor * (uint64_t)c;
        return true;
    }
    const IrOp *op = ir_op(f, value);
    if (depth == 0 || !type_is_int(ir_follow(op->type)))
        return add_term(f, sum, value, factor);
    switch (op->kind) {
    case IR_ADD:
    case IR_SUB:
        return accumulate(f, sum, op->args[0], factor, depth - 1) &&
               accumulate(f, sum, op->args[1], op->kind == IR_ADD ? factor : 0 - factor, depth - 1);
    case IR_NEG: return accumulate(f, sum, op->args[0], 0 - factor, depth - 1);
    case IR_MUL:
        if (ir_const_int(f, op->args[1], &c))
            return accumulate(f, sum, op->args[0], factor * (uint64_t)c, depth - 1);
        return add_term(f, sum, value, factor);
    default: return add_term(f, sum, value, factor);
    }
}

bool ir_difference(const IrFunc *f, IrId a, IrId b, int64_t *difference) {
    if (a == b) {
        *difference = 0;
        return true;
    }
    Type *type = ir_type(f, a);
    if (!type_is_int(type) || ir_type(f, b) != type)
        return false;
    Linear sum = {.n = 0};
    if (!accumulate(f, &sum, a, 1, MAX_DEPTH) || !accumulate(f, &sum, b, (uint64_t)-1, MAX_DEPTH))
        return false;
    for (int i = 0; i < sum.n; i++)
        if (ir_wrap(type->kind, (int64_t)sum.factor[i]) != 0)
            return false;
    *difference = ir_wrap(type->kind, (int64_t)sum.constant);
    return true;
}

/* A number that is far from the end of the i64, so that sums of a few stay non-negative. */
static bool is_small(const IrFunc *f, IrId id, int depth) {
    int64_t c;
    if (ir_const_int(f, id, &c))
        return c >= 0 && c < (int64_t)1 << 40;
    const IrOp *op = ir_op(f, id);
    if (op->kind == IR_ADD && depth > 0)
        return is_small(f, op->args[0], depth - 1) && is_small(f, op->args[1], depth - 1);
    if (op->kind != IR_DIM)
        return false;
    Type *of = ir_type(f, op->args[0]);
    if (of->kind == TYPE_STRING)
        return true;
    Type *elem = of->kind == TYPE_ARRAY ? ir_follow(of->elem) : of;
    return of->rank == 1 && (type_is_scalar(elem) || elem->kind == TYPE_STRING);
}

static bool non_negative(const IrFunc *f, IrId id, int depth) {
    int64_t c;
    if (ir_const_int(f, id, &c))
        return c >= 0;
    const IrOp *op = ir_op(f, id);
    switch (op->kind) {
    case IR_DIM:
    case IR_TAG: return true;
    case IR_MAX:
        return depth > 0 &&
               (non_negative(f, op->args[0], depth - 1) || non_negative(f, op->args[1], depth - 1));
    case IR_MIN:
        return depth > 0 && non_negative(f, op->args[0], depth - 1) &&
               non_negative(f, op->args[1], depth - 1);
    case IR_ADD: return is_small(f, id, 4);
    case IR_CONVERT: {
        Type *from = ir_type(f, op->args[0]);
        return type_is_int(from) && !type_is_signed(from) && type_bytes(from) < 8;
    }
    default: return false;
    }
}

bool ir_is_non_negative(const IrFunc *f, IrId id) {
    return type_is_signed(ir_type(f, id)) && non_negative(f, id, 4);
}
