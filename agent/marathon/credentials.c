/* SPDX-License-Identifier: MIT */
/* Password and token: read from their files, and wiped. No message has anything of a secret in it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client_private.h"
#include "slotd/mem.h"
#include "slotd/text.h"

__attribute__((format(printf, 2, 3))) static void add_finding(struct buf *why, const char *format, ...)
{
    va_list args;
    buf_puts(why, why && why->len ? "; " : "");
    va_start(args, format);
    buf_vprintf(why, format, args);
    va_end(args);
}

static void check_mode(const char *path, const struct stat *info, struct buf *why)
{
    if (info->st_mode & (S_IROTH | S_IWOTH)) {
        add_finding(why, "%s: everybody may %s it (mode %04o); 0640 with slotd's group is enough", path,
                    info->st_mode & S_IROTH ? "read" : "write", (unsigned)info->st_mode & 07777);
    }
}

/* The file's bytes, ended by NUL. Returns false with why when they are no secret. */
static bool read_bytes(const char *path, char *text, size_t size, struct buf *why)
{
    struct stat info;
    /* A pipe without a writer would block. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd < 0 || fstat(fd, &info) < 0 ? -1 : read(fd, text, size);
    if (len < 0) {
        add_finding(why, "%s: cannot be read: %s", path, strerror(errno));
    } else if (!S_ISREG(info.st_mode)) {
        add_finding(why, "%s: is no regular file", path);
        len = -1;
    } else if ((size_t)len == size) {
        add_finding(why, "%s: is longer than %zu bytes; one line of text is expected", path, size - 1);
        len = -1;
    } else {
        check_mode(path, &info, why);
        text[len] = '\0';
    }
    if (fd >= 0) {
        close(fd);
    }
    return len >= 0;
}

/* The first line, without blanks around it. */
static char *find_secret(char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
    char *start = text + strspn(text, " \t");
    for (size_t end = strlen(start); end > 0 && (start[end - 1] == ' ' || start[end - 1] == '\t'); end--) {
        start[end - 1] = '\0';
    }
    return start;
}

/* It would break the header that carries it. */
static bool has_control_byte(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* All of it in one allocation, which is wiped: printf's would leave pieces behind as it grows. */
static char *join(const char *front, const char *middle, const char *secret)
{
    size_t lengths[] = {strlen(front), strlen(middle), strlen(secret)};
    char *whole = mem_alloc(lengths[0] + lengths[1] + lengths[2] + 1);
    memcpy(whole, front, lengths[0]);
    memcpy(whole + lengths[0], middle, lengths[1]);
    memcpy(whole + lengths[0] + lengths[1], secret, lengths[2]);
    return whole;
}

/* The secret in path behind front and middle, or NULL with why. */
static char *read_secret(const char *front, const char *middle, const char *path, struct buf *why)
{
    char text[CLIENT_MAX_SECRET + 1];
    char *whole = NULL;
    if (read_bytes(path, text, sizeof(text), why)) {
        const char *secret = find_secret(text);
        if (has_control_byte(secret)) {
            add_finding(why, "%s: holds a control byte; one line of text is expected", path);
        } else {
            whole = join(front, middle, secret);
        }
    }
    explicit_bzero(text, sizeof(text));
    return whole;
}

static void secret_free(char *secret)
{
    if (secret) {
        explicit_bzero(secret, strlen(secret));
        free(secret);
    }
}

void credentials_free(struct credentials *credentials)
{
    secret_free(credentials->user_password);
    secret_free(credentials->token_header);
    *credentials = (struct credentials){0};
}

bool credentials_read(struct credentials *credentials, const struct config_marathon *config, struct buf *why)
{
    struct credentials fresh = {0};
    struct stat info;
    if (config->user[0]) {
        fresh.user_password = read_secret(config->user, ":", config->password_file, why);
    }
    if (config->dcos_token_file[0]) {
        fresh.token_header = read_secret("Authorization: ", "token=", config->dcos_token_file, why);
    }
    /* libcurl reads the key, and says what else is wrong with it. */
    if (config->key_file[0] && stat(config->key_file, &info) == 0) {
        check_mode(config->key_file, &info, why);
    }
    bool changed = !text_equal(fresh.user_password, credentials->user_password) ||
                   !text_equal(fresh.token_header, credentials->token_header);
    credentials_free(credentials);
    *credentials = fresh;
    return changed;
}

bool credentials_lack(const struct credentials *credentials, const struct config_marathon *config)
{
    return (config->user[0] && !credentials->user_password) ||
           (config->dcos_token_file[0] && !credentials->token_header);
}
