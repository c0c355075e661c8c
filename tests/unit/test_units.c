/* Which kernels are compiled, when, and together with which, on a device whose code is the text itself. */
#include "runtime/device/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MOST = 16 };

struct DeviceModule {
    char *text;
};

static struct {
    _Atomic int compiles;
    const char *fails; /* texts with this in them do not compile */
} fake;

static DeviceStatus fake_compile(Device *d, const char *text, size_t len, void **code, size_t *code_len,
                                 char **log) {
    (void)d;
    fake.compiles++;
    *log = NULL;
    *code = NULL;
    if (fake.fails && strstr(text, fake.fails))
        return DEVICE_FAILED;
    *code = strndup(text, len);
    *code_len = len;
    return DEVICE_OK;
}

static DeviceStatus fake_load(Device *d, const void *code, size_t len, DeviceModule **module) {
    (void)d;
    *module = malloc(sizeof **module);
    (*module)->text = strndup(code, len);
    return DEVICE_OK;
}

static void fake_unload(Device *d, DeviceModule *module) {
    (void)d;
    if (module)
        free(module->text);
    free(module);
}

/* The place of its name in the text. */
static DeviceStatus fake_function(Device *d, DeviceModule *module, const char *name, DeviceFunc **f) {
    (void)d;
    *f = (DeviceFunc *)strstr(module->text, name);
    return *f ? DEVICE_OK : DEVICE_FAILED;
}

static const char *fake_key(Device *d) {
    (void)d;
    return "fake";
}

static DeviceStatus fake_info(Device *d, DeviceInfo *info) {
    (void)d;
    *info = (DeviceInfo){.name = "fake"};
    return DEVICE_OK;
}

static const DeviceTable table = {.name = "fake",
                                  .compile = fake_compile,
                                  .compile_key = fake_key,
                                  .load = fake_load,
                                  .unload = fake_unload,
                                  .function = fake_function,
                                  .info = fake_info};

/* ---- images ---- */

typedef struct {
    GactDeviceKernel kernels[MOST];
    const GactDeviceKernel *list[MOST];
    GactDevicePhase phases[MOST];
    char names[MOST][16], *texts[MOST];
    GactImage image;
    Device d;
} Fixture;

/* A kernel whose text is its head with @ for its name, and so many bytes. */
static void add_kernel(Fixture *f, const char *head, size_t bytes) {
    int k = (int)f->image.nkernels++;
    snprintf(f->names[k], sizeof f->names[k], "k%d", k);
    f->texts[k] = malloc(bytes + 256);
    size_t n = 0;
    for (const char *c = head; *c; c++)
        n += (size_t)(*c == '@' ? sprintf(f->texts[k] + n, "%s", f->names[k]) : sprintf(f->texts[k] + n, "%c", *c));
    memset(f->texts[k] + n, ' ', bytes);
    f->texts[k][n + bytes] = 0;
    f->phases[k] = (GactDevicePhase){.name = f->names[k]};
    f->kernels[k] = (GactDeviceKernel){.name = f->names[k], .text = f->texts[k], .phases = &f->phases[k], .nphases = 1,
                                       .index = k};
    f->list[k] = &f->kernels[k];
}

static DeviceUnits *open_units(Fixture *f) {
    f->image.kernels = f->list;
    f->d.table = &table;
    fake.compiles = 0;
    fake.fails = NULL;
    DeviceUnits *u = units_open(&f->d, &f->image);
    assert_non_null(u);
    return u;
}

static void close_units(Fixture *f, DeviceUnits *u) {
    units_close(u);
    for (int k = 0; k < f->image.nkernels; k++)
        free(f->texts[k]);
}

static DeviceFunc *function_of(DeviceUnits *u, int kernel) {
    DeviceFunc **funcs;
    return units_functions(u, kernel, &funcs) ? NULL : funcs[0];
}

/* ---- tests ---- */

static void compiles_what_is_launched(void **state) {
    (void)state;
    Fixture f = {0};
    char head[32];
    for (int k = 0; k < 6; k++) {
        snprintf(head, sizeof head, "void @(); int v%d;", k);
        add_kernel(&f, head, 30 << 10);
    }
    DeviceUnits *u = open_units(&f);
    assert_int_equal(fake.compiles, 0);
    assert_non_null(function_of(u, 3));
    assert_int_equal(fake.compiles, 1);
    assert_non_null(function_of(u, 3));
    assert_int_equal(fake.compiles, 1);
    assert_non_null(function_of(u, 0));
    assert_int_equal(fake.compiles, 2);
    close_units(&f, u);
}

/* Small ones in one unit, long ones in several side by side. */
static void compiles_together(void **state) {
    (void)state;
    for (int is_long = 0; is_long < 2; is_long++) {
        Fixture f = {0};
        char head[32];
        for (int k = 0; k < 8; k++) {
            snprintf(head, sizeof head, "void @(); int v%d;", k);
            add_kernel(&f, head, is_long ? 5 << 10 : 100);
        }
        DeviceUnits *u = open_units(&f);
        for (int k = 7; k >= 0; k--)
            assert_non_null(function_of(u, k));
        if (is_long)
            assert_in_range(fake.compiles, 1, 8);
        else
            assert_int_equal(fake.compiles, 1);
        close_units(&f, u);
    }
}

static void shares_what_is_equal(void **state) {
    (void)state;
    Fixture f = {0};
    add_kernel(&f, "struct @_args {};\n#line 3 \"a.gact\"\nvoid @() { one; }", 10);
    add_kernel(&f, "struct @_args {};\n#line 9 \"a.gact\"\nvoid @() { one; }", 10);
    add_kernel(&f, "struct @_args {};\nvoid @() { two; }", 10);
    DeviceUnits *u = open_units(&f);
    assert_ptr_equal(function_of(u, 0), function_of(u, 1));
    assert_ptr_not_equal(function_of(u, 0), function_of(u, 2));
    assert_int_equal(fake.compiles, 1);
    close_units(&f, u);
}

static void fails_alone(void **state) {
    (void)state;
    Fixture f = {0};
    add_kernel(&f, "void @() { good; }", 40 << 10);
    add_kernel(&f, "void @() { bad; }", 40 << 10);
    DeviceUnits *u = open_units(&f);
    fake.fails = "bad";
    assert_null(function_of(u, 1));
    assert_null(function_of(u, 1));
    assert_int_equal(fake.compiles, 1); /* once is enough */
    assert_non_null(function_of(u, 0));
    close_units(&f, u);
}

static void plain_texts(void **state) {
    (void)state;
    char *plain = units_plain_text("#line 1 \"x\"\nab ab_args xab abc ab;\n#line 2\nab\n", "ab");
    assert_string_equal(plain, "@ @_args xab abc @;\n@\n");
    free(plain);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compiles_what_is_launched), cmocka_unit_test(compiles_together),
        cmocka_unit_test(shares_what_is_equal),      cmocka_unit_test(fails_alone),
        cmocka_unit_test(plain_texts),
    };
    setenv("GACT_CACHE_SIZE", "0", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
