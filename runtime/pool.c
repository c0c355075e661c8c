/* The thread pool. One job at a time: a kernel's chunks, handed out in ranges that shrink towards
   the end (guided), so that threads of unequal speed finish together. A caller that finds the pool
   busy, or is a part of a job itself, does its work alone.

   The gate is one word: the number of the job, whether it is open, and how many workers are inside.
   A worker enters only while the gate is open; the caller closes it when no chunk is left and waits
   until it is empty. A worker that wakes too late finds it closed, so nobody waits for sleepers. */
#include "runtime.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SPIN_NS = 30000,  /* how long a worker waits for work before it sleeps: about a wake-up */
    CLOSE_NS = 50000, /* how long the caller waits for the last part before it sleeps */
    SPIN_ROUNDS = 16, /* between two looks at the clock */
    PAYS_NS = 20000,  /* work below this runs on the caller: a wake-up costs that */
    MAX_THREADS = 1024
};

typedef struct {
    GactRangeFn fn;
    void *env;
    int64_t n;
    const char *name;
    Run *run;
    GactCtx ctx; /* of the caller */
    int64_t stamp;
    alignas(64) _Atomic int64_t next; /* the first chunk not handed out */
    _Atomic int64_t busy_ns;          /* what all threads spent on it together */
    alignas(64) pthread_mutex_t fault_lock;
    int64_t fault_lo; /* of the range that faulted; INT64_MAX: none */
    Fault fault;
} Job;

#define GATE_OPEN  (UINT64_C(1) << 31)
#define GATE_COUNT (GATE_OPEN - 1)
#define GATE_JOB   (UINT64_C(1) << 32)

