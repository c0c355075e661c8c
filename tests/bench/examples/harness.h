/* What the floors of the examples share: harness.c calls `prepare` once, then times `run` for 0, 1,
   …, which computes what the program of the same name does and returns a number that depends on all
   of it. */
#ifndef GACT_BENCH_HARNESS_H
#define GACT_BENCH_HARNESS_H

#include <stddef.h>
#include <stdint.h>

void prepare(void);
double run(int k);

/* The i-th number of a sequence in [0, 1), as bench.uniform in harness.gact. */
double uniform(uint64_t i);

/* Memory for n elements of a size, or the end of the program. */
void *array(size_t n, size_t size);

#endif
