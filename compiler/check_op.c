/* Operators: typing, elementwise lifting over arrays, structural comparison and order. */
#include "check.h"

/* ---- lifting ---- */

typedef struct {
    ScalarFn fn;
    void *ctx;
    Val *args;
    int n, rank;
} Lift;

static bool is_array(Type *type) {
    return type->kind == TYPE_ARRAY;
}

static Val lift_scalars(Checker *ck, ScalarFn fn, Val *args, int n, void *ctx);

static Val lift_body(Checker *ck, const IrId *at, void *ctx) {
    Lift *l = ctx;
    Val *items = NEW_ARRAY(ck->arena, Val, l->n);
    for (int i = 0; i < l->n; i++) {
        Type *type = type_of(ck, l->args[i]);
        items[i] = l->args[i];
        if (!is_array(type))
            continue;
        const IrId *own = at + (l->rank - type->rank); /* aligned to the trailing dimensions */
        items[i] = val(type_resolve(ck->ts, type->elem),
                       ir_index(&ck->b, l->args[i].id, own, type->rank, false));
    }
    return lift_scalars(ck, l->fn, items, l->n, l->ctx);
}

/* As lift, for elements that may be arrays again (irregular lists). */
static Val lift_scalars(Checker *ck, ScalarFn fn, Val *args, int n, void *ctx) {
    for (int i = 0; i < n; i++)
        if (is_array(type_of(ck, args[i]))) {
            Span none[4] = {ck->b.span, ck->b.span, ck->b.span, ck->b.span};
            return lift(ck, fn, args, none, n, ctx, ck->b.span);
        }
    return fn(ck, args, n, ctx);
}

static const char *shape_text(Checker *ck, Val v) {
    Buf out = {.arena = ck->arena};
    Type *type = type_of(ck, v);
    for (int k = 0; k < type->rank; k++) {
        int64_t n;
        buf_puts(&out, k ? ", " : "[");
        if (ir_const_int(ck->b.func, ck_dim(ck, v.id, k), &n))
            buf_printf(&out, "%lld", (long long)n);
        else
            buf_puts(&out, "_");
    }
    buf_puts(&out, "]");
    return buf_text(&out);
}

Val lift(Checker *ck, ScalarFn fn, Val *args, const Span *spans, int n, void *ctx, Span span) {
    int widest = -1, rank = 0;
    for (int i = 0; i < n; i++) {
        Type *type = type_of(ck, args[i]);
        if (type->kind == TYPE_POISON)
            return args[i];
        if (is_view_record(type))
            args[i] = as_array(ck, args[i]), type = type_of(ck, args[i]);
        if (is_array(type) && type->rank > rank)
            widest = i, rank = type->rank;
    }
    if (widest < 0)
        return fn(ck, args, n, ctx);
    IrId *dims = NEW_ARRAY(ck->arena, IrId, rank);
    for (int k = 0; k < rank; k++)
        dims[k] = ck_dim(ck, args[widest].id, k);
    for (int i = 0; i < n; i++) {
        Type *type = type_of(ck, args[i]);
        for (int k = 0; i != widest && is_array(type) && k < type->rank; k++) {
            int errors = ck->diags->errors;
            int axis = rank - type->rank + k;
            dims[axis] = ck_same_size(ck, dims[axis], ck_dim(ck, args[i].id, k), span,
                                      spans[widest], spans[i], "these arrays");
            if (ck->diags->errors > errors) {
                Diag *d = ck->diags->all.at[ck->diags->all.len - 1];
                diag_note(ck->diags, d, "%s and %s: shapes are aligned at their last axis",
                          shape_text(ck, args[widest]), shape_text(ck, args[i]));
                return val_poison(ck);
            }
        }
    }
    Lift l = {.fn = fn, .ctx = ctx, .args = args, .n = n, .rank = rank};
    return map_space(ck, rank, dims, lift_body, &l, span);
}

/* ---- comparison of any two values ---- */

static Val and_vals(Checker *ck, Val a, Val b) {
    return val(basic(ck, TYPE_BOOL), ir_binary(&ck->b, IR_BITAND, a.id, b.id));
}

static Val or_vals(Checker *ck, Val a, Val b) {
    return val(basic(ck, TYPE_BOOL), ir_binary(&ck->b, IR_BITOR, a.id, b.id));
}

