/* Messages that end badly, and actors that end. */
#include "actor.h"

#include <stdlib.h>
#include <string.h>

static uint64_t load_word(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static void store_word(char *p, uint64_t word) {
    memcpy(p, &word, sizeof word);
}

/* ---- messages ---- */

static int64_t message_bytes(const World *world, const char *message) {
    uint64_t number = word_number(load_word(message));
    if (number == NUMBER_BURY)
        return 2 * WORD_BYTES;
    if (number == NUMBER_LATER)
        return 2 * WORD_BYTES + message_bytes(world, message + 2 * WORD_BYTES);
    return world->image->messages[number].bytes;
}

void message_release(World *world, char *message) {
    uint64_t number = word_number(load_word(message));
    if (number == NUMBER_LATER)
        message_release(world, message + 2 * WORD_BYTES);
    else if (number != NUMBER_BURY && world->image->messages[number].drop)
        world->image->messages[number].drop(&world->worker->thread.ctx, message);
}

static uint64_t wanted_reply(const World *world, const char *message) {
    uint64_t number = word_number(load_word(message));
    if (number >= NUMBER_LATER || !world->image->messages[number].reply)
        return 0;
    return load_word(message + world->image->messages[number].reply);
}

static const char *actor_name(const World *world, const char *message) {
    int32_t actor = world->image->messages[word_number(load_word(message))].actor;
    return world->image->actors[actor].name;
}

void message_drop(World *world, const char *why) {
    GactWorker *face = world->worker->face;
    char *message = face->head;
    uint64_t wanted = wanted_reply(world, message);
    if (wanted && why)
        ask_fail(world, wanted, "%s %s", actor_name(world, message), why);
    message_release(world, message);
    face->head += message_bytes(world, message);
    world->dropped++;
}

/* ---- the end of an actor ---- */

void actor_stop(World *world, uint64_t ref) {
    if (!ref || !ref_is_alive(world, ref))
        return;
    const Kind *kind = &world->kinds[ref_actor(ref)];
    *life_of(world, kind, ref_index(ref)) |= GACT_LIFE_ENDED;
    if (kind->info->stop) {
        int64_t bytes = world->image->messages[kind->info->stop].bytes;
        char *p = work_room(world, bytes);
        memset(p, 0, (size_t)bytes);
        store_word(p, message_word(ref, (uint64_t)kind->info->stop));
        work_sent(world, bytes);
    }
    char *p = work_room(world, 2 * WORD_BYTES);
    store_word(p, message_word(ref, NUMBER_BURY));
    store_word(p + WORD_BYTES, ref);
    work_sent(world, 2 * WORD_BYTES);
}

/* ---- faults ---- */

/* What the handler at hand has sent is taken back. */
static void drop_staged(Worker *w) {
    World *world = w->world;
    for (char *p = w->face->staged; p != w->face->tail;) {
        if (load_word(p) == 0) { /* the end of a part */
            p = queue_after(&w->queue, p, 0);
            continue;
        }
        uint64_t wanted = wanted_reply(world, p);
        if (wanted)
            ask_fail(world, wanted, "the question was never sent");
        message_release(world, p);
        p += message_bytes(world, p);
    }
    queue_cut(&w->queue, w->face, w->face->staged);
}

void actor_faulted(Worker *w) {
    World *world = w->world;
    drop_staged(w);
    heap_free_since(&w->thread, &w->live, 0);
    uint64_t self = w->face->self;
    Fault *fault = &w->thread.pending;
    message_drop(world, "has faulted");
    world->dropped--;
    run_keep_fault(world->run, fault);
    actor_stop(world, self);
}
