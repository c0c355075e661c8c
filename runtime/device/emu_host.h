/* Device text as C++17 for the host's processor: what lang/device.cuh calls the machine, on top of an
   engine in the process that runs it (emu_abi.h). Includes nothing, so that it compiles at once.

   A thread of a block is a fibre. It is switched only where it waits, so all other code between two
   waits is atomic unless blocks are spread over OS threads or a sanitizer looks. */
#define GX_EMU 1

typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;
struct f16 { u16 bits; };
struct bf16 { u16 bits; };

extern "C" {
float fmodf(float, float) noexcept;
double fmod(double, double) noexcept;
float floorf(float) noexcept;
double floor(double) noexcept;
float ceilf(float) noexcept;
double ceil(double) noexcept;
float rintf(float) noexcept;
double rint(double) noexcept;
float truncf(float) noexcept;
double trunc(double) noexcept;
float copysignf(float, float) noexcept;
double copysign(double, double) noexcept;
float fmaf(float, float, float) noexcept;
double fma(double, double, double) noexcept;
float sqrtf(float) noexcept;
double sqrt(double) noexcept;
}

/* ---- the module ---- */

#define GX_EXPORT __attribute__((visibility("default"), used))

static const GxEngine *gx_engine;
static thread_local GxThread *gx_self;

static GxThread **gx_self_slot() { return &gx_self; }

extern "C" {
GX_EXPORT GxModule gx_module = {GX_EMU_VERSION, &gx_engine, gx_self_slot};
}

/* ---- declarations ---- */

#define __device__
#define __host__
#define __global__
#define __forceinline__ inline
#define __restrict__ __restrict
#define threadIdx (gx_self->thread)
#define blockIdx (gx_self->block)
#define blockDim (gx_self->threads)
#define gridDim (gx_self->blocks)
#define warpSize 32

#define GX_DEV static inline __attribute__((unused))
#define GX_UNROLL
#define GX_UNROLL1
#define GX_UNROLL_BY(n)
#define GX_FIRST(first, ...) first

#define GX_DEFINE_KERNEL(name, args, all)                                                       \
    static void name(const args a);                                                             \
    static void gx_run_##name(const void *a) { name(*(const args *)a); }                        \
    static __attribute__((unused)) void gx_all_##name(const void *a, GxThread *t, unsigned n) { \
        for (t->thread.x = 0; t->thread.x < n; t->thread.x++)                                   \
            name(*(const args *)a);                                                             \
    }                                                                                           \
    extern "C" {                                                                                \
    GX_EXPORT GxKernel gx_kernel_##name = {gx_run_##name, all, sizeof(args)};                   \
    }                                                                                           \
    static void name(const args a)
#define GX_KERNEL(name, ...) GX_DEFINE_KERNEL(name, GX_FIRST(__VA_ARGS__, ), nullptr)
#define GX_KERNEL_PLAIN(name, ...) GX_DEFINE_KERNEL(name, GX_FIRST(__VA_ARGS__, ), gx_all_##name)

