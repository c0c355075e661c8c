/* Folding of scalar ops: constants, identities and short chains of integer sums. Integer rules hold
   under wrap-around; float rules are those that give the same bits for every operand. */
#include "ir_build.h"

typedef struct {
    IrBuilder *b;
    IrOp *op;
    Type *type; /* of the first operand, followed */
    IrId x, y;  /* the first two operands */
    int64_t c;  /* y, where y_const */
    bool y_const;
    bool is_int, is_float;
} Fold;

static IrId constant(const Fold *s, int64_t value) {
    return ir_bits_const(s->b, s->op->type, ir_wrap(ir_follow(s->op->type)->kind, value));
}

static IrId truth(const Fold *s, bool value) {
    return ir_bool(s->b, value);
}

static const IrOp *op_of(const Fold *s, IrId id) {
    return ir_op(s->b->func, id);
}

static IrId eval_constants(IrBuilder *b, const IrOp *op) {
    IrConst args[3];
    Type *type = ir_follow(op->type);
    for (int i = 0; i < op->nargs; i++) {
        args[i].kind = ir_type(b->func, op->args[i])->kind;
        if (!ir_const_bits(b->func, op->args[i], &args[i].bits))
            return IR_NONE;
    }
    int64_t bits;
    if (type->kind == TYPE_VAR || !ir_eval(op->kind, type->kind, args, op->nargs, &bits))
        return IR_NONE;
    return ir_bits_const(b, op->type, bits);
}

/* x + c where x is itself z + c2. */
static IrId add_constant(Fold *s, IrId x, int64_t c) {
    IrOp inner = *op_of(s, x);
    int64_t more;
    if (c == 0)
        return x;
    if (inner.kind == IR_ADD && ir_const_int(s->b->func, inner.args[1], &more))
        return ir_binary(s->b, IR_ADD, inner.args[0],
                         constant(s, (int64_t)((uint64_t)c + (uint64_t)more)));
    if (inner.kind == IR_SUB && ir_const_int(s->b->func, inner.args[0], &more))
        return ir_binary(s->b, IR_SUB, constant(s, (int64_t)((uint64_t)c + (uint64_t)more)),
                         inner.args[1]);
    return IR_NONE;
}

static IrId fold_add(Fold *s) {
    if (!s->is_int)
        return IR_NONE;
    if (s->y_const)
        return add_constant(s, s->x, s->c);
    const IrOp *x = op_of(s, s->x), *y = op_of(s, s->y);
    if (x->kind == IR_SUB && x->args[1] == s->y)
        return x->args[0]; /* (a - y) + y */
    if (y->kind == IR_SUB && y->args[1] == s->x)
        return y->args[0];
    if (y->kind == IR_NEG)
        return ir_binary(s->b, IR_SUB, s->x, y->args[0]);
    return IR_NONE;
}

/* Would dropping v drop a fault? */
static bool hides_fault(const Fold *s, IrId v) {
    return ir_made_with_faults(s->b->func, v);
}

static IrId fold_sub(Fold *s) {
    if (s->is_float)
        return s->y_const && s->c == 0 ? s->x : IR_NONE; /* x - (+0) */
    if (!s->is_int)
        return IR_NONE;
    if (s->y_const)
        return ir_binary(s->b, IR_ADD, s->x, constant(s, (int64_t)(0 - (uint64_t)s->c)));
    int64_t difference;
    if (ir_difference(s->b->func, s->x, s->y, &difference) && !hides_fault(s, s->x))
        return constant(s, difference);
    const IrOp *x = op_of(s, s->x), *y = op_of(s, s->y);
    if (x->kind == IR_ADD && x->args[0] == s->y)
        return x->args[1];
    if (x->kind == IR_ADD && x->args[1] == s->y)
        return x->args[0];
    if (y->kind == IR_SUB && y->args[0] == s->x)
        return y->args[1]; /* x - (x - a) */
    return IR_NONE;
}

static bool is_one(const Fold *s) {
    if (!s->y_const)
        return false;
    return s->is_int ? s->c == 1 : s->is_float && ir_float_value(s->type->kind, s->c) == 1;
}

