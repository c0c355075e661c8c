/* Names: what they mean in a file, constants, constructors, modules, members. */
#include "check.h"

#include <string.h>

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
        if (ck->fn && mod == ck->fn->module)
            continue;
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
        diag_help(ck->diags, d, "only messages reach an actor: a ! m(…) sends, a ? m(…) asks");
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
    if (k >= 0) {
        note_field(ck, product, name, span);
        return get_member(ck, base, k);
    }
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

Val check_field_expr(Checker *ck, const Expr *e) {
    const Expr *base = e->field.base;
    if (base->kind == EXPR_NAME && !local_find(ck, base->name)) {
        Module *m = ck->fn ? find_import(ck, ck->fn->module, base->name) : NULL;
        if (m)
            return qualified(ck, m, e->field.name, e->field.name_span);
    }
    return check_field(ck, check_expr(ck, base), e->field.name, e->field.name_span);
}

Val check_tuple_field(Checker *ck, const Expr *e) {
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
