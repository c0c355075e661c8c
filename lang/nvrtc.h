/* NVIDIA's run-time compiler, libnvrtc: CUDA text to code for a GPU. It is looked for when the
   process first asks and opened with prototypes of our own, so nothing of CUDA is needed to build
   or to start. Shared by gactc and libgact. Every function may be called from several threads at
   once. */
#ifndef GACT_NVRTC_H
#define GACT_NVRTC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *path; /* of the library that is used */
    int32_t major, minor;
    const int32_t *archs; /* what it compiles for, ascending: 75, 80, 90 … */
    int32_t narchs;
} NvrtcInfo;

/* Prefers libraries whose code a driver of this major version of CUDA takes, which later ones may not
   make. Without effect once the library has been looked for. */
void nvrtc_prefer(int32_t major);
/* The library, found at the first call: GACT_NVRTC names it, else the loader's names, the toolkit's
   folder and the folders of Python's packages are tried. NULL where there is none, and why (may be
   NULL) is the reason. */
const NvrtcInfo *nvrtc_find(const char **why);
bool nvrtc_supports(const NvrtcInfo *info, int32_t arch);

typedef enum {
    NVRTC_CUBIN, /* code of one architecture */
    NVRTC_PTX    /* text that the driver compiles for this and later architectures */
} NvrtcForm;

typedef struct {
    const char *text; /* includes no file */
    const char *name; /* of the text, in messages */
    int32_t arch;     /* 90 for sm_90 */
    NvrtcForm form;
} NvrtcUnit;

/* From malloc, both NUL-terminated; the caller frees them. */
typedef struct {
    char *code; /* NULL where it failed; a cubin is an ELF file */
    size_t len;
    char *log; /* the compiler's messages, or what else went wrong; NULL: none */
} NvrtcResult;

/* False where the unit does not compile or there is no library. */
bool nvrtc_compile(const NvrtcUnit *unit, NvrtcResult *result);
/* The options that every compilation gets, as a text that identifies them. */
const char *nvrtc_options(void);

#endif
