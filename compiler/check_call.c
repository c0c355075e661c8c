/* Calls: argument lists, the choice of an overload, evaluation of callees in place, IR functions for
   recursive ones, closures, constructors and pipes. */
#include "check.h"

#include <string.h>

enum { MAX_DEPTH = 160, MAX_SAME = 64, MAX_PARTS = 1024, MAX_SHOWN = 40, MAX_CALLS = 100000 };

Args args_make(Checker *ck, int n, Span span) {
    Args args = {.n = n, .span = span};
    args.vals = NEW_ARRAY(ck->arena, Val, n + 1);
    args.names = NEW_ARRAY(ck->arena, Name, n + 1);
    args.spans = NEW_ARRAY(ck->arena, Span, n + 1);
    args.exprs = NEW_ARRAY(ck->arena, const Expr *, n + 1);
    for (int i = 0; i < n; i++)
        args.spans[i] = span;
    return args;
}

bool is_function(const Type *type) {
    return type->kind == TYPE_CLOSURE || type->kind == TYPE_FNSET || type->kind == TYPE_CHOICE ||
           type->kind == TYPE_TYPENAME;
}

const ParamList *params_of(const Decl *d) {
    return d->kind == DECL_ACTOR ? &d->actor.params : &d->fn.params;
}

static int ctor_arity(const FnSet *set) {
    const Decl *d = set->own.at[0];
    return d->type.kind == TYPEDEF_SUM ? d->type.ctors.at[set->ctor].payload.len
                                       : d->type.fields.len;
}

static void note_arity(const Decl *d, int *arity, bool *any) {
    int n = params_of(d)->len;
    if (*arity >= 0 && *arity != n)
        *any = true;
    *arity = n;
    for (int i = 0; i < n; i++)
        *any |= params_of(d)->at[i].init != NULL;
}

int function_arity(Checker *ck, Type *type, bool *any) {
    *any = false;
    type = type_resolve(ck->ts, type);
    if (type->kind == TYPE_CLOSURE)
        return ((const Lambda *)type->code)->expr->lambda.params.len;
    if (type->kind == TYPE_CHOICE)
        return function_arity(ck, type->ctors[0].items[0], any);
    if (type->kind != TYPE_FNSET)
        return 1;
    const FnSet *set = type->code;
    if (set->is_ctor)
        return ctor_arity(set);
    if (set->is_operator)
        return 2;
    int arity = -1;
    for (int i = 0; i < set->own.len; i++)
        note_arity(set->own.at[i], &arity, any);
    for (int i = 0; i < set->imported.len && !set->own.len; i++)
        note_arity(set->imported.at[i], &arity, any);
    for (int i = 0; i < set->prelude.len && !set->own.len && !set->imported.len; i++)
        note_arity(set->prelude.at[i], &arity, any);
    if (arity < 0 && set->builtin) {
        arity = set->builtin->min;
        *any = set->builtin->min != set->builtin->max;
    }
    return arity;
}

/* ---- matching arguments to parameters ---- */

/* at[k] is the argument of parameter k, or -1 for its default. False if they do not match. */
bool place_args(const Decl *d, const Args *args, int *at) {
    const ParamList *params = params_of(d);
    bool prelude = d->module && d->module->is_prelude;
    for (int k = 0; k < params->len; k++)
        at[k] = -1;
    for (int i = 0; i < args->n; i++) {
        int k = i;
        if (args->names[i]) {
            for (k = 0; k < params->len && params->at[k].name != args->names[i]; k++)
                ;
        }
        if (k >= params->len || at[k] >= 0)
            return false;
        /* min(a, b) is not min(a, axis = b): the prelude's constants are given by name */
        if (prelude && !args->names[i] && params->at[k].is_const && d->name[0] != '_')
            return false;
        at[k] = i;
    }
    for (int k = 0; k < params->len; k++)
        if (at[k] < 0 && !params->at[k].init)
            return false;
    return true;
}

