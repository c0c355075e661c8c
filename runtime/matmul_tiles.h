/* The instances of matmul_tile.h for this architecture, best first. */
#ifndef GACT_MATMUL_TILES_H
#define GACT_MATMUL_TILES_H

/* Computes the first `rows` rows (at most its own number) of a tile of c from packed panels; c's
   rows are c_row elements apart. first: c's old content is not read. */
typedef struct {
    int rows, cols;
    int size; /* of an element */
    void (*tile)(int rows, int64_t depth, const void *a, const void *b, void *c, int64_t c_row,
                 bool first);
    /* The whole of c[n, m] = a[n, k] b[k, m]. */
    void (*small)(int64_t n, int64_t k, int64_t m, const void *a, const void *b, void *c);
} TileKernel;

#if defined(__x86_64__)
#include <immintrin.h>

/* Ones, then zeros: the mask of the first n of `lanes` elements of `size` bytes lies between. */
alignas(64) static const int8_t first_lanes[64] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

#define FIRST_OF(lanes, size, n) \
    _mm256_loadu_si256((const __m256i *)(first_lanes + ((lanes) - (n)) * (size)))

#define TILE_NAME(x)      x##_f32_avx512
#define TILE_TARGET       __attribute__((target("avx512f")))
#define TILE_T            float
#define TILE_VEC          __m512
#define TILE_LANES        16
#define TILE_LOAD(p)      _mm512_loadu_ps(p)
#define TILE_STORE(p, v)  _mm512_storeu_ps((p), (v))
#define TILE_LOAD_PART(p, n)     _mm512_maskz_loadu_ps((__mmask16)((1 << (n)) - 1), (p))
#define TILE_STORE_PART(p, n, v) _mm512_mask_storeu_ps((p), (__mmask16)((1 << (n)) - 1), (v))
#define TILE_SPLAT(x)     _mm512_set1_ps(x)
#define TILE_FMA(a, b, c) _mm512_fmadd_ps((a), (b), (c))
#define TILE_ROWS         12
#define TILE_VECS         2
#include "matmul_tile.h"

#define TILE_NAME(x)      x##_f64_avx512
#define TILE_TARGET       __attribute__((target("avx512f")))
#define TILE_T            double
#define TILE_VEC          __m512d
#define TILE_LANES        8
#define TILE_LOAD(p)      _mm512_loadu_pd(p)
#define TILE_STORE(p, v)  _mm512_storeu_pd((p), (v))
#define TILE_LOAD_PART(p, n)     _mm512_maskz_loadu_pd((__mmask8)((1 << (n)) - 1), (p))
#define TILE_STORE_PART(p, n, v) _mm512_mask_storeu_pd((p), (__mmask8)((1 << (n)) - 1), (v))
#define TILE_SPLAT(x)     _mm512_set1_pd(x)
#define TILE_FMA(a, b, c) _mm512_fmadd_pd((a), (b), (c))
#define TILE_ROWS         12
#define TILE_VECS         2
#include "matmul_tile.h"

#define TILE_NAME(x)      x##_f32_avx2
#define TILE_TARGET       __attribute__((target("avx2,fma")))
#define TILE_T            float
#define TILE_VEC          __m256
#define TILE_LANES        8
#define TILE_LOAD(p)      _mm256_loadu_ps(p)
#define TILE_STORE(p, v)  _mm256_storeu_ps((p), (v))
#define TILE_LOAD_PART(p, n)     _mm256_maskload_ps((p), FIRST_OF(8, 4, n))
#define TILE_STORE_PART(p, n, v) _mm256_maskstore_ps((p), FIRST_OF(8, 4, n), (v))
#define TILE_SPLAT(x)     _mm256_set1_ps(x)
#define TILE_FMA(a, b, c) _mm256_fmadd_ps((a), (b), (c))
#define TILE_ROWS         6
#define TILE_VECS         2
#include "matmul_tile.h"

#define TILE_NAME(x)      x##_f64_avx2
#define TILE_TARGET       __attribute__((target("avx2,fma")))
#define TILE_T            double
#define TILE_VEC          __m256d
#define TILE_LANES        4
#define TILE_LOAD(p)      _mm256_loadu_pd(p)
#define TILE_STORE(p, v)  _mm256_storeu_pd((p), (v))
#define TILE_LOAD_PART(p, n)     _mm256_maskload_pd((p), FIRST_OF(4, 8, n))
#define TILE_STORE_PART(p, n, v) _mm256_maskstore_pd((p), FIRST_OF(4, 8, n), (v))
#define TILE_SPLAT(x)     _mm256_set1_pd(x)
#define TILE_FMA(a, b, c) _mm256_fmadd_pd((a), (b), (c))
#define TILE_ROWS         6
#define TILE_VECS         2
#include "matmul_tile.h"
#endif

/* Any machine: fma() is exact everywhere, and slow where the CPU has none. */
#define TILE_NAME(x) x##_f32_any
#define TILE_TARGET
#define TILE_T            float
#define TILE_VEC          float
#define TILE_LANES        1
#define TILE_LOAD(p)      (*(p))
#define TILE_STORE(p, v)  (*(p) = (v))
#define TILE_LOAD_PART(p, n)     ((void)(n), *(p))
#define TILE_STORE_PART(p, n, v) ((void)(n), *(p) = (v))
#define TILE_SPLAT(x)     ((float)(x))
#define TILE_FMA(a, b, c) __builtin_fmaf((a), (b), (c))
#define TILE_ROWS         4
#define TILE_VECS         4
#include "matmul_tile.h"

#define TILE_NAME(x) x##_f64_any
#define TILE_TARGET
#define TILE_T            double
#define TILE_VEC          double
#define TILE_LANES        1
#define TILE_LOAD(p)      (*(p))
#define TILE_STORE(p, v)  (*(p) = (v))
#define TILE_LOAD_PART(p, n)     ((void)(n), *(p))
#define TILE_STORE_PART(p, n, v) ((void)(n), *(p) = (v))
#define TILE_SPLAT(x)     ((double)(x))
#define TILE_FMA(a, b, c) __builtin_fma((a), (b), (c))
#define TILE_ROWS         4
#define TILE_VECS         4
#include "matmul_tile.h"

/* Writes a 4 by 4 block of 4-byte elements transposed; rows are that many elements apart. */
static inline void transpose_4x4(const char *from, int64_t from_row, char *to, int64_t to_row) {
#if defined(__x86_64__)
    const float *a = (const float *)from;
    float *b = (float *)to;
    __m128 r0 = _mm_loadu_ps(a), r1 = _mm_loadu_ps(a + from_row);
    __m128 r2 = _mm_loadu_ps(a + 2 * from_row), r3 = _mm_loadu_ps(a + 3 * from_row);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(b, r0);
    _mm_storeu_ps(b + to_row, r1);
    _mm_storeu_ps(b + 2 * to_row, r2);
    _mm_storeu_ps(b + 3 * to_row, r3);
#else
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            __builtin_memcpy(to + (j * to_row + i) * 4, from + (i * from_row + j) * 4, 4);
#endif
}

static const TileKernel *tile_kernel(bool is_double) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return is_double ? &kernel_f64_avx512 : &kernel_f32_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return is_double ? &kernel_f64_avx2 : &kernel_f32_avx2;
#endif
    return is_double ? &kernel_f64_any : &kernel_f32_any;
}

#endif
