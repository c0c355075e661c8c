/* Blocks of numbers from files, fitted into the declared type. A block that lies in the file as the
   type wants it is used in place; anything else is copied and converted number by number. */
#include "io.h"

#include <string.h>

int64_t tensor_count(const Tensor *t) {
    int64_t n = 1;
    for (int k = 0; k < t->rank; k++)
        n *= t->dims[k];
    return n;
}

/* What the file holds, as a message names it: [3, 4]f64. */
static const char *tensor_text(const Reader *r, const Tensor *t) {
    Text text = {.region = r->region};
    for (int k = 0; k < t->rank; k++)
        text_printf(&text, "%s%lld", k ? ", " : "[", (long long)t->dims[k]);
    text_printf(&text, "%s%s", t->rank ? "]" : "", t->elem_text);
    return text_string(&text);
}

/* ---- one field into one column ---- */

/* A walk over the elements in row-major order, innermost axis as runs. */
typedef struct {
    const Reader *r;
    const Tensor *t;
    const TensorField *field;
    int32_t kind;
    char *at; /* where the next number goes */
    int64_t done;
} Copy;

static GactSlot field_load(const TensorField *f, const char *at) {
    char bytes[8];
    int size = kind_size(f->kind);
    if (!f->swap)
        return scalar_load(f->kind, at);
    for (int i = 0; i < size; i++)
        bytes[i] = at[size - 1 - i];
    return scalar_load(f->kind, bytes);
}

static bool copy_fail(const Copy *c, GactSlot slot) {
    Text number = {.region = c->r->region}, place = {.region = c->r->region};
    int64_t rest = c->done, at[IO_MAX_RANK];
    for (int k = c->t->rank - 1; k >= 0; k--) {
        at[k] = rest % c->t->dims[k];
        rest /= c->t->dims[k];
    }
    for (int k = 0; k < c->t->rank; k++)
        text_printf(&place, "%s%lld", k ? ", " : " at [", (long long)at[k]);
    text_puts(&place, c->t->rank ? "]" : "");
    scalar_print(&number, c->field->kind, slot);
    return read_fail(c->r, "expected %s, but %s holds %s%s, which %s cannot hold", c->r->wanted,
                     c->r->source, text_string(&number), text_string(&place), kind_name(c->kind));
}

static bool copy_run(Copy *c, const char *from, int64_t n, int64_t stride) {
    const TensorField *f = c->field;
    int size = kind_size(c->kind);
    if (f->kind == GACT_F64 && c->kind == GACT_F32 && !f->swap) {
        for (int64_t i = 0; i < n; i++, from += stride, c->at += 4, c->done++) {
            double x;
            memcpy(&x, from, 8);
            float y = (float)x;
            if (__builtin_isinf(y) && !__builtin_isinf(x))
                return copy_fail(c, (GactSlot){.f = x});
            memcpy(c->at, &y, 4);
        }
        return true;
    }
    for (int64_t i = 0; i < n; i++, from += stride, c->at += size, c->done++) {
        GactSlot slot = field_load(f, from), out = slot;
        if (f->kind != c->kind && !number_to(number_of(f->kind, slot), c->kind, &out))
            return copy_fail(c, slot);
        scalar_store(c->kind, c->at, out);
    }
    return true;
}

static bool copy_axis(Copy *c, const char *from, int axis) {
    const Tensor *t = c->t;
    if (t->rank == 0)
        return copy_run(c, from, 1, 0);
    if (axis == t->rank - 1)
        return copy_run(c, from, t->dims[axis], t->strides[axis]);
    for (int64_t i = 0; i < t->dims[axis]; i++)
        if (!copy_axis(c, from + i * t->strides[axis], axis + 1))
            return false;
    return true;
}

/* Are the numbers contiguous in row-major order, aligned, and of this very kind? */
static bool fits_in_place(const Tensor *t, const TensorField *f, int32_t kind) {
    int64_t size = kind_size(kind), stride = size;
    if (f->kind != kind || f->swap || kind == GACT_BOOL)
        return false;
    for (int k = t->rank - 1; k >= 0; k--) {
        if (t->dims[k] > 1 && t->strides[k] != stride)
            return false;
        stride *= t->dims[k];
    }
    return (uintptr_t)(t->data + f->offset) % (uintptr_t)size == 0;
}

