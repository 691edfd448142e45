/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mqtt_bare PORT CLIENT N: takes N messages of QoS 1 from a session that stays, with paho's synchronous client and nothing else; prints messages
 * a second, from the first to the last. N 0: only makes the session, for t/#.
 */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int
take(MQTTClient c, long n)
{
	double first = 0;
	for (long i = 0; i < n; i++) {
		char *topic = NULL;
		int length;
		MQTTClient_message *m = NULL;
		if (MQTTClient_receive(c, &topic, &length, &m, 30000) != MQTTCLIENT_SUCCESS || !m) {
			fprintf(stderr, "message %ld does not come\n", i);
			return 1;
		}
		if (!i)
			first = now();
		MQTTClient_freeMessage(&m);
		MQTTClient_free(topic);
	}
	if (n > 1)
		printf("%.0f messages/s\n", (double)(n - 1) / (now() - first));
	return 0;
}

int
main(int argc, char **argv)
{
	char url[64];
	MQTTClient c;
	MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer;
	if (argc != 4) {
		fprintf(stderr, "mqtt_bare PORT CLIENT N\n");
		return 2;
	}
	snprintf(url, sizeof url, "tcp://127.0.0.1:%s", argv[1]);
	o.cleansession = 0;
	if (MQTTClient_create(&c, url, argv[2], MQTTCLIENT_PERSISTENCE_NONE, NULL) || MQTTClient_connect(c, &o)) {
		fprintf(stderr, "no connection\n");
		return 1;
	}
	long n = strtol(argv[3], NULL, 10);
	int rc = n ? take(c, n) : MQTTClient_subscribe(c, "t/#", 1);
	MQTTClient_disconnect(c, 1000);
	MQTTClient_destroy(&c);
	return rc;
}
