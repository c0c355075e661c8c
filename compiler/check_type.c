/* Types as written: evaluation, how well arguments fit them, binding of type parameters and sizes,
   and conversion of values to them. */
#include "check.h"

#include <string.h>

/* ---- environments and nominal types ---- */

const TypeEnv *type_env(Checker *ck, const TypeEnv *next, Name name, Type *type) {
    type = type_resolve(ck->ts, type);
    for (int i = 0; i < ck->type_envs.len; i++) {
        const TypeEnv *e = ck->type_envs.at[i];
        if (e->next == next && e->name == name && e->type == type)
            return e;
    }
    TypeEnv *e = NEW(ck->arena, TypeEnv);
    *e = (TypeEnv){name, type, next};
    vec_push(ck->arena, &ck->type_envs, e);
    return e;
}

static Type *env_lookup(const TypeEnv *env, Name name) {
    for (; env; env = env->next)
        if (env->name == name)
            return env->type;
    return NULL;
}

bool is_view_record(const Type *type) {
    return type->kind == TYPE_RECORD && type->decl && find_attr(&type->decl->attrs, "view");
}

/* Evaluates te in the file of `decl` with its type parameters standing for args. */
static Type *eval_member(Checker *ck, const Decl *decl, const TypeEnv *env, const TypeExpr *te) {
    FnCtx ctx = {.outer = ck->fn, .decl = decl, .module = decl->module, .types = env,
                 .returned = -1, .retval = -1, .brk = -1, .cont = -1, .base = ck->locals.len};
    ck->fn = &ctx;
    Type *type = eval_type(ck, te);
    ck->fn = ctx.outer;
    return type;
}

static const TypeEnv *decl_env(Checker *ck, const Decl *decl, Type **args) {
    const NameList *params =
        decl->kind == DECL_ACTOR ? &decl->actor.type_params : &decl->type.params;
    const TypeEnv *env = NULL;
    for (int i = 0; i < params->len; i++)
        env = type_env(ck, env, params->at[i], args[i]);
    return env;
}

static void fill_record(Checker *ck, Type *type, const Decl *decl, const TypeEnv *env) {
    int n = decl->type.fields.len;
    type->items = NEW_ARRAY(ck->arena, Type *, n + 1);
    type->names = NEW_ARRAY(ck->arena, Name, n + 1);
    type->count = n;
    for (int i = 0; i < n; i++)
        type->items[i] = basic(ck, TYPE_POISON); /* while the members are evaluated */
    for (int i = 0; i < n; i++) {
        type->names[i] = decl->type.fields.at[i].name;
        type->items[i] = eval_member(ck, decl, env, decl->type.fields.at[i].type);
        type->has_closure |= type->items[i]->has_closure;
    }
    type_count(type);
}

static void fill_sum(Checker *ck, Type *type, const Decl *decl, const TypeEnv *env) {
    int n = decl->type.ctors.len;
    type->ctors = NEW_ARRAY(ck->arena, TypeCtor, n + 1);
    type->nctors = n;
    for (int i = 0; i < n; i++) {
        const Ctor *c = &decl->type.ctors.at[i];
        TypeCtor *out = &type->ctors[i];
        *out = (TypeCtor){.name = c->name, .count = c->payload.len,
                          .items = NEW_ARRAY(ck->arena, Type *, c->payload.len + 1),
                          .names = NEW_ARRAY(ck->arena, Name, c->payload.len + 1)};
        for (int k = 0; k < c->payload.len; k++) {
            out->names[k] = c->payload.at[k].name;
            out->items[k] = eval_member(ck, decl, env, c->payload.at[k].type);
            type->has_closure |= out->items[k]->has_closure;
        }
    }
    type_count(type);
}

static bool mentions(const Type *type, const Decl *decl, int depth) {
    if (depth > 12)
        return false;
    if (type->decl == decl && type->kind != TYPE_ACTOR)
        return true;
    for (int i = 0; i < type->count; i++)
        if (mentions(type->items[i], decl, depth + 1))
            return true;
    for (int i = 0; i < type->nctors; i++)
        for (int k = 0; k < type->ctors[i].count; k++)
            if (mentions(type->ctors[i].items[k], decl, depth + 1))
                return true;
    return type->elem && mentions(type->elem, decl, depth + 1);
}

