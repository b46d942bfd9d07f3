/* The ten-line server: an echo on port 8000, a fiber per client. */
#include <weir/weir.h>
static void echo(weir_conn *c, void *arg)
{
    char buf[4096];
    ssize_t n;
    while ((n = weir_recv(c, buf, sizeof buf)) > 0)
        if (weir_send_all(c, buf, n) < 0)
            break;
}
int main(void) { return weir_serve("tcp://127.0.0.1:8000", echo, NULL, NULL); }
