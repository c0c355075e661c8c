/* Actors: what is known of each (its messages, its state), and the functions that are their handlers. A
   handler is a function of the reference of its actor and of what the message carries; it takes the
   state that it uses first and puts what it changed at its end, so a fault in between changes nothing.
   Sends, asks and spawns are in check_message.c. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

/* ---- what is known of an actor ---- */

static const TypeEnv *actor_env(Checker *ck, const Type *actor) {
    const TypeEnv *env = NULL;
    for (int i = 0; i < actor->nargs; i++)
        env = type_env(ck, env, actor->decl->actor.type_params.at[i], actor->args[i]);
    return env;
}

/* A @batch handler's parameters are arrays of what one message carries. */
static Type *message_type(Checker *ck, const Decl *handler, const TypeExpr *te) {
    Type *type = te ? type_resolve(ck->ts, eval_type(ck, te)) : type_unit(ck->ts);
    if (find_attr(&handler->attrs, "batch") && type->kind == TYPE_ARRAY)
        return type->rank > 1 ? type_array(ck->ts, type->elem, type->rank - 1)
                              : type_resolve(ck->ts, type->elem);
    return type;
}

static IrMessageKind message_kind(const Decl *h) {
    if (h->kind == DECL_HANDLER)
        return MESSAGE_PLAIN;
    if (h->kind == DECL_TIMER)
        return MESSAGE_TIMER;
    return !strcmp(h->fn.title, "start")  ? MESSAGE_START
           : !strcmp(h->fn.title, "stop") ? MESSAGE_STOP
                                          : MESSAGE_FAULT;
}

static IrFunc *part_func(Checker *ck, const IrActor *actor, const char *name, Span span) {
    IrFunc *func = ir_func_new(ck->c->ir, arena_printf(ck->arena, "%s.%s", actor->name, name), span);
    func->has_effect = true;
    func->result = type_unit(ck->ts);
    ir_param(func, func->body, actor->type); /* self */
    return func;
}

/* What `on fault(f)` gets. */
static void declare_fault(Checker *ck, IrMessage *m) {
    Decl *fault = find_decl(ck, prelude_module(ck), ck_name(ck, "Fault"), DECL_TYPE);
    if (m->kind != MESSAGE_FAULT || !fault)
        return;
    m->nargs = 1;
    m->args[0] = nominal_instance(ck, fault, NULL, 0);
    ir_param(m->func, m->func->body, m->args[0]);
}

static void add_message(Checker *ck, IrActor *actor, const Decl *h) {
    IrMessage *m = NEW(ck->arena, IrMessage);
    *m = (IrMessage){.actor = actor, .kind = message_kind(h), .decl = h, .span = h->span};
    m->name = h->name ? h->name : ck_name(ck, h->fn.title);
    m->nargs = m->kind == MESSAGE_PLAIN ? h->fn.params.len : 0;
    m->args = NEW_ARRAY(ck->arena, Type *, m->nargs + 2);
    m->func = part_func(ck, actor, m->name, h->span);
    m->func->is_handler = true;
    ir_param(m->func, m->func->body, basic(ck, TYPE_U64));  /* sender */
    ir_param(m->func, m->func->body, basic(ck, TYPE_HLC)); /* sent */
    declare_fault(ck, m);
    m->is_batch = find_attr(&h->attrs, "batch") != NULL;
    m->batch_max = attr_value(&h->attrs, "batch", "max", 65536);
    for (int k = 0; m->kind == MESSAGE_PLAIN && k < m->nargs; k++) {
        const TypeExpr *te = h->fn.params.at[k].type;
        m->args[k] = te ? message_type(ck, h, te) : basic(ck, TYPE_POISON);
        ir_param(m->func, m->func->body, te ? type_resolve(ck->ts, eval_type(ck, te)) : m->args[k]);
    }
    m->reply = message_type(ck, h, h->fn.result);
    m->func->result = h->fn.result ? type_resolve(ck->ts, eval_type(ck, h->fn.result)) : m->reply;
    IrModule *ir = ck->c->ir;
    if (!ir->messages.len)
        vec_push(ck->arena, &ir->messages, NULL);
    m->number = ir->messages.len;
    vec_push(ck->arena, &ir->messages, m);
    vec_push(ck->arena, &actor->messages, m);
}

