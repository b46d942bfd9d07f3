/* weir pull: what there is at an endpoint or URL, to stdout, a file or a player. */
#include "pull.h"

#include <errno.h>
#include <string.h>

#define AT(member)          offsetof(struct pull, settings.member)
#define DIALLING_AT(member) offsetof(struct pull, dialling.member)

static const weir_option options[] = {
    {WEIR_OPTION_TEXT, "output", 'o', "FILE", AT(output), "writes to FILE in place of stdout, from its beginning"},
    {WEIR_OPTION_FLAG, "resume", 0, NULL, AT(resume),
     "http: goes on where FILE of --output ends, if it still is a part of what is there; otherwise begins anew"},
    {WEIR_OPTION_FLAG, "play", 0, NULL, AT(play),
     "plays it: by mpv, mpg123, madplay or ffplay, the first that is installed"},
    {WEIR_OPTION_TEXT, "player", 0, "COMMAND", AT(player),
     "plays it by this: one of those, or a command that reads from its stdin; no shell is needed or used"},
    {WEIR_OPTION_FLAG, "quiet", 'q', NULL, AT(quiet), "says no titles and shows no progress"},
    {0},
};

static const weir_option times[] = {
    {WEIR_OPTION_TIME, "duration", 0, "TIME", AT(duration), "ends after so long, which is no failure", "never"},
    {WEIR_OPTION_TIME, "timeout", 0, "TIME", AT(timeout), "the longest time in which nothing comes", "1m"},
    {WEIR_OPTION_TIME, "connect-timeout", 0, "TIME", DIALLING_AT(timeout),
     "how long connecting may take, and the beginning of an answer", "30s"},
    {WEIR_OPTION_INT, "reconnects", 0, "N", AT(reconnects),
     "how often in a row it connects again to a radio that has ended, after 1 s, 2 s, 4 s and so on to 30 s; 0: never",
     "10", NULL, 0, 1000000},
    {0},
};

static const struct option_section sections[] = {{"Options", options},
                                                 {"Time", times},
                                                 {"Connecting", dialling_options},
                                                 {"TLS", client_tls_options},
                                                 {"Through others", via_options},
                                                 {0}};

static int check_settings(struct pull *pull)
{
    struct pull_settings *settings = &pull->settings;
    bool to_file = settings->output && strcmp(settings->output, "-") != 0;
    settings->play = settings->play || settings->player;
    if (settings->play && settings->output)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", pull->name, "--play and --output exclude each other");
    if (settings->resume && !to_file)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", pull->name, "--resume needs the file: --output FILE");
    if (settings->player && settings->player[strspn(settings->player, " \t")] == '\0')
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", pull->name, "--player names no command");
    return 0;
}

static int read_words(struct pull *pull, const weir_arguments *words)
{
    size_t used = pull_source_read(pull, words);
    if (used == 0 || check_settings(pull) < 0)
        return -1;
    if (words->count > used)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", words->items[used], "one endpoint is all it takes");
    return 0;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct pull pull = {.dialling.command = "pull", .until = WEIR_FOREVER};
    weir_option_set sets[] = {{options, &pull},
                              {times, &pull},
                              {dialling_options, &pull.dialling},
                              {client_tls_options, &pull.dialling.tls},
                              {via_options, &pull.dialling.via}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, sizeof sets / sizeof *sets, argc, argv, &status))
        status = read_words(&pull, &line.arguments) < 0 ? failed() : weir_run(pull_run, &pull, NULL);
    if (status < 0)
        status = failed();
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]... URL", "[OPTION]... ENDPOINT", "[OPTION]... HOST PORT", NULL};
static const char *const examples[] = {
    "weir pull http://example.org:8080/files/a.mp3 -o FILE.mp3",
    "keeps a file; on a terminal with a line that tells how far it is",
    "weir pull --resume http://example.org:8080/files/a.mp3 -o FILE.mp3",
    "goes on with what was cut off, if it is still the same there",
    "weir pull http://example.org:8080/radio --play",
    "listens to a radio, with its titles",
    "weir pull tcp://example.org:8004 | madplay -",
    "what a stream of bytes brings, to a player of your own",
    "weir pull http://example.org:8080/radio --duration 1h > HOUR.mp3",
    "keeps an hour of a radio, and goes on where the connection was lost",
    NULL,
};

const struct command pull_command = {
    .name = "pull",
    .summary = "what there is at an endpoint or a URL, to a file or a player",
    .usage = usage,
    .description =
        "Of an http:// or https:// URL the body of the answer, after redirects; of any other endpoint all that comes "
        "until "
        "its end. A radio's titles are taken out of the stream and said on stderr. Of a playlist (M3U, PLS) the first "
        "entry "
        "is pulled, but for --output, which keeps the list.\n\n"
        "A radio is what has no length and is audio or video: when it ends or is cut off it is connected to again. A "
        "file "
        "is not: what came of it stays, and --resume gets the rest.\n\n"
        "Exit status: 0 done, also when the reader of stdout or the player went away, 1 no connection, or the server "
        "has "
        "not got it, 2 wrong usage, 3 timed out, 4 fewer bytes came than were announced, or the connection was cut.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
