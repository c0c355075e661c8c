/* Files and literals as typed values, and back. Readers fill a value of a declared type whose
   arrays lie in a region or in the mapped file, uncounted; nothing is converted with loss but a
   float to a narrower float. Writers write what image.h can describe; each format says what it
   cannot hold. */
#ifndef GACT_IO_H
#define GACT_IO_H

#include "../runtime.h"
#include "../value/print.h"

enum { IO_MAX_RANK = 16 };

/* ---- reading ---- */

/* One reading: what for, from where, into which type. */
typedef struct {
    Region *region;
    GactError *error;
    const char *what;   /* begins every message: "input spot" */
    const char *source; /* as the user wrote it: "book.csv:strike", or "the literal" */
    const GactType *type;
    const char *wanted; /* the type as declared: "[n]f32" */
} Reader;

/* The bytes of a file, mapped or read. */
typedef struct {
    const char *data;
    size_t size;
} Bytes;

/* Reports "WHAT: …"; returns false. */
bool read_fail(const Reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Reports "WHAT: expected TYPE, but SOURCE holds CAME"; returns false. */
bool read_mismatch(const Reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Maps a regular file, reads any other; lives as long as the region. */
bool file_read(const Reader *r, const char *path, Bytes *out);

/* Each reads a whole file of its format; part is what stands behind the colon, or NULL. */
bool npy_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool npz_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool csv_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool tsv_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool json_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool bin_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool txt_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
bool png_read(const Reader *r, Bytes file, const char *part, GactSlot *out);
/* A value as print shows it, or as JSON. */
bool literal_read(const Reader *r, const char *text, size_t len, GactSlot *out);

/* A value from SPEC: a file by its extension, with a part after a colon, or a literal. */
bool spec_read(const Reader *r, const char *spec, GactSlot *out);
/* The same, but SPEC must name a file. */
bool spec_read_file(const Reader *r, const char *spec, GactSlot *out);

/* One member of a structured element. */
typedef struct {
    const char *name; /* NULL: the element itself */
    int32_t kind;     /* GactKind; GACT_STRING: text of `size` bytes, UTF-32 if wide */
    bool swap, wide;
    int64_t offset, size;
} TensorField;

/* A block of numbers as a file holds it. */
typedef struct {
    const char *data;
    int rank;
    int64_t dims[IO_MAX_RANK], strides[IO_MAX_RANK]; /* strides in bytes */
    int nfields;
    TensorField *fields;
    const char *elem_text; /* "f64", "(id: u64, price: f32)" */
} Tensor;

int64_t tensor_count(const Tensor *t);
/* Fits the block into the reader's type: dense arrays, lists of lists, records from fields. */
bool tensor_to_value(const Reader *r, const Tensor *t, GactSlot *out);

/* A cell of a table into a scalar, string or Option; false with *why set. */
bool cell_parse(Region *region, const GactType *t, const char *text, size_t len, GactSlot *out,
                const char **why);

/* ---- writing ---- */

/* A value on its way into a file; slots NULL: null, where the format has it. */
typedef struct {
    const char *name; /* of the output */
    const char *part; /* what stands behind the colon, or NULL */
    const GactType *type;
    const GactSlot *slots;
} WriteItem;

/* Writers of a format get all values for one file. They report "output NAME: …". */
bool npy_write(Text *out, const WriteItem *items, int n, GactError *error);
bool npz_write(Text *out, const WriteItem *items, int n, GactError *error);
bool csv_write(Text *out, const WriteItem *items, int n, GactError *error);
bool tsv_write(Text *out, const WriteItem *items, int n, GactError *error);
bool json_write(Text *out, const WriteItem *items, int n, GactError *error);
bool bin_write(Text *out, const WriteItem *items, int n, GactError *error);
bool txt_write(Text *out, const WriteItem *items, int n, GactError *error);
bool png_write(Text *out, const WriteItem *items, int n, GactError *error);

/* A value as JSON. */
void json_print(Text *text, const GactType *t, const GactSlot *slots);

/* Files that are written together: all of them or none. */
typedef struct OutputFile OutputFile;
typedef struct {
    Region *region;
    OutputFile *files;
} Outputs;

/* Plans a value for SPEC, "file.npy" or "file.npz:name"; several values may share an npz, csv or
   json file. The value must live until outputs_write. */
GactStatus outputs_add(Outputs *o, const char *spec, const char *name, const GactType *type,
                       const GactSlot *slots, GactError *error);
/* The same for a whole path, whatever it is called, in the format of an extension. */
GactStatus outputs_add_as(Outputs *o, const char *path, const char *extension, const char *name,
                          const GactType *type, const GactSlot *slots, GactError *error);
/* Writes every file beside its place and renames all when all are complete. */
GactStatus outputs_write(Outputs *o, GactError *error);

/* Is there a format for this file name? */
bool format_known(const char *spec);
/* Is it one of dense arrays alone, which has no null and no lists of several sizes? */
bool format_is_numbers(const char *spec);

#endif
