/* Bit packing: loops whose arrays hold bools, or numbers of few bits, keep them as words of 64
   elements while they run, one for each bit. A point's body becomes operations on words
   (bits_body.c, bits_kernel.c), so each is done for 64 points at once.

   Such a FOR or LOOP makes its arrays by kernels over one space, or hands them on, and looks at
   them nowhere else; numbers may be carried beside them. The arrays are packed, the loop runs on
   words, and its result is unpacked. The rows of words keep the order of the rows, so what was near
   stays near, and what sweep has marked stays marked.

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

/* A carried value: a number, or an array. */
typedef struct {
    int array;  /* its number in loop.arrays, or -1: a number */
    int source; /* and that of the array which a step makes of it */
} Carried;

/* Where an array of the loop's body comes from. */
typedef struct {
    int kernel, sink;
} Made;

typedef struct {
    BitLoop loop;
    IrOp op; /* the loop */
    IrId id;
    int n; /* carried values: their first parameter and initial value */
    int param, arg;
    Carried *carried;
    VEC(BitKernel) kernels; /* that read or make such arrays, in order */
    VEC(Made) made;         /* loop.arrays from loop.ncarried on */
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

/* The number of an array that the loop keeps in words, or -1. */
static int array_of(const Pack *p, IrId v) {
    for (int k = 0; k < p->loop.ncarried + p->made.len; k++)
        if (p->loop.arrays.at[k].array == v)
            return k;
    return -1;
}

static bool same_sizes(const Pack *p, IrBuilder *b, IrId x, IrId y) {
    int rank = ir_type(func(p), x)->rank;
    bool same = rank == ir_type(func(p), y)->rank;
    for (int axis = 0; axis < rank && same; axis++) {
        int64_t apart;
        IrId of_x = ir_dim(b, x, axis), of_y = ir_dim(b, y, axis);
        same = ir_difference(func(p), of_x, of_y, &apart) && apart == 0;
    }
    return same;
}

/* Does every step leave the sizes of a carried array? One that is handed on has those of another.
 */
static bool keeps_sizes(const Pack *p, int k, int depth) {
    IrRegion scratch = {0};
    IrBuilder b = bits_builder(&p->loop, &scratch);
    const IrRegion *body = p->loop.loop;
    if (p->op.imm)
        return true;
    for (int j = 0; j < p->n && depth > 0; j++)
        if (body->results.at[k] == body->params.at[p->param + j])
            return same_sizes(p, &b, init_of(p, k), init_of(p, j)) && keeps_sizes(p, j, depth - 1);
    for (int axis = 0; axis < ir_type(func(p), init_of(p, k))->rank; axis++)
        if (!ir_carried_dim(&b, p->id, k, axis))
            return false;
    return true;
}

/* The arrays that the loop carries; false: there are none, or some of others than bools and
 * integers. */
static bool find_arrays(Pack *p) {
    p->carried = NEW_ARRAY(func(p)->arena, Carried, p->n);
    for (int k = 0; k < p->n; k++) {
        const Type *type = ir_type(func(p), init_of(p, k));
        p->carried[k] = (Carried){-1, -1};
        if (type_is_scalar(type))
            continue;
        if (type->kind != TYPE_ARRAY ||
            (type->elem->kind != TYPE_BOOL && !type_is_int(type->elem)) || !keeps_sizes(p, k, p->n))
            return false;
        p->carried[k].array = p->loop.arrays.len;
        BitArray a = {
            .array = p->loop.loop->params.at[p->param + k], .like = init_of(p, k), .bits = 1};
        vec_push(func(p)->arena, &p->loop.arrays, a);
    }
    p->loop.ncarried = p->loop.arrays.len;
    return p->loop.ncarried > 0;
}

static int kernel_of(const Pack *p, IrId id) {
    for (int k = 0; k < p->kernels.len; k++)
        if (p->kernels.at[k].id == id)
            return k;
    return -1;
}

/* Does code read an element of such an array? */
static bool reads_packed(const Pack *p, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(func(p), region->ops.at[i]);
        if (op->kind == IR_INDEX && array_of(p, op->args[0]) >= 0)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (reads_packed(p, op->regions[r]))
                return true;
    }
    return false;
}

/* Is a value made by a kernel? */
static bool is_of(const Pack *p, IrId v, IrId kernel) {
    const IrOp *op = ir_op(func(p), v);
    return v == kernel || (op->kind == IR_GET && op->args[0] == kernel);
}

