/* Where lines go; see output.h. */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "output_rotate.h"
#include "output_turns.h"

enum { FILE_MODE = 0640, OPEN_FLAGS = O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK };

/* No size that a file can have: nothing of ours is in it yet. */
enum { NOTHING_YET = -2 };

struct output {
    struct output_options options;
    int64_t deadline;
    weir_file *file;      /* the writer's; NULL: not opened yet by this process */
    int64_t size;         /* of the file after our last write; -1 where there is no size, as of a pipe */
    bool rotation_failed; /* it was told */
    struct turns *turns;  /* of what is no file */
    pthread_mutex_t lock;
    bool busy;       /* under the lock: somebody writes */
    weir_file *next; /* under the lock: takes the place of the file when he is done */
};

const char *output_name(const struct output *output)
{
    return output->options.path ? output->options.path : "stdout";
}

/* --- opening --- */

/*
 * Standard output as a file of our own: other services of the process may write to it too, each whole lines. A process of
 * several has its own as well.
 */
static weir_file *open_output(const struct output *output)
{
    if (!output->options.path)
        return weir_file_adopt(weir_file_fd(weir_stdout()), false);
    return weir_file_open(output->options.path, O_WRONLY | OPEN_FLAGS, FILE_MODE);
}

/* Has the file begin after a whole line. */
static int end_last_line(weir_file *file)
{
    char last = '\n';
    int64_t size = weir_file_size(file);
    if (size > 0 && weir_file_read_at(file, &last, 1, size - 1) < 0)
        return -1;
    return last == '\n' ? 0 : weir_file_write_all(file, "\n", 1, WEIR_FOREVER);
}

/* What only some may write to need not be for them to read: then its last line is taken for a whole one. */
static int try_to_open(const char *path)
{
    weir_file *file = weir_file_open(path, O_RDWR | OPEN_FLAGS, FILE_MODE);
    bool readable = file || weir_error()->number != EACCES;
    if (!readable)
        file = weir_file_open(path, O_WRONLY | OPEN_FLAGS, FILE_MODE);
    if (!file || (readable && end_last_line(file) < 0)) {
        weir_file_close(file);
        return -1;
    }
    return weir_file_close(file);
}

struct output *output_new(const struct output_options *options)
{
    if (options->path && try_to_open(options->path) < 0)
        return NULL;
    struct output *output = calloc(1, sizeof *output);
    if (!output) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "log", NULL);
        return NULL;
    }
    output->turns = turns_new();
    if (!output->turns) {
        free(output);
        return NULL;
    }
    output->options = *options;
    output->deadline = WEIR_FOREVER;
    output->size = NOTHING_YET;
    pthread_mutex_init(&output->lock, NULL);
    return output;
}

void output_free(struct output *output)
{
    if (!output)
        return;
    weir_file_close(output->file);
    weir_file_close(output->next);
    pthread_mutex_destroy(&output->lock);
    turns_free(output->turns);
    free(output);
}

void output_hurry(struct output *output, int64_t deadline)
{
    output->deadline = deadline;
}

/* --- another file in place of the one there is --- */

/* Returns the one that was there: the caller's to close, which may park, so without the lock. */
static weir_file *replace(struct output *output, weir_file *file)
{
    weir_file *before = output->file;
    output->file = file;
    output->size = NOTHING_YET;
    output->rotation_failed = false;
    return before;
}

/* Says whether somebody writes; the file that was opened meanwhile takes its place. */
static void set_busy(struct output *output, bool busy)
{
    weir_file *before = NULL;
    pthread_mutex_lock(&output->lock);
    output->busy = busy;
    if (output->next)
        before = replace(output, output->next);
    output->next = NULL;
    pthread_mutex_unlock(&output->lock);
    weir_file_close(before);
}

int output_reopen(struct output *output)
{
    if (!output->options.path)
        return 0;
    weir_file *before, *file = open_output(output);
    if (!file)
        return -1;
    pthread_mutex_lock(&output->lock);
    if (output->busy) {
        before = output->next;
        output->next = file;
    } else {
        before = replace(output, file);
    }
    pthread_mutex_unlock(&output->lock);
    return weir_file_close(before);
}

