/* The output of a merger: turns, writing, and what is left of who was cut; see merger_inside.h. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "merger_inside.h"

/* How long an unfinished line may keep the turn, though its sender is never silent. */
enum { PAUSES_A_TURN = 10 };

/* How long what is left at the end may take. */
#define LAST_WORDS WEIR_S(1)

/* Output that its sender, who was cancelled, could not write. */
struct left {
    struct left *next;
    uint64_t sender;
    size_t size;
    char data[];
};

static void unmake(struct merger *merger)
{
    merger_shared_free(merger->shared);
    shared_count_free(merger->senders);
    weir_channel_free(merger->turn);
    pthread_mutex_destroy(&merger->lock);
    free(merger);
}

struct merger *merger_new(const struct merger_options *options)
{
    char turn = 0;
    struct merger *merger = calloc(1, sizeof *merger);
    if (!merger) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "stdout", NULL);
        return NULL;
    }
    merger->options = *options;
    merger->maker = getpid();
    merger->deadline = WEIR_FOREVER;
    merger->end_of_left = &merger->first_left;
    pthread_mutex_init(&merger->lock, NULL);
    merger->turn = weir_channel_new(sizeof turn, 1);
    merger->shared = merger_shared_new();
    merger->senders = shared_count_new();
    if (merger->turn && merger->shared && merger->senders && weir_channel_send(merger->turn, &turn, WEIR_NOW) == 0)
        return merger;
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "stdout", NULL);
    unmake(merger);
    return NULL;
}

/* --- what is left --- */

static void lose(struct merger *merger, size_t size)
{
    atomic_fetch_add(&merger->lost, size);
}

/* Output of `size` bytes, put at `text`. Returns its length. */
static size_t make_output(struct sender *sender, const char *data, size_t size, char *text, size_t room)
{
    size_t used, length;
    if (!sender->merger->options.encoding) {
        memcpy(text, data, size);
        return size;
    }
    length = shown_add(&sender->shown, data, size, &used, text, room);
    return sender->ends ? length + shown_end(&sender->shown, text + length, room - length) : length;
}

/* Leaves behind what could not be written: output first, then what has yet to become output. Whatever follows is left behind too. */
static void leave(struct sender *sender, const char *output, size_t length, const char *data, size_t size)
{
    struct merger *merger = sender->merger;
    size_t room = merger->options.encoding ? SHOWN_MOST * size + 2 * SHOWN_ROOM : size;
    struct left *left = malloc(sizeof *left + length + room);
    sender->leaves = true;
    if (!left) {
        lose(merger, length + size);
        return;
    }
    *left = (struct left){.sender = sender->name, .size = length};
    memcpy(left->data, output, length);
    left->size += make_output(sender, data, size, left->data + length, room);
    pthread_mutex_lock(&merger->lock);
    *merger->end_of_left = left;
    merger->end_of_left = &left->next;
    pthread_mutex_unlock(&merger->lock);
}

/* --- writing, in turn --- */

/* What goes out at once: whole lines, as many as a pipe takes in one piece, so that whoever is killed has written no half. */
static size_t piece_of(const char *data, size_t size)
{
    if (size <= PIPE_BUF)
        return size;
    const char *end = memrchr(data, '\n', PIPE_BUF);
    if (!end)
        end = memchr(data + PIPE_BUF, '\n', size - PIPE_BUF);
    return end ? (size_t)(end + 1 - data) : size;
}

/* 0, or -1 with an error; *done is how much went. */
static int write_pieces(struct merger *merger, const char *data, size_t size, size_t *done)
{
    *done = 0;
    while (*done < size) {
        size_t piece = piece_of(data + *done, size - *done);
        weir_file *output = merger->options.output ? merger->options.output : weir_stdout();
        int result = weir_file_write_all(output, data + *done, piece, merger->deadline);
        size_t went = result < 0 ? weir_error()->transferred : piece;
        if (merger->options.written && went)
            merger->options.written(merger->options.arg, data + *done, went);
        *done += went;
        if (result < 0)
            return -1;
    }
    return 0;
}

/* Ends somebody else's line. */
static int make_room(struct merger *merger, uint64_t name)
{
    size_t done;
    if (merger->shared->open == 0 || merger->shared->open == name)
        return 0;
    if (write_pieces(merger, "\n", 1, &done) < 0)
        return -1;
    merger->shared->open = 0;
    return 0;
}

/*
 * Writes output of a sender. 0, or -1 with an error; *done is how much went. Its line is open before it is begun: a process may be
 * killed at any moment.
 */
static int write_output(struct sender *sender, const char *data, size_t size, size_t *done)
{
    struct merger *merger = sender->merger;
    *done = 0;
    if (size == 0)
        return 0;
    if (make_room(merger, sender->name) < 0)
        return -1;
    uint64_t before = merger->shared->open;
    if (size > PIPE_BUF || data[size - 1] != '\n')
        merger->shared->open = sender->name;
    int result = write_pieces(merger, data, size, done);
    if (*done)
        sender->within_line = data[*done - 1] != '\n';
    merger->shared->open = *done == 0 ? before : sender->within_line ? sender->name : 0;
    return result;
}

/*
 * The output failed within what is given. Who was cancelled, or had no memory, leaves it behind; otherwise it is lost. 0: the
 * sender goes on; -1.
 */
static int output_failed(struct sender *sender, const char *output, size_t length, const char *data, size_t size)
{
    struct merger *merger = sender->merger;
    if (errno == ECANCELED || errno == ENOMEM) {
        leave(sender, output, length, data, size);
        return -1;
    }
    lose(merger, length + size);
    if (!merger->options.failed || merger->options.failed(merger->options.arg))
        return 0;
    atomic_store(&merger->over, true);
    return -1;
}

