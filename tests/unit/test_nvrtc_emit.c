/* Device text to code at compile time: by libnvrtc, by clang where there is no libnvrtc, and what
   is said where there is neither. Each check runs in a process of its own, as libraries are found
   once. */
#include "codegen/cuda/nvrtc_emit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern const char device_prelude[];

enum { GOOD, BAD, SKIPPED = 77 };

static const char kernel[] =
    "struct scale_args { f32 *x; f64 *y; u32 *counts; i64 n; };\n"
    "GX_KERNEL(scale, scale_args) {\n"
    "    GX_SHARED_ARRAY(f32, part, 32);\n"
    "    i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x;\n"
    "    if (i < a.n) a.x[i] = a.x[i] * 2.0f + gx_floor(a.x[i]);\n"
    "    if (i < a.n) a.y[i] = gx_rest(gx_sqrt(a.y[i]), 3.0) + gx_fma(a.y[i], 2.0, 1.0);\n"
    "    part[threadIdx.x & 31] = a.x[0];\n"
    "    gx_sync();\n"
    "    u32 count = gx_ballot(part[31 - (threadIdx.x & 31)] > 0);\n"
    "    if (gx_sync_or(count != 0)) gx_fetch_add(a.counts, count);\n"
    "    gx_fetch_max(a.counts + 1, gx_word_shfl_xor(count, 1, ~0u));\n"
    "}\n";

/* The prelude and the kernel, or a mistake. */
static NvrtcResult compile(int32_t arch, NvrtcForm form, const char *text) {
    char *all = NULL;
    NvrtcResult result = {0};
    if (asprintf(&all, "%s%s", device_prelude, text) < 0)
        return result;
    NvrtcUnit unit = {.text = all, .name = "test.cu", .arch = arch, .form = form};
    bool good = gact_cuda_compile(&unit, &result);
    if (good != (result.code != NULL))
        _exit(BAD);
    if (!good)
        fprintf(stderr, "%s\n", result.log);
    free(all);
    return result;
}

static bool has(const char *text, const char *part) {
    return text && strstr(text, part);
}

/* PTX for an architecture, or a later one where the compiler knows no earlier. */
static int check_ptx(int32_t arch, const char *target) {
    NvrtcResult r = compile(arch, NVRTC_PTX, kernel);
    return has(r.code, ".entry scale") && has(r.code, target) && has(r.code, "fma.rn.f64") &&
                   !has(r.code, "fma.rn.f32") && strlen(r.code) == r.len
               ? GOOD
               : BAD;
}

static int by_nvrtc(void) {
    if (!nvrtc_find(NULL))
        return SKIPPED;
    NvrtcResult r = compile(90, NVRTC_CUBIN, kernel);
    if (!r.code || memcmp(r.code, "\177ELF", 4) != 0)
        return BAD;
    return check_ptx(75, ".target sm_75");
}

static int by_clang(void) {
    setenv("GACT_NVRTC", "/none", 1);
    if (system("clang++-19 --version >/dev/null 2>&1") != 0)
        return SKIPPED;
    if (check_ptx(75, ".target sm_75") || check_ptx(90, ".target sm_90") ||
        check_ptx(120, ".target sm_90"))
        return BAD;
    NvrtcResult r = compile(90, NVRTC_PTX, "int f() { return nothing; }\n");
    if (r.code || !has(r.log, ": error: use of undeclared identifier 'nothing'") ||
        !has(r.log, "test.cu:"))
        return BAD;
    r = compile(60, NVRTC_PTX, kernel);
    return has(r.log, "GPUs before sm_75 are not supported") ? GOOD : BAD;
}

static int by_nothing(void) {
    setenv("GACT_NVRTC", "/none/libnvrtc.so", 1);
    setenv("GACT_CLANG", "/none/clang", 1);
    NvrtcResult r = compile(90, NVRTC_PTX, kernel);
    if (r.code ||
        !has(r.log, "PTX needs libnvrtc or clang 19, and neither is here: /none/libnvrtc"))
        return BAD;
    r = compile(90, NVRTC_CUBIN, kernel);
    return has(r.log, "code of one architecture needs libnvrtc: /none/libnvrtc.so") ? GOOD : BAD;
}

static void in_child(int (*check)(void)) {
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(check());
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        skip();
    assert_int_equal(status, GOOD);
}

static void compiles_by_nvrtc(void **state) {
    (void)state;
    in_child(by_nvrtc);
}

static void compiles_by_clang(void **state) {
    (void)state;
    in_child(by_clang);
}

static void tells_what_is_missing(void **state) {
    (void)state;
    in_child(by_nothing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiles_by_nvrtc),
        cmocka_unit_test(compiles_by_clang),
        cmocka_unit_test(tells_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
