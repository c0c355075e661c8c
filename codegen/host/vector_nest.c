/* Sums inside a vectorised body: each lane takes the same points of an inner space, one after the
   other. The trees are those of reduce.c, with vectors in place of scalars:

   Where the order cannot be told from the result, one accumulator takes all points. An operator
   that commutes has 32 accumulators, which stride over the points of a chunk and are then combined
   16, 8, 4, 2, 1 apart, but for those that no point has come to. Any other operator folds pieces of
   128 points in order. Chunks, and pieces, are combined as neighbours in pairs: the results of 1, 2,
   4, … pieces wait on a stack, as the bits of a counter that is counted up, until the ones beside
   them are there. */
#include "vector_body.h"

#define B (v->f->e->B)

enum { ACCUMULATORS = 32, CHUNK_POINTS = 4096, PIECE_SHIFT = 7, CHUNK_SHIFT = 12,
       LEVELS = 24 };

typedef enum { SUM_ANY, SUM_LANES, SUM_PIECES, SUM_PICK } SumKind;

/* The accumulators of a slot: one, or all, in memory. */
typedef struct {
    Type *type; /* NULL: a tag */
    LLVMTypeRef memory_type;
    bool is_narrow; /* PICK: an i64 that is kept in 32 bits */
    LLVMValueRef identity;          /* PIECES: NULL if the operator has none */
    LLVMValueRef accs[VEC_COPIES];
    LLVMValueRef total[VEC_COPIES]; /* of a part: the accumulator, but for LANES, which have one more */
    LLVMValueRef stack[VEC_COPIES]; /* PIECES */
} SumSlot;

typedef struct {
    const IrSink *sink;
    const IrRegion *op;
    SumKind kind;
    int nslots;
    SumSlot *slots;
    bool has_identity;
} Sum;

typedef struct {
    const IrOp *op;
    Sum *sums;
    LLVMValueRef dims[8], at[8];
    bool is_unrolled;
    int shift; /* of one axis: points are taken in parts of 1 << shift, which are then combined; 0: all
                  at once */
    bool begins; /* LANES: the first points begin accumulators, which are not cleared */
} Nest;

/* May the sum be taken in any order without a change of the result? */
static bool is_exact(const IrOp *kernel, const IrSink *sink, const Type *type) {
    return !type_is_float(type) || sink->op == IR_MIN || sink->op == IR_MAX ||
           kernel->flags & IRF_FAST;
}

/* ---- slots ---- */

static LLVMValueRef slot_get(Vec *v, const SumSlot *s, LLVMValueRef p) {
    LLVMValueRef value = fn_get(v->f, s->memory_type, p);
    if (s->is_narrow)
        return LLVMBuildSExt(B, value, LLVMVectorType(v->f->e->i64, (unsigned)v->lanes), "");
    return s->type ? scalar_from_memory(&v->f->e->scalar, s->type, value) : value;
}

static void slot_set(Vec *v, const SumSlot *s, LLVMValueRef p, LLVMValueRef value) {
    value = vec_splat(v, value);
    if (s->is_narrow)
        value = LLVMBuildTrunc(B, value, s->memory_type, "");
    fn_set(v->f, p, !s->is_narrow && s->type ? scalar_to_memory(&v->f->e->scalar, s->type, value) : value);
}

static LLVMValueRef slot_at(Vec *v, const SumSlot *s, LLVMValueRef rows, LLVMValueRef i) {
    return fn_at_index(v->f, s->memory_type, rows, i);
}

/* The operator's neutral value for slot k, if its region does one scalar op a slot. */
static LLVMValueRef slot_identity(Vec *v, const IrRegion *region, int k) {
    const IrFunc *ir = v->f->ir;
    const IrOp *result = ir_op(ir, region->results.at[0]);
    IrId at[2] = {region->params.at[0], region->params.at[1]};
    if (result->kind == IR_TUPLE) {
        if (!type_is_scalar(value_type(v->f, result->args[k])))
            return NULL;
        result = ir_op(ir, result->args[k]);
        for (int i = 0; i < 2 && ir_is_scalar_op(result->kind) && result->nargs == 2; i++) {
            const IrOp *get = ir_op(ir, result->args[i]);
            if (get->kind != IR_GET || get->imm != k || get->args[0] != at[i])
                return NULL;
            at[i] = result->args[i];
        }
    }
    if (!ir_is_scalar_op(result->kind) || result->nargs != 2 || result->args[0] != at[0] ||
        result->args[1] != at[1])
        return NULL;
    return scalar_identity(&v->f->e->scalar, result->kind, result->type);
}

