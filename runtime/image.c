/* Opens program images. The trailer is read first and everything is checked before any of the
   file's code is mapped: a damaged file or one for another machine is a clear error, never a crash.
 */
#include "runtime.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "cpu.h"

static_assert(sizeof(GactTrailer) == 544, "the trailer has no padding");

/* A file's bytes, mapped. */
typedef struct {
    const char *path;
    const unsigned char *at;
    size_t size;
} File;

static GactStatus file_map(const char *path, File *file, GactError *error) {
    *file = (File){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        int reason = errno;
        if (fd >= 0)
            close(fd);
        return error_set(error, GACT_BAD_INPUT, "%s: %s", path, strerror(reason));
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(error, GACT_BAD_INPUT, "%s: is not a file", path);
    }
    file->size = (size_t)st.st_size;
    void *map = file->size ? mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    if (map == MAP_FAILED)
        return error_set(error, GACT_INTERNAL, "%s: cannot be mapped: %s", path, strerror(errno));
    file->at = map;
    return GACT_OK;
}

static void file_unmap(File *file) {
    if (file->at)
        munmap((void *)file->at, file->size);
}

/* A file without a trailer: never an image, or the front of one? */
static GactStatus refuse_without_trailer(const File *file, GactError *error) {
    bool was_image = file->size > 4 && !memcmp(file->at, ELFMAG, SELFMAG) &&
                     memmem(file->at, file->size, GACT_MAGIC, sizeof GACT_MAGIC - 1);
    if (was_image)
        return error_set(error, GACT_BAD_INPUT, "%s: the program image is truncated", file->path);
    return error_set(error, GACT_BAD_INPUT, "%s: is no gact program image", file->path);
}

static GactStatus check_features(const File *file, const GactTrailer *trailer, GactError *error) {
    char missing[512], features[sizeof trailer->features + 1];
    memcpy(features, trailer->features, sizeof trailer->features);
    features[sizeof trailer->features] = '\0';
    if (cpu_missing_features(features, missing, sizeof missing))
        return error_set(error, GACT_BAD_INPUT,
                         "%s: was compiled for a CPU with features that this one lacks: %s",
                         file->path, missing);
    return GACT_OK;
}

static GactStatus check_file(const File *file, GactError *error) {
    GactTrailer trailer;
    if (file->size < sizeof trailer)
        return refuse_without_trailer(file, error);
    memcpy(&trailer, file->at + file->size - sizeof trailer, sizeof trailer);
    if (memcmp(trailer.magic, GACT_MAGIC, sizeof trailer.magic))
        return refuse_without_trailer(file, error);
    if (trailer.abi_version != GACT_ABI_VERSION)
        return error_set(
            error, GACT_BAD_INPUT,
            "%s: is an image of version %u, this runtime takes version %d: compile it again",
            file->path, trailer.abi_version, GACT_ABI_VERSION);
    if (trailer.length != file->size)
        return error_set(error, GACT_BAD_INPUT,
                         "%s: the program image is damaged: %zu bytes where %llu were written",
                         file->path, file->size, (unsigned long long)trailer.length);
    if (XXH3_64bits(file->at, file->size - sizeof trailer.checksum) != trailer.checksum)
        return error_set(error, GACT_BAD_INPUT,
                         "%s: the program image is damaged: its checksum does not match",
                         file->path);
    return check_features(file, &trailer, error);
}

/* ---- the loaded image ---- */

static int find_code(struct dl_phdr_info *info, size_t size, void *arg) {
    GactProgram *program = arg;
    (void)size;
    struct link_map *map;
    if (dlinfo(program->handle, RTLD_DI_LINKMAP, &map) || info->dlpi_addr != map->l_addr)
        return 0;
    program->from = (char *)UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        char *from = (char *)(info->dlpi_addr + segment->p_vaddr), *to = from + segment->p_memsz;
        if (segment->p_type != PT_LOAD)
            continue;
        program->from = from < program->from ? from : program->from;
        program->to = to > program->to ? to : program->to;
        if (segment->p_flags & PF_X) {
            program->code_from = from;
            program->code_to = to;
        }
    }
    return 1;
}

static GactStatus load(GactProgram *program, GactError *error) {
    /* An image names no library: the mathematical functions it calls are found among the global symbols,
       also where this library was itself opened with RTLD_LOCAL. */
    if (!dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL))
        return error_set(error, GACT_BAD_INPUT, "libm cannot be loaded: %s", dlerror());
    program->handle = dlopen(program->path, RTLD_NOW | RTLD_LOCAL);
    if (!program->handle)
        return error_set(error, GACT_BAD_INPUT, "%s: cannot be loaded: %s", program->path,
                         dlerror());
    program->image = dlsym(program->handle, "gact_image");
    if (!program->image || memcmp(program->image->magic, GACT_MAGIC, sizeof program->image->magic))
        return error_set(error, GACT_BAD_INPUT,
                         "%s: is no gact program image: it exports no tables", program->path);
    if (program->image->abi_version != GACT_ABI_VERSION)
        return error_set(error, GACT_BAD_INPUT,
                         "%s: is an image of version %lld, this runtime takes version %d",
                         program->path, (long long)program->image->abi_version, GACT_ABI_VERSION);
    dl_iterate_phdr(find_code, program);
    return GACT_OK;
}

GactStatus gact_image_open(const char *path, GactProgram **program, GactError *error) {
    *program = NULL;
    File file;
    GactStatus status = file_map(path, &file, error);
    if (!status)
        status = check_file(&file, error);
    file_unmap(&file);
    if (status)
        return status;
    GactProgram *opened = calloc(1, sizeof *opened);
    if (opened)
        opened->path = realpath(path, NULL);
    if (!opened || !opened->path)
        status = error_set(error, GACT_INTERNAL, "%s: %s", path, strerror(errno));
    if (!status)
        status = load(opened, error);
    if (status) {
        gact_image_close(opened);
        return status;
    }
    *program = opened;
    return GACT_OK;
}

void gact_image_close(GactProgram *program) {
    if (!program)
        return;
    profile_forget(program->from, program->to);
    device_code_free(program);
    if (program->handle)
        dlclose(program->handle);
    free(program->path);
    free(program);
}

const GactImage *gact_image_tables(const GactProgram *program) {
    return program->image;
}

const GactEntry *gact_image_find(const GactProgram *program, int32_t kind, const char *name) {
    const GactImage *image = program->image;
    for (int32_t i = 0; i < image->nentries; i++)
        if (image->entries[i].kind == kind && (!name || !strcmp(image->entries[i].name, name)))
            return &image->entries[i];
    return NULL;
}
