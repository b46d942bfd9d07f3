/* Ranges of a file, and what a request makes its answer depend on. */
#include "httped.h"

#include "services/stream/range.h"

/* "first+length ..." of what is found in something of `size` bytes; "-": the whole, "!": nothing of it. */
static void check_ranges(const char *value, uint64_t size, const char *expected)
{
    struct range ranges[RANGES_MOST];
    size_t count;
    char text[400] = "";
    enum ranges_found found = range_parse(value, size, ranges, &count);
    for (size_t i = 0; i < count && found == RANGES_SOME; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%llu+%llu", i ? " " : "",
                 (unsigned long long)ranges[i].first, (unsigned long long)ranges[i].length);
    if (found != RANGES_SOME)
        strcpy(text, found == RANGES_NONE ? "-" : "!");
    if (strcmp(text, expected) != 0)
        fail_msg("'%s' of %llu: '%s' and not '%s'", value, (unsigned long long)size, text, expected);
}

static void ranges_are_found(void **state)
{
    (void)state;
    check_ranges("bytes=0-0", 100, "0+1");
    check_ranges("bytes=0-99", 100, "0+100");
    check_ranges("bytes=0-100", 100, "0+100");
    check_ranges("Bytes=50-", 100, "50+50");
    check_ranges("bytes=-5", 100, "95+5");
    check_ranges("bytes=-500", 100, "0+100");
    check_ranges("bytes=99-99999999999999999999999999", 100, "99+1");
    check_ranges("bytes=0-9,20-29", 100, "0+10 20+10");
    check_ranges("bytes= 0-9 , , 20-29 ,", 100, "0+10 20+10");
    check_ranges("bytes=20-29,0-9", 100, "20+10 0+10");
    check_ranges("bytes=0-9,100-,-1", 100, "0+10 99+1");
}

static void ranges_beyond_the_end(void **state)
{
    (void)state;
    check_ranges("bytes=100-", 100, "!");
    check_ranges("bytes=100-200,300-", 100, "!");
    check_ranges("bytes=99999999999999999999999-", 100, "!");
    check_ranges("bytes=-0", 100, "!");
    check_ranges("bytes=0-", 0, "!");
    check_ranges("bytes=-5", 0, "!");
}

static void what_is_no_range_is_passed_over(void **state)
{
    static const char *const texts[] = {
        "",           "bytes",      "bytes=",      "bytes=,",   "bytes=-",   "bytes=a-b",  "bytes=9-0",      "bytes=0",
        "bytes=0-9x", "bytes=0--9", "bytes=0-9;5", "lines=0-9", "bytes =0-", "bytes=+0-9", "bytes=0-9 20-29"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_ranges(texts[i], 100, "-");
}

/* They would have the file sent several times over. */
static void many_ranges_are_none(void **state)
{
    (void)state;
    char text[200] = "bytes=0-0";
    for (int i = 1; i < RANGES_MOST; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), ",%d-%d", 2 * i, 2 * i);
    struct range ranges[RANGES_MOST];
    size_t count;
    assert_int_equal(range_parse(text, 100, ranges, &count), RANGES_SOME);
    assert_int_equal(count, RANGES_MOST);
    strcat(text, ",99-99");
    check_ranges(text, 100, "-");
    check_ranges("bytes=0-,0-", 100, "-");
    check_ranges("bytes=0-59,40-99", 100, "-");
}

/* --- conditions --- */

static const struct validators known = {.tag = "\"a,b\"", .modified = 784111777, .now = 784200000};

#define AT     "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"

static struct http_head head_of(struct http_field *fields, size_t count)
{
    return (struct http_head){.fields = fields, .count = count};
}

static void check_condition(const char *name, const char *value, int expected)
{
    struct http_field field = {name, value};
    struct http_head head = head_of(&field, 1);
    int status = conditions_check(&head, &known);
    if (status != expected)
        fail_msg("%s: %s: %d and not %d", name, value, status, expected);
}

static void conditions_are_checked(void **state)
{
    (void)state;
    check_condition("X", "y", 0);
    check_condition("If-None-Match", "\"a,b\"", 304);
    check_condition("If-None-Match", "W/\"a,b\"", 304);
    check_condition("If-None-Match", "\"x\", \"a,b\"", 304);
    check_condition("If-None-Match", "*", 304);
    check_condition("If-None-Match", "\"x\"", 0);
    check_condition("If-None-Match", "a,b", 0);
    check_condition("If-None-Match", "\"a,b", 0);
    check_condition("If-Match", "\"a,b\"", 0);
    check_condition("If-Match", "*", 0);
    check_condition("If-Match", "W/\"a,b\"", 412);
    check_condition("If-Match", "\"x\"", 412);
    check_condition("If-Modified-Since", AT, 304);
    check_condition("If-Modified-Since", BEFORE, 0);
    check_condition("If-Modified-Since", "yesterday", 0);
    check_condition("If-Unmodified-Since", AT, 0);
    check_condition("If-Unmodified-Since", BEFORE, 412);
    check_condition("If-Unmodified-Since", "yesterday", 0);
}

/* RFC 9110, 13.2.2: tags before dates, what must hold before what need not be sent. */
static void conditions_have_an_order(void **state)
{
    (void)state;
    struct http_field both[] = {{"If-Modified-Since", AT}, {"If-None-Match", "\"x\""}};
    struct http_head head = head_of(both, 2);
    assert_int_equal(conditions_check(&head, &known), 0);
    struct http_field matches[] = {{"If-Unmodified-Since", BEFORE}, {"If-Match", "\"a,b\""}};
    head = head_of(matches, 2);
    assert_int_equal(conditions_check(&head, &known), 0);
    struct http_field failed[] = {{"If-None-Match", "\"a,b\""}, {"If-Match", "\"x\""}};
    head = head_of(failed, 2);
    assert_int_equal(conditions_check(&head, &known), 412);
    struct http_field lines[] = {{"If-None-Match", "\"x\""}, {"If-None-Match", "\"a,b\""}};
    head = head_of(lines, 2);
    assert_int_equal(conditions_check(&head, &known), 304);
}

static void check_range_condition(const char *value, struct validators validators, bool expected)
{
    struct http_field field = {"If-Range", value};
    struct http_head head = head_of(&field, 1);
    assert_true(conditions_allow_range(&head, &validators) == expected);
}

static void ranges_are_of_what_the_file_is_now(void **state)
{
    (void)state;
    struct http_head none = head_of(NULL, 0);
    struct validators young = known;
    young.now = young.modified;
    assert_true(conditions_allow_range(&none, &known));
    check_range_condition("\"a,b\"", known, true);
    check_range_condition("W/\"a,b\"", known, false);
    check_range_condition("\"x\"", known, false);
    check_range_condition(AT, known, true);
    check_range_condition(AT, young, false);
    check_range_condition(BEFORE, known, false);
    check_range_condition("", known, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_found),
        cmocka_unit_test(ranges_beyond_the_end),
        cmocka_unit_test(what_is_no_range_is_passed_over),
        cmocka_unit_test(many_ranges_are_none),
        cmocka_unit_test(conditions_are_checked),
        cmocka_unit_test(conditions_have_an_order),
        cmocka_unit_test(ranges_are_of_what_the_file_is_now),
    };
    return cmocka_run_group_tests_name("stream_range", tests, NULL, NULL);
}