static Val not_val(Checker *ck, Val a) {
    return val(a.type, ir_unary(&ck->b, IR_BITNOT, a.id));
}

static Val compare_ids(Checker *ck, IrKind kind, IrId a, IrId b) {
    return val(basic(ck, TYPE_BOOL), ir_binary(&ck->b, kind, a, b));
}

Val as_bytes(Checker *ck, Val v);
Val as_bytes(Checker *ck, Val v) {
    Type *type = type_of(ck, v);
    if (type->kind != TYPE_STRING)
        return v;
    Type *bytes = type_array(ck->ts, basic(ck, TYPE_U8), 1);
    IrId n = ir_dim(&ck->b, v.id, 0);
    return val(bytes, ir_reshape(&ck->b, bytes, v.id, &n));
}

static Val element_at(Checker *ck, Val v, const IrId *at) {
    Type *type = type_of(ck, v);
    return val(type_resolve(ck->ts, type->elem), ir_index(&ck->b, v.id, at, type->rank, false));
}

/* All elements of two arrays of one shape are equal. */
static Val equal_elements(Checker *ck, Val a, Val b, Span span) {
    Type *type = type_of(ck, a);
    IrRegion *outer = ck->b.region, *body = ck_region(ck), *op;
    IrId dims[16], at[16];
    for (int k = 0; k < type->rank; k++) {
        dims[k] = ck_dim(ck, a.id, k);
        at[k] = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    }
    ck->b.region = body;
    Val same = equal_vals(ck, element_at(ck, a, at), element_at(ck, b, at), span);
    vec_push(ck->arena, &body->results, same.id);
    op = ck_region(ck);
    IrId x = ir_param(ck->b.func, op, basic(ck, TYPE_BOOL));
    IrId y = ir_param(ck->b.func, op, basic(ck, TYPE_BOOL));
    ck->b.region = op;
    vec_push(ck->arena, &op->results, ir_binary(&ck->b, IR_BITAND, x, y));
    ck->b.region = outer;
    IrId yes = ir_bool(&ck->b, true);
    return val(basic(ck, TYPE_BOOL),
               ir_kernel(&ck->b, type->rank, dims, body, SINK_REDUCE, 0, &yes, 1, op));
}

static Val equal_arrays(Checker *ck, Val a, Val b, Span span) {
    Type *ta = type_of(ck, a), *tb = type_of(ck, b);
    if (ta->rank != tb->rank)
        return val_bool(ck, false);
    Val shape = val_bool(ck, true);
    for (int k = 0; k < ta->rank; k++)
        shape = and_vals(ck, shape,
                         compare_ids(ck, IR_EQ, ck_dim(ck, a.id, k), ck_dim(ck, b.id, k)));
    Fork f = fork_begin(ck);
    Branch then, otherwise;
    branch_begin(ck, &f, &then);
    branch_end(ck, &f, &then, equal_elements(ck, a, b, span));
    branch_begin(ck, &f, &otherwise);
    branch_end(ck, &f, &otherwise, val_bool(ck, false));
    return fork_join(ck, &f, shape.id, &then, &otherwise, true, span);
}

static Val payload(Checker *ck, Val v, int ctor, int k) {
    Type *type = type_of(ck, v);
    return val(type->ctors[ctor].items[k], ir_payload(&ck->b, v.id, ctor, k));
}

static Val equal_sums(Checker *ck, Val a, Val b, Span span) {
    Type *type = type_of(ck, a);
    IrId tag = ir_tag(&ck->b, a.id);
    Val same = compare_ids(ck, IR_EQ, tag, ir_tag(&ck->b, b.id));
    for (int c = 0; c < type->nctors; c++) {
        if (!type->ctors[c].count)
            continue;
        Val other = compare_ids(ck, IR_NE, tag, ir_int(&ck->b, basic(ck, TYPE_I64), c));
        Val all = val_bool(ck, true);
        for (int k = 0; k < type->ctors[c].count; k++)
            all = and_vals(ck, all,
                           equal_vals(ck, payload(ck, a, c, k), payload(ck, b, c, k), span));
        same = and_vals(ck, same, or_vals(ck, other, all));
    }
    return same;
}

static Val not_comparable(Checker *ck, Val a, Val b, Span span) {
    if (is_poison(ck, a) || is_poison(ck, b))
        return val_poison(ck);
    return ck_fail(ck, DIAG_TYPE_MISMATCH, span, "cannot compare %s with %s",
                   text_of(ck, a.type), text_of(ck, b.type));
}

