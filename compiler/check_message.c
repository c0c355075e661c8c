/* Spawning and messages: who gets what, and the calls of the runtime that carry it. The actors' side is
   in check_actor.c. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

static IrMessage *find_message(Checker *ck, IrActor *actor, Name name, Span span) {
    VEC(Name) names = {0};
    for (int i = 0; i < actor->messages.len; i++) {
        IrMessage *m = actor->messages.at[i];
        if (m->kind == MESSAGE_PLAIN && m->name == name)
            return m;
        if (m->kind == MESSAGE_PLAIN)
            vec_push(ck->arena, &names, m->name);
    }
    Diag *d = ck_error(ck, DIAG_UNKNOWN_MESSAGE, span, "actor %s has no message `%s`", actor->name,
                       name);
    diag_span(ck->diags, d, actor->type->decl->name_span, "%s is declared here", actor->name);
    Name near = nearest_name(name, names.at, names.len);
    if (near)
        diag_help(ck->diags, d, "did you mean `%s`?", near);
    return NULL;
}

/* ---- arguments ---- */

/* What goes to each receiver: a value, or an array of which each gets its element. */
typedef struct {
    Val val;
    bool is_dealt;
} Item;

/* Receivers and what they get. */
typedef struct {
    IrMessage *message;
    const Expr *e;
    Val to;
    int rank; /* of the array of receivers, or of the messages for one; 0: one message */
    bool is_one; /* receiver */
    IrId *dims;
    Item *items;
} Sending;

/* Is an argument of this type dealt out to receivers of a rank, one element each? */
static bool is_dealt(Checker *ck, Type *got, Type *want, int rank) {
    if (got->kind != TYPE_ARRAY || got->rank < rank)
        return false;
    Type *elem = got->rank == rank ? type_resolve(ck->ts, got->elem)
                                   : type_array(ck->ts, got->elem, got->rank - rank);
    bool fits = want->kind == TYPE_ARRAY ? elem->kind == TYPE_ARRAY && elem->rank == want->rank
                                         : elem->kind != TYPE_ARRAY;
    return fits && type_unify(ck->ts, elem, want);
}

static Item check_argument(Checker *ck, const Sending *s, int k, Val v, Span span) {
    const Param *p = &s->message->decl->fn.params.at[k];
    Type *want = s->message->args[k], *got = type_of(ck, v);
    bool ok = true;
    if (is_poison(ck, v) || want->kind == TYPE_POISON)
        return (Item){val_poison(ck), false};
    if (s->rank && is_dealt(ck, got, want, s->rank)) {
        for (int a = 0; a < s->rank; a++)
            s->dims[a] = ck_same_size(ck, s->dims[a], ck_dim(ck, v.id, a), span, s->e->send.to->span,
                                      span, "the receivers and their arguments");
        return (Item){v, true};
    }
    Val converted = convert_to(ck, v, want, &ok);
    if (ok)
        return (Item){converted, false};
    report_mismatch(ck, want, got, span,
                    arena_printf(ck->arena, "argument `%s` of message %s", p->name ? p->name : "_",
                                 s->message->name));
    return (Item){val_poison(ck), false};
}

static void no_parameter(Checker *ck, const Decl *h, const Arg *a) {
    int n = h->fn.params.len;
    Diag *d = a->name ? ck_error(ck, DIAG_ARGUMENTS, a->name_span,
                                 "message %s has no parameter `%s` left", h->name, a->name)
                      : ck_error(ck, DIAG_ARGUMENTS, a->value->span, "message %s takes %d argument%s",
                                 h->name, n, n == 1 ? "" : "s");
    diag_span(ck->diags, d, h->name_span, "declared here");
}

