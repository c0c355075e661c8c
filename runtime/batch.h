/* A batch and its lanes, one for each thread of the pool. */
#ifndef GACT_BATCH_H
#define GACT_BATCH_H

#include "batch_many.h"

/* The size of one axis of one input. */
typedef struct {
    const GactDim *dim;
    int32_t slot, axis; /* of the input among the entry's slots */
} SizeCheck;

/* An input that differs from instance to instance. */
typedef struct {
    const GactType *type;
    const GactSlot *columns; /* of the array of all instances' */
    int32_t slot;
    bool is_word; /* a number of 8 bytes: its column is one of slots */
} Varying;

/* One thread's own. */
typedef struct {
    alignas(64) Run run;
    GactBatch *batch;
    GactSlot *in, *out;
    int64_t *sizes;  /* by symbol; -1: not bound yet */
    int64_t at;      /* the instance under way */
    int64_t refused; /* the first that was found whose sizes do not fit */
    int32_t seen;    /* faults that have their instance's number */
    bool failed;     /* had no memory for a stack */
    bool tells;      /* a size that nothing told was found out from another */
    Region region;   /* of the parts */
    Part *parts, *part;
    int64_t nparts, cap;
} Lane;

struct GactBatch {
    GactProgram *program;
    const GactEntry *entry;
    int64_t count;
    Region region;
    GactSlot *in;             /* as GactEntryFn takes them */
    const GactSlot **columns; /* for each input: those of its array, NULL: one value for all */
    Region scratch;           /* of what follows, made for each run */
    SizeCheck *checks;
    int32_t nchecks, nvarying;
    Varying *varying;
    bool tells;   /* sizes must be found out for each instance */
    bool is_wide; /* instances run one after the other, each on all threads */
    Lane *lanes;  /* while it runs */
    int32_t nlanes;
    Many *many;   /* the form for many instances while it runs, or NULL */
    int64_t from; /* the first instance of those under way */
    _Atomic int64_t done;
    int64_t refused;
    bool opened; /* results has memory */
    bool ran;    /* and what the last run gave */
    Gathering results;
    Fault *faults; /* in order of instances */
    int64_t nfaults;
};

#endif
