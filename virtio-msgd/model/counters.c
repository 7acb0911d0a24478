// SPDX-License-Identifier: GPL-2.0-only
#include "model/counters.h"

#include <linux/virtio_mmio.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mmio.h>
#include <stdio.h>

struct name {
	unsigned int at;
	const char *name;
};

#define NUM(names) (sizeof(names) / sizeof((names)[0]))

static const struct name msg_registers[] = {
	{ VIRTIO_MSG_MMIO_MAGIC, "Magic" },
	{ VIRTIO_MSG_MMIO_IDENTITY, "Identity" },
	{ VIRTIO_MSG_MMIO_IDENTITY + 4, "IdentityHigh" },
	{ VIRTIO_MSG_MMIO_TRANSPORT_FEATURES, "TransportFeatures" },
	{ VIRTIO_MSG_MMIO_SLOTS, "Slots" },
	{ VIRTIO_MSG_MMIO_EVENT, "Event" },
	{ VIRTIO_MSG_MMIO_PAGE, "Page" },
	{ VIRTIO_MSG_MMIO_PAGE + 4, "PageHigh" },
	{ VIRTIO_MSG_MMIO_CONFIG_SLOTS, "ConfigSlots" },
	{ VIRTIO_MSG_MMIO_CONFIG_SLOTS + 4, "ConfigSlotsHigh" },
	{ VIRTIO_MSG_MMIO_DOORBELL, "Doorbell" },
	{ VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), "QueueNotify" },
	{ VIRTIO_MSG_MMIO_WINDOW, "Window" },
};

static const struct name mmio_registers[] = {
	{ VIRTIO_MMIO_MAGIC_VALUE, "MagicValue" },
	{ VIRTIO_MMIO_VERSION, "Version" },
	{ VIRTIO_MMIO_DEVICE_ID, "DeviceID" },
	{ VIRTIO_MMIO_VENDOR_ID, "VendorID" },
	{ VIRTIO_MMIO_DEVICE_FEATURES, "DeviceFeatures" },
	{ VIRTIO_MMIO_DEVICE_FEATURES_SEL, "DeviceFeaturesSel" },
	{ VIRTIO_MMIO_DRIVER_FEATURES, "DriverFeatures" },
	{ VIRTIO_MMIO_DRIVER_FEATURES_SEL, "DriverFeaturesSel" },
	{ VIRTIO_MMIO_QUEUE_SEL, "QueueSel" },
	{ VIRTIO_MMIO_QUEUE_NUM_MAX, "QueueNumMax" },
	{ VIRTIO_MMIO_QUEUE_NUM, "QueueNum" },
	{ VIRTIO_MMIO_QUEUE_READY, "QueueReady" },
	{ VIRTIO_MMIO_QUEUE_NOTIFY, "QueueNotify" },
	{ VIRTIO_MMIO_INTERRUPT_STATUS, "InterruptStatus" },
	{ VIRTIO_MMIO_INTERRUPT_ACK, "InterruptACK" },
	{ VIRTIO_MMIO_STATUS, "Status" },
	{ VIRTIO_MMIO_QUEUE_DESC_LOW, "QueueDescLow" },
	{ VIRTIO_MMIO_QUEUE_DESC_HIGH, "QueueDescHigh" },
	{ VIRTIO_MMIO_QUEUE_AVAIL_LOW, "QueueDriverLow" },
	{ VIRTIO_MMIO_QUEUE_AVAIL_HIGH, "QueueDriverHigh" },
	{ VIRTIO_MMIO_QUEUE_USED_LOW, "QueueDeviceLow" },
	{ VIRTIO_MMIO_QUEUE_USED_HIGH, "QueueDeviceHigh" },
	{ VIRTIO_MMIO_CONFIG_GENERATION, "ConfigGeneration" },
	{ VIRTIO_MMIO_CONFIG, "Config" },
};

