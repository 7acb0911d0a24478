// SPDX-License-Identifier: GPL-2.0-only
/* Accesses to a window whose device waits for somebody. */
#include "guest.h"

#include <linux/virtio_mmio.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct guest *g;
static struct fake *fake;
static struct device_ops ops;
static int tube[2];
static bool gives_up;

/* Until a byte comes, or for a minute */
static int wait_byte(void)
{
	struct timespec now;
	char byte;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ret = task_wait_fd(tube[0], EV_READ, (now.tv_sec + (gives_up ? 0 : 60)) * 1000ULL);
	if (!ret)
		assert_int_equal(read(tube[0], &byte, 1), 1);
	return ret;
}

static void answer_one(void)
{
	assert_int_equal(write(tube[1], "", 1), 1);
}

static int slow_config_read(struct device *dev, uint32_t offset, void *buf, uint32_t len)
{
	int ret = wait_byte();

	memcpy(buf, fake->config + offset, len);
	(void)dev;
	return ret;
}

static int slow_queue_start(struct device *dev, unsigned int q)
{
	(void)dev;
	(void)q;
	return wait_byte();
}

static int slow_reset(struct device *dev)
{
	(void)dev;
	return wait_byte();
}

static unsigned int num_slots;

static void start(bool mmio, bool late)
{
	struct window_config config = window_config_default;

	config.mmio = mmio;
	config.num_slots = num_slots;
	assert_int_equal(pipe(tube), 0);
	fake = fake_new();
	ops = *fake->dev.ops;
	ops.config_read = slow_config_read;
	fake->dev.ops = &ops;
	fake->dev.waits = true;
	gives_up = false;
	g = guest_new(&config, &fake->dev);
	g->interrupts = 0;
	if (!mmio)
		guest_write(g, VIRTIO_MSG_MMIO_PAGE, 8, GUEST_PAGE | VIRTIO_MSG_MMIO_PAGE_ON |
			    (late ? VIRTIO_MSG_MMIO_PAGE_LATE : 0));
}

static int setup(void **state)
{
	num_slots = 1;
	return loop_setup(state);
}

static int teardown(void **state)
{
	task_finish(0);
	guest_free(g);
	close(tube[0]);
	close(tube[1]);
	return loop_teardown(state);
}

/* A CPU's access */
struct cpu {
	struct window_access access;
	bool done;
};

static void on_done(struct window_access *access)
{
	((struct cpu *)access)->done = true;
}

static void cpu_access(struct cpu *cpu, uint64_t offset, unsigned int size, bool is_write,
		       uint64_t value)
{
	*cpu = (struct cpu) { .access = { .offset = offset, .size = size, .write = is_write,
					  .value = value, .done = on_done } };
	window_access(g->win, &cpu->access);
}

static void until(const bool *what)
{
	while (!*what)
		event_base_loop(loop, EVLOOP_ONCE);
}

static void until_no_task(void)
{
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
}

static struct virtio_msg_mmio_page *page(void)
{
	return guest_ptr(g, GUEST_PAGE);
}

static uint16_t response_token(void)
{
	return le16toh(((struct virtio_msg_header *)page()->response)->token);
}

/* A GET_CONFIG of one word in the page */
static void put_request(uint16_t token)
{
	struct virtio_msg_get_config *req = (void *)page()->request;

	memset(req, 0, sizeof(*req));
	req->hdr.msg_id = VIRTIO_MSG_GET_CONFIG;
	req->hdr.token = htole16(token);
	req->hdr.msg_size = htole16(sizeof(*req));
	req->length = htole32(4);
	((struct virtio_msg_header *)page()->response)->token = 0;
}

static void ring(struct cpu *cpu)
{
	cpu_access(cpu, VIRTIO_MSG_MMIO_DOORBELL, 4, true, 0);
}

static void quick_answer_is_in_time(void **state)
{
	struct cpu cpu;

	(void)state;
	start(false, true);
	answer_one();
	put_request(7);
	ring(&cpu);
	until(&cpu.done);
	assert_int_equal(response_token(), 7);
	assert_int_equal(g->interrupts, 0);
}

