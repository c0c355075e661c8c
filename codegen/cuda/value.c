/* Names, types and expressions of CUDA text, and the arguments that a kernel takes from outside. */
#include "text.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The column of lang/ops.def. */
static const char *const op_texts[IR_KIND_COUNT] = {
#define OP(id, name, arity, result, flags, cuda, llvm, doc) [IR_##id] = cuda,
#include "../../lang/ops.def"
};

void cu_no(Cu *cu, Span where, const char *fmt, ...) {
    if (cu->out->why)
        return;
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    cu->out->why = arena_printf(cu->arena, "%s", text);
    cu->out->where = where;
}

void cu_from(Cu *cu, Span span) {
    Source *source = span.from ? source_at(cu->e->m->sources, span.from) : NULL;
    int column;
    if (!source)
        return;
    cu->source = source;
    source_locate(source, span.from, &cu->line, &column);
}

/* Of the library's code only the file is told, as one function's statements come from many lines. */
static void tell_line(Cu *cu) {
    bool is_library = cu->source && cu->source->path[0] == '<';
    if (!cu->source || (cu->source == cu->told && (is_library || cu->line == cu->told_line)))
        return;
    cu->told = cu->source;
    cu->told_line = cu->line;
    buf_printf(cu->code, "#line %d \"%s\"\n", cu->line, cu->source->path);
}

void cu_line(Cu *cu, const char *fmt, ...) {
    tell_line(cu);
    for (int k = 0; k < cu->indent; k++)
        buf_puts(cu->code, "    ");
    char text[512];
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < (int)sizeof text) {
        buf_add(cu->code, text, (size_t)n);
    } else {
        char *all = arena_alloc(cu->arena, (size_t)n + 1);
        vsnprintf(all, (size_t)n + 1, fmt, again);
        buf_add(cu->code, all, (size_t)n);
    }
    va_end(again);
    buf_puts(cu->code, "\n");
}

const char **cu_slots(Cu *cu, int n) {
    return NEW_ARRAY(cu->arena, const char *, n + 1);
}

Layout *cu_layout(Cu *cu, IrId id) {
    return layout_of(cu->e, ir_op(cu->ir, id)->type);
}

/* ---- types ---- */

/* What the prelude calls a scalar type; a stamp and a duration are numbers there. */
static const char *kind_type(TypeKind kind) {
    static const char *const names[] = {
#define TYPE(id, spelling, bytes, flags, doc) [TYPE_##id] = spelling,
#include "../../lang/types.def"
    };
    if (kind == TYPE_HLC || kind == TYPE_DURATION)
        return kind == TYPE_HLC ? "u64" : "i64";
    return (int)kind < ARRAY_LEN(names) && kind != TYPE_STRING ? names[kind] : NULL;
}

const char *cu_type(Cu *cu, const Type *type) {
    const char *text = kind_type(type->kind == TYPE_ACTOR ? TYPE_U64 : type->kind);
    if (!text) {
        cu_no(cu, (Span){0}, "it uses values of a type that only the host has");
        return "i64";
    }
    return text;
}

const char *cu_slot_type(Cu *cu, const Slot *slot) {
    return slot->kind == SLOT_SCALAR ? cu_type(cu, slot->type) : "i64";
}

const char *cu_col_type(Cu *cu, const Column *col) {
    switch (col->kind) {
    case COL_SCALAR: return cu_type(cu, col->type);
    case COL_TAG: return "u8";
    case COL_OFFSETS:
    case COL_DIM: break;
    }
    return "i64";
}

static void add_types(Cu *cu, Type *type, const char ***out) {
    Layout *l = layout_of(cu->e, type);
    type = l->type;
    if (layout_is_array(type)) {
        for (int k = 0; k < l->rank; k++)
            *(*out)++ = "i64";
        for (int k = 0; k < l->ncols; k++) {
            *(*out)++ = NULL;
            *(*out)++ = arena_printf(cu->arena, "const %s *", cu_col_type(cu, &l->cols[k]));
        }
    } else if (type_is_product(type)) {
        for (int k = 0; k < layout_members(type); k++)
            add_types(cu, type->items[k], out);
    } else {
        *(*out)++ = type_is_sum(type) ? "i64" : cu_type(cu, type);
        for (int i = 0; type_is_sum(type) && i < type->nctors; i++)
            for (int k = 0; k < type->ctors[i].count; k++)
                add_types(cu, type->ctors[i].items[k], out);
    }
}

