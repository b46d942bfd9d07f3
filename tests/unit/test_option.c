/* The option parser: every way to write an option, and every way to write it wrong. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/option.h>

typedef enum colour { RED, GREEN, BLUE } colour;

static struct settings {
    bool keep, verbose, nodelay;
    const char *prefix;
    const char *user;
    int64_t size, count, connections, line, timeout, idle;
    int workers;
    colour colour;
    weir_option_list via;
    weir_option_list header;
} settings;

static const char *const colours[] = {"red", "green", "blue", NULL};

#define AT(member) offsetof(struct settings, member)
static const weir_option table[] = {
    {WEIR_OPTION_FLAG, "keep", 'k', .offset = AT(keep), .help = "go on after the first"},
    {WEIR_OPTION_FLAG, "verbose", 'v', .offset = AT(verbose), .help = "say more", .preset = "no"},
    {WEIR_OPTION_FLAG, "nodelay", 0, .offset = AT(nodelay), .help = "send at once", .preset = "yes"},
    {WEIR_OPTION_TEXT, "prefix", 'p', .offset = AT(prefix), .help = "put before each answer", .preset = ""},
    {WEIR_OPTION_TEXT, "user", 'u', "NAME", AT(user), "who"},
    {WEIR_OPTION_SIZE, "size", 's', .offset = AT(size), .help = "of a message", .preset = "64"},
    {WEIR_OPTION_INTEGER, "count", 'c', .offset = AT(count), .help = "how many", .minimum = -5, .maximum = 100},
    {WEIR_OPTION_LIMIT, "max-connections", 0, .offset = AT(connections), .help = "at once", .preset = "100"},
    {WEIR_OPTION_SIZE_LIMIT, "max-line", 0, .offset = AT(line), .help = "of a client", .preset = "64k"},
    {WEIR_OPTION_TIME, "timeout", 't', .offset = AT(timeout), .help = "for an answer", .preset = "5s"},
    {WEIR_OPTION_TIME, "idle-timeout", 0, .offset = AT(idle), .help = "without a byte", .preset = "never"},
    {WEIR_OPTION_INT, "workers", 'w', .offset = AT(workers), .help = "threads", .preset = "1"},
    {WEIR_OPTION_CHOICE, "colour", 0, .offset = AT(colour), .help = "of it", .preset = "green", .choices = colours},
    {WEIR_OPTION_LIST, "via", 0, "URL", AT(via), "what to go through"},
    {WEIR_OPTION_LIST, "header", 'H', .offset = AT(header), .help = "to send", .preset = "Host: here"},
    {WEIR_OPTION_END},
};

/* A second table, as a service's options beside its server's: two of its rows are hidden by the first. */
static struct more {
    const char *prefix;
    int64_t backlog;
    bool very, no_wait, verify;
} more;

static const weir_option more_table[] = {
    {WEIR_OPTION_TEXT, "prefix", 0, .offset = offsetof(struct more, prefix), .help = "hidden"},
    {WEIR_OPTION_INTEGER, "backlog", 'c', .offset = offsetof(struct more, backlog), .help = "waiting to be accepted"},
    {WEIR_OPTION_FLAG, "very", 0, .offset = offsetof(struct more, very), .help = "even more"},
    {WEIR_OPTION_FLAG, "no-wait", 0, .offset = offsetof(struct more, no_wait), .help = "go on"},
    {WEIR_OPTION_FLAG, "verify", 0, .offset = offsetof(struct more, verify), .help = "look again"},
    {WEIR_OPTION_END},
};

static const weir_option_set sets[] = {{table, &settings}, {more_table, &more}};
static weir_arguments arguments;

enum { MOST_WORDS = 16 };

/* Parses words that end with NULL. */
static int parse(const char *word, ...)
{
    static char words[1024];
    static char *argv[MOST_WORDS];
    int argc = 0;
    char *next = words;
    va_list list;
    va_start(list, word);
    for (; word && argc < MOST_WORDS; word = va_arg(list, const char *)) {
        argv[argc++] = next;
        next = stpcpy(next, word) + 1;
    }
    va_end(list);
    errno = 0;
    return weir_options_parse(sets, 2, argc, argv, &arguments);
}
#define PARSE(...) parse(__VA_ARGS__, NULL)

