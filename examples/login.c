/* A login for one user: a name and a password in, a greeting out. `weir serve login` has accounts, and is slow to guess at. */
#include <string.h>
#include <weir/weir.h>

static void login(weir_conn *client, void *arg)
{
    weir_conversation talk = weir_conversation_begin(client);
    char *message;
    if (weir_prompt(&talk, "user: ", &message, NULL) <= 0)
        return;
    bool known = strcmp(message, "anna") == 0;
    if (weir_prompt(&talk, "password: ", &message, NULL) <= 0)
        return;
    bool right = known && strcmp(message, "open sesame") == 0;
    const char *answer = right ? "hi Anna, good to see you" : "wrong user or password";
    weir_answer(&talk, answer, strlen(answer));
}

int main(void) { return weir_serve("tcp://127.0.0.1:2000", login, NULL, NULL); }
