/*
 * Records: a datagram in, one line out.
 *
 * What is read: RFC 5424, RFC 3164 (also as Python's SysLogHandler and syslog(3) send it: without time, host or tag),
 * the pickles of Python's DatagramHandler, and anything else as plain text. Nothing here waits, calls the kernel or,
 * per record, allocates; whatever a datagram holds, it becomes exactly one line.
 */
#ifndef WEIR_SERVICES_LOG_RECORD_H
#define WEIR_SERVICES_LOG_RECORD_H

#include <weir/weir.h>

enum record_format {
    RECORD_TEXT, /* Python's `%(asctime)s %(name)-12s %(levelname)8s\t%(message)s` */
    RECORD_JSON, /* an object with every field */
};

/* What a datagram was taken for. */
enum record_kind {
    RECORD_PLAIN,
    RECORD_RFC3164,
    RECORD_RFC5424,
    RECORD_PYTHON,
    RECORD_UNREADABLE, /* like a DatagramHandler's, but cut, broken, or with more in it than plain values: kept as text */
    RECORD_OWN,        /* not from a datagram: record_write_own's */
    RECORD_KINDS,
};

/* A kind in one word, as JSON and counters show it: "plain", "rfc3164", "rfc5424", "python", "unreadable", "weir". */
const char *record_kind_name(enum record_kind kind);

/* Holds the layout, the text of the last second and scratch for parsing. One caller at a time: one a thread. */
struct record_writer;

/* The caller frees it. NULL with ENOMEM and an error. */
struct record_writer *record_writer_new(enum record_format format);

/* NULL is fine. */
void record_writer_free(struct record_writer *writer);

/* How much room the line of a datagram of that length may need, its newline included. */
static inline size_t record_room(size_t length)
{
    return 8 * length + 4096;
}

/*
 * Writes the line of a datagram to `line`, where record_room(datagram->length) bytes must be, with its newline and
 * without a NUL. Returns its length, at least 1. `arrived` is the wall clock (weir_wall_clock) when it came, which is
 * the record's time where it tells none itself. *kind is what it was; `kind` may be NULL. Keeps no pointer.
 */
size_t record_write(struct record_writer *writer, const weir_datagram *datagram, int64_t arrived, char *line,
                    enum record_kind *kind);

/*
 * Writes a record of the service itself, as "7 datagrams dropped" at "WARNING", likewise; there must be
 * record_room(strlen(message)) bytes. Its name is `weir`, which no sender can have: theirs end in an address.
 */
size_t record_write_own(struct record_writer *writer, int64_t when, const char *level, const char *message, char *line);

#endif
