/* The option parser's parts: finding a row of a table, reading a value into its member. */
#ifndef WEIR_BASE_OPTION_H
#define WEIR_BASE_OPTION_H

#include <weir/option.h>

/* A row, in the set that it belongs to. */
struct weir__option_found {
    const weir_option *option;
    void *settings;
    bool negated; /* it was found as --no-NAME */
};

/* Finds a row by its long name, whole or cut, given without dashes. 0, or -1 with an error that says what was meant. */
int weir__option_find(const weir_option_set *sets, size_t count, const char *name, size_t length,
                      struct weir__option_found *found);

/* Finds a row by its letter, which stands in `word`, the whole argument, for the error. 0 or -1. */
int weir__option_find_letter(const weir_option_set *sets, size_t count, const char *letter, const char *word,
                             struct weir__option_found *found);

/* Reads a text into the row's member. `shown` is the option as the user wrote it: "--timeout". 0 or -1. */
int weir__option_set(const weir_option *option, void *settings, const char *shown, const char *text);

static inline bool weir__option_is_end(const weir_option *option)
{
    return option->kind == WEIR_OPTION_END;
}

#endif
