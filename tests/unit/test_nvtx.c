/* Ranges go to the library where there is one. */
#include "runtime/device/nvtx.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void ranges(void **state) {
    (void)state;
    const char *log = dlsym(dlopen(FAKE_NVTX, RTLD_NOW), "fake_nvtx_log");
    assert_non_null(log);
    nvtx_push("run");
    nvtx_push("kernel");
    nvtx_pop();
    nvtx_push("other");
    nvtx_pop();
    nvtx_pop();
    assert_string_equal(log, "run(kernel()other())");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges)};
    setenv("GACT_NVTX", FAKE_NVTX, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
