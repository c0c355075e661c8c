/* What the library cannot say in gact: scalar functions (operations of the IR), array operators,
   effects. Names that begin with __ can only be used in the library's own files. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

/* ---- scalar functions ---- */

bool takes(Type *type, int kind) {
    if (type->kind == TYPE_VAR)
        return kind == FLOATS ? true : kind == INTEGERS ? type->var == VAR_INT : true;
    return kind == FLOATS ? type_is_float(type)
                          : kind == INTEGERS ? type_is_int(type) : type_is_number(type);
}

static Val scalar_op(Checker *ck, Val *args, int n, void *ctx) {
    const Builtin *self = ctx;
    for (int i = 1; i < n; i++)
        if (!type_unify(ck->ts, args[0].type, args[i].type))
            return ck_fail(ck, DIAG_TYPE_MISMATCH, ck->b.span,
                           "%s needs arguments of one type, not %s and %s", self->name,
                           text_of(ck, args[0].type), text_of(ck, args[i].type));
    Type *type = type_of(ck, args[0]);
    if (type->kind == TYPE_POISON)
        return args[0];
    if (!takes(type, self->kind)) {
        Diag *d = ck_error(ck, DIAG_TYPE_MISMATCH, ck->b.span, "%s takes %s, not %s", self->name,
                           self->kind == FLOATS ? "floats" : self->kind == INTEGERS ? "integers"
                                                                                    : "numbers",
                           text_of(ck, type));
        if (self->kind == FLOATS && type_is_int(type))
            diag_help(ck->diags, d, "f32(…) or f64(…) converts");
        return val_poison(ck);
    }
    if (self->kind == FLOATS && type->kind == TYPE_VAR)
        type->var = VAR_FLOAT;
    IrId id;
    if (n == 1) {
        id = ir_unary(&ck->b, self->op, args[0].id);
    } else if (n == 2) {
        id = ir_binary(&ck->b, self->op, args[0].id, args[1].id);
    } else {
        IrOp op = {.kind = self->op, .type = type, .span = ck->b.span, .nargs = n,
                   .node = ck->b.node, .args = NEW_ARRAY(ck->arena, IrId, n)};
        for (int i = 0; i < n; i++)
            op.args[i] = args[i].id;
        id = ir_append(&ck->b, op);
    }
    return val(self->op == IR_IS_NAN || self->op == IR_BEFORE ? basic(ck, TYPE_BOOL) : type, id);
}

static Val call_scalar(Checker *ck, const Builtin *self, Args *args) {
    Span outer = ck->b.span;
    ck->b.span = ck->called_at.to ? ck->called_at : args->span;
    Val v = lift(ck, scalar_op, args->vals, args->spans, args->n, (void *)self, args->span);
    ck->b.span = outer;
    return v;
}

static Val choose(Checker *ck, Val *args, int n, void *ctx) {
    (void)n;
    (void)ctx;
    Val c = condition(ck, args[0], ck->b.span, "what is chosen by");
    if (is_poison(ck, c) || is_poison(ck, args[1]) || is_poison(ck, args[2]))
        return val_poison(ck);
    if (!join_vals(ck, &args[1], &args[2]))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, ck->b.span, "the two values differ in type: %s and %s",
                       text_of(ck, args[1].type), text_of(ck, args[2].type));
    return val(args[1].type, ir_select(&ck->b, c.id, args[1].id, args[2].id));
}

static Val call_where(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    return lift(ck, choose, args->vals, args->spans, 3, NULL, args->span);
}

/* A condition that is seldom true. */
static Val call_rare(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    Val c = condition(ck, args->vals[0], args->spans[0], "what is rare");
    return is_poison(ck, c) ? c : val(c.type, ir_unary(&ck->b, IR_RARE, c.id));
}

/* ---- helpers ---- */

Val array_arg(Checker *ck, const Builtin *self, Args *args, int k) {
    Val v = as_array(ck, args->vals[k]);
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_TUPLE) {
        v = tuple_as_list(ck, v);
        type = type_of(ck, v);
    }
    if (type->kind == TYPE_ARRAY || type->kind == TYPE_POISON)
        return v;
    const char *name = self->name[0] == '_' ? self->name + 2 : self->name;
    return ck_fail(ck, DIAG_TYPE_MISMATCH, args->spans[k], "%s takes an array here, not %s", name,
                   text_of(ck, type));
}

bool const_arg(Checker *ck, Args *args, int k, int64_t *out) {
    if (fold_const(ck, args->vals[k], out))
        return true;
    ck_error(ck, DIAG_CONST_REQUIRED, args->spans[k], "this must be known when compiling");
    return false;
}

