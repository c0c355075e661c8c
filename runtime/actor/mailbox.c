/* Mailboxes with a limit. How many messages wait for an actor is counted by who sends and who handles them;
   this is what happens when there are too many. A sender that has to wait takes no message until there is
   room; what it has sent is in the queue all the same, so no worker ever stands still. */
#include "api.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCKS, DROPS_OLDEST, DROPS_NEWEST, FAULTS }; /* GactActorInfo.overflow */

static Kind *kind_of(World *world, uint64_t ref) {
    return &world->kinds[ref_actor(ref)];
}

static uint32_t *life_at(World *world, uint64_t ref) {
    return life_of(world, kind_of(world, ref), ref_index(ref));
}

static bool counts(const World *world, const char *message) {
    uint64_t number = word_number(load_word(message));
    int32_t kind = number < NUMBER_FIRST_OWN ? world->image->messages[number].kind : GACT_MESSAGE_STOP;
    return kind != GACT_MESSAGE_STOP && kind != GACT_MESSAGE_FAULT;
}

void mailbox_dropped(World *world, const char *message) {
    uint32_t *queued = counts(world, message) ? queued_of(world, message_ref(world, message)) : NULL;
    if (queued)
        --*queued;
}

void mailbox_added(World *world, const char *message) {
    uint32_t *queued = counts(world, message) ? queued_of(world, message_ref(world, message)) : NULL;
    if (queued)
        ++*queued;
}

/* ---- senders that wait ---- */

static bool block(World *world, uint64_t sender, uint64_t receiver) {
    if (world->nblocked == world->blocked_room) {
        int32_t room = world->blocked_room ? world->blocked_room * 2 : 16;
        Blocked *grown = realloc(world->blocked, (size_t)room * sizeof *grown);
        if (!grown)
            return false;
        world->blocked = grown;
        world->blocked_room = room;
    }
    world->blocked[world->nblocked++] = (Blocked){sender, receiver};
    *life_at(world, sender) |= GACT_LIFE_WAITS;
    *life_at(world, receiver) |= GACT_LIFE_ODD;
    return true;
}

/* Senders to receiver, or all if it is 0, go on. */
static void release(World *world, uint64_t receiver) {
    int32_t kept = 0;
    for (int32_t k = 0; k < world->nblocked; k++) {
        Blocked b = world->blocked[k];
        if (receiver && b.receiver != receiver)
            world->blocked[kept++] = b;
        else if (ref_is_alive(world, b.sender))
            actor_ready(world, b.sender);
    }
    world->nblocked = kept;
}

bool mailbox_release_all(World *world) {
    bool any = world->nblocked > 0;
    release(world, 0);
    return any;
}

/* main sends: messages are handled until there is room. */
static void make_room(World *world, const uint32_t *queued, uint32_t capacity) {
    Worker *w = world->worker;
    int64_t budget = w->face->budget;
    w->face->budget = 64;
    while (*queued >= capacity && w->face->head != w->face->tail)
        if (!work_some(w)) {
            w->face->budget = budget;
            fault_throw(&world->run->main, world->run->main.pending);
        }
    w->face->budget = budget;
}

/* ---- full ---- */

static bool skip_oldest(World *world, uint64_t ref) {
    Kind *kind = kind_of(world, ref);
    if (!kind->skips)
        kind->skips = calloc((size_t)1 << 28, sizeof *kind->skips); /* address space: read where written */
    if (!kind->skips)
        return false;
    kind->skips[ref_index(ref)]++;
    *life_at(world, ref) |= GACT_LIFE_ODD;
    return true;
}

int32_t rt_full(GactCtx *ctx, const GactSite *site, uint64_t who, uint64_t wanted) {
    World *world = world_at(ctx);
    const GactActorInfo *info = kind_of(world, who)->info;
    uint64_t sender = world->worker->face->self;
    uint32_t *queued = queued_of(world, who);
    if (!ref_is_alive(world, who)) {
        ++*queued;
        return 1; /* it is dropped when it comes */
    }
    if (info->overflow == FAULTS)
        fault_raise(ctx, site, "mailbox", "the mailbox of %s is full: it holds %lld messages", info->name,
                    (long long)info->capacity);
    if (info->overflow == DROPS_NEWEST) {
        if (wanted)
            ask_fail(world, wanted, "the mailbox of %s is full", info->name);
        world->dropped++;
        return 0;
    }
    if (info->overflow == DROPS_OLDEST && skip_oldest(world, who))
        return 1;
    if (info->overflow == BLOCKS && !sender)
        make_room(world, queued, (uint32_t)info->capacity);
    else if (info->overflow == BLOCKS && sender != who)
        block(world, sender, who);
    ++*queued;
    return 1;
}

/* ---- taking ---- */

void mailbox_take(World *world, uint64_t ref) {
    Worker *w = world->worker;
    Kind *kind = kind_of(world, ref);
    char *message = w->face->head;
    int64_t bytes = message_bytes(world, message);
    if (kind->skips && kind->skips[ref_index(ref)] && counts(world, message)) {
        if (--kind->skips[ref_index(ref)] == 0)
            *life_at(world, ref) &= ~(uint32_t)GACT_LIFE_ODD;
        mailbox_added(world, message); /* it made room when it was passed over */
        message_drop(world, "dropped the question: its mailbox is full");
        return;
    }
    world->image->messages[word_number(load_word(message))].handle(&w->thread.ctx, w->face, message);
    w->face->head += bytes;
    uint32_t *queued = queued_of(world, ref);
    if (queued && *queued < kind->info->capacity) {
        *life_at(world, ref) &= ~(uint32_t)GACT_LIFE_ODD;
        release(world, ref);
    }
}
