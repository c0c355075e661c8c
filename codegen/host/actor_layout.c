/* How messages and state lie in memory, and which handlers may change arrays in place. */
#include "actor.h"

#include <stddef.h>

#define B (f->e->B)

/* ---- what the code asks for ---- */

/* A send to a mailbox that is full may. */
static bool send_may_fault(const Emit *e, const IrFunc *f, const IrOp *op) {
    int64_t number;
    bool sends = op->kind == IR_RT && (op->imm == RT_SEND || op->imm == RT_POSE);
    if (!sends || !ir_const_int(f, op->args[0], &number))
        return false;
    const IrActor *to = e->m->messages.at[number]->actor;
    return to->capacity && to->overflow == OVERFLOW_FAULT;
}

static bool region_faults(const Emit *e, const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (ir_may_fault(f, region->ops.at[i]) || send_may_fault(e, f, op))
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (region_faults(e, f, op->regions[r]))
                return true;
    }
    return false;
}

static void note_reads(const IrFunc *f, const IrRegion *region, Columns *columns) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        int64_t actor, field;
        bool reads = op->kind == IR_RT && (op->imm == RT_FIELD || op->imm == RT_TAKE);
        if (reads && ir_const_int(f, op->args[0], &actor) && ir_const_int(f, op->args[1], &field))
            columns[actor].is_read[field] = true;
        for (int r = 0; r < op->nregions; r++)
            note_reads(f, op->regions[r], columns);
    }
}

/* Marks actors that a region ends. */
static void note_stops(const IrFunc *f, const IrRegion *region, Emit *e, Columns *columns) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int a = 0; op->kind == IR_RT && op->imm == RT_STOP && a < e->m->actors.len; a++)
            if (e->m->actors.at[a]->type == ir_type(f, op->args[0]))
                columns[a].is_steady = false;
        for (int r = 0; r < op->nregions; r++)
            note_stops(f, op->regions[r], e, columns);
    }
}

bool actor_asks(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (op->kind == IR_RT && op->imm == RT_AWAIT)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (actor_asks(f, op->regions[r]))
                return true;
    }
    return false;
}

/* ---- layouts ---- */

static bool has_buffers(const Layout *l) {
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_BUF)
            return true;
    return false;
}

static void make_envelope(Emit *e, Envelope *v, const IrMessage *m) {
    VEC(LLVMTypeRef) types = {0};
    *v = (Envelope){.message = m, .first = NEW_ARRAY(e->arena, int, m->nargs + 1)};
    vec_push(e->arena, &types, e->i64);
    for (int k = 0; k < m->nargs; k++) {
        Layout *l = layout_of(e, m->args[k]);
        v->first[k] = types.len;
        v->holds_buffers |= has_buffers(l);
        for (int i = 0; i < l->nslots; i++)
            vec_push(e->arena, &types, layout_slot_type(e, &l->slots[i]));
    }
    const IrRegion *body = m->func->body;
    bool words[] = {ir_used_in(m->func, body, body->params.at[1]),
                    ir_used_in(m->func, body, body->params.at[2]), m->is_asked};
    int *members[] = {&v->sender, &v->sent, &v->reply};
    for (int k = 0; k < 3; k++)
        if (words[k]) {
            *members[k] = types.len;
            vec_push(e->arena, &types, e->i64);
        }
    v->type = LLVMStructTypeInContext(e->C, types.at, (unsigned)types.len, 0);
    v->bytes = ((int)LLVMABISizeOfType(e->layout, v->type) + 7) & ~7;
    v->may_fault = region_faults(e, m->func, body);
    v->waits = actor_asks(m->func, body);
}

/* Can everybody who has a reference of it count on it? */
static bool is_steady(const IrActor *actor, const ActorTables *t) {
    bool steady = actor->capacity == 0;
    for (int k = 0; k < actor->messages.len; k++) {
        const IrMessage *m = actor->messages.at[k];
        steady &= !t->envelopes[m->number].may_fault && !t->envelopes[m->number].waits;
    }
    return steady;
}

