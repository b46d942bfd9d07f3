/* RFC 5424: the header's fields, the structured data, the message. */
#include <string.h>

#include "record_inside.h"

enum {
    FIELD_MOST = 255,  /* of the longest, the host name */
    ELEMENTS_MOST = 64 /* whose names differ */
};

/* One field of printable ASCII; "-" is none. */
static bool read_field(struct rest *rest, weir_part *field)
{
    const char *begin = rest->next;
    while (rest->next<rest->end && * rest->next> ' ' && *rest->next <= '~')
        rest->next++;
    size_t length = (size_t)(rest->next - begin);
    *field = (weir_part){begin, length == 1 && *begin == '-' ? 0 : length};
    return length > 0 && length <= FIELD_MOST;
}

static bool read_time(struct rest *rest, struct moment *moment)
{
    return rest_skip(rest, '-') || read_moment(rest, moment);
}

/* --- structured data --- */

static bool read_name(struct rest *rest, weir_part *name)
{
    name->text = rest->next;
    while (rest->next<rest->end && * rest->next> ' ' && *rest->next <= '~' && !strchr("=]\"", *rest->next))
        rest->next++;
    name->length = (size_t)(rest->next - name->text);
    return name->length > 0;
}

/* Up to a quote without a backslash before it. */
static bool read_value(struct rest *rest, weir_part *value)
{
    value->text = rest->next;
    while (rest->next < rest->end && *rest->next != '"')
        rest->next += *rest->next == '\\' && rest_length(rest) > 1 ? 2 : 1;
    value->length = (size_t)(rest->next - value->text);
    return rest_skip(rest, '"');
}

bool read_element(struct rest *rest, weir_part *name)
{
    struct rest next = *rest;
    if (!rest_skip(&next, '[') || !read_name(&next, name))
        return false;
    *rest = next;
    return true;
}

bool read_parameter(struct rest *rest, struct parameter *parameter)
{
    struct rest next = *rest;
    if (!rest_skip(&next, ' ') || !read_name(&next, &parameter->name) || !rest_skip(&next, '=') ||
        !rest_skip(&next, '"') || !read_value(&next, &parameter->value))
        return false;
    *rest = next;
    return true;
}

static bool skip_element(struct rest *rest, weir_part *name)
{
    struct parameter parameter;
    int count = 0;
    if (!read_element(rest, name))
        return false;
    while (count <= PARAMETERS_MOST && read_parameter(rest, &parameter))
        count++;
    return count <= PARAMETERS_MOST && rest_skip(rest, ']');
}

static bool is_among(const weir_part *names, int count, weir_part name)
{
    for (int i = 0; i < count; i++)
        if (names[i].length == name.length && memcmp(names[i].text, name.text, name.length) == 0)
            return true;
    return false;
}

static bool read_structured(struct rest *rest, weir_part *structured)
{
    weir_part names[ELEMENTS_MOST];
    int count = 0;
    if (rest_skip(rest, '-'))
        return true;
    structured->text = rest->next;
    while (count < ELEMENTS_MOST && skip_element(rest, &names[count])) {
        if (is_among(names, count, names[count]))
            return false;
        count++;
    }
    structured->length = (size_t)(rest->next - structured->text);
    return count > 0;
}

/* --- the whole --- */

/* The message, without the mark that says it is UTF-8. */
static weir_part message_of(struct rest rest)
{
    static const char mark[] = "\xef\xbb\xbf";
    if (rest_length(&rest) >= 3 && memcmp(rest.next, mark, 3) == 0)
        rest.next += 3;
    return (weir_part){rest.next, rest_length(&rest)};
}

bool read_rfc5424(struct rest rest, struct record *record)
{
    struct record read = *record;
    if (!read_time(&rest, &read.time) || !rest_skip(&rest, ' ') || !read_field(&rest, &read.host) ||
        !rest_skip(&rest, ' ') || !read_field(&rest, &read.name) || !rest_skip(&rest, ' ') ||
        !read_field(&rest, &read.process) || !rest_skip(&rest, ' ') || !read_field(&rest, &read.id) ||
        !rest_skip(&rest, ' ') || !read_structured(&rest, &read.structured))
        return false;
    if (rest.next < rest.end && !rest_skip(&rest, ' '))
        return false;
    read.kind = RECORD_RFC5424;
    read.message = message_of(rest);
    *record = read;
    return true;
}
