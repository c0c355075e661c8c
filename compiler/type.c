/* Interning, unification of literals' types, and printing. An interned type never changes, but for
   TYPE_VARs, which are never shared: a type that contains one is a fresh object each time and
   type_resolve gives the interned type once the variable is solved. */
#include "type.h"

#include "ast.h"

#include <string.h>

typedef struct {
    const char *spelling;
    int bytes, flags;
} BasicInfo;

static const BasicInfo basics[] = {
#define TYPE(id, spelling, bytes, flags, doc) [TYPE_##id] = {spelling, bytes, flags},
#include "../lang/types.def"
};
enum { BASIC_COUNT = ARRAY_LEN(basics) };

struct Types {
    Arena *arena;
    NameTable *names;
    Type *basic[TYPE_KIND_COUNT];
    Type **slots; /* open addressing over structure */
    size_t cap, len;
    uint32_t next_id;
    Type *unit;
};

static void count_list(Type *type, Type *const *items, int n) {
    for (int i = 0; i < n && type->parts <= TYPE_MOST_PARTS; i++)
        type->parts += items[i]->parts;
}

void type_count(Type *type) {
    type->parts = 1;
    if (type->items)
        count_list(type, type->items, type->count);
    for (int i = 0; type->ctors && i < type->nctors; i++)
        count_list(type, type->ctors[i].items, type->ctors[i].count);
    if (type->elem)
        count_list(type, &type->elem, 1);
    if (type->parts > TYPE_MOST_PARTS)
        type->parts = TYPE_MOST_PARTS + 1;
}

static Type *fresh(Types *ts, Type proto) {
    Type *type = NEW(ts->arena, Type);
    *type = proto;
    type_count(type);
    type->id = ++ts->next_id;
    return type;
}

Types *types_new(Arena *arena, NameTable *names) {
    Types *ts = NEW(arena, Types);
    *ts = (Types){.arena = arena, .names = names, .cap = 256};
    ts->slots = NEW_ARRAY(arena, Type *, ts->cap);
    for (int kind = 0; kind <= TYPE_POISON; kind++)
        ts->basic[kind] = fresh(ts, (Type){.kind = (TypeKind)kind});
    return ts;
}

Type *type_basic(Types *ts, TypeKind kind) {
    return ts->basic[kind];
}

static uint64_t mix(uint64_t h, uint64_t x) {
    h ^= x + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h * 0xff51afd7ed558ccdu;
}

static uint64_t mix_types(uint64_t h, Type *const *types, int n) {
    for (int i = 0; i < n; i++)
        h = mix(h, types[i]->id);
    return mix(h, (uint64_t)n);
}

static bool is_nominal(const Type *t) {
    return t->kind == TYPE_RECORD || t->kind == TYPE_SUM || t->kind == TYPE_ACTOR;
}

static uint64_t structure_hash(const Type *t) {
    uint64_t h = mix((uint64_t)t->kind, (uintptr_t)t->decl);
    h = mix(mix(h, (uintptr_t)t->code), (uintptr_t)t->code2);
    h = mix_types(h, t->args, t->nargs);
    if (is_nominal(t)) /* its members follow from these, and are filled in later */
        return h;
    h = mix_types(h, t->items, t->count);
    for (int i = 0; t->names && i < t->count; i++)
        h = mix(h, (uintptr_t)t->names[i]);
    for (int i = 0; i < t->nctors; i++)
        h = mix_types(h, t->ctors[i].items, t->ctors[i].count);
    h = mix(h, t->elem ? t->elem->id : 0);
    return mix(h, (uint64_t)t->rank);
}

