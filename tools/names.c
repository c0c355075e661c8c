/* Names without types: one walk over a module with a stack of scopes. */
#include "names.h"

#include "../compiler/check.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    Names *n;
    VEC(Def *) scope;     /* locals, the innermost last */
    const Decl *decl;     /* around the place at hand */
    uint32_t scope_end;   /* of the innermost block */
} Walk;

static void walk_value(Walk *w, const Expr *e);
static void walk_type(Walk *w, const TypeExpr *t, bool binds_sizes);

/* ---- definitions ---- */

static Def *add_def(Names *n, Def def) {
    Def *d = NEW(n->arena, Def);
    *d = def;
    vec_push(n->arena, &n->defs, d);
    if (!def.scope.to)
        vec_push(n->arena, &n->globals, d);
    return d;
}

static void add_use(Names *n, Span at, Name name, const Def *def, bool declares) {
    if (at.to > at.from)
        vec_push(n->arena, &n->uses,
                 (Use){.at = at, .def = def, .name = name, .declares = declares, .args = -1});
}

static Def *find_def(Names *n, DefKind kind, const Decl *decl, Name name, const void *part) {
    for (int i = 0; i < n->globals.len; i++) {
        Def *d = n->globals.at[i];
        if (d->kind == kind && d->decl == decl && d->name == name && (!part || part == d->type))
            return d;
    }
    return NULL;
}

/* Overloads in a module are one definition, that of the first. */
static const Decl *first_overload(const Decl *decl) {
    if (decl->owner || !decl->module || (decl->kind != DECL_FN && decl->kind != DECL_DAG))
        return decl;
    const DeclList *all = &decl->module->decls;
    for (int i = 0; i < all->len; i++)
        if ((all->at[i]->kind == DECL_FN || all->at[i]->kind == DECL_DAG) && all->at[i]->name == decl->name)
            return all->at[i];
    return decl;
}

static DefKind kind_of(const Decl *decl) {
    switch (decl->kind) {
    case DECL_CONST: return DEF_CONST;
    case DECL_TYPE: return DEF_TYPE;
    case DECL_ACTOR: return DEF_ACTOR;
    case DECL_STATE: return DEF_STATE;
    case DECL_HANDLER: return DEF_MESSAGE;
    default: return DEF_FN;
    }
}

const Def *names_of_decl(Names *n, const Decl *decl) {
    decl = first_overload(decl);
    DefKind kind = kind_of(decl);
    Def *known = find_def(n, kind, decl, decl->name, NULL);
    const TypeExpr *type = kind == DEF_CONST || kind == DEF_STATE ? decl->constant.type : NULL;
    return known ? known : add_def(n, (Def){.kind = kind, .name = decl->name, .span = decl->name_span,
                                            .decl = decl, .type = type, .module = decl->module,
                                            .is_var = kind == DEF_STATE});
}

static const Def *def_of_ctor(Names *n, const Decl *decl, const Ctor *ctor) {
    Def *known = find_def(n, DEF_CTOR, decl, ctor->name, NULL);
    return known ? known : add_def(n, (Def){.kind = DEF_CTOR, .name = ctor->name, .span = ctor->span,
                                            .decl = decl, .ctor = ctor, .module = decl->module});
}

const Def *names_of_item(Names *n, const Decl *decl, const TypeItem *item) {
    Def *known = find_def(n, DEF_FIELD, decl, item->name, item->type);
    return known ? known : add_def(n, (Def){.kind = DEF_FIELD, .name = item->name, .span = item->name_span,
                                            .decl = decl, .type = item->type, .module = decl->module});
}

static const Def *def_of_param(Names *n, const Decl *decl, const Param *param) {
    for (int i = 0; i < n->defs.len; i++)
        if (n->defs.at[i]->param == param)
            return n->defs.at[i];
    return add_def(n, (Def){.kind = DEF_PARAM, .name = param->name, .span = param->pattern->span,
                            .decl = decl, .param = param, .type = param->type, .module = decl->module,
                            .scope = decl->span});
}

static const Def *def_of_module(Names *n, Module *m, Name name) {
    for (int i = 0; i < n->defs.len; i++)
        if (n->defs.at[i]->kind == DEF_MODULE && n->defs.at[i]->module == m)
            return n->defs.at[i];
    uint32_t from = m->source->base;
    return add_def(n, (Def){.kind = DEF_MODULE, .name = name, .span = {from, from}, .module = m});
}