IrId zero_index(Checker *ck) {
    return ir_int(&ck->b, basic(ck, TYPE_I64), 0);
}

/* The region of an operator (T, T) -> T. Its type is settled by the call. */
IrRegion *operator_region(Checker *ck, Val op, Type *type, Span span, Val *sample) {
    IrRegion *outer = ck->b.region, *region = ck_region(ck);
    Val params[2];
    for (int i = 0; i < 2; i++)
        params[i] = val(type, ir_param(ck->b.func, region, type));
    if (sample) /* rows keep their shape */
        for (int i = 0; i < 2; i++)
            ck_assume_like(ck, params[i].id, 0, type, sample->id);
    ck->b.region = region;
    ck->loop_depth++;
    Val v = call_vals(ck, op, params, 2, span);
    v = coerce(ck, v, type, span, "the operator's result");
    ck->loop_depth--;
    ck->b.region = outer;
    if (is_poison(ck, v))
        return NULL;
    vec_push(ck->arena, &region->results, v.id);
    return region;
}

/* A body that gives the element of an array at each index of its first axis. */
IrRegion *element_body(Checker *ck, Val x, IrId *index) {
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    *index = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    vec_push(ck->arena, &body->results, element(ck, x, *index).id);
    ck->b.region = outer;
    return body;
}

void also_yield(Checker *ck, IrRegion *body, Val x, IrId index) {
    IrRegion *outer = ck->b.region;
    ck->b.region = body;
    vec_push(ck->arena, &body->results, element(ck, x, index).id);
    ck->b.region = outer;
}

Type *unify_element(Checker *ck, Val x, Val *zero, Span span) {
    Type *elem = element_type(ck, type_of(ck, x));
    *zero = coerce(ck, *zero, elem, span, "the first value");
    return is_poison(ck, *zero) ? NULL : type_resolve(ck->ts, elem);
}

/* ---- values ---- */

static Val call_same(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    return equal_vals(ck, as_array(ck, args->vals[0]), as_array(ck, args->vals[1]), args->span);
}

static Val call_before(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    return before_vals(ck, as_array(ck, args->vals[0]), as_array(ck, args->vals[1]), args->span);
}

static Val zero_of(Checker *ck, Type *type, int64_t number) {
    type = type_resolve(ck->ts, type);
    if (type_is_product(type)) {
        IrId *ids = NEW_ARRAY(ck->arena, IrId, type->count + 1);
        for (int k = 0; k < type->count; k++)
            ids[k] = zero_of(ck, type->items[k], number).id;
        return val(type, ir_tuple(&ck->b, type, ids, type->count));
    }
    if (type_is_float(type))
        return val(type, ir_float(&ck->b, type, (double)number));
    if (type_is_scalar(type) || type->kind == TYPE_VAR)
        return val(type, ir_int(&ck->b, type, number));
    return ck_fail(ck, DIAG_TYPE_MISMATCH, ck->b.span, "%s has no zero", text_of(ck, type));
}

static Type *scalar_of(Checker *ck, Val v) {
    Type *type = type_of(ck, as_array(ck, v));
    return type->kind == TYPE_ARRAY ? type_resolve(ck->ts, type->elem) : type;
}

static Val call_zero(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    return zero_of(ck, scalar_of(ck, args->vals[0]), 0);
}

/* x, whose literals take their default types: what is called with it can be shared. */
static Val call_settled(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    settle_literals(ck, type_of(ck, args->vals[0]));
    return args->vals[0];
}

static Val as_number(Checker *ck, Val *args, int n, void *type) {
    (void)n;
    return val(type, ir_convert(&ck->b, type, args[0].id));
}

/* (n, like): n as a number of like's type, elementwise. */
static Val call_as(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    Type *type = scalar_of(ck, args->vals[1]);
    if (is_poison(ck, args->vals[0]) || type->kind == TYPE_POISON)
        return val_poison(ck);
    if (!takes(type, ANY_NUMBER))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, args->spans[1], "a number is needed here, not %s",
                       text_of(ck, type));
    return lift(ck, as_number, args->vals, args->spans, 1, type, args->span);
}