Val equal_vals(Checker *ck, Val a, Val b, Span span) {
    if (!join_vals(ck, &a, &b)) {
        Type *ta = type_of(ck, a), *tb = type_of(ck, b);
        if (is_array(ta) && is_array(tb))
            return val_bool(ck, false);
        if (is_function(ta) && is_function(tb))
            return val_bool(ck, false);
        return not_comparable(ck, a, b, span);
    }
    a = as_bytes(ck, a);
    b = as_bytes(ck, b);
    Type *type = type_of(ck, a);
    if (is_array(type))
        return equal_arrays(ck, a, b, span);
    if (type_is_sum(type))
        return equal_sums(ck, a, b, span);
    if (type_is_product(type)) {
        Val all = val_bool(ck, true);
        for (int k = 0; k < type->count; k++)
            all = and_vals(ck, all,
                           equal_vals(ck, get_member(ck, a, k), get_member(ck, b, k), span));
        return all;
    }
    return compare_ids(ck, IR_EQ, a.id, b.id);
}

/* The first index where two arrays (seen along their first axis) differ, or the shorter length. */
static IrId first_difference(Checker *ck, Val a, Val b, IrId shorter, Span span) {
    Type *i64 = basic(ck, TYPE_I64);
    IrRegion *outer = ck->b.region, *cond = ck_region(ck), *body = ck_region(ck);
    IrId i = ir_param(ck->b.func, cond, i64);
    ck->b.region = cond;
    Val inside = compare_ids(ck, IR_LT, i, shorter);
    Fork f = fork_begin(ck);
    Branch then, otherwise;
    branch_begin(ck, &f, &then);
    branch_end(ck, &f, &then, equal_vals(ck, element(ck, a, i), element(ck, b, i), span));
    branch_begin(ck, &f, &otherwise);
    branch_end(ck, &f, &otherwise, val_bool(ck, false));
    Val on = fork_join(ck, &f, inside.id, &then, &otherwise, true, span);
    vec_push(ck->arena, &cond->results, on.id);
    IrId j = ir_param(ck->b.func, body, i64);
    ck->b.region = body;
    vec_push(ck->arena, &body->results, ir_binary(&ck->b, IR_ADD, j, ir_int(&ck->b, i64, 1)));
    ck->b.region = outer;
    IrId zero = ir_int(&ck->b, i64, 0);
    return ir_loop(&ck->b, &zero, 1, cond, body);
}

static Val before_arrays(Checker *ck, Val a, Val b, Span span) {
    IrId la = ck_dim(ck, a.id, 0), lb = ck_dim(ck, b.id, 0);
    IrId shorter = ir_binary(&ck->b, IR_MIN, la, lb);
    IrId at = first_difference(ck, a, b, shorter, span);
    Fork f = fork_begin(ck);
    Branch then, otherwise;
    Val inside = compare_ids(ck, IR_LT, at, shorter);
    branch_begin(ck, &f, &then);
    branch_end(ck, &f, &then, before_vals(ck, element(ck, a, at), element(ck, b, at), span));
    branch_begin(ck, &f, &otherwise);
    branch_end(ck, &f, &otherwise, compare_ids(ck, IR_LT, la, lb));
    return fork_join(ck, &f, inside.id, &then, &otherwise, true, span);
}

/* Lexicographic over pairs of members: earlier ones decide. */
static Val before_members(Checker *ck, Val *as, Val *bs, int n, Span span) {
    Val result = val_bool(ck, false);
    for (int k = n - 1; k >= 0; k--) {
        Val less = before_vals(ck, as[k], bs[k], span);
        if (k == n - 1) {
            result = less;
            continue;
        }
        Val more = before_vals(ck, bs[k], as[k], span);
        result = or_vals(ck, less, and_vals(ck, not_val(ck, more), result));
    }
    return result;
}

