/* Files and places in them. Every source owns a range of positions one longer than its text, so
   that its end is a position of its own and no two sources touch. */
#include "source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest text: positions of all sources together fit in 32 bits. */
enum { SOURCE_MAX = 1 << 30 };

/* Lines start at 0 and after every newline. */
static void find_lines(Arena *arena, Source *source) {
    source->lines = 1;
    for (size_t i = 0; i < source->len; i++)
        source->lines += source->text[i] == '\n';
    source->line_starts = NEW_ARRAY(arena, uint32_t, source->lines);
    int line = 1;
    for (size_t i = 0; i < source->len; i++)
        if (source->text[i] == '\n')
            source->line_starts[line++] = (uint32_t)i + 1;
}

Source *source_add(Sources *sources, const char *path, const char *text, size_t len) {
    if (!sources->next)
        sources->next = 1;
    if (len > SOURCE_MAX || len >= UINT32_MAX - sources->next) {
        errno = EFBIG;
        return NULL;
    }
    Source *source = NEW(sources->arena, Source);
    *source = (Source){.path = arena_copy(sources->arena, path, strlen(path)),
                       .text = arena_copy(sources->arena, text, len),
                       .len = len,
                       .base = sources->next};
    sources->next += (uint32_t)len + 1;
    find_lines(sources->arena, source);
    vec_push(sources->arena, &sources->all, source);
    return source;
}

/* Everything that is left to read. */
static bool read_all(FILE *file, Buf *buf) {
    char chunk[65536];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;) {
        buf_add(buf, chunk, got);
        if (buf->len > SOURCE_MAX) {
            errno = EFBIG;
            return false;
        }
    }
    return !ferror(file);
}

Source *source_read(Sources *sources, const char *path) {
    size_t len = 0;
    const char *open = sources->overlay ? sources->overlay->text(sources->overlay->data, path, &len) : NULL;
    if (open)
        return source_add(sources, path, open, len);
    bool is_stdin = !strcmp(path, "-");
    FILE *file = is_stdin ? stdin : fopen(path, "rb");
    if (!file)
        return NULL;
    Buf buf = {.arena = sources->arena};
    bool ok = read_all(file, &buf);
    int saved = errno;
    if (!is_stdin)
        fclose(file);
    errno = saved;
    return ok ? source_add(sources, is_stdin ? "<stdin>" : path, buf_text(&buf), buf.len) : NULL;
}

Source *source_at(const Sources *sources, uint32_t position) {
    int lo = 0, hi = sources->all.len;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        Source *source = sources->all.at[mid];
        if (position < source->base)
            hi = mid;
        else if (position > source->base + source->len)
            lo = mid + 1;
        else
            return source;
    }
    return NULL;
}

void source_locate(Source *source, uint32_t position, int *line, int *column) {
    uint32_t offset = position < source->base ? 0 : position - source->base;
    int lo = 0, hi = source->lines;
    while (hi - lo > 1) { /* line_starts[lo] <= offset < line_starts[hi] */
        int mid = lo + (hi - lo) / 2;
        if (source->line_starts[mid] <= offset)
            lo = mid;
        else
            hi = mid;
    }
    *line = lo + 1;
    *column = (int)(offset - source->line_starts[lo]) + 1;
}

const char *source_line(Source *source, int line, int *len) {
    size_t from = source->line_starts[line - 1];
    size_t to = line < source->lines ? source->line_starts[line] - 1 : source->len;
    if (to > from && source->text[to - 1] == '\r')
        to--;
    *len = (int)(to - from);
    return source->text + from;
}
