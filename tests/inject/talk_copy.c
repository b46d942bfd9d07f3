/* Conversations that copy: from a connection to a pipe or file and back, and from one to the other more than a buffer holds. */
#include <fcntl.h>

#include "talks.h"

enum { LONG = 400000 }; /* more than a pipe or a socket takes at once */
static char long_text[LONG];

/* What is there last differs from what is there first: a piece left out, or twice, is seen. */
static void fill_long_text(void)
{
    for (size_t i = 0; i < LONG; i++)
        long_text[i] = (char)('a' + i / 1000 % 26);
}

/* --- in a fiber beside --- */

struct copy {
    weir_conn *conn;
    weir_file *file;
    int64_t wanted;
};

static int counted(const struct copy *copy, const char *call, int64_t copied)
{
    if (copied < 0)
        return failed(call) - 1;
    return copied == copy->wanted || cut_short(call) ? 0 : -1;
}

/* Its end is told by closing the pipe, which it owns. */
static int copy_to_pipe(void *arg)
{
    struct copy *copy = arg;
    int result = counted(copy, "weir_copy_to_file", weir_copy_to_file(copy->conn, copy->file, UINT64_MAX, SOON));
    if (weir_file_close(copy->file) < 0)
        result = failed("weir_file_close") - 1;
    if (result < 0)
        weir_abort(copy->conn);
    return result;
}

static int send_long(void *arg)
{
    bool well = weir_send_all(arg, long_text, LONG) == 0 || failed("weir_send_all");
    return well && end_writing(arg) ? 0 : -1;
}

static int write_long(void *arg)
{
    int result = weir_file_write_all(arg, long_text, LONG, SOON) < 0 ? failed("weir_file_write_all") - 1 : 0;
    if (weir_file_close(arg) < 0)
        result = failed("weir_file_close") - 1;
    return result;
}

/* --- what comes out --- */

static bool is_next(const char *call, const char *data, size_t length, size_t *done)
{
    if (length > LONG - *done || memcmp(data, long_text + *done, length) != 0)
        return wrong("%s gives other bytes than were sent, from byte %zu on", call, *done);
    *done += length;
    return true;
}

static bool receive_long(weir_conn *conn)
{
    size_t done = 0;
    char *data;
    ssize_t got;
    while ((got = weir_receive(conn, &data)) > 0)
        if (!is_next("weir_receive", data, (size_t)got, &done))
            return false;
    TRY(got);
    return done == LONG || cut_short("weir_receive");
}

static bool read_long(weir_file *file)
{
    static char got[65536];
    size_t done = 0;
    ssize_t length;
    while ((length = weir_file_read(file, got, sizeof got, SOON)) > 0)
        if (!is_next("weir_file_read", got, (size_t)length, &done))
            return false;
    TRY(length);
    return done == LONG || cut_short("weir_file_read");
}

/* --- to a pipe --- */

static bool pump_to_pipe(weir_conn *pair[2], weir_file *ends[2])
{
    struct copy copy = {pair[1], ends[1], LONG};
    weir_fiber *copier = weir_spawn(copy_to_pipe, &copy, NULL);
    if (!copier) {
        weir_file_close(ends[1]);
        return failed("weir_spawn");
    }
    weir_fiber *sender = weir_spawn(send_long, pair[0], NULL);
    bool well = sender || failed("weir_spawn");
    if (!well)
        weir_abort(pair[1]);
    well &= read_long(ends[0]);
    weir_abort(pair[1]); /* who sends to a copy that has failed is not to wait for it */
    if (sender)
        well &= join(sender);
    return join(copier) && well;
}

/* --- from a pipe --- */

static int copy_from_pipe(void *arg)
{
    struct copy *copy = arg;
    int result = counted(copy, "weir_copy_from_file", weir_copy_from_file(copy->conn, copy->file, UINT64_MAX, SOON));
    if (weir_file_close(copy->file) < 0) /* or who writes there would wait for one who reads no more */
        result = failed("weir_file_close") - 1;
    if (!end_writing(copy->conn))
        weir_abort(copy->conn);
    return result;
}

static bool pump_from_pipe(weir_conn *pair[2], weir_file *ends[2])
{
    struct copy copy = {pair[0], ends[0], LONG};
    weir_fiber *writer = weir_spawn(write_long, ends[1], NULL);
    bool well = writer || failed("weir_spawn");
    if (!well)
        weir_file_close(ends[1]);
    weir_fiber *copier = weir_spawn(copy_from_pipe, &copy, NULL);
    if (!copier) {
        well = failed("weir_spawn");
        weir_file_close(ends[0]);
        weir_abort(pair[0]);
    }
    well &= receive_long(pair[1]);
    weir_abort(pair[0]);
    if (copier)
        well &= join(copier);
    return (!writer || join(writer)) && well;
}

