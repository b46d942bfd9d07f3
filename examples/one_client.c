/* The socket calls, one after the other: waits for one client, prints what it sends, answers, ends. */
#include <stdio.h>
#include <weir/weir.h>

int main(void)
{
    char data[2048];
    weir_listener *listener = weir_listen("tcp://127.0.0.1:1234", NULL);
    if (listener)
        weir_log(WEIR_LOG_INFO, "waiting on %s", weir_listener_endpoint(listener, 0));
    weir_conn *client = listener ? weir_accept(listener) : NULL;
    ssize_t size = client ? weir_recv(client, data, sizeof data) : -1;
    if (size >= 0)
        printf("the server was sent the data: %.*s\n", (int)size, data);
    if (size < 0 || weir_send_all(client, "hi", 2) < 0)
        weir_log_error();
    weir_close(client);
    weir_listener_close(listener);
    return size < 0;
}
