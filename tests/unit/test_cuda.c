/* The device `cuda` against a libcuda that is none (fixture/fake_cuda.c): order of streams, memory,
   code, errors and their words, injected failures. Nothing here needs a GPU. */
#include "lang/nvrtc.h"
#include "runtime/device/device.h"

#include "fixture/fake_cuda.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 100 };
static const char ptx[] = ".version 7.0\n";
static FakeCuda *fake;

static Device *open_device(const char *spec) {
    Device *d;
    GactError error;
    if (device_open(spec, &d, &error))
        fail_msg("%s", error.text);
    assert_non_null(d);
    return d;
}

/* Nothing is left of a device that is closed, nor did it leave its context to the caller. */
static void close_device(Device *d) {
    assert_int_equal(fake->pushed, 0);
    device_close(d);
    assert_int_equal(fake->contexts, 0);
    assert_int_equal(fake->objects, 0);
}

typedef struct {
    DevicePtr x;
    int64_t n;
    double factor;
} ScaleArgs;

static void launch(Device *d, int32_t stream, DeviceModule *module, const char *name,
                   ScaleArgs args) {
    DeviceFunc *f;
    DeviceGrid grid = {.blocks = {7, 1, 1}, .threads = 64};
    assert_int_equal(d->table->function(d, module, name, &f), DEVICE_OK);
    assert_int_equal(d->table->launch(d, stream, f, &grid, &args, sizeof args), DEVICE_OK);
}

static int start(void **state) {
    (void)state;
    fake->fail_call = NULL;
    fake->memory = 1 << 20;
    fake->pools = true;
    fake->devices = 1;
    fake->arch = 90;
    return 0;
}

/* ---- working ---- */

static void tells_about_the_gpu(void **state) {
    (void)state;
    Device *d = open_device("cuda:0");
    DeviceInfo info;
    assert_int_equal(d->table->info(d, &info), DEVICE_OK);
    assert_string_equal(info.name, "Fake 90");
    assert_string_equal(info.arch, "sm_90");
    assert_int_equal(info.units, 3);
    assert_int_equal(info.threads_per_unit, 2048);
    assert_int_equal(info.shared_per_block, 227 << 10);
    assert_int_equal(info.memory, 1 << 20);
    assert_int_equal(info.free, 1 << 20);
    assert_int_equal(info.driver, 12040);
    close_device(d);
}

/* A copy on one stream, work on the other, and the way back. */
static void orders_streams(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    float x[N], y[N] = {0};
    DevicePtr p;
    DeviceModule *module;
    for (int i = 0; i < N; i++)
        x[i] = (float)i;
    assert_int_equal(d->table->alloc(d, sizeof x, &p), DEVICE_OK);
    assert_int_equal(p % 256, 0);
    assert_int_equal(d->table->load(d, ptx, strlen(ptx), &module), DEVICE_OK);
    assert_int_equal(d->table->copy_in(d, 1, p, x, sizeof x), DEVICE_OK);
    assert_int_equal(d->table->order(d, 1, 0), DEVICE_OK);
    launch(d, 0, module, "scale", (ScaleArgs){p, N, 2});
    assert_int_equal(d->table->copy_out(d, 0, y, p, sizeof y), DEVICE_OK);
    assert_int_equal(d->table->sync(d, 0), DEVICE_OK);
    for (int i = 0; i < N; i++)
        assert_true(y[i] == 2 * x[i]);
    assert_int_equal(fake->blocks[0], 7);
    assert_int_equal(fake->threads, 64);
    d->table->free(d, p);
    d->table->unload(d, module);
    assert_int_equal(fake->modules, 0);
    close_device(d);
    assert_int_equal(fake->used, 0);
}

static void fills_and_copies(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    unsigned char y[N] = {0};
    DevicePtr p, q;
    assert_int_equal(d->table->alloc(d, N, &p), DEVICE_OK);
    assert_int_equal(d->table->alloc(d, N, &q), DEVICE_OK);
    assert_int_equal(d->table->fill(d, 1, p, 0xA5, N), DEVICE_OK);
    assert_int_equal(d->table->copy(d, 1, q, p, N), DEVICE_OK);
    assert_int_equal(d->table->copy_out(d, 1, y, q, N), DEVICE_OK);
    assert_int_equal(d->table->sync(d, 1), DEVICE_OK);
    for (int i = 0; i < N; i++)
        assert_int_equal(y[i], 0xA5);
    d->table->free(d, p);
    d->table->free(d, q);
    close_device(d);
}