/* Each of them closes both ends of the pipe but the one that it reads itself. */
static bool with_pipe(bool (*pump)(weir_conn *pair[2], weir_file *ends[2]), bool keeps_reader)
{
    weir_conn *pair[2];
    weir_file *ends[2];
    fill_long_text();
    TRY(weir_pair(SOCK_STREAM, pair));
    weir_set_timeout(pair[0], PATIENCE);
    weir_set_timeout(pair[1], PATIENCE);
    bool well = weir_pipe(ends) == 0 || failed("weir_pipe");
    if (well) {
        well = pump(pair, ends);
        if (keeps_reader && weir_file_close(ends[0]) < 0)
            well = failed("weir_file_close");
    }
    weir_close(pair[0]);
    weir_close(pair[1]);
    return well;
}

static bool to_pipe(void)
{
    return with_pipe(pump_to_pipe, true);
}

static bool from_pipe(void)
{
    return with_pipe(pump_from_pipe, false);
}

/* --- to a file, and from it --- */

static const char text[] = "what the file is to have";

static bool copy_into(weir_conn *conn, weir_file *file)
{
    int64_t copied = weir_copy_to_file(conn, file, UINT64_MAX, SOON);
    TRY(copied);
    return copied == sizeof text - 1 || cut_short("weir_copy_to_file");
}

static bool copy_out(weir_conn *conn, weir_file *file)
{
    int64_t copied = weir_copy_from_file(conn, file, UINT64_MAX, SOON);
    TRY(copied);
    return copied == sizeof text - 1 || wrong("weir_copy_from_file says %d bytes", (int)copied);
}

static bool with_file(weir_conn *conn, int flags, bool (*use)(weir_conn *conn, weir_file *file))
{
    weir_file *file = weir_file_open("copied", flags, 0600);
    if (!file)
        return failed("weir_file_open");
    bool well = use(conn, file);
    if (weir_file_close(file) < 0)
        well = failed("weir_file_close");
    return well;
}

static bool to_file_and_back(weir_conn *from, weir_conn *to)
{
    return send_text(from, text) && end_writing(from) && with_file(to, O_WRONLY | O_CREAT | O_TRUNC, copy_into) &&
           with_file(to, O_RDONLY, copy_out) && end_writing(to) && read_text(from, text) && read_end(from);
}

static bool file(void)
{
    weir_conn *pair[2];
    TRY(weir_pair(SOCK_STREAM, pair));
    weir_set_timeout(pair[0], PATIENCE);
    weir_set_timeout(pair[1], PATIENCE);
    bool well = to_file_and_back(pair[0], pair[1]);
    weir_close(pair[0]);
    weir_close(pair[1]);
    return well;
}

/* --- from one connection to the other --- */

struct relay {
    weir_conn *conns[2];
    uint64_t bytes[2];
};

static int join_both(void *arg)
{
    struct relay *relay = arg;
    return weir_copy(relay->conns[0], relay->conns[1], relay->bytes) < 0 ? failed("weir_copy") - 1 : 0;
}

static bool flood(weir_conn *left[2], weir_conn *right[2])
{
    struct relay relay = {{left[1], right[0]}, {0, 0}};
    weir_fiber *copier = weir_spawn(join_both, &relay, NULL);
    weir_fiber *sender = copier ? weir_spawn(send_long, left[0], NULL) : NULL;
    bool well = sender || failed("weir_spawn");
    well = well && receive_long(right[1]) && end_writing(right[1]) && read_end(left[0]);
    if (!well) {
        weir_abort(left[0]);
        weir_abort(right[1]);
    }
    if (sender)
        well &= join(sender);
    if (copier)
        well &= join(copier);
    return well && ((relay.bytes[0] == LONG && relay.bytes[1] == 0) || wrong("weir_copy has counted wrongly"));
}

static bool relay_flood(void)
{
    weir_conn *left[2], *right[2];
    fill_long_text();
    TRY(weir_pair(SOCK_STREAM, left));
    bool well = weir_pair(SOCK_STREAM, right) == 0 || failed("weir_pair");
    for (int i = 0; i < 2 && well; i++) {
        weir_set_timeout(left[i], PATIENCE);
        weir_set_timeout(right[i], PATIENCE);
    }
    if (well) {
        well = flood(left, right);
        weir_close(right[0]);
        weir_close(right[1]);
    }
    weir_close(left[0]);
    weir_close(left[1]);
    return well;
}

const struct conversation copy_talks[] = {
    {"copy_to_pipe", to_pipe, .in_fiber = true},    {"copy_from_pipe", from_pipe, .in_fiber = true},
    {"copy_file", file, .in_fiber = true},          {"copy_file_in_thread", file, .once = true},
    {"relay_flood", relay_flood, .in_fiber = true}, {0},
};
