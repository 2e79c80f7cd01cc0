/* deleted: see deleted.h. Values are compared as they are spelled, a text without its quotes: `true` is what `equals = true`
 * means, whether the source sends a boolean or a text. */
#include "rest/deleted.h"

#include "base/arena.h"
#include "base/str.h"

static bool says_yes(struct str text)
{
    static const char *const NO[] = {"", "0", "false", "null"};
    for (size_t i = 0; i < sizeof NO / sizeof NO[0]; i++)
        if (str_equal_nocase(text, str_from(NO[i]))) return false;
    return true;
}

static bool text_fits(const struct deleted_rule *rule, struct str text)
{
    bool fits = !rule->equals_count;
    for (size_t i = 0; i < rule->equals_count && !fits; i++) fits = str_equal(text, str_from(rule->equals[i]));
    if (fits && rule->ends_with) return str_ends(text, str_from(rule->ends_with));
    return fits && (rule->equals_count || says_yes(text));
}

bool deleted_fits(const struct deleted_rule *rule, const struct json_value *value)
{
    if (!value->raw.data) return false;
    if (value->kind != JSON_STRING) return text_fits(rule, value->raw);
    if (!(value->flags & (JSON_ESCAPED | JSON_DIRTY))) return text_fits(rule, value->raw);
    struct arena scratch = ARENA_INIT(0);
    bool fits = text_fits(rule, jsonscan_text(value, &scratch, NULL));
    arena_release(&scratch);
    return fits;
}