/* Its parameters and messages by their written types. */
static void declare_parts(Checker *ck, IrActor *actor) {
    const Decl *d = actor->type->decl;
    FnCtx ctx = {.outer = ck->fn, .decl = d, .module = d->module, .types = actor_env(ck, actor->type),
                 .base = ck->locals.len, .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->fn = &ctx;
    int n = d->actor.params.len;
    for (int i = 0; i < d->actor.items.len; i++)
        n += d->actor.items.at[i]->kind == DECL_STATE;
    actor->fields = NEW_ARRAY(ck->arena, Type *, n + 1);
    actor->names = NEW_ARRAY(ck->arena, Name, n + 1);
    actor->init = part_func(ck, actor, "spawn", d->span);
    for (int k = 0; k < d->actor.params.len; k++) {
        const Param *p = &d->actor.params.at[k];
        Type *type = p->type ? type_resolve(ck->ts, eval_type(ck, p->type)) : basic(ck, TYPE_POISON);
        actor->fields[k] = type;
        actor->names[k] = p->name ? p->name : ck_name(ck, "_");
        ir_param(actor->init, actor->init->body, type);
    }
    actor->nparams = actor->nfields = d->actor.params.len;
    for (int i = 0; i < d->actor.items.len; i++) {
        DeclKind kind = d->actor.items.at[i]->kind;
        if (kind == DECL_HANDLER || kind == DECL_LIFECYCLE || kind == DECL_TIMER)
            add_message(ck, actor, d->actor.items.at[i]);
    }
    ck->fn = ctx.outer;
}

IrActor *actor_known(Checker *ck, Type *type) {
    IrModule *ir = ck->c->ir;
    for (int i = 0; i < ir->actors.len; i++)
        if (ir->actors.at[i]->type == type)
            return ir->actors.at[i];
    IrActor *actor = NEW(ck->arena, IrActor);
    *actor = (IrActor){.name = type->decl->name, .type = type, .number = ir->actors.len,
                       .span = type->decl->span};
    const AttrList *attrs = &type->decl->attrs;
    actor->is_reentrant = find_attr(attrs, "reentrant") != NULL;
    actor->capacity = find_attr(attrs, "mailbox") ? attr_value(attrs, "mailbox", "capacity", 1024) : 0;
    actor->overflow = (IrOverflow)attr_value(attrs, "mailbox", "overflow", OVERFLOW_BLOCK);
    actor->supervision = (IrSupervision)attr_value(attrs, "supervise", "*", FAULT_STOPS);
    actor->max_faults = attr_value(attrs, "supervise", "max", 5);
    actor->fault_window = attr_value(attrs, "supervise", "within", 10000000000);
    vec_push(ck->arena, &ir->actors, actor);
    declare_parts(ck, actor);
    return actor;
}

/* ---- handlers ---- */

/* A function of an actor that is being checked. */
typedef struct Part {
    IrActor *actor;
    const Decl *decl;
    FnCtx ctx;
    IrFunc *func;
    int next;    /* parameter of func */
    int *locals; /* of each field */
    IrId *taken; /* what each field was at first */
} Part;

static IrId next_param(Part *p) {
    return p->func->body->params.at[p->next++];
}

static int add_local(Checker *ck, const char *name, Val v, bool is_var) {
    int at = local_add(ck, ck_name(ck, name), v, (Span){0}, is_var);
    ck->locals.at[at].used = true;
    return at;
}

static void begin_part(Checker *ck, Part *p, IrActor *actor, IrFunc *func) {
    const Decl *d = actor->type->decl;
    *p = (Part){.actor = actor, .decl = d, .func = func};
    root_begin(ck);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = func, .region = func->body, .span = func->span};
    p->ctx = (FnCtx){.decl = d, .what = "handler", .module = d->module, .types = actor_env(ck, actor->type),
                     .returned = -1, .retval = -1, .brk = -1, .cont = -1, .effects = true, .actor = d};
    ck->fn = &p->ctx;
    ck->part = p;
    p->locals = NEW_ARRAY(ck->arena, int, d->actor.params.len + d->actor.items.len + 1);
    p->taken = NEW_ARRAY(ck->arena, IrId, d->actor.params.len + d->actor.items.len + 1);
    add_local(ck, "self", val(actor->type, next_param(p)), false);
}

static void end_part(Checker *ck) {
    root_end(ck);
    ck->fn = NULL;
    ck->part = NULL;
}

static IrId part_self(const Part *p) {
    return p->func->body->params.at[0];
}

static const Decl *state_decl(const Part *p, int k);

/* Field k is value; a state keeps its written sizes. */
static void put_field(Checker *ck, const Part *p, int k, IrId value) {
    const TypeExpr *te = k < p->actor->nparams ? NULL : state_decl(p, k)->constant.type;
    if (te && te->kind == TE_ARRAY)
        value = coerce_written(ck, val(p->actor->fields[k], value), te, state_decl(p, k)->name_span,
                               false, "this state").id;
    IrId args[] = {ir_i64(&ck->b, p->actor->number), ir_i64(&ck->b, k), part_self(p), value};
    ir_rt(&ck->b, RT_PUT, type_unit(ck->ts), args, 4);
}

