/* The loop around a vectorised body. Points are taken row by row of the last axis, in pieces of at
   most `lanes` points: full pieces by plain loads and stores, the ends of a row under a mask, or by
   the scalar body where they are rare. Long bodies do with the masked code alone. Where
   the kernel reduces, lane k of the accumulators belongs to the points lo + k, lo + k + 32, …, so a
   piece then begins at the lane of its first point. A piece with a failing check goes through the
   scalar body, point by point, into the same sinks. */
#include "vector.h"
#include "pick.h"
#include "prefix.h"
#include "vector_body.h"

#include <string.h>

#define B (p->v.f->e->B)

enum {
    REDUCE_LANES = 32,
    SHORT_LANES = 8,         /* of a loop that often has no more points */
    MOST_SHORT = 16,         /* ops of a body that is worth a copy for these */
    STREAM_ALIGN = 64,
    PREFETCH_BYTES = 4096,   /* so far ahead of what is read */
    STREAM_ROW = 1 << 12,    /* rows of this size and more, each of which waits for its stores, of */
    STREAM_BYTES = 32 << 20, /* outputs of this size and more bypass the caches, */
    MOST_STREAMED = 24,      /* if they are made by so few ops, */
    MOST_STREAMED_BOX = 48,  /* many of which are indices of neighbours in a box */
};

enum { REGISTER_BITS = 128 }; /* of the smallest register */

typedef struct {
    Vec v;
    VectorLoop *loop;
    const IrOp *kernel;
    const IrRegion *body; /* that is emitted now: the kernel's, or that of a part of the space */
    int rank;    /* of the space, without axes whose points are the members of rows: */
    int behind, members; /* how many there are, and of how many points; 0 and 1 */
    int ncopies; /* pieces that are done side by side where they are full */
    bool reduces, scans, has_each, has_rows, may_stream, has_scalar_end, has_full;
    int fixed_lanes; /* or 0: the types of a body decide */
    bool is_pure; /* there are only STOREs and ROWs: a point may be done twice */
    LLVMValueRef next;       /* memory of the next point */
    LLVMValueRef piece;      /* memory of the number of points in the piece under way */
    LLVMValueRef *accs;      /* memory of the accumulators of REDUCE sinks, */
    LLVMValueRef *lanes;     /* and of their lanes while the scalar body runs */
    LLVMValueRef *outer;     /* indices of all axes but the last, of the row under way */
    LLVMValueRef row;        /* the point where the row begins */
    LLVMValueRef rows_at[2]; /* memory of the row's number and its first point */
    LLVMValueRef end;        /* and the one where it ends, or what is wanted of it */
} Points;

/* How many trailing axes, of few points in all, are done as members of rows: straight code that makes
   arrays over the space; sets the number of points. */
static int behind_of(Fn *f, IrId kernel, int *members) {
    enum { SHORT = 8, MOST = 256 }; /* points of an axis that is not worth lanes; ops */
    const IrOp *op = ir_op(f->ir, kernel);
    const IrKernel *k = op->kernel;
    int behind = 0, points = 1;
    int64_t size;
    if (k->inner || kernel_is_heavy(f->ir, op->regions[0]))
        return 0;
    for (int i = 0; i < k->nsinks; i++)
        if (k->sinks[i].kind != SINK_MAP ||
            !type_is_flat(value_type(f, op->regions[0]->results.at[k->sinks[i].yield])))
            return 0;
    while (behind < k->rank && ir_const_int(f->ir, op->args[k->rank - 1 - behind], &size) && size > 0 &&
           size * points <= VEC_MEMBERS && (behind > 0 || size < SHORT)) {
        points *= (int)size;
        behind++;
    }
    if (behind == k->rank || ir_size(f->ir, op->regions[0]) * points > MOST)
        return 0;
    if (members)
        *members = points;
    return behind;
}

int vector_members(Fn *f, IrId kernel) {
    int members = 1;
    if (f->e->options->opt_level > 0 && !f->is_once)
        behind_of(f, kernel, &members);
    return members;
}

/* Of the body that most points run. */
static VectorPlan plan_of(Fn *f, IrId kernel) {
    const IrOp *op = ir_op(f->ir, kernel);
    return vector_plan(f, op->regions[op->kernel->inner], behind_of(f, kernel, NULL), 0);
}

/* Only arrays over the space take rows. */
static bool takes_rows(Fn *f, const IrOp *kernel) {
    for (int k = 0; k < kernel->kernel->nsinks; k++) {
        const IrSink *sink = &kernel->kernel->sinks[k];
        for (int y = 0; sink->kind != SINK_MAP && y < ir_sink_yields(sink->kind); y++)
            if (layout_is_array(value_type(f, kernel->regions[0]->results.at[sink->yield + y])))
                return false;
    }
    return true;
}

bool vector_wants(Fn *f, IrId kernel) {
    const IrOp *op = ir_op(f->ir, kernel);
    int64_t size;
    if (f->e->options->opt_level == 0 || op->kernel->rank == 0 || f->is_once)
        return false;
    IrId last = op->args[op->kernel->rank - 1 - behind_of(f, kernel, NULL)];
    if (ir_const_int(f->ir, last, &size) && size < 8)
        return false;
    if (!takes_rows(f, op))
        return false;
    return plan_of(f, kernel).lanes > 0;
}

int vector_unit(Fn *f, IrId kernel) {
    VectorPlan plan = plan_of(f, kernel);
    int points = plan.lanes * plan.ncopies;
    return points > REDUCE_LANES ? points : REDUCE_LANES;
}

bool vector_wants_each(Fn *f, IrId kernel) {
    enum { WORTH = 8 };
    return vector_wants(f, kernel) && plan_of(f, kernel).nops >= WORTH;
}

static LLVMValueRef read(Points *p, LLVMValueRef memory) {
    return fn_get(p->v.f, p->v.f->e->i64, memory);
}

static Type *yield_type(Points *p, const VectorSink *sink) {
    return value_layout(p->v.f, p->body->results.at[sink->yield])->type;
}

static LLVMValueRef *yield_slots(Points *p, const VectorSink *sink) {
    return region_result(p->v.f, p->body, sink->yield);
}

/* Splits a row's number into the indices of all axes but the last. */
static void split_row(Points *p, LLVMValueRef number, LLVMValueRef *outer) {
    Fn *f = p->v.f;
    for (int k = p->rank - 2; k > 0; k--) {
        LLVMValueRef dim = p->loop->dims[k], quotient = fn_bin(f, LLVMUDiv, number, dim);
        outer[k] = fn_sub(f, number, fn_mul(f, quotient, dim));
        number = quotient;
    }
    if (p->rank > 1)
        outer[0] = number;
}

/* ---- sinks ---- */

