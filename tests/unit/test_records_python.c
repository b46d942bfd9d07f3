/* The log's records: pickles made by hand; what Python's handlers send is check_records.py's. */
#include "records.h"

#define TEXT(length, text) "X" length "\0\0\0" text
#define NAME               TEXT("\4", "name") TEXT("\1", "n")
#define MSG                TEXT("\3", "msg") TEXT("\1", "m")

/* Puts the length before a pickle. */
static void check_pickle(const struct situation *how, enum record_kind kind, const char *pickle, size_t size,
                         const char *expected)
{
    char bytes[512] = {0};
    enum record_kind taken;
    assert_in_range(size, 1, sizeof bytes - 4);
    bytes[2] = (char)(size >> 8);
    bytes[3] = (char)size;
    memcpy(bytes + 4, pickle, size);
    char *line = line_of(how, bytes, size + 4, &taken);
    assert_int_equal(taken, kind);
    if (expected)
        assert_non_null(strstr(line, expected));
    free(line);
}

#define CHECK_PICKLE(kind, pickle, expected) check_pickle(&json, kind, pickle, sizeof(pickle) - 1, expected)

static void values_are_what_they_are_in_json(void **state)
{
    (void)state;
    CHECK_PICKLE(RECORD_PYTHON, "}(" NAME MSG TEXT("\1", "a") "(K\1(K\2t]tu.",
                 "\"record\":{\"name\":\"n\",\"a\":[1,[2],[]]}}");
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG TEXT("\1", "a") "}" TEXT("\1", "b") "I01\nsu.",
                 "\"record\":{\"a\":{\"b\":true}}}");
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG "NNI00\nNK\1NG\x7f\xf0\0\0\0\0\0\0NL-12L\nI7\nu.",
                 "\"record\":{\"null\":null,\"false\":null,\"1\":null,\"inf\":null,\"-12\":7}}");
    CHECK_PICKLE(RECORD_PYTHON,
                 "}(" MSG TEXT("\1", "a") "](M\1\2J\xff\xff\xff\xff"
                                          "G@\t!\xfbTD-\x18"
                                          "eu.",
                 "\"a\":[513,-1,3.141592653589793]");
}

static void python_2_is_read(void **state)
{
    (void)state;
    CHECK_PICKLE(RECORD_PYTHON, "}q\1(U\4nameq\2U\1nU\3msgq\3T\1\0\0\0mU\tlevelnameU\4INFOU\1ah\2u.",
                 "\"name\":\"n@192.0.2.1\",\"level\":\"INFO\",\"message\":\"m\",\"record\":{\"name\":\"n\","
                 "\"levelname\":\"INFO\","
                 "\"a\":\"name\"}}");
}

static void levels_without_a_name_have_python_s(void **state)
{
    (void)state;
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG TEXT("\7", "levelno") "K\x1eu.", "\"level\":\"WARNING\"");
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG TEXT("\7", "levelno") "K\x1fu.", "\"level\":\"Level 31\"");
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG "u.", "\"name\":\"192.0.2.1:514\",\"message\":\"m\"");
}

/* The time of its arrival stands for one that cannot be. */
static void impossible_times_are_none(void **state)
{
    (void)state;
    static const char *const times[] = {"\x7f\xf8\0\0\0\0\0\0", "\x7f\xf0\0\0\0\0\0\0", "\xbf\xf0\0\0\0\0\0\0",
                                        "\x7f\xef\xff\xff\xff\xff\xff\xff"};
    for (int i = 0; i < 4; i++) {
        char pickle[] = "}(" MSG TEXT("\7", "created") "G--------u.";
        memcpy(pickle + sizeof pickle - sizeof "--------u.", times[i], 8);
        check_pickle(&json, RECORD_PYTHON, pickle, sizeof pickle - 1, "{\"time\":\"2026-11-21T07:15:00.123456+01:00\"");
    }
}

/* A list that is in itself. */
static void a_value_in_itself_ends(void **state)
{
    (void)state;
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG TEXT("\1", "a") "]q\0(h\0K\7eu.", "\"...\"");
}

/* What is not shown at the top is shown further in: else it could be gone over a million times for a line of nothing. */
static void a_record_in_itself_is_shown_with_all_it_has(void **state)
{
    (void)state;
    CHECK_PICKLE(RECORD_PYTHON, "}q\0(" MSG TEXT("\1", "a") "h\0u.", "\"record\":{\"a\":{\"msg\":\"m\",\"a\":{\"msg\"");
}

/* Thirty lists, each of which has the one before twice: as JSON that would be a gigabyte, and is kept as it came. */
static void a_value_that_doubles_is_kept_as_text(void **state)
{
    (void)state;
    static const char begin[] = "}(" MSG TEXT("\1", "a") "(]q\0", rest[] = "tu.";
    char bomb[512], *end = bomb;
    end = mempcpy(end, begin, sizeof begin - 1);
    for (int level = 1; level < 30; level++) {
        const char list[] = {']', 'q', (char)level, '(', 'h', (char)(level - 1), 'h', (char)(level - 1), 'e'};
        end = mempcpy(end, list, sizeof list);
    }
    end = mempcpy(end, rest, sizeof rest - 1);
    check_pickle(&json, RECORD_UNREADABLE, bomb, (size_t)(end - bomb), "\"kind\":\"unreadable\"");
    check_pickle(&usual, RECORD_PYTHON, bomb, (size_t)(end - bomb), "\tm");
}