/* Is this the type that a literal has when nothing decides? It wins a tie between overloads. */
static bool is_default(Checker *ck, const TypeExpr *te, Val v) {
    Type *type = type_of(ck, v);
    for (; te && te->kind == TE_ARRAY && type->kind == TYPE_ARRAY; te = te->array.elem)
        type = type_resolve(ck->ts, type->elem);
    return te && te->kind == TE_NAME && type->kind == TYPE_VAR && type->var != VAR_ANY &&
           !strcmp(te->name.name, type->var == VAR_INT ? "i64" : "f64");
}

/* How much a written type says beyond that something stands there, in halves: [n, m]_ more than [n]_;
   a half less where the argument is no such array itself: a set, a tuple, rows of a matrix. A record's
   name says more than its array would. */
static int structure(Checker *ck, const TypeExpr *te, Type *type) {
    if (!te || (te->kind == TE_NAME && !te->name.args.len))
        return 0;
    type = type_resolve(ck->ts, type);
    if (te->kind == TE_NAME) {
        int sum = 8;
        for (int i = 0; i < te->name.args.len && i < type->nargs; i++)
            sum += structure(ck, te->name.args.at[i], type->args[i]);
        return sum;
    }
    if (te->kind != TE_ARRAY)
        return 2;
    int rank = te->array.dims.len;
    bool own = type->kind == TYPE_ARRAY && (type->rank <= rank || te->array.elem->kind != TE_ARRAY);
    Type *elem = type->kind == TYPE_ARRAY ? type_resolve(ck->ts, type->elem) : type;
    return 2 * rank + structure(ck, te->array.elem, elem) - !own;
}

/* Where the types of a signature are read: names are those of its module. */
FnCtx signature_ctx(Checker *ck, const Decl *d) {
    return (FnCtx){.outer = ck->fn, .module = d->module, .base = ck->locals.len, .returned = -1,
                   .retval = -1, .brk = -1, .cont = -1};
}

/* The sum of the scores of all arguments; -1 if one does not fit. Of equal sums the one with more
   structure written wins, (_, _) over a name alone, and then the defaults of literals. */
static int score(Checker *ck, const Decl *d, const Args *args) {
    const ParamList *params = params_of(d);
    int *at = NEW_ARRAY(ck->arena, int, params->len + 1);
    if (!place_args(d, args, at))
        return -1;
    FnCtx ctx = signature_ctx(ck, d);
    ck->fn = &ctx;
    int sum = 0, written = 0, defaults = 0;
    for (int k = 0; k < params->len && sum >= 0; k++) {
        if (at[k] < 0)
            continue;
        int fit = type_fit(ck, params->at[k].type, type_of(ck, args->vals[at[k]]),
                           &d->fn.type_params);
        sum = fit ? sum + fit : -1;
        written += fit < 3 ? structure(ck, params->at[k].type, type_of(ck, args->vals[at[k]])) : 0;
        defaults += fit == 2 && is_default(ck, params->at[k].type, args->vals[at[k]]);
    }
    ck->fn = ctx.outer;
    return sum < 0 ? sum : (sum * 64 + written) * 64 + defaults;
}

static bool all_scalar_params(Checker *ck, const Decl *d) {
    const ParamList *params = params_of(d);
    if (d->kind != DECL_FN || !params->len)
        return false;
    for (int k = 0; k < params->len; k++) {
        const TypeExpr *te = params->at[k].type;
        if (!te || te->kind != TE_NAME || te->name.module)
            return false;
        FnCtx ctx = {.outer = ck->fn, .module = d->module, .base = ck->locals.len};
        bool generic = false;
        for (int g = 0; g < d->fn.type_params.len; g++)
            generic |= d->fn.type_params.at[g] == te->name.name;
        if (generic)
            return false;
        ck->fn = &ctx;
        Type *type = eval_type(ck, te);
        ck->fn = ctx.outer;
        if (!type_is_scalar(type))
            return false;
    }
    return true;
}

/* Would a call with the elements of array arguments fit? */
static bool fits_elementwise(Checker *ck, const Decl *d, const Args *args) {
    if (!all_scalar_params(ck, d))
        return false;
    Args items = *args;
    bool any = false;
    items.vals = NEW_ARRAY(ck->arena, Val, args->n + 1);
    for (int i = 0; i < args->n; i++) {
        items.vals[i] = args->vals[i];
        Type *type = type_of(ck, args->vals[i]);
        if (is_view_record(type))
            type = type_resolve(ck->ts, type->items[0]);
        while (type->kind == TYPE_ARRAY) {
            type = type_resolve(ck->ts, type->elem);
            any = true;
        }
        items.vals[i].type = type;
    }
    return any && score(ck, d, &items) >= 0;
}

