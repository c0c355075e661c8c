// A matrix product by tiles of 16 by 16; n is a side, a multiple of 16.
GX_KERNEL(matmul, args, 256) {
    GX_SHARED_ARRAY(f32, left, 256);
    GX_SHARED_ARRAY(f32, right, 256);
    u32 t = threadIdx.x, row = t / 16, column = t % 16;
    const f32 *x = (const f32 *)a.x, *y = (const f32 *)a.y;
    i64 r = blockIdx.y * 16ll + row, c = blockIdx.x * 16ll + column;
    f32 sum = 0;
    for (i64 k = 0; k < a.n; k += 16) {
        left[t] = x[r * a.n + k + column];
        right[t] = y[(k + row) * a.n + c];
        gx_sync();
        for (u32 j = 0; j < 16; j++)
            sum = gx_fma(left[row * 16 + j], right[j * 16 + column], sum);
        gx_sync();
    }
    ((f32 *)a.out)[r * a.n + c] = sum;
}
