/* What comes from sources, cut into frames and pages; see intake.h. */
#include "intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "intake_inside.h"

/* What is looked through for a first frame or page before it is said that there is none. */
enum { RUBBISH_MOST = 262144 };

static const struct format {
    const char *name, *type;
    intake_next *next;
} formats[] = {
    {"audio/mpeg", "audio/mpeg", intake_next_mp3},
    {"audio/mp3", "audio/mpeg", intake_next_mp3},
    {"audio/x-mpeg", "audio/mpeg", intake_next_mp3},
    {"audio/aac", "audio/aac", intake_next_adts},
    {"audio/aacp", "audio/aac", intake_next_adts},
    {"audio/x-aac", "audio/aac", intake_next_adts},
    {"application/ogg", "application/ogg", intake_next_ogg},
    {"audio/ogg", "audio/ogg", intake_next_ogg},
    {"video/ogg", "video/ogg", intake_next_ogg},
};

/* Parameters may follow the name. */
static const struct format *format_of(const char *content_type)
{
    size_t length = strcspn(content_type, "; \t");
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strlen(formats[i].name) == length && strncasecmp(formats[i].name, content_type, length) == 0)
            return &formats[i];
    return NULL;
}

const char *intake_type(const char *content_type)
{
    const struct format *format = format_of(content_type);
    return format ? format->type : NULL;
}

struct intake *intake_new(const char *type, struct mount_source *source)
{
    struct intake *intake = calloc(1, sizeof *intake);
    if (!intake) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "receive", type, NULL);
        return NULL;
    }
    const struct format *format = format_of(type);
    intake->source = source;
    intake->type = format->type;
    intake->next = format->next;
    return intake;
}

void intake_free(struct intake *intake)
{
    if (!intake)
        return;
    free(intake->header);
    free(intake);
}

bool intake_known(const struct intake *intake)
{
    return intake->known;
}

uint64_t intake_dropped(const struct intake *intake)
{
    return intake->dropped;
}

/* --- Ogg's headers --- */

/* The first page of a stream begins them anew: streams may follow each other. */
static int take_header(struct intake *intake, const uint8_t *page, size_t length)
{
    if (!intake->header_open)
        intake->header_size = 0;
    intake->header_open = true;
    if (intake->header_size + length > INTAKE_HEADER_MOST)
        return weir_fail(WEIR_ERROR_LIMIT, EPROTO, "receive", intake->type, "its headers are above 256 KiB");
    uint8_t *larger = realloc(intake->header, intake->header_size + length);
    if (!larger)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "receive", intake->type, NULL);
    memcpy(larger + intake->header_size, page, length);
    intake->header = larger;
    intake->header_size += length;
    return 0;
}

/* Who listens already has the headers of the stream before: to those these come as a part of the audio. */
static int close_header(struct intake *intake)
{
    if (!intake->header_open)
        return 0;
    intake->header_open = false;
    if (intake->header_sent && mount_write(intake->source, intake->header, intake->header_size, false) < 0)
        return -1;
    intake->header_sent = true;
    return mount_set_header(intake->source, intake->header, intake->header_size);
}

/* --- pieces on their way to the mount --- */

/* Pieces that follow each other, found and not written yet: from `begin` on. */
struct run {
    size_t begin, end;
    bool start;
};

static int write_run(struct intake *intake, struct run *run)
{
    size_t size = run->end - run->begin;
    int result = size ? mount_write(intake->source, intake->data + run->begin, size, run->start) : 0;
    run->begin = run->end;
    return result;
}

static int take_piece(struct intake *intake, struct run *run, const struct intake_piece *piece)
{
    bool joins = piece->kind == INTAKE_AUDIO && piece->skip == 0 && !intake->header_open && run->end > run->begin;
    intake->known = true;
    intake->dropped += piece->skip;
    if (!joins) {
        if (write_run(intake, run) < 0 || (piece->kind == INTAKE_AUDIO && close_header(intake) < 0))
            return -1;
        run->begin = run->end + (size_t)piece->skip;
        run->start = piece->start;
    }
    run->end += (size_t)piece->skip + piece->length;
    if (piece->kind == INTAKE_AUDIO)
        return 0;
    int result = piece->kind == INTAKE_HEADER ? take_header(intake, intake->data + run->begin, piece->length) : 0;
    if (piece->kind == INTAKE_UNWANTED)
        intake->dropped += piece->length;
    run->begin = run->end;
    return result;
}

/* Takes what was written out of the buffer, and `skip` bytes behind it, of which some may still have to come. */
static void move_up(struct intake *intake, size_t used, uint64_t skip)
{
    size_t left = intake->size - used;
    size_t pass = skip < left ? (size_t)skip : left;
    intake->dropped += skip;
    intake->rubbish += pass;
    intake->skip = skip - pass;
    memmove(intake->data, intake->data + used + pass, left - pass);
    intake->size = left - pass;
}

/* Writes all that is whole in the buffer. */
static int cut(struct intake *intake, bool last)
{
    struct run run = {0};
    struct intake_piece piece = {0};
    while (intake->next(intake, intake->data + run.end, intake->size - run.end, last, &piece)) {
        if (take_piece(intake, &run, &piece) < 0)
            return -1;
        piece = (struct intake_piece){0};
    }
    size_t used = run.end;
    if (write_run(intake, &run) < 0)
        return -1;
    move_up(intake, used, piece.skip);
    if (!intake->known && intake->rubbish > RUBBISH_MOST)
        return weir_fail(WEIR_ERROR_CLOSED, EPROTO, "receive", intake->type, "what is sent is something else");
    return 0;
}

/*
 * As much as the buffer has room for, behind what is of no use: a tag as long as it says itself is never kept.
 * Returns how much.
 */
static size_t take_some(struct intake *intake, const uint8_t *bytes, size_t size)
{
    size_t pass = intake->skip < size ? (size_t)intake->skip : size;
    size_t room = INTAKE_ROOM - intake->size, taken = size - pass < room ? size - pass : room;
    intake->skip -= pass;
    memcpy(intake->data + intake->size, bytes + pass, taken);
    intake->size += taken;
    return pass + taken;
}

int intake_feed(struct intake *intake, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    while (size > 0) {
        size_t taken = take_some(intake, bytes, size);
        bytes += taken;
        size -= taken;
        if (intake->skip > 0)
            break; /* it was all of no use, and more is to come that is */
        if (cut(intake, false) < 0)
            return -1;
        if (intake->size == INTAKE_ROOM) /* no frame and no page is that long */
            move_up(intake, 0, 1);
    }
    return 0;
}

int intake_end(struct intake *intake)
{
    return intake->skip ? 0 : cut(intake, true);
}
