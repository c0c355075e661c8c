/* The shared memory of a block: declarations are found by their keys and lie one after the other, each
   between gaps that are checked when the block ends. What is declared anew is 0xC7 bytes. The memory
   comes from the system by a call that no sanitizer sees: the thread that declares first must not be
   ordered before the others by that. */
#include "emu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST = 64, GAP = 256, FRESH = 0xC7, STATIC_BYTES = 48 << 10 };
enum { ROOM = EMU_SHARED_BYTES + STATIC_BYTES + (MOST + 2) * 2 * GAP };

struct EmuShared {
    char *base;
    int64_t used, declared;
    int32_t n;
    struct {
        const void *key;
        char *at;
        int64_t bytes;
    } list[MOST];
    EmuShared *next; /* on its owner's list */
};

EmuShared *emu_shared_take(EmuShared **kept) {
    EmuShared *s = *kept;
    if (s) {
        *kept = s->next;
        return s;
    }
    s = calloc(1, sizeof *s);
    long at = s ? syscall(SYS_mmap, NULL, ROOM, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                : -1;
    if (at == -1) {
        free(s);
        return NULL;
    }
    s->base = (char *)at;
    return s;
}

/* As no call that a sanitizer would take for the thread's own. */
static void fill(char *from, const char *to) {
    for (volatile char *at = from; at < to; at++)
        *at = (char)FRESH;
}

void *emu_shared_find(EmuShared *s, const void *key) {
    for (int32_t k = 0; k < s->n; k++)
        if (s->list[k].key == key)
            return s->list[k].at;
    return NULL;
}

void *emu_shared_add(EmuShared *s, const void *key, int64_t bytes, int64_t align) {
    align = align < 16 ? 16 : align;
    int64_t from = (s->used + GAP + align - 1) / align * align, to = from + bytes + GAP;
    s->declared += key ? bytes : 0;
    if (s->n == MOST || s->declared > STATIC_BYTES || to > ROOM || align > GAP)
        return NULL;
    fill(s->base + s->used, s->base + to);
    fibre_poison(s->base + s->used, (size_t)(to - s->used));
    fibre_unpoison(s->base + from, (size_t)bytes);
    s->list[s->n].key = key;
    s->list[s->n].at = s->base + from;
    s->list[s->n++].bytes = bytes;
    s->used = to;
    return s->base + from;
}

/* The bytes outside of what is declared are as they were. */
static bool is_intact(const EmuShared *s) {
    int64_t at = 0;
    for (int32_t k = 0; k <= s->n; k++) {
        int64_t end = k < s->n ? s->list[k].at - s->base : s->used;
        for (; at < end; at++)
            if ((unsigned char)s->base[at] != FRESH)
                return false;
        at += k < s->n ? s->list[k].bytes : 0;
    }
    return true;
}

bool emu_shared_give(EmuShared *s, EmuShared **kept) {
    fibre_unpoison(s->base, (size_t)s->used);
    bool intact = is_intact(s);
    s->used = s->declared = s->n = 0;
    s->next = *kept;
    *kept = s;
    return intact;
}

void emu_shared_drop(EmuShared *kept) {
    for (EmuShared *next; kept; kept = next) {
        next = kept->next;
        munmap(kept->base, ROOM);
        free(kept);
    }
}