/* The axis whose index is slot k of what the body yields; -1: none. */
static int index_of_slot(const Vec *v, const IrOp *op, const IrSink *sink, int k, int nslots) {
    const IrRegion *body = op->regions[0];
    IrId id = body->results.at[sink->yield];
    const IrOp *tuple = ir_op(v->f->ir, id);
    if (tuple->kind == IR_TUPLE) {
        if (tuple->nargs != nslots)
            return -1;
        for (int i = 0; i < nslots; i++)
            if (value_layout(v->f, tuple->args[i])->nslots != 1)
                return -1;
        id = tuple->args[k];
    }
    for (int axis = 0; axis < body->params.len; axis++)
        if (body->params.at[axis] == id)
            return axis;
    return -1;
}

/* A pick keeps an index in 32 bits; where those are too few, the scalar body does the work. */
static bool narrows(Vec *v, const IrOp *op, const IrSink *sink, int k, int nslots) {
    Fn *f = v->f;
    int axis = index_of_slot(v, op, sink, k, nslots);
    LLVMValueRef zero = value_of(f, op->args[sink->arg])->s[k];
    if (axis < 0 || scalar_is_vector(zero))
        return false;
    vec_need(v, fn_cmp(f, LLVMIntSLE, value_scalar(f, op->args[axis]), fn_int(f, INT32_MAX)));
    LLVMValueRef low = LLVMBuildTrunc(B, zero, f->e->i32, "");
    vec_need(v, fn_cmp(f, LLVMIntEQ, LLVMBuildSExt(B, low, f->e->i64, ""), zero));
    return true;
}

static void slot_begin(Vec *v, Sum *s, int k, const Slot *slot) {
    Fn *f = v->f;
    Scalar *scalar = &f->e->scalar;
    SumSlot *to = &s->slots[k];
    to->type = slot->kind == SLOT_SCALAR ? slot->type : NULL;
    to->memory_type = to->type ? scalar_memory_type(scalar, to->type, v->lanes)
                               : LLVMVectorType(f->e->i64, (unsigned)v->lanes);
    if (to->is_narrow)
        to->memory_type = LLVMVectorType(f->e->i32, (unsigned)v->lanes);
    if (s->kind == SUM_PIECES)
        to->identity = slot_identity(v, s->op, k);
    else if (s->kind != SUM_PICK)
        to->identity = scalar_identity(scalar, s->sink->op, to->type);
    int n = s->kind == SUM_LANES ? ACCUMULATORS : 1;
    for (int c = 0; c < v->ncopies; c++) {
        to->accs[c] = fn_alloca(f, LLVMArrayType2(to->memory_type, (uint64_t)n), "sums");
        to->total[c] = n > 1 ? fn_alloca(f, to->memory_type, "total") : to->accs[c];
        if (s->kind == SUM_ANY)
            slot_set(v, to, to->accs[c], to->identity);
        if (s->kind == SUM_PIECES || s->kind == SUM_LANES)
            to->stack[c] = fn_alloca(f, LLVMArrayType2(to->memory_type, LEVELS), "pieces");
    }
}

static Sum sum_begin(Vec *v, const IrOp *op, const IrSink *sink) {
    Layout *l = value_layout(v->f, op->regions[0]->results.at[sink->yield]);
    Sum s = {.sink = sink, .op = op->regions[sink->region], .kind = SUM_PIECES};
    bool strides = sink->op != IR_INVALID && type_is_scalar(l->type) &&
                   scalar_identity(&v->f->e->scalar, sink->op, l->type);
    if (sink->kind == SINK_PICK)
        s.kind = SUM_PICK;
    else if (strides)
        s.kind = is_exact(op, sink, l->type) ? SUM_ANY : SUM_LANES;
    s.nslots = l->nslots;
    s.slots = NEW_ARRAY(v->f->e->arena, SumSlot, l->nslots + 1);
    s.has_identity = true;
    for (int k = 0; k < l->nslots; k++) {
        s.slots[k].is_narrow = s.kind == SUM_PICK && narrows(v, op, sink, k, l->nslots);
        slot_begin(v, &s, k, &l->slots[k]);
        s.has_identity &= s.slots[k].identity != NULL;
    }
    s.has_identity |= s.kind == SUM_PICK; /* it begins with the zero */
    return s;
}

