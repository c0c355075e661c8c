/* Calls of a dag's form for many instances; see batch_many.h. Instances that follow each other and
   have one shape are given where they lie, others are packed together. A call that faults is cut in
   parts that are tried again, down to some instances that the host then does; faults that are
   everywhere end that early. */
#include "batch_many.h"

#include "device/device.h"
#include "device/metrics.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_AT_A_TIME = 1 << 17, /* instances */
    MOST_BYTES = 1 << 28,     /* of the inputs that differ, of so many */
    MOST_SHAPES = 4096,       /* in one go; further ones are the host's */
    TABLE = 2 * MOST_SHAPES,
    PARTS = 8,     /* of a call that has faulted */
    FEW = 64,      /* instances that are not worth another try */
    MOST_TRIES = 4 /* of an instance, on average */
};

/* An input that differs. */
typedef struct {
    const GactPort *port, *many; /* of the dag and of the form */
    const GactSlot *columns;
    int32_t rank, ncolumns;
    int32_t *widths; /* of its elements' columns */
} Given;

/* Instances of one shape. */
typedef struct {
    int64_t first;       /* the instance whose shape it is */
    int64_t from, count; /* among the sorted ones */
} Shape;

struct Many {
    GactProgram *program;
    const GactEntry *entry, *form;
    const GactSlot *in;
    Given *given;
    int32_t ngiven;
    int64_t room;
    Region region; /* of the whole */
    /* of the instances under way */
    int64_t lo, hi;
    Region scratch;
    int32_t *shape_of, *call_of; /* for each instance; a call's number, or -1 */
    int64_t *place;              /* its number in the call */
    int64_t *sorted;             /* instances by shape */
    Shape *shapes;
    int32_t nshapes;
    GactCall **calls;
    int32_t ncalls, cap;
    int64_t tries; /* instances that faulted calls had, in all */
};

/* ---- opening ---- */

static const GactEntry *find_form(const GactProgram *program, const GactEntry *entry) {
    const GactImage *image = program->image;
    for (int32_t k = 0; k < image->nentries; k++) {
        const GactEntry *e = &image->entries[k];
        if (e->kind == IMAGE_ENTRY_MANY && !strcmp(e->name, entry->name) &&
            e->ninputs == entry->ninputs && e->noutputs == entry->noutputs)
            return e;
    }
    return NULL;
}

/* Is the form's type the type with one more axis in front? */
static bool has_axis(const GactType *type, const GactType *many) {
    if (many->kind != GACT_ARRAY)
        return false;
    return type->kind == GACT_ARRAY ? many->rank == type->rank + 1 && many->elem == type->elem
                                    : many->rank == 1 && many->elem == type;
}

static bool open_given(Many *m, Given *g) {
    const GactType *t = g->port->type;
    const GactType *elem = t->kind == GACT_ARRAY ? t->elem : t;
    int32_t *kinds = region_zero(&m->region, (size_t)elem->columns + 1, sizeof *kinds);
    g->rank = t->kind == GACT_ARRAY ? t->rank : 0;
    g->ncolumns = elem->columns;
    g->widths = region_zero(&m->region, (size_t)elem->columns + 1, sizeof *g->widths);
    if (!even_kinds(elem, kinds) || !has_axis(t, g->many->type))
        return false;
    for (int32_t c = 0; c < g->ncolumns; c++)
        g->widths[c] = kind_size(kinds[c]);
    return true;
}

/* Does the form take the inputs that differ as such, and no others? */
static bool open_inputs(Many *m, const GactSlot *const *columns) {
    const GactEntry *e = m->entry, *form = m->form;
    m->given = region_zero(&m->region, (size_t)e->ninputs + 1, sizeof *m->given);
    for (int32_t k = 0; k < e->ninputs; k++) {
        if (!columns[k]) {
            if (form->inputs[k].type != e->inputs[k].type)
                return false;
            continue;
        }
        Given *g = &m->given[m->ngiven++];
        *g = (Given){.port = &e->inputs[k], .many = &form->inputs[k], .columns = columns[k]};
        if (!open_given(m, g))
            return false;
    }
    return m->ngiven > 0;
}

