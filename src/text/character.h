/* What characters are, as Python's str has it: white space, and decimal digits of any script (Unicode 14). */
#ifndef WEIR_TEXT_CHARACTER_H
#define WEIR_TEXT_CHARACTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool weir__is_space(uint32_t character);

/* The value of a decimal digit, -1 of whatever else. */
int weir__digit(uint32_t character);

/*
 * A number's characters one after the other, as Python reads them: digits of other scripts as 0 to 9, white space
 * that is not ASCII as ' ', whatever else is not ASCII as '?'. The white space around is left out.
 */
struct weir__number_text {
    const unsigned char *next, *end;
};

struct weir__number_text weir__number_text(const char *string, size_t length);

/* The next character, without passing it over, or with; -1 at the end. */
int weir__number_peek(const struct weir__number_text *text);
int weir__number_next(struct weir__number_text *text);

/* What an error shows of a number: escaped and cut. Returns `shown`, which has 64 bytes. */
enum { WEIR__NUMBER_SHOWN = 64 };
const char *weir__number_shown(const char *text, size_t length, char *shown);

#endif
