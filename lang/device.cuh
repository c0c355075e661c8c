/* The prelude of device text. gactc and libgact put it before the kernels of every unit; the unit is
   then compiled by NVRTC with no include path, or as C++17 for the host behind the emulation header
   (runtime/device/emu_host.h), which defines GX_EMU and everything of "the machine" below.

   Rules for the text that follows it:
   - Floats must not be contracted and divisions must be IEEE's: NVRTC gets --fmad=false and none of
     the fast options, the host's compiler -ffp-contract=off.
   - A kernel begins with GX_KERNEL(name, args) or, where no thread of it ever waits for another (no
     barrier, no shuffle, no loop until a load changes), GX_KERNEL_PLAIN(name, args). Both take the
     number of threads of a block as a third argument, which bounds the registers, and how many such
     blocks must fit a multiprocessor as a fourth.
   - Shared memory is declared by GX_SHARED, GX_SHARED_ARRAY or GX_SHARED_DYNAMIC.
   - A thread that waits for memory to change loops over gx_load_acquire or gx_pause.
   - Scalars are bool, i8 … u64, f16, bf16, f32 and f64; stamps are u64 and durations i64. The ops of
     lang/ops.def are functions gx_NAME with the semantics that the table states, for all types that
     an op takes; operands of one op have one type, but for shifts and powers. */

/* ---- the machine ---- */

#ifndef GX_EMU
#pragma nv_diag_suppress 177 /* what a unit does not call */

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

#define GX_DEV static __device__ __forceinline__
#define GX_UNROLL _Pragma("unroll")
#define GX_UNROLL1 _Pragma("unroll 1")
#define GX_PRAGMA(text) _Pragma(#text)
#define GX_UNROLL_BY(n) GX_PRAGMA(unroll (n))
#define GX_FIRST(first, ...) first
#define GX_SECOND(first, second, ...) second
#define GX_THIRD(first, second, third, ...) third
#define GX_KERNEL(name, ...)                                                                    \
    extern "C" __global__ void __launch_bounds__(GX_SECOND(__VA_ARGS__, 1024, ),                \
                                                 GX_THIRD(__VA_ARGS__, 1, 1, ))                 \
        name(const __grid_constant__ GX_FIRST(__VA_ARGS__, ) a)
#define GX_KERNEL_PLAIN(name, ...) GX_KERNEL(name, __VA_ARGS__)
#define GX_SHARED(T, name) __shared__ T name
#define GX_SHARED_ARRAY(T, name, n) __shared__ T name[n]
#define GX_SHARED_DYNAMIC(T, name)                                                              \
    extern __shared__ __align__(16) unsigned char gx_dynamic[];                                 \
    T *name = (T *)gx_dynamic
#define gx_sync() __syncthreads()
#define gx_sync_count(p) __syncthreads_count(p)
#define gx_sync_or(p) (__syncthreads_or(p) != 0)
#define gx_sync_and(p) (__syncthreads_and(p) != 0)

/* Loads and stores that other blocks see, by inline PTX: gpu is the scope of one device, sys that of
   the host, too. Their operands are of 4 or 8 bytes. */
#define GX_GLOBAL(p) "l"(__cvta_generic_to_global(p))
template <int size> struct gx_memory;
#define GX_MEMORY(size, U, type, constraint)                                                    \
    template <> struct gx_memory<size> {                                                        \
        typedef U word;                                                                         \
        GX_MEMORY_LOAD(acquire, "acquire.gpu", U, type, constraint)                             \
        GX_MEMORY_LOAD(acquire_sys, "acquire.sys", U, type, constraint)                         \
        GX_MEMORY_LOAD(relaxed, "relaxed.gpu", U, type, constraint)                             \
        GX_MEMORY_STORE(release, "release.gpu", U, type, constraint)                            \
        GX_MEMORY_STORE(release_sys, "release.sys", U, type, constraint)                        \
        GX_MEMORY_STORE(relaxed, "relaxed.gpu", U, type, constraint)                            \
    };
#define GX_MEMORY_LOAD(name, order, U, type, constraint)                                        \
    GX_DEV U load_##name(const void *p) {                                                       \
        U v;                                                                                    \
        asm volatile("ld." order ".global." type " %0, [%1];"                                   \
                     : "=" constraint(v) : GX_GLOBAL(p) : "memory");                            \
        return v;                                                                               \
    }
