/* The array operators of the library: kernels with their sinks, sorting, shapes, joining. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

/* The value that op gives way to, or IR_NONE: an element that changes nothing. */
static IrId neutral_of(Checker *ck, const IrRegion *op, Type *type) {
    const IrOp *only = op->ops.len == 1 ? ir_op(ck->b.func, op->ops.at[0]) : NULL;
    if (!only || !ir_is_commutative(only->kind) || op->results.at[0] != op->ops.at[0] ||
        !type_is_scalar(type))
        return IR_NONE;
    bool real = type_is_float(type);
    int bits = type_bytes(type) * 8;
    int64_t high = type->kind == TYPE_BOOL ? 1
                   : !type_is_signed(type) ? (bits == 64 ? -1 : (int64_t)((1ull << bits) - 1))
                                           : INT64_MAX >> (64 - bits);
    int64_t low = type_is_signed(type) && type->kind != TYPE_BOOL ? INT64_MIN >> (64 - bits) : 0;
    switch ((int)only->kind) {
    case IR_ADD: return real ? ir_float(&ck->b, type, -0.0) : ir_int(&ck->b, type, 0);
    case IR_MUL: return real ? ir_float(&ck->b, type, 1) : ir_int(&ck->b, type, 1);
    case IR_BITOR:
    case IR_BITXOR: return ir_int(&ck->b, type, 0);
    case IR_BITAND: return ir_int(&ck->b, type, type->kind == TYPE_BOOL ? 1 : -1);
    case IR_MIN: return real ? ir_float(&ck->b, type, __builtin_nan("")) : ir_int(&ck->b, type, high);
    case IR_MAX: return real ? ir_float(&ck->b, type, __builtin_nan("")) : ir_int(&ck->b, type, low);
    default: return IR_NONE;
    }
}

/* A reduction of what a filter keeps runs over the filter's own space, where an element that is not
   kept counts as the operator's neutral value: one pass, and the same tree at every -O level. */
static IrId reduce_filtered(Checker *ck, Val x, IrId zero, IrRegion *op, Type *type) {
    const IrOp *filter = ir_op(ck->b.func, x.id);
    if (filter->kind != IR_KERNEL || filter->kernel->nsinks != 1 ||
        filter->kernel->sinks[0].kind != SINK_FILTER || type_of(ck, x)->rank != 1)
        return IR_NONE;
    IrId neutral = neutral_of(ck, op, type);
    if (!neutral)
        return IR_NONE;
    int rank = filter->kernel->rank, count = ck->b.func->ops.len;
    const IrRegion *from = filter->regions[0];
    IrId *map = NEW_ARRAY(ck->arena, IrId, count), *dims = NEW_ARRAY(ck->arena, IrId, rank);
    for (int i = 0; i < count; i++)
        map[i] = (IrId)i;
    memcpy(dims, filter->args, sizeof *dims * (size_t)rank);
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    for (int k = 0; k < rank; k++)
        map[from->params.at[k]] = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    ir_clone_ops(&ck->b, ck->b.func, from, map);
    IrId keep = map[from->results.at[0]], v = map[from->results.at[1]];
    vec_push(ck->arena, &body->results, ir_select(&ck->b, keep, v, neutral));
    ck->b.region = outer;
    return ir_kernel(&ck->b, rank, dims, body, SINK_REDUCE, 0, &zero, 1, op);
}

/* The same member of both operands, or both as they are? */
static bool are_alike(const IrFunc *f, IrId a, IrId b) {
    const IrOp *x = ir_op(f, a), *y = ir_op(f, b);
    if (x->kind == IR_GET && y->kind == IR_GET)
        return x->imm == y->imm && are_alike(f, x->args[0], y->args[0]);
    return x->kind == IR_PARAM && y->kind == IR_PARAM && a != b;
}

/* Is cond true, or false unless `holds`, where one operand is less or greater than the other in some
   member? Then the operator keeps the first of the best, whatever the order that it is applied in; a
   NaN never wins. */
static bool is_strict_order(const IrFunc *f, const IrRegion *op, IrId cond, bool holds) {
    const IrOp *test = ir_op(f, cond);
    bool is_known = ir_defined_in(f, op, cond) && test->nargs == 2 &&
                    are_alike(f, test->args[0], test->args[1]);
    if (!is_known)
        return false;
    if (holds)
        return test->kind == IR_LT || test->kind == IR_GT || test->kind == IR_BEFORE;
    bool is_negated = test->kind == IR_LE || test->kind == IR_GE;
    return is_negated && !takes(ir_type(f, test->args[0]), FLOATS);
}

/* Does the operator give its right operand where that is strictly better? Then its region becomes
   that condition. */
static bool make_choice(Checker *ck, IrRegion *op) {
    const IrFunc *f = ck->b.func;
    IrId left = op->params.at[0], right = op->params.at[1], last = op->results.at[0];
    if (op->ops.len == 0 || op->ops.at[op->ops.len - 1] != last)
        return false;
    const IrOp *choice = ir_op(f, last);
    IrId sides[2] = {IR_NONE, IR_NONE};
    if (choice->kind == IR_SELECT) {
        sides[0] = choice->args[1];
        sides[1] = choice->args[2];
    } else if (choice->kind == IR_IF) {
        for (int k = 0; k < 2; k++)
            if (choice->regions[k]->ops.len == 0)
                sides[k] = choice->regions[k]->results.at[0];
    }
    bool direct = sides[0] == right && sides[1] == left;
    if (!direct && !(sides[0] == left && sides[1] == right))
        return false;
    IrId cond = choice->args[0];
    if (!is_strict_order(f, op, cond, direct))
        return false;
    op->ops.len--;
    IrRegion *outer = ck->b.region;
    ck->b.region = op;
    op->results.at[0] = direct ? cond : ir_unary(&ck->b, IR_BITNOT, cond);
    ck->b.region = outer;
    return true;
}

