/* SPDX-License-Identifier: MIT */
/* The SPOP codec against bytes: vectors, frames of HAProxy, and everything that is not allowed. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include "slotd/spop.h"

struct bytes {
    uint8_t data[512];
    size_t len;
};

/* Hexadecimal digits; blanks are skipped, and 'text' stands for its bytes. */
static struct bytes from_hex(const char *hex)
{
    struct bytes bytes = {.len = 0};
    while (*hex) {
        unsigned byte = 0;
        if (*hex == ' ') {
            hex++;
        } else if (*hex == '\'') {
            for (hex++; *hex != '\''; hex++) {
                bytes.data[bytes.len++] = (uint8_t)*hex;
            }
            hex++;
        } else {
            ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
            bytes.data[bytes.len++] = (uint8_t)byte;
            hex += 2;
        }
    }
    return bytes;
}

static void assert_bytes(const void *data, size_t len, const char *hex)
{
    struct bytes wanted = from_hex(hex);
    ck_assert_uint_eq(len, wanted.len);
    ck_assert_mem_eq(data, wanted.data, len);
}

static const struct {
    uint64_t value;
    const char *hex;
} varints[] = {
    {0, "00"},
    {239, "ef"},
    {240, "f000"},
    {241, "f100"},
    {255, "ff00"},
    {256, "f001"},
    {2287, "ff7f"},
    {2288, "f08000"},
    {16380, "fcf006"},
    {65532, "fcf01e"},
    {264431, "ffff7f"},
    {264432, "f0808000"},
    {UINT64_C(1) << 31, "f0f1fefe3e"},
    {UINT32_MAX, "fff0fefe7e"},
    {UINT64_C(1) << 63, "f0f1fefefefefefefe06"},
    {UINT64_MAX, "fff0fefefefefefefe0e"},
};

START_TEST(varint_is_byte_exact)
{
    uint8_t room[SPOP_VARINT_MAX];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    spop_write_varint(&writer, varints[_i].value);
    ck_assert(!writer.failed);
    assert_bytes(room, (size_t)(writer.at - room), varints[_i].hex);
    struct bytes bytes = from_hex(varints[_i].hex);
    struct spop_reader reader = spop_reader_over(bytes.data, bytes.len);
    ck_assert_uint_eq(spop_read_varint(&reader), varints[_i].value);
    ck_assert(!reader.failed && !spop_reader_more(&reader));
    for (size_t len = 0; len < bytes.len; len++) {
        reader = spop_reader_over(bytes.data, len);
        spop_read_varint(&reader);
        ck_assert(reader.failed);
    }
}
END_TEST

START_TEST(varint_beyond_64_bits_is_refused)
{
    static const char *const bad[] = {"fff0fefefefefefefe0f", "fffffffffffffffffe0f", "f0808080808080808010",
                                      "f080808080808080808000", "ffffffffffffffffffffffff"};
    struct bytes bytes = from_hex(bad[_i]);
    struct spop_reader reader = spop_reader_over(bytes.data, bytes.len);
    ck_assert_uint_eq(spop_read_varint(&reader), 0);
    ck_assert(reader.failed);
    ck_assert_uint_eq(spop_read_byte(&reader), 0);
}
END_TEST

static const struct {
    const char *hex;
    struct spop_value value;
} values[] = {
    {"00", {.type = SPOP_NULL}},
    {"01", {.type = SPOP_BOOL}},
    {"11", {.type = SPOP_BOOL, .boolean = true}},
    {"02 05", {.type = SPOP_INT32, .number = 5}},
    {"02 fff0fefefefefefefe0e", {.type = SPOP_INT32, .number = UINT64_MAX}},
    {"03 fcf006", {.type = SPOP_UINT32, .number = 16380}},
    {"04 f0f1fefefefefefefe06", {.type = SPOP_INT64, .number = UINT64_C(1) << 63}},
    {"05 fff0fefefefefefefe0e", {.type = SPOP_UINT64, .number = UINT64_MAX}},
    {"06 7f000001", {.type = SPOP_IPV4, .text = {"\x7f\0\0\1", 4}}},
    {"07 00000000000000000000000000000001", {.type = SPOP_IPV6, .text = {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16}}},
    {"08 00", {.type = SPOP_STRING}},
    {"08 03 'abc'", {.type = SPOP_STRING, .text = {"abc", 3}}},
    {"09 02 0000", {.type = SPOP_BINARY, .text = {"\0\0", 2}}},
};

