/* Bit packing: loops over stencils whose arrays hold bools, or numbers of few bits, keep them as
   words of 64 elements while they run. A point's body becomes operations on words (bits_body.c), so
   each is done for 64 points at once.

   A loop that sweep has marked becomes an IF: where there is a step, the arrays are packed, the
   loop runs on words, and its result is unpacked. The rows of words keep the order of the rows, so
   what was near stays near. The words whose points lie all within the box that peel found run the
   box's body; in the others its points come from that body under a mask, and the columns outside of
   it from the body itself, one by one. Bits behind the end of a row may be anything, as nothing
   reads them.

   Elements that are no bools may be larger than the bits that the loop makes: what is packed first
   is looked at, and if it is too large, the first step (or all, if not even that makes the elements
   small) is done on the array as it is.

   In: IR with its loops marked. Out: the same values. What keeps a loop of bools from it is a
   remark. */
#include "bits.h"
#include "fuse.h"
#include "range.h"

enum {
    MOST_STATE = 4, /* bits of an element */
    MOST_YIELDS = 16,
    MOST_ROUNDS = 4, /* until an element's bits are found */
};

typedef struct {
    Compiler *c;
    BitLoop loop;
    IrOp op;        /* the loop, */
    IrId kernel_id; /* the kernel in it */
    IrOp kernel;
    int yield_of[MOST_YIELDS]; /* of each carried array: which of the kernel's results it is */
    IrId *init;                /* the carried values before the loop */
    int nold;                  /* values of the old code */
} Pack;

/* ---- what is packed ---- */

static IrId kernel_in(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++)
        if (ir_op(f, region->ops.at[i])->kind == IR_KERNEL)
            return region->ops.at[i];
    UNREACHABLE();
}

static bool is_bool(const Pack *p, int k) {
    return ir_type(p->loop.f, p->init[k])->elem->kind == TYPE_BOOL;
}

static bool holds_bools(const Pack *p) {
    for (int k = 0; k < p->loop.ncarried; k++)
        if (!is_bool(p, k))
            return false;
    return true;
}

/* The arrays that the loop carries; false: there are others than of bools and integers. */
static bool add_carried(Pack *p) {
    const IrFunc *f = p->loop.f;
    const IrRegion *body = p->loop.loop;
    p->loop.ncarried = body->results.len;
    p->init = p->op.args + 2;
    if (p->loop.ncarried > MOST_YIELDS)
        return false;
    for (int k = 0; k < p->loop.ncarried; k++) {
        const Type *elem = ir_type(f, p->init[k])->elem;
        const IrOp *result = ir_op(f, body->results.at[k]);
        int sink = result->kind == IR_GET ? (int)result->imm : 0;
        p->yield_of[k] = p->kernel.kernel->sinks[sink].yield;
        BitArray a = {.array = body->params.at[1 + k], .like = p->init[k], .bits = 1};
        vec_push(f->arena, &p->loop.arrays, a);
        if (elem->kind != TYPE_BOOL && !type_is_int(elem))
            return false;
    }
    return p->kernel.regions[0]->results.len <= MOST_YIELDS;
}

static IrId *identity(const Pack *p) {
    IrId *map = NEW_ARRAY(p->loop.f->arena, IrId, p->nold);
    for (int i = 0; i < p->nold; i++)
        map[i] = (IrId)i;
    return map;
}

static IrBuilder builder(const Pack *p, IrRegion *region) {
    return (IrBuilder){.module = p->loop.m,
                       .func = p->loop.f,
                       .region = region,
                       .span = p->op.span,
                       .node = p->op.node};
}

static const IrRegion *part(const Pack *p, int which) {
    return p->kernel.regions[which];
}

