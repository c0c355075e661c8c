/* The form of a dag for many instances (--each=DAG:x,y). It is a dag of its own, written as a tree
   that nobody typed: the inputs that differ get one more axis in front, and the body is a
   comprehension over the instances that calls the dag,

       dag DAG(x: [instances, n]f32, rate: f32) {
         let results = [DAG(x[i], rate) for i in 0..instances]
         return (a = [r.a for r in results], b = [r.b for r in results])
       }

   So kernels over instances are made as any others are. All instances have one shape; which ones
   have, and what becomes of faults, is the runtime's affair (runtime/batch_many.c). */
#include "check.h"

#include <string.h>

typedef struct {
    Checker *ck;
    const Decl *dag;
    Span span;         /* of every node */
    const char *names; /* the inputs that differ, with commas between them */
    Name count, index; /* no program can write these names */
} Each;

/* ---- nodes ---- */

static Expr *expr_new(const Each *e, Expr value) {
    Expr *x = NEW(e->ck->arena, Expr);
    *x = value;
    x->span = e->span;
    return x;
}

static Expr *name_new(const Each *e, Name name) {
    return expr_new(e, (Expr){.kind = EXPR_NAME, .name = name});
}

static Pattern *pattern_new(const Each *e, Name name) {
    Pattern *p = NEW(e->ck->arena, Pattern);
    *p = (Pattern){.kind = PAT_NAME, .span = e->span, .name = name};
    return p;
}

/* [body for name in source] */
static Expr *list_new(const Each *e, Expr *body, Name name, Expr *source) {
    Expr *x = expr_new(e, (Expr){.kind = EXPR_COMPREHENSION, .comp = {.body = body}});
    vec_push(e->ck->arena, &x->comp.clauses, ((Clause){pattern_new(e, name), source}));
    return x;
}

/* ---- inputs ---- */

static bool differs(const Each *e, Name name) {
    size_t len = strlen(name);
    for (const char *at = e->names; *at;) {
        size_t n = strcspn(at, ",");
        if (n == len && !memcmp(at, name, n))
            return true;
        at += n + (at[n] == ',');
    }
    return false;
}

/* A declared size; one that an input tells which differs is another for each instance, and the call of the
   dag compares it. */
static Expr *size_of_many(const Each *e, Expr *size) {
    const Expr *name = size->kind == EXPR_BINARY ? size->binary.lhs : size;
    bool is_told = name->kind == EXPR_NAME && differs(e, name->name);
    return is_told ? expr_new(e, (Expr){.kind = EXPR_HOLE}) : size;
}

/* The type with one more axis in front. */
static TypeExpr *type_of_many(const Each *e, const TypeExpr *type) {
    TypeExpr *many = NEW(e->ck->arena, TypeExpr);
    *many = (TypeExpr){.kind = TE_ARRAY, .span = e->span};
    vec_push(e->ck->arena, &many->array.dims, name_new(e, e->count));
    if (type->kind != TE_ARRAY) {
        many->array.elem = NEW(e->ck->arena, TypeExpr);
        *many->array.elem = *type;
        return many;
    }
    for (int k = 0; k < type->array.dims.len; k++)
        vec_push(e->ck->arena, &many->array.dims, size_of_many(e, type->array.dims.at[k]));
    many->array.elem = type->array.elem;
    return many;
}

static void add_params(const Each *e, Decl *many) {
    for (int k = 0; k < e->dag->fn.params.len; k++) {
        Param p = e->dag->fn.params.at[k];
        if (differs(e, p.name)) {
            p.type = type_of_many(e, p.type);
            p.init = NULL;
        }
        vec_push(e->ck->arena, &many->fn.params, p);
    }
}

