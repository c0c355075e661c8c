/* Appends the trailer that makes an image of a shared object: seal FILE. */
#include "../../lang/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "r+b") : NULL;
    if (!file || fseek(file, 0, SEEK_END))
        return 2;
    long size = ftell(file);
    size_t total = (size_t)size + sizeof(GactTrailer);
    char *all = calloc(1, total);
    rewind(file);
    if (!all || fread(all, 1, (size_t)size, file) != (size_t)size)
        return 2;
    GactTrailer trailer = {.magic = GACT_MAGIC, .abi_version = GACT_ABI_VERSION, .length = total};
    memcpy(all + size, &trailer, sizeof trailer);
    trailer.checksum = XXH3_64bits(all, total - sizeof trailer.checksum);
    fseek(file, 0, SEEK_END);
    fwrite(&trailer, sizeof trailer, 1, file);
    free(all);
    return fclose(file) ? 2 : 0;
}
