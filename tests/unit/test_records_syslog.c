/* The log's records: syslog's, of RFC 5424 and RFC 3164, and what is made to look like them. */
#include "records.h"

/* --- RFC 5424 --- */

static void the_examples_of_rfc_5424_are_read(void **state)
{
    (void)state;
    CHECK(
        RECORD_RFC5424,
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed for lonvick on "
        "/dev/pts/8",
        "2003-10-12 00:14:15,003 su@192.0.2.1 CRITICAL\t'su root' failed for lonvick on /dev/pts/8");
    CHECK(RECORD_RFC5424,
          "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
          "2003-08-24 14:14:15,000 myproc@192.0.2.1   NOTICE\t%% It's time to make the do-nuts.");
    CHECK(RECORD_RFC5424,
          "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" "
          "eventSource=\"Application\" eventID=\"1011\"] \xef\xbb\xbf"
          "An application event log entry...",
          "2003-10-12 00:14:15,003 evntslog@192.0.2.1   NOTICE\tAn application event log entry...");
    CHECK(RECORD_RFC5424,
          "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" "
          "eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]",
          "2003-10-12 00:14:15,003 evntslog@192.0.2.1   NOTICE\t[exampleSDID@32473 iut=\"3\" "
          "eventSource=\"Application\" eventID=\"1011\"][examplePriority@32473 class=\"high\"]");
}

/* util-linux 2.38's `logger -n HOST -d`. */
static void logger_is_read(void **state)
{
    (void)state;
    CHECK(RECORD_RFC5424,
          "<191>1 2026-11-21T18:12:51.478433+00:00 vm root - ID7 [timeQuality tzKnown=\"1\" isSynced=\"0\"][zoo@123 "
          "tiger=\"hun\\\"gry\"] hello \xc3\xa9",
          "2026-11-21 19:12:51,478 root@192.0.2.1    DEBUG\thello \xc3\xa9");
    CHECK(RECORD_RFC5424, "<13>1 - - root - - - hello", AT "root@192.0.2.1   NOTICE\thello");
    CHECK(RECORD_RFC5424,
          "<13>1 2026-11-21T18:12:51.467222+00:00 vm tag[x 21058 - [timeQuality tzKnown=\"1\" isSynced=\"0\"] hello",
          "2026-11-21 19:12:51,467 tag[x@192.0.2.1   NOTICE\thello");
    CHECK(RECORD_RFC3164, "<13>Nov 21 18:12:51 vm root: hello",
          "2026-11-21 18:12:51,000 root@192.0.2.1   NOTICE\thello");
}

/* Every level has its name; the highest priority is 191. */
static void a_priority_is_a_level(void **state)
{
    (void)state;
    CHECK(RECORD_RFC3164, "<0>x", AT "192.0.2.1:514    EMERG\tx");
    CHECK(RECORD_RFC3164, "<9>x", AT "192.0.2.1:514    ALERT\tx");
    CHECK(RECORD_RFC3164, "<18>x", AT "192.0.2.1:514 CRITICAL\tx");
    CHECK(RECORD_RFC3164, "<27>x", AT "192.0.2.1:514    ERROR\tx");
    CHECK(RECORD_RFC3164, "<36>x", AT "192.0.2.1:514  WARNING\tx");
    CHECK(RECORD_RFC3164, "<45>x", AT "192.0.2.1:514   NOTICE\tx");
    CHECK(RECORD_RFC3164, "<54>x", AT "192.0.2.1:514     INFO\tx");
    CHECK(RECORD_RFC3164, "<191>x", AT "192.0.2.1:514    DEBUG\tx");
    CHECK(RECORD_PLAIN, "<192>x", AT "192.0.2.1:514    DEBUG\t<192>x");
    CHECK(RECORD_PLAIN, "<>x", AT "192.0.2.1:514    DEBUG\t<>x");
    CHECK(RECORD_PLAIN, "<1", AT "192.0.2.1:514    DEBUG\t<1");
    CHECK(RECORD_PLAIN, "<0001>x", AT "192.0.2.1:514    DEBUG\t<0001>x");
}

