/* The bandwidth of copies within a device's memory, by the device's own clock: the measure for what
   kernels reach. `device_copy DEVICE [MIB]` prints the best of several copies in GB/s, read and
   written, then the device's free memory in MiB, its driver and its name. */
#include "../../runtime/device/device.h"

#include <stdlib.h>

enum { REPEATS = 10 };

static DeviceStatus copy_ns(Device *d, DevicePtr to, DevicePtr from, int64_t bytes, int64_t *ns) {
    DeviceStatus status = d->table->mark(d, 0, 0);
    if (status == DEVICE_OK)
        status = d->table->copy(d, 0, to, from, bytes);
    if (status == DEVICE_OK)
        status = d->table->mark(d, 0, 1);
    return status == DEVICE_OK ? d->table->between(d, 0, 1, ns) : status;
}

static DeviceStatus best_copy(Device *d, int64_t bytes, int64_t *best) {
    DevicePtr from = 0, to = 0;
    DeviceStatus status = d->table->alloc(d, bytes, &from);
    if (status == DEVICE_OK)
        status = d->table->alloc(d, bytes, &to);
    if (status == DEVICE_OK)
        status = d->table->fill(d, 0, from, 1, bytes);
    *best = INT64_MAX;
    for (int i = 0; status == DEVICE_OK && i < REPEATS; i++) {
        int64_t ns = 0;
        status = copy_ns(d, to, from, bytes, &ns);
        if (ns > 0 && ns < *best)
            *best = ns;
    }
    if (to)
        d->table->free(d, to);
    if (from)
        d->table->free(d, from);
    return status;
}

int main(int argc, char **argv) {
    GactError error = {0};
    Device *d;
    DeviceInfo info;
    int64_t mib = argc > 2 ? atoll(argv[2]) : 512, ns;
    if (argc < 2 || mib < 1) {
        fputs("usage: device_copy DEVICE [MIB]\n", stderr);
        return 2;
    }
    if (device_open(argv[1], &d, &error) != DEVICE_OK || !d) {
        fprintf(stderr, "device_copy: %s\n", d || error.text[0] ? error.text : "no device");
        return 2;
    }
    DeviceStatus status = d->table->info(d, &info);
    if (status == DEVICE_OK)
        status = best_copy(d, mib << 20, &ns);
    if (status == DEVICE_OK)
        printf("%.3f %lld %d %s\n", 2 * (double)(mib << 20) / (double)ns,
               (long long)(info.free >> 20), info.driver, info.name);
    else
        fprintf(stderr, "device_copy: %s\n", d->error);
    device_close(d);
    return status == DEVICE_OK ? 0 : 1;
}
