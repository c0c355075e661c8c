/* The formatter. In: the tokens of a source that parses, and the text between them; out: the same
   tokens and comments with other white space.

   The author decides where lines end, the formatter all else: the space between tokens, how far a
   line is indented, blank lines, and in which column comments behind code begin. So the tree stays
   what it is as long as no newline that ends something is lost or made: newlines are only put after a
   `{` and before a `}`, where they mean nothing, and taken out before `else` and with a `;` at the end
   of a line. format_source() still compares the trees.

   Lines are collected with their indentation first; write_lines() puts the comments behind them into
   one column for lines that follow each other. */
#include "format.h"

#include "../compiler/parse.h"

#include "grammar.tab.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INDENT = 2, CONTINUED = 4, BEFORE_COMMENT = 2 };

typedef struct {
    int indent;
    Buf text;
    Buf comment; /* behind the text; empty without one */
    bool blank_before;
} Line;

/* A comment between two tokens. */
typedef struct {
    const char *from, *to;
    int newlines; /* between it and what stands before it */
    bool is_line; /* `//`; ends with its line */
} Comment;

/* What stands between two tokens. */
typedef struct {
    VEC(Comment) comments;
    int newlines; /* after the last comment */
    bool newline; /* anywhere */
} Gap;

/* What is known of the text inside an open bracket, or of the file. */
typedef struct {
    int kind;        /* '(' '[' '{', '"' for the hole of a string, 0 for the file */
    bool is_broken;  /* a brace with line ends of its own */
    bool has_items;  /* a brace with fields or arms, which commas separate, too */
    bool is_hanging; /* its contents begin behind the bracket */
    int base;        /* how far its closing bracket is indented at the start of a line */
    int content;     /* how far its contents are */
    int statement;   /* how far the statement at hand is, */
    int continued;   /* and its further lines from there */
    bool is_head;    /* the statement begins with the head of a body: `fn f(x)`, `if c` … */
    bool is_type, is_match;
    int choice; /* the column of the `if` that an `else` belongs to; -1: none */
} Level;

typedef struct {
    Arena *arena;
    Parser *p;
    TokenList tokens; /* without NL */
    bool *fresh;      /* does a statement, field or declaration begin with this token? */
    bool *broken;     /* of a `{`: are there newlines directly in it? */
    bool *dropped;    /* a `;` that the end of its line makes needless */
    const char *start; /* of the text before the first token */
    VEC(Level) levels;
    VEC(Line) lines;
    int last;         /* the token put before, -1: none */
    bool is_unary;    /* it was an operator with one operand */
    bool line_opens;  /* the line at hand ends with the `{` of a broken brace */
} Formatter;

static Level *top(Formatter *f) {
    return &f->levels.at[f->levels.len - 1];
}

static bool is_opener(int kind) {
    return kind == '(' || kind == '[' || kind == '{' || kind == STR_HEAD;
}

static bool is_closer(int kind) {
    return kind == ')' || kind == ']' || kind == '}' || kind == STR_TAIL;
}

static bool has_lines(int kind) {
    return kind == '{' || kind == 0;
}

/* ---- what stands between tokens ---- */

static const char *comment_end(const char *at, const char *end) {
    if (at[1] == '/') {
        while (at < end && *at != '\n')
            at++;
        return at;
    }
    int depth = 0;
    do {
        bool opens = at[0] == '/' && at[1] == '*', closes = at[0] == '*' && at[1] == '/';
        depth += opens - closes;
        at += opens || closes ? 2 : 1;
    } while (depth && at < end);
    return at;
}

/* Where the text of a comment ends without the white space behind it; a doc comment keeps that. */
static const char *trimmed_end(const char *from, const char *to) {
    bool is_doc = to - from > 2 && from[1] == '/' && from[2] == '/';
    while (to > from && (to[-1] == '\r' || (!is_doc && isspace((unsigned char)to[-1]))))
        to--;
    return to;
}

static const char *token_start(const Formatter *f, int i) {
    int len;
    return parse_text(f->p, f->tokens.at[i].span, &len);
}

static const char *token_end(const Formatter *f, int i) {
    int len;
    const char *text = parse_text(f->p, f->tokens.at[i].span, &len);
    return text + len;
}

/* The gap before a token. */
static Gap gap_before(Formatter *f, int i) {
    Gap gap = {0};
    const char *at = i ? token_end(f, i - 1) : f->start, *end = token_start(f, i);
    while (at < end) {
        if (*at == '/' && (at[1] == '/' || at[1] == '*')) {
            const char *to = comment_end(at, end);
            vec_push(f->arena, &gap.comments,
                     (Comment){at, trimmed_end(at, to), gap.newlines, at[1] == '/'});
            gap.newlines = 0;
            at = to;
            continue;
        }
        gap.newlines += *at == '\n';
        gap.newline |= *at == '\n';
        at++;
    }
    return gap;
}

