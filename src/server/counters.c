/* Counters: summed, and as text. */
#include "server/counters.h"

#include <string.h>

#include "base/text.h"

/* weir_counters has nothing but numbers of 64 bits: it is an array with names. */
static const char *const names[] = {
    "accepted",
    "active",
    "refused_limit",
    "refused_address",
    "refused_rule",
    "refused_resources",
    "bytes_in",
    "bytes_out",
    "errors_reset",
    "errors_idle",
    "errors_write_timeout",
    "errors_message_timeout",
    "errors_lifetime",
    "errors_other",
    "errors_tls",
    "cancelled",
    "datagrams_in",
    "datagrams_out",
    "datagrams_truncated",
    "datagrams_dropped",
    "replies_refused",
    "replies_limited",
    "replies_failed",
};
_Static_assert(sizeof names / sizeof *names == WEIR__COUNTERS, "a name for each counter");
_Static_assert(offsetof(weir_counters, replies_failed) == (WEIR__COUNTERS - 1) * sizeof(uint64_t), "in their order");

void weir__counters_sum(const struct weir__counters *counters, size_t count, weir_counters *sum)
{
    uint64_t each[WEIR__COUNTERS] = {0};
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < WEIR__COUNTERS; k++)
            each[k] += atomic_load_explicit(&counters[i].each[k], memory_order_relaxed);
    memcpy(sum, each, sizeof *sum);
}

void weir__counters_died(struct weir__counters *counters)
{
    atomic_store(&counters->each[offsetof(weir_counters, active) / sizeof(uint64_t)], 0);
}

static void put_json(struct weir__text *text, const char *name, uint64_t number)
{
    weir__text_put(text, text->length > 1 ? ",\"" : "\"");
    weir__text_put(text, name);
    weir__text_put(text, "\":");
    weir__text_put_number(text, number);
}

static void put_plain(struct weir__text *text, const char *name, uint64_t number)
{
    if (!number)
        return;
    weir__text_put(text, text->length ? " " : "");
    weir__text_put(text, name);
    weir__text_put_char(text, '=');
    weir__text_put_number(text, number);
}

char *weir_counters_text(const weir_counters *counters, bool json, char *text, size_t size)
{
    struct weir__text out = weir__text(text, size);
    uint64_t each[WEIR__COUNTERS];
    memcpy(each, counters, sizeof each);
    weir__text_put(&out, json ? "{" : "");
    for (int i = 0; i < WEIR__COUNTERS; i++)
        (json ? put_json : put_plain)(&out, names[i], each[i]);
    weir__text_put(&out, json ? "}" : "");
    return text;
}