const char **cu_types(Cu *cu, const Layout *l) {
    const char **types = cu_slots(cu, l->nslots), **at = types;
    add_types(cu, l->type, &at);
    return types;
}

const char **cu_nothing(Cu *cu, const Layout *l) {
    const char **s = cu_slots(cu, l->nslots), **types = cu_types(cu, l);
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_SCALAR)
            s[k] = cu_const(cu, l->slots[k].type, 0);
        else if (types[k])
            s[k] = arena_printf(cu->arena, "(%s)0", types[k]);
    return s;
}

static const char *float_text(Cu *cu, double value, bool is_double) {
    char text[64];
    snprintf(text, sizeof text, is_double ? "%.17g" : "%.9g", value);
    bool is_whole = !strpbrk(text, ".e");
    return arena_printf(cu->arena, "%s%s%s", text, is_whole ? ".0" : "", is_double ? "" : "f");
}

const char *cu_const(Cu *cu, const Type *type, int64_t bits) {
    Arena *arena = cu->arena;
    switch ((int)type->kind) {
    case TYPE_BOOL: return bits & 1 ? "true" : "false";
    case TYPE_F16:
    case TYPE_BF16:
        return arena_printf(arena, "gx_bits<%s>((u16)0x%04x)", cu_type(cu, type), (unsigned)bits & 0xffff);
    case TYPE_F32:
    case TYPE_F64: {
        bool is_double = type->kind == TYPE_F64;
        double value = ir_float_value(type->kind, bits);
        if (isfinite(value))
            return float_text(cu, value, is_double);
        if (is_double)
            return arena_printf(arena, "gx_bits<f64>((u64)0x%016llxull)", (unsigned long long)bits);
        return arena_printf(arena, "gx_bits<f32>((u32)0x%08xu)", (unsigned)bits);
    }
    case TYPE_U64:
    case TYPE_HLC: return arena_printf(arena, "%lluull", (unsigned long long)bits);
    case TYPE_U32: return arena_printf(arena, "%uu", (unsigned)bits);
    case TYPE_I64:
    case TYPE_DURATION:
        if (bits == INT64_MIN)
            return "(i64)(-0x7fffffffffffffffll - 1)";
        return arena_printf(arena, bits == (int32_t)bits ? "(i64)%lld" : "%lldll", (long long)bits);
    case TYPE_I32:
        return (int32_t)bits == INT32_MIN ? "(-0x7fffffff - 1)"
                                          : arena_printf(arena, "%d", (int)bits);
    case TYPE_U8: return arena_printf(arena, "(u8)%u", (unsigned)bits & 0xff);
    case TYPE_U16: return arena_printf(arena, "(u16)%u", (unsigned)bits & 0xffff);
    default: return arena_printf(arena, "(%s)%lld", cu_type(cu, type), (long long)bits);
    }
}

/* ---- names ---- */

static bool is_taken(const char *name) {
    static const char *const words[] = {
        "a",      "auto",   "bool",   "break",    "case",     "char",    "class",   "const",
        "delete", "do",     "double", "else",     "enum",     "explicit", "export", "extern",
        "false",  "float",  "for",    "friend",   "goto",     "if",      "inline",  "int",
        "long",   "mutable", "namespace", "new",  "operator", "private", "protected", "public",
        "register", "return", "short", "signed",  "sizeof",   "static",  "struct",  "switch",
        "template", "this",  "throw", "true",     "try",      "typedef", "typename", "union",
        "unsigned", "using", "virtual", "void",   "volatile", "while",   "and",     "or",
        "not",    "xor",    "asm",    "catch",    "default",  "continue", "i8",      "i16",
        "i32",    "i64",    "u8",    "u16",       "u32",      "u64",     "f16",     "bf16",
        "f32",    "f64"};
    for (int k = 0; k < ARRAY_LEN(words); k++)
        if (!strcmp(words[k], name))
            return true;
    return false;
}

