/* libnvrtc found and called: code and PTX for every architecture we promise. Skipped where there is
   no libnvrtc, but for what is said then. */
#include "lang/nvrtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char saxpy[] =
    "struct saxpy_args { const float *x; float *y; long long n; float a; };\n"
    "extern \"C\" __global__ void saxpy(const __grid_constant__ saxpy_args a) {\n"
    "    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;\n"
    "    if (i < a.n) a.y[i] = a.a * a.x[i] + a.y[i];\n"
    "}\n";

static const NvrtcInfo *library(void) {
    const NvrtcInfo *info = nvrtc_find(NULL);
    if (!info)
        skip();
    return info;
}

static NvrtcResult compile(const char *text, int32_t arch, NvrtcForm form) {
    NvrtcUnit unit = {.text = text, .name = "test.cu", .arch = arch, .form = form};
    NvrtcResult result;
    bool good = nvrtc_compile(&unit, &result);
    assert_true(good == (result.code != NULL));
    return result;
}

static void drop(NvrtcResult *result) {
    free(result->code);
    free(result->log);
}

static void compiles_for_each_architecture(void **state) {
    (void)state;
    static const int32_t archs[] = {75, 80, 90, 100, 120};
    const NvrtcInfo *info = library();
    for (size_t k = 0; k < sizeof archs / sizeof *archs; k++) {
        if (!nvrtc_supports(info, archs[k])) {
            print_message("libnvrtc %d.%d does not know sm_%d: skipped\n", info->major, info->minor,
                          archs[k]);
            continue;
        }
        NvrtcResult result = compile(saxpy, archs[k], NVRTC_CUBIN);
        if (!result.code)
            fail_msg("sm_%d: %s", archs[k], result.log);
        assert_memory_equal(result.code, "\177ELF", 4);
        assert_non_null(memmem(result.code, result.len, ".text.saxpy", 11));
        drop(&result);
    }
}

/* PTX is text for the architecture, and products stay apart from sums. */
static void makes_ptx(void **state) {
    (void)state;
    library();
    NvrtcResult result = compile(saxpy, 90, NVRTC_PTX);
    assert_non_null(result.code);
    assert_int_equal(result.len, strlen(result.code));
    assert_non_null(strstr(result.code, ".target sm_90"));
    assert_non_null(strstr(result.code, ".entry saxpy"));
    assert_non_null(strstr(result.code, "mul"));
    assert_null(strstr(result.code, "fma"));
    drop(&result);
}

static void repeats_itself(void **state) {
    (void)state;
    library();
    NvrtcResult a = compile(saxpy, 80, NVRTC_CUBIN), b = compile(saxpy, 80, NVRTC_CUBIN);
    assert_non_null(a.code);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.code, b.code, a.len);
    drop(&a);
    drop(&b);
}

static void tells_of_mistakes(void **state) {
    (void)state;
    library();
    NvrtcResult result = compile("\nint f() { return nothing; }\n", 90, NVRTC_CUBIN);
    assert_null(result.code);
    assert_non_null(strstr(result.log, "nvrtcCompileProgram: NVRTC_ERROR_COMPILATION"));
    assert_non_null(strstr(result.log, "test.cu(2): error: identifier \"nothing\" is undefined"));
    drop(&result);
    result = compile(saxpy, 7, NVRTC_CUBIN);
    assert_null(result.code);
    assert_non_null(strstr(result.log, "gpu-architecture"));
    drop(&result);
}

/* Runs a check in a process of its own, as the library is looked for once. */
static void in_child(void (*check)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        check();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void check_absent(void) {
    const char *why = "";
    NvrtcResult result;
    NvrtcUnit unit = {.text = saxpy, .name = "test.cu", .arch = 90, .form = NVRTC_CUBIN};
    setenv("GACT_NVRTC", "/none/libnvrtc.so", 1);
    bool refused = !nvrtc_find(&why) && strstr(why, "/none/libnvrtc.so") &&
                   !nvrtc_compile(&unit, &result) && !result.code &&
                   strstr(result.log, "/none/libnvrtc.so");
    _exit(refused ? 0 : 1);
}

static void check_other(void) {
    const char *why = "";
    setenv("GACT_NVRTC", "libc.so.6", 1);
    _exit(!nvrtc_find(&why) && strstr(why, "libc.so.6 is no libnvrtc") ? 0 : 2);
}

/* A library in a Python package is found, and taken where the driver is too old for a newer one. */
static void check_package(void) {
    char base[] = "/tmp/gact-nvrtc-XXXXXX", command[512];
    if (!mkdtemp(base))
        _exit(3);
    snprintf(command, sizeof command,
             "cd %s && mkdir -p lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib && cp %s "
             "lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
             base, FAKE_NVRTC);
    unsetenv("GACT_NVRTC");
    unsetenv("CUDA_HOME");
    setenv("VIRTUAL_ENV", base, 1);
    if (system(command) != 0)
        _exit(4);
    nvrtc_prefer(12);
    const NvrtcInfo *info = nvrtc_find(NULL);
    NvrtcUnit unit = {.text = saxpy, .name = "test.cu", .arch = 90, .form = NVRTC_PTX};
    NvrtcResult result = {0};
    bool good = info && info->major == 12 && nvrtc_compile(&unit, &result) && !result.log;
    if (good && strstr(info->path, base)) /* no library of version 12 is installed */
        good = info->minor == 4 && nvrtc_supports(info, 90) && !nvrtc_supports(info, 80) &&
               !strcmp(result.code,
                       "--gpu-architecture=compute_90 --fmad=false --std=c++17 --minimal ");
    snprintf(command, sizeof command, "rm -r %s", base);
    _exit(system(command) || !good ? 5 : 0);
}

static void finds_packages(void **state) {
    (void)state;
    in_child(check_package);
}

static void says_why_there_is_none(void **state) {
    (void)state;
    in_child(check_absent);
    in_child(check_other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_packages), cmocka_unit_test(says_why_there_is_none),
        cmocka_unit_test(makes_ptx),      cmocka_unit_test(compiles_for_each_architecture),
        cmocka_unit_test(repeats_itself), cmocka_unit_test(tells_of_mistakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
