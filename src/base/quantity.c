/* Durations and sizes as people write them, read exactly: integers throughout, whatever the locale. */
#include <errno.h>
#include <string.h>
#include <weir/error.h>
#include <weir/time.h>

struct decimal {
    uint64_t whole;
    bool too_large;       /* whole did not hold it */
    const char *fraction; /* its digits */
    size_t fraction_digits;
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

/* Reads "12", "1.5" or ".5". Returns what follows, NULL if it is no number. */
static const char *read_decimal(const char *text, struct decimal *number)
{
    *number = (struct decimal){0};
    const char *end = read_whole(text, number);
    if (*end != '.')
        return end == text ? NULL : end;
    number->fraction = end + 1;
    number->fraction_digits = strspn(number->fraction, "0123456789");
    return number->fraction_digits == 0 ? NULL : number->fraction + number->fraction_digits;
}

/* The fraction of a unit, rounded up. From the last digit to the first: so it is exact, however many there are. */
static uint64_t fraction_of(uint64_t unit, const struct decimal *number)
{
    uint64_t part = 0;
    bool round_up = false;
    for (size_t i = number->fraction_digits; i > 0; i--) {
        part += (uint64_t)(number->fraction[i - 1] - '0') * unit;
        round_up = round_up || part % 10 > 0;
        part /= 10;
    }
    return part + round_up;
}

/*
 * number * unit, rounded up, so that what is more than nothing stays more than nothing. 0, or -1 if it is above
 * `most`.
 */
static int multiply(const struct decimal *number, uint64_t unit, uint64_t most, uint64_t *product)
{
    if (number->too_large)
        return -1;
    unsigned __int128 total = (unsigned __int128)number->whole * unit + fraction_of(unit, number);
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
