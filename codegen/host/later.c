/* Sums that stay on the device until the host needs them. After a launch that cannot fault, what it adds up to is not
   waited for: its slots are empty, and so are scalar ops of it put off, until an op needs one of them for something else.
   Then one wait brings all, the ops that were put off follow, and code goes on as usual. A kernel whose points alone
   use such values takes them from the device's memory, and does the ops that were put off itself, so that a loop of sums and
   maps waits for nothing.

   Values of a kernel on the host lie in the same memory, so code need not know where it ran. What is put off lives in
   one list of ops: where that ends, what nobody needed is forgotten. */
#include "kernel.h"

#include "../cuda/cuda.h"

#include <stddef.h>

#define B (f->e->B)

enum { MOST_PUT_OFF = 8 };

typedef enum { NOT_LATER, LATER_KERNEL, LATER_OP } LaterState;

struct LaterKernel {
    IrId id;
    LLVMValueRef results; /* memory */
    LLVMValueRef *s;      /* the slots of its value, NULL for those that are not known */
    int *result;          /* by slot: the number among the results, or -1 */
};

/* ---- a list of ops ---- */

void later_open(Fn *f, Later *l) {
    *l = (Later){.outer = f->later};
    f->later = NULL;
    if (f->in_kernel || f->is_host || !f->e->options->has_device)
        return;
    l->state = NEW_ARRAY(f->e->arena, char, f->ir->ops.len + 1);
    f->later = l;
}

static void call_runtime(Fn *f, size_t offset) {
    LLVMTypeRef type = LLVMFunctionType(f->e->vd, &f->e->ptr, 1, 0);
    api_call(f, offset, type, &f->ctx, 1);
}

static bool has_some(const Later *l) {
    return l && l->kernels.len > 0;
}

/* ---- waiting ---- */

/* Everything gets its value here. */
static void fill_in(Fn *f) {
    Later *l = f->later;
    call_runtime(f, offsetof(GactApi, collect));
    f->later = NULL; /* nothing is put off again */
    for (int k = 0; k < l->kernels.len; k++) {
        LaterKernel *kernel = &l->kernels.at[k];
        Layout *layout = value_layout(f, kernel->id);
        LLVMValueRef *s = slots_new(f, layout->nslots);
        for (int i = 0; i < layout->nslots; i++)
            s[i] = kernel->result[i] < 0 ? kernel->s[i]
                                         : slot_load_abi(f, &layout->slots[i], kernel->results, kernel->result[i]);
        value_set(f, kernel->id, s, layout->nslots);
    }
    for (int k = 0; k < l->ops.len; k++)
        emit_op(f, l->ops.at[k]);
    f->later = l;
}

static void force(Fn *f) {
    Later *l = f->later;
    fill_in(f);
    for (int k = 0; k < l->kernels.len; k++)
        l->state[l->kernels.at[k].id] = NOT_LATER;
    for (int k = 0; k < l->ops.len; k++)
        l->state[l->ops.at[k]] = NOT_LATER;
    l->kernels.len = l->ops.len = 0;
}

void later_close(Fn *f, Later *l, const IrRegion *region) {
    bool is_wanted = region->results.len == 0;
    for (int k = 0; has_some(f->later) && k < region->results.len; k++)
        is_wanted |= later_is(f, region->results.at[k]);
    if (has_some(f->later) && is_wanted)
        force(f);
    for (int k = 0; has_some(f->later) && k < l->kernels.len; k++) {
        LLVMTypeRef params[] = {f->e->ptr, f->e->ptr};
        LLVMValueRef args[] = {f->ctx, l->kernels.at[k].results};
        api_call(f, offsetof(GactApi, forget), LLVMFunctionType(f->e->vd, params, 2, 0), args, 2);
    }
    f->later = l->outer;
}

/* ---- what is not known yet ---- */

bool later_is(const Fn *f, IrId id) {
    return f->later && id && f->later->state[id] != NOT_LATER;
}

/* The kernel whose slot a value is, itself or a member; NULL: it is none. */
static LaterKernel *kernel_of(const Fn *f, IrId id, int *slot) {
    Later *l = f->later;
    const IrOp *op = ir_op(f->ir, id);
    *slot = 0;
    if (op->kind == IR_GET) {
        id = op->args[0];
        *slot = layout_member_slot(f->e, ir_op(f->ir, id)->type, (int)op->imm);
    }
    for (int k = 0; k < l->kernels.len; k++)
        if (l->kernels.at[k].id == id)
            return &l->kernels.at[k];
    return NULL;
}

bool later_word(const Fn *f, IrId id, IrId *kernel, int *result) {
    int slot;
    const LaterKernel *k = later_is(f, id) ? kernel_of(f, id, &slot) : NULL;
    if (!k || k->result[slot] < 0)
        return false;
    *kernel = k->id;
    *result = k->result[slot];
    return true;
}

LLVMValueRef later_place(Fn *f, IrId kernel, int result) {
    int slot;
    return fn_at_index(f, f->e->i64, kernel_of(f, kernel, &slot)->results, fn_int(f, result));
}

