/* Buffers. A buffer is a GactBuf header and its data, in a block of a power-of-two class. Blocks
   below 128 KiB are cut from slabs and cached by threads; bigger ones are mappings of their own,
   advised to be huge pages, and kept when they are freed, so that a repeated run touches no fresh
   page. A class bounds the address range of a block, not what it occupies: untouched pages cost
   nothing.

   Live buffers of a run hang on a list of the thread that allocated them. A buffer may be freed by
   another thread, so each list has a lock; it is taken by others only when values move between
   threads. Stamps on a list never grow towards its tail, which makes "everything since" a prefix.
 */
#include "runtime.h"
#include "sanitize.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    HUGE_PAGE = 1 << 21,
    SLAB_BYTES = 1 << 21,
    CACHE_BYTES = 1 << 18, /* of one class in one thread's cache, about */
    DELTA_BYTES = 1 << 16, /* how far a thread's count may be off */
    MOST_BITS = 48 /* of reserved[1]: the most that was asked of a block; its class is above */
};

static_assert(sizeof(GactBuf) == 64, "fresh data starts 64 bytes after the header");

/* The free blocks of one class that no thread caches. */
typedef struct {
    alignas(64) pthread_mutex_t lock;
    GactBuf *free;
} HeapClass;

typedef struct Slab {
    struct Slab *next;
} Slab;

static struct {
    HeapClass classes[HEAP_CLASSES];
    pthread_mutex_t slab_lock;
    Slab *slabs;
    char *slab_at, *slab_end;
    _Atomic int64_t live, peak, kept, hits, misses;
    _Atomic int64_t limit;
    _Atomic int64_t fail_at; /* counts down; 0: off */
    int64_t keep_limit;      /* of kept big blocks */
    int64_t memory;          /* of the machine or its control group: the limit unless one is set */
} heap;

static pthread_once_t heap_once = PTHREAD_ONCE_INIT;

/* The memory that this process may use. */
static int64_t machine_memory(void) {
    int64_t memory = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = 0;
    FILE *f = fopen("/sys/fs/cgroup/memory.max", "r");
    if (f) {
        if (fscanf(f, "%" SCNd64, &group) != 1)
            group = 0;
        fclose(f);
    }
    return group > 0 && group < memory ? group : memory;
}

static void heap_init(void) {
    for (int c = 0; c < HEAP_CLASSES; c++)
        pthread_mutex_init(&heap.classes[c].lock, NULL);
    pthread_mutex_init(&heap.slab_lock, NULL);
    heap.memory = machine_memory();
    heap.keep_limit = heap.memory / 2;
    atomic_store(&heap.limit, heap.memory);
    const char *fail = getenv("GACT_FAIL_AT");
    if (fail)
        atomic_store(&heap.fail_at, strtoll(fail, NULL, 10));
}

/* ---- the runs' lists ---- */

static void list_lock(BufList *list) {
    int spins = 0;
    if (list->alone)
        return;
    /* Acquire pairs with list_unlock's release: the links are those of the last holder. */
    while (atomic_exchange_explicit(&list->lock, 1, memory_order_acquire))
        if (++spins > 64)
            sched_yield();
}

static void list_unlock(BufList *list) {
    if (list->alone)
        return;
    atomic_store_explicit(&list->lock, 0, memory_order_release);
}

static void list_push(BufList *list, GactBuf *buf) {
    list_lock(list);
    buf->owner = list;
    buf->prev = NULL;
    buf->next = list->head;
    if (list->head)
        list->head->prev = buf;
    list->head = buf;
    list_unlock(list);
}

void heap_detach(GactBuf *buf) {
    BufList *list = buf->owner;
    if (!list)
        return;
    list_lock(list);
    if (buf->prev)
        buf->prev->next = buf->next;
    else
        list->head = buf->next;
    if (buf->next)
        buf->next->prev = buf->prev;
    list_unlock(list);
    buf->owner = NULL;
    buf->next = buf->prev = NULL;
}

/* ---- statistics ---- */

