/* Handlers that take many messages as arrays. Those are the messages of one kind for one actor that stand
   one behind the other at the queue's head: they stay there until the handler is done, so that a fault
   can drop them all. */
#include "actor.h"

#include <stddef.h>

#define B (f->e->B)

/* The run of messages: how many, and the place of the one at hand while walking over them. */
typedef struct {
    const Envelope *v;
    LLVMValueRef worker, first, word;
    LLVMValueRef count_at;
} Run;

static LLVMValueRef head_place(Fn *f, const Run *r) {
    return actor_worker_place(f, r->worker, offsetof(GactWorker, head));
}

/* Calls each for every message of the run in turn, at most `most` of them, or just as many. */
static void walk(Fn *f, const Run *r, LLVMValueRef most, bool is_known,
                 void (*each)(Fn *f, const Run *r, LLVMValueRef message, LLVMValueRef i, void *data),
                 void *data) {
    Emit *e = f->e;
    LLVMValueRef at = fn_alloca(f, e->ptr, "at"), n = fn_alloca(f, e->i64, "n");
    LLVMBasicBlockRef head = fn_block(f, "head"), body = fn_block(f, "body"), out = fn_block(f, "out");
    LLVMBasicBlockRef more = fn_block(f, "more"), same = fn_block(f, "same");
    fn_set(f, at, r->first);
    fn_set(f, n, fn_int(f, 0));
    fn_br(f, body);
    fn_at(f, body);
    LLVMValueRef message = fn_get(f, e->ptr, at), i = fn_get(f, e->i64, n);
    each(f, r, message, i, data);
    LLVMValueRef next = fn_at_index(f, e->i8, message, fn_int(f, r->v->bytes));
    LLVMValueRef count = fn_add(f, i, fn_int(f, 1));
    fn_set(f, n, count);
    fn_set(f, r->count_at, count);
    fn_cond(f, fn_cmp(f, LLVMIntSLT, count, most), head, out);
    LLVMBasicBlockRef again = fn_block(f, "again");
    fn_at(f, head); /* a message that was put aside stands alone */
    if (is_known) {
        fn_br(f, again);
        head = fn_block(f, "never");
        fn_at(f, head);
    }
    LLVMValueRef is_queued = fn_cmp(f, LLVMIntEQ, r->first, fn_get(f, e->ptr, head_place(f, r)));
    fn_cond(f, is_queued, more, out);
    fn_at(f, more);
    LLVMValueRef tail = fn_get(f, e->ptr, actor_worker_place(f, r->worker, offsetof(GactWorker, tail)));
    fn_cond(f, fn_cmp(f, LLVMIntEQ, next, tail), out, same);
    fn_at(f, same);
    fn_cond(f, fn_cmp(f, LLVMIntEQ, fn_get(f, e->i64, next), r->word), again, out);
    fn_at(f, again);
    fn_set(f, at, next);
    fn_br(f, body);
    fn_at(f, out);
}

static void gather(Fn *f, const Run *r, LLVMValueRef message, LLVMValueRef i, void *data) {
    const IrMessage *m = r->v->message;
    Builder *builders = data;
    int n;
    LLVMValueRef *s = actor_load_values(f, r->v, message, &n);
    LLVMValueRef site = table_site(f->e, "memory", "memory is exhausted", m->func, NULL);
    (void)i;
    for (int k = 0; k < m->nargs; k++) {
        builder_push(f, &builders[k], site, s);
        s += layout_of(f->e, m->args[k])->nslots;
    }
}

/* Gives each asker its element of the replies, and drops the message. */
static void settle(Fn *f, const Run *r, LLVMValueRef message, LLVMValueRef i, void *data) {
    const IrMessage *m = r->v->message;
    LLVMValueRef *replies = data;
    Layout *all = layout_of(f->e, m->func->result), *one = layout_of(f->e, m->reply);
    int n;
    LLVMValueRef *s = actor_load_values(f, r->v, message, &n);
    if (r->v->reply) {
        LLVMValueRef *reply = slots_new(f, one->nslots);
        if (one->nslots) {
            elem_load(f, all->elem, replies + all->rank, i, reply);
            slots_retain(f, one, reply);
        }
        actor_send_reply(f, m, fn_get(f, f->e->i64, envelope_member(f, r->v, message, r->v->reply)), reply);
    }
    actor_release_values(f, m, s);
    fn_set(f, head_place(f, r), message);
}

/* The handler's parameters: the arrays that the builders hold. */
static LLVMValueRef *call_arguments(Fn *f, const Run *r, Builder *builders, LLVMValueRef self, int *n) {
    const IrMessage *m = r->v->message;
    *n = 4;
    for (int k = 0; k < m->nargs; k++)
        *n += builders[k].l->nslots;
    LLVMValueRef *args = slots_new(f, *n);
    args[0] = f->ctx;
    args[1] = self;
    args[2] = args[3] = fn_int(f, 0);
    int at = 4;
    for (int k = 0; k < m->nargs; k++) {
        args[at] = fn_get(f, f->e->i64, r->count_at);
        builder_cols(f, &builders[k], args + at + 1);
        at += builders[k].l->nslots;
    }
    return args;
}

/* Faults unless there are as many replies as messages. */
static void check_replies(Fn *f, const IrMessage *m, LLVMValueRef replies, LLVMValueRef count) {
    LLVMValueRef site = table_site(f->e, "shape", "a @batch handler gave {} replies to {} messages",
                                   m->func, NULL);
    emit_check(f, fn_cmp(f, LLVMIntEQ, replies, count), site, (LLVMValueRef[]){replies, count}, 2);
}

void emit_batch(Fn *f, const Envelope *v, LLVMValueRef worker, LLVMValueRef message, LLVMValueRef self) {
    Emit *e = f->e;
    const IrMessage *m = v->message;
    Run run = {v, worker, message, fn_get(f, e->i64, message), fn_alloca(f, e->i64, "count")}, *r = &run;
    Builder *builders = NEW_ARRAY(e->arena, Builder, m->nargs + 1);
    for (int k = 0; k < m->nargs; k++) {
        Layout *l = layout_of(e, ir_op(m->func, m->func->body->params.at[3 + k])->type);
        builders[k] = (Builder){.l = l, .p = fn_alloca(f, builder_type(e, l), "batch")};
        builder_init(f, &builders[k]);
    }
    walk(f, r, fn_int(f, m->batch_max), false, gather, builders);
    LLVMValueRef run_at = actor_worker_place(f, worker, offsetof(GactWorker, run));
    LLVMValueRef count = fn_get(f, e->i64, r->count_at);
    fn_set(f, run_at, count);
    int n;
    LLVMValueRef *args = call_arguments(f, r, builders, self, &n);
    Layout *l = layout_of(e, m->func->result);
    LLVMValueRef result = LLVMBuildCall2(B, func_type(e, m->func), func_of(e, m->func), args, (unsigned)n, "");
    LLVMValueRef *s = slots_new(f, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        s[k] = l->nslots == 1 ? result : LLVMBuildExtractValue(B, result, (unsigned)k, "");
    if (l->nslots)
        check_replies(f, m, s[0], count);
    for (int k = 0, at = 4; k < m->nargs; at += builders[k++].l->nslots)
        slots_release(f, builders[k].l, args + at);
    walk(f, r, count, true, settle, s);
    slots_release(f, l, s);
    fn_set(f, run_at, fn_int(f, 1));
}
