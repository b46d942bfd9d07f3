/* Waiting for the first of several things, as the engine sees it; weir_select in src/net is the public side. */
#ifndef WEIR_ENGINE_SELECT_H
#define WEIR_ENGINE_SELECT_H

#include <weir/channel.h>

enum { WEIR__SELECT_MOST = 64 };

/* As weir_case, with the descriptor of a READABLE or WRITABLE one. */
struct weir__select_case {
    weir_case_kind kind;
    weir_channel *channel;
    weir_fiber *fiber;
    int fd;
    void *item;
    int error; /* out: 0 or EPIPE */
};

/* Returns the index of what was done, or -1 and errno: ETIMEDOUT, ECANCELED, ENOMEM, EBUSY (somebody else joins that fiber), or the backend's. */
int weir__select(struct weir__select_case *cases, size_t count, int64_t deadline);

#endif
