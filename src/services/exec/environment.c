/* The variables, from a connection's addresses and its peer's credentials. */
#include "environment.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <weir/weir.h>

/* All that UCSPI's and ncat's programs know, those included that are not set here: no names are looked up. */
static const char *const known[] = {
    "PROTO",         "TCPLOCALIP",      "TCPLOCALPORT",    "TCPLOCALHOST",     "TCPREMOTEIP",
    "TCPREMOTEPORT", "TCPREMOTEHOST",   "TCPREMOTEINFO",   "UNIXLOCALPATH",    "UNIXLOCALUID",
    "UNIXLOCALGID",  "UNIXLOCALPID",    "UNIXREMOTEPID",   "UNIXREMOTEEUID",   "UNIXREMOTEEGID",
    "NCAT_PROTO",    "NCAT_LOCAL_ADDR", "NCAT_LOCAL_PORT", "NCAT_REMOTE_ADDR", "NCAT_REMOTE_PORT",
};

/* An address in two words. */
struct words {
    char text[WEIR_ADDRESS_TEXT];
    const char *host, *port;
};

void exec_environment_forget(void)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        unsetenv(known[i]);
}

__attribute__((format(printf, 2, 3))) static void add(struct exec_environment *environment, const char *format, ...)
{
    char *text = environment->text[environment->count];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, EXEC_VARIABLE_ROOM, format, arguments);
    va_end(arguments);
    environment->variables[environment->count++] = text;
    environment->variables[environment->count] = NULL;
}

/* Takes "HOST:PORT" or "[HOST]:PORT" apart; an IPv4 address mapped into IPv6 is shown as what it is. */
static void take_apart(const weir_address *address, struct words *words)
{
    static const char mapped[] = "::ffff:";
    weir_address_text(address, words->text, sizeof words->text);
    char *colon = strrchr(words->text, ':');
    words->host = words->text;
    words->port = colon ? colon + 1 : "";
    if (colon)
        *colon = '\0';
    if (words->text[0] != '[')
        return;
    words->host++;
    words->text[strlen(words->text) - 1] = '\0';
    if (strncmp(words->host, mapped, strlen(mapped)) == 0 && strchr(words->host, '.'))
        words->host += strlen(mapped);
}

static void add_ncat(struct exec_environment *environment, const struct words *local, const struct words *remote)
{
    add(environment, "NCAT_PROTO=TCP");
    add(environment, "NCAT_LOCAL_ADDR=%s", local->host);
    add(environment, "NCAT_LOCAL_PORT=%s", local->port);
    add(environment, "NCAT_REMOTE_ADDR=%s", remote->host);
    add(environment, "NCAT_REMOTE_PORT=%s", remote->port);
}

static void fill_tcp(struct exec_environment *environment, const weir_address *local_address, const weir_conn *conn)
{
    struct words local, remote = {.host = "", .port = ""};
    weir_address peer;
    take_apart(local_address, &local);
    if (weir_peer_address(conn, &peer) == 0) /* or it is gone again */
        take_apart(&peer, &remote);
    add(environment, "PROTO=TCP");
    add(environment, "TCPLOCALIP=%s", local.host);
    add(environment, "TCPLOCALPORT=%s", local.port);
    add(environment, "TCPREMOTEIP=%s", remote.host);
    add(environment, "TCPREMOTEPORT=%s", remote.port);
    add_ncat(environment, &local, &remote);
}

static bool credentials_of(const weir_conn *conn, struct ucred *credentials)
{
    socklen_t length = sizeof *credentials;
    return getsockopt(weir_fd(conn), SOL_SOCKET, SO_PEERCRED, credentials, &length) == 0;
}

/* The names that ncat's own programs find on a Unix socket. */
static void fill_unix(struct exec_environment *environment, const weir_address *local_address, const weir_conn *conn)
{
    const struct words none = {.host = "localhost", .port = ""};
    char path[WEIR_ADDRESS_TEXT];
    struct ucred credentials;
    add(environment, "PROTO=UNIX");
    add(environment, "UNIXLOCALPATH=%s", weir_address_text(local_address, path, sizeof path));
    if (credentials_of(conn, &credentials)) {
        add(environment, "UNIXREMOTEPID=%d", (int)credentials.pid);
        add(environment, "UNIXREMOTEEUID=%u", credentials.uid);
        add(environment, "UNIXREMOTEEGID=%u", credentials.gid);
    }
    add_ncat(environment, &none, &none);
}

void exec_environment_fill(struct exec_environment *environment, const weir_conn *conn)
{
    weir_address local;
    environment->count = 0;
    environment->variables[0] = NULL;
    if (weir_local_address(conn, &local) < 0)
        return;
    if (local.any.sa_family == AF_UNIX)
        fill_unix(environment, &local, conn);
    else
        fill_tcp(environment, &local, conn);
}

char *exec_client_name(const weir_conn *conn, char *text, size_t size)
{
    struct ucred credentials;
    weir_address local;
    if (weir_local_address(conn, &local) == 0 && local.any.sa_family == AF_UNIX && credentials_of(conn, &credentials)) {
        char endpoint[WEIR_ADDRESS_TEXT];
        snprintf(text, size, "%s, process %d of user %u", weir_local_endpoint(conn, endpoint, sizeof endpoint),
                 (int)credentials.pid, credentials.uid);
        return text;
    }
    return weir_peer_endpoint(conn, text, size);
}