static void late_answer(void **state)
{
	struct cpu cpu;

	(void)state;
	start(false, true);
	put_request(7);
	ring(&cpu);
	assert_false(cpu.done);
	until(&cpu.done);
	/* The CPU goes on, and there is nothing yet */
	assert_int_equal(response_token(), 0);
	assert_int_equal(g->interrupts, 0);
	answer_one();
	until_no_task();
	assert_int_equal(response_token(), 7);
	assert_int_equal(g->interrupts, 1);
}

/* Who has not said that he waits, gets his answer before his store is complete. */
static void waits_without_late(void **state)
{
	struct cpu cpu, other;

	(void)state;
	start(false, false);
	put_request(7);
	ring(&cpu);
	/* Longer than late ones take */
	usleep(5000);
	loop_run();
	assert_false(cpu.done);
	/* Others go on meanwhile */
	cpu_access(&other, VIRTIO_MSG_MMIO_MAGIC, 4, false, 0);
	assert_true(other.done);
	assert_int_equal(other.access.value, VIRTIO_MSG_MMIO_MAGIC_VALUE);
	answer_one();
	until(&cpu.done);
	assert_int_equal(response_token(), 7);
	assert_int_equal(g->interrupts, 0);
}

static void window_register_waits(void **state)
{
	static const uint32_t words[] = {
		VIRTIO_MSG_GET_CONFIG << 8, 16 << 16 | 9, 0, 4,
	};
	struct cpu cpu;
	unsigned int i;

	(void)state;
	start(false, true);
	for (i = 0; i < 4; i++) {
		cpu_access(&cpu, VIRTIO_MSG_MMIO_WINDOW + 4 * i, 4, true, words[i]);
		assert_int_equal(cpu.done, i < 3);
	}
	answer_one();
	until(&cpu.done);
	cpu_access(&cpu, VIRTIO_MSG_MMIO_WINDOW + 4, 4, false, 0);
	assert_int_equal(cpu.access.value & 0xffff, 9);
}

/* Three doorbells while one is under way: only the last one's is looked at, then. */
static void one_waits_at_most(void **state)
{
	struct cpu cpus[3];
	unsigned int i;

	(void)state;
	start(false, true);
	for (i = 0; i < 3; i++) {
		put_request(i + 1);
		ring(&cpus[i]);
		until(&cpus[i].done);
	}
	answer_one();
	loop_run();
	loop_run();
	/* The first was given up, the second never begun */
	assert_int_equal(response_token(), 0);
	assert_int_equal(g->interrupts, 0);
	answer_one();
	until_no_task();
	assert_int_equal(response_token(), 3);
	assert_int_equal(g->interrupts, 1);
	assert_int_equal(g->win->counters.requests[VIRTIO_MSG_GET_CONFIG], 2);
}

/* A request that gets no response is told from one whose response is late. */
static void refusal_is_said(void **state)
{
	struct virtio_msg_header *hdr;
	struct cpu cpu;

	(void)state;
	start(false, true);
	put_request(7);
	((struct virtio_msg_get_config *)page()->request)->offset = htole32(1U << 20);
	ring(&cpu);
	until(&cpu.done);
	hdr = (void *)page()->response;
	assert_int_equal(le16toh(hdr->token), 7);
	assert_int_equal(hdr->msg_size, 0);

	/* Also one that is no message at all */
	put_request(8);
	((struct virtio_msg_get_config *)page()->request)->hdr.msg_size = htole16(3);
	ring(&cpu);
	until(&cpu.done);
	assert_int_equal(response_token(), 8);
	assert_int_equal(hdr->msg_size, 0);
}

static void page_goes_meanwhile(void **state)
{
	struct cpu cpu, other;

	(void)state;
	start(false, true);
	put_request(7);
	ring(&cpu);
	until(&cpu.done);
	cpu_access(&other, VIRTIO_MSG_MMIO_PAGE, 8, true, 0);
	assert_true(other.done);
	answer_one();
	until_no_task();
	assert_int_equal(response_token(), 0);
}

/* What is received meanwhile is not taken for the request that is under way. */
static void request_is_a_copy(void **state)
{
	struct virtio_msg_config *resp;
	struct cpu cpu;

	(void)state;
	start(false, true);
	put_request(7);
	ring(&cpu);
	until(&cpu.done);
	memset(page()->request, 0xff, sizeof(page()->request));
	answer_one();
	until_no_task();
	resp = (void *)page()->response;
	assert_int_equal(response_token(), 7);
	assert_int_equal(le32toh(resp->length), 4);
	assert_memory_equal(resp->data, fake->config, 4);
}

