/*
 * Titles: whatever a tag says, what comes of it is text that may be shown, and fits; a tag that is cut gives what
 * was there, or nothing. What libid3tag is shown is of our making, which is to keep it from doing harm.
 *
 * The input: the tag.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "services/stream/title.h"

static void require_title(const char *title)
{
    size_t length = strlen(title);
    fuzz_require(length < TITLE_MOST, "%zu bytes", length);
    fuzz_require(fuzz_is_showable(title, length), "%zu bytes", length);
}

static bool read_title(const uint8_t *data, size_t size, char title[TITLE_MOST])
{
    uint8_t *tag = fuzz_alloc(size);
    if (size > 0)
        memcpy(tag, data, size);
    memset(title, 'x', TITLE_MOST);
    bool result = title_of_tag(tag, size, title);
    free(tag);
    if (result) {
        require_title(title);
        fuzz_require(*title, "%zu", size);
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char title[TITLE_MOST], again[TITLE_MOST], name[TITLE_MOST] = "";
    bool has_title = read_title(data, size, title);
    fuzz_require(read_title(data, size, again) == has_title, "%d", has_title);
    fuzz_require(!has_title || strcmp(title, again) == 0, "'%s', '%s'", title, again);
    read_title(data, size / 2, again);
    char *text = fuzz_string(data, size);
    title_put_name(name, text);
    require_title(name);
    free(text);
    return 0;
}
