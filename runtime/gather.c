/* Collecting the outputs of a batch; see gather.h. */
#include "gather.h"

#include <math.h>
#include <string.h>

enum { UNDECIDED, SIDE_BY_SIDE, LOOSE }; /* Gather.state */

/* ---- types ---- */

bool even_kinds(const GactType *t, int32_t *kinds) {
    switch (t->kind) {
    case GACT_ARRAY:
    case GACT_STRING: return false;
    case GACT_PRODUCT:
        for (int k = 0; k < t->count; kinds += t->items[k++]->columns)
            if (!even_kinds(t->items[k], kinds))
                return false;
        return true;
    case GACT_SUM:
        *kinds++ = GACT_U8;
        for (int k = 0; k < t->count; kinds += t->ctors[k++].payload->columns)
            if (!even_kinds(t->ctors[k].payload, kinds))
                return false;
        return true;
    default: *kinds = t->kind; return true;
    }
}

static void gather_open(Region *region, Gather *g, const GactType *type, int64_t count) {
    const GactType *elem = type->kind == GACT_ARRAY ? type->elem : type;
    *g = (Gather){.type = type, .count = count, .size = 1};
    g->rank = type->kind == GACT_ARRAY ? type->rank : 0;
    g->ncolumns = elem->columns;
    g->kinds = region_zero(region, (size_t)elem->columns + 1, sizeof *g->kinds);
    g->widths = region_zero(region, (size_t)elem->columns + 1, sizeof *g->widths);
    g->columns = region_zero(region, (size_t)elem->columns + 1, sizeof *g->columns);
    g->rooms = region_zero(region, (size_t)elem->columns + 1, sizeof *g->rooms);
    g->shape = region_zero(region, (size_t)g->rank + 1, sizeof *g->shape);
    g->absent = region_map(region, (size_t)count + 1);
    g->is_even = even_kinds(elem, g->kinds);
    for (int c = 0; c < g->ncolumns; c++)
        g->widths[c] = kind_size(g->kinds[c]);
}

bool gathering_open(Gathering *g, const GactEntry *entry, int64_t count) {
    *g = (Gathering){.noutputs = entry->noutputs, .count = count};
    pthread_mutex_init(&g->lock, NULL);
    g->outputs = region_zero(&g->region, (size_t)entry->noutputs + 1, sizeof *g->outputs);
    for (int32_t k = 0; k < entry->noutputs; k++) {
        gather_open(&g->region, &g->outputs[k], entry->outputs[k].type, count);
        if (!g->outputs[k].absent) {
            gathering_close(g);
            return false;
        }
    }
    gathering_restart(g);
    return true;
}

void gathering_restart(Gathering *g) {
    region_free(&g->joined);
    for (int32_t k = 0; k < g->noutputs; k++) {
        Gather *o = &g->outputs[k];
        if (atomic_load(&o->nabsent))
            memset(o->absent, 0, (size_t)g->count);
        atomic_store(&o->nabsent, 0);
        atomic_store(&o->state, o->is_even ? UNDECIDED : LOOSE);
    }
}

void gathering_close(Gathering *g) {
    pthread_mutex_destroy(&g->lock);
    region_free(&g->joined);
    region_free(&g->region);
}

/* ---- side by side ---- */

/* Memory for instances of this one's shape (NULL: empty arrays); without it they are collected as
   lists. */
static int32_t decide(Gathering *all, Gather *g, const GactSlot *slots) {
    g->size = 1;
    for (int k = 0; k < g->rank; k++)
        g->size *= g->shape[k] = slots ? slots[k].i : 0;
    for (int c = 0; c < g->ncolumns; c++) {
        size_t bytes;
        if (__builtin_mul_overflow((size_t)g->count, (size_t)g->size * (size_t)g->widths[c],
                                   &bytes))
            return LOOSE;
        if (bytes < g->rooms[c])
            continue;
        g->columns[c] = region_map(&all->region, bytes + 1);
        g->rooms[c] = g->columns[c] ? bytes + 1 : 0;
        if (!g->columns[c])
            return LOOSE;
    }
    return SIDE_BY_SIDE;
}

static int32_t state_of(Gathering *all, Gather *g, const GactSlot *slots) {
    /* Acquire pairs with the release below: shape and columns are there. */
    int32_t state = atomic_load_explicit(&g->state, memory_order_acquire);
    if (state != UNDECIDED)
        return state;
    pthread_mutex_lock(&all->lock);
    state = atomic_load_explicit(&g->state, memory_order_relaxed);
    if (state == UNDECIDED) {
        state = decide(all, g, slots);
        atomic_store_explicit(&g->state, state, memory_order_release);
    }
    pthread_mutex_unlock(&all->lock);
    return state;
}