/* Elements of an instance, and the first among all. */
static int64_t given_size(const Given *g, int64_t i) {
    const int64_t *offsets = g->columns[1].p;
    return g->rank ? offsets[i + 1] - offsets[i] : 1;
}

static int64_t given_from(const Given *g, int64_t i) {
    return g->rank ? ((const int64_t *)g->columns[1].p)[i] : i;
}

/* So many instances that what packing them may copy stays bounded. */
static int64_t room_for(const Many *m, int64_t count) {
    int64_t bytes = 1;
    for (int32_t k = 0; k < m->ngiven; k++)
        for (int32_t c = 0; c < m->given[k].ncolumns; c++)
            for (int64_t i = 0; i < count; i += count / 16 + 1)
                bytes += given_size(&m->given[k], i) * m->given[k].widths[c];
    int64_t room = MOST_BYTES / (bytes / 16 + 1);
    return room < 1 ? 1 : room < MOST_AT_A_TIME ? room : MOST_AT_A_TIME;
}

Many *many_open(GactProgram *program, const GactEntry *entry, int64_t count, const GactSlot *in,
                const GactSlot *const *columns) {
    const GactEntry *form = runtime_device() ? find_form(program, entry) : NULL;
    Many *m = form ? calloc(1, sizeof *m) : NULL;
    if (!m)
        return NULL;
    *m = (Many){.program = program, .entry = entry, .form = form, .in = in};
    if (!open_inputs(m, columns)) {
        many_close(m);
        return NULL;
    }
    m->room = room_for(m, count);
    return m;
}

static void drop_calls(Many *m) {
    for (int32_t k = 0; k < m->ncalls; k++)
        gact_call_close(m->calls[k]);
    m->ncalls = 0;
    region_free(&m->scratch);
}

void many_close(Many *m) {
    if (!m)
        return;
    drop_calls(m);
    free(m->calls);
    region_free(&m->region);
    free(m);
}

int64_t many_room(const Many *m) {
    return m->room;
}

/* ---- shapes ---- */

static int64_t given_dim(const Given *g, int64_t i, int32_t axis) {
    const int64_t *offsets = g->columns[1].p;
    return g->rank == 1 ? offsets[i + 1] - offsets[i]
                        : ((const int64_t *)g->columns[2 * axis + 3].p)[i];
}

static bool is_same_shape(const Many *m, int64_t a, int64_t b) {
    for (int32_t k = 0; k < m->ngiven; k++)
        for (int32_t axis = 0; axis < m->given[k].rank; axis++)
            if (given_dim(&m->given[k], a, axis) != given_dim(&m->given[k], b, axis))
                return false;
    return true;
}

static size_t shape_hash(const Many *m, int64_t i) {
    uint64_t h = 0;
    for (int32_t k = 0; k < m->ngiven; k++)
        for (int32_t axis = 0; axis < m->given[k].rank; axis++)
            h = (h ^ (uint64_t)given_dim(&m->given[k], i, axis)) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32) % TABLE;
}

/* The number of instance i's shape, -1 if there are too many. table: by hash, numbers from 1. */
static int32_t shape_of(Many *m, int32_t *table, int64_t i) {
    size_t at = shape_hash(m, i);
    for (; table[at]; at = (at + 1) % TABLE)
        if (is_same_shape(m, m->shapes[table[at] - 1].first, i))
            return table[at] - 1;
    if (m->nshapes == MOST_SHAPES)
        return -1;
    m->shapes[m->nshapes] = (Shape){.first = i};
    table[at] = ++m->nshapes;
    return m->nshapes - 1;
}

