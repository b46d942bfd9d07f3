/* A greeting: a name comes in, "hi NAME" goes out, whether or not the client sends newlines. Port 2000. */
#include <weir/weir.h>

static void greet(weir_conn *client, void *arg)
{
    weir_conversation talk = weir_conversation_begin(client);
    char *name;
    while (weir_read_message(&talk, &name, NULL) > 0)
        if (weir_answer_format(&talk, "hi %s", name) < 0)
            return;
}

int main(void) { return weir_serve("tcp://127.0.0.1:2000", greet, NULL, NULL); }
