/* Options: four layers where the later wins, and mistakes told with their place. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "conf/conf.h"

static struct kith_conf conf;
static struct kith_conf_problems problems;

static int load_all(const char *file, const char *const *env, const struct kith_conf_flag *flag,
                    size_t flags)
{
    struct kith_conf_input in = {.env = env, .flag = flag, .flags = flags};

    if (file != NULL) {
        in.file = "kith.toml";
        in.text = kith_span_text(file);
    }
    return kith_conf_load(&conf, &in, &problems);
}

static int load_file(const char *file)
{
    return load_all(file, NULL, NULL, 0);
}

static const char *origin(enum kith_option o)
{
    static char buf[KITH_CONF_PATH];
    return kith_conf_origin_text(&conf, o, buf, sizeof buf);
}

static const char *text_of(enum kith_option o)
{
    static char buf[KITH_CONF_VALUE_TEXT];
    return kith_conf_text(&conf, o, buf, sizeof buf);
}

/* The i-th problem as the program prints it. */
static const char *told(size_t i)
{
    static char buf[KITH_CONF_PATH + 300];
    return kith_conf_problem_text(&problems.at[i], buf, sizeof buf);
}

static void without_any_layer_the_defaults_of_the_specification_hold(void **state)
{
    (void)state;
    assert_int_equal(load_file(NULL), KITH_OK);
    assert_int_equal(conf.node.log_level, KITH_LEVEL_INFO);
    assert_int_equal(conf.net.listen.n, 2);
    assert_int_equal(conf.net.listen.addr[0].port, 9000);
    assert_int_equal(conf.net.listen.addr[0].ip.family, KITH_FAMILY_IP4);
    assert_int_equal(conf.net.listen.addr[1].ip.family, KITH_FAMILY_IP6);
    assert_true(kith_ip_is_unspecified(&conf.net.listen.addr[1].ip));
    assert_int_equal(conf.net.socket_buffer, 7 * 1024 * 1024);
    assert_int_equal(conf.net.idle_timeout, 60 * KITH_SEC);
    assert_int_equal(conf.net.connections_max, 10000);
    assert_true(conf.vpn.enabled);
    assert_string_equal(conf.vpn.tun.s, "kith0");
    assert_int_equal(conf.vpn.mtu, 1400);
    assert_string_equal(origin(KITH_OPTION_vpn_mtu), "default");
}

static void each_layer_overrides_the_one_before(void **state)
{
    (void)state;
    const char *file = "[vpn]\nmtu = 1300\n";
    const char *const env[] = {"PATH=/bin", "KITH_VPN_MTU=1310", NULL};
    const struct kith_conf_flag flag = {KITH_OPTION_vpn_mtu, "--mtu", "1320"};

    assert_int_equal(load_file(file), KITH_OK);
    assert_int_equal(conf.vpn.mtu, 1300);
    assert_string_equal(origin(KITH_OPTION_vpn_mtu), "kith.toml:2:7");
    assert_int_equal(load_all(file, env, NULL, 0), KITH_OK);
    assert_int_equal(conf.vpn.mtu, 1310);
    assert_string_equal(origin(KITH_OPTION_vpn_mtu), "KITH_VPN_MTU");
    assert_int_equal(load_all(file, env, &flag, 1), KITH_OK);
    assert_int_equal(conf.vpn.mtu, 1320);
    assert_string_equal(origin(KITH_OPTION_vpn_mtu), "--mtu");
    assert_int_equal(load_all(NULL, NULL, &flag, 1), KITH_OK);
    assert_int_equal(conf.vpn.mtu, 1320);
}

/* A valid value for each option, unlike its default. */
static const char *other_value(enum kith_option o)
{
    switch (kith_option_row(o)->type) {
    case KITH_OPTION_TYPE_BOOL:
        return strcmp(kith_option_row(o)->preset, "true") == 0 ? "false" : "true";
    case KITH_OPTION_TYPE_NUM: return o == KITH_OPTION_vpn_mtu ? "1280" : "7";
    case KITH_OPTION_TYPE_SIZE: return "1MiB";
    case KITH_OPTION_TYPE_DUR:
        return o == KITH_OPTION_network_renew_before ? "5d"
               : o == KITH_OPTION_net_keepalive      ? "21s"
                                                     : "61s";
    case KITH_OPTION_TYPE_LEVEL: return "debug";
    case KITH_OPTION_TYPE_CONGESTION: return "cubic";
    case KITH_OPTION_TYPE_CIPHER: return "chacha";
    case KITH_OPTION_TYPE_INBOUND: return "deny";
    case KITH_OPTION_TYPE_LABEL: return "desktop";
    case KITH_OPTION_TYPE_IFNAME: return "tun7";
    case KITH_OPTION_TYPE_GROUP: return "wheel";
    case KITH_OPTION_TYPE_ADDRS:
    case KITH_OPTION_TYPE_ADDR: return "192.0.2.1:7000";
    }
    return NULL;
}

