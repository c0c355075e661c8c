/* What the fuzzers of readers share: the first byte chooses a type, the rest is the file. What is
   accepted is printed, so that a sanitizer sees every element. */
#ifndef GACT_FUZZ_READ_H
#define GACT_FUZZ_READ_H

#include "../io/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool (*ReadFn)(const Reader *r, Bytes file, const char *part, GactSlot *out);

static inline const GactType *fuzz_type(uint8_t choice) {
    static const GactType *types[SAMPLE_TYPES], *lists[SAMPLE_TYPES];
    int k = choice % SAMPLE_TYPES;
    if (!types[k]) {
        types[k] = sample_type(k);
        lists[k] = array_type(1, types[k]);
    }
    return choice < 128 ? types[k] : lists[k];
}

static inline int fuzz_read(ReadFn read, const uint8_t *data, size_t size, const char *part) {
    Region region = {0};
    GactError error = {0};
    if (!size)
        return 0;
    const GactType *t = fuzz_type(data[0]);
    Reader r = {.region = &region,
                .error = &error,
                .what = "input x",
                .source = "file",
                .type = t,
                .wanted = t->text};
    GactSlot *slots = region_zero(&region, (size_t)t->slots, sizeof *slots);
    if (read(&r, (Bytes){(const char *)data + 1, size - 1}, part, slots)) {
        Text text = {.region = &region};
        value_print(&text, t, slots);
        json_print(&text, t, slots);
    } else if (!error.text[0]) {
        abort(); /* a refusal says why */
    }
    region_free(&region);
    return 0;
}

#endif
