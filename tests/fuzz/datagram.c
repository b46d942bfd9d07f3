/*
 * The way of datagrams: into a program (weir_recv_batch, weir_recvfrom), and through a server's inlet to the handler of echo
 * and back. Whatever the kernel tells of senders, lengths and control messages: every byte arrives once and in its own
 * datagram, who may not be answered is not, and an answer goes to who asked, from where it was asked.
 *
 * The input: a byte of flags, one of the room for a datagram, a count, that many faults of sending and receiving, and
 * the datagrams (harness/datagrams.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/datagram.h>
#include <weir/log.h>
#include <weir/time.h>

#include "../../src/services/services.h"
#include "datagrams.h"
#include "net/conn.h"
#include "server/inlet.h"
#include "server/own.h"

enum { CONTROL_THAT_FITS = 160, OWN_PORT = 8000, OWN_ANY_PORT = 9000 };

/* Where in the packets the datagrams have come to that were handed on. */
struct cursor {
    struct fuzz_datagrams *source;
    size_t packet, at;
    size_t room; /* for a piece, and for a datagram of it */
    size_t datagram_room;
};

/* --- what arrives --- */

static void require_sender(const struct fuzz_packet *packet, const weir_address *peer)
{
    size_t length = packet->sender_length < sizeof peer->local ? packet->sender_length : sizeof peer->local;
    fuzz_require(peer->length == length, "%u bytes, not %zu", peer->length, length);
    fuzz_require(memcmp(&peer->any, &packet->sender, length) == 0, "another sender");
}

static void require_bytes(const struct cursor *cursor, const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        fuzz_require(data[i] == fuzz_payload(cursor->packet, cursor->at + i), "byte %zu of datagram %zu",
                     cursor->at + i, cursor->packet);
}

/* A datagram was handed on: it must be the next. */
static void require_next(struct cursor *cursor, const weir_datagram *datagram)
{
    const struct fuzz_packet *packet = &cursor->source->packets[cursor->packet];
    size_t piece = packet->length < cursor->room ? packet->length : cursor->room, left = piece - cursor->at;
    size_t whole = packet->segment && packet->segment < left ? packet->segment : left;
    fuzz_require(cursor->packet < cursor->source->next, "%zu, of %zu", cursor->packet, cursor->source->next);
    fuzz_require(datagram->length == (whole < cursor->datagram_room ? whole : cursor->datagram_room), "%zu, not %zu",
                 datagram->length, whole);
    fuzz_require(datagram->truncated == (packet->length > cursor->room || whole > cursor->datagram_room), "%d of %zu",
                 datagram->truncated, packet->length);
    fuzz_require(packet->control_length > CONTROL_THAT_FITS || !packet->control_cut, "of %zu bytes",
                 packet->control_length);
    require_sender(packet, &datagram->peer);
    require_bytes(cursor, datagram->data, datagram->length);
    cursor->at += whole;
    if (cursor->at == piece) {
        cursor->at = 0;
        cursor->packet++;
    }
}

/* --- a program's socket --- */

static void receive_batches(struct cursor *cursor, weir_conn *conn, int count)
{
    weir_datagram datagrams[40] = {0};
    for (int i = 0; i < count; i++) {
        datagrams[i].data = fuzz_alloc(cursor->datagram_room);
        datagrams[i].capacity = cursor->datagram_room;
    }
    for (int received; (received = weir_recv_batch(conn, datagrams, count)) > 0;)
        for (int i = 0; i < received; i++)
            require_next(cursor, &datagrams[i]);
    fuzz_require(errno == ETIMEDOUT, "%s", weir_error()->sentence);
    for (int i = 0; i < count; i++)
        free(datagrams[i].data);
}

static void receive_singly(struct cursor *cursor, weir_conn *conn)
{
    char *data = fuzz_alloc(cursor->datagram_room);
    weir_datagram datagram = {.data = data};
    for (ssize_t length; (length = weir_recvfrom(conn, data, cursor->datagram_room, 0, &datagram.peer)) >= 0;) {
        datagram.length = (size_t)length;
        datagram.truncated = cursor->source->packets[cursor->packet].length > cursor->room;
        require_next(cursor, &datagram);
    }
    fuzz_require(errno == ETIMEDOUT, "%s", weir_error()->sentence);
    free(data);
}

