/* The device `emu`: device text compiled as C++ for this machine (emu_compile.c, behind emu_host.h)
   and run by an engine that plays a GPU's execution model (emu_run.c). It needs a C++ compiler where
   the program runs and finds most mistakes in kernels: see docs/emu.md. The environment:

   GACT_EMU_CXX      the compiler; else c++, g++ or clang++
   GACT_EMU_SEED     not 0: an order of blocks and threads that follows from it
   GACT_EMU_THREADS  OS threads a large launch is spread over (at most 64)
   GACT_EMU_SAN      address, undefined or thread: compiles with that sanitizer
   GACT_EMU_MEMORY   bytes of device memory
   GACT_EMU_DEVICES  how many of them there are, 1 if not set
   GACT_EMU_SPEED    how many times as fast as it is it says that it is (tests of placement)

   Copies to the device read what they copy at once; all other work waits in its stream
   (emu_work.c). */
#include "emu.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    EmuOptions options;
    EmuMemory *memory;
    EmuStreams *streams;
    int64_t memory_bytes, speed;
} State;

struct DeviceModule {
    void *library;
    int fd; /* of the file, open while the library is: its name is the loader's key */
    const GxModule *module;
    DeviceFunc *funcs;
};

struct DeviceFunc {
    DeviceFunc *next;
    DeviceModule *module;
    const GxKernel *kernel;
    char name[];
};

static State *state_of(Device *d) {
    return d->state;
}

__attribute__((format(printf, 2, 3))) static DeviceStatus failed(Device *d, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(d->error, sizeof d->error, fmt, args);
    va_end(args);
    return DEVICE_FAILED;
}

/* ---- opening ---- */

static int64_t number_from(const char *name, int64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 0) : otherwise;
}

static int32_t emu_count(GactError *why) {
    int64_t count = number_from("GACT_EMU_DEVICES", 1);
    return !emu_compiler(why) ? 0 : count < 1 ? 1 : count > 64 ? 64 : (int32_t)count;
}

static EmuOptions options_from_environment(void) {
    int64_t cores = sysconf(_SC_NPROCESSORS_ONLN);
    const char *sanitizer = getenv("GACT_EMU_SAN");
    int64_t threads = number_from("GACT_EMU_THREADS", cores < 4 ? cores : 4);
    return (EmuOptions){
        .seed = (uint64_t)number_from("GACT_EMU_SEED", 0),
        .threads = (int32_t)(threads < 1 ? 1 : threads > 64 ? 64 : threads),
        .sanitizer = sanitizer && *sanitizer ? sanitizer : NULL,
    };
}

static void emu_close(Device *d) {
    if (!d)
        return;
    emu_memory_free(state_of(d)->memory);
    emu_streams_free(state_of(d)->streams);
    free(d->state);
    free(d);
}

static DeviceStatus emu_open(int32_t ordinal, Device **out, GactError *error) {
    *out = NULL;
    int32_t count = emu_count(error);
    if (!count)
        return DEVICE_FAILED;
    if (ordinal < 0 || ordinal >= count) {
        error_set(error, GACT_BAD_INPUT, "there is no emulated device %d; GACT_EMU_DEVICES says that there %s %d",
                  ordinal, count == 1 ? "is" : "are", count);
        return DEVICE_FAILED;
    }
    Device *d = calloc(1, sizeof *d);
    State *s = calloc(1, sizeof *s);
    if (!d || !s) {
        free(s);
        free(d);
        return DEVICE_NO_MEMORY;
    }
    s->options = options_from_environment();
    s->memory_bytes = number_from("GACT_EMU_MEMORY", (int64_t)4 << 30);
    s->speed = number_from("GACT_EMU_SPEED", 1);
    s->memory = emu_memory_new(s->memory_bytes);
    s->streams = emu_streams_new(s->options.seed);
    *d = (Device){.table = &device_emu, .ordinal = ordinal, .state = s};
    if (!s->memory || !s->streams) {
        emu_close(d);
        error_set(error, GACT_INTERNAL, "no memory for the emulated device");
        return DEVICE_NO_MEMORY;
    }
    *out = d;
    return DEVICE_OK;
}

static DeviceStatus emu_info(Device *d, DeviceInfo *info) {
    State *s = state_of(d);
    /* A tenth of a gigabyte and of a billion operations a second for each thread. */
    *info = (DeviceInfo){.units = s->options.threads, .threads_per_unit = 2048,
                         .clock = (int32_t)(1600 * s->speed),
                         .bandwidth = 100000000 * s->options.threads * s->speed,
                         .shared_per_block = EMU_SHARED_BYTES, .memory = s->memory_bytes,
                         .free = emu_memory_left(s->memory)};
    snprintf(info->name, sizeof info->name, "emulated device");
    return DEVICE_OK;
}

/* ---- memory ---- */

