/* Regions. Small pieces are cut from blocks of 64 KiB, large ones have a block of their own that
   the newest small block stays in front of. */
#include "region.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCK_SIZE = 64 * 1024, LARGE = 16 * 1024, HUGE_PAGE = 1 << 21 };

struct RegionBlock {
    RegionBlock *next;
    void *map; /* of a mapping, NULL: data follows this header */
    size_t map_size;
    char pad[40]; /* so that data starts at a multiple of 64 */
};
_Static_assert(sizeof(RegionBlock) == 64, "data after a block's header is aligned");

static void exhausted(Region *region, size_t size) {
    if (region->exhausted)
        region->exhausted(region->arg, size);
    fprintf(stderr, "gactrun: out of memory (%zu bytes)\n", size);
    abort();
}

static RegionBlock *block_new(Region *region, size_t size) {
    RegionBlock *block = NULL;
    if (size <= SIZE_MAX / 2)
        block = aligned_alloc(64, (sizeof *block + size + 63) & ~(size_t)63);
    if (!block)
        exhausted(region, size);
    *block = (RegionBlock){.next = region->blocks};
    region->blocks = block;
    return block;
}

void *region_alloc(Region *region, size_t size) {
    if (size >= LARGE)
        return block_new(region, size) + 1;
    size_t align = size >= 64 ? 64 : 16;
    char *at = (char *)(((uintptr_t)region->at + align - 1) & ~(uintptr_t)(align - 1));
    if (!region->at || at > region->end || (size_t)(region->end - at) < size) {
        at = (char *)(block_new(region, BLOCK_SIZE) + 1);
        region->end = at + BLOCK_SIZE;
    }
    region->at = at + size;
    return at;
}

void *region_zero(Region *region, size_t n, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        exhausted(region, SIZE_MAX);
    return memset(region_alloc(region, bytes), 0, bytes);
}

char *region_copy(Region *region, const char *text, size_t len) {
    char *copy = region_alloc(region, len + 1);
    if (len)
        memcpy(copy, text, len);
    copy[len] = 0;
    return copy;
}

char *region_printf(Region *region, const char *fmt, ...) {
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    char *text = region_alloc(region, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    va_end(args);
    return text;
}

void region_keep_map(Region *region, void *map, size_t size) {
    RegionBlock *block = block_new(region, 0);
    block->map = map;
    block->map_size = size;
}

/* Large memory begins at a multiple of a huge page. */
void *region_map(Region *region, size_t size) {
    size_t slack = size >= HUGE_PAGE ? HUGE_PAGE : 0;
    if (size > SIZE_MAX / 2)
        return NULL;
    char *map = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    region_keep_map(region, map, size + slack);
    if (!slack)
        return map;
    char *at = map + (-(uintptr_t)map & (HUGE_PAGE - 1));
    madvise(at, size, MADV_HUGEPAGE);
    return at;
}

void region_free(Region *region) {
    for (RegionBlock *block = region->blocks, *next; block; block = next) {
        next = block->next;
        if (block->map)
            munmap(block->map, block->map_size);
        free(block);
    }
    region->blocks = NULL;
    region->at = region->end = NULL;
}
