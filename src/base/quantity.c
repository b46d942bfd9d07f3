/* Durations and sizes as people write them, read exactly: integers throughout, whatever the locale. */
#include <errno.h>
#include <string.h>
#include <weir/error.h>
#include <weir/time.h>

/* Digits after the point that are read; what is smaller counts as "a little more". */
enum { FRACTION_DIGITS = 18 };
static const uint64_t fraction_unit = 1000000000000000000;

struct decimal {
    uint64_t whole;
    uint64_t fraction; /* in 10^-18 */
    bool more;         /* there was something behind the last digit of the fraction that is not zero */
    bool too_large;    /* whole did not hold it */
};

struct unit {
    const char *name;
    uint64_t size;
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Reads digits up to the first other character, which is returned. */
static const char *read_whole(const char *text, struct decimal *number)
{
    for (; is_digit(*text); text++)
        if (__builtin_mul_overflow(number->whole, 10, &number->whole) ||
            __builtin_add_overflow(number->whole, (uint64_t)(*text - '0'), &number->whole))
            number->too_large = true;
    return text;
}

static const char *read_fraction(const char *text, struct decimal *number)
{
    uint64_t unit = fraction_unit;
    for (; is_digit(*text); text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        unit /= 10;
        number->fraction += digit * unit;
        if (unit == 0 && digit > 0)
            number->more = true;
    }
    return text;
}

/* Reads "12", "1.5" or ".5". Returns what follows, NULL if it is no number. */
static const char *read_decimal(const char *text, struct decimal *number)
{
    *number = (struct decimal){0};
    const char *end = read_whole(text, number);
    if (*end != '.')
        return end == text ? NULL : end;
    const char *fraction = end + 1;
    end = read_fraction(fraction, number);
    return end == fraction ? NULL : end;
}

/*
 * number * unit, rounded up, so that what is more than nothing stays more than nothing. 0, or -1 if it is above
 * `most`.
 */
static int multiply(const struct decimal *number, uint64_t unit, uint64_t most, uint64_t *product)
{
    if (number->too_large)
        return -1;
    unsigned __int128 part = (unsigned __int128)number->fraction * unit;
    bool round_up = number->more || part % fraction_unit > 0;
    unsigned __int128 total = (unsigned __int128)number->whole * unit + part / fraction_unit + round_up;
    if (total > most)
        return -1;
    *product = (uint64_t)total;
    return 0;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcmp(units->name, name) == 0)
            return units;
    return NULL;
}

static int fail_usage(int number, const char *text, const char *reason)
{
    return weir_fail(WEIR_ERROR_USAGE, number, "", *text ? text : "''", "%s", reason);
}

int weir_parse_duration(const char *text, int64_t *duration)
{
    static const struct unit units[] = {
        {"", WEIR_S(1)},  {"ns", 1},         {"us", WEIR_US(1)},  {"ms", WEIR_MS(1)},
        {"s", WEIR_S(1)}, {"m", WEIR_S(60)}, {"h", WEIR_S(3600)}, {NULL, 0},
    };
    if (strcmp(text, "never") == 0) {
        *duration = WEIR_FOREVER;
        return 0;
    }
    struct decimal number;
    const char *end = read_decimal(text, &number);
    const struct unit *unit = end ? find_unit(units, end) : NULL;
    if (!unit)
        return fail_usage(EINVAL, text, "not a duration, such as 500ms, 3s, 2m or never");
    uint64_t nanoseconds;
    if (multiply(&number, unit->size, WEIR_FOREVER - 1, &nanoseconds) < 0)
        return fail_usage(ERANGE, text, "too long, say never");
    *duration = (int64_t)nanoseconds;
    return 0;
}

int weir_parse_size(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"k", UINT64_C(1) << 10},
        {"K", UINT64_C(1) << 10},
        {"m", UINT64_C(1) << 20},
        {"M", UINT64_C(1) << 20},
        {"g", UINT64_C(1) << 30},
        {"G", UINT64_C(1) << 30},
        {"t", UINT64_C(1) << 40},
        {"T", UINT64_C(1) << 40},
        {NULL, 0},
    };
    struct decimal number = {0};
    const char *end = read_whole(text, &number);
    const struct unit *unit = end == text ? NULL : find_unit(units, end);
    if (!unit)
        return fail_usage(EINVAL, text, "not a size, such as 512, 64k or 1M");
    if (multiply(&number, unit->size, UINT64_MAX, bytes) < 0)
        return fail_usage(ERANGE, text, "too large");
    return 0;
}
