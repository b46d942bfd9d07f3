/* Logging: what lines look like, that none can be forged, and what happens where stderr takes none. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/log.h>

#include "base/system.h"

/* A system whose stderr is a buffer. */
static struct {
    char data[16384];
    size_t length;
    int writes;
    int fail_with; /* errno of each write */
    size_t most;   /* of a write; 0: all */
    bool full;     /* poll says that it would block */
    int64_t wall;
} fake;

static ssize_t fake_write(int fd, const void *data, size_t size)
{
    assert_int_equal(fd, STDERR_FILENO);
    fake.writes++;
    if (fake.fail_with) {
        errno = fake.fail_with;
        return -1;
    }
    size_t length = fake.most && fake.most < size ? fake.most : size;
    assert_true(fake.length + length < sizeof fake.data);
    memcpy(fake.data + fake.length, data, length);
    fake.length += length;
    fake.data[fake.length] = '\0';
    return (ssize_t)length;
}

static int fake_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout)
{
    assert_int_equal(count, 1);
    assert_int_equal(timeout, 0);
    assert_int_equal(descriptors->fd, STDERR_FILENO);
    descriptors->revents = fake.full ? 0 : POLLOUT;
    return !fake.full;
}

static int64_t fake_wall(void)
{
    return fake.wall;
}

static struct weir__system fake_system;

static int with_fake_system(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    fake_system = weir__kernel;
    fake_system.write = fake_write;
    fake_system.poll = fake_poll;
    fake_system.wall = fake_wall;
    weir__system_here = &fake_system;
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_TEXT);
    return 0;
}

static int with_kernel(void **state)
{
    (void)state;
    weir__system_here = &weir__kernel;
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_TEXT);
    weir_log_sink(NULL, NULL);
    return 0;
}

static void check_written(const char *expected)
{
    assert_string_equal(fake.data, expected);
    fake.length = 0;
    fake.writes = 0;
    fake.data[0] = '\0';
}

static void a_record_is_a_line_and_a_write(void **state)
{
    (void)state;
    errno = 77;
    weir_log(WEIR_LOG_INFO, "echo on %s", "tcp://127.0.0.1:8000");
    assert_int_equal(errno, 77);
    assert_int_equal(fake.writes, 1);
    check_written("weir: echo on tcp://127.0.0.1:8000\n");
    weir_log(WEIR_LOG_WARNING, "careful");
    check_written("weir: warning: careful\n");
    weir_log(WEIR_LOG_ERROR, "%s", "");
    check_written("weir: error: \n");
    weir_log(WEIR_LOG_DEBUG, "not now");
    check_written("");
}

static void levels_below_the_threshold_are_left_out(void **state)
{
    (void)state;
    weir_log_set(WEIR_LOG_DEBUG, WEIR_LOG_TEXT);
    weir_log(WEIR_LOG_DEBUG, "now");
    check_written("weir: debug: now\n");
    weir_log_set(WEIR_LOG_ERROR, WEIR_LOG_TEXT);
    weir_log(WEIR_LOG_WARNING, "not now");
    weir_log(WEIR_LOG_ERROR, "now");
    check_written("weir: error: now\n");
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    weir_log(WEIR_LOG_ERROR, "never");
    weir_log_set(WEIR_LOG_DEBUG, WEIR_LOG_TEXT);
    weir_log(WEIR_LOG_NONE, "never");
    weir_log((weir_log_level)99, "never");
    check_written("");
}

static void json_lines_are_json(void **state)
{
    (void)state;
    weir_log_set(WEIR_LOG_DEBUG, WEIR_LOG_JSON);
    fake.wall = INT64_C(1795245300123999999);
    weir_log(WEIR_LOG_INFO, "the \"message\" C:\\dir\n\x1b\xff gr\xc3\xbc\xc3\x9f");
    check_written("{\"time\":\"2026-11-21T07:15:00.123Z\",\"level\":\"info\",\"message\":\"the \\\"message\\\" "
                  "C:\\\\dir\\\\x0a\\\\x1b\\\\xff gr\xc3\xbc\xc3\x9f\"}\n");
    fake.wall = 5000000;
    weir_log(WEIR_LOG_WARNING, "x");
    check_written("{\"time\":\"1970-01-01T00:00:00.005Z\",\"level\":\"warning\",\"message\":\"x\"}\n");
    fake.wall = INT64_C(951782400000000000);
    weir_log(WEIR_LOG_ERROR, "a leap day");
    check_written("{\"time\":\"2000-02-29T00:00:00.000Z\",\"level\":\"error\",\"message\":\"a leap day\"}\n");
}

static void nobody_forges_a_line(void **state)
{
    (void)state;
    weir_log(WEIR_LOG_INFO, "login of %s refused",
             "eve\nweir: login of root accepted\r\x1b[2J\xc2\x9b"
             "2J\xe2\x80\xa8");
    check_written(
        "weir: login of eve\\x0aweir: login of root accepted\\x0d\\x1b[2J\\xc2\\x9b2J\\xe2\\x80\\xa8 refused\n");
    /* What was escaped before is not escaped again. */
    char name[32];
    weir_log(WEIR_LOG_INFO, "%s", weir_escape("a\n\\", 3, name, sizeof name));
    check_written("weir: a\\x0a\\\\\n");
    weir_log(WEIR_LOG_INFO, "a%cb", 0);
    check_written("weir: a\\x00b\n");
}

