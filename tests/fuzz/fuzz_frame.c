/* Frames of the language server: what is found must not depend on how the bytes arrive. */
#include "tools/lsp_frame.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A sum over all frames: their order, results and bodies. */
static uint64_t digest(const uint8_t *data, size_t size, size_t step) {
    FrameInput in = {0};
    uint64_t sum = 0;
    for (size_t at = 0; at < size || at == 0; at += step) {
        size_t len = size - at < step ? size - at : step;
        if (!frame_add(&in, (const char *)data + at, len))
            abort();
        const char *body;
        size_t length;
        for (FrameResult r; (r = frame_take(&in, &body, &length)) != FRAME_MORE;) {
            sum = sum * 31 + (uint64_t)r;
            for (size_t i = 0; r == FRAME_BODY && i < length; i++)
                sum = sum * 31 + (uint8_t)body[i];
        }
    }
    frame_free(&in);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size || size >= FRAME_HEADER_MOST)
        return 0;
    uint64_t whole = digest(data, size, size);
    if (digest(data, size, 1) != whole || digest(data, size, 7) != whole)
        abort();
    return 0;
}
