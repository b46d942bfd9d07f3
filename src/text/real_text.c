/*
 * Numbers with a fraction, written as Python's str() does: the shortest digits that read back as the same number, and
 * of those the closest to it. 17 digits always do, and printf(3) rounds right, so the fewest that do are looked for.
 */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weir/text.h>

#include "base/text.h"
#include "text/real.h"

enum { MOST_DIGITS = 17, SURE_DIGITS = 15 };

/* A positive number: digits with a point behind the first, times 10 to the exponent. */
struct decimal {
    char digits[MOST_DIGITS + 1];
    int count, exponent;
};

/* `count` digits of the number. The locale's point is passed over, whatever it is. */
static void round_to(double number, int count, struct decimal *decimal)
{
    char text[64];
    snprintf(text, sizeof text, "%.*e", count - 1, number);
    char *mark = strchr(text, 'e');
    decimal->count = 0;
    for (const char *at = text; at < mark; at++)
        if (*at >= '0' && *at <= '9' && decimal->count < MOST_DIGITS)
            decimal->digits[decimal->count++] = *at;
    decimal->digits[decimal->count] = '\0';
    decimal->exponent = 0;
    for (const char *at = mark + 2; *at; at++)
        decimal->exponent = decimal->exponent * 10 + (*at - '0');
    if (mark[1] == '-')
        decimal->exponent = -decimal->exponent;
}

static bool reads_back(const struct decimal *decimal, double number)
{
    char text[64];
    snprintf(text, sizeof text, "%se%d", decimal->digits, decimal->exponent - (decimal->count - 1));
    return weir__strtod(text) == number;
}

/* One more in the last place. */
static void step_up(struct decimal *decimal)
{
    int at = decimal->count - 1;
    for (; at >= 0 && decimal->digits[at] == '9'; at--)
        decimal->digits[at] = '0';
    if (at >= 0) {
        decimal->digits[at]++;
        return;
    }
    decimal->digits[0] = '1';
    decimal->exponent++;
}

/*
 * Whether so many digits are enough. Next to a power of two there is twice as much room above as below: where the
 * closest digits lie below and do not read back, those above may.
 */
static bool fits(double number, int count, struct decimal *decimal)
{
    int exponent;
    round_to(number, count, decimal);
    if (reads_back(decimal, number))
        return true;
    if (frexp(number, &exponent) != 0.5)
        return false;
    step_up(decimal);
    return reads_back(decimal, number);
}

/*
 * What reads back with 15 digits does so with fewer if the last ones are 0; subnormals are less exact, and looked at
 * one by one.
 */
static void find_shortest(double number, struct decimal *decimal)
{
    int count = isnormal(number) ? SURE_DIGITS : 1;
    while (!fits(number, count, decimal) && count < MOST_DIGITS)
        count++;
    while (decimal->count > 1 && decimal->digits[decimal->count - 1] == '0')
        decimal->digits[--decimal->count] = '\0';
}

static void put_zeros(struct weir__text *text, int count)
{
    while (count-- > 0)
        weir__text_put_char(text, '0');
}

/* 0.00012, 123.45, 123000.0 */
static void put_fixed(struct weir__text *text, const struct decimal *decimal)
{
    int before = decimal->exponent + 1; /* the point */
    if (before <= 0) {
        weir__text_put(text, "0.");
        put_zeros(text, -before);
        weir__text_put(text, decimal->digits);
    } else if (before >= decimal->count) {
        weir__text_put(text, decimal->digits);
        put_zeros(text, before - decimal->count);
        weir__text_put(text, ".0");
    } else {
        weir__text_put_bytes(text, decimal->digits, (size_t)before);
        weir__text_put_char(text, '.');
        weir__text_put(text, decimal->digits + before);
    }
}

/* 1e+16, 1.5e-05 */
static void put_scaled(struct weir__text *text, const struct decimal *decimal)
{
    int size = decimal->exponent < 0 ? -decimal->exponent : decimal->exponent;
    weir__text_put_char(text, decimal->digits[0]);
    if (decimal->count > 1)
        weir__text_put_char(text, '.');
    weir__text_put(text, decimal->digits + 1);
    weir__text_put(text, decimal->exponent < 0 ? "e-" : "e+");
    if (size < 10)
        weir__text_put_char(text, '0');
    weir__text_put_number(text, (uint64_t)size);
}

char *weir_float_text(double number, char *text, size_t size)
{
    struct weir__text to = weir__text(text, size);
    struct decimal decimal;
    if (signbit(number) && !isnan(number))
        weir__text_put_char(&to, '-');
    if (isnan(number) || isinf(number)) {
        weir__text_put(&to, isnan(number) ? "nan" : "inf");
        return text;
    }
    if (number == 0) {
        weir__text_put(&to, "0.0");
        return text;
    }
    find_shortest(fabs(number), &decimal);
    if (decimal.exponent >= -4 && decimal.exponent < 16)
        put_fixed(&to, &decimal);
    else
        put_scaled(&to, &decimal);
    return text;
}
