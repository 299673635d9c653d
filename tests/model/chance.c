/* SPDX-License-Identifier: MIT */
/* Numbers from a seed: splitmix64. */
#include "model.h"

static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

void chance_seed(struct chance *chance, uint64_t seed, uint64_t purpose)
{
    chance->state = mix(seed + UINT64_C(0x9e3779b97f4a7c15) * (purpose + 1));
}

uint64_t chance_next(struct chance *chance)
{
    chance->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(chance->state);
}

uint64_t chance_below(struct chance *chance, uint64_t below)
{
    return below ? chance_next(chance) % below : 0;
}

bool chance_percent(struct chance *chance, unsigned percent)
{
    return chance_below(chance, 100) < percent;
}

int64_t chance_delay(struct chance *chance, int64_t least, int64_t most)
{
    int64_t span = most > least ? most - least : 0;
    /* Mostly in the lowest eighth. */
    span = chance_percent(chance, 80) ? span / 8 : span;
    return least + (int64_t)chance_below(chance, (uint64_t)span + 1);
}