/* ---- the program before it is laid out ---- */

/* Takes the tokens of the scanner but for NL, which marks the next one as fresh. */
static void take_tokens(Formatter *f, const TokenList *all) {
    f->fresh = NEW_ARRAY(f->arena, bool, all->len);
    bool fresh = true;
    for (int i = 0; i < all->len; i++) {
        if (all->at[i].kind == NL) {
            fresh = true;
            continue;
        }
        f->fresh[f->tokens.len] = fresh;
        vec_push(f->arena, &f->tokens, all->at[i]);
        fresh = all->at[i].kind == ';' || all->at[i].kind == '{';
    }
}

/* Finds the braces that have newlines directly in them. */
static void find_broken(Formatter *f) {
    VEC(int) open = {0};
    f->broken = NEW_ARRAY(f->arena, bool, f->tokens.len);
    for (int i = 0; i < f->tokens.len; i++) {
        int kind = f->tokens.at[i].kind;
        if (open.len && gap_before(f, i).newline)
            f->broken[open.at[open.len - 1]] = true;
        if (is_closer(kind) && open.len)
            open.len--;
        if (is_opener(kind))
            vec_push(f->arena, &open, i);
    }
}

/* Finds each `;` whose place the end of the line takes. */
static void find_dropped(Formatter *f) {
    f->dropped = NEW_ARRAY(f->arena, bool, f->tokens.len);
    for (int i = 1; i + 1 < f->tokens.len; i++) {
        int before = f->tokens.at[i - 1].kind, next = f->tokens.at[i + 1].kind;
        if (f->tokens.at[i].kind != ';' || gap_before(f, i).comments.len)
            continue;
        bool ends = next == '}' || next == YYEOF;
        f->dropped[i] = ends || (gap_before(f, i + 1).newline && token_ends_line(before, next));
    }
}

/* ---- spaces ---- */

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Would two tokens be read as another one without a space between them? */
static bool would_join(const Formatter *f, int a, int b) {
    char last = token_end(f, a)[-1], first = *token_start(f, b);
    int kind = f->tokens.at[a].kind;
    bool number = kind == INT || kind == FLOAT || kind == FIELD_NUM;
    if (f->tokens.at[b].kind == FORMAT) /* a colon stands before it */
        return false;
    return (is_word(last) && is_word(first)) ||
           (number && f->tokens.at[b].kind == FIELD_NUM && kind != FIELD_NUM);
}

/* Words that are keywords only in places, and names elsewhere: `test(x)`, `state[i]`. */
static bool is_name_or_keyword(int kind) {
    return kind == STATE || kind == ON || kind == TEST || kind == MAIN || kind == TYPE || kind == AS;
}

/* Is what ends with token i called or indexed by a bracket behind it? */
static bool takes_bracket(const Formatter *f, int i) {
    int kind = f->tokens.at[i].kind, before = i ? f->tokens.at[i - 1].kind : NL;
    if (kind == STOP)
        return before == FN || before == ON || before == DAG || before == '!' || before == '?';
    if (kind == ID && f->fresh[i]) {
        int len;
        const char *text = parse_text(f->p, f->tokens.at[i].span, &len);
        if ((len == 5 && !memcmp(text, "every", 5)) || (len == 5 && !memcmp(text, "after", 5)))
            return false; /* timers of an actor; as functions they are rarely called for nothing */
    }
    return token_ends_operand(kind) || is_name_or_keyword(kind);
}

static bool is_range(int kind) {
    return kind == DOTDOT || kind == DOTEQ;
}

static bool is_keyword(int kind) {
    return kind >= ACTOR && kind <= AFTER;
}

/* Does a space stand between two tokens of a line? */
static bool space_between(const Formatter *f, int a, int b) {
    int left = f->tokens.at[a].kind, right = f->tokens.at[b].kind;
    switch (right) {
    case ',': case ';': case ')': case ']': case '.': case DOTSTAR: case FIELD_NUM: case ':':
    case STR_MID: case STR_TAIL: case FORMAT:
        return false;
    case '}': return left != '{';
    }
    switch (left) {
    case '(': case '[': case '.': case '@': case STR_HEAD: case STR_MID:
        return false;
    case '{': return true;
    }
    if (right == '(' || right == '[')
        return is_range(left) ? false : !f->is_unary && !takes_bracket(f, a);
    if (left == ']' && right == ID)
        return false; /* [n]f32 */
    if (is_range(right))
        return left == ',' || (is_keyword(left) && !token_ends_operand(left));
    if (is_range(left))
        return right == BY;
    return !f->is_unary;
}

