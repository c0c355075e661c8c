/* The runtime calls that print, format, parse, read and write. */
#include "../io/io.h"

#include <string.h>

/* A call's memory; given back before a fault leaves the call. */
typedef struct {
    GactCtx *ctx;
    const GactSite *site;
    Region region;
} Call;

_Noreturn static void call_fault(Call *c, const char *kind, const char *text) {
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", text);
    region_free(&c->region);
    fault_raise(c->ctx, c->site, kind, "%s", copy);
}

static void out_of_memory(void *arg, size_t bytes) {
    char text[80];
    snprintf(text, sizeof text, "memory is exhausted: %zu more bytes were wanted", bytes);
    call_fault(arg, "memory", text);
}

static void call_start(Call *c, GactCtx *ctx, const GactSite *site) {
    *c = (Call){ctx, site, {.exhausted = out_of_memory, .arg = c}};
}

static const char *argument_text(Call *c, const GactValue *v) {
    return region_copy(&c->region, string_data(v->slots), (size_t)v->slots[0].i);
}

/* A path of the program; one with a zero byte would name another file. */
static const char *argument_path(Call *c, const GactValue *v) {
    const char *path = argument_text(c, v);
    if (strlen(path) != (size_t)v->slots[0].i)
        call_fault(c, "io", "a path contains a zero byte");
    return path;
}

static void return_string(Call *c, const char *text, size_t len, GactSlot *out) {
    GactBuf *buf = c->ctx->api->alloc(c->ctx, c->site, (int64_t)len);
    out[0].i = (int64_t)len;
    out[1].p = buf;
    out[2].p = (char *)buf + 64;
    if (len)
        memcpy(out[2].p, text, len);
}

void rt_PRINT(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
              const GactType *result, GactSlot *out) {
    Call c;
    (void)result, (void)out;
    call_start(&c, ctx, site);
    Text text = {.region = &c.region};
    for (int32_t k = 0; k < nargs; k++) {
        if (k)
            text_char(&text, ' ');
        value_print(&text, args[k].type, args[k].slots);
    }
    text_char(&text, '\n');
    fwrite(text.at, 1, text.len, stdout); /* one call: lines of threads do not mix */
    region_free(&c.region);
}

void rt_FORMAT(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
               const GactType *result, GactSlot *out) {
    Call c;
    Format format;
    (void)nargs, (void)result;
    call_start(&c, ctx, site);
    const char *spec = argument_text(&c, &args[1]), *why = "it is an alignment < > ^, a width, "
                                                           ".digits, x or e";
    bool known = format_parse(spec, strlen(spec), &format);
    if (known)
        why = format_refuses(&format, args[0].type);
    if (!known || why)
        call_fault(&c, "format",
                   region_printf(&c.region, "the format `%s` does not suit %s: %s", spec,
                                 args[0].type->text, why));
    Text text = {.region = &c.region};
    value_print_format(&text, &format, args[0].type, args[0].slots);
    return_string(&c, text.at, text.len, out);
    region_free(&c.region);
}

void rt_LOAD(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
             const GactType *result, GactSlot *out) {
    Call c;
    GactError error = {0};
    (void)nargs;
    call_start(&c, ctx, site);
    const char *path = argument_path(&c, &args[0]);
    Reader r = {.region = &c.region,
                .error = &error,
                .what = "load",
                .source = path,
                .type = result,
                .wanted = result->text};
    GactSlot *slots = region_zero(&c.region, (size_t)result->slots, sizeof *slots);
    if (!spec_read_file(&r, path, slots))
        call_fault(&c, "io", error.text);
    value_own(ctx, site, result, slots, out);
    region_free(&c.region);
}

/* Writes one value to one file; extension: the format, NULL: by the path. */
static void save(Call *c, const char *path, const char *extension, const GactValue *v) {
    GactError error = {0};
    Outputs outputs = {.region = &c->region};
    GactStatus status =
        extension ? outputs_add_as(&outputs, path, extension, path, v->type, v->slots, &error)
                  : outputs_add(&outputs, path, path, v->type, v->slots, &error);
    if (status || outputs_write(&outputs, &error))
        call_fault(c, "io", error.text);
    region_free(&c->region);
}

void rt_SAVE(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
             const GactType *result, GactSlot *out) {
    Call c;
    (void)nargs, (void)result, (void)out;
    call_start(&c, ctx, site);
    save(&c, argument_path(&c, &args[0]), NULL, &args[1]);
}

void rt_WRITE_TEXT(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                   const GactType *result, GactSlot *out) {
    Call c;
    (void)nargs, (void)result, (void)out;
    call_start(&c, ctx, site);
    save(&c, argument_path(&c, &args[0]), ".txt", &args[1]);
}

void rt_WRITE_PNG(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                  const GactType *result, GactSlot *out) {
    Call c;
    (void)nargs, (void)result, (void)out;
    call_start(&c, ctx, site);
    save(&c, argument_path(&c, &args[0]), ".png", &args[1]);
}

void rt_READ_TEXT(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                  const GactType *result, GactSlot *out) {
    Call c;
    Bytes file;
    GactError error = {0};
    (void)nargs;
    call_start(&c, ctx, site);
    Reader r = {.region = &c.region, .error = &error, .what = "read_text", .type = result};
    if (!file_read(&r, argument_path(&c, &args[0]), &file))
        call_fault(&c, "io", error.text);
    return_string(&c, file.data, file.size, out);
    region_free(&c.region);
}

/* kind: i64 or f64. A whole number beyond a float's precision is rounded. */
static void parse_number(Call *c, const GactValue *v, int32_t kind, GactSlot *out) {
    const char *text = argument_text(c, v);
    Number n;
    bool known = number_parse(text, (size_t)v->slots[0].i, &n);
    if (known && kind == GACT_F64 && !n.is_float)
        out->f = n.negative ? -(double)n.whole : (double)n.whole;
    else if (known && kind == GACT_F64)
        out->f = n.number;
    else if (!known || n.is_float || !number_to(n, kind, out))
        call_fault(
            c, "parse",
            region_printf(&c->region, "\"%s\" is no number of type %s", text, kind_name(kind)));
    region_free(&c->region);
}

void rt_PARSE_I64(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                  const GactType *result, GactSlot *out) {
    Call c;
    (void)nargs, (void)result;
    call_start(&c, ctx, site);
    parse_number(&c, &args[0], GACT_I64, out);
}

void rt_PARSE_F64(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                  const GactType *result, GactSlot *out) {
    Call c;
    (void)nargs, (void)result;
    call_start(&c, ctx, site);
    parse_number(&c, &args[0], GACT_F64, out);
}

/* The text of an assert or of a program's own check, at its place. */
void rt_FAIL(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
             const GactType *result, GactSlot *out) {
    Call c;
    (void)nargs, (void)result, (void)out;
    call_start(&c, ctx, site);
    call_fault(&c, "assert", argument_text(&c, &args[0]));
}

/* Its argument has been computed: that is all. */
void rt_KEEP(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
             const GactType *result, GactSlot *out) {
    (void)ctx, (void)site, (void)args, (void)nargs, (void)result, (void)out;
}