/* Tries a body for nothing, and widens the elements to what it yields. */
static bool try_body(Pack *p, const IrRegion *body, bool *changed) {
    IrRegion scratch = {0};
    IrBuilder b = builder(p, &scratch);
    Bits out[MOST_YIELDS];
    if (!bits_body(&p->loop, &b, body, identity(p), ir_i64(&b, 0), false, out))
        return false;
    for (int k = 0; k < p->loop.ncarried; k++) {
        BitArray *a = &p->loop.arrays.at[k];
        const Bits *x = &out[p->yield_of[k]];
        int bits = x->lo < 0 ? MOST_STATE + 1 : bits_width(x->hi);
        if (bits > MOST_STATE) {
            p->loop.why = "its numbers grow too large";
            return false;
        }
        *changed |= bits > a->bits;
        a->bits = bits > a->bits ? bits : a->bits;
    }
    return true;
}

static bool find_bits(Pack *p) {
    const IrKernel *k = p->kernel.kernel;
    for (int round = 0; round < MOST_ROUNDS; round++) {
        bool changed = false;
        if (!try_body(p, part(p, k->edge), &changed) ||
            (k->inner != k->edge && !try_body(p, part(p, k->inner), &changed)))
            return false;
        if (!changed)
            return true;
    }
    p->loop.why = "its numbers grow too large";
    return false;
}

/* ---- packing and unpacking ---- */

static Type *words_type(const Pack *p, int rank) {
    Types *types = p->loop.m->types;
    return type_array(types, type_basic(types, TYPE_U64), rank);
}

/* How many words so many elements are. */
static IrId words_of(IrBuilder *b, IrId size) {
    return ir_binary(b, IR_SHR, ir_binary(b, IR_ADD, size, ir_i64(b, 63)), ir_i64(b, 6));
}

/* Appends a kernel with these sinks, filling in their yields and types. */
static IrId add_kernel(const Pack *p, IrBuilder *b, IrOp op, int rank, int nsinks) {
    Types *types = p->loop.m->types;
    Type **all = NEW_ARRAY(p->loop.f->arena, Type *, nsinks);
    for (int i = 0; i < nsinks; i++)
        all[i] = op.kernel->sinks[i].type;
    op.kind = IR_KERNEL;
    op.kernel->rank = rank;
    op.kernel->nsinks = nsinks;
    op.type = nsinks == 1 ? all[0] : type_tuple(types, all, NULL, nsinks);
    return ir_append(b, op);
}

static IrSink map_sink(int yield, int rank, Type *type) {
    return (IrSink){.kind = SINK_MAP, .yield = yield, .arg = rank, .region = -1, .type = type};
}

/* The operator x | y. */
static IrRegion *or_region(const Pack *p) {
    IrRegion *region = ir_region_new(p->loop.m);
    IrBuilder b = builder(p, region);
    Type *word = type_basic(p->loop.m->types, TYPE_U64);
    IrId x = ir_param(b.func, region, word), y = ir_param(b.func, region, word);
    vec_push(b.func->arena, &region->results, ir_binary(&b, IR_BITOR, x, y));
    return region;
}

/* The words of an array; *over, unless NULL: not 0 if some element has more bits. */
static IrId *pack_array(const Pack *p, IrBuilder *b, IrId array, int bits, IrId *over) {
    Arena *arena = p->loop.f->arena;
    int rank = ir_type(p->loop.f, array)->rank, nsinks = bits + (over != NULL);
    IrOp op = {.nregions = 1 + (over != NULL), .nargs = rank + (over != NULL)};
    op.kernel = NEW(arena, IrKernel);
    op.kernel->sinks = NEW_ARRAY(arena, IrSink, nsinks);
    op.regions = NEW_ARRAY(arena, IrRegion *, 2);
    op.args = NEW_ARRAY(arena, IrId, rank + 1);
    IrRegion *body = op.regions[0] = ir_region_new(p->loop.m);
    IrBuilder in = builder(p, body);
    for (int axis = 0; axis < rank; axis++) {
        IrId dim = ir_dim(b, array, axis);
        op.args[axis] = axis == rank - 1 ? words_of(b, dim) : dim;
        ir_param(p->loop.f, body, type_basic(p->loop.m->types, TYPE_I64));
    }
    for (int i = 0; i < bits; i++) {
        vec_push(arena, &body->results, ir_pack(&in, array, body->params.at, rank, i, false));
        op.kernel->sinks[i] = map_sink(i, rank, words_type(p, rank));
    }
    if (over) {
        vec_push(arena, &body->results, ir_pack(&in, array, body->params.at, rank, bits, true));
        op.regions[1] = or_region(p);
        op.args[rank] = word_const(b, false);
        op.kernel->sinks[bits] = (IrSink){.kind = SINK_REDUCE,
                                          .yield = bits,
                                          .arg = rank,
                                          .region = 1,
                                          .op = IR_BITOR,
                                          .type = type_basic(p->loop.m->types, TYPE_U64)};
    }
    IrId kernel = add_kernel(p, b, op, rank, nsinks), *words = NEW_ARRAY(arena, IrId, bits);
    for (int i = 0; i < bits; i++)
        words[i] = nsinks == 1 ? kernel : ir_get(b, kernel, i);
    if (over)
        *over = ir_get(b, kernel, bits);
    return words;
}

