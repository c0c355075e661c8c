/* Expressions: literals, names, tuples, lists, ranges, comprehensions, strings, fields, lambdas. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

/* ---- literals ---- */

static Type *suffix_type(Checker *ck, Name suffix) {
    static const TypeKind kinds[] = {TYPE_I8,  TYPE_I16, TYPE_I32,  TYPE_I64, TYPE_U8,  TYPE_U16,
                                     TYPE_U32, TYPE_U64, TYPE_F16, TYPE_BF16, TYPE_F32, TYPE_F64};
    for (int i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(text_of(ck, basic(ck, kinds[i])), suffix))
            return basic(ck, kinds[i]);
    return basic(ck, TYPE_I64);
}

static Val int_literal(Checker *ck, uint64_t value, Name suffix, bool negative, Span span) {
    Type *type = suffix ? suffix_type(ck, suffix) : literal_var(ck, VAR_INT, span);
    vec_push(ck->arena, &ck->literals, (LiteralCheck){type, value, (double)value, negative, span});
    if (type_is_float(type))
        return val(type, ir_float(&ck->b, type, negative ? -(double)value : (double)value));
    return val(type, ir_int(&ck->b, type, (int64_t)(negative ? 0 - value : value)));
}

static Val float_literal(Checker *ck, const Expr *e, bool negative) {
    Type *type = e->real.suffix ? suffix_type(ck, e->real.suffix)
                                : literal_var(ck, VAR_FLOAT, e->span);
    double value = negative ? -e->real.value : e->real.value;
    vec_push(ck->arena, &ck->literals, (LiteralCheck){type, 0, e->real.value, negative, e->span});
    return val(type, ir_float(&ck->b, type, value));
}

/* ---- names ---- */

static Type *scalar_named(Checker *ck, Name name) {
    for (TypeKind k = TYPE_BOOL; k < TYPE_POISON; k++)
        if (!strcmp(text_of(ck, basic(ck, k)), name))
            return basic(ck, k);
    return NULL;
}

static bool is_callable_decl(const Decl *d) {
    return d->kind == DECL_FN || d->kind == DECL_DAG;
}

static void collect(Checker *ck, Module *m, Name name, Operator op, FnSet *set, int tier) {
    Scope *scope = scope_of(ck, m);
    for (int i = 0; i < scope->decls.len; i++) {
        Decl *d = scope->decls.at[i];
        if (!is_callable_decl(d) || d->name != name || d->owner)
            continue;
        if ((d->kind == DECL_FN && d->fn.op != OP_COUNT) != (op != OP_COUNT))
            continue;
        if (tier > 0 && name[0] == '_' && m != set->module)
            continue;
        if (tier == 0)
            vec_push(ck->arena, &set->own, d);
        else if (tier == 1)
            vec_push(ck->arena, &set->imported, d);
        else
            vec_push(ck->arena, &set->prelude, d);
    }
}

static FnSet *fnset_lookup(Checker *ck, Module *m, Name name, bool is_operator) {
    for (FnSet *s = ck->fnsets; s; s = s->next)
        if (s->name == name && s->module == m && s->is_operator == is_operator)
            return s;
    return NULL;
}

static FnSet *fnset_new(Checker *ck, Module *m, Name name, bool is_operator, Operator op) {
    FnSet *set = NEW(ck->arena, FnSet);
    *set = (FnSet){.name = name, .module = m, .is_operator = is_operator, .op = op,
                   .next = ck->fnsets};
    ck->fnsets = set;
    return set;
}

/* The overloads of a module and what its `import m.*` bring. Every module sees the prelude. */
static FnSet *build_fnset(Checker *ck, Module *m, Name name, bool is_operator, Operator op) {
    FnSet *set = fnset_lookup(ck, m, name, is_operator);
    if (set)
        return set;
    set = fnset_new(ck, m, name, is_operator, op);
    Operator want = is_operator ? op : OP_COUNT;
    collect(ck, m, name, want, set, 0);
    Scope *scope = scope_of(ck, m);
    for (int i = 0; i < scope->imports.len; i++) {
        const Decl *d = scope->imports.at[i];
        if ((d->import.all || is_operator) && d->import.module)
            collect(ck, d->import.module, name, want, set, 1);
    }
    Module *prelude = prelude_module(ck);
    if (prelude && prelude != m)
        collect(ck, prelude, name, want, set, 2);
    if (!is_operator && (name[0] != '_' || m->is_stdlib))
        set->builtin = builtin_find(name);
    set->scalar = is_operator ? NULL : scalar_named(ck, name);
    return set;
}

FnSet *find_fnset(Checker *ck, Module *module, Name name) {
    FnSet *set = build_fnset(ck, module, name, false, OP_COUNT);
    bool none = !set->own.len && !set->imported.len && !set->prelude.len && !set->builtin;
    return none ? NULL : set;
}

FnSet *operator_fnset(Checker *ck, Operator op) {
    Module *m = ck->fn ? ck->fn->module : ck->c->modules.at[0];
    return build_fnset(ck, m, ck_name(ck, operator_spelling(op)), true, op);
}

