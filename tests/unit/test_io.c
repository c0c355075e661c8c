/* Readers and writers: a matrix of NumPy element types, byte orders and layouts, archives, tables,
   JSON and plain files, each written by hand here; files cut off at every byte and with every byte
   changed must be refused or read, never crash. */
#include "../io/types.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

typedef bool (*ReadFn)(const Reader *r, Bytes file, const char *part, GactSlot *out);

/* The value as print shows it, or the message. The bytes are copied, so that a sanitizer sees every
   access outside them. */
static const char *read_bytes(Region *region, ReadFn read, const GactType *t, const char *wanted,
                              const void *bytes, size_t size, const char *part) {
    GactError error = {0};
    Text text = {.region = region};
    Reader r = {.region = region,
                .error = &error,
                .what = "input x",
                .source = "file",
                .type = t,
                .wanted = wanted ? wanted : t->text};
    char *copy = malloc(size ? size : 1);
    if (size)
        memcpy(copy, bytes, size);
    GactSlot *slots = region_zero(region, (size_t)t->slots, sizeof *slots);
    bool ok = read(&r, (Bytes){copy, size}, part, slots);
    if (ok)
        value_print(&text, t, slots);
    free(copy);
    return ok ? text_string(&text) : region_printf(region, "%s", error.text);
}

static void reads(ReadFn read, const GactType *t, const char *file, const char *part,
                  const char *wanted) {
    Region region = {0};
    assert_string_equal(read_bytes(&region, read, t, NULL, file, strlen(file), part), wanted);
    region_free(&region);
}

/* ---- .npy ---- */

static size_t put_header(char *out, int version, const char *dict) {
    size_t len = strlen(dict) + 1, start = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (char)version;
    out[7] = 0;
    for (size_t k = 8; k < start; k++)
        out[k] = (char)(len >> 8 * (k - 8));
    memcpy(out + start, dict, len - 1);
    out[start + len - 1] = '\n';
    return start + len;
}

static const struct {
    char letter;
    int size, kind;
} dtypes[] = {{'b', 1, GACT_BOOL}, {'i', 1, GACT_I8},  {'i', 2, GACT_I16}, {'i', 4, GACT_I32},
              {'i', 8, GACT_I64},  {'u', 1, GACT_U8},  {'u', 2, GACT_U16}, {'u', 4, GACT_U32},
              {'u', 8, GACT_U64},  {'f', 2, GACT_F16}, {'f', 4, GACT_F32}, {'f', 8, GACT_F64}};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/* A 2 x 3 block of the numbers 0, 1, 1, 0, 1, 0 in some layout. */
static size_t make_npy(char *out, int d, char order, bool fortran, int version) {
    static const int numbers[] = {0, 1, 1, 0, 1, 0};
    char dict[200];
    snprintf(dict, sizeof dict, "{'descr': '%c%c%d', 'fortran_order': %s, 'shape': (2, 3), }",
             order, dtypes[d].letter, dtypes[d].size, fortran ? "True" : "False");
    size_t at = put_header(out, version, dict);
    for (int k = 0; k < 6; k++) {
        int n = numbers[fortran ? k % 2 * 3 + k / 2 : k];
        char bytes[8];
        GactSlot slot = {.i = n};
        if (dtypes[d].letter == 'f')
            slot = scalar_of_float(dtypes[d].kind, n);
        scalar_store(dtypes[d].kind, bytes, slot);
        for (int b = 0; b < dtypes[d].size; b++)
            out[at++] = bytes[order == '>' ? dtypes[d].size - 1 - b : b];
    }
    return at;
}

static void test_npy_matrix(void **state) {
    char file[512];
    (void)state;
    for (int d = 0; d < DTYPES; d++)
        for (int layout = 0; layout < 12; layout++)
            for (int kind = 0; kind <= GACT_F64; kind++) {
                Region region = {0};
                const GactType *t = array_type(2, scalar_type(kind));
                size_t size = make_npy(file, d,
                                       layout & 1            ? '>'
                                       : dtypes[d].size == 1 ? '|'
                                                             : '<',
                                       layout & 2, 1 + layout / 4);
                const char *text = read_bytes(&region, npy_read, t, NULL, file, size, NULL);
                const char *wanted = kind == GACT_BOOL
                                         ? "[[false, true, true], [false, true, false]]"
                                     : kind_is_float(kind) ? "[[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]"
                                                           : "[[0, 1, 1], [0, 1, 0]]";
                assert_string_equal(text, wanted);
                region_free(&region);
            }
}

