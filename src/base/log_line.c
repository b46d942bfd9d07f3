/* A log record as a line: "weir: warning: the message", or a JSON object. */
#include "base/log_line.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <weir/error.h>
#include <weir/time.h>

#include "base/escape.h"

static const char *const level_names[] = {"debug", "info", "warning", "error", "none"};

const char *weir__log_level_name(weir_log_level level)
{
    return level_names[level];
}

int weir_parse_log_level(const char *text, weir_log_level *level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(text, level_names[i]) == 0) {
            *level = (weir_log_level)i;
            return 0;
        }
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", *text ? text : "''",
                     "not a level: debug, info, warning, error or none");
}

static void put_message(struct weir__text *line, const char *message, size_t length, bool cut, int how)
{
    char escaped[WEIR__LOG_MESSAGE];
    weir__text_put_bytes(line, escaped, weir__escape(message, length, cut, how, escaped, sizeof escaped));
}

/* An ordinary record is one that needs no word for its level. */
static void put_text(struct weir__text *line, weir_log_level level, const char *message, size_t length, bool cut)
{
    weir__text_put(line, "weir: ");
    if (level != WEIR_LOG_INFO) {
        weir__text_put(line, weir__log_level_name(level));
        weir__text_put(line, ": ");
    }
    put_message(line, message, length, cut, 0);
}

static void put_digits(struct weir__text *line, int64_t number, int width)
{
    for (int64_t unit = 10; width > 1; width--, unit *= 10)
        if (number < unit)
            weir__text_put_char(line, '0');
    weir__text_put_number(line, (uint64_t)number);
}

/* RFC 3339 in UTC with milliseconds: 2026-11-21T07:15:00.123Z */
static void put_time(struct weir__text *line, int64_t nanoseconds)
{
    time_t seconds = nanoseconds / WEIR_S(1);
    struct tm time;
    if (nanoseconds < 0 || !gmtime_r(&seconds, &time))
        return;
    const int parts[] = {time.tm_year + 1900, time.tm_mon + 1, time.tm_mday, time.tm_hour, time.tm_min, time.tm_sec};
    static const char separators[] = "--T::.";
    for (int i = 0; i < 6; i++) {
        put_digits(line, parts[i], i == 0 ? 4 : 2);
        weir__text_put_char(line, separators[i]);
    }
    put_digits(line, nanoseconds % WEIR_S(1) / WEIR_MS(1), 3);
    weir__text_put_char(line, 'Z');
}

static void put_json(struct weir__text *line, weir_log_level level, const char *message, size_t length, bool cut)
{
    weir__text_put(line, "{\"time\":\"");
    put_time(line, weir_wall_clock());
    weir__text_put(line, "\",\"level\":\"");
    weir__text_put(line, weir__log_level_name(level));
    weir__text_put(line, "\",\"message\":\"");
    put_message(line, message, length, cut, WEIR__ESCAPE_JSON);
    weir__text_put(line, "\"}");
}

void weir__log_line(struct weir__text *line, weir_log_level level, weir_log_format format, const char *message,
                    size_t length, bool cut)
{
    if (format == WEIR_LOG_JSON)
        put_json(line, level, message, length, cut);
    else
        put_text(line, level, message, length, cut);
    weir__text_put_char(line, '\n');
}
