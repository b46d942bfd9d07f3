/*
 * Certificates for the tests of TLS, made by openssl in a folder of their own: a CA, and what hangs on it or does
 * not.
 */
#ifndef WEIR_TESTS_CERTIFICATES_H
#define WEIR_TESTS_CERTIFICATES_H

#include "sockets.h"

static char certificates_folder[64];

/* The path of a file there. */
static inline const char *in_folder(const char *name)
{
    return text("%s/%s", certificates_folder, name);
}

static inline void run_openssl(const char *arguments)
{
    char command[700];
    snprintf(command, sizeof command, "cd %s && openssl %s 2>/dev/null", certificates_folder, arguments);
    check(system(command) == 0);
}

#define NEW_KEY "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "

/* NAME.pem and NAME.key, of `ca` (NULL: by itself), with a subject, for `names`. */
static inline void make_named_certificate(const char *name, const char *subject, const char *ca, const char *names,
                                          int days)
{
    run_openssl(text(NEW_KEY "-days %d -keyout %s.key -out %s.pem -utf8 -subj '%s' -addext "
                             "basicConstraints=critical,CA:%s -addext subjectAltName=%s %s",
                     days, name, name, subject, ca ? "FALSE" : "TRUE", names,
                     ca ? text("-CA %s.pem -CAkey %s.key", ca, ca) : ""));
}

static inline void make_certificate(const char *name, const char *ca, const char *names, int days)
{
    make_named_certificate(name, text("/CN=%s", name), ca, names, days);
}

static inline int make_certificates(void **state)
{
    (void)state;
    strcpy(certificates_folder, "/tmp/weir-tls-XXXXXX");
    check(mkdtemp(certificates_folder));
    make_certificate("ca", NULL, "DNS:ca", 2);
    make_certificate("server", "ca", "DNS:localhost,IP:127.0.0.1", 2);
    make_certificate("client", "ca", "DNS:client.test", 2);
    make_certificate("elsewhere", "ca", "DNS:elsewhere.test", 2);
    make_certificate("stranger", NULL, "DNS:localhost,IP:127.0.0.1", 2);
    make_named_certificate("nameless", "/O=nobody", "ca", "DNS:first.test,DNS:second.test", 2);
    make_named_certificate("subject", "/CN=localhost", "ca", "IP:127.0.0.2", 2);
    make_certificate("below", "ca", "DNS:host.below.test", 2);
    make_named_certificate("odd", "/CN=odd\xc3\xa9\\\\x", "ca", "DNS:odd.test", 2);
    run_openssl("pkey -in server.key -aes128 -passout pass:secret -out locked.key");
    return 0;
}

static inline int remove_certificates(void **state)
{
    (void)state;
    return system(text("rm -r %s", certificates_folder));
}

#endif