static void every_option_can_be_set_by_variable_flag_and_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        enum kith_option o = (enum kith_option)i;
        const struct kith_option_row *row = kith_option_row(o);
        const char *value = other_value(o);
        char name[KITH_CONF_ENV_NAME], variable[160], file[160];
        const char *const env[] = {variable, NULL};
        const struct kith_conf_flag flag = {o, "--flag", value};
        bool bare = row->type == KITH_OPTION_TYPE_BOOL || row->type == KITH_OPTION_TYPE_NUM;

        (void)kith_format(variable, sizeof variable, "%s=%s", kith_option_env(o, name, sizeof name),
                          value);
        (void)kith_format(file, sizeof file, bare ? "[%s]\n%s = %s\n" : "[%s]\n%s = \"%s\"\n",
                          row->section, row->key, value);
        assert_int_equal(load_file(NULL), KITH_OK);
        assert_string_not_equal(text_of(o), value);
        assert_int_equal(load_all(NULL, env, NULL, 0), KITH_OK);
        assert_string_equal(text_of(o), value);
        assert_int_equal(load_all(NULL, NULL, &flag, 1), KITH_OK);
        assert_string_equal(text_of(o), value);
        assert_int_equal(load_file(file), KITH_OK);
        assert_string_equal(text_of(o), value);
    }
}

static void text_of_a_value_reads_as_the_same_value(void **state)
{
    (void)state;
    const struct {
        enum kith_option option;
        const char *text, *again;
    } cases[] = {
        {KITH_OPTION_net_socket_buffer, "65536", "64KiB"},
        {KITH_OPTION_net_socket_buffer, "1025KiB", "1025KiB"},
        {KITH_OPTION_net_socket_buffer, "65537", "65537"},
        {KITH_OPTION_net_idle_timeout, "120", "2m"},
        {KITH_OPTION_net_gso, "0", "false"},
        {KITH_OPTION_net_gso, "on", "true"},
        {KITH_OPTION_net_listen, "10.0.0.1:1, [::1]:2", "10.0.0.1:1,[::1]:2"},
        {KITH_OPTION_control_group, "", ""},
    };

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        const struct kith_conf_flag flag = {cases[i].option, "--flag", cases[i].text};
        const struct kith_conf_flag again = {cases[i].option, "--flag", cases[i].again};
        assert_int_equal(load_all(NULL, NULL, &flag, 1), KITH_OK);
        assert_string_equal(text_of(cases[i].option), cases[i].again);
        assert_int_equal(load_all(NULL, NULL, &again, 1), KITH_OK);
        assert_string_equal(text_of(cases[i].option), cases[i].again);
    }
}

static void bounds_are_part_of_the_range_and_nothing_beyond_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_OPTION_COUNT; i++) {
        enum kith_option o = (enum kith_option)i;
        const struct kith_option_row *row = kith_option_row(o);
        const uint64_t tries[] = {row->least - 1, row->least, row->most, row->most + 1};
        for (size_t k = 0; row->most > 0 && k < KITH_COUNT(tries); k++) {
            struct kith_conf_value v;
            char text[40], why[200];
            (void)kith_format(text, sizeof text,
                              row->type == KITH_OPTION_TYPE_DUR ? "%lluns" : "%llu",
                              (unsigned long long)tries[k]);
            assert_int_equal(kith_option_parse(o, text, &v, why, sizeof why),
                             k == 1 || k == 2 ? KITH_OK : KITH_E_INVAL);
        }
    }
}

static void a_list_in_the_file_is_a_list_of_texts(void **state)
{
    (void)state;
    assert_int_equal(load_file("[net]\nlisten = [\"192.0.2.1:9000\", \"[2001:db8::1]:9001\"]\n"),
                     KITH_OK);
    assert_int_equal(conf.net.listen.n, 2);
    assert_int_equal(conf.net.listen.addr[1].port, 9001);
    assert_string_equal(origin(KITH_OPTION_net_listen), "kith.toml:2:10");
    assert_int_equal(load_file("[net]\nlisten = [\"192.0.2.1:9000\",\n 9001]\n"), KITH_E_INVAL);
    assert_string_equal(told(0), "kith.toml:3:2: net.listen must be addresses and ports, as in "
                                 "0.0.0.0:9000");
    assert_int_equal(load_file("[net]\nlisten = []\n"), KITH_E_INVAL);
    assert_int_equal(load_file("[net]\nlisten = [\"192.0.2.1:9000\", \"\"]\n"), KITH_E_INVAL);
    assert_int_equal(load_file("[net]\nlisten = [[\"192.0.2.1:9000\"]]\n"), KITH_E_INVAL);
}