static const struct name messages[] = {
	{ VIRTIO_MSG_GET_DEVICE_INFO, "GET_DEVICE_INFO" },
	{ VIRTIO_MSG_GET_DEVICE_FEATURES, "GET_DEVICE_FEATURES" },
	{ VIRTIO_MSG_SET_DRIVER_FEATURES, "SET_DRIVER_FEATURES" },
	{ VIRTIO_MSG_GET_CONFIG, "GET_CONFIG" },
	{ VIRTIO_MSG_SET_CONFIG, "SET_CONFIG" },
	{ VIRTIO_MSG_GET_DEVICE_STATUS, "GET_DEVICE_STATUS" },
	{ VIRTIO_MSG_SET_DEVICE_STATUS, "SET_DEVICE_STATUS" },
	{ VIRTIO_MSG_GET_VQUEUE, "GET_VQUEUE" },
	{ VIRTIO_MSG_SET_VQUEUE, "SET_VQUEUE" },
	{ VIRTIO_MSG_RESET_VQUEUE, "RESET_VQUEUE" },
	{ VIRTIO_MSG_GET_SHM, "GET_SHM" },
	{ VIRTIO_MSG_EVENT_AVAIL, "EVENT_AVAIL" },
};

static const struct name bus_messages[] = {
	{ VIRTIO_MSG_BUS_GET_DEVICES, "BUS_GET_DEVICES" },
	{ VIRTIO_MSG_BUS_PING, "BUS_PING" },
};

static void add(json_t *table, const struct name *names, size_t num, unsigned int at,
		uint64_t count)
{
	char number[16];
	size_t i;

	if (!count)
		return;
	for (i = 0; i < num; i++) {
		if (names[i].at == at) {
			json_object_set_new(table, names[i].name, json_integer(count));
			return;
		}
	}
	snprintf(number, sizeof(number), "0x%03x", at);
	json_object_set_new(table, number, json_integer(count));
}

/* The register that word @i is a part of: its first word, by which it is known */
static unsigned int register_of(unsigned int i, bool mmio)
{
	if (i * 4 >= VIRTIO_MSG_MMIO_WINDOW && i * 4 < VIRTIO_MSG_MMIO_SIZE)
		return VIRTIO_MSG_MMIO_WINDOW / 4;
	if (!mmio && i * 4 >= VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0))
		return VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0) / 4;
	return i;
}

static json_t *words_json(const uint64_t *words, bool mmio, uint64_t *total)
{
	const struct name *names = mmio ? mmio_registers : msg_registers;
	size_t num = mmio ? NUM(mmio_registers) : NUM(msg_registers);
	uint64_t registers[COUNTERS_WORDS] = { 0 };
	json_t *table = json_object();
	unsigned int i;

	for (i = 0; i < COUNTERS_WORDS; i++) {
		*total += words[i];
		registers[register_of(i, mmio)] += words[i];
	}
	for (i = 0; i < COUNTERS_WORDS; i++)
		add(table, names, num, i * 4, registers[i]);
	return table;
}

static json_t *messages_json(const uint64_t *counts, const uint64_t *bus)
{
	json_t *table = json_object();
	unsigned int id;

	for (id = 0; id < 256; id++)
		add(table, messages, NUM(messages), id, counts[id]);
	for (id = 0; id < COUNTERS_BUS; id++)
		add(table, bus_messages, NUM(bus_messages), id, bus[id]);
	return table;
}

void counters_request(struct counters *c, bool bus, uint8_t id)
{
	if (!bus)
		c->requests[id]++;
	else if (id < COUNTERS_BUS)
		c->bus_requests[id]++;
	c->kicks += !bus && id == VIRTIO_MSG_EVENT_AVAIL;
}

void counters_response(struct counters *c, bool bus, uint8_t id)
{
	if (!bus)
		c->responses[id]++;
	else if (id < COUNTERS_BUS)
		c->bus_responses[id]++;
}

void counters_kick(struct counters *c, uint32_t data)
{
	c->kicks++;
	c->last_kick = data;
}

json_t *counters_json(const struct counters *c, bool mmio)
{
	uint64_t total = 0;
	json_t *reads = words_json(c->reads, mmio, &total);
	json_t *writes = words_json(c->writes, mmio, &total);

	return json_pack("{s:{s:I,s:o,s:o},s:o,s:o,s:I,s:I,s:I,s:I,s:I,s:I}",
			 "traps", "total", (json_int_t)total, "read", reads, "write", writes,
			 "requests", messages_json(c->requests, c->bus_requests),
			 "responses", messages_json(c->responses, c->bus_responses),
			 "discarded", (json_int_t)c->discarded,
			 "kicks", (json_int_t)c->kicks,
			 "last_kick", (json_int_t)c->last_kick,
			 "interrupts", (json_int_t)c->interrupts,
			 "ioeventfds", (json_int_t)c->ioeventfds,
			 "grants", (json_int_t)c->grants);
}
