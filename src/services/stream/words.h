/* Texts of strangers, as they may be kept and shown: UTF-8 without control characters. */
#ifndef STREAM_WORDS_H
#define STREAM_WORDS_H

#include <stddef.h>

/*
 * Puts `bytes` (NULL: "") into `text` as that: from `charset`, or where it is NULL or not known UTF-8 if it is some,
 * else Latin-1, as listeners of ICY have it. Control characters become spaces; it is cut at a whole character.
 * Returns `text`.
 */
char *words_of(const char *bytes, const char *charset, char *text, size_t most);

#endif