/* ---- the operator ---- */

/* All copies of a value with this many slots. */
typedef struct {
    LLVMValueRef *s[VEC_COPIES];
} Rows;

static Rows rows_new(Vec *v, const Sum *s) {
    Rows rows = {.s = {NULL}};
    for (int c = 0; c < v->ncopies; c++)
        rows.s[c] = slots_new(v->f, s->nslots);
    return rows;
}

static Rows rows_get(Vec *v, const Sum *s, LLVMValueRef level) {
    Rows rows = rows_new(v, s);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < s->nslots; k++) {
            const SumSlot *slot = &s->slots[k];
            LLVMValueRef p = level ? slot_at(v, slot, slot->stack[c], level) : slot->total[c];
            rows.s[c][k] = slot_get(v, slot, p);
        }
    return rows;
}

static void rows_set(Vec *v, const Sum *s, LLVMValueRef level, const Rows *rows) {
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < s->nslots; k++) {
            const SumSlot *slot = &s->slots[k];
            LLVMValueRef p = level ? slot_at(v, slot, slot->stack[c], level) : slot->total[c];
            slot_set(v, slot, p, rows->s[c][k]);
        }
}

/* A value of the body, in every lane. */
static Rows rows_of(Vec *v, const Sum *s, IrId id) {
    Rows rows = rows_new(v, s);
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        for (int k = 0; k < s->nslots && k < value_of(v->f, id)->n; k++)
            rows.s[c][k] = vec_splat(v, value_of(v->f, id)->s[k]);
    }
    vec_at(v, 0);
    return rows;
}

static Rows yield_of(Vec *v, const Sum *s, const IrRegion *body) {
    return rows_of(v, s, body->results.at[s->sink->yield]);
}

/* op(a, b). */
static Rows combine(Vec *v, const Sum *s, const Rows *a, const Rows *b) {
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        value_set(v->f, s->op->params.at[0], a->s[c], s->nslots);
        value_set(v->f, s->op->params.at[1], b->s[c], s->nslots);
    }
    vec_at(v, 0);
    vec_ops(v, s->op);
    return rows_of(v, s, s->op->results.at[0]);
}

static LLVMValueRef combine_scalar(Vec *v, const Sum *s, LLVMValueRef a, LLVMValueRef b) {
    return scalar_emit_same(&v->f->e->scalar, s->sink->op, s->slots[0].type, a, b, v->lanes);
}

/* The blend of two values of a slot, in the bits that it is kept in. */
static LLVMValueRef slot_blend(Vec *v, const SumSlot *s, LLVMValueRef cond, LLVMValueRef a,
                               LLVMValueRef b) {
    if (!s->is_narrow)
        return vec_blend(v, cond, a, b);
    LLVMValueRef low_a = LLVMBuildTrunc(B, a, s->memory_type, "");
    LLVMValueRef low = vec_blend(v, cond, low_a, LLVMBuildTrunc(B, b, s->memory_type, ""));
    return LLVMBuildSExt(B, low, LLVMTypeOf(a), "");
}

/* b where it beats a. */
static Rows choose(Vec *v, const Sum *s, const Rows *a, const Rows *b) {
    Rows beats = combine(v, s, a, b), out = rows_new(v, s);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < s->nslots; k++)
            out.s[c][k] = slot_blend(v, &s->slots[k], beats.s[c][0], b->s[c][k], a->s[c][k]);
    return out;
}

/* The first n accumulators combined, all of which are begun. */
static LLVMValueRef tree_of(Vec *v, const Sum *s, int copy, int n) {
    const SumSlot *slot = &s->slots[0];
    LLVMValueRef accs[ACCUMULATORS];
    for (int k = 0; k < n; k++)
        accs[k] = slot_get(v, slot, slot_at(v, slot, slot->accs[copy], fn_int(v->f, k)));
    for (int w = ACCUMULATORS / 2; w >= 1; w /= 2) {
        for (int k = 0; k + w < n && k < w; k++)
            accs[k] = combine_scalar(v, s, accs[k], accs[k + w]);
        n = n < w ? n : w;
    }
    return accs[0];
}

/* Their combination where only the first n are begun: those that a tree of a power of two takes in
   besides are given the identity. */
