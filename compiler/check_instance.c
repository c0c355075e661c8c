/* Functions of the IR: recursive callees and large ones that are called again, one for each list of
   argument types. Everything else is evaluated in its caller's place. */
#include "check.h"

#include <string.h>

enum { MAX_INSTANCES = 4096, SHARE_SIZE = 400 };

typedef struct {
    Checker *ck;
    const Decl *target;
    Module *module;
    VEC(const Decl *) seen;
    NameList locals; /* parameters and locals in scope: their names are no functions' */
    bool found;
} Reach;

static void reach_decl(Reach *r, const Decl *d);

static bool is_local(const Reach *r, Name name) {
    for (int i = 0; i < r->locals.len; i++)
        if (r->locals.at[i] == name)
            return true;
    return false;
}

static void reach_name(Reach *r, Module *m, Name name) {
    FnSet *set = find_fnset(r->ck, m, name);
    if (!set)
        return;
    for (int i = 0; i < set->own.len; i++)
        reach_decl(r, set->own.at[i]);
    for (int i = 0; i < set->imported.len; i++)
        reach_decl(r, set->imported.at[i]);
    for (int i = 0; i < set->prelude.len; i++)
        reach_decl(r, set->prelude.at[i]);
}

static bool visit_reach(const Expr *e, void *ctx);

static void bind(Reach *r, const Pattern *p) {
    if (p)
        bound_names(r->ck, p, &r->locals);
}

static void reach_block(Reach *r, const ExprList *block) {
    for (int i = 0; i < block->len; i++) {
        walk_expr(block->at[i], visit_reach, r);
        if (block->at[i]->kind == EXPR_LET)
            bind(r, block->at[i]->let.pattern);
    }
}

/* Clauses see the names of those before them. */
static void reach_clauses(Reach *r, const ClauseList *clauses) {
    for (int i = 0; i < clauses->len; i++) {
        walk_expr(clauses->at[i].source, visit_reach, r);
        bind(r, clauses->at[i].pattern);
    }
}

static void reach_match(Reach *r, const Expr *e) {
    int mark = r->locals.len;
    walk_expr(e->match.subject, visit_reach, r);
    for (int i = 0; i < e->match.arms.len; i++) {
        bind(r, e->match.arms.at[i].pattern);
        walk_expr(e->match.arms.at[i].guard, visit_reach, r);
        walk_expr(e->match.arms.at[i].body, visit_reach, r);
        r->locals.len = mark;
    }
}

static void reach_loop(Reach *r, const Expr *e) {
    for (int i = 0; i < e->loop.vars.len; i++)
        walk_expr(e->loop.vars.at[i].init, visit_reach, r);
    walk_expr(e->loop.source, visit_reach, r);
    for (int i = 0; i < e->loop.vars.len; i++)
        bind(r, e->loop.vars.at[i].pattern);
    bind(r, e->loop.pattern);
    walk_expr(e->loop.cond, visit_reach, r);
    walk_expr(e->loop.body, visit_reach, r);
}

/* What binds names; false for all else. */
static bool reach_scope(Reach *r, const Expr *e) {
    int mark = r->locals.len;
    switch ((int)e->kind) {
    case EXPR_BLOCK: reach_block(r, &e->block); break;
    case EXPR_MATCH: reach_match(r, e); break;
    case EXPR_LOOP: reach_loop(r, e); break;
    case EXPR_COMPREHENSION:
        reach_clauses(r, &e->comp.clauses);
        walk_expr(e->comp.cond, visit_reach, r);
        walk_expr(e->comp.body, visit_reach, r);
        break;
    case EXPR_FOR:
        reach_clauses(r, &e->for_loop.clauses);
        walk_expr(e->for_loop.body, visit_reach, r);
        break;
    case EXPR_LAMBDA:
        for (int i = 0; i < e->lambda.params.len; i++)
            bind(r, e->lambda.params.at[i].pattern);
        walk_expr(e->lambda.body, visit_reach, r);
        break;
    default: return false;
    }
    r->locals.len = mark;
    return true;
}

static bool visit_reach(const Expr *e, void *ctx) {
    Reach *r = ctx;
    if (r->found || reach_scope(r, e))
        return false;
    if (e->kind == EXPR_NAME && !is_local(r, e->name))
        reach_name(r, r->module, e->name);
    if (e->kind == EXPR_FIELD && e->field.base->kind == EXPR_NAME) {
        Module *m = find_import(r->ck, r->module, e->field.base->name);
        if (m)
            reach_name(r, m, e->field.name);
    }
    return !r->found;
}

static void reach_body(Reach *r, const Decl *d) {
    NameList outer = r->locals;
    r->locals = (NameList){0};
    for (int i = 0; i < d->fn.params.len; i++)
        bind(r, d->fn.params.at[i].pattern);
    walk_expr(d->fn.body, visit_reach, r);
    r->locals = outer;
}

