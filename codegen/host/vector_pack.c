/* Rows of an array, a different one in each lane, that inner loops read again and again: before the
   loops they are copied to the stack so that the elements of equal number lie side by side, one for
   each lane. A read is then a load of a vector. Rows that do not fit are left to the scalar body,
   which goes along the row in vectors. */
#include "vector_body.h"

#define B (v->f->e->B)

enum { PACK_BYTES = 16 << 10 }; /* of a column and a copy of the body */

static LLVMTypeRef row_vector(Vec *v, const Column *col) {
    return LLVMVectorType(layout_col_type(v->f->e, col), (unsigned)v->lanes);
}

/* What is packed of a column. */
typedef struct {
    const Column *col;
    LLVMValueRef data, first; /* the array, and the place of the first lane's row */
    LLVMValueRef n;           /* elements of a row */
    LLVMValueRef to;
} Packed;

static LLVMValueRef packed_at(Vec *v, const Packed *p, LLVMValueRef at) {
    return fn_at_index(v->f, row_vector(v, p->col), p->to, at);
}

/* Blocks of half the size change places, then those inside them. */
void vec_transpose(Vec *v, LLVMValueRef *rows) {
    LLVMTypeRef i32 = v->f->e->i32;
    int n = v->lanes;
    for (int half = n / 2; half >= 1; half /= 2)
        for (int i = 0; i < n; i++) {
            if (i & half)
                continue;
            LLVMValueRef low[64], high[64], a = rows[i], b = rows[i + half];
            for (int k = 0; k < n; k++) {
                int from_a = k & half ? n + k - half : k, from_b = k & half ? n + k : k + half;
                low[k] = LLVMConstInt(i32, (unsigned)from_a, 0);
                high[k] = LLVMConstInt(i32, (unsigned)from_b, 0);
            }
            rows[i] = LLVMBuildShuffleVector(B, a, b, LLVMConstVector(low, (unsigned)n), "");
            rows[i + half] = LLVMBuildShuffleVector(B, a, b, LLVMConstVector(high, (unsigned)n), "");
        }
}

/* Blocks of neighbouring rows; gives how many elements of each row are done. */
static LLVMValueRef pack_blocks(Vec *v, const Packed *p) {
    Fn *f = v->f;
    LLVMTypeRef type = row_vector(v, p->col);
    LLVMValueRef shift = fn_int(f, __builtin_ctz((unsigned)v->lanes)), rows[64];
    Loop blocks = loop_begin(f, fn_int(f, 0), fn_bin(f, LLVMLShr, p->n, shift), "block");
    LLVMValueRef from = fn_bin(f, LLVMShl, blocks.i, shift), place = fn_add(f, p->first, from);
    for (int k = 0; k < v->lanes; k++) {
        rows[k] = fn_get(f, type, fn_at_bytes(f, p->col->bytes, p->data, place));
        LLVMSetAlignment(rows[k], (unsigned)p->col->bytes);
        place = fn_add(f, place, p->n);
    }
    vec_transpose(v, rows);
    for (int k = 0; k < v->lanes; k++)
        fn_set(f, packed_at(v, p, fn_add(f, from, fn_int(f, k))), rows[k]);
    loop_end_plain(f, &blocks);
    return fn_bin(f, LLVMAnd, p->n, fn_int(f, -v->lanes));
}

/* offsets: where the rows begin, from the first one on. */
static void pack_column(Vec *v, const Packed *p, LLVMValueRef offsets, bool are_neighbours) {
    Fn *f = v->f;
    LLVMTypeRef type = layout_col_type(f->e, p->col);
    bool is_square = are_neighbours && !v->mask && v->lanes * p->col->bytes <= 64;
    LLVMValueRef done = is_square ? pack_blocks(v, p) : fn_int(f, 0);
    Loop loop = loop_begin(f, done, p->n, "pack");
    LLVMValueRef at = vec_splat(v, fn_add(f, p->first, loop.i));
    LLVMValueRef index = LLVMBuildAdd(B, offsets, at, "");
    fn_set(f, packed_at(v, p, loop.i), vec_gather(v, type, p->col->bytes, p->data, index));
    loop_end_plain(f, &loop);
}

void vec_pack(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]), *row = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, row->nslots);
    LLVMValueRef n = s[l->rank - 1], first = fn_int(f, 0);
    for (int k = 0; op->flags & IRF_CHECKED && k < op->nargs - 1; k++)
        vec_check_index(v, op->args[1 + k], s[k]);
    LLVMValueRef place = vec_place(v, op, s), base;
    bool are_neighbours = vec_are_neighbours(v, op, s, &base);
    if (are_neighbours) {
        first = fn_mul(f, base, n);
        place = vec_iota(v);
    }
    LLVMValueRef offsets = LLVMBuildMul(B, vec_splat(v, place), vec_splat(v, n), "");
    out[0] = n;
    for (int c = 0; c < row->ncols; c++) {
        const Column *col = &row->cols[c];
        unsigned room = (unsigned)(PACK_BYTES / (v->lanes * col->bytes));
        vec_need(v, fn_cmp(f, LLVMIntULE, n, fn_int(f, room)));
        Packed p = {col, s[layout_col_slot(l, c) + 1], first, n, NULL};
        p.to = fn_alloca(f, LLVMArrayType2(row_vector(v, col), room), "rows");
        pack_column(v, &p, offsets, are_neighbours);
        out[layout_col_slot(row, c)] = LLVMConstNull(f->e->ptr);
        out[layout_col_slot(row, c) + 1] = p.to;
    }
    value_set(f, id, out, row->nslots);
}

void vec_packed_index(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]), *r = value_layout(f, id);
    LLVMValueRef *s = value_of(f, op->args[0])->s, *out = slots_new(f, r->nslots);
    LLVMValueRef at = value_scalar(f, op->args[1]);
    if (op->flags & IRF_CHECKED)
        vec_check_index(v, op->args[1], s[0]);
    for (int c = 0; c < l->ncols; c++) {
        const Column *col = &l->cols[c];
        LLVMTypeRef type = row_vector(v, col);
        LLVMValueRef lanes = fn_get(f, type, fn_at_index(f, type, s[layout_col_slot(l, c) + 1], at));
        out[c] = vec_of_memory(v, col, lanes);
    }
    value_set(f, id, out, r->nslots);
}
