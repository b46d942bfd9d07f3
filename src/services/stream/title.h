/* What a file is called: by its ID3 tag (libid3tag), else its name. */
#ifndef STREAM_TITLE_H
#define STREAM_TITLE_H

#include <weir/weir.h>

enum { TITLE_MOST = 512 };

/*
 * "Artist - Title", or the title, or the file's name without folder and suffix, as UTF-8 without control characters.
 * `fd` is the file, whose position stays where it is; `name` its name. Blocks: call it on the pool.
 */
void title_of_file(int fd, const char *name, char title[TITLE_MOST]);

/*
 * By a tag alone, ID3v2 or ID3v1, that begins with the bytes; of an ID3v2 that is cut as much as is there. False:
 * there is no title in it.
 */
bool title_of_tag(const uint8_t *bytes, size_t size, char title[TITLE_MOST]);

/* --- title_text.c: text for people --- */

/* Adds a character, unless there is no room, or it is none that may be shown: controls, what turns or breaks lines. */
void title_put(char title[TITLE_MOST], uint32_t character);

/* Adds a name of a file, whose bytes may be no text. */
void title_put_name(char title[TITLE_MOST], const char *name);

#endif