/* ---- graphs ---- */

typedef struct {
    Device *d;
    DeviceModule *module;
    DevicePtr p, q;
    float x[N];
} Repeats;

static Repeats repeats_open(void) {
    Repeats r = {.d = open_device("cuda")};
    const DeviceTable *t = r.d->table;
    assert_int_equal(t->load(r.d, ptx, strlen(ptx), &r.module), DEVICE_OK);
    assert_int_equal(t->alloc(r.d, sizeof r.x, &r.p), DEVICE_OK);
    assert_int_equal(t->alloc(r.d, sizeof r.x, &r.q), DEVICE_OK);
    fake->launches = fake->graph_launches = fake->node_updates = 0;
    return r;
}

static void repeats_close(Repeats *r) {
    const DeviceTable *t = r->d->table;
    t->free(r->d, r->p);
    t->free(r->d, r->q);
    t->unload(r->d, r->module);
    close_device(r->d);
}

/* 1 at p, scaled by each factor, a fill of q between them; what p is then. */
static float repeat(Repeats *r, DevicePtr p, const double *factors, int count) {
    const DeviceTable *t = r->d->table;
    for (int i = 0; i < N; i++)
        r->x[i] = 1;
    assert_int_equal(t->copy_in(r->d, 0, p, r->x, sizeof r->x), DEVICE_OK);
    for (int k = 0; k < count; k++) {
        launch(r->d, 0, r->module, "scale", (ScaleArgs){p, N, factors[k]});
        if (k == 1)
            assert_int_equal(t->fill(r->d, 0, p == r->p ? r->q : r->p, 0, sizeof r->x), DEVICE_OK);
    }
    assert_int_equal(t->copy_out(r->d, 0, r->x, p, sizeof r->x), DEVICE_OK);
    assert_int_equal(t->sync(r->d, 0), DEVICE_OK);
    return r->x[N - 1];
}

/* The third time, and all after it, are one graph, whose nodes change only where something has. */
static void replays_what_comes_again(void **state) {
    (void)state;
    static const double factors[] = {2, 3, 5, 7}, other[] = {2, 3, 11, 7};
    Repeats r = repeats_open();
    for (int k = 0; k < 6; k++)
        assert_true(repeat(&r, r.p, factors, 4) == 210);
    assert_int_equal(fake->graph_launches, 4);
    assert_int_equal(fake->launches, 2 * 4);
    assert_int_equal(fake->node_updates, 0);
    assert_true(repeat(&r, r.p, other, 4) == 462);
    assert_int_equal(fake->node_updates, 1);
    assert_true(repeat(&r, r.q, other, 4) == 462); /* all launches and the fill are elsewhere */
    assert_int_equal(fake->node_updates, 1 + 5);
    assert_int_equal(fake->graph_launches, 6);
    repeats_close(&r);
}

/* Where something else comes than what was due, the steps that were held back are issued as they are. */
static void leaves_a_graph(void **state) {
    (void)state;
    static const double factors[] = {2, 3, 5, 7, 11};
    Repeats r = repeats_open();
    for (int k = 0; k < 4; k++)
        assert_true(repeat(&r, r.p, factors, 4) == 210);
    assert_true(repeat(&r, r.p, factors, 3) == 30);   /* it ends before */
    assert_true(repeat(&r, r.p, factors, 5) == 2310); /* or goes on */
    assert_true(repeat(&r, r.p, factors, 1) == 2);
    for (int k = 0; k < 20; k++) { /* two in turns */
        assert_true(repeat(&r, r.p, factors, 5) == 2310);
        assert_true(repeat(&r, r.p, factors, 3) == 30);
    }
    assert_true(fake->graph_launches > 30);
    repeats_close(&r);
}