static void make_columns(Emit *e, ActorTables *t) {
    for (int a = 0; a < e->m->actors.len; a++) {
        const IrActor *actor = e->m->actors.at[a];
        t->columns[a] = (Columns){.actor = actor, .column = t->ncolumns};
        t->columns[a].is_read = NEW_ARRAY(e->arena, bool, actor->nfields + 1);
        t->ncolumns += 1 + actor->nfields;
        if (actor->capacity)
            t->columns[a].queued = t->ncolumns++;
        t->columns[a].is_steady = is_steady(actor, t);
        for (int k = 0; k < actor->nparams && actor->supervision == FAULT_RESTARTS; k++)
            t->columns[a].is_read[k] = true;
    }
    for (int i = 0; i < e->m->funcs.len; i++) {
        note_reads(e->m->funcs.at[i], e->m->funcs.at[i]->body, t->columns);
        note_stops(e->m->funcs.at[i], e->m->funcs.at[i]->body, e, t->columns);
    }
}

const ActorTables *actor_tables(Emit *e) {
    if (e->actors)
        return e->actors;
    ActorTables *t = NEW(e->arena, ActorTables);
    t->envelopes = NEW_ARRAY(e->arena, Envelope, e->m->messages.len + 1);
    t->columns = NEW_ARRAY(e->arena, Columns, e->m->actors.len + 1);
    for (int k = 1; k < e->m->messages.len; k++)
        make_envelope(e, &t->envelopes[k], e->m->messages.at[k]);
    make_columns(e, t);
    return e->actors = t;
}

/* ---- in place ---- */

/* Walks code in order; *written: an array of the state may have been changed or dropped by now. False
   if a fault may come after that. */
static bool stays_whole(const Emit *e, const IrFunc *f, const IrRegion *region, bool *written);

static bool op_stays_whole(const Emit *e, const IrFunc *f, const IrOp *op, bool *written) {
    if (op->kind == IR_IF) {
        bool then = *written, otherwise = *written;
        if (!stays_whole(e, f, op->regions[0], &then) || !stays_whole(e, f, op->regions[1], &otherwise))
            return false;
        *written = then || otherwise;
        return true;
    }
    bool writes = op->consumed != 0 && !(op->kind == IR_RT && op->imm == RT_PUT);
    for (int r = 0; r < op->nregions; r++) {
        bool inside = *written || writes;
        stays_whole(e, f, op->regions[r], &inside);
        writes |= inside;
    }
    bool checks_first = op->kind == IR_UPDATE; /* its index, before it writes */
    if ((ir_op_may_fault(f, op) || send_may_fault(e, f, op)) && (*written || (writes && !checks_first)))
        return false;
    *written |= writes;
    return true;
}

static bool stays_whole(const Emit *e, const IrFunc *f, const IrRegion *region, bool *written) {
    bool whole = true;
    for (int i = 0, r = 0; i < region->ops.len; i++) {
        for (; r < region->releases.len && region->releases.at[r].after < i; r++)
            *written = true;
        whole &= op_stays_whole(e, f, ir_op(f, region->ops.at[i]), written);
    }
    return whole;
}

bool actor_moves(const Emit *e, const IrFunc *f) {
    bool written = false;
    return stays_whole(e, f, f->body, &written) && !actor_asks(f, f->body);
}

/* An array whose elements are noted one by one. */
static bool is_noted_update(const IrFunc *f, const IrOp *op) {
    const Type *array = ir_type(f, op->args[0]);
    return op->kind == IR_UPDATE && array->kind == TYPE_ARRAY && op->nargs - 2 == array->rank &&
           type_is_scalar(ir_follow(array->elem));
}

/* Does releasing this value never drop an array of the state? */
static bool is_temporary(const IrFunc *f, IrId id) {
    const IrOp *op = ir_op(f, id);
    return op->kind == IR_KERNEL || op->kind == IR_LIST || op->kind == IR_CONCAT || op->kind == IR_STRING ||
           op->kind == IR_SORT || op->kind == IR_CALL || (op->kind == IR_RT && op->imm != RT_TAKE);
}

