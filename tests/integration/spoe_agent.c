/* SPDX-License-Identifier: MIT */
/* The SPOE agent around a callback that says back what it was asked. Use: spoe_agent LISTEN THREADS; prints where it
 * listens, then a line of numbers each time it is told so on its standard input; ends with that, or by SIGTERM. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "slotd/spoe.h"

enum { KIND_NOTHING, KIND_ROUTED };

/* backend is the host and what is published; path is twice the path, so that an answer can be too long. */
static unsigned decide(void *arg, unsigned thread, const struct spop_message *message, struct spop_writer *answer)
{
    const struct spop_value *host = spop_message_find(message, SPOP_TEXT("host"));
    const struct spop_value *path = spop_message_find(message, SPOP_TEXT("path"));
    const char *published = epoch_data(arg);
    (void)thread;
    if (!host || host->type != SPOP_STRING || !path || path->type != SPOP_STRING) {
        return KIND_NOTHING;
    }
    spop_set_text(answer, SPOP_TRANSACTION, SPOP_TEXT("backend"), host->text);
    spop_set_text(answer, SPOP_TRANSACTION, SPOP_TEXT("path"), path->text);
    spop_set_text(answer, SPOP_TRANSACTION, SPOP_TEXT("service"), (struct spop_text){published, strlen(published)});
    if (path->text.len > 8000) {
        spop_set_text(answer, SPOP_TRANSACTION, SPOP_TEXT("prefix"), path->text);
    }
    return KIND_ROUTED;
}

static void print_numbers(const struct spoe *spoe)
{
    struct spoe_metrics metrics;
    spoe_metrics_read(spoe, &metrics);
    printf("requests=%" PRIu64 " routed=%" PRIu64 " truncated=%" PRIu64 " checks=%" PRIu64 " open=%" PRIu64
           " slow=%" PRIu64,
           metrics.requests, metrics.answers[KIND_ROUTED], metrics.truncated, metrics.healthchecks,
           metrics.accepted - metrics.closed, metrics.slow);
    for (unsigned i = 0; i < SPOE_CODES; i++) {
        printf(" d%u=%" PRIu64, i, metrics.disconnects[i]);
    }
    printf("\n");
    fflush(stdout);
}

static volatile sig_atomic_t ended;

static void note_end(int number)
{
    (void)number;
    ended = 1;
}

static void publish(struct epoch *epoch, unsigned number)
{
    char *text = malloc(32);
    if (text) {
        snprintf(text, 32, "table-%u", number);
        epoch_publish(epoch, text);
    }
}

int main(int argc, char **argv)
{
    char line[16];
    const struct sigaction action = {.sa_handler = note_end};
    unsigned threads = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (threads < 1 || threads > SPOE_THREADS_MAX) {
        fprintf(stderr, "usage: spoe_agent LISTEN THREADS\n");
        return 2;
    }
    sigaction(SIGTERM, &action, NULL);
    struct epoch *epoch = epoch_new(threads, free);
    publish(epoch, 0);
    struct buf why = BUF_INIT;
    struct spoe *spoe = NULL;
    const struct spoe_config config = {
        .listen = argv[1], .threads = threads, .decide = decide, .arg = epoch, .epoch = epoch};
    int err = spoe_start(&config, &why, &spoe);
    if (err) {
        fprintf(stderr, "%s\n", buf_text(&why));
    } else {
        printf("listening on %u\n", spoe_port(spoe));
        fflush(stdout);
        for (unsigned number = 1; !ended && fgets(line, sizeof(line), stdin); number++) {
            publish(epoch, number);
            print_numbers(spoe);
        }
        spoe_free(spoe);
    }
    epoch_free(epoch);
    buf_free(&why);
    return err ? 1 : 0;
}