static void reach_decl(Reach *r, const Decl *d) {
    if (d == r->target) {
        r->found = true;
        return;
    }
    if (d->module != r->target->module && !r->target->module->is_prelude &&
        d->module->is_stdlib)
        return; /* the library does not call the program */
    for (int i = 0; i < r->seen.len; i++)
        if (r->seen.at[i] == d)
            return;
    vec_push(r->ck->arena, &r->seen, d);
    Module *outer = r->module;
    r->module = d->module;
    reach_body(r, d);
    r->module = outer;
}

/* May d call itself, directly or through others? By names, so too often rather than too seldom. */
static bool is_recursive(Checker *ck, const Decl *d) {
    for (Instance *i = ck->instances; i; i = i->next)
        if (i->decl == d && i->ntypes == -1)
            return i->busy;
    Reach r = {.ck = ck, .target = d, .module = d->module};
    reach_body(&r, d);
    Instance *memo = NEW(ck->arena, Instance);
    *memo = (Instance){.decl = d, .ntypes = -1, .busy = r.found, .next = ck->instances};
    ck->instances = memo;
    return r.found;
}

static bool same_types(Checker *ck, const Instance *inst, const Args *args, const int *at) {
    int n = params_of(inst->decl)->len;
    if (inst->ntypes != n)
        return false;
    for (int k = 0; k < n; k++) {
        Type *type = at[k] >= 0 ? type_of(ck, args->vals[at[k]]) : NULL;
        if (inst->types[k] != type)
            return false;
        int64_t known;
        if (params_of(inst->decl)->at[k].is_const && at[k] >= 0 &&
            fold_const(ck, args->vals[at[k]], &known) && inst->consts[k] != known)
            return false;
    }
    return true;
}

static Instance *instance_find(Checker *ck, const Decl *d, const Args *args, const int *at) {
    for (Instance *i = ck->instances; i; i = i->next)
        if (i->decl == d && i->ntypes >= 0 && same_types(ck, i, args, at))
            return i;
    return NULL;
}

static Instance *instance_new(Checker *ck, const Decl *d, const Args *args, const int *at) {
    int n = params_of(d)->len;
    Instance *inst = NEW(ck->arena, Instance);
    *inst = (Instance){.decl = d, .ntypes = n, .next = ck->instances};
    inst->types = NEW_ARRAY(ck->arena, Type *, n + 1);
    inst->consts = NEW_ARRAY(ck->arena, int64_t, n + 1);
    for (int k = 0; k < n; k++) {
        inst->types[k] = at[k] >= 0 ? type_of(ck, args->vals[at[k]]) : NULL;
        if (params_of(d)->at[k].is_const && at[k] >= 0)
            fold_const(ck, args->vals[at[k]], &inst->consts[k]);
    }
    return ck->instances = inst;
}

void settle_literals(Checker *ck, Type *type) {
    type = type_resolve(ck->ts, type);
    if (type->kind == TYPE_VAR && type->var != VAR_ANY)
        type_unify(ck->ts, type, basic(ck, type->var == VAR_INT ? TYPE_I64 : TYPE_F64));
    if (!type->has_var || type->kind == TYPE_VAR)
        return;
    if (type->kind == TYPE_ARRAY)
        settle_literals(ck, type->elem);
    for (int i = 0; i < type->nargs; i++)
        settle_literals(ck, type->args[i]);
    for (int i = 0; i < type->count && type->kind == TYPE_TUPLE; i++)
        settle_literals(ck, type->items[i]);
}

/* The same where the parameter's written type leaves it open; what is written decides later. */
static void settle_open(Checker *ck, const Decl *d, const TypeExpr *te, Type *type) {
    type = type_resolve(ck->ts, type);
    if (!te || type_fit(ck, te, type, &d->fn.type_params) != 1)
        return;
    if (is_generic(&d->fn.type_params, te))
        settle_literals(ck, type);
    else if (te->kind == TE_ARRAY && type->kind == TYPE_ARRAY)
        settle_open(ck, d, te->array.elem, type->elem);
    else if (te->kind == TE_TUPLE && type->kind == TYPE_TUPLE && te->tuple.len == type->count)
        for (int i = 0; i < type->count; i++)
            settle_open(ck, d, te->tuple.at[i].type, type->items[i]);
    else if (te->kind == TE_NAME)
        for (int i = 0; i < type->nargs && i < te->name.args.len; i++)
            settle_open(ck, d, te->name.args.at[i], type->args[i]);
}

