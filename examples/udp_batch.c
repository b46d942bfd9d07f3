/* A UDP echo without a server: up to 64 datagrams a system call, in main. */
#include <weir/weir.h>

enum { COUNT = 64, ROOM = 2048 };

int main(void)
{
    static char room[COUNT][ROOM];
    weir_datagram datagrams[COUNT];
    for (int i = 0; i < COUNT; i++)
        datagrams[i] = (weir_datagram){.data = room[i], .capacity = ROOM};
    weir_auto weir_conn *socket = weir_bind("udp://127.0.0.1:31337", NULL);
    if (!socket) {
        weir_log_error();
        return 1;
    }
    int count;
    while ((count = weir_recv_batch(socket, datagrams, COUNT)) > 0)
        if (weir_send_batch(socket, datagrams, count) < 0)
            weir_log_error();
    weir_log_error();
    return 1;
}