static IrId fold_mul(Fold *s) {
    if (is_one(s))
        return s->x;
    if (!s->is_int || !s->y_const)
        return IR_NONE;
    if (s->c == 0)
        return hides_fault(s, s->x) ? IR_NONE : s->y;
    IrOp inner = *op_of(s, s->x);
    int64_t more;
    if (inner.kind == IR_MUL && ir_const_int(s->b->func, inner.args[1], &more))
        return ir_binary(s->b, IR_MUL, inner.args[0],
                         constant(s, (int64_t)((uint64_t)s->c * (uint64_t)more)));
    return IR_NONE;
}

/* (-a) / b -> -(a / b), the same bits, so that what is taken of a and -a alike is found to be. */
static IrId fold_quotient_sign(Fold *s) {
    IrOp x = *op_of(s, s->x);
    if (s->op->kind != IR_DIV || x.kind != IR_NEG)
        return IR_NONE;
    return ir_unary(s->b, IR_NEG, ir_binary(s->b, IR_DIV, x.args[0], s->y));
}

static IrId fold_divide(Fold *s) {
    if (s->is_float && !is_one(s))
        return fold_quotient_sign(s);
    if (s->is_int && s->y_const && s->c != 0)
        s->op->flags &= (uint16_t)~IRF_CHECKED_ZERO;
    if (!is_one(s) || (s->is_float && s->op->kind != IR_DIV))
        return IR_NONE;
    bool quotient = s->op->kind == IR_DIV || s->op->kind == IR_FDIV;
    return quotient ? s->x : hides_fault(s, s->x) ? IR_NONE : constant(s, 0);
}

static IrId fold_power(Fold *s) {
    if (!s->is_int)
        return IR_NONE;
    Type *exponent = ir_type(s->b->func, s->y);
    if (type_is_int(exponent) && (!type_is_signed(exponent) || (s->y_const && s->c >= 0)))
        s->op->flags &= (uint16_t)~IRF_CHECKED_ZERO;
    if (!s->y_const || !type_is_int(exponent))
        return IR_NONE;
    if (s->c == 0)
        return hides_fault(s, s->x) ? IR_NONE : constant(s, 1);
    if (s->c == 1)
        return s->x;
    return s->c == 2 ? ir_binary(s->b, IR_MUL, s->x, s->x) : IR_NONE;
}

static IrId fold_bits(Fold *s) {
    bool same = s->x == s->y && (s->is_int || s->type->kind == TYPE_BOOL);
    if (same && s->op->kind != IR_BITXOR)
        return s->x;
    if (same)
        return hides_fault(s, s->x) ? IR_NONE : constant(s, 0);
    if (!s->y_const || s->is_float)
        return IR_NONE;
    int64_t ones = ir_wrap(s->type->kind, -1);
    switch (s->op->kind) {
    case IR_BITAND:
        return s->c == ones ? s->x : s->c == 0 && !hides_fault(s, s->x) ? s->y : IR_NONE;
    case IR_BITOR:
        return s->c == 0 ? s->x : s->c == ones && !hides_fault(s, s->x) ? s->y : IR_NONE;
    case IR_BITXOR: return s->c == 0 ? s->x : IR_NONE;
    default: return IR_NONE;
    }
}

static IrId fold_shift(Fold *s) {
    return s->y_const && s->c == 0 ? s->x : IR_NONE;
}

static IrId fold_not(Fold *s) {
    const IrOp *x = op_of(s, s->x);
    if (x->kind == IR_BITNOT)
        return x->args[0];
    IrKind opposite = x->kind == IR_EQ ? IR_NE : x->kind == IR_NE ? IR_EQ : IR_INVALID;
    Type *of = x->nargs ? ir_type(s->b->func, x->args[0]) : NULL;
    if (of && ir_is_intlike(of->kind) && opposite == IR_INVALID) { /* not so for NaN */
        opposite = x->kind == IR_LT   ? IR_GE
                   : x->kind == IR_GE ? IR_LT
                   : x->kind == IR_GT ? IR_LE
                   : x->kind == IR_LE ? IR_GT
                                      : IR_INVALID;
    }
    return opposite ? ir_binary(s->b, opposite, x->args[0], x->args[1]) : IR_NONE;
}

