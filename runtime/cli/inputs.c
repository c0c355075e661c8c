/* Inputs of an entry from the command line: names, values, sizes. */
#include "cli.h"

#include <string.h>

int port_named(const GactPort *ports, int count, const char *name) {
    for (int k = 0; k < count; k++)
        if (!strcmp(ports[k].name, name))
            return k;
    return -1;
}

static const char *port_suggestion(Region *region, const GactPort *ports, int count,
                                   const char *name) {
    const char **names = region_zero(region, (size_t)count, sizeof *names);
    for (int k = 0; k < count; k++)
        names[k] = ports[k].name;
    return suggest(region, name, names, count);
}

/* ---- names ---- */

static GactStatus check_names(Region *region, const GactEntry *entry, const Assignments *given,
                              bool *seen, GactError *error) {
    for (int k = 0; k < given->count; k++) {
        int port = port_named(entry->inputs, entry->ninputs, given->at[k].name);
        if (port < 0)
            return error_set(
                error, GACT_BAD_INPUT, "%s has no input %s%s", entry->name, given->at[k].name,
                port_suggestion(region, entry->inputs, entry->ninputs, given->at[k].name));
        if (seen[port])
            return error_set(error, GACT_BAD_INPUT, "input %s is given twice", given->at[k].name);
        seen[port] = true;
    }
    return GACT_OK;
}

static GactStatus check_missing(Region *region, const GactEntry *entry, const bool *seen,
                                GactError *error) {
    Text text = {.region = region};
    int missing = 0;
    for (int k = 0; k < entry->ninputs; k++) {
        const GactPort *p = &entry->inputs[k];
        if (seen[k] || p->has_default)
            continue;
        text_printf(&text, "%s%s: %s", missing ? ", " : "", p->name, p->text);
        missing++;
    }
    if (!missing)
        return GACT_OK;
    return error_set(error, GACT_BAD_INPUT, "%s needs the input%s %s", entry->name,
                     missing > 1 ? "s" : "", text_string(&text));
}

GactStatus outputs_check(Region *region, const GactEntry *entry, const Assignments *out,
                         GactError *error) {
    for (int k = 0; k < out->count; k++) {
        const Assignment *a = &out->at[k];
        if (port_named(entry->outputs, entry->noutputs, a->name) < 0)
            return error_set(error, GACT_BAD_INPUT, "%s has no output %s%s", entry->name, a->name,
                             port_suggestion(region, entry->outputs, entry->noutputs, a->name));
        if (!format_known(a->spec))
            return error_set(error, GACT_BAD_INPUT,
                             "output %s: %s is no .npy, .npz, .csv, .tsv, .json, .bin, .txt or "
                             ".png file",
                             a->name, a->spec);
    }
    return GACT_OK;
}

/* ---- values ---- */

GactStatus inputs_read(Region *region, const GactEntry *entry, const Assignments *in,
                       const Assignments *each, Inputs *inputs, GactError *error) {
    bool *seen = region_zero(region, (size_t)entry->ninputs, sizeof *seen);
    GactStatus status = check_names(region, entry, in, seen, error);
    if (!status)
        status = check_names(region, entry, each, seen, error);
    if (!status)
        status = check_missing(region, entry, seen, error);
    *inputs = (Inputs){.entry = entry};
    inputs->slots = region_zero(region, (size_t)entry->ninputs, sizeof *inputs->slots);
    inputs->specs = region_zero(region, (size_t)entry->ninputs, sizeof *inputs->specs);
    for (int k = 0; k < in->count && !status; k++) {
        int port = port_named(entry->inputs, entry->ninputs, in->at[k].name);
        const GactPort *p = &entry->inputs[port];
        Reader r = {.region = region,
                    .error = error,
                    .source = in->at[k].spec,
                    .type = p->type,
                    .wanted = p->text,
                    .what = region_printf(region, "input %s", p->name)};
        inputs->slots[port] = region_zero(region, (size_t)p->type->slots, sizeof(GactSlot));
        inputs->specs[port] = in->at[k].spec;
        if (!spec_read(&r, in->at[k].spec, inputs->slots[port]))
            status = GACT_BAD_INPUT;
    }
    return status;
}

/* ---- sizes ---- */

/* The sizes bound so far, and by which input. */
typedef struct {
    Region *region;
    const Inputs *inputs;
    int64_t *values;
    const char **from; /* NULL: not bound yet */
    GactError *error;
} Sizes;

