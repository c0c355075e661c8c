/* The prover behind range.c. A goal `linear form <= 0` is proven by replacing terms by their bounds
   until a constant is left: a term with a positive factor by something not smaller, one with a
   negative factor by something not larger. The search is bounded; giving up is always safe. */
#include "range.h"

#include <string.h>

enum { MAX_DEPTH = 7, MAX_STEPS = 600, MAX_WALK = 8, MAX_PROOFS = 4, MAX_VISITS = 4000 };

/* No array that exists has more elements along an axis. */
#define MAX_DIM ((int64_t)1 << 56)

/* ---- linear forms ---- */

Lin lin_const(int64_t value) {
    return (Lin){.constant = value};
}

static void add_term(Lin *a, IrId t, int64_t factor) {
    for (int i = 0; i < a->n; i++) {
        if (a->at[i] != t)
            continue;
        a->bad |= __builtin_add_overflow(a->factor[i], factor, &a->factor[i]);
        if (a->factor[i] == 0) {
            a->n--;
            a->at[i] = a->at[a->n];
            a->factor[i] = a->factor[a->n];
        }
        return;
    }
    if (a->n == LIN_TERMS || a->bad) {
        a->bad = true;
        return;
    }
    a->at[a->n] = t;
    a->factor[a->n++] = factor;
}

Lin lin_add(Lin a, Lin b, int64_t q) {
    int64_t constant;
    a.bad |= b.bad || __builtin_mul_overflow(b.constant, q, &constant) ||
             __builtin_add_overflow(a.constant, constant, &a.constant);
    for (int i = 0; i < b.n && !a.bad; i++) {
        int64_t factor;
        a.bad |= __builtin_mul_overflow(b.factor[i], q, &factor);
        add_term(&a, b.at[i], factor);
    }
    return a;
}

int64_t lin_factor(const Lin *a, IrId t) {
    for (int i = 0; i < a->n; i++)
        if (a->at[i] == t)
            return a->factor[i];
    return 0;
}

Lin lin_replace(Lin a, IrId t, Lin by) {
    int64_t k = lin_factor(&a, t);
    if (k == 0)
        return a;
    Lin term = {.at = {t}, .factor = {1}, .n = 1};
    return lin_add(lin_add(a, term, -k), by, k);
}

static Lin lin_term(IrId t) {
    return (Lin){.at = {t}, .factor = {1}, .n = 1};
}

/* ---- intervals ---- */

static const Interval everything = {INT64_MIN, INT64_MAX};

bool range_counts(const Type *type) {
    return type_is_int(type) && type->kind != TYPE_U64;
}

static Interval type_interval(const Type *type) {
    if (!range_counts(type))
        return everything;
    int bits = 8 * type_bytes(type);
    if (type_is_signed(type))
        return (Interval){INT64_MIN >> (64 - bits), INT64_MAX >> (64 - bits)};
    return (Interval){0, (int64_t)(UINT64_MAX >> (64 - bits))};
}

