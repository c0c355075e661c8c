/* Which format a file has: by its extension, with a part after a colon. Reading by a spec, and
   writing several files so that either all of them appear or none. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    const char *extension;
    bool (*read)(const Reader *r, Bytes file, const char *part, GactSlot *out);
    bool (*write)(Text *out, const WriteItem *items, int n, GactError *error);
    bool is_numbers; /* dense arrays, in which nothing can be missing */
} FileFormat;

static const FileFormat formats[] = {
    {".npy", npy_read, npy_write, true},    {".npz", npz_read, npz_write, true},
    {".csv", csv_read, csv_write, false},   {".tsv", tsv_read, tsv_write, false},
    {".json", json_read, json_write, false}, {".bin", bin_read, bin_write, true},
    {".txt", txt_read, txt_write, false},   {".png", png_read, png_write, true},
};
enum { FORMATS = sizeof formats / sizeof *formats };

/* Finds ".ext" before a colon or the end; *len is that of the path before the colon. */
static const FileFormat *format_of(const char *spec, size_t *len) {
    for (const char *dot = strchr(spec, '.'); dot; dot = strchr(dot + 1, '.'))
        for (int k = 0; k < FORMATS; k++) {
            size_t n = strlen(formats[k].extension);
            if (!strncasecmp(dot, formats[k].extension, n) && (!dot[n] || dot[n] == ':')) {
                *len = (size_t)(dot - spec) + n;
                return &formats[k];
            }
        }
    return NULL;
}

bool format_known(const char *spec) {
    size_t len;
    return format_of(spec, &len) != NULL;
}

bool format_is_numbers(const char *spec) {
    size_t len;
    const FileFormat *f = format_of(spec, &len);
    return f && f->is_numbers;
}

/* ---- reading ---- */

static bool read_format(const Reader *r, const FileFormat *f, const char *spec, size_t len,
                        GactSlot *out) {
    Bytes file;
    Reader named = *r;
    named.source = spec;
    if (!file_read(r, region_copy(r->region, spec, len), &file))
        return false;
    return f->read(&named, file, spec[len] ? spec + len + 1 : NULL, out);
}

bool spec_read_file(const Reader *r, const char *spec, GactSlot *out) {
    size_t len;
    const FileFormat *f = format_of(spec, &len);
    if (!f)
        return read_fail(r, "%s is no .npy, .npz, .csv, .tsv, .json, .bin, .txt or .png file",
                         spec);
    return read_format(r, f, spec, len, out);
}

bool spec_read(const Reader *r, const char *spec, GactSlot *out) {
    size_t len;
    const FileFormat *f = format_of(spec, &len);
    bool text = r->type->kind == GACT_STRING;
    /* A text that looks like a file is one only where the file can hold a single text. */
    if (f && *spec != '"' && (!text || f->read == json_read || f->read == txt_read))
        return read_format(r, f, spec, len, out);
    if (!text && !access(spec, F_OK))
        return read_fail(r,
                         "the file %s has none of the extensions .npy, .npz, .csv, .tsv, .json, "
                         ".bin, .txt and .png",
                         spec);
    Reader named = *r;
    named.source = "the literal";
    return literal_read(&named, spec, strlen(spec), out);
}

/* ---- writing ---- */

typedef struct OutputItem {
    WriteItem item;
    struct OutputItem *next;
} OutputItem;

struct OutputFile {
    const char *path, *temporary; /* temporary: NULL until it exists */
    const FileFormat *format;
    OutputItem *items, **end;
    int count;
    OutputFile *next;
};

/* One path, or one name in a file, twice. */
static GactStatus refuse_twice(const OutputFile *f, const WriteItem *item, GactError *error) {
    const char *name = item->part ? item->part : item->name;
    if (f->format->write != npz_write && f->format->write != csv_write &&
        f->format->write != tsv_write && f->format->write != json_write)
        return error_set(error, GACT_BAD_INPUT, "output %s: %s is the file of output %s already",
                         item->name, f->path, f->items->item.name);
    for (const OutputItem *o = f->items; o; o = o->next)
        if (!strcmp(name, o->item.part ? o->item.part : o->item.name))
            return error_set(error, GACT_BAD_INPUT, "output %s: %s holds the name %s already",
                             item->name, f->path, name);
    return GACT_OK;
}

