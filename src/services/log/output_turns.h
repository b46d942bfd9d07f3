/*
 * Turns at an output among processes (--processes). A pipe takes no more than PIPE_BUF bytes in one piece: of a longer
 * line of one process the rest could stand behind a line of another.
 */
#ifndef SERVICES_LOG_OUTPUT_TURNS_H
#define SERVICES_LOG_OUTPUT_TURNS_H

#include <stdbool.h>
#include <stdint.h>

struct turns;

/* To be made before the processes are. NULL with an error. NULL is fine to free. */
struct turns *turns_new(void);
void turns_free(struct turns *turns);

/*
 * Waits until no other process writes; whoever is killed gives its turn back. Parks; a turn belongs to the thread that
 * takes it. 0, or -1 with ECANCELED or ETIMEDOUT.
 */
int turns_take(struct turns *turns, int64_t deadline);
void turns_give(struct turns *turns);

/* In turn. Whose line the output ends within: set before it is begun, since its process may be killed at any moment. */
enum turns_line { TURNS_NO_LINE, TURNS_OWN_LINE, TURNS_OTHERS_LINE };

enum turns_line turns_line(const struct turns *turns);
void turns_set_line(struct turns *turns, bool within_own);

#endif