static bool can_note(const IrFunc *f, const IrRegion *region) {
    for (int r = 0; r < region->releases.len; r++)
        if (!is_temporary(f, region->releases.at[r].value))
            return false;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        bool hands_on = op->kind == IR_FOR || op->kind == IR_LOOP || (op->kind == IR_RT && op->imm == RT_PUT);
        if (op->consumed && !hands_on && !is_noted_update(f, op))
            return false;
        for (int r = 0; r < op->nregions; r++)
            if (!can_note(f, op->regions[r]))
                return false;
    }
    return true;
}

bool actor_notes(const Emit *e, const IrFunc *f) {
    return f->is_handler && !actor_moves(e, f) && !actor_asks(f, f->body) && can_note(f, f->body);
}

void actor_note(Fn *f, const Layout *l, LLVMValueRef const *data, LLVMValueRef place) {
    Emit *e = f->e;
    LLVMValueRef worker = actor_worker(f);
    LLVMValueRef undo_at = actor_worker_place(f, worker, offsetof(GactWorker, undo));
    LLVMValueRef end = fn_get(f, e->ptr, actor_worker_place(f, worker, offsetof(GactWorker, undo_end)));
    LLVMBasicBlockRef full = fn_block(f, "full"), room = fn_block(f, "room");
    fn_unlikely(f, fn_cmp(f, LLVMIntNE, fn_get(f, e->ptr, undo_at), end), room, full);
    fn_at(f, full);
    api_call(f, offsetof(GactApi, undo_room), LLVMFunctionType(e->vd, &e->ptr, 1, 0), &f->ctx, 1);
    fn_br(f, room);
    fn_at(f, room);
    int bytes = l->cols[0].bytes;
    LLVMTypeRef word = LLVMIntTypeInContext(e->C, 8 * (unsigned)bytes);
    LLVMValueRef undo = fn_get(f, e->ptr, undo_at), at = fn_at_bytes(f, bytes, data[0], place);
    LLVMValueRef old = LLVMBuildZExtOrBitCast(B, fn_get(f, word, at), e->i64, "");
    fn_set(f, undo, at);
    fn_set(f, actor_worker_place(f, undo, offsetof(GactUndo, old)), old);
    fn_set(f, actor_worker_place(f, undo, offsetof(GactUndo, bytes)), fn_int(f, bytes));
    fn_set(f, undo_at, actor_worker_place(f, undo, sizeof(GactUndo)));
}

bool actor_takes(const IrFunc *f, int64_t field) {
    for (int i = 0; i < f->body->ops.len; i++) {
        const IrOp *op = ir_op(f, f->body->ops.at[i]);
        int64_t k;
        if (op->kind == IR_RT && op->imm == RT_TAKE && ir_const_int(f, op->args[1], &k) && k == field)
            return true;
    }
    return false;
}

/* ---- places ---- */

LLVMValueRef actor_worker_place(Fn *f, LLVMValueRef worker, size_t offset) {
    return fn_at_index(f, f->e->i8, worker, fn_int(f, (int64_t)offset));
}

LLVMValueRef actor_worker(Fn *f) {
    return fn_get(f, f->e->ptr, actor_worker_place(f, f->ctx, offsetof(GactCtx, worker)));
}

LLVMValueRef actor_element(Fn *f, LLVMValueRef worker, int column, LLVMTypeRef type, LLVMValueRef self) {
    size_t at = offsetof(GactWorker, columns) + sizeof(void *) * (size_t)column;
    LLVMValueRef base = fn_get(f, f->e->ptr, actor_worker_place(f, worker, at));
    LLVMSetMetadata(base, f->e->md_invariant, f->e->empty_md);
    LLVMValueRef number = fn_bin(f, LLVMAnd, self, fn_int(f, 0xffffffff));
    return fn_at_index(f, type, base, number);
}

LLVMValueRef envelope_member(Fn *f, const Envelope *v, LLVMValueRef p, int member) {
    return LLVMBuildStructGEP2(B, v->type, p, (unsigned)member, "");
}
