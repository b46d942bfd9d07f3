/*
 * Text on its way between UTF-8, which stdin and stdout have, and the encoding of the wire: what --encoding, --errors and -C do
 * in connect and listen. One for each direction.
 */
#ifndef CLI_TRANSCODER_H
#define CLI_TRANSCODER_H

#include <weir/weir.h>

struct transcoder;

/* Bytes of an encoding to UTF-8. NULL with an error. Parks. The caller frees it. */
struct transcoder *transcoder_new_decoder(const char *encoding, weir_text_errors errors);

/* UTF-8 to bytes of an encoding, or of none where that is NULL; with `crlf` every LF that has none gets a CR. Likewise. */
struct transcoder *transcoder_new_encoder(const char *encoding, weir_text_errors errors, bool crlf);

/* NULL is fine. May park. */
void transcoder_free(struct transcoder *transcoder);

/*
 * Converts a piece, which need not end where a character does, unless it `ends` the text; the next one then begins another.
 * Points `*result` to what it became, which stays valid until the next call, and puts its length in `*length`. 0, or -1 with
 * ENOMEM, or EILSEQ (strict): the result is then what stands before the bad byte, and the next piece begins another text.
 */
int transcoder_convert(struct transcoder *transcoder, const char *data, size_t size, bool ends, const char **result,
                       size_t *length);

/* How many bytes at the end of a piece of UTF-8 are the beginning of a character whose rest has yet to come: 0 to 3. */
size_t transcoder_half_character(const char *data, size_t size);

#endif
