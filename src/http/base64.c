/* Basic credentials, by libsodium's base64. */
#include "base64.h"

#include <sodium.h>
#include <string.h>

static const char scheme[] = "Basic ";

/* RFC 7617: no control characters; the first colon parts the two. */
static bool is_credentials(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            return false;
    return memchr(text, ':', length) != NULL;
}

bool http_basic_decode(const char *authorization, char *credentials, size_t most)
{
    size_t length;
    if (most == 0 || strncasecmp(authorization, scheme, strlen(scheme)) != 0)
        return false;
    const char *text = authorization + strlen(scheme);
    text += strspn(text, " ");
    if (sodium_base642bin((unsigned char *)credentials, most - 1, text, strlen(text), NULL, &length, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        !is_credentials(credentials, length)) {
        sodium_memzero(credentials, most);
        return false;
    }
    credentials[length] = '\0';
    return true;
}

bool http_basic_encode(const char *credentials, char *authorization, size_t most)
{
    size_t length = strlen(credentials);
    if (most < sizeof scheme || length > most ||
        sodium_base64_ENCODED_LEN(length, sodium_base64_VARIANT_ORIGINAL) > most - strlen(scheme))
        return false;
    memcpy(authorization, scheme, strlen(scheme));
    sodium_bin2base64(authorization + strlen(scheme), most - strlen(scheme), (const unsigned char *)credentials, length,
                      sodium_base64_VARIANT_ORIGINAL);
    return true;
}
