/*
 * Conversations: whatever the cuts, delays and pauses, a client that talks by lines is answered line for line in
 * its own newlines; one whose first line was torn apart by a pause is answered all that it said, in one piece or
 * in several.
 */
#include "common.h"
#include "scenarios.h"

enum { LIMIT = 2000, MOST_LINES = 20, MOST_LINE = 40, MOST_TALKS = 4, MOST_CLIENTS = 4, ROOM = 3 * LIMIT };

#define PATIENCE WEIR_S(15)
#define REFUSAL  "a message may have at most 2000 bytes"
#define PROMPT   "?"

static struct {
    struct serving serving;
    bool asks; /* whoever is silent, for a first message */
} world;

/* --- the server: "<MESSAGE>" for each, and "bye" --- */

static weir_next repeat(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)arg;
    WEIR_SIM_CHECK(strlen(message) == length && length <= LIMIT);
    return weir_answer_format(conversation, "<%s>", message) < 0 ? WEIR_FAILED : WEIR_GO_ON;
}

static weir_next end_it(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)conversation, (void)message, (void)length, (void)arg;
    return WEIR_END_IT;
}

static int greet(weir_conversation *conversation)
{
    char *message;
    size_t length;
    int result = world.asks ? weir_prompt(conversation, PROMPT, &message, &length)
                            : weir_read_message(conversation, &message, &length);
    if (result > 0 && repeat(conversation, message, length, NULL) == WEIR_FAILED)
        return -1;
    return result;
}

static void handler(weir_conn *conn, void *arg)
{
    static const weir_command commands[] = {{.name = "bye", .reply = "bye", .run = end_it}, {.run = repeat}};
    weir_conversation conversation = weir_conversation_begin(conn);
    WEIR_SIM_CHECK(conversation.limit == LIMIT);
    int result = greet(&conversation);
    if (result > 0)
        result = weir_converse(&conversation, commands, arg);
    if (result < 0 && errno != EMSGSIZE)
        weir_abort(conn);
}

/* --- what a client says, and what it is to hear --- */

struct script {
    char said[ROOM];     /* all of it */
    char letters[ROOM];  /* without newlines */
    char heard[ROOM];    /* the answers, where lines are messages */
    const char *newline; /* of the first line */
    bool too_long;
};

static void make_letters(char *letters, size_t length)
{
    for (size_t i = 0; i < length; i++)
        letters[i] = (char)('c' + weir_sim_below(20)); /* none is "bye" */
    letters[length] = '\0';
}

static void add_line(struct script *script, const char *line, const char *newline)
{
    strcat(strcat(script->said, line), newline);
    strcat(script->letters, line);
    sprintf(script->heard + strlen(script->heard), "<%s>%s", line, script->newline);
}

/* What it may end with: a line that is whole or not, a goodbye, or too much. */
static void add_end(struct script *script)
{
    char line[LIMIT + 2];
    switch (weir_sim_below(4)) {
    case 0:
        make_letters(line, 1 + weir_sim_below(MOST_LINE));
        add_line(script, line, "");
        break;
    case 1:
        strcat(script->said, "bye\n");
        strcat(script->letters, "bye");
        strcat(strcat(script->heard, "bye"), script->newline);
        break;
    case 2:
        make_letters(line, LIMIT + 1);
        strcat(script->said, line);
        strcat(script->letters, line);
        strcat(strcat(script->heard, REFUSAL), script->newline);
        script->too_long = true;
        break;
    default:
        break;
    }
}

static struct script make_script(void)
{
    struct script script = {.newline = one_in(2) ? "\n" : "\r\n"};
    char line[MOST_LINE + 1];
    const char *newline = script.newline;
    for (uint64_t lines = 1 + weir_sim_below(MOST_LINES); lines; lines--) {
        make_letters(line, 1 + weir_sim_below(MOST_LINE));
        add_line(&script, line, newline);
        newline = one_in(2) ? "\n" : "\r\n";
    }
    add_end(&script);
    return script;
}

/* --- saying it --- */

/* Just below and just above what ends a message, and more and less than that. */
static int pause_somehow(void)
{
    static const int64_t pauses[] = {0, WEIR_MS(1), WEIR_MS(99), WEIR_MS(101), WEIR_MS(150)};
    return one_in(2) ? 0 : weir_sleep(pauses[weir_sim_below(sizeof pauses / sizeof *pauses)]);
}

static int say(weir_conn *conn, const char *text, size_t length, uint64_t pieces)
{
    while (length > 0) {
        size_t part = pieces > 1 ? 1 + weir_sim_below(length) : length;
        if (weir_send_all(conn, text, part) < 0 || (pieces > 1 && pause_somehow() < 0))
            return -1;
        text += part;
        length -= part;
        pieces--;
    }
    return 0;
}

/* What is too long goes in one piece with the end: who refuses it hears the rest for a moment only. */
static int say_script(weir_conn *conn, const struct script *script)
{
    size_t length = strlen(script->said), last = script->too_long ? LIMIT + 1 : 0;
    if (say(conn, script->said, length - last, 1 + weir_sim_below(8)) < 0 ||
        say(conn, script->said + length - last, last, 1) < 0)
        return -1;
    return weir_shutdown(conn, SHUT_WR);
}

/* --- hearing it --- */

static int hear_all(weir_conn *conn, char *heard, size_t room)
{
    size_t length = 0;
    ssize_t more = 1;
    while (more > 0 && length < room - 1) {
        more = weir_recv(conn, heard + length, room - 1 - length);
        length += more > 0 ? (size_t)more : 0;
    }
    heard[length] = '\0';
    return more < 0 ? -1 : 0;
}

