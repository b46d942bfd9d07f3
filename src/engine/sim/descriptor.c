/*
 * The table of descriptors. A number is used once in a run, so that nothing that was closed is mistaken for what came after it:
 * any use of a closed one, and a second close, fails the run.
 */
#include "engine/sim/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "base/text.h"

enum { BLOCKS_NOT = O_RDWR | O_NONBLOCK };

struct entry {
    struct weir__sim_object *object; /* NULL: closed */
    struct weir_sim_host *host;      /* of who opened it */
    char opener[24];                 /* its fiber's name */
    bool nonblocking;
};

struct weir__sim_descriptors {
    struct entry *entries;
    size_t count, room, open;
    bool granted; /* the next one to be opened will not fail: it was asked for */
};

int weir__sim_descriptors_begin(struct weir__sim *sim)
{
    sim->descriptors = calloc(1, sizeof *sim->descriptors);
    return sim->descriptors ? 0 : -1;
}

void weir__sim_descriptors_end(struct weir__sim *sim)
{
    free(sim->descriptors->entries);
    free(sim->descriptors);
}

bool weir__sim_is_virtual(int fd)
{
    return fd >= WEIR__SIM_FIRST_DESCRIPTOR;
}

static struct entry *entry_of(int fd)
{
    struct weir__sim_descriptors *table = weir__sim_here->descriptors;
    size_t i = (size_t)(fd - WEIR__SIM_FIRST_DESCRIPTOR);
    if (weir__sim_is_virtual(fd) && i < table->count && table->entries[i].object)
        return &table->entries[i];
    if (fd >= 0)
        weir__sim_fail("descriptor %d was used after it was closed, or never was one", fd);
    errno = EBADF;
    return NULL;
}

struct weir__sim_object *weir__sim_get(int fd)
{
    struct entry *entry = entry_of(fd);
    return entry ? entry->object : NULL;
}

/* --- objects --- */

void *weir__sim_object_new(const struct weir__sim_kind *kind, size_t size, struct weir_sim_host *host)
{
    struct weir__sim_object *object = calloc(1, size);
    if (!object)
        return NULL;
    object->kind = kind;
    object->host = host;
    object->number = ++weir__sim_here->objects;
    weir__list_init(&object->watches);
    weir__sim_here->live_objects++;
    return object;
}

void weir__sim_object_free(struct weir__sim_object *object)
{
    weir__sim_here->live_objects--;
    free(object);
}

/* --- opening and closing --- */

static int make_room(struct weir__sim_descriptors *table)
{
    if (table->count < table->room)
        return 0;
    size_t room = table->room ? 2 * table->room : 64;
    struct entry *larger = realloc(table->entries, room * sizeof *larger);
    if (!larger)
        return -1;
    table->entries = larger;
    table->room = room;
    return 0;
}

