/* libnvrtc does it where it is at hand. clang makes the same PTX but for its scheduling, and is
   free software; it gets the text with clang.cuh before it and needs no file of NVIDIA's. Text,
   code and messages go through files without a name. */
#include "nvrtc_emit.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
extern const char cuda_clang_text[]; /* clang.cuh */

enum { CLANG_OLDEST = 75, CLANG_NEWEST = 90 }; /* architectures; PTX runs on later ones, too */

static bool fail(NvrtcResult *result, const char *what, const char *why) {
    char *text;
    free(result->log);
    result->log = asprintf(&text, "%s: %s", what, why) < 0 ? NULL : text;
    return false;
}

/* ---- files without a name ---- */

typedef struct {
    int text, code, messages;
} Files;

static bool put(int fd, const char *text) {
    for (size_t len = strlen(text); len;) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* The whole content with a NUL behind it, from malloc; NULL if it is empty. */
static char *content(int fd, size_t *len) {
    struct stat st;
    char *text = fstat(fd, &st) || !st.st_size ? NULL : calloc(1, (size_t)st.st_size + 1);
    *len = text ? (size_t)st.st_size : 0;
    if (text && pread(fd, text, *len, 0) != (ssize_t)*len) {
        free(text);
        text = NULL;
    }
    return text;
}

static bool open_files(Files *f, const NvrtcUnit *unit) {
    f->text = memfd_create("text", MFD_CLOEXEC);
    f->code = memfd_create("code", MFD_CLOEXEC);
    f->messages = memfd_create("messages", MFD_CLOEXEC);
    return f->text >= 0 && f->code >= 0 && f->messages >= 0 && put(f->text, cuda_clang_text) &&
           dprintf(f->text, "#line 1 \"%s\"\n", unit->name) > 0 && put(f->text, unit->text) &&
           !lseek(f->text, 0, SEEK_SET);
}

static void close_files(const Files *f) {
    const int all[] = {f->text, f->code, f->messages};
    for (int k = 0; k < 3; k++)
        if (all[k] >= 0)
            close(all[k]);
}

/* ---- clang ---- */

/* Runs one program of that name; its exit status, or -1 where there is none. */
static int run(const char *name, const char *arch, const char *feature, const Files *f) {
    const char *argv[] = {name,
                          "-x",
                          "cuda",
                          "--cuda-device-only",
                          arch,
                          feature,
                          "-nocudainc",
                          "-nocudalib",
                          "--cuda-path=/nonexistent",
                          "-std=c++17",
                          "-O2",
                          "-ffp-contract=off",
                          "-w",
                          "-S",
                          "-o",
                          "-",
                          "-",
                          NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, f->text, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, f->code, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, f->messages, STDERR_FILENO);
    int failed = posix_spawnp(&pid, name, &actions, NULL, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

/* The first that is there; its exit status, or -1. */
static int run_any(int32_t arch, const Files *f) {
    static const char *const names[] = {"clang++-19", "clang++-20", "clang++-21", "clang++"};
    const char *given = getenv("GACT_CLANG");
    char arch_option[40];
    int32_t known = arch > CLANG_NEWEST ? CLANG_NEWEST : arch;
    snprintf(arch_option, sizeof arch_option, "--cuda-gpu-arch=sm_%d", known);
    /* The least version of PTX that knows the architecture, for drivers that are not the newest. */
    const char *feature = known >= 87 ? "--cuda-feature=+ptx78" : "--cuda-feature=+ptx71";
    if (given && *given)
        return run(given, arch_option, feature, f);
    int status = -1;
    for (size_t k = 0; k < sizeof names / sizeof *names && status < 0; k++)
        status = run(names[k], arch_option, feature, f);
    return status;
}

static bool compile_by_clang(const NvrtcUnit *unit, const char *why, NvrtcResult *result) {
    Files f = {-1, -1, -1};
    if (unit->arch < CLANG_OLDEST)
        return fail(result, "clang", "GPUs before sm_75 are not supported");
    int status = open_files(&f, unit) ? run_any(unit->arch, &f) : -1;
    size_t len;
    if (status == 0)
        result->code = content(f.code, &result->len);
    if (status > 0)
        result->log = content(f.messages, &len);
    close_files(&f);
    if (status < 0)
        return fail(result, "PTX needs libnvrtc or clang 19, and neither is here", why);
    if (!result->code && !result->log)
        return fail(result, "clang", "it failed without a word");
    return result->code != NULL;
}

bool gact_cuda_compile(const NvrtcUnit *unit, NvrtcResult *result) {
    const char *why;
    if (nvrtc_find(&why))
        return nvrtc_compile(unit, result);
    *result = (NvrtcResult){0};
    if (unit->form == NVRTC_PTX)
        return compile_by_clang(unit, why, result);
    return fail(result, "code of one architecture needs libnvrtc", why);
}