static void check_length(const char *message, size_t expected, bool cut)
{
    weir_log(WEIR_LOG_INFO, "%s", message);
    size_t prefix = strlen("weir: ");
    assert_int_equal(fake.writes, 1);
    assert_int_equal(fake.length, prefix + expected + 1);
    assert_int_equal(fake.data[fake.length - 1], '\n');
    assert_int_equal(memcmp(fake.data + fake.length - 4, "...", 3) == 0, cut);
    fake.length = 0;
    fake.writes = 0;
}

static void long_messages_are_cut_and_marked(void **state)
{
    (void)state;
    static char message[5001];
    memset(message, 'a', 1000);
    check_length(message, 1000, false);
    memset(message, 'a', 1001);
    check_length(message, 1000, true);
    memset(message, 'a', 5000);
    check_length(message, 1000, true);
    for (size_t i = 0; i < 5000; i += 2)
        memcpy(message + i, "\xc3\xa9", 2);
    check_length(message, 999, true);
    assert_null(strstr(fake.data, "\\x"));
    memset(message, '\x1b', 5000);
    check_length(message, 999, true);
    memset(message, 0, sizeof message);
    memset(message, '\n', 251);
    check_length(message, 999, true);
    memset(message, 0, sizeof message);
    memset(message, '\n', 250);
    check_length(message, 1000, false);
}

static void json_is_whole_however_long(void **state)
{
    (void)state;
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_JSON);
    char message[2001];
    static const char worst[] = {'"', '\\', '\x1b', '\xff'};
    for (size_t i = 0; i < sizeof worst; i++) {
        memset(message, worst[i], sizeof message - 1);
        message[sizeof message - 1] = '\0';
        weir_log(WEIR_LOG_WARNING, "%s", message);
        assert_true(fake.length <= 1100);
        assert_string_equal(fake.data + fake.length - 6, "...\"}\n");
        assert_int_not_equal(fake.data[fake.length - 7], '\x1b');
        fake.length = 0;
    }
}

static void lost_records_are_told_with_the_next(void **state)
{
    (void)state;
    fake.fail_with = EAGAIN;
    errno = 77;
    weir_log(WEIR_LOG_INFO, "one");
    fake.fail_with = ENOSPC;
    weir_log(WEIR_LOG_INFO, "two");
    assert_int_equal(errno, 77);
    fake.fail_with = 0;
    fake.writes = 0;
    weir_log(WEIR_LOG_INFO, "three");
    assert_int_equal(fake.writes, 1);
    check_written("weir: warning: 2 records lost\nweir: three\n");
    weir_log(WEIR_LOG_INFO, "four");
    check_written("weir: four\n");
    fake.fail_with = EBADF;
    weir_log(WEIR_LOG_INFO, "five");
    fake.fail_with = 0;
    weir_log_set(WEIR_LOG_INFO, WEIR_LOG_JSON);
    weir_log(WEIR_LOG_INFO, "six");
    check_written("{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warning\",\"message\":\"1 record lost\"}\n"
                  "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"message\":\"six\"}\n");
}

static void a_full_stderr_is_not_waited_for(void **state)
{
    (void)state;
    fake.full = true;
    weir_log(WEIR_LOG_INFO, "one");
    assert_int_equal(fake.writes, 0);
    fake.full = false;
    weir_log(WEIR_LOG_INFO, "two");
    check_written("weir: warning: 1 record lost\nweir: two\n");
}

/* A disk that is full may take the beginning of a line. */
static void a_torn_line_is_ended_first(void **state)
{
    (void)state;
    fake.most = 8;
    weir_log(WEIR_LOG_INFO, "torn");
    fake.fail_with = ENOSPC;
    weir_log(WEIR_LOG_INFO, "lost");
    fake.fail_with = 0;
    fake.most = 0;
    weir_log(WEIR_LOG_INFO, "whole");
    check_written("weir: to\nweir: warning: 2 records lost\nweir: whole\n");
    weir_log(WEIR_LOG_INFO, "again");
    check_written("weir: again\n");
}

static char sunk[2000];

static void sink(weir_log_level level, const char *message, void *arg)
{
    errno = 5;
    snprintf(sunk, sizeof sunk, "%d %s %s", (int)level, message, (const char *)arg);
}

static void a_sink_takes_what_stderr_would(void **state)
{
    (void)state;
    static char arg[] = "arg";
    weir_log_sink(sink, arg);
    errno = 77;
    weir_log(WEIR_LOG_WARNING, "a\n%d", 1);
    assert_int_equal(errno, 77);
    assert_string_equal(sunk, "2 a\\x0a1 arg");
    weir_log(WEIR_LOG_DEBUG, "left out");
    assert_string_equal(sunk, "2 a\\x0a1 arg");
    assert_int_equal(fake.writes, 0);
    weir_log(WEIR_LOG_INFO, "%01500d", 0);
    assert_int_equal(strlen(sunk), 2 + 1000 + 4);
    weir_log_sink(NULL, NULL);
    weir_log(WEIR_LOG_INFO, "back");
    check_written("weir: back\n");
}

