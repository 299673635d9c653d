/* SPDX-License-Identifier: MIT */
/* The parts of the simulated Marathon, and what they know of one another. */
#ifndef SLOTD_TESTS_MODEL_MARATHON_PARTS_H
#define SLOTD_TESTS_MODEL_MARATHON_PARTS_H

#include "model.h"

extern struct chance marathon_luck;

void publish_status(const struct task *task, const char *state);
void publish_instance(const struct task *task, const char *name, const char *condition);
void publish_health(const struct task *task);
void publish_definition(size_t app, const struct definition *definition);
void publish_end(size_t app);
const char *life_name(enum life state);

bool task_lives(const struct task *task);
void task_become(struct task *task, enum life state);
void task_later(struct task *task, int64_t least, int64_t most);
/* A wiped task has no terminal status. */
void task_end(struct task *task, const char *state, bool wiped);
void task_kill(struct task *task);

#endif
