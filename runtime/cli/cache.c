/* Compiled programs, kept by content. For each source path a list of the files that its compilation
   read (PATHKEY.deps); the image's name is the hash of the compiler, the processor and the contents
   of all those files. So an unchanged program starts without the compiler, and going back to an
   older version finds its image again. Files appear by rename; a damaged one is a miss. */
#include "cli.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xxhash.h>

extern char **environ;

typedef struct {
    Region *region;
    const char *folder; /* NULL: nothing is kept */
    const char *source, *compiler;
    bool tests;
    int64_t limit; /* bytes */
    GactError *error;
} Cache;

/* ---- where things are ---- */

static bool make_folders(const char *path) {
    char part[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof part)
        return false;
    memcpy(part, path, len + 1);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(part, 0700);
        *slash = '/';
    }
    return !mkdir(part, 0700) || errno == EEXIST;
}

static const char *cache_folder(Region *region) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *path = NULL;
    if (base && *base == '/')
        path = region_printf(region, "%s/gact", base);
    else if (home && *home == '/')
        path = region_printf(region, "%s/.cache/gact", home);
    return path && make_folders(path) && !access(path, W_OK) ? path : NULL;
}

static int64_t cache_limit(void) {
    const char *text = getenv("GACT_CACHE_SIZE");
    Number mib;
    if (text && number_parse(text, strlen(text), &mib) && !mib.is_float && !mib.negative &&
        mib.whole < INT64_MAX >> 20)
        return (int64_t)(mib.whole << 20);
    return (int64_t)1024 << 20;
}

static const char *find_in_path(Region *region, const char *name) {
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t len = strcspn(path, ":");
        const char *at = region_printf(region, "%.*s/%s", (int)len, path, name);
        if (len && !access(at, X_OK))
            return at;
        path += len + (path[len] == ':');
    }
    return NULL;
}

/* $GACTC, else beside gactrun, else in PATH. */
static const char *find_compiler(Region *region) {
    char own[PATH_MAX];
    const char *given = getenv("GACTC");
    if (given && *given)
        return strchr(given, '/') ? given : find_in_path(region, given);
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    if (len > 0) {
        own[len] = 0;
        char *slash = strrchr(own, '/');
        const char *beside = region_printf(region, "%.*s/gactc", (int)(slash - own), own);
        if (!access(beside, X_OK))
            return beside;
    }
    return find_in_path(region, "gactc");
}

/* ---- keys ---- */

static void hash_text(XXH3_state_t *state, const char *text) {
    XXH3_128bits_update(state, text, strlen(text) + 1);
}

/* The compiler by its version and its file, which a rebuild changes; the processor by its model and
   features. */
static void hash_surroundings(const Cache *c, XXH3_state_t *state) {
    struct stat st = {0};
    char line[4096];
    stat(c->compiler, &st);
    hash_text(state, GACT_VERSION);
    hash_text(state, c->compiler);
    hash_text(state, c->source); /* faults show it as it was written */
    XXH3_128bits_update(state, &st.st_size, sizeof st.st_size);
    XXH3_128bits_update(state, &st.st_mtim, sizeof st.st_mtim);
    hash_text(state, c->tests ? "tests" : "");
    const char *back_end = getenv("GACT_LLVM");
    hash_text(state, back_end ? back_end : "");
    FILE *cpu = fopen("/proc/cpuinfo", "re");
    while (cpu && fgets(line, sizeof line, cpu) && *line != '\n') /* the first processor */
        if (!strncmp(line, "model name", 10) || !strncmp(line, "flags", 5))
            hash_text(state, line);
    if (cpu)
        fclose(cpu);
}

static const char *hash_name(Region *region, const XXH3_state_t *state, const char *extension) {
    XXH128_hash_t h = XXH3_128bits_digest(state);
    return region_printf(region, "%016llx%016llx%s", (unsigned long long)h.high64,
                         (unsigned long long)h.low64, extension);
}

