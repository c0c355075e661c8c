/* --doctor: what this machine has that gact can use, what it lacks, and how to get it. */
#include "cli.h"

#include "../../lang/nvrtc.h"
#include "../../lang/store.h"
#include "../device/emu.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A line; what comes after the first of a subject has no label. */
__attribute__((format(printf, 3, 4))) static void line(FILE *out, const char *label,
                                                       const char *fmt, ...) {
    va_list args;
    fprintf(out, "%-10s ", label);
    va_start(args, fmt);
    vfprintf(out, fmt, args);
    va_end(args);
    fputc('\n', out);
}

static double mib(int64_t bytes) {
    return (double)bytes / (1 << 20);
}

static void print_compiler(Region *region, FILE *out) {
    const char *path = cache_compiler(region);
    bool usable = path && !access(path, X_OK);
    line(out, "gactc", "%s%s", path ? path : "none",
         usable ? "" : ": .gact files cannot be compiled");
    if (!usable)
        line(out, "", "install it beside gactrun or in PATH, or set GACTC to its path");
}

/* ---- devices ---- */

/* How to get what a kind of device needs. */
static const struct {
    const char *name, *advice;
} advices[] = {
    {"cuda", "a GPU of NVIDIA's needs its driver: on Debian the package nvidia-driver (non-free)"},
    {"emu", "it needs a C++ compiler: on Debian the package g++; GACT_EMU_CXX may name one"},
};

static const char *advice_for(const char *name) {
    for (size_t k = 0; k < sizeof advices / sizeof *advices; k++)
        if (!strcmp(advices[k].name, name))
            return advices[k].advice;
    return "";
}

/* ---- a trial ---- */

enum { TRIAL_BLOCKS = 3, TRIAL_THREADS = 64 };
static const char trial_text[] = "struct trial_args { i64 *sums; };\n"
                                 "GX_KERNEL(trial, trial_args) {\n"
                                 "    GX_SHARED(i32, count);\n"
                                 "    if (threadIdx.x == 0) count = (i32)blockIdx.x;\n"
                                 "    gx_sync();\n"
                                 "    gx_fetch_add(&count, 1);\n"
                                 "    gx_sync();\n"
                                 "    if (threadIdx.x == 0) a.sums[blockIdx.x] = count;\n"
                                 "}\n";

/* Runs the loaded kernel and looks at what it computes. */
static DeviceStatus run_trial(Device *d, DeviceModule *module, bool *right) {
    const DeviceTable *t = d->table;
    const DeviceGrid grid = {.blocks = {TRIAL_BLOCKS, 1, 1}, .threads = TRIAL_THREADS};
    int64_t sums[TRIAL_BLOCKS] = {0};
    DeviceFunc *f;
    DevicePtr p;
    DeviceStatus status = t->function(d, module, "trial", &f);
    if (!status)
        status = t->alloc(d, sizeof sums, &p);
    if (status)
        return status;
    status = t->launch(d, 0, f, &grid, &p, sizeof p);
    if (!status)
        status = t->copy_out(d, 0, sums, p, sizeof sums);
    if (!status)
        status = t->sync(d, 0);
    t->free(d, p);
    *right = true;
    for (int k = 0; k < TRIAL_BLOCKS; k++)
        *right = *right && sums[k] == TRIAL_THREADS + k;
    return status;
}

/* Does the device run what is compiled for it? */
static void print_trial(Region *region, Device *d, FILE *out) {
    const char *text = region_printf(region, "%s%s", device_prelude, trial_text);
    void *code = NULL;
    size_t len = 0;
    char *log = NULL;
    DeviceModule *module = NULL;
    bool right = false;
    double start = seconds_now();
    DeviceStatus status = d->table->compile(d, text, strlen(text), &code, &len, &log);
    double seconds = seconds_now() - start;
    if (!status)
        status = d->table->load(d, code, len, &module);
    if (!status)
        status = run_trial(d, module, &right);
    d->table->unload(d, module);
    free(code);
    free(log);
    if (status)
        line(out, "", "a trial fails: %s", d->error);
    else if (!right)
        line(out, "", "a trial fails: the kernel gives wrong numbers");
    else
        line(out, "", "a kernel is compiled by %s in %.0f ms and runs",
             d->table == &device_emu ? emu_compiler(NULL) : "libnvrtc", seconds * 1e3);
}

static void print_info(const char *label, const DeviceInfo *info, FILE *out) {
    line(out, label, "%s%s%s, %d multiprocessors, %.0f of %.0f MiB free", info->name,
         *info->arch ? ", " : "", info->arch, info->units, mib(info->free), mib(info->memory));
}

static void print_device(Region *region, const DeviceTable *table, int32_t ordinal, FILE *out) {
    char label[24];
    Device *d;
    GactError error = {0};
    DeviceInfo info;
    snprintf(label, sizeof label, "%s:%d", table->name, ordinal);
    if (table->open(ordinal, &d, &error)) {
        line(out, label, "cannot be used: %s", error.text);
        return;
    }
    if (table->info(d, &info))
        line(out, label, "cannot be used: %s", d->error);
    else
        print_info(label, &info, out);
    print_trial(region, d, out);
    device_close(d);
}

static void print_devices(Region *region, const DeviceTable *table, FILE *out) {
    GactError why = {0};
    int32_t count = table->count(&why);
    for (int32_t k = 0; k < count; k++)
        print_device(region, table, k, out);
    if (count == 0) {
        line(out, table->name, "none: %s", why.text);
        line(out, "", "%s", advice_for(table->name));
    }
}

static void print_nvrtc(FILE *out) {
    const char *why;
    const NvrtcInfo *info = nvrtc_find(&why);
    if (!info) {
        line(out, "libnvrtc", "none: %s", why);
        line(out, "", "it compiles code for GPUs: on Debian the package libnvrtc12 (non-free), or");
        line(out, "", "`pip install nvidia-cuda-nvrtc`, or NVIDIA's CUDA toolkit");
        return;
    }
    line(out, "libnvrtc", "%d.%d, %s", info->major, info->minor, info->path);
    fprintf(out, "%-10s for", "");
    for (int32_t k = 0; k < info->narchs; k++)
        fprintf(out, " sm_%d", info->archs[k]);
    fputc('\n', out);
}

/* ---- kept files ---- */

static void print_store(FILE *out) {
    Store store;
    StoreFile *files;
    store_open(&store);
    if (!*store.folder) {
        line(out, "cache", "none: GACT_CACHE_SIZE is 0, or the folder cannot be written");
        return;
    }
    int64_t bytes = 0;
    int count = store_list(&store, &files);
    for (int k = 0; k < count; k++)
        bytes += files[k].bytes;
    free(files);
    line(out, "cache", "%s: %d %s, %.1f of %.0f MiB", store.folder, count,
         count == 1 ? "file" : "files", mib(bytes), mib(store.limit));
}

void doctor_print(Region *region, FILE *out) {
    line(out, "gact", "%s", GACT_VERSION);
    print_compiler(region, out);
    line(out, "host", "%ld processors", sysconf(_SC_NPROCESSORS_ONLN));
    for (const DeviceTable *const *t = device_tables; *t; t++)
        print_devices(region, *t, out);
    print_nvrtc(out);
    print_store(out);
}
