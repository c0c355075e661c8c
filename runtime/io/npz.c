/* .npz files: zip archives of .npy files, stored or deflated, zip64 included. An array is found by
   its name, with or without ".npy". Checksums are verified. Written archives are stored. */
#include "npy.h"

#include <string.h>
#include <zlib.h>

typedef struct {
    const char *name;
    size_t name_len;
    int method;
    uint32_t crc;
    uint64_t packed, size, offset;
} Member;

static uint64_t get(const char *at, int bytes) {
    uint64_t v = 0;
    for (int i = bytes - 1; i >= 0; i--)
        v = v << 8 | (uint8_t)at[i];
    return v;
}

static bool damaged(const Reader *r, const char *what) {
    return read_fail(r, "expected %s, but %s is no valid .npz file: %s", r->wanted, r->source,
                     what);
}

/* Where the central directory is and how many members it has. */
static bool find_directory(const Reader *r, Bytes f, uint64_t *at, uint64_t *count) {
    enum { TAIL = 22, LOCATOR = 20, TAIL64 = 56 };
    if (f.size < TAIL)
        return damaged(r, "it is cut off");
    size_t tail = f.size - TAIL, last = tail > 65535 ? tail - 65535 : 0;
    while (memcmp(f.data + tail, "PK\5\6", 4)) {
        if (tail == last)
            return damaged(r, "its directory is missing");
        tail--;
    }
    *count = get(f.data + tail + 10, 2);
    *at = get(f.data + tail + 16, 4);
    if (tail >= LOCATOR && !memcmp(f.data + tail - LOCATOR, "PK\6\7", 4)) {
        uint64_t end = get(f.data + tail - LOCATOR + 8, 8);
        if (end > f.size - TAIL64 || f.size < TAIL64 || memcmp(f.data + end, "PK\6\6", 4))
            return damaged(r, "its directory is missing");
        *count = get(f.data + end + 32, 8);
        *at = get(f.data + end + 48, 8);
    }
    return *at <= f.size || damaged(r, "its directory is missing");
}

/* The 64-bit sizes of a member that does not fit 32. */
static void read_extra(const char *extra, size_t len, Member *m) {
    while (len >= 4) {
        size_t size = get(extra + 2, 2);
        if (size > len - 4)
            return;
        if (get(extra, 2) == 1) {
            const char *at = extra + 4, *end = at + size;
            uint64_t *fields[] = {&m->size, &m->packed, &m->offset};
            for (int k = 0; k < 3; k++)
                if (*fields[k] == UINT32_MAX && end - at >= 8) {
                    *fields[k] = get(at, 8);
                    at += 8;
                }
            return;
        }
        extra += 4 + size;
        len -= 4 + size;
    }
}

static bool next_member(const Reader *r, Bytes f, uint64_t *at, Member *m) {
    if (f.size - *at < 46 || memcmp(f.data + *at, "PK\1\2", 4))
        return damaged(r, "its directory is cut off");
    const char *p = f.data + *at;
    size_t name = get(p + 28, 2), extra = get(p + 30, 2), comment = get(p + 32, 2);
    *m = (Member){.name = p + 46,
                  .name_len = name,
                  .method = (int)get(p + 10, 2),
                  .crc = (uint32_t)get(p + 16, 4),
                  .packed = get(p + 20, 4),
                  .size = get(p + 24, 4),
                  .offset = get(p + 42, 4)};
    if (f.size - *at - 46 < name + extra + comment)
        return damaged(r, "its directory is cut off");
    read_extra(p + 46 + name, extra, m);
    if (m->name_len > 4 && !memcmp(m->name + m->name_len - 4, ".npy", 4))
        m->name_len -= 4;
    *at += 46 + name + extra + comment;
    return true;
}

static bool find_member(const Reader *r, Bytes f, const char *part, Member *out) {
    uint64_t at = 0, count = 0;
    Text names = {.region = r->region};
    if (!find_directory(r, f, &at, &count))
        return false;
    bool found = false;
    for (uint64_t i = 0; i < count && !found; i++) {
        if (!next_member(r, f, &at, out))
            return false;
        found = part ? strlen(part) == out->name_len && !memcmp(part, out->name, out->name_len)
                     : count == 1;
        if (i < 20)
            text_printf(&names, "%s%.*s", i ? ", " : "", (int)out->name_len, out->name);
    }
    if (!found && part)
        return read_fail(r, "%s: no such array in the file, which holds %s", r->source,
                         count ? text_string(&names) : "none");
    return found || read_fail(r, "%s: say which array, as in %s:NAME; the file holds %s", r->source,
                              r->source, count ? text_string(&names) : "none");
}

