/* The seed's UDP log server: a record on stdout for each datagram that arrives on port 1234, and no answer. */
#include <stdio.h>
#include <weir/weir.h>

static void record(const weir_datagram *datagram, void *arg)
{
    char time[WEIR_ISO_TIME], sender[WEIR_ADDRESS_TEXT], message[2048];
    weir_iso_time(weir_wall_clock(), time, sizeof time);
    weir_address_text(&datagram->peer, sender, sizeof sender);
    weir_escape(datagram->data, datagram->length, message, sizeof message);
    printf("%s %-12s %8s\t%s\n", time, sender, "DEBUG", message);
    fflush(stdout);
}

int main(void) { return weir_serve_datagrams("udp://127.0.0.1:1234", record, NULL, NULL); }
