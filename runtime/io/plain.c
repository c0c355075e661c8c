/* The plain formats: .bin, the bytes of the declared type in row-major order, and .txt, a text. */
#include "io.h"

#include <string.h>

/* ---- .bin ---- */

/* The declared size of an axis in the text of a type, "[n, 3]f32" or "[n][3]f32"; -1 when it is
   free. */
static int64_t fixed_size(const char *wanted, int axis) {
    const char *at = wanted + (*wanted == '[');
    for (int k = 0; k < axis; k++) {
        at += strcspn(at, ",]");
        at += *at == ',' ? 1 : at[0] == ']' && at[1] == '[' ? 2 : 0;
    }
    at += strspn(at, " ");
    Number n;
    return number_parse(at, strcspn(at, ",]"), &n) && !n.is_float && !n.negative &&
                   n.whole <= INT64_MAX
               ? (int64_t)n.whole
               : -1;
}

bool bin_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    const GactType *elem = r->type;
    int rank = 0, free_axis = -1;
    for (; elem->kind == GACT_ARRAY; elem = elem->elem)
        rank += elem->rank;
    if (part || !kind_is_scalar(elem->kind) || rank > IO_MAX_RANK)
        return read_mismatch(r, "plain bytes");
    int64_t known = kind_size(elem->kind), size = (int64_t)file.size;
    TensorField field = {.kind = elem->kind, .size = known};
    Tensor tensor = {
        .data = file.data, .rank = rank, .nfields = 1, .fields = &field, .elem_text = elem->text};
    for (int k = 0; k < rank; k++) {
        tensor.dims[k] = fixed_size(r->wanted, k);
        if (tensor.dims[k] < 0 && free_axis >= 0)
            return read_fail(r,
                             "expected %s, but a .bin file has no shape, and more than one size "
                             "is free",
                             r->wanted);
        if (tensor.dims[k] < 0)
            free_axis = k;
        else if (__builtin_mul_overflow(known, tensor.dims[k], &known))
            return read_mismatch(r, "%lld bytes", (long long)size);
    }
    if (free_axis >= 0)
        tensor.dims[free_axis] = known ? size / known : 0;
    if (known * (free_axis >= 0 ? tensor.dims[free_axis] : 1) != size)
        return read_mismatch(r, "%lld bytes, which is %s %lld", (long long)size,
                             free_axis >= 0 ? "no multiple of" : "not", (long long)known);
    for (int64_t k = rank - 1, stride = field.size; k >= 0; stride *= tensor.dims[k--])
        tensor.strides[k] = stride;
    return tensor_to_value(r, &tensor, out);
}

bool bin_write(Text *out, const WriteItem *items, int n, GactError *error) {
    const GactType *t = items->type, *elem = t->kind == GACT_ARRAY ? t->elem : t;
    if (n > 1 || items->part || !kind_is_scalar(elem->kind)) {
        error_set(error, GACT_BAD_INPUT, "output %s: a .bin file holds one array of numbers",
                  items[n > 1].name);
        return false;
    }
    size_t size = (size_t)kind_size(elem->kind);
    if (t->kind == GACT_ARRAY)
        text_add(out, items->slots[t->rank + 1].p, (size_t)array_count(t, items->slots) * size);
    else
        text_add(out, (const char *)items->slots, size); /* little-endian */
    return true;
}

/* ---- .txt ---- */

bool txt_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    const char *at = file.data, *end = at + file.size;
    if (part ||
        !(r->type->kind == GACT_STRING || (r->type->kind == GACT_ARRAY && r->type->rank == 1 &&
                                           r->type->elem->kind == GACT_STRING)))
        return read_mismatch(r, "text");
    if (r->type->kind == GACT_STRING) {
        string_of(at, file.size, out);
        return true;
    }
    Builder b;
    builder_init(&b, r->region, r->type->elem);
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        GactSlot line[3];
        string_of(at, len && at[len - 1] == '\r' ? len - 1 : len, line);
        builder_push(&b, line);
        at += len + (newline != NULL);
    }
    builder_finish(&b, &b.count, 1, out);
    return true;
}

bool txt_write(Text *out, const WriteItem *items, int n, GactError *error) {
    if (n > 1 || items->part) {
        error_set(error, GACT_BAD_INPUT, "output %s: a .txt file holds one value",
                  items[n > 1].name);
        return false;
    }
    value_print(out, items->type, items->slots);
    if (items->type->kind != GACT_STRING)
        text_char(out, '\n');
    return true;
}
