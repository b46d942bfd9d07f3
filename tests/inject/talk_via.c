/*
 * Conversations through others: a SOCKS proxy in a fiber; ssh, which is a shell script that says what is needed of it;
 * one behind the other; and a path that stays open.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/via.h>

#include "talks.h"

/* --- ssh, made once for all runs --- */

/* clang-format off */
#define SCRIPT \
    "#!/bin/sh\n" \
    "for word in \"$@\"; do\n" \
    "    case $word in\n" \
    "    ProxyCommand=*) fifos=${word#*cat <}; fifos=${fifos%%/0 2>*} ;;\n" \
    "    -N) echo 'debug1: Local forwarding listening on path x.' >&2; exit 255 ;;\n" \
    "    esac\n" \
    "done\n" \
    "if [ -n \"$fifos\" ]; then exec 4<$fifos/0 5>$fifos/1; fi\n" \
    "echo 'debug2: channel 0: open confirm rwindow 1 rmax 1' >&2\n" \
    "if [ -z \"$fifos\" ]; then cat; else cat <&4 & cat >&5; fi\n" \
    "echo 'debug2: channel 0: rcvd eof' >&2\n"
/* clang-format on */

/* Folders are made here, and go with the run's own, whatever cannot be removed. */
static bool make_ssh(void)
{
    char folder[200], path[256];
    if (!getcwd(folder, sizeof folder))
        return wrong("no folder");
    snprintf(path, sizeof path, "%s/ssh", folder);
    setenv("XDG_RUNTIME_DIR", folder, 1);
    setenv("WEIR_SSH", path, 1);
    if (access(path, X_OK) == 0)
        return true;
    FILE *file = fopen(path, "w");
    bool well = file && fputs(SCRIPT, file) >= 0;
    well = file && fclose(file) == 0 && well && chmod(path, 0700) == 0;
    return well || wrong("no script could be made");
}

/* --- a proxy --- */

/* What weir__via_socks5 asks for "target:80" without a user. */
enum { GREETING = 3, REQUEST = 5 + 6 + 2 };

static bool serve_socks(weir_conn *conn)
{
    char asked[REQUEST];
    if (weir_read_exactly(conn, asked, GREETING) < 0 || weir_send_all(conn, "\5\0", 2) < 0 ||
        weir_read_exactly(conn, asked, REQUEST) < 0 || weir_send_all(conn, "\5\0\0\1\0\0\0\0\0\0", 10) < 0)
        return failed("the proxy's talk");
    return echo_all(conn);
}

static int serve_one(void *listener)
{
    weir_auto weir_conn *conn = weir_accept(listener);
    if (!conn)
        return failed("weir_accept") - 1;
    weir_set_timeout(conn, PATIENCE);
    return serve_socks(conn) ? 0 : 1;
}

static weir_conn *connect_through(const char *first, const char *second)
{
    const char *const via[] = {first, second, NULL};
    weir_conn *conn =
        weir_connect("tcp://target:80", WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE, .via = via));
    if (conn)
        weir_set_timeout(conn, PATIENCE);
    else
        failed("weir_connect");
    return conn;
}

/* The end of a transport is no end of the channel to this ssh, so nobody waits for one. */
static bool say_lines(weir_conn *conn)
{
    return send_text(conn, "one\ntwo\n") && read_line(conn, "one") && read_text(conn, "two\n");
}

static bool through_proxy(const char *then, bool (*talk)(weir_conn *conn))
{
    char url[64];
    weir_listener *listener = weir_listen("tcp://127.0.0.1:0", NULL);
    if (!listener)
        return failed("weir_listen");
    weir_listener_set_timeout(listener, PATIENCE);
    snprintf(url, sizeof url, "socks5://%s", weir_listener_endpoint(listener, 0) + strlen("tcp://"));
    weir_fiber *server = weir_spawn(serve_one, listener, NULL);
    weir_conn *conn = server ? connect_through(url, then) : NULL;
    bool well = server ? conn && talk(conn) : failed("weir_spawn");
    weir_close(conn);
    weir_listener_cancel(listener);
    well = (!server || join(server)) && well;
    weir_listener_close(listener);
    return well;
}

static bool proxy(void)
{
    return through_proxy(NULL, converse_on);
}

static bool ssh(void)
{
    weir_auto weir_conn *conn = make_ssh() ? connect_through("ssh://box", NULL) : NULL;
    return conn && converse_on(conn);
}

static bool ssh_behind_proxy(void)
{
    return make_ssh() && through_proxy("ssh://target:80", say_lines);
}

/* Its end is an error, which is what is waited for. */
static bool forward(void)
{
    static const char *const via[] = {"ssh://box", NULL};
    weir_forward *path = make_ssh() ? weir_forward_open(via, "tcp://target:80", PATIENCE) : NULL;
    if (!path)
        return failed("weir_forward_open");
    weir_forward_wait(path, SOON);
    bool well = weir_error()->kind == WEIR_ERROR_SSH || failed("weir_forward_wait");
    weir_forward_close(path);
    return well;
}

const struct conversation via_talks[] = {
    {"proxy", proxy, .in_fiber = true, .rather = ECONNRESET},
    {"ssh", ssh, .in_fiber = true, .calls = 2, .rather = ECONNREFUSED},
    {"ssh_behind_proxy", ssh_behind_proxy, .in_fiber = true, .once = true, .calls = 2, .rather = ECONNRESET},
    {"forward", forward, .once = true, .calls = 2, .rather = ECONNREFUSED},
    {0},
};
