/* Code for devices, kept on disk: what is compiled and what is found again, damage, refused code,
   and several processes that want the same. The device is one of this file, which counts. */
#include "lang/store.h"
#include "runtime/device/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/gact-code-XXXXXX";

/* What the device did; its code is its key, a newline and the text. */
static struct {
    const char *key;
    int compiled, loaded;
    bool refuses_text, refuses_code;
    const char *refuses; /* code that begins so */
    const char *arch;
    char last[1 << 18]; /* the code that was loaded last */
} did;

static DeviceStatus compile(Device *d, const char *text, size_t len, void **code, size_t *code_len,
                            char **log) {
    *code = NULL;
    *log = NULL;
    did.compiled++;
    if (did.refuses_text) {
        snprintf(d->error, sizeof d->error, "a mistake in the text");
        return DEVICE_FAILED;
    }
    char *made = NULL;
    int n = asprintf(&made, "%s\n%.*s", did.key, (int)len, text);
    *code = made;
    *code_len = (size_t)n;
    return n < 0 ? DEVICE_FAILED : DEVICE_OK;
}

static DeviceStatus load(Device *d, const void *code, size_t len, DeviceModule **module) {
    if (did.refuses_code) {
        did.refuses_code = false;
        snprintf(d->error, sizeof d->error, "not loaded");
        return DEVICE_FAILED;
    }
    if (did.refuses && len >= strlen(did.refuses) &&
        !memcmp(code, did.refuses, strlen(did.refuses)))
        return DEVICE_FAILED;
    did.loaded++;
    assert_true(len < sizeof did.last);
    memcpy(did.last, code, len);
    did.last[len] = 0;
    *module = (DeviceModule *)did.last;
    return DEVICE_OK;
}

static const char *compile_key(Device *d) {
    (void)d;
    return did.key;
}

static DeviceStatus info(Device *d, DeviceInfo *i) {
    (void)d;
    *i = (DeviceInfo){0};
    snprintf(i->arch, sizeof i->arch, "%s", did.arch ? did.arch : "");
    return DEVICE_OK;
}

static const DeviceTable table = {
    .name = "counting", .info = info, .compile = compile, .load = load, .compile_key = compile_key};
static Device device = {.table = &table};

static int start(void **state) {
    (void)state;
    Store store;
    StoreFile *files;
    setenv("XDG_CACHE_HOME", base, 1);
    unsetenv("GACT_CACHE_SIZE");
    store_open(&store);
    int count = store_list(&store, &files);
    for (int k = 0; k < count; k++)
        store_drop(&store, files[k].name);
    free(files);
    memset(&did, 0, sizeof did);
    did.key = "arch 1";
    return 0;
}

/* Asks for the code of a text; it must be that of this very text and key. */
static void ask(const char *text) {
    DeviceModule *module;
    if (device_code(&device, text, strlen(text), &module))
        fail_msg("%s", device.error);
    size_t n = strlen(did.key), prelude = strlen(device_prelude);
    assert_memory_equal(did.last, did.key, n);
    assert_memory_equal(did.last + n + 1, device_prelude, prelude);
    assert_string_equal(did.last + n + 1 + prelude, text);
}

static void expect_compiled(int count) {
    assert_int_equal(did.compiled, count);
}

static void compiles_once(void **state) {
    (void)state;
    DeviceCodeStats before, after;
    device_code_stats(&before);
    ask("one");
    ask("one");
    expect_compiled(1);
    assert_int_equal(did.loaded, 2);
    ask("two");
    ask("one");
    expect_compiled(2);
    did.key = "arch 2";
    ask("one");
    expect_compiled(3);
    device_code_stats(&after);
    assert_int_equal(after.hits - before.hits, 2);
    assert_int_equal(after.misses - before.misses, 3);
    assert_true(after.compile_ns > before.compile_ns);
}

static void works_without_a_cache(void **state) {
    (void)state;
    setenv("GACT_CACHE_SIZE", "0", 1);
    ask("one");
    ask("one");
    expect_compiled(2);
}

