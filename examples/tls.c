/* An echo server by TLS, which says whom its clients' certificates name: tls CERTIFICATE KEY [CA OF CLIENTS] */
#include <weir/weir.h>

static void echo(weir_conn *client, void *arg)
{
    char spoken[100], *data;
    ssize_t size;
    const char *name = weir_peer_name(client);
    weir_log(WEIR_LOG_INFO, "%s by %s", name ? name : "somebody", weir_tls_text(client, spoken, sizeof spoken));
    while ((size = weir_receive(client, &data)) > 0)
        if (weir_send_all(client, data, (size_t)size) < 0)
            break;
    if (size < 0)
        weir_log_error();
}

int main(int argc, char **argv)
{
    weir_tls_options tls = {
        .cert = argc > 1 ? argv[1] : "cert.pem",
        .key = argc > 2 ? argv[2] : "key.pem",
        .ca = argc > 3 ? argv[3] : NULL,
    };
    return weir_serve("tls://127.0.0.1:8443", echo, NULL, WEIR_OPTIONS(weir_server_options, .listen.tls = tls));
}