static struct {
    pthread_mutex_t lock; /* held by the caller of the job under way */
    int32_t threads;      /* 0: not started */
    int32_t wanted;       /* by pool_configure; 0: one a core */
    bool pin;
    pthread_t *handles;
    Thread *workers;
    Job job;
    alignas(64) _Atomic uint64_t gate;
    alignas(64) _Atomic uint32_t wake; /* changes with each job: what sleepers wait on */
    _Atomic int32_t sleepers;
    _Atomic bool stop;
    _Atomic bool closing; /* the caller sleeps until the gate is empty */
    _Atomic uint32_t emptied;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .job.fault_lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_mutex_t start_lock = PTHREAD_MUTEX_INITIALIZER;

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* ---- parts ---- */

/* The next range of chunks; false when none is left. */
static bool job_take(Job *job, int64_t *lo, int64_t *hi) {
    int64_t at = atomic_load_explicit(&job->next, memory_order_relaxed);
    int64_t grain;
    do {
        int64_t left = job->n - at;
        if (left <= 0)
            return false;
        grain = left / (3 * pool.threads);
        grain = grain > 0 ? grain : 1;
    } while (!atomic_compare_exchange_weak_explicit(&job->next, &at, at + grain,
                                                    memory_order_relaxed, memory_order_relaxed));
    *lo = at;
    *hi = at + grain;
    return true;
}

/* Keeps the fault of the lowest range and hands out no more: lower ones are under way already. */
static void job_fault(Job *job, int64_t lo, Fault *fault) {
    atomic_store_explicit(&job->next, job->n, memory_order_relaxed);
    pthread_mutex_lock(&job->fault_lock);
    if (lo < job->fault_lo) {
        fault_drop(&job->fault);
        job->fault = *fault;
        job->fault_lo = lo;
        *fault = (Fault){0};
    } else {
        fault_drop(fault);
    }
    pthread_mutex_unlock(&job->fault_lock);
}

/* Runs ranges until none is left. */
static void job_work(Job *job, Thread *t) {
    int64_t begin = clock_ns();
    volatile int64_t lo = 0;
    Landing landing;
    landing_push(t, &landing);
    if (_setjmp(landing.jump)) {
        job_fault(job, lo, &t->pending);
        return;
    }
    for (int64_t from, to; job_take(job, &from, &to);) {
        lo = from;
        job->fn(&t->ctx, job->env, from, to);
    }
    landing_pop(t, &landing);
    atomic_fetch_add_explicit(&job->busy_ns, clock_ns() - begin, memory_order_relaxed);
    if (trace_on && t->id && job->name)
        trace_event("part", job->name, t->id, begin);
}

/* ---- workers ---- */

static void worker_join(Thread *t, Job *job) {
    BufList *list = &job->run->lists[t->id];
    t->run = job->run;
    t->live = list;
    t->stamp = list->stamp > job->stamp ? list->stamp : job->stamp;
    t->ctx = (GactCtx){
        .api = &runtime_api, .depth = job->ctx.depth, .max_depth = job->ctx.max_depth, .serial = 1};
    job_work(job, t);
    list->stamp = t->stamp;
    int64_t seen = atomic_load(&job->run->worker_stamp);
    while (seen < t->stamp &&
           !atomic_compare_exchange_weak(&job->run->worker_stamp, &seen, t->stamp))
        ;
}

/* The number of an open job other than `seen`, or 0. */
static uint64_t job_open(uint64_t seen) {
    uint64_t gate = atomic_load_explicit(&pool.gate, memory_order_relaxed);
    return gate & GATE_OPEN && gate / GATE_JOB != seen ? gate / GATE_JOB : 0;
}

/* Waits for a job that this worker has not worked on; its number, or 0 to stop. */
static uint64_t worker_wait(uint64_t seen) {
    for (;;) {
        uint32_t ticket = atomic_load(&pool.wake);
        int64_t end = clock_ns() + SPIN_NS;
        do {
            for (int i = 0; i < SPIN_ROUNDS; i++) {
                uint64_t number = job_open(seen);
                if (number)
                    return number;
                relax();
            }
            if (atomic_load_explicit(&pool.stop, memory_order_relaxed))
                return 0;
        } while (clock_ns() < end);
        /* Sequentially consistent with job_publish: either it sees the sleeper or we its ticket. */
        atomic_fetch_add(&pool.sleepers, 1);
        if (atomic_load(&pool.wake) == ticket && !atomic_load(&pool.stop))
            futex_wait(&pool.wake, ticket);
        atomic_fetch_sub(&pool.sleepers, 1);
    }
}

static bool gate_enter(uint64_t number) {
    uint64_t gate = atomic_load(&pool.gate);
    do {
        if (!(gate & GATE_OPEN) || gate / GATE_JOB != number)
            return false;
        /* Acquire pairs with job_publish's release: the job is filled in. */
    } while (!atomic_compare_exchange_weak_explicit(&pool.gate, &gate, gate + 1,
                                                    memory_order_acquire, memory_order_relaxed));
    return true;
}

static void gate_leave(void) {
    /* Release pairs with gate_close's acquire: the caller sees what the parts wrote. */
    uint64_t before = atomic_fetch_sub_explicit(&pool.gate, 1, memory_order_seq_cst);
    if ((before & GATE_COUNT) == 1 && !(before & GATE_OPEN) && atomic_load(&pool.closing)) {
        atomic_fetch_add(&pool.emptied, 1);
        futex_wake_all(&pool.emptied);
    }
}

static void pin_to(int32_t core) {
    cpu_set_t all, one;
    if (sched_getaffinity(0, sizeof all, &all))
        return;
    int32_t skip = core % CPU_COUNT(&all);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all) || skip-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

typedef struct {
    Thread *t;
    char *stack;
} WorkerStart;

static void *worker_main(void *arg) {
    WorkerStart start = *(WorkerStart *)arg;
    free(arg);
    Thread *t = start.t;
    stack_enter(t, start.stack);
    if (pool.pin)
        pin_to(t->id);
    for (uint64_t seen = 0; (seen = worker_wait(seen)) != 0;)
        if (gate_enter(seen)) {
            worker_join(t, &pool.job);
            gate_leave();
        }
    heap_flush(t->cache);
    stack_leave();
    return NULL;
}

static bool worker_start(int32_t id) {
    Thread *t = &pool.workers[id];
    WorkerStart *start = malloc(sizeof *start);
    char *stack = start ? stack_take() : NULL;
    if (!stack) {
        free(start);
        return false;
    }
    t->id = id;
    t->in_part = true;
    t->cache = &t->own;
    t->guard_from = stack; /* remembers the stack for pool_stop */
    *start = (WorkerStart){t, stack};
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    int refused = pthread_attr_setstack(&attr, stack + STACK_GUARD, stack_bytes() - STACK_GUARD) ||
                  pthread_create(&pool.handles[id], &attr, worker_main, start);
    pthread_attr_destroy(&attr);
    if (refused) {
        stack_give(stack);
        free(start);
    }
    return !refused;
}

static int32_t machine_threads(void) {
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all))
        return 1;
    return CPU_COUNT(&all);
}

