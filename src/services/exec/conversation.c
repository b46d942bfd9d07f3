/*
 * A client and its program, joined by pipes.
 *
 * Four fibers of one loop, so nothing is locked: the client's own, which waits for the program and looks after both; and its
 * helpers, which copy what the client sends to the program's stdin, what the program writes on its stdout to the client, and
 * what it says on its stderr to the log.
 *
 * Pipes and not the socket itself: the limits and counters of the server hold, every transport is served alike, a program
 * that ends without having read all does not have the kernel reset what it wrote, and /dev/stdin can be opened.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "environment.h"
#include "exec.h"

/* How often a client that nobody reads from is looked at: nothing tells of its reset. */
#define LOOK WEIR_S(1)

/* How long who inherited a pipe of the program's, outside of its group, may keep us from ending once that is empty. */
#define LEFTOVER WEIR_MS(100)

/*
 * Closing while bytes of the client's are unread would have the kernel drop what it has not got yet. So it is read from
 * until it ends its side, at least so long, and so often again while it still takes what the program wrote.
 */
#define LINGER WEIR_S(3)
enum { LINGERS = 20 };

enum { INPUT, OUTPUT, ERRORS, HELPERS };

struct conversation {
    const struct exec *exec;
    weir_conn *conn;
    const char *client;
    weir_process *process;
    weir_fiber *helpers[HELPERS];
    int64_t began, moved_at; /* when a byte was last seen to have moved */
    uint64_t moved;
    char gone[160]; /* why there is no client any more to serve; "": there is */
    int64_t gone_at;
    bool delivered; /* the client was told the end of the program's output */
    bool cut;       /* the server has cancelled this */
    bool ended;     /* the program has, with this status */
    int status;
    char label[EXEC_CLIENT_ROOM + 64]; /* client and program, as the log has them */
};

/* --- the client goes --- */

/* The program may end in its own way, for a while. Whoever was stopped is woken for it. */
static void client_gone(struct conversation *conversation, const char *why)
{
    if (*conversation->gone)
        return;
    snprintf(conversation->gone, sizeof conversation->gone, "%s", why);
    conversation->gone_at = weir_now();
    weir_process_kill(conversation->process, SIGTERM);
    weir_process_kill(conversation->process, SIGCONT);
}

/* By what a call on the connection failed. */
static void client_failed(struct conversation *conversation)
{
    if (weir_error()->kind == WEIR_ERROR_CANCELLED)
        return;
    client_gone(conversation, weir_error()->kind == WEIR_ERROR_DEADLINE ? weir_error()->reason : "the client has gone");
}

bool exec_is_cut(const weir_conn *conn)
{
    struct pollfd query = {.fd = weir_fd(conn)};
    weir_address local;
    if (poll(&query, 1, 0) <= 0)
        return false;
    /* A Unix socket hangs up as soon as its peer has closed, though its bytes are yet to be read. */
    bool local_socket = weir_local_address(conn, &local) == 0 && local.any.sa_family == AF_UNIX;
    return query.revents & (local_socket ? POLLERR : POLLERR | POLLHUP);
}

/* --- the helpers --- */

/* What the client sends when nobody reads it any more; its reset, and its limits, still count. */
static void discard(struct conversation *conversation)
{
    char *data;
    ssize_t got;
    while ((got = weir_receive(conversation->conn, &data)) > 0)
        ;
    if (got < 0)
        client_failed(conversation);
}

static int feed(void *arg)
{
    struct conversation *conversation = arg;
    weir_file *input = weir_process_file(conversation->process, 0);
    int64_t copied = weir_copy_to_file(conversation->conn, input, UINT64_MAX, WEIR_FOREVER);
    bool taken = copied >= 0 || errno != EPIPE;
    if (copied < 0 && taken)
        client_failed(conversation);
    weir_process_close_file(conversation->process, 0);
    if (!taken)
        discard(conversation);
    return 0;
}

static int deliver(void *arg)
{
    struct conversation *conversation = arg;
    weir_file *output = weir_process_file(conversation->process, 1);
    int64_t copied = weir_copy_from_file(conversation->conn, output, UINT64_MAX, WEIR_FOREVER);
    if (copied < 0)
        client_failed(conversation);
    weir_process_close_file(conversation->process, 1);
    if (*conversation->gone || conversation->cut)
        return 0;
    weir_shutdown(conversation->conn, SHUT_WR);
    conversation->delivered = true;
    return 0;
}

