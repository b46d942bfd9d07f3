/* An echo whose idle clients hold no buffer: what arrived is lent by the worker until the next receive. */
#include <weir/weir.h>

static void echo(weir_conn *client, void *arg)
{
    char *data;
    ssize_t size;
    while ((size = weir_receive(client, &data)) > 0)
        if (weir_send_all(client, data, size) < 0)
            return;
}

int main(void) { return weir_serve("tcp://127.0.0.1:8000", echo, NULL, NULL); }
