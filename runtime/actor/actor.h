/* Actors: the world that a run's actors live in. It comes to be with the first spawn and ends with the
   run. Handlers run on workers; a worker's queue holds messages in the order they were sent, in parts of
   memory that follow one another, and compiled code writes and reads it (lang/image.h). main sends
   through the first worker, on whose thread it runs, and has that worker handle messages while it waits.

   What a message or a field holds is on no list of the run: it is counted alone. What is on a worker's
   list belongs to the handler at hand, so a fault frees it. */
#ifndef GACT_ACTOR_H
#define GACT_ACTOR_H

#include "../runtime.h"

typedef struct World World;
typedef struct Worker Worker;

/* ---- time: actor/time.c, or a simulation ---- */

typedef struct {
    int64_t (*now_ns)(void *data);                /* monotonic */
    uint64_t (*wall_us)(void *data);              /* since 1970 */
    void (*sleep_until)(void *data, int64_t ns); /* monotonic */
    void *data;
} Clock;
extern const Clock real_clock;

/* ---- queue.c: a worker's own queue ---- */

/* A part of a queue. Messages lie behind it, at multiples of a word. */
typedef struct Part {
    struct Part *next;
    char *limit;
    char *slab; /* to be freed with it; NULL: a common one */
} Part;

typedef struct {
    Part *head, *tail;
    Part *free;
    char **slabs; /* of common parts */
    int32_t nslabs;
} Queue;

enum {
    PART_BYTES = 16 << 10,
    SLAB_PARTS = 64,
    WORD_BYTES = 8
};

bool queue_open(Queue *q, GactWorker *face);
void queue_close(Queue *q);
/* Makes room for bytes at face->tail; false when there is no memory. */
bool queue_room(Queue *q, GactWorker *face, int64_t bytes);
/* Moves face->head from the end of a part to the next one. */
void queue_next(Queue *q, GactWorker *face);
/* Takes back what was sent since `from`. */
void queue_cut(Queue *q, GactWorker *face, char *from);
/* The message behind one of `bytes` at p, which may be face->tail; goes over the end of a part. */
char *queue_after(const Queue *q, char *p, int64_t bytes);

/* ---- words ---- */

/* Messages that only the runtime knows. */
enum {
    NUMBER_BURY = 0xffff, /* the receiver has ended: its number may be used again */
    NUMBER_LATER = 0xfffe,  /* two words and a message: send it when the time has come */
    NUMBER_RESUME = 0xfffd, /* an ask is over: who waits for it goes on */
    NUMBER_REPLAY = 0xfffc, /* the receiver takes what it has put aside */
    NUMBER_EXPIRE = 0xfffb, /* an ask has taken too long */
    NUMBER_FIRST_OWN = 0xfffb
};

static inline uint64_t word_number(uint64_t word) {
    return word >> 48;
}
static inline uint32_t ref_index(uint64_t ref) {
    return (uint32_t)ref;
}
static inline uint32_t ref_epoch(uint64_t ref) {
    return (uint32_t)(ref >> 32) & 0xffff;
}
static inline int32_t ref_actor(uint64_t ref) {
    return (int32_t)(ref >> 48) - 1;
}
static inline uint64_t ref_make(int32_t actor, uint32_t epoch, uint32_t index) {
    return ((uint64_t)actor + 1) << 48 | (uint64_t)epoch << 32 | index;
}
static inline uint64_t message_word(uint64_t ref, uint64_t number) {
    return (ref & 0xffffffffffff) | number << 48;
}

/* ---- population.c: actors and their columns ---- */

typedef struct {
    uint32_t first, count;
} Population;

/* The actor of a key. */
typedef struct {
    uint64_t key, ref; /* ref 0: no entry */
} Virtual;

/* How often an actor has faulted. */
typedef struct {
    int64_t since;
    int32_t count;
    uint32_t epoch;
} Faults;