static bool scalar_column(const Reader *r, const Tensor *t, const TensorField *f, int32_t kind,
                          void **out) {
    int64_t n = tensor_count(t);
    if (fits_in_place(t, f, kind)) {
        *out = (void *)(uintptr_t)(t->data + f->offset);
        return true;
    }
    *out = region_alloc(r->region, (size_t)(n * kind_size(kind)));
    Copy copy = {r, t, f, kind, *out, 0};
    return n == 0 || copy_axis(&copy, t->data + f->offset, 0);
}

/* ---- texts ---- */

static void add_utf8(Text *text, uint32_t c) {
    if (c < 0x80) {
        text_char(text, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    text_char(text, (char)(lead[more] | c >> (6 * more)));
    while (more--)
        text_char(text, (char)(0x80 | ((c >> (6 * more)) & 63)));
}

/* The text of an element without its padding of zeros. */
static void field_text(const TensorField *f, const char *at, Text *out) {
    int64_t unit = f->wide ? 4 : 1, n = f->size / unit;
    static const char zeros[4];
    while (n && !memcmp(at + (n - 1) * unit, zeros, (size_t)unit))
        n--;
    if (!f->wide) {
        text_add(out, at, (size_t)n);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t c;
        memcpy(&c, at + 4 * i, 4);
        c = f->swap ? __builtin_bswap32(c) : c;
        add_utf8(out, c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0xfffd : c);
    }
}

/* ---- elements ---- */

static const char *element_at(const Tensor *t, int64_t i) {
    const char *at = t->data;
    for (int k = t->rank - 1; k >= 0; k--) {
        at += i % t->dims[k] * t->strides[k];
        i /= t->dims[k];
    }
    return at;
}

/* The columns of all elements of a block, for an element type without arrays but strings. */
static bool fill_columns(const Reader *r, const Tensor *t, const TensorField *fields, int nfields,
                         const GactType *elem, GactSlot *columns);

static bool string_columns(const Reader *r, const Tensor *t, const TensorField *f,
                           const GactType *elem, GactSlot *columns) {
    Builder b;
    Text text = {.region = r->region};
    builder_init(&b, r->region, elem);
    for (int64_t i = 0, n = tensor_count(t); i < n; i++) {
        GactSlot s[3];
        text.len = 0;
        field_text(f, element_at(t, i) + f->offset, &text);
        string_of(text.at, text.len, s);
        builder_push(&b, s);
    }
    builder_finish(&b, NULL, 0, columns);
    return true;
}

static const TensorField *field_named(const TensorField *fields, int n, const char *name) {
    for (int k = 0; k < n; k++)
        if (fields[k].name && !strcmp(fields[k].name, name))
            return &fields[k];
    return NULL;
}

static bool record_columns(const Reader *r, const Tensor *t, const TensorField *fields, int nfields,
                           const GactType *elem, GactSlot *columns) {
    bool names = type_has_names(elem);
    if (!names && nfields != elem->count)
        return read_mismatch(r, "%s", tensor_text(r, t));
    for (int k = 0; k < elem->count; k++) {
        const TensorField *f = names ? field_named(fields, nfields, elem->names[k]) : &fields[k];
        if (!f)
            return read_fail(r, "expected %s, but %s has no field %s", r->wanted, r->source,
                             elem->names[k]);
        if (!fill_columns(r, t, f, 1, elem->items[k], columns))
            return false;
        columns += 2 * elem->items[k]->columns;
    }
    return true;
}

static bool fill_columns(const Reader *r, const Tensor *t, const TensorField *fields, int nfields,
                         const GactType *elem, GactSlot *columns) {
    if (elem->kind == GACT_PRODUCT && (nfields > 1 || fields[0].name))
        return record_columns(r, t, fields, nfields, elem, columns);
    bool is_text = fields[0].kind == GACT_STRING;
    if (nfields != 1 || is_text != (elem->kind == GACT_STRING) ||
        !(is_text || kind_is_scalar(elem->kind)))
        return read_mismatch(r, "%s", tensor_text(r, t));
    if (is_text)
        return string_columns(r, t, fields, elem, columns);
    columns[0].p = NULL;
    return scalar_column(r, t, fields, elem->kind, &columns[1].p);
}

/* ---- whole types ---- */

/* The axes of nested arrays: 3 of [n][m, k]T. Stops at an element that is no array. */
static int nested_rank(const GactType *t, const GactType **elem) {
    int rank = 0;
    for (; t->kind == GACT_ARRAY; t = t->elem)
        rank += t->rank;
    *elem = t;
    return rank;
}

/* Columns of an array whose elements are arrays of the block's inner axes: even offsets. */
static void list_columns(const Reader *r, const Tensor *t, const GactType *type, int axis,
                         int64_t n, const GactSlot *leaves, GactSlot *columns) {
    if (type->kind != GACT_ARRAY) {
        memcpy(columns, leaves, sizeof *leaves * 2 * (size_t)type->columns);
        return;
    }
    int64_t size = 1;
    for (int k = 0; k < type->rank; k++)
        size *= t->dims[axis + k];
    int64_t *offsets = region_alloc(r->region, (size_t)(n + 1) * 8);
    for (int64_t i = 0; i <= n; i++)
        offsets[i] = i * size;
    columns[0].p = NULL;
    columns[1].p = offsets;
    columns += 2;
    for (int k = 0; type->rank > 1 && k < type->rank; k++, columns += 2) {
        int64_t *dims = region_alloc(r->region, (size_t)(n + 1) * 8);
        for (int64_t i = 0; i < n; i++)
            dims[i] = t->dims[axis + k];
        columns[0].p = NULL;
        columns[1].p = dims;
    }
    list_columns(r, t, type->elem, axis + type->rank, n * size, leaves, columns);
}

static bool single_to_value(const Reader *r, const Tensor *t, const GactType *elem, GactSlot *out) {
    GactSlot small[SMALL_SLOTS];
    if (elem->columns * 2 > SMALL_SLOTS)
        return read_mismatch(r, "%s", tensor_text(r, t));
    if (!fill_columns(r, t, t->fields, t->nfields, elem, small))
        return false;
    value_element(elem, small, 0, out);
    return true;
}

/* A tuple of numbers of one kind takes a last axis of its length: a complex number, a point. */
static bool split_last_axis(const Reader *r, const Tensor *t, const GactType *elem, Tensor *out) {
    *out = *t;
    if (elem->kind != GACT_PRODUCT || t->nfields != 1 || t->fields[0].name || !t->rank ||
        t->fields[0].kind == GACT_STRING || t->dims[t->rank - 1] != elem->count)
        return false;
    out->rank--;
    out->nfields = elem->count;
    out->fields = region_zero(r->region, (size_t)elem->count, sizeof *out->fields);
    for (int k = 0; k < elem->count; k++) {
        out->fields[k] = t->fields[0];
        out->fields[k].name = type_has_names(elem) ? elem->names[k] : "";
        out->fields[k].offset += k * t->strides[t->rank - 1];
    }
    return true;
}

bool tensor_to_value(const Reader *r, const Tensor *tensor, GactSlot *out) {
    const GactType *elem;
    Tensor split;
    const Tensor *t = tensor;
    int rank = nested_rank(r->type, &elem);
    if (t->rank == rank + 1 && split_last_axis(r, t, elem, &split))
        t = &split;
    if (t->rank != rank)
        return read_mismatch(r, "%s", tensor_text(r, tensor));
    if (!rank)
        return single_to_value(r, t, elem, out);
    GactSlot *leaves = region_zero(r->region, 2 * (size_t)elem->columns, sizeof *leaves);
    if (!fill_columns(r, t, t->fields, t->nfields, elem, leaves))
        return false;
    int64_t n = 1;
    for (int k = 0; k < r->type->rank; k++)
        n *= out[k].i = t->dims[k];
    list_columns(r, t, r->type->elem, r->type->rank, n, leaves, out + r->type->rank);
    return true;
}