/* A parameter's value under its name, its written sizes checked and bound. */
static Val bind_value(Checker *ck, const Param *p, Val v) {
    if (p->type && p->type->kind != TE_NAME)
        v = coerce_written(ck, v, p->type, p->span, true, "this parameter");
    return v;
}

/* ---- spawning: the first value of every field ---- */

static void init_params(Checker *ck, Part *p) {
    const Decl *d = p->decl;
    for (int k = 0; k < d->actor.params.len; k++) {
        const Param *param = &d->actor.params.at[k];
        if (!param->type)
            ck_error(ck, DIAG_ENTRY_TYPE, param->span, "parameter `%s` of an actor needs a type",
                     param->name ? param->name : "_");
        if (param->init && param->type) /* a mistake in it shows even where nobody needs it */
            coerce(ck, check_expr(ck, param->init), p->actor->fields[k], param->init->span,
                   "this default");
        Val v = bind_value(ck, param, val(p->actor->fields[k], next_param(p)));
        local_add(ck, p->actor->names[k], v, param->span, false);
        put_field(ck, p, k, v.id);
    }
}

static Val state_value(Checker *ck, const Decl *s) {
    Val v = check_expr(ck, s->constant.value);
    if (s->constant.type)
        v = coerce_written(ck, v, s->constant.type, s->constant.value->span, false, "this state");
    Type *type = s->constant.type ? type_resolve(ck->ts, eval_type(ck, s->constant.type)) : NULL;
    if (!type)
        type = type_of(ck, v);
    if (type->has_var) {
        ck_error(ck, DIAG_ENTRY_TYPE, s->name_span, "state `%s` needs a type", s->name);
        return val_poison(ck);
    }
    if (type->has_closure) {
        ck_error(ck, DIAG_CLOSURE_ESCAPES, s->span, "state cannot hold a function");
        return val_poison(ck);
    }
    return val(type, v.id);
}

static void init_state(Checker *ck, Part *p) {
    for (int i = 0; i < p->decl->actor.items.len; i++) {
        const Decl *s = p->decl->actor.items.at[i];
        if (s->kind != DECL_STATE)
            continue;
        Val v = state_value(ck, s);
        int k = p->actor->nfields++;
        p->actor->fields[k] = v.type;
        p->actor->names[k] = s->name;
        put_field(ck, p, k, v.id);
        local_add(ck, s->name, v, s->name_span, true);
    }
}

/* What an actor does unasked. */
static void init_start(Checker *ck, const Part *p) {
    for (int i = 0; i < p->actor->messages.len; i++) {
        const IrMessage *m = p->actor->messages.at[i];
        IrId number = ir_i64(&ck->b, m->number);
        if (m->kind == MESSAGE_START) {
            ir_rt(&ck->b, RT_SEND, type_unit(ck->ts), (IrId[]){number, part_self(p)}, 2);
        } else if (m->kind == MESSAGE_TIMER) {
            Val time = coerce(ck, check_expr(ck, m->decl->fn.period), basic(ck, TYPE_DURATION),
                              m->decl->fn.period->span, "this time");
            IrId repeats = ir_bool(&ck->b, !strcmp(m->decl->fn.title, "every"));
            ir_rt(&ck->b, RT_TIMER, type_unit(ck->ts),
                  (IrId[]){number, time.id, repeats, part_self(p)}, 4);
        }
    }
}

static void check_init(Checker *ck, IrActor *actor) {
    Part p;
    begin_part(ck, &p, actor, actor->init);
    init_params(ck, &p);
    init_state(ck, &p);
    init_start(ck, &p);
    vec_push(ck->arena, &p.func->body->results, val_unit(ck).id);
    end_part(ck);
}

/* ---- the state in a handler ---- */

/* The declaration of field k, a state. */
static const Decl *state_decl(const Part *p, int k) {
    int n = p->actor->nparams;
    for (int i = 0; i < p->decl->actor.items.len; i++)
        if (p->decl->actor.items.at[i]->kind == DECL_STATE && n++ == k)
            return p->decl->actor.items.at[i];
    return NULL;
}

