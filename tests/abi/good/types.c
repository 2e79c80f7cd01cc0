/* types: sluice_emit, with a value of every kind, texts in place of them, what does not fit, and a row that goes. */
#include <sluice/plugin.h>
#include <string.h>

static struct sluice_value text(const char *data)
{
    return sluice_text(data, strlen(data));
}

static int page(struct sluice_session *session, void *instance)
{
    (void)instance;
    const struct sluice_value rows[][11] = {
        {sluice_integer(1), sluice_text("caf\xc3\xa9", 5), sluice_decimal("12345678901234567890.5", 22), sluice_float(0.5),
         sluice_boolean(1), sluice_date(20000), sluice_timestamp(INT64_C(1700000000123456)), sluice_timestamp(0),
         sluice_json("{\"a\":[1,null]}", 14), sluice_binary("\0\xff", 2), sluice_integer(9223372036854775807)},
        {text("2"), text("as text"), text("1.50"), text("0.25"), text("true"), text("2024-02-29"),
         text("2024-02-29T12:00:00+02:00"), text("2024-02-29 12:00:00"), text("[1]"), text("AP8="), text("-5")},
        {sluice_integer(3), sluice_null(), sluice_null(), sluice_null(), sluice_null(), sluice_null(), sluice_null(),
         sluice_null(), sluice_null(), sluice_null(), sluice_null()},
        {sluice_integer(4), sluice_text("bad \xff\0 end", 10), sluice_integer(7), sluice_integer(3), sluice_integer(1),
         sluice_null(), sluice_null(), sluice_null(), text("{broken"), sluice_null(), text("no number")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (sluice_emit(session, 0, SLUICE_UPSERT, rows[i], 11) < 0) return -1;
    const struct sluice_value gone[11] = {sluice_integer(3)};
    struct sluice_value row[11];
    for (int i = 0; i < 11; i++) row[i] = i ? sluice_null() : gone[0];
    return sluice_emit(session, 0, SLUICE_DELETE, row, 11) < 0 ? -1 : 0;
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "types",
    .version = "1.0.0",
    .description = SLUICE_JSON({
        "streams": {
            "values": {
                "native": true,
                "primary_key": "id",
                "write_mode": "append_dedup",
                "fields": {
                    "id": "integer",
                    "text": "string",
                    "exact": "decimal",
                    "about": "float",
                    "flag": "boolean",
                    "day": "date",
                    "at": "timestamp",
                    "wall": "timestamp_ntz",
                    "doc": "json",
                    "bytes": "binary",
                    "big": "integer"
                }
            }
        }
    }),
                                 .page = page,
};
SLUICE_PLUGIN(PLUGIN);
