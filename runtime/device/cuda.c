/* The device `cuda`: a GPU of NVIDIA's through libcuda, opened by name with prototypes of our own
   (cuda.def), so that nothing of CUDA is needed to build or to start.

   A device uses the primary context of its GPU, as other libraries in the process do, and makes it
   current around each call alone: the program that embeds the runtime keeps its own. Its streams do
   not wait for the default stream. Memory comes from the driver's pool where there is one. It is
   taken on a stream that carries nothing else, and waited for, so that both working streams may use
   it at once; it is given back on another, which waits for the work issued so far, so that neither
   call stops the GPU. */
#include "device.h"

#include "../../lang/nvrtc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct CUctx_st *CuContext;
typedef struct CUmod_st *CuModule;
typedef struct CUfunc_st *CuFunction;
typedef struct CUstream_st *CuStream;
typedef struct CUevent_st *CuEvent;
typedef struct CUgraph_st *CuGraph;
typedef struct CUgraphNode_st *CuNode;
typedef struct CUgraphExec_st *CuGraphExec;
typedef unsigned long long CuPtr;

/* Of cuda.h: CUDA_KERNEL_NODE_PARAMS and CUDA_MEMSET_NODE_PARAMS in their first versions. */
typedef struct {
    CuFunction f;
    unsigned grid[3], block[3], shared_bytes;
    void **params, **extra;
} CuKernelNode;
typedef struct {
    CuPtr to;
    size_t pitch;
    unsigned value, element_size;
    size_t width, height;
} CuMemsetNode;

/* Of cuda.h. */
enum {
    CU_OUT_OF_MEMORY = 2,
    CU_STREAM_NON_BLOCKING = 1,
    CU_EVENT_DISABLE_TIMING = 2,
    CU_CLOCK_KHZ = 13,
    CU_UNITS = 16,
    CU_MEMORY_KHZ = 36,
    CU_BUS_BITS = 37,
    CU_THREADS_PER_UNIT = 39,
    CU_ARCH_MAJOR = 75,
    CU_ARCH_MINOR = 76,
    CU_SHARED_PER_BLOCK_OPTIN = 97,
    CU_MEMORY_POOLS = 115,
    CU_MAX_DYNAMIC_SHARED = 8,
    CU_JIT_ERROR_LOG = 5,
    CU_JIT_ERROR_LOG_BYTES = 6
};

enum { SHARED_FREE = 48 << 10 }; /* dynamic shared memory that needs no asking */

static struct {
#define CUDA(name, symbol, parameters)       int(*name) parameters;
#define CUDA_NEWER(name, symbol, parameters) int(*name) parameters;
#include "cuda.def"
} cu;

/* Filled once, by load_driver(). */
static struct {
    bool loaded;
    int version;
    char why[512];
} driver;
static pthread_once_t once = PTHREAD_ONCE_INIT;

struct DeviceFunc {
    DeviceFunc *next;
    CuFunction handle;
    int32_t shared; /* the most dynamic shared memory that was asked for */
    char name[];
};

struct DeviceModule {
    CuModule handle;
    DeviceFunc *functions; /* those that were looked up; under the lock */
};

typedef struct {
    int device;
    CuContext context;
    CuStream streams[DEVICE_STREAMS];
    CuStream fresh, stale; /* memory is taken on one and given back on the other */
    CuEvent marks[DEVICE_MARKS], order;
    bool pooled;
    int32_t arch;         /* 90 for sm_90 */
    pthread_mutex_t lock; /* of modules' lists, key and error */
    char key[256];
} Cuda;

/* ---- the driver ---- */

