/* The scanner (re2c), and the layer that turns its tokens into what the grammar reads.

   raw_token() yields one token of the text. scan() stands between it and the parser: it drops
   newlines inside ( and [, and gives the parser one NL only where the token before can end a
   statement and the token after can begin one. It keeps the stack of open brackets, reports
   those that nothing closes or opens, and supplies the missing ones, so that the parser's
   brackets always match. yylex() hands the tokens out and skips after a syntax error. */
#include "parse.h"

#include "grammar.tab.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t position(const Parser *p, const char *at) {
    return p->source->base + (uint32_t)(at - p->source->text);
}

static Span here(const Parser *p) {
    return (Span){position(p, p->tok), position(p, p->cur)};
}

static Span span_of(const Parser *p, const char *from, const char *to) {
    return (Span){position(p, from), position(p, to)};
}

const char *parse_text(const Parser *p, Span span, int *len) {
    *len = (int)(span.to - span.from);
    return p->source->text + (span.from - p->source->base);
}

static char innermost(const Parser *p) {
    return p->depth ? p->open[p->depth - 1].kind : '\0';
}

static bool in_lines(const Parser *p) {
    return !p->depth || innermost(p) == '{' || innermost(p) == 'A';
}

/* Offset of the line that a place stands in. */
static size_t line_start(const Parser *p, const char *at) {
    while (at > p->source->text && at[-1] != '\n')
        at--;
    return (size_t)(at - p->source->text);
}

/* Bytes of white space at the start of the line that a place stands in. */
static int indent_of(const Parser *p, const char *at) {
    const char *line = p->source->text + line_start(p, at), *first = line;
    while (*first == ' ' || *first == '\t')
        first++;
    return (int)(first - line);
}

/* ---- literals ---- */

/* The token without its underscores, up to `len` bytes. */
static char *digits_of(Parser *p, const char *from, size_t len) {
    char *text = arena_alloc(p->arena, len + 1), *to = text;
    for (size_t i = 0; i < len; i++)
        if (from[i] != '_')
            *to++ = from[i];
    return text;
}

/* Where the type that ends a number begins: at its last i, u, f or bf, in decimal numbers. */
static const char *suffix_start(const char *from, const char *to) {
    bool hex = to - from > 1 && from[0] == '0' && from[1] == 'x';
    for (const char *c = from; c < to; c++) {
        if (*c == 'i' || *c == 'u' || (!hex && *c == 'f'))
            return c > from && c[-1] == 'b' && !hex ? c - 1 : c;
    }
    return to;
}

static Name suffix_name(Parser *p, const char *from) {
    return from < p->cur ? name_of(p->names, from, (size_t)(p->cur - from)) : NULL;
}

static int real(Parser *p, Value *v, const char *suffix) {
    const char *text = digits_of(p, p->tok, (size_t)(suffix - p->tok));
    double value = strtod(text, NULL);
    if (isinf(value))
        FAIL(p, NUMBER_TOO_LARGE, here(p), "`%s` is larger than any `f64`", text);
    v->expr = ast_expr(p, (Expr){.kind = EXPR_FLOAT, .span = here(p),
                                 .real = {value, text, suffix_name(p, suffix)}});
    return FLOAT;
}

static int integer(Parser *p, Value *v, int base) {
    const char *suffix = suffix_start(p->tok, p->cur);
    if (base == 10 && suffix < p->cur && (*suffix == 'f' || *suffix == 'b'))
        return real(p, v, suffix);
    const char *first = p->tok + (base == 10 ? 0 : 2);
    const char *text = digits_of(p, first, (size_t)(suffix - first));
    errno = 0;
    uint64_t value = strtoull(text, NULL, base);
    if (errno == ERANGE)
        FAIL(p, NUMBER_TOO_LARGE, here(p), "`%.*s` is larger than any integer type holds",
             (int)(suffix - p->tok), p->tok);
    v->expr = ast_expr(p, (Expr){.kind = EXPR_INT, .span = here(p),
                                 .integer = {value, suffix_name(p, suffix)}});
    return INT;
}

static int64_t unit_ns(const char *unit, size_t len) {
    static const struct { const char *name; int64_t ns; } units[] = {
        {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000},
        {"min", 60000000000}, {"h", 3600000000000},
    };
    for (int i = 0; i < ARRAY_LEN(units); i++)
        if (strlen(units[i].name) == len && !memcmp(units[i].name, unit, len))
            return units[i].ns;
    UNREACHABLE();
}

/* Adds digits at their place values, `scale` being that of the first; false: no whole number of
   nanoseconds, or too many. */
static bool add_digits(const char *from, const char *to, __int128 scale, __int128 *sum) {
    for (const char *c = from; c < to; c++) {
        if (*c == '_')
            continue;
        if (scale == 0 && *c != '0')
            return false;
        *sum += (*c - '0') * scale;
        if (scale % 10 && c + 1 < to && strspn(c + 1, "0_") < (size_t)(to - c - 1))
            return false;
        scale /= 10;
    }
    return true;
}

