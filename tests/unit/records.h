/* What the tests of the log's records share: a datagram, the line that it must be, and what it must be taken for. */
#ifndef WEIR_TEST_RECORDS_H
#define WEIR_TEST_RECORDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "services/log/record.h"

/* 2026-11-21 07:15:00.123456 in the zone of these tests. */
#define ARRIVED INT64_C(1795241700123456000)
#define AT      "2026-11-21 07:15:00,123 "
/* Enough for the shortest. */
enum { ROOM = 5000 };
#define RECEIVED "\"received\":\"2026-11-21T07:15:00.123456+01:00\","

struct situation {
    enum record_format format;
    const char *sender;
    int64_t arrived;
    bool truncated;
};

static const struct situation usual = {RECORD_TEXT, "192.0.2.1:514", ARRIVED, false};
__attribute__((unused)) static const struct situation json = {RECORD_JSON, "192.0.2.1:514", ARRIVED, false};

/* The line with a NUL for its newline, to be freed. Memory of just its size, so that a step beyond is seen. */
static inline char *line_of(const struct situation *how, const void *bytes, size_t length, enum record_kind *kind)
{
    struct record_writer *writer = record_writer_new(how->format);
    weir_datagram datagram = {.data = malloc(length + !length), .length = length, .truncated = how->truncated};
    char *line = malloc(record_room(length));
    assert_non_null(writer);
    assert_non_null(line);
    assert_non_null(datagram.data);
    memcpy(datagram.data, bytes, length);
    assert_int_equal(weir_parse_address(how->sender, &datagram.peer), 0);
    size_t written = record_write(writer, &datagram, how->arrived, line, kind);
    assert_in_range(written, 1, record_room(length));
    assert_int_equal(line[written - 1], '\n');
    line[written - 1] = '\0';
    assert_int_equal(strlen(line), written - 1);
    assert_null(strchr(line, '\n'));
    record_writer_free(writer);
    free(datagram.data);
    return line;
}

static inline void check(const struct situation *how, enum record_kind kind, const void *bytes, size_t length,
                         const char *expected)
{
    enum record_kind taken = RECORD_KINDS;
    char *line = line_of(how, bytes, length, &taken);
    assert_string_equal(line, expected);
    assert_int_equal(taken, kind);
    free(line);
}

#define CHECK(kind, bytes, expected)      check(&usual, kind, bytes, sizeof(bytes) - 1, expected)
#define CHECK_JSON(kind, bytes, expected) check(&json, kind, bytes, sizeof(bytes) - 1, expected)

/* In a zone of its own, which no machine need know. */
#define RUN_RECORDS(tests)                                                                                             \
    (setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1), tzset(), cmocka_run_group_tests(tests, NULL, NULL))

#endif
