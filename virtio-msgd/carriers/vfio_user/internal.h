/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI function of a VMM that speaks vfio-user (QEMU's vfio-user-pci, Cloud Hypervisor's
 * --user-device): the window is in BAR 0, memory and interrupts are descriptors.
 *
 * conn.c	connections, of which one is the VMM's: messages and their replies
 * command.c	what the messages ask for
 * version.c	the first one, by which both sides say what they can
 * config.c	the function's config space
 * region.c	loads and stores
 * dma.c	the guest's memory, which comes and goes
 * irq.c	interrupts
 * guest.c	the function, and its guest from the coming to the going
 */
#ifndef MSGD_VFIO_USER_INTERNAL_H
#define MSGD_VFIO_USER_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "carriers/vfio_user/protocol.h"
#include "carriers/vfio_user/vfio_user.h"
#include "model/model.h"

/*
 * QEMU gives up on a function that does not answer in 5 s, for good. What has not been
 * carried out after that time is answered without, and goes on unseen.
 */
#define VF_ANSWER_MS	4000

/* More than that are not left to go on: then nobody is there, until they have ended */
#define VF_MAX_GIVEN_UP	8

/* Registers are in one BAR, what the VMM emulates itself in another */
#define VF_WINDOW_BAR	VFIO_PCI_BAR0_REGION_INDEX
#define VF_MSIX_BAR	VFIO_PCI_BAR1_REGION_INDEX
#define VF_BAR_SIZE	4096
#define VF_CONFIG_SIZE	4096

/* One for all that is no queue's, one for each queue */
#define VF_MAX_VECTORS	128
#define VF_MAX_MSI	32

/* A handler answers later, by vf_finish() */
#define VF_LATER	(-EINPROGRESS)

struct vfio_user;

/**
 * enum vf_state - of a connection
 * @VF_NEW: it has not said VERSION
 * @VF_HELD: it has, but an earlier guest is still going
 * @VF_SERVED: it is the guest's
 * @VF_LEAVING: nothing is sent any more, and what comes is thrown away
 */
enum vf_state {
	VF_NEW,
	VF_HELD,
	VF_SERVED,
	VF_LEAVING,
};

/**
 * struct vf_conn - a connection
 * @vf: whose it is
 * @next: all connections of @vf
 * @fd: the socket
 * @readable: something has come
 * @timer: the end of patience, by @state
 * @state: see there
 * @have: bytes of @msg that are there
 * @msg: what is received, and then its reply
 * @fds: descriptors that came with it, -1: none
 * @since: no message in the socket is older, in milliseconds; 0: there is none
 * @counted_since: when counting began
 * @received: messages since then
 * @waits: @msg is being carried out, and nothing else is received
 * @access: by this access; NULL: otherwise
 * @loaded: what that access has loaded
 */
struct vf_conn {
	struct vfio_user *vf;
	struct vf_conn *next;
	int fd;
	struct event *readable;
	struct event *timer;
	enum vf_state state;
	size_t have;
	struct vf_message msg;
	int fds[VF_MAX_FDS];
	uint64_t since;
	uint64_t counted_since;
	unsigned int received;
	bool waits;
	struct vf_access *access;
	uint64_t loaded;
};

/* More at a time are nobody's: there is one guest, and maybe the next one */
#define VF_MAX_CONNS	16

/**
 * struct vf_range - a range of addresses that the guest's devices may use
 * @addr: the first
 * @size: how many
 * @mapped: it is in the carrier's memory; otherwise it is known only
 */
struct vf_range {
	uint64_t addr;
	uint64_t size;
	bool mapped;
};

/**
 * struct vf_vector - an interrupt
 * @fd: eventfd that raises it, -1: none
 * @latched: it was raised meanwhile
 */
struct vf_vector {
	int fd;
	bool latched;
};

/**
 * struct vf_config - config space; what is behind it reads as 0
 * @bytes: what is there
 * @writable: the bits that the driver can change
 */
struct vf_config {
	uint8_t bytes[256];
	uint8_t writable[256];
};

