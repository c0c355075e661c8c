/* Asks that wait for their replies. */
#include "actor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Ask *ask_at(World *world, int64_t ask) {
    return &world->asks.at[ask - 1];
}

static bool make_room(Asks *asks) {
    if (asks->free || asks->len < asks->cap)
        return true;
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
    asks->at[at] = (Ask){.is_open = true, .missing = count, .message = message, .bytes = (int32_t)bytes,
                         .replies = replies, .count = count, .came = came};
    return at + 1;
}

static Ask *wanted_ask(World *world, uint64_t wanted) {
    int64_t ask = (int64_t)(wanted >> 32);
    if (ask < 1 || ask > world->asks.len || !ask_at(world, ask)->is_open)
        return NULL;
    Ask *a = ask_at(world, ask);
    return (int64_t)(uint32_t)wanted < a->count && !a->came[(uint32_t)wanted] ? a : NULL;
}

void ask_reply(World *world, uint64_t wanted, const void *reply) {
    Ask *ask = wanted_ask(world, wanted);
    if (!ask)
        return;
    uint32_t place = (uint32_t)wanted;
    memcpy(ask->replies + (size_t)place * (size_t)ask->bytes, reply, (size_t)ask->bytes);
    ask->came[place] = 1;
    ask->missing--;
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
}

void ask_close(World *world, int64_t ask) {
    Ask *a = ask_at(world, ask);
    free(a->replies);
    free(a->came);
    free(a->failure);
    *a = (Ask){.next_free = world->asks.free};
    world->asks.free = (int32_t)ask;
}

void asks_free(World *world) {
    for (int32_t k = 0; k < world->asks.len; k++)
        if (world->asks.at[k].is_open)
            ask_close(world, k + 1);
    free(world->asks.at);
}