static DeviceStatus emu_alloc(Device *d, int64_t bytes, DevicePtr *p) {
    *p = emu_memory_alloc(state_of(d)->memory, bytes);
    if (*p)
        return DEVICE_OK;
    snprintf(d->error, sizeof d->error, "no %lld bytes of the emulated device's memory are left",
             (long long)bytes);
    return DEVICE_NO_MEMORY;
}

/* What was written around the block is told by the next call that can fail. */
static void emu_free(Device *d, DevicePtr p) {
    State *s = state_of(d);
    char text[DEVICE_ERROR];
    if (!p)
        return;
    emu_streams_wait_all(s->streams);
    if (!emu_memory_release(s->memory, p, text, sizeof text))
        emu_streams_fail(s->streams, text);
}

/* ---- work ---- */

/* Whether something that was done before has failed. */
static DeviceStatus status_of(Device *d) {
    return emu_streams_failed(state_of(d)->streams, d->error, sizeof d->error) ? DEVICE_FAILED
                                                                               : DEVICE_OK;
}

static DeviceStatus give(Device *d, int32_t stream, const EmuWork *work, const void *args,
                         size_t bytes) {
    if (!emu_streams_give(state_of(d)->streams, stream, work, args, bytes))
        return failed(d, "no memory for a stream's work");
    return status_of(d);
}

static bool is_ours(Device *d, DevicePtr p, int64_t bytes) {
    return emu_memory_has(state_of(d)->memory, p, bytes);
}

static DeviceStatus emu_copy_in(Device *d, int32_t stream, DevicePtr to, const void *from,
                                int64_t bytes) {
    if (!is_ours(d, to, bytes))
        return failed(d, "copy_in: %lld bytes are not in one block", (long long)bytes);
    emu_streams_wait(state_of(d)->streams, stream);
    memcpy((void *)(uintptr_t)to, from, (size_t)bytes);
    return status_of(d);
}

static DeviceStatus emu_copy_out(Device *d, int32_t stream, void *to, DevicePtr from,
                                 int64_t bytes) {
    if (!is_ours(d, from, bytes))
        return failed(d, "copy_out: %lld bytes are not in one block", (long long)bytes);
    EmuWork w = {.kind = EMU_COPY_OUT, .out = to, .from = from, .bytes = bytes};
    return give(d, stream, &w, NULL, 0);
}

static DeviceStatus emu_copy(Device *d, int32_t stream, DevicePtr to, DevicePtr from,
                             int64_t bytes) {
    if (!is_ours(d, to, bytes) || !is_ours(d, from, bytes))
        return failed(d, "copy: %lld bytes are not in one block", (long long)bytes);
    EmuWork w = {.kind = EMU_COPY, .to = to, .from = from, .bytes = bytes};
    return give(d, stream, &w, NULL, 0);
}

static DeviceStatus emu_fill(Device *d, int32_t stream, DevicePtr to, uint8_t byte,
                             int64_t bytes) {
    if (!is_ours(d, to, bytes))
        return failed(d, "fill: %lld bytes are not in one block", (long long)bytes);
    EmuWork w = {.kind = EMU_FILL, .to = to, .byte = byte, .bytes = bytes};
    return give(d, stream, &w, NULL, 0);
}

/* ---- code ---- */

static DeviceStatus emu_compile_text(Device *d, const char *text, size_t len, void **code,
                                     size_t *code_len, char **log) {
    if (emu_compile(&state_of(d)->options, text, len, code, code_len, log))
        return DEVICE_OK;
    const char *error = *log ? strstr(*log, "error: ") : NULL;
    return failed(d, "%s could not compile device text%s%.*s", emu_compiler(NULL),
                  error ? ": " : "", error ? (int)strcspn(error, "\n") : 0, error ? error : "");
}

static const char *emu_key(Device *d) {
    return emu_compile_key(&state_of(d)->options);
}

/* A file that exists for as long as it is open. */
static int file_of(const void *code, size_t len) {
    int fd = memfd_create("gact-emu", MFD_CLOEXEC);
    const char *at = code;
    while (fd >= 0 && len) {
        ssize_t n = write(fd, at, len);
        if (n <= 0) {
            close(fd);
            return -1;
        }
        at += n;
        len -= (size_t)n;
    }
    return fd;
}

static DeviceStatus emu_load(Device *d, const void *code, size_t len, DeviceModule **out) {
    char path[64];
    int fd = file_of(code, len);
    DeviceModule *m = calloc(1, sizeof *m);
    if (fd < 0 || !m) {
        if (fd >= 0)
            close(fd);
        free(m);
        return failed(d, "no memory for a module");
    }
    m->fd = fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    m->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    m->module = m->library ? dlsym(m->library, "gx_module") : NULL;
    if (!m->module || m->module->version != GX_EMU_VERSION) {
        const char *why = dlerror();
        DeviceStatus status = failed(d, "load: %s", why ? why : "made by another version");
        if (m->library)
            dlclose(m->library);
        close(fd);
        free(m);
        return status;
    }
    *m->module->engine = &emu_engine;
    *out = m;
    return DEVICE_OK;
}

