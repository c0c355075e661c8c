/* A kernel's body for 64 points at a time. A value of the body is the same for all points and stays
   a scalar, or it is the number of the point's column plus a constant, or it is made of the
   arrays' bits and becomes bits: as words, as a sum that the next op may add to, or as a function
   of words that the next op may go on with. Choices by bits are done on both sides. */
#include "bits.h"
#include "ir_build.h"
#include "range.h"

#include <assert.h>

enum {
    MOST_VALUES = 64,  /* of a function that have to be computed */
    MOST_POINTS = 256, /* of a loop in the body */
    MOST_NUMBER = 1 << 16,
    WORD = 64,
};

typedef struct {
    Bits of;
    Leaf *leaves; /* by number, from of.lo on */
} Table;

typedef struct Value Value;
struct Value {
    enum { AS_NOTHING, AS_SCALAR, AS_COLUMN, AS_BITS, AS_SUM, AS_TABLE, AS_TUPLE } form;
    IrId id;        /* SCALAR */
    int64_t offset; /* COLUMN */
    Bits bits;
    BitSum *sum;
    Table table;
    Value *items; /* TUPLE */
};

/* A word that was read; the place is the array, the bit, the rows and the column. */
typedef struct {
    const IrRegion *region;
    int array, bit;
    const IrId *rows;
    int64_t column;
    IrId word;
} Read;

typedef struct {
    BitLoop *loop;
    IrBuilder *b;
    const IrRegion *body;
    const IrId *map;
    IrId word;
    bool at_border;
    int guesses; /* choices by bits around the op at hand */
    /* Of the values of the body, whose ids are from `from` on, `count` of them: */
    IrId from;
    int count;
    Value *values;
    int *uses;
    const IrRegion **user; /* the region of some use */
    VEC(Read) reads;
} Body;

static bool fail(Body *s, const char *why) {
    if (!s->loop->why)
        s->loop->why = why;
    return false;
}

static const IrFunc *func(const Body *s) {
    return s->loop->f;
}

static Type *i64_type(const Body *s) {
    return type_basic(s->loop->m->types, TYPE_I64);
}

/* ---- values ---- */

static Value scalar(IrId id) {
    return (Value){.form = AS_SCALAR, .id = id};
}

static Value in_words(const Bits *bits) {
    return (Value){.form = AS_BITS, .bits = *bits};
}

static bool is_inside(const Body *s, IrId id) {
    return id >= s->from && id - s->from < (IrId)s->count;
}

static Value *value_of(const Body *s, IrId id) {
    return &s->values[id - s->from];
}

static Value value_at(const Body *s, IrId id) {
    return is_inside(s, id) && value_of(s, id)->form ? *value_of(s, id) : scalar(s->map[id]);
}

static bool is_made_of_bits(const Value *v) {
    return v->form == AS_BITS || v->form == AS_SUM || v->form == AS_TABLE;
}

/* The numbers of a type, as far as i64 has them. */
static void type_limits(const Type *type, int64_t *lo, int64_t *hi) {
    int bits = type->kind == TYPE_BOOL ? 1 : 8 * type_bytes(type);
    bool is_signed = type_is_signed(type);
    *lo = is_signed ? (int64_t)(UINT64_MAX << (bits - 1)) : 0;
    *hi = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - is_signed)) - 1;
}

static bool fits_type(const Bits *x, const Type *type) {
    int64_t lo, hi;
    type_limits(type, &lo, &hi);
    return x->lo >= lo && x->hi <= hi;
}

/* Between what a scalar of the new code is; false: not between numbers of few bits. */
static bool scalar_limits(const Body *s, IrId id, int64_t *lo, int64_t *hi) {
    const Type *type = ir_type(func(s), id);
    if (type->kind == TYPE_BOOL) {
        type_limits(type, lo, hi);
        return true;
    }
    if (!type_is_int(type))
        return false;
    Range r = {.m = s->loop->m, .f = s->loop->f, .arena = s->loop->f->arena};
    Interval all = range_interval(&r, id);
    *lo = all.lo;
    *hi = all.hi;
    return all.lo > -MOST_NUMBER && all.hi < MOST_NUMBER;
}

/* Between what a function's values are; false: they are no numbers of few bits. */
static bool table_limits(const Body *s, const Table *t, int64_t *lo, int64_t *hi) {
    *lo = INT64_MAX;
    *hi = INT64_MIN;
    for (int64_t k = 0; k <= t->of.hi - t->of.lo; k++) {
        const Leaf *leaf = &t->leaves[k];
        int64_t least = leaf->bits, most = leaf->bits;
        if (leaf->kind == LEAF_ANY)
            continue;
        if (leaf->kind == LEAF_VALUE && !scalar_limits(s, leaf->id, &least, &most))
            return false;
        *lo = least < *lo ? least : *lo;
        *hi = most > *hi ? most : *hi;
    }
    if (*lo > *hi)
        *lo = *hi = 0; /* nothing that matters */
    return *lo > -MOST_NUMBER && *hi < MOST_NUMBER && bits_width(*hi - *lo) <= BITS_MOST;
}

static bool table_bits(Body *s, const Table *t, const Type *type, Bits *out) {
    int64_t lo, hi;
    return table_limits(s, t, &lo, &hi) &&
           bits_pick(s->b, &t->of, t->leaves, type->kind == TYPE_BOOL, lo, hi, out);
}

