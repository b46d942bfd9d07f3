/* A receiver: says who connects, and prints the text that arrives, on port 65431. */
#include <weir/weir.h>

static void print(weir_conn *client, void *arg)
{
    char *text, peer[WEIR_ADDRESS_TEXT];
    ssize_t size;
    weir_log(WEIR_LOG_INFO, "connection from %s", weir_peer_endpoint(client, peer, sizeof peer));
    while ((size = weir_receive(client, &text)) > 0)
        if (weir_file_write_all(weir_stdout(), text, size, WEIR_FOREVER) < 0)
            break;
}

int main(void) { return weir_serve("tcp://127.0.0.1:65431", print, NULL, NULL); }