/* The value that min (kind 0) or max (kind 1) gives way to: NaN for floats. */
static Val call_extreme(Checker *ck, const Builtin *self, Args *args) {
    Type *type = scalar_of(ck, args->vals[0]);
    if (type->kind == TYPE_VAR)
        type_unify(ck->ts, type, basic(ck, type->var == VAR_FLOAT ? TYPE_F64 : TYPE_I64));
    type = type_resolve(ck->ts, type);
    if (type_is_float(type))
        return val(type, ir_float(&ck->b, type, __builtin_nan("")));
    int bits = type_bytes(type) * 8;
    if (!bits || !type_is_scalar(type))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, args->spans[0], "%s takes numbers, not %s",
                       self->kind ? "max" : "min", text_of(ck, type));
    bool low = self->kind;
    int64_t v = type->kind == TYPE_BOOL  ? !low
                : !type_is_signed(type) ? (low ? 0 : bits == 64 ? -1 : (1ll << bits) - 1)
                : low                   ? INT64_MIN >> (64 - bits)
                                        : INT64_MAX >> (64 - bits);
    return val(type, ir_int(&ck->b, type, v));
}

static Val bits_scalar(Checker *ck, Val *args, int n, void *ctx) {
    (void)n;
    (void)ctx;
    static const TypeKind pairs[][2] = {{TYPE_F16, TYPE_U16}, {TYPE_BF16, TYPE_U16},
                                        {TYPE_F32, TYPE_U32}, {TYPE_F64, TYPE_U64},
                                        {TYPE_U32, TYPE_F32}, {TYPE_U64, TYPE_F64}};
    Type *type = type_of(ck, args[0]);
    for (int i = 0; i < ARRAY_LEN(pairs); i++)
        if (type->kind == pairs[i][0]) {
            Type *to = basic(ck, pairs[i][1]);
            IrOp op = {.kind = IR_BITS, .type = to, .span = ck->b.span, .nargs = 1,
                       .node = ck->b.node, .args = NEW(ck->arena, IrId)};
            op.args[0] = args[0].id;
            return val(to, ir_append(&ck->b, op));
        }
    return ck_fail(ck, DIAG_TYPE_MISMATCH, ck->b.span, "%s has no bits", text_of(ck, type));
}

static Val call_bits(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    return lift(ck, bits_scalar, args->vals, args->spans, 1, NULL, args->span);
}

/* ---- text ---- */

Val as_bytes(Checker *ck, Val v);

static Val call_bytes(Checker *ck, const Builtin *self, Args *args) {
    (void)self;
    Val v = coerce(ck, args->vals[0], basic(ck, TYPE_STRING), args->spans[0], "this text");
    return is_poison(ck, v) ? v : as_bytes(ck, v);
}

static Val call_from_bytes(Checker *ck, const Builtin *self, Args *args) {
    Val v = array_arg(ck, self, args, 0);
    if (is_poison(ck, v))
        return v;
    v = coerce(ck, v, type_array(ck->ts, basic(ck, TYPE_U8), 1), args->spans[0], "these bytes");
    IrId n = ck_dim(ck, v.id, 0);
    return val(basic(ck, TYPE_STRING), ir_reshape(&ck->b, basic(ck, TYPE_STRING), v.id, &n));
}

/* ---- calls of the runtime ---- */

bool effect_allowed(Checker *ck, Span span, const char *what) {
    if (!ck->fn || ck->fn->effects)
        return true;
    const char *where = "a pure function";
    for (FnCtx *f = ck->fn; f; f = f->outer)
        if (f->decl && f->decl->kind == DECL_DAG)
            where = "a dag";
        else if (f->decl && f->decl->module->is_prelude)
            where = "an array function";
    Diag *d = ck_error(ck, DIAG_EFFECT, span, "%s has an effect and cannot be called from %s", what,
                       where);
    diag_help(ck->diags, d, "main, tests, handlers and the functions they call may; trace(\"name\", x) "
                            "may stand anywhere");
    return false;
}