/* A name as C++ takes it. */
static const char *plain(Cu *cu, const char *name) {
    char text[48];
    size_t n = 0;
    for (; *name && n + 1 < sizeof text; name++) {
        if (isalnum((unsigned char)*name) && (n > 0 || !isdigit((unsigned char)*name)))
            text[n++] = *name;
        else if (n > 0 && text[n - 1] != '_')
            text[n++] = '_';
    }
    while (n > 0 && text[n - 1] == '_')
        n--;
    text[n] = 0;
    return arena_printf(cu->arena, "%s", n ? text : "v");
}

const char *cu_name(Cu *cu, const char *base) {
    const char *name;
    do
        name = arena_printf(cu->arena, "%s%d", base, ++cu->counter);
    while (is_taken(name));
    return name;
}

/* What the program calls a value: the binding it was made for, or the input it is. */
const char *cu_source_name(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *body = cu->ir->body;
    for (int e = 0; op->kind == IR_PARAM && e < cu->e->m->entries.len; e++) {
        const IrEntry *entry = cu->e->m->entries.at[e];
        for (int k = 1; entry->func == cu->ir && k < body->params.len && k <= entry->ninputs; k++)
            if (body->params.at[k] == id)
                return plain(cu, entry->inputs[k - 1].name);
    }
    if (op->kind == IR_DIM || op->kind == IR_GET || op->kind == IR_RESHAPE || op->kind == IR_INDEX)
        return cu_source_name(cu, op->args[0]);
    return op->node ? plain(cu, cu->ir->nodes.at[op->node].name) : "v";
}

const char *cu_element_name(Cu *cu, IrId array) { /* with an underscore no other name of ours has */
    return cu->inner[array] ? "v" : arena_printf(cu->arena, "%s_", cu_source_name(cu, array));
}

/* ---- arguments ---- */

int cu_add_word(Cu *cu, CudaWord word) {
    for (int k = 0; k < cu->out->words.len; k++) {
        const CudaWord *w = &cu->out->words.at[k];
        if (w->kind == word.kind && w->id == word.id && w->slot == word.slot && w->sink == word.sink)
            return k;
    }
    vec_push(cu->arena, &cu->out->words, word);
    return cu->out->words.len - 1;
}

int cu_word(Cu *cu, CudaWordKind kind, IrId id, int slot, int sink) {
    return cu_add_word(cu, (CudaWord){.kind = kind, .id = id, .slot = slot, .sink = sink});
}

/* A base name that no field has yet. */
static const char *field_name(Cu *cu, const char *base) {
    const char *name = is_taken(base) ? arena_printf(cu->arena, "%s_", base) : base;
    const char *fields = buf_text(&cu->fields);
    for (int k = 2; strstr(fields, arena_printf(cu->arena, " %s;", name)) ||
                    strstr(fields, arena_printf(cu->arena, "*%s;", name));
         k++)
        name = arena_printf(cu->arena, "%s_%d", base, k);
    return name;
}

const char *cu_field(Cu *cu, const char *type, const char *base, GactDeviceArg arg) {
    const char *name = field_name(cu, base);
    bool is_pointer = type[strlen(type) - 1] == '*';
    buf_printf(&cu->fields, "    GX_ARG %s%s%s;\n", type, is_pointer ? "" : " ", name);
    const char *text = arena_printf(cu->arena, "a.%s", name);
    vec_push(cu->arena, &cu->out->args, arg);
    vec_push(cu->arena, &cu->out->fields, text);
    return text;
}

const char *cu_word_field(Cu *cu, const char *base, const char *type, CudaWordKind kind, IrId id,
                          int slot, int sink) {
    int at = cu_word(cu, kind, id, slot, sink);
    return cu_field(cu, type, base, (GactDeviceArg){.kind = GACT_ARG_WORD, .at = at});
}

