/* Device text through the system's C++ compiler: a file in the folder of temporary files goes in, the
   bytes of a shared object come out. */
#include "emu.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATH_SIZE = 4096, ARGS = 32 };

/* Rounding as everywhere: no contraction, no fast math. Code finds its thread through a register. */
static const char *const fixed_options[] = {
    "-x", "c++", "-std=c++17", "-O1", "-fPIC", "-shared", "-ffp-contract=off", "-fno-fast-math",
    "-fno-math-errno", "-fno-strict-aliasing", "-ftls-model=initial-exec", "-fvisibility=hidden",
    "-fno-exceptions", "-fno-rtti", "-w",
};

/* ---- the compiler ---- */

static char found[PATH_SIZE];

/* The program's path if name, on PATH or with slashes, is one. */
static bool find_program(const char *name, char *path, size_t size) {
    if (strchr(name, '/')) {
        snprintf(path, size, "%s", name);
        return access(path, X_OK) == 0;
    }
    const char *folders = getenv("PATH");
    while (folders && *folders) {
        int len = (int)strcspn(folders, ":");
        snprintf(path, size, "%.*s/%s", len, folders, name);
        if (access(path, X_OK) == 0)
            return true;
        folders += len + (folders[len] == ':');
    }
    return false;
}

static void find_compiler(void) {
    const char *given = getenv("GACT_EMU_CXX");
    const char *const names[] = {"c++", "g++", "clang++", "clang++-19"};
    if (given) {
        if (!find_program(given, found, sizeof found))
            found[0] = 0;
        return;
    }
    for (int k = 0; k < (int)(sizeof names / sizeof *names); k++)
        if (find_program(names[k], found, sizeof found))
            return;
    found[0] = 0;
}

const char *emu_compiler(GactError *why) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_compiler);
    if (found[0])
        return found;
    const char *given = getenv("GACT_EMU_CXX");
    error_set(why, GACT_INTERNAL,
              "the emulated device needs a C++ compiler: %s%s", given ? "there is no " : "none of "
              "c++, g++, clang++ is on PATH", given ? given : "");
    return NULL;
}

static uint64_t hash(uint64_t h, const void *data, size_t len) {
    for (const unsigned char *p = data, *end = p + len; p < end; p++)
        h = (h ^ *p) * 0x100000001b3u;
    return h;
}

const char *emu_compile_key(const EmuOptions *options) {
    static char key[PATH_SIZE + 128];
    struct stat s = {0};
    const char *program = emu_compiler(NULL);
    if (!program)
        return "emu";
    stat(program, &s);
    uint64_t h = hash(0xcbf29ce484222325u, emu_host_text, strlen(emu_host_text));
    for (int k = 0; k < (int)(sizeof fixed_options / sizeof *fixed_options); k++)
        h = hash(h, fixed_options[k], strlen(fixed_options[k]));
    snprintf(key, sizeof key, "emu %s %lld %lld %016llx %s", program, (long long)s.st_size,
             (long long)s.st_mtime, (unsigned long long)h,
             options->sanitizer ? options->sanitizer : "");
    return key;
}

/* ---- files ---- */

/* A fresh file; the path's X are replaced. -1: none. */
static int temporary(char *path, size_t size, const char *suffix) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, size, "%s/gact-emu-XXXXXX%s", folder && *folder ? folder : "/tmp", suffix);
    return mkostemps(path, (int)strlen(suffix), O_CLOEXEC);
}

static bool write_all(int fd, const char *text, size_t len) {
    while (len) {
        ssize_t n = write(fd, text, len);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* The file's bytes with a 0 after them, from malloc; NULL: unreadable. */
static char *read_all(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    struct stat s;
    char *text = NULL;
    if (f && fstat(fileno(f), &s) == 0 && (text = malloc((size_t)s.st_size + 1))) {
        *len = fread(text, 1, (size_t)s.st_size, f);
        text[*len] = 0;
    }
    if (f)
        fclose(f);
    return text;
}

/* ---- compiling ---- */

typedef struct {
    char source[PATH_SIZE], object[PATH_SIZE], messages[PATH_SIZE];
} Files;

static bool make_files(Files *f, const char *text, size_t len) {
    *f = (Files){0};
    int source = temporary(f->source, sizeof f->source, ".cc");
    int object = temporary(f->object, sizeof f->object, ".so");
    int messages = temporary(f->messages, sizeof f->messages, ".txt");
    static const char names_text[] = "#line 1 \"device text\"\n";
    bool ok = source >= 0 && object >= 0 && messages >= 0 &&
              write_all(source, emu_host_text, strlen(emu_host_text)) &&
              write_all(source, names_text, strlen(names_text)) && write_all(source, text, len);
    for (int k = 0; k < 3; k++)
        if ((int[]){source, object, messages}[k] >= 0)
            close((int[]){source, object, messages}[k]);
    return ok;
}

static void remove_files(const Files *f) {
    unlink(f->source);
    unlink(f->object);
    unlink(f->messages);
}

static int compiler_args(const EmuOptions *options, const Files *f, char *sanitize, size_t size,
                         const char **args) {
    int n = 0;
    args[n++] = found;
    for (int k = 0; k < (int)(sizeof fixed_options / sizeof *fixed_options); k++)
        args[n++] = fixed_options[k];
    if (options->sanitizer) {
        snprintf(sanitize, size, "-fsanitize=%s", options->sanitizer);
        args[n++] = sanitize;
        args[n++] = "-fno-sanitize-recover=all";
        args[n++] = "-g";
    }
    args[n++] = "-o";
    args[n++] = f->object;
    args[n++] = f->source;
    args[n] = NULL;
    return n;
}

/* Ours without what is preloaded, which is a sanitizer for us and not for the compiler; from malloc. */
static char **compiler_environment(void) {
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **out = calloc(n + 1, sizeof *out);
    for (size_t k = 0; out && k < n; k++)
        if (strncmp(environ[k], "LD_PRELOAD=", 11) != 0)
            out[kept++] = environ[k];
    return out;
}

static bool run_compiler(const EmuOptions *options, const Files *f) {
    const char *args[ARGS];
    char sanitize[64];
    compiler_args(options, f, sanitize, sizeof sanitize, args);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 1, f->messages, O_WRONLY | O_APPEND, 0);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    pid_t pid;
    char **environment = compiler_environment();
    int failed = !environment ||
                 posix_spawn(&pid, found, &files, NULL, (char *const *)args, environment);
    free(environment);
    posix_spawn_file_actions_destroy(&files);
    int status = -1;
    return !failed && waitpid(pid, &status, 0) == pid && status == 0;
}

bool emu_compile(const EmuOptions *options, const char *text, size_t len, void **code,
                 size_t *code_len, char **log) {
    Files f;
    *code = *log = NULL;
    bool ok = emu_compiler(NULL) && make_files(&f, text, len) && run_compiler(options, &f);
    if (ok)
        ok = (*code = read_all(f.object, code_len)) != NULL;
    size_t ignored;
    *log = read_all(f.messages, &ignored);
    remove_files(&f);
    return ok;
}
