/* The host back end end to end: modules in IR text are compiled to images, loaded, and run on a
   small runtime of this file, whose `parallel` takes the chunks one by one from the last. */
#include "codegen/codegen.h"
#include "compiler/compiler.h"
#include "lang/image.h"

#include <dlfcn.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a runtime ---- */

typedef struct {
    GactCtx ctx;
    jmp_buf *landing;
    GactBuf *live; /* all buffers of a run */
    char fault[256];
    bool is_parallel;
    int64_t parts;
} Tiny;

static GactBuf *tiny_alloc(GactCtx *ctx, const GactSite *site, int64_t bytes) {
    Tiny *t = (Tiny *)ctx;
    if (bytes < 0 || bytes > (int64_t)1 << 32)
        ctx->api->fault(ctx, site, NULL, 0);
    GactBuf *buf = aligned_alloc(64, (sizeof(GactBuf) + (size_t)bytes + 127) & ~(size_t)63);
    memset(buf, 0xcd, sizeof(GactBuf) + (size_t)bytes);
    *buf = (GactBuf){.count = 1, .bytes = bytes, .next = t->live};
    t->live = buf;
    return buf;
}

static void tiny_retain(GactCtx *ctx, GactBuf *buf) {
    (void)ctx;
    if (buf && buf->count > 0)
        buf->count++;
}

static void tiny_release(GactCtx *ctx, GactBuf *buf) {
    (void)ctx;
    if (!buf || buf->count < 0)
        return;
    assert_true(buf->count > 0);
    if (--buf->count == 0)
        memset(buf + 1, 0xdd, (size_t)buf->bytes);
}

static void tiny_fault(GactCtx *ctx, const GactSite *site, const int64_t *nums, int32_t n) {
    Tiny *t = (Tiny *)ctx;
    size_t at = (size_t)snprintf(t->fault, sizeof t->fault, "%s: ", site->kind);
    int32_t used = 0;
    for (const char *p = site->text; *p && at < sizeof t->fault - 24; p++)
        if (p[0] == '{' && p[1] == '}' && used < n) {
            at += (size_t)sprintf(t->fault + at, "%lld", (long long)nums[used++]);
            p++;
        } else {
            t->fault[at++] = *p;
        }
    t->fault[at] = 0;
    longjmp(*t->landing, 1);
}

static int32_t tiny_guard(GactCtx *ctx, GactBodyFn body, void *env) {
    Tiny *t = (Tiny *)ctx;
    jmp_buf here, *volatile outer = t->landing;
    volatile int64_t depth = ctx->depth, serial = ctx->serial;
    t->landing = &here;
    int32_t faulted = setjmp(here);
    if (!faulted)
        body(ctx, env);
    t->landing = outer;
    ctx->depth = depth;
    ctx->serial = serial;
    return faulted;
}

static void tiny_parallel(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void *env,
                          int64_t n, int64_t work, int64_t bytes) {
    (void)info;
    (void)work;
    (void)bytes;
    ctx->serial++;
    ((Tiny *)ctx)->parts += n;
    for (int64_t k = n; k-- > 0;)
        fn(ctx, env, k, k + 1);
    ctx->serial--;
}

static int64_t *tiny_perm(int64_t n, int64_t *perm) {
    for (int64_t k = 0; k < n; k++)
        perm[k] = k;
    return perm;
}

static void tiny_sort_by(GactCtx *ctx, GactLessFn less, void *env, int64_t n, int64_t *perm) {
    tiny_perm(n, perm);
    for (int64_t i = 1; i < n; i++)
        for (int64_t j = i; j > 0 && less(ctx, env, perm[j], perm[j - 1]); j--) {
            int64_t key = perm[j];
            perm[j] = perm[j - 1];
            perm[j - 1] = key;
        }
}

typedef struct {
    const void *keys;
    int32_t kind, descending;
} Keys;

static int32_t key_less(GactCtx *ctx, void *env, int64_t a, int64_t b) {
    (void)ctx;
    Keys *k = env;
    if (k->descending) {
        int64_t c = a;
        a = b;
        b = c;
    }
    return k->kind == GACT_F64 ? ((const double *)k->keys)[a] < ((const double *)k->keys)[b]
                               : ((const int64_t *)k->keys)[a] < ((const int64_t *)k->keys)[b];
}

static void tiny_sort(GactCtx *ctx, int32_t kind, void *keys, int64_t n, int32_t descending,
                      int64_t *perm) {
    int64_t *order = perm ? perm : malloc(sizeof(int64_t) * (size_t)(n + 1));
    Keys env = {keys, kind, descending};
    tiny_sort_by(ctx, key_less, &env, n, order);
    if (perm)
        return;
    int64_t *copy = malloc(sizeof(int64_t) * (size_t)(n + 1));
    memcpy(copy, keys, sizeof(int64_t) * (size_t)n);
    for (int64_t k = 0; k < n; k++)
        ((int64_t *)keys)[k] = copy[order[k]];
    free(copy);
    free(order);
}

static void tiny_matmul(GactCtx *ctx, int32_t kind, const void *a, const void *b, void *c,
                        int64_t n, int64_t k, int64_t m) {
    (void)ctx;
    assert_int_equal(kind, GACT_F64);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++)
                sum = fma(((const double *)a)[i * k + l], ((const double *)b)[l * m + j], sum);
            ((double *)c)[i * m + j] = sum;
        }
}

static char printed[256];

static void tiny_print(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                       const GactType *result, GactSlot *out) {
    (void)ctx;
    (void)site;
    (void)result;
    (void)out;
    printed[0] = 0;
    for (int32_t k = 0; k < nargs; k++) {
        size_t at = strlen(printed);
        const GactSlot *s = args[k].slots;
        if (args[k].type->kind == GACT_STRING)
            sprintf(printed + at, "[%.*s]", (int)s[0].i, (const char *)s[2].p);
        else if (args[k].type->kind == GACT_ARRAY)
            sprintf(printed + at, "[%s %lld]", args[k].type->text, (long long)s[0].i);
        else
            sprintf(printed + at, "[%lld]", (long long)s[0].i);
    }
}

static void tiny_settle(GactCtx *ctx, GactBuf *buf, int64_t most, int64_t bytes) {
    (void)ctx;
    assert_true(bytes <= most && most <= 2 * buf->bytes);
    buf->bytes = bytes;
}

static int64_t tiny_workers(GactCtx *ctx, int64_t work) {
    (void)ctx;
    return work > 0 ? 3 : 1;
}

static const GactApi tiny_api = {
    .version = GACT_ABI_VERSION,
    .alloc = tiny_alloc,
    .reserve = tiny_alloc,
    .settle = tiny_settle,
    .retain = tiny_retain,
    .release = tiny_release,
    .fault = tiny_fault,
    .try_call = tiny_guard,
    .guard = tiny_guard,
    .parallel = tiny_parallel,
    .workers = tiny_workers,
    .sort = tiny_sort,
    .sort_by = tiny_sort_by,
    .matmul = tiny_matmul,
    .PRINT = tiny_print,
};

