/* Bits in words: PACK makes a word of 64 elements of an array, BIT reads one bit of an array of
   words, on vectors as many consecutive ones as there are lanes. Words are little endian, so the
   bits of a row lie in the order of its elements. */
#include "kernel.h"
#include "vector_body.h"

#include <string.h>

#define B (f->e->B)

enum { WORD = 64 };

/* The row-major number of the row that all indices but the last pick, or NULL for the only one. */
static LLVMValueRef row_of(Fn *f, const IrOp *op, LLVMValueRef const *dims) {
    LLVMValueRef row = NULL;
    for (int k = 0; k < op->nargs - 2; k++) {
        LLVMValueRef i = value_scalar(f, op->args[1 + k]);
        row = row ? LLVMBuildNSWAdd(B, LLVMBuildNSWMul(B, row, dims[k], ""), i, "") : i;
    }
    return row;
}

/* The number of element `at` of that row. */
static LLVMValueRef place_in(Fn *f, LLVMValueRef row, LLVMValueRef dim, LLVMValueRef at) {
    return row ? LLVMBuildNSWAdd(B, LLVMBuildNSWMul(B, row, dim, ""), at, "") : at;
}

static void set_scalar(Fn *f, IrId id, LLVMValueRef value) {
    LLVMValueRef *out = slots_new(f, 1);
    out[0] = value;
    value_set(f, id, out, 1);
}

/* ---- a bit ---- */

static LLVMValueRef load_word(Fn *f, const Layout *l, LLVMValueRef const *s, LLVMValueRef place) {
    LLVMValueRef word;
    elem_load(f, l->elem, s + l->rank, place, &word);
    return word;
}

void emit_bit(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s, at = value_scalar(f, op->args[op->nargs - 1]);
    LLVMValueRef word_at = fn_bin(f, LLVMLShr, at, fn_int(f, 6));
    LLVMValueRef place = place_in(f, row_of(f, op, s), s[l->rank - 1], word_at);
    LLVMValueRef bit = fn_bin(f, LLVMAnd, at, fn_int(f, WORD - 1));
    LLVMValueRef word = fn_bin(f, LLVMLShr, load_word(f, l, s, place), bit);
    set_scalar(f, id, LLVMBuildTrunc(B, word, f->e->i1, ""));
}

void vec_bits(Vec *v, IrId id) {
    Fn *f = v->f;
    Emit *e = f->e;
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s, row = row_of(f, op, s);
    LLVMValueRef dim = s[l->rank - 1], last = fn_sub(f, dim, fn_int(f, 1)), words[2];
    LLVMValueRef first = vec_linear(v, op->args[op->nargs - 1]).base;
    LLVMValueRef word_at = LLVMBuildAShr(B, first, fn_int(f, 6), "");
    for (int k = 0; k < 2; k++) { /* lanes that are not active may lie in no word */
        LLVMValueRef at = fn_add(f, word_at, fn_int(f, k));
        at = fn_max(f, fn_min(f, at, last), fn_int(f, 0));
        words[k] = load_word(f, l, s, place_in(f, row, dim, at));
    }
    unsigned shift = LLVMLookupIntrinsicID("llvm.fshr", 9);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(e->M, shift, &e->i64, 1);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->C, shift, &e->i64, 1);
    LLVMValueRef args[] = {words[1], words[0], first};
    LLVMValueRef bits = LLVMBuildCall2(B, type, fn, args, 3, "");
    bits = LLVMBuildTrunc(B, bits, LLVMIntTypeInContext(e->C, (unsigned)v->lanes), "");
    set_scalar(f, id, LLVMBuildBitCast(B, bits, LLVMVectorType(e->i1, (unsigned)v->lanes), ""));
}

/* ---- a word ---- */

/* Is there a bit of the mask in each of `lanes` elements at p? */
static LLVMValueRef test_elements(Fn *f, LLVMTypeRef type, uint64_t mask, int lanes,
                                  LLVMValueRef p) {
    LLVMValueRef all[WORD];
    for (int k = 0; k < lanes; k++)
        all[k] = LLVMConstInt(type, mask, 0);
    LLVMTypeRef over = lanes > 1 ? LLVMVectorType(type, (unsigned)lanes) : type;
    LLVMValueRef masks = lanes > 1 ? LLVMConstVector(all, (unsigned)lanes) : all[0];
    LLVMValueRef elements = LLVMBuildLoad2(B, over, p, "");
    LLVMSetAlignment(elements, (unsigned)(LLVMGetIntTypeWidth(type) / 8));
    elements = LLVMBuildAnd(B, elements, masks, "");
    return LLVMBuildICmp(B, LLVMIntNE, elements, LLVMConstNull(over), "");
}

/* The bits of the last elements of a row, one by one. */
static void pack_few(Fn *f, LLVMTypeRef type, uint64_t mask, LLVMValueRef p, LLVMValueRef n,
                     LLVMValueRef word) {
    fn_set(f, word, fn_int(f, 0));
    Loop loop = loop_begin(f, fn_int(f, 0), n, "bit");
    LLVMValueRef is_set = test_elements(f, type, mask, 1, fn_at_index(f, type, p, loop.i));
    LLVMValueRef bit = fn_bin(f, LLVMShl, LLVMBuildZExt(B, is_set, f->e->i64, ""), loop.i);
    fn_set(f, word, fn_bin(f, LLVMOr, fn_get(f, f->e->i64, word), bit));
    loop_end_plain(f, &loop);
}

void emit_pack(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    Layout *l = value_layout(f, op->args[0]);
    LLVMValueRef *s = value_of(f, op->args[0])->s;
    LLVMTypeRef type = layout_col_type(f->e, &l->cols[0]);
    uint64_t mask = op->imm2 ? UINT64_MAX << op->imm : (uint64_t)1 << op->imm;
    LLVMValueRef from = fn_mul(f, value_scalar(f, op->args[op->nargs - 1]), fn_int(f, WORD));
    LLVMValueRef dim = s[l->rank - 1], left = fn_sub(f, dim, from);
    LLVMValueRef place = place_in(f, row_of(f, op, s), dim, from);
    LLVMValueRef p = fn_at_index(f, type, s[l->rank + 1], place);
    LLVMValueRef word = fn_alloca(f, f->e->i64, "word");
    If full = if_begin(f, fn_cmp(f, LLVMIntSGE, left, fn_int(f, WORD)));
    LLVMValueRef all = test_elements(f, type, mask, WORD, p);
    fn_set(f, word, LLVMBuildBitCast(B, all, f->e->i64, ""));
    if_else(f, &full);
    pack_few(f, type, mask, p, left, word);
    if_end(f, &full);
    set_scalar(f, id, fn_get(f, f->e->i64, word));
}