#define GX_MEMORY_STORE(name, order, U, type, constraint)                                       \
    GX_DEV void store_##name(void *p, U v) {                                                    \
        asm volatile("st." order ".global." type " [%0], %1;"                                   \
                     :: GX_GLOBAL(p), constraint(v) : "memory");                                \
    }
GX_MEMORY(4, u32, "u32", "r")
GX_MEMORY(8, u64, "u64", "l")

GX_DEV u32 gx_lane() { return threadIdx.x & 31; }
GX_DEV void gx_fence() { __threadfence(); }
GX_DEV void gx_fence_block() { __threadfence_block(); }
GX_DEV void gx_sync_warp(u32 mask = ~0u) { __syncwarp(mask); }
GX_DEV void gx_pause(u32 ns = 32) { __nanosleep(ns); }
GX_DEV u32 gx_ballot(bool p, u32 mask = ~0u) { return __ballot_sync(mask, p); }
GX_DEV bool gx_any(bool p, u32 mask = ~0u) { return __any_sync(mask, p) != 0; }
GX_DEV bool gx_all(bool p, u32 mask = ~0u) { return __all_sync(mask, p) != 0; }
/* The lanes that have the same v. */
GX_DEV u32 gx_match(u64 v, u32 mask = ~0u) { return __match_any_sync(mask, v); }
GX_DEV u64 gx_word_shfl(u64 v, u32 lane, u32 mask) { return __shfl_sync(mask, v, (int)lane); }
GX_DEV u32 gx_word_shfl(u32 v, u32 lane, u32 mask) { return __shfl_sync(mask, v, (int)lane); }
GX_DEV u64 gx_word_shfl_up(u64 v, u32 by, u32 mask) { return __shfl_up_sync(mask, v, by); }
GX_DEV u32 gx_word_shfl_up(u32 v, u32 by, u32 mask) { return __shfl_up_sync(mask, v, by); }
GX_DEV u64 gx_word_shfl_down(u64 v, u32 by, u32 mask) { return __shfl_down_sync(mask, v, by); }
GX_DEV u32 gx_word_shfl_down(u32 v, u32 by, u32 mask) { return __shfl_down_sync(mask, v, by); }
GX_DEV u64 gx_word_shfl_xor(u64 v, u32 with, u32 mask) { return __shfl_xor_sync(mask, v, (int)with); }
GX_DEV u32 gx_word_shfl_xor(u32 v, u32 with, u32 mask) { return __shfl_xor_sync(mask, v, (int)with); }
GX_DEV u32 gx_fetch_add(u32 *p, u32 v) { return atomicAdd(p, v); }
GX_DEV i32 gx_fetch_add(i32 *p, i32 v) { return atomicAdd(p, v); }
GX_DEV u64 gx_fetch_add(u64 *p, u64 v) { return atomicAdd(p, v); }
GX_DEV i64 gx_fetch_add(i64 *p, i64 v) { return (i64)atomicAdd((u64 *)p, (u64)v); }
template <class T> GX_DEV T gx_fetch_min(T *p, T v) { return atomicMin(p, v); }
template <class T> GX_DEV T gx_fetch_max(T *p, T v) { return atomicMax(p, v); }
template <class T> GX_DEV T gx_fetch_and(T *p, T v) { return atomicAnd(p, v); }
template <class T> GX_DEV T gx_fetch_or(T *p, T v) { return atomicOr(p, v); }
template <class T> GX_DEV T gx_fetch_xor(T *p, T v) { return atomicXor(p, v); }
GX_DEV u32 gx_exchange(u32 *p, u32 v) { return atomicExch(p, v); }
GX_DEV u64 gx_exchange(u64 *p, u64 v) { return atomicExch(p, v); }
GX_DEV u32 gx_compare_exchange(u32 *p, u32 was, u32 v) { return atomicCAS(p, was, v); }
GX_DEV u64 gx_compare_exchange(u64 *p, u64 was, u64 v) { return atomicCAS(p, was, v); }
/* Nanoseconds of a clock that all blocks share. */
GX_DEV u64 gx_clock() {
    u64 t;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t));
    return t;
}