static void fold_begun(Vec *v, const Sum *s, LLVMValueRef n, LLVMValueRef *out) {
    enum { SIZES = 6 };
    Fn *f = v->f;
    const SumSlot *slot = &s->slots[0];
    LLVMBasicBlockRef done = fn_block(f, "tree.done"), from[SIZES];
    LLVMValueRef sums[VEC_COPIES][SIZES];
    for (int k = 0; k < SIZES; k++) {
        LLVMBasicBlockRef fits = fn_block(f, "tree"), larger = fn_block(f, "larger");
        LLVMValueRef size = fn_int(f, 1 << k);
        fn_cond(f, fn_cmp(f, LLVMIntSLE, n, size), fits, k == SIZES - 1 ? fits : larger);
        fn_at(f, fits);
        Loop rest = loop_begin(f, n, size, "rest");
        for (int c = 0; c < v->ncopies; c++)
            slot_set(v, slot, slot_at(v, slot, slot->accs[c], rest.i), slot->identity);
        loop_end_plain(f, &rest);
        for (int c = 0; c < v->ncopies; c++)
            sums[c][k] = tree_of(v, s, c, 1 << k);
        from[k] = fn_here(f);
        fn_br(f, done);
        fn_at(f, larger);
    }
    LLVMBuildUnreachable(B);
    fn_at(f, done);
    for (int c = 0; c < v->ncopies; c++) {
        out[c] = LLVMBuildPhi(B, LLVMTypeOf(sums[c][0]), "");
        LLVMAddIncoming(out[c], sums[c], from, SIZES);
    }
}

/* What n points have left in the accumulators, of each copy. */
static void total_lanes(Vec *v, const Nest *nest, const Sum *s, LLVMValueRef n, LLVMValueRef *out) {
    Fn *f = v->f;
    int64_t size = s->kind == SUM_LANES ? ACCUMULATORS : 1;
    if (s->kind == SUM_LANES && nest->begins) {
        n = fn_min(f, n, fn_int(f, ACCUMULATORS));
        if (!LLVMIsAConstantInt(n) || LLVMConstIntGetSExtValue(n) == 0) {
            fold_begun(v, s, n, out);
            return;
        }
        size = LLVMConstIntGetSExtValue(n);
    }
    for (int c = 0; c < v->ncopies; c++)
        out[c] = tree_of(v, s, c, (int)size);
}

/* ---- pieces ---- */

/* The piece of this number is done: it is combined with those before it that are as long. */
static void push_piece(Vec *v, const Sum *s, LLVMValueRef number) {
    Fn *f = v->f;
    LLVMValueRef level_at = fn_alloca(f, f->e->i64, "level");
    fn_set(f, level_at, fn_int(f, 0));
    LLVMBasicBlockRef head = fn_block(f, "push"), fold = fn_block(f, "fold");
    LLVMBasicBlockRef done = fn_block(f, "pushed");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef level = fn_get(f, f->e->i64, level_at), one = fn_int(f, 1);
    LLVMValueRef bit = fn_bin(f, LLVMAnd, fn_bin(f, LLVMLShr, number, level), one);
    fn_cond(f, fn_cmp(f, LLVMIntNE, bit, fn_int(f, 0)), fold, done);
    fn_at(f, fold);
    Rows left = rows_get(v, s, level), right = rows_get(v, s, NULL);
    Rows both = combine(v, s, &left, &right);
    rows_set(v, s, NULL, &both);
    fn_set(f, level_at, fn_add(f, level, one));
    fn_plain_loop(f, LLVMBuildBr(B, head));
    fn_at(f, done);
    Rows acc = rows_get(v, s, NULL);
    rows_set(v, s, level, &acc);
}

static LLVMValueRef lowest_bit(Vec *v, LLVMValueRef a) {
    Emit *e = v->f->e;
    unsigned id = LLVMLookupIntrinsicID("llvm.cttz", 9);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, &e->i64, 1);
    LLVMValueRef args[] = {a, LLVMConstInt(e->i1, 1, 0)};
    return LLVMBuildCall2(B, LLVMIntrinsicGetType(e->C, id, &e->i64, 1), fn, args, 2, "");
}

