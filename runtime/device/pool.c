/* The pool of a device's memory.

   The host cannot write into a free block, so each block that the device gave has a node here.
   Nodes of kept blocks hang on the stack of their class, and there is a spare node for each live
   block, so freeing never has to make one. A stack's head is the index of its top node and a tag
   that every change raises: a head that looks unchanged is unchanged. Nodes go back to no one
   before the pool closes, so reading the link of a node that someone else has just taken is
   harmless; the tag then refuses what was read.

   The stacks are there several times, in shards. A thread has a shard of its own while there are
   few threads, so that they do not fight for the same lines; it looks into the others where its own
   has nothing. No block belongs to a shard.

   Kept blocks have the time they were freed as a stamp. Stamps of a stack grow towards its top but
   for blocks that were freed at the same moment, so evicting takes all stacks, merges them from
   their bottoms and puts back what it leaves. Who finds a stack empty meanwhile waits for the lock.

   Lock order: spill_lock, lock. No lock of the pool is held while compiled code runs. */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARDS = 8,
    BIG = DEVICE_POOL_CLASSES, /* the stack of what is larger than every class */
    STACKS,
    BIG_ROUND = 1 << 21,
    MAX_BYTES_SHIFT = 46,
    INDEX_BITS = 24, /* of a head; the tag has the others */
    CHUNK_SHIFT = 12,
    CHUNK_NODES = 1 << CHUNK_SHIFT,
    CHUNKS = 1 << (INDEX_BITS - CHUNK_SHIFT),
    TICKS = 64,            /* of a shard's clock before it sets the pool's */
    TELL_KIB = 1 << 12,    /* how far a shard's count may be off in the peak */
    RESERVE_SHARE = 32,    /* this part of the device's memory is left free by what is kept */
    EVICT_BYTES = 1 << 20, /* at least, when the device refuses */
    LOOK_BYTES = 1 << 26, /* after so many bytes, or calls, what the device has free is read anew */
    LOOK_MISSES = 64,
    SPARE_TRIES = 1 << 24
};

#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)
#define TAG_ONE    (UINT64_C(1) << INDEX_BITS)

/* A count of blocks and KiB is one word, blocks above KiB; one of a shard may be below zero. */
enum { KIB_BITS = 40 };
#define BLOCK_ONE (UINT64_C(1) << KIB_BITS)

typedef struct {
    DevicePtr p;
    int64_t bytes;
    uint64_t stamp;
    _Atomic uint32_t next;
} Node;

typedef _Atomic uint64_t Stack;

typedef struct {
    alignas(64) Stack spare;
    _Atomic uint64_t live, told; /* the count of what is live, and what the peak knows of it */
    _Atomic uint64_t ticks;
    _Atomic int64_t hits;
    alignas(64) Stack kept[STACKS];
} Shard;

struct DevicePool {
    Device *d; /* fixed after opening */
    DevicePoolOptions options;
    int64_t memory, reserve;
    Node *chunks[CHUNKS]; /* an entry is written before any of its indices is seen */

    Shard shards[SHARDS];
    alignas(64) _Atomic uint64_t clock;
    alignas(64) _Atomic int64_t told_kib; /* the sum of what the shards told */
    _Atomic int64_t peak_kib;

    alignas(64) pthread_mutex_t lock; /* guards what follows, and the device */
    uint32_t unused, made;            /* nodes of no block: a list; the first index never used */
    int64_t held;                     /* bytes that the device gave */
    int64_t free, unseen, looked;     /* of the device when last asked, less what was taken since */
    DevicePoolStats counts;           /* misses and what follows */

    pthread_mutex_t spill_lock;
};

/* Set while this thread is in a spill of its own. */
static _Thread_local bool spilling;

static _Atomic uint32_t threads;
static _Thread_local uint32_t thread_number; /* from 1; 0: not yet given */

static Shard *own_shard(DevicePool *pool) {
    if (!thread_number)
        thread_number = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
    return &pool->shards[thread_number % SHARDS];
}

/* The n-th shard after s. */
static Shard *shard_after(DevicePool *pool, const Shard *s, int n) {
    return &pool->shards[(s - pool->shards + n) % SHARDS];
}

