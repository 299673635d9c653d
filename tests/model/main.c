/* SPDX-License-Identifier: MIT */
/* Runs seeds, counts, and tells the story of one that fails. */
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"
#include "slotd/log.h"
#include "slotd/mem.h"

static struct {
    uint64_t seed, seeds, first_fresh;
    size_t steps; /* deeds of a run */
    int64_t seconds;
    bool trace, no_shrink, has_seed, known;
    int64_t report;
} options = {.seeds = 0, .steps = 150};

/* Each has broken a rule once, as a whole run. */
static const uint64_t known_seeds[] = {
    1795590181018, 1795600000419, 1795600000592, 1795700000413, 1796000000234, 1797000000070,
    1797000000344, 1798000000114, 1798000000597, 1798000000948, 1799000000157, 1799000000449,
    1799000000470, 1799100000116, 1799200000539, 1799300000140, 1799700000328, 1799800000022,
};
#define N_KNOWN (sizeof(known_seeds) / sizeof(known_seeds[0]))

void tell(const char *who, const char *format, ...)
{
    va_list args;
    if (!sim.trace) {
        return;
    }
    printf("%10.3f  %-9s ", (double)now_us() / (double)SECOND, who);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

void broken(const char *rule, const char *format, ...)
{
    va_list args;
    if (sim.broken) {
        return;
    }
    va_start(args, format);
    sim.broken = mem_vprintf(format, args);
    va_end(args);
    sim.rule = rule;
    tell("BROKEN", "%s: %s", rule, sim.broken);
}

static void log_line(void *arg, enum log_level level, const char *subsystem, const char *text)
{
    (void)arg;
    (void)level;
    tell("slotd", "%s: %s", subsystem, text);
}

static void print_numbers(uint64_t seeds, time_t began)
{
    printf("%" PRIu64 " seeds, %" PRIu64 " steps, %lld s, in them %.1f hours\n", seeds, sim.steps,
           (long long)(time(NULL) - began), (double)sim.lived_us / (double)(3600 * SECOND));
    for (size_t i = 0; i < N_FAULTS; i++) {
        printf("%10" PRIu64 "  %s\n", sim.faults[i], fault_names[i]);
    }
}

/* The story of a seed that fails, as short as it gets. */
static void explain(struct story *story, const char *program)
{
    size_t count = story->count;
    cleanup_free char *why = mem_strdup(sim.broken);
    const char *rule = sim.rule;
    printf("seed %" PRIu64 " breaks a rule: %s: %s\n", story->seed, rule, why);
    if (!options.no_shrink) {
        sim.rule = rule;
        story_shrink(story, 600, 60);
        (void)story_run(story, false);
        printf("%zu of its %zu happenings are enough:\n", story->count, count);
        log_open(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
        (void)story_run(story, true);
        log_open(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    }
    printf("again: %s --seed %" PRIu64 " --steps %zu --trace\n", program, story->seed, count);
}

static bool run_seed(uint64_t seed, const char *program)
{
    struct story story;
    story_make(seed, options.steps, &story);
    bool held = story_run(&story, options.trace);
    if (!held) {
        explain(&story, program);
    }
    free(story.deeds);
    return held;
}

static void usage(void)
{
    puts("model [--seed N] [--seeds N] [--steps N] [--seconds N] [--fresh] [--known] [--report N] [--trace]\n"
         "      [--no-shrink]\n"
         "  --seed N     begin with that seed (1)\n"
         "  --seeds N    run so many (1; without end with --seconds)\n"
         "  --steps N    happenings in a run (150)\n"
         "  --seconds N  run for so long\n"
         "  --fresh      begin with a seed from the clock\n"
         "  --known      before that those that have broken a rule once\n"
         "  --report N   print the numbers every N seconds\n"
         "  --trace      print what happens\n"
         "  --no-shrink  leave a story that fails as long as it is");
}

static bool read_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"seed", required_argument, NULL, 's'},
        {"seeds", required_argument, NULL, 'n'},
        {"steps", required_argument, NULL, 'd'},
        {"seconds", required_argument, NULL, 't'},
        {"report", required_argument, NULL, 'r'},
        {"fresh", no_argument, NULL, 'f'},
        {"trace", no_argument, NULL, 'v'},
        {"no-shrink", no_argument, NULL, 'x'},
        {"known", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    options.seed = 1;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;
        switch (option) {
        case 's':
            options.seed = number;
            break;
        case 'n':
            options.seeds = number;
            break;
        case 'd':
            options.steps = (size_t)number;
            break;
        case 't':
            options.seconds = (int64_t)number;
            break;
        case 'r':
            options.report = (int64_t)number;
            break;
        case 'f':
            options.seed = (uint64_t)time(NULL) * 1000;
            break;
        case 'k':
            options.known = true;
            break;
        case 'v':
            options.trace = true;
            break;
        case 'x':
            options.no_shrink = true;
            break;
        default:
            return false;
        }
    }
    options.seeds = options.seeds || options.seconds ? options.seeds : 1;
    return optind == argc;
}

/* Whether all held; *done counts them. */
static bool run_known(uint64_t *done, const char *program)
{
    bool held = true;
    for (; *done < N_KNOWN && held; (*done)++) {
        held = run_seed(known_seeds[*done], program);
    }
    return held;
}

int main(int argc, char **argv)
{
    uint64_t done = 0;
    uint64_t known = 0;
    if (!read_options(argc, argv)) {
        usage();
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    log_set_hook(log_line, NULL);
    log_open(LOG_FORMAT_TEXT, options.trace ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
    time_t began = time(NULL);
    time_t told = began;
    bool held = !options.known || run_known(&known, argv[0]);
    printf("from seed %" PRIu64 " on\n", options.seed);
    while (held && (options.seeds == 0 || done < options.seeds) &&
           (options.seconds == 0 || time(NULL) - began < options.seconds)) {
        held = run_seed(options.seed + done, argv[0]);
        done++;
        if (options.report && time(NULL) - told >= options.report) {
            told = time(NULL);
            print_numbers(done, began);
        }
    }
    done += known;
    print_numbers(done, began);
    printf("%" PRIu64 " passed, %d failed\n", held ? done : done - 1, held ? 0 : 1);
    free(sim.broken);
    return held ? 0 : 1;
}