static Val before_sums(Checker *ck, Val a, Val b, Span span) {
    Type *type = type_of(ck, a);
    IrId ta = ir_tag(&ck->b, a.id), tb = ir_tag(&ck->b, b.id);
    Val result = compare_ids(ck, IR_LT, ta, tb);
    Val same = compare_ids(ck, IR_EQ, ta, tb);
    for (int c = 0; c < type->nctors; c++) {
        int n = type->ctors[c].count;
        if (!n)
            continue;
        Val *as = NEW_ARRAY(ck->arena, Val, n), *bs = NEW_ARRAY(ck->arena, Val, n);
        for (int k = 0; k < n; k++) {
            as[k] = payload(ck, a, c, k);
            bs[k] = payload(ck, b, c, k);
        }
        Val here = compare_ids(ck, IR_EQ, ta, ir_int(&ck->b, basic(ck, TYPE_I64), c));
        Val less = and_vals(ck, and_vals(ck, same, here), before_members(ck, as, bs, n, span));
        result = or_vals(ck, result, less);
    }
    return result;
}

Val before_vals(Checker *ck, Val a, Val b, Span span) {
    if (!join_vals(ck, &a, &b))
        return not_comparable(ck, a, b, span);
    a = as_bytes(ck, a);
    b = as_bytes(ck, b);
    Type *type = type_of(ck, a);
    if (type->kind == TYPE_POISON)
        return a;
    if (is_array(type))
        return before_arrays(ck, a, b, span);
    if (type_is_sum(type))
        return before_sums(ck, a, b, span);
    if (type_is_product(type)) {
        Val *as = NEW_ARRAY(ck->arena, Val, type->count + 1);
        Val *bs = NEW_ARRAY(ck->arena, Val, type->count + 1);
        for (int k = 0; k < type->count; k++) {
            as[k] = get_member(ck, a, k);
            bs[k] = get_member(ck, b, k);
        }
        return before_members(ck, as, bs, type->count, span);
    }
    return compare_ids(ck, IR_BEFORE, a.id, b.id);
}

/* ---- scalars ---- */

typedef struct {
    Operator op;
    Span span, aspan, bspan;
} BinaryCtx;

static const struct {
    IrKind kind;
    enum { ARITH, BITS, SHIFT, POWER, COMPARE, LOGIC } rule;
} binary_rules[OP_COUNT] = {
    [OP_OR] = {IR_BITOR, LOGIC},     [OP_AND] = {IR_BITAND, LOGIC}, [OP_EQ] = {IR_EQ, COMPARE},
    [OP_NE] = {IR_NE, COMPARE},      [OP_LT] = {IR_LT, COMPARE},    [OP_LE] = {IR_LE, COMPARE},
    [OP_GT] = {IR_GT, COMPARE},      [OP_GE] = {IR_GE, COMPARE},    [OP_BITOR] = {IR_BITOR, BITS},
    [OP_BITXOR] = {IR_BITXOR, BITS}, [OP_BITAND] = {IR_BITAND, BITS}, [OP_SHL] = {IR_SHL, SHIFT},
    [OP_SHR] = {IR_SHR, SHIFT},      [OP_ADD] = {IR_ADD, ARITH},    [OP_SUB] = {IR_SUB, ARITH},
    [OP_MUL] = {IR_MUL, ARITH},      [OP_DIV] = {IR_DIV, ARITH},    [OP_MOD] = {IR_MOD, ARITH},
    [OP_POW] = {IR_POW, POWER},
};

static bool is_numeric(Type *t) {
    return type_is_number(t) || (t->kind == TYPE_VAR && t->var != VAR_ANY);
}

static bool is_integral(Type *t) {
    return type_is_int(t) || (t->kind == TYPE_VAR && t->var == VAR_INT);
}

/* Says how a size came to be an i64, the most common mistake of all. */
static void hint_size(Checker *ck, Diag *d, Val v, Span span, Type *other) {
    const IrOp *op = ir_op(ck->b.func, v.id);
    if (type_of(ck, v)->kind == TYPE_I64 && op->kind == IR_DIM)
        diag_span(ck->diags, d, span, "an i64, because it is a size");
    else
        diag_span(ck->diags, d, span, "this is %s", text_of(ck, v.type));
    if (type_is_number(other))
        diag_help(ck->diags, d, "%s(…) converts: there are no implicit conversions",
                  text_of(ck, other));
}

