/* Reads of arrays in a vectorised body. Lanes that read places at one distance from each other, which
   is known, do so by loads of vectors: of neighbours as they are or in reverse, of every second, third
   or fourth element, as members of small rows are, by loads of all of them and shuffles. Other places
   are gathered. */
#include "vector_body.h"

#include <string.h>

#define B (v->f->e->B)

enum {
    LINE_BYTES = 64,
    MOST_SPACED = 4, /* elements from lane to lane that are loaded to be dropped; farther apart, they */
    MOST_SPACED_SMALL = 8, /* are gathered, for which small ones have no instruction */
    MOST_STRIDE = 4096,
    LEAST_AHEAD = 1 << 12, /* bytes that a loop over a row asks ahead */
    MOST_AHEAD = 1 << 15
};

/* Lanes that are `stride` apart: lane k's place is base + k * stride + offset, and the array has
   `extent` elements from base + k * stride on. */
typedef struct {
    LLVMValueRef base; /* NULL: there is no such form */
    int64_t stride, offset, extent;
} Spaced;

Linear vec_linear(Vec *v, IrId id) {
    if (!v->plan->varying[id])
        return (Linear){value_scalar(v->f, id), 0};
    return v->linear[id];
}

/* ---- bounds ---- */

/* The first and the last active lane's index are in bounds, and so are those between: with a small
   stride and at most 64 lanes nothing between can wrap around. */
static LLVMValueRef linear_in_bounds(Vec *v, Linear x, LLVMValueRef dim) {
    Fn *f = v->f;
    LLVMValueRef stride = fn_int(f, x.stride);
    LLVMValueRef a = fn_add(f, x.base, fn_mul(f, v->first, stride));
    LLVMValueRef steps = fn_sub(f, v->count, fn_int(f, 1));
    LLVMValueRef z = fn_add(f, a, fn_mul(f, steps, stride));
    return fn_bin(f, LLVMAnd, fn_cmp(f, LLVMIntULT, a, dim), fn_cmp(f, LLVMIntULT, z, dim));
}

/* A varying index that was converted from at most 32 bits, as i32; NULL if it is no such. Gathers
   and comparisons take half the work then. */
static LLVMValueRef narrow_index(Vec *v, IrId at, bool *is_signed) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, at);
    if (op->kind != IR_CONVERT)
        return NULL;
    const Type *type = value_layout(f, op->args[0])->type;
    Value *from = value_of(f, op->args[0]);
    if (!type_is_int(type) || type_bytes(type) > 4 || !from->s || !scalar_is_vector(from->s[0]))
        return NULL;
    *is_signed = type_is_signed(type);
    LLVMTypeRef wide = vec_type(v, f->e->i32);
    return *is_signed ? LLVMBuildSExtOrBitCast(B, from->s[0], wide, "")
                      : LLVMBuildZExtOrBitCast(B, from->s[0], wide, "");
}

/* The same test on 32 bits; a larger bound than they hold makes it fail too often, which costs time
   alone. */
static LLVMValueRef narrow_in_bounds(Vec *v, LLVMValueRef i, LLVMValueRef dim) {
    Fn *f = v->f;
    LLVMValueRef most = fn_min(f, dim, fn_int(f, INT32_MAX));
    most = LLVMBuildTrunc(B, most, f->e->i32, "");
    return LLVMBuildICmp(B, LLVMIntULT, i, vec_splat(v, most), "");
}

void vec_check_index(Vec *v, IrId at, LLVMValueRef dim) {
    Linear x = vec_linear(v, at);
    bool small = x.base && x.stride > -4096 && x.stride < 4096;
    LLVMValueRef i = value_scalar(v->f, at), narrow;
    bool is_signed;
    if (!scalar_is_vector(i))
        vec_need(v, fn_cmp(v->f, LLVMIntULT, i, dim));
    else if (small && !v->is_nested)
        vec_need(v, linear_in_bounds(v, x, dim));
    else if ((narrow = narrow_index(v, at, &is_signed)) != NULL)
        vec_need_lanes(v, narrow_in_bounds(v, narrow, dim));
    else
        vec_need_lanes(v, LLVMBuildICmp(B, LLVMIntULT, i, vec_splat(v, dim), ""));
}

/* ---- places ---- */

static bool is_known(LLVMValueRef a, int64_t *value) {
    if (!LLVMIsAConstantInt(a))
        return false;
    *value = LLVMConstIntGetSExtValue(a);
    return true;
}