START_TEST(value_is_byte_exact)
{
    uint8_t room[32];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    spop_write_value(&writer, &values[_i].value);
    assert_bytes(room, (size_t)(writer.at - room), values[_i].hex);
    struct bytes bytes = from_hex(values[_i].hex);
    struct spop_reader reader = spop_reader_over(bytes.data, bytes.len);
    struct spop_value value = spop_read_value(&reader);
    ck_assert(!reader.failed && !spop_reader_more(&reader));
    ck_assert_int_eq(value.type, values[_i].value.type);
    ck_assert_int_eq(value.boolean, values[_i].value.boolean);
    ck_assert_uint_eq(value.number, values[_i].value.number);
    ck_assert_uint_eq(value.text.len, values[_i].value.text.len);
    ck_assert(value.text.len == 0 || memcmp(value.text.data, values[_i].value.text.data, value.text.len) == 0);
    for (size_t len = 0; len < bytes.len; len++) {
        reader = spop_reader_over(bytes.data, len);
        spop_read_value(&reader);
        ck_assert(reader.failed);
    }
}
END_TEST

START_TEST(value_that_is_none_is_refused)
{
    static const char *const bad[] = {"",           "0a",    "0f", "03 f0f1fefe7e", "02 f0f1fefefefefefefe06",
                                      "06 7f0000",  "07 00", "08", "08 04 'abc'",   "08 fff0fefefefefefefe0e 'a'",
                                      "09 ef 'abc'"};
    struct bytes bytes = from_hex(bad[_i]);
    struct spop_reader reader = spop_reader_over(bytes.data, bytes.len);
    ck_assert_int_eq(spop_read_value(&reader).type, SPOP_NULL);
    ck_assert(reader.failed);
    ck_assert_uint_eq(spop_read_text(&reader).len, 0);
}
END_TEST

START_TEST(negative_of_32_bits_is_the_same_number)
{
    struct bytes bytes = from_hex("02 fff0fefe7e");
    struct spop_reader reader = spop_reader_over(bytes.data, bytes.len);
    ck_assert_int_eq((int64_t)spop_read_value(&reader).number, -1);
}
END_TEST

START_TEST(address_of_another_length_is_not_written)
{
    uint8_t room[32];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    spop_write_value(&writer, &(struct spop_value){.type = SPOP_IPV4, .text = {"abc", 3}});
    ck_assert(writer.failed);
}
END_TEST

START_TEST(frame_is_read)
{
    struct bytes bytes = from_hex("0000000a 03 00000001 f101 02 0111 ff");
    struct spop_frame frame;
    for (size_t len = 0; len < 14; len++) {
        ck_assert_int_eq(spop_frame_read(bytes.data, len, 10, &frame), 0);
    }
    ck_assert_int_eq(spop_frame_read(bytes.data, bytes.len, 10, &frame), 1);
    ck_assert_uint_eq(frame.type, SPOP_NOTIFY);
    ck_assert_uint_eq(frame.flags, SPOP_FIN);
    ck_assert_uint_eq(frame.stream_id, 257);
    ck_assert_uint_eq(frame.frame_id, 2);
    ck_assert_uint_eq(frame.size, 14);
    ck_assert_uint_eq((size_t)(frame.payload.end - frame.payload.at), 2);
}
END_TEST

START_TEST(frame_that_is_none_is_refused)
{
    static const struct {
        const char *hex;
        int code;
    } bad[] = {
        {"00000000", SPOP_INVALID},
        {"00000006 03 00000001 00", SPOP_INVALID},
        {"00000101", SPOP_TOO_BIG},
        {"ffffffff 03", SPOP_TOO_BIG},
        {"00000007 03 00000001 f0 80", SPOP_INVALID},
        {"00000007 03 00000001 00 f0", SPOP_INVALID},
    };
    struct bytes bytes = from_hex(bad[_i].hex);
    struct spop_frame frame;
    ck_assert_int_eq(spop_frame_read(bytes.data, bytes.len, 256, &frame), -bad[_i].code);
}
END_TEST

START_TEST(messages_are_read)
{
    struct bytes bytes = from_hex("05 'route' 03 04 'host' 08 01 'a' 00 11 04 'host' 02 07  01 'x' 00");
    struct spop_reader payload = spop_reader_over(bytes.data, bytes.len);
    struct spop_message message;
    ck_assert(spop_message_read(&payload, &message));
    ck_assert_mem_eq(message.name.data, "route", 5);
    ck_assert_uint_eq(message.argument_count, 3);
    ck_assert_uint_eq(message.arguments[1].name.len, 0);
    ck_assert(message.arguments[1].value.boolean);
    ck_assert_ptr_eq(spop_message_find(&message, SPOP_TEXT("host")), &message.arguments[0].value);
    ck_assert_ptr_eq(spop_message_find(&message, SPOP_TEXT("hos")), NULL);
    ck_assert(spop_message_read(&payload, &message));
    ck_assert_uint_eq(message.argument_count, 0);
    ck_assert(!spop_message_read(&payload, &message));
    ck_assert(!payload.failed);
}
END_TEST

