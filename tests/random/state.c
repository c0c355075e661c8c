/* Text, choices, types and names of the generator. */
#include "generate.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

State st = {.times = 1};

/* The blocks that texts are taken from; each begins with the address of the one before. */
static char *last_block, *arena, *arena_end;
static uint64_t seed;

/* Splitmix64. */
static uint64_t next_random(void) {
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void start_choices(uint64_t from) {
    seed = from;
}

int pick(int n) {
    return (int)(next_random() % (uint64_t)n);
}

bool chance(int percent) {
    return pick(100) < percent;
}

static void *take(size_t size) {
    if ((size_t)(arena_end - arena) < size) {
        size_t block = sizeof last_block + (size > (1u << 20) ? size : 1u << 20);
        char *new_block = malloc(block);
        if (!new_block) {
            abort();
        }
        memcpy(new_block, &last_block, sizeof last_block);
        last_block = new_block;
        arena = new_block + sizeof last_block;
        arena_end = new_block + block;
    }
    void *at = arena;
    arena += size;
    return at;
}

char *text(const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *s = take((size_t)length + 1);
    vsnprintf(s, (size_t)length + 1, format, again);
    va_end(args);
    va_end(again);
    return s;
}

bool is_int(Elem e) {
    return e >= E_I8 && e <= E_U64;
}

bool is_float(Elem e) {
    return e >= E_F16 && e <= E_F64;
}

bool is_signed(Elem e) {
    return (e >= E_I8 && e <= E_I64) || is_float(e);
}

const char *elem_name(Elem e) {
    static const char *const names[E_COUNT] = {
        [E_BOOL] = "bool", [E_I8] = "i8",   [E_I16] = "i16", [E_I32] = "i32", [E_I64] = "i64",
        [E_U8] = "u8",     [E_U16] = "u16", [E_U32] = "u32", [E_U64] = "u64", [E_F16] = "f16",
        [E_BF16] = "bf16", [E_F32] = "f32", [E_F64] = "f64", [E_REC] = "R",   [E_SUM] = "S",
    };
    if (e == E_TUP) {
        return text("(%s, %s)", elem_name(st.shapes.tuple[0]), elem_name(st.shapes.tuple[1]));
    }
    if (e == E_OPT) {
        return text("Option[%s]", elem_name(st.shapes.option));
    }
    return names[e];
}

char *type_name(Type t) {
    if (t.rank == 0) {
        return text("%s", elem_name(t.elem));
    }
    char *dims = text("%s", st.classes[t.dims[0]].size);
    for (int i = 1; i < t.rank; i++) {
        dims = text("%s, %s", dims, st.classes[t.dims[i]].size);
    }
    return text("[%s]%s", dims, elem_name(t.elem));
}

Type scalar(Elem e) {
    return (Type){.elem = e};
}

Type array1(Elem e, int class_id) {
    return (Type){.elem = e, .rank = 1, .dims = {class_id}};
}

Type array2(Elem e, int rows, int columns) {
    return (Type){.elem = e, .rank = 2, .dims = {rows, columns}};
}

int new_class(char *size, int estimate) {
    if (st.class_count == MAX_CLASSES) {
        fprintf(stderr, "generate: too many sizes\n");
        exit(3);
    }
    st.classes[st.class_count] = (SizeClass){.size = size, .estimate = estimate};
    return st.class_count++;
}

char *fresh(const char *prefix) {
    return text("%s%d", prefix, st.next_name++);
}

void declare(char *name, Type t, bool is_var, int bound) {
    if (st.name_count < MAX_NAMES) {
        st.names[st.name_count++] =
            (Name){.name = name, .type = t, .is_var = is_var, .bound = bound};
    }
}

static bool fits(const Name *name, Type t) {
    if (name->type.elem != t.elem || name->type.rank != t.rank) {
        return false;
    }
    for (int i = 0; i < t.rank; i++) {
        if (t.dims[i] != ANY && t.dims[i] != name->type.dims[i]) {
            return false;
        }
    }
    return true;
}

Name *find_name(Type t, bool writable) {
    Name *found = NULL;
    int seen = 0;
    for (int i = writable ? st.floor : 0; i < st.name_count; i++) {
        Name *name = &st.names[i];
        if (fits(name, t) && (!writable || name->is_var) && pick(++seen) == 0) {
            found = name;
        }
    }
    return found;
}

bool enter(double count) {
    enum { LIMIT = 300000 };
    if (st.times * count > LIMIT || st.cost > 20.0 * LIMIT) {
        return false;
    }
    st.times *= count > 1 ? count : 1;
    st.cost += st.times;
    return true;
}

void leave(double count) {
    st.times /= count > 1 ? count : 1;
}

/* The first classes are small numbers. */
int known_class(void) {
    for (int tries = 0; tries < 8 && st.name_count > 0 && chance(80); tries++) {
        const Type *t = &st.names[pick(st.name_count)].type;
        if (t->rank > 0) {
            int class_id = t->dims[pick(t->rank)];
            if (st.classes[class_id].size) {
                return class_id;
            }
        }
    }
    return pick(5);
}