static const Def *def_of_builtin(Names *n, DefKind kind, Name name, const char *text) {
    Def *known = find_def(n, kind, NULL, name, NULL);
    return known ? known : add_def(n, (Def){.kind = kind, .name = name, .text = text});
}

const ParamList *names_params(const Decl *decl) {
    static const ParamList none = {0};
    switch (decl->kind) {
    case DECL_ACTOR: return &decl->actor.params;
    case DECL_FN: case DECL_DAG: case DECL_MAIN: case DECL_HANDLER: case DECL_LIFECYCLE:
        return &decl->fn.params;
    default: return &none;
    }
}

/* ---- what a file shows ---- */

Name names_of_import(Compiler *c, const Decl *d) {
    if (d->import.as)
        return d->import.as;
    const char *path = d->import.path, *start = path;
    for (const char *at = path; *at; at++)
        if (*at == '/' || (*at == '.' && !d->import.is_file))
            start = at + 1;
    size_t len = strlen(start);
    if (d->import.is_file && len > 5 && !strcmp(start + len - 5, ".gact"))
        len -= 5;
    return name_of(c->names, start, len);
}

static Module *import_of(Names *n, const Module *m, Name as) {
    for (int i = 0; i < m->decls.len; i++) {
        const Decl *d = m->decls.at[i];
        if (d->kind == DECL_IMPORT && !d->import.all && d->import.module && names_of_import(n->c, d) == as)
            return d->import.module;
    }
    return NULL;
}

Module *names_import(Names *n, Name as) {
    return import_of(n, n->module, as);
}

typedef const Def *(*Search)(Names *n, Module *m, Name name);

/* The file's own, then what `import m.*` brings, then the prelude's. */
static const Def *search_tiers(Names *n, Module *m, Name name, Search search) {
    const Def *def = search(n, m, name);
    for (int i = 0; !def && name[0] != '_' && i < m->decls.len; i++) {
        const Decl *d = m->decls.at[i];
        if (d->kind == DECL_IMPORT && d->import.all && d->import.module)
            def = search(n, d->import.module, name);
    }
    for (int i = 0; !def && i < n->c->modules.len; i++)
        if (n->c->modules.at[i]->is_prelude && n->c->modules.at[i] != m)
            def = search(n, n->c->modules.at[i], name);
    return def;
}

static const Def *search_type(Names *n, Module *m, Name name) {
    for (int i = 0; i < m->decls.len; i++) {
        const Decl *d = m->decls.at[i];
        if ((d->kind == DECL_TYPE || d->kind == DECL_ACTOR) && d->name == name)
            return names_of_decl(n, d);
    }
    return NULL;
}

static const Def *search_value(Names *n, Module *m, Name name) {
    for (int i = 0; i < m->decls.len; i++) {
        const Decl *d = m->decls.at[i];
        bool value = d->kind == DECL_CONST || d->kind == DECL_DAG || d->kind == DECL_ACTOR ||
                     (d->kind == DECL_FN && d->fn.op == OP_COUNT) ||
                     (d->kind == DECL_TYPE && d->type.kind == TYPEDEF_RECORD);
        if (value && d->name == name)
            return names_of_decl(n, d);
        for (int c = 0; d->kind == DECL_TYPE && d->type.kind == TYPEDEF_SUM && c < d->type.ctors.len; c++)
            if (d->type.ctors.at[c].name == name)
                return def_of_ctor(n, d, &d->type.ctors.at[c]);
    }
    return NULL;
}

static const char *type_doc(Name name) {
    static const struct { const char *name, *doc; } rows[] = {
#define TYPE(id, spelling, bytes, flags, doc) {spelling, doc},
#include "../lang/types.def"
    };
    for (int i = 0; i < ARRAY_LEN(rows); i++)
        if (!strcmp(rows[i].name, name))
            return rows[i].doc;
    return NULL;
}

static const Def *search_builtin(Names *n, Name name) {
    const Builtin *builtin = builtin_find(name);
    if (builtin && (builtin->signature || name[0] != '_'))
        return def_of_builtin(n, DEF_BUILTIN, name, builtin->signature);
    const char *doc = type_doc(name);
    return doc ? def_of_builtin(n, DEF_BASIC, name, doc) : NULL;
}

static const Def *global_of(Names *n, Module *m, Name name) {
    const Def *def = search_tiers(n, m, name, search_value);
    if (!def)
        def = search_tiers(n, m, name, search_type);
    Module *module = def ? NULL : import_of(n, m, name);
    if (module)
        return def_of_module(n, module, name);
    return def ? def : search_builtin(n, name);
}

