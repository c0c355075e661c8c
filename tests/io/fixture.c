/* A program image written by hand, so that gactrun can be tested without a compiler:
     dag scale(x: [n]f32, y: [n]f32, by: f32 = 2) -> (product: [n]f32, quotient: [n]i32)
       product = x * y * by; quotient = i32(x) / i32(y), which faults where y is 0
     dag turn(grid: [h, w]i64) -> (result: [w, h]i64)
     main(args) prints its arguments; tests "passes", "fails", "wants a fault", "misses a fault" and
     "calls the runtime", which saves, loads, formats and parses.
   Built with -shared and sealed by seal.c. */
#include "../../lang/image.h"

static const GactType f32 = {
    .kind = GACT_F32, .text = "f32", .name = "f32", .slots = 1, .columns = 1};
static const GactType i32 = {
    .kind = GACT_I32, .text = "i32", .name = "i32", .slots = 1, .columns = 1};
static const GactType i64 = {
    .kind = GACT_I64, .text = "i64", .name = "i64", .slots = 1, .columns = 1};
static const GactType string = {.kind = GACT_STRING, .text = "string", .slots = 3, .columns = 2};
static const GactType f32s = {
    .kind = GACT_ARRAY, .rank = 1, .text = "[_]f32", .elem = &f32, .slots = 3, .columns = 2};
static const GactType i32s = {
    .kind = GACT_ARRAY, .rank = 1, .text = "[_]i32", .elem = &i32, .slots = 3, .columns = 2};
static const GactType grid = {
    .kind = GACT_ARRAY, .rank = 2, .text = "[_, _]i64", .elem = &i64, .slots = 4, .columns = 4};
static const GactType strings = {
    .kind = GACT_ARRAY, .rank = 1, .text = "[]string", .elem = &string, .slots = 5, .columns = 3};
static const GactType nothing = {.kind = GACT_PRODUCT, .text = "()", .name = ""};

static const char text[] = "let quotient = i32(x) / i32(y)\nassert false\n";
static const GactSource sources[] = {{"fixture.gact", text, sizeof text - 1}};
static const GactSite division = {.kind = "division",
                                  .text = "division of {} by zero",
                                  .node = "quotient",
                                  .file = 0,
                                  .from = 15,
                                  .to = 30,
                                  .other_file = -1};
static const GactSite assertion = {.kind = "assert",
                                   .text = "assertion failed",
                                   .node = "",
                                   .file = 0,
                                   .from = 31,
                                   .to = 43,
                                   .other_file = -1};

typedef struct {
    const GactSlot *in;
    GactSlot *out;
} Env;

static void fresh(GactCtx *ctx, const GactSite *site, int64_t bytes, GactSlot *out) {
    GactBuf *buf = ctx->api->alloc(ctx, site, bytes);
    out[0].p = buf;
    out[1].p = (char *)buf + 64;
}

static void product_body(GactCtx *ctx, void *arg) {
    Env *e = arg;
    const float *x = e->in[3].p, *y = e->in[6].p;
    float by = e->in[0].u & 4 ? e->in[7].f32 : 2;
    int64_t n = e->in[1].i;
    e->out[2].i = n;
    fresh(ctx, &division, n * 4, &e->out[3]);
    for (int64_t i = 0; i < n; i++)
        ((float *)e->out[4].p)[i] = x[i] * y[i] * by;
}

static void quotient_body(GactCtx *ctx, void *arg) {
    Env *e = arg;
    const float *x = e->in[3].p, *y = e->in[6].p;
    int64_t n = e->in[1].i;
    e->out[5].i = n;
    fresh(ctx, &division, n * 4, &e->out[6]);
    for (int64_t i = 0; i < n; i++) {
        int64_t a = (int64_t)x[i], b = (int64_t)y[i];
        if (!b)
            ctx->api->fault(ctx, &division, &a, 1);
        ((int32_t *)e->out[7].p)[i] = (int32_t)(a / b);
    }
}

static int32_t scale(GactCtx *ctx, const GactSlot *in, GactSlot *out) {
    Env e = {in, out};
    out[0].i = ctx->api->guard(ctx, product_body, &e);
    out[1].i = ctx->api->guard(ctx, quotient_body, &e);
    return out[0].i || out[1].i;
}

static int32_t turn(GactCtx *ctx, const GactSlot *in, GactSlot *out) {
    int64_t h = in[1].i, w = in[2].i;
    const int64_t *x = in[4].p;
    out[0].i = 0;
    out[1].i = w;
    out[2].i = h;
    fresh(ctx, &division, h * w * 8, &out[3]);
    for (int64_t i = 0; i < h; i++)
        for (int64_t j = 0; j < w; j++)
            ((int64_t *)out[4].p)[j * h + i] = x[i * w + j];
    if (h == 1)
        ctx->api->fault(ctx, &assertion, 0, 0);
    return 0;
}

static int32_t run_main(GactCtx *ctx, const GactSlot *in, GactSlot *out) {
    GactValue args = {&strings, in + 1};
    ctx->api->PRINT(ctx, &assertion, &args, 1, &nothing, out);
    return 0;
}

static int32_t passes(GactCtx *ctx, const GactSlot *in, GactSlot *out) {
    (void)ctx, (void)in, (void)out;
    return 0;
}