GX_DEV i32 gx_count_ones(u32 a) { return __popc(a); }
GX_DEV i32 gx_count_ones(u64 a) { return __popcll(a); }
GX_DEV i32 gx_leading_zeros(u32 a) { return __clz((i32)a); } /* the width for 0 */
GX_DEV i32 gx_leading_zeros(u64 a) { return __clzll((i64)a); }
GX_DEV i32 gx_first_one(u32 a) { return __ffs((i32)a) - 1; } /* -1 for 0 */
GX_DEV i32 gx_first_one(u64 a) { return __ffsll((i64)a) - 1; }
GX_DEV f32 gx_quotient(f32 a, f32 b) { return __fdiv_rn(a, b); }
GX_DEV f64 gx_quotient(f64 a, f64 b) { return __ddiv_rn(a, b); }
GX_DEV f32 gx_root(f32 a) { return __fsqrt_rn(a); }
GX_DEV f64 gx_root(f64 a) { return __dsqrt_rn(a); }
GX_DEV f32 gx_fused(f32 a, f32 b, f32 c) { return __fmaf_rn(a, b, c); }
GX_DEV f64 gx_fused(f64 a, f64 b, f64 c) { return __fma_rn(a, b, c); }

/* Towards zero and saturating, as the instructions do; a may not be NaN. */
GX_DEV i32 gx_whole(f32 a, i32) { return __float2int_rz(a); }
GX_DEV u32 gx_whole(f32 a, u32) { return __float2uint_rz(a); }
GX_DEV i64 gx_whole(f32 a, i64) { return __float2ll_rz(a); }
GX_DEV u64 gx_whole(f32 a, u64) { return __float2ull_rz(a); }
GX_DEV i32 gx_whole(f64 a, i32) { return __double2int_rz(a); }
GX_DEV u32 gx_whole(f64 a, u32) { return __double2uint_rz(a); }
GX_DEV i64 gx_whole(f64 a, i64) { return __double2ll_rz(a); }
GX_DEV u64 gx_whole(f64 a, u64) { return __double2ull_rz(a); }

/* f16 and bf16 from and to f32, rounded once to nearest, halves to even. */
GX_DEV f32 gx_wide(f16 a) {
    f32 r;
    asm("cvt.f32.f16 %0, %1;" : "=f"(r) : "h"(a.bits));
    return r;
}
GX_DEV void gx_round(f32 a, f16 &r) {
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(r.bits) : "f"(a));
}
#if __CUDA_ARCH__ >= 800
#define GX_ROUNDS_BF16
GX_DEV void gx_round(f32 a, bf16 &r) {
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r.bits) : "f"(a));
}
#endif
#endif

/* ---- types ---- */

enum { GX_BOOL, GX_SIGNED, GX_UNSIGNED, GX_FLOAT, GX_HALF };

/* U: the unsigned type of equal width, W: the one that integers are computed in. */
template <class T> struct gx_type;
#define GX_TYPE(T, unsigned_type, word_type, width, which)                                      \
    template <> struct gx_type<T> {                                                             \
        typedef unsigned_type U;                                                                \
        typedef word_type W;                                                                    \
        static constexpr int bits = width, kind = which;                                        \
    };
GX_TYPE(bool, u8, u32, 8, GX_BOOL)
GX_TYPE(i8, u8, u32, 8, GX_SIGNED)
GX_TYPE(i16, u16, u32, 16, GX_SIGNED)
GX_TYPE(i32, u32, u32, 32, GX_SIGNED)
GX_TYPE(i64, u64, u64, 64, GX_SIGNED)
GX_TYPE(u8, u8, u32, 8, GX_UNSIGNED)
GX_TYPE(u16, u16, u32, 16, GX_UNSIGNED)
GX_TYPE(u32, u32, u32, 32, GX_UNSIGNED)
GX_TYPE(u64, u64, u64, 64, GX_UNSIGNED)
GX_TYPE(f16, u16, u32, 16, GX_HALF)
GX_TYPE(bf16, u16, u32, 16, GX_HALF)
GX_TYPE(f32, u32, u32, 32, GX_FLOAT)
GX_TYPE(f64, u64, u64, 64, GX_FLOAT)

#define GX_U typename gx_type<T>::U
#define GX_W typename gx_type<T>::W
#define GX_IS(T, which) (gx_type<T>::kind == which)

/* The same bits as another type of equal width. */
template <class To, class From> GX_DEV To gx_bits(From a) {
    static_assert(sizeof(To) == sizeof(From), "bits of another width");
    union {
        From from;
        To to;
    } both;
    both.from = a;
    return both.to;
}