static Val mismatch(Checker *ck, const BinaryCtx *c, Val a, Val b) {
    Type *ta = type_of(ck, a), *tb = type_of(ck, b);
    if (ta->kind == TYPE_POISON || tb->kind == TYPE_POISON)
        return val_poison(ck);
    Diag *d = ck_error(ck, DIAG_TYPE_MISMATCH, c->span, "cannot apply `%s` to %s and %s",
                       operator_spelling(c->op), text_of(ck, ta), text_of(ck, tb));
    if (type_is_number(ta) && type_is_number(tb)) {
        bool a_int = type_is_int(ta) && type_is_float(tb);
        hint_size(ck, d, a_int ? a : b, a_int ? c->aspan : c->bspan, a_int ? tb : ta);
    } else if (ta->kind == TYPE_STRING && c->op == OP_ADD) {
        diag_help(ck->diags, d, "texts are put together in a string: \"{a}{b}\"");
    } else if (ta->kind == TYPE_BOOL && c->op == OP_ADD) {
        diag_help(ck->diags, d, "count(…) counts what is true; i64(…) converts");
    }
    return val_poison(ck);
}

/* Stamps and durations. */
static bool time_arith(Checker *ck, Operator op, Val *a, Val *b, Type **result) {
    TypeKind ka = type_of(ck, *a)->kind, kb = type_of(ck, *b)->kind;
    Type *duration = basic(ck, TYPE_DURATION);
    if (ka == TYPE_DURATION && kb == TYPE_DURATION && (op == OP_ADD || op == OP_SUB))
        return *result = duration, true;
    if (ka == TYPE_DURATION && kb == TYPE_DURATION && (op == OP_DIV || op == OP_MOD))
        return *result = basic(ck, op == OP_DIV ? TYPE_I64 : TYPE_DURATION), true;
    if (kb == TYPE_DURATION && op == OP_MUL && is_integral(type_of(ck, *a))) {
        *a = val(duration, ir_convert(&ck->b, duration, as_index(ck, *a, ck->b.span)));
        return *result = duration, true;
    }
    if (ka == TYPE_DURATION && (op == OP_MUL || op == OP_DIV) &&
        is_integral(type_of(ck, *b))) {
        *b = val(duration, ir_convert(&ck->b, duration, as_index(ck, *b, ck->b.span)));
        return *result = duration, true;
    }
    return false;
}

static Val duration_op(Checker *ck, IrKind kind, Val a, Val b, Type *result) {
    Type *i64 = basic(ck, TYPE_I64);
    IrId x = ir_convert(&ck->b, i64, a.id), y = ir_convert(&ck->b, i64, b.id);
    return val(result, ir_convert(&ck->b, result, ir_binary(&ck->b, kind, x, y)));
}

/* hlc - hlc is the difference of wall clocks: 52 bits of microseconds over 12 of counter. */
static Val hlc_difference(Checker *ck, Val a, Val b) {
    Type *i64 = basic(ck, TYPE_I64);
    IrId shift = ir_int(&ck->b, i64, 12), thousand = ir_int(&ck->b, i64, 1000);
    IrId x = ir_binary(&ck->b, IR_SHR, ir_convert(&ck->b, i64, a.id), shift);
    IrId y = ir_binary(&ck->b, IR_SHR, ir_convert(&ck->b, i64, b.id), shift);
    IrId ns = ir_binary(&ck->b, IR_MUL, ir_binary(&ck->b, IR_SUB, x, y), thousand);
    return val(basic(ck, TYPE_DURATION), ir_convert(&ck->b, basic(ck, TYPE_DURATION), ns));
}

static Val compare_structured(Checker *ck, Operator op, Val a, Val b, Span span) {
    switch ((int)op) {
    case OP_EQ: return equal_vals(ck, a, b, span);
    case OP_NE: return not_val(ck, equal_vals(ck, a, b, span));
    case OP_LT: return before_vals(ck, a, b, span);
    case OP_GT: return before_vals(ck, b, a, span);
    case OP_LE: return not_val(ck, before_vals(ck, b, a, span));
    default: return not_val(ck, before_vals(ck, a, b, span));
    }
}

static bool is_structured(Type *t) {
    return type_is_product(t) || type_is_sum(t) || t->kind == TYPE_STRING || is_array(t);
}

