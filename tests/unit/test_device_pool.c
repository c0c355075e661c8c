/* The pool of a device's memory, over a device that only counts. */
#include "runtime/device/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KIB = 1 << 10, MIB = 1 << 20, BLOCKS = 1 << 14, ID_SHIFT = 40 };

/* A device that gives each block an address of its own, with its number in the upper bits. */
static struct {
    int64_t memory, used, others; /* others: what other processes use */
    int64_t sizes[BLOCKS];        /* of blocks given; 0 when returned */
    int32_t freed[64];            /* numbers of the first that were returned, in this order */
    int32_t unused[BLOCKS];       /* numbers of blocks that were returned */
    int32_t count, nfreed, nunused;
    int64_t fail_at; /* the allocation, counted down, that ends in fail_with; 0: none */
    DeviceStatus fail_with;
} fake;

static DeviceStatus fake_info(Device *d, DeviceInfo *info) {
    (void)d;
    *info = (DeviceInfo){.memory = fake.memory, .free = fake.memory - fake.used - fake.others};
    return DEVICE_OK;
}

static DeviceStatus fake_alloc(Device *d, int64_t bytes, DevicePtr *p) {
    (void)d;
    if (fake.fail_at && !--fake.fail_at)
        return fake.fail_with;
    if (fake.used + fake.others + bytes > fake.memory)
        return DEVICE_NO_MEMORY;
    int32_t id = fake.nunused ? fake.unused[--fake.nunused] : ++fake.count;
    assert_true(id < BLOCKS);
    fake.used += bytes;
    fake.sizes[id] = bytes;
    *p = ((uint64_t)id << ID_SHIFT) + 256;
    return DEVICE_OK;
}

static int32_t id_of(DevicePtr p) {
    return (int32_t)(p >> ID_SHIFT);
}

static void fake_free(Device *d, DevicePtr p) {
    (void)d;
    assert_int_equal(p & ((UINT64_C(1) << ID_SHIFT) - 1), 256);
    assert_true(fake.sizes[id_of(p)] > 0);
    fake.used -= fake.sizes[id_of(p)];
    fake.sizes[id_of(p)] = 0;
    fake.unused[fake.nunused++] = id_of(p);
    if (fake.nfreed < 64)
        fake.freed[fake.nfreed++] = id_of(p);
}

static const DeviceTable table = {
    .name = "fake", .info = fake_info, .alloc = fake_alloc, .free = fake_free};
static Device device = {.table = &table};
static DevicePool *pool;

static void open_pool(int64_t memory, const DevicePoolOptions *options) {
    memset(&fake, 0, sizeof fake);
    fake.memory = memory;
    assert_int_equal(device_pool_open(&device, options, &pool), DEVICE_OK);
}

static void open_plain(int64_t memory) {
    open_pool(memory, &(DevicePoolOptions){0});
}

/* Everything has been freed, and the pool gives all of it back. */
static void close_pool(void) {
    assert_int_equal(device_pool_close(pool), 0);
    assert_int_equal(fake.used, 0);
}

static DevicePtr alloc(int64_t bytes) {
    DevicePtr p;
    assert_int_equal(device_pool_alloc(pool, NULL, bytes, &p), DEVICE_OK);
    assert_int_equal(p % 256, 0);
    assert_true(fake.sizes[id_of(p)] >= bytes);
    return p;
}

static DeviceStatus try_alloc(int64_t bytes, DevicePtr *p) {
    return device_pool_alloc(pool, NULL, bytes, p);
}

static void give(DevicePtr p, int64_t bytes) {
    device_pool_free(pool, NULL, p, bytes);
}

static DevicePoolStats stats(void) {
    DevicePoolStats s;
    device_pool_stats(pool, &s);
    return s;
}

/* ---- sizes ---- */