/* What waits on the stack after n > 0 pieces, the shortest first; into the accumulator. */
static void fold_stack(Vec *v, const Sum *s, LLVMValueRef n) {
    Fn *f = v->f;
    LLVMValueRef rest_at = fn_alloca(f, f->e->i64, "rest"), one = fn_int(f, 1);
    Rows last = rows_get(v, s, lowest_bit(v, n));
    rows_set(v, s, NULL, &last);
    fn_set(f, rest_at, fn_bin(f, LLVMAnd, n, fn_sub(f, n, one)));
    LLVMBasicBlockRef head = fn_block(f, "stack"), fold = fn_block(f, "fold");
    LLVMBasicBlockRef done = fn_block(f, "folded");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef rest = fn_get(f, f->e->i64, rest_at);
    fn_cond(f, fn_cmp(f, LLVMIntNE, rest, fn_int(f, 0)), fold, done);
    fn_at(f, fold);
    Rows left = rows_get(v, s, lowest_bit(v, rest)), right = rows_get(v, s, NULL);
    Rows both = combine(v, s, &left, &right);
    rows_set(v, s, NULL, &both);
    fn_set(f, rest_at, fn_bin(f, LLVMAnd, rest, fn_sub(f, rest, one)));
    fn_plain_loop(f, LLVMBuildBr(B, head));
    fn_at(f, done);
}

static bool has_kind(const Nest *nest, SumKind kind) {
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        if (nest->sums[k].kind == kind)
            return true;
    return false;
}

/* Pieces where an operator wants them, else chunks where there may be several. */
static int part_shift(const Nest *nest) {
    if (has_kind(nest, SUM_PIECES))
        return PIECE_SHIFT;
    bool chunks = nest->op->kernel->rank == 1 && has_kind(nest, SUM_LANES) &&
                  !(LLVMIsAConstantInt(nest->dims[0]) &&
                    LLVMConstIntGetSExtValue(nest->dims[0]) <= CHUNK_POINTS);
    return chunks ? CHUNK_SHIFT : 0;
}

/* Are the sum's accumulators those of a part, to be combined with the other parts'? */
static bool is_parted(const Nest *nest, const Sum *s) {
    return s->kind == SUM_PIECES || (s->kind == SUM_LANES && nest->shift == CHUNK_SHIFT);
}

/* ---- points ---- */

/* first: this point begins its accumulator, or the piece, of an operator without identity. */
static void sum_point(Vec *v, const Sum *s, const IrRegion *body, LLVMValueRef point, bool first) {
    Fn *f = v->f;
    Rows y = yield_of(v, s, body);
    if (s->kind == SUM_PIECES) {
        bool begins = first && !s->has_identity;
        Rows acc = rows_get(v, s, NULL), next = begins ? y : combine(v, s, &acc, &y);
        rows_set(v, s, NULL, &next);
        return;
    }
    if (s->kind == SUM_PICK) {
        Rows acc = rows_get(v, s, NULL), next = choose(v, s, &acc, &y);
        rows_set(v, s, NULL, &next);
        return;
    }
    LLVMValueRef number = fn_bin(f, LLVMAnd, point, fn_int(f, ACCUMULATORS - 1));
    const SumSlot *slot = &s->slots[0];
    for (int c = 0; c < v->ncopies; c++) {
        LLVMValueRef p = slot->accs[c];
        if (s->kind == SUM_LANES)
            p = slot_at(v, slot, p, number);
        bool begins = first && s->kind == SUM_LANES;
        slot_set(v, slot, p,
                 begins ? y.s[c][0] : combine_scalar(v, s, slot_get(v, slot, p), y.s[c][0]));
    }
}

/* The body at nest->at. */
static void body_at(Vec *v, Nest *nest) {
    const IrRegion *body = nest->op->regions[0];
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        for (int k = 0; k < nest->op->kernel->rank; k++) {
            LLVMValueRef *s = slots_new(v->f, 1);
            s[0] = nest->at[k];
            value_set(v->f, body->params.at[k], s, 1);
        }
    }
    vec_at(v, 0);
    vec_ops(v, body);
}

static void nest_point(Vec *v, Nest *nest, LLVMValueRef point, bool first) {
    body_at(v, nest);
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        sum_point(v, &nest->sums[k], nest->op->regions[0], point, first);
}

/* So few points and ops that each point is code of its own: the accumulators are registers then. */
static bool is_unrolled(const Nest *nest) {
    enum { MOST_OPS = 400 };
    uint64_t points = 1;
    for (int k = 0; k < nest->op->kernel->rank; k++) {
        if (!LLVMIsAConstantInt(nest->dims[k]))
            return false;
        uint64_t n = LLVMConstIntGetZExtValue(nest->dims[k]);
        points *= n <= ACCUMULATORS ? n : ACCUMULATORS + 1;
        if (points > ACCUMULATORS)
            return false;
    }
    return points * (uint64_t)nest->op->regions[0]->ops.len <= MOST_OPS;
}