static void test_npy_damage(void **state) {
    char file[512];
    (void)state;
    for (int d = 0; d < DTYPES; d++) {
        size_t size = make_npy(file, d, '<', d & 1, 1 + d % 3);
        for (size_t cut = 0; cut < size; cut++) {
            Region region = {0};
            const char *text = read_bytes(&region, npy_read, array_type(2, scalar_type(GACT_F64)),
                                          NULL, file, cut, NULL);
            assert_non_null(strstr(text, "input x: expected [_, _]f64, but file is"));
            region_free(&region);
        }
        for (size_t at = 0; at < size; at++)
            for (int bit = 0; bit < 8; bit++) {
                Region region = {0};
                file[at] ^= (char)(1 << bit);
                read_bytes(&region, npy_read, array_type(2, scalar_type(GACT_F64)), NULL, file,
                           size, NULL);
                file[at] ^= (char)(1 << bit);
                region_free(&region);
            }
    }
}

static const char *npy_text(Region *region, const GactType *t, const char *wanted, const char *dict,
                            const void *data, size_t size) {
    char file[4096];
    size_t at = put_header(file, 1, dict);
    memcpy(file + at, data, size);
    return read_bytes(region, npy_read, t, wanted, file, at + size, NULL);
}

static void reads_npy(const GactType *t, const char *wanted_type, const char *dict,
                      const void *data, size_t size, const char *wanted) {
    Region region = {0};
    assert_string_equal(npy_text(&region, t, wanted_type, dict, data, size), wanted);
    region_free(&region);
}

#define NPY(descr, shape) "{'descr': " descr ", 'fortran_order': False, 'shape': " shape ", }"

static void test_npy_values(void **state) {
    static const double d[] = {1, 2.5, 300, NAN};
    static const int64_t i[] = {1, -1, 1 << 24, (1 << 24) + 1};
    const GactType *f64 = scalar_type(GACT_F64), *f32 = scalar_type(GACT_F32);
    (void)state;
    reads_npy(f64, NULL, NPY("'<f8'", "()"), d + 1, 8, "2.5");
    reads_npy(array_type(1, f32), NULL, NPY("'<f8'", "(4,)"), d, 32, "[1.0, 2.5, 300.0, nan]");
    reads_npy(array_type(1, f32), NULL, NPY("'<i8'", "(3,)"), i, 24, "[1.0, -1.0, 16777216.0]");
    reads_npy(array_type(1, f32), "[n]f32", NPY("'<i8'", "(4,)"), i, 32,
              "input x: expected [n]f32, but file holds 16777217 at [3], which f32 cannot hold");
    reads_npy(array_type(1, scalar_type(GACT_I32)), "[n]i32", NPY("'<f8'", "(2,)"), d, 16,
              "input x: expected [n]i32, but file holds 2.5 at [1], which i32 cannot hold");
    reads_npy(array_type(1, scalar_type(GACT_I64)), "[n]i64", NPY("'<f8'", "(1,)"), d + 3, 8,
              "input x: expected [n]i64, but file holds nan at [0], which i64 cannot hold");
    reads_npy(array_type(1, scalar_type(GACT_U8)), "[n]u8", NPY("'<i8'", "(2,)"), i, 16,
              "input x: expected [n]u8, but file holds -1 at [1], which u8 cannot hold");
    reads_npy(array_type(1, f32), "[n]f32", NPY("'<f8'", "(2, 2)"), d, 32,
              "input x: expected [n]f32, but file holds [2, 2]f64");
    reads_npy(array_type(2, f64), NULL, NPY("'<f8'", "(0, 3)"), d, 0, "[]");
    reads_npy(array_type(1, array_type(1, f64)), NULL, NPY("'<f8'", "(2, 2)"), d, 32,
              "[[1.0, 2.5], [300.0, nan]]");
    reads_npy(array_type(1, product_type("", "", 2, ITEMS(f64, f64))), NULL, NPY("'<f8'", "(2, 2)"),
              d, 32, "[(1.0, 2.5), (300.0, nan)]");
    reads_npy(array_type(1, product_type("Complex", "re im", 2, ITEMS(f32, f32))), NULL,
              NPY("'<c16'", "(1,)"), d, 16, "[Complex(re = 1.0, im = 2.5)]");
    reads_npy(array_type(1, scalar_type(GACT_DURATION)), NULL, NPY("'<m8[ns]'", "(1,)"), i + 2, 8,
              "[16.777216ms]");
    reads_npy(array_type(1, &string_type), NULL, NPY("'|S3'", "(2,)"), "ab\0cde", 6,
              "[\"ab\", \"cde\"]");
    reads_npy(array_type(1, &string_type), NULL, NPY("'<U2'", "(2,)"),
              "\xe4\0\0\0b\0\0\0\0\xf6\1\0\0\0\0\0", 16, "[\"äb\", \"😀\"]");
    reads_npy(array_type(1, product_type("Row", "name at", 2, ITEMS(&string_type, f32))), NULL,
              NPY("[('at', '<i2'), ('name', '|S2')]", "(2,)"), "\1\0ab\2\0c\0", 8,
              "[Row(name = \"ab\", at = 1.0), Row(name = \"c\", at = 2.0)]");
    reads_npy(
        array_type(1, f64), "[n]f64", NPY("'|O'", "(1,)"), d, 8,
        "input x: expected [n]f64, but file holds elements of the NumPy type |O, which gact does "
        "not read");
    reads_npy(array_type(1, f64), "[n]f64", NPY("'<f8'", "(9223372036854775807,)"), d, 8,
              "input x: expected [n]f64, but file is no valid .npy file: its shape is impossible");
    reads_npy(
        array_type(1, f64), "[n]f64", NPY("'<f8'", "(5,)"), d, 32,
        "input x: expected [n]f64, but file is cut off: it should hold 40 bytes of data and has "
        "32");
}