/* Member k of a tuple that an operator makes: op(member k of the left, of the right), by an op whose
   reductions may stride? */
static bool is_member_op(const IrFunc *f, const IrRegion *op, IrId member, int64_t k) {
    const IrOp *x = ir_op(f, member);
    switch ((int)x->kind) {
    case IR_ADD: case IR_MUL: case IR_MIN: case IR_MAX:
    case IR_BITAND: case IR_BITOR: case IR_BITXOR: break;
    default: return false;
    }
    for (int i = 0; i < 2; i++) {
        const IrOp *get = ir_op(f, x->args[i]);
        if (get->kind != IR_GET || get->imm != k || get->args[0] != op->params.at[i])
            return false;
    }
    return true;
}

/* Does the operator treat the members of a tuple one by one? */
static bool is_by_members(const IrFunc *f, const IrRegion *op) {
    const IrOp *result = ir_op(f, op->results.at[0]);
    if (result->kind != IR_TUPLE || result->nargs == 0)
        return false;
    for (int k = 0; k < result->nargs; k++)
        if (!is_member_op(f, op, result->args[k], k))
            return false;
    for (int i = 0; i < op->ops.len; i++) {
        IrKind kind = ir_op(f, op->ops.at[i])->kind;
        if (kind != IR_GET && kind != IR_TUPLE && !ir_is_scalar_op(kind))
            return false;
    }
    return true;
}

/* A reduction for each member; together they are one pass. */
static IrId reduce_members(Checker *ck, Val x, IrId zero, const IrRegion *op, Type *type) {
    IrFunc *f = ck->b.func;
    IrRegion *outer = ck->b.region;
    IrOp result = *ir_op(f, op->results.at[0]);
    IrId n = ck_dim(ck, x.id, 0), *members = NEW_ARRAY(ck->arena, IrId, result.nargs);
    for (int k = 0; k < result.nargs; k++) {
        IrKind kind = ir_op(f, result.args[k])->kind;
        IrId index, first = ir_get(&ck->b, zero, k);
        IrRegion *body = element_body(ck, x, &index), *by = ir_region_new(ck->c->ir);
        ck->b.region = body;
        body->results.at[0] = ir_get(&ck->b, body->results.at[0], k);
        ck->b.region = by;
        IrId left = ir_param(f, by, ir_type(f, first)), right = ir_param(f, by, ir_type(f, first));
        IrId both = ir_binary(&ck->b, kind, left, right);
        vec_push(ck->arena, &by->results, both);
        ck->b.region = outer;
        members[k] = ir_kernel(&ck->b, 1, &n, body, SINK_REDUCE, 0, &first, 1, by);
    }
    return ir_tuple(&ck->b, type, members, result.nargs);
}

Val call_reduce(Checker *ck, const Builtin *self, Args *args) {
    Val x = array_arg(ck, self, args, 0), zero = args->vals[1];
    if (is_poison(ck, x))
        return x;
    Type *elem = unify_element(ck, x, &zero, args->spans[1]);
    IrRegion *op = elem ? operator_region(ck, args->vals[2], elem, args->spans[2], &zero) : NULL;
    if (!op)
        return val_poison(ck);
    IrId filtered = reduce_filtered(ck, x, zero.id, op, type_resolve(ck->ts, elem));
    if (filtered)
        return val(elem, filtered);
    if (is_by_members(ck->b.func, op))
        return val(elem, reduce_members(ck, x, zero.id, op, elem));
    IrId index, n = ck_dim(ck, x.id, 0);
    IrRegion *body = element_body(ck, x, &index);
    bool is_flat = type_is_flat(type_resolve(ck->ts, elem));
    SinkKind kind = is_flat && make_choice(ck, op) ? SINK_PICK : SINK_REDUCE;
    IrId id = ir_kernel(&ck->b, 1, &n, body, kind, 0, &zero.id, 1, op);
    if (!is_flat)
        ck_assume_like(ck, id, 0, elem, zero.id);
    return val(elem, id);
}

Val call_scan(Checker *ck, const Builtin *self, Args *args) {
    Val x = array_arg(ck, self, args, 0), zero = args->vals[1];
    int64_t exclusive = 0;
    if (is_poison(ck, x) || !const_arg(ck, args, 3, &exclusive))
        return val_poison(ck);
    Type *elem = unify_element(ck, x, &zero, args->spans[1]);
    IrRegion *op = elem ? operator_region(ck, args->vals[2], elem, args->spans[2], &zero) : NULL;
    if (!op)
        return val_poison(ck);
    IrId index, n = ck_dim(ck, x.id, 0);
    IrRegion *body = element_body(ck, x, &index);
    IrId id = ir_kernel(&ck->b, 1, &n, body, SINK_SCAN, (int)exclusive, &zero.id, 1, op);
    for (int axis = 0; axis < type_of(ck, x)->rank; axis++)
        ck_assume_dim(ck, id, 0, axis, ck_dim(ck, x.id, axis));
    return val(type_of(ck, x), id);
}

