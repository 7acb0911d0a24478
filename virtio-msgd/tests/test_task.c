// SPDX-License-Identifier: GPL-2.0-only
/* Tasks: they wait, and nothing else does. */
#include "event_loop.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

static uint64_t in_ms(unsigned int ms)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000 + ms;
}

/* What happened, in order */
static char story[256];

static void tell(const char *what)
{
	strncat(story, what, sizeof(story) - strlen(story) - 1);
}

static int setup(void **state)
{
	story[0] = '\0';
	return loop_setup(state);
}

static int teardown(void **state)
{
	task_finish(0);
	assert_int_equal(task_count(), 0);
	return loop_teardown(state);
}

struct reader {
	int fds[2];
	const char *name;
	unsigned int ms;
	int result;
};

static void read_one(void *arg)
{
	struct reader *reader = arg;
	char byte[2] = "";

	assert_true(task_here());
	tell(reader->name);
	reader->result = task_wait_fd(reader->fds[0], EV_READ, in_ms(reader->ms));
	if (!reader->result)
		assert_int_equal(read(reader->fds[0], byte, 1), 1);
	tell(byte);
}

static void reader_open(struct reader *reader, const char *name, unsigned int ms)
{
	*reader = (struct reader) { .name = name, .ms = ms, .result = 1 };
	assert_int_equal(pipe(reader->fds), 0);
}

static void reader_close(struct reader *reader)
{
	close(reader->fds[0]);
	close(reader->fds[1]);
}

static void runs_at_once(void **state)
{
	struct reader reader;

	(void)state;
	reader_open(&reader, "a", 10000);
	assert_int_equal(write(reader.fds[1], "1", 1), 1);
	assert_false(task_here());
	task_run(read_one, &reader);
	assert_false(task_here());
	/* What is there already is looked at by the loop */
	tell("-");
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
	assert_string_equal(story, "a-1");
	assert_int_equal(reader.result, 0);
	reader_close(&reader);
}

static void others_go_on(void **state)
{
	struct reader a, b;

	(void)state;
	reader_open(&a, "a", 10000);
	reader_open(&b, "b", 10000);
	task_run(read_one, &a);
	task_run(read_one, &b);
	assert_int_equal(task_count(), 2);
	assert_int_equal(write(b.fds[1], "2", 1), 1);
	event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(task_count(), 1);
	assert_int_equal(write(a.fds[1], "1", 1), 1);
	event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(task_count(), 0);
	assert_string_equal(story, "ab21");
	reader_close(&a);
	reader_close(&b);
}

static void deadline(void **state)
{
	struct reader reader;

	(void)state;
	reader_open(&reader, "a", 20);
	task_run(read_one, &reader);
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(reader.result, -ETIMEDOUT);
	reader_close(&reader);
}

/* Without a task the caller is held up, which is what it gets told of */
static void outside(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(task_wait_fd(fds[0], EV_READ, in_ms(10)), -ETIMEDOUT);
	assert_int_equal(write(fds[1], "1", 1), 1);
	assert_int_equal(task_wait_fd(fds[0], EV_READ, in_ms(10000)), 0);
	close(fds[0]);
	close(fds[1]);
}

struct locked {
	struct task_lock *lock;
	struct reader reader;
};

static void with_lock(void *arg)
{
	struct locked *locked = arg;

	task_lock(locked->lock);
	read_one(&locked->reader);
	task_unlock(locked->lock);
}

static void lock_in_order(void **state)
{
	static const char *const names[] = { "a", "b", "c" };
	struct task_lock lock = { 0 };
	struct locked locked[3];
	unsigned int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		locked[i].lock = &lock;
		reader_open(&locked[i].reader, names[i], 10000);
		/* Whoever is last could go on first, but has to wait for the others */
		if (i)
			assert_int_equal(write(locked[i].reader.fds[1], "x", 1), 1);
		task_run(with_lock, &locked[i]);
	}
	assert_string_equal(story, "a");
	assert_false(task_trylock(&lock));
	loop_run();
	assert_int_equal(task_count(), 3);
	assert_int_equal(write(locked[0].reader.fds[1], "1", 1), 1);
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
	assert_string_equal(story, "a1bxcx");
	assert_true(task_trylock(&lock));
	task_unlock(&lock);
	assert_false(lock.held);
	for (i = 0; i < 3; i++)
		reader_close(&locked[i].reader);
}

/* One that is handed the lock is not overtaken before it runs */
static void lock_is_handed_over(void **state)
{
	struct task_lock lock = { 0 };
	struct locked locked = { .lock = &lock };

	(void)state;
	reader_open(&locked.reader, "a", 10000);
	assert_int_equal(write(locked.reader.fds[1], "1", 1), 1);
	assert_true(task_trylock(&lock));
	task_run(with_lock, &locked);
	task_unlock(&lock);
	assert_false(task_trylock(&lock));
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
	assert_string_equal(story, "a1");
	assert_false(lock.held);
	reader_close(&locked.reader);
}

static void finish_hurries(void **state)
{
	struct reader a, b;

	(void)state;
	reader_open(&a, "a", 3600000);
	reader_open(&b, "b", 3600000);
	task_run(read_one, &a);
	task_run(read_one, &b);
	task_finish(10);
	assert_int_equal(task_count(), 0);
	assert_int_equal(a.result, -ETIMEDOUT);
	assert_int_equal(b.result, -ETIMEDOUT);
	reader_close(&a);
	reader_close(&b);
}

static void inner(void *arg)
{
	*(bool *)arg = task_here();
}

static void outer(void *arg)
{
	task_run(inner, arg);
}

/* In a task, another one is a call */
static void nested(void **state)
{
	bool here = false;

	(void)state;
	task_run(outer, &here);
	assert_true(here);
	assert_int_equal(task_count(), 0);
}

#define MANY	500

static void many(void **state)
{
	static struct reader readers[MANY];
	unsigned int i;

	(void)state;
	for (i = 0; i < MANY; i++) {
		reader_open(&readers[i], "", 60000);
		task_run(read_one, &readers[i]);
	}
	assert_int_equal(task_count(), MANY);
	for (i = MANY; i-- > 0;)
		assert_int_equal(write(readers[i].fds[1], "", 1), 1);
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(readers[i].result, 0);
		reader_close(&readers[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(runs_at_once),
		TEST(others_go_on),
		TEST(deadline),
		TEST(outside),
		TEST(lock_in_order),
		TEST(lock_is_handed_over),
		TEST(finish_hurries),
		TEST(nested),
		TEST(many),
	};

	return cmocka_run_group_tests_name("task", tests, NULL, NULL);
}
