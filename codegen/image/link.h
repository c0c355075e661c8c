/* Makes a program image of an object: a shared object, linked by ld, and its trailer. */
#ifndef GACT_IMAGE_LINK_H
#define GACT_IMAGE_LINK_H

#include "../../compiler/arena.h"

/* Writes the image of an object in memory to path, by way of a temporary file beside it, so that
   path is never half written. Returns NULL, or what went wrong. */
const char *image_link(Arena *arena, const void *object, size_t len, const char *path,
                       const char *features);
/* The CPU features that code for this LLVM target may use: "avx,avx2,…". features: LLVM's list
   ("+avx,-sse4a,…"), empty for all of a generic CPU's. */
const char *image_features(Arena *arena, const char *cpu, const char *features);
/* LLVM's list of the features of a generic CPU, "x86-64-v3"; empty for one it does not know. */
const char *image_cpu_features(Arena *arena, const char *cpu);

#endif
