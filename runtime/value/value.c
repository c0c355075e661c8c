/* Values; see value.h and the layout in image.h. */
#include "value.h"

#include <stdlib.h>
#include <string.h>

static const GactType type_byte = {
    .kind = GACT_U8, .text = "u8", .name = "u8", .slots = 1, .columns = 1};

/* ---- types ---- */

int type_rank(const GactType *t) {
    return t->kind == GACT_STRING ? 1 : t->rank;
}

const GactType *type_elem(const GactType *t) {
    return t->kind == GACT_STRING ? &type_byte : t->elem;
}

bool type_is_option(const GactType *t, const GactType **some) {
    if (t->kind != GACT_SUM || t->count != 2)
        return false;
    int none = !strcmp(t->ctors[0].name, "Some");
    const GactCtor *s = &t->ctors[!none], *n = &t->ctors[none];
    if (strcmp(s->name, "Some") || strcmp(n->name, "None") || s->payload->count != 1 ||
        n->payload->count != 0)
        return false;
    *some = s->payload->items[0];
    return true;
}

bool type_has_names(const GactType *t) {
    return t->count > 0 && t->names && t->names[0];
}

int type_name_len(const GactType *t) {
    return t->name ? (int)strcspn(t->name, "[") : 0;
}

/* Columns of an array of t in an array: offsets, dims, and those of its elements. */
static int list_columns(const GactType *t) {
    int rank = type_rank(t);
    return 1 + (rank > 1 ? rank : 0);
}

int64_t array_count(const GactType *t, const GactSlot *slots) {
    int64_t n = 1;
    for (int k = 0; k < type_rank(t); k++)
        n *= slots[k].i;
    return n;
}

int product_slot(const GactType *t, int k) {
    int at = 0;
    for (int i = 0; i < k; i++)
        at += t->items[i]->slots;
    return at;
}

int sum_slot(const GactType *t, int k) {
    int at = 1;
    for (int i = 0; i < k; i++)
        at += t->ctors[i].payload->slots;
    return at;
}

/* ---- elements ---- */

static const char *column_data(const GactSlot *columns, int k) {
    return columns[2 * k + 1].p;
}

/* The inner array i of an irregular list. */
static void list_element(const GactType *t, const GactSlot *columns, int64_t i, GactSlot *out) {
    int rank = type_rank(t);
    const int64_t *offsets = columns[1].p;
    if (rank == 1)
        out[0].i = offsets[i + 1] - offsets[i];
    else
        for (int k = 0; k < rank; k++)
            out[k].i = ((const int64_t *)columns[2 * k + 3].p)[i];
    columns_advance(type_elem(t), columns + 2 * list_columns(t), offsets[i], out + rank);
}

void value_element(const GactType *t, const GactSlot *columns, int64_t i, GactSlot *out) {
    if (kind_is_scalar(t->kind)) {
        *out = scalar_load(t->kind, column_data(columns, 0) + i * kind_size(t->kind));
        return;
    }
    if (type_is_array(t)) {
        list_element(t, columns, i, out);
        return;
    }
    if (t->kind == GACT_PRODUCT) {
        for (int k = 0; k < t->count; k++) {
            value_element(t->items[k], columns, i, out);
            columns += 2 * t->items[k]->columns;
            out += t->items[k]->slots;
        }
        return;
    }
    memset(out, 0, sizeof *out * (size_t)t->slots);
    out->u = ((const uint8_t *)column_data(columns, 0))[i];
    columns += 2;
    for (int k = 0; k < t->count; k++) {
        const GactType *payload = t->ctors[k].payload;
        if (k == out->i)
            value_element(payload, columns, i, out + sum_slot(t, k));
        columns += 2 * payload->columns;
    }
}

static void column_move(const GactSlot *column, int64_t bytes, GactSlot *out) {
    out[0] = column[0];
    out[1].p = column[1].p ? (char *)column[1].p + bytes : NULL;
}

void columns_advance(const GactType *t, const GactSlot *columns, int64_t from, GactSlot *out) {
    switch (t->kind) {
    case GACT_PRODUCT:
        for (int k = 0; k < t->count; k++) {
            columns_advance(t->items[k], columns, from, out);
            columns += 2 * t->items[k]->columns;
            out += 2 * t->items[k]->columns;
        }
        return;
    case GACT_SUM:
        column_move(columns, from, out);
        columns += 2, out += 2;
        for (int k = 0; k < t->count; k++) {
            const GactType *payload = t->ctors[k].payload;
            columns_advance(payload, columns, from, out);
            columns += 2 * payload->columns;
            out += 2 * payload->columns;
        }
        return;
    case GACT_ARRAY:
    case GACT_STRING: {
        int lists = list_columns(t);
        for (int k = 0; k < lists; k++)
            column_move(columns + 2 * k, from * 8, out + 2 * k);
        memcpy(out + 2 * lists, columns + 2 * lists,
               sizeof *out * 2 * (size_t)(t->columns - lists));
        return;
    }
    default: column_move(columns, from * kind_size(t->kind), out); return;
    }
}

