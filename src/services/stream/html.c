/* What the pages for people share; see html.h. */
#include "html.h"

#include <sodium.h>
#include <string.h>

enum { SOURCE_MOST = 80, FIELDS_MOST = 640 };

void html_put(FILE *out, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
        case '>':
        case '&':
        case '"':
        case '\'':
            fprintf(out, "&#%d;", *text);
            break;
        default:
            putc(*text, out);
        }
}

/*
 * "'sha256-...'": a style or script by its digest (CSP 3, 2.3.1), so that no other one runs whatever is put into the
 * page.
 */
static void write_source(const char *text, char source[SOURCE_MOST])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char base64[sodium_base64_ENCODED_LEN(sizeof digest, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256(digest, (const unsigned char *)text, strlen(text));
    sodium_bin2base64(base64, sizeof base64, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
    snprintf(source, SOURCE_MOST, "'sha256-%s'", base64);
}

int html_answer(struct http_exchange *exchange, const char *page, size_t length)
{
    char style[SOURCE_MOST], script[SOURCE_MOST], fields[FIELDS_MOST];
    write_source(page_css, style);
    write_source(page_js, script);
    snprintf(fields, sizeof fields,
             "Content-Security-Policy: default-src 'none'; style-src %s; script-src %s; media-src 'self'; "
             "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
             "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\nCache-Control: no-cache\r\n",
             style, script);
    return http_answer(exchange, 200, "text/html; charset=utf-8", fields, page, length);
}
