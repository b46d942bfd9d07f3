/* How a log record looks. */
#ifndef WEIR_BASE_LOG_LINE_H
#define WEIR_BASE_LOG_LINE_H

#include <weir/log.h>

#include "base/text.h"

enum {
    WEIR__LOG_MESSAGE = 1000, /* the most bytes of a message that are shown, escaped and with the mark of a cut */
    WEIR__LOG_LINE = 1200,    /* room for a line with the longest message, in either format */
};

/* Appends one line with its newline. `cut`: there was more of the message. */
void weir__log_line(struct weir__text *line, weir_log_level level, weir_log_format format, const char *message,
                    size_t length, bool cut);

/* Changes how records are written, and leaves which are. */
void weir__log_set_format(weir_log_format format);

/* A level's name: "warning". */
const char *weir__log_level_name(weir_log_level level);

#endif