/* A value without arrays into row i of columns. */
static void store_value(const GactType *t, const GactSlot *slots, char *const *columns, int64_t i) {
    if (t->kind == GACT_PRODUCT) {
        for (int k = 0; k < t->count; k++) {
            store_value(t->items[k], slots, columns, i);
            slots += t->items[k]->slots;
            columns += t->items[k]->columns;
        }
    } else if (t->kind == GACT_SUM) {
        int tag = (int)slots[0].u;
        columns[0][i] = (char)tag;
        columns++;
        for (int k = 0; k < tag; k++)
            columns += t->ctors[k].payload->columns;
        store_value(t->ctors[tag].payload, slots + sum_slot(t, tag), columns, i);
    } else {
        scalar_store(t->kind, columns[0] + i * kind_size(t->kind), *slots);
    }
}

static bool has_shape(const Gather *g, const GactSlot *slots) {
    for (int k = 0; k < g->rank; k++)
        if (slots[k].i != g->shape[k])
            return false;
    return true;
}

static void store_instance(const Gather *g, int64_t i, const GactSlot *slots) {
    if (!g->rank) {
        store_value(g->type, slots, g->columns, i);
        return;
    }
    for (int c = 0; c < g->ncolumns; c++) {
        int64_t bytes = g->size * g->widths[c];
        if (bytes)
            memcpy(g->columns[c] + i * bytes, slots[g->rank + 2 * c + 1].p, (size_t)bytes);
    }
}

/* The slots of instance i where it lies: of an array, as others all have one shape. */
static void view_instance(const Gather *g, int64_t i, GactSlot *out) {
    GactSlot *at = out + g->rank;
    assert(g->rank);
    for (int k = 0; k < g->rank; k++)
        out[k].i = g->shape[k];
    for (int c = 0; c < g->ncolumns; c++, at += 2) {
        at[0].p = NULL;
        at[1].p = g->columns[c] + i * g->size * g->widths[c];
    }
}

/* ---- lists ---- */

static void push_absent(Builder *b) {
    GactSlot small[SMALL_SLOTS], *slots = slots_borrow(b->elem, small);
    memset(slots, 0, sizeof *slots * (size_t)b->elem->slots);
    builder_push(b, slots);
    slots_return(slots, small);
}

/* Makes the part collect lists of output k, with its instances before `end`. */
static void loosen(const Gather *g, Part *part, int32_t k, int64_t end) {
    Builder *b = region_zero(part->region, 1, sizeof *b);
    GactSlot small[SMALL_SLOTS], *slots = slots_borrow(g->type, small);
    builder_init(b, part->region, g->type);
    for (int64_t i = part->lo; i < end; i++) {
        if (g->absent[i]) {
            push_absent(b);
            continue;
        }
        view_instance(g, i, slots);
        builder_push(b, slots);
    }
    slots_return(slots, small);
    part->loose[k] = b;
}

/* ---- parts ---- */

void part_open(const Gathering *g, Part *part, Region *region, int64_t lo, int64_t hi) {
    *part = (Part){.lo = lo, .hi = hi, .region = region};
    part->loose = region_zero(region, (size_t)g->noutputs + 1, sizeof(Builder *));
}

static void take_absent(Gather *g, Part *part, int32_t k, int64_t i) {
    g->absent[i] = 1;
    atomic_fetch_add_explicit(&g->nabsent, 1, memory_order_relaxed);
    if (part->loose[k])
        push_absent(part->loose[k]);
}

void part_take(Gathering *all, Part *part, int32_t k, int64_t i, const GactSlot *slots) {
    Gather *g = &all->outputs[k];
    if (!slots) {
        take_absent(g, part, k, i);
        return;
    }
    if (!part->loose[k]) {
        if (state_of(all, g, slots) == SIDE_BY_SIDE && has_shape(g, slots)) {
            store_instance(g, i, slots);
            return;
        }
        loosen(g, part, k, i);
        builder_push(part->loose[k], slots);
        if (i == part->lo) /* the part's other instances may be about as large */
            builder_expect(part->loose[k], part->hi - part->lo);
        return;
    }
    builder_push(part->loose[k], slots);
}

/* ---- the end ---- */

/* The lists of all parts into one, each thread some parts at their places. */
typedef struct {
    const Gather *g;
    const Part *parts;
    int64_t nparts;
    int32_t output;
    const bool *is_offsets; /* for each column */
    char **columns;
    int64_t *at, *base; /* for each part and column: where it goes, and what its offsets grow by */
} Joining;

static void mark_offsets(const GactType *t, bool *marks) {
    switch (t->kind) {
    case GACT_PRODUCT:
        for (int k = 0; k < t->count; marks += t->items[k++]->columns)
            mark_offsets(t->items[k], marks);
        return;
    case GACT_SUM:
        marks++;
        for (int k = 0; k < t->count; marks += t->ctors[k++].payload->columns)
            mark_offsets(t->ctors[k].payload, marks);
        return;
    case GACT_ARRAY:
    case GACT_STRING:
        marks[0] = true;
        mark_offsets(type_elem(t), marks + t->columns - type_elem(t)->columns);
        return;
    default: return;
    }
}

