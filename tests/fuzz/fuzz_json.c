/* The .json reader on arbitrary bytes. */
#include "fuzz_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_read(json_read, data, size, NULL);
}