static int listen_to_errors(void *arg)
{
    struct conversation *conversation = arg;
    exec_log_lines(weir_process_file(conversation->process, 2), conversation->label);
    return 0;
}

static int start_helpers(struct conversation *conversation)
{
    static weir_fiber_function *const functions[HELPERS] = {feed, deliver, listen_to_errors};
    static const char *const names[HELPERS] = {"input", "output", "errors"};
    for (int i = 0; i < HELPERS; i++) {
        conversation->helpers[i] =
            weir_spawn(functions[i], conversation, WEIR_OPTIONS(weir_fiber_options, .name = names[i]));
        if (!conversation->helpers[i])
            return -1;
    }
    return 0;
}

/* Waits for one; false: not within that time, or the server wants an end. */
static bool await_helper(struct conversation *conversation, int which, int64_t time)
{
    weir_fiber **helper = &conversation->helpers[which];
    if (!*helper)
        return true;
    if (weir_join(*helper, NULL, weir_deadline(time)) == 0)
        *helper = NULL;
    else
        conversation->cut |= errno == ECANCELED;
    return !*helper;
}

static void stop_helper(struct conversation *conversation, int which)
{
    weir_fiber **helper = &conversation->helpers[which];
    if (!*helper)
        return;
    weir_cancel_fiber(*helper);
    weir_join(*helper, NULL, WEIR_FOREVER);
    *helper = NULL;
}

/* --- while the program runs --- */

static int64_t since(int64_t time, int64_t limit)
{
    return limit == WEIR_FOREVER || time > WEIR_FOREVER - limit ? WEIR_FOREVER : time + limit;
}

/*
 * The limits are the connection's own while somebody reads from it. Once the client has ended its side, or while the program
 * does not read, nobody does; then they are kept here, a look later.
 */
static void look_at_client(struct conversation *conversation)
{
    const struct exec *exec = conversation->exec;
    uint64_t received, sent;
    int64_t now = weir_now();
    weir_conn_bytes(conversation->conn, &received, &sent);
    if (received + sent != conversation->moved) {
        conversation->moved = received + sent;
        conversation->moved_at = now;
    }
    /* Whoever has ended its side too has nothing more to wait for; its program may still be at work on what it sent. */
    if (!conversation->delivered && exec_is_cut(conversation->conn))
        client_gone(conversation, "the client has gone");
    else if (now - LOOK > since(conversation->moved_at, exec->idle))
        client_gone(conversation, "idle for too long");
    else if (now - LOOK > since(conversation->began, exec->lifetime))
        client_gone(conversation, "the connection has lasted too long");
}

static void look_after(struct conversation *conversation)
{
    if (!*conversation->gone)
        look_at_client(conversation);
    else if (weir_now() >= since(conversation->gone_at, conversation->exec->grace))
        weir_process_kill(conversation->process, SIGKILL);
}

static int64_t next_look(const struct conversation *conversation)
{
    int64_t look = weir_deadline(LOOK);
    int64_t end = *conversation->gone ? since(conversation->gone_at, conversation->exec->grace) : look;
    return end > weir_now() && end < look ? end : look;
}

/* Returns when it has ended, or is to be ended. */
static void run_program(struct conversation *conversation)
{
    while (weir_process_wait(conversation->process, &conversation->status, next_look(conversation)) < 0) {
        if (errno == ETIMEDOUT) {
            look_after(conversation);
            continue;
        }
        conversation->cut |= errno == ECANCELED;
        if (!conversation->cut)
            client_gone(conversation, weir_error()->sentence);
        return;
    }
    conversation->ended = true;
}

/* --- the end --- */

/* Whether nothing is in the pipe, and yet somebody could still write to it. */
static bool is_quiet(const weir_file *file)
{
    struct pollfd query = {.fd = weir_file_fd(file), .events = POLLIN};
    return poll(&query, 1, 0) == 0;
}

/*
 * Lets a helper finish what the program, which has ended, wrote. Cancelling the file has it end once all that it has read of
 * it was sent, however slowly the client takes it.
 */
static void empty_pipe(struct conversation *conversation, int which)
{
    while (!await_helper(conversation, which, LEFTOVER) && !conversation->cut && !*conversation->gone) {
        weir_file *file = weir_process_file(conversation->process, which);
        if (file && is_quiet(file))
            weir_file_cancel(file);
    }
}