/* The element at some indices of an array that is kept as words. */
static IrId element_at(IrBuilder *b, const IrId *words, int bits, Type *elem, const IrId *at,
                       int rank) {
    IrId sum = IR_NONE;
    if (elem->kind == TYPE_BOOL)
        return ir_bit(b, words[0], at, rank);
    for (int i = 0; i < bits; i++) {
        IrId bit = ir_convert(b, elem, ir_bit(b, words[i], at, rank));
        bit = i ? ir_binary(b, IR_SHL, bit, ir_int(b, elem, i)) : bit;
        sum = sum ? ir_binary(b, IR_BITOR, sum, bit) : bit;
    }
    return sum;
}

static IrId unpack_array(const Pack *p, IrBuilder *b, const IrId *words, int bits, IrId like) {
    const IrFunc *f = p->loop.f;
    Type *type = ir_type(f, like);
    IrOp op = {.nregions = 1, .nargs = type->rank};
    op.kernel = NEW(f->arena, IrKernel);
    op.kernel->sinks = NEW(f->arena, IrSink);
    op.kernel->sinks[0] = map_sink(0, type->rank, type);
    op.regions = NEW(f->arena, IrRegion *);
    op.args = NEW_ARRAY(f->arena, IrId, type->rank);
    IrRegion *body = op.regions[0] = ir_region_new(p->loop.m);
    IrBuilder in = builder(p, body);
    for (int axis = 0; axis < type->rank; axis++) {
        op.args[axis] = ir_dim(b, like, axis);
        ir_param(p->loop.f, body, type_basic(p->loop.m->types, TYPE_I64));
    }
    IrId element = element_at(&in, words, bits, type->elem, body->params.at, type->rank);
    vec_push(f->arena, &body->results, element);
    return add_kernel(p, b, op, type->rank, 1);
}

/* ---- bodies ---- */

typedef struct {
    Pack *p;
    IrId *map;         /* of the old code's values in the new loop's body */
    IrId lo, hi, size; /* columns of the box, and of the space */
} Step;

/* The values of a body's yields as words without a base, in the order of the sinks. */
static IrId *body_words(Step *s, IrBuilder *b, const IrRegion *from, IrId word, bool at_border) {
    Pack *p = s->p;
    Bits out[MOST_YIELDS], x;
    IrId *words = NEW_ARRAY(p->loop.f->arena, IrId, MOST_YIELDS * MOST_STATE);
    int n = 0;
    if (!bits_body(&p->loop, b, from, s->map, word, at_border, out))
        UNREACHABLE(); /* it was tried */
    for (int k = 0; k < p->loop.ncarried; k++) {
        int bits = p->loop.arrays.at[k].bits;
        bits_rebase(b, &out[p->yield_of[k]], 0, bits, &x);
        for (int i = 0; i < bits; i++)
            words[n++] = x.word[i];
    }
    return words;
}

static int count_words(const Pack *p) {
    int n = 0;
    for (int k = 0; k < p->loop.ncarried; k++)
        n += p->loop.arrays.at[k].bits;
    return n;
}

