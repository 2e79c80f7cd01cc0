/* vault: see vault.h. */
#include "service/vault.h"

#include <stdlib.h>
#include <string.h>

#include "os/cancel.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/secret.h"
#include "service/store.h"

enum {
    LOCK_STEP_MS = 100,
    HOLDER_SIZE = 33,
    SEALED_MAX = 2 * TOKENS_TEXT_MAX, /* in base64 */
};

static const char FORMAT[] = "v1:"; /* before the base64 of what crypto_seal gives */

struct vault {
    unsigned char key[CRYPTO_KEY_SIZE];
    char *url;
    struct clock *clock;
    struct secrets *secrets;
};

struct kept {
    struct token_store store; /* first: a store is one of these */
    struct vault *vault;
    char *credential, *about;
    struct cancel *cancel;
    struct store *database; /* from lock to unlock */
    char holder[HOLDER_SIZE];
};

static int read_key(struct str text, unsigned char key[CRYPTO_KEY_SIZE], struct err *err)
{
    struct buf bytes = BUF_INIT(CRYPTO_KEY_SIZE);
    bool is_key = crypto_base64_decode(str_trim(text), &bytes) && bytes.size == CRYPTO_KEY_SIZE;
    if (is_key) memcpy(key, bytes.data, CRYPTO_KEY_SIZE);
    if (bytes.data) crypto_wipe(bytes.data, bytes.size);
    buf_release(&bytes);
    if (is_key) return 0;
    err_set(err, ERR_CONFIG, "service.token_key is not %d bytes in base64", CRYPTO_KEY_SIZE);
    return err_hint(err,
                    "`openssl rand -base64 32 > token.key && chmod 600 token.key` makes one: token_key: \"${file:token.key}\"");
}

int vault_open(const struct project *project, struct clock *clock, struct secrets *secrets, struct vault **out, struct err *err)
{
    const char *key = project->service.token_key;
    struct arena arena = ARENA_INIT(64 * 1024);
    *out = NULL;
    if (!key) return 0;
    struct vault *vault = mem_zero(1, sizeof *vault);
    vault->clock = clock;
    vault->secrets = secrets;
    vault->url = mem_strdup(project_store(project, &arena));
    arena_release(&arena);
    int rc = secrets ? secrets_add(secrets, "service.token_key", str_from(key)) : 0;
    rc = read_key(str_from(key), vault->key, err);
    if (rc) {
        vault_free(vault);
        return rc;
    }
    *out = vault;
    return 0;
}

void vault_free(struct vault *vault)
{
    if (!vault) return;
    crypto_wipe(vault->key, sizeof vault->key);
    free(vault->url);
    free(vault);
}

/* --- a token store ------------------------------------------------------------------------------------------------------- */

static void let_go(struct token_store *store)
{
    struct kept *kept = (struct kept *)store;
    struct err ignored = ERR_INIT; /* its time ends by itself */
    if (!kept->database) return;
    (void)!store_let_token_go(kept->database, kept->credential, kept->holder, &ignored);
    store_close(kept->database);
    kept->database = NULL;
}

static int hold(struct token_store *store, struct err *err)
{
    struct kept *kept = (struct kept *)store;
    struct vault *vault = kept->vault;
    const struct sql_settings settings = {.url = vault->url, .cancel = kept->cancel, .secrets = vault->secrets};
    int64_t until_ms = clock_now_ms(vault->clock) + TOKEN_LOCK_MAX_MS;
    unsigned char random[HOLDER_SIZE / 2];
    bool is_held = false;
    crypto_random(random, sizeof random);
    crypto_hex_text(random, sizeof random, kept->holder);
    int rc = store_open(&settings, &kept->database, err);
    while (rc == 0) {
        rc = store_hold_token(kept->database, kept->credential, kept->holder, &is_held, err);
        if (rc != 0 || is_held) break;
        if (cancel_stopping(kept->cancel) || !clock_sleep_ms(vault->clock, LOCK_STEP_MS, kept->cancel))
            rc = err_set(err, ERR_CANCELLED, "stopped while another process renews the token");
        else if (clock_now_ms(vault->clock) > until_ms)
            rc = err_set(err, ERR_TRANSIENT, "could not renew the token: another process is at it");
    }
    if (rc) {
        let_go(store);
        err_context(err, "tokens in the service's store");
    }
    return rc;
}