static Val user_operator(Checker *ck, Operator op, Val *args, int n, Span span, bool *found) {
    *found = false;
    bool own = false;
    for (int i = 0; i < n; i++) {
        Type *t = type_of(ck, args[i]);
        own |= t->kind == TYPE_RECORD || t->kind == TYPE_SUM;
    }
    if (!own)
        return (Val){0};
    FnSet *set = operator_fnset(ck, op);
    /* An operator of the module where the type is declared is found without an import. */
    for (int i = 0; i < n && !set->own.len && !set->imported.len && !set->prelude.len; i++) {
        Type *t = type_of(ck, args[i]);
        if (t->decl && t->decl->module) {
            FnCtx ctx = *ck->fn;
            ctx.outer = ck->fn;
            ctx.module = t->decl->module;
            ck->fn = &ctx;
            set = operator_fnset(ck, op);
            ck->fn = ctx.outer;
        }
    }
    if (!set->own.len && !set->imported.len && !set->prelude.len)
        return (Val){0};
    Args call = args_make(ck, n, span);
    for (int i = 0; i < n; i++)
        call.vals[i] = args[i];
    *found = fnset_fits(ck, set, &call);
    return *found ? call_fnset(ck, set, &call) : (Val){0};
}

static Val scalar_binary(Checker *ck, Val *args, int n, void *ctx) {
    (void)n;
    BinaryCtx *c = ctx;
    Val a = args[0], b = args[1];
    Type *ta = type_of(ck, a), *tb = type_of(ck, b), *special;
    if (ta->kind == TYPE_POISON || tb->kind == TYPE_POISON)
        return val_poison(ck);
    bool found;
    Val user = user_operator(ck, c->op, args, 2, c->span, &found);
    if (found)
        return user;
    IrKind kind = binary_rules[c->op].kind;
    int rule = binary_rules[c->op].rule;
    if (rule == COMPARE && (is_structured(ta) || is_structured(tb)))
        return compare_structured(ck, c->op, a, b, c->span);
    if (rule == ARITH && ta->kind == TYPE_HLC && tb->kind == TYPE_HLC && c->op == OP_SUB)
        return hlc_difference(ck, a, b);
    if (rule == ARITH && time_arith(ck, c->op, &a, &b, &special))
        return duration_op(ck, kind, a, b, special);
    if (rule == SHIFT || (rule == POWER && is_integral(tb) && is_integral(ta))) {
        if (!is_integral(ta) || !is_integral(tb))
            return mismatch(ck, c, a, b);
        return val(a.type, ir_binary(&ck->b, kind, a.id, as_index(ck, b, c->bspan)));
    }
    if (rule == POWER && is_integral(tb) && type_is_float(ta) && tb->kind != TYPE_VAR)
        return val(a.type, ir_binary(&ck->b, kind, a.id, ir_convert(&ck->b, ta, b.id)));
    if (!type_unify(ck->ts, ta, tb))
        return mismatch(ck, c, a, b);
    Type *type = type_of(ck, a);
    bool fits = rule == COMPARE ? type_is_scalar(type) || is_numeric(type) ||
                                      (type->kind == TYPE_ACTOR && kind <= IR_NE)
                : rule == LOGIC ? type->kind == TYPE_BOOL
                : rule == BITS  ? type->kind == TYPE_BOOL || is_integral(type)
                                : is_numeric(type);
    if (!fits)
        return mismatch(ck, c, a, b);
    Type *result = rule == COMPARE ? basic(ck, TYPE_BOOL) : type;
    return val(result, ir_binary(&ck->b, kind, a.id, b.id));
}

/* ---- membership, and, or ---- */

static Val check_in(Checker *ck, Val x, Val xs, Span span) {
    Type *t = type_of(ck, as_array(ck, xs));
    Val array = as_bytes(ck, as_array(ck, xs));
    if (t->kind == TYPE_TUPLE && t->count) {
        Val any = val_bool(ck, false);
        for (int k = 0; k < t->count; k++)
            any = or_vals(ck, any, equal_vals(ck, get_member(ck, array, k), x, span));
        return any;
    }
    t = type_of(ck, array);
    if (t->kind == TYPE_POISON || is_poison(ck, x))
        return val_poison(ck);
    if (!is_array(t))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, span, "`in` looks into arrays and sets, not %s",
                       text_of(ck, t));
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    IrId n = ck_dim(ck, array.id, 0), no = ir_bool(&ck->b, false);
    IrId i = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    Val same = equal_vals(ck, element(ck, array, i), x, span);
    vec_push(ck->arena, &body->results, same.id);
    IrRegion *op = ck_region(ck);
    IrId p = ir_param(ck->b.func, op, basic(ck, TYPE_BOOL));
    IrId q = ir_param(ck->b.func, op, basic(ck, TYPE_BOOL));
    ck->b.region = op;
    vec_push(ck->arena, &op->results, ir_binary(&ck->b, IR_BITOR, p, q));
    ck->b.region = outer;
    return val(basic(ck, TYPE_BOOL),
               ir_kernel(&ck->b, 1, &n, body, SINK_REDUCE, 0, &no, 1, op));
}

