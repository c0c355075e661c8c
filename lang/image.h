/* The program image (.gactx) and the calls between compiled code and the runtime. An image is an ELF
   shared object that exports one symbol, `gact_image`, imports functions of libc and libm alone, which
   the process that loads it has, and is followed by a GactTrailer. Included by gactc's back ends and by
   the runtime. */
#ifndef GACT_IMAGE_H
#define GACT_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#define GACT_ABI_VERSION 10
#define GACT_MAGIC       "GACTIMG1"

/* ---- values ----
   A value is a row of 8-byte slots:
     scalar       one slot: the value's bits, integers sign- or zero-extended, bool 0 or 1, floats in
                  the low bytes
     product      the slots of its members, one after the other
     sum          one slot for the tag (constructor number), then the payload slots of every
                  constructor one after the other (those of the others are undefined scalars or
                  empty arrays: null pointers, zero dims)
     array        one slot for each axis, then two slots for each column: buffer, data
     string       as an array of u8 of rank 1
   The columns of an array of T, in order:
     T scalar     one column of the scalar's own bytes (bool: 1 byte)
     T product    the columns of its members
     T sum        a column of tags (1 byte), then the columns of every constructor's payload
     T array of rank r (or string, r = 1): an irregular list. A column of offsets, i64[n + 1], into
                  the data columns that follow, counted in elements of the inner array; if r > 1 then
                  r columns of i64[n], the dims of each; then the columns of its element type, whose
                  "n" is the total number of inner elements. Offsets need not start at 0.
   Where an array with such a column is inside a sum or product inside an array the same rules nest.
   Data pointers are aligned to their element only (views), fresh buffers to 64 bytes. */
typedef union {
    int64_t i;
    uint64_t u;
    double f;
    float f32;
    void *p;
} GactSlot;

/* The header of a buffer. Reference counted: whoever holds the last reference may change it in place.
   `count` is atomic; a buffer that nobody counts (constants, borrowed input) has count < 0. A null
   buffer pointer means an uncounted one. Fresh data starts 64 bytes after the header. */
typedef struct GactBuf {
    int64_t count;
    int64_t bytes;
    struct GactBuf *next, *prev; /* the run's list of live buffers */
    void *owner;                 /* the runtime's */
    void *mirror;                /* its copy on a device, or NULL */
    int64_t reserved[2];
} GactBuf;

typedef enum {
    GACT_BOOL, GACT_I8, GACT_I16, GACT_I32, GACT_I64, GACT_U8, GACT_U16, GACT_U32, GACT_U64,
    GACT_F16, GACT_BF16, GACT_F32, GACT_F64, GACT_HLC, GACT_DURATION,
    GACT_STRING, GACT_PRODUCT, GACT_SUM, GACT_ARRAY
} GactKind;

typedef struct GactType GactType;
typedef struct {
    const char *name;         /* of a constructor */
    const GactType *payload;  /* a PRODUCT */
} GactCtor;
struct GactType {
    int32_t kind;    /* GactKind */
    int32_t rank;    /* ARRAY */
    const char *text; /* as the user writes it */
    const char *name; /* of a record or sum; "" for a tuple; "{}" for a set or map shown with braces */
    const GactType *elem; /* ARRAY */
    int32_t count;        /* PRODUCT: members; SUM: constructors */
    int32_t slots;        /* how many slots a value takes */
    int32_t columns;      /* how many columns an array of this takes */
    int32_t flags;        /* GACT_TYPE_VIEW: a product that is shown as its first member (a set) */
    const GactType *const *items; /* PRODUCT */
    const char *const *names;     /* PRODUCT: NULL each when positional */
    const GactCtor *ctors;        /* SUM */
};
enum { GACT_TYPE_VIEW = 1 };

typedef struct {
    const GactType *type;
    const GactSlot *slots;
} GactValue;

/* ---- what compiled code may call ---- */

typedef struct GactCtx GactCtx;
typedef struct GactSite GactSite;
typedef struct GactKernelInfo GactKernelInfo;

typedef void (*GactRtFn)(GactCtx *ctx, const GactSite *site, const GactValue *args, int32_t nargs,
                         const GactType *result, GactSlot *out);
