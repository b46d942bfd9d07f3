/* Errors: what weir_error() tells, in each thread and at each place its own, whatever the strings are and lie. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static void nothing_has_failed_yet(void **state)
{
    (void)state;
    const weir_error_info *error = weir_error();
    assert_int_equal(error->kind, WEIR_ERROR_NONE);
    assert_int_equal(error->number, 0);
    assert_string_equal(error->step, "");
    assert_string_equal(error->subject, "");
    assert_string_equal(error->reason, "");
    assert_string_equal(error->sentence, "");
}

static void a_failure_is_told_in_parts_and_whole(void **state)
{
    (void)state;
    errno = 0;
    assert_int_equal(weir_fail(WEIR_ERROR_CONNECT, ECONNREFUSED, "connect", "tcp://localhost:9", NULL), -1);
    assert_int_equal(errno, ECONNREFUSED);
    const weir_error_info *error = weir_error();
    assert_int_equal(error->kind, WEIR_ERROR_CONNECT);
    assert_int_equal(error->number, ECONNREFUSED);
    assert_string_equal(error->step, "connect");
    assert_string_equal(error->subject, "tcp://localhost:9");
    assert_string_equal(error->reason, "connection refused");
    assert_string_equal(error->sentence, "connect tcp://localhost:9: connection refused");
    assert_int_equal(error->transferred, 0);
}

static void check_sentence(const char *step, const char *subject, const char *sentence)
{
    weir_fail(WEIR_ERROR_USAGE, EINVAL, step, subject, "port %d is above %s", 99999, "65535");
    assert_string_equal(weir_error()->sentence, sentence);
    assert_int_equal(errno, EINVAL);
}

static void absent_parts_leave_no_gap(void **state)
{
    (void)state;
    check_sentence("bind", "", "bind: port 99999 is above 65535");
    check_sentence("bind", NULL, "bind: port 99999 is above 65535");
    check_sentence("", "tcp://[::1]:99999", "tcp://[::1]:99999: port 99999 is above 65535");
    check_sentence(NULL, NULL, "port 99999 is above 65535");
    assert_string_equal(weir_error()->step, "");
    assert_string_equal(weir_error()->subject, "");
}

static void check_reason(int number, const char *reason)
{
    weir_fail(WEIR_ERROR_SYSTEM, number, "open", "/x", NULL);
    assert_string_equal(weir_error()->reason, reason);
    assert_int_equal(errno, number);
}

static void the_systems_texts_fit_a_sentence(void **state)
{
    (void)state;
    check_reason(ENOENT, "no such file or directory");
    check_reason(ERFKILL, "operation not possible due to RF-kill");
    check_reason(EDOTDOT, "RFS specific error");
    check_reason(ELIBSCN, ".lib section in a.out corrupted");
    check_reason(0, "success");
    check_reason(12345, "error 12345");
    check_reason(-7, "error -7");
    check_reason(INT32_MIN, "error -2147483648");
}

static void strings_may_be_the_last_errors(void **state)
{
    (void)state;
    weir_fail(WEIR_ERROR_RESOLVE, ENOENT, "resolve", "tcp://nowhere:1", "no address for %s", "nowhere");
    const weir_error_info *error = weir_error();
    weir_fail(WEIR_ERROR_CONNECT, error->number, error->step, error->subject, "%s, again", error->reason);
    assert_string_equal(error->sentence, "resolve tcp://nowhere:1: no address for nowhere, again");
    weir_fail(WEIR_ERROR_CONNECT, EIO, error->reason, error->sentence, "%s", error->step);
    assert_string_equal(error->subject, "resolve tcp://nowhere:1: no address for nowhere, again");
    assert_string_equal(error->reason, "resolve");
    assert_string_equal(error->step, "no address for nowhere, again");
    weir_fail(WEIR_ERROR_CONNECT, EIO, error->subject + 8, error->reason + 2, NULL);
    assert_string_equal(error->sentence, "tcp://nowhere:1: no address for solve: input/output error");
}

/* From the record's own room to memory beside it and back, each time with what was there before. */
static void strings_may_grow_and_shrink(void **state)
{
    (void)state;
    char subject[401];
    memset(subject, 's', 400);
    subject[400] = '\0';
    const weir_error_info *error = weir_error();
    for (size_t length = 400; length > 0; length -= 40) {
        weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", subject + 400 - length, NULL);
        assert_ptr_equal(weir_error(), error);
        assert_int_equal(strlen(error->subject), length);
        weir_fail(WEIR_ERROR_SYSTEM, EIO, "write", error->subject, "%s%s", error->reason, error->reason);
        assert_int_equal(strlen(error->subject), length);
        assert_string_equal(error->reason, "input/output errorinput/output error");
        weir_fail(WEIR_ERROR_SYSTEM, EIO, "x", "y", "z");
        assert_string_equal(error->sentence, "x y: z");
    }
}