static IrRegion *keyed_body(Checker *ck, Val at, Val values, Span span, Span aspan, Span vspan,
                            IrId *n) {
    *n = ck_same_size(ck, ck_dim(ck, at.id, 0), ck_dim(ck, values.id, 0), span, aspan, vspan,
                      "the indices and the values");
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    IrId i = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    vec_push(ck->arena, &body->results, as_index(ck, element(ck, at, i), aspan));
    ck->b.region = outer;
    also_yield(ck, body, values, i);
    return body;
}

/* (x, at, values) and (x, at, values, op) */
Val call_scatter(Checker *ck, const Builtin *self, Args *args) {
    Val x = array_arg(ck, self, args, 0), at = array_arg(ck, self, args, 1);
    Val values = array_arg(ck, self, args, 2);
    if (is_poison(ck, x) || is_poison(ck, at) || is_poison(ck, values))
        return val_poison(ck);
    Type *elem = element_type(ck, type_of(ck, x));
    if (!type_unify(ck->ts, elem, element_type(ck, type_of(ck, values)))) {
        report_mismatch(ck, type_of(ck, x), type_of(ck, values), args->spans[2], "what is scattered");
        return val_poison(ck);
    }
    elem = type_resolve(ck->ts, elem);
    IrRegion *op = NULL;
    if (args->n > 3 &&
        !(op = operator_region(ck, args->vals[3], elem, args->spans[3], NULL)))
        return val_poison(ck);
    IrId n;
    IrRegion *body = keyed_body(ck, at, values, args->span, args->spans[1], args->spans[2], &n);
    IrId id = ir_kernel(&ck->b, 1, &n, body, SINK_SCATTER, 0, &x.id, 1, op);
    Val out = val(type_of(ck, x), id);
    ck_assume_like(ck, id, 0, out.type, x.id);
    return out;
}

/* (at, k, values, zero, op) */
Val call_histogram(Checker *ck, const Builtin *self, Args *args) {
    Val at = array_arg(ck, self, args, 0), values = array_arg(ck, self, args, 2);
    Val zero = args->vals[3];
    if (is_poison(ck, at) || is_poison(ck, values))
        return val_poison(ck);
    IrId k = as_index(ck, args->vals[1], args->spans[1]);
    Type *elem = unify_element(ck, values, &zero, args->spans[3]);
    IrRegion *op = elem ? operator_region(ck, args->vals[4], elem, args->spans[4], &zero) : NULL;
    if (!op)
        return val_poison(ck);
    k = ck_clamp_count(ck, k);
    IrId n, own[2] = {k, zero.id};
    IrRegion *body = keyed_body(ck, at, values, args->span, args->spans[0], args->spans[2], &n);
    IrId id = ir_kernel(&ck->b, 1, &n, body, SINK_HIST, 0, own, 2, op);
    ck_assume_dim(ck, id, 0, 0, k);
    if (elem->kind != TYPE_ARRAY)
        return val(type_array(ck->ts, elem, 1), id);
    for (int axis = 0; axis < elem->rank; axis++)
        ck_assume_dim(ck, id, 0, axis + 1, ck_dim(ck, zero.id, axis));
    return val(type_array(ck->ts, elem->elem, elem->rank + 1), id);
}

static Val sorted(Checker *ck, const Builtin *self, Args *args, int flags) {
    Val x = array_arg(ck, self, args, 0);
    int64_t descending = 0;
    if (is_poison(ck, x) || !const_arg(ck, args, 1, &descending))
        return val_poison(ck);
    Type *type = type_of(ck, x);
    if (type->rank != 1) { /* rows are keys: as a list of lists */
        bool ok = true;
        Type *row = type_array(ck->ts, type->elem, type->rank - 1);
        x = convert_to(ck, x, type_array(ck->ts, row, 1), &ok);
    }
    IrId id = ir_sort(&ck->b, x.id, flags | (descending ? SORT_DESCENDING : 0));
    ck_assume_dim(ck, id, 0, 0, ck_dim(ck, x.id, 0));
    if (flags & SORT_PERMUTATION)
        return val(type_array(ck->ts, basic(ck, TYPE_I64), 1), id);
    return val(type_of(ck, x), id);
}

Val call_sort(Checker *ck, const Builtin *self, Args *args) {
    return sorted(ck, self, args, 0);
}

Val call_argsort(Checker *ck, const Builtin *self, Args *args) {
    return sorted(ck, self, args, SORT_PERMUTATION);
}

/* Is this a product of rows, who knows how many, by a small matrix? */
static bool is_by_few(Checker *ck, Type *elem, IrId n, IrId k, IrId m, int64_t *few, int64_t *columns) {
    enum { MOST_DEPTH = 4, MOST_COLUMNS = 7 };
    int64_t rows;
    bool is_plain = elem->kind == TYPE_F32 || elem->kind == TYPE_F64 || type_is_int(elem);
    return is_plain && !ir_const_int(ck->b.func, n, &rows) && ir_const_int(ck->b.func, k, few) &&
           ir_const_int(ck->b.func, m, columns) && *few <= MOST_DEPTH && *columns <= MOST_COLUMNS;
}

