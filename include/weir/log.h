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
    WEIR_LOG_TEXT, /* weir: the message; of levels other than INFO: "weir: warning: the message" */
    WEIR_LOG_JSON, /* {"time":"2026-11-21T07:15:00.123Z","level":"info","message":"the message"}, in UTC */
} weir_log_format;

/* What is written and how; the default is INFO as text. Process-wide. */
WEIR_API void weir_log_set(weir_log_level threshold, weir_log_format format);

/*
 * Sends records elsewhere than to stderr: `sink` is called with the level and the message, escaped, from any thread, by
 * several at once, and perhaps still while this call replaces it. NULL: stderr again.
 */
WEIR_API void weir_log_sink(void (*sink)(weir_log_level level, const char *message, void *arg), void *arg);

/*
 * Writes one record in one write(2). What could steer a terminal or forge a line is escaped as by weir_escape, but
 * for backslashes, so that text may be escaped before; a message of more than 1,000 bytes as escaped is cut and ends
 * in "...". Keeps errno. Neither parks nor blocks: a stderr that is closed or full loses records, which are counted
 * and reported with the next that is written.
 */
WEIR_API void weir_log(weir_log_level level, const char *format, ...) WEIR_PRINTF(2, 3);

/* Writes weir_error()'s sentence as an ERROR record. Keeps errno. */
WEIR_API void weir_log_error(void);

/*
 * Copies `length` bytes as text that may be shown. Escaped as \xHH, byte by byte: control characters (U+0000 to
 * U+001F, U+007F to U+009F), line and paragraph separators, characters that turn the direction of text, and bytes
 * that are no UTF-8; a backslash is \\. Cut behind a whole character and marked with "..." where `size` is too small.
 * Returns `text`, NUL-terminated.
 */
WEIR_API char *weir_escape(const void *data, size_t length, char *text, size_t size);

/* Reads "debug", "info", "warning", "error", "none". 0, or -1 with EINVAL of kind USAGE. */
WEIR_API int weir_parse_log_level(const char *text, weir_log_level *level);

WEIR_END

#endif
