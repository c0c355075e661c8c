/* Arithmetic on numbers of few bits, 64 points at a time. What is known is used: constant bits
   vanish, and a function of a number is a tree of choices in which equal sides are one, numbers
   that do not occur being equal to anything. */
#include "bits.h"

#include <assert.h>

/* ---- words ---- */

IrId word_const(IrBuilder *b, bool ones) {
    return ir_int(b, type_basic(b->module->types, TYPE_U64), ones ? -1 : 0);
}

static bool is_word(const IrBuilder *b, IrId x, bool ones) {
    int64_t value;
    return ir_const_int(b->func, x, &value) && value == (ones ? -1 : 0);
}

IrId word_and(IrBuilder *b, IrId x, IrId y) {
    if (x == y || is_word(b, x, false) || is_word(b, y, true))
        return x;
    if (is_word(b, y, false) || is_word(b, x, true))
        return y;
    return ir_binary(b, IR_BITAND, x, y);
}

IrId word_or(IrBuilder *b, IrId x, IrId y) {
    if (x == y || is_word(b, x, true) || is_word(b, y, false))
        return x;
    if (is_word(b, y, true) || is_word(b, x, false))
        return y;
    return ir_binary(b, IR_BITOR, x, y);
}

IrId word_xor(IrBuilder *b, IrId x, IrId y) {
    if (x == y)
        return word_const(b, false);
    if (is_word(b, x, false) || is_word(b, y, false))
        return is_word(b, x, false) ? y : x;
    if (is_word(b, x, true) || is_word(b, y, true))
        return word_not(b, is_word(b, x, true) ? y : x);
    return ir_binary(b, IR_BITXOR, x, y);
}

IrId word_not(IrBuilder *b, IrId x) {
    if (is_word(b, x, false) || is_word(b, x, true))
        return word_const(b, is_word(b, x, false));
    const IrOp *op = ir_op(b->func, x);
    return op->kind == IR_BITNOT ? op->args[0] : ir_unary(b, IR_BITNOT, x);
}

/* Is one the complement of the other? */
static bool are_opposite(const IrBuilder *b, IrId x, IrId y) {
    const IrOp *p = ir_op(b->func, x), *q = ir_op(b->func, y);
    return (p->kind == IR_BITNOT && p->args[0] == y) || (q->kind == IR_BITNOT && q->args[0] == x);
}

IrId word_choose(IrBuilder *b, IrId c, IrId x, IrId y) {
    if (x == y)
        return x;
    if (is_word(b, c, true) || is_word(b, c, false))
        return is_word(b, c, true) ? x : y;
    if (is_word(b, x, true) || is_word(b, y, false))
        return is_word(b, x, true) ? word_or(b, c, y) : word_and(b, c, x);
    if (is_word(b, x, false) || is_word(b, y, true))
        return is_word(b, x, false) ? word_and(b, word_not(b, c), y)
                                    : word_or(b, word_not(b, c), x);
    if (are_opposite(b, x, y))
        return word_xor(b, c, y);
    return word_or(b, word_and(b, c, x), word_and(b, word_not(b, c), y));
}

IrId word_of_bool(IrBuilder *b, IrId cond) {
    return ir_select(b, cond, word_const(b, true), word_const(b, false));
}

/* ---- numbers ---- */

Bits bits_const(int64_t value) {
    return (Bits){.base = value, .lo = value, .hi = value};
}

Bits bits_of_word(IrId word) {
    return (Bits){.hi = 1, .n = 1, .word = {word}};
}

int bits_width(int64_t most) {
    int n = 0;
    for (; most > 0; most >>= 1)
        n++;
    return n;
}

/* ---- sums ---- */

/* Words of one weight, taken from the front. */
typedef struct {
    IrId word[2 * BITS_SUMMED];
    int from, to;
} Queue;

static void add_word(IrBuilder *b, BitSum *sum, IrId word, int weight) {
    int64_t unit = (int64_t)1 << weight;
    if (is_word(b, word, false))
        return;
    if (is_word(b, word, true)) {
        sum->base += unit;
        return;
    }
    for (int k = 0; k < sum->n; k++) { /* x + not x */
        if (sum->weight[k] != weight || !are_opposite(b, sum->word[k], word))
            continue;
        sum->n--;
        sum->word[k] = sum->word[sum->n];
        sum->weight[k] = sum->weight[sum->n];
        sum->base += unit;
        return;
    }
    sum->word[sum->n] = word;
    sum->weight[sum->n++] = weight;
}