/* ---- signatures for messages ---- */

static const char *signature(Checker *ck, const Decl *d) {
    Buf out = {.arena = ck->arena};
    buf_printf(&out, "%s(", d->name ? d->name : "?");
    const ParamList *params = params_of(d);
    for (int k = 0; k < params->len; k++) {
        const Param *p = &params->at[k];
        buf_printf(&out, "%s%s", k ? ", " : "", p->name ? p->name : "_");
        if (p->type) {
            buf_puts(&out, ": ");
            ast_print_type(&out, p->type);
        }
        if (p->init)
            buf_puts(&out, " = …");
    }
    buf_puts(&out, ")");
    return buf_text(&out);
}

/* The parts of a type, counted up to a limit: types that double with each call end there. */
static int parts_of(Checker *ck, Type *type, int limit) {
    type = type_resolve(ck->ts, type);
    int n = 1;
    if (type->kind == TYPE_ARRAY)
        return parts_of(ck, type->elem, limit);
    for (int k = 0; type_is_product(type) && k < type->count && n < limit; k++)
        n += parts_of(ck, type->items[k], limit - n);
    return n;
}

/* What the arguments are, for a message: cut off where it gets long. */
static const char *args_text(Checker *ck, const Args *args) {
    Buf out = {.arena = ck->arena};
    for (int i = 0; i < args->n; i++) {
        if (out.len > 200) {
            buf_puts(&out, ", …");
            break;
        }
        if (i)
            buf_puts(&out, ", ");
        if (args->names[i])
            buf_printf(&out, "%s = ", args->names[i]);
        Type *type = type_of(ck, args->vals[i]);
        if (parts_of(ck, type, MAX_SHOWN) < MAX_SHOWN)
            type_print(&out, type);
        else
            buf_puts(&out, "…");
    }
    return buf_text(&out);
}

/* The arguments are few enough: one is given twice or one is missing. */
static bool missing_or_twice(Checker *ck, const Decl *d, const Args *args) {
    const ParamList *params = params_of(d);
    Diag *e = NULL;
    if (args->n == 0 || args->n > params->len)
        return false;
    for (int k = 0; k < params->len && !e; k++) {
        int given = 0, last = 0;
        for (int i = 0; i < args->n; i++)
            if (args->names[i] ? args->names[i] == params->at[k].name : i == k) {
                given++;
                last = i;
            }
        const char *name = params->at[k].name ? params->at[k].name : "_";
        if (given > 1)
            e = ck_error(ck, DIAG_ARGUMENTS, args->spans[last], "`%s` is given twice", name);
        else if (!given && !params->at[k].init)
            e = ck_error(ck, DIAG_ARGUMENTS, args->span, "argument `%s` of %s is missing", name,
                         d->name);
    }
    if (e && d->name_span.to)
        diag_span(ck->diags, e, d->name_span, "%s is declared here", signature(ck, d));
    return e != NULL;
}

void wrong_count(Checker *ck, const Decl *d, const Args *args) {
    const ParamList *params = params_of(d);
    for (int i = 0; i < args->n; i++) {
        if (!args->names[i])
            continue;
        Name *names = NEW_ARRAY(ck->arena, Name, params->len + 1);
        bool known = false;
        for (int k = 0; k < params->len; k++) {
            names[k] = params->at[k].name ? params->at[k].name : "_";
            known |= names[k] == args->names[i];
        }
        if (known)
            continue;
        Diag *e = ck_error(ck, DIAG_ARGUMENTS, args->spans[i], "%s has no parameter `%s`", d->name,
                           args->names[i]);
        Name near = nearest_name(args->names[i], names, params->len);
        if (near)
            diag_help(ck->diags, e, "did you mean `%s`?", near);
        diag_span(ck->diags, e, d->name_span, "%s is declared here", signature(ck, d));
        return;
    }
    if (missing_or_twice(ck, d, args))
        return;
    int needed = 0;
    for (int k = 0; k < params->len; k++)
        needed += !params->at[k].init;
    const char *least = needed < params->len ? arena_printf(ck->arena, "%d to ", needed) : "";
    Diag *e = ck_error(ck, DIAG_ARGUMENTS, args->span, "%s takes %s%d argument%s, not %d", d->name,
                       least, params->len, params->len == 1 ? "" : "s", args->n);
    if (d->name_span.to)
        diag_span(ck->diags, e, d->name_span, "%s is declared here", signature(ck, d));
}

