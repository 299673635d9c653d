/* SPDX-License-Identifier: MIT */
/* What a unit's [Service] section says. Each directive is known here, as a restriction or as none; a value that cannot
 * be applied by hand is an error, so that no restriction of the unit goes untested unseen. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "confine.h"

enum kind { KIND_TEXT, KIND_EMPTY, KIND_YES, KIND_OTHER };

#define FIELD(member) offsetof(struct confine, member)

static const struct directive {
    const char *name;
    enum kind kind;
    size_t field;
} directives[] = {
    {"RuntimeDirectory", KIND_TEXT, FIELD(runtime_directory)},
    {"RuntimeDirectoryMode", KIND_TEXT, FIELD(runtime_mode)},
    {"StateDirectory", KIND_TEXT, FIELD(state_directory)},
    {"StateDirectoryMode", KIND_TEXT, FIELD(state_mode)},
    {"UMask", KIND_TEXT, FIELD(umask)},
    {"LimitCORE", KIND_TEXT, FIELD(limit_core)},
    {"LimitNOFILE", KIND_TEXT, FIELD(limit_nofile)},
    {"CapabilityBoundingSet", KIND_EMPTY, FIELD(bounding_set)},
    {"AmbientCapabilities", KIND_EMPTY, FIELD(ambient)},
    {"NoNewPrivileges", KIND_YES, FIELD(no_new_privileges)},
    {"ProtectSystem", KIND_TEXT, FIELD(protect_system)},
    {"ProtectHome", KIND_YES, FIELD(protect_home)},
    {"PrivateTmp", KIND_YES, FIELD(private_tmp)},
    {"PrivateDevices", KIND_YES, FIELD(private_devices)},
    {"PrivateIPC", KIND_YES, FIELD(private_ipc)},
    {"ProtectHostname", KIND_YES, FIELD(protect_hostname)},
    {"ProtectClock", KIND_YES, FIELD(protect_clock)},
    {"ProtectKernelTunables", KIND_YES, FIELD(protect_tunables)},
    {"ProtectKernelModules", KIND_YES, FIELD(protect_modules)},
    {"ProtectKernelLogs", KIND_YES, FIELD(protect_logs)},
    {"ProtectControlGroups", KIND_YES, FIELD(protect_cgroups)},
    {"ProtectProc", KIND_TEXT, FIELD(protect_proc)},
    {"ProcSubset", KIND_TEXT, FIELD(proc_subset)},
    {"RestrictAddressFamilies", KIND_TEXT, FIELD(families)},
    {"RestrictNamespaces", KIND_YES, FIELD(restrict_namespaces)},
    {"RestrictRealtime", KIND_YES, FIELD(restrict_realtime)},
    {"RestrictSUIDSGID", KIND_YES, FIELD(restrict_suid)},
    {"LockPersonality", KIND_YES, FIELD(lock_personality)},
    {"MemoryDenyWriteExecute", KIND_YES, FIELD(deny_write_execute)},
    {"SystemCallArchitectures", KIND_TEXT, FIELD(architectures)},
    {"SystemCallErrorNumber", KIND_TEXT, FIELD(errno_name)},
    /* What restricts nothing, or is given by the caller (users and groups), or lies outside the process. */
    {"Type", KIND_OTHER, 0},
    {"NotifyAccess", KIND_OTHER, 0},
    {"ExecStartPre", KIND_OTHER, 0},
    {"ExecStart", KIND_OTHER, 0},
    {"ExecReload", KIND_OTHER, 0},
    {"Restart", KIND_OTHER, 0},
    {"RestartSec", KIND_OTHER, 0},
    {"WatchdogSec", KIND_OTHER, 0},
    {"TimeoutStartSec", KIND_OTHER, 0},
    {"TimeoutStopSec", KIND_OTHER, 0},
    {"User", KIND_OTHER, 0},
    {"Group", KIND_OTHER, 0},
    {"SupplementaryGroups", KIND_OTHER, 0},
    {"RuntimeDirectoryPreserve", KIND_OTHER, 0},
    {"TasksMax", KIND_OTHER, 0},
    {"RemoveIPC", KIND_OTHER, 0},
    {"PrivateMounts", KIND_OTHER, 0}, /* a mount namespace of its own is made in any case */
};

static void set_value(struct confine *confine, const struct directive *directive, const char *value)
{
    void *field = (char *)confine + directive->field;
    switch (directive->kind) {
    case KIND_YES:
        if (strcmp(value, "yes") != 0) {
            confine_die(CONFINE_USAGE, "%s=%s: only yes is known here", directive->name, value);
        }
        *(bool *)field = true;
        return;
    case KIND_EMPTY:
        if (*value) {
            confine_die(CONFINE_USAGE, "%s=%s: only the empty set is known here", directive->name, value);
        }
        break;
    case KIND_TEXT:
        break;
    case KIND_OTHER:
        return;
    }
    *(char **)field = strdup(value);
}

static void read_directive(struct confine *confine, const char *name, const char *value)
{
    if (strcmp(name, "SystemCallFilter") == 0 && confine->n_filters < CONFINE_MAX_WORDS) {
        confine->filters[confine->n_filters++] = strdup(value);
        return;
    }
    for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
        if (strcmp(directives[i].name, name) == 0) {
            set_value(confine, &directives[i], value);
            return;
        }
    }
    confine_die(CONFINE_USAGE, "%s is not known here: say in confine_unit.c how it is applied by hand", name);
}

void confine_read_unit(struct confine *confine, const char *path)
{
    FILE *file = fopen(path, "re");
    char line[1024];
    bool in_service = false;
    if (!file) {
        confine_die(CONFINE_USAGE, "%s", path);
    }
    while (fgets(line, sizeof(line), file)) {
        size_t len = strlen(line);
        while (len > 0 && isspace((unsigned char)line[len - 1])) {
            line[--len] = '\0';
        }
        char *equals = strchr(line, '=');
        if (line[0] == '[') {
            in_service = strcmp(line, "[Service]") == 0;
        } else if (in_service && line[0] != '#' && equals) {
            *equals = '\0';
            read_directive(confine, line, equals + 1);
        }
    }
    (void)fclose(file);
    errno = 0;
}
