// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space: the backend's, or made of options where it has none.
 *
 * What a driver reads is a copy. Of a backend that reports changes it is renewed
 * when a report comes, so no driver can see a change before its report; of
 * others with each read.
 */
#include <errno.h>
#include <string.h>

#include "vhost_user/internal.h"

int vu_config_ask(struct vhost_user *vu, uint32_t size)
{
	struct vu_msg msg;

	vu_fill(&msg, VU_GET_CONFIG, VU_CONFIG_HEADER + size);
	memset(&msg.config, 0, sizeof(msg.config));
	msg.config.size = size;
	return vu_conn_send(&vu->conn, &msg, NULL, 0, vu->deadline);
}

static bool is_config(const struct vu_msg *msg, uint32_t size)
{
	return msg->size == VU_CONFIG_HEADER + size && msg->config.size == size &&
	       !msg->config.offset;
}

int vu_config_take(struct vhost_user *vu, uint32_t size)
{
	const struct vu_msg *in = &vu->conn.in;
	uint8_t data[VU_MAX_CONFIG];

	if (!is_config(in, size))
		return -EREMOTEIO;
	memcpy(data, in->config.data, size);
	vu->options.kind->adjust_config(&vu->options, vu_num_backend_queues(vu), data, size);
	vu->config_size = size;
	memcpy(vu->config, data, size);
	return 0;
}

static bool has_config(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_CONFIG) && vu->config_size;
}

static bool reported(const struct vhost_user *vu)
{
	return vu->dev.config_reported;
}

void vu_config_changed(struct vhost_user *vu)
{
	const struct timeval wait = { .tv_sec = vu->options.answer_s };

	if (vu->state != VU_READY || !has_config(vu))
		return;
	if (vu->config_pending || vu_busy(vu)) {
		vu->config_again = true;
		if (!vu->config_pending)
			vu_tidy_later(vu);
		return;
	}
	vu_begin(vu);
	if (vu_config_ask(vu, vu->config_size)) {
		vu_give_up(vu, "the backend takes no requests");
		return;
	}
	vu->config_pending = true;
	event_add(vu->timer, &wait);
}

void vu_config_arrived(struct vhost_user *vu)
{
	/* What it cannot say stays as it was said last */
	bool refused = !vu->conn.in.size;

	event_del(vu->timer);
	vu->config_pending = false;
	if (!vu_is_reply(&vu->conn, VU_GET_CONFIG) ||
	    (!refused && vu_config_take(vu, vu->config_size))) {
		vu_give_up(vu, "the backend answers nonsense to GET_CONFIG");
		return;
	}
	vu_conn_next(&vu->conn);
	if (!refused)
		device_config_changed(&vu->dev);
	/* Not from here: another reply may be waited for */
	if (vu->config_again)
		vu_tidy_later(vu);
}

/* Renew the copy at once; the generation rises if it differs, unless @own */
static int renew(struct vhost_user *vu, bool own)
{
	uint32_t size = vu->config_size;
	uint8_t old[VU_MAX_CONFIG];
	struct vu_msg msg;
	int ret;

	memset(&msg.config, 0, sizeof(msg.config));
	msg.config.size = size;
	ret = vu_get(vu, &msg, VU_GET_CONFIG, VU_CONFIG_HEADER + size, 0,
		     VU_CONFIG_HEADER + size, NULL);
	if (ret)
		return ret;
	if (!msg.size)
		return -EREMOTEIO;
	if (!is_config(&msg, size)) {
		vu_give_up(vu, "the backend answers nonsense to GET_CONFIG");
		return -EPROTO;
	}
	memcpy(old, vu->config, size);
	vu->options.kind->adjust_config(&vu->options, vu_num_backend_queues(vu),
					msg.config.data, size);
	memcpy(vu->config, msg.config.data, size);
	if (!own && memcmp(old, vu->config, size))
		device_config_changed(&vu->dev);
	return 0;
}

int vu_config_read(struct device *dev, uint32_t offset, void *buf, uint32_t len)
{
	struct vhost_user *vu = to_vhost_user(dev);

	if (has_config(vu) && !reported(vu) && vu->state == VU_READY) {
		vu_begin(vu);
		/* Without the backend the driver sees what there was last */
		renew(vu, false);
	}
	memcpy(buf, vu->config + offset, len);
	return 0;
}

static int write_config(struct vhost_user *vu, uint32_t offset, const void *buf, uint32_t len)
{
	struct vu_msg msg;
	int ret;

	msg.config.offset = offset;
	msg.config.size = len;
	msg.config.flags = 0;
	memcpy(msg.config.data, buf, len);
	ret = vu_set(vu, &msg, VU_SET_CONFIG, VU_CONFIG_HEADER + len, NULL, 0);
	if (ret)
		return ret;
	memcpy(vu->config + offset, buf, len);
	/* Other fields may follow from the one that was written */
	ret = renew(vu, true);
	return ret == -EREMOTEIO ? 0 : ret;
}

int vu_config_write(struct device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	struct vhost_user *vu = to_vhost_user(dev);
	int ret;

	if (vu->options.kind->keeps_config)
		return memcmp(vu->config + offset, buf, len) ? -EPERM : 0;
	if (!has_config(vu))
		return -EPERM;
	vu_begin(vu);
	ret = write_config(vu, offset, buf, len);
	if (ret)
		return ret;
	memcpy(vu->written.data + offset, buf, len);
	vu->written.len[offset] = len;
	return 0;
}

int vu_config_rewrite(struct vhost_user *vu)
{
	const struct vu_config_writes *written = &vu->written;
	uint32_t offset;
	int ret = 0;

	for (offset = 0; offset < vu->config_size && !ret; offset++) {
		if (written->len[offset])
			ret = write_config(vu, offset, written->data + offset,
					   written->len[offset]);
	}
	return ret;
}

void vu_config_forget(struct vhost_user *vu)
{
	memset(&vu->written, 0, sizeof(vu->written));
}
