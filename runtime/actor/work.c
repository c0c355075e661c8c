/* Handling messages: the loop around compiled code's, timers, and waiting for the end. */
#include "actor.h"

#include "hlc.h"

#include <stdlib.h>
#include <string.h>

/* ---- handling ---- */

/* False: a handler has faulted, and thread.pending is the fault. */
static bool drain(Worker *w) {
    Landing landing; /* not cleared: jump is big */
    landing.stamp = 0;
    landing_push(&w->thread, &landing);
    if (_setjmp(landing.jump))
        return false;
    w->world->image->drain(&w->thread.ctx, w->face);
    landing_pop(&w->thread, &landing);
    return true;
}

bool work_some(Worker *w) {
    World *world = w->world;
    w->face->clock = hlc_tick(w->face->clock, world->clock->wall_us(world->clock->data));
    while (!drain(w)) {
        if (w->thread.pending.is_exit) {
            world->run->main.pending = w->thread.pending;
            w->face->self = 0;
            return false;
        }
        actor_faulted(w);
    }
    w->face->self = 0;
    return true;
}

char *work_room(World *world, int64_t bytes) {
    Worker *w = world->worker;
    if (w->face->tail + bytes > w->face->limit && !queue_room(&w->queue, w->face, bytes)) {
        fputs("gact: no memory for a message\n", stderr);
        abort();
    }
    return w->face->tail;
}

void work_sent(World *world, int64_t bytes) {
    world->worker->face->tail += bytes;
}

/* ---- timers ---- */

/* A timer whose actor has ended is none, nor is the limit of an ask that is over; a delayed message for it is dropped when it is due. */
static bool is_over(World *world, const Timer *timer) {
    if (timer->ask)
        return !ask_open_at(world, timer->ask);
    return timer->period && !ref_is_alive(world, message_ref(world, timer->message));
}

static void fire(World *world, Timer timer) {
    memcpy(work_room(world, timer.bytes), timer.message, (size_t)timer.bytes);
    mailbox_added(world, timer.message);
    work_sent(world, timer.bytes);
    if (timer.period) {
        timer.due += timer.period;
        timers_add(&world->timers, timer); /* has the room that it had */
    } else {
        free(timer.message);
    }
}

int64_t work_timers(World *world) {
    Timers *timers = &world->timers;
    if (!timers->len)
        return INT64_MAX;
    int64_t now = world->clock->now_ns(world->clock->data);
    while (timers->len) {
        if (is_over(world, &timers->at[0]))
            free(timers_take(timers).message);
        else if (timers->at[0].due <= now)
            fire(world, timers_take(timers));
        else
            return timers->at[0].due;
    }
    return INT64_MAX;
}

/* ---- until the end ---- */

static bool is_idle(const Worker *w) {
    return w->face->head == w->face->tail;
}

void work_all(World *world, bool and_timers) {
    for (;;) {
        int64_t next = work_timers(world);
        if (!is_idle(world->worker)) {
            if (!work_some(world->worker))
                fault_throw(&world->run->main, world->run->main.pending);
        } else if (mailbox_release_all(world)) {
            continue;
        } else if (and_timers && next != INT64_MAX) {
            world->clock->sleep_until(world->clock->data, next);
        } else if (next != INT64_MAX || !frames_break(world)) {
            return;
        }
    }
}
