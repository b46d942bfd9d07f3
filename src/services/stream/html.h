/* What the pages for people share. */
#ifndef STREAM_HTML_H
#define STREAM_HTML_H

#include <stdio.h>

#include "../../http/server.h"

/* The files in page/, as they were built in. */
extern const char page_html[], page_css[], page_js[];

/* Writes a text so that it stands for itself between tags and in quoted attributes. */
void html_put(FILE *out, const char *text);

/*
 * Answers with a page whose styles and script are those of page/ and nothing else: the browser is told their digests,
 * and to load nothing from elsewhere. 0 or -1. Parks.
 */
int html_answer(struct http_exchange *exchange, const char *page, size_t length);

#endif