const Def *names_global(Names *n, Name name) {
    return global_of(n, n->module, name);
}

const Decl *names_type(Names *n, const char *text) {
    const char *dot = strchr(text, '.');
    Module *m = dot ? names_import(n, name_of(n->c->names, text, (size_t)(dot - text))) : n->module;
    Name name = name_cstr(n->c->names, dot ? dot + 1 : text);
    const Def *def = m ? search_tiers(n, m, name, search_type) : NULL;
    for (int i = 0; !def && i < n->c->modules.len; i++) /* types of values need not be visible */
        def = search_type(n, n->c->modules.at[i], name);
    return def ? def->decl : NULL;
}

/* ---- scopes ---- */

static Def *bind(Walk *w, DefKind kind, Name name, Span span, const TypeExpr *type, bool is_var) {
    Def *def = add_def(w->n, (Def){.kind = kind, .name = name, .span = span, .decl = w->decl, .type = type,
                                   .module = w->n->module, .scope = {span.to, w->scope_end},
                                   .is_var = is_var});
    vec_push(w->n->arena, &w->scope, def);
    add_use(w->n, span, name, def, true);
    return def;
}

static const Def *find_local(const Walk *w, Name name) {
    for (int i = w->scope.len; i-- > 0;)
        if (w->scope.at[i]->name == name)
            return w->scope.at[i];
    return NULL;
}

static const Def *meaning(Walk *w, Name name) {
    const Def *local = find_local(w, name);
    return local ? local : global_of(w->n, w->n->module, name);
}

/* The last `len` bytes of a span, where a path ends with its name. */
static Span tail_of(Span span, Name name) {
    uint32_t len = (uint32_t)strlen(name);
    return (Span){span.to - len, span.to};
}

static Span head_of(Span span, Name name) {
    return (Span){span.from, span.from + (uint32_t)strlen(name)};
}

/* `module.name` from a place on; the part of the name alone without a module. */
static void use_path(Walk *w, Span at, Name module, Name name, Search search) {
    Names *n = w->n;
    if (!module) {
        const Def *def = search_tiers(n, n->module, name, search);
        add_use(n, head_of(at, name), name, def ? def : search_builtin(n, name), false);
        return;
    }
    Module *m = import_of(n, n->module, module);
    add_use(n, head_of(at, module), module, m ? def_of_module(n, m, module) : NULL, false);
    Span last = {at.from + (uint32_t)strlen(module) + 1, 0};
    last.to = last.from + (uint32_t)strlen(name);
    add_use(n, last, name, m ? search(n, m, name) : NULL, false);
}

/* ---- types and patterns ---- */

static void walk_items(Walk *w, const TypeItemList *items, bool binds_sizes) {
    for (int i = 0; i < items->len; i++)
        walk_type(w, items->at[i].type, binds_sizes);
}

/* A size of a parameter's shape: a new name is bound there. */
static void walk_dim(Walk *w, const Expr *e, bool binds) {
    const Expr *first = e;
    while (first->kind == EXPR_BINARY)
        first = first->binary.lhs;
    bool is_new = binds && first->kind == EXPR_NAME && !find_local(w, first->name) &&
                  first->name[0] >= 'a' && !global_of(w->n, w->n->module, first->name);
    if (is_new)
        bind(w, DEF_SIZE, first->name, first->span, NULL, false);
    if (!is_new || first != e)
        walk_value(w, e);
}

static void walk_type(Walk *w, const TypeExpr *t, bool binds_sizes) {
    if (!t)
        return;
    switch (t->kind) {
    case TE_NAME: {
        const Def *local = t->name.module ? NULL : find_local(w, t->name.name);
        if (local)
            add_use(w->n, head_of(t->span, t->name.name), t->name.name, local, false);
        else if (strcmp(t->name.name, "_") != 0)
            use_path(w, t->span, t->name.module, t->name.name, search_type);
        for (int i = 0; i < t->name.args.len; i++)
            walk_type(w, t->name.args.at[i], binds_sizes);
        return;
    }
    case TE_ARRAY:
        for (int i = 0; i < t->array.dims.len; i++)
            walk_dim(w, t->array.dims.at[i], binds_sizes);
        walk_type(w, t->array.elem, binds_sizes);
        return;
    case TE_TUPLE: walk_items(w, &t->tuple, binds_sizes); return;
    case TE_FN:
        walk_items(w, &t->fn.params, false);
        walk_type(w, t->fn.result, false);
        return;
    }
}

