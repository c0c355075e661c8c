/* The host back end: a library of its own, loaded by gactc when code is wanted, so that the front
   end does not link LLVM. */
#ifndef GACT_CODEGEN_H
#define GACT_CODEGEN_H

#include "../compiler/ir.h"

#include <stdio.h>

typedef enum {
    EMIT_IMAGE,
    EMIT_LLVM,
    EMIT_ASM,
    EMIT_OBJ,
    EMIT_CUDA,
    EMIT_PTX,
    EMIT_CUBIN,
    EMIT_PLACES
} CodegenEmit;

enum { MOST_GPU_ARCHS = 16 };

/* Tells of a kernel at the top where it can run: on a device too if why is NULL, else on the host alone,
   because of what stands at `where`. */
typedef struct {
    const char *why; /* it cannot run on a device, because …; NULL: it can */
    Span where;
    int ops, bytes; /* of a point, about */
} CodegenPlace;
typedef void (*CodegenPlaceFn)(void *data, const IrFunc *func, const IrOp *kernel,
                               const CodegenPlace *place);

typedef struct {
    CodegenEmit emit;
    int opt_level;       /* 0: the fast tier; 1…3: optimised */
    const char *cpu;     /* "native", "x86-64-v3", … */
    const char *path;    /* the file to write */
    const char *version; /* gactc's */
    bool has_device;     /* kernels come as CUDA text, too */
    int gpu_archs[MOST_GPU_ARCHS]; /* 90 for sm_90: what the image gets code for beside the text */
    int ngpu_archs;
    FILE *notes; /* for what is left out of an image, and why */
    CodegenPlaceFn place; /* called for every kernel, or NULL; EMIT_PLACES makes nothing else */
    void *place_data;
    FILE *times;         /* or NULL: print what each step took */
} CodegenOptions;

/* Compiles a planned module. Returns NULL, or what went wrong (an internal error or an unwritable
   file). */
typedef const char *(*CodegenFn)(const IrModule *m, const CodegenOptions *options);
const char *gact_codegen_host(const IrModule *m, const CodegenOptions *options);

#endif
