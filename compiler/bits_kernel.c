/* Kernels on words. The words whose points lie all within the box that peel found run the box's
   body; in the others its points come from that body under a mask, and the columns outside of it
   from the body itself, one by one. Bits behind the end of a row may be anything, as nothing reads
   them; sums leave them out. */
#include "bits.h"

#include <assert.h>

IrBuilder bits_builder(const BitLoop *loop, IrRegion *region) {
    return (IrBuilder){.module = loop->m,
                       .func = loop->f,
                       .region = region,
                       .span = loop->span,
                       .node = loop->node};
}

/* ---- packing and unpacking ---- */

static Type *basic(const BitLoop *loop, TypeKind kind) {
    return type_basic(loop->m->types, kind);
}

static Type *words_type(const BitLoop *loop, int rank) {
    return type_array(loop->m->types, basic(loop, TYPE_U64), rank);
}

/* How many words so many elements are. */
static IrId words_of(IrBuilder *b, IrId size) {
    return ir_binary(b, IR_SHR, ir_binary(b, IR_ADD, size, ir_i64(b, 63)), ir_i64(b, 6));
}

/* Appends a kernel with these sinks, whose types are known. */
static IrId add_kernel(const BitLoop *loop, IrBuilder *b, IrOp op, int rank, int nsinks) {
    Type **all = NEW_ARRAY(loop->f->arena, Type *, nsinks);
    for (int i = 0; i < nsinks; i++)
        all[i] = op.kernel->sinks[i].type;
    op.kind = IR_KERNEL;
    op.kernel->rank = rank;
    op.kernel->nsinks = nsinks;
    op.type = nsinks == 1 ? all[0] : type_tuple(loop->m->types, all, NULL, nsinks);
    return ir_append(b, op);
}

static IrSink map_sink(int yield, int rank, Type *type) {
    return (IrSink){.kind = SINK_MAP, .yield = yield, .arg = rank, .region = -1, .type = type};
}

/* The operator x | y. */
static IrRegion *or_region(const BitLoop *loop) {
    IrRegion *region = ir_region_new(loop->m);
    IrBuilder b = bits_builder(loop, region);
    IrId x = ir_param(b.func, region, basic(loop, TYPE_U64));
    IrId y = ir_param(b.func, region, basic(loop, TYPE_U64));
    vec_push(b.func->arena, &region->results, ir_binary(&b, IR_BITOR, x, y));
    return region;
}