static void walk_pattern(Walk *w, const Pattern *p, bool is_var, const TypeExpr *type);

/* The parts of a constructor; named ones are its fields. */
static void walk_ctor_pattern(Walk *w, const Pattern *p, bool is_var) {
    use_path(w, p->span, p->ctor.module, p->ctor.name, search_value);
    const Use *use = &w->n->uses.at[w->n->uses.len - 1];
    const Def *def = use->def;
    const TypeItemList *parts = !def || !def->decl || def->decl->kind != DECL_TYPE ? NULL
                                : def->ctor ? &def->ctor->payload : &def->decl->type.fields;
    for (int i = 0; i < p->ctor.items.len; i++) {
        const PatternItem *item = &p->ctor.items.at[i];
        for (int k = 0; item->name && parts && k < parts->len; k++)
            if (parts->at[k].name == item->name)
                add_use(w->n, item->name_span, item->name, names_of_item(w->n, def->decl, &parts->at[k]), false);
        walk_pattern(w, item->pattern, is_var, NULL);
    }
}

/* `A | B` binds the same names in each alternative. */
static void walk_alternatives(Walk *w, const Pattern *p, bool is_var) {
    int before = w->scope.len;
    for (int i = 0; i < p->items.len; i++) {
        int first = w->scope.len;
        walk_pattern(w, p->items.at[i], is_var, NULL);
        for (int k = first; i && k < w->scope.len; k++)
            for (int j = before; j < first; j++)
                if (w->scope.at[j]->name == w->scope.at[k]->name) {
                    for (int u = w->n->uses.len; u-- > 0;)
                        if (w->n->uses.at[u].def == w->scope.at[k])
                            w->n->uses.at[u].def = w->scope.at[j];
                    w->scope.at[k] = w->scope.at[j];
                }
    }
}

static void walk_pattern(Walk *w, const Pattern *p, bool is_var, const TypeExpr *type) {
    switch (p->kind) {
    case PAT_NAME: {
        const Def *global = find_local(w, p->name) ? NULL : search_tiers(w->n, w->n->module, p->name, search_value);
        bool names = global && ((global->kind == DEF_CTOR && !global->ctor->payload.len) ||
                                global->kind == DEF_CONST);
        if (names && !is_var)
            add_use(w->n, p->span, p->name, global, false);
        else if (p->name[0] != '#')
            bind(w, DEF_LET, p->name, p->span, type, is_var);
        return;
    }
    case PAT_TUPLE:
        for (int i = 0; i < p->items.len; i++)
            walk_pattern(w, p->items.at[i], is_var, NULL);
        return;
    case PAT_OR: walk_alternatives(w, p, is_var); return;
    case PAT_CTOR: walk_ctor_pattern(w, p, is_var); return;
    case PAT_WILD: case PAT_LITERAL: case PAT_RANGE: case PAT_ERROR: return;
    }
}

/* ---- calls ---- */

/* What a named argument of a call stands for. */
static const Def *argument_of(Names *n, const Def *callee, Name name) {
    if (!callee || !callee->decl)
        return NULL;
    const Decl *d = callee->decl;
    if (d->kind == DECL_TYPE) {
        const TypeItemList *items = callee->ctor ? &callee->ctor->payload : &d->type.fields;
        bool has_items = callee->ctor || d->type.kind == TYPEDEF_RECORD;
        for (int i = 0; has_items && i < items->len; i++)
            if (items->at[i].name == name)
                return names_of_item(n, d, &items->at[i]);
        return NULL;
    }
    const DeclList *all = d->owner ? &d->owner->actor.items : &d->module->decls;
    for (int k = 0; k < all->len; k++) {
        const ParamList *params = names_params(all->at[k]);
        bool same = all->at[k] == d || (callee->kind == DEF_FN && all->at[k]->name == d->name);
        for (int i = 0; same && i < params->len; i++)
            if (params->at[i].name == name)
                return def_of_param(n, all->at[k], &params->at[i]);
    }
    return NULL;
}

static void walk_args(Walk *w, const ArgList *args, const Def *callee) {
    for (int i = 0; i < args->len; i++) {
        const Arg *a = &args->at[i];
        if (a->name && a->name_span.to)
            add_use(w->n, a->name_span, a->name, argument_of(w->n, callee, a->name), false);
        walk_value(w, a->value);
    }
}

