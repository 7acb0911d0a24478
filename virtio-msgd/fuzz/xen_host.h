/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen host for the fuzzer of the Xen carrier, in place of Xen's libraries: xenstore, one
 * guest with a page of requests, event channels, RAM and grants. Every call may fail.
 */
#ifndef FUZZ_XEN_HOST_H
#define FUZZ_XEN_HOST_H

#define __XEN_TOOLS__ 1
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xendevicemodel.h>
#include <xen/hvm/ioreq.h>

#define HOST_DOMID	1
#define HOST_MAX_VCPUS	4
/* Of RAM from its first address on, and of grants from reference 0 on */
#define HOST_PAGES	16
#define HOST_RAM	0x40000000ULL
/* Event channels of the vCPUs, here */
#define HOST_PORT	8

/**
 * struct host - what the harness changes
 * @vcpus: how many the guest has
 * @page: its requests
 * @introduced: the guest exists
 * @missing: pages of RAM that are not there, bit by bit
 * @fail_in: after so many more calls one fails; 0: none does
 * @servers: IOREQ servers that the guest has
 * @ram: the guest's RAM, and what it grants
 */
struct host {
	unsigned int vcpus;
	struct shared_iopage *page;
	bool introduced;
	uint32_t missing;
	unsigned int fail_in;
	unsigned int servers;
	int ram;
};

extern struct host host;

void host_start(void);
/* Everything that was taken has been given back */
void host_stop(void);
/* Write to xenstore, NULL: remove it with what is below; tell those who watch */
void host_store(const char *path, const char *value);
void host_watch_fires(void);
/* An event of a channel */
void host_event(uint32_t port);

#endif