/* A scalar as bits. */
static bool scalar_bits(Body *s, IrId id, const Type *type, Bits *out) {
    int64_t value;
    if (ir_const_int(func(s), id, &value)) {
        *out = bits_const(value);
        return true;
    }
    int64_t lo, hi;
    if (!scalar_limits(s, id, &lo, &hi))
        return false;
    Leaf leaf = {.kind = LEAF_VALUE, .id = id};
    Bits one = bits_const(0);
    return bits_pick(s->b, &one, &leaf, type->kind == TYPE_BOOL, lo, hi, out);
}

static bool bits_of(Body *s, const Value *v, const Type *type, Bits *out) {
    switch (v->form) {
    case AS_SCALAR:
        return scalar_bits(s, v->id, type, out) ||
               fail(s, "it computes with a number that is not known to be small");
    case AS_BITS: *out = v->bits; return true;
    case AS_SUM:
        return (bits_total(s->b, v->sum, out) && fits_type(out, type)) ||
               fail(s, "its numbers grow too large");
    case AS_TABLE:
        return table_bits(s, &v->table, type, out) || fail(s, "its numbers grow too large");
    case AS_COLUMN: return fail(s, "it computes with the number of a column");
    case AS_NOTHING:
    case AS_TUPLE: break;
    }
    return fail(s, "it computes with more than numbers");
}

static bool arg_bits(Body *s, const IrOp *op, int k, Bits *out) {
    Value v = value_at(s, op->args[k]);
    return bits_of(s, &v, ir_type(func(s), op->args[k]), out);
}

/* ---- ops that are the same for all points ---- */

static IrId emit_scalar(Body *s, const IrOp *op) {
    IrOp copy = *op;
    copy.args = NEW_ARRAY(func(s)->arena, IrId, op->nargs);
    for (int k = 0; k < op->nargs; k++)
        copy.args[k] = value_at(s, op->args[k]).id;
    copy.consumed = 0;
    return ir_emit(s->b, copy);
}

static bool is_scalar_op(const Body *s, const IrOp *op) {
    for (int k = 0; k < op->nargs; k++)
        if (value_at(s, op->args[k]).form != AS_SCALAR)
            return false;
    return true;
}

/* ---- reading ---- */

static int array_of(const BitLoop *loop, IrId array) {
    for (int k = 0; k < loop->arrays.len; k++)
        if (loop->arrays.at[k].array == array)
            return k;
    return -1;
}

/* An index of a row: one that a choice guards may be outside where the choice was guessed. */
static IrId row_at(Body *s, int array, const IrOp *op, int axis) {
    IrId at = value_at(s, op->args[1 + axis]).id;
    bool is_own = array < s->loop->ncarried && axis < s->body->params.len - 1 &&
                  op->args[1 + axis] == s->body->params.at[axis];
    if (s->guesses == 0 || is_own)
        return at;
    IrBuilder *b = s->b;
    IrId dim = ir_dim(b, s->loop->arrays.at[array].like, axis);
    IrId last = ir_binary(b, IR_SUB, dim, ir_i64(b, 1));
    return ir_binary(b, IR_MAX, ir_binary(b, IR_MIN, at, last), ir_i64(b, 0));
}

/* Word `by` words from the one at hand. */
static IrId load_word(Body *s, int array, int bit, const IrId *rows, int nrows, int64_t by) {
    IrBuilder *b = s->b;
    const BitArray *a = &s->loop->arrays.at[array];
    if (!a->words)
        return ir_undef(b, type_basic(s->loop->m->types, TYPE_U64));
    IrId *at = NEW_ARRAY(func(s)->arena, IrId, nrows + 1);
    for (int k = 0; k < nrows; k++)
        at[k] = rows[k];
    at[nrows] = by ? ir_binary(b, IR_ADD, s->word, ir_i64(b, by)) : s->word;
    if (s->at_border) {
        IrId last = ir_binary(b, IR_SUB, ir_dim(b, a->words[bit], nrows), ir_i64(b, 1));
        at[nrows] = ir_binary(b, IR_MAX, ir_binary(b, IR_MIN, at[nrows], last), ir_i64(b, 0));
    }
    return ir_index(b, a->words[bit], at, nrows + 1, false);
}

static Read *find_read(Body *s, const Read *wanted, int nrows) {
    for (int i = 0; i < s->reads.len; i++) {
        Read *r = &s->reads.at[i];
        bool same = r->region == s->b->region && r->array == wanted->array &&
                    r->bit == wanted->bit && r->column == wanted->column;
        for (int k = 0; k < nrows && same; k++)
            same = r->rows[k] == wanted->rows[k];
        if (same)
            return r;
    }
    return NULL;
}

