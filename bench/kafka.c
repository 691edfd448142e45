/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kafka: the least that taking in a topic can be: librdkafka reads it as a member of a group, what has come is appended to a file, and
 * after one fdatasync the offsets are stored. And the broker for that, librdkafka's own, so that no other is needed.
 *
 *     kafka serve MESSAGES PARTITIONS    makes the topic "bench", prints the broker's address, and serves until its input ends
 *     kafka bare ADDRESS GROUP MESSAGES FILE    prints how many messages a second were on disk
 */
#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <time.h>
#include <unistd.h>

#include "core/base.h"

enum { BODY = 256, GROUP = 1024 };

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[300];
	if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
		fail(name, why);
}

static rd_kafka_t *
client(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char why[300];
	rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
	if (!rk)
		fail("librdkafka", why);
	return rk;
}

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int64_t
number(const char *text)
{
	int64_t n;
	if (!str_to_i64(str_c(text), &n) || n < 1)
		fail(text, "a number is wanted");
	return n;
}

/* ---- the broker ----------------------------------------------------------------------------------------------------- */

static void
produce(const char *address, int64_t messages, int32_t partitions)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	set(conf, "bootstrap.servers", address);
	set(conf, "linger.ms", "20");
	set(conf, "queue.buffering.max.messages", "1000000");
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, "bench", NULL);
	for (int64_t i = 0; i < messages; i++) {
		char body[BODY + 1];
		int n = snprintf(body, sizeof body, "{\"number\":%lld,\"repository\":{\"name\":\"bench\"},\"branch\":\"main\",\"rest\":\"", (long long)i);
		memset(body + n, 'x', (size_t)(BODY - n));
		body[BODY - 2] = '"';
		body[BODY - 1] = '}';
		if (rd_kafka_produce(topic, (int32_t)(i % partitions), RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK, body, BODY, NULL, 0, NULL) < 0)
			fail("produce", rd_kafka_err2str(rd_kafka_last_error()));
		rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, 60000))
		fail("produce", "not in time");
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(rk);
}

static int
serve(int64_t messages, int32_t partitions)
{
	char c;
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, rd_kafka_conf_new());
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
	const char *address = rd_kafka_mock_cluster_bootstraps(cluster);
	rd_kafka_mock_topic_create(cluster, "bench", partitions, 1);
	produce(address, messages, partitions);
	printf("%s\n", address);
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}

/* ---- the consumer --------------------------------------------------------------------------------------------------- */

static rd_kafka_t *
join_group(const char *address, const char *group)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	set(conf, "bootstrap.servers", address);
	set(conf, "group.id", group);
	set(conf, "auto.offset.reset", "earliest");
	set(conf, "enable.auto.offset.store", "false");
	/* Room for all there is: beside a full queue librdkafka before 2.2 sleeps for a second, and what was measured is the length of its sleep. */
	set(conf, "queued.min.messages", "10000000");
	set(conf, "queued.max.messages.kbytes", "2097151");
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(topics, "bench", RD_KAFKA_PARTITION_UA);
	if (rd_kafka_subscribe(rk, topics))
		fail("subscribe", group);
	rd_kafka_topic_partition_list_destroy(topics);
	return rk;
}

/* What came goes to disk with one write and one fdatasync; then its offsets are stored. */
static int64_t
keep(rd_kafka_t *rk, rd_kafka_message_t **m, ssize_t n, int fd)
{
	static char rows[GROUP * (BODY + 64)];
	size_t used = 0;
	int64_t kept = 0;
	rd_kafka_topic_partition_list_t *places = rd_kafka_topic_partition_list_new(16);
	for (ssize_t i = 0; i < n; i++) {
		if (m[i]->err || m[i]->len > BODY)
			continue;
		used += (size_t)snprintf(rows + used, 64, "%d %lld %zu ", m[i]->partition, (long long)m[i]->offset, m[i]->len);
		memcpy(rows + used, m[i]->payload, m[i]->len);
		used += m[i]->len;
		rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(places, "bench", m[i]->partition);
		if (!p)
			p = rd_kafka_topic_partition_list_add(places, "bench", m[i]->partition);
		p->offset = m[i]->offset + 1;
		kept++;
	}
	if (write(fd, rows, used) != (ssize_t)used || fdatasync(fd) < 0)
		fail("write", "failed");
	if (kept)
		rd_kafka_offsets_store(rk, places);
	rd_kafka_topic_partition_list_destroy(places);
	for (ssize_t i = 0; i < n; i++)
		rd_kafka_message_destroy(m[i]);
	return kept;
}

static int
bare(const char *address, const char *group, int64_t messages, const char *path)
{
	rd_kafka_message_t *m[GROUP];
	rd_kafka_t *rk = join_group(address, group);
	rd_kafka_queue_t *q = rd_kafka_queue_get_consumer(rk);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	double first = 0;
	if (fd < 0)
		fail(path, "cannot be written");
	for (int64_t done = 0; done < messages;) {
		ssize_t n = rd_kafka_consume_batch_queue(q, 10, m, GROUP);
		if (n > 0 && !first)
			first = now();
		if (n > 0)
			done += keep(rk, m, n, fd);
	}
	printf("%.0f messages/s\n", (double)messages / (now() - first));
	close(fd);
	rd_kafka_queue_destroy(q);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(number(argv[2]), (int32_t)number(argv[3]));
	if (argc == 6 && !strcmp(argv[1], "bare"))
		return bare(argv[2], argv[3], number(argv[4]), argv[5]);
	return 2;
}
