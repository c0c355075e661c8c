/* The loop that handles messages, one case for each, with the handlers that fit into it; and the table of
   an image's actors. */
#include "actor.h"

#include <stddef.h>

#define B (f->e->B)

static LLVMTypeRef fn_type(LLVMTypeRef result, int n, LLVMTypeRef *params) {
    return LLVMFunctionType(result, params, (unsigned)n, 0);
}

static Fn *new_function(Emit *e, Fn *f, const char *name, LLVMTypeRef type) {
    LLVMValueRef fn = LLVMAddFunction(e->M, name, type);
    LLVMSetLinkage(fn, LLVMInternalLinkage);
    *f = (Fn){0};
    fn_start(f, e, NULL, fn);
    return f;
}

/* ---- one message ---- */

typedef struct {
    Fn *f;
    LLVMValueRef worker, head_at, head, word;
    LLVMValueRef *handlers; /* by the message's number */
    LLVMBasicBlockRef next; /* the loop's beginning */
} Drain;

/* The slots of every value that a message carries, as the handler takes them. */
LLVMValueRef *actor_load_values(Fn *f, const Envelope *v, LLVMValueRef p, int *n) {
    const IrMessage *m = v->message;
    *n = 0;
    for (int k = 0; k < m->nargs; k++)
        *n += layout_of(f->e, m->args[k])->nslots;
    LLVMValueRef *s = slots_new(f, *n);
    int at = 0;
    for (int k = 0; k < m->nargs; k++) {
        Layout *l = layout_of(f->e, m->args[k]);
        for (int i = 0; i < l->nslots; i++)
            s[at++] = fn_get(f, layout_slot_type(f->e, &l->slots[i]),
                             envelope_member(f, v, p, v->first[k] + i));
    }
    return s;
}

void actor_release_values(Fn *f, const IrMessage *m, LLVMValueRef const *s) {
    for (int k = 0; k < m->nargs; k++) {
        Layout *l = layout_of(f->e, m->args[k]);
        slots_release(f, l, s);
        s += l->nslots;
    }
}

static LLVMValueRef word_or_zero(Fn *f, const Envelope *v, LLVMValueRef p, int member) {
    return member ? fn_get(f, f->e->i64, envelope_member(f, v, p, member)) : fn_int(f, 0);
}

/* The handler's reply as slots. */
static LLVMValueRef *call_handler(Fn *f, const IrMessage *m, LLVMValueRef *args, int n) {
    Layout *r = layout_of(f->e, m->reply);
    LLVMValueRef result = LLVMBuildCall2(B, func_type(f->e, m->func), func_of(f->e, m->func), args,
                                         (unsigned)n, "");
    LLVMValueRef *s = slots_new(f, r->nslots);
    for (int k = 0; k < r->nslots; k++)
        s[k] = r->nslots == 1 ? result : LLVMBuildExtractValue(B, result, (unsigned)k, "");
    return s;
}

/* Calls the handler and answers. */
static void run_handler(Fn *f, const Envelope *v, LLVMValueRef message, LLVMValueRef *args, int n) {
    const IrMessage *m = v->message;
    LLVMValueRef wanted = word_or_zero(f, v, message, v->reply);
    if (v->waits) {
        args[n] = wanted;
        LLVMBuildCall2(B, waiting_type(f->e, m->func), waiting_handler(f->e, m), args, (unsigned)n + 1, "");
        return;
    }
    LLVMValueRef *reply = call_handler(f, m, args, n);
    if (v->reply)
        actor_send_reply(f, m, wanted, reply);
    else
        slots_release(f, layout_of(f->e, m->reply), reply);
    actor_release_values(f, m, args + 4);
}

