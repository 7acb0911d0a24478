// SPDX-License-Identifier: GPL-2.0-only
#include "base/task.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/loop.h"

/* gcc says it in one way, clang in another */
#if defined(__has_feature) && !defined(__SANITIZE_ADDRESS__)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>

#define STACK_SIZE	(1U << 20)
#else
/* Of which only what is used becomes memory */
#define STACK_SIZE	(256U << 10)
#endif

/* Stacks that are kept for the next task */
#define MAX_SPARE	4

/**
 * struct task - a function on a stack of its own
 * @next: the next one that waits for the same lock, or is to go on, or is spare
 * @fn: what it does
 * @arg: for that
 * @stack: lowest address of its stack; a page that nobody may touch is below it
 * @context: where it is while it waits
 * @back: where whoever runs it goes on
 * @wake: what it waits for
 * @result: of that
 * @waits: in task_wait_fd()
 * @ended: and is to be forgotten
 * @since: see task_since()
 * @all: the next of all tasks
 * @fake: the sanitizer's idea of the stack that is not in use
 */
struct task {
	struct task *next;
	task_fn *fn;
	void *arg;
	uint8_t *stack;
	ucontext_t context;
	ucontext_t back;
	struct event *wake;
	int result;
	bool waits;
	bool ended;
	uint64_t since;
	struct task *all;
	void *fake;
};

/* Of the thread that has the loop; any other, as tests have them, is in none */
static _Thread_local struct task *current;
static struct task *all_tasks;
static struct task *spare;
static unsigned int num_spare;
static bool hurry;

bool task_here(void)
{
	return current;
}

uint64_t task_since(void)
{
	return current ? current->since : loop_now_ms();
}

unsigned int task_count(void)
{
	const struct task *task;
	unsigned int num = 0;

	for (task = all_tasks; task; task = task->all)
		num++;
	return num;
}

/*
 * From one stack to another. The sanitizer has to know which one is in use.
 */

#ifdef __SANITIZE_ADDRESS__
static void *loop_fake;
static const void *loop_stack;
static size_t loop_size;

static void enter(struct task *task)
{
	__sanitizer_start_switch_fiber(&loop_fake, task->stack, STACK_SIZE);
	swapcontext(&task->back, &task->context);
	__sanitizer_finish_switch_fiber(loop_fake, NULL, NULL);
}

static void arrived(struct task *task)
{
	__sanitizer_finish_switch_fiber(task->fake, &loop_stack, &loop_size);
}

static void leave(struct task *task, bool for_good)
{
	__sanitizer_start_switch_fiber(for_good ? NULL : &task->fake, loop_stack, loop_size);
	swapcontext(&task->context, &task->back);
	arrived(task);
}
#else
static void enter(struct task *task)
{
	swapcontext(&task->back, &task->context);
}

static void arrived(struct task *task)
{
	(void)task;
}

static void leave(struct task *task, bool for_good)
{
	(void)for_good;
	swapcontext(&task->context, &task->back);
}
#endif

static void task_free(struct task *task)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (task->wake)
		event_free(task->wake);
	if (task->stack)
		munmap(task->stack - page, STACK_SIZE + page);
	free(task);
}

static void forget(struct task *task)
{
	struct task **at = &all_tasks;

	while (*at != task)
		at = &(*at)->all;
	*at = task->all;
	event_free(task->wake);
	task->wake = NULL;
	if (num_spare == MAX_SPARE) {
		task_free(task);
		return;
	}
	task->next = spare;
	spare = task;
	num_spare++;
}

/* Let it run until it waits or ends; returns to whoever calls, which is in no task. */
static void go_on(struct task *task)
{
	current = task;
	enter(task);
	current = NULL;
	if (task->ended)
		forget(task);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct task *task = arg;

	(void)fd;
	if (task->waits)
		task->result = what & (EV_READ | EV_WRITE) ? 0 : -ETIMEDOUT;
	task->waits = false;
	go_on(task);
}

static void begin(void)
{
	struct task *task = current;

	arrived(task);
	task->fn(task->arg);
	task->ended = true;
	leave(task, true);
	/* Nobody goes on with one that has ended */
	abort();
}