/* The loops over axis `axis` and those inside it; point: the number of the row so far. */
static void emit_axis(Vec *v, Nest *nest, int axis, LLVMValueRef point) {
    Fn *f = v->f;
    if (axis == nest->op->kernel->rank) {
        nest_point(v, nest, point, false);
        return;
    }
    if (nest->is_unrolled) {
        int64_t n = LLVMConstIntGetSExtValue(nest->dims[axis]);
        for (int64_t i = 0; i < n; i++) {
            nest->at[axis] = fn_int(f, i);
            emit_axis(v, nest, axis + 1, fn_add(f, fn_mul(f, point, nest->dims[axis]), fn_int(f, i)));
        }
        return;
    }
    Loop loop = loop_begin(f, fn_int(f, 0), nest->dims[axis], "sum");
    nest->at[axis] = loop.i;
    LLVMValueRef row = axis ? fn_mul(f, point, nest->dims[axis]) : point;
    emit_axis(v, nest, axis + 1, fn_add(f, row, loop.i));
    loop_end(f, &loop);
}

/* Points from … to - 1 of the only axis. */
static void emit_range(Vec *v, Nest *nest, LLVMValueRef from, LLVMValueRef to, bool first) {
    Loop loop = loop_begin(v->f, from, to, "sum");
    nest->at[0] = loop.i;
    nest_point(v, nest, loop.i, first);
    loop_end(v->f, &loop);
}

/* All n accumulators of a sum are given the identity. */
static void clear(Vec *v, const Sum *s, int n) {
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < s->nslots; k++)
            for (int i = 0; i < n; i++) {
                const SumSlot *slot = &s->slots[k];
                slot_set(v, slot, slot_at(v, slot, slot->accs[c], fn_int(v->f, i)), slot->identity);
            }
}

/* A part of the only axis, or all of it. */
static void emit_part(Vec *v, Nest *nest, LLVMValueRef from, LLVMValueRef to) {
    Fn *f = v->f;
    bool peels = false;
    for (int k = 0; k < nest->op->kernel->nsinks; k++) {
        const Sum *s = &nest->sums[k];
        peels |= !s->has_identity;
        if (s->kind == SUM_PIECES && s->has_identity)
            clear(v, s, 1);
    }
    if (nest->begins) {
        LLVMValueRef rest = fn_add(f, from, fn_int(f, ACCUMULATORS));
        emit_range(v, nest, from, fn_min(f, to, rest), true);
        If more = if_begin(f, fn_cmp(f, LLVMIntSGT, to, rest));
        emit_range(v, nest, rest, to, false);
        if_end(f, &more);
        return;
    }
    if (peels) {
        nest->at[0] = from;
        nest_point(v, nest, from, true);
        from = fn_add(f, from, fn_int(f, 1));
    }
    emit_range(v, nest, from, to, false);
}

/* Are there more points than a part has? */
static LLVMValueRef has_parts(Vec *v, const Nest *nest) {
    return fn_cmp(v->f, LLVMIntSGT, nest->dims[0], fn_int(v->f, 1 << nest->shift));
}

/* Part `number`, of n points, is complete; the only one stays where it is. */
static void end_part(Vec *v, const Nest *nest, const Sum *s, LLVMValueRef number, LLVMValueRef n) {
    LLVMValueRef totals[VEC_COPIES];
    if (s->kind == SUM_LANES) {
        total_lanes(v, nest, s, n, totals);
        for (int c = 0; c < v->ncopies; c++)
            slot_set(v, &s->slots[0], s->slots[0].total[c], totals[c]);
    }
    If several = if_begin(v->f, has_parts(v, nest));
    push_piece(v, s, number);
    if_end(v->f, &several);
}

