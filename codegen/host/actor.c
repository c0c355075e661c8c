/* What code does with actors: fields of the state, sends, asks, spawns. A send writes the message where
   the worker's queue ends; everything that does not happen all the time is a call of the runtime. */
#include "actor.h"

#include <stddef.h>

#define B (f->e->B)

static LLVMTypeRef fn_type(LLVMTypeRef result, int n, LLVMTypeRef *params) {
    return LLVMFunctionType(result, params, (unsigned)n, 0);
}

static int64_t constant(Fn *f, IrId id) {
    int64_t value = 0;
    ir_const_int(f->ir, id, &value);
    return value;
}

static void set_unit(Fn *f, IrId id) {
    value_set(f, id, slots_new(f, 0), 0);
}

/* ---- ownership ---- */

static void detach(Fn *f, const Layout *l, LLVMValueRef const *s) {
    Emit *e = f->e;
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_BUF && !LLVMIsNull(s[k]))
            api_call(f, offsetof(GactApi, detach), fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->ptr}),
                     (LLVMValueRef[]){f->ctx, s[k]}, 2);
}

/* The slots of args[k], whose buffers somebody else is going to hold. */
static LLVMValueRef *given(Fn *f, const IrOp *op, int k) {
    Layout *l = value_layout(f, op->args[k]);
    LLVMValueRef *s = value_of(f, op->args[k])->s;
    if (!op_consumes(f, op, k))
        slots_retain(f, l, s);
    detach(f, l, s);
    return s;
}

/* ---- fields ---- */

static LLVMValueRef field_place(Fn *f, const IrOp *op, const Layout *l) {
    const Columns *c = &actor_tables(f->e)->columns[constant(f, op->args[0])];
    int column = c->column + 1 + (int)constant(f, op->args[1]);
    return actor_element(f, actor_worker(f), column, slots_type(f->e, l), value_scalar(f, op->args[2]));
}

/* An array of the state that a handler changes in place: nobody else holds it. */
static LLVMValueRef *own_field(Fn *f, const IrOp *op, Layout *l, LLVMValueRef p, LLVMValueRef const *s) {
    LLVMValueRef *own = slots_new(f, l->nslots);
    for (int k = 0; k < l->rank; k++)
        own[k] = s[k];
    array_own(f, l, site_memory(f, op), s, true, own + l->rank);
    detach(f, l, own);
    slots_store(f, l, p, own);
    return own;
}

/* Is field k of the actor only put back where it was taken from? */
static bool was_moved(Fn *f, int64_t field, const Layout *l) {
    bool is_own = f->notes && layout_is_array(l->type) && l->is_regular;
    return actor_takes(f->ir, field) && (is_own || actor_moves(f->e, f->ir));
}

static void emit_field(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef p = field_place(f, op, l), *s = slots_load(f, l, p);
    if (op->imm == RT_TAKE && f->notes && layout_is_array(l->type) && l->is_regular)
        s = own_field(f, op, l, p, s);
    else if (op->imm == RT_TAKE && !actor_moves(f->e, f->ir))
        slots_retain(f, l, s);
    value_set(f, id, s, l->nslots);
}

static void emit_put(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[3]);
    int64_t actor = constant(f, op->args[0]), field = constant(f, op->args[1]);
    set_unit(f, id);
    if (!actor_tables(f->e)->columns[actor].is_read[field]) {
        if (op_consumes(f, op, 3))
            slots_release(f, l, value_of(f, op->args[3])->s);
        return;
    }
    LLVMValueRef *s = given(f, op, 3), p = field_place(f, op, l);
    LLVMValueRef *old = was_moved(f, field, l) ? NULL : slots_load(f, l, p);
    slots_store(f, l, p, s);
    if (old)
        slots_release(f, l, old);
}

/* ---- messages ---- */