static void emu_unload(Device *d, DeviceModule *m) {
    if (!m)
        return;
    emu_streams_wait_all(state_of(d)->streams);
    for (DeviceFunc *f = m->funcs, *next; f; f = next) {
        next = f->next;
        free(f);
    }
    dlclose(m->library);
    close(m->fd);
    free(m);
}

static DeviceStatus emu_function(Device *d, DeviceModule *m, const char *name, DeviceFunc **out) {
    char symbol[512];
    snprintf(symbol, sizeof symbol, "gx_kernel_%s", name);
    const GxKernel *kernel = dlsym(m->library, symbol);
    if (!kernel)
        return failed(d, "the module has no kernel %s", name);
    size_t len = strlen(name) + 1;
    DeviceFunc *f = malloc(sizeof *f + len);
    if (!f)
        return failed(d, "no memory for a function");
    *f = (DeviceFunc){.next = m->funcs, .module = m, .kernel = kernel};
    memcpy(f->name, name, len);
    m->funcs = f;
    *out = f;
    return DEVICE_OK;
}

/* ---- running ---- */

static bool grid_is_right(const DeviceGrid *g) {
    for (int k = 0; k < 3; k++)
        if (g->blocks[k] < 1)
            return false;
    return g->blocks[1] < 65536 && g->blocks[2] < 65536 && g->threads >= 32 && g->threads <= 1024 &&
           g->threads % 32 == 0 && g->shared_bytes >= 0 && g->shared_bytes <= EMU_SHARED_BYTES;
}

static DeviceStatus emu_launch(Device *d, int32_t stream, DeviceFunc *f, const DeviceGrid *grid,
                               const void *args, size_t bytes) {
    State *s = state_of(d);
    if (!grid_is_right(grid))
        return failed(d, "kernel %s: a grid of %d x %d x %d blocks of %d threads", f->name,
                      grid->blocks[0], grid->blocks[1], grid->blocks[2], grid->threads);
    if (bytes != f->kernel->args_size || bytes > DEVICE_ARGS)
        return failed(d, "kernel %s: %zu bytes of arguments for a struct of %lu", f->name, bytes,
                      f->kernel->args_size);
    EmuWork w = {.kind = EMU_LAUNCH,
                 .launch = {.name = f->name, .kernel = f->kernel, .module = f->module->module,
                            .memory = s->memory, .grid = *grid, .options = s->options}};
    return give(d, stream, &w, args, bytes);
}

/* A graph is no more than the number of its steps here. */
struct DeviceGraph {
    int32_t n;
};

static DeviceStatus emu_graph_make(Device *d, const DeviceStep *steps, int32_t n, DeviceGraph **out) {
    DeviceGraph *g = malloc(sizeof *g);
    (void)steps;
    if (!g)
        return failed(d, "no memory for a graph");
    *g = (DeviceGraph){n};
    *out = g;
    return DEVICE_OK;
}

static DeviceStatus emu_graph_run(Device *d, int32_t stream, DeviceGraph *g, const DeviceStep *steps,
                                  const bool *changed) {
    DeviceStatus status = DEVICE_OK;
    (void)changed;
    for (const DeviceStep *s = steps; s < steps + g->n && !status; s++)
        status = s->f ? emu_launch(d, stream, s->f, &s->grid, s->args, (size_t)s->bytes)
                      : emu_fill(d, stream, s->to, s->byte, s->stretch);
    return status;
}

static void emu_graph_free(Device *d, DeviceGraph *g) {
    (void)d;
    free(g);
}

static DeviceStatus emu_sync(Device *d, int32_t stream) {
    emu_streams_wait(state_of(d)->streams, stream);
    return status_of(d);
}

static DeviceStatus emu_order(Device *d, int32_t a, int32_t b) {
    (void)b;
    return emu_sync(d, a);
}

static DeviceStatus emu_mark(Device *d, int32_t stream, int32_t mark) {
    EmuWork w = {.kind = EMU_MARK, .mark = mark};
    return give(d, stream, &w, NULL, 0);
}

static DeviceStatus emu_between(Device *d, int32_t from, int32_t to, int64_t *ns) {
    emu_streams_wait_all(state_of(d)->streams);
    *ns = emu_streams_between(state_of(d)->streams, from, to);
    return status_of(d);
}

const DeviceTable device_emu = {
    .name = "emu",
    .count = emu_count,
    .open = emu_open,
    .close = emu_close,
    .info = emu_info,
    .alloc = emu_alloc,
    .free = emu_free,
    .copy_in = emu_copy_in,
    .copy_out = emu_copy_out,
    .copy = emu_copy,
    .fill = emu_fill,
    .load = emu_load,
    .unload = emu_unload,
    .compile = emu_compile_text,
    .compile_key = emu_key,
    .function = emu_function,
    .launch = emu_launch,
    .graph_make = emu_graph_make,
    .graph_run = emu_graph_run,
    .graph_free = emu_graph_free,
    .sync = emu_sync,
    .order = emu_order,
    .mark = emu_mark,
    .between = emu_between,
};