static void rounds_sizes_to_classes(void **state) {
    (void)state;
    assert_int_equal(device_pool_block_bytes(0), KIB);
    assert_int_equal(device_pool_block_bytes(KIB), KIB);
    assert_int_equal(device_pool_block_bytes(KIB + 1), 2 * KIB);
    assert_int_equal(device_pool_block_bytes(INT64_C(1) << 30), INT64_C(1) << 30);
    assert_int_equal(device_pool_block_bytes((INT64_C(1) << 30) + 1), (INT64_C(1) << 30) + 2 * MIB);
    assert_int_equal(device_pool_block_bytes(INT64_C(5) << 30), INT64_C(5) << 30);
}

static void serves_every_size(void **state) {
    (void)state;
    int64_t most = 0;
    open_plain(INT64_C(1) << 40);
    for (int64_t bytes = 0; bytes < INT64_C(1) << 35; bytes = bytes * 2 + 3) {
        DevicePtr p = alloc(bytes);
        assert_int_equal(fake.sizes[id_of(p)], device_pool_block_bytes(bytes));
        assert_int_equal(stats().live_bytes, device_pool_block_bytes(bytes));
        assert_int_equal(stats().live_blocks, 1);
        most = device_pool_block_bytes(bytes);
        give(p, bytes);
    }
    assert_int_equal(stats().live_bytes, 0);
    assert_int_equal(stats().kept_bytes, fake.used);
    assert_int_equal(stats().peak_bytes, most);
    close_pool();
}

static void refuses_what_no_device_has(void **state) {
    (void)state;
    DevicePtr p = 1;
    open_plain(MIB);
    assert_int_equal(try_alloc(INT64_MAX, &p), DEVICE_NO_MEMORY);
    assert_int_equal(p, 0);
    assert_int_equal(try_alloc(2 * MIB, &p), DEVICE_NO_MEMORY);
    assert_non_null(strstr(device.error, "2097152 more bytes"));
    assert_int_equal(stats().failures, 2);
    give(0, 100);
    close_pool();
}

/* ---- reuse ---- */

static void reuses_the_newest_block(void **state) {
    (void)state;
    open_plain(INT64_C(1) << 36);
    for (int64_t bytes = 1000; bytes < INT64_C(1) << 30; bytes *= 4) {
        DevicePtr older = alloc(bytes), newer = alloc(bytes);
        give(older, bytes);
        give(newer, bytes);
        assert_int_equal(alloc(bytes - bytes / 100), newer);
        assert_int_equal(alloc(bytes), older);
        give(older, bytes);
        give(newer, bytes);
    }
    assert_int_equal(stats().hits, stats().misses);
    close_pool();
}

static void big_blocks_fit_exactly(void **state) {
    (void)state;
    open_plain(INT64_C(1) << 36);
    DevicePtr four = alloc(INT64_C(4) << 30), three = alloc(INT64_C(3) << 30);
    give(four, INT64_C(4) << 30);
    give(three, INT64_C(3) << 30);
    DevicePtr other = alloc(INT64_C(2) << 30);
    assert_int_not_equal(other, four);
    assert_int_not_equal(other, three);
    assert_int_equal(alloc(INT64_C(4) << 30), four);
    assert_int_equal(alloc((INT64_C(3) << 30) - 1), three);
    give(four, INT64_C(4) << 30);
    give(three, INT64_C(3) << 30);
    give(other, INT64_C(2) << 30);
    close_pool();
}

/* A fixed sequence of pseudo-random numbers. */
static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* From 256 B to 64 MiB, each power of two as often. */
static int64_t random_size(uint64_t *seed) {
    int shift = 8 + (int)(next_random(seed) >> 32) % 18;
    int64_t base = INT64_C(1) << (shift < 8 ? 8 : shift);
    return base + (int64_t)(next_random(seed) >> 20) % base;
}

/* Lifetimes from a few requests to some hundred. */
static void hits_nine_in_ten(void **state) {
    enum { REQUESTS = 100000, SLOTS = 256 };
    DevicePtr live[SLOTS] = {0};
    int64_t sizes[SLOTS];
    uint64_t seed = 42;
    (void)state;
    open_plain(INT64_C(1) << 37);
    for (int i = 0; i < REQUESTS; i++) {
        int reach = 4 << next_random(&seed) % 7;
        int k = (int)(next_random(&seed) >> 8) % reach;
        k = k < 0 ? -k : k;
        give(live[k], sizes[k]);
        sizes[k] = random_size(&seed);
        live[k] = alloc(sizes[k]);
    }
    for (int k = 0; k < SLOTS; k++)
        give(live[k], sizes[k]);
    DevicePoolStats s = stats();
    assert_int_equal(s.hits + s.misses, REQUESTS);
    assert_true(s.hits * 10 > 9 * (s.hits + s.misses));
    close_pool();
}