/* A region with the parameters of a kernel of words; the old indices of rows become its. */
static IrRegion *open_body(Step *s, const IrRegion *from) {
    IrRegion *body = ir_region_new(s->p->loop.m);
    int rank = from->params.len;
    for (int axis = 0; axis < rank; axis++) {
        IrId at = ir_param(s->p->loop.f, body, type_basic(s->p->loop.m->types, TYPE_I64));
        if (axis < rank - 1)
            s->map[from->params.at[axis]] = at;
    }
    return body;
}

static IrRegion *whole_words(Step *s, const IrRegion *from) {
    IrRegion *body = open_body(s, from);
    IrBuilder b = builder(s->p, body);
    IrId *words = body_words(s, &b, from, body->params.at[from->params.len - 1], false);
    for (int i = 0; i < count_words(s->p); i++)
        vec_push(b.func->arena, &body->results, words[i]);
    return body;
}

/* Sees the ops of a copy of the old body: what reads a packed array reads its bits. */
static IrId append_copy(IrBuilder *b, IrOp op) {
    const Pack *p = b->append_data;
    for (int k = 0; op.nargs > 0 && k < p->loop.arrays.len; k++) {
        const BitArray *a = &p->loop.arrays.at[k];
        if (op.args[0] != a->stand_in)
            continue;
        if (op.kind == IR_DIM)
            return ir_dim(b, a->like, (int)op.imm);
        return element_at(b, a->words, a->bits, op.type, op.args + 1, op.nargs - 1);
    }
    return ir_append_plain(b, op);
}

/* Bit i of what carried array k becomes, at its place in the word that begins with column `first`.
 */
static IrId placed_bit(IrBuilder *b, IrId yield, int i, IrId column, IrId first) {
    Type *word = type_basic(b->module->types, TYPE_U64);
    IrId bit = ir_convert(b, word, yield);
    if (i > 0)
        bit = ir_binary(b, IR_SHR, bit, ir_int(b, word, i));
    bit = ir_binary(b, IR_BITAND, bit, ir_int(b, word, 1));
    return ir_binary(b, IR_SHL, bit, ir_convert(b, word, ir_binary(b, IR_SUB, column, first)));
}

/* The points of a word outside of the box: `before` from its first column on, those from column
   `from` to `to`. */
typedef struct {
    IrId first, before, from, to;
} Outside;

/* The column of point t of these. */
static IrId column_of(IrBuilder *b, const Outside *o, IrId t) {
    IrId behind = ir_binary(b, IR_ADD, o->from, ir_binary(b, IR_SUB, t, o->before));
    return ir_select(b, ir_binary(b, IR_LT, t, o->before), ir_binary(b, IR_ADD, o->first, t),
                     behind);
}

/* A copy of the old body, for a point of the row at hand. */
static void copy_point(Step *s, IrBuilder *b, IrId column) {
    Pack *p = s->p;
    const IrRegion *from = part(p, 0);
    s->map[from->params.at[from->params.len - 1]] = column;
    for (int k = 0; k < p->loop.arrays.len; k++)
        s->map[p->loop.arrays.at[k].array] = p->loop.arrays.at[k].stand_in;
    b->append = append_copy;
    b->append_data = p;
    ir_clone_ops(b, b->func, from, s->map);
    b->append = NULL;
    for (int k = 0; k < p->loop.arrays.len; k++)
        s->map[p->loop.arrays.at[k].array] = p->loop.arrays.at[k].like;
}

/* Adds their bits to the words. */
static void add_points(Step *s, IrBuilder *b, const Outside *o, IrId *words) {
    const Pack *p = s->p;
    int n = count_words(p), at = 0;
    IrRegion *body = ir_region_new(p->loop.m);
    IrId t = ir_param(b->func, body, type_basic(p->loop.m->types, TYPE_I64));
    IrBuilder in = builder(p, body);
    for (int i = 0; i < n; i++)
        ir_param(b->func, body, ir_type(b->func, words[i]));
    IrId column = column_of(&in, o, t);
    copy_point(s, &in, column);
    for (int k = 0; k < p->loop.ncarried; k++)
        for (int i = 0; i < p->loop.arrays.at[k].bits; i++, at++) {
            IrId yield = s->map[part(p, 0)->results.at[p->yield_of[k]]];
            IrId bit = placed_bit(&in, yield, i, column, o->first);
            bit = ir_binary(&in, IR_BITOR, body->params.at[1 + at], bit);
            vec_push(b->func->arena, &body->results, bit);
        }
    IrId behind = ir_binary(b, IR_MAX, ir_binary(b, IR_SUB, o->to, o->from), ir_i64(b, 0));
    IrId loop = ir_for(b, ir_i64(b, 0), ir_binary(b, IR_ADD, o->before, behind), words, n, body);
    for (int i = 0; i < n; i++)
        words[i] = n == 1 ? loop : ir_get(b, loop, i);
}

