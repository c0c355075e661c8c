/* What gactc offers beside compiling; main.c calls these. */
#ifndef GACT_TOOLS_H
#define GACT_TOOLS_H

#include "../compiler/arena.h"

#include <stdbool.h>

/* Speaks the language server protocol on the standard input and output until it is told to exit; the
   exit status. stdlib_dir: the library instead of the embedded one, or NULL. */
int lsp_run(const char *stdlib_dir);

/* Makes a folder with a program and says how to run it. Returns NULL, or what went wrong. */
const char *init_project(Arena *arena, const char *path);

/* Begins to watch files: a descriptor for watch_wait(), -1 with errno set. What changes from now on is
   noticed, also before watch_wait() is called. The caller closes it. */
int watch_begin(const char *const *paths, int n);
/* Waits until one of the files has changed; false with errno set if it cannot. */
bool watch_wait(int fd, const char *const *paths, int n);

#endif
