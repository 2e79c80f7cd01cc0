/* link: a target found lies in the header between '<' and '>'. Input: the relation in the first line, the header behind it. */
#include "fuzz.h"

#include "rest/link.h"

void fuzz(struct str input)
{
    struct str relation = fuzz_line(&input), target = {0}, again;
    if (!link_find(input, relation, &target)) {
        CHECK(target.data == NULL);
        return;
    }
    const char *end = input.data + input.size;
    CHECK(target.data > input.data && target.data + target.size < end);
    const char *before = target.data, *behind = target.data + target.size;
    while (before > input.data && memchr(" \t\r\n", before[-1], 4)) before--;
    while (behind < end && memchr(" \t\r\n", *behind, 4)) behind++;
    CHECK(before > input.data && before[-1] == '<' && behind < end && *behind == '>');
    CHECK(!memchr(target.data, '>', target.size));
    /* A relation is compared without case. */
    char *other = mem_alloc(relation.size);
    for (size_t i = 0; i < relation.size; i++)
        other[i] = relation.data[i] >= 'a' && relation.data[i] <= 'z' ? (char)(relation.data[i] - 32) : relation.data[i];
    CHECK(link_find(input, (struct str){other, relation.size}, &again) && again.data == target.data);
    free(other);
}
