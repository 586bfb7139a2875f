/* Lines: what belongs to one, and a terminal that does not show what is typed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/terminal.h"

/* A descriptor that gives the text and then ends. */
static int giving(const char *text)
{
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    (void)close(ends[1]);
    return ends[0];
}

static void a_line_is_what_stands_before_its_end(void **state)
{
    (void)state;
    const struct {
        const char *given, *line;
    } cases[] = {{"word\n", "word"}, {"word\r\n", "word"}, {"word", "word"}, {"\n", ""}};

    for (size_t i = 0; i < KITH_COUNT(cases); i++) {
        int fd = giving(cases[i].given);
        char line[8];
        assert_int_equal(kith_terminal_read_line(fd, line, sizeof line), KITH_OK);
        assert_string_equal(line, cases[i].line);
        (void)close(fd);
    }
}

static void what_follows_a_line_is_left_to_the_next_reader(void **state)
{
    (void)state;
    int fd = giving("one\ntwo\n");
    char line[8];

    assert_int_equal(kith_terminal_read_line(fd, line, sizeof line), KITH_OK);
    assert_int_equal(read(fd, line, sizeof line), 4);
    assert_memory_equal(line, "two\n", 4);
    (void)close(fd);
}

static void a_line_that_does_not_fit_and_one_that_is_not_there_are_refused(void **state)
{
    (void)state;
    int fd = giving("1234567\n12345678\n");
    char line[8];

    assert_int_equal(kith_terminal_read_line(fd, line, sizeof line), KITH_OK);
    assert_string_equal(line, "1234567");
    assert_int_equal(kith_terminal_read_line(fd, line, sizeof line), KITH_E_LIMIT);
    (void)close(fd);
    fd = giving("");
    assert_int_equal(kith_terminal_read_line(fd, line, sizeof line), KITH_E_CLOSED);
    (void)close(fd);
}

/* In a process whose controlling terminal is the one named (NULL: it has none): the exit code says
 * whether asking ended with `wanted`, and for a line whether that was "secret". */
static pid_t ask_elsewhere(const char *terminal, int wanted)
{
    pid_t pid = fork();
    char line[16];

    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (setsid() < 0)
        _exit(2);
    int fd = terminal == NULL ? -1 : open(terminal, O_RDWR | O_CLOEXEC);
    if (terminal != NULL && (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0))
        _exit(3);
    if (kith_terminal_ask("Word: ", line, sizeof line) != wanted)
        _exit(4);
    _exit(wanted == KITH_OK && strcmp(line, "secret") != 0 ? 5 : 0);
}

static void assert_ends_well(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* What the terminal shows, up to and with `end`; a failing test reads for ever, and is stopped. */
static void read_shown(int fd, char *buf, size_t cap, const char *end)
{
    size_t n = 0;

    for (buf[0] = '\0'; strstr(buf, end) == NULL; buf[n] = '\0') {
        ssize_t got = read(fd, buf + n, cap - 1 - n);
        assert_true(got > 0);
        n += (size_t)got;
    }
}

static void a_terminal_shows_the_question_and_not_the_answer(void **state)
{
    (void)state;
    char shown[64];
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(grantpt(fd), 0);
    assert_int_equal(unlockpt(fd), 0);
    int held =
        open(ptsname(fd), O_RDWR | O_NOCTTY | O_CLOEXEC); /* what was shown stays to be read */
    pid_t pid = ask_elsewhere(ptsname(fd), KITH_OK);

    read_shown(fd, shown, sizeof shown, "Word: ");
    assert_string_equal(shown, "Word: ");
    assert_int_equal(write(fd, "secret\n", 7), 7);
    read_shown(fd, shown, sizeof shown, "\n");
    assert_string_equal(shown, "\r\n");
    assert_ends_well(pid);
    (void)close(held);
    (void)close(fd);
}

static void without_a_terminal_nobody_is_asked(void **state)
{
    (void)state;
    assert_ends_well(ask_elsewhere(NULL, KITH_E_IO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_what_stands_before_its_end),
        cmocka_unit_test(what_follows_a_line_is_left_to_the_next_reader),
        cmocka_unit_test(a_line_that_does_not_fit_and_one_that_is_not_there_are_refused),
        cmocka_unit_test(a_terminal_shows_the_question_and_not_the_answer),
        cmocka_unit_test(without_a_terminal_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
