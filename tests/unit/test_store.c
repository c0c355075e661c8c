/* Kept files: entries are whole or absent, whatever happens to them and however many processes
   write them; what was not used for longest goes when there is too much. */
#include "lang/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/gact-store-XXXXXX";
static Store store;

static int start(void **state) {
    (void)state;
    unsetenv("GACT_CACHE_SIZE");
    setenv("XDG_CACHE_HOME", base, 1);
    store_open(&store);
    StoreFile *files;
    int count = store_list(&store, &files);
    for (int k = 0; k < count; k++)
        store_drop(&store, files[k].name);
    free(files);
    return !*store.folder;
}

static void expect(const char *name, const char *content, size_t len, const char *note) {
    char *got, *got_note;
    size_t got_len;
    assert_true(store_get(&store, name, &got, &got_len, &got_note));
    assert_int_equal(got_len, len);
    assert_memory_equal(got, content, len);
    assert_int_equal(got[len], 0);
    assert_string_equal(got_note, note);
    free(got);
    free(got_note);
}

static bool is_kept(const char *name) {
    char *got;
    size_t len;
    bool kept = store_get(&store, name, &got, &len, NULL);
    if (kept)
        free(got);
    return kept;
}

static void keeps_content(void **state) {
    (void)state;
    static const char bytes[] = "a\0b";
    assert_false(is_kept("one.code"));
    assert_true(store_put(&store, "one.code", bytes, sizeof bytes, "for sm_90"));
    expect("one.code", bytes, sizeof bytes, "for sm_90");
    assert_true(store_put(&store, "one.code", "", 0, ""));
    expect("one.code", "", 0, "");
    store_drop(&store, "one.code");
    assert_false(is_kept("one.code"));
}

/* Each part counts with its length: moving a border changes the name. */
static void names_by_all_parts(void **state) {
    (void)state;
    char a[STORE_NAME], b[STORE_NAME], c[STORE_NAME];
    store_name((StorePart[]){{"ab", 2}, {"c", 1}}, 2, ".code", a);
    store_name((StorePart[]){{"a", 1}, {"bc", 2}}, 2, ".code", b);
    store_name((StorePart[]){{"ab", 2}, {"c", 1}}, 2, ".code", c);
    assert_string_not_equal(a, b);
    assert_string_equal(a, c);
    assert_int_equal(strlen(a), 32 + 5);
}

/* ---- damage ---- */

