/* The features of this machine's CPU, by LLVM's names. */
#ifndef GACT_CPU_H
#define GACT_CPU_H

#include <stdbool.h>
#include <stddef.h>

/* Of the features in a list like "avx,avx2,fma", those that this CPU or its operating system does
   not offer, or that are unknown here, joined by ", " into missing (cut to size). True if there
   are any. A name may have a +; one with a - is not asked for. */
bool cpu_missing_features(const char *list, char *missing, size_t size);
bool cpu_has(const char *name);

#endif