/* The word whose bit i is of column i + column: parts of two words, unless columns are words. */
static IrId read_word(Body *s, int array, int bit, const IrId *rows, int nrows, int64_t column) {
    IrBuilder *b = s->b;
    Read read = {b->region, array, bit, rows, column, IR_NONE};
    Read *known = find_read(s, &read, nrows);
    if (known)
        return known->word;
    int64_t shift = ((column % WORD) + WORD) % WORD, by = (column - shift) / WORD;
    if (shift == 0) {
        read.word = load_word(s, array, bit, rows, nrows, by);
    } else {
        IrId low = read_word(s, array, bit, rows, nrows, by * WORD);
        IrId high = read_word(s, array, bit, rows, nrows, by * WORD + WORD);
        low = ir_binary(b, IR_SHR, low, ir_i64(b, shift));
        high = ir_binary(b, IR_SHL, high, ir_i64(b, WORD - shift));
        read.word = ir_binary(b, IR_BITOR, low, high);
    }
    vec_push(func(s)->arena, &s->reads, read);
    return read.word;
}

static bool read_bits(Body *s, int array, const IrOp *op, Value *out) {
    int last = op->nargs - 1, nrows = last - 1, bits = s->loop->arrays.at[array].bits;
    Value column = value_at(s, op->args[last]);
    IrId *rows = NEW_ARRAY(func(s)->arena, IrId, nrows + 1);
    for (int k = 0; k < nrows; k++) {
        if (value_at(s, op->args[1 + k]).form != AS_SCALAR)
            return fail(s, "it reads other than its row's neighbours");
        rows[k] = row_at(s, array, op, k);
    }
    if (column.form != AS_COLUMN)
        return fail(s, "it reads columns that are not near its own");
    s->loop->reads_ahead |= column.offset > 0;
    Bits x = {.hi = ((int64_t)1 << bits) - 1, .n = bits};
    for (int k = 0; k < bits; k++)
        x.word[k] = read_word(s, array, k, rows, nrows, column.offset);
    *out = in_words(&x);
    return true;
}

/* Element `index`, made of bits, of an array from outside. */
static bool look_up(Body *s, const IrOp *op, Value *out) {
    IrBuilder *b = s->b;
    IrId array = s->map[op->args[0]];
    Bits x;
    if (s->guesses || !arg_bits(s, op, 1, &x))
        return fail(s, "it looks up what may not be there");
    if (x.hi - x.lo >= MOST_VALUES)
        return fail(s, "it looks up one of many elements");
    Leaf *leaves = NEW_ARRAY(func(s)->arena, Leaf, x.hi - x.lo + 1);
    IrId last = ir_binary(b, IR_SUB, ir_dim(b, array, 0), ir_i64(b, 1));
    for (int64_t k = x.lo; k <= x.hi; k++) {
        IrId at = ir_binary(b, IR_MIN, ir_i64(b, k), last);
        at = ir_binary(b, IR_MAX, at, ir_i64(b, 0));
        leaves[k - x.lo] = (Leaf){.kind = LEAF_VALUE, .id = ir_index(b, array, &at, 1, false)};
    }
    *out = (Value){.form = AS_TABLE, .table = {x, leaves}};
    return true;
}

static bool read_array(Body *s, const IrOp *op, Value *out) {
    const IrFunc *f = func(s);
    int array = array_of(s->loop, op->args[0]);
    const Type *type = ir_type(f, op->args[0]);
    if (array >= 0)
        return read_bits(s, array, op, out);
    if (is_scalar_op(s, op)) {
        *out = scalar(emit_scalar(s, op));
        return true;
    }
    if (ir_defined_in(f, s->loop->loop, op->args[0]) || op->nargs - 1 != type->rank)
        return fail(s, "it reads an array that is made in a step");
    Value first = value_at(s, op->args[1]);
    if (type->rank == 1 && is_made_of_bits(&first) && type_is_scalar(type->elem))
        return look_up(s, op, out);
    if (type->elem->kind != TYPE_BOOL)
        return fail(s, "it reads an array of other values than bools");
    BitArray a = {.array = op->args[0], .like = op->args[0], .bits = 1};
    vec_push(f->arena, &s->loop->arrays, a);
    return read_bits(s, s->loop->arrays.len - 1, op, out);
}

/* ---- arithmetic ---- */

/* The number of a column plus a constant. */
static bool move_column(Body *s, const IrOp *op, Value *out) {
    Value x = value_at(s, op->args[0]), y = value_at(s, op->args[op->nargs - 1]);
    int64_t by;
    if (op->kind == IR_ADD && x.form == AS_SCALAR) {
        Value swapped = x;
        x = y;
        y = swapped;
    }
    if ((op->kind != IR_ADD && op->kind != IR_SUB) || x.form != AS_COLUMN || y.form != AS_SCALAR ||
        !ir_const_int(func(s), y.id, &by) || by < -1024 || by > 1024)
        return fail(s, "it computes with the number of a column");
    *out = (Value){.form = AS_COLUMN, .offset = x.offset + (op->kind == IR_ADD ? by : -by)};
    return true;
}

/* Adds a sum that is not worked out. */
static bool add_sum(Body *s, BitSum *sum, const BitSum *other) {
    int64_t lo = sum->lo + other->lo, hi = sum->hi + other->hi;
    sum->base += other->base;
    for (int i = 0; i < other->n; i++) {
        Bits word = bits_of_word(other->word[i]);
        if (!bits_add(s->b, sum, &word, (int64_t)1 << other->weight[i]))
            return fail(s, "it adds up too much");
    }
    sum->lo = lo;
    sum->hi = hi;
    return true;
}

