#include "units.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    GROUP_BYTES = 48 << 10, /* of text, that is compiled together */
    UNIT_BYTES = 12 << 10,  /* less is not worth a unit of its own, as each reads the prelude */
    MOST_UNITS = 8          /* of a group */
};

typedef enum { NOT_YET, DONE, FAILED } GroupState;

/* Kernels first … end - 1. */
typedef struct {
    int32_t first, end;
    GroupState state;
    DeviceModule *modules[MOST_UNITS];
} Group;

struct DeviceUnits {
    Device *d;
    const GactImage *image;
    DeviceFunc **funcs; /* by kernel and phase */
    int32_t *at;        /* of each kernel's first function */
    int32_t *same;      /* by kernel: the first that differs by its name alone */
    int32_t *group_of;
    Group *groups;
    int32_t ngroups;
    DeviceModule *made; /* code that the image brought for all kernels, or NULL */
    bool is_made;
};

/* ---- kernels that are the same ---- */

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

char *units_plain_text(const char *text, const char *name) {
    size_t len = strlen(text), n = strlen(name);
    char *plain = malloc(len + 1), *to = plain;
    const char *at = text;
    while (plain && *at) {
        bool is_line = at == text || at[-1] == '\n', is_start = at == text || !is_word(at[-1]);
        if (is_line && !strncmp(at, "#line ", 6)) {
            at += strcspn(at, "\n");
            at += *at == '\n';
        } else if (n && is_start && !strncmp(at, name, n) && (!is_word(at[n]) || at[n] == '_')) {
            *to++ = '@';
            at += n;
        } else {
            *to++ = *at++;
        }
    }
    if (plain)
        *to = 0;
    return plain;
}

/* The same phases after the name? */
static bool has_phases_of(const GactDeviceKernel *a, const GactDeviceKernel *b) {
    bool is = a->nphases == b->nphases;
    for (int32_t p = 0; is && p < a->nphases; p++)
        is = !strcmp(a->phases[p].name + strlen(a->name), b->phases[p].name + strlen(b->name));
    return is;
}

/* Where there is no memory for it kernels are taken to differ. */
static void find_same(DeviceUnits *u) {
    int64_t n = u->image->nkernels;
    char **plain = calloc((size_t)n + 1, sizeof *plain);
    for (int64_t k = 0; k < n; k++) {
        const GactDeviceKernel *kernel = u->image->kernels[k];
        u->same[k] = (int32_t)k;
        if (!plain || !(plain[k] = units_plain_text(kernel->text, kernel->name)))
            continue;
        for (int64_t i = 0; i < k && u->same[k] == k; i++)
            if (u->same[i] == i && plain[i] && !strcmp(plain[i], plain[k]) &&
                has_phases_of(u->image->kernels[i], kernel))
                u->same[k] = (int32_t)i;
    }
    for (int64_t k = 0; plain && k < n; k++)
        free(plain[k]);
    free(plain);
}

/* ---- groups ---- */

static size_t text_bytes(const DeviceUnits *u, int32_t k) {
    return u->same[k] == k ? strlen(u->image->kernels[k]->text) : 0;
}

static void make_groups(DeviceUnits *u) {
    size_t bytes = 0;
    for (int32_t k = 0; k < u->image->nkernels; k++) {
        size_t own = text_bytes(u, k);
        if (!u->ngroups || bytes + own > GROUP_BYTES) {
            u->groups[u->ngroups++] = (Group){.first = k};
            bytes = 0;
        }
        bytes += own;
        u->groups[u->ngroups - 1].end = k + 1;
        u->group_of[k] = u->ngroups - 1;
    }
}

DeviceUnits *units_open(Device *d, const GactImage *image) {
    size_t n = (size_t)image->nkernels + 1, nphases = 1;
    DeviceUnits *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    for (int64_t k = 0; k < image->nkernels; k++)
        nphases += (size_t)image->kernels[k]->nphases;
    *u = (DeviceUnits){.d = d,
                       .image = image,
                       .funcs = calloc(nphases, sizeof *u->funcs),
                       .at = calloc(n, sizeof *u->at),
                       .same = calloc(n, sizeof *u->same),
                       .group_of = calloc(n, sizeof *u->group_of),
                       .groups = calloc(n, sizeof *u->groups)};
    if (!u->funcs || !u->at || !u->same || !u->group_of || !u->groups) {
        units_close(u);
        return NULL;
    }
    for (int64_t k = 0; k < image->nkernels; k++)
        u->at[k + 1] = u->at[k] + image->kernels[k]->nphases;
    find_same(u);
    make_groups(u);
    return u;
}

