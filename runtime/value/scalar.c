/* Scalars; see scalar.h. */
#include "scalar.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    int size;
} kinds[] = {
#define TYPE(id, spelling, bytes, flags, doc) [GACT_##id] = {spelling, bytes},
#include "../../lang/types.def"
};

int kind_size(int32_t kind) {
    return kinds[kind].size;
}

const char *kind_name(int32_t kind) {
    return kinds[kind].name;
}

/* ---- half types ---- */

static double half_to_double(uint16_t h) {
    int exponent = (h >> 10) & 31, mantissa = h & 1023;
    double x;
    if (exponent == 31)
        x = mantissa ? NAN : INFINITY;
    else if (exponent == 0)
        x = ldexp(mantissa, -24);
    else
        x = ldexp(mantissa + 1024, exponent - 25);
    return h & 0x8000 ? -x : x;
}

/* Rounds to the nearest, halves to even. */
static uint16_t half_of_double(double x) {
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    double a = fabs(x);
    if (isnan(x))
        return sign | 0x7e00;
    if (a >= 65520)
        return sign | 0x7c00;
    if (a < 0x1p-14)
        return sign | (uint16_t)nearbyint(a * 0x1p24);
    int exponent;
    double m = nearbyint(frexp(a, &exponent) * 2048); /* 1024 … 2048 */
    return sign | (uint16_t)(((exponent + 13) << 10) + (int)m);
}