static int duration(Parser *p, Value *v) {
    const char *unit = p->tok, *point = NULL;
    for (; isdigit((unsigned char)*unit) || *unit == '_' || *unit == '.'; unit++)
        if (*unit == '.')
            point = unit;
    __int128 scale = unit_ns(unit, (size_t)(p->cur - unit)), ns = 0;
    __int128 whole = 0;
    const char *whole_end = point ? point : unit;
    for (const char *c = p->tok; c < whole_end && whole <= INT64_MAX; c++)
        if (*c != '_')
            whole = whole * 10 + (*c - '0');
    ns = whole * scale;
    bool exact = true;
    if (point) {
        if (scale % 10 == 0)
            exact = add_digits(point + 1, unit, scale / 10, &ns);
        else
            exact = strspn(point + 1, "0_") >= (size_t)(unit - point - 1);
    }
    if (!exact)
        FAIL(p, BAD_NUMBER, here(p), "a duration is a whole number of nanoseconds");
    if (ns > INT64_MAX) {
        FAIL(p, NUMBER_TOO_LARGE, here(p), "a duration is at most 292 years");
        ns = 0;
    }
    v->expr = ast_expr(p, (Expr){.kind = EXPR_DURATION, .span = here(p),
                                 .duration_ns = (int64_t)ns});
    return DURATION;
}

static int field_number(Parser *p, Value *v) {
    const char *text = digits_of(p, p->tok + 1, (size_t)(p->cur - p->tok - 1));
    errno = 0;
    v->number = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        FAIL(p, NUMBER_TOO_LARGE, here(p), "a tuple has no field `%s`", text);
    return FIELD_NUM;
}

/* ---- strings ---- */

static void put_utf8(Buf *buf, uint32_t c) {
    char bytes[4];
    if (c < 0x80) {
        buf_add(buf, (char[]){(char)c}, 1);
        return;
    }
    int len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (int i = len - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)((0xf00 >> len & 0xff) | c);
    buf_add(buf, bytes, (size_t)len);
}

static void put_code_point(Parser *p, Buf *buf, const char *mark) {
    uint32_t c = (uint32_t)strtoul(mark + 3, NULL, 16);
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        FAIL(p, BAD_ESCAPE, span_of(p, mark, p->cur), "`%.*s` is no Unicode character",
             (int)(p->cur - mark), mark);
    else
        put_utf8(buf, c);
}

static void put_escape(Buf *buf, char c) {
    switch (c) {
    case 'n': buf_add(buf, "\n", 1); break;
    case 'r': buf_add(buf, "\r", 1); break;
    case 't': buf_add(buf, "\t", 1); break;
    case '0': buf_add(buf, "", 1); break;
    default: buf_add(buf, &c, 1);
    }
}

static int string_done(Value *v, Buf *buf, int kind) {
    v->text = (Text){buf_text(buf), buf->len};
    return kind;
}

static void bad_escape(Parser *p, const char *from) {
    Diag *d = FAIL(p, BAD_ESCAPE, span_of(p, from, p->cur), "unknown escape `%.*s` in a string",
                   (int)(p->cur - from), from);
    diag_help(p->diags, d, "the escapes are \\n \\r \\t \\0 \\\" \\\\ \\{ \\} and \\u{1F600}");
}

static bool in_hole(const Parser *p) {
    for (int i = p->depth; i-- > 0;)
        if (p->open[i].kind == '"')
            return true;
    return false;
}

/* A string that reaches the end of its line. One that begins in the hole of another is that
   string's end: its hole has none. */
static int unterminated(Parser *p, Value *v, Buf *buf, Span opening, bool first) {
    if (first && in_hole(p)) {
        p->hole_ended = true;
        p->cur = p->tok + 1;
        v->text = (Text){"", 0};
        return STR_TAIL;
    }
    p->lost_line = (Span){p->source->base + (uint32_t)line_start(p, p->tok), position(p, p->cur)};
    Diag *d = FAIL(p, UNTERMINATED_STRING, span_of(p, p->cur, p->cur), "this string has no end");
    diag_span(p->diags, d, opening, first ? "it begins here" : "it goes on here");
    diag_help(p->diags, d, "a string ends on its line; write a line's end as `\\n`");
    return string_done(v, buf, first ? STR : STR_TAIL);
}

/* Scans from inside a string up to its end or its next hole. `first` tells whether its opening
   quote was just read: "…" STR, "…{ STR_HEAD, }…{ STR_MID, }…" STR_TAIL. */
