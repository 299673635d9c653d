/* SPDX-License-Identifier: MIT */
/* Fuzz target: slotd.conf. What is refused says where and why, line by line; what is taken can be used offline too. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slotd/config.h"

/* The input as a file in a folder of its own, so that all it can include is itself: @include "F". */
static char folder[] = "/tmp/slotd-fuzz-config-XXXXXX";
static char path[sizeof(folder) + 2];

/* libconfig 1.5 loses a string of its own when it meets a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig\n";
}

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void folder_remove(void)
{
    unlink(path);
    rmdir(folder);
}

static void folder_make(void)
{
    require(mkdtemp(folder) && atexit(folder_remove) == 0);
    snprintf(path, sizeof(path), "%s/F", folder);
}

static void input_write(const uint8_t *data, size_t size)
{
    if (path[0] == '\0') {
        folder_make();
    }
    FILE *file = fopen(path, "w");
    require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

/* `FILE:LINE: TEXT`, without a byte that a terminal obeys. */
static void check_finding(const char *line, const char *end)
{
    const char *colon = memmem(line, (size_t)(end - line), ":", 1);
    require(colon && colon > line && colon[1] >= '1' && colon[1] <= '9');
    colon += 1 + strspn(colon + 1, "0123456789");
    require(colon + 2 < end && colon[0] == ':' && colon[1] == ' ');
    for (const char *c = line; c < end; c++) {
        require((unsigned char)*c >= 0x20 && *c != 0x7f);
    }
}

static void check_findings(const char *text)
{
    require(*text != '\0');
    while (*text) {
        const char *end = strchr(text, '\n');
        require(end != NULL);
        check_finding(text, end);
        text = end + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct config *offline = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    input_write(data, size);
    if (config_load(path, &config, &why) == 0) {
        require(config->n_haproxy > 0 && config->marathon.endpoints.count > 0 && why.len == 0);
        require(config_load_offline(path, &offline, &why) == 0 && why.len == 0);
    } else {
        require(config == NULL);
        check_findings(buf_text(&why));
    }
    config_free(offline);
    config_free(config);
    return 0;
}
