/* The prelude of device text. The CUDA column of lang/ops.def: every op on every type, over edge
   values, gives on the emulated device what plain C gives, bit for bit. The machine: shuffles of all
   types, votes, loads, stores and atomics do what they say. And libnvrtc, where there is one, compiles
   all of it for every architecture that we promise. */
#include "../../lang/nvrtc.h"
#include "../../runtime/device/device.h"
#include "scalar_cases.h"

static const char *const templates[IR_KIND_COUNT] = {
#define OP(id, text, n, result, flags, cuda, llvm, doc) [IR_##id] = cuda,
#include "../../lang/ops.def"
};

static Case cases[MAX_CASES];
static int ncases;

/* ---- text ---- */

static const char *type_name(TypeKind t) {
    return t == TYPE_HLC ? "u64" : t == TYPE_DURATION ? "i64" : kinds[t].name;
}

/* The template with the case's operands, which are elements i of the columns. */
static void write_expression(FILE *out, const Case *c) {
    for (const char *p = templates[c->kind]; *p; p++) {
        if (p[0] == '%') {
            int k = *++p - '0';
            fprintf(out, "((const %s *)a.args[%d])[i]", type_name(c->args[k]), k);
        } else if (p[0] == '$') {
            fputs(type_name(c->result), out);
            p++;
        } else {
            putc(*p, out);
        }
    }
}

/* One kernel for each op; it does the case that its arguments name. */
static void write_kernel(FILE *out, IrKind kind) {
    fprintf(out, "GX_KERNEL_PLAIN(op_%s, op_args, 128) {\n", ops[kind].name);
    fputs("    i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x;\n"
          "    if (i >= a.n)\n        return;\n    switch (a.which) {\n", out);
    for (int k = 0; k < ncases; k++) {
        if (cases[k].kind != kind)
            continue;
        fprintf(out, "    case %d: ((%s *)a.out)[i] = ", k, type_name(cases[k].result));
        write_expression(out, &cases[k]);
        fputs("; break;\n", out);
    }
    fputs("    }\n}\n\n", out);
}

static const char head[] =
    "struct op_args {\n    const void *args[3];\n    void *out;\n    i64 n, which;\n};\n\n";

/* All ops after the prelude; from malloc. */
static char *all_text(void) {
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    fprintf(out, "%s%s", device_prelude, head);
    for (IrKind kind = IR_ADD; kind <= IR_BITS; kind++)
        for (int k = 0; k < ncases; k++)
            if (cases[k].kind == kind) {
                write_kernel(out, kind);
                break;
            }
    fclose(out);
    return text;
}

/* ---- the machine ---- */

