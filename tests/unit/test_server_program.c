/* Servers as whole programs, each in a child process of its own: signals, readiness, systemd, families of processes. */
#include "servers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <weir/log.h>

/* A program: what it serves, and what it writes to stderr. */
struct program {
    pid_t pid;
    int output;      /* its stderr */
    char text[8192]; /* what came of it so far */
    size_t length;
    char address[64];
};

struct plan {
    void (*setup)(weir_server_options *options, weir_run_options *run); /* in the child, before anything else */
    weir_stream_handler *handler;
    const char *endpoint; /* default: a port of 127.0.0.1 */
};

/* In the child: what its handlers may stop. */
static weir_server *program_server;

static int be_program(const struct plan *plan)
{
    weir_server_options options = {.size = sizeof options, .name = "test"};
    weir_run_options run = {.size = sizeof run};
    if (plan->setup)
        plan->setup(&options, &run);
    weir_server *server = program_server = weir_server_new(&options);
    int status = 1;
    if (server &&
        weir_server_add(server, plan->endpoint ? plan->endpoint : "tcp://127.0.0.1:0",
                        plan->handler ? plan->handler : echo, NULL) == 0 &&
        weir_run_servers(&server, 1, &run) == 0)
        status = 0;
    if (status)
        weir_log_error();
    weir_server_free(server);
    return status;
}

static struct program start(const struct plan *plan)
{
    struct program program = {0};
    int pair[2];
    check(pipe2(pair, O_CLOEXEC) == 0);
    fflush(NULL);
    program.pid = fork();
    check(program.pid >= 0);
    if (program.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing is left behind by a test that fails */
        dup2(pair[1], STDERR_FILENO);
        _exit(be_program(plan));
    }
    close(pair[1]);
    program.output = pair[0];
    return program;
}

/* Reads what the program writes until a text is in it; false if it ends before. */
static bool says(struct program *program, const char *text)
{
    while (!strstr(program->text, text)) {
        struct pollfd descriptor = {program->output, POLLIN, 0};
        check(poll(&descriptor, 1, 20000) == 1);
        check(program->length < sizeof program->text - 1);
        ssize_t got =
            read(program->output, program->text + program->length, sizeof program->text - 1 - program->length);
        if (got <= 0)
            return false;
        program->length += (size_t)got;
        program->text[program->length] = '\0';
    }
    return true;
}

static struct program start_ready(const struct plan *plan)
{
    struct program program = start(plan);
    do
        check(says(&program, "test on "));
    while (!says(&program, "\n"));
    sscanf(strstr(program.text, "test on ") + 8, "%*[a-z]://%63s", program.address);
    return program;
}

static int client(const struct program *program)
{
    int fd = plain_connected(SOCK_STREAM, program->address);
    check(fd >= 0);
    return fd;
}

/* Waits for its end. As the shell shows it: its status, or 128 and the signal. */
static int status_of(struct program *program)
{
    int status;
    check(waitpid(program->pid, &status, 0) == program->pid);
    close(program->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- signals --- */

static void a_signal_ends_it_well(void **state)
{
    static const int signals[] = {SIGTERM, SIGINT};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct program program = start_ready(&(struct plan){0});
        int fd = client(&program);
        check(is_echoed(fd, "before"));
        check(kill(program.pid, signals[i]) == 0);
        check(is_echoed(fd, "after"));
        close(fd);
        check(status_of(&program) == 0);
    }
}

static void a_second_signal_ends_it_at_once(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){0});
    int fd = client(&program);
    check(is_echoed(fd, "x"));
    check(kill(program.pid, SIGTERM) == 0);
    char address[64];
    snprintf(address, sizeof address, "%s", program.address);
    for (int other; (other = plain_connected(SOCK_STREAM, address)) >= 0;)
        close(other);
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 128 + SIGTERM);
    close(fd);
}

static void shortly(weir_server_options *options, weir_run_options *run)
{
    (void)options;
    run->drain_timeout = WEIR_MS(30);
}

static void the_drain_has_an_end(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.setup = shortly});
    int fd = client(&program);
    check(is_echoed(fd, "x"));
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
    check(has_ended(fd));
    close(fd);
}