/* A default is evaluated where its parameter is declared. */
static Val default_value(Checker *ck, const Decl *d, const Param *p, Type *want) {
    FnCtx ctx = {.outer = ck->fn, .decl = d, .module = d->module, .base = ck->locals.len,
                 .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->fn = &ctx;
    Val v = coerce(ck, check_expr(ck, p->init), want, p->init->span, "this default");
    ck->fn = ctx.outer;
    return v;
}

/* An array for a @batch message of one receiver: each element is a message. */
static void spread_batch(Checker *ck, Sending *s, int k, Val v) {
    Type *got = type_of(ck, v);
    if (s->rank || got->kind != TYPE_ARRAY || !is_dealt(ck, got, s->message->args[k], 1))
        return;
    s->rank = 1;
    s->is_one = true;
    s->dims = NEW_ARRAY(ck->arena, IrId, 1);
    s->dims[0] = ck_dim(ck, v.id, 0);
}

/* Fills s->items; false where a mistake has been reported. */
static bool check_arguments(Checker *ck, Sending *s) {
    const Decl *h = s->message->decl;
    const ParamList *params = &h->fn.params;
    const ArgList *args = &s->e->send.args;
    bool *given = NEW_ARRAY(ck->arena, bool, params->len + 1);
    s->items = NEW_ARRAY(ck->arena, Item, params->len + 1);
    for (int i = 0; i < args->len; i++) {
        int k = i;
        Val v = check_expr(ck, args->at[i].value);
        if (args->at[i].name)
            for (k = 0; k < params->len && params->at[k].name != args->at[i].name; k++)
                ;
        if (k >= params->len || given[k]) {
            no_parameter(ck, h, &args->at[i]);
            return false;
        }
        given[k] = true;
        if (s->message->is_batch)
            spread_batch(ck, s, k, v);
        s->items[k] = check_argument(ck, s, k, v, args->at[i].value->span);
    }
    for (int k = 0; k < params->len; k++) {
        if (!given[k] && !params->at[k].init) {
            Diag *d = ck_error(ck, DIAG_ARGUMENTS, s->e->send.message_span,
                               "message %s misses its argument `%s`", h->name,
                               params->at[k].name ? params->at[k].name : "_");
            diag_span(ck->diags, d, h->name_span, "declared here");
            return false;
        }
        if (!given[k])
            s->items[k].val = default_value(ck, h, &params->at[k], s->message->args[k]);
        if (is_poison(ck, s->items[k].val))
            return false;
    }
    return true;
}

/* ---- one call a receiver ---- */

static IrId count_of(Checker *ck, const Sending *s) {
    IrId n = ir_i64(&ck->b, 1);
    for (int a = 0; a < s->rank; a++)
        n = a ? ir_binary(&ck->b, IR_MUL, n, s->dims[a]) : s->dims[a];
    return n;
}

/* The call for the receiver at `at`: the numbers in front, then to whom, then what. */
static void call_one(Checker *ck, const Sending *s, int rt, const IrId *front, int nfront,
                     const IrId *at) {
    int n = s->message->nargs, next = 0;
    IrId *args = NEW_ARRAY(ck->arena, IrId, nfront + n + 1);
    for (int k = 0; k < nfront; k++)
        args[next++] = front[k];
    args[next++] = s->rank && !s->is_one ? ir_index(&ck->b, s->to.id, at, s->rank, false) : s->to.id;
    for (int k = 0; k < n; k++) {
        IrId v = s->items[k].val.id;
        args[next++] = s->items[k].is_dealt ? ir_index(&ck->b, v, at, s->rank, false) : v;
    }
    ir_rt(&ck->b, rt, type_unit(ck->ts), args, next);
}

/* A call for each receiver, in order. front[position], if >= 0, becomes its place among them. */
static void call_each(Checker *ck, const Sending *s, int rt, IrId *front, int nfront, int position,
                      int axis, IrId *at) {
    if (axis == s->rank) {
        IrId place = ir_i64(&ck->b, 0);
        for (int a = 0; a < s->rank; a++)
            place = ir_binary(&ck->b, IR_ADD,
                              ir_binary(&ck->b, IR_MUL, place, s->dims[a]), at[a]);
        if (position >= 0)
            front[position] = place;
        call_one(ck, s, rt, front, nfront, at);
        return;
    }
    IrId lo = ir_i64(&ck->b, 0), hi = s->dims[axis];
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    at[axis] = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    ck->loop_depth++;
    call_each(ck, s, rt, front, nfront, position, axis + 1, at);
    ck->loop_depth--;
    ck->b.region = outer;
    ir_for(&ck->b, lo, hi, NULL, 0, body);
}

static void call_all(Checker *ck, const Sending *s, int rt, IrId *front, int nfront, int position) {
    IrId *at = NEW_ARRAY(ck->arena, IrId, s->rank + 1);
    call_each(ck, s, rt, front, nfront, position, 0, at);
}

/* ---- sends and asks ---- */

/* The reply, or the array of all; `within`: a duration, 0 for any time. */
static Val ask_all(Checker *ck, const Sending *s, IrId within) {
    IrMessage *m = s->message;
    m->is_asked = true;
    state_commit(ck);
    IrId number = ir_i64(&ck->b, m->number);
    IrId ask = ir_rt(&ck->b, RT_ASK, basic(ck, TYPE_I64),
                     (IrId[]){number, count_of(ck, s)}, 2);
    call_all(ck, s, RT_POSE, (IrId[]){number, ask, IR_NONE}, 3, 2);
    IrId *args = NEW_ARRAY(ck->arena, IrId, 3 + s->rank);
    memcpy(args, (IrId[]){number, ask, within}, 3 * sizeof *args);
    for (int a = 0; a < s->rank; a++)
        args[3 + a] = s->dims[a];
    Type *reply = m->reply;
    bool is_unit = !m->decl->fn.result;
    if (s->rank && !is_unit)
        reply = type_array(ck->ts, reply, s->rank);
    IrId id = ir_rt(&ck->b, RT_AWAIT, reply, args, 3 + s->rank);
    for (int a = 0; a < s->rank && !is_unit; a++)
        ck_assume_dim(ck, id, 0, a, args[3 + a]);
    state_retake(ck);
    return val(reply, id);
}

static IrId check_time(Checker *ck, const Expr *time) {
    return coerce(ck, check_expr(ck, time), basic(ck, TYPE_DURATION), time->span, "this time").id;
}

static Sending sending(Checker *ck, const Expr *e, Val to) {
    Sending s = {.e = e, .to = to, .rank = type_of(ck, to)->kind == TYPE_ARRAY ? type_of(ck, to)->rank : 0};
    s.dims = NEW_ARRAY(ck->arena, IrId, s.rank + 1);
    for (int a = 0; a < s.rank; a++)
        s.dims[a] = ck_dim(ck, to.id, a);
    return s;
}

/* Reports an ask that waits for its own handler to end. */
static bool asks_itself(Checker *ck, const Expr *e, const IrActor *actor) {
    if (strip(e->send.to)->kind != EXPR_SELF || actor->is_reentrant || !ck->part)
        return false;
    Diag *d = ck_error(ck, DIAG_DEADLOCK, e->span, "an actor that asks itself waits for ever");
    const Decl *h = ck->fn->handler;
    if (h)
        diag_span(ck->diags, d, h->name_span, "while this handler runs, %s takes no other message",
                  actor->name);
    diag_help(ck->diags, d, "call a `fn` of the actor, send the message, or mark the actor @reentrant");
    return true;
}

/* A send or an ask; time: of `within` or `after`, or NULL. */
static Val send(Checker *ck, const Expr *e, const Expr *time) {
    bool asks = e->kind == EXPR_ASK;
    Val to = check_expr(ck, e->send.to);
    Type *type = type_of(ck, to);
    if (type->kind == TYPE_POISON)
        return to;
    Sending s = sending(ck, e, to);
    Type *actor = s.rank ? type_resolve(ck->ts, type->elem) : type;
    if (actor->kind != TYPE_ACTOR) {
        Diag *d = ck_error(ck, DIAG_NOT_AN_ACTOR, e->send.to->span,
                           "messages go to actors; this is %s", text_of(ck, type));
        if (asks)
            diag_note(ck->diags, d, "there is no `c ? a : b`: write if c { a } else { b }");
        return val_poison(ck);
    }
    if (!effect_allowed(ck, e->span, asks ? "an ask" : "a send"))
        return val_poison(ck);
    IrActor *known = actor_known(ck, actor);
    s.message = find_message(ck, known, e->send.message, e->send.message_span);
    if (s.message)
        note_refers(ck, e->send.message_span, s.message->decl->name_span);
    if (!s.message || !check_arguments(ck, &s))
        return val_poison(ck);
    IrId duration = time ? check_time(ck, time) : ir_int(&ck->b, basic(ck, TYPE_DURATION), 0);
    if (asks && asks_itself(ck, e, known))
        return val_poison(ck);
    if (asks)
        return ask_all(ck, &s, duration);
    IrId number = ir_i64(&ck->b, s.message->number);
    if (time)
        call_all(ck, &s, RT_LATER, (IrId[]){number, duration}, 2, -1);
    else
        call_all(ck, &s, RT_SEND, (IrId[]){number}, 1, -1);
    return val_unit(ck);
}

Val check_send(Checker *ck, const Expr *e) {
    return send(ck, e, NULL);
}

Val check_timed(Checker *ck, const Expr *e) {
    ExprKind want = e->kind == EXPR_WITHIN ? EXPR_ASK : EXPR_SEND;
    const Expr *m = strip(e->timed.message);
    if (m->kind == want)
        return send(ck, m, e->timed.time);
    check_expr(ck, e->timed.message);
    return ck_fail(ck, DIAG_NOT_AN_ACTOR, e->timed.message->span,
                   e->kind == EXPR_WITHIN ? "`within` limits an ask, `a ? m()`"
                                          : "`after` delays a send, `a ! m()`");
}

void check_stop(Checker *ck, const Expr *e) {
    Val v = check_expr(ck, e->value);
    Type *type = type_of(ck, v);
    Type *elem = type->kind == TYPE_ARRAY ? type_resolve(ck->ts, type->elem) : type;
    if (elem->kind == TYPE_POISON || !effect_allowed(ck, e->span, "stop"))
        return;
    if (elem->kind != TYPE_ACTOR) {
        ck_error(ck, DIAG_TYPE_MISMATCH, e->value->span, "only actors stop; this is %s",
                 text_of(ck, type));
        return;
    }
    IrMessage none = {0};
    Sending s = sending(ck, e, v);
    s.message = &none;
    call_all(ck, &s, RT_STOP, NULL, 0, -1);
}

/* ---- spawn ---- */

static Decl *spawned_decl(Checker *ck, const Expr *e) {
    Module *m = ck->fn ? ck->fn->module : ck->c->modules.at[0];
    if (e->spawn.module)
        m = find_import(ck, m, e->spawn.module);
    Decl *d = m ? find_decl(ck, m, e->spawn.actor, DECL_ACTOR) : NULL;
    if (d)
        return d;
    Diag *diag = ck_error(ck, DIAG_UNKNOWN_TYPE, e->spawn.actor_span, "unknown actor `%s`",
                          e->spawn.actor);
    VEC(Name) names = {0};
    for (int i = 0; m && i < m->decls.len; i++)
        if (m->decls.at[i]->kind == DECL_ACTOR)
            vec_push(ck->arena, &names, m->decls.at[i]->name);
    Name near = nearest_name(e->spawn.actor, names.at, names.len);
    if (near)
        diag_help(ck->diags, diag, "did you mean `%s`?", near);
    return NULL;
}

/* Which argument parameter k gets, or -1 for its default; false where a mistake has been reported. */
static bool place_spawned(Checker *ck, const Decl *d, const Expr *e, int *place) {
    const ParamList *params = &d->actor.params;
    for (int k = 0; k < params->len; k++)
        place[k] = -1;
    for (int i = 0; i < e->spawn.args.len; i++) {
        const Arg *a = &e->spawn.args.at[i];
        int k = i;
        if (a->name)
            for (k = 0; k < params->len && params->at[k].name != a->name; k++)
                ;
        if (k >= params->len || place[k] >= 0) {
            Diag *diag =
                a->name ? ck_error(ck, DIAG_ARGUMENTS, a->name_span, "actor %s has no parameter `%s`"
                                   " left", d->name, a->name)
                        : ck_error(ck, DIAG_ARGUMENTS, a->value->span,
                                   "actor %s takes %d argument%s", d->name, params->len,
                                   params->len == 1 ? "" : "s");
            diag_span(ck->diags, diag, d->name_span, "declared here");
            return false;
        }
        place[k] = i;
    }
    bool ok = true;
    for (int k = 0; k < params->len; k++)
        if (place[k] < 0 && !params->at[k].init) {
            ck_error(ck, DIAG_ARGUMENTS, e->span, "actor %s misses its parameter `%s`", d->name,
                     params->at[k].name);
            ok = false;
        }
    return ok;
}

/* The type arguments of a generic actor by what its parameters get. */
static Type *spawned_type(Checker *ck, const Decl *d, const int *place, const Val *args) {
    const NameList *generics = &d->actor.type_params;
    if (!generics->len)
        return nominal_instance(ck, d, NULL, 0);
    const TypeEnv *env = NULL;
    for (int k = 0; k < d->actor.params.len; k++)
        if (place[k] >= 0 && d->actor.params.at[k].type) {
            settle_literals(ck, type_of(ck, args[place[k]]));
            type_bind(ck, d->actor.params.at[k].type, type_of(ck, args[place[k]]), generics, &env);
        }
    Type **types = NEW_ARRAY(ck->arena, Type *, generics->len);
    for (int i = 0; i < generics->len; i++) {
        for (const TypeEnv *at = env; at && !types[i]; at = at->next)
            if (at->name == generics->at[i])
                types[i] = type_resolve(ck->ts, at->type);
        if (!types[i]) {
            ck_error(ck, DIAG_CANNOT_INFER, d->name_span, "no argument says what `%s` of actor %s is",
                     generics->at[i], d->name);
            return basic(ck, TYPE_POISON);
        }
    }
    return nominal_instance(ck, d, types, generics->len);
}

Val reference_of(Checker *ck, Type *type, IrId number) {
    return val(type, ir_emit(&ck->b, (IrOp){.kind = IR_BITS, .type = type, .args = &number, .nargs = 1}));
}

/* Runs the initialiser of one actor. */
static void call_init(Checker *ck, const IrActor *actor, IrId number, const Val *params) {
    IrId *args = NEW_ARRAY(ck->arena, IrId, actor->nparams + 1);
    args[0] = reference_of(ck, actor->type, number).id;
    for (int k = 0; k < actor->nparams; k++)
        args[k + 1] = params[k].id;
    ir_call(&ck->b, actor->init, args, actor->nparams + 1);
}

static Val actor_param(Checker *ck, const IrActor *actor, int k, Val v, Span span) {
    return coerce(ck, v, actor->fields[k], span,
                  arena_printf(ck->arena, "parameter `%s` of %s", actor->names[k], actor->name));
}

Val check_spawn(Checker *ck, const Expr *e) {
    Decl *d = spawned_decl(ck, e);
    if (!d || !effect_allowed(ck, e->span, "spawn"))
        return val_poison(ck);
    int *place = NEW_ARRAY(ck->arena, int, d->actor.params.len + 1);
    Val *args = NEW_ARRAY(ck->arena, Val, e->spawn.args.len + 1);
    for (int i = 0; i < e->spawn.args.len; i++)
        args[i] = check_expr(ck, e->spawn.args.at[i].value);
    if (!place_spawned(ck, d, e, place))
        return val_poison(ck);
    Type *type = spawned_type(ck, d, place, args);
    if (type->kind == TYPE_POISON)
        return val_poison(ck);
    IrActor *actor = actor_known(ck, type);
    Val *params = NEW_ARRAY(ck->arena, Val, actor->nparams + 1);
    for (int k = 0; k < actor->nparams; k++) {
        const Param *p = &d->actor.params.at[k];
        params[k] = place[k] >= 0 ? actor_param(ck, actor, k, args[place[k]],
                                                e->spawn.args.at[place[k]].value->span)
                                  : default_value(ck, d, p, actor->fields[k]);
        if (is_poison(ck, params[k]))
            return val_poison(ck);
    }
    IrId number = ir_rt(&ck->b, RT_SPAWN, basic(ck, TYPE_I64),
                        (IrId[]){ir_i64(&ck->b, actor->number), ir_i64(&ck->b, 1)}, 2);
    call_init(ck, actor, number, params);
    return reference_of(ck, type, number);
}

/* ---- virtual actors ---- */

/* Spawns the actor of a key; its other parameters have their defaults. */
static IrId spawn_virtual(Checker *ck, const IrActor *actor, Val key, IrId number) {
    const Decl *d = actor->type->decl;
    Val *params = NEW_ARRAY(ck->arena, Val, actor->nparams + 1);
    params[0] = key;
    for (int k = 1; k < actor->nparams; k++)
        params[k] = default_value(ck, d, &d->actor.params.at[k], actor->fields[k]);
    IrId actor_number = ir_i64(&ck->b, actor->number);
    IrId who = ir_rt(&ck->b, RT_SPAWN, basic(ck, TYPE_I64),
                     (IrId[]){actor_number, ir_i64(&ck->b, 1)}, 2);
    ir_rt(&ck->b, RT_ENTER, type_unit(ck->ts), (IrId[]){actor_number, number, who}, 3);
    call_init(ck, actor, who, params);
    return who;
}

Val check_virtual(Checker *ck, const Decl *d, const Expr *e, Span span) {
    IrActor *actor = actor_known(ck, nominal_instance(ck, d, NULL, 0));
    Val key = coerce(ck, check_expr(ck, e), actor->fields[0], e->span, "this key");
    if (is_poison(ck, key) || !effect_allowed(ck, span, "a virtual actor"))
        return val_poison(ck);
    for (int k = 1; k < actor->nparams; k++)
        if (!d->actor.params.at[k].init)
            return ck_fail(ck, DIAG_ARGUMENTS, span, "parameter `%s` of the @virtual actor %s needs a "
                           "default", actor->names[k], d->name);
    if (!type_is_int(actor->fields[0]))
        return ck_fail(ck, DIAG_TYPE_MISMATCH, e->span, "the key of a @virtual actor is an integer");
    IrId number = ir_convert(&ck->b, basic(ck, TYPE_U64), key.id);
    IrId found = ir_rt(&ck->b, RT_FIND, basic(ck, TYPE_I64),
                       (IrId[]){ir_i64(&ck->b, actor->number), number}, 2);
    IrId is_there = ir_binary(&ck->b, IR_NE, found, ir_i64(&ck->b, 0));
    IrRegion *outer = ck->b.region, *there = ck_region(ck), *absent = ck_region(ck);
    vec_push(ck->arena, &there->results, found);
    ck->b.region = absent;
    vec_push(ck->arena, &absent->results, spawn_virtual(ck, actor, key, number));
    ck->b.region = outer;
    return reference_of(ck, actor->type, ir_if(&ck->b, is_there, there, absent));
}

/* ---- a comprehension of spawns: a population ---- */

/* The arguments of each member, as the comprehension of tuples of them. */
static Val member_arguments(Checker *ck, const Expr *e) {
    const Expr *spawn = strip(e->comp.body);
    Expr body = {.kind = EXPR_TUPLE, .span = spawn->span};
    Expr zero = {.kind = EXPR_BOOL, .span = spawn->span};
    for (int i = 0; i < spawn->spawn.args.len; i++) {
        Arg a = spawn->spawn.args.at[i];
        a.name = NULL;
        vec_push(ck->arena, &body.tuple, a);
    }
    if (body.tuple.len < 2) { /* a tuple has two members: a filler that nobody looks at */
        Arg filler = {.value = NEW(ck->arena, Expr)};
        *filler.value = zero;
        while (body.tuple.len < 2)
            vec_push(ck->arena, &body.tuple, filler);
    }
    Expr list = *e, *tuple = NEW(ck->arena, Expr);
    *tuple = body;
    list.comp.body = tuple;
    return check_comprehension(ck, &list);
}

/* An array's element at one index an axis. */
static IrId at_each(Checker *ck, Val v, const IrId *at, int rank) {
    return ir_index(&ck->b, v.id, at, rank, false);
}

typedef struct {
    const IrActor *actor;
    Val *params;
    bool *is_dealt;
    IrId first;
    Val shape; /* the array of all arguments */
    int rank;
} Members;

static void init_members(Checker *ck, const Members *m, int axis, IrId *at, IrId number) {
    if (axis == m->rank) {
        Val *params = NEW_ARRAY(ck->arena, Val, m->actor->nparams + 1);
        for (int k = 0; k < m->actor->nparams; k++)
            params[k] = m->is_dealt[k]
                            ? val(m->actor->fields[k], at_each(ck, m->params[k], at, m->rank))
                            : m->params[k];
        call_init(ck, m->actor, ir_binary(&ck->b, IR_ADD, m->first, number), params);
        return;
    }
    IrId lo = ir_i64(&ck->b, 0), hi = ck_dim(ck, m->shape.id, axis);
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    at[axis] = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    ck->loop_depth++;
    IrId scaled = axis ? ir_binary(&ck->b, IR_MUL, number, hi) : lo;
    init_members(ck, m, axis + 1, at, ir_binary(&ck->b, IR_ADD, scaled, at[axis]));
    ck->loop_depth--;
    ck->b.region = outer;
    ir_for(&ck->b, lo, hi, NULL, 0, body);
}

static Val member_reference(Checker *ck, const IrId *at, void *ctx) {
    const Members *m = ctx;
    IrId number = at[0];
    for (int a = 1; a < m->rank; a++)
        number = ir_binary(&ck->b, IR_ADD,
                           ir_binary(&ck->b, IR_MUL, number, ck_dim(ck, m->shape.id, a)), at[a]);
    return reference_of(ck, m->actor->type, ir_binary(&ck->b, IR_ADD, m->first, number));
}

/* Fills what each member gets; false where a mistake has been reported. */
static bool member_params(Checker *ck, Members *m, const Decl *d, const int *place, const Expr *spawn) {
    m->params = NEW_ARRAY(ck->arena, Val, m->actor->nparams + 1);
    m->is_dealt = NEW_ARRAY(ck->arena, bool, m->actor->nparams + 1);
    for (int k = 0; k < m->actor->nparams; k++) {
        Type *want = m->actor->fields[k];
        m->is_dealt[k] = place[k] >= 0;
        if (place[k] < 0) {
            m->params[k] = default_value(ck, d, &d->actor.params.at[k], want);
        } else {
            Val column = get_member(ck, m->shape, place[k]);
            Type *got = type_of(ck, column);
            if (want->kind == TYPE_ARRAY && is_dealt(ck, got, want, m->rank))
                m->params[k] = column;
            else
                m->params[k] = coerce(ck, column, type_array(ck->ts, want, m->rank),
                                      spawn->spawn.args.at[place[k]].value->span,
                                      arena_printf(ck->arena, "parameter `%s` of %s",
                                                   m->actor->names[k], m->actor->name));
        }
        if (is_poison(ck, m->params[k]))
            return false;
    }
    return true;
}

/* What place_spawned's arguments are for one member, to find the types of a generic actor. */
static Type *member_type(Checker *ck, const Decl *d, const int *place, Val shape, int n) {
    Val *args = NEW_ARRAY(ck->arena, Val, n + 1);
    for (int i = 0; i < n; i++) {
        Type *column = type_of(ck, get_member(ck, shape, i));
        args[i] = val(element_type(ck, column), IR_NONE);
    }
    return spawned_type(ck, d, place, args);
}

Val check_population(Checker *ck, const Expr *e) {
    const Expr *spawn = strip(e->comp.body);
    Decl *d = spawned_decl(ck, spawn);
    if (!d || !effect_allowed(ck, spawn->span, "spawn"))
        return val_poison(ck);
    int *place = NEW_ARRAY(ck->arena, int, d->actor.params.len + 1);
    Members m = {0};
    if (!place_spawned(ck, d, spawn, place))
        return val_poison(ck);
    m.shape = member_arguments(ck, e);
    if (is_poison(ck, m.shape))
        return m.shape;
    m.rank = type_of(ck, m.shape)->rank;
    Type *type = d->actor.type_params.len
                     ? member_type(ck, d, place, m.shape, spawn->spawn.args.len)
                     : nominal_instance(ck, d, NULL, 0);
    if (type->kind == TYPE_POISON)
        return val_poison(ck);
    m.actor = actor_known(ck, type);
    if (!member_params(ck, &m, d, place, spawn))
        return val_poison(ck);
    IrId *dims = NEW_ARRAY(ck->arena, IrId, m.rank), *at = NEW_ARRAY(ck->arena, IrId, m.rank);
    IrId n = ir_i64(&ck->b, 1);
    for (int a = 0; a < m.rank; a++) {
        dims[a] = ck_dim(ck, m.shape.id, a);
        n = a ? ir_binary(&ck->b, IR_MUL, n, dims[a]) : dims[a];
    }
    m.first = ir_rt(&ck->b, RT_SPAWN, basic(ck, TYPE_I64),
                    (IrId[]){ir_i64(&ck->b, m.actor->number), n}, 2);
    init_members(ck, &m, 0, at, ir_i64(&ck->b, 0));
    return map_space(ck, m.rank, dims, member_reference, &m, e->span);
}

/* ---- where a handler can wait ---- */

/* Functions that are being looked through. */
typedef struct Seen {
    const IrFunc *f;
    const struct Seen *outer;
} Seen;

static bool is_seen(const Seen *seen, const IrFunc *f) {
    return seen && (seen->f == f || is_seen(seen->outer, f));
}

static bool asks_inside(const IrFunc *f, const IrRegion *region, const Seen *outer);

static bool call_asks(const IrFunc *callee, const Seen *outer) {
    Seen seen = {callee, outer};
    return !is_seen(outer, callee) && asks_inside(callee, callee->body, &seen);
}

static bool asks_inside(const IrFunc *f, const IrRegion *region, const Seen *outer) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if ((op->kind == IR_RT && op->imm == RT_AWAIT) ||
            (op->kind == IR_CALL && call_asks(op->callee, outer)))
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (asks_inside(f, op->regions[r], outer))
                return true;
    }
    return false;
}