static bool add_value(Body *s, BitSum *sum, const Value *v, const Type *type, int64_t factor) {
    Bits x;
    if (v->form == AS_SUM && factor == 1)
        return add_sum(s, sum, v->sum);
    return bits_of(s, v, type, &x) &&
           (bits_add(s->b, sum, &x, factor) || fail(s, "it adds up too much"));
}

static bool add_arg(Body *s, BitSum *sum, const IrOp *op, int k, int64_t factor) {
    Value v = value_at(s, op->args[k]);
    return add_value(s, sum, &v, ir_type(func(s), op->args[k]), factor);
}

static bool is_sum(const Body *s, const IrOp *op) {
    int64_t factor;
    if (op->kind == IR_MUL)
        for (int k = 0; k < 2; k++)
            if (ir_const_int(func(s), value_at(s, op->args[k]).id, &factor) &&
                value_at(s, op->args[k]).form == AS_SCALAR)
                return true;
    return op->kind == IR_ADD || op->kind == IR_SUB || op->kind == IR_NEG;
}

/* Sums, differences and multiples, but of functions that are not worked out. */
static bool add_args(Body *s, const IrOp *op, Value *out) {
    BitSum *sum = NEW(func(s)->arena, BitSum);
    *out = (Value){.form = AS_SUM, .sum = sum};
    int64_t factor = 1;
    if (op->kind == IR_NEG)
        return add_arg(s, sum, op, 0, -1);
    if (op->kind != IR_MUL)
        return add_arg(s, sum, op, 0, 1) && add_arg(s, sum, op, 1, op->kind == IR_ADD ? 1 : -1);
    int which = value_at(s, op->args[0]).form == AS_SCALAR;
    ir_const_int(func(s), value_at(s, op->args[!which]).id, &factor);
    return add_arg(s, sum, op, which, factor);
}

static bool multiply(Body *s, const IrOp *op, Value *out) {
    BitSum *sum = NEW(func(s)->arena, BitSum);
    Bits x, y;
    *out = (Value){.form = AS_SUM, .sum = sum};
    return arg_bits(s, op, 0, &x) && arg_bits(s, op, 1, &y) &&
           (bits_product(s->b, &x, &y, sum) || fail(s, "its numbers grow too large"));
}

/* ---- functions of few numbers ---- */

static bool may_trap(IrKind kind) {
    return kind == IR_DIV || kind == IR_MOD || kind == IR_FDIV || kind == IR_FMOD || kind == IR_POW;
}

static Leaf leaf_of(const Body *s, IrId id) {
    Leaf leaf = {.kind = LEAF_VALUE, .id = id};
    if (ir_const_bits(func(s), id, &leaf.bits))
        leaf.kind = LEAF_CONST;
    return leaf;
}

/* The op of leaves. */
static bool apply(Body *s, const IrOp *op, const Leaf *args, Leaf *out) {
    const IrFunc *f = func(s);
    IrConst all[3];
    bool is_const = true;
    *out = (Leaf){.kind = LEAF_ANY};
    for (int k = 0; k < op->nargs; k++) {
        if (args[k].kind == LEAF_ANY)
            return true;
        is_const &= args[k].kind == LEAF_CONST;
        all[k] = (IrConst){ir_type(f, op->args[k])->kind, args[k].bits};
    }
    if (is_const) {
        if (ir_eval(op->kind, op->type->kind, all, op->nargs, &out->bits))
            out->kind = LEAF_CONST; /* else it does not occur */
        return true;
    }
    if (may_trap(op->kind))
        return fail(s, "it divides by what is not known");
    IrOp copy = *op;
    copy.args = NEW_ARRAY(f->arena, IrId, op->nargs);
    for (int k = 0; k < op->nargs; k++)
        copy.args[k] = args[k].kind == LEAF_VALUE
                           ? args[k].id
                           : ir_bits_const(s->b, ir_type(f, op->args[k]), args[k].bits);
    copy.consumed = 0;
    *out = leaf_of(s, ir_emit(s->b, copy));
    return true;
}

/* An operand as a function of words, one leaf for each number that they can hold. */
static bool operand_table(Body *s, const IrOp *op, int k, Table *out) {
    Value v = value_at(s, op->args[k]);
    Table from = v.table;
    if (v.form == AS_SCALAR)
        from.of = bits_const(0);
    else if (v.form != AS_TABLE && !arg_bits(s, op, k, &from.of))
        return false;
    const Bits *x = &from.of;
    *out = (Table){*x, NEW_ARRAY(func(s)->arena, Leaf, 1 << x->n)};
    for (int i = 0; i < 1 << x->n; i++) {
        int64_t number = x->base + i;
        if (number < x->lo || number > x->hi)
            continue; /* any */
        out->leaves[i] = v.form == AS_SCALAR  ? leaf_of(s, v.id)
                         : v.form == AS_TABLE ? from.leaves[number - x->lo]
                                              : (Leaf){.kind = LEAF_CONST, .bits = number};
    }
    return true;
}