GactSlot *slots_borrow(const GactType *t, GactSlot *small) {
    if (t->slots <= SMALL_SLOTS)
        return small;
    GactSlot *slots = malloc(sizeof *slots * (size_t)t->slots);
    if (!slots)
        abort();
    return slots;
}

void slots_return(GactSlot *slots, GactSlot *small) {
    if (slots != small)
        free(slots);
}

/* ---- building ---- */

static void column_grow(Builder *b, Column *c, int64_t cap) {
    char *data = region_alloc(b->region, (size_t)cap);
    if (c->len)
        memcpy(data, c->data, (size_t)c->len);
    c->data = data;
    c->cap = cap;
}

static void *column_extend(Builder *b, int k, int64_t bytes) {
    Column *c = &b->columns[k];
    if (c->cap - c->len < bytes) {
        int64_t cap = c->cap ? c->cap : 64;
        while (cap - c->len < bytes)
            cap += cap;
        column_grow(b, c, cap);
    }
    c->len += bytes;
    return c->data + c->len - bytes;
}

static void column_add(Builder *b, int k, const void *bytes, int64_t size) {
    if (size)
        memcpy(column_extend(b, k, size), bytes, (size_t)size);
}

/* Every column of offsets starts with a 0. */
static void start_offsets(Builder *b, const GactType *t, int at) {
    switch (t->kind) {
    case GACT_PRODUCT:
        for (int k = 0; k < t->count; at += t->items[k++]->columns)
            start_offsets(b, t->items[k], at);
        return;
    case GACT_SUM:
        at++;
        for (int k = 0; k < t->count; at += t->ctors[k++].payload->columns)
            start_offsets(b, t->ctors[k].payload, at);
        return;
    case GACT_ARRAY:
    case GACT_STRING:
        memset(column_extend(b, at, 8), 0, 8);
        start_offsets(b, type_elem(t), at + list_columns(t));
        return;
    default: return;
    }
}

void builder_init(Builder *b, Region *region, const GactType *elem) {
    *b = (Builder){.region = region, .elem = elem};
    b->columns = region_zero(region, (size_t)elem->columns, sizeof *b->columns);
    start_offsets(b, elem, 0);
}

static int64_t last_offset(const Builder *b, int at) {
    int64_t last;
    memcpy(&last, b->columns[at].data + b->columns[at].len - 8, 8);
    return last;
}

static void append(Builder *b, const GactType *t, int at, const GactSlot *columns, int64_t n);

static void append_lists(Builder *b, const GactType *t, int at, const GactSlot *columns,
                         int64_t n) {
    const int64_t *offsets = columns[1].p;
    int lists = list_columns(t);
    int64_t base = last_offset(b, at) - offsets[0];
    int64_t *out = column_extend(b, at, n * 8);
    for (int64_t i = 0; i < n; i++)
        out[i] = base + offsets[i + 1];
    for (int k = 1; k < lists; k++)
        column_add(b, at + k, columns[2 * k + 1].p, n * 8);
    GactSlot *inner = region_alloc(b->region, sizeof *inner * 2 * (size_t)t->columns);
    columns_advance(type_elem(t), columns + 2 * lists, offsets[0], inner);
    append(b, type_elem(t), at + lists, inner, offsets[n] - offsets[0]);
}

static void append(Builder *b, const GactType *t, int at, const GactSlot *columns, int64_t n) {
    if (!n)
        return;
    switch (t->kind) {
    case GACT_PRODUCT:
        for (int k = 0; k < t->count; k++) {
            append(b, t->items[k], at, columns, n);
            columns += 2 * t->items[k]->columns;
            at += t->items[k]->columns;
        }
        return;
    case GACT_SUM:
        column_add(b, at++, column_data(columns, 0), n);
        columns += 2;
        for (int k = 0; k < t->count; k++) {
            const GactType *payload = t->ctors[k].payload;
            append(b, payload, at, columns, n);
            columns += 2 * payload->columns;
            at += payload->columns;
        }
        return;
    case GACT_ARRAY:
    case GACT_STRING: append_lists(b, t, at, columns, n); return;
    default: column_add(b, at, column_data(columns, 0), n * kind_size(t->kind)); return;
    }
}

static void push_zero(Builder *b, const GactType *t, int at);
static void push(Builder *b, const GactType *t, int at, const GactSlot *s);

static void push_sum(Builder *b, const GactType *t, int at, const GactSlot *s) {
    uint8_t tag = (uint8_t)s[0].u;
    column_add(b, at++, &tag, 1);
    for (int k = 0; k < t->count; k++) {
        const GactType *payload = t->ctors[k].payload;
        if (k == tag)
            push(b, payload, at, s + sum_slot(t, k));
        else
            push_zero(b, payload, at);
        at += payload->columns;
    }
}

static void push_array(Builder *b, const GactType *t, int at, const GactSlot *s) {
    int rank = type_rank(t), lists = list_columns(t);
    int64_t n = array_count(t, s), end = last_offset(b, at) + n;
    column_add(b, at, &end, 8);
    for (int k = 1; k < lists; k++)
        column_add(b, at + k, &s[k - 1].i, 8);
    append(b, type_elem(t), at + lists, s + rank, n);
}

