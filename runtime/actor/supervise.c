/* What follows a fault: the actor stops, starts again, goes on, or its parent takes the blame. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STOPS, RESTARTS, RESUMES, ESCALATES }; /* GactActorInfo.supervision */

/* ---- how often ---- */

/* Counts a fault; false if there were too many in a short time. */
static bool may_go_on(World *world, Kind *kind, uint64_t ref) {
    Faults *f = &kind->faults[ref_index(ref)];
    int64_t now = world->clock->now_ns(world->clock->data);
    if (f->epoch != ref_epoch(ref) || now - f->since > kind->info->fault_window)
        f->count = 0;
    if (f->count == 0)
        f->since = now;
    f->epoch = ref_epoch(ref);
    return ++f->count <= kind->info->max_faults;
}

/* ---- on fault ---- */

static void put_string(Worker *w, char *p, const char *text) {
    int64_t len = (int64_t)strlen(text);
    GactBuf *buf = heap_alloc(&w->thread, len);
    if (!buf) {
        fputs("gact: no memory to tell of a fault\n", stderr);
        abort();
    }
    memcpy(buf + 1, text, (size_t)len);
    heap_detach(buf);
    store_word(p, (uint64_t)len);
    memcpy(p + 8, &(void *){buf}, 8);
    memcpy(p + 16, &(void *){buf + 1}, 8);
}

/* file:line:column */
static void place_text(const World *world, const Fault *fault, char *out, size_t size) {
    const GactSite *site = fault->site;
    const GactImage *image = world->run->program->image;
    out[0] = 0;
    if (!site || site->file < 0 || site->file >= image->nsources)
        return;
    const GactSource *source = &image->sources[site->file];
    int line = 1, column = 1;
    for (uint32_t k = 0; k < site->from && k < (uint64_t)source->len; k++) {
        column = source->text[k] == '\n' ? 1 : column + 1;
        line += source->text[k] == '\n';
    }
    snprintf(out, size, "%s:%d:%d", source->path, line, column);
}

/* Sends the actor what it handles by `on fault`. */
static void tell_actor(World *world, uint64_t ref, const Fault *fault, const char *message) {
    int32_t number = world->kinds[ref_actor(ref)].info->fault;
    if (!number)
        return;
    char *text = NULL, place[512];
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return;
    fault_print_message(out, fault);
    fclose(out);
    place_text(world, fault, place, sizeof place);
    int64_t bytes = world->image->messages[number].bytes;
    char *p = work_room(world, bytes);
    memset(p, 0, (size_t)bytes);
    store_word(p, message_word(ref, (uint64_t)number));
    put_string(world->worker, p + 8, text);
    put_string(world->worker, p + 32, place);
    put_string(world->worker, p + 56, message);
    work_sent(world, bytes);
    free(text);
}

/* ---- what follows ---- */

typedef struct {
    World *world;
    uint64_t ref;
} Restart;

static void restart(GactCtx *ctx, void *env) {
    const Restart *r = env;
    r->world->kinds[ref_actor(r->ref)].info->restart(ctx, r->ref);
}

static Fault copy_fault(const Fault *fault) {
    Fault copy = *fault;
    copy.text = fault->text ? strdup(fault->text) : NULL;
    return copy;
}

static void keep(World *world, const Fault *fault) {
    Fault copy = copy_fault(fault);
    run_keep_fault(world->run, &copy);
}

static void escalate(World *world, uint64_t ref, const Fault *fault, const char *message) {
    uint64_t parent = world->kinds[ref_actor(ref)].parents[ref_index(ref)];
    actor_stop(world, ref);
    if (parent && ref_is_alive(world, parent))
        actor_supervise(world, parent, fault, message);
    else
        keep(world, fault);
}

void actor_supervise(World *world, uint64_t ref, const Fault *fault, const char *message) {
    Kind *kind = &world->kinds[ref_actor(ref)];
    if (!ref_is_alive(world, ref)) {
        keep(world, fault);
        return;
    }
    tell_actor(world, ref, fault, message);
    int32_t how = kind->info->supervision;
    if (how == STOPS) {
        keep(world, fault);
        actor_stop(world, ref);
    } else if (how == ESCALATES || !may_go_on(world, kind, ref)) {
        escalate(world, ref, fault, message);
    } else if (how == RESTARTS) {
        Restart r = {world, ref};
        world->worker->face->self = ref;
        if (rt_try_call(&world->worker->thread.ctx, restart, &r))
            escalate(world, ref, fault, message);
    }
}