/* ---- lines ---- */

static Line *line_at_hand(Formatter *f) {
    return &f->lines.at[f->lines.len - 1];
}

static int width_of(const char *text, size_t len) {
    int width = 0;
    for (size_t i = 0; i < len; i++)
        width += (text[i] & 0xc0) != 0x80;
    return width;
}

/* The column that the next text of the line gets. */
static int column(Formatter *f) {
    Line *line = line_at_hand(f);
    return line->indent + width_of(line->text.at, line->text.len);
}

static void begin_line(Formatter *f, int indent, bool blank_before) {
    bool first = !f->lines.len;
    vec_push(f->arena, &f->lines, (Line){.indent = indent, .text = {.arena = f->arena},
                                         .blank_before = blank_before && !first && !f->line_opens});
    f->line_opens = false;
}

/* Adds text without the carriage returns of its line ends. */
static void add_text(Buf *out, const char *from, const char *to) {
    for (const char *at = from; at < to; at++)
        if (*at != '\r' || at + 1 == to || at[1] != '\n')
            buf_add(out, at, 1);
}

static Buf comment_text(Formatter *f, const Comment *c) {
    Buf text = {.arena = f->arena};
    add_text(&text, c->from, c->to);
    return text;
}

/* How far a line that begins with token i is indented. */
static int indent_of(Formatter *f, int i) {
    const Level *in = top(f);
    int kind = f->tokens.at[i].kind;
    if (is_closer(kind) || kind == STR_MID)
        return in->is_hanging ? in->content - 1 : in->base;
    if (has_lines(in->kind) && f->fresh[i])
        return in->content;
    if (kind == ELSE && in->choice >= 0)
        return in->choice;
    if (!has_lines(in->kind)) /* the body of a lambda may stand below its head */
        return f->last >= 0 && f->tokens.at[f->last].kind == ARROW ? in->base + INDENT : in->content;
    return in->statement + (f->last >= 0 && f->tokens.at[f->last].kind == '=' ? INDENT : in->continued);
}

/* Comments stand like the line after them, before a closing bracket like its contents. */
static int comment_indent(Formatter *f, int next) {
    return is_closer(f->tokens.at[next].kind) ? top(f)->content : indent_of(f, next);
}

/* Is token i a `}` on a line of its own? */
static bool closes_broken(Formatter *f, int i) {
    return f->tokens.at[i].kind == '}' && top(f)->kind == '{' && top(f)->is_broken;
}

/* Puts the comments before token i; true if the last one ends its line. */
static bool put_comments(Formatter *f, int i, const Gap *gap) {
    bool ended = false;
    for (int k = 0; k < gap->comments.len; k++) {
        const Comment *c = &gap->comments.at[k];
        Buf text = comment_text(f, c);
        int after = k + 1 < gap->comments.len ? gap->comments.at[k + 1].newlines : gap->newlines;
        bool last = k + 1 == gap->comments.len;
        bool ends = c->is_line || after > 0 || f->line_opens || (last && closes_broken(f, i));
        bool begins = c->newlines || !f->lines.len || ended || line_at_hand(f)->comment.len;
        if (begins) {
            begin_line(f, comment_indent(f, i), c->newlines > 1);
            buf_add(&line_at_hand(f)->text, text.at, text.len);
        } else if (ends) {
            line_at_hand(f)->comment = text;
        } else {
            buf_puts(&line_at_hand(f)->text, " ");
            buf_add(&line_at_hand(f)->text, text.at, text.len);
        }
        ended = ends;
    }
    return ended;
}

/* ---- levels ---- */

static bool begins_head(int kind) {
    switch (kind) {
    case FN: case DAG: case ACTOR: case ON: case MAIN: case TEST: case IF: case FOR: case WHILE:
    case MATCH: case LOOP: case '@':
        return true;
    default:
        return false;
    }
}

/* Notes what a token tells about the statement that it stands in. */
static void note_token(Formatter *f, int i, bool begins_line) {
    Level *in = top(f);
    int kind = f->tokens.at[i].kind;
    if (begins_line && f->last >= 0 && f->tokens.at[f->last].kind == '=')
        in->continued = INDENT; /* the value stands below */
    if (f->fresh[i] && has_lines(in->kind)) {
        in->statement = line_at_hand(f)->indent;
        in->is_head = begins_head(kind);
        in->is_type = kind == TYPE;
        in->is_match = false;
        in->choice = -1;
        in->continued = CONTINUED;
    }
    if ((kind == IF || kind == TRY) && (f->last < 0 || f->tokens.at[f->last].kind != ELSE))
        in->choice = column(f);
    if (kind == ',')
        in->choice = -1;
    if (kind == '=' || kind == ARM)
        in->is_head = false;
    if (kind == MATCH)
        in->is_match = true;
}