static void refuse_recursion(Checker *ck, Type *type, const Decl *decl) {
    for (int i = 0; i < type->nargs; i++)
        if (mentions(type->args[i], decl, 0))
            return; /* Pair[Pair[i64]]: the inner one was looked at */
    for (int i = 0; i < type->count; i++)
        if (mentions(type->items[i], decl, 0)) {
            ck_error(ck, DIAG_RECURSIVE_TYPE, decl->name_span, "type %s contains itself",
                     decl->name);
            type->items[i] = basic(ck, TYPE_POISON);
        }
    for (int i = 0; i < type->nctors; i++)
        for (int k = 0; k < type->ctors[i].count; k++)
            if (mentions(type->ctors[i].items[k], decl, 0)) {
                ck_error(ck, DIAG_RECURSIVE_TYPE, decl->name_span, "type %s contains itself",
                         decl->name);
                type->ctors[i].items[k] = basic(ck, TYPE_POISON);
            }
}

enum { MAX_TYPE_DEPTH = 64 };

static Type *endless_type(Checker *ck, const Decl *decl) {
    ck_error(ck, DIAG_RECURSIVE_TYPE, decl->name_span, "type %s contains itself", decl->name);
    return basic(ck, TYPE_POISON);
}

Type *nominal_instance(Checker *ck, const Decl *decl, Type **args, int nargs) {
    TypeKind kind = decl->kind == DECL_ACTOR                ? TYPE_ACTOR
                    : decl->type.kind == TYPEDEF_SUM ? TYPE_SUM : TYPE_RECORD;
    for (int i = 0; i < nargs; i++)
        args[i] = type_resolve(ck->ts, args[i]);
    Type *type = type_nominal(ck->ts, kind, (Decl *)decl, args, nargs);
    if (kind == TYPE_ACTOR || type->items || type->ctors)
        return type;
    if (ck->type_depth >= MAX_TYPE_DEPTH)
        return endless_type(ck, decl);
    const TypeEnv *env = decl_env(ck, decl, args);
    ck->type_depth++;
    if (kind == TYPE_SUM)
        fill_sum(ck, type, decl, env);
    else
        fill_record(ck, type, decl, env);
    ck->type_depth--;
    refuse_recursion(ck, type, decl);
    return type;
}

/* ---- written types ---- */

static TypeKind basic_named(Name name) {
    static const char *const spellings[] = {
#define TYPE(id, spelling, bytes, flags, doc) [TYPE_##id] = spelling,
#include "../lang/types.def"
    };
    for (int i = 0; i < ARRAY_LEN(spellings); i++)
        if (!strcmp(spellings[i], name))
            return (TypeKind)i;
    return TYPE_KIND_COUNT;
}

static Type *eval_named(Checker *ck, const TypeExpr *te) {
    Name name = te->name.name;
    if (!te->name.module) {
        Type *bound = ck->fn ? env_lookup(ck->fn->types, name) : NULL;
        if (bound)
            return bound;
        if (!strcmp(name, "_"))
            return literal_var(ck, VAR_ANY, te->span);
    }
    Decl *decl = te->name.module || basic_named(name) == TYPE_KIND_COUNT
                     ? find_type_decl(ck, te->name.module, name, te->span)
                     : NULL;
    if (!decl) {
        TypeKind kind = te->name.module ? TYPE_KIND_COUNT : basic_named(name);
        if (kind != TYPE_KIND_COUNT && te->name.args.len)
            ck_error(ck, DIAG_TYPE_ARGUMENTS, te->span, "%s takes no type arguments", name);
        return basic(ck, kind == TYPE_KIND_COUNT ? TYPE_POISON : kind);
    }
    const NameList *params =
        decl->kind == DECL_ACTOR ? &decl->actor.type_params : &decl->type.params;
    if (params->len != te->name.args.len) {
        ck_error(ck, DIAG_TYPE_ARGUMENTS, te->span, "%s takes %d type argument%s, not %d", name,
                 params->len, params->len == 1 ? "" : "s", te->name.args.len);
        return basic(ck, TYPE_POISON);
    }
    Type **args = NEW_ARRAY(ck->arena, Type *, params->len + 1);
    for (int i = 0; i < params->len; i++)
        args[i] = eval_type(ck, te->name.args.at[i]);
    if (decl->kind == DECL_TYPE && decl->type.kind == TYPEDEF_ALIAS) {
        if (ck->type_depth >= MAX_TYPE_DEPTH)
            return endless_type(ck, decl);
        ck->type_depth++;
        Type *type = eval_member(ck, decl, decl_env(ck, decl, args), decl->type.alias);
        ck->type_depth--;
        return type;
    }
    return nominal_instance(ck, decl, args, params->len);
}