/* Walks what is called; its definition, where a name says it. */
static const Def *walk_callee(Walk *w, const Expr *fn, int args) {
    int before = w->n->uses.len;
    walk_value(w, fn);
    if ((fn->kind != EXPR_NAME && fn->kind != EXPR_FIELD) || w->n->uses.len == before)
        return NULL;
    Use *use = &w->n->uses.at[w->n->uses.len - 1];
    use->args = args;
    return use->def;
}

static void walk_field(Walk *w, const Expr *e) {
    const Expr *base = e->field.base;
    Module *m = base->kind == EXPR_NAME && !find_local(w, base->name)
                    ? import_of(w->n, w->n->module, base->name) : NULL;
    walk_value(w, base);
    const Def *def = NULL;
    if (m) {
        def = search_value(w->n, m, e->field.name);
        def = def ? def : search_type(w->n, m, e->field.name);
    }
    add_use(w->n, e->field.name_span, e->field.name, def, false);
    if (!m)
        w->n->uses.at[w->n->uses.len - 1].base = base;
}

static void walk_message(Walk *w, const Expr *e) {
    walk_value(w, e->send.to);
    add_use(w->n, e->send.message_span, e->send.message, NULL, false);
    int use = w->n->uses.len - 1;
    w->n->uses.at[use].base = e->send.to;
    w->n->uses.at[use].is_message = true;
    w->n->uses.at[use].args = e->send.args.len;
    walk_args(w, &e->send.args, NULL);
}

static void walk_spawn(Walk *w, const Expr *e) {
    Span at = e->spawn.actor_span;
    use_path(w, at, e->spawn.module, e->spawn.actor, search_type);
    Use *use = &w->n->uses.at[w->n->uses.len - 1];
    use->args = e->spawn.args.len;
    walk_args(w, &e->spawn.args, use->def);
}

/* ---- expressions that bind ---- */

static void walk_clauses(Walk *w, const ClauseList *clauses) {
    for (int i = 0; i < clauses->len; i++) {
        walk_value(w, clauses->at[i].source);
        walk_pattern(w, clauses->at[i].pattern, false, NULL);
    }
}

static void walk_list(Walk *w, const ExprList *list) {
    for (int i = 0; i < list->len; i++)
        walk_value(w, list->at[i]);
}

static void walk_block(Walk *w, const ExprList *list) {
    int locals = w->scope.len;
    walk_list(w, list);
    w->scope.len = locals;
}

static void walk_comprehension(Walk *w, const Expr *e) {
    int locals = w->scope.len;
    walk_clauses(w, &e->comp.clauses);
    walk_value(w, e->comp.body);
    if (e->comp.cond)
        walk_value(w, e->comp.cond);
    w->scope.len = locals;
}

static void walk_params(Walk *w, const ParamList *params) {
    for (int i = 0; i < params->len; i++) {
        const Param *p = &params->at[i];
        if (p->type)
            walk_type(w, p->type, true);
        if (p->init)
            walk_value(w, p->init);
        if (p->name && p->name[0] == '#')
            continue;
        int before = w->scope.len;
        walk_pattern(w, p->pattern, true, p->type);
        if (p->name && w->scope.len > before) {
            Def *def = w->scope.at[before];
            def->kind = DEF_PARAM;
            def->is_var = false;
        }
    }
}

static void walk_lambda(Walk *w, const Expr *e) {
    int locals = w->scope.len;
    walk_params(w, &e->lambda.params);
    walk_value(w, e->lambda.body);
    w->scope.len = locals;
}

static void walk_match(Walk *w, const Expr *e) {
    walk_value(w, e->match.subject);
    for (int i = 0; i < e->match.arms.len; i++) {
        const Arm *arm = &e->match.arms.at[i];
        int locals = w->scope.len;
        uint32_t end = w->scope_end;
        w->scope_end = arm->span.to;
        walk_pattern(w, arm->pattern, false, NULL);
        if (arm->guard)
            walk_value(w, arm->guard);
        walk_value(w, arm->body);
        w->scope.len = locals;
        w->scope_end = end;
    }
}

static void walk_loop(Walk *w, const Expr *e) {
    int locals = w->scope.len;
    for (int i = 0; i < e->loop.vars.len; i++) {
        const LoopVar *v = &e->loop.vars.at[i];
        walk_type(w, v->type, false);
        walk_value(w, v->init);
    }
    if (e->loop.source)
        walk_value(w, e->loop.source);
    for (int i = 0; i < e->loop.vars.len; i++)
        walk_pattern(w, e->loop.vars.at[i].pattern, true, e->loop.vars.at[i].type);
    if (e->loop.pattern)
        walk_pattern(w, e->loop.pattern, false, NULL);
    if (e->loop.cond)
        walk_value(w, e->loop.cond);
    walk_value(w, e->loop.body);
    w->scope.len = locals;
}

