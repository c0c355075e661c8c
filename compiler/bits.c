/* Bit packing: loops whose arrays hold bools, or numbers of few bits, keep them as words of 64
   elements while they run, one for each bit. A point's body becomes operations on words
   (bits_body.c, bits_kernel.c), so each is done for 64 points at once.

   Such a FOR or LOOP makes its arrays by one kernel, or hands them on, and looks at them nowhere
   else; numbers may be carried beside them. The arrays are packed, the loop runs on words, and its
   result is unpacked. The rows of words keep the order of the rows, so what was near stays near,
   and what sweep has marked stays marked.

   Elements that are no bools may be larger than the bits that the loop makes: what is packed first
   is looked at, and if it is too large, the first step (or all, if not even that makes the elements
   small) is done on the array as it is.

   In: IR with its loops marked. Out: the same values. What keeps a loop of bools from it is a
   remark. */
#include "bits.h"
#include "fuse.h"
#include "ir_build.h"
#include "range.h"

enum {
    MOST_ROUNDS = 8, /* until the elements' bits are found */
};

/* A carried value: a number, or an array of which this is known. */
typedef struct {
    int array;  /* its number in loop.arrays, or -1: a number */
    int sink;   /* of the kernel that makes it, or -1: */
    int handed; /* the array that is handed on */
} Carried;

typedef struct {
    BitLoop loop;
    IrOp op; /* the loop */
    IrId id;
    int n; /* carried values: their first parameter and initial value */
    int param, arg;
    Carried *carried;
    BitKernel kernel;
} Pack;

static IrFunc *func(const Pack *p) {
    return p->loop.f;
}

static IrId init_of(const Pack *p, int k) {
    return p->op.args[p->arg + k];
}

static IrId *identity(const Pack *p) {
    IrId *map = NEW_ARRAY(func(p)->arena, IrId, p->loop.nold);
    for (int i = 0; i < p->loop.nold; i++)
        map[i] = (IrId)i;
    return map;
}

static bool is_bool(const Pack *p, int k) {
    return ir_type(func(p), init_of(p, k))->elem->kind == TYPE_BOOL;
}

static bool holds_bools(const Pack *p) {
    for (int k = 0; k < p->n; k++)
        if (p->carried[k].array >= 0 && !is_bool(p, k))
            return false;
    return true;
}

/* ---- whether a loop can be packed ---- */

/* The number of the carried array that v is in the loop's body, or -1. */
static int carried_array(const Pack *p, IrId v) {
    for (int k = 0; k < p->n; k++)
        if (p->carried[k].array >= 0 && p->loop.loop->params.at[p->param + k] == v)
            return p->carried[k].array;
    return -1;
}

/* Does every step leave the sizes of a carried array? */
static bool keeps_sizes(const Pack *p, int k) {
    IrRegion scratch = {0};
    IrBuilder b = bits_builder(&p->loop, &scratch);
    for (int axis = 0; axis < ir_type(func(p), init_of(p, k))->rank; axis++)
        if (p->op.imm == 0 && !ir_carried_dim(&b, p->id, k, axis))
            return false;
    return true;
}

/* The arrays that the loop carries; false: there are none, or some of others than bools and
 * integers. */
static bool find_arrays(Pack *p) {
    p->carried = NEW_ARRAY(func(p)->arena, Carried, p->n);
    for (int k = 0; k < p->n; k++) {
        const Type *type = ir_type(func(p), init_of(p, k));
        p->carried[k] = (Carried){-1, -1, -1};
        if (type_is_scalar(type))
            continue;
        if (type->kind != TYPE_ARRAY ||
            (type->elem->kind != TYPE_BOOL && !type_is_int(type->elem)) || !keeps_sizes(p, k))
            return false;
        p->carried[k].array = p->loop.arrays.len;
        BitArray a = {
            .array = p->loop.loop->params.at[p->param + k], .like = init_of(p, k), .bits = 1};
        vec_push(func(p)->arena, &p->loop.arrays, a);
    }
    p->loop.ncarried = p->loop.arrays.len;
    return p->loop.ncarried > 0;
}

static bool stands_in(const IrRegion *region, IrId id) {
    for (int i = 0; i < region->ops.len; i++)
        if (region->ops.at[i] == id)
            return true;
    return false;
}