/* One variable a block: the engine finds the block's memory by the address of a key. */
template <class T> static inline T &gx_shared(const char *key) {
    return *(T *)gx_engine->shared(gx_self, key, sizeof(T), alignof(T));
}
template <class T, unsigned long n> struct gx_array { typedef T type[n]; };
#define GX_SHARED(T, name)                                                                      \
    static const char gx_key_##name = 0;                                                        \
    T &name = gx_shared<T>(&gx_key_##name)
#define GX_SHARED_ARRAY(T, name, n)                                                             \
    static const char gx_key_##name = 0;                                                        \
    typename gx_array<T, n>::type &name = gx_shared<typename gx_array<T, n>::type>(&gx_key_##name)
#define GX_SHARED_DYNAMIC(T, name) T *name = (T *)gx_self->dynamic

/* ---- waiting ---- */

#define GX_HERE                                                                                 \
    ([]() -> const GxPlace * {                                                                  \
        static const GxPlace place = {__FILE__, __LINE__, __COUNTER__};                         \
        return &place;                                                                          \
    }())

#define gx_sync() ((void)gx_engine->barrier(gx_self, GX_HERE, 0))
#define gx_sync_count(p) ((i32)gx_engine->barrier(gx_self, GX_HERE, (p) ? 1 : 0).count)
#define gx_sync_or(p) (gx_engine->barrier(gx_self, GX_HERE, (p) ? 1 : 0).any != 0)
#define gx_sync_and(p) (gx_engine->barrier(gx_self, GX_HERE, (p) ? 1 : 0).all != 0)
#define __syncthreads() gx_sync()

static inline void gx_access(const void *p, int kind) {
    if (gx_self->watched)
        gx_engine->access(gx_self, p, kind);
}

static inline void gx_pause(u32 = 32) { gx_engine->pause(gx_self, 0); }
static inline void gx_fence() { gx_engine->fence(gx_self); }
static inline void gx_fence_block() { gx_engine->fence(gx_self); }
static inline u32 gx_lane() { return gx_self->lane; }

/* ---- collectives ---- */

static inline void gx_sync_warp(u32 mask = ~0u) {
    u64 all[32];
    gx_engine->meet(gx_self, GX_HERE, mask, GX_WARP_SYNC, 0, all);
}

static inline u32 gx_ballot(bool p, u32 mask = ~0u) {
    u64 all[32];
    u32 votes = 0;
    gx_engine->meet(gx_self, GX_HERE, mask, GX_WARP_BALLOT, p, all);
    for (int k = 0; k < 32; k++)
        if (mask >> k & 1 && all[k])
            votes |= 1u << k;
    return votes;
}

static inline bool gx_any(bool p, u32 mask = ~0u) { return gx_ballot(p, mask) != 0; }
static inline bool gx_all(bool p, u32 mask = ~0u) { return gx_ballot(p, mask) == mask; }

static inline u32 gx_match(u64 v, u32 mask = ~0u) {
    u64 all[32];
    u32 same = 0;
    gx_engine->meet(gx_self, GX_HERE, mask, GX_WARP_SHFL, v, all);
    for (int k = 0; k < 32; k++)
        if (mask >> k & 1 && all[k] == v)
            same |= 1u << k;
    return same;
}

/* What lane `from` brought; own is for lanes that read nothing. */
static inline u64 gx_take(u32 mask, int op, u64 own, u32 from, bool keeps, const GxPlace *at) {
    u64 all[32];
    gx_engine->meet(gx_self, at, mask, op, own, all);
    if (keeps)
        return own;
    if (!(mask >> from & 1))
        gx_engine->fail(gx_self, "a shuffle reads a lane that its mask does not name");
    return all[from];
}

static inline u64 gx_word_shfl(u64 v, u32 lane, u32 mask) {
    return gx_take(mask, GX_WARP_SHFL, v, lane & 31, false, GX_HERE);
}
static inline u64 gx_word_shfl_up(u64 v, u32 by, u32 mask) {
    u32 own = gx_self->lane;
    return gx_take(mask, GX_WARP_UP, v, (own - by) & 31, by > own, GX_HERE);
}
static inline u64 gx_word_shfl_down(u64 v, u32 by, u32 mask) {
    u32 own = gx_self->lane;
    return gx_take(mask, GX_WARP_DOWN, v, (own + by) & 31, own + by > 31, GX_HERE);
}
static inline u64 gx_word_shfl_xor(u64 v, u32 with, u32 mask) {
    u32 from = gx_self->lane ^ with;
    return gx_take(mask, GX_WARP_XOR, v, from & 31, from > 31, GX_HERE);
}
static inline u32 gx_word_shfl(u32 v, u32 k, u32 mask) { return (u32)gx_word_shfl((u64)v, k, mask); }
static inline u32 gx_word_shfl_up(u32 v, u32 k, u32 mask) {
    return (u32)gx_word_shfl_up((u64)v, k, mask);
}
static inline u32 gx_word_shfl_down(u32 v, u32 k, u32 mask) {
    return (u32)gx_word_shfl_down((u64)v, k, mask);
}
static inline u32 gx_word_shfl_xor(u32 v, u32 k, u32 mask) {
    return (u32)gx_word_shfl_xor((u64)v, k, mask);
}

/* ---- memory ---- */

static constexpr int gx_relaxed(int order) { return order == __ATOMIC_RELAXED ? GX_RELAXED : 0; }

/* A load may be one of a loop that waits: now and then it lets others run. */
static inline void gx_poll(const void *p, int order) {
    gx_access(p, GX_LOAD | gx_relaxed(order));
    if (++gx_self->polls >= 64)
        gx_engine->pause(gx_self, 1);
}

template <int size> struct gx_memory;
#define GX_MEMORY(size, U)                                                                      \
    template <> struct gx_memory<size> {                                                        \
        typedef U word;                                                                         \
        static U load(const void *p, int order) {                                               \
            gx_poll(p, order);                                                                  \
            return __atomic_load_n((const U *)p, order);                                        \
        }                                                                                       \
        static U load_acquire(const void *p) { return load(p, __ATOMIC_ACQUIRE); }              \
        static U load_acquire_sys(const void *p) { return load(p, __ATOMIC_ACQUIRE); }          \
        static U load_relaxed(const void *p) { return load(p, __ATOMIC_RELAXED); }              \
        static void store(void *p, U v, int order) {                                            \
            gx_access(p, GX_STORE | gx_relaxed(order));                                         \
            __atomic_store_n((U *)p, v, order);                                                 \
        }                                                                                       \
        static void store_release(void *p, U v) { store(p, v, __ATOMIC_RELEASE); }              \
        static void store_release_sys(void *p, U v) { store(p, v, __ATOMIC_RELEASE); }          \
        static void store_relaxed(void *p, U v) { store(p, v, __ATOMIC_RELAXED); }              \
    };
GX_MEMORY(4, u32)
GX_MEMORY(8, u64)

/* Read-modify-write; relaxed, as CUDA's are. */
#define GX_FETCH(name, op)                                                                      \
    template <class T> static inline T gx_fetch_##name(T *p, T v) {                             \
        gx_access(p, GX_LOAD | GX_STORE | GX_RELAXED);                                          \
        return op(p, v, __ATOMIC_RELAXED);                                                      \
    }
GX_FETCH(add, __atomic_fetch_add)
GX_FETCH(and, __atomic_fetch_and)
GX_FETCH(or, __atomic_fetch_or)
GX_FETCH(xor, __atomic_fetch_xor)
GX_FETCH(swap, __atomic_exchange_n)

template <class T> static inline T gx_exchange(T *p, T v) { return gx_fetch_swap(p, v); }

template <class T> static inline T gx_compare_exchange(T *p, T was, T v) {
    gx_access(p, GX_LOAD | GX_STORE | GX_RELAXED);
    __atomic_compare_exchange_n(p, &was, v, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return was;
}

template <class T> static inline T gx_fetch_min(T *p, T v) {
    T was = gx_fetch_or(p, (T)0);
    while (v < was && !__atomic_compare_exchange_n(p, &was, v, false, __ATOMIC_RELAXED,
                                                   __ATOMIC_RELAXED)) {
    }
    return was;
}

template <class T> static inline T gx_fetch_max(T *p, T v) {
    T was = gx_fetch_or(p, (T)0);
    while (was < v && !__atomic_compare_exchange_n(p, &was, v, false, __ATOMIC_RELAXED,
                                                   __ATOMIC_RELAXED)) {
    }
    return was;
}

struct gx_timespec { long seconds, nanoseconds; };
extern "C" int clock_gettime(int, struct gx_timespec *) noexcept;
static inline u64 gx_clock() {
    gx_timespec t;
    clock_gettime(1, &t);
    return (u64)t.seconds * 1000000000 + (u64)t.nanoseconds;
}

/* ---- numbers ---- */

static inline i32 gx_count_ones(u32 a) { return __builtin_popcount(a); }
static inline i32 gx_count_ones(u64 a) { return __builtin_popcountll(a); }
static inline i32 gx_leading_zeros(u32 a) { return a ? __builtin_clz(a) : 32; }
static inline i32 gx_leading_zeros(u64 a) { return a ? __builtin_clzll(a) : 64; }
static inline i32 gx_first_one(u32 a) { return a ? __builtin_ctz(a) : -1; }
static inline i32 gx_first_one(u64 a) { return a ? __builtin_ctzll(a) : -1; }
static inline f32 gx_quotient(f32 a, f32 b) { return a / b; }
static inline f64 gx_quotient(f64 a, f64 b) { return a / b; }
static inline f32 gx_root(f32 a) { return sqrtf(a); }
static inline f64 gx_root(f64 a) { return sqrt(a); }
static inline f32 gx_fused(f32 a, f32 b, f32 c) { return fmaf(a, b, c); }
static inline f64 gx_fused(f64 a, f64 b, f64 c) { return fma(a, b, c); }

/* Towards zero and saturating; above: the first number beyond the greatest. */
template <class I, class F> static inline I gx_saturated(F a, F above, I least, I most) {
    return a >= above ? most : a <= (F)least ? least : (I)a;
}
template <class F> static inline i32 gx_whole(F a, i32) {
    return gx_saturated<i32>(a, (F)0x1p31, -2147483647 - 1, 2147483647);
}
template <class F> static inline u32 gx_whole(F a, u32) {
    return gx_saturated<u32>(a, (F)0x1p32, 0, ~0u);
}
template <class F> static inline i64 gx_whole(F a, i64) {
    return gx_saturated<i64>(a, (F)0x1p63, -9223372036854775807ll - 1, 9223372036854775807ll);
}
template <class F> static inline u64 gx_whole(F a, u64) {
    return gx_saturated<u64>(a, (F)0x1p64, 0, ~0ull);
}

union gx_float_bits {
    f32 f;
    u32 u;
};

/* The exponent and mantissa of an f16 move to their places; a subnormal is renormalised by a float
   subtraction. */
static inline f32 gx_wide(f16 a) {
    gx_float_bits r, magic;
    u32 size = (u32)(a.bits & 0x7fff) << 13, exponent = size & 0x7c00u << 13;
    r.u = size + (112u << 23);
    if (exponent == 0x7c00u << 13) {
        r.u += 112u << 23;
    } else if (exponent == 0) {
        magic.u = 113u << 23;
        r.u += 1u << 23;
        r.f -= magic.f;
    }
    r.u |= (u32)(a.bits & 0x8000) << 16;
    return r.f;
}

/* A float addition rounds what becomes subnormal, an integer one the rest. */
static inline void gx_round(f32 a, f16 &to) {
    gx_float_bits u, magic;
    u.f = a;
    u32 sign = u.u >> 16 & 0x8000, size = u.u & 0x7fffffff, out;
    if (size > 255u << 23) {
        out = 0x7e00 | (size >> 13 & 0x3ff);
    } else if (size >= 143u << 23) {
        out = 0x7c00;
    } else if (size < 113u << 23) {
        u.u = size;
        magic.u = 126u << 23;
        u.f += magic.f;
        out = u.u - magic.u;
    } else {
        out = (size - (112u << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    }
    to.bits = (u16)(out | sign);
}
