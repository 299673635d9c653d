/* SPDX-License-Identifier: MIT */
/* The main of a fuzz target where there is no libFuzzer: runs the target over the files and folders that it is given,
 * or over its own corpus. A failure is a crash, so what ran has passed. */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX = 16 << 20, PATH_SIZE = 4096 };

static size_t inputs;

static void replay_path(const char *path);

static void replay_fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n0 passed, 1 failed\n", path, what);
    exit(EXIT_FAILURE);
}

/* The copy has exactly the input's size, so that ASan sees a read behind its end. */
static void replay_bytes(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        replay_fail("input", strerror(ENOMEM));
    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    inputs++;
}

static void replay_file(const char *path)
{
    static uint8_t bytes[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file)
        replay_fail(path, strerror(errno));
    size_t size = fread(bytes, 1, sizeof bytes, file);
    if (ferror(file) || size == sizeof bytes)
        replay_fail(path, "cannot be read, or is 16 MiB or more");
    fclose(file);
    replay_bytes(bytes, size);
}

static void replay_folder(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    if (count < 0)
        replay_fail(path, strerror(errno));
    for (int i = 0; i < count; i++) {
        char below[PATH_SIZE];
        int length = snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && length < PATH_SIZE)
            replay_path(below);
        free(entries[i]);
    }
    free(entries);
}

static void replay_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        replay_fail(path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        replay_folder(path);
    else
        replay_file(path);
}

int main(int argc, char **argv)
{
    char corpus[PATH_SIZE];
    snprintf(corpus, sizeof corpus, "%s/%s", SLOTD_FUZZ_CORPUS, basename(argv[0]));
    if (argc < 2)
        replay_path(corpus);
    for (int i = 1; i < argc; i++)
        replay_path(argv[i]);
    if (inputs == 0)
        replay_fail(argc < 2 ? corpus : argv[1], "no input in it");
    printf("%s: %zu inputs\n1 passed, 0 failed\n", basename(argv[0]), inputs);
    return EXIT_SUCCESS;
}