static int string_part(Parser *p, Value *v, bool first) {
    const char *mark;
    Buf buf = {.arena = p->arena};
    Span opening = span_of(p, p->cur - 1, p->cur);
    for (;;) {
        const char *at = p->cur;
        /*!re2c
        re2c:define:YYCTYPE = "unsigned char";
        re2c:define:YYCURSOR = "p->cur";
        re2c:define:YYMARKER = mark;
        re2c:define:YYLIMIT = "p->end";
        re2c:yyfill:enable = 0;
        re2c:eof = 0;
        hex  = [0-9a-fA-F];
        utf8 = [\xc2-\xdf] [\x80-\xbf]
             | [\xe0] [\xa0-\xbf] [\x80-\xbf] | [\xe1-\xec\xee\xef] [\x80-\xbf]{2}
             | [\xed] [\x80-\x9f] [\x80-\xbf]
             | [\xf0] [\x90-\xbf] [\x80-\xbf]{2} | [\xf1-\xf3] [\x80-\xbf]{3}
             | [\xf4] [\x80-\x8f] [\x80-\xbf]{2};

        "\\" [nrt0"\\{}]    { put_escape(&buf, at[1]); continue; }
        "\\u{" hex{1,6} "}" { put_code_point(p, &buf, at); continue; }
        "\\" utf8           { bad_escape(p, at); continue; }
        "\\" [^\n\x80-\xff] { bad_escape(p, at); continue; }
        "\\"                { bad_escape(p, at); continue; }
        "\""                { return string_done(v, &buf, first ? STR : STR_TAIL); }
        "{"                 { return string_done(v, &buf, first ? STR_HEAD : STR_MID); }
        "}" {
            Diag *d = FAIL(p, LONE_BRACE, span_of(p, at, p->cur), "a brace in a string is written `\\}`");
            diag_fix(p->diags, d, span_of(p, at, p->cur), "\\}", true);
            continue;
        }
        "\n" { p->cur = at; return unterminated(p, v, &buf, opening, first); }
        $    { return unterminated(p, v, &buf, opening, first); }
        [\x00-\x7f] { buf_add(&buf, at, 1); continue; }
        utf8        { buf_add(&buf, at, (size_t)(p->cur - at)); continue; }
        *           { FAIL(p, INVALID_UTF8, span_of(p, at, p->cur), "this byte is no UTF-8"); continue; }
        */
    }
}

/* A string in single quotes: reported, and read as if it stood in double ones. */
static int single_quoted(Parser *p, Value *v) {
    while (p->cur < p->end && *p->cur != '\'' && *p->cur != '\n')
        p->cur++;
    size_t len = (size_t)(p->cur - p->tok - 1);
    if (p->cur < p->end && *p->cur == '\'')
        p->cur++;
    Diag *d = FAIL(p, SINGLE_QUOTES, here(p), "a string stands in double quotes");
    diag_fix(p->diags, d, here(p), arena_printf(p->arena, "\"%.*s\"", (int)len, p->tok + 1),
             !memchr(p->tok, '"', len) && !memchr(p->tok, '{', len));
    v->text = (Text){arena_copy(p->arena, p->tok + 1, len), len};
    return STR;
}

/* [<>^] width .digits x|e, each optional. */
static bool is_format(const char *text) {
    text += strspn(text, "<>^") > 0;
    text += strspn(text, "0123456789");
    if (*text == '.') {
        size_t digits = strspn(text + 1, "0123456789");
        if (!digits)
            return false;
        text += digits + 1;
    }
    text += *text == 'x' || *text == 'e';
    return !*text;
}

/* The format of a hole: raw up to its brace. */
static int format(Parser *p, Value *v) {
    p->tok = p->cur;
    while (p->cur < p->end && *p->cur != '}' && *p->cur != '"' && *p->cur != '\n')
        p->cur++;
    size_t len = (size_t)(p->cur - p->tok);
    v->text = (Text){arena_copy(p->arena, p->tok, len), len};
    if (!is_format(v->text.text)) {
        Diag *d = FAIL(p, FORMAT_SYNTAX, here(p), "`%s` is no format", v->text.text);
        diag_help(p->diags, d, "a format is an alignment `<` `>` `^`, a width, `.` and digits, "
                               "`x` or `e`, like `>8.2`");
    }
    return FORMAT;
}

/* ---- words ---- */

typedef struct { const char *text; int kind; } Word;

static const Word keywords[] = {
#define KEYWORD(text, token, group) {text, token},
#define SOFT_KEYWORD KEYWORD
#define INFIX_KEYWORD(text, token, group)
#define ACTOR_WORD(text)
#include "keywords.def"
};

/* Operators of the grammar only straight after an operand, where no name may stand. */
static const Word infix_words[] = {
#define KEYWORD(text, token, group)
#define SOFT_KEYWORD KEYWORD
#define INFIX_KEYWORD(text, token, group) {text, token},
#define ACTOR_WORD(text)
#include "keywords.def"
};

static int word_kind(const Word *words, int count, const char *text, size_t len) {
    for (int i = 0; i < count; i++)
        if (strlen(words[i].text) == len && !memcmp(words[i].text, text, len))
            return words[i].kind;
    return ID;
}

/* Words that are keywords only where their declaration stands. */
static bool is_soft(int kind) {
    return kind == STATE || kind == ON || kind == TEST || kind == MAIN || kind == AS ||
           kind == TYPE;
}

static bool ends_operand(int kind) {
    switch (kind) {
    case ID: case INT: case FLOAT: case DURATION: case STR: case STR_TAIL: case TRUE: case FALSE:
    case SELF: case FIELD_NUM: case ')': case ']': case '}':
        return true;
    default:
        return false;
    }
}

/* Does an operand follow on the line? Tells a[.. by 2] from a[..by]. */
static bool operand_follows(const Parser *p) {
    const char *c = p->cur;
    while (*c == ' ' || *c == '\t')
        c++;
    return c > p->cur && (*c == '_' || isalnum((unsigned char)*c));
}

/* `before` is the token before on the same statement, or NL. */
static int identifier(Parser *p, Value *v, int before) {
    size_t len = (size_t)(p->cur - p->tok);
    v->name = name_of(p->names, p->tok, len);
    if (before == '.' || innermost(p) == '@')
        return ID; /* after a dot and in @name(…) every word is a name */
    if (ends_operand(before) || ((before == DOTDOT || is_soft(before)) && operand_follows(p))) {
        int kind = word_kind(infix_words, ARRAY_LEN(infix_words), p->tok, len);
        if (kind != ID)
            return kind;
    }
    return word_kind(keywords, ARRAY_LEN(keywords), p->tok, len);
}