static int write_bytes(struct sender *sender, const char *data, size_t size)
{
    size_t done;
    if (write_output(sender, data, size, &done) == 0)
        return 0;
    return output_failed(sender, data + done, size - done, "", 0);
}

/* How much of the text in the buffer goes out before more is added: whole lines. */
static size_t lines_of(const char *text, size_t length)
{
    const char *end = memrchr(text, '\n', length);
    return end ? (size_t)(end + 1 - text) : length;
}

/* The end of a sender's text, his last line ended unless it is plain: put behind `length` bytes. Returns the new length. */
static size_t add_end(struct sender *sender, char *text, size_t length)
{
    length += shown_end(&sender->shown, text + length, SHOWN_ROOM);
    if (sender->shown.plain)
        return length;
    if (length > 0 ? text[length - 1] != '\n' : sender->within_line)
        text[length++] = '\n';
    return length;
}

static int write_text(struct sender *sender, const char *data, size_t size)
{
    char *text = sender->merger->buffer;
    size_t length = 0;
    do {
        size_t used, done;
        length += shown_add(&sender->shown, data, size, &used, text + length, MERGER_BUFFER - length);
        data += used;
        size -= used;
        size_t ready = size > 0 ? lines_of(text, length) : length;
        if (size == 0 && sender->ends)
            ready = length = add_end(sender, text, length);
        if (write_output(sender, text, ready, &done) < 0)
            return output_failed(sender, text + done, length - done, data, size);
        length -= ready;
        memmove(text, text + ready, length);
    } while (size > 0);
    return 0;
}

/* --- turns --- */

static int take_turn(struct sender *sender)
{
    char turn;
    struct merger *merger = sender->merger;
    if (sender->has_turn)
        return 0;
    if (weir_channel_receive(merger->turn, &turn, WEIR_FOREVER) < 0)
        return -1;
    sender->has_turn = true;
    int64_t pause = merger->options.pause;
    sender->turn_ends = weir_deadline(pause > WEIR_FOREVER / PAUSES_A_TURN ? WEIR_FOREVER : PAUSES_A_TURN * pause);
    return 0;
}

void merger_give_turn(struct sender *sender)
{
    char turn = 0;
    if (sender->has_turn)
        weir_channel_send(sender->merger->turn, &turn, WEIR_NOW);
    sender->has_turn = false;
}

/* The text as far as it is one. */
static int write_shown(struct sender *sender, const char *data, size_t size)
{
    if (write_text(sender, data, size) < 0)
        return -1;
    if (!sender->shown.refused)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EILSEQ, "decode", sender->merger->options.encoding, "%s", weir_error()->reason);
}

static int write_in_turn(struct sender *sender, const char *data, size_t size)
{
    struct merger *merger = sender->merger;
    if (!atomic_load(&merger->over))
        return merger->options.encoding ? write_shown(sender, data, size) : write_bytes(sender, data, size);
    lose(merger, size);
    return weir_fail(WEIR_ERROR_CANCELLED, ECANCELED, "write", "stdout", "it takes no more");
}

/* The turn, and the output for this process. Somebody may have gone on below the sender's line. 0 or -1. */
static int take_output(struct sender *sender)
{
    if (take_turn(sender) < 0)
        return -1;
    if (merger_lock(sender->merger, sender->within_line) < 0) {
        merger_give_turn(sender);
        return -1;
    }
    bool is_open = sender->merger->shared->open == sender->name;
    sender->broken += sender->within_line && !is_open;
    sender->within_line = is_open;
    return 0;
}

/* Others may write now; where it keeps the turn they wait until it has been silent for the pause. */
static void give_output(struct sender *sender, bool keep)
{
    int64_t until = WEIR_NOW;
    if (keep)
        until = weir_deadline(sender->merger->options.pause);
    merger_unlock(sender->merger, sender->name, until < sender->turn_ends ? until : sender->turn_ends);
    if (!keep)
        merger_give_turn(sender);
}

int merger_emit(struct sender *sender, const char *data, size_t size, bool keep)
{
    if (sender->leaves || take_output(sender) < 0) {
        leave(sender, data, 0, data, size);
        return -1;
    }
    int result = write_in_turn(sender, data, size);
    give_output(sender, result == 0 && keep && sender->within_line && weir_now() < sender->turn_ends);
    return result;
}

/* --- the end --- */

/* The next of what was left: that whose line is open goes first. */
static struct left *take_left(struct merger *merger)
{
    struct left **place = &merger->first_left;
    while (*place && (*place)->sender != merger->shared->open)
        place = &(*place)->next;
    if (!*place)
        place = &merger->first_left;
    struct left *left = *place;
    if (left)
        *place = left->next;
    return left;
}

static void write_left(struct merger *merger)
{
    struct left *left;
    bool locked = merger_lock(merger, true) == 0, takes = locked && !atomic_load(&merger->over);
    while ((left = take_left(merger))) {
        struct sender sender = {.merger = merger, .name = left->sender};
        size_t done = 0;
        if (!takes || write_output(&sender, left->data, left->size, &done) < 0) {
            takes = false;
            lose(merger, left->size - done);
        }
        free(left);
    }
    if (takes && merger->options.encoding && !merger->options.plain && !merger_is_anothers(merger))
        make_room(merger, 0);
    if (locked)
        merger_unlock(merger, 0, WEIR_NOW);
}

uint64_t merger_free(struct merger *merger)
{
    if (!merger)
        return 0;
    merger->deadline = weir_deadline(LAST_WORDS);
    if (merger->first_left || merger->maker == getpid() || merger->shared->open_process == getpid())
        write_left(merger);
    uint64_t lost = merger->lost;
    unmake(merger);
    return lost;
}