static Val call_rt(Checker *ck, const Builtin *self, Args *args) {
    static const char *const names[] = {
#define RT(id, name, effect, doc) name,
#include "../lang/abi.def"
    };
    static const bool effects[] = {
#define RT(id, name, effect, doc) effect,
#include "../lang/abi.def"
    };
    if (effects[self->kind] && self->kind != RT_TRACE &&
        !effect_allowed(ck, args->span, names[self->kind]))
        return val_poison(ck);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, args->n + 1);
    for (int i = 0; i < args->n; i++) {
        Type *type = type_of(ck, args->vals[i]);
        if (type->kind == TYPE_POISON)
            return val_poison(ck);
        if (is_function(type))
            return ck_fail(ck, DIAG_TYPE_MISMATCH, args->spans[i], "a function cannot be shown");
        ids[i] = args->vals[i].id;
        bool text = i == 0 && self->kind != RT_PRINT && self->kind != RT_FORMAT &&
                    self->kind != RT_EXIT;
        if (text)
            ids[i] = coerce(ck, args->vals[i], basic(ck, TYPE_STRING), args->spans[i],
                            "this text").id;
        if (self->kind == RT_EXIT || (self->kind == RT_WRITE_TEXT && i == 1))
            ids[i] = coerce(ck, args->vals[i],
                            basic(ck, self->kind == RT_EXIT ? TYPE_I64 : TYPE_STRING),
                            args->spans[i], "this argument").id;
    }
    Type *type = type_unit(ck->ts);
    switch (self->kind) {
    case RT_TRACE: type = type_of(ck, args->vals[1]); break;
    case RT_FORMAT:
    case RT_READ_TEXT: type = basic(ck, TYPE_STRING); break;
    case RT_LOAD: type = literal_var(ck, VAR_ANY, args->span); break;
    case RT_NOW: type = basic(ck, TYPE_HLC); break;
    case RT_PARSE_I64: type = basic(ck, TYPE_I64); break;
    case RT_PARSE_F64: type = basic(ck, TYPE_F64); break;
    default: break;
    }
    int n = args->n;
    if (self->kind == RT_FORMAT && n == 1)
        ids[n++] = ir_string(&ck->b, "", 0);
    Span outer = ck->b.span;
    ck->b.span = ck->called_at.to ? ck->called_at : args->span;
    IrId id = ir_rt(&ck->b, self->kind, type, ids, n);
    ck->b.span = outer;
    if (self->kind == RT_EXIT)
        return val_unit(ck);
    if (self->kind == RT_TRACE)
        ck_assume_like(ck, id, 0, type, args->vals[1].id);
    return val(type, id);
}

/* ---- the table ---- */

#define SCALAR(name, op, n, kind) {name, n, n, call_scalar, IR_##op, kind, name "(x…)"}