/* v - first, as a number of a bit. */
static IrId bit_of(IrBuilder *b, IrId v, IrId first) {
    IrId at = ir_binary(b, IR_SUB, v, first);
    return ir_binary(b, IR_MIN, ir_binary(b, IR_MAX, at, ir_i64(b, 0)), ir_i64(b, 64));
}

/* Ones from a bit on. */
static IrId ones_from(IrBuilder *b, IrId bit) {
    return ir_binary(b, IR_SHL, word_const(b, true),
                     ir_convert(b, type_basic(b->module->types, TYPE_U64), bit));
}

/* A word that has points outside of the box, perhaps. */
static IrRegion *border_words(Step *s) {
    const Pack *p = s->p;
    const IrRegion *from = part(p, 0), *within = part(p, p->kernel.kernel->edge);
    IrRegion *body = open_body(s, from);
    int rank = from->params.len;
    for (int axis = 0; axis < rank - 1; axis++)
        s->map[within->params.at[axis]] = body->params.at[axis];
    IrBuilder b = builder(p, body);
    IrId word = body->params.at[rank - 1], *words = body_words(s, &b, within, word, true);
    IrId first = ir_binary(&b, IR_MUL, word, ir_i64(&b, 64));
    IrId lo = bit_of(&b, s->lo, first), hi = bit_of(&b, s->hi, first);
    IrId mask = word_and(&b, ones_from(&b, lo), word_not(&b, ones_from(&b, hi)));
    for (int i = 0; i < count_words(p); i++)
        words[i] = word_and(&b, words[i], mask);
    Outside outside = {.first = first, .before = lo};
    outside.from = ir_binary(&b, IR_ADD, first, ir_binary(&b, IR_MAX, lo, hi));
    outside.to = ir_binary(&b, IR_MIN, ir_binary(&b, IR_ADD, first, ir_i64(&b, 64)), s->size);
    add_points(s, &b, &outside, words);
    for (int i = 0; i < count_words(p); i++)
        vec_push(b.func->arena, &body->results, words[i]);
    return body;
}

/* ---- the loop on words ---- */

/* The words of the box's columns: those that lie in it as a whole. If no point reads ahead, the end
   of the last word does not matter where the box reaches it. */
static void box_words(Step *s, IrBuilder *b, IrId nwords, IrId *out) {
    IrId lo = words_of(b, s->lo), hi = ir_binary(b, IR_SHR, s->hi, ir_i64(b, 6));
    if (!s->p->loop.reads_ahead)
        hi = ir_select(b, ir_binary(b, IR_EQ, s->hi, s->size), nwords, hi);
    out[0] = lo;
    out[1] = ir_binary(b, IR_MAX, lo, hi);
}

/* The bounds of the box in points; all of the space, where the kernel has none. */
static void find_box(Step *s, IrBuilder *b, IrId *out) {
    const IrOp *kernel = &s->p->kernel;
    int rank = kernel->kernel->rank;
    for (int axis = 0; axis < rank; axis++) {
        bool has_box = kernel->kernel->inner;
        const IrId *bounds = kernel->args + kernel->kernel->box + 2 * axis;
        out[2 * axis] = has_box ? s->map[bounds[0]] : ir_i64(b, 0);
        out[2 * axis + 1] = s->map[has_box ? bounds[1] : kernel->args[axis]];
    }
    s->lo = out[2 * rank - 2];
    s->hi = out[2 * rank - 1];
}