static Val constant_value(Checker *ck, const Decl *d, Span span) {
    for (Frame *f = ck->frames; f; f = f->outer)
        if (f->decl == d)
            return ck_fail(ck, DIAG_RECURSION_TYPE, span, "constant %s is defined by itself",
                           d->name);
    Frame frame = {.outer = ck->frames, .text = arena_printf(ck->arena, "constant `%s`", d->name),
                   .call = span, .decl = d};
    FnCtx ctx = {.outer = ck->fn, .decl = d, .what = "constant", .module = d->module,
                 .base = ck->locals.len, .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->frames = &frame;
    ck->fn = &ctx;
    Val v = check_expr(ck, d->constant.value);
    if (d->constant.type)
        v = coerce_written(ck, v, d->constant.type, d->constant.value->span, false,
                           "this constant");
    ck->fn = ctx.outer;
    ck->frames = frame.outer;
    return v;
}

static void suggest_decl(Checker *ck, const Decl *d, NameList *names) {
    if (!d->name || d->name[0] == '_')
        return;
    vec_push(ck->arena, names, d->name);
    if (d->kind == DECL_TYPE && d->type.kind == TYPEDEF_SUM)
        for (int c = 0; c < d->type.ctors.len; c++)
            vec_push(ck->arena, names, d->type.ctors.at[c].name);
}

/* All names that could have been meant, for a suggestion. */
static Name suggest(Checker *ck, Name name) {
    NameList names = {0};
    for (int i = ck->fn ? ck->fn->base : 0; i < ck->locals.len; i++)
        if (!ck->locals.at[i].is_pseudo)
            vec_push(ck->arena, &names, ck->locals.at[i].name);
    for (int m = 0; m < ck->c->modules.len; m++) {
        Module *mod = ck->c->modules.at[m];
        if (mod != (ck->fn ? ck->fn->module : mod) && !mod->is_prelude)
            continue;
        for (int i = 0; i < mod->decls.len; i++)
            suggest_decl(ck, mod->decls.at[i], &names);
    }
    for (int i = 0; i < builtin_count; i++)
        if (builtins[i].name[0] != '_')
            vec_push(ck->arena, &names, ck_name(ck, builtins[i].name));
    return nearest_name(name, names.at, names.len);
}

/* The module that has a public declaration of this name, to say "defined in module x". */
static const char *defined_elsewhere(Checker *ck, Name name) {
    for (int m = 0; m < ck->c->modules.len; m++) {
        Module *mod = ck->c->modules.at[m];
        for (int i = 0; i < mod->decls.len && name[0] != '_'; i++)
            if (mod->decls.at[i]->name == name && !mod->decls.at[i]->owner)
                return mod->name;
    }
    return NULL;
}

static Val unknown_name(Checker *ck, Name name, Span span) {
    for (int i = 0; i < ck->unknown.len; i++)
        if (ck->unknown.at[i] == name) /* said once in this declaration */
            return val_poison(ck);
    vec_push(ck->arena, &ck->unknown, name);
    Diag *d = ck_error(ck, DIAG_UNKNOWN_NAME, span, "unknown name `%s`", name);
    diag_label(ck->diags, d, "not found in this scope");
    Name near = suggest(ck, name);
    const char *module = defined_elsewhere(ck, name);
    static const struct { const char *word, *hint; } foreign[] = {
        {"null", "there is no null: Option[T] = Some(T) | None is in the prelude"},
        {"nil", "there is no nil: Option[T] = Some(T) | None is in the prelude"},
        {"True", "it is written true"}, {"False", "it is written false"},
        {"printf", "print(…) prints values; \"{x:.2}\" formats"},
        {"println", "print(…) ends the line by itself"},
        {"range", "a range is written lo..hi"}, {"elif", "it is written else if"},
        {"arange", "a range is written lo..hi"},
        {"np", "what NumPy calls np.sum(x) is sum(x), here and for the other names of the prelude"},
        {"zeros", "fill(n, 0.0) and fill((n, m), 0.0) are arrays of zeros"},
        {"ones", "fill(n, 1.0) and fill((n, m), 1.0) are arrays of ones"},
        {"append", "concat(x, [v]) is x with v at its end"},
        {"push", "concat(x, [v]) is x with v at its end"},
        {"lenght", "len(x) is its length"}, {"length", "len(x) is its length"},
        {"size", "len(x) is its length"}, {"str", "\"{x}\" is x as a text"},
        {"int", "i64(x) converts"}, {"float", "f32(x) and f64(x) convert"},
    };
    for (int i = 0; i < ARRAY_LEN(foreign); i++)
        if (!strcmp(foreign[i].word, name)) {
            diag_help(ck->diags, d, "%s", foreign[i].hint);
            return val_poison(ck);
        }
    if (module)
        diag_help(ck->diags, d, "module %s defines it: %s.%s, or import %s.*", module, module,
                  name, module);
    else if (near)
        diag_fix(ck->diags, d, span, near, false);
    return val_poison(ck);
}

/* A constructor as a value: itself if it has no payload, else a function. */
static Val ctor_value(Checker *ck, Decl *decl, int ctor, Span span) {
    bool bare = decl->type.kind == TYPEDEF_SUM && decl->type.ctors.at[ctor].payload.len == 0;
    if (bare) {
        Args args = args_make(ck, 0, span);
        return construct(ck, decl, ctor, &args);
    }
    Name name = decl->type.kind == TYPEDEF_SUM ? decl->type.ctors.at[ctor].name : decl->name;
    for (FnSet *s = ck->fnsets; s; s = s->next)
        if (s->is_ctor && s->own.at[0] == decl && s->ctor == ctor) {
            Type *type = type_fnset(ck->ts, s, NULL);
            return val(type, ir_tuple(&ck->b, type, NULL, 0));
        }
    FnSet *set = fnset_new(ck, NULL, name, false, OP_COUNT);
    set->is_ctor = true;
    set->ctor = ctor;
    vec_push(ck->arena, &set->own, decl);
    Type *type = type_fnset(ck->ts, set, NULL);
    return val(type, ir_tuple(&ck->b, type, NULL, 0));
}

/* A helper of the actor whose handler is being checked. */
static bool is_actor_helper(Checker *ck, Name name) {
    const Decl *actor = ck->fn ? ck->fn->actor : NULL;
    for (int i = 0; actor && i < actor->actor.items.len; i++)
        if (actor->actor.items.at[i]->kind == DECL_FN && actor->actor.items.at[i]->name == name)
            return true;
    return false;
}

static FnSet *helper_fnset(Checker *ck, Name name) {
    FnSet *set = fnset_new(ck, ck->fn->module, name, false, OP_COUNT);
    const Decl *actor = ck->fn->actor;
    for (int i = 0; i < actor->actor.items.len; i++)
        if (actor->actor.items.at[i]->kind == DECL_FN && actor->actor.items.at[i]->name == name)
            vec_push(ck->arena, &set->own, actor->actor.items.at[i]);
    return set;
}

Val check_name(Checker *ck, Name name, Span span) {
    Local *local = local_find(ck, name);
    if (local) {
        local->used = true;
        return local->val.type ? local->val : val_poison(ck);
    }
    Module *m = ck->fn ? ck->fn->module : ck->c->modules.at[0];
    FnSet *set = is_actor_helper(ck, name) ? helper_fnset(ck, name) : NULL;
    Decl *constant = find_decl(ck, m, name, DECL_CONST);
    if (constant)
        return constant_value(ck, constant, span);
    int ctor;
    Decl *decl = set ? NULL : find_ctor(ck, m, NULL, name, &ctor);
    if (decl)
        return ctor_value(ck, decl, ctor, span);
    if (!set)
        set = find_fnset(ck, m, name);
    if (set) {
        Type *type = type_fnset(ck->ts, set, NULL);
        return val(type, ir_tuple(&ck->b, type, NULL, 0));
    }
    Type *scalar = scalar_named(ck, name);
    if (scalar) {
        Type *type = type_typename(ck->ts, scalar);
        return val(type, ir_tuple(&ck->b, type, NULL, 0));
    }
    return unknown_name(ck, name, span);
}

/* A module that imports all of the prelude in its text passes it on: math.sin. */
static bool passes_on_prelude(const Scope *scope) {
    for (int i = 0; i < scope->imports.len; i++) {
        const Decl *d = scope->imports.at[i];
        if (d->import.all && d->import.module && d->import.module->is_prelude)
            return true;
    }
    return false;
}

/* module.name */
static Val qualified(Checker *ck, Module *m, Name name, Span span) {
    if (name[0] == '_')
        return ck_fail(ck, DIAG_PRIVATE_NAME, span, "%s is private to module %s", name, m->name);
    Scope *scope = scope_of(ck, m);
    for (int i = 0; i < scope->decls.len; i++)
        if (scope->decls.at[i]->name == name && scope->decls.at[i]->kind == DECL_CONST)
            return constant_value(ck, scope->decls.at[i], span);
    int ctor;
    Decl *decl = find_ctor(ck, m, NULL, name, &ctor);
    if (decl && decl->module == m)
        return ctor_value(ck, decl, ctor, span);
    FnSet *set = find_fnset(ck, m, name);
    if (set && set->own.len) {
        FnSet *own = NULL;
        for (FnSet *s = ck->fnsets; s; s = s->next)
            if (s->module == NULL && !s->is_ctor && s->name == name && s->own.at == set->own.at)
                own = s;
        if (!own) {
            own = fnset_new(ck, NULL, name, false, OP_COUNT);
            own->own.at = set->own.at;
            own->own.len = set->own.len;
        }
        Type *type = type_fnset(ck->ts, own, NULL);
        return val(type, ir_tuple(&ck->b, type, NULL, 0));
    }
    if (set && passes_on_prelude(scope)) {
        Type *type = type_fnset(ck->ts, set, NULL);
        return val(type, ir_tuple(&ck->b, type, NULL, 0));
    }
    VEC(Name) names = {0};
    for (int i = 0; i < scope->decls.len; i++)
        if (scope->decls.at[i]->name && scope->decls.at[i]->name[0] != '_')
            vec_push(ck->arena, &names, scope->decls.at[i]->name);
    Diag *d = ck_error(ck, DIAG_UNKNOWN_NAME, span, "module %s has no `%s`", m->name, name);
    Name near = nearest_name(name, names.at, names.len);
    if (near)
        diag_help(ck->diags, d, "did you mean `%s`?", near);
    return val_poison(ck);
}

/* ---- members ---- */

Val get_member(Checker *ck, Val base, int k) {
    Type *type = type_of(ck, base);
    if (type->kind == TYPE_ARRAY) {
        Type *elem = type_resolve(ck->ts, type->elem);
        Type *column = type_array(ck->ts, elem->items[k], type->rank);
        return val(column, ir_get(&ck->b, base.id, k));
    }
    return val(type->items[k], ir_get(&ck->b, base.id, k));
}

static int member_named(const Type *type, Name name) {
    for (int i = 0; type->names && i < type->count; i++)
        if (type->names[i] == name)
            return i;
    return -1;
}

/* What is called a field or a method elsewhere. */
static void help_field(Checker *ck, Diag *d, const Type *type, Name name) {
    if (type->kind == TYPE_ACTOR)
        diag_help(ck->diags, d, "messages are sent, a ! %s(), or asked, a ? %s()", name, name);
    else if (!strcmp(name, "size") || !strcmp(name, "length"))
        diag_help(ck->diags, d, "len(x) is its length");
    else if (!strcmp(name, "push") || !strcmp(name, "append"))
        diag_help(ck->diags, d, "concat(x, [v]) is x with v at its end");
    else if (!strcmp(name, "T"))
        diag_help(ck->diags, d, "transpose(x) is the matrix turned");
    else if (find_fnset(ck, ck->fn ? ck->fn->module : ck->c->modules.at[0], name))
        diag_help(ck->diags, d, "`%s` is a function, no method: %s(x, …), or x |> %s(…)", name, name, name);
}

Val check_field(Checker *ck, Val base, Name name, Span span) {
    Type *type = type_of(ck, base);
    if (type->kind == TYPE_POISON)
        return base;
    Type *product = type->kind == TYPE_ARRAY ? type_resolve(ck->ts, type->elem) : type;
    int k = type_is_product(product) ? member_named(product, name) : -1;
    if (k >= 0)
        return get_member(ck, base, k);
    if (product->kind == TYPE_RECORD && is_view_record(product))
        return check_field(ck, as_array(ck, base), name, span);
    Diag *d = ck_error(ck, DIAG_UNKNOWN_FIELD, span, "%s has no field `%s`", text_of(ck, type),
                       name);
    if (product->names) {
        Name near = nearest_name(name, product->names, product->count);
        Buf list = {.arena = ck->arena};
        for (int i = 0; i < product->count; i++)
            buf_printf(&list, "%s%s", i ? ", " : "", product->names[i] ? product->names[i] : "_");
        diag_note(ck->diags, d, "its fields are %s", buf_text(&list));
        if (near)
            diag_help(ck->diags, d, "did you mean `%s`?", near);
    }
    help_field(ck, d, product, name);
    return val_poison(ck);
}

static Val check_field_expr(Checker *ck, const Expr *e) {
    const Expr *base = e->field.base;
    if (base->kind == EXPR_NAME && !local_find(ck, base->name)) {
        Module *m = ck->fn ? find_import(ck, ck->fn->module, base->name) : NULL;
        if (m)
            return qualified(ck, m, e->field.name, e->field.name_span);
    }
    return check_field(ck, check_expr(ck, base), e->field.name, e->field.name_span);
}

static Val check_tuple_field(Checker *ck, const Expr *e) {
    Val base = check_expr(ck, e->tuple_field.base);
    Type *type = type_of(ck, base);
    if (type->kind == TYPE_POISON)
        return base;
    Type *product = type->kind == TYPE_ARRAY ? type_resolve(ck->ts, type->elem) : type;
    int64_t k = e->tuple_field.number;
    if (product->kind != TYPE_TUPLE && product->kind != TYPE_RECORD)
        return ck_fail(ck, DIAG_UNKNOWN_FIELD, e->span, "%s is no tuple", text_of(ck, type));
    if (k >= product->count)
        return ck_fail(ck, DIAG_UNKNOWN_FIELD, e->span, "%s has %d members, no .%lld",
                       text_of(ck, type), product->count, (long long)k);
    return get_member(ck, base, (int)k);
}

/* ---- tuples and lists ---- */

static Val check_tuple(Checker *ck, const Expr *e) {
    int n = e->tuple.len;
    Type **types = NEW_ARRAY(ck->arena, Type *, n + 1);
    Name *names = NEW_ARRAY(ck->arena, Name, n + 1);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n + 1);
    for (int i = 0; i < n; i++) {
        Val v = check_expr(ck, e->tuple.at[i].value);
        types[i] = type_of(ck, v);
        names[i] = e->tuple.at[i].name;
        ids[i] = v.id;
    }
    Type *type = type_tuple(ck->ts, types, names, n);
    return val(type, ir_tuple(&ck->b, type, ids, n));
}