static int open_sealed(const struct kept *kept, struct str sealed, struct tokens *tokens, struct err *err)
{
    struct buf bytes = BUF_INIT(SEALED_MAX), text = BUF_INIT(TOKENS_TEXT_MAX);
    int rc = 0;
    struct str prefix = str_from(FORMAT);
    bool is_ours = str_starts(sealed, prefix);
    if (is_ours) sealed = (struct str){sealed.data + prefix.size, sealed.size - prefix.size};
    if (!is_ours || !crypto_base64_decode(sealed, &bytes) ||
        !crypto_open(kept->vault->key, str_from(kept->about), buf_str(&bytes), &text)) {
        rc = err_set(err, ERR_CONFIG, "the tokens in the service's store do not open with this service.token_key");
        err_hint(err, "give the key they were stored with, or log in again: `sluice auth logout`, then `sluice auth login`");
    }
    if (rc == 0) rc = tokens_read(buf_str(&text), tokens, err);
    if (text.data) crypto_wipe(text.data, text.size);
    buf_release(&text);
    buf_release(&bytes);
    return rc;
}

static int load(struct token_store *store, struct tokens *tokens, struct err *err)
{
    struct kept *kept = (struct kept *)store;
    struct arena arena = ARENA_INIT(4 * SEALED_MAX);
    const char *sealed;
    tokens_release(tokens);
    int rc = store_read_token(kept->database, kept->credential, &arena, &sealed, err);
    if (rc == 0 && sealed[0]) rc = open_sealed(kept, str_from(sealed), tokens, err);
    arena_release(&arena);
    return rc;
}

/* What cannot be told to the store is tried once more by a connection of its own: what is lost here is lost for good. */
static int write_sealed(struct kept *kept, const char *sealed, struct err *err)
{
    struct err failure = ERR_INIT;
    bool is_held = false;
    int rc = store_write_token(kept->database, kept->credential, kept->holder, sealed, &is_held, &failure);
    if (rc) rc = store_write_token(kept->database, kept->credential, kept->holder, sealed, &is_held, err);
    if (rc == 0 && !is_held) rc = err_set(err, ERR_TRANSIENT, "another process has taken the token meanwhile");
    return rc;
}

static int save(struct token_store *store, const struct tokens *tokens, struct err *err)
{
    struct kept *kept = (struct kept *)store;
    struct buf text = BUF_INIT(TOKENS_TEXT_MAX), bytes = BUF_INIT(SEALED_MAX), sealed = BUF_INIT(SEALED_MAX);
    int rc = tokens_write(tokens, &text, err);
    if (rc == 0) {
        crypto_seal(kept->vault->key, str_from(kept->about), buf_str(&text), &bytes);
        buf_append_text(&sealed, FORMAT);
        crypto_base64(buf_str(&bytes), &sealed);
        CHECK(!sealed.failed);
        rc = write_sealed(kept, buf_text(&sealed), err);
    }
    if (text.data) crypto_wipe(text.data, text.size);
    buf_release(&text);
    buf_release(&bytes);
    buf_release(&sealed);
    return rc ? err_context(err, "could not keep the refresh token in the service's store") : 0;
}

static void free_kept(struct token_store *store)
{
    struct kept *kept = (struct kept *)store;
    let_go(store);
    free(kept->credential);
    free(kept->about);
    free(kept);
}

struct token_store *vault_token_store(struct vault *vault, const char *credential, struct cancel *cancel)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    struct kept *kept = mem_zero(1, sizeof *kept);
    *kept = (struct kept){.store = {hold, let_go, load, save, free_kept},
                          .vault = vault,
                          .credential = mem_strdup(credential),
                          .about = mem_strdup(arena_printf(&arena, "sluice tokens %s", credential)),
                          .cancel = cancel};
    arena_release(&arena);
    return &kept->store;
}