/* Sometimes there is none left: in the process, in the system, or no memory for one. */
static int fault(void)
{
    static const int numbers[] = {EMFILE, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    if (!weir__sim_strikes(WEIR_SIM_RESOURCES))
        return 0;
    errno = numbers[weir__sim_below(sizeof numbers / sizeof *numbers)];
    return -1;
}

int weir__sim_no_descriptor(void)
{
    weir__sim_here->descriptors->granted = fault() == 0;
    return weir__sim_here->descriptors->granted ? 0 : -1;
}

int weir__sim_open(struct weir__sim_object *object, bool nonblocking)
{
    struct weir__sim_descriptors *table = weir__sim_here->descriptors;
    struct weir_sim_host *host = weir__sim_host();
    bool granted = table->granted;
    table->granted = false;
    if ((!granted && fault() < 0) || make_room(table) < 0)
        return -1;
    struct entry *entry = &table->entries[table->count];
    *entry = (struct entry){.object = object, .host = host, .nonblocking = nonblocking};
    weir__copy_text(entry->opener, weir_fiber_name(weir_self()), sizeof entry->opener);
    object->descriptors++;
    table->open++;
    if (host)
        host->open++;
    return WEIR__SIM_FIRST_DESCRIPTOR + (int)table->count++;
}

int weir__sim_close(int fd)
{
    struct entry *entry = entry_of(fd);
    if (!entry)
        return -1;
    struct weir__sim_object *object = entry->object;
    weir__sim_trace(object, "close", fd - WEIR__SIM_FIRST_DESCRIPTOR, NULL, 0);
    entry->object = NULL;
    weir__sim_here->descriptors->open--;
    if (entry->host)
        entry->host->open--;
    if (--object->descriptors == 0) {
        weir__sim_watches_end(object);
        object->kind->closed(object);
    }
    return 0;
}

static int duplicate(struct entry *entry)
{
    bool nonblocking = entry->nonblocking;
    return weir__sim_open(entry->object, nonblocking);
}

int weir__sim_fcntl(int fd, int command, int argument)
{
    struct entry *entry = entry_of(fd);
    if (!entry)
        return -1;
    switch (command) {
    case F_GETFL:
        return entry->nonblocking ? BLOCKS_NOT : O_RDWR;
    case F_SETFL:
        entry->nonblocking = argument & O_NONBLOCK;
        return 0;
    case F_GETFD:
        return FD_CLOEXEC;
    case F_SETFD:
        return 0;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        return duplicate(entry);
    default:
        errno = EINVAL;
        return -1;
    }
}

/* --- polling --- */

static short events_of(const struct pollfd *descriptor)
{
    if (descriptor->fd < 0)
        return 0;
    unsigned always = POLLERR | POLLHUP;
    unsigned ready = POLLOUT;
    if (weir__sim_is_virtual(descriptor->fd)) {
        struct weir__sim_object *object = weir__sim_get(descriptor->fd);
        if (!object)
            return POLLNVAL;
        ready = object->kind->ready(object);
    }
    return (short)(ready & ((unsigned)descriptor->events | always));
}

/* Fibers wait by watches: who polls here looks at what is so now. */
int weir__sim_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout)
{
    int ready = 0;
    for (nfds_t i = 0; i < count; i++) {
        descriptors[i].revents = events_of(&descriptors[i]);
        ready += descriptors[i].revents != 0;
    }
    if (!ready && timeout)
        weir__sim_fail("poll(2) would have kept all fibers waiting");
    return ready;
}

/* --- killing, and the end --- */

static ssize_t dead_receive(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    (void)object;
    (void)message;
    (void)flags;
    errno = EIO;
    return -1;
}

static ssize_t dead_send(struct weir__sim_object *object, const struct msghdr *message, int flags)
{
    (void)object;
    (void)message;
    (void)flags;
    errno = EIO;
    return -1;
}

static unsigned dead_ready(struct weir__sim_object *object)
{
    (void)object;
    return POLLIN | POLLOUT | POLLERR | POLLHUP;
}

/* What a descriptor of a killed host stands for: its fibers are on their way out. */
static const struct weir__sim_kind dead = {
    .name = "dead",
    .socket = true,
    .receive = dead_receive,
    .send = dead_send,
    .ready = dead_ready,
    .closed = weir__sim_object_free,
};

/* Notices (the signals that a service waits for) and files go on: they are no sockets. */
static void kill_entry(struct entry *entry)
{
    struct weir__sim_object *object = entry->object;
    struct weir__sim_object *grave = weir__sim_object_new(&dead, sizeof *grave, object->host);
    if (!grave)
        abort();
    weir__sim_watches_move(object, grave);
    grave->descriptors = 1;
    entry->object = grave;
    if (--object->descriptors == 0)
        object->kind->closed(object);
    weir__sim_changed(grave, dead_ready(grave));
}

void weir__sim_close_all(struct weir_sim_host *host)
{
    struct weir__sim_descriptors *table = weir__sim_here->descriptors;
    for (size_t i = 0; i < table->count; i++)
        if (table->entries[i].object && table->entries[i].object->host == host &&
            table->entries[i].object->kind->socket && table->entries[i].object->kind != &dead)
            kill_entry(&table->entries[i]);
}

void weir__sim_check_descriptors(struct weir__sim *sim)
{
    for (size_t i = 0; i < sim->descriptors->count; i++) {
        const struct entry *entry = &sim->descriptors->entries[i];
        if (entry->object && entry->host)
            weir__sim_fail("%zu descriptors were left open; the first is a %s#%llu of %s/%s", sim->descriptors->open,
                           entry->object->kind->name, (unsigned long long)entry->object->number, entry->host->name,
                           entry->opener);
        if (entry->object && entry->host)
            return;
    }
}

void weir__sim_close_rest(struct weir__sim *sim)
{
    for (size_t i = 0; i < sim->descriptors->count; i++)
        if (sim->descriptors->entries[i].object)
            weir__sim_close(WEIR__SIM_FIRST_DESCRIPTOR + (int)i);
}
