/* Opening arbitrary bytes as a program image, as they are or with a valid trailer behind them. What
   begins as an ELF file is never sealed: the system's loader is not ours to test. */
#include "../../runtime/gact.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes with a trailer whose features are the first of them. */
static size_t seal(const uint8_t *data, size_t size, uint8_t *out) {
    GactTrailer trailer = {
        .magic = GACT_MAGIC, .abi_version = GACT_ABI_VERSION, .length = size + sizeof trailer};
    memcpy(trailer.features, data, size < sizeof trailer.features ? size : sizeof trailer.features);
    memcpy(out, data, size);
    memcpy(out + size, &trailer, sizeof trailer);
    size += sizeof trailer;
    trailer.checksum = XXH3_64bits(out, size - sizeof trailer.checksum);
    memcpy(out + size - sizeof trailer.checksum, &trailer.checksum, sizeof trailer.checksum);
    return size;
}

static void open_bytes(const uint8_t *data, size_t size) {
    char path[] = "/tmp/gact-fuzz-XXXXXX";
    GactProgram *program;
    GactError error = {0};
    int fd = mkstemp(path);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    if (!gact_image_open(path, &program, &error))
        gact_image_close(program);
    else if (!error.text[0])
        abort();
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    open_bytes(data, size);
    if (size >= 4 && memcmp(data, "\177ELF", 4)) {
        uint8_t *sealed = malloc(size + sizeof(GactTrailer));
        if (!sealed)
            return 0;
        size = seal(data, size, sealed);
        open_bytes(sealed, size);
        free(sealed);
    }
    return 0;
}
