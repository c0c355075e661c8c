/* Typed values of image.h: walking their slots and columns, and building arrays from elements. */
#ifndef GACT_VALUE_H
#define GACT_VALUE_H

#include "scalar.h"

static inline bool type_is_array(const GactType *t) {
    return t->kind == GACT_ARRAY || t->kind == GACT_STRING;
}
/* The axes of an array or string; its element type (u8 of a string). */
int type_rank(const GactType *t);
const GactType *type_elem(const GactType *t);
/* Option[T] of the prelude: sets *some to its payload's only member. */
bool type_is_option(const GactType *t, const GactType **some);
/* A product with names for its members. */
bool type_has_names(const GactType *t);
/* The name without type arguments: "Pair" of "Pair[A, B]". */
int type_name_len(const GactType *t);

/* The number of elements of an array, and its columns (pairs of buffer and data). */
int64_t array_count(const GactType *t, const GactSlot *slots);
static inline const GactSlot *array_columns(const GactType *t, const GactSlot *slots) {
    return slots + type_rank(t);
}
/* A string's bytes. */
static inline const char *string_data(const GactSlot *slots) {
    return slots[0].i ? slots[2].p : "";
}

/* The slot number of member k of a product, and of constructor k's payload in a sum. */
int product_slot(const GactType *t, int k);
int sum_slot(const GactType *t, int k);

/* The slots of element i of an array with these columns; arrays inside are views. */
void value_element(const GactType *elem, const GactSlot *columns, int64_t i, GactSlot *out);
/* The part of an array from flat element `from` on: the columns moved along. */
void columns_advance(const GactType *elem, const GactSlot *columns, int64_t from, GactSlot *out);

/* Slots for one value: `small` when it has room, else allocated; give back with slots_return. */
enum { SMALL_SLOTS = 64 };
GactSlot *slots_borrow(const GactType *t, GactSlot *small);
void slots_return(GactSlot *slots, GactSlot *small);

/* A column that grows. */
typedef struct {
    char *data;
    int64_t len, cap; /* bytes */
} Column;

/* An array under construction, element by element, in a region. */
typedef struct {
    Region *region;
    const GactType *elem;
    int64_t count;
    Column *columns;
} Builder;

void builder_init(Builder *b, Region *region, const GactType *elem);
/* Appends one element, copying what it refers to. */
void builder_push(Builder *b, const GactSlot *slots);
/* Makes room for n elements in all, as large as those so far are on average. */
void builder_expect(Builder *b, int64_t n);
/* Appends n elements of an array of the same element type. */
void builder_append(Builder *b, const GactSlot *columns, int64_t n);
/* n uninitialised elements of a scalar type; where to write them. */
void *builder_extend(Builder *b, int64_t n);
/* The array's slots: `rank` dims, whose product is the count, then uncounted columns. */
void builder_finish(Builder *b, const int64_t *dims, int rank, GactSlot *out);

/* An array over scalars that lie at data already. */
void array_of(const GactType *t, const int64_t *dims, void *data, GactSlot *out);
/* A string over bytes that lie at data already. */
void string_of(const char *data, size_t len, GactSlot *out);
/* A value of undefined content: zeros, empty arrays with the columns that those need. */
void value_zero(Region *region, const GactType *t, GactSlot *out);

/* Copies every array of a value into fresh counted buffers of the context. */
void value_own(GactCtx *ctx, const GactSite *site, const GactType *t, const GactSlot *slots,
               GactSlot *out);

#endif