/* One axis, part by part. */
static void emit_parts(Vec *v, Nest *nest) {
    Fn *f = v->f;
    LLVMValueRef size = fn_int(f, 1 << nest->shift), shift = fn_int(f, nest->shift);
    LLVMValueRef most = fn_add(f, nest->dims[0], fn_int(f, (1 << nest->shift) - 1));
    Loop parts = loop_begin(f, fn_int(f, 0), fn_bin(f, LLVMLShr, most, shift), "part");
    LLVMValueRef from = fn_mul(f, parts.i, size);
    LLVMValueRef to = fn_min(f, nest->dims[0], fn_add(f, from, size));
    emit_part(v, nest, from, to);
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        if (is_parted(nest, &nest->sums[k]))
            end_part(v, nest, &nest->sums[k], parts.i, fn_sub(f, to, from));
    loop_end_plain(f, &parts);
}

/* ---- short sums ---- */

enum { SHORTEST = 8 }; /* points that have code of their own: so many, twice and four times as many */

/* May it be worth to have such code? Its sums are kept in registers. */
static bool has_short(const Vec *v, const Nest *nest) {
    enum { MOST_OPS = 8 };
    const IrRegion *body = nest->op->regions[0];
    if (nest->shift != CHUNK_SHIFT || !nest->begins || v->mask || body->ops.len > MOST_OPS)
        return false;
    for (int k = 0; k < body->ops.len; k++)
        if (ir_op(v->f->ir, body->ops.at[k])->nregions > 0)
            return false;
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        if (nest->sums[k].kind != SUM_LANES)
            return false;
    return !LLVMIsAConstantInt(nest->dims[0]);
}

/* The sums, copy by copy, of the points from, from + step, … of `size`: those twice as far apart are
   combined first, as of accumulators. */
static LLVMValueRef *short_tree(Vec *v, Nest *nest, int from, int step, int size) {
    int nsinks = nest->op->kernel->nsinks;
    LLVMValueRef *out = NEW_ARRAY(v->f->e->arena, LLVMValueRef, nsinks * VEC_COPIES + 1);
    if (step == size) {
        nest->at[0] = fn_int(v->f, from);
        body_at(v, nest);
        for (int k = 0; k < nsinks; k++) {
            Rows y = yield_of(v, &nest->sums[k], nest->op->regions[0]);
            for (int c = 0; c < v->ncopies; c++)
                out[k * VEC_COPIES + c] = y.s[c][0];
        }
        return out;
    }
    LLVMValueRef *a = short_tree(v, nest, from, 2 * step, size);
    LLVMValueRef *b = short_tree(v, nest, from + step, 2 * step, size);
    for (int k = 0; k < nsinks; k++)
        for (int c = 0; c < v->ncopies; c++) {
            int at = k * VEC_COPIES + c;
            out[at] = combine_scalar(v, &nest->sums[k], a[at], b[at]);
        }
    return out;
}

/* All points as one part, whose sums are left where end_part leaves them. */
static void emit_short(Vec *v, Nest *nest, int size) {
    LLVMValueRef *sums = short_tree(v, nest, 0, 1, size);
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        for (int c = 0; c < v->ncopies; c++) {
            const SumSlot *slot = &nest->sums[k].slots[0];
            slot_set(v, slot, slot->total[c], sums[k * VEC_COPIES + c]);
        }
}

/* One axis, by code for its size if there is such, else part by part. */
static void emit_sizes(Vec *v, Nest *nest, int size) {
    if (size > ACCUMULATORS) {
        emit_parts(v, nest);
        return;
    }
    If is_size = if_begin(v->f, fn_cmp(v->f, LLVMIntEQ, nest->dims[0], fn_int(v->f, size)));
    emit_short(v, nest, size);
    if_else(v->f, &is_size);
    emit_sizes(v, nest, 2 * size);
    if_end(v->f, &is_size);
}

/* ---- the end ---- */

/* op(zero, all points) of a sum that strides. */
static Rows strided_end(Vec *v, const Nest *nest, const Sum *s, const Rows *zero) {
    Rows out = rows_new(v, s);
    LLVMValueRef totals[VEC_COPIES];
    total_lanes(v, nest, s, nest->dims[0], totals);
    for (int c = 0; c < v->ncopies; c++)
        out.s[c][0] = combine_scalar(v, s, zero->s[c][0], totals[c]);
    return out;
}