static void add_bodies(Step *s, IrBuilder *b, IrOp *op) {
    const Pack *p = s->p;
    const IrKernel *old = p->kernel.kernel;
    int rank = old->rank;
    if (!old->inner && !p->loop.reads_ahead) {
        op->regions[op->nregions++] = whole_words(s, part(p, 0));
        return;
    }
    op->regions[op->nregions++] = border_words(s);
    op->kernel->box = rank;
    op->nargs = 3 * rank;
    box_words(s, b, op->args[rank - 1], op->args + 3 * rank - 2);
    op->kernel->is_narrow = true;
    op->kernel->inner = op->kernel->edge = op->nregions;
    op->regions[op->nregions++] = whole_words(s, part(p, old->inner));
    if (old->edge != old->inner) {
        op->kernel->edge = op->nregions;
        op->regions[op->nregions++] = whole_words(s, part(p, old->edge));
    }
}

/* The kernel of words; gives its outputs. */
static void emit_kernel(Step *s, IrBuilder *b, IrId *out) {
    const Pack *p = s->p;
    Arena *arena = p->loop.f->arena;
    int rank = p->kernel.kernel->rank, n = count_words(p);
    IrOp op = {.nargs = rank, .span = p->kernel.span, .node = p->kernel.node};
    op.kernel = NEW(arena, IrKernel);
    op.kernel->sinks = NEW_ARRAY(arena, IrSink, n);
    op.regions = NEW_ARRAY(arena, IrRegion *, 3);
    op.args = NEW_ARRAY(arena, IrId, 3 * rank);
    for (int axis = 0; axis < rank; axis++)
        op.args[axis] = s->map[p->kernel.args[axis]];
    s->size = op.args[rank - 1];
    op.args[rank - 1] = words_of(b, s->size);
    find_box(s, b, op.args + rank);
    add_bodies(s, b, &op);
    for (int i = 0; i < n; i++)
        op.kernel->sinks[i] = map_sink(i, rank, words_type(p, rank));
    IrId kernel = add_kernel(p, b, op, rank, n);
    for (int i = 0; i < n; i++)
        out[i] = n == 1 ? kernel : ir_get(b, kernel, i);
}

/* The numbers beside the kernel, copied. */
static void copy_beside(Step *s, IrBuilder *b) {
    const Pack *p = s->p;
    const IrRegion *body = p->loop.loop;
    IrRegion beside = {0};
    for (int i = 0; i < body->ops.len; i++) {
        const IrOp *op = ir_op(p->loop.f, body->ops.at[i]);
        if (op->kind != IR_KERNEL && (op->kind != IR_GET || op->args[0] != p->kernel_id))
            vec_push(p->loop.f->arena, &beside.ops, body->ops.at[i]);
    }
    ir_clone_ops(b, p->loop.f, &beside, s->map);
}

/* The loop from step `lo` on, with words in place of the arrays; gives those after it. */
static void emit_loop(Pack *p, IrBuilder *b, IrId lo, const IrId *words, IrId *out) {
    IrFunc *f = p->loop.f;
    int n = count_words(p), rank = p->kernel.kernel->rank, at = 0;
    IrRegion *body = ir_region_new(p->loop.m);
    IrBuilder in = builder(p, body);
    Step s = {.p = p, .map = identity(p)};
    s.map[p->loop.loop->params.at[0]] = ir_param(f, body, type_basic(p->loop.m->types, TYPE_I64));
    for (int k = 0; k < p->loop.ncarried; k++) {
        BitArray *a = &p->loop.arrays.at[k];
        a->words = NEW_ARRAY(f->arena, IrId, a->bits);
        s.map[a->array] = a->like;
        for (int i = 0; i < a->bits; i++)
            a->words[i] = ir_param(f, body, words_type(p, rank));
    }
    IrId *results = NEW_ARRAY(f->arena, IrId, n);
    copy_beside(&s, &in);
    emit_kernel(&s, &in, results);
    for (; at < n; at++)
        vec_push(f->arena, &body->results, results[at]);
    IrId loop = ir_for(b, lo, p->op.args[1], words, n, body);
    if (ir_op(f, loop)->kind == IR_FOR) /* words hold as many points of a row as near may be */
        ir_op(f, loop)->imm = rank == 1 ? 1 : p->op.imm;
    for (int i = 0; i < n; i++)
        out[i] = n == 1 ? loop : ir_get(b, loop, i);
}

