/* SPDX-License-Identifier: MIT */
/* The thread pool of the simulated libuv: work and look-ups of names. And what slotd links but does not reach here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slotd/mem.h"
#include "uv_parts.h"

struct job {
    uv_work_t *work;
    uv_work_cb run;
    uv_after_work_cb after;
    bool has_run;
    uint64_t number;
    struct job *next;
};
static struct job *jobs;
struct lookup {
    uv_getaddrinfo_t *request;
    uv_getaddrinfo_cb done;
    char name[64];
    uint64_t number;
    struct lookup *next;
};
static struct lookup *lookups;
static uint64_t n_jobs;

/* ---- threads ---- */

static void job_after(void *arg, uint64_t number)
{
    struct job **link = &jobs;
    (void)arg;
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct job *job = *link;
    if (job) {
        *link = job->next;
        job->after(job->work, 0);
        free(job);
    }
}

static void job_run(void *arg, uint64_t number)
{
    struct job *job = jobs;
    (void)arg;
    while (job && job->number != number) {
        job = job->next;
    }
    if (job && !job->has_run) {
        job->has_run = true;
        job->run(job->work);
        loop_ready(job_after, NULL, job->number);
    }
}

int uv_queue_work(uv_loop_t *loop, uv_work_t *work, uv_work_cb run, uv_after_work_cb after)
{
    struct job *job = MEM_NEW(struct job);
    (void)loop;
    *job = (struct job){.work = work, .run = run, .after = after, .number = ++n_jobs};
    struct job **end = &jobs;
    while (*end) {
        end = &(*end)->next;
    }
    *end = job;
    schedule(chance_delay(&uv_lags, 100, 40 * MS), job_run, NULL, job->number);
    return 0;
}

int uv_sem_init(uv_sem_t *sem, unsigned int value)
{
    memset(sem, 0, sizeof(*sem));
    *(unsigned *)sem = value;
    return 0;
}

void uv_sem_destroy(uv_sem_t *sem)
{
    (void)sem;
}

void uv_sem_post(uv_sem_t *sem)
{
    ++*(unsigned *)sem;
}

void uv_sem_wait(uv_sem_t *sem)
{
    for (struct job *job = jobs; job && *(unsigned *)sem == 0; job = job->next) {
        if (!job->has_run) {
            job->has_run = true;
            job->run(job->work);
            loop_ready(job_after, NULL, job->number);
        }
    }
    --*(unsigned *)sem;
}

int uv_sem_trywait(uv_sem_t *sem)
{
    if (*(unsigned *)sem == 0) {
        return UV_EAGAIN;
    }
    --*(unsigned *)sem;
    return 0;
}

/* ---- names ---- */

static void lookup_done(void *arg, uint64_t number)
{
    struct lookup **link = &lookups;
    (void)arg;
    while (*link && (*link)->number != number) {
        link = &(*link)->next;
    }
    struct lookup *lookup = *link;
    if (!lookup) {
        return;
    }
    *link = lookup->next;
    struct addrinfo *info = NULL;
    char address[48];
    size_t host = (size_t)atoi(lookup->name + strlen("node"));
    host_address(host, address, sizeof(address));
    int status = !sim.is_calm && sim.profile.faults[FAULT_NAME] && chance_percent(&uv_lags, 10) ? UV_EAI_AGAIN : 0;
    if (status == 0) {
        struct sockaddr_in *place = mem_alloc(sizeof(*place));
        info = mem_alloc(sizeof(*info));
        place->sin_family = AF_INET;
        unsigned char *bytes = (unsigned char *)&place->sin_addr;
        unsigned part[4] = {0};
        (void)sscanf(address, "%u.%u.%u.%u", &part[0], &part[1], &part[2], &part[3]);
        for (size_t i = 0; i < 4; i++) {
            bytes[i] = (unsigned char)part[i];
        }
        info->ai_family = AF_INET;
        info->ai_addr = (struct sockaddr *)place;
    } else {
        count_fault(FAULT_NAME);
    }
    lookup->done(lookup->request, status, info);
    free(lookup);
}

static void lookup_ready(void *arg, uint64_t number)
{
    loop_ready(lookup_done, arg, number);
}

int uv_getaddrinfo(uv_loop_t *loop, uv_getaddrinfo_t *request, uv_getaddrinfo_cb done, const char *node,
                   const char *service, const struct addrinfo *hints)
{
    struct lookup *lookup = MEM_NEW(struct lookup);
    (void)loop;
    (void)service;
    (void)hints;
    *lookup = (struct lookup){.request = request, .done = done, .number = ++n_jobs, .next = lookups};
    (void)snprintf(lookup->name, sizeof(lookup->name), "%s", node);
    lookups = lookup;
    schedule(chance_delay(&uv_lags, 200, 800 * MS), lookup_ready, NULL, lookup->number);
    return 0;
}

void uv_freeaddrinfo(struct addrinfo *info)
{
    if (info) {
        free(info->ai_addr);
        free(info);
    }
}

int uv_cancel(uv_req_t *request)
{
    (void)request;
    return UV_EBUSY;
}

/* ---- the end ---- */

bool jobs_end_one(void)
{
    bool some = jobs || lookups;
    struct job *job = jobs;
    if (job) {
        jobs = job->next;
        if (!job->has_run) {
            job->run(job->work);
        }
        job->after(job->work, 0);
        free(job);
    }
    struct lookup *lookup = lookups;
    if (lookup) {
        lookups = lookup->next;
        lookup->done(lookup->request, UV_ECANCELED, NULL);
        free(lookup);
    }
    return some;
}

/* ---- not reached: HAProxy's socket is a path here ---- */

int uv_tcp_init(uv_loop_t *loop, uv_tcp_t *tcp)
{
    (void)loop;
    (void)tcp;
    abort();
}

int uv_tcp_nodelay(uv_tcp_t *tcp, int enable)
{
    (void)tcp;
    (void)enable;
    abort();
}

int uv_tcp_connect(uv_connect_t *request, uv_tcp_t *tcp, const struct sockaddr *address, uv_connect_cb connected)
{
    (void)request;
    (void)tcp;
    (void)address;
    (void)connected;
    abort();
}

int uv_ip4_addr(const char *ip, int port, struct sockaddr_in *address)
{
    (void)ip;
    (void)port;
    (void)address;
    abort();
}

int uv_ip6_addr(const char *ip, int port, struct sockaddr_in6 *address)
{
    (void)ip;
    (void)port;
    (void)address;
    abort();
}
