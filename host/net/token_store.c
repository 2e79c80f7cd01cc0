/* How it works: {"refresh_token":"...","seed":"sha-256 of the configured token, hex"} in one small file. fs_write_file makes
 * the change durable and whole. Only a digest of the configured token is kept: it serves to compare. */
#include "net/token_store.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/json.h"
#include "os/crypto.h"
#include "os/fs.h"

enum { FILE_MAX_BYTES = 8 * TOKEN_MAX_BYTES };

struct file_store {
    struct token_store store; /* first: a store is one of these */
    char *path;
};

static int read_stored(const char *path, struct str content, struct str seed, struct buf *token, struct err *err)
{
    char digest[SHA256_HEX_SIZE];
    struct cJSON *json = NULL;
    int rc = json_parse(content, FILE_MAX_BYTES, &json, err);
    if (rc != 0) {
        err_context(err, "token file '%s'", path);
        return err_hint(err, "remove the file and configure a new refresh token");
    }
    crypto_sha256_hex(seed, digest);
    const char *stored_seed = json_string(json_get(json, "seed"));
    const char *stored = json_string(json_get(json, "refresh_token"));
    if (stored && stored_seed && strcmp(stored_seed, digest) == 0) buf_append_text(token, stored);
    json_free(json);
    return 0;
}

static int file_load(struct token_store *store, struct str seed, struct buf *token, struct err *err)
{
    const char *path = ((struct file_store *)store)->path;
    struct buf content = BUF_INIT(FILE_MAX_BYTES);
    if (fs_kind(path) == FS_MISSING) return 0;
    int rc = fs_check_private(path, err);
    if (rc == 0) rc = fs_read_file(path, FILE_MAX_BYTES, &content, err);
    if (rc == 0) rc = read_stored(path, buf_str(&content), seed, token, err);
    if (content.data) crypto_wipe(content.data, content.size);
    buf_release(&content);
    return rc;
}

static int file_save(struct token_store *store, struct str seed, struct str token, struct err *err)
{
    const char *path = ((struct file_store *)store)->path;
    char digest[SHA256_HEX_SIZE];
    struct arena arena = ARENA_INIT(64 * 1024);
    struct buf content = BUF_INIT(FILE_MAX_BYTES);
    struct json_writer writer = JSON_WRITER(&content);
    crypto_sha256_hex(seed, digest);
    json_open(&writer, '{');
    json_member(&writer, "refresh_token");
    json_text(&writer, token);
    json_member(&writer, "seed");
    json_cstr(&writer, digest);
    json_close(&writer, '}');
    buf_append_char(&content, '\n');
    int rc = content.failed ? err_set(err, ERR_DATA, "cannot store a refresh token of %zu bytes", token.size) : 0;
    if (rc == 0) rc = fs_make_folders(fs_folder_of(&arena, path), 0700, err);
    if (rc == 0) rc = fs_write_file(path, 0600, buf_str(&content), err);
    if (content.data) crypto_wipe(content.data, content.size);
    buf_release(&content);
    arena_release(&arena);
    return rc == 0 ? 0 : err_context(err, "could not keep the refresh token");
}

static void file_free(struct token_store *store)
{
    struct file_store *file = (struct file_store *)store;
    free(file->path);
    free(file);
}

struct token_store *token_store_file(const char *path)
{
    struct file_store *file = mem_zero(1, sizeof *file);
    file->store = (struct token_store){file_load, file_save, file_free};
    file->path = mem_strdup(path);
    return &file->store;
}
