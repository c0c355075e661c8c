/* A module cut into parts that processes compile side by side. LLVM compiles a module on one thread
   and a context belongs to one thread; a fork, though, gives each part a copy of the module in a
   millisecond. How a module is cut depends on it alone, so that an image does not depend on the
   machine that compiled it. */
#ifndef GACT_PARTS_H
#define GACT_PARTS_H

#include "../../compiler/arena.h"

#include <llvm-c/Core.h>

#include <stdbool.h>

typedef struct {
    LLVMModuleRef module;
    LLVMValueRef *funcs; /* with a body, in the module's order */
    int *part_of;        /* of each */
    int nfuncs, nparts;
    int cold; /* the part of the functions marked optnone, or -1; tables are in part 0 */
} Parts;

/* Is the function left as the emitter made it? */
bool parts_is_cold(LLVMValueRef fn);

/* Cuts a module; nothing in it changes yet. */
Parts parts_cut(Arena *arena, LLVMModuleRef module);

/* Compiles one part of the module, which holds nothing else by then, into a file. Returns NULL or
   what went wrong. */
typedef const char *(*PartFn)(void *data, bool is_cold, int object);

/* Compiles all parts, each in a process but for the first. objects: room for nparts files in
   memory, made here, which the caller closes (-1: not made). The process must not be in LLVM on
   another thread. Returns NULL, or what went wrong; the module is not whole afterwards. */
const char *parts_compile(Arena *arena, Parts *parts, PartFn compile, void *data, int *objects);

#endif
