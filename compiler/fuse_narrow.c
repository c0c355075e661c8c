/* Arrays that hold more than is read of them. Where every reader of an array of integers, or of a
   reduction's result, takes its low bits alone, the producer computes no more than these: a
   histogram of counts that becomes u32 later has a table of u32, half as large. Sums, products and
   bit operations give the same low bits from low bits. And a map that copies an array that a kernel
   made is that array. */
#include "fuse.h"

typedef struct {
    Fuse *z;
    IrId id;
    Type *type; /* the widest that its readers take */
} Narrow;

/* ---- what is read ---- */

/* Does every use of v convert it to a narrower integer? */
static bool reads_low_bits(Narrow *n, IrId v) {
    const Fuse *z = n->z;
    for (int i = z->first[v]; i < z->first[v + 1]; i++) {
        const IrOp *op = z->uses[i].op ? ir_op(z->f, z->uses[i].op) : NULL;
        if (!op || op->kind != IR_CONVERT || !type_is_int(op->type) ||
            type_bytes(op->type) >= type_bytes(ir_type(z->f, v)))
            return false;
        if (!n->type || type_bytes(op->type) > type_bytes(n->type))
            n->type = op->type;
    }
    return true;
}

static bool reads_elements(Narrow *n) {
    const Fuse *z = n->z;
    for (int i = z->first[n->id]; i < z->first[n->id + 1]; i++) {
        const Use *use = &z->uses[i];
        const IrOp *op = use->op ? ir_op(z->f, use->op) : NULL;
        if (op && op->kind == IR_DIM)
            continue;
        if (!op || op->kind != IR_INDEX || use->arg != 0 || !type_is_int(op->type) ||
            !reads_low_bits(n, use->op))
            return false;
    }
    return true;
}

/* Are the low bits of what an operator gives those of its operands' low bits? */
static bool keeps_low_bits(IrKind op) {
    return op == IR_ADD || op == IR_MUL || op == IR_BITAND || op == IR_BITOR || op == IR_BITXOR;
}

static bool suits(Narrow *n) {
    const IrOp *op = ir_op(n->z->f, n->id);
    if (op->kind != IR_KERNEL || op->kernel->nsinks != 1 || (op->flags & IRF_PINNED))
        return false;
    const IrSink *sink = &op->kernel->sinks[0];
    bool is_scalar = sink->kind == SINK_REDUCE;
    if (sink->kind != SINK_MAP && sink->kind != SINK_HIST && sink->kind != SINK_SCAN && !is_scalar)
        return false;
    if (sink->kind != SINK_MAP && !keeps_low_bits(sink->op))
        return false;
    Type *elem = is_scalar ? sink->type : sink->type->elem;
    if (!type_is_int(elem))
        return false;
    if (!(is_scalar ? reads_low_bits(n, n->id) : reads_elements(n)) || !n->type)
        return false;
    if (sink->kind != SINK_MAP && type_bytes(n->type) < 4)
        n->type = type_basic(n->z->m->types, TYPE_U32); /* GPUs add no less at once */
    return type_bytes(n->type) < type_bytes(elem);
}

/* ---- the change ---- */

/* The operator on narrow operands. */
static IrRegion *narrow_operator(Narrow *n, const IrOp *like, IrKind op) {
    IrRegion *region = ir_region_new(n->z->m);
    IrId a = ir_param(n->z->f, region, n->type), c = ir_param(n->z->f, region, n->type);
    IrBuilder b = fuse_builder(n->z, region, like);
    vec_push(n->z->f->arena, &region->results, ir_binary(&b, op, a, c));
    return region;
}

/* What the kernel yields, its zero and its operator. */
static void narrow_kernel(Narrow *n) {
    Fuse *z = n->z;
    IrOp op = *ir_op(z->f, n->id);
    IrSink *sink = &op.kernel->sinks[0];
    IrBuilder b = fuse_builder(z, op.regions[0], &op);
    IrId *yield = &op.regions[0]->results.at[sink->yield + (sink->kind == SINK_HIST)];
    *yield = ir_convert(&b, n->type, *yield);
    if (sink->kind != SINK_MAP) {
        IrRegion code = {0}, *home = z->places.at[z->home[n->id]].region;
        IrId *zero = &op.args[sink->arg + (sink->kind == SINK_HIST)];
        b = fuse_builder(z, &code, &op);
        *zero = ir_convert(&b, n->type, *zero);
        fuse_splice(z->m, home, fuse_position(home, n->id), &code);
        op.regions[sink->region] = narrow_operator(n, &op, sink->op);
    }
    sink->type =
        sink->kind == SINK_REDUCE ? n->type : type_array(z->m->types, n->type, sink->type->rank);
    ir_op(z->f, n->id)->type = sink->type;
}