static double bfloat_to_double(uint16_t b) {
    uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static uint16_t bfloat_of_double(double x) {
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (isnan(x))
        return (uint16_t)(bits >> 16 | 0x40);
    /* Rounding twice is harmless only if the first went to odd. */
    if ((double)f != x && isfinite(f)) {
        if (fabs((double)f) > fabs(x))
            bits--;
        bits |= 1;
    }
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/* ---- columns and slots ---- */

GactSlot scalar_load(int32_t kind, const void *at) {
    union {
        int8_t i8;
        int16_t i16;
        int32_t i32;
        int64_t i64;
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
    } v = {0};
    memcpy(&v, at, (size_t)kind_size(kind));
    switch (kind) {
    case GACT_I8: return (GactSlot){.i = v.i8};
    case GACT_I16: return (GactSlot){.i = v.i16};
    case GACT_I32: return (GactSlot){.i = v.i32};
    case GACT_BOOL: return (GactSlot){.u = v.u8 != 0};
    case GACT_U8: return (GactSlot){.u = v.u8};
    case GACT_U16:
    case GACT_F16:
    case GACT_BF16: return (GactSlot){.u = v.u16};
    case GACT_U32:
    case GACT_F32: return (GactSlot){.u = v.u32};
    default: return (GactSlot){.i = v.i64};
    }
}

void scalar_store(int32_t kind, void *at, GactSlot slot) {
    memcpy(at, &slot, (size_t)kind_size(kind)); /* little-endian */
}

double scalar_float(int32_t kind, GactSlot slot) {
    switch (kind) {
    case GACT_F16: return half_to_double((uint16_t)slot.u);
    case GACT_BF16: return bfloat_to_double((uint16_t)slot.u);
    case GACT_F32: return slot.f32;
    default: return slot.f;
    }
}

GactSlot scalar_of_float(int32_t kind, double x) {
    GactSlot slot = {.u = 0};
    switch (kind) {
    case GACT_F16: slot.u = half_of_double(x); break;
    case GACT_BF16: slot.u = bfloat_of_double(x); break;
    case GACT_F32: slot.f32 = (float)x; break;
    default: slot.f = x; break;
    }
    return slot;
}

/* ---- numbers ---- */

Number number_of(int32_t kind, GactSlot slot) {
    if (kind_is_float(kind))
        return (Number){.is_float = true, .number = scalar_float(kind, slot)};
    if (kind_is_signed(kind) && slot.i < 0)
        return (Number){.negative = true, .whole = 0 - slot.u};
    return (Number){.whole = slot.u};
}

/* The largest magnitudes of an integer kind. */
static uint64_t kind_max(int32_t kind, bool negative) {
    if (kind == GACT_BOOL)
        return !negative;
    int bits = 8 * kind_size(kind);
    if (!kind_is_signed(kind))
        return negative ? 0 : UINT64_MAX >> (64 - bits);
    return (UINT64_MAX >> (65 - bits)) + negative;
}

bool number_to(Number n, int32_t kind, GactSlot *out) {
    if (kind_is_float(kind)) {
        double x = n.is_float ? n.number : n.negative ? -(double)n.whole : (double)n.whole;
        *out = scalar_of_float(kind, x);
        double back = scalar_float(kind, *out);
        if (n.is_float)
            return isinf(x) || !isinf(back);
        return fabs(back) < 0x1p64 && (uint64_t)fabs(back) == n.whole;
    }
    if (n.is_float) {
        if (!(fabs(n.number) < 0x1p64) || n.number != trunc(n.number))
            return false;
        n.negative = n.number < 0;
        n.whole = (uint64_t)fabs(n.number);
    }
    if (n.whole > kind_max(kind, n.negative))
        return false;
    out->u = n.negative ? 0 - n.whole : n.whole;
    return true;
}

/* Digits of a base with single underscores between them; false at anything else. */
static bool parse_whole(const char *s, const char *end, unsigned base, uint64_t *out) {
    uint64_t value = 0;
    bool digit_before = false;
    for (; s < end; s++) {
        if (*s == '_' && digit_before) {
            digit_before = false;
            continue;
        }
        unsigned digit = *s <= '9' ? (unsigned)(*s - '0') : (unsigned)(tolower(*s) - 'a') + 10;
        if (!isxdigit((unsigned char)*s) || digit >= base)
            return false;
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
        digit_before = true;
    }
    *out = value;
    return digit_before;
}

/* Up to 19 digits with a point and an exponent that a float division or product gives exactly;
   false for anything else. */
static bool parse_float_fast(const char *s, const char *end, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t whole = 0;
    int digits = 0, scale = 0;
    bool point = false;
    for (; s < end && digits < 19; s++) {
        if (*s == '.' && !point) {
            point = true;
            continue;
        }
        if (*s < '0' || *s > '9')
            return false;
        whole = whole * 10 + (uint64_t)(*s - '0');
        digits++;
        scale += point;
    }
    if (s < end || !digits || whole > (uint64_t)1 << 53)
        return false;
    *out = (double)whole / powers[scale];
    return true;
}

/* A decimal float: digits, a point, an exponent. Copies without underscores for strtod. */
static bool parse_float(const char *s, const char *end, double *out) {
    char small[64], *copy = small;
    size_t len = 0;
    bool digits = false, ok = true;
    if (parse_float_fast(s, end, out))
        return true;
    if ((size_t)(end - s) >= sizeof small && !(copy = malloc((size_t)(end - s) + 1)))
        return false;
    for (const char *p = s; ok && p < end; p++) {
        bool digit = *p >= '0' && *p <= '9';
        digits |= digit;
        bool exponent = (*p == 'e' || *p == 'E') && digits;
        bool sign = (*p == '-' || *p == '+') && p > s && (p[-1] == 'e' || p[-1] == 'E');
        ok = digit || *p == '.' || exponent || sign || (*p == '_' && p > s);
        if (*p != '_')
            copy[len++] = *p;
    }
    if (ok && digits) {
        char *stop;
        copy[len] = 0;
        *out = strtod(copy, &stop);
        ok = stop == copy + len;
    }
    if (copy != small)
        free(copy);
    return ok && digits;
}

static bool word_is(const char *s, const char *end, const char *word) {
    size_t len = strlen(word);
    if ((size_t)(end - s) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (tolower((unsigned char)s[i]) != word[i])
            return false;
    return true;
}

bool number_parse(const char *text, size_t len, Number *out) {
    const char *s = text, *end = text + len;
    *out = (Number){0};
    if (s < end && (*s == '-' || *s == '+'))
        out->negative = *s++ == '-';
    if (s == end)
        return false;
    bool prefix = end - s > 2 && *s == '0';
    if (prefix && (s[1] | 32) == 'x')
        return parse_whole(s + 2, end, 16, &out->whole);
    if (prefix && (s[1] | 32) == 'b')
        return parse_whole(s + 2, end, 2, &out->whole);
    if (parse_whole(s, end, 10, &out->whole)) {
        out->negative &= out->whole != 0;
        return true;
    }
    bool letter = isalpha((unsigned char)*s);
    if (letter && word_is(s, end, "nan"))
        out->number = NAN;
    else if (letter && (word_is(s, end, "inf") || word_is(s, end, "infinity")))
        out->number = INFINITY;
    else if (letter || !parse_float(s, end, &out->number))
        return false;
    out->is_float = true;
    if (out->negative)
        out->number = -out->number;
    return true;
}

/* ---- durations and stamps ---- */

static const struct {
    const char *name;
    int64_t ns;
} units[] = {{"h", 3600000000000}, {"min", 60000000000}, {"s", 1000000000},
             {"ms", 1000000},      {"us", 1000},         {"ns", 1}};
enum { UNITS = sizeof units / sizeof *units };

/* Digits, with at most one point, times a unit; false when that is no whole number of ns. */
static bool scale_decimal(const char *s, const char *end, int64_t unit, int64_t *out) {
    __int128 value = 0, scale = 1;
    bool point = false, digits = false;
    for (; s < end; s++) {
        if (*s == '.' && !point) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*s) || value > INT64_MAX || scale > INT64_MAX / 10)
            return false;
        digits = true;
        value = value * 10 + (*s - '0');
        scale *= point ? 10 : 1;
    }
    if (!digits || value > INT64_MAX)
        return false;
    value *= unit;
    *out = (int64_t)(value / scale);
    return value % scale == 0 && value / scale <= INT64_MAX;
}

bool duration_parse(const char *text, size_t len, int64_t *out) {
    const char *s = text, *end = text + len;
    bool negative = s < end && *s == '-';
    s += negative;
    const char *unit = s;
    while (unit < end && (isdigit((unsigned char)*unit) || *unit == '.'))
        unit++;
    for (int i = 0; i < UNITS; i++)
        if (word_is(unit, end, units[i].name) && scale_decimal(s, unit, units[i].ns, out)) {
            *out = negative ? -*out : *out;
            return true;
        }
    return false;
}

/* In the largest unit of which it is a whole number or, from seconds down, a decimal fraction. */
static void print_duration(Text *text, int64_t ns) {
    uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    if (!v) {
        text_puts(text, "0s");
        return;
    }
    int i = 0;
    while (v < (uint64_t)units[i].ns || (i < 2 && v % (uint64_t)(units[i].ns / 10)))
        i++;
    uint64_t unit = (uint64_t)units[i].ns, part = v % unit;
    text_printf(text, "%s%llu", ns < 0 ? "-" : "", (unsigned long long)(v / unit));
    if (part) {
        text_char(text, '.');
        for (; part; part %= unit) {
            part *= 10;
            text_char(text, (char)('0' + part / unit));
        }
    }
    text_puts(text, units[i].name);
}

/* 2026-01-31T12:00:00.000001Z, and +3 for a counter of 3. */
static void print_hlc(Text *text, uint64_t bits) {
    uint64_t us = bits >> 12, counter = bits & 4095;
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    text_printf(text, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ", tm.tm_year + 1900, tm.tm_mon + 1,
                tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(us % 1000000));
    if (counter)
        text_printf(text, "+%u", (unsigned)counter);
}

bool hlc_parse(const char *text, size_t len, uint64_t *out) {
    char copy[64];
    unsigned us = 0, counter = 0;
    struct tm tm = {0};
    int used = 0;
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    if (sscanf(copy, "%5d-%2d-%2dT%2d:%2d:%2d.%6uZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
               &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us, &used) != 7 ||
        !used)
        return false;
    int rest = 0;
    if (copy[used] && (sscanf(copy + used, "+%4u%n", &counter, &rest) != 1 || copy[used + rest]))
        return false;
    if (tm.tm_year < 1970 || tm.tm_year > 99999 || tm.tm_mon < 1 || tm.tm_mon > 12 ||
        counter > 4095)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *out = ((uint64_t)timegm(&tm) * 1000000 + us) << 12 | counter;
    return true;
}

/* ---- shortest texts ---- */

/* The least digits that read back as the same value: digits without trailing zeros, and the
   decimal exponent of the first. */
typedef struct {
    char digits[24];
    int count, exponent;
} Decimal;

static Decimal decimal_of(uint64_t whole, int scale) {
    Decimal d = {.exponent = -1};
    char reversed[24];
    int n = 0;
    for (; whole; whole /= 10)
        reversed[n++] = (char)('0' + whole % 10);
    for (int i = 0; i < n; i++)
        d.digits[i] = reversed[n - 1 - i];
    d.count = n;
    d.exponent = n - 1 - scale;
    while (d.count > 1 && d.digits[d.count - 1] == '0')
        d.count--;
    return d;
}

/* x = r / 10^k with a small whole r: the division is rounded correctly, as reading is, and no
   shorter text reads as x because texts of up to 15 digits read as different numbers. */
static bool decimal_fast(double x, Decimal *out) {
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    for (int k = 0; k < 7; k++) {
        double r = nearbyint(x * powers[k]);
        if (r >= 1e15)
            return false;
        if (r >= 1 && r / powers[k] == x) {
            *out = decimal_of((uint64_t)r, k);
            return true;
        }
    }
    return false;
}

/* The distances from x to half way to its neighbours of the kind: the smaller and the larger. */
static void half_gaps(int32_t kind, double x, double *least, double *most) {
    double up, down;
    if (kind == GACT_F64) {
        up = nextafter(x, INFINITY) - x;
        down = x - nextafter(x, 0);
    } else {
        float f = (float)x;
        up = (double)nextafterf(f, INFINITY) - x;
        down = x - (double)nextafterf(f, 0);
    }
    *least = down < up ? down / 2 : up / 2;
    *most = down < up ? up / 2 : down / 2;
}

/* The nearest decimal of so many digits, computed with 64 bits: 1 if it reads back as x, 0 if it
   does not, -1 if that cannot be told with so few bits or x is out of the range of exact powers. */
static int decimal_near(int32_t kind, double x, int exponent, int digits, Decimal *out) {
    static const long double powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                         1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                         1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                         1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    int scale = digits - 1 - exponent;
    if (LDBL_MANT_DIG < 64 || scale < 0 || scale > 27)
        return -1;
    int64_t r = (int64_t)((long double)x * powers[scale] + 0.5L); /* nearbyintl is slow */
    double off = (double)fabsl((long double)r / powers[scale] - (long double)x), least, most;
    half_gaps(kind, x, &least, &most);
    if (off > most * (1 + 0x1p-7))
        return 0;
    if (off > least * (1 - 0x1p-7))
        return -1;
    *out = decimal_of((uint64_t)r, scale);
    return 1;
}

static bool reads_back(int32_t kind, const char *text, double x) {
    if (kind == GACT_F32 && strtof(text, NULL) != (float)x)
        return false;
    return scalar_float(kind, scalar_of_float(kind, strtod(text, NULL))) == x;
}

/* The same through the C library, for what needs more bits. */
static bool decimal_exact(int32_t kind, double x, int digits, bool last, Decimal *out) {
    char text[40];
    snprintf(text, sizeof text, "%.*e", digits - 1, x);
    if (!last && !reads_back(kind, text, x))
        return false;
    char *e = strchr(text, 'e');
    *out = (Decimal){.exponent = atoi(e + 1)};
    out->digits[out->count++] = text[0];
    for (char *p = text + 2; p < e; p++)
        out->digits[out->count++] = *p;
    while (out->count > 1 && out->digits[out->count - 1] == '0')
        out->count--;
    return true;
}

/* Of a positive finite number. */
static Decimal shortest(int32_t kind, double x) {
    /* All texts of so many digits are different numbers of the kind, and the most it needs. */
    static const int safe[] = {[GACT_F16] = 3, [GACT_BF16] = 2, [GACT_F32] = 6, [GACT_F64] = 15};
    static const int most[] = {[GACT_F16] = 5, [GACT_BF16] = 4, [GACT_F32] = 9, [GACT_F64] = 17};
    static const double normal[] = {[GACT_F16] = 0x1p-14,
                                    [GACT_BF16] = 0x1p-126,
                                    [GACT_F32] = 0x1p-126,
                                    [GACT_F64] = 0x1p-1022};
    Decimal d;
    if (kind == GACT_F64 && decimal_fast(x, &d))
        return d;
    /* Subnormal numbers have fewer digits: they start from one. */
    bool subnormal = x < normal[kind], wide = kind == GACT_F32 || kind == GACT_F64;
    int exponent = (int)floor(log10(x));
    for (int digits = subnormal ? 1 : safe[kind]; digits <= most[kind]; digits++) {
        int near = wide && !subnormal ? decimal_near(kind, x, exponent, digits, &d) : -1;
        if (near > 0 || (near < 0 && decimal_exact(kind, x, digits, digits == most[kind], &d)))
            break;
    }
    return d;
}

static void print_exponent_form(Text *text, const Decimal *d) {
    text_char(text, d->digits[0]);
    if (d->count > 1)
        text_char(text, '.');
    text_add(text, d->digits + 1, (size_t)d->count - 1);
    text_printf(text, "e%d", d->exponent);
}

static void print_positional(Text *text, const Decimal *d) {
    int whole = d->exponent + 1; /* digits before the point */
    for (int i = 0; i < whole; i++)
        text_char(text, i < d->count ? d->digits[i] : '0');
    text_puts(text, whole > 0 ? "." : "0.");
    for (int i = whole; i < 0; i++)
        text_char(text, '0');
    int from = whole > 0 ? whole : 0;
    if (from >= d->count)
        text_char(text, '0');
    else
        text_add(text, d->digits + from, (size_t)(d->count - from));
}

static void print_float(Text *text, int32_t kind, double x, bool exponent) {
    if (isnan(x)) {
        text_puts(text, "nan");
        return;
    }
    if (signbit(x))
        text_char(text, '-');
    if (isinf(x))
        text_puts(text, "inf");
    else if (x == 0)
        text_puts(text, exponent ? "0e0" : "0.0");
    else {
        Decimal d = shortest(kind, fabs(x));
        if (exponent || d.exponent < -5 || d.exponent >= 16)
            print_exponent_form(text, &d);
        else
            print_positional(text, &d);
    }
}

char *whole_print(char *out, int32_t kind, GactSlot slot) {
    char digits[WHOLE_DIGITS], *at = digits + sizeof digits;
    bool negative = kind_is_signed(kind) && slot.i < 0;
    uint64_t rest = negative ? -slot.u : slot.u;
    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (negative)
        *out++ = '-';
    size_t n = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, n);
    return out + n;
}

static void print_whole(Text *text, int32_t kind, GactSlot slot) {
    char *end = whole_print(text_room(text, WHOLE_DIGITS), kind, slot);
    text->len = (size_t)(end - text->at);
}

void scalar_print(Text *text, int32_t kind, GactSlot slot) {
    if (kind == GACT_BOOL)
        text_puts(text, slot.u & 1 ? "true" : "false");
    else if (kind_is_float(kind))
        print_float(text, kind, scalar_float(kind, slot), false);
    else if (kind == GACT_HLC)
        print_hlc(text, slot.u);
    else if (kind == GACT_DURATION)
        print_duration(text, slot.i);
    else
        print_whole(text, kind, slot);
}

void scalar_print_exponent(Text *text, int32_t kind, GactSlot slot) {
    print_float(text, kind, scalar_float(kind, slot), true);
}