static bool same_list(Type *const *a, Type *const *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

static bool same_structure(const Type *a, const Type *b) {
    if (a->kind != b->kind || a->decl != b->decl || a->code != b->code || a->code2 != b->code2 ||
        a->nargs != b->nargs || !same_list(a->args, b->args, a->nargs))
        return false;
    if (is_nominal(a))
        return true;
    if (a->count != b->count || a->nctors != b->nctors || a->elem != b->elem ||
        a->rank != b->rank || !a->names != !b->names ||
        !same_list(a->items, b->items, a->count))
        return false;
    for (int i = 0; a->names && i < a->count; i++)
        if (a->names[i] != b->names[i])
            return false;
    for (int i = 0; i < a->nctors; i++)
        if (a->ctors[i].count != b->ctors[i].count ||
            !same_list(a->ctors[i].items, b->ctors[i].items, a->ctors[i].count))
            return false;
    return true;
}

static Type **slot_of(Types *ts, const Type *proto) {
    size_t i = structure_hash(proto) & (ts->cap - 1);
    while (ts->slots[i] && !same_structure(ts->slots[i], proto))
        i = (i + 1) & (ts->cap - 1);
    return &ts->slots[i];
}

static void grow(Types *ts) {
    Type **old = ts->slots;
    size_t cap = ts->cap;
    ts->cap = cap * 2;
    ts->slots = NEW_ARRAY(ts->arena, Type *, ts->cap);
    for (size_t i = 0; i < cap; i++)
        if (old[i])
            *slot_of(ts, old[i]) = old[i];
}

static Type *intern(Types *ts, const Type *proto) {
    if (proto->has_var)
        return fresh(ts, *proto);
    Type **slot = slot_of(ts, proto);
    if (*slot)
        return *slot;
    if (ts->len * 2 >= ts->cap) {
        grow(ts);
        slot = slot_of(ts, proto);
    }
    ts->len++;
    return *slot = fresh(ts, *proto);
}

static Type **copy_types(Types *ts, Type *const *items, int n) {
    if (n == 0)
        return NULL;
    Type **copy = NEW_ARRAY(ts->arena, Type *, n);
    memcpy(copy, items, sizeof *items * (size_t)n);
    return copy;
}

static void note_members(Type *proto, Type *const *items, int n) {
    for (int i = 0; i < n; i++) {
        proto->has_var |= items[i]->has_var;
        proto->has_closure |= items[i]->has_closure;
    }
}

Type *type_tuple(Types *ts, Type **items, Name *names, int count) {
    bool named = false;
    for (int i = 0; names && i < count; i++)
        named |= names[i] != NULL;
    Type proto = {.kind = TYPE_TUPLE, .count = count, .items = copy_types(ts, items, count)};
    if (named) {
        proto.names = NEW_ARRAY(ts->arena, Name, count);
        memcpy(proto.names, names, sizeof *names * (size_t)count);
    }
    note_members(&proto, items, count);
    return intern(ts, &proto);
}

Type *type_unit(Types *ts) {
    if (!ts->unit)
        ts->unit = type_tuple(ts, NULL, NULL, 0);
    return ts->unit;
}

Type *type_array(Types *ts, Type *elem, int rank) {
    Type proto = {.kind = TYPE_ARRAY, .elem = elem, .rank = rank};
    note_members(&proto, &elem, 1);
    return intern(ts, &proto);
}

Type *type_nominal(Types *ts, TypeKind kind, Decl *decl, Type **args, int nargs) {
    Type proto = {.kind = kind, .decl = decl, .nargs = nargs, .args = copy_types(ts, args, nargs)};
    note_members(&proto, args, nargs);
    return intern(ts, &proto);
}

Type *type_closure(Types *ts, const void *code, const void *code2, Type **captured, int count) {
    Type proto = {.kind = TYPE_CLOSURE, .code = code, .code2 = code2, .count = count,
                  .items = copy_types(ts, captured, count)};
    note_members(&proto, captured, count);
    proto.has_closure = true;
    return intern(ts, &proto);
}

Type *type_choice(Types *ts, Type **closures, int count) {
    Type proto = {.kind = TYPE_CHOICE, .nctors = count, .has_closure = true};
    proto.ctors = NEW_ARRAY(ts->arena, TypeCtor, count);
    for (int i = 0; i < count; i++)
        proto.ctors[i] = (TypeCtor){.name = "fn", .items = copy_types(ts, &closures[i], 1),
                                    .names = NEW_ARRAY(ts->arena, Name, 1), .count = 1};
    note_members(&proto, closures, count);
    return intern(ts, &proto);
}

Type *type_fnset(Types *ts, const void *code, const void *code2) {
    Type proto = {.kind = TYPE_FNSET, .code = code, .code2 = code2, .has_closure = true};
    return intern(ts, &proto);
}

Type *type_typename(Types *ts, Type *scalar) {
    Type proto = {.kind = TYPE_TYPENAME, .elem = scalar, .has_closure = true};
    return intern(ts, &proto);
}

Type *type_var(Types *ts, VarKind kind, Span origin) {
    return fresh(ts, (Type){.kind = TYPE_VAR, .var = kind, .origin = origin, .has_var = true});
}

/* The end of a chain of solved variables. */
/* Halves the way as it goes: a chain of literals that take each other's type gets long. */
static Type *find(Type *type) {
    while (type->kind == TYPE_VAR && type->solution) {
        Type *next = type->solution;
        if (next->kind == TYPE_VAR && next->solution)
            type->solution = next->solution;
        type = next;
    }
    return type;
}

static Type **resolve_list(Types *ts, Type **items, int n) {
    Type **out = NEW_ARRAY(ts->arena, Type *, n ? n : 1);
    for (int i = 0; i < n; i++)
        out[i] = type_resolve(ts, items[i]);
    return out;
}

Type *type_resolve(Types *ts, Type *type) {
    type = find(type);
    if (!type->has_var || type->kind == TYPE_VAR)
        return type;
    switch (type->kind) {
    case TYPE_TUPLE:
        return type_tuple(ts, resolve_list(ts, type->items, type->count), type->names, type->count);
    case TYPE_CLOSURE:
        return type_closure(ts, type->code, type->code2,
                            resolve_list(ts, type->items, type->count), type->count);
    case TYPE_ARRAY: {
        Type *elem = type_resolve(ts, type->elem);
        return type_array(ts, elem, type->rank);
    }
    case TYPE_CHOICE: {
        Type **alternatives = NEW_ARRAY(ts->arena, Type *, type->nctors);
        for (int i = 0; i < type->nctors; i++)
            alternatives[i] = type_resolve(ts, type->ctors[i].items[0]);
        return type_choice(ts, alternatives, type->nctors);
    }
    case TYPE_RECORD:
    case TYPE_SUM:
    case TYPE_ACTOR: {
        Type **args = resolve_list(ts, type->args, type->nargs);
        Type *done = type_nominal(ts, type->kind, type->decl, args, type->nargs);
        if (!done->items && !done->ctors) { /* a new instance: members by the same substitution */
            done->count = type->count;
            done->names = type->names;
            done->items = resolve_list(ts, type->items, type->count);
            done->nctors = type->nctors;
            done->ctors = type->nctors ? NEW_ARRAY(ts->arena, TypeCtor, type->nctors) : NULL;
            for (int i = 0; i < type->nctors; i++) {
                done->ctors[i] = type->ctors[i];
                done->ctors[i].items =
                    resolve_list(ts, type->ctors[i].items, type->ctors[i].count);
            }
            for (int i = 0; i < done->count; i++)
                done->has_closure |= done->items[i]->has_closure;
            type_count(done);
        }
        return done;
    }
    default: return type;
    }
}

static bool occurs(Type *var, Type *type) {
    type = find(type);
    if (type == var)
        return true;
    if (!type->has_var)
        return false;
    for (int i = 0; i < type->count; i++)
        if (occurs(var, type->items[i]))
            return true;
    for (int i = 0; i < type->nargs; i++)
        if (occurs(var, type->args[i]))
            return true;
    return type->elem && occurs(var, type->elem);
}

/* Can a literal of this kind have this (other) type? An int literal may become a float. */
static bool var_takes(VarKind kind, const Type *type) {
    switch (kind) {
    case VAR_ANY: return true;
    case VAR_INT: return type_is_number(type);
    case VAR_FLOAT: return type_is_float(type);
    }
    UNREACHABLE();
}

static bool solve(Type *var, Type *type) {
    if (type->kind == TYPE_VAR) { /* the stricter kind stays */
        if (var->var > type->var)
            type->var = var->var;
        var->solution = type;
        return true;
    }
    if (type->kind != TYPE_POISON && (!var_takes(var->var, type) || occurs(var, type)))
        return false;
    var->solution = type;
    return true;
}

static bool unify_lists(Types *ts, Type **a, Type **b, int n) {
    for (int i = 0; i < n; i++)
        if (!type_unify(ts, a[i], b[i]))
            return false;
    return true;
}

static bool same_names(const Type *a, const Type *b) {
    if (!a->names || !b->names)
        return a->names == b->names;
    for (int i = 0; i < a->count; i++)
        if (a->names[i] != b->names[i])
            return false;
    return true;
}

bool type_unify(Types *ts, Type *a, Type *b) {
    a = find(a);
    b = find(b);
    if (a == b || a->kind == TYPE_POISON || b->kind == TYPE_POISON)
        return true;
    if (a->kind == TYPE_VAR)
        return solve(a, b);
    if (b->kind == TYPE_VAR)
        return solve(b, a);
    if (a->kind != b->kind || a->decl != b->decl || a->code != b->code || a->code2 != b->code2 ||
        a->rank != b->rank || a->nargs != b->nargs)
        return false;
    if (!is_nominal(a) && (a->count != b->count || a->nctors != b->nctors))
        return false;
    switch (a->kind) {
    case TYPE_TUPLE:
        if (!same_names(a, b))
            return false;
        return unify_lists(ts, a->items, b->items, a->count);
    case TYPE_CLOSURE: return unify_lists(ts, a->items, b->items, a->count);
    case TYPE_ARRAY: return type_unify(ts, a->elem, b->elem);
    case TYPE_RECORD:
    case TYPE_SUM:
    case TYPE_ACTOR: return unify_lists(ts, a->args, b->args, a->nargs);
    case TYPE_CHOICE:
        for (int i = 0; i < a->nctors; i++)
            if (!type_unify(ts, a->ctors[i].items[0], b->ctors[i].items[0]))
                return false;
        return true;
    case TYPE_FNSET: return true;
    case TYPE_TYPENAME: return a->elem == b->elem;
    default: return true; /* basic types of one kind are one object */
    }
}

static int flags_of(const Type *type) {
    return type->kind < TYPE_POISON ? basics[type->kind].flags : 0;
}

bool type_is_int(const Type *type) {
    return flags_of(type) & TYF_INT;
}

bool type_is_float(const Type *type) {
    return flags_of(type) & TYF_FLOAT;
}

bool type_is_number(const Type *type) {
    return flags_of(type) & (TYF_INT | TYF_FLOAT);
}

bool type_is_scalar(const Type *type) {
    return type->kind < TYPE_POISON && type->kind != TYPE_STRING;
}

bool type_is_signed(const Type *type) {
    return (flags_of(type) & (TYF_SIGNED | TYF_FLOAT)) || type->kind == TYPE_DURATION;
}

int type_bytes(const Type *type) {
    return type->kind < TYPE_POISON ? basics[type->kind].bytes : 0;
}

bool type_is_product(const Type *type) {
    return type->kind == TYPE_TUPLE || type->kind == TYPE_RECORD || type->kind == TYPE_CLOSURE ||
           type->kind == TYPE_FNSET || type->kind == TYPE_TYPENAME;
}

bool type_is_sum(const Type *type) {
    return type->kind == TYPE_SUM || type->kind == TYPE_CHOICE;
}

bool type_is_flat(const Type *type) {
    if (type->kind == TYPE_ARRAY || type->kind == TYPE_STRING)
        return false;
    for (int i = 0; i < type->count; i++)
        if (!type_is_flat(type->items[i]))
            return false;
    for (int i = 0; i < type->nctors; i++)
        for (int k = 0; k < type->ctors[i].count; k++)
            if (!type_is_flat(type->ctors[i].items[k]))
                return false;
    return true;
}

static void print_list(Buf *out, Type *const *items, const Name *names, int n) {
    for (int i = 0; i < n; i++) {
        if (i)
            buf_puts(out, ", ");
        if (names && names[i])
            buf_printf(out, "%s: ", names[i]);
        type_print(out, items[i]);
    }
}

static void print_array(Buf *out, const Type *type) {
    buf_puts(out, "[");
    for (int i = 0; i < type->rank; i++)
        buf_puts(out, i ? ", _" : type->rank > 1 ? "_" : "");
    buf_puts(out, "]");
    type_print(out, type->elem);
}

void type_print(Buf *out, const Type *type) {
    while (type->kind == TYPE_VAR && type->solution)
        type = type->solution;
    switch (type->kind) {
    case TYPE_POISON: buf_puts(out, "?"); return;
    case TYPE_VAR:
        buf_puts(out, type->var == VAR_INT ? "integer literal"
                                           : type->var == VAR_FLOAT ? "float literal" : "_");
        return;
    case TYPE_TUPLE:
        buf_puts(out, "(");
        print_list(out, type->items, type->names, type->count);
        buf_puts(out, ")");
        return;
    case TYPE_RECORD:
    case TYPE_SUM:
    case TYPE_ACTOR:
        buf_puts(out, type->decl && type->decl->name ? type->decl->name : "record");
        if (type->nargs) {
            buf_puts(out, "[");
            print_list(out, type->args, NULL, type->nargs);
            buf_puts(out, "]");
        }
        return;
    case TYPE_ARRAY: print_array(out, type); return;
    case TYPE_CLOSURE: buf_puts(out, "function"); return;
    case TYPE_CHOICE: buf_puts(out, "choice of functions"); return;
    case TYPE_FNSET: buf_puts(out, "function"); return;
    case TYPE_TYPENAME: type_print(out, type->elem); return;
    default: buf_puts(out, basics[type->kind].spelling); return;
    }
}

const char *type_text(Arena *arena, const Type *type) {
    Buf buf = {.arena = arena};
    type_print(&buf, type);
    return buf_text(&buf);
}
