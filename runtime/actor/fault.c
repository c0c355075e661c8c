/* Messages that end badly, and actors that wait, end or fault. */
#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

static bool is_own(const char *message) {
    return word_number(load_word(message)) >= NUMBER_FIRST_OWN;
}

int64_t message_bytes(const World *world, const char *message) {
    uint64_t number = word_number(load_word(message));
    if (number == NUMBER_LATER)
        return 2 * WORD_BYTES + message_bytes(world, message + 2 * WORD_BYTES);
    return is_own(message) ? 2 * WORD_BYTES : world->image->messages[number].bytes;
}

void message_release(World *world, char *message) {
    uint64_t number = word_number(load_word(message));
    if (number == NUMBER_LATER)
        message_release(world, message + 2 * WORD_BYTES);
    else if (!is_own(message) && world->image->messages[number].drop)
        world->image->messages[number].drop(&world->worker->thread.ctx, message);
}

uint64_t message_wanted(const World *world, const char *message) {
    if (is_own(message))
        return 0;
    int32_t at = world->image->messages[word_number(load_word(message))].reply;
    return at ? load_word(message + at) : 0;
}

uint64_t message_ref(const World *world, const char *message) {
    uint64_t word = load_word(message);
    uint64_t actor = (uint64_t)world->image->messages[word_number(word)].actor;
    return (word & 0xffffffffffff) | (actor + 1) << 48;
}

static const char *actor_name(const World *world, const char *message) {
    int32_t actor = world->image->messages[word_number(load_word(message))].actor;
    return world->image->actors[actor].name;
}

static void fail_asker(World *world, const char *message, const char *why) {
    uint64_t wanted = message_wanted(world, message);
    if (wanted)
        ask_fail(world, wanted, "%s %s", actor_name(world, message), why);
}

void message_drop(World *world, const char *why) {
    GactWorker *face = world->worker->face;
    char *message = face->head;
    if (why)
        fail_asker(world, message, why);
    mailbox_dropped(world, message);
    message_release(world, message);
    face->head += message_bytes(world, message);
    world->dropped++;
}

void work_tell(World *world, uint64_t ref, uint64_t number, uint64_t word) {
    char *p = work_room(world, 2 * WORD_BYTES);
    store_word(p, message_word(ref, number));
    store_word(p + WORD_BYTES, word);
    work_sent(world, 2 * WORD_BYTES);
}

/* ---- actors that wait ---- */

static uint32_t *life_at(const World *world, uint64_t ref) {
    return life_of(world, &world->kinds[ref_actor(ref)], ref_index(ref));
}

void actor_ready(World *world, uint64_t ref) {
    uint32_t *life = life_at(world, ref);
    *life &= ~(uint32_t)(GACT_LIFE_WAITS | GACT_LIFE_ODD);
    if (!stash_has(&world->stash, ref))
        return;
    *life |= GACT_LIFE_ODD;
    work_tell(world, ref, NUMBER_REPLAY, ref);
}

void actor_replay(World *world, uint64_t ref) {
    Worker *w = world->worker;
    uint32_t *life = life_at(world, ref);
    Stashed *kept = ref_is_alive(world, ref) && !(*life & GACT_LIFE_WAITS) ? stash_take(&world->stash, ref) : NULL;
    if (!kept)
        return;
    w->replayed = kept->message;
    world->image->messages[word_number(load_word(kept->message))].handle(&w->thread.ctx, w->face, kept->message);
    w->replayed = NULL;
    free(kept);
    if (!(*life & GACT_LIFE_WAITS))
        actor_ready(world, ref);
}

/* ---- the end of an actor ---- */

static void drop_stashed(World *world, uint64_t ref) {
    for (Stashed *kept; (kept = stash_take(&world->stash, ref)); free(kept)) {
        fail_asker(world, kept->message, "has stopped");
        mailbox_dropped(world, kept->message);
        message_release(world, kept->message);
        world->dropped++;
    }
}

void actor_stop(World *world, uint64_t ref) {
    if (!ref || !ref_is_alive(world, ref))
        return;
    const Kind *kind = &world->kinds[ref_actor(ref)];
    *life_at(world, ref) |= GACT_LIFE_ENDED;
    drop_stashed(world, ref);
    if (kind->info->stop) {
        int64_t bytes = world->image->messages[kind->info->stop].bytes;
        char *p = work_room(world, bytes);
        memset(p, 0, (size_t)bytes);
        store_word(p, message_word(ref, (uint64_t)kind->info->stop));
        work_sent(world, bytes);
    }
    work_tell(world, ref, NUMBER_BURY, ref);
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
        uint64_t wanted = message_wanted(world, p);
        if (wanted)
            ask_fail(world, wanted, "the question was never sent");
        mailbox_dropped(world, p);
        message_release(world, p);
        p += message_bytes(world, p);
    }
    queue_cut(&w->queue, w->face, w->face->staged);
}

/* Ends the message at hand, wherever it lies. Its name, for who is told of the fault. */
static const char *end_message(Worker *w) {
    World *world = w->world;
    Frame *frame = w->frame;
    char *message = frame ? frame->message : w->replayed ? w->replayed : w->face->head;
    const char *name = world->image->messages[word_number(load_word(message))].name;
    for (; w->face->run > 1; w->face->run--) { /* of those that the handler has got together */
        char *next = message + message_bytes(world, message);
        fail_asker(world, message, "has faulted");
        mailbox_dropped(world, next);
        message_release(world, message);
        w->face->head = message = next;
    }
    fail_asker(world, message, "has faulted");
    message_release(world, message);
    if (!w->is_resumed && !w->replayed)
        w->face->head += message_bytes(world, message);
    if (frame)
        frame_free(world, frame);
    if (w->replayed)
        free(w->replayed - offsetof(Stashed, message));
    w->frame = NULL;
    w->replayed = NULL;
    w->is_resumed = false;
    return name;
}

static void undo_all(Worker *w) {
    for (GactUndo *u = w->face->undo; u > w->notes;) {
        u--;
        memcpy(u->at, &u->old, (size_t)u->bytes);
    }
    w->face->undo = w->notes;
}

void actor_faulted(Worker *w) {
    World *world = w->world;
    uint64_t self = w->face->self;
    undo_all(w);
    drop_staged(w);
    heap_free_since(&w->thread, &w->live, 0);
    const char *message = end_message(w);
    Fault fault = w->thread.pending;
    w->thread.pending = (Fault){0};
    actor_supervise(world, self, &fault, message);
    fault_drop(&fault);
    if (ref_is_alive(world, self))
        actor_ready(world, self);
}
