/* A worker's queue. Parts have one size, so that a queue that is short stays in the cache; a message that
   is larger gets a part of its own. */
#include "actor.h"

#include <stdlib.h>
#include <string.h>

static char *part_first(Part *part) {
    return (char *)part + 64;
}

static Part *part_at(char *memory, int64_t bytes) {
    Part *part = (Part *)memory;
    *part = (Part){.limit = memory + bytes - WORD_BYTES}; /* the last word says that it ends */
    return part;
}

static bool add_slab(Queue *q) {
    char **slabs = realloc(q->slabs, (size_t)(q->nslabs + 1) * sizeof *slabs);
    char *slab = aligned_alloc(64, (size_t)PART_BYTES * SLAB_PARTS);
    if (slabs)
        q->slabs = slabs;
    if (!slabs || !slab) {
        free(slab);
        return false;
    }
    q->slabs[q->nslabs++] = slab;
    for (int k = SLAB_PARTS - 1; k >= 0; k--) {
        Part *part = part_at(slab + (size_t)k * PART_BYTES, PART_BYTES);
        part->next = q->free;
        q->free = part;
    }
    return true;
}

static Part *take_part(Queue *q, int64_t bytes) {
    if (bytes > PART_BYTES - 64 - WORD_BYTES) {
        int64_t whole = (bytes + 64 + WORD_BYTES + 63) & ~(int64_t)63;
        char *memory = aligned_alloc(64, (size_t)whole);
        if (!memory)
            return NULL;
        Part *part = part_at(memory, whole);
        part->slab = memory;
        return part;
    }
    if (!q->free && !add_slab(q))
        return NULL;
    Part *part = q->free;
    q->free = part->next;
    part->next = NULL;
    return part;
}

static void give_part(Queue *q, Part *part) {
    if (part->slab) {
        free(part->slab);
        return;
    }
    part->next = q->free;
    q->free = part;
}

bool queue_open(Queue *q, GactWorker *face) {
    Part *part = take_part(q, 0);
    if (!part)
        return false;
    q->head = q->tail = part;
    face->head = face->tail = face->staged = part_first(part);
    face->limit = part->limit;
    return true;
}

void queue_close(Queue *q) {
    for (Part *part = q->head, *next; part; part = next) {
        next = part->next;
        if (part->slab)
            free(part->slab);
    }
    for (int32_t k = 0; k < q->nslabs; k++)
        free(q->slabs[k]);
    free(q->slabs);
}

bool queue_room(Queue *q, GactWorker *face, int64_t bytes) {
    Part *part = take_part(q, bytes);
    if (!part)
        return false;
    memset(face->tail, 0, WORD_BYTES);
    q->tail->next = part;
    q->tail = part;
    face->tail = part_first(part);
    face->limit = part->limit;
    return true;
}

void queue_next(Queue *q, GactWorker *face) {
    Part *part = q->head;
    q->head = part->next;
    face->head = part_first(q->head);
    give_part(q, part);
}

static bool holds(const Part *part, const char *p) {
    return p >= (const char *)part && p <= part->limit;
}

void queue_cut(Queue *q, GactWorker *face, char *from) {
    Part *part = q->head;
    while (!holds(part, from))
        part = part->next;
    for (Part *rest = part->next, *next; rest; rest = next) {
        next = rest->next;
        give_part(q, rest);
    }
    part->next = NULL;
    q->tail = part;
    face->tail = from;
    face->limit = part->limit;
}

char *queue_after(const Queue *q, char *p, int64_t bytes) {
    Part *part = q->head;
    p += bytes;
    while (!holds(part, p))
        part = part->next;
    uint64_t word = 1;
    if (part->next)
        memcpy(&word, p, sizeof word);
    return part->next && word == 0 ? part_first(part->next) : p;
}