/* One type for all of n values: they are converted in place. */
static bool join_all(Checker *ck, Val *vals, const Span *spans, int n) {
    for (int i = 1; i < n; i++) {
        Val first = vals[0];
        if (join_vals(ck, &first, &vals[i])) {
            if (first.id != vals[0].id)
                for (int k = 0; k < i; k++) {
                    bool ok = true;
                    vals[k] = convert_to(ck, vals[k], first.type, &ok);
                }
            continue;
        }
        Type *a = type_of(ck, vals[0]), *b = type_of(ck, vals[i]);
        Diag *d = ck_error(ck, DIAG_TYPE_MISMATCH, spans[i],
                           "the elements of a list have one type: this is %s, the first is %s",
                           text_of(ck, b), text_of(ck, a));
        diag_span(ck->diags, d, spans[0], "this is %s", text_of(ck, a));
        return false;
    }
    return true;
}

/* Different closures become alternatives of one choice. */
static void join_functions(Checker *ck, Val *vals, int n) {
    VEC(Type *) kinds = {0};
    for (int i = 0; i < n; i++) {
        Type *t = type_of(ck, vals[i]);
        int k = 0;
        while (k < kinds.len && kinds.at[k] != t)
            k++;
        if (k == kinds.len)
            vec_push(ck->arena, &kinds, t);
    }
    if (kinds.len < 2)
        return;
    Type *choice = type_choice(ck->ts, kinds.at, kinds.len);
    for (int i = 0; i < n; i++) {
        bool ok = true;
        vals[i] = convert_to(ck, vals[i], choice, &ok);
    }
}