/* The op as a function of all its operands' words together. */
static bool tabulate(Body *s, const IrOp *op, Value *out) {
    Table from[3], to = {0};
    bool is_const = true;
    for (int k = 0; k < op->nargs; k++) {
        if (!operand_table(s, op, k, &from[k]))
            return false;
        if (to.of.n + from[k].of.n > BITS_MOST)
            return fail(s, "its numbers grow too large");
        for (int i = 0; i < from[k].of.n; i++)
            to.of.word[to.of.n++] = from[k].of.word[i];
        for (int i = 0; i < 1 << from[k].of.n; i++)
            is_const &= from[k].leaves[i].kind != LEAF_VALUE;
    }
    int size = 1 << to.of.n;
    if (!is_const && size > MOST_VALUES)
        return fail(s, "it computes with numbers that are not known to be small");
    to.of.hi = size - 1;
    to.leaves = NEW_ARRAY(func(s)->arena, Leaf, size);
    for (int i = 0; i < size; i++) {
        Leaf args[3];
        for (int k = 0, rest = i; k < op->nargs; k++) {
            args[k] = from[k].leaves[rest & ((1 << from[k].of.n) - 1)];
            rest >>= from[k].of.n;
        }
        if (!apply(s, op, args, &to.leaves[i]))
            return false;
    }
    *out = (Value){.form = AS_TABLE, .table = to};
    return true;
}

/* May a value become bits? */
static bool is_plain(const Body *s, const Value *v) {
    int64_t lo, hi;
    return v->form == AS_TABLE    ? table_limits(s, &v->table, &lo, &hi)
           : v->form == AS_SCALAR ? scalar_limits(s, v->id, &lo, &hi)
                                  : true;
}

/* Is every operand but one a constant? */
static bool has_constants(const Body *s, const IrOp *op, int which) {
    int64_t bits;
    for (int k = 0; k < op->nargs; k++)
        if (k != which && !ir_const_bits(func(s), value_at(s, op->args[k]).id, &bits))
            return false;
    return true;
}

/* ---- functions of two ---- */

static bool is_comparison(IrKind kind) {
    return kind == IR_EQ || kind == IR_NE || kind == IR_LT || kind == IR_LE || kind == IR_GT ||
           kind == IR_GE;
}

static bool compare(Body *s, IrKind kind, const Bits *x, const Bits *y, Value *out) {
    bool is_equality = kind == IR_EQ || kind == IR_NE, swaps = kind == IR_GT || kind == IR_LE;
    IrId word =
        is_equality ? bits_equal(s->b, x, y) : bits_less(s->b, swaps ? y : x, swaps ? x : y);
    if (!word)
        return fail(s, "its numbers grow too large");
    if (kind == IR_NE || kind == IR_LE || kind == IR_GE)
        word = word_not(s->b, word);
    Bits result = bits_of_word(word);
    *out = in_words(&result);
    return true;
}

static bool choose_less(Body *s, IrKind kind, const Bits *x, const Bits *y, Value *out) {
    IrId less = bits_less(s->b, x, y);
    Bits z;
    if (!less || !bits_choose(s->b, less, kind == IR_MIN ? x : y, kind == IR_MIN ? y : x, &z))
        return fail(s, "its numbers grow too large");
    *out = in_words(&z);
    return true;
}

static bool by_bit(Body *s, IrKind kind, const Bits *x, const Bits *y, Value *out) {
    int64_t hi = x->hi > y->hi ? x->hi : y->hi;
    int n = bits_width(hi);
    Bits p, q;
    if (x->base < 0 || y->base < 0 || n > BITS_MOST)
        return fail(s, "it takes bits of negative numbers");
    bits_rebase(s->b, x, 0, n, &p);
    bits_rebase(s->b, y, 0, n, &q);
    Bits z = {.hi = ((int64_t)1 << n) - 1, .n = n};
    for (int k = 0; k < n; k++)
        z.word[k] = kind == IR_BITAND  ? word_and(s->b, p.word[k], q.word[k])
                    : kind == IR_BITOR ? word_or(s->b, p.word[k], q.word[k])
                                       : word_xor(s->b, p.word[k], q.word[k]);
    *out = in_words(&z);
    return true;
}

static bool combine(Body *s, const IrOp *op, Value *out) {
    Value v = value_at(s, op->args[0]), w = value_at(s, op->args[1]);
    Bits x, y;
    if (!is_plain(s, &v) || !is_plain(s, &w))
        return tabulate(s, op, out);
    if (!arg_bits(s, op, 0, &x) || !arg_bits(s, op, 1, &y))
        return false;
    if (is_comparison(op->kind))
        return compare(s, op->kind, &x, &y, out);
    switch ((int)op->kind) {
    case IR_MIN:
    case IR_MAX: return choose_less(s, op->kind, &x, &y, out);
    case IR_BITAND:
    case IR_BITOR:
    case IR_BITXOR: return by_bit(s, op->kind, &x, &y, out);
    default: return tabulate(s, op, out);
    }
}

/* A comparison of a number with a scalar of which only counts where it is among the numbers. */
static bool compare_scalar(Body *s, const IrOp *op, int which, Value *out) {
    IrBuilder *b = s->b;
    const Type *type = ir_type(func(s), op->args[!which]);
    Bits x, one = bits_const(0), y;
    if (type->kind == TYPE_U64 || !arg_bits(s, op, which, &x))
        return fail(s, "it computes with a number that is not known to be small");
    IrId near = ir_convert(b, i64_type(s), value_at(s, op->args[!which]).id);
    near =
        ir_binary(b, IR_MIN, ir_binary(b, IR_MAX, near, ir_i64(b, x.lo - 1)), ir_i64(b, x.hi + 1));
    Leaf leaf = {.kind = LEAF_VALUE, .id = near};
    return (bits_pick(b, &one, &leaf, false, x.lo - 1, x.hi + 1, &y) ||
            fail(s, "its numbers grow too large")) &&
           compare(s, op->kind, which ? &y : &x, which ? &x : &y, out);
}

