/* JSON files and literals. One recursive reader serves both: a literal is what print shows, or
   JSON. Dense arrays are nested lists of equal lengths; records are objects (or lists) by field
   name; null is None, or NaN for a float; 1e999 is infinity. */
#include "../value/order.h"
#include "io.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { MAX_DEPTH = 256 };

typedef struct {
    const Reader *r;
    const char *start, *at, *end;
    bool literal, failed; /* failed: a message was given, which stays */
    int depth;
} Json;

/* ---- messages ---- */

/* What stands here, for a message: a quoted text, a word or a sign, cut to size. */
static void found_text(const Json *j, char *out, size_t size) {
    size_t left = (size_t)(j->end - j->at), n = 1;
    if (!left) {
        snprintf(out, size, "the end");
        return;
    }
    const char *stops = *j->at == '"' ? "\"" : ",:[]{}() \t";
    while (n < left && n < 24 && !strchr(stops, j->at[n]) && (unsigned char)j->at[n] >= ' ')
        n++;
    n += *stops == '"' && n < left && j->at[n] == '"';
    if (strchr(",:[]{}()", *j->at))
        n = 1;
    while (n > 1 && n < left && ((unsigned char)j->at[n] & 0xc0) == 0x80)
        n--;
    snprintf(out, size, "`%.*s`", (int)n, j->at);
}

/* Says what stands where something else should; the first message stays. */
static bool fail_at(Json *j, const char *expected) {
    char found[40];
    int line = 1;
    if (j->failed)
        return false;
    j->failed = true;
    for (const char *p = j->start; p < j->at; p++)
        line += *p == '\n';
    found_text(j, found, sizeof found);
    if (j->literal)
        return read_fail(j->r, "expected %s, but the literal has %s where %s should be",
                         j->r->wanted, found, expected);
    return read_fail(j->r, "expected %s, but %s, line %d, has %s where %s should be", j->r->wanted,
                     j->r->source, line, found, expected);
}

/* ---- tokens ---- */

static void skip_blanks(Json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
}

static bool peek(Json *j, char c) {
    skip_blanks(j);
    return j->at < j->end && *j->at == c;
}

