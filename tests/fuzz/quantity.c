/*
 * Durations, sizes and log levels as people write them, judged by arithmetic on decimal digits of any number.
 *
 * The input is the text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>
#include <weir/time.h>

#include "fuzz.h"

struct unit {
    const char *name;
    uint64_t size;
};

static const struct unit duration_units[] = {{"", 1000000000},     {"ns", 1},         {"us", 1000},
                                             {"ms", 1000000},      {"s", 1000000000}, {"m", 60000000000},
                                             {"h", 3600000000000}, {NULL, 0}};
static const struct unit size_units[] = {{"", 1},           {"k", 1ull << 10}, {"K", 1ull << 10}, {"m", 1ull << 20},
                                         {"M", 1ull << 20}, {"g", 1ull << 30}, {"G", 1ull << 30}, {"t", 1ull << 40},
                                         {"T", 1ull << 40}, {NULL, 0}};

static const char digits[] = "0123456789";

/* The digits of `number` times `unit`, in place; what is carried beyond the first is returned. */
static uint64_t multiply(unsigned char *number, size_t length, uint64_t unit)
{
    uint64_t carried = 0;
    while (length-- > 0) {
        uint64_t product = number[length] * unit + carried;
        number[length] = (unsigned char)(product % 10);
        carried = product / 10;
    }
    return carried;
}

/* What a number of digits is, with `carried` in front of it; above 2^64 that much. */
static unsigned __int128 value_of(uint64_t carried, const unsigned char *number, size_t length)
{
    unsigned __int128 value = carried;
    for (size_t i = 0; i < length && value <= UINT64_MAX; i++)
        value = value * 10 + number[i];
    return value;
}

/* "12.5ms" by the book. 0 and the amount, rounded up, at most a little above 2^64; or EINVAL. */
static int read_amount(const char *text, const struct unit *units, bool fractions, unsigned __int128 *amount)
{
    size_t whole = strspn(text, digits), point = text[whole] == '.' && fractions;
    size_t fraction = point ? strspn(text + whole + 1, digits) : 0;
    const char *name = text + whole + point + fraction;
    if ((point && fraction == 0) || (!point && whole == 0))
        return EINVAL;
    while (units->name && strcmp(units->name, name) != 0)
        units++;
    if (!units->name)
        return EINVAL;
    unsigned char *number = fuzz_alloc(whole + fraction);
    for (size_t i = 0; i < whole + fraction; i++)
        number[i] = (unsigned char)(text[i + (i >= whole)] - '0');
    uint64_t carried = multiply(number, whole + fraction, units->size);
    /* The product has its point where the number had it. */
    *amount = value_of(carried, number, whole);
    for (size_t i = whole; i < whole + fraction; i++)
        if (number[i] != 0) {
            ++*amount;
            break;
        }
    free(number);
    return 0;
}

static void require_refused(const char *text, int result, int number, int expected)
{
    fuzz_require(result == -1 && number == expected, "%d with errno %d, not %d, of '%s'", result, number, expected,
                 text);
    errno = number;
    fuzz_require_error(WEIR_ERROR_USAGE, &text, 1);
}

static void try_duration(const char *text)
{
    unsigned __int128 amount;
    int64_t duration = -7;
    int result = weir_parse_duration(text, &duration), number = errno;
    if (strcmp(text, "never") == 0) {
        fuzz_require(result == 0 && duration == WEIR_FOREVER, "%d", result);
        return;
    }
    int expected = read_amount(text, duration_units, true, &amount);
    if (expected == 0 && amount >= (uint64_t)WEIR_FOREVER)
        expected = ERANGE;
    if (expected == 0)
        fuzz_require(result == 0 && duration == (int64_t)amount, "'%s' is %lld, read as %lld", text, (long long)amount,
                     (long long)duration);
    else
        require_refused(text, result, number, expected);
}

static void try_size(const char *text)
{
    unsigned __int128 amount;
    uint64_t size = 7;
    int result = weir_parse_size(text, &size), number = errno;
    int expected = read_amount(text, size_units, false, &amount);
    if (expected == 0 && amount > UINT64_MAX)
        expected = ERANGE;
    if (expected == 0)
        fuzz_require(result == 0 && size == (uint64_t)amount, "'%s' is %llu, read as %llu", text,
                     (unsigned long long)amount, (unsigned long long)size);
    else
        require_refused(text, result, number, expected);
}

static void try_level(const char *text)
{
    static const char *const names[] = {"debug", "info", "warning", "error", "none"};
    weir_log_level level = WEIR_LOG_NONE;
    if (weir_parse_log_level(text, &level) == 0)
        fuzz_require(strcmp(names[level], text) == 0, "'%s' as %d", text, (int)level);
    else
        require_refused(text, -1, errno, EINVAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size);
    try_duration(text);
    try_size(text);
    try_level(text);
    free(text);
    return 0;
}
