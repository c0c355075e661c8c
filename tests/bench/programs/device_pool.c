/* What the pool of a device's memory costs where nothing is asked of the device: medians over
   batches, in nanoseconds for one call, on one thread and on several at once, beside malloc. */
#include "runtime/device/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 64, BATCHES = 20001, MOST_THREADS = 4 };

static uint64_t next_address = 256;

static DeviceStatus fake_info(Device *d, DeviceInfo *info) {
    (void)d;
    *info = (DeviceInfo){.memory = INT64_C(1) << 40, .free = INT64_C(1) << 40};
    return DEVICE_OK;
}

static DeviceStatus fake_alloc(Device *d, int64_t bytes, DevicePtr *p) {
    (void)d;
    *p = next_address;
    next_address += (uint64_t)bytes;
    return DEVICE_OK;
}

static void fake_free(Device *d, DevicePtr p) {
    (void)d, (void)p;
}

static const DeviceTable table = {
    .name = "fake", .info = fake_info, .alloc = fake_alloc, .free = fake_free};
static Device device = {.table = &table};
static DevicePool *pool;
static pthread_barrier_t start;

typedef struct {
    double alloc[BATCHES], free[BATCHES], malloc[BATCHES];
    uint64_t seed;
} Times;

static int64_t size_at(Times *t) {
    t->seed = t->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return INT64_C(256) << (t->seed >> 59) % 18;
}

static int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static double since(int64_t begin) {
    return (double)(now_ns() - begin) / BATCH;
}

static void *measure(void *arg) {
    Times *t = arg;
    DevicePtr blocks[BATCH];
    int64_t sizes[BATCH];
    void *plain[BATCH];
    pthread_barrier_wait(&start);
    for (int b = 0; b < BATCHES; b++) {
        for (int i = 0; i < BATCH; i++)
            sizes[i] = size_at(t);
        int64_t begin = now_ns();
        for (int i = 0; i < BATCH; i++)
            device_pool_alloc(pool, NULL, sizes[i], &blocks[i]);
        t->alloc[b] = since(begin);
        begin = now_ns();
        for (int i = 0; i < BATCH; i++)
            device_pool_free(pool, NULL, blocks[i], sizes[i]);
        t->free[b] = since(begin);
        begin = now_ns();
        for (int i = 0; i < BATCH; i++)
            plain[i] = malloc((size_t)(sizes[i] & 0xffff) + 64);
        t->malloc[b] = since(begin);
        for (int i = 0; i < BATCH; i++)
            free(plain[i]);
    }
    return NULL;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const char *what, int threads, double *times) {
    qsort(times, BATCHES, sizeof *times, by_value);
    printf("device_pool: %-8s %d threads %15.1f ns (99 %%: %.1f)\n", what, threads,
           times[BATCHES / 2], times[BATCHES / 100 * 99]);
}

int main(void) {
    static Times times[MOST_THREADS];
    for (int n = 1; n <= MOST_THREADS; n *= 2) {
        pthread_t threads[MOST_THREADS];
        if (device_pool_open(&device, &(DevicePoolOptions){0}, &pool))
            return 1;
        pthread_barrier_init(&start, NULL, (unsigned)n);
        for (int i = 0; i < n; i++) {
            times[i].seed = (uint64_t)i;
            pthread_create(&threads[i], NULL, measure, &times[i]);
        }
        for (int i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&start);
        print("hit", n, times[0].alloc);
        print("free", n, times[0].free);
        print("malloc", n, times[0].malloc);
        device_pool_close(pool);
    }
    return 0;
}