/* Such a product as a map over the result, which may be fused. Each element is the chain of fma from 0
   that a product is made of. */
static IrId product_by_few(Checker *ck, Type *elem, IrId a, IrId b, IrId n, int64_t few, IrId columns) {
    IrId dims[] = {n, columns};
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    IrId i = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    IrId j = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    bool real = type_is_float(elem);
    ck->b.region = body;
    IrId sum = real ? ir_float(&ck->b, elem, 0) : ir_int(&ck->b, elem, 0);
    for (int64_t q = 0; q < few; q++) {
        IrId at = ir_i64(&ck->b, q);
        IrId left = ir_index(&ck->b, a, (IrId[]){i, at}, 2, false);
        IrId right = ir_index(&ck->b, b, (IrId[]){at, j}, 2, false);
        IrOp fma = {.kind = IR_FMA, .type = elem, .args = (IrId[]){left, right, sum}, .nargs = 3};
        sum = real ? ir_emit(&ck->b, fma)
                   : ir_binary(&ck->b, IR_ADD, sum, ir_binary(&ck->b, IR_MUL, left, right));
    }
    vec_push(ck->arena, &body->results, sum);
    ck->b.region = outer;
    return ir_kernel(&ck->b, 2, dims, body, SINK_MAP, 0, NULL, 0, NULL);
}

Val call_matmul(Checker *ck, const Builtin *self, Args *args) {
    Val a = array_arg(ck, self, args, 0), b = array_arg(ck, self, args, 1);
    if (is_poison(ck, a) || is_poison(ck, b))
        return val_poison(ck);
    Type *ta = type_of(ck, a), *tb = type_of(ck, b);
    if (ta->rank != 2 || tb->rank != 2 || !type_unify(ck->ts, ta->elem, tb->elem) ||
        !takes(type_resolve(ck->ts, ta->elem), ANY_NUMBER))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, args->span,
                       "matmul takes two matrices of one number type, not %s and %s",
                       text_of(ck, ta), text_of(ck, tb));
    IrId n = ck_dim(ck, a.id, 0), m = ck_dim(ck, b.id, 1);
    IrId inner = ck_dim(ck, a.id, 1);
    IrId checked = ck_same_size(ck, inner, ck_dim(ck, b.id, 0), args->span, args->spans[0],
                                args->spans[1],
                                "the columns of the first and the rows of the second matrix");
    a = ck_after_check(ck, a, inner, checked);
    Type *elem = type_resolve(ck->ts, ta->elem);
    int64_t few, columns;
    IrId id = is_by_few(ck, elem, n, inner, m, &few, &columns)
                  ? product_by_few(ck, elem, a.id, b.id, n, few, m)
                  : ir_matmul(&ck->b, a.id, b.id);
    ck_assume_dim(ck, id, 0, 0, n);
    ck_assume_dim(ck, id, 0, 1, m);
    return val(type_of(ck, a), id);
}

/* ---- shapes ---- */

Val call_len(Checker *ck, const Builtin *self, Args *args) {
    Val v = as_array(ck, args->vals[0]);
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_STRING)
        return val(basic(ck, TYPE_I64), ir_dim(&ck->b, v.id, 0));
    if (type->kind == TYPE_TUPLE)
        return val_int(ck, TYPE_I64, type->count);
    v = array_arg(ck, self, args, 0);
    return is_poison(ck, v) ? v : val(basic(ck, TYPE_I64), ck_dim(ck, v.id, 0));
}

Val call_shape(Checker *ck, const Builtin *self, Args *args) {
    Val v = array_arg(ck, self, args, 0);
    if (is_poison(ck, v))
        return v;
    int rank = type_of(ck, v)->rank;
    IrId ids[16];
    Type *types[16];
    for (int k = 0; k < rank; k++) {
        ids[k] = ck_dim(ck, v.id, k);
        types[k] = basic(ck, TYPE_I64);
    }
    if (rank == 1)
        return val(types[0], ids[0]);
    Type *type = type_tuple(ck->ts, types, NULL, rank);
    return val(type, ir_tuple(&ck->b, type, ids, rank));
}

Val call_rank(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    Type *type = type_of(ck, as_array(ck, args->vals[0]));
    return val_int(ck, TYPE_I64, type->kind == TYPE_ARRAY ? type->rank : 0);
}

Val call_is_list(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    Type *type = type_of(ck, as_array(ck, args->vals[0]));
    return val_bool(ck, type->kind == TYPE_ARRAY &&
                            type_resolve(ck->ts, type->elem)->kind == TYPE_ARRAY);
}

Val call_is_float(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    Type *type = type_of(ck, as_array(ck, args->vals[0]));
    if (type->kind == TYPE_ARRAY)
        type = type_resolve(ck->ts, type->elem);
    return val_bool(ck, type_is_float(type) || (type->kind == TYPE_VAR && type->var == VAR_FLOAT));
}

