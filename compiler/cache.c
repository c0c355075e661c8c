/* The parts of `gactc cache`. */
#include "cache.h"

#include "../lang/kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char nothing_kept[] =
    "nothing is kept: GACT_CACHE_SIZE is 0, or there is no folder that can be written";

/* ---- numbers for people ---- */

static void put_size(int64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1000 && unit < 3; unit++)
        size /= 1024;
    printf(unit && size < 10 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

static void put_age(time_t when) {
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t age = (int64_t)(time(NULL) - when);
    int k = 0;
    while (k < 3 && age < 2 * units[k].seconds)
        k++;
    printf("%lld %s ago", (long long)(age < 0 ? 0 : age / units[k].seconds), units[k].name);
}

/* ---- what the files are ---- */

/* A record: a source as it was compiled last. */
typedef struct {
    char name[STORE_NAME], image[STORE_NAME];
    char *source; /* its path */
} Record;

typedef struct {
    Store store;
    StoreFile *files; /* used longest ago first */
    int nfiles, nrecords;
    Record *records;
} Listing;

/* The first file of a description, which is the source. */
static char *source_of(const char *description) {
    char *files = kept_files(description);
    if (files)
        files[strcspn(files, "\n")] = 0;
    return files;
}

static void add_record(Listing *l, const char *name) {
    char *description;
    size_t len;
    if (!store_peek(&l->store, name, &description, &len, NULL))
        return;
    Record *r = &l->records[l->nrecords++];
    snprintf(r->name, sizeof r->name, "%s", name);
    kept_image_name(description, r->image);
    r->source = source_of(description);
    free(description);
}

static bool listing_open(Listing *l) {
    *l = (Listing){0};
    store_open(&l->store);
    l->nfiles = store_list(&l->store, &l->files);
    l->records = calloc((size_t)l->nfiles + 1, sizeof *l->records);
    for (int k = 0; k < l->nfiles && l->records; k++)
        if (store_ends(l->files[k].name, ".deps"))
            add_record(l, l->files[k].name);
    return *l->store.folder && l->records;
}

static void listing_close(Listing *l) {
    for (int k = 0; k < l->nrecords; k++)
        free(l->records[k].source);
    free(l->records);
    free(l->files);
}

/* The record that names an image, or NULL. */
static const Record *record_of_image(const Listing *l, const char *image) {
    for (int k = 0; k < l->nrecords; k++)
        if (!strcmp(l->records[k].image, image))
            return &l->records[k];
    return NULL;
}

/* ---- list ---- */

/* What an entry is for; *text is from malloc or NULL. */
static const char *describe_file(const Listing *l, const StoreFile *file, char **text) {
    char *content;
    size_t len;
    *text = NULL;
    if (store_ends(file->name, ".gactx")) {
        const Record *r = record_of_image(l, file->name);
        *text = strdup(r && r->source ? r->source : "of an earlier version");
        return "program";
    }
    if (store_ends(file->name, ".cost"))
        return "timings";
    if (!store_ends(file->name, ".code"))
        return "unfinished";
    if (store_peek(&l->store, file->name, &content, &len, text))
        free(content);
    return "kernels";
}

const char *cache_list(void) {
    Listing l;
    int64_t total = 0;
    if (!listing_open(&l)) {
        listing_close(&l);
        return nothing_kept;
    }
    for (int k = l.nfiles - 1; k >= 0; k--) {
        const StoreFile *file = &l.files[k];
        char *text;
        total += file->bytes;
        if (store_ends(file->name, ".deps"))
            continue;
        const char *kind = describe_file(&l, file, &text);
        printf("%s %s, ", kind, text ? text : file->name);
        put_size(file->bytes);
        fputs(", used ", stdout);
        put_age(file->used.tv_sec);
        putchar('\n');
        free(text);
    }
    printf("%d %s in %s, ", l.nfiles, l.nfiles == 1 ? "file" : "files", l.store.folder);
    put_size(total);
    fputs(" of ", stdout);
    put_size(l.store.limit);
    putchar('\n');
    listing_close(&l);
    return NULL;
}

/* ---- why ---- */

static bool is_kind(const KeptLine *line, const char *kind) {
    return line->kind_len == (int)strlen(kind) && !memcmp(line->kind, kind, strlen(kind));
}

static bool same(const char *a, int na, const char *b, int nb) {
    return na == nb && !memcmp(a, b, (size_t)na);
}

/* The line of the same thing in another description: the same kind, and for files the same path. */
static bool find_line(const char *description, const KeptLine *wanted, KeptLine *line) {
    while (kept_next(&description, line))
        if (same(line->kind, line->kind_len, wanted->kind, wanted->kind_len) &&
            (!is_kind(line, "file") ||
             same(line->text, line->text_len, wanted->text, wanted->text_len)))
            return true;
    return false;
}

/* What is different between two descriptions, "  TEXT" on a line each; the number of lines. */
static int put_changes(const char *before, const char *now) {
    KeptLine line, other;
    int count = 0;
    for (const char *at = now; kept_next(&at, &line);) {
        bool known = find_line(before, &line, &other);
        if (known && same(line.hash, line.hash_len, other.hash, other.hash_len))
            continue;
        count++;
        if (!is_kind(&line, "file"))
            printf("  the %.*s is now `%.*s`%s\n", line.kind_len, line.kind, line.text_len,
                   line.text,
                   known && same(line.text, line.text_len, other.text, other.text_len)
                       ? ", which has changed"
                       : "");
        else
            printf("  %.*s %s\n", line.text_len, line.text, known ? "has changed" : "is read now");
    }
    for (const char *at = before; kept_next(&at, &line);)
        if (is_kind(&line, "file") && !find_line(now, &line, &other)) {
            printf("  %.*s is no longer read\n", line.text_len, line.text);
            count++;
        }
    return count;
}

/* The files of a record that are gone. */
static void put_missing(const char *record) {
    KeptLine line;
    while (kept_next(&record, &line)) {
        char *path = is_kind(&line, "file") ? strndup(line.text, (size_t)line.text_len) : NULL;
        if (path && access(path, R_OK))
            printf("  %s cannot be read\n", path);
        free(path);
    }
}

/* Tells of the image that the present files would give; false if it is not kept. */
static bool put_kept(const Store *store, const char *file, const char *now) {
    char name[STORE_NAME], path[PATH_MAX];
    struct stat st;
    kept_image_name(now, name);
    if (!store_path(store, name, path) || stat(path, &st))
        return false;
    printf("%s is kept, ", file);
    put_size(st.st_size);
    fputs(", used ", stdout);
    put_age(st.st_mtim.tv_sec);
    printf(": %s\n", path);
    return true;
}

/* record: the description of the last compilation, before: of the one before it. */
static void put_reasons(const Store *store, const char *file, const char *record,
                        const char *before, const char *now) {
    if (now && put_kept(store, file, now)) {
        if (*before && !strcmp(record, now)) {
            puts("it was compiled last because");
            if (!put_changes(before, record))
                puts("  its image had been dropped");
        }
        return;
    }
    printf("%s will be compiled again:\n", file);
    if (!now)
        put_missing(record);
    else if (!put_changes(record, now))
        puts("  its image was dropped");
}

/* The record of main, else of the whole program, which is compiled where a dag is asked for. */
static bool find_record(const Store *store, Kept *kept, char **record, char **before) {
    char name[STORE_NAME];
    size_t len;
    if (kept_record_name(kept, name) && store_peek(store, name, record, &len, before))
        return true;
    if (kept->part != KEPT_MAIN)
        return false;
    kept->part = KEPT_ALL;
    return find_record(store, kept, record, before);
}

const char *cache_why(const CacheOptions *options, const char *file) {
    Kept kept = {.source = file,
                 .compiler = options->compiler,
                 .part = options->tests ? KEPT_TESTS : KEPT_MAIN};
    Store store;
    char name[STORE_NAME], *record, *before;
    store_open(&store);
    if (!*store.folder)
        return nothing_kept;
    if (!kept_record_name(&kept, name))
        return "there is no such file";
    if (!find_record(&store, &kept, &record, &before)) {
        printf("%s will be compiled: gactrun has not compiled it yet\n", file);
        return NULL;
    }
    char *files = kept_files(record), *now = files ? kept_describe(&kept, files) : NULL;
    put_reasons(&store, file, record, before ? before : "", now);
    free(now);
    free(files);
    free(before);
    free(record);
    return NULL;
}

/* ---- prune ---- */

/* Records of sources that are gone or whose image is, and images that no source has now. */
static bool is_outdated(const Listing *l, const StoreFile *file) {
    char path[PATH_MAX];
    bool is_image = store_ends(file->name, ".gactx"), is_record = store_ends(file->name, ".deps");
    for (int k = 0; k < l->nrecords; k++) {
        const Record *r = &l->records[k];
        if (!strcmp(is_image ? r->image : r->name, file->name))
            return !r->source || access(r->source, R_OK) ||
                   !store_path(&l->store, r->image, path) || access(path, R_OK);
    }
    return is_image || is_record;
}

const char *cache_prune(const CacheOptions *options) {
    Listing l;
    StoreFile *left;
    int64_t gone = 0;
    bool usable = listing_open(&l);
    for (int k = 0; usable && k < l.nfiles; k++)
        if (options->all || is_outdated(&l, &l.files[k])) {
            store_drop(&l.store, l.files[k].name);
            gone += l.files[k].bytes;
        }
    if (usable) {
        gone += store_trim(&l.store, l.store.limit, NULL);
        int count = l.nfiles - store_list(&l.store, &left);
        free(left);
        printf("removed %d %s, ", count, count == 1 ? "file" : "files");
        put_size(gone);
        putchar('\n');
    }
    listing_close(&l);
    return usable ? NULL : nothing_kept;
}
