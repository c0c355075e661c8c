/* Stands before the prelude where clang makes PTX: clang knows CUDA's language but, without NVIDIA's
   headers, none of its functions. These are the ones that the prelude's part "the machine" calls. */
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __host__ __attribute__((host))
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
struct uint3 { unsigned x, y, z; };
struct dim3 { unsigned x, y, z; };
#include <__clang_cuda_builtin_vars.h>

#define GXC static __device__ __forceinline__
typedef unsigned long long gxc_word;

/* ---- blocks and warps ---- */

GXC int __syncthreads_count(int p) { return __nvvm_bar0_popc(p); }
GXC int __syncthreads_or(int p) { return __nvvm_bar0_or(p); }
GXC int __syncthreads_and(int p) { return __nvvm_bar0_and(p); }
GXC void __syncwarp(unsigned mask) { __nvvm_bar_warp_sync(mask); }
GXC void __threadfence() { __nvvm_membar_gl(); }
GXC void __threadfence_block() { __nvvm_membar_cta(); }
GXC void __nanosleep(unsigned ns) { __nvvm_nanosleep(ns); }
GXC unsigned __ballot_sync(unsigned mask, int p) { return __nvvm_vote_ballot_sync(mask, p); }
GXC int __any_sync(unsigned mask, int p) { return __nvvm_vote_any_sync(mask, p); }
GXC int __all_sync(unsigned mask, int p) { return __nvvm_vote_all_sync(mask, p); }
GXC unsigned __match_any_sync(unsigned mask, unsigned long long v) {
    return __nvvm_match_any_sync_i64(mask, (long long)v);
}

/* A shuffle of words of 4 bytes, and of 8 as two of these. */
#define GXC_SHUFFLE(name, builtin, T, bound)                                                    \
    GXC unsigned name(unsigned mask, unsigned v, T by) {                                        \
        return (unsigned)builtin(mask, (int)v, (int)by, bound);                                 \
    }                                                                                           \
    GXC gxc_word name(unsigned mask, gxc_word v, T by) {                                        \
        unsigned low = name(mask, (unsigned)v, by), high = name(mask, (unsigned)(v >> 32), by); \
        return (gxc_word)high << 32 | low;                                                      \
    }
GXC_SHUFFLE(__shfl_sync, __nvvm_shfl_sync_idx_i32, int, 31)
GXC_SHUFFLE(__shfl_up_sync, __nvvm_shfl_sync_up_i32, unsigned, 0)
GXC_SHUFFLE(__shfl_down_sync, __nvvm_shfl_sync_down_i32, unsigned, 31)
GXC_SHUFFLE(__shfl_xor_sync, __nvvm_shfl_sync_bfly_i32, int, 31)

/* ---- memory ---- */

GXC unsigned long __cvta_generic_to_global(const void *p) {
    return (unsigned long)(const __attribute__((address_space(1))) void *)p;
}

#define GXC_ATOMIC(name, T, builtin, U)                                                         \
    GXC T name(T *p, T v) { return (T)builtin((U *)p, (U)v); }
