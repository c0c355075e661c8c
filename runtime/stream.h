/* Lines of memory written past the caches, where the processor can. */
#ifndef GACT_STREAM_H
#define GACT_STREAM_H

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#define STREAM_16(to, from) _mm_stream_si128((__m128i *)(to), *(const __m128i *)(from))
#define STREAM_END()        _mm_sfence()
#else
#define STREAM_16(to, from) memcpy(to, from, 16)
#define STREAM_END()        ((void)0)
#endif

enum { LINE_BYTES = 64 };

/* Writes a line that nobody reads soon. Both are aligned to LINE_BYTES. */
static inline void stream_line(void *to, const void *line) {
    for (int i = 0; i < LINE_BYTES; i += 16)
        STREAM_16((char *)to + i, (const char *)line + i);
}

/* After the last line: other threads see them all. */
static inline void stream_end(void) {
    STREAM_END();
}

#endif
