/*
 * The simulator's inside. One world at a time in a thread; everything in it runs on that thread, in fibers of one loop.
 *
 * world.c    a run from its seed to its end           check.c    what must always hold
 * chance.c   numbers from the seed, and faults        event.c    what happens later, in order of time
 * backend.c  the loop's third backend                 descriptor.c  the table of descriptors
 * system.c   the table of system calls                trace.c    who did what, when
 * host.c     hosts, programs, killing                 route.c    names, latency, partitions
 * stream.c   tcp and Unix streams                     wire.c     what is under way between their ends
 * connect.c  connecting                               listen.c   listening and accepting
 * address.c  addresses                                binding.c  binding and ports
 * option.c   socket options                           datagram.c udp and Unix datagrams
 * file.c     files and folders                        pipe.c     pipes
 * notice.c   eventfd and signalfd                     main.c     many seeds on all processors
 */
#ifndef WEIR_ENGINE_SIM_SIM_H
#define WEIR_ENGINE_SIM_SIM_H

#include <netinet/in.h>
#include <sys/un.h>
#include <weir/error.h>
#include <weir/fiber.h>
#include <weir/sim.h>
#include <weir/time.h>

#include "base/list.h"
#include "base/system.h"
#include "engine/backend.h"

struct weir__sim_object;
struct weir__sim_event;

/* --- the world --- */

/* What the virtual clock says when a run begins: the trace counts from there. */
#define WEIR__SIM_BEGINNING WEIR_S(3600)

struct weir__sim {
    const weir_sim_scenario *scenario;
    uint64_t seed;
    uint64_t chance[4]; /* of chance.c */
    int64_t now;        /* the virtual clock, monotonic; begins at WEIR__SIM_BEGINNING */
    int64_t wall;       /* what to add for the wall clock */
    int64_t faults_end;
    unsigned kinds;                       /* the faults that this seed may see at all */
    uint32_t rates[WEIR_SIM_FAULT_KINDS]; /* of 2^32 */
    bool
        late_release; /* a watch is let go some time after it was unwatched, as by io_uring; else at once, as by epoll */
    weir_loop *loop;
    struct weir__list hosts;
    struct weir_sim_host *delivering; /* the host of the event that is being handed out, outside of fibers; NULL */
    struct weir__sim_events *events;
    struct weir__sim_descriptors *descriptors;
    struct weir__sim_names *names; /* route.c's */
    struct weir__list streams;     /* stream.c's: all there are; made with the first */
    struct weir__list datagrams;   /* datagram_send.c's: those under way */
    uint64_t objects;              /* how many were made: their numbers in the trace */
    size_t live_objects;
    unsigned host_count;
    size_t programs_left, services_left; /* that have not ended */
    bool started;                        /* programs that are added now begin at once */
    bool stopping;                       /* all programs have ended */
    bool over;                           /* the limit has passed */
    uint64_t turns;                      /* of the loop */
    int trace;                           /* the real descriptor it is written to; -1 */
    weir_sim_result result;
};

/* The calling thread's world; NULL outside of a run. */
extern _Thread_local struct weir__sim *weir__sim_here;

/*
 * Called on the run's thread when a run ends, unless NULL: a floor above forgets what it has kept of connections, so that
 * the next run begins as this one did.
 */
extern void (*_Atomic weir__sim_forgets)(void);

/* The table that everything in a world goes through (system.c). */
extern const struct weir__system weir__sim_system;

/* The run has failed: something of the simulator's own found it. As weir_sim_fail. */
void weir__sim_fail(const char *format, ...) WEIR_PRINTF(1, 2);

/* --- chance --- */

void weir__sim_chance_begin(struct weir__sim *sim, uint64_t seed);
uint64_t weir__sim_random(void);
/* Below `limit`, which is not 0; and from `low` to `high`, both included. */
uint64_t weir__sim_below(uint64_t limit);
int64_t weir__sim_between(int64_t low, int64_t high);
/* Whether a fault comes now: by the seed's rate, as long as faults come. Counted. */
bool weir__sim_strikes(weir_sim_fault fault);
/* The same where the fault is one in so many tries rarer. */
bool weir__sim_strikes_rarely(weir_sim_fault fault, unsigned rarer);

/* --- events --- */

