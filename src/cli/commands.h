/* The one table of commands: it drives dispatch, --help, suggestions, completions and manual pages. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include <stdio.h>
#include <weir/weir.h>

/* Options under a heading, as --help shows them. */
struct option_section {
    const char *title; /* NULL ends a list of sections */
    const weir_option *options;
};

struct command {
    const char *name;
    const char *summary;      /* one line, without a full stop */
    const char *const *usage; /* what follows "weir NAME", a form a line; NULL-terminated */
    const char *description;  /* paragraphs, an empty line between them */
    const struct option_section *sections;
    const char *const *examples; /* pairs: a command line, what it does; NULL-terminated */
    /* argv without the command's own name. Returns an exit status. */
    int (*run)(const struct command *command, int argc, char *const *argv);
};

/* Each is described in the file of its name. */
extern const struct command serve_command, run_command, ask_command, connect_command, listen_command, bench_command,
    completion_command, help_command, relay_command, check_command, pull_command, tunnel_command, threat_command,
    user_command;

/* All of them, in the order in which --help shows them; NULL-terminated. */
extern const struct command *const commands[];

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* The options of every command. */
struct common_settings {
    bool help;
};
extern const weir_option common_options[];

enum { COMMAND_SETS = 6 };

/* A command line taken apart: what the options said, and the rest. */
struct command_line {
    weir_option_set sets[COMMAND_SETS];
    size_t count;
    struct common_settings common;
    weir_arguments arguments;
};

/*
 * Adds the common options to `count` (at most COMMAND_SETS - 1) sets and parses. 0, or -1 with a usage error.
 * command_line_free is due either way.
 */
int command_line_parse(struct command_line *line, const weir_option_set *sets, size_t count, int argc,
                       char *const *argv);
void command_line_free(struct command_line *line);

/*
 * The same, and does what --help asks for. Returns true if the command is to go on; else *status is its exit status.
 * command_line_free is due either way.
 */
bool command_begin(const struct command *command, struct command_line *line, const weir_option_set *sets, size_t count,
                   int argc, char *const *argv, int *status);

/*
 * Says weir_error()'s sentence on stderr, as the one line that an error is: "weir: connect tcp://host:9: connection
 * refused". Once errors_are_records was called it is a log record instead, of the format that was set.
 */
void tell_error(void);
void errors_are_records(void);

/* The same. Returns the exit status that goes with the error. */
int failed(void);

/* The same for a usage error of the program's own. */
int wrong_usage(const char *subject, const char *format, ...) WEIR_PRINTF(2, 3);

/* Sets a usage error: an unknown `what`, with a suggestion where there is one. Returns -1. */
int unknown(const char *what, const char *word, const char *suggestion);

/* Flushes what was printed. Returns the exit status: a reader that went away is no failure, a full disk is one. */
int finish_stdout(void);

/* Exit statuses that are no error's. */
enum { STATUS_DONE = 0, STATUS_NETWORK = 1, STATUS_USAGE = 2, STATUS_TIMED_OUT = 3, STATUS_ENDED_EARLY = 4 };

/* `weir --version`, on stdout. Returns an exit status. */
int print_version(void);

/* The program as it was called, argv[0]: what a line to try must begin with. */
extern const char *called_as;

#endif
