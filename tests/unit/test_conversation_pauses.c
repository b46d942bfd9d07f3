/*
 * What a pause ends, to the millisecond, on the simulator's clock: every cut of a text, with pauses below and
 * above 100 ms.
 */
#include "simulated.h"

#include <stdio.h>

#define BELOW WEIR_MS(99)
#define ABOVE WEIR_MS(101)

enum { MOST_PIECES = 20, ROOM = 200 };

/* What is said: pieces, each after a pause. */
struct talk {
    struct {
        const char *text;
        size_t length;
        int64_t pause;
    } pieces[MOST_PIECES];
    size_t count;
    char heard[ROOM]; /* the messages, each in brackets */
    weir_newline newline;
    int64_t begun, first; /* when it was, and when the first message was there */
};

static struct talk now;

static void add(const char *text, size_t length, int64_t pause)
{
    now.pieces[now.count].text = text;
    now.pieces[now.count].length = length;
    now.pieces[now.count++].pause = pause;
}

static int say(void *arg)
{
    weir_conn *conn = arg;
    for (size_t i = 0; i < now.count; i++) {
        CHECK(weir_sleep(now.pieces[i].pause) == 0);
        CHECK(weir_send_all(conn, now.pieces[i].text, now.pieces[i].length) == 0);
    }
    CHECK(weir_sleep(ABOVE) == 0);
    return weir_shutdown(conn, SHUT_WR);
}

static void hear(weir_conn *conn)
{
    weir_conversation conversation = weir_conversation_begin(conn);
    char *message;
    size_t length;
    now.begun = weir_now();
    while (weir_read_message(&conversation, &message, &length) > 0) {
        if (!now.first)
            now.first = weir_now();
        CHECK(strlen(message) == length);
        strcat(strcat(strcat(now.heard, "["), message), "]");
    }
    CHECK(weir_at_end(conn));
    now.newline = conversation.newline;
}

static int hear_what_is_said(void *arg)
{
    (void)arg;
    weir_conn *pair[2];
    CHECK(weir_pair(SOCK_STREAM, pair) == 0);
    weir_fiber *sayer = weir_spawn(say, pair[1], NULL);
    hear(pair[0]);
    weir_join(sayer, NULL, WEIR_FOREVER);
    weir_close(pair[0]);
    weir_close(pair[1]);
    return 0;
}

/* Forgets what was said; play_out says what was added since. */
static void begin(void)
{
    memset(&now, 0, sizeof now);
}

static void play_out(const char *heard, weir_newline newline)
{
    play(hear_what_is_said, NULL, 0, 1);
    assert_string_equal(now.heard, heard);
    assert_int_equal(now.newline, newline);
}

static void say_cut(const char *text, size_t cut, int64_t pause)
{
    begin();
    add(text, cut, ABOVE); /* a client that is silent at first says nothing by it */
    add(text + cut, strlen(text) - cut, pause);
}

static void a_pause_below_the_limit_ends_nothing(void **state)
{
    (void)state;
    static const char crlf[] = "bob\r\nanna\r\n", lf[] = "bob\nanna\n", none[] = "bob";
    for (size_t cut = 1; cut < strlen(crlf); cut++) {
        say_cut(crlf, cut, BELOW);
        play_out("[bob][anna]", WEIR_NEWLINE_CRLF);
    }
    for (size_t cut = 1; cut < strlen(lf); cut++) {
        say_cut(lf, cut, BELOW);
        play_out("[bob][anna]", WEIR_NEWLINE_LF);
    }
    for (size_t cut = 1; cut < strlen(none); cut++) {
        say_cut(none, cut, BELOW);
        play_out("[bob]", WEIR_NEWLINE_NONE);
    }
}

static void a_pause_above_the_limit_ends_the_first_message(void **state)
{
    (void)state;
    static const char text[] = "bob\r\nanna\r\n";
    for (size_t cut = 1; cut < strlen(text); cut++) {
        char heard[ROOM];
        /* Newlines are none of a message at its end alone: what is left of one begins the next. */
        if (cut < 3)
            snprintf(heard, sizeof heard, "[%.*s][%.*s]", (int)cut, text, (int)(strlen(text) - 2 - cut), text + cut);
        else if (cut < 5)
            snprintf(heard, sizeof heard, "[bob][%.*sanna]", (int)(5 - cut), text + cut);
        else
            strcpy(heard, "[bob][anna]");
        say_cut(text, cut, ABOVE);
        play_out(heard, cut < 5 ? WEIR_NEWLINE_NONE : WEIR_NEWLINE_CRLF);
    }
}

static void a_pause_in_a_later_line_ends_nothing(void **state)
{
    (void)state;
    static const char text[] = "bob\nanna\r\n";
    for (size_t cut = 4; cut < strlen(text); cut++) {
        say_cut(text, cut, WEIR_S(2));
        play_out("[bob][anna]", WEIR_NEWLINE_LF);
    }
}