static bool convert(Body *s, const IrOp *op, Value *out) {
    Bits x;
    if (!arg_bits(s, op, 0, &x))
        return false;
    if (op->type->kind == TYPE_BOOL || !type_is_int(op->type) || !fits_type(&x, op->type))
        return tabulate(s, op, out);
    *out = in_words(&x);
    return true;
}

/* c ? x : y of the old code. */
static bool choose(Body *s, const IrOp *op, Value *out) {
    Value v = value_at(s, op->args[1]), w = value_at(s, op->args[2]);
    bool is_table = v.form == AS_SCALAR && w.form == AS_SCALAR;
    Bits c, x, y, z;
    if (is_table || !is_plain(s, &v) || !is_plain(s, &w))
        return tabulate(s, op, out);
    if (!arg_bits(s, op, 0, &c) || !arg_bits(s, op, 1, &x) || !arg_bits(s, op, 2, &y))
        return false;
    if (c.n == 0)
        z = c.base ? x : y;
    else if (!bits_choose(s->b, c.word[0], &x, &y, &z))
        return fail(s, "its numbers grow too large");
    *out = in_words(&z);
    return true;
}

static bool are_plain(const Body *s, const IrOp *op) {
    bool all = true;
    for (int k = 0; k < op->nargs; k++) {
        Value v = value_at(s, op->args[k]);
        all = all && is_plain(s, &v);
    }
    return all;
}

static bool compute(Body *s, const IrOp *op, Value *out) {
    int which = -1, count = 0;
    for (int k = 0; k < op->nargs; k++) {
        Value v = value_at(s, op->args[k]);
        if (v.form == AS_COLUMN)
            return move_column(s, op, out);
        if (v.form == AS_SCALAR)
            continue;
        which = k;
        count++;
    }
    if (count == 0) {
        *out = scalar(emit_scalar(s, op));
        return true;
    }
    if (op->kind == IR_SELECT)
        return choose(s, op, out);
    Value v = value_at(s, op->args[which]);
    if (op->kind == IR_CONVERT && v.form != AS_TABLE)
        return convert(s, op, out);
    if (is_sum(s, op) &&
        (count > 1 ? are_plain(s, op) : is_plain(s, &v) && has_constants(s, op, which)))
        return add_args(s, op, out);
    if (count == 1 && is_comparison(op->kind) && v.form != AS_TABLE &&
        !has_constants(s, op, which) && type_is_int(ir_type(func(s), op->args[which])))
        return compare_scalar(s, op, which, out);
    if (count == 1 || op->nargs != 2)
        return tabulate(s, op, out);
    return op->kind == IR_MUL && are_plain(s, op) ? multiply(s, op, out) : combine(s, op, out);
}

/* ---- choices ---- */

static bool slice_region(Body *s, const IrRegion *region);

/* What a region yields, of several values as a tuple. */
static Value results_value(Body *s, const IrRegion *region, const Value *results) {
    if (region->results.len == 1)
        return results[0];
    Value *items = NEW_ARRAY(func(s)->arena, Value, region->results.len);
    for (int k = 0; k < region->results.len; k++)
        items[k] = results[k];
    return (Value){.form = AS_TUPLE, .items = items};
}

/* A choice by bits: both sides, then each result of one or the other. */
static bool guess(Body *s, const IrOp *op, Value *out) {
    const IrRegion *then = op->regions[0], *otherwise = op->regions[1];
    int n = then->results.len;
    Value *results = NEW_ARRAY(func(s)->arena, Value, n + 1);
    s->guesses++;
    bool fits = slice_region(s, then) && slice_region(s, otherwise);
    s->guesses--;
    for (int k = 0; k < n && fits; k++) {
        IrId args[] = {op->args[0], then->results.at[k], otherwise->results.at[k]};
        IrOp one = {.kind = IR_SELECT, .args = args, .nargs = 3, .type = ir_type(func(s), args[1])};
        fits = (type_is_scalar(one.type) || fail(s, "it chooses between more than numbers")) &&
               choose(s, &one, &results[k]);
    }
    *out = results_value(s, then, results);
    return fits;
}

/* Result k of both sides of a choice that all points make together: scalars stay what they are,
   numbers get as many words on both. */
