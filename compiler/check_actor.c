/* Actors: declarations, spawning, messages. Everything is resolved and typed here; their execution is
   the runtime's, and until a scheduler is linked a spawn is a fault. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

static const Decl *handler_of(const Decl *actor, Name message) {
    for (int i = 0; i < actor->actor.items.len; i++)
        if (actor->actor.items.at[i]->kind == DECL_HANDLER &&
            actor->actor.items.at[i]->name == message)
            return actor->actor.items.at[i];
    return NULL;
}

static const Decl *message_handler(Checker *ck, const Decl *actor, Name message, Span span) {
    const Decl *h = handler_of(actor, message);
    if (h)
        return h;
    VEC(Name) names = {0};
    for (int i = 0; i < actor->actor.items.len; i++)
        if (actor->actor.items.at[i]->kind == DECL_HANDLER)
            vec_push(ck->arena, &names, actor->actor.items.at[i]->name);
    Diag *d = ck_error(ck, DIAG_UNKNOWN_MESSAGE, span, "actor %s has no message `%s`", actor->name,
                       message);
    diag_span(ck->diags, d, actor->name_span, "%s is declared here", actor->name);
    Name near = nearest_name(message, names.at, names.len);
    if (near)
        diag_help(ck->diags, d, "did you mean `%s`?", near);
    return NULL;
}

/* Evaluates in the actor's own file. */
static Type *type_in(Checker *ck, const Decl *d, const TypeExpr *te) {
    FnCtx ctx = {.outer = ck->fn, .decl = d, .module = d->module, .base = ck->locals.len,
                 .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->fn = &ctx;
    Type *type = te ? eval_type(ck, te) : type_unit(ck->ts);
    ck->fn = ctx.outer;
    return type_resolve(ck->ts, type);
}

/* A @batch handler's parameters are arrays of what one message carries. */
static Type *message_type(Checker *ck, const Decl *handler, const TypeExpr *te) {
    Type *type = type_in(ck, handler, te);
    if (find_attr(&handler->attrs, "batch") && type->kind == TYPE_ARRAY)
        return type->rank > 1 ? type_array(ck->ts, type->elem, type->rank - 1)
                              : type_resolve(ck->ts, type->elem);
    return type;
}

static void check_argument(Checker *ck, const Decl *h, const Param *p, Val v, Span span, bool many) {
    if (!p->type || is_poison(ck, v))
        return;
    Type *want = message_type(ck, h, p->type), *got = type_of(ck, v);
    bool ok = true;
    if (many && got->kind == TYPE_ARRAY) { /* dealt out, one element each */
        Type *elem = element_type(ck, got);
        bool deals = want->kind == TYPE_ARRAY ? elem->kind == TYPE_ARRAY : elem->kind != TYPE_ARRAY;
        if (deals && (want->kind != TYPE_ARRAY || want->rank == elem->rank) &&
            type_unify(ck->ts, elem, want))
            return;
    }
    convert_to(ck, v, want, &ok);
    if (!ok)
        report_mismatch(ck, want, got, span,
                        arena_printf(ck->arena, "argument `%s` of message %s",
                                     p->name ? p->name : "_", h->name));
}

static void check_arguments(Checker *ck, const Decl *h, const Expr *e, bool many) {
    const ParamList *params = &h->fn.params;
    const ArgList *args = &e->send.args;
    bool *given = NEW_ARRAY(ck->arena, bool, params->len + 1);
    for (int i = 0; i < args->len; i++) {
        int k = i;
        Val v = check_expr(ck, args->at[i].value);
        if (args->at[i].name)
            for (k = 0; k < params->len && params->at[k].name != args->at[i].name; k++)
                ;
        if (k >= params->len || given[k]) {
            const Arg *a = &args->at[i];
            Diag *d = a->name ? ck_error(ck, DIAG_ARGUMENTS, a->name_span,
                                         "message %s has no parameter `%s` left", h->name, a->name)
                              : ck_error(ck, DIAG_ARGUMENTS, a->value->span,
                                         "message %s takes %d argument%s", h->name, params->len,
                                         params->len == 1 ? "" : "s");
            diag_span(ck->diags, d, h->name_span, "declared here");
            return;
        }
        given[k] = true;
        check_argument(ck, h, &params->at[k], v, args->at[i].value->span, many);
    }
    for (int k = 0; k < params->len; k++)
        if (!given[k] && !params->at[k].init) {
            Diag *d = ck_error(ck, DIAG_ARGUMENTS, e->send.message_span,
                               "message %s misses its argument `%s`", h->name,
                               params->at[k].name ? params->at[k].name : "_");
            diag_span(ck->diags, d, h->name_span, "declared here");
            return;
        }
}

/* Programs with actors are compiled; the part that would run them says so when it is reached. */
static void not_run_yet(Checker *ck, Span span) {
    static const char text[] = "this build checks actors but has no scheduler to run them";
    Span outer = ck->b.span;
    ck->b.span = span;
    IrId id = ir_string(&ck->b, text, sizeof text - 1);
    ir_rt(&ck->b, RT_FAIL, type_unit(ck->ts), &id, 1);
    ck->b.span = outer;
}

Val check_send(Checker *ck, const Expr *e) {
    bool asks = e->kind == EXPR_ASK;
    Val to = check_expr(ck, e->send.to);
    Type *type = type_of(ck, to);
    if (type->kind == TYPE_POISON)
        return to;
    bool many = type->kind == TYPE_ARRAY;
    Type *actor = many ? type_resolve(ck->ts, type->elem) : type;
    if (actor->kind != TYPE_ACTOR) {
        Diag *d = ck_error(ck, DIAG_NOT_AN_ACTOR, e->send.to->span,
                           "messages go to actors; this is %s", text_of(ck, type));
        if (asks)
            diag_note(ck->diags, d, "there is no `c ? a : b`: write if c { a } else { b }");
        return val_poison(ck);
    }
    if (!effect_allowed(ck, e->span, asks ? "an ask" : "a send"))
        return val_poison(ck);
    const Decl *h = message_handler(ck, actor->decl, e->send.message, e->send.message_span);
    if (!h)
        return val_poison(ck);
    check_arguments(ck, h, e, many);
    not_run_yet(ck, e->span);
    if (!asks || !h->fn.result)
        return val_unit(ck);
    Type *reply = message_type(ck, h, h->fn.result);
    if (many)
        reply = reply->kind == TYPE_ARRAY ? type_array(ck->ts, reply->elem, type->rank + reply->rank)
                                          : type_array(ck->ts, reply, type->rank);
    IrId id = ir_undef(&ck->b, reply);
    for (int k = 0; many && k < type->rank; k++)
        ck_assume_dim(ck, id, 0, k, ck_dim(ck, to.id, k));
    return val(reply, id);
}

Val check_timed(Checker *ck, const Expr *e) {
    Val v = check_expr(ck, e->timed.message);
    Val time = check_expr(ck, e->timed.time);
    coerce(ck, time, basic(ck, TYPE_DURATION), e->timed.time->span, "this time");
    ExprKind want = e->kind == EXPR_WITHIN ? EXPR_ASK : EXPR_SEND;
    const Expr *m = e->timed.message;
    while (m->kind == EXPR_PAREN)
        m = m->inner;
    if (m->kind != want)
        ck_error(ck, DIAG_NOT_AN_ACTOR, e->timed.message->span,
                 e->kind == EXPR_WITHIN ? "`within` limits an ask, `a ? m()`"
                                        : "`after` delays a send, `a ! m()`");
    return v;
}

Val check_spawn(Checker *ck, const Expr *e) {
    Module *m = ck->fn ? ck->fn->module : ck->c->modules.at[0];
    if (e->spawn.module)
        m = find_import(ck, m, e->spawn.module);
    Decl *d = m ? find_decl(ck, m, e->spawn.actor, DECL_ACTOR) : NULL;
    if (!d) {
        Diag *diag = ck_error(ck, DIAG_UNKNOWN_TYPE, e->spawn.actor_span, "unknown actor `%s`",
                              e->spawn.actor);
        VEC(Name) names = {0};
        for (int i = 0; m && i < m->decls.len; i++)
            if (m->decls.at[i]->kind == DECL_ACTOR)
                vec_push(ck->arena, &names, m->decls.at[i]->name);
        Name near = nearest_name(e->spawn.actor, names.at, names.len);
        if (near)
            diag_help(ck->diags, diag, "did you mean `%s`?", near);
        return val_poison(ck);
    }
    if (!effect_allowed(ck, e->span, "spawn"))
        return val_poison(ck);
    Args args = args_make(ck, e->spawn.args.len, e->span);
    bool *given = NEW_ARRAY(ck->arena, bool, d->actor.params.len + 1);
    for (int i = 0; i < args.n; i++) {
        const Arg *a = &e->spawn.args.at[i];
        Val v = check_expr(ck, a->value);
        int k = i;
        if (a->name)
            for (k = 0; k < d->actor.params.len && d->actor.params.at[k].name != a->name; k++)
                ;
        if (k >= d->actor.params.len || given[k]) {
            Diag *diag =
                a->name ? ck_error(ck, DIAG_ARGUMENTS, a->name_span, "actor %s has no parameter `%s`"
                                   " left", d->name, a->name)
                        : ck_error(ck, DIAG_ARGUMENTS, a->value->span,
                                   "actor %s takes %d argument%s", d->name, d->actor.params.len,
                                   d->actor.params.len == 1 ? "" : "s");
            diag_span(ck->diags, diag, d->name_span, "declared here");
            return val_poison(ck);
        }
        given[k] = true;
        const Param *p = &d->actor.params.at[k];
        if (p->type)
            coerce(ck, v, type_in(ck, d, p->type), a->value->span,
                   arena_printf(ck->arena, "parameter `%s` of %s", p->name, d->name));
    }
    for (int k = 0; k < d->actor.params.len; k++)
        if (!given[k] && !d->actor.params.at[k].init)
            ck_error(ck, DIAG_ARGUMENTS, e->span, "actor %s misses its parameter `%s`", d->name,
                     d->actor.params.at[k].name);
    not_run_yet(ck, e->span);
    Type *type = nominal_instance(ck, d, NULL, 0);
    return val(type, ir_undef(&ck->b, type));
}

/* ---- declarations ---- */

static void add_local(Checker *ck, const char *name, Type *type, bool is_var) {
    IrId id = ir_param(ck->b.func, ck->b.func->body, type);
    int at = local_add(ck, ck_name(ck, name), val(type, id), (Span){0}, is_var);
    ck->locals.at[at].used = true;
}

static void bind_actor_params(Checker *ck, const Decl *d) {
    for (int k = 0; k < d->actor.params.len; k++) {
        const Param *p = &d->actor.params.at[k];
        if (!p->type) {
            ck_error(ck, DIAG_ENTRY_TYPE, p->span, "parameter `%s` of an actor needs a type",
                     p->name ? p->name : "_");
            continue;
        }
        Type *type = type_resolve(ck->ts, eval_type(ck, p->type));
        Val v = val(type, ir_param(ck->b.func, ck->b.func->body, type));
        if (p->init)
            coerce(ck, check_expr(ck, p->init), type, p->init->span, "this default");
        if (p->type->kind != TE_NAME)
            v = coerce_written(ck, v, p->type, p->span, true, "this parameter");
        local_add(ck, p->name, v, p->span, false);
    }
}

/* State fields become variables, in order: each may use the ones before it. */
static void bind_state(Checker *ck, const Decl *d) {
    for (int i = 0; i < d->actor.items.len; i++) {
        const Decl *s = d->actor.items.at[i];
        if (s->kind != DECL_STATE)
            continue;
        Val init = check_expr(ck, s->constant.value);
        Type *type = s->constant.type ? eval_type(ck, s->constant.type) : type_of(ck, init);
        if (s->constant.type)
            coerce_written(ck, init, s->constant.type, s->constant.value->span, false,
                                  "this state");
        else if (type->has_var) {
            ck_error(ck, DIAG_ENTRY_TYPE, s->name_span, "state `%s` needs a type", s->name);
            type = basic(ck, TYPE_POISON);
        }
        type = type_resolve(ck->ts, type);
        if (type->has_closure)
            ck_error(ck, DIAG_CLOSURE_ESCAPES, s->span, "state cannot hold a function");
        Val v = val(type, ir_param(ck->b.func, ck->b.func->body, type));
        local_add(ck, s->name, v, s->name_span, true);
    }
}

static void bind_handler_params(Checker *ck, const Decl *h) {
    for (int k = 0; k < h->fn.params.len; k++) {
        const Param *p = &h->fn.params.at[k];
        if (!p->type && h->kind == DECL_HANDLER) {
            ck_error(ck, DIAG_ENTRY_TYPE, p->span, "parameter `%s` of a message needs a type",
                     p->name ? p->name : "_");
            continue;
        }
        if (!p->type)
            continue;
        Type *type = type_resolve(ck->ts, eval_type(ck, p->type));
        if (type->has_closure)
            ck_error(ck, DIAG_CLOSURE_ESCAPES, p->span, "a message cannot hold a function");
        Val v = val(type, ir_param(ck->b.func, ck->b.func->body, type));
        if (p->type->kind != TE_NAME)
            v = coerce_written(ck, v, p->type, p->span, true, "this parameter");
        if (p->name)
            local_add(ck, p->name, v, p->span, false);
    }
}

static void fault_param(Checker *ck, const Decl *h) {
    Decl *fault = find_decl(ck, h->module, ck_name(ck, "Fault"), DECL_TYPE);
    if (h->fn.params.len != 1 || !fault) {
        ck_error(ck, DIAG_ENTRY_TYPE, h->span, "on fault takes one parameter: on fault(f) { … }");
        return;
    }
    Type *type = nominal_instance(ck, fault, NULL, 0);
    add_local(ck, h->fn.params.at[0].name ? h->fn.params.at[0].name : "_", type, false);
}

static void begin_part(Checker *ck, const Decl *actor, FnCtx *ctx, const char *name, Span span) {
    root_begin(ck);
    IrFunc *func = ir_func_new(ck->c->ir, name, span);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = func, .region = func->body, .span = span};
    *ctx = (FnCtx){.decl = actor, .what = "handler", .module = actor->module, .returned = -1,
                   .retval = -1, .brk = -1, .cont = -1, .effects = true, .actor = actor};
    ck->fn = ctx;
    Type *self = nominal_instance(ck, actor, NULL, 0);
    add_local(ck, "self", self, false);
    bind_actor_params(ck, actor);
    bind_state(ck, actor);
}

