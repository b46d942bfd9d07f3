/*
 * Going through ssh, with a shell script in its place (WEIR_SSH): what connecting waits for, how ends are told from
 * deaths, closing, and that no process is left. A real one is in tests/live/test_via_ssh.py.
 */
#include "sockets.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <weir/via.h>

#include "net/ssh.h"

/* What ssh says when the channel stands, and when its end has come. */
#define STANDS "echo 'debug2: x.c:f():1 (pid=1): channel 0: open confirm rwindow 1 rmax 1' >&2; "
#define ENDED  "echo 'debug2: nchan.c:chan_rcvd_ieof():1 (pid=1): channel 0: rcvd eof' >&2; "

static const char *const through_box[] = {"ssh://me@box", NULL};
static char folder[] = "/tmp/weir-test-XXXXXX";

/* --- the script --- */

static const char *path_of(const char *name)
{
    return text("%s/%s", folder, name);
}

/* It writes down its process, first of all, and its arguments. */
static void ssh_is(const char *script)
{
    const char *path = path_of("ssh");
    unlink(path_of("pid"));
    FILE *file = fopen(path, "w");
    check(file);
    fprintf(file, "#!/bin/sh\ncd '%s'\nprintf '%%s\\n' \"$@\" >arguments\necho $$ >new && mv new pid\n%s\n", folder,
            script);
    check(fclose(file) == 0 && chmod(path, 0700) == 0);
    setenv("WEIR_SSH", path, 1);
}

static const char *read_file(const char *name)
{
    static char bytes[65536];
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, bytes, sizeof bytes - 1);
    if (fd >= 0)
        close(fd);
    bytes[length > 0 ? length : 0] = '\0';
    return bytes;
}

/* That it ran, and does not any more. */
static void check_gone(void)
{
    pid_t id = atoi(read_file("pid"));
    check(id > 0 && kill(id, 0) == -1 && errno == ESRCH);
}

static weir_conn *try_connecting(int64_t timeout)
{
    return weir_connect("tcp://db:5432", WEIR_OPTIONS(weir_connect_options, .via = through_box, .timeout = timeout));
}

static weir_conn *connected(void)
{
    weir_conn *conn = try_connecting(WEIR_S(20));
    if (conn == NULL)
        fprintf(stderr, "%s\n", weir_error()->sentence);
    check(conn);
    return conn;
}

static void check_received(weir_conn *conn, const char *expected)
{
    char bytes[64];
    check(weir_read_exactly(conn, bytes, strlen(expected)) == 0);
    check(memcmp(bytes, expected, strlen(expected)) == 0);
}

/* --- connecting --- */

static void a_connection_is_sshs_input_and_output(void)
{
    char name[WEIR_ADDRESS_TEXT];
    ssh_is(STANDS "cat; " ENDED);
    weir_conn *conn = connected();
    check_text(weir_peer_endpoint(conn, name, sizeof name), "tcp://db:5432");
    check(weir_conn_scheme(conn) == WEIR_SCHEME_TCP);
    check(weir_send_all(conn, "hello", 5) == 0);
    check_received(conn, "hello");
    check(weir_yield_fd(conn) == -1 && errno == EOPNOTSUPP);
    check(weir_shutdown(conn, SHUT_WR) == 0);
    check(weir_recv(conn, name, sizeof name) == 0);
    check(weir_at_end(conn));
    check(weir_close(conn) == 0);
    check_gone();
}

