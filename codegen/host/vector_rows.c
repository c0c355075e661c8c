/* Points that yield a row of few scalars, as a list or a kernel over few points does. The members'
   vectors are interleaved, so that the rows of all lanes lie one behind the other, and stored as
   vectors. */
#include "vector_body.h"

#define B (v->f->e->B)

/* Of a kernel that does nothing but make an array. */
static int kernel_size(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    const IrKernel *k = op->kernel;
    int64_t all = 1, size;
    if (k->nsinks != 1 || k->sinks[0].kind != SINK_MAP || k->sinks[0].type->rank != k->rank ||
        !type_is_flat(value_type(f, op->regions[0]->results.at[k->sinks[0].yield])))
        return 0;
    for (int i = 0; i < k->rank; i++) {
        if (!ir_const_int(f->ir, op->args[i], &size) || size < 1 || size > VEC_MEMBERS)
            return 0;
        all *= size;
    }
    return all > VEC_MEMBERS ? 0 : (int)all;
}

int vec_row_size(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    int n = 0;
    if (op->kind == IR_KERNEL)
        return kernel_size(f, id);
    if (op->kind != IR_LIST || !value_layout(f, id)->is_regular)
        return 0;
    for (int k = 0; k < op->nargs; k++) {
        bool is_flat = type_is_flat(value_type(f, op->args[k]));
        int few = is_flat ? 1 : vec_row_size(f, op->args[k]);
        if (few == 0 || n + few > VEC_MEMBERS || n != k * few)
            return 0;
        n += few;
    }
    return n;
}

void vec_row_list(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    int n = vec_row_size(f, id) * value_layout(f, id)->ncols, at = 0;
    LLVMValueRef *all = slots_new(f, n);
    for (int k = 0; k < op->nargs; k++)
        for (int i = 0; i < value_of(f, op->args[k])->n; i++)
            all[at++] = value_of(f, op->args[k])->s[i];
    value_set(f, id, all, n);
}

void vec_row_kernel(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    const IrRegion *body = op->regions[0];
    int members = vec_row_size(f, id), ncols = value_layout(f, id)->ncols;
    LLVMValueRef *all[VEC_COPIES];
    for (int c = 0; c < v->ncopies; c++)
        all[c] = slots_new(f, members * ncols);
    for (int m = 0; m < members; m++) {
        for (int c = 0; c < v->ncopies; c++) {
            vec_at(v, c);
            for (int k = op->kernel->rank - 1, rest = m; k >= 0; k--) {
                int64_t size = 1;
                ir_const_int(f->ir, op->args[k], &size);
                vec_set_shared(v, body->params.at[k], fn_int(f, rest % size));
                rest /= (int)size;
            }
        }
        vec_at(v, 0);
        vec_ops(v, body);
        for (int c = 0; c < v->ncopies; c++) {
            vec_at(v, c);
            LLVMValueRef *s = region_result(f, body, op->kernel->sinks[0].yield);
            for (int i = 0; i < ncols; i++)
                all[c][m * ncols + i] = s[i];
        }
        vec_at(v, 0);
    }
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        value_set(f, id, all[c], members * ncols);
    }
    vec_at(v, 0);
}

/* Two vectors' lanes by turns, from lane `from` of each on. */
static LLVMValueRef by_turns(Vec *v, LLVMValueRef a, LLVMValueRef b, int from) {
    LLVMValueRef which[64];
    for (int k = 0; k < v->lanes; k++)
        which[k] = LLVMConstInt(v->f->e->i32, (unsigned)(from + k / 2 + k % 2 * v->lanes), 0);
    return LLVMBuildShuffleVector(B, a, b, LLVMConstVector(which, (unsigned)v->lanes), "");
}

/* Part q of an odd number of vectors by turns: one vector after the other gives its lanes. */
static LLVMValueRef part_of(Vec *v, LLVMValueRef const *all, int n, int q) {
    LLVMValueRef part = all[0], which[64];
    for (int i = 1; i < n; i++) {
        for (int k = 0; k < v->lanes; k++) {
            int place = q * v->lanes + k, from = place % n, lane = place / n;
            int first = i == 1 ? lane : k; /* where a lane of those before stands */
            int pick = from < i ? first : from == i ? v->lanes + lane : -1;
            which[k] = pick < 0 ? LLVMGetPoison(v->f->e->i32)
                                : LLVMConstInt(v->f->e->i32, (unsigned)pick, 0);
        }
        part = LLVMBuildShuffleVector(B, part, all[i], LLVMConstVector(which, (unsigned)v->lanes), "");
    }
    return part;
}

/* Puts the elements of n vectors in the order of rows. An even number is done by halves. */
static void interleave(Vec *v, LLVMValueRef *all, int n) {
    LLVMValueRef even[VEC_MEMBERS], odd[VEC_MEMBERS];
    if (n == 1)
        return;
    if (n % 2) {
        for (int q = 0; q < n; q++)
            even[q] = part_of(v, all, n, q);
        for (int q = 0; q < n; q++)
            all[q] = even[q];
        return;
    }
    for (int k = 0; k < n / 2; k++) {
        even[k] = all[2 * k];
        odd[k] = all[2 * k + 1];
    }
    interleave(v, even, n / 2);
    interleave(v, odd, n / 2);
    for (int k = 0; k < n / 2; k++) {
        all[2 * k] = by_turns(v, even[k], odd[k], 0);
        all[2 * k + 1] = by_turns(v, even[k], odd[k], v->lanes / 2);
    }
}

void vec_store_row(Vec *v, const Column *col, LLVMValueRef const *slots, int n, LLVMValueRef to) {
    LLVMValueRef all[VEC_MEMBERS], mask = v->mask;
    for (int k = 0; k < n; k++)
        all[k] = vec_to_memory(v, col, slots[k]);
    interleave(v, all, n);
    for (int k = 0; k < n; k++) {
        int64_t start = (int64_t)k * v->lanes;
        LLVMValueRef p = fn_at_bytes(v->f, col->bytes, to, fn_int(v->f, start));
        v->mask = mask ? vec_stretch_mask(v, n, n, start) : NULL;
        vec_store(v, all[k], col->bytes, p);
        v->mask = mask;
    }
}