static bool is_taking(const weir_conn *conn)
{
    int unsent = 0;
    return ioctl(weir_fd(conn), TIOCOUTQ, &unsent) == 0 && unsent > 0;
}

static void linger(struct conversation *conversation)
{
    for (int i = 0; i < LINGERS && !conversation->cut && !*conversation->gone; i++)
        if (await_helper(conversation, INPUT, LINGER) || !is_taking(conversation->conn))
            return;
}

static void tell_end(const struct conversation *conversation)
{
    int status = conversation->status;
    char how[64];
    if (!conversation->ended)
        snprintf(how, sizeof how, "is killed");
    else if (WIFEXITED(status))
        snprintf(how, sizeof how, "exited with status %d", WEXITSTATUS(status));
    else
        snprintf(how, sizeof how, "was ended by %s", weir_signal_name(WTERMSIG(status)));
    weir_log(WEIR_LOG_INFO, "%s: %s%s%s", conversation->label, how, *conversation->gone ? ": " : "",
             conversation->gone);
}

static int await_grace(void *arg)
{
    struct conversation *conversation = arg;
    const struct exec *exec = conversation->exec;
    return weir_process_wait(conversation->process, &conversation->status, since(conversation->gone_at, exec->grace));
}

/*
 * The server wants an end: the fiber is cancelled and can wait for nothing any more, the pool can. All clients of a server
 * are cancelled at one time, so their graces end at one time however few threads the pool has.
 */
static void end_program(struct conversation *conversation)
{
    int result = -1;
    client_gone(conversation, "the server ends");
    weir_offload(await_grace, conversation, NULL, &result, WEIR_FOREVER);
    conversation->ended = result == 0;
}

static void finish(struct conversation *conversation)
{
    if (conversation->cut) {
        end_program(conversation);
    } else {
        empty_pipe(conversation, OUTPUT);
        empty_pipe(conversation, ERRORS);
        if (conversation->cut)
            client_gone(conversation, "the server ends");
    }
    slots_give(conversation->exec->slots);
    stop_helper(conversation, OUTPUT);
    stop_helper(conversation, ERRORS);
    tell_end(conversation);
    linger(conversation);
    stop_helper(conversation, INPUT);
    /* Who did not get all is not to take it for all. */
    if (*conversation->gone || conversation->cut)
        weir_abort(conversation->conn);
}

/* --- the beginning --- */

static weir_process *start_program(const struct exec *exec, const weir_conn *conn)
{
    struct exec_environment *environment = malloc(sizeof *environment);
    if (!environment) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", exec->name, NULL);
        return NULL;
    }
    exec_environment_fill(environment, conn);
    /* It dies with its parent, so this thread starts it itself: that is also quicker than to have the pool do it. */
    weir_process *process =
        weir_process_start(exec->command, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE,
                                                       .output = WEIR_STDIO_PIPE, .error = WEIR_STDIO_PIPE,
                                                       .program = exec->program, .environment = environment->variables,
                                                       .new_group = true, .end_group = true, .die_with_parent = true));
    free(environment);
    return process;
}

static void begin(struct conversation *conversation)
{
    const struct exec *exec = conversation->exec;
    conversation->began = conversation->moved_at = weir_now();
    snprintf(conversation->label, sizeof conversation->label, "%s: %s[%d]", conversation->client, exec->name,
             (int)weir_process_id(conversation->process));
    if (start_helpers(conversation) < 0)
        client_gone(conversation, "no memory");
}

void exec_converse(const struct exec *exec, weir_conn *conn, const char *client)
{
    struct conversation *conversation = calloc(1, sizeof *conversation);
    weir_process *process = conversation ? start_program(exec, conn) : NULL;
    if (!process) {
        weir_log(WEIR_LOG_ERROR, "%s: %s", client, conversation ? weir_error()->sentence : "no memory");
        slots_give(exec->slots);
        weir_abort(conn);
        free(conversation);
        return;
    }
    conversation->exec = exec;
    conversation->conn = conn;
    conversation->client = client;
    conversation->process = process;
    begin(conversation);
    run_program(conversation);
    finish(conversation);
    weir_process_free(process);
    free(conversation);
}
