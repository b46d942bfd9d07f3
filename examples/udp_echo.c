/* A UDP echo server that says whom it answers, on port 31337. */
#include <weir/weir.h>

static void echo(const weir_datagram *datagram, void *arg)
{
    char peer[WEIR_ADDRESS_TEXT];
    if (weir_reply(datagram, datagram->data, datagram->length) == 0)
        weir_log(WEIR_LOG_INFO, "Echoing data back to %s", weir_address_text(&datagram->peer, peer, sizeof peer));
}

int main(void) { return weir_serve_datagrams("udp://127.0.0.1:31337", echo, NULL, NULL); }