/* Does [..]E keep rows of one size? E's own sizes are all written, none is left open. */
static bool has_open_dim(const TypeExpr *te) {
    for (int i = 0; i < te->array.dims.len; i++)
        if (te->array.dims.at[i]->kind == EXPR_HOLE)
            return true;
    return false;
}

static Type *eval_array(Checker *ck, const TypeExpr *te) {
    Type *elem = eval_type(ck, te->array.elem);
    int rank = te->array.dims.len;
    if (elem->kind == TYPE_ARRAY &&
        (te->array.elem->kind != TE_ARRAY || !has_open_dim(te->array.elem)) &&
        te->array.elem->kind == TE_ARRAY)
        return type_array(ck->ts, elem->elem, rank + elem->rank);
    return type_array(ck->ts, elem, rank);
}

static Type *eval_tuple(Checker *ck, const TypeExpr *te) {
    int n = te->tuple.len;
    if (n == 1 && !te->tuple.at[0].name)
        return eval_type(ck, te->tuple.at[0].type);
    Type **items = NEW_ARRAY(ck->arena, Type *, n + 1);
    Name *names = NEW_ARRAY(ck->arena, Name, n + 1);
    for (int i = 0; i < n; i++) {
        items[i] = eval_type(ck, te->tuple.at[i].type);
        names[i] = te->tuple.at[i].name;
        if (items[i]->kind == TYPE_POISON) /* reported, as the same members would be again */
            return items[i];
    }
    return type_tuple(ck->ts, items, names, n);
}

bool type_too_large(Checker *ck, const Type *type, Span span) {
    if (type->parts <= TYPE_MOST_PARTS)
        return false;
    ck_error(ck, DIAG_TOO_LARGE, span, "this type has more than %d parts", TYPE_MOST_PARTS);
    return true;
}

static Type *eval_kind(Checker *ck, const TypeExpr *te) {
    switch (te->kind) {
    case TE_NAME: return eval_named(ck, te);
    case TE_ARRAY: return eval_array(ck, te);
    case TE_TUPLE: return eval_tuple(ck, te);
    case TE_FN:
        ck_error(ck, DIAG_CLOSURE_ESCAPES, te->span,
                 "a function type can only stand in a parameter's type");
        return basic(ck, TYPE_POISON);
    }
    UNREACHABLE();
}

Type *eval_type(Checker *ck, const TypeExpr *te) {
    Type *type = eval_kind(ck, te);
    return type_too_large(ck, type, te->span) ? basic(ck, TYPE_POISON) : type;
}

/* ---- fitting arguments ---- */

