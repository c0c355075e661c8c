/* The total order of values; see order.h. */
#include "order.h"

#include <math.h>
#include <string.h>

static int compare_scalars(int32_t kind, GactSlot a, GactSlot b) {
    if (kind_is_float(kind)) {
        double x = scalar_float(kind, a), y = scalar_float(kind, b);
        if (isnan(x) || isnan(y))
            return !!isnan(x) - !!isnan(y);
        if (x == y)
            return !!signbit(y) - !!signbit(x);
        return x < y ? -1 : 1;
    }
    if (kind_is_signed(kind))
        return (a.i > b.i) - (a.i < b.i);
    return (a.u > b.u) - (a.u < b.u);
}

static int compare_strings(const GactSlot *a, const GactSlot *b) {
    int64_t n = a[0].i < b[0].i ? a[0].i : b[0].i;
    int order = n ? memcmp(a[2].p, b[2].p, (size_t)n) : 0;
    return order ? order : (a[0].i > b[0].i) - (a[0].i < b[0].i);
}

/* Elements between two row-major positions of an axis. */
static int64_t stride_of(const GactType *t, const GactSlot *s, int axis) {
    int64_t stride = 1;
    for (int k = axis + 1; k < t->rank; k++)
        stride *= s[k].i;
    return stride;
}

static int compare_axis(const GactType *t, const GactSlot *a, const GactSlot *b, int axis,
                        int64_t at_a, int64_t at_b) {
    int64_t n = a[axis].i < b[axis].i ? a[axis].i : b[axis].i;
    int64_t step_a = stride_of(t, a, axis), step_b = stride_of(t, b, axis);
    GactSlot small_a[SMALL_SLOTS], small_b[SMALL_SLOTS];
    GactSlot *x = slots_borrow(t->elem, small_a), *y = slots_borrow(t->elem, small_b);
    int order = 0;
    for (int64_t i = 0; i < n && !order; i++, at_a += step_a, at_b += step_b) {
        if (axis + 1 < t->rank) {
            order = compare_axis(t, a, b, axis + 1, at_a, at_b);
            continue;
        }
        value_element(t->elem, a + t->rank, at_a, x);
        value_element(t->elem, b + t->rank, at_b, y);
        order = value_compare(t->elem, x, y);
    }
    slots_return(y, small_b);
    slots_return(x, small_a);
    return order ? order : (a[axis].i > b[axis].i) - (a[axis].i < b[axis].i);
}

int value_compare(const GactType *t, const GactSlot *a, const GactSlot *b) {
    int order = 0;
    switch (t->kind) {
    case GACT_STRING: return compare_strings(a, b);
    case GACT_ARRAY: return compare_axis(t, a, b, 0, 0, 0);
    case GACT_PRODUCT:
        for (int k = 0, at = 0; k < t->count && !order; at += t->items[k++]->slots)
            order = value_compare(t->items[k], a + at, b + at);
        return order;
    case GACT_SUM: {
        int at = sum_slot(t, (int)a[0].i);
        if (a[0].i != b[0].i)
            return a[0].i < b[0].i ? -1 : 1;
        return value_compare(t->ctors[a[0].i].payload, a + at, b + at);
    }
    default: return compare_scalars(t->kind, *a, *b);
    }
}

/* ---- sets ---- */

typedef struct {
    const GactType *elem;
    const GactSlot *columns;
    GactSlot *x, *y;
} Sorting;

static int compare_elements(Sorting *s, int64_t i, int64_t j) {
    value_element(s->elem, s->columns, i, s->x);
    value_element(s->elem, s->columns, j, s->y);
    return value_compare(s->elem, s->x, s->y);
}

/* Merges the sorted runs from … middle and middle … to of `order`. */
static void merge(Sorting *s, const int64_t *order, int64_t from, int64_t middle, int64_t to,
                  int64_t *out) {
    int64_t i = from, j = middle;
    for (int64_t k = from; k < to; k++) {
        bool left = j == to || (i < middle && compare_elements(s, order[i], order[j]) <= 0);
        out[k] = left ? order[i++] : order[j++];
    }
}

static int64_t *sorted_order(Region *region, Sorting *s, int64_t n) {
    int64_t *order = region_zero(region, (size_t)n, sizeof *order);
    int64_t *other = region_zero(region, (size_t)n, sizeof *other);
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t from = 0; from < n; from += 2 * width) {
            int64_t middle = from + width < n ? from + width : n;
            merge(s, order, from, middle, middle + width < n ? middle + width : n, other);
        }
        int64_t *swap = order;
        order = other;
        other = swap;
    }
    return order;
}

void array_sort_unique(Region *region, const GactType *t, GactSlot *slots) {
    int64_t n = slots[0].i;
    Sorting s = {.elem = t->elem, .columns = slots + 1};
    s.x = region_zero(region, (size_t)t->elem->slots, sizeof *s.x);
    s.y = region_zero(region, (size_t)t->elem->slots, sizeof *s.y);
    bool ascending = true;
    for (int64_t i = 1; i < n && ascending; i++)
        ascending = compare_elements(&s, i - 1, i) < 0;
    if (ascending)
        return;
    int64_t *order = sorted_order(region, &s, n);
    Builder b;
    builder_init(&b, region, t->elem);
    for (int64_t i = 0; i < n; i++)
        if (!i || compare_elements(&s, order[i - 1], order[i])) {
            value_element(t->elem, slots + 1, order[i], s.x);
            builder_push(&b, s.x);
        }
    builder_finish(&b, &b.count, 1, slots);
}