/* Damage on disk, or code that the device does not take, is as if nothing were kept. */
static void compiles_again_what_is_damaged(void **state) {
    (void)state;
    Store store;
    StoreFile *files;
    char path[PATH_MAX];
    store_open(&store);
    ask("one");
    assert_int_equal(store_list(&store, &files), 1);
    assert_true(store_ends(files[0].name, ".code"));
    assert_true(store_path(&store, files[0].name, path));
    assert_int_equal(truncate(path, files[0].bytes - 1), 0);
    free(files);
    ask("one");
    expect_compiled(2);
    did.refuses_code = true;
    ask("one");
    expect_compiled(3);
    ask("one");
    expect_compiled(3);
}

static void tells_of_mistakes(void **state) {
    (void)state;
    DeviceModule *module;
    did.refuses_text = true;
    assert_int_equal(device_code(&device, "one", 3, &module), DEVICE_FAILED);
    assert_null(module);
    assert_string_equal(device.error, "a mistake in the text");
    did.refuses_text = false;
    ask("one");
    expect_compiled(2);
}

/* ---- code in the image ---- */

/* What is loaded on a device of that architecture, where code that begins so is refused. */
static void expect_made(const char *arch, const char *refuses, const char *wanted) {
    static const GactDeviceCode codes[] = {{GACT_CODE_PTX, 75, "ptx 75", 6},
                                           {GACT_CODE_CUBIN, 80, "cubin 80", 8},
                                           {GACT_CODE_CUBIN, 86, "cubin 86", 8},
                                           {GACT_CODE_CUBIN, 120, "cubin 120", 9},
                                           {GACT_CODE_PTX, 100, "ptx 100", 7}};
    const GactImage image = {.codes = codes, .ncodes = 5};
    DeviceModule *module = NULL;
    did.arch = arch;
    did.refuses = refuses;
    *did.last = 0;
    assert_true(device_code_made(&device, &image, &module) == (*wanted != 0));
    assert_string_equal(did.last, wanted);
}

/* The cubin of the architecture or of an earlier one of its generation, else PTX that is not too
   new; what the driver refuses is passed over. */
static void takes_what_the_image_brings(void **state) {
    (void)state;
    expect_made("sm_80", NULL, "cubin 80");
    expect_made("sm_86", NULL, "cubin 86");
    expect_made("sm_89", NULL, "cubin 86");
    expect_made("sm_89", "cubin 86", "cubin 80");
    expect_made("sm_89", "cubin", "ptx 75");
    expect_made("sm_90", NULL, "ptx 75");
    expect_made("sm_100", NULL, "ptx 100");
    expect_made("sm_103", "ptx 100", "ptx 75");
    expect_made("sm_120", NULL, "cubin 120");
    expect_made("sm_120", "cubin", "ptx 100");
    expect_made("sm_70", NULL, "");
    expect_made("sm_90", "ptx", "");
    expect_made("", NULL, "");
    expect_compiled(0);
}

/* ---- several processes ---- */

enum { PROCESSES = 4, ROUNDS = 40, TEXTS = 3 };

static void ask_many(void) {
    for (int k = 0; k < ROUNDS; k++) {
        char text[32];
        snprintf(text, sizeof text, "text %d", k % TEXTS);
        ask(text);
    }
    if (did.compiled > TEXTS)
        fail_msg("compiled %d times", did.compiled);
}

static void serves_several_processes(void **state) {
    (void)state;
    pid_t children[PROCESSES];
    fflush(NULL);
    for (int k = 0; k < PROCESSES; k++)
        if (!(children[k] = fork())) {
            ask_many();
            _exit(0);
        }
    for (int k = 0; k < PROCESSES; k++) {
        int status;
        assert_int_equal(waitpid(children[k], &status, 0), children[k]);
        assert_int_equal(status, 0);
    }
    ask_many();
    expect_compiled(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(compiles_once, start),
        cmocka_unit_test_setup(works_without_a_cache, start),
        cmocka_unit_test_setup(compiles_again_what_is_damaged, start),
        cmocka_unit_test_setup(tells_of_mistakes, start),
        cmocka_unit_test_setup(takes_what_the_image_brings, start),
        cmocka_unit_test_setup(serves_several_processes, start),
    };
    if (!mkdtemp(base))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command) || failed;
}
