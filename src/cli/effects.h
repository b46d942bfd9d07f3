/* Options that have an effect only in some uses of a command: given elsewhere they are refused, not ignored. */
#ifndef CLI_EFFECTS_H
#define CLI_EFFECTS_H

#include "commands.h"

/* An option, and the uses (bits of the command's own) that it needs all of; `reason` says so. The last has no name. */
struct effect {
    const char *option;
    unsigned needs;
    const char *reason;
};

/*
 * Looks for options of the table that were set to something else than their presets although the uses that they need are not
 * all `there`. Not for lists. 0, or -1 with a usage error about `subject`.
 */
int effects_check(const struct effect *effects, unsigned there, const weir_option_set *sets, size_t count,
                  const char *command, const char *subject);

#endif