static Tiny tiny_new(void) {
    return (Tiny){.ctx = {.api = &tiny_api, .max_depth = 1000}};
}

static void tiny_free(Tiny *t) {
    while (t->live) {
        GactBuf *next = t->live->next;
        free(t->live);
        t->live = next;
    }
}

/* ---- compiling and running ---- */

typedef struct {
    Arena arena;
    void *handle;
    const GactImage *image;
    const GactEntry *entry;
    char path[64];
} Program;

/* Owners and releases, as gactc has them; tests that write their own keep those. */
static void plan(IrModule *m, Arena *arena) {
    Compiler c = {.arena = arena, .names = m->names, .types = m->types, .ir = m};
    plan_module(&c);
}

static Program compile(const char *text, int opt_level, bool is_planned) {
    static int counter;
    Program p = {0};
    const char *error = NULL;
    IrModule *m = ir_parse(&p.arena, names_new(&p.arena), text, &error);
    if (error)
        fail_msg("%s", error);
    error = ir_verify(m);
    if (error)
        fail_msg("%s", error);
    if (is_planned)
        plan(m, &p.arena);
    snprintf(p.path, sizeof p.path, "/tmp/gact-codegen-%d-%d.gactx", (int)getpid(), counter++);
    CodegenOptions options = {.emit = EMIT_IMAGE,
                              .opt_level = opt_level,
                              .cpu = "native",
                              .path = p.path,
                              .version = "test"};
    error = gact_codegen_host(m, &options);
    if (error)
        fail_msg("%s", error);
    p.handle = dlopen(p.path, RTLD_NOW | RTLD_LOCAL);
    if (!p.handle)
        fail_msg("%s", dlerror());
    p.image = dlsym(p.handle, "gact_image");
    p.entry = p.image->entries;
    return p;
}

static void program_close(Program *p) {
    dlclose(p->handle);
    unlink(p->path);
    arena_free(&p->arena);
}

/* How many buffers nobody has released, without those that the outputs hold. */
static int leaks(const Tiny *t, const GactSlot *out, int n) {
    int count = 0;
    for (const GactBuf *b = t->live; b; b = b->next) {
        int64_t held = b->count;
        for (int k = 0; k < n; k++)
            held -= out[k].p == b;
        count += held > 0;
    }
    return count;
}

/* Compiles the text as it is at both levels and as planned, runs the first entry and checks what it
   gives. */
typedef void (*Check)(const GactSlot *out, Tiny *t);

static void run_once(const char *text, const GactSlot *in, Check check, int level,
                     bool is_planned) {
    Program p = compile(text, level, is_planned);
    Tiny t = tiny_new();
    GactSlot out[64] = {0};
    int32_t faulted = p.entry->run(&t.ctx, in, out);
    if (faulted && !t.fault[0])
        fail_msg("faulted without a fault");
    check(out, &t);
    if (is_planned && !t.fault[0])
        assert_int_equal(leaks(&t, out, p.entry->out_slots), 0);
    tiny_free(&t);
    program_close(&p);
}

static void run_plain(const char *text, const GactSlot *in, Check check) {
    run_once(text, in, check, 0, false);
    run_once(text, in, check, 2, false);
}

static void run(const char *text, const GactSlot *in, Check check) {
    run_plain(text, in, check);
    if (!strchr(text, '^'))
        run_once(text, in, check, 2, true);
}

static GactSlot slot_i(int64_t value) {
    return (GactSlot){.i = value};
}

static GactSlot slot_f(double value) {
    return (GactSlot){.f = value};
}

static GactSlot slot_p(void *p) {
    return (GactSlot){.p = p};
}

/* ---- cases ---- */

static const int64_t *ints(const GactSlot *out, int slot) {
    return out[slot].p;
}

static const double *floats(const GactSlot *out, int slot) {
    return out[slot].p;
}

static void want_ints(const GactSlot *out, int slot, int n, ...) {
    va_list args;
    va_start(args, n);
    for (int k = 0; k < n; k++)
        assert_int_equal(ints(out, slot)[k], va_arg(args, int));
    va_end(args);
}

static int64_t some_ints[] = {5, 3, 8, 1, 9, 2};
static double some_floats[9000];
#define SIX_INTS slot_i(0), slot_i(6), slot_p(NULL), slot_p(some_ints)

static void check_map(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[0].i, 0);
    assert_int_equal(out[1].i, 5000);
    for (int k = 0; k < 5000; k++)
        assert_true(floats(out, 3)[k] == some_floats[k] * 2.0 + 1);
}

static void test_map(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(3), slot_i(5000), slot_p(NULL), slot_p(some_floats), slot_f(2)};
    run("fn f(%1: i64, %2: [_]f64, %3: f64) -> [_]f64 {\n"
        "  %4 = dim %2, 0 : i64\n"
        "  %5 = const 1 : f64\n"
        "  %6 = kernel [%4] (%7: i64) {\n"
        "    %8 = index %2, %7 : f64\n"
        "    %9 = mul %8, %3 : f64\n"
        "    %10 = add %9, %5 : f64\n"
        "    yield %10\n"
        "  } map : [_]f64\n"
        "  yield %6\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]f64, k: f64) -> (y: [_]f64)\n",
        in, check_map);
}

/* ---- sums: the trees ---- */

/* The float sum of the library's definition. */
static double tree_sum(const double *x, int64_t n) {
    double chunks[8];
    int64_t m = 0;
    for (int64_t at = 0; at < n; at += 4096, m++) {
        double lanes[32];
        for (int l = 0; l < 32; l++)
            lanes[l] = -0.0;
        for (int64_t k = at; k < n && k < at + 4096; k++)
            lanes[(k - at) % 32] += x[k];
        for (int d = 16; d; d /= 2)
            for (int l = 0; l < d; l++)
                lanes[l] += lanes[l + d];
        chunks[m] = lanes[0];
    }
    if (n == 0)
        return 0;
    for (; m > 1; m = (m + 1) / 2) {
        for (int64_t k = 0; k < m / 2; k++)
            chunks[k] = chunks[2 * k] + chunks[2 * k + 1];
        if (m % 2)
            chunks[m / 2] = chunks[m - 1];
    }
    return 0 + chunks[0];
}

static int64_t sum_size;

static void check_sum(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_true(out[1].f == tree_sum(some_floats, sum_size));
}

static void test_sum(void **state) {
    (void)state;
    int64_t sizes[] = {0, 1, 31, 33, 4095, 4096, 4097, 9000};
    for (int k = 0; k < 8; k++) {
        sum_size = sizes[k];
        GactSlot in[] = {slot_i(3), slot_i(sum_size), slot_p(NULL), slot_p(some_floats)};
        run("fn f(%1: i64, %2: [_]f64) -> f64 {\n"
            "  %4 = dim %2, 0 : i64\n"
            "  %5 = const 0 : f64\n"
            "  %6 = kernel [%4] (%7: i64) {\n"
            "    %8 = index %2, %7 : f64\n"
            "    yield %8\n"
            "  } reduce of %5 by (%9: f64, %10: f64) {\n"
            "    %11 = add %9, %10 : f64\n"
            "    yield %11\n"
            "  } : f64\n"
            "  yield %6\n"
            "}\n"
            "entry dag \"f\" @f(x: [_]f64) -> (y: f64)\n",
            in, check_sum);
    }
}