static void open_level(Formatter *f, int i) {
    Level *outer = top(f);
    int kind = f->tokens.at[i].kind == STR_HEAD ? '"' : f->tokens.at[i].kind;
    Level level = {.kind = kind, .base = line_at_hand(f)->indent, .choice = -1};
    if (kind == '{') {
        level.is_broken = f->broken[i];
        level.has_items = outer->is_match || (outer->is_type && f->last >= 0 &&
                                              f->tokens.at[f->last].kind == '=');
        if (outer->is_head && has_lines(outer->kind))
            level.base = outer->statement;
        outer->is_match = false;
    }
    Gap gap = gap_before(f, i + 1);
    bool ends_line = gap.comments.len ? gap.comments.at[0].newlines || gap.comments.at[0].is_line
                                      : gap.newlines > 0;
    level.is_hanging = kind != '{' && !ends_line;
    level.content = level.is_hanging ? column(f) : level.base + INDENT;
    level.statement = level.content;
    vec_push(f->arena, &f->levels, level);
}

/* ---- tokens ---- */

/* Is this operator one with a single operand? */
static bool is_unary_operator(const Formatter *f, int i) {
    int kind = f->tokens.at[i].kind;
    if (kind == '~')
        return true;
    return kind == '-' && (f->fresh[i] || f->last < 0 || !token_ends_operand(f->tokens.at[f->last].kind));
}

/* Does token i begin a line? `gap` is what stands before it. */
static bool begins_line(Formatter *f, int i, const Gap *gap, bool after_comment) {
    int kind = f->tokens.at[i].kind;
    if (!f->lines.len || after_comment || line_at_hand(f)->comment.len || f->line_opens)
        return true;
    if (closes_broken(f, i))
        return true;
    bool joins = kind == ELSE && f->tokens.at[f->last].kind == '}' && !gap->comments.len &&
                 line_at_hand(f)->text.len == 1; /* a `}` alone */
    return !joins && (gap->comments.len ? gap->newlines > 0 : gap->newline);
}

static void put_token(Formatter *f, int i) {
    int kind = f->tokens.at[i].kind;
    Gap gap = gap_before(f, i);
    bool after_comment = put_comments(f, i, &gap);
    bool begins = begins_line(f, i, &gap, after_comment);
    if (begins)
        begin_line(f, indent_of(f, i), gap.newlines > 1 && !is_closer(kind));
    else if (f->last >= 0 && (gap.comments.len || would_join(f, f->last, i) || space_between(f, f->last, i)))
        buf_puts(&line_at_hand(f)->text, " ");
    if (is_closer(kind) || kind == STR_MID)
        f->levels.len--;
    else
        note_token(f, i, begins);
    Buf *text = &line_at_hand(f)->text;
    if (kind == FORMAT)
        buf_puts(text, ":");
    buf_add(text, token_start(f, i), (size_t)(token_end(f, i) - token_start(f, i)));
    if (is_opener(kind) || kind == STR_MID)
        open_level(f, i);
    if (kind == ',' && top(f)->has_items)
        f->fresh[i + 1] = true;
    f->is_unary = is_unary_operator(f, i);
    f->line_opens = kind == '{' && f->broken[i];
    f->last = i;
}

static void lay_out(Formatter *f) {
    vec_push(f->arena, &f->levels, (Level){.choice = -1});
    f->last = -1;
    int last = f->tokens.len - 1; /* the end of the file */
    for (int i = 0; i < last; i++)
        if (!f->dropped[i])
            put_token(f, i);
    Gap gap = gap_before(f, last);
    put_comments(f, last, &gap);
}

/* ---- output ---- */

static int line_width(const Line *line) {
    return line->indent + width_of(line->text.at, line->text.len);
}

/* The last of the lines from `first` on whose comments share a column. */
static int comments_end(const Formatter *f, int first) {
    int end = first;
    while (end + 1 < f->lines.len && f->lines.at[end + 1].comment.len && !f->lines.at[end + 1].blank_before &&
           f->lines.at[end + 1].indent == f->lines.at[first].indent)
        end++;
    return end;
}