static bool take_functions(void *handle) {
    void *symbol;
#define CUDA_NEWER(name, symbol_name, parameters)                                                  \
    symbol = dlsym(handle, #symbol_name);                                                          \
    memcpy(&cu.name, &symbol, sizeof symbol);
#define CUDA(name, symbol_name, parameters)                                                        \
    CUDA_NEWER(name, symbol_name, parameters)                                                      \
    if (!symbol) {                                                                                 \
        snprintf(driver.why, sizeof driver.why,                                                    \
                 "libcuda has no " #symbol_name                                                    \
                 ": the driver is too old; CUDA 11.2 is the least");                               \
        return false;                                                                              \
    }
#include "cuda.def"
    return true;
}

static void describe(int result, const char *call, char *text, size_t size) {
    const char *name = NULL, *words = NULL;
    if (cu.GetErrorName(result, &name) || !name)
        name = "unknown error";
    if (cu.GetErrorString(result, &words) || !words)
        words = "the driver has no words for it";
    snprintf(text, size, "%s: %s (%d): %s", call, name, result, words);
}

static void load_driver(void) {
    const char *given = getenv("GACT_CUDA");
    bool is_given = given && *given;
    void *handle = dlopen(is_given ? given : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!handle && !is_given)
        handle = dlopen("libcuda.so", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(driver.why, sizeof driver.why, "NVIDIA's driver is not installed: %s", dlerror());
        return;
    }
    if (!take_functions(handle))
        return;
    int failed = cu.Init(0);
    if (failed) {
        describe(failed, "cuInit", driver.why, sizeof driver.why);
        return;
    }
    driver.loaded = !cu.DriverGetVersion(&driver.version);
    if (driver.loaded)
        nvrtc_prefer(driver.version / 1000);
}

static int32_t cuda_count(GactError *why) {
    pthread_once(&once, load_driver);
    if (!driver.loaded) {
        error_set(why, GACT_BAD_INPUT, "%s", driver.why);
        return 0;
    }
    int count = 0, failed = cu.DeviceGetCount(&count);
    if (failed) {
        char text[DEVICE_ERROR];
        describe(failed, "cuDeviceGetCount", text, sizeof text);
        error_set(why, GACT_BAD_INPUT, "%s", text);
        return 0;
    }
    if (count == 0)
        error_set(why, GACT_BAD_INPUT, "the driver finds no GPU");
    return count;
}

/* ---- calls ---- */

static Cuda *cuda_of(Device *d) {
    return d->state;
}

__attribute__((format(printf, 2, 3))) static DeviceStatus fail(Device *d, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    pthread_mutex_lock(&cuda_of(d)->lock);
    vsnprintf(d->error, sizeof d->error, fmt, args);
    pthread_mutex_unlock(&cuda_of(d)->lock);
    va_end(args);
    return DEVICE_FAILED;
}

static DeviceStatus status_of(Device *d, const char *call, int result) {
    if (!result)
        return DEVICE_OK;
    char text[DEVICE_ERROR];
    describe(result, call, text, sizeof text);
    fail(d, "%s", text);
    return result == CU_OUT_OF_MEMORY ? DEVICE_NO_MEMORY : DEVICE_FAILED;
}

static bool enter(Device *d) {
    return !status_of(d, "cuCtxPushCurrent", cu.CtxPushCurrent(cuda_of(d)->context));
}

static DeviceStatus leave(Device *d, const char *call, int result) {
    CuContext popped;
    cu.CtxPopCurrent(&popped);
    return status_of(d, call, result);
}

/* A call of libcuda with the device's context current. */
#define CU(d, name, ...) (enter(d) ? leave(d, "cu" #name, cu.name(__VA_ARGS__)) : DEVICE_FAILED)

/* ---- opening ---- */

static DeviceStatus read_attributes(Device *d) {
    Cuda *c = cuda_of(d);
    int major = 0, minor = 0, pools = 0;
    DeviceStatus status = CU(d, DeviceGetAttribute, &major, CU_ARCH_MAJOR, c->device);
    if (!status)
        status = CU(d, DeviceGetAttribute, &minor, CU_ARCH_MINOR, c->device);
    if (!status && cu.MemAllocAsync && cu.MemFreeAsync)
        status = CU(d, DeviceGetAttribute, &pools, CU_MEMORY_POOLS, c->device);
    c->arch = major * 10 + minor;
    c->pooled = pools != 0;
    return status;
}

static DeviceStatus make_streams(Device *d) {
    Cuda *c = cuda_of(d);
    DeviceStatus status = DEVICE_OK;
    for (int k = 0; k < DEVICE_STREAMS && !status; k++)
        status = CU(d, StreamCreate, &c->streams[k], CU_STREAM_NON_BLOCKING);
    if (!status)
        status = CU(d, StreamCreate, &c->fresh, CU_STREAM_NON_BLOCKING);
    if (!status)
        status = CU(d, StreamCreate, &c->stale, CU_STREAM_NON_BLOCKING);
    for (int k = 0; k < DEVICE_MARKS && !status; k++)
        status = CU(d, EventCreate, &c->marks[k], 0);
    return status ? status : CU(d, EventCreate, &c->order, CU_EVENT_DISABLE_TIMING);
}

static void destroy_stream(Device *d, CuStream stream) {
    if (stream)
        CU(d, StreamDestroy, stream);
}

static void destroy_event(Device *d, CuEvent event) {
    if (event)
        CU(d, EventDestroy, event);
}

static void cuda_close(Device *d) {
    Cuda *c = cuda_of(d);
    for (int k = 0; k < DEVICE_STREAMS; k++)
        destroy_stream(d, c->streams[k]);
    destroy_stream(d, c->fresh);
    destroy_stream(d, c->stale);
    for (int k = 0; k < DEVICE_MARKS; k++)
        destroy_event(d, c->marks[k]);
    destroy_event(d, c->order);
    if (c->context)
        cu.DevicePrimaryCtxRelease(c->device);
    pthread_mutex_destroy(&c->lock);
    free(c);
    free(d);
}

static DeviceStatus open_state(Device *d) {
    Cuda *c = cuda_of(d);
    DeviceStatus status = status_of(d, "cuDeviceGet", cu.DeviceGet(&c->device, d->ordinal));
    if (!status)
        status = status_of(d, "cuDevicePrimaryCtxRetain",
                           cu.DevicePrimaryCtxRetain(&c->context, c->device));
    if (!status)
        status = read_attributes(d);
    return status ? status : make_streams(d);
}

static DeviceStatus cuda_open(int32_t ordinal, Device **out, GactError *error) {
    int32_t count = cuda_count(error);
    *out = NULL;
    if (count == 0)
        return DEVICE_FAILED;
    if (ordinal < 0 || ordinal >= count) {
        error_set(error, GACT_BAD_INPUT, "there is no GPU %d; there %s %d, counted from 0", ordinal,
                  count == 1 ? "is" : "are", count);
        return DEVICE_FAILED;
    }
    Device *d = calloc(1, sizeof *d);
    Cuda *c = calloc(1, sizeof *c);
    if (!d || !c) {
        free(d);
        free(c);
        error_set(error, GACT_INTERNAL, "no memory for a device");
        return DEVICE_NO_MEMORY;
    }
    *d = (Device){.table = &device_cuda, .ordinal = ordinal, .state = c};
    pthread_mutex_init(&c->lock, NULL);
    DeviceStatus status = open_state(d);
    if (status) {
        error_set(error, GACT_BAD_INPUT, "%s", d->error);
        cuda_close(d);
        return status;
    }
    *out = d;
    return DEVICE_OK;
}

static DeviceStatus attribute(Device *d, int which, int32_t *value) {
    int number = 0;
    DeviceStatus status = CU(d, DeviceGetAttribute, &number, which, cuda_of(d)->device);
    *value = number;
    return status;
}

/* What placement begins with; a driver that does not tell leaves a guess. */
static void read_speeds(Device *d, DeviceInfo *info) {
    enum { SLOW_KHZ = 1000000 };
    int32_t memory_khz = 0, bits = 0;
    if (attribute(d, CU_CLOCK_KHZ, &info->clock) || info->clock <= 0)
        info->clock = SLOW_KHZ;
    if (attribute(d, CU_MEMORY_KHZ, &memory_khz) || attribute(d, CU_BUS_BITS, &bits))
        memory_khz = 0;
    info->bandwidth = (int64_t)memory_khz * 1000 * 2 * (bits / 8); /* two words a cycle */
    if (info->bandwidth <= 0)
        info->bandwidth = (int64_t)200 * 1000000000;
}

static DeviceStatus cuda_info(Device *d, DeviceInfo *info) {
    Cuda *c = cuda_of(d);
    size_t unused = 0, total = 0;
    *info = (DeviceInfo){.driver = driver.version};
    snprintf(info->arch, sizeof info->arch, "sm_%d", c->arch);
    DeviceStatus status = CU(d, DeviceGetName, info->name, (int)sizeof info->name, c->device);
    if (!status)
        status = attribute(d, CU_UNITS, &info->units);
    if (!status)
        status = attribute(d, CU_THREADS_PER_UNIT, &info->threads_per_unit);
    if (!status)
        status = attribute(d, CU_SHARED_PER_BLOCK_OPTIN, &info->shared_per_block);
    if (!status)
        status = CU(d, MemGetInfo, &unused, &total);
    info->memory = (int64_t)total;
    info->free = (int64_t)unused;
    if (!status)
        read_speeds(d, info);
    return status;
}

/* ---- memory ---- */

static DeviceStatus wait_for(Device *d, CuStream waits, CuStream works) {
    DeviceStatus status = CU(d, EventRecord, cuda_of(d)->order, works);
    return status ? status : CU(d, StreamWaitEvent, waits, cuda_of(d)->order, 0);
}

static DeviceStatus take_pooled(Device *d, size_t bytes, CuPtr *p) {
    Cuda *c = cuda_of(d);
    DeviceStatus status = CU(d, MemAllocAsync, p, bytes, c->fresh);
    if (status == DEVICE_NO_MEMORY) { /* what is being given back may be enough */
        status = CU(d, StreamSynchronize, c->stale);
        if (!status)
            status = CU(d, MemAllocAsync, p, bytes, c->fresh);
    }
    return status ? status : CU(d, StreamSynchronize, c->fresh);
}

static DeviceStatus cuda_alloc(Device *d, int64_t bytes, DevicePtr *out) {
    CuPtr p = 0;
    size_t size = bytes > 0 ? (size_t)bytes : 1;
    DeviceStatus status = cuda_of(d)->pooled ? take_pooled(d, size, &p) : CU(d, MemAlloc, &p, size);
    *out = status ? 0 : p;
    return status;
}

/* What goes wrong here went wrong before, and the next sync tells it. */
static void cuda_free(Device *d, DevicePtr p) {
    Cuda *c = cuda_of(d);
    if (!p)
        return;
    for (int k = 0; k < DEVICE_STREAMS; k++)
        if (c->pooled)
            wait_for(d, c->stale, c->streams[k]);
        else
            CU(d, StreamSynchronize, c->streams[k]);
    if (c->pooled)
        CU(d, MemFreeAsync, p, c->stale);
    else
        CU(d, MemFree, p);
}

static DeviceStatus cuda_copy_in(Device *d, int32_t stream, DevicePtr to, const void *from,
                                 int64_t bytes) {
    return CU(d, MemcpyHtoDAsync, to, from, (size_t)bytes, cuda_of(d)->streams[stream]);
}

static DeviceStatus cuda_copy_out(Device *d, int32_t stream, void *to, DevicePtr from,
                                  int64_t bytes) {
    return CU(d, MemcpyDtoHAsync, to, from, (size_t)bytes, cuda_of(d)->streams[stream]);
}

static DeviceStatus cuda_copy(Device *d, int32_t stream, DevicePtr to, DevicePtr from,
                              int64_t bytes) {
    return CU(d, MemcpyDtoDAsync, to, from, (size_t)bytes, cuda_of(d)->streams[stream]);
}

static DeviceStatus cuda_fill(Device *d, int32_t stream, DevicePtr to, uint8_t byte,
                              int64_t bytes) {
    return CU(d, MemsetD8Async, to, byte, (size_t)bytes, cuda_of(d)->streams[stream]);
}

/* ---- code ---- */

/* PTX, which ends in a NUL for the driver, is compiled here: what its compiler says joins the
   error. The driver reads the length of a cubin from its header. */
static DeviceStatus load_code(Device *d, const char *code, CuModule *module) {
    char log[DEVICE_ERROR / 2] = "";
    int options[] = {CU_JIT_ERROR_LOG, CU_JIT_ERROR_LOG_BYTES};
    void *values[] = {log, (void *)(uintptr_t)(sizeof log - 1)};
    DeviceStatus status = CU(d, ModuleLoadDataEx, module, code, 2, options, values);
    if (status && *log) {
        char text[DEVICE_ERROR];
        snprintf(text, sizeof text, "%s", d->error);
        fail(d, "%.200s: %s", text, log);
    }
    return status;
}

static DeviceStatus cuda_load(Device *d, const void *code, size_t len, DeviceModule **out) {
    bool is_elf = len >= 64 && !memcmp(code, "\177ELF", 4);
    DeviceModule *module = calloc(1, sizeof *module);
    char *text = is_elf ? NULL : calloc(1, len + 1);
    *out = NULL;
    if (!module || (!is_elf && !text)) {
        free(module);
        free(text);
        return fail(d, "no memory to load code");
    }
    if (text)
        memcpy(text, code, len);
    DeviceStatus status = load_code(d, text ? text : code, &module->handle);
    free(text);
    if (status)
        free(module);
    else
        *out = module;
    return status;
}

static void cuda_unload(Device *d, DeviceModule *module) {
    if (!module)
        return;
    CU(d, ModuleUnload, module->handle);
    for (DeviceFunc *f = module->functions, *next; f; f = next) {
        next = f->next;
        free(f);
    }
    free(module);
}

/* The newest architecture that libnvrtc and the device both know, as PTX is good for later ones. */
static int32_t common_arch(const NvrtcInfo *info, int32_t arch) {
    int32_t best = 0;
    for (int32_t k = 0; k < info->narchs; k++)
        if (info->archs[k] <= arch && info->archs[k] > best)
            best = info->archs[k];
    return best;
}

static DeviceStatus compile_unit(Device *d, const char *text, void **code, size_t *code_len,
                                 char **log) {
    const char *why;
    const NvrtcInfo *info = nvrtc_find(&why);
    if (!info)
        return fail(d, "nothing compiles CUDA here: %s", why);
    int32_t device_arch = cuda_of(d)->arch, arch = common_arch(info, device_arch);
    if (!arch)
        return fail(d, "libnvrtc %d.%d compiles for sm_%d at least, the GPU is sm_%d", info->major,
                    info->minor, info->archs[0], device_arch);
    NvrtcUnit unit = {.text = text,
                      .name = "kernels.cu",
                      .arch = arch,
                      .form = arch == device_arch ? NVRTC_CUBIN : NVRTC_PTX};
    NvrtcResult result;
    bool good = nvrtc_compile(&unit, &result);
    if (!good)
        fail(d, "%s", result.log ? result.log : "libnvrtc fails without a word");
    *code = result.code;
    *code_len = result.len;
    if (log)
        *log = result.log;
    else
        free(result.log);
    return good ? DEVICE_OK : DEVICE_FAILED;
}

static DeviceStatus cuda_compile(Device *d, const char *text, size_t len, void **code,
                                 size_t *code_len, char **log) {
    *code = NULL;
    if (log)
        *log = NULL;
    char *copy = strndup(text, len);
    if (!copy)
        return fail(d, "no memory to compile a text of %zu bytes", len);
    DeviceStatus status = compile_unit(d, copy, code, code_len, log);
    free(copy);
    return status;
}

static const char *cuda_compile_key(Device *d) {
    Cuda *c = cuda_of(d);
    const NvrtcInfo *info = nvrtc_find(NULL);
    pthread_mutex_lock(&c->lock);
    if (!*c->key)
        snprintf(c->key, sizeof c->key, "sm_%d driver %d nvrtc %d.%d %s", c->arch, driver.version,
                 info ? info->major : 0, info ? info->minor : 0, nvrtc_options());
    pthread_mutex_unlock(&c->lock);
    return c->key;
}

static DeviceFunc *find_function(Cuda *c, DeviceModule *module, const char *name) {
    pthread_mutex_lock(&c->lock);
    DeviceFunc *f = module->functions;
    while (f && strcmp(f->name, name) != 0)
        f = f->next;
    pthread_mutex_unlock(&c->lock);
    return f;
}

static DeviceStatus cuda_function(Device *d, DeviceModule *module, const char *name,
                                  DeviceFunc **out) {
    Cuda *c = cuda_of(d);
    size_t len = strlen(name) + 1;
    *out = find_function(c, module, name);
    if (*out)
        return DEVICE_OK;
    DeviceFunc *f = calloc(1, sizeof *f + len);
    if (!f)
        return fail(d, "no memory for a function");
    memcpy(f->name, name, len);
    f->shared = SHARED_FREE;
    DeviceStatus status = CU(d, ModuleGetFunction, &f->handle, module->handle, name);
    if (status) {
        free(f);
        return status;
    }
    pthread_mutex_lock(&c->lock);
    f->next = module->functions;
    module->functions = f;
    pthread_mutex_unlock(&c->lock);
    *out = f;
    return DEVICE_OK;
}

/* More dynamic shared memory than is free has to be asked for. */
static DeviceStatus allow_shared(Device *d, DeviceFunc *f, int32_t bytes) {
    if (bytes <= f->shared)
        return DEVICE_OK;
    DeviceStatus status = CU(d, FuncSetAttribute, f->handle, CU_MAX_DYNAMIC_SHARED, bytes);
    if (!status)
        f->shared = bytes;
    return status;
}

static DeviceStatus cuda_launch(Device *d, int32_t stream, DeviceFunc *f, const DeviceGrid *grid,
                                const void *args, size_t bytes) {
    void *params[] = {(void *)(uintptr_t)args};
    if (bytes > DEVICE_ARGS)
        return fail(d, "%s: %zu bytes of arguments, more than %d", f->name, bytes, DEVICE_ARGS);
    DeviceStatus status = allow_shared(d, f, grid->shared_bytes);
    if (status)
        return status;
    return CU(d, LaunchKernel, f->handle, (unsigned)grid->blocks[0], (unsigned)grid->blocks[1],
              (unsigned)grid->blocks[2], (unsigned)grid->threads, 1, 1,
              (unsigned)grid->shared_bytes, cuda_of(d)->streams[stream], params, NULL);
}

/* ---- graphs ---- */

struct DeviceGraph {
    CuGraph graph;
    CuGraphExec exec;
    int32_t n;
    CuNode nodes[];
};

static CuKernelNode kernel_node(const DeviceStep *s, void **params) {
    params[0] = (void *)(uintptr_t)s->args;
    return (CuKernelNode){.f = s->f->handle,
                          .grid = {(unsigned)s->grid.blocks[0], (unsigned)s->grid.blocks[1],
                                   (unsigned)s->grid.blocks[2]},
                          .block = {(unsigned)s->grid.threads, 1, 1},
                          .shared_bytes = (unsigned)s->grid.shared_bytes,
                          .params = params};
}

static CuMemsetNode memset_node(const DeviceStep *s) {
    return (CuMemsetNode){
        .to = s->to, .value = s->byte, .element_size = 1, .width = (size_t)s->stretch, .height = 1};
}

/* Adds step k behind the one before. */
static DeviceStatus add_node(Device *d, DeviceGraph *g, const DeviceStep *s, int32_t k) {
    const CuNode *after = k ? &g->nodes[k - 1] : NULL;
    void *params[1];
    if (!s->f) {
        CuMemsetNode fill = memset_node(s);
        return CU(d, GraphAddMemsetNode, &g->nodes[k], g->graph, after, after != NULL, &fill,
                  cuda_of(d)->context);
    }
    DeviceStatus status = allow_shared(d, s->f, s->grid.shared_bytes);
    CuKernelNode kernel = kernel_node(s, params);
    return status ? status
                  : CU(d, GraphAddKernelNode, &g->nodes[k], g->graph, after, after != NULL, &kernel);
}

static DeviceStatus set_node(Device *d, DeviceGraph *g, const DeviceStep *s, int32_t k) {
    void *params[1];
    if (!s->f) {
        CuMemsetNode fill = memset_node(s);
        return CU(d, GraphSetMemsetNode, g->exec, g->nodes[k], &fill, cuda_of(d)->context);
    }
    DeviceStatus status = allow_shared(d, s->f, s->grid.shared_bytes);
    CuKernelNode kernel = kernel_node(s, params);
    return status ? status : CU(d, GraphSetKernelNode, g->exec, g->nodes[k], &kernel);
}

static void cuda_graph_free(Device *d, DeviceGraph *g) {
    if (g->exec)
        CU(d, GraphExecDestroy, g->exec);
    if (g->graph)
        CU(d, GraphDestroy, g->graph);
    free(g);
}

/* Everything that graphs need came to the driver at once or before the last of these. */
static bool has_graphs(void) {
    return cu.GraphCreate && cu.GraphDestroy && cu.GraphAddKernelNode && cu.GraphAddMemsetNode &&
           cu.GraphInstantiate && cu.GraphSetKernelNode && cu.GraphSetMemsetNode && cu.GraphLaunch &&
           cu.GraphExecDestroy;
}

static DeviceStatus cuda_graph_make(Device *d, const DeviceStep *steps, int32_t n, DeviceGraph **out) {
    if (!has_graphs())
        return fail(d, "the driver is too old for graphs");
    DeviceGraph *g = calloc(1, sizeof *g + (size_t)n * sizeof *g->nodes);
    if (!g)
        return fail(d, "no memory for a graph");
    g->n = n;
    DeviceStatus status = CU(d, GraphCreate, &g->graph, 0);
    for (int32_t k = 0; k < n && !status; k++)
        status = add_node(d, g, &steps[k], k);
    if (!status)
        status = CU(d, GraphInstantiate, &g->exec, g->graph, 0);
    if (status)
        cuda_graph_free(d, g);
    else
        *out = g;
    return status;
}

static DeviceStatus cuda_graph_run(Device *d, int32_t stream, DeviceGraph *g, const DeviceStep *steps,
                                   const bool *changed) {
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 0; k < g->n && !status; k++)
        if (changed[k])
            status = set_node(d, g, &steps[k], k);
    return status ? status : CU(d, GraphLaunch, g->exec, cuda_of(d)->streams[stream]);
}