bool cuda_can_say(const IrOp *op) {
    bool is_wide = op->type->kind == TYPE_BOOL || type_bytes(op->type) >= 4; /* C++ computes so */
    for (int k = 0; k < op->nargs; k++)
        is_wide &= op->args[k] != IR_NONE;
    return is_wide && *op_texts[op->kind];
}

/* The text of what the host does not know yet: a word of the device's memory, or an op that was put off. */
static const char *later_text(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const char *args[3];
    IrId kernel;
    int result;
    if (later_word(cu->k->f, id, &kernel, &result)) {
        GactDeviceArg arg = {.kind = GACT_ARG_LATER, .at = cu_word(cu, WORD_LATER, kernel, result, -1)};
        return arena_printf(cu->arena, "gx_of_word<%s>(*%s)", cu_type(cu, op->type),
                            cu_field(cu, "const u64 *", cu_source_name(cu, id), arg));
    }
    for (int k = 0; k < op->nargs; k++)
        args[k] = arena_printf(cu->arena, "(%s)", cu_scalar(cu, op->args[k]));
    return arena_printf(cu->arena, "(%s)(%s)", cu_type(cu, op->type),
                        cu_expression(cu, op->kind, op->type, args));
}

/* An array of a value from outside, whose first slot is number `at` of it. */
typedef struct {
    IrId id;
    int at;
    const char *base;
} Capture;

/* One of its columns. lists: by level, 1 more than the number of the argument that has its offsets. */
static const char *array_field(Cu *cu, const Capture *c, const Layout *l, int col, int *lists) {
    int slot = c->at + layout_col_slot(l, col);
    vec_push(cu->arena, &cu->out->words, (CudaWord){WORD_SLOT, c->id, slot, -1, NULL});
    vec_push(cu->arena, &cu->out->words, (CudaWord){WORD_SLOT, c->id, slot + 1, -1, NULL});
    int at = cu->out->words.len - 2;
    CudaWord count = {WORD_COUNT, c->id, c->at, -1, l};
    GactDeviceArg arg = {.kind = GACT_ARG_IN,
                         .at = at,
                         .count = cu_add_word(cu, count),
                         .bytes = l->cols[col].bytes,
                         .unit = l->cols[col].level ? lists[l->cols[col].level] : 0,
                         .one_more = l->cols[col].kind == COL_OFFSETS};
    if (l->cols[col].kind == COL_OFFSETS)
        lists[l->cols[col].inner] = cu->out->args.len + 1;
    const char *base = c->base;
    if (l->ncols > 1)
        base = arena_printf(cu->arena, "%s_%d", base, col);
    const char *type = cu_col_type(cu, &l->cols[col]);
    return cu_field(cu, arena_printf(cu->arena, "const %s *", type), base, arg);
}

static void capture_slot(Cu *cu, Capture *c, const Layout *whole, const char *name, const char **s) {
    s[c->at] = cu_word_field(cu, name, cu_slot_type(cu, &whole->slots[c->at]), WORD_SLOT, c->id, c->at, -1);
    c->at++;
}

/* The columns first, as the members of a struct that is read from start to end. */
static void capture_array(Cu *cu, Capture *c, const Layout *whole, const Layout *l, const char **s) {
    int *lists = NEW_ARRAY(cu->arena, int, l->nlevels + 1), end = c->at + l->nslots;
    for (int k = 0; !cu->out->why && k < l->ncols; k++)
        s[c->at + layout_col_slot(l, k) + 1] = array_field(cu, c, l, k, lists);
    for (int k = 0; !cu->out->why && k < l->rank; k++)
        capture_slot(cu, c, whole, arena_printf(cu->arena, "%s_n%d", c->base, k), s);
    c->at = end;
}

