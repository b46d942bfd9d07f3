/* The page for people: what is on, and a player. */
#include <stdlib.h>
#include <string.h>

#include "html.h"
#include "stream.h"

/* Writes the template up to its next {{mark}}, whose name is put in *mark. NULL: it has ended. */
static const char *put_to_mark(FILE *out, const char *from, weir_part *mark)
{
    const char *start = strstr(from, "{{"), *end = start ? strstr(start, "}}") : NULL;
    if (!end) {
        fputs(from, out);
        return NULL;
    }
    fwrite(from, 1, (size_t)(start - from), out);
    *mark = (weir_part){start + 2, (size_t)(end - start - 2)};
    return end + 2;
}

static bool is(weir_part mark, const char *name)
{
    return mark.length == strlen(name) && memcmp(mark.text, name, mark.length) == 0;
}

static void put_mark(FILE *out, const struct stream_settings *settings, weir_part mark)
{
    if (is(mark, "style"))
        fputs(page_css, out);
    else if (is(mark, "script"))
        fputs(page_js, out);
    else if (is(mark, "name"))
        html_put(out, settings->name ? settings->name : "weir");
    else if (is(mark, "about") && settings->description)
        html_put(out, settings->description);
}

void page_answer(struct http_exchange *exchange)
{
    const struct stream *stream = exchange->arg;
    char *page = NULL;
    size_t length = 0;
    weir_part mark = {0};
    FILE *out = open_memstream(&page, &length);
    for (const char *at = page_html; out && (at = put_to_mark(out, at, &mark));)
        put_mark(out, stream->settings, mark);
    if (!out || fclose(out) != 0)
        http_refuse(exchange, 503, NULL, "no memory for that just now");
    else
        html_answer(exchange, page, length);
    free(page);
}
