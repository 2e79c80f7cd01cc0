/* secret: see secret.h. The values live in pages of their own, locked and left out of core dumps; names and bookkeeping do not.
 * Values are never removed before the end: pointers stay good, and old ones stay redacted. How a value is found in a text is
 * redact.c. */
#include "os/secret.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "os/crypto.h"
#include "os/redact.h"

struct page {
    struct page *next;
    size_t size; /* of the whole mapping */
    size_t used; /* this header included */
};

struct name {
    char *name;
    size_t value; /* index of its newest one */
};

struct secrets {
    pthread_rwlock_t lock; /* guards all below; values themselves never change */
    struct page *pages;
    struct str *values; /* in the order they came, each once */
    size_t value_count;
    struct name *names; /* index + 1 is the id */
    size_t name_count;
    struct redact_value **wanted; /* those of the values that are searched for; in the pages, too */
    size_t wanted_count;
    bool may_begin[256]; /* any spelling of any of them */
};

enum { PAGE_BYTES = 64 * 1024, ALIGN = 16 };

static void *page_alloc(struct secrets *secrets, size_t size)
{
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    struct page *page = secrets->pages;
    if (!page || size > page->size - page->used) {
        const size_t header = (sizeof *page + ALIGN - 1) / ALIGN * ALIGN;
        size_t total = header + size <= PAGE_BYTES ? PAGE_BYTES : header + size;
        page = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(page != MAP_FAILED);
        (void)mlock(page, total); /* best effort: the limit on locked memory may be 0 */
        (void)madvise(page, total, MADV_DONTDUMP);
        *page = (struct page){.next = secrets->pages, .size = total, .used = header};
        secrets->pages = page;
    }
    void *memory = (char *)page + page->used;
    page->used += size;
    return memory;
}

struct secrets *secrets_new(void)
{
    struct secrets *secrets = mem_zero(1, sizeof *secrets);
    CHECK(pthread_rwlock_init(&secrets->lock, NULL) == 0);
    return secrets;
}

void secrets_free(struct secrets *secrets)
{
    if (!secrets) return;
    for (struct page *page = secrets->pages, *next; page; page = next) {
        next = page->next;
        size_t size = page->size;
        crypto_wipe(page, size);
        munmap(page, size);
    }
    for (size_t i = 0; i < secrets->name_count; i++) free(secrets->names[i].name);
    free(secrets->names);
    free(secrets->values);
    free(secrets->wanted);
    pthread_rwlock_destroy(&secrets->lock);
    free(secrets);
}

/* The registry is logically const for readers; only its lock is written. */
static pthread_rwlock_t *lock_of(const struct secrets *secrets)
{
    return &((struct secrets *)(uintptr_t)secrets)->lock;
}

static size_t find_name(const struct secrets *secrets, const char *name)
{
    size_t at = 0;
    while (at < secrets->name_count && strcmp(secrets->names[at].name, name) != 0) at++;
    return at;
}

static size_t find_value(const struct secrets *secrets, struct str value)
{
    size_t at = 0;
    while (at < secrets->value_count && !str_equal(secrets->values[at], value)) at++;
    return at;
}

static void add_wanted(struct secrets *secrets, struct str value)
{
    struct redact_value *wanted = page_alloc(secrets, sizeof *wanted);
    redact_value_init(wanted, value);
    for (int c = 0; c < 256; c++)
        if (wanted->spellings[c]) secrets->may_begin[c] = true;
    secrets->wanted = mem_resize(secrets->wanted, (secrets->wanted_count + 1) * sizeof(struct redact_value *));
    secrets->wanted[secrets->wanted_count++] = wanted;
}

static void add_value(struct secrets *secrets, struct str value)
{
    char *copy = page_alloc(secrets, value.size + 1);
    if (value.size) memcpy(copy, value.data, value.size);
    copy[value.size] = '\0';
    struct str kept = {copy, value.size};
    if (kept.size >= REDACT_BYTES_MIN) add_wanted(secrets, kept);
    secrets->values = mem_resize(secrets->values, (secrets->value_count + 1) * sizeof *secrets->values);
    secrets->values[secrets->value_count++] = kept;
}

int secrets_add(struct secrets *secrets, const char *name, struct str value)
{
    pthread_rwlock_wrlock(&secrets->lock);
    size_t known = find_value(secrets, value);
    if (known == secrets->value_count) add_value(secrets, value);
    size_t at = find_name(secrets, name);
    if (at == secrets->name_count) {
        secrets->names = mem_resize(secrets->names, (secrets->name_count + 1) * sizeof *secrets->names);
        secrets->names[secrets->name_count++].name = mem_strdup(name);
    }
    secrets->names[at].value = known;
    pthread_rwlock_unlock(&secrets->lock);
    return (int)at + 1;
}

static struct str value_at(const struct secrets *secrets, size_t at)
{
    return at < secrets->name_count ? secrets->values[secrets->names[at].value] : (struct str){0};
}

struct str secrets_by_name(const struct secrets *secrets, const char *name)
{
    pthread_rwlock_rdlock(lock_of(secrets));
    struct str value = value_at(secrets, find_name(secrets, name));
    pthread_rwlock_unlock(lock_of(secrets));
    return value;
}

struct str secrets_by_id(const struct secrets *secrets, int id)
{
    pthread_rwlock_rdlock(lock_of(secrets));
    struct str value = value_at(secrets, (size_t)id - 1); /* 0 and below become larger than any */
    pthread_rwlock_unlock(lock_of(secrets));
    return value;
}

/* The end of the longest secret that begins at `at`; `at` when none does. */
static size_t longest_match(const struct secrets *secrets, const struct redact_text *text, size_t at)
{
    size_t end = at;
    for (size_t i = 0; i < secrets->wanted_count; i++) {
        size_t found = redact_match(secrets->wanted[i], text, at);
        if (found > end) end = found;
    }
    return end;
}

void secrets_redact(const struct secrets *secrets, struct str text, struct buf *out)
{
    if (!secrets) {
        buf_append_str(out, text);
        return;
    }
    pthread_rwlock_rdlock(lock_of(secrets));
    const struct redact_text searched = redact_text(text);
    size_t hidden_to = 0; /* the end of all matches so far; each place inside is still asked, for secrets that overlap */
    size_t kept_from = 0;
    for (size_t at = 0; at < text.size; at++) {
        if (!secrets->may_begin[(unsigned char)text.data[at]]) continue;
        size_t end = longest_match(secrets, &searched, at);
        if (end <= hidden_to || end == at) continue;
        if (at > hidden_to || hidden_to == 0) { /* not a continuation of the one before */
            buf_append(out, text.data + kept_from, at - kept_from);
            buf_append_text(out, "***");
        }
        hidden_to = kept_from = end;
    }
    if (kept_from < text.size) buf_append(out, text.data + kept_from, text.size - kept_from);
    pthread_rwlock_unlock(lock_of(secrets));
}

void secrets_redact_text(const struct secrets *secrets, char *text, size_t capacity)
{
    struct str whole = {text, strnlen(text, capacity)};
    CHECK(whole.size < capacity);
    struct buf redacted = BUF_INIT(capacity);
    secrets_redact(secrets, whole, &redacted);
    CHECK(redacted.size <= whole.size); /* what "***" replaces has at least 4 bytes */
    memcpy(text, buf_text(&redacted), redacted.size + 1);
    buf_release(&redacted);
}
