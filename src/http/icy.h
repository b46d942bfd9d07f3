/*
 * ICY metadata: titles between pieces of audio. After every `interval` bytes, counted from the first of the body,
 * comes a byte L and L x 16 bytes, "StreamTitle='...';StreamUrl='...';" padded with NULs; no apostrophe is escaped.
 */
#ifndef HTTP_ICY_H
#define HTTP_ICY_H

#include <weir/weir.h>

enum { ICY_BLOCK_MOST = 1 + 255 * 16, ICY_TITLE_MOST = 1024 };

/* Takes metadata out of a body that comes in pieces. */
struct icy_reader {
    uint64_t interval; /* 0: there is none */
    uint64_t until;    /* bytes of audio until the next block */
    size_t block_left; /* of the block that has begun */
    size_t block_length;
    bool in_block, length_known;
    char block[ICY_BLOCK_MOST];
};

void icy_begin(struct icy_reader *reader, uint64_t interval);

/*
 * Takes one stretch of the `size` bytes at `data`: returns how many bytes were looked at; of them *audio bytes at *at are audio (maybe none).
 * *title is set to a block's title (valid until the next call; "" is a title too), NULL where none was complete.
 */
size_t icy_read(struct icy_reader *reader, const char *data, size_t size, const char **at, size_t *audio,
                const char **title);

/* The title of a block, up to "';"; false: it has none. At most ICY_TITLE_MOST - 1 bytes, whole characters; control characters as spaces. */
bool icy_title(const char *block, size_t size, char title[ICY_TITLE_MOST]);

/* The block of a title, with its length byte. Titles are cut so that it fits, at a whole character; "';" in one becomes "' ;". */
size_t icy_block(const char *title, char block[ICY_BLOCK_MOST]);

#endif
