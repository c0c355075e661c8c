/* The engine of the emulated device: runs the blocks of a grid, one fibre a thread. Blocks are dealt
   to OS threads; a block's threads stay on one of them and are switched only where they wait: at
   barriers, in warp collectives and where they pause. So a thread that never waits costs a call.

   What the execution model of a GPU forbids ends the launch with a text: threads of a block at
   different barriers, lanes that a mask names but that are elsewhere or gone, waiting that nobody can
   end. Shared memory starts as 0xC7 bytes. With a seed, blocks and threads run in an order, and are
   switched at places, that follow from it.

   Under a thread sanitizer, the engine tells what orders memory (the start and end of a launch,
   barriers, __syncwarp) and nothing else: shuffles and the mere order of running do not. */
#include "emu.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WARP = 32, MEETINGS = 8, SEEN = 8, RESIDENT_SEEDED = 4 };
enum { STUCK_ALONE = 1, STUCK = 5, STUCK_TURNS = 1000 }; /* seconds, of an OS thread alone or not */

typedef struct Block Block;
typedef struct Host Host;

/* A thread of a block. */
typedef struct {
    GxThread see; /* first: device code hands it back */
    Block *block;
    Fibre *fibre;             /* from its first run to its end */
    const uint64_t *wait_for; /* it waits while *wait_for == wait_while; NULL: it can run */
    uint64_t wait_while;
    bool done, paused, fenced;
    uint32_t nseen; /* relaxed loads since the last fence */
    const void *seen[SEEN];
} Lane;

/* Lanes of a warp that meet under one mask. Values of one generation are read while the next one is
   being brought. */
typedef struct {
    uint32_t mask, arrived, readers;
    int op;
    uint64_t generation;
    uint64_t values[2][WARP];
} Meeting;

typedef struct {
    uint32_t live; /* lanes that have not ended */
    Meeting meetings[MEETINGS];
} Warp;

struct Block {
    Host *host;
    int32_t threads, live, arrived;
    uint64_t generation;   /* of barriers */
    const GxPlace *at;     /* where the threads that have arrived wait */
    GxVotes votes[2];      /* by parity of the generation */
    Lane *lanes;
    Warp *warps;
    EmuShared *shared;
    unsigned char *dynamic;
    Block *next; /* on its host's list of those that have ended */
    char begins; /* stands for what is before its threads */
};

/* A launch that is under way. */
typedef struct {
    const EmuLaunch *launch;
    int64_t blocks, stride; /* block k of the order is k * stride modulo blocks */
    bool plain;             /* no thread waits; they run without a fibre each */
    int32_t resident;       /* blocks that are alive at once on an OS thread */
    int32_t patience;       /* seconds until waiting for memory is taken to be in vain */
    _Atomic int64_t next, steps;
    atomic_bool failed;
    char begins, ended; /* stand for what is before the threads, and for their ends */
    pthread_mutex_t lock;
    char *text;
    size_t size;
} Grid;

/* An OS thread of a launch. */
struct Host {
    FibreHost fibres;
    Grid *grid;
    GxThread **self; /* where device code looks for its thread */
    Lane *lane;      /* that runs */
    uint64_t random;
    Block *ended;
    EmuShared *shared; /* kept for the next block */
    Block *alive[RESIDENT_SEEDED];
    int32_t nalive;
    int64_t steps_seen, stuck_since, stuck_turns;
};

static Lane *lane_of(GxThread *t) {
    return (Lane *)t;
}

static uint32_t random_of(Host *host) {
    uint64_t x = host->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    host->random = x;
    return (uint32_t)(x >> 32);
}

/* ---- failing ---- */

/* Keeps the first text of a launch. */
static void fail_grid(Grid *grid, const GxThread *t, const char *fmt, va_list args) {
    pthread_mutex_lock(&grid->lock);
    if (!grid->failed) {
        int n = snprintf(grid->text, grid->size, "kernel %s", grid->launch->name);
        if (t)
            n += snprintf(grid->text + n, grid->size - (size_t)n, ", block (%u, %u, %u), thread %u",
                          t->block.x, t->block.y, t->block.z, t->thread.x);
        n += snprintf(grid->text + n, grid->size - (size_t)n, ": ");
        vsnprintf(grid->text + n, grid->size - (size_t)n, fmt, args);
        grid->failed = true;
    }
    pthread_mutex_unlock(&grid->lock);
}

__attribute__((format(printf, 2, 3))) static void fail_host(Host *host, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fail_grid(host->grid, NULL, fmt, args);
    va_end(args);
}

