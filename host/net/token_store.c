/* How it works: one small JSON file, but for replays. fs_write_file makes a change durable and whole, so a process may die at
 * any instant and leave either what was there or what was to be there. The lock is a file of its own, since the other is
 * replaced. */
#include "net/token_store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/json.h"
#include "os/cancel.h"
#include "os/clock.h"
#include "os/crypto.h"
#include "os/fs.h"

enum { LOCK_STEP_MS = 50 };

struct file_store {
    struct token_store store; /* first: a store is one of these */
    char *path;
    char *lock_path;
    int lock_fd; /* -1: not held */
    struct clock *clock;
    struct cancel *cancel;
};

static void wipe(struct buf *buf)
{
    if (buf->data) crypto_wipe(buf->data, buf->size);
    buf_release(buf);
}

void tokens_release(struct tokens *tokens)
{
    wipe(&tokens->access_token);
    wipe(&tokens->refresh_token);
    wipe(&tokens->previous);
    buf_release(&tokens->facts);
    tokens->renew_at_us = INT64_MAX;
}

void tokens_set(struct buf *token, struct str text)
{
    if (token->data) crypto_wipe(token->data, token->size);
    buf_clear(token);
    buf_append_str(token, text);
    CHECK(!token->failed);
}

/* --- as text ----------------------------------------------------------------------------------------------------------- */

static void read_token(const struct cJSON *json, const char *key, struct buf *token)
{
    const char *text = json_string(json_get(json, key));
    if (text && strlen(text) <= TOKEN_MAX_BYTES) tokens_set(token, str_from(text));
}

int tokens_read(struct str text, struct tokens *tokens, struct err *err)
{
    struct cJSON *json = NULL;
    double renew_at_ms;
    tokens_release(tokens);
    int rc = json_parse(text, TOKENS_TEXT_MAX, &json, err);
    if (rc != 0) return rc;
    read_token(json, "access_token", &tokens->access_token);
    read_token(json, "refresh_token", &tokens->refresh_token);
    read_token(json, "previous_refresh_token", &tokens->previous);
    if (json_is_object(json_get(json, "facts"))) json_print(json_get(json, "facts"), &tokens->facts);
    if (json_number(json_get(json, "renew_at_ms"), &renew_at_ms) && renew_at_ms > 0 && renew_at_ms < 1e15)
        tokens->renew_at_us = (int64_t)renew_at_ms * 1000;
    json_free(json);
    return 0;
}

static void write_token(struct json_writer *writer, const char *key, const struct buf *token)
{
    if (token->size == 0) return;
    json_member(writer, key);
    json_text(writer, buf_str(token));
}

int tokens_write(const struct tokens *tokens, struct buf *out, struct err *err)
{
    struct json_writer writer = JSON_WRITER(out);
    json_open(&writer, '{');
    write_token(&writer, "access_token", &tokens->access_token);
    if (tokens->facts.size) {
        json_member(&writer, "facts");
        json_raw(&writer, buf_str(&tokens->facts));
    }
    write_token(&writer, "previous_refresh_token", &tokens->previous);
    write_token(&writer, "refresh_token", &tokens->refresh_token);
    if (tokens->renew_at_us != INT64_MAX) {
        json_member(&writer, "renew_at_ms");
        json_int(&writer, tokens->renew_at_us / 1000);
    }
    json_close(&writer, '}');
    buf_append_char(out, '\n');
    return out->failed ? err_set(err, ERR_DATA, "cannot store tokens of %zu bytes", tokens->refresh_token.size) : 0;
}

/* --- the lock ---------------------------------------------------------------------------------------------------------- */

static int file_lock(struct token_store *store, struct err *err)
{
    struct file_store *file = (struct file_store *)store;
    struct arena arena = ARENA_INIT(64 * 1024);
    int64_t until_ms = clock_now_ms(file->clock) + TOKEN_LOCK_MAX_MS;
    CHECK(file->lock_fd < 0);
    int rc = fs_make_folders(fs_folder_of(&arena, file->path), 0700, err);
    while (rc == 0) {
        rc = fs_try_lock(file->lock_path, &file->lock_fd, err);
        if (rc != 0 || file->lock_fd >= 0) break;
        if (cancel_stopping(file->cancel) || !clock_sleep_ms(file->clock, LOCK_STEP_MS, file->cancel))
            rc = err_set(err, ERR_CANCELLED, "stopped while another process renews the token");
        else if (clock_now_ms(file->clock) > until_ms)
            rc = err_set(err, ERR_TRANSIENT, "could not renew the token: another process holds '%s'", file->lock_path);
    }
    arena_release(&arena);
    return rc;
}

