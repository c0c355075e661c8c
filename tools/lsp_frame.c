/* Frames are taken off the front of what has come. A malformed header is dropped up to its empty line,
   so that the next frame is found; one without end is dropped as a whole. */
#include "lsp_frame.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool frame_add(FrameInput *in, const char *text, size_t len) {
    if (in->used) {
        memmove(in->at, in->at + in->used, in->len - in->used);
        in->len -= in->used;
        in->used = 0;
    }
    size_t drop = in->skipped < len ? in->skipped : len;
    in->skipped -= drop;
    text += drop;
    len -= drop;
    if (in->len + len > in->cap) {
        size_t cap = (in->len + len) * 2;
        char *at = realloc(in->at, cap);
        if (!at)
            return false;
        in->at = at;
        in->cap = cap;
    }
    if (len)
        memcpy(in->at + in->len, text, len);
    in->len += len;
    return true;
}

/* Where the header that begins at `at` ends, behind its empty line; NULL: not yet. */
static const char *header_end(const char *at, size_t len) {
    for (size_t i = 0; i + 1 < len; i++) {
        if (at[i] != '\n')
            continue;
        if (at[i + 1] == '\n')
            return at + i + 2;
        if (at[i + 1] == '\r' && i + 2 < len && at[i + 2] == '\n')
            return at + i + 3;
    }
    return NULL;
}

/* The number of a Content-Length line among the header's lines. */
static bool content_length(const char *at, const char *end, size_t *length) {
    static const char name[] = "content-length:";
    for (const char *line = at; line < end;) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t len = stop ? (size_t)(stop - line) : (size_t)(end - line);
        if (len > sizeof name - 1 && !strncasecmp(line, name, sizeof name - 1)) {
            const char *digit = line + sizeof name - 1, *last = line + len;
            while (digit < last && (*digit == ' ' || *digit == '\t'))
                digit++;
            size_t value = 0;
            const char *first = digit;
            for (; digit < last && *digit >= '0' && *digit <= '9' && digit - first < 15; digit++)
                value = value * 10 + (size_t)(*digit - '0');
            bool ends = digit == last || *digit == '\r' || *digit == ' ';
            *length = value;
            return digit > first && ends;
        }
        line += len + 1;
    }
    return false;
}

FrameResult frame_take(FrameInput *in, const char **body, size_t *len) {
    const char *at = in->at + in->used;
    size_t left = in->len - in->used, length;
    if (!left)
        return FRAME_MORE;
    const char *end = header_end(at, left);
    if (!end && left <= FRAME_HEADER_MOST)
        return FRAME_MORE;
    if (!end) {
        in->used = in->len;
        return FRAME_BAD;
    }
    size_t header = (size_t)(end - at);
    if (!content_length(at, end, &length)) {
        in->used += header;
        return FRAME_BAD;
    }
    if (length > FRAME_BODY_MOST) {
        size_t here = left - header < length ? left - header : length;
        in->used += header + here;
        in->skipped = length - here;
        return FRAME_BAD;
    }
    if (left - header < length)
        return FRAME_MORE;
    *body = end;
    *len = length;
    in->used += header + length;
    return FRAME_BODY;
}

void frame_free(FrameInput *in) {
    free(in->at);
    *in = (FrameInput){0};
}