const Builtin builtins[] = {
    SCALAR("abs", ABS, 1, ANY_NUMBER),       SCALAR("sign", SIGN, 1, ANY_NUMBER),
    SCALAR("floor", FLOOR, 1, FLOATS),       SCALAR("ceil", CEIL, 1, FLOATS),
    SCALAR("round", ROUND, 1, FLOATS),       SCALAR("trunc", TRUNC, 1, FLOATS),
    SCALAR("sqrt", SQRT, 1, FLOATS),         SCALAR("rsqrt", RSQRT, 1, FLOATS),
    SCALAR("cbrt", CBRT, 1, FLOATS),         SCALAR("exp", EXP, 1, FLOATS),
    SCALAR("exp2", EXP2, 1, FLOATS),         SCALAR("expm1", EXPM1, 1, FLOATS),
    SCALAR("log", LOG, 1, FLOATS),           SCALAR("log2", LOG2, 1, FLOATS),
    SCALAR("log10", LOG10, 1, FLOATS),       SCALAR("log1p", LOG1P, 1, FLOATS),
    SCALAR("sin", SIN, 1, FLOATS),           SCALAR("cos", COS, 1, FLOATS),
    SCALAR("tan", TAN, 1, FLOATS),           SCALAR("asin", ASIN, 1, FLOATS),
    SCALAR("acos", ACOS, 1, FLOATS),         SCALAR("atan", ATAN, 1, FLOATS),
    SCALAR("atan2", ATAN2, 2, FLOATS),       SCALAR("sinh", SINH, 1, FLOATS),
    SCALAR("cosh", COSH, 1, FLOATS),         SCALAR("tanh", TANH, 1, FLOATS),
    SCALAR("erf", ERF, 1, FLOATS),           SCALAR("erfc", ERFC, 1, FLOATS),
    SCALAR("gamma", GAMMA, 1, FLOATS),       SCALAR("lgamma", LGAMMA, 1, FLOATS),
    SCALAR("pow", POW, 2, ANY_NUMBER),       SCALAR("fma", FMA, 3, FLOATS),
    SCALAR("hypot", HYPOT, 2, FLOATS),       SCALAR("min", MIN, 2, ANY_NUMBER),
    SCALAR("max", MAX, 2, ANY_NUMBER),       SCALAR("is_nan", IS_NAN, 1, FLOATS),
    SCALAR("popcount", POPCOUNT, 1, INTEGERS), SCALAR("clz", CLZ, 1, INTEGERS),
    SCALAR("ctz", CTZ, 1, INTEGERS),         SCALAR("div", FDIV, 2, ANY_NUMBER),
    SCALAR("mod", FMOD, 2, ANY_NUMBER),      SCALAR("__scale", SCALE, 2, FLOATS),
    {"__rare", 1, 1, call_rare, 0, 0, NULL},
    {"where", 3, 3, call_where, 0, 0, "where(c, a, b)"},
    {"select", 3, 3, call_where, 0, 0, "select(c, a, b)"},
    {"__reduce", 3, 3, call_reduce, 0, 0, NULL},
    {"__scan", 4, 4, call_scan, 0, 0, NULL},
    {"__scatter", 3, 4, call_scatter, 0, 0, NULL},
    {"__histogram", 5, 5, call_histogram, 0, 0, NULL},
    {"__sort", 2, 2, call_sort, 0, 0, NULL},
    {"__argsort", 2, 2, call_argsort, 0, 0, NULL},
    {"__matmul", 2, 2, call_matmul, 0, 0, NULL},
    {"len", 1, 1, call_len, 0, 0, "len(x) -> i64"},
    {"shape", 1, 1, call_shape, 0, 0, "shape(x)"},
    {"__rank", 1, 1, call_rank, 0, 0, NULL},
    {"__is_list", 1, 1, call_is_list, 0, 0, NULL},
    {"__is_float", 1, 1, call_is_float, 0, 0, NULL},
    {"__alike", 2, 2, call_alike, 0, 0, NULL},
    {"__known", 1, 1, call_known, 0, 0, NULL},
    {"__dim", 2, 2, call_dim, 0, 0, NULL},
    {"flatten", 1, 1, call_flatten, 0, 0, "flatten(x) -> [_]T"},
    {"reshape", 2, 2, call_reshape, 0, 0, "reshape(x, (n, m))"},
    {"transpose", 1, 2, call_transpose, 0, 0, "transpose(x), transpose(x, (2, 0, 1))"},
    {"__along", 3, 3, call_along, 0, 0, NULL},
    {"concat", 1, 64, call_concat, 0, 0, "concat(x, y, …, axis = 0)"},
    {"zip", 1, 64, call_zip, 0, 0, "zip(x, y, …) -> [n](A, B, …)"},
    {"unzip", 1, 1, call_unzip, 0, 0, "unzip(x) -> ([n]A, [n]B, …)"},
    {"same", 2, 2, call_same, 0, 0, "same(a, b) -> bool"},
    {"before", 2, 2, call_before, 0, 0, "before(a, b) -> bool"},
    {"__as", 2, 2, call_as, 0, 0, NULL},
    {"__zero", 1, 1, call_zero, 0, 0, NULL},
    {"__settled", 1, 1, call_settled, 0, 0, NULL},
    {"__highest", 1, 1, call_extreme, 0, 0, NULL},
    {"__lowest", 1, 1, call_extreme, 0, 1, NULL},
    {"__bits", 1, 1, call_bits, 0, 0, NULL},
    {"__bytes", 1, 1, call_bytes, 0, 0, NULL},
    {"__from_bytes", 1, 1, call_from_bytes, 0, 0, NULL},
    {"print", 0, 64, call_rt, 0, RT_PRINT, "print(x, …)"},
    {"trace", 2, 2, call_rt, 0, RT_TRACE, "trace(name, x) -> x"},
    {"settle", 0, 0, call_rt, 0, RT_SETTLE, "settle()"},
    {"exit", 1, 1, call_rt, 0, RT_EXIT, "exit(status)"},
    {"now", 0, 0, call_rt, 0, RT_NOW, "now() -> hlc"},
    {"__format", 1, 2, call_rt, 0, RT_FORMAT, NULL},
    {"__load", 1, 1, call_rt, 0, RT_LOAD, NULL},
    {"__save", 2, 2, call_rt, 0, RT_SAVE, NULL},
    {"__read_text", 1, 1, call_rt, 0, RT_READ_TEXT, NULL},
    {"__write_text", 2, 2, call_rt, 0, RT_WRITE_TEXT, NULL},
    {"__parse_i64", 1, 1, call_rt, 0, RT_PARSE_I64, NULL},
    {"__parse_f64", 1, 1, call_rt, 0, RT_PARSE_F64, NULL},
    {"__write_png", 2, 2, call_rt, 0, RT_WRITE_PNG, NULL},
};
const int builtin_count = ARRAY_LEN(builtins);

const Builtin *builtin_find(const char *name) {
    for (int i = 0; i < builtin_count; i++)
        if (!strcmp(builtins[i].name, name))
            return &builtins[i];
    return NULL;
}
