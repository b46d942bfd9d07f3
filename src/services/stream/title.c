/*
 * Titles by ID3 tags. libid3tag, which decodes their texts, is old and believes what a tag says of itself; so it is
 * not shown a stranger's tag, but one that is made here, of the artist and the title of his, within bounds: no
 * picture, nothing compressed.
 */
#include "title.h"

#include <id3tag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEADER = 10,
    ID3V1 = 128,
    TAG_MOST = 1 << 20, /* what is looked through; titles are in front */
    FRAME_MOST = 4096,  /* of one frame, with its header */
    MADE_MOST = HEADER + 2 * FRAME_MOST,
};

/* --- a tag of our own --- */

/* What is left of a stranger's, and ours. */
struct tag {
    const uint8_t *next, *end;
    unsigned version; /* 2 to 4 */
    uint8_t made[MADE_MOST];
    size_t length;
    unsigned wanted; /* bits: the frames that were not yet found */
};

static uint32_t synchsafe(const uint8_t *bytes)
{
    return (bytes[0] & 127U) << 21 | (bytes[1] & 127U) << 14 | (bytes[2] & 127U) << 7 | (bytes[3] & 127U);
}

static uint32_t big_endian(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* Whether two flags of a frame say that it is compressed or enciphered. */
static bool is_packed(const struct tag *tag, const uint8_t *frame)
{
    return tag->version == 3 ? frame[9] & 0xc0 : tag->version == 4 ? frame[9] & 0x0c : false;
}

static void take(struct tag *tag, const uint8_t *frame, size_t size)
{
    static const char *const names[2][2] = {{"TT2", "TP1"}, {"TIT2", "TPE1"}};
    for (unsigned i = 0; i < 2; i++) {
        const char *name = names[tag->version > 2][i];
        bool is_wanted = tag->wanted >> i & 1 && memcmp(frame, name, strlen(name)) == 0;
        if (!is_wanted || size > FRAME_MOST || is_packed(tag, frame))
            continue;
        memcpy(tag->made + tag->length, frame, size);
        tag->length += size;
        tag->wanted &= ~(1U << i);
    }
}

/* Takes what is wanted of the frames, until there is none, or one is longer than what is there. */
static void take_frames(struct tag *tag)
{
    size_t header = tag->version == 2 ? 6 : 10;
    while (tag->wanted && (size_t)(tag->end - tag->next) > header && *tag->next) {
        const uint8_t *frame = tag->next;
        size_t size = tag->version == 2   ? big_endian(frame + 3, 3)
                      : tag->version == 3 ? big_endian(frame + 4, 4)
                                          : synchsafe(frame + 4);
        if (size > (size_t)(tag->end - frame) - header)
            return;
        take(tag, frame, header + size);
        tag->next += header + size;
    }
}

/* The extended header, which the frames come behind. */
static void pass_extended(struct tag *tag)
{
    if (tag->end - tag->next < 4)
        return;
    size_t size = tag->version == 4 ? synchsafe(tag->next) : 4 + (size_t)big_endian(tag->next, 4);
    size_t left = (size_t)(tag->end - tag->next);
    tag->next += size < left ? size : left;
}

/* Unsynchronisation taken back: of FF 00 the 00 goes. Returns the new length. */
static size_t resynchronise(uint8_t *bytes, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] || i == 0 || bytes[i - 1] != 0xff)
            bytes[length++] = bytes[i];
    return length;
}

static void put_header(struct tag *tag)
{
    size_t size = tag->length - HEADER;
    memcpy(tag->made, "ID3", 3);
    tag->made[3] = (uint8_t)tag->version;
    for (int i = 0; i < 4; i++)
        tag->made[6 + i] = (uint8_t)(size >> (7 * (3 - i)) & 127);
}

/* --- its texts --- */

