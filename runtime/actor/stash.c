/* Messages put aside for actors that wait: a hash table of lists, oldest first. */
#include "actor.h"

#include <stdlib.h>
#include <string.h>

static StashEntry **bucket(const Stash *stash, uint64_t ref) {
    uint64_t h = ref * 0x9e3779b97f4a7c15u;
    return &stash->buckets[(h >> 32) & (uint64_t)(stash->nbuckets - 1)];
}

static StashEntry **find(const Stash *stash, uint64_t ref) {
    StashEntry **at = bucket(stash, ref);
    while (*at && (*at)->ref != ref)
        at = &(*at)->next;
    return at;
}

static bool grow(Stash *stash) {
    if (stash->len < stash->nbuckets)
        return true;
    Stash old = *stash;
    stash->nbuckets = old.nbuckets ? old.nbuckets * 2 : 64;
    stash->buckets = calloc((size_t)stash->nbuckets, sizeof *stash->buckets);
    if (!stash->buckets) {
        *stash = old;
        return old.nbuckets > 0;
    }
    for (int32_t k = 0; k < old.nbuckets; k++)
        for (StashEntry *e = old.buckets[k], *next; e; e = next) {
            next = e->next;
            e->next = *bucket(stash, e->ref);
            *bucket(stash, e->ref) = e;
        }
    free(old.buckets);
    return true;
}

bool stash_put(Stash *stash, uint64_t ref, const char *message, int64_t bytes) {
    Stashed *kept = malloc(sizeof *kept + (size_t)bytes);
    if (!kept || !grow(stash)) {
        free(kept);
        return false;
    }
    StashEntry **at = find(stash, ref);
    if (!*at) {
        StashEntry *e = malloc(sizeof *e);
        if (!e) {
            free(kept);
            return false;
        }
        *e = (StashEntry){.ref = ref};
        e->last = &e->first;
        *at = e;
        stash->len++;
    }
    kept->next = NULL;
    memcpy(kept->message, message, (size_t)bytes);
    *(*at)->last = kept;
    (*at)->last = &kept->next;
    return true;
}

Stashed *stash_take(Stash *stash, uint64_t ref) {
    StashEntry **at = stash->len ? find(stash, ref) : NULL, *e = at ? *at : NULL;
    if (!e)
        return NULL;
    Stashed *first = e->first;
    e->first = first->next;
    if (!e->first) {
        *at = e->next;
        free(e);
        stash->len--;
    }
    return first;
}

bool stash_has(const Stash *stash, uint64_t ref) {
    return stash->len && *find(stash, ref);
}

void stash_free(Stash *stash, void (*visit)(void *arg, char *message), void *arg) {
    for (int32_t k = 0; k < stash->nbuckets; k++)
        while (stash->buckets[k]) {
            Stashed *first = stash_take(stash, stash->buckets[k]->ref);
            visit(arg, first->message);
            free(first);
        }
    free(stash->buckets);
    *stash = (Stash){0};
}
