/* The pool of a device's memory. Blocks come in classes of powers of two from 1 KiB to 1 GiB, above
   that in the size that is asked for, rounded up to 2 MiB. What is freed is kept for the next that
   asks, so a repeated run asks the device for nothing.

   When memory runs out, kept blocks go back to the device, those that were freed longest ago first;
   then the owner's `spill` is called, which frees what it can copy to the host; then the call
   returns DEVICE_NO_MEMORY, with nothing changed.

   Allocating what is kept and freeing take no lock and may happen on several threads at once. The
   device's own functions are called under the pool's lock by whichever thread misses.

   A block may be freed while work that uses it is still under way. Whoever gets it next uses it on
   the same stream, or orders its stream behind that work first. */
#ifndef GACT_DEVICE_POOL_H
#define GACT_DEVICE_POOL_H

#include "device.h"

enum {
    DEVICE_POOL_MIN_SHIFT = 10,
    DEVICE_POOL_MAX_SHIFT = 30,
    DEVICE_POOL_CLASSES = DEVICE_POOL_MAX_SHIFT - DEVICE_POOL_MIN_SHIFT + 1
};

typedef struct DevicePool DevicePool;

/* What a run may hold. Zero but for the limit at the start. */
typedef struct {
    int64_t limit; /* bytes of live blocks; 0: no limit */
    _Atomic int64_t live;
} DeviceAccount;

typedef struct {
    int64_t quota; /* bytes, live and kept, that this process may take; 0: what the device has */
    /* Frees blocks of this pool of at least `bytes` together, if it can: of the account where one
       is given, as that is what has too little, else any. Returns how many bytes they had; 0: there
       is nothing left to spill. Called by a thread that allocates, with no lock of the pool held
       but the one that lets one thread at a time spill. It may use the pool; where it allocates,
       spill is not called again. NULL: nothing can be spilled. */
    int64_t (*spill)(void *owner, const DeviceAccount *account, int64_t bytes);
    void *owner;
} DevicePoolOptions;

typedef struct {
    int64_t live_blocks, live_bytes;  /* in use, in sizes of their classes */
    int64_t peak_bytes;               /* the most that was live, to within 4 MiB a thread */
    int64_t kept_bytes;               /* free, kept for reuse */
    int64_t hits, misses;             /* allocations from kept blocks, or by the device */
    int64_t evictions, evicted_bytes; /* kept blocks that went back to the device */
    int64_t spills, spilled_bytes;    /* calls of the owner's spill that freed something */
    int64_t failures;                 /* allocations that ended in DEVICE_NO_MEMORY */
} DevicePoolStats;

/* How much of what this process may have is still to be had: more than half, more than a fifth,
   more than a twentieth, or less. */
typedef enum {
    DEVICE_PRESSURE_LOW,
    DEVICE_PRESSURE_MEDIUM,
    DEVICE_PRESSURE_HIGH,
    DEVICE_PRESSURE_CRITICAL
} DevicePressure;

/* The device must outlive the pool. */
DeviceStatus device_pool_open(Device *d, const DevicePoolOptions *options, DevicePool **pool);
/* Gives what is kept back to the device. Returns the number of blocks that are still live: they
   stay with the device, and the pool is gone. NULL is ignored. */
int64_t device_pool_close(DevicePool *pool);

/* A block of at least `bytes` bytes, on the account of a run (NULL: on none). */
DeviceStatus device_pool_alloc(DevicePool *pool, DeviceAccount *account, int64_t bytes,
                               DevicePtr *p);
/* Gives a block back; account and bytes are those of the call that got it. 0 is ignored. */
void device_pool_free(DevicePool *pool, DeviceAccount *account, DevicePtr p, int64_t bytes);
/* The size of the block that an allocation of so many bytes gets. */
int64_t device_pool_block_bytes(int64_t bytes);

/* Gives kept blocks of at least `bytes` together back to the device, the longest unused first, or
   all there are. Returns how many bytes they had. */
int64_t device_pool_trim(DevicePool *pool, int64_t bytes);
/* Bytes that could be live beside what is live now without spilling. Asks the device. */
int64_t device_pool_available(DevicePool *pool);
DevicePressure device_pool_pressure(DevicePool *pool);
const char *device_pressure_name(DevicePressure level);
void device_pool_stats(DevicePool *pool, DevicePoolStats *stats);

#endif