/* "7 elements", "7 rows", "size 7 on axis 2". */
static const char *axis_text(Region *region, int64_t size, int axis, int rank) {
    static const char *const words[] = {"row", "column"};
    if (rank > 2)
        return region_printf(region, "size %lld on axis %d", (long long)size, axis);
    return region_printf(region, "%lld %s%s", (long long)size, rank == 1 ? "element" : words[axis],
                         size == 1 ? "" : "s");
}

/* "n", "2 * n + 1". */
static const char *dim_text(const Sizes *z, const GactDim *d) {
    Text text = {.region = z->region};
    if (d->scale != 1)
        text_printf(&text, "%lld * ", (long long)d->scale);
    text_puts(&text, z->inputs->entry->symbols[d->symbol]);
    if (d->offset)
        text_printf(&text, " %c %lld", d->offset < 0 ? '-' : '+',
                    (long long)(d->offset < 0 ? -d->offset : d->offset));
    return text_string(&text);
}

static GactStatus refuse_type(const Sizes *z, int k) {
    const GactPort *p = &z->inputs->entry->inputs[k];
    Text came = {.region = z->region};
    value_print_type(&came, p->type, z->inputs->slots[k]);
    const char *spec = z->inputs->specs[k];
    return error_set(z->error, GACT_BAD_INPUT, "input %s: expected %s, but %s holds %s", p->name,
                     p->text, spec && format_known(spec) ? spec : "the value", text_string(&came));
}

/* Is the size in a list that is empty further out, so that nothing told it? */
static bool is_untold(const GactSlot *slots, int axis) {
    for (int k = 0; k < axis; k++)
        if (slots[k].i == 0)
            return slots[axis].i == 0;
    return false;
}

static GactStatus check_axis(Sizes *z, int k, int axis) {
    const GactPort *p = &z->inputs->entry->inputs[k];
    const GactDim *d = &p->dims[axis];
    GactSlot *slots = z->inputs->slots[k];
    int64_t size = slots[axis].i;
    bool known = d->symbol == -1 || (d->symbol >= 0 && z->from[d->symbol]);
    int64_t want = d->offset + (d->symbol >= 0 && known ? d->scale * z->values[d->symbol] : 0);
    if (known && is_untold(slots, axis))
        size = slots[axis].i = want;
    if (d->symbol == -2 || (known && size == want) || (!known && is_untold(slots, axis)))
        return GACT_OK;
    if (d->symbol == -1)
        return refuse_type(z, k);
    if (known)
        return error_set(z->error, GACT_BAD_INPUT, "input %s has %s, but %s is %lld (from %s)",
                         p->name, axis_text(z->region, size, axis, p->type->rank), dim_text(z, d),
                         (long long)want, z->from[d->symbol]);
    if (!d->scale || (size - d->offset) % d->scale || (size - d->offset) / d->scale < 0)
        return error_set(z->error, GACT_BAD_INPUT, "input %s has %s, which cannot be %s", p->name,
                         axis_text(z->region, size, axis, p->type->rank), dim_text(z, d));
    z->values[d->symbol] = (size - d->offset) / d->scale;
    z->from[d->symbol] = p->name;
    return GACT_OK;
}

/* A size may also be a parameter: (n: i64, x: [n]f32). */
static void bind_parameters(Sizes *z) {
    const GactEntry *e = z->inputs->entry;
    for (int k = 0; k < e->nsymbols; k++) {
        int port = port_named(e->inputs, e->ninputs, e->symbols[k]);
        if (port < 0 || !z->inputs->slots[port] || e->inputs[port].type->kind != GACT_I64)
            continue;
        z->values[k] = z->inputs->slots[port][0].i;
        z->from[k] = e->inputs[port].name;
    }
}

GactStatus inputs_check(Region *region, const Inputs *inputs, GactError *error) {
    const GactEntry *e = inputs->entry;
    Sizes z = {.region = region, .inputs = inputs, .error = error};
    z.values = region_zero(region, (size_t)e->nsymbols, sizeof *z.values);
    z.from = region_zero(region, (size_t)e->nsymbols, sizeof *z.from);
    bind_parameters(&z);
    for (int k = 0; k < e->ninputs; k++) {
        const GactPort *p = &e->inputs[k];
        if (!inputs->slots[k] || p->type->kind != GACT_ARRAY || !p->dims)
            continue;
        for (int axis = 0; axis < p->type->rank; axis++) {
            GactStatus status = check_axis(&z, k, axis);
            if (status)
                return status;
        }
    }
    return GACT_OK;
}