void units_close(DeviceUnits *u) {
    for (int32_t g = 0; u->groups && g < u->ngroups; g++)
        for (int32_t k = 0; k < MOST_UNITS; k++)
            u->d->table->unload(u->d, u->groups[g].modules[k]);
    u->d->table->unload(u->d, u->made);
    free(u->funcs);
    free(u->at);
    free(u->same);
    free(u->group_of);
    free(u->groups);
    free(u);
}

/* ---- compiling ---- */

/* A part of a group, compiled by a thread of its own. */
typedef struct {
    DeviceUnits *u;
    int32_t first, end;
    DeviceModule *module;
    DeviceStatus status;
    pthread_t thread;
    bool has_thread;
} Part;

static void *compile_part(void *arg) {
    Part *part = arg;
    DeviceUnits *u = part->u;
    size_t len = 0;
    for (int32_t k = part->first; k < part->end; k++)
        len += text_bytes(u, k);
    char *text = malloc(len + 1), *at = text;
    part->status = text ? DEVICE_OK : DEVICE_NO_MEMORY;
    for (int32_t k = part->first; text && k < part->end; k++) {
        memcpy(at, u->image->kernels[k]->text, text_bytes(u, k));
        at += text_bytes(u, k);
    }
    if (text && len)
        part->status = device_code(u->d, text, len, &part->module);
    free(text);
    return NULL;
}

/* Parts of about equal length: as many as pay and as there are processors. */
static int32_t cut_group(DeviceUnits *u, const Group *g, Part parts[MOST_UNITS]) {
    size_t bytes = 0, so_far = 0;
    int64_t processors = sysconf(_SC_NPROCESSORS_ONLN);
    int32_t n = 0;
    for (int32_t k = g->first; k < g->end; k++)
        bytes += text_bytes(u, k);
    int64_t most = (int64_t)(bytes / UNIT_BYTES);
    most = most > processors ? processors : most;
    most = most > MOST_UNITS ? MOST_UNITS : most < 1 ? 1 : most;
    for (int32_t k = g->first; k < g->end; k++) {
        if (n == 0 || (n < most && so_far >= bytes * (size_t)n / (size_t)most))
            parts[n++] = (Part){.u = u, .first = k};
        so_far += text_bytes(u, k);
        parts[n - 1].end = k + 1;
    }
    return n;
}

static DeviceStatus find_functions(DeviceUnits *u, int32_t first, int32_t end, DeviceModule *module) {
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = first; k < end; k++)
        for (int32_t p = 0; u->same[k] == k && p < u->image->kernels[k]->nphases && !status; p++)
            status = u->d->table->function(u->d, module, u->image->kernels[k]->phases[p].name,
                                           &u->funcs[u->at[k] + p]);
    return status;
}

static DeviceStatus compile_group(DeviceUnits *u, Group *g) {
    Part parts[MOST_UNITS];
    int32_t n = cut_group(u, g, parts);
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 1; k < n; k++)
        parts[k].has_thread = !pthread_create(&parts[k].thread, NULL, compile_part, &parts[k]);
    for (int32_t k = 0; k < n; k++)
        if (!parts[k].has_thread)
            compile_part(&parts[k]);
    for (int32_t k = 0; k < n; k++) {
        if (parts[k].has_thread)
            pthread_join(parts[k].thread, NULL);
        g->modules[k] = parts[k].module;
        status = status ? status : parts[k].status;
    }
    for (int32_t k = 0; k < n && !status; k++)
        status = find_functions(u, parts[k].first, parts[k].end, parts[k].module);
    return status;
}

/* The group of a kernel, or all of them where the image brings code. */
static DeviceStatus compile(DeviceUnits *u, Group *g) {
    if (!u->is_made && device_code_made(u->d, u->image, &u->made)) {
        DeviceStatus status = DEVICE_OK;
        for (int32_t k = 0; k < u->image->nkernels; k++)
            u->same[k] = k; /* each is there under its name */
        for (int32_t k = 0; k < u->ngroups; k++)
            u->groups[k].state = DONE;
        status = find_functions(u, 0, (int32_t)u->image->nkernels, u->made);
        return status;
    }
    u->is_made = true; /* asked for */
    return compile_group(u, g);
}

DeviceStatus units_functions(DeviceUnits *u, int32_t kernel, DeviceFunc ***funcs) {
    int32_t same = u->same[kernel];
    Group *g = &u->groups[u->group_of[same]];
    if (g->state == NOT_YET) {
        g->state = FAILED;
        DeviceStatus status = compile(u, g);
        if (status)
            return status;
        g->state = DONE;
    }
    if (g->state == FAILED)
        return DEVICE_FAILED;
    *funcs = u->funcs + u->at[u->same[kernel]];
    return DEVICE_OK;
}