/* Are the rows of a list of arrays known to have one shape? */
static bool rows_agree(Checker *ck, const Val *rows, int n, int rank) {
    for (int i = 1; i < n; i++)
        for (int k = 0; k < rank; k++) {
            int64_t difference;
            if (!ir_difference(ck->b.func, ck_dim(ck, rows[0].id, k), ck_dim(ck, rows[i].id, k),
                               &difference) ||
                difference)
                return false;
        }
    return true;
}

static Val list_of(Checker *ck, Val *vals, const Span *spans, int n, Span span) {
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n + 1);
    if (n == 0) {
        Type *type = type_array(ck->ts, literal_var(ck, VAR_ANY, span), 1);
        return val(type, ir_list(&ck->b, type, NULL, 0));
    }
    if (is_function(type_of(ck, vals[0])))
        join_functions(ck, vals, n);
    if (!join_all(ck, vals, spans, n))
        return val_poison(ck);
    Type *elem = type_of(ck, vals[0]);
    for (int i = 0; i < n; i++)
        ids[i] = vals[i].id;
    bool dense = elem->kind == TYPE_ARRAY && rows_agree(ck, vals, n, elem->rank);
    Type *type = dense ? type_array(ck->ts, elem->elem, elem->rank + 1)
                       : type_array(ck->ts, elem, 1);
    IrId list = ir_list(&ck->b, type, ids, n);
    if (dense)
        for (int k = 0; k < elem->rank; k++)
            ck_assume_dim(ck, list, 0, k + 1, ck_dim(ck, ids[0], k));
    return val(type, list);
}

Val tuple_as_list(Checker *ck, Val v) {
    Type *type = type_of(ck, v);
    if (type->kind != TYPE_TUPLE || !type->count)
        return v;
    Val *vals = NEW_ARRAY(ck->arena, Val, type->count);
    Span *spans = NEW_ARRAY(ck->arena, Span, type->count);
    bool functions = true, alike = true;
    for (int k = 0; k < type->count; k++) {
        vals[k] = get_member(ck, v, k);
        spans[k] = ck->b.span;
        functions &= is_function(type_of(ck, vals[k]));
        alike &= type_unify(ck->ts, vals[0].type, vals[k].type);
    }
    return alike || functions ? list_of(ck, vals, spans, type->count, ck->b.span) : v;
}

static Val check_list(Checker *ck, const Expr *e) {
    int n = e->list.len;
    Val *vals = NEW_ARRAY(ck->arena, Val, n + 1);
    Span *spans = NEW_ARRAY(ck->arena, Span, n + 1);
    for (int i = 0; i < n; i++) {
        vals[i] = check_expr(ck, e->list.at[i]);
        spans[i] = e->list.at[i]->span;
        if (is_poison(ck, vals[i]))
            return val_poison(ck);
    }
    return list_of(ck, vals, spans, n, e->span);
}

/* ---- ranges ---- */

static bool nonnegative(const IrFunc *f, IrId id, int depth) {
    const IrOp *op = ir_op(f, id);
    int64_t c;
    if (ir_const_int(f, id, &c))
        return c >= 0;
    if (depth > 8)
        return false;
    switch ((int)op->kind) {
    case IR_DIM: return true;
    case IR_MAX:
        return nonnegative(f, op->args[0], depth + 1) || nonnegative(f, op->args[1], depth + 1);
    case IR_ADD:
    case IR_MUL:
    case IR_DIV:
    case IR_MIN:
        return nonnegative(f, op->args[0], depth + 1) && nonnegative(f, op->args[1], depth + 1);
    case IR_CHECK: return nonnegative(f, op->args[0], depth + 1);
    case IR_CONVERT: {
        TypeKind from = ir_op(f, op->args[0])->type->kind;
        return from == TYPE_U8 || from == TYPE_U16 || from == TYPE_U32 ||
               nonnegative(f, op->args[0], depth + 1);
    }
    default: return false;
    }
}

static IrId clamp_count(Checker *ck, IrId count) {
    if (nonnegative(ck->b.func, count, 0))
        return count;
    return ir_binary(&ck->b, IR_MAX, count, ir_int(&ck->b, basic(ck, TYPE_I64), 0));
}

/* ceil(distance / step), never negative, for any step but 0. */
static IrId stepped_count(Checker *ck, IrId distance, IrId step, Span span) {
    IrBuilder *b = &ck->b;
    Type *i64 = basic(ck, TYPE_I64);
    IrId zero = ir_int(b, i64, 0), one = ir_int(b, i64, 1);
    int64_t known = 0;
    if (!ir_const_int(b->func, step, &known)) {
        IrFault *fault = ck_fault(ck, "range", span, "a range with step 0");
        step = ir_check(b, step, ir_binary(b, IR_NE, step, zero), fault, NULL, 0);
    } else if (known == 0) {
        ck_error(ck, DIAG_LITERAL_RANGE, span, "a range cannot have step 0");
        return zero;
    }
    IrId down = ir_binary(b, IR_LT, step, zero);
    IrId size = ir_select(b, down, ir_unary(b, IR_NEG, step), step);
    IrId way = ir_select(b, down, ir_unary(b, IR_NEG, distance), distance);
    way = clamp_count(ck, way);
    return ir_binary(b, IR_DIV, ir_binary(b, IR_ADD, way, ir_binary(b, IR_SUB, size, one)), size);
}

static bool is_int_like(Type *t) {
    return type_is_int(t) || (t->kind == TYPE_VAR && t->var != VAR_FLOAT);
}

bool range_parts(Checker *ck, const Expr *e, Val *lo, IrId *count, IrId *step) {
    *lo = check_expr(ck, e->range.lo);
    Val hi = check_expr(ck, e->range.hi);
    Val by = e->range.by ? check_expr(ck, e->range.by) : (Val){0};
    if (is_poison(ck, *lo) || is_poison(ck, hi) || (by.type && is_poison(ck, by)))
        return false;
    Val ends[] = {*lo, hi, by};
    for (int i = 0; i < (by.type ? 3 : 2); i++)
        if (!is_int_like(type_of(ck, ends[i])) ||
            !type_unify(ck->ts, lo->type, ends[i].type)) {
            const Expr *part = i == 0 ? e->range.lo : i == 1 ? e->range.hi : e->range.by;
            if (is_int_like(type_of(ck, ends[i])))
                report_mismatch(ck, lo->type, ends[i].type, part->span, "the end of this range");
            else
                ck_error(ck, DIAG_TYPE_MISMATCH, part->span, "a range goes over integers, not %s",
                         text_of(ck, ends[i].type));
            return false;
        }
    IrId from = as_index(ck, *lo, e->range.lo->span), to = as_index(ck, hi, e->range.hi->span);
    if (e->range.inclusive)
        to = ir_binary(&ck->b, IR_ADD, to, ir_int(&ck->b, basic(ck, TYPE_I64), 1));
    IrId distance = ir_binary(&ck->b, IR_SUB, to, from);
    *step = IR_NONE;
    if (by.type) {
        *step = as_index(ck, by, e->range.by->span);
        if (e->range.inclusive) { /* downwards the end is one lower, not higher */
            IrId down = ir_binary(&ck->b, IR_LT, *step, ir_int(&ck->b, basic(ck, TYPE_I64), 0));
            IrId two = ir_int(&ck->b, basic(ck, TYPE_I64), 2);
            distance = ir_select(&ck->b, down, ir_binary(&ck->b, IR_SUB, distance, two), distance);
        }
        *count = stepped_count(ck, distance, *step, e->span);
    } else {
        *count = clamp_count(ck, distance);
    }
    return true;
}

