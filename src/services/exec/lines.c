/* What a program says on its stderr, as lines of the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"

/* A longer line is logged in pieces; a record of the log has room for about as much. */
enum { LINE_MOST = 768, ESCAPED_MOST = 1100 };

struct lines {
    const char *label;
    size_t length;
    char text[LINE_MOST];
};

/* Escaped here, since a line may hold NULs. */
static void tell(const struct lines *lines, const char *line, size_t length)
{
    char text[ESCAPED_MOST];
    if (length > 0 && line[length - 1] == '\r')
        length--;
    weir_log(WEIR_LOG_INFO, "%s: %s", lines->label, weir_escape(line, length, text, sizeof text));
}

/* Tells the whole lines that there are, and the rest too where there is no room for more of it. */
static void tell_lines(struct lines *lines)
{
    const char *line = lines->text, *end;
    while ((end = memchr(line, '\n', lines->length))) {
        tell(lines, line, (size_t)(end - line));
        lines->length -= (size_t)(end + 1 - line);
        line = end + 1;
    }
    memmove(lines->text, line, lines->length);
    if (lines->length < LINE_MOST)
        return;
    tell(lines, lines->text, lines->length);
    lines->length = 0;
}

/* Without memory: a program whose stderr nobody reads would wait for ever once that is full. */
static void drop_lines(weir_file *errors, const char *label)
{
    char dropped[256];
    weir_log(WEIR_LOG_ERROR, "%s: no memory for what it says on stderr", label);
    while (weir_file_read(errors, dropped, sizeof dropped, WEIR_FOREVER) > 0)
        ;
}

void exec_log_lines(weir_file *errors, const char *label)
{
    struct lines *lines = malloc(sizeof *lines);
    if (!lines) {
        drop_lines(errors, label);
        return;
    }
    lines->label = label;
    lines->length = 0;
    ssize_t got;
    while ((got = weir_file_read(errors, lines->text + lines->length, LINE_MOST - lines->length, WEIR_FOREVER)) > 0) {
        lines->length += (size_t)got;
        tell_lines(lines);
    }
    if (lines->length > 0)
        tell(lines, lines->text, lines->length);
    free(lines);
}