/* The thread leaves its fibre and is never run again. */
__attribute__((format(printf, 2, 3), noreturn)) static void fail(Lane *lane, const char *fmt, ...) {
    Host *host = lane->block->host;
    va_list args;
    va_start(args, fmt);
    fail_grid(host->grid, &lane->see, fmt, args);
    va_end(args);
    for (;;)
        fibre_leave(&host->fibres);
}

static void engine_fail(GxThread *t, const char *text) {
    fail(lane_of(t), "%s", text);
}

/* The running thread's code was stopped by the processor. */
static void engine_trapped(void *arg) {
    Host *host = arg;
    const FibreHost *f = &host->fibres;
    char where[128];
    if (f->trap_signal == SIGFPE)
        fail(host->lane, "an integer is divided by zero");
    if (f->trap_signal == SIGILL)
        fail(host->lane, "its behaviour is undefined");
    if (fibre_is_below_stack(f->current, f->trap_address))
        fail(host->lane, "its stack is exhausted");
    emu_memory_describe(host->grid->launch->memory, f->trap_address, where, sizeof where);
    fail(host->lane, "it touches memory %s", where);
}

/* ---- waiting ---- */

static void yield(Lane *lane) {
    lane->see.polls = 0;
    fibre_leave(&lane->block->host->fibres);
}

static void need_fibre(Lane *lane) {
    if (lane->block->host->grid->plain)
        fail(lane, "it is declared as one whose threads never wait (GX_KERNEL_PLAIN), but waits");
}

static void wait_while(Lane *lane, const uint64_t *at, uint64_t value) {
    lane->wait_for = at;
    lane->wait_while = value;
    yield(lane);
}

static void engine_pause(GxThread *t, int polled) {
    Lane *lane = lane_of(t);
    if (lane->block->host->grid->plain) {
        if (!polled)
            need_fibre(lane);
        lane->see.polls = 0;
        return;
    }
    lane->paused = true;
    yield(lane);
}

/* A relaxed store after a fence of its thread orders what is before; what a relaxed load has seen is
   ordered by the next fence. */
static void engine_access(GxThread *t, const void *p, int kind) {
    Lane *lane = lane_of(t);
    Host *host = lane->block->host;
    if (kind & GX_RELAXED && kind & GX_STORE && lane->fenced)
        fibre_order_before((void *)(uintptr_t)p);
    if (kind & GX_RELAXED && kind & GX_LOAD)
        lane->seen[lane->nseen++ % SEEN] = p;
    if (!host->grid->launch->options.seed || host->grid->plain || random_of(host) % 8)
        return;
    lane->paused = kind == GX_LOAD || kind == (GX_LOAD | GX_RELAXED);
    yield(lane);
}

static void engine_fence(GxThread *t) {
    Lane *lane = lane_of(t);
    atomic_thread_fence(memory_order_seq_cst);
    for (uint32_t k = 0; k < lane->nseen && k < SEEN; k++)
        fibre_order_after((void *)(uintptr_t)lane->seen[k]);
    lane->nseen = 0;
    lane->fenced = true;
}

/* ---- barriers ---- */

static void open_barrier(Block *b) {
    b->arrived = 0;
    b->at = NULL;
    b->generation++;
    b->votes[b->generation & 1] = (GxVotes){.all = 1};
}

static GxVotes engine_barrier(GxThread *t, const GxPlace *at, int pred) {
    Lane *lane = lane_of(t);
    Block *b = lane->block;
    need_fibre(lane);
    if (b->arrived && b->at != at)
        fail(lane, "threads of one block wait at different barriers: %s:%d and %s:%d", b->at->file,
             b->at->line, at->file, at->line);
    b->at = at;
    uint64_t generation = b->generation;
    GxVotes *votes = &b->votes[generation & 1];
    votes->count += pred != 0;
    votes->any |= pred != 0;
    votes->all &= pred != 0;
    fibre_order_before(votes); /* by parity: who is at the next one orders nobody who leaves this */
    if (++b->arrived == b->live)
        open_barrier(b);
    else
        wait_while(lane, &b->generation, generation);
    fibre_order_after(votes);
    return *votes;
}

/* ---- warps ---- */

static const char *const op_names[] = {
    [GX_WARP_SYNC] = "gx_sync_warp", [GX_WARP_BALLOT] = "a vote", [GX_WARP_SHFL] = "gx_shfl",
    [GX_WARP_UP] = "gx_shfl_up",     [GX_WARP_DOWN] = "gx_shfl_down",
    [GX_WARP_XOR] = "gx_shfl_xor",
};

