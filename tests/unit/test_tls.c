/* TLS on a connection: that every call does what it does without, and what is TLS' alone. */
#include "secured.h"

#include <fcntl.h>
#include <weir/channel.h>
#include <weir/file.h>

/* --- the calls --- */

static void bytes_of_every_size_arrive(void)
{
    static const size_t sizes[] = {1, 64, 16383, 16384, 16385, 65536, 65537, 3000000};
    weir_conn *pair[2];
    meet(pair);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int from = 0; from < 2; from++) {
            struct sending sending = {pair[from], sizes[i], -1};
            pthread_t thread = beside(send_pattern, &sending);
            receive_pattern(pair[!from], sizes[i], 70000);
            join_beside(thread);
            check(sending.result == 0);
        }
    part(pair);
}

static void every_reading_call_reads(void)
{
    weir_conn *pair[2];
    char buffer[32], *data, *line;
    size_t length;
    meet(pair);
    check(weir_send_all(pair[0], "one\r\ntwo#abcdefghijklmnop", 25) == 0);
    check(weir_recv_flags(pair[1], buffer, 2, MSG_PEEK) == 2);
    check(memcmp(buffer, "on", 2) == 0);
    check(weir_read_line(pair[1], &line, &length, 100) == 1);
    check_text(line, "one");
    check(weir_read_until(pair[1], "#", 1, &data, &length, 100) == 1 && length == 4);
    check(weir_read_exactly(pair[1], buffer, 3) == 0 && memcmp(buffer, "abc", 3) == 0);
    struct iovec vector[2] = {{buffer, 2}, {buffer + 10, 3}};
    check(weir_recv_vector(pair[1], vector, 2) == 5);
    check(memcmp(buffer, "de", 2) == 0 && memcmp(buffer + 10, "fgh", 3) == 0);
    check(weir_receive(pair[1], &data) == 8 && memcmp(data, "ijklmnop", 8) == 0);
    weir_release(pair[1]);
    check(weir_recv_flags(pair[1], buffer, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN);
    char a[] = "a", bc[] = "bc";
    struct iovec pieces[3] = {{a, 1}, {NULL, 0}, {bc, 2}};
    check(weir_send_vector_all(pair[1], pieces, 3) == 0);
    check(weir_recv_flags(pair[0], buffer, 3, MSG_WAITALL) == 3 && memcmp(buffer, "abc", 3) == 0);
    part(pair);
}

/* Vectors read what lies in OpenSSL without waiting for more than there is. */
static void vectors_take_what_is_there(void)
{
    weir_conn *pair[2];
    char a[4], b[100];
    struct iovec vector[2] = {{a, sizeof a}, {b, sizeof b}};
    meet(pair);
    check(weir_send_all(pair[0], "0123456789", 10) == 0);
    check(weir_recv_vector(pair[1], vector, 2) == 10);
    check(memcmp(a, "0123", 4) == 0 && memcmp(b, "456789", 6) == 0);
    part(pair);
}

static void a_file_is_sent(void)
{
    weir_conn *pair[2];
    char buffer[300], path[300];
    snprintf(path, sizeof path, "%s", in_folder("ca.pem"));
    int fd = open(path, O_RDONLY | O_CLOEXEC), whole = (int)read(fd, buffer, sizeof buffer);
    int64_t offset = 3;
    meet(pair);
    check(whole == (int)sizeof buffer);
    check(weir_sendfile(pair[0], fd, &offset, 200) == 200 && offset == 203);
    char got[200];
    check(weir_read_exactly(pair[1], got, sizeof got) == 0);
    check(memcmp(got, buffer + 3, sizeof got) == 0);
    close(fd);
    part(pair);
}

static void files_are_copied_both_ways(void)
{
    weir_conn *pair[2];
    char from[300], to[300], command[700];
    snprintf(from, sizeof from, "%s", in_folder("server.pem"));
    snprintf(to, sizeof to, "%s", in_folder("copy.pem"));
    weir_file *source = weir_file_open(from, O_RDONLY, 0);
    weir_file *sink = weir_file_open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(source && sink);
    meet(pair);
    int64_t size = weir_copy_from_file(pair[0], source, UINT64_MAX, SOON);
    check(size > 300);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    check(weir_copy_to_file(pair[1], sink, UINT64_MAX, SOON) == size);
    weir_file_close(source);
    weir_file_close(sink);
    part(pair);
    snprintf(command, sizeof command, "cmp %s %s", from, to);
    check(system(command) == 0);
}

/* --- ends --- */

static void a_half_close_is_an_end_and_the_other_way_goes_on(void)
{
    weir_conn *pair[2];
    char buffer[10];
    meet(pair);
    check(weir_send_all(pair[0], "bye", 3) == 0);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    check(weir_recv(pair[1], buffer, sizeof buffer) == 3);
    check(weir_recv(pair[1], buffer, sizeof buffer) == 0);
    check(weir_at_end(pair[1]));
    check(weir_recv(pair[1], buffer, sizeof buffer) == 0);
    check(weir_send_all(pair[1], "and you", 7) == 0);
    check(weir_read_exactly(pair[0], buffer, 7) == 0);
    check(weir_send_all(pair[0], "more", 4) == -1);
    check_error(EPIPE, WEIR_ERROR_CLOSED);
    part(pair);
}

static void a_close_is_an_end(void)
{
    weir_conn *pair[2];
    char buffer[10];
    meet(pair);
    check(weir_send_all(pair[1], "last", 4) == 0);
    check(weir_close(pair[1]) == 0);
    check(weir_read_exactly(pair[0], buffer, 4) == 0);
    check(weir_recv(pair[0], buffer, sizeof buffer) == 0);
    weir_close(pair[0]);
}

/* Who sits in between can end TCP, and not TLS. */
/* Until the socket takes nothing any more and some of it is in the outbox. How much. */
static size_t send_until_full(weir_conn *conn)
{
    char data[4096];
    ssize_t length;
    size_t done = 0;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = 'x';
    while ((length = weir_send_flags(conn, data, sizeof data, MSG_DONTWAIT)) > 0)
        done += (size_t)length;
    check(errno == EAGAIN && weir__tls_of(conn)->owes);
    return done;
}

struct draining {
    weir_conn *conn;
    size_t size;
    bool ended;
};

static void *drain(void *arg)
{
    struct draining *draining = arg;
    char data[4096];
    ssize_t length;
    weir_sleep(WEIR_MS(20)); /* the other end is to find no room */
    while ((length = weir_recv(draining->conn, data, sizeof data)) > 0)
        draining->size += (size_t)length;
    draining->ended = length == 0;
    if (draining->ended)
        weir_send_all(draining->conn, "y", 1);
    return NULL;
}

static void an_end_goes_out_although_there_is_no_room_for_it(void)
{
    weir_conn *pair[2];
    char byte;
    for (int closes = 0; closes < 2; closes++) {
        meet(pair);
        check(weir_set_buffers(pair[0], 0, 4096) == 0);
        size_t sent = send_until_full(pair[0]);
        struct draining draining = {.conn = pair[1]};
        pthread_t thread = beside(drain, &draining);
        if (closes) {
            check(weir_close(pair[0]) == 0);
        } else {
            weir_set_timeout(pair[0], WEIR_S(10));
            check(weir_shutdown(pair[0], SHUT_WR) == 0);
            check(weir_recv(pair[0], &byte, 1) == 1);
            weir_close(pair[0]);
        }
        join_beside(thread);
        check(draining.ended && draining.size == sent);
        weir_close(pair[1]);
    }
}

static void an_end_without_close_notify_is_a_cut(void)
{
    weir_conn *pair[2];
    char buffer[10], *line;
    meet(pair);
    check(weir_send_all(pair[0], "half", 4) == 0);
    check(shutdown(weir_fd(pair[0]), SHUT_WR) == 0);
    check(weir_read_line(pair[1], &line, NULL, 100) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check_text(weir_error()->reason, "cut off: the stream ended without a close_notify");
    check(weir_read_exactly(pair[1], buffer, 4) == 0);
    check(weir_recv(pair[1], buffer, sizeof buffer) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    check(!weir_at_end(pair[1]));
    part(pair);
}

static void bytes_that_were_changed_are_an_error(void)
{
    weir_conn *pair[2];
    char buffer[10];
    meet(pair);
    check(send(weir_fd(pair[0]), "\x17\x03\x03\x00\x14this is no cipher...", 25, 0) == 25);
    check(weir_recv(pair[1], buffer, sizeof buffer) == -1);
    check_error(EPROTO, WEIR_ERROR_TLS);
    check(weir_send_all(pair[1], "x", 1) == -1);
    part(pair);
}

static void flush_waits_until_all_is_acknowledged(void)
{
    weir_conn *pair[2];
    meet(pair);
    struct sending sending = {pair[0], 1000000, -1};
    pthread_t thread = beside(send_pattern, &sending);
    receive_pattern(pair[1], 1000000, 5000);
    join_beside(thread);
    check(weir_flush(pair[0], WEIR_S(20)) == 0);
    part(pair);
}

static void the_descriptor_is_not_given_away(void)
{
    weir_conn *pair[2];
    meet(pair);
    check(weir_yield_fd(pair[0]) == -1);
    check_error(EOPNOTSUPP, WEIR_ERROR_USAGE);
    part(pair);
}

/* --- times, cancels --- */

static void a_deadline_ends_a_call_and_not_the_connection(void)
{
    weir_conn *pair[2];
    char buffer[4];
    meet(pair);
    weir_set_timeout(pair[1], WEIR_MS(5));
    check(weir_recv(pair[1], buffer, 4) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    weir_set_timeout(pair[1], WEIR_FOREVER);
    check(weir_send_all(pair[0], "here", 4) == 0);
    check(weir_read_exactly(pair[1], buffer, 4) == 0);
    part(pair);
}

static void *cancel_later(void *conn)
{
    weir_sleep(WEIR_MS(20));
    weir_cancel(conn);
    return NULL;
}

static void *abort_later(void *conn)
{
    weir_sleep(WEIR_MS(20));
    weir_abort(conn);
    return NULL;
}

static void a_call_is_cancelled(void)
{
    weir_conn *pair[2];
    char buffer[4];
    meet(pair);
    pthread_t thread = beside(cancel_later, pair[1]);
    ssize_t length;
    do /* a cancel before the call has begun is none of its */
        length = weir_recv(pair[1], buffer, 4);
    while (length >= 0);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    join_beside(thread);
    part(pair);
}

static void an_abort_ends_both_ends(void)
{
    weir_conn *pair[2];
    char buffer[4];
    meet(pair);
    pthread_t thread = beside(abort_later, pair[1]);
    check(weir_recv(pair[1], buffer, 4) == -1);
    check_error(ECONNABORTED, WEIR_ERROR_CLOSED);
    join_beside(thread);
    check(weir_recv(pair[0], buffer, 4) == -1);
    check_error(ECONNRESET, WEIR_ERROR_CLOSED);
    part(pair);
}

/* What a send that ran out of time has taken arrives, and transferred says how much that is. */
static void a_send_that_is_late_says_how_much_went(void)
{
    weir_conn *pair[2];
    meet(pair);
    check(weir_set_buffers(pair[0], 0, 4096) == 0);
    weir_set_timeout(pair[0], WEIR_MS(50));
    struct sending sending = {pair[0], 30000000, 0};
    unsigned char *data = malloc(sending.size);
    check(data);
    for (size_t i = 0; i < sending.size; i++)
        data[i] = pattern(i);
    check(weir_send_all(pair[0], data, sending.size) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    size_t went = (size_t)weir_error()->transferred;
    check(went > 0 && went < sending.size);
    weir_set_timeout(pair[0], WEIR_FOREVER);
    pthread_t thread = beside(send_pattern, &(struct sending){pair[0], 100, 0});
    receive_pattern(pair[1], went, 65536);
    char rest[100];
    check(weir_read_exactly(pair[1], rest, sizeof rest) == 0);
    join_beside(thread);
    free(data);
    part(pair);
}

/* --- select, copy, both at once --- */

static void select_sees_what_was_deciphered(void)
{
    weir_conn *pair[2];
    char byte;
    meet(pair);
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = pair[1]}};
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(5))) == -1 && errno == ETIMEDOUT);
    check(weir_send_all(pair[0], "ab", 2) == 0);
    check(weir_select(cases, 1, SOON) == 0);
    check(weir_recv(pair[1], &byte, 1) == 1 && byte == 'a');
    check(weir_select(cases, 1, SOON) == 0);
    check(weir_recv(pair[1], &byte, 1) == 1 && byte == 'b');
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(5))) == -1 && errno == ETIMEDOUT);
    check(weir_shutdown(pair[0], SHUT_WR) == 0);
    check(weir_select(cases, 1, SOON) == 0);
    part(pair);
}