/* DAG(x[i], rate) */
static Expr *instance(const Each *e) {
    Expr *call = expr_new(e, (Expr){.kind = EXPR_CALL, .call = {.fn = name_new(e, e->dag->name)}});
    for (int k = 0; k < e->dag->fn.params.len; k++) {
        Name name = e->dag->fn.params.at[k].name;
        Expr *value = name_new(e, name);
        if (differs(e, name)) {
            value = expr_new(e, (Expr){.kind = EXPR_INDEX, .index = {.base = value}});
            vec_push(e->ck->arena, &value->index.items, name_new(e, e->index));
        }
        vec_push(e->ck->arena, &call->call.args, ((Arg){.value = value}));
    }
    return call;
}

/* ---- outputs ---- */

static Expr *all_instances(const Each *e) {
    Expr *zero = expr_new(e, (Expr){.kind = EXPR_INT});
    Expr *range = expr_new(e, (Expr){.kind = EXPR_RANGE, .range = {zero, name_new(e, e->count)}});
    return list_new(e, instance(e), e->index, range);
}

/* Records of results as a record of lists. */
static Expr *body_of_many(const Each *e, const IrEntry *entry) {
    Arena *arena = e->ck->arena;
    Name results = ck_name(e->ck, "results'"), one = ck_name(e->ck, "result'");
    Expr *block = expr_new(e, (Expr){.kind = EXPR_BLOCK});
    Expr *let = expr_new(e, (Expr){.kind = EXPR_LET});
    Expr *tuple = expr_new(e, (Expr){.kind = EXPR_TUPLE});
    let->let.pattern = pattern_new(e, results);
    let->let.value = all_instances(e);
    for (int k = 0; k < entry->noutputs; k++) {
        Expr *field = expr_new(e, (Expr){.kind = EXPR_FIELD});
        field->field.base = name_new(e, one);
        field->field.name = entry->outputs[k].name;
        field->field.name_span = e->span;
        Expr *list = list_new(e, field, one, name_new(e, results));
        vec_push(arena, &tuple->tuple, ((Arg){entry->outputs[k].name, e->span, list}));
    }
    vec_push(arena, &block->block, let);
    vec_push(arena, &block->block, tuple);
    return block;
}

/* ---- the whole ---- */

/* Why there is no such form, or NULL. */
static const char *refusal(const Each *e) {
    const ParamList *params = &e->dag->fn.params;
    int n = 0;
    if (find_attr(&e->dag->attrs, "host"))
        return "it is pinned to the host";
    for (int k = 0; k < params->len; k++) {
        if (!params->at[k].type || !params->at[k].name)
            return "an input has no type";
        if (params->at[k].name == e->dag->name)
            return "an input has the dag's name";
        n += differs(e, params->at[k].name);
    }
    return n ? NULL : "no input differs";
}

Decl *each_decl(Checker *ck, const Decl *dag, const IrEntry *entry) {
    const char *colon = strchr(ck->c->each, ':');
    Each e = {.ck = ck,
              .dag = dag,
              .span = dag->name_span,
              .names = colon ? colon + 1 : "",
              .count = ck_name(ck, "instances'"),
              .index = ck_name(ck, "instance'")};
    const char *why = refusal(&e);
    if (why) {
        compiler_remark(ck->c, REMARK_PLACE, dag->name_span, "instances run on the host, as %s", why);
        return NULL;
    }
    Decl *many = NEW(ck->arena, Decl);
    *many = (Decl){.kind = DECL_DAG, .span = e.span, .name = dag->name, .name_span = e.span,
                   .module = dag->module, .fn = {.op = OP_COUNT}};
    const Attr *fast = find_attr(&dag->attrs, "fast");
    if (fast)
        vec_push(ck->arena, &many->attrs, *fast);
    add_params(&e, many);
    bool named = entry->func->result->kind == TYPE_TUPLE && entry->func->result->names &&
                 entry->func->result->count;
    many->fn.body = named ? body_of_many(&e, entry) : all_instances(&e);
    return many;
}

bool each_wants(const Checker *ck, const Decl *dag) {
    const char *each = ck->c->each;
    if (!each)
        return false;
    size_t len = strcspn(each, ":");
    return len == 0 || (strlen(dag->name) == len && !memcmp(each, dag->name, len));
}