/* ---- eviction ---- */

static void evicts_the_longest_unused(void **state) {
    (void)state;
    DevicePtr p[6];
    int64_t sizes[6] = {MIB, 4 * KIB, MIB, 64 * KIB, 4 * KIB, INT64_C(3) << 30};
    const int order[6] = {3, 0, 5, 4, 2, 1};
    open_plain(INT64_C(1) << 34);
    for (int i = 0; i < 6; i++)
        p[i] = alloc(sizes[i]);
    for (int i = 0; i < 6; i++)
        give(p[order[i]], sizes[order[i]]);
    assert_int_equal(device_pool_trim(pool, 1), 64 * KIB);
    assert_int_equal(fake.nfreed, 1);
    assert_int_equal(device_pool_trim(pool, 2 * MIB), MIB + (INT64_C(3) << 30));
    assert_int_equal(alloc(MIB), p[2]);
    give(p[2], MIB);
    assert_int_equal(device_pool_trim(pool, INT64_MAX), 8 * KIB + MIB);
    const int went[6] = {3, 0, 5, 4, 1, 2};
    for (int i = 0; i < 6; i++)
        assert_int_equal(fake.freed[i], id_of(p[went[i]]));
    assert_int_equal(stats().evictions, 6);
    assert_int_equal(stats().kept_bytes, 0);
    assert_int_equal(device_pool_trim(pool, 1), 0);
    close_pool();
}

/* What is kept in one class makes room for another. */
static void exhaustion_trims(void **state) {
    (void)state;
    DevicePtr p[60], q;
    open_plain(64 * MIB);
    for (int i = 0; i < 60; i++)
        p[i] = alloc(MIB);
    assert_int_equal(try_alloc(8 * MIB, &q), DEVICE_NO_MEMORY);
    for (int i = 0; i < 60; i++)
        give(p[i], MIB);
    q = alloc(32 * MIB);
    assert_true(stats().evictions < 60);
    assert_int_equal(fake.freed[0], id_of(p[0]));
    assert_int_equal(alloc(MIB), p[59]);
    give(p[59], MIB);
    give(q, 32 * MIB);
    close_pool();
}

/* Kept blocks leave the device a reserve; live ones may use it. */
static void leaves_a_reserve(void **state) {
    (void)state;
    open_plain(64 * MIB);
    DevicePtr a = alloc(32 * MIB), b = alloc(16 * MIB), c = alloc(8 * MIB), d = alloc(4 * MIB);
    give(d, 4 * MIB);
    DevicePtr e = alloc(MIB), f = alloc(MIB), g = alloc(MIB);
    assert_int_equal(stats().evictions, 1);
    assert_int_equal(fake.freed[0], id_of(d));
    DevicePtr h = alloc(4 * MIB);
    give(a, 32 * MIB), give(b, 16 * MIB), give(c, 8 * MIB), give(e, MIB), give(f, MIB);
    give(g, MIB), give(h, 4 * MIB);
    close_pool();
}

/* ---- quotas ---- */

static void keeps_to_the_quota(void **state) {
    (void)state;
    DevicePtr p;
    open_pool(INT64_C(1) << 30, &(DevicePoolOptions){.quota = 8 * MIB});
    DevicePtr a = alloc(4 * MIB), b = alloc(4 * MIB);
    assert_int_equal(try_alloc(1, &p), DEVICE_NO_MEMORY);
    assert_non_null(strstr(device.error, "8388608 of 8388608 of the process"));
    give(a, 4 * MIB);
    DevicePtr c = alloc(MIB);
    assert_int_equal(fake.used, 5 * MIB);
    give(b, 4 * MIB);
    give(c, MIB);
    close_pool();
}