/* ---- evaluation of a callee in place ---- */

static Val param_value(Checker *ck, const Decl *d, const Param *p, const Args *args, int at,
                       const TypeEnv **env) {
    Val v;
    Span span = at >= 0 ? args->spans[at] : p->span;
    if (at >= 0) {
        v = args->vals[at];
    } else {
        v = check_expr(ck, p->init);
        type_bind(ck, p->type, type_of(ck, v), &d->fn.type_params, env);
        ck->fn->types = *env;
    }
    const char *what = arena_printf(ck->arena, "argument `%s` of %s", p->name ? p->name : "_",
                                    d->name ? d->name : "main");
    if (p->type)
        v = coerce_written(ck, v, p->type, span, true, what);
    int64_t known;
    if (p->is_const && !is_poison(ck, v) && type_is_scalar(type_of(ck, v)) &&
        !fold_const(ck, v, &known))
        return ck_fail(ck, DIAG_CONST_REQUIRED, span, "%s must be known when compiling", what);
    return v;
}

static void bind_params(Checker *ck, const Decl *d, const Args *args, const int *at,
                        const TypeEnv **env) {
    const ParamList *params = params_of(d);
    for (int k = 0; k < params->len; k++)
        if (at[k] >= 0)
            type_bind(ck, params->at[k].type, type_of(ck, args->vals[at[k]]), &d->fn.type_params,
                      env);
    ck->fn->types = *env;
    /* Plain parameters first, so that a shape may name any of them. */
    int first = ck->locals.len;
    for (int k = 0; k < params->len; k++) {
        Val v = at[k] >= 0 ? args->vals[at[k]] : (Val){0};
        Name name = params->at[k].name ? params->at[k].name : ck_name(ck, "_");
        int local = local_add(ck, name, v, params->at[k].span, false);
        ck->locals.at[local].used = true;
    }
    for (int k = 0; k < params->len; k++) {
        if (at[k] >= 0 && params->at[k].type && params->at[k].type->kind != TE_NAME)
            continue;
        Val v = param_value(ck, d, &params->at[k], args, at[k], env);
        ck->locals.at[first + k].val = v;
    }
    for (int k = 0; k < params->len; k++) {
        if (!(at[k] >= 0 && params->at[k].type && params->at[k].type->kind != TE_NAME))
            continue;
        Val v = param_value(ck, d, &params->at[k], args, at[k], env);
        ck->locals.at[first + k].val = v;
    }
    for (int k = 0; k < params->len; k++)
        note_local(ck, params->at[k].pattern->span, ck->locals.at[first + k].val);
}

bool has_fn_type(const TypeExpr *te) {
    return te && (te->kind == TE_FN || (te->kind == TE_ARRAY && has_fn_type(te->array.elem)));
}

static const char *frame_text(Checker *ck, const Decl *d, const Args *args) {
    return arena_printf(ck->arena, "`%s` for (%s)", d->name ? d->name : "?", args_text(ck, args));
}

/* Too deep, or arguments too large? Reports what grows. */
/* Counts the calls that are evaluated for one outermost call: each function of a chain that calls the
   next one twice doubles them. */
static bool too_many(Checker *ck, Span span) {
    if (ck->depth == 0)
        ck->calls = 0;
    if (++ck->calls == MAX_CALLS)
        ck_error(ck, DIAG_TOO_LARGE, span, "this call grows to more than %d calls when compiled",
                 MAX_CALLS);
    return ck->calls >= MAX_CALLS;
}