static int begin(void **state)
{
    (void)state;
    memset(&settings, 0xee, sizeof settings);
    memset(&more, 0, sizeof more);
    memset(&arguments, 0xee, sizeof arguments);
    return 0;
}

static void end(void)
{
    weir_options_free(sets, 2, &arguments);
    assert_null(arguments.items);
    assert_null(settings.via.items);
    assert_int_equal(settings.via.count, 0);
    weir_options_free(sets, 2, &arguments);
    begin(NULL);
}

static void good(int result)
{
    if (result < 0)
        fail_msg("%s", weir_error()->sentence);
}

static void presets_are_filled(void **state)
{
    (void)state;
    settings.user = "before";
    settings.count = 17;
    good(parse(NULL));
    assert_false(settings.verbose);
    assert_true(settings.nodelay);
    assert_string_equal(settings.prefix, "");
    assert_string_equal(settings.user, "before");
    assert_int_equal(settings.size, 64);
    assert_int_equal(settings.count, 17);
    assert_int_equal(settings.connections, 100);
    assert_int_equal(settings.line, 65536);
    assert_int_equal(settings.timeout, INT64_C(5000000000));
    assert_int_equal(settings.idle, INT64_MAX);
    assert_int_equal(settings.workers, 1);
    assert_int_equal(settings.colour, GREEN);
    assert_int_equal(settings.via.count, 0);
    assert_int_equal(settings.header.count, 1);
    assert_string_equal(settings.header.items[0], "Host: here");
    assert_int_equal(arguments.count, 0);
    assert_int_equal(arguments.dashes, 0);
    assert_non_null(arguments.items);
    assert_null(arguments.items[0]);
    end();
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    good(PARSE("one", "--keep", "two", "--prefix", "echo -> ", "-", "--size=1M", "three"));
    assert_true(settings.keep);
    assert_string_equal(settings.prefix, "echo -> ");
    assert_int_equal(settings.size, 1048576);
    assert_int_equal(arguments.count, 4);
    assert_string_equal(arguments.items[0], "one");
    assert_string_equal(arguments.items[1], "two");
    assert_string_equal(arguments.items[2], "-");
    assert_string_equal(arguments.items[3], "three");
    assert_null(arguments.items[4]);
    assert_int_equal(arguments.dashes, 4);
    end();
}

static void what_follows_two_dashes_is_no_option(void **state)
{
    (void)state;
    settings.keep = false;
    good(PARSE("one", "--", "--keep", "-v", "--", ""));
    assert_false(settings.keep);
    assert_false(settings.verbose);
    assert_int_equal(arguments.dashes, 1);
    assert_int_equal(arguments.count, 5);
    assert_string_equal(arguments.items[1], "--keep");
    assert_string_equal(arguments.items[3], "--");
    assert_string_equal(arguments.items[4], "");
    end();
    good(PARSE("--", "x"));
    assert_int_equal(arguments.dashes, 0);
    end();
    good(PARSE("x", "--"));
    assert_int_equal(arguments.dashes, 1);
    assert_int_equal(arguments.count, 1);
    end();
}

/* An option that takes a value takes whatever comes next. */
static void values_may_look_like_options(void **state)
{
    (void)state;
    good(PARSE("--prefix", "--keep", "-u", "--", "--count", "-3"));
    assert_string_equal(settings.prefix, "--keep");
    assert_string_equal(settings.user, "--");
    assert_int_equal(settings.count, -3);
    assert_int_equal(arguments.count, 0);
    end();
    good(PARSE("--prefix=", "--user=a=b", "-c-4"));
    assert_string_equal(settings.prefix, "");
    assert_string_equal(settings.user, "a=b");
    assert_int_equal(settings.count, -4);
    end();
    good(PARSE("-p=x"));
    assert_string_equal(settings.prefix, "=x");
    end();
    good(PARSE("--prefix", ""));
    assert_string_equal(settings.prefix, "");
    end();
}

