/* Passwords from a terminal or from stdin; see password_input.h. */
#include "password_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include <weir/error.h>

static int fail(int number, const char *from)
{
    return weir_fail(WEIR_ERROR_SYSTEM, number, "read", from, NULL);
}

/*
 * Byte by byte, so that what follows is left to others. 1 with a line or what came before the end; 0 where a signal
 * came; -1 with an error.
 */
static int read_line(int fd, const char *from, char *line, size_t size, size_t *length)
{
    char byte = '\0';
    ssize_t got;
    for (*length = 0; (got = read(fd, &byte, 1)) == 1 && byte != '\n'; line[(*length)++] = byte)
        if (*length + 1 == size)
            return weir_fail(WEIR_ERROR_USAGE, EMSGSIZE, "read", from, "a password is at most %zu bytes", size - 1);
    if (got < 0)
        return errno == EINTR ? 0 : fail(errno, from);
    if (*length > 0 && line[*length - 1] == '\r')
        --*length;
    line[*length] = '\0';
    return 1;
}

int password_read(char *password, size_t size, size_t *length)
{
    int result;
    while ((result = read_line(STDIN_FILENO, "stdin", password, size, length)) == 0)
        ;
    return result < 0 ? -1 : 0;
}

/* --- a terminal --- */

/*
 * Signals that end or stop a process: the terminal must show again what is typed before they do. So they are held
 * back while it does not, and seen by a descriptor.
 */
static int hold_signals(sigset_t *before)
{
    static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaddset(&held, numbers[i]);
    sigprocmask(SIG_BLOCK, &held, before);
    return signalfd(-1, &held, SFD_CLOEXEC);
}

/* What was held back does now what it does: it may end the process. */
static void let_signals(int signals, const sigset_t *before)
{
    if (signals >= 0)
        close(signals);
    sigprocmask(SIG_SETMASK, before, NULL);
}

static void show(int terminal, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t written = write(terminal, text, left);
        if (written <= 0)
            return;
        text += written;
        left -= (size_t)written;
    }
}

/* Reads a line as read_line. 0 where a signal has come before it. */
static int read_answer(int terminal, int signals, char *line, size_t size, size_t *length)
{
    struct pollfd either[] = {{terminal, POLLIN, 0}, {signals, POLLIN, 0}};
    if (poll(either, 2, -1) < 0)
        return errno == EINTR ? 0 : fail(errno, "/dev/tty");
    return either[1].revents ? 0 : read_line(terminal, "/dev/tty", line, size, length);
}

/* The same with a prompt, and what is typed is not shown. */
static int ask_hidden(int terminal, int signals, const char *prompt, char *line, size_t size, size_t *length)
{
    struct termios shown, hidden;
    if (tcgetattr(terminal, &shown) < 0)
        return fail(errno, "/dev/tty");
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    if (tcsetattr(terminal, TCSAFLUSH, &hidden) < 0)
        return fail(errno, "/dev/tty");
    show(terminal, prompt);
    int result = read_answer(terminal, signals, line, size, length);
    show(terminal, "\n");
    tcsetattr(terminal, TCSAFLUSH, &shown);
    return result;
}

/* Asks until there is an answer: again where a signal has only stopped the process for a while. 0 or -1. */
static int ask(int terminal, const char *prompt, char *line, size_t size, size_t *length)
{
    int result = 0;
    while (result == 0) {
        sigset_t before;
        int signals = hold_signals(&before);
        result = signals < 0 ? fail(errno, "signals") : ask_hidden(terminal, signals, prompt, line, size, length);
        let_signals(signals, &before);
    }
    return result < 0 ? -1 : 0;
}

static int ask_twice(int terminal, char *password, char *again, size_t size, size_t *length)
{
    size_t other;
    if (ask(terminal, "password: ", password, size, length) < 0 || ask(terminal, "again: ", again, size, &other) < 0)
        return -1;
    if (*length == other && memcmp(password, again, other) == 0)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "read", "/dev/tty", "the two passwords differ");
}

int password_ask(char *password, size_t size, size_t *length)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0)
        return weir_fail(WEIR_ERROR_USAGE, errno, "open", "/dev/tty",
                         "no terminal to ask for the password: --password-stdin reads it from stdin");
    char again[2048];
    int result = size > sizeof again ? fail(ENOMEM, "/dev/tty") : ask_twice(terminal, password, again, size, length);
    sodium_memzero(again, sizeof again);
    close(terminal);
    return result;
}