/* A kernel that checks itself, of two warps: out[i] is what thread i finds wrong, as bits. */
static const char machine[] =
    "struct machine_args { u32 *wrong; u64 *cells; };\n"
    "template <class T> GX_DEV T of_lane(u32 lane) { return gx_convert<T>((i32)(lane % 7)); }\n"
    "template <class T> GX_DEV u32 shuffles() {\n"
    "    u32 t = gx_lane(), wrong = 0, odd = 0xaaaaaaaau;\n"
    "    T v = of_lane<T>(t);\n"
    "    wrong |= gx_shfl(v, 5) != of_lane<T>(5);\n"
    "    wrong |= gx_shfl(v, t * 3 % 32) != of_lane<T>(t * 3 % 32);\n"
    "    wrong |= gx_shfl_xor(v, 9) != of_lane<T>(t ^ 9);\n"
    "    wrong |= gx_shfl_up(v, 3) != of_lane<T>(t < 3 ? t : t - 3);\n"
    "    wrong |= gx_shfl_down(v, 3) != of_lane<T>(t > 28 ? t : t + 3);\n"
    "    if (t & 1)\n"
    "        wrong |= gx_shfl_xor(v, 2, odd) != of_lane<T>(t ^ 2);\n"
    "    gx_sync_warp();\n"
    "    return wrong;\n"
    "}\n"
    "template <class T> GX_DEV u32 memory(u64 *cell) {\n"
    "    T *p = (T *)cell, v = of_lane<T>(3);\n"
    "    u32 wrong = 0;\n"
    "    if (threadIdx.x == 0) gx_store_release(p, v);\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_acquire(p) != v || gx_load_relaxed(p) != v || gx_load_acquire_sys(p) != v;\n"
    "    gx_sync();\n"
    "    if (threadIdx.x == 0) gx_store_release_sys(p, gx_add(v, v));\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_acquire(p) != gx_add(v, v);\n"
    "    gx_sync();\n"
    "    if (threadIdx.x == 0) gx_store_relaxed(p, (T)0);\n"
    "    gx_sync();\n"
    "    return wrong;\n"
    "}\n"
    "template <class T> GX_DEV u32 atomics(u64 *cell) {\n"
    "    T *p = (T *)cell, t = (T)threadIdx.x;\n"
    "    u32 wrong = 0;\n"
    "    gx_fetch_add(p, t);\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 2016;\n"
    "    gx_sync();\n"
    "    gx_fetch_min(p, (T)(t + 7));\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 7;\n"
    "    gx_sync();\n"
    "    gx_fetch_max(p, t);\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 63;\n"
    "    gx_sync();\n"
    "    gx_fetch_and(p, (T)~(t & 6));\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 57;\n"
    "    gx_sync();\n"
    "    gx_fetch_or(p, (T)(t << 6));\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 4089;\n"
    "    gx_sync();\n"
    "    gx_fetch_xor(p, (T)(t == 5 ? 1 : 0));\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 4088;\n"
    "    gx_sync();\n"
    "    return wrong;\n"
    "}\n"
    "template <class T> GX_DEV u32 exchanges(u64 *cell) {\n"
    "    T *p = (T *)cell, was = gx_load_acquire(p);\n"
    "    while (gx_compare_exchange(p, was, (T)(was + 2)) != was) was = gx_load_acquire(p);\n"
    "    gx_sync();\n"
    "    u32 wrong = gx_load_relaxed(p) != 4088 + 128;\n"
    "    gx_sync();\n"
    "    if (threadIdx.x == 9) wrong |= gx_exchange(p, (T)0) != 4088 + 128;\n"
    "    gx_sync();\n"
    "    wrong |= gx_load_relaxed(p) != 0;\n"
    "    gx_sync();\n"
    "    return wrong;\n"
    "}\n"
    "GX_KERNEL(machine, machine_args, 64) {\n"
    "    GX_SHARED_ARRAY(u32, part, 64);\n"
    "    GX_SHARED_DYNAMIC(u32, more);\n"
    "    u32 t = threadIdx.x, wrong = 0;\n"
    "    wrong |= shuffles<bool>() | shuffles<i8>() | shuffles<u8>() | shuffles<i16>();\n"
    "    wrong |= shuffles<u16>() | shuffles<f16>() | shuffles<bf16>() | shuffles<i32>();\n"
    "    wrong |= shuffles<u32>() | shuffles<f32>() | shuffles<i64>() | shuffles<u64>();\n"
    "    wrong |= shuffles<f64>();\n"
    "    u64 *cell = a.cells + blockIdx.x;\n"
    "    wrong |= memory<u32>(cell) << 1;\n"
    "    wrong |= memory<i32>(cell) << 1;\n"
    "    wrong |= memory<f32>(cell) << 1;\n"
    "    wrong |= memory<u64>(cell) << 1;\n"
    "    wrong |= memory<i64>(cell) << 1;\n"
    "    wrong |= memory<f64>(cell) << 1;\n"
    "    wrong |= atomics<u32>(cell) << 2;\n"
    "    wrong |= exchanges<u32>(cell) << 2;\n"
    "    wrong |= atomics<u64>(cell) << 2;\n"
    "    wrong |= exchanges<u64>(cell) << 2;\n"
    "    part[t] = more[63 - t] = t;\n"
    "    gx_fence();\n"
    "    gx_fence_block();\n"
    "    gx_sync();\n"
    "    wrong |= (part[63 - t] != 63 - t || more[t] != 63 - t) << 3;\n"
    "    wrong |= (gx_ballot(gx_lane() < 5) != 31 || !gx_any(t % 32 == 3) || gx_all(t % 32 > 0)) << 4;\n"
    "    wrong |= (gx_sync_count(t % 3 == 0) != 22) << 5;\n"
    "    wrong |= (!gx_sync_or(t == 63) || gx_sync_or(false)) << 5;\n"
    "    wrong |= (!gx_sync_and(true) || gx_sync_and(t != 1)) << 5;\n"
    "    u64 now = gx_clock();\n"
    "    gx_pause();\n"
    "    wrong |= (gx_clock() < now) << 6;\n"
    "    a.wrong[blockIdx.x * blockDim.x + t] = wrong;\n"
    "}\n";

static char *machine_text(void) {
    char *text;
    if (asprintf(&text, "%s%s", device_prelude, machine) < 0)
        fail_msg("no memory");
    return text;
}

/* ---- the emulated device ---- */

static Device *device;

static void ok(DeviceStatus status) {
    if (status)
        fail_msg("%s", device->error);
}

static DeviceModule *load_text(const char *text) {
    DeviceModule *module;
    void *code;
    size_t len;
    char *log;
    if (device_emu.compile(device, text, strlen(text), &code, &len, &log))
        fail_msg("%s\n%s", device->error, log);
    ok(device_emu.load(device, code, len, &module));
    free(code);
    free(log);
    return module;
}

typedef struct {
    DevicePtr args[3], out;
    int64_t n, which;
} OpArgs;