static void walk_for(Walk *w, const Expr *e) {
    int locals = w->scope.len;
    walk_clauses(w, &e->for_loop.clauses);
    walk_value(w, e->for_loop.body);
    w->scope.len = locals;
}

static void walk_attrs(Walk *w, const AttrList *attrs) {
    for (int i = 0; i < attrs->len; i++)
        for (int k = 0; k < attrs->at[i].args.len; k++)
            if (attrs->at[i].args.at[k].name) /* a bare word is no name */
                walk_value(w, attrs->at[i].args.at[k].value);
}

static void walk_let(Walk *w, const Expr *e) {
    walk_attrs(w, &e->let.attrs);
    walk_type(w, e->let.type, false);
    walk_value(w, e->let.value);
    walk_pattern(w, e->let.pattern, e->let.is_var, e->let.type);
}

static void walk_string(Walk *w, const Expr *e) {
    for (int i = 0; i < e->string.len; i++)
        if (e->string.at[i].hole)
            walk_value(w, e->string.at[i].hole);
}

/* The expressions inside an expression that bind nothing. */
static void walk_parts(Walk *w, const Expr *e) {
    switch ((int)e->kind) {
    case EXPR_RANGE: walk_value(w, e->range.lo); walk_value(w, e->range.hi); walk_value(w, e->range.by); return;
    case EXPR_UNARY: walk_value(w, e->unary.operand); return;
    case EXPR_BINARY: walk_value(w, e->binary.lhs); walk_value(w, e->binary.rhs); return;
    case EXPR_INDEX: walk_value(w, e->index.base); walk_list(w, &e->index.items); return;
    case EXPR_TUPLE_FIELD: walk_value(w, e->tuple_field.base); return;
    case EXPR_PIPE: walk_value(w, e->pipe.lhs); walk_value(w, e->pipe.rhs); return;
    case EXPR_WITH_AT: walk_value(w, e->with_at.base); walk_list(w, &e->with_at.items); walk_value(w, e->with_at.value); return;
    case EXPR_IF: walk_value(w, e->branch.cond); walk_value(w, e->branch.then); walk_value(w, e->branch.otherwise); return;
    case EXPR_TRY: walk_value(w, e->attempt.tried); walk_value(w, e->attempt.otherwise); return;
    case EXPR_WITHIN: case EXPR_AFTER: walk_value(w, e->timed.message); walk_value(w, e->timed.time); return;
    case EXPR_ASSIGN: walk_value(w, e->assign.place); walk_value(w, e->assign.value); return;
    case EXPR_WHILE: walk_value(w, e->while_loop.cond); walk_value(w, e->while_loop.body); return;
    case EXPR_ASSERT: walk_value(w, e->assertion.cond); walk_value(w, e->assertion.message); return;
    case EXPR_RETURN: case EXPR_STOP: walk_value(w, e->value); return;
    case EXPR_PAREN: walk_value(w, e->inner); return;
    case EXPR_LIST: walk_list(w, &e->list); return;
    default: return;
    }
}

static void walk_with_fields(Walk *w, const Expr *e) {
    walk_value(w, e->with_fields.base);
    for (int i = 0; i < e->with_fields.fields.len; i++) {
        const Arg *a = &e->with_fields.fields.at[i];
        add_use(w->n, a->name_span, a->name, NULL, false);
        w->n->uses.at[w->n->uses.len - 1].base = e->with_fields.base;
        walk_value(w, a->value);
    }
}

static void walk_value(Walk *w, const Expr *e) {
    if (!e)
        return;
    switch ((int)e->kind) {
    case EXPR_NAME:
        if (e->name[0] != '#')
            add_use(w->n, e->span, e->name, meaning(w, e->name), false);
        return;
    case EXPR_STRING: walk_string(w, e); return;
    case EXPR_TUPLE: walk_args(w, &e->tuple, NULL); return;
    case EXPR_COMPREHENSION: walk_comprehension(w, e); return;
    case EXPR_FIELD: walk_field(w, e); return;
    case EXPR_CALL: walk_args(w, &e->call.args, walk_callee(w, e->call.fn, e->call.args.len)); return;
    case EXPR_WITH_FIELDS: walk_with_fields(w, e); return;
    case EXPR_MATCH: walk_match(w, e); return;
    case EXPR_BLOCK: {
        uint32_t end = w->scope_end;
        w->scope_end = e->span.to;
        walk_block(w, &e->block);
        w->scope_end = end;
        return;
    }
    case EXPR_LOOP: walk_loop(w, e); return;
    case EXPR_LAMBDA: walk_lambda(w, e); return;
    case EXPR_SEND: case EXPR_ASK: walk_message(w, e); return;
    case EXPR_SPAWN: walk_spawn(w, e); return;
    case EXPR_LET: walk_let(w, e); return;
    case EXPR_FOR: walk_for(w, e); return;
    default: walk_parts(w, e);
    }
}