static void letters_are_joined(void **state)
{
    (void)state;
    good(PARSE("-kv", "-s", "2k", "-p80", "-vkt3m"));
    assert_true(settings.keep);
    assert_true(settings.verbose);
    assert_int_equal(settings.size, 2048);
    assert_string_equal(settings.prefix, "80");
    assert_int_equal(settings.timeout, INT64_C(180000000000));
    end();
    good(PARSE("-kw", "7", "x"));
    assert_int_equal(settings.workers, 7);
    assert_int_equal(arguments.count, 1);
    end();
}

static void flags_are_switched_off_again(void **state)
{
    (void)state;
    good(PARSE("--keep", "--no-nodelay", "-v", "--no-verbose", "--very"));
    assert_true(settings.keep);
    assert_false(settings.nodelay);
    assert_false(settings.verbose);
    assert_true(more.very);
    end();
    good(PARSE("--no-keep", "--keep", "--no-no-wait"));
    assert_true(settings.keep);
    assert_false(more.no_wait);
    end();
    good(PARSE("--no-wait"));
    assert_true(more.no_wait);
    end();
}

static void names_may_be_cut(void **state)
{
    (void)state;
    good(PARSE("--pre=a", "--time", "1", "--no-k", "--max-c=5", "--no-verb", "--no-w"));
    assert_string_equal(settings.prefix, "a");
    assert_int_equal(settings.timeout, 1000000000);
    assert_false(settings.keep);
    assert_int_equal(settings.connections, 5);
    assert_true(more.no_wait);
    end();
}

static void the_last_holds_and_the_first_set_is_meant(void **state)
{
    (void)state;
    good(PARSE("--prefix", "a", "--prefix=b", "-c", "3", "--backlog=9", "--colour=red", "--colour", "blue"));
    assert_string_equal(settings.prefix, "b");
    assert_null(more.prefix);
    assert_int_equal(settings.count, 3);
    assert_int_equal(more.backlog, 9);
    assert_int_equal(settings.colour, BLUE);
    end();
}

static void limits_are_switched_off(void **state)
{
    (void)state;
    static const char *const words[] = {"0", "never"};
    for (int i = 0; i < 2; i++) {
        good(PARSE("--max-connections", words[i], "--max-line", words[i], "--timeout", words[i]));
        assert_int_equal(settings.connections, -1);
        assert_int_equal(settings.line, -1);
        assert_int_equal(settings.timeout, INT64_MAX);
        end();
    }
    good(PARSE("--size=0", "--max-line=1", "--timeout=0ms", "--idle-timeout=1ns"));
    assert_int_equal(settings.size, 0);
    assert_int_equal(settings.line, 1);
    assert_int_equal(settings.timeout, INT64_MAX);
    assert_int_equal(settings.idle, 1);
    end();
}

static void lists_grow_in_order(void **state)
{
    (void)state;
    good(PARSE("--via", "a", "--via=b", "-Hc", "--via=", "-H", "d", "--via=e", "--via=f"));
    assert_int_equal(settings.via.count, 5);
    const char *const expected[] = {"a", "b", "", "e", "f"};
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(settings.via.items[i], expected[i]);
    assert_null(settings.via.items[5]);
    assert_int_equal(settings.header.count, 2);
    assert_string_equal(settings.header.items[0], "c");
    assert_string_equal(settings.header.items[1], "d");
    assert_null(settings.header.items[2]);
    end();
}

