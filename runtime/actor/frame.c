/* Handlers that wait for replies. A frame holds what such a handler needs: the message, the coroutine's
   memory, and, while it waits, its buffers. */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- lists of buffers ---- */

/* Moves all buffers from one list to another, which is empty. Only this thread uses them. */
static void move_buffers(BufList *from, BufList *to) {
    to->head = from->head;
    from->head = NULL;
    for (GactBuf *buf = to->head; buf; buf = buf->next)
        buf->owner = to;
}

/* ---- frames ---- */

static void link_waiting(World *world, Frame *frame) {
    frame->next = world->waiting;
    frame->link = &world->waiting;
    if (frame->next)
        frame->next->link = &frame->next;
    world->waiting = frame;
}

static void unlink_waiting(Frame *frame) {
    if (!frame->link)
        return;
    *frame->link = frame->next;
    if (frame->next)
        frame->next->link = frame->link;
    frame->link = NULL;
}

static _Noreturn void no_memory(void) {
    fputs("gact: no memory for a handler that waits\n", stderr);
    abort();
}

char *rt_begin(GactCtx *ctx, char *message) {
    World *world = world_at(ctx);
    frames_sweep(world);
    int64_t bytes = message_bytes(world, message);
    Frame *frame = aligned_alloc(64, (sizeof *frame + 63) & ~(size_t)63);
    char *copy = malloc((size_t)bytes);
    if (!frame || !copy)
        no_memory();
    memcpy(copy, message, (size_t)bytes);
    memset(frame, 0, sizeof *frame);
    frame->self = world->worker->face->self;
    frame->message = copy;
    world->worker->frame = frame;
    return copy;
}

void *rt_frame(GactCtx *ctx, int64_t bytes) {
    Frame *frame = world_at(ctx)->worker->frame;
    frame->coroutine = aligned_alloc(64, ((size_t)bytes + 63) & ~(size_t)63);
    if (!frame->coroutine)
        no_memory();
    return frame->coroutine;
}

void frame_free(World *world, Frame *frame) {
    unlink_waiting(frame);
    heap_free_since(&world->worker->thread, &frame->live, 0);
    free(frame->coroutine);
    free(frame->message);
    free(frame);
}

void frames_sweep(World *world) {
    for (Frame *frame = world->finished, *next; frame; frame = next) {
        next = frame->next;
        frame_free(world, frame);
    }
    world->finished = NULL;
}

static uint32_t *frame_life(const World *world, const Frame *frame) {
    return life_of(world, &world->kinds[ref_actor(frame->self)], ref_index(frame->self));
}

/* ---- waiting ---- */

static void expire_later(World *world, int64_t ask, int64_t within) {
    Timer timer = {.due = world->clock->now_ns(world->clock->data) + within, .bytes = 2 * WORD_BYTES,
                   .message = malloc(2 * WORD_BYTES), .ask = ask};
    if (!timer.message || !timers_add(&world->timers, timer))
        no_memory();
    store_word(timer.message, message_word(0, NUMBER_EXPIRE));
    store_word(timer.message + WORD_BYTES, (uint64_t)ask);
}

void rt_wait(GactCtx *ctx, int64_t ask, int64_t within) {
    World *world = world_at(ctx);
    Worker *w = world->worker;
    Frame *frame = w->frame;
    Ask *a = ask_at(world, ask);
    frame->ask = ask;
    a->frame = frame;
    if (!world->kinds[ref_actor(frame->self)].info->is_reentrant)
        *frame_life(world, frame) |= GACT_LIFE_WAITS;
    move_buffers(&w->live, &frame->live);
    link_waiting(world, frame);
    w->frame = NULL;
    if (!a->missing || a->failure) { /* nobody was asked */
        a->is_over = true;
        work_tell(world, 0, NUMBER_RESUME, (uint64_t)ask);
    } else if (within) {
        expire_later(world, ask, within);
    }
}

/* What switched-resume coroutines begin with. */
typedef struct {
    void (*resume)(void *coroutine);
} Coroutine;

void frame_resume(World *world, Frame *frame) {
    Worker *w = world->worker;
    unlink_waiting(frame);
    *frame_life(world, frame) &= ~(uint32_t)GACT_LIFE_WAITS;
    move_buffers(&frame->live, &w->live);
    w->frame = frame;
    w->is_resumed = true;
    w->face->self = frame->self;
    w->face->staged = w->face->tail;
    ((Coroutine *)frame->coroutine)->resume(frame->coroutine);
    w->is_resumed = false;
}

char *rt_answer(GactCtx *ctx, const GactSite *site, int64_t ask, int32_t is_tried) {
    World *world = world_at(ctx);
    Ask *a = ask_at(world, ask);
    world->worker->frame->ask = 0;
    if (!a->failure)
        return a->replies;
    char text[200];
    snprintf(text, sizeof text, "%s", a->failure);
    ask_close(world, ask);
    if (is_tried)
        return NULL;
    fault_raise(ctx, site, "ask", "%s", text);
}

void rt_finish(GactCtx *ctx) {
    World *world = world_at(ctx);
    Worker *w = world->worker;
    Frame *frame = w->frame;
    message_release(world, frame->message);
    w->frame = NULL;
    frame->next = world->finished;
    world->finished = frame;
    actor_ready(world, frame->self);
}

bool frames_break(World *world) {
    Frame *frame = world->waiting;
    if (!frame)
        return false;
    Ask *ask = ask_at(world, frame->ask);
    if (ask->failure || !ask->missing)
        return false;
    ask->failure = strdup("the reply will never come: all that could send it wait");
    ask->is_over = true;
    work_tell(world, 0, NUMBER_RESUME, (uint64_t)frame->ask);
    return true;
}
