/* --doctor: what this machine has that gact can use, what it lacks, and how to get it. */
#include "cli.h"

#include "../../lang/nvrtc.h"
#include "../../lang/store.h"
#include "../device/device.h"

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

static void print_info(const char *label, const DeviceInfo *info, FILE *out) {
    line(out, label, "%s%s%s, %d multiprocessors, %.0f of %.0f MiB free", info->name,
         *info->arch ? ", " : "", info->arch, info->units, mib(info->free), mib(info->memory));
}

static void print_device(const DeviceTable *table, int32_t ordinal, FILE *out) {
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
    device_close(d);
}

static void print_devices(const DeviceTable *table, FILE *out) {
    GactError why = {0};
    int32_t count = table->count(&why);
    for (int32_t k = 0; k < count; k++)
        print_device(table, k, out);
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
        print_devices(*t, out);
    print_nvrtc(out);
    print_store(out);
}