/* Whether a newline stands outside of what is repeated. */
static bool is_by_lines(const char *heard)
{
    bool inside = false;
    for (; *heard; heard++) {
        inside = *heard == '<' || (inside && *heard != '>');
        if (!inside && (*heard == '\n' || *heard == '\r'))
            return true;
    }
    return false;
}

/* Leaves the letters alone, those of the goodbye too. */
static void keep_letters(char *heard)
{
    char *kept = heard;
    for (; *heard; heard++)
        if (*heard >= 'a' && *heard <= 'z')
            *kept++ = *heard;
    *kept = '\0';
}

/* Messages that pauses have ended: all letters came back, up to what was too long. */
static void check_pieces(const struct script *script, char *heard)
{
    char *refusal = script->too_long ? strstr(heard, REFUSAL) : NULL;
    WEIR_SIM_CHECK(!strstr(heard, "<>"));
    if (refusal)
        *refusal = '\0';
    keep_letters(heard);
    bool equal = refusal ? strncmp(heard, script->letters, strlen(heard)) == 0 : strcmp(heard, script->letters) == 0;
    if (!equal)
        weir_sim_fail("said %s, heard %s", script->letters, heard);
}

static void check_heard(const struct script *script, char *heard)
{
    if (world.asks && *heard == *PROMPT)
        heard++;
    if (!is_by_lines(heard))
        check_pieces(script, heard);
    else if (strcmp(heard, script->heard) != 0)
        weir_sim_fail("said %s, heard %s, not %s", script->said, heard, script->heard);
}

/* All is said, then all is heard. */
static int tell_all(weir_conn *conn)
{
    struct script *script = malloc(sizeof *script);
    char *heard = malloc(ROOM);
    if (!script || !heard)
        abort();
    *script = make_script();
    int result = say_script(conn, script) < 0 || hear_all(conn, heard, ROOM) < 0 ? -1 : 0;
    if (result == 0)
        check_heard(script, heard);
    free(script);
    free(heard);
    return result;
}

/* --- without newlines, in turns --- */

/* Hears until all letters of a message have come back, in however many answers. */
static int hear_letters(weir_conn *conn, const char *letters)
{
    char heard[ROOM] = "", kept[ROOM] = "";
    for (size_t length = 0; strlen(kept) < strlen(letters);) {
        ssize_t more = weir_recv(conn, heard + length, sizeof heard - 1 - length);
        if (more == 0)
            weir_sim_fail("an end after %s, and nobody said why", heard);
        if (more <= 0)
            return -1;
        heard[length += (size_t)more] = '\0';
        keep_letters(strcpy(kept, heard));
        WEIR_SIM_CHECK(!is_by_lines(heard) && strncmp(kept, letters, strlen(kept)) == 0);
    }
    return 0;
}

static int ask_in_turns(weir_conn *conn)
{
    char message[MOST_LINE + 1], rest[ROOM];
    for (uint64_t messages = 1 + weir_sim_below(MOST_LINES / 2); messages; messages--) {
        make_letters(message, 1 + weir_sim_below(MOST_LINE));
        if (say(conn, message, strlen(message), 1 + weir_sim_below(4)) < 0 || hear_letters(conn, message) < 0)
            return -1;
        if (one_in(3) && weir_send_all(conn, "\r\n", 1 + weir_sim_below(2)) < 0)
            return -1;
        if (one_in(3) && weir_sleep(WEIR_MS(150)) < 0)
            return -1;
    }
    if (weir_shutdown(conn, SHUT_WR) < 0 || hear_all(conn, rest, sizeof rest) < 0)
        return -1;
    WEIR_SIM_CHECK(strspn(rest, ">") == strlen(rest)); /* what stood behind the last letter */
    return 0;
}

/* --- a client --- */

/* Who is asked says nothing before. */
static int wait_for_prompt(weir_conn *conn)
{
    char prompt;
    ssize_t length = weir_recv(conn, &prompt, 1);
    if (length == 0)
        weir_sim_fail("an end in place of a prompt, and nobody said why");
    if (length <= 0)
        return -1;
    WEIR_SIM_CHECK(prompt == *PROMPT);
    return 0;
}

static int talk(void *arg)
{
    (void)arg;
    weir_conn *conn = reach("tcp://server:7", PATIENCE);
    if (!conn)
        return -1;
    if (one_in(10)) { /* in the middle of something */
        say(conn, "something and no end", 1 + weir_sim_below(20), 1);
        cut(conn);
        return 0;
    }
    if (world.asks && one_in(2) && wait_for_prompt(conn) < 0)
        return cut(conn);
    if ((one_in(2) ? tell_all(conn) : ask_in_turns(conn)) < 0)
        return cut(conn);
    return weir_close(conn);
}

static int client(void *arg)
{
    for (uint64_t talks = 1 + weir_sim_below(MOST_TALKS); talks; talks--)
        if (weir_sleep(between(0, WEIR_S(1))) < 0 || until_done("a conversation", talk, arg, SHORTLY + PATIENCE) < 0)
            return -1;
    return 0;
}

void conversations(void)
{
    world.asks = one_in(2);
    world.serving = (struct serving){.endpoint = "tcp://*:7",
                                     .handler = handler,
                                     .by_hand = one_in(2),
                                     .options = {.model = one_in(4) ? WEIR_MODEL_THREAD : WEIR_MODEL_FIBER,
                                                 .workers = between(1, 2),
                                                 .idle_timeout = PATIENCE,
                                                 .message_timeout = PATIENCE,
                                                 .write_timeout = PATIENCE,
                                                 .line_limit = LIMIT}};
    weir_sim_service(weir_sim_host_new("server"), "conversations", serve, &world.serving);
    for (int64_t clients = between(1, MOST_CLIENTS); clients; clients--)
        weir_sim_program(weir_sim_host_new(NULL), "client", client, NULL);
}
