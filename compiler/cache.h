/* `gactc cache`: what gactrun keeps in the cache folder (lang/store.h, lang/kept.h). */
#ifndef GACT_CACHE_H
#define GACT_CACHE_H

#include <stdbool.h>

typedef struct {
    const char *compiler; /* the path of the gactc that gactrun would use */
    bool all;             /* prune: everything */
    bool tests;           /* why: the image with test blocks, not the one that is run */
} CacheOptions;

/* Each prints to the standard output and returns NULL, or what went wrong. */
const char *cache_list(void);
const char *cache_why(const CacheOptions *options, const char *file);
const char *cache_prune(const CacheOptions *options);

#endif
