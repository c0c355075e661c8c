/* The frames of the language server protocol: `Content-Length: N`, an empty line, N bytes. */
#ifndef GACT_LSP_FRAME_H
#define GACT_LSP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum { FRAME_HEADER_MOST = 4096, FRAME_BODY_MOST = 1 << 26 };

/* What has come and is not used yet. Owns its memory. */
typedef struct {
    char *at;
    size_t len, cap;
    size_t used;    /* of the front */
    size_t skipped; /* still to drop: of a body that is too large */
} FrameInput;

typedef enum {
    FRAME_MORE, /* there is no whole frame yet */
    FRAME_BODY, /* *body and *len are set, until the next call */
    FRAME_BAD   /* a header that is none, or a body that is too large: dropped */
} FrameResult;

/* Adds what came; false without memory. */
bool frame_add(FrameInput *in, const char *text, size_t len);
FrameResult frame_take(FrameInput *in, const char **body, size_t *len);
void frame_free(FrameInput *in);

#endif
