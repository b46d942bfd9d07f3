/*
 * What the tools must be told about stacks that are switched: AddressSanitizer, ThreadSanitizer and valgrind.
 * Without them everything here compiles to nothing (valgrind's requests to a few instructions that do nothing).
 */
#ifndef WEIR_ENGINE_SANITIZER_H
#define WEIR_ENGINE_SANITIZER_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
#define WEIR__ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define WEIR__ASAN 0
#endif

#if defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
#define WEIR__TSAN 1
#include <sanitizer/tsan_interface.h>
#else
#define WEIR__TSAN 0
#endif

#if defined __has_include
#if __has_include(<valgrind/valgrind.h>)
#define WEIR__VALGRIND 1
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef WEIR__VALGRIND
#define WEIR__VALGRIND 0
#endif

/* Memory that nobody may touch until it is lent again, and memory that may be used. */
static inline void weir__sanitizer_poison(void *memory, size_t size)
{
#if WEIR__ASAN
    ASAN_POISON_MEMORY_REGION(memory, size);
#endif
#if WEIR__VALGRIND
    (void)VALGRIND_MAKE_MEM_NOACCESS(memory, size);
#endif
    (void)memory;
    (void)size;
}

static inline void weir__sanitizer_unpoison(void *memory, size_t size)
{
#if WEIR__ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
#endif
#if WEIR__VALGRIND
    (void)VALGRIND_MAKE_MEM_UNDEFINED(memory, size);
#endif
    (void)memory;
    (void)size;
}

/* What lies below the stack pointer of a fiber that has ended, and is good all the same. */
static inline void weir__sanitizer_trust(void *memory, size_t size)
{
#if WEIR__ASAN
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
#endif
#if WEIR__VALGRIND
    (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
#endif
    (void)memory;
    (void)size;
}

#endif
