/* What compiled code calls for actors, see GactApi. */
#ifndef GACT_ACTOR_API_H
#define GACT_ACTOR_API_H

#include "actor.h"

void rt_room(GactCtx *ctx, int64_t bytes);
void rt_next(GactCtx *ctx);
void rt_odd(GactCtx *ctx);
void rt_detach(GactCtx *ctx, GactBuf *buf);
int64_t rt_spawn(GactCtx *ctx, const GactSite *site, int32_t actor, int64_t count);
void rt_peers(GactCtx *ctx, uint64_t self, int64_t out[2]);
void rt_later(GactCtx *ctx, const char *message, int64_t bytes, int64_t delay);
void rt_timer(GactCtx *ctx, const GactSite *site, int32_t message, int64_t period, int32_t repeats,
              uint64_t self);
int64_t rt_ask(GactCtx *ctx, const GactSite *site, int32_t message, int64_t count);
void rt_reply(GactCtx *ctx, uint64_t wanted, const void *reply);
char *rt_await(GactCtx *ctx, const GactSite *site, int64_t ask, int64_t within);
void rt_answered(GactCtx *ctx, int64_t ask);
void rt_undo_room(GactCtx *ctx);
void rt_undo_clear(GactCtx *ctx);
void rt_stop(GactCtx *ctx, uint64_t who);
/* now() where there are actors. */
uint64_t rt_stamp(GactCtx *ctx);
int32_t rt_full(GactCtx *ctx, const GactSite *site, uint64_t who, uint64_t wanted);
int64_t rt_find(GactCtx *ctx, int32_t actor, uint64_t key);
void rt_enter(GactCtx *ctx, const GactSite *site, int32_t actor, uint64_t key, int64_t who);
char *rt_begin(GactCtx *ctx, char *message);
void *rt_frame(GactCtx *ctx, int64_t bytes);
void rt_wait(GactCtx *ctx, int64_t ask, int64_t within);
char *rt_answer(GactCtx *ctx, const GactSite *site, int64_t ask, int32_t is_tried);
void rt_finish(GactCtx *ctx);

#endif