/* Writes a message: whom args[to] names gets args[to + 1 …]. wanted: the reply, or NULL. */
static void write_message(Fn *f, const Envelope *v, const IrOp *op, int to, LLVMValueRef p,
                          LLVMValueRef wanted) {
    LLVMValueRef who = fn_bin(f, LLVMAnd, value_scalar(f, op->args[to]), fn_int(f, 0xffffffffffff));
    uint64_t number = (uint64_t)v->message->number << 48;
    fn_set(f, p, fn_bin(f, LLVMOr, who, fn_int(f, (int64_t)number)));
    for (int k = 0; k < v->message->nargs; k++) {
        LLVMValueRef *s = given(f, op, to + 1 + k);
        for (int i = 0; i < value_of(f, op->args[to + 1 + k])->n; i++)
            fn_set(f, envelope_member(f, v, p, v->first[k] + i), s[i]);
    }
    LLVMValueRef worker = actor_worker(f);
    if (v->sender)
        fn_set(f, envelope_member(f, v, p, v->sender),
               fn_get(f, f->e->i64, actor_worker_place(f, worker, offsetof(GactWorker, self))));
    if (v->sent) {
        LLVMValueRef at = actor_worker_place(f, worker, offsetof(GactWorker, clock));
        LLVMValueRef now = fn_add(f, fn_get(f, f->e->i64, at), fn_int(f, 1));
        fn_set(f, at, now);
        fn_set(f, envelope_member(f, v, p, v->sent), now);
    }
    if (v->reply)
        fn_set(f, envelope_member(f, v, p, v->reply), wanted ? wanted : fn_int(f, 0));
}

/* Puts a message at the queue's end. */
static void push_any(Fn *f, const Envelope *v, const IrOp *op, int to, LLVMValueRef wanted) {
    Emit *e = f->e;
    LLVMValueRef worker = actor_worker(f), bytes = fn_int(f, v->bytes);
    LLVMValueRef tail_at = actor_worker_place(f, worker, offsetof(GactWorker, tail));
    LLVMValueRef limit = fn_get(f, e->ptr, actor_worker_place(f, worker, offsetof(GactWorker, limit)));
    LLVMValueRef end = fn_at_index(f, e->i8, fn_get(f, e->ptr, tail_at), bytes);
    LLVMBasicBlockRef ready = fn_block(f, "ready"), full = fn_block(f, "full");
    fn_unlikely(f, fn_cmp(f, LLVMIntULE, end, limit), ready, full);
    fn_at(f, full);
    api_call(f, offsetof(GactApi, room), fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->i64}),
             (LLVMValueRef[]){f->ctx, bytes}, 2);
    fn_br(f, ready);
    fn_at(f, ready);
    LLVMValueRef p = fn_get(f, e->ptr, tail_at);
    write_message(f, v, op, to, p, wanted);
    fn_set(f, tail_at, fn_at_index(f, e->i8, p, bytes));
}

/* The same if the mailbox has room for it. */
static void push_limited(Fn *f, const Envelope *v, const IrOp *op, int to, LLVMValueRef wanted) {
    Emit *e = f->e;
    const Columns *c = &actor_tables(e)->columns[v->message->actor->number];
    LLVMBasicBlockRef room = fn_block(f, "room"), full = fn_block(f, "full");
    LLVMBasicBlockRef push = fn_block(f, "push"), drop = fn_block(f, "drop"), done = fn_block(f, "done");
    LLVMValueRef who = value_scalar(f, op->args[to]);
    LLVMValueRef p = actor_element(f, actor_worker(f), c->queued, e->i32, who);
    LLVMValueRef queued = fn_get(f, e->i32, p);
    LLVMValueRef capacity = LLVMConstInt(e->i32, (uint64_t)c->actor->capacity, 0);
    fn_unlikely(f, fn_cmp(f, LLVMIntULT, queued, capacity), room, full);
    fn_at(f, room);
    fn_set(f, p, fn_add(f, queued, LLVMConstInt(e->i32, 1, 0)));
    fn_br(f, push);
    fn_at(f, full);
    LLVMTypeRef type = fn_type(e->i32, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64, e->i64});
    LLVMValueRef args[] = {f->ctx, table_site(e, "mailbox", "the mailbox is full", f->ir, op), who,
                           wanted ? wanted : fn_int(f, 0)};
    LLVMValueRef may = api_call(f, offsetof(GactApi, full), type, args, 4);
    fn_cond(f, fn_cmp(f, LLVMIntNE, may, LLVMConstNull(e->i32)), push, drop);
    fn_at(f, drop);
    for (int k = to + 1; k < op->nargs; k++)
        if (op_consumes(f, op, k))
            slots_release(f, value_layout(f, op->args[k]), value_of(f, op->args[k])->s);
    fn_br(f, done);
    fn_at(f, push);
    push_any(f, v, op, to, wanted);
    fn_br(f, done);
    fn_at(f, done);
}

