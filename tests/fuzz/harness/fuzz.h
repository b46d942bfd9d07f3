/*
 * What the fuzz targets share. A target is one file, tests/fuzz/NAME.c, that defines LLVMFuzzerTestOneInput: it makes
 * calls of what the input says and requires properties of what comes back. libFuzzer calls it in a build for fuzzing, and
 * replay.c in an ordinary one, with every input that is kept in the tree.
 */
#ifndef FUZZ_HARNESS_FUZZ_H
#define FUZZ_HARNESS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/error.h>

/* Returns 0, always: an input that breaks a property ends the program. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the program, which is how libFuzzer is told of a find. `format` says what was seen. */
_Noreturn void fuzz_broken(const char *file, int line, const char *property, const char *format, ...) WEIR_PRINTF(4, 5);

/* A property that must hold, and what was seen where it does not: fuzz_require(a == b, "%d, %d", a, b). */
#define fuzz_require(property, ...)                                                                                    \
    do {                                                                                                               \
        if (!(property))                                                                                               \
            fuzz_broken(__FILE__, __LINE__, #property, __VA_ARGS__);                                                   \
    } while (0)

/* --- taking an input apart; where it has ended there are zeros --- */

struct fuzz_input {
    const uint8_t *next, *end;
};

static inline struct fuzz_input fuzz_input(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){data, data + size};
}

static inline size_t fuzz_left(const struct fuzz_input *input)
{
    return (size_t)(input->end - input->next);
}

unsigned fuzz_byte(struct fuzz_input *input);
unsigned fuzz_short(struct fuzz_input *input);
/* A number from 0 to `count` - 1, of a byte. */
unsigned fuzz_below(struct fuzz_input *input, unsigned count);
/* At most `most` bytes, which stay the input's; *length of them. */
const uint8_t *fuzz_take(struct fuzz_input *input, size_t most, size_t *length);

/* --- memory --- */

/* malloc and calloc that do not fail; exact sizes, so that AddressSanitizer sees a step beyond. Freed by free. */
void *fuzz_alloc(size_t size);
/* A copy with a NUL behind it. Freed by free. */
char *fuzz_string(const void *bytes, size_t length);

/* --- properties of text, judged by nothing of the library's --- */

/* Whether bytes are UTF-8 (RFC 3629). */
bool fuzz_is_utf8(const char *text, size_t length);

/* Whether text may be shown on a terminal as (a part of) one line: UTF-8 without controls, and without what turns or breaks lines. */
bool fuzz_is_showable(const char *text, size_t length);

/*
 * The error that a call set that was given `texts` by the user (`count` of them): of this kind, errno with it, a sentence of its parts, no
 * longer than errors are, UTF-8 where the texts are, and one line once it is shown.
 */
void fuzz_require_error(weir_error_kind kind, const char *const *texts, size_t count);

#endif