/* ---- comments ---- */

/* Skips a nested comment whose opening has been read. */
static void skip_comment(Parser *p) {
    const char *opening = p->tok;
    for (int depth = 1; depth;) {
        /*!re2c
        "/*"    { depth++; continue; }
        "*" "/" { depth--; continue; }
        $ {
            FAIL(p, UNTERMINATED_COMMENT, span_of(p, opening, opening + 2), "this comment has no end");
            return;
        }
        *       { continue; }
        */
    }
}

/* A line of `///`, without the slashes and the space after them. */
static void doc_line(Parser *p) {
    const char *from = p->tok + 3, *to = p->cur;
    from += from < to && *from == ' ';
    to -= to > from && to[-1] == '\r';
    if (p->doc.at)
        buf_add(&p->doc, "\n", 1);
    buf_add(&p->doc, from, (size_t)(to - from));
}

/* The token that follows the doc comment is known. */
static void keep_doc(Parser *p, Span next) {
    if (!p->doc.at)
        return;
    vec_push(p->arena, &p->docs, (Doc){buf_text(&p->doc), next.from});
    p->doc = (Buf){.arena = p->arena};
}

static void hash_comment(Parser *p) {
    while (p->cur < p->end && *p->cur != '\n')
        p->cur++;
    Diag *d = FAIL(p, HASH_COMMENT, span_of(p, p->tok, p->tok + 1), "a comment begins with `//`");
    diag_fix(p->diags, d, span_of(p, p->tok, p->tok + 1), "//", true);
}

/* ---- slips that are read as what was meant ---- */

static int foreign_operator(Parser *p, const char *meant, int kind) {
    if (p->skipping)
        return kind;
    Diag *d = FAIL(p, FOREIGN_OPERATOR, here(p), "`%.*s` is written `%s`",
                   (int)(p->cur - p->tok), p->tok, meant);
    bool glued = *p->tok == '!' && *p->cur != ' ';
    diag_fix(p->diags, d, here(p), glued ? arena_printf(p->arena, "%s ", meant) : meant, true);
    return kind;
}

static void increment(Parser *p) {
    if (p->skipping)
        return;
    Diag *d = FAIL(p, INCREMENT, here(p), "there is no operator `++`");
    diag_help(p->diags, d, "`x += 1` adds one, concat(x, y) joins arrays");
}

static void empty_statement(Parser *p) {
    Diag *d = FAIL(p, EMPTY_STATEMENT, here(p), "there is nothing before this `;`");
    diag_fix(p->diags, d, here(p), "", true);
}

static void bad_character(Parser *p) {
    unsigned char c = (unsigned char)*p->tok;
    if (c < 0x20 || c == 0x7f)
        FAIL(p, BAD_CHARACTER, here(p), "unexpected control character 0x%02x", c);
    else
        FAIL(p, BAD_CHARACTER, here(p), "unexpected character `%.*s`", (int)(p->cur - p->tok),
             p->tok);
    p->good = 0; /* what follows it rarely fits */
}

static int bad_number(Parser *p, Value *v) {
    FAIL(p, BAD_NUMBER, here(p), "malformed number `%.*s`", (int)(p->cur - p->tok), p->tok);
    v->expr = ast_expr(p, (Expr){.kind = EXPR_ERROR, .span = here(p)});
    return INT;
}

/* May the brackets be those of `@name(`? */
static bool is_attribute(const Parser *p) {
    return p->last.kind == ID && p->before_last == '@';
}

/* One token of the text; *newline tells whether a line ended before it. A `}` is that of a block
   or of a string's hole: scan() decides. */