static bool inflate_member(const Reader *r, const Member *m, const char *packed, Bytes *out) {
    /* Deflate packs at most 1032 times: a larger claim is a lie, and no memory is given to it. */
    if (m->size / 1040 > m->packed)
        return damaged(r, "a size is impossible");
    char *data = region_alloc(r->region, m->size + 1);
    z_stream z = {0};
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return damaged(r, "zlib refuses it");
    uint64_t in = 0, done = 0;
    int status = Z_OK;
    while (status == Z_OK) {
        uint64_t left = m->packed - in, room = m->size + 1 - done;
        z.next_in = (Bytef *)(uintptr_t)(packed + in);
        z.avail_in = left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)left;
        z.next_out = (Bytef *)data + done;
        z.avail_out = room > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uInt)room;
        uInt gave = z.avail_in, had = z.avail_out;
        status = inflate(&z, Z_NO_FLUSH);
        in += gave - z.avail_in;
        done += had - z.avail_out;
    }
    inflateEnd(&z);
    if (status != Z_STREAM_END || done != m->size)
        return damaged(r, "its compressed data is damaged");
    *out = (Bytes){data, done};
    return true;
}

static bool member_bytes(const Reader *r, Bytes f, const Member *m, Bytes *out) {
    if (f.size < 30 || m->offset > f.size - 30 || memcmp(f.data + m->offset, "PK\3\4", 4))
        return damaged(r, "a member is missing");
    uint64_t at =
        m->offset + 30 + get(f.data + m->offset + 26, 2) + get(f.data + m->offset + 28, 2);
    if (at > f.size || f.size - at < m->packed)
        return damaged(r, "it is cut off");
    if (m->method == 0 && m->packed == m->size)
        *out = (Bytes){f.data + at, m->size};
    else if (m->method != Z_DEFLATED)
        return damaged(r, "it is packed in a way that gact does not know");
    else if (!inflate_member(r, m, f.data + at, out))
        return false;
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)out->data, out->size);
    return crc == m->crc || damaged(r, "a checksum is wrong");
}

bool npz_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    Member m;
    Bytes bytes;
    Tensor t;
    return find_member(r, file, part, &m) && member_bytes(r, file, &m, &bytes) &&
           npy_tensor(r, bytes, &t) && tensor_to_value(r, &t, out);
}

/* ---- writing ---- */

static void put(Text *out, uint64_t v, int bytes) {
    for (int i = 0; i < bytes; i++)
        text_char(out, (char)(v >> 8 * i));
}

/* What both headers of a member share: version 4.5 (zip64), stored, 1980-01-01. */
static void put_common(Text *out, uint32_t crc, const char *name) {
    put(out, 45, 2);
    put(out, 0, 2);
    put(out, 0, 2);
    put(out, 0, 2);
    put(out, 0x21, 2);
    put(out, crc, 4);
    put(out, UINT32_MAX, 4);
    put(out, UINT32_MAX, 4);
    put(out, strlen(name), 2);
}

static void put_directory(Text *out, const char *name, uint32_t crc, uint64_t size,
                          uint64_t offset) {
    text_add(out, "PK\1\2", 4);
    put(out, 45, 2);
    put_common(out, crc, name);
    put(out, 28, 2); /* extra field */
    put(out, 0, 8);  /* comment, disk, attributes */
    put(out, 0, 2);
    put(out, UINT32_MAX, 4);
    text_puts(out, name);
    put(out, 1, 2);
    put(out, 24, 2);
    put(out, size, 8);
    put(out, size, 8);
    put(out, offset, 8);
}

static void put_end(Text *out, uint64_t count, uint64_t start, uint64_t size) {
    text_add(out, "PK\6\6", 4);
    put(out, 44, 8);
    put(out, 45, 2);
    put(out, 45, 2);
    put(out, 0, 8);
    put(out, count, 8);
    put(out, count, 8);
    put(out, size, 8);
    put(out, start, 8);
    text_add(out, "PK\6\7\0\0\0\0", 8);
    put(out, start + size, 8);
    put(out, 1, 4);
    text_add(out, "PK\5\6\0\0\0\0", 8);
    put(out, count < UINT16_MAX ? count : UINT16_MAX, 2);
    put(out, count < UINT16_MAX ? count : UINT16_MAX, 2);
    put(out, size < UINT32_MAX ? size : UINT32_MAX, 4);
    put(out, start < UINT32_MAX ? start : UINT32_MAX, 4);
    put(out, 0, 2);
}

bool npz_write(Text *out, const WriteItem *items, int n, GactError *error) {
    Text directory = {.region = out->region};
    uint64_t offset = 0;
    for (int k = 0; k < n; k++) {
        Text body = {.region = out->region};
        if (!npy_write_value(&body, &items[k], error))
            return false;
        const char *name =
            region_printf(out->region, "%s.npy", items[k].part ? items[k].part : items[k].name);
        uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)body.at, body.len);
        text_add(out, "PK\3\4", 4);
        put_common(out, crc, name);
        put(out, 20, 2);
        text_puts(out, name);
        put(out, 1, 2);
        put(out, 16, 2);
        put(out, body.len, 8);
        put(out, body.len, 8);
        text_add(out, body.at, body.len);
        put_directory(&directory, name, crc, body.len, offset);
        offset += 50 + strlen(name) + body.len;
    }
    text_add(out, directory.at, directory.len);
    put_end(out, (uint64_t)n, offset, directory.len);
    return true;
}
