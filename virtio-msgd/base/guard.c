// SPDX-License-Identifier: GPL-2.0-only
#include "base/guard.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded {
	struct guarded *next;
	uint8_t *addr;
	size_t len;
};

static struct guarded *all;
static uintptr_t page_size;

/*
 * The only thread is the one that touched the memory, and it is not in here: the
 * list is as it should be.
 */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uint8_t *page = (uint8_t *)((uintptr_t)info->si_addr & ~(page_size - 1));
	const struct guarded *g;

	(void)context;
	for (g = all; g; g = g->next) {
		if (page >= g->addr && page < g->addr + g->len)
			break;
	}
	if (g && mmap(page, page_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
		return;
	/* Not ours: happens again, and ends the program */
	signal(sig, SIG_DFL);
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	page_size = sysconf(_SC_PAGESIZE);
	sigaction(SIGBUS, &action, NULL);
}

int guard_add(void *addr, size_t len)
{
	struct guarded *g = malloc(sizeof(*g));

	if (!g)
		return -ENOMEM;
	if (!page_size)
		install();
	*g = (struct guarded) { .next = all, .addr = addr, .len = len };
	all = g;
	return 0;
}

void guard_remove(void *addr)
{
	struct guarded **at = &all, *g;

	while (*at && (*at)->addr != addr)
		at = &(*at)->next;
	g = *at;
	if (!g)
		return;
	*at = g->next;
	free(g);
}