/* The file with the list of what the source's compilation reads. */
static const char *deps_path(const Cache *c) {
    char *full = realpath(c->source, NULL);
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    hash_text(state, full ? full : "");
    hash_text(state, c->source);
    hash_text(state, c->tests ? "tests" : "");
    const char *name = hash_name(c->region, state, ".deps");
    XXH3_freeState(state);
    free(full);
    return region_printf(c->region, "%s/%s", c->folder, name);
}

static bool hash_file(Region *region, XXH3_state_t *state, const char *path) {
    Reader r = {.region = region, .what = "cache"};
    Bytes file;
    if (!file_read(&r, path, &file))
        return false;
    hash_text(state, path);
    XXH3_128bits_update(state, &file.size, sizeof file.size);
    XXH3_128bits_update(state, file.data, file.size);
    return true;
}

/* A list of paths, one a line, with each made absolute. */
static Bytes absolute_paths(const Cache *c, Bytes list) {
    Text text = {.region = c->region};
    for (const char *at = list.data, *end = at + list.size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        char *full = realpath(region_copy(c->region, at, len), NULL);
        if (full && len) {
            text_puts(&text, full);
            text_char(&text, '\n');
        }
        free(full);
        at += len + (newline != NULL);
    }
    return (Bytes){text_string(&text), text.len};
}

static bool write_list(const char *path, Bytes list) {
    FILE *file = fopen(path, "we");
    bool ok = file && fwrite(list.data, 1, list.size, file) == list.size;
    return file && !fclose(file) && ok;
}

/* The image's path for the present contents of the files in a list, one path a line; NULL when one
   cannot be read. */
static const char *image_path(const Cache *c, const char *list, size_t len) {
    Region files = {0};
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    hash_surroundings(c, state);
    bool ok = hash_file(&files, state, c->source);
    while (ok && len) {
        const char *newline = memchr(list, '\n', len);
        size_t n = newline ? (size_t)(newline - list) : len;
        if (n)
            ok = hash_file(&files, state, region_copy(&files, list, n));
        n += newline != NULL;
        list += n;
        len -= n;
    }
    const char *name = ok ? hash_name(c->region, state, ".gactx") : NULL;
    XXH3_freeState(state);
    region_free(&files);
    return name ? region_printf(c->region, "%s/%s", c->folder, name) : NULL;
}

/* ---- looking up ---- */

/* The kept image, or NULL. A damaged one is removed. */
static const char *find_kept(const Cache *c) {
    Reader r = {.region = c->region, .what = "cache"};
    Bytes deps;
    GactProgram *program;
    if (!file_read(&r, deps_path(c), &deps))
        return NULL;
    const char *path = image_path(c, deps.data, deps.size);
    if (!path || access(path, R_OK))
        return NULL;
    if (gact_image_open(path, &program, NULL)) {
        unlink(path);
        return NULL;
    }
    gact_image_close(program);
    utimensat(AT_FDCWD, path, NULL, 0); /* the most recently used */
    return path;
}

/* ---- compiling ---- */

static GactStatus compile(const Cache *c, const char *image, const char *deps) {
    char *argv[] = {(char *)c->compiler,
                    (char *)c->source,
                    "-o",
                    (char *)image,
                    "--deps",
                    (char *)deps,
                    "-O2",
                    "--cpu=native",
                    c->tests ? "--tests" : NULL,
                    NULL};
    pid_t pid;
    int wait_status;
    fflush(NULL);
    int failed = posix_spawn(&pid, c->compiler, NULL, NULL, argv, environ);
    if (failed)
        return error_set(c->error, GACT_BAD_INPUT, "cannot run %s: %s", c->compiler,
                         strerror(failed));
    while (waitpid(pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return error_set(c->error, GACT_INTERNAL, "cannot wait for %s: %s", c->compiler,
                             strerror(errno));
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
        return GACT_OK;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) < 3)
        return error_set(c->error, GACT_BAD_INPUT, "%s does not compile", c->source);
    return error_set(c->error, GACT_INTERNAL, "%s failed", c->compiler);
}