/* Calls function(arg) at that time, outside of fibers; those of the same time in the order in which they were made. Never NULL. */
struct weir__sim_event *weir__sim_at(int64_t time, void (*function)(void *arg), void *arg);
/* Takes back an event that has not come. */
void weir__sim_forget(struct weir__sim_event *event);

/* --- hosts --- */

struct weir_sim_host {
    struct weir__list link;
    char name[64];
    unsigned number;     /* 1, 2, ... */
    struct in_addr ip4;  /* 10.0.x.y */
    struct in6_addr ip6; /* fd00::x */
    bool down;           /* it was killed, and its fibers are on their way out: its calls fail with EIO */
    int64_t killed_at;   /* when that was */
    size_t open;         /* descriptors */
    struct weir__list programs;
    struct weir__sim_files *files;     /* file.c's; made when first used, freed by weir__sim_files_free */
    struct weir__sim_notices *notices; /* notice.c's: pending signals, and who waits for them */
    uint16_t next_port;                /* where the search for a free port begins */
    struct weir__list bound;           /* binding.c's: sockets that have an address */
};

/* The host that the caller runs on: that of its fiber, or of the event that is being handed out. NULL in set_up. */
struct weir_sim_host *weir__sim_host(void);
/* The host with an address of AF_INET or AF_INET6 as seen from `from` (loopback is `from` itself); NULL: nobody has it. */
struct weir_sim_host *weir__sim_host_at(struct weir_sim_host *from, const struct sockaddr *address);

/* --- routes --- */

/* How long a piece of that size takes from one host to another, and a fault's delay with it. */
int64_t weir__sim_transit(struct weir_sim_host *from, struct weir_sim_host *to, size_t size);
/* From when on they reach each other: now or earlier, or the end of a partition. */
int64_t weir__sim_open_at(struct weir_sim_host *from, struct weir_sim_host *to);
/* Whether an address drops everything (`dead`). An address that is `refusing` is a host's where nobody listens. */
bool weir__sim_is_dead(const struct sockaddr *address);
/* As getaddrinfo and freeaddrinfo. */
int weir__sim_resolve(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **result);
void weir__sim_resolve_free(struct addrinfo *result);
void weir__sim_routes_begin(struct weir__sim *sim); /* partitions are drawn here */
void weir__sim_routes_end(struct weir__sim *sim);

/* --- objects and descriptors --- */

/*
 * What a kind of object does. All are as the system calls of the same name: -1 and errno (EAGAIN where nothing can be done now;
 * none ever waits); NULL members fail as the kernel does (ENOTSOCK for what concerns sockets, else EINVAL).
 * recv, read and readv all come as `receive`, send and write as `send`.
 */
struct weir__sim_kind {
    const char *name; /* in the trace: "tcp", "unix", "udp", "listener", "pipe", "file", "eventfd", "signalfd" */
    bool socket;
    ssize_t (*receive)(struct weir__sim_object *object, struct msghdr *message, int flags);
    ssize_t (*send)(struct weir__sim_object *object, const struct msghdr *message, int flags);
    ssize_t (*read_at)(struct weir__sim_object *object, void *buffer, size_t size, off_t offset);
    ssize_t (*write_at)(struct weir__sim_object *object, const void *data, size_t size, off_t offset);
    int (*bind)(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length);
    int (*listen)(struct weir__sim_object *object, int backlog);
    /* The new object; the descriptor table opens it. NULL and errno. */
    struct weir__sim_object *(*accept)(struct weir__sim_object *object);
    int (*connect)(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length);
    int (*shutdown)(struct weir__sim_object *object, int how);
    int (*socket_name)(struct weir__sim_object *object, bool peer, struct sockaddr *address, socklen_t *length);
    int (*get_option)(struct weir__sim_object *object, int level, int name, void *value, socklen_t *length);
    int (*set_option)(struct weir__sim_object *object, int level, int name, const void *value, socklen_t length);
    int (*ioctl)(struct weir__sim_object *object, unsigned long request, void *argument);
    int (*stat)(struct weir__sim_object *object, struct stat *status);
    /* POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR as poll(2) would say them now. */
    unsigned (*ready)(struct weir__sim_object *object);
    /* The last descriptor is gone: frees the object (which may live on by itself until its data has gone). */
    void (*closed)(struct weir__sim_object *object);
    /* Into `text` for the trace: "10.0.0.1:7<10.0.0.2:49152"; may be NULL. */
    void (*describe)(const struct weir__sim_object *object, char *text, size_t size);
};