GX_DEV f32 gx_wide(bf16 a) { return gx_bits<f32>((u32)a.bits << 16); }
#ifndef GX_ROUNDS_BF16
GX_DEV void gx_round(f32 a, bf16 &r) {
    u32 u = gx_bits<u32>(a);
    u32 rounded = u + 0x7fff + (u >> 16 & 1), quiet = u | 0x400000;
    r.bits = (u16)((a != a ? quiet : rounded) >> 16);
}
#endif
template <class T> GX_DEV T gx_narrow(f32 a) {
    T r;
    gx_round(a, r);
    return r;
}

/* Ops on f16 and bf16 are done in f32 and rounded. */
#define GX_HALVES(of) of(f16) of(bf16)

/* ---- arithmetic ---- */

#define GX_ARITHMETIC(name, sign)                                                               \
    template <class T> GX_DEV T name(T a, T b) {                                                \
        if constexpr (GX_IS(T, GX_HALF))                                                        \
            return gx_narrow<T>(gx_wide(a) sign gx_wide(b));                                    \
        else if constexpr (GX_IS(T, GX_FLOAT))                                                  \
            return a sign b;                                                                    \
        else                                                                                    \
            return (T)((GX_W)a sign (GX_W)b);                                                   \
    }
GX_ARITHMETIC(gx_add, +)
GX_ARITHMETIC(gx_sub, -)
GX_ARITHMETIC(gx_mul, *)

template <class T> GX_DEV T gx_neg(T a) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(-gx_wide(a));
    else if constexpr (GX_IS(T, GX_FLOAT))
        return -a;
    else
        return (T)(0 - (GX_W)a);
}

template <class T> GX_DEV T gx_fma(T a, T b, T c) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(gx_fused(gx_wide(a), gx_wide(b), gx_wide(c)));
    else if constexpr (GX_IS(T, GX_FLOAT))
        return gx_fused(a, b, c);
    else
        return (T)((GX_W)a * (GX_W)b + (GX_W)c);
}

/* Integers are divided by what neither traps nor overflows: a zero divisor, for which the caller
   tests where it matters, gives any value, and -1 is done by negation. */
template <class T> GX_DEV T gx_divisor(T d) {
    return d == 0 || (GX_IS(T, GX_SIGNED) && d == (T)-1) ? (T)1 : d;
}

template <class T> GX_DEV T gx_div(T a, T d) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(gx_quotient(gx_wide(a), gx_wide(d)));
    else if constexpr (GX_IS(T, GX_FLOAT))
        return gx_quotient(a, d);
    else if constexpr (GX_IS(T, GX_SIGNED))
        return d == (T)-1 ? gx_neg(a) : (T)(a / gx_divisor(d));
    else
        return (T)(a / gx_divisor(d));
}

GX_DEV f32 gx_rest(f32 a, f32 d) { return fmodf(a, d); }
GX_DEV f64 gx_rest(f64 a, f64 d) { return fmod(a, d); }

template <class T> GX_DEV T gx_mod(T a, T d) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(gx_rest(gx_wide(a), gx_wide(d)));
    else if constexpr (GX_IS(T, GX_FLOAT))
        return gx_rest(a, d);
    else
        return (T)(a % gx_divisor(d));
}

GX_DEV f32 gx_down(f32 a) { return floorf(a); }
GX_DEV f64 gx_down(f64 a) { return floor(a); }
GX_DEV f32 gx_with_sign(f32 a, f32 of) { return copysignf(a, of); }
GX_DEV f64 gx_with_sign(f64 a, f64 of) { return copysign(a, of); }

template <class T> GX_DEV T gx_fdiv(T a, T d) {
    if constexpr (GX_IS(T, GX_HALF)) {
        return gx_narrow<T>(gx_down(gx_quotient(gx_wide(a), gx_wide(d))));
    } else if constexpr (GX_IS(T, GX_FLOAT)) {
        return gx_down(gx_quotient(a, d));
    } else if constexpr (GX_IS(T, GX_SIGNED)) {
        T q = gx_div(a, d), r = gx_mod(a, d);
        return r != 0 && (r ^ d) < 0 ? (T)(q - 1) : q;
    } else {
        return gx_div(a, d);
    }
}