static void a_signal_shows_the_counters(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){0});
    check(kill(program.pid, SIGUSR1) == 0);
    check(says(&program, "weir: test: nothing yet\n"));
    int fd = client(&program);
    check(is_echoed(fd, "12345"));
    check(is_echoed(fd, "12345")); /* the last is counted after it was sent: it may not be yet */
    check(kill(program.pid, SIGUSR1) == 0);
    check(says(&program, "weir: test: accepted=1 active=1 bytes_in=10 bytes_out="));
    close(fd);
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
}

static void reloaded(void *arg)
{
    (void)arg;
    weir_log(WEIR_LOG_INFO, "reloaded");
}

static void with_reload(weir_server_options *options, weir_run_options *run)
{
    (void)options;
    run->reload = reloaded;
    run->log_json = true;
}

static void a_signal_reloads_it(void **state)
{
    (void)state;
    struct program program = start(&(struct plan){.setup = with_reload});
    check(says(&program, "\"message\":\"test on tcp://"));
    check(kill(program.pid, SIGHUP) == 0);
    check(says(&program, "\"message\":\"reloaded\"}\n"));
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
}

static volatile bool deeper = true;

static int go_deeper(volatile char *above)
{
    volatile char piece[1024];
    piece[0] = *above;
    return (deeper ? go_deeper(piece) : 0) + piece[0];
}

static void overflowing(weir_conn *conn, void *arg)
{
    char byte = 0;
    (void)arg;
    if (weir_recv(conn, &byte, 1) == 1)
        go_deeper(&byte);
}

static void a_handler_whose_stack_overflows_is_named(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.handler = overflowing});
    int fd = client(&program);
    check(send(fd, "x", 1, MSG_NOSIGNAL) == 1);
    check(says(&program, "stack overflow in the handler of fiber \"test\""));
    check(status_of(&program) != 0);
    close(fd);
}

static void stopper(weir_conn *conn, void *arg)
{
    (void)conn;
    (void)arg;
    weir_server_stop(program_server, WEIR_FOREVER);
}

static void a_handler_may_end_it(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.handler = stopper});
    int fd = client(&program);
    check(has_ended(fd));
    close(fd);
    check(status_of(&program) == 0);
}

static void writer_to_the_gone(weir_conn *conn, void *arg)
{
    (void)arg;
    weir_sleep(WEIR_MS(5));
    for (int i = 0; i < 100; i++)
        if (weir_send_all(conn, "x", 1) < 0)
            break;
}

static void no_sigpipe_ends_it(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.handler = writer_to_the_gone});
    for (int i = 0; i < 20; i++) {
        int fd = client(&program);
        struct linger at_once = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
    }
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
}

/* --- what goes wrong --- */

static void a_port_that_is_taken_is_told(void **state)
{
    char endpoint[64];
    int held = plain_listening("127.0.0.1:0", 1);
    (void)state;
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port_of(held));
    struct program program = start(&(struct plan){.endpoint = endpoint});
    check(says(&program, "address already in use"));
    check(status_of(&program) == 1);
    close(held);
}

/* --- readiness --- */

static int ready_pair[2];

static void with_ready_fd(weir_server_options *options, weir_run_options *run)
{
    (void)options;
    run->ready_fd = ready_pair[1];
}

static void the_ready_descriptor_is_written_to_and_closed(void **state)
{
    char got[8];
    (void)state;
    check(pipe(ready_pair) == 0);
    struct program program = start(&(struct plan){.setup = with_ready_fd});
    close(ready_pair[1]);
    check(read(ready_pair[0], got, sizeof got) == 1 && got[0] == '\n');
    check(read(ready_pair[0], got, sizeof got) == 0);
    close(ready_pair[0]);
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
}

/* An abstract Unix address of this test program's own. */
static const char *own_name(const char *what)
{
    static char name[64];
    static pid_t owner;
    if (!owner)
        owner = getpid();
    snprintf(name, sizeof name, "@weir-test-%s-%d", what, (int)owner);
    return name;
}