/* ---- nodes and stacks ---- */

static Node *node_at(DevicePool *pool, uint64_t index) {
    return &pool->chunks[index >> CHUNK_SHIFT][index & (CHUNK_NODES - 1)];
}

static uint32_t node_next(DevicePool *pool, uint64_t index) {
    return atomic_load_explicit(&node_at(pool, index)->next, memory_order_relaxed);
}

static void stack_push(DevicePool *pool, Stack *s, uint32_t index) {
    Node *node = node_at(pool, index);
    uint64_t head = atomic_load_explicit(s, memory_order_relaxed), next;
    do {
        atomic_store_explicit(&node->next, (uint32_t)(head & INDEX_MASK), memory_order_relaxed);
        next = ((head + TAG_ONE) & ~INDEX_MASK) | index;
        /* Release pairs with the acquires of stack_pop and stack_take_all: the node is filled in.
         */
    } while (!atomic_compare_exchange_weak_explicit(s, &head, next, memory_order_release,
                                                    memory_order_relaxed));
}

/* The top node's index; 0 when the stack is empty. */
static uint32_t stack_pop(DevicePool *pool, Stack *s) {
    uint64_t head = atomic_load_explicit(s, memory_order_acquire), next;
    do {
        if (!(head & INDEX_MASK))
            return 0;
        next = ((head + TAG_ONE) & ~INDEX_MASK) | node_next(pool, head & INDEX_MASK);
    } while (!atomic_compare_exchange_weak_explicit(s, &head, next, memory_order_acquire,
                                                    memory_order_acquire));
    return (uint32_t)(head & INDEX_MASK);
}

/* Empties the stack and returns its bottom node, from which `next` leads to the top. */
static uint32_t stack_take_all(DevicePool *pool, Stack *s) {
    uint64_t head = atomic_load_explicit(s, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(s, &head, (head + TAG_ONE) & ~INDEX_MASK,
                                                  memory_order_acquire, memory_order_relaxed))
        ;
    uint32_t below = 0;
    for (uint32_t at = (uint32_t)(head & INDEX_MASK), next; at; below = at, at = next)
        next = atomic_exchange_explicit(&node_at(pool, at)->next, below, memory_order_relaxed);
    return below;
}

/* The node of a kept block of stack k, of its own shard if it can be; 0 when there is none. */
static uint32_t kept_pop(DevicePool *pool, Shard *own, int k) {
    uint32_t index = 0;
    for (int n = 0; n < SHARDS && !index; n++)
        index = stack_pop(pool, &shard_after(pool, own, n)->kept[k]);
    return index;
}

/* There is one for each block that is being freed; where it is not found, another thread has just
   moved it. */
static uint32_t spare_pop(DevicePool *pool, Shard *own) {
    for (int n = 0;; n++) {
        uint32_t index = stack_pop(pool, &shard_after(pool, own, n % SHARDS)->spare);
        if (index)
            return index;
        assert(n < SPARE_TRIES && "more blocks are freed than were allocated");
    }
}

/* A node of no block, linked to no other; 0 when the host's memory is exhausted. */
static uint32_t node_make(DevicePool *pool) {
    uint32_t index = pool->unused;
    if (index) {
        pool->unused = node_next(pool, index);
        return index;
    }
    index = pool->made;
    uint32_t chunk = index >> CHUNK_SHIFT;
    if (chunk >= CHUNKS)
        return 0;
    if (!pool->chunks[chunk])
        pool->chunks[chunk] = calloc(CHUNK_NODES, sizeof(Node));
    if (!pool->chunks[chunk])
        return 0;
    pool->made++;
    return index;
}

static void node_drop(DevicePool *pool, uint32_t index) {
    atomic_store_explicit(&node_at(pool, index)->next, pool->unused, memory_order_relaxed);
    pool->unused = index;
}

/* ---- sizes ---- */

int64_t device_pool_block_bytes(int64_t bytes) {
    if (bytes <= INT64_C(1) << DEVICE_POOL_MIN_SHIFT)
        return INT64_C(1) << DEVICE_POOL_MIN_SHIFT;
    if (bytes <= INT64_C(1) << DEVICE_POOL_MAX_SHIFT)
        return INT64_C(1) << (64 - __builtin_clzll((uint64_t)bytes - 1));
    return (bytes + BIG_ROUND - 1) & -(int64_t)BIG_ROUND;
}

