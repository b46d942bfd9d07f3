/*
 * Logging: which records are written, and where they go.
 *
 * A record is one write(2) of less than PIPE_BUF bytes, so records of several threads and processes do not mix. It
 * never makes the caller wait: where stderr would not take it at once it is lost, counted, and told with the next.
 */
#include <weir/log.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <weir/error.h>

#include "base/escape.h"
#include "base/log_line.h"
#include "base/system.h"

typedef void log_sink(weir_log_level level, const char *message, void *arg);

/* A newline that ends a torn line, the line that tells of lost records, the record. */
enum { WRITE_SIZE = 1 + 2 * WEIR__LOG_LINE };
_Static_assert(WRITE_SIZE <= PIPE_BUF, "a record is written whole or not at all");

static _Atomic(weir_log_level) log_threshold = WEIR_LOG_INFO;
static _Atomic(weir_log_format) log_format = WEIR_LOG_TEXT;
static _Atomic uint64_t lost_records;
static atomic_bool line_torn; /* a part of a line was written, and its newline not */

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static log_sink *sink;
static void *sink_arg;

void weir_log_set(weir_log_level threshold, weir_log_format format)
{
    atomic_store(&log_threshold, threshold);
    atomic_store(&log_format, format);
}

void weir__log_set_format(weir_log_format format)
{
    atomic_store(&log_format, format);
}

void weir_log_sink(void (*function)(weir_log_level level, const char *message, void *arg), void *arg)
{
    pthread_mutex_lock(&sink_lock);
    sink = function;
    sink_arg = arg;
    pthread_mutex_unlock(&sink_lock);
}

static log_sink *current_sink(void **arg)
{
    pthread_mutex_lock(&sink_lock);
    log_sink *function = sink;
    *arg = sink_arg;
    pthread_mutex_unlock(&sink_lock);
    return function;
}

/* Asked first, since stderr may be a blocking pipe that nobody reads; and one without a reader would raise SIGPIPE. */
static bool takes_output(void)
{
    struct pollfd descriptor = {.fd = STDERR_FILENO, .events = POLLOUT};
    return weir__system()->poll(&descriptor, 1, 0) == 1 && descriptor.revents == POLLOUT;
}

static bool write_record(const char *data, size_t length)
{
    if (!takes_output())
        return false;
    ssize_t written;
    do
        written = weir__system()->write(STDERR_FILENO, data, length);
    while (written < 0 && errno == EINTR);
    if (written > 0)
        atomic_store(&line_torn, (size_t)written < length);
    return written == (ssize_t)length;
}

static void put_lost(struct weir__text *text, uint64_t count, weir_log_format format)
{
    char message[64];
    struct weir__text sentence = weir__text(message, sizeof message);
    weir__text_put_number(&sentence, count);
    weir__text_put(&sentence, count == 1 ? " record lost" : " records lost");
    weir__log_line(text, WEIR_LOG_WARNING, format, message, sentence.length, false);
}

static void write_message(weir_log_level level, const char *message, size_t length, bool cut)
{
    char data[WRITE_SIZE + 1];
    struct weir__text text = weir__text(data, sizeof data);
    weir_log_format format = atomic_load(&log_format);
    uint64_t lost = atomic_exchange(&lost_records, 0);
    if (atomic_load(&line_torn))
        weir__text_put_char(&text, '\n');
    if (lost > 0)
        put_lost(&text, lost, format);
    weir__log_line(&text, level, format, message, length, cut);
    if (!write_record(text.data, text.length))
        atomic_fetch_add(&lost_records, lost + 1);
}

static void sink_message(log_sink *function, void *arg, weir_log_level level, const char *message, size_t length,
                         bool cut)
{
    char escaped[WEIR__LOG_MESSAGE + 1];
    escaped[weir__escape(message, length, cut, 0, escaped, WEIR__LOG_MESSAGE)] = '\0';
    function(level, escaped, arg);
}

static void deliver(weir_log_level level, const char *message, size_t length, bool cut)
{
    void *arg;
    log_sink *function = current_sink(&arg);
    if (function)
        sink_message(function, arg, level, message, length, cut);
    else
        write_message(level, message, length, cut);
}

static bool is_wanted(weir_log_level level)
{
    return level >= WEIR_LOG_DEBUG && level < WEIR_LOG_NONE && level >= atomic_load(&log_threshold);
}

static void WEIR_PRINTF(2, 0) log_formatted(weir_log_level level, const char *format, va_list arguments)
{
    char message[WEIR__LOG_MESSAGE + 5];
    int formatted = vsnprintf(message, sizeof message, format, arguments);
    size_t length = formatted < 0 ? weir__copy_text(message, "a message that cannot be formatted", sizeof message)
                                  : (size_t)formatted;
    if (length >= sizeof message)
        length = sizeof message - 1;
    size_t kept = weir__text_cut(message, length, WEIR__LOG_MESSAGE);
    deliver(level, message, kept, kept < length);
}

void weir_log(weir_log_level level, const char *format, ...)
{
    if (!is_wanted(level))
        return;
    int before = errno;
    va_list arguments;
    va_start(arguments, format);
    log_formatted(level, format, arguments);
    va_end(arguments);
    errno = before;
}

void weir_log_error(void)
{
    weir_log(WEIR_LOG_ERROR, "%s", weir_error()->sentence);
}
