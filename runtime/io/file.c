/* Reading files, and the messages of readers. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool read_fail(const Reader *r, const char *fmt, ...) {
    char text[800];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    error_set(r->error, GACT_BAD_INPUT, "%s: %s", r->what, text);
    return false;
}

bool read_mismatch(const Reader *r, const char *fmt, ...) {
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return read_fail(r, "expected %s, but %s holds %s", r->wanted, r->source, text);
}

/* A pipe or a device: read to its end. */
static bool read_stream(const Reader *r, int fd, const char *path, Bytes *out) {
    Text text = {.region = r->region};
    char part[16384];
    ssize_t n;
    while ((n = read(fd, part, sizeof part)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return read_fail(r, "cannot read %s: %s", path, strerror(errno));
        text_add(&text, part, (size_t)n);
    }
    *out = (Bytes){text_string(&text), text.len};
    return true;
}

static bool map_file(const Reader *r, int fd, const char *path, size_t size, Bytes *out) {
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return read_fail(r, "cannot map %s: %s", path, strerror(errno));
    region_keep_map(r->region, map, size);
    *out = (Bytes){map, size};
    return true;
}

bool file_read(const Reader *r, const char *path, Bytes *out) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return read_fail(r, "cannot open %s: %s", path, strerror(errno));
    bool ok;
    if (fstat(fd, &st))
        ok = read_fail(r, "cannot read %s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        ok = read_fail(r, "cannot read %s: it is a directory", path);
    else if (S_ISREG(st.st_mode) && st.st_size > 0)
        ok = map_file(r, fd, path, (size_t)st.st_size, out);
    else
        ok = read_stream(r, fd, path, out);
    close(fd);
    return ok;
}