/* A mailbox with a limit has room for one more. What only the runtime sends is not counted. */
static void count_taken(Fn *f, const Envelope *v, LLVMValueRef worker, LLVMValueRef word) {
    const Columns *c = &actor_tables(f->e)->columns[v->message->actor->number];
    IrMessageKind kind = v->message->kind;
    if (!c->queued || kind == MESSAGE_STOP || kind == MESSAGE_FAULT)
        return;
    LLVMValueRef p = actor_element(f, worker, c->queued, f->e->i32, word);
    fn_set(f, p, fn_sub(f, fn_get(f, f->e->i32, p), LLVMConstInt(f->e->i32, 1, 0)));
}

/* What a handler that is done has noted is not needed. */
static void clear_notes(Fn *f, const Envelope *v) {
    Emit *e = f->e;
    if (actor_notes(e, v->message->func))
        api_call(f, offsetof(GactApi, undo_clear), fn_type(e->vd, 1, (LLVMTypeRef[]){e->ptr}),
                 (LLVMValueRef[]){f->ctx}, 1);
}

/* handle(ctx, worker, message). */
static LLVMValueRef handle_function(Emit *e, const Envelope *v) {
    Fn fn, *f = new_function(e, &fn, arena_printf(e->arena, "handle.%s", v->message->func->name),
                             fn_type(e->vd, 3, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr}));
    LLVMValueRef worker = LLVMGetParam(f->fn, 1), message = LLVMGetParam(f->fn, 2);
    LLVMValueRef word = fn_get(f, e->i64, message);
    uint64_t type = (uint64_t)(v->message->actor->number + 1) << 48;
    LLVMValueRef self = fn_bin(f, LLVMOr, fn_bin(f, LLVMAnd, word, fn_int(f, 0xffffffffffff)),
                               fn_int(f, (int64_t)type));
    fn_set(f, actor_worker_place(f, worker, offsetof(GactWorker, self)), self);
    count_taken(f, v, worker, word);
    if (v->may_fault || v->waits) {
        LLVMValueRef tail = fn_get(f, e->ptr, actor_worker_place(f, worker, offsetof(GactWorker, tail)));
        fn_set(f, actor_worker_place(f, worker, offsetof(GactWorker, staged)), tail);
    }
    if (v->message->is_batch) {
        emit_batch(f, v, worker, message, self);
        clear_notes(f, v);
        LLVMBuildRetVoid(B);
        fn_end(f);
        return f->fn;
    }
    if (v->waits)
        message = api_call(f, offsetof(GactApi, begin), fn_type(e->ptr, 2, (LLVMTypeRef[]){e->ptr, e->ptr}),
                           (LLVMValueRef[]){f->ctx, message}, 2);
    int n;
    LLVMValueRef *values = actor_load_values(f, v, message, &n);
    LLVMValueRef *args = slots_new(f, n + 5);
    args[0] = f->ctx;
    args[1] = self;
    args[2] = word_or_zero(f, v, message, v->sender);
    args[3] = word_or_zero(f, v, message, v->sent);
    for (int k = 0; k < n; k++)
        args[4 + k] = values[k];
    run_handler(f, v, message, args, n + 4);
    clear_notes(f, v);
    LLVMBuildRetVoid(B);
    fn_end(f);
    return f->fn;
}

static void handle(Drain *d, const Envelope *v) {
    Fn *f = d->f;
    Emit *e = f->e;
    LLVMTypeRef type = fn_type(e->vd, 3, (LLVMTypeRef[]){e->ptr, e->ptr, e->ptr});
    LLVMBuildCall2(B, type, d->handlers[v->message->number], (LLVMValueRef[]){f->ctx, d->worker, d->head}, 3, "");
    LLVMValueRef last = v->message->is_batch ? fn_get(f, e->ptr, d->head_at) : d->head;
    fn_set(f, d->head_at, fn_at_index(f, e->i8, last, fn_int(f, v->bytes)));
    fn_br(f, d->next);
}