/* The kernel that makes the arrays. */
static bool find_kernel(Pack *p) {
    for (int k = 0; k < p->n; k++) {
        Carried *c = &p->carried[k];
        IrId result = p->loop.loop->results.at[k];
        if (c->array < 0)
            continue;
        c->handed = carried_array(p, result);
        if (c->handed >= 0)
            continue;
        const IrOp *op = ir_op(func(p), result);
        IrId kernel = op->kind == IR_GET ? op->args[0] : result;
        c->sink = op->kind == IR_GET ? (int)op->imm : 0;
        if (ir_op(func(p), kernel)->kind != IR_KERNEL || (p->kernel.id && p->kernel.id != kernel) ||
            !stands_in(p->loop.loop, kernel))
            return false;
        p->kernel.id = kernel;
    }
    if (!p->kernel.id)
        return false;
    p->kernel.op = *ir_op(func(p), p->kernel.id);
    return true;
}

/* Is a value an array that the loop is to keep in words? */
static bool is_packed(const Pack *p, IrId v) {
    const IrOp *op = ir_op(func(p), v);
    IrId of = op->kind == IR_GET ? op->args[0] : v;
    if (of == p->kernel.id)
        return type_is_scalar(ir_type(func(p), v)) == false;
    if (carried_array(p, v) >= 0)
        return true;
    for (int k = 0; p->op.kind == IR_LOOP && k < p->n; k++)
        if (p->carried[k].array >= 0 && p->op.regions[0]->params.at[k] == v)
            return true;
    return false;
}

/* Does code use such arrays other than in the kernel, to hand them on, or to ask for a size? */
static bool uses_whole(const Pack *p, const IrRegion *region, bool in_kernel) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(func(p), region->ops.at[i]);
        bool is_fine = op->kind == IR_DIM || (op->kind == IR_GET && op->args[0] == p->kernel.id) ||
                       (in_kernel && op->kind == IR_INDEX);
        for (int k = 0; k < op->nargs && !is_fine; k++)
            if (op->args[k] && is_packed(p, op->args[k]))
                return true;
        for (int r = 0; r < op->nregions; r++)
            if (uses_whole(p, op->regions[r], in_kernel || region->ops.at[i] == p->kernel.id))
                return true;
    }
    for (int k = 0; k < region->results.len; k++)
        if (region != p->loop.loop && is_packed(p, region->results.at[k]))
            return true;
    return false;
}

static bool has_shape(Pack *p) {
    if (!find_arrays(p) || !find_kernel(p))
        return false;
    for (int r = 0; r < p->op.nregions; r++)
        if (uses_whole(p, p->op.regions[r], false))
            return false;
    return true;
}

/* Widens the elements to what a step makes; *changed if there was need. */
static void widen(Pack *p, bool *changed) {
    for (int k = 0; k < p->n; k++) {
        const Carried *c = &p->carried[k];
        if (c->array < 0)
            continue;
        int *bits = &p->loop.arrays.at[c->array].bits;
        int *from = c->sink >= 0 ? &p->kernel.bits[c->sink] : &p->loop.arrays.at[c->handed].bits;
        *changed |= *bits != *from;
        *bits = *from = *bits > *from ? *bits : *from;
        if (*bits > BITS_STATE)
            p->loop.why = "its numbers grow too large";
    }
}

/* Finds how many bits the elements take, beginning with one. */
static bool find_bits(Pack *p) {
    bool changed = true;
    for (int round = 0; round < MOST_ROUNDS && changed; round++) {
        changed = false;
        if (!bits_try_kernel(&p->loop, &p->kernel))
            return false;
        widen(p, &changed);
        if (p->loop.why)
            return false;
    }
    if (changed)
        p->loop.why = "its numbers grow too large";
    return !changed;
}

/* ---- the loop on words ---- */

static int count_words(const Pack *p) {
    int n = 0;
    for (int k = 0; k < p->loop.ncarried; k++)
        n += p->loop.arrays.at[k].bits;
    return n;
}

/* New parameters for the carried values; words: of each array in turn, or NULL. */
static void add_params(const Pack *p, IrBuilder *b, const IrRegion *old, int param, IrId *map,
                       IrId **words) {
    Type *word = type_basic(p->loop.m->types, TYPE_U64);
    for (int k = 0; k < p->n; k++) {
        IrId was = old->params.at[param + k];
        const Type *type = ir_type(func(p), was);
        int array = p->carried[k].array;
        if (array < 0) {
            map[was] = ir_param(b->func, b->region, ir_type(func(p), was));
            continue;
        }
        map[was] = init_of(p, k); /* for its sizes */
        int bits = p->loop.arrays.at[array].bits;
        IrId *made = NEW_ARRAY(func(p)->arena, IrId, bits);
        for (int i = 0; i < bits; i++)
            made[i] = ir_param(b->func, b->region, type_array(p->loop.m->types, word, type->rank));
        if (words)
            words[array] = made;
    }
}

