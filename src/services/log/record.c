/* Records: what a datagram is, who sent it, and its line; see record.h. */
#include "record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "record_inside.h"

enum { BILLION = 1000000000 };

const char *record_kind_name(enum record_kind kind)
{
    static const char *const names[] = {"plain", "rfc3164", "rfc5424", "python", "unreadable", "weir"};
    return names[kind];
}

struct record_writer *record_writer_new(enum record_format format)
{
    struct record_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "log", NULL);
    else
        writer->format = format;
    return writer;
}

void record_writer_free(struct record_writer *writer)
{
    free(writer);
}

static weir_part part_of(const char *text)
{
    return (weir_part){text, strlen(text)};
}

static struct moment moment_of(int64_t wall)
{
    int64_t nanoseconds = wall % BILLION;
    if (nanoseconds < 0)
        nanoseconds += BILLION;
    return (struct moment){(wall - nanoseconds) / BILLION, nanoseconds};
}

/* --- who sent it --- */

/* Before the port, and without the brackets of IPv6. */
static void take_host(struct sender *sender)
{
    const char *begin = sender->text, *end = strrchr(begin, ':');
    if (*begin == '[' && end > begin) {
        begin++;
        end--;
    }
    size_t length = end ? (size_t)(end - begin) : strlen(begin);
    memcpy(sender->host, begin, length);
    sender->host[length] = '\0';
}

/* Of a Unix socket: "unix:/path", so that a name of a file cannot look like anything else. */
static void take_path(struct sender *sender)
{
    static const char nameless[] = "unix:unnamed"; /* of such a socket the kernel says nothing */
    size_t scheme = strlen("unix:");
    memcpy(sender->text, nameless, sizeof nameless);
    if (sender->address.length > 0)
        weir_address_text(&sender->address, sender->text + scheme, sizeof sender->text - scheme);
    memcpy(sender->host, sender->text, sizeof sender->host);
}

static bool same_address(const weir_address *one, const weir_address *other)
{
    return one->length == other->length && memcmp(&one->any, &other->any, one->length) == 0;
}

/* Most datagrams come from whom the last came from. */
static void take_sender(struct sender *sender, const weir_address *peer)
{
    if (*sender->text && same_address(&sender->address, peer))
        return;
    sender->address = *peer;
    if (peer->length > 0 && peer->any.sa_family != AF_UNIX) {
        weir_address_text(peer, sender->text, sizeof sender->text);
        take_host(sender);
    } else {
        take_path(sender);
    }
}

/* --- what it is --- */

/* Without the NUL that Python's SysLogHandler puts behind it, and without one newline, as nc and others send it. */
static weir_part trimmed(const char *data, size_t length)
{
    while (length > 0 && data[length - 1] == '\0')
        length--;
    if (length > 0 && data[length - 1] == '\n')
        length--;
    if (length > 0 && data[length - 1] == '\r')
        length--;
    return (weir_part){data, length};
}

static struct record plain(weir_part text, const struct moment *arrived)
{
    struct record record = {.kind = RECORD_PLAIN, .priority = NO_PRIORITY, .level = part_of("DEBUG")};
    record.time = *arrived;
    record.message = text;
    return record;
}

static struct record read_record(struct record_writer *writer, const weir_datagram *datagram, struct moment arrived)
{
    weir_part text = trimmed(datagram->data, datagram->length);
    struct record record = plain(text, &arrived);
    record.truncated = datagram->truncated;
    if (!is_pickle(datagram->data, datagram->length, datagram->truncated)) {
        read_syslog(writer, text.text, text.length, arrived.seconds, &record);
    } else if (!read_python(writer, datagram->data, datagram->length, &record)) {
        record.kind = RECORD_UNREADABLE;
        record.message = (weir_part){datagram->data, datagram->length};
    }
    return record;
}

/* --- its line --- */

/* Without its newline. False: there was no room for all of it. */
static bool put_line(struct record_writer *writer, const struct record *record, struct moment arrived,
                     struct output *output)
{
    if (output->json)
        put_json_line(writer, record, &arrived, output);
    else
        put_text_line(writer, record, output);
    return !output->full;
}

static struct output output_for(const struct record_writer *writer, size_t length, char *line)
{
    return (struct output){.text = line, .room = record_room(length) - 1, .json = writer->format == RECORD_JSON};
}

size_t record_write(struct record_writer *writer, const weir_datagram *datagram, int64_t arrived, char *line,
                    enum record_kind *kind)
{
    struct moment moment = moment_of(arrived);
    struct output output = output_for(writer, datagram->length, line);
    take_sender(&writer->sender, &datagram->peer);
    struct record record = read_record(writer, datagram, moment);
    if (!put_line(writer, &record, moment, &output)) { /* a pickle can say a text that it has once many times */
        output = output_for(writer, datagram->length, line);
        record = plain((weir_part){datagram->data, datagram->length}, &moment);
        record.kind = RECORD_UNREADABLE;
        record.truncated = datagram->truncated;
        put_line(writer, &record, moment, &output);
    }
    line[output.length] = '\n';
    if (kind)
        *kind = record.kind;
    return output.length + 1;
}

size_t record_write_own(struct record_writer *writer, int64_t when, const char *level, const char *message, char *line)
{
    struct moment moment = moment_of(when);
    struct output output = output_for(writer, strlen(message), line);
    struct record record = plain(part_of(message), &moment);
    record.kind = RECORD_OWN;
    record.name = part_of("weir");
    record.level = part_of(level);
    put_line(writer, &record, moment, &output);
    line[output.length] = '\n';
    return output.length + 1;
}