static void file_unlock(struct token_store *store)
{
    struct file_store *file = (struct file_store *)store;
    if (file->lock_fd >= 0) close(file->lock_fd);
    file->lock_fd = -1;
}

/* --- the file ---------------------------------------------------------------------------------------------------------- */

static int file_load(struct token_store *store, struct tokens *tokens, struct err *err)
{
    const char *path = ((struct file_store *)store)->path;
    struct buf content = BUF_INIT(TOKENS_TEXT_MAX);
    tokens_release(tokens);
    if (fs_kind(path) == FS_MISSING) return 0;
    int rc = fs_check_private(path, err);
    if (rc == 0) rc = fs_read_file(path, TOKENS_TEXT_MAX, &content, err);
    if (rc == 0 && (rc = tokens_read(buf_str(&content), tokens, err)) != 0) {
        err_context(err, "token file '%s'", path);
        err_hint(err, "remove the file and configure a new refresh token, or log in again");
    }
    wipe(&content);
    return rc;
}

static int file_save(struct token_store *store, const struct tokens *tokens, struct err *err)
{
    const char *path = ((struct file_store *)store)->path;
    struct arena arena = ARENA_INIT(64 * 1024);
    struct buf content = BUF_INIT(TOKENS_TEXT_MAX);
    int rc = tokens_write(tokens, &content, err);
    if (rc == 0) rc = fs_make_folders(fs_folder_of(&arena, path), 0700, err);
    if (rc == 0) rc = fs_write_file(path, 0600, buf_str(&content), err);
    wipe(&content);
    arena_release(&arena);
    return rc == 0 ? 0 : err_context(err, "could not keep the refresh token");
}

static void file_free(struct token_store *store)
{
    struct file_store *file = (struct file_store *)store;
    file_unlock(store);
    free(file->path);
    free(file->lock_path);
    free(file);
}

struct token_store *token_store_file(const char *path, struct clock *clock, struct cancel *cancel)
{
    struct arena arena = ARENA_INIT(64 * 1024);
    struct file_store *file = mem_zero(1, sizeof *file);
    *file = (struct file_store){.store = {file_lock, file_unlock, file_load, file_save, file_free},
                                .path = mem_strdup(path),
                                .lock_path = mem_strdup(arena_printf(&arena, "%s.lock", path)),
                                .lock_fd = -1,
                                .clock = clock,
                                .cancel = cancel};
    arena_release(&arena);
    return &file->store;
}

/* --- in memory --------------------------------------------------------------------------------------------------------- */

struct memory_store {
    struct token_store store; /* first: a store is one of these */
    struct tokens *tokens;
};

static int memory_lock(struct token_store *store, struct err *err)
{
    (void)store, (void)err;
    return 0;
}

static void memory_unlock(struct token_store *store)
{
    (void)store;
}

static void copy_tokens(struct tokens *to, const struct tokens *from)
{
    tokens_set(&to->access_token, buf_str(&from->access_token));
    tokens_set(&to->refresh_token, buf_str(&from->refresh_token));
    tokens_set(&to->previous, buf_str(&from->previous));
    tokens_set(&to->facts, buf_str(&from->facts));
    to->renew_at_us = from->renew_at_us;
}

static int memory_load(struct token_store *store, struct tokens *tokens, struct err *err)
{
    (void)err;
    copy_tokens(tokens, ((struct memory_store *)store)->tokens);
    return 0;
}

static int memory_save(struct token_store *store, const struct tokens *tokens, struct err *err)
{
    (void)err;
    copy_tokens(((struct memory_store *)store)->tokens, tokens);
    return 0;
}

static void memory_free_store(struct token_store *store)
{
    free(store);
}

struct token_store *token_store_memory(struct tokens *tokens)
{
    struct memory_store *memory = mem_zero(1, sizeof *memory);
    *memory = (struct memory_store){{memory_lock, memory_unlock, memory_load, memory_save, memory_free_store}, tokens};
    return &memory->store;
}