/* Adds the first text of a frame. False: it has none. */
static bool put_text(char title[TITLE_MOST], const struct id3_tag *tag, const char *name)
{
    const struct id3_frame *frame = id3_tag_findframe(tag, name, 0);
    const union id3_field *field = frame ? id3_frame_field(frame, 1) : NULL;
    bool has_text = field && field->type == ID3_FIELD_TYPE_STRINGLIST && id3_field_getnstrings(field) > 0;
    const id3_ucs4_t *text = has_text ? id3_field_getstrings(field, 0) : NULL;
    size_t before = strlen(title);
    while (text && *text) {
        id3_ucs4_t character = *text++;
        title_put(title, character <= 0x10ffff ? (uint32_t)character : 0);
    }
    return strlen(title) > before;
}

static bool put_texts(char title[TITLE_MOST], const uint8_t *bytes, size_t size)
{
    struct id3_tag *tag = id3_tag_parse(bytes, size);
    title[0] = '\0';
    if (!tag)
        return false;
    if (put_text(title, tag, ID3_FRAME_ARTIST))
        title_put_name(title, " - ");
    size_t artist = strlen(title);
    bool has_title = put_text(title, tag, ID3_FRAME_TITLE);
    id3_tag_delete(tag);
    return has_title && title[artist + strspn(title + artist, " ")];
}

static bool title_of_frames(struct tag *tag, uint8_t flags, char title[TITLE_MOST])
{
    if (flags & 0x40 && tag->version > 2)
        pass_extended(tag);
    tag->length = HEADER;
    tag->wanted = 3;
    take_frames(tag);
    put_header(tag);
    return tag->length > HEADER && put_texts(title, tag->made, tag->length);
}

/* ID3v2. */
static bool title_of_second(const uint8_t *bytes, size_t size, char title[TITLE_MOST])
{
    uint8_t flags = bytes[5];
    size_t said = synchsafe(bytes + 6), there = size - HEADER, left = said < there ? said : there;
    uint8_t *copy = malloc(left + 1);
    struct tag *tag = calloc(1, sizeof *tag);
    bool result = false;
    if (copy && tag) {
        memcpy(copy, bytes + HEADER, left);
        tag->version = bytes[3];
        bool is_whole = flags & 0x80 && tag->version < 4; /* later, frames say it of themselves */
        tag->next = copy;
        tag->end = copy + (is_whole ? resynchronise(copy, left) : left);
        result = title_of_frames(tag, flags, title);
    }
    free(tag);
    free(copy);
    return result;
}

bool title_of_tag(const uint8_t *bytes, size_t size, char title[TITLE_MOST])
{
    if (size >= ID3V1 && memcmp(bytes, "TAG", 3) == 0)
        return put_texts(title, bytes, ID3V1);
    bool is_second = size > HEADER && memcmp(bytes, "ID3", 3) == 0 && bytes[3] >= 2 && bytes[3] <= 4;
    return is_second && title_of_second(bytes, size, title);
}

/* --- a file --- */

static bool title_in_front(int fd, char title[TITLE_MOST])
{
    uint8_t header[HEADER];
    if (pread(fd, header, HEADER, 0) != HEADER || memcmp(header, "ID3", 3) != 0)
        return false;
    size_t size = HEADER + (size_t)synchsafe(header + 6);
    size = size < TAG_MOST ? size : TAG_MOST;
    uint8_t *bytes = malloc(size);
    ssize_t length = bytes ? pread(fd, bytes, size, 0) : -1;
    bool result = length > 0 && title_of_tag(bytes, (size_t)length, title);
    free(bytes);
    return result;
}

static bool title_behind(int fd, char title[TITLE_MOST])
{
    uint8_t tag[ID3V1];
    struct stat status;
    if (fstat(fd, &status) < 0 || status.st_size < ID3V1)
        return false;
    return pread(fd, tag, ID3V1, status.st_size - ID3V1) == ID3V1 && title_of_tag(tag, ID3V1, title);
}

static void title_of_name(const char *name, char title[TITLE_MOST])
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    const char *suffix = strrchr(base, '.');
    char *stem = strndup(base, suffix && suffix > base ? (size_t)(suffix - base) : strlen(base));
    title[0] = '\0';
    title_put_name(title, stem ? stem : base);
    free(stem);
}

void title_of_file(int fd, const char *name, char title[TITLE_MOST])
{
    if (!title_in_front(fd, title) && !title_behind(fd, title))
        title_of_name(name, title);
}