static void the_last_error_is_logged(void **state)
{
    (void)state;
    weir_fail(WEIR_ERROR_CONNECT, ECONNREFUSED, "connect", "tcp://localhost:9", NULL);
    errno = 77;
    weir_log_error();
    assert_int_equal(errno, 77);
    check_written("weir: error: connect tcp://localhost:9: connection refused\n");
}

static void levels_are_read(void **state)
{
    (void)state;
    static const char *const names[] = {"debug", "info", "warning", "error", "none"};
    for (int i = 0; i < 5; i++) {
        weir_log_level level = (weir_log_level)99;
        assert_int_equal(weir_parse_log_level(names[i], &level), 0);
        assert_int_equal(level, i);
    }
    static const char *const wrong[] = {"", "Info", "infos", "inf", "0", "warn ", " error"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        weir_log_level level = WEIR_LOG_ERROR;
        errno = 0;
        assert_int_equal(weir_parse_log_level(wrong[i], &level), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(level, WEIR_LOG_ERROR);
    }
    assert_string_equal(weir_error()->sentence, " error: not a level: debug, info, warning, error or none");
}

/* stderr as a pipe of the kernel's, put back by close_pipe. */
struct pipe {
    int stderr_before, read, write;
};

static struct pipe open_pipe(void)
{
    int pair[2];
    struct pipe made = {.stderr_before = dup(STDERR_FILENO)};
    if (made.stderr_before < 0 || pipe2(pair, O_CLOEXEC) < 0 || dup2(pair[1], STDERR_FILENO) < 0)
        fail();
    made.read = pair[0];
    made.write = pair[1];
    return made;
}

static void put_stderr_back(struct pipe *made)
{
    dup2(made->stderr_before, STDERR_FILENO);
    close(made->stderr_before);
    close(made->write);
}

static void *log_much(void *arg)
{
    for (int i = 0; i < 50; i++)
        weir_log(WEIR_LOG_INFO, "%0100d of %s", i, (const char *)arg);
    return NULL;
}

/* 4 threads, 50 lines each, 30,000 bytes: they fit into the pipe. */
static void lines_of_threads_do_not_mix(void **state)
{
    (void)state;
    struct pipe made = open_pipe();
    static char names[4][2] = {"a", "b", "c", "d"};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, log_much, names[i]);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    put_stderr_back(&made);
    FILE *lines = fdopen(made.read, "r");
    char line[256];
    int count = 0, number;
    char name[2];
    for (; fgets(line, sizeof line, lines); count++)
        assert_int_equal(sscanf(line, "weir: %100d of %1[abcd]\n", &number, name), 2);
    fclose(lines);
    assert_int_equal(count, 200);
}

/* A blocking pipe that nobody reads, and then one that nobody can read any more, without SIGPIPE. */
static void a_stuck_reader_of_stderr_does_no_harm(void **state)
{
    (void)state;
    struct pipe made = open_pipe();
    for (int i = 0; i < 200; i++)
        weir_log(WEIR_LOG_INFO, "%01000d", i);
    static char data[1 << 20];
    ssize_t length = read(made.read, data, sizeof data - 1);
    weir_log(WEIR_LOG_INFO, "at last");
    ssize_t more = read(made.read, data + length, sizeof data - 1 - (size_t)length);
    close(made.read);
    weir_log(WEIR_LOG_INFO, "to nobody");
    put_stderr_back(&made);
    data[length + more] = '\0';
    assert_true(length > 4096 && length % 1007 == 0);
    char expected[100];
    snprintf(expected, sizeof expected, "weir: warning: %d records lost\nweir: at last\n", 200 - (int)(length / 1007));
    assert_string_equal(data + length, expected);
}

int main(void)
{
#define WITH_FAKE_SYSTEM(test) cmocka_unit_test_setup_teardown(test, with_fake_system, with_kernel)
    const struct CMUnitTest tests[] = {
        WITH_FAKE_SYSTEM(a_record_is_a_line_and_a_write),
        WITH_FAKE_SYSTEM(levels_below_the_threshold_are_left_out),
        WITH_FAKE_SYSTEM(json_lines_are_json),
        WITH_FAKE_SYSTEM(nobody_forges_a_line),
        WITH_FAKE_SYSTEM(long_messages_are_cut_and_marked),
        WITH_FAKE_SYSTEM(json_is_whole_however_long),
        WITH_FAKE_SYSTEM(lost_records_are_told_with_the_next),
        WITH_FAKE_SYSTEM(a_full_stderr_is_not_waited_for),
        WITH_FAKE_SYSTEM(a_torn_line_is_ended_first),
        WITH_FAKE_SYSTEM(a_sink_takes_what_stderr_would),
        WITH_FAKE_SYSTEM(the_last_error_is_logged),
        cmocka_unit_test(levels_are_read),
        cmocka_unit_test(lines_of_threads_do_not_mix),
        cmocka_unit_test(a_stuck_reader_of_stderr_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
