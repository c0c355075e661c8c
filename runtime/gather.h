/* The outputs of a batch's instances on their way into one array each. Instances are given by
   several threads, each in ranges of its own; a range is a Part. As long as an output's arrays have
   one shape, every instance has its place in memory for all of them and is copied there at once.
   From the first instance of another shape on a part collects lists of its own, which are joined in
   order at the end. What an absent instance would have had is NaN, 0 or empty. */
#ifndef GACT_GATHER_H
#define GACT_GATHER_H

#include "runtime.h"
#include "value/value.h"

#include <pthread.h>

/* The array of one output of all instances. */
typedef struct {
    const GactType *type; /* of an instance's output */
    int64_t count;        /* instances */
    int32_t rank;         /* of the output; 0: it is no array */
    bool is_even;         /* its elements have one size, so that instances can lie side by side */
    int32_t ncolumns;     /* of its elements, or of itself */
    int32_t *kinds, *widths; /* of these columns, where none has offsets */
    _Atomic int32_t state;   /* of what follows; decided by the first instance that is delivered */
    int64_t *shape, size;    /* its dims and their product */
    char **columns;          /* of all instances side by side */
    size_t *rooms;           /* bytes of these, which serve further runs */
    _Atomic int64_t nabsent;
    uint8_t *absent;
    GactSlot *slots; /* of the finished array's columns */
    bool is_dense;   /* these are of the elements of one array with one more axis */
} Gather;

/* What one thread has of the instances lo … hi - 1. */
typedef struct {
    int64_t lo, hi;
    Region *region;  /* of the thread */
    Builder **loose; /* for each output: lists, or NULL as long as its instances lie side by side */
} Part;

/* All outputs of a batch. */
typedef struct {
    Gather *outputs;
    int32_t noutputs;
    int64_t count;
    Region region, joined; /* of what serves further runs, and of joined lists */
    pthread_mutex_t lock;  /* while a shape is decided */
} Gathering;

/* Writes the kinds of a type's columns; false when one holds offsets. */
bool even_kinds(const GactType *t, int32_t *kinds);

/* Prepares for `count` instances; false when memory is exhausted. */
bool gathering_open(Gathering *g, const GactEntry *entry, int64_t count);
/* Prepares for another run; the memory of the last one's results is used again. */
void gathering_restart(Gathering *g);
void gathering_close(Gathering *g);

void part_open(const Gathering *g, Part *part, Region *region, int64_t lo, int64_t hi);
/* Takes output k of instance i, the next of the part; NULL: it was not delivered. */
void part_take(Gathering *g, Part *part, int32_t k, int64_t i, const GactSlot *slots);
/* Makes the arrays from parts, which are in order and leave nothing out; t starts jobs. */
void gathering_finish(Gathering *g, Thread *t, const Part *parts, int64_t nparts);

#endif