bool too_deep(Checker *ck, const Decl *d, const Args *args) {
    if (too_many(ck, args->span))
        return true;
    int same = 0, parts = 0;
    for (Frame *f = ck->frames; f; f = f->outer)
        same += f->decl == d;
    for (int i = 0; i < args->n && same > 1; i++)
        parts += parts_of(ck, type_of(ck, args->vals[i]), MAX_PARTS);
    if (same < MAX_SAME && ck->depth < MAX_DEPTH && parts < MAX_PARTS)
        return false;
    Diag *e = ck_error(ck, DIAG_RECURSION_GROWS, args->span,
                       "calls of %s nest without an end while compiling", d->name);
    if (parts < 20)
        diag_note(ck->diags, e, "each call has other argument types or constants: %s",
                  args_text(ck, args));
    return true;
}

/* Binds the parameters and evaluates the body where the builder stands. */
Val evaluate_callee(Checker *ck, const Decl *d, const Args *args, const int *at,
                           const TypeEnv *env) {
    const Decl *actor = d->owner;
    Frame frame = {.outer = ck->frames, .text = frame_text(ck, d, args), .call = args->span,
                   .decl = d};
    FnCtx ctx = {.outer = ck->fn, .decl = d, .what = d->kind == DECL_DAG ? "dag" : "fn",
                 .module = d->module, .types = env, .base = ck->locals.len, .returned = -1,
                 .retval = -1, .brk = -1, .cont = -1, .actor = actor};
    ctx.effects = ck->fn && ck->fn->effects && d->kind != DECL_DAG && !d->module->is_prelude &&
                  !find_attr(&d->attrs, "shared");
    if (actor && ck->fn) /* a helper sees its actor's state, which the handler has in scope */
        ctx.base = ck->fn->base;
    bool fast = ck->b.fast;
    ck->b.fast |= find_attr(&d->attrs, "fast") != NULL;
    Span called_at = ck->called_at;
    if (d->module->is_stdlib && ck->fn && !ck->fn->module->is_stdlib)
        ck->called_at = args->span;
    ck->frames = &frame;
    ck->fn = &ctx;
    ck->depth++;
    int locals = ck->locals.len;
    bind_params(ck, d, args, at, &env);
    if (d->fn.result && !has_fn_type(d->fn.result))
        ctx.result = eval_type(ck, d->fn.result);
    int checks = ctx.checks.len; /* of the parameters */
    Val v = check_body(ck, d->fn.body, d->fn.body->span);
    for (int i = 0; i < checks && !is_poison(ck, v) && type_is_flat(type_of(ck, v)); i++)
        v.id = ir_check(&ck->b, v.id, ctx.checks.at[i].cond, ctx.checks.at[i].fault,
                        ctx.checks.at[i].nums, 2);
    if (d->fn.result && !is_poison(ck, v))
        v = coerce_written(ck, v, d->fn.result, d->fn.body->span, false,
                           arena_printf(ck->arena, "the result of %s", d->name));
    ck->depth--;
    ck->locals.len = locals;
    ck->fn = ctx.outer;
    ck->frames = frame.outer;
    ck->b.fast = fast;
    ck->called_at = called_at;
    return v;
}

/* ---- overloads ---- */

typedef struct {
    const Decl *best;
    int score;
    const Decl *tie;
} Choice;

static void consider(Checker *ck, Decl *const *decls, int n, const Args *args, Choice *c) {
    for (int i = 0; i < n; i++) {
        int s = score(ck, decls[i], args);
        if (s < 0)
            continue;
        if (!c->best || s > c->score)
            *c = (Choice){decls[i], s, NULL};
        else if (s == c->score)
            c->tie = decls[i];
    }
}

typedef struct {
    const Decl *decl;
    Args *args;
} LiftCall;

static Val lifted_call(Checker *ck, Val *vals, int n, void *ctx) {
    LiftCall *l = ctx;
    Args args = *l->args;
    args.vals = vals;
    args.n = n;
    return inline_decl(ck, l->decl, &args, NULL);
}