/* Runs the part lo … hi - 1 of a kernel's chunks. */
typedef void (*GactRangeFn)(GactCtx *ctx, void *env, int64_t lo, int64_t hi);
typedef void (*GactBodyFn)(GactCtx *ctx, void *env);
/* Is key a before key b? */
typedef int32_t (*GactLessFn)(GactCtx *ctx, void *env, int64_t a, int64_t b);

/* ---- kernels for devices ----
   A kernel that a device can run comes as CUDA text, too. Its host code fills words: sizes, scalars,
   buffers and their data. From these the runtime makes the block of arguments, 8 bytes each, that the
   text's functions take. */
typedef enum {
    GACT_ARG_WORD,    /* word `at` */
    GACT_ARG_IN,      /* the array whose buffer is word `at` and whose data is the next; word `count`
                         tells how many elements it has, or, where `unit` is not 0, how many lists
                         there are whose offsets argument `unit` - 1 has: it holds their elements */
    GACT_ARG_OUT,     /* the same, to be written */
    GACT_ARG_SCRATCH, /* memory of the launch: `bytes` for each `unit` */
    GACT_ARG_RESULT,  /* words for the results */
    GACT_ARG_LATER,   /* word `at` is where the host has, or will have, a result of an earlier kernel: its
                         address on the device */
    GACT_ARG_FROM,    /* the first of the points that are launched, and the one behind the last */
    GACT_ARG_TO,
    GACT_ARG_FAULT,   /* two i32: not 0 once a point has faulted, and once its arena was too small */
    GACT_ARG_DONE,    /* a u32 that is 0 when a kernel begins and must be 0 again when it ends */
    GACT_ARG_ARENA,   /* memory for the arrays that points make, a slot for each thread or warp */
    GACT_ARG_ARENA_BYTES, /* of a slot */
    GACT_ARG_NEW      /* an array that is made once the phases before `sized` have told how many
                         elements it has, in the result `at`; its buffer becomes the result `count` */
} GactArgKind;
typedef enum {
    GACT_UNIT_ONE,
    GACT_UNIT_CHUNK,
    GACT_UNIT_WORD, /* as many as word `count` says */
    GACT_UNIT_SLOT  /* as many for each thread or, in a grid of warps, each warp */
} GactUnit;
typedef struct {
    int32_t kind; /* GactArgKind */
    int32_t at, count;
    int32_t bytes; /* of an element, or of a unit's scratch memory */
    int32_t unit;  /* GactUnit */
    int32_t zeroed; /* scratch memory is 0 at first */
    int32_t one_more; /* IN, NEW: an element more than that, as offsets have; SCRATCH: a unit more */
    int32_t is_cut;   /* IN, OUT: it has as many elements as there are points, and point p has to do with element
                         p alone */
} GactDeviceArg;

typedef enum {
    GACT_GRID_POINTS, /* a thread does some points, in strides of the grid */
    GACT_GRID_WARPS,  /* a warp does some points */
    GACT_GRID_CHUNKS, /* a warp does some chunks of 4096 points */
    GACT_GRID_BLOCKS, /* a block of 256 threads does some chunks */
    GACT_GRID_FULL    /* the same, with no more blocks of 256 threads than the device runs at a time */
} GactGridKind;
typedef struct {
    const char *name; /* of the function */
    int32_t grid;     /* GactGridKind */
    int32_t has_points; /* its threads use their slots of scratch memory and of the arena */
    int32_t each;     /* POINTS: how many a thread does at a time; 0: one */
    int32_t pad;
} GactDevicePhase;

typedef struct {
    const char *name, *text;
    const GactKernelInfo *info;
    const GactSite *site; /* for exhausted memory */
    const GactDeviceArg *args;
    const GactDevicePhase *phases;
    int32_t nargs, nphases, nresults, can_fault;
    int32_t total, chunks; /* the words that tell how many points and chunks there are */
    int32_t pinned;        /* 1: on the host alone, 2: on the device */
    int32_t bytes;         /* that a point reads and writes, about */
    int32_t index;         /* in the image's table */
    int32_t is_later;      /* its results may stay on the device until `collect` */
    int32_t is_cut;        /* it can be launched for some of its chunks at a time; the last launch ends what it
                              adds up to */
    int32_t sized;         /* phases after which NEW arrays are made; 0: there are none */
} GactDeviceKernel;

