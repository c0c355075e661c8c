/* Errors of the environment, as texts. */
#include "runtime.h"

#include <stdarg.h>

GactStatus error_set(GactError *error, GactStatus status, const char *fmt, ...) {
    if (!error)
        return status;
    error->status = status;
    va_list args;
    va_start(args, fmt);
    vsnprintf(error->text, sizeof error->text, fmt, args);
    va_end(args);
    return status;
}
