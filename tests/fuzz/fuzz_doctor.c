/* SPDX-License-Identifier: MIT */
/* Fuzz target: what doctor reads of HAProxy and of files that are not slotd's. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "../../agent/ctl/doctor.h"
#include "slotd/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size);
    struct doctor_haproxy haproxy = {0};
    doctor_parse_maps(text, &haproxy.known_maps);
    doctor_parse_backends(text, &haproxy.backends);
    (void)doctor_parse_clients(text, "/run/s.sock");
    doctor_parse_configuration(text, &haproxy.configuration);
    for (size_t i = 0; i < haproxy.known_maps.count; i++) {
        (void)doctor_base_name(haproxy.known_maps.items[i].name);
    }
    struct map_content *content = doctor_parse_map_file(text);
    for (size_t i = 0; i < content->count; i++) {
        if (content->entries[i].key[0] == '\0' || strpbrk(content->entries[i].key, " \t\n")) {
            abort();
        }
    }
    if (doctor_count_map_differences(content, content) != 0) {
        abort();
    }
    map_content_free(content);
    doctor_haproxy_free(&haproxy);
    free(text);
    return 0;
}