/* Code that gactc has made of the texts of all kernels, one after the other. */
typedef enum {
    GACT_CODE_CUBIN, /* for one architecture and, within its generation, later ones */
    GACT_CODE_PTX    /* for one architecture and all later ones, once the driver has compiled it */
} GactCodeForm;
typedef struct {
    int32_t form, arch; /* GactCodeForm; 90 for sm_90 */
    const void *bytes;
    int64_t len;
} GactDeviceCode;

/* What a device may do as a whole, in place of `sort` and `matmul`. All members are words. */
typedef enum { GACT_LIBRARY_SORT, GACT_LIBRARY_ARGSORT, GACT_LIBRARY_MATMUL } GactLibraryOp;
typedef struct {
    GactBuf *buf;
    void *data;
} GactLibraryArray;
typedef struct {
    int64_t op, kind; /* GactLibraryOp; of the elements */
    int64_t descending;
    int64_t pinned; /* 1: on the host alone, 2: on the device */
    GactLibraryArray a, b, out;
    int64_t n, k, m; /* elements to sort; out[n, m] = a[n, k] b[k, m] */
} GactLibraryCall;

/* A loop whose steps are kernels of one space, see `sweep`. */
typedef struct {
    int64_t chunks, steps, radius;
    int64_t chunk_bytes; /* of the buffers of even and odd steps together */
    int64_t work;        /* points of a step */
} GactSweep;

/* ---- actors ----
   A reference is a word: 32 bits of the actor's number among those of its type, 16 of its epoch (how
   many had the number before), 16 of its type's number + 1, from the lowest on; 0 is nobody.
   A message in a queue begins with a word: 48 bits of the receiver's reference and 16 of the message's
   number. What it carries follows: the slots of its values in the form of a struct, and then, a word
   each where GactMessageInfo says so, the sender's reference, the stamp and the reply wanted. A
   message has whole words. Message 0 is the end of a part of a queue.
   The state of the actors of a type lies in columns: `life`, and one for each field, whose elements are
   structs of the field's slots. */
typedef struct GactWorker GactWorker;
/* An element of the state's arrays as it was before the handler at hand. */
typedef struct {
    void *at;
    uint64_t old;
    int64_t bytes;
} GactUndo;
struct GactWorker {
    char *head;        /* the message at hand: the oldest of this worker's own queue */
    char *tail;        /* where the next one goes; queues end where head is tail */
    char *limit;       /* of this part of the queue: a message must end before it */
    char *staged;      /* what the handler at hand has sent begins here, if it may fault */
    int64_t budget;    /* how many messages `drain` handles before it comes back */
    int64_t run;       /* how many messages from head on the handler at hand has got; 1 if not @batch */
    GactUndo *undo, *undo_end; /* where the next goes, and the end of their room */
    uint64_t self;     /* whose handler runs; 0: none */
    uint64_t clock;    /* the last stamp */
    uint8_t *columns[]; /* by GactActorInfo.column; they stay where they are */
};

/* Bits of `life` above the epoch. An actor none of whose bits is set takes messages at once. */
enum {
    GACT_LIFE_ENDED = 1 << 16, /* it takes none any more */
    GACT_LIFE_WAITS = 1 << 17, /* for a reply */
    GACT_LIFE_ODD = 1 << 18    /* the runtime looks at each message first */
};

typedef enum { GACT_MESSAGE_PLAIN, GACT_MESSAGE_START, GACT_MESSAGE_STOP, GACT_MESSAGE_FAULT, GACT_MESSAGE_TIMER } GactMessageKind;
typedef struct {
    const char *name;
    int32_t actor, kind;      /* index of its actor; GactMessageKind */
    int32_t bytes;            /* with its first word */
    int32_t sender, sent, reply; /* offsets of these words, or 0 */
    int32_t reply_bytes;      /* of a reply's struct */
    int32_t may_fault;
    int32_t waits;            /* its handler may wait for a reply */
    /* Runs the handler on a message. */
    void (*handle)(GactCtx *ctx, GactWorker *worker, char *message);
    /* Drops what a message holds; NULL: nothing. */
    void (*drop)(GactCtx *ctx, char *message);
} GactMessageInfo;