/* Neither the beginning of a record nor what TLS says to itself is something to read. */
static void select_waits_for_a_whole_record(void)
{
    weir_conn *pair[2];
    meet(pair);
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = pair[1]}};
    check(send(weir_fd(pair[0]), "\x17\x03\x03", 3, 0) == 3);
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(30))) == -1 && errno == ETIMEDOUT);
    SSL *ssl = weir__tls_of(pair[1])->ssl;
    check(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1);
    cases[0].conn = pair[0];
    check(weir_select(cases, 1, weir_deadline(WEIR_MS(30))) == -1 && errno == ETIMEDOUT);
    part(pair);
}

static void *copy_both(void *arg)
{
    weir_conn **ends = arg;
    weir_copy(ends[0], ends[1], NULL);
    return NULL;
}

static void a_copy_passes_bytes_and_ends(void)
{
    weir_conn *left[2], *right[2];
    meet(left);
    check(weir_pair(SOCK_STREAM, right) == 0);
    weir_conn *ends[2] = {left[1], right[0]};
    pthread_t copying = beside(copy_both, ends);
    for (int way = 0; way < 2; way++) {
        struct sending sending = {way ? right[1] : left[0], 2000000, -1};
        pthread_t thread = beside(send_pattern, &sending);
        receive_pattern(way ? left[0] : right[1], 2000000, 60000);
        join_beside(thread);
        check(sending.result == 0);
    }
    char byte;
    check(weir_shutdown(left[0], SHUT_WR) == 0);
    check(weir_recv(right[1], &byte, 1) == 0);
    check(weir_send_all(right[1], "x", 1) == 0);
    check(weir_recv(left[0], &byte, 1) == 1);
    check(weir_shutdown(right[1], SHUT_WR) == 0);
    check(weir_recv(left[0], &byte, 1) == 0);
    join_beside(copying);
    part(left);
    part(right);
}