/* One axis more. A fixed number behind the lanes' axis picks a member of each lane's row. */
static Spaced spaced_on(Vec *v, Spaced at, Linear x, LLVMValueRef size) {
    Fn *f = v->f;
    int64_t n = 0, member;
    if (!x.base || (at.stride && (!is_known(size, &n) || n >= MOST_STRIDE)))
        return (Spaced){0};
    if (at.stride && !x.stride && is_known(x.base, &member) && member >= 0 && member < n)
        return (Spaced){fn_mul(f, at.base, size), at.stride * n, at.offset * n + member,
                        at.extent * n};
    LLVMValueRef base = fn_mul(f, fn_add(f, at.base, fn_int(f, at.offset)), size);
    return (Spaced){fn_add(f, base, x.base), at.stride * n + x.stride, 0, 1};
}

static Spaced spaced_of(Vec *v, const IrOp *op, LLVMValueRef const *dims) {
    Linear first = vec_linear(v, op->args[1]);
    Spaced at = {first.base, first.stride, 0, 1};
    for (int k = 1; k < op->nargs - 1 && at.base; k++) {
        bool is_small = at.stride > -MOST_STRIDE && at.stride < MOST_STRIDE;
        at = is_small ? spaced_on(v, at, vec_linear(v, op->args[1 + k]), dims[k]) : (Spaced){0};
    }
    return at;
}

bool vec_are_neighbours(Vec *v, const IrOp *op, LLVMValueRef const *dims, LLVMValueRef *first) {
    Spaced at = spaced_of(v, op, dims);
    *first = at.base;
    return at.base && at.stride == 1;
}

LLVMValueRef vec_place(Vec *v, const IrOp *op, LLVMValueRef const *dims) {
    LLVMValueRef place = value_scalar(v->f, op->args[1]);
    for (int k = 1; k < op->nargs - 1; k++) {
        LLVMValueRef i = value_scalar(v->f, op->args[1 + k]);
        bool is_wide = scalar_is_vector(place);
        place = LLVMBuildMul(B, place, is_wide ? vec_splat(v, dims[k]) : dims[k], "");
        if (is_wide || scalar_is_vector(i)) {
            place = vec_splat(v, place);
            i = vec_splat(v, i);
        }
        place = LLVMBuildAdd(B, place, i, "");
    }
    return place;
}

/* ---- loads ---- */

static LLVMValueRef reversed(Vec *v, LLVMValueRef a) {
    LLVMValueRef lanes[64];
    for (int k = 0; k < v->lanes; k++)
        lanes[k] = LLVMConstInt(v->f->e->i32, (unsigned)(v->lanes - 1 - k), 0);
    return LLVMBuildShuffleVector(B, a, LLVMGetPoison(LLVMTypeOf(a)),
                                  LLVMConstVector(lanes, (unsigned)v->lanes), "");
}

void vec_prefetch(Vec *v, LLVMValueRef p) {
    Emit *e = v->f->e;
    LLVMValueRef args[] = {p, LLVMConstInt(e->i32, 0, 0), LLVMConstInt(e->i32, 3, 0),
                           LLVMConstInt(e->i32, 1, 0)};
    vec_intrinsic(v, "llvm.prefetch", &e->ptr, 1, args, 4);
}

/* How many bytes ahead a load in order asks for what a later piece or row will read, or NULL. Ahead
   of the caches' own guesses: a body of some length leaves too few loads under way to fill the time
   that memory takes, and a loop over a row that is in the cache by now leaves none. */
static LLVMValueRef ahead_of(Vec *v, const IrOp *op, int bytes) {
    Fn *f = v->f;
    if (v->lanes * bytes < LINE_BYTES)
        return NULL;
    if (v->prefetch)
        return v->mask ? NULL : fn_int(f, v->prefetch);
    IrKind array = ir_op(f->ir, op->args[0])->kind;
    if (!v->row || value_of(f, op->args[0])->nreaders != 1 ||
        (array != IR_INDEX && array != IR_SLICE))
        return NULL;
    LLVMValueRef row = fn_mul(f, v->row, fn_int(f, bytes));
    return fn_max(f, fn_min(f, row, fn_int(f, MOST_AHEAD)), fn_int(f, LEAST_AHEAD));
}