static void try_program(struct fuzz_datagrams *source, unsigned flags, size_t room)
{
    struct cursor cursor = {.source = source, .datagram_room = room, .room = source->packed ? 65536 : room};
    weir_conn *conn = weir__conn_new(FUZZ_SOCKET, source->udp ? WEIR_SCHEME_UDP : WEIR_SCHEME_UNIX, true);
    if (!conn)
        abort();
    weir_set_timeout(conn, WEIR_NOW);
    if (!source->packed && flags & 0x10)
        receive_singly(&cursor, conn);
    else
        receive_batches(&cursor, conn, 1 + (int)(flags >> 3));
    fuzz_require(cursor.packet == source->count && cursor.at == 0, "%zu of %zu came", cursor.packet, source->count);
    weir_close(conn);
}

/* --- a server's socket --- */

struct answer {
    size_t packet, at, length;
};

struct service {
    struct cursor cursor;
    weir_server server;
    struct weir__worker worker;
    struct weir__place place;
    struct weir__counters counters;
    int socket;
    struct weir__inlet *inlet;
    struct weir__reader reader;
    void *echo;
    struct answer *answers; /* that must leave, in order */
    size_t answer_count, answered, taken;
    uint64_t handled, refused, truncated, bytes_in, sent_bytes;
};

static bool in_group(const unsigned char *ipv4)
{
    static const unsigned char all[] = {255, 255, 255, 255};
    return (ipv4[0] >= 224 && ipv4[0] <= 239) || memcmp(ipv4, all, 4) == 0;
}

static const unsigned char *ipv4_of(const struct fuzz_packet *packet)
{
    static const unsigned char mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (packet->sender.any.sa_family == AF_INET)
        return (const unsigned char *)&packet->sender.ipv4.sin_addr;
    const unsigned char *bytes = packet->sender.ipv6.sin6_addr.s6_addr;
    return memcmp(bytes, mapped, sizeof mapped) == 0 ? bytes + 12 : NULL;
}

/* Our own are 127.0.0.1:8000 and every address of port 9000: of this machine are loopback, 10.* and 20*. */
static bool is_own(const struct fuzz_packet *packet, unsigned port)
{
    static const unsigned char ours[] = {127, 0, 0, 1};
    const unsigned char *ipv4 = ipv4_of(packet);
    if (port == OWN_PORT)
        return ipv4 && memcmp(ipv4, ours, 4) == 0;
    if (port != OWN_ANY_PORT)
        return false;
    if (ipv4)
        return ipv4[0] == 127 || ipv4[0] == 10 || ipv4[0] + ipv4[1] + ipv4[2] + ipv4[3] == 0;
    return IN6_IS_ADDR_LOOPBACK(&packet->sender.ipv6.sin6_addr) || packet->sender.ipv6.sin6_addr.s6_addr[0] == 0x20;
}

/* Whether it was sent to many: where the kernel tells IPv4, that counts. */
static bool to_many(const struct service *service, const struct fuzz_packet *packet)
{
    if (!service->inlet->destinations)
        return false;
    if (packet->has_ipv4)
        return in_group((const unsigned char *)&packet->ipv4.ipi_addr) ||
               (packet->ipv4.ipi_spec_dst.s_addr != 0 &&
                packet->ipv4.ipi_spec_dst.s_addr != packet->ipv4.ipi_addr.s_addr);
    if (!packet->has_ipv6)
        return false;
    const unsigned char *bytes = packet->ipv6.ipi6_addr.s6_addr;
    return bytes[0] == 0xff || (IN6_IS_ADDR_V4MAPPED(&packet->ipv6.ipi6_addr) && in_group(bytes + 12));
}

/* The rules of echo and of every other server of datagrams. */
static bool may_be_answered(const struct service *service, const struct fuzz_packet *packet)
{
    if (service->server.options.reply_to_any)
        return true;
    if (packet->sender.any.sa_family == AF_UNIX || packet->sender_length == 0)
        return packet->sender_length > 0;
    const unsigned char *ipv4 = ipv4_of(packet);
    unsigned port = ntohs(packet->sender.ipv4.sin_port); /* where IPv6 has it too */
    bool group = ipv4 ? in_group(ipv4) : packet->sender.ipv6.sin6_addr.s6_addr[0] == 0xff;
    return port >= 1024 && !group && !to_many(service, packet) && !is_own(packet, port);
}