static void count_live(HeapCache *cache, int64_t bytes) {
    cache->live_delta += bytes;
    if (cache->live_delta < DELTA_BYTES && cache->live_delta > -DELTA_BYTES)
        return;
    int64_t live = atomic_fetch_add_explicit(&heap.live, cache->live_delta, memory_order_relaxed) +
                   cache->live_delta;
    cache->live_delta = 0;
    int64_t peak = atomic_load_explicit(&heap.peak, memory_order_relaxed);
    while (live > peak && !atomic_compare_exchange_weak_explicit(
                              &heap.peak, &peak, live, memory_order_relaxed, memory_order_relaxed))
        ;
}

static bool over_limit(int64_t bytes) {
    int64_t limit = atomic_load_explicit(&heap.limit, memory_order_relaxed);
    return atomic_load_explicit(&heap.live, memory_order_relaxed) + bytes > limit;
}

/* Would a fresh block of this size, beside what is kept, exceed the limit? */
static bool keeps_too_much(int64_t bytes) {
    int64_t used = atomic_load(&heap.live) + atomic_load(&heap.kept);
    return used + bytes > atomic_load(&heap.limit);
}

static bool must_fail(void) {
    return atomic_load_explicit(&heap.fail_at, memory_order_relaxed) > 0 &&
           atomic_fetch_sub(&heap.fail_at, 1) == 1;
}

/* ---- blocks ---- */

static int class_of(int64_t bytes) {
    if (bytes <= 1 << HEAP_SMALL_SHIFT)
        return 0;
    return 64 - __builtin_clzll((uint64_t)bytes - 1) - HEAP_SMALL_SHIFT;
}

static int64_t class_bytes(int c) {
    return INT64_C(1) << (c + HEAP_SMALL_SHIFT);
}