static int raw_token(Parser *p, Value *v, bool *newline) {
    const char *mark;
    *newline = false;
    for (;;) {
        p->tok = p->cur;
        int before = *newline && in_lines(p) ? NL : p->last.kind;
        /*!re2c
        digits   = [0-9] [0-9_]*;
        int_type = "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64";
        flt_type = "f16" | "bf16" | "f32" | "f64";
        unit     = "ns" | "us" | "ms" | "s" | "min" | "h";
        float    = digits "." digits ([eE] [+-]? digits)? | digits [eE] [+-]? digits;
        word     = [A-Za-z_] [A-Za-z0-9_]*;

        [ \t\r]+      { continue; }
        "\n"          { *newline = true; continue; }
        "///" [^\n]*  { doc_line(p); continue; }
        "//" [^\n]*   { continue; }
        "/*"          { skip_comment(p); continue; }
        "#" [^\n]     { hash_comment(p); continue; }

        digits (int_type | flt_type)?                  { return integer(p, v, 10); }
        "0x" hex [0-9a-fA-F_]* int_type?               { return integer(p, v, 16); }
        "0b" [01] [01_]* int_type?                     { return integer(p, v, 2); }
        float flt_type?                                { return real(p, v, suffix_start(p->tok, p->cur)); }
        (digits | digits "." digits) unit              { return duration(p, v); }
        ((digits | float) word | "0x" | "0b")          { return bad_number(p, v); }
        "." digits                                     { return field_number(p, v); }
        word                                           { return identifier(p, v, before); }
        "\""                                           { return string_part(p, v, true); }
        "'"                                            { return single_quoted(p, v); }

        "->"  { return ARROW; }     "=>"  { return ARM; }       "|>"  { return PIPE; }
        "=="  { return EQ; }        "!="  { return NE; }        "<="  { return LE; }
        ">="  { return GE; }        "<<"  { return SHL; }       ">>"  { return SHR; }
        "**"  { return POW; }       ".."  { return DOTDOT; }    "..=" { return DOTEQ; }
        ".*"  { return DOTSTAR; }
        "+="  { v->op = OP_ADD; return OPEQ; }       "-="  { v->op = OP_SUB; return OPEQ; }
        "*="  { v->op = OP_MUL; return OPEQ; }       "/="  { v->op = OP_DIV; return OPEQ; }
        "%="  { v->op = OP_MOD; return OPEQ; }       "**=" { v->op = OP_POW; return OPEQ; }
        "&="  { v->op = OP_BITAND; return OPEQ; }    "|="  { v->op = OP_BITOR; return OPEQ; }
        "^="  { v->op = OP_BITXOR; return OPEQ; }    "<<=" { v->op = OP_SHL; return OPEQ; }
        ">>=" { v->op = OP_SHR; return OPEQ; }

        "&&"  { return foreign_operator(p, "and", AND); }
        "||"  { return foreign_operator(p, "or", OR); }
        "===" { return foreign_operator(p, "==", EQ); }
        "!==" { return foreign_operator(p, "!=", NE); }
        "<>"  { return foreign_operator(p, "!=", NE); }
        ":="  { return foreign_operator(p, "=", '='); }
        "++"  { increment(p); continue; }
        "!" {
            if (ends_operand(before) || is_soft(before))
                return '!';
            return foreign_operator(p, "not", NOT);
        }
        [-+*/%&|^~<>=.,:;@?()[\]{}] { return *p->tok; }
        $                            { *newline = true; return YYEOF; }
        utf8                         { bad_character(p); continue; }
        [\x00-\x7f]                  { bad_character(p); continue; }
        *                            { FAIL(p, INVALID_UTF8, here(p), "this byte is no UTF-8"); continue; }
        */
    }
}

/* ---- newlines ---- */

/* May a statement end with this token? */
static bool can_end(int kind) {
    return ends_operand(kind) || is_soft(kind) || kind == BREAK || kind == CONTINUE ||
           kind == RETURN || kind == DOTSTAR;
}

/* May a statement, a declaration, a field or a match arm begin with this token? `-` may: a line
   that begins with it is a statement of its own, and one whose value nobody uses, so an error. */
static bool can_begin(int kind) {
    switch (kind) {
    case '+': case '*': case '/': case '%': case '&': case '|': case '^': case '<': case '>':
    case '=': case '.': case ',': case ';': case ':': case '!': case '?': case ')': case ']':
    case '}': case ARROW: case ARM: case PIPE: case EQ: case NE: case LE: case GE: case SHL:
    case SHR: case POW: case DOTDOT: case DOTEQ: case DOTSTAR: case OPEQ: case FIELD_NUM:
    case AND: case OR: case ELSE: case WITH: case IN: case BY: case WITHIN: case AFTER:
    case FORMAT:
        return false;
    default:
        return true;
    }
}

/* Words that go on no expression, so that what stands on the line before has ended, complete or
   not. */
static bool breaks_line(const Parser *p, int kind) {
    switch (kind) {
    case FN: case DAG: case ACTOR: case IMPORT: case CONST:
        return !p->depth;
    case LET: case VAR: case ASSERT:
        return p->depth && p->last.kind != '{' && p->last.kind != ';';
    default:
        return false;
    }
}

static bool ends_line(const Parser *p, int next) {
    if (!in_lines(p) || !p->last.kind || p->last.kind == ';')
        return false;
    return (can_end(p->last.kind) && can_begin(next)) || breaks_line(p, next);
}

/* ---- brackets ---- */

static int block_depth(const Parser *p) {
    int i = p->depth;
    while (i && p->open[i - 1].kind != '{' && p->open[i - 1].kind != 'A')
        i--;
    return i;
}

static void put(Parser *p, int kind, Span span, Value value) {
    p->before_last = p->last.kind;
    p->last = (Token){kind, span, value, block_depth(p), p->depth};
    vec_push(p->arena, &p->queue, p->last);
}

static void push(Parser *p, char kind, Span span) {
    if (p->depth == BRACKETS_MAX) {
        FAIL(p, TOO_DEEP, span, "brackets are nested deeper than %d", BRACKETS_MAX);
        p->aborted = true;
        return;
    }
    int len;
    p->open[p->depth++] = (Bracket){kind, span, indent_of(p, parse_text(p, span, &len))};
}

static const char *shown(char kind) {
    return kind == '[' ? "[" : kind == '(' || kind == '@' ? "(" : "{";
}

/* Takes the innermost bracket off the stack and gives the parser what would have closed it. */
static void close_missing(Parser *p, Span at) {
    char kind = p->open[--p->depth].kind;
    Value none = {0};
    at.to = at.from;
    if (kind == '"') {
        none.text = (Text){"", 0};
        put(p, STR_TAIL, at, none);
    } else {
        put(p, kind == '[' ? ']' : kind == '(' || kind == '@' ? ')' : '}', at, none);
    }
}