static void end_part(Checker *ck) {
    root_end(ck);
    root_discard(ck, ck->b.func);
    ck->fn = NULL;
}

static void check_handler(Checker *ck, const Decl *actor, const Decl *h) {
    FnCtx ctx;
    begin_part(ck, actor, &ctx, h->name ? h->name : "handler", h->span);
    check_attrs(ck, &h->attrs, "on");
    Type *self = nominal_instance(ck, actor, NULL, 0);
    add_local(ck, "sender", self, false);
    add_local(ck, "sent", basic(ck, TYPE_HLC), false);
    add_local(ck, "peers", type_array(ck->ts, self, 1), false);
    add_local(ck, "index", basic(ck, TYPE_I64), false);
    ctx.handler = h;
    if (h->kind == DECL_LIFECYCLE && !strcmp(h->fn.title, "fault"))
        fault_param(ck, h);
    else
        bind_handler_params(ck, h);
    if (h->kind == DECL_TIMER)
        coerce(ck, check_expr(ck, h->fn.period), basic(ck, TYPE_DURATION), h->fn.period->span,
               "this time");
    ctx.result = h->fn.result ? eval_type(ck, h->fn.result) : type_unit(ck->ts);
    if (h->fn.result) {
        Val v = check_body(ck, h->fn.body, h->fn.body->span);
        if (!is_poison(ck, v))
            coerce_written(ck, v, h->fn.result, h->fn.body->span, false, "the reply");
    } else if (may_exit(h->fn.body)) {
        check_body(ck, h->fn.body, h->fn.body->span);
    } else {
        check_statement(ck, h->fn.body);
    }
    end_part(ck);
}