bool is_generic(const NameList *generics, const TypeExpr *te) {
    if (te->kind != TE_NAME || te->name.module || te->name.args.len)
        return false;
    if (!strcmp(te->name.name, "_"))
        return true;
    for (int i = 0; generics && i < generics->len; i++)
        if (generics->at[i] == te->name.name)
            return true;
    return false;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

static int fit_named(Checker *ck, const TypeExpr *te, Type *type, const NameList *generics) {
    TypeKind kind = te->name.module ? TYPE_KIND_COUNT : basic_named(te->name.name);
    if (ck->fn && !te->name.module && env_lookup(ck->fn->types, te->name.name))
        return type_unify(ck->ts, env_lookup(ck->fn->types, te->name.name), type) ? 3 : 0;
    if (kind != TYPE_KIND_COUNT) {
        if (type->kind == TYPE_VAR) {
            Type *want = basic(ck, kind);
            bool takes = type->var == VAR_ANY || (type->var == VAR_INT && type_is_number(want)) ||
                         (type->var == VAR_FLOAT && type_is_float(want));
            return takes ? 2 : 0;
        }
        return type->kind == kind ? 3 : 0;
    }
    Decl *decl = find_type_decl(ck, te->name.module, te->name.name, te->span);
    if (!decl)
        return 0;
    if (decl->kind == DECL_TYPE && decl->type.kind == TYPEDEF_ALIAS) {
        FnCtx ctx = {.outer = ck->fn, .module = decl->module, .base = ck->locals.len,
                     .returned = -1, .retval = -1, .brk = -1, .cont = -1};
        ck->fn = &ctx;
        int fit = type_fit(ck, decl->type.alias, type, &decl->type.params);
        ck->fn = ctx.outer;
        return fit;
    }
    if (type->kind == TYPE_VAR)
        return type->var == VAR_ANY ? 2 : 0;
    if (type->decl != decl)
        return 0;
    int fit = 3;
    for (int i = 0; i < te->name.args.len && i < type->nargs; i++)
        fit = least(fit, type_fit(ck, te->name.args.at[i], type->args[i], generics));
    return fit;
}

/* Functions of different types in a tuple are a list of choices. */
static bool is_tuple_of_functions(Checker *ck, const Type *type) {
    bool all = type->kind == TYPE_TUPLE && type->count;
    for (int i = 0; all && i < type->count; i++)
        all = is_function(type_resolve(ck->ts, type->items[i]));
    return all;
}

static int fit_array(Checker *ck, const TypeExpr *te, Type *type, const NameList *generics) {
    int rank = te->array.dims.len;
    if (type->kind == TYPE_VAR)
        return type->var == VAR_ANY ? 2 : 0;
    if (is_view_record(type))
        return least(1, type_fit(ck, te, type_resolve(ck->ts, type->items[0]), generics));
    if (rank == 1 && is_tuple_of_functions(ck, type))
        return is_generic(generics, te->array.elem);
    if (type->kind == TYPE_TUPLE && type->count && rank == 1) {
        int fit = 1;
        for (int i = 0; i < type->count; i++) {
            if (!type_unify(ck->ts, type->items[0], type->items[i]))
                return 0;
            fit = least(fit, type_fit(ck, te->array.elem, type_resolve(ck->ts, type->items[i]),
                                      generics));
        }
        return fit;
    }
    if (type->kind != TYPE_ARRAY || rank > type->rank)
        return 0;
    Type *elem = rank == type->rank ? type_resolve(ck->ts, type->elem)
                                    : type_array(ck->ts, type->elem, type->rank - rank);
    return type_fit(ck, te->array.elem, elem, generics);
}

int type_fit(Checker *ck, const TypeExpr *te, Type *type, const NameList *generics) {
    type = type_resolve(ck->ts, type);
    if (!te || is_generic(generics, te))
        return 1;
    if (type->kind == TYPE_POISON)
        return 3;
    switch (te->kind) {
    case TE_NAME: return fit_named(ck, te, type, generics);
    case TE_ARRAY: return fit_array(ck, te, type, generics);
    case TE_TUPLE: {
        if (te->tuple.len == 1 && !te->tuple.at[0].name)
            return type_fit(ck, te->tuple.at[0].type, type, generics);
        if (type->kind != TYPE_TUPLE || type->count != te->tuple.len)
            return 0;
        int fit = 3;
        for (int i = 0; i < type->count; i++)
            fit = least(fit, type_fit(ck, te->tuple.at[i].type, type->items[i], generics));
        return fit;
    }
    case TE_FN: {
        bool any;
        if (!is_function(type))
            return 0;
        int arity = function_arity(ck, type, &any);
        return any ? 1 : arity == te->fn.params.len ? 3 : 0;
    }
    }
    UNREACHABLE();
}

static bool bound_here(const TypeEnv *env, Name name) {
    return env_lookup(env, name) != NULL;
}

void type_bind(Checker *ck, const TypeExpr *te, Type *type, const NameList *generics,
               const TypeEnv **env) {
    type = type_resolve(ck->ts, type);
    if (!te)
        return;
    if (is_generic(generics, te)) {
        if (strcmp(te->name.name, "_") && !bound_here(*env, te->name.name))
            *env = type_env(ck, *env, te->name.name, type);
        return;
    }
    switch (te->kind) {
    case TE_NAME:
        for (int i = 0; i < te->name.args.len && i < type->nargs; i++)
            type_bind(ck, te->name.args.at[i], type->args[i], generics, env);
        return;
    case TE_ARRAY:
        if (is_view_record(type))
            type = type_resolve(ck->ts, type->items[0]);
        if (type->kind == TYPE_TUPLE && type->count)
            type_bind(ck, te->array.elem, type->items[0], generics, env);
        if (type->kind == TYPE_ARRAY && te->array.dims.len <= type->rank)
            type_bind(ck, te->array.elem,
                      te->array.dims.len == type->rank
                          ? type->elem
                          : type_array(ck->ts, type->elem, type->rank - te->array.dims.len),
                      generics, env);
        return;
    case TE_TUPLE:
        if (te->tuple.len == 1 && !te->tuple.at[0].name)
            type_bind(ck, te->tuple.at[0].type, type, generics, env);
        else if (type->kind == TYPE_TUPLE)
            for (int i = 0; i < te->tuple.len && i < type->count; i++)
                type_bind(ck, te->tuple.at[i].type, type->items[i], generics, env);
        return;
    case TE_FN: return;
    }
    UNREACHABLE();
}

/* ---- conversion ---- */

static Val row_body(Checker *ck, const IrId *at, void *ctx) {
    return element(ck, *(Val *)ctx, at[0]);
}

/* The elements, or rows, of an array converted one by one. */
static Val convert_elements(Checker *ck, Val v, Type *want, SinkKind sink, bool *ok) {
    IrId n = ck_dim(ck, v.id, 0);
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    IrId i = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    Val row = row_body(ck, &i, &v);
    row = convert_to(ck, row, want->elem, ok);
    vec_push(ck->arena, &body->results, row.id);
    ck->b.region = outer;
    return val(want, ir_kernel(&ck->b, 1, &n, body, sink, 0, NULL, 0, NULL));
}

static Val tuple_to_list(Checker *ck, Val v, Type *from, Type *want, bool *ok) {
    IrId *ids = NEW_ARRAY(ck->arena, IrId, from->count + 1);
    for (int i = 0; i < from->count; i++) {
        Val item = convert_to(ck, get_member(ck, v, i), want->elem, ok);
        if (!*ok)
            return v;
        if (is_poison(ck, item))
            return item;
        ids[i] = item.id;
    }
    return val(want, ir_list(&ck->b, want, ids, from->count));
}

/* A member that is an error stays one, whatever is wanted. */
static Val tuple_to_tuple(Checker *ck, Val v, Type *from, Type *want, bool *ok) {
    IrId *ids = NEW_ARRAY(ck->arena, IrId, from->count + 1);
    Type **types = NEW_ARRAY(ck->arena, Type *, from->count + 1);
    bool poisoned = false;
    for (int i = 0; i < from->count; i++) {
        Val item = convert_to(ck, get_member(ck, v, i), want->items[i], ok);
        if (!*ok)
            return v;
        ids[i] = item.id;
        types[i] = is_poison(ck, item) ? item.type : want->items[i];
        poisoned = poisoned || types[i] != want->items[i];
    }
    Type *type = poisoned ? type_tuple(ck->ts, types, want->names, from->count) : want;
    return val(type, ir_tuple(&ck->b, type, ids, from->count));
}

static Val to_choice(Checker *ck, Val v, Type *from, Type *want, bool *ok) {
    for (int i = 0; i < want->nctors; i++)
        if (type_unify(ck->ts, from, want->ctors[i].items[0]))
            return val(want, ir_variant(&ck->b, want, i, &v.id, 1));
    for (int i = 0; i < want->nctors; i++) { /* an alternative of an alternative */
        Type *inner = type_resolve(ck->ts, want->ctors[i].items[0]);
        bool fits = inner->kind == TYPE_CHOICE;
        Val part = fits ? to_choice(ck, v, from, inner, &fits) : v;
        if (fits)
            return val(want, ir_variant(&ck->b, want, i, &part.id, 1));
    }
    *ok = false;
    return v;
}

/* An empty list literal may be an array of any rank or element. */
static bool is_empty_list(Checker *ck, Val v, const Type *from) {
    const IrOp *op = ir_op(ck->b.func, v.id);
    return from->kind == TYPE_ARRAY && op->kind == IR_LIST && op->nargs == 0;
}

static Val convert_array(Checker *ck, Val v, Type *from, Type *want, bool *ok) {
    if (is_empty_list(ck, v, from))
        return val(want, ir_list(&ck->b, want, NULL, 0));
    Type *row = type_resolve(ck->ts, want->elem);
    if (from->rank > want->rank && want->rank == 1 && row->kind == TYPE_ARRAY)
        return convert_elements(ck, v, want, SINK_LIST, ok);
    Type *elem = type_resolve(ck->ts, from->elem);
    if (from->rank == 1 && want->rank == 1 && row->kind == TYPE_CHOICE && is_function(elem) && elem != row)
        return convert_elements(ck, v, want, SINK_MAP, ok);
    *ok = false;
    return v;
}

Val convert_to(Checker *ck, Val v, Type *type, bool *ok) {
    Type *want = type_resolve(ck->ts, type), *from = type_of(ck, v);
    if (from == want || from->kind == TYPE_POISON || want->kind == TYPE_POISON)
        return v;
    if (from->kind == TYPE_TUPLE && want->kind == TYPE_TUPLE && from->count == want->count)
        return type_unify(ck->ts, from, want) ? v : tuple_to_tuple(ck, v, from, want, ok);
    if (from->kind == TYPE_CHOICE && type_unify(ck->ts, from, want))
        return v;
    if (want->kind == TYPE_CHOICE && is_function(from))
        return to_choice(ck, v, from, want, ok);
    if (from->kind == TYPE_ARRAY && want->kind == TYPE_ARRAY && from->rank != want->rank)
        return convert_array(ck, v, from, want, ok);
    if (type_unify(ck->ts, from, want))
        return v;
    if (want->kind == TYPE_ARRAY && from->kind == TYPE_TUPLE && from->count && want->rank == 1)
        return tuple_to_list(ck, v, from, want, ok);
    if (want->kind == TYPE_ARRAY && is_view_record(from))
        return convert_to(ck, get_member(ck, v, 0), want, ok);
    if (want->kind == TYPE_ARRAY && from->kind == TYPE_ARRAY)
        return convert_array(ck, v, from, want, ok);
    *ok = false;
    return v;
}

void report_mismatch(Checker *ck, Type *want, Type *got, Span span, const char *what) {
    want = type_resolve(ck->ts, want);
    got = type_resolve(ck->ts, got);
    if (is_function(want) && is_function(got)) {
        Diag *d = ck_error(ck, DIAG_CLOSURE_ESCAPES, span, "%s is another function", what);
        diag_note(ck->diags, d, "each function has its own type, which a variable keeps");
        diag_help(ck->diags, d, "`if c { f } else { g }` chooses one");
        return;
    }
    Diag *d = ck_error(ck, DIAG_TYPE_MISMATCH, span, "%s should be %s, but this is %s", what,
                       text_of(ck, want), text_of(ck, got));
    diag_label(ck->diags, d, "this is %s", text_of(ck, got));
    if (type_is_number(want) && (type_is_number(got) || got->kind == TYPE_VAR))
        diag_help(ck->diags, d, "%s(…) converts", text_of(ck, want));
    if (want->kind == TYPE_DURATION && type_is_number(got))
        diag_help(ck->diags, d, "durations have a unit: 10us, 5ms, 2s, 3min");
    if (want->kind == TYPE_BOOL && got->kind == TYPE_ARRAY)
        diag_help(ck->diags, d, "all(…) and any(…) make one bool of an array");
    if (want->kind == TYPE_ARRAY && want->rank > 1 && got->kind == TYPE_ARRAY && got->rank == 1 &&
        type_resolve(ck->ts, got->elem)->kind == TYPE_ARRAY)
        diag_help(ck->diags, d, "dense(…) makes a matrix of a list whose rows have one length");
}

Val coerce(Checker *ck, Val v, Type *type, Span span, const char *what) {
    if (!v.type)
        return v;
    bool ok = true;
    Val out = convert_to(ck, v, type, &ok);
    if (ok)
        return out;
    report_mismatch(ck, type, type_of(ck, v), span, what);
    return val_poison(ck);
}

bool join_vals(Checker *ck, Val *a, Val *b) {
    bool ok = true;
    Val v = convert_to(ck, *b, a->type, &ok);
    if (ok) {
        *b = v;
        return true;
    }
    ok = true;
    v = convert_to(ck, *a, b->type, &ok);
    if (ok)
        *a = v;
    return ok;
}

Val as_array(Checker *ck, Val v) {
    Type *type = type_of(ck, v);
    while (is_view_record(type)) {
        v = get_member(ck, v, 0);
        type = type_of(ck, v);
    }
    return v;
}

/* ---- sizes of written types ---- */

/* NAME, NAME + c, NAME - c with an unbound lower-case NAME: binds it from the size. */
static bool bind_size(Checker *ck, const Expr *e, IrId dim) {
    int64_t offset = 0;
    const Expr *name = e;
    if (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB) &&
        e->binary.rhs->kind == EXPR_INT) {
        name = e->binary.lhs;
        offset = (int64_t)e->binary.rhs->integer.value;
        if (e->binary.op == OP_SUB)
            offset = -offset;
    }
    if (name->kind != EXPR_NAME || !(name->name[0] >= 'a' && name->name[0] <= 'z') ||
        local_find(ck, name->name))
        return false;
    if (ck->fn && find_decl(ck, ck->fn->module, name->name, DECL_CONST))
        return false;
    IrId size = dim;
    if (offset)
        size = ir_binary(&ck->b, IR_SUB, dim, ir_int(&ck->b, basic(ck, TYPE_I64), offset));
    int at = local_add(ck, name->name, val(basic(ck, TYPE_I64), size), name->span, false);
    ck->locals.at[at].used = true;
    return true;
}