/* A state whose sizes are written as constants always has them. */
static void assume_sizes(Checker *ck, const TypeExpr *te, Val v) {
    int axis = 0;
    for (; te && te->kind == TE_ARRAY && axis < v.type->rank; te = te->array.elem)
        for (int i = 0; i < te->array.dims.len && axis < v.type->rank; i++, axis++) {
            const Expr *dim = te->array.dims.at[i];
            bool is_const = dim->kind == EXPR_INT || (dim->kind == EXPR_NAME && !local_find(ck, dim->name));
            int64_t size;
            Val known = is_const ? check_expr(ck, dim) : (Val){0};
            if (is_const && !is_poison(ck, known) && fold_const(ck, known, &size))
                ck_assume_dim(ck, v.id, 0, axis, ir_i64(&ck->b, size));
        }
}

static void take_field(Checker *ck, Part *p, int k, bool is_var, const Param *param, Span span) {
    Type *type = p->actor->fields[k];
    IrId args[] = {ir_i64(&ck->b, p->actor->number), ir_i64(&ck->b, k), part_self(p)};
    Val v = val(type, type->kind == TYPE_POISON ? val_poison(ck).id : ir_rt(&ck->b, RT_TAKE, type, args, 3));
    p->taken[k] = v.id;
    if (param)
        v = bind_value(ck, param, v);
    else if (type->kind == TYPE_ARRAY && state_decl(p, k)->constant.type)
        assume_sizes(ck, state_decl(p, k)->constant.type, v);
    p->locals[k] = local_add(ck, p->actor->names[k], v, span, is_var);
    ck->locals.at[p->locals[k]].used = true;
}

static void take_state(Checker *ck, Part *p) {
    for (int k = 0; k < p->actor->nparams; k++)
        take_field(ck, p, k, false, &p->decl->actor.params.at[k], p->decl->actor.params.at[k].span);
    int k = p->actor->nparams;
    for (int i = 0; i < p->decl->actor.items.len; i++)
        if (p->decl->actor.items.at[i]->kind == DECL_STATE && k < p->actor->nfields)
            take_field(ck, p, k++, true, NULL, p->decl->actor.items.at[i]->name_span);
}

void state_commit(Checker *ck) {
    const Part *p = ck->part;
    for (int k = p ? p->actor->nparams : 0; p && k < p->actor->nfields; k++) {
        IrId now = ck->locals.at[p->locals[k]].val.id;
        if (now != p->taken[k])
            put_field(ck, p, k, now);
    }
}

void state_retake(Checker *ck) {
    const Part *p = ck->part;
    if (!p || !p->actor->is_reentrant)
        return;
    for (int k = p->actor->nparams; k < p->actor->nfields; k++) {
        IrId args[] = {ir_i64(&ck->b, p->actor->number), ir_i64(&ck->b, k), part_self(p)};
        Val *v = &ck->locals.at[p->locals[k]].val;
        if (p->actor->fields[k]->kind != TYPE_POISON)
            v->id = ir_rt(&ck->b, RT_TAKE, p->actor->fields[k], args, 3);
    }
}

static bool has_call(const IrFunc *f, const IrRegion *region, int rt) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (op->kind == IR_RT && op->imm == rt)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (has_call(f, op->regions[r], rt))
                return true;
    }
    return false;
}

static void drop_op(IrRegion *region, IrId id) {
    int kept = 0;
    for (int i = 0; i < region->ops.len; i++)
        if (region->ops.at[i] != id)
            region->ops.at[kept++] = region->ops.at[i];
    region->ops.len = kept;
}

/* Puts what was changed. What was not is only looked at, unless others may change it meanwhile. */
static void put_state(Checker *ck, Part *p) {
    bool waits = has_call(p->func, p->func->body, RT_AWAIT);
    for (int k = 0; k < p->actor->nfields; k++) {
        IrId taken = p->taken[k], now = ck->locals.at[p->locals[k]].val.id;
        bool changed = k >= p->actor->nparams && now != taken;
        if (changed)
            put_field(ck, p, k, now);
        if (ir_op(p->func, taken)->kind != IR_RT)
            continue;
        if (!ir_used_in(p->func, p->func->body, taken))
            drop_op(p->func->body, taken);
        else if (!changed && !waits)
            ir_op(p->func, taken)->imm = RT_FIELD;
    }
}

/* ---- handlers ---- */

static void bind_message(Checker *ck, Part *p, const IrMessage *m) {
    const Decl *h = m->decl;
    for (int k = 0; k < m->nargs; k++) {
        const Param *param = &h->fn.params.at[k];
        IrId id = next_param(p);
        if (!param->type) {
            ck_error(ck, DIAG_ENTRY_TYPE, param->span, "parameter `%s` of a message needs a type",
                     param->name ? param->name : "_");
            continue;
        }
        if (m->args[k]->has_closure)
            ck_error(ck, DIAG_CLOSURE_ESCAPES, param->span, "a message cannot hold a function");
        Type *type = ir_type(p->func, id);
        bool is_row = type->kind == TYPE_ARRAY && type->rank == 1;
        if (m->is_batch && !is_row)
            ck_error(ck, DIAG_ENTRY_TYPE, param->span, "a @batch handler takes arrays of what one "
                     "message carries, such as [n]i64");
        Val v = bind_value(ck, param, val(type, id));
        if (param->name)
            local_add(ck, param->name, v, param->span, false);
    }
}