static bool accept(Json *j, char c) {
    if (!peek(j, c))
        return false;
    j->at++;
    return true;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* A bare word that begins with a letter; its length, 0 if there is none. */
static size_t word(Json *j) {
    skip_blanks(j);
    size_t n = 0, left = (size_t)(j->end - j->at);
    if (left && !isdigit((unsigned char)*j->at))
        while (n < left && is_word(j->at[n]))
            n++;
    return n;
}

static bool accept_word(Json *j, const char *text) {
    size_t n = word(j);
    if (n != strlen(text) || memcmp(j->at, text, n))
        return false;
    j->at += n;
    return true;
}

static void add_utf8(Text *text, uint32_t c) {
    if (c < 0x80) {
        text_char(text, (char)c);
    } else if (c < 0x800) {
        text_char(text, (char)(0xc0 | c >> 6));
    } else {
        if (c < 0x10000) {
            text_char(text, (char)(0xe0 | c >> 12));
        } else {
            text_char(text, (char)(0xf0 | c >> 18));
            text_char(text, (char)(0x80 | (c >> 12 & 63)));
        }
        text_char(text, (char)(0x80 | (c >> 6 & 63)));
    }
    if (c >= 0x80)
        text_char(text, (char)(0x80 | (c & 63)));
}

static bool hex4(Json *j, uint32_t *out) {
    if (j->end - j->at < 4)
        return false;
    *out = 0;
    for (int i = 0; i < 4; i++, j->at++) {
        if (!isxdigit((unsigned char)*j->at))
            return false;
        *out = *out * 16 + (uint32_t)(*j->at <= '9' ? *j->at - '0' : (*j->at | 32) - 'a' + 10);
    }
    return true;
}

/* \uXXXX, two of them for a character beyond 16 bits. */
static bool unicode_escape(Json *j, Text *text) {
    uint32_t c, low;
    if (!hex4(j, &c))
        return fail_at(j, "four hexadecimal digits");
    if (c >= 0xd800 && c < 0xdc00 && j->end - j->at >= 6 && j->at[0] == '\\' && j->at[1] == 'u') {
        j->at += 2;
        if (!hex4(j, &low) || low < 0xdc00 || low >= 0xe000)
            return fail_at(j, "the second half of a character");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    add_utf8(text, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
    return true;
}

static bool escape(Json *j, Text *text) {
    static const char from[] = "\"\\/bfnrt{}", to[] = "\"\\/\b\f\n\r\t{}";
    if (j->at == j->end)
        return fail_at(j, "an escape");
    char c = *j->at++;
    if (c == 'u')
        return unicode_escape(j, text);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known) {
        j->at -= 2;
        return fail_at(j, "a known escape");
    }
    text_char(text, to[known - from]);
    return true;
}

/* A quoted text; without escapes it stays where it is. */
static bool parse_text(Json *j, const char **out, size_t *len) {
    if (!accept(j, '"'))
        return fail_at(j, "a text in quotes");
    const char *from = j->at;
    while (j->at < j->end && *j->at != '"' && *j->at != '\\')
        j->at++;
    *out = from;
    *len = (size_t)(j->at - from);
    if (accept(j, '"'))
        return true;
    Text text = {.region = j->r->region};
    text_add(&text, from, *len);
    while (j->at < j->end && *j->at != '"') {
        char c = *j->at++;
        if (c != '\\')
            text_char(&text, c);
        else if (!escape(j, &text))
            return false;
    }
    *out = text_string(&text);
    *len = text.len;
    return j->at < j->end ? (j->at++, true) : fail_at(j, "a quote at the end of the text");
}

/* ---- skipping what no field wants ---- */

static bool skip_value(Json *j);

static bool skip_list(Json *j, char close, bool keys) {
    const char *text;
    size_t len;
    if (accept(j, close))
        return true;
    do {
        if (keys && (!parse_text(j, &text, &len) || !accept(j, ':')))
            return fail_at(j, "a key and a colon");
        if (!skip_value(j))
            return false;
    } while (accept(j, ','));
    return accept(j, close) || fail_at(j, close == ']' ? "`,` or `]`" : "`,` or `}`");
}

static bool skip_value(Json *j) {
    const char *text;
    size_t len;
    bool ok;
    if (++j->depth > MAX_DEPTH)
        return fail_at(j, "less deep nesting");
    if (peek(j, '"')) {
        ok = parse_text(j, &text, &len);
    } else if (accept(j, '[')) {
        ok = skip_list(j, ']', false);
    } else if (accept(j, '{')) {
        ok = skip_list(j, '}', true);
    } else {
        const char *from = j->at;
        while (j->at < j->end && (is_word(*j->at) || strchr("+-.", *j->at)) && *j->at)
            j->at++;
        ok = j->at > from || fail_at(j, "a value");
    }
    j->depth--;
    return ok;
}

/* ---- scalars ---- */

static bool parse_value(Json *j, const GactType *t, GactSlot *out);

/* The text of a number, a duration, a stamp or a word, up to a delimiter. */
static size_t token(Json *j, bool colons) {
    static const bool ends[256] = {
        ['\0'] = true, [','] = true,  [']'] = true,  ['}'] = true,  [')'] = true,
        ['('] = true,  ['['] = true,  ['{'] = true,  ['"'] = true,  ['='] = true,
        [' '] = true,  ['\n'] = true, ['\r'] = true, ['\t'] = true, [':'] = true};
    skip_blanks(j);
    size_t n = 0, left = (size_t)(j->end - j->at);
    while (n < left && (!ends[(unsigned char)j->at[n]] || (colons && j->at[n] == ':')))
        n++;
    return n;
}

static const char *expectation(Json *j, const GactType *t) {
    if (t->kind == GACT_BOOL)
        return "true or false";
    return region_printf(j->r->region, "a value of type %s", t->text);
}

/* A duration is also a number of nanoseconds, a stamp a number of its bits. */
static bool special_scalar(const char *text, size_t len, int32_t kind, GactSlot *out) {
    return kind == GACT_DURATION ? duration_parse(text, len, &out->i)
                                 : kind == GACT_HLC && hlc_parse(text, len, &out->u);
}

static bool scalar_from(Json *j, const char *text, size_t len, const GactType *t, GactSlot *out) {
    Number n;
    if (special_scalar(text, len, t->kind, out))
        return true;
    if (!number_parse(text, len, &n))
        return fail_at(j, expectation(j, t));
    if (number_to(n, t->kind, out))
        return true;
    return fail_at(j, region_printf(j->r->region, "a number that fits %s", t->text));
}

/* A whole number of few decimal digits, as most are; false leaves it to scalar_from. */
static bool parse_digits(Json *j, int32_t kind, GactSlot *out) {
    enum { MOST = 18 }; /* so many fit 64 bits */
    static const bool ends[256] = {[','] = true, [']'] = true,  ['}'] = true,  [')'] = true,
                                   [' '] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true};
    const char *at = j->at, *first;
    uint64_t whole = 0;
    bool negative = at < j->end && *at == '-';
    for (first = at += negative; at < j->end && *at >= '0' && *at <= '9'; at++)
        whole = whole * 10 + (uint64_t)(*at - '0');
    if (at == first || at - first > MOST || at == j->end || !ends[(unsigned char)*at])
        return false;
    if (!number_to((Number){.negative = negative && whole, .whole = whole}, kind, out))
        return false;
    j->at = at;
    return true;
}

static bool parse_scalar(Json *j, const GactType *t, GactSlot *out) {
    const char *text;
    size_t len;
    skip_blanks(j);
    if (t->kind > GACT_BOOL && t->kind < GACT_HLC && parse_digits(j, t->kind, out))
        return true;
    if (t->kind == GACT_BOOL) {
        if (accept_word(j, "true"))
            out->u = 1;
        else if (accept_word(j, "false"))
            out->u = 0;
        else
            return fail_at(j, "true or false");
        return true;
    }
    if (kind_is_float(t->kind) && accept_word(j, "null")) {
        *out = scalar_of_float(t->kind, NAN);
        return true;
    }
    if (peek(j, '"') && !kind_is_float(t->kind) && t->kind >= GACT_HLC) {
        const char *from = j->at;
        if (!parse_text(j, &text, &len))
            return false;
        if (special_scalar(text, len, t->kind, out))
            return true;
        j->at = from;
        return fail_at(j, expectation(j, t));
    }
    len = token(j, t->kind == GACT_HLC);
    if (!scalar_from(j, j->at, len, t, out))
        return false;
    j->at += len;
    return true;
}

/* ---- arrays ---- */

typedef struct {
    Json *j;
    Builder builder;
    GactSlot *elem;
    int64_t dims[IO_MAX_RANK]; /* -1: not known yet */
    int rank;
} Nested;

static bool parse_element(Nested *n) {
    const GactType *t = n->builder.elem;
    if (!parse_value(n->j, t, n->elem))
        return false;
    if (kind_is_scalar(t->kind))
        scalar_store(t->kind, builder_extend(&n->builder, 1), *n->elem);
    else
        builder_push(&n->builder, n->elem);
    return true;
}

static bool parse_axis(Nested *n, int axis) {
    Json *j = n->j;
    int64_t count = 0;
    if (++j->depth > MAX_DEPTH)
        return fail_at(j, "less deep nesting");
    char close = j->literal && axis == 0 && peek(j, '{') ? '}' : ']';
    if (!accept(j, close == '}' ? '{' : '['))
        return fail_at(j, "a list");
    if (!peek(j, close))
        do {
            if (axis + 1 < n->rank) {
                if (!parse_axis(n, axis + 1))
                    return false;
            } else {
                if (!parse_element(n))
                    return false;
            }
            count++;
        } while (accept(j, ','));
    if (n->dims[axis] >= 0 && n->dims[axis] != count) {
        j->failed = true;
        return read_fail(j->r,
                         "expected %s, but %s has lists of %lld and of %lld elements on one "
                         "axis",
                         j->r->wanted, j->r->source, (long long)n->dims[axis], (long long)count);
    }
    n->dims[axis] = count;
    j->depth--;
    return accept(j, close) || fail_at(j, close == ']' ? "`,` or `]`" : "`,` or `}`");
}

static bool parse_array(Json *j, const GactType *t, GactSlot *out) {
    Nested n = {.j = j, .rank = t->rank};
    GactSlot small[SMALL_SLOTS];
    if (t->rank > IO_MAX_RANK)
        return fail_at(j, "an array of fewer axes");
    for (int k = 0; k < t->rank; k++)
        n.dims[k] = -1;
    builder_init(&n.builder, j->r->region, t->elem);
    n.elem = slots_borrow(t->elem, small);
    bool ok = parse_axis(&n, 0);
    slots_return(n.elem, small);
    if (!ok)
        return false;
    for (int k = 0; k < t->rank; k++)
        n.dims[k] = n.dims[k] < 0 ? 0 : n.dims[k];
    builder_finish(&n.builder, n.dims, t->rank, out);
    return true;
}

/* ---- products and sums ---- */

static int member_named(const GactType *t, const char *name, size_t len, int guess) {
    for (int i = 0; i < t->count; i++) {
        int k = (guess + i) % t->count;
        if (t->names[k] && strlen(t->names[k]) == len && !memcmp(t->names[k], name, len))
            return k;
    }
    return -1;
}

/* Members that an object leaves out: None where that is a value. */
static bool finish_members(Json *j, const GactType *t, const bool *given, GactSlot *out) {
    for (int k = 0; k < t->count; k++) {
        const GactType *some, *item = t->items[k];
        if (given[k])
            continue;
        if (!type_is_option(item, &some))
            return fail_at(j,
                           region_printf(j->r->region, "the field %s of %s", t->names[k], t->text));
        GactSlot *slot = out + product_slot(t, k);
        value_zero(j->r->region, item, slot);
        slot->i = strcmp(item->ctors[0].name, "None") != 0;
    }
    return true;
}

/* {"name": value, …}, or (name = value, …) of a literal; the opening is behind. */
static bool parse_named(Json *j, const GactType *t, char close, GactSlot *out) {
    bool *given = region_zero(j->r->region, (size_t)t->count, sizeof *given);
    const char *key;
    size_t len;
    int next = 0;
    if (!peek(j, close))
        do {
            if (close == '}') {
                if (!parse_text(j, &key, &len))
                    return false;
            } else if ((len = word(j)) != 0) {
                key = j->at;
                j->at += len;
            } else {
                return fail_at(j, "a field's name");
            }
            int k = member_named(t, key, len, next);
            if (!accept(j, close == '}' ? ':' : '='))
                return fail_at(j, close == '}' ? "`:`" : "`=`");
            if (k < 0 && j->literal)
                return fail_at(j, region_printf(j->r->region, "a field of %s", t->text));
            if (k < 0 ? !skip_value(j) : !parse_value(j, t->items[k], out + product_slot(t, k)))
                return false;
            if (k >= 0)
                given[k] = true;
            next = k + 1;
        } while (accept(j, ','));
    if (!accept(j, close))
        return fail_at(j, close == '}' ? "`,` or `}`" : "`,` or `)`");
    return finish_members(j, t, given, out);
}

/* [a, b] or (a, b); the opening is behind. */
static bool parse_positional(Json *j, const GactType *t, char close, GactSlot *out) {
    for (int k = 0; k < t->count; out += t->items[k++]->slots)
        if ((k && !accept(j, ',')) || !parse_value(j, t->items[k], out))
            return fail_at(j, region_printf(j->r->region, "%d values of %s", t->count, t->text));
    return accept(j, close) || fail_at(j, close == ']' ? "`]`" : "`)`");
}

/* Does `word =` come next? */
static bool names_come(Json *j) {
    Json ahead = *j;
    size_t n = word(&ahead);
    ahead.at += n;
    return n && peek(&ahead, '=');
}

static bool parse_members(Json *j, const GactType *t, GactSlot *out) {
    bool names = type_has_names(t);
    if (names && accept(j, '{'))
        return parse_named(j, t, '}', out);
    if (accept(j, '['))
        return parse_positional(j, t, ']', out);
    if (j->literal && accept(j, '('))
        return names && names_come(j) ? parse_named(j, t, ')', out)
                                      : parse_positional(j, t, ')', out);
    return fail_at(j, expectation(j, t));
}

/* A set is a list whose order and repetitions do not matter. */
static bool parse_set(Json *j, const GactType *items, GactSlot *out) {
    if (!parse_value(j, items, out))
        return false;
    if (items->kind == GACT_ARRAY && items->rank == 1)
        array_sort_unique(j->r->region, items, out);
    return true;
}

static bool parse_product(Json *j, const GactType *t, GactSlot *out) {
    if (t->flags & GACT_TYPE_VIEW && t->count == 1)
        return parse_set(j, t->items[0], out);
    size_t n = word(j);
    if (j->literal && n && t->name && (int)n == type_name_len(t) && !memcmp(j->at, t->name, n))
        j->at += n;
    return parse_members(j, t, out);
}

static int ctor_named(const GactType *t, const char *name, size_t len) {
    for (int k = 0; k < t->count; k++)
        if (strlen(t->ctors[k].name) == len && !memcmp(t->ctors[k].name, name, len))
            return k;
    return -1;
}

static bool parse_payload(Json *j, const GactType *payload, GactSlot *out) {
    if (payload->count == 1 && !peek(j, '(') && !(type_has_names(payload) && peek(j, '{')))
        return parse_value(j, payload->items[0], out);
    return parse_members(j, payload, out);
}

static const char *ctor_list(Json *j, const GactType *t) {
    Text text = {.region = j->r->region};
    for (int k = 0; k < t->count; k++)
        text_printf(&text, "%s%s", !k ? "" : k + 1 < t->count ? ", " : " or ", t->ctors[k].name);
    return text_string(&text);
}

static bool parse_option(Json *j, const GactType *t, const GactType *some, GactSlot *out) {
    int none = !strcmp(t->ctors[0].name, "Some");
    out->i = none;
    if (accept_word(j, "null") || (j->literal && accept_word(j, "None")))
        return true;
    out->i = !none;
    GactSlot *slots = out + sum_slot(t, !none);
    if (j->literal && accept_word(j, "Some"))
        return (accept(j, '(') && parse_value(j, some, slots) && accept(j, ')')) ||
               fail_at(j, "Some(value)");
    return parse_value(j, some, slots);
}

static bool parse_sum(Json *j, const GactType *t, GactSlot *out) {
    const GactType *some;
    const char *name, *from = (skip_blanks(j), j->at);
    size_t len;
    value_zero(j->r->region, t, out);
    if (type_is_option(t, &some))
        return parse_option(j, t, some, out);
    bool object = accept(j, '{'), bare = !object && j->literal && (len = word(j)) > 0;
    if (bare) {
        name = j->at;
        j->at += len;
    } else if (!parse_text(j, &name, &len)) {
        return fail_at(j, ctor_list(j, t));
    }
    int k = ctor_named(t, name, len);
    const GactType *payload = k < 0 ? NULL : t->ctors[k].payload;
    bool wants = object || (bare && peek(j, '('));
    if (k < 0 || (payload->count > 0) != wants || (object && !accept(j, ':'))) {
        j->at = from;
        return fail_at(j, k < 0 ? ctor_list(j, t)
                                : region_printf(j->r->region, "%s with %d values", t->ctors[k].name,
                                                payload->count));
    }
    out->i = k;
    if (!payload->count)
        return true;
    GactSlot *slots = out + sum_slot(t, k);
    bool ok = bare ? parse_members(j, payload, slots) : parse_payload(j, payload, slots);
    return ok && (!object || accept(j, '}') || fail_at(j, "`}`"));
}

static bool parse_string(Json *j, GactSlot *out) {
    const char *text;
    size_t len;
    if (!parse_text(j, &text, &len))
        return false;
    string_of(text, len, out);
    return true;
}

static bool parse_value(Json *j, const GactType *t, GactSlot *out) {
    if (++j->depth > MAX_DEPTH)
        return fail_at(j, "less deep nesting");
    bool ok;
    switch (t->kind) {
    case GACT_STRING: ok = parse_string(j, out); break;
    case GACT_ARRAY: ok = parse_array(j, t, out); break;
    case GACT_PRODUCT: ok = parse_product(j, t, out); break;
    case GACT_SUM: ok = parse_sum(j, t, out); break;
    default: ok = parse_scalar(j, t, out); break;
    }
    j->depth--;
    return ok;
}

/* ---- paths ---- */

static bool enter_key(Json *j, const char *key, size_t len) {
    const char *text;
    size_t n;
    if (!accept(j, '{'))
        return fail_at(j,
                       region_printf(j->r->region, "an object with the key %.*s", (int)len, key));
    if (!peek(j, '}'))
        do {
            if (!parse_text(j, &text, &n) || !accept(j, ':'))
                return fail_at(j, "a key and a colon");
            if (n == len && !memcmp(text, key, n))
                return true;
            if (!skip_value(j))
                return false;
        } while (accept(j, ','));
    return read_fail(j->r, "%s: there is no key %.*s", j->r->source, (int)len, key);
}

static bool enter_index(Json *j, uint64_t index) {
    uint64_t i = 0;
    if (!accept(j, '['))
        return fail_at(j, "a list");
    if (!peek(j, ']'))
        do {
            if (i++ == index)
                return true;
            if (!skip_value(j))
                return false;
        } while (accept(j, ','));
    return read_fail(j->r, "%s: the list has %llu elements", j->r->source, (unsigned long long)i);
}

/* Goes to key.path[3].x. */
static bool follow(Json *j, const char *path) {
    while (*path) {
        if (*path == '[') {
            size_t n = strspn(path + 1, "0123456789");
            Number index;
            if (path[n + 1] != ']' || !number_parse(path + 1, n, &index) || index.is_float)
                return read_fail(j->r, "%s: %s is no index", j->r->source, path);
            if (!enter_index(j, index.whole))
                return false;
            path += n + 2;
        } else {
            path += *path == '.';
            size_t n = strcspn(path, ".[");
            if (!n || !enter_key(j, path, n))
                return n ? false : read_fail(j->r, "%s: a key is missing", j->r->source);
            path += n;
        }
    }
    return true;
}

bool json_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    Json j = {.r = r, .start = file.data, .at = file.data, .end = file.data + file.size};
    if (file.size >= 3 && !memcmp(j.at, "\xef\xbb\xbf", 3))
        j.at += 3;
    if ((part && !follow(&j, part)) || !parse_value(&j, r->type, out))
        return false;
    skip_blanks(&j);
    return part || j.at == j.end || fail_at(&j, "the end");
}

bool literal_read(const Reader *r, const char *text, size_t len, GactSlot *out) {
    Json j = {.r = r, .start = text, .at = text, .end = text + len, .literal = true};
    if (r->type->kind == GACT_STRING && !(len && *text == '"')) {
        string_of(region_copy(r->region, text, len), len, out);
        return true;
    }
    if (!parse_value(&j, r->type, out))
        return false;
    skip_blanks(&j);
    return j.at == j.end || fail_at(&j, "the end");
}

bool cell_parse(Region *region, const GactType *t, const char *text, size_t len, GactSlot *out,
                const char **why) {
    const GactType *some;
    Number n;
    if (t->kind == GACT_STRING) {
        string_of(text, len, out);
        return true;
    }
    if (type_is_option(t, &some)) {
        int none = !strcmp(t->ctors[0].name, "Some");
        value_zero(region, t, out);
        out->i = len ? !none : none;
        return !len || cell_parse(region, some, text, len, out + sum_slot(t, !none), why);
    }
    while (len && (*text == ' ' || *text == '\t'))
        text++, len--;
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    *why = len ? "is not" : "is empty, not";
    if (t->kind == GACT_SUM) {
        int k = ctor_named(t, text, len);
        if (k < 0 || t->ctors[k].payload->count)
            return false;
        value_zero(region, t, out);
        out->i = k;
        return true;
    }
    bool is_true = len == 4 && !strncasecmp(text, "true", 4);
    if (t->kind == GACT_BOOL && (is_true || (len == 5 && !strncasecmp(text, "false", 5)))) {
        out->u = is_true;
        return true;
    }
    if (kind_is_float(t->kind) && !len) {
        *out = scalar_of_float(t->kind, NAN);
        return true;
    }
    return special_scalar(text, len, t->kind, out) ||
           (number_parse(text, len, &n) && number_to(n, t->kind, out));
}
