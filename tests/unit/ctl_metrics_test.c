/* The metrics as text and as JSON: every row once, in the format Prometheus reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ctl/method.h"
#include "ctl/metrics.h"
#include "lab_alloc.h"

static struct kith_metrics metrics;
static char text[KITH_METRICS_TEXT_MAX];

/* The text of what is in `metrics`. */
static const char *printed(void)
{
    struct kith_buf out;
    struct kith_span all;

    kith_buf_init(&out, &kith_heap, sizeof text - 1);
    assert_int_equal(kith_metrics_text(&metrics, &out), KITH_OK);
    all = kith_buf_span(&out);
    memcpy(text, all.p, all.n);
    text[all.n] = '\0';
    kith_buf_fini(&out);
    return text;
}

static size_t times(const char *in, const char *what)
{
    size_t n = 0;

    for (const char *at = in; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static int setup(void **state)
{
    (void)state;
    memset(&metrics, 0, sizeof metrics);
    return 0;
}

static void every_row_has_its_help_its_type_and_its_values_once(void **state)
{
    const struct kith_metric_row *row;
    const char *all = printed();
    char line[400];
    size_t lines = 0;

    (void)state;
    for (size_t i = 0; (row = kith_metric_row(i)) != NULL; i++) {
        (void)snprintf(line, sizeof line, "# HELP %s ", row->name);
        assert_int_equal(times(all, line), 1);
        (void)snprintf(line, sizeof line, "# TYPE %s %s\n", row->name,
                       row->kind == KITH_METRIC_COUNTER ? "counter" : "gauge");
        assert_int_equal(times(all, line), 1);
        (void)snprintf(line, sizeof line, row->label == NULL ? "\n%s " : "\n%s{", row->name);
        assert_int_equal(times(all, line), row->values);
        lines += 2 + row->values;
    }
    assert_int_equal(times(all, "\n"), lines); /* and there is nothing else */
}

static void counters_end_in_total_and_gauges_do_not(void **state)
{
    const struct kith_metric_row *row;

    (void)state;
    for (size_t i = 0; (row = kith_metric_row(i)) != NULL; i++) {
        size_t n = strlen(row->name);
        bool total = n > 6 && strcmp(row->name + n - 6, "_total") == 0;
        assert_int_equal(total, row->kind == KITH_METRIC_COUNTER);
        assert_int_equal(strncmp(row->name, "kith_", 5), 0);
        assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), n);
        assert_true(kith_metric_group_about(row->group)[0] != '\0');
    }
}

/* Each value is written under its own name: no two rows read the same place. */
static void every_value_reaches_its_own_line(void **state)
{
    const struct kith_metric_row *row;
    const char *all;
    char line[300], number[40];
    uint64_t next = 1000;

    (void)state;
    for (size_t i = 0; (row = kith_metric_row(i)) != NULL; i++)
        for (size_t k = 0; k < row->values; k++, next++)
            memcpy((uint8_t *)&metrics + row->offset + k * sizeof next, &next, sizeof next);
    all = printed();
    next = 1000;
    for (size_t i = 0; (row = kith_metric_row(i)) != NULL; i++) {
        for (size_t k = 0; k < row->values; k++, next++) {
            bool seconds = kith_metric_unit(row) == KITH_METRIC_SECONDS;
            assert_int_equal(kith_metric_value(&metrics, row, k), next);
            (void)snprintf(number, sizeof number, seconds ? "0.%09llu" : "%llu",
                           (unsigned long long)next);
            if (row->label == NULL)
                (void)snprintf(line, sizeof line, "\n%s %s\n", row->name, number);
            else
                (void)snprintf(line, sizeof line, "\n%s{%s=\"%s\"} %s\n", row->name, row->label,
                               row->word(k), number);
            assert_int_equal(times(all, line), 1);
        }
    }
}

static void drops_carry_the_reasons_of_the_packet_path(void **state)
{
    struct kith_vpn_count count;
    char line[200];

    (void)state;
    for (size_t i = 0; i < KITH_VPN_DROPS; i++)
        metrics.vpn.dropped[i] = 40 + i;
    metrics.vpn.sent_packets = 7;
    printed();
    for (size_t i = 0; kith_vpn_count_at(&metrics.vpn, i, &count); i++) {
        (void)snprintf(line, sizeof line,
                       count.drop ? "\nkith_vpn_dropped_packets_total{reason=\"%s\"} %llu\n"
                                  : "\nkith_vpn_%s_total %llu\n",
                       count.name, (unsigned long long)count.value);
        assert_int_equal(times(text, line), 1);
    }
}

static void what_goes_through_others_is_counted_under_its_names(void **state)
{
    static const char *const lines[] = {
        "\nkith_sessions_direct 1\n",
        "\nkith_sessions_relayed 2\n",
        "\nkith_sessions_multi_hop 3\n",
        "\nkith_mesh_neighbours 4\n",
        "\nkith_mesh_ways 5\n",
        "\nkith_mesh_flows 6\n",
        "\nkith_mesh_forwarded_flows_total 7\n",
        "\nkith_mesh_forwarded_datagrams_total 8\n",
        "\nkith_mesh_forwarded_bytes_total 9\n",
    };

    (void)state;
    metrics.node = (struct kith_node_totals){
        .direct = 1, .relayed = 2, .multi_hop = 3, .neighbours = 4, .ways = 5, .flows = 6};
    metrics.mesh =
        (struct kith_relay_counters){.forwarded_flows = 7, .forwarded = 8, .forwarded_bytes = 9};
    printed();
    for (size_t i = 0; i < KITH_COUNT(lines); i++)
        assert_int_equal(times(text, lines[i]), 1);
}

