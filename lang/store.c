/* Kept files: where they are, how they are written, and which go when there are too many. */
#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { DEFAULT_MIB = 1024, ABANDONED = 3600 /* seconds: a fresh file of this age has no writer */ };

/* ---- where things are ---- */

static bool make_folders(const char *path) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(part, 0700);
        *slash = '/';
    }
    return !mkdir(part, 0700) || errno == EEXIST;
}

static int64_t read_limit(void) {
    const char *text = getenv("GACT_CACHE_SIZE");
    char *end = NULL;
    long long mib = text ? strtoll(text, &end, 10) : 0;
    bool is_number = text && end != text && !*end && mib >= 0 && mib < INT64_MAX >> 20;
    return (int64_t)(is_number ? mib : DEFAULT_MIB) << 20;
}

void store_open(Store *s) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int len = 0;
    *s = (Store){.limit = read_limit()};
    if (s->limit && base && *base == '/')
        len = snprintf(s->folder, sizeof s->folder, "%s/gact", base);
    else if (s->limit && home && *home == '/')
        len = snprintf(s->folder, sizeof s->folder, "%s/.cache/gact", home);
    if (len <= 0 || len >= (int)sizeof s->folder || !make_folders(s->folder) ||
        access(s->folder, W_OK))
        *s->folder = 0;
}

bool store_path(const Store *s, const char *name, char path[PATH_MAX]) {
    int len = snprintf(path, PATH_MAX, "%s/%s", s->folder, name);
    return *s->folder && len < PATH_MAX;
}