/* A message whose actor may have ended or wait: the runtime knows what to do then. */
static void handle_if_ready(Drain *d, const Envelope *v, LLVMBasicBlockRef odd) {
    Fn *f = d->f;
    Emit *e = f->e;
    const Columns *c = &actor_tables(e)->columns[v->message->actor->number];
    bool is_last = v->message->kind == MESSAGE_STOP || v->message->kind == MESSAGE_FAULT;
    if (!c->is_steady && !is_last) {
        LLVMValueRef life = fn_get(f, e->i32, actor_element(f, d->worker, c->column, e->i32, d->word));
        LLVMValueRef epoch = LLVMBuildTrunc(B, LLVMBuildLShr(B, d->word, fn_int(f, 32), ""), e->i32, "");
        epoch = fn_bin(f, LLVMAnd, epoch, LLVMConstInt(e->i32, 0xffff, 0));
        LLVMBasicBlockRef ready = fn_block(f, "ready");
        fn_unlikely(f, fn_cmp(f, LLVMIntEQ, life, epoch), ready, odd);
        fn_at(f, ready);
    }
    handle(d, v);
}

/* ---- the loop ---- */

static LLVMBasicBlockRef call_block(Drain *d, size_t offset, const char *name) {
    Fn *f = d->f;
    LLVMBasicBlockRef block = fn_block(f, name);
    fn_at(f, block);
    api_call(f, offset, fn_type(f->e->vd, 1, (LLVMTypeRef[]){f->e->ptr}), (LLVMValueRef[]){f->ctx}, 1);
    fn_br(f, d->next);
    return block;
}

static LLVMValueRef drain_function(Emit *e, LLVMValueRef *handlers) {
    Fn fn, *f = new_function(e, &fn, "drain", fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->ptr}));
    Drain drain = {.f = f, .worker = LLVMGetParam(f->fn, 1), 
                   .next = fn_block(f, "next"), .handlers = handlers}, *d = &drain;
    d->head_at = actor_worker_place(f, d->worker, offsetof(GactWorker, head));
    LLVMValueRef tail_at = actor_worker_place(f, d->worker, offsetof(GactWorker, tail));
    LLVMValueRef left = fn_alloca(f, e->i64, "left");
    fn_set(f, left, fn_get(f, e->i64, actor_worker_place(f, d->worker, offsetof(GactWorker, budget))));
    fn_br(f, d->next);
    fn_at(f, d->next);
    LLVMBasicBlockRef some = fn_block(f, "some"), go = fn_block(f, "go"), out = fn_block(f, "out");
    d->head = fn_get(f, e->ptr, d->head_at);
    fn_cond(f, fn_cmp(f, LLVMIntEQ, d->head, fn_get(f, e->ptr, tail_at)), out, some);
    fn_at(f, some);
    LLVMValueRef rest = fn_sub(f, fn_get(f, e->i64, left), fn_int(f, 1));
    fn_set(f, left, rest);
    fn_unlikely(f, fn_cmp(f, LLVMIntSGE, rest, fn_int(f, 0)), go, out);
    fn_at(f, go);
    d->word = fn_get(f, e->i64, d->head);
    LLVMValueRef number = LLVMBuildLShr(B, d->word, fn_int(f, 48), "");
    LLVMBasicBlockRef here = fn_here(f);
    LLVMBasicBlockRef end = call_block(d, offsetof(GactApi, next), "end");
    LLVMBasicBlockRef odd = call_block(d, offsetof(GactApi, odd), "odd");
    fn_at(f, here);
    LLVMValueRef cases = LLVMBuildSwitch(B, number, end, (unsigned)e->m->messages.len);
    for (int k = 1; k < e->m->messages.len; k++) {
        if (!e->m->messages.at[k]->actor->is_spawned)
            continue;
        LLVMBasicBlockRef block = fn_block(f, e->m->messages.at[k]->name);
        LLVMAddCase(cases, LLVMConstInt(e->i64, (uint64_t)k, 0), block);
        fn_at(f, block);
        handle_if_ready(d, &actor_tables(e)->envelopes[k], odd);
    }
    fn_at(f, out);
    LLVMBuildRetVoid(B);
    fn_end(f);
    return f->fn;
}