/* The answer's source is where the datagram was sent to, or left to the kernel. */
static void require_source(const struct service *service, const struct fuzz_packet *packet,
                           const struct msghdr *message)
{
    struct in_pktinfo ipv4;
    struct in6_pktinfo ipv6;
    if (!service->inlet->destinations || message->msg_controllen == 0)
        return;
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (packet->has_ipv4) {
        fuzz_require(header->cmsg_type == IP_PKTINFO && header->cmsg_len == CMSG_LEN(sizeof ipv4), "%d",
                     header->cmsg_type);
        memcpy(&ipv4, CMSG_DATA(header), sizeof ipv4);
        bool known = packet->ipv4.ipi_spec_dst.s_addr != 0;
        struct in_addr expected = known ? packet->ipv4.ipi_spec_dst : packet->ipv4.ipi_addr;
        fuzz_require(ipv4.ipi_spec_dst.s_addr == expected.s_addr && ipv4.ipi_ifindex == 0, "another source");
    } else {
        fuzz_require(packet->has_ipv6 && header->cmsg_type == IPV6_PKTINFO, "%d", header->cmsg_type);
        memcpy(&ipv6, CMSG_DATA(header), sizeof ipv6);
        fuzz_require(memcmp(&ipv6.ipi6_addr, &packet->ipv6.ipi6_addr, 16) == 0, "another source");
    }
}

/* An answer leaves (or is refused by the kernel): it must be the next that was made. */
static void sent(const struct msghdr *message, bool taken, void *arg)
{
    struct service *service = arg;
    fuzz_require(service->answered < service->answer_count, "more than %zu answers", service->answer_count);
    const struct answer *answer = &service->answers[service->answered++];
    const struct fuzz_packet *packet = &service->cursor.source->packets[answer->packet];
    const struct iovec *vector = message->msg_iov;
    size_t length =
        packet->sender_length < sizeof(struct sockaddr_un) ? packet->sender_length : sizeof(struct sockaddr_un);
    fuzz_require(message->msg_iovlen == 1 && vector->iov_len == answer->length, "%zu, not %zu", vector->iov_len,
                 answer->length);
    for (size_t i = 0; i < vector->iov_len; i++)
        fuzz_require(((const char *)vector->iov_base)[i] == fuzz_payload(answer->packet, answer->at + i), "byte %zu",
                     i);
    fuzz_require(message->msg_namelen == length && memcmp(message->msg_name, &packet->sender, length) == 0,
                 "to somebody else");
    require_source(service, packet, message);
    service->taken += taken;
    service->sent_bytes += taken ? vector->iov_len : 0;
}

static void add_answer(struct service *service, struct answer answer)
{
    size_t count = service->answer_count++;
    if ((count & (count - 1)) == 0)
        service->answers = realloc(service->answers, (count > 0 ? 2 * count : 1) * sizeof answer);
    if (!service->answers)
        abort();
    service->answers[count] = answer;
}

/* Echo's handler, seen from both sides. */
static void handle(const weir_datagram *datagram, void *arg)
{
    struct service *service = arg;
    struct cursor at = service->cursor;
    const struct fuzz_packet *packet = &at.source->packets[at.packet];
    uint64_t refused_before = *weir__counter(&service->counters, replies_refused);
    require_next(&service->cursor, datagram);
    service->handled++;
    service->truncated += datagram->truncated;
    service->bytes_in += datagram->length;
    add_answer(service, (struct answer){at.packet, at.at, datagram->length});
    echo_service.datagram(datagram, service->echo);
    bool refused = *weir__counter(&service->counters, replies_refused) > refused_before;
    if (refused)
        service->answer_count--;
    service->refused += refused;
    fuzz_require(refused != may_be_answered(service, packet), "%d, family %d", refused, packet->sender.any.sa_family);
}

/* As the reader of an inlet (inlet.c) goes through a batch; a handler that parks keeps its datagram. */
static void handle_batch(struct service *service)
{
    struct weir__inlet *inlet = service->inlet;
    struct weir__parcel *parcel;
    while ((parcel = weir__batch_current(inlet))) {
        bool parks =
            fuzz_left(&service->cursor.source->faults) > 0 && fuzz_below(&service->cursor.source->faults, 8) == 7;
        if (parks) {
            weir__outbox_flush(&inlet->outbox);
            weir__batch_detach(inlet);
        }
        service->reader.parked = parks;
        handle(&parcel->datagram, service);
        if (parks)
            weir__parcel_free(inlet, parcel);
        else
            weir__batch_advance(inlet);
    }
    weir__outbox_flush(&inlet->outbox);
}

