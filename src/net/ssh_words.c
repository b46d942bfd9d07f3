/* What ssh says on its standard error, line by line: why it fails, and by LogVerbose how far it is. */
#include <errno.h>
#include <string.h>

#include "base/escape.h"
#include "base/text.h"
#include "net/ssh.h"

/* --- what it tells us --- */

/* As "debug2: nchan.c:chan_rcvd_ieof():257 (pid=23689): channel 0: rcvd eof". */
static void hear_debug(struct weir__ssh_words *words, const char *line)
{
    bool stood = words->stands;
    if (strstr(line, "open confirm rwindow") != NULL || strstr(line, "forwarding listening on path") != NULL)
        words->stands = true;
    if (strstr(line, "master session id") != NULL)
        words->stands = words->multiplexed = true;
    if (strstr(line, ": rcvd eof") != NULL || strstr(line, ": rcvd close") != NULL)
        words->ended = true;
    if (words->stands && !stood) /* what was said on the way there explains nothing that comes later */
        *words->strong = *words->weak = '\0';
}

/* --- what it tells people --- */

/* Lines that say that something has failed, not why; or only that something is noteworthy. */
static const char *const weak[] = {
    "stdio forwarding failed",
    "kex_exchange_identification:",
    "ssh_exchange_identification:",
    "banner exchange:",
    "Connection closed by UNKNOWN",
    "Connection reset by UNKNOWN",
    "Connection to UNKNOWN",
    "Connection timed out during banner exchange",
    "Killed by signal",
    "Warning: ",
    "** ",
};

static bool is_weak(const char *line)
{
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++)
        if (strncmp(line, weak[i], strlen(weak[i])) == 0)
            return true;
    return false;
}

/*
 * Of the functions that are verbose, errors too tell where they are: "mux.c:mux_client_request_stdio_fwd():2171
 * (pid=1): ...".
 */
static const char *without_place(const char *line)
{
    const char *file = strstr(line, ".c:"), *end = strstr(line, "): ");
    return file != NULL && end != NULL && file < strchr(line, ' ') ? end + 3 : line;
}

static void hear_line(struct weir__ssh_words *words)
{
    while (words->length > 0 && strchr(" \t\r", words->line[words->length - 1]) != NULL)
        words->length--;
    words->line[words->length] = '\0';
    if (words->length > 0 && strncmp(words->line, "debug", 5) == 0) {
        hear_debug(words, words->line);
    } else if (words->length > 0) {
        const char *line = without_place(words->line);
        if (words->stands && strstr(line, ": open failed: ") != NULL)
            line = ""; /* one of many that are forwarded, and nothing of the others */
        char *place = is_weak(line) ? words->weak : words->strong;
        if (*line)
            weir__copy_text(place, line, sizeof words->strong);
        words->old = words->old || strcasestr(line, "configuration option: logverbose") != NULL;
    }
    words->length = 0;
}

void weir__ssh_hear(struct weir__ssh_words *words, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] == '\n')
            hear_line(words);
        else if (words->length + 1 < sizeof words->line && data[i] != '\0')
            words->line[words->length++] = data[i];
    }
}

/* --- why it failed --- */

/* Without what is in the error anyway. */
static const char *telling(const struct weir__ssh_words *words)
{
    static const char *const prefixes[] = {"ssh: ", "channel 0: open failed: "};
    const char *line = *words->strong ? words->strong : words->weak;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(line, prefixes[i], strlen(prefixes[i])) == 0)
            return line + strlen(prefixes[i]);
    return line;
}

const char *weir__ssh_reason(const struct weir__ssh_words *words, char *text, size_t size)
{
    const char *line = telling(words);
    if (*line == '\0')
        line = "it has ended without a word";
    text[weir__escape(line, strlen(line), false, 0, text, size - 1)] = '\0';
    return text;
}

int weir__ssh_number(const struct weir__ssh_words *words)
{
    const char *line = telling(words);
    if (strstr(line, "Permission denied") != NULL || strstr(line, "Host key verification failed") != NULL)
        return EACCES;
    if (strstr(line, "Could not resolve") != NULL || strstr(line, "Name or service not known") != NULL)
        return ENOENT;
    return strstr(line, "timed out") != NULL ? ETIMEDOUT : ECONNREFUSED;
}
