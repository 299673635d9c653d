/* SPDX-License-Identifier: MIT */
/* Commands that need no daemon. */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl_private.h"
#include "slotd/config.h"
#include "slotd/error.h"
#include "slotd/map_output.h"
#include "slotd/mem.h"

#define OFFLINE_TIMEOUT_S 60L

static bool read_stream(FILE *file, const char *name, struct buf *content)
{
    size_t len;
    do {
        len = fread(buf_reserve(content, 65536), 1, 65536, file);
        buf_commit(content, len);
    } while (len > 0);
    if (ferror(file)) {
        fprintf(stderr, "slotctl: %s: cannot be read: %s\n", name, strerror(errno));
        return false;
    }
    return true;
}

static bool read_file(const char *path, struct buf *content)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "slotctl: %s: cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    bool good = read_stream(file, path, content);
    (void)fclose(file);
    return good;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    buf_append(arg, data, size * count);
    return size * count;
}

static bool read_url(const char *url, struct buf *content)
{
    char message[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURL *easy = curl_easy_init();
    if (!easy) {
        return false;
    }
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, content);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, OFFLINE_TIMEOUT_S);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    if (code != CURLE_OK) {
        fprintf(stderr, "slotctl: %s: %s\n", url, message[0] ? message : curl_easy_strerror(code));
    } else if (status != 200) {
        fprintf(stderr, "slotctl: %s: answered %ld\n", url, status);
    }
    return code == CURLE_OK && status == 200;
}

bool ctl_read_source(const char *source, struct buf *content)
{
    if (strcmp(source, "-") == 0) {
        return read_stream(stdin, "standard input", content);
    }
    bool is_url = strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0;
    const char *rest = is_url ? strstr(source, "//") + 2 : "";
    if (memchr(rest, '@', strcspn(rest, "/?#"))) {
        fputs("slotctl: credentials in a URL are in the list of processes; `curl --netrc-file FILE URL | slotctl map "
              "-` keeps them out\n",
              stderr);
        return false;
    }
    return is_url ? read_url(source, content) : read_file(source, content);
}

struct config *ctl_load_config(const char *path)
{
    struct config *config = NULL;
    cleanup_buf struct buf why = BUF_INIT;
    if (!path) {
        return config_new_default();
    }
    if (config_load_offline(path, &config, &why)) {
        fputs(buf_text(&why), stderr);
        return NULL;
    }
    return config;
}

static int map_source(const struct ctl *ctl, const char *source, const struct config *config)
{
    struct json_object *document = NULL;
    cleanup_buf struct buf content = BUF_INIT;
    cleanup_buf struct buf why = BUF_INIT;
    if (!ctl_read_source(source, &content)) {
        return CTL_EXIT_FAILED;
    }
    int err = map_output_file(buf_text(&content), content.len, config, (int64_t)time(NULL) * 1000, &document, &why);
    if (err) {
        fprintf(stderr, "slotctl: %s: %s\n", source, why.len ? buf_text(&why) : error_text(err));
        return CTL_EXIT_FAILED;
    }
    ctl_print(ctl, document, text_print_services);
    json_object_put(document);
    return CTL_EXIT_DONE;
}

int ctl_map(const struct ctl *ctl, int argc, char **argv)
{
    const char *file = NULL;
    const char *source = NULL;
    for (int i = 0; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "-c") == 0 && has_value) {
            file = argv[++i];
        } else if ((argv[i][0] == '-' && argv[i][1]) || source) {
            return CTL_EXIT_USAGE;
        } else {
            source = argv[i];
        }
    }
    if (!source) {
        return CTL_EXIT_USAGE;
    }
    struct config *config = ctl_load_config(file);
    int code = config ? map_source(ctl, source, config) : CTL_EXIT_FAILED;
    config_free(config);
    return code;
}
