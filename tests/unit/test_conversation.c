/* Conversations: what ends a message, which newline answers get, limits, prompts, tables of commands. */
#include "sockets.h"

#include <weir/conversation.h>

#include "net/conn.h"

/* A conversation and the plain socket at its other end. Its pause ends soon: what tests of pauses need. */
static weir_conversation conversation(int *peer)
{
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    *peer = pair[1];
    weir_conn *conn = weir_adopt(pair[0]);
    check(conn);
    weir_conversation talk = weir_conversation_begin(conn);
    check(talk.limit == 65536 && talk.pause == WEIR_MS(100) && talk.newline == WEIR_NEWLINE_UNKNOWN);
    talk.pause = WEIR_MS(5);
    return talk;
}

static void end(weir_conversation *talk, int peer)
{
    close(peer);
    check(weir_close(talk->conn) == 0);
}

static void say_bytes(int peer, const char *bytes, size_t length)
{
    check(send(peer, bytes, length, MSG_NOSIGNAL) == (ssize_t)length);
}

static void say(int peer, const char *bytes)
{
    say_bytes(peer, bytes, strlen(bytes));
}

static void check_message(weir_conversation *talk, const char *expected)
{
    char *message;
    size_t length;
    check(weir_read_message(talk, &message, &length) == 1);
    check_text(message, expected);
    check(length == strlen(expected));
}

static void check_end(weir_conversation *talk)
{
    char *message;
    check(weir_read_message(talk, &message, NULL) == 0);
    check(weir_at_end(talk->conn));
}

/* That the peer has been sent this, and nothing else so far. */
static void check_heard(int peer, const char *expected)
{
    char heard[2000];
    ssize_t length = recv(peer, heard, sizeof heard - 1, MSG_DONTWAIT);
    heard[length < 0 ? 0 : length] = '\0';
    check_text(heard, expected);
}

static void check_answer(weir_conversation *talk, int peer, const char *answer, const char *expected)
{
    check(weir_answer(talk, answer, strlen(answer)) == 0);
    check_heard(peer, expected);
}

/* --- what ends a message --- */

static void newlines_end_messages_where_one_came_first(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    say(peer, "bob\nanna\r\n\n\r\nhalf");
    check_message(&talk, "bob");
    check(talk.newline == WEIR_NEWLINE_LF);
    check_answer(&talk, peer, "hi", "hi\n");
    check_message(&talk, "anna");
    check_message(&talk, "");
    check_message(&talk, "");
    close(peer);
    check_message(&talk, "half");
    check_end(&talk);
    check_end(&talk);
    check(weir_close(talk.conn) == 0);
}

static void answers_end_as_the_first_message_did(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    check_answer(&talk, peer, "too early", "too early");
    say(peer, "bob\r\n");
    check_message(&talk, "bob");
    check(talk.newline == WEIR_NEWLINE_CRLF);
    check_answer(&talk, peer, "hi", "hi\r\n");
    check_answer(&talk, peer, "", "\r\n");
    say(peer, "anna\n");
    check_message(&talk, "anna");
    check_answer(&talk, peer, "hi", "hi\r\n");
    end(&talk, peer);
}

static void a_pause_ends_messages_where_none_came(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    say(peer, "bob");
    check_message(&talk, "bob");
    check(talk.newline == WEIR_NEWLINE_NONE);
    check_answer(&talk, peer, "hi", "hi");
    check_answer(&talk, peer, "", "");
    say(peer, "one\ntwo\r\n\r\n");
    check_message(&talk, "one\ntwo");
    say_bytes(peer, "a\0b", 3);
    char *message;
    size_t length;
    check(weir_read_message(&talk, &message, &length) == 1);
    check(length == 3 && memcmp(message, "a\0b", 4) == 0);
    end(&talk, peer);
}

static void the_end_of_the_stream_ends_a_message(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    talk.pause = WEIR_FOREVER;
    say(peer, "bob");
    shutdown(peer, SHUT_WR);
    check_message(&talk, "bob");
    check(talk.newline == WEIR_NEWLINE_NONE);
    check_answer(&talk, peer, "hi", "hi");
    check_end(&talk);
    end(&talk, peer);
}

static void *say_slowly(void *arg)
{
    int peer = (int)(intptr_t)arg;
    for (const char *byte = "slow\r\nslower\n"; *byte; byte++) {
        check(send(peer, byte, 1, 0) == 1);
        usleep(500);
    }
    return NULL;
}

static void a_newline_may_come_in_two_pieces(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    talk.pause = WEIR_S(20); /* longer than any machine is slow */
    pthread_t other = beside(say_slowly, (void *)(intptr_t)peer);
    check_message(&talk, "slow");
    check(talk.newline == WEIR_NEWLINE_CRLF);
    check_message(&talk, "slower");
    join_beside(other);
    end(&talk, peer);
}