static void written_dim(Checker *ck, Val v, int axis, const Expr *e, Span span) {
    if (e->kind == EXPR_HOLE)
        return;
    IrId dim = ck_dim(ck, v.id, axis);
    if (bind_size(ck, e, dim))
        return;
    Val size = check_expr(ck, e);
    if (is_poison(ck, size))
        return;
    IrId want = as_index(ck, size, e->span);
    int64_t difference;
    if (ir_difference(ck->b.func, dim, want, &difference) && difference == 0)
        return;
    Buf text = {.arena = ck->arena};
    ast_print_expr(&text, e);
    int64_t na, nb;
    if (ir_const_int(ck->b.func, dim, &na) && ir_const_int(ck->b.func, want, &nb)) {
        const char *is = e->kind == EXPR_INT ? "" : arena_printf(ck->arena, "%s = ", buf_text(&text));
        Diag *d = ck_error(ck, DIAG_SHAPE_MISMATCH, span, "this has size %lld, not %s%lld",
                           (long long)na, is, (long long)nb);
        diag_span(ck->diags, d, e->span, "this size comes from here");
        return;
    }
    if (ir_difference(ck->b.func, dim, want, &difference)) {
        Diag *d = ck_error(ck, DIAG_SHAPE_MISMATCH, span,
                           "this size always differs from %s, by %lld", buf_text(&text),
                           (long long)difference);
        diag_span(ck->diags, d, e->span, "this size comes from here");
        return;
    }
    IrFault *fault = ck_fault(ck, "shape", span, "size {} where %s is {}", buf_text(&text));
    fault->other = e->span;
    fault->other_text = "this size is asked for here";
    IrId same = ir_binary(&ck->b, IR_EQ, dim, want);
    IrId checked = ir_check(&ck->b, want, same, fault, (IrId[]){dim, want}, 2);
    if (ck->fn)
        vec_push(ck->arena, &ck->fn->checks, (SizeCheck){same, fault, {dim, want}});
    ck_assume_checked(ck, v.id, axis, checked);
}