/* Is it an output of a kernel? Then *sink is which. */
static bool is_output(const Pack *p, IrId v, const BitKernel *k, int *sink) {
    const IrOp *op = ir_op(func(p), v);
    bool is_tuple = k->op.kernel->nsinks > 1;
    *sink = is_tuple && op->kind == IR_GET ? (int)op->imm : 0;
    return is_of(p, v, k->id) && (v != k->id) == is_tuple;
}

/* An initial value that has the sizes of a kernel's space: one whose array a step makes by a kernel
   over the same space; or IR_NONE. */
static IrId like_space(const Pack *p, const IrOp *kernel) {
    const IrFunc *f = func(p);
    for (int k = 0; k < p->n; k++) {
        const IrOp *op = ir_op(f, p->loop.loop->results.at[k]);
        const IrOp *maker = op->kind == IR_GET ? ir_op(f, op->args[0]) : op;
        bool same = p->carried[k].array >= 0 && maker->kind == IR_KERNEL &&
                    maker->kernel->rank == kernel->kernel->rank;
        for (int axis = 0; axis < kernel->kernel->rank && same; axis++) {
            int64_t apart;
            same = ir_difference(f, maker->args[axis], kernel->args[axis], &apart) && apart == 0;
        }
        if (same)
            return init_of(p, k);
    }
    return IR_NONE;
}

/* A kernel's maps are arrays of the loop, too. */
static bool add_made(Pack *p, const BitKernel *k, IrId like) {
    const IrRegion *body = p->loop.loop;
    for (int i = 0; i < body->ops.len; i++) {
        IrId id = body->ops.at[i];
        int sink;
        if (!is_output(p, id, k, &sink) || k->op.kernel->sinks[sink].kind != SINK_MAP)
            continue;
        if (!like || ir_type(func(p), id)->rank != k->op.kernel->rank)
            return false;
        BitArray a = {.array = id, .like = like, .bits = 1};
        vec_push(func(p)->arena, &p->loop.arrays, a);
        vec_push(func(p)->arena, &p->made, (Made){p->kernels.len - 1, sink});
    }
    return true;
}

/* The kernels that read or make such arrays. */
static bool find_kernels(Pack *p) {
    const IrRegion *body = p->loop.loop;
    for (int i = 0; i < body->ops.len; i++) {
        const IrOp *op = ir_op(func(p), body->ops.at[i]);
        if (op->kind != IR_KERNEL)
            continue;
        BitKernel k = {.id = body->ops.at[i], .op = *op};
        bool is_wanted = reads_packed(p, op->regions[0]);
        for (int r = 0; r < body->results.len; r++)
            is_wanted |= p->carried[r].array >= 0 && is_of(p, body->results.at[r], k.id);
        if (!is_wanted)
            continue;
        vec_push(func(p)->arena, &p->kernels, k);
        if (!add_made(p, &k, like_space(p, op)))
            return false;
    }
    return p->kernels.len > 0;
}

/* Where the arrays of the next step come from. */
static bool find_sources(Pack *p) {
    for (int k = 0; k < p->n; k++) {
        Carried *c = &p->carried[k];
        if (c->array >= 0)
            c->source = array_of(p, p->loop.loop->results.at[k]);
        if (c->array >= 0 && c->source < 0)
            return false;
    }
    return p->made.len > 0;
}

/* Is a value an array that the loop is to keep in words? */
static bool is_packed(const Pack *p, IrId v) {
    if (array_of(p, v) >= 0)
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
        bool is_kernel = kernel_of(p, region->ops.at[i]) >= 0;
        bool is_fine = op->kind == IR_DIM || (in_kernel && op->kind == IR_INDEX);
        for (int k = 0; k < op->nargs && !is_fine; k++)
            if (op->args[k] && is_packed(p, op->args[k]))
                return true;
        for (int r = 0; r < op->nregions; r++)
            if (uses_whole(p, op->regions[r], in_kernel || is_kernel))
                return true;
    }
    for (int k = 0; k < region->results.len; k++)
        if (region != p->loop.loop && is_packed(p, region->results.at[k]))
            return true;
    return false;
}

static bool has_shape(Pack *p) {
    if (!find_arrays(p) || !find_kernels(p) || !find_sources(p))
        return false;
    for (int r = 0; r < p->op.nregions; r++)
        if (uses_whole(p, p->op.regions[r], false))
            return false;
    return true;
}

/* Makes two counts of bits one. */
static void join_bits(Pack *p, int *x, int *y, bool *changed) {
    *changed |= *x != *y;
    *x = *y = *x > *y ? *x : *y;
    if (*x > BITS_STATE)
        p->loop.why = "its numbers grow too large";
}