static void run_case(DeviceFunc *f, int which, Rows *rows) {
    const Case *c = &cases[which];
    OpArgs a = {.n = rows->n, .which = which};
    int size = kinds[c->result].bytes;
    for (int k = 0; k < ops[c->kind].arity; k++) {
        int64_t bytes = rows->n * kinds[c->args[k]].bytes;
        ok(device_emu.alloc(device, bytes, &a.args[k]));
        ok(device_emu.copy_in(device, 0, a.args[k], rows->args[k], bytes));
    }
    ok(device_emu.alloc(device, rows->n * size, &a.out));
    DeviceGrid grid = {.blocks = {(rows->n + 127) / 128, 1, 1}, .threads = 128};
    ok(device_emu.launch(device, 0, f, &grid, &a, sizeof a));
    ok(device_emu.copy_out(device, 0, rows->out, a.out, rows->n * size));
    ok(device_emu.sync(device, 0));
    for (int k = 0; k < ops[c->kind].arity; k++)
        device_emu.free(device, a.args[k]);
    device_emu.free(device, a.out);
}

static void open_device(void) {
    GactError error;
    if (!device_emu.count(&error)) {
        print_message("%s\n", error.text);
        skip();
    }
    assert_int_equal(device_emu.open(0, &device, &error), DEVICE_OK);
}

static void emulated_ops_give_what_c_gives(void **state) {
    (void)state;
    static Rows rows;
    open_device();
    char *text = all_text(), name[64];
    DeviceModule *module = load_text(text);
    int wrong = 0;
    for (int k = 0; k < ncases; k++) {
        DeviceFunc *f;
        snprintf(name, sizeof name, "op_%s", ops[cases[k].kind].name);
        ok(device_emu.function(device, module, name, &f));
        make_rows(&cases[k], &rows);
        run_case(f, k, &rows);
        wrong += count_wrong(&cases[k], &rows, "emulated");
    }
    assert_int_equal(wrong, 0);
    device_emu.unload(device, module);
    device_emu.close(device);
    free(text);
}

static void emulated_machine_does_what_it_says(void **state) {
    (void)state;
    enum { BLOCKS = 5, THREADS = 64 };
    uint32_t wrong[BLOCKS * THREADS];
    DeviceFunc *f;
    DevicePtr args[2];
    open_device();
    char *text = machine_text();
    DeviceModule *module = load_text(text);
    ok(device_emu.function(device, module, "machine", &f));
    ok(device_emu.alloc(device, sizeof wrong, &args[0]));
    ok(device_emu.alloc(device, BLOCKS * 8, &args[1]));
    ok(device_emu.fill(device, 0, args[1], 0, BLOCKS * 8));
    DeviceGrid grid = {.blocks = {BLOCKS, 1, 1}, .threads = THREADS, .shared_bytes = 256};
    ok(device_emu.launch(device, 0, f, &grid, args, sizeof args));
    ok(device_emu.copy_out(device, 0, wrong, args[0], sizeof wrong));
    ok(device_emu.sync(device, 0));
    for (int k = 0; k < BLOCKS * THREADS; k++)
        assert_int_equal(wrong[k], 0);
    device_emu.unload(device, module);
    device_emu.close(device);
    free(text);
}

/* ---- libnvrtc ---- */

/* In the form of code where the assembler shall see it, too. */
static void compile_for_all(const char *text, NvrtcForm form) {
    static const int32_t archs[] = {75, 80, 90, 100, 120};
    const char *why;
    const NvrtcInfo *info = nvrtc_find(&why);
    if (!info) {
        print_message("%s\n", why);
        skip();
    }
    for (int k = 0; k < ARRAY_LEN(archs); k++) {
        NvrtcUnit unit = {.text = text, .name = "test.cu", .arch = archs[k], .form = form};
        NvrtcResult result;
        if (!nvrtc_supports(info, archs[k])) {
            print_message("libnvrtc does not know sm_%d\n", archs[k]);
            continue;
        }
        if (!nvrtc_compile(&unit, &result))
            fail_msg("sm_%d: %s", archs[k], result.log);
        assert_null(result.log);
        free(result.code);
    }
}

static void nvrtc_takes_all_ops(void **state) {
    (void)state;
    char *text = all_text();
    compile_for_all(text, NVRTC_PTX);
    free(text);
}

static void nvrtc_takes_the_machine(void **state) {
    (void)state;
    char *text = machine_text();
    compile_for_all(text, NVRTC_CUBIN);
    free(text);
}

int main(void) {
    ncases = list_cases(cases);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emulated_ops_give_what_c_gives),
        cmocka_unit_test(emulated_machine_does_what_it_says),
        cmocka_unit_test(nvrtc_takes_all_ops),
        cmocka_unit_test(nvrtc_takes_the_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
