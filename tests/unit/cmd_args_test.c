/* Arguments: where options may stand, what is missing or too much, and the nearest right word. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "cmd/command.h"

static struct kith_args args;
static struct kith_args_error error;

/* Parses words separated by single spaces. */
static int parse(const char *line)
{
    static char text[2000];
    static char *argv[200];
    int argc = 0;

    (void)kith_format(text, sizeof text, "%s", line);
    for (char *p = text; *p != '\0'; argc++) {
        argv[argc] = p;
        p += strcspn(p, " ");
        if (*p == ' ')
            *p++ = '\0';
    }
    return kith_args_parse(argc, argv, &args, &error);
}

static void commands_are_found_by_all_their_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        if (i == KITH_COMMAND_global)
            continue;
        (void)parse(c->words); /* arguments may be missing; the command is known all the same */
        assert_ptr_equal(args.command, c);
        assert_string_equal(args.words, c->words);
    }
}

static void options_of_every_command_stand_before_and_after_it(void **state)
{
    (void)state;
    const char *const lines[] = {
        "--state /s --json status",
        "status --json --state /s",
        "--json status --state=/s",
        "--state=/s status --json",
    };

    for (size_t i = 0; i < KITH_COUNT(lines); i++) {
        assert_int_equal(parse(lines[i]), KITH_OK);
        assert_int_equal(args.command->id, KITH_COMMAND_status);
        assert_string_equal(kith_args_value(&args, "state", ""), "/s");
        assert_true(kith_args_has(&args, "json"));
    }
    assert_int_equal(parse("status"), KITH_OK);
    assert_false(kith_args_has(&args, "json"));
    assert_null(kith_args_value(&args, "state", NULL));
    assert_int_equal(parse("network --json create home --state /s"), KITH_OK);
    assert_int_equal(args.command->id, KITH_COMMAND_network_create);
}

static void values_are_joined_or_the_next_word(void **state)
{
    (void)state;
    const char *const lines[] = {"ping a -c 3", "ping -c3 a", "ping --count=3 a",
                                 "ping --count 3 a"};

    for (size_t i = 0; i < KITH_COUNT(lines); i++) {
        assert_int_equal(parse(lines[i]), KITH_OK);
        assert_string_equal(kith_args_value(&args, "count", ""), "3");
        assert_int_equal(args.args, 1);
        assert_string_equal(args.arg[0], "a");
    }
    assert_int_equal(parse("invite --name= --network=a=b"), KITH_OK);
    assert_string_equal(kith_args_value(&args, "name", "none"), "");
    assert_string_equal(kith_args_value(&args, "network", ""), "a=b");
}

static void repeated_options_keep_their_order(void **state)
{
    (void)state;
    size_t at = 0;

    assert_int_equal(parse("invite --group ops --name x --group dev"), KITH_OK);
    assert_string_equal(kith_args_next(&args, "group", &at), "ops");
    assert_string_equal(kith_args_next(&args, "group", &at), "dev");
    assert_null(kith_args_next(&args, "group", &at));
}

static void a_lone_hyphen_is_an_argument_and_two_end_options(void **state)
{
    (void)state;
    assert_int_equal(parse("join -"), KITH_OK);
    assert_string_equal(args.arg[0], "-");
    assert_int_equal(parse("join -- --json"), KITH_OK);
    assert_string_equal(args.arg[0], "--json");
    assert_false(kith_args_has(&args, "json"));
}