/* Widens the elements to what a step makes; *changed if there was need. */
static void widen(Pack *p, bool *changed) {
    BitArray *arrays = p->loop.arrays.at;
    for (int i = 0; i < p->made.len; i++) {
        const Made *made = &p->made.at[i];
        int *bits = &p->kernels.at[made->kernel].bits[made->sink];
        join_bits(p, &arrays[p->loop.ncarried + i].bits, bits, changed);
    }
    for (int k = 0; k < p->n; k++) {
        const Carried *c = &p->carried[k];
        if (c->array >= 0)
            join_bits(p, &arrays[c->array].bits, &arrays[c->source].bits, changed);
    }
}

/* Finds how many bits the elements take, beginning with one. */
static bool find_bits(Pack *p) {
    bool changed = true;
    for (int round = 0; round < MOST_ROUNDS && changed; round++) {
        changed = false;
        for (int k = 0; k < p->kernels.len; k++)
            if (!bits_try_kernel(&p->loop, &p->kernels.at[k]))
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

/* Copies the ops of the body from position `from` to the next kernel of words, but for what such
   kernels give; gives where it stands, or the end. */
static int copy_ops(const Pack *p, IrBuilder *b, int from, IrId *map) {
    const IrRegion *body = p->loop.loop;
    IrRegion some = {0};
    int at = from;
    for (; at < body->ops.len && kernel_of(p, body->ops.at[at]) < 0; at++) {
        const IrOp *op = ir_op(func(p), body->ops.at[at]);
        if (op->kind != IR_GET || kernel_of(p, op->args[0]) < 0)
            vec_push(func(p)->arena, &some.ops, body->ops.at[at]);
    }
    ir_clone_ops(b, func(p), &some, map);
    return at;
}

/* Hands what a kernel gives to whoever uses it. */
static void map_outputs(Pack *p, int kernel, IrId *map, IrId *const *out) {
    const IrRegion *body = p->loop.loop;
    const BitKernel *k = &p->kernels.at[kernel];
    int sink;
    for (int i = 0; i < p->made.len; i++) {
        BitArray *a = &p->loop.arrays.at[p->loop.ncarried + i];
        if (p->made.at[i].kernel != kernel)
            continue;
        a->words = out[p->made.at[i].sink];
        map[a->array] = a->like; /* for its sizes */
    }
    for (int i = 0; i < body->ops.len; i++)
        if (is_output(p, body->ops.at[i], k, &sink) && k->op.kernel->sinks[sink].kind != SINK_MAP)
            map[body->ops.at[i]] = out[sink][0];
}

/* The ops of the body, on words. */
static void copy_body(Pack *p, IrBuilder *b, IrId *map) {
    IrId *out[BITS_OUTS];
    int at = copy_ops(p, b, 0, map);
    for (int k = 0; k < p->kernels.len; k++) {
        bits_emit_kernel(&p->loop, &p->kernels.at[k], b, map, out);
        map_outputs(p, k, map, out);
        at = copy_ops(p, b, at + 1, map);
    }
}

static IrRegion *new_body(Pack *p) {
    IrRegion *body = ir_region_new(p->loop.m);
    IrBuilder b = bits_builder(&p->loop, body);
    IrId *map = identity(p), **words = NEW_ARRAY(func(p)->arena, IrId *, p->loop.ncarried);
    if (p->param)
        map[p->loop.loop->params.at[0]] =
            ir_param(b.func, body, type_basic(p->loop.m->types, TYPE_I64));
    add_params(p, &b, p->loop.loop, p->param, map, words);
    for (int a = 0; a < p->loop.ncarried; a++)
        p->loop.arrays.at[a].words = words[a];
    copy_body(p, &b, map);
    for (int k = 0; k < p->n; k++) {
        const Carried *c = &p->carried[k];
        if (c->array < 0) {
            vec_push(b.func->arena, &body->results, map[p->loop.loop->results.at[k]]);
            continue;
        }
        const BitArray *a = &p->loop.arrays.at[c->source];
        for (int i = 0; i < a->bits; i++)
            vec_push(b.func->arena, &body->results, a->words[i]);
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
            ir_op(func(p), loop)->imm = p->kernels.at[0].op.kernel->rank == 1 ? 1 : p->op.imm;
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
        if (c->array < 0 || c->source < p->loop.ncarried)
            return false;
        const Made *made = &p->made.at[c->source - p->loop.ncarried];
        const IrOp *kernel = &p->kernels.at[made->kernel].op;
        IrId yield = kernel->regions[0]->results.at[kernel->kernel->sinks[made->sink].yield];
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
        if (k >= p->loop.ncarried + p->made.len)
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
