/* What gactc offers beside compiling; main.c calls these. Each returns an exit status. */
#ifndef GACT_TOOLS_H
#define GACT_TOOLS_H

/* Speaks the language server protocol on the standard input and output until it is told to exit.
   stdlib_dir: the library instead of the embedded one, or NULL. */
int lsp_run(const char *stdlib_dir);

#endif