/* Address space aligned to huge pages. */
static void *map_aligned(size_t size) {
    size_t room = size + HUGE_PAGE;
    char *map = mmap(NULL, room, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    size_t skip = -(uintptr_t)map & (HUGE_PAGE - 1);
    if (skip)
        munmap(map, skip);
    if (room - skip > size)
        munmap(map + skip + size, room - skip - size);
    madvise(map + skip, size, MADV_HUGEPAGE);
    return map + skip;
}

static size_t page_round(size_t size) {
    return (size + 4095) & ~(size_t)4095;
}

/* The mapping of a big block; small ones need no huge pages. */
static size_t big_size(int c) {
    return page_round(sizeof(GactBuf) + (size_t)class_bytes(c));
}

static GactBuf *big_map(int c) {
    size_t size = big_size(c);
    if (size >= HUGE_PAGE)
        return map_aligned(size);
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return map == MAP_FAILED ? NULL : map;
}

static GactBuf *class_pop(int c) {
    HeapClass *hc = &heap.classes[c];
    pthread_mutex_lock(&hc->lock);
    GactBuf *buf = hc->free;
    if (buf) {
        HEAP_UNPOISON(buf, sizeof *buf);
        hc->free = buf->next;
    }
    pthread_mutex_unlock(&hc->lock);
    return buf;
}

static void class_push(int c, GactBuf *buf) {
    HeapClass *hc = &heap.classes[c];
    pthread_mutex_lock(&hc->lock);
    buf->next = hc->free;
    hc->free = buf;
    HEAP_POISON(buf, sizeof *buf);
    pthread_mutex_unlock(&hc->lock);
}

/* The most that was asked of a big block, so what it may occupy. */
static int64_t most_of(const GactBuf *buf) {
    return buf->reserved[1] & ((INT64_C(1) << MOST_BITS) - 1);
}

static void big_unmap(int c, GactBuf *buf) {
    HEAP_UNPOISON(buf, big_size(c));
    munmap(buf, big_size(c));
}

static void trim_big(void) {
    for (int c = HEAP_CACHED; c < HEAP_CLASSES; c++)
        for (GactBuf *buf; (buf = class_pop(c));) {
            atomic_fetch_sub(&heap.kept, most_of(buf));
            big_unmap(c, buf);
        }
}

/* The slot of a big class in a cache; NULL when it has none. */
static GactBuf **big_slot(HeapCache *cache, int c) {
    return c < HEAP_CACHED + HEAP_SLOTS ? &cache->slots[c - HEAP_CACHED] : NULL;
}

/* From the thread's slot or the blocks kept for all; NULL when there is none. */
static GactBuf *big_pop(HeapCache *cache, int c) {
    GactBuf **slot = big_slot(cache, c), *buf;
    if (slot && *slot) {
        buf = *slot;
        *slot = NULL;
        HEAP_UNPOISON(buf, sizeof *buf);
        return buf;
    }
    buf = class_pop(c);
    if (buf)
        atomic_fetch_sub(&heap.kept, most_of(buf));
    return buf;
}

static GactBuf *big_take(HeapCache *cache, int c, int64_t bytes) {
    GactBuf *buf = big_pop(cache, c);
    if (buf) {
        cache->hits++;
        buf->reserved[1] = most_of(buf) > bytes ? most_of(buf) : bytes;
        return buf;
    }
    cache->misses++;
    if (keeps_too_much(bytes))
        trim_big();
    buf = big_map(c);
    if (!buf) {
        trim_big();
        buf = big_map(c);
    }
    if (buf)
        buf->reserved[1] = bytes;
    return buf;
}

static void big_keep(int c, GactBuf *buf) {
    int64_t kept = atomic_fetch_add(&heap.kept, most_of(buf)) + most_of(buf);
    if (kept > heap.keep_limit) {
        atomic_fetch_sub(&heap.kept, most_of(buf));
        big_unmap(c, buf);
        return;
    }
    class_push(c, buf);
}

static void big_give(HeapCache *cache, int c, GactBuf *buf) {
    GactBuf **slot = big_slot(cache, c);
    if (slot && !*slot) {
        HEAP_POISON(buf, sizeof *buf);
        *slot = buf;
    } else {
        big_keep(c, buf);
    }
}

/* Cuts a small block from the newest slab. */
static GactBuf *slab_cut(int c) {
    int64_t size = (int64_t)sizeof(GactBuf) + class_bytes(c);
    pthread_mutex_lock(&heap.slab_lock);
    if (heap.slab_end - heap.slab_at < size) {
        Slab *slab = map_aligned(SLAB_BYTES);
        if (!slab) {
            pthread_mutex_unlock(&heap.slab_lock);
            return NULL;
        }
        slab->next = heap.slabs;
        heap.slabs = slab;
        heap.slab_at = (char *)slab + 64;
        heap.slab_end = (char *)slab + SLAB_BYTES;
    }
    GactBuf *buf = (GactBuf *)heap.slab_at;
    heap.slab_at += size;
    pthread_mutex_unlock(&heap.slab_lock);
    return buf;
}

static GactBuf *small_take(HeapCache *cache, int c) {
    GactBuf *buf = cache->free[c];
    if (buf) {
        HEAP_UNPOISON(buf, sizeof *buf);
        cache->free[c] = buf->next;
        cache->count[c]--;
        cache->hits++;
        return buf;
    }
    buf = class_pop(c);
    if (buf) {
        cache->hits++;
        return buf;
    }
    cache->misses++;
    return slab_cut(c);
}

static void small_give(HeapCache *cache, int c, GactBuf *buf) {
    if (cache->count[c] > CACHE_BYTES >> (c + HEAP_SMALL_SHIFT)) {
        class_push(c, buf);
        return;
    }
    buf->next = cache->free[c];
    cache->free[c] = buf;
    cache->count[c]++;
    HEAP_POISON(buf, sizeof *buf);
}

/* ---- buffers ---- */

/* A block with room for `room` bytes; `bytes` of them are counted as live. */
static GactBuf *take(Thread *t, int64_t room, int64_t bytes) {
    pthread_once(&heap_once, heap_init);
    if (room < 0 || room > INT64_C(1) << HEAP_MAX_SHIFT || must_fail() || over_limit(room))
        return NULL;
    int c = class_of(room);
    GactBuf *buf = c < HEAP_CACHED ? small_take(t->cache, c) : big_take(t->cache, c, room);
    if (!buf)
        return NULL;
    buf->count = 1;
    buf->bytes = bytes;
    buf->reserved[0] = t->stamp;
    buf->reserved[1] = most_of(buf) | (int64_t)c << MOST_BITS;
    buf->mirror = NULL;
    HEAP_UNPOISON(buf + 1, room);
    count_live(t->cache, bytes);
    list_push(t->live, buf);
    return buf;
}

GactBuf *heap_alloc(Thread *t, int64_t bytes) {
    return take(t, bytes, bytes);
}

GactBuf *heap_reserve(Thread *t, int64_t room) {
    return take(t, room, 0);
}

void heap_settle(Thread *t, GactBuf *buf, int64_t most, int64_t bytes) {
    count_live(t->cache, most - buf->bytes);
    count_live(t->cache, bytes - most);
    buf->bytes = bytes;
}

void heap_free(Thread *t, GactBuf *buf) {
    heap_detach(buf);
    count_live(t->cache, -buf->bytes);
    int c = (int)(buf->reserved[1] >> MOST_BITS);
    if (buf->mirror)
        mirror_free(buf);
    HEAP_POISON(buf + 1, class_bytes(c));
    if (c < HEAP_CACHED)
        small_give(t->cache, c, buf);
    else
        big_give(t->cache, c, buf);
}

void heap_retain(GactBuf *buf) {
    if (!buf || __atomic_load_n(&buf->count, __ATOMIC_RELAXED) < 0)
        return;
    __atomic_fetch_add(&buf->count, 1, __ATOMIC_RELAXED);
}

void heap_release(Thread *t, GactBuf *buf) {
    if (!buf)
        return;
    /* Acquire pairs with the release below: a last holder that finds 1 has seen all other uses. */
    int64_t count = __atomic_load_n(&buf->count, __ATOMIC_ACQUIRE);
    if (count < 0)
        return;
    if (count == 1 || __atomic_sub_fetch(&buf->count, 1, __ATOMIC_ACQ_REL) == 0)
        heap_free(t, buf);
}

/* Takes the newest buffer off the list when its stamp is at least `stamp`. */
static GactBuf *list_pop(BufList *list, int64_t stamp) {
    list_lock(list);
    GactBuf *buf = list->head;
    if (buf && buf->reserved[0] < stamp)
        buf = NULL;
    if (buf) {
        list->head = buf->next;
        if (buf->next)
            buf->next->prev = NULL;
        buf->owner = NULL;
    }
    list_unlock(list);
    return buf;
}

void heap_free_since(Thread *t, BufList *list, int64_t stamp) {
    for (GactBuf *buf; (buf = list_pop(list, stamp));)
        heap_free(t, buf);
}

void heap_flush(HeapCache *cache) {
    pthread_once(&heap_once, heap_init);
    for (int c = 0; c < HEAP_CACHED; c++)
        while (cache->free[c]) {
            GactBuf *buf = cache->free[c];
            HEAP_UNPOISON(buf, sizeof *buf);
            cache->free[c] = buf->next;
            class_push(c, buf);
        }
    for (int c = HEAP_CACHED; c < HEAP_CACHED + HEAP_SLOTS; c++) {
        GactBuf **slot = big_slot(cache, c);
        if (!*slot)
            continue;
        HEAP_UNPOISON(*slot, sizeof **slot);
        big_keep(c, *slot);
        *slot = NULL;
    }
    memset(cache->count, 0, sizeof cache->count);
    atomic_fetch_add(&heap.live, cache->live_delta);
    atomic_fetch_add(&heap.hits, cache->hits);
    atomic_fetch_add(&heap.misses, cache->misses);
    cache->live_delta = cache->hits = cache->misses = 0;
}

/* ---- settings ---- */

void heap_limit(int64_t bytes) {
    pthread_once(&heap_once, heap_init);
    atomic_store(&heap.limit, bytes ? bytes : heap.memory);
}

void heap_fail_at(int64_t n) {
    pthread_once(&heap_once, heap_init);
    atomic_store(&heap.fail_at, n);
}

void heap_stats(GactMemoryStats *stats) {
    *stats = (GactMemoryStats){.live_bytes = atomic_load(&heap.live),
                               .peak_bytes = atomic_load(&heap.peak),
                               .kept_bytes = atomic_load(&heap.kept),
                               .hits = atomic_load(&heap.hits),
                               .misses = atomic_load(&heap.misses)};
}

void heap_trim(void) {
    pthread_once(&heap_once, heap_init);
    trim_big();
    for (int c = 0; c < HEAP_CACHED; c++)
        heap.classes[c].free = NULL;
    for (Slab *slab = heap.slabs, *next; slab; slab = next) {
        next = slab->next;
        HEAP_UNPOISON(slab, SLAB_BYTES);
        munmap(slab, SLAB_BYTES);
    }
    heap.slabs = NULL;
    heap.slab_at = heap.slab_end = NULL;
    atomic_store(&heap.peak, atomic_load(&heap.live));
}