/* ---- room ---- */

typedef struct {
    const char *path;
    int64_t bytes;
    struct timespec used;
} Kept;

static int by_age(const void *a, const void *b) {
    const Kept *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

/* Lists the images and what was left half-done. */
static int list_kept(const Cache *c, Kept **out) {
    int count = 0, cap = 0;
    DIR *folder = opendir(c->folder);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        struct stat st;
        const char *path = region_printf(c->region, "%s/%s", c->folder, entry->d_name);
        if (lstat(path, &st) || !S_ISREG(st.st_mode))
            continue;
        if (count == cap) {
            cap = cap * 2 + 32;
            Kept *more = region_zero(c->region, (size_t)cap, sizeof *more);
            if (count)
                memcpy(more, *out, sizeof *more * (size_t)count);
            *out = more;
        }
        (*out)[count++] = (Kept){path, st.st_size, st.st_mtim};
    }
    if (folder)
        closedir(folder);
    return count;
}

/* Removes the least recently used files until the rest fits. */
static void make_room(const Cache *c, const char *keep) {
    Kept *kept = NULL;
    int64_t total = 0;
    int count = list_kept(c, &kept);
    for (int k = 0; k < count; k++)
        total += kept[k].bytes;
    if (total <= c->limit)
        return;
    qsort(kept, (size_t)count, sizeof *kept, by_age);
    for (int k = 0; k < count && total > c->limit; k++) {
        size_t len = strlen(kept[k].path);
        bool deps = len > 5 && !strcmp(kept[k].path + len - 5, ".deps");
        if (deps || !strcmp(kept[k].path, keep) || unlink(kept[k].path))
            continue;
        total -= kept[k].bytes;
    }
}

/* ---- the whole ---- */

/* A fresh file's path in a folder. */
static const char *fresh_file(Cache *c, const char *folder) {
    char *path = region_printf(c->region, "%s/new-XXXXXX", folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return NULL;
    close(fd);
    return path;
}

/* Compiles into the cache's folder and gives the files their names. */
static GactStatus compile_and_keep(Cache *c, const char **image, bool *temporary) {
    const char *folder = c->folder ? c->folder : "/tmp";
    const char *fresh = fresh_file(c, folder), *deps = fresh_file(c, folder);
    if (!fresh || !deps)
        return error_set(c->error, GACT_INTERNAL, "cannot write to %s: %s", folder,
                         strerror(errno));
    GactStatus status = compile(c, fresh, deps);
    Reader r = {.region = c->region, .what = "cache"};
    Bytes list;
    *image = fresh;
    *temporary = true;
    if (!status && c->folder && file_read(&r, deps, &list)) {
        list = absolute_paths(c, list);
        const char *path = image_path(c, list.data, list.size);
        if (path && write_list(deps, list) && !rename(fresh, path) && !rename(deps, deps_path(c))) {
            *image = path;
            *temporary = false;
            make_room(c, path);
        }
    }
    if (status)
        unlink(fresh);
    unlink(deps);
    return status;
}

GactStatus cache_image(Region *region, const char *source, bool tests, const char **image,
                       bool *temporary, GactError *error) {
    Cache c = {
        .region = region, .source = source, .tests = tests, .limit = cache_limit(), .error = error};
    *temporary = false;
    if (access(source, R_OK))
        return error_set(error, GACT_BAD_INPUT, "%s: %s", source, strerror(errno));
    c.folder = c.limit ? cache_folder(region) : NULL;
    c.compiler = find_compiler(region);
    if (!c.compiler)
        return error_set(error, GACT_BAD_INPUT,
                         "%s: there is no gactc to compile it: set GACTC to its path", source);
    *image = c.folder ? find_kept(&c) : NULL;
    return *image ? GACT_OK : compile_and_keep(&c, image, temporary);
}