/* What a clause runs over. */
typedef struct {
    bool is_range;
    Val lo;    /* of a range */
    IrId step; /* IR_NONE: 1 */
    Val array;
    IrId count;
    bool ok;
} Iteration;

static Iteration iteration_of(Checker *ck, const Expr *source) {
    Iteration it = {0};
    while (source->kind == EXPR_PAREN)
        source = source->inner;
    if (source->kind == EXPR_RANGE && source->range.lo && source->range.hi) {
        it.is_range = true;
        it.ok = range_parts(ck, source, &it.lo, &it.count, &it.step);
        return it;
    }
    Val v = as_array(ck, check_expr(ck, source));
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_TUPLE) {
        v = tuple_as_list(ck, v);
        type = type_of(ck, v);
    }
    if (type->kind == TYPE_POISON)
        return it;
    if (type->kind != TYPE_ARRAY) {
        ck_error(ck, DIAG_TYPE_MISMATCH, source->span,
                 "this is %s; one can go over arrays, lists, sets and ranges", text_of(ck, type));
        return it;
    }
    it.array = v;
    it.count = ck_dim(ck, v.id, 0);
    it.ok = true;
    return it;
}

static Val iteration_value(Checker *ck, const Iteration *it, IrId i) {
    if (!it->is_range)
        return element(ck, it->array, i);
    IrBuilder *b = &ck->b;
    IrId offset = i;
    if (it->step)
        offset = ir_binary(b, IR_MUL, i, it->step);
    Type *type = type_of(ck, it->lo);
    IrId value = ir_convert(b, type, offset);
    int64_t zero;
    if (!ir_const_int(b->func, it->lo.id, &zero) || zero != 0)
        value = ir_binary(b, IR_ADD, value, it->lo.id);
    return val(type, value);
}

static Val range_body(Checker *ck, const IrId *at, void *ctx) {
    return iteration_value(ck, ctx, at[0]);
}

Val check_range(Checker *ck, const Expr *e) {
    if (!e->range.lo || !e->range.hi)
        return ck_fail(ck, DIAG_BAD_INDEX, e->span,
                       "a range without an end can only stand in an index");
    Iteration it = {.is_range = true};
    if (!range_parts(ck, e, &it.lo, &it.count, &it.step))
        return val_poison(ck);
    return map_space(ck, 1, &it.count, range_body, &it, e->span);
}

/* ---- elements and spaces ---- */

Type *element_type(Checker *ck, Type *array) {
    array = type_resolve(ck->ts, array);
    if (array->rank > 1)
        return type_array(ck->ts, array->elem, array->rank - 1);
    return type_resolve(ck->ts, array->elem);
}

Val element(Checker *ck, Val array, IrId i) {
    Type *type = element_type(ck, array.type);
    IrId id = ir_index(&ck->b, array.id, &i, 1, false);
    ck_assume_element(ck, array.id, id);
    return val(type, id);
}

IrId length(Checker *ck, Val array) {
    return ck_dim(ck, as_array(ck, array).id, 0);
}

typedef struct {
    BodyFn body;
    void *ctx;
    IrId outer;
    int rank;
    const IrId *dims;
    Span span;
} Nested;

static Val nested_inner(Checker *ck, const IrId *at, void *ctx) {
    Nested *n = ctx;
    IrId *all = NEW_ARRAY(ck->arena, IrId, n->rank);
    all[0] = n->outer;
    memcpy(all + 1, at, sizeof *all * (size_t)(n->rank - 1));
    return n->body(ck, all, n->ctx);
}

static Val nested_outer(Checker *ck, const IrId *at, void *ctx) {
    Nested inner = *(Nested *)ctx;
    inner.outer = at[0];
    return map_space(ck, inner.rank - 1, inner.dims + 1, nested_inner, &inner, inner.span);
}

/* Moving ops out of a body, to before it. */
typedef struct {
    Checker *ck;
    IrRegion *body;
    IrId mark; /* ids below are outside */
} Hoist;

static int place_in(const IrRegion *region, IrId id) {
    for (int i = region->ops.len - 1; i >= 0; i--)
        if (region->ops.at[i] == id)
            return i;
    return -1;
}

static bool hoist_value(Hoist *h, IrId id);

static bool defines(const IrFunc *f, const IrRegion *region, IrId id) {
    for (int i = 0; i < region->params.len; i++)
        if (region->params.at[i] == id)
            return true;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (region->ops.at[i] == id)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (defines(f, op->regions[r], id))
                return true;
    }
    return false;
}

/* What the region at the top uses from outside of it is outside of the body. */
static bool hoist_uses(Hoist *h, const IrOp *top, const IrRegion *region) {
    const IrFunc *f = h->ck->b.func;
    VEC(IrId) uses = {0};
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            vec_push(h->ck->arena, &uses, op->args[k]);
        for (int r = 0; r < op->nregions; r++)
            if (!hoist_uses(h, top, op->regions[r]))
                return false;
    }
    for (int i = 0; i < region->results.len; i++)
        vec_push(h->ck->arena, &uses, region->results.at[i]);
    for (int i = 0; i < uses.len; i++) {
        bool inside = false;
        for (int r = 0; r < top->nregions && uses.at[i] >= h->mark && !inside; r++)
            inside = defines(f, top->regions[r], uses.at[i]);
        if (!inside && !hoist_value(h, uses.at[i]))
            return false;
    }
    return true;
}

/* Moves a pure op, and what it needs, from the body to the current region; false if it depends on
   the body's parameters. */
static bool hoist_value(Hoist *h, IrId id) {
    Checker *ck = h->ck;
    if (id < h->mark || place_in(ck->b.region, id) >= 0)
        return true;
    const IrOp op = *ir_op(ck->b.func, id);
    if (place_in(h->body, id) < 0 || ir_has_effect(ck->b.func, id) || (op.flags & IRF_PINNED))
        return false;
    for (int k = 0; k < op.nargs; k++)
        if (!hoist_value(h, op.args[k]))
            return false;
    for (int r = 0; r < op.nregions; r++)
        if (!hoist_uses(h, &op, op.regions[r]))
            return false;
    int at = place_in(h->body, id);
    memmove(h->body->ops.at + at, h->body->ops.at + at + 1,
            sizeof *h->body->ops.at * (size_t)(h->body->ops.len - at - 1));
    h->body->ops.len--;
    vec_push(ck->arena, &ck->b.region->ops, id);
    return true;
}

/* The dims of an array that a body yields as values from before it, or false: it is irregular. */
static bool hoisted_dims(Checker *ck, IrRegion *body, Val v, int rank, IrId mark, IrId *out) {
    IrRegion *outer = ck->b.region;
    Hoist h = {ck, body, mark};
    for (int k = 0; k < rank; k++) {
        ck->b.region = body;
        IrId inner = ck_dim(ck, v.id, k);
        ck->b.region = outer;
        out[k] = ck_outside(ck, inner, mark);
        if (!out[k] && hoist_value(&h, inner))
            out[k] = inner;
        if (!out[k])
            return false;
    }
    return true;
}

/* The sizes of the arrays inside a tuple or record, seen from within the region that makes it. */
typedef struct {
    uint64_t path;
    int axis;
    IrId dim;
} MemberDim;