static void base_units_are_written_as_Prometheus_wants_them(void **state)
{
    (void)state;
    metrics.process.cpu = 61 * KITH_SEC + 5 * KITH_MSEC;
    metrics.process.memory_bytes = 12345678;
    metrics.started = 1795199460;
    printed();
    assert_int_equal(times(text, "\nkith_process_cpu_seconds_total 61.005000000\n"), 1);
    assert_int_equal(times(text, "\nkith_process_resident_memory_bytes 12345678\n"), 1);
    assert_int_equal(times(text, "\nkith_process_start_time_seconds 1795199460\n"), 1);
}

static void what_is_not_known_is_left_out_and_null(void **state)
{
    json_t *j, *item;
    size_t i, unknown = 0;

    (void)state;
    metrics.process.files = KITH_METRIC_UNKNOWN;
    printed();
    assert_int_equal(times(text, "\nkith_process_open_fds "), 0);
    assert_int_equal(times(text, "# TYPE kith_process_open_fds gauge\n"), 1);
    j = kith_metrics_json(&metrics);
    json_array_foreach(json_object_get(j, "metrics"), i, item)
    {
        if (!json_is_null(json_object_get(item, "value")))
            continue;
        assert_string_equal(json_string_value(json_object_get(item, "name")),
                            "kith_process_open_fds");
        unknown++;
    }
    assert_int_equal(unknown, 1);
    json_decref(j);
}

/* The escapes are those of the format: \\ and \n, in a label's value also \". */
static void backslash_newline_and_quotation_mark_are_escaped(void **state)
{
    char buf[64];

    (void)state;
    assert_string_equal(kith_metric_escape("a\\b\nc\"d", true, buf, sizeof buf), "a\\\\b\\nc\\\"d");
    assert_string_equal(kith_metric_escape("a\\b\nc\"d", false, buf, sizeof buf), "a\\\\b\\nc\"d");
    assert_string_equal(kith_metric_escape("", true, buf, sizeof buf), "");
    assert_string_equal(kith_metric_escape("ab\"", true, buf, 4), "ab"); /* not half an escape */
    assert_string_equal(kith_metric_escape("ab\"", true, buf, 5), "ab\\\"");
}

static void the_JSON_has_every_value_as_the_table_documents_it(void **state)
{
    const struct kith_metric_row *row;
    json_t *j, *list;
    char why[200] = "";
    size_t values = 0;

    (void)state;
    metrics.vpn.dropped[KITH_VPN_DROP_no_route] = 9;
    j = kith_metrics_json(&metrics);
    if (kith_ctl_result_check(KITH_CTL_metrics, j, why, sizeof why) < 0)
        fail_msg("%s", why);
    list = json_object_get(j, "metrics");
    for (size_t i = 0; (row = kith_metric_row(i)) != NULL; i++)
        for (size_t k = 0; k < row->values; k++, values++) {
            json_t *m = json_array_get(list, values);
            assert_string_equal(json_string_value(json_object_get(m, "name")), row->name);
            if (row->label != NULL)
                assert_string_equal(
                    json_string_value(json_object_get(json_object_get(m, "labels"), row->label)),
                    row->word(k));
        }
    assert_int_equal(json_array_size(list), values);
    json_decref(j);
}

static void without_memory_the_text_says_so(void **state)
{
    struct lab_alloc lab;
    struct kith_buf out;
    uint64_t n;

    (void)state;
    lab_alloc_init(&lab);
    kith_buf_init(&out, &lab.alloc, sizeof text);
    assert_int_equal(kith_metrics_text(&metrics, &out), KITH_OK);
    kith_buf_fini(&out);
    n = lab.requests;
    for (uint64_t at = 1; at <= n; at++) {
        lab_alloc_init(&lab);
        lab.fail_at = at;
        kith_buf_init(&out, &lab.alloc, sizeof text);
        assert_int_equal(kith_metrics_text(&metrics, &out), KITH_E_NOMEM);
        kith_buf_fini(&out);
        assert_int_equal(lab.live, 0);
    }
}

static void the_text_stays_far_below_its_limit(void **state)
{
    (void)state;
    memset(&metrics, 0xf0, sizeof metrics); /* twenty digits each */
    assert_true(strlen(printed()) < KITH_METRICS_TEXT_MAX / 4);
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_row_has_its_help_its_type_and_its_values_once),
        T(counters_end_in_total_and_gauges_do_not),
        T(every_value_reaches_its_own_line),
        T(drops_carry_the_reasons_of_the_packet_path),
        T(what_goes_through_others_is_counted_under_its_names),
        T(base_units_are_written_as_Prometheus_wants_them),
        T(what_is_not_known_is_left_out_and_null),
        T(backslash_newline_and_quotation_mark_are_escaped),
        T(the_JSON_has_every_value_as_the_table_documents_it),
        T(without_memory_the_text_says_so),
        T(the_text_stays_far_below_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