static bool asks(const IrFunc *f, const IrRegion *region) {
    return asks_inside(f, region, NULL);
}

/* Does a region that is tried hold nothing but asks that may fault? */
static bool only_asks_fault(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        bool is_ask = op->kind == IR_RT && op->imm == RT_AWAIT;
        if (!is_ask && ir_may_fault(f, region->ops.at[i]))
            return false;
    }
    return true;
}

static void check_waiting_op(Checker *ck, const IrFunc *f, const IrOp *op) {
    const char *where = NULL, *help = NULL;
    if (op->kind == IR_KERNEL && asks(f, op->regions[0])) {
        where = "a handler cannot wait for a reply inside a comprehension or an array function";
        help = "ask the array of actors, `xs ? m()`, or use a `for`";
    } else if (op->kind == IR_CALL && call_asks(op->callee, NULL)) {
        where = "a handler cannot wait for a reply inside a recursive function";
        help = "ask before the call";
    } else if (op->kind == IR_TRY && asks(f, op->regions[0]) && !only_asks_fault(f, op->regions[0])) {
        where = "in a handler, a `try` around an ask can hold nothing else that faults";
        help = "bind what else may fault to a name before it, or try that apart";
    }
    if (where)
        diag_help(ck->diags, ck_error(ck, DIAG_OUT_OF_PLACE, op->span, "%s", where), "%s", help);
}

static void check_waiting_region(Checker *ck, const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        check_waiting_op(ck, f, op);
        for (int r = 0; r < op->nregions && op->kind != IR_KERNEL; r++)
            check_waiting_region(ck, f, op->regions[r]);
    }
}

void check_waits(Checker *ck, const IrFunc *f) {
    check_waiting_region(ck, f, f->body);
}