/* The first member of every kind's own struct. */
struct weir__sim_object {
    const struct weir__sim_kind *kind;
    struct weir_sim_host *host;
    uint64_t number;
    unsigned descriptors;
    mode_t mode;                         /* what fchmod(2) gave it; 0: nothing */
    struct weir__list watches;           /* backend.c's registrations */
    struct weir__sim_acceptor *acceptor; /* backend.c's; NULL */
};

/* An object of `size` bytes (its own struct's, zeroed) on the caller's host; NULL with ENOMEM. Freed with weir__sim_object_free. */
void *weir__sim_object_new(const struct weir__sim_kind *kind, size_t size, struct weir_sim_host *host);
void weir__sim_object_free(struct weir__sim_object *object);

enum { WEIR__SIM_FIRST_DESCRIPTOR = 1000000 };

/* A descriptor for an object; -1 with EMFILE or ENFILE (a fault): the caller frees the object then. Numbers are never used again. */
int weir__sim_open(struct weir__sim_object *object, bool nonblocking);
/* Whether there is none to be had, -1 and errno; 0: weir__sim_open will not fail for that. For who must know before. */
int weir__sim_no_descriptor(void);
/* The object of a descriptor; NULL with EBADF, which fails the run: nothing of the library's may use what it has closed. */
struct weir__sim_object *weir__sim_get(int fd);
bool weir__sim_is_virtual(int fd);
int weir__sim_close(int fd);
int weir__sim_fcntl(int fd, int command, int argument);
int weir__sim_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout);
/* Closes what a killed host has open. */
void weir__sim_close_all(struct weir_sim_host *host);

/*
 * Something about an object has become so: who watches it is told soon, each as its direction concerns it. `events` is what
 * has newly become true (POLLIN ...). For a listener: there is somebody to accept.
 */
void weir__sim_changed(struct weir__sim_object *object, unsigned events);

/* --- kinds --- */

/* socket(2), socketpair(2): by family and type, to stream.c and datagram.c. */
struct weir__sim_object *weir__sim_stream_new(int family);
struct weir__sim_object *weir__sim_datagram_new(int family);
int weir__sim_stream_pair(struct weir__sim_object *pair[2]);
int weir__sim_datagram_pair(struct weir__sim_object *pair[2]);
/* Frees what is still under way in a world that is over. */
void weir__sim_datagrams_end(struct weir__sim *sim);

/* system.c's, to be found in these files. */
int weir__sim_file_open(const char *path, int flags, mode_t mode); /* a descriptor */
int weir__sim_pipe(int pair[2], int flags);
int weir__sim_eventfd(unsigned initial, int flags);
int weir__sim_signalfd(int fd, const sigset_t *mask, int flags);
int weir__sim_lstat(const char *path, struct stat *status);
int weir__sim_unlink(const char *path);
int weir__sim_chmod(const char *path, mode_t mode);
int weir__sim_fchmod(int fd, mode_t mode);
int weir__sim_mkdir(const char *path, mode_t mode);
int weir__sim_rmdir(const char *path);
int weir__sim_mkfifo(const char *path, mode_t mode);
int weir__sim_fdatasync(int fd);
/* A Unix socket's node in the files of its host: EADDRINUSE where there is something. `object` is found by its path until it is unlinked. */
int weir__sim_files_bind(struct weir_sim_host *host, const char *path, struct weir__sim_object *object);
struct weir__sim_object *weir__sim_files_socket(struct weir_sim_host *host,
                                                const char *path); /* NULL: ENOENT, ECONNREFUSED */
void weir__sim_files_forget(struct weir_sim_host *host,
                            struct weir__sim_object *object); /* it is closed; the node stays */
/* The host is killed: what was not synced may be lost. */
void weir__sim_files_killed(struct weir_sim_host *host);
void weir__sim_files_free(struct weir_sim_host *host);

/* Has a signal wait on the host; what is not waited for by anybody stays pending. */
void weir__sim_notify(struct weir_sim_host *host, int number);
void weir__sim_notices_free(struct weir_sim_host *host);

/* --- addresses --- */

union weir__sim_address {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
    struct sockaddr_un local;
};