static void a_byte_then_a_long_pause_in_a_line(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    say(peer, "bob\nan");
    check_message(&talk, "bob");
    usleep(20000); /* above the pause, which is none of a conversation by lines */
    say(peer, "na\n");
    check_message(&talk, "anna");
    end(&talk, peer);
}

/* --- limits --- */

static void the_limit_is_exact(void)
{
    static const struct {
        const char *said;
        size_t limit;
        bool fits;
        const char *message;
    } cases[] = {
        {"12345\n", 5, true, "12345"},
        {"12345\r\n", 5, true, "12345"},
        {"123456\n", 5, false, NULL},
        {"12345\r\r\n", 5, false, NULL},
        {"12345", 5, true, "12345"},
        {"12345\r", 5, true, "12345"},
        {"12345\r\r", 5, true, "12345"},
        {"123456", 5, false, NULL},
        {"1234567", 5, false, NULL},
        {"12345\r\r\r", 5, false, NULL},
        {"\n", 0, true, ""},
        {"\r\n", 0, true, ""},
        {"x\n", 0, false, NULL},
        {"12345\rx", 5, false, NULL},
        {"123456789", SIZE_MAX, true, "123456789"},
        {"1\r\n2345678\n", 1, true, "1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int peer;
        char *message;
        size_t length;
        weir_conversation talk = conversation(&peer);
        talk.limit = cases[i].limit;
        say(peer, cases[i].said);
        if (cases[i].fits) {
            check_message(&talk, cases[i].message);
        } else {
            check(weir_read_message(&talk, &message, &length) == -1);
            check_error(EMSGSIZE, WEIR_ERROR_LIMIT);
            char rest[100];
            ssize_t left = weir_recv(talk.conn, rest, sizeof rest - 1);
            check(left == (ssize_t)strlen(cases[i].said) && memcmp(rest, cases[i].said, (size_t)left) == 0);
        }
        end(&talk, peer);
    }
}

static void a_pause_message_keeps_to_the_limit(void)
{
    int peer;
    char *message;
    weir_conversation talk = conversation(&peer);
    talk.limit = 5;
    say(peer, "bob");
    check_message(&talk, "bob");
    say(peer, "12345\r\n");
    check_message(&talk, "12345");
    say(peer, "123456");
    check(weir_read_message(&talk, &message, NULL) == -1);
    check_error(EMSGSIZE, WEIR_ERROR_LIMIT);
    end(&talk, peer);
}

static void a_large_message_comes_whole(void)
{
    int peer;
    char *said = malloc(60001), *message;
    size_t length;
    check(said);
    memset(said, 'x', 60000);
    weir_conversation talk = conversation(&peer);
    int size = 1 << 20;
    setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    say_bytes(peer, said, 60000);
    check(weir_read_message(&talk, &message, &length) == 1);
    check(length == 60000 && memcmp(message, said, length) == 0);
    check(weir_answer(&talk, message, length) == 0);
    check(recv(peer, said, 60001, MSG_WAITALL | MSG_DONTWAIT) == 60000);
    free(said);
    end(&talk, peer);
}

/* --- what ends a wait --- */

static void the_rest_of_a_message_has_a_time_of_its_own(void)
{
    static const struct weir__conn_limits limits = {
        .idle = WEIR_FOREVER, .write = WEIR_FOREVER, .message = WEIR_MS(20)};
    for (int by_lines = 0; by_lines < 2; by_lines++) {
        int peer;
        char *message;
        weir_conversation talk = conversation(&peer);
        talk.pause = WEIR_FOREVER;
        weir__conn_set_limits(talk.conn, &limits, WEIR_FOREVER);
        if (by_lines) {
            say(peer, "first\n");
            check_message(&talk, "first");
        }
        say(peer, "never whole");
        check(weir_read_message(&talk, &message, NULL) == -1);
        check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
        check(talk.conn->failure == WEIR__FAILURE_MESSAGE);
        char rest[100];
        check(weir_recv(talk.conn, rest, sizeof rest) == 11 && memcmp(rest, "never whole", 11) == 0);
        end(&talk, peer);
    }
}

static void a_timeout_is_no_pause(void)
{
    int peer;
    char *message;
    weir_conversation talk = conversation(&peer);
    talk.pause = WEIR_S(20);
    weir_set_timeout(talk.conn, WEIR_MS(5));
    check(weir_read_message(&talk, &message, NULL) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    say(peer, "bob");
    check(weir_read_message(&talk, &message, NULL) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    say(peer, "by\n");
    check_message(&talk, "bobby");
    end(&talk, peer);
}

static void *cancel_soon(void *conn)
{
    usleep(20000);
    weir_cancel(conn);
    return NULL;
}

static void a_cancel_is_no_pause(void)
{
    int peer;
    char *message;
    weir_conversation talk = conversation(&peer);
    talk.pause = WEIR_S(20);
    say(peer, "bob");
    pthread_t other = beside(cancel_soon, talk.conn);
    check(weir_read_message(&talk, &message, NULL) == -1);
    check_error(ECANCELED, WEIR_ERROR_CANCELLED);
    join_beside(other);
    say(peer, "by\n");
    check_message(&talk, "bobby");
    end(&talk, peer);
}

static void nothing_is_held_while_the_client_is_silent(void)
{
    int peer;
    weir_conversation talk = conversation(&peer);
    say(peer, "bob\n");
    check_message(&talk, "bob");
    weir_set_timeout(talk.conn, WEIR_NOW);
    char *message;
    check(weir_read_message(&talk, &message, NULL) == -1 && errno == ETIMEDOUT);
    check(!talk.conn->lines && !talk.conn->lent);
    end(&talk, peer);
}

/* --- prompts --- */

static void only_a_silent_client_is_asked(void)
{
    int peer;
    char *message;
    weir_conversation talk = conversation(&peer);
    talk.pause = WEIR_S(20);
    say(peer, "bob\nsecret\n");
    check(weir_prompt(&talk, "user: ", &message, NULL) == 1);
    check_text(message, "bob");
    check(weir_prompt(&talk, "password: ", &message, NULL) == 1);
    check_text(message, "secret");
    check_heard(peer, "");
    end(&talk, peer);
}

static void *answer_when_asked(void *arg)
{
    int peer = (int)(intptr_t)arg;
    char prompt[7];
    check(recv(peer, prompt, 6, MSG_WAITALL) == 6);
    check(memcmp(prompt, "user: ", 6) == 0);
    check(send(peer, "bob\r\n", 5, 0) == 5);
    return NULL;
}

static void a_silent_client_is_asked_once(void)
{
    int peer;
    char *message;
    size_t length;
    weir_conversation talk = conversation(&peer);
    pthread_t other = beside(answer_when_asked, (void *)(intptr_t)peer);
    check(weir_prompt(&talk, "user: ", &message, &length) == 1);
    check_text(message, "bob");
    check(length == 3 && talk.newline == WEIR_NEWLINE_CRLF);
    join_beside(other);
    check_heard(peer, "");
    end(&talk, peer);
}

static void who_sends_newlines_alone_between_pauses_is_still_asked(void)
{
    int peer;
    char *message;
    weir_conversation talk = conversation(&peer);
    say(peer, "anna");
    check_message(&talk, "anna");
    say(peer, "\n");
    pthread_t other = beside(answer_when_asked, (void *)(intptr_t)peer);
    check(weir_prompt(&talk, "user: ", &message, NULL) == 1);
    check_text(message, "bob");
    join_beside(other);
    end(&talk, peer);
}

static void a_prompt_to_nobody(void)
{
    int peer;
    char *message;
    weir_conversation talk = conversation(&peer);
    shutdown(peer, SHUT_WR);
    check(weir_prompt(&talk, "user: ", &message, NULL) == 0);
    check_heard(peer, "");
    end(&talk, peer);
    talk = conversation(&peer);
    weir_set_timeout(talk.conn, WEIR_MS(1));
    talk.pause = WEIR_S(20);
    check(weir_prompt(&talk, "user: ", &message, NULL) == -1);
    check_error(ETIMEDOUT, WEIR_ERROR_DEADLINE);
    end(&talk, peer);
    talk = conversation(&peer);
    weir_shutdown(talk.conn, SHUT_WR);
    check(weir_prompt(&talk, "user: ", &message, NULL) == -1 && errno == EPIPE);
    end(&talk, peer);
}

/* --- answers --- */

static void answers_of_every_length_are_whole(void)
{
    static const size_t lengths[] = {0, 1, 510, 511, 512, 513, 514, 1500};
    int peer;
    weir_conversation talk = conversation(&peer);
    say(peer, "bob\r\n");
    check_message(&talk, "bob");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char answer[1501], expected[1503];
        memset(answer, 'x', lengths[i]);
        answer[lengths[i]] = '\0';
        snprintf(expected, sizeof expected, "%s\r\n", answer);
        check_answer(&talk, peer, answer, expected);
        check(weir_answer_format(&talk, "%s", answer) == 0);
        check_heard(peer, expected);
    }
    close(peer);
    check(weir_answer_format(&talk, "%s", "nobody hears") == -1 && errno == EPIPE);
    check(weir_close(talk.conn) == 0);
}

/* --- tables of commands --- */

static weir_next count(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    check(strlen(message) == length);
    ++*(int *)arg;
    return weir_answer_format(talk, "%zu %s", length, message) < 0 ? WEIR_FAILED : WEIR_GO_ON;
}

static weir_next finish(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    (void)talk, (void)message, (void)length, (void)arg;
    return WEIR_END_IT;
}

static weir_next go_wrong(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    (void)talk, (void)message, (void)length, (void)arg;
    errno = EDOM;
    return WEIR_FAILED;
}

static const weir_command table[] = {
    {.name = "count", .run = count},
    {.name = "Say It", .any_case = true, .reply = "it"},
    {.name = "quit", .any_case = true, .reply = "bye", .run = finish},
    {.name = "fail", .run = go_wrong},
    {.name = "silence"},
    {.reply = "what?"},
};

static void a_table_answers(void)
{
    static const struct {
        const char *said, *heard;
        int counted, result;
    } cases[] = {
        {"count\n", "5 count\n", 1, 0},
        {" count\t\n", "7  count\t\n", 1, 0},
        {"Count\ncounts\ncoun\n", "what?\nwhat?\nwhat?\n", 0, 0},
        {"sAY iT\nSay It\nsay  it\n", "it\nit\nwhat?\n", 0, 0},
        {"silence\nsay it\n", "it\n", 0, 0},
        {"\n  \n", "what?\nwhat?\n", 0, 0},
        {"QUIT\ncount\n", "bye\n", 0, 0},
        {"fail\ncount\n", "", 0, -1},
        {"count", "5 count", 1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int peer, counted = 0;
        weir_conversation talk = conversation(&peer);
        say(peer, cases[i].said);
        shutdown(peer, SHUT_WR);
        check(weir_converse(&talk, table, &counted) == cases[i].result);
        check(cases[i].result == 0 || errno == EDOM);
        check(counted == cases[i].counted);
        check_heard(peer, cases[i].heard);
        end(&talk, peer);
    }
}

static void *talk_on(void *arg)
{
    int peer = (int)(intptr_t)arg;
    for (int i = 0; i < 100; i++)
        check(send(peer, "more and more", 13, MSG_NOSIGNAL) == 13);
    shutdown(peer, SHUT_WR);
    return NULL;
}

static void who_says_too_much_is_told_and_read_to_the_end(void)
{
    int peer, counted = 0;
    weir_conversation talk = conversation(&peer);
    talk.limit = 10;
    say(peer, "count\n");
    pthread_t other = beside(talk_on, (void *)(intptr_t)peer);
    check(weir_converse(&talk, table, &counted) == -1);
    check_error(EMSGSIZE, WEIR_ERROR_LIMIT);
    check_heard(peer, "5 count\na message may have at most 10 bytes\n");
    check(weir_at_end(talk.conn));
    join_beside(other);
    end(&talk, peer);
}

static void nobody_can_be_told(void)
{
    int peer, counted = 0;
    weir_conversation talk = conversation(&peer);
    talk.limit = 10;
    say(peer, "say it\n");
    weir_shutdown(talk.conn, SHUT_WR);
    check(weir_converse(&talk, table, &counted) == -1);
    check(errno == EPIPE);
    say(peer, "more than ten bytes\n");
    check(weir_converse(&talk, table, &counted) == -1);
    check(errno == EPIPE);
    end(&talk, peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(newlines_end_messages_where_one_came_first),
        EVERYWHERE(answers_end_as_the_first_message_did),
        EVERYWHERE(a_pause_ends_messages_where_none_came),
        EVERYWHERE(the_end_of_the_stream_ends_a_message),
        EVERYWHERE(a_newline_may_come_in_two_pieces),
        EVERYWHERE(a_byte_then_a_long_pause_in_a_line),
        EVERYWHERE(the_limit_is_exact),
        EVERYWHERE(a_pause_message_keeps_to_the_limit),
        EVERYWHERE(a_large_message_comes_whole),
        EVERYWHERE(the_rest_of_a_message_has_a_time_of_its_own),
        EVERYWHERE(a_timeout_is_no_pause),
        EVERYWHERE(a_cancel_is_no_pause),
        EVERYWHERE(nothing_is_held_while_the_client_is_silent),
        EVERYWHERE(only_a_silent_client_is_asked),
        EVERYWHERE(a_silent_client_is_asked_once),
        EVERYWHERE(who_sends_newlines_alone_between_pauses_is_still_asked),
        EVERYWHERE(a_prompt_to_nobody),
        EVERYWHERE(answers_of_every_length_are_whole),
        EVERYWHERE(a_table_answers),
        EVERYWHERE(who_says_too_much_is_told_and_read_to_the_end),
        EVERYWHERE(nobody_can_be_told),
    };
    return cmocka_run_group_tests_name("conversation", tests, NULL, NULL);
}