static struct task *task_new(void)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct task *task = spare;
	uint8_t *area;

	if (task) {
		spare = task->next;
		num_spare--;
		return task;
	}
	task = calloc(1, sizeof(*task));
	if (!task)
		return NULL;
	area = mmap(NULL, STACK_SIZE + page, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (area == MAP_FAILED || mprotect(area + page, STACK_SIZE, PROT_READ | PROT_WRITE)) {
		if (area != MAP_FAILED)
			munmap(area, STACK_SIZE + page);
		free(task);
		return NULL;
	}
	task->stack = area + page;
	return task;
}

/* Where it begins */
static bool task_prepare(struct task *task)
{
	if (getcontext(&task->context))
		return false;
	task->context.uc_stack.ss_sp = task->stack;
	task->context.uc_stack.ss_size = STACK_SIZE;
	task->context.uc_link = NULL;
	makecontext(&task->context, begin, 0);
	return true;
}

void task_run(task_fn *fn, void *arg)
{
	/* One that is in a task has what it takes to wait already */
	struct task *task = current ? NULL : task_new();

	if (task)
		task->wake = event_new(loop, -1, 0, on_wake, task);
	if (!task || !task->wake || !task_prepare(task)) {
		if (task)
			task_free(task);
		fn(arg);
		return;
	}
	task->fn = fn;
	task->arg = arg;
	task->ended = false;
	task->since = loop_now_ms();
	task->fake = NULL;
	task->all = all_tasks;
	all_tasks = task;
	go_on(task);
}

/*
 * Waiting
 */

/* In no task: hold the loop up */
static int wait_here(int fd, short what, uint64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = what & EV_READ ? POLLIN : POLLOUT };
	uint64_t now;
	int ret;

	do {
		now = loop_now_ms();
		ret = poll(&pfd, 1, deadline > now ? deadline - now : 0);
	} while (ret < 0 && errno == EINTR);
	if (ret < 0)
		return -errno;
	return ret ? 0 : -ETIMEDOUT;
}

int task_wait_fd(int fd, short what, uint64_t deadline)
{
	struct task *task = current;
	uint64_t now = loop_now_ms(), left = deadline > now ? deadline - now : 0;
	struct timeval after = { .tv_sec = left / 1000, .tv_usec = left % 1000 * 1000 };

	if (!task)
		return wait_here(fd, what, deadline);
	if (hurry)
		return -ETIMEDOUT;
	if (event_assign(task->wake, loop, fd, what, on_wake, task) ||
	    event_add(task->wake, &after))
		return wait_here(fd, what, deadline);
	task->waits = true;
	leave(task, false);
	return task->result;
}

bool task_sleep(unsigned int ms)
{
	task_wait_fd(-1, 0, loop_now_ms() + ms);
	return !current || !hurry;
}

void task_lock(struct task_lock *lock)
{
	struct task **at = &lock->first;

	if (!lock->held) {
		lock->held = true;
		return;
	}
	/* Nobody else could unlock it */
	if (!current)
		abort();
	while (*at)
		at = &(*at)->next;
	current->next = NULL;
	*at = current;
	/* Handed over by who has it now */
	leave(current, false);
	current->since = loop_now_ms();
}

bool task_trylock(struct task_lock *lock)
{
	if (lock->held)
		return false;
	lock->held = true;
	return true;
}

void task_unlock(struct task_lock *lock)
{
	static const struct timeval now;
	struct task *task = lock->first;

	if (!task) {
		lock->held = false;
		return;
	}
	lock->first = task->next;
	event_assign(task->wake, loop, -1, 0, on_wake, task);
	event_add(task->wake, &now);
}

/*
 * The end
 */

static void wake_all(void)
{
	struct task *task;

	hurry = true;
	for (task = all_tasks; task; task = task->all) {
		if (task->waits)
			event_active(task->wake, EV_TIMEOUT, 0);
	}
}

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

void task_finish(unsigned int ms)
{
	const struct timeval each = { .tv_usec = 10000 };
	uint64_t deadline = loop_now_ms() + ms;

	while (all_tasks) {
		if (!hurry && loop_now_ms() >= deadline)
			wake_all();
		/* So that the clock is looked at now and then */
		if (event_base_once(loop, -1, EV_TIMEOUT, nothing, NULL, &each))
			break;
		event_base_loop(loop, EVLOOP_ONCE);
	}
	hurry = false;
	while (spare) {
		struct task *task = spare;

		spare = task->next;
		task_free(task);
	}
	num_spare = 0;
}