static void push_message(Fn *f, const Envelope *v, const IrOp *op, int to, LLVMValueRef wanted) {
    if (v->message->actor->capacity)
        push_limited(f, v, op, to, wanted);
    else
        push_any(f, v, op, to, wanted);
}

static const Envelope *envelope_of(Fn *f, const IrOp *op) {
    return &actor_tables(f->e)->envelopes[constant(f, op->args[0])];
}

static void emit_send(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    push_message(f, envelope_of(f, op), op, 1, NULL);
    set_unit(f, id);
}

static void emit_later(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    const Envelope *v = envelope_of(f, op);
    LLVMValueRef p = fn_alloca(f, v->type, "message");
    write_message(f, v, op, 2, p, NULL);
    api_call(f, offsetof(GactApi, later),
             fn_type(e->vd, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64, e->i64}),
             (LLVMValueRef[]){f->ctx, p, fn_int(f, v->bytes), value_scalar(f, op->args[1])}, 4);
    set_unit(f, id);
}

static void emit_timer(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMTypeRef type =
        fn_type(e->vd, 6, (LLVMTypeRef[]){e->ptr, e->ptr, e->i32, e->i64, e->i32, e->i64});
    LLVMValueRef args[] = {f->ctx,
                           site_memory(f, op),
                           LLVMConstInt(e->i32, (uint64_t)constant(f, op->args[0]), 0),
                           value_scalar(f, op->args[1]),
                           LLVMBuildZExt(B, value_scalar(f, op->args[2]), e->i32, ""),
                           value_scalar(f, op->args[3])};
    api_call(f, offsetof(GactApi, timer), type, args, 6);
    set_unit(f, id);
}

/* ---- asks ---- */

/* Asks, or actors, as many as the second argument says; the value is the number of the first. */
static void emit_several(Fn *f, IrId id, size_t function) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMTypeRef type = fn_type(e->i64, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->i32, e->i64});
    LLVMValueRef args[] = {f->ctx, site_memory(f, op),
                           LLVMConstInt(e->i32, (uint64_t)constant(f, op->args[0]), 0),
                           value_scalar(f, op->args[1])};
    LLVMValueRef *s = slots_new(f, 1);
    s[0] = api_call(f, function, type, args, 4);
    value_set(f, id, s, 1);
}

static void emit_pose(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    LLVMValueRef ask = LLVMBuildShl(B, value_scalar(f, op->args[1]), fn_int(f, 28), "");
    push_message(f, envelope_of(f, op), op, 3, fn_bin(f, LLVMOr, ask, value_scalar(f, op->args[2])));
    set_unit(f, id);
}

/* The replies at p, one struct after the other, as an array. */
static LLVMValueRef *gather_replies(Fn *f, IrId id, LLVMValueRef p) {
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id), *cell = layout_of(f->e, l->elem);
    Builder b = {.l = l, .p = fn_alloca(f, builder_type(f->e, l), "replies")};
    LLVMValueRef *s = slots_new(f, l->nslots), n = fn_int(f, 1);
    builder_init(f, &b);
    for (int k = 0; k < l->rank; k++) {
        s[k] = value_scalar(f, op->args[3 + k]);
        n = fn_mul(f, n, s[k]);
    }
    Loop loop = loop_begin(f, fn_int(f, 0), n, "replies");
    LLVMValueRef *one = slots_load(f, cell, fn_at_index(f, slots_type(f->e, cell), p, loop.i));
    builder_push(f, &b, site_memory(f, op), one);
    slots_release(f, cell, one);
    loop_end(f, &loop);
    builder_cols(f, &b, s + l->rank);
    return s;
}

void actor_replies(Fn *f, IrId id, LLVMValueRef p) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, id);
    LLVMValueRef *s = op->nargs > 3 && l->nslots ? gather_replies(f, id, p) : slots_load(f, l, p);
    api_call(f, offsetof(GactApi, answered), fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->i64}),
             (LLVMValueRef[]){f->ctx, value_scalar(f, op->args[1])}, 2);
    value_set(f, id, s, l->nslots);
}