static void mistakes_are_told_with_a_hint(void **state)
{
    (void)state;
    const struct {
        const char *line, *what, *hint;
    } cases[] = {
        {"", "no command", "see: kith --help"},
        {"statsu", "unknown command: statsu", "did you mean: kith status?"},
        {"xyzzyxyzzy", "unknown command: xyzzyxyzzy", "see: kith --help"},
        {"network", "kith network needs a further word", "see: kith network --help"},
        {"network crate x", "unknown command: network crate", "did you mean: kith network create?"},
        {"conifg show", "unknown command: conifg", "did you mean: kith config?"},
        {"network admn add x", "unknown command: network admn",
         "did you mean: kith network admin?"},
        {"network create", "NAME is missing", "see: kith network create --help"},
        {"status now", "one argument too many: now", "see: kith status --help"},
        {"status --jsn", "unknown option: --jsn", "did you mean: --json?"},
        {"invite --grop=x", "unknown option: --grop", "did you mean: --group?"},
        {"--count 3 ping a", "unknown option: --count", "see: kith --help"},
        {"ping -z a", "unknown option: -z", "see: kith ping --help"},
        {"logs -fx", "unknown option: -fx", "see: kith logs --help"},
        {"ping a --count", "--count needs a value", "see: kith ping --help"},
        {"ping a -c", "--count needs a value", "see: kith ping --help"},
        {"ping a -c 1 -c 2", "--count is given twice", "see: kith ping --help"},
        {"status --json=yes", "--json takes no value", "see: kith status --help"},
    };

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        assert_int_equal(parse(cases[i].line), KITH_E_INVAL);
        assert_string_equal(error.what, cases[i].what);
        assert_string_equal(error.hint, cases[i].hint);
    }
}

static void with_help_nothing_is_missed(void **state)
{
    (void)state;
    const char *const lines[] = {"--help", "network --help", "ping -h", "network --help create"};

    for (size_t i = 0; i < KITH_COUNT(lines); i++) {
        assert_int_equal(parse(lines[i]), KITH_OK);
        assert_true(kith_args_has(&args, "help"));
    }
    assert_int_equal(parse("png --help"), KITH_E_INVAL);
}

static void more_than_fits_is_refused(void **state)
{
    (void)state;
    char line[1200] = "help";
    size_t n;

    for (int i = 0; i < KITH_ARGS_MAX; i++)
        strcat(line, " x");
    assert_int_equal(parse(line), KITH_OK);
    strcat(line, " x");
    assert_int_equal(parse(line), KITH_E_INVAL);
    (void)kith_format(line, sizeof line, "invite");
    for (int i = 0; i < KITH_ARGS_OPTS; i++) {
        n = strlen(line);
        (void)kith_format(line + n, sizeof line - n, " --group g");
    }
    assert_int_equal(parse(line), KITH_OK);
    strcat(line, " --group g");
    assert_int_equal(parse(line), KITH_E_INVAL);
}

/* What the parser and the help rely on. */
static void the_table_keeps_its_own_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < KITH_COMMANDS; i++) {
        const struct kith_command *c = kith_command_row((enum kith_command_id)i);
        bool optional = false;
        assert_true(strlen(c->words) < sizeof args.words);
        assert_int_equal(c->about[strlen(c->about) - 1], '.');
        for (const struct kith_arg_row *a = c->arg; a->metavar != NULL; a++) {
            assert_false(optional && a->needed); /* a needed one behind it could not be told */
            optional |= !a->needed;
        }
        for (const struct kith_opt_row *o = c->opt; o->word != NULL; o++) {
            assert_int_equal(o->about[strlen(o->about) - 1], '.');
            for (const struct kith_opt_row *other = o + 1; other->word != NULL; other++) {
                assert_string_not_equal(o->word, other->word);
                assert_true(o->letter == 0 || o->letter != other->letter);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_found_by_all_their_words),
        cmocka_unit_test(options_of_every_command_stand_before_and_after_it),
        cmocka_unit_test(values_are_joined_or_the_next_word),
        cmocka_unit_test(repeated_options_keep_their_order),
        cmocka_unit_test(a_lone_hyphen_is_an_argument_and_two_end_options),
        cmocka_unit_test(mistakes_are_told_with_a_hint),
        cmocka_unit_test(with_help_nothing_is_missed),
        cmocka_unit_test(more_than_fits_is_refused),
        cmocka_unit_test(the_table_keeps_its_own_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