/* ---- writers and back ---- */

typedef bool (*WriteFn)(Text *out, const WriteItem *items, int n, GactError *error);

static const char *round_trip(Region *region, WriteFn write, ReadFn read, const GactType *t,
                              const char *literal, const char *part) {
    GactError error = {0};
    Reader r = {.region = region,
                .error = &error,
                .what = "x",
                .source = "x",
                .type = t,
                .wanted = t->text};
    Text text = {.region = region};
    GactSlot *slots = region_zero(region, (size_t)t->slots, sizeof *slots);
    if (!literal_read(&r, literal, strlen(literal), slots))
        return region_printf(region, "%s", error.text);
    WriteItem item = {"y", part, t, slots};
    if (!write(&text, &item, 1, &error))
        return region_printf(region, "%s", error.text);
    return read_bytes(region, read, t, NULL, text.at, text.len, part);
}

static void returns(WriteFn write, ReadFn read, const GactType *t, const char *literal) {
    Region region = {0};
    assert_string_equal(round_trip(&region, write, read, t, literal, NULL), literal);
    region_free(&region);
}

static void test_round_trips(void **state) {
    const GactType *f64 = scalar_type(GACT_F64), *i32 = scalar_type(GACT_I32);
    const GactType *row = product_type("Row", "name at", 2, ITEMS(&string_type, i32));
    (void)state;
    for (int kind = 0; kind <= GACT_F64; kind++) {
        const char *list = kind == GACT_BOOL     ? "[true, false]"
                           : kind_is_float(kind) ? "[0.5, 1.0]"
                                                 : "[1, 2]";
        returns(npy_write, npy_read, array_type(1, scalar_type(kind)), list);
        returns(npz_write, npz_read, array_type(1, scalar_type(kind)), list);
        returns(csv_write, csv_read, array_type(1, scalar_type(kind)), list);
        returns(bin_write, bin_read, array_type(1, scalar_type(kind)), list);
    }
    returns(npy_write, npy_read, array_type(2, f64), "[[1.0, 2.0], [3.0, nan]]");
    returns(npy_write, npy_read, f64, "2.5");
    returns(npy_write, npy_read, array_type(1, row),
            "[Row(name = \"ab\", at = 1), Row(name = \"\", at = -2)]");
    returns(npy_write, npy_read, array_type(1, &string_type), "[\"ab\", \"\", \"ü\"]");
    returns(npy_write, npy_read, array_type(1, scalar_type(GACT_DURATION)), "[1.5s]");
    returns(csv_write, csv_read, array_type(2, f64), "[[1.0, 2.0], [3.0, nan]]");
    returns(csv_write, csv_read, array_type(1, &string_type),
            "[\"a,b\", \"c\\\"d\", \"e\\nf\", \"g\"]");
    returns(csv_write, csv_read, array_type(1, order_type()),
            "[Order(id = 1, price = 2.5, side = Sell, note = \"a,b\")]");
    returns(csv_write, csv_read,
            array_type(1, product_type("P", "a b", 2, ITEMS(option_type(i32), i32))),
            "[P(a = Some(1), b = 2), P(a = None, b = 3)]");
    returns(tsv_write, tsv_read, array_type(1, row), "[Row(name = \"a\\tb\", at = 1)]");
    returns(txt_write, txt_read, &string_type, "one\ntwo");
    returns(json_write, json_read, array_type(1, f64), "[1.0, nan, inf, -inf]");
}

