// SPDX-License-Identifier: GPL-2.0-only
/* The log: nobody waits for its reader, and nobody's lines are missing for another's. */
#include "event_loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* All that comes out of @fd until its other end is closed, or there is no more for now */
static char *read_all(int fd)
{
	size_t len = 0, room = 1 << 20;
	char *text = malloc(room + 1);
	ssize_t n;

	while ((n = read(fd, text + len, room - len)) > 0)
		len += n;
	text[len] = '\0';
	return text;
}

static unsigned int count(const char *text, const char *what)
{
	unsigned int num = 0;

	while ((text = strstr(text, what))) {
		text += strlen(what);
		num++;
	}
	return num;
}

/*
 * In a process of its own, whose stderr is @ends[1]: say @first lines while nobody reads,
 * then, when all of them were read, one more.
 */
static void talk(int *ends, unsigned int first)
{
	int go[2], said_all[2], status;
	char *text, byte;
	pid_t pid;

	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(said_all), 0);
	pid = fork();
	if (!pid) {
		unsigned int i;

		dup2(ends[1], STDERR_FILENO);
		log_init();
		for (i = 0; i < first; i++)
			log_line("line %u of those that nobody reads", i);
		close(go[1]);
		/* Until the others were read */
		if (write(said_all[1], "", 1) != 1 || read(go[0], &byte, 1) < 0)
			_exit(1);
		log_line("the last one");
		_exit(0);
	}
	close(ends[1]);
	close(go[0]);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	/* It says all its lines although nobody reads: otherwise this takes for ever */
	assert_int_equal(read(said_all[0], &byte, 1), 1);
	free(read_all(ends[0]));
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	text = read_all(ends[0]);
	assert_int_equal(count(text, "the last one"), 1);
	assert_int_equal(count(text, "lines were lost here"), 1);
	free(text);
	close(ends[0]);
	close(said_all[0]);
	close(said_all[1]);
}

static void full_pipe(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	talk(ends, 1000);
}

static void full_socket(void **state)
{
	int ends[2], size = 4096;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	talk(ends, 1000);
}

/* Those who share it have a stderr that blocks, as before */
static void flags_are_ours(void **state)
{
	int ends[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (!pid) {
		dup2(ends[1], STDERR_FILENO);
		log_init();
		log_line("hello");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
	close(ends[0]);
	close(ends[1]);
}

/* stderr is a file while @run runs; what it said */
static char *said(void (*run)(void))
{
	int saved = dup(STDERR_FILENO), fd = memfd_create("log", 0);
	char *text;

	dup2(fd, STDERR_FILENO);
	run();
	dup2(saved, STDERR_FILENO);
	close(saved);
	lseek(fd, 0, SEEK_SET);
	text = read_all(fd);
	close(fd);
	return text;
}

static struct log_limit noisy, quiet;

static void two_causes(void)
{
	unsigned int i;

	for (i = 0; i < 45; i++)
		log_limited(&noisy, "noisy: it is %u", i);
	log_limited(&quiet, "quiet: only this");
}

static void limits_are_apart(void **state)
{
	char *text = said(two_causes);

	(void)state;
	assert_int_equal(count(text, "noisy: it is"), LOG_BURST);
	assert_int_equal(count(text, "quiet: only this"), 1);
	free(text);
	text = said(log_end);
	assert_int_equal(count(text, "noisy: 25 more lines like these\n"), 1);
	free(text);
	text = said(log_end);
	assert_string_equal(text, "");
	free(text);
}

static void wait_for_period(void)
{
	event_base_loop(loop, EVLOOP_ONCE);
}

/* Also if nothing is said any more */
static void end_of_period(void **state)
{
	char *text;

	(void)state;
	noisy = (struct log_limit) { 0 };
	free(said(two_causes));
	text = said(wait_for_period);
	assert_int_equal(count(text, "noisy: 25 more lines like these\n"), 1);
	free(text);
	/* and nothing wakes us up after that */
	assert_int_equal(event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED), 0);
	log_end();
}

static void odd_characters(void)
{
	log_line("a guest's \n\x1b[2J name");
	log_line("another: \xc2\x9b" "2J, \xc2\xa9 \xc3\x9b \xc2");
}

static void one_line(void **state)
{
	char *text = said(odd_characters);

	(void)state;
	assert_string_equal(text, "virtio-msgd: a guest's ??[2J name\n"
			    "virtio-msgd: another: ??2J, \xc2\xa9 \xc3\x9b \xc2\n");
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, loop_setup, loop_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(full_pipe),
		TEST(full_socket),
		TEST(flags_are_ours),
		TEST(limits_are_apart),
		TEST(end_of_period),
		TEST(one_line),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
