/* SPDX-License-Identifier: MIT */
/* The list of what doctor has to say. */
#include <stdarg.h>
#include <string.h>

#include "doctor.h"
#include "slotd/mem.h"

void doctor_report(struct doctor_findings *findings, enum doctor_severity severity, const char *code,
                   const char *subject, const char *format, ...)
{
    MEM_GROW(findings->items, findings->capacity, findings->count + 1);
    struct doctor_finding *finding = &findings->items[findings->count++];
    *finding = (struct doctor_finding){.severity = severity, .code = code, .subject = mem_strdup(subject)};
    va_list args;
    va_start(args, format);
    finding->message = mem_vprintf(format, args);
    va_end(args);
}

void doctor_remedy(struct doctor_findings *findings, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    findings->items[findings->count - 1].remedy = mem_vprintf(format, args);
    va_end(args);
}

bool doctor_is_fine_since(const struct doctor_findings *findings, size_t first)
{
    for (size_t i = first; i < findings->count; i++) {
        if (findings->items[i].severity > DOCTOR_HINT) {
            return false;
        }
    }
    return true;
}

size_t doctor_count(const struct doctor_findings *findings, enum doctor_severity severity)
{
    size_t count = 0;
    for (size_t i = 0; i < findings->count; i++) {
        count += findings->items[i].severity == severity;
    }
    return count;
}

void doctor_sort(struct doctor_findings *findings)
{
    struct doctor_finding *sorted = mem_alloc_array(findings->count, sizeof(*sorted));
    size_t count = 0;
    for (int severity = DOCTOR_N_SEVERITIES - 1; severity >= 0; severity--) {
        for (size_t i = 0; i < findings->count; i++) {
            if (findings->items[i].severity == (enum doctor_severity)severity) {
                sorted[count++] = findings->items[i];
            }
        }
    }
    free(findings->items);
    findings->items = sorted;
    findings->capacity = count;
}

static struct json_object *show_text(const char *text)
{
    return text ? json_object_new_string(text) : NULL;
}

struct json_object *doctor_document(const struct doctor_findings *findings)
{
    static const char *const names[DOCTOR_N_SEVERITIES] = {"ok", "hint", "warning", "error"};
    static const char *const counts[DOCTOR_N_SEVERITIES] = {NULL, "hints", "warnings", "errors"};
    struct json_object *document = json_object_new_object();
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < findings->count; i++) {
        const struct doctor_finding *finding = &findings->items[i];
        struct json_object *object = json_object_new_object();
        json_object_object_add(object, "severity", show_text(names[finding->severity]));
        json_object_object_add(object, "code", show_text(finding->code));
        json_object_object_add(object, "subject", show_text(finding->subject));
        json_object_object_add(object, "message", show_text(finding->message));
        json_object_object_add(object, "remedy", show_text(finding->remedy));
        json_object_array_add(list, object);
    }
    json_object_object_add(document, "findings", list);
    for (int i = DOCTOR_N_SEVERITIES - 1; i > DOCTOR_OK; i--) {
        json_object_object_add(document, counts[i],
                               json_object_new_int64((int64_t)doctor_count(findings, (enum doctor_severity)i)));
    }
    return document;
}

void doctor_findings_free(struct doctor_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].subject);
        free(findings->items[i].message);
        free(findings->items[i].remedy);
    }
    free(findings->items);
    *findings = (struct doctor_findings){0};
}