/* The columns that the yield of a STORE goes to. */
static Layout *elements_of(Points *p, const VectorSink *sink) {
    Emit *e = p->v.f->e;
    return layout_of(e, type_array(e->m->types, yield_type(p, sink), 1));
}

/* point: that of lane 0, active or not. */
static void store_slots(Points *p, const VectorSink *sink, LLVMValueRef point,
                        LLVMValueRef const *slots) {
    Fn *f = p->v.f;
    Layout *l = elements_of(p, sink);
    for (int c = 0; c < l->ncols; c++) {
        const Column *col = &l->cols[c];
        LLVMTypeRef type = layout_col_type(f->e, col);
        LLVMValueRef to = LLVMBuildGEP2(B, type, sink->data[c], &point, 1, "");
        vec_store(&p->v, vec_to_memory(&p->v, col, slots[c]), col->bytes, to);
    }
}

/* How many elements of its array a point writes. */
static int members_of(Points *p, const VectorSink *sink) {
    if (sink->how != VECTOR_ROW)
        return p->members;
    return vec_row_size(p->v.f, p->body->results.at[sink->yield]);
}

/* all: the slots of n members, one after the other. */
static void store_row(Points *p, const VectorSink *sink, LLVMValueRef point, LLVMValueRef const *all) {
    Fn *f = p->v.f;
    LLVMValueRef slots[VEC_MEMBERS];
    int n = members_of(p, sink);
    LLVMValueRef first = fn_mul(f, point, fn_int(f, n));
    for (int c = 0; c < sink->array->ncols; c++) {
        const Column *col = &sink->array->cols[c];
        for (int k = 0; k < n; k++)
            slots[k] = all[k * sink->array->ncols + c];
        vec_store_row(&p->v, col, slots, n, fn_at_bytes(f, col->bytes, sink->data[c], first));
    }
}

bool vector_packs(const Emit *e, const Layout *array) {
    if (!e->features || !strstr(e->features, "+avx512vl"))
        return false;
    for (int c = 0; c < array->ncols; c++)
        if (array->cols[c].bytes < 4 && !strstr(e->features, "+avx512vbmi2"))
            return false;
    return true;
}

static LLVMValueRef call(Points *p, const char *name, LLVMTypeRef over, LLVMValueRef *args, int n) {
    Emit *e = p->v.f->e;
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, id, &over, 1);
    return LLVMBuildCall2(B, LLVMIntrinsicGetType(e->C, id, &over, 1), fn, args, (unsigned)n, "");
}

/* The lanes to keep, moved to the front. Less than a register is widened: LLVM cannot. */
static LLVMValueRef compressed(Points *p, LLVMValueRef value, LLVMValueRef keep, int bytes) {
    Emit *e = p->v.f->e;
    unsigned lanes = (unsigned)p->v.lanes, bits = 8 * (unsigned)bytes;
    LLVMTypeRef type = LLVMTypeOf(value);
    LLVMTypeRef same = LLVMVectorType(LLVMIntTypeInContext(e->C, bits), lanes);
    LLVMTypeRef wide = type;
    if (lanes * bits < REGISTER_BITS) {
        wide = LLVMVectorType(LLVMIntTypeInContext(e->C, REGISTER_BITS / lanes), lanes);
        value = LLVMBuildZExt(B, LLVMBuildBitCast(B, value, same, ""), wide, "");
    }
    LLVMValueRef args[] = {value, LLVMConstNull(wide), keep};
    value = call(p, "llvm.x86.avx512.mask.compress", wide, args, 3);
    return wide == type ? value : LLVMBuildBitCast(B, LLVMBuildTrunc(B, value, same, ""), type, "");
}

/* Stores the lanes to keep, one after the other, at `to`. A register's worth is moved to the front
   and stored with as many lanes as there are points in the piece: there is room, and what comes
   next replaces those that are not kept. */
static void store_packed(Points *p, LLVMValueRef value, LLVMValueRef keep, int bytes,
                         LLVMValueRef to) {
    Fn *f = p->v.f;
    LLVMTypeRef type = LLVMTypeOf(value);
    if (p->v.lanes * bytes > 64) {
        call(p, "llvm.masked.compressstore", type, (LLVMValueRef[]){value, to, keep}, 3);
        return;
    }
    value = compressed(p, value, keep, bytes);
    Vec here = p->v;
    p->v.mask = here.mask ? vec_lane_mask(&p->v, fn_int(f, 0), here.count) : NULL;
    p->v.stream_align = 0;
    vec_store(&p->v, value, bytes, to);
    p->v = here;
}

static LLVMValueRef count_lanes(Points *p, LLVMValueRef mask) {
    Emit *e = p->v.f->e;
    LLVMTypeRef word = LLVMIntTypeInContext(e->C, (unsigned)p->v.lanes);
    LLVMValueRef bits = LLVMBuildBitCast(B, mask, word, "");
    bits = call(p, "llvm.ctpop", word, &bits, 1);
    return LLVMBuildZExt(B, bits, e->i64, "");
}

static void pack_yield(Points *p, const VectorSink *sink) {
    Fn *f = p->v.f;
    VectorSink kept = *sink;
    kept.yield++;
    Layout *l = elements_of(p, &kept);
    LLVMValueRef *slots = yield_slots(p, &kept), at = fn_get(f, f->e->i64, sink->place);
    LLVMValueRef keep = vec_splat(&p->v, yield_slots(p, sink)[0]);
    if (p->v.mask)
        keep = fn_bin(f, LLVMAnd, keep, p->v.mask);
    for (int c = 0; c < l->ncols; c++) {
        const Column *col = &l->cols[c];
        LLVMValueRef to = LLVMBuildGEP2(B, layout_col_type(f->e, col), sink->data[c], &at, 1, "");
        store_packed(p, vec_to_memory(&p->v, col, slots[c]), keep, col->bytes, to);
    }
    fn_set(f, sink->place, fn_add(f, at, count_lanes(p, keep)));
}

static LLVMValueRef combine(Points *p, const VectorSink *sink, LLVMValueRef a, LLVMValueRef b,
                            int lanes) {
    return scalar_emit_same(&p->v.f->e->scalar, sink->op, yield_type(p, sink), a, b, lanes);
}

static LLVMTypeRef acc_type(Points *p, const VectorSink *sink) {
    return scalar_type(&p->v.f->e->scalar, yield_type(p, sink), p->v.lanes);
}

static void reduce_yield(Points *p, int k) {
    const VectorSink *sink = &p->loop->sinks[k];
    Fn *f = p->v.f;
    LLVMValueRef acc = fn_get(f, acc_type(p, sink), p->accs[k]);
    LLVMValueRef y = scalar_splat(&f->e->scalar, yield_slots(p, sink)[0], p->v.lanes);
    LLVMValueRef next = combine(p, sink, acc, y, p->v.lanes);
    if (p->v.mask)
        next = fn_select(f, p->v.mask, next, acc);
    fn_set(f, p->accs[k], next);
}

