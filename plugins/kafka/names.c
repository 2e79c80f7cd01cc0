#include "kafka/names.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/text.h"

enum { MAX_TOPIC_NAME = 249 };

struct name_pattern {
    char *text;
    bool is_exclusion, is_regex, has_star;
    regex_t regex;
};

/* `*` stands for any characters: by the last star that may still give way. */
static bool glob_matches(const char *pattern, const char *name)
{
    const char *star = NULL, *retry = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

static bool pattern_matches(const struct name_pattern *pattern, const char *topic)
{
    return pattern->is_regex ? regexec(&pattern->regex, topic, 0, NULL, 0) == 0 : glob_matches(pattern->text, topic);
}

static const char *add(struct names *names, const char *begin, size_t size)
{
    struct name_pattern *pattern = &names->patterns[names->count];
    pattern->is_exclusion = *begin == '!';
    if (pattern->is_exclusion) begin++, size--;
    pattern->text = allocate(1, size + 1);
    memcpy(pattern->text, begin, size);
    names->count++;
    if (size == 0) return "there is a ! without a name behind it";
    pattern->has_star = strchr(pattern->text, '*') != NULL;
    if (*pattern->text != '^') return NULL;
    if (regcomp(&pattern->regex, pattern->text, REG_EXTENDED | REG_NOSUB) != 0)
        return "one of its regular expressions is broken";
    pattern->is_regex = true;
    return NULL;
}

const char *names_init(struct names *names, const char *list)
{
    const char *flaw = NULL;
    *names = (struct names){.patterns = allocate(strlen(list) / 2 + 1, sizeof *names->patterns)};
    for (const char *at = list; *at && !flaw;) {
        at += strspn(at, ", \t\r\n");
        size_t size = strcspn(at, ", \t\r\n");
        if (size) flaw = add(names, at, size);
        at += size;
    }
    if (!flaw && names->count == 0) flaw = "it names no topic";
    return flaw;
}

bool names_match(const struct names *names, const char *topic)
{
    bool is_own = strncmp(topic, "__", 2) == 0; /* of Kafka itself */
    bool is_wanted = false, has_inclusion = false;
    for (size_t i = 0; i < names->count; i++) {
        const struct name_pattern *pattern = &names->patterns[i];
        has_inclusion = has_inclusion || !pattern->is_exclusion;
        if (!pattern_matches(pattern, topic)) continue;
        if (pattern->is_exclusion) return false;
        is_wanted = is_wanted || !is_own || (!pattern->is_regex && !pattern->has_star);
    }
    return is_wanted || (!has_inclusion && !is_own);
}

const char *names_plain(const struct names *names, size_t *at)
{
    while (*at < names->count) {
        const struct name_pattern *pattern = &names->patterns[(*at)++];
        if (!pattern->is_exclusion && !pattern->is_regex && !pattern->has_star) return pattern->text;
    }
    return NULL;
}

void names_release(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        free(names->patterns[i].text);
        if (names->patterns[i].is_regex) regfree(&names->patterns[i].regex);
    }
    free(names->patterns);
    *names = (struct names){0};
}

bool name_is_valid(const char *topic)
{
    size_t size = strspn(topic, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return size > 0 && size <= MAX_TOPIC_NAME && topic[size] == 0;
}
