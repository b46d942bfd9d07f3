/* What the targets of the log's records share. */
#ifndef FUZZ_HARNESS_RECORDS_H
#define FUZZ_HARNESS_RECORDS_H

#include "fuzz.h"
#include "services/log/record.h"

/* Makes a record of a datagram in both formats and requires of the lines what must hold of any. Returns what it was. */
enum record_kind fuzz_record(const uint8_t *bytes, size_t length, bool truncated, int64_t arrived);

#endif
