/* A head's bytes before they are taken apart: what http-parser lets through and smuggling lives on. */
#include <string.h>

#include "head_inside.h"

/* A line of a head, without its CR LF. */
struct line {
    const char *text;
    size_t length;
};

bool http_is_token(const char *text, size_t length)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < length; i++) {
        char byte = text[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9');
        if (!plain && (byte == '\0' || !strchr(others, byte)))
            return false;
    }
    return length > 0;
}

/* Whether a line has a control character; tabs are none. A CR or LF in it would be a bare one. */
static bool has_controls(const struct line *line)
{
    for (size_t i = 0; i < line->length; i++) {
        unsigned char byte = (unsigned char)line->text[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return true;
    }
    return false;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* "HTTP/1.1", and "ICE/1.0" of sources: http-parser may be built so that it takes any four letters for HTTP. */
static bool is_version(const char *text, size_t length)
{
    if (length == 7 && memcmp(text, "ICE/1.0", 7) == 0)
        return true;
    return length == 8 && memcmp(text, "HTTP/", 5) == 0 && is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
}

/* "HTTP/1.1 200 OK", where the words may be left out, and "ICY 200 OK". */
static bool is_status_line(const struct line *line)
{
    const char *space = memchr(line->text, ' ', line->length);
    size_t version = space ? (size_t)(space - line->text) : 0, left = line->length - version;
    bool known = version == 3 ? memcmp(line->text, "ICY", 3) == 0 : space && is_version(line->text, version);
    return known && left >= 4 && is_digit(space[1]) && is_digit(space[2]) && is_digit(space[3]) &&
           (left == 4 || space[4] == ' ');
}

/* "GET /path HTTP/1.1": three words of visible ASCII, two spaces. */
static bool is_request_line(const struct line *line)
{
    const char *end = line->text + line->length;
    const char *target = memchr(line->text, ' ', line->length);
    const char *version = target ? memchr(target + 1, ' ', (size_t)(end - target - 1)) : NULL;
    if (!version || version == target + 1 || version + 1 == end)
        return false;
    for (const char *byte = target + 1; byte < end; byte++)
        if ((*byte <= ' ' && byte != version) || *byte == '#' || (unsigned char)*byte >= 0x7f)
            return false;
    return http_is_token(line->text, (size_t)(target - line->text)) &&
           is_version(version + 1, (size_t)(end - version - 1));
}

/* A name, at once its colon, whatever. So a folded line is none either. */
static bool is_field(const struct line *line)
{
    const char *colon = memchr(line->text, ':', line->length);
    return colon && http_is_token(line->text, (size_t)(colon - line->text));
}

static int refuse(int status, const char *reason, const char **why)
{
    *why = reason;
    return status;
}

static int check_line(const struct line *line, bool request, size_t number, const char **why)
{
    bool first = request && number == 0;
    if (line->length > HTTP_LINE_MOST)
        return refuse(first ? 414 : 431, "a line is too long", why);
    if (number > HTTP_FIELDS_MOST)
        return refuse(431, "too many fields", why);
    if (has_controls(line))
        return refuse(400, "a control character, or a line that does not end in CR LF", why);
    if (number > 0 && !is_field(line))
        return refuse(400, "a line that is no field", why);
    if (number == 0 && !(request ? is_request_line(line) : is_status_line(line)))
        return refuse(400, request ? "the first line is no request" : "the first line is no response", why);
    return 0;
}

/* The next line of what is left of a head, of which this takes it and its CR LF. */
static struct line next_line(const char **text, size_t *length)
{
    const char *end = memmem(*text, *length, "\r\n", 2);
    struct line line = {*text, end ? (size_t)(end - *text) : *length};
    size_t taken = line.length + (end ? 2 : 0);
    *text += taken;
    *length -= taken;
    return line;
}

int http_check_text(const char *text, size_t length, bool request, const char **why)
{
    struct line line = next_line(&text, &length);
    for (size_t number = 0; number == 0 || line.length > 0; number++) {
        int status = check_line(&line, request, number, why);
        if (status)
            return status;
        line = next_line(&text, &length);
    }
    return length == 0 ? 0 : refuse(400, "an empty line within its head", why);
}