/* The same for one that is done in parts; where there are no points, the zero. */
static Rows parts_end(Vec *v, const Nest *nest, const Sum *s, const Rows *zero) {
    Fn *f = v->f;
    LLVMValueRef points = nest->dims[0];
    LLVMValueRef most = fn_add(f, points, fn_int(f, (1 << nest->shift) - 1));
    If some = if_begin(f, fn_cmp(f, LLVMIntSGT, points, fn_int(f, 0)));
    If several = if_begin(f, has_parts(v, nest));
    fold_stack(v, s, fn_bin(f, LLVMLShr, most, fn_int(f, nest->shift)));
    if_end(f, &several);
    Rows all = rows_get(v, s, NULL), total = combine(v, s, zero, &all);
    rows_set(v, s, NULL, &total);
    if_else(f, &some);
    rows_set(v, s, NULL, zero);
    if_end(f, &some);
    return rows_get(v, s, NULL);
}

/* How many points there are, up to `most` + 1. */
static LLVMValueRef count_points(Vec *v, const Nest *nest, int64_t most) {
    Fn *f = v->f;
    LLVMValueRef limit = fn_int(f, most + 1), total = fn_int(f, 1);
    for (int k = 0; k < nest->op->kernel->rank; k++)
        total = fn_mul(f, fn_min(f, total, limit), fn_min(f, nest->dims[k], limit));
    return total;
}

/* Leaves for the scalar body where there are more points than the accumulators are for. */
static void check_size(Vec *v, const Nest *nest) {
    Fn *f = v->f;
    int64_t most = INT64_MAX;
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        if (nest->sums[k].kind == SUM_LANES && !is_parted(nest, &nest->sums[k]))
            most = CHUNK_POINTS;
    if (most == INT64_MAX && nest->shift)
        most = INT64_C(1) << (nest->shift + LEVELS - 1);
    if (most < INT64_MAX)
        vec_need(v, fn_cmp(f, LLVMIntSLE, count_points(v, nest, most), fn_int(f, most)));
}

static void set_results(Vec *v, IrId id, Nest *nest) {
    int n = nest->op->kernel->nsinks, nslots = value_layout(v->f, id)->nslots, at = 0;
    LLVMValueRef *all[VEC_COPIES];
    for (int c = 0; c < v->ncopies; c++)
        all[c] = slots_new(v->f, nslots);
    for (int k = 0; k < n; k++) {
        const Sum *s = &nest->sums[k];
        Rows zero = rows_of(v, s, nest->op->args[s->sink->arg]);
        Rows out = s->kind == SUM_PICK  ? rows_get(v, s, NULL)
                   : is_parted(nest, s) ? parts_end(v, nest, s, &zero)
                                        : strided_end(v, nest, s, &zero);
        for (int c = 0; c < v->ncopies; c++)
            for (int i = 0; i < s->nslots; i++)
                all[c][at + i] = out.s[c][i];
        at += s->nslots;
    }
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        value_set(v->f, id, all[c], nslots);
    }
    vec_at(v, 0);
}

static void begin_choice(Vec *v, const IrOp *op, const Sum *s) {
    if (s->kind != SUM_PICK)
        return;
    Rows zero = rows_of(v, s, op->args[s->sink->arg]);
    rows_set(v, s, NULL, &zero);
}

void vec_nested(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    Nest nest = {.op = op, .sums = NEW_ARRAY(f->e->arena, Sum, op->kernel->nsinks + 1)};
    for (int k = 0; k < op->kernel->rank; k++)
        nest.dims[k] = fn_max(f, value_scalar(f, op->args[k]), fn_int(f, 0));
    for (int k = 0; k < op->kernel->nsinks; k++)
        nest.sums[k] = sum_begin(v, op, &op->kernel->sinks[k]);
    for (int k = 0; k < op->kernel->nsinks; k++)
        begin_choice(v, op, &nest.sums[k]);
    nest.shift = part_shift(&nest);
    check_size(v, &nest);
    nest.is_unrolled = is_unrolled(&nest);
    nest.begins = !nest.is_unrolled && op->kernel->rank == 1 && has_kind(&nest, SUM_LANES) &&
                  nest.shift != PIECE_SHIFT;
    for (int k = 0; k < op->kernel->nsinks; k++)
        if (nest.sums[k].kind == SUM_LANES && !nest.begins)
            clear(v, &nest.sums[k], ACCUMULATORS);
    if (nest.shift)
        emit_sizes(v, &nest, has_short(v, &nest) ? SHORTEST : ACCUMULATORS + 1);
    else if (nest.begins)
        emit_part(v, &nest, fn_int(f, 0), nest.dims[0]);
    else
        emit_axis(v, &nest, 0, fn_int(f, 0));
    set_results(v, id, &nest);
}
