/* Leaves of the tree as text, for both printers. */
#ifndef GACT_AST_TEXT_H
#define GACT_AST_TEXT_H

#include "ast.h"

/* The text of a string with its escapes, without quotes. */
void ast_print_text(Buf *out, const char *text, size_t len);
/* An EXPR_INT, _FLOAT, _BOOL or _DURATION. */
void ast_print_literal(Buf *out, const Expr *e);

#endif
