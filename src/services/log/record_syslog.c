/* Syslog: the priority, then RFC 5424, or RFC 3164 with as much of its header as there is. */
#include <string.h>

#include "record_inside.h"

enum { PRIORITY_MOST = 191, TAG_MOST = 255, HOST_MOST = 255 };

bool rest_number(struct rest *rest, int digits, int64_t *number)
{
    *number = 0;
    if (rest_length(rest) < (size_t)digits)
        return false;
    for (int i = 0; i < digits; i++) {
        char digit = rest->next[i];
        if (digit < '0' || digit > '9')
            return false;
        *number = *number * 10 + (digit - '0');
    }
    rest->next += digits;
    return true;
}

/* <0> to <191>. */
static bool read_priority(struct rest *rest, int *priority)
{
    int64_t digit;
    int value = 0, digits = 0;
    if (!rest_skip(rest, '<'))
        return false;
    for (; digits < 3 && rest_number(rest, 1, &digit); digits++)
        value = value * 10 + (int)digit;
    *priority = value;
    return digits > 0 && value <= PRIORITY_MOST && rest_skip(rest, '>');
}

static weir_part level_of(int priority)
{
    static const char *const names[] = {"EMERG", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"};
    const char *name = names[priority % 8];
    return (weir_part){name, strlen(name)};
}

/* --- RFC 3164 --- */

static bool is_alphanumeric(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_of(char byte, const char *others)
{
    return is_alphanumeric(byte) || (byte && strchr(others, byte));
}

/* A word of such letters and others. */
static weir_part read_word(struct rest *rest, const char *others)
{
    const char *begin = rest->next;
    while (rest->next < rest->end && is_of(*rest->next, others))
        rest->next++;
    return (weir_part){begin, (size_t)(rest->next - begin)};
}

/* "[123]" behind a tag: anything printable up to the bracket. */
static bool read_process(struct rest *rest, weir_part *process)
{
    if (!rest_skip(rest, '['))
        return false;
    process->text = rest->next;
    while (rest->next<rest->end && * rest->next> ' ' && *rest->next <= '~' && *rest->next != ']')
        rest->next++;
    process->length = (size_t)(rest->next - process->text);
    return process->length <= TAG_MOST && rest_skip(rest, ']');
}

/*
 * "tag: " or "tag[123]: ". `strict`: a blank must follow the colon, since the word could be more than a tag: the message
 * "http://...", or the host fe80::1. False: the record and the rest are as they were.
 */
static bool read_tag(struct rest *rest, bool strict, struct record *record)
{
    struct rest next = *rest;
    weir_part process = {NULL, 0}, tag = read_word(&next, "-_./@+%()");
    if (tag.length == 0 || tag.length > TAG_MOST)
        return false;
    if (next.next < next.end && *next.next == '[' && !read_process(&next, &process))
        return false;
    if (!rest_skip(&next, ':') || (!rest_skip(&next, ' ') && strict && next.next < next.end))
        return false;
    record->name = tag;
    record->process = process;
    *rest = next;
    return true;
}

/* The host's name, or its address, and the blank behind it. */
static bool read_host(struct rest *rest, weir_part *host)
{
    struct rest next = *rest;
    weir_part word = read_word(&next, "-_.:");
    if (word.length == 0 || word.length > HOST_MOST || !rest_skip(&next, ' '))
        return false;
    *host = word;
    *rest = next;
    return true;
}

static bool read_time(struct record_writer *writer, struct rest *rest, int64_t arrived, struct record *record)
{
    struct rest next = *rest;
    struct moment moment;
    if (!read_stamp(writer, &next, arrived, &moment)) {
        next = *rest; /* rsyslog and others put RFC 3339's here */
        if (!read_moment(&next, &moment))
            return false;
    }
    if (!rest_skip(&next, ' '))
        return false;
    record->time = moment;
    *rest = next;
    return true;
}

/* All of it may be missing; syslog(3) sends no host, so that a tag may stand where it would. */
static void read_rfc3164(struct record_writer *writer, struct rest rest, int64_t arrived, struct record *record)
{
    record->kind = RECORD_RFC3164;
    bool stamped = read_time(writer, &rest, arrived, record);
    if (!read_tag(&rest, true, record) && stamped && read_host(&rest, &record->host))
        read_tag(&rest, false, record);
    record->message = (weir_part){rest.next, rest_length(&rest)};
}

/* --- either --- */

bool read_syslog(struct record_writer *writer, const char *data, size_t length, int64_t arrived, struct record *record)
{
    struct rest rest = {data, data + length};
    int priority;
    if (!read_priority(&rest, &priority))
        return false;
    record->priority = priority;
    record->level = level_of(priority);
    struct rest behind = rest;
    if (rest_skip(&behind, '1') && rest_skip(&behind, ' ') && read_rfc5424(behind, record))
        return true;
    read_rfc3164(writer, rest, arrived, record);
    return true;
}
