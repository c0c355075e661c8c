/* Constructors of records and sums; columns make an array of records. */
#include "check.h"


static bool place_fields(Checker *ck, Name *names, int count, const Args *args, Name owner,
                         int *at) {
    for (int k = 0; k < count; k++)
        at[k] = -1;
    for (int i = 0; i < args->n; i++) {
        int k = i;
        if (args->names[i])
            for (k = 0; k < count && names[k] != args->names[i]; k++)
                ;
        if (k >= count && args->names[i]) {
            Diag *d = ck_error(ck, DIAG_UNKNOWN_FIELD, args->spans[i], "%s has no field `%s`",
                               owner, args->names[i]);
            VEC(Name) known = {0};
            for (int x = 0; x < count; x++)
                if (names[x])
                    vec_push(ck->arena, &known, names[x]);
            Name near = nearest_name(args->names[i], known.at, known.len);
            if (near)
                diag_help(ck->diags, d, "did you mean `%s`?", near);
            return false;
        }
        if (k >= count || at[k] >= 0)
            break;
        at[k] = i;
    }
    for (int k = 0; k < count; k++)
        if (at[k] < 0 || args->n != count) {
            Buf missing = {.arena = ck->arena};
            for (int x = 0; x < count; x++)
                if (at[x] < 0)
                    buf_printf(&missing, "%s%s", missing.len ? ", " : "",
                               names[x] ? names[x] : "a value");
            Diag *d = ck_error(ck, DIAG_ARGUMENTS, args->span, "%s takes %d value%s, not %d", owner,
                               count, count == 1 ? "" : "s", args->n);
            if (missing.len)
                diag_note(ck->diags, d, "missing: %s", buf_text(&missing));
            return false;
        }
    return true;
}

typedef struct {
    const Decl *decl;
    int ctor;
    Args *args;
} ConstructLift;

static Val lifted_construct(Checker *ck, Val *vals, int n, void *ctx) {
    ConstructLift *l = ctx;
    Args args = *l->args;
    args.vals = vals;
    args.n = n;
    return construct(ck, l->decl, l->ctor, &args);
}

/* Arrays where the fields are scalars: an array of records from its columns. */
static bool wants_columns(Checker *ck, Type **items, int count, const Args *args, const int *at) {
    bool any = false;
    for (int k = 0; k < count; k++) {
        Type *field = type_resolve(ck->ts, items[k]), *arg = type_of(ck, args->vals[at[k]]);
        bool flat = type_is_flat(field) && field->kind != TYPE_VAR;
        any |= flat && arg->kind == TYPE_ARRAY;
    }
    return any;
}

/* A field []T of which nothing is known yet, given a matrix: T is the type of its rows. */
static void rows_for_field(Checker *ck, Type *field, Type *arg) {
    field = type_resolve(ck->ts, field);
    if (field->kind != TYPE_ARRAY || field->rank != 1 || arg->kind != TYPE_ARRAY || arg->rank < 2)
        return;
    Type *elem = type_resolve(ck->ts, field->elem);
    if (elem->kind == TYPE_VAR && elem->var == VAR_ANY)
        type_unify(ck->ts, elem, element_type(ck, arg));
}

Val construct(Checker *ck, const Decl *decl, int ctor, Args *args) {
    const NameList *params = &decl->type.params;
    Type **targs = NEW_ARRAY(ck->arena, Type *, params->len + 1);
    for (int i = 0; i < params->len; i++)
        targs[i] = literal_var(ck, VAR_ANY, args->span);
    Type *type = nominal_instance(ck, decl, targs, params->len);
    bool sum = decl->type.kind == TYPEDEF_SUM;
    Type **items = sum ? type->ctors[ctor].items : type->items;
    Name *names = sum ? type->ctors[ctor].names : type->names;
    int count = sum ? type->ctors[ctor].count : type->count;
    Name owner = sum ? type->ctors[ctor].name : decl->name;
    int *at = NEW_ARRAY(ck->arena, int, count + 1);
    if (!place_fields(ck, names, count, args, owner, at))
        return val_poison(ck);
    for (int i = 0; i < args->n; i++)
        if (is_poison(ck, args->vals[i]))
            return val_poison(ck);
    if (!sum && wants_columns(ck, items, count, args, at)) {
        ConstructLift l = {decl, ctor, args};
        return lift(ck, lifted_construct, args->vals, args->spans, args->n, &l, args->span);
    }
    IrId *ids = NEW_ARRAY(ck->arena, IrId, count + 1);
    for (int k = 0; k < count; k++) {
        const char *what = names[k] ? arena_printf(ck->arena, "field `%s` of %s", names[k], owner)
                                    : arena_printf(ck->arena, "value %d of %s", k + 1, owner);
        rows_for_field(ck, items[k], type_of(ck, args->vals[at[k]]));
        Val v = coerce(ck, args->vals[at[k]], items[k], args->spans[at[k]], what);
        if (is_poison(ck, v))
            return v;
        ids[k] = v.id;
    }
    type = type_resolve(ck->ts, type);
    return val(type, sum ? ir_variant(&ck->b, type, ctor, ids, count)
                         : ir_tuple(&ck->b, type, ids, count));
}
