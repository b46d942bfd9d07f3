/* Files, and pipes: a log on a disk that is full now and then, files that are sent, what goes through a pipe. */
#include "common.h"
#include "scenarios.h"

enum { MOST_RECORD = 600, MOST_FILE = 40000, CLIENTS = 2, MOST_PIPE = 120000, CHUNK = 4096 };

#define PATIENCE WEIR_S(15)
#define LOG      "/tmp/log"

/* --- a log, whose bytes are those of one pattern --- */

static struct {
    uint64_t seed;
    int64_t synced;  /* what the disk has confirmed */
    bool was_synced; /* once at least after the faults */
} journal;

/* What is there is what was written, and nothing that was synced is missing. Returns its size, or -1. */
static int64_t check_log(weir_file *file)
{
    char data[CHUNK];
    int64_t size = weir_file_size(file);
    WEIR_SIM_CHECK(size < 0 || size >= journal.synced);
    for (int64_t done = 0; done < size;) {
        ssize_t length = weir_file_read_at(file, data, sizeof data, done);
        if (length <= 0 || !check_pattern(journal.seed, (uint64_t)done, data, (size_t)length))
            return -1;
        done += length;
    }
    return size;
}

/* A record, to its end, however often the disk is full in between; and then to the disk. 0; -1 to give up for now. */
static int append(weir_file *file, int64_t *size)
{
    char record[MOST_RECORD];
    size_t length = 1 + (size_t)weir_sim_below(MOST_RECORD);
    pattern(journal.seed, (uint64_t)*size, record, length);
    for (size_t done = 0; done < length;) {
        int result = weir_file_write_all(file, record + done, length - done, WEIR_FOREVER);
        size_t went = result == 0 ? length - done : (size_t)weir_error()->transferred;
        WEIR_SIM_CHECK(went <= length - done);
        WEIR_SIM_CHECK(result == 0 || errno == ENOSPC || errno == EIO || errno == ECANCELED);
        done += went;
        *size += (int64_t)went;
        if (result < 0 && weir_sleep(WEIR_MS(10)) < 0)
            return -1;
    }
    if (!one_in(4) || weir_file_sync(file) < 0)
        return 0;
    journal.synced = *size;
    journal.was_synced = !weir_sim_faulty();
    return 0;
}

static int keep_log(weir_file *file, weir_signals *signals)
{
    int64_t size = check_log(file);
    while (size >= 0) {
        if (weir_signals_wait(signals, weir_deadline(between(0, WEIR_MS(400)))) == SIGTERM)
            return 0;
        if (errno != ETIMEDOUT || append(file, &size) < 0)
            return -1;
    }
    return -1;
}

static int log_service(void *arg)
{
    const int number = SIGTERM;
    (void)arg;
    weir_signals *signals = weir_signals_new(&number, 1);
    weir_file *file = signals ? weir_file_open(LOG, O_RDWR | O_CREAT | O_APPEND, 0600) : NULL;
    int result = file ? keep_log(file, signals) : -1;
    if (file && weir_file_close(file) < 0 && weir_sim_faulty() == false)
        result = -1;
    weir_signals_free(signals);
    return result;
}

/* Waits until the log works when faults are over. */
static int look_at_log(void *arg)
{
    (void)arg;
    if (weir_sleep_until(weir_sim_faults_end() + WEIR_S(30)) < 0)
        return -1;
    WEIR_SIM_CHECK(journal.was_synced);
    return 0;
}

void log_writer(void)
{
    memset(&journal, 0, sizeof journal);
    journal.seed = weir_sim_below(UINT64_MAX);
    weir_sim_service(weir_sim_host_new("disk"), "log", log_service, NULL);
    weir_sim_program(weir_sim_host_new(NULL), "look", look_at_log, NULL);
}

/* --- files that are sent --- */

static struct {
    struct serving serving;
    struct story story;
} sent;

/* A part of the file by sendfile, until all of it has gone. */
static int send_file(weir_conn *conn, weir_file *file)
{
    int64_t offset = 0, size = (int64_t)(STORY_HEADER + sent.story.length);
    while (offset < size) {
        int64_t before = offset, went = weir_sendfile(conn, weir_file_fd(file), &offset, 1 + weir_sim_below(20000));
        if (went < 0)
            return -1;
        WEIR_SIM_CHECK(went == offset - before && offset <= size);
        if (went == 0 && offset < size)
            weir_sim_fail("the file ends at %lld of %lld", (long long)offset, (long long)size);
        if (went == 0)
            break;
    }
    return weir_shutdown(conn, SHUT_WR);
}