typedef struct {
    const char *name;
    int32_t column, ncolumns; /* `life`, then the fields, then, if there is a limit, how many messages
                                 wait */
    const int32_t *bytes;     /* of an element of each; 0: nobody reads it */
    int32_t start, stop, fault; /* these messages' numbers, or 0 */
    int32_t overflow;         /* of a full mailbox: block, drop_oldest, drop_newest, fault */
    int64_t capacity;         /* 0: there is no limit */
    int32_t supervision;      /* stop, restart, resume, escalate */
    int32_t is_reentrant;
    int64_t max_faults, fault_window;
    /* Gives every field its first value again. */
    void (*restart)(GactCtx *ctx, uint64_t self);
    /* Drops what the fields hold, and clears them. */
    void (*clear)(GactCtx *ctx, uint64_t self);
} GactActorInfo;

typedef struct {
    int32_t nactors, nmessages, ncolumns, pad;
    const GactActorInfo *actors;
    const GactMessageInfo *messages; /* messages[0] is unused */
    /* Handles messages of worker's queue until none is left or the budget is spent. */
    void (*drain)(GactCtx *ctx, GactWorker *worker);
} GactActors;

typedef struct GactApi {
    int64_t version;
    /* A fresh buffer of `bytes` (at least 0), count 1, data 64-byte aligned. Memory exhausted: a
       fault at site. */
    GactBuf *(*alloc)(GactCtx *ctx, const GactSite *site, int64_t bytes);
    /* A buffer with room for `room` bytes of which only as many become memory as are written. Once
       that has been done, settle tells how many it keeps, and how many it had at most. */
    GactBuf *(*reserve)(GactCtx *ctx, const GactSite *site, int64_t room);
    void (*settle)(GactCtx *ctx, GactBuf *buf, int64_t most, int64_t bytes);
    /* Count up, count down (and free at 0). Null and uncounted buffers are ignored. */
    void (*retain)(GactCtx *ctx, GactBuf *buf);
    void (*release)(GactCtx *ctx, GactBuf *buf);
    /* Reports and leaves to the innermost try, guard or parallel part. */
    void (*fault)(GactCtx *ctx, const GactSite *site, const int64_t *nums, int32_t n);
    /* Runs body; 1 if it faulted (the fault is dropped). */
    int32_t (*try_call)(GactCtx *ctx, GactBodyFn body, void *env);
    /* Runs a segment of a dag; 1 if it faulted (the fault is kept for the report). */
    int32_t (*guard)(GactCtx *ctx, GactBodyFn body, void *env);
    /* Runs fn over chunks 0 … n - 1, in parallel when it pays; `bytes`: memory the kernel reads and
       writes in all, `work`: elements, for the decision and the profile. Parts may run in any order
       and at the same time; a fault in a part is reported once all are done, the one of the lowest
       chunk. */
    void (*parallel)(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void *env, int64_t n,
                     int64_t work, int64_t bytes);
    /* Runs steps 1 … steps of a loop, each fn over chunks 0 … n - 1, in an order in which a chunk comes
       after what it reads: chunks of the step before that are at most `radius` away on a ring. envs:
       of the first step, of the other odd ones, of even ones. No part faults. */
    void (*sweep)(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void **envs,
                  const GactSweep *space);
    /* On how many threads `parallel` may run the parts of a kernel over `work` points: 1 inside a part,
       and where more would not pay. */
    int64_t (*workers)(GactCtx *ctx, int64_t work);
    /* Sorts n keys of a scalar kind stably in the total order; perm != NULL: keys stay, perm gets the
       permutation, otherwise keys are sorted in place. */
    void (*sort)(GactCtx *ctx, int32_t kind, void *keys, int64_t n, int32_t descending,
                 int64_t *perm);
    /* The stable permutation by a comparison. */
    void (*sort_by)(GactCtx *ctx, GactLessFn less, void *env, int64_t n, int64_t *perm);
    /* c[n, m] = a[n, k] b[k, m], products added in order of k by fma (integers wrap). */
    void (*matmul)(GactCtx *ctx, int32_t kind, const void *a, const void *b, void *c, int64_t n,
                   int64_t k, int64_t m);
    /* Runs a kernel on the device: 1; or 0, if it is to run on the host, where nothing has changed.
       Called where ctx->device is not NULL. */
    int32_t (*launch)(GactCtx *ctx, const GactDeviceKernel *kernel, const GactSlot *words, GactSlot *results);
    /* Brings the results of launches that may come later to where they were wanted; forget: those that were
       wanted at this place are not. */
    void (*collect)(GactCtx *ctx);
    void (*forget)(GactCtx *ctx, GactSlot *results);
    /* Has the device sort or multiply: 1; or 0, if the host is to do it, where nothing has changed.
       Called where ctx->device is not NULL; `out` is fresh. */
    int32_t (*library)(GactCtx *ctx, const GactSite *site, const GactLibraryCall *call);
    /* Would kernels over so many points be launched? */
    int32_t (*on_device)(GactCtx *ctx, int64_t points);
    /* The host is going to read a buffer (null: nothing), or to write it: then the device's copy is
       dropped. With `more` another call follows at once, up to which nothing may be looked at. */
    void (*to_host)(GactCtx *ctx, GactBuf *buf, int32_t writes, int32_t more);
    /* ---- for actors ---- */
    /* A new part of the worker's queue, where `bytes` have room at its tail. */
    void (*room)(GactCtx *ctx, int64_t bytes);
    /* The part of the queue that begins at head is read: head becomes that of the next. */
    void (*next)(GactCtx *ctx);
    /* The message at head is for an actor that is not simply there; it is taken off the queue. */
    void (*odd)(GactCtx *ctx);
    /* A buffer becomes a part of the state or of a message. */
    void (*detach)(GactCtx *ctx, GactBuf *buf);
    /* References to count new actors follow the first one, as numbers do. Their fields are 0. */
    int64_t (*spawn)(GactCtx *ctx, const GactSite *site, int32_t actor, int64_t count);
    /* The population of self. */
    void (*peers)(GactCtx *ctx, uint64_t self, int64_t out[2]);
    /* Sends a copy of a message when `delay` ns are over. */
    void (*later)(GactCtx *ctx, const char *message, int64_t bytes, int64_t delay);
    /* Sends self message after `period` ns, and then again and again if it repeats. */
    void (*timer)(GactCtx *ctx, const GactSite *site, int32_t message, int64_t period,
                  int32_t repeats, uint64_t self);
    /* An ask of count replies. A reply that is wanted is named by the ask in the upper 36 bits and its
       place among them in the lower 28. */
    int64_t (*ask)(GactCtx *ctx, const GactSite *site, int32_t message, int64_t count);
    void (*reply)(GactCtx *ctx, uint64_t wanted, const void *reply);
    /* Waits for all replies: where they lie, one struct after the other. Faults if one cannot come, or
       `within` ns, if it is not 0, are over. `answered` ends the ask. */
    char *(*await)(GactCtx *ctx, const GactSite *site, int64_t ask, int64_t within);
    void (*answered)(GactCtx *ctx, int64_t ask);
    void (*stop)(GactCtx *ctx, uint64_t who);
    /* May a message be sent although the mailbox of who gets it is full? It is counted there. Faults if
       that is the policy; 0: it is dropped, and who wants the reply is told. */
    int32_t (*full)(GactCtx *ctx, const GactSite *site, uint64_t who, uint64_t wanted);
    /* Makes room at worker->undo; forgets all. */
    void (*undo_room)(GactCtx *ctx);
    void (*undo_clear)(GactCtx *ctx);
    /* Virtual actors, by their keys. */
    int64_t (*find)(GactCtx *ctx, int32_t actor, uint64_t key);
    void (*enter)(GactCtx *ctx, const GactSite *site, int32_t actor, uint64_t key, int64_t who);
    /* A handler that may wait is a coroutine in LLVM's sense. `begin` keeps the message until `finish`;
       `frame` is memory for the coroutine; `wait` lets it go on when the replies are there, or cannot
       come; `answer` then is where they lie. It faults if there is a failure, unless is_tried: then it
       is NULL, and the ask has ended. */
    char *(*begin)(GactCtx *ctx, char *message);
    void *(*frame)(GactCtx *ctx, int64_t bytes);
    void (*wait)(GactCtx *ctx, int64_t ask, int64_t within);
    char *(*answer)(GactCtx *ctx, const GactSite *site, int64_t ask, int32_t is_tried);
    void (*finish)(GactCtx *ctx);
#define RT(id, name, effect, doc) GactRtFn id;
#include "abi.def"
} GactApi;

