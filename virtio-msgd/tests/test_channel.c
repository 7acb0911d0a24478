// SPDX-License-Identifier: GPL-2.0-only
/* Between a parent and the process of a guest. */
#include "event_loop.h"

#include <stdbool.h>
#include <sys/socket.h>

#include "program/channel.h"

static unsigned int messages;
static bool closed;
static char last[64];

static void on_message(void *arg, json_t *message)
{
	(void)arg;
	messages++;
	strncpy(last, json_string_value(json_object_get(message, "word")), sizeof(last) - 1);
}

static void on_closed(void *arg)
{
	(void)arg;
	closed = true;
}

static const struct channel_ops ops = { .message = on_message, .closed = on_closed };

static struct channel *ends[2];

static int setup(void **state)
{
	int pair[2];

	loop_setup(state);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ends[0] = channel_open(pair[0], &ops, NULL);
	ends[1] = channel_open(pair[1], &ops, NULL);
	messages = 0;
	closed = false;
	return 0;
}

static int teardown(void **state)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (ends[i])
			channel_close(ends[i], false);
	}
	return loop_teardown(state);
}

static void say(const char *word)
{
	channel_send(ends[0], json_pack("{s:s}", "word", word));
}

static void both_ways(void **state)
{
	(void)state;
	say("hello");
	channel_send(ends[1], json_pack("{s:s}", "word", "answer"));
	while (messages < 2)
		event_base_loop(loop, EVLOOP_ONCE);
	assert_false(closed);
}

/* What is said last is heard, although neither side's loop runs any more. */
static void last_words(void **state)
{
	(void)state;
	say("one");
	say("over");
	channel_close(ends[0], true);
	ends[0] = NULL;
	assert_int_equal(messages, 0);
	channel_drain(ends[1]);
	assert_int_equal(messages, 2);
	assert_string_equal(last, "over");
	/* and the loop goes on with what comes then */
	while (!closed)
		event_base_loop(loop, EVLOOP_ONCE);
}

/* After a drain as before it */
static void drained_and_used(void **state)
{
	(void)state;
	channel_drain(ends[1]);
	say("more");
	while (!messages)
		event_base_loop(loop, EVLOOP_ONCE);
	assert_string_equal(last, "more");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(both_ways),
		TEST(last_words),
		TEST(drained_and_used),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