static void send_handler(weir_conn *conn, void *arg)
{
    (void)arg;
    weir_file *file = weir_file_open("/tmp/story", O_RDONLY, 0);
    if (!file || send_file(conn, file) < 0)
        weir_abort(conn);
    weir_file_close(file);
}

static int write_story(weir_file *file)
{
    char data[CHUNK];
    uint64_t size = STORY_HEADER + sent.story.length;
    for (uint64_t done = 0; done < size; done += sizeof data) {
        size_t piece = size - done < sizeof data ? (size_t)(size - done) : sizeof data;
        story_bytes(&sent.story, done, data, piece);
        if (weir_file_write_at(file, data, piece, (int64_t)done) < 0)
            return -1;
    }
    return 0;
}

static int send_service(void *arg)
{
    weir_file *file = weir_file_open("/tmp/story", O_RDWR | O_CREAT, 0600);
    int result = file ? write_story(file) : -1;
    if (file && weir_file_close(file) < 0)
        result = -1;
    return result < 0 ? -1 : serve(arg);
}

static int fetch(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    if (story_hear(conn, &sent.story, one_in(3) ? WEIR_MS(50) : 0) < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(4); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a file", fetch, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void send_files(void)
{
    sent.story = story_new(MOST_FILE);
    sent.serving = (struct serving){
        .endpoint = "tcp://*:7", .handler = send_handler, .options = {.workers = 1, .idle_timeout = WEIR_S(20)}};
    weir_sim_service(weir_sim_host_new("server"), "files", send_service, &sent.serving);
    for (int i = 0; i < CLIENTS; i++)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}

/* --- pipes --- */

struct writer {
    weir_file *file;
    uint64_t seed, size;
};

static int write_pipe(void *arg)
{
    struct writer *writer = arg;
    char data[CHUNK];
    int result = 0;
    for (uint64_t done = 0, piece; done < writer->size && result == 0; done += piece) {
        piece = 1 + weir_sim_below(sizeof data);
        piece = piece < writer->size - done ? piece : writer->size - done;
        pattern(writer->seed, done, data, (size_t)piece);
        result = weir_file_write_all(writer->file, data, (size_t)piece, WEIR_FOREVER);
    }
    WEIR_SIM_CHECK(result == 0 || errno == EPIPE);
    weir_file_close(writer->file);
    return result;
}

/* All of it, with deadlines that pass while it waits; or up to a point, where it closes and the writer has a broken pipe. */
static uint64_t read_pipe(weir_file *file, uint64_t seed, uint64_t most)
{
    char data[CHUNK];
    uint64_t done = 0;
    while (done < most) {
        int64_t deadline = weir_now() + between(0, WEIR_MS(2));
        ssize_t size = weir_file_read(file, data, 1 + (size_t)weir_sim_below(sizeof data), deadline);
        if (size == 0)
            break;
        if (size < 0) {
            WEIR_SIM_CHECK(errno == ETIMEDOUT && weir_now() >= deadline);
            continue;
        }
        check_pattern(seed, done, data, (size_t)size);
        done += (uint64_t)size;
        if (one_in(8))
            weir_sleep(between(0, WEIR_MS(3)));
    }
    return done;
}

static int one_pipe(void *arg)
{
    weir_file *end[2];
    int written = 0;
    (void)arg;
    if (weir_pipe(end) < 0)
        return -1;
    struct writer writer = {end[1], weir_sim_below(UINT64_MAX), weir_sim_below(MOST_PIPE)};
    weir_fiber *fiber = weir_spawn(write_pipe, &writer, WEIR_OPTIONS(weir_fiber_options, .name = "writer"));
    uint64_t most = one_in(4) ? weir_sim_below(writer.size + 1) : UINT64_MAX;
    uint64_t read = fiber ? read_pipe(end[0], writer.seed, most) : 0;
    weir_file_close(end[0]);
    if (!fiber)
        weir_file_close(end[1]);
    else
        weir_join(fiber, &written, WEIR_FOREVER);
    WEIR_SIM_CHECK(most != UINT64_MAX || (read == writer.size && written == 0));
    return 0;
}

static int use_pipes(void *arg)
{
    for (uint64_t times = 1 + weir_sim_below(3); times; times--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a pipe", one_pipe, arg, SHORTLY) < 0)
            return -1;
    return 0;
}

void pipes(void)
{
    weir_sim_host *host = weir_sim_host_new(NULL);
    weir_sim_program(host, "pipes", use_pipes, NULL);
    weir_sim_program(host, "pipes", use_pipes, NULL);
}