/* What is not RFC 5424 to the letter is a message with a priority. */
static void a_broken_header_is_part_of_the_message(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1 2026-02-29T00:00:00Z h a p m - x",
        "1 2026-11-21T24:00:00Z h a p m - x",
        "1 2026-11-21T00:00:60Z h a p m - x",
        "1 2026-11-21T00:00:00 h a p m - x",
        "1 2026-11-21T00:00:00.Z h a p m - x",
        "1 2026-11-21T00:00:00.0123456789Z h a p m - x",
        "1 2026-11-21T00:00:00+24:00 h a p m - x",
        "1 - h a p m",
        "1 - h a p m x",
        "1 - h a p m -x",
        "1 - h a p m [",
        "1 - h a p m []",
        "1 - h a p m [a",
        "1 - h a p m [a b]",
        "1 - h a p m [a b=c]",
        "1 - h a p m [a b=\"c]",
        "1 - h a p m [a b=\"c\\\"]",
        "1 - h a p m [a b=\"c\"",
        "1 - h a p m [a  b=\"c\"]",
        "1 - h a p m [a][a] x",
        "1 - h a p m [a]x",
        "1 - h  p m - x",
        "2 - h a p m - x",
        "1 0000-01-01T00:00:00Z h a p m - x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char bytes[128], expected[256], escaped[128];
        snprintf(bytes, sizeof bytes, "<14>%s", texts[i]);
        weir_escape(texts[i], strlen(texts[i]), escaped, sizeof escaped);
        snprintf(expected, sizeof expected, AT "192.0.2.1:514     INFO\t%s", escaped);
        check(&usual, RECORD_RFC3164, bytes, strlen(bytes), expected);
    }
}

static void structured_data_is_an_object(void **state)
{
    (void)state;
    CHECK_JSON(
        RECORD_RFC5424,
        "<165>1 2003-10-11T22:14:15.000003Z h app 12 ID47 [a@1 k=\"v\" ip=\"1\" q=\"\\\"\\\\\\]\\n\" ip=\"2\"][b] m",
        "{\"time\":\"2003-10-12T00:14:15.000003+02:00\"," RECEIVED
        "\"kind\":\"rfc5424\",\"from\":\"192.0.2.1:514\",\"name\":\"app@192.0.2.1\",\"level\":\"NOTICE\","
        "\"message\":\"m\",\"facility\":\"local4\",\"severity\":5,\"host\":\"h\",\"tag\":\"app\",\"process\":\"12\","
        "\"id\":\"ID47\",\"structured\":{\"a@1\":{\"k\":\"v\",\"ip\":[\"1\",\"2\"],\"q\":\"\\\"\\\\]\\\\n\"},\"b\":{}}"
        "}");
}

/* Sixty-four parameters are an element, one more is text: no sender makes a record take long. */
static void an_element_has_an_end(void **state)
{
    (void)state;
    for (int count = 64; count <= 65; count++) {
        char bytes[1024] = "<14>1 - - - - - [a";
        enum record_kind kind;
        for (int i = 0; i < count; i++)
            strcat(bytes, " b=\"\"");
        strcat(bytes, "]");
        free(line_of(&json, bytes, strlen(bytes), &kind));
        assert_int_equal(kind, count == 64 ? RECORD_RFC5424 : RECORD_RFC3164);
    }
}

/* --- RFC 3164 --- */

static void the_examples_of_rfc_3164_are_read(void **state)
{
    (void)state;
    CHECK(RECORD_RFC3164, "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
          "2026-10-11 22:14:15,000 su@192.0.2.1 CRITICAL\t'su root' failed for lonvick on /dev/pts/8");
    CHECK(RECORD_RFC3164, "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
          "2026-02-05 17:32:18,000 192.0.2.1:514   NOTICE\tUse the BFG!");
    CHECK(
        RECORD_RFC3164, "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.",
        "2026-08-24 05:34:00,000 192.0.2.1:514   NOTICE\t1987 mymachine myproc[10]: %% It's time to make the do-nuts.");
    CHECK(RECORD_PLAIN, "Use the BFG!", AT "192.0.2.1:514    DEBUG\tUse the BFG!");
}

/* Of syslog(3) there is no host, of rsyslog RFC 3339's time; of Python's SysLogHandler neither, but a NUL. */
static void headers_may_have_any_part_missing(void **state)
{
    (void)state;
    CHECK(RECORD_RFC3164, "<14>Nov 21 07:14:59 cron[12]: x", "2026-11-21 07:14:59,000 cron@192.0.2.1     INFO\tx");
    CHECK(RECORD_RFC3164, "<14>2026-11-21T07:14:59.5+01:00 h cron: x",
          "2026-11-21 07:14:59,500 cron@192.0.2.1     INFO\tx");
    CHECK(RECORD_RFC3164, "<14>Nov 21 07:14:59 fe80::1 cron:x", "2026-11-21 07:14:59,000 cron@192.0.2.1     INFO\tx");
    CHECK(RECORD_RFC3164, "<12>multi\nline\0", AT "192.0.2.1:514  WARNING\tmulti\\nline");
    CHECK(RECORD_RFC3164, "<12>app: x\0", AT "app@192.0.2.1  WARNING\tx");
    CHECK(RECORD_RFC3164, "<12>app[7]: x", AT "app@192.0.2.1  WARNING\tx");
    CHECK(RECORD_RFC3164, "<12>app:", AT "app@192.0.2.1  WARNING\t");
    CHECK(RECORD_RFC3164, "<12>http://x", AT "192.0.2.1:514  WARNING\thttp://x");
    CHECK(RECORD_RFC3164, "<12>app[7 : x", AT "192.0.2.1:514  WARNING\tapp[7 : x");
    CHECK(RECORD_RFC3164, "<12>", AT "192.0.2.1:514  WARNING\t");
}

