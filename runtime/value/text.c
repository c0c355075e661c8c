/* Growing texts; see text.h. */
#include "text.h"

#include <stdarg.h>
#include <string.h>

enum { STREAM_SIZE = 64 * 1024 };

static void reserve(Text *text, size_t more) {
    if (text->file && text->len + more > STREAM_SIZE)
        text_flush(text);
    if (text->cap - text->len > more)
        return;
    size_t cap = text->cap ? text->cap : 256;
    while (cap - text->len <= more)
        cap *= 2;
    char *at = region_alloc(text->region, cap);
    if (text->len)
        memcpy(at, text->at, text->len);
    text->at = at;
    text->cap = cap;
}

char *text_room(Text *text, size_t bytes) {
    reserve(text, bytes);
    return text->at + text->len;
}

void text_add(Text *text, const char *bytes, size_t len) {
    if (!len)
        return;
    if (text->file && len > STREAM_SIZE) {
        text_flush(text);
        fwrite(bytes, 1, len, text->file);
        return;
    }
    reserve(text, len);
    memcpy(text->at + text->len, bytes, len);
    text->len += len;
}

void text_puts(Text *text, const char *string) {
    text_add(text, string, strlen(string));
}

void text_char(Text *text, char c) {
    text_add(text, &c, 1);
}

void text_printf(Text *text, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t len = (size_t)vsnprintf(NULL, 0, fmt, args);
    reserve(text, len + 1);
    vsnprintf(text->at + text->len, len + 1, fmt, again);
    text->len += len;
    va_end(again);
    va_end(args);
}

const char *text_string(Text *text) {
    reserve(text, 1);
    text->at[text->len] = 0;
    return text->at;
}

bool text_flush(Text *text) {
    if (text->len)
        fwrite(text->at, 1, text->len, text->file);
    text->len = 0;
    return !ferror(text->file);
}