static void bad(int result, const char *sentence)
{
    assert_int_equal(result, -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
    assert_string_equal(weir_error()->sentence, sentence);
    end();
}

static void unknown_options_are_told_and_guessed(void **state)
{
    (void)state;
    bad(PARSE("--foo"), "unknown option --foo");
    bad(PARSE("-\xc3\xa9"), "unknown option -\xc3\xa9");
    bad(PARSE("-k\xc3\xa9=1"), "unknown option -\xc3\xa9 in -k\xc3\xa9=1");
    bad(PARSE("--prefiks=x"), "unknown option --prefiks, did you mean --prefix?");
    bad(PARSE("--perfix", "x"), "unknown option --perfix, did you mean --prefix?");
    bad(PARSE("--tmeout=3"), "unknown option --tmeout, did you mean --timeout?");
    bad(PARSE("--coutn", "3"), "unknown option --coutn, did you mean --count?");
    bad(PARSE("--max-conections=3"), "unknown option --max-conections, did you mean --max-connections?");
    bad(PARSE("--no-nodealy"), "unknown option --no-nodealy, did you mean --no-nodelay?");
    bad(PARSE("--no-prefix"), "unknown option --no-prefix, did you mean --prefix?");
    bad(PARSE("--no-user"), "unknown option --no-user");
    bad(PARSE("--no-timeout"), "unknown option --no-timeout, did you mean --timeout?");
    bad(PARSE("--x"), "unknown option --x");
    bad(PARSE("--keepkeepkeepkeepkeep"), "unknown option --keepkeepkeepkeepkeep");
    bad(PARSE("---keep"), "unknown option ---keep, did you mean --keep?");
    bad(PARSE("--=x"), "unknown option --");
    bad(PARSE("--KEEP"), "unknown option --KEEP");
}

static void unknown_letters_are_told(void **state)
{
    (void)state;
    bad(PARSE("-x"), "unknown option -x");
    bad(PARSE("-kx"), "unknown option -x in -kx");
    bad(PARSE("-idle-timeout=3"), "unknown option -i in -idle-timeout=3, did you mean --idle-timeout?");
    bad(PARSE("-3"), "unknown option -3");
    bad(PARSE("-k-"), "unknown option -- in -k-");
}

static void ambiguous_names_are_told(void **state)
{
    (void)state;
    bad(PARSE("--max"), "--max: ambiguous, could be --max-connections, --max-line");
    bad(PARSE("--max=3"), "--max: ambiguous, could be --max-connections, --max-line");
    bad(PARSE("--ver"), "--ver: ambiguous, could be --verbose, --very, --verify");
    bad(PARSE("--no-ver"), "--no-ver: ambiguous, could be --no-verbose, --no-very, --no-verify");
    bad(PARSE("--no"), "--no: ambiguous, could be --nodelay, --no-wait");
}

static void values_are_missing_or_too_many(void **state)
{
    (void)state;
    bad(PARSE("--timeout"), "--timeout: TIME is missing");
    bad(PARSE("--user"), "--user: NAME is missing");
    bad(PARSE("-ku"), "-u: NAME is missing");
    bad(PARSE("--via"), "--via: URL is missing");
    bad(PARSE("--colour"), "--colour: WORD is missing");
    bad(PARSE("--keep=yes"), "--keep: takes no value");
    bad(PARSE("--no-keep="), "--keep: takes no value");
}

static void bad_values_are_told(void **state)
{
    (void)state;
    bad(PARSE("--timeout", "3x"), "--timeout 3x: not a duration, such as 500ms, 3s, 2m or never");
    bad(PARSE("--time=3x"), "--timeout 3x: not a duration, such as 500ms, 3s, 2m or never");
    bad(PARSE("-t3x"), "-t 3x: not a duration, such as 500ms, 3s, 2m or never");
    bad(PARSE("--timeout="), "--timeout '': not a duration, such as 500ms, 3s, 2m or never");
    bad(PARSE("--timeout=99999999999"), "--timeout 99999999999: too long, say never");
    bad(PARSE("--size=-1"), "--size -1: not a size, such as 512, 64k or 1M");
    bad(PARSE("--size=never"), "--size never: not a size, such as 512, 64k or 1M");
    bad(PARSE("--size=9223372036854775808"), "--size 9223372036854775808: too large");
    bad(PARSE("--size=16777216T"), "--size 16777216T: too large");
    bad(PARSE("--max-line=x"), "--max-line x: not a size, such as 512, 64k or 1M");
    bad(PARSE("--count=101"), "--count 101: above 100");
    bad(PARSE("--count=-6"), "--count -6: below -5");
    bad(PARSE("--count=99999999999999999999"), "--count 99999999999999999999: above 100");
    bad(PARSE("--count=-99999999999999999999"), "--count -99999999999999999999: below -5");
    bad(PARSE("--count="), "--count '': not a whole number");
    bad(PARSE("--count=1.5"), "--count 1.5: not a whole number");
    bad(PARSE("--count=+1"), "--count +1: not a whole number");
    bad(PARSE("--count=-"), "--count -: not a whole number");
    bad(PARSE("--count= 1"), "--count  1: not a whole number");
    bad(PARSE("--workers=2147483648"), "--workers 2147483648: above 2147483647");
    bad(PARSE("--workers=-1"), "--workers -1: below 0");
    bad(PARSE("--max-connections=-1"), "--max-connections -1: below 0");
    bad(PARSE("--max-connections=9223372036854775808"),
        "--max-connections 9223372036854775808: above 9223372036854775807");
    bad(PARSE("--colour=gren"), "--colour gren: not one of red, green, blue");
    bad(PARSE("--colour="), "--colour '': not one of red, green, blue");
}

static void the_largest_numbers_are_read(void **state)
{
    (void)state;
    good(PARSE("--max-connections=9223372036854775807", "--workers=2147483647", "--size=9223372036854775807",
               "--backlog=9223372036854775807", "--count=-5"));
    assert_int_equal(settings.connections, INT64_MAX);
    assert_int_equal(settings.workers, INT_MAX);
    assert_int_equal(settings.size, INT64_MAX);
    assert_int_equal(more.backlog, INT64_MAX);
    assert_int_equal(settings.count, -5);
    end();
}

static void what_came_before_an_error_is_kept(void **state)
{
    (void)state;
    assert_int_equal(PARSE("one", "--via=a", "two", "--nothing", "three", "--", "four"), -1);
    assert_int_equal(arguments.count, 2);
    assert_string_equal(arguments.items[1], "two");
    assert_int_equal(arguments.dashes, 2);
    assert_int_equal(settings.via.count, 1);
    end();
}

static void a_wrong_preset_is_told(void **state)
{
    (void)state;
    static const weir_option wrong[] = {
        {WEIR_OPTION_LIST, "via", .offset = AT(via), .help = "x"},
        {WEIR_OPTION_TIME, "timeout", .offset = AT(timeout), .help = "x", .preset = "soon"},
        {WEIR_OPTION_FLAG, "keep", .offset = AT(keep), .help = "x", .preset = "perhaps"},
        {WEIR_OPTION_END},
    };
    weir_option_set set = {wrong, &settings};
    assert_int_equal(weir_options_parse(&set, 1, 0, NULL, &arguments), -1);
    assert_string_equal(weir_error()->subject, "--timeout soon");
    weir_options_free(&set, 1, &arguments);
    set.options = wrong + 2;
    assert_int_equal(weir_options_parse(&set, 1, 0, NULL, &arguments), -1);
    assert_string_equal(weir_error()->sentence, "--keep perhaps: neither yes nor no");
    weir_options_free(&set, 1, &arguments);
}

static void long_values_do_no_harm(void **state)
{
    (void)state;
    static char word[3000] = "--timeout=";
    memset(word + 10, '9', sizeof word - 11);
    char *argv[] = {word};
    assert_int_equal(weir_options_parse(sets, 2, 1, argv, &arguments), -1);
    assert_string_equal(weir_error()->reason, "too long, say never");
    end();
    memset(word, '-', 2);
    memset(word + 2, 'n', sizeof word - 3);
    assert_int_equal(weir_options_parse(sets, 2, 1, argv, &arguments), -1);
    assert_true(strlen(weir_error()->reason) < 120);
    end();
    memset(word, 'k', sizeof word - 1);
    word[0] = '-';
    word[2998] = '?';
    assert_int_equal(weir_options_parse(sets, 2, 1, argv, &arguments), -1);
    assert_memory_equal(weir_error()->reason, "unknown option -? in -kkk", 25);
    end();
}

static void no_sets_are_no_options(void **state)
{
    (void)state;
    char word[] = "--x";
    char *argv[] = {word};
    assert_int_equal(weir_options_parse(NULL, 0, 1, argv, &arguments), -1);
    assert_string_equal(weir_error()->sentence, "unknown option --x");
    weir_options_free(NULL, 0, &arguments);
    assert_int_equal(weir_options_parse(NULL, 0, 0, argv, &arguments), 0);
    assert_int_equal(arguments.count, 0);
    weir_options_free(NULL, 0, &arguments);
}

static void check_help(const weir_option *options, int columns, const char *expected)
{
    char *help = weir_options_help(options, columns);
    assert_non_null(help);
    assert_string_equal(help, expected);
    free(help);
}

static void help_is_aligned(void **state)
{
    (void)state;
    check_help(table, 100,
               "  -k, --keep               go on after the first\n"
               "  -v, --verbose            say more\n"
               "      --[no-]nodelay       send at once (default on)\n"
               "  -p, --prefix TEXT        put before each answer\n"
               "  -u, --user NAME          who\n"
               "  -s, --size SIZE          of a message (default 64)\n"
               "  -c, --count N            how many\n"
               "      --max-connections N  at once (default 100)\n"
               "      --max-line SIZE      of a client (default 64k)\n"
               "  -t, --timeout TIME       for an answer (default 5s)\n"
               "      --idle-timeout TIME  without a byte (default never)\n"
               "  -w, --workers N          threads (default 1)\n"
               "      --colour WORD        of it (red, green or blue; default green)\n"
               "      --via URL            what to go through (repeatable)\n"
               "  -H, --header TEXT        to send (repeatable; default Host: here)\n");
    check_help(table + 15, 80, "");
}

static const weir_option long_table[] = {
    {WEIR_OPTION_TEXT, "letters", 'l', .help = "a sentence that does not fit into one line of forty columns"},
    {WEIR_OPTION_FLAG, "a-name-that-leaves-no-room-beside-it", 0, .help = "so it stands below"},
    {WEIR_OPTION_TEXT, "gr\xc3\xbc\xc3\x9f", 0, .help = "averyveryveryverylongwordthatisnotbroken x"},
    {WEIR_OPTION_END},
};

static void help_is_wrapped(void **state)
{
    (void)state;
    const char *narrow = "  -l, --letters TEXT  a sentence that\n"
                         "                      does not fit into\n"
                         "                      one line of forty\n"
                         "                      columns\n"
                         "      --a-name-that-leaves-no-room-beside-it\n"
                         "                      so it stands below\n"
                         "      --gr\xc3\xbc\xc3\x9f TEXT     averyveryveryverylongwordthatisnotbroken\n"
                         "                      x\n";
    check_help(long_table, 40, narrow);
    check_help(long_table, 10, narrow);
    check_help(long_table, 0,
               "  -l, --letters TEXT  a sentence that does not fit into one line of forty\n"
               "                      columns\n"
               "      --a-name-that-leaves-no-room-beside-it\n"
               "                      so it stands below\n"
               "      --gr\xc3\xbc\xc3\x9f TEXT     averyveryveryverylongwordthatisnotbroken x\n");
}

int main(void)
{
#define OPTION_TEST(test) cmocka_unit_test_setup(test, begin)
    const struct CMUnitTest tests[] = {
        OPTION_TEST(presets_are_filled),
        OPTION_TEST(options_stand_anywhere),
        OPTION_TEST(what_follows_two_dashes_is_no_option),
        OPTION_TEST(values_may_look_like_options),
        OPTION_TEST(letters_are_joined),
        OPTION_TEST(flags_are_switched_off_again),
        OPTION_TEST(names_may_be_cut),
        OPTION_TEST(the_last_holds_and_the_first_set_is_meant),
        OPTION_TEST(limits_are_switched_off),
        OPTION_TEST(lists_grow_in_order),
        OPTION_TEST(unknown_options_are_told_and_guessed),
        OPTION_TEST(unknown_letters_are_told),
        OPTION_TEST(ambiguous_names_are_told),
        OPTION_TEST(values_are_missing_or_too_many),
        OPTION_TEST(bad_values_are_told),
        OPTION_TEST(the_largest_numbers_are_read),
        OPTION_TEST(what_came_before_an_error_is_kept),
        OPTION_TEST(a_wrong_preset_is_told),
        OPTION_TEST(long_values_do_no_harm),
        OPTION_TEST(no_sets_are_no_options),
        OPTION_TEST(help_is_aligned),
        OPTION_TEST(help_is_wrapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
