/* Waiting until a file changes. Editors replace files by others of the same name, so their folders are
   watched, not they themselves. */
#include "tools.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { PAUSE_MS = 40 };

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool watch_folder(int fd, const char *path) {
    char folder[PATH_MAX];
    size_t len = (size_t)(base_name(path) - path);
    if (len >= sizeof folder)
        return false;
    memcpy(folder, path, len);
    folder[len] = '\0';
    return inotify_add_watch(fd, len ? folder : ".", IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE) >= 0;
}

/* Is one of the events about one of the files? Names alone decide: one more look is cheap. */
static bool concerns(const char *events, ssize_t len, const char *const *paths, int n) {
    for (const char *at = events; at < events + len;) {
        const struct inotify_event *e = (const struct inotify_event *)at;
        for (int i = 0; i < n && e->len; i++)
            if (!strcmp(e->name, base_name(paths[i])))
                return true;
        at += sizeof *e + e->len;
    }
    return false;
}

int watch_begin(const char *const *paths, int n) {
    int fd = inotify_init1(IN_CLOEXEC);
    bool good = fd >= 0;
    for (int i = 0; i < n && good; i++)
        good = watch_folder(fd, paths[i]);
    if (good || fd < 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

bool watch_wait(int fd, const char *const *paths, int n) {
    _Alignas(struct inotify_event) char events[8192];
    for (;;) {
        ssize_t len = read(fd, events, sizeof events);
        if (len <= 0 && errno != EINTR)
            return false;
        if (len <= 0 || !concerns(events, len, paths, n))
            continue;
        struct pollfd more = {.fd = fd, .events = POLLIN}; /* several files may be written at once */
        while (poll(&more, 1, PAUSE_MS) > 0 && read(fd, events, sizeof events) > 0)
            ;
        return true;
    }
}