/* Does an error that is reported already explain why a bracket is not closed? A string without
   an end hides what stood after it; a syntax error inside the brackets may be that very bracket. */
static bool is_explained(const Parser *p, const Bracket *b) {
    uint32_t at = b->span.from;
    return (at >= p->lost_line.from && at < p->lost_line.to) ||
           (p->skipping && p->last_error.from > at && b->kind != '{' && b->kind != 'A');
}

/* Reports that the bracket at `index` is never closed, which the token at `at` shows. */
static void report_unclosed(Parser *p, int index, Span at, int kind) {
    const Bracket *b = &p->open[index];
    if (is_explained(p, b))
        return;
    bool suspected = p->suspect.to && p->suspect.from > b->span.from;
    Span opener = suspected ? p->suspect : b->span;
    Diag *d = FAIL(p, UNCLOSED_BRACKET, opener, "this `%s` is never closed", shown(b->kind));
    if (b->kind == '"')
        diag_label(p->diags, d, "an expression in the string begins here");
    if (suspected)
        diag_span(p->diags, d, p->suspect_close, "this `}` closes it, but is indented like an outer one's");
    else if (kind == YYEOF)
        diag_span(p->diags, d, at, "the file ends here");
    else
        diag_span(p->diags, d, at, "it is still open here");
    p->suspect = (Span){0};
}

/* Closes every bracket above `depth`; only the innermost is reported. */
static void close_down_to(Parser *p, int depth, Span at, int kind) {
    if (p->depth > depth && !p->aborted)
        report_unclosed(p, p->depth - 1, at, kind);
    while (p->depth > depth)
        close_missing(p, at);
}

static bool follows(const Parser *p, const char *set) {
    const char *c = p->cur;
    while (*c == ' ' || *c == '\t')
        c++;
    return *c && strchr(set, *c);
}

/* Can this token only begin a declaration, or in parentheses also a statement? */
static bool begins_declaration(const Parser *p, int kind) {
    switch (kind) {
    case IMPORT: case DAG: case ACTOR: return true;
    case FN: case CONST: return innermost(p) != 'A' || kind == CONST;
    case TYPE: return *p->cur == ' ' && isupper((unsigned char)p->cur[1]);
    case TEST: return follows(p, "\"");
    case MAIN: return follows(p, "{");
    default: return false;
    }
}

static bool begins_statement(int kind) {
    return kind == LET || kind == VAR || kind == FN || kind == DAG || kind == ACTOR ||
           kind == IMPORT || kind == RETURN || kind == BREAK || kind == CONTINUE || kind == ASSERT;
}

/* Does an item of an actor begin: `on`, `state`, `every` or `after` with a name or a number? */
static bool begins_item(const Parser *p, int kind, Name name) {
    bool timer = kind == ID && (!strcmp(name, "every") || !strcmp(name, "after"));
    return (kind == ON || kind == STATE || timer) && operand_follows(p);
}

/* How many of the open brackets stay open before an item of an actor: its own brace, and braces
   whose lines are indented less. */
static int kept_before_item(const Parser *p, int indent) {
    int actor = p->depth, keep = block_depth(p);
    while (actor && p->open[actor - 1].kind != 'A')
        actor--;
    if (!actor)
        return p->depth;
    for (int i = keep; i-- > actor;)
        if (p->open[i].kind == '{' && indent <= p->open[i].indent)
            keep = i;
    return keep;
}

static int kept_before_declaration(const Parser *p, int indent) {
    int keep = block_depth(p);
    for (int i = keep; i-- > 0;)
        if ((p->open[i].kind == '{' || p->open[i].kind == 'A') && indent <= p->open[i].indent)
            keep = i;
    return keep;
}

/* A token at the start of a line that cannot stand inside the open brackets shows that some are
   not closed: statements end what stands in parentheses; declarations and items of actors that
   are indented no further than the line of an open brace end its block. */
static void close_before(Parser *p, int kind, Name name, Span at) {
    int indent = indent_of(p, p->tok);
    bool lines = in_lines(p);
    if (begins_item(p, kind, name) && lines)
        close_down_to(p, kept_before_item(p, indent), at, kind);
    else if (begins_declaration(p, kind) && (lines || kind != CONST))
        close_down_to(p, kept_before_declaration(p, indent), at, kind);
    else if (begins_statement(kind) && !lines)
        close_down_to(p, block_depth(p), at, kind);
}

static bool is_opener_of(char open, int closer) {
    switch (closer) {
    case ')': return open == '(' || open == '@';
    case ']': return open == '[';
    default: return open == '{' || open == 'A' || open == '"';
    }
}

/* Makes the bracket that a closing token belongs to the innermost one; false if there is none. */
static bool match_closer(Parser *p, int kind, Span at) {
    int i = p->depth;
    while (i && !is_opener_of(p->open[i - 1].kind, kind))
        i--;
    /* A `)` or `]` does not end a block. */
    if (!i || (kind != '}' && block_depth(p) > i && block_depth(p) == p->depth)) {
        if (p->skipping)
            return false;
        FAIL(p, UNMATCHED_CLOSER, at, "this `%c` closes nothing", kind);
        p->good = 0;
        return false;
    }
    close_down_to(p, i, at, kind);
    return true;
}

