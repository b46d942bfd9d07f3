/* The parts that the parser of endpoints works on; the public side is weir/endpoint.h. */
#ifndef WEIR_NET_ENDPOINT_H
#define WEIR_NET_ENDPOINT_H

#include <weir/endpoint.h>

#include "base/error.h"
#include "base/text.h"

/* Where in the text we are; it has no terminator of its own. */
struct weir__part {
    const char *start;
    size_t length;
};

/* What an error shows of a part, for "%.*s": whole characters. */
#define WEIR__SHOWN(part) (int)weir__text_cut((part).start, (part).length, 200), (part).start

/* The error of an endpoint as the user wrote it. Returns -1. */
#define weir__wrong(text, ...) weir_fail(WEIR_ERROR_USAGE, EINVAL, NULL, text, __VA_ARGS__)

bool weir__is_digit(char character);
bool weir__is_letter(char character);
bool weir__all_digits(struct weir__part part);

/* Whether a part is this word, in whatever case. */
bool weir__part_is(struct weir__part part, const char *word);

/* Cuts off what stands before the first `mark`, and the mark. False if there is none: `before` is then all of it. */
bool weir__cut(struct weir__part *rest, char mark, struct weir__part *before);

/* Copies a part and ends it with NUL; there must be room. */
void weir__copy_part(char *to, struct weir__part part);

/* The port of a scheme where an endpoint names none; 0: it must. */
uint16_t weir__scheme_port(weir_scheme scheme);

/* HOST:PORT, or PORT alone where the text has not `named` its scheme. `text` is the whole, for errors. 0 or -1. */
int weir__parse_host_and_port(const char *text, struct weir__part rest, bool named, weir_endpoint *endpoint);

#endif
