/*
 * Numbers in text: what is one is said by regular expressions, what it is by plain arithmetic and strtod(3); what is written is read
 * as the same, and no shorter text is.
 *
 * The input: a byte for the base, and the text; its first 8 bytes are also taken for a double and an integer.
 */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

#include "fuzz.h"

#define SPACE  "[ \t\n\v\f\r]*"
#define DIGITS "[0-9](_?[0-9])*"

static const char float_pattern[] =
    "^" SPACE "[+-]?((" DIGITS "\\.?|" DIGITS "\\." DIGITS "|\\." DIGITS ")([eE][+-]?" DIGITS ")?|"
    "[iI][nN][fF]([iI][nN][iI][tT][yY])?|[nN][aA][nN])" SPACE "$";

static bool matches(const char *pattern, const char *text)
{
    regex_t expression;
    if (regcomp(&expression, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        abort();
    bool found = regexec(&expression, text, 0, NULL, 0) == 0;
    regfree(&expression);
    return found;
}

/* A copy without underscores and white space. Freed by free. */
static char *plain(const char *text)
{
    char *copy = fuzz_string(text, strlen(text)), *to = copy;
    for (; *text; text++)
        if (!strchr("_ \t\n\v\f\r", *text))
            *to++ = *text;
    *to = '\0';
    return copy;
}

static bool is_ascii(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] <= 0)
            return false;
    return true;
}

/* --- integers --- */

/* What digits of a base look like: "[0-9a-cA-C]". */
static const char *digits_of(int base)
{
    static char set[16];
    if (base <= 10)
        snprintf(set, sizeof set, "[0-%d]", base - 1);
    else
        snprintf(set, sizeof set, "[0-9a-%cA-%c]", 'a' + base - 11, 'A' + base - 11);
    return set;
}

static bool is_integer_of(const char *text, int base, const char *prefix)
{
    char pattern[200];
    snprintf(pattern, sizeof pattern, "^" SPACE "[+-]?%s%s(_?%s)*" SPACE "$", prefix, digits_of(base), digits_of(base));
    return matches(pattern, text);
}

/* The base that the text is a number of; 0: it is none. *prefixed: the digits come behind two characters. */
static int base_of(const char *text, int base, bool *prefixed)
{
    static const struct {
        int base;
        const char *prefix;
    } prefixes[] = {{2, "0[bB]_?"}, {8, "0[oO]_?"}, {16, "0[xX]_?"}};
    *prefixed = true;
    for (int i = 0; i < 3; i++)
        if ((base == 0 || base == prefixes[i].base) && is_integer_of(text, prefixes[i].base, prefixes[i].prefix))
            return prefixes[i].base;
    *prefixed = false;
    if (base == 0)
        return matches("^" SPACE "[+-]?(0(_?0)*|[1-9](_?[0-9])*)" SPACE "$", text) ? 10 : 0;
    return is_integer_of(text, base, "") ? base : 0;
}

/* Its value; beyond 64 bits anything that is. */
static __int128 value_of(const char *text, int base, bool prefixed)
{
    char *digits = plain(text), *at = digits;
    bool negative = *at == '-';
    __int128 value = 0;
    at += *at == '-' || *at == '+';
    for (at += prefixed ? 2 : 0; *at; at++) {
        int digit = *at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10;
        if (value < (__int128)1 << 100)
            value = value * base + digit;
    }
    free(digits);
    return negative ? -value : value;
}

static void require_integer(const char *text, int base, int result, int64_t number, int error)
{
    bool prefixed;
    int found = base_of(text, base, &prefixed);
    if (found == 0) {
        fuzz_require(result == -1 && error == EINVAL, "'%s' in base %d: %d, errno %d", text, base, result, error);
        return;
    }
    __int128 value = value_of(text, found, prefixed);
    if (value > INT64_MAX || value < INT64_MIN)
        fuzz_require(result == -1 && error == ERANGE, "'%s' in base %d: %d, errno %d", text, base, result, error);
    else
        fuzz_require(result == 0 && number == (int64_t)value, "'%s' in base %d: %d, %lld", text, base, result,
                     (long long)number);
}

static void try_integer(const char *text, size_t length, int base)
{
    int64_t number = 7;
    int result = weir_parse_int(text, length, base, &number), error = errno;
    if (result < 0) {
        fuzz_require((error == EINVAL || error == ERANGE) && number == 7, "errno %d", error);
        fuzz_require_error(WEIR_ERROR_USAGE, &text, 1);
    }
    if (is_ascii(text, length))
        require_integer(text, base, result, number, error);
}

static void try_integer_text(int64_t number)
{
    char text[WEIR_INT_TEXT], expected[WEIR_INT_TEXT];
    snprintf(expected, sizeof expected, "%lld", (long long)number);
    fuzz_require(strcmp(weir_int_text(number, text, sizeof text), expected) == 0, "%s, not %s", text, expected);
}

/* --- with fractions --- */

static bool is_same(double a, double b)
{
    return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static void try_float(const char *text, size_t length)
{
    double number = 7;
    int result = weir_parse_float(text, length, &number);
    if (result < 0) {
        fuzz_require(errno == EINVAL && number == 7, "errno %d", errno);
        fuzz_require_error(WEIR_ERROR_USAGE, &text, 1);
    }
    if (!is_ascii(text, length))
        return;
    fuzz_require(matches(float_pattern, text) == (result == 0), "'%s': %d", text, result);
    if (result < 0)
        return;
    char *digits = plain(text);
    fuzz_require(is_same(number, strtod(digits, NULL)), "'%s' is %.17g, read as %.17g", text, strtod(digits, NULL),
                 number);
    free(digits);
}

static void try_float_text(double number)
{
    char text[WEIR_FLOAT_TEXT + 1], shorter[64];
    double again;
    text[WEIR_FLOAT_TEXT] = 'x';
    weir_float_text(number, text, WEIR_FLOAT_TEXT);
    fuzz_require(text[WEIR_FLOAT_TEXT] == 'x' && strlen(text) < WEIR_FLOAT_TEXT, "'%s'", text);
    fuzz_require(weir_parse_float(text, strlen(text), &again) == 0 && is_same(number, again), "%.17g as '%s'", number,
                 text);
    if (!isfinite(number))
        return;
    int digits = 0;
    for (const char *at = text; *at && *at != 'e'; at++)
        digits += *at >= '0' && *at <= '9' && (digits > 0 || *at != '0');
    for (int count = 1; count < digits && count < 17; count++) {
        snprintf(shorter, sizeof shorter, "%.*e", count - 1, number);
        /* Zeros at the end are no digits of it. */
        if (strtod(shorter, NULL) != number)
            continue;
        size_t end = strcspn(text, "e");
        while (end > 0 && (text[end - 1] == '0' || text[end - 1] == '.') && digits > count) {
            digits -= text[end - 1] == '0';
            end--;
        }
        fuzz_require(digits <= count, "'%s' is shorter than '%s'", shorter, text);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    static const int bases[] = {10, 0, 2, 8, 16, 36, 3, 11};
    int base = bases[fuzz_below(&input, 8)];
    size_t length = fuzz_left(&input);
    char *text = fuzz_string(input.next, length);
    try_integer(text, length, base);
    try_float(text, length);
    if (length >= 8) {
        double number;
        int64_t integer;
        memcpy(&number, text, sizeof number);
        memcpy(&integer, text, sizeof integer);
        try_float_text(number);
        try_integer_text(integer);
    }
    free(text);
    return 0;
}