/* May values of these types be equal? Nothing is unified: literals stay open. */
static bool types_alike(Checker *ck, Type *a, Type *b) {
    a = type_resolve(ck->ts, a);
    b = type_resolve(ck->ts, b);
    if (a == b || a->kind == TYPE_POISON || b->kind == TYPE_POISON)
        return true;
    if (b->kind == TYPE_VAR) {
        Type *other = a;
        a = b;
        b = other;
    }
    if (a->kind == TYPE_VAR)
        return a->var == VAR_ANY || takes(b, a->var == VAR_INT ? ANY_NUMBER : FLOATS);
    if (a->kind == TYPE_ARRAY && b->kind == TYPE_ARRAY)
        return types_alike(ck, element_type(ck, a), element_type(ck, b));
    if (a->kind != b->kind || a->decl != b->decl || a->code != b->code || a->count != b->count ||
        !type_is_product(a))
        return false;
    for (int k = 0; k < a->count; k++)
        if (!types_alike(ck, a->items[k], b->items[k]))
            return false;
    return true;
}

Val call_alike(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    return val_bool(ck, types_alike(ck, type_of(ck, args->vals[0]), type_of(ck, args->vals[1])));
}

Val call_known(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    int64_t value;
    return val_bool(ck, fold_const(ck, args->vals[0], &value));
}

Val call_dim(Checker *ck, const Builtin *self, Args *args) {
    Val v = array_arg(ck, self, args, 0);
    int64_t axis;
    if (is_poison(ck, v) || !const_arg(ck, args, 1, &axis))
        return val_poison(ck);
    if (axis < 0 || axis >= type_of(ck, v)->rank)
        return ck_fail(ck, DIAG_BAD_INDEX, args->spans[1], "%s has no axis %lld",
                       text_of(ck, v.type), (long long)axis);
    return val(basic(ck, TYPE_I64), ck_dim(ck, v.id, (int)axis));
}

static IrId total_size(Checker *ck, Val v) {
    IrId total = ck_dim(ck, v.id, 0);
    for (int k = 1; k < type_of(ck, v)->rank; k++)
        total = ir_binary(&ck->b, IR_MUL, total, ck_dim(ck, v.id, k));
    return total;
}

Val call_flatten(Checker *ck, const Builtin *self, Args *args) {
    Val v = array_arg(ck, self, args, 0);
    Type *type = type_of(ck, v);
    if (is_poison(ck, v))
        return v;
    Type *elem = type_resolve(ck->ts, type->elem);
    if (elem->kind == TYPE_ARRAY && type->rank == 1) {
        if (elem->rank == 1)
            return val(elem, ir_flat(&ck->b, v.id));
        return ck_fail(ck, DIAG_TYPE_MISMATCH, args->spans[0],
                       "a list of matrices cannot be flattened; map(x, flatten) |> flatten");
    }
    if (type->rank == 1)
        return v;
    Type *flat = type_array(ck->ts, elem, 1);
    IrId total = total_size(ck, v);
    IrId id = ir_reshape(&ck->b, flat, v.id, &total);
    ck_assume_dim(ck, id, 0, 0, total);
    return val(flat, id);
}

Val call_reshape(Checker *ck, const Builtin *self, Args *args) {
    Val v = array_arg(ck, self, args, 0);
    Type *shape = type_of(ck, args->vals[1]);
    if (is_poison(ck, v) || shape->kind == TYPE_POISON)
        return val_poison(ck);
    int rank = shape->kind == TYPE_TUPLE ? shape->count : 1;
    IrId dims[16];
    IrId total = IR_NONE;
    for (int k = 0; k < rank && k < 16; k++) {
        Val d = shape->kind == TYPE_TUPLE ? get_member(ck, args->vals[1], k) : args->vals[1];
        dims[k] = as_index(ck, d, args->spans[1]);
        total = total ? ir_binary(&ck->b, IR_MUL, total, dims[k]) : dims[k];
    }
    IrId have = total_size(ck, v);
    IrId checked = ck_same_size(ck, have, total, args->span, args->spans[0], args->spans[1],
                                "the array and its new shape");
    if (checked != have && rank) { /* what uses the shape waits for the check */
        IrFault *fault = ck_fault(ck, "shape", args->span, "{} elements do not fit a shape of {}");
        dims[0] = ir_check(&ck->b, dims[0], ir_binary(&ck->b, IR_EQ, have, total), fault,
                           (IrId[]){have, total}, 2);
    }
    Type *type = type_array(ck->ts, type_of(ck, v)->elem, rank);
    IrId id = ir_reshape(&ck->b, type, v.id, dims);
    for (int k = 0; k < rank; k++)
        ck_assume_dim(ck, id, 0, k, dims[k]);
    return val(type, id);
}

typedef struct {
    Val x;
    int *perm;
    int rank;
} Transpose;

static Val transpose_body(Checker *ck, const IrId *at, void *ctx) {
    Transpose *t = ctx;
    IrId place[16];
    for (int k = 0; k < t->rank; k++)
        place[t->perm[k]] = at[k];
    Type *type = type_of(ck, t->x);
    return val(type_resolve(ck->ts, type->elem),
               ir_index(&ck->b, t->x.id, place, t->rank, false));
}