static Meeting *find_meeting(Warp *w, uint32_t mask) {
    for (Meeting *m = w->meetings; m < w->meetings + MEETINGS; m++)
        if (m->mask == mask && (m->arrived || m->readers))
            return m;
    for (Meeting *m = w->meetings; m < w->meetings + MEETINGS; m++)
        if (!m->arrived && !m->readers) {
            m->mask = mask;
            return m;
        }
    return NULL;
}

static Meeting *join_meeting(Lane *lane, uint32_t mask, int op) {
    Warp *w = &lane->block->warps[lane->see.thread.x / WARP];
    uint32_t own = 1u << lane->see.lane;
    if (!(mask & own))
        fail(lane, "%s: the calling lane is not in the mask %08x", op_names[op], mask);
    if (mask & ~w->live)
        fail(lane, "%s: the mask %08x names lanes that have ended or do not exist (alive: %08x)",
             op_names[op], mask, w->live);
    Meeting *m = find_meeting(w, mask);
    if (!m)
        fail(lane, "%s: lanes wait under more than %d masks", op_names[op], MEETINGS);
    if (m->arrived && m->op != op)
        fail(lane, "lanes of one warp wait in %s and in %s", op_names[m->op], op_names[op]);
    m->op = op;
    return m;
}

static void engine_meet(GxThread *t, const GxPlace *at, unsigned mask, int op,
                        unsigned long long mine, unsigned long long out[32]) {
    Lane *lane = lane_of(t);
    (void)at;
    need_fibre(lane);
    Meeting *m = join_meeting(lane, mask, op);
    uint64_t generation = m->generation, *values = m->values[generation & 1];
    values[t->lane] = mine;
    m->arrived |= 1u << t->lane;
    m->readers++;
    if (op == GX_WARP_SYNC)
        fibre_order_before(values);
    if (m->arrived == mask) {
        m->arrived = 0;
        m->generation++;
    } else {
        wait_while(lane, &m->generation, generation);
    }
    if (op == GX_WARP_SYNC)
        fibre_order_after(values);
    memcpy(out, values, sizeof m->values[0]);
    m->readers--;
}

/* ---- shared memory ---- */

static void *engine_shared(GxThread *t, const void *key, unsigned long size, unsigned long align) {
    Lane *lane = lane_of(t);
    EmuShared *shared = lane->block->shared;
    void *at = emu_shared_find(shared, key);
    if (!at && !(at = emu_shared_add(shared, key, (int64_t)size, (int64_t)align)))
        fail(lane, "it declares more than 48 KiB of shared memory");
    return at;
}

const GxEngine emu_engine = {engine_barrier, engine_meet,  engine_shared,
                             engine_pause,   engine_access, engine_fence, engine_fail};

/* ---- threads and blocks ---- */

static void end_thread(Lane *lane) {
    Block *b = lane->block;
    Warp *w = &b->warps[lane->see.thread.x / WARP];
    uint32_t own = 1u << lane->see.lane;
    lane->done = true;
    w->live &= ~own;
    for (Meeting *m = w->meetings; m < w->meetings + MEETINGS; m++)
        if (m->arrived && m->mask & own)
            fail(lane, "the thread ends while lanes of its warp wait for it in %s",
                 op_names[m->op]);
    if (--b->live && b->arrived == b->live)
        open_barrier(b);
}

static void run_plain(Host *host, Lane *lane) {
    const EmuLaunch *l = host->grid->launch;
    l->kernel->run_all(l->args, &lane->see, (unsigned)l->grid.threads);
    lane->done = true;
    lane->block->live = 0;
}

/* What a fibre does each time it is entered at its start. */
static void run_lane(void *arg) {
    Host *host = arg;
    Lane *lane = host->lane;
    if (host->grid->plain) {
        run_plain(host, lane);
        return;
    }
    fibre_order_after(&host->grid->begins);
    fibre_order_after(&lane->block->begins);
    host->grid->launch->kernel->run(host->grid->launch->args);
    fibre_order_before(&host->grid->ended);
    end_thread(lane);
}

static void block_free(Block *b) {
    Host *host = b->host;
    GxIndex index = b->lanes ? b->lanes[0].see.block : (GxIndex){0};
    if (b->shared && !emu_shared_give(b->shared, &host->shared))
        fail_host(host, "block (%u, %u, %u) has written outside of shared memory", index.x, index.y,
                  index.z);
    free(b->lanes);
    free(b->warps);
    free(b);
}

