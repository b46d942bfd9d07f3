/* A fault, stack overflow among them, ends the process with a line that names the handler; or goes to whoever had it before. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "engine.h"
#include "engine/engine.h"

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

/* Runs a function in a child process; returns how it ended and what it said on stderr. */
static int run_child(void (*function)(void), char *said, size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        /* A sanitizer's own handler would be the one from before. */
        for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
            signal(faults[i], SIG_DFL);
        function();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while (length + 1 < size && (got = read(ends[0], said + length, size - length - 1)) > 0)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool died_of_fault(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static volatile bool deeper = true;

static int goes_deeper(void *arg)
{
    volatile char piece[1024];
    memset((char *)piece, (int)(intptr_t)arg, sizeof piece);
    return (deeper ? goes_deeper((void *)((intptr_t)arg + 1)) : 0) + piece[3];
}

static int writes_nowhere(void *arg)
{
    *(volatile int *)arg = 1;
    return 0;
}

static void *nowhere;

static void run_named(weir_fiber_function *function, void *arg, size_t stack_size)
{
    weir_loop *loop =
        weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_EPOLL, .stack_size = stack_size));
    check(loop && weir_spawn(function, arg, WEIR_OPTIONS(weir_fiber_options, .name = "echo", .detached = true)));
    weir_loop_run(loop);
}

static void overflows(void)
{
    check(weir__catch_overflow() == 0);
    run_named(goes_deeper, NULL, 0);
}

static void an_overflow_names_the_handler(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    assert_true(died_of_fault(run_child(overflows, said, sizeof said)));
    assert_non_null(strstr(said, "weir: error: stack overflow"));
    assert_non_null(strstr(said, "\"echo\""));
    assert_non_null(strchr(said, '\n'));
}

static void *overflows_in_thread(void *arg)
{
    (void)arg;
    check(weir__catch_overflow() == 0);
    run_named(goes_deeper, NULL, 65536);
    return NULL;
}

static void overflows_in_a_second_thread(void)
{
    pthread_t thread;
    check(weir__catch_overflow() == 0);
    check(pthread_create(&thread, NULL, overflows_in_thread, NULL) == 0);
    pthread_join(thread, NULL);
}

static void an_overflow_in_another_thread_too(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    assert_true(died_of_fault(run_child(overflows_in_a_second_thread, said, sizeof said)));
    assert_non_null(strstr(said, "\"echo\""));
}

static void fails(void)
{
    check(weir__catch_overflow() == 0);
    run_named(writes_nowhere, nowhere, 0);
}

static void another_fault_is_no_overflow(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    assert_true(died_of_fault(run_child(fails, said, sizeof said)));
    assert_null(strstr(said, "overflow"));
    assert_non_null(strstr(said, "weir: error: SIGSEGV in the handler of fiber \"echo\"\n"));
}

static void faults_outside_of_fibers(void)
{
    check(weir__catch_overflow() == 0);
    writes_nowhere(nowhere);
}

static void a_fault_outside_of_fibers_is_none_either(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    assert_true(died_of_fault(run_child(faults_outside_of_fibers, said, sizeof said)));
    assert_string_equal(said, "");
}

static int aborts(void *arg)
{
    (void)arg;
    abort();
}

static void fails_an_assertion(void)
{
    check(weir__catch_overflow() == 0);
    run_named(aborts, NULL, 0);
}

static void an_abort_names_the_handler(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    int status = run_child(fails_an_assertion, said, sizeof said);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "weir: error: SIGABRT in the handler of fiber \"echo\"\n"));
}

static int kills(void *arg)
{
    kill(getpid(), (int)(intptr_t)arg);
    for (int i = 0; i < 1000; i++)
        usleep(1000);
    return 0;
}

static void is_sent_an_abort(void)
{
    check(weir__catch_overflow() == 0);
    run_named(kills, (void *)(intptr_t)SIGABRT, 0);
}

/* As a service manager does with one that hangs: whoever runs just then is not to blame. */
static void an_abort_from_outside_blames_nobody(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    int status = run_child(is_sent_an_abort, said, sizeof said);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_string_equal(said, "");
}

static void handles_itself(int signal)
{
    (void)signal;
    _exit(42);
}

static void faults_with_a_handler(void)
{
    signal(SIGSEGV, handles_itself);
    fails();
}

static void the_programs_own_handler_gets_the_rest(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    int status = run_child(faults_with_a_handler, said, sizeof said);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    assert_string_equal(said, "");
}

static void is_sent_a_fault(void)
{
    check(weir__catch_overflow() == 0);
    kill(getpid(), SIGSEGV);
    for (int i = 0; i < 1000; i++)
        usleep(1000);
}

static void one_that_was_sent_is_not_swallowed(void **state)
{
    (void)state;
    char said[4096];
    if (in_valgrind())
        skip();
    assert_true(died_of_fault(run_child(is_sent_a_fault, said, sizeof said)));
    assert_null(strstr(said, "overflow"));
}

int main(void)
{
    nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(nowhere != MAP_FAILED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_overflow_names_the_handler),
        cmocka_unit_test(an_overflow_in_another_thread_too),
        cmocka_unit_test(another_fault_is_no_overflow),
        cmocka_unit_test(an_abort_names_the_handler),
        cmocka_unit_test(an_abort_from_outside_blames_nobody),
        cmocka_unit_test(a_fault_outside_of_fibers_is_none_either),
        cmocka_unit_test(the_programs_own_handler_gets_the_rest),
        cmocka_unit_test(one_that_was_sent_is_not_swallowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