static void with_systemd(weir_server_options *options, weir_run_options *run)
{
    (void)options;
    (void)run;
    setenv("NOTIFY_SOCKET", own_name("notify"), 1);
}

static void systemd_is_told(void **state)
{
    char got[32] = "";
    (void)state;
    int fd = plain_bound(SOCK_DGRAM, own_name("notify"));
    check(fd >= 0);
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct program program = start(&(struct plan){.setup = with_systemd});
    check(recv(fd, got, sizeof got, 0) == 7);
    check_text(got, "READY=1");
    check(kill(program.pid, SIGTERM) == 0);
    check(recv(fd, got, sizeof got, 0) == 10);
    check_text(got, "STOPPING=1");
    check(status_of(&program) == 0);
    close(fd);
}

/* --- sockets from systemd --- */

static int handed_over = -1;

static void with_listen_fds(weir_server_options *options, weir_run_options *run)
{
    char pid[16];
    (void)run;
    int away = fcntl(handed_over, F_DUPFD, 10);
    dup2(away, 3);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
    options->workers = 2;
}

/* Its address is taken, by the very socket: only by using it can the program serve there. */
static void a_socket_that_is_handed_over_is_used(void **state)
{
    char endpoint[64];
    (void)state;
    handed_over = plain_listening("127.0.0.1:0", 10);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", port_of(handed_over));
    struct program program = start_ready(&(struct plan){.setup = with_listen_fds, .endpoint = endpoint});
    for (int i = 0; i < 5; i++) {
        int fd = client(&program);
        check(is_echoed(fd, "handed over"));
        close(fd);
    }
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
    close(handed_over);
}

/* --- closed descriptors --- */

static void without_standard_descriptors(weir_server_options *options, weir_run_options *run)
{
    close(0);
    close(1);
    close(2);
    with_ready_fd(options, run);
}

static void who_listens(weir_conn *conn, void *arg)
{
    struct stat null, one;
    bool fine = stat("/dev/null", &null) == 0;
    (void)arg;
    for (int fd = 0; fd < 3; fd++)
        fine = fine && fstat(fd, &one) == 0 && one.st_rdev == null.st_rdev;
    printf("must not reach the network\n");
    fflush(stdout);
    weir_send_all(conn, fine ? "fine" : "not fine", fine ? 4 : 8);
}

static int serve_without_standard(void)
{
    weir_server_options options = {.size = sizeof options, .name = "test"};
    weir_run_options run = {.size = sizeof run};
    without_standard_descriptors(&options, &run);
    char endpoint[80];
    snprintf(endpoint, sizeof endpoint, "unix:%s", own_name("closed"));
    return weir_serve(endpoint, who_listens, NULL, &options);
}

static void closed_standard_descriptors_do_no_harm(void **state)
{
    char got[16] = "";
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    check(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(serve_without_standard());
    }
    int fd = -1;
    eventually((fd = plain_connected(SOCK_STREAM, own_name("closed"))) >= 0);
    check(recv(fd, got, sizeof got, MSG_WAITALL) == 4);
    check_text(got, "fine");
    close(fd);
    int status;
    check(kill(pid, SIGTERM) == 0);
    check(waitpid(pid, &status, 0) == pid && status == 0);
}

/* --- families --- */

static void three_processes(weir_server_options *options, weir_run_options *run)
{
    (void)options;
    run->processes = 3;
}

static void tell_pid(weir_conn *conn, void *arg)
{
    char text[16], *data;
    (void)arg;
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    weir_send_all(conn, text, (size_t)length);
    while (weir_receive(conn, &data) > 0)
        ;
}

static pid_t pid_of(int fd)
{
    char text[16] = "";
    check(recv(fd, text, sizeof text - 1, 0) > 0);
    return (pid_t)atoi(text);
}