START_TEST(message_that_is_cut_is_refused)
{
    static const char *const bad[] = {"05 'rout'",        "05 'route'",          "05 'route' 01",
                                      "05 'route' 01 00", "05 'route' 01 00 0b", "01 'x' ff 00 00"};
    struct bytes bytes = from_hex(bad[_i]);
    struct spop_reader payload = spop_reader_over(bytes.data, bytes.len);
    struct spop_message message;
    ck_assert(!spop_message_read(&payload, &message));
    ck_assert(payload.failed);
}
END_TEST

#define HEAD "01 00000001 00 00 "
#define VERSIONS "12 'supported-versions' 08 03 '2.0' "
#define SIZE "0e 'max-frame-size' 03 fcf006 "
#define CAPABILITIES "0c 'capabilities' 08 00 "

/* 0, or the code. The frame has no length yet. */
static int hello_read(const char *hex, struct spop_hello *ret_hello)
{
    struct bytes rest = from_hex(hex);
    static struct bytes whole; /* what is read points into it */
    whole = from_hex("00000000");
    whole.data[2] = (uint8_t)(rest.len >> 8);
    whole.data[3] = (uint8_t)rest.len;
    memcpy(whole.data + 4, rest.data, rest.len);
    struct spop_frame frame;
    ck_assert_int_eq(spop_frame_read(whole.data, rest.len + 4, 512, &frame), 1);
    return -spop_hello_read(&frame, ret_hello);
}

START_TEST(healthcheck_is_understood_and_answered)
{
    struct bytes bytes = from_hex("0000004e " HEAD VERSIONS SIZE CAPABILITIES "0b 'healthcheck' 11");
    struct spop_frame frame;
    struct spop_hello hello;
    ck_assert_uint_eq(bytes.len, 82);
    ck_assert_int_eq(spop_frame_read(bytes.data, bytes.len, 16380, &frame), 1);
    ck_assert_int_eq(spop_hello_read(&frame, &hello), 0);
    ck_assert(hello.healthcheck && !hello.pipelining);
    ck_assert_uint_eq(hello.max_frame_size, 16380);
    ck_assert_uint_eq(hello.engine_id.len, 0);
    uint8_t room[64];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    spop_agent_hello_write(&writer, 16380, false);
    assert_bytes(room, (size_t)(writer.at - room),
                 "00000036 65 00000001 00 00 07 'version' 08 03 '2.0' 0e 'max-frame-size' 03 fcf006 "
                 "0c 'capabilities' 08 00");
}
END_TEST

START_TEST(hello_of_an_engine_is_understood)
{
    struct spop_hello hello;
    ck_assert_int_eq(hello_read(HEAD
                                "12 'supported-versions' 08 0a '1.0 , 2.0 ' 0e 'max-frame-size' 02 f001 "
                                "0c 'capabilities' 08 11 'async, pipelining' 04 'more' 00 09 'engine-id' 08 02 'id'",
                                &hello),
                     0);
    ck_assert(hello.pipelining && !hello.healthcheck);
    ck_assert_uint_eq(hello.max_frame_size, 256);
    ck_assert_mem_eq(hello.engine_id.data, "id", 2);
}
END_TEST

START_TEST(hello_that_is_wrong_has_its_code)
{
    static const struct {
        const char *hex;
        int code;
    } bad[] = {
        {HEAD SIZE CAPABILITIES, SPOP_NO_VERSION},
        {HEAD VERSIONS CAPABILITIES, SPOP_NO_MAX_FRAME_SIZE},
        {HEAD VERSIONS SIZE, SPOP_NO_CAPABILITIES},
        {HEAD SIZE CAPABILITIES "12 'supported-versions' 08 03 '1.0'", SPOP_BAD_VERSION},
        {HEAD SIZE CAPABILITIES "12 'supported-versions' 08 00", SPOP_BAD_VERSION},
        {HEAD SIZE CAPABILITIES "12 'supported-versions' 08 05 '2.0.1'", SPOP_BAD_VERSION},
        {HEAD VERSIONS CAPABILITIES "0e 'max-frame-size' 03 ff00", SPOP_BAD_MAX_FRAME_SIZE},
        {HEAD VERSIONS CAPABILITIES "0e 'max-frame-size' 02 fff0fefefefefefefe0e", SPOP_BAD_MAX_FRAME_SIZE},
        {HEAD VERSIONS CAPABILITIES "0e 'max-frame-size' 08 00", SPOP_INVALID},
        {HEAD VERSIONS SIZE CAPABILITIES "0b 'healthcheck' 02 01", SPOP_INVALID},
        {HEAD VERSIONS SIZE CAPABILITIES "0b 'health'", SPOP_INVALID},
        {"01 00000001 01 00 " VERSIONS SIZE CAPABILITIES, SPOP_INVALID},
        {"01 00000001 00 01 " VERSIONS SIZE CAPABILITIES, SPOP_INVALID},
        {"03 00000001 00 00 " VERSIONS SIZE CAPABILITIES, SPOP_INVALID},
        {"01 00000000 00 00 " VERSIONS SIZE CAPABILITIES, SPOP_FRAGMENTED},
    };
    struct spop_hello hello;
    ck_assert_int_eq(hello_read(bad[_i].hex, &hello), bad[_i].code);
}
END_TEST