static void test_refused_writes(void **state) {
    Region region = {0};
    (void)state;
    assert_string_equal(round_trip(&region, npy_write, npy_read,
                                   array_type(1, array_type(1, scalar_type(GACT_I32))), "[[1], []]",
                                   NULL),
                        "output y: a .npy file cannot hold [_][_]i32; use .json");
    assert_string_equal(round_trip(&region, csv_write, csv_read, scalar_type(GACT_I32), "1", NULL),
                        "output y: a table cannot hold i32; use .json");
    assert_string_equal(
        round_trip(&region, npy_write, npy_read, scalar_type(GACT_I32), "1", "part"),
        "output y: a .npy file holds one array; use .npz");
    region_free(&region);
}

/* ---- .npz ---- */

static void put(Text *t, uint64_t v, int bytes) {
    for (int k = 0; k < bytes; k++)
        text_char(t, (char)(v >> 8 * k));
}

/* An archive of one deflated member as zip programs write it. */
static void make_deflated(Text *out, const char *name, const char *data, size_t size) {
    char packed[4096];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data,
                  .avail_in = (uInt)size,
                  .next_out = (Bytef *)packed,
                  .avail_out = sizeof packed};
    deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    uint64_t crc = crc32(0, (const Bytef *)data, (uInt)size);
    for (int directory = 0; directory < 2; directory++) {
        text_add(out, directory ? "PK\1\2\24\0" : "PK\3\4", directory ? 6 : 4);
        put(out, 20, 2);
        put(out, 0, 2);
        put(out, Z_DEFLATED, 2);
        put(out, 0, 4);
        put(out, crc, 4);
        put(out, z.total_out, 4);
        put(out, size, 4);
        put(out, strlen(name), 2);
        put(out, 0, 2);
        if (directory) {
            put(out, 0, 8);
            put(out, 0, 6);
        }
        text_puts(out, name);
        if (!directory)
            text_add(out, packed, z.total_out);
    }
    uint64_t start = 30 + strlen(name) + z.total_out, length = 46 + strlen(name);
    text_add(out, "PK\5\6\0\0\0\0", 8);
    put(out, 1, 2);
    put(out, 1, 2);
    put(out, length, 4);
    put(out, start, 4);
    put(out, 0, 2);
}

static void test_npz(void **state) {
    Region region = {0};
    Text file = {.region = &region};
    char npy[512];
    const GactType *t = array_type(2, scalar_type(GACT_F64));
    (void)state;
    size_t size = make_npy(npy, DTYPES - 1, '<', true, 1);
    make_deflated(&file, "spot.npy", npy, size);
    const char *wanted = "[[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]";
    assert_string_equal(read_bytes(&region, npz_read, t, NULL, file.at, file.len, "spot"), wanted);
    assert_string_equal(read_bytes(&region, npz_read, t, NULL, file.at, file.len, NULL), wanted);
    assert_string_equal(read_bytes(&region, npz_read, t, NULL, file.at, file.len, "spt"),
                        "input x: file: no such array in the file, which holds spot");
    for (size_t cut = 0; cut < file.len; cut++)
        assert_non_null(strstr(read_bytes(&region, npz_read, t, NULL, file.at, cut, "spot"),
                               "input x: expected"));
    for (size_t at = 0; at < file.len; at++)
        for (int bit = 0; bit < 8; bit++) {
            file.at[at] ^= (char)(1 << bit);
            read_bytes(&region, npz_read, t, NULL, file.at, file.len, "spot");
            file.at[at] ^= (char)(1 << bit);
        }
    region_free(&region);
}

