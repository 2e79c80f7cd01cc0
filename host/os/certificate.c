/* certificate: reading lists of certificates; see crypto.h. Read the way TLS libraries do, all or nothing, so that a list that
 * passes here is not refused at a connection. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "os/crypto.h"

size_t crypto_count_certificates(struct str pem)
{
    size_t count = 0;
    if (pem.size > INT32_MAX) return 0;
    BIO *source = BIO_new_mem_buf(pem.size ? pem.data : "", (int)pem.size);
    CHECK(source);
    STACK_OF(X509_INFO) *entries = PEM_X509_INFO_read_bio(source, NULL, NULL, NULL);
    for (int i = 0; i < sk_X509_INFO_num(entries); i++) count += sk_X509_INFO_value(entries, i)->x509 != NULL;
    sk_X509_INFO_pop_free(entries, X509_INFO_free);
    BIO_free(source);
    ERR_clear_error();
    return count;
}