/* Copies the ops of the body from position `from` on, but for the kernel and its outputs; gives
   where the kernel stands, or the end. */
static int copy_ops(const Pack *p, IrBuilder *b, int from, IrId *map) {
    const IrRegion *body = p->loop.loop;
    IrRegion some = {0};
    int at = from;
    for (; at < body->ops.len && body->ops.at[at] != p->kernel.id; at++) {
        const IrOp *op = ir_op(func(p), body->ops.at[at]);
        if (op->kind != IR_GET || op->args[0] != p->kernel.id)
            vec_push(func(p)->arena, &some.ops, body->ops.at[at]);
    }
    ir_clone_ops(b, func(p), &some, map);
    return at;
}

/* What the kernel sums up, to whoever uses it. */
static void map_sums(const Pack *p, IrId *map, IrId *const *out) {
    const IrRegion *body = p->loop.loop;
    for (int i = 0; i < body->ops.len; i++) {
        const IrOp *op = ir_op(func(p), body->ops.at[i]);
        if (op->kind == IR_GET && op->args[0] == p->kernel.id &&
            p->kernel.op.kernel->sinks[op->imm].kind != SINK_MAP)
            map[body->ops.at[i]] = out[op->imm][0];
    }
}

static IrRegion *new_body(Pack *p) {
    IrRegion *body = ir_region_new(p->loop.m);
    IrBuilder b = bits_builder(&p->loop, body);
    IrId *map = identity(p), **words = NEW_ARRAY(func(p)->arena, IrId *, p->loop.ncarried);
    IrId *out[BITS_OUTS];
    if (p->param)
        map[p->loop.loop->params.at[0]] =
            ir_param(b.func, body, type_basic(p->loop.m->types, TYPE_I64));
    add_params(p, &b, p->loop.loop, p->param, map, words);
    for (int a = 0; a < p->loop.ncarried; a++)
        p->loop.arrays.at[a].words = words[a];
    int at = copy_ops(p, &b, 0, map);
    bits_emit_kernel(&p->loop, &p->kernel, &b, map, out);
    map_sums(p, map, out);
    copy_ops(p, &b, at + 1, map);
    for (int k = 0; k < p->n; k++) {
        const Carried *c = &p->carried[k];
        if (c->array < 0) {
            vec_push(b.func->arena, &body->results, map[p->loop.loop->results.at[k]]);
            continue;
        }
        IrId *made = c->sink >= 0 ? out[c->sink] : words[c->handed];
        for (int i = 0; i < p->loop.arrays.at[c->array].bits; i++)
            vec_push(b.func->arena, &body->results, made[i]);
    }
    return body;
}

static IrRegion *new_condition(Pack *p) {
    const IrRegion *old = p->op.regions[0];
    IrRegion *cond = ir_region_new(p->loop.m);
    IrBuilder b = bits_builder(&p->loop, cond);
    IrId *map = identity(p);
    add_params(p, &b, old, 0, map, NULL);
    ir_clone_ops(&b, func(p), old, map);
    vec_push(b.func->arena, &cond->results, map[old->results.at[0]]);
    return cond;
}

/* The loop from step `lo` on, which begins with these words; gives what it carries in the end,
   arrays unpacked. */
static void emit_packed(Pack *p, IrBuilder *b, IrId lo, const IrId *words, IrId *out) {
    int n = 0, at = 0;
    IrId *init = NEW_ARRAY(func(p)->arena, IrId, p->n + count_words(p)), loop;
    for (int k = 0; k < p->n; k++) {
        int array = p->carried[k].array;
        for (int i = 0; array >= 0 && i < p->loop.arrays.at[array].bits; i++)
            init[n++] = *words++;
        if (array < 0)
            init[n++] = init_of(p, k);
    }
    if (p->op.kind == IR_FOR) {
        loop = ir_for(b, lo, p->op.args[1], init, n, new_body(p));
        if (p->op.imm &&
            ir_op(func(p), loop)->kind == IR_FOR) /* of one axis: words next to each other */
            ir_op(func(p), loop)->imm = p->kernel.op.kernel->rank == 1 ? 1 : p->op.imm;
    } else {
        IrRegion *cond = new_condition(p);
        loop = ir_loop(b, init, n, cond, new_body(p));
    }
    for (int k = 0; k < p->n; k++) {
        int array = p->carried[k].array, bits = array < 0 ? 1 : p->loop.arrays.at[array].bits;
        IrId made[BITS_MOST];
        for (int i = 0; i < bits; i++, at++)
            made[i] = n == 1 ? loop : ir_get(b, loop, at);
        out[k] = array < 0 ? made[0] : bits_unpack_array(&p->loop, b, made, bits, init_of(p, k));
    }
}