/* ---- around the loop ---- */

/* Are the arrays small after a step on any? */
static bool makes_small(const Pack *p) {
    Range r = {.m = p->loop.m, .f = p->loop.f, .arena = p->loop.f->arena};
    for (int k = 0; k < p->loop.ncarried; k++) {
        IrId yield = part(p, 0)->results.at[p->yield_of[k]];
        if (is_bool(p, k))
            continue;
        Interval all = range_interval(&r, yield);
        if (all.lo < 0 || bits_width(all.hi) > p->loop.arrays.at[k].bits)
            return false;
    }
    return true;
}

/* The words of all carried arrays; *over as in pack_array, or NULL. */
static void pack_carried(const Pack *p, IrBuilder *b, const IrId *arrays, IrId *words, IrId *over) {
    int at = 0;
    for (int k = 0; k < p->loop.ncarried; k++) {
        int bits = p->loop.arrays.at[k].bits;
        IrId large = IR_NONE,
             *made = pack_array(p, b, arrays[k], bits, over && !is_bool(p, k) ? &large : NULL);
        for (int i = 0; i < bits; i++)
            words[at++] = made[i];
        if (large)
            *over = *over ? word_or(b, *over, large) : large;
    }
}

static void push_all(const Pack *p, IrRegion *region, const IrId *values, int n) {
    for (int i = 0; i < n; i++)
        vec_push(p->loop.f->arena, &region->results, values[i]);
}

/* The old loop from its start to `hi`; gives its values. */
static void emit_old(const Pack *p, IrBuilder *b, IrId hi, IrId *out) {
    IrOp op = p->op;
    op.args = NEW_ARRAY(p->loop.f->arena, IrId, op.nargs);
    for (int k = 0; k < op.nargs; k++)
        op.args[k] = k == 1 ? hi : p->op.args[k];
    IrId loop = ir_append(b, op);
    for (int k = 0; k < p->loop.ncarried; k++)
        out[k] = p->loop.ncarried == 1 ? loop : ir_get(b, loop, k);
}

/* Runs the loop on words, and unpacks what they are then. */
static void emit_packed(Pack *p, IrBuilder *b, IrId lo, const IrId *words, IrId *arrays) {
    IrId *after = NEW_ARRAY(p->loop.f->arena, IrId, count_words(p));
    int at = 0;
    emit_loop(p, b, lo, words, after);
    for (int k = 0; k < p->loop.ncarried; k++) {
        int bits = p->loop.arrays.at[k].bits;
        arrays[k] = unpack_array(p, b, after + at, bits, p->init[k]);
        at += bits;
    }
}

/* Words and a first step: those of the initial arrays if these are small, else those of what one
   step makes of them. */
static IrId start(Pack *p, IrBuilder *b, IrId is_small, IrId *words) {
    IrFunc *f = p->loop.f;
    int n = count_words(p);
    IrRegion *now = ir_region_new(p->loop.m), *later = ir_region_new(p->loop.m);
    IrBuilder in = builder(p, later);
    IrId *arrays = NEW_ARRAY(f->arena, IrId, p->loop.ncarried),
         *made = NEW_ARRAY(f->arena, IrId, n);
    push_all(p, now, words, n);
    vec_push(f->arena, &now->results, p->op.args[0]);
    IrId next = ir_binary(&in, IR_ADD, p->op.args[0], ir_i64(&in, 1));
    emit_old(p, &in, next, arrays);
    pack_carried(p, &in, arrays, made, NULL);
    push_all(p, later, made, n);
    vec_push(f->arena, &later->results, next);
    IrId both = ir_if(b, is_small, now, later);
    for (int i = 0; i < n; i++)
        words[i] = ir_get(b, both, i);
    return ir_get(b, both, n);
}