/* ---- what the runtime calls ---- */

/* drop(ctx, message): releases what a message holds. */
static LLVMValueRef drop_function(Emit *e, const Envelope *v) {
    if (!v->holds_buffers)
        return LLVMConstNull(e->ptr);
    Fn fn, *f = new_function(e, &fn, "drop", fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->ptr}));
    int n;
    actor_release_values(f, v->message, actor_load_values(f, v, LLVMGetParam(f->fn, 1), &n));
    LLVMBuildRetVoid(B);
    fn_end(f);
    return f->fn;
}

static LLVMValueRef field_at(Fn *f, const Columns *c, int k, LLVMValueRef self) {
    Layout *l = layout_of(f->e, c->actor->fields[k]);
    return actor_element(f, actor_worker(f), c->column + 1 + k, slots_type(f->e, l), self);
}

static LLVMValueRef clear_function(Emit *e, const Columns *c) {
    Fn fn, *f = new_function(e, &fn, "clear", fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->i64}));
    for (int k = 0; k < c->actor->nfields; k++) {
        Layout *l = layout_of(e, c->actor->fields[k]);
        if (!c->is_read[k])
            continue;
        LLVMValueRef p = field_at(f, c, k, LLVMGetParam(f->fn, 1));
        slots_release(f, l, slots_load(f, l, p));
        slots_store(f, l, p, slots_empty(f, l));
    }
    LLVMBuildRetVoid(B);
    fn_end(f);
    return f->fn;
}

static LLVMValueRef restart_function(Emit *e, const Columns *c) {
    if (c->actor->supervision != FAULT_RESTARTS)
        return LLVMConstNull(e->ptr);
    Fn fn, *f = new_function(e, &fn, "restart", fn_type(e->vd, 2, (LLVMTypeRef[]){e->ptr, e->i64}));
    VEC(LLVMValueRef) args = {0};
    vec_push(e->arena, &args, f->ctx);
    vec_push(e->arena, &args, LLVMGetParam(f->fn, 1));
    for (int k = 0; k < c->actor->nparams; k++) {
        Layout *l = layout_of(e, c->actor->fields[k]);
        LLVMValueRef *s = slots_load(f, l, field_at(f, c, k, LLVMGetParam(f->fn, 1)));
        for (int i = 0; i < l->nslots; i++)
            vec_push(e->arena, &args, s[i]);
    }
    const IrFunc *init = c->actor->init;
    LLVMBuildCall2(B, func_type(e, init), func_of(e, init), args.at, (unsigned)args.len, "");
    LLVMBuildRetVoid(B);
    fn_end(f);
    return f->fn;
}

/* ---- tables ---- */

static LLVMValueRef i32(Emit *e, int64_t value) {
    return LLVMConstInt(e->i32, (uint64_t)value, 0);
}

static LLVMValueRef i64(Emit *e, int64_t value) {
    return LLVMConstInt(e->i64, (uint64_t)value, 0);
}

static int offset_of(Emit *e, const Envelope *v, int member) {
    return member ? (int)LLVMOffsetOfElement(e->layout, v->type, (unsigned)member) : 0;
}

static LLVMValueRef message_row(Emit *e, int k) {
    const Envelope *v = &actor_tables(e)->envelopes[k];
    const IrMessage *m = k ? v->message : NULL;
    bool is_used = m && m->actor->is_spawned;
    LLVMTypeRef reply = m ? slots_type(e, layout_of(e, m->reply)) : NULL;
    LLVMValueRef fields[] = {
        table_string(e, m ? m->name : ""),
        i32(e, m ? m->actor->number : 0),
        i32(e, m ? (int64_t)m->kind : 0),
        i32(e, v->bytes),
        i32(e, m ? offset_of(e, v, v->sender) : 0),
        i32(e, m ? offset_of(e, v, v->sent) : 0),
        i32(e, m ? offset_of(e, v, v->reply) : 0),
        i32(e, m ? (int64_t)LLVMABISizeOfType(e->layout, reply) : 0),
        i32(e, v->may_fault),
        i32(e, v->waits),
        is_used ? e->handlers[k] : LLVMConstNull(e->ptr),
        is_used ? drop_function(e, v) : LLVMConstNull(e->ptr),
    };
    return LLVMConstStructInContext(e->C, fields, ARRAY_LEN(fields), 0);
}

