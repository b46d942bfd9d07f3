/*
 * libcurl and libxml2, loaded when they are needed: with what they need in turn they are forty libraries, which would
 * make every start of the program nine times as dear, and each of its processes 8 MB larger, for the sake of one
 * service.
 */
#ifndef SERVICES_THREAT_LATE_H
#define SERVICES_THREAT_LATE_H

#include <curl/curl.h>
#include <libxml/parser.h>

/* The functions that are used, once they have been loaded. */
extern struct late_curl {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_free) *free;
    __typeof__(curl_url) *url;
    __typeof__(curl_url_set) *url_set;
    __typeof__(curl_url_get) *url_get;
    __typeof__(curl_url_cleanup) *url_cleanup;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_multi_init) *multi_init;
    __typeof__(curl_multi_add_handle) *multi_add_handle;
    __typeof__(curl_multi_perform) *multi_perform;
    __typeof__(curl_multi_poll) *multi_poll;
    __typeof__(curl_multi_wakeup) *multi_wakeup;
    __typeof__(curl_multi_info_read) *multi_info_read;
    __typeof__(curl_multi_remove_handle) *multi_remove_handle;
    __typeof__(curl_multi_cleanup) *multi_cleanup;
} curl;

extern struct late_xml {
    __typeof__(xmlInitParser) *init_parser;
    __typeof__(xmlNewParserCtxt) *new_context;
    __typeof__(xmlCtxtReadMemory) *read_memory;
    __typeof__(xmlStopParser) *stop;
    __typeof__(xmlSetStructuredErrorFunc) *set_error_function;
    __typeof__(xmlFreeParserCtxt) *free_context;
} xml;

/*
 * Load them, for good; again is nothing. To be called before there are threads. 0, or -1 with an error that says what
 * is missing.
 */
int late_curl_load(void);
int late_xml_load(void);

#endif
