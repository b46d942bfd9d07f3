/* Options structs as callers hand them in: they may know fewer members than this library, or more. */
#ifndef WEIR_NET_OPTIONS_H
#define WEIR_NET_OPTIONS_H

#include <errno.h>
#include <string.h>

#include "base/error.h"

/*
 * Copies what both sides know of an options struct, whose first member is its size; NULL leaves `known` at its zeros.
 * 0; -1 with EINVAL of kind USAGE if the size was not filled in: no option of it would be seen.
 */
static inline int weir__known_options(void *known, size_t known_size, const void *options, const char *step)
{
    size_t size;
    memset(known, 0, known_size);
    if (options == NULL)
        return 0;
    memcpy(&size, options, sizeof size);
    if (size < sizeof size)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, step, "", "the options' size is not filled in");
    memcpy(known, options, size < known_size ? size : known_size);
    return 0;
}

#endif
