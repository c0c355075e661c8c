/* `gactc doc`: pages of modules, made of their declarations and doc comments. */
#ifndef GACT_DOC_H
#define GACT_DOC_H

#include "../compiler/compiler.h"

/* A file to describe, loaded with what it imports. */
typedef struct {
    Compiler *c;
    Module *module;
} DocModule;

/* Writes index.html, a page for each module, and what they share into a folder, which is made if need be.
   Returns NULL, or what went wrong. */
const char *doc_write(Arena *arena, const DocModule *modules, int count, const char *folder);

#endif