static Interval meet(Interval a, Interval b) {
    return (Interval){a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
}

static Interval hull(Interval a, Interval b) {
    return (Interval){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

static bool inside(Interval a, Interval b) {
    return a.lo >= b.lo && a.hi <= b.hi;
}

static Interval interval(Range *r, IrId v, int depth);

/* The exact result of + - *; false if it can leave 64 bits. */
static bool exact(Range *r, const IrOp *op, int depth, Interval *out) {
    Interval a = interval(r, op->args[0], depth), b = interval(r, op->args[1], depth);
    int64_t c[4] = {0};
    bool over;
    switch (op->kind) {
    case IR_ADD:
        over =
            __builtin_add_overflow(a.lo, b.lo, &c[0]) || __builtin_add_overflow(a.hi, b.hi, &c[1]);
        *out = (Interval){c[0], c[1]};
        return !over;
    case IR_SUB:
        over =
            __builtin_sub_overflow(a.lo, b.hi, &c[0]) || __builtin_sub_overflow(a.hi, b.lo, &c[1]);
        *out = (Interval){c[0], c[1]};
        return !over;
    case IR_MUL:
        over = __builtin_mul_overflow(a.lo, b.lo, &c[0]) ||
               __builtin_mul_overflow(a.lo, b.hi, &c[1]) ||
               __builtin_mul_overflow(a.hi, b.lo, &c[2]) ||
               __builtin_mul_overflow(a.hi, b.hi, &c[3]);
        *out = hull(hull((Interval){c[0], c[0]}, (Interval){c[1], c[1]}),
                    hull((Interval){c[2], c[2]}, (Interval){c[3], c[3]}));
        return !over;
    default: return false;
    }
}

/* Of x % m, floored or truncated. It has no value where m is 0. */
static Interval modulo(Range *r, const IrOp *op, int depth) {
    Interval x = interval(r, op->args[0], depth), m = interval(r, op->args[1], depth);
    if (m.lo < 0 || m.hi < 1)
        return everything;
    bool positive = op->kind == IR_FMOD || x.lo >= 0;
    int64_t hi = x.lo >= 0 && x.hi < m.hi - 1 ? x.hi : m.hi - 1;
    return (Interval){positive ? 0 : -(m.hi - 1), hi};
}

static Interval bits_interval(Range *r, const IrOp *op, int depth) {
    if (op->nargs == 0 || op->nregions) /* others say nothing of their values */
        return everything;
    Interval a = interval(r, op->args[0], depth);
    Interval b = op->nargs > 1 ? interval(r, op->args[1], depth) : everything;
    switch (op->kind) {
    case IR_BITAND:
        if (a.lo < 0 && b.lo < 0)
            return everything;
        return (Interval){0, a.lo < 0 ? b.hi : b.lo < 0 ? a.hi : a.hi < b.hi ? a.hi : b.hi};
    case IR_SHR:
        if (a.lo < 0 || b.lo < 0 || b.lo > 63)
            return a.lo < 0 ? everything : (Interval){0, a.hi};
        return (Interval){0, a.hi >> b.lo};
    case IR_DIV:
    case IR_FDIV:
        if (a.lo < 0 || b.lo <= 0)
            return everything;
        return (Interval){a.lo / b.hi, a.hi / b.lo};
    case IR_POPCOUNT:
    case IR_CLZ:
    case IR_CTZ: return (Interval){0, 8 * type_bytes(op->type)};
    case IR_ABS: /* that of the least value is itself */
        return a.lo == type_interval(op->type).lo ? everything : (Interval){0, INT64_MAX};
    default: return everything;
    }
}

static Interval loaded_interval(Range *r, const IrOp *op, int depth) {
    const IrOp *of = ir_op(r->f, op->args[0]);
    if (of->kind != IR_LIST || of->nargs == 0 || of->nargs > 1024 || of->type->rank != 1)
        return everything;
    Interval all = interval(r, of->args[0], depth);
    for (int i = 1; i < of->nargs; i++)
        all = hull(all, interval(r, of->args[i], depth));
    return all;
}

/* Of what is converted: a bool is 0 or 1. */
static Interval operand_interval(Range *r, IrId v, int depth) {
    const Type *type = ir_op(r->f, v)->type;
    if (type->kind == TYPE_BOOL)
        return (Interval){0, 1};
    return range_counts(type) ? interval(r, v, depth) : everything;
}

static Interval made_interval(Range *r, const IrOp *op, int depth) {
    Interval out;
    switch (op->kind) {
    case IR_CONST: return (Interval){op->imm, op->imm};
    case IR_ADD:
    case IR_SUB:
    case IR_MUL: /* what wraps can be anything */
        return exact(r, op, depth, &out) && inside(out, type_interval(op->type)) ? out : everything;
    case IR_MIN: {
        Interval a = interval(r, op->args[0], depth), b = interval(r, op->args[1], depth);
        return (Interval){a.lo < b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
    }
    case IR_MAX: {
        Interval a = interval(r, op->args[0], depth), b = interval(r, op->args[1], depth);
        return (Interval){a.lo > b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
    }
    case IR_MOD:
    case IR_FMOD: return modulo(r, op, depth);
    case IR_SELECT: return hull(interval(r, op->args[1], depth), interval(r, op->args[2], depth));
    case IR_IF:
        if (op->regions[0]->results.len != 1)
            return everything;
        return hull(interval(r, op->regions[0]->results.at[0], depth),
                    interval(r, op->regions[1]->results.at[0], depth));
    case IR_CHECK: return interval(r, op->args[0], depth);
    case IR_CONVERT:
        out = operand_interval(r, op->args[0], depth);
        return inside(out, type_interval(op->type)) ? out : everything;
    case IR_DIM: return (Interval){0, MAX_DIM};
    case IR_TAG: return (Interval){0, 1 << 16};
    case IR_INDEX: return loaded_interval(r, op, depth);
    default: return bits_interval(r, op, depth);
    }
}

/* What facts of the shape v <= u + c and v >= u + c say of v. */
static Interval fact_interval(Range *r, IrId v, Interval out, int depth) {
    for (int i = 0; i < r->facts.len; i++) {
        const Lin *fact = &r->facts.at[i].form;
        int64_t k = fact->n > 3 ? 0 : lin_factor(fact, v);
        if (k != 1 && k != -1)
            continue;
        Interval rest = {fact->constant, fact->constant}; /* k * v <= -rest */
        for (int t = 0; t < fact->n; t++) {
            if (fact->at[t] == v)
                continue;
            Interval u = interval(r, fact->at[t], depth);
            int64_t least = fact->factor[t] > 0 ? u.lo : u.hi;
            if (__builtin_mul_overflow(least, fact->factor[t], &least) ||
                __builtin_add_overflow(rest.lo, least, &rest.lo))
                rest.lo = INT64_MIN;
        }
        if (rest.lo == INT64_MIN)
            continue;
        if (k == 1 && -rest.lo < out.hi)
            out.hi = -rest.lo;
        if (k == -1 && rest.lo > out.lo)
            out.lo = rest.lo;
    }
    return out;
}

static Interval interval(Range *r, IrId v, int depth) {
    const IrOp *op = ir_op(r->f, v);
    Interval out = type_interval(op->type);
    if (range_counts(op->type) && (op->kind == IR_CONST || op->kind == IR_DIM))
        return made_interval(r, op, depth);
    if (!range_counts(op->type) || depth >= MAX_WALK || r->visits-- <= 0)
        return out;
    if (op->kind != IR_PARAM && (op->nargs == 0 || op->nargs <= 3 || op->kind == IR_INDEX))
        out = meet(out, made_interval(r, op, depth + 1));
    return fact_interval(r, v, out, depth + 3);
}

Interval range_interval(Range *r, IrId v) {
    if (r->proofs == 0)
        r->visits = MAX_VISITS;
    return interval(r, v, 0);
}

/* ---- values as linear forms ---- */

/* One op stands for every DIM of an array's axis. */
static IrId canonical_dim(Range *r, IrId id) {
    const IrOp *op = ir_op(r->f, id);
    for (int i = 0; i < r->dims.len; i++) {
        const IrOp *known = ir_op(r->f, r->dims.at[i]);
        if (known->args[0] == op->args[0] && known->imm == op->imm)
            return r->dims.at[i];
    }
    vec_push(r->arena, &r->dims, id);
    return id;
}

static Lin linear(Range *r, IrId v, int depth) {
    const IrOp *op = ir_op(r->f, v);
    Interval out;
    if (op->kind == IR_CONST)
        return lin_const(op->imm);
    if (op->kind == IR_DIM)
        return lin_term(canonical_dim(r, v));
    if (depth >= MAX_WALK)
        return lin_term(v);
    if ((op->kind == IR_ADD || op->kind == IR_SUB || op->kind == IR_MUL) && exact(r, op, 0, &out) &&
        inside(out, type_interval(op->type))) {
        Lin a = linear(r, op->args[0], depth + 1), b = linear(r, op->args[1], depth + 1);
        Lin sum = {.bad = true};
        if (op->kind != IR_MUL)
            sum = lin_add(a, b, op->kind == IR_ADD ? 1 : -1);
        else if (a.n == 0 || b.n == 0)
            sum = lin_add(lin_const(0), a.n ? a : b, a.n ? b.constant : a.constant);
        return sum.bad ? lin_term(v) : sum;
    }
    if (op->kind == IR_CONVERT && range_counts(ir_op(r->f, op->args[0])->type) &&
        inside(interval(r, op->args[0], 0), type_interval(op->type)))
        return linear(r, op->args[0], depth + 1);
    return lin_term(v);
}

Lin lin_of(Range *r, IrId v) {
    if (!range_counts(ir_op(r->f, v)->type))
        return (Lin){.bad = true};
    if (r->proofs == 0)
        r->visits = MAX_VISITS;
    return linear(r, v, 0);
}

IrId range_dim(Range *r, IrId array, int axis) {
    for (int i = 0; i < r->dims.len; i++) {
        const IrOp *known = ir_op(r->f, r->dims.at[i]);
        if (known->args[0] == array && known->imm == axis)
            return r->dims.at[i];
    }
    IrRegion nowhere = {0};
    IrBuilder b = {.module = r->m, .func = r->f, .region = &nowhere};
    return ir_dim(&b, array, axis);
}

/* ---- facts ---- */

void range_fact(Range *r, Lin fact) {
    if (!fact.bad && fact.n > 0)
        vec_push(r->arena, &r->facts, (Fact){.form = fact});
}

static bool prove(Range *r, Lin goal, int depth);

/* a < b, a <= b, … as facts. */
static void assume_order(Range *r, IrId a, IrId b, int64_t strict) {
    Lin fact = lin_add(lin_of(r, a), lin_of(r, b), -1);
    range_fact(r, lin_add(fact, lin_const(strict), 1));
}

/* a != b tightens a bound that touches. */
static void assume_unequal(Range *r, IrId a, IrId b) {
    Lin up = lin_add(lin_of(r, a), lin_of(r, b), -1);
    Lin down = lin_add(lin_of(r, b), lin_of(r, a), -1);
    if (up.bad || down.bad)
        return;
    if (range_prove(r, up))
        range_fact(r, lin_add(up, lin_const(1), 1));
    else if (range_prove(r, down))
        range_fact(r, lin_add(down, lin_const(1), 1));
}

static bool is_const_bool(Range *r, IrId id, bool value) {
    int64_t known;
    return ir_const_int(r->f, id, &known) && known == value;
}

/* A choice between bools: `a and b` is if a { b } else { false }. */
static void assume_choice(Range *r, const IrOp *op, bool truth) {
    bool is_if = op->kind == IR_IF;
    IrId yes = is_if ? op->regions[0]->results.at[0] : op->args[1];
    IrId no = is_if ? op->regions[1]->results.at[0] : op->args[2];
    if (is_const_bool(r, no, !truth)) {
        range_assume(r, op->args[0], true);
        range_assume(r, yes, truth);
    } else if (is_const_bool(r, yes, !truth)) {
        range_assume(r, op->args[0], false);
        range_assume(r, no, truth);
    }
}

void range_assume(Range *r, IrId cond, bool truth) {
    IrOp op = *ir_op(r->f, cond);
    vec_push(r->arena, &r->facts, (Fact){.cond = cond, .truth = truth});
    switch (op.kind) {
    case IR_BITNOT: range_assume(r, op.args[0], !truth); return;
    case IR_BITAND:
    case IR_BITOR:
        if (op.type->kind != TYPE_BOOL || truth != (op.kind == IR_BITAND))
            return;
        range_assume(r, op.args[0], truth);
        range_assume(r, op.args[1], truth);
        return;
    case IR_SELECT:
    case IR_IF:
        if (op.type->kind == TYPE_BOOL)
            assume_choice(r, &op, truth);
        return;
    default: break;
    }
    if (op.nargs != 2 || !range_counts(ir_op(r->f, op.args[0])->type))
        return;
    IrId a = op.args[0], b = op.args[1];
    switch (op.kind) {
    case IR_LT: truth ? assume_order(r, a, b, 1) : assume_order(r, b, a, 0); return;
    case IR_LE: truth ? assume_order(r, a, b, 0) : assume_order(r, b, a, 1); return;
    case IR_GT: truth ? assume_order(r, b, a, 1) : assume_order(r, a, b, 0); return;
    case IR_GE: truth ? assume_order(r, b, a, 0) : assume_order(r, a, b, 1); return;
    case IR_EQ:
    case IR_NE:
        if (truth != (op.kind == IR_EQ)) {
            assume_unequal(r, a, b);
            return;
        }
        assume_order(r, a, b, 0);
        assume_order(r, b, a, 0);
        return;
    default: return;
    }
}

/* ---- the search ---- */

/* The goal with term t, of factor k, replaced by the value v. */
static bool prove_with(Range *r, Lin goal, IrId t, IrId v, int depth) {
    Lin next = lin_replace(goal, t, lin_of(r, v));
    return !next.bad && prove(r, next, depth + 1);
}

static bool prove_with_const(Range *r, Lin goal, IrId t, int64_t value, int depth) {
    if (value == INT64_MIN || value == INT64_MAX)
        return false;
    Lin next = lin_replace(goal, t, lin_const(value));
    return !next.bad && prove(r, next, depth + 1);
}

/* Under a condition: both values of a choice. */
static bool prove_case(Range *r, Lin goal, IrId t, IrId cond, bool truth, IrId v, int depth) {
    int mark = r->facts.len;
    range_assume(r, cond, truth);
    bool ok = prove_with(r, goal, t, v, depth);
    r->facts.len = mark;
    return ok;
}

/* Is a bool known here? Choices by one condition go the same way. */
static bool is_assumed(const Range *r, IrId cond, bool truth) {
    for (int i = 0; i < r->facts.len; i++)
        if (r->facts.at[i].cond == cond && r->facts.at[i].truth == truth)
            return true;
    return false;
}

static bool prove_choice(Range *r, Lin goal, IrId t, const IrOp *op, int depth) {
    bool is_if = op->kind == IR_IF;
    if (is_if && op->regions[0]->results.len != 1)
        return false;
    IrId yes = is_if ? op->regions[0]->results.at[0] : op->args[1];
    IrId no = is_if ? op->regions[1]->results.at[0] : op->args[2];
    IrId cond = op->args[0];
    return (is_assumed(r, cond, false) || prove_case(r, goal, t, cond, true, yes, depth)) &&
           (is_assumed(r, cond, true) || prove_case(r, goal, t, cond, false, no, depth));
}

/* A checked value keeps what its check established. */
static bool prove_checked(Range *r, Lin goal, IrId t, const IrOp *op, int depth) {
    if (!op->args[0])
        return false;
    int mark = r->facts.len;
    range_assume(r, op->args[1], true);
    bool ok = prove_with(r, goal, t, op->args[0], depth);
    r->facts.len = mark;
    return ok;
}

/* q = x / c, x >= 0. q <= Q exactly if x <= c * Q + c - 1, and q >= Q exactly if x >= c * Q. */
static bool prove_quotient(Range *r, Lin goal, IrId t, const IrOp *op, int64_t k, int depth) {
    int64_t c;
    Interval x = range_interval(r, op->args[0]);
    if (x.lo < 0 || !ir_const_int(r->f, op->args[1], &c) || c < 1)
        return false;
    Lin source = lin_of(r, op->args[0]), rest = lin_replace(goal, t, lin_const(0));
    Lin next = {.bad = true};
    if (k == 1)
        next = lin_add(lin_add(source, rest, c), lin_const(1 - c), 1);
    else if (k == -1)
        next = lin_add(lin_add(lin_const(0), source, -1), rest, c);
    else if (k > 0 && k % c == 0)
        next = lin_add(rest, source, k / c);
    if (!next.bad && prove(r, next, depth + 1))
        return true;
    return k > 0 && prove_with(r, goal, t, op->args[0], depth);
}

/* x mod m, m >= 0 (for 0 there is no value): at most m - 1, and at most x if x >= 0. */
static bool prove_modulo(Range *r, Lin goal, IrId t, const IrOp *op, int64_t k, int depth) {
    Lin m = lin_of(r, op->args[1]);
    bool positive = !m.bad && range_prove(r, lin_add(lin_const(0), m, -1));
    Interval x = range_interval(r, op->args[0]);
    if (!positive)
        return false;
    if (k < 0)
        return (op->kind == IR_FMOD || x.lo >= 0) && prove_with_const(r, goal, t, 0, depth);
    Lin next = lin_replace(goal, t, lin_add(m, lin_const(1), -1));
    return (!next.bad && prove(r, next, depth + 1)) ||
           (x.lo >= 0 && prove_with(r, goal, t, op->args[0], depth));
}

/* By how the term is made. k is its factor. */
static bool prove_made(Range *r, Lin goal, IrId t, int64_t k, int depth) {
    IrOp op = *ir_op(r->f, t);
    switch (op.kind) {
    case IR_MIN:
    case IR_MAX: {
        bool first = prove_with(r, goal, t, op.args[0], depth);
        if ((op.kind == IR_MIN) == (k > 0)) /* either bound will do */
            return first || prove_with(r, goal, t, op.args[1], depth);
        return first && prove_with(r, goal, t, op.args[1], depth);
    }
    case IR_SELECT:
    case IR_IF: return prove_choice(r, goal, t, &op, depth);
    case IR_CHECK: return prove_checked(r, goal, t, &op, depth);
    case IR_DIV:
    case IR_FDIV: return prove_quotient(r, goal, t, &op, k, depth);
    case IR_MOD:
    case IR_FMOD: return prove_modulo(r, goal, t, &op, k, depth);
    case IR_INDEX: {
        const IrOp *of = ir_op(r->f, op.args[0]);
        if (of->kind != IR_SORT || !(of->imm & SORT_PERMUTATION))
            return false;
        if (k < 0)
            return prove_with_const(r, goal, t, 0, depth);
        Lin n = lin_of(r, range_dim(r, of->args[0], 0)); /* a permutation of 0 … n - 1 */
        Lin next = lin_replace(goal, t, lin_add(n, lin_const(1), -1));
        return !next.bad && prove(r, next, depth + 1);
    }
    default: return false;
    }
}

static bool prove_fact(Range *r, const Lin *goal, const Lin *fact, IrId t, int64_t k, int depth) {
    int64_t f = lin_factor(fact, t);
    if (f == 0 || (f > 0) != (k > 0) || k % f != 0)
        return false;
    Lin next = lin_add(*goal, *fact, -(k / f));
    return !next.bad && prove(r, next, depth + 1);
}

/* What a loop keeps holds for its results. */
static bool prove_loop(Range *r, Lin goal, IrId t, int64_t k, int depth) {
    const IrOp *op = ir_op(r->f, t);
    IrId loop = op->kind == IR_GET ? op->args[0] : t;
    int which = op->kind == IR_GET ? (int)op->imm : 0;
    for (int i = 0; i < r->loops.len; i++) {
        const LoopFact *known = &r->loops.at[i];
        if (known->loop != loop || known->k != which)
            continue;
        Lin fact = lin_replace(known->fact, known->self, lin_term(t));
        if (prove_fact(r, &goal, &fact, t, k, depth))
            return true;
    }
    return false;
}

static bool prove_term(Range *r, Lin goal, int i, int depth) {
    IrId t = goal.at[i];
    int64_t k = goal.factor[i];
    for (int n = r->facts.len - 1; n >= 0; n--)
        if (prove_fact(r, &goal, &r->facts.at[n].form, t, k, depth))
            return true;
    Interval known = range_interval(r, t);
    return prove_made(r, goal, t, k, depth) || prove_loop(r, goal, t, k, depth) ||
           prove_with_const(r, goal, t, k > 0 ? known.hi : known.lo, depth);
}

/* Is the goal at most 0 when each term is at its worst? */
static bool prove_by_intervals(Range *r, const Lin *goal) {
    int64_t worst = goal->constant;
    for (int i = 0; i < goal->n; i++) {
        Interval known = range_interval(r, goal->at[i]);
        int64_t most = goal->factor[i] > 0 ? known.hi : known.lo;
        if (__builtin_mul_overflow(most, goal->factor[i], &most) ||
            __builtin_add_overflow(worst, most, &worst))
            return false;
    }
    return worst <= 0;
}

static bool prove(Range *r, Lin goal, int depth) {
    if (goal.n == 0)
        return goal.constant <= 0;
    if (depth >= MAX_DEPTH || r->budget-- <= 0)
        return false;
    if (prove_by_intervals(r, &goal))
        return true;
    for (int i = 0; i < goal.n; i++)
        if (prove_term(r, goal, i, depth))
            return true;
    return false;
}

/* A proof that another one needs takes its steps from the same budget. */
bool range_prove(Range *r, Lin goal) {
    if (goal.bad)
        return false;
    if (r->proofs == 0) {
        r->budget = MAX_STEPS;
        r->visits = MAX_VISITS;
    }
    if (r->proofs >= MAX_PROOFS)
        return false;
    r->proofs++;
    bool ok = prove(r, goal, 0);
    r->proofs--;
    return ok;
}

/* ---- single facts ---- */

bool range_at_most(Range *r, IrId a, IrId b, int64_t c) {
    Lin goal = lin_add(lin_of(r, a), lin_of(r, b), -1);
    return range_prove(r, lin_add(goal, lin_const(c), 1));
}

bool range_is_true(Range *r, IrId cond) {
    const IrOp op = *ir_op(r->f, cond);
    int64_t known;
    if (ir_const_int(r->f, cond, &known))
        return known != 0;
    if (op.kind == IR_BITAND && op.type->kind == TYPE_BOOL)
        return range_is_true(r, op.args[0]) && range_is_true(r, op.args[1]);
    if (op.kind == IR_BITOR && op.type->kind == TYPE_BOOL)
        return range_is_true(r, op.args[0]) || range_is_true(r, op.args[1]);
    if (op.nargs != 2 || !range_counts(ir_type(r->f, op.args[0])))
        return false;
    IrId a = op.args[0], b = op.args[1];
    switch (op.kind) {
    case IR_LT: return range_at_most(r, a, b, 1);
    case IR_LE: return range_at_most(r, a, b, 0);
    case IR_GT: return range_at_most(r, b, a, 1);
    case IR_GE: return range_at_most(r, b, a, 0);
    case IR_NE: return range_at_most(r, a, b, 1) || range_at_most(r, b, a, 1);
    case IR_EQ: return range_at_most(r, a, b, 0) && range_at_most(r, b, a, 0);
    default: return false;
    }
}

bool range_fits(Range *r, const IrOp *op, int first) {
    for (int k = first; k < op->nargs; k++) {
        IrId dim = range_dim(r, op->args[0], k - first);
        if (!range_prove(r, lin_add(lin_const(0), lin_of(r, op->args[k]), -1)) ||
            !range_at_most(r, op->args[k], dim, 1))
            return false;
    }
    return true;
}

/* ---- what a proof makes needless ---- */

/* Is `part` v, or among what v is made of? Looks at no more than *budget ops. */
static bool made_of(const IrFunc *f, IrId v, IrId part, int *budget) {
    if (v == part)
        return true;
    const IrOp *op = ir_op(f, v);
    for (int k = 0; k < op->nargs && --*budget > 0; k++)
        if (op->args[k] && made_of(f, op->args[k], part, budget))
            return true;
    return false;
}

static bool faults_apart(const IrFunc *f, IrId v, IrId kept, IrId first, int *budget) {
    const IrOp *op = ir_op(f, v);
    if (v == kept || v < first || op->kind == IR_DIM)
        return false;
    if (--*budget <= 0)
        return true;
    if (ir_may_fault(f, v) && !(kept && made_of(f, kept, v, &(int){64})))
        return true;
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k] && ir_type(f, op->args[k])->kind != TYPE_ARRAY &&
            faults_apart(f, op->args[k], kept, first, budget))
            return true;
    return false;
}

bool range_faults_apart(const IrFunc *f, IrId v, IrId kept, IrId first) {
    return faults_apart(f, v, kept, first, &(int){64});
}

/* ---- places ---- */

/* i < bound. Where i is at least `least`, i < max(x, least) says i < x. */
static void assume_below(Range *r, Lin i, IrId bound, int64_t least) {
    range_fact(r, lin_add(lin_add(i, lin_of(r, bound), -1), lin_const(1), 1));
    const IrOp op = *ir_op(r->f, bound);
    int64_t floor;
    if (op.kind != IR_MAX)
        return;
    for (int k = 0; k < 2; k++)
        if (ir_const_int(r->f, op.args[k], &floor) && floor <= least)
            range_fact(r, lin_add(lin_add(i, lin_of(r, op.args[1 - k]), -1), lin_const(1), 1));
}

void range_assume_index(Range *r, IrId i, IrId lo, IrId hi) {
    range_fact(r, lin_add(lin_of(r, lo), lin_term(i), -1));
    assume_below(r, lin_term(i), hi, range_interval(r, lo).lo);
}

void range_assume_space(Range *r, const IrOp *kernel, const IrRegion *body) {
    for (int i = 0; i < kernel->kernel->rank; i++) {
        Lin at = lin_term(body->params.at[i]);
        range_fact(r, lin_add(lin_const(0), at, -1));
        assume_below(r, at, kernel->args[i], 0);
    }
}