static Val no_overload(Checker *ck, const FnSet *set, Args *args) {
    VEC(const Decl *) all = {0};
    for (int i = 0; i < set->own.len; i++)
        vec_push(ck->arena, &all, set->own.at[i]);
    for (int i = 0; i < set->imported.len; i++)
        vec_push(ck->arena, &all, set->imported.at[i]);
    for (int i = 0; i < set->prelude.len; i++)
        vec_push(ck->arena, &all, set->prelude.at[i]);
    if (all.len == 1 && !set->builtin)
        return inline_decl(ck, all.at[0], args, NULL); /* reports what does not fit */
    VEC(const Decl *) placed = {0};
    for (int i = 0; i < all.len; i++) {
        int at[64];
        if (params_of(all.at[i])->len < 64 && place_args(all.at[i], args, at))
            vec_push(ck->arena, &placed, all.at[i]);
    }
    if (placed.len == 1 && !set->builtin && !all.at[0]->module->is_prelude)
        return inline_decl(ck, placed.at[0], args, NULL);
    Diag *d = ck_error(ck, DIAG_NO_OVERLOAD, args->span, "no %s takes (%s)", set->name,
                       args_text(ck, args));
    for (int i = 0; i < all.len && i < 6; i++)
        diag_note(ck->diags, d, "there is %s", signature(ck, all.at[i]));
    if (set->builtin && set->builtin->signature)
        diag_note(ck->diags, d, "there is %s", set->builtin->signature);
    return val_poison(ck);
}

static Val try_elementwise(Checker *ck, Decl *const *decls, int n, Args *args, bool *done) {
    for (int i = 0; i < n; i++)
        if (fits_elementwise(ck, decls[i], args)) {
            LiftCall l = {decls[i], args};
            *done = true;
            return lift(ck, lifted_call, args->vals, args->spans, args->n, &l, args->span);
        }
    return (Val){0};
}

static Val operator_call(Checker *ck, const FnSet *set, Args *args) {
    if (args->n == 2)
        return apply_binary(ck, set->op, args->vals[0], args->vals[1], args->span, args->spans[0],
                            args->spans[1]);
    if (args->n == 1 && (set->op == OP_SUB || set->op == OP_NEG))
        return apply_unary(ck, OP_NEG, args->vals[0], args->span);
    return ck_fail(ck, DIAG_ARGUMENTS, args->span, "operator %s takes 2 arguments, not %d",
                   set->name, args->n);
}

/* (x, y) passed to a function of two parameters: taken apart. */
static bool spread_tuple(Checker *ck, Args *args) {
    Type *type = args->n == 1 ? type_of(ck, args->vals[0]) : NULL;
    if (!type || type->kind != TYPE_TUPLE || type->count < 2)
        return false;
    Args wide = args_make(ck, type->count, args->span);
    for (int k = 0; k < type->count; k++) {
        wide.vals[k] = get_member(ck, args->vals[0], k);
        wide.spans[k] = args->spans[0];
    }
    *args = wide;
    return true;
}

static Val ambiguous(Checker *ck, const Choice *c, const Args *args) {
    Diag *d = ck_error(ck, DIAG_AMBIGUOUS, args->span, "this call fits two overloads equally well");
    diag_span(ck->diags, d, c->best->name_span, "%s", signature(ck, c->best));
    diag_span(ck->diags, d, c->tie->name_span, "%s", signature(ck, c->tie));
    return val_poison(ck);
}

static bool user_op_decl(const FnSet *set) {
    return set->own.len || set->imported.len || set->prelude.len;
}

static Val call_typename(Checker *ck, Type *to, Args *args) {
    if (args->n != 1)
        return ck_fail(ck, DIAG_ARGUMENTS, args->span, "a conversion takes one argument, not %d",
                       args->n);
    if (to->kind == TYPE_STRING) {
        const Builtin *format = builtin_find("__format");
        return format->call(ck, format, args);
    }
    return convert_scalar(ck, args->vals[0], to, args->span);
}

/* The overload that fits best: of the file, else of its imports, else of the prelude. */
static Choice choose_overload(Checker *ck, const FnSet *set, const Args *args) {
    Choice c = {0};
    consider(ck, set->own.at, set->own.len, args, &c);
    if (!c.best)
        consider(ck, set->imported.at, set->imported.len, args, &c);
    if (!c.best)
        consider(ck, set->prelude.at, set->prelude.len, args, &c);
    return c;
}

bool fnset_fits(Checker *ck, const FnSet *set, Args *args) {
    return choose_overload(ck, set, args).best != NULL;
}

