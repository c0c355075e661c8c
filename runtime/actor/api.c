/* What compiled code calls for actors. */
#include "api.h"

#include "hlc.h"

#include <stdlib.h>
#include <string.h>

/* ---- queues ---- */

void rt_room(GactCtx *ctx, int64_t bytes) {
    work_room(world_at(ctx), bytes);
}

static void bury(World *world, uint64_t ref) {
    Kind *kind = &world->kinds[ref_actor(ref)];
    kind->info->clear(&world->worker->thread.ctx, ref);
    kind_vacate(kind, world, ref_index(ref));
}

static void begin_later(World *world, const char *p) {
    const char *message = p + 2 * WORD_BYTES;
    int64_t bytes = message_bytes(world, message);
    Timer timer = {.due = world->clock->now_ns(world->clock->data) + (int64_t)load_word(p + WORD_BYTES),
                   .bytes = (int32_t)bytes, .message = malloc((size_t)bytes)};
    if (timer.message)
        memcpy(timer.message, message, (size_t)bytes);
    if (!timer.message || !timers_add(&world->timers, timer)) {
        fputs("gact: no memory for a timer\n", stderr);
        abort();
    }
}

static void resume(World *world, int64_t ask) {
    Ask *a = ask_open_at(world, ask);
    if (a && a->frame)
        frame_resume(world, a->frame);
}

void rt_next(GactCtx *ctx) {
    World *world = world_at(ctx);
    Worker *w = world->worker;
    const char *p = w->face->head;
    frames_sweep(world);
    if (load_word(p) == 0) {
        queue_next(&w->queue, w->face);
        return;
    }
    uint64_t number = word_number(load_word(p)), word = load_word(p + WORD_BYTES);
    w->face->head += message_bytes(world, p);
    switch (number) {
    case NUMBER_BURY: bury(world, word); return;
    case NUMBER_LATER: begin_later(world, p); return;
    case NUMBER_RESUME: resume(world, (int64_t)word); return;
    case NUMBER_REPLAY: actor_replay(world, word); return;
    case NUMBER_EXPIRE: ask_expire(world, (int64_t)word); return;
    default: assert(!"a message of the program");
    }
}

static void put_aside(World *world, uint64_t ref) {
    GactWorker *face = world->worker->face;
    int64_t bytes = message_bytes(world, face->head);
    if (!stash_put(&world->stash, ref, face->head, bytes)) {
        fputs("gact: no memory for a message\n", stderr);
        abort();
    }
    face->head += bytes;
}

void rt_undo_room(GactCtx *ctx) {
    Worker *w = world_at(ctx)->worker;
    size_t had = (size_t)(w->face->undo - w->notes), room = had ? 2 * had : 256;
    GactUndo *grown = realloc(w->notes, room * sizeof *grown);
    if (!grown) {
        fputs("gact: no memory to note what a handler changes\n", stderr);
        abort();
    }
    w->notes = grown;
    w->face->undo = grown + had;
    w->face->undo_end = grown + room;
}

void rt_undo_clear(GactCtx *ctx) {
    Worker *w = world_at(ctx)->worker;
    w->face->undo = w->notes;
}

void rt_odd(GactCtx *ctx) {
    World *world = world_at(ctx);
    uint64_t ref = message_ref(world, world->worker->face->head);
    if (!ref_is_alive(world, ref)) {
        message_drop(world, "has stopped");
        return;
    }
    uint32_t life = *life_of(world, &world->kinds[ref_actor(ref)], ref_index(ref));
    if ((life & GACT_LIFE_WAITS) || stash_has(&world->stash, ref))
        put_aside(world, ref);
    else
        mailbox_take(world, ref);
}

void rt_detach(GactCtx *ctx, GactBuf *buf) {
    if (!buf || buf->count < 0)
        return;
    if (ctx->device)
        rt_to_host(ctx, buf, 0, 0);
    heap_detach(buf);
}

/* ---- actors ---- */

int64_t rt_spawn(GactCtx *ctx, const GactSite *site, int32_t actor, int64_t count) {
    World *world = world_of(thread_of(ctx)->run);
    int64_t first = world ? kind_spawn(&world->kinds[actor], world, count) : -1;
    if (first < 0)
        fault_raise(ctx, site, "memory", "memory is exhausted: there is no room for %lld actors",
                    (long long)count);
    return first;
}

int64_t rt_find(GactCtx *ctx, int32_t actor, uint64_t key) {
    World *world = world_of(thread_of(ctx)->run);
    uint64_t ref = world ? virtual_find(&world->kinds[actor], key) : 0;
    return ref && ref_is_alive(world, ref) ? (int64_t)ref : 0;
}

void rt_enter(GactCtx *ctx, const GactSite *site, int32_t actor, uint64_t key, int64_t who) {
    if (!virtual_enter(&world_at(ctx)->kinds[actor], key, (uint64_t)who))
        fault_raise(ctx, site, "memory", "memory is exhausted: no room for a virtual actor");
}