typedef struct {
    const GactActorInfo *info;
    int32_t number;
    uint64_t *parents; /* who spawned each, where faults may concern them; else NULL */
    Faults *faults;    /* with them */
    uint32_t used;      /* numbers given so far */
    uint32_t room;      /* for which the columns have memory */
    uint32_t *vacant;   /* numbers of actors that ended */
    uint32_t nvacant, vacant_room;
    uint32_t *skips;    /* messages that each drops when they come, the oldest of a full mailbox */
    Virtual *virtuals;  /* by key: a hash table */
    uint32_t nvirtuals, virtuals_room;
    Population *populations; /* ascending */
    int32_t npopulations, populations_room;
} Kind;

bool kind_open(Kind *kind, World *world, const GactActorInfo *info, int32_t number);
void kind_close(Kind *kind, World *world);
/* The first of count new actors; -1 when there is no room. */
int64_t kind_spawn(Kind *kind, World *world, int64_t count);
/* An actor's number may be given again. */
void kind_vacate(Kind *kind, World *world, uint32_t index);
Population kind_population(const Kind *kind, uint32_t index);
/* The actor that was entered for a key last, or 0. */
uint64_t virtual_find(const Kind *kind, uint64_t key);
bool virtual_enter(Kind *kind, uint64_t key, uint64_t ref);
uint32_t *life_of(const World *world, const Kind *kind, uint32_t index);
/* Is the actor still the one the reference means, and has it not ended? */
bool ref_is_alive(const World *world, uint64_t ref);

/* How many messages wait for an actor, or NULL if there is no limit. */
uint32_t *queued_of(const World *world, uint64_t ref);

/* ---- mailbox.c: mailboxes with a limit ---- */

/* Of actors that wait until a mailbox has room. */
typedef struct {
    uint64_t sender, receiver;
} Blocked;

/* A message for an actor that the runtime looks at first: drops it, handles it, or puts it aside. */
void mailbox_take(World *world, uint64_t ref);
/* Lets all senders go on. False: none was blocked. */
bool mailbox_release_all(World *world);
/* A message is in no mailbox any more, and was not handled. */
void mailbox_dropped(World *world, const char *message);
/* A message that the runtime sends is in one now. */
void mailbox_added(World *world, const char *message);

/* ---- timer.c ---- */

typedef struct {
    int64_t due;
    uint64_t order;  /* of two that are due at once the older comes first */
    int64_t period;  /* 0: once */
    int64_t ask;     /* whose limit this is, or 0: it is none once the ask is over */
    int32_t bytes;
    char *message;   /* owned */
} Timer;

typedef struct {
    Timer *at; /* a heap by due and order */
    int32_t len, cap;
    uint64_t next_order;
} Timers;

bool timers_add(Timers *timers, Timer timer);
/* Takes the first; timers must hold one. */
Timer timers_take(Timers *timers);

/* ---- frame.c: handlers that wait ---- */

/* A handler under way. */
typedef struct Frame {
    struct Frame *next; /* of those that are finished, or wait */
    struct Frame **link; /* what points here, among those that wait */
    uint64_t self;
    char *message;    /* what it handles; its own copy */
    void *coroutine;
    int64_t ask;      /* that it waits for, or 0 */
    BufList live;     /* buffers of the handler, while it waits */
} Frame;

/* The coroutine of a frame goes on. */
void frame_resume(World *world, Frame *frame);
void frame_free(World *world, Frame *frame);
/* Frees those that are done. */
void frames_sweep(World *world);
/* All handlers wait for each other: fails the ask of one. False: none waits. */
bool frames_break(World *world);

/* ---- stash.c: messages for actors that are not ready ---- */

typedef struct Stashed {
    struct Stashed *next;
    char message[];
} Stashed;

typedef struct StashEntry {
    struct StashEntry *next; /* of the same bucket */
    uint64_t ref;
    Stashed *first, **last;
} StashEntry;

typedef struct {
    StashEntry **buckets;
    int32_t nbuckets, len;
} Stash;

/* Keeps a copy of a message for ref; false when there is no memory. */
bool stash_put(Stash *stash, uint64_t ref, const char *message, int64_t bytes);
/* The oldest for ref, which the caller frees, or NULL. */
Stashed *stash_take(Stash *stash, uint64_t ref);
bool stash_has(const Stash *stash, uint64_t ref);
/* Calls visit for all, which are freed. */
void stash_free(Stash *stash, void (*visit)(void *arg, char *message), void *arg);