/* Of floats: exact but for the last addition; a zero has the divisor's sign. */
template <class T> GX_DEV T gx_fmod(T a, T d) {
    if constexpr (GX_IS(T, GX_HALF)) {
        return gx_narrow<T>(gx_fmod(gx_wide(a), gx_wide(d)));
    } else if constexpr (GX_IS(T, GX_FLOAT)) {
        T m = gx_rest(a, d);
        if (m == 0)
            return gx_with_sign((T)0, d);
        return (m < 0) != (d < 0) ? m + d : m;
    } else {
        T r = gx_mod(a, d);
        return GX_IS(T, GX_SIGNED) && r != 0 && (r ^ d) < 0 ? (T)(r + d) : r;
    }
}

/* Of integers; the caller rules out negative exponents. */
template <class T, class N> GX_DEV T gx_pow(T a, N exponent) {
    GX_W power = 1, square = (GX_W)a;
    typename gx_type<N>::U n = (typename gx_type<N>::U)exponent;
    GX_UNROLL1
    for (; n; n = (typename gx_type<N>::U)(n >> 1), square *= square)
        if (n & 1)
            power *= square;
    return (T)power;
}

/* ---- bits ---- */

template <class T> GX_DEV T gx_and(T a, T b) { return (T)(a & b); }
template <class T> GX_DEV T gx_or(T a, T b) { return (T)(a | b); }
template <class T> GX_DEV T gx_xor(T a, T b) { return (T)(a ^ b); }

template <class T> GX_DEV T gx_not(T a) {
    if constexpr (GX_IS(T, GX_BOOL))
        return !a;
    else
        return (T)~a;
}

/* A negative amount is one by more than the width. */
template <class T, class N> GX_DEV T gx_shl(T a, N amount) {
    u64 n = (u64)(typename gx_type<N>::U)amount;
    return n >= gx_type<T>::bits ? (T)0 : (T)((GX_W)a << (u32)n);
}

template <class T, class N> GX_DEV T gx_shr(T a, N amount) {
    u64 n = (u64)(typename gx_type<N>::U)amount;
    if constexpr (GX_IS(T, GX_SIGNED))
        return (T)(a >> (n >= gx_type<T>::bits ? gx_type<T>::bits - 1 : (i32)n));
    else
        return n >= gx_type<T>::bits ? (T)0 : (T)(a >> (u32)n);
}

template <class T> GX_DEV T gx_popcount(T a) { return (T)gx_count_ones((GX_W)(GX_U)a); }

template <class T> GX_DEV T gx_clz(T a) {
    return (T)(gx_leading_zeros((GX_W)(GX_U)a) - (i32)(8 * sizeof(GX_W)) + gx_type<T>::bits);
}

template <class T> GX_DEV T gx_ctz(T a) {
    return (T)(a == 0 ? gx_type<T>::bits : gx_first_one((GX_W)(GX_U)a));
}

/* ---- order ---- */

#define GX_HALF_COMPARISONS(T)                                                                  \
    GX_DEV bool operator==(T a, T b) { return gx_wide(a) == gx_wide(b); }                       \
    GX_DEV bool operator!=(T a, T b) { return gx_wide(a) != gx_wide(b); }                       \
    GX_DEV bool operator<(T a, T b) { return gx_wide(a) < gx_wide(b); }                         \
    GX_DEV bool operator<=(T a, T b) { return gx_wide(a) <= gx_wide(b); }                       \
    GX_DEV bool operator>(T a, T b) { return gx_wide(a) > gx_wide(b); }                         \
    GX_DEV bool operator>=(T a, T b) { return gx_wide(a) >= gx_wide(b); }
GX_HALVES(GX_HALF_COMPARISONS)

template <class T> GX_DEV bool gx_is_nan(T a) {
    if constexpr (GX_IS(T, GX_HALF) || GX_IS(T, GX_FLOAT))
        return a != a;
    else
        return false;
}

/* An integer that orders as the floats do, NaN above all. */
template <class T> GX_DEV i64 gx_order_key(T a) {
    const i64 most = (i64)(~0ull >> (65 - gx_type<T>::bits));
    const i32 unused = 64 - gx_type<T>::bits;
    i64 u = (i64)((u64)gx_bits<GX_U>(a) << unused) >> unused;
    return gx_is_nan(a) ? most : u < 0 ? u ^ most : u;
}

template <class T> GX_DEV bool gx_before(T a, T b) {
    if constexpr (GX_IS(T, GX_HALF) || GX_IS(T, GX_FLOAT))
        return gx_order_key(a) < gx_order_key(b);
    else
        return a < b;
}

