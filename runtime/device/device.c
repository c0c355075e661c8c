/* Devices by their names, and the one that the process uses. */
#include "device.h"

#include "graphs.h"
#include "inject.h"
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

const DeviceTable *const device_tables[] = {&device_cuda, &device_emu, NULL};

/* ---- opening by name ---- */

static const DeviceTable *find_table(const char *name, size_t len) {
    for (const DeviceTable *const *t = device_tables; *t; t++)
        if (strlen((*t)->name) == len && !memcmp((*t)->name, name, len))
            return *t;
    return NULL;
}

/* "" is 0, ":3" is 3; -1 for anything else. */
static int32_t read_ordinal(const char *text) {
    char *end;
    if (!*text)
        return 0;
    if (text[0] != ':' || text[1] < '0' || text[1] > '9')
        return -1;
    long number = strtol(text + 1, &end, 10);
    return *end || number > INT16_MAX ? -1 : (int32_t)number;
}

static DeviceStatus open_table(const DeviceTable *table, int32_t ordinal, Device **d,
                               GactError *error) {
    DeviceStatus status = table->open(ordinal, d, error);
    if (!status)
        status = device_inject(d, error);
    if (!status) {
        device_graphs(*d);
        device_meter(*d);
    }
    return status;
}

/* Is it left to the runtime what runs there? Then *name is the device's name, "" for any. */
static bool is_auto(const char *spec, const char **name) {
    bool is = !strncmp(spec, "auto", 4) && (!spec[4] || spec[4] == ':');
    *name = is ? spec + 4 + (spec[4] == ':') : spec;
    return is;
}

DeviceStatus device_open(const char *given, Device **d, GactError *error) {
    const char *spec;
    bool is_any = is_auto(given, &spec) && !*spec;
    size_t len = strcspn(spec, ":");
    const DeviceTable *table = find_table(spec, len);
    int32_t ordinal = read_ordinal(spec + len);
    *d = NULL;
    if (!strcmp(spec, "host"))
        return DEVICE_OK;
    if (is_any) {
        if (device_cuda.count(NULL) == 0 || open_table(&device_cuda, 0, d, NULL))
            *d = NULL;
        return DEVICE_OK;
    }
    if (!table || ordinal < 0) {
        error_set(error, GACT_BAD_INPUT,
                  "there is no device `%s`: it is host, cuda, cuda:N, emu or auto", given);
        return DEVICE_FAILED;
    }
    GactError why = {0};
    DeviceStatus status = open_table(table, ordinal, d, &why);
    if (status)
        error_set(error, GACT_BAD_INPUT, "device %s cannot be used: %s", given, why.text);
    return status;
}

int32_t device_open_all(const char *kind, Device **list, int32_t most, GactError *error) {
    const DeviceTable *table = find_table(kind, strlen(kind));
    GactError why = {0};
    int32_t count = table ? table->count(&why) : 0, opened = 0;
    for (int32_t k = 0; k < count && opened < most; k++)
        if (!open_table(table, k, &list[opened], &why))
            opened++;
    if (!opened)
        error_set(error, GACT_BAD_INPUT, "no device %s can be used: %s", kind,
                  table ? why.text : "there is no such kind");
    return opened;
}

void device_close(Device *d) {
    if (d)
        d->table->close(d);
}

/* ---- the process's device ---- */

enum { MOST_USED = 16 };

/* Opened by the first that asks, closed at shutdown. */
static struct {
    pthread_mutex_t lock;
    _Atomic bool settled;
    bool is_forced, is_numbered; /* asked for by name, by its number */
    Device *device;
    Device *all[MOST_USED]; /* it, and others of its kind, nall of them; 0: not opened yet */
    int32_t nall;
} used = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Under the lock, as settle is. */
static void close_used(void) {
    for (int32_t k = 1; k < used.nall; k++)
        device_close(used.all[k]);
    device_close(used.device);
    used.device = NULL;
    used.nall = 0;
}

static GactStatus settle(const char *spec, GactError *error) {
    const char *given = getenv("GACT_DEVICE");
    if (!spec)
        spec = given && *given ? given : "host";
    close_used();
    const char *name;
    used.is_forced = !is_auto(spec, &name);
    used.is_numbered = strchr(name, ':') != NULL;
    used.settled = !device_open(spec, &used.device, error);
    return used.settled ? GACT_OK : GACT_BAD_INPUT;
}

GactStatus device_use(const char *spec, GactError *error) {
    pthread_mutex_lock(&used.lock);
    GactStatus status = settle(spec, error);
    pthread_mutex_unlock(&used.lock);
    return status;
}

GactStatus device_ensure(GactError *error) {
    if (used.settled)
        return GACT_OK;
    pthread_mutex_lock(&used.lock);
    GactStatus status = used.settled ? GACT_OK : settle(NULL, error);
    pthread_mutex_unlock(&used.lock);
    return status;
}

Device *runtime_device(void) {
    return used.device;
}

int32_t runtime_devices(Device *const **list) {
    pthread_mutex_lock(&used.lock);
    Device *own = used.device;
    if (own && !used.nall) {
        int32_t count = own->table->count(NULL);
        used.all[used.nall++] = own;
        for (int32_t k = 0; k < count && used.nall < MOST_USED; k++)
            if (k != own->ordinal && !open_table(find_table(own->table->name, strlen(own->table->name)), k,
                                                 &used.all[used.nall], NULL))
                used.nall++;
    }
    *list = used.all;
    int32_t n = used.nall;
    pthread_mutex_unlock(&used.lock);
    return n;
}

bool runtime_device_is_numbered(void) {
    return used.is_numbered;
}

bool runtime_device_is_forced(void) {
    return used.is_forced;
}

void device_stop(void) {
    pthread_mutex_lock(&used.lock);
    close_used();
    used.settled = false;
    pthread_mutex_unlock(&used.lock);
}
