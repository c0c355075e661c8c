/* Compiled programs, kept by content (lang/kept.h). An unchanged program starts without the
   compiler, and going back to an older version finds its image again. A damaged image is a miss. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

typedef struct {
    Region *region;
    Store store;
    Kept kept;
    GactError *error;
} Cache;

/* ---- the compiler ---- */

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

const char *cache_compiler(Region *region) {
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

/* ---- looking up ---- */

/* The path of the image that the present files would give, in the region; NULL where one cannot be
   read. *description is from malloc. */
static const char *image_path(const Cache *c, const char *files, char **description) {
    char name[STORE_NAME], path[PATH_MAX];
    *description = kept_describe(&c->kept, files);
    if (!*description)
        return NULL;
    kept_image_name(*description, name);
    return store_path(&c->store, name, path) ? region_printf(c->region, "%s", path) : NULL;
}

/* The files that the source's last compilation read, from malloc, or NULL. */
static char *recorded_files(const Cache *c) {
    char name[STORE_NAME], *record;
    size_t len;
    if (!kept_record_name(&c->kept, name) || !store_get(&c->store, name, &record, &len, NULL))
        return NULL;
    char *files = kept_files(record);
    free(record);
    return files;
}

/* The kept image, or NULL. A damaged one is removed. */
static const char *find_kept(const Cache *c) {
    char *files = recorded_files(c), *description = NULL;
    const char *path = files ? image_path(c, files, &description) : NULL;
    GactProgram *program;
    free(files);
    free(description);
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
    char *argv[] = {(char *)c->kept.compiler,
                    (char *)c->kept.source,
                    "-o",
                    (char *)image,
                    "--deps",
                    (char *)deps,
                    "-O2",
                    "--cpu=native",
                    (char *)kept_option(c->kept.part),
                    NULL,
                    NULL};
    if (c->kept.each)
        argv[c->kept.part == KEPT_ALL ? 8 : 9] =
            region_printf(c->region, "--each=%s", c->kept.each);
    pid_t pid;
    int wait_status;
    fflush(NULL);
    int failed = posix_spawn(&pid, c->kept.compiler, NULL, NULL, argv, environ);
    if (failed)
        return error_set(c->error, GACT_BAD_INPUT, "cannot run %s: %s", c->kept.compiler,
                         strerror(failed));
    while (waitpid(pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return error_set(c->error, GACT_INTERNAL, "cannot wait for %s: %s", c->kept.compiler,
                             strerror(errno));
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
        return GACT_OK;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) < 3)
        return error_set(c->error, GACT_BAD_INPUT, "%s does not compile", c->kept.source);
    return error_set(c->error, GACT_INTERNAL, "%s failed", c->kept.compiler);
}

/* ---- the whole ---- */

/* Records what a source's image is made of, and in the note what the one before it was made of. */
static bool put_record(const Cache *c, const char *description) {
    char name[STORE_NAME], *before = NULL;
    size_t len;
    if (!kept_record_name(&c->kept, name))
        return false;
    bool known = store_peek(&c->store, name, &before, &len, NULL);
    bool kept = store_put(&c->store, name, description, strlen(description), known ? before : "");
    free(before);
    return kept;
}

/* Gives a fresh image its name, and records what it is made of. Returns its path, or NULL. */
static const char *keep(const Cache *c, const char *fresh, const char *deps) {
    Reader r = {.region = c->region, .what = "cache"};
    Bytes list;
    char name[STORE_NAME], *description = NULL;
    if (!*c->store.folder || !file_read(&r, deps, &list))
        return NULL;
    const char *path = image_path(c, region_copy(c->region, list.data, list.size), &description);
    bool kept = path && put_record(c, description) && !rename(fresh, path);
    if (kept) {
        kept_image_name(description, name);
        store_trim(&c->store, c->store.limit, name);
    }
    free(description);
    return kept ? path : NULL;
}

/* Compiles into the cache's folder and gives the files their names. */
static GactStatus compile_and_keep(Cache *c, const char **image, bool *temporary) {
    const char *folder = *c->store.folder ? c->store.folder : "/tmp";
    char *fresh = region_alloc(c->region, PATH_MAX), deps[PATH_MAX];
    if (!store_fresh(folder, fresh) || !store_fresh(folder, deps))
        return error_set(c->error, GACT_INTERNAL, "cannot write to %s: %s", folder,
                         strerror(errno));
    GactStatus status = compile(c, fresh, deps);
    const char *kept = status ? NULL : keep(c, fresh, deps);
    *image = kept ? kept : fresh;
    *temporary = !kept;
    if (status)
        unlink(fresh);
    unlink(deps);
    return status;
}

GactStatus cache_image(Region *region, const char *source, KeptPart part, const char *each,
                       const char **image, bool *temporary, GactError *error) {
    Cache c = {.region = region, .error = error};
    *temporary = false;
    if (access(source, R_OK))
        return error_set(error, GACT_BAD_INPUT, "%s: %s", source, strerror(errno));
    store_open(&c.store);
    c.kept =
        (Kept){.source = source, .compiler = cache_compiler(region), .part = part, .each = each};
    if (!c.kept.compiler)
        return error_set(error, GACT_BAD_INPUT,
                         "%s: there is no gactc to compile it: set GACTC to its path", source);
    *image = find_kept(&c);
    return *image ? GACT_OK : compile_and_keep(&c, image, temporary);
}