static void what_is_too_long_is_cut_between_characters(void **state)
{
    (void)state;
    char text[2001];
    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    text[2000] = '\0';
    weir_fail(WEIR_ERROR_SYSTEM, EIO, text, text + 2, "x%s", text);
    const weir_error_info *error = weir_error();
    assert_int_equal(strlen(error->step), 30);
    assert_int_equal(strlen(error->subject), 400);
    assert_int_equal(strlen(error->reason), 299);
    assert_int_equal(strlen(error->sentence), 30 + 1 + 400 + 2 + 299);
    assert_memory_equal(error->reason + 297, "\xc3\xa9", 3);
}

static void what_was_moved_is_told_until_the_next(void **state)
{
    (void)state;
    errno = EPIPE;
    weir_fail(WEIR_ERROR_CLOSED, EPIPE, "send", "tcp://a:1", NULL);
    assert_int_equal(weir__error_transferred(UINT64_MAX), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(weir_error()->transferred, UINT64_MAX);
    weir_fail(WEIR_ERROR_CLOSED, EPIPE, "send", "tcp://a:1", NULL);
    assert_int_equal(weir_error()->transferred, 0);
}

static void check_own(int result, weir_error_kind kind, int number, const char *sentence)
{
    assert_int_equal(result, -1);
    assert_int_equal(errno, number);
    assert_int_equal(weir_error()->kind, kind);
    assert_int_equal(weir_error()->number, number);
    assert_string_equal(weir_error()->sentence, sentence);
}

static void the_librarys_own_errors(void **state)
{
    (void)state;
    check_own(weir__fail_deadline("recv", "tcp://a:1"), WEIR_ERROR_DEADLINE, ETIMEDOUT, "recv tcp://a:1: timed out");
    check_own(weir__fail_cancelled("recv", "tcp://a:1"), WEIR_ERROR_CANCELLED, ECANCELED, "recv tcp://a:1: cancelled");
    check_own(weir__fail_busy("recv", "tcp://a:1"), WEIR_ERROR_BUSY, EBUSY,
              "recv tcp://a:1: another fiber or thread is in this call");
    check_own(weir__fail_memory("spawn"), WEIR_ERROR_MEMORY, ENOMEM, "spawn: no memory");
    check_own(weir__fail_system(EMFILE, "accept", "tcp://a:1"), WEIR_ERROR_SYSTEM, EMFILE,
              "accept tcp://a:1: too many open files");
}

static void check_kind(int number, const char *step, weir_error_kind kind)
{
    weir__fail_system(number, step, NULL);
    assert_int_equal(weir_error()->kind, kind);
}

static void the_systems_errors_have_kinds(void **state)
{
    (void)state;
    check_kind(ECONNREFUSED, "connect", WEIR_ERROR_CONNECT);
    check_kind(ENOENT, "connect", WEIR_ERROR_CONNECT);
    check_kind(ETIMEDOUT, "connect", WEIR_ERROR_CONNECT);
    check_kind(ECONNRESET, "connect", WEIR_ERROR_CONNECT);
    check_kind(ETIMEDOUT, "recv", WEIR_ERROR_CLOSED);
    check_kind(ECONNRESET, "recv", WEIR_ERROR_CLOSED);
    check_kind(EPIPE, "send", WEIR_ERROR_CLOSED);
    check_kind(EPIPE, NULL, WEIR_ERROR_CLOSED);
    check_kind(EADDRINUSE, "bind", WEIR_ERROR_LISTEN);
    check_kind(EACCES, "bind", WEIR_ERROR_LISTEN);
    check_kind(EADDRINUSE, "listen", WEIR_ERROR_LISTEN);
    check_kind(ENETUNREACH, "send", WEIR_ERROR_CONNECT);
    check_kind(ENOMEM, "connect", WEIR_ERROR_MEMORY);
    check_kind(ECANCELED, "bind", WEIR_ERROR_CANCELLED);
    check_kind(EACCES, "open", WEIR_ERROR_SYSTEM);
    check_kind(EBUSY, "open", WEIR_ERROR_SYSTEM);
}

static void kinds_have_names_and_exit_statuses(void **state)
{
    (void)state;
    assert_string_equal(weir_error_kind_name(WEIR_ERROR_NONE), "none");
    assert_string_equal(weir_error_kind_name(WEIR_ERROR_DEADLINE), "deadline");
    assert_string_equal(weir_error_kind_name(WEIR_ERROR_SSH), "ssh");
    assert_string_equal(weir_error_kind_name(WEIR_ERROR_SSH + 1), "unknown");
    assert_string_equal(weir_error_kind_name((weir_error_kind)-1), "unknown");
    for (int kind = WEIR_ERROR_NONE; kind <= WEIR_ERROR_SSH; kind++) {
        weir_error_info error = {.kind = (weir_error_kind)kind};
        int status = kind == WEIR_ERROR_NONE       ? 0
                     : kind == WEIR_ERROR_USAGE    ? 2
                     : kind == WEIR_ERROR_DEADLINE ? 3
                     : kind == WEIR_ERROR_CLOSED   ? 4
                                                   : 1;
        assert_int_equal(weir_error_exit_status(&error), status);
        assert_true(weir_error_kind_name(error.kind)[0] != '\0');
    }
}

static char begins_with_another[] = "a thread begins with somebody's error";
static char sees_another[] = "a thread sees another's error";

static void *fail_in_thread(void *arg)
{
    const char *subject = arg;
    if (weir_error()->kind != WEIR_ERROR_NONE)
        return begins_with_another;
    for (int i = 0; i < 1000; i++) {
        weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", subject, "%s %d", subject, i);
        if (strcmp(weir_error()->subject, subject) != 0)
            return sees_another;
    }
    return NULL;
}

static void threads_have_errors_of_their_own(void **state)
{
    (void)state;
    pthread_t threads[4];
    static char subjects[4][300];
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", "mine", NULL);
    for (int i = 0; i < 4; i++) {
        memset(subjects[i], 'a' + i, sizeof subjects[i] - 1);
        assert_int_equal(pthread_create(&threads[i], NULL, fail_in_thread, subjects[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *complaint = sees_another;
        assert_int_equal(pthread_join(threads[i], &complaint), 0);
        assert_null(complaint);
    }
    assert_string_equal(weir_error()->subject, "mine");
}

static struct weir__error *other_place;

static struct weir__error **find_other_place(void)
{
    return &other_place;
}

/* As the engine does for fibers. */
static void a_place_has_an_error_of_its_own(void **state)
{
    (void)state;
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", "thread's", NULL);
    weir__error_place = find_other_place;
    assert_int_equal(weir_error()->kind, WEIR_ERROR_NONE);
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", "fiber's", NULL);
    assert_non_null(other_place);
    assert_string_equal(weir_error()->subject, "fiber's");
    weir__error_place = weir__error_thread_place;
    assert_string_equal(weir_error()->subject, "thread's");
    weir__error_free(other_place);
    weir__error_free(NULL);
    other_place = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_failed_yet),
        cmocka_unit_test(a_failure_is_told_in_parts_and_whole),
        cmocka_unit_test(absent_parts_leave_no_gap),
        cmocka_unit_test(the_systems_texts_fit_a_sentence),
        cmocka_unit_test(strings_may_be_the_last_errors),
        cmocka_unit_test(strings_may_grow_and_shrink),
        cmocka_unit_test(what_is_too_long_is_cut_between_characters),
        cmocka_unit_test(what_was_moved_is_told_until_the_next),
        cmocka_unit_test(the_librarys_own_errors),
        cmocka_unit_test(the_systems_errors_have_kinds),
        cmocka_unit_test(kinds_have_names_and_exit_statuses),
        cmocka_unit_test(threads_have_errors_of_their_own),
        cmocka_unit_test(a_place_has_an_error_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
