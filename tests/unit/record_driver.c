/*
 * Datagrams in, lines out, for tests/unit/check_records.py. On stdin: the format ('t' or 'j'), then for each datagram a
 * byte that says whether it was truncated, the wall clock when it arrived and the length, of 8 bytes each in this machine's
 * order, and the bytes. On stdout a line each, and on stderr its kind. They come from 192.0.2.1:514.
 */
#include <stdio.h>
#include <stdlib.h>

#include "services/log/record.h"

struct request {
    int64_t arrived;
    uint64_t length;
};

/* Into memory of just its size, so that a step beyond is seen. */
static void *read_block(size_t size)
{
    void *block = malloc(size > 0 ? size : 1);
    if (!block || fread(block, 1, size, stdin) != size)
        exit(1);
    return block;
}

static void answer(struct record_writer *writer, bool truncated, const struct request *request)
{
    weir_datagram datagram = {.length = request->length, .truncated = truncated};
    enum record_kind kind;
    char *line = malloc(record_room(request->length));
    datagram.data = read_block(request->length);
    if (!line || weir_parse_address("192.0.2.1:514", &datagram.peer) < 0)
        exit(1);
    size_t length = record_write(writer, &datagram, request->arrived, line, &kind);
    fwrite(line, 1, length, stdout);
    fprintf(stderr, "%s\n", record_kind_name(kind));
    free(line);
    free(datagram.data);
}

int main(void)
{
    struct request request;
    struct record_writer *writer = record_writer_new(getchar() == 'j' ? RECORD_JSON : RECORD_TEXT);
    int truncated;
    if (!writer)
        return 1;
    while ((truncated = getchar()) != EOF) {
        if (fread(&request, sizeof request, 1, stdin) != 1)
            return 1;
        answer(writer, truncated != 0, &request);
    }
    record_writer_free(writer);
    return 0;
}