Val call_fnset(Checker *ck, const FnSet *set, Args *args) {
    for (int i = 0; i < args->n; i++)
        if (is_poison(ck, args->vals[i]))
            return val_poison(ck);
    if (set->is_ctor)
        return construct(ck, set->own.at[0], set->ctor, args);
    Choice c = choose_overload(ck, set, args);
    if (c.tie)
        return ambiguous(ck, &c, args);
    if (c.best)
        return inline_decl(ck, c.best, args, NULL);
    if (set->builtin && args->n >= set->builtin->min && args->n <= set->builtin->max)
        return set->builtin->call(ck, set->builtin, args);
    if (set->scalar && args->n == 1)
        return call_typename(ck, set->scalar, args);
    bool done = false;
    Val v = try_elementwise(ck, set->own.at, set->own.len, args, &done);
    if (!done)
        v = try_elementwise(ck, set->imported.at, set->imported.len, args, &done);
    if (!done)
        v = try_elementwise(ck, set->prelude.at, set->prelude.len, args, &done);
    if (done)
        return v;
    if (set->is_operator && !(user_op_decl(set) && args->n == 1))
        return operator_call(ck, set, args);
    Args wide = *args;
    if (spread_tuple(ck, &wide)) {
        Choice w = {0};
        consider(ck, set->own.at, set->own.len, &wide, &w);
        consider(ck, set->imported.at, set->imported.len, &wide, &w);
        consider(ck, set->prelude.at, set->prelude.len, &wide, &w);
        bool fits_builtin = set->builtin && wide.n >= set->builtin->min &&
                            wide.n <= set->builtin->max && args->n < set->builtin->min;
        if (w.best || fits_builtin)
            return call_fnset(ck, set, &wide);
    }
    return no_overload(ck, set, args);
}

/* ---- values that are called ---- */

static Val call_closure(Checker *ck, Val fn, Type *type, Args *args) {
    const Lambda *l = type->code;
    const ParamList *params = &l->expr->lambda.params;
    if (params->len > 1 && args->n == 1)
        spread_tuple(ck, args);
    if (params->len != args->n)
        return ck_fail(ck, DIAG_ARGUMENTS, args->span,
                       "this function takes %d argument%s, not %d", params->len,
                       params->len == 1 ? "" : "s", args->n);
    if (too_many(ck, args->span))
        return val_poison(ck);
    if (ck->depth >= MAX_DEPTH)
        return ck_fail(ck, DIAG_RECURSION_GROWS, args->span,
                       "calls of this function nest without an end while compiling");
    Frame frame = {.outer = ck->frames, .text = "a lambda", .call = args->span};
    frame.text = arena_printf(ck->arena, "a lambda for (%s)", args_text(ck, args));
    FnCtx ctx = {.outer = ck->fn, .decl = ck->fn ? ck->fn->decl : NULL, .what = "lambda",
                 .module = l->module, .types = l->types, .base = ck->locals.len, .returned = -1,
                 .retval = -1, .brk = -1, .cont = -1, .is_lambda = true,
                 .effects = ck->fn && ck->fn->effects,
                 .actor = ck->fn ? ck->fn->actor : NULL};
    int locals = ck->locals.len;
    Span called_at = ck->called_at;
    if (!l->module->is_stdlib)
        ck->called_at = (Span){0};
    for (int i = 0; i < l->count; i++)
        local_add(ck, l->names[i], get_member(ck, fn, i), l->expr->span, false);
    ck->frames = &frame;
    ck->fn = &ctx;
    ck->depth++;
    for (int k = 0; k < params->len; k++) {
        Val v = args->vals[k];
        if (params->at[k].type)
            v = coerce_written(ck, v, params->at[k].type, args->spans[k], true, "this argument");
        bind_pattern(ck, params->at[k].pattern, v, false);
    }
    Val v = check_body(ck, l->expr->lambda.body, l->expr->lambda.body->span);
    ck->depth--;
    ck->fn = ctx.outer;
    ck->frames = frame.outer;
    ck->locals.len = locals;
    ck->called_at = called_at;
    return v;
}