/* Starts the workers; with fewer than wanted when the system refuses more. */
static void pool_start(void) {
    int32_t wanted = pool.wanted ? pool.wanted : machine_threads();
    wanted = wanted < MAX_THREADS ? wanted : MAX_THREADS;
    pool.handles = calloc((size_t)wanted, sizeof *pool.handles);
    pool.workers = calloc((size_t)wanted, sizeof *pool.workers);
    int32_t started = 1;
    atomic_store(&pool.stop, false);
    while (pool.handles && pool.workers && started < wanted && worker_start(started))
        started++;
    __atomic_store_n(&pool.threads, started, __ATOMIC_RELEASE);
}

int32_t pool_threads(void) {
    int32_t threads = __atomic_load_n(&pool.threads, __ATOMIC_ACQUIRE);
    if (threads)
        return threads;
    pthread_mutex_lock(&start_lock);
    if (!pool.threads)
        pool_start();
    pthread_mutex_unlock(&start_lock);
    return pool.threads;
}

void pool_stop(void) {
    pthread_mutex_lock(&start_lock);
    atomic_store(&pool.stop, true);
    atomic_fetch_add(&pool.wake, 1);
    futex_wake_all(&pool.wake);
    for (int32_t id = 1; id < pool.threads; id++) {
        pthread_join(pool.handles[id], NULL);
        stack_give(pool.workers[id].guard_from);
    }
    free(pool.handles);
    free(pool.workers);
    pool.handles = NULL;
    pool.workers = NULL;
    pool.threads = 0;
    pthread_mutex_unlock(&start_lock);
}

GactStatus pool_configure(int32_t threads, bool pin, GactError *error) {
    if (threads < 0 || threads > MAX_THREADS)
        return error_set(error, GACT_BAD_INPUT, "the number of threads must be from 1 to %d",
                         MAX_THREADS);
    pool_stop();
    pool.wanted = threads;
    pool.pin = pin;
    if (pin)
        pin_to(0);
    return GACT_OK;
}

/* ---- jobs ---- */

static void job_publish(void) {
    uint64_t number = atomic_load_explicit(&pool.gate, memory_order_relaxed) / GATE_JOB + 1;
    number = (uint32_t)number ? (uint32_t)number : 1;
    atomic_store(&pool.gate, number * GATE_JOB | GATE_OPEN);
    atomic_fetch_add(&pool.wake, 1);
    if (atomic_load(&pool.sleepers))
        futex_wake_all(&pool.wake);
}

static bool gate_empty(void) {
    return (atomic_load(&pool.gate) & GATE_COUNT) == 0;
}

/* No worker enters any more; returns when the last has left. */
static void gate_close(void) {
    atomic_fetch_and(&pool.gate, ~GATE_OPEN);
    int64_t end = clock_ns() + CLOSE_NS;
    do {
        for (int i = 0; i < SPIN_ROUNDS; i++) {
            if (gate_empty())
                return;
            relax();
        }
    } while (clock_ns() < end);
    atomic_store(&pool.closing, true);
    for (;;) {
        uint32_t ticket = atomic_load(&pool.emptied);
        if (gate_empty())
            break;
        futex_wait(&pool.emptied, ticket);
    }
    atomic_store(&pool.closing, false);
}