Val call_transpose(Checker *ck, const Builtin *self, Args *args) {
    Val v = array_arg(ck, self, args, 0);
    if (is_poison(ck, v))
        return v;
    Type *type = type_of(ck, v), *given = args->n > 1 ? type_of(ck, args->vals[1]) : NULL;
    int perm[16] = {0};
    bool seen[16] = {0};
    if (type->rank < 2 || (given && (given->kind != TYPE_TUPLE || given->count != type->rank)))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, args->span,
                       "transpose takes a matrix, or an array and a tuple with each axis once");
    IrId dims[16];
    for (int k = 0; k < type->rank; k++) {
        int64_t axis = type->rank - 1 - k;
        if (given && !fold_const(ck, get_member(ck, args->vals[1], k), &axis))
            return ck_fail(ck, DIAG_CONST_REQUIRED, args->spans[1],
                           "the order of axes must be known when compiling");
        if (axis < 0 || axis >= type->rank || seen[axis])
            return ck_fail(ck, DIAG_BAD_INDEX, args->spans[1], "each axis stands once in a transpose");
        seen[axis] = true;
        perm[k] = (int)axis;
        dims[k] = ck_dim(ck, v.id, (int)axis);
    }
    Transpose t = {v, perm, type->rank};
    return map_space(ck, type->rank, dims, transpose_body, &t, args->span);
}

typedef struct {
    Val x, f;
    int axis;
    Span span;
    const IrId *at; /* of the outer space */
} Along;

static Val lane_body(Checker *ck, const IrId *at, void *ctx) {
    Along *a = ctx;
    Type *type = type_of(ck, a->x);
    IrId place[16];
    for (int k = 0, d = 0; k < type->rank; k++)
        place[k] = k == a->axis ? at[0] : a->at[d++];
    return val(type_resolve(ck->ts, type->elem),
               ir_index(&ck->b, a->x.id, place, type->rank, false));
}

static Val along_body(Checker *ck, const IrId *at, void *ctx) {
    Along inner = *(Along *)ctx;
    inner.at = at;
    IrId n = ck_dim(ck, inner.x.id, inner.axis);
    Val lane = map_space(ck, 1, &n, lane_body, &inner, inner.span);
    return call_vals(ck, inner.f, &lane, 1, inner.span);
}

/* (x, axis, f): f of each lane along an axis. */
Val call_along(Checker *ck, const Builtin *self, Args *args) {
    Val x = array_arg(ck, self, args, 0);
    int64_t axis;
    if (is_poison(ck, x) || !const_arg(ck, args, 1, &axis))
        return val_poison(ck);
    Type *type = type_of(ck, x);
    if (axis < 0 || axis >= type->rank)
        return ck_fail(ck, DIAG_BAD_INDEX, args->spans[1], "%s has no axis %lld",
                       text_of(ck, type), (long long)axis);
    if (type->rank == 1)
        return call_vals(ck, args->vals[2], &x, 1, args->span);
    IrId dims[16];
    for (int k = 0, d = 0; k < type->rank; k++)
        if (k != axis)
            dims[d++] = ck_dim(ck, x.id, k);
    Along a = {.x = x, .f = args->vals[2], .axis = (int)axis, .span = args->span};
    return map_space(ck, type->rank - 1, dims, along_body, &a, args->span);
}

/* ---- joining and zipping ---- */

typedef struct {
    Val *parts;
    IrId *starts;
    int n, axis;
} ConcatCtx;

static Val concat_from(Checker *ck, ConcatCtx *c, const IrId *at, int part) {
    Type *type = type_of(ck, c->parts[part]);
    IrId place[16];
    for (int k = 0; k < type->rank; k++)
        place[k] = k == c->axis ? ir_binary(&ck->b, IR_SUB, at[k], c->starts[part]) : at[k];
    Val here = val(type_resolve(ck->ts, type->elem), IR_NONE);
    if (part + 1 == c->n) {
        here.id = ir_index(&ck->b, c->parts[part].id, place, type->rank, false);
        return here;
    }
    IrId inside = ir_binary(&ck->b, IR_LT, at[c->axis], c->starts[part + 1]);
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    here.id = ir_index(&ck->b, c->parts[part].id, place, type->rank, false);
    branch_end(ck, &f, &a, here);
    branch_begin(ck, &f, &b);
    branch_end(ck, &f, &b, concat_from(ck, c, at, part + 1));
    return fork_join(ck, &f, inside, &a, &b, true, ck->b.span);
}

static Val concat_body(Checker *ck, const IrId *at, void *ctx) {
    return concat_from(ck, ctx, at, 0);
}

static Val concat_axis(Checker *ck, Val *parts, int n, int axis, Args *args) {
    ConcatCtx c = {.parts = parts, .n = n, .axis = axis, .starts = NEW_ARRAY(ck->arena, IrId, n + 1)};
    Type *type = type_of(ck, parts[0]);
    IrId dims[16];
    for (int k = 0; k < type->rank; k++)
        dims[k] = ck_dim(ck, parts[0].id, k);
    c.starts[0] = zero_index(ck);
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < type->rank && i; k++)
            if (k != axis)
                dims[k] = ck_same_size(ck, dims[k], ck_dim(ck, parts[i].id, k), args->span,
                                       args->spans[0], args->spans[i], "the joined arrays");
        c.starts[i + 1] = ir_binary(&ck->b, IR_ADD, c.starts[i], ck_dim(ck, parts[i].id, axis));
    }
    dims[axis] = c.starts[n];
    return map_space(ck, type->rank, dims, concat_body, &c, args->span);
}

