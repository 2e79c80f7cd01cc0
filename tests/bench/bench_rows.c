/* bench_rows: a plugin that makes rows as fast as it can, ten columns as a table of orders has them. Built as a shared object,
 * and into bench_plugin, which calls it without a process between. */
#include <sluice/plugin.h>
#include <stdio.h>
#include <string.h>

static struct sluice_value text(const char *data)
{
    return sluice_text(data, strlen(data));
}

static int page(struct sluice_session *session, void *instance)
{
    static int64_t next; /* of one session */
    char id[32], customer[32];
    int rc = 0;
    (void)instance;
    for (; rc == 0; next++) {
        snprintf(id, sizeof id, "ord_%08lld", (long long)next);
        snprintf(customer, sizeof customer, "cus_%08lld", (long long)next * 7);
        const struct sluice_value row[10] = {text(id),
                                             text(customer),
                                             text(next % 2 ? "paid" : "open"),
                                             sluice_decimal("129.90", 6),
                                             sluice_integer(next % 5),
                                             sluice_timestamp(1700000000000000 + next),
                                             sluice_timestamp(1700000000000000 + 2 * next),
                                             sluice_json("{\"city\":\"Oslo\",\"street\":\"Karl Johans gate 12\"}", 47),
                                             sluice_boolean(next % 3 == 0),
                                             text("please leave it at the door behind the green fence")};
        rc = sluice_emit(session, 0, SLUICE_UPSERT, row, 10);
    }
    return rc < 0 ? rc : 1;
}

static const struct sluice_plugin PLUGIN = {
    SLUICE_PLUGIN_HEADER,
    .profile = SLUICE_PARSE,
    .name = "bench",
    .version = "1",
    .description = SLUICE_JSON({
        "streams": {
            "orders": {
                "native": true,
                "primary_key": "id",
                "fields": {
                    "id": "string",
                    "customer_id": "string",
                    "status": "string",
                    "total": "decimal",
                    "items": "integer",
                    "created_at": "timestamp",
                    "updated_at": "timestamp",
                    "shipping": "json",
                    "gift": "boolean",
                    "note": "string"
                }
            }
        }
    }),
          .page = page,
};
SLUICE_PLUGIN(PLUGIN);
