/* Blocking work off the loop: a user's name in, the home directory out; the look-up may take as long as it likes. */
#include <pwd.h>
#include <stdio.h>
#include <weir/weir.h>

struct question {
    const char *user;
    char home[256];
};

/* On a thread of the pool: this may read files or ask a directory server. */
static int look_up(void *arg)
{
    struct question *question = arg;
    struct passwd entry, *found = NULL;
    char room[4096];
    getpwnam_r(question->user, &entry, room, sizeof room, &found);
    return snprintf(question->home, sizeof question->home, "%s\n", found ? found->pw_dir : "nobody of that name");
}

static void finger(weir_conn *client, void *arg)
{
    struct question question;
    char *line;
    int length;
    while (weir_read_line(client, &line, NULL, 100) > 0) {
        question.user = line;
        if (weir_offload(look_up, &question, NULL, &length, WEIR_FOREVER) < 0 ||
            weir_send_all(client, question.home, length) < 0)
            return;
    }
}

int main(void) { return weir_serve("tcp://127.0.0.1:7979", finger, NULL, NULL); }
