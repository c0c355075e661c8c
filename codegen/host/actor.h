/* Actors in the host back end: how messages and state lie in memory, by lang/image.h, and the code of
   what handlers do. */
#ifndef GACT_ACTOR_EMIT_H
#define GACT_ACTOR_EMIT_H

#include "emit.h"

/* A message in a queue: one struct of its first word, the slots of its values and the words behind. */
typedef struct {
    const IrMessage *message;
    LLVMTypeRef type;
    int *first;               /* of each value, its first member */
    int sender, sent, reply;  /* their members, or 0 */
    int bytes;
    bool holds_buffers, may_fault, waits;
} Envelope;

/* An actor's columns. */
typedef struct {
    const IrActor *actor;
    int column;
    bool *is_read;  /* of each field: some handler looks at it */
    int queued;     /* the column of how many messages wait, if there is a limit; else 0 */
    bool is_steady; /* whoever has a reference finds it alive and ready */
} Columns;

/* Made once for a module with actors. */
typedef struct ActorTables {
    Envelope *envelopes; /* by the message's number */
    Columns *columns;    /* by the actor's number */
    int ncolumns;
} ActorTables;

/* actor_layout.c */
const ActorTables *actor_tables(Emit *e);
/* May the handler change taken arrays where they lie: does nothing fault once it has? */
bool actor_moves(const Emit *e, const IrFunc *f);
/* If not, may it change them all the same, as what was there before can be noted? */
bool actor_notes(const Emit *e, const IrFunc *f);
/* Before elements are stored: notes what is there. */
void actor_note(Fn *f, const Layout *l, LLVMValueRef const *data, LLVMValueRef place);
bool actor_takes(const IrFunc *f, int64_t field);
LLVMValueRef actor_worker(Fn *f);
LLVMValueRef actor_worker_place(Fn *f, LLVMValueRef worker, size_t offset);
/* The element of a column (of all columns) that belongs to a reference. */
LLVMValueRef actor_element(Fn *f, LLVMValueRef worker, int column, LLVMTypeRef type, LLVMValueRef self);
LLVMValueRef envelope_member(Fn *f, const Envelope *v, LLVMValueRef p, int member);

/* Does the region wait for a reply somewhere? */
bool actor_asks(const IrFunc *f, const IrRegion *region);

/* actor.c: the calls of handlers and of who talks to actors */
void emit_actor_call(Fn *f, IrId id);
/* What an AWAIT gives, from where the replies lie; ends the ask. */
void actor_replies(Fn *f, IrId id, LLVMValueRef p);
/* Gives a reply to who wants it, if somebody does. */
void actor_send_reply(Fn *f, const IrMessage *m, LLVMValueRef wanted, LLVMValueRef const *reply);

/* actor_batch.c: handle(ctx, worker, message) of a @batch handler */
void emit_batch(Fn *f, const Envelope *v, LLVMValueRef worker, LLVMValueRef message, LLVMValueRef self);

/* actor_drain.c */
void actor_release_values(Fn *f, const IrMessage *m, LLVMValueRef const *s);
LLVMValueRef *actor_load_values(Fn *f, const Envelope *v, LLVMValueRef p, int *n);

/* actor_wait.c: handlers that wait */
LLVMTypeRef waiting_type(Emit *e, const IrFunc *ir);
/* The handler as a coroutine, (ctx, self, sender, sent, values…, wanted) -> (). */
LLVMValueRef waiting_handler(Emit *e, const IrMessage *m);
void emit_waiting_await(Fn *f, IrId id);
void emit_waiting_try(Fn *f, IrId id);

/* actor_drain.c: the table of an image's actors; null if there are none */
LLVMValueRef actor_image(Emit *e);

#endif
