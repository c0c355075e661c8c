/* Where a kernel shall run: what a call of it takes on the host and on the device, measured where it has
   run there at a size like this one, else by estimate of its work and of what the machine can do. Pure
   arithmetic: times are given, none are taken, so the same history always gives the same choice. What is
   chosen never changes a result.

   A kernel stays where it was unless the other place is better by a quarter, or what it has lost by
   staying comes to what moving its arrays costs: a chain of kernels moves though none of them would pay
   for it alone. A place that was not measured is tried once for each size while such trials take at most
   a twentieth of all time. */
#ifndef GACT_DEVICE_COST_H
#define GACT_DEVICE_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef enum { COST_HOST, COST_DEVICE } CostPlace;

enum { COST_CLASSES = 20 /* of sizes: powers of four */ };

typedef struct {
    double point_ns[COST_CLASSES]; /* in calls of the class */
    int32_t count[COST_CLASSES];   /* of measurements */
} CostSide;

/* What is known of a kernel. All zero at first. */
typedef struct CostKernel {
    CostSide sides[2]; /* by CostPlace */
    double regret;     /* ns lost by staying */
    int64_t written, returned; /* bytes of results on the device, and how many the host read later */
    int32_t calls;             /* on the device */
    int32_t place;             /* of the last call: 1 + CostPlace, or 0 */
    uint32_t tried[2];         /* of each place, the classes that it was tried for */
    bool is_new;               /* there is something to keep */
} CostKernel;

typedef struct {
    double launch_ns, wait_ns; /* of the host, for a launch and for a wait */
    double byte_ns[2];         /* to read or write a byte, by CostPlace */
    double op_ns[2];
    double in_ns, out_ns; /* to move a byte */
    int32_t moves[2];     /* measurements of these: out, in */
    int32_t threads;      /* of the host */
    double spent, tried;  /* ns of all calls by estimate, and of those that were trials */
} CostMachine;

/* A call, whose arrays may lie anywhere. */
typedef struct {
    int64_t points, bytes, ops; /* in all */
    int64_t in_bytes;           /* of operands that are not on the device */
    int64_t away_bytes;         /* of those that are there alone */
    int64_t out_bytes;          /* of results */
    int32_t launches, waits;
} CostCall;

typedef struct {
    double run_ns[2], move_ns[2]; /* by CostPlace */
    bool is_measured[2];
    bool is_trial;
    CostPlace place;
} CostGuess;

/* The estimates for a device that moves `bandwidth` bytes a second within it and does `rate` operations. */
typedef struct {
    double bandwidth, rate;
    int32_t threads; /* of the host */
} CostPriors;
void cost_open(CostMachine *m, const CostPriors *priors);

void cost_estimate(const CostMachine *m, const CostKernel *k, const CostCall *call, CostGuess *guess);
/* Decides, and notes the decision. */
CostPlace cost_choose(CostMachine *m, CostKernel *k, const CostCall *call, CostGuess *guess);

/* Is it worth measuring the next call on the device? Often at first, then seldom. */
bool cost_wants(const CostKernel *k, int64_t points);
/* A call of so many points has run somewhere, without what was moved. */
void cost_ran(CostKernel *k, CostPlace place, int64_t points, int64_t ns);
/* Is it worth measuring the next move? */
bool cost_wants_move(const CostMachine *m, bool is_in, int64_t bytes);
/* So many bytes were moved to the device, or from it. */
void cost_moved(CostMachine *m, bool is_in, int64_t bytes, int64_t ns);
/* The host took so long to issue so many launches. */
void cost_issued(CostMachine *m, int32_t launches, int64_t ns);

/* Lines of text that cost_read takes; false there: it is not such text, and nothing has changed. */
void cost_write(FILE *out, const CostKernel *kernels, int64_t count);
bool cost_read(const char *text, CostKernel *kernels, int64_t count);

#endif
