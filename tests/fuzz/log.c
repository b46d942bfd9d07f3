/*
 * What is shown to people of what peers send: escaped text, log records, errors. Nothing can forge a line, and nothing but
 * text reaches a terminal; what is not cut can be told back from what is shown; and records that stderr did not take are
 * counted.
 *
 * The input: a byte for the room that text is given, a count, that many records (how each is logged, and what stderr makes
 * of it), and the text of which all records are pieces.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/system.h"
#include "base/text.h"
#include "fuzz.h"

enum { LONGEST_MESSAGE = 1000 };

/* --- escaping --- */

static int hex(char digit)
{
    return digit >= '0' && digit <= '9' ? digit - '0' : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Takes the escapes back. Returns the length, or SIZE_MAX where one is malformed. */
static size_t unescape(const char *text, char *bytes)
{
    size_t length = 0;
    while (*text) {
        if (*text != '\\') {
            bytes[length++] = *text++;
        } else if (text[1] == '\\') {
            bytes[length++] = '\\';
            text += 2;
        } else {
            if (text[1] != 'x' || hex(text[2]) < 0 || hex(text[3]) < 0)
                return SIZE_MAX;
            bytes[length++] = (char)(hex(text[2]) << 4 | hex(text[3]));
            text += 4;
        }
    }
    return length;
}

/* Whole, the text says what the bytes were; cut, it is a beginning of the whole with a mark. */
static void try_escape(const char *bytes, size_t length, size_t room)
{
    char *whole = fuzz_alloc(4 * length + 1), *back = fuzz_alloc(4 * length + 1), *cut = fuzz_alloc(room);
    weir_escape(bytes, length, whole, 4 * length + 1);
    fuzz_require(fuzz_is_showable(whole, strlen(whole)), "'%s'", whole);
    fuzz_require(unescape(whole, back) == length && memcmp(bytes, back, length) == 0, "'%s'", whole);
    fuzz_require(weir_escape(bytes, length, cut, room) == cut, "another text");
    if (room > strlen(whole)) {
        fuzz_require(strcmp(cut, whole) == 0, "'%s' is not '%s'", cut, whole);
    } else if (room > 0) {
        size_t shown = strlen(cut), dots = shown < 3 ? shown : 3;
        fuzz_require(shown < room && fuzz_is_showable(cut, shown), "'%s'", cut);
        fuzz_require(strcmp(cut + shown - dots, &"..."[3 - dots]) == 0 && strncmp(cut, whole, shown - dots) == 0,
                     "'%s' of '%s'", cut, whole);
        fuzz_require(shown + 4 * 4 + 3 >= room - 1, "%zu of %zu", shown, room);
    }
    free(cut);
    free(back);
    free(whole);
}

static void try_cut(const char *bytes, size_t length, size_t most)
{
    size_t kept = weir__text_cut(bytes, length, most);
    fuzz_require(kept <= length && kept <= most && (length > most || kept == length), "%zu of %zu", kept, length);
    fuzz_require(length <= most || most - kept <= 3, "%zu of %zu", kept, most);
    if (fuzz_is_utf8(bytes, length))
        fuzz_require(fuzz_is_utf8(bytes, kept), "%zu of %zu", kept, length);
    size_t first = 0;
    for (size_t tried = 1; tried <= 4 && tried <= length && first == 0; tried++)
        if (fuzz_is_utf8(bytes, tried))
            first = tried;
    fuzz_require(weir__utf8_length(bytes, length) == first, "%zu, not %zu", weir__utf8_length(bytes, length), first);
}

/* --- errors --- */

static void try_error(const char *step, const char *subject, const char *reason)
{
    const char *const texts[] = {step, subject, reason};
    fuzz_require(weir_fail(WEIR_ERROR_SYSTEM, EIO, step, subject, "x%s", reason) == -1 && errno == EIO, "%d", errno);
    fuzz_require_error(WEIR_ERROR_SYSTEM, texts, 3);
    const weir_error_info *error = weir_error();
    /* Its own strings may be given to it again. */
    char *before = fuzz_string(error->subject, strlen(error->subject));
    weir_fail(WEIR_ERROR_SYSTEM, EIO, error->step, error->subject, "%s", error->sentence);
    fuzz_require(strcmp(before, weir_error()->subject) == 0, "'%s'", weir_error()->subject);
    fuzz_require_error(WEIR_ERROR_SYSTEM, texts, 3);
    free(before);
}

/* --- what stderr is given --- */

static struct {
    unsigned answer; /* to the next write */
    uint64_t lost;   /* records that were not taken, since the last that was */
    bool torn;       /* of the last line a part was taken */
    bool json;       /* the next record */
    weir_log_level level;
    char sent[8192]; /* the record's message as the sink would show it */
    unsigned writes;
} standard_error;

enum { TAKES, TAKES_NOT, TAKES_SOME, IS_INTERRUPTED, FAILS, ANSWERS };

static int log_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout)
{
    fuzz_require(count == 1 && timeout == 0 && descriptors->fd == STDERR_FILENO, "waits for %lld", (long long)timeout);
    descriptors->revents = standard_error.answer == TAKES_NOT ? 0 : POLLOUT;
    return standard_error.answer == TAKES_NOT ? 0 : 1;
}