bool store_fresh(const char *folder, char path[PATH_MAX]) {
    if (snprintf(path, PATH_MAX, "%s/new-XXXXXX", folder) >= PATH_MAX)
        return false;
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* ---- names ---- */

void store_name(const StorePart *parts, int count, const char *ending, char name[STORE_NAME]) {
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    for (int k = 0; k < count; k++) {
        uint64_t len = parts[k].len;
        XXH3_128bits_update(state, &len, sizeof len);
        XXH3_128bits_update(state, parts[k].data, parts[k].len);
    }
    XXH128_hash_t hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(name, STORE_NAME, "%016llx%016llx%s", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64, ending);
}

/* ---- entries ---- */

/* Stands before the note and the content, of which the hash is. */
typedef struct {
    char magic[8];
    uint64_t note_len, len;
    uint64_t hash[2];
} Header;
static const char magic[8] = "GACTKEPT";

static XXH128_hash_t hash_of(const char *bytes, size_t len) {
    return XXH3_128bits(bytes, len);
}

static bool is_whole(const Header *h, const char *bytes, size_t size) {
    if (memcmp(h->magic, magic, sizeof magic) != 0 || h->note_len > size ||
        h->len != size - h->note_len)
        return false;
    XXH128_hash_t hash = hash_of(bytes, size);
    return hash.high64 == h->hash[0] && hash.low64 == h->hash[1];
}

/* The bytes of an entry behind its header, with a NUL; NULL where it is damaged. */
static char *read_entry(int fd, Header *h) {
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof *h ||
        read(fd, h, sizeof *h) != (ssize_t)sizeof *h)
        return NULL;
    size_t size = (size_t)st.st_size - sizeof *h, got = 0;
    char *bytes = malloc(size + 1);
    while (bytes && got < size) {
        ssize_t n = read(fd, bytes + got, size - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    if (!bytes || got < size || !is_whole(h, bytes, size)) {
        free(bytes);
        return NULL;
    }
    bytes[size] = 0;
    return bytes;
}

static bool get(const Store *s, const char *name, bool uses, char **content, size_t *len,
                char **note) {
    char path[PATH_MAX];
    Header h;
    int fd = store_path(s, name, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return false;
    char *bytes = read_entry(fd, &h);
    if (!bytes)
        unlink(path);
    else if (uses)
        futimens(fd, NULL);
    close(fd);
    if (!bytes)
        return false;
    if (note)
        *note = strndup(bytes, h.note_len);
    memmove(bytes, bytes + h.note_len, h.len + 1);
    *content = bytes;
    *len = h.len;
    return true;
}

bool store_get(const Store *s, const char *name, char **content, size_t *len, char **note) {
    return get(s, name, true, content, len, note);
}

bool store_peek(const Store *s, const char *name, char **content, size_t *len, char **note) {
    return get(s, name, false, content, len, note);
}

static bool write_entry(const char *path, const char *bytes, size_t note_len, size_t len) {
    XXH128_hash_t hash = hash_of(bytes, note_len + len);
    Header h = {.note_len = note_len, .len = len, .hash = {hash.high64, hash.low64}};
    memcpy(h.magic, magic, sizeof magic);
    FILE *file = fopen(path, "we");
    bool good = file && fwrite(&h, sizeof h, 1, file) == 1 &&
                fwrite(bytes, 1, note_len + len, file) == note_len + len;
    return file && !fclose(file) && good;
}

bool store_put(const Store *s, const char *name, const void *content, size_t len,
               const char *note) {
    char path[PATH_MAX], fresh[PATH_MAX];
    size_t note_len = strlen(note);
    if (!store_path(s, name, path) || !store_fresh(s->folder, fresh))
        return false;
    char *bytes = malloc(note_len + len + 1);
    bool good = bytes != NULL;
    if (bytes) {
        memcpy(bytes, note, note_len);
        memcpy(bytes + note_len, content, len);
        good = write_entry(fresh, bytes, note_len, len) && !rename(fresh, path);
    }
    free(bytes);
    if (good)
        store_trim(s, s->limit, name);
    else
        unlink(fresh);
    return good;
}

void store_drop(const Store *s, const char *name) {
    char path[PATH_MAX];
    if (store_path(s, name, path))
        unlink(path);
}

/* ---- all files ---- */

bool store_ends(const char *name, const char *ending) {
    size_t n = strlen(name), m = strlen(ending);
    return n >= m && strcmp(name + n - m, ending) == 0;
}

static int by_age(const void *a, const void *b) {
    const StoreFile *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

int store_list(const Store *s, StoreFile **files) {
    int count = 0, cap = 0;
    DIR *folder = *s->folder ? opendir(s->folder) : NULL;
    struct dirent *entry;
    *files = NULL;
    while (folder && (entry = readdir(folder))) {
        struct stat st;
        if (strlen(entry->d_name) >= STORE_NAME ||
            fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        if (count == cap) {
            StoreFile *more = realloc(*files, sizeof *more * (size_t)(cap * 2 + 32));
            if (!more)
                break;
            *files = more;
            cap = cap * 2 + 32;
        }
        StoreFile *file = &(*files)[count++];
        *file = (StoreFile){.bytes = st.st_size, .used = st.st_mtim};
        strcpy(file->name, entry->d_name);
    }
    if (folder)
        closedir(folder);
    if (count)
        qsort(*files, (size_t)count, sizeof **files, by_age);
    return count;
}

/* Records are small and tell why something is compiled again; what another process writes at
   present is not ours. */
static bool may_go(const StoreFile *file, const char *keep) {
    if (store_ends(file->name, ".deps") || (keep && strcmp(file->name, keep) == 0))
        return false;
    return strncmp(file->name, "new-", 4) != 0 || file->used.tv_sec < time(NULL) - ABANDONED;
}

int64_t store_trim(const Store *s, int64_t limit, const char *keep) {
    StoreFile *files;
    int count = store_list(s, &files);
    int64_t total = 0, gone = 0;
    for (int k = 0; k < count; k++)
        total += files[k].bytes;
    for (int k = 0; k < count && total - gone > limit; k++) {
        char path[PATH_MAX];
        if (may_go(&files[k], keep) && store_path(s, files[k].name, path) && !unlink(path))
            gone += files[k].bytes;
    }
    free(files);
    return gone;
}
