#include "postgres/lanes.h"

#include <stdlib.h>

void lanes_init(struct lanes *lanes, struct connection *connection)
{
    *lanes = (struct lanes){.list = {connection}, .count = 1};
}

/* Each knows the next one, the last one the first. */
static void tie(struct lanes *lanes)
{
    for (size_t i = 0; i < lanes->count; i++)
        lanes->list[i]->beside = lanes->count > 1 ? lanes->list[(i + 1) % lanes->count] : NULL;
}

int lanes_widen(struct lanes *lanes, size_t count)
{
    char *snapshot = NULL;
    if (count > CONNECTIONS_MAX) count = CONNECTIONS_MAX;
    if (lanes->count >= count) return 0;
    int rc = connection_value(lanes->list[0], "SELECT pg_export_snapshot()", &snapshot);
    while (rc == 0 && lanes->count < count) {
        struct connection *connection = text_allocate(1, sizeof *connection);
        if (!connection_join(connection, lanes->list[0], snapshot)) {
            free(connection);
            break;
        }
        lanes->list[lanes->count++] = connection;
    }
    tie(lanes);
    free(snapshot);
    return rc;
}

bool lanes_has_room(const struct lanes *lanes)
{
    return lanes->asked < lanes->count;
}

int lanes_ask(struct lanes *lanes, const char *copy)
{
    int rc = connection_copy(lanes->list[(lanes->at + lanes->asked) % lanes->count], copy);
    if (rc == 0) lanes->asked++;
    return rc;
}

struct connection *lanes_front(const struct lanes *lanes)
{
    return lanes->list[lanes->at];
}

void lanes_next(struct lanes *lanes)
{
    lanes->at = (lanes->at + 1) % lanes->count;
    lanes->asked--;
}

void lanes_release(struct lanes *lanes)
{
    for (size_t i = 1; i < lanes->count; i++) {
        connection_close(lanes->list[i]);
        free(lanes->list[i]);
    }
    if (lanes->count) {
        lanes->list[0]->beside = NULL;
        lanes_init(lanes, lanes->list[0]);
    }
}
