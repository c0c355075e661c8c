/* The reader of literals on arbitrary bytes. What it accepts and print shows again must read back
   as the same, for types whose text is unambiguous. */
#include "fuzz_read.h"

static bool read_literal(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    (void)part;
    if (!literal_read(r, file.data, file.size, out))
        return false;
    Text first = {.region = r->region}, second = {.region = r->region};
    value_print(&first, r->type, out);
    if (r->type->kind == GACT_STRING)
        return true; /* plain at the top */
    if (!literal_read(r, text_string(&first), first.len, out))
        abort();
    value_print(&second, r->type, out);
    if (strcmp(text_string(&first), text_string(&second)))
        abort();
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_read(read_literal, data, size, NULL);
}
