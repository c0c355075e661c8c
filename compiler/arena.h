/* Memory of one compilation: allocated forward, never freed alone, zeroed. */
#ifndef GACT_ARENA_H
#define GACT_ARENA_H

#include <stddef.h>
#include <stdint.h>

typedef struct ArenaBlock ArenaBlock;
typedef struct Arena {
    ArenaBlock *block; /* the newest block; older ones are linked behind it */
    char *at, *end;    /* the free part of the newest block */
} Arena;

/* Zeroed memory aligned to 16 bytes. Prints and aborts when memory is exhausted. */
void *arena_alloc(Arena *arena, size_t size);
/* A NUL-terminated copy of len bytes. */
char *arena_copy(Arena *arena, const char *text, size_t len);
/* A formatted, NUL-terminated string. */
char *arena_printf(Arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Frees every block; the arena is empty and usable again. */
void arena_free(Arena *arena);

#define NEW(arena, T)          ((T *)arena_alloc((arena), sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_alloc((arena), sizeof(T) * (size_t)(n)))
#define ARRAY_LEN(a)           ((int)(sizeof(a) / sizeof *(a)))

/* A growable array in an arena: VEC(int) v = {0}; vec_push(arena, &v, 3); v.at[0]. */
#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *at;                                                                                     \
        int len, cap;                                                                              \
    }
#define vec_push(arena, v, ...)                                                                    \
    do {                                                                                           \
        if ((v)->len == (v)->cap)                                                                  \
            (v)->at = vec_grow((arena), (v)->at, &(v)->cap, sizeof *(v)->at);                      \
        (v)->at[(v)->len++] = (__VA_ARGS__);                                                       \
    } while (0)
void *vec_grow(Arena *arena, void *at, int *cap, size_t size);

/* A growing text. buf_text() ends it with a NUL. */
typedef struct {
    Arena *arena;
    char *at;
    size_t len, cap;
} Buf;
void buf_add(Buf *buf, const char *text, size_t len);
void buf_puts(Buf *buf, const char *text);
void buf_printf(Buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_text(Buf *buf);

/* Interned strings: equal texts are equal pointers. */
typedef struct NameTable NameTable;
typedef const char *Name;
NameTable *names_new(Arena *arena);
Name name_of(NameTable *names, const char *text, size_t len);
Name name_cstr(NameTable *names, const char *text);

#define UNREACHABLE() (gact_unreachable(__FILE__, __LINE__))
_Noreturn void gact_unreachable(const char *file, int line);

#endif