/* May the ops of a region be evaluated in any case? Then they can stand outside of a branch. */
static bool is_harmless(Checker *ck, const IrRegion *region) {
    if (region->ops.len > 12)
        return false;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(ck->b.func, region->ops.at[i]);
        bool plain = ir_is_scalar_op(op->kind) || op->kind == IR_CONST || op->kind == IR_GET ||
                     op->kind == IR_DIM || op->kind == IR_TUPLE ||
                     (op->kind == IR_INDEX && !(op->flags & IRF_CHECKED));
        if (!plain || op->nregions || ir_may_fault(ck->b.func, region->ops.at[i]) ||
            op->kind == IR_INDEX)
            return false;
    }
    return true;
}

static Val short_circuit(Checker *ck, const Expr *e, Val a) {
    bool is_and = e->binary.op == OP_AND;
    int64_t known;
    if (fold_const(ck, a, &known) && (known != 0) != is_and)
        return a;
    Fork f = fork_begin(ck);
    Branch rhs, other;
    branch_begin(ck, &f, &rhs);
    Val b = check_expr(ck, e->binary.rhs);
    bool is_scalar = !is_array(type_of(ck, b));
    if (is_scalar)
        b = condition(ck, b, e->binary.rhs->span, is_and ? "this side of `and`"
                                                         : "this side of `or`");
    branch_end(ck, &f, &rhs, b);
    if (is_poison(ck, b))
        return b;
    if (!is_scalar || is_harmless(ck, rhs.region)) {
        for (int i = 0; i < rhs.region->ops.len; i++)
            vec_push(ck->arena, &f.outer->ops, rhs.region->ops.at[i]);
        return apply_binary(ck, e->binary.op, a, b, e->span, e->binary.lhs->span,
                            e->binary.rhs->span);
    }
    branch_begin(ck, &f, &other);
    branch_end(ck, &f, &other, val_bool(ck, !is_and));
    return is_and ? fork_join(ck, &f, a.id, &rhs, &other, true, e->span)
                  : fork_join(ck, &f, a.id, &other, &rhs, true, e->span);
}

Val apply_binary(Checker *ck, Operator op, Val a, Val b, Span span, Span aspan, Span bspan) {
    if (is_poison(ck, a) || is_poison(ck, b))
        return val_poison(ck);
    if (op == OP_IN)
        return check_in(ck, a, b, span);
    BinaryCtx c = {op, span, aspan, bspan};
    Val args[] = {a, b};
    Span spans[] = {aspan, bspan};
    bool whole = binary_rules[op].rule == COMPARE &&
                 (is_view_record(type_of(ck, a)) || is_view_record(type_of(ck, b)));
    if (whole && is_view_record(type_of(ck, a)) && is_view_record(type_of(ck, b)))
        return scalar_binary(ck, args, 2, &c);
    return lift(ck, scalar_binary, args, spans, 2, &c, span);
}

Val check_binary(Checker *ck, const Expr *e) {
    Val a = check_expr(ck, e->binary.lhs);
    if ((e->binary.op == OP_AND || e->binary.op == OP_OR) && !is_poison(ck, a) &&
        !is_array(type_of(ck, a))) {
        a = condition(ck, a, e->binary.lhs->span,
                      e->binary.op == OP_AND ? "this side of `and`" : "this side of `or`");
        if (!is_poison(ck, a))
            return short_circuit(ck, e, a);
    }
    Val b = check_expr(ck, e->binary.rhs);
    return apply_binary(ck, e->binary.op, a, b, e->span, e->binary.lhs->span,
                        e->binary.rhs->span);
}

typedef struct {
    Operator op;
    Span span;
} UnaryCtx;