/* Equal floats differ at most in the sign of a zero: or-ing their bits makes the smaller. */
template <class T> GX_DEV T gx_min(T a, T b) {
    if constexpr (GX_IS(T, GX_HALF) || GX_IS(T, GX_FLOAT)) {
        T equal = gx_bits<T>((GX_U)(gx_bits<GX_U>(a) | gx_bits<GX_U>(b)));
        return gx_is_nan(b) ? a : a == b ? equal : a < b ? a : b;
    } else {
        return a < b ? a : b;
    }
}

template <class T> GX_DEV T gx_max(T a, T b) {
    if constexpr (GX_IS(T, GX_HALF) || GX_IS(T, GX_FLOAT)) {
        T equal = gx_bits<T>((GX_U)(gx_bits<GX_U>(a) & gx_bits<GX_U>(b)));
        return gx_is_nan(b) ? a : a == b ? equal : a > b ? a : b;
    } else {
        return a < b ? b : a;
    }
}

template <class T> GX_DEV T gx_abs(T a) {
    if constexpr (GX_IS(T, GX_HALF) || GX_IS(T, GX_FLOAT))
        return gx_bits<T>((GX_U)(gx_bits<GX_U>(a) & (GX_U)((GX_U)~(GX_U)0 >> 1)));
    else
        return GX_IS(T, GX_SIGNED) && a < (T)0 ? gx_neg(a) : a;
}

template <class T> GX_DEV T gx_sign(T a) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(gx_sign(gx_wide(a)));
    else if constexpr (GX_IS(T, GX_FLOAT))
        return a > 0 ? (T)1 : a < 0 ? (T)-1 : a != a ? a : (T)0;
    else
        return GX_IS(T, GX_SIGNED) && a < (T)0 ? (T)-1 : (T)(a != 0);
}

/* Says that the bool is seldom true. */
GX_DEV bool gx_rare(bool a) { return __builtin_expect(a, 0); }

/* ---- whole numbers and roots ---- */

GX_DEV f32 gx_up(f32 a) { return ceilf(a); }
GX_DEV f64 gx_up(f64 a) { return ceil(a); }
GX_DEV f32 gx_nearest(f32 a) { return rintf(a); }
GX_DEV f64 gx_nearest(f64 a) { return rint(a); }
GX_DEV f32 gx_inward(f32 a) { return truncf(a); }
GX_DEV f64 gx_inward(f64 a) { return trunc(a); }

#define GX_WHOLE(name, of_float)                                                                \
    template <class T> GX_DEV T name(T a) {                                                     \
        if constexpr (GX_IS(T, GX_HALF))                                                        \
            return gx_narrow<T>(of_float(gx_wide(a)));                                          \
        else if constexpr (GX_IS(T, GX_FLOAT))                                                  \
            return of_float(a);                                                                 \
        else                                                                                    \
            return a;                                                                           \
    }
GX_WHOLE(gx_floor, gx_down)
GX_WHOLE(gx_ceil, gx_up)
GX_WHOLE(gx_rint, gx_nearest)
GX_WHOLE(gx_trunc, gx_inward)

template <class T> GX_DEV T gx_sqrt(T a) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(gx_root(gx_wide(a)));
    else
        return gx_root(a);
}

/* ---- conversions ---- */

/* f64 to f32, rounding to odd: a second rounding to a shorter format is then correct. */
GX_DEV f32 gx_odd(f64 a) {
    f32 f = (f32)a;
    f64 back = (f64)f;
    u32 u = gx_bits<u32>(f);
    if (gx_abs(back) > gx_abs(a))
        u -= 1;
    if (back < a || back > a)
        u |= 1;
    return gx_bits<f32>(u);
}

/* Keeps 53 significant bits of a 64-bit integer, the last one odd if any bit was lost. */
template <class T> GX_DEV T gx_squeezed(T a) {
    u64 u = (u64)a, size = (u64)gx_abs(a);
    u64 kept = (u & ~0x7ffull) | (u64)((u & 0x7ff) != 0) << 11;
    return size >= 1ull << 53 ? (T)kept : a;
}

template <class To, class From> GX_DEV To gx_float_of_int(From a) {
    if constexpr (!GX_IS(To, GX_HALF))
        return (To)a;
    else if constexpr (gx_type<From>::bits <= 16)
        return gx_narrow<To>((f32)a);
    else if constexpr (gx_type<From>::bits == 32)
        return gx_narrow<To>(gx_odd((f64)a));
    else
        return gx_narrow<To>(gx_odd((f64)gx_squeezed(a)));
}

