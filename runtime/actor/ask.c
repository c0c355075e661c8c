/* Asks that wait for their replies. */
#include "actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLACE_BITS = 28, INDEX_BITS = 24, TURN_BITS = 12 };

Ask *ask_at(World *world, int64_t ask) {
    return &world->asks.at[(ask & ((1 << INDEX_BITS) - 1)) - 1];
}

Ask *ask_open_at(World *world, int64_t ask) {
    int64_t index = ask & ((1 << INDEX_BITS) - 1);
    if (index < 1 || index > world->asks.len)
        return NULL;
    Ask *a = ask_at(world, ask);
    return a->is_open && a->turn == (uint32_t)(ask >> INDEX_BITS) ? a : NULL;
}

static bool make_room(Asks *asks) {
    if (asks->free || asks->len < asks->cap)
        return true;
    if (asks->len == (1 << INDEX_BITS) - 1)
        return false;
    int32_t cap = asks->cap ? asks->cap * 2 : 16;
    Ask *grown = realloc(asks->at, (size_t)cap * sizeof *grown);
    if (!grown)
        return false;
    asks->at = grown;
    asks->cap = cap;
    return true;
}

int64_t ask_open(World *world, int32_t message, int64_t count) {
    Asks *asks = &world->asks;
    size_t bytes = (size_t)world->image->messages[message].reply_bytes, n = (size_t)count;
    char *replies = calloc(n * bytes + 1, 1);
    unsigned char *came = calloc(n + 1, 1);
    if (!replies || !came || !make_room(asks)) {
        free(replies);
        free(came);
        return 0;
    }
    int32_t at = asks->free ? asks->free - 1 : asks->len++;
    if (asks->free)
        asks->free = asks->at[at].next_free;
    else
        asks->at[at].turn = 0;
    uint32_t turn = asks->at[at].turn;
    asks->at[at] = (Ask){.is_open = true, .missing = count, .message = message, .bytes = (int32_t)bytes,
                         .replies = replies, .count = count, .came = came, .turn = turn};
    return (int64_t)turn << INDEX_BITS | (at + 1);
}

static Ask *wanted_ask(World *world, uint64_t wanted) {
    Ask *a = ask_open_at(world, (int64_t)(wanted >> PLACE_BITS));
    int64_t place = wanted & ((1 << PLACE_BITS) - 1);
    return a && place < a->count && !a->came[place] ? a : NULL;
}

/* A handler that waits is told once. */
static void tell(World *world, Ask *ask, int64_t number) {
    if (!ask->frame || ask->is_over || (ask->missing && !ask->failure))
        return;
    ask->is_over = true;
    work_tell(world, 0, NUMBER_RESUME, (uint64_t)number);
}

void ask_reply(World *world, uint64_t wanted, const void *reply) {
    Ask *ask = wanted_ask(world, wanted);
    if (!ask)
        return;
    uint32_t place = wanted & ((1 << PLACE_BITS) - 1);
    memcpy(ask->replies + (size_t)place * (size_t)ask->bytes, reply, (size_t)ask->bytes);
    ask->came[place] = 1;
    ask->missing--;
    tell(world, ask, (int64_t)(wanted >> PLACE_BITS));
}

void ask_fail(World *world, uint64_t wanted, const char *fmt, ...) {
    Ask *ask = wanted_ask(world, wanted);
    if (!ask || ask->failure)
        return;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&ask->failure, fmt, args) < 0)
        ask->failure = NULL;
    va_end(args);
    tell(world, ask, (int64_t)(wanted >> PLACE_BITS));
}

void ask_expire(World *world, int64_t number) {
    Ask *ask = ask_open_at(world, number);
    if (!ask || ask->failure || !ask->missing)
        return;
    ask->failure = strdup("the reply took too long");
    tell(world, ask, number);
}

void ask_close(World *world, int64_t ask) {
    Ask *a = ask_at(world, ask);
    free(a->replies);
    free(a->came);
    free(a->failure);
    uint32_t turn = (a->turn + 1) & ((1 << TURN_BITS) - 1);
    *a = (Ask){.next_free = world->asks.free, .turn = turn};
    world->asks.free = (int32_t)(ask & ((1 << INDEX_BITS) - 1));
}

void asks_free(World *world) {
    for (int32_t k = 0; k < world->asks.len; k++)
        if (world->asks.at[k].is_open)
            ask_close(world, (int64_t)world->asks.at[k].turn << INDEX_BITS | (k + 1));
    free(world->asks.at);
}
