// SPDX-License-Identifier: GPL-2.0-only
/* Between a parent and the process of a guest. */
#include "event_loop.h"

#include <stdbool.h>
#include <sys/socket.h>

#include "program/channel.h"
#include "program/guests_internal.h"

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

/*
 * Questions to a guest's process
 */

static unsigned int answers, refusals;

static void on_answer(void *arg, json_t *reply)
{
	(void)arg;
	answers++;
	refusals += json_object_get(reply, "error") != NULL;
	json_decref(reply);
}

/* The channel is closed, and nobody has heard yet that the process is at its end. */
static void question_without_channel(void **state)
{
	struct guest guest = { .state = GUEST_READY };
	json_t *request = json_object();

	(void)state;
	answers = 0;
	guest_ask(&guest, request, on_answer, NULL);
	assert_int_equal(answers, 1);
	json_decref(request);
}

/* A process that hangs is asked now and then, for days. */
static void questions_that_are_not_read(void **state)
{
	struct guest guest = { .state = GUEST_READY, .name = (char *)"guest" };
	static char text[65000];
	json_t *request;
	unsigned int i;

	(void)state;
	memset(text, 'x', sizeof(text));
	request = json_pack("{s:s%}", "text", text, sizeof(text));
	guest.channel = ends[0];
	answers = 0;
	refusals = 0;
	for (i = 0; i < 1000; i++)
		guest_ask(&guest, request, on_answer, NULL);
	assert_in_range(answers, 900, 999);
	assert_int_equal(refusals, answers);
	guest_forget_questions(&guest);
	json_decref(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(both_ways),
		TEST(last_words),
		TEST(drained_and_used),
		TEST(question_without_channel),
		TEST(questions_that_are_not_read),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
