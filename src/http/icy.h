/*
 * ICY metadata: titles between pieces of audio. After every `interval` bytes, counted from the first of the body,
 * comes a byte L and L x 16 bytes, "StreamTitle='...';StreamUrl='...';" padded with NULs; no apostrophe is escaped.
 */
#ifndef HTTP_ICY_H
#define HTTP_ICY_H

#include <weir/weir.h>

enum { ICY_BLOCK_MOST = 1 + 255 * 16, ICY_TITLE_MOST = 1024 };

/* Takes metadata out of a body that comes in pieces. A plain value; nothing need be freed. */
struct icy_reader {
    uint64_t interval;   /* 0: there is none */
    uint64_t until;      /* bytes of audio until the next block */
    size_t block_length; /* of the block that has begun, without its length byte; 0: none has */
    size_t block_have;   /* how much of it has come */
    char block[ICY_BLOCK_MOST];
    char title[ICY_TITLE_MOST];
};

/*
 * What a response says in icy-metaint: `field` is its value, NULL where it has none. 1 with *interval; 0: there is no
 * metadata; -1 where it makes no sense (EPROTO; it is `subject`'s).
 */
int icy_interval(const char *field, const char *subject, uint64_t *interval);

void icy_begin(struct icy_reader *reader, uint64_t interval);

/*
 * Takes one stretch of the `size` bytes at `data`: returns how many bytes were looked at, at least one where there is
 * one; of them *audio bytes at *at are audio (maybe none). *title is set to a block's title (valid until the next call;
 * "" is a title too), NULL where none was complete.
 */
size_t icy_read(struct icy_reader *reader, const char *data, size_t size, const char **at, size_t *audio,
                const char **title);

/*
 * The title of a block (without its length byte), up to "';", as UTF-8: what is none is taken for Latin-1. False: it
 * has none. At most ICY_TITLE_MOST - 1 bytes, whole characters; control characters as spaces.
 */
bool icy_title(const char *block, size_t size, char title[ICY_TITLE_MOST]);

/*
 * The block of a title, with its length byte: returns the length of all of it. Titles are cut to ICY_TITLE_MOST - 1
 * bytes, at a whole character; "';" in one becomes "' ;", control characters become spaces.
 */
size_t icy_block(const char *title, char block[ICY_BLOCK_MOST]);

#endif
