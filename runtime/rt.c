/* The table of functions that compiled code calls, and those that need no file and no format. */
#include "runtime.h"

#include "actor/api.h"
#include "value/print.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static GactBuf *rt_alloc(GactCtx *ctx, const GactSite *site, int64_t bytes) {
    GactBuf *buf = heap_alloc(thread_of(ctx), bytes);
    if (!buf)
        fault_raise(ctx, site, "memory", "memory is exhausted: %lld more bytes were wanted",
                    (long long)bytes);
    return buf;
}

static GactBuf *rt_reserve(GactCtx *ctx, const GactSite *site, int64_t room) {
    GactBuf *buf = heap_reserve(thread_of(ctx), room);
    if (!buf)
        fault_raise(ctx, site, "memory", "memory is exhausted: room for %lld more bytes was wanted",
                    (long long)room);
    return buf;
}

static void rt_settle(GactCtx *ctx, GactBuf *buf, int64_t most, int64_t bytes) {
    heap_settle(thread_of(ctx), buf, most, bytes);
}

static void rt_retain(GactCtx *ctx, GactBuf *buf) {
    (void)ctx;
    heap_retain(buf);
}

static void rt_release(GactCtx *ctx, GactBuf *buf) {
    heap_release(thread_of(ctx), buf);
}

/* Wall time as a hybrid logical clock's stamp that is later than every one given before. */
void rt_NOW(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
            const GactType *result, GactSlot *out) {
    static _Atomic uint64_t last;
    struct timespec ts;
    (void)site, (void)args, (void)nargs, (void)result;
    if (ctx->worker) { /* one clock for this and for what is sent */
        out[0].u = rt_stamp(ctx);
        return;
    }
    clock_gettime(CLOCK_REALTIME, &ts);
    uint64_t wall = ((uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000) << 12;
    uint64_t seen = atomic_load_explicit(&last, memory_order_relaxed), next;
    do
        next = wall > seen ? wall : seen + 1;
    while (!atomic_compare_exchange_weak_explicit(&last, &seen, next, memory_order_relaxed,
                                                  memory_order_relaxed));
    out[0].u = next;
}

/* Leaves the run as a fault would, but no try stops it. */
void rt_EXIT(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
             const GactType *result, GactSlot *out) {
    Thread *t = thread_of(ctx);
    (void)nargs, (void)result, (void)out;
    t->run->exit_status = (int32_t)args[0].slots[0].i;
    fault_throw(t, (Fault){.site = site, .kind = "exit", .is_exit = true});
}

static void retain_buffer(void *arg, GactBuf *buf) {
    (void)arg;
    heap_retain(buf);
}

void rt_TRACE(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
              const GactType *result, GactSlot *out) {
    Region region = {0};
    Text text = {.region = &region};
    (void)ctx, (void)site, (void)nargs;
    value_print(&text, args[0].type, args[0].slots);
    text_puts(&text, ": ");
    value_print(&text, args[1].type, args[1].slots);
    text_char(&text, '\n');
    fwrite(text_string(&text), 1, text.len, stderr); /* one call: lines of threads do not mix */
    region_free(&region);
    memcpy(out, args[1].slots, (size_t)result->slots * sizeof *out);
    value_each_buffer(result, out, retain_buffer, NULL);
}

const GactApi runtime_api = {
    .version = GACT_ABI_VERSION,
    .alloc = rt_alloc,
    .reserve = rt_reserve,
    .settle = rt_settle,
    .retain = rt_retain,
    .release = rt_release,
    .fault = rt_fault,
    .try_call = rt_try_call,
    .guard = rt_guard,
    .parallel = rt_parallel,
    .sweep = rt_sweep,
    .workers = rt_workers,
    .sort = rt_sort,
    .sort_by = rt_sort_by,
    .matmul = rt_matmul,
    .launch = rt_launch,
    .collect = rt_collect,
    .forget = rt_forget,
    .on_device = rt_on_device,
    .library = rt_library,
    .to_host = rt_to_host,
    .room = rt_room,
    .next = rt_next,
    .odd = rt_odd,
    .detach = rt_detach,
    .spawn = rt_spawn,
    .peers = rt_peers,
    .later = rt_later,
    .timer = rt_timer,
    .ask = rt_ask,
    .reply = rt_reply,
    .await = rt_await,
    .answered = rt_answered,
    .undo_room = rt_undo_room,
    .undo_clear = rt_undo_clear,
    .stop = rt_stop,
    .full = rt_full,
    .find = rt_find,
    .enter = rt_enter,
    .begin = rt_begin,
    .frame = rt_frame,
    .wait = rt_wait,
    .answer = rt_answer,
    .finish = rt_finish,
#define RT(id, name, effect, doc) .id = rt_##id,
#include "../lang/abi.def"
};