/* ---- around the loop ---- */

/* Are the arrays small after a step on any? */
static bool makes_small(const Pack *p) {
    Range r = {.m = p->loop.m, .f = func(p), .arena = func(p)->arena};
    for (int k = 0; k < p->n; k++) {
        const Carried *c = &p->carried[k];
        if (c->array < 0 || c->sink < 0)
            return false;
        IrId yield = p->kernel.op.regions[0]->results.at[p->kernel.op.kernel->sinks[c->sink].yield];
        Interval all = range_interval(&r, yield);
        if (!is_bool(p, k) && (all.lo < 0 || bits_width(all.hi) > p->loop.arrays.at[c->array].bits))
            return false;
    }
    return p->op.kind == IR_FOR;
}

/* The words of all carried arrays; *over as in bits_pack_array, or NULL. */
static void pack_carried(const Pack *p, IrBuilder *b, const IrId *values, IrId *words, IrId *over) {
    for (int k = 0; k < p->n; k++) {
        if (p->carried[k].array < 0)
            continue;
        int bits = p->loop.arrays.at[p->carried[k].array].bits;
        IrId large = IR_NONE;
        IrId *made =
            bits_pack_array(&p->loop, b, values[k], bits, over && !is_bool(p, k) ? &large : NULL);
        for (int i = 0; i < bits; i++)
            *words++ = made[i];
        if (large)
            *over = *over ? word_or(b, *over, large) : large;
    }
}

static void push_all(const Pack *p, IrRegion *region, const IrId *values, int n) {
    for (int i = 0; i < n; i++)
        vec_push(func(p)->arena, &region->results, values[i]);
}

/* The old loop, to step `hi` if it counts; gives its values. */
static void emit_old(const Pack *p, IrBuilder *b, IrId hi, IrId *out) {
    IrOp op = p->op;
    op.args = NEW_ARRAY(func(p)->arena, IrId, op.nargs);
    for (int k = 0; k < op.nargs; k++)
        op.args[k] = k == 1 && op.kind == IR_FOR ? hi : p->op.args[k];
    IrId loop = ir_append(b, op);
    for (int k = 0; k < p->n; k++)
        out[k] = p->n == 1 ? loop : ir_get(b, loop, k);
}

/* Words and a first step: those of the initial arrays if these are small, else those of what one
   step makes of them. */
static IrId start(Pack *p, IrBuilder *b, IrId is_small, IrId *words) {
    int n = count_words(p);
    IrRegion *now = ir_region_new(p->loop.m), *later = ir_region_new(p->loop.m);
    IrBuilder in = bits_builder(&p->loop, later);
    IrId *arrays = NEW_ARRAY(func(p)->arena, IrId, p->n),
         *made = NEW_ARRAY(func(p)->arena, IrId, n);
    push_all(p, now, words, n);
    push_all(p, now, &p->op.args[0], 1);
    IrId next = ir_binary(&in, IR_ADD, p->op.args[0], ir_i64(&in, 1));
    emit_old(p, &in, next, arrays);
    pack_carried(p, &in, arrays, made, NULL);
    push_all(p, later, made, n);
    push_all(p, later, &next, 1);
    IrId both = ir_if(b, is_small, now, later);
    for (int i = 0; i < n; i++)
        words[i] = ir_get(b, both, i);
    return ir_get(b, both, n);
}

/* The loop on words if the arrays are small, else as it was. */
static void emit_either(Pack *p, IrBuilder *b, IrId is_small, const IrId *words, IrId *out) {
    IrRegion *small = ir_region_new(p->loop.m), *large = ir_region_new(p->loop.m);
    IrBuilder in = bits_builder(&p->loop, small);
    emit_packed(p, &in, p->op.args[0], words, out);
    push_all(p, small, out, p->n);
    in = bits_builder(&p->loop, large);
    emit_old(p, &in, p->op.args[1], out);
    push_all(p, large, out, p->n);
    IrId both = ir_if(b, is_small, small, large);
    for (int k = 0; k < p->n; k++)
        out[k] = p->n == 1 ? both : ir_get(b, both, k);
}