/* The memory of a block that has ended is used again, unless somebody looks for races: to such a one,
   the threads of two blocks that use it would seem to share it. */
static void block_end(Host *host, Block *b) {
    if (!fibre_sees_races()) {
        block_free(b);
        return;
    }
    b->next = host->ended;
    host->ended = b;
}

static GxIndex block_index(const Grid *grid, int64_t k) {
    const int32_t *n = grid->launch->grid.blocks;
    return (GxIndex){(unsigned)(k % n[0]), (unsigned)(k / n[0] % n[1]),
                     (unsigned)(k / n[0] / n[1])};
}

static void block_fill(Block *b, GxIndex index) {
    const EmuLaunch *l = b->host->grid->launch;
    const int32_t *n = l->grid.blocks;
    GxThread see = {.block = index, .threads = {(unsigned)l->grid.threads, 1, 1},
                    .blocks = {(unsigned)n[0], (unsigned)n[1], (unsigned)n[2]},
                    .watched = l->options.seed || fibre_sees_races(), .dynamic = b->dynamic};
    for (int32_t k = 0; k < b->threads; k++) {
        see.thread.x = (unsigned)k;
        see.lane = (unsigned)k % WARP;
        b->lanes[k] = (Lane){.see = see, .block = b};
        b->warps[k / WARP].live |= 1u << k % WARP;
    }
    b->votes[0].all = 1;
}

/* Block number k, with one lane for all threads if they do not wait; NULL: no memory. */
static Block *block_new(Host *host, int64_t k) {
    const DeviceGrid *g = &host->grid->launch->grid;
    Block *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->host = host;
    b->threads = b->live = host->grid->plain ? 1 : g->threads;
    b->lanes = calloc((size_t)b->threads, sizeof *b->lanes);
    b->warps = calloc((size_t)(b->threads + WARP - 1) / WARP, sizeof *b->warps);
    b->shared = emu_shared_take(&host->shared);
    if (b->shared && g->shared_bytes)
        b->dynamic = emu_shared_add(b->shared, NULL, g->shared_bytes, 256);
    if (!b->lanes || !b->warps || !b->shared || (g->shared_bytes && !b->dynamic)) {
        block_free(b);
        return NULL;
    }
    block_fill(b, block_index(host->grid, k));
    fibre_order_before(&b->begins);
    return b;
}

/* ---- scheduling ---- */

static bool can_run(Lane *lane) {
    if (lane->done)
        return false;
    if (lane->wait_for) {
        if (*lane->wait_for == lane->wait_while)
            return false;
        lane->wait_for = NULL;
    }
    return true;
}

typedef enum { RAN_NOTHING, RAN_PAUSES, RAN } Ran;

static Ran run_one(Host *host, Lane *lane) {
    if (!lane->fibre && !(lane->fibre = fibre_take(&host->fibres))) {
        fail_host(host, "no memory for a thread's stack");
        return RAN_NOTHING;
    }
    lane->paused = false;
    host->lane = lane;
    *host->self = &lane->see;
    fibre_enter(&host->fibres, lane->fibre);
    if (host->grid->failed)
        return RAN_NOTHING;
    if (lane->done) {
        fibre_give(&host->fibres, lane->fibre);
        lane->fibre = NULL;
    }
    return lane->paused ? RAN_PAUSES : RAN;
}

/* One turn for each thread of a block that can run. */
static Ran run_block(Host *host, Block *b) {
    Ran most = RAN_NOTHING;
    uint64_t seed = host->grid->launch->options.seed;
    int32_t first = seed ? (int32_t)(random_of(host) % (uint32_t)b->threads) : 0;
    for (int32_t k = 0; k < b->threads && !host->grid->failed; k++) {
        Lane *lane = &b->lanes[k + first < b->threads ? k + first : k + first - b->threads];
        if (!can_run(lane))
            continue;
        Ran ran = seed && lane->fibre && random_of(host) % 4 == 0 ? RAN_PAUSES : run_one(host, lane);
        most = ran > most ? ran : most;
    }
    return most;
}

static int64_t seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

/* Nothing but pauses: other OS threads may be at work, or nobody ever ends the waiting. */
static void wait_for_others(Host *host) {
    int64_t steps = host->grid->steps, now = seconds();
    if (steps != host->steps_seen) {
        host->steps_seen = steps;
        host->stuck_since = now;
        host->stuck_turns = 0;
    } else if (++host->stuck_turns > STUCK_TURNS &&
               now - host->stuck_since > host->grid->patience) {
        fail_host(host, "its threads wait for memory that no thread changes");
    }
    sched_yield();
}