static IrId fold_neg(Fold *s) {
    IrOp x = *op_of(s, s->x);
    if (x.kind == IR_NEG)
        return x.args[0];
    if (s->is_int && x.kind == IR_SUB)
        return ir_binary(s->b, IR_SUB, x.args[1], x.args[0]);
    return IR_NONE;
}

/* |-a| and ||a|| are |a|. */
static IrId fold_abs(Fold *s) {
    IrOp x = *op_of(s, s->x);
    if (!s->is_float || (x.kind != IR_NEG && x.kind != IR_ABS))
        return IR_NONE;
    return ir_unary(s->b, IR_ABS, x.args[0]);
}

static IrId fold_equality(Fold *s) {
    bool wanted = s->op->kind == IR_EQ;
    int64_t difference;
    if (s->type->kind == TYPE_BOOL && s->y_const)
        return s->c == wanted ? s->x : ir_unary(s->b, IR_BITNOT, s->x);
    if (s->x == s->y && ir_is_intlike(s->type->kind))
        return hides_fault(s, s->x) ? IR_NONE : truth(s, wanted);
    if (s->is_int && ir_difference(s->b->func, s->x, s->y, &difference) && !hides_fault(s, s->x))
        return truth(s, (difference == 0) == wanted);
    return IR_NONE;
}

/* Comparisons of equals, of what has a least value with it, and of sizes with negative numbers. */
static IrId fold_order(Fold *s) {
    int64_t difference;
    if (!s->is_int)
        return IR_NONE;
    IrKind kind = s->op->kind;
    if (ir_difference(s->b->func, s->x, s->y, &difference) && difference == 0 &&
        !hides_fault(s, s->x))
        return truth(s, kind == IR_LE || kind == IR_GE);
    bool floor = !type_is_signed(s->type) ||
                 (s->type->kind == TYPE_I64 && ir_is_non_negative(s->b->func, s->x));
    if (!floor || !s->y_const || (type_is_signed(s->type) ? s->c > 0 : s->c != 0))
        return IR_NONE;
    if (kind == IR_LT || kind == IR_BEFORE || (kind == IR_LE && s->c < 0))
        return truth(s, false);
    if (kind == IR_GE || (kind == IR_GT && s->c < 0))
        return truth(s, true);
    return IR_NONE;
}

static IrId fold_min_max(Fold *s) {
    int64_t difference;
    if (s->x == s->y)
        return s->x;
    if (!s->is_int)
        return IR_NONE;
    bool max = s->op->kind == IR_MAX;
    if (ir_difference(s->b->func, s->x, s->y, &difference) && difference == 0)
        return s->x;
    if (s->y_const && s->c <= 0 && s->type->kind == TYPE_I64 &&
        ir_is_non_negative(s->b->func, s->x))
        return max ? s->x : s->y;
    const IrOp *inner = op_of(s, s->x);
    int64_t bound;
    if (inner->kind == s->op->kind && s->y_const &&
        ir_const_int(s->b->func, inner->args[1], &bound) && bound == s->c)
        return s->x;
    return IR_NONE;
}

static IrId fold_select(IrBuilder *b, const IrOp *op) {
    int64_t cond;
    if (ir_const_int(b->func, op->args[0], &cond))
        return op->args[cond ? 1 : 2];
    if (op->args[1] == op->args[2])
        return op->args[1];
    int64_t yes, no;
    if (ir_follow(op->type)->kind == TYPE_BOOL && ir_const_int(b->func, op->args[1], &yes) &&
        ir_const_int(b->func, op->args[2], &no) && yes != no)
        return yes ? op->args[0] : ir_unary(b, IR_BITNOT, op->args[0]);
    return IR_NONE;
}

/* Does every value of the one type keep itself in the other? */
static bool holds(Type *wide, Type *narrow) {
    if (!type_is_int(wide) || !(type_is_int(narrow) || narrow->kind == TYPE_BOOL))
        return false;
    int room = type_bytes(wide), need = type_bytes(narrow);
    if (type_is_signed(narrow))
        return type_is_signed(wide) && room >= need;
    return type_is_signed(wide) ? room > need : room >= need;
}

