/* Functions that nobody calls and whose parameters have no types: their names are resolved, no more. */
#include "check.h"

#include <string.h>

void bound_names(Checker *ck, const Pattern *p, NameList *out) {
    switch (p->kind) {
    case PAT_NAME: vec_push(ck->arena, out, p->name); return;
    case PAT_TUPLE:
    case PAT_OR:
        for (int i = 0; i < p->items.len; i++)
            bound_names(ck, p->items.at[i], out);
        return;
    case PAT_CTOR:
        for (int i = 0; i < p->ctor.items.len; i++)
            bound_names(ck, p->ctor.items.at[i].pattern, out);
        return;
    default: return;
    }
}

typedef struct {
    Checker *ck;
    NameList *out;
} Gather;

static void gather_dims(Checker *ck, const TypeExpr *te, NameList *out) {
    if (!te)
        return;
    if (te->kind == TE_ARRAY) {
        for (int i = 0; i < te->array.dims.len; i++) {
            const Expr *e = te->array.dims.at[i];
            if (e->kind == EXPR_BINARY)
                e = e->binary.lhs;
            if (e->kind == EXPR_NAME)
                vec_push(ck->arena, out, e->name);
        }
        gather_dims(ck, te->array.elem, out);
    }
    for (int i = 0; te->kind == TE_TUPLE && i < te->tuple.len; i++)
        gather_dims(ck, te->tuple.at[i].type, out);
}

/* Every name bound anywhere in a body; scopes are not told apart here. */
static bool visit_bound(const Expr *e, void *ctx) {
    Gather *g = ctx;
    switch ((int)e->kind) {
    case EXPR_LET:
        bound_names(g->ck, e->let.pattern, g->out);
        gather_dims(g->ck, e->let.type, g->out);
        break;
    case EXPR_FOR:
        for (int i = 0; i < e->for_loop.clauses.len; i++)
            bound_names(g->ck, e->for_loop.clauses.at[i].pattern, g->out);
        break;
    case EXPR_COMPREHENSION:
        for (int i = 0; i < e->comp.clauses.len; i++)
            bound_names(g->ck, e->comp.clauses.at[i].pattern, g->out);
        break;
    case EXPR_LAMBDA:
        for (int i = 0; i < e->lambda.params.len; i++) {
            bound_names(g->ck, e->lambda.params.at[i].pattern, g->out);
            gather_dims(g->ck, e->lambda.params.at[i].type, g->out);
        }
        break;
    case EXPR_MATCH:
        for (int i = 0; i < e->match.arms.len; i++)
            bound_names(g->ck, e->match.arms.at[i].pattern, g->out);
        break;
    case EXPR_LOOP:
        for (int i = 0; i < e->loop.vars.len; i++)
            bound_names(g->ck, e->loop.vars.at[i].pattern, g->out);
        if (e->loop.pattern)
            bound_names(g->ck, e->loop.pattern, g->out);
        break;
    default: break;
    }
    return true;
}

static bool is_known(Checker *ck, Module *m, Name name, const NameList *bound) {
    int ctor;
    for (int i = 0; i < bound->len; i++)
        if (bound->at[i] == name)
            return true;
    return find_fnset(ck, m, name) || find_decl(ck, m, name, DECL_CONST) ||
           find_ctor(ck, m, NULL, name, &ctor) || find_import(ck, m, name) ||
           find_decl(ck, m, name, DECL_ACTOR);
}

typedef struct {
    Checker *ck;
    const NameList *bound;
    const Decl *d;
} Resolve;

static bool visit_names(const Expr *e, void *ctx) {
    Resolve *r = ctx;
    Module *m = r->d->module;
    if (e->kind == EXPR_NAME && !is_known(r->ck, m, e->name, r->bound)) {
        bool scalar = false;
        for (TypeKind k = TYPE_BOOL; k < TYPE_POISON; k++)
            scalar |= !strcmp(text_of(r->ck, basic(r->ck, k)), e->name);
        if (!scalar)
            check_name(r->ck, e->name, e->span);
    }
    return true;
}

void resolve_uncalled(Checker *ck, const Decl *d) {
    NameList bound = {0};
    Gather g = {ck, &bound};
    root_begin(ck);
    FnCtx ctx = {.module = d->module, .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    IrFunc *func = ir_func_new(ck->c->ir, "unused", d->span);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = func, .region = func->body, .span = d->span};
    ck->fn = &ctx;
    for (int i = 0; i < d->fn.params.len; i++) {
        bound_names(ck, d->fn.params.at[i].pattern, &bound);
        gather_dims(ck, d->fn.params.at[i].type, &bound);
    }
    gather_dims(ck, d->fn.result, &bound);
    walk_expr(d->fn.body, visit_bound, &g);
    Resolve r = {ck, &bound, d};
    int locals = ck->locals.len;
    for (int i = 0; i < bound.len; i++) /* for suggestions */
        local_add(ck, bound.at[i], val_poison(ck), d->span, false);
    walk_expr(d->fn.body, visit_names, &r);
    ck->locals.len = locals;
    root_discard(ck, func);
    ck->fn = NULL;
}