/* The file is too large. Where it cannot be moved, it grows, which is told once. */
static int rotate(struct output *output)
{
    const struct output_options *options = &output->options;
    if (output_rotate(options->path, options->keep, weir_file_fd(output->file)) < 0) {
        if (errno == ECANCELED)
            return -1;
        if (!output->rotation_failed)
            weir_log(WEIR_LOG_WARNING, "%s: it is left to grow", weir_error()->sentence);
        output->rotation_failed = true;
        return 0;
    }
    weir_file *file = open_output(output);
    if (!file)
        return -1;
    weir_file_close(replace(output, file));
    return 0;
}

/* --- writing --- */

/* How many bytes of whole lines there are in at most `most` bytes. */
static size_t whole_lines(const char *text, size_t size, size_t most)
{
    if (size <= most)
        return size;
    const char *end = memrchr(text, '\n', most);
    return end ? (size_t)(end + 1 - text) : 0;
}

/* As many whole lines as `most` bytes may hold, but at least one. */
static size_t at_least_a_line(const char *text, size_t size, size_t most)
{
    size_t length = whole_lines(text, size, most);
    return length ? length : (size_t)((const char *)memchr(text, '\n', size) + 1 - text);
}

/* How much of a text is written at once to a file of so many bytes: all of it without a bound. 0: it is to be another file. */
static size_t portion(const struct output *output, const char *text, size_t left, int64_t size)
{
    int64_t most = output->options.rotate;
    if (!most || output->rotation_failed)
        return left;
    if (size == 0)
        return at_least_a_line(text, left, (size_t)most);
    return size < most ? whole_lines(text, left, (size_t)(most - size)) : 0;
}

/* 0, or -1 with an error; the piece tells how far it came. */
static int write_bytes(struct output *output, struct lines_piece *piece, size_t length)
{
    int result = weir_file_write_all(output->file, piece->text + piece->done, length, output->deadline);
    piece->done += result < 0 ? weir_error()->transferred : length;
    return result;
}

/* A line is continued where none has gone on behind it; otherwise it is begun again, below whoever's unfinished one. */
static int write_in_turn(struct output *output, struct lines_piece *piece)
{
    size_t begin = lines_begin(piece);
    enum turns_line line = turns_line(output->turns);
    bool continues = line == TURNS_OWN_LINE && piece->done != begin;
    if (line != TURNS_NO_LINE && !continues && weir_file_write_all(output->file, "\n", 1, output->deadline) < 0)
        return -1;
    if (!continues)
        piece->done = begin;
    size_t length = at_least_a_line(piece->text + piece->done, piece->length - piece->done, PIPE_BUF);
    turns_set_line(output->turns, continues || length > PIPE_BUF);
    int result = write_bytes(output, piece, length);
    turns_set_line(output->turns, lines_begin(piece) != piece->done);
    return result;
}

/* To a pipe or a terminal: as much as it takes in one piece, but whole lines. */
static int write_to_pipe(struct output *output, struct lines_piece *piece)
{
    if (turns_take(output->turns, output->deadline) < 0)
        return -1;
    int result = write_in_turn(output, piece);
    int number = errno;
    turns_give(output->turns);
    errno = number;
    return result;
}

static int write_some(struct output *output, struct lines_piece *piece)
{
    int64_t size = weir_file_size(output->file);
    size_t done = piece->done;
    if (size < 0)
        return write_to_pipe(output, piece);
    size_t length = portion(output, piece->text + done, piece->length - done, size);
    if (length == 0)
        return rotate(output);
    int result = write_bytes(output, piece, length);
    output->size = size + (int64_t)(piece->done - done);
    return result;
}

/*
 * A line that was begun is continued where it ended. Where that is no longer the end it is ended, and begun again: others have
 * written, or the file was opened again, and may be the same or another. One that has been moved away keeps what it has.
 */
static int mend(struct output *output, struct lines_piece *piece)
{
    size_t begin = lines_begin(piece);
    int64_t size = weir_file_size(output->file);
    if (begin == piece->done || size < 0 || size == output->size)
        return 0;
    if (size > 0 && weir_file_write_all(output->file, "\n", 1, output->deadline) < 0)
        return -1;
    piece->done = begin;
    return 0;
}

int output_write(struct output *output, struct lines_piece *piece)
{
    set_busy(output, true);
    if (!output->file)
        output->file = open_output(output);
    int result = output->file ? mend(output, piece) : -1;
    while (result == 0 && piece->done < piece->length)
        result = write_some(output, piece);
    set_busy(output, false);
    return result;
}