/* A driver that cannot: everything is launched as ever. */
static void lives_without_graphs(void **state) {
    (void)state;
    static const double factors[] = {2, 3, 5, 7};
    Repeats r = repeats_open();
    for (int k = 0; k < 2; k++)
        assert_true(repeat(&r, r.p, factors, 4) == 210);
    fake->fail_call = "cuGraphInstantiateWithFlags";
    fake->fail_code = 801;
    for (int k = 0; k < 4; k++)
        assert_true(repeat(&r, r.p, factors, 4) == 210);
    assert_null(fake->fail_call); /* it was asked once */
    assert_int_equal(fake->graph_launches, 0);
    assert_int_equal(fake->launches, 6 * 4);
    repeats_close(&r);
}

/* A launch of a graph that fails is told like any other. */
static void tells_of_failed_graphs(void **state) {
    (void)state;
    static const double factors[] = {2, 3, 5, 7};
    Repeats r = repeats_open();
    for (int k = 0; k < 4; k++)
        assert_true(repeat(&r, r.p, factors, 4) == 210);
    fake->fail_call = "cuGraphLaunch";
    fake->fail_code = 700;
    const DeviceTable *t = r.d->table;
    DeviceFunc *f;
    DeviceGrid grid = {.blocks = {7, 1, 1}, .threads = 64};
    ScaleArgs args = {r.p, N, 2};
    assert_int_equal(t->function(r.d, r.module, "scale", &f), DEVICE_OK);
    for (int k = 0; k < 3; k++) {
        assert_int_equal(t->launch(r.d, 0, f, &grid, &args, sizeof args), DEVICE_OK);
        if (k == 1)
            assert_int_equal(t->fill(r.d, 0, r.q, 0, sizeof r.x), DEVICE_OK);
    }
    assert_int_equal(t->launch(r.d, 0, f, &grid, &args, sizeof args), DEVICE_FAILED);
    assert_non_null(strstr(r.d->error, "cuGraphLaunch"));
    assert_true(repeat(&r, r.p, factors, 2) == 6);
    repeats_close(&r);
}

/* What is given back while work on either stream still needs it stays until that is done; and what
   is taken is there for both streams. */
static void frees_behind_the_work(bool pools) {
    fake->pools = pools;
    Device *d = open_device("cuda");
    DevicePtr p, q;
    DeviceModule *module;
    float y[N], zero[N] = {0};
    assert_int_equal(d->table->load(d, ptx, strlen(ptx), &module), DEVICE_OK);
    for (int32_t stream = 0; stream < DEVICE_STREAMS; stream++) {
        assert_int_equal(d->table->alloc(d, sizeof y, &p), DEVICE_OK);
        assert_int_equal(d->table->fill(d, stream, p, 0, sizeof y), DEVICE_OK);
        launch(d, stream, module, "scale", (ScaleArgs){p, N, 3});
        memset(y, 0xFF, sizeof y);
        assert_int_equal(d->table->copy_out(d, stream, y, p, sizeof y), DEVICE_OK);
        d->table->free(d, p);
        /* Room for one more only once the first is gone. */
        fake->memory = sizeof y + N;
        assert_int_equal(d->table->alloc(d, sizeof y, &q), DEVICE_OK);
        assert_int_equal(d->table->sync(d, stream), DEVICE_OK);
        assert_memory_equal(y, zero, sizeof y);
        d->table->free(d, q);
    }
    d->table->unload(d, module);
    close_device(d);
    assert_int_equal(fake->used, 0);
}

static void frees_into_the_pool(void **state) {
    (void)state;
    frees_behind_the_work(true);
}

static void frees_without_a_pool(void **state) {
    (void)state;
    frees_behind_the_work(false);
}

static void measures_time(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    DevicePtr p;
    int64_t ns;
    assert_int_equal(d->table->alloc(d, N, &p), DEVICE_OK);
    assert_int_equal(d->table->mark(d, 0, 0), DEVICE_OK);
    assert_int_equal(d->table->fill(d, 0, p, 1, N), DEVICE_OK);
    assert_int_equal(d->table->mark(d, 0, 1), DEVICE_OK);
    assert_int_equal(d->table->mark(d, 1, DEVICE_MARKS - 1), DEVICE_OK);
    assert_int_equal(d->table->between(d, 0, 1, &ns), DEVICE_OK);
    assert_int_equal(ns, 1000000);
    assert_int_equal(d->table->between(d, 1, DEVICE_MARKS - 1, &ns), DEVICE_OK);
    assert_int_equal(d->table->between(d, DEVICE_MARKS - 1, 0, &ns), DEVICE_OK);
    d->table->free(d, p);
    close_device(d);
}

