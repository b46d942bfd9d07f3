/*
 * As many clients that do not read as one process may have descriptors: each handler holds a view that it cannot get rid
 * of, and the memory stays that of the bounded pool. Then they read, and all of it is there.
 */
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "live.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum {
#ifdef SANITIZED
    MOST = 1000,
#else
    MOST = 19000,
#endif
    SPARE = 100, /* descriptors for everything else */
    SIZE = 6000,
    SEND_BUFFER = 2048,
    /* What the handler of a slow reader may cost beside the pool: its connection, its client, a small view. */
    HEAP_EACH = 4096,
    HEAP_POOL = 16 << 20,
    RESIDENT_EACH = 20 << 10,
    RESIDENT_POOL = 32 << 20,
};

/* --- the clients, in a process of their own --- */

#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "client: %s does not hold: %s\n", #condition, strerror(errno));                            \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static int client(const struct sockaddr_un *address, socklen_t length)
{
    struct timeval patience = {.tv_sec = 30};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0);
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    must(connect(fd, (const struct sockaddr *)address, length) == 0);
    return fd;
}

static void send_pattern(int fd, int seed)
{
    char data[SIZE];
    pattern(data, sizeof data, (uint64_t)seed);
    must(send(fd, data, sizeof data, MSG_NOSIGNAL) == sizeof data);
}

static void receive_pattern(int fd, int seed)
{
    char data[SIZE], expected[SIZE];
    pattern(expected, sizeof expected, (uint64_t)seed);
    must(recv(fd, data, sizeof data, MSG_WAITALL) == sizeof data);
    must(memcmp(data, expected, sizeof data) == 0);
}

/* When it is told to, by a byte each: connects and sends; reads and checks everything. */
static void be_clients(const char *name, int count, int told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int *fds = calloc((size_t)count, sizeof *fds);
    char byte;
    memcpy(address.sun_path + 1, name, strlen(name));
    must(read(told, &byte, 1) == 1);
    for (int i = 0; i < count; i++)
        send_pattern(fds[i] = client(&address, length), i);
    must(read(told, &byte, 1) == 1);
    for (int i = 0; i < count; i++)
        receive_pattern(fds[i], i);
    for (int i = 0; i < count; i++)
        send_pattern(fds[i], -i);
    for (int i = 0; i < count; i++) {
        receive_pattern(fds[i], -i);
        close(fds[i]);
    }
    free(fds);
    _exit(0);
}

/* --- the server --- */

static void echo(weir_conn *conn, void *arg)
{
    char *data;
    ssize_t size;
    (void)arg;
    check(weir_set_buffers(conn, 0, SEND_BUFFER) == 0);
    while ((size = weir_receive(conn, &data)) > 0)
        if (weir_send_all(conn, data, (size_t)size) < 0)
            return;
}

static size_t resident(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    check(file && fscanf(file, "%*u %zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t heap(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static weir_counters counters_of(const weir_server *server)
{
    weir_counters counters;
    weir_server_counters(server, &counters);
    return counters;
}

/* Waits until all have come and none gets on any more. */
static void wait_until_stuck(const weir_server *server, int count)
{
    uint64_t before = 0;
    eventually(counters_of(server).accepted == (uint64_t)count);
    for (int same = 0; same < 3; weir_sleep(WEIR_MS(100))) {
        weir_counters counters = counters_of(server);
        same = counters.bytes_in == before ? same + 1 : 0;
        before = counters.bytes_in;
    }
    weir_counters counters = counters_of(server);
    check(counters.active == (uint64_t)count);
    check(counters.bytes_out < (uint64_t)count * SIZE); /* or nobody would be stuck */
}

/* Somebody else is served as ever. */
static void check_served(const char *endpoint)
{
    weir_conn *conn = weir_connect(endpoint, NULL);
    char word[8];
    check(conn);
    weir_set_timeout(conn, WEIR_S(20));
    check(weir_send_all(conn, "hello", 5) == 0);
    check(weir_read_exactly(conn, word, 5) == 0 && memcmp(word, "hello", 5) == 0);
    weir_close(conn);
}

static weir_server *start(weir_backend backend, const char *endpoint, int count)
{
    weir_server_options options = {.size = sizeof options, .backend = backend, .workers = 1};
    options.max_connections = count + 10;
    weir_server *server = weir_server_new(&options);
    check(server && weir_server_add(server, endpoint, echo, NULL) == 0);
    if (weir_server_start(server) == 0)
        return server;
    int number = errno;
    weir_server_free(server);
    errno = number;
    check(backend == WEIR_BACKEND_URING && (errno == ENOSYS || errno == EPERM));
    return NULL;
}

static int possible_clients(void)
{
    struct rlimit limit;
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur > MOST + SPARE ? MOST : (int)limit.rlim_cur - SPARE;
}

static pid_t start_clients(const char *name, int count, int *tell)
{
    int ends[2];
    check(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        be_clients(name, count, ends[0]);
    }
    check(pid > 0);
    close(ends[0]);
    *tell = ends[1];
    return pid;
}

/* How much more memory there is than before, while all are stuck. */
static void check_memory(size_t heap_before, size_t resident_before, int count)
{
    size_t heap_now = heap(), resident_now = resident();
    check(heap_now < heap_before + HEAP_POOL + (size_t)count * HEAP_EACH);
    if (MOST > 1000)
        check(resident_now < resident_before + RESIDENT_POOL + (size_t)count * RESIDENT_EACH);
}

/* The clients' process comes first: one with threads is not to be forked. */
static void slow_readers_on(weir_backend backend)
{
    char name[64], endpoint[80];
    int count = possible_clients(), tell, status;
    snprintf(name, sizeof name, "weir-slow-%d-%d", (int)getpid(), (int)backend);
    snprintf(endpoint, sizeof endpoint, "unix:@%s", name);
    pid_t clients = start_clients(name, count, &tell);
    weir_server *server = start(backend, endpoint, count);
    if (!server) {
        close(tell);
        waitpid(clients, &status, 0);
        skip();
    }
    size_t heap_before = heap(), resident_before = resident();
    check(write(tell, "", 1) == 1);
    wait_until_stuck(server, count);
    check_memory(heap_before, resident_before, count);
    check_served(endpoint);
    check(write(tell, "", 1) == 1);
    check(waitpid(clients, &status, 0) == clients && status == 0);
    close(tell);
    eventually(counters_of(server).active == 0);
    check(counters_of(server).bytes_out == 2 * (uint64_t)count * SIZE + 5);
    weir_server_stop(server, SOON);
    check(weir_server_wait(server, SOON) == 0);
    weir_server_free(server);
}

static void thousands_of_slow_readers_on_uring(void **state)
{
    (void)state;
    slow_readers_on(WEIR_BACKEND_URING);
}

static void thousands_of_slow_readers_on_epoll(void **state)
{
    (void)state;
    slow_readers_on(WEIR_BACKEND_EPOLL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_slow_readers_on_uring),
        cmocka_unit_test(thousands_of_slow_readers_on_epoll),
    };
    return cmocka_run_group_tests_name("slow readers", tests, NULL, NULL);
}