static bool yield_both(Body *s, const IrOp *op, IrRegion *const *to, int k, Value *out) {
    Bits bits[2], like = {0};
    Value v[2];
    for (int side = 0; side < 2; side++)
        v[side] = value_at(s, op->regions[side]->results.at[k]);
    bool is_scalar = v[0].form == AS_SCALAR && v[1].form == AS_SCALAR;
    for (int side = 0; side < 2; side++) {
        IrId id = op->regions[side]->results.at[k];
        s->b->region = to[side];
        if (is_scalar)
            vec_push(func(s)->arena, &to[side]->results, v[side].id);
        else if (!bits_of(s, &v[side], ir_type(func(s), id), &bits[side]))
            return false;
    }
    if (is_scalar) {
        *out = scalar(IR_NONE);
        return true;
    }
    like.base = bits[0].base < bits[1].base ? bits[0].base : bits[1].base;
    like.lo = bits[0].lo < bits[1].lo ? bits[0].lo : bits[1].lo;
    like.hi = bits[0].hi > bits[1].hi ? bits[0].hi : bits[1].hi;
    like.n = bits_width(like.hi - like.base);
    if (like.n > BITS_MOST)
        return fail(s, "its numbers grow too large");
    for (int side = 0; side < 2; side++) {
        s->b->region = to[side];
        bits_rebase(s->b, &bits[side], like.base, like.n, &bits[side]);
        for (int i = 0; i < like.n; i++)
            vec_push(func(s)->arena, &to[side]->results, bits[side].word[i]);
    }
    *out = in_words(&like);
    return true;
}

/* A choice that all points make together. */
static bool branch(Body *s, const IrOp *op, IrId cond, Value *out) {
    IrBuilder *b = s->b;
    IrRegion *outer = b->region, *to[] = {ir_region_new(b->module), ir_region_new(b->module)};
    int n = op->regions[0]->results.len, at = 0;
    Value *results = NEW_ARRAY(func(s)->arena, Value, n + 1);
    bool fits = true;
    for (int side = 0; side < 2 && fits; side++) {
        b->region = to[side];
        fits = slice_region(s, op->regions[side]);
    }
    for (int k = 0; k < n && fits; k++)
        fits = yield_both(s, op, to, k, &results[k]);
    b->region = outer;
    if (!fits)
        return false;
    int total = to[0]->results.len;
    IrId chosen = total ? ir_if(b, cond, to[0], to[1]) : IR_NONE;
    for (int k = 0; k < n; k++) {
        bool is_scalar = results[k].form == AS_SCALAR;
        for (int i = 0; i < (is_scalar ? 1 : results[k].bits.n); i++, at++) {
            IrId *part = is_scalar ? &results[k].id : &results[k].bits.word[i];
            *part = total == 1 ? chosen : ir_get(b, chosen, at);
        }
    }
    *out = results_value(s, op->regions[0], results);
    return true;
}

static bool slice_if(Body *s, const IrOp *op, Value *out) {
    Value cond = value_at(s, op->args[0]);
    int64_t known;
    if (cond.form != AS_SCALAR)
        return guess(s, op, out);
    if (!ir_const_int(func(s), cond.id, &known))
        return branch(s, op, cond.id, out);
    const IrRegion *taken = op->regions[!known];
    Value *results = NEW_ARRAY(func(s)->arena, Value, taken->results.len + 1);
    if (!slice_region(s, taken))
        return false;
    for (int k = 0; k < taken->results.len; k++)
        results[k] = value_at(s, taken->results.at[k]);
    *out = results_value(s, taken, results);
    return true;
}

/* ---- loops ---- */

static bool known_size(const Body *s, IrId id, int64_t *size) {
    Value v = value_at(s, id);
    return v.form == AS_SCALAR && ir_const_int(func(s), v.id, size);
}

/* Joins what a point of a loop yields to what there is. */
static bool join(Body *s, IrKind kind, const Type *type, Value *all, const Value *v) {
    Bits x, y;
    if (kind == IR_ADD) {
        BitSum *sum = NEW(func(s)->arena, BitSum);
        bool fits = add_value(s, sum, all, type, 1) && add_value(s, sum, v, type, 1);
        *all = (Value){.form = AS_SUM, .sum = sum};
        return fits;
    }
    if (!bits_of(s, all, type, &x) || !bits_of(s, v, type, &y))
        return false;
    if (kind == IR_MIN || kind == IR_MAX)
        return choose_less(s, kind, &x, &y, all);
    return by_bit(s, kind, &x, &y, all);
}

static bool joins(IrKind kind) {
    return kind == IR_ADD || kind == IR_MIN || kind == IR_MAX || kind == IR_BITAND ||
           kind == IR_BITOR || kind == IR_BITXOR;
}

/* One point of a loop whose indices are known. */
static bool add_point(Body *s, const IrOp *op, int64_t number, const int64_t *sizes, Value *all) {
    const IrRegion *body = op->regions[0];
    for (int axis = op->kernel->rank - 1; axis >= 0; axis--) {
        *value_of(s, body->params.at[axis]) = scalar(ir_i64(s->b, number % sizes[axis]));
        number /= sizes[axis];
    }
    bool fits = slice_region(s, body);
    for (int k = 0; k < op->kernel->nsinks && fits; k++) {
        const IrSink *sink = &op->kernel->sinks[k];
        Value v = value_at(s, body->results.at[sink->yield]);
        fits = join(s, sink->op, sink->type, &all[k], &v);
    }
    return fits;
}

