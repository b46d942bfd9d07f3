/* Lines that wait to be written; see lines.h. */
#include "lines.h"

#include <stdlib.h>
#include <string.h>

/* Adds an empty piece to fill. NULL: there are too many, or there is no memory. */
static struct lines_piece *add_piece(struct lines *lines)
{
    struct lines_piece *piece = lines->spare;
    if (lines->count == LINES_PIECES)
        return NULL;
    if (!piece && !(piece = malloc(sizeof *piece)))
        return NULL;
    lines->spare = NULL;
    piece->next = NULL;
    piece->length = piece->done = 0;
    if (lines->last)
        lines->last->next = piece;
    else
        lines->first = piece;
    lines->last = piece;
    lines->count++;
    return piece;
}

char *lines_room(struct lines *lines, size_t size)
{
    struct lines_piece *piece = lines->last;
    if (!piece || sizeof piece->text - piece->length < size)
        piece = add_piece(lines);
    return piece ? piece->text + piece->length : NULL;
}

void lines_add(struct lines *lines, size_t length)
{
    lines->last->length += length;
}

struct lines_piece *lines_take(struct lines *lines)
{
    struct lines_piece *first = lines->first;
    lines->first = lines->last = NULL;
    return first;
}

void lines_give(struct lines *lines, struct lines_piece *piece)
{
    lines->count--;
    if (lines->spare)
        free(piece);
    else
        lines->spare = piece;
}

void lines_return(struct lines *lines, struct lines_piece *first)
{
    struct lines_piece *last = first;
    if (!first)
        return;
    while (last->next)
        last = last->next;
    last->next = lines->first;
    lines->first = first;
    if (!lines->last)
        lines->last = last;
}

size_t lines_begin(const struct lines_piece *piece)
{
    const char *end = memrchr(piece->text, '\n', piece->done);
    return end ? (size_t)(end + 1 - piece->text) : 0;
}

static size_t count_lines(const struct lines_piece *piece)
{
    size_t count = 0;
    const char *end = piece->text + piece->length;
    for (const char *line = piece->text + lines_begin(piece); line < end; count++)
        line = (const char *)memchr(line, '\n', (size_t)(end - line)) + 1;
    return count;
}

size_t lines_count(const struct lines *lines)
{
    size_t count = 0;
    for (const struct lines_piece *piece = lines->first; piece; piece = piece->next)
        count += count_lines(piece);
    return count;
}

void lines_free(struct lines *lines)
{
    struct lines_piece *piece;
    while ((piece = lines->first)) {
        lines->first = piece->next;
        free(piece);
    }
    free(lines->spare);
    *lines = (struct lines){0};
}