/* More than 48 KiB of shared memory is asked for, once. */
static void asks_for_shared_memory(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    DeviceModule *module;
    DeviceFunc *f, *again;
    DeviceGrid grid = {.blocks = {1, 2, 3}, .threads = 32, .shared_bytes = 48 << 10};
    ScaleArgs args = {0, 0, 0};
    assert_int_equal(d->table->load(d, ptx, strlen(ptx), &module), DEVICE_OK);
    assert_int_equal(d->table->function(d, module, "scale", &f), DEVICE_OK);
    assert_int_equal(d->table->function(d, module, "scale", &again), DEVICE_OK);
    assert_ptr_equal(f, again);
    fake->most_shared = 0;
    assert_int_equal(d->table->launch(d, 0, f, &grid, &args, sizeof args), DEVICE_OK);
    assert_int_equal(fake->most_shared, 0);
    grid.shared_bytes = 100 << 10;
    assert_int_equal(d->table->launch(d, 0, f, &grid, &args, sizeof args), DEVICE_OK);
    assert_int_equal(fake->most_shared, 100 << 10);
    assert_int_equal(fake->shared, 100 << 10);
    fake->most_shared = 0;
    assert_int_equal(d->table->launch(d, 0, f, &grid, &args, sizeof args), DEVICE_OK);
    assert_int_equal(fake->most_shared, 0);
    d->table->unload(d, module);
    close_device(d);
}

/* Code for the GPU's own architecture where the compiler knows it, PTX for an older one where not.
 */
static void compiles_for_the_gpu(void **state) {
    (void)state;
    static const char text[] = "extern \"C\" __global__ void scale() {}\n";
    static const int archs[] = {90, 99, 20};
    if (!nvrtc_find(NULL))
        skip();
    for (int k = 0; k < 3; k++) {
        void *code;
        size_t len;
        char *log, key[64];
        DeviceModule *module;
        fake->arch = archs[k];
        Device *d = open_device("cuda");
        DeviceStatus status = d->table->compile(d, text, strlen(text), &code, &len, &log);
        assert_int_equal(status, archs[k] == 20 ? DEVICE_FAILED : DEVICE_OK);
        if (status) {
            assert_non_null(strstr(d->error, "the GPU is sm_20"));
        } else {
            assert_int_equal(d->table->load(d, code, len, &module), DEVICE_OK);
            assert_true(fake->loaded_cubin == (archs[k] == 90));
            d->table->unload(d, module);
        }
        snprintf(key, sizeof key, "sm_%d driver 12040 nvrtc ", archs[k]);
        assert_memory_equal(d->table->compile_key(d), key, strlen(key));
        free(code);
        free(log);
        close_device(d);
    }
}

/* ---- failing ---- */

static void says_which_call_failed(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    DevicePtr p = 1;
    fake->fail_call = "cuMemAllocAsync";
    fake->fail_code = 700;
    assert_int_equal(d->table->alloc(d, 1, &p), DEVICE_FAILED);
    assert_int_equal(p, 0);
    assert_string_equal(d->error, "cuMemAllocAsync: CUDA_ERROR_ILLEGAL_ADDRESS (700): an illegal "
                                  "memory access was encountered");
    fake->fail_call = "cuMemAllocAsync";
    fake->fail_code = 4;
    assert_int_equal(d->table->alloc(d, 1, &p), DEVICE_FAILED);
    assert_string_equal(d->error, "cuMemAllocAsync: unknown error (4): words");
    close_device(d);
}

static void runs_out_of_memory(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    DevicePtr p, q;
    assert_int_equal(d->table->alloc(d, 1 << 19, &p), DEVICE_OK);
    assert_int_equal(d->table->alloc(d, 1 << 20, &q), DEVICE_NO_MEMORY);
    assert_int_equal(q, 0);
    assert_non_null(strstr(d->error, "CUDA_ERROR_OUT_OF_MEMORY"));
    assert_int_equal(d->table->alloc(d, 1 << 18, &q), DEVICE_OK);
    d->table->free(d, p);
    d->table->free(d, q);
    close_device(d);
    assert_int_equal(fake->used, 0);
}

