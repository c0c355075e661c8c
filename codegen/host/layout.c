/* Slots and columns of types, as lang/image.h defines them. */
#include "emit.h"

bool layout_is_array(const Type *type) {
    return type->kind == TYPE_ARRAY || type->kind == TYPE_STRING;
}

/* The type that stands for a literal's variable, and for a reference. */
static Type *settled(Emit *e, Type *type) {
    while (type->kind == TYPE_VAR && type->solution)
        type = type->solution;
    if (type->kind == TYPE_ACTOR)
        return type_basic(e->m->types, TYPE_U64);
    if (type->kind != TYPE_VAR)
        return type;
    if (type->var == VAR_ANY)
        return type_unit(e->m->types);
    return type_basic(e->m->types, type->var == VAR_INT ? TYPE_I64 : TYPE_F64);
}

int layout_members(const Type *type) {
    return type->kind == TYPE_FNSET || type->kind == TYPE_TYPENAME ? 0 : type->count;
}

static Slot *slots_grow(Emit *e, Layout *l, int n) {
    Slot *all = NEW_ARRAY(e->arena, Slot, l->nslots + n);
    for (int k = 0; k < l->nslots; k++)
        all[k] = l->slots[k];
    l->slots = all;
    l->nslots += n;
    return all + l->nslots - n;
}

static void add_slots_of(Emit *e, Layout *l, Type *type) {
    Layout *part = layout_of(e, type);
    Slot *at = slots_grow(e, l, part->nslots);
    for (int k = 0; k < part->nslots; k++)
        at[k] = part->slots[k];
}

static void add_column(Emit *e, Layout *l, Column col) {
    Column *all = NEW_ARRAY(e->arena, Column, l->ncols + 1);
    for (int k = 0; k < l->ncols; k++)
        all[k] = l->cols[k];
    all[l->ncols++] = col;
    l->cols = all;
}

/* The columns of an array of `elem`, all of level `level`. */
static void add_columns(Emit *e, Layout *l, Type *elem, int level) {
    elem = settled(e, elem);
    if (type_is_product(elem)) {
        for (int k = 0; k < layout_members(elem); k++)
            add_columns(e, l, elem->items[k], level);
    } else if (type_is_sum(elem)) {
        add_column(e, l, (Column){.kind = COL_TAG, .bytes = 1, .level = level});
        for (int c = 0; c < elem->nctors; c++)
            for (int k = 0; k < elem->ctors[c].count; k++)
                add_columns(e, l, elem->ctors[c].items[k], level);
    } else if (layout_is_array(elem)) {
        Layout *inner = layout_of(e, elem);
        int begun = l->nlevels++;
        add_column(e, l, (Column){.kind = COL_OFFSETS, .bytes = 8, .level = level, .inner = begun});
        for (int k = 0; inner->rank > 1 && k < inner->rank; k++)
            add_column(e, l, (Column){.kind = COL_DIM, .bytes = 8, .level = level});
        add_columns(e, l, inner->elem, begun);
    } else {
        add_column(
            e, l,
            (Column){.kind = COL_SCALAR, .type = elem, .bytes = type_bytes(elem), .level = level});
    }
}

static void fill_array(Emit *e, Layout *l, Type *type) {
    l->rank = type->kind == TYPE_STRING ? 1 : type->rank;
    l->elem = type->kind == TYPE_STRING ? type_basic(e->m->types, TYPE_U8) : settled(e, type->elem);
    l->nlevels = 1;
    add_columns(e, l, l->elem, 0);
    l->is_regular = l->nlevels == 1;
    Slot *dims = slots_grow(e, l, l->rank);
    for (int k = 0; k < l->rank; k++)
        dims[k].kind = SLOT_DIM;
    Slot *cols = slots_grow(e, l, 2 * l->ncols);
    for (int k = 0; k < l->ncols; k++) {
        cols[2 * k].kind = SLOT_BUF;
        cols[2 * k + 1].kind = SLOT_DATA;
    }
}

static void fill(Emit *e, Layout *l, Type *type) {
    if (layout_is_array(type)) {
        fill_array(e, l, type);
    } else if (type_is_product(type)) {
        for (int k = 0; k < layout_members(type); k++)
            add_slots_of(e, l, type->items[k]);
    } else if (type_is_sum(type)) {
        slots_grow(e, l, 1)->kind = SLOT_TAG;
        for (int c = 0; c < type->nctors; c++)
            for (int k = 0; k < type->ctors[c].count; k++)
                add_slots_of(e, l, type->ctors[c].items[k]);
    } else {
        *slots_grow(e, l, 1) = (Slot){SLOT_SCALAR, type};
    }
}

Layout *layout_of(Emit *e, Type *type) {
    type = settled(e, type);
    while (e->layouts.len <= (int)type->id)
        vec_push(e->arena, &e->layouts, NULL);
    Layout *l = e->layouts.at[type->id];
    if (l)
        return l;
    l = NEW(e->arena, Layout);
    l->type = type;
    fill(e, l, type);
    e->layouts.at[type->id] = l;
    return l;
}

LLVMTypeRef layout_slot_type(Emit *e, const Slot *slot) {
    switch (slot->kind) {
    case SLOT_SCALAR: return scalar_type(&e->scalar, slot->type, 1);
    case SLOT_TAG:
    case SLOT_DIM: return e->i64;
    case SLOT_BUF:
    case SLOT_DATA: return e->ptr;
    }
    UNREACHABLE();
}

LLVMTypeRef layout_col_type(Emit *e, const Column *col) {
    switch (col->kind) {
    case COL_SCALAR: return scalar_memory_type(&e->scalar, col->type, 1);
    case COL_TAG: return e->i8;
    case COL_OFFSETS:
    case COL_DIM: return e->i64;
    }
    UNREACHABLE();
}

int layout_member_slot(Emit *e, const Type *product, int k) {
    int at = 0;
    for (int j = 0; j < k; j++)
        at += layout_of(e, product->items[j])->nslots;
    return at;
}

int layout_elem_cols(Emit *e, Type *elem) {
    elem = settled(e, elem);
    int n = 0;
    if (type_is_product(elem)) {
        for (int k = 0; k < layout_members(elem); k++)
            n += layout_elem_cols(e, elem->items[k]);
        return n;
    }
    if (type_is_sum(elem)) {
        for (int c = 0; c < elem->nctors; c++)
            for (int k = 0; k < elem->ctors[c].count; k++)
                n += layout_elem_cols(e, elem->ctors[c].items[k]);
        return n + 1;
    }
    if (!layout_is_array(elem))
        return 1;
    Layout *inner = layout_of(e, elem);
    return 1 + (inner->rank > 1 ? inner->rank : 0) + inner->ncols;
}

int layout_member_col(Emit *e, Type *product, int k) {
    int at = 0;
    for (int j = 0; j < k; j++)
        at += layout_elem_cols(e, product->items[j]);
    return at;
}

int layout_payload_slot(Emit *e, const Type *sum, int c, int k) {
    int at = 1;
    for (int j = 0; j <= c; j++)
        for (int i = 0; i < (j == c ? k : sum->ctors[j].count); i++)
            at += layout_of(e, sum->ctors[j].items[i])->nslots;
    return at;
}

int layout_payload_col(Emit *e, const Type *sum, int c, int k) {
    int at = 1;
    for (int j = 0; j <= c; j++)
        for (int i = 0; i < (j == c ? k : sum->ctors[j].count); i++)
            at += layout_elem_cols(e, sum->ctors[j].items[i]);
    return at;
}