/* The message of a JSON record, its JSON escapes taken back; NULL: it is malformed. */
static char *json_message(const char *line, size_t length)
{
    static const char begin[] = "{\"time\":\"", end[] = "\"}";
    char *copy = fuzz_string(line, length), *message = strstr(copy, "\",\"message\":\"");
    char *result = NULL;
    if (strncmp(copy, begin, sizeof begin - 1) == 0 && message && length > 2 && strcmp(copy + length - 2, end) == 0) {
        const char *from = message + strlen("\",\"message\":\"");
        char *to = result = fuzz_alloc(length + 1);
        for (copy[length - 2] = '\0'; *from; *to++ = *from++) {
            bool escaped = *from == '\\';
            from += escaped;
            fuzz_require(escaped == (*from == '\\' || *from == '"'), "'%s' in '%s'", from, copy);
        }
    }
    free(copy);
    return result;
}

/* One line: of a record, or of how many were lost. */
static void require_line(const char *line, size_t length, weir_log_level level, const char *message)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char expected[2 * LONGEST_MESSAGE + 64];
    fuzz_require(fuzz_is_showable(line, length), "'%.*s'", (int)length, line);
    if (!standard_error.json) {
        bool plain = level == WEIR_LOG_INFO;
        snprintf(expected, sizeof expected, "weir: %s%s%s", plain ? "" : names[level], plain ? "" : ": ", message);
        fuzz_require(strlen(expected) == length && memcmp(expected, line, length) == 0, "'%.*s' is not '%s'",
                     (int)length, line, expected);
        return;
    }
    char *shown = json_message(line, length), name[32];
    snprintf(name, sizeof name, "\"level\":\"%s\"", names[level]);
    fuzz_require(shown && memmem(line, length, name, strlen(name)), "'%.*s'", (int)length, line);
    size_t known = strlen(shown); /* JSON's own escapes take room, so it may be cut before the text is */
    if (known >= 3 && strcmp(shown + known - 3, "...") == 0)
        known -= 3;
    fuzz_require(strcmp(shown, message) == 0 || strncmp(shown, message, known) == 0, "'%s' is not '%s'", shown,
                 message);
    free(shown);
}

/* All that is written at once: the end of a torn line, how many were lost, the record. */
static void require_record(const char *data, size_t size)
{
    fuzz_require(size > 0 && size <= PIPE_BUF && data[size - 1] == '\n', "%zu bytes", size);
    fuzz_require((data[0] == '\n') == standard_error.torn, "%d", data[0]);
    data += standard_error.torn;
    size -= standard_error.torn;
    const char *end = memchr(data, '\n', size);
    if (standard_error.lost > 0) {
        char message[64];
        snprintf(message, sizeof message, "%llu record%s lost", (unsigned long long)standard_error.lost,
                 standard_error.lost == 1 ? "" : "s");
        require_line(data, (size_t)(end - data), WEIR_LOG_WARNING, message);
        size -= (size_t)(end + 1 - data);
        data = end + 1;
        fuzz_require(size > 0, "no record");
        end = memchr(data, '\n', size);
    }
    fuzz_require(end == data + size - 1, "more than one line");
    require_line(data, size - 1, standard_error.level, standard_error.sent);
}

