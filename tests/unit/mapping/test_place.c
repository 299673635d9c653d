/* SPDX-License-Identifier: MIT */
/* Host and port of a task in every network mode. */
#include "mapping_fixture.h"

/* An app /a whose one task is at `at`, and what its one part says about it. */
#define APP(definition, task) "{'id':'/a'," definition "'tasks':[{'id':'a.1','state':'TASK_RUNNING'," task "}]}"
#define PART "backend-a frontend-a http 25 Host:a.marathon.localhost\n"
#define AT(place) PART "  server-a-a-1 " place " http 1 ready\n"
#define PROBLEM(code, message) PART "! " code " a.1 -: " message "\n"
#define WARNED(place, code, message) AT(place) "! " code " - -: " message "\n"

#define CONTAINER "'networks':[{'mode':'container','name':'dcos'}],"
#define BRIDGE "'networks':[{'mode':'container/bridge'}],"
#define IP(address) "{'ipAddress':'" address "','protocol':'IPv4'}"
#define PLACES "'host':'node1','ports':[31000,31001],'ipAddresses':[" IP("9.0.0.1") "]"
#define PORT(label) "'labels':{'traefik.port':'" label "'},"
#define INDEX(label) "'labels':{'traefik.portIndex':'" label "'},"
#define NAME(label) "'labels':{'traefik.portName':'" label "'},"
#define IDX(label) "'labels':{'traefik.ipAddressIdx':'" label "'},"

/* ---- host ---- */