IrId *bits_pack_array(const BitLoop *loop, IrBuilder *b, IrId array, int bits, IrId *over) {
    Arena *arena = loop->f->arena;
    int rank = ir_type(loop->f, array)->rank, nsinks = bits + (over != NULL);
    IrOp op = {.nregions = 1 + (over != NULL), .nargs = rank + (over != NULL)};
    op.kernel = NEW(arena, IrKernel);
    op.kernel->sinks = NEW_ARRAY(arena, IrSink, nsinks);
    op.regions = NEW_ARRAY(arena, IrRegion *, 2);
    op.args = NEW_ARRAY(arena, IrId, rank + 1);
    IrRegion *body = op.regions[0] = ir_region_new(loop->m);
    IrBuilder in = bits_builder(loop, body);
    for (int axis = 0; axis < rank; axis++) {
        IrId dim = ir_dim(b, array, axis);
        op.args[axis] = axis == rank - 1 ? words_of(b, dim) : dim;
        ir_param(loop->f, body, basic(loop, TYPE_I64));
    }
    for (int i = 0; i < nsinks; i++)
        vec_push(arena, &body->results, ir_pack(&in, array, body->params.at, rank, i, i == bits));
    for (int i = 0; i < bits; i++)
        op.kernel->sinks[i] = map_sink(i, rank, words_type(loop, rank));
    if (over) {
        op.regions[1] = or_region(loop);
        op.args[rank] = word_const(b, false);
        op.kernel->sinks[bits] = (IrSink){.kind = SINK_REDUCE,
                                          .yield = bits,
                                          .arg = rank,
                                          .region = 1,
                                          .op = IR_BITOR,
                                          .type = basic(loop, TYPE_U64)};
    }
    IrId kernel = add_kernel(loop, b, op, rank, nsinks), *words = NEW_ARRAY(arena, IrId, bits);
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

IrId bits_unpack_array(const BitLoop *loop, IrBuilder *b, const IrId *words, int bits, IrId like) {
    const IrFunc *f = loop->f;
    Type *type = ir_type(f, like);
    IrOp op = {.nregions = 1, .nargs = type->rank};
    op.kernel = NEW(f->arena, IrKernel);
    op.kernel->sinks = NEW(f->arena, IrSink);
    op.kernel->sinks[0] = map_sink(0, type->rank, type);
    op.regions = NEW(f->arena, IrRegion *);
    op.args = NEW_ARRAY(f->arena, IrId, type->rank);
    IrRegion *body = op.regions[0] = ir_region_new(loop->m);
    IrBuilder in = bits_builder(loop, body);
    for (int axis = 0; axis < type->rank; axis++) {
        op.args[axis] = ir_dim(b, like, axis);
        ir_param(loop->f, body, basic(loop, TYPE_I64));
    }
    IrId element = element_at(&in, words, bits, type->elem, body->params.at, type->rank);
    vec_push(f->arena, &body->results, element);
    return add_kernel(loop, b, op, type->rank, 1);
}

/* ---- bodies ---- */

typedef struct {
    BitLoop *loop;
    const BitKernel *k;
    IrId *map;         /* of the old code's values around the kernel, and of indices of rows */
    IrId lo, hi, size; /* columns of the box, and of the space */
} Step;

static const IrRegion *part(const Step *s, int which) {
    return s->k->op.regions[which];
}

static IrSink *sink_of(const Step *s, int k) {
    return &s->k->op.kernel->sinks[k];
}

static int count_words(const Step *s) {
    int n = 0;
    for (int k = 0; k < s->k->op.kernel->nsinks; k++)
        n += s->k->bits[k];
    return n;
}

/* What the sinks take of a body, as words without a base. */
static IrId *body_words(Step *s, IrBuilder *b, const IrRegion *from, IrId word, bool at_border) {
    Bits *out = NEW_ARRAY(b->func->arena, Bits, from->results.len), x;
    IrId *words = NEW_ARRAY(b->func->arena, IrId, BITS_OUTS * BITS_MOST);
    int n = 0;
    if (!bits_body(s->loop, b, from, s->map, word, at_border, out))
        UNREACHABLE(); /* it was tried */
    for (int k = 0; k < s->k->op.kernel->nsinks; k++) {
        bits_rebase(b, &out[sink_of(s, k)->yield], 0, s->k->bits[k], &x);
        for (int i = 0; i < s->k->bits[k]; i++)
            words[n++] = x.word[i];
    }
    return words;
}

/* A region with the parameters of a kernel of words; the old indices of rows become its. */
static IrRegion *open_body(Step *s, const IrRegion *from) {
    IrRegion *body = ir_region_new(s->loop->m);
    int rank = from->params.len;
    for (int axis = 0; axis < rank; axis++) {
        IrId at = ir_param(s->loop->f, body, basic(s->loop, TYPE_I64));
        if (axis < rank - 1)
            s->map[from->params.at[axis]] = at;
    }
    return body;
}

/* v - first, as a number of a bit. */
static IrId bit_of(IrBuilder *b, IrId v, IrId first) {
    IrId at = ir_binary(b, IR_SUB, v, first);
    return ir_binary(b, IR_MIN, ir_binary(b, IR_MAX, at, ir_i64(b, 0)), ir_i64(b, 64));
}

/* Ones from a bit on. */
static IrId ones_from(IrBuilder *b, IrId bit) {
    Type *word = type_basic(b->module->types, TYPE_U64);
    return ir_binary(b, IR_SHL, word_const(b, true), ir_convert(b, word, bit));
}

/* How often a bit is set among the points of a word. */
static IrId count_bits(IrBuilder *b, IrId word, IrId valid, Type *type) {
    return ir_convert(b, type, ir_unary(b, IR_POPCOUNT, word_and(b, word, valid)));
}

/* The points of a word, summed up as the sink does it. */
static IrId sum_points(IrBuilder *b, const IrSink *sink, const IrId *words, int bits, IrId valid) {
    IrId none = word_const(b, false), sum = ir_int(b, sink->type, 0);
    if (sink->op == IR_BITOR)
        return ir_binary(b, IR_NE, bits ? word_and(b, words[0], valid) : none, none);
    if (sink->op == IR_BITAND) {
        IrId missing = bits ? word_not(b, words[0]) : word_const(b, true);
        return ir_binary(b, IR_EQ, word_and(b, missing, valid), none);
    }
    for (int i = 0; i < bits; i++) {
        IrId count = count_bits(b, words[i], valid, sink->type);
        count = ir_binary(b, IR_SHL, count, ir_int(b, sink->type, i));
        sum = ir_binary(b, IR_ADD, sum, count);
    }
    return sum;
}

/* Ones for the points of a word that there are. */
static IrId valid_points(Step *s, IrBuilder *b, const IrRegion *body) {
    IrId word = body->params.at[body->params.len - 1];
    IrId first = ir_binary(b, IR_MUL, word, ir_i64(b, 64));
    return word_not(b, ones_from(b, bit_of(b, s->size, first)));
}

/* Yields the words of maps and the sums of sums. */
static void yield_words(Step *s, IrBuilder *b, IrRegion *body, const IrId *words) {
    for (int k = 0; k < s->k->op.kernel->nsinks; k++) {
        const IrSink *sink = sink_of(s, k);
        int bits = s->k->bits[k];
        for (int i = 0; sink->kind == SINK_MAP && i < bits; i++)
            vec_push(b->func->arena, &body->results, words[i]);
        if (sink->kind != SINK_MAP) {
            IrId sum = sum_points(b, sink, words, bits, valid_points(s, b, body));
            vec_push(b->func->arena, &body->results, sum);
        }
        words += bits;
    }
}

static IrRegion *whole_words(Step *s, const IrRegion *from) {
    IrRegion *body = open_body(s, from);
    IrBuilder b = bits_builder(s->loop, body);
    IrId *words = body_words(s, &b, from, body->params.at[from->params.len - 1], false);
    yield_words(s, &b, body, words);
    return body;
}

/* ---- points outside of the box ---- */

/* Sees the ops of a copy of the old body: what reads a packed array reads its bits. */
static IrId append_copy(IrBuilder *b, IrOp op) {
    const BitLoop *loop = b->append_data;
    for (int k = 0; op.nargs > 0 && k < loop->arrays.len; k++) {
        const BitArray *a = &loop->arrays.at[k];
        if (op.args[0] != a->stand_in)
            continue;
        if (op.kind == IR_DIM)
            return ir_dim(b, a->like, (int)op.imm);
        return element_at(b, a->words, a->bits, op.type, op.args + 1, op.nargs - 1);
    }
    return ir_append_plain(b, op);
}

/* Bit i of a yield, at its place in the word that begins with column `first`.
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
    const IrRegion *from = part(s, 0);
    BitLoop *loop = s->loop;
    IrId *before = NEW_ARRAY(loop->f->arena, IrId, loop->arrays.len + 1);
    s->map[from->params.at[from->params.len - 1]] = column;
    for (int k = 0; k < loop->arrays.len; k++) {
        before[k] = s->map[loop->arrays.at[k].array];
        s->map[loop->arrays.at[k].array] = loop->arrays.at[k].stand_in;
    }
    b->append = append_copy;
    b->append_data = loop;
    ir_clone_ops(b, b->func, from, s->map);
    b->append = NULL;
    for (int k = 0; k < loop->arrays.len; k++)
        s->map[loop->arrays.at[k].array] = before[k];
}

/* Adds their bits to the words. */
static void add_points(Step *s, IrBuilder *b, const Outside *o, IrId *words) {
    int n = count_words(s), at = 0;
    IrRegion *body = ir_region_new(s->loop->m);
    IrId t = ir_param(b->func, body, basic(s->loop, TYPE_I64));
    IrBuilder in = bits_builder(s->loop, body);
    for (int i = 0; i < n; i++)
        ir_param(b->func, body, ir_type(b->func, words[i]));
    IrId column = column_of(&in, o, t);
    copy_point(s, &in, column);
    for (int k = 0; k < s->k->op.kernel->nsinks; k++)
        for (int i = 0; i < s->k->bits[k]; i++, at++) {
            IrId yield = s->map[part(s, 0)->results.at[sink_of(s, k)->yield]];
            IrId bit = placed_bit(&in, yield, i, column, o->first);
            bit = ir_binary(&in, IR_BITOR, body->params.at[1 + at], bit);
            vec_push(b->func->arena, &body->results, bit);
        }
    IrId behind = ir_binary(b, IR_MAX, ir_binary(b, IR_SUB, o->to, o->from), ir_i64(b, 0));
    IrId loop = ir_for(b, ir_i64(b, 0), ir_binary(b, IR_ADD, o->before, behind), words, n, body);
    for (int i = 0; i < n; i++)
        words[i] = n == 1 ? loop : ir_get(b, loop, i);
}

/* A word that has points outside of the box, perhaps. */
static IrRegion *border_words(Step *s) {
    const IrRegion *from = part(s, 0), *within = part(s, s->k->op.kernel->edge);
    IrRegion *body = open_body(s, from);
    int rank = from->params.len;
    for (int axis = 0; axis < rank - 1; axis++)
        s->map[within->params.at[axis]] = body->params.at[axis];
    IrBuilder b = bits_builder(s->loop, body);
    IrId word = body->params.at[rank - 1], *words = body_words(s, &b, within, word, true);
    IrId first = ir_binary(&b, IR_MUL, word, ir_i64(&b, 64));
    IrId lo = bit_of(&b, s->lo, first), hi = bit_of(&b, s->hi, first);
    IrId mask = word_and(&b, ones_from(&b, lo), word_not(&b, ones_from(&b, hi)));
    for (int i = 0; i < count_words(s); i++)
        words[i] = word_and(&b, words[i], mask);
    Outside outside = {.first = first, .before = lo};
    outside.from = ir_binary(&b, IR_ADD, first, ir_binary(&b, IR_MAX, lo, hi));
    outside.to = ir_binary(&b, IR_MIN, ir_binary(&b, IR_ADD, first, ir_i64(&b, 64)), s->size);
    add_points(s, &b, &outside, words);
    yield_words(s, &b, body, words);
    return body;
}

/* ---- the kernel ---- */

/* The words of the box's columns: those that lie in it as a whole. If no point reads ahead, the end
   of the last word does not matter where the box reaches it. */
static void box_words(Step *s, IrBuilder *b, IrId nwords, IrId *out) {
    IrId lo = words_of(b, s->lo), hi = ir_binary(b, IR_SHR, s->hi, ir_i64(b, 6));
    if (!s->loop->reads_ahead)
        hi = ir_select(b, ir_binary(b, IR_EQ, s->hi, s->size), nwords, hi);
    out[0] = lo;
    out[1] = ir_binary(b, IR_MAX, lo, hi);
}

/* The bounds of the box in points; all of the space, where the kernel has none. */
static void find_box(Step *s, IrBuilder *b, IrId *out) {
    const IrOp *kernel = &s->k->op;
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
    const IrKernel *old = s->k->op.kernel;
    int rank = old->rank;
    find_box(s, b, op->args + rank);
    if (!old->inner && !s->loop->reads_ahead) {
        op->regions[op->nregions++] = whole_words(s, part(s, 0));
        return;
    }
    op->regions[op->nregions++] = border_words(s);
    op->kernel->box = rank;
    op->nargs = 3 * rank;
    box_words(s, b, op->args[rank - 1], op->args + 3 * rank - 2);
    op->kernel->is_narrow = true;
    op->kernel->inner = op->kernel->edge = op->nregions;
    op->regions[op->nregions++] = whole_words(s, part(s, old->inner));
    if (old->edge != old->inner) {
        op->kernel->edge = op->nregions;
        op->regions[op->nregions++] = whole_words(s, part(s, old->edge));
    }
}

/* The sums of the old kernel, and their operators. */
static void add_sum(Step *s, IrOp *op, int k, IrSink *out) {
    IrBuilder b = bits_builder(s->loop, NULL);
    const IrSink *old = sink_of(s, k);
    *out = *old;
    out->region = op->nregions;
    out->arg = op->nargs;
    op->args[op->nargs++] = s->map[s->k->op.args[old->arg]];
    IrId *map = NEW_ARRAY(s->loop->f->arena, IrId, s->loop->nold);
    for (int i = 0; i < s->loop->nold; i++)
        map[i] = s->map[i];
    op->regions[op->nregions++] =
        ir_clone_region(&b, s->loop->f, s->k->op.regions[old->region], map);
}

/* Its sinks; gives how many. */
static int add_sinks(Step *s, IrOp *op) {
    int n = 0, yield = 0, rank = s->k->op.kernel->rank;
    for (int k = 0; k < s->k->op.kernel->nsinks; k++) {
        bool is_map = sink_of(s, k)->kind == SINK_MAP;
        for (int i = 0; is_map && i < s->k->bits[k]; i++)
            op->kernel->sinks[n++] = map_sink(yield++, rank, words_type(s->loop, rank));
        if (is_map)
            continue;
        add_sum(s, op, k, &op->kernel->sinks[n]);
        op->kernel->sinks[n++].yield = yield++;
    }
    return n;
}

void bits_emit_kernel(BitLoop *loop, const BitKernel *k, IrBuilder *b, IrId *map, IrId **out) {
    Arena *arena = loop->f->arena;
    int rank = k->op.kernel->rank, at = 0;
    Step s = {.loop = loop, .k = k, .map = map};
    IrOp op = {.nargs = rank, .span = k->op.span, .node = k->op.node};
    op.kernel = NEW(arena, IrKernel);
    op.kernel->sinks = NEW_ARRAY(arena, IrSink, count_words(&s) + BITS_OUTS);
    op.regions = NEW_ARRAY(arena, IrRegion *, 3 + BITS_OUTS);
    op.args = NEW_ARRAY(arena, IrId, 3 * rank + BITS_OUTS);
    for (int axis = 0; axis < rank; axis++)
        op.args[axis] = map[k->op.args[axis]];
    s.size = op.args[rank - 1];
    op.args[rank - 1] = words_of(b, s.size);
    add_bodies(&s, b, &op);
    int n = add_sinks(&s, &op);
    IrId kernel = add_kernel(loop, b, op, rank, n);
    for (int j = 0; j < k->op.kernel->nsinks; j++) {
        int parts = sink_of(&s, j)->kind == SINK_MAP ? k->bits[j] : 1;
        out[j] = NEW_ARRAY(arena, IrId, parts);
        for (int i = 0; i < parts; i++, at++)
            out[j][i] = n == 1 ? kernel : ir_get(b, kernel, at);
    }
}

/* ---- whether it can be done ---- */

/* A sum that words can make: of numbers from 0 on. */
static bool is_sum(const IrSink *sink) {
    if (sink->kind != SINK_REDUCE)
        return false;
    if (sink->type->kind == TYPE_BOOL)
        return sink->op == IR_BITOR || sink->op == IR_BITAND;
    return sink->op == IR_ADD && type_is_int(sink->type);
}

static bool fits_kernel(BitLoop *loop, const BitKernel *k) {
    const IrKernel *kernel = k->op.kernel;
    if (kernel->rank == 0 || kernel->nsinks > BITS_OUTS)
        loop->why = "a step makes other values than arrays and sums";
    for (int i = 0; i < kernel->nsinks && !loop->why; i++) {
        const IrSink *sink = &kernel->sinks[i];
        bool is_map = sink->kind == SINK_MAP && type_is_scalar(sink->type->elem);
        if (!is_map && !is_sum(sink))
            loop->why = "a step makes other values than arrays and sums";
    }
    const IrRegion *body = k->op.regions[0];
    for (int i = 0; i < body->ops.len && !loop->why; i++)
        if (ir_may_fault(loop->f, body->ops.at[i]))
            loop->why = "a step may fault";
    return !loop->why;
}

static bool try_body(BitLoop *loop, BitKernel *k, const IrRegion *body) {
    IrRegion scratch = {0};
    IrBuilder b = bits_builder(loop, &scratch);
    Bits *out = NEW_ARRAY(loop->f->arena, Bits, body->results.len);
    IrId *map = NEW_ARRAY(loop->f->arena, IrId, loop->nold);
    for (int i = 0; i < loop->nold; i++)
        map[i] = (IrId)i;
    if (!bits_body(loop, &b, body, map, ir_i64(&b, 0), false, out))
        return false;
    for (int i = 0; i < k->op.kernel->nsinks; i++) {
        const Bits *x = &out[k->op.kernel->sinks[i].yield];
        int bits = x->lo < 0 ? BITS_MOST + 1 : bits_width(x->hi);
        if (bits > BITS_MOST)
            loop->why = "its numbers grow too large";
        k->bits[i] = bits > k->bits[i] ? bits : k->bits[i];
    }
    return !loop->why;
}

bool bits_try_kernel(BitLoop *loop, BitKernel *k) {
    const IrKernel *kernel = k->op.kernel;
    return fits_kernel(loop, k) && try_body(loop, k, k->op.regions[kernel->edge]) &&
           (kernel->inner == kernel->edge || try_body(loop, k, k->op.regions[kernel->inner]));
}
