/* Memory that is freed all at once: parsed inputs, texts, scratch. Not shared between threads. */
#ifndef GACT_REGION_H
#define GACT_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RegionBlock RegionBlock;

typedef struct Region {
    RegionBlock *blocks;
    char *at, *end; /* the free part of the newest small block */
    /* Called when memory is exhausted; must not return. NULL: prints and aborts. */
    void (*exhausted)(void *arg, size_t bytes);
    void *arg;
} Region;

/* Memory aligned to 64 bytes when size is at least 64, to 16 otherwise; not zeroed. */
void *region_alloc(Region *region, size_t size);
/* The same, zeroed, of n elements; exhausted when n * size overflows. */
void *region_zero(Region *region, size_t n, size_t size);
/* A NUL-terminated copy. */
char *region_copy(Region *region, const char *text, size_t len);
/* A formatted, NUL-terminated text. */
char *region_printf(Region *region, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Hands over a mapping, unmapped with the region. */
void region_keep_map(Region *region, void *map, size_t size);
/* Zeroed memory of its own pages, which are taken when they are touched; NULL when there is none. */
void *region_map(Region *region, size_t size);
/* Frees everything; the region is empty and usable again. */
void region_free(Region *region);

#endif