static void bind_fault(Checker *ck, Part *p, const IrMessage *m) {
    const Decl *h = m->decl;
    if (h->fn.params.len != 1 || m->nargs != 1) {
        ck_error(ck, DIAG_ENTRY_TYPE, h->span, "on fault takes one parameter: on fault(f) { … }");
        return;
    }
    Name name = h->fn.params.at[0].name;
    add_local(ck, name ? name : "_", val(m->args[0], next_param(p)), false);
}

/* The population's first reference and how many there are: peers and index. */
static Val peer_reference(Checker *ck, const IrId *at, void *ctx) {
    const Val *first = ctx; /* its type: of the reference */
    IrId number = ir_binary(&ck->b, IR_ADD, first->id, at[0]);
    return val(first->type, ir_emit(&ck->b, (IrOp){.kind = IR_BITS, .type = first->type,
                                                   .args = &number, .nargs = 1}));
}

static void bind_peers(Checker *ck, Part *p) {
    Type *i64 = basic(ck, TYPE_I64), *items[] = {i64, i64};
    IrId self = part_self(p);
    IrId pair = ir_rt(&ck->b, RT_PEERS, type_tuple(ck->ts, items, NULL, 2), &self, 1);
    Val first = val(p->actor->type, ir_get(&ck->b, pair, 0));
    IrId count = ir_get(&ck->b, pair, 1);
    Val peers = map_space(ck, 1, &count, peer_reference, &first, p->decl->span);
    IrId me = ir_emit(&ck->b, (IrOp){.kind = IR_BITS, .type = i64, .args = &self, .nargs = 1});
    add_local(ck, "peers", peers, false);
    add_local(ck, "index", val(i64, ir_binary(&ck->b, IR_SUB, me, first.id)), false);
}

static Val check_reply(Checker *ck, const Decl *h) {
    if (h->fn.result) {
        Val v = check_body(ck, h->fn.body, h->fn.body->span);
        return is_poison(ck, v) ? v : coerce_written(ck, v, h->fn.result, h->fn.body->span, false,
                                                     "the reply");
    }
    if (may_exit(h->fn.body))
        check_body(ck, h->fn.body, h->fn.body->span);
    else
        check_statement(ck, h->fn.body);
    return val_unit(ck);
}

static void check_handler(Checker *ck, const IrMessage *m) {
    Part p;
    const Decl *h = m->decl;
    begin_part(ck, &p, m->actor, m->func);
    check_attrs(ck, &h->attrs, "on");
    p.ctx.handler = h;
    IrId sender = next_param(&p), sent = next_param(&p);
    add_local(ck, "sender", reference_of(ck, m->actor->type, sender), false);
    add_local(ck, "sent", val(basic(ck, TYPE_HLC), sent), false);
    bind_peers(ck, &p);
    take_state(ck, &p); /* state of these names hides them */
    if (m->kind == MESSAGE_FAULT)
        bind_fault(ck, &p, m);
    else
        bind_message(ck, &p, m);
    p.ctx.result = h->fn.result ? eval_type(ck, h->fn.result) : type_unit(ck->ts);
    Val reply = check_reply(ck, h);
    vec_push(ck->arena, &p.func->body->results, reply.id);
    put_state(ck, &p);
    check_waits(ck, p.func);
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

/* The functions of an actor that nobody has checked yet. */
static void check_parts(Checker *ck, IrActor *actor) {
    if (actor->is_checked)
        return;
    actor->is_checked = true;
    check_init(ck, actor);
    for (int i = 0; i < actor->messages.len; i++)
        check_handler(ck, actor->messages.at[i]);
}

void check_actor_decl(Checker *ck, const Decl *d) {
    check_attrs(ck, &d->attrs, "actor");
    check_item_names(ck, d);
    if (!d->actor.type_params.len)
        check_parts(ck, actor_known(ck, nominal_instance(ck, d, NULL, 0)));
}

/* Those of generic actors and of the library, which are known once they are spawned. */
void check_known_actors(Checker *ck) {
    for (int i = 0; i < ck->c->ir->actors.len; i++)
        check_parts(ck, ck->c->ir->actors.at[i]);
}
