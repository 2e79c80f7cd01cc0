/* fuzz_main: runs a fuzz target without a fuzzer: over the kept inputs, then over seeded mutations of them, always the same.
 *
 *     fuzz_jsonscan CORPUS_FOLDER [MUTATIONS]         fuzz_jsonscan FILE
 *
 * An input that fails is left in the working folder as TARGET.find, and the line that reruns it is printed. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum { INPUT_MAX = 64 * 1024, INPUTS_MAX = 2000 };

static struct {
    const char *program;
    char find[256]; /* where a failing input goes */
    struct str input;
} running;

/* Async-signal-safe. */
static void say(const char *text)
{
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static void on_crash(int number)
{
    int fd = open(running.find, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    (void)!write(fd, running.input.data, running.input.size);
    close(fd);
    say("rerun: ");
    say(running.program);
    say(" ");
    say(running.find);
    say("\n");
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const char *data, size_t size)
{
    char *exact = mem_alloc(size); /* so that a sanitizer sees a read behind it */
    if (size) memcpy(exact, data, size);
    running.input = (struct str){exact, size};
    fuzz(running.input);
    free(exact);
}

static struct str read_input(const char *path)
{
    char *data = mem_alloc(INPUT_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, data, INPUT_MAX);
    if (size < 0) {
        perror(path);
        exit(2);
    }
    close(fd);
    return (struct str){data, (size_t)size};
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t read_folder(const char *path, struct str *inputs)
{
    static char *names[INPUTS_MAX];
    size_t count = 0;
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (entry->d_name[0] != '.' && count < INPUTS_MAX) names[count++] = mem_strdup(entry->d_name);
    if (folder) closedir(folder);
    qsort(names, count, sizeof names[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        char file[1024];
        snprintf(file, sizeof file, "%s/%s", path, names[i]);
        inputs[i] = read_input(file);
        free(names[i]);
    }
    return count;
}

static uint64_t seed = 0x9e3779b97f4a7c15ULL;

static size_t random_below(size_t limit)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return limit ? (size_t)(seed >> 11) % limit : 0;
}

/* Takes `removed` bytes at `at` out and puts `piece` there. */
static size_t put_piece(char *data, size_t size, size_t at, size_t removed, struct str piece)
{
    if (size - removed + piece.size > INPUT_MAX) return size;
    memmove(data + at + piece.size, data + at + removed, size - at - removed);
    if (piece.size) memcpy(data + at, piece.data, piece.size);
    return size - removed + piece.size;
}

static size_t mutate(char *data, size_t size, const struct str *inputs, size_t count)
{
    static const char PIECES[] = "{}[]\",:\\u0eE+-.19tfn \n\xff\xc3\xed\x01%/<>;=$|";
    size_t at = random_below(size + 1), left = size - at;
    char byte = random_below(2) ? PIECES[random_below(sizeof PIECES)] : (char)random_below(256);
    char copy[64];
    struct str piece = {&byte, 1}, other = inputs[random_below(count)];
    switch (random_below(5)) {
    case 0: /* another byte */
        return put_piece(data, size, at, left ? 1 : 0, piece);
    case 1: /* one more byte */
        return put_piece(data, size, at, 0, piece);
    case 2: /* some bytes fewer */
        return put_piece(data, size, at, random_below((left < 16 ? left : 16) + 1), (struct str){0});
    case 3: /* some bytes twice */
        piece = (struct str){copy, random_below((left < sizeof copy ? left : sizeof copy) + 1)};
        memcpy(copy, data + at, piece.size);
        return put_piece(data, size, at, 0, piece);
    default: /* a part of another input */
        at = random_below(other.size);
        piece = (struct str){other.data + at, random_below(other.size - at + 1)};
        return put_piece(data, size, random_below(size + 1), 0, piece);
    }
}

int main(int argc, char **argv)
{
    static struct str inputs[INPUTS_MAX];
    static char data[INPUT_MAX];
    struct stat about;
    if (argc < 2 || stat(argv[1], &about) != 0) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER [MUTATIONS] | FILE\n", argv[0]);
        return 2;
    }
    const char *slash = strrchr(argv[0], '/');
    running.program = argv[0];
    snprintf(running.find, sizeof running.find, "%s.find", slash ? slash + 1 : argv[0]);
    signal(SIGABRT, on_crash);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which have a better report */
    signal(SIGSEGV, on_crash);
    signal(SIGBUS, on_crash);
#endif
    bool is_folder = S_ISDIR(about.st_mode);
    size_t count = is_folder ? read_folder(argv[1], inputs) : 1;
    size_t mutations = is_folder && argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    if (!is_folder) inputs[0] = read_input(argv[1]);
    if (count == 0) {
        fprintf(stderr, "%s: no inputs in %s\n", argv[0], argv[1]);
        return 2;
    }
    for (size_t i = 0; i < count; i++) run(inputs[i].data, inputs[i].size);
    for (size_t i = 0; i < mutations; i++) {
        size_t size = inputs[i % count].size;
        memcpy(data, inputs[i % count].data, size);
        for (size_t changes = 1 + random_below(4); changes > 0; changes--) size = mutate(data, size, inputs, count);
        run(data, size);
    }
    for (size_t i = 0; i < count; i++) free((char *)(uintptr_t)inputs[i].data);
    return 0;
}
