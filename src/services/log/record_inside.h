/* What the files of the records share; see record.h for what they do together. */
#ifndef WEIR_SERVICES_LOG_RECORD_INSIDE_H
#define WEIR_SERVICES_LOG_RECORD_INSIDE_H

#include "record.h"
#include "record_values.h"

/* --- a record that was read --- */

/* A moment of the wall clock; nanoseconds are 0 to 999,999,999. */
struct moment {
    int64_t seconds;
    int64_t nanoseconds;
};

enum { NO_PRIORITY = -1 };

/* Its parts lie in the datagram, or in the writer; an empty part is one that it has not. */
struct record {
    enum record_kind kind;
    struct moment time; /* its own, else that of its arrival */
    weir_part name;     /* without the sender's host */
    weir_part level;
    weir_part message;
    weir_part details[2]; /* Python's traceback and stack, which follow the message on lines of their own */
    int priority;         /* syslog's, 0 to 191, or NO_PRIORITY */
    weir_part host, process, id;
    weir_part structured;        /* RFC 5424's elements, well formed; NULL text: none */
    const struct values *values; /* Python's, whose root is a dictionary; NULL: none */
    bool truncated;
};

/* Who sent it: "127.0.0.1:514", whose host is the beginning, or "unix:/path", which is all host. */
struct sender {
    weir_address address;
    char text[WEIR_ADDRESS_TEXT + 8];
    char host[WEIR_ADDRESS_TEXT + 8]; /* without the port and IPv6's brackets */
};

/* The text of a second, so that it is made once a second. */
struct second {
    int64_t at; /* of the epoch */
    bool known;
    char date[11]; /* "2026-11-21" */
    char clock[9]; /* "07:15:00" */
    char zone[7];  /* "+01:00" */
};

/* RFC 3164's stamp that was read last, and what it meant. */
struct stamp {
    char text[16];
    size_t length;
    int64_t hour; /* when it arrived, since its year is guessed from that */
    int64_t seconds;
};

struct record_writer {
    enum record_format format;
    struct second seconds[2]; /* of the records, of their arrivals */
    struct stamp stamp;
    struct sender sender;
    char level[24]; /* of a number that Python has no name for */
    struct values values;
};

/* --- reading --- */

/* An unread rest of a text. */
struct rest {
    const char *next, *end;
};

static inline size_t rest_length(const struct rest *rest)
{
    return (size_t)(rest->end - rest->next);
}

/* Goes over one character if it is that one. */
static inline bool rest_skip(struct rest *rest, char character)
{
    if (rest->next == rest->end || *rest->next != character)
        return false;
    rest->next++;
    return true;
}

/* Reads exactly `digits` digits. */
bool rest_number(struct rest *rest, int digits, int64_t *number);

/*
 * Reads RFC 3339's "2026-11-21T07:15:00.123456+01:00" or "...Z", with up to nine digits of a second, a fraction or none.
 * False: there is none, and the rest may stand anywhere.
 */
bool read_moment(struct rest *rest, struct moment *moment);

/* Reads "Nov 21 07:15:00", which is local time of the last year that it can be of. False likewise. */
bool read_stamp(struct record_writer *writer, struct rest *rest, int64_t arrived, struct moment *moment);

/* Whether a moment can be shown: a year from 1 to 9999, whatever the zone. */
static inline bool moment_fits(int64_t seconds)
{
    return seconds >= -62135510400 && seconds <= 253402214400;
}

/* What follows <PRI>. False: there is none, and the record is as it was. */
bool read_syslog(struct record_writer *writer, const char *data, size_t length, int64_t arrived, struct record *record);

/* What follows "<PRI>1 ". False: it is not that, and of the record nothing but parts of a syslog record was changed. */
bool read_rfc5424(struct rest rest, struct record *record);

enum { PARAMETERS_MOST = 64 }; /* in an element of structured data; what has more is taken for none */

/* A parameter of an element; the value still has its backslashes. */
struct parameter {
    weir_part name, value;
};

/* Goes over "[name" or over ` name="value"`. False, and nothing skipped: none is there. */
bool read_element(struct rest *rest, weir_part *name);
bool read_parameter(struct rest *rest, struct parameter *parameter);

/* Whether the bytes claim to be a DatagramHandler's: a length, and a pickle. */
bool is_pickle(const char *data, size_t length, bool truncated);

/* Reads what is_pickle found. False: its values are not plain ones, or not a log record's. */
bool read_python(struct record_writer *writer, const char *data, size_t length, struct record *record);

/* --- writing --- */

/* The line. What does not fit is left out, with all that follows. */
struct output {
    char *text;
    size_t length, room;
    bool json, full;
};

void put(struct output *output, const char *text, size_t length);
void put_character(struct output *output, char character);
void put_string(struct output *output, const char *text);
/* `count` digits of a number. */
void put_digits(struct output *output, int64_t number, int count);
/* Escaped: for a line of text, or for the inside of a string of JSON. */
void put_escaped(struct output *output, const char *text, size_t length);

/* The text of that second, from `second` if it is the one that is there. */
const struct second *second_of(struct second *second, int64_t at);

/* One line without its newline. */
void put_text_line(struct record_writer *writer, const struct record *record, struct output *output);
void put_json_line(struct record_writer *writer, const struct record *record, const struct moment *arrived,
                   struct output *output);

/* A string of JSON with its quotes. */
void put_quoted(struct output *output, const char *text, size_t length);

/* What stands before a member of an object that is not its first. */
void put_comma(struct output *output);

/* A member's name, with the comma before it and the colon behind. */
void put_key(struct output *output, weir_part key);

/* RFC 5424's structured data as an object of objects; Python's values as what they are in JSON. */
void put_structured(struct output *output, weir_part structured);
void put_values(struct output *output, const struct values *values);

#endif