static Val call_choice(Checker *ck, Val fn, Type *type, Args *args, int k) {
    Val closure = val(type->ctors[k].items[0], ir_payload(&ck->b, fn.id, k, 0));
    if (k == type->nctors - 1)
        return call_value(ck, closure, args);
    IrId here = ir_binary(&ck->b, IR_EQ, ir_tag(&ck->b, fn.id),
                          ir_int(&ck->b, basic(ck, TYPE_I64), k));
    Fork f = fork_begin(ck);
    Branch then, otherwise;
    Args again = *args;
    branch_begin(ck, &f, &then);
    branch_end(ck, &f, &then, call_value(ck, closure, &again));
    again = *args;
    branch_begin(ck, &f, &otherwise);
    branch_end(ck, &f, &otherwise, call_choice(ck, fn, type, &again, k + 1));
    return fork_join(ck, &f, here, &then, &otherwise, true, args->span);
}

Val call_value(Checker *ck, Val fn, Args *args) {
    Type *type = type_of(ck, fn);
    switch ((int)type->kind) {
    case TYPE_POISON: return fn;
    case TYPE_FNSET: return call_fnset(ck, type->code, args);
    case TYPE_CLOSURE: return call_closure(ck, fn, type, args);
    case TYPE_CHOICE: return call_choice(ck, fn, type, args, 0);
    case TYPE_TYPENAME: return call_typename(ck, type->elem, args);
    default: {
        Diag *d = ck_error(ck, DIAG_NOT_CALLABLE, args->span, "%s is no function",
                           text_of(ck, type));
        if (type->kind == TYPE_ARRAY)
            diag_help(ck->diags, d, "an element is a[i], in brackets");
        return val_poison(ck);
    }
    }
}

Val call_vals(Checker *ck, Val fn, Val *vals, int n, Span span) {
    Args args = args_make(ck, n, span);
    for (int i = 0; i < n; i++)
        args.vals[i] = vals[i];
    return call_value(ck, fn, &args);
}

/* ---- call and pipe expressions ---- */

static Args eval_args(Checker *ck, const ArgList *list, int extra, Span span) {
    Args args = args_make(ck, list->len + extra, span);
    for (int i = 0; i < list->len; i++) {
        const Arg *a = &list->at[i];
        args.names[i + extra] = a->name;
        args.spans[i + extra] = a->value->span;
        args.exprs[i + extra] = a->value;
        args.vals[i + extra] = check_expr(ck, a->value);
    }
    return args;
}

Val check_call(Checker *ck, const Expr *e) {
    Val fn = check_expr(ck, e->call.fn);
    Args args = eval_args(ck, &e->call.args, 0, e->span);
    if (is_poison(ck, fn))
        return fn;
    return call_value(ck, fn, &args);
}

static Args pipe_args(Checker *ck, Val x, const Expr *call, Span xspan) {
    const ArgList *list = &call->call.args;
    bool hole = false;
    for (int i = 0; i < list->len; i++)
        hole |= list->at[i].value->kind == EXPR_HOLE;
    if (!hole) {
        Args args = eval_args(ck, list, 1, call->span);
        args.vals[0] = x;
        args.spans[0] = xspan;
        return args;
    }
    Args args = args_make(ck, list->len, call->span);
    for (int i = 0; i < list->len; i++) {
        const Expr *value = list->at[i].value;
        args.names[i] = list->at[i].name;
        args.spans[i] = value->kind == EXPR_HOLE ? xspan : value->span;
        args.vals[i] = value->kind == EXPR_HOLE ? x : check_expr(ck, value);
    }
    return args;
}

Val check_pipe(Checker *ck, const Expr *e) {
    Val x = check_expr(ck, e->pipe.lhs);
    const Expr *rhs = e->pipe.rhs;
    if (rhs->kind == EXPR_CALL) {
        Val fn = check_expr(ck, rhs->call.fn);
        Args args = pipe_args(ck, x, rhs, e->pipe.lhs->span);
        args.span = rhs->span;
        return is_poison(ck, fn) ? fn : call_value(ck, fn, &args);
    }
    Val fn = check_expr(ck, rhs);
    if (is_poison(ck, fn) || is_poison(ck, x))
        return val_poison(ck);
    Args args = args_make(ck, 1, e->span);
    args.vals[0] = x;
    args.spans[0] = e->pipe.lhs->span;
    return call_value(ck, fn, &args);
}