/* Literals among the arguments take the parameter's written type, or their default. */
static void settle_args(Checker *ck, const Decl *d, Args *args, const int *at) {
    const ParamList *params = params_of(d);
    FnCtx ctx = signature_ctx(ck, d);
    ck->fn = &ctx;
    for (int k = 0; k < params->len; k++) {
        if (at[k] < 0)
            continue;
        Val *v = &args->vals[at[k]];
        const TypeExpr *te = params->at[k].type;
        if (te && te->kind == TE_NAME && type_fit(ck, te, type_of(ck, *v), &d->fn.type_params) == 2)
            *v = coerce(ck, *v, eval_type(ck, te), args->spans[at[k]], "this argument");
        if (type_of(ck, *v)->kind == TYPE_VAR)
            settle_literals(ck, v->type);
    }
    ck->fn = ctx.outer;
}

/* A call from within d that no instance fits: literals inside its arguments are decided too, as else
   each round would have types of its own. */
static void settle_round(Checker *ck, const Decl *d, Args *args, const int *at) {
    bool busy = false;
    for (Instance *i = ck->instances; i && !busy; i = i->next)
        busy = i->decl == d && i->ntypes >= 0 && i->busy;
    const ParamList *params = params_of(d);
    FnCtx ctx = signature_ctx(ck, d);
    ck->fn = &ctx;
    for (int k = 0; busy && k < params->len; k++) {
        if (at[k] < 0)
            continue;
        if (params->at[k].type)
            settle_open(ck, d, params->at[k].type, args->vals[at[k]].type);
        else
            settle_literals(ck, args->vals[at[k]].type);
    }
    ck->fn = ctx.outer;
}

static void fill_instance(Checker *ck, Instance *inst, const Args *args, const int *at) {
    const Decl *d = inst->decl;
    IrBuilder outer = ck->b;
    bool dead = ck->dead;
    int depth = ck->loop_depth;
    inst->func = ir_func_new(ck->c->ir, d->name, d->name_span);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = inst->func, .region = inst->func->body,
                        .span = d->span, .fast = outer.fast};
    ck->dead = false;
    ck->loop_depth = 0;
    Args own = args_make(ck, args->n, args->span);
    memcpy(own.names, args->names, sizeof *own.names * (size_t)args->n);
    memcpy(own.spans, args->spans, sizeof *own.spans * (size_t)args->n);
    for (int k = 0; k < params_of(d)->len; k++) {
        if (at[k] < 0)
            continue;
        int64_t known;
        Val v = args->vals[at[k]];
        IrId param = ir_param(inst->func, inst->func->body, type_of(ck, v));
        if (params_of(d)->at[k].is_const && type_is_scalar(type_of(ck, v))) {
            IrFunc *from = outer.func;
            if (ir_const_int(from, v.id, &known))
                param = ir_int(&ck->b, type_of(ck, v), known);
        }
        own.vals[at[k]] = val(type_of(ck, v), param);
    }
    inst->busy = true;
    Val v = evaluate_callee(ck, d, &own, at, NULL);
    inst->busy = false;
    if (!v.type)
        v = val_unit(ck);
    vec_push(ck->arena, &inst->func->body->results, v.id);
    if (inst->result) /* what the written type left open */
        type_unify(ck->ts, inst->result, type_of(ck, v));
    inst->func->result = type_of(ck, v);
    inst->result = type_of(ck, v);
    for (int i = 0; i < inst->func->body->ops.len; i++)
        inst->func->has_effect |= ir_has_effect(inst->func, inst->func->body->ops.at[i]);
    ck->b = outer;
    ck->dead = dead;
    ck->loop_depth = depth;
}