static Val scalar_unary(Checker *ck, Val *args, int n, void *ctx) {
    UnaryCtx *c = ctx;
    (void)n;
    Type *type = type_of(ck, args[0]);
    bool found;
    Val user = user_operator(ck, c->op == OP_NEG ? OP_SUB : c->op, args, 1, c->span, &found);
    if (found)
        return user;
    bool fits = c->op == OP_NOT ? type->kind == TYPE_BOOL
                : c->op == OP_INVERT ? is_integral(type) || type->kind == TYPE_BOOL
                                     : is_numeric(type);
    if (c->op == OP_NEG && type->kind == TYPE_DURATION) {
        Type *i64 = basic(ck, TYPE_I64);
        IrId neg = ir_unary(&ck->b, IR_NEG, ir_convert(&ck->b, i64, args[0].id));
        return val(type, ir_convert(&ck->b, type, neg));
    }
    if (!fits)
        return ck_fail(ck, DIAG_TYPE_MISMATCH, c->span, "cannot apply `%s` to %s",
                       operator_spelling(c->op), text_of(ck, type));
    return val(type, ir_unary(&ck->b, c->op == OP_NEG ? IR_NEG : IR_BITNOT, args[0].id));
}

Val apply_unary(Checker *ck, Operator op, Val a, Span span) {
    UnaryCtx c = {op, span};
    return lift(ck, scalar_unary, &a, &span, 1, &c, span);
}

/* ---- conversions ---- */

/* A bound literal as a constant of another type; its own type stays open, as `f64(n)` does not say what
   n is. */
static Val literal_as(Checker *ck, Val v, Type *to) {
    IrOp op = *ir_op(ck->b.func, v.id);
    op.type = to;
    ir_settle_literal(&op);
    return val(to, ir_append(&ck->b, op));
}

static Val scalar_convert(Checker *ck, Val *args, int n, void *ctx) {
    (void)n;
    Type *to = ctx, *from = type_of(ck, args[0]);
    bool literal = from->kind == TYPE_VAR && ir_op(ck->b.func, args[0].id)->kind == IR_CONST;
    if (literal && from->var == VAR_INT && type_is_int(to) && type_bytes(to) < 8) {
        int64_t value = ir_op(ck->b.func, args[0].id)->imm; /* one that does not fit wraps */
        int bits = type_bytes(to) * 8;
        int64_t low = type_is_signed(to) ? -(1ll << (bits - 1)) : 0;
        literal = value >= low && value < low + (1ll << bits);
    }
    bool is_here = literal && from->origin.from >= ck->b.span.from &&
                   from->origin.to <= ck->b.span.to;
    if (is_here && to->kind != TYPE_BOOL && type_unify(ck->ts, from, to))
        return val(to, args[0].id);
    if (literal && to->kind != TYPE_BOOL && (from->var == VAR_INT || type_is_float(to)))
        return literal_as(ck, args[0], to);
    if (!type_is_scalar(from) && !is_numeric(from))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, ck->b.span, "cannot convert %s to %s",
                       text_of(ck, from), text_of(ck, to));
    return val(to, ir_convert(&ck->b, to, args[0].id));
}

Val convert_scalar(Checker *ck, Val v, Type *to, Span span) {
    return lift(ck, scalar_convert, &v, &span, 1, to, span);
}

IrId as_index(Checker *ck, Val v, Span span) {
    Type *type = type_of(ck, v);
    Type *i64 = basic(ck, TYPE_I64);
    if (type->kind == TYPE_POISON)
        return ir_int(&ck->b, i64, 0);
    if (!is_integral(type)) {
        Diag *d = ck_error(ck, DIAG_BAD_INDEX, span, "an integer is needed here, not %s",
                           text_of(ck, type));
        if (type_is_float(type))
            diag_help(ck->diags, d, "i64(…) truncates");
        return ir_int(&ck->b, i64, 0);
    }
    if (type->kind == TYPE_VAR && ir_op(ck->b.func, v.id)->kind == IR_CONST)
        return ir_int(&ck->b, i64, ir_op(ck->b.func, v.id)->imm);
    return type == i64 ? v.id : ir_convert(&ck->b, i64, v.id);
}

Val condition(Checker *ck, Val v, Span span, const char *what) {
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_BOOL || type->kind == TYPE_POISON)
        return v;
    Diag *d = ck_error(ck, DIAG_CONDITION, span, "%s should be a bool, but this is %s", what,
                       text_of(ck, type));
    if (is_array(type))
        diag_help(ck->diags, d, "all(…) or any(…) makes one bool of an array; where a fn is meant "
                                "for one element, write its parameter's type, as in (x: f32)");
    else if (is_numeric(type))
        diag_help(ck->diags, d, "compare it: … != 0");
    return val_poison(ck);
}
