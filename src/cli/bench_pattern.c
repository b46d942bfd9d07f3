/*
 * The bytes of weir bench: one block of chance, repeated for ever. Its length is a prime, so that no message size and no
 * buffer's size divides it: what was shifted, repeated or left out is seen.
 */
#include <errno.h>
#include <string.h>

#include "bench.h"

enum { PERIOD = 65521, APART = 7919 };

static char pattern[PERIOD + BENCH_PATTERN_WINDOW];

void bench_pattern_make(void)
{
    weir_random(pattern, PERIOD);
    for (size_t at = PERIOD; at < sizeof pattern; at++)
        pattern[at] = pattern[at - PERIOD];
}

const char *bench_pattern(uint64_t offset)
{
    return pattern + offset % PERIOD;
}

uint64_t bench_pattern_start(size_t index)
{
    return (uint64_t)index * APART;
}

static void differs(uint64_t offset, const char *data, size_t size, const char *endpoint)
{
    const char *wanted = bench_pattern(offset);
    size_t at = 0;
    while (at < size && data[at] == wanted[at])
        at++;
    weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "check", endpoint,
              "what came back is not what was sent: 0x%02x in place of 0x%02x", (unsigned char)data[at],
              (unsigned char)wanted[at]);
}

bool bench_pattern_check(uint64_t offset, const char *data, size_t size, const char *endpoint)
{
    while (size > 0) {
        size_t part = size < BENCH_PATTERN_WINDOW ? size : BENCH_PATTERN_WINDOW;
        if (memcmp(data, bench_pattern(offset), part) != 0) {
            differs(offset, data, part, endpoint);
            return false;
        }
        offset += part;
        data += part;
        size -= part;
    }
    return true;
}
