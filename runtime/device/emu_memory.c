/* The memory of the emulated device: a range of addresses of its own, of which only live blocks can be
   touched. Each block has pages for itself and ends, but for what its alignment leaves, at a page that
   traps; the bytes around it in its pages are filled and checked when it is released. Addresses are
   used again as late as possible, so that what is released traps, too. Fresh memory is 0xC7 bytes. */
#include "emu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGN = 256, FRESH = 0xC7 };

typedef struct {
    char *pages; /* its own, and one that traps after them */
    size_t size; /* of all of them */
    char *at;
    int64_t bytes;
} Chunk;

struct EmuMemory {
    char *base;
    size_t size, page;
    char *next;     /* where the search for room goes on */
    Chunk *chunks;  /* live, by address */
    int32_t n, room;
    int64_t limit, used;
};

EmuMemory *emu_memory_new(int64_t limit) {
    EmuMemory *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->page = (size_t)sysconf(_SC_PAGESIZE);
    m->limit = limit;
    void *base = MAP_FAILED;
    for (m->size = (size_t)1 << 40; base == MAP_FAILED && m->size >= (size_t)1 << 30; m->size >>= 2)
        base = mmap(NULL, m->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        free(m);
        return NULL;
    }
    m->size <<= 2;
    m->base = m->next = base;
    return m;
}

void emu_memory_free(EmuMemory *m) {
    if (!m)
        return;
    for (int32_t k = 0; k < m->n; k++)
        fibre_unpoison(m->chunks[k].pages, m->chunks[k].size);
    munmap(m->base, m->size);
    free(m->chunks);
    free(m);
}

int64_t emu_memory_left(const EmuMemory *m) {
    return m->limit - m->used;
}

/* The first chunk at or after `at`. */
static int32_t chunk_after(const EmuMemory *m, const char *at) {
    int32_t low = 0, high = m->n;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (m->chunks[middle].pages < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Room for size bytes in [from, m's end): the index to insert at, with *at set; -1: none. */
static int32_t find_room(const EmuMemory *m, char *from, size_t size, char **at) {
    for (int32_t k = chunk_after(m, from);; k++) {
        char *end = k < m->n ? m->chunks[k].pages : m->base + m->size;
        if (size <= (size_t)(end - from)) {
            *at = from;
            return k;
        }
        if (k == m->n)
            return -1;
        from = m->chunks[k].pages + m->chunks[k].size;
    }
}

static bool grow(EmuMemory *m) {
    if (m->n < m->room)
        return true;
    int32_t room = m->room ? 2 * m->room : 64;
    Chunk *chunks = realloc(m->chunks, (size_t)room * sizeof *chunks);
    if (!chunks)
        return false;
    m->chunks = chunks;
    m->room = room;
    return true;
}

DevicePtr emu_memory_alloc(EmuMemory *m, int64_t bytes) {
    if (bytes < 0 || bytes > m->limit - m->used || !grow(m))
        return 0;
    size_t rounded = ((size_t)bytes + ALIGN - 1) / ALIGN * ALIGN;
    rounded = rounded ? rounded : ALIGN;
    size_t pages = (rounded + m->page - 1) / m->page * m->page;
    Chunk c = {.size = pages + m->page, .bytes = bytes};
    int32_t k = find_room(m, m->next, c.size, &c.pages);
    if (k < 0)
        k = find_room(m, m->base, c.size, &c.pages);
    if (k < 0 || mprotect(c.pages, pages, PROT_READ | PROT_WRITE) != 0)
        return 0;
    c.at = c.pages + pages - rounded;
    memset(c.pages, FRESH, pages);
    fibre_poison(c.pages, pages);
    fibre_unpoison(c.at, (size_t)bytes);
    memmove(m->chunks + k + 1, m->chunks + k, (size_t)(m->n - k) * sizeof c);
    m->chunks[k] = c;
    m->n++;
    m->used += bytes;
    m->next = c.pages + c.size;
    return (DevicePtr)(uintptr_t)c.at;
}

/* The chunk whose bytes hold p, or -1. */
static int32_t chunk_of(const EmuMemory *m, DevicePtr p) {
    char *at = (char *)(uintptr_t)p;
    int32_t k = chunk_after(m, at + 1) - 1;
    return k >= 0 && at >= m->chunks[k].at && at <= m->chunks[k].at + m->chunks[k].bytes ? k : -1;
}

bool emu_memory_has(const EmuMemory *m, DevicePtr p, int64_t bytes) {
    int32_t k = chunk_of(m, p);
    if (k < 0 || bytes < 0)
        return false;
    const Chunk *c = &m->chunks[k];
    return bytes <= c->at + c->bytes - (char *)(uintptr_t)p;
}

void emu_memory_describe(const EmuMemory *m, const void *address, char *text, size_t size) {
    const char *at = address;
    if (at < m->base || at >= m->base + m->size) {
        snprintf(text, size, "%p, which is not the device's", address);
        return;
    }
    int32_t k = chunk_after(m, at + 1) - 1;
    const Chunk *c = &m->chunks[k], *next = k + 1 < m->n ? c + 1 : NULL;
    if (k >= 0 && at < c->pages + c->size)
        snprintf(text, size, "%lld bytes behind the end of a block of %lld bytes",
                 (long long)(at - c->at - c->bytes), (long long)c->bytes);
    else if (next && next->at - at < (ptrdiff_t)m->page)
        snprintf(text, size, "%lld bytes before a block of %lld bytes", (long long)(next->at - at),
                 (long long)next->bytes);
    else
        snprintf(text, size, "%p, which is in no block, perhaps one that was freed", address);
}

static bool is_fresh(const char *from, const char *to) {
    for (; from < to; from++)
        if ((unsigned char)*from != FRESH)
            return false;
    return true;
}

bool emu_memory_release(EmuMemory *m, DevicePtr p, char *text, size_t size) {
    int32_t k = chunk_of(m, p);
    if (k < 0 || m->chunks[k].at != (char *)(uintptr_t)p) {
        snprintf(text, size, "free of an address that is no block's");
        return false;
    }
    Chunk c = m->chunks[k];
    size_t pages = c.size - m->page;
    fibre_unpoison(c.pages, pages);
    bool intact = is_fresh(c.pages, c.at) && is_fresh(c.at + c.bytes, c.pages + pages);
    if (!intact)
        snprintf(text, size, "a kernel wrote outside a block of %lld bytes", (long long)c.bytes);
    madvise(c.pages, pages, MADV_DONTNEED);
    mprotect(c.pages, pages, PROT_NONE);
    memmove(m->chunks + k, m->chunks + k + 1, (size_t)(m->n - k - 1) * sizeof c);
    m->n--;
    m->used -= c.bytes;
    return intact;
}
