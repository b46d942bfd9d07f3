/* A file as an answer; see send_file.h. */
#include "send_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "range.h"

enum { BOUNDARY = 33, PART_MOST = 300, FIELDS_MOST = 512 };

/* What is sent: a file, and how it is known. */
struct sending {
    struct http_exchange *exchange;
    int fd;
    const char *type;
    uint64_t size;
    struct validators validators;
    char boundary[BOUNDARY];
};

/* --- what every answer says --- */

/* The time to the nanosecond is in the tag, so that what was written in the same second is told apart. */
static void read_validators(const struct stat *status, struct validators *validators)
{
    snprintf(validators->tag, sizeof validators->tag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%lx\"",
             (uint64_t)status->st_ino, (uint64_t)status->st_size, (uint64_t)status->st_mtim.tv_sec,
             (unsigned long)status->st_mtim.tv_nsec);
    validators->now = weir_wall_clock() / WEIR_S(1);
    validators->modified = status->st_mtim.tv_sec < validators->now ? status->st_mtim.tv_sec : validators->now;
}

/*
 * Whatever a file holds, nothing in it runs; a browser that shows a file of its own accord loads it as media or image.
 */
static void write_fields(const struct sending *sending, const char *more, char fields[FIELDS_MOST])
{
    char date[HTTP_DATE_SIZE];
    http_date(sending->validators.modified, date);
    snprintf(fields, FIELDS_MOST,
             "Accept-Ranges: bytes\r\nETag: %s\r\nLast-Modified: %s\r\nX-Content-Type-Options: nosniff\r\n"
             "Content-Security-Policy: default-src 'none'; media-src 'self'; img-src 'self'\r\n%s",
             sending->validators.tag, date, more);
}

static int begin(struct sending *sending, int status, const char *type, uint64_t length, const char *more)
{
    char fields[FIELDS_MOST];
    write_fields(sending, more, fields);
    struct http_answer answer = {.type = type, .length = (int64_t)length, .fields = fields};
    return http_begin(sending->exchange, status, &answer);
}

/* --- bodies --- */

/* A file that has become shorter cannot be sent as announced: who reads it must see that it was cut. */
static bool send_range(struct sending *sending, const struct range *range)
{
    int64_t offset = (int64_t)range->first;
    int64_t sent = weir_sendfile(sending->exchange->conn, sending->fd, &offset, range->length);
    sending->exchange->sent += (uint64_t)(offset - (int64_t)range->first);
    if (sent == (int64_t)range->length)
        return true;
    sending->exchange->keep = false;
    return false;
}

static void send_whole(struct sending *sending)
{
    struct range all = {0, sending->size};
    if (begin(sending, 200, sending->type, sending->size, "") == 0 && !sending->exchange->head_only && all.length > 0)
        send_range(sending, &all);
}

static void send_one(struct sending *sending, const struct range *range)
{
    char field[120];
    snprintf(field, sizeof field, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n", range->first,
             range->first + range->length - 1, sending->size);
    if (begin(sending, 206, sending->type, range->length, field) == 0)
        send_range(sending, range);
}

/* What stands before a part. Returns its length. */
static size_t write_part(const struct sending *sending, const struct range *range, char text[PART_MOST])
{
    int length =
        snprintf(text, PART_MOST,
                 "\r\n--%s\r\nContent-Type: %.100s\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n\r\n",
                 sending->boundary, sending->type, range->first, range->first + range->length - 1, sending->size);
    return (size_t)length;
}

static void make_boundary(char boundary[BOUNDARY])
{
    uint8_t bytes[(BOUNDARY - 1) / 2];
    weir_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(boundary + 2 * i, 3, "%02x", bytes[i]);
}

static bool send_text(struct sending *sending, const char *text, size_t length)
{
    if (weir_send_all(sending->exchange->conn, text, length) < 0) {
        sending->exchange->keep = false;
        return false;
    }
    sending->exchange->sent += length;
    return true;
}

/* multipart/byteranges (RFC 9110, 14.6), the parts in the order in which they were asked for. */
static void send_several(struct sending *sending, const struct range *ranges, size_t count)
{
    char text[PART_MOST], type[80], end[BOUNDARY + 8];
    make_boundary(sending->boundary);
    snprintf(type, sizeof type, "multipart/byteranges; boundary=%s", sending->boundary);
    size_t tail = (size_t)snprintf(end, sizeof end, "\r\n--%s--\r\n", sending->boundary);
    uint64_t length = tail;
    for (size_t i = 0; i < count; i++)
        length += write_part(sending, &ranges[i], text) + ranges[i].length;
    if (begin(sending, 206, type, length, "") < 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (!send_text(sending, text, write_part(sending, &ranges[i], text)) || !send_range(sending, &ranges[i]))
            return;
    send_text(sending, end, tail);
}

/* --- which of them --- */

static size_t times(const struct http_head *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->count; i++)
        count += strcasecmp(request->fields[i].name, name) == 0;
    return count;
}

/* Ranges are of GET alone (14.2). */
static enum ranges_found find_ranges(const struct sending *sending, struct range *ranges, size_t *count)
{
    const struct http_head *request = &sending->exchange->request;
    if (sending->exchange->head_only || times(request, "Range") != 1 ||
        !conditions_allow_range(request, &sending->validators))
        return RANGES_NONE;
    return range_parse(http_field(request, "Range"), sending->size, ranges, count);
}

static void refuse_ranges(struct sending *sending)
{
    char field[80];
    snprintf(field, sizeof field, "Content-Range: bytes */%" PRIu64 "\r\n", sending->size);
    http_refuse(sending->exchange, 416, field, "it has %" PRIu64 " bytes", sending->size);
}

static void answer(struct sending *sending)
{
    struct range ranges[RANGES_MOST];
    size_t count = 0;
    switch (find_ranges(sending, ranges, &count)) {
    case RANGES_NONE:
        send_whole(sending);
        break;
    case RANGES_BEYOND:
        refuse_ranges(sending);
        break;
    case RANGES_SOME:
        if (count == 1)
            send_one(sending, ranges);
        else
            send_several(sending, ranges, count);
        break;
    }
}

void send_file(struct http_exchange *exchange, weir_file *file, const char *type)
{
    struct sending sending = {.exchange = exchange, .fd = weir_file_fd(file), .type = type};
    struct stat status;
    if (fstat(sending.fd, &status) < 0 || !S_ISREG(status.st_mode)) {
        http_refuse(exchange, 404, NULL, "it is no file any more");
        return;
    }
    sending.size = (uint64_t)status.st_size;
    read_validators(&status, &sending.validators);
    int known = conditions_check(&exchange->request, &sending.validators);
    if (known == 304)
        begin(&sending, 304, NULL, 0, "");
    else if (known)
        http_refuse(exchange, known, NULL, "the file is another one by now");
    else
        answer(&sending);
}
