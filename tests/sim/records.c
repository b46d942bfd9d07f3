/*
 * The log's store, on a disk that fails or is full now and then, and a host that is unplugged: its file has whole lines, and as
 * many as datagrams came, but for those that it tells as dropped.
 */
#include "../../src/services/log/store.h"
#include "common.h"
#include "scenarios.h"

enum { MOST_SENDERS = 4, MOST_SENT = 60, MOST_LETTERS = 900, ROOM = 1000 };

#define RECORDS "/tmp/records"

/* What a file of records has. */
struct content {
    uint64_t stored, told;
    uint64_t fragments; /* lines that are not whole, or empty */
};

static struct {
    struct serving serving;
    struct store *store;
    uint64_t runs;
    uint64_t received; /* in this run, the kernel's losses included */
} world;

/* --- what a line may be --- */

/* "12 345 mmmmm": a number, how many letters there are, and they. */
static size_t compose(unsigned number, unsigned letters, char *text)
{
    size_t begin = (size_t)snprintf(text, ROOM, "%u %u ", number, letters);
    memset(text + begin, (int)('a' + number % 26), letters);
    text[begin + letters] = '\0';
    return begin + letters;
}

static bool is_message(const char *text)
{
    static const char cut[] = " [truncated]";
    char whole[ROOM];
    unsigned number, letters;
    size_t length = strlen(text);
    if (length >= sizeof cut - 1 && strcmp(text + length - (sizeof cut - 1), cut) == 0)
        return true;
    if (sscanf(text, "%u %u ", &number, &letters) != 2 || letters > MOST_LETTERS)
        return false;
    compose(number, letters, whole);
    return strcmp(text, whole) == 0;
}

static void take_line(struct content *content, const char *line)
{
    unsigned long long dropped;
    char end[16] = "";
    const char *message = strchr(line, '\t');
    if (message && sscanf(message, "\t%llu datagrams %15s", &dropped, end) == 2 && strcmp(end, "dropped") == 0)
        content->told += dropped;
    else if (message && is_message(message + 1))
        content->stored++;
    else
        content->fragments++;
}

/* --- the file --- */

static int read_all(weir_file *file, char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t length = weir_file_read_at(file, text + done, size - done, (int64_t)done);
        if (length <= 0)
            return -1;
        done += (size_t)length;
    }
    return 0;
}

static int count_lines(weir_file *file, struct content *content)
{
    int64_t size = weir_file_size(file);
    char *text = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (!text || read_all(file, text, (size_t)size) < 0) {
        free(text);
        return -1;
    }
    text[size] = '\0';
    char *rest = text;
    for (char *end; (end = strchr(rest, '\n')); rest = end + 1) {
        *end = '\0';
        take_line(content, rest);
    }
    content->fragments += *rest != '\0';
    free(text);
    return 0;
}

/* 0, or -1 where the disk would not tell. */
static int look(struct content *content)
{
    *content = (struct content){0};
    weir_file *file = weir_file_open(RECORDS, O_RDONLY, 0);
    int result = file ? count_lines(file, content) : -1;
    weir_file_close(file);
    return result;
}

/* --- the service --- */

static void handler(const weir_datagram *datagram, void *arg)
{
    (void)arg;
    store_add(world.store, datagram);
    if (one_in(50))
        store_reopen(world.store);
}

static void counted(const weir_counters *counters)
{
    world.received = counters->datagrams_in + counters->datagrams_dropped;
    WEIR_SIM_CHECK(counters->datagrams_out == 0);
    store_dropped(world.store, counters->datagrams_dropped);
}

/* What a run has added is what came to it, where nothing went wrong at its end; and whatever went wrong, lines are whole. */
static void check_run(bool ended_well, const struct content *before)
{
    struct content after;
    if (look(&after) < 0)
        return;
    if (after.fragments > 2 * world.runs)
        weir_sim_fail("%llu lines are not whole after %llu runs", (unsigned long long)after.fragments,
                      (unsigned long long)world.runs);
    if (!ended_well || !before)
        return;
    uint64_t added = after.stored + after.told - before->stored - before->told;
    if (added != world.received)
        weir_sim_fail("%llu datagrams came, %llu are stored or told", (unsigned long long)world.received,
                      (unsigned long long)added);
}

static int serve_records(void *arg)
{
    struct content before;
    world.runs++;
    world.store = store_new(RECORD_TEXT, &(struct output_options){.path = RECORDS});
    if (!world.store)
        return -1;
    bool knows = look(&before) == 0;
    int result = serve(arg);
    bool disk_works = !weir_sim_faulty();
    store_free(world.store);
    check_run(result == 0 && disk_works, knows ? &before : NULL);
    return result;
}

/* --- senders --- */

static int send_some(weir_conn *conn)
{
    char text[ROOM];
    unsigned letters = one_in(2) ? 0 : (unsigned)between(0, MOST_LETTERS);
    size_t length = compose((unsigned)weir_sim_below(1000000), letters, text);
    return weir_send(conn, text, length) < 0 ? -1 : 0;
}

/* Whoever is refused, since nobody listens just now, goes on. */
static int sender(void *arg)
{
    (void)arg;
    for (int64_t sent = between(1, MOST_SENT); sent;) {
        weir_conn *conn = reach("udp://server:514", WEIR_S(5));
        while (conn && sent && send_some(conn) == 0) {
            sent--;
            if (one_in(3) && weir_sleep(between(0, WEIR_S(1))) < 0)
                break;
        }
        weir_close(conn);
        if (weir_sleep(between(0, WEIR_S(1))) < 0)
            return -1;
    }
    return 0;
}

/* Goes on until faults are over, and what is lost has been told. */
static int wait_for_quiet(void *arg)
{
    (void)arg;
    return weir_sleep_until(weir_sim_faults_end() + SHORTLY);
}

void records(void)
{
    memset(&world, 0, sizeof world);
    world.serving = (struct serving){
        .endpoint = "udp://*:514",
        .datagram = handler,
        .counted = counted,
        .by_hand = true,
        .options = {.workers = between(1, 3), .gather_time = one_in(2) ? WEIR_MS(2) : 0},
    };
    weir_sim_service(weir_sim_host_new("server"), "log", serve_records, &world.serving);
    for (int64_t senders = between(1, MOST_SENDERS); senders; senders--)
        weir_sim_program(weir_sim_host_new(NULL), "sender", sender, NULL);
    weir_sim_program(weir_sim_host_new(NULL), "wait", wait_for_quiet, NULL);
}