/* A kernel that crashes shows at the next wait, and ends the context. */
static void tells_of_a_crash(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    DeviceModule *module;
    DevicePtr p;
    assert_int_equal(d->table->load(d, ptx, strlen(ptx), &module), DEVICE_OK);
    launch(d, 0, module, "crash", (ScaleArgs){0, 0, 0});
    assert_int_equal(d->table->sync(d, 0), DEVICE_FAILED);
    assert_non_null(strstr(d->error, "cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS"));
    assert_int_equal(d->table->alloc(d, 1, &p), DEVICE_FAILED);
    d->table->unload(d, module);
    close_device(d);
    d = open_device("cuda");
    assert_int_equal(d->table->alloc(d, 1, &p), DEVICE_OK);
    d->table->free(d, p);
    close_device(d);
}

static void refuses_bad_code(void **state) {
    (void)state;
    Device *d = open_device("cuda");
    DeviceModule *module;
    DeviceFunc *f;
    assert_int_equal(d->table->load(d, "nonsense", 8, &module), DEVICE_FAILED);
    assert_non_null(strstr(d->error, "cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX"));
    assert_non_null(strstr(d->error, "ptxas: no version"));
    assert_int_equal(d->table->load(d, ptx, strlen(ptx), &module), DEVICE_OK);
    assert_int_equal(d->table->function(d, module, "none", &f), DEVICE_FAILED);
    assert_non_null(strstr(d->error, "cuModuleGetFunction: CUDA_ERROR_NOT_FOUND"));
    d->table->unload(d, module);
    close_device(d);
}

/* Whatever fails while a device is opened, nothing stays behind. */
static void opens_whole_or_not_at_all(void **state) {
    (void)state;
    static const char *const calls[] = {"cuDeviceGet", "cuDevicePrimaryCtxRetain",
                                        "cuDeviceGetAttribute", "cuStreamCreate", "cuEventCreate"};
    for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
        Device *d;
        GactError error;
        fake->fail_call = calls[k];
        fake->fail_code = 999;
        assert_int_equal(device_open("cuda", &d, &error), DEVICE_FAILED);
        assert_null(d);
        assert_non_null(strstr(error.text, "device cuda cannot be used: "));
        assert_non_null(strstr(error.text, calls[k]));
        assert_int_equal(fake->contexts, 0);
        assert_int_equal(fake->objects, 0);
    }
}

/* ---- names ---- */

static void refuse(const char *spec, const char *text) {
    Device *d;
    GactError error = {0};
    assert_int_equal(device_open(spec, &d, &error), DEVICE_FAILED);
    assert_null(d);
    if (!strstr(error.text, text))
        fail_msg("%s: %s", spec, error.text);
}

static void knows_names(void **state) {
    (void)state;
    Device *d;
    assert_int_equal(device_open("host", &d, NULL), DEVICE_OK);
    assert_null(d);
    refuse("cuda:1", "there is no GPU 1; there is 1, counted from 0");
    refuse("cuda:x", "there is no device `cuda:x`");
    refuse("cuda:-1", "there is no device");
    refuse("cuda:", "there is no device");
    refuse("gpu", "it is host, cuda, cuda:N, emu or auto");
    d = open_device("auto");
    close_device(d);
    fake->devices = 0;
    refuse("cuda", "device cuda cannot be used: the driver finds no GPU");
    assert_int_equal(device_open("auto", &d, NULL), DEVICE_OK);
    assert_null(d);
}

static void keeps_one_for_the_process(void **state) {
    (void)state;
    GactError error;
    setenv("GACT_DEVICE", "cuda", 1);
    assert_int_equal(device_ensure(&error), GACT_OK);
    Device *d = runtime_device();
    assert_non_null(d);
    assert_int_equal(device_ensure(&error), GACT_OK);
    assert_ptr_equal(runtime_device(), d);
    assert_int_equal(device_use("host", &error), GACT_OK);
    assert_null(runtime_device());
    assert_int_equal(fake->contexts, 0);
    assert_int_equal(device_use("nothing", &error), GACT_BAD_INPUT);
    assert_int_equal(device_use(NULL, &error), GACT_OK);
    assert_non_null(runtime_device());
    device_stop();
    assert_null(runtime_device());
    assert_int_equal(fake->contexts, 0);
    unsetenv("GACT_DEVICE");
}

