/* The actors of a type: numbers, and columns of address space that get memory as numbers are given. So
   columns stay where they are, and compiled code may keep their addresses. */
#include "actor.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MOST_ACTORS = 1 << 28, FIRST_ROOM = 1 << 10, MOST_EPOCHS = 0xffff };

static uint8_t **column_of(const World *world, const Kind *kind, int32_t k) {
    return &world->worker->face->columns[kind->info->column + k];
}

uint32_t *life_of(const World *world, const Kind *kind, uint32_t index) {
    return (uint32_t *)*column_of(world, kind, 0) + index;
}

bool ref_is_alive(const World *world, uint64_t ref) {
    const Kind *kind = &world->kinds[ref_actor(ref)];
    if (ref_index(ref) >= kind->used)
        return false;
    uint32_t life = *life_of(world, kind, ref_index(ref));
    return (life & 0xffff) == ref_epoch(ref) && !(life & GACT_LIFE_ENDED);
}

static size_t column_bytes(const Kind *kind, int32_t k, size_t n) {
    return (size_t)kind->info->bytes[k] * n;
}

bool kind_open(Kind *kind, World *world, const GactActorInfo *info, int32_t number) {
    *kind = (Kind){.info = info, .number = number};
    for (int32_t k = 0; info->bytes && k < info->ncolumns; k++) {
        if (!info->bytes[k])
            continue;
        void *p = mmap(NULL, column_bytes(kind, k, MOST_ACTORS), PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return false;
        *column_of(world, kind, k) = p;
    }
    return true;
}

void kind_close(Kind *kind, World *world) {
    for (int32_t k = 0; kind->info->bytes && k < kind->info->ncolumns; k++)
        if (*column_of(world, kind, k))
            munmap(*column_of(world, kind, k), column_bytes(kind, k, MOST_ACTORS));
    free(kind->vacant);
    free(kind->populations);
    free(kind->parents);
    free(kind->faults);
    free(kind->skips);
    free(kind->virtuals);
}

static bool make_room(Kind *kind, World *world, uint32_t wanted) {
    uint32_t room = kind->room ? kind->room : FIRST_ROOM;
    while (room < wanted)
        room *= 2;
    for (int32_t k = 0; room > kind->room && k < kind->info->ncolumns; k++) {
        uint8_t *p = *column_of(world, kind, k);
        if (p && mprotect(p, column_bytes(kind, k, room), PROT_READ | PROT_WRITE))
            return false;
    }
    kind->room = room;
    return true;
}

/* ---- virtual actors ---- */

static Virtual *virtual_place(const Kind *kind, uint64_t key) {
    uint64_t at = (key * 0x9e3779b97f4a7c15u) >> 32;
    for (;; at++) {
        Virtual *v = &kind->virtuals[at & (kind->virtuals_room - 1)];
        if (!v->ref || v->key == key)
            return v;
    }
}

uint64_t virtual_find(const Kind *kind, uint64_t key) {
    return kind->virtuals_room ? virtual_place(kind, key)->ref : 0;
}

bool virtual_enter(Kind *kind, uint64_t key, uint64_t ref) {
    if (2 * (kind->nvirtuals + 1) > kind->virtuals_room) {
        Kind old = *kind;
        kind->virtuals_room = old.virtuals_room ? old.virtuals_room * 2 : 64;
        kind->virtuals = calloc(kind->virtuals_room, sizeof *kind->virtuals);
        if (!kind->virtuals) {
            *kind = old;
            return false;
        }
        for (uint32_t k = 0; k < old.virtuals_room; k++)
            if (old.virtuals[k].ref)
                *virtual_place(kind, old.virtuals[k].key) = old.virtuals[k];
        free(old.virtuals);
    }
    Virtual *v = virtual_place(kind, key);
    kind->nvirtuals += v->ref == 0;
    *v = (Virtual){key, ref};
    return true;
}

/* ---- spawning ---- */

static bool add_population(Kind *kind, uint32_t first, uint32_t count) {
    if (kind->npopulations == kind->populations_room) {
        int32_t room = kind->populations_room ? kind->populations_room * 2 : 8;
        Population *grown = realloc(kind->populations, (size_t)room * sizeof *grown);
        if (!grown)
            return false;
        kind->populations = grown;
        kind->populations_room = room;
    }
    kind->populations[kind->npopulations++] = (Population){first, count};
    return true;
}

uint32_t *queued_of(const World *world, uint64_t ref) {
    const Kind *kind = &world->kinds[ref_actor(ref)];
    if (!kind->info->capacity)
        return NULL;
    return (uint32_t *)*column_of(world, kind, kind->info->ncolumns - 1) + ref_index(ref);
}

/* Where faults of these actors may come to who spawned them. */
static bool note_parents(Kind *kind, const World *world, uint32_t first, uint32_t count) {
    if (!kind->info->supervision)
        return true;
    uint64_t *parents = realloc(kind->parents, kind->room * sizeof *parents);
    Faults *faults = realloc(kind->faults, kind->room * sizeof *faults);
    kind->parents = parents ? parents : kind->parents;
    kind->faults = faults ? faults : kind->faults;
    if (!parents || !faults)
        return false;
    for (uint32_t k = first; k < first + count; k++) {
        kind->parents[k] = world->worker->face->self;
        kind->faults[k] = (Faults){0};
    }
    return true;
}

/* Lone actors need no entry: who is in no population is one by himself. */
int64_t kind_spawn(Kind *kind, World *world, int64_t count) {
    if (count == 1 && kind->nvacant) {
        uint32_t index = kind->vacant[--kind->nvacant];
        uint32_t *life = life_of(world, kind, index);
        *life = (*life + 1) & 0xffff;
        if (!note_parents(kind, world, index, 1))
            return -1;
        return (int64_t)ref_make(kind->number, *life, index);
    }
    if (count < 0)
        count = 0;
    if (count > MOST_ACTORS - (int64_t)kind->used || !make_room(kind, world, kind->used + (uint32_t)count))
        return -1;
    uint32_t first = kind->used;
    if (count > 1 && !add_population(kind, first, (uint32_t)count))
        return -1;
    if (!note_parents(kind, world, first, (uint32_t)count))
        return -1;
    kind->used += (uint32_t)count;
    return (int64_t)ref_make(kind->number, 0, first);
}

void kind_vacate(Kind *kind, World *world, uint32_t index) {
    if ((*life_of(world, kind, index) & 0xffff) == MOST_EPOCHS)
        return; /* no reference would tell it from the first one */
    if (kind->nvacant == kind->vacant_room) {
        uint32_t room = kind->vacant_room ? kind->vacant_room * 2 : 64;
        uint32_t *grown = realloc(kind->vacant, room * sizeof *grown);
        if (!grown)
            return;
        kind->vacant = grown;
        kind->vacant_room = room;
    }
    kind->vacant[kind->nvacant++] = index;
}

Population kind_population(const Kind *kind, uint32_t index) {
    int32_t lo = 0, hi = kind->npopulations;
    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        if (kind->populations[mid].first + kind->populations[mid].count <= index)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool inside = lo < kind->npopulations && kind->populations[lo].first <= index;
    return inside ? kind->populations[lo] : (Population){index, 1};
}