/**
 * struct vfio_user - a function, and the wait for a guest that has it
 * @carrier: what the window sees
 * @path: of the socket, if it is ours to remove
 * @fd: the listening socket, until it is @listener's
 * @listener: takes connections
 * @conns: all connections
 * @guest: the one that is the guest's, or NULL
 * @leaving: the last guest is gone, but something of it is still under way
 * @device_id: PCI device ID
 * @msi: MSI instead of MSI-X
 * @want_vectors: how many the user wants, 0: as the device has queues
 * @num_vectors: how many there are
 * @vectors: them
 * @config: config space
 * @ranges: the guest's memory, in no order
 * @num_ranges: how many
 * @room: for so many
 * @unshared: it was said that memory is not shared
 * @given_up: accesses that nobody waits for any more
 * @resetting: the window is being reset
 * @reset_by: who waits for that
 */
struct vfio_user {
	struct carrier carrier;
	char *path;
	int fd;
	struct listener *listener;
	struct vf_conn *conns;
	struct vf_conn *guest;
	bool leaving;
	uint16_t device_id;
	bool msi;
	unsigned int want_vectors;
	unsigned int num_vectors;
	struct vf_vector vectors[VF_MAX_VECTORS];
	struct vf_config config;
	struct vf_range *ranges;
	unsigned int num_ranges;
	unsigned int room;
	bool unshared;
	unsigned int given_up;
	bool resetting;
	struct vf_conn *reset_by;
};

/* conn.c */

/* Somebody has connected. */
void vf_open(void *arg, int fd);
/* At once, for the end of the program and of those that are gone */
void vf_close(struct vf_conn *conn);
/* All of them, in order, at the end of the program: waits for the other ends, not for long */
void vf_close_all(struct vfio_user *vf);
/* Its message is carried out from now on; what comes meanwhile has to wait */
void vf_wait(struct vf_conn *conn);
/* The message that was waited for has come to this: see vf_handle() */
void vf_finish(struct vf_conn *conn, int ret);
/* Those who had to wait until the last guest was gone need not any more. */
void vf_unhold(struct vfio_user *vf);

/* command.c */

/*
 * Carry out the message of @conn: the size of the reply's payload, which took its place;
 * -errno for an error; or VF_LATER
 */
int vf_handle(struct vf_conn *conn);
/* Its time is over: what is answered then */
int vf_give_up(struct vf_conn *conn);
/* The size of its message's payload */
uint32_t vf_payload(const struct vf_conn *conn);
/* How many descriptors came with it */
unsigned int vf_num_fds(const struct vf_conn *conn);
/* Reset the function: 0, or VF_LATER */
int vf_reset(struct vf_conn *conn);

/* version.c */
int vf_do_version(struct vf_conn *conn);

/* config.c */

/* As it is after a reset, for a function with so many vectors */
void vf_config_init(struct vfio_user *vf);
void vf_config_read(const struct vfio_user *vf, uint32_t offset, uint8_t *to, uint32_t count);
/* True: the driver asks for a reset of the function */
bool vf_config_write(struct vfio_user *vf, uint32_t offset, const uint8_t *from, uint32_t count);

/* region.c */
int vf_do_region_info(struct vf_conn *conn);
int vf_do_read(struct vf_conn *conn);
int vf_do_write(struct vf_conn *conn);
/* Nobody waits for the access of @conn any more. */
void vf_access_forget(struct vf_conn *conn);
/* What is answered to it then */
int vf_access_none(struct vf_conn *conn);

/* dma.c */
int vf_do_map(struct vf_conn *conn);
int vf_do_unmap(struct vf_conn *conn);
/* There is no memory any more. */
void vf_ranges_clear(struct vfio_user *vf);

/* irq.c */
void vf_irq_init(struct vfio_user *vf);
int vf_do_irq_info(struct vf_conn *conn);
int vf_do_set_irqs(struct vf_conn *conn);
void vf_interrupt(struct carrier *carrier, unsigned int w);
void vf_queue_interrupt(struct carrier *carrier, unsigned int w, unsigned int q);
/* What was raised for an earlier driver is nobody's. */
void vf_irq_reset(struct vfio_user *vf);
/* Nor are its descriptors. */
void vf_irq_clear(struct vfio_user *vf);

/* guest.c */

/* Be the guest's connection: 0, or -errno, VF_LATER: after the last one is gone */
int vf_take_guest(struct vf_conn *conn);
/* The guest's connection is gone. */
void vf_guest_gone(struct vfio_user *vf);

#endif
