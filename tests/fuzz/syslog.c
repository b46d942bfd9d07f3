/*
 * The log's records: of whatever a datagram holds the line is one line, of text or of JSON; only what has a
 * priority is taken for syslog, and only what has a length for a pickle.
 *
 * The input: a byte of flags, and the datagram.
 */
#include <stdlib.h>
#include <string.h>

#include "records.h"

/* Of a time that can have been, in the zone of the machine. */
#define ARRIVED INT64_C(1795241700123456000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    bool truncated = fuzz_byte(&input) & 1;
    size_t length;
    const uint8_t *bytes = fuzz_take(&input, SIZE_MAX, &length);
    enum record_kind kind = fuzz_record(bytes, length, truncated, ARRIVED);
    bool has_priority = length >= 3 && bytes[0] == '<';
    fuzz_require(has_priority || (kind != RECORD_RFC3164 && kind != RECORD_RFC5424), "%d", (int)kind);
    fuzz_require(length > 4 || kind != RECORD_PYTHON, "%zu bytes", length);
    return 0;
}