static void written_array(Checker *ck, Val v, const TypeExpr *te, Span span) {
    Val array = as_array(ck, v);
    Type *type = type_of(ck, array);
    if (type->kind != TYPE_ARRAY)
        return;
    int rank = te->array.dims.len;
    for (int i = 0; i < rank && i < type->rank; i++)
        written_dim(ck, array, i, te->array.dims.at[i], span);
    const TypeExpr *inner = te->array.elem;
    for (int done = rank; inner->kind == TE_ARRAY && done < type->rank;) {
        for (int i = 0; i < inner->array.dims.len && done < type->rank; i++, done++)
            written_dim(ck, array, done, inner->array.dims.at[i], span);
        inner = inner->array.elem;
    }
}

/* The declaration of the alias that a written type names, or NULL. */
static const Decl *alias_named(Checker *ck, const TypeExpr *te) {
    Name name = te->name.name;
    bool bound = ck->fn && !te->name.module && (env_lookup(ck->fn->types, name) || !strcmp(name, "_"));
    if (bound || (!te->name.module && basic_named(name) != TYPE_KIND_COUNT))
        return NULL;
    const Decl *decl = find_type_decl(ck, te->name.module, name, te->span);
    return decl && decl->kind == DECL_TYPE && decl->type.kind == TYPEDEF_ALIAS ? decl : NULL;
}