static void write_lines(Formatter *f, Buf *out) {
    int shared = -1, col = 0; /* up to line `shared` comments begin in column `col` */
    for (int i = 0; i < f->lines.len; i++) {
        Line *line = &f->lines.at[i];
        if (line->comment.len && i > shared) {
            shared = comments_end(f, i);
            col = 0;
            for (int k = i; k <= shared; k++)
                if (line_width(&f->lines.at[k]) + BEFORE_COMMENT > col)
                    col = line_width(&f->lines.at[k]) + BEFORE_COMMENT;
        }
        if (line->blank_before)
            buf_puts(out, "\n");
        buf_printf(out, "%*s", line->text.len ? line->indent : 0, "");
        buf_add(out, line->text.at, line->text.len);
        if (line->comment.len) {
            buf_printf(out, "%*s", col - line_width(line), "");
            buf_add(out, line->comment.at, line->comment.len);
        }
        buf_puts(out, "\n");
    }
}

/* ---- the same program? ---- */

/* Its comments, one after the other. */
static Buf all_comments(Formatter *f) {
    Buf out = {.arena = f->arena};
    for (int i = 0; i < f->tokens.len; i++) {
        Gap gap = gap_before(f, i);
        for (int k = 0; k < gap.comments.len; k++) {
            add_text(&out, gap.comments.at[k].from, gap.comments.at[k].to);
            buf_puts(&out, "\n");
        }
    }
    buf_text(&out);
    return out;
}

static Formatter formatter_new(Arena *arena, NameTable *names, Diags *diags, Source *source) {
    Module *module = NEW(arena, Module);
    module->source = source;
    Parser *p = parser_new(arena, names, diags, module);
    Formatter f = {.arena = arena, .p = p, .start = p->cur};
    TokenList all = tokens_read(p);
    take_tokens(&f, &all);
    return f;
}

static const char *tree_text(Arena *arena, const Module *module) {
    Buf out = {.arena = arena};
    ast_print(&out, module);
    return buf_text(&out);
}

/* Has `text` the tree and the comments of f's source? */
static bool is_same(Formatter *f, NameTable *names, const char *tree, const char *text, size_t len) {
    Sources sources = {.arena = f->arena, .next = 1};
    Diags diags = {.arena = f->arena, .sources = &sources};
    Source *source = source_add(&sources, f->p->source->path, text, len);
    if (!source)
        return false;
    Module *module = parse_source(f->arena, names, &diags, source);
    if (diags.errors || strcmp(tree, tree_text(f->arena, module)) != 0)
        return false;
    Formatter again = formatter_new(f->arena, names, &diags, source);
    Buf before = all_comments(f), after = all_comments(&again);
    return before.len == after.len && !memcmp(before.at, after.at, before.len);
}

FormatStatus format_source(Arena *arena, NameTable *names, Diags *diags, Source *source, Buf *out) {
    int errors = diags->errors;
    Module *module = parse_source(arena, names, diags, source);
    if (module->errors || diags->errors > errors)
        return FORMAT_ERRORS;
    Formatter f = formatter_new(arena, names, diags, source);
    find_broken(&f);
    find_dropped(&f);
    lay_out(&f);
    Buf text = {.arena = arena};
    const char *first = source->text;
    if (!strncmp(first, "\xef\xbb\xbf", 3))
        first += 3;
    if (!strncmp(first, "#!", 2)) { /* a line that names the interpreter */
        const char *end = first + strcspn(first, "\n");
        add_text(&text, first, trimmed_end(first, end));
        buf_puts(&text, "\n");
    }
    write_lines(&f, &text);
    if (!is_same(&f, names, tree_text(arena, module), buf_text(&text), text.len))
        return FORMAT_BROKEN;
    buf_add(out, text.at, text.len);
    return FORMAT_DONE;
}

/* ---- files ---- */

static bool write_all(int fd, const char *text, size_t len) {
    for (ssize_t n; len > 0; text += n, len -= (size_t)n) {
        n = write(fd, text, len);
        if (n < 0)
            return false;
    }
    return true;
}

bool replace_file(Arena *arena, const char *path, const char *text, size_t len) {
    char *real = realpath(path, NULL); /* a link stays one */
    struct stat info;
    if (!real || stat(real, &info) != 0) {
        free(real);
        return false;
    }
    char *temporary = arena_printf(arena, "%s.XXXXXX", real);
    int fd = mkstemp(temporary);
    bool good = fd >= 0 && write_all(fd, text, len) && fchmod(fd, info.st_mode & 07777) == 0;
    if (fd >= 0)
        good = close(fd) == 0 && good;
    good = good && rename(temporary, real) == 0;
    int error = errno;
    if (!good && fd >= 0)
        unlink(temporary);
    free(real);
    errno = error;
    return good;
}