/* u8(x != 0) is min(x, 1) where x is a u8, too. */
static IrId fold_truth(IrBuilder *b, const IrOp *op, const IrOp *test) {
    int64_t zero;
    Type *to = ir_follow(op->type);
    if (test->kind != IR_NE || !type_is_int(to) || type_is_signed(to) ||
        ir_type(b->func, test->args[0]) != to || !ir_const_int(b->func, test->args[1], &zero) || zero)
        return IR_NONE;
    return ir_binary(b, IR_MIN, test->args[0], ir_int(b, to, 1));
}

static IrId fold_convert(IrBuilder *b, const IrOp *op) {
    Type *to = ir_follow(op->type), *from = ir_type(b->func, op->args[0]);
    if (to == from && to->kind != TYPE_VAR)
        return op->args[0];
    IrOp inner = *ir_op(b->func, op->args[0]);
    if (inner.kind != IR_CONVERT)
        return fold_truth(b, op, &inner);
    Type *first = ir_type(b->func, inner.args[0]);
    /* first -> from -> to: the middle keeps every value, or only bits count that stay */
    bool exact = holds(from, first) && to->kind != TYPE_VAR;
    bool low_bits = type_is_int(first) && type_is_int(from) && type_is_int(to) &&
                    type_bytes(from) >= type_bytes(to);
    return exact || low_bits ? ir_convert(b, op->type, inner.args[0]) : IR_NONE;
}

/* Constants go to the right of what commutes and of comparisons. */
static void order_operands(IrBuilder *b, IrOp *op, IrId *args) {
    static const IrKind mirrored[IR_CONST] = {
        [IR_EQ] = IR_EQ, [IR_NE] = IR_NE, [IR_LT] = IR_GT,
        [IR_LE] = IR_GE, [IR_GT] = IR_LT, [IR_GE] = IR_LE,
    };
    bool swaps = ir_is_commutative(op->kind) || mirrored[op->kind];
    bool wanted =
        ir_op(b->func, args[0])->kind == IR_CONST && ir_op(b->func, args[1])->kind != IR_CONST;
    if (!swaps || !wanted)
        return;
    IrId first = args[0];
    args[0] = args[1];
    args[1] = first;
    if (mirrored[op->kind])
        op->kind = mirrored[op->kind];
    op->args = args;
}

static IrId fold_pair(Fold *s) {
    switch (s->op->kind) {
    case IR_ADD: return fold_add(s);
    case IR_SUB: return fold_sub(s);
    case IR_MUL: return fold_mul(s);
    case IR_DIV:
    case IR_MOD:
    case IR_FDIV:
    case IR_FMOD: return fold_divide(s);
    case IR_POW: return fold_power(s);
    case IR_BITAND:
    case IR_BITOR:
    case IR_BITXOR: return fold_bits(s);
    case IR_SHL:
    case IR_SHR: return fold_shift(s);
    case IR_EQ:
    case IR_NE: return fold_equality(s);
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_BEFORE: return fold_order(s);
    case IR_MIN:
    case IR_MAX: return fold_min_max(s);
    default: return IR_NONE;
    }
}

IrId ir_fold_scalar(IrBuilder *b, IrOp *op) {
    IrId value = eval_constants(b, op);
    if (value)
        return value;
    if (op->kind == IR_SELECT)
        return fold_select(b, op);
    if (op->kind == IR_CONVERT)
        return fold_convert(b, op);
    if (op->kind == IR_RARE)
        return ir_op(b->func, op->args[0])->kind == IR_CONST ? op->args[0] : IR_NONE;
    Fold s = {.b = b, .op = op, .x = op->args[0]};
    s.type = ir_type(b->func, s.x);
    s.is_int = type_is_int(s.type);
    s.is_float = type_is_float(s.type);
    if (!type_is_scalar(s.type))
        return IR_NONE;
    if (op->nargs == 1)
        return op->kind == IR_NEG      ? fold_neg(&s)
               : op->kind == IR_BITNOT ? fold_not(&s)
               : op->kind == IR_ABS    ? fold_abs(&s)
                                       : IR_NONE;
    if (op->nargs != 2)
        return IR_NONE;
    IrId *args = NEW_ARRAY(b->func->arena, IrId, 2);
    args[0] = op->args[0];
    args[1] = op->args[1];
    order_operands(b, op, args);
    s.x = op->args[0];
    s.y = op->args[1];
    s.y_const = ir_const_bits(b->func, s.y, &s.c);
    return fold_pair(&s);
}
