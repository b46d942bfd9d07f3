/*
 * Many senders on standard output: a line of one is never inside a line of another.
 *
 * Whoever has whole lines writes them himself, in his turn, while the others wait: nothing is kept but each sender's unfinished
 * line, and who reads our output slowly slows the senders down. Whose unfinished line ends the output keeps the turn until the
 * line has ended, or he has been silent within it for the pause; then the others go on, on a line of their own.
 *
 * Senders may be fibers and threads, of one server or several, and of processes that were forked when the merger had been made.
 */
#ifndef SERVICES_PRINT_MERGER_H
#define SERVICES_PRINT_MERGER_H

#include <weir/weir.h>

struct merger;

struct merger_options {
    weir_file *output;       /* NULL: standard output */
    const char *encoding;    /* shown as text (see shown.h), each sender's last line ended; NULL: byte for byte */
    bool plain;              /* control characters stay, and what ends without a newline gets none */
    weir_text_errors errors; /* strict: a sender whose bytes are no text ends there, with EILSEQ */
    /*
     * Of an unfinished line: shown at once where its sender is alone, otherwise when he has been silent for the pause. Without it
     * only lines longer than weir_line_limit are begun before they have ended.
     */
    bool unfinished;
    int64_t pause;
    /* What has been written, in the order of the output, a piece at a time. NULL: nobody wants to know. */
    void (*written)(void *arg, const char *data, size_t size);
    /* The output has failed; weir_error says how. Whether to go on: false ends every sender. In the sender that wrote. */
    bool (*failed)(void *arg);
    void *arg;
};

/* NULL with ENOMEM. The caller's, by merger_free. */
struct merger *merger_new(const struct merger_options *options);

/*
 * After the last sender, outside of fibers: writes what was received of senders who were cancelled before they could write it,
 * for a second at most, and frees. Returns how many bytes of output were lost in all, since it failed or took none. NULL is fine.
 */
uint64_t merger_free(struct merger *merger);

/* What has become of a sender. */
struct merger_told {
    uint64_t bytes;  /* received */
    uint64_t broken; /* lines within which others went on */
};

/*
 * Receives from a connection and writes, until its end. Parks. 0; or -1 as weir_receive, or the error of the output, or ECANCELED.
 * What was received is written either way.
 */
int merger_receive(struct merger *merger, weir_conn *conn, struct merger_told *told);

/* Writes a message, as a line or more: with a newline behind it where it has none. Parks. 0 or -1. */
int merger_message(struct merger *merger, const char *data, size_t size);

#endif
