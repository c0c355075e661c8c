/* Finding libnvrtc and calling it. The library is never closed: it is large, and its threads and
   handlers outlive a compilation. */
#include "nvrtc.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct NvrtcProgram *Program;

/* The functions, as nvrtc.h declares them; a result of 0 is success. */
#define FUNCTIONS(X)                                                                               \
    X(Version, int, (int *major, int *minor))                                                      \
    X(GetNumSupportedArchs, int, (int *count))                                                     \
    X(GetSupportedArchs, int, (int *archs))                                                        \
    X(CreateProgram, int,                                                                          \
      (Program * program, const char *text, const char *name, int headers,                         \
       const char *const *header_texts, const char *const *header_names))                          \
    X(CompileProgram, int, (Program program, int count, const char *const *options))               \
    X(DestroyProgram, int, (Program * program))                                                    \
    X(GetPTXSize, int, (Program program, size_t * size))                                           \
    X(GetPTX, int, (Program program, char *text))                                                  \
    X(GetCUBINSize, int, (Program program, size_t * size))                                         \
    X(GetCUBIN, int, (Program program, char *code))                                                \
    X(GetProgramLogSize, int, (Program program, size_t * size))                                    \
    X(GetProgramLog, int, (Program program, char *log))                                            \
    X(GetErrorString, const char *, (int result))

static struct {
#define FIELD(name, result, parameters) result(*name) parameters;
    FUNCTIONS(FIELD)
#undef FIELD
} nvrtc;

/* Filled once, by search(). */
static struct {
    NvrtcInfo info;
    char path[PATH_MAX];
    char why[1024];
    bool found;
} library;
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* The newest major version to take, if there is one. */
static _Atomic int32_t preferred = INT32_MAX;

/* ---- finding the library ---- */

/* Names for the loader, and patterns of paths, newest versions last; the variable, if any, is the
   folder that a pattern starts in. */
static const struct {
    const char *variable, *pattern;
} places[] = {
    {NULL, "libnvrtc.so.13"},
    {NULL, "libnvrtc.so.12"},
    {NULL, "libnvrtc.so.11.2"},
    {NULL, "/usr/local/cuda/lib64/libnvrtc.so.1*"},
    {"CUDA_HOME", "/lib64/libnvrtc.so.1*"},
    {"VIRTUAL_ENV", "/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1*"},
    {"CONDA_PREFIX", "/lib/libnvrtc.so.1*"},
    {"HOME", "/.local/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1*"},
    {NULL, "/usr/local/lib/python3*/dist-packages/nvidia/*/lib/libnvrtc.so.1*"},
    {NULL, "/usr/local/lib/python3*/site-packages/nvidia/*/lib/libnvrtc.so.1*"},
    {NULL, "/usr/lib/python3*/dist-packages/nvidia/*/lib/libnvrtc.so.1*"},
};
enum { PLACES = sizeof places / sizeof *places, MOST_ARCHS = 64 };

