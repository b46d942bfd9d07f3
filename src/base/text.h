/* Building text in fixed buffers with little stack (snprintf touches 3 KiB of it), cut and never overrun. */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct weir__text {
    char *data;
    size_t size;   /* of data */
    size_t length; /* without the NUL, which is always there if size is not 0 */
};

/* Begins an empty text in `data`. */
struct weir__text weir__text(char *data, size_t size);
void weir__text_put(struct weir__text *text, const char *string);
void weir__text_put_bytes(struct weir__text *text, const char *bytes, size_t length);
void weir__text_put_char(struct weir__text *text, char character);
void weir__text_put_number(struct weir__text *text, uint64_t number);
/* Copies at most `size` - 1 bytes and ends with NUL. Returns the whole length of `string`, as strlcpy(3). */
size_t weir__copy_text(char *to, const char *string, size_t size);
/* How much of `length` bytes to keep so that no more than `most` are kept and no UTF-8 character is cut in two. */
size_t weir__text_cut(const char *bytes, size_t length, size_t most);
/* The length of the UTF-8 character that `length` bytes begin with: 1 to 4, or 0 where there is none (RFC 3629). */
size_t weir__utf8_length(const char *bytes, size_t length);

#endif