/* Readers see narrow elements; conversions to their type are these. */
static void narrow_readers(Narrow *n, IrId v, IrId *map) {
    const Fuse *z = n->z;
    for (int i = z->first[v]; i < z->first[v + 1]; i++) {
        IrId user = z->uses[i].op;
        IrOp *op = ir_op(z->f, user);
        if (op->kind == IR_CONVERT && op->type == n->type) {
            map[user] = v;
        } else if (op->kind == IR_INDEX) {
            op->type = n->type;
            narrow_readers(n, user, map);
        }
    }
}

static void narrow(Narrow *n) {
    Fuse *z = n->z;
    IrId *map = NEW_ARRAY(&z->tmp, IrId, z->len);
    narrow_readers(n, n->id, map);
    narrow_kernel(n);
    fuse_substitute(z->f, map, z->len);
    arena_free(&z->tmp);
}

/* ---- copies ---- */

/* Is the space of kernel `copy` all of the array, or all of its rows? */
static bool has_its_space(Fuse *z, IrId copy, IrId array) {
    IrRegion scratch = {0};
    IrBuilder b = fuse_builder(z, &scratch, ir_op(z->f, copy));
    for (int i = 0; i < ir_op(z->f, copy)->kernel->rank; i++) {
        int64_t difference;
        IrId dim = ir_dim(&b, array, i);
        if (!ir_difference(z->f, ir_op(z->f, copy)->args[i], dim, &difference) || difference != 0)
            return false;
    }
    return true;
}

/* The array of a kernel that this op copies, or IR_NONE. */
static IrId copied(Fuse *z, IrId id) {
    const IrOp *op = ir_op(z->f, id);
    if (op->kind != IR_KERNEL || op->kernel->nsinks != 1 || op->kernel->sinks[0].kind != SINK_MAP)
        return IR_NONE;
    const IrRegion *body = op->regions[0];
    const IrOp *read = ir_op(z->f, body->results.at[0]);
    if (read->kind != IR_INDEX || (read->flags & IRF_CHECKED) ||
        read->nargs - 1 != op->kernel->rank)
        return IR_NONE;
    for (int i = 0; i < op->kernel->rank; i++)
        if (read->args[1 + i] != body->params.at[i])
            return IR_NONE;
    for (int i = 0; i < body->ops.len; i++)
        if (ir_may_fault(z->f, body->ops.at[i])) /* what hangs on this kernel hangs on the fault */
            return IR_NONE;
    IrId array = read->args[0], kernel = IR_NONE;
    if (!fuse_sink_of(z, array, &kernel) || ir_type(z->f, array) != op->type ||
        !fuse_place_fits(z->f, op, ir_op(z->f, kernel)) || !has_its_space(z, id, array))
        return IR_NONE;
    return array;
}

/* ---- the pass ---- */

static bool narrow_some(Fuse *z) {
    for (IrId id = 1; id < (IrId)z->len; id++) {
        Narrow n = {.z = z, .id = id};
        if (!z->home[id] || !suits(&n))
            continue;
        narrow(&n);
        return true;
    }
    return false;
}

static bool drop_copies(Fuse *z) {
    int len = z->len;
    IrId *map = NEW_ARRAY(&z->tmp, IrId, len);
    bool changed = false;
    for (IrId id = 1; id < (IrId)len; id++)
        if (z->home[id] && (map[id] = copied(z, id)))
            changed = true;
    if (changed)
        fuse_substitute(z->f, map, len);
    arena_free(&z->tmp);
    return changed;
}

bool fuse_narrow(Fuse *z) {
    bool changed = false;
    while (narrow_some(z)) {
        fuse_sweep(z);
        changed = true;
    }
    if (drop_copies(z)) {
        fuse_sweep(z);
        changed = true;
    }
    return changed;
}