static void capture_parts(Cu *cu, Capture *c, const Layout *whole, Type *type, const char **s) {
    Layout *l = layout_of(cu->e, type);
    type = l->type;
    if (layout_is_array(type)) {
        capture_array(cu, c, whole, l, s);
    } else if (type_is_product(type)) {
        for (int k = 0; k < layout_members(type); k++)
            capture_parts(cu, c, whole, type->items[k], s);
    } else {
        const char *name = whole->nslots > 1 ? arena_printf(cu->arena, "%s_%d", c->base, c->at) : c->base;
        capture_slot(cu, c, whole, name, s);
        for (int i = 0; type_is_sum(type) && i < type->nctors; i++)
            for (int k = 0; k < type->ctors[i].count; k++)
                capture_parts(cu, c, whole, type->ctors[i].items[k], s);
    }
}

/* Takes a value from outside as arguments; a constant is written out. */
static void capture(Cu *cu, IrId id) {
    Layout *l = cu_layout(cu, id);
    const IrOp *op = ir_op(cu->ir, id);
    const char **s = cu_slots(cu, l->nslots);
    Capture c = {.id = id, .base = cu_source_name(cu, id)};
    if (op->kind == IR_CONST)
        s[0] = cu_const(cu, l->type, op->imm);
    else if (cu->ir == cu->k->f->ir && later_is(cu->k->f, id))
        s[0] = later_text(cu, id);
    else
        capture_parts(cu, &c, l, l->type, s);
    cu_set(cu, id, s, l->nslots);
}

Text *cu_value(Cu *cu, IrId id) {
    Text *v = &cu->values[id];
    if (!v->s && !cu->inner[id])
        capture(cu, id);
    if (!v->s)
        cu_no(cu, ir_op(cu->ir, id)->span, "it uses a value that only the host has");
    return v;
}

const char *cu_scalar(Cu *cu, IrId id) {
    Text *v = cu_value(cu, id);
    return v->s && v->s[0] ? v->s[0] : "0";
}

void cu_set(Cu *cu, IrId id, const char **s, int n) {
    cu->values[id] = (Text){s, n};
}

/* ---- expressions ---- */

/* What an operator of C++ says as well as the prelude's function, or NULL. */
static const char *plain_text(IrKind kind, const Type *type) {
    if (type->kind == TYPE_BOOL && kind != IR_SELECT)
        return kind == IR_BITAND ? "%0 && %1" : kind == IR_BITOR ? "%0 || %1" : kind == IR_BITNOT ? "!%0" : NULL;
    bool is_float = type->kind == TYPE_F32 || type->kind == TYPE_F64;
    bool is_whole = type->kind == TYPE_U32 || type->kind == TYPE_U64; /* signed ones may not overflow */
    if (!is_float && !is_whole)
        return NULL;
    switch ((int)kind) {
    case IR_ADD: return "%0 + %1";
    case IR_SUB: return "%0 - %1";
    case IR_MUL: return "%0 * %1";
    case IR_DIV: return is_float ? "%0 / %1" : NULL;
    case IR_NEG: return is_float ? "-%0" : NULL;
    default: return NULL;
    }
}

const char *cu_bare(Cu *cu, const char *s) {
    size_t n = strlen(s);
    int depth = 0;
    if (*s != '(')
        return s;
    for (size_t k = 0; k + 1 < n; k++) {
        depth += (s[k] == '(') - (s[k] == ')');
        if (depth == 0)
            return s;
    }
    return arena_printf(cu->arena, "%.*s", (int)n - 2, s + 1);
}

/* A whole number as C++ has it where it is compared: without the cast in front. */
static const char *number(const char *s) {
    const char *digits = *s == '(' ? strchr(s, ')') : NULL;
    if (!digits || strspn(s + 1, "iu0123456789") != (size_t)(digits - s - 1))
        return s;
    digits++;
    size_t sign = *digits == '-';
    return digits[sign] && strspn(digits + sign, "0123456789") == strlen(digits + sign) ? digits : s;
}