static void a_family_shares_the_work(void **state)
{
    enum { CLIENTS = 60 };
    int clients[CLIENTS], strangers = 0;
    pid_t first = 0;
    (void)state;
    struct program program = start_ready(&(struct plan){.setup = three_processes, .handler = tell_pid});
    for (int i = 0; i < CLIENTS; i++) {
        pid_t pid = pid_of(clients[i] = client(&program));
        check(pid != program.pid);
        first = first ? first : pid;
        strangers += pid != first;
    }
    check(strangers > 0);
    check(kill(program.pid, SIGUSR1) == 0);
    check(says(&program, "weir: test: accepted=60 active=60 "));
    check(kill(program.pid, SIGTERM) == 0);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    check(status_of(&program) == 0);
}

static void one_that_dies_is_replaced(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.setup = three_processes, .handler = tell_pid});
    int fd = client(&program);
    pid_t pid = pid_of(fd);
    check(kill(pid, SIGKILL) == 0);
    check(has_ended(fd));
    close(fd);
    check(says(&program, "was ended by SIGKILL: another starts in 0.1 s\n"));
    /* Whoever the system gives to the one that is gone waits for the next: nobody is refused. */
    for (int i = 0; i < 30; i++) {
        fd = client(&program);
        check(pid_of(fd) != pid);
        close(fd);
    }
    check(kill(program.pid, SIGUSR1) == 0);
    check(says(&program, "weir: test: accepted=31 "));
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 0);
}

static void a_handler_may_end_a_family(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.setup = three_processes, .handler = stopper});
    int fd = client(&program);
    check(has_ended(fd));
    close(fd);
    check(status_of(&program) == 0);
}

static void a_second_signal_ends_a_family(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.setup = three_processes, .handler = tell_pid});
    int fd = client(&program);
    pid_t pid = pid_of(fd);
    check(kill(program.pid, SIGTERM) == 0);
    weir_sleep(WEIR_MS(20));
    check(kill(program.pid, SIGTERM) == 0);
    check(status_of(&program) == 128 + SIGTERM);
    check(has_ended(fd));
    eventually(kill(pid, 0) < 0 && errno == ESRCH);
    close(fd);
}

static void a_family_ends_with_its_parent(void **state)
{
    (void)state;
    struct program program = start_ready(&(struct plan){.setup = three_processes, .handler = tell_pid});
    int fd = client(&program);
    pid_t pid = pid_of(fd);
    check(kill(program.pid, SIGKILL) == 0);
    close(fd);
    check(status_of(&program) == 128 + SIGKILL);
    eventually(kill(pid, 0) < 0 && errno == ESRCH);
}

static void no_backend(weir_server_options *options, weir_run_options *run)
{
    struct rlimit limit = {.rlim_cur = 30, .rlim_max = 30};
    setrlimit(RLIMIT_NOFILE, &limit);
    options->workers = 9; /* three processes, 27 sockets: none has descriptors left for its loops */
    run->processes = 3;
}

static void a_family_that_cannot_start_says_so(void **state)
{
    (void)state;
    struct program program = start(&(struct plan){.setup = no_backend});
    check(status_of(&program) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_ends_it_well),
        cmocka_unit_test(a_second_signal_ends_it_at_once),
        cmocka_unit_test(the_drain_has_an_end),
        cmocka_unit_test(a_signal_shows_the_counters),
        cmocka_unit_test(a_signal_reloads_it),
        cmocka_unit_test(a_handler_may_end_it),
        cmocka_unit_test(a_handler_whose_stack_overflows_is_named),
        cmocka_unit_test(no_sigpipe_ends_it),
        cmocka_unit_test(a_port_that_is_taken_is_told),
        cmocka_unit_test(the_ready_descriptor_is_written_to_and_closed),
        cmocka_unit_test(systemd_is_told),
        cmocka_unit_test(a_socket_that_is_handed_over_is_used),
        cmocka_unit_test(closed_standard_descriptors_do_no_harm),
        cmocka_unit_test(a_family_shares_the_work),
        cmocka_unit_test(one_that_dies_is_replaced),
        cmocka_unit_test(a_handler_may_end_a_family),
        cmocka_unit_test(a_second_signal_ends_a_family),
        cmocka_unit_test(a_family_ends_with_its_parent),
        cmocka_unit_test(a_family_that_cannot_start_says_so),
    };
    return cmocka_run_group_tests_name("server_program", tests, NULL, NULL);
}
