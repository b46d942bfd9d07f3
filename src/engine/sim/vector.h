/* The pieces of a msghdr, as the kinds of the simulator fill and empty them. */
#ifndef WEIR_ENGINE_SIM_VECTOR_H
#define WEIR_ENGINE_SIM_VECTOR_H

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

static inline size_t weir__sim_vector_size(const struct msghdr *message)
{
    size_t size = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return size;
}

/* Writes `size` bytes into the message's pieces, from the `done`th of their bytes on, as far as there is room. */
static inline void weir__sim_vector_put(const struct msghdr *message, size_t done, const void *data, size_t size)
{
    const char *from = data;
    for (size_t i = 0; i < message->msg_iovlen && size; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        if (done >= piece->iov_len) {
            done -= piece->iov_len;
            continue;
        }
        size_t part = piece->iov_len - done < size ? piece->iov_len - done : size;
        memcpy((char *)piece->iov_base + done, from, part);
        from += part;
        size -= part;
        done = 0;
    }
}

/* Reads `size` bytes from the message's pieces, which have that many, from the `done`th of their bytes on. */
static inline void weir__sim_vector_get(const struct msghdr *message, size_t done, void *data, size_t size)
{
    char *to = data;
    for (size_t i = 0; i < message->msg_iovlen && size; i++) {
        const struct iovec *piece = &message->msg_iov[i];
        if (done >= piece->iov_len) {
            done -= piece->iov_len;
            continue;
        }
        size_t part = piece->iov_len - done < size ? piece->iov_len - done : size;
        memcpy(to, (const char *)piece->iov_base + done, part);
        to += part;
        size -= part;
        done = 0;
    }
}

#endif
