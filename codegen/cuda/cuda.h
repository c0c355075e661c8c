/* CUDA text for kernels. A kernel of the IR becomes one struct of arguments, a function of a point, and
   one or more __global__ functions (phases) that call it for their points, all in text that NVRTC and,
   behind the emulation header, a C++ compiler read after the prelude (lang/device.cuh and
   lang/device_forms.cuh). The text depends on nothing else, so units may join any kernels.

   What a device cannot run gives no text but a reason. */
#ifndef GACT_CUDA_H
#define GACT_CUDA_H

#include "../host/kernel.h"

/* What the host code puts into the words of a launch. */
typedef enum {
    WORD_SLOT,  /* slot `slot` of value `id` */
    WORD_DIM,   /* size `slot` of the space, not negative */
    WORD_TOTAL, /* points */
    WORD_CHUNKS, /* chunks of CHUNK points */
    WORD_COUNT, /* elements of the array of layout `l` that begins at slot `slot` of value `id` */
    WORD_PART,  /* elements of a row of sink `sink` */
    WORD_ROOM,  /* elements that its output has room for */
    WORD_ROWS,  /* points of kernel `id` inside of a point, or elements of array `id` */
    WORD_TABLE, /* points of a chunk of sink `sink`, a table that is made in order */
    WORD_CELLS, /* bins of the tables of all its chunks */
    WORD_BUF,   /* buffer of column `slot` of sink `sink`; the next word is its data */
    WORD_DATA,
    WORD_LATER, /* where the host has, or will have, result `slot` of kernel `id` */
} CudaWordKind;
typedef struct {
    CudaWordKind kind;
    IrId id;
    int slot, sink;
    const Layout *l;
} CudaWord;

typedef struct CudaKernel {
    const char *name, *text;
    VEC(CudaWord) words;
    VEC(GactDeviceArg) args;
    VEC(const char *) fields; /* what the text calls them */
    VEC(GactDevicePhase) phases;
    int nresults; /* words of results: of its reductions, in order; of a filter, how many it keeps */
    int sized; /* phases before the sizes of what it makes are known; 0: they are known at once */
    int takes; /* places that take memory of the arena */
    bool can_fault, is_cut; /* see GactDeviceKernel */
    const char *why; /* a device cannot run it, because …; NULL: it can */
    Span where;
} CudaKernel;

/* Is there text for a scalar op? */
bool cuda_can_say(const IrOp *op);
/* The text of kernel k, which is at the top of a dag and not yet emitted. */
CudaKernel *cuda_kernel(Kernel *k);
/* The whole unit as a file: the prelude and every kernel of the module so far. */
void cuda_print(Buf *out, const Emit *e);
/* The unit, or the code that --emit asks for made of it; NULL, or what went wrong. */
const char *cuda_print_code(Buf *out, const Emit *e);
/* The table of code for the architectures that were asked for, GactDeviceCode, at the end. What cannot
   be made is told to options->notes: the image still has the text. */
LLVMValueRef cuda_code_table(Emit *e, int *count);

#endif
