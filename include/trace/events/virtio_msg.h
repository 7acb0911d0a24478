/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM virtio_msg

#if !defined(_TRACE_VIRTIO_MSG_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VIRTIO_MSG_H

#include <linux/tracepoint.h>
#include <linux/virtio_msg.h>

DECLARE_EVENT_CLASS(virtio_msg_message,
	TP_PROTO(struct virtio_msg_bus *bus, const struct virtio_msg_header *msg),
	TP_ARGS(bus, msg),
	TP_STRUCT__entry(
		__string(bus, dev_name(bus->parent))
		__field(u16, dev_num)
		__field(u16, size)
		__field(u8, type)
		__field(u8, msg_id)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->dev_num = le16_to_cpu(msg->dev_num);
		__entry->size = le16_to_cpu(msg->msg_size);
		__entry->type = msg->type;
		__entry->msg_id = msg->msg_id;
	),
	TP_printk("bus=%s dev=%u type=%#x id=%#x size=%u", __get_str(bus),
		  __entry->dev_num, __entry->type, __entry->msg_id,
		  __entry->size)
);

/* A request is about to be given to the bus */
DEFINE_EVENT(virtio_msg_message, virtio_msg_request,
	TP_PROTO(struct virtio_msg_bus *bus, const struct virtio_msg_header *msg),
	TP_ARGS(bus, msg)
);

/* The device side sent an event */
DEFINE_EVENT(virtio_msg_message, virtio_msg_event,
	TP_PROTO(struct virtio_msg_bus *bus, const struct virtio_msg_header *msg),
	TP_ARGS(bus, msg)
);

/* The bus came back with the response to a request, or without */
TRACE_EVENT(virtio_msg_response,
	TP_PROTO(struct virtio_msg_bus *bus, const struct virtio_msg_header *request,
		 const struct virtio_msg_header *response, int err, u64 latency),
	TP_ARGS(bus, request, response, err, latency),
	TP_STRUCT__entry(
		__string(bus, dev_name(bus->parent))
		__field(u16, dev_num)
		__field(u16, size)
		__field(u8, type)
		__field(u8, msg_id)
		__field(int, err)
		__field(u64, latency)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->dev_num = le16_to_cpu(request->dev_num);
		__entry->size = err ? 0 : le16_to_cpu(response->msg_size);
		__entry->type = request->type | VIRTIO_MSG_TYPE_RESPONSE;
		__entry->msg_id = request->msg_id;
		__entry->err = err;
		__entry->latency = latency;
	),
	TP_printk("bus=%s dev=%u type=%#x id=%#x size=%u err=%d latency=%llu ns",
		  __get_str(bus), __entry->dev_num, __entry->type,
		  __entry->msg_id, __entry->size, __entry->err,
		  __entry->latency)
);

/* The driver side tells of new buffers: EVENT_AVAIL, in whatever form */
TRACE_EVENT(virtio_msg_notify,
	TP_PROTO(struct virtio_msg_bus *bus, u16 dev_num, u32 index, u32 data),
	TP_ARGS(bus, dev_num, index, data),
	TP_STRUCT__entry(
		__string(bus, dev_name(bus->parent))
		__field(u16, dev_num)
		__field(u32, index)
		__field(u32, data)
	),
	TP_fast_assign(
		__assign_str(bus);
		__entry->dev_num = dev_num;
		__entry->index = index;
		__entry->data = data;
	),
	TP_printk("bus=%s dev=%u vq=%u data=%#x", __get_str(bus),
		  __entry->dev_num, __entry->index, __entry->data)
);

#endif /* _TRACE_VIRTIO_MSG_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
