/* commits: the commit log of the CSV writer. Whatever the lines say (their check sum is made to fit, so that damage alone does
 * not keep anything out), the log is refused with a reason or gives an image that, written as a snapshot, reads as the same.
 * Input: commits separated by lines "--"; one that begins with '!' is written as it stands, without a check sum. */
#include "fuzz.h"

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "os/crypto.h"
#include "os/fs.h"
#include "writer/csv/commits.h"
#include "writer/csv/csv.h"
#include "writer/csv/layout.h"

enum { COMMITS_MAX = 4 };

static char *folder; /* one for all inputs, emptied behind each */

static void remove_folder(void)
{
    rmdir(folder);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
    free(folder);
}

static void make_folder(void)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    if (fs_kind("/dev/shm") == FS_FOLDER) setenv("TMPDIR", "/dev/shm", 0); /* where fsync costs nothing */
    CHECK(fs_make_temp_folder(&arena, &folder, &err) == 0);
    folder = mem_strdup(folder);
    atexit(remove_folder);
    arena_release(&arena);
}

static void file_of(uint64_t number, char out[256])
{
    char name[CSV_NUMBER_SIZE];
    snprintf(out, 256, "%s/%s", folder, csv_number_text(number, name));
}

static void write_commit(uint64_t number, struct str body)
{
    char file[256], hex[SHA256_HEX_SIZE];
    struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    bool as_it_stands = str_starts(body, STR("!"));
    buf_append_str(&text, as_it_stands ? (struct str){body.data + 1, body.size - 1} : body);
    if (!as_it_stands) {
        crypto_sha256_hex(buf_str(&text), hex);
        buf_printf(&text, "{\"end\":{\"sha256\":\"%s\"}}\n", hex);
    }
    file_of(number, file);
    CHECK(fs_write_file(file, 0600, buf_str(&text), &err) == 0);
    buf_release(&text);
}

/* Splits at lines "--". */
static uint64_t write_commits(struct str input)
{
    uint64_t count = 0;
    while (input.size > 0 && count < COMMITS_MAX) {
        const char *mark = memmem(input.data, input.size, "\n--\n", 4);
        struct str body = {input.data, mark ? (size_t)(mark - input.data) + 1 : input.size};
        write_commit(++count, body);
        size_t taken = mark ? body.size + 3 : body.size;
        input.data += taken;
        input.size -= taken;
    }
    return count;
}

static size_t living(const struct csv_image *image)
{
    size_t count = 0;
    for (size_t i = 0; i < image->segment_count; i++) count += !image->segments[i].gone;
    return count;
}

static void same_image(const struct csv_image *a, const struct csv_image *b)
{
    CHECK(b->last == a->last + 1 && b->fence == a->fence && strcmp(a->run, b->run) == 0 && strcmp(a->flow, b->flow) == 0);
    CHECK(a->state.count == b->state.count && living(a) == b->segment_count && a->table_count == b->table_count);
    for (size_t i = 0; i < a->state.count; i++) {
        const struct state_entry *entry = &a->state.entries[i];
        const char *value = state_get(&b->state, entry->stream, entry->slice, entry->kind);
        CHECK(value && strcmp(value, entry->value) == 0);
    }
    for (size_t i = 0, k = 0; i < a->segment_count; i++) {
        const struct csv_segment *x = &a->segments[i], *y = &b->segments[k];
        if (x->gone) continue;
        CHECK(x->file == y->file && x->index == y->index && x->offset == y->offset && x->bytes == y->bytes);
        CHECK(x->rows == y->rows && x->crc == y->crc && x->settled == y->settled && strcmp(x->stream, y->stream) == 0);
        CHECK(strcmp(x->slice, y->slice) == 0 && strcmp(x->columns->id, y->columns->id) == 0);
        k++;
    }
    for (size_t i = 0; i < a->table_count; i++) {
        const struct csv_table *x = &a->tables[i], *y = csv_image_table(b, x->stream);
        CHECK(y && x->mode == y->mode && x->has_rows == y->has_rows && x->rows == y->rows);
    }
}

static void snapshot_is_the_same(const struct csv_image *image, struct arena *arena)
{
    struct err err = ERR_INIT;
    struct csv_image again;
    const struct csv_commit_header header = {.number = image->last + 1,
                                             .kind = CSV_COMMIT_SNAPSHOT,
                                             .fence = image->fence,
                                             .run = image->run,
                                             .pipeline = "p",
                                             .flow = image->flow,
                                             .connector = "c"};
    struct csv_commit *commit = csv_commit_new(&header);
    csv_commit_image(commit, image);
    CHECK(csv_commit_append(commit, folder, NULL, &err) == 0);
    csv_commit_free(commit);
    CHECK(csv_commits_read(folder, arena, &again, &err) == 0);
    same_image(image, &again);
}

static void check_known(struct str input)
{
    char *text = fuzz_text(input);
    struct schema *schema = schema_new("s");
    if (csv_known_read(text, schema)) CHECK(schema_count(schema) <= 4 * SCHEMA_MAX_COLUMNS);
    schema_free(schema);
    free(text);
}

void fuzz(struct str input)
{
    struct arena arena = ARENA_INIT(0);
    struct err err = ERR_INIT;
    struct csv_image image;
    uint64_t last, fence;
    const char *flow;
    char file[256];
    if (!folder) make_folder();
    uint64_t count = write_commits(input);
    int rc = csv_commits_read(folder, &arena, &image, &err);
    CHECK(rc == 0 || (rc == ERR_DESTINATION && err.message[0] && err.hint[0]));
    CHECK(csv_commits_peek(folder, &arena, &last, &fence, &flow, &err) == 0 && last == count);
    if (rc == 0) CHECK(image.last == count && (count == 0 || (flow && fence == image.fence)));
    if (rc == 0 && count > 0) snapshot_is_the_same(&image, &arena);
    for (uint64_t i = 1; i <= count + 1; i++) {
        file_of(i, file);
        unlink(file);
    }
    check_known(input);
    arena_release(&arena);
}
