#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ArenaBlock {
    ArenaBlock *older;
    max_align_t data[];
};

void gact_unreachable(const char *file, int line) {
    fprintf(stderr, "gact: internal error: unreachable code at %s:%d\n", file, line);
    abort();
}

static void *checked(void *mem) {
    if (!mem) {
        fputs("gactc: out of memory\n", stderr);
        abort();
    }
    return mem;
}

void *arena_alloc(Arena *arena, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (!arena->at || (size_t)(arena->end - arena->at) < size) {
        size_t room = size > 65536 ? size : 65536;
        ArenaBlock *block = checked(calloc(1, sizeof *block + room));
        block->older = arena->block;
        arena->block = block;
        arena->at = (char *)block->data;
        arena->end = arena->at + room;
    }
    void *mem = arena->at;
    arena->at += size;
    return mem;
}

char *arena_copy(Arena *arena, const char *text, size_t len) {
    char *copy = arena_alloc(arena, len + 1);
    if (len)
        memcpy(copy, text, len);
    return copy;
}

char *arena_printf(Arena *arena, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = arena_alloc(arena, (size_t)len + 1);
    va_start(args, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, args);
    va_end(args);
    return text;
}

void arena_free(Arena *arena) {
    for (ArenaBlock *block = arena->block, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    *arena = (Arena){0};
}

void *vec_grow(Arena *arena, void *at, int *cap, size_t size) {
    int room = *cap ? *cap * 2 : 8;
    void *grown = arena_alloc(arena, size * (size_t)room);
    if (*cap)
        memcpy(grown, at, size * (size_t)*cap);
    *cap = room;
    return grown;
}

static void buf_reserve(Buf *buf, size_t more) {
    if (buf->len + more + 1 <= buf->cap)
        return;
    size_t room = buf->cap ? buf->cap * 2 : 256;
    while (room < buf->len + more + 1)
        room *= 2;
    char *grown = arena_alloc(buf->arena, room);
    if (buf->len)
        memcpy(grown, buf->at, buf->len);
    buf->at = grown;
    buf->cap = room;
}

void buf_add(Buf *buf, const char *text, size_t len) {
    buf_reserve(buf, len);
    if (len)
        memcpy(buf->at + buf->len, text, len);
    buf->len += len;
    buf->at[buf->len] = '\0';
}

void buf_puts(Buf *buf, const char *text) {
    buf_add(buf, text, strlen(text));
}

void buf_printf(Buf *buf, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    buf_reserve(buf, (size_t)len);
    va_start(args, fmt);
    vsnprintf(buf->at + buf->len, (size_t)len + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)len;
}

const char *buf_text(Buf *buf) {
    buf_reserve(buf, 0);
    buf->at[buf->len] = '\0';
    return buf->at;
}

struct NameTable {
    Arena *arena;
    Name *slots; /* open addressing, NULL is free */
    size_t cap, len;
};

NameTable *names_new(Arena *arena) {
    NameTable *names = NEW(arena, NameTable);
    *names = (NameTable){.arena = arena, .cap = 1024};
    names->slots = NEW_ARRAY(arena, Name, names->cap);
    return names;
}

/* FNV-1a. */
static size_t text_hash(const char *text, size_t len) {
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return (size_t)(h ^ h >> 32);
}

static Name *names_slot(NameTable *names, const char *text, size_t len) {
    size_t i = text_hash(text, len) & (names->cap - 1);
    while (names->slots[i] &&
           (strncmp(names->slots[i], text, len) || names->slots[i][len] != '\0'))
        i = (i + 1) & (names->cap - 1);
    return &names->slots[i];
}

static void names_grow(NameTable *names) {
    Name *old = names->slots;
    size_t cap = names->cap;
    names->cap = cap * 2;
    names->slots = NEW_ARRAY(names->arena, Name, names->cap);
    for (size_t i = 0; i < cap; i++)
        if (old[i])
            *names_slot(names, old[i], strlen(old[i])) = old[i];
}

Name name_of(NameTable *names, const char *text, size_t len) {
    Name *slot = names_slot(names, text, len);
    if (*slot)
        return *slot;
    if (names->len * 2 >= names->cap) {
        names_grow(names);
        slot = names_slot(names, text, len);
    }
    names->len++;
    return *slot = arena_copy(names->arena, text, len);
}

Name name_cstr(NameTable *names, const char *text) {
    return name_of(names, text, strlen(text));
}
