/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-msg: for buses whose messages lie in a window or page that has room for
 * one request and its response
 */
#ifndef _LINUX_VIRTIO_MSG_MAILBOX_H
#define _LINUX_VIRTIO_MSG_MAILBOX_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <uapi/linux/virtio_msg.h>

struct virtio_msg_mailbox;

/**
 * struct virtio_msg_mailbox_ops - how requests and responses get in and out
 * @send: Put @request, whose token is set, where the device side takes it, and
 *	tell the device side. Then look for the response as @receive does.
 * @receive: Look, without waiting, whether the response to @request is there,
 *	which was sent last. Returns 0 with the response in the @size bytes
 *	at @response, -EAGAIN if it has yet to come, another negative errno if
 *	there will be none. What is there that is not @request's is not looked
 *	at: it may come from a request that was given up. Not needed by a bus
 *	whose @send never returns -EAGAIN.
 * @alive: Optional. Is there still a device side? Called now and then while a
 *	response is late. Any context but NMI.
 *
 * @send and @receive are called by one CPU at a time, which need not be the one
 * that asked, with no lock held, but with interrupts off: who interrupts a CPU
 * finds requests that are sent or not begun, never one half-way, for whose end
 * it could wait in vain.
 */
struct virtio_msg_mailbox_ops {
	int (*send)(struct virtio_msg_mailbox *mbox,
		    const struct virtio_msg_header *request,
		    struct virtio_msg_header *response, size_t size);
	int (*receive)(struct virtio_msg_mailbox *mbox,
		       const struct virtio_msg_header *request,
		       struct virtio_msg_header *response, size_t size);
	bool (*alive)(struct virtio_msg_mailbox *mbox);
};

/**
 * struct virtio_msg_mailbox - room for one request and its response
 *
 * All of it is private.
 */
struct virtio_msg_mailbox {
	/* private: see virtio_msg_mailbox.c */
	const struct virtio_msg_mailbox_ops *ops;
	raw_spinlock_t lock;	/* protects what follows */
	struct list_head turns;
	bool busy;
	u16 token;
};

void virtio_msg_mailbox_init(struct virtio_msg_mailbox *mbox,
			     const struct virtio_msg_mailbox_ops *ops);
int virtio_msg_mailbox_transfer(struct virtio_msg_mailbox *mbox,
				struct virtio_msg_header *request,
				struct virtio_msg_header *response, size_t size,
				unsigned int timeout_ms, bool atomic);
void virtio_msg_mailbox_run(struct virtio_msg_mailbox *mbox,
			    void (*fn)(struct virtio_msg_mailbox *mbox, void *arg),
			    void *arg);

#endif /* _LINUX_VIRTIO_MSG_MAILBOX_H */