static void suspect(Parser *p, const Bracket *opener, Span at) {
    int len;
    if (!p->suspect.to && indent_of(p, parse_text(p, at, &len)) < opener->indent) {
        p->suspect = opener->span;
        p->suspect_close = at;
    }
}

static bool same_line(const Parser *p, Span a, Span b) {
    int len;
    return line_start(p, parse_text(p, a, &len)) == line_start(p, parse_text(p, b, &len));
}

/* After an error the layout tells which `}` lacks its `{`: one that is indented further than the
   line of the brace it would close, or, on the line where the `{` was missed, one that would close
   a brace of another line. */
static bool is_stray(const Parser *p, int kind, Span at, bool newline) {
    int block = block_depth(p);
    if (kind != '}' || !p->module->errors || !block)
        return false;
    for (int i = block; i < p->depth; i++)
        if (p->open[i].kind == '"')
            return false;
    const Bracket *opener = &p->open[block - 1];
    if (newline)
        return indent_of(p, p->tok) > opener->indent;
    return p->skipping && p->missed_brace && same_line(p, p->last_error, at) &&
           !same_line(p, opener->span, at);
}

static void put_closer(Parser *p, int kind, bool newline) {
    Value v = {0};
    Span at = here(p);
    if (is_stray(p, kind, at, newline) || !match_closer(p, kind, at))
        return;
    Bracket opener = p->open[--p->depth];
    if (kind == '}' && newline)
        suspect(p, &opener, at);
    if (opener.kind == '"') { /* the string goes on */
        kind = string_part(p, &v, false);
        at = here(p);
        put(p, kind, at, v);
        if (kind == STR_MID)
            push(p, '"', (Span){at.to - 1, at.to});
        return;
    }
    put(p, kind, at, v);
    if (!p->depth)
        p->suspect = (Span){0};
}

static void put_opener(Parser *p, int kind, Span at, Value v) {
    char bracket = kind == STR_HEAD ? '"' : kind == '(' && is_attribute(p) ? '@' : (char)kind;
    if (kind == '{' && p->in_actor_head && in_lines(p)) {
        bracket = 'A';
        p->in_actor_head = false;
    }
    put(p, kind, at, v);
    at.from = at.to - 1; /* of a string: the brace of its hole */
    push(p, bracket, at);
}

/* `elif` and its like after an if: read as `else if`. */
static bool is_elif(const Parser *p, int kind, Name name) {
    return kind == ID && p->last.kind == '}' &&
           (!strcmp(name, "elif") || !strcmp(name, "elsif") || !strcmp(name, "elseif"));
}

static void put_elif(Parser *p, Value v) {
    Span at = here(p);
    Diag *d = FAIL(p, ELIF, at, "`%s` is written `else if`", v.name);
    diag_fix(p->diags, d, at, "else if", true);
    put(p, ELSE, at, (Value){0});
    put(p, IF, at, (Value){0});
}

static void put_semicolon(Parser *p, Span at) {
    if (!p->last.kind || p->last.kind == ';' || p->last.kind == NL ||
        (p->last.kind == '{' && in_lines(p)))
        empty_statement(p);
    else
        put(p, ';', at, (Value){0});
}

static void put_end(Parser *p, Span at) {
    close_down_to(p, 0, at, YYEOF);
    if (p->last.kind && p->last.kind != ';')
        put(p, NL, (Span){p->last.span.to, p->last.span.to}, (Value){0});
    put(p, YYEOF, at, (Value){0});
}

/* The quote at `at` ends the string around the innermost hole, which is not closed. */
static void end_hole(Parser *p, Span at, Value v) {
    int hole = p->depth;
    while (p->open[hole - 1].kind != '"')
        hole--;
    report_unclosed(p, hole - 1, at, STR_TAIL);
    while (p->depth > hole)
        close_missing(p, at);
    p->depth--;
    put(p, STR_TAIL, at, v);
    p->hole_ended = false;
}

/* Scans one token of the text and queues what the parser gets for it. */
static void scan(Parser *p) {
    bool newline;
    Value v = {0};
    int kind = p->aborted ? YYEOF : raw_token(p, &v, &newline);
    if (kind == ':' && innermost(p) == '"')
        kind = format(p, &v);
    Span at = here(p);
    keep_doc(p, at);
    if (kind == YYEOF) {
        put_end(p, at);
        return;
    }
    if (p->hole_ended) {
        end_hole(p, at, v);
        return;
    }
    if (is_elif(p, kind, v.name)) {
        put_elif(p, v);
        return;
    }
    if (newline && p->depth)
        close_before(p, kind, v.name, at);
    if (newline && ends_line(p, kind))
        put(p, NL, (Span){p->last.span.to, p->last.span.to}, (Value){0});
    switch (kind) {
    case '(': case '[': case '{': case STR_HEAD: put_opener(p, kind, at, v); return;
    case ')': case ']': case '}': put_closer(p, kind, newline); return;
    case ';': put_semicolon(p, at); return;
    case ACTOR: p->in_actor_head = true; break;
    }
    put(p, kind, at, v);
}

/* Drops the tokens that were taken but for the last few, which parse_insert_brace() reads again. */
static void trim_queue(Parser *p) {
    enum { KEPT = 16 };
    int drop = p->taken - KEPT;
    if (drop < 4 * KEPT)
        return;
    p->queue.len -= drop;
    p->taken -= drop;
    memmove(p->queue.at, p->queue.at + drop, sizeof *p->queue.at * (size_t)p->queue.len);
}

