/* SPDX-License-Identifier: MIT */
/* SPOP from HAProxy: every frame of the input is read as what it can be, and each value comes out of the writer as it
 * went in. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "slotd/spop.h"

enum { MAX_FRAME = 16380 };

static void check_value(const struct spop_value *value)
{
    static uint8_t room[MAX_FRAME + 16];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    spop_write_value(&writer, value);
    struct spop_reader reader = spop_reader_over(room, (size_t)(writer.at - room));
    struct spop_value again = spop_read_value(&reader);
    if (writer.failed || reader.failed || spop_reader_more(&reader) || again.type != value->type ||
        again.boolean != value->boolean || again.number != value->number || again.text.len != value->text.len ||
        memcmp(again.text.data, value->text.data, value->text.len) != 0) {
        abort();
    }
}

static void check_frame(const struct spop_frame *frame)
{
    struct spop_reader payload = frame->payload;
    struct spop_message message;
    struct spop_hello hello;
    uint64_t code = 0;
    while (spop_message_read(&payload, &message)) {
        for (size_t i = 0; i < message.argument_count; i++) {
            check_value(&message.arguments[i].value);
        }
    }
    if (spop_hello_read(frame, &hello) == 0 && hello.max_frame_size < SPOP_MAX_FRAME_MIN) {
        abort();
    }
    (void)spop_disconnect_read(frame, &code);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spop_frame frame;
    size_t at = 0;
    while (spop_frame_read(data + at, size - at, MAX_FRAME, &frame) == 1) {
        check_frame(&frame);
        at += frame.size;
    }
    return 0;
}
