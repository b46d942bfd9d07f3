/* The log's records (src/services/log/record.h): names, escapes, and the log's own. */
#include "records.h"

/* --- plain text --- */

static void plain_text_has_the_sender_for_a_name(void **state)
{
    (void)state;
    CHECK(RECORD_PLAIN, "hello", AT "192.0.2.1:514    DEBUG\thello");
    CHECK(RECORD_PLAIN, "", AT "192.0.2.1:514    DEBUG\t");
    CHECK(RECORD_PLAIN, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80",
          AT "192.0.2.1:514    DEBUG\tgr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
}

static void one_newline_at_the_end_is_none_of_the_message(void **state)
{
    (void)state;
    CHECK(RECORD_PLAIN, "hello\n", AT "192.0.2.1:514    DEBUG\thello");
    CHECK(RECORD_PLAIN, "hello\r\n", AT "192.0.2.1:514    DEBUG\thello");
    CHECK(RECORD_PLAIN, "hello\n\0", AT "192.0.2.1:514    DEBUG\thello");
    CHECK(RECORD_PLAIN, "hello\n\n", AT "192.0.2.1:514    DEBUG\thello\\n");
}

static void senders_of_every_family_have_a_name(void **state)
{
    (void)state;
    struct situation how = usual;
    how.sender = "[2001:db8::1]:514";
    check(&how, RECORD_PLAIN, "x", 1, AT "[2001:db8::1]:514    DEBUG\tx");
    check(&how, RECORD_RFC3164, "<14>a: x", 8, AT "a@2001:db8::1     INFO\tx");
    how.sender = "1.2.3.4:5";
    check(&how, RECORD_RFC3164, "<14>a: x", 8, AT "a@1.2.3.4        INFO\tx");
    how.sender = "/run/a:b";
    check(&how, RECORD_PLAIN, "x", 1, AT "unix:/run/a:b    DEBUG\tx");
    check(&how, RECORD_RFC3164, "<14>a: x", 8, AT "a@unix:/run/a:b     INFO\tx");
    how.sender = "@weir";
    check(&how, RECORD_PLAIN, "x", 1, AT "unix:@weir      DEBUG\tx");
}

static void a_unix_socket_without_a_name_has_one_here(void **state)
{
    (void)state;
    struct record_writer *writer = record_writer_new(RECORD_TEXT);
    weir_datagram datagram = {.data = (char *)"x", .length = 1};
    char line[ROOM];
    size_t length = record_write(writer, &datagram, ARRIVED, line, NULL);
    static const char expected[] = AT "unix:unnamed    DEBUG\tx\n";
    assert_int_equal(length, sizeof expected - 1);
    assert_memory_equal(line, expected, length);
    record_writer_free(writer);
}

/* One writer for several senders, who take turns. */
static void senders_are_not_mixed_up(void **state)
{
    (void)state;
    struct record_writer *writer = record_writer_new(RECORD_TEXT);
    weir_datagram one = {.data = (char *)"x", .length = 1}, other = one;
    char line[ROOM];
    assert_int_equal(weir_parse_address("192.0.2.1:514", &one.peer), 0);
    assert_int_equal(weir_parse_address("192.0.2.1:515", &other.peer), 0);
    for (int i = 0; i < 3; i++) {
        record_write(writer, &one, ARRIVED, line, NULL);
        assert_memory_equal(line + 24, "192.0.2.1:514", 13);
        record_write(writer, &other, ARRIVED, line, NULL);
        assert_memory_equal(line + 24, "192.0.2.1:515", 13);
    }
    record_writer_free(writer);
}

/* --- nobody forges a line --- */

static void what_steers_or_breaks_lines_is_escaped(void **state)
{
    (void)state;
    CHECK(RECORD_PLAIN, "a\n2026-11-21 07:15:00,123 weir\tb",
          AT "192.0.2.1:514    DEBUG\ta\\n2026-11-21 07:15:00,123 weir\\tb");
    CHECK(RECORD_PLAIN, "\x1b[2J\r\0\x7f\\n\"", AT "192.0.2.1:514    DEBUG\t\\x1b[2J\\r\\x00\\x7f\\\\n\"");
    CHECK(RECORD_PLAIN, "\xc2\x9b\xc2\x85\xc2\xa0", AT "192.0.2.1:514    DEBUG\t\\xc2\\x9b\\xc2\\x85\xc2\xa0");
    CHECK(RECORD_PLAIN, "\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xe2\x81\xaa",
          AT "192.0.2.1:514    DEBUG\t\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xe2\\x81\\xa6\xe2\x81\xaa");
    CHECK(RECORD_PLAIN, "\xff\xc3(\xed\xa0\x80\xc3", AT "192.0.2.1:514    DEBUG\t\\xff\\xc3(\\xed\\xa0\\x80\\xc3");
    CHECK(RECORD_RFC5424, "<14>1 - - - - - [a b=\"\n\"] x", AT "192.0.2.1:514     INFO\tx");
}

/* At every place of a word of eight bytes. */
static void one_bad_byte_is_seen_wherever_it_is(void **state)
{
    (void)state;
    static const unsigned char bad[] = {0x00, 0x1f, 0x7f, 0x80, 0xff, '\\', '\n'};
    static const char *const shown[] = {"\\x00", "\\x1f", "\\x7f", "\\x80", "\\xff", "\\\\", "\\n"};
    for (size_t kind = 0; kind < sizeof bad; kind++) {
        for (size_t at = 0; at < 40; at++) {
            char bytes[41], expected[128];
            memset(bytes, 'z', sizeof bytes);
            bytes[at] = (char)bad[kind];
            snprintf(expected, sizeof expected, AT "192.0.2.1:514    DEBUG\t%.*s%s%.*s", (int)at,
                     "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", shown[kind], (int)(40 - at),
                     "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz");
            check(&usual, RECORD_PLAIN, bytes, 41, expected);
        }
    }
}

static void the_largest_datagram_of_the_worst_bytes_has_room(void **state)
{
    (void)state;
    static const unsigned char worst[] = {0x01, 0xff, '"', '\\', 0x85};
    char *bytes = malloc(65535);
    assert_non_null(bytes);
    for (size_t i = 0; i < sizeof worst; i++) {
        memset(bytes, worst[i], 65535);
        for (int format = RECORD_TEXT; format <= RECORD_JSON; format++) {
            struct situation how = usual;
            how.format = format;
            how.truncated = true;
            char *line = line_of(&how, bytes, 65535, NULL);
            assert_true(strlen(line) > 65535);
            assert_non_null(strstr(line, "truncated"));
            free(line);
        }
    }
    free(bytes);
}

static void a_truncated_datagram_is_marked(void **state)
{
    (void)state;
    struct situation how = usual;
    how.truncated = true;
    check(&how, RECORD_PLAIN, "hel", 3, AT "192.0.2.1:514    DEBUG\thel [truncated]");
    check(&how, RECORD_UNREADABLE, "\0\0\1\0}q\0", 7,
          AT "192.0.2.1:514    DEBUG\t\\x00\\x00\\x01\\x00}q\\x00 [truncated]");
    how.format = RECORD_JSON;
    check(&how, RECORD_PLAIN, "hel", 3,
          "{\"time\":\"2026-11-21T07:15:00.123456+01:00\"," RECEIVED
          "\"kind\":\"plain\",\"from\":\"192.0.2.1:514\",\"name\":\"192.0.2.1:514\",\"level\":\"DEBUG\",\"message\":"
          "\"hel\","
          "\"truncated\":true}");
}

/* --- the service's own --- */

static void own_records_have_a_name_that_no_sender_has(void **state)
{
    (void)state;
    struct record_writer *writer = record_writer_new(RECORD_TEXT);
    static const char message[] = "7 datagrams dropped";
    static const char expected[] = AT "weir          WARNING\t7 datagrams dropped\n";
    char line[ROOM];
    size_t length = record_write_own(writer, ARRIVED, "WARNING", message, line);
    assert_int_equal(length, sizeof expected - 1);
    assert_memory_equal(line, expected, length);
    record_writer_free(writer);
    assert_non_null(writer = record_writer_new(RECORD_JSON));
    length = record_write_own(writer, ARRIVED, "WARNING", message, line);
    line[length] = '\0';
    assert_string_equal(
        line, "{\"time\":\"2026-11-21T07:15:00.123456+01:00\"," RECEIVED
              "\"kind\":\"weir\",\"name\":\"weir\",\"level\":\"WARNING\",\"message\":\"7 datagrams dropped\"}\n");
    record_writer_free(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_has_the_sender_for_a_name),
        cmocka_unit_test(one_newline_at_the_end_is_none_of_the_message),
        cmocka_unit_test(senders_of_every_family_have_a_name),
        cmocka_unit_test(a_unix_socket_without_a_name_has_one_here),
        cmocka_unit_test(senders_are_not_mixed_up),
        cmocka_unit_test(what_steers_or_breaks_lines_is_escaped),
        cmocka_unit_test(one_bad_byte_is_seen_wherever_it_is),
        cmocka_unit_test(the_largest_datagram_of_the_worst_bytes_has_room),
        cmocka_unit_test(a_truncated_datagram_is_marked),
        cmocka_unit_test(own_records_have_a_name_that_no_sender_has),
    };
    return RUN_RECORDS(tests);
}
