/* The limits of every server, and how it serves, as an option table over weir_server_options. */
#include <weir/service.h>

static const char *const models[] = {"fiber", "thread", "iterative", NULL};
static const char *const backends[] = {"auto", "uring", "epoll", NULL};

#define AT(member) offsetof(weir_server_options, member)

const weir_option weir_server_tls_option_table[] = {
    {WEIR_OPTION_TEXT, "cert", 0, "FILE", AT(listen.tls.cert),
     "tls: the certificate to show (PEM), and behind it those it hangs on; read again at SIGHUP"},
    {WEIR_OPTION_TEXT, "key", 0, "FILE", AT(listen.tls.key),
     "tls: its private key (PEM, without a password); by default in the same file"},
    {WEIR_OPTION_TEXT, "client-ca", 0, "FILE", AT(listen.tls.ca),
     "tls: lets in only clients with a certificate that hangs on one of those in FILE"},
    {0},
};

const weir_option weir_server_option_table[] = {
    {WEIR_OPTION_CHOICE, "model", 0, "MODEL", AT(model),
     "how clients are served at once: each in a fiber, each in a thread, or one after the other", "fiber", models},
    {WEIR_OPTION_INTEGER, "workers", 0, "N", AT(workers),
     "threads that serve; by default as many as there are CPUs, one where there are several processes", NULL, NULL, 1,
     1024},
    {WEIR_OPTION_CHOICE, "backend", 0, "NAME", AT(backend), "how the kernel is asked for events", "auto", backends},
    {WEIR_OPTION_SIZE, "stack-size", 0, "SIZE", AT(stack_size), "address space of a fiber's or thread's stack", "256k"},
    {WEIR_OPTION_LIMIT, "max-connections", 0, "N", AT(max_connections),
     "clients at once, beyond which accepting pauses; by default 90 % of the descriptor limit"},
    {WEIR_OPTION_LIMIT, "max-per-address", 0, "N", AT(max_per_address),
     "clients at once from one address (IPv6: one /64), loopback exempt", "100"},
    {WEIR_OPTION_LIST, "allow", 0, "CIDR", AT(rules),
     "let clients of that address or network in; the first --allow or --deny that matches decides, and who matches "
     "none "
     "is let in unless there is an --allow"},
    {WEIR_OPTION_LIST, "deny", 0, "CIDR", AT(rules), "refuse clients of that address or network"},
    {WEIR_OPTION_TIME, "idle-timeout", 0, "TIME", AT(idle_timeout),
     "until a client is closed that neither sends nor takes", "5m"},
    {WEIR_OPTION_TIME, "write-timeout", 0, "TIME", AT(write_timeout),
     "until a client is closed that takes none of the output that waits for it", "1m"},
    {WEIR_OPTION_TIME, "message-timeout", 0, "TIME", AT(message_timeout), "for a whole line or message, once begun",
     "10s"},
    {WEIR_OPTION_TIME, "lifetime", 0, "TIME", AT(lifetime), "of a connection", "never"},
    {WEIR_OPTION_SIZE_LIMIT, "line-limit", 0, "SIZE", AT(line_limit), "the most that a line or message may have",
     "64k"},
    {WEIR_OPTION_TIME, "drain-timeout", 0, "TIME", AT(drain_timeout), "for clients to finish after SIGTERM", "30s"},
    {WEIR_OPTION_LIMIT, "replies-per-second", 0, "N", AT(replies_per_second),
     "answers to datagrams of one source a second, loopback exempt", "1000"},
    {WEIR_OPTION_FLAG, "reply-to-any", 0, NULL, AT(reply_to_any),
     "answer datagrams from ports below 1024, broadcast, multicast and our own sockets too"},
    {WEIR_OPTION_INTEGER, "backlog", 0, "N", AT(listen.backlog), "clients that may wait to be accepted", "4096", NULL,
     1, 65535},
    {WEIR_OPTION_FLAG, "delay", 0, NULL, AT(listen.socket.delay), "gather small output (Nagle's algorithm)"},
    {WEIR_OPTION_FLAG, "keepalive", 0, NULL, AT(listen.socket.keepalive),
     "probe clients that are silent (SO_KEEPALIVE)"},
    {WEIR_OPTION_FLAG, "receive-packed", 0, NULL, AT(receive_packed), "let the kernel coalesce datagrams (UDP_GRO)"},
    {0},
};