static void where_one_address_is_asked_for_none_is_fine_and_two_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_file("[monitoring]\nmetrics_addr = \"127.0.0.1:9090\"\n"), KITH_OK);
    assert_int_equal(conf.monitoring.metrics_addr.n, 1);
    assert_int_equal(conf.monitoring.metrics_addr.addr[0].port, 9090);
    assert_int_equal(load_file("[monitoring]\nmetrics_addr = \"\"\n"), KITH_OK);
    assert_int_equal(conf.monitoring.metrics_addr.n, 0);
    assert_int_equal(load_file("[monitoring]\nmetrics_addr = \"127.0.0.1:1,127.0.0.1:2\"\n"),
                     KITH_E_INVAL);
    assert_int_equal(load_file("[monitoring]\nmetrics_addr = [\"127.0.0.1:1\"]\n"), KITH_E_INVAL);
    assert_int_equal(load_file("[monitoring]\nmetrics_addr = \"127.0.0.1\"\n"), KITH_E_INVAL);
}

static void the_ninth_address_of_a_list_is_refused(void **state)
{
    (void)state;
    char file[400] = "[net]\nlisten = [";

    for (size_t i = 1; i <= 9; i++) {
        size_t n = strlen(file);
        (void)kith_format(file + n, sizeof file - n, "\"192.0.2.%zu:9000\",", i);
    }
    strcat(file, "]\n");
    assert_int_equal(load_file(file), KITH_E_INVAL);
    assert_string_equal(told(0), "kith.toml:2:10: net.listen has more than 8 addresses");
}

static void mistakes_in_the_file_are_told_with_line_and_column(void **state)
{
    (void)state;
    const struct {
        const char *file, *problem;
    } cases[] = {
        {"[vpn]\n\n  mtu = 9000\n", "kith.toml:3:9: vpn.mtu must be from 1280 to 1420"},
        {"[vpn]\nmtu = \"1400\"\n", "kith.toml:2:7: vpn.mtu must be a number"},
        {"[vpn]\nmtu = -1\n", "kith.toml:2:7: vpn.mtu must be a number, not \"-1\""},
        {"[vpn]\nmtu = 1400.5\n", "kith.toml:2:7: vpn.mtu must be a number"},
        {"[vpn]\nmtuu = 1400\n", "kith.toml:2:1: unknown option vpn.mtuu (did you mean vpn.mtu?)"},
        {"[vnp]\nmtu = 1400\n", "kith.toml:1:2: unknown section vnp (did you mean vpn?)"},
        {"qqqqqq = 1\n", "kith.toml:1:1: unknown option qqqqqq"},
        {"vpn = 1\n", "kith.toml:1:1: vpn is a section: write [vpn]"},
        {"[[vpn]]\nmtu = 1400\n", "kith.toml:1:3: vpn is a section: write [vpn]"},
        {"[net]\ncongestion = \"bbr2\"\n",
         "kith.toml:2:14: net.congestion must be cubic or bbr, not \"bbr2\" (did you mean bbr?)"},
        {"[net]\ngso = \"true\"\n", "kith.toml:2:7: net.gso must be true or false"},
        {"[net.gso]\non = true\n", "kith.toml:1:6: net.gso must be true or false"},
        {"[net]\nidle_timeout = \"1s\"\n",
         "kith.toml:2:16: net.idle_timeout must be from 5s to 10m"},
        {"[net]\nsocket_buffer = \"7MB\"\n",
         "kith.toml:2:17: net.socket_buffer must be a size, as in 512KiB, not \"7MB\""},
        {"[vpn]\ntun = \"kith\\u0000zero\"\n",
         "kith.toml:2:7: vpn.tun must be an interface name of 1 to 15 characters"},
        {"[vpn]\ntun = \"a-name-too-long0\"\n",
         "kith.toml:2:7: vpn.tun must be an interface name of 1 to 15 characters, not "
         "\"a-name-too-long0\""},
        {"[net]\nkeepalive = \"60s\"\n",
         "kith.toml:2:13: net.keepalive must be shorter than net.idle_timeout"},
    };

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        assert_int_equal(load_file(cases[i].file), KITH_E_INVAL);
        assert_int_equal(problems.n, 1);
        assert_string_equal(told(0), cases[i].problem);
    }
}