static void emit_await(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMValueRef ask = value_scalar(f, op->args[1]);
    LLVMTypeRef type = fn_type(e->ptr, 4, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64, e->i64});
    LLVMValueRef args[] = {f->ctx, table_site(e, "ask", "the ask failed", f->ir, op), ask,
                           value_scalar(f, op->args[2])};
    actor_replies(f, id, api_call(f, offsetof(GactApi, await), type, args, 4));
}

void actor_send_reply(Fn *f, const IrMessage *m, LLVMValueRef wanted, LLVMValueRef const *reply) {
    Emit *e = f->e;
    Layout *r = layout_of(e, m->reply);
    If asked = if_begin(f, fn_cmp(f, LLVMIntNE, wanted, fn_int(f, 0)));
    LLVMValueRef p = fn_alloca(f, slots_type(e, r), "reply");
    slots_store(f, r, p, reply);
    detach(f, r, reply);
    api_call(f, offsetof(GactApi, reply), fn_type(e->vd, 3, (LLVMTypeRef[]){e->ptr, e->i64, e->ptr}),
             (LLVMValueRef[]){f->ctx, wanted, p}, 3);
    if_else(f, &asked);
    slots_release(f, r, reply);
    if_end(f, &asked);
}

/* ---- beginnings and ends ---- */


static void emit_find(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMValueRef *s = slots_new(f, 1);
    s[0] = api_call(f, offsetof(GactApi, find), fn_type(e->i64, 3, (LLVMTypeRef[]){e->ptr, e->i32, e->i64}),
                    (LLVMValueRef[]){f->ctx, LLVMConstInt(e->i32, (uint64_t)constant(f, op->args[0]), 0),
                                     value_scalar(f, op->args[1])}, 3);
    value_set(f, id, s, 1);
}

static void emit_enter(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMTypeRef type = fn_type(e->vd, 5, (LLVMTypeRef[]){e->ptr, e->ptr, e->i32, e->i64, e->i64});
    LLVMValueRef args[] = {f->ctx, site_memory(f, op),
                           LLVMConstInt(e->i32, (uint64_t)constant(f, op->args[0]), 0),
                           value_scalar(f, op->args[1]), value_scalar(f, op->args[2])};
    api_call(f, offsetof(GactApi, enter), type, args, 5);
    set_unit(f, id);
}

static void emit_peers(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    LLVMValueRef out = fn_alloca(f, LLVMArrayType2(e->i64, 2), "peers");
    api_call(f, offsetof(GactApi, peers), fn_type(e->vd, 3, (LLVMTypeRef[]){e->ptr, e->i64, e->ptr}),
             (LLVMValueRef[]){f->ctx, value_scalar(f, op->args[0]), out}, 3);
    value_set(f, id, slots_load_abi(f, value_layout(f, id), out, 0), 2);
}

static void emit_stop(Fn *f, IrId id) {
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    api_call(f, offsetof(GactApi, stop), fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->i64}),
             (LLVMValueRef[]){f->ctx, value_scalar(f, op->args[0])}, 2);
    set_unit(f, id);
}

void emit_actor_call(Fn *f, IrId id) {
    switch ((int)ir_op(f->ir, id)->imm) {
    case RT_FIELD:
    case RT_TAKE: emit_field(f, id); return;
    case RT_PUT: emit_put(f, id); return;
    case RT_SPAWN: emit_several(f, id, offsetof(GactApi, spawn)); return;
    case RT_FIND: emit_find(f, id); return;
    case RT_ENTER: emit_enter(f, id); return;
    case RT_PEERS: emit_peers(f, id); return;
    case RT_SEND: emit_send(f, id); return;
    case RT_LATER: emit_later(f, id); return;
    case RT_TIMER: emit_timer(f, id); return;
    case RT_ASK: emit_several(f, id, offsetof(GactApi, ask)); return;
    case RT_POSE: emit_pose(f, id); return;
    case RT_AWAIT:
        if (f->waiting)
            emit_waiting_await(f, id);
        else
            emit_await(f, id);
        return;
    case RT_STOP: emit_stop(f, id); return;
    default: UNREACHABLE();
    }
}
