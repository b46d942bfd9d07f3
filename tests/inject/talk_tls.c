/*
 * Two conversations by TLS, both ends in fibers of one loop: certificates are read on the pool, hands are shaken, in
 * full and with a session, and an end is said.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "engine/sim/sim.h"
#include "talks.h"

/* --- a certificate, made once for all runs --- */

static bool write_certificate(EVP_PKEY *key, X509 *certificate)
{
    FILE *file = fopen("tls.pem", "w");
    if (!file)
        return false;
    bool well =
        PEM_write_X509(file, certificate) == 1 && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
    return fclose(file) == 0 && well;
}

static bool sign(EVP_PKEY *key, X509 *certificate)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    bool well = names && X509_add_ext(certificate, names, -1) == 1 &&
                X509_set_version(certificate, X509_VERSION_3) == 1 &&
                X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) &&
                X509_gmtime_adj(X509_getm_notAfter(certificate), 24L * 3600) &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"talk", -1, -1, 0) == 1 &&
                X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
                X509_sign(certificate, key, EVP_sha256()) > 0;
    X509_EXTENSION_free(names);
    return well;
}

static bool make_certificate(void)
{
    if (access("tls.pem", R_OK) == 0)
        return true;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    bool well = key && certificate && sign(key, certificate) && write_certificate(key, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return well || wrong("no certificate could be made");
}

/* --- two ends --- */

static atomic_bool given_up; /* by the client */

static bool serve_one(weir_listener *listener)
{
    weir_auto weir_conn *conn = weir_accept(listener);
    if (!conn)
        return given_up ? false : failed("weir_accept");
    weir_set_timeout(conn, PATIENCE);
    return echo_all(conn);
}

/* Where the first comes to nothing there is no second. */
static int serve_two(void *arg)
{
    bool well = serve_one(arg);
    if (well && !given_up)
        well = serve_one(arg) || given_up;
    return well ? 0 : 1;
}

static bool converse_by_tls(const char *endpoint)
{
    const weir_tls_options tls = {.ca = "tls.pem", .server_name = "127.0.0.1"};
    weir_auto weir_conn *conn =
        weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = PATIENCE, .tls = tls));
    if (!conn)
        return failed("weir_connect");
    weir_set_timeout(conn, PATIENCE);
    return converse_on(conn);
}

static bool tls(void)
{
    const weir_tls_options options = {.cert = "tls.pem"};
    if (!make_certificate())
        return false;
    weir_listener *listener = weir_listen("tls://127.0.0.1:0", WEIR_OPTIONS(weir_listen_options, .tls = options));
    if (!listener)
        return failed("weir_listen");
    weir_listener_set_timeout(listener, PATIENCE);
    given_up = false;
    weir_fiber *server = weir_spawn(serve_two, listener, NULL);
    const char *endpoint = weir_listener_endpoint(listener, 0); /* the second goes on with the session of the first */
    bool well = server ? converse_by_tls(endpoint) && converse_by_tls(endpoint) : failed("weir_spawn");
    given_up = !well;
    weir_listener_cancel(listener);
    well = (!server || join(server)) && well;
    weir_listener_close(listener);
    if (weir__sim_forgets)
        weir__sim_forgets(); /* what is kept of each endpoint: every run has another */
    return well;
}

const struct conversation tls_talks[] = {
    {"tls", tls, .in_fiber = true, .rather = ECONNRESET},
    {0},
};