/* The same sum inside the body of another kernel, over rows of a matrix. */
static void check_nested_sum(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[1].i, 3);
    for (int k = 0; k < 3; k++)
        assert_true(floats(out, 3)[k] == tree_sum(some_floats + 3000 * k, 3000));
}

static void test_nested_sum(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(3), slot_i(3), slot_i(3000), slot_p(NULL), slot_p(some_floats)};
    run("fn f(%1: i64, %2: [_, _]f64) -> [_]f64 {\n"
        "  %3 = dim %2, 0 : i64\n"
        "  %4 = dim %2, 1 : i64\n"
        "  %5 = const 0 : f64\n"
        "  %6 = kernel [%3] (%7: i64) {\n"
        "    %8 = kernel [%4] (%9: i64) {\n"
        "      %10 = index %2, %7, %9 : f64\n"
        "      yield %10\n"
        "    } reduce of %5 by (%11: f64, %12: f64) {\n"
        "      %13 = add %11, %12 : f64\n"
        "      yield %13\n"
        "    } : f64\n"
        "    yield %8\n"
        "  } map : [_]f64\n"
        "  yield %6\n"
        "}\n"
        "entry dag \"f\" @f(x: [_, _]f64) -> (y: [_]f64)\n",
        in, check_nested_sum);
}

/* An operator that does not commute: (a, b) -> a * 31 + b on i64 is not associative, so that the
   tree shows; pieces of 128 in order, then neighbours in pairs. */
static int64_t hash_tree(int64_t n) {
    uint64_t chunks[4] = {0};
    int64_t nchunks = 0;
    for (int64_t at = 0; at < n; at += 4096, nchunks++) {
        uint64_t pieces[32];
        int64_t m = 0;
        for (int64_t p = at; p < n && p < at + 4096; p += 128, m++) {
            pieces[m] = (uint64_t)p;
            for (int64_t k = p + 1; k < n && k < p + 128; k++)
                pieces[m] = pieces[m] * 31 + (uint64_t)k;
        }
        for (; m > 1; m = (m + 1) / 2) {
            for (int64_t k = 0; k < m / 2; k++)
                pieces[k] = pieces[2 * k] * 31 + pieces[2 * k + 1];
            if (m % 2)
                pieces[m / 2] = pieces[m - 1];
        }
        chunks[nchunks] = pieces[0];
    }
    for (int64_t m = nchunks; m > 1; m = (m + 1) / 2) {
        for (int64_t k = 0; k < m / 2; k++)
            chunks[k] = chunks[2 * k] * 31 + chunks[2 * k + 1];
        if (m % 2)
            chunks[m / 2] = chunks[m - 1];
    }
    return (int64_t)(7 * 31 + chunks[0]);
}

static void check_pieces(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[1].i, hash_tree(9000));
    assert_int_equal(out[2].i, 7);
}

static void test_pieces(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(1)};
    run("fn f(%1: i64) -> (i64, i64) {\n"
        "  %2 = const 9000 : i64\n"
        "  %3 = const 7 : i64\n"
        "  %4 = const 31 : i64\n"
        "  %5 = const -2 : i64\n"
        "  %6 = kernel [%2] (%7: i64) {\n"
        "    yield %7\n"
        "  } reduce of %3 by (%8: i64, %9: i64) {\n"
        "    %10 = mul %8, %4 : i64\n"
        "    %11 = add %10, %9 : i64\n"
        "    yield %11\n"
        "  } : i64\n"
        "  %12 = kernel [%5] (%13: i64) {\n"
        "    yield %13\n"
        "  } reduce of %3 by (%14: i64, %15: i64) {\n"
        "    %16 = mul %14, %4 : i64\n"
        "    %17 = add %16, %15 : i64\n"
        "    yield %17\n"
        "  } : i64\n"
        "  %18 = tuple %6, %12 : (i64, i64)\n"
        "  yield %18\n"
        "}\n"
        "entry dag \"f\" @f() -> (y: (i64, i64))\n",
        in, check_pieces);
}

/* ---- scans ---- */

/* The prefix of x[lo … k] in a group that begins at lo: halves of 8, 4, 2, 1 combined. */
static double prefix_ref(const double *x, int64_t lo, int64_t k, int half) {
    if (half == 0)
        return x[lo];
    if (k < lo + half)
        return prefix_ref(x, lo, k, half / 2);
    return prefix_ref(x, lo, lo + half - 1, half / 2) + prefix_ref(x, lo + half, k, half / 2);
}

static void scan_ref(const double *x, int64_t n, double zero, bool exclusive, double *y) {
    double chunk = zero, groups = 0, before = zero;
    for (int64_t k = 0; k < n; k++) {
        int64_t lo = k / 16 * 16;
        if (k > 0 && k % 16 == 0) {
            double group = prefix_ref(x, lo - 16, lo - 1, 8);
            groups = (k - 16) % 4096 == 0 ? group : groups + group;
            before = chunk + groups;
            if (k % 4096 == 0)
                chunk = before;
        }
        double own = exclusive && k == lo ? 0 : prefix_ref(x, lo, k - exclusive, 8);
        y[k] = exclusive && k == lo ? before : before + own;
    }
}

static void check_scan(const GactSlot *out, Tiny *t) {
    (void)t;
    static double y[9000];
    scan_ref(some_floats, 9000, 0.5, false, y);
    assert_int_equal(out[2].i, 9000);
    assert_memory_equal(y, out[4].p, sizeof y);
    scan_ref(some_floats, 9000, 0.5, true, y);
    assert_memory_equal(y, out[7].p, sizeof y);
    assert_int_equal(out[0].i | out[1].i, 0);
}

static void test_scan(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(1), slot_i(9000), slot_p(NULL), slot_p(some_floats)};
    run("fn f(%1: i64, %2: [_]f64) -> ([_]f64, [_]f64) {\n"
        "  %3 = dim %2, 0 : i64\n"
        "  %4 = const 0.5 : f64\n"
        "  %5 = kernel [%3] (%6: i64) {\n"
        "    %7 = index %2, %6 : f64\n"
        "    yield %7, %7\n"
        "  } scan of %4 by (%8: f64, %9: f64) {\n"
        "    %10 = add %8, %9 : f64\n"
        "    yield %10\n"
        "  } : [_]f64, scan.1 of %4 by (%11: f64, %12: f64) {\n"
        "    %13 = add %11, %12 : f64\n"
        "    yield %13\n"
        "  } : [_]f64\n"
        "  yield %5\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]f64) -> (y: [_]f64, z: [_]f64)\n",
        in, check_scan);
}

/* ---- filters and lists ---- */