/* The caller's share of a job, with its context set as in a worker's. */
static void caller_work(Thread *t, Job *job) {
    bool was_part = t->in_part;
    int64_t was_serial = t->ctx.serial;
    t->in_part = true;
    t->ctx.serial = 1;
    job_work(job, t);
    t->in_part = was_part;
    t->ctx.serial = was_serial;
}

static void job_fill(Job *job, Thread *t, const char *name, GactRangeFn fn, void *env, int64_t n) {
    job->fn = fn;
    job->env = env;
    job->n = n;
    job->name = name;
    job->run = t->run;
    job->ctx = t->ctx;
    job->stamp = t->stamp;
    job->fault_lo = INT64_MAX;
    job->fault = (Fault){0};
    atomic_store_explicit(&job->next, 0, memory_order_relaxed);
    atomic_store_explicit(&job->busy_ns, 0, memory_order_relaxed);
}

int64_t pool_run(Thread *t, const char *name, GactRangeFn fn, void *env, int64_t n) {
    if (n <= 1 || t->ctx.serial || pool_threads() == 1 || t->run->nlists < pool.threads ||
        pthread_mutex_trylock(&pool.lock)) {
        if (n > 0)
            fn(&t->ctx, env, 0, n);
        return 0;
    }
    Job *job = &pool.job;
    job_fill(job, t, name, fn, env, n);
    job_publish();
    caller_work(t, job);
    gate_close();
    bool faulted = job->fault_lo != INT64_MAX;
    Fault fault = job->fault;
    int64_t busy_ns = atomic_load_explicit(&job->busy_ns, memory_order_relaxed);
    pthread_mutex_unlock(&pool.lock);
    if (faulted)
        fault_throw(t, fault);
    return busy_ns;
}

/* ---- kernels ---- */

bool pool_pays(const Thread *t, int64_t ops, int64_t bytes) {
    return !t->ctx.serial && ops / 2 + bytes / 10 > PAYS_NS && pool_threads() > 1;
}

int64_t rt_workers(GactCtx *ctx, int64_t work) {
    return pool_pays(thread_of(ctx), work, 0) ? pool_threads() : 1;
}

/* A kernel that was measured is judged by that, others by a guess: half a nanosecond for an element
   and a tenth for a byte. */
static bool kernel_pays(const Thread *t, KernelStat *stat, int64_t work, int64_t bytes) {
    int64_t cost = atomic_load_explicit(&stat->cost, memory_order_relaxed);
    if (!cost)
        return pool_pays(t, work, bytes);
    return cost > INT64_C(1000) * PAYS_NS / (work > 0 ? work : 1);
}

void rt_parallel(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void *env, int64_t n,
                 int64_t work, int64_t bytes) {
    Thread *t = thread_of(ctx);
    if (ctx->serial || (n <= 1 && !profile_on && !trace_on)) {
        if (n > 0)
            fn(ctx, env, 0, n);
        return;
    }
    KernelStat *stat = profile_kernel(info);
    bool pays = n > 1 && pool_threads() > 1 && kernel_pays(t, stat, work, bytes);
    int64_t begin = clock_ns(), busy_ns = 0;
    if (pays)
        busy_ns = pool_run(t, stat->name, fn, env, n);
    else if (n > 0)
        fn(ctx, env, 0, n);
    int64_t ns = clock_ns() - begin;
    int64_t cost = 1000 * (busy_ns ? busy_ns : ns) / (work > 0 ? work : 1);
    atomic_store_explicit(&stat->cost, cost > 0 ? cost : 1, memory_order_relaxed);
    profile_count(t, stat, "kernel", begin, work, bytes, info ? work * info->flops : 0);
    place_host_ran(t, info, ns);
}
