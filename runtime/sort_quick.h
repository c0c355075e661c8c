/* Vectorised quicksort of u32 and u64 in place, for processors that compress vectors: the instances
   of sort_vectors.h and what they share. Equal keys are alike, so that it need not be stable. */
#ifndef GACT_SORT_QUICK_H
#define GACT_SORT_QUICK_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>

#define QUICK_TARGET __attribute__((target("avx512f,avx512dq,bmi2,popcnt")))
#define QUICK_INLINE static inline __attribute__((always_inline)) QUICK_TARGET

enum {
    QUICK_ROWS = 16, /* vectors of a part that is sorted in registers */
    QUICK_AHEAD = 6  /* blocks that are fetched before they are cut */
};

/* clang-format off */
/* Green's network for 16 keys. */
#define QUICK_NETWORK(X) \
    X(0, 1) X(2, 3) X(4, 5) X(6, 7) X(8, 9) X(10, 11) X(12, 13) X(14, 15) \
    X(0, 2) X(1, 3) X(4, 6) X(5, 7) X(8, 10) X(9, 11) X(12, 14) X(13, 15) \
    X(0, 4) X(1, 5) X(2, 6) X(3, 7) X(8, 12) X(9, 13) X(10, 14) X(11, 15) \
    X(0, 8) X(1, 9) X(2, 10) X(3, 11) X(4, 12) X(5, 13) X(6, 14) X(7, 15) \
    X(5, 10) X(6, 9) X(3, 12) X(13, 14) X(4, 8) X(7, 11) X(1, 2) X(1, 4) \
    X(7, 13) X(2, 8) X(11, 14) X(2, 4) X(5, 6) X(9, 10) X(11, 13) X(3, 8) \
    X(7, 12) X(6, 8) X(10, 12) X(3, 5) X(7, 9) X(3, 4) X(5, 6) X(7, 8) \
    X(9, 10) X(11, 12) X(6, 7) X(8, 9)
/* clang-format on */

/* The quarters of a and b, 128 bits each, whose numbers are even and odd. */
#define QUICK_EVEN(a, b) _mm512_shuffle_i64x2((a), (b), 0x88)
#define QUICK_ODD(a, b)  _mm512_shuffle_i64x2((a), (b), 0xdd)

/* v0 … v3 become the first … last quarters of all. */
QUICK_INLINE void transpose_quarters(__m512i *v0, __m512i *v1, __m512i *v2, __m512i *v3) {
    __m512i even01 = QUICK_EVEN(*v0, *v1), odd01 = QUICK_ODD(*v0, *v1);
    __m512i even23 = QUICK_EVEN(*v2, *v3), odd23 = QUICK_ODD(*v2, *v3);
    *v0 = QUICK_EVEN(even01, even23);
    *v1 = QUICK_EVEN(odd01, odd23);
    *v2 = QUICK_ODD(even01, even23);
    *v3 = QUICK_ODD(odd01, odd23);
}

/* Makes columns rows. */
QUICK_INLINE void transpose_u32(__m512i v[QUICK_ROWS]) {
    __m512i w[QUICK_ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < QUICK_ROWS; i += 2) {
        w[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        w[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    /* w[4 i + c] becomes rows 4 i … 4 i + 3 of columns c, c + 4, c + 8 and c + 12. */
#pragma GCC unroll 4
    for (int i = 0; i < QUICK_ROWS; i += 4) {
        v[i] = _mm512_unpacklo_epi64(w[i], w[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(w[i], w[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(w[i + 1], w[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(w[i + 1], w[i + 3]);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; c++)
        transpose_quarters(&v[c], &v[c + 4], &v[c + 8], &v[c + 12]);
}

/* Makes columns pairs of rows. */
QUICK_INLINE void transpose_u64(__m512i v[QUICK_ROWS]) {
    __m512i w[QUICK_ROWS];
    /* w[i + c] becomes rows i and i + 1 of columns c, c + 2, c + 4 and c + 6. */
#pragma GCC unroll 8
    for (int i = 0; i < QUICK_ROWS; i += 2) {
        w[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
        w[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
    }
#pragma GCC unroll 4
    for (int c = 0; c < 2; c++)
#pragma GCC unroll 4
        for (int half = 0; half < 2; half++) {
            __m512i *at = w + 8 * half + c;
            transpose_quarters(&at[0], &at[2], &at[4], &at[6]);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                v[2 * (2 * i + c) + half] = at[2 * i];
        }
}

#define QUICK_NAME(x)           x##_u32
#define QUICK_KEY               uint32_t
#define QUICK_LANES             16
#define QUICK_MASK              __mmask16
#define QUICK_IOTA              _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define QUICK_SPLAT(x)          _mm512_set1_epi32((int32_t)(x))
#define QUICK_FIRST(v)          ((uint32_t)_mm512_cvtsi512_si32(v))
#define QUICK_OP(op)            _mm512_##op##_epi32
#define QUICK_CUT(m, a, b)      _mm512_mask_cmple_epu32_mask((m), (a), (b))
#define QUICK_MIN(a, b)         _mm512_min_epu32((a), (b))
#define QUICK_MAX(a, b)         _mm512_max_epu32((a), (b))
#define QUICK_PICK(upper, a, b) _mm512_mask_max_epu32(_mm512_min_epu32((a), (b)), (upper), (a), (b))
#include "sort_vectors.h"

/* The minimum of such lanes takes longer than a comparison and a choice. */
#define QUICK_NAME(x)      x##_u64
#define QUICK_KEY          uint64_t
#define QUICK_LANES        8
#define QUICK_MASK         __mmask8
#define QUICK_IOTA         _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)
#define QUICK_SPLAT(x)     _mm512_set1_epi64((int64_t)(x))
#define QUICK_FIRST(v)     ((uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(v)))
#define QUICK_OP(op)       _mm512_##op##_epi64
#define QUICK_CUT(m, a, b) _mm512_mask_cmple_epu64_mask((m), (a), (b))
#define QUICK_MIN(a, b)    _mm512_mask_blend_epi64(_mm512_cmple_epu64_mask((a), (b)), (b), (a))
#define QUICK_MAX(a, b)    _mm512_mask_blend_epi64(_mm512_cmple_epu64_mask((a), (b)), (a), (b))
#define QUICK_PICK(upper, a, b)                                                                    \
    _mm512_mask_blend_epi64(_mm512_cmple_epu64_mask((a), (b)) ^ (upper), (b), (a))
#include "sort_vectors.h"

static bool has_quick(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("bmi2");
}

#else

static bool has_quick(void) {
    return false;
}

static void quick_u32(uint32_t *keys, int64_t n, int cuts) {
    (void)keys, (void)n, (void)cuts;
}

static void quick_u64(uint64_t *keys, int64_t n, int cuts) {
    (void)keys, (void)n, (void)cuts;
}

#endif

#endif