static void prefetch(Vec *v, int bytes, LLVMValueRef p, LLVMValueRef ahead) {
    p = fn_at_index(v->f, v->f->e->i8, p, ahead);
    for (int at = 0; at < v->lanes * bytes; at += LINE_BYTES)
        vec_prefetch(v, fn_at_index(v->f, v->f->e->i8, p, fn_int(v->f, at)));
}

/* Lanes at base, base + stride, …, the stride being 1 or -1; ahead: see ahead_of. */
static LLVMValueRef load_linear(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef data, Linear at,
                                LLVMValueRef ahead) {
    LLVMValueRef mask = v->mask, base = at.base;
    if (at.stride > 0) {
        LLVMValueRef p = LLVMBuildGEP2(B, type, data, &base, 1, "");
        if (ahead)
            prefetch(v, bytes, p, ahead);
        return vec_load(v, type, bytes, p);
    }
    base = fn_sub(v->f, base, fn_int(v->f, v->lanes - 1));
    v->mask = mask ? reversed(v, mask) : NULL;
    LLVMValueRef all = vec_load(v, type, bytes, LLVMBuildGEP2(B, type, data, &base, 1, ""));
    v->mask = mask;
    return reversed(v, all);
}

/* Where piece k of a stretch of `total` elements begins, each being as long as there are lanes; the
   last one ends with the stretch where nothing masks what is behind it. */
static int64_t piece_start(const Vec *v, int k, int64_t total) {
    int64_t start = (int64_t)k * v->lanes, last = total - v->lanes;
    return v->mask || start < last ? start : last;
}

LLVMValueRef vec_stretch_mask(Vec *v, int64_t apart, int64_t extent, int64_t start) {
    Fn *f = v->f;
    LLVMValueRef stride = fn_int(f, apart), zero = fn_int(f, 0), lanes = fn_int(f, v->lanes);
    LLVMValueRef last = fn_sub(f, fn_add(f, v->first, v->count), fn_int(f, 1));
    LLVMValueRef lo = fn_sub(f, fn_mul(f, v->first, stride), fn_int(f, start));
    LLVMValueRef hi = fn_add(f, fn_mul(f, last, stride), fn_int(f, extent - start));
    lo = fn_min(f, fn_max(f, lo, zero), lanes);
    hi = fn_min(f, fn_max(f, hi, zero), lanes);
    return vec_lane_mask(v, lo, fn_max(f, fn_sub(f, hi, lo), zero));
}

/* Loads piece k of a stretch of `total` elements. */
static LLVMValueRef load_piece(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef data, Spaced at,
                               int64_t start) {
    LLVMValueRef mask = v->mask, from = fn_add(v->f, at.base, fn_int(v->f, start));
    v->mask = mask ? vec_stretch_mask(v, at.stride, at.extent, start) : NULL;
    LLVMValueRef piece = vec_load(v, type, bytes, LLVMBuildGEP2(B, type, data, &from, 1, ""));
    v->mask = mask;
    return piece;
}

/* Lanes of two vectors: which[k] counts through both; -1: any. */
static LLVMValueRef shuffled(Vec *v, LLVMValueRef a, LLVMValueRef b, const int *which) {
    LLVMValueRef lanes[64];
    for (int k = 0; k < v->lanes; k++)
        lanes[k] = which[k] < 0 ? LLVMGetPoison(v->f->e->i32)
                                : LLVMConstInt(v->f->e->i32, (unsigned)which[k], 0);
    return LLVMBuildShuffleVector(B, a, b, LLVMConstVector(lanes, (unsigned)v->lanes), "");
}

/* Loads all elements from the first lane's row to the last one's and picks those wanted. The rows'
   other members come from the same loads. */
static LLVMValueRef load_spaced(Vec *v, LLVMTypeRef type, int bytes, LLVMValueRef data, Spaced at) {
    LLVMValueRef all = NULL;
    int64_t total = (v->lanes - 1) * at.stride + at.extent;
    int n = (int)((total + v->lanes - 1) / v->lanes), which[64];
    for (int k = 0; k < n; k++) {
        int64_t start = piece_start(v, k, total);
        LLVMValueRef piece = load_piece(v, type, bytes, data, at, start);
        for (int l = 0; l < v->lanes; l++) {
            int64_t place = l * at.stride + at.offset;
            int home = (int)(place / v->lanes);
            which[l] = home == k ? (int)(v->lanes + place - start) : home < k ? l : -1;
        }
        all = shuffled(v, all ? all : piece, piece, which);
    }
    return all;
}

