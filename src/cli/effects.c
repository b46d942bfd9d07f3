/* Options without an effect; see effects.h. */
#include "effects.h"

#include <errno.h>
#include <string.h>

static size_t size_of(weir_option_kind kind)
{
    switch (kind) {
    case WEIR_OPTION_FLAG:
        return sizeof(bool);
    case WEIR_OPTION_TEXT:
        return sizeof(const char *);
    case WEIR_OPTION_INT:
    case WEIR_OPTION_CHOICE:
        return sizeof(int);
    default:
        return sizeof(int64_t);
    }
}

/* Whether an option has another value than without arguments. 0 or 1; -1 with an error. */
static int is_given(const weir_option *option, const void *settings)
{
    union {
        int64_t number;
        const char *text;
    } preset = {0};
    weir_option alone[] = {*option, {0}};
    alone[0].offset = 0;
    weir_option_set set = {alone, &preset};
    weir_arguments arguments = {0};
    char *const none[] = {NULL};
    int result = weir_options_parse(&set, 1, 0, none, &arguments);
    weir_options_free(&set, 1, &arguments);
    return result < 0 ? -1 : memcmp(&preset, (const char *)settings + option->offset, size_of(option->kind)) != 0;
}

static int is_named_given(const char *name, const weir_option_set *sets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (const weir_option *option = sets[i].options; option->kind != WEIR_OPTION_END; option++)
            if (strcmp(option->name, name) == 0)
                return is_given(option, sets[i].settings);
    return 0;
}

int effects_check(const struct effect *effects, unsigned there, const weir_option_set *sets, size_t count,
                  const char *command, const char *subject)
{
    for (; effects->option; effects++) {
        int given = (effects->needs & ~there) == 0 ? 0 : is_named_given(effects->option, sets, count);
        if (given < 0)
            return -1;
        if (given)
            return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, subject, "--%s is %s", effects->option,
                             effects->reason);
    }
    return 0;
}