static void written_sizes(Checker *ck, Val v, const TypeExpr *te, Span span);

/* What an alias stands for is written in the names of its own module. */
static void alias_sizes(Checker *ck, Val v, const Decl *alias, Span span) {
    Module *outer = ck->fn ? ck->fn->module : NULL;
    if (ck->fn)
        ck->fn->module = alias->module;
    written_sizes(ck, v, alias->type.alias, span);
    if (ck->fn)
        ck->fn->module = outer;
}

/* Binds and checks the sizes of a type that a value already has. */
static void written_sizes(Checker *ck, Val v, const TypeExpr *te, Span span) {
    switch (te->kind) {
    case TE_ARRAY: written_array(ck, v, te, span); return;
    case TE_TUPLE: {
        Type *type = type_of(ck, v);
        for (int i = 0; i < te->tuple.len && type->kind == TYPE_TUPLE && i < type->count; i++)
            written_sizes(ck, get_member(ck, v, i), te->tuple.at[i].type, span);
        return;
    }
    case TE_NAME: {
        const Decl *alias = alias_named(ck, te);
        if (alias)
            alias_sizes(ck, v, alias, span);
        return;
    }
    case TE_FN: return;
    }
    UNREACHABLE();
}

static bool mentions_fn(const TypeExpr *te) {
    if (te->kind == TE_FN)
        return true;
    if (te->kind == TE_TUPLE)
        for (int i = 0; i < te->tuple.len; i++)
            if (mentions_fn(te->tuple.at[i].type))
                return true;
    return te->kind == TE_ARRAY && mentions_fn(te->array.elem);
}

Val coerce_written(Checker *ck, Val v, const TypeExpr *te, Span span, bool bind,
                   const char *what) {
    if (!te || is_poison(ck, v))
        return v;
    if (mentions_fn(te)) {
        if (!type_fit(ck, te, type_of(ck, v), NULL))
            return ck_fail(ck, DIAG_TYPE_MISMATCH, span, "%s should be a function of this form, "
                           "but this is %s", what, text_of(ck, v.type));
        return v;
    }
    if (te->kind == TE_ARRAY && is_tuple_of_functions(ck, type_of(ck, v)))
        v = tuple_as_list(ck, v);
    Type *type = type_of(ck, v);
    bool keep = bind && te->kind == TE_ARRAY && type->kind == TYPE_ARRAY &&
                type->rank > te->array.dims.len &&
                (is_generic(NULL, te->array.elem) || type_fit(ck, te, type, NULL) == 3);
    if (!keep) {
        v = coerce(ck, v, eval_type(ck, te), span, what);
        if (is_poison(ck, v))
            return v;
    }
    written_sizes(ck, v, te, span);
    return v;
}