template <class To, class From> GX_DEV To gx_int_of_float(From a) {
    if constexpr (GX_IS(To, GX_BOOL)) {
        return a != 0;
    } else if constexpr (gx_type<To>::bits >= 32) {
        return a != a ? (To)0 : gx_whole(a, (To)0);
    } else {
        const i32 most = GX_IS(To, GX_SIGNED) ? (1 << (gx_type<To>::bits - 1)) - 1
                                              : (1 << gx_type<To>::bits) - 1;
        const i32 least = GX_IS(To, GX_SIGNED) ? -most - 1 : 0;
        i32 n = a != a ? 0 : gx_whole(a, 0);
        return (To)(n < least ? least : n > most ? most : n);
    }
}

template <class A, class B> struct gx_same { static constexpr bool yes = false; };
template <class A> struct gx_same<A, A> { static constexpr bool yes = true; };

template <class To, class From> GX_DEV To gx_convert(From a) {
    constexpr bool to_half = GX_IS(To, GX_HALF), to_float = to_half || GX_IS(To, GX_FLOAT);
    if constexpr (gx_same<To, From>::yes)
        return a;
    else if constexpr (GX_IS(From, GX_HALF))
        return gx_convert<To>(gx_wide(a));
    else if constexpr (!GX_IS(From, GX_FLOAT) && to_float)
        return gx_float_of_int<To>(a);
    else if constexpr (!GX_IS(From, GX_FLOAT))
        return (To)a;
    else if constexpr (!to_float)
        return gx_int_of_float<To>(a);
    else if constexpr (!to_half)
        return (To)a;
    else if constexpr (gx_type<From>::bits == 64)
        return gx_narrow<To>(gx_odd(a));
    else
        return gx_narrow<To>(a);
}

/* ---- scaling by powers of two ---- */

GX_DEV f32 gx_power_of_two(f32, i32 e) { return gx_bits<f32>((u32)(e + 127) << 23); }
GX_DEV f64 gx_power_of_two(f64, i32 e) { return gx_bits<f64>((u64)(e + 1023) << 52); }

/* By two products, of which at most the last one rounds: k is cut to where the result is infinite or
   0 whatever a is, and halved. */
template <class T> GX_DEV T gx_scale(T a, T k) {
    const T most = gx_type<T>::bits == 32 ? (T)250 : (T)2000;
    k = k < -most ? -most : k > most ? most : k;
    i32 n = gx_convert<i32>(k), half = n >> 1;
    return a * gx_power_of_two(a, half) * gx_power_of_two(a, n - half);
}

/* ---- memory that other threads see ---- */

#define GX_LOAD(name)                                                                           \
    template <class T> GX_DEV T gx_load_##name(const T *p) {                                    \
        return gx_bits<T>(gx_memory<sizeof(T)>::load_##name(p));                                \
    }
#define GX_STORE(name)                                                                          \
    template <class T> GX_DEV void gx_store_##name(T *p, T v) {                                 \
        typedef gx_memory<sizeof(T)> M;                                                         \
        M::store_##name(p, gx_bits<typename M::word>(v));                                       \
    }
GX_LOAD(acquire)
GX_LOAD(acquire_sys)
GX_LOAD(relaxed)
GX_STORE(release)
GX_STORE(release_sys)
GX_STORE(relaxed)

/* ---- values of other lanes ---- */

/* Scalars of 1, 2, 4 and 8 bytes travel as words. Every lane that mask names must call; a lane that
   would read outside the warp keeps its own value. */
template <class T> GX_DEV GX_W gx_to_word(T v) {
    if constexpr (GX_IS(T, GX_BOOL))
        return v;
    else
        return (GX_W)gx_bits<GX_U>(v);
}

template <class T> GX_DEV T gx_of_word(GX_W w) {
    if constexpr (GX_IS(T, GX_BOOL))
        return w != 0;
    else
        return gx_bits<T>((GX_U)w);
}

#define GX_SHUFFLE(name)                                                                        \
    template <class T> GX_DEV T gx_##name(T v, u32 by, u32 mask = ~0u) {                        \
        return gx_of_word<T>(gx_word_##name(gx_to_word(v), by, mask));                          \
    }
GX_SHUFFLE(shfl)
GX_SHUFFLE(shfl_up)
GX_SHUFFLE(shfl_down)
GX_SHUFFLE(shfl_xor)