static bool take_functions(void *handle) {
#define TAKE(name, result, parameters)                                                             \
    {                                                                                              \
        void *symbol = dlsym(handle, "nvrtc" #name);                                               \
        if (!symbol)                                                                               \
            return false;                                                                          \
        memcpy(&nvrtc.name, &symbol, sizeof symbol);                                               \
    }
    FUNCTIONS(TAKE)
#undef TAKE
    return true;
}

/* The library has no path of its own to its second half, which it opens by name when it compiles:
   opened here from the same folder, it is found wherever the first half was. */
static void open_builtins(void) {
    char path[PATH_MAX];
    const char *slash = strrchr(library.path, '/');
    int folder = slash ? (int)(slash - library.path) + 1 : 0;
    int len = snprintf(path, sizeof path, "%.*slibnvrtc-builtins.so.%d.%d", folder, library.path,
                       library.info.major, library.info.minor);
    if (folder && len < (int)sizeof path)
        dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static bool ask_archs(void) {
    static int32_t archs[MOST_ARCHS];
    int count = 0;
    if (nvrtc.GetNumSupportedArchs(&count) || count < 1 || count > MOST_ARCHS ||
        nvrtc.GetSupportedArchs(archs))
        return false;
    library.info.archs = archs;
    library.info.narchs = count;
    return true;
}

/* Opens one library of at most a major version and asks what it can do; false leaves a reason. */
static bool open_library(const char *name, int32_t newest) {
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    struct link_map *map;
    if (!handle) {
        snprintf(library.why, sizeof library.why, "%s", dlerror());
        return false;
    }
    int major, minor;
    if (!take_functions(handle) || nvrtc.Version(&major, &minor)) {
        snprintf(library.why, sizeof library.why, "%s is no libnvrtc of version 11.2 or later",
                 name);
        dlclose(handle);
        return false;
    }
    if (major > newest) {
        dlclose(handle);
        return false;
    }
    const char *path = dlinfo(handle, RTLD_DI_LINKMAP, &map) ? name : map->l_name;
    snprintf(library.path, sizeof library.path, "%s", path);
    library.info = (NvrtcInfo){.path = library.path, .major = major, .minor = minor};
    open_builtins();
    if (!ask_archs()) {
        snprintf(library.why, sizeof library.why, "%s does not tell its architectures", name);
        return false;
    }
    return true;
}

/* The files of a pattern, the last first. */
static bool open_pattern(const char *variable, const char *pattern, int32_t newest) {
    const char *base = variable ? getenv(variable) : "";
    char path[PATH_MAX];
    glob_t files;
    if (!base || (variable && *base != '/') ||
        snprintf(path, sizeof path, "%s%s", base, pattern) >= (int)sizeof path)
        return false;
    if (!strchr(path, '/'))
        return open_library(path, newest);
    bool opened = false;
    if (!glob(path, 0, NULL, &files))
        for (size_t k = files.gl_pathc; k-- > 0 && !opened;)
            opened = open_library(files.gl_pathv[k], newest);
    globfree(&files);
    return opened;
}

static void search(void) {
    const char *given = getenv("GACT_NVRTC");
    if (given && *given) {
        library.found = open_library(given, INT32_MAX);
        return;
    }
    for (int k = 0; k < PLACES && !library.found; k++)
        library.found = open_pattern(places[k].variable, places[k].pattern, preferred);
    for (int k = 0; k < PLACES && !library.found && preferred < INT32_MAX; k++)
        library.found = open_pattern(places[k].variable, places[k].pattern, INT32_MAX);
    if (!library.found)
        snprintf(library.why, sizeof library.why,
                 "libnvrtc is neither known to the loader nor in /usr/local/cuda or a Python "
                 "package; GACT_NVRTC may name it");
}

void nvrtc_prefer(int32_t major) {
    preferred = major;
}

const NvrtcInfo *nvrtc_find(const char **why) {
    pthread_once(&once, search);
    if (library.found)
        return &library.info;
    if (why)
        *why = library.why;
    return NULL;
}

bool nvrtc_supports(const NvrtcInfo *info, int32_t arch) {
    for (int32_t k = 0; k < info->narchs; k++)
        if (info->archs[k] == arch)
            return true;
    return false;
}

/* ---- compiling ---- */

/* Products and sums are contracted only where gact's compiler says so. --minimal leaves out what
   the texts do not use and saves milliseconds; libraries before 12.4 do not know it. */
#define FMAD    "--fmad=false"
#define STD     "--std=c++17"
#define MINIMAL "--minimal"
enum { MOST_OPTIONS = 4 };

const char *nvrtc_options(void) {
    return FMAD " " STD " " MINIMAL;
}

static int list_options(const NvrtcInfo *info, const char *arch, const char **options) {
    int count = 0;
    options[count++] = arch;
    options[count++] = FMAD;
    options[count++] = STD;
    if (info->major > 12 || (info->major == 12 && info->minor >= 4))
        options[count++] = MINIMAL;
    return count;
}

/* "CALL: REASON", and the compiler's messages on lines of their own. */
static void fail(NvrtcResult *result, const char *call, const char *reason, const char *messages) {
    char *text;
    if (asprintf(&text, "%s: %s%s%s", call, reason, *messages ? "\n" : "", messages) < 0)
        text = NULL;
    free(result->log);
    result->log = text;
}

static char *read_log(Program program) {
    size_t size = 0;
    if (nvrtc.GetProgramLogSize(program, &size) || size < 2)
        return NULL;
    char *log = calloc(1, size + 1);
    if (log && nvrtc.GetProgramLog(program, log))
        *log = 0;
    for (size_t len = log ? strlen(log) : 0; len && log[len - 1] == '\n';)
        log[--len] = 0;
    return log;
}

static bool read_code(Program program, NvrtcForm form, NvrtcResult *result) {
    bool is_ptx = form == NVRTC_PTX;
    size_t size = 0;
    int failed = is_ptx ? nvrtc.GetPTXSize(program, &size) : nvrtc.GetCUBINSize(program, &size);
    char *code = failed ? NULL : calloc(1, size + 1);
    if (code)
        failed = is_ptx ? nvrtc.GetPTX(program, code) : nvrtc.GetCUBIN(program, code);
    if (failed || !code) {
        fail(result, is_ptx ? "nvrtcGetPTX" : "nvrtcGetCUBIN",
             failed ? nvrtc.GetErrorString(failed) : "no memory", "");
        free(code);
        return false;
    }
    result->code = code;
    result->len = is_ptx ? strlen(code) : size;
    return true;
}

bool nvrtc_compile(const NvrtcUnit *unit, NvrtcResult *result) {
    const char *why, *options[MOST_OPTIONS];
    char arch[40];
    Program program = NULL;
    const NvrtcInfo *info = nvrtc_find(&why);
    *result = (NvrtcResult){0};
    if (!info) {
        fail(result, "libnvrtc", why, "");
        return false;
    }
    snprintf(arch, sizeof arch, "--gpu-architecture=%s_%d",
             unit->form == NVRTC_PTX ? "compute" : "sm", unit->arch);
    int count = list_options(info, arch, options);
    int failed = nvrtc.CreateProgram(&program, unit->text, unit->name, 0, NULL, NULL);
    if (failed) {
        fail(result, "nvrtcCreateProgram", nvrtc.GetErrorString(failed), "");
        return false;
    }
    failed = nvrtc.CompileProgram(program, count, options);
    result->log = read_log(program);
    if (failed)
        fail(result, "nvrtcCompileProgram", nvrtc.GetErrorString(failed),
             result->log ? result->log : "");
    bool good = !failed && read_code(program, unit->form, result);
    nvrtc.DestroyProgram(&program);
    return good;
}