static void check_item_names(Checker *ck, const Decl *d) {
    for (int i = 0; i < d->actor.items.len; i++) {
        const Decl *a = d->actor.items.at[i];
        bool reserved = a->kind == DECL_HANDLER &&
                        (!strcmp(a->name, "start") || !strcmp(a->name, "stop") ||
                         !strcmp(a->name, "fault"));
        if (reserved)
            ck_error(ck, DIAG_DUPLICATE_NAME, a->name_span,
                     "`%s` is a lifecycle handler: no message may have this name", a->name);
        for (int k = 0; k < i && (a->kind == DECL_HANDLER || a->kind == DECL_STATE); k++) {
            const Decl *b = d->actor.items.at[k];
            if (b->kind != a->kind || b->name != a->name)
                continue;
            Diag *diag = ck_error(ck, DIAG_DUPLICATE_NAME, a->name_span, "%s `%s` stands twice",
                                  a->kind == DECL_STATE ? "state" : "message", a->name);
            diag_span(ck->diags, diag, b->name_span, "first here");
        }
    }
}

void check_actor_decl(Checker *ck, const Decl *d) {
    check_attrs(ck, &d->attrs, "actor");
    check_item_names(ck, d);
    if (d->actor.type_params.len)
        return; /* checked where it is spawned */
    FnCtx ctx;
    begin_part(ck, d, &ctx, d->name, d->span);
    end_part(ck);
    for (int i = 0; i < d->actor.items.len; i++) {
        const Decl *item = d->actor.items.at[i];
        if (item->kind == DECL_HANDLER || item->kind == DECL_LIFECYCLE || item->kind == DECL_TIMER)
            check_handler(ck, d, item);
    }
}
