/* The values of attributes' arguments: words, counts and durations that are known when compiling. */
#include "check.h"

#include <string.h>

typedef enum { ARG_WORD, ARG_COUNT, ARG_DURATION } ArgKind;

static const struct {
    const char *attr, *arg; /* arg `*`: the positional one */
    ArgKind kind;
    const char *words; /* of a WORD, in the order of their numbers */
} values[] = {
    {"mailbox", "capacity", ARG_COUNT, NULL},
    {"mailbox", "overflow", ARG_WORD, "block drop_oldest drop_newest fault"},
    {"order", "*", ARG_WORD, "arrival causal hlc"},
    {"supervise", "*", ARG_WORD, "stop restart resume escalate"},
    {"supervise", "max", ARG_COUNT, NULL},
    {"supervise", "within", ARG_DURATION, NULL},
    {"persist", "every", ARG_DURATION, NULL},
    {"virtual", "idle", ARG_DURATION, NULL},
    {"batch", "max", ARG_COUNT, NULL},
    {"batch", "within", ARG_DURATION, NULL},
};

static int find_value(const char *attr, const char *arg) {
    for (int i = 0; i < ARRAY_LEN(values); i++)
        if (!strcmp(values[i].attr, attr) && !strcmp(values[i].arg, arg))
            return i;
    return -1;
}

/* The number of a word in a list of words, or -1. */
static int word_number(const char *words, const char *word) {
    size_t len = strlen(word);
    int n = 0;
    for (const char *w = words; *w; n++) {
        size_t this = strcspn(w, " ");
        if (this == len && !strncmp(w, word, len))
            return n;
        w += this + (w[this] == ' ');
    }
    return -1;
}

static void wrong_word(Checker *ck, const char *what, const char *words, const Expr *e) {
    VEC(Name) names = {0};
    Buf list = {.arena = ck->arena};
    for (const char *w = words; *w;) {
        size_t len = strcspn(w, " ");
        vec_push(ck->arena, &names, ck_name(ck, arena_printf(ck->arena, "%.*s", (int)len, w)));
        w += len + (w[len] == ' ');
    }
    for (int i = 0; i < names.len; i++)
        buf_printf(&list, "%s%s", i == 0 ? "" : i == names.len - 1 ? " or " : ", ", names.at[i]);
    Diag *d = ck_error(ck, DIAG_ATTRIBUTE, e->span, "%s is %s", what, buf_text(&list));
    Name near = e->kind == EXPR_NAME ? nearest_name(e->name, names.at, names.len) : NULL;
    if (near)
        diag_help(ck->diags, d, "did you mean `%s`?", near);
}

/* The value of an argument, if it has the right kind. */
static bool read_value(int v, const Expr *e, int64_t *out) {
    switch (values[v].kind) {
    case ARG_WORD:
        *out = e->kind == EXPR_NAME ? word_number(values[v].words, e->name) : -1;
        return *out >= 0;
    case ARG_COUNT:
        *out = e->kind == EXPR_INT ? (int64_t)e->integer.value : 0;
        return *out > 0;
    case ARG_DURATION:
        *out = e->kind == EXPR_DURATION ? e->duration_ns : 0;
        return *out > 0;
    }
    UNREACHABLE();
}

void check_attr_value(Checker *ck, const Attr *a, const Arg *arg) {
    int v = find_value(a->name, arg->name ? arg->name : "*");
    int64_t value;
    if (v < 0 || read_value(v, arg->value, &value))
        return;
    const char *what = arg->name ? arena_printf(ck->arena, "`%s` of @%s", arg->name, a->name)
                                 : arena_printf(ck->arena, "what @%s takes", a->name);
    if (values[v].kind == ARG_WORD)
        wrong_word(ck, what, values[v].words, arg->value);
    else
        ck_error(ck, DIAG_ATTRIBUTE, arg->value->span, "%s is %s", what,
                 values[v].kind == ARG_COUNT ? "a number of at least 1"
                                             : "a duration such as 10ms");
}

int64_t attr_value(const AttrList *attrs, const char *attr, const char *arg, int64_t otherwise) {
    const Attr *a = find_attr(attrs, attr);
    int64_t value = otherwise;
    for (int k = 0; a && k < a->args.len; k++)
        if (!strcmp(a->args.at[k].name ? a->args.at[k].name : "*", arg))
            read_value(find_value(attr, arg), a->args.at[k].value, &value);
    return value;
}