/* The stack for a block of that size, a result of device_pool_block_bytes. */
static int stack_of(int64_t size) {
    return size > INT64_C(1) << DEVICE_POOL_MAX_SHIFT
               ? BIG
               : __builtin_ctzll((uint64_t)size) - DEVICE_POOL_MIN_SHIFT;
}

/* ---- counts ---- */

static uint64_t count_of(int64_t size) {
    return BLOCK_ONE + (uint64_t)size / 1024;
}

/* The KiB of a count, which may be below zero. */
static int64_t count_kib(uint64_t count) {
    return (int64_t)(count << (64 - KIB_BITS)) >> (64 - KIB_BITS);
}

/* The sum of the shards' counts. */
static uint64_t live_count(DevicePool *pool) {
    uint64_t count = 0;
    for (int s = 0; s < SHARDS; s++)
        count += atomic_load_explicit(&pool->shards[s].live, memory_order_relaxed);
    return count;
}

static int64_t live_bytes(DevicePool *pool) {
    int64_t kib = count_kib(live_count(pool));
    return kib > 0 ? kib * 1024 : 0; /* below zero while others move blocks between shards */
}

/* Brings the peak up to date with what is live in a shard. */
static void tell(DevicePool *pool, Shard *s, uint64_t live) {
    uint64_t before = atomic_exchange_explicit(&s->told, live, memory_order_relaxed);
    int64_t more = count_kib(live - before);
    int64_t kib = atomic_fetch_add_explicit(&pool->told_kib, more, memory_order_relaxed) + more;
    int64_t peak = atomic_load_explicit(&pool->peak_kib, memory_order_relaxed);
    while (kib > peak &&
           !atomic_compare_exchange_weak_explicit(&pool->peak_kib, &peak, kib, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

/* Adds to the count of what is live. */
static void count_live(DevicePool *pool, Shard *s, uint64_t more, bool must_tell) {
    uint64_t live = atomic_fetch_add_explicit(&s->live, more, memory_order_relaxed) + more;
    int64_t off = count_kib(live - atomic_load_explicit(&s->told, memory_order_relaxed));
    if (must_tell || off >= TELL_KIB || off <= -TELL_KIB)
        tell(pool, s, live);
}

static bool account_exceeded(const DeviceAccount *account, int64_t size) {
    return account && account->limit &&
           atomic_load_explicit(&account->live, memory_order_relaxed) + size > account->limit;
}

static bool account_charge(DeviceAccount *account, int64_t size) {
    if (!account)
        return true;
    int64_t live = atomic_fetch_add_explicit(&account->live, size, memory_order_relaxed) + size;
    if (!account->limit || live <= account->limit)
        return true;
    atomic_fetch_sub_explicit(&account->live, size, memory_order_relaxed);
    return false;
}

static void account_return(DeviceAccount *account, int64_t size) {
    if (account)
        atomic_fetch_sub_explicit(&account->live, size, memory_order_relaxed);
}

/* ---- eviction; the lock is held ---- */

/* Of the stacks with these bottoms, that whose bottom was freed first; -1 when all are empty. */
static int oldest_of(DevicePool *pool, const uint32_t *bottoms) {
    int oldest = -1;
    for (int s = 0; s < SHARDS * STACKS; s++)
        if (bottoms[s] && (oldest < 0 || node_at(pool, bottoms[s])->stamp <
                                             node_at(pool, bottoms[oldest])->stamp))
            oldest = s;
    return oldest;
}

static void evict_node(DevicePool *pool, uint32_t index) {
    Node *node = node_at(pool, index);
    pool->d->table->free(pool->d, node->p);
    pool->held -= node->bytes;
    pool->free += node->bytes;
    pool->counts.evictions++;
    pool->counts.evicted_bytes += node->bytes;
    node_drop(pool, index);
}

static int64_t evict(DevicePool *pool, int64_t bytes) {
    uint32_t bottoms[SHARDS * STACKS];
    int64_t gone = 0;
    for (int s = 0; s < SHARDS * STACKS; s++)
        bottoms[s] = stack_take_all(pool, &pool->shards[s / STACKS].kept[s % STACKS]);
    for (int s; gone < bytes && (s = oldest_of(pool, bottoms)) >= 0;) {
        uint32_t index = bottoms[s];
        bottoms[s] = node_next(pool, index);
        gone += node_at(pool, index)->bytes;
        evict_node(pool, index);
    }
    for (int s = 0; s < SHARDS * STACKS; s++)
        for (uint32_t at = bottoms[s], next; at; at = next) {
            next = node_next(pool, at);
            stack_push(pool, &pool->shards[s / STACKS].kept[s % STACKS], at);
        }
    return gone;
}

/* ---- what the device has; the lock is held ---- */

static void look(DevicePool *pool) {
    DeviceInfo info;
    if (pool->d->table->info(pool->d, &info) == DEVICE_OK)
        pool->free = info.free;
    pool->unseen = pool->looked = 0;
}

/* Evicts so much that the device has something left beside a block of that size. */
static void leave_reserve(DevicePool *pool, int64_t size) {
    if (pool->unseen + size > LOOK_BYTES || ++pool->looked > LOOK_MISSES)
        look(pool);
    pool->unseen += size;
    int64_t missing = pool->reserve + size - pool->free;
    if (missing > 0)
        evict(pool, missing);
}

static bool over_quota(const DevicePool *pool, int64_t size) {
    return pool->options.quota && pool->held + size > pool->options.quota;
}

/* A fresh block, with a spare node made for it. */
static DeviceStatus device_give(DevicePool *pool, int64_t size, DevicePtr *p) {
    Device *d = pool->d;
    if (over_quota(pool, size))
        evict(pool, pool->held + size - pool->options.quota);
    if (over_quota(pool, size))
        return DEVICE_NO_MEMORY;
    leave_reserve(pool, size);
    uint32_t node = node_make(pool);
    if (!node)
        return DEVICE_NO_MEMORY;
    DeviceStatus status = d->table->alloc(d, size, p);
    int64_t goal = size > EVICT_BYTES ? size : EVICT_BYTES;
    for (; status == DEVICE_NO_MEMORY && evict(pool, goal) > 0; goal *= 2)
        status = d->table->alloc(d, size, p);
    if (status) {
        node_drop(pool, node);
        return status;
    }
    stack_push(pool, &own_shard(pool)->spare, node);
    pool->held += size;
    pool->free -= size;
    pool->counts.misses++;
    return DEVICE_OK;
}

/* ---- allocating ---- */

/* A kept block becomes live: its node becomes a spare one. */
static DevicePtr block_reuse(DevicePool *pool, Shard *own, uint32_t index) {
    DevicePtr p = node_at(pool, index)->p;
    stack_push(pool, &own->spare, index);
    atomic_fetch_add_explicit(&own->hits, 1, memory_order_relaxed);
    return p;
}

/* A kept big block of exactly that size in a stack, the newest there is; 0: none. The lock is held,
   as the stack is empty meanwhile. */
static uint32_t big_pop_from(DevicePool *pool, Stack *s, int64_t size) {
    uint32_t found = 0, bottom = stack_take_all(pool, s);
    for (uint32_t at = bottom; at; at = node_next(pool, at))
        found = node_at(pool, at)->bytes == size ? at : found;
    for (uint32_t at = bottom, next; at; at = next) {
        next = node_next(pool, at);
        if (at != found)
            stack_push(pool, s, at);
    }
    return found;
}

static uint32_t big_pop(DevicePool *pool, Shard *own, int64_t size) {
    uint32_t index = 0;
    for (int n = 0; n < SHARDS && !index; n++)
        index = big_pop_from(pool, &shard_after(pool, own, n)->kept[BIG], size);
    return index;
}

/* What has come back since the stacks were found empty, or a fresh block. */
static DeviceStatus alloc_locked(DevicePool *pool, Shard *own, int64_t size, DevicePtr *p) {
    int k = stack_of(size);
    DeviceStatus status = DEVICE_OK;
    pthread_mutex_lock(&pool->lock);
    uint32_t index = k == BIG ? big_pop(pool, own, size) : kept_pop(pool, own, k);
    if (index)
        *p = block_reuse(pool, own, index);
    else
        status = device_give(pool, size, p);
    pthread_mutex_unlock(&pool->lock);
    return status;
}

/* An allocation without spilling. */
static DeviceStatus alloc_once(DevicePool *pool, DeviceAccount *account, int64_t size,
                               DevicePtr *p) {
    Shard *own = own_shard(pool);
    int k = stack_of(size);
    if (!account_charge(account, size))
        return DEVICE_NO_MEMORY;
    uint32_t index = k == BIG ? 0 : kept_pop(pool, own, k);
    if (index) {
        *p = block_reuse(pool, own, index);
    } else {
        DeviceStatus status = alloc_locked(pool, own, size, p);
        if (status) {
            account_return(account, size);
            return status;
        }
    }
    count_live(pool, own, count_of(size), !index);
    return DEVICE_OK;
}

static bool spill(DevicePool *pool, const DeviceAccount *account, int64_t size) {
    const DeviceAccount *of = account_exceeded(account, size) ? account : NULL;
    spilling = true;
    int64_t bytes = pool->options.spill(pool->options.owner, of, size);
    spilling = false;
    if (bytes <= 0)
        return false;
    pthread_mutex_lock(&pool->lock);
    pool->counts.spills++;
    pool->counts.spilled_bytes += bytes;
    pthread_mutex_unlock(&pool->lock);
    return true;
}

/* Spills until the allocation succeeds or there is nothing left to spill. Others that run out wait
   and then try what this thread has left. */
static DeviceStatus alloc_spilling(DevicePool *pool, DeviceAccount *account, int64_t size,
                                   DevicePtr *p) {
    DeviceStatus status;
    pthread_mutex_lock(&pool->spill_lock);
    do
        status = alloc_once(pool, account, size, p);
    while (status == DEVICE_NO_MEMORY && spill(pool, account, size));
    pthread_mutex_unlock(&pool->spill_lock);
    return status;
}

/* Notes why there is no memory. */
static void exhausted(DevicePool *pool, const DeviceAccount *account, int64_t bytes) {
    pthread_mutex_lock(&pool->lock);
    char *error = pool->d->error;
    int n = snprintf(error, DEVICE_ERROR,
                     "the device's memory is exhausted: %lld more bytes wanted", (long long)bytes);
    if (account && account->limit)
        snprintf(error + n, (size_t)(DEVICE_ERROR - n), ", %lld of %lld of the run in use",
                 (long long)atomic_load(&account->live), (long long)account->limit);
    else if (pool->options.quota)
        snprintf(error + n, (size_t)(DEVICE_ERROR - n), ", %lld of %lld of the process in use",
                 (long long)live_bytes(pool), (long long)pool->options.quota);
    pool->counts.failures++;
    pthread_mutex_unlock(&pool->lock);
}

DeviceStatus device_pool_alloc(DevicePool *pool, DeviceAccount *account, int64_t bytes,
                               DevicePtr *p) {
    assert(bytes >= 0);
    *p = 0;
    DeviceStatus status = DEVICE_NO_MEMORY;
    if (bytes <= INT64_C(1) << MAX_BYTES_SHIFT) {
        int64_t size = device_pool_block_bytes(bytes);
        status = alloc_once(pool, account, size, p);
        if (status == DEVICE_NO_MEMORY && pool->options.spill && !spilling)
            status = alloc_spilling(pool, account, size, p);
    }
    if (status == DEVICE_NO_MEMORY)
        exhausted(pool, account, bytes);
    return status;
}

/* Later than every stamp that the shard gave, and than those of the others but for their last few.
 */
static uint64_t next_stamp(DevicePool *pool, Shard *own) {
    uint64_t now = atomic_load_explicit(&pool->clock, memory_order_relaxed);
    uint64_t stamp = atomic_load_explicit(&own->ticks, memory_order_relaxed) + 1;
    stamp = stamp > now ? stamp : now + 1;
    atomic_store_explicit(&own->ticks, stamp, memory_order_relaxed);
    if (stamp >= now + TICKS)
        atomic_store_explicit(&pool->clock, stamp, memory_order_relaxed);
    return stamp;
}

void device_pool_free(DevicePool *pool, DeviceAccount *account, DevicePtr p, int64_t bytes) {
    if (!p)
        return;
    Shard *own = own_shard(pool);
    int64_t size = device_pool_block_bytes(bytes);
    count_live(pool, own, -count_of(size), false);
    account_return(account, size);
    uint32_t index = spare_pop(pool, own);
    Node *node = node_at(pool, index);
    node->p = p;
    node->bytes = size;
    node->stamp = next_stamp(pool, own);
    stack_push(pool, &own->kept[stack_of(size)], index);
}

/* ---- the pool as a whole ---- */

DeviceStatus device_pool_open(Device *d, const DevicePoolOptions *options, DevicePool **out) {
    DeviceInfo info;
    *out = NULL;
    DeviceStatus status = d->table->info(d, &info);
    if (status)
        return status;
    DevicePool *pool = aligned_alloc(alignof(DevicePool), sizeof *pool);
    if (!pool) {
        snprintf(d->error, sizeof d->error, "no host memory for the pool of the device's memory");
        return DEVICE_FAILED;
    }
    memset(pool, 0, sizeof *pool);
    pool->d = d;
    pool->options = *options;
    pool->memory = info.memory;
    pool->reserve = info.memory / RESERVE_SHARE;
    pool->free = info.free;
    pool->made = 1; /* index 0 is none */
    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->spill_lock, NULL);
    *out = pool;
    return DEVICE_OK;
}

int64_t device_pool_close(DevicePool *pool) {
    if (!pool)
        return 0;
    evict(pool, INT64_MAX);
    int64_t live = (int64_t)(live_count(pool) / BLOCK_ONE);
    for (int c = 0; c < CHUNKS; c++)
        free(pool->chunks[c]);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->spill_lock);
    free(pool);
    return live;
}

int64_t device_pool_trim(DevicePool *pool, int64_t bytes) {
    pthread_mutex_lock(&pool->lock);
    int64_t gone = evict(pool, bytes);
    pthread_mutex_unlock(&pool->lock);
    return gone;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

int64_t device_pool_available(DevicePool *pool) {
    pthread_mutex_lock(&pool->lock);
    look(pool);
    int64_t live = live_bytes(pool), quota = pool->options.quota;
    int64_t bytes = pool->free + pool->held - live - pool->reserve;
    pthread_mutex_unlock(&pool->lock);
    bytes = quota ? least(bytes, quota - live) : bytes;
    return bytes > 0 ? bytes : 0;
}

DevicePressure device_pool_pressure(DevicePool *pool) {
    int64_t total = pool->memory - pool->reserve, quota = pool->options.quota;
    int64_t available = device_pool_available(pool);
    total = quota ? least(total, quota) : total;
    if (available > total / 2)
        return DEVICE_PRESSURE_LOW;
    if (available > total / 5)
        return DEVICE_PRESSURE_MEDIUM;
    return available > total / 20 ? DEVICE_PRESSURE_HIGH : DEVICE_PRESSURE_CRITICAL;
}

const char *device_pressure_name(DevicePressure level) {
    static const char *const names[] = {"low", "medium", "high", "critical"};
    return names[level];
}

void device_pool_stats(DevicePool *pool, DevicePoolStats *stats) {
    pthread_mutex_lock(&pool->lock);
    *stats = pool->counts;
    stats->live_blocks = (int64_t)(live_count(pool) >> KIB_BITS);
    stats->live_bytes = live_bytes(pool);
    stats->peak_bytes = atomic_load_explicit(&pool->peak_kib, memory_order_relaxed) * 1024;
    if (stats->peak_bytes < stats->live_bytes)
        stats->peak_bytes = stats->live_bytes;
    stats->kept_bytes = pool->held - stats->live_bytes;
    for (int s = 0; s < SHARDS; s++)
        stats->hits += atomic_load_explicit(&pool->shards[s].hits, memory_order_relaxed);
    pthread_mutex_unlock(&pool->lock);
}