/* ---- ask.c ---- */

typedef struct {
    int32_t next_free; /* index + 1 */
    bool is_open;
    int64_t missing;   /* replies */
    int32_t message;
    int32_t bytes;     /* of a reply */
    char *replies;
    int64_t count;
    unsigned char *came; /* by place: the reply is there */
    char *failure;     /* why one will never come; malloc'd, or NULL */
    uint32_t turn;     /* how many asks had this place before */
    Frame *frame;      /* that waits, or NULL: main does */
    bool is_over;      /* the frame is told */
} Ask;

typedef struct {
    Ask *at;
    int32_t len, cap, free;
} Asks;

int64_t ask_open(World *world, int32_t message, int64_t count);
void ask_reply(World *world, uint64_t wanted, const void *reply);
void ask_fail(World *world, uint64_t wanted, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Ends an ask. */
void ask_close(World *world, int64_t ask);
Ask *ask_at(World *world, int64_t ask);
void asks_free(World *world);
/* The ask of this number, or NULL if it has ended. */
Ask *ask_open_at(World *world, int64_t ask);
/* Its time is over. */
void ask_expire(World *world, int64_t ask);

/* ---- world.c, work.c, fault.c ---- */

struct Worker {
    Thread thread; /* the context of handlers */
    World *world;
    BufList live;
    Queue queue;
    GactWorker *face;
    GactUndo *notes; /* the first */
    Frame *frame;   /* of the handler at hand, if it may wait */
    char *replayed; /* the message at hand, where it is none of the queue; NULL: it is that at head */
    bool is_resumed; /* nor is it there: the handler at hand goes on after a wait */
};

struct World {
    Run *run;
    const GactActors *image;
    const Clock *clock;
    Kind *kinds;
    Worker *worker;
    Timers timers;
    Asks asks;
    Stash stash;
    Blocked *blocked;
    int32_t nblocked, blocked_room;
    Frame *waiting;  /* handlers */
    Frame *finished; /* whose memory may still be in use for a moment */
    int64_t dropped; /* messages that nobody handled */
};

/* The world of a run, made when it is first asked for; NULL when there is no memory. */
World *world_of(Run *run);
void world_close(World *world);
static inline World *world_at(GactCtx *ctx) {
    return thread_of(ctx)->run->world;
}

/* Handles messages until the queue is empty or the worker's budget is spent; false: the program is to
   end, and run->main.pending says how. */
bool work_some(Worker *w);
/* Sends what is due; the time of the next timer, or INT64_MAX. */
int64_t work_timers(World *world);
/* Handles all messages, and all timers where `and_timers`. Returns on the thread of main, or leaves for
   its landing where the program ends. */
void work_all(World *world, bool and_timers);
/* Room for a message at the worker's tail. */
char *work_room(World *world, int64_t bytes);
void work_sent(World *world, int64_t bytes);

/* The handler of the message at head has faulted. */
void actor_faulted(Worker *w);
/* It takes no more messages; its number is used again when those in flight are dropped. */
void actor_stop(World *world, uint64_t ref);
/* Does what the actor's supervision says about a fault in a handler of this name. */
void actor_supervise(World *world, uint64_t ref, const Fault *fault, const char *message);
/* An actor that waited takes messages again, those first that it has put aside. */
void actor_ready(World *world, uint64_t ref);
/* It handles the oldest of them. */
void actor_replay(World *world, uint64_t ref);
/* Drops the message at head, and fails what waits for it. */
void message_drop(World *world, const char *why);
int64_t message_bytes(const World *world, const char *message);
uint64_t message_wanted(const World *world, const char *message);
uint64_t message_ref(const World *world, const char *message);
static inline uint64_t load_word(const char *p) {
    return *(const uint64_t *)p;
}
static inline void store_word(char *p, uint64_t word) {
    *(uint64_t *)p = word;
}
/* Sends a message of the runtime's own: a word and another one. */
void work_tell(World *world, uint64_t ref, uint64_t number, uint64_t word);
/* Releases what a message holds. */
void message_release(World *world, char *message);

#endif
