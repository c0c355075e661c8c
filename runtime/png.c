/* PNG images. Written from [h, w]u8 (grey) and [h, w, 3]u8 (red, green, blue). Read as numbers from
   0 to 255, or to 65535 where the file has 16 bits: [h, w] for grey, else [h, w, c] with c the
   channels of the file: 2 are grey and opacity, 3 red, green and blue, 4 those and opacity.
   Palettes and transparent colours are expanded. */
#include "io/io.h"

#include <png.h>
#include <string.h>

/* ---- reading ---- */

typedef struct {
    const Reader *reader;
    Bytes left; /* of the file */
} Source;

static void take_bytes(png_structp png, png_bytep to, png_size_t size) {
    Source *s = png_get_io_ptr(png);
    if (size > s->left.size)
        png_error(png, "the file ends too early");
    memcpy(to, s->left.data, size);
    s->left.data += size;
    s->left.size -= size;
}

static void report_damage(png_structp png, png_const_charp message) {
    const Source *s = png_get_error_ptr(png);
    read_fail(s->reader, "%s is damaged: %s", s->reader->source, message);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
    (void)png;
    (void)message;
}

/* What the file's samples become, and the shape they have then. */
static void expand(png_structp png, png_infop info, Tensor *t) {
    png_set_expand(
        png); /* to 8 bits or more, palettes to colours, transparent colours to opacity */
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    int64_t size = png_get_bit_depth(png, info) / 8, channels = png_get_channels(png, info);
    t->rank = channels > 1 ? 3 : 2;
    t->dims[0] = png_get_image_height(png, info);
    t->dims[1] = png_get_image_width(png, info);
    t->dims[2] = channels;
    t->strides[0] = (int64_t)png_get_rowbytes(png, info);
    t->strides[1] = channels * size;
    t->strides[2] = size;
    t->fields[0] =
        (TensorField){.kind = size == 2 ? GACT_U16 : GACT_U8, .swap = size == 2, .size = size};
    t->elem_text = size == 2 ? "u16" : "u8";
}

/* Deflate makes at most 1032 bytes of one: a file that promises more has been cut or forged, and is
   refused before memory is taken for it. */
static bool is_plausible(png_structp png, png_infop info, size_t compressed) {
    return png_get_rowbytes(png, info) * png_get_image_height(png, info) / 1032 <= compressed;
}

static bool decode(png_structp png, png_infop info, Source *s, Tensor *t) {
    const Reader *r = s->reader;
    size_t size = s->left.size;
    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_read_fn(png, s, take_bytes);
    png_read_info(png, info);
    if (!is_plausible(png, info, size))
        png_error(png, "the file is too short for its picture");
    expand(png, info, t);
    char *pixels = region_alloc(r->region, (size_t)(t->dims[0] * t->strides[0]));
    png_bytep *rows = region_alloc(r->region, (size_t)t->dims[0] * sizeof *rows);
    for (int64_t i = 0; i < t->dims[0]; i++)
        rows[i] = (png_bytep)pixels + i * t->strides[0];
    png_read_image(png, rows);
    png_read_end(png, NULL);
    t->data = pixels;
    return true;
}

bool png_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    Source source = {r, file};
    TensorField field;
    Tensor tensor = {.nfields = 1, .fields = &field};
    if (part)
        return read_fail(r, "%s has no parts, so nothing stands behind a colon", r->source);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, report_damage, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool ok = info && decode(png, info, &source, &tensor);
    if (!info)
        read_fail(r, "there is no memory for %s", r->source);
    png_destroy_read_struct(&png, &info, NULL);
    return ok && tensor_to_value(r, &tensor, out);
}

/* ---- writing ---- */

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
