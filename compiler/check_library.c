/* Functions of the library that a pass asks for: checked when everything else has been, so that only
   programs that need one pay for it. */
#include "check.h"

/* The function of a name in a module whose parameters all have written types. */
static const Decl *find_function(Checker *ck, Module *m, const char *name) {
    Scope *s = scope_of(ck, m);
    Name wanted = ck_name(ck, name);
    for (int i = 0; i < s->decls.len; i++)
        if (s->decls.at[i]->kind == DECL_FN && s->decls.at[i]->name == wanted)
            return s->decls.at[i];
    return NULL;
}

static IrFunc *check_function(Checker *ck, const Decl *d) {
    IrModule *m = ck->c->ir;
    IrFunc *func = ir_func_new(m, d->name, d->span);
    root_begin(ck);
    ck->b = (IrBuilder){.module = m, .func = func, .region = func->body, .span = d->span};
    FnCtx ctx = {.what = "fn", .module = d->module, .returned = -1, .retval = -1, .brk = -1,
                 .cont = -1};
    ck->fn = &ctx;
    Args args = args_make(ck, d->fn.params.len, d->name_span);
    for (int k = 0; k < args.n; k++) {
        Type *type = eval_type(ck, d->fn.params.at[k].type);
        args.vals[k] = val(type, ir_param(func, func->body, type));
    }
    Val v = inline_decl(ck, d, &args, NULL);
    vec_push(ck->arena, &func->body->results, v.id);
    func->result = v.type;
    root_end(ck);
    return func;
}

IrFunc *check_library_function(Compiler *c, Module *m, const char *name) {
    Checker *ck = NEW(c->arena, Checker);
    *ck = (Checker){.c = c, .arena = c->arena, .ts = c->types, .diags = &c->diags};
    const Decl *d = find_function(ck, m, name);
    if (!d)
        return NULL;
    int first = c->ir->funcs.len;
    IrFunc *func = check_function(ck, d);
    for (int i = first; i < c->ir->funcs.len; i++)
        ir_settle_func(c->ir, c->ir->funcs.at[i]);
    return c->diags.errors ? NULL : func;
}
