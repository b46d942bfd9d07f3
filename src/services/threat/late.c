/* Libraries that are loaded when they are needed; see late.h. */
#include "late.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <weir/error.h>

#if LIBXML_VERSION < 21400
#define XML_LIBRARY "libxml2.so.2"
#else
#define XML_LIBRARY "libxml2.so.16"
#endif
#define CURL_LIBRARY "libcurl.so.4"

struct late_curl curl;
struct late_xml xml;

struct symbol {
    const char *name;
    size_t place; /* of the pointer to it */
};

#define CURL(member)                                                                                                   \
    {                                                                                                                  \
        "curl_" #member, offsetof(struct late_curl, member)                                                            \
    }

static const struct symbol curl_symbols[] = {
    CURL(global_init),
    CURL(free),
    CURL(url),
    CURL(url_set),
    CURL(url_get),
    CURL(url_cleanup),
    CURL(easy_init),
    CURL(easy_setopt),
    CURL(easy_getinfo),
    CURL(easy_strerror),
    CURL(easy_cleanup),
    CURL(multi_init),
    CURL(multi_add_handle),
    CURL(multi_perform),
    CURL(multi_poll),
    CURL(multi_wakeup),
    CURL(multi_info_read),
    CURL(multi_remove_handle),
    CURL(multi_cleanup),
    {NULL, 0},
};

static const struct symbol xml_symbols[] = {
    {"xmlInitParser", offsetof(struct late_xml, init_parser)},
    {"xmlNewParserCtxt", offsetof(struct late_xml, new_context)},
    {"xmlCtxtReadMemory", offsetof(struct late_xml, read_memory)},
    {"xmlStopParser", offsetof(struct late_xml, stop)},
    {"xmlSetStructuredErrorFunc", offsetof(struct late_xml, set_error_function)},
    {"xmlFreeParserCtxt", offsetof(struct late_xml, free_context)},
    {NULL, 0},
};

static int load(const char *library, const struct symbol *symbols, void *pointers)
{
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return weir_fail(WEIR_ERROR_SYSTEM, ENOENT, "load", library, "%s", dlerror());
    for (; symbols->name; symbols++) {
        void *address = dlsym(handle, symbols->name);
        if (!address)
            return weir_fail(WEIR_ERROR_SYSTEM, ENOSYS, "load", library, "it has no %s", symbols->name);
        memcpy((char *)pointers + symbols->place, &address, sizeof address);
    }
    return 0;
}

int late_curl_load(void)
{
    struct late_curl loaded;
    if (curl.multi_cleanup)
        return 0;
    if (load(CURL_LIBRARY, curl_symbols, &loaded) < 0)
        return -1;
    curl = loaded;
    return 0;
}

int late_xml_load(void)
{
    struct late_xml loaded;
    if (xml.free_context)
        return 0;
    if (load(XML_LIBRARY, xml_symbols, &loaded) < 0)
        return -1;
    xml = loaded;
    return 0;
}
