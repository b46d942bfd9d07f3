/* Option tables: one table drives parsing, --help, completion and manual pages, of commands and services alike. */
#ifndef WEIR_OPTION_H
#define WEIR_OPTION_H

#include <weir/api.h>

WEIR_BEGIN

typedef enum weir_option_kind {
    WEIR_OPTION_END,        /* the last row of a table */
    WEIR_OPTION_FLAG,       /* bool: --name, --no-name; as a preset "yes" or "no" */
    WEIR_OPTION_TEXT,       /* const char *, pointing into argv or at the preset */
    WEIR_OPTION_INTEGER,    /* int64_t, within minimum and maximum */
    WEIR_OPTION_INT,        /* the same for an int */
    WEIR_OPTION_LIMIT,      /* int64_t; "never" and 0 become -1: switched off */
    WEIR_OPTION_SIZE,       /* int64_t bytes: 64k, 1M */
    WEIR_OPTION_SIZE_LIMIT, /* int64_t bytes; "never" and 0 become -1: switched off */
    WEIR_OPTION_TIME,       /* int64_t nanoseconds: 500ms, 3s; "never" and 0 become WEIR_FOREVER */
    WEIR_OPTION_CHOICE,     /* int (or an enum): the index of the word in `choices` */
    WEIR_OPTION_LIST,       /* weir_option_list: repeatable texts; the preset is for when none is given */
} weir_option_kind;

typedef struct weir_option_list {
    /* Allocated, as names, and freed by weir_options_free; NULL-terminated, and NULL where there is none. */
    const char **items;
    const char *
        *names; /* the option that each was given by: rows may share a list, which keeps the order of them all */
    size_t count;
} weir_option_list;

typedef struct weir_option {
    weir_option_kind kind;
    const char *name;           /* long, without its dashes */
    char letter;                /* 0: none */
    const char *argument;       /* as help shows it: "HOST"; NULL: a word for the kind, "TIME" */
    size_t offset;              /* of the member in the settings struct */
    const char *help;           /* one sentence, without a full stop */
    const char *preset;         /* the default as text, parsed like an argument; NULL: the member is left as it is */
    const char *const *choices; /* CHOICE: NULL-terminated */
    int64_t minimum, maximum;   /* INTEGER, INT; both 0: 0 to the largest */
} weir_option;

/* What is left of the arguments when the options are taken out. */
typedef struct weir_arguments {
    const char **items; /* allocated, NULL-terminated; freed by weir_options_free */
    size_t count;
    size_t dashes; /* the index of the first that came after "--"; `count` where there was none */
} weir_arguments;

/* One table and the struct it fills. */
typedef struct weir_option_set {
    const weir_option *options;
    void *settings;
} weir_option_set;

/*
 * Empties the lists and fills the presets of `count` sets, then reads argv (without the command's own name): options
 * anywhere before "--", "--name value" and "--name=value", "-n value" and "-nvalue", flags' letters joined; a name
 * may be cut as long as one alone begins so; of options given twice the last holds; a lone "-" is an argument. Where
 * sets have a name or letter in common the first set's is meant.
 *
 * Returns 0; -1 with EINVAL of kind USAGE ("--timeout 3x: not a duration, such as 500ms, 3s, 2m or never"; "unknown
 * option --foo, did you mean --form?"), or ENOMEM. Either way lists and `arguments` are to be freed; after an error
 * they hold what came before it.
 */
WEIR_API int weir_options_parse(const weir_option_set *sets, size_t count, int argc, char *const *argv,
                                weir_arguments *arguments);

/* Frees what parsing allocated. */
WEIR_API void weir_options_free(const weir_option_set *sets, size_t count, weir_arguments *arguments);

/*
 * The help lines of one table, aligned, wrapped at `columns` (0: 80), as an allocated string that the caller frees;
 * NULL with ENOMEM. Choices and presets stand behind the sentence: "how it serves (fiber, thread or iterative;
 * default fiber)".
 */
WEIR_API char *weir_options_help(const weir_option *options, int columns);

/* How an option's argument is shown: what its row says, else a word for its kind; NULL for a flag. */
WEIR_API const char *weir_option_argument(const weir_option *option);

WEIR_END

#endif