typedef enum {
#define RT(id, name, effect, doc) RT_##id,
#define RT_ACTOR(id, name, effect, doc) RT_##id,
#include "abi.def"
    RT_COUNT
} RtCall;

/* The part of a context that compiled code reads; one a thread. The runtime's own follows it. */
struct GactCtx {
    const GactApi *api;
    int64_t depth;     /* calls of recursive functions under way; compiled code counts */
    int64_t max_depth; /* more is a fault */
    int64_t serial;    /* != 0 inside a parallel part: kernels run on this thread */
    void *device;      /* that kernels may run on, or NULL; always NULL inside a parallel part */
    GactWorker *worker; /* whose queue gets what is sent here; NULL until an actor is spawned */
};

/* ---- tables ---- */

/* A place that can fault or call the runtime. */
struct GactSite {
    const char *kind; /* "index", "shape", "assert", … */
    const char *text; /* with a hole for each number: {}, {f} for the bits of a float, {b} for a bool */
    const char *node; /* the dag's node, or "" */
    int32_t file;     /* index into the image's sources, -1: none */
    uint32_t from, to; /* byte offsets in it */
    int32_t other_file;
    uint32_t other_from, other_to;
    const char *other_text; /* label of the second place, or NULL */
};

struct GactKernelInfo {
    const char *name; /* of the node, or of the function */
    const char *ops;  /* what was fused into it: "map map reduce" */
    int32_t file;
    uint32_t from, to;
    int32_t work, flops; /* operations of a point, about; those on floats among them, 0: not known */
};