bool bits_add(IrBuilder *b, BitSum *sum, const Bits *x, int64_t factor) {
    uint64_t size = factor < 0 ? 0 - (uint64_t)factor : (uint64_t)factor;
    if (size >= 1 << BITS_MOST)
        return false;
    sum->base += factor * x->base;
    sum->lo += factor * (factor < 0 ? x->hi : x->lo);
    sum->hi += factor * (factor < 0 ? x->lo : x->hi);
    for (int k = 0; k < x->n; k++)
        for (int bit = 0; size >> bit; bit++) {
            if (!(size >> bit & 1))
                continue;
            if (sum->n == BITS_SUMMED)
                return false;
            if (factor < 0) /* -x is not x, less 1 */
                sum->base -= (int64_t)1 << (k + bit);
            add_word(b, sum, factor < 0 ? word_not(b, x->word[k]) : x->word[k], k + bit);
        }
    return true;
}

/* Three words of a weight become one, and one of the next. */
static void add_three(IrBuilder *b, Queue *q, Queue *next) {
    IrId x = q->word[q->from], y = q->word[q->from + 1], z = q->word[q->from + 2];
    q->from += 3;
    IrId either = word_xor(b, x, y);
    q->word[q->to++] = word_xor(b, either, z);
    if (next)
        next->word[next->to++] = word_or(b, word_and(b, x, y), word_and(b, either, z));
}

static void add_two(IrBuilder *b, Queue *q, Queue *next) {
    IrId x = q->word[q->from], y = q->word[q->from + 1];
    q->from += 2;
    q->word[q->to++] = word_xor(b, x, y);
    if (next)
        next->word[next->to++] = word_and(b, x, y);
}

/* The words of weights 0 … n - 1, which hold the sum. */
static void add_up(IrBuilder *b, const BitSum *sum, int n, IrId *out) {
    Queue *queues = NEW_ARRAY(b->func->arena, Queue, n);
    for (int k = 0; k < sum->n; k++)
        if (sum->weight[k] < n) {
            Queue *q = &queues[sum->weight[k]];
            q->word[q->to++] = sum->word[k];
        }
    for (int w = 0; w < n; w++) {
        Queue *q = &queues[w], *next = w + 1 < n ? q + 1 : NULL;
        while (q->to - q->from > 2)
            add_three(b, q, next);
        if (q->to - q->from == 2)
            add_two(b, q, next);
        out[w] = q->to > q->from ? q->word[q->from] : word_const(b, false);
    }
}

bool bits_total(IrBuilder *b, const BitSum *sum, Bits *out) {
    int64_t most = 0;
    for (int k = 0; k < sum->n; k++) {
        if (sum->weight[k] > BITS_MOST)
            return false;
        most += (int64_t)1 << sum->weight[k];
    }
    int64_t lo = sum->lo > sum->base ? sum->lo : sum->base;
    int64_t hi = sum->hi < sum->base + most ? sum->hi : sum->base + most;
    int n = bits_width(hi - sum->base);
    if (n > BITS_MOST)
        return false;
    *out = (Bits){.base = sum->base, .lo = lo, .hi = hi, .n = n};
    add_up(b, sum, n, out->word);
    return true;
}

void bits_rebase(IrBuilder *b, const Bits *x, int64_t base, int n, Bits *out) {
    BitSum sum = {.base = base};
    int64_t by = x->base - base;
    assert(by >= 0 && x->hi - base < (int64_t)1 << n);
    for (int k = 0; k < x->n; k++) {
        sum.word[sum.n] = x->word[k];
        sum.weight[sum.n++] = k;
    }
    for (int k = 0; by >> k; k++)
        if (by >> k & 1) {
            sum.word[sum.n] = word_const(b, true);
            sum.weight[sum.n++] = k;
        }
    *out = (Bits){.base = base, .lo = x->lo, .hi = x->hi, .n = n};
    add_up(b, &sum, n, out->word);
}

/* Both above one base and as long. */
static bool align(IrBuilder *b, const Bits *x, const Bits *y, Bits *p, Bits *q) {
    int64_t base = x->base < y->base ? x->base : y->base, hi = x->hi > y->hi ? x->hi : y->hi;
    int n = bits_width(hi - base);
    if (n > BITS_MOST)
        return false;
    bits_rebase(b, x, base, n, p);
    bits_rebase(b, y, base, n, q);
    return true;
}

/* (X + p) (Y + q) = X Y + q X + p Y + p q, X and Y being what the words hold. */
bool bits_product(IrBuilder *b, const Bits *x, const Bits *y, BitSum *out) {
    Bits left = *x, right = *y;
    left.base = right.base = 0;
    *out = (BitSum){.base = x->base * y->base};
    bool fits = bits_add(b, out, &left, y->base) && bits_add(b, out, &right, x->base);
    for (int i = 0; i < x->n; i++)
        for (int k = 0; k < y->n && fits; k++) {
            Bits both = bits_of_word(word_and(b, x->word[i], y->word[k]));
            fits = bits_add(b, out, &both, (int64_t)1 << (i + k));
        }
    int64_t ends[] = {x->lo * y->lo, x->lo * y->hi, x->hi * y->lo, x->hi * y->hi};
    out->lo = out->hi = ends[0];
    for (int k = 1; k < 4; k++) {
        out->lo = ends[k] < out->lo ? ends[k] : out->lo;
        out->hi = ends[k] > out->hi ? ends[k] : out->hi;
    }
    return fits;
}

