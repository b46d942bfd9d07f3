/* threat's feed: which alerts the XML has, the level that they make at a time, and what is refused. */
#include "engine.h"

#include "services/threat/feed.h"

#define NOW         INT64_C(1700000000) /* 2023/11/14 22:13:20 GMT */
#define BEFORE      "2023/11/14 22:13"
#define AFTER       "2023/11/14 22:14"

#define ALERT(rest) "<alerts><alert " rest "/></alerts>"

static int read_feed(const char *xml, struct threat_alerts *alerts)
{
    *alerts = (struct threat_alerts){0};
    return threat_feed_read(xml, strlen(xml), alerts);
}

static void check_level(const char *xml, const char *expected)
{
    struct threat_alerts alerts;
    if (read_feed(xml, &alerts) < 0)
        fail_msg("%s: %s", xml, weir_error()->sentence);
    assert_string_equal(threat_level_name(threat_alerts_level(&alerts, NOW)), expected);
    threat_alerts_free(&alerts);
}

static void check_refused(const char *xml, const char *reason)
{
    struct threat_alerts alerts;
    assert_int_equal(read_feed(xml, &alerts), -1);
    assert_int_equal(errno, EBADMSG);
    if (!strstr(weir_error()->reason, reason))
        fail_msg("%s: %s", xml, weir_error()->reason);
    threat_alerts_free(&alerts);
}

static void levels(void **state)
{
    (void)state;
    check_level("<alerts/>", "none");
    check_level("<?xml version='1.0' encoding='UTF-8'?>\n<!-- nothing -->\n<alerts>\n\t \n</alerts>\n", "none");
    check_level(ALERT("start='" BEFORE "' type='Bulletin'"), "bulletin");
    check_level(ALERT("start=' " BEFORE "\n' type='  NTAS bulletin '"), "bulletin");
    check_level(ALERT("start='" BEFORE "' type='Elevated Threat'"), "elevated");
    check_level(ALERT("start='" BEFORE "' type='ELEVATED'"), "elevated");
    check_level(ALERT("start=\"" BEFORE "\" type=\"Imminent Threat\""), "imminent");
    check_level("\xef\xbb\xbf<alerts/>", "none");
    check_level("<?xml version='1.0' encoding='ISO-8859-1'?><alerts><alert start='" BEFORE
                "' type='Bulletin'><summary>\xe4</summary></alert></alerts>",
                "bulletin");
}

static void types_that_are_not_known(void **state)
{
    (void)state;
    check_level(ALERT("start='" BEFORE "'"), "unknown");
    check_level(ALERT("start='" BEFORE "' type=''"), "unknown");
    check_level(ALERT("start='" BEFORE "' type='Elevatedness'"), "unknown");
    check_level(ALERT("start='" BEFORE "' type='Antibulletin'"), "unknown");
    check_level(ALERT("start='" BEFORE "' end='" BEFORE "' type='Purple Threat'"), "none");
}

static void times(void **state)
{
    (void)state;
    check_level(ALERT("start='" AFTER "' type='Bulletin'"), "none");
    check_level(ALERT("start='" BEFORE "' end='" AFTER "' type='Bulletin'"), "bulletin");
    check_level(ALERT("start='2011/01/01 00:00' end='" BEFORE "' type='Bulletin'"), "none");
    check_level(ALERT("start='" BEFORE "' end='' type='Bulletin'"), "bulletin");
    check_level(ALERT("start='1969/12/31 23:59' end='9999/12/31 23:59' type='Bulletin'"), "bulletin");
    check_level(ALERT("start='2020/02/29 00:00' type='Bulletin'"), "bulletin");
}

/* The first second counts, the last does not. */
static void edges(void **state)
{
    (void)state;
    struct threat_alerts alerts;
    assert_int_equal(read_feed(ALERT("start='2023/11/14 22:13' end='2023/11/14 22:14' type='Bulletin'"), &alerts), 0);
    int64_t start = NOW - 20, end = start + 60;
    assert_int_equal(threat_alerts_level(&alerts, start - 1), THREAT_NONE);
    assert_int_equal(threat_alerts_level(&alerts, start), THREAT_BULLETIN);
    assert_int_equal(threat_alerts_level(&alerts, end - 1), THREAT_BULLETIN);
    assert_int_equal(threat_alerts_level(&alerts, end), THREAT_NONE);
    threat_alerts_free(&alerts);
}

static void several(void **state)
{
    (void)state;
#define ONE(type) "<alert start='" BEFORE "' type='" type "'/>"
    check_level("<alerts>" ONE("Bulletin") ONE("Elevated Threat") ONE("Bulletin") "</alerts>", "elevated");
    check_level("<alerts>" ONE("Elevated Threat") ONE("Purple Threat") "</alerts>", "unknown");
    check_level("<alerts>" ONE("Imminent Threat") ONE("Purple Threat") "</alerts>", "imminent");
}

/* What is inside of an alert is for people, whatever its elements are called. */
static void insides(void **state)
{
    (void)state;
    check_level("<alerts><alert start='" BEFORE "' type='Bulletin' href='/x'><summary>a &lt; b &#x41;</summary>"
                "<details><![CDATA[<alert type='Imminent Threat'>]]></details><alert type='Imminent Threat'/>"
                "<alerts><html/></alerts></alert></alerts>",
                "bulletin");
}