static void kick_goes_through(void **state)
{
	struct cpu cpu, other;

	(void)state;
	start(false, true);
	guest_negotiate(g, VERSION_1);
	assert_true(guest_enable_queue(g, 0, 16));
	guest_set_status(g, STATUS_OK);
	put_request(7);
	ring(&cpu);
	until(&cpu.done);
	cpu_access(&other, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, true, 0);
	assert_true(other.done);
	assert_int_equal(fake->kick, 1);
}

/* A notification while the queue is being started is not lost. */
static void kick_while_it_starts(void **state)
{
	struct virtio_msg_status *req;
	struct cpu cpu, other;

	(void)state;
	start(false, true);
	guest_negotiate(g, VERSION_1);
	assert_true(guest_enable_queue(g, 0, 16));
	ops.queue_start = slow_queue_start;
	put_request(7);
	req = (void *)page()->request;
	req->hdr.msg_id = VIRTIO_MSG_SET_DEVICE_STATUS;
	req->hdr.msg_size = htole16(sizeof(*req));
	req->status = htole32(STATUS_OK);
	ring(&cpu);
	until(&cpu.done);
	cpu_access(&other, VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0), 4, true, 0);
	assert_true(other.done);
	assert_int_equal(fake->kick, 0);
	answer_one();
	until_no_task();
	assert_int_equal(fake->kick, 1);
}

/* Plain virtio-mmio has no way to say "later": the CPU waits, and only that one. */
static void mmio_waits(void **state)
{
	struct cpu cpu, other;

	(void)state;
	start(true, false);
	ops.reset = slow_reset;
	cpu_access(&other, VIRTIO_MMIO_STATUS, 4, true, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	until(&other.done);
	cpu_access(&cpu, VIRTIO_MMIO_STATUS, 4, true, 0);
	assert_false(cpu.done);
	cpu_access(&other, VIRTIO_MMIO_STATUS, 4, false, 0);
	assert_true(other.done);
	assert_int_equal(other.access.value, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	cpu_access(&other, VIRTIO_MMIO_CONFIG, 4, false, 0);
	assert_false(other.done);
	answer_one();
	until(&cpu.done);
	answer_one();
	until(&other.done);
	assert_memory_equal(&other.access.value, fake->config, 4);
	cpu_access(&other, VIRTIO_MMIO_STATUS, 4, false, 0);
	assert_int_equal(other.access.value, 0);
	ops.reset = NULL;
}

/* One store at the beginning of Window can be all of a request: it waits like any other */
static void whole_request_meanwhile(void)
{
	const struct virtio_msg_header hdr = {
		.msg_id = VIRTIO_MSG_GET_DEVICE_STATUS,
		.token = htole16(7),
		.msg_size = htole16(sizeof(hdr)),
	};
	struct cpu first, second;
	uint64_t value;

	start(false, true);
	memcpy(&value, &hdr, sizeof(value));
	put_request(1);
	cpu_access(&first, VIRTIO_MSG_MMIO_DOORBELL, 4, true, 1);
	assert_int_equal(task_count(), 1);
	cpu_access(&second, VIRTIO_MSG_MMIO_WINDOW, 8, true, le64toh(value));
	assert_false(second.done);
	answer_one();
	until(&second.done);
	assert_int_equal(guest_read(g, VIRTIO_MSG_MMIO_WINDOW, 4) & 0xffff,
			 VIRTIO_MSG_TYPE_RESPONSE | VIRTIO_MSG_GET_DEVICE_STATUS << 8);
	until_no_task();
}

static void whole_request(void **state)
{
	(void)state;
	whole_request_meanwhile();
}

static void whole_request_for_one_of_many(void **state)
{
	(void)state;
	num_slots = 2;
	whole_request_meanwhile();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(quick_answer_is_in_time),
		TEST(late_answer),
		TEST(waits_without_late),
		TEST(window_register_waits),
		TEST(one_waits_at_most),
		TEST(refusal_is_said),
		TEST(page_goes_meanwhile),
		TEST(request_is_a_copy),
		TEST(kick_goes_through),
		TEST(kick_while_it_starts),
		TEST(whole_request),
		TEST(whole_request_for_one_of_many),
		TEST(mmio_waits),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