static int64_t last_offset(const Column *c) {
    int64_t last;
    memcpy(&last, c->data + c->len - 8, 8);
    return last;
}

/* A column of offsets begins with a 0, which only the first part brings along. */
static int64_t column_skip(const Joining *j, int64_t part, int c) {
    return part > 0 && j->is_offsets[c] ? 8 : 0;
}

/* Without a part, a column of offsets is one 0. */
static bool join_layout(Joining *j, Region *region) {
    int n = j->g->type->columns;
    for (int c = 0; c < n; c++) {
        int64_t bytes = 0, base = 0;
        for (int64_t p = 0; p < j->nparts; p++) {
            const Column *from = &j->parts[p].loose[j->output]->columns[c];
            j->at[p * n + c] = bytes;
            j->base[p * n + c] = base;
            bytes += from->len - column_skip(j, p, c);
            base += j->is_offsets[c] ? last_offset(from) : 0;
        }
        j->columns[c] = region_map(region, (size_t)bytes + 8);
        if (!j->columns[c])
            return false;
    }
    return true;
}

static void join_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Joining *j = env;
    int n = j->g->type->columns;
    (void)ctx;
    for (int64_t p = lo; p < hi; p++)
        for (int c = 0; c < n; c++) {
            const Column *from = &j->parts[p].loose[j->output]->columns[c];
            int64_t skip = column_skip(j, p, c), base = j->base[p * n + c];
            char *to = j->columns[c] + j->at[p * n + c];
            if (from->len > skip)
                memcpy(to, from->data + skip, (size_t)(from->len - skip));
            for (int64_t k = 0; base && k < (from->len - skip) / 8; k++)
                ((int64_t *)to)[k] += base;
        }
}

/* Parts whose instances lie side by side, or that have none, as lists like the others. */
static void loosen_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Joining *j = env;
    (void)ctx;
    for (int64_t p = lo; p < hi; p++) {
        Part part = j->parts[p];
        if (!part.loose[j->output])
            loosen(j->g, &part, j->output, part.hi);
    }
}

static void join(Gathering *all, Gather *g, Thread *t, Joining *j) {
    int n = g->type->columns;
    int64_t cells = (j->nparts + 1) * n;
    bool *marks = region_zero(&all->joined, (size_t)n + 1, sizeof *marks);
    mark_offsets(g->type, marks);
    j->is_offsets = marks;
    j->columns = region_zero(&all->joined, (size_t)n + 1, sizeof *j->columns);
    j->at = region_zero(&all->joined, (size_t)cells, sizeof *j->at);
    j->base = region_zero(&all->joined, (size_t)cells, sizeof *j->base);
    loosen_range(NULL, j, 0, j->nparts); /* one thread: parts share regions */
    if (!join_layout(j, &all->joined))
        region_alloc(&all->joined, SIZE_MAX / 2); /* reports that memory is exhausted */
    pool_run(t, "join instances", join_range, j, j->nparts);
}

/* Fills the places of absent instances: NaN in columns of floats, 0 in others. */
static void fill_absent(const Gather *g) {
    for (int c = 0; c < g->ncolumns; c++) {
        bool is_float = kind_is_float(g->kinds[c]);
        GactSlot fill = is_float ? scalar_of_float(g->kinds[c], NAN) : (GactSlot){0};
        for (int64_t i = 0; i < g->count; i++)
            for (int64_t k = 0; g->absent[i] && k < g->size; k++)
                scalar_store(g->kinds[c], g->columns[c] + (i * g->size + k) * g->widths[c], fill);
    }
}

static void finish_output(Gathering *all, int32_t k, Thread *t, const Part *parts, int64_t nparts) {
    Gather *g = &all->outputs[k];
    if (atomic_load(&g->state) == UNDECIDED) /* none was delivered */
        atomic_store(&g->state, decide(all, g, NULL));
    bool loose = atomic_load(&g->state) != SIDE_BY_SIDE;
    Joining j = {.g = g, .parts = parts, .nparts = nparts, .output = k};
    for (int64_t p = 0; p < nparts; p++)
        loose |= parts[p].loose[k] != NULL;
    g->is_dense = !loose && g->rank;
    if (loose)
        join(all, g, t, &j);
    else if (atomic_load(&g->nabsent))
        fill_absent(g);
    int ncolumns = loose ? g->type->columns : g->ncolumns;
    char **columns = loose ? j.columns : g->columns;
    g->slots = region_zero(&all->joined, 2 * (size_t)ncolumns + 1, sizeof *g->slots);
    for (int c = 0; c < ncolumns; c++)
        g->slots[2 * c + 1].p = columns[c];
}

void gathering_finish(Gathering *g, Thread *t, const Part *parts, int64_t nparts) {
    for (int32_t k = 0; k < g->noutputs; k++)
        finish_output(g, k, t, parts, nparts);
}