/* Sorts the instances by their shapes; those of one shape keep their order. */
static void find_shapes(Many *m) {
    int64_t n = m->hi - m->lo;
    int32_t *table = region_zero(&m->scratch, TABLE, sizeof *table), last = -1;
    m->shapes = region_zero(&m->scratch, MOST_SHAPES, sizeof *m->shapes);
    m->nshapes = 0;
    for (int64_t i = m->lo; i < m->hi; i++) {
        if (last < 0 || !is_same_shape(m, m->shapes[last].first, i))
            last = shape_of(m, table, i);
        m->shape_of[i - m->lo] = last;
        if (last >= 0)
            m->shapes[last].count++;
    }
    m->sorted = region_alloc(&m->scratch, (size_t)n * sizeof *m->sorted);
    int64_t from = 0;
    for (int32_t s = 0; s < m->nshapes; s++) {
        m->shapes[s].from = from;
        from += m->shapes[s].count;
        m->shapes[s].count = 0;
    }
    for (int64_t i = m->lo; i < m->hi; i++) {
        int32_t s = m->shape_of[i - m->lo];
        if (s >= 0)
            m->sorted[m->shapes[s].from + m->shapes[s].count++] = i;
    }
}

/* ---- packing ---- */

static const char *given_data(const Given *g, int32_t c) {
    int32_t lists = g->rank ? 1 + (g->rank > 1 ? g->rank : 0) : 0;
    return g->columns[2 * (lists + c) + 1].p;
}

typedef struct {
    const Given *g;
    const int64_t *ids;
    int32_t column;
    int64_t size; /* bytes of an instance */
    char *to;
} Packing;

static void pack_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Packing *p = env;
    int32_t width = p->g->widths[p->column];
    (void)ctx;
    for (int64_t j = lo; j < hi; j++)
        memcpy(p->to + j * p->size,
               given_data(p->g, p->column) + given_from(p->g, p->ids[j]) * width, (size_t)p->size);
}

/* A column of n instances: where it lies if they follow each other, else packed. */
static void *packed(Many *m, Thread *t, const Given *g, int32_t c, const int64_t *ids, int64_t n) {
    int64_t size = given_size(g, ids[0]) * g->widths[c];
    const char *from = given_data(g, c) + given_from(g, ids[0]) * g->widths[c];
    if (ids[n - 1] - ids[0] == n - 1)
        return (void *)(uintptr_t)from;
    Packing p = {g, ids, c, size, region_alloc(&m->scratch, (size_t)(n * size) + 1)};
    if (size)
        pool_run(t, "pack instances", pack_range, &p, n);
    return p.to;
}

static void give(Many *m, Thread *t, GactCall *call, const int64_t *ids, int64_t n) {
    int32_t next = 0;
    for (int32_t k = 0; k < m->entry->ninputs; k++) {
        const Given *g = &m->given[next];
        if (next == m->ngiven || g->port != &m->entry->inputs[k]) {
            if (m->in[0].u >> k & 1)
                gact_call_set(call, k, m->in + m->entry->inputs[k].slot, NULL);
            continue;
        }
        GactSlot *slots = region_zero(&m->scratch, (size_t)g->many->type->slots, sizeof *slots);
        slots[0].i = n;
        for (int32_t axis = 0; axis < g->rank; axis++)
            slots[1 + axis].i = given_dim(g, ids[0], axis);
        for (int32_t c = 0; c < g->ncolumns; c++)
            slots[g->rank + 1 + 2 * c + 1].p = packed(m, t, g, c, ids, n);
        gact_call_set(call, k, slots, NULL);
        next++;
    }
}

/* ---- calls ---- */

static bool add_call(Many *m, GactCall *call) {
    if (m->ncalls == m->cap) {
        int32_t cap = m->cap ? 2 * m->cap : 16;
        GactCall **grown = realloc(m->calls, (size_t)cap * sizeof(GactCall *));
        if (!grown)
            return false;
        m->calls = grown;
        m->cap = cap;
    }
    m->calls[m->ncalls++] = call;
    return true;
}

/* A call of the form for instances of one shape. */
typedef struct {
    const int64_t *ids;
    int64_t n;
    GactCall *call; /* NULL: it could not be opened */
    Device *device;
    bool ran; /* without a fault */
} Share;

