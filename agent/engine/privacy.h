/* SPDX-License-Identifier: MIT */
/* Keeps the memory of the process to itself. */
#ifndef PRIVACY_H
#define PRIVACY_H

/* From now on no core is written, and no process of the same user may trace this one or read its memory (prctl(2),
 * PR_SET_DUMPABLE). For the rest of its life: what was once read may stay in memory that libraries have freed. Returns
 * 0 or -errno. */
int privacy_forbid_dumps(void);

#endif