/* ---- declarations ---- */

/* Type parameters have no spans of their own: they stand in brackets behind the name. */
static void bind_type_params(Walk *w, const Decl *d, const NameList *params) {
    const Source *source = w->n->module->source;
    const char *text = source->text + (d->name_span.to - source->base);
    text = strchr(text, '[');
    for (int i = 0; i < params->len && text; i++) {
        const char *at = strstr(text, params->at[i]);
        if (!at)
            return;
        Span span = {source->base + (uint32_t)(at - source->text), 0};
        span.to = span.from + (uint32_t)strlen(params->at[i]);
        bind(w, DEF_TYPE_PARAM, params->at[i], span, NULL, false);
        text = at + strlen(params->at[i]);
    }
}

static void walk_type_decl(Walk *w, const Decl *d) {
    bind_type_params(w, d, &d->type.params);
    walk_type(w, d->type.alias, false);
    for (int i = 0; d->type.kind == TYPEDEF_RECORD && i < d->type.fields.len; i++) {
        const TypeItem *item = &d->type.fields.at[i];
        add_use(w->n, item->name_span, item->name, names_of_item(w->n, d, item), true);
        walk_type(w, item->type, false);
    }
    for (int c = 0; d->type.kind == TYPEDEF_SUM && c < d->type.ctors.len; c++) {
        const Ctor *ctor = &d->type.ctors.at[c];
        add_use(w->n, ctor->span, ctor->name, def_of_ctor(w->n, d, ctor), true);
        for (int i = 0; i < ctor->payload.len; i++) {
            const TypeItem *item = &ctor->payload.at[i];
            if (item->name)
                add_use(w->n, item->name_span, item->name, names_of_item(w->n, d, item), true);
            walk_type(w, item->type, false);
        }
    }
}

static void declare_params(Walk *w, const Decl *d, const ParamList *params) {
    for (int i = 0; i < params->len; i++) {
        const Param *p = &params->at[i];
        walk_type(w, p->type, true);
        if (p->init)
            walk_value(w, p->init);
        if (!p->name)
            continue;
        Def *def = (Def *)def_of_param(w->n, d, p);
        vec_push(w->n->arena, &w->scope, def);
        add_use(w->n, def->span, p->name, def, true);
    }
}

static void walk_function(Walk *w, const Decl *d) {
    int locals = w->scope.len;
    const Decl *outer = w->decl;
    w->decl = d;
    w->scope_end = d->span.to;
    bind_type_params(w, d, &d->fn.type_params);
    declare_params(w, d, &d->fn.params);
    walk_type(w, d->fn.result, true);
    if (d->kind == DECL_TIMER)
        walk_value(w, d->fn.period);
    walk_value(w, d->fn.body);
    w->scope.len = locals;
    w->decl = outer;
}

/* State fields, helpers and what an actor's body shows of itself. */
static void declare_items(Walk *w, const Decl *d) {
    static const char *const shown[] = {"peers", "index", "sender", "sent"};
    for (int i = 0; i < ARRAY_LEN(shown); i++) {
        Name name = name_cstr(w->n->c->names, shown[i]);
        vec_push(w->n->arena, &w->scope, (Def *)def_of_builtin(w->n, DEF_BUILTIN, name, "of the actor at hand"));
    }
    for (int i = 0; i < d->actor.items.len; i++) {
        Decl *item = d->actor.items.at[i];
        if (item->kind == DECL_STATE || item->kind == DECL_FN)
            vec_push(w->n->arena, &w->scope, (Def *)names_of_decl(w->n, item));
    }
}

static void walk_decl(Walk *w, const Decl *d);

static void walk_actor(Walk *w, const Decl *d) {
    bind_type_params(w, d, &d->actor.type_params);
    declare_params(w, d, &d->actor.params);
    declare_items(w, d);
    for (int i = 0; i < d->actor.items.len; i++)
        walk_decl(w, d->actor.items.at[i]);
}