/* The rows of all the parts, one after the other: sizes but the first are checked to agree. */
static Val concat_rows(Checker *ck, const Val *parts, int n, const Args *args) {
    Type *type = type_of(ck, parts[0]);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n);
    IrId total = IR_NONE;
    for (int i = 0; i < n; i++) {
        Val part = parts[i];
        for (int k = 1; k < type->rank && i; k++) {
            IrId first = ck_dim(ck, parts[0].id, k);
            IrId checked = ck_same_size(ck, first, ck_dim(ck, part.id, k), args->span, args->spans[0],
                                        args->spans[i], "the rows of the joined arrays");
            part = ck_after_check(ck, part, first, checked);
        }
        ids[i] = part.id;
        IrId d = ck_dim(ck, ids[i], 0);
        total = total ? ir_binary(&ck->b, IR_ADD, total, d) : d;
    }
    IrId id = ir_concat(&ck->b, ids, n);
    ck_assume_dim(ck, id, 0, 0, total);
    for (int k = 1; k < type->rank; k++)
        ck_assume_dim(ck, id, 0, k, ck_dim(ck, ids[0], k));
    return val(type, id);
}

/* Is the only argument a list of arrays, whose elements are joined? */
static bool is_list_of_arrays(Checker *ck, Type *type) {
    return type->kind == TYPE_ARRAY &&
           (type->rank > 1 || type_resolve(ck->ts, type->elem)->kind == TYPE_ARRAY);
}

/* The elements of a list of arrays, joined: one axis less. */
static Val concat_list(Checker *ck, const Builtin *self, Args *args) {
    Val v = as_array(ck, args->vals[0]);
    Type *list = type_of(ck, v);
    if (list->rank <= 2)
        return call_flatten(ck, self, args);
    IrId *dims = NEW_ARRAY(ck->arena, IrId, list->rank - 1);
    dims[0] = ir_binary(&ck->b, IR_MUL, ck_dim(ck, v.id, 0), ck_dim(ck, v.id, 1));
    for (int k = 2; k < list->rank; k++)
        dims[k - 1] = ck_dim(ck, v.id, k);
    Type *type = type_array(ck->ts, list->elem, list->rank - 1);
    return val(type, ir_reshape(&ck->b, type, v.id, dims));
}

typedef struct {
    Val list;
    IrId size; /* of an element along the axis, at least 1 */
    int axis;
} ConcatListCtx;

static Val concat_list_body(Checker *ck, const IrId *at, void *ctx) {
    const ConcatListCtx *c = ctx;
    Type *type = type_of(ck, c->list);
    IrId place[16];
    place[0] = ir_binary(&ck->b, IR_DIV, at[c->axis], c->size);
    for (int k = 1; k < type->rank; k++)
        place[k] = at[k - 1];
    place[c->axis + 1] = ir_binary(&ck->b, IR_MOD, at[c->axis], c->size);
    return val(type_resolve(ck->ts, type->elem),
               ir_index(&ck->b, c->list.id, place, type->rank, false));
}

/* The elements of a dense list of arrays, joined along an axis of theirs that is not the first. */
static Val concat_list_axis(Checker *ck, Args *args, int axis) {
    ConcatListCtx c = {.list = as_array(ck, args->vals[0]), .axis = axis};
    Type *type = type_of(ck, c.list);
    if (axis < 0 || axis + 1 >= type->rank || type->rank > 16)
        return ck_fail(ck, DIAG_BAD_INDEX, args->span, "the elements of %s have no axis %d",
                       text_of(ck, type), axis);
    IrId dims[16], own = ck_dim(ck, c.list.id, axis + 1);
    for (int k = 1; k < type->rank; k++)
        dims[k - 1] = ck_dim(ck, c.list.id, k);
    dims[axis] = ir_binary(&ck->b, IR_MUL, ck_dim(ck, c.list.id, 0), own);
    c.size = ir_binary(&ck->b, IR_MAX, own, ir_i64(&ck->b, 1));
    return map_space(ck, type->rank - 1, dims, concat_list_body, &c, args->span);
}

static Val concat_texts(Checker *ck, Args *args, int n) {
    IrId *texts = NEW_ARRAY(ck->arena, IrId, n);
    for (int i = 0; i < n; i++)
        texts[i] =
            coerce(ck, args->vals[i], basic(ck, TYPE_STRING), args->spans[i], "this text").id;
    return val(basic(ck, TYPE_STRING), n == 1 ? texts[0] : ir_concat(&ck->b, texts, n));
}

/* Two arrays of functions of different types become arrays of choices. */
static bool join_functions_of(Checker *ck, Val *a, Val *b) {
    Type *ta = type_of(ck, *a), *tb = type_of(ck, *b);
    if (ta->kind != TYPE_ARRAY || tb->kind != TYPE_ARRAY || ta->rank != 1 || tb->rank != 1)
        return false;
    Type *kinds[] = {element_type(ck, ta), element_type(ck, tb)};
    if (!is_function(kinds[0]) || !is_function(kinds[1]))
        return false;
    Type *want = type_array(ck->ts, type_choice(ck->ts, kinds, 2), 1);
    bool ok = true;
    *a = convert_to(ck, *a, want, &ok);
    *b = convert_to(ck, *b, want, &ok);
    return ok;
}