static LLVMValueRef column_bytes(Emit *e, const Columns *c) {
    int n = c->actor->nfields + 1 + (c->queued != 0);
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, n);
    rows[0] = i32(e, 4);
    rows[n - 1] = i32(e, 4);
    for (int k = 0; k < c->actor->nfields; k++) {
        LLVMTypeRef type = slots_type(e, layout_of(e, c->actor->fields[k]));
        rows[k + 1] = i32(e, c->is_read[k] ? (int64_t)LLVMABISizeOfType(e->layout, type) : 0);
    }
    return table_global(e, LLVMConstArray2(e->i32, rows, (uint64_t)n), "bytes");
}

static int message_of_kind(const IrActor *actor, IrMessageKind kind) {
    for (int k = 0; k < actor->messages.len; k++)
        if (actor->messages.at[k]->kind == kind)
            return actor->messages.at[k]->number;
    return 0;
}

static LLVMValueRef actor_row(Emit *e, int a) {
    const Columns *c = &actor_tables(e)->columns[a];
    const IrActor *actor = c->actor;
    bool is_used = actor->is_spawned;
    LLVMValueRef fields[] = {
        table_string(e, actor->name),
        i32(e, c->column),
        i32(e, actor->nfields + 1 + (c->queued != 0)),
        is_used ? column_bytes(e, c) : LLVMConstNull(e->ptr),
        i32(e, message_of_kind(actor, MESSAGE_START)),
        i32(e, message_of_kind(actor, MESSAGE_STOP)),
        i32(e, message_of_kind(actor, MESSAGE_FAULT)),
        i32(e, (int64_t)actor->overflow),
        i64(e, actor->capacity),
        i32(e, (int64_t)actor->supervision),
        i32(e, actor->is_reentrant),
        i64(e, actor->max_faults),
        i64(e, actor->fault_window),
        is_used ? restart_function(e, c) : LLVMConstNull(e->ptr),
        is_used ? clear_function(e, c) : LLVMConstNull(e->ptr),
    };
    return LLVMConstStructInContext(e->C, fields, ARRAY_LEN(fields), 0);
}

static LLVMValueRef rows_table(Emit *e, LLVMValueRef (*row)(Emit *e, int k), int n, const char *name) {
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, n);
    for (int k = 0; k < n; k++)
        rows[k] = row(e, k);
    return table_global(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, (uint64_t)n), name);
}

LLVMValueRef actor_image(Emit *e) {
    bool any = false;
    for (int a = 0; a < e->m->actors.len; a++)
        any |= e->m->actors.at[a]->is_spawned;
    if (!any)
        return LLVMConstNull(e->ptr);
    e->handlers = NEW_ARRAY(e->arena, LLVMValueRef, e->m->messages.len + 1);
    for (int k = 1; k < e->m->messages.len; k++)
        if (e->m->messages.at[k]->actor->is_spawned)
            e->handlers[k] = handle_function(e, &actor_tables(e)->envelopes[k]);
    int nactors = e->m->actors.len, nmessages = e->m->messages.len ? e->m->messages.len : 1;
    LLVMValueRef fields[] = {
        i32(e, nactors),
        i32(e, nmessages),
        i32(e, actor_tables(e)->ncolumns),
        i32(e, 0),
        rows_table(e, actor_row, nactors, "actors"),
        rows_table(e, message_row, nmessages, "messages"),
        drain_function(e, e->handlers),
    };
    return table_global(e, LLVMConstStructInContext(e->C, fields, ARRAY_LEN(fields), 0), "actors");
}
