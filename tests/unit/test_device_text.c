/* The texts of the library's kernels through libnvrtc, for every architecture we promise. Skipped
   where there is no libnvrtc, and architectures that it does not know. */
#include "fixture/device_kernels.h"
#include "lang/nvrtc.h"
#include "runtime/device/lib_unit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Every template, with types that differ in what they compile to. */
static const struct {
    const char *text, *make;
} units[] = {
    {device_text_sort, "SORT_KERNELS(u8, u64, u64)"},
    {device_text_sort, "SORT_KERNELS(u16, Nothing, u64)"},
    {device_text_sort, "SORT_KERNELS(u64, u32, u32)"},
    {device_text_sort, "SORT_FEW_KERNELS(u32, u32)"},
    {device_text_sort, "SORT_BYTES_KERNELS"},
    {device_text_matmul, "MATMUL_KERNEL(f32, 128, 128, 8, 8, 8)"},
    {device_text_matmul, "MATMUL_KERNEL(f64, 128, 64, 8, 8, 4)"},
    {device_text_matmul, "MATMUL_KERNEL(u8, 64, 64, 16, 4, 4)"},
    {device_text_matmul, "MATMUL_KERNEL(bf16, 32, 32, 16, 2, 2)"},
    {device_text_matmul, "MATMUL_KERNEL(f16, 64, 8, 32, 2, 2)"},
    {device_text_matmul, "MATMUL_KERNEL(u64, 8, 64, 32, 2, 2)"},
    {device_text_transpose, "TRANSPOSE_SQUARES(u8)"},
    {device_text_transpose, "TRANSPOSE_ELEMENTS(u64, u32)"},
    {"", scan_text},
    {device_text_histogram, bins_text},
};
enum { UNITS = sizeof units / sizeof *units };

static void compile(int unit, int32_t arch) {
    size_t size = strlen(device_prelude) + strlen(units[unit].text) + strlen(units[unit].make) + 1;
    char *text = malloc(size);
    snprintf(text, size, "%s%s%s", device_prelude, units[unit].text, units[unit].make);
    NvrtcUnit u = {.text = text, .name = "library", .arch = arch, .form = NVRTC_CUBIN};
    NvrtcResult result;
    if (!nvrtc_compile(&u, &result))
        fail_msg("%.60s for sm_%d: %s", units[unit].make, arch, result.log);
    free(result.code), free(result.log), free(text);
}

/* Each unit for the oldest architecture and the one we measure on, and in turn for another. */
static void compiles_for_each_architecture(void **state) {
    static const int32_t all[] = {75, 90}, one_of[] = {80, 100, 120};
    const NvrtcInfo *info = nvrtc_find(NULL);
    (void)state;
    for (int unit = 0; unit < UNITS; unit++)
        for (int k = 0; k < 3; k++) {
            int32_t arch = k < 2 ? all[k] : one_of[unit % 3];
            if (nvrtc_supports(info, arch))
                compile(unit, arch);
            else
                print_message("libnvrtc %d.%d does not know sm_%d: skipped\n", info->major,
                              info->minor, arch);
        }
}

int main(void) {
    const char *why;
    if (!nvrtc_find(&why)) {
        puts(why);
        return 77;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(compiles_for_each_architecture)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
