/* The emulated device: memory, code, launches and what ends a launch with a text. Skipped where there
   is no C++ compiler. */
#include "../../runtime/device/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static Device *d;

static void ok(DeviceStatus status) {
    if (status != DEVICE_OK)
        fail_msg("%s", d->error);
}

/* ---- code ---- */

static DeviceModule *module_of(const char *text) {
    size_t prelude = strlen(device_prelude), len = strlen(text), code_len;
    char *all = malloc(prelude + len + 1), *log;
    void *code;
    memcpy(all, device_prelude, prelude);
    memcpy(all + prelude, text, len + 1);
    if (device_emu.compile(d, all, prelude + len, &code, &code_len, &log) != DEVICE_OK)
        fail_msg("%s:\n%s", d->error, log);
    assert_string_equal(log, "");
    DeviceModule *m;
    ok(device_emu.load(d, code, code_len, &m));
    free(code);
    free(log);
    free(all);
    return m;
}

static DeviceFunc *func_of(DeviceModule *m, const char *name) {
    DeviceFunc *f;
    ok(device_emu.function(d, m, name, &f));
    return f;
}

static DevicePtr block_of(int64_t bytes) {
    DevicePtr p;
    ok(device_emu.alloc(d, bytes, &p));
    return p;
}

/* ---- memory ---- */

static void test_memory(void **state) {
    (void)state;
    unsigned char bytes[300];
    DevicePtr p = block_of(300), q = block_of(0);
    assert_int_equal(p % 256, 0);
    assert_int_not_equal(p, q);
    ok(device_emu.copy_out(d, 0, bytes, p, 300));
    ok(device_emu.sync(d, 0));
    for (int k = 0; k < 300; k++)
        assert_int_equal(bytes[k], 0xC7);
    ok(device_emu.fill(d, 0, p + 100, 7, 200));
    ok(device_emu.copy(d, 0, p, p + 100, 100));
    ok(device_emu.copy_out(d, 0, bytes, p, 300));
    ok(device_emu.sync(d, 0));
    assert_int_equal(bytes[0], 7);
    assert_int_equal(bytes[299], 7);
    assert_int_equal(device_emu.copy_in(d, 0, p + 1, bytes, 300), DEVICE_FAILED);
    device_emu.free(d, p);
    assert_int_equal(device_emu.copy_in(d, 0, p, bytes, 1), DEVICE_FAILED);
    device_emu.free(d, q);
}

static void test_exhaustion(void **state) {
    (void)state;
    DeviceInfo before, after;
    DevicePtr p, q;
    ok(device_emu.info(d, &before));
    assert_int_equal(device_emu.alloc(d, before.free + 1, &p), DEVICE_NO_MEMORY);
    p = block_of(before.free / 2);
    assert_int_equal(device_emu.alloc(d, before.free / 2 + 1024, &q), DEVICE_NO_MEMORY);
    device_emu.free(d, p);
    ok(device_emu.info(d, &after));
    assert_int_equal(before.free, after.free);
}

/* ---- kernels ---- */

static const char kernels[] =
    "struct map_args { const f32 *x; f32 *out; i64 n; };\n"
    "GX_KERNEL_PLAIN(map, map_args, 256) {\n"
    "    i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x;\n"
    "    if (i < a.n)\n"
    "        a.out[i] = gx_add(gx_mul(a.x[i], 2.0f), 1.0f);\n"
    "}\n"
    "struct sum_args { const i32 *x; i64 *out; i64 n; };\n"
    "GX_KERNEL(sum, sum_args) {\n"
    "    GX_SHARED_ARRAY(i64, part, 32);\n"
    "    u32 t = threadIdx.x;\n"
    "    i64 sum = 0;\n"
    "    GX_UNROLL1\n"
    "    for (i64 i = blockIdx.x * (i64)blockDim.x + t; i < a.n; i += gridDim.x * blockDim.x)\n"
    "        sum = gx_add(sum, gx_convert<i64>(a.x[i]));\n"
    "    for (u32 with = 16; with; with >>= 1)\n"
    "        sum = gx_add(sum, gx_shfl_xor(sum, with));\n"
    "    if (gx_lane() == 0)\n"
    "        part[t / 32] = sum;\n"
    "    gx_sync();\n"
    "    if (t == 0) {\n"
    "        sum = 0;\n"
    "        for (u32 k = 0; k < blockDim.x / 32; k++)\n"
    "            sum = gx_add(sum, part[k]);\n"
    "        gx_fetch_add(a.out, sum);\n"
    "    }\n"
    "}\n";

typedef struct {
    DevicePtr x, out;
    int64_t n;
} Args;

static void test_map(void **state) {
    (void)state;
    enum { N = 100001 };
    float *x = malloc(N * sizeof *x);
    for (int k = 0; k < N; k++)
        x[k] = (float)k;
    DeviceModule *m = module_of(kernels);
    Args a = {block_of(N * 4), block_of(N * 4), N};
    DeviceGrid grid = {.blocks = {(N + 255) / 256, 1, 1}, .threads = 256};
    ok(device_emu.copy_in(d, 0, a.x, x, N * 4));
    ok(device_emu.launch(d, 0, func_of(m, "map"), &grid, &a, sizeof a));
    ok(device_emu.copy_out(d, 0, x, a.out, N * 4));
    ok(device_emu.sync(d, 0));
    for (int k = 0; k < N; k++)
        assert_true(x[k] == (float)k * 2 + 1);
    assert_int_equal(device_emu.launch(d, 0, func_of(m, "map"), &grid, &a, 16), DEVICE_FAILED);
    DeviceFunc *f;
    assert_int_equal(device_emu.function(d, m, "mop", &f), DEVICE_FAILED);
    device_emu.free(d, a.x);
    device_emu.free(d, a.out);
    device_emu.unload(d, m);
    free(x);
}