/* What setsockopt(2) has set of what streams and datagrams share (option.c). */
struct weir__sim_options {
    bool keepalive, no_delay;
    int send_buffer, receive_buffer; /* as getsockopt(2) tells them; 0: the system's own */
    int keep_idle, keep_interval, keep_count;
};

/*
 * What binding.c keeps for a socket: a member of streams and datagrams. The search at the other side is by what is bound.
 */
struct weir__sim_binding {
    struct weir__list link; /* in host->bound */
    struct weir__sim_object *object;
    int family; /* the socket's */
    union weir__sim_address address;
    socklen_t length; /* 0: not bound */
    bool datagram, reuse_address, reuse_port, only6, listening;
    bool no_port;   /* IP_BIND_ADDRESS_NO_PORT */
    uint32_t drops; /* datagrams that found no room: SO_MEMINFO */
    struct weir__sim_options options;
};

/* Before all else; the object has its host by then. */
void weir__sim_binding_init(struct weir__sim_binding *binding, struct weir__sim_object *object, int family,
                            bool datagram);
/* bind(2), with EADDRINUSE, EADDRNOTAVAIL and EACCES as Linux has them; port 0 chooses one. */
int weir__sim_bind(struct weir__sim_binding *binding, const struct sockaddr *address, socklen_t length);
/* A free port of its host and the address that reaches `peer` from it, as connect(2) and sendto(2) choose them. */
int weir__sim_bind_towards(struct weir__sim_binding *binding, const struct sockaddr *peer);
void weir__sim_unbind(struct weir__sim_binding *binding);
/* Which of its addresses a host sends from to reach `peer`, port 0; returns its length, 0: it has none of that family. */
socklen_t weir__sim_source(const struct weir_sim_host *host, const struct sockaddr *peer,
                           union weir__sim_address *source);
/*
 * Who gets what is sent to an address of `host`: the most exact of the bound ones; of several that share a port (SO_REUSEPORT)
 * one by chance. Streams: those that listen. NULL: nobody. Of AF_INET and AF_INET6.
 */
struct weir__sim_binding *weir__sim_find(struct weir_sim_host *host, const struct sockaddr *address, bool datagram);
/* The same for AF_UNIX; errno says why there is nobody: ENOENT, ECONNREFUSED, EPROTOTYPE (it is of the other type). */
struct weir__sim_binding *weir__sim_find_local(struct weir_sim_host *host, const struct sockaddr *address,
                                               socklen_t length, bool datagram);
/* "10.0.0.1:7", "[fd00::1]:7", "unix:/path", "@name" */
void weir__sim_address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size);
int weir__sim_copy_address(const void *from, socklen_t from_length, struct sockaddr *address, socklen_t *length);
/* An address in its own family: ::ffff:a.b.c.d becomes a.b.c.d. Returns its length. */
socklen_t weir__sim_plain_address(const struct sockaddr *address, socklen_t length, union weir__sim_address *plain);
/* getsockname(2) of a socket, bound or not. */
int weir__sim_local_name(const struct weir__sim_binding *binding, struct sockaddr *address, socklen_t *length);

/*
 * The options of every socket, but SO_ERROR. 0, or -1 with ENOPROTOOPT for what it does not know: a kind looks at its own
 * first.
 */
int weir__sim_get_option(const struct weir__sim_binding *binding, int level, int name, void *value, socklen_t *length);
int weir__sim_set_option(struct weir__sim_binding *binding, int level, int name, const void *value, socklen_t length);

/* Frees the streams of a world that is over, before its events and hosts: what was under way goes with them. */
void weir__sim_streams_end(struct weir__sim *sim);

/* --- the trace --- */

/*
 * Something has happened: the verb is a system call's name or another short word ("delivered", "reset", "killed"); `object` may be
 * NULL; `number` its result or size; `bytes` what was transferred, or NULL. Everything goes into the digest; the text is made only where
 * somebody reads it.
 */
void weir__sim_trace(const struct weir__sim_object *object, const char *verb, int64_t number, const void *bytes,
                     size_t size);
void weir__sim_trace_text(const char *verb, const char *text);

/* --- checks --- */

/* After each turn of the loop; and when all should have ended. Each calls weir__sim_fail for what it finds. */
void weir__sim_check_turn(struct weir__sim *sim);
void weir__sim_check_end(struct weir__sim *sim);

#endif
