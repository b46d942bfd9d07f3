/* Whole numbers, read as Python's int() reads them and written as its str() does. */
#include <errno.h>
#include <weir/error.h>
#include <weir/text.h>

#include "base/text.h"
#include "text/character.h"

struct reading {
    struct weir__number_text text;
    unsigned base;
    uint64_t value;
    bool negative, too_large;
};

static unsigned digit_of(int character)
{
    if (character >= '0' && character <= '9')
        return (unsigned)(character - '0');
    int lower = character | 0x20;
    return character >= 'A' && lower >= 'a' && lower <= 'z' ? (unsigned)(lower - 'a') + 10 : 36;
}

/* The base that a 0 and this letter stand for; 0: none. */
static unsigned prefix_base(int letter)
{
    switch (letter) {
    case 'b':
    case 'B':
        return 2;
    case 'o':
    case 'O':
        return 8;
    case 'x':
    case 'X':
        return 16;
    default:
        return 0;
    }
}

static void read_sign(struct reading *reading)
{
    int sign = weir__number_peek(&reading->text);
    reading->negative = sign == '-';
    if (sign == '-' || sign == '+')
        weir__number_next(&reading->text);
}

/*
 * Passes over a prefix, with an underscore behind it, if it is the base's: 0b is nothing in base 2, and 11 in base
 * 16. Without a base it decides that; without a prefix either, a number other than 0 may not begin with 0:
 * `only_zeros`.
 */
static void read_prefix(struct reading *reading, bool *only_zeros)
{
    struct weir__number_text behind = reading->text;
    unsigned prefix = weir__number_next(&behind) == '0' ? prefix_base(weir__number_next(&behind)) : 0;
    *only_zeros = false;
    if (prefix != 0 && (reading->base == 0 || reading->base == prefix)) {
        if (weir__number_peek(&behind) == '_')
            weir__number_next(&behind);
        reading->text = behind;
        reading->base = prefix;
    } else if (reading->base == 0) {
        *only_zeros = weir__number_peek(&reading->text) == '0';
        reading->base = 10;
    }
}

static void add_digit(struct reading *reading, unsigned digit)
{
    if (__builtin_mul_overflow(reading->value, reading->base, &reading->value) ||
        __builtin_add_overflow(reading->value, digit, &reading->value))
        reading->too_large = true;
}

/* Digits to the end, an underscore between two of them at most. */
static bool read_digits(struct reading *reading)
{
    int character, before = '_';
    for (; (character = weir__number_next(&reading->text)) >= 0; before = character) {
        if (character == '_' && before == '_')
            return false;
        if (character == '_')
            continue;
        unsigned digit = digit_of(character);
        if (digit >= reading->base)
            return false;
        add_digit(reading, digit);
    }
    return before != '_';
}

static bool read_number(struct reading *reading)
{
    bool only_zeros;
    read_sign(reading);
    read_prefix(reading, &only_zeros);
    return read_digits(reading) && !(only_zeros && (reading->value != 0 || reading->too_large));
}

int weir_parse_int(const char *text, size_t length, int base, int64_t *number)
{
    char shown[WEIR__NUMBER_SHOWN];
    struct reading reading = {.base = (unsigned)base};
    if (base < 0 || base == 1 || base > 36)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "", "%d is no base: those are 0 and 2 to 36", base);
    reading.text = weir__number_text(text ? text : "", length);
    weir__number_shown(text ? text : "", length, shown);
    if (!read_number(&reading))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", *shown ? shown : "''", "not a whole number in base %d", base);
    uint64_t most = (uint64_t)INT64_MAX + reading.negative;
    if (reading.too_large || reading.value > most)
        return weir_fail(WEIR_ERROR_USAGE, ERANGE, "", shown, "too large for a number of 64 bits");
    *number = (int64_t)(reading.negative ? 0 - reading.value : reading.value);
    return 0;
}

char *weir_int_text(int64_t number, char *text, size_t size)
{
    struct weir__text to = weir__text(text, size);
    if (number < 0)
        weir__text_put_char(&to, '-');
    weir__text_put_number(&to, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
    return text;
}