typedef struct {
    const char *path, *text;
    int64_t len;
} GactSource;

typedef struct {
    int32_t symbol; /* index, -1: a constant (offset), -2: any size */
    int32_t pad;
    int64_t scale, offset;
} GactDim;

typedef struct {
    const char *name;
    const GactType *type;
    const GactDim *dims;
    const char *text; /* the type as written */
    int32_t has_default;
    int32_t slot; /* where its slots start in the entry's in or out */
} GactPort;

/* Runs an entry. in: slot 0 `present` (bit k: input k given), then the inputs' slots in order; inputs
   are borrowed. out: for a dag one status slot an output (0 delivered, 1 faulted) and then the
   outputs' slots in order, owned by the caller. Returns 0, or 1 if any fault was kept. Runs inside
   api->guard. */
typedef int32_t (*GactEntryFn)(GactCtx *ctx, const GactSlot *in, GactSlot *out);

/* The kind of an entry that is the form of the dag of its name for many instances: the inputs that
   differ from instance to instance have one more axis in front. UNUSED: one that a device runs in part
   only. */
enum { IMAGE_ENTRY_MANY = 3, IMAGE_ENTRY_UNUSED = 4 };

typedef struct {
    int32_t kind; /* 0 dag, 1 main, 2 test, or the above */
    int32_t takes_args; /* main(args: []string) */
    const char *name;
    const char *doc; /* or NULL */
    const char *faults; /* of a test: a fault with this text is wanted; or NULL */
    int32_t file;
    uint32_t from, to;
    int32_t ninputs, noutputs, nsymbols;
    int32_t in_slots, out_slots;
    const GactPort *inputs, *outputs;
    const char *const *symbols;
    GactEntryFn run;
} GactEntry;

typedef struct GactImage {
    char magic[8];
    int64_t abi_version;
    const char *compiler; /* gactc's version */
    const char *cpu;      /* target CPU */
    int32_t nentries, nsources;
    const GactEntry *entries;
    const GactSource *sources;
    const GactDeviceKernel *const *kernels; /* that devices can run */
    int64_t nkernels, ncodes;
    const GactDeviceCode *codes;
    const GactActors *actors; /* or NULL */
} GactImage;

/* The last bytes of an image file. */
typedef struct {
    char magic[8];
    uint32_t abi_version;
    uint32_t flags;
    uint64_t length;    /* of the file with the trailer */
    char features[512]; /* CPU features the code may use: "avx,avx2,fma,…", NUL-padded */
    uint64_t checksum;  /* XXH3-64 over the whole file before this field */
} GactTrailer;

#endif