/* Sums over a few points: one after the other. */
static bool slice_kernel(Body *s, const IrOp *op, Value *out) {
    int64_t sizes[8], points = 1;
    int n = op->kernel->nsinks, rank = op->kernel->rank;
    Value *all = NEW_ARRAY(func(s)->arena, Value, n);
    for (int axis = 0; axis < rank; axis++)
        if (rank > 8 || !known_size(s, op->args[axis], &sizes[axis]) || sizes[axis] > MOST_POINTS ||
            (points *= sizes[axis] > 0 ? sizes[axis] : 0) > MOST_POINTS)
            return fail(s, "a point holds a long loop");
    for (int k = 0; k < n; k++) {
        const IrSink *sink = &op->kernel->sinks[k];
        if (sink->kind != SINK_REDUCE || !joins(sink->op))
            return fail(s, "it does more than arithmetic");
        all[k] = value_at(s, op->args[sink->arg]);
    }
    for (int64_t number = 0; number < points; number++)
        if (!add_point(s, op, number, sizes, all))
            return false;
    *out = n == 1 ? all[0] : (Value){.form = AS_TUPLE, .items = all};
    return true;
}

/* ---- ops ---- */

static bool slice_op(Body *s, const IrOp *op, Value *out) {
    if (ir_is_scalar_op(op->kind))
        return compute(s, op, out);
    switch ((int)op->kind) {
    case IR_CONST: *out = scalar(emit_scalar(s, op)); return true;
    case IR_DIM: {
        int array = array_of(s->loop, op->args[0]);
        IrId like = array >= 0 ? s->loop->arrays.at[array].like : s->map[op->args[0]];
        *out = scalar(ir_dim(s->b, like, (int)op->imm));
        return true;
    }
    case IR_INDEX: return read_array(s, op, out);
    case IR_IF: return slice_if(s, op, out);
    case IR_KERNEL: return slice_kernel(s, op, out);
    case IR_GET: {
        Value v = value_at(s, op->args[0]);
        *out = v.form == AS_TUPLE ? v.items[op->imm] : scalar(emit_scalar(s, op));
        return true;
    }
    default: return fail(s, "it does more than arithmetic");
    }
}

/* Is the value's only use by an op next to it, which may go on with it? */
static bool has_one_use(const Body *s, const IrRegion *region, IrId id) {
    return s->uses[id - s->from] == 1 && s->user[id - s->from] == region;
}

/* Works out sums and functions, unless the next op goes on with them; those of scalars whose size
   is not known stay as they are. */
static bool settle(Body *s, const IrRegion *region, IrId id, Value *v) {
    const Type *type = ir_type(func(s), id);
    Bits x;
    if ((v->form != AS_SUM && v->form != AS_TABLE) || has_one_use(s, region, id))
        return true;
    if (v->form == AS_TABLE && !table_bits(s, &v->table, type, &x))
        return true;
    if (v->form == AS_SUM && !bits_of(s, v, type, &x))
        return false;
    *v = in_words(&x);
    return true;
}

static bool slice_region(Body *s, const IrRegion *region) {
    Span span = s->b->span;
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        const IrOp op = *ir_op(func(s), id);
        s->b->span = op.span;
        if (!slice_op(s, &op, value_of(s, id)) || !settle(s, region, id, value_of(s, id)))
            return false;
    }
    s->b->span = span;
    return true;
}

static void count_use(Body *s, IrId id, int times, const IrRegion *region) {
    if (!is_inside(s, id))
        return;
    s->uses[id - s->from] += times;
    s->user[id - s->from] = region;
}

static void count_uses(Body *s, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(func(s), region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            count_use(s, op->args[k], ir_is_scalar_op(op->kind) ? 1 : 2, region);
        for (int r = 0; r < op->nregions; r++)
            count_uses(s, op->regions[r]);
    }
    for (int k = 0; k < region->results.len; k++)
        count_use(s, region->results.at[k], 2, region);
}

/* Widens the range of ids to what a region defines. */
static void find_ids(Body *s, const IrRegion *region) {
    for (int i = 0; i < region->params.len + region->ops.len; i++) {
        bool is_param = i < region->params.len;
        IrId id = is_param ? region->params.at[i] : region->ops.at[i - region->params.len];
        IrId end = s->from + (IrId)s->count;
        end = end > id + 1 ? end : id + 1;
        s->from = s->count && s->from < id ? s->from : id;
        s->count = (int)(end - s->from);
        const IrOp *op = ir_op(func(s), id);
        for (int r = 0; r < op->nregions; r++)
            find_ids(s, op->regions[r]);
    }
}

bool bits_body(BitLoop *loop, IrBuilder *b, const IrRegion *body, const IrId *map, IrId word,
               bool at_border, Bits *out) {
    Arena *arena = loop->f->arena;
    int last = body->params.len - 1;
    Body s = {.loop = loop, .b = b, .body = body, .map = map, .word = word, .at_border = at_border};
    find_ids(&s, body);
    s.values = NEW_ARRAY(arena, Value, s.count);
    s.uses = NEW_ARRAY(arena, int, s.count);
    s.user = NEW_ARRAY(arena, const IrRegion *, s.count);
    count_uses(&s, body);
    *value_of(&s, body->params.at[last]) = (Value){.form = AS_COLUMN};
    if (!slice_region(&s, body))
        return false;
    for (int k = 0; k < body->results.len; k++) {
        Value v = value_at(&s, body->results.at[k]);
        if (!bits_of(&s, &v, ir_type(loop->f, body->results.at[k]), &out[k]))
            return false;
    }
    return true;
}