static bool is_spaced(const Vec *v, Spaced at, int bytes) {
    int most = bytes < 4 ? MOST_SPACED_SMALL : MOST_SPACED;
    return at.base && at.stride > 1 && at.stride <= most && !v->is_nested;
}

static void emit_varying_index(Vec *v, const IrOp *op, IrId id) {
    Fn *f = v->f;
    Layout *l = value_layout(f, op->args[0]), *r = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, r->nslots);
    for (int k = 0; op->flags & IRF_CHECKED && k < l->rank; k++)
        vec_check_index(v, op->args[1 + k], s[k]);
    Spaced at = spaced_of(v, op, s);
    bool is_linear = at.base && (at.stride == 1 || at.stride == -1), is_signed = false;
    LLVMValueRef place = vec_place(v, op, s), narrow;
    narrow = op->nargs == 2 && !is_linear ? narrow_index(v, op->args[1], &is_signed) : NULL;
    place = narrow && (is_signed || op->flags & IRF_CHECKED) ? narrow : place;
    for (int k = 0; k < l->ncols; k++) {
        const Column *col = &l->cols[k];
        LLVMTypeRef type = layout_col_type(f->e, col);
        LLVMValueRef data = s[l->rank + 2 * k + 1], all;
        if (is_linear)
            all = load_linear(v, type, col->bytes, data,
                              (Linear){fn_add(f, at.base, fn_int(f, at.offset)), at.stride},
                              ahead_of(v, op, col->bytes));
        else if (is_spaced(v, at, col->bytes))
            all = load_spaced(v, type, col->bytes, data, at);
        else
            all = vec_gather(v, type, col->bytes, data, place);
        out[k] = vec_of_memory(v, col, all);
    }
    value_set(f, id, out, r->nslots);
}

void vec_shared_index(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id), plain = *op;
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    for (int k = 0; op->flags & IRF_CHECKED && k < op->nargs - 1; k++)
        vec_check_index(v, op->args[1 + k], s[k]);
    op->flags &= (uint16_t)~IRF_CHECKED;
    emit_index(f, id);
    *op = plain;
}

/* A read that has been put on the stack, this row of the tile. */
static void emit_tile_read(Vec *v, const VecTile *tile) {
    Fn *f = v->f;
    Layout *l = value_layout(f, ir_op(f->ir, tile->id)->args[0]), *r = value_layout(f, tile->id);
    LLVMValueRef *out = slots_new(f, r->nslots);
    for (int k = 0; k < l->ncols; k++) {
        LLVMTypeRef type = vec_type(v, layout_col_type(f->e, &l->cols[k]));
        LLVMValueRef row = fn_get(f, type, fn_at_index(f, type, tile->columns[k], v->tile_row));
        out[k] = vec_of_memory(v, &l->cols[k], row);
    }
    value_set(f, tile->id, out, r->nslots);
}

void vec_row_of_members(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    Layout *r = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_empty(f, r);
    for (int k = 0; op->flags & IRF_CHECKED && k < op->nargs - 1; k++)
        vec_check_index(v, op->args[1 + k], s[k]);
    for (int k = 0; k < r->rank; k++)
        out[k] = s[op->nargs - 1 + k];
    value_set(f, id, out, r->nslots);
}

/* A member of a row: a read of the array that the row is of. */
static void emit_member(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp op = *ir_op(f->ir, id), row = *ir_op(f->ir, op.args[0]);
    IrId *args = NEW_ARRAY(f->e->arena, IrId, row.nargs + op.nargs - 1);
    for (int k = 0; k < row.nargs; k++)
        args[k] = row.args[k];
    for (int k = 1; k < op.nargs; k++)
        args[row.nargs + k - 1] = op.args[k];
    op.args = args;
    op.nargs = row.nargs + op.nargs - 1;
    emit_varying_index(v, &op, id);
}

void vec_index(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    for (int k = 0; k < v->ntiles; k++)
        if (v->tiles[k].id == id) {
            emit_tile_read(v, &v->tiles[k]);
            return;
        }
    if (v->plan->members && v->plan->members[op->args[0]]) {
        emit_member(v, id);
        return;
    }
    for (int k = 1; k < op->nargs; k++)
        if (scalar_is_vector(value_scalar(v->f, op->args[k]))) {
            emit_varying_index(v, op, id);
            return;
        }
    vec_shared_index(v, id);
}
