/* Compiles files of device text (gactc --emit=cuda) for GPUs: units FILE… compiles the kernels of each for one of the
   architectures that are promised, by turns, and those of short files for all. Kernels that differ from an earlier one
   by their name alone are left out. By libnvrtc to code for the GPU, by clang to PTX where there is no libnvrtc;
   status 77 where there is neither. Says what failed and what time the processor took. */
#include "codegen/cuda/nvrtc_emit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int32_t archs[] = {75, 80, 90, 100, 120};
static const char mark[] = "\n// kernel "; /* what stands before each, and its name */
enum { ARCHS = sizeof archs / sizeof *archs, THREADS = 2, SHORT = 5 };

typedef struct {
    const char *path;
    char *text; /* the prelude and the kernels that are new */
    int kernels;
} Unit;

static struct {
    Unit *units;
    int n, kernels;
    uint64_t *seen; /* hashes of kernels */
    NvrtcForm form;
    _Atomic int next, failures, compiled;
} work;

/* The file's text from malloc; NULL: unreadable. */
static char *read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0, room = 0;
    while (f && !feof(f)) {
        if (size + 1 >= room && !(text = realloc(text, room = room * 2 + 65536)))
            break;
        size += fread(text + size, 1, room - size - 1, f);
    }
    if (text)
        text[size] = 0;
    if (f)
        fclose(f);
    return text;
}

/* A hash of a kernel's text [from, to) without its name. */
static uint64_t hash_of(const char *from, const char *to, const char *name, size_t len) {
    uint64_t h = 0xcbf29ce484222325u;
    for (; from < to; from++) {
        if ((size_t)(to - from) >= len && !memcmp(from, name, len))
            from += len - 1;
        else
            h = (h ^ (unsigned char)*from) * 0x100000001b3u;
    }
    return h;
}

static bool is_new(uint64_t hash) {
    for (int k = 0; k < work.kernels; k++)
        if (work.seen[k] == hash)
            return false;
    uint64_t *seen = realloc(work.seen, sizeof *seen * (size_t)(work.kernels + 1));
    if (!seen)
        return true;
    work.seen = seen;
    work.seen[work.kernels++] = hash;
    return true;
}

/* Takes the kernels that there were before out of the text. */
static void drop_known(Unit *u) {
    char *at = strstr(u->text, mark), *end = at;
    while (at) {
        const char *name = at + strlen(mark), *next = strstr(name, mark);
        if (!next)
            next = name + strlen(name);
        if (is_new(hash_of(at, next, name, strcspn(name, "\n")))) {
            memmove(end, at, (size_t)(next - at));
            end += next - at;
            u->kernels++;
        }
        at = *next ? (char *)next : NULL;
    }
    if (end)
        *end = 0;
}

static bool take_units(char **paths, int n) {
    work.units = calloc((size_t)n + 1, sizeof *work.units);
    for (int k = 0; k < n; k++) {
        Unit u = {.path = paths[k], .text = read_text(paths[k])};
        if (!u.text || !work.units) {
            fprintf(stderr, "cannot read %s\n", paths[k]);
            return false;
        }
        drop_known(&u);
        if (u.kernels)
            work.units[work.n++] = u;
        else
            free(u.text);
    }
    return true;
}

static void compile(const Unit *u, int32_t arch) {
    NvrtcUnit unit = {.text = u->text, .name = u->path, .arch = arch, .form = work.form};
    NvrtcResult result = {0};
    work.compiled++;
    if (!gact_cuda_compile(&unit, &result)) {
        work.failures++;
        printf("%s does not compile for sm_%d:\n%.2000s\n", u->path, arch, result.log ? result.log : "");
    }
    free(result.code);
    free(result.log);
}

static void *compile_some(void *arg) {
    const NvrtcInfo *info = nvrtc_find(NULL);
    for (int k = work.next++; k < work.n * ARCHS; k = work.next++) {
        int unit = k / ARCHS, arch = k % ARCHS;
        bool wanted = unit % ARCHS == arch || work.units[unit].kernels <= SHORT;
        if (wanted && (!info || nvrtc_supports(info, archs[arch])))
            compile(&work.units[unit], archs[arch]);
    }
    return arg;
}

static bool can_compile(void) {
    NvrtcUnit unit = {.text = "\n", .name = "empty.cu", .arch = 90, .form = NVRTC_PTX};
    NvrtcResult result = {0};
    bool can = gact_cuda_compile(&unit, &result);
    if (!can)
        printf("skipped: %s\n", result.log ? result.log : "nothing here makes code for GPUs");
    free(result.code);
    free(result.log);
    return can;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: units FILE...\n");
        return 2;
    }
    if (!can_compile())
        return 77;
    work.form = nvrtc_find(NULL) ? NVRTC_CUBIN : NVRTC_PTX;
    if (!take_units(argv + 1, argc - 1))
        return 2;
    pthread_t threads[THREADS];
    for (int k = 0; k < THREADS; k++)
        if (pthread_create(&threads[k], NULL, compile_some, NULL) != 0)
            return 2;
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
    printf("%d compilations of %d units with %d kernels by %s, %d failed, %.1f s of the processor\n", work.compiled,
           work.n, work.kernels, nvrtc_find(NULL) ? "libnvrtc" : "clang", work.failures, (double)clock() / CLOCKS_PER_SEC);
    return work.failures > 0;
}
