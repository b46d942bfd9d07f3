/* Clocks and durations. */
#ifndef WEIR_TIME_H
#define WEIR_TIME_H

#include <weir/api.h>

WEIR_BEGIN

/* The monotonic clock in nanoseconds: what deadlines are measured by. In the simulator it is the virtual clock. */
WEIR_API int64_t weir_now(void);

/* The wall clock: nanoseconds since 1970-01-01 00:00 UTC. It may jump; never measure with it. */
WEIR_API int64_t weir_wall_clock(void);

enum { WEIR_ISO_TIME = 26 }; /* room for any, with the NUL */

/*
 * A time of the wall clock in local time as ISO 8601 has it, with its distance from UTC: "2026-11-21T07:15:00+01:00".
 * Whole seconds; the zone is that of TZ or of the system when it was first asked for. Cut where `size` is too small.
 * Does not park. Returns `text`. Python's datetime.isoformat(timespec="seconds").
 */
WEIR_API char *weir_iso_time(int64_t wall, char *text, size_t size);

/*
 * The deadline that lies `timeout` nanoseconds from now: WEIR_FOREVER stays WEIR_FOREVER, a zero or negative
 * timeout is WEIR_NOW, and what would overflow is WEIR_FOREVER.
 */
WEIR_API int64_t weir_deadline(int64_t timeout);

/*
 * Reads a duration as people write it: "500ms", "3s", "2m", "1h", "20us", "7ns", a bare number is seconds, fractions
 * allowed ("1.5s", ".5s"), "never" is WEIR_FOREVER. Exact; parts of a nanosecond are rounded up. No sign, no spaces.
 * Returns 0, or -1 of kind USAGE with EINVAL (not a duration) or ERANGE (over 292 years).
 */
WEIR_API int weir_parse_duration(const char *text, int64_t *duration);

/*
 * Reads a size in bytes: a whole number, with k, M, G or T in either case for powers of 1024: "64k", "1M".
 * Returns 0, or -1 of kind USAGE with EINVAL (not a size) or ERANGE.
 */
WEIR_API int weir_parse_size(const char *text, uint64_t *bytes);

WEIR_END

#endif