static void test_npz_of_several(void **state) {
    Region region = {0};
    Text file = {.region = &region};
    GactError error = {0};
    double a[] = {1, 2};
    GactSlot s[3] = {{.i = 2}, {.p = NULL}, {.p = a}}, x = {.f = 3};
    const GactType *t = array_type(1, scalar_type(GACT_F64));
    WriteItem items[] = {{"call", NULL, t, s}, {"put", "other", scalar_type(GACT_F64), &x}};
    (void)state;
    assert_true(npz_write(&file, items, 2, &error));
    assert_string_equal(read_bytes(&region, npz_read, t, NULL, file.at, file.len, "call"),
                        "[1.0, 2.0]");
    assert_string_equal(
        read_bytes(&region, npz_read, scalar_type(GACT_F64), NULL, file.at, file.len, "other.npy"),
        "input x: file: no such array in the file, which "
        "holds call, other");
    assert_string_equal(
        read_bytes(&region, npz_read, scalar_type(GACT_F64), NULL, file.at, file.len, "other"),
        "3.0");
    assert_string_equal(
        read_bytes(&region, npz_read, t, NULL, file.at, file.len, NULL),
        "input x: file: say which array, as in file:NAME; the file holds call, other");
    region_free(&region);
}

/* ---- tables ---- */

static void test_csv(void **state) {
    const GactType *f64s = array_type(1, scalar_type(GACT_F64));
    const GactType *i32s = array_type(1, scalar_type(GACT_I32));
    const GactType *texts = array_type(1, &string_type);
    const char *book = "id,price,note\r\n1,2.5,\"a,\"\"b\"\"\nc\"\r\n2,,x\r\n";
    (void)state;
    reads(csv_read, f64s, book, "price", "[2.5, nan]");
    reads(csv_read, f64s, book, "#1", "[2.5, nan]");
    reads(csv_read, texts, book, "note", "[\"a,\\\"b\\\"\\nc\", \"x\"]");
    reads(csv_read, i32s, book, "id", "[1, 2]");
    reads(csv_read, f64s, book, "prise",
          "input x: file: there is no column prise; the columns are id, price, note");
    reads(
        csv_read, i32s, book, "price",
        "input x: expected [_]i32, but file, line 2, column price, holds `2.5`, which is not i32");
    reads(csv_read, i32s, "a\n1\nnan\n", "a",
          "input x: expected [_]i32, but file, line 3, column a, holds `nan`, which is not i32");
    reads(
        csv_read, i32s, "a,b\n1,2\n,3\n", "a",
        "input x: expected [_]i32, but file, line 3, column a, holds ``, which is empty, not i32");
    reads(csv_read, i32s, "a,b\n1,2\n1\n", "a",
          "input x: file, line 3, has 1 cells; the lines before have 2");
    reads(csv_read, i32s, "a\n\"1\n", "a",
          "input x: file: a quote that opens on line 2 is never closed");
    reads(csv_read, i32s, "1\n2\n", NULL, "[1, 2]");
    reads(csv_read, i32s, "7,1\n8,2", "#1", "[1, 2]");
    reads(csv_read, i32s,
          "\xef\xbb\xbf"
          "a\n1\n\n2\n",
          "a", "[1, 2]");
    reads(csv_read, array_type(2, scalar_type(GACT_F64)), "1,2\n3,4\n", NULL,
          "[[1.0, 2.0], [3.0, 4.0]]");
    reads(csv_read, array_type(2, scalar_type(GACT_F64)), "a,b\n3,4\n", NULL, "[[3.0, 4.0]]");
    reads(csv_read, array_type(1, order_type()), "side,id,note,price,more\nSell,7,hi,1.5,9\n", NULL,
          "[Order(id = 7, price = 1.5, side = Sell, note = \"hi\")]");
    reads(csv_read,
          array_type(1, product_type("", "", 2, ITEMS(scalar_type(GACT_I32), &string_type))),
          "a,b\n1,x\n", NULL, "[(1, \"x\")]");
    reads(tsv_read, texts, "a\tb\nx y\tz\n", "a", "[\"x y\"]");
    reads(csv_read, array_type(1, scalar_type(GACT_BOOL)), "a\nTrue\n0\n", "a", "[true, false]");
    reads(csv_read, f64s, "", NULL, "input x: expected [_]f64, but file holds nothing");
}

