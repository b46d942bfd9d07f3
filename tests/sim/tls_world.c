/* OpenSSL in the simulator: its chance, its clock, and a certificate that is the same in every process. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_METHOD: there is no other way that is as short */
#include "tls_world.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

/* --- chance --- */

static uint64_t state;

static int random_bytes(unsigned char *bytes, int size)
{
    for (int i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (unsigned char)(state >> 56);
    }
    return 1;
}

static int always(void)
{
    return 1;
}

/* --- time --- */

/* For the whole program: OpenSSL asks for it where it writes and reads tickets, and looks at certificates. */
time_t time(time_t *told)
{
    time_t now = 1700000000 + (time_t)(weir_now() / WEIR_S(1));
    if (told)
        *told = now;
    return now;
}

/* --- the certificate --- */

/* Ed25519: signatures are of one length, and the same for the same bytes. */
static EVP_PKEY *make_key(void)
{
    unsigned char bytes[32];
    memset(bytes, 7, sizeof bytes);
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, bytes, sizeof bytes);
}

static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:server");
    bool well = names && X509_add_ext(certificate, names, -1) == 1 &&
                X509_set_version(certificate, X509_VERSION_3) == 1 &&
                ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
                ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20000101000000Z") == 1 &&
                ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20990101000000Z") == 1 &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"server", -1, -1, 0) == 1 &&
                X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
                X509_sign(certificate, key, NULL) > 0;
    X509_EXTENSION_free(names);
    if (!well)
        abort();
    return certificate;
}

/* In memory, where every process of this run of the program finds it by its own path. */
static void write_certificate(int fd)
{
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    BIO *file = BIO_new_fd(fd, BIO_NOCLOSE);
    if (!file || PEM_write_bio_X509(file, certificate) != 1 ||
        PEM_write_bio_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    BIO_free(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static const char *certificate(void)
{
    static char path[40];
    if (*path)
        return path;
    int fd = memfd_create("certificate", MFD_CLOEXEC);
    if (fd < 0)
        abort();
    write_certificate(fd);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tls_warm(path);
    return path;
}

const char *tls_world(void)
{
    static const RAND_METHOD method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = always};
    const char *path = certificate();
    state = weir_sim_below(UINT64_MAX);
    RAND_set_rand_method(&method);
    return path;
}