/* The loop on words if the arrays are small, else as it was. */
static void emit_either(Pack *p, IrBuilder *b, IrId is_small, const IrId *words, IrId *arrays) {
    int n = p->loop.ncarried;
    IrRegion *small = ir_region_new(p->loop.m), *large = ir_region_new(p->loop.m);
    IrBuilder in = builder(p, small);
    emit_packed(p, &in, p->op.args[0], words, arrays);
    push_all(p, small, arrays, n);
    in = builder(p, large);
    emit_old(p, &in, p->op.args[1], arrays);
    push_all(p, large, arrays, n);
    IrId both = ir_if(b, is_small, small, large);
    for (int k = 0; k < n; k++)
        arrays[k] = n == 1 ? both : ir_get(b, both, k);
}

/* The other arrays that the kernel reads; and what stands for all in copies of its body. */
static void pack_others(Pack *p, IrBuilder *b) {
    IrRegion nowhere = {0};
    for (int k = 0; k < p->loop.arrays.len; k++) {
        BitArray *a = &p->loop.arrays.at[k];
        a->stand_in = ir_param(p->loop.f, &nowhere, ir_type(p->loop.f, a->like));
        if (k >= p->loop.ncarried)
            a->words = pack_array(p, b, a->array, a->bits, NULL);
    }
}

/* What the loop gives if it has a step. */
static IrRegion *emit_steps(Pack *p) {
    IrRegion *steps = ir_region_new(p->loop.m);
    IrBuilder b = builder(p, steps);
    Arena *arena = p->loop.f->arena;
    IrId *arrays = NEW_ARRAY(arena, IrId, p->loop.ncarried),
         *words = NEW_ARRAY(arena, IrId, count_words(p));
    IrId over = IR_NONE, lo = p->op.args[0], small = IR_NONE;
    pack_others(p, &b);
    pack_carried(p, &b, p->init, words, &over);
    if (over)
        small = ir_binary(&b, IR_EQ, over, word_const(&b, false));
    if (over && makes_small(p))
        lo = start(p, &b, small, words);
    if (over && !makes_small(p))
        emit_either(p, &b, small, words, arrays);
    else
        emit_packed(p, &b, lo, words, arrays);
    push_all(p, steps, arrays, p->loop.ncarried);
    return steps;
}

/* The loop becomes a choice: are there steps? */
static void replace(Pack *p, IrRegion *region, int *at) {
    IrFunc *f = p->loop.f;
    IrId id = region->ops.at[*at];
    IrRegion before = {0}, *none = ir_region_new(p->loop.m);
    IrBuilder b = builder(p, &before);
    IrId cond = ir_binary(&b, IR_LT, p->op.args[0], p->op.args[1]);
    push_all(p, none, p->init, p->loop.ncarried);
    IrOp op = {.kind = IR_IF, .type = p->op.type, .span = p->op.span, .node = p->op.node};
    op.args = NEW(f->arena, IrId);
    op.regions = NEW_ARRAY(f->arena, IrRegion *, 2);
    op.args[0] = cond;
    op.nargs = 1;
    op.nregions = 2;
    op.regions[0] = emit_steps(p);
    op.regions[1] = none;
    *ir_op(f, id) = op;
    fuse_splice(p->loop.m, region, *at, &before);
    *at += before.ops.len;
}

static void visit_loop(Compiler *c, IrFunc *f, IrRegion *region, int *at) {
    Pack p = {.c = c, .op = *ir_op(f, region->ops.at[*at]), .nold = f->ops.len};
    p.loop = (BitLoop){.m = c->ir, .f = f, .loop = p.op.regions[0]};
    p.kernel_id = kernel_in(f, p.loop.loop);
    p.kernel = *ir_op(f, p.kernel_id);
    if (!add_carried(&p))
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
        const IrOp op = *ir_op(f, region->ops.at[i]);
        if (op.kind == IR_FOR && op.imm) {
            visit_loop(c, f, region, &i);
            continue;
        }
        for (int r = 0; r < op.nregions; r++)
            visit_region(c, f, op.regions[r]);
    }
}

void bits_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++)
        if (!c->ir->funcs.at[i]->is_inlined)
            visit_region(c, c->ir->funcs.at[i], c->ir->funcs.at[i]->body);
}