/* A slot of a yield in memory, so that single lanes can be taken out. */
static LLVMValueRef spill(Points *p, const Slot *slot, LLVMValueRef value) {
    Fn *f = p->v.f;
    if (slot->kind == SLOT_SCALAR)
        value = scalar_to_memory(&f->e->scalar, slot->type, value);
    LLVMValueRef memory = fn_alloca(f, LLVMTypeOf(value), "lanes");
    fn_set(f, memory, value);
    return memory;
}

static LLVMValueRef lane_of(Points *p, const Slot *slot, LLVMValueRef memory, LLVMValueRef lane) {
    Fn *f = p->v.f;
    if (slot->kind != SLOT_SCALAR)
        return fn_get(f, f->e->i64, fn_at_index(f, f->e->i64, memory, lane));
    LLVMTypeRef type = scalar_memory_type(&f->e->scalar, slot->type, 1);
    LLVMValueRef v = fn_get(f, type, fn_at_index(f, type, memory, lane));
    return scalar_from_memory(&f->e->scalar, slot->type, v);
}

/* The slots of every result of the body; vectors are replaced by their memory. */
static LLVMValueRef **spill_yields(Points *p) {
    Fn *f = p->v.f;
    LLVMValueRef **all = NEW_ARRAY(f->e->arena, LLVMValueRef *, p->body->results.len + 1);
    for (int k = 0; k < p->body->results.len; k++) {
        Layout *l = value_layout(f, p->body->results.at[k]);
        LLVMValueRef *s = region_result(f, p->body, k);
        all[k] = slots_new(f, l->nslots);
        for (int i = 0; type_is_flat(l->type) && i < l->nslots; i++) /* a row is stored by now */
            all[k][i] = scalar_is_vector(s[i]) ? spill(p, &l->slots[i], s[i]) : s[i];
    }
    return all;
}

static LLVMValueRef **lane_yields(Points *p, LLVMValueRef *const *spilled, LLVMValueRef lane) {
    Fn *f = p->v.f;
    LLVMValueRef **all = NEW_ARRAY(f->e->arena, LLVMValueRef *, p->body->results.len + 1);
    for (int k = 0; k < p->body->results.len; k++) {
        Layout *l = value_layout(f, p->body->results.at[k]);
        LLVMValueRef *s = region_result(f, p->body, k);
        all[k] = slots_new(f, l->nslots);
        for (int i = 0; type_is_flat(l->type) && i < l->nslots; i++)
            all[k][i] =
                scalar_is_vector(s[i]) ? lane_of(p, &l->slots[i], spilled[k][i], lane) : s[i];
    }
    return all;
}

static void each_lane(Points *p, LLVMValueRef point) {
    Fn *f = p->v.f;
    LLVMValueRef **spilled = spill_yields(p);
    LLVMValueRef end = fn_add(f, p->v.first, p->v.count);
    Loop loop = loop_begin(f, p->v.first, end, "each");
    LLVMValueRef **yields = lane_yields(p, spilled, loop.i);
    p->loop->each(f, p->loop->data, fn_add(f, point, loop.i), yields);
    loop_end_plain(f, &loop);
}

/* Lanes from … from + n - 1. */
static LLVMValueRef lanes_of(Points *p, LLVMValueRef all, int from, int n) {
    LLVMValueRef which[REDUCE_LANES];
    for (int k = 0; k < n; k++)
        which[k] = LLVMConstInt(p->v.f->e->i32, (unsigned)(from + k), 0);
    if (n == 1)
        return LLVMBuildExtractElement(B, all, which[0], "");
    return LLVMBuildShuffleVector(B, all, LLVMGetPoison(LLVMTypeOf(all)),
                                  LLVMConstVector(which, (unsigned)n), "");
}

