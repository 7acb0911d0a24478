/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work that may have to wait for somebody without holding up the loop: a task is a
 * function on a stack of its own, which gives way to the loop while it waits. There
 * are no threads: a task runs until it waits, or ends, and nothing else runs meanwhile.
 *
 * What several tasks must not do at a time is put between task_lock() and
 * task_unlock(), whose order is that of arrival.
 */
#ifndef MSGD_TASK_H
#define MSGD_TASK_H

#include <stdbool.h>
#include <stdint.h>

typedef void task_fn(void *arg);

/*
 * Run @fn in a task: returns when it has ended or begins to wait. Without memory for
 * a stack it runs in the caller's, and its waits hold up the loop.
 */
void task_run(task_fn *fn, void *arg);

/* The caller is in a task, and may wait without harm. */
bool task_here(void);

/*
 * Since when (loop_now_ms()) the caller's task does what it does: it was started, or has got
 * the last lock that it had to wait for. Outside of tasks: now
 */
uint64_t task_since(void);

/* How many there are that have not ended */
unsigned int task_count(void);

/*
 * The program is about to end: run the loop until there are no tasks. After @ms
 * milliseconds all their waits end at once, as if they had lasted too long.
 */
void task_finish(unsigned int ms);

/*
 * Wait until @fd is ready for @what (EV_READ, EV_WRITE), or until @deadline, in
 * milliseconds of CLOCK_MONOTONIC: 0, -ETIMEDOUT, or another error. Outside of tasks
 * the loop is held up.
 */
int task_wait_fd(int fd, short what, uint64_t deadline);

/*
 * Let @ms milliseconds pass, with the loop held up outside of tasks. False: the program is
 * about to end, and what the caller waits for is not to be waited for any more.
 */
bool task_sleep(unsigned int ms);

struct task;

/**
 * struct task_lock - one at a time; all zero: free
 * @held: somebody has it
 * @first: the first of those that wait for it
 */
struct task_lock {
	bool held;
	struct task *first;
};

/* Wait for it: in a task only. */
void task_lock(struct task_lock *lock);
/* False if somebody has it, or waits for it; for those that are in no task. */
bool task_trylock(struct task_lock *lock);
/* Who is next goes on from the loop, soon. */
void task_unlock(struct task_lock *lock);

#endif