static void require_counts(struct service *service)
{
    weir_counters sum;
    weir__counters_sum(&service->counters, 1, &sum);
    fuzz_require(service->answered == service->answer_count, "%zu of %zu left", service->answered,
                 service->answer_count);
    fuzz_require(sum.datagrams_in == service->handled && sum.bytes_in == service->bytes_in, "%llu in, of %llu",
                 (unsigned long long)sum.datagrams_in, (unsigned long long)service->handled);
    fuzz_require(sum.datagrams_out == service->taken && sum.bytes_out == service->sent_bytes, "%llu out, of %zu",
                 (unsigned long long)sum.datagrams_out, service->taken);
    fuzz_require(sum.datagrams_truncated == service->truncated, "%llu", (unsigned long long)sum.datagrams_truncated);
    fuzz_require(sum.replies_refused == service->refused, "%llu", (unsigned long long)sum.replies_refused);
    fuzz_require(sum.replies_failed == service->answer_count - service->taken, "%llu",
                 (unsigned long long)sum.replies_failed);
}

static void prepare(struct service *service, unsigned flags)
{
    static const weir_address any = {.length = sizeof any.ipv4, .ipv4 = {.sin_family = AF_INET}};
    static const weir_address local = {.length = 3, .local = {.sun_family = AF_UNIX}};
    struct fuzz_datagrams *source = service->cursor.source;
    service->server.options.reply_to_any = flags & 0x20;
    service->server.options.replies_per_second = -1;
    service->server.options.receive_packed = source->packed;
    service->socket = FUZZ_SOCKET;
    service->place.address = source->udp ? any : local;
    service->place.sockets = &service->socket;
    service->worker.server = &service->server;
    service->worker.counters = &service->counters;
    service->reader.inlet = service->inlet = weir__inlet_new(&service->worker, &service->place);
    if (!service->inlet || echo_service.start((const char *[]){NULL}, &service->server.options, &service->echo) < 0)
        abort();
    service->inlet->reader = &service->reader;
    service->inlet->stopping = true; /* what is there is handled, nothing is waited for */
    service->inlet->stop_by = WEIR_FOREVER;
    source->sent = sent;
    source->arg = service;
}

static void try_server(struct fuzz_datagrams *source, unsigned flags)
{
    struct service *service = aligned_alloc(64, sizeof *service);
    memset(service, 0, sizeof *service);
    service->cursor = (struct cursor){.source = source, .room = 65536, .datagram_room = 65536};
    prepare(service, flags);
    while (weir__batch_receive(service->inlet))
        handle_batch(service);
    fuzz_require(service->cursor.packet == source->count && service->cursor.at == 0, "%zu of %zu came",
                 service->cursor.packet, source->count);
    require_counts(service);
    echo_service.stop(service->echo);
    weir__inlet_free(service->inlet);
    free(service->answers);
    free(service);
}

/* --- a run --- */

static void require_shown(weir_log_level level, const char *message, void *arg)
{
    (void)level, (void)arg;
    fuzz_require(fuzz_is_showable(message, strlen(message)), "'%s'", message);
}

static weir_address own(uint32_t address, uint16_t port)
{
    return (weir_address){.length = sizeof(struct sockaddr_in),
                          .ipv4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address)}};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    struct fuzz_datagrams *source = fuzz_alloc(sizeof *source);
    weir_address loopback = own(INADDR_LOOPBACK, OWN_PORT), any = own(INADDR_ANY, OWN_ANY_PORT);
    unsigned flags = fuzz_byte(&input), room = fuzz_byte(&input), faults = fuzz_byte(&input);
    size_t length;
    const uint8_t *bytes = fuzz_take(&input, faults, &length);
    source->faults = fuzz_input(bytes, length);
    source->udp = flags & 2;
    source->packed = source->udp && flags & 4;
    fuzz_datagrams_read(source, &input);
    fuzz_datagrams_open(source);
    weir_log_sink(require_shown, NULL);
    weir__own_add(&loopback);
    weir__own_add(&any);
    if (flags & 1)
        try_server(source, flags);
    else
        try_program(source, flags, room < 200 ? room * 16 : 70000);
    weir__own_remove(&any);
    weir__own_remove(&loopback);
    fuzz_datagrams_close();
    free(source);
    return 0;
}