static void walk_import(Walk *w, const Decl *d) {
    if (!d->import.module)
        return;
    Span at = d->name_span; /* the path */
    if (d->import.as && d->span.to > at.to)
        add_use(w->n, tail_of(d->span, d->import.as), d->import.as,
                def_of_module(w->n, d->import.module, d->import.as), true);
    add_use(w->n, at, names_of_import(w->n->c, d),
            def_of_module(w->n, d->import.module, names_of_import(w->n->c, d)), false);
}

static void walk_decl(Walk *w, const Decl *d) {
    int locals = w->scope.len;
    w->decl = d;
    w->scope_end = d->span.to;
    walk_attrs(w, &d->attrs);
    if (d->name && d->kind != DECL_IMPORT && !(d->kind == DECL_FN && d->fn.op != OP_COUNT))
        add_use(w->n, d->name_span, d->name, names_of_decl(w->n, d), true);
    switch (d->kind) {
    case DECL_IMPORT: walk_import(w, d); break;
    case DECL_CONST: case DECL_STATE:
        walk_type(w, d->constant.type, false);
        walk_value(w, d->constant.value);
        break;
    case DECL_TYPE: walk_type_decl(w, d); break;
    case DECL_ACTOR: walk_actor(w, d); break;
    case DECL_FN: case DECL_DAG: case DECL_MAIN: case DECL_TEST: case DECL_HANDLER:
    case DECL_LIFECYCLE: case DECL_TIMER:
        walk_function(w, d);
        break;
    }
    w->scope.len = locals;
}

/* ---- members without types ---- */

/* The one field or message of this name that the modules have; NULL if there are none or several. */
static const Def *only_member(Names *n, Name name, bool is_message) {
    const Def *only = NULL;
    int found = 0;
    for (int i = 0; i < n->c->modules.len; i++)
        for (int k = 0; k < n->c->modules.at[i]->decls.len; k++) {
            const Decl *d = n->c->modules.at[i]->decls.at[k];
            bool record = d->kind == DECL_TYPE && d->type.kind == TYPEDEF_RECORD && !is_message;
            for (int f = 0; record && f < d->type.fields.len; f++)
                if (d->type.fields.at[f].name == name)
                    found++, only = names_of_item(n, d, &d->type.fields.at[f]);
            for (int f = 0; d->kind == DECL_ACTOR && is_message && f < d->actor.items.len; f++)
                if (d->actor.items.at[f]->kind == DECL_HANDLER && d->actor.items.at[f]->name == name)
                    found++, only = names_of_decl(n, d->actor.items.at[f]);
        }
    return found == 1 ? only : NULL;
}

static int by_place(const void *a, const void *b) {
    const Use *x = a, *y = b;
    return x->at.from < y->at.from ? -1 : x->at.from > y->at.from;
}

/* The checker sets these when it runs; here nothing is checked. */
static void link_owners(Module *m) {
    for (int i = 0; i < m->decls.len; i++) {
        Decl *d = m->decls.at[i];
        d->module = m;
        for (int k = 0; d->kind == DECL_ACTOR && k < d->actor.items.len; k++) {
            d->actor.items.at[k]->module = m;
            d->actor.items.at[k]->owner = d;
        }
    }
}

Names *names_resolve(Compiler *c, Module *module) {
    Names *n = NEW(c->arena, Names);
    *n = (Names){.arena = c->arena, .c = c, .module = module};
    for (int i = 0; i < c->modules.len; i++)
        link_owners(c->modules.at[i]);
    Walk w = {.n = n};
    for (int i = 0; i < module->decls.len; i++)
        walk_decl(&w, module->decls.at[i]);
    for (int i = 0; i < n->uses.len; i++)
        if (!n->uses.at[i].def && n->uses.at[i].base)
            n->uses.at[i].def = only_member(n, n->uses.at[i].name, n->uses.at[i].is_message);
    if (n->uses.len)
        qsort(n->uses.at, (size_t)n->uses.len, sizeof *n->uses.at, by_place);
    return n;
}

const Use *names_use_at(const Names *n, uint32_t position) {
    const Use *found = NULL;
    for (int i = 0; i < n->uses.len && n->uses.at[i].at.from <= position; i++)
        if (position <= n->uses.at[i].at.to)
            found = &n->uses.at[i];
    return found;
}

const Def *names_def_at(Names *n, Span span) {
    for (int i = 0; i < n->defs.len; i++)
        if (n->defs.at[i]->span.from == span.from && n->defs.at[i]->span.to == span.to)
            return n->defs.at[i];
    return NULL;
}