static void keeps_to_the_limit_of_a_run(void **state) {
    (void)state;
    DeviceAccount run = {.limit = 3 * MIB}, free_run = {0};
    DevicePtr a, b, c;
    open_plain(INT64_C(1) << 30);
    assert_int_equal(device_pool_alloc(pool, &run, 2 * MIB, &a), DEVICE_OK);
    assert_int_equal(device_pool_alloc(pool, &run, 2 * MIB, &b), DEVICE_NO_MEMORY);
    assert_non_null(strstr(device.error, "2097152 of 3145728 of the run"));
    assert_int_equal(device_pool_alloc(pool, &free_run, 2 * MIB, &b), DEVICE_OK);
    assert_int_equal(device_pool_alloc(pool, &run, MIB, &c), DEVICE_OK);
    assert_int_equal(run.live, 3 * MIB);
    assert_int_equal(free_run.live, 2 * MIB);
    device_pool_free(pool, &run, a, 2 * MIB);
    device_pool_free(pool, &free_run, b, 2 * MIB);
    device_pool_free(pool, &run, c, MIB);
    assert_int_equal(run.live, 0);
    assert_int_equal(free_run.live, 0);
    close_pool();
}

static void tells_the_pressure(void **state) {
    (void)state;
    open_plain(64 * MIB); /* 62 MiB without the reserve */
    assert_int_equal(device_pool_available(pool), 62 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_LOW);
    DevicePtr a = alloc(32 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_MEDIUM);
    DevicePtr b = alloc(16 * MIB), c = alloc(4 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_HIGH);
    fake.others = 8 * MIB;
    assert_int_equal(device_pool_available(pool), 2 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_CRITICAL);
    give(a, 32 * MIB); /* kept, so it is there for the next */
    assert_int_equal(device_pool_available(pool), 34 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_LOW);
    give(b, 16 * MIB);
    give(c, 4 * MIB);
    close_pool();
    open_pool(INT64_C(1) << 40, &(DevicePoolOptions){.quota = 10 * MIB});
    a = alloc(8 * MIB);
    assert_int_equal(device_pool_available(pool), 2 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_HIGH);
    b = alloc(2 * MIB);
    assert_int_equal(device_pool_pressure(pool), DEVICE_PRESSURE_CRITICAL);
    assert_string_equal(device_pressure_name(DEVICE_PRESSURE_CRITICAL), "critical");
    give(a, 8 * MIB);
    give(b, 2 * MIB);
    close_pool();
}

/* ---- spilling ---- */

/* An owner with a list of blocks that it can do without. */
typedef struct {
    DevicePtr blocks[64];
    int64_t sizes[64];
    int first, last, calls;
    bool allocates; /* in the middle of a spill */
    DeviceAccount *account;
    const DeviceAccount *asked;
} Owner;

static void owner_get(Owner *o, int64_t bytes) {
    DevicePtr p;
    assert_int_equal(device_pool_alloc(pool, o->account, bytes, &p), DEVICE_OK);
    o->blocks[o->last] = p;
    o->sizes[o->last++] = bytes;
}

static int64_t owner_spill(void *owner, const DeviceAccount *account, int64_t bytes) {
    Owner *o = owner;
    int64_t gone = 0;
    o->calls++;
    o->asked = account;
    if (o->allocates) {
        DevicePtr p;
        int calls = o->calls;
        assert_int_equal(try_alloc(128 * MIB, &p), DEVICE_NO_MEMORY);
        assert_int_equal(o->calls, calls);
        if (try_alloc(KIB, &p) == DEVICE_OK)
            give(p, KIB);
    }
    while (o->first < o->last && gone < bytes) {
        device_pool_free(pool, o->account, o->blocks[o->first], o->sizes[o->first]);
        gone += device_pool_block_bytes(o->sizes[o->first++]);
    }
    return gone;
}

static void owner_drop(Owner *o) {
    o->allocates = false;
    owner_spill(o, NULL, INT64_MAX);
}

