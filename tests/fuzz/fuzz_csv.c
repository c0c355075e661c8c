/* The readers of tables on arbitrary bytes, with and without a column. */
#include "fuzz_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_read(csv_read, data, size, NULL);
    fuzz_read(csv_read, data, size, "#0");
    return fuzz_read(tsv_read, data, size, "a");
}
