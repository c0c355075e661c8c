/* Points that yield a short list of scalars: a row of the output. The members' vectors are interleaved,
   so that the rows of all lanes lie one behind the other, and stored as vectors. */
#include "vector_body.h"

#define B (v->f->e->B)

int vec_row_members(Fn *f, IrId id, IrId *members) {
    const IrOp *op = ir_op(f->ir, id);
    int n = 0;
    if (op->kind != IR_LIST || !value_layout(f, id)->is_regular)
        return 0;
    for (int k = 0; k < op->nargs; k++) {
        if (value_layout(f, id)->rank == 1) {
            if (n == VEC_MEMBERS || !type_is_flat(value_layout(f, op->args[k])->type))
                return 0;
            members[n++] = op->args[k];
            continue;
        }
        IrId part[VEC_MEMBERS];
        int few = vec_row_members(f, op->args[k], part);
        if (few == 0 || n + few > VEC_MEMBERS || (k > 0 && n != k * few))
            return 0;
        for (int i = 0; i < few; i++)
            members[n++] = part[i];
    }
    return n;
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