static ssize_t log_write(int fd, const void *data, size_t size)
{
    unsigned answer = standard_error.answer;
    fuzz_require(fd == STDERR_FILENO, "descriptor %d", fd);
    require_record(data, size);
    standard_error.writes++;
    if (answer == IS_INTERRUPTED)
        standard_error.answer = TAKES;
    if (answer == IS_INTERRUPTED || answer == FAILS) {
        errno = answer == FAILS ? EIO : EINTR;
        return -1;
    }
    size_t taken = answer == TAKES_SOME ? size / 2 : size;
    if (taken > 0)
        standard_error.torn = taken < size;
    return (ssize_t)taken;
}

static int64_t log_wall(void)
{
    return WEIR_S(1763709300) + WEIR_MS(123);
}

static void keep_message(weir_log_level level, const char *message, void *arg)
{
    fuzz_require(level == standard_error.level && strlen(message) <= LONGEST_MESSAGE, "%zu bytes", strlen(message));
    fuzz_require(fuzz_is_showable(message, strlen(message)), "'%s'", message);
    const char *raw = arg;
    if (strlen(raw) <= LONGEST_MESSAGE && fuzz_is_showable(raw, strlen(raw)))
        fuzz_require(strcmp(raw, message) == 0, "'%s' is not '%s'", message, raw);
    snprintf(standard_error.sent, sizeof standard_error.sent, "%s", message);
}

/* Logs it to a sink, which shows what it must look like, and then to stderr. */
static void try_record(const char *message, unsigned how)
{
    bool taken = how % 8 == TAKES || how % 8 == IS_INTERRUPTED || how % 8 >= ANSWERS;
    standard_error.level = how / 8 % 4;
    standard_error.json = how & 32;
    standard_error.answer = how % 8 < ANSWERS ? how % 8 : TAKES;
    weir_log_set(WEIR_LOG_DEBUG, standard_error.json ? WEIR_LOG_JSON : WEIR_LOG_TEXT);
    weir_log_sink(keep_message, (void *)(uintptr_t)message);
    weir_log(standard_error.level, "%s", message);
    weir_log_sink(NULL, NULL);
    errno = ENOTTY;
    weir_log(standard_error.level, "%s", message);
    fuzz_require(errno == ENOTTY, "errno %d", errno);
    standard_error.lost = taken ? 0 : standard_error.lost + 1;
}

/* --- a run --- */

static void try_records(struct fuzz_input *hows, const char *text, size_t length)
{
    struct weir__system table = weir__kernel;
    table.poll = log_poll;
    table.write = log_write;
    table.wall = log_wall;
    weir__system_here = &table;
    while (fuzz_left(hows) > 0) {
        unsigned how = fuzz_byte(hows);
        size_t from = fuzz_byte(hows) * 8;
        try_record(text + (from < length ? from : 0), how);
    }
    standard_error.writes = 0;
    try_record("the last", TAKES); /* so that nothing is left over for the next input */
    fuzz_require(standard_error.writes == 1 && !standard_error.torn, "%u writes", standard_error.writes);
    weir__system_here = &weir__kernel;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    unsigned room = fuzz_byte(&input), count = fuzz_byte(&input);
    size_t length;
    const uint8_t *bytes = fuzz_take(&input, count, &length);
    struct fuzz_input hows = fuzz_input(bytes, length);
    length = fuzz_left(&input);
    char *text = fuzz_string(input.next, length);
    /* Around the size of the longest text, which of no bytes is nothing. */
    size_t whole = length ? 4 * length + room - 252 : room - 250;
    try_escape(text, length, room < 250 ? room : whole);
    try_cut(text, length, room);
    try_error(text, text + length / 3, text + length / 2);
    try_records(&hows, text, length);
    free(text);
    return 0;
}
