/* Equal values once: what fusion brings together often computes the same thing twice. Ops without
   code of their own are numbered by what they compute, in the scopes that the regions form; outputs
   of one kernel that are equal become one. */
#include "fuse.h"

#include <string.h>

typedef struct Known {
    IrId id;
    uint64_t hash;
    struct Known *next; /* in its chain */
} Known;

enum { CHAINS = 1024 };

typedef struct {
    Fuse *z;
    Known *chain[CHAINS];
    VEC(Known *) order; /* as added, to leave a scope */
    IrId *map;
    bool changed;
} Numbering;

static bool has_equal(const IrOp *op) {
    if (op->flags & IRF_PINNED || op->nregions)
        return false;
    switch (op->kind) {
    case IR_PARAM:
    case IR_KERNEL:
    case IR_CALL:
    case IR_RT:
    case IR_UPDATE:
    case IR_UNDEF:
    case IR_LIST:
    case IR_SORT:
    case IR_MATMUL:
    case IR_CONCAT:
    case IR_STRING: return false;
    default: return true;
    }
}

static uint64_t hash_op(const IrOp *op) {
    uint64_t h = (uint64_t)op->kind * 0x9e3779b97f4a7c15u ^ op->type->id;
    h = (h ^ (uint64_t)op->imm) * 0x9e3779b97f4a7c15u;
    h = (h ^ (uint64_t)op->imm2) * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < op->nargs; i++)
        h = ((h ^ h >> 29) + op->args[i]) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}

static bool equal_ops(const IrOp *a, const IrOp *b) {
    bool same = a->kind == b->kind && a->type == b->type && a->imm == b->imm &&
                a->imm2 == b->imm2 && a->nargs == b->nargs && a->flags == b->flags;
    return same &&
           (a->nargs == 0 || memcmp(a->args, b->args, sizeof(IrId) * (size_t)a->nargs) == 0);
}

static void number_op(Numbering *n, IrId id) {
    IrOp *op = ir_op(n->z->f, id);
    for (int k = 0; k < op->nargs; k++)
        if (n->map[op->args[k]])
            op->args[k] = n->map[op->args[k]];
    const IrOp *of = op->kind == IR_GET ? ir_op(n->z->f, op->args[0]) : NULL;
    if (of && of->kind == IR_TUPLE) { /* made by taking elements of a ZIP */
        n->map[id] = of->args[op->imm];
        n->changed = true;
        return;
    }
    if (!has_equal(op))
        return;
    uint64_t hash = hash_op(op);
    Known **chain = &n->chain[hash % CHAINS];
    for (Known *k = *chain; k; k = k->next) {
        if (k->hash == hash && equal_ops(ir_op(n->z->f, k->id), op)) {
            n->map[id] = k->id;
            n->changed = true;
            return;
        }
    }
    Known *fresh = NEW(&n->z->look, Known);
    *fresh = (Known){id, hash, *chain};
    *chain = fresh;
    vec_push(&n->z->look, &n->order, fresh);
}

static bool equal_sinks(const IrOp *op, const IrSink *a, const IrSink *b) {
    const IrRegion *body = op->regions[0];
    if (a->kind != b->kind || a->imm != b->imm || a->op != b->op || a->type != b->type ||
        (a->region >= 0 && a->op == IR_INVALID))
        return false;
    for (int i = 0; i < ir_sink_yields(a->kind); i++)
        if (body->results.at[a->yield + i] != body->results.at[b->yield + i])
            return false;
    for (int i = 0; i < ir_sink_args(a->kind); i++)
        if (op->args[a->arg + i] != op->args[b->arg + i])
            return false;
    return true;
}

/* Makes GETs of an output ask for the first output that is equal. */
static void number_output(Numbering *n, IrId get) {
    IrOp *op = ir_op(n->z->f, get);
    const IrOp *of = ir_op(n->z->f, op->args[0]);
    if (of->kind != IR_KERNEL || of->kernel->nsinks < 2)
        return;
    for (int s = 0; s < (int)op->imm; s++) {
        if (equal_sinks(of, &of->kernel->sinks[s], &of->kernel->sinks[op->imm])) {
            op->imm = s;
            n->changed = true;
            return;
        }
    }
}

static void number_region(Numbering *n, IrRegion *region) {
    int mark = n->order.len;
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        if (ir_op(n->z->f, id)->kind == IR_GET)
            number_output(n, id);
        number_op(n, id);
        for (int r = 0; r < ir_op(n->z->f, id)->nregions; r++)
            number_region(n, ir_op(n->z->f, id)->regions[r]);
    }
    for (int i = 0; i < region->results.len; i++)
        if (n->map[region->results.at[i]])
            region->results.at[i] = n->map[region->results.at[i]];
    while (n->order.len > mark) { /* what a region computes is not known outside of it */
        const Known *last = n->order.at[--n->order.len];
        n->chain[last->hash % CHAINS] = last->next;
    }
}

bool fuse_cse(Fuse *z) {
    Numbering n = {.z = z, .map = NEW_ARRAY(&z->look, IrId, z->f->ops.len)};
    number_region(&n, z->f->body);
    return n.changed;
}