static void the_parts_of_a_header_are_in_json(void **state)
{
    (void)state;
    CHECK_JSON(
        RECORD_RFC3164, "<86>Nov 21 07:14:59 h cron[12]: \"x\"\t\x1b\xff\xc2\x85",
        "{\"time\":\"2026-11-21T07:14:59.000000+01:00\"," RECEIVED
        "\"kind\":\"rfc3164\",\"from\":\"192.0.2.1:514\",\"name\":\"cron@192.0.2.1\",\"level\":\"INFO\","
        "\"message\":\"\\\"x\\\"\\t\\u001b\\\\xff\\u0085\",\"facility\":\"authpriv\",\"severity\":6,\"host\":\"h\","
        "\"tag\":\"cron\",\"process\":\"12\"}");
}

/* It has no year: it may have come late, but not before its time by more than clocks differ. */
static void the_year_is_the_last_that_it_can_be(void **state)
{
    (void)state;
    struct situation how = usual;
    how.arrived = INT64_C(1798761610) * 1000000000; /* 2027-01-01 01:00:10 */
    check(&how, RECORD_RFC3164, "<14>Dec 31 23:59:59 x", 21, "2026-12-31 23:59:59,000 192.0.2.1:514     INFO\tx");
    check(&how, RECORD_RFC3164, "<14>Jan  1 01:00:09 x", 21, "2027-01-01 01:00:09,000 192.0.2.1:514     INFO\tx");
    how.arrived = INT64_C(1798758000) * 1000000000 - 1; /* the nanosecond before */
    check(&how, RECORD_RFC3164, "<14>Jan  5 00:00:00 x", 21, "2027-01-05 00:00:00,000 192.0.2.1:514     INFO\tx");
    check(&how, RECORD_RFC3164, "<14>Jan  9 00:00:00 x", 21, "2026-01-09 00:00:00,000 192.0.2.1:514     INFO\tx");
    check(&how, RECORD_RFC3164, "<14>Jan  1 00:00:05 x", 21, "2027-01-01 00:00:05,000 192.0.2.1:514     INFO\tx");
    check(&how, RECORD_RFC3164, "<14>Feb 29 12:00:00 x", 21,
          "2026-12-31 23:59:59,999 192.0.2.1:514     INFO\tFeb 29 12:00:00 x");
    how.arrived = INT64_C(1835521200) * 1000000000; /* 2028-03-01 12:00 */
    check(&how, RECORD_RFC3164, "<14>Feb 29 12:00:00 x", 21, "2028-02-29 12:00:00,000 192.0.2.1:514     INFO\tx");
}

/* Summer time in the zone of these tests; a stamp that was read is not taken for another. */
static void stamps_are_local_time(void **state)
{
    (void)state;
    CHECK(RECORD_RFC3164, "<14>Jul  1 12:00:00 x", "2026-07-01 12:00:00,000 192.0.2.1:514     INFO\tx");
    CHECK(RECORD_RFC3164, "<14>Jul 1 12:00:00 x", "2026-07-01 12:00:00,000 192.0.2.1:514     INFO\tx");
    CHECK(RECORD_RFC3164, "<14>Jul 32 12:00:00 x", AT "192.0.2.1:514     INFO\tJul 32 12:00:00 x");
    CHECK(RECORD_RFC5424, "<14>1 2026-07-01T10:00:00Z - - - - - x",
          "2026-07-01 12:00:00,000 192.0.2.1:514     INFO\tx");
    CHECK(RECORD_RFC5424, "<14>1 1969-12-31T23:59:59.25Z - - - - - x",
          "1970-01-01 00:59:59,250 192.0.2.1:514     INFO\tx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_5424_are_read),
        cmocka_unit_test(logger_is_read),
        cmocka_unit_test(a_priority_is_a_level),
        cmocka_unit_test(a_broken_header_is_part_of_the_message),
        cmocka_unit_test(structured_data_is_an_object),
        cmocka_unit_test(an_element_has_an_end),
        cmocka_unit_test(the_examples_of_rfc_3164_are_read),
        cmocka_unit_test(headers_may_have_any_part_missing),
        cmocka_unit_test(the_parts_of_a_header_are_in_json),
        cmocka_unit_test(the_year_is_the_last_that_it_can_be),
        cmocka_unit_test(stamps_are_local_time),
    };
    return RUN_RECORDS(tests);
}
