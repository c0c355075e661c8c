/* Device text to code for GPUs while a program is compiled. */
#ifndef GACT_NVRTC_EMIT_H
#define GACT_NVRTC_EMIT_H

#include "../../lang/nvrtc.h"

/* Compiles a unit by libnvrtc. Where there is none, clang makes PTX: GACT_CLANG names it, else it
   is looked for by its usual names. False, with a text in the log, where nothing here can. */
bool gact_cuda_compile(const NvrtcUnit *unit, NvrtcResult *result);

#endif
