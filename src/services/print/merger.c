/* The senders of a merger: what they send, cut into lines, and what is held of a line; see merger.h. */
#include "merger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merger_inside.h"

/* 0, or -1 as shown_begin. sender_end is due either way. */
static int sender_begin(struct sender *sender, struct merger *merger)
{
    *sender = (struct sender){.merger = merger, .pause_ends = WEIR_FOREVER};
    sender->name = atomic_fetch_add(&merger->shared->last_name, 1) + 1;
    const struct merger_options *options = &merger->options;
    if (!options->encoding)
        return 0;
    int result = shown_begin(&sender->shown, options->encoding, options->errors);
    sender->shown.plain = options->plain;
    return result;
}

static void sender_end(struct sender *sender)
{
    free(sender->held);
    shown_free(&sender->shown);
}

/* --- a sender's lines --- */

/* Keeps more of its line. 0, or -1 without memory. */
static int hold(struct sender *sender, const char *data, size_t size)
{
    if (size == 0)
        return 0;
    if (sender->room - sender->length < size) {
        size_t doubled = 2 * sender->room, needed = sender->length + size;
        char *held = realloc(sender->held, doubled > needed ? doubled : needed);
        if (!held)
            return -1;
        sender->held = held;
        sender->room = doubled > needed ? doubled : needed;
    }
    memcpy(sender->held + sender->length, data, size);
    sender->length += size;
    return 0;
}

/* Writes what it holds, which is nothing then. */
static int emit_held(struct sender *sender, bool keep)
{
    char *held = sender->held;
    size_t length = sender->length;
    sender->held = NULL;
    sender->length = sender->room = 0;
    int result = length ? merger_emit(sender, held, length, keep) : 0;
    free(held);
    return result;
}

/* Whether what it has of a line is shown before it has ended. */
static bool shows_at_once(const struct sender *sender)
{
    const struct merger *merger = sender->merger;
    return sender->has_turn || (merger->options.unfinished && shared_count_sum(merger->senders) == 1);
}

static int take_part(struct sender *sender, const char *data, size_t size)
{
    if (!shows_at_once(sender) && size <= weir_line_limit() && sender->length <= weir_line_limit() - size &&
        hold(sender, data, size) == 0)
        return 0;
    int first = emit_held(sender, true), second = merger_emit(sender, data, size, true);
    return first < 0 ? first : second;
}

/* Whole lines. The first goes out together with what was held of it. */
static int take_lines(struct sender *sender, const char *data, size_t size)
{
    int result = 0;
    if (sender->length) {
        const char *end = memchr(data, '\n', size);
        size_t first = (size_t)(end + 1 - data);
        bool together = hold(sender, data, first) == 0;
        result = emit_held(sender, !together);
        data += together ? first : 0;
        size -= together ? first : 0;
    }
    if (size > 0 && merger_emit(sender, data, size, false) < 0)
        return -1;
    return result;
}

static int take(struct sender *sender, const char *data, size_t size)
{
    const char *end = memrchr(data, '\n', size);
    size_t lines = end ? (size_t)(end + 1 - data) : 0;
    int result = lines ? take_lines(sender, data, lines) : 0;
    if (lines < size && take_part(sender, data + lines, size - lines) < 0)
        return -1;
    return result;
}

/* The last of it. */
static int finish(struct sender *sender)
{
    bool ends_text = sender->merger->options.encoding && (sender->shown.begun || sender->within_line);
    sender->ends = true;
    int result = ends_text && sender->length == 0 ? merger_emit(sender, "", 0, false) : emit_held(sender, false);
    merger_give_turn(sender);
    return result;
}

/* --- receiving --- */

/* An unfinished line that is on the output, or waits to be, is looked after when its sender has been silent. */
static void set_pause(struct sender *sender, weir_conn *conn)
{
    const struct merger_options *options = &sender->merger->options;
    bool matters = sender->has_turn || (options->unfinished && sender->length);
    int64_t ends = matters ? weir_deadline(options->pause) : WEIR_FOREVER;
    if (ends != sender->pause_ends)
        weir_set_deadline(conn, WEIR_READ, ends);
    sender->pause_ends = ends;
}

static bool has_paused(const struct sender *sender)
{
    return weir_error()->kind == WEIR_ERROR_DEADLINE && weir_now() >= sender->pause_ends;
}

/* Others may go on; the line that it may have on the output is still its to continue, if nobody does. */
static int pause_passed(struct sender *sender)
{
    merger_give_turn(sender);
    return emit_held(sender, false);
}

/* Until the end. 0 or -1. */
static int receive_all(struct sender *sender, weir_conn *conn, uint64_t *bytes)
{
    for (;;) {
        char *data;
        set_pause(sender, conn);
        ssize_t size = weir_receive(conn, &data);
        if (size == 0)
            return 0;
        if (size < 0 && !has_paused(sender))
            return -1;
        *bytes += size > 0 ? (uint64_t)size : 0;
        if ((size > 0 ? take(sender, data, (size_t)size) : pause_passed(sender)) < 0)
            return -1;
    }
}

/* Writes what is left of a sender whose receiving has failed; the error stays. */
static int finish_failed(struct sender *sender)
{
    char step[32], subject[400], reason[300];
    const weir_error_info *error = weir_error();
    weir_error_kind kind = error->kind;
    int number = error->number;
    snprintf(step, sizeof step, "%s", error->step);
    snprintf(subject, sizeof subject, "%s", error->subject);
    snprintf(reason, sizeof reason, "%s", error->reason);
    finish(sender);
    return weir_fail(kind, number, step, subject, "%s", reason);
}

int merger_receive(struct merger *merger, weir_conn *conn, struct merger_told *told)
{
    struct sender sender;
    *told = (struct merger_told){0};
    shared_count_add(merger->senders, 1);
    int result = sender_begin(&sender, merger);
    if (result == 0) {
        result = receive_all(&sender, conn, &told->bytes);
        result = result < 0 ? finish_failed(&sender) : finish(&sender);
    }
    sender_end(&sender);
    shared_count_add(merger->senders, -1);
    told->broken = sender.broken;
    return result;
}

static int write_message(struct sender *sender, const char *data, size_t size)
{
    if (size > 0 && data[size - 1] == '\n')
        return merger_emit(sender, data, size, false);
    if (hold(sender, data, size) < 0 || hold(sender, "\n", 1) < 0)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "write", "stdout", NULL);
    return emit_held(sender, false);
}

int merger_message(struct merger *merger, const char *data, size_t size)
{
    struct sender sender;
    int result = sender_begin(&sender, merger);
    if (result == 0)
        result = write_message(&sender, data, size);
    sender_end(&sender);
    return result;
}