/* Lanes from … from + GROUP - 1 of each slot; a scalar stands for all. */
static LLVMValueRef *group_of(Points *p, const Layout *l, LLVMValueRef const *slots, int from) {
    LLVMValueRef *part = slots_new(p->v.f, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        part[k] = scalar_is_vector(slots[k]) ? lanes_of(p, slots[k], from, GROUP) : slots[k];
    return part;
}

/* Two vectors of n lanes in one. */
static LLVMValueRef joined(Points *p, LLVMValueRef low, LLVMValueRef high, int n) {
    LLVMValueRef which[2 * REDUCE_LANES];
    for (int k = 0; k < 2 * n; k++)
        which[k] = LLVMConstInt(p->v.f->e->i32, (unsigned)k, 0);
    return LLVMBuildShuffleVector(B, low, high, LLVMConstVector(which, (unsigned)(2 * n)), "");
}

static void scan_yields(Points *p, const VectorSink *sink, LLVMValueRef point) {
    Fn *f = p->v.f;
    const Layout *l = sink->prefix->l;
    LLVMValueRef number = fn_sub(f, point, p->loop->lo), *slots = yield_slots(p, sink), *out = NULL;
    for (int from = 0; from < p->v.lanes; from += GROUP) {
        LLVMValueRef at = fn_add(f, number, fn_int(f, from));
        LLVMValueRef *part = prefix_vector(f, sink->prefix, at, group_of(p, l, slots, from));
        for (int k = 0; out && k < l->nslots; k++)
            part[k] = joined(p, out[k], part[k], GROUP);
        out = part;
    }
    store_slots(p, sink, point, out);
}

static void pick_yields(Points *p, const VectorSink *sink, LLVMValueRef point) {
    LLVMValueRef number = fn_sub(p->v.f, point, p->loop->lo);
    pick_vector(p->v.f, sink->pick, number, p->v.mask, yield_slots(p, sink));
}

static void sink_piece(Points *p, LLVMValueRef point) {
    for (int k = 0; k < p->loop->nsinks; k++)
        switch (p->loop->sinks[k].how) {
        case VECTOR_STORE:
            store_slots(p, &p->loop->sinks[k], point, yield_slots(p, &p->loop->sinks[k]));
            break;
        case VECTOR_ROW:
            store_row(p, &p->loop->sinks[k], point, yield_slots(p, &p->loop->sinks[k]));
            break;
        case VECTOR_SCAN: scan_yields(p, &p->loop->sinks[k], point); break;
        case VECTOR_REDUCE: reduce_yield(p, k); break;
        case VECTOR_PICK: pick_yields(p, &p->loop->sinks[k], point); break;
        case VECTOR_PACK: pack_yield(p, &p->loop->sinks[k]); break;
        case VECTOR_EACH: break;
        }
    if (p->has_each)
        each_lane(p, point);
}

/* ---- the scalar way ---- */

/* Puts the accumulators where single lanes can be reached, and back. */
static void open_accs(Points *p) {
    Fn *f = p->v.f;
    Scalar *s = &f->e->scalar;
    for (int k = 0; k < p->loop->nsinks; k++) {
        const VectorSink *sink = &p->loop->sinks[k];
        if (sink->how == VECTOR_PICK)
            pick_open(f, sink->pick);
        if (sink->how == VECTOR_SCAN)
            prefix_open(f, sink->prefix);
        if (sink->how != VECTOR_REDUCE)
            continue;
        LLVMValueRef acc = fn_get(f, acc_type(p, sink), p->accs[k]);
        p->lanes[k] = fn_alloca(f, scalar_memory_type(s, yield_type(p, sink), p->v.lanes), "lanes");
        fn_set(f, p->lanes[k], scalar_to_memory(s, yield_type(p, sink), acc));
    }
}

static void close_accs(Points *p) {
    Fn *f = p->v.f;
    Scalar *s = &f->e->scalar;
    for (int k = 0; k < p->loop->nsinks; k++) {
        const VectorSink *sink = &p->loop->sinks[k];
        if (sink->how == VECTOR_PICK)
            pick_close(f, sink->pick);
        if (sink->how == VECTOR_SCAN)
            prefix_close(f, sink->prefix);
        if (sink->how != VECTOR_REDUCE)
            continue;
        LLVMTypeRef type = scalar_memory_type(s, yield_type(p, sink), p->v.lanes);
        LLVMValueRef acc = fn_get(f, type, p->lanes[k]);
        fn_set(f, p->accs[k], scalar_from_memory(s, yield_type(p, sink), acc));
    }
}

static void reduce_one(Points *p, int k, LLVMValueRef point) {
    Fn *f = p->v.f;
    Scalar *s = &f->e->scalar;
    const VectorSink *sink = &p->loop->sinks[k];
    Type *type = yield_type(p, sink);
    LLVMValueRef lane =
        fn_bin(f, LLVMAnd, fn_sub(f, point, p->loop->lo), fn_int(f, REDUCE_LANES - 1));
    LLVMTypeRef memory = scalar_memory_type(s, type, 1);
    LLVMValueRef at = fn_at_index(f, memory, p->lanes[k], lane);
    LLVMValueRef old = scalar_from_memory(s, type, fn_get(f, memory, at));
    LLVMValueRef next = combine(p, sink, old, yield_slots(p, sink)[0], 1);
    fn_set(f, at, scalar_to_memory(s, type, next));
}

static void pack_one(Points *p, const VectorSink *sink) {
    Fn *f = p->v.f;
    VectorSink kept = *sink;
    kept.yield++;
    LLVMValueRef at = fn_get(f, f->e->i64, sink->place), keep = yield_slots(p, sink)[0];
    elem_store(f, yield_type(p, &kept), sink->data, at, yield_slots(p, &kept));
    fn_set(f, sink->place, fn_add(f, at, LLVMBuildZExt(B, keep, f->e->i64, "")));
}

static void scan_one(Points *p, const VectorSink *sink, LLVMValueRef point) {
    Fn *f = p->v.f;
    LLVMValueRef number = fn_sub(f, point, p->loop->lo);
    LLVMValueRef *out = prefix_point(f, sink->prefix, number, yield_slots(p, sink));
    elem_store(f, yield_type(p, sink), sink->data, point, out);
}

static void sink_one(Points *p, LLVMValueRef point) {
    Fn *f = p->v.f;
    int n = p->body->results.len;
    LLVMValueRef **yields = NEW_ARRAY(f->e->arena, LLVMValueRef *, n + 1);
    for (int k = 0; k < n; k++)
        yields[k] = region_result(f, p->body, k);
    for (int k = 0; k < p->loop->nsinks; k++) {
        const VectorSink *sink = &p->loop->sinks[k];
        if (sink->how == VECTOR_STORE)
            elem_store(f, yield_type(p, sink), sink->data, point, yields[sink->yield]);
        else if (sink->how == VECTOR_REDUCE)
            reduce_one(p, k, point);
        else if (sink->how == VECTOR_SCAN)
            scan_one(p, sink, point);
        else if (sink->how == VECTOR_PICK)
            pick_point(f, sink->pick, fn_sub(f, point, p->loop->lo), yields[sink->yield]);
        else if (sink->how == VECTOR_PACK)
            pack_one(p, sink);
    }
    if (p->has_each)
        p->loop->each(f, p->loop->data, point, yields);
    if (p->has_rows)
        p->loop->row(f, p->loop->data, point, yields);
}

/* The scalar body for a member of a point, whose number in the whole space is `point`. */
static void emit_member(Points *p, LLVMValueRef at, LLVMValueRef member, LLVMValueRef point) {
    Fn *f = p->v.f;
    int rank = p->rank + p->behind;
    LLVMValueRef *index = slots_new(f, rank);
    LLVMValueRef **params = NEW_ARRAY(f->e->arena, LLVMValueRef *, rank + 1);
    for (int k = 0; k < p->rank - 1; k++)
        index[k] = p->outer[k];
    index[p->rank - 1] = fn_sub(f, at, p->row);
    for (int k = rank - 1; k >= p->rank; k--) {
        LLVMValueRef rest = fn_bin(f, LLVMUDiv, member, p->loop->dims[k]);
        index[k] = fn_sub(f, member, fn_mul(f, rest, p->loop->dims[k]));
        member = rest;
    }
    for (int k = 0; k < rank; k++)
        params[k] = &index[k];
    Dest outer = f->dest;
    if (p->has_rows)
        p->loop->aim(f, p->loop->data, point);
    emit_region(f, p->body, params);
    f->dest = outer;
    region_hand_over(f, p->body);
    sink_one(p, point);
}

/* The scalar body for one point. */
static void emit_one(Points *p, LLVMValueRef point) {
    Fn *f = p->v.f;
    if (p->behind == 0) {
        emit_member(p, point, NULL, point);
        return;
    }
    LLVMValueRef members = fn_int(f, p->members), first = fn_mul(f, point, members);
    Loop loop = loop_begin(f, fn_int(f, 0), members, "member");
    emit_member(p, point, loop.i, fn_add(f, first, loop.i));
    loop_end_plain(f, &loop);
}

/* The piece under way, by the scalar body; then on to `head`. */
static void emit_slow(Points *p, LLVMBasicBlockRef head) {
    Fn *f = p->v.f;
    if (!p->v.slow)
        return;
    p->body = p->kernel->regions[0];
    fn_at(f, p->v.slow);
    LLVMValueRef from = read(p, p->next), to = fn_add(f, from, read(p, p->piece));
    bool has_loop = f->has_loop;
    open_accs(p);
    Loop loop = loop_begin(f, from, to, "point");
    emit_one(p, loop.i);
    loop_end_plain(f, &loop);
    close_accs(p);
    f->has_loop = has_loop; /* those in here run too rarely to matter */
    fn_set(f, p->next, to);
    fn_br(f, head);
}

/* ---- pieces ---- */

/* A piece whose points are rows: the body for each member, then the rows. */
static void emit_members(Points *p, LLVMValueRef lane0) {
    Fn *f = p->v.f;
    LLVMValueRef **all = NEW_ARRAY(f->e->arena, LLVMValueRef *, p->loop->nsinks);
    for (int m = 0; m < p->members; m++) {
        int64_t *fixed = NEW_ARRAY(f->e->arena, int64_t, p->behind);
        for (int k = p->behind - 1, rest = m; k >= 0; k--) {
            int64_t size = 1;
            ir_const_int(f->ir, p->kernel->args[p->rank + k], &size);
            fixed[k] = rest % size;
            rest /= (int)size;
        }
        p->v.fixed = fixed;
        vec_open(&p->v, 1);
        vec_body(&p->v, p->body, p->outer, fn_sub(f, lane0, p->row));
        vec_close(&p->v);
        for (int k = 0; k < p->loop->nsinks; k++) {
            const VectorSink *sink = &p->loop->sinks[k];
            int ncols = sink->array->ncols;
            all[k] = m ? all[k] : slots_new(f, p->members * ncols);
            for (int c = 0; c < ncols; c++)
                all[k][m * ncols + c] = yield_slots(p, sink)[c];
        }
    }
    for (int k = 0; k < p->loop->nsinks; k++)
        store_row(p, &p->loop->sinks[k], lane0, all[k]);
}

/* `copies` pieces from `point` on, all full if there are several. count: points of each. */
static void emit_piece(Points *p, LLVMValueRef point, LLVMValueRef first, LLVMValueRef count,
                       bool full, int copies) {
    Fn *f = p->v.f;
    p->v.first = first;
    p->v.count = count;
    p->v.mask = full ? NULL : vec_lane_mask(&p->v, first, count);
    p->v.is_nested = false;
    LLVMValueRef points = copies > 1 ? fn_int(f, p->v.lanes * copies) : count;
    fn_set(f, p->piece, points);
    LLVMValueRef lane0 = fn_sub(f, point, first);
    if (p->behind > 0) {
        emit_members(p, lane0);
        fn_set(f, p->next, LLVMBuildNSWAdd(B, point, points, ""));
        return;
    }
    vec_open(&p->v, copies);
    vec_body(&p->v, p->body, p->outer, fn_sub(f, lane0, p->row));
    for (int k = 0; k < copies; k++) {
        vec_at(&p->v, k);
        sink_piece(p, k ? fn_add(f, lane0, fn_int(f, k * p->v.lanes)) : lane0);
    }
    vec_close(&p->v);
    fn_set(f, p->next, LLVMBuildNSWAdd(B, point, points, ""));
}

/* ---- large outputs ---- */

/* The columns that are written point by point, and how many elements a point has there; NULL: none. */
static const Layout *written(Points *p, const VectorSink *sink, int *n) {
    *n = members_of(p, sink);
    if (sink->how == VECTOR_ROW)
        return sink->array;
    return sink->how == VECTOR_STORE || sink->how == VECTOR_SCAN ? elements_of(p, sink) : NULL;
}

/* Would stores that bypass the caches pay, and may this row use them? They need aligned places, and
   an output that is too large to be found in a cache by whoever reads it. */
static LLVMValueRef wants_streaming(Points *p) {
    Fn *f = p->v.f;
    LLVMValueRef total = fn_int(f, 1), low = fn_int(f, 0), point = read(p, p->next);
    int64_t bytes = 0;
    for (int k = 0; k < p->rank; k++)
        total = fn_mul(f, total, p->loop->dims[k]);
    for (int k = 0; k < p->loop->nsinks; k++) {
        const VectorSink *sink = &p->loop->sinks[k];
        int n;
        const Layout *l = written(p, sink, &n);
        if (sink->how == VECTOR_SCAN && sink->prefix->is_local) /* it will be read again */
            total = fn_select(f, sink->prefix->is_local, fn_int(f, 0), total);
        for (int c = 0; l && c < l->ncols; c++) {
            LLVMValueRef first = fn_mul(f, point, fn_int(f, n));
            LLVMValueRef to = fn_at_bytes(f, l->cols[c].bytes, sink->data[c], first);
            low = fn_bin(f, LLVMOr, low, LLVMBuildPtrToInt(B, to, f->e->i64, ""));
            bytes += n * l->cols[c].bytes;
        }
    }
    low = fn_bin(f, LLVMAnd, low, fn_int(f, STREAM_ALIGN - 1));
    LLVMValueRef whole = p->loop->whole ? p->loop->whole : total;
    LLVMValueRef is_large = fn_cmp(f, LLVMIntUGE, whole, fn_int(f, STREAM_BYTES / bytes));
    if (p->loop->whole)
        is_large = fn_bin(f, LLVMAnd, is_large,
                          fn_cmp(f, LLVMIntUGE, total, fn_int(f, STREAM_ROW / bytes)));
    return fn_bin(f, LLVMAnd, is_large, fn_cmp(f, LLVMIntEQ, low, fn_int(f, 0)));
}

static bool may_stream(Points *p, const VectorPlan *plan) {
    bool stores = false;
    for (int k = 0; k < p->loop->nsinks; k++) {
        if (p->loop->sinks[k].is_over)
            return false; /* it comes through the cache in any case */
        int n;
        const Layout *l = written(p, &p->loop->sinks[k], &n);
        for (int c = 0; l && c < l->ncols; c++) {
            stores = true;
            if (p->loop->box && (n > 1 || plan->lanes * l->cols[c].bytes < STREAM_ALIGN))
                return false; /* no piece reaches the next aligned place */
        }
    }
    int most = p->loop->box ? MOST_STREAMED_BOX : MOST_STREAMED;
    bool is_last = p->loop->whole || (p->loop->is_outer && !p->loop->is_read_soon);
    return stores && is_last && !p->reduces && plan->nops <= most;
}

/* Long runs through arrays; packing has enough stores to wait for, and the neighbours that a body
   with borders reads are in the same lines. */
static bool wants_prefetch(const Points *p) {
    for (int k = 0; k < p->loop->nsinks; k++)
        if (p->loop->sinks[k].how == VECTOR_PACK)
            return false;
    return p->loop->is_outer && p->rank == 1 && !p->loop->box;
}

/* Full pieces of the row, at least one, as long as there are any. */
static void emit_full(Points *p, bool streams) {
    Fn *f = p->v.f;
    LLVMValueRef lanes = fn_int(f, p->v.lanes), points = fn_int(f, p->v.lanes * p->ncopies);
    LLVMValueRef last = fn_sub(f, p->end, points);
    LLVMBasicBlockRef again = fn_block(f, "full"), done = fn_block(f, "full.done");
    fn_br(f, again);
    fn_at(f, again);
    p->v.stream_align = streams ? STREAM_ALIGN : 0;
    p->v.prefetch = wants_prefetch(p) ? PREFETCH_BYTES : 0;
    emit_piece(p, read(p, p->next), fn_int(f, 0), lanes, true, p->ncopies);
    p->v.prefetch = p->v.stream_align = 0;
    fn_cond(f, fn_cmp(f, LLVMIntSLE, read(p, p->next), last), again, done);
    fn_at(f, done);
}

static void emit_fulls(Points *p) {
    Fn *f = p->v.f;
    if (!p->may_stream) {
        emit_full(p, false);
        return;
    }
    If large = if_begin(f, wants_streaming(p));
    emit_full(p, true);
    if (p->loop->whole)
        vec_fence(&p->v);
    if_else(f, &large);
    emit_full(p, false);
    if_end(f, &large);
}

/* The end of a row that fills no piece, or the part of a piece from lane `first` on. */
static void emit_part(Points *p, LLVMBasicBlockRef head, LLVMValueRef point, LLVMValueRef first,
                      LLVMValueRef left) {
    Fn *f = p->v.f;
    LLVMValueRef count = fn_min(f, left, fn_sub(f, fn_int(f, p->v.lanes), first));
    if (p->has_scalar_end) {
        p->v.slow = p->v.slow ? p->v.slow : fn_block(f, "slow");
        bool has_first = !LLVMIsAConstantInt(first);
        fn_set(f, p->piece, has_first ? count : left);
        fn_br(f, p->v.slow);
        return;
    }
    emit_piece(p, point, first, count, false, 1);
    fn_br(f, head);
}

/* What is left of the row; then on to `exit`. */
static void emit_row(Points *p, LLVMBasicBlockRef exit, bool has_full) {
    Fn *f = p->v.f;
    LLVMValueRef lanes = fn_int(f, p->v.lanes * (has_full ? p->ncopies : 1));
    LLVMValueRef zero = fn_int(f, 0), first = zero;
    LLVMBasicBlockRef head = fn_block(f, "piece"), more = fn_block(f, "more");
    LLVMBasicBlockRef part = fn_block(f, "part"), full = has_full ? fn_block(f, "fulls") : part;
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef point = read(p, p->next), left = fn_sub(f, p->end, point);
    fn_cond(f, fn_cmp(f, LLVMIntSGT, left, zero), more, exit);
    fn_at(f, more);
    if ((p->reduces || p->scans) && (p->rank > 1 || p->loop->box))
        first = fn_bin(f, LLVMAnd, fn_sub(f, point, p->loop->lo), fn_int(f, p->v.lanes - 1));
    LLVMValueRef is_full =
        fn_bin(f, LLVMAnd, fn_cmp(f, LLVMIntEQ, first, zero), fn_cmp(f, LLVMIntSGE, left, lanes));
    fn_cond(f, is_full, full, part);
    fn_at(f, part);
    emit_part(p, head, point, first, left);
    if (has_full) {
        fn_at(f, full);
        emit_fulls(p);
        fn_br(f, head);
    }
}

/* The row of the first point, before the loop. */
static void init_row(Points *p) {
    Fn *f = p->v.f;
    p->outer = slots_new(f, p->rank);
    p->row = fn_int(f, 0);
    p->end = p->loop->hi;
    if (p->rank == 1)
        return;
    LLVMValueRef dim = fn_max(f, p->loop->dims[p->rank - 1], fn_int(f, 1));
    LLVMValueRef number = fn_bin(f, LLVMUDiv, p->loop->lo, dim);
    for (int k = 0; k < 2; k++)
        p->rows_at[k] = fn_alloca(f, f->e->i64, "row");
    fn_set(f, p->rows_at[0], number);
    fn_set(f, p->rows_at[1], fn_mul(f, number, dim));
}

/* The row of the next point: the one under way or, where that is done, the one after it. */
static void find_row(Points *p, LLVMValueRef point) {
    Fn *f = p->v.f;
    if (p->rank == 1)
        return;
    LLVMValueRef dim = p->loop->dims[p->rank - 1], number = read(p, p->rows_at[0]);
    LLVMValueRef row = read(p, p->rows_at[1]), after = fn_add(f, row, dim);
    LLVMValueRef is_done = fn_cmp(f, LLVMIntSGE, point, after);
    p->row = fn_select(f, is_done, after, row);
    number = fn_add(f, number, LLVMBuildZExt(B, is_done, f->e->i64, ""));
    fn_set(f, p->rows_at[0], number);
    fn_set(f, p->rows_at[1], p->row);
    p->end = fn_min(f, p->loop->hi, fn_add(f, p->row, dim));
    split_row(p, number, p->outer);
}

/* ---- boxes ---- */

/* Points up to p->end, one by one. */
static void emit_scalar(Points *p) {
    Fn *f = p->v.f;
    p->v.slow = p->v.slow ? p->v.slow : fn_block(f, "slow");
    fn_set(f, p->piece, fn_sub(f, p->end, read(p, p->next)));
    fn_br(f, p->v.slow);
}

/* After the first piece, from the aligned place before its end, as long as there are full ones; a
   piece narrower than the alignment may have no such place. */
static void emit_aligned(Points *p, LLVMValueRef start, LLVMBasicBlockRef more) {
    Fn *f = p->v.f;
    LLVMValueRef lanes = fn_int(f, p->v.lanes), next = read(p, p->next);
    LLVMBasicBlockRef first = fn_block(f, "first"), stream = fn_block(f, "stream");
    fn_cond(f, fn_cmp(f, LLVMIntEQ, next, fn_add(f, start, lanes)), first, more);
    fn_at(f, first);
    const VectorSink *sink = &p->loop->sinks[0];
    Layout *l = elements_of(p, sink);
    LLVMValueRef to = fn_at_bytes(f, l->cols[0].bytes, sink->data[0], next);
    LLVMValueRef past = fn_bin(f, LLVMAnd, LLVMBuildPtrToInt(B, to, f->e->i64, ""),
                               fn_int(f, STREAM_ALIGN - 1));
    past = fn_bin(f, LLVMUDiv, past, fn_int(f, l->cols[0].bytes));
    LLVMValueRef aligned = fn_sub(f, next, past);
    LLVMValueRef room = fn_cmp(f, LLVMIntSLE, fn_add(f, aligned, lanes), p->end);
    room = fn_bin(f, LLVMAnd, room, fn_cmp(f, LLVMIntSGE, aligned, start));
    fn_cond(f, fn_bin(f, LLVMAnd, room, wants_streaming(p)), stream, more);
    fn_at(f, stream);
    fn_set(f, p->next, aligned);
    emit_full(p, true);
    if (p->loop->whole)
        vec_fence(&p->v);
    fn_br(f, more);
}

/* Full pieces to the end, the last of which may overlap the one before; less than a piece under a
   mask. */
static void emit_overlapped(Points *p, LLVMBasicBlockRef head) {
    Fn *f = p->v.f;
    LLVMValueRef lanes = fn_int(f, p->v.lanes), last = fn_sub(f, p->end, lanes);
    LLVMValueRef start = read(p, p->next);
    LLVMBasicBlockRef piece = fn_block(f, "run"), more = fn_block(f, "run.more");
    LLVMBasicBlockRef few = fn_block(f, "few");
    fn_cond(f, fn_cmp(f, LLVMIntSLE, start, last), piece, few);
    fn_at(f, piece);
    emit_piece(p, read(p, p->next), fn_int(f, 0), lanes, true, 1);
    if (p->may_stream)
        emit_aligned(p, start, more);
    else
        fn_br(f, more);
    fn_at(f, more);
    LLVMValueRef next = read(p, p->next);
    LLVMBasicBlockRef again = fn_block(f, "run.again");
    fn_cond(f, fn_cmp(f, LLVMIntSLT, next, p->end), again, head);
    fn_at(f, again);
    fn_set(f, p->next, fn_min(f, next, last));
    fn_br(f, piece);
    fn_at(f, few);
    emit_piece(p, start, fn_int(f, 0), fn_sub(f, p->end, start), false, 1);
    fn_br(f, head);
}

/* Is the body worth a second copy, that does without a mask? Loads of rows need masks of their own. */
static bool wants_full(Points *p, const VectorPlan *plan) {
    enum { PLAIN = 400, MASKED = 16, MEMBERS = 64 }; /* ops */
    Emit *e = p->v.f->e;
    if (p->has_scalar_end || plan->ncopies > 1)
        return true;
    bool has_masks = strstr(e->features, "+avx512vl");
    return plan->nops <= (!has_masks ? PLAIN : plan->has_members ? MEMBERS : MASKED);
}

/* Points up to p->end of the row by regions[which]. */
static void emit_part_row(Points *p, int which, LLVMBasicBlockRef head) {
    Fn *f = p->v.f;
    const VectorPlan *outer = p->v.plan;
    p->body = p->kernel->regions[which];
    VectorPlan plan = vector_plan(f, p->body, p->behind, p->fixed_lanes);
    p->v.plan = &plan;
    p->v.lanes = plan.lanes;
    p->ncopies = plan.ncopies;
    if (plan.lanes == 0)
        emit_scalar(p);
    else if (p->is_pure && plan.ncopies == 1)
        emit_overlapped(p, head);
    else
        emit_row(p, head, wants_full(p, &plan));
    p->v.plan = outer;
}

/* Are the outer indices in the box? */
static LLVMValueRef in_box(Points *p) {
    Fn *f = p->v.f;
    LLVMValueRef all = LLVMConstInt(f->e->i1, 1, 0);
    for (int k = 0; k < p->rank - 1; k++) {
        LLVMValueRef lo = p->loop->box[2 * k], hi = p->loop->box[2 * k + 1];
        all = fn_bin(f, LLVMAnd, all, fn_cmp(f, LLVMIntSGE, p->outer[k], lo));
        all = fn_bin(f, LLVMAnd, all, fn_cmp(f, LLVMIntSLT, p->outer[k], hi));
    }
    return all;
}

/* The next part of a row: what lies before the box, in it, or behind it. */
static void emit_box_row(Points *p, LLVMBasicBlockRef head) {
    Fn *f = p->v.f;
    const IrKernel *k = p->kernel->kernel;
    LLVMValueRef point = read(p, p->next), end = p->end;
    LLVMValueRef lo = fn_add(f, p->row, p->loop->box[2 * p->rank - 2]);
    LLVMValueRef hi = fn_add(f, p->row, p->loop->box[2 * p->rank - 1]);
    LLVMBasicBlockRef middle = fn_block(f, "middle"), border = fn_block(f, "border");
    LLVMValueRef before = fn_cmp(f, LLVMIntSLT, point, lo), behind = fn_cmp(f, LLVMIntSGE, point, hi);
    fn_cond(f, fn_bin(f, LLVMOr, before, behind), border, middle);
    fn_at(f, border);
    p->end = fn_select(f, before, fn_min(f, end, lo), end);
    if (k->is_narrow)
        emit_scalar(p);
    else
        emit_part_row(p, 0, head);
    fn_at(f, middle);
    p->end = fn_min(f, end, hi);
    if (k->edge == k->inner) {
        emit_part_row(p, k->inner, head);
        return;
    }
    LLVMBasicBlockRef box = fn_block(f, "box"), edge = fn_block(f, "edge");
    fn_cond(f, in_box(p), box, edge);
    fn_at(f, box);
    emit_part_row(p, k->inner, head);
    fn_at(f, edge);
    emit_part_row(p, k->edge, head);
}

static void emit_rows(Points *p) {
    Fn *f = p->v.f;
    init_row(p);
    LLVMBasicBlockRef head = fn_block(f, "rows"), row = fn_block(f, "row");
    LLVMBasicBlockRef exit = fn_block(f, "rows.done");
    fn_br(f, head);
    fn_at(f, head);
    LLVMValueRef point = read(p, p->next);
    fn_cond(f, fn_cmp(f, LLVMIntSLT, point, p->loop->hi), row, exit);
    fn_at(f, row);
    find_row(p, point);
    if (p->loop->box)
        emit_box_row(p, head);
    else
        emit_row(p, p->rank > 1 ? head : exit, p->has_full);
    emit_slow(p, head);
    fn_at(f, exit);
}

/* ---- accumulators ---- */

static void init_accs(Points *p) {
    Fn *f = p->v.f;
    Scalar *s = &f->e->scalar;
    p->accs = slots_new(f, p->loop->nsinks);
    p->lanes = slots_new(f, p->loop->nsinks);
    for (int k = 0; k < p->loop->nsinks; k++) {
        const VectorSink *sink = &p->loop->sinks[k];
        if (sink->how != VECTOR_REDUCE)
            continue;
        p->accs[k] = fn_alloca(f, acc_type(p, sink), "acc");
        LLVMValueRef identity = scalar_identity(s, sink->op, yield_type(p, sink));
        fn_set(f, p->accs[k], scalar_splat(s, identity, p->v.lanes));
    }
}

/* The lanes combined by the butterfly: 16 apart, where there are as many, 8, 4, 2, 1. */
static void total_accs(Points *p) {
    for (int k = 0; k < p->loop->nsinks; k++) {
        VectorSink *sink = &p->loop->sinks[k];
        if (sink->how == VECTOR_SCAN)
            prefix_open(p->v.f, sink->prefix);
        if (sink->how != VECTOR_REDUCE)
            continue;
        LLVMValueRef acc = fn_get(p->v.f, acc_type(p, sink), p->accs[k]);
        for (int n = p->v.lanes / 2; n >= 1; n /= 2)
            acc = combine(p, sink, lanes_of(p, acc, 0, n), lanes_of(p, acc, n, n), n);
        sink->total = acc;
    }
}

/* So many that a vector of what is packed fits a register; 0 if nothing is. */
static int pack_lanes(Points *p) {
    int widest = 0;
    for (int k = 0; k < p->loop->nsinks; k++) {
        VectorSink kept = p->loop->sinks[k];
        if (kept.how != VECTOR_PACK)
            continue;
        kept.yield++;
        Layout *l = elements_of(p, &kept);
        for (int c = 0; c < l->ncols; c++)
            widest = l->cols[c].bytes > widest ? l->cols[c].bytes : widest;
    }
    return widest ? 64 / (widest < 4 ? 4 : widest) : 0;
}

/* A loop inside of a point, which may be over its row. */
static bool is_in_point(const Points *p) {
    return p->v.f->in_kernel && !p->loop->is_outer && p->rank == 1 && !p->loop->box;
}

/* How many lanes the sinks want; 0: they leave it to the body. */
static int wanted_lanes(Points *p) {
    return p->reduces ? REDUCE_LANES : p->scans ? GROUP : pack_lanes(p);
}

/* Of a large space of one axis, the end is little, and the scalar body is the smaller code. A scan
   cannot begin within a group, as it would behind a border. */
static bool has_scalar_end(Points *p) {
    if (p->scans && p->loop->box)
        return true;
    return p->rank == 1 && p->loop->is_outer && !kernel_is_heavy(p->v.f->ir, p->body);
}

/* fixed: so many lanes, at least as many as there are points; 0: as the sinks want. */
static void emit_points(Fn *f, VectorLoop *loop, int fixed) {
    const IrOp *kernel = ir_op(f->ir, loop->kernel);
    Points points = {.v.f = f, .loop = loop, .kernel = kernel, .body = kernel->regions[0], .members = 1};
    Points *p = &points;
    VectorLoop rows = *loop;
    p->behind = p->v.behind = behind_of(f, loop->kernel, &p->members);
    p->rank = p->body->params.len - p->behind;
    if (p->behind > 0) {
        rows.lo = fn_bin(f, LLVMUDiv, loop->lo, fn_int(f, p->members));
        rows.hi = fn_bin(f, LLVMUDiv, loop->hi, fn_int(f, p->members));
        p->loop = loop = &rows;
    }
    p->is_pure = true;
    for (int k = 0; k < loop->nsinks; k++) {
        p->is_pure &= loop->sinks[k].how == VECTOR_STORE || loop->sinks[k].how == VECTOR_ROW;
        p->has_rows |= loop->sinks[k].how == VECTOR_ROW;
        p->reduces |= loop->sinks[k].how == VECTOR_REDUCE || loop->sinks[k].how == VECTOR_PICK;
        p->scans |= loop->sinks[k].how == VECTOR_SCAN;
        p->has_each |= loop->sinks[k].how == VECTOR_EACH;
    }
    p->fixed_lanes = fixed ? fixed : wanted_lanes(p);
    VectorPlan plan = vector_plan(f, p->kernel->regions[p->kernel->kernel->inner], p->behind, p->fixed_lanes);
    p->v.plan = &plan;
    p->v.lanes = plan.lanes;
    p->v.ncopies = 1;
    p->ncopies = plan.ncopies;
    p->v.is_outer = loop->is_outer;
    p->v.row = is_in_point(p) ? loop->dims[0] : NULL;
    p->v.linear = NEW_ARRAY(f->e->arena, Linear, f->ir->ops.len + 1);
    p->next = fn_alloca(f, f->e->i64, "next");
    p->piece = fn_alloca(f, f->e->i64, "points");
    fn_set(f, p->next, loop->lo);
    init_accs(p);
    p->may_stream = may_stream(p, &plan);
    p->has_scalar_end = has_scalar_end(p);
    p->has_full = !fixed && wants_full(p, &plan);
    emit_rows(p);
    if (p->may_stream && !p->loop->whole)
        vec_fence(&p->v);
    total_accs(p);
}

/* A loop inside of a point, of a number of points that only the run knows, may well be short, and
   then most of the lanes that stride over its points hold nothing but the identity. */
static bool may_be_short(Fn *f, const VectorLoop *loop) {
    const IrOp *kernel = ir_op(f->ir, loop->kernel);
    const IrRegion *body = kernel->regions[0];
    if (loop->is_outer || loop->box || !f->in_kernel || body->params.len != 1 ||
        LLVMIsAConstantInt(loop->dims[0]) || kernel_is_heavy(f->ir, body))
        return false;
    for (int k = 0; k < loop->nsinks; k++)
        if (loop->sinks[k].how != VECTOR_REDUCE)
            return false;
    VectorPlan plan = vector_plan(f, body, 0, SHORT_LANES);
    return plan.lanes == SHORT_LANES && plan.nops <= MOST_SHORT;
}

/* Few points in few lanes; the identity in the other lanes would change no bit of the totals. */
static void emit_short(Fn *f, VectorLoop *loop) {
    LLVMValueRef *totals = slots_new(f, loop->nsinks), n = fn_sub(f, loop->hi, loop->lo);
    LLVMTypeRef *types = NEW_ARRAY(f->e->arena, LLVMTypeRef, loop->nsinks);
    If is_short = if_begin(f, fn_cmp(f, LLVMIntSLE, n, fn_int(f, SHORT_LANES)));
    emit_points(f, loop, SHORT_LANES);
    for (int k = 0; k < loop->nsinks; k++) {
        types[k] = LLVMTypeOf(loop->sinks[k].total);
        totals[k] = fn_alloca(f, types[k], "total");
        fn_set(f, totals[k], loop->sinks[k].total);
    }
    if_else(f, &is_short);
    emit_points(f, loop, 0);
    for (int k = 0; k < loop->nsinks; k++)
        fn_set(f, totals[k], loop->sinks[k].total);
    if_end(f, &is_short);
    for (int k = 0; k < loop->nsinks; k++)
        loop->sinks[k].total = fn_get(f, types[k], totals[k]);
}

/* Notes the arrays whose elements the body reads in order. */
static void note_rows(Fn *f, const IrRegion *body) {
    for (int i = 0; i < body->ops.len && body->params.len == 1; i++) {
        const IrOp *op = ir_op(f->ir, body->ops.at[i]);
        if (op->kind == IR_INDEX && op->nargs == 2 && op->args[1] == body->params.at[0])
            f->values[op->args[0]].nreaders++;
    }
}

void vector_points(Fn *f, VectorLoop *loop) {
    f->has_vectors = true;
    if (may_be_short(f, loop))
        emit_short(f, loop);
    else
        emit_points(f, loop, 0);
    note_rows(f, ir_op(f->ir, loop->kernel)->regions[0]);
}
