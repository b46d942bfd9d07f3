/* What every public header needs: visibility, time, and how options structs are filled. */
#ifndef WEIR_API_H
#define WEIR_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WEIR_VERSION_MAJOR 0
#define WEIR_VERSION_MINOR 1
#define WEIR_VERSION_PATCH 0
#define WEIR_VERSION       "0.1.0"

#if defined __GNUC__
#define WEIR_API                 __attribute__((visibility("default")))
#define WEIR_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define WEIR_MUST_USE            __attribute__((warn_unused_result))
#define WEIR_NORETURN            __attribute__((noreturn))
#else
#define WEIR_API
#define WEIR_PRINTF(text, first)
#define WEIR_MUST_USE
#define WEIR_NORETURN
#endif

#ifdef __cplusplus
#define WEIR_BEGIN extern "C" {
#define WEIR_END   }
#else
#define WEIR_BEGIN
#define WEIR_END
#endif

WEIR_BEGIN

/*
 * Time is int64_t nanoseconds on the monotonic clock: a duration ("timeout") or a point ("deadline").
 * In an options struct zero means the default; elsewhere zero is zero.
 */
#define WEIR_US(n)      (1000 * (int64_t)(n))
#define WEIR_MS(n)      (1000000 * (int64_t)(n))
#define WEIR_S(n)       (1000000000 * (int64_t)(n))
#define WEIR_MINUTES(n) WEIR_S(60 * (int64_t)(n))
/* As a timeout or a deadline: do not wait at all. Not zero, so that it can stand in an options struct. */
#define WEIR_NOW INT64_MIN
/* As a timeout or a deadline: wait however long it takes. */
#define WEIR_FOREVER INT64_MAX

/*
 * An options struct for a call, its size filled in, every member that is not named at its default:
 *     weir_connect("tcp://host:1", WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(3)))
 * The size is how a library that knows more members than its caller tells which ones the caller has.
 */
#define WEIR_OPTIONS(type, ...) (&(type){.size = sizeof(type), __VA_ARGS__})

/* The version of the library that runs, as "0.1.0"; WEIR_VERSION is that of the header. */
WEIR_API const char *weir_version(void);

WEIR_END

#endif