/* The arguments as arrays of one type, or NULL if there is none (which is reported). */
static Val *concat_parts(Checker *ck, const Builtin *self, Args *args, int n) {
    Val *parts = NEW_ARRAY(ck->arena, Val, n);
    for (int i = 0; i < n; i++) {
        parts[i] = array_arg(ck, self, args, i);
        if (is_poison(ck, parts[i]))
            return NULL;
    }
    for (int i = 1; i < n; i++)
        if (!join_vals(ck, &parts[0], &parts[i]) && !join_functions_of(ck, &parts[0], &parts[i])) {
            report_mismatch(ck, type_of(ck, parts[0]), type_of(ck, parts[i]), args->spans[i],
                            "what is joined");
            return NULL;
        }
    for (int i = 1; i < n; i++) { /* the first may have been converted by a later one */
        bool ok = true;
        parts[i] = convert_to(ck, parts[i], parts[0].type, &ok);
    }
    return parts;
}

Val call_concat(Checker *ck, const Builtin *self, Args *args) {
    int64_t axis = 0;
    int n = args->n;
    if (n > 1 && args->names[n - 1]) {
        if (strcmp(args->names[n - 1], "axis"))
            return ck_fail(ck, DIAG_ARGUMENTS, args->spans[n - 1], "concat has no parameter `%s`",
                           args->names[n - 1]);
        if (!const_arg(ck, args, --n, &axis))
            return val_poison(ck);
    }
    if (n == 1 && is_list_of_arrays(ck, type_of(ck, as_array(ck, args->vals[0]))))
        return axis ? concat_list_axis(ck, args, (int)axis) : concat_list(ck, self, args);
    if (type_of(ck, args->vals[0])->kind == TYPE_STRING)
        return concat_texts(ck, args, n);
    Val *parts = concat_parts(ck, self, args, n);
    if (!parts)
        return val_poison(ck);
    Type *type = type_of(ck, parts[0]);
    if (axis < 0 || axis >= type->rank)
        return ck_fail(ck, DIAG_BAD_INDEX, args->span, "%s has no axis %lld", text_of(ck, type),
                       (long long)axis);
    if (n == 1)
        return parts[0];
    return axis > 0 ? concat_axis(ck, parts, n, (int)axis, args) : concat_rows(ck, parts, n, args);
}

typedef struct {
    Val *parts;
    int n;
} ZipCtx;

static Val zip_body(Checker *ck, const IrId *at, void *ctx) {
    ZipCtx *z = ctx;
    Type **types = NEW_ARRAY(ck->arena, Type *, z->n);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, z->n);
    for (int i = 0; i < z->n; i++) {
        Val v = element(ck, z->parts[i], at[0]);
        types[i] = type_of(ck, v);
        ids[i] = v.id;
    }
    Type *type = type_tuple(ck->ts, types, NULL, z->n);
    return val(type, ir_tuple(&ck->b, type, ids, z->n));
}

Val call_zip(Checker *ck, const Builtin *self, Args *args) {
    Val *parts = NEW_ARRAY(ck->arena, Val, args->n);
    Type **types = NEW_ARRAY(ck->arena, Type *, args->n);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, args->n);
    bool plain = true;
    IrId n = IR_NONE;
    for (int i = 0; i < args->n; i++) {
        parts[i] = array_arg(ck, self, args, i);
        Type *type = type_of(ck, parts[i]);
        if (type->kind == TYPE_POISON)
            return parts[i];
        plain &= type->rank == 1;
        types[i] = element_type(ck, type);
        ids[i] = parts[i].id;
        IrId d = ck_dim(ck, ids[i], 0);
        n = n ? ck_same_size(ck, n, d, args->span, args->spans[0], args->spans[i],
                             "the zipped arrays") : d;
    }
    if (!plain) {
        ZipCtx z = {parts, args->n};
        return map_space(ck, 1, &n, zip_body, &z, args->span);
    }
    if (n != ck_dim(ck, ids[0], 0)) { /* the check has to be passed before the array is used */
        IrId zero = zero_index(ck);
        ids[0] = ir_slice(&ck->b, ids[0], zero, n, false);
    }
    Type *product = type_tuple(ck->ts, types, NULL, args->n);
    IrId id = ir_zip(&ck->b, product, ids, args->n);
    ck_assume_dim(ck, id, 0, 0, n);
    for (int i = 0; i < args->n; i++)
        ck_assume_zipped(ck, id, i, ids[i]);
    return val(type_array(ck->ts, product, 1), id);
}

Val call_unzip(Checker *ck, const Builtin *self, Args *args) {
    Val x = array_arg(ck, self, args, 0);
    if (is_poison(ck, x))
        return x;
    Type *elem = type_resolve(ck->ts, type_of(ck, x)->elem);
    if (!type_is_product(elem))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, args->spans[0], "unzip takes an array of tuples");
    Type **types = NEW_ARRAY(ck->arena, Type *, elem->count + 1);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, elem->count + 1);
    for (int k = 0; k < elem->count; k++) {
        Val column = get_member(ck, x, k);
        types[k] = type_of(ck, column);
        ids[k] = column.id;
    }
    Type *type = type_tuple(ck->ts, types, elem->names, elem->count);
    return val(type, ir_tuple(&ck->b, type, ids, elem->count));
}