static void spills_after_trimming(void **state) {
    (void)state;
    Owner owner = {.allocates = true};
    open_pool(64 * MIB, &(DevicePoolOptions){.spill = owner_spill, .owner = &owner});
    for (int i = 0; i < 14; i++)
        owner_get(&owner, 4 * MIB);
    DevicePtr kept = alloc(4 * MIB);
    give(kept, 4 * MIB);
    DevicePtr a = alloc(MIB);
    DevicePtr b = alloc(7 * MIB);
    assert_int_equal(owner.calls, 1);
    DevicePtr c = alloc(16 * MIB);
    assert_null(owner.asked);
    assert_true(owner.first >= 3 && owner.first < 14);
    assert_int_equal(stats().spills, owner.calls);
    assert_true(stats().spilled_bytes >= 12 * MIB);
    DevicePtr none;
    assert_int_equal(try_alloc(60 * MIB, &none), DEVICE_NO_MEMORY);
    assert_int_equal(owner.first, owner.last);
    owner_drop(&owner);
    give(a, MIB);
    give(b, 7 * MIB);
    give(c, 16 * MIB);
    close_pool();
}

static void spills_for_a_run(void **state) {
    (void)state;
    DeviceAccount run = {.limit = 8 * MIB};
    Owner owner = {.account = &run};
    open_pool(INT64_C(1) << 30, &(DevicePoolOptions){.spill = owner_spill, .owner = &owner});
    for (int i = 0; i < 4; i++)
        owner_get(&owner, 2 * MIB);
    assert_int_equal(owner.calls, 0);
    owner_get(&owner, 4 * MIB);
    assert_int_equal(owner.calls, 1);
    assert_ptr_equal(owner.asked, &run);
    assert_int_equal(owner.first, 2);
    assert_int_equal(run.live, 8 * MIB);
    owner_drop(&owner);
    close_pool();
}

/* ---- failures ---- */

/* Allocates and frees a hundred times; returns how many allocations failed with `status`. */
static int mixed_work(DeviceStatus status) {
    DevicePtr live[16] = {0};
    int64_t sizes[16];
    uint64_t seed = 7;
    int failed = 0;
    for (int i = 0; i < 100; i++) {
        int k = i % 16;
        give(live[k], sizes[k]);
        sizes[k] = random_size(&seed);
        DeviceStatus got = try_alloc(sizes[k], &live[k]);
        assert_int_equal(got == DEVICE_OK, live[k] != 0);
        if (got)
            assert_int_equal(got, status);
        failed += got != DEVICE_OK;
    }
    for (int k = 0; k < 16; k++)
        give(live[k], sizes[k]);
    return failed;
}

static void passes_failures_up(void **state) {
    (void)state;
    for (DeviceStatus status = DEVICE_NO_MEMORY; status <= DEVICE_FAILED; status++) {
        int64_t allocations = 1;
        for (int64_t n = 0; n < allocations; n++) { /* n = 0: none fails */
            open_plain(INT64_C(1) << 36);
            fake.fail_at = n;
            fake.fail_with = status;
            int failed = mixed_work(status);
            /* Where something is kept, the device is asked again when its memory is exhausted. */
            assert_int_equal(failed, n && (status == DEVICE_FAILED || !stats().evictions));
            assert_int_equal(fake.fail_at, 0);
            allocations = n ? allocations : stats().misses + 1;
            close_pool();
        }
        assert_true(allocations > 20);
    }
}

static void reports_live_blocks_at_the_end(void **state) {
    (void)state;
    open_plain(INT64_C(1) << 30);
    DevicePtr a = alloc(100), b = alloc(MIB), c = alloc(MIB);
    give(b, MIB);
    assert_int_equal(device_pool_close(pool), 2);
    assert_int_equal(fake.sizes[id_of(a)], KIB);
    assert_int_equal(fake.sizes[id_of(b)], 0);
    assert_int_equal(fake.sizes[id_of(c)], MIB);
    assert_int_equal(device_pool_close(NULL), 0);
}

/* ---- threads ---- */

enum { THREADS = 8, ROUNDS = 100000, SHARED = 64 };