static OutputFile *output_file(Outputs *o, const FileFormat *format, const char *path) {
    OutputFile **at = &o->files;
    for (; *at; at = &(*at)->next)
        if (!strcmp((*at)->path, path))
            return *at;
    *at = region_zero(o->region, 1, sizeof **at);
    **at = (OutputFile){.path = path, .format = format, .end = &(*at)->items};
    return *at;
}

static GactStatus add_item(Outputs *o, OutputFile *f, WriteItem item, GactError *error) {
    GactStatus status = f->count ? refuse_twice(f, &item, error) : GACT_OK;
    if (status)
        return status;
    OutputItem *added = region_zero(o->region, 1, sizeof *added);
    added->item = item;
    *f->end = added;
    f->end = &added->next;
    f->count++;
    return GACT_OK;
}

GactStatus outputs_add(Outputs *o, const char *spec, const char *name, const GactType *type,
                       const GactSlot *slots, GactError *error) {
    size_t len;
    const FileFormat *format = format_of(spec, &len);
    if (!format)
        return error_set(error, GACT_BAD_INPUT,
                         "output %s: %s is no .npy, .npz, .csv, .tsv, .json, .bin, .txt or .png "
                         "file",
                         name, spec);
    OutputFile *f = output_file(o, format, region_copy(o->region, spec, len));
    const char *part = spec[len] ? region_printf(o->region, "%s", spec + len + 1) : NULL;
    return add_item(o, f, (WriteItem){name, part, type, slots}, error);
}

GactStatus outputs_add_as(Outputs *o, const char *path, const char *extension, const char *name,
                          const GactType *type, const GactSlot *slots, GactError *error) {
    size_t len;
    OutputFile *f = output_file(o, format_of(extension, &len), path);
    return add_item(o, f, (WriteItem){name, NULL, type, slots}, error);
}

static GactStatus write_items(Outputs *o, OutputFile *f, FILE *file, GactError *error) {
    WriteItem *items = region_zero(o->region, (size_t)f->count, sizeof *items);
    Region scratch = {.exhausted = o->region->exhausted, .arg = o->region->arg};
    Text text = {.region = &scratch, .file = file};
    int n = 0;
    for (const OutputItem *i = f->items; i; i = i->next)
        items[n++] = i->item;
    bool ok = f->format->write(&text, items, n, error);
    GactStatus status = GACT_OK;
    if (!ok)
        status = GACT_BAD_INPUT;
    else if (!text_flush(&text))
        status = error_set(error, GACT_BAD_INPUT, "cannot write %s: %s", f->path, strerror(errno));
    region_free(&scratch);
    return status;
}

/* The permissions that an ordinary new file has. */
static mode_t file_mode(const char *path) {
    struct stat st;
    if (!stat(path, &st))
        return st.st_mode & 0777;
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static GactStatus write_file(Outputs *o, OutputFile *f, GactError *error) {
    char *path = region_printf(o->region, "%s.XXXXXX", f->path);
    int fd = mkostemp(path, O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) {
        if (fd >= 0)
            close(fd);
        return error_set(error, GACT_BAD_INPUT, "cannot write %s: %s", f->path, strerror(errno));
    }
    f->temporary = path;
    fchmod(fd, file_mode(f->path));
    GactStatus status = write_items(o, f, file, error);
    if (fclose(file) && !status)
        status = error_set(error, GACT_BAD_INPUT, "cannot write %s: %s", f->path, strerror(errno));
    return status;
}

/* A device or a pipe is written in place: it cannot be replaced by a rename. */
static bool is_special(const char *path) {
    struct stat st;
    return !stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

static GactStatus write_special(Outputs *o, OutputFile *f, GactError *error) {
    FILE *file = fopen(f->path, "wb");
    if (!file)
        return error_set(error, GACT_BAD_INPUT, "cannot write %s: %s", f->path, strerror(errno));
    GactStatus status = write_items(o, f, file, error);
    fclose(file);
    return status;
}

GactStatus outputs_write(Outputs *o, GactError *error) {
    GactStatus status = GACT_OK;
    for (OutputFile *f = o->files; f && !status; f = f->next)
        status = is_special(f->path) ? write_special(o, f, error) : write_file(o, f, error);
    for (OutputFile *f = o->files; f; f = f->next) {
        if (!f->temporary)
            continue;
        if (status)
            unlink(f->temporary);
        else if (rename(f->temporary, f->path))
            status =
                error_set(error, GACT_BAD_INPUT, "cannot write %s: %s", f->path, strerror(errno));
        if (status)
            unlink(f->temporary);
    }
    return status;
}