static int32_t fails(GactCtx *ctx, const GactSlot *in, GactSlot *out) {
    (void)in, (void)out;
    ctx->api->fault(ctx, &assertion, 0, 0);
    return 0;
}

static GactSlot text_slots[3];

/* A text as an argument; there is one at a time. */
static GactValue text_value(const char *bytes) {
    text_slots[0].i = 0;
    while (bytes[text_slots[0].i])
        text_slots[0].i++;
    text_slots[2].p = (void *)bytes;
    return (GactValue){&string, text_slots};
}

static int32_t calls(GactCtx *ctx, const GactSlot *in, GactSlot *out) {
    static int32_t numbers[] = {3, 1, 2};
    const GactApi *api = ctx->api;
    GactSlot array[3] = {{.i = 3}, {.p = 0}, {.p = numbers}}, back[3], half = {.f32 = 0.5f},
             word[3];
    GactSlot parsed[2] = {{.i = 0}, {.i = 0}};
    (void)in, (void)out;
    GactValue save[] = {text_value("t.npy"), {&i32s, array}};
    api->SAVE(ctx, &assertion, save, 2, &nothing, 0);
    api->LOAD(ctx, &assertion, save, 1, &i32s, back);
    GactValue loaded[] = {{&i32s, back}, {&f32, &half}};
    api->PRINT(ctx, &assertion, loaded, 2, &nothing, 0);
    api->release(ctx, back[1].p);
    GactValue format[] = {{&f32, &half}, text_value(">6.2")};
    api->FORMAT(ctx, &assertion, format, 2, &string, word);
    GactValue write[] = {text_value("t.dat"), {&string, word}};
    api->WRITE_TEXT(ctx, &assertion, write, 2, &nothing, 0);
    api->release(ctx, word[1].p);
    api->READ_TEXT(ctx, &assertion, write, 1, &string, word);
    GactValue text_read[] = {{&string, word}};
    api->PRINT(ctx, &assertion, text_read, 1, &nothing, 0);
    api->release(ctx, word[1].p);
    GactValue number = text_value("-12");
    api->PARSE_I64(ctx, &assertion, &number, 1, &i64, &parsed[0]);
    GactValue shown = {&i64, &parsed[0]};
    api->PRINT(ctx, &assertion, &shown, 1, &nothing, 0);
    number = text_value("12x");
    api->PARSE_I64(ctx, &assertion, &number, 1, &i64, &parsed[1]);
    return 0;
}

static const char *const symbols[] = {"n"}, *const sizes[] = {"h", "w"};
static const GactDim n_dim[] = {{.symbol = 0, .scale = 1}};
static const GactDim hw[] = {{.symbol = 0, .scale = 1}, {.symbol = 1, .scale = 1}};
static const GactDim wh[] = {{.symbol = 1, .scale = 1}, {.symbol = 0, .scale = 1}};
static const GactPort scale_in[] = {{"x", &f32s, n_dim, "[n]f32", 0, 1},
                                    {"y", &f32s, n_dim, "[n]f32", 0, 4},
                                    {"by", &f32, 0, "f32", 1, 7}};
static const GactPort scale_out[] = {{"product", &f32s, n_dim, "[n]f32", 0, 2},
                                     {"quotient", &i32s, n_dim, "[n]i32", 0, 5}};
static const GactPort turn_in[] = {{"grid", &grid, hw, "[h, w]i64", 0, 1}};
static const GactPort turn_out[] = {{"result", &grid, wh, "[w, h]i64", 0, 1}};
static const GactPort main_in[] = {{"args", &strings, 0, "[]string", 0, 1}};

static const GactEntry entries[] = {
    {.kind = 0,
     .name = "scale",
     .doc = "Multiplies and divides.",
     .ninputs = 3,
     .noutputs = 2,
     .nsymbols = 1,
     .in_slots = 8,
     .out_slots = 8,
     .inputs = scale_in,
     .outputs = scale_out,
     .symbols = symbols,
     .run = scale},
    {.kind = 0,
     .name = "turn",
     .ninputs = 1,
     .noutputs = 1,
     .nsymbols = 2,
     .in_slots = 5,
     .out_slots = 5,
     .inputs = turn_in,
     .outputs = turn_out,
     .symbols = sizes,
     .run = turn},
    {.kind = 1,
     .name = "main",
     .takes_args = 1,
     .ninputs = 1,
     .in_slots = 6,
     .inputs = main_in,
     .run = run_main},
    {.kind = 2, .name = "passes", .in_slots = 1, .run = passes},
    {.kind = 2, .name = "fails", .in_slots = 1, .run = fails},
    {.kind = 2, .name = "wants a fault", .faults = "assertion", .in_slots = 1, .run = fails},
    {.kind = 2, .name = "misses a fault", .faults = "assertion", .in_slots = 1, .run = passes},
    {.kind = 2,
     .name = "calls the runtime",
     .faults = "\"12x\" is no number of type i64",
     .in_slots = 1,
     .run = calls},
};

extern const GactImage gact_image;
const GactImage gact_image = {.magic = GACT_MAGIC,
                              .abi_version = GACT_ABI_VERSION,
                              .compiler = "hand",
                              .cpu = "any",
                              .nentries = sizeof entries / sizeof *entries,
                              .nsources = 1,
                              .entries = entries,
                              .sources = sources};