typedef VEC(MemberDim) MemberDims;

static void find_member_dims(Checker *ck, uint64_t path, Type *type, IrId from, MemberDims *out) {
    type = type_resolve(ck->ts, type);
    for (int k = 0; path && type->kind == TYPE_ARRAY && k < type->rank; k++)
        vec_push(ck->arena, out, ((MemberDim){path, k, ck_dim(ck, from, k)}));
    if (!type_is_product(type) || type_is_flat(type))
        return;
    for (int k = 0; k < type->count; k++)
        find_member_dims(ck, path * 64 + (uint64_t)k + 1, type->items[k],
                         ir_get(&ck->b, from, k), out);
}

Val map_space(Checker *ck, int rank, const IrId *dims, BodyFn body, void *ctx, Span span) {
    IrRegion *outer = ck->b.region, *region = ir_region_new(ck->c->ir);
    IrId *at = NEW_ARRAY(ck->arena, IrId, rank);
    IrId mark = ck_mark(ck);
    for (int k = 0; k < rank; k++)
        at[k] = ir_param(ck->b.func, region, basic(ck, TYPE_I64));
    ck->b.region = region;
    ck->loop_depth++;
    Val v = body(ck, at, ctx);
    MemberDims members = {0};
    if (rank == 1 && !is_poison(ck, v))
        find_member_dims(ck, 0, type_of(ck, v), v.id, &members);
    ck->loop_depth--;
    ck->b.region = outer;
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_POISON)
        return val_poison(ck);
    SinkKind sink = SINK_MAP;
    Type *result = type_array(ck->ts, type, rank);
    IrId *inner = NEW_ARRAY(ck->arena, IrId, type->rank + 1);
    if (type->kind == TYPE_ARRAY) {
        if (hoisted_dims(ck, region, v, type->rank, mark, inner)) {
            result = type_array(ck->ts, type->elem, rank + type->rank);
        } else if (rank > 1) {
            Nested nested = {.body = body, .ctx = ctx, .rank = rank, .dims = dims, .span = span};
            return map_space(ck, 1, dims, nested_outer, &nested, span);
        } else {
            sink = SINK_LIST;
        }
    }
    vec_push(ck->arena, &region->results, v.id);
    IrId id = ir_kernel(&ck->b, rank, dims, region, sink, 0, NULL, 0, NULL);
    if (type->kind == TYPE_ARRAY && sink == SINK_MAP)
        for (int k = 0; k < type->rank; k++)
            ck_assume_dim(ck, id, 0, rank + k, inner[k]);
    for (int k = 0; k < members.len; k++) {
        const MemberDim *m = &members.at[k];
        IrId dim = ck_outside(ck, m->dim, mark);
        if (dim)
            ck_assume_member_dim(ck, id, m->path, m->axis, dim);
    }
    return val(result, id);
}

/* ---- comprehensions ---- */

typedef struct {
    const Expr *e;
    Iteration *its;
    int first; /* clause */
} Comp;

static void bind_clause(Checker *ck, const Comp *c, int k, IrId i) {
    bind_pattern(ck, c->e->comp.clauses.at[k].pattern, iteration_value(ck, &c->its[k], i), false);
}

static Val comp_body(Checker *ck, const IrId *at, void *ctx) {
    Comp *c = ctx;
    int locals = ck->locals.len;
    for (int k = 0; k < c->e->comp.clauses.len; k++)
        bind_clause(ck, c, k, at[k]);
    Val v = check_expr(ck, c->e->comp.body);
    ck->locals.len = locals;
    return v;
}

typedef struct {
    const Name *names;
    int count;
    bool found;
} Mention;

static bool visit_mention(const Expr *e, void *ctx) {
    Mention *m = ctx;
    for (int i = 0; e->kind == EXPR_NAME && i < m->count; i++)
        m->found |= m->names[i] == e->name;
    return !m->found;
}

static void pattern_names(Checker *ck, const Pattern *p, NameList *out) {
    if (p->kind == PAT_NAME)
        vec_push(ck->arena, out, p->name);
    if (p->kind == PAT_TUPLE || p->kind == PAT_OR)
        for (int i = 0; i < p->items.len; i++)
            pattern_names(ck, p->items.at[i], out);
    if (p->kind == PAT_CTOR)
        for (int i = 0; i < p->ctor.items.len; i++)
            pattern_names(ck, p->ctor.items.at[i].pattern, out);
}

/* Does any range of clauses first… use a name that an earlier one binds? */
static bool is_rectangular(Checker *ck, const Expr *e, int first) {
    NameList names = {0};
    for (int k = first; k < e->comp.clauses.len; k++) {
        Mention m = {names.at, names.len, false};
        walk_expr(e->comp.clauses.at[k].source, visit_mention, &m);
        if (m.found)
            return false;
        pattern_names(ck, e->comp.clauses.at[k].pattern, &names);
    }
    return true;
}

/* A region that runs over the space of clauses `first` on, entered with their names bound. */
typedef struct {
    IrRegion *outer, *region;
    IrId mark;
    IrId *dims, *at;
    int rank, locals;
} Space;

static Space space_begin(Checker *ck, const Comp *c) {
    int rank = c->e->comp.clauses.len - c->first;
    Space s = {.outer = ck->b.region, .region = ir_region_new(ck->c->ir), .mark = ck_mark(ck),
               .dims = NEW_ARRAY(ck->arena, IrId, rank), .at = NEW_ARRAY(ck->arena, IrId, rank),
               .rank = rank, .locals = ck->locals.len};
    for (int k = 0; k < rank; k++) {
        s.dims[k] = c->its[c->first + k].count;
        s.at[k] = ir_param(ck->b.func, s.region, basic(ck, TYPE_I64));
    }
    ck->b.region = s.region;
    ck->loop_depth++;
    for (int k = 0; k < rank; k++)
        bind_clause(ck, c, c->first + k, s.at[k]);
    return s;
}

static void space_end(Checker *ck, const Space *s) {
    ck->loop_depth--;
    ck->locals.len = s->locals;
    ck->b.region = s->outer;
}

/* What a comprehension gives where its condition holds: the element is evaluated only there. */
static Val kept_element(Checker *ck, const Expr *e, Val *keep) {
    *keep = val_bool(ck, true);
    if (!e->comp.cond)
        return check_expr(ck, e->comp.body);
    *keep = condition(ck, check_expr(ck, e->comp.cond), e->comp.cond->span, "this condition");
    if (is_poison(ck, *keep))
        return *keep;
    Branch then, otherwise;
    Fork f = fork_begin(ck);
    branch_begin(ck, &f, &then);
    branch_end(ck, &f, &then, check_expr(ck, e->comp.body));
    branch_begin(ck, &f, &otherwise);
    ck->dead = true;
    branch_end(ck, &f, &otherwise, (Val){0});
    return fork_join(ck, &f, keep->id, &then, &otherwise, true, e->span);
}

typedef struct {
    Comp *comp;
    Val places; /* indices of the kept points: i64, or tuples of them */
    int rank;
} Kept;

static Val kept_body(Checker *ck, const IrId *at, void *ctx) {
    Kept *kept = ctx;
    int locals = ck->locals.len;
    Val place = element(ck, kept->places, at[0]);
    for (int k = 0; k < kept->rank; k++)
        bind_clause(ck, kept->comp, kept->comp->first + k,
                    kept->rank == 1 ? place.id : ir_get(&ck->b, place.id, k));
    Val v = check_expr(ck, kept->comp->e->comp.body);
    ck->locals.len = locals;
    return v;
}

