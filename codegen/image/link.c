/* The image writer: objects in memory -> ld -> temporary file -> trailer -> rename. A device or a
   pipe is never replaced: the finished image is copied into it. */
#include "link.h"

#include "../../lang/image.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

extern char **environ;

/* ---- CPU features ---- */

/* What a loader can ask a CPU for, and the level of x86-64 that has it. */
static const struct {
    const char *name;
    int level;
} known[] = {
    {"cx16", 2},        {"popcnt", 2},     {"sse3", 2},         {"ssse3", 2},
    {"sse4.1", 2},      {"sse4.2", 2},     {"avx", 3},          {"avx2", 3},
    {"bmi", 3},         {"bmi2", 3},       {"f16c", 3},         {"fma", 3},
    {"lzcnt", 3},       {"movbe", 3},      {"avx512f", 4},      {"avx512bw", 4},
    {"avx512cd", 4},    {"avx512dq", 4},   {"avx512vl", 4},     {"avx512vbmi", 5},
    {"avx512vbmi2", 5}, {"avx512vnni", 5}, {"avx512bitalg", 5}, {"avx512vpopcntdq", 5},
    {"avx512ifma", 5},  {"avx512bf16", 5}, {"avx512fp16", 5},   {"avxvnni", 5},
    {"gfni", 5},        {"vaes", 5},       {"vpclmulqdq", 5},   {"sse4a", 5},
    {"xop", 5},         {"fma4", 5},       {"adx", 5},
};

static int level_of(const char *cpu) {
    size_t n = strlen("x86-64-v");
    return strncmp(cpu, "x86-64-v", n) == 0 ? atoi(cpu + n) : 1;
}

/* Is "+name" an item of a list? */
static int is_listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *at = list; (at = strchr(at, '+')); at++)
        if (strncmp(at + 1, name, n) == 0 && (at[1 + n] == ',' || at[1 + n] == 0))
            return 1;
    return 0;
}

const char *image_features(Arena *arena, const char *cpu, const char *features) {
    Buf out = {.arena = arena};
    for (int k = 0; k < ARRAY_LEN(known); k++)
        if (*features ? is_listed(features, known[k].name) : known[k].level <= level_of(cpu))
            buf_printf(&out, "%s%s", out.len ? "," : "", known[k].name);
    return buf_text(&out);
}

const char *image_cpu_features(Arena *arena, const char *cpu) {
    Buf out = {.arena = arena};
    for (int k = 0; k < ARRAY_LEN(known); k++)
        if (known[k].level <= level_of(cpu))
            buf_printf(&out, "%s+%s", out.len ? "," : "", known[k].name);
    return buf_text(&out);
}

/* ---- linking ---- */

int image_memory_file(void) {
    return memfd_create("gact-object", 0);
}

/* What a program wrote to a memory file, for a message. */
static const char *complaint(Arena *arena, int fd) {
    char text[512];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = 0;
    char *end = strchr(text, '\n');
    if (end)
        *end = 0;
    return arena_printf(arena, "%s", text);
}

/* Symbols of libc and libm are left to the process that loads the image: to look at them takes longer
   than the rest of linking. */
static const char *const ld_options[] = {
    "ld",  "-shared",         "--hash-style=gnu", "-z",   "noexecstack", "-z",
    "now", "--build-id=none", "-soname",          "gact", "-o",
};

static const char **ld_command(Arena *arena, const int *objects, int n, const char *output) {
    const char **args =
        NEW_ARRAY(arena, const char *, ARRAY_LEN(ld_options) + n + 2);
    const char **to = args;
    for (int k = 0; k < ARRAY_LEN(ld_options); k++)
        *to++ = ld_options[k];
    *to++ = output;
    for (int k = 0; k < n; k++)
        *to++ = arena_printf(arena, "/proc/self/fd/%d", objects[k]);
    return args;
}

static const char *run_ld(Arena *arena, const int *objects, int n, const char *output) {
    const char **args = ld_command(arena, objects, n, output);
    int errors = memfd_create("gact-ld", 0), status = 0;
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    int failed = posix_spawnp(&pid, "ld", &actions, NULL, (char **)args, environ);
    posix_spawn_file_actions_destroy(&actions);
    const char *error = NULL;
    if (failed)
        error = arena_printf(arena, "cannot run the linker, ld: %s", strerror(failed));
    while (!failed && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!failed && status != 0)
        error = arena_printf(arena, "the linker failed: %s", complaint(arena, errors));
    close(errors);
    return error;
}

/* ---- the trailer ---- */

static const char *add_trailer(Arena *arena, const char *path, const char *features) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    size_t size = (size_t)st.st_size;
    GactTrailer trailer = {.abi_version = GACT_ABI_VERSION, .length = size + sizeof trailer};
    memcpy(trailer.magic, GACT_MAGIC, sizeof trailer.magic);
    snprintf(trailer.features, sizeof trailer.features, "%s", features);
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const char *error = NULL;
    if (bytes == MAP_FAILED) {
        error = arena_printf(arena, "cannot read %s: %s", path, strerror(errno));
    } else {
        XXH3_state_t *state = XXH3_createState();
        XXH3_64bits_reset(state);
        XXH3_64bits_update(state, bytes, size);
        XXH3_64bits_update(state, &trailer, offsetof(GactTrailer, checksum));
        trailer.checksum = XXH3_64bits_digest(state);
        XXH3_freeState(state);
        munmap(bytes, size);
        if (pwrite(fd, &trailer, sizeof trailer, st.st_size) != sizeof trailer)
            error = arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    }
    if (close(fd) != 0 && !error)
        error = arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    return error;
}

/* ---- the output's place ---- */

static bool is_special(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* A new file to link into: beside the output, or in /tmp if that is special; NULL: errno. */
static const char *new_temporary(Arena *arena, const char *path, bool special) {
    char *name = (char *)arena_printf(arena, "%s.XXXXXX", special ? "/tmp/gact" : path);
    int fd = mkstemp(name);
    mode_t mask = umask(0);
    umask(mask);
    if (fd < 0 || fchmod(fd, 0777 & ~mask) != 0)
        name = NULL;
    if (fd >= 0)
        close(fd);
    return name;
}

static bool copy_bytes(int from, int to) {
    char bytes[1 << 16];
    ssize_t n;
    while ((n = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, part; done < n; done += part)
            if ((part = write(to, bytes + done, (size_t)(n - done))) < 0)
                return false;
    return n == 0;
}

static bool copy_file(const char *from, const char *to) {
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CLOEXEC);
    bool ok = in >= 0 && out >= 0 && copy_bytes(in, out);
    int kept = errno;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    errno = kept;
    return ok;
}

const char *image_link(Arena *arena, const int *objects, int n, const char *path,
                       const char *features) {
    bool special = is_special(path);
    const char *temporary = new_temporary(arena, path, special);
    if (!temporary)
        return arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    const char *error = run_ld(arena, objects, n, temporary);
    if (!error)
        error = add_trailer(arena, temporary, features);
    if (!error && (special ? !copy_file(temporary, path) : rename(temporary, path) != 0))
        error = arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    if (error || special)
        unlink(temporary);
    return error;
}
