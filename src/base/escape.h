/* Bytes from anywhere as text that may be shown. */
#ifndef WEIR_BASE_ESCAPE_H
#define WEIR_BASE_ESCAPE_H

#include <stdbool.h>
#include <weir/log.h>

/* What else than unsafe characters is escaped. */
enum weir__escape_how {
    WEIR__ESCAPE_BACKSLASH = 1, /* a backslash as \\ */
    WEIR__ESCAPE_JSON = 2,      /* for the inside of a JSON string: quotes, and each backslash once more */
};

/*
 * Writes at most `most` bytes (and no NUL) to `to`: what `length` bytes show as, cut behind a whole character and
 * marked with "..." where it does not fit, or where `cut` says that something was cut before. Returns the length
 * written.
 */
size_t weir__escape(const char *bytes, size_t length, bool cut, int how, char *to, size_t most);

#endif