static void check_filter(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[1].i, 3000);
    for (int k = 0; k < 3000; k++) {
        assert_int_equal(ints(out, 3)[k], 3 * k);
        assert_true(floats(out, 5)[k] == some_floats[3 * k]);
    }
}

static void test_filter(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(1), slot_i(9000), slot_p(NULL), slot_p(some_floats)};
    run("fn f(%1: i64, %2: [_]f64) -> [_](i64, f64) {\n"
        "  %3 = dim %2, 0 : i64\n"
        "  %4 = const 3 : i64\n"
        "  %5 = const 0 : i64\n"
        "  %6 = kernel [%3] (%7: i64) {\n"
        "    %8 = index %2, %7 : f64\n"
        "    %9 = mod %7, %4 : i64\n"
        "    %10 = eq %9, %5 : bool\n"
        "    %11 = tuple %7, %8 : (i64, f64)\n"
        "    yield %10, %11\n"
        "  } filter : [_](i64, f64)\n"
        "  yield %6\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]f64) -> (y: [_](i64, f64))\n",
        in, check_filter);
}

/* Lists 0..i mod 4 as an irregular list, its lists joined, flattened, and one of them. */
static void check_lists(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[4].i, 5000);
    const int64_t *offsets = out[6].p, *data = out[8].p;
    for (int k = 0; k <= 5000; k++)
        assert_int_equal(offsets[k], 6 * (k / 4) + (k % 4) * (k % 4 - 1) / 2);
    for (int k = 0; k < 7500; k++) {
        static const int row[] = {0, 0, 1, 0, 1, 2};
        assert_int_equal(data[k], row[k % 6]);
        assert_int_equal(ints(out, 11)[k], row[k % 6]);
        assert_int_equal(ints(out, 14)[k], row[k % 6]);
    }
    assert_int_equal(out[9].i, 7500);
    assert_int_equal(out[12].i, 7500);
    assert_int_equal(out[15].i, 3);
    want_ints(out, 17, 3, 0, 1, 2);
}

static void test_lists(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(1)};
    run("fn f(%1: i64) -> ([_][_]i64, [_]i64, [_]i64, [_]i64) {\n"
        "  %2 = const 5000 : i64\n"
        "  %3 = const 4 : i64\n"
        "  %4 = const 4999 : i64\n"
        "  %5 = kernel [%2] (%6: i64) {\n"
        "    %7 = mod %6, %3 : i64\n"
        "    %8 = kernel [%7] (%9: i64) {\n"
        "      yield %9\n"
        "    } map : [_]i64\n"
        "    yield %8, %8\n"
        "  } list : [_][_]i64, flatmap : [_]i64\n"
        "  %10 = get %5, 0 : [_][_]i64\n"
        "  %11 = get %5, 1 : [_]i64\n"
        "  %12 = flat %10 : [_]i64\n"
        "  %13 = index.checked %10, %4 : [_]i64\n"
        "  %14 = tuple %10, %11, %12, %13 : ([_][_]i64, [_]i64, [_]i64, [_]i64)\n"
        "  yield %14\n"
        "}\n"
        "entry dag \"f\" @f() -> (a: [_][_]i64, b: [_]i64, c: [_]i64, d: [_]i64)\n",
        in, check_lists);
}

/* Rows: a yield that is an array of invariant size, by destination and by copy. */
static void check_rows(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[2].i, 3);
    assert_int_equal(out[3].i, 4);
    for (int k = 0; k < 12; k++)
        assert_int_equal(ints(out, 5)[k], k / 4 * 10 + k % 4);
    assert_int_equal(out[6].i, 3);
    assert_int_equal(out[7].i, 2);
    want_ints(out, 9, 6, 5, 3, 3, 8, 8, 1);
}

static void test_rows(void **state) {
    (void)state;
    GactSlot in[] = {SIX_INTS};
    run("fn f(%1: i64, %2: [_]i64) -> ([_, _]i64, [_, _]i64) {\n"
        "  %3 = const 3 : i64\n"
        "  %4 = const 4 : i64\n"
        "  %5 = const 10 : i64\n"
        "  %6 = const 2 : i64\n"
        "  %7 = kernel [%3] (%8: i64) {\n"
        "    %9 = kernel [%4] (%10: i64) {\n"
        "      %11 = mul %8, %5 : i64\n"
        "      %12 = add %11, %10 : i64\n"
        "      yield %12\n"
        "    } map : [_]i64\n"
        "    yield %9\n"
        "  } map : [_, _]i64\n"
        "  %13 = kernel [%3] (%14: i64) {\n"
        "    %15 = add %14, %6 : i64\n"
        "    %16 = slice.checked %2, %14, %15 : [_]i64\n"
        "    yield %16\n"
        "  } map : [_, _]i64\n"
        "  %17 = tuple %7, %13 : ([_, _]i64, [_, _]i64)\n"
        "  yield %17\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64) -> (a: [_, _]i64, b: [_, _]i64)\n",
        in, check_rows);
}

/* Rows whose size only a call knows are appended; without points a row's known size is still there.
 */
static void check_grown(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_true(out[2].i == 5000 && out[3].i == 2);
    for (int k = 0; k < 10000; k++)
        assert_int_equal(ints(out, 5)[k], k / 2 + (k % 2) * 9);
    assert_true(out[6].i == 0 && out[7].i == 4);
}

static void test_grown_rows(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0), slot_i(5000), slot_i(-3)};
    run("fn g(%1: i64) -> [_]i64 {\n"
        "  %2 = const 9 : i64\n"
        "  %3 = add %1, %2 : i64\n"
        "  %4 = list %1, %3 : [_]i64\n"
        "  yield %4\n"
        "}\n"
        "fn f(%1: i64, %2: i64, %3: i64) -> ([_, _]i64, [_, _]i64) {\n"
        "  %4 = kernel [%2] (%5: i64) {\n"
        "    %6 = call @g, %5 : [_]i64\n"
        "    yield %6\n"
        "  } map : [_, _]i64\n"
        "  %7 = const 4 : i64\n"
        "  %8 = kernel [%3] (%9: i64) {\n"
        "    %10 = kernel [%7] (%11: i64) {\n"
        "      yield %11\n"
        "    } map : [_]i64\n"
        "    yield %10\n"
        "  } map : [_, _]i64\n"
        "  %12 = tuple %4, %8 : ([_, _]i64, [_, _]i64)\n"
        "  yield %12\n"
        "}\n"
        "entry dag \"f\" @f(n: i64, m: i64) -> (a: [_, _]i64, b: [_, _]i64)\n",
        in, check_grown);
}

/* A space of two axes: chunks end within rows. */
static void check_plane(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[2].i, 70);
    assert_int_equal(out[3].i, 101);
    for (int k = 0; k < 7070; k++)
        assert_int_equal(ints(out, 5)[k], k / 101 * 1000 + k % 101);
    assert_int_equal(out[6].i, 7070LL * (69 * 1000 + 100) / 2);
}