static void after_turn(Host *host, Ran ran) {
    if (host->grid->failed)
        return;
    if (ran == RAN_NOTHING)
        fail_host(host, "all threads of %d block(s) wait at barriers or in collectives that the "
                        "others never reach", host->nalive);
    else if (ran == RAN_PAUSES)
        wait_for_others(host);
    else
        host->grid->steps++;
}

/* Blocks that this OS thread holds, up to as many as may be alive at once. */
static void take_blocks(Host *host) {
    Grid *grid = host->grid;
    while (host->nalive < grid->resident && !grid->failed) {
        int64_t k = grid->next++;
        if (k >= grid->blocks)
            return;
        Block *b = block_new(host, k * grid->stride % grid->blocks);
        if (!b) {
            fail_host(host, "no memory for a block");
            return;
        }
        host->alive[host->nalive++] = b;
    }
}

static Ran run_turn(Host *host) {
    Ran most = RAN_NOTHING;
    for (int32_t k = 0; k < host->nalive && !host->grid->failed;) {
        Ran ran = run_block(host, host->alive[k]);
        if (!host->alive[k]->live && !host->grid->failed) {
            block_end(host, host->alive[k]);
            host->alive[k] = host->alive[--host->nalive];
            ran = RAN;
        } else {
            k++;
        }
        most = ran > most ? ran : most;
    }
    return most;
}

static void *run_host(void *arg) {
    Grid *grid = arg;
    const EmuLaunch *l = grid->launch;
    Host host = {.grid = grid, .self = l->module->self(), .stuck_since = seconds()};
    host.random = (l->options.seed + (uint64_t)grid->next) * 0x9E3779B97F4A7C15u | 1;
    fibre_host_open(&host.fibres, run_lane, &host);
    host.fibres.trapped = engine_trapped;
    emu_traps_watch(&host.fibres);
    GxThread *outer = *host.self;
    take_blocks(&host);
    while (host.nalive && !grid->failed) {
        after_turn(&host, run_turn(&host));
        take_blocks(&host);
    }
    emu_traps_watch(NULL);
    *host.self = outer;
    fibre_order_after(&grid->ended);
    for (int32_t k = 0; k < host.nalive; k++)
        block_free(host.alive[k]);
    for (Block *b = host.ended, *next; b; b = next) {
        next = b->next;
        block_free(b);
    }
    fibre_host_close(&host.fibres);
    emu_shared_drop(host.shared);
    return NULL;
}

/* ---- a launch ---- */

static void run_hosts(Grid *grid, int32_t n) {
    pthread_t threads[64];
    int32_t started = 0;
    n = n > 64 ? 64 : n;
    while (started < n - 1 && pthread_create(&threads[started], NULL, run_host, grid) == 0)
        started++;
    run_host(grid);
    for (int32_t k = 0; k < started; k++)
        pthread_join(threads[k], NULL);
}

/* A number without a common factor with n, so that its multiples visit all of 0 … n - 1. */
static int64_t stride_of(uint64_t seed, int64_t n) {
    if (!seed)
        return 1;
    for (int64_t s = (int64_t)(seed * 0x9E3779B97F4A7C15u >> 34) % n + 1;; s++) {
        int64_t a = s, b = n;
        while (b) {
            int64_t rest = a % b;
            a = b;
            b = rest;
        }
        if (a == 1)
            return s;
    }
}

bool emu_run(const EmuLaunch *launch, char *text, size_t size) {
    const int32_t *n = launch->grid.blocks;
    Grid grid = {.launch = launch, .blocks = (int64_t)n[0] * n[1] * n[2], .text = text,
                 .size = size, .lock = PTHREAD_MUTEX_INITIALIZER};
    uint64_t seed = launch->options.seed;
    grid.stride = stride_of(seed, grid.blocks);
    grid.resident = seed ? RESIDENT_SEEDED : 1;
    grid.plain = launch->kernel->run_all && !seed && !fibre_sees_races();
    bool is_small = grid.blocks * launch->grid.threads < 16384 && !seed;
    int64_t hosts = is_small ? 1 : launch->options.threads;
    grid.patience = hosts == 1 ? STUCK_ALONE : STUCK;
    emu_traps_open();
    fibre_order_before(&grid.begins);
    run_hosts(&grid, (int32_t)(hosts < grid.blocks ? hosts : grid.blocks));
    fibre_order_after(&grid.ended);
    emu_traps_close();
    return !grid.failed;
}