/* The written result type, evaluated for these arguments. */
static Type *written_result(Checker *ck, const Decl *d, const Args *args, const int *at) {
    const TypeEnv *env = NULL;
    for (int k = 0; k < params_of(d)->len; k++)
        if (at[k] >= 0)
            type_bind(ck, params_of(d)->at[k].type, type_of(ck, args->vals[at[k]]),
                      &d->fn.type_params, &env);
    FnCtx ctx = {.outer = ck->fn, .decl = d, .module = d->module, .types = env,
                 .base = ck->locals.len, .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->fn = &ctx;
    Type *type = eval_type(ck, d->fn.result);
    ck->fn = ctx.outer;
    return type;
}

/* What a written result's shape says about sizes that the arguments have. */
static void assume_result(Checker *ck, const Decl *d, const Args *args, const int *at, Val v) {
    const TypeExpr *te = d->fn.result;
    Type *type = type_of(ck, v);
    if (!te || te->kind != TE_ARRAY || type->kind != TYPE_ARRAY)
        return;
    for (int axis = 0; axis < te->array.dims.len && axis < type->rank; axis++) {
        const Expr *dim = te->array.dims.at[axis];
        if (dim->kind != EXPR_NAME)
            continue;
        for (int k = 0; k < params_of(d)->len; k++) {
            const Param *p = &params_of(d)->at[k];
            if (at[k] < 0 || !p->type)
                continue;
            Val arg = args->vals[at[k]];
            if (p->name == dim->name && type_is_int(type_of(ck, arg)))
                ck_assume_dim(ck, v.id, 0, axis, as_index(ck, arg, p->span));
            for (int x = 0; p->type->kind == TE_ARRAY && x < p->type->array.dims.len; x++)
                if (p->type->array.dims.at[x]->kind == EXPR_NAME &&
                    p->type->array.dims.at[x]->name == dim->name &&
                    type_of(ck, arg)->kind == TYPE_ARRAY)
                    ck_assume_dim(ck, v.id, 0, axis, ck_dim(ck, arg.id, x));
        }
    }
}

static Val call_instance(Checker *ck, const Decl *d, Args *args, const int *at) {
    settle_args(ck, d, args, at);
    Instance *inst = instance_find(ck, d, args, at);
    if (!inst) {
        settle_round(ck, d, args, at);
        inst = instance_find(ck, d, args, at);
    }
    if (!inst || !inst->func) {
        int count = 0;
        for (Instance *i = ck->instances; i; i = i->next)
            count += i->decl == d;
        if (count > MAX_INSTANCES || too_deep(ck, d, args))
            return val_poison(ck);
        if (!inst)
            inst = instance_new(ck, d, args, at);
        if (d->fn.result && !has_fn_type(d->fn.result))
            inst->result = written_result(ck, d, args, at);
        fill_instance(ck, inst, args, at);
        inst->func->is_shared = find_attr(&d->attrs, "shared") != NULL;
    }
    if (!inst->result) {
        Diag *e = ck_error(ck, DIAG_RECURSION_TYPE, args->span,
                           "%s calls itself, so its result type must be written", d->name);
        diag_span(ck->diags, e, d->name_span, "write it here: fn %s(…) -> TYPE", d->name);
        return val_poison(ck);
    }
    if (inst->busy)
        inst->func->is_recursive = true;
    VEC(IrId) ids = {0};
    for (int k = 0; k < params_of(d)->len; k++)
        if (at[k] >= 0)
            vec_push(ck->arena, &ids, args->vals[at[k]].id);
    if (inst->func->has_effect)
        effect_allowed(ck, args->span, d->name);
    IrId id = ir_call(&ck->b, inst->func, ids.at, ids.len);
    ir_op(ck->b.func, id)->type = inst->result;
    Val v = val(inst->result, id);
    assume_result(ck, d, args, at, v);
    return v;
}

static bool has_const_params(const Decl *d) {
    for (int k = 0; k < params_of(d)->len; k++)
        if (params_of(d)->at[k].is_const)
            return true;
    return false;
}

static bool has_literals(Checker *ck, const Args *args) {
    for (int i = 0; i < args->n; i++)
        if (type_of(ck, args->vals[i])->has_var)
            return true;
    return false;
}

/* Large callees that come again with the same types are shared instead of evaluated again, and those
   that say so. */
static bool should_share(Checker *ck, const Decl *d, const Args *args, const int *at) {
    if (has_const_params(d) || has_literals(ck, args) || d->owner || d->kind == DECL_DAG)
        return false;
    if (find_attr(&d->attrs, "shared"))
        return true;
    Instance *inst = instance_find(ck, d, args, at);
    return inst && (inst->func || inst->size > SHARE_SIZE);
}

static void note_called(Checker *ck, const Decl *d) {
    for (int i = ck->called.len - 1; i >= 0; i--)
        if (ck->called.at[i] == d)
            return;
    vec_push(ck->arena, &ck->called, d);
}

Val inline_decl(Checker *ck, const Decl *d, Args *args, const TypeEnv *env) {
    const ParamList *params = params_of(d);
    int *at = NEW_ARRAY(ck->arena, int, params->len + 1);
    note_called(ck, d);
    if (!place_args(d, args, at)) {
        wrong_count(ck, d, args);
        return val_poison(ck);
    }
    for (int i = 0; i < args->n; i++)
        if (is_poison(ck, args->vals[i]))
            return val_poison(ck);
    if (d->kind == DECL_FN && !d->owner && is_recursive(ck, d) && !has_const_params(d))
        return call_instance(ck, d, args, at);
    bool waits = ck->part && exits_of(d->fn.body).asks; /* in the handler itself */
    if (!waits && should_share(ck, d, args, at))
        return call_instance(ck, d, args, at);
    if (too_deep(ck, d, args))
        return val_poison(ck);
    bool plain = d->kind == DECL_FN && !d->owner && !has_literals(ck, args);
    Instance *inst = plain ? instance_find(ck, d, args, at) : NULL;
    if (plain && !inst)
        inst = instance_new(ck, d, args, at);
    int before = ck->b.func->ops.len;
    Val v = evaluate_callee(ck, d, args, at, env);
    if (inst)
        inst->size = ck->b.func->ops.len - before;
    return v;
}
