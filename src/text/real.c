/*
 * Numbers with a fraction, read as Python's float() reads them, whatever the locale: strtod(3) of plain ASCII does
 * the work.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/text.h>

#include "base/error.h"
#include "text/character.h"
#include "text/real.h"

enum { SHORT = 100 }; /* no memory is needed for numbers up to this */

double weir__strtod(const char *text)
{
    /* The locale "C" is always there: no memory, no files, nothing to free. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", NULL);
    int number = errno;
    double value = strtod_l(text, NULL, plain);
    errno = number;
    freelocale(plain);
    return value;
}

static bool is_digit(int character)
{
    return character >= '0' && character <= '9';
}

/* The number in ASCII, without the underscores that stand between digits. False: one stands elsewhere. */
static bool copy_plain(struct weir__number_text *text, char *plain)
{
    int character, before = 0;
    for (; (character = weir__number_next(text)) >= 0; before = character) {
        if (before == '_' && !is_digit(character))
            return false;
        if (character == '_' && !is_digit(before))
            return false;
        if (character != '_')
            *plain++ = (char)(character ? character : '?');
    }
    *plain = '\0';
    return before != '_';
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* Whether it is what strtod reads, but for its hexadecimals: digits, a point, an exponent. */
static bool is_decimal(const char *text)
{
    size_t whole = count_digits(text), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = count_digits(text + 1);
        text += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text != 'e' && *text != 'E')
        return !*text;
    text += text[1] == '+' || text[1] == '-' ? 2 : 1;
    return *text && !text[count_digits(text)];
}

static bool is_number(const char *text)
{
    if (*text == '+' || *text == '-')
        text++;
    return is_decimal(text) || strcasecmp(text, "inf") == 0 || strcasecmp(text, "infinity") == 0 ||
           strcasecmp(text, "nan") == 0;
}

int weir_parse_float(const char *text, size_t length, double *number)
{
    char brief[SHORT + 1], shown[WEIR__NUMBER_SHOWN];
    struct weir__number_text rest = weir__number_text(text ? text : "", length);
    size_t most = (size_t)(rest.end - rest.next);
    char *plain = most <= SHORT ? brief : malloc(most + 1);
    if (!plain)
        return weir__fail_memory("");
    bool well = copy_plain(&rest, plain) && is_number(plain);
    if (well)
        *number = weir__strtod(plain);
    if (plain != brief)
        free(plain);
    weir__number_shown(text ? text : "", length, shown);
    return well ? 0 : weir_fail(WEIR_ERROR_USAGE, EINVAL, "", *shown ? shown : "''", "not a number");
}