static void run_shares(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Share *shares = env;
    (void)ctx;
    for (int64_t k = lo; k < hi; k++)
        shares[k].ran = shares[k].call && !call_run_on(shares[k].call, shares[k].device);
}

/* What a share did is found by its instances. */
static bool keep_share(Many *m, const Share *s) {
    if (!s->ran || !add_call(m, s->call)) {
        gact_call_close(s->call);
        return false;
    }
    for (int64_t j = 0; j < s->n; j++) {
        m->call_of[s->ids[j] - m->lo] = m->ncalls - 1;
        m->place[s->ids[j] - m->lo] = j;
    }
    metric_add(METRIC_INSTANCES_AT_ONCE, s->n);
    return true;
}

static void try_instances(Many *m, Thread *t, const int64_t *ids, int64_t n);

static void try_again(Many *m, Thread *t, const Share *s) {
    m->tries += s->n;
    metric_add(METRIC_INSTANCES_AGAIN, s->n);
    for (int64_t k = 0; s->n > FEW && k < PARTS; k++)
        try_instances(m, t, s->ids + k * s->n / PARTS, (k + 1) * s->n / PARTS - k * s->n / PARTS);
}

/* Instances of one shape: each device has its share of them, unless they are few. */
static void try_instances(Many *m, Thread *t, const int64_t *ids, int64_t n) {
    enum { MOST_DEVICES = 16 };
    Device *own = runtime_device(), *const *devices = &own;
    Share shares[MOST_DEVICES] = {0};
    int32_t count = runtime_device_is_numbered() ? 1 : runtime_devices(&devices);
    if (!n || m->tries > MOST_TRIES * (m->hi - m->lo))
        return;
    count = count > MOST_DEVICES ? MOST_DEVICES : n < count * FEW ? 1 : count;
    for (int32_t k = 0; k < count; k++) {
        int64_t from = k * n / count, to = (k + 1) * n / count;
        shares[k] = (Share){.ids = ids + from, .n = to - from, .device = devices[k]};
        if (!gact_call_open(m->program, m->form, &shares[k].call, NULL))
            give(m, t, shares[k].call, shares[k].ids, shares[k].n);
    }
    pool_run(t, "devices", run_shares, shares, count);
    for (int32_t k = 0; k < count; k++)
        if (!keep_share(m, &shares[k]))
            try_again(m, t, &shares[k]);
}

void many_run(Many *m, Thread *t, int64_t lo, int64_t hi) {
    int64_t n = hi - lo;
    drop_calls(m);
    m->lo = lo;
    m->hi = hi;
    m->tries = 0;
    m->shape_of = region_alloc(&m->scratch, (size_t)n * sizeof *m->shape_of);
    m->call_of = region_alloc(&m->scratch, (size_t)n * sizeof *m->call_of);
    m->place = region_alloc(&m->scratch, (size_t)n * sizeof *m->place);
    memset(m->call_of, -1, (size_t)n * sizeof *m->call_of);
    find_shapes(m);
    for (int32_t s = 0; s < m->nshapes; s++)
        if (rt_on_device(&t->ctx, m->shapes[s].count))
            try_instances(m, t, m->sorted + m->shapes[s].from, m->shapes[s].count);
}

/* ---- results ---- */

/* The form's outputs are arrays with one more axis, or lists. */
bool many_output(const Many *m, int64_t i, int32_t k, GactSlot *out) {
    int32_t call = m->call_of[i - m->lo];
    if (call < 0)
        return false;
    int64_t at = m->place[i - m->lo], size = 1;
    const GactType *t = m->entry->outputs[k].type, *many = m->form->outputs[k].type;
    const GactSlot *slots = gact_call_output(m->calls[call], k);
    int32_t rank = t->kind == GACT_ARRAY ? t->rank : 0;
    if (!rank || many->rank == 1) {
        value_element(t, slots + 1, at, out);
        return true;
    }
    for (int32_t axis = 0; axis < rank; axis++)
        size *= out[axis].i = slots[1 + axis].i;
    columns_advance(t->elem, slots + many->rank, at * size, out + rank);
    return true;
}
