/* The options of TLS for whoever connects; see securing.h. */
#include "securing.h"

#include <errno.h>
#include <string.h>

#define AT(member) offsetof(weir_tls_options, member)

const weir_option client_tls_options[] = {
    {WEIR_OPTION_TEXT, "ca", 0, "FILE", AT(ca),
     "tls: trusts certificates that hang on those in FILE (PEM), instead of the system's"},
    {WEIR_OPTION_TEXT, "cert", 0, "FILE", AT(cert), "tls: shows this certificate (PEM) to a server that asks for one"},
    {WEIR_OPTION_TEXT, "key", 0, "FILE", AT(key), "tls: the certificate's private key; by default in the same file"},
    {WEIR_OPTION_TEXT, "server-name", 0, "NAME", AT(server_name),
     "tls: the name that the server's certificate must be for; by default the endpoint's host"},
    {WEIR_OPTION_FLAG, "insecure", 0, NULL, AT(insecure),
     "tls: takes any certificate, so that anybody in between can read and change everything"},
    {0},
};

static const char *first_given(const weir_tls_options *tls)
{
    return tls->cert          ? "cert"
           : tls->key         ? "key"
           : tls->ca          ? "ca"
           : tls->server_name ? "server-name"
           : tls->insecure    ? "insecure"
                              : NULL;
}

int tls_check(const weir_tls_options *tls, const weir_endpoint *endpoint, const char *command, const char *prefix)
{
    const char *given = first_given(tls);
    if (!given || weir_scheme_is_secure(endpoint->scheme))
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, endpoint->text, "--%s%s is for tls:// and https:// endpoints",
                     prefix, given);
}

int tls_check_server(const weir_tls_options *tls, const weir_server *server, const char *command)
{
    const char *given = first_given(tls), *endpoint;
    for (size_t i = 0; given && (endpoint = weir_server_endpoint(server, i)); i++)
        if (strncmp(endpoint, "tls:", 4) == 0 || strncmp(endpoint, "https:", 6) == 0)
            return 0;
    if (!given)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, "",
                     "--%s is for tls:// and https:// endpoints, and there is none",
                     strcmp(given, "ca") == 0 ? "client-ca" : given);
}