static void test_plane(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0), slot_i(70), slot_i(101)};
    run("fn f(%1: i64, %2: i64, %3: i64) -> ([_, _]i64, i64) {\n"
        "  %4 = const 1000 : i64\n"
        "  %5 = const 0 : i64\n"
        "  %6 = kernel [%2, %3] (%7: i64, %8: i64) {\n"
        "    %9 = mul %7, %4 : i64\n"
        "    %10 = add %9, %8 : i64\n"
        "    yield %10, %10\n"
        "  } map : [_, _]i64, reduce of %5 by (%11: i64, %12: i64) {\n"
        "    %13 = add %11, %12 : i64\n"
        "    yield %13\n"
        "  } : i64\n"
        "  yield %6\n"
        "}\n"
        "entry dag \"f\" @f(n: i64, m: i64) -> (a: [_, _]i64, b: i64)\n",
        in, check_plane);
}

/* ---- tables ---- */

static void check_tables(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_int_equal(out[2].i, 3);
    want_ints(out, 4, 3, 1 + 3 + 9, 1 + 1, 1 + 5 + 8 + 2);
    want_ints(out, 7, 6, 0, 1, 2, 3, 4, 5);
}

static void test_tables(void **state) {
    (void)state;
    static int64_t bins[] = {2, 0, 2, 1, 0, 2};
    GactSlot in[] = {SIX_INTS, slot_i(6), slot_p(NULL), slot_p(bins)};
    run("fn f(%1: i64, %2: [_]i64, %3: [_]i64) -> ([_]i64, [_]i64) {\n"
        "  %4 = dim %2, 0 : i64\n"
        "  %5 = const 3 : i64\n"
        "  %6 = const 1 : i64\n"
        "  %7 = kernel [%4] (%8: i64) {\n"
        "    %9 = index %3, %8 : i64\n"
        "    %10 = index %2, %8 : i64\n"
        "    yield %9, %10, %8, %8\n"
        "  } hist of %5, %6 by (%11: i64, %12: i64) {\n"
        "    %13 = add %11, %12 : i64\n"
        "    yield %13\n"
        "  } : [_]i64, scatter of %2 : [_]i64\n"
        "  yield %7\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64, at: [_]i64) -> (a: [_]i64, b: [_]i64)\n",
        in, check_tables);
    assert_int_equal(some_ints[0], 5);
}

/* Chunks with tables of their own, and an operator that wants the points in order. */
static void check_bins(const GactSlot *out, Tiny *t) {
    int64_t count[7] = {0}, largest[7], earliest[7];
    for (int b = 0; b < 7; b++) {
        largest[b] = -5;
        earliest[b] = 1;
    }
    for (int64_t k = 0; k < 9000; k++) {
        count[k % 7]++;
        largest[k % 7] = k;
        earliest[k % 7] = earliest[k % 7] == 1 ? k : earliest[k % 7];
    }
    assert_memory_equal(ints(out, 5), count, sizeof count);
    assert_memory_equal(ints(out, 8), largest, sizeof largest);
    assert_memory_equal(ints(out, 11), earliest, sizeof earliest);
    assert_in_range(t->parts, 2, 40);
}

static void test_bins(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0), slot_i(9000)};
    run("fn f(%1: i64, %2: i64) -> ([_]i64, [_]i64, [_]i64) {\n"
        "  %3 = const 7 : i64\n"
        "  %4 = const 1 : i64\n"
        "  %5 = const 0 : i64\n"
        "  %6 = const -5 : i64\n"
        "  %8 = kernel [%2] (%9: i64) {\n"
        "    %10 = mod %9, %3 : i64\n"
        "    yield %10, %4, %10, %9\n"
        "  } hist of %3, %5 by (%11: i64, %12: i64) {\n"
        "    %13 = add %11, %12 : i64\n"
        "    yield %13\n"
        "  } : [_]i64, hist of %3, %6 by (%14: i64, %15: i64) {\n"
        "    %16 = max %14, %15 : i64\n"
        "    yield %16\n"
        "  } : [_]i64\n"
        "  %17 = kernel [%2] (%18: i64) {\n"
        "    %19 = mod %18, %3 : i64\n"
        "    yield %19, %18\n"
        "  } hist of %3, %4 by (%20: i64, %21: i64) {\n"
        "    %22 = eq %20, %4 : bool\n"
        "    %23 = select %22, %21, %20 : i64\n"
        "    yield %23\n"
        "  } : [_]i64\n"
        "  %24 = get %8, 0 : [_]i64\n"
        "  %25 = get %8, 1 : [_]i64\n"
        "  %26 = tuple %24, %25, %17 : ([_]i64, [_]i64, [_]i64)\n"
        "  yield %26\n"
        "}\n"
        "entry dag \"f\" @f(n: i64) -> (a: [_]i64, b: [_]i64, c: [_]i64)\n",
        in, check_bins);
}

/* Rows of a table: replaced, and combined by an operator on arrays. */
static void check_row_tables(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_true(out[2].i == 3 && out[3].i == 2);
    want_ints(out, 5, 6, 5, 3, 9, 2, 9, 2);
    assert_true(out[6].i == 2 && out[7].i == 2);
    want_ints(out, 9, 4, 5 + 9, 3 + 2, 8, 1);
}

static void test_row_tables(void **state) {
    (void)state;
    static int64_t at[] = {1, 2, 1};
    GactSlot in[] = {SIX_INTS, slot_i(3), slot_p(NULL), slot_p(at)};
    run("fn f(%1: i64, %2: [_]i64, %3: [_]i64) -> ([_, _]i64, [_, _]i64) {\n"
        "  %4 = const 3 : i64\n"
        "  %5 = const 2 : i64\n"
        "  %6 = const 0 : i64\n"
        "  %7 = reshape %2, %4, %5 : [_, _]i64\n"
        "  %8 = list %6, %6 : [_]i64\n"
        "  %9 = const 2 : i64\n"
        "  %10 = kernel [%4] (%11: i64) {\n"
        "    %12 = index %3, %11 : i64\n"
        "    %13 = index %7, %9 : [_]i64\n"
        "    %14 = mod %11, %5 : i64\n"
        "    %15 = index %7, %11 : [_]i64\n"
        "    yield %12, %13, %14, %15\n"
        "  } scatter of %7 : [_, _]i64, hist of %5, %8 by (%16: [_]i64, %17: [_]i64) {\n"
        "    %18 = kernel [%5] (%19: i64) {\n"
        "      %20 = index %16, %19 : i64\n"
        "      %21 = index %17, %19 : i64\n"
        "      %22 = add %20, %21 : i64\n"
        "      yield %22\n"
        "    } map : [_]i64\n"
        "    yield %18\n"
        "  } : [_, _]i64\n"
        "  yield %10\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64, at: [_]i64) -> (a: [_, _]i64, b: [_, _]i64)\n",
        in, check_row_tables);
}

/* ---- arrays ---- */

