/* Finding connectors by path and by name, and reading their files within the caps. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "connector/connector.h"
#include "os/fs.h"

struct fixture {
    struct arena arena;
    char *root;
    struct connector_path path;
    struct err err;
};

static const char *const CONFIGURED[] = {"first", "second"};

static const char *below(struct fixture *f, const char *name)
{
    return fs_join(&f->arena, f->root, name);
}

static void write_file(struct fixture *f, const char *name, struct str content)
{
    const char *path = below(f, name);
    assert_int_equal(fs_make_folders(fs_folder_of(&f->arena, path), 0700, &f->err), 0);
    assert_int_equal(fs_write_file(path, 0600, content, &f->err), 0);
}

static int set_up(void **state)
{
    struct fixture *f = mem_zero(1, sizeof *f);
    f->arena = ARENA_INIT(0);
    assert_int_equal(fs_make_temp_folder(&f->arena, &f->root, &f->err), 0);
    f->path = (struct connector_path){CONFIGURED, 2, f->root};
    setenv("XDG_DATA_HOME", f->root, 1);
    write_file(f, "first/shop/init.lua", STR("return 1"));
    write_file(f, "first/shop/lib/parse.lua", STR("return 2"));
    write_file(f, "first/shop/README.md", STR("not code"));
    write_file(f, "first/shop/.hidden.lua", STR("not read"));
    write_file(f, "second/shop/init.lua", STR("shadowed"));
    write_file(f, "second/alone.lua", STR("return 3"));
    write_file(f, "second/nothing/notes.txt", STR(""));
    write_file(f, "connectors/local.lua", STR(""));
    write_file(f, "sluice/connectors/mine/init.lua", STR(""));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    const char *name = arena_text(&f->arena, fs_base_name(f->root));
    assert_int_equal(fs_remove_tree(fs_folder_of(&f->arena, f->root), name, &f->err), 0);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static const struct connector *find(struct fixture *f, const char *name)
{
    const struct connector *found = NULL;
    f->err = ERR_INIT;
    if (connector_find(&f->path, name, &f->arena, &found, &f->err) != 0) fail_msg("%s", f->err.message);
    return found;
}

static void test_names_are_looked_up_in_order(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *name, *path;
        bool is_folder;
    } CASES[] = {{"shop", "first/shop", true},
                 {"alone", "second/alone.lua", false},
                 {"local", "connectors/local.lua", false},
                 {"mine", "sluice/connectors/mine", true}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        const struct connector *found = find(f, CASES[i].name);
        assert_string_equal(found->name, CASES[i].name);
        assert_string_equal(found->path, below(f, CASES[i].path));
        assert_int_equal(found->is_folder, CASES[i].is_folder);
    }
}

static void test_paths_lead_to_files_and_folders(void **state)
{
    struct fixture *f = *state;
    static const char *const SHOP[] = {"./first/shop", "first/shop/", "first/shop/init.lua", "first/../first/shop"};
    for (size_t i = 0; i < ARRAY_SIZE(SHOP); i++) {
        const struct connector *found = find(f, SHOP[i]);
        assert_string_equal(found->name, "shop");
        assert_string_equal(found->origin, "path");
        assert_true(found->is_folder);
    }
    assert_string_equal(find(f, "second/alone.lua")->name, "alone");
    assert_string_equal(find(f, below(f, "second/alone.lua"))->name, "alone");
}

static void test_what_is_not_there_is_answered_with_where_it_was_looked_for(void **state)
{
    struct fixture *f = *state;
    const struct connector *found;
    assert_int_equal(connector_find(&f->path, "shpo", &f->arena, &found, &f->err), ERR_CONFIG);
    assert_non_null(strstr(f->err.message, "there is no connector 'shpo'"));
    assert_non_null(strstr(f->err.hint, "did you mean 'shop'? looked in "));
    assert_non_null(strstr(f->err.hint, below(f, "first")));
    static const char *const BAD[] = {
        "", "..", ".hidden", "nothing", "./second/nothing", "./missing", "missing.lua", "native.so", "first/shop/README.md"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
        f->err = ERR_INIT;
        assert_int_equal(connector_find(&f->path, BAD[i], &f->arena, &found, &f->err), ERR_CONFIG);
        assert_true(f->err.message[0] && f->err.hint[0]);
    }
}

static void test_the_list_is_sorted_and_has_each_name_once(void **state)
{
    struct fixture *f = *state;
    const struct connector *list;
    size_t count, shops = 0, known = 0;
    connector_list(&f->path, &f->arena, &list, &count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) assert_true(strcmp(list[i - 1].name, list[i].name) < 0);
        shops += strcmp(list[i].name, "shop") == 0;
        known += strncmp(list[i].path, f->root, strlen(f->root)) == 0;
    }
    assert_int_equal(shops, 1);
    assert_int_equal(known, 4);
}

static void test_reading_takes_the_lua_files_entry_first(void **state)
{
    struct fixture *f = *state;
    struct connector_sources sources;
    write_file(f, "first/shop/aaa.lua", STR("return 0"));
    assert_int_equal(connector_read(find(f, "shop"), &f->arena, &sources, &f->err), 0);
    assert_int_equal(sources.count, 3);
    assert_true(str_equal(sources.files[0].name, STR("init.lua")));
    assert_true(str_equal(sources.files[0].bytes, STR("return 1")));
    assert_true(str_equal(sources.files[1].name, STR("aaa.lua")));
    assert_true(str_equal(sources.files[2].name, STR("lib/parse.lua")));
    const char *before = connector_fingerprint(&sources, &f->arena);
    assert_int_equal(strlen(before), 32);
    write_file(f, "first/shop/aaa.lua", STR("return 9"));
    assert_int_equal(connector_read(find(f, "shop"), &f->arena, &sources, &f->err), 0);
    assert_string_not_equal(before, connector_fingerprint(&sources, &f->arena));
    assert_int_equal(connector_read(find(f, "alone"), &f->arena, &sources, &f->err), 0);
    assert_int_equal(sources.count, 1);
    assert_true(str_equal(sources.files[0].name, STR("alone.lua")));
}

static void test_links_may_not_lead_out_of_the_folder(void **state)
{
    struct fixture *f = *state;
    struct connector_sources sources;
    assert_int_equal(symlink("lib/parse.lua", below(f, "first/shop/inside.lua")), 0);
    assert_int_equal(connector_read(find(f, "shop"), &f->arena, &sources, &f->err), 0);
    assert_int_equal(sources.count, 3);
    assert_int_equal(symlink("../../second/alone.lua", below(f, "first/shop/outside.lua")), 0);
    assert_int_equal(connector_read(find(f, "shop"), &f->arena, &sources, &f->err), ERR_CONFIG);
    assert_non_null(strstr(f->err.message, "'outside.lua': it leads out"));
}

static void test_caps_are_named(void **state)
{
    struct fixture *f = *state;
    struct connector_sources sources;
    size_t size = CONNECTOR_MAX_FILE_BYTES;
    char *large = mem_zero(1, size + 1);
    write_file(f, "second/large.lua", (struct str){large, size + 1});
    assert_int_not_equal(connector_read(find(f, "large"), &f->arena, &sources, &f->err), 0);
    for (int i = 0; i < 9; i++) write_file(f, arena_printf(&f->arena, "second/sum/%d.lua", i), (struct str){large, size});
    write_file(f, "second/sum/init.lua", STR(""));
    f->err = ERR_INIT;
    assert_int_equal(connector_read(find(f, "sum"), &f->arena, &sources, &f->err), ERR_CONNECTOR);
    assert_non_null(strstr(f->err.message, "more than 8 MiB"));
    for (int i = 0; i <= CONNECTOR_MAX_FILES; i++) write_file(f, arena_printf(&f->arena, "second/many/f%d.lua", i), STR(""));
    write_file(f, "second/many/init.lua", STR(""));
    f->err = ERR_INIT;
    assert_int_equal(connector_read(find(f, "many"), &f->arena, &sources, &f->err), ERR_CONNECTOR);
    assert_non_null(strstr(f->err.message, "more than 200 .lua files"));
    free(large);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

UNIT_TESTS(CASE(test_names_are_looked_up_in_order), CASE(test_paths_lead_to_files_and_folders),
           CASE(test_what_is_not_there_is_answered_with_where_it_was_looked_for),
           CASE(test_the_list_is_sorted_and_has_each_name_once), CASE(test_reading_takes_the_lua_files_entry_first),
           CASE(test_links_may_not_lead_out_of_the_folder), CASE(test_caps_are_named))