/* ---- time ---- */

static DeviceStatus cuda_sync(Device *d, int32_t stream) {
    return CU(d, StreamSynchronize, cuda_of(d)->streams[stream]);
}

static DeviceStatus cuda_order(Device *d, int32_t a, int32_t b) {
    return wait_for(d, cuda_of(d)->streams[b], cuda_of(d)->streams[a]);
}

static DeviceStatus cuda_mark(Device *d, int32_t stream, int32_t mark) {
    return CU(d, EventRecord, cuda_of(d)->marks[mark], cuda_of(d)->streams[stream]);
}

static DeviceStatus cuda_between(Device *d, int32_t from, int32_t to, int64_t *ns) {
    Cuda *c = cuda_of(d);
    float ms = 0;
    DeviceStatus status = CU(d, EventSynchronize, c->marks[from]);
    if (!status)
        status = CU(d, EventSynchronize, c->marks[to]);
    if (!status)
        status = CU(d, EventElapsedTime, &ms, c->marks[from], c->marks[to]);
    *ns = (int64_t)((double)ms * 1e6);
    return status;
}

const DeviceTable device_cuda = {.name = "cuda",
                                 .count = cuda_count,
                                 .open = cuda_open,
                                 .close = cuda_close,
                                 .info = cuda_info,
                                 .alloc = cuda_alloc,
                                 .free = cuda_free,
                                 .copy_in = cuda_copy_in,
                                 .copy_out = cuda_copy_out,
                                 .copy = cuda_copy,
                                 .fill = cuda_fill,
                                 .load = cuda_load,
                                 .unload = cuda_unload,
                                 .compile = cuda_compile,
                                 .compile_key = cuda_compile_key,
                                 .function = cuda_function,
                                 .launch = cuda_launch,
                                 .graph_make = cuda_graph_make,
                                 .graph_run = cuda_graph_run,
                                 .graph_free = cuda_graph_free,
                                 .sync = cuda_sync,
                                 .order = cuda_order,
                                 .mark = cuda_mark,
                                 .between = cuda_between};