static void a_broken_document_is_told_with_line_and_column(void **state)
{
    (void)state;
    assert_int_equal(load_file("[net]\ngso = true\ngso = false\n"), KITH_E_INVAL);
    assert_int_equal(problems.n, 1);
    assert_int_equal(problems.at[0].line, 3);
    assert_int_equal(load_file("\n[!]\n"), KITH_E_INVAL);
    assert_int_equal(problems.at[0].line, 2);
    assert_int_equal(load_file("[net\n"), KITH_E_INVAL);
    assert_int_equal(problems.at[0].line, 1);
    assert_true(problems.at[0].column > 0);
}

static void a_control_character_is_refused_where_it_stands(void **state)
{
    (void)state;
    struct kith_conf_input in = {.file = "f", .text = {(const uint8_t *)"\n[\0vpn]\n", 8}};

    assert_int_equal(kith_conf_load(&conf, &in, &problems), KITH_E_INVAL);
    assert_string_equal(told(0), "f:2:2: a control character (0x00)");
    assert_int_equal(load_file("[vpn]\r\n\tmtu = 1300\r\n"), KITH_OK);
    assert_int_equal(load_file("[vpn]\ntun = \"a\x1b\"\n"), KITH_E_INVAL);
    assert_string_equal(told(0), "kith.toml:2:9: a control character (0x1b)");
}

static void what_is_not_ASCII_stands_in_comments_only(void **state)
{
    (void)state;
    const struct {
        const char *file;
        uint32_t line, column; /* of the mistake; 0: there is none */
    } cases[] = {
        {"# Gr\xc3\xbc\xc3\x9f"
         "e\n[vpn]\nmtu = 1300 # \xce\xbc\n",
         0, 0},
        {"[vpn]\ntun = \"\xc3\xbc\"\n", 2, 8},
        {"[vpn]\ntun = '\xc3\xbc'\n", 2, 8},
        {"[vpn]\ntun = \"\"\"\n\xc3\xbc\"\"\"\n", 3, 1},
        {"[vpn]\ntun = \"\\\"# \xc3\xbc\"\n", 2, 12},
        {"[vpn]\ntun = \"#\" \xc3\xbc\n", 2, 11},
        {"[vpn]\ntun = ''' ' '' ''''' \xc3\xbc\n", 2, 22},
        {"[v\xc3\xbcpn]\n", 1, 3},
    };

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        int err = load_file(cases[i].file);
        assert_int_equal(err, cases[i].line == 0 ? KITH_OK : KITH_E_INVAL);
        if (err == KITH_OK)
            continue;
        assert_int_equal(problems.at[0].line, cases[i].line);
        assert_int_equal(problems.at[0].column, cases[i].column);
    }
    assert_string_equal(told(0),
                        "kith.toml:1:3: a character that is not ASCII (0xc3) outside a comment");
}

static void all_mistakes_are_told_in_the_order_of_their_lines(void **state)
{
    (void)state;
    const char *const env[] = {"KITH_NET_GRO=perhaps", NULL};
    const struct kith_conf_flag flag = {KITH_OPTION_net_listen, "--listen", "9000"};

    assert_int_equal(load_all("[vpn]\nmtu = 1\n[net]\ngso = 2\n[bad]\n", env, &flag, 1),
                     KITH_E_INVAL);
    assert_int_equal(problems.n, 5);
    assert_int_equal(problems.at[0].line, 2);
    assert_int_equal(problems.at[1].line, 4);
    assert_int_equal(problems.at[2].line, 5);
    assert_string_equal(told(3), "KITH_NET_GRO: net.gro must be true or false, not \"perhaps\"");
    assert_string_equal(problems.at[4].where, "--listen");
}

static void more_mistakes_than_fit_are_counted(void **state)
{
    (void)state;
    char file[600] = "[net]\n";

    for (size_t i = 0; i < 40; i++) {
        size_t n = strlen(file);
        (void)kith_format(file + n, sizeof file - n, "wrong%zu = 1\n", i);
    }
    assert_int_equal(load_file(file), KITH_E_INVAL);
    assert_int_equal(problems.n, 40);
}

static void a_failed_load_leaves_the_old_options(void **state)
{
    (void)state;
    struct kith_conf before;

    assert_int_equal(load_file("[vpn]\nmtu = 1300\n"), KITH_OK);
    before = conf;
    assert_int_equal(load_file("[vpn]\nmtu = 1310\ntun = \"\"\n"), KITH_E_INVAL);
    assert_memory_equal(&before, &conf, sizeof conf);
}