#define GXC_ATOMIC_BITS(name, builtin)                                                          \
    GXC_ATOMIC(name, int, builtin##_i, int)                                                     \
    GXC_ATOMIC(name, unsigned, builtin##_i, int)                                                \
    GXC_ATOMIC(name, long long, builtin##_ll, long long)                                        \
    GXC_ATOMIC(name, gxc_word, builtin##_ll, long long)
#define GXC_ATOMIC_ORDER(name, builtin)                                                         \
    GXC_ATOMIC(name, int, builtin##_i, int)                                                     \
    GXC_ATOMIC(name, unsigned, builtin##_ui, unsigned)                                          \
    GXC_ATOMIC(name, long long, builtin##_ll, long long)                                        \
    GXC_ATOMIC(name, gxc_word, builtin##_ull, gxc_word)
GXC_ATOMIC_BITS(atomicAdd, __nvvm_atom_add_gen)
GXC_ATOMIC_BITS(atomicAnd, __nvvm_atom_and_gen)
GXC_ATOMIC_BITS(atomicOr, __nvvm_atom_or_gen)
GXC_ATOMIC_BITS(atomicXor, __nvvm_atom_xor_gen)
GXC_ATOMIC_BITS(atomicExch, __nvvm_atom_xchg_gen)
GXC_ATOMIC_ORDER(atomicMin, __nvvm_atom_min_gen)
GXC_ATOMIC_ORDER(atomicMax, __nvvm_atom_max_gen)
GXC unsigned atomicCAS(unsigned *p, unsigned was, unsigned v) {
    return (unsigned)__nvvm_atom_cas_gen_i((int *)p, (int)was, (int)v);
}
GXC gxc_word atomicCAS(gxc_word *p, gxc_word was, gxc_word v) {
    return (gxc_word)__nvvm_atom_cas_gen_ll((long long *)p, (long long)was, (long long)v);
}

/* ---- numbers ---- */

GXC int __popc(unsigned a) { return __builtin_popcount(a); }
GXC int __popcll(gxc_word a) { return __builtin_popcountll(a); }
GXC int __clz(int a) { return a ? __builtin_clz((unsigned)a) : 32; }
GXC int __clzll(long long a) { return a ? __builtin_clzll((gxc_word)a) : 64; }
GXC int __ffs(int a) { return __builtin_ffs(a); }
GXC int __ffsll(long long a) { return __builtin_ffsll(a); }
GXC float __fdiv_rn(float a, float b) { return __nvvm_div_rn_f(a, b); }
GXC double __ddiv_rn(double a, double b) { return __nvvm_div_rn_d(a, b); }
GXC float __fsqrt_rn(float a) { return __nvvm_sqrt_rn_f(a); }
GXC double __dsqrt_rn(double a) { return __nvvm_sqrt_rn_d(a); }
GXC float __fmaf_rn(float a, float b, float c) { return __nvvm_fma_rn_f(a, b, c); }
GXC double __fma_rn(double a, double b, double c) { return __nvvm_fma_rn_d(a, b, c); }
GXC int __float2int_rz(float a) { return __nvvm_f2i_rz(a); }
GXC unsigned __float2uint_rz(float a) { return __nvvm_f2ui_rz(a); }
GXC long long __float2ll_rz(float a) { return __nvvm_f2ll_rz(a); }
GXC gxc_word __float2ull_rz(float a) { return __nvvm_f2ull_rz(a); }
GXC int __double2int_rz(double a) { return __nvvm_d2i_rz(a); }
GXC unsigned __double2uint_rz(double a) { return __nvvm_d2ui_rz(a); }
GXC long long __double2ll_rz(double a) { return __nvvm_d2ll_rz(a); }
GXC gxc_word __double2ull_rz(double a) { return __nvvm_d2ull_rz(a); }
#define GXC_MATH(name)                                                                          \
    GXC float name##f(float a) { return __builtin_##name##f(a); }                               \
    GXC double name(double a) { return __builtin_##name(a); }
GXC_MATH(floor)
GXC_MATH(ceil)
GXC_MATH(rint)
GXC_MATH(trunc)
GXC_MATH(fabs)
GXC float copysignf(float a, float of) { return __builtin_copysignf(a, of); }
GXC double copysign(double a, double of) { return __builtin_copysign(a, of); }

/* A positive number as a whole one times 2^e; e counts from the least exponent. */
GXC gxc_word gxc_split(double a, int &e) {
    gxc_word bits = __builtin_bit_cast(gxc_word, a) & ~0ull >> 1, m = bits & ~0ull >> 12;
    e = (int)(bits >> 52);
    if (e)
        return m | 1ull << 52;
    int shift = __builtin_clzll(m) - 11;
    e = 1 - shift;
    return m << shift;
}

/* The remainder is exact: a's digits are divided one after the other. */
GXC double fmod(double a, double d) {
    if (d == 0 || d != d || a - a != 0)
        return (a * d) / (a * d);
    if (__builtin_fabs(a) < __builtin_fabs(d) || a == 0)
        return a;
    int ea, ed;
    gxc_word rest = gxc_split(a, ea), by = gxc_split(d, ed);
    for (;; ea--, rest <<= 1) {
        if (rest >= by)
            rest -= by;
        if (ea == ed)
            break;
    }
    if (!rest)
        return __builtin_copysign(0.0, a);
    int shift = __builtin_clzll(rest) - 11;
    ea -= shift;
    rest = ea > 0 ? (rest << shift & ~0ull >> 12) | (gxc_word)ea << 52 : rest << shift >> (1 - ea);
    return __builtin_copysign(__builtin_bit_cast(double, rest), a);
}
/* Of two floats it is a float, too. */
GXC float fmodf(float a, float d) { return (float)fmod((double)a, (double)d); }