/* Elements that are arrays of different sizes: first where they are, then a list of them. */
static Val filter_lists(Checker *ck, Comp *c) {
    Space s = space_begin(ck, c);
    Val keep = val_bool(ck, true);
    if (c->e->comp.cond)
        keep = condition(ck, check_expr(ck, c->e->comp.cond), c->e->comp.cond->span,
                         "this condition");
    Type *type = basic(ck, TYPE_I64);
    IrId place = s.at[0];
    if (s.rank > 1) {
        Type **types = NEW_ARRAY(ck->arena, Type *, s.rank);
        for (int k = 0; k < s.rank; k++)
            types[k] = basic(ck, TYPE_I64);
        type = type_tuple(ck->ts, types, NULL, s.rank);
        place = ir_tuple(&ck->b, type, s.at, s.rank);
    }
    vec_push(ck->arena, &s.region->results, keep.id);
    vec_push(ck->arena, &s.region->results, place);
    space_end(ck, &s);
    Kept kept = {c, {0}, s.rank};
    kept.places = val(type_array(ck->ts, type, 1),
                      ir_kernel(&ck->b, s.rank, s.dims, s.region, SINK_FILTER, 0, NULL, 0, NULL));
    IrId n = ck_dim(ck, kept.places.id, 0);
    return map_space(ck, 1, &n, kept_body, &kept, c->e->span);
}

/* The kept elements of a rectangular space, from clause `first` on. */
static Val filter_space(Checker *ck, Comp *c) {
    Space s = space_begin(ck, c);
    Val keep, v = kept_element(ck, c->e, &keep);
    space_end(ck, &s);
    if (is_poison(ck, v) || is_poison(ck, keep))
        return val_poison(ck);
    Type *type = type_of(ck, v);
    IrId *rows = NEW_ARRAY(ck->arena, IrId, type->rank + 1);
    if (type->kind == TYPE_ARRAY && !hoisted_dims(ck, s.region, v, type->rank, s.mark, rows))
        return filter_lists(ck, c);
    vec_push(ck->arena, &s.region->results, keep.id);
    vec_push(ck->arena, &s.region->results, v.id);
    IrId id = ir_kernel(&ck->b, s.rank, s.dims, s.region, SINK_FILTER, 0, NULL, 0, NULL);
    if (type->kind != TYPE_ARRAY)
        return val(type_array(ck->ts, type, 1), id);
    for (int k = 0; k < type->rank; k++)
        ck_assume_dim(ck, id, 0, k + 1, rows[k]);
    return val(type_array(ck->ts, type->elem, type->rank + 1), id);
}

static Val flat_comprehension(Checker *ck, Comp *c);

/* One clause outside, the rest as a list inside, joined. */
static Val flatmap_clause(Checker *ck, Comp *c) {
    IrRegion *outer = ck->b.region, *region = ir_region_new(ck->c->ir);
    IrId i = ir_param(ck->b.func, region, basic(ck, TYPE_I64));
    IrId count = c->its[c->first].count;
    int locals = ck->locals.len;
    ck->b.region = region;
    ck->loop_depth++;
    bind_clause(ck, c, c->first, i);
    Comp rest = *c;
    rest.first++;
    Val v = flat_comprehension(ck, &rest);
    ck->loop_depth--;
    ck->locals.len = locals;
    ck->b.region = outer;
    if (is_poison(ck, v))
        return v;
    vec_push(ck->arena, &region->results, v.id);
    return val(v.type, ir_kernel(&ck->b, 1, &count, region, SINK_FLATMAP, 0, NULL, 0, NULL));
}

static Val flat_comprehension(Checker *ck, Comp *c) {
    int n = c->e->comp.clauses.len;
    if (is_rectangular(ck, c->e, c->first)) {
        for (int k = c->first; k < n; k++) {
            c->its[k] = iteration_of(ck, c->e->comp.clauses.at[k].source);
            if (!c->its[k].ok)
                return val_poison(ck);
        }
        return filter_space(ck, c);
    }
    c->its[c->first] = iteration_of(ck, c->e->comp.clauses.at[c->first].source);
    return c->its[c->first].ok ? flatmap_clause(ck, c) : val_poison(ck);
}

Val check_comprehension(Checker *ck, const Expr *e) {
    int n = e->comp.clauses.len;
    Comp c = {.e = e, .its = NEW_ARRAY(ck->arena, Iteration, n)};
    if (e->comp.cond || !is_rectangular(ck, e, 0))
        return flat_comprehension(ck, &c);
    IrId *dims = NEW_ARRAY(ck->arena, IrId, n);
    for (int k = 0; k < n; k++) {
        c.its[k] = iteration_of(ck, e->comp.clauses.at[k].source);
        if (!c.its[k].ok)
            return val_poison(ck);
        dims[k] = c.its[k].count;
    }
    return map_space(ck, n, dims, comp_body, &c, e->span);
}

/* ---- strings ---- */

/* Why a format does not suit a scalar, or NULL. Other values are looked at when they are shown. */
static const char *format_misfit(const char *format, const Type *type) {
    bool digits = strchr(format, '.') || strchr(format, 'e'), hex = strchr(format, 'x');
    if ((digits || hex) && (type->kind == TYPE_BOOL || type->kind == TYPE_STRING))
        return "it has no digits";
    if (digits && type_is_int(type))
        return "`.` and digits, and `e`, are for floats";
    if (hex && (type_is_float(type) || (type->kind == TYPE_VAR && type->var == VAR_FLOAT)))
        return "hexadecimal digits are for integers";
    return NULL;
}

/* The scanner lets only well-formed formats through. */
static IrId format_part(Checker *ck, const StringPart *part) {
    Val v = check_expr(ck, part->hole);
    Type *string = basic(ck, TYPE_STRING);
    if (is_poison(ck, v))
        return ir_undef(&ck->b, string);
    const char *why = format_misfit(part->format, type_of(ck, v));
    if (why)
        ck_error(ck, DIAG_FORMAT_OF_TYPE, part->hole->span, "the format `%s` does not suit %s: %s",
                 part->format, text_of(ck, v.type), why);
    if (type_of(ck, v)->kind == TYPE_STRING && !*part->format)
        return v.id;
    IrId spec = ir_string(&ck->b, part->format, strlen(part->format));
    return ir_rt(&ck->b, RT_FORMAT, string,
                 (IrId[]){v.id, spec}, 2);
}

Val check_string(Checker *ck, const Expr *e) {
    Type *string = basic(ck, TYPE_STRING);
    VEC(IrId) parts = {0};
    for (int i = 0; i < e->string.len; i++) {
        const StringPart *part = &e->string.at[i];
        if (part->hole)
            vec_push(ck->arena, &parts, format_part(ck, part));
        else if (part->len || e->string.len == 1)
            vec_push(ck->arena, &parts, ir_string(&ck->b, part->text, part->len));
    }
    if (!parts.len)
        return val(string, ir_string(&ck->b, "", 0));
    return val(string, parts.len == 1 ? parts.at[0] : ir_concat(&ck->b, parts.at, parts.len));
}

/* ---- lambdas ---- */

typedef struct {
    Checker *ck;
    NameList names;
} Free;

