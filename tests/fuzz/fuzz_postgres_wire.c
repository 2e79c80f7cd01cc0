/* postgres_wire: what a server of the plugin `postgres` may send: messages of pgoutput and their frames, lines of COPY, values
 * and literals. Nothing points outside of what was sent; what is written of it fits the room that was promised, and is JSON
 * where JSON is claimed. Input: a byte that says which, then what was sent. */
#include "fuzz.h"

#include "base/jsonscan.h"
#include "postgres/copy.h"
#include "postgres/literal.h"
#include "postgres/pgoutput.h"
#include "postgres/snapshot.h"

static bool is_inside(const char *data, size_t size, struct str sent)
{
    return data >= sent.data && size <= sent.size && data <= sent.data + sent.size - size;
}

static void check_tuple(const struct pgoutput_tuple *tuple, struct str sent)
{
    CHECK(tuple->count <= PGOUTPUT_COLUMNS_MAX);
    for (size_t i = 0; i < tuple->count; i++) {
        const struct pgoutput_value *value = &tuple->values[i];
        CHECK(value->kind == 'n' || value->kind == 'u' || value->kind == 't' || value->kind == 'b');
        CHECK((value->kind == 't' || value->kind == 'b') == (value->data != NULL));
        if (value->data) CHECK(is_inside(value->data, value->size, sent));
    }
}

static void check_message(char *data, size_t size)
{
    static struct pgoutput room;
    struct pgoutput_message message;
    struct str sent = {data, size};
    if (!pgoutput_read(&room, data, size, &message)) return;
    CHECK(size > 0 && message.tag == data[0]);
    check_tuple(&message.old, sent);
    check_tuple(&message.fresh, sent);
    CHECK((message.tag == 'I') <= (message.old.count == 0));
    CHECK((message.tag == 'D') <= (message.fresh.count == 0));
    if (message.tag == 'R') {
        CHECK(is_inside(message.schema, strlen(message.schema) + 1, sent));
        CHECK(is_inside(message.name, strlen(message.name) + 1, sent));
        for (size_t i = 0; i < message.column_count; i++)
            CHECK(is_inside(message.columns[i].name, strlen(message.columns[i].name) + 1, sent));
    }
    for (uint32_t i = 0; i < message.truncated_count; i++) {
        CHECK(is_inside(message.truncated + 4 * (size_t)i, 4, sent));
        (void)pgoutput_truncated(&message, i);
    }
}

static void check_frame(char *data, size_t size)
{
    struct wal_frame frame;
    if (!wal_frame_read(data, size, &frame)) return;
    CHECK(frame.kind == 'w' || frame.kind == 'k');
    if (frame.kind == 'k') return;
    CHECK(is_inside(frame.data, frame.size, (struct str){data, size}));
    check_message(frame.data, frame.size);
}

static void check_line(char *data, size_t size)
{
    enum { ROOM = 16 };
    struct field fields[ROOM];
    size_t tabs = 0, escapes = 0, whole = 0;
    const char *end = data;
    for (size_t i = 0; i < size; i++) {
        tabs += data[i] == '\t';
        escapes += data[i] == '\\';
    }
    size_t count = copy_split(data, size, fields, ROOM);
    CHECK(count == tabs + 1);
    for (size_t i = 0; i < count && i < ROOM; i++) {
        if (!fields[i].data) continue;
        CHECK(fields[i].data >= end && is_inside(fields[i].data, fields[i].size, (struct str){data, size}));
        end = fields[i].data + fields[i].size;
        whole += fields[i].size;
    }
    if (escapes == 0 && count <= ROOM) CHECK(whole + tabs + (size && data[size - 1] == '\n') == size);
}

static bool is_json(const char *data, size_t size)
{
    struct jsonscan scan;
    struct json_value value;
    char *padded = fuzz_padded((struct str){data, size}, JSONSCAN_PADDING);
    jsonscan_init(&scan, padded, size);
    bool is = jsonscan_value(&scan, &value) && jsonscan_finish(&scan);
    free(padded);
    return is;
}

/* Elements of type JSON are the server's own JSON, whatever it is; all else is written here. */
static void check_value(char *data, size_t size, unsigned choice)
{
    struct pg_type type = {choice % (PG_HSTORE + 1), choice / 16 % PG_JSON, choice & 64 ? ';' : ','};
    struct text scratch = {0};
    text_reserve(&scratch, value_room(size));
    const char *before = scratch.data;
    struct sluice_value value = value_of(type, data, size, &scratch);
    CHECK(scratch.data == before && scratch.size <= value_room(size));
    bool is_text = value.kind == SLUICE_STRING || value.kind == SLUICE_DECIMAL || value.kind == SLUICE_BINARY;
    if (is_text) CHECK(is_inside(value.as.data, value.size, (struct str){data, size}));
    if (value.kind == SLUICE_DECIMAL) CHECK(is_json(value.as.data, value.size));
    bool is_written = value.kind == SLUICE_JSON && (type.kind == PG_ARRAY || type.kind == PG_HSTORE);
    if (is_written && fuzz_is_utf8((struct str){value.as.data, value.size}, true)) CHECK(is_json(value.as.data, value.size));
    if (is_written) CHECK(value.as.data == before && value.size == scratch.size);
    text_release(&scratch);
}

static void check_snapshot(const char *text)
{
    struct snapshot snapshot;
    uint64_t lsn, again;
    char written[LSN_TEXT_MAX];
    if (snapshot_read(&snapshot, text)) {
        CHECK(!snapshot_sees(&snapshot, (uint32_t)snapshot.xmax));
        for (size_t i = 0; i < snapshot.running_count; i++) {
            bool is_near = snapshot.xmax - snapshot.running[i] < (uint64_t)1 << 31 && snapshot.running[i] >= snapshot.xmin;
            if (is_near) CHECK(!snapshot_sees(&snapshot, (uint32_t)snapshot.running[i]));
        }
        snapshot_release(&snapshot);
    }
    if (!lsn_read(text, &lsn)) return;
    lsn_write(lsn, written);
    CHECK(lsn_read(written, &again) && again == lsn);
}

void fuzz(struct str input)
{
    if (input.size == 0) return;
    unsigned choice = (unsigned char)input.data[0];
    struct str sent = {input.data + 1, input.size - 1};
    char *data = fuzz_padded(sent, 0), *text = fuzz_text(sent);
    if (choice == 'w')
        check_frame(data, sent.size);
    else if (choice == 'm')
        check_message(data, sent.size);
    else if (choice == 'c')
        check_line(data, sent.size);
    else if (choice == 's')
        check_snapshot(text);
    else
        check_value(data, sent.size, choice);
    free(data);
    free(text);
}