static void its_words_are_in_the_error(void)
{
    static const struct {
        const char *script, *reason;
        int number;
    } cases[] = {
        {"echo 'me@box: Permission denied (publickey).' >&2; exit 255", "me@box: Permission denied (publickey).",
         EACCES},
        {"echo noise >&2; printf 'Host key verification failed.\\r\\n' >&2; exit 255", "Host key verification failed.",
         EACCES},
        {"echo 'ssh: Could not resolve hostname box: Name or service not known' >&2; exit 255",
         "Could not resolve hostname box: Name or service not known", ENOENT},
        {"echo 'ssh: connect to host box port 22: Connection timed out' >&2; exit 255",
         "connect to host box port 22: Connection timed out", ETIMEDOUT},
        {"echo 'channel 0: open failed: connect failed: Connection refused' >&2; echo 'stdio forwarding failed' >&2; "
         "exit 255",
         "connect failed: Connection refused", ECONNREFUSED},
        {"echo 'Warning: Permanently added' >&2; exit 255", "Warning: Permanently added", ECONNREFUSED},
        {"printf 'mux.c:mux_client_request_stdio_fwd():1 (pid=1): request failed\\n' >&2; exit 255", "request failed",
         ECONNREFUSED},
        {"printf 'a\\033[31mb\\n' >&2; exit 1", "a\\x1b[31mb", ECONNREFUSED},
        {"exit 3", "it has ended without a word", ECONNREFUSED},
        {"sleep 1000 >/dev/null </dev/null & echo why >&2", "why", ECONNREFUSED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ssh_is(cases[i].script);
        check(!try_connecting(WEIR_S(20)));
        check_error(cases[i].number, WEIR_ERROR_SSH);
        check_text(weir_error()->sentence, text("connect tcp://db:5432: ssh://box: %s", cases[i].reason));
        check(weir_error_exit_status(weir_error()) == 1);
        check_gone();
    }
}

static void there_may_be_no_ssh(void)
{
    setenv("WEIR_SSH", path_of("nothing"), 1);
    check(!try_connecting(WEIR_S(20)));
    check(errno == ENOENT);
    check(strstr(weir_error()->sentence, "nothing"));
}

static void one_that_hangs_is_ended_at_the_deadline(void)
{
    ssh_is("exec sleep 1000");
    check(!try_connecting(WEIR_MS(300)));
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    check_text(weir_error()->sentence, "connect tcp://db:5432: ssh://box did not answer in time");
    pid_t id = atoi(read_file("pid"));
    check(id == 0 || (kill(id, 0) == -1 && errno == ESRCH));
}

static int connects_in_vain(void *arg)
{
    (void)arg;
    check(!try_connecting(WEIR_S(100)));
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    return 0;
}

static void who_waits_for_it_may_be_cancelled(void)
{
    ssh_is("exec sleep 1000");
    weir_fiber *fiber = weir_spawn(connects_in_vain, NULL, NULL);
    EVENTUALLY(*read_file("pid"));
    weir_cancel_fiber(fiber);
    check(weir_join(fiber, NULL, SOON) == 0);
    check_gone();
}

/* --- ends and deaths --- */

static void a_death_is_no_end(void)
{
    char byte;
    ssh_is(STANDS "echo part; echo 'Timeout, server box not responding.' >&2; exit 255");
    weir_conn *conn = connected();
    check_received(conn, "part\n");
    check(weir_recv(conn, &byte, 1) == -1);
    check_error(ECONNRESET, WEIR_ERROR_SSH);
    check_text(weir_error()->sentence, "recv tcp://db:5432: ssh://box: Timeout, server box not responding.");
    check(weir_error_exit_status(weir_error()) == 4);
    check(!weir_at_end(conn));
    weir_close(conn);

    ssh_is(STANDS "echo part; kill -9 $$");
    conn = connected();
    check_received(conn, "part\n");
    check(weir_recv(conn, &byte, 1) == -1);
    check_error(ECONNRESET, WEIR_ERROR_SSH);
    check_text(weir_error()->sentence, "recv tcp://db:5432: ssh://box: it has ended without a word");
    check(weir_recv(conn, &byte, 1) == -1 && errno == ECONNRESET);
    weir_close(conn);
    check_gone();
}

static void a_line_that_is_cut_off_is_no_end(void)
{
    char *line;
    size_t length;
    ssh_is(STANDS "printf part; kill -9 $$");
    weir_conn *conn = connected();
    check(weir_read_line(conn, &line, &length, 100) == -1);
    check_error(ECONNRESET, WEIR_ERROR_SSH);
    weir_close(conn);
}

static void *reads_to_the_end(void *conn)
{
    char bytes[4096];
    while (weir_recv(conn, bytes, sizeof bytes) > 0)
        ;
    return NULL;
}

static void a_copy_notices_a_death(void)
{
    weir_conn *pair[2];
    uint64_t bytes[2];
    ssh_is(STANDS "head -c 100000 /dev/zero; kill -9 $$");
    weir_conn *conn = connected();
    check(weir_pair(SOCK_STREAM, pair) == 0);
    weir_set_timeout(pair[1], WEIR_S(20));
    pthread_t reader = beside(reads_to_the_end, pair[1]);
    check(weir_copy(conn, pair[0], bytes) == -1);
    check_error(ECONNRESET, WEIR_ERROR_SSH);
    check(bytes[0] == 100000);
    join_beside(reader);
    weir_close(conn);
    weir_close(pair[0]);
    weir_close(pair[1]);
}

/* Another ssh has the channel, and nothing is told of its end. */
static void of_a_shared_one_an_end_is_an_end(void)
{
    char byte;
    ssh_is("echo 'debug1: mux.c:f():1 (pid=1): master session id: 2' >&2; cat");
    weir_conn *conn = connected();
    check(weir_shutdown(conn, SHUT_WR) == 0);
    check(weir_recv(conn, &byte, 1) == 0);
    weir_close(conn);
}

/* Far more than a pipe holds. */
static void words_that_nobody_reads_hold_up_nothing(void)
{
    ssh_is(STANDS "head -c 1000000 /dev/zero | tr '\\0' x >&2; echo through; exec cat");
    weir_conn *conn = connected();
    check_received(conn, "through\n");
    weir_close(conn);
    check_gone();
}

/* As of an old one, which tells of each window: what came after them is not known, and so no reason to fail. */
static void an_end_whose_word_was_lost_is_an_end(void)
{
    char byte;
    ssh_is(STANDS
           "read line; yes 'debug2: channel 0: window 1 sent adjust 1' | head -c 1000000 >&2; echo done; " ENDED);
    weir_conn *conn = connected();
    check(weir_send_all(conn, "go\n", 3) == 0);
    check_received(conn, "done\n");
    check(weir_recv(conn, &byte, 1) == 0);
    check(weir_at_end(conn));
    weir_close(conn);
    check_gone();
}

/* --- closing --- */

static void what_was_sent_gets_away_before_it_ends(void)
{
    static char bytes[100000];
    ssh_is(STANDS "sleep 0.2; cat >got; " ENDED);
    memset(bytes, 'x', sizeof bytes);
    weir_conn *conn = connected();
    check(weir_send_all(conn, bytes, sizeof bytes) == 0);
    check(weir_close(conn) == 0);
    struct stat status;
    check(stat(path_of("got"), &status) == 0 && status.st_size == sizeof bytes);
    check_gone();
}

static void a_timeout_does_not_keep_back_what_was_sent(void)
{
    char byte;
    struct stat status;
    ssh_is(STANDS "cat >got; " ENDED);
    weir_conn *conn = connected();
    check(weir_set_nodelay(conn, true) == 0);
    weir_set_timeout(conn, WEIR_MS(1));
    check(weir_recv(conn, &byte, 1) == -1 && errno == ETIMEDOUT);
    check(weir_send_all(conn, "late", 4) == 0);
    check(weir_close(conn) == 0);
    check(stat(path_of("got"), &status) == 0 && status.st_size == 4);
    check_gone();
}

static void one_that_does_not_end_is_ended(void **state)
{
    (void)state;
    ssh_is(STANDS "exec sleep 1000");
    weir_conn *conn = connected();
    check(weir_send_all(conn, "x", 1) == 0);
    check(weir_close(conn) == 0);
    check_gone();
}

static void nothing_sent_is_nothing_to_wait_for(void)
{
    ssh_is(STANDS "sleep 1000 & exec sleep 1000");
    weir_close(connected());
    check_gone();
}

static void an_abort_ends_it_at_once(void)
{
    char byte;
    ssh_is(STANDS "exec sleep 1000");
    weir_conn *conn = connected();
    check(weir_send_all(conn, "x", 1) == 0);
    weir_abort(conn);
    check(weir_recv(conn, &byte, 1) == -1 && errno == ECONNABORTED);
    weir_close(conn);
    check_gone();
}

static void no_descriptor_is_left(void)
{
    ssh_is(STANDS "cat; " ENDED);
    weir_close(connected()); /* what is made once */
    int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(before);
    for (int i = 0; i < 3; i++)
        weir_close(connected());
    ssh_is("exit 1");
    check(!try_connecting(WEIR_S(20)));
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(after);
    check(after <= before);
}

/* --- forwards --- */

#define LISTENS "echo 'debug1: x.c:f():1 (pid=1): Local forwarding listening on path x.' >&2; "

static void a_forward_is_told_of_its_end(void)
{
    struct stat status;
    char path[108];
    ssh_is(LISTENS "read line <fifo; echo 'Connection to box closed by remote host.' >&2; exit 255");
    check(mkfifo(path_of("fifo"), 0600) == 0);
    weir_forward *forward = weir_forward_open(through_box, "db:5432", WEIR_S(20));
    check(forward);
    check(strncmp(weir_forward_endpoint(forward), "unix:/", 6) == 0);
    snprintf(path, sizeof path, "%s", weir_forward_endpoint(forward) + 5);
    check(strlen(path) > 2);
    path[strlen(path) - 2] = '\0';
    check(stat(path, &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & 0777) == 0700);
    check(weir_forward_wait(forward, weir_deadline(WEIR_MS(10))) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    int fifo = open(path_of("fifo"), O_RDWR | O_CLOEXEC);
    check(fifo >= 0 && write(fifo, "\n", 1) == 1);
    check(weir_forward_wait(forward, SOON) == -1);
    check_error(ECONNREFUSED, WEIR_ERROR_SSH);
    check_text(weir_error()->sentence, "forward tcp://db:5432: ssh://box: Connection to box closed by remote host.");
    close(fifo);
    unlink(path_of("fifo"));
    weir_forward_close(forward);
    check(stat(path, &status) == -1 && errno == ENOENT);
    check_gone();
}

static void a_forward_that_fails_says_why(void)
{
    const char *const no_ssh[] = {"socks5://h", NULL}, *const shared[] = {"ssh://box?multiplex=yes", NULL};
    ssh_is("echo 'me@box: Permission denied (publickey).' >&2; exit 255");
    check(!weir_forward_open(through_box, "db:5432", WEIR_S(20)));
    check_error(EACCES, WEIR_ERROR_SSH);
    check_gone();
    check(!weir_forward_open(no_ssh, "db:5432", WEIR_S(20)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_forward_open(shared, "db:5432", WEIR_S(20)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_forward_open(NULL, "db:5432", WEIR_S(20)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    check(!weir_forward_open(through_box, "unix:/x", WEIR_S(20)));
    check_error(EINVAL, WEIR_ERROR_USAGE);
    weir_forward_close(NULL);
}

/* --- the command line --- */

static void its_arguments_keep_to_what_the_user_has_configured(void)
{
    static const char *const hops[] = {"ssh://me@box:2222?config=/a%20b", NULL};
    ssh_is("echo x >&2; exit 1");
    check(!weir_connect("tcp://[::1]:80",
                        WEIR_OPTIONS(weir_connect_options, .via = hops, .family = AF_INET, .bind = "127.0.0.1")));
    const char *arguments = read_file("arguments");
    check(strstr(arguments, "BatchMode=yes\n") && strstr(arguments, "ForwardAgent=no\n"));
    check(!strstr(arguments, "StrictHostKeyChecking") && !strstr(arguments, "KnownHosts"));
    check(!strstr(arguments, "\n-g\n") && !strstr(arguments, "\n-A\n"));
    check(strstr(arguments, "-4\n-b\n127.0.0.1\n"));
    check(strstr(arguments, "-W\n[::1]:80\n-F\n/a b\n-p\n2222\n-l\nme\n--\nbox\n"));
    check(!weir_connect("tcp://h:80", WEIR_OPTIONS(weir_connect_options, .via = hops, .bind = "127.0.0.1:80")));
    check_error(EINVAL, WEIR_ERROR_USAGE);
}

/* What each ssh gives to the shell for the one before it comes to that one as it was meant, whatever is in it. */
static void hops_are_each_others_command(void)
{
    static const char *const hops[] = {"ssh://box?config=/it's%20%25d", "ssh://b%24(x)@two?config=/a%22b",
                                       "ssh://three", NULL};
    ssh_is("for word in \"$@\"; do case $word in ProxyCommand=*)\n"
           "command=$(printf %s \"${word#ProxyCommand=}\" | sed 's/%%/@@/g; s/%h/HOST/g; s/%p/PORT/g; s/@@/%/g')\n"
           "eval \"$command\" || exit 1;; esac; done\n"
           "printf '%s\\n' \"$@\" >>all; exit 1");
    unlink(path_of("all"));
    check(!weir_connect("tcp://db:5432", WEIR_OPTIONS(weir_connect_options, .via = hops)));
    const char *all = read_file("all");
    check(strstr(all, "-W\n[HOST]:PORT\n-F\n/it's %d\n--\nbox\n"));
}

/* OpenSSH before 8.5. It is remembered, so this comes last. */
static void an_old_one_is_asked_in_another_way(void)
{
    ssh_is("for word in \"$@\"; do case $word in LogVerbose*)\n"
           "echo 'command-line: line 0: Bad configuration option: logverbose' >&2; exit 255;; esac; done\n" STANDS
           "cat; " ENDED);
    for (int i = 0; i < 2; i++) {
        weir_conn *conn = connected();
        check(weir_send_all(conn, "old", 3) == 0);
        check_received(conn, "old");
        weir_close(conn);
        check(strstr(read_file("arguments"), "LogLevel=DEBUG2\n"));
    }
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"ssh", "pid", "arguments", "got", "all", "new"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(path_of(names[i]));
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_connection_is_sshs_input_and_output),
        EVERYWHERE(its_words_are_in_the_error),
        EVERYWHERE(there_may_be_no_ssh),
        EVERYWHERE(one_that_hangs_is_ended_at_the_deadline),
        IN_FIBERS(who_waits_for_it_may_be_cancelled),
        EVERYWHERE(a_death_is_no_end),
        EVERYWHERE(a_line_that_is_cut_off_is_no_end),
        EVERYWHERE(a_copy_notices_a_death),
        EVERYWHERE(of_a_shared_one_an_end_is_an_end),
        EVERYWHERE(words_that_nobody_reads_hold_up_nothing),
        EVERYWHERE(an_end_whose_word_was_lost_is_an_end),
        EVERYWHERE(what_was_sent_gets_away_before_it_ends),
        EVERYWHERE(a_timeout_does_not_keep_back_what_was_sent),
        cmocka_unit_test(one_that_does_not_end_is_ended),
        EVERYWHERE(nothing_sent_is_nothing_to_wait_for),
        EVERYWHERE(an_abort_ends_it_at_once),
        EVERYWHERE(no_descriptor_is_left),
        EVERYWHERE(a_forward_is_told_of_its_end),
        EVERYWHERE(a_forward_that_fails_says_why),
        EVERYWHERE(its_arguments_keep_to_what_the_user_has_configured),
        EVERYWHERE(hops_are_each_others_command),
        EVERYWHERE(an_old_one_is_asked_in_another_way),
    };
    return cmocka_run_group_tests_name("ssh", tests, make_folder, remove_folder);
}
