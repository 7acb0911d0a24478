/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a window's driver and device did, counted exactly. `virtio-msgd
 * --control SOCKET counters` and --counters FILE show it as JSON.
 */
#ifndef MSGD_COUNTERS_H
#define MSGD_COUNTERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Registers are counted by 4-byte word, the Window register as one, and so QueueNotify */
#define COUNTERS_WORDS		(0x400 / 4)
/* IDs of messages to the bus are below this, but for those nobody knows */
#define COUNTERS_BUS		8

/**
 * struct counters - since the window was made, or counters_reset()
 * @reads: loads by word of the window that they start in
 * @writes: stores, likewise
 * @requests: messages from the driver by id
 * @responses: answers, likewise
 * @bus_requests: messages from the driver to the bus, not to a device, by id
 * @bus_responses: answers, likewise
 * @discarded: messages that were malformed or unknown
 * @kicks: buffers announced that came through this process
 * @last_kick: what the last one said: the queue, or the notification data
 * @interrupts: raised by this process
 * @ioeventfds: buffers announced that the kernel took (Xen)
 * @grants: pages that the guest granted and that were mapped here (Xen)
 */
struct counters {
	uint64_t reads[COUNTERS_WORDS];
	uint64_t writes[COUNTERS_WORDS];
	uint64_t requests[256];
	uint64_t responses[256];
	uint64_t bus_requests[COUNTERS_BUS];
	uint64_t bus_responses[COUNTERS_BUS];
	uint64_t discarded;
	uint64_t kicks;
	uint32_t last_kick;
	uint64_t interrupts;
	uint64_t ioeventfds;
	uint64_t grants;
};

/* The driver sent a message, to the @bus or to a device, and was answered */
void counters_request(struct counters *counters, bool bus, uint8_t id);
void counters_response(struct counters *counters, bool bus, uint8_t id);
/* The driver announced buffers, with these words */
void counters_kick(struct counters *counters, uint32_t data);

/*
 * As a JSON object of "traps" ("total", "read" and "write" by register),
 * "requests" and "responses" by message, "discarded", "kicks", "last_kick", "interrupts",
 * "ioeventfds", "grants"; what is 0 in a table is left out. @mmio chooses the names of registers.
 */
json_t *counters_json(const struct counters *counters, bool mmio);

#endif