const char *cu_expression(Cu *cu, IrKind kind, const Type *type, const char *const *args) {
    Buf text = {.arena = cu->arena};
    bool compares = kind == IR_EQ || kind == IR_NE || kind == IR_LT || kind == IR_LE || kind == IR_GT || kind == IR_GE;
    const char *all = plain_text(kind, type) ? plain_text(kind, type) : op_texts[kind], *t = all;
    assert(t);
    for (; *t; t++) {
        if (*t == '%') {
            const char *arg = args[t[1] - '0'];
            bool is_arg = t > all && strchr("( ", t[-1]) && strchr(",)", t[2]) && (t[-1] == '(' || t[-2] == ',');
            buf_puts(&text, compares ? number(arg) : is_arg && t[2] ? cu_bare(cu, arg) : arg);
            t++;
        } else if (*t == '$') {
            buf_puts(&text, cu_type(cu, type));
            t++;
        } else {
            buf_add(&text, t, 1);
        }
    }
    return buf_text(&text);
}

/* Does it stand for itself in an expression? */
static bool is_simple(const char *s) {
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && *s != '_' && *s != '.')
            return false;
    return true;
}

/* Is it one call, which needs no parentheses? */
static bool is_call(const char *s) {
    int depth = 0;
    while (isalnum((unsigned char)*s) || *s == '_' || *s == '<' || *s == '>')
        s++;
    if (*s != '(')
        return false;
    for (; *s; s++) {
        depth += (*s == '(') - (*s == ')');
        if (depth == 0)
            return s[1] == 0;
    }
    return false;
}

const char *cu_keep(Cu *cu, IrId id, const char *type, const char *expression) {
    enum { LONG = 90 };
    if (is_simple(expression))
        return expression;
    bool is_narrow = !strcmp(type, "i8") || !strcmp(type, "u8") || !strcmp(type, "i16") ||
                     !strcmp(type, "u16"); /* C++ would compute in int */
    if (cu->uses[id] == 1 && strlen(expression) < LONG && !is_narrow)
        return is_call(expression) ? expression : arena_printf(cu->arena, "(%s)", expression);
    const char *name = cu_name(cu, "v");
    cu_line(cu, "const %s %s = %s%s%s%s;", type, name, is_narrow ? "(" : "", is_narrow ? type : "",
            is_narrow ? ")" : "", is_narrow ? arena_printf(cu->arena, "(%s)", expression) : expression);
    return name;
}

/* ---- structs ---- */

const char *cu_struct(Cu *cu, const Layout *l) {
    if (l->nslots == 1)
        return cu_slot_type(cu, &l->slots[0]);
    Buf name = {.arena = cu->arena}, body = {.arena = cu->arena};
    const char **types = cu_types(cu, l);
    buf_puts(&name, "gx");
    for (int k = 0; k < l->nslots; k++) {
        if (!types[k])
            continue;
        bool is_data = l->slots[k].kind == SLOT_DATA; /* "const f32 *" */
        if (is_data)
            buf_printf(&name, "_p%.*s", (int)strlen(types[k]) - 8, types[k] + 6);
        else
            buf_printf(&name, "_%s", types[k]);
        buf_printf(&body, "    GX_ARG %s%ss%d;\n", types[k], is_data ? "" : " ", k);
    }
    const char *text = buf_text(&name);
    for (int k = 0; k < cu->functions.len; k++)
        if (!strcmp(cu->functions.at[k], text))
            return text;
    vec_push(cu->arena, &cu->functions, text);
    buf_printf(&cu->types, "#ifndef GX_HAS_%s\n#define GX_HAS_%s\nstruct %s {\n%s};\n#endif\n\n", text,
               text, text, body.len ? buf_text(&body) : "");
    return text;
}

const char *cu_member(Cu *cu, const Layout *l, const char *variable, int k) {
    if (l->slots[k].kind == SLOT_BUF)
        return NULL;
    return l->nslots == 1 ? variable : arena_printf(cu->arena, "%s.s%d", variable, k);
}

const char *cu_make(Cu *cu, const Layout *l, const char *const *s) {
    if (l->nslots == 1)
        return s[0];
    Buf text = {.arena = cu->arena};
    buf_printf(&text, "%s{", cu_struct(cu, l));
    for (int k = 0, n = 0; k < l->nslots; k++)
        if (l->slots[k].kind != SLOT_BUF)
            buf_printf(&text, "%s%s", n++ ? ", " : "", s[k]);
    buf_puts(&text, "}");
    return buf_text(&text);
}
