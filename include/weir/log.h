/* Logging: one line a record on stderr, as text or JSON, that nothing a peer sends can forge. */
#ifndef WEIR_LOG_H
#define WEIR_LOG_H

#include <weir/api.h>

WEIR_BEGIN

typedef enum weir_log_level {
    WEIR_LOG_DEBUG,
    WEIR_LOG_INFO,
    WEIR_LOG_WARNING,
    WEIR_LOG_ERROR,
    WEIR_LOG_NONE, /* as a threshold: nothing */
} weir_log_level;

typedef enum weir_log_format {
    WEIR_LOG_TEXT, /* weir: the message */
    WEIR_LOG_JSON, /* {"time":"2026-11-21T07:15:00.123Z","level":"info","message":"the message"} */
} weir_log_format;

/* What is written and how; the default is INFO as text. Process-wide. */
WEIR_API void weir_log_set(weir_log_level threshold, weir_log_format format);

/* Sends records elsewhere than to stderr: `sink` is called with the level and the message, escaped, from any thread. NULL: stderr again. */
WEIR_API void weir_log_sink(void (*sink)(weir_log_level level, const char *message, void *arg), void *arg);

/*
 * Writes one record in one write(2). Control characters and bytes that are no UTF-8 are escaped as \xHH, a message over 1,000
 * bytes is cut and marked. Keeps errno. Does not park; a stderr that is closed or full loses records, which are counted
 * and reported with the next that is written.
 */
WEIR_API void weir_log(weir_log_level level, const char *format, ...) WEIR_PRINTF(2, 3);

/* Writes weir_error()'s sentence as an ERROR record. Keeps errno. */
WEIR_API void weir_log_error(void);

/*
 * Copies `length` bytes as text that may be shown: control characters and bytes that are no UTF-8 as \xHH, a backslash
 * as \\; cut with "..." where `size` is too small. Returns `text`, NUL-terminated.
 */
WEIR_API char *weir_escape(const void *data, size_t length, char *text, size_t size);

/* Reads "debug", "info", "warning", "error", "none". 0, or -1 with EINVAL. */
WEIR_API int weir_parse_log_level(const char *text, weir_log_level *level);

WEIR_END

#endif