static void what_is_no_list(void **state)
{
    (void)state;
    check_refused("", "Document is empty");
    check_refused("<alerts>", "Premature end");
    check_refused("<alerts></alert>", "mismatch");
    check_refused("<alerts/><alerts/>", "Extra content");
    check_refused("<html><alerts/></html>", "not a list of alerts, but <html>");
    check_refused("<THREAT_ADVISORY CONDITION='ELEVATED'/>", "not a list of alerts, but <THREAT_ADVISORY>");
    check_refused("<alerts><error/></alerts>", "among the alerts there is <error>");
    check_refused("<alerts>out of order</alerts>", "there is text");
    check_refused("<alerts><![CDATA[out of order]]></alerts>", "there is text");
    check_refused("<?xml version='1.0' encoding='UTF-42'?><alerts/>", "Unsupported encoding");
    check_refused("<alerts>\xff</alerts>", "line 1: ");
}

/* Which the parser takes for the end of all. */
static void what_is_behind_a_nul(void **state)
{
    static const char xml[] = "<alerts/>\0out of order";
    struct threat_alerts alerts = {0};
    (void)state;
    assert_int_equal(threat_feed_read(xml, sizeof xml - 1, &alerts), -1);
    assert_int_equal(errno, EBADMSG);
    assert_string_equal(weir_error()->reason, "something behind the end");
    threat_alerts_free(&alerts);
}

/* What stderr gets meanwhile. */
static void check_silent(const char *xml, const char *reason)
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    assert_true(file && before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    check_refused(xml, reason);
    dup2(before, STDERR_FILENO);
    close(before);
    fseek(file, 0, SEEK_END);
    assert_int_equal(ftell(file), 0);
    fclose(file);
}

/* libxml2 would tell of these by itself. */
static void nothing_is_said_on_stderr(void **state)
{
    (void)state;
    check_silent("<?xml version='1.0' encoding='EUC-JP'?><alerts>\xff\xff\xff\xff</alerts>", "Premature end");
    check_silent("<?xml version='1.0' encoding='ASCII'?><alerts>\xff\xff</alerts>", "Premature end");
    check_silent("<?xml version='1.0' encoding='UTF-42'?><alerts/>", "Unsupported encoding");
    check_silent("<alerts", "Couldn't find end of Start Tag");
}

static void doctypes_and_entities(void **state)
{
    (void)state;
    check_refused("<!DOCTYPE alerts><alerts/>", "DOCTYPE");
    check_refused("<!DOCTYPE alerts SYSTEM 'http://127.0.0.1:9/x.dtd'><alerts/>", "DOCTYPE");
    check_refused("<!DOCTYPE alerts [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><alerts>&b;</alerts>", "DOCTYPE");
    check_refused("<!DOCTYPE alerts [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><alerts>&a;</alerts>", "DOCTYPE");
    check_refused("<alerts><alert start='" BEFORE "' type='&a;'/></alerts>", "Entity 'a' not defined");
}

static void times_that_are_none(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2023/11/14",
        "2023-11-14 22:13",
        "2023/11/14T22:13",
        "2023/11/14 22:13:00",
        "2023/13/01 00:00",
        "2023/02/29 00:00",
        "2023/00/10 00:00",
        "2023/01/00 00:00",
        "2023/01/01 24:00",
        "2023/01/01 00:60",
        "23/11/14 22:13",
        "2023/11/14 22:13Z",
        "tomorrow",
        "+123/11/14 22:13",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char xml[200];
        snprintf(xml, sizeof xml, ALERT("start='%s' type='Bulletin'"), wrong[i]);
        check_refused(xml, "an alert without a start");
        snprintf(xml, sizeof xml, ALERT("start='" BEFORE "' end='%s' type='Bulletin'"), wrong[i]);
        if (*wrong[i])
            check_refused(xml, "an alert with an end that is not");
    }
    check_refused(ALERT("type='Bulletin'"), "an alert without a start");
}

static void many(void **state)
{
    (void)state;
    static const char one[] = "<alert start='" BEFORE "' type='Bulletin'/>";
    enum { COUNT = 1000 };
    char *xml = malloc(COUNT * sizeof one + 100), *at = stpcpy(xml, "<alerts>");
    for (int i = 0; i < COUNT; i++)
        at = stpcpy(at, one);
    strcpy(at, "</alerts>");
    struct threat_alerts alerts;
    assert_int_equal(read_feed(xml, &alerts), 0);
    assert_int_equal(alerts.count, COUNT);
    threat_alerts_free(&alerts);
    free(xml);
}

static void too_long(void **state)
{
    (void)state;
    size_t length = THREAT_FEED_MOST;
    char *xml = malloc(length + 2);
    memset(xml, ' ', length + 1);
    xml[length + 1] = '\0';
    memcpy(xml, "<alerts>", 8);
    memcpy(xml + length - 9, "</alerts>", 9);
    check_refused(xml, "more than 1048576 bytes");
    xml[length] = '\0';
    check_level(xml, "none");
    free(xml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(types_that_are_not_known),
        cmocka_unit_test(times),
        cmocka_unit_test(edges),
        cmocka_unit_test(several),
        cmocka_unit_test(insides),
        cmocka_unit_test(what_is_no_list),
        cmocka_unit_test(what_is_behind_a_nul),
        cmocka_unit_test(nothing_is_said_on_stderr),
        cmocka_unit_test(doctypes_and_entities),
        cmocka_unit_test(times_that_are_none),
        cmocka_unit_test(many),
        cmocka_unit_test(too_long),
    };
    if (threat_feed_prepare() < 0)
        abort();
    return cmocka_run_group_tests_name("threat_feed", tests, NULL, NULL);
}