static Token next_token(Parser *p) {
    trim_queue(p);
    while (p->taken == p->queue.len)
        scan(p);
    return p->queue.at[p->taken++];
}

/* Takes the bracket at `index` off the stack, for the tokens from `first` of the queue on. */
static void remove_bracket(Parser *p, int index, int first) {
    p->depth--;
    memmove(p->open + index, p->open + index + 1, sizeof *p->open * (size_t)(p->depth - index));
    for (int i = first; i < p->queue.len; i++) {
        p->queue.at[i].depth--;
        p->queue.at[i].block = 0;
        for (int j = 0; j < p->queue.at[i].depth && j < p->depth; j++)
            if (p->open[j].kind == '{' || p->open[j].kind == 'A')
                p->queue.at[i].block = j + 1;
    }
}

bool parse_insert_brace(Parser *p) {
    const Token *found = &p->history[0];
    int first = p->taken - 1; /* of the line that does not fit */
    while (first > 0 && p->queue.at[first - 1].kind != NL && p->queue.at[first - 1].kind != ';')
        first--;
    int brace = found->block - 1;
    if (!p->suspect.to || p->suspect_close.from >= found->span.from || first <= 0 || brace < 0 ||
        brace >= p->depth || p->queue.at[first].block != found->block ||
        p->queue.at[first].span.from <= p->inserted_at) /* once a place: it did not help */
        return false;
    p->inserted_at = p->queue.at[first].span.from;
    report_unclosed(p, brace, found->span, found->kind);
    remove_bracket(p, brace, first);
    Token close = p->queue.at[first], line = p->queue.at[first - 1];
    close.kind = '}';
    close.span.to = close.span.from;
    line.span = close.span;
    line.depth = close.depth;
    line.block = close.block;
    vec_push(p->arena, &p->queue, close); /* makes room for two */
    vec_push(p->arena, &p->queue, line);
    memmove(p->queue.at + first + 2, p->queue.at + first,
            sizeof *p->queue.at * (size_t)(p->queue.len - 2 - first));
    p->queue.at[first] = close;
    p->queue.at[first + 1] = line;
    p->taken = first;
    return true;
}

/* Does the line after an NL belong to what is given up? It does if it is indented further, and
   outside of all braces if it is indented at all and begins no declaration. */
bool parse_line_goes_on(const Parser *p, const Token *newline) {
    if (p->taken >= p->queue.len)
        return false;
    const Token *next = &p->queue.at[p->taken];
    int len;
    int indent = indent_of(p, parse_text(p, next->span, &len));
    switch (next->kind) {
    case YYEOF: case FN: case DAG: case ACTOR: case IMPORT: case CONST: case TYPE:
    case TEST: case MAIN:
        return false;
    default:
        return indent > (newline->block ? p->error_indent : 0);
    }
}

void parse_mark_error(Parser *p, Span at) {
    int len;
    p->last_error = at;
    p->error_indent = indent_of(p, parse_text(p, at, &len));
}

/* Does a token end what the parser gives up after an error? */
static bool ends_skipping(const Parser *p, const Token *t) {
    if (t->kind == YYEOF)
        return true;
    if (t->kind == NL && parse_line_goes_on(p, t))
        return false;
    if (t->kind == NL || t->kind == ';')
        return t->block <= p->sync_block && t->depth == t->block;
    return t->kind == '}' && t->depth < p->sync_block;
}

int yylex(Value *value, Span *span, Parser *p) {
    Token t = next_token(p);
    while (p->skipping && !ends_skipping(p, &t))
        t = next_token(p);
    if (p->skipping && t.kind == NL)
        p->good = HISTORY; /* a new line begins something new */
    p->skipping = false;
    memmove(p->history + 1, p->history, sizeof p->history - sizeof *p->history);
    p->history[0] = t;
    p->good++;
    *value = t.value;
    *span = t.span;
    return t.kind;
}

/* ---- tokens for tools ---- */

bool token_ends_operand(int kind) {
    return ends_operand(kind) || is_soft(kind);
}

bool token_ends_line(int kind, int next) {
    return can_end(kind) && can_begin(next);
}

TokenList tokens_read(Parser *p) {
    TokenList tokens = {0};
    do
        vec_push(p->arena, &tokens, next_token(p));
    while (tokens.at[tokens.len - 1].kind != YYEOF);
    return tokens;
}

/* ---- --emit=tokens ---- */

static void print_text(Buf *out, const char *text, int len) {
    for (int i = 0; i < len; i++) {
        if (text[i] == '\n')
            buf_puts(out, "\\n");
        else
            buf_add(out, text + i, 1);
    }
}

void tokens_print(Buf *out, Arena *arena, NameTable *names, Diags *diags, Source *source) {
    Module module = {.source = source};
    Parser *p = parser_new(arena, names, diags, &module);
    for (;;) {
        Token t = next_token(p);
        int line, column, len;
        source_locate(source, t.span.from, &line, &column);
        const char *text = parse_text(p, t.span, &len);
        buf_printf(out, "%d:%d\t%s", line, column, token_name(t.kind));
        if (len) {
            buf_puts(out, "\t");
            print_text(out, text, len);
        }
        buf_puts(out, "\n");
        if (t.kind == YYEOF)
            return;
    }
}
