/* Where pull's bytes go: stdout, a file, or a player that is found. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pull.h"

/* --- files --- */

static int open_file(struct pull *pull)
{
    struct pull_sink *sink = &pull->sink;
    const char *path = pull->settings.output;
    int64_t have = pull->rest.have;
    sink->name = path;
    sink->ours = true;
    sink->file = weir_file_open(path, O_WRONLY | O_CREAT | (have > 0 ? 0 : O_TRUNC), 0666);
    if (!sink->file)
        return -1;
    if (have > 0 && lseek(weir_file_fd(sink->file), have, SEEK_SET) < 0)
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "seek", path, NULL);
    pull_rest_note(pull);
    return 0;
}

static int open_stdout(struct pull *pull)
{
    const char *type = *pull->source.url ? http_field(&pull->source.response.head, "Content-Type") : NULL;
    pull->sink.file = weir_stdout();
    pull->sink.name = "stdout";
    if (type && weir_file_is_terminal(pull->sink.file) &&
        (strncasecmp(type, "audio/", 6) == 0 || strncasecmp(type, "video/", 6) == 0))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", pull->name,
                         "stdout is a terminal, which plays nothing: see --play and -o FILE");
    return 0;
}

/* --- players --- */

enum { WORDS_MOST = 32, COMMAND_MOST = 1024 };

/* In the order of preference. */
static const struct player {
    const char *words[6];
    bool mpeg_alone; /* it plays nothing but MPEG audio */
} players[] = {
    {{"mpv", "--really-quiet", "-", NULL}, false},
    {{"mpg123", "-q", "-", NULL}, true},
    {{"madplay", "-Q", "-", NULL}, true},
    {{"ffplay", "-nodisp", "-autoexit", "-loglevel", "error", "-"}, false},
};

enum { PLAYERS = sizeof players / sizeof *players };

static weir_process *start(const char *const *words)
{
    return weir_process_start(words, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE));
}

static weir_process *start_player(const struct player *player)
{
    const char *words[sizeof player->words / sizeof *player->words + 1] = {NULL};
    memcpy(words, player->words, sizeof player->words);
    return start(words);
}

/* A player of the table, by its name, with what it has to be told. */
static const struct player *find_player(const char *name)
{
    for (size_t i = 0; i < PLAYERS; i++)
        if (strcmp(players[i].words[0], name) == 0)
            return &players[i];
    return NULL;
}

/* The command that --player gives, taken apart at white space. */
static weir_process *start_command(const char *command)
{
    char text[COMMAND_MOST], *rest, *word;
    const char *words[WORDS_MOST + 1] = {NULL};
    size_t count = 0;
    bool fits = snprintf(text, sizeof text, "%s", command) < COMMAND_MOST;
    for (word = strtok_r(text, " \t", &rest); word && count < WORDS_MOST; word = strtok_r(NULL, " \t", &rest))
        words[count++] = word;
    if (!fits || word) {
        weir_fail(WEIR_ERROR_USAGE, E2BIG, "play", "--player", "more than %d words, or %d characters", WORDS_MOST,
                  COMMAND_MOST - 1);
        return NULL;
    }
    const struct player *known = count == 1 ? find_player(words[0]) : NULL;
    return known ? start_player(known) : start(words);
}

/* Whether what is known of the stream is not MPEG audio. */
static bool is_other_audio(const struct pull *pull)
{
    const char *type = *pull->source.url ? http_field(&pull->source.response.head, "Content-Type") : NULL;
    return type && strncasecmp(type, "audio/mpeg", 10) != 0 && strncasecmp(type, "audio/mp3", 9) != 0 &&
           strncasecmp(type, "application/octet-stream", 24) != 0;
}

/* The first that there is. */
static weir_process *find_and_start(struct pull *pull)
{
    bool other = is_other_audio(pull);
    for (size_t i = 0; i < PLAYERS; i++) {
        weir_process *process = other && players[i].mpeg_alone ? NULL : start_player(&players[i]);
        if (!process)
            continue;
        pull->sink.name = players[i].words[0];
        dialling_say(&pull->dialling, "played by %s", pull->sink.name);
        return process;
    }
    weir_fail(WEIR_ERROR_SYSTEM, ENOENT, "play", pull->name, "no player is installed that plays it: %s",
              other ? "mpv or ffplay" : "mpv, mpg123, madplay or ffplay");
    return NULL;
}

/* Once the player has ended nobody takes any more, whatever is waited for. */
static int await_player(void *arg)
{
    struct pull *pull = arg;
    if (weir_process_wait(pull->sink.player, &pull->sink.player_status, WEIR_FOREVER) < 0)
        return -1;
    pull->sink.player_ended = true;
    if (pull->sink.taking)
        weir_cancel_fiber(pull->self);
    return 0;
}

static int open_player(struct pull *pull)
{
    struct pull_sink *sink = &pull->sink;
    sink->name = pull->settings.player;
    sink->player = sink->name ? start_command(sink->name) : find_and_start(pull);
    if (!sink->player)
        return -1;
    sink->file = weir_process_file(sink->player, 0);
    sink->taking = true;
    sink->awaiter = weir_spawn(await_player, pull, WEIR_OPTIONS(weir_fiber_options, .name = "player"));
    return sink->awaiter ? 0 : -1;
}

/* --- both --- */

int pull_sink_open(struct pull *pull)
{
    if (pull->settings.play)
        return open_player(pull);
    const char *output = pull->settings.output;
    return output && strcmp(output, "-") != 0 ? open_file(pull) : open_stdout(pull);
}

/* Whoever quits a player has ended it well; one that could not play has said why. */
static int judge_player(const struct pull_sink *sink)
{
    int status = sink->player_status;
    if (!sink->player_ended || WIFSIGNALED(status) || WEXITSTATUS(status) == 0)
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, ECHILD, "play", sink->name, "it ended with status %d", WEXITSTATUS(status));
}

/* What has come is played to its end, unless there was none of it. */
static int close_player(struct pull_sink *sink)
{
    sink->taking = false;
    weir_process_close_file(sink->player, 0);
    if (sink->awaiter)
        weir_join(sink->awaiter, NULL, WEIR_FOREVER);
    int result = judge_player(sink);
    weir_process_free(sink->player);
    return result;
}

int pull_sink_close(struct pull *pull)
{
    struct pull_sink *sink = &pull->sink;
    int result = 0;
    if (sink->player)
        result = close_player(sink);
    else if (sink->ours)
        result = weir_file_close(sink->file);
    *sink = (struct pull_sink){.name = sink->name};
    return result;
}
