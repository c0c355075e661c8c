/* The .npz reader on arbitrary bytes, with and without a name. */
#include "fuzz_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_read(npz_read, data, size, "a");
    return fuzz_read(npz_read, data, size, NULL);
}