void rt_peers(GactCtx *ctx, uint64_t self, int64_t out[2]) {
    World *world = world_at(ctx);
    int32_t actor = ref_actor(self);
    Population p = kind_population(&world->kinds[actor], ref_index(self));
    out[0] = (int64_t)ref_make(actor, p.count == 1 ? ref_epoch(self) : 0, p.first);
    out[1] = p.count;
}

void rt_stop(GactCtx *ctx, uint64_t who) {
    actor_stop(world_at(ctx), who);
}

/* ---- time ---- */

uint64_t rt_stamp(GactCtx *ctx) {
    const Clock *clock = world_at(ctx)->clock;
    return ctx->worker->clock = hlc_tick(ctx->worker->clock, clock->wall_us(clock->data));
}

void rt_later(GactCtx *ctx, const char *message, int64_t bytes, int64_t delay) {
    World *world = world_at(ctx);
    char *p = work_room(world, bytes + 2 * WORD_BYTES);
    uint64_t word = message_word(0, NUMBER_LATER);
    memcpy(p, &word, sizeof word);
    memcpy(p + WORD_BYTES, &delay, sizeof delay);
    memcpy(p + 2 * WORD_BYTES, message, (size_t)bytes);
    work_sent(world, bytes + 2 * WORD_BYTES);
}

void rt_timer(GactCtx *ctx, const GactSite *site, int32_t message, int64_t period, int32_t repeats,
              uint64_t self) {
    World *world = world_at(ctx);
    int32_t bytes = world->image->messages[message].bytes;
    if (repeats && period <= 0)
        fault_raise(ctx, site, "timer", "a timer repeats after more than 0ns, not %lldns",
                    (long long)period);
    Timer timer = {.due = world->clock->now_ns(world->clock->data) + period, .bytes = bytes,
                   .period = repeats ? period : 0, .message = calloc(1, (size_t)bytes)};
    if (!timer.message || !timers_add(&world->timers, timer))
        fault_raise(ctx, site, "memory", "memory is exhausted: no room for a timer");
    uint64_t word = message_word(self, (uint64_t)message);
    memcpy(timer.message, &word, sizeof word);
}

/* ---- asks ---- */

int64_t rt_ask(GactCtx *ctx, const GactSite *site, int32_t message, int64_t count) {
    int64_t ask = ask_open(world_of(thread_of(ctx)->run), message, count);
    if (!ask)
        fault_raise(ctx, site, "memory", "memory is exhausted: no room for %lld replies",
                    (long long)count);
    return ask;
}

void rt_reply(GactCtx *ctx, uint64_t wanted, const void *reply) {
    ask_reply(world_at(ctx), wanted, reply);
}

/* Ends an ask and faults. */
static _Noreturn void ask_faulted(GactCtx *ctx, const GactSite *site, int64_t ask, const char *text) {
    char copy[200];
    snprintf(copy, sizeof copy, "%s", text);
    ask_close(world_at(ctx), ask);
    fault_raise(ctx, site, "ask", "%s", copy);
}

/* One round of waiting: handles messages, or sleeps until a timer is due. False: nothing will happen. */
static bool wait_some(World *world, int64_t deadline) {
    Worker *w = world->worker;
    int64_t next = work_timers(world);
    if (w->face->head != w->face->tail) {
        if (!work_some(w))
            fault_throw(&world->run->main, world->run->main.pending);
        return true;
    }
    if (next > deadline)
        next = deadline;
    if (next == INT64_MAX)
        return mailbox_release_all(world) || frames_break(world);
    world->clock->sleep_until(world->clock->data, next);
    return true;
}

char *rt_await(GactCtx *ctx, const GactSite *site, int64_t ask, int64_t within) {
    World *world = world_at(ctx);
    const Clock *clock = world ? world->clock : NULL;
    int64_t deadline = within ? clock->now_ns(clock->data) + within : INT64_MAX;
    while (ask_at(world, ask)->missing && !ask_at(world, ask)->failure) {
        if (!wait_some(world, deadline))
            ask_faulted(ctx, site, ask, "the reply will never come");
        bool is_open = ask_at(world, ask)->missing && !ask_at(world, ask)->failure;
        if (is_open && within && clock->now_ns(clock->data) >= deadline)
            ask_faulted(ctx, site, ask, "the reply took too long");
    }
    if (ask_at(world, ask)->failure)
        ask_faulted(ctx, site, ask, ask_at(world, ask)->failure);
    return ask_at(world, ask)->replies;
}

void rt_answered(GactCtx *ctx, int64_t ask) {
    ask_close(world_at(ctx), ask);
}

void rt_SETTLE(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
               const GactType *result, GactSlot *out) {
    (void)site, (void)args, (void)nargs, (void)result, (void)out;
    if (thread_of(ctx)->run->world && ctx == &thread_of(ctx)->run->main.ctx)
        work_all(thread_of(ctx)->run->world, false);
}