START_TEST(hosts_that_are_none)
{
    static const char *const bad[] = {"a b", "a;b",  "a\\nb",    "-a",       "a-",         "a..b",        "[::1]",
                                      "a/b", "a:80", "1.2.3.4 ", "http://a", "\\u00e9.de", "fe80::1%eth0"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *app = mem_printf(APP("", "'host':'%s','ports':[80]"), bad[i]);
        struct app_mapping *mapping = fixture_map(app);
        ck_assert_uint_eq(mapping->parts[0].n_endpoints, 0);
        ck_assert_uint_eq(mapping->problems.count, 1);
        ck_assert_str_eq(mapping->problems.items[0].code, "host-invalid");
        app_mapping_free(mapping);
    }
    static const struct mapped list[] = {
        {APP("", "'host':'a b\\u001b','ports':[80]"),
         PROBLEM("host-invalid", "its host `a b\\x1b` is neither an IP address nor a host name")},
        {APP("", "'host':'','ports':[80]"), PROBLEM("host-missing", "Marathon names no host for the task")},
        {APP("", "'ports':[80]"), PROBLEM("host-missing", "Marathon names no host for the task")},
        {APP(CONTAINER, "'host':'node1','ports':[80],'ipAddresses':[" IP("9.0.0.1\\nset x") "]"),
         PROBLEM("host-invalid", "its host `9.0.0.1\\x0aset x` is neither an IP address nor a host name")},
        {APP(CONTAINER, "'host':'node1','ports':[80],'ipAddresses':[{}]"),
         PROBLEM("host-missing", "Marathon names no host for the task")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(addresses_that_cannot_be_picked)
{
#define TWO "'host':'node1','ports':[80],'ipAddresses':[" IP("9.0.0.1") "," IP("10.0.0.1") "]"
#define AMBIGUOUS                                                                                                      \
    PROBLEM("ip-address-ambiguous", "the task has 2 IP addresses; the label traefik.ipAddressIdx must pick one, 0 to " \
                                    "1")
#define OUTSIDE(index)                                                                                                 \
    PROBLEM("ip-address-index", "traefik.ipAddressIdx is " index "; the task has the IP addresses 0 to 1")
    static const struct mapped list[] = {
        {APP(CONTAINER, "'host':'node1','ports':[80]"),
         PROBLEM("ip-address-missing",
                 "the app is on a container network, and Marathon lists no IP address for the task")},
        {APP(CONTAINER, TWO), AMBIGUOUS},
        {APP(CONTAINER IDX(""), TWO), AMBIGUOUS},
        {APP(CONTAINER IDX("x"), TWO), AMBIGUOUS},
        {APP(CONTAINER IDX("1 "), TWO), AMBIGUOUS},
        {APP(CONTAINER IDX("-1"), TWO), OUTSIDE("-1")},
        {APP(CONTAINER IDX("2"), TWO), OUTSIDE("2")},
        {APP(CONTAINER IDX("3"), TWO), OUTSIDE("3")},
        {APP(CONTAINER IDX("99999999999"), TWO), OUTSIDE("99999999999")},
        {APP(CONTAINER IDX("0"), TWO), AT("9.0.0.1:80")},
        {APP(CONTAINER IDX("+1"), TWO), AT("10.0.0.1:80")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(the_network_decides_which_host)
{
    static const struct mapped list[] = {
        {APP("", PLACES), AT("node1:31000")},
        {APP("'networks':[],", PLACES), AT("node1:31000")},
        {APP("'networks':[{'mode':'host'}],", PLACES), AT("node1:31000")},
        {APP(BRIDGE, PLACES), AT("node1:31000")},
        {APP(CONTAINER, PLACES), AT("9.0.0.1:31000")},
        {APP("'networks':[{'mode':'container'},{'mode':'host'}],", PLACES), AT("9.0.0.1:31000")},
        {APP("'networks':[{'mode':'host'},{'mode':'container'}],", PLACES), AT("node1:31000")},
        {APP("'ipAddress':{},", PLACES), AT("9.0.0.1:31000")},
        {APP("'ipAddress':null,", PLACES), AT("node1:31000")},
        {APP("'ipAddress':{}," BRIDGE, PLACES), AT("node1:31000")},
        {APP(CONTAINER IDX("7"), PLACES), AT("9.0.0.1:31000")},
        {APP(CONTAINER, "'ports':[80],'ipAddresses':[" IP("fd00::9") "]"), AT("fd00::9:80")},
        {APP(CONTAINER, "'ports':[80],'ipAddresses':[" IP("agent-3.mesos") "]"), AT("agent-3.mesos:80")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(the_tasks_host_name_can_be_forced)
{
    fixture_config->mapping.force_task_hostname = true;
    static const struct mapped list[] = {
        {APP(CONTAINER, PLACES), AT("node1:31000")},
        {APP(CONTAINER "'container':{'portMappings':[{'containerPort':80,'hostPort':0}]},", PLACES), AT("node1:31000")},
        {APP(CONTAINER NAME("b") "'container':{'portMappings':[{'name':'a','containerPort':80},"
                                 "{'name':'b','containerPort':81,'hostPort':0}]},",
             PLACES),
         AT("node1:31000")},
        {APP(CONTAINER, "'ports':[80],'ipAddresses':[" IP("9.0.0.1") "]"),
         PROBLEM("host-missing", "Marathon names no host for the task")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

/* ---- port ---- */

START_TEST(port_labels_that_are_no_port)
{
    static const char *const bad[] = {"0",   "-1",  "65536", "70000",   "99999999999", "99999999999999999999",
                                      "x",   "80x", " 80",   "80 ",     "8_0",         "0x50",
                                      "8.0", "+",   "80;",   "\xc3\xa9"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        cleanup_free char *app = mem_printf(APP(PORT("%s"), PLACES), bad[i]);
        cleanup_free char *expected =
            mem_printf(PROBLEM("port-invalid", "traefik.port is `%s`; 1 to 65535 would be right"), bad[i]);
        check_mapping(app, expected);
    }
}
END_TEST

START_TEST(port_labels)
{
    static const struct mapped list[] = {
        {APP(PORT(""), PLACES), AT("node1:31000")},
        {APP(PORT("1"), PLACES), AT("node1:1")},
        {APP(PORT("65535"), PLACES), AT("node1:65535")},
        {APP(PORT("+0080"), PLACES), AT("node1:80")},
        {APP(PORT("80"), "'host':'node1'"), AT("node1:80")},
        {APP("'labels':{'traefik.port':'80','traefik.portIndex':'7'},", PLACES),
         WARNED("node1:80", "port-and-index",
                "traefik.port and traefik.portIndex are both set; port wins, remove the other")},
        {APP("'labels':{'traefik.port':'80','traefik.portName':'x'},", PLACES), AT("node1:80")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(port_indexes)
{
#define NOT_IN_RANGE(index)                                                                                            \
    PROBLEM("port-index-out-of-range", "traefik.portIndex is " index "; there are the ports 0 to 1")
#define NO_INDEX(index)                                                                                                \
    WARNED("node1:31000", "port-index-invalid",                                                                        \
           "traefik.portIndex is `" index "`; a number from 0 would be right, 0 is taken")
    static const struct mapped list[] = {
        {APP(INDEX("-1"), PLACES), NOT_IN_RANGE("-1")},
        {APP(INDEX("2"), PLACES), NOT_IN_RANGE("2")},
        {APP(INDEX("99999999999"), PLACES), NOT_IN_RANGE("99999999999")},
        {APP(INDEX("99999999999999999999"), PLACES), NO_INDEX("99999999999999999999")},
        {APP(INDEX("x"), PLACES), NO_INDEX("x")},
        {APP(INDEX("1.0"), PLACES), NO_INDEX("1.0")},
        {APP(INDEX(""), PLACES), AT("node1:31000")},
        {APP(INDEX("0"), PLACES), AT("node1:31000")},
        {APP(INDEX("01"), PLACES), AT("node1:31001")},
        {APP(INDEX("0"), "'host':'node1','ports':[]"),
         PROBLEM("no-port", "the task has no port; give the app one, or set the label traefik.port")},
        {APP("", "'host':'node1','ports':[0]"),
         PROBLEM("port-invalid", "the task's port is 0; 1 to 65535 would be right")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(the_first_list_that_is_not_empty)
{
#define DEFINITIONS "'portDefinitions':[{'port':10001,'name':'a'},{'port':10002,'name':'b'}],"
#define DISCOVERY(ports) "'ipAddress':{'discovery':{'ports':[" ports "]}},"
    static const struct mapped list[] = {
        {APP(DEFINITIONS, PLACES), AT("node1:31000")},
        {APP(DEFINITIONS, "'host':'node1','ports':[]"), AT("node1:10001")},
        {APP(DEFINITIONS INDEX("1"), "'host':'node1'"), AT("node1:10002")},
        {APP(DEFINITIONS INDEX("2"), "'host':'node1'"), NOT_IN_RANGE("2")},
        {APP(DISCOVERY("{'number':80,'name':'http'}"), "'ipAddresses':[" IP("9.0.0.1") "]"), AT("9.0.0.1:80")},
        {APP(DISCOVERY("{'number':0}"), "'ipAddresses':[" IP("9.0.0.1") "]"),
         PROBLEM("port-invalid", "the discovery port is 0; 1 to 65535 would be right")},
        {APP(DISCOVERY(""), "'ipAddresses':[" IP("9.0.0.1") "]"),
         PROBLEM("no-port", "the task has no port; give the app one, or set the label traefik.port")},
        {APP("'portDefinitions':[{'name':'a'}],", "'host':'node1'"),
         PROBLEM("port-invalid", "the port definition is 0; 1 to 65535 would be right")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(container_ports_at_the_tasks_own_address)
{
#define MAPPINGS                                                                                                       \
    "'container':{'portMappings':[{'containerPort':8080,'name':'web'},{'containerPort':0,'hostPort':0,'name':'zero'}," \
    "{'containerPort':9000,'hostPort':0,'name':'admin'}]},"
    static const struct mapped list[] = {
        {APP(CONTAINER MAPPINGS, PLACES), AT("9.0.0.1:8080")},
        {APP(CONTAINER MAPPINGS INDEX("2"), PLACES), AT("9.0.0.1:9000")},
        {APP(CONTAINER MAPPINGS INDEX("1"), PLACES),
         PROBLEM("container-port-zero", "containerPort is 0; 1 to 65535 would be right")},
        {APP(CONTAINER MAPPINGS INDEX("3"), PLACES),
         PROBLEM("port-index-out-of-range", "traefik.portIndex is 3; there are the ports 0 to 2")},
        {APP(CONTAINER MAPPINGS NAME("admin"), PLACES), AT("9.0.0.1:9000")},
        {APP(CONTAINER MAPPINGS NAME("web"), PLACES), AT("9.0.0.1:8080")},
        {APP(CONTAINER MAPPINGS PORT("7"), PLACES), AT("9.0.0.1:7")},
        {APP("'ipAddress':{},'container':{'docker':{'portMappings':[{'containerPort':81}]}},", PLACES),
         AT("9.0.0.1:81")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(port_names)
{
    static const struct mapped list[] = {
        {APP(NAME("x") DEFINITIONS, PLACES),
         PART "! port-name-unknown - -: traefik.portName is `x`, and the app has no port of that name\n"},
        {APP(NAME("x\\u001b[2J") DEFINITIONS, PLACES),
         PART "! port-name-unknown - -: traefik.portName is `x\\x1b[2J`, and the app has no port of that name\n"},
        {APP(NAME(""), PLACES), AT("node1:31000")},
        {APP(NAME("b") DEFINITIONS, PLACES), AT("node1:31001")},
        {APP(NAME("b") DEFINITIONS, "'host':'node1','ports':[31000]"),
         PROBLEM("port-name-not-published", "Marathon lists no host port for the port named `b`")},
        {APP(NAME("b") DEFINITIONS, "'host':'node1'"), AT("node1:10002")},
        {APP(NAME("https") DISCOVERY("{'number':80},{'number':443,'name':'https'}"), PLACES), AT("9.0.0.1:443")},
        /* The trap: the task's ports have no entry for the mapping without hostPort. */
        {APP(BRIDGE MAPPINGS NAME("zero"), PLACES), AT("node1:31000")},
        {APP(BRIDGE MAPPINGS NAME("admin"), PLACES), AT("node1:31001")},
        {APP(BRIDGE MAPPINGS NAME("web"), PLACES),
         PROBLEM("port-name-not-published",
                 "the port mapping `web` has no hostPort, so that it cannot be reached from outside")},
        {APP(BRIDGE MAPPINGS NAME("admin"), "'host':'node1','ports':[31000]"),
         PROBLEM("port-name-not-published", "Marathon lists no host port for the port named `admin`")},
    };
    check_all_mapped(list, COUNT(list));
}
END_TEST

START_TEST(what_concerns_the_app_is_said_once)
{
    check_mapping("{'id':'/a','labels':{'traefik.portIndex':'x'},'tasks':[" TASK("a.1", "") "," TASK("a.2", "") "]}",
                  PART
                  "  server-a-a-1 node1:31000 http 1 ready\n"
                  "  server-a-a-2 node1:31000 http 1 ready\n"
                  "! port-index-invalid - -: traefik.portIndex is `x`; a number from 0 would be right, 0 is taken\n");
}
END_TEST

static Suite *place_suite(void)
{
    Suite *suite = suite_create("place");
    TCase *host = fixture_case(suite, "host");
    tcase_add_test(host, hosts_that_are_none);
    tcase_add_test(host, addresses_that_cannot_be_picked);
    tcase_add_test(host, the_network_decides_which_host);
    tcase_add_test(host, the_tasks_host_name_can_be_forced);
    TCase *port = fixture_case(suite, "port");
    tcase_add_test(port, port_labels_that_are_no_port);
    tcase_add_test(port, port_labels);
    tcase_add_test(port, port_indexes);
    tcase_add_test(port, the_first_list_that_is_not_empty);
    tcase_add_test(port, container_ports_at_the_tasks_own_address);
    tcase_add_test(port, port_names);
    tcase_add_test(port, what_concerns_the_app_is_said_once);
    return suite;
}

SUITE_MAIN(place_suite)
