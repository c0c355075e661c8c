/* PNG images from [h, w]u8 (grey) and [h, w, 3]u8 (red, green, blue). */
#include "io/io.h"

#include <png.h>
#include <string.h>

static void add_bytes(png_structp png, png_bytep data, png_size_t size) {
    text_add(png_get_io_ptr(png), (const char *)data, size);
}

static void flush_nothing(png_structp png) {
    (void)png;
}

static void report(png_structp png, png_const_charp message) {
    GactError *error = png_get_error_ptr(png);
    error_set(error, GACT_BAD_INPUT, "cannot make the image: %s", message);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

static bool encode(Text *out, const uint8_t *pixels, int64_t h, int64_t w, int channels,
                   GactError *error) {
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, error, report, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, out, add_bytes, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)w, (png_uint_32)h, 8,
                 channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int64_t i = 0; i < h; i++)
        png_write_row(png, pixels + i * w * channels);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return true;
}

bool png_write(Text *out, const WriteItem *items, int n, GactError *error) {
    const GactType *t = items->type;
    const GactSlot *s = items->slots;
    bool fits = n == 1 && !items->part && t->kind == GACT_ARRAY && t->elem->kind == GACT_U8 &&
                (t->rank == 2 || (t->rank == 3 && s[2].i == 3));
    if (!fits || s[0].i < 1 || s[1].i < 1 || s[0].i > INT32_MAX || s[1].i > INT32_MAX) {
        error_set(error, GACT_BAD_INPUT,
                  "output %s: a .png file holds [h, w]u8 or [h, w, 3]u8, not empty", items->name);
        return false;
    }
    return encode(out, s[t->rank + 1].p, s[0].i, s[1].i, t->rank == 3 ? 3 : 1, error);
}
