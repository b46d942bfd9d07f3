/* An echo server that puts "echo -> " before each chunk it received, on port 2000. */
#include <weir/weir.h>

static void echo(weir_conn *client, void *arg)
{
    char data[8 + 1024] = "echo -> ";
    ssize_t size;
    while ((size = weir_recv(client, data + 8, 1024)) > 0)
        if (weir_send_all(client, data, 8 + size) < 0)
            return;
}

int main(void) { return weir_serve("tcp://127.0.0.1:2000", echo, NULL, NULL); }