static bool uses_later(const Fn *f, const IrOp *op) {
    for (int k = 0; k < op->nargs; k++)
        if (later_is(f, op->args[k]))
            return true;
    for (int r = 0; r < op->nregions; r++) {
        const IrRegion *region = op->regions[r];
        for (int k = 0; k < region->results.len; k++)
            if (later_is(f, region->results.at[k]))
                return true;
        for (int k = 0; k < region->ops.len; k++)
            if (uses_later(f, ir_op(f->ir, region->ops.at[k])))
                return true;
    }
    return false;
}

/* ---- before an op ---- */

/* A member of a kernel's value that is known. */
static bool is_known_member(const Fn *f, IrId id, const IrOp *op) {
    int slot;
    const LaterKernel *k = op->kind == IR_GET ? kernel_of(f, id, &slot) : NULL;
    return k && k->result[slot] < 0;
}

bool later_puts_off(Fn *f, IrId id) {
    Later *l = f->later;
    const IrOp *op = ir_op(f->ir, id);
    if (!has_some(l) || !uses_later(f, op) || is_known_member(f, id, op))
        return false;
    bool is_plain = op->kind == IR_GET || (ir_is_scalar_op(op->kind) && cuda_can_say(op) &&
                                           !(op->flags & (IRF_CHECKED | IRF_CHECKED_ZERO | IRF_PINNED)));
    if (!is_plain || !type_is_scalar(op->type) || l->ops.len == MOST_PUT_OFF)
        return false;
    l->state[id] = LATER_OP;
    vec_push(f->e->arena, &l->ops, id);
    return true;
}

static bool has_inner_kernels(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        if (op->kind == IR_KERNEL || op->kind == IR_MATMUL || op->kind == IR_SORT)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (has_inner_kernels(ir, op->regions[r]))
                return true;
    }
    return false;
}

/* Do only the points of a kernel use what is not known, where no size can depend on it? */
static bool takes_later(const Fn *f, const IrOp *op) {
    if (op->kind != IR_KERNEL || has_inner_kernels(f->ir, op->regions[0]))
        return false;
    IrOp rest = *op; /* without the body */
    rest.regions = op->regions + 1;
    rest.nregions = op->nregions - 1;
    for (int i = 0; i < op->kernel->nsinks; i++) {
        SinkKind kind = op->kernel->sinks[i].kind;
        bool is_row = kind == SINK_MAP && op->kernel->sinks[i].type->rank != op->kernel->rank;
        if (is_row || kind == SINK_LIST || kind == SINK_FLATMAP)
            return false;
    }
    return op->kernel->inner == 0 && op->kernel->edge == 0 && !uses_later(f, &rest);
}

void later_before(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    if (has_some(f->later) && uses_later(f, op) && !takes_later(f, op) && !is_known_member(f, id, op))
        force(f);
}

bool later_peek(Fn *f, IrId id) {
    if (!has_some(f->later) || !uses_later(f, ir_op(f->ir, id)))
        return false;
    fill_in(f);
    return true;
}

void later_unpeek(Fn *f) {
    Later *l = f->later;
    for (int k = 0; k < l->kernels.len; k++)
        value_set(f, l->kernels.at[k].id, l->kernels.at[k].s, value_layout(f, l->kernels.at[k].id)->nslots);
    for (int k = 0; k < l->ops.len; k++)
        f->values[l->ops.at[k]] = (Value){0};
}

void later_need(Fn *f, IrId id) {
    if (has_some(f->later) && uses_later(f, ir_op(f->ir, id)))
        force(f);
}

/* ---- after a launch ---- */

bool later_may(const Kernel *k, const CudaKernel *c) {
    bool has_sums = false;
    if (!k->f->later || c->can_fault || c->sized)
        return false;
    for (int i = 0; i < k->nsinks; i++) {
        const IrSink *sink = k->sinks[i].sink;
        bool is_sum = sink->kind == SINK_REDUCE || sink->kind == SINK_PICK;
        if (sink->kind == SINK_FILTER || (is_sum && !type_is_scalar(sink->type)))
            return false;
        has_sums |= is_sum;
    }
    return has_sums;
}

void later_add(const Kernel *k, LLVMValueRef results, LLVMValueRef *s) {
    Fn *f = k->f;
    LaterKernel kernel = {.id = k->id, .results = results, .s = s};
    kernel.result = NEW_ARRAY(f->e->arena, int, value_layout(f, k->id)->nslots + 1);
    for (int i = 0, n = 0, at = 0; i < k->nsinks; i++) {
        Layout *l = layout_of(f->e, k->sinks[i].sink->type);
        bool is_sum = k->sinks[i].sink->kind == SINK_REDUCE || k->sinks[i].sink->kind == SINK_PICK;
        for (int j = 0; j < l->nslots; j++, n++)
            kernel.result[n] = is_sum ? at++ : -1;
    }
    vec_push(f->e->arena, &f->later->kernels, kernel);
    f->later->state[k->id] = LATER_KERNEL;
}