/* ---- JSON ---- */

static void test_json(void **state) {
    const GactType *f64s = array_type(1, scalar_type(GACT_F64));
    const GactType *i32s = array_type(1, scalar_type(GACT_I32));
    const char *nested = "{\"a\": {\"b\": [[1], [2, 3]]}, \"c\": [null, 1e999, 2]}";
    (void)state;
    reads(json_read, i32s, nested, "a.b[1]", "[2, 3]");
    reads(json_read, f64s, nested, "c", "[nan, inf, 2.0]");
    reads(json_read, scalar_type(GACT_I64), nested, "a.b[0][0]", "1");
    reads(json_read, i32s, nested, "a.x", "input x: file: there is no key x");
    reads(json_read, i32s, nested, "a.b[7]", "input x: file: the list has 2 elements");
    reads(json_read, array_type(1, i32s), nested, "a.b", "[[1], [2, 3]]");
    reads(json_read, array_type(2, scalar_type(GACT_I32)), nested, "a.b",
          "input x: expected [_, _]i32, but file has lists of 1 and of 2 elements on one axis");
    reads(json_read, array_type(1, order_type()),
          "[{\"note\": \"n\", \"extra\": [1, {}], \"id\": 3, \"side\": \"Buy\", \"price\": 1}]",
          NULL, "[Order(id = 3, price = 1.0, side = Buy, note = \"n\")]");
    reads(json_read, order_type(), "{\"id\": 3}", NULL,
          "input x: expected Order, but file, line 1, has the end where the field price of Order "
          "should be");
    reads(json_read, array_type(1, shape_type()),
          "[{\"Circle\": 1.5}, \"Empty\", {\"Rect\": {\"width\": 1, \"height\": 2}}, "
          "{\"Path\": [\"p\", [1]]}]",
          NULL, "[Circle(1.5), Empty, Rect(width = 1.0, height = 2.0), Path(\"p\", [1])]");
    reads(json_read, array_type(1, option_type(scalar_type(GACT_I32))), "[1, null]", NULL,
          "[Some(1), None]");
    reads(
        json_read, i32s, "[1,\n 2,\n x]", NULL,
        "input x: expected [_]i32, but file, line 3, has `x` where a value of type i32 should be");
    reads(json_read, i32s, "[1] 2", NULL,
          "input x: expected [_]i32, but file, line 1, has `2` where the end should be");
    reads(json_read, i32s, "", NULL,
          "input x: expected [_]i32, but file, line 1, has the end where a list should be");
    reads(json_read, scalar_type(GACT_U64), "18446744073709551615", NULL, "18446744073709551615");
}

/* ---- .bin ---- */

static void reads_bin(const char *wanted_type, size_t size, const char *wanted) {
    static const int32_t data[] = {1, 2, 3, 4, 5, 6};
    Region region = {0};
    assert_string_equal(read_bytes(&region, bin_read, array_type(2, scalar_type(GACT_I32)),
                                   wanted_type, data, size, NULL),
                        wanted);
    region_free(&region);
}

static void test_bin(void **state) {
    (void)state;
    reads_bin("[n, 3]i32", 24, "[[1, 2, 3], [4, 5, 6]]");
    reads_bin("[2, m]i32", 24, "[[1, 2, 3], [4, 5, 6]]");
    reads_bin("[3, 2]i32", 24, "[[1, 2], [3, 4], [5, 6]]");
    reads_bin("[n][3]i32", 24, "[[1, 2, 3], [4, 5, 6]]");
    reads_bin("[n, 3]i32", 20,
              "input x: expected [n, 3]i32, but file holds 20 bytes, which is no multiple of 12");
    reads_bin("[3, 2]i32", 20,
              "input x: expected [3, 2]i32, but file holds 20 bytes, which is not 24");
    reads_bin("[n, m]i32", 24,
              "input x: expected [n, m]i32, but a .bin file has no shape, and more "
              "than one size is free");
}

/* ---- several files at once ---- */

