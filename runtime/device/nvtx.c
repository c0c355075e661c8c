/* The library is opened by name at the first range; GACT_NVTX may name another. */
#include "nvtx.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static struct {
    int (*push)(const char *name);
    int (*pop)(void);
} nvtx;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void open_library(void) {
    static const char *const names[] = {"libnvToolsExt.so.1", "libnvtx3interop.so.1", "libnvtx3interop.so"};
    const char *given = getenv("GACT_NVTX");
    void *handle = given && *given ? dlopen(given, RTLD_NOW | RTLD_LOCAL) : NULL;
    for (size_t k = 0; !given && !handle && k < sizeof names / sizeof *names; k++)
        handle = dlopen(names[k], RTLD_NOW | RTLD_LOCAL);
    void *push = handle ? dlsym(handle, "nvtxRangePushA") : NULL, *pop = handle ? dlsym(handle, "nvtxRangePop") : NULL;
    if (!push || !pop)
        return;
    memcpy(&nvtx.push, &push, sizeof push);
    memcpy(&nvtx.pop, &pop, sizeof pop);
}

void nvtx_push(const char *name) {
    pthread_once(&once, open_library);
    if (nvtx.push)
        nvtx.push(name);
}

void nvtx_pop(void) {
    if (nvtx.pop)
        nvtx.pop();
}
