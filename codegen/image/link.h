/* Makes a program image of objects: a shared object, linked by ld, and its trailer. */
#ifndef GACT_IMAGE_LINK_H
#define GACT_IMAGE_LINK_H

#include "../../compiler/arena.h"

/* A file in memory for an object, which ld can read; -1 with errno set if there is none. */
int image_memory_file(void);
/* Writes the image of n objects to path, by way of a temporary file beside it, so that path is
   never half written. Returns NULL, or what went wrong. */
const char *image_link(Arena *arena, const int *objects, int n, const char *path,
                       const char *features);
/* The CPU features that code for this LLVM target may use: "avx,avx2,…". features: LLVM's list
   ("+avx,-sse4a,…"), empty for all of a generic CPU's. */
const char *image_features(Arena *arena, const char *cpu, const char *features);
/* LLVM's list of the features of a generic CPU, "x86-64-v3"; empty for one it does not know. */
const char *image_cpu_features(Arena *arena, const char *cpu);

#endif