static void a_variable_of_no_option_is_refused_only_in_our_sections(void **state)
{
    (void)state;
    const char *const ours[] = {"KITH_NET_LISTENN=[::]:1", NULL};
    const char *const other[] = {"KITH_STATE=/x",
                                 "KITH_CONFIG=/y",
                                 "KITH_SETUP_WAY=2",
                                 "KITH_NET=1",
                                 "KITHNET_X=1",
                                 "KITH_NET_GSO",
                                 NULL};

    assert_int_equal(load_all(NULL, ours, NULL, 0), KITH_E_INVAL);
    assert_string_equal(told(0), "environment: unknown option KITH_NET_LISTENN (did you mean "
                                 "KITH_NET_LISTEN?)");
    assert_int_equal(load_all(NULL, other, NULL, 0), KITH_OK);
}

static void a_file_over_its_limit_is_refused(void **state)
{
    (void)state;
    size_t n = KITH_CONF_FILE_MAX;
    char *text = malloc(n + 2);

    assert_non_null(text);
    memset(text, '\n', n + 1);
    text[n] = '\0';
    assert_int_equal(load_file(text), KITH_OK);
    text[n] = '\n';
    text[n + 1] = '\0';
    assert_int_equal(load_file(text), KITH_E_INVAL);
    assert_string_equal(told(0), "kith.toml: is over 256 KiB");
    free(text);
}

static void the_host_name_is_the_name_where_none_is_set(void **state)
{
    (void)state;
    struct kith_conf_input in = {.host_name = "Desktop.example.org"};

    assert_int_equal(kith_conf_load(&conf, &in, &problems), KITH_OK);
    assert_string_equal(conf.node.name.s, "desktop");
    in.file = "f";
    in.text = kith_span_text("[node]\nname = \"laptop\"\n");
    assert_int_equal(kith_conf_load(&conf, &in, &problems), KITH_OK);
    assert_string_equal(conf.node.name.s, "laptop");
}

static void reload_takes_what_it_can_and_names_the_rest(void **state)
{
    (void)state;
    struct kith_conf running;
    char later[200];

    assert_int_equal(load_file(NULL), KITH_OK);
    running = conf;
    assert_int_equal(kith_conf_reload(&running, &conf, later, sizeof later), 0);
    assert_string_equal(later, "nothing");
    assert_int_equal(load_file("[node]\nlog_level = \"debug\"\n[vpn]\nmtu = 1300\ninbound = "
                               "\"deny\"\n[net]\ngso = false\n"),
                     KITH_OK);
    assert_int_equal(kith_conf_reload(&running, &conf, later, sizeof later), 2);
    assert_string_equal(later, "net.gso, vpn.mtu");
    assert_int_equal(running.node.log_level, KITH_LEVEL_DEBUG);
    assert_int_equal(running.vpn.inbound, KITH_INBOUND_DENY);
    assert_int_equal(running.vpn.mtu, 1400);
    assert_true(running.net.gso);
    assert_int_equal(running.origin[KITH_OPTION_node_log_level].from, KITH_CONF_FROM_FILE);
    assert_int_equal(running.origin[KITH_OPTION_vpn_mtu].from, KITH_CONF_FROM_DEFAULT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_any_layer_the_defaults_of_the_specification_hold),
        cmocka_unit_test(each_layer_overrides_the_one_before),
        cmocka_unit_test(every_option_can_be_set_by_variable_flag_and_file),
        cmocka_unit_test(text_of_a_value_reads_as_the_same_value),
        cmocka_unit_test(bounds_are_part_of_the_range_and_nothing_beyond_them),
        cmocka_unit_test(a_list_in_the_file_is_a_list_of_texts),
        cmocka_unit_test(where_one_address_is_asked_for_none_is_fine_and_two_are_refused),
        cmocka_unit_test(the_ninth_address_of_a_list_is_refused),
        cmocka_unit_test(mistakes_in_the_file_are_told_with_line_and_column),
        cmocka_unit_test(a_broken_document_is_told_with_line_and_column),
        cmocka_unit_test(a_control_character_is_refused_where_it_stands),
        cmocka_unit_test(what_is_not_ASCII_stands_in_comments_only),
        cmocka_unit_test(all_mistakes_are_told_in_the_order_of_their_lines),
        cmocka_unit_test(more_mistakes_than_fit_are_counted),
        cmocka_unit_test(a_failed_load_leaves_the_old_options),
        cmocka_unit_test(a_variable_of_no_option_is_refused_only_in_our_sections),
        cmocka_unit_test(a_file_over_its_limit_is_refused),
        cmocka_unit_test(the_host_name_is_the_name_where_none_is_set),
        cmocka_unit_test(reload_takes_what_it_can_and_names_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
