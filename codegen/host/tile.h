/* Kernels that read an array across the direction in which it lies in memory, as a transposition does:
   done by tiles. */
#ifndef GACT_TILE_H
#define GACT_TILE_H

#include "kernel.h"

/* Are there such reads, and may points be done in any order? */
bool tile_wants(Kernel *k);
/* In place of the chunks, where the space is large enough; `otherwise` emits those. */
void tile_run(Kernel *k, void (*otherwise)(Kernel *k));

#endif
