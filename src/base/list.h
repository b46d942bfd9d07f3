/*
 * A doubly linked ring, its links inside of what is listed: nothing is allocated, and whoever is listed leaves in
 * constant time.
 *
 * The head and the links are of one type. A link that is in no list points to itself, so removing it is harmless; it
 * must have been initialised once. Not thread-safe: a list belongs to a loop, or to whoever holds its lock.
 */
#ifndef WEIR_BASE_LIST_H
#define WEIR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weir__list {
    struct weir__list *next;
    struct weir__list *previous;
};

/* What a link is a member of. */
#define weir__list_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* From front to back. `link` itself may be neither removed nor moved meanwhile; for that, pop. */
#define weir__list_each(link, head) for ((link) = (head)->next; (link) != (head); (link) = (link)->next)

static inline void weir__list_init(struct weir__list *list)
{
    list->next = list;
    list->previous = list;
}

/* Whether nothing is in the list; for a link, whether it is in none. */
static inline bool weir__list_empty(const struct weir__list *list)
{
    return list->next == list;
}

static inline void weir__list_insert_before(struct weir__list *place, struct weir__list *link)
{
    link->next = place;
    link->previous = place->previous;
    place->previous->next = link;
    place->previous = link;
}

static inline void weir__list_push_back(struct weir__list *list, struct weir__list *link)
{
    weir__list_insert_before(list, link);
}

static inline void weir__list_push_front(struct weir__list *list, struct weir__list *link)
{
    weir__list_insert_before(list->next, link);
}

/* Takes a link out of whatever list it is in; it can be put into one again at once. */
static inline void weir__list_remove(struct weir__list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    weir__list_init(link);
}

/*
 * The first, left in the list; NULL if there is none. The analyzer does not follow that one which was popped is in the list no
 * more, and takes the next for what the caller has freed.
 */
static inline struct weir__list *weir__list_front(const struct weir__list *list)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
    return weir__list_empty(list) ? NULL : list->next;
}

/* Takes the first out; NULL if there is none. */
static inline struct weir__list *weir__list_pop_front(struct weir__list *list)
{
    struct weir__list *link = weir__list_front(list);
    if (link)
        weir__list_remove(link);
    return link;
}

/* Moves all of `from` to the back of `to`. */
static inline void weir__list_append(struct weir__list *to, struct weir__list *from)
{
    if (weir__list_empty(from))
        return;
    from->next->previous = to->previous;
    to->previous->next = from->next;
    from->previous->next = to;
    to->previous = from->previous;
    weir__list_init(from);
}

#endif