static void push(Builder *b, const GactType *t, int at, const GactSlot *s) {
    switch (t->kind) {
    case GACT_PRODUCT:
        for (int k = 0; k < t->count; k++) {
            push(b, t->items[k], at, s);
            s += t->items[k]->slots;
            at += t->items[k]->columns;
        }
        return;
    case GACT_SUM: push_sum(b, t, at, s); return;
    case GACT_ARRAY:
    case GACT_STRING: push_array(b, t, at, s); return;
    default: scalar_store(t->kind, column_extend(b, at, kind_size(t->kind)), *s); return;
    }
}

/* An element of undefined content. */
static void push_zero(Builder *b, const GactType *t, int at) {
    GactSlot small[SMALL_SLOTS], *s = slots_borrow(t, small);
    memset(s, 0, sizeof *s * (size_t)t->slots);
    push(b, t, at, s);
    slots_return(s, small);
}

void builder_push(Builder *b, const GactSlot *slots) {
    push(b, b->elem, 0, slots);
    b->count++;
}

void builder_expect(Builder *b, int64_t n) {
    enum { MOST = 1 << 24 }; /* bytes of a column: what is larger grows by doubling */
    for (int k = 0; b->count && k < b->elem->columns; k++) {
        Column *c = &b->columns[k];
        int64_t cap;
        if (!__builtin_mul_overflow(c->len / b->count + 1, n, &cap) && cap > c->cap && cap <= MOST)
            column_grow(b, c, cap);
    }
}

void builder_append(Builder *b, const GactSlot *columns, int64_t n) {
    append(b, b->elem, 0, columns, n);
    b->count += n;
}

void *builder_extend(Builder *b, int64_t n) {
    b->count += n;
    return column_extend(b, 0, n * kind_size(b->elem->kind));
}

void builder_finish(Builder *b, const int64_t *dims, int rank, GactSlot *out) {
    for (int k = 0; k < rank; k++)
        out[k].i = dims[k];
    for (int k = 0; k < b->elem->columns; k++) {
        out[rank + 2 * k].p = NULL;
        out[rank + 2 * k + 1].p = b->columns[k].data;
    }
}

void array_of(const GactType *t, const int64_t *dims, void *data, GactSlot *out) {
    int rank = type_rank(t);
    for (int k = 0; k < rank; k++)
        out[k].i = dims[k];
    out[rank].p = NULL;
    out[rank + 1].p = data;
}

void string_of(const char *data, size_t len, GactSlot *out) {
    out[0].i = (int64_t)len;
    out[1].p = NULL;
    out[2].p = (void *)(uintptr_t)data;
}

void value_zero(Region *region, const GactType *t, GactSlot *out) {
    memset(out, 0, sizeof *out * (size_t)t->slots);
    if (t->kind == GACT_PRODUCT) {
        for (int k = 0; k < t->count; out += t->items[k++]->slots)
            value_zero(region, t->items[k], out);
    } else if (type_is_array(t)) {
        Builder b;
        builder_init(&b, region, type_elem(t));
        int64_t dims[16] = {0};
        builder_finish(&b, dims, type_rank(t), out);
    }
}

/* ---- owning ---- */

static void own_column(GactCtx *ctx, const GactSite *site, const Column *c, GactSlot *out) {
    GactBuf *buf = ctx->api->alloc(ctx, site, c->len);
    char *data = (char *)buf + 64;
    if (c->len)
        memcpy(data, c->data, (size_t)c->len);
    out[0].p = buf;
    out[1].p = data;
}

static void own_array(GactCtx *ctx, const GactSite *site, const GactType *t, const GactSlot *slots,
                      GactSlot *out) {
    int rank = type_rank(t);
    Region region = {0};
    Builder b;
    builder_init(&b, &region, type_elem(t));
    builder_append(&b, slots + rank, array_count(t, slots));
    memcpy(out, slots, sizeof *out * (size_t)rank);
    for (int k = 0; k < b.elem->columns; k++)
        own_column(ctx, site, &b.columns[k], out + rank + 2 * k);
    region_free(&region);
}

void value_own(GactCtx *ctx, const GactSite *site, const GactType *t, const GactSlot *slots,
               GactSlot *out) {
    if (type_is_array(t)) {
        own_array(ctx, site, t, slots, out);
        return;
    }
    memcpy(out, slots, sizeof *out * (size_t)t->slots);
    if (t->kind == GACT_PRODUCT) {
        for (int k = 0, at = 0; k < t->count; at += t->items[k++]->slots)
            value_own(ctx, site, t->items[k], slots + at, out + at);
    } else if (t->kind == GACT_SUM) {
        int tag = (int)slots[0].i, at = sum_slot(t, tag);
        memset(out + 1, 0, sizeof *out * (size_t)(t->slots - 1));
        value_own(ctx, site, t->ctors[tag].payload, slots + at, out + at);
    }
}