static void *ensure(void *arg) {
    Device **d = arg;
    if (!device_ensure(NULL))
        *d = runtime_device();
    return NULL;
}

/* Threads that run programs for the first time at once share one device. */
static void opens_one_for_all_threads(void **state) {
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    Device *devices[THREADS] = {0};
    setenv("GACT_DEVICE", "cuda", 1);
    for (int k = 0; k < THREADS; k++)
        assert_int_equal(pthread_create(&threads[k], NULL, ensure, &devices[k]), 0);
    for (int k = 0; k < THREADS; k++)
        pthread_join(threads[k], NULL);
    assert_int_equal(fake->contexts, 1);
    for (int k = 0; k < THREADS; k++)
        assert_true(devices[k] && devices[k] == runtime_device());
    device_stop();
    unsetenv("GACT_DEVICE");
    assert_int_equal(fake->contexts, 0);
}

/* ---- injected failures ---- */

static void injects_a_failure(void **state) {
    (void)state;
    DevicePtr p, q;
    setenv("GACT_DEVICE_FAIL_AT", "2", 1);
    Device *d = open_device("cuda");
    assert_string_equal(d->table->name, "cuda");
    assert_int_equal(d->table->alloc(d, N, &p), DEVICE_OK);
    assert_int_equal(d->table->alloc(d, N, &q), DEVICE_NO_MEMORY);
    assert_int_equal(q, 0);
    assert_string_equal(d->error, "alloc: call 2 of the device fails, as was asked for");
    assert_int_equal(d->table->fill(d, 0, p, 1, N), DEVICE_OK);
    d->table->free(d, p);
    close_device(d);
    setenv("GACT_DEVICE_FAIL_AT", "2+", 1);
    d = open_device("cuda");
    assert_int_equal(d->table->alloc(d, N, &p), DEVICE_OK);
    assert_int_equal(d->table->fill(d, 0, p, 1, N), DEVICE_FAILED);
    assert_int_equal(d->table->sync(d, 0), DEVICE_FAILED);
    d->table->free(d, p);
    close_device(d);
    unsetenv("GACT_DEVICE_FAIL_AT");
    assert_int_equal(fake->used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tells_about_the_gpu, start),
        cmocka_unit_test_setup(orders_streams, start),
        cmocka_unit_test_setup(fills_and_copies, start),
        cmocka_unit_test_setup(frees_into_the_pool, start),
        cmocka_unit_test_setup(frees_without_a_pool, start),
        cmocka_unit_test_setup(measures_time, start),
        cmocka_unit_test_setup(replays_what_comes_again, start),
        cmocka_unit_test_setup(leaves_a_graph, start),
        cmocka_unit_test_setup(lives_without_graphs, start),
        cmocka_unit_test_setup(tells_of_failed_graphs, start),
        cmocka_unit_test_setup(asks_for_shared_memory, start),
        cmocka_unit_test_setup(compiles_for_the_gpu, start),
        cmocka_unit_test_setup(says_which_call_failed, start),
        cmocka_unit_test_setup(runs_out_of_memory, start),
        cmocka_unit_test_setup(tells_of_a_crash, start),
        cmocka_unit_test_setup(refuses_bad_code, start),
        cmocka_unit_test_setup(opens_whole_or_not_at_all, start),
        cmocka_unit_test_setup(knows_names, start),
        cmocka_unit_test_setup(keeps_one_for_the_process, start),
        cmocka_unit_test_setup(opens_one_for_all_threads, start),
        cmocka_unit_test_setup(injects_a_failure, start),
    };
    unsetenv("GACT_DEVICE");
    unsetenv("GACT_DEVICE_FAIL_AT");
    setenv("GACT_CUDA", FAKE_CUDA, 1);
    void *library = dlopen(FAKE_CUDA, RTLD_NOW),
         *symbol = library ? dlsym(library, "fake_cuda") : NULL;
    FakeCudaFn *get;
    if (!symbol)
        return 1;
    memcpy(&get, &symbol, sizeof symbol);
    fake = get();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