/* The other arrays that the kernel reads; and what stands for all in copies of its body. */
static void pack_others(Pack *p, IrBuilder *b) {
    IrRegion nowhere = {0};
    for (int k = 0; k < p->loop.arrays.len; k++) {
        BitArray *a = &p->loop.arrays.at[k];
        a->stand_in = ir_param(func(p), &nowhere, ir_type(func(p), a->like));
        if (k >= p->loop.ncarried)
            a->words = bits_pack_array(&p->loop, b, a->array, a->bits, NULL);
    }
}

/* What the loop carries in the end, if it has a step. */
static void emit_steps(Pack *p, IrBuilder *b, IrId *out) {
    IrId *words = NEW_ARRAY(func(p)->arena, IrId, count_words(p)), over = IR_NONE, small = IR_NONE;
    IrId lo = p->op.args[0];
    pack_others(p, b);
    pack_carried(p, b, p->op.args + p->arg, words, &over);
    if (over)
        small = ir_binary(b, IR_EQ, over, word_const(b, false));
    bool is_once = over && makes_small(p);
    if (is_once)
        lo = start(p, b, small, words);
    if (over && !is_once)
        emit_either(p, b, small, words, out);
    else
        emit_packed(p, b, lo, words, out);
}

/* The carried values of a loop that may have no step. */
static void emit_counted(Pack *p, IrBuilder *b, IrId *out) {
    IrRegion *steps = ir_region_new(p->loop.m), *none = ir_region_new(p->loop.m);
    IrBuilder in = bits_builder(&p->loop, steps);
    IrId has_steps = ir_binary(b, IR_LT, p->op.args[0], p->op.args[1]);
    emit_steps(p, &in, out);
    push_all(p, steps, out, p->n);
    push_all(p, none, p->op.args + p->arg, p->n);
    IrId both = ir_if(b, has_steps, steps, none);
    for (int k = 0; k < p->n; k++)
        out[k] = p->n == 1 ? both : ir_get(b, both, k);
}

/* Puts the new loop in the old one's place. */
static void replace(Pack *p, IrRegion *region, int *at) {
    IrFunc *f = func(p);
    IrRegion instead = {0};
    IrBuilder b = bits_builder(&p->loop, &instead);
    IrId *out = NEW_ARRAY(f->arena, IrId, p->n);
    if (p->op.kind == IR_FOR)
        emit_counted(p, &b, out);
    else
        emit_steps(p, &b, out);
    IrId value = p->n == 1 ? out[0] : ir_tuple(&b, p->op.type, out, p->n);
    IrId *map = NEW_ARRAY(f->arena, IrId, f->ops.len);
    map[p->id] = value;
    for (int i = *at; i + 1 < region->ops.len; i++)
        region->ops.at[i] = region->ops.at[i + 1];
    region->ops.len--;
    fuse_splice(p->loop.m, region, *at, &instead);
    *at += instead.ops.len - 1;
    fuse_substitute(f, map, f->ops.len);
}

static void visit_loop(Compiler *c, IrFunc *f, IrRegion *region, int *at) {
    IrId id = region->ops.at[*at];
    Pack p = {.op = *ir_op(f, id), .id = id};
    p.loop =
        (BitLoop){.m = c->ir, .f = f, .span = p.op.span, .node = p.op.node, .nold = f->ops.len};
    p.loop.loop = p.op.regions[p.op.nregions - 1];
    p.param = p.op.kind == IR_FOR;
    p.arg = p.op.kind == IR_FOR ? 2 : 0;
    p.n = p.loop.loop->results.len;
    if (!has_shape(&p))
        return;
    bool fits = find_bits(&p);
    if (fits)
        replace(&p, region, at);
    if (fits)
        compiler_remark(c, REMARK_BITS, p.op.span,
                        "the loop keeps its arrays in words of 64 elements");
    else if (holds_bools(&p))
        compiler_remark(c, REMARK_BITS, p.op.span, "an element takes a byte: %s", p.loop.why);
}

static void visit_region(Compiler *c, IrFunc *f, IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        const IrOp op = *ir_op(f, id);
        if (op.kind == IR_FOR || op.kind == IR_LOOP)
            visit_loop(c, f, region, &i);
        for (int r = 0; r < op.nregions && region->ops.at[i] == id; r++)
            visit_region(c, f, op.regions[r]);
    }
}

void bits_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++)
        if (!c->ir->funcs.at[i]->is_inlined)
            visit_region(c, c->ir->funcs.at[i], c->ir->funcs.at[i]->body);
}