/* A reader and a writer of each end at once, with key updates under way that readers answer. */
/* Among these sizes are some after which there is no room for a close_notify. */
static void a_copy_passes_an_end_although_there_is_no_room_for_it(void)
{
    static char data[40000];
    for (size_t size = 8000; size < sizeof data; size += 1201) {
        weir_conn *left[2], *right[2];
        meet(left);
        check(weir_pair(SOCK_STREAM, right) == 0 && weir_set_buffers(left[1], 0, 2304) == 0);
        weir_conn *ends[2] = {left[1], right[0]};
        pthread_t copying = beside(copy_both, ends);
        check(weir_send_all(right[1], data, size) == 0 && weir_shutdown(right[1], SHUT_WR) == 0);
        struct draining draining = {.conn = left[0]};
        weir_set_timeout(left[0], WEIR_S(10));
        drain(&draining);
        check(draining.ended && draining.size == size);
        weir_close(left[0]);
        join_beside(copying);
        weir_close(left[1]);
        part(right);
    }
}

static void both_directions_go_at_once(void)
{
    weir_conn *pair[2];
    meet(pair);
    check(weir_set_buffers(pair[0], 0, 4096) == 0);
    struct sending sendings[2] = {{pair[0], 2000000, -1}, {pair[1], 2000000, -1}};
    for (int i = 0; i < 2; i++) {
        SSL *ssl = weir__tls_of(pair[i])->ssl;
        check(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
    }
    pthread_t threads[2] = {beside(send_pattern, &sendings[0]), beside(send_pattern, &sendings[1])};
    receive_pattern(pair[1], 1000000, 500);
    receive_pattern(pair[0], 2000000, 60000);
    char *data = malloc(1000000);
    check(data && weir_read_exactly(pair[1], data, 1000000) == 0);
    for (size_t i = 0; i < 1000000; i++)
        check((unsigned char)data[i] == pattern(1000000 + i));
    free(data);
    join_beside(threads[0]);
    join_beside(threads[1]);
    check(sendings[0].result == 0 && sendings[1].result == 0);
    part(pair);
}

/* --- a peer that sends nothing but key updates, as fast as they are read --- */

enum { UPDATES = 12000 };
static char captured[UPDATES * 40];
static size_t captured_length, replayed;

static ssize_t capture(int fd, const void *data, size_t size, int flags)
{
    (void)fd;
    (void)flags;
    check(captured_length + size <= sizeof captured);
    memcpy(captured + captured_length, data, size);
    captured_length += size;
    return (ssize_t)size;
}

static ssize_t replay(int fd, void *buffer, size_t size, int flags)
{
    (void)fd;
    (void)flags;
    check(replayed < captured_length); /* else the read has no end of its own */
    if (size > captured_length - replayed)
        size = captured_length - replayed;
    memcpy(buffer, captured + replayed, size);
    replayed += size;
    return (ssize_t)size;
}

static void a_read_that_brings_nothing_has_an_end(void)
{
    weir_conn *pair[2];
    char byte;
    meet(pair);
    captured_length = replayed = 0;
    replace_system()->send = capture;
    SSL *ssl = weir__tls_of(pair[0])->ssl;
    for (int i = 0; i < UPDATES; i++)
        check(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1);
    replace_system()->recv = replay;
    ssize_t length = weir_recv_flags(pair[1], &byte, 1, MSG_DONTWAIT);
    int number = errno;
    restore_system();
    check(length == -1 && number == EPROTO);
    part(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(bytes_of_every_size_arrive),
        EVERYWHERE(every_reading_call_reads),
        EVERYWHERE(vectors_take_what_is_there),
        EVERYWHERE(a_file_is_sent),
        EVERYWHERE(files_are_copied_both_ways),
        EVERYWHERE(a_half_close_is_an_end_and_the_other_way_goes_on),
        EVERYWHERE(a_close_is_an_end),
        EVERYWHERE(an_end_goes_out_although_there_is_no_room_for_it),
        EVERYWHERE(an_end_without_close_notify_is_a_cut),
        EVERYWHERE(bytes_that_were_changed_are_an_error),
        EVERYWHERE(flush_waits_until_all_is_acknowledged),
        EVERYWHERE(the_descriptor_is_not_given_away),
        EVERYWHERE(a_deadline_ends_a_call_and_not_the_connection),
        EVERYWHERE(a_call_is_cancelled),
        EVERYWHERE(an_abort_ends_both_ends),
        EVERYWHERE(a_send_that_is_late_says_how_much_went),
        EVERYWHERE(select_sees_what_was_deciphered),
        EVERYWHERE(select_waits_for_a_whole_record),
        EVERYWHERE(a_copy_passes_bytes_and_ends),
        {"a_copy_passes_an_end_although_there_is_no_room_for_it", run_in_main, NULL, NULL,
         (void *)a_copy_passes_an_end_although_there_is_no_room_for_it},
        EVERYWHERE(both_directions_go_at_once),
        {"a_read_that_brings_nothing_has_an_end", run_in_main, NULL, NULL,
         (void *)a_read_that_brings_nothing_has_an_end},
    };
    return cmocka_run_group_tests_name("tls", tests, make_certificates, remove_certificates);
}