static void each_piece_begins_the_pause_anew(void **state)
{
    (void)state;
    static const char text[] = "a long name";
    begin();
    for (size_t i = 0; i < strlen(text); i++)
        add(text + i, 1, BELOW);
    play_out("[a long name]", WEIR_NEWLINE_NONE);
    begin();
    for (size_t i = 0; i < strlen(text); i += 2)
        add(text + i, i + 1 < strlen(text) ? 2 : 1, ABOVE);
    play_out("[a ][lo][ng][ n][am][e]", WEIR_NEWLINE_NONE);
}

static void newlines_alone_are_nothing_after_a_pause(void **state)
{
    (void)state;
    begin();
    add("bob", 3, 0);
    add("\r\n", 2, ABOVE);
    add("\n", 1, ABOVE);
    add("\r", 1, ABOVE);
    add("\n", 1, BELOW);
    add("anna\n", 5, ABOVE);
    play_out("[bob][anna]", WEIR_NEWLINE_NONE);
    begin();
    add("\n", 1, 0);
    add("\r\n", 2, ABOVE);
    add("anna\n", 5, ABOVE);
    play_out("[][][anna]", WEIR_NEWLINE_LF);
}

/* A newline is no reason to wait for the pause, and a pause is neither shorter nor much longer than it is to be. */
static void a_message_is_there_when_it_has_ended(void **state)
{
    (void)state;
    begin();
    add("bob\n", 4, WEIR_MS(50));
    play_out("[bob]", WEIR_NEWLINE_LF);
    assert_in_range(now.first - now.begun, WEIR_MS(50), WEIR_MS(51));
    begin();
    add("bob", 3, WEIR_MS(50));
    play_out("[bob]", WEIR_NEWLINE_NONE);
    assert_in_range(now.first - now.begun, WEIR_MS(150), WEIR_MS(152));
}

/* --- prompts --- */

static const char *answers[2]; /* what the client says at once and what when it is asked */
static int64_t hesitation;     /* before it says the first */

static int answer_prompts(void *arg)
{
    weir_conn *conn = arg;
    char prompt;
    CHECK(weir_sleep(hesitation) == 0);
    CHECK(weir_send_all(conn, answers[0], strlen(answers[0])) == 0);
    if (hesitation > WEIR_MS(100) || answers[1])
        CHECK(weir_recv(conn, &prompt, 1) == 1 && prompt == '?');
    if (answers[1])
        CHECK(weir_send_all(conn, answers[1], strlen(answers[1])) == 0);
    CHECK(weir_shutdown(conn, SHUT_WR) == 0);
    CHECK(weir_recv(conn, &prompt, 1) == 0); /* nothing else is asked */
    return 0;
}

static int prompt(void *arg)
{
    (void)arg;
    weir_conn *pair[2];
    char *message;
    CHECK(weir_pair(SOCK_STREAM, pair) == 0);
    weir_fiber *client = weir_spawn(answer_prompts, pair[1], NULL);
    weir_conversation conversation = weir_conversation_begin(pair[0]);
    while (weir_prompt(&conversation, "?", &message, NULL) > 0)
        strcat(strcat(strcat(now.heard, "["), message), "]");
    weir_close(pair[0]);
    weir_join(client, NULL, WEIR_FOREVER);
    weir_close(pair[1]);
    return 0;
}

static void check_prompts(int64_t before, const char *at_once, const char *asked, const char *heard)
{
    begin();
    hesitation = before;
    answers[0] = at_once;
    answers[1] = asked;
    play(prompt, NULL, 0, 1);
    assert_string_equal(now.heard, heard);
}

static void only_silence_of_the_pause_is_asked(void **state)
{
    (void)state;
    check_prompts(0, "bob\n", NULL, "[bob]");
    check_prompts(BELOW, "bob\n", NULL, "[bob]");
    check_prompts(BELOW, "bob\nsecret\n", NULL, "[bob][secret]");
    check_prompts(ABOVE, "bob\n", NULL, "[bob]");
    check_prompts(ABOVE, "bob\nsecret\n", NULL, "[bob][secret]");
    check_prompts(BELOW, "bob\n", "secret\n", "[bob][secret]");
    check_prompts(0, "bob", "secret", "[bob][secret]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_below_the_limit_ends_nothing),
        cmocka_unit_test(a_pause_above_the_limit_ends_the_first_message),
        cmocka_unit_test(a_pause_in_a_later_line_ends_nothing),
        cmocka_unit_test(each_piece_begins_the_pause_anew),
        cmocka_unit_test(newlines_alone_are_nothing_after_a_pause),
        cmocka_unit_test(a_message_is_there_when_it_has_ended),
        cmocka_unit_test(only_silence_of_the_pause_is_asked),
    };
    return cmocka_run_group_tests_name("conversation_pauses", tests, NULL, NULL);
}
