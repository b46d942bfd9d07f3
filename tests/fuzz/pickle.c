/*
 * The log's records of Python's DatagramHandler: of whatever is in the pickle the line is one line, of text or of JSON;
 * and a pickle that is read has nothing in it but what is known.
 *
 * The input: the pickle, before which its length is put.
 */
#include <stdlib.h>
#include <string.h>

#include "records.h"

#define ARRIVED INT64_C(1795241700123456000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t length = size + 4;
    uint8_t *datagram = fuzz_alloc(length);
    if (size > 0)
        memcpy(datagram + 4, data, size);
    for (int i = 0; i < 4; i++)
        datagram[i] = (uint8_t)(size >> (8 * (3 - i)));
    enum record_kind kind = fuzz_record(datagram, length, false, ARRIVED);
    bool is_claimed = size > 0 && (data[0] == '}' || data[0] == 0x80);
    bool is_read = kind == RECORD_PYTHON;
    fuzz_require(is_claimed == (is_read || kind == RECORD_UNREADABLE), "%d", (int)kind);
    fuzz_require(!is_read || (data[0] == '}' && data[size - 1] == '.'), "%zu bytes", size);
    free(datagram);
    return 0;
}