static _Atomic int32_t holders[BLOCKS];  /* of each block; never more than one */
static _Atomic DevicePtr shared[SHARED]; /* blocks of 64 KiB that any thread may free */
static _Atomic int64_t refused;
static pthread_barrier_t start;

static void hold(DevicePtr p) {
    assert_int_equal(atomic_fetch_add(&holders[id_of(p)], 1), 0);
}

static void drop(DevicePtr p, int64_t bytes) {
    if (!p)
        return;
    assert_int_equal(atomic_fetch_sub(&holders[id_of(p)], 1), 1);
    give(p, bytes);
}

static void *stress_thread(void *arg) {
    uint64_t seed = (uint64_t)(uintptr_t)arg * 77 + 1;
    DevicePtr live[32] = {0}, p;
    int64_t sizes[32] = {0};
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS; i++) {
        int k = (int)(next_random(&seed) >> 40) % 32;
        drop(live[k], sizes[k]);
        sizes[k] = random_size(&seed);
        if (try_alloc(sizes[k], &live[k]))
            atomic_fetch_add(&refused, 1);
        else
            hold(live[k]);
        if (i % 4)
            continue;
        if (try_alloc(64 * KIB, &p)) {
            atomic_fetch_add(&refused, 1);
        } else {
            hold(p);
            drop(atomic_exchange(&shared[(unsigned)(next_random(&seed) >> 40) % SHARED], p),
                 64 * KIB);
        }
        if (i % 1024 == 0)
            device_pool_trim(pool, 16 * MIB);
    }
    for (int k = 0; k < 32; k++)
        drop(live[k], sizes[k]);
    return NULL;
}

static void run_threads(void *(*body)(void *)) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, body, (void *)(uintptr_t)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&start);
}

static void serves_several_threads(void **state) {
    (void)state;
    open_plain(INT64_C(1) << 30); /* so little that some are refused */
    run_threads(stress_thread);
    for (int i = 0; i < SHARED; i++)
        drop(atomic_exchange(&shared[i], 0), 64 * KIB);
    DevicePoolStats s = stats();
    assert_int_equal(s.live_blocks, 0);
    assert_int_equal(s.live_bytes, 0);
    assert_int_equal(s.kept_bytes, fake.used);
    assert_int_equal(s.failures, atomic_load(&refused));
    assert_true(s.evictions > 0);
    assert_true(s.hits > s.misses);
    close_pool();
}

/* All threads turn over the same few blocks, where a stale head would do harm. */
static void *turnover_thread(void *arg) {
    (void)arg;
    pthread_barrier_wait(&start);
    for (int i = 0; i < ROUNDS; i++) {
        DevicePtr a = alloc(KIB), b = alloc(KIB);
        hold(a);
        hold(b);
        drop(a, KIB);
        drop(b, KIB);
    }
    return NULL;
}

static void no_block_has_two_holders(void **state) {
    (void)state;
    memset(holders, 0, sizeof holders);
    open_plain(INT64_C(1) << 30);
    run_threads(turnover_thread);
    assert_true(stats().misses <= 2 * THREADS);
    assert_int_equal(stats().live_blocks, 0);
    close_pool();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_sizes_to_classes),
        cmocka_unit_test(serves_every_size),
        cmocka_unit_test(refuses_what_no_device_has),
        cmocka_unit_test(reuses_the_newest_block),
        cmocka_unit_test(big_blocks_fit_exactly),
        cmocka_unit_test(hits_nine_in_ten),
        cmocka_unit_test(evicts_the_longest_unused),
        cmocka_unit_test(exhaustion_trims),
        cmocka_unit_test(leaves_a_reserve),
        cmocka_unit_test(keeps_to_the_quota),
        cmocka_unit_test(keeps_to_the_limit_of_a_run),
        cmocka_unit_test(tells_the_pressure),
        cmocka_unit_test(spills_after_trimming),
        cmocka_unit_test(spills_for_a_run),
        cmocka_unit_test(passes_failures_up),
        cmocka_unit_test(reports_live_blocks_at_the_end),
        cmocka_unit_test(serves_several_threads),
        cmocka_unit_test(no_block_has_two_holders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
