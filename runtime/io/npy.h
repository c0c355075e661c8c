/* The .npy format, for .npz files too. */
#ifndef GACT_NPY_H
#define GACT_NPY_H

#include "io.h"

/* The block of a .npy file; data stays where it is. */
bool npy_tensor(const Reader *r, Bytes file, Tensor *out);
bool npy_write_value(Text *out, const WriteItem *item, GactError *error);

#endif
