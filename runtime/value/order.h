/* The total order of values: numbers by value with -0 before 0 and NaN last, tuples and lists
   lexicographic (an array of several axes as a list of its rows), sums by constructor first. */
#ifndef GACT_ORDER_H
#define GACT_ORDER_H

#include "value.h"

/* Negative, 0 or positive. */
int value_compare(const GactType *t, const GactSlot *a, const GactSlot *b);
/* Makes a set of a list: the array of rank 1 in ascending order, each value once. */
void array_sort_unique(Region *region, const GactType *t, GactSlot *slots);

#endif
