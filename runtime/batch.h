/* A batch and its lanes, one for each thread of the pool. */
#ifndef GACT_BATCH_H
#define GACT_BATCH_H

#include "gather.h"

/* The size of one axis of one input. */
typedef struct {
    const GactDim *dim;
    int32_t slot, axis; /* of the input among the entry's slots */
} SizeCheck;

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
    SizeCheck *checks;
    int32_t nchecks;
    int32_t *parameters; /* for each symbol: the slot of the input that tells it, or -1 */
    bool is_wide;        /* instances run one after the other, each on all threads */
    Lane *lanes;         /* while it runs */
    int32_t nlanes;
    _Atomic int64_t done;
    int64_t refused;
    bool ran; /* there are results */
    Gathering results;
    Fault *faults; /* in order of instances */
    int64_t nfaults;
};

#endif
