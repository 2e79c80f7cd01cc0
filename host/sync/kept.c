/* kept: see kept.h. A file is {"at":US,"told":..}. */
#include "sync/kept.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/number.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "os/log.h"

enum { KEY_MAX_BYTES = 8 * 1024 * 1024 };

static void add_word(struct buf *key, struct str word)
{
    buf_append_str(key, word);
    buf_append_char(key, '\0');
}

int kept_path(struct sync_prepared *prepared, const char *what, struct str text, int64_t cache_ms, const char **path,
              struct err *err)
{
    struct arena *arena = &prepared->arena;
    struct buf key = BUF_INIT(KEY_MAX_BYTES);
    char digest[SHA256_HEX_SIZE], *state;
    *path = NULL;
    if (prepared->options.cassette || cache_ms <= 0) return 0;
    int rc = fs_state_folder(prepared->options.state_folder, arena, &state, err);
    if (rc) return rc;
    add_word(&key, str_from(prepared->options.pipeline->name));
    add_word(&key, str_from(prepared->sources.name));
    add_word(&key, str_from(prepared->description->version));
    if (prepared->options.pipeline->config) node_to_json(prepared->options.pipeline->config, &key);
    add_word(&key, STR(""));
    add_word(&key, str_from(what));
    add_word(&key, text);
    crypto_sha256_hex(buf_str(&key), digest);
    buf_release(&key);
    *path = arena_printf(arena, "%s/discovered/%s.json", state, digest);
    return 0;
}

const struct node *kept_load(struct sync_prepared *prepared, const char *path, int64_t *at_us)
{
    struct arena *arena = &prepared->arena;
    struct buf content = BUF_INIT(KEPT_MAX_BYTES);
    struct err err = ERR_INIT;
    const struct node *root = NULL;
    bool ok = fs_kind(path) == FS_FILE && fs_check_private(path, &err) == 0 &&
              fs_read_file(path, KEPT_MAX_BYTES, &content, &err) == 0 &&
              node_from_json(arena_copy(arena, buf_str(&content)), arena, &root, &err) == 0 &&
              number_to_int64(node_text(node_get(root, "at")), at_us);
    buf_release(&content);
    return ok ? node_get(root, "told") : NULL;
}

bool kept_serves(const struct sync_prepared *prepared, int64_t at_us, int64_t cache_ms)
{
    int64_t age_us = prepared->now_us - at_us;
    return !prepared->options.refresh && age_us >= 0 && age_us / 1000 < cache_ms;
}

void kept_save(const struct sync_prepared *prepared, const char *path, struct str told)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    struct buf content = BUF_INIT(KEPT_MAX_BYTES);
    struct err err = ERR_INIT;
    buf_printf(&content, "{\"at\":%lld,\"told\":", (long long)prepared->now_us);
    buf_append_str(&content, told);
    buf_append_char(&content, '}');
    int rc = content.failed ? err_set(&err, ERR_DATA, "it is over %d bytes", KEPT_MAX_BYTES) : 0;
    if (rc == 0) rc = fs_make_folders(fs_folder_of(&arena, path), 0700, &err);
    if (rc == 0) rc = fs_write_file(path, 0600, buf_str(&content), &err);
    if (rc) log_warn(prepared->options.log, "what the source lists is not kept: %s", err.message);
    buf_release(&content);
    arena_release(&arena);
}
