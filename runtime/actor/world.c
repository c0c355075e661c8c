/* The world of a run's actors: made by the first spawn, ended with the run. */
#include "actor.h"

#include "hlc.h"

#include <stdlib.h>
#include <string.h>

enum { BUDGET = 1 << 14 };

/* A worker's context is that of main, whose thread it shares, but for its list of buffers. Kernels run
   on this thread: it is never alone with the pool's. */
static bool worker_open(Worker *w, World *world) {
    Run *run = world->run;
    size_t bytes = sizeof(GactWorker) + sizeof(void *) * (size_t)world->image->ncolumns;
    w->world = world;
    w->face = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (!w->face)
        return false;
    memset(w->face, 0, bytes);
    w->face->budget = BUDGET;
    w->face->run = 1;
    w->thread.ctx = run->main.ctx;
    w->thread.ctx.serial = 1;
    w->thread.ctx.device = NULL;
    w->thread.ctx.worker = w->face;
    w->thread.run = run;
    w->thread.live = &w->live;
    w->thread.in_part = true;
    w->thread.guard_from = run->main.guard_from;
    w->thread.guard_to = run->main.guard_to;
    w->thread.cache = run->main.cache;
    return queue_open(&w->queue, w->face);
}

static bool world_open(World *world, Run *run) {
    *world = (World){.run = run, .image = run->program->image->actors, .clock = &real_clock};
    world->worker = aligned_alloc(64, (sizeof(Worker) + 63) & ~(size_t)63);
    world->kinds = calloc((size_t)world->image->nactors, sizeof *world->kinds);
    if (!world->worker || !world->kinds)
        return false;
    memset(world->worker, 0, sizeof *world->worker);
    if (!worker_open(world->worker, world))
        return false;
    for (int32_t a = 0; a < world->image->nactors; a++)
        if (!kind_open(&world->kinds[a], world, &world->image->actors[a], a))
            return false;
    world->worker->face->clock = hlc_tick(0, world->clock->wall_us(world->clock->data));
    return true;
}

World *world_of(Run *run) {
    if (run->world)
        return run->world;
    run->world = malloc(sizeof *run->world);
    if (run->world && !world_open(run->world, run)) {
        world_close(run->world);
        run->world = NULL;
    }
    if (run->world)
        run->main.ctx.worker = run->world->worker->face;
    return run->world;
}

/* ---- the end ---- */

static void drop_queue(World *world) {
    Worker *w = world->worker;
    while (w->face->head != w->face->tail) {
        uint64_t word;
        memcpy(&word, w->face->head, sizeof word);
        if (word == 0)
            queue_next(&w->queue, w->face);
        else
            message_drop(world, NULL);
    }
}

static void drop_timers(World *world) {
    for (int32_t k = 0; k < world->timers.len; k++) {
        message_release(world, world->timers.at[k].message);
        free(world->timers.at[k].message);
    }
    free(world->timers.at);
}

static void drop_stashed(void *arg, char *message) {
    message_release(arg, message);
}

static void drop_frames(World *world) {
    frames_sweep(world);
    while (world->waiting) {
        message_release(world, world->waiting->message);
        frame_free(world, world->waiting);
    }
    if (world->worker->frame)
        frame_free(world, world->worker->frame);
    stash_free(&world->stash, drop_stashed, world);
}

static void drop_states(World *world) {
    GactCtx *ctx = &world->worker->thread.ctx;
    for (int32_t a = 0; a < world->image->nactors; a++) {
        const Kind *kind = &world->kinds[a];
        for (uint32_t k = 0; kind->info->clear && k < kind->used; k++)
            kind->info->clear(ctx, ref_make(a, 0, k));
    }
}

void world_close(World *world) {
    if (!world)
        return;
    Worker *w = world->worker;
    if (w && w->face && world->kinds) {
        drop_queue(world);
        drop_timers(world);
        drop_frames(world);
        drop_states(world);
        heap_free_since(&w->thread, &w->live, 0);
        for (int32_t a = 0; a < world->image->nactors; a++)
            if (world->kinds[a].info)
                kind_close(&world->kinds[a], world);
    }
    if (w) {
        queue_close(&w->queue);
        free(w->notes);
        free(w->face);
    }
    asks_free(world);
    world->run->main.ctx.worker = NULL;
    world->run->world = NULL;
    free(world->kinds);
    free(world->blocked);
    free(w);
    free(world);
}