/* ---- choices ---- */

bool bits_choose(IrBuilder *b, IrId c, const Bits *x, const Bits *y, Bits *out) {
    Bits p, q;
    if (!align(b, x, y, &p, &q))
        return false;
    *out = p;
    out->lo = x->lo < y->lo ? x->lo : y->lo;
    out->hi = x->hi > y->hi ? x->hi : y->hi;
    for (int k = 0; k < p.n; k++)
        out->word[k] = word_choose(b, c, p.word[k], q.word[k]);
    return true;
}

IrId bits_less(IrBuilder *b, const Bits *x, const Bits *y) {
    Bits p, q;
    if (x->hi < y->lo || x->lo >= y->hi)
        return word_const(b, x->hi < y->lo);
    if (!align(b, x, y, &p, &q))
        return IR_NONE;
    IrId less = word_const(b, false);
    for (int k = 0; k < p.n; k++)
        less = word_choose(b, word_xor(b, p.word[k], q.word[k]), q.word[k], less);
    return less;
}

IrId bits_equal(IrBuilder *b, const Bits *x, const Bits *y) {
    Bits p, q;
    if (x->hi < y->lo || x->lo > y->hi)
        return word_const(b, false);
    if (!align(b, x, y, &p, &q))
        return IR_NONE;
    IrId differs = word_const(b, false);
    for (int k = 0; k < p.n; k++)
        differs = word_or(b, differs, word_xor(b, p.word[k], q.word[k]));
    return word_not(b, differs);
}

/* ---- functions of a number ---- */

static bool are_equal(const Leaf *x, const Leaf *y) {
    return x->kind == LEAF_ANY || y->kind == LEAF_ANY ||
           (x->kind == y->kind && (x->kind == LEAF_CONST ? x->bits == y->bits : x->id == y->id));
}

/* Joins 2^n leaves, words being 0, all ones or of any kind, by the bits of a number. */
static IrId choose_leaf(IrBuilder *b, const IrId *words, int n, const Leaf *leaves) {
    if (n == 0)
        return leaves[0].kind == LEAF_VALUE
                   ? leaves[0].id
                   : word_const(b, leaves[0].kind == LEAF_CONST && leaves[0].bits);
    int half = 1 << (n - 1);
    bool same = true;
    for (int k = 0; k < half; k++)
        same = same && are_equal(&leaves[k], &leaves[k + half]);
    if (!same) {
        IrId high = choose_leaf(b, words, n - 1, leaves + half);
        return word_choose(b, words[n - 1], high, choose_leaf(b, words, n - 1, leaves));
    }
    Leaf *either = NEW_ARRAY(b->func->arena, Leaf, half);
    for (int k = 0; k < half; k++)
        either[k] = leaves[k].kind == LEAF_ANY ? leaves[k + half] : leaves[k];
    return choose_leaf(b, words, n - 1, either);
}

/* Bit k of a leaf less base, in all points. */
static Leaf leaf_bit(IrBuilder *b, const Leaf *leaf, bool is_bool, int64_t base, int k) {
    if (leaf->kind == LEAF_ANY)
        return *leaf;
    if (leaf->kind == LEAF_CONST)
        return (Leaf){.kind = LEAF_CONST, .bits = (leaf->bits - base) >> k & 1};
    if (is_bool)
        return (Leaf){.kind = LEAF_VALUE, .id = word_of_bool(b, leaf->id)};
    Type *type = type_basic(b->module->types, TYPE_I64);
    IrId above = ir_binary(b, IR_SUB, ir_convert(b, type, leaf->id), ir_i64(b, base));
    IrId bit = ir_binary(b, IR_BITAND, ir_binary(b, IR_SHR, above, ir_i64(b, k)), ir_i64(b, 1));
    IrId all = ir_unary(b, IR_NEG, ir_convert(b, type_basic(b->module->types, TYPE_U64), bit));
    return (Leaf){.kind = LEAF_VALUE, .id = all};
}

bool bits_pick(IrBuilder *b, const Bits *x, const Leaf *leaves, bool is_bool, int64_t lo,
               int64_t hi, Bits *out) {
    int n = bits_width(hi - lo), size = 1 << x->n;
    if (n > BITS_MOST)
        return false;
    *out = (Bits){.base = lo, .lo = lo, .hi = hi, .n = n};
    Leaf *all = NEW_ARRAY(b->func->arena, Leaf, size);
    for (int k = 0; k < n; k++) {
        for (int i = 0; i < size; i++) {
            int64_t value = x->base + i;
            bool occurs = value >= x->lo && value <= x->hi;
            all[i] = occurs ? leaf_bit(b, &leaves[value - x->lo], is_bool, lo, k)
                            : (Leaf){.kind = LEAF_ANY};
        }
        out->word[k] = choose_leaf(b, x->word, x->n, all);
    }
    return true;
}