static int64_t size_of(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

/* Any byte that is not as it was, and any other length, make an entry a miss that is removed. */
static void notices_damage(void **state) {
    (void)state;
    char path[PATH_MAX];
    assert_true(store_path(&store, "one.code", path));
    assert_true(store_put(&store, "one.code", "content", 7, "note"));
    int64_t size = size_of(path);
    for (int64_t at = 0; at < size; at++) {
        assert_true(store_put(&store, "one.code", "content", 7, "note"));
        int fd = open(path, O_RDWR);
        char byte;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x10;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        assert_false(is_kept("one.code"));
        assert_int_equal(access(path, F_OK), -1);
    }
    for (int64_t len = 0; len <= size + 1; len++) {
        assert_true(store_put(&store, "one.code", "content", 7, "note"));
        assert_int_equal(truncate(path, len), 0);
        assert_true(is_kept("one.code") == (len == size));
    }
}

/* ---- several processes ---- */

enum { WRITERS = 4, ROUNDS = 60, BYTES = 20000, NAMES = 5 };

/* Content that tells whether it is of one piece: every byte is that of its writer. */
static bool is_of_one_piece(const char *bytes, size_t len) {
    for (size_t k = 1; k < len; k++)
        if (bytes[k] != bytes[0])
            return false;
    return len == BYTES;
}

static int write_and_read(char byte) {
    char content[BYTES], name[STORE_NAME], *got;
    memset(content, byte, sizeof content);
    for (int k = 0; k < ROUNDS; k++) {
        size_t len;
        snprintf(name, sizeof name, "%d.code", k % NAMES);
        if (!store_put(&store, name, content, sizeof content, ""))
            return 1;
        snprintf(name, sizeof name, "%d.code", (k * 3 + byte) % NAMES);
        if (store_get(&store, name, &got, &len, NULL)) {
            bool good = is_of_one_piece(got, len);
            free(got);
            if (!good)
                return 2;
        }
    }
    return 0;
}

static void serves_several_processes(void **state) {
    (void)state;
    pid_t children[WRITERS];
    StoreFile *files;
    fflush(NULL);
    for (int k = 0; k < WRITERS; k++)
        if (!(children[k] = fork()))
            _exit(write_and_read((char)('a' + k)));
    for (int k = 0; k < WRITERS; k++) {
        int status;
        assert_int_equal(waitpid(children[k], &status, 0), children[k]);
        assert_int_equal(status, 0);
    }
    int count = store_list(&store, &files);
    assert_int_equal(count, NAMES);
    for (int k = 0; k < count; k++)
        assert_true(is_kept(files[k].name));
    free(files);
}

/* ---- room ---- */

static void set_age(const char *name, int64_t seconds) {
    char path[PATH_MAX];
    struct timespec times[2];
    assert_true(store_path(&store, name, path));
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= seconds;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* Reading is using; the oldest go first, records never, and neither does the newest. */
static void makes_room(void **state) {
    (void)state;
    char content[1000] = {0};
    const char *const names[] = {"a.code", "b.code", "c.gactx", "d.deps"};
    for (int k = 0; k < 4; k++) {
        assert_true(store_put(&store, names[k], content, sizeof content, ""));
        set_age(names[k], 100 - k);
    }
    set_age("d.deps", 1000);
    assert_true(is_kept("a.code"));
    assert_true(store_trim(&store, 3500, NULL) > 1000);
    assert_true(is_kept("a.code") && is_kept("c.gactx") && is_kept("d.deps"));
    assert_false(is_kept("b.code"));
    store.limit = 2500;
    assert_true(store_put(&store, "e.code", content, sizeof content, ""));
    assert_true(is_kept("e.code") && is_kept("d.deps"));
    assert_false(is_kept("a.code") || is_kept("c.gactx"));
    store.limit = 10;
    assert_true(store_put(&store, "f.code", content, sizeof content, ""));
    assert_true(is_kept("f.code"));
}

/* A file that is being written is left alone until it must have been given up. */
static void leaves_fresh_files(void **state) {
    (void)state;
    char path[PATH_MAX];
    assert_true(store_fresh(store.folder, path));
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(store_trim(&store, 0, NULL), 0);
    set_age(strrchr(path, '/') + 1, 7200);
    assert_int_equal(store_trim(&store, 0, NULL), 5000);
    assert_int_equal(access(path, F_OK), -1);
}

/* ---- where it is ---- */

static void finds_its_folder(void **state) {
    (void)state;
    Store s;
    char home[PATH_MAX];
    setenv("GACT_CACHE_SIZE", "3", 1);
    store_open(&s);
    assert_int_equal(s.limit, 3 << 20);
    setenv("GACT_CACHE_SIZE", "many", 1);
    store_open(&s);
    assert_int_equal(s.limit, 1 << 30);
    setenv("GACT_CACHE_SIZE", "0", 1);
    store_open(&s);
    assert_string_equal(s.folder, "");
    assert_false(store_put(&s, "one.code", "", 0, ""));
    assert_false(is_kept("one.code"));
    unsetenv("GACT_CACHE_SIZE");
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", base, 1);
    store_open(&s);
    snprintf(home, sizeof home, "%s/.cache/gact", base);
    assert_string_equal(s.folder, home);
    setenv("XDG_CACHE_HOME", "/dev/null/x", 1);
    store_open(&s);
    assert_string_equal(s.folder, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(keeps_content, start),
        cmocka_unit_test_setup(names_by_all_parts, start),
        cmocka_unit_test_setup(notices_damage, start),
        cmocka_unit_test_setup(serves_several_processes, start),
        cmocka_unit_test_setup(makes_room, start),
        cmocka_unit_test_setup(leaves_fresh_files, start),
        cmocka_unit_test_setup(finds_its_folder, start),
    };
    if (!mkdtemp(base))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    return system(command) || failed;
}