static void what_is_more_than_plain_values_is_kept_as_text(void **state)
{
    (void)state;
    CHECK_PICKLE(RECORD_UNREADABLE, "}(" MSG TEXT("\1", "a") "cposix\nsystem\n(U\4truetRu.", "cposix\\nsystem");
    CHECK_PICKLE(RECORD_UNREADABLE, "}(" MSG TEXT("\1", "a") "c_codecs\nencode\nu.", NULL);
    CHECK_PICKLE(RECORD_UNREADABLE,
                 "}(" MSG TEXT("\1", "a") "c_codecs\nencode\n(" TEXT("\1", "x") TEXT("\4", "utf8") "tRu.", NULL);
    CHECK_PICKLE(RECORD_UNREADABLE, "}(" MSG TEXT("\1", "a") "c_codecs\nencode\n(tRu.", NULL);
    CHECK_PICKLE(RECORD_UNREADABLE, "}(" MSG TEXT("\1", "a") "c__builtin__\nbytes\n(K\1tRu.", NULL);
    CHECK_PICKLE(RECORD_UNREADABLE, "}(" MSG TEXT("\1", "a") "c__builtin__\nset\n(]tRu.", NULL);
    CHECK_PICKLE(RECORD_UNREADABLE, "}(" MSG "(K\1tNu.", NULL); /* a tuple for a key */
    CHECK_PICKLE(RECORD_UNREADABLE, "\x80\2}(" MSG "u.", NULL); /* protocol 2 */
    CHECK_PICKLE(RECORD_PYTHON,
                 "}(" MSG TEXT("\1", "a") "c_codecs\nencode\n(" TEXT("\2", "\xc3\xbf") TEXT("\6", "latin1") "tRu.",
                 "\"a\":\"\xc3\xbf\"");
    CHECK_PICKLE(RECORD_PYTHON, "}(" MSG TEXT("\1", "a") "c__builtin__\nbytes\n)Ru.", "\"a\":\"\"");
}

static void broken_pickles_are_kept_as_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } broken[] = {
#define BROKEN(bytes) {bytes, sizeof(bytes) - 1}
        BROKEN("}"),
        BROKEN("}."), /* no message */
        BROKEN("}(" NAME "u."),
        BROKEN("}(" TEXT("\3", "msg") "K\1u."), /* a number for a message */
        BROKEN("}(" MSG "u"),
        BROKEN("}(" MSG "u.."),
        BROKEN("}(" MSG "u.x"),
        BROKEN("}(" MSG "Nu."), /* a key without a value */
        BROKEN("}(" MSG "."),
        BROKEN("}" MSG "u."),
        BROKEN("}u."),
        BROKEN("}s."),
        BROKEN("}a."),
        BROKEN("}K\1a."),
        BROKEN("}K\1K\1s."),
        BROKEN("}t."),
        BROKEN("}(t."),
        BROKEN("}R."),
        BROKEN("}]R."),
        BROKEN("}h\0."),
        BROKEN("}(q\0."),
        BROKEN("}q\2."),
        BROKEN("}q\1h\0."),
        BROKEN("}r\xff\xff\xff\xff."),
        BROKEN("}j\xff\xff\xff\xff."),
        BROKEN("}X\xff\xff\xff\xff."),
        BROKEN("}X\0\0."),
        BROKEN("}K"),
        BROKEN("}M\0"),
        BROKEN("}J\0\0\0"),
        BROKEN("}G\0\0\0\0\0\0\0"),
        BROKEN("}I1"),
        BROKEN("}(" MSG "NI\nu."),
        BROKEN("}(" MSG "NI-\nu."),
        BROKEN("}(" MSG "NI007\nu."),
        BROKEN("}(" MSG "NI1x\nu."),
        BROKEN("}(" MSG "NL12\nu."),
        BROKEN("}(" MSG "NLL\nu."),
        BROKEN("}(" MSG "NL-0L\nu."),
        BROKEN("}c_codecs\n"),
        BROKEN("}c_codecs\nencode"),
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        check_pickle(&json, RECORD_UNREADABLE, broken[i].bytes, broken[i].length, "\"kind\":\"unreadable\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_what_they_are_in_json),
        cmocka_unit_test(python_2_is_read),
        cmocka_unit_test(levels_without_a_name_have_python_s),
        cmocka_unit_test(impossible_times_are_none),
        cmocka_unit_test(a_value_in_itself_ends),
        cmocka_unit_test(a_record_in_itself_is_shown_with_all_it_has),
        cmocka_unit_test(a_value_that_doubles_is_kept_as_text),
        cmocka_unit_test(what_is_more_than_plain_values_is_kept_as_text),
        cmocka_unit_test(broken_pickles_are_kept_as_text),
    };
    return RUN_RECORDS(tests);
}