static void test_all_or_none(void **state) {
    char folder[] = "/tmp/gact-test-XXXXXX";
    Region region = {0};
    GactError error = {0};
    struct stat st;
    double a[] = {1, 2};
    GactSlot s[3] = {{.i = 2}, {.p = NULL}, {.p = a}};
    const GactType *t = array_type(1, scalar_type(GACT_F64));
    (void)state;
    assert_non_null(mkdtemp(folder));
    const char *good = region_printf(&region, "%s/a.npy", folder);
    Outputs outputs = {.region = &region};
    assert_int_equal(outputs_add(&outputs, good, "a", t, s, &error), GACT_OK);
    assert_int_equal(outputs_add(&outputs, good, "b", t, s, &error), GACT_BAD_INPUT);
    assert_non_null(strstr(error.text, "is the file of output a already"));
    assert_int_equal(
        outputs_add(&outputs, region_printf(&region, "%s/b.png", folder), "b", t, s, &error),
        GACT_OK);
    assert_int_equal(outputs_write(&outputs, &error), GACT_BAD_INPUT);
    assert_int_equal(stat(good, &st), -1);
    outputs = (Outputs){.region = &region};
    assert_int_equal(outputs_add(&outputs, good, "a", t, s, &error), GACT_OK);
    assert_int_equal(outputs_write(&outputs, &error), GACT_OK);
    GactSlot back[3];
    Reader r = {.region = &region, .error = &error, .what = "x", .type = t, .wanted = t->text};
    assert_true(spec_read_file(&r, good, back));
    assert_true(((double *)back[2].p)[1] == 2);
    assert_int_equal((uintptr_t)back[2].p % 64, 0); /* used in place, aligned */
    unlink(good);
    assert_int_equal(rmdir(folder), 0); /* no temporary file is left */
    region_free(&region);
}

/* ---- pictures ---- */

