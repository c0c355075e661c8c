/* What the files of the bits pass share: numbers of 64 points in words. A number of few bits is a
   word for each bit, in which bit i belongs to point i; so one operation on words is done for 64
   points at once, and for as many times that as a vector has words. */
#ifndef GACT_BITS_H
#define GACT_BITS_H

#include "compiler.h"

enum {
    BITS_MOST = 8,    /* bits of a number */
    BITS_SUMMED = 256 /* and of all that a sum adds up */
};

/* base + the number in the words, which is within lo … hi; base <= lo. */
typedef struct {
    int64_t base, lo, hi;
    int n;
    IrId word[BITS_MOST]; /* the least first */
} Bits;

/* A sum that is not added up yet: base + each word's bit times 2 to its weight, within lo … hi. */
typedef struct {
    int64_t base, lo, hi;
    int n;
    IrId word[BITS_SUMMED];
    int weight[BITS_SUMMED];
} BitSum;

/* What a function gives for a number: nothing that matters, as the number does not occur, or a
   constant, or a scalar that is the same for all points. */
typedef struct {
    enum { LEAF_ANY, LEAF_CONST, LEAF_VALUE } kind;
    int64_t bits;
    IrId id;
} Leaf;

/* ---- words: bits_word.c ---- */

IrId word_const(IrBuilder *b, bool ones);
IrId word_and(IrBuilder *b, IrId x, IrId y);
IrId word_or(IrBuilder *b, IrId x, IrId y);
IrId word_xor(IrBuilder *b, IrId x, IrId y);
IrId word_not(IrBuilder *b, IrId x);
/* Where c, x; elsewhere y. */
IrId word_choose(IrBuilder *b, IrId c, IrId x, IrId y);
/* A bool in all points. */
IrId word_of_bool(IrBuilder *b, IrId cond);

/* ---- numbers ---- */

Bits bits_const(int64_t value);
/* A word of bools. */
Bits bits_of_word(IrId word);
/* How many bits the numbers 0 … most take. */
int bits_width(int64_t most);
/* The same numbers, as n words above another base, which is not above lo. */
void bits_rebase(IrBuilder *b, const Bits *x, int64_t base, int n, Bits *out);
/* Adds factor * x. False: too much is added up. */
bool bits_add(IrBuilder *b, BitSum *sum, const Bits *x, int64_t factor);
/* Adds it up; false: the number is too large. */
bool bits_total(IrBuilder *b, const BitSum *sum, Bits *out);
bool bits_product(IrBuilder *b, const Bits *x, const Bits *y, BitSum *out);
/* Where c, x; elsewhere y. */
bool bits_choose(IrBuilder *b, IrId c, const Bits *x, const Bits *y, Bits *out);
IrId bits_less(IrBuilder *b, const Bits *x, const Bits *y);
IrId bits_equal(IrBuilder *b, const Bits *x, const Bits *y);
/* The leaf of number x, leaves[0] being that of x.lo: bools if is_bool, otherwise numbers within lo
   … hi. */
bool bits_pick(IrBuilder *b, const Bits *x, const Leaf *leaves, bool is_bool, int64_t lo,
               int64_t hi, Bits *out);

/* ---- bodies: bits_body.c ---- */

enum {
    BITS_STATE = 4, /* bits of an element */
    BITS_OUTS = 16, /* sinks of a kernel */
};

/* An array whose elements are kept as bits: its own value in the old code, a value from outside of
   the loop that has its sizes, and a word array for each bit. */
typedef struct {
    IrId array, like;
    int bits;
    IrId *words;
    IrId stand_in; /* in copies of the old code */
} BitArray;

typedef struct {
    IrModule *m;
    IrFunc *f;
    Span span; /* of what is made, */
    int node;  /* and its binding */
    int nold;  /* values of the old code */
    VEC(BitArray) arrays;
    int ncarried;         /* the first so many are those that the loop carries */
    const IrRegion *loop; /* the body of the old loop */
    bool reads_ahead;     /* some point reads one behind it in its row */
    const char *why;      /* it cannot be done, or NULL */
} BitLoop;

/* Emits what a body yields for 64 points at the builder's place: the numbers, in out. map: the
   values of the old code that stand outside of the body, and the indices of all axes but the last;
   word: the index of the words. at_border: words that do not exist are read, and do not matter.
   Arrays of bools that turn out to be needed are added to loop->arrays, without words. */
bool bits_body(BitLoop *loop, IrBuilder *b, const IrRegion *body, const IrId *map, IrId word,
               bool at_border, Bits *out);

/* ---- arrays and kernels: bits_kernel.c ---- */

IrBuilder bits_builder(const BitLoop *loop, IrRegion *region);
/* The words of an array; *over, unless NULL: not 0 if some element has more bits. */
IrId *bits_pack_array(const BitLoop *loop, IrBuilder *b, IrId array, int bits, IrId *over);
/* The array of the words, which is of the type and the sizes of `like`. */
IrId bits_unpack_array(const BitLoop *loop, IrBuilder *b, const IrId *words, int bits, IrId like);

/* A kernel of the old code whose sinks are maps and sums; of each sink how many bits it takes. */
typedef struct {
    IrId id;
    IrOp op;
    int bits[BITS_OUTS];
} BitKernel;

/* Can it be done? Tries its bodies for nothing, which finds how many bits its sinks take. */
bool bits_try_kernel(BitLoop *loop, BitKernel *k);
/* The kernel on words: out has the words of each map, and the value of each sum. map: as for
   bits_body, of the values around the kernel. */
void bits_emit_kernel(BitLoop *loop, const BitKernel *k, IrBuilder *b, IrId *map, IrId **out);

#endif