static void check_arrays(const GactSlot *out, Tiny *t) {
    (void)t;
    int at = 6;
    assert_int_equal(out[at].i, 6); /* update */
    want_ints(out, at + 2, 6, 5, 3, 77, 1, 9, 2);
    at += 3;
    assert_int_equal(out[at].i, 8); /* concat */
    want_ints(out, at + 2, 8, 5, 3, 8, 1, 9, 2, 3, 8);
    at += 3;
    assert_true(out[at].i == 2 && out[at + 1].i == 3); /* reshape */
    assert_ptr_equal(out[at + 3].p, some_ints);
    at += 4;
    assert_true(out[at].i == 2 && out[at + 1].i == 2); /* list of rows */
    want_ints(out, at + 3, 4, 3, 8, 1, 9);
    at += 4;
    assert_int_equal(out[at].i, 9); /* element of the reshaped */
    at += 1;
    want_ints(out, at + 2, 6, 4, 2, 0, 1, 5, 3); /* argsort, descending */
}

static void test_arrays(void **state) {
    (void)state;
    GactSlot in[] = {SIX_INTS};
    run("fn f(%1: i64, %2: [_]i64) -> ([_]i64, [_]i64, [_, _]i64, [_, _]i64, i64, [_]i64) {\n"
        "  %3 = const 77 : i64\n"
        "  %4 = const 2 : i64\n"
        "  %5 = update.checked %2, %3, %4 : [_]i64\n"
        "  %6 = const 1 : i64\n"
        "  %7 = const 3 : i64\n"
        "  %8 = slice.checked %2, %6, %7 : [_]i64\n"
        "  %9 = concat %2, %8 : [_]i64\n"
        "  %10 = reshape %2, %4, %7 : [_, _]i64\n"
        "  %11 = const 5 : i64\n"
        "  %12 = slice.checked %2, %7, %11 : [_]i64\n"
        "  %13 = list %8, %12 : [_, _]i64\n"
        "  %14 = index.checked %10, %6, %6 : i64\n"
        "  %15 = sort %2, 3 : [_]i64\n"
        "  %16 = tuple %5, %9, %10, %13, %14, %15 : ([_]i64, [_]i64, [_, _]i64, [_, _]i64, i64, "
        "[_]i64)\n"
        "  yield %16\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64) -> (a: [_]i64, b: [_]i64, c: [_, _]i64, d: [_, _]i64, e: "
        "i64, "
        "g: [_]i64)\n",
        in, check_arrays);
}

/* ---- control ---- */

static void check_control(const GactSlot *out, Tiny *t) {
    (void)t;
    int at = 5;
    assert_int_equal(out[at].i, 28);     /* for: the sum */
    assert_int_equal(out[at + 1].i, 9);  /* and the largest */
    assert_int_equal(out[at + 2].i, 7);  /* loop: steps of Collatz from 3 */
    assert_int_equal(out[at + 3].i, 10); /* if */
    assert_int_equal(out[at + 4].i, 3);
    assert_int_equal(out[at + 5].i, 120); /* recursion */
}

static void test_control(void **state) {
    (void)state;
    GactSlot in[] = {SIX_INTS};
    run("fn fact(%1: i64) -> i64 recursive {\n"
        "  %2 = const 1 : i64\n"
        "  %3 = gt %1, %2 : bool\n"
        "  %4 = if %3 {\n"
        "    %5 = sub %1, %2 : i64\n"
        "    %6 = call @fact, %5 : i64\n"
        "    %7 = mul %1, %6 : i64\n"
        "    yield %7\n"
        "  } else {\n"
        "    yield %2\n"
        "  } : i64\n"
        "  yield %4\n"
        "}\n"
        "fn f(%1: i64, %2: [_]i64) -> ((i64, i64), i64, i64, i64, i64) {\n"
        "  %3 = const 0 : i64\n"
        "  %4 = dim %2, 0 : i64\n"
        "  %5 = for %3, %4, %3, %3 (%6: i64, %7: i64, %8: i64) {\n"
        "    %9 = index %2, %6 : i64\n"
        "    %10 = add %7, %9 : i64\n"
        "    %11 = max %8, %9 : i64\n"
        "    yield %10, %11\n"
        "  } : (i64, i64)\n"
        "  %12 = const 3 : i64\n"
        "  %13 = const 1 : i64\n"
        "  %14 = const 2 : i64\n"
        "  %15 = loop %12, %3 while (%16: i64, %17: i64) {\n"
        "    %18 = ne %16, %13 : bool\n"
        "    yield %18\n"
        "  } do (%19: i64, %20: i64) {\n"
        "    %21 = mod %19, %14 : i64\n"
        "    %22 = eq %21, %3 : bool\n"
        "    %23 = if %22 {\n"
        "      %24 = div %19, %14 : i64\n"
        "      yield %24\n"
        "    } else {\n"
        "      %25 = mul %19, %12 : i64\n"
        "      %26 = add %25, %13 : i64\n"
        "      yield %26\n"
        "    } : i64\n"
        "    %27 = add %20, %13 : i64\n"
        "    yield %23, %27\n"
        "  } : (i64, i64)\n"
        "  %28 = get %15, 1 : i64\n"
        "  %29 = lt %3, %4 : bool\n"
        "  %30 = const 10 : i64\n"
        "  %31 = if %29 {\n"
        "    yield %30, %12\n"
        "  } else {\n"
        "    yield %3, %3\n"
        "  } : (i64, i64)\n"
        "  %32 = get %31, 0 : i64\n"
        "  %33 = get %31, 1 : i64\n"
        "  %34 = const 5 : i64\n"
        "  %35 = call @fact, %34 : i64\n"
        "  %36 = tuple %5, %28, %32, %33, %35 : ((i64, i64), i64, i64, i64, i64)\n"
        "  yield %36\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64) -> (a: (i64, i64), b: i64, c: i64, d: i64, e: i64)\n",
        in, check_control);
}

/* ---- faults ---- */

static void check_segments(const GactSlot *out, Tiny *t) {
    assert_string_equal(t->fault, "index: index 9 is out of bounds for size 6");
    assert_int_equal(out[0].i, 0);
    assert_int_equal(out[1].i, 1);
    assert_int_equal(out[2].i, 0);
    assert_int_equal(out[3].i, 8);
    assert_int_equal(out[5].i, -1);
}

/* Three outputs: one faults, one has nothing to do with it, one catches the same fault. */
static void test_segments(void **state) {
    (void)state;
    GactSlot in[] = {SIX_INTS, slot_i(9)};
    run("fn f(%1: i64, %2: [_]i64, %3: i64) -> (i64, i64, i64) {\n"
        "  %4 = const 2 : i64\n"
        "  %5 = index.checked %2, %4 : i64\n"
        "  %6 = index.checked %2, %3 : i64\n"
        "  %7 = add %6, %5 : i64\n"
        "  %8 = const -1 : i64\n"
        "  %9 = try {\n"
        "    %10 = index.checked %2, %3 : i64\n"
        "    %11 = add %10, %5 : i64\n"
        "    yield %11\n"
        "  } else {\n"
        "    yield %8\n"
        "  } : i64\n"
        "  %12 = tuple %5, %7, %9 : (i64, i64, i64)\n"
        "  yield %12\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64, k: i64) -> (a: i64, b: i64, c: i64)\n",
        in, check_segments);
}