static void add_free(Free *f, Name name) {
    for (int i = 0; i < f->names.len; i++)
        if (f->names.at[i] == name)
            return;
    if (local_find(f->ck, name))
        vec_push(f->ck->arena, &f->names, name);
}

static bool visit_free(const Expr *e, void *ctx);

static void free_in_type(const TypeExpr *te, Free *f) {
    if (!te)
        return;
    if (te->kind == TE_ARRAY) {
        for (int i = 0; i < te->array.dims.len; i++)
            walk_expr(te->array.dims.at[i], visit_free, f);
        free_in_type(te->array.elem, f);
    }
    for (int i = 0; te->kind == TE_TUPLE && i < te->tuple.len; i++)
        free_in_type(te->tuple.at[i].type, f);
}

static bool visit_free(const Expr *e, void *ctx) {
    Free *f = ctx;
    if (e->kind == EXPR_NAME)
        add_free(f, e->name);
    if (e->kind == EXPR_LET)
        free_in_type(e->let.type, f);
    for (int i = 0; e->kind == EXPR_LAMBDA && i < e->lambda.params.len; i++)
        free_in_type(e->lambda.params.at[i].type, f);
    return true;
}

static Lambda *lambda_code(Checker *ck, const Expr *e, NameList *names) {
    const TypeEnv *types = ck->fn ? ck->fn->types : NULL;
    for (Lambda *l = ck->lambdas; l; l = l->next)
        if (l->expr == e && l->types == types && l->count == names->len) {
            bool same = true;
            for (int i = 0; i < l->count; i++)
                same &= l->names[i] == names->at[i];
            if (same)
                return l;
        }
    Lambda *l = NEW(ck->arena, Lambda);
    *l = (Lambda){.expr = e, .names = names->at, .count = names->len, .types = types,
                  .module = ck->fn ? ck->fn->module : ck->c->modules.at[0], .next = ck->lambdas};
    return ck->lambdas = l;
}

Val make_lambda(Checker *ck, const Expr *e) {
    Free f = {.ck = ck};
    for (int i = 0; i < e->lambda.params.len; i++)
        free_in_type(e->lambda.params.at[i].type, &f);
    walk_expr(e->lambda.body, visit_free, &f);
    Lambda *code = lambda_code(ck, e, &f.names);
    Type **types = NEW_ARRAY(ck->arena, Type *, code->count + 1);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, code->count + 1);
    for (int i = 0; i < code->count; i++) {
        Local *local = local_find(ck, code->names[i]);
        local->used = true;
        Val v = local->val.type ? local->val : val_poison(ck);
        types[i] = type_of(ck, v);
        ids[i] = v.id;
    }
    Type *type = type_closure(ck->ts, code, code->types, types, code->count);
    return val(type, ir_tuple(&ck->b, type, ids, code->count));
}

/* ---- dispatch ---- */

bool fold_const(Checker *ck, Val v, int64_t *out) {
    return ir_const_int(ck->b.func, v.id, out);
}

static Val check_unary(Checker *ck, const Expr *e) {
    const Expr *operand = e->unary.operand;
    while (operand->kind == EXPR_PAREN)
        operand = operand->inner;
    if (e->unary.op == OP_NEG && operand->kind == EXPR_INT)
        return int_literal(ck, operand->integer.value, operand->integer.suffix, true, e->span);
    if (e->unary.op == OP_NEG && operand->kind == EXPR_FLOAT)
        return float_literal(ck, operand, true);
    return apply_unary(ck, e->unary.op, check_expr(ck, e->unary.operand), e->span);
}

static Val check_operator_value(Checker *ck, const Expr *e) {
    FnSet *set = operator_fnset(ck, e->op);
    Type *type = type_fnset(ck->ts, set, NULL);
    return val(type, ir_tuple(&ck->b, type, NULL, 0));
}

static Val check_self(Checker *ck, const Expr *e) {
    Local *self = local_find(ck, ck_name(ck, "self"));
    if (self)
        return self->val;
    return ck_fail(ck, DIAG_OUT_OF_PLACE, e->span, "there is no self outside of an actor");
}

static Val statement_value(Checker *ck, const Expr *e) {
    check_statement(ck, e);
    return val_unit(ck);
}

Val check_expr(Checker *ck, const Expr *e) {
    Span outer = ck->b.span;
    ck->b.span = ck->called_at.to ? ck->called_at : e->span;
    Val v = check_expr_want(ck, e, NULL);
    ck->b.span = outer;
    return v;
}

Val check_expr_want(Checker *ck, const Expr *e, Type *want) {
    (void)want;
    switch (e->kind) {
    case EXPR_ERROR: return val_poison(ck);
    case EXPR_INT: return int_literal(ck, e->integer.value, e->integer.suffix, false, e->span);
    case EXPR_FLOAT: return float_literal(ck, e, false);
    case EXPR_BOOL: return val_bool(ck, e->boolean);
    case EXPR_DURATION: return val_int(ck, TYPE_DURATION, e->duration_ns);
    case EXPR_STRING: return check_string(ck, e);
    case EXPR_NAME: return check_name(ck, e->name, e->span);
    case EXPR_HOLE:
        return ck_fail(ck, DIAG_OUT_OF_PLACE, e->span,
                       "`_` stands for an argument of a call or a part of a pattern");
    case EXPR_SELF: return check_self(ck, e);
    case EXPR_OPERATOR: return check_operator_value(ck, e);
    case EXPR_TUPLE: return check_tuple(ck, e);
    case EXPR_PAREN: return check_expr(ck, e->inner);
    case EXPR_LIST: return check_list(ck, e);
    case EXPR_COMPREHENSION: return check_comprehension(ck, e);
    case EXPR_RANGE: return check_range(ck, e);
    case EXPR_UNARY: return check_unary(ck, e);
    case EXPR_BINARY: return check_binary(ck, e);
    case EXPR_INDEX: return check_index(ck, e);
    case EXPR_FIELD: return check_field_expr(ck, e);
    case EXPR_TUPLE_FIELD: return check_tuple_field(ck, e);
    case EXPR_CALL: return check_call(ck, e);
    case EXPR_PIPE: return check_pipe(ck, e);
    case EXPR_WITH_FIELDS: return check_with_fields(ck, e);
    case EXPR_WITH_AT: return check_with_at(ck, e);
    case EXPR_IF: return check_if(ck, e, true, false);
    case EXPR_MATCH: return check_match(ck, e, true, false);
    case EXPR_BLOCK: return check_block(ck, e, true);
    case EXPR_LOOP: return check_loop(ck, e);
    case EXPR_LAMBDA: return make_lambda(ck, e);
    case EXPR_TRY: return check_try(ck, e);
    case EXPR_SEND:
    case EXPR_ASK: return check_send(ck, e);
    case EXPR_WITHIN:
    case EXPR_AFTER: return check_timed(ck, e);
    case EXPR_SPAWN: return check_spawn(ck, e);
    case EXPR_LET:
    case EXPR_ASSIGN:
    case EXPR_FOR:
    case EXPR_WHILE:
    case EXPR_ASSERT:
    case EXPR_RETURN:
    case EXPR_BREAK:
    case EXPR_CONTINUE:
    case EXPR_STOP: return statement_value(ck, e);
    case EXPR_KIND_COUNT: break;
    }
    UNREACHABLE();
}