START_TEST(disconnects_are_read_and_written)
{
    static const struct {
        const char *payload;
        int err;
        uint64_t code;
    } cases[] = {
        {"0b 'status-code' 03 0a 07 'message' 08 01 'x'", 0, 10},
        {"07 'message' 08 01 'x'", 0, SPOP_UNKNOWN},
        {"0b 'status-code' 03", -SPOP_INVALID, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct bytes bytes = from_hex(cases[i].payload);
        struct spop_frame frame = {.payload = spop_reader_over(bytes.data, bytes.len)};
        uint64_t code = 0;
        ck_assert_int_eq(spop_disconnect_read(&frame, &code), cases[i].err);
        ck_assert_uint_eq(code, cases[i].code);
    }
    uint8_t room[128];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    spop_agent_disconnect_write(&writer, SPOP_NORMAL);
    assert_bytes(room, (size_t)(writer.at - room),
                 "00000025 66 00000001 00 00 0b 'status-code' 03 00 07 'message' 08 06 'normal'");
    ck_assert_str_eq(spop_code_text(SPOP_INVALID), "invalid frame received");
    ck_assert_str_eq(spop_code_text(14), "unknown error");
    ck_assert_str_eq(spop_code_text(SPOP_UNKNOWN), "unknown error");
}
END_TEST

static void write_answer(struct spop_writer *writer)
{
    uint8_t *start = spop_frame_begin(writer, SPOP_ACK, 256, 3);
    spop_set_text(writer, SPOP_TRANSACTION, SPOP_TEXT("backend"), SPOP_TEXT("web"));
    spop_unset_variable(writer, SPOP_REQUEST, SPOP_TEXT("path"));
    spop_frame_end(writer, start);
}

START_TEST(answer_is_byte_exact_and_never_half)
{
    uint8_t room[64];
    struct spop_writer writer = spop_writer_over(room, sizeof(room));
    write_answer(&writer);
    size_t len = (size_t)(writer.at - room);
    assert_bytes(room, len, "00000020 67 00000001 f001 03  01 03 02 07 'backend' 08 03 'web'  02 02 03 04 'path'");
    for (size_t size = 0; size < len; size++) {
        writer = spop_writer_over(room, size);
        write_answer(&writer);
        ck_assert(writer.failed);
        ck_assert(writer.at <= writer.end);
    }
}
END_TEST

static Suite *spop_suite(void)
{
    Suite *suite = suite_create("spop");
    TCase *tests = tcase_create("spop");
    tcase_add_loop_test(tests, varint_is_byte_exact, 0, sizeof(varints) / sizeof(*varints));
    tcase_add_loop_test(tests, varint_beyond_64_bits_is_refused, 0, 5);
    tcase_add_loop_test(tests, value_is_byte_exact, 0, sizeof(values) / sizeof(*values));
    tcase_add_loop_test(tests, value_that_is_none_is_refused, 0, 11);
    tcase_add_test(tests, negative_of_32_bits_is_the_same_number);
    tcase_add_test(tests, address_of_another_length_is_not_written);
    tcase_add_test(tests, frame_is_read);
    tcase_add_loop_test(tests, frame_that_is_none_is_refused, 0, 6);
    tcase_add_test(tests, messages_are_read);
    tcase_add_loop_test(tests, message_that_is_cut_is_refused, 0, 6);
    tcase_add_test(tests, healthcheck_is_understood_and_answered);
    tcase_add_test(tests, hello_of_an_engine_is_understood);
    tcase_add_loop_test(tests, hello_that_is_wrong_has_its_code, 0, 15);
    tcase_add_test(tests, disconnects_are_read_and_written);
    tcase_add_test(tests, answer_is_byte_exact_and_never_half);
    suite_add_tcase(suite, tests);
    return suite;
}

SUITE_MAIN(spop_suite)