static const char *wanted_fault;

static void check_fault(const GactSlot *out, Tiny *t) {
    assert_int_equal(out[0].i, 1);
    assert_string_equal(t->fault, wanted_fault);
}

static void run_fault(const char *text, const char *fault) {
    GactSlot in[] = {SIX_INTS};
    wanted_fault = fault;
    run(text, in, check_fault);
}

static void test_faults(void **state) {
    (void)state;
    run_fault("fn f(%1: i64, %2: [_]i64) -> i64 {\n"
              "  %3 = const 0 : i64\n"
              "  %4 = const 1 : i64\n"
              "  %5 = div.checked %4, %1 : i64\n"
              "  yield %5\n"
              "}\n"
              "entry dag \"f\" @f(x: [_]i64) -> (a: i64)\n",
              "division: division by zero");
    run_fault("fn f(%1: i64, %2: [_]i64) -> i64 recursive {\n"
              "  %3 = call @f, %1, %2 : i64\n"
              "  %4 = add %3, %1 : i64\n"
              "  yield %4\n"
              "}\n"
              "fn g(%1: i64, %2: [_]i64) -> i64 {\n"
              "  %3 = call @f, %1, %2 : i64\n"
              "  yield %3\n"
              "}\n"
              "entry dag \"f\" @g(x: [_]i64) -> (a: i64)\n",
              "recursion: recursion deeper than 1000");
    run_fault("fn f(%1: i64, %2: [_]i64) -> [_]i64 {\n"
              "  %3 = dim %2, 0 : i64\n"
              "  %4 = kernel [%3] (%5: i64) {\n"
              "    %6 = add %5, %5 : i64\n"
              "    %7 = index.checked %2, %6 : i64\n"
              "    yield %7\n"
              "  } map : [_]i64\n"
              "  yield %4\n"
              "}\n"
              "entry dag \"f\" @f(x: [_]i64) -> (a: [_]i64)\n",
              "index: index 6 is out of bounds for size 6");
    run_fault("fn f(%1: i64, %2: [_]i64) -> i64 {\n"
              "  %3 = dim %2, 0 : i64\n"
              "  %4 = ne %3, %3 : bool\n"
              "  %5 = check %3, %4, %3, %1 fault \"shape\" \"sizes {} and {} differ\" : i64\n"
              "  yield %5\n"
              "}\n"
              "entry dag \"f\" @f(x: [_]i64) -> (a: i64)\n",
              "shape: sizes 6 and 0 differ");
    run_fault("fn f(%1: i64, %2: [_]i64) -> [_, _]i64 {\n"
              "  %3 = const 4611686018427387904 : i64\n"
              "  %4 = kernel [%3, %3] (%5: i64, %6: i64) {\n"
              "    yield %5\n"
              "  } map : [_, _]i64\n"
              "  yield %4\n"
              "}\n"
              "entry dag \"f\" @f(x: [_]i64) -> (a: [_, _]i64)\n",
              "memory: out of memory");
}

/* ---- sums, strings, sorting ---- */

static void check_sums(const GactSlot *out, Tiny *t) {
    (void)t;
    int at = 4;
    assert_int_equal(out[at].i, 6); /* an array of sums: columns */
    const int8_t *tags = out[at + 2].p;
    for (int k = 0; k < 6; k++) {
        assert_int_equal(tags[k], some_ints[k] > 4);
        assert_int_equal(ints(out, at + 4)[k], some_ints[k] > 4 ? some_ints[k] : 0);
    }
    at += 5;
    want_ints(out, at + 2, 6, 1, 0, 1, 0, 1, 0); /* its tags */
    at += 3;
    assert_int_equal(out[at].i, 8); /* the payload of element 2 */
    at += 1;
    assert_int_equal(out[at].i, 1);
}

static void test_sums(void **state) {
    (void)state;
    GactSlot in[] = {SIX_INTS};
    run_plain(
        "fn f(%1: i64, %2: [_]i64) -> ([_]{None | Some(i64)}, [_]i64, i64, i64) {\n"
        "  %3 = dim %2, 0 : i64\n"
        "  %4 = const 4 : i64\n"
        "  %5 = kernel [%3] (%6: i64) {\n"
        "    %7 = index %2, %6 : i64\n"
        "    %8 = gt %7, %4 : bool\n"
        "    %9 = if %8 {\n"
        "      %10 = variant 1, %7 : {None | Some(i64)}\n"
        "      yield %10\n"
        "    } else {\n"
        "      %11 = variant 0 : {None | Some(i64)}\n"
        "      yield %11\n"
        "    } : {None | Some(i64)}\n"
        "    yield %9\n"
        "  } map : [_]{None | Some(i64)}\n"
        "  %12 = tag %5 : [_]i64\n"
        "  %13 = const 2 : i64\n"
        "  %14 = index.checked %5, %13 : {None | Some(i64)}\n"
        "  %15 = payload %14, 1, 0 : i64\n"
        "  %16 = tag %14 : i64\n"
        "  %17 = tuple %5, %12, %15, %16 : ([_]{None | Some(i64)}, [_]i64, i64, i64)\n"
        "  yield %17\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64) -> (a: [_]{None | Some(i64)}, b: [_]i64, c: i64, d: i64)\n",
        in, check_sums);
}

static void check_strings(const GactSlot *out, Tiny *t) {
    (void)t;
    assert_string_equal(printed, "[pear][[]string 3][7]");
    assert_int_equal(out[0].i, 0);
    const int64_t *offsets = out[3].p;
    assert_int_equal(out[1].i, 3);
    assert_memory_equal((const char *)out[5].p + offsets[0], "apple", 5);
    assert_memory_equal((const char *)out[5].p + offsets[1], "fig", 3);
    assert_memory_equal((const char *)out[5].p + offsets[2], "pear", 4);
    assert_int_equal(offsets[3] - offsets[0], 12);
}

static void test_strings(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0)};
    run("fn f(%1: i64) -> [_]string effect {\n"
        "  %2 = string \"pear\" : string\n"
        "  %3 = string \"fig\" : string\n"
        "  %4 = string \"apple\" : string\n"
        "  %5 = list %2, %3, %3 : [_]string\n"
        "  %6 = const 1 : i64\n"
        "  %7 = update.checked %5, %4, %6 : [_]string\n"
        "  %8 = sort %7, 0 : [_]string\n"
        "  %9 = const 0 : i64\n"
        "  %10 = index.checked %7, %9 : string\n"
        "  %11 = const 7 : i64\n"
        "  %12 = rt.pinned print, %10, %8, %11 : ()\n"
        "  yield %8\n"
        "}\n"
        "entry dag \"f\" @f() -> (a: [_]string)\n",
        in, check_strings);
}