/* One row of grey in 16 bits: 258, 65534. */
static const uint8_t png_deep[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x10, 0x00, 0x00, 0x00,
    0x00, 0x81, 0xd9, 0xfc, 0x15, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x60, 0x64, 0xfa, 0xff, 0x0f, 0x00, 0x03, 0x0b, 0x02, 0x01, 0x5b, 0xcf,
    0xfa, 0x03, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

/* Three points of two colours, the first of which is nearly transparent. */
static const uint8_t png_palette[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x01, 0x01, 0x03, 0x00, 0x00,
    0x00, 0x21, 0x2e, 0x86, 0xf7, 0x00, 0x00, 0x00, 0x06, 0x50, 0x4c, 0x54, 0x45, 0xff,
    0x00, 0x00, 0x01, 0x02, 0x03, 0xeb, 0x5e, 0x4b, 0x0c, 0x00, 0x00, 0x00, 0x01, 0x74,
    0x52, 0x4e, 0x53, 0x0a, 0xa0, 0x33, 0x31, 0x78, 0x00, 0x00, 0x00, 0x0a, 0x49, 0x44,
    0x41, 0x54, 0x78, 0xda, 0x63, 0x48, 0x00, 0x00, 0x00, 0x62, 0x00, 0x61, 0x1c, 0x10,
    0x03, 0x7f, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

/* Grey from 0 to 8 along the rows, interlaced. */
static const uint8_t png_interlaced[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52,
    0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x00, 0x01, 0x04, 0x44, 0xda,
    0xf5, 0x00, 0x00, 0x00, 0x17, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0x60, 0x60, 0x62,
    0x60, 0xe3, 0x60, 0x60, 0x64, 0x60, 0x67, 0x60, 0x66, 0x61, 0x05, 0x00, 0x00, 0xeb, 0x00, 0x25,
    0x42, 0xc8, 0x81, 0x22, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

/* A header that promises 900 000 by 900 000 points, and ten bytes. */
static const uint8_t png_vast[] = {
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48,
    0x44, 0x52, 0x00, 0x0d, 0xbb, 0xa0, 0x00, 0x0d, 0xbb, 0xa0, 0x08, 0x02, 0x00, 0x00,
    0x00, 0x5f, 0xdf, 0x06, 0xd8, 0x00, 0x00, 0x00, 0x0b, 0x49, 0x44, 0x41, 0x54, 0x78,
    0xda, 0x63, 0x60, 0x80, 0x01, 0x00, 0x00, 0x0a, 0x00, 0x01, 0xec, 0x24, 0x03, 0xb9,
    0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
};

static bool read_png(Region *region, const uint8_t *data, size_t size, const GactType *type,
                     GactSlot *out, GactError *error) {
    Reader r = {.region = region,
                .error = error,
                .what = "x",
                .source = "x.png",
                .type = type,
                .wanted = type->text};
    *error = (GactError){0};
    return png_read(&r, (Bytes){(const char *)data, size}, NULL, out);
}

static void test_png(void **state) {
    Region region = {0};
    Text file = {.region = &region};
    GactError error = {0};
    uint8_t pixels[12] = {0, 1, 2, 3, 250, 5, 6, 7, 8, 9, 10, 255};
    GactSlot s[5] = {{.i = 2}, {.i = 2}, {.i = 3}, {.p = NULL}, {.p = pixels}}, back[5];
    const GactType *colours = array_type(3, scalar_type(GACT_U8));
    const GactType *grey = array_type(2, scalar_type(GACT_U8));
    WriteItem item = {"y", NULL, colours, s};
    (void)state;
    assert_true(png_write(&file, &item, 1, &error));
    assert_memory_equal(file.at, "\x89PNG\r\n\x1a\n", 8);
    assert_true(read_png(&region, (uint8_t *)file.at, file.len, colours, back, &error));
    assert_true(back[0].i == 2 && back[1].i == 2 && back[2].i == 3);
    assert_memory_equal(back[4].p, pixels, sizeof pixels);
    assert_false(read_png(&region, (uint8_t *)file.at, file.len, grey, back, &error));
    assert_non_null(strstr(error.text, "[2, 2, 3]u8"));
    item.type = array_type(2, scalar_type(GACT_F32));
    assert_false(png_write(&file, &item, 1, &error));
    region_free(&region);
}

static void test_png_kinds(void **state) {
    Region region = {0};
    GactError error = {0};
    GactSlot s[5];
    static const uint8_t colours[] = {255, 0, 0, 10, 1, 2, 3, 255, 1, 2, 3, 255};
    (void)state;
    assert_true(read_png(&region, png_deep, sizeof png_deep, array_type(2, scalar_type(GACT_U16)),
                         s, &error));
    assert_true(((uint16_t *)s[3].p)[0] == 258 && ((uint16_t *)s[3].p)[1] == 65534);
    assert_true(read_png(&region, png_palette, sizeof png_palette,
                         array_type(3, scalar_type(GACT_U8)), s, &error));
    assert_true(s[0].i == 1 && s[1].i == 3 && s[2].i == 4);
    assert_memory_equal(s[4].p, colours, sizeof colours);
    assert_true(read_png(&region, png_interlaced, sizeof png_interlaced,
                         array_type(2, scalar_type(GACT_F32)), s, &error));
    for (int k = 0; k < 9; k++)
        assert_true(((float *)s[3].p)[k] == (float)k);
    region_free(&region);
}

/* A cut file is always refused; one with a wrong byte is refused, or wrong in what does not matter.
 */
static void test_png_damage(void **state) {
    Region region = {0};
    GactError error = {0};
    GactSlot s[5];
    uint8_t copy[sizeof png_interlaced];
    const GactType *t = array_type(2, scalar_type(GACT_U8));
    (void)state;
    for (size_t n = 0; n < sizeof png_interlaced; n++) {
        assert_false(read_png(&region, png_interlaced, n, t, s, &error));
        assert_non_null(strstr(error.text, "x: x.png is damaged: "));
    }
    for (size_t n = 0; n < 8 * sizeof png_interlaced; n++) {
        memcpy(copy, png_interlaced, sizeof copy);
        copy[n / 8] ^= (uint8_t)(1 << n % 8);
        if (!read_png(&region, copy, sizeof copy, t, s, &error))
            assert_true(error.text[0] != 0);
    }
    assert_false(read_png(&region, png_vast, sizeof png_vast, t, s, &error));
    assert_non_null(strstr(error.text, "too short for its picture"));
    region_free(&region);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_npy_matrix),     cmocka_unit_test(test_npy_damage),
        cmocka_unit_test(test_npy_values),     cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_refused_writes), cmocka_unit_test(test_npz),
        cmocka_unit_test(test_npz_of_several), cmocka_unit_test(test_csv),
        cmocka_unit_test(test_json),           cmocka_unit_test(test_bin),
        cmocka_unit_test(test_all_or_none),    cmocka_unit_test(test_png),
        cmocka_unit_test(test_png_kinds),      cmocka_unit_test(test_png_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