static void test_sum(void **state) {
    (void)state;
    enum { N = 50000 };
    int32_t *x = malloc(N * sizeof *x);
    for (int k = 0; k < N; k++)
        x[k] = k;
    DeviceModule *m = module_of(kernels);
    Args a = {block_of(N * 4), block_of(8), N};
    DeviceGrid grid = {.blocks = {20, 1, 1}, .threads = 128};
    ok(device_emu.copy_in(d, 0, a.x, x, N * 4));
    ok(device_emu.fill(d, 0, a.out, 0, 8));
    ok(device_emu.launch(d, 0, func_of(m, "sum"), &grid, &a, sizeof a));
    int64_t sum;
    ok(device_emu.copy_out(d, 0, &sum, a.out, 8));
    ok(device_emu.sync(d, 0));
    assert_int_equal(sum, (int64_t)N * (N - 1) / 2);
    device_emu.free(d, a.x);
    device_emu.free(d, a.out);
    device_emu.unload(d, m);
    free(x);
}

/* Modules that are loaded at once stay apart, also where a kernel's name is in both. */
static void test_modules(void **state) {
    (void)state;
    static const char one[] = "struct out { i32 *at; };\nGX_KERNEL_PLAIN(number, out) { *a.at = 1; }\n";
    static const char two[] = "struct out { i32 *at; };\nGX_KERNEL_PLAIN(number, out) { *a.at = 2; }\n";
    DeviceModule *m1 = module_of(one), *m2 = module_of(two);
    DevicePtr at = block_of(4);
    DeviceGrid grid = {.blocks = {1, 1, 1}, .threads = 32};
    int32_t number;
    ok(device_emu.launch(d, 0, func_of(m2, "number"), &grid, &at, sizeof at));
    ok(device_emu.copy_out(d, 0, &number, at, 4));
    ok(device_emu.sync(d, 0));
    assert_int_equal(number, 2);
    ok(device_emu.launch(d, 0, func_of(m1, "number"), &grid, &at, sizeof at));
    ok(device_emu.copy_out(d, 0, &number, at, 4));
    ok(device_emu.sync(d, 0));
    assert_int_equal(number, 1);
    device_emu.free(d, at);
    device_emu.unload(d, m1);
    device_emu.unload(d, m2);
}

/* What the compiler says of a mistake in a text is told. */
static void test_text_with_a_mistake(void **state) {
    (void)state;
    static const char text[] = "int f() { return nothing; }\n";
    void *code;
    size_t len;
    char *log;
    assert_int_equal(device_emu.compile(d, text, strlen(text), &code, &len, &log), DEVICE_FAILED);
    assert_non_null(strstr(log, "device text:1"));
    assert_non_null(strstr(d->error, "error: "));
    assert_non_null(strstr(d->error, "nothing"));
    free(log);
}

/* Work is done when somebody waits for it, and what it fails with is told then, once. */
static void test_late_work(void **state) {
    (void)state;
    static const char text[] =
        "struct out { i32 *at; };\nGX_KERNEL(wait, out) { if (threadIdx.x < 5) gx_sync_warp(); }\n";
    DeviceModule *m = module_of(text);
    DevicePtr at = block_of(4);
    DeviceGrid grid = {.blocks = {1, 1, 1}, .threads = 32};
    unsigned char bytes[4] = {0};
    ok(device_emu.fill(d, 1, at, 9, 4));
    ok(device_emu.copy_out(d, 1, bytes, at, 4));
    ok(device_emu.sync(d, 0));
    assert_int_equal(bytes[0], 0);
    ok(device_emu.order(d, 1, 0));
    assert_int_equal(bytes[0], 9);
    ok(device_emu.launch(d, 0, func_of(m, "wait"), &grid, &at, sizeof at));
    ok(device_emu.sync(d, 1));
    assert_int_equal(device_emu.sync(d, 0), DEVICE_FAILED);
    assert_non_null(strstr(d->error, "kernel wait, block (0, 0, 0), thread 5: "));
    ok(device_emu.sync(d, 0));
    device_emu.free(d, at);
    device_emu.unload(d, m);
}

static int open_device(void **state) {
    (void)state;
    GactError error;
    setenv("GACT_EMU_MEMORY", "67108864", 1);
    return device_emu.open(0, &d, &error) != DEVICE_OK;
}

static int close_device(void **state) {
    (void)state;
    device_emu.close(d);
    return 0;
}

int main(void) {
    GactError why;
    if (!device_emu.count(&why)) {
        puts(why.text);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_exhaustion, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_map, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_sum, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_text_with_a_mistake, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_late_work, open_device, close_device),
        cmocka_unit_test_setup_teardown(test_modules, open_device, close_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