/* Records with a list inside: built, sorted by all their parts, filtered. */
static void check_records(const GactSlot *out, Tiny *t) {
    (void)t;
    static const int keys[] = {0, 0, 0, 1, 1, 2, 2}, sizes[] = {0, 3, 6, 1, 4, 2, 5};
    assert_int_equal(out[2].i, 7);
    int64_t at = 0;
    const int64_t *offsets = out[6].p, *data = out[8].p;
    for (int k = 0; k < 7; k++) {
        assert_int_equal(ints(out, 4)[k], keys[k]);
        assert_int_equal(offsets[k + 1] - offsets[k], sizes[k]);
        for (int i = 0; i < sizes[k]; i++, at++)
            assert_int_equal(data[offsets[0] + at], i);
    }
    assert_int_equal(out[9].i, 3);
    want_ints(out, 11, 3, 1, 1, 1);
}

static void test_records(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0)};
    run("fn f(%1: i64) -> ([_](i64, [_]i64), [_](i64, [_]i64)) {\n"
        "  %2 = const 7 : i64\n"
        "  %3 = const 3 : i64\n"
        "  %4 = kernel [%2] (%5: i64) {\n"
        "    %6 = mod %5, %3 : i64\n"
        "    %7 = kernel [%5] (%8: i64) {\n"
        "      yield %8\n"
        "    } map : [_]i64\n"
        "    %9 = tuple %6, %7 : (i64, [_]i64)\n"
        "    yield %9\n"
        "  } map : [_](i64, [_]i64)\n"
        "  %10 = sort %4, 0 : [_](i64, [_]i64)\n"
        "  %11 = const 1 : i64\n"
        "  %12 = kernel [%2] (%13: i64) {\n"
        "    %14 = index %4, %13 : (i64, [_]i64)\n"
        "    %15 = get %14, 0 : i64\n"
        "    %16 = eq %15, %11 : bool\n"
        "    %17 = tuple %11, %14 : (i64, (i64, [_]i64))\n"
        "    %18 = get %17, 1 : (i64, [_]i64)\n"
        "    yield %16, %18\n"
        "  } filter : [_](i64, [_]i64)\n"
        "  %21 = const 4 : i64\n"
        "  %19 = concat %12, %12 : [_](i64, [_]i64)\n"
        "  %20 = slice.checked %19, %11, %21 : [_](i64, [_]i64)\n"
        "  %22 = tuple %10, %20 : ([_](i64, [_]i64), [_](i64, [_]i64))\n"
        "  yield %22\n"
        "}\n"
        "entry dag \"f\" @f() -> (a: [_](i64, [_]i64), b: [_](i64, [_]i64))\n",
        in, check_records);
}

/* ---- the rest ---- */

static void check_matmul(const GactSlot *out, Tiny *t) {
    (void)t;
    static const double c[] = {22, 28, 49, 64};
    assert_true(out[1].i == 2 && out[2].i == 2);
    assert_memory_equal(out[4].p, c, sizeof c);
}

static void test_matmul(void **state) {
    (void)state;
    static double a[] = {1, 2, 3, 4, 5, 6};
    GactSlot in[] = {slot_i(0), slot_i(2), slot_i(3), slot_p(NULL), slot_p(a)};
    run("fn f(%1: i64, %2: [_, _]f64) -> [_, _]f64 {\n"
        "  %3 = const 3 : i64\n"
        "  %4 = const 2 : i64\n"
        "  %5 = reshape %2, %3, %4 : [_, _]f64\n"
        "  %6 = matmul %2, %5 : [_, _]f64\n"
        "  yield %6\n"
        "}\n"
        "entry dag \"f\" @f(a: [_, _]f64) -> (c: [_, _]f64)\n",
        in, check_matmul);
}

static void check_main(const GactSlot *out, Tiny *t) {
    (void)out;
    (void)t;
    assert_string_equal(printed, "[hello]");
}

static void test_main(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0)};
    run("fn f() -> () effect {\n"
        "  %1 = string \"hello\" : string\n"
        "  %2 = rt.pinned print, %1 : ()\n"
        "  yield %2\n"
        "}\n"
        "entry main \"main\" @f() -> ()\n",
        in, check_main);
}

/* A parameter that a loop updates in place: copied once, the input is untouched. */
static void check_sieve(const GactSlot *out, Tiny *t) {
    int n = 0;
    for (GactBuf *b = t->live; b; b = b->next)
        n++;
    assert_int_equal(n, 1);
    want_ints(out, 3, 6, 1, 1, 1, 1, 1, 1);
    assert_int_equal(some_ints[0], 5);
}

static void test_in_place(void **state) {
    (void)state;
    GactSlot in[] = {SIX_INTS};
    run("fn f(%1: i64, %2: [_]i64) -> [_]i64 {\n"
        "  %3 = const 0 : i64\n"
        "  %4 = const 1 : i64\n"
        "  %5 = dim %2, 0 : i64\n"
        "  %6 = for %3, %5, %2 (%7: i64, %8: [_]i64) {\n"
        "    %9 = update ^%8, %4, %7 : [_]i64\n"
        "    yield ^%9\n"
        "  } : [_]i64\n"
        "  yield ^%6\n"
        "}\n"
        "entry dag \"f\" @f(x: [_]i64) -> (y: [_]i64)\n",
        in, check_sieve);
}

/* A loop that appends to what it owns buys room a few times only. */
static void check_append(const GactSlot *out, Tiny *t) {
    int n = 0;
    for (GactBuf *b = t->live; b; b = b->next)
        n += b->bytes >= 8;
    assert_in_range(n, 1, 20 + 1000); /* the one-element lists are fresh each time */
    assert_int_equal(out[1].i, 1000);
    for (int k = 0; k < 1000; k++)
        assert_int_equal(ints(out, 3)[k], k);
    assert_int_equal(((GactBuf *)out[2].p)->count, 1);
}

static void test_append(void **state) {
    (void)state;
    GactSlot in[] = {slot_i(0)};
    run("fn f(%1: i64) -> [_]i64 {\n"
        "  %2 = const 0 : i64\n"
        "  %3 = const 1000 : i64\n"
        "  %4 = undef : [_]i64\n"
        "  %5 = for %2, %3, ^%4 (%6: i64, %7: [_]i64) {\n"
        "    %8 = list %6 : [_]i64\n"
        "    %9 = concat ^%7, %8 : [_]i64\n"
        "    release %8\n"
        "    yield ^%9\n"
        "  } : [_]i64\n"
        "  yield ^%5\n"
        "}\n"
        "entry dag \"f\" @f() -> (y: [_]i64)\n",
        in, check_append);
}

int main(void) {
    for (int k = 0; k < 9000; k++)
        some_floats[k] = sin(k) * 1000;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map),        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_nested_sum), cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_scan),       cmocka_unit_test(test_filter),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_plane),      cmocka_unit_test(test_tables),
        cmocka_unit_test(test_arrays),     cmocka_unit_test(test_control),
        cmocka_unit_test(test_segments),   cmocka_unit_test(test_faults),
        cmocka_unit_test(test_sums),       cmocka_unit_test(test_strings),
        cmocka_unit_test(test_records),    cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_main),       cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_append),     cmocka_unit_test(test_bins),
        cmocka_unit_test(test_row_tables), cmocka_unit_test(test_grown_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
