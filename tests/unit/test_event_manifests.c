/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EventSources and Sensors: what lint says about each mistake, and where. A case is what stands below `spec:` of an EventSource
 * called "es" or a Sensor; names are resolved against one EventSource "es" with the events `push` and `tick`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "config/config.h"
#include "sensors/sensor.h"
#include "sources/source.h"

#define META(kind) "apiVersion: argoproj.io/v1alpha1\nkind: " kind "\nmetadata: {name: es}\nspec:\n"
#define WEBHOOK "webhook: {endpoint: /a, port: '12000', method: POST}"
#define KEY "{name: s, key: k}"
/* The first lines of a Sensor that has nothing wrong so far. */
#define DEPS "  dependencies: [{name: a, eventSourceName: es, eventName: push}, {name: b, eventSourceName: es, eventName: tick}]\n"
#define LOG "  triggers: [{template: {name: t, log: {}}}]\n"

struct a_case {
	const char *text;
	const char *findings; /* "line:column text" each on a line; "" for none; warnings of kinds not served are left out */
};

static const struct kind *const kinds[] = { &kind_eventsource, &kind_sensor };

static struct object *
decode(struct arena *a, const char *text, struct diags *d)
{
	struct val *docs;
	size_t n;

	if (yaml_read_all(a, S("t.yaml"), str_c(text), NULL, &docs, &n, d) < 0 || n != 1)
		fail_msg("not one document: %s", text);
	return object_decode(kinds, ARRAY_LEN(kinds), docs, S("t.yaml"), S("default"), d);
}

static str
findings_of(struct arena *a, const char *head, const char *text)
{
	struct buf whole CLEANUP(free_buf) = { 0 }, out CLEANUP(free_buf) = { 0 };
	struct objects *set = objects_new(kinds, ARRAY_LEN(kinds));
	struct object *es, *o;
	struct diags d;

	diags_init(&d);
	es = decode(a, META("EventSource") "  calendar: {push: {interval: 1s}, tick: {interval: 2s}}\n", &d);
	assert_non_null(es);
	objects_put(set, es);
	buf_addf(&whole, "%s%s", head, text);
	o = decode(a, str_z(a, buf_str(&whole)), &d);
	if (o && o->kind->resolve)
		o->kind->resolve(o, set, &d);
	for (size_t i = 0; i < d.v.n; i++) {
		struct diag *x = &d.v.p[i];

		if (x->level == DIAG_LATER)
			continue;
		buf_addf(&out, "%u:%u %s%.*s%s%.*s%s%.*s\n", x->line, x->col, x->level == DIAG_WARNING ? "warning " : "", STR_ARG(x->path),
			x->path.n ? ": " : "", STR_ARG(x->text), x->hint.n ? "; " : "", STR_ARG(x->hint));
	}
	object_unref(o);
	object_unref(es);
	objects_free(set);
	diags_free(&d);
	return arena_dup(a, buf_str(&out));
}

static void
run_cases(const char *head, const struct a_case *cases, size_t n)
{
	struct arena *a = arena_new();
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		str got = findings_of(a, head, cases[i].text);

		if (str_eq(got, str_c(cases[i].findings)))
			continue;
		printf("--- case %zu:\n%sexpected:\n%sgot:\n%.*s", i, cases[i].text, cases[i].findings, STR_ARG(got));
		bad++;
	}
	arena_free(a);
	assert_int_equal(bad, 0);
}

static void
sources(void **state)
{
	static const struct a_case cases[] = {
		{ "  amqp: {e: {}}\n",
		  "5:13 spec.amqp.e: either url or urlSecret must be specified\n"
		  "5:13 spec.amqp.e.routingKey: routingKey must be specified\n"
		  "5:13 spec.amqp.e.exchangeType: exchangeType must be specified\n" },
		{ "  amqp: {e: {url: u, urlSecret: " KEY ", routingKey: r, exchangeType: fanout, auth: {username: " KEY "}}}\n",
		  "5:22 spec.amqp.e.urlSecret: only one of url or urlSecret can be specified\n"
		  "5:95 spec.amqp.e.auth: password missing\n" },
		{ "  amqp: {e: {url: u, routingKey: r, exchangeType: fanout, tls: {clientCertSecret: " KEY "}}}\n",
		  "5:64 spec.amqp.e.tls.clientKeySecret: a client certificate needs its key; give clientCertSecret and clientKeySecret, or neither\n" },
		{ "  azureEventsHub: {e: {fqdn: f, sharedAccessKey: " KEY "}}\n",
		  "5:23 spec.azureEventsHub.e.hubName: hubName must be specified\n"
		  "5:23 spec.azureEventsHub.e: both sharedAccessKey and sharedAccessKeyName must be specified, or neither\n" },
		{ "  azureQueueStorage: {e: {}}\n",
		  "5:26 spec.azureQueueStorage.e: must specify connectionString or storageAccountName\n"
		  "5:26 spec.azureQueueStorage.e.queueName: queueName must be specified\n" },
		{ "  azureServiceBus: {e: {connectionString: " KEY ", queueName: q, topicName: t}}\n",
		  "5:73 spec.azureServiceBus.e.queueName: must specify either queueName or topicName and subscriptionName, not both\n" },
		{ "  azureServiceBus: {e: {topicName: t}}\n",
		  "5:24 spec.azureServiceBus.e: must specify connectionString or fullyQualifiedNamespace\n" },
		{ "  bitbucket: {e: {auth: {oauthToken: " KEY "}, webhook: {endpoint: /a, port: '1', url: u}}}\n",
		  "5:18 spec.bitbucket.e: at least one repository must be listed in repositories\n"
		  "5:18 warning spec.bitbucket.e: without webhookSecret anybody who reaches the port can send events\n" },
		{ "  bitbucketserver: {e: {" WEBHOOK ", checkInterval: soon}}\n",
		  "5:24 spec.bitbucketserver.e.bitbucketserverBaseURL: bitbucketserverBaseURL must be specified\n"
		  "5:94 spec.bitbucketserver.e.checkInterval: not a duration: \"soon\"; write it like 30s, 5m or 1h30m\n"
		  "5:24 warning spec.bitbucketserver.e: without webhookSecret anybody who reaches the port can send events\n" },
		{ "  emitter: {e: {broker: b}}\n",
		  "5:16 spec.emitter.e.channelName: channelName must be specified\n"
		  "5:16 spec.emitter.e.channelKey: channelKey must be specified\n" },
		{ "  file: {e: {watchPathConfig: {directory: tmp, path: /x, pathRegexp: y}}}\n",
		  "5:13 spec.file.e: type must be specified: set eventType\n"
		  "5:43 spec.file.e.watchPathConfig.directory: directory must be an absolute file path\n"
		  "5:70 spec.file.e.watchPathConfig.pathRegexp: path and pathRegexp cannot be specified together\n"
		  "5:54 spec.file.e.watchPathConfig.path: path must be a relative file path\n" },
		{ "  file: {e: {eventType: \"CREATE|WRITE\", watchPathConfig: {directory: /tmp, path: x}}}\n", "" },
		{ "  file: {e: {eventType: \"CREATE|made\", watchPathConfig: {directory: /tmp, pathRegexp: \"(?=x)\"}}}\n",
		  "5:25 spec.file.e.eventType: unknown type \"made\", which nothing matches: CREATE, WRITE, REMOVE, RENAME or CHMOD, or several with | "
		  "between\n"
		  "5:87 spec.file.e.watchPathConfig.pathRegexp: regular expression at 1: look-ahead and look-behind are not part of RE2's language\n" },
		{ "  file: {e: {eventType: CREATE}}\n",
		  "5:13 spec.file.e: watchPathConfig is missing: write watchPathConfig: {directory: /path/, path: name}\n" },
		{ "  generic: {e: {}}\n",
		  "5:16 spec.generic.e.url: url must be specified\n"
		  "5:16 spec.generic.e.config: config must be specified\n" },
		{ "  gerrit: {e: {auth: {}}}\n",
		  "5:15 spec.gerrit.e.projects: at least one of projects must be specified\n"
		  "5:15 spec.gerrit.e.events: at least one of events must be specified\n"
		  "5:15 spec.gerrit.e.gerritBaseURL: gerritBaseURL must be specified\n"
		  "5:22 spec.gerrit.e.auth: username missing\n"
		  "5:15 spec.gerrit.e: webhook is missing: write webhook: {endpoint: /path, port: \"12000\", method: POST}\n"
		  "5:15 warning spec.gerrit.e: Gerrit signs nothing: anybody who reaches the port and knows the endpoint can send events\n" },
		{ "  gitlab: {e: {events: [PushEvents]}}\n",
		  "5:15 spec.gitlab.e.gitlabBaseURL: gitlabBaseURL must be specified\n"
		  "5:15 spec.gitlab.e.accessToken: accessToken must be specified: {name: <secret>, key: <key>}\n"
		  "5:15 spec.gitlab.e: webhook is missing: write webhook: {endpoint: /path, port: \"12000\", method: POST}\n"
		  "5:15 warning spec.gitlab.e: without secretToken anybody who reaches the port can send events\n" },
		{ "  hdfs: {e: {type: MAKE, directory: /d/, path: x, addresses: [a], krbKeytabSecret: " KEY "}}\n",
		  "5:20 spec.hdfs.e.type: unknown type \"MAKE\": CREATE, WRITE, REMOVE, RENAME or CHMOD\n"
		  "5:13 spec.hdfs.e.krbUsername: krbUsername must be specified\n"
		  "5:13 spec.hdfs.e.krbRealm: krbRealm must be specified\n"
		  "5:13 spec.hdfs.e.krbServicePrincipalName: krbServicePrincipalName must be specified\n"
		  "5:13 spec.hdfs.e.krbConfigConfigMap: krbConfigConfigMap must be specified: {name: <secret>, key: <key>}\n" },
		{ "  hdfs: {e: {type: CREATE, directory: /d, path: x, addresses: ['nn:9870', 'nn:8020'], hdfsUser: u, checkInterval: 1ms}}\n",
		  "5:115 spec.hdfs.e.checkInterval: 1ms: must be 100ms at least\n"
		  "5:52 warning spec.hdfs.e.addresses: nn:8020 looks like the name node's RPC port: write the address of its WebHDFS, such as "
		  "http://namenode:9870\n" },
		{ "  kafka: {e: {url: u, topic: t}}\n",
		  "5:14 spec.kafka.e: consumerGroup or partition must be specified\n" },
		{ "  kafka: {e: {url: u, topic: t, partition: '0', sasl: {mechanism: NONE}, awsMskIamAuth: {}}}\n",
		  "5:67 spec.kafka.e.sasl.mechanism: unknown value \"NONE\"; known are: PLAIN, OAUTHBEARER, SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI\n"
		  "5:55 spec.kafka.e.sasl.userSecret: required, but not given; add \"userSecret\": a map\n"
		  "5:55 spec.kafka.e.sasl.passwordSecret: required, but not given; add \"passwordSecret\": a map\n"
		  "5:89 spec.kafka.e.awsMskIamAuth: region must be specified\n"
		  "5:49 warning spec.kafka.e.sasl: has no effect beside awsMskIamAuth\n" },
		{ "  minio: {e: {endpoint: e, bucket: {}, events: ['']}}\n",
		  "5:14 spec.minio.e.accessKey: accessKey must be specified: {name: <secret>, key: <key>}\n"
		  "5:14 spec.minio.e.secretKey: secretKey must be specified: {name: <secret>, key: <key>}\n"
		  "5:36 spec.minio.e.bucket: bucket name can't be empty\n"
		  "5:40 spec.minio.e.events: event can't be empty\n" },
		{ "  mns: {e: {queue: q}}\n",
		  "5:12 spec.mns.e.endpoint: endpoint must be specified\n" },
		{ "  mqtt: {e: {url: u, topic: t, clientId: c, auth: {password: " KEY "}}}\n",
		  "5:51 spec.mqtt.e.auth: username missing\n" },
		{ "  nats: {e: {url: u, subject: s, queue: ''}}\n",
		  "5:41 spec.nats.e.queue: queue can't be empty when it is given\n" },
		{ "  nsq: {e: {hostAddress: h}}\n",
		  "5:12 spec.nsq.e.topic: topic must be specified\n"
		  "5:12 spec.nsq.e.channel: channel must be specified\n" },
		{ "  pubSub: {e: {topicProjectID: p}}\n",
		  "5:32 spec.pubSub.e.topicProjectID: you need to specify topic if you want to specify topicProjectID\n"
		  "5:15 spec.pubSub.e: must specify topic or subscriptionID\n" },
		{ "  pulsar: {e: {url: u, topics: [t]}}\n",
		  "5:15 spec.pulsar.e.type: subscription type can only be exclusive or shared\n" },
		{ "  redis: {e: {hostAddress: h, channels: [c], password: " KEY "}}\n",
		  "5:14 spec.redis.e: namespace must be defined in order to retrieve the password from the secret\n" },
		{ "  redisStream: {e: {hostAddress: h}}\n",
		  "5:20 spec.redisStream.e.streams: at least one of streams must be specified\n" },
		{ "  resource: {e: {version: v1, resource: pods, eventTypes: [ADD], filter: {labels: [{value: x}]}}}\n",
		  "5:84 spec.resource.e.filter.labels[0]: key can't be empty for a selector\n" },
		{ "  sftp: {e: {eventType: CREATE, pollIntervalDuration: 5, watchPathConfig: {path: x}}}\n",
		  "5:55 spec.sftp.e.pollIntervalDuration: expected a string, not an integer; put it in quotes: \"5\"\n"
		  "5:75 spec.sftp.e.watchPathConfig: directory is required\n"
		  "5:13 warning spec.sftp.e: without address and username nothing can be connected to\n" },
		{ "  sftp: {e: {eventType: RENAME, pollIntervalDuration: 50ms, watchPathConfig: {directory: /d, path: x}, address: " KEY
		  ", username: " KEY ", hostKeyFingerprint: abc, knownHostsSecret: " KEY "}}\n",
		  "5:25 spec.sftp.e.eventType: type \"RENAME\" matches nothing: CREATE, WRITE, REMOVE or CHMOD, or several with | between\n"
		  "5:55 spec.sftp.e.pollIntervalDuration: 50ms: must be 100ms at least\n"
		  "5:181 spec.sftp.e.hostKeyFingerprint: must be SHA256:... as `ssh-keygen -l` prints it\n" },
		{ "  slack: {e: {" WEBHOOK "}}\n",
		  "5:14 spec.slack.e.token: token must be specified: {name: <secret>, key: <key>}\n"
		  "5:14 spec.slack.e.signingSecret: signingSecret must be specified: {name: <secret>, key: <key>}\n" },
		{ "  sns: {e: {topicArn: t, region: r}}\n",
		  "5:12 spec.sns.e: webhook is missing: write webhook: {endpoint: /path, port: \"12000\", method: POST}\n"
		  "5:12 warning spec.sns.e: without validateSignature anybody who reaches the port can send events\n" },
		{ "  sqs: {e: {region: r}}\n",
		  "5:12 spec.sqs.e.queue: queue must be specified\n" },
		{ "  storageGrid: {e: {" WEBHOOK ", topicArn: t, apiURL: u, bucket: b, events: [x]}}\n",
		  "5:20 spec.storageGrid.e.authToken: authToken must be specified: {name: <secret>, key: <key>}\n"
		  "5:20 warning spec.storageGrid.e: StorageGRID signs nothing: anybody who reaches the port and knows the endpoint can send events\n" },
		{ "  stripe: {e: {" WEBHOOK ", createWebhook: true}}\n",
		  "5:15 spec.stripe.e: api key can't be empty: apiKey is needed to create the webhook\n"
		  "5:16 warning spec.stripe.e.webhook: without url, where Stripe reaches the endpoint, none is created\n"
		  "5:15 warning spec.stripe.e: without signingSecret anybody who reaches the port can send events: give the endpoint's whsec_... secret\n" },
		{ "  webhook: {e: {endpoint: a, port: http}}\n",
		  "5:27 spec.webhook.e.endpoint: endpoint \"a\" never matches a request: must begin with \"/\"\n"
		  "5:36 spec.webhook.e.port: failed to parse server port \"http\": must be a number\n" },
		{ "  webhook: {e: {endpoint: /a, port: '99999', method: POST, serverCertSecret: " KEY "}}\n",
		  "5:37 spec.webhook.e.port: port 99999: must be between 1 and 65535\n"
		  "5:60 spec.webhook.e.serverCertSecret: both serverCertSecret and serverKeySecret are needed for TLS\n" },
		{ "  webhook: {e: {endpoint: /a, port: '1', method: POST, filter: {}}}\n",
		  "5:64 spec.webhook.e.filter.expression: an empty filter drops every event: give an expression, or leave filter out\n" },
		{ "  webhook: {e: {endpoint: /a, port: '1', method: POST, maxPayloadSize: 0, metdata: {a: b}}}\n",
		  "5:75 spec.webhook.e.metdata: unknown field \"metdata\"; did you mean \"metadata\"?\n"
		  "5:72 spec.webhook.e.maxPayloadSize: 0 is out of range: must be between 1 and 1073741824\n" },
	};

	(void)state;
	run_cases(META("EventSource"), cases, ARRAY_LEN(cases));
}

static void
event_sources(void **state)
{
	static const struct a_case cases[] = {
		{ "  calendar: {x: {interval: 1s}}\n"
		  "  file: {x: {eventType: CREATE, watchPathConfig: {directory: /d/, path: x}}}\n",
		  "6:13 spec.file.x: more than one \"x\" found in the spec: calendar and file\n" },
		{ "  calendar: {x: {interval: 1s}}\n"
		  "  webhook: {y: {endpoint: /a, port: '1', method: POST}}\n",
		  "6:3 spec.webhook: rolling-update and recreate types cannot be combined: put webhook and calendar into EventSources of their own\n" },
		{ "  webhook:\n"
		  "    x: {endpoint: /a, port: '1', method: POST}\n"
		  "    y: {endpoint: /a, port: '1', method: POST}\n"
		  "    z: {endpoint: /b, port: '1', method: POST}\n",
		  "7:19 spec.webhook.y.endpoint: \"x\" already serves /a on port 1: this one would never get an event\n" },
		{ "  webhook: {x: {endpoint: /a, port: '1', method: POST}}\n"
		  "  stripe: {y: {webhook: {endpoint: /b, port: '1'}}}\n",
		  "6:15 warning spec.stripe.y: without signingSecret anybody who reaches the port can send events: give the endpoint's whsec_... secret\n"
		  "6:46 warning spec.stripe.y.webhook.port: port 1 is shared with kind webhook: Argo Events cannot serve two kinds on one port\n" },
		{ "  webhook: {w: {endpoint: /a, port: '1', method: POST}, x: {endpoint: /b, port: '1', method: POST}}\n"
		  "  stripe: {y: {signingSecret: {name: s, key: k}, webhook: {endpoint: /c, port: '1'}},"
		  " z: {signingSecret: {name: s, key: k}, webhook: {endpoint: /b, port: '1'}}}\n",
		  "6:80 warning spec.stripe.y.webhook.port: port 1 is shared with kind webhook: Argo Events cannot serve two kinds on one port\n"
		  "6:145 spec.stripe.z.webhook.endpoint: \"x\" already serves /b on port 1: this one would never get an event\n" },
		{ "  webhok: {x: {}}\n",
		  "5:3 spec.webhok: unknown field \"webhok\"; did you mean \"webhook\"?\n" },
		{ "  pigeon: {x: {}}\n",
		  "5:3 spec.pigeon: unknown field \"pigeon\"\n" },
		{ "  webhook: {x: {endpoint: /a, port: '1', method: POST, token: t}}\n",
		  "5:56 spec.webhook.x.token: unknown field \"token\"; known are: authSecret, endpoint, maxPayloadSize, metadata, method, port, serverCertSecret, serverKeySecret, url, filter, s3Events, signature\n" },
		{ "  stripe: {x: {" WEBHOOK ", namespace: other, signingSecret: {name: s, key: k}}}\n",
		  "5:70 warning spec.stripe.x.namespace: unknown field \"namespace\" does not count; known are: apiKey, createWebhook, endpoint, eventFilter, metadata, signingSecret, webhook\n" },
		{ "  calendar: [x]\n",
		  "5:3 spec.calendar: must be a map from event name to configuration, not a list\n" },
		{ "  calendar: {a.b: {interval: 1s}}\n",
		  "5:14 warning spec.calendar[\"a.b\"]: the event name \"a.b\" has a dot: sensors on other buses can't subscribe to it\n" },
		{ "  calendar: {x: {interval: 1s, cron: y}}\n"
		  "  replicas: 2\n"
		  "  template: {serviceAccountName: x, nope: y}\n",
		  "6:3 warning spec.replicas: has no effect here; one process serves all sources\n"
		  "7:3 warning spec.template: has no effect here; sources and sensors run within the daemon, under its user; docs/reference/settings.md has its settings\n"
		  "5:32 warning spec.calendar.x.cron: unknown field \"cron\" does not count; known are: exclusionDates, filter, interval, metadata, persistence, schedule, timezone\n" },
		{ "  calendar:\n",
		  "" },
	};

	(void)state;
	run_cases(META("EventSource"), cases, ARRAY_LEN(cases));
}

static void
sensors(void **state)
{
	static const struct a_case cases[] = {
		{ "  dependencies: []\n"
		  "  triggers: []\n",
		  "5:3 spec.dependencies: no event dependencies found\n"
		  "6:3 spec.triggers: no triggers found\n" },
		{ "  dependencies: [{}]\n"
		  LOG,
		  "5:18 spec.dependencies[0].name: event dependency must define a name\n"
		  "5:18 spec.dependencies[0].eventSourceName: event dependency must define the eventSourceName\n"
		  "5:18 spec.dependencies[0].eventName: event dependency must define the eventName\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: psuh}]\n"
		  LOG,
		  "5:60 spec.dependencies[0].eventName: EventSource \"es\" has no event \"psuh\"; did you mean \"push\"?\n" },
		{ "  dependencies: [{name: a, eventSourceName: ss, eventName: push}]\n"
		  LOG,
		  "5:45 warning spec.dependencies[0].eventSourceName: no EventSource \"ss\" among these manifests\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push}, {name: a, eventSourceName: es, eventName: tick}]\n"
		  LOG,
		  "5:74 spec.dependencies[1].name: duplicate dependency name: a\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filtersLogicalOperator: nor, filters: {exprLogicalOperator: and, dataLogicalOperator: AND}}]\n"
		  LOG,
		  "5:152 spec.dependencies[0].filters.dataLogicalOperator: unknown value \"AND\"; did you mean \"and\"?\n"
		  "5:90 spec.dependencies[0].filtersLogicalOperator: unknown value \"nor\"; did you mean \"or\"?\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filters: {exprs: [{expr: ''}, {expr: x, fields: [{name: x}]}]}}]\n"
		  LOG,
		  "5:84 spec.dependencies[0].filters.exprs[0]: one of expr filters is not valid: expr must not be empty\n"
		  "5:106 spec.dependencies[0].filters.exprs[1].fields: one of expr filters is not valid: path and name must not be empty\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filters: {data: [{path: x}, {path: x, type: number, value: [abc]}, {path: x, type: bool, value: [yes], comparator: '>'}, {path: x, type: string, value: ['(', '']}, {path: x, type: string, value: [a], comparator: '>='}, {path: x, type: string, comparator: '!=', value: [a, b]}, {path: x, type: strin, value: [a], comparator: '=='}]}}]\n"
		  LOG,
		  "5:83 spec.dependencies[0].filters.data[0]: one of data filters is not valid: type, path and value must not be empty\n"
		  "5:118 spec.dependencies[0].filters.data[1].value: \"abc\" is not a number: no event would pass\n"
		  "5:155 spec.dependencies[0].filters.data[2].value: \"yes\" is not a boolean: no event would pass\n"
		  "5:181 warning spec.dependencies[0].filters.data[2].comparator: has no effect on booleans: the value is compared for equality\n"
		  "5:211 spec.dependencies[0].filters.data[3].value: not a regular expression: regular expression: missing closing parenthesis\n"
		  "5:278 warning spec.dependencies[0].filters.data[4].comparator: never holds for strings: only = and != do\n"
		  "5:327 warning spec.dependencies[0].filters.data[5].value: with != and several values nearly every event passes: one unequal value is enough\n"
		  "5:390 spec.dependencies[0].filters.data[6].comparator: unknown value \"==\"; known are: >=, >, =, !=, <=, <\n"
		  "5:359 spec.dependencies[0].filters.data[6].type: unknown value \"strin\"; did you mean \"string\"?\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filters: {context: {id: x}, time: {start: '1:00', stop: '25:00:00', timezone: Nowhere}}}]\n"
		  LOG,
		  "5:85 warning spec.dependencies[0].filters.context: compares nothing, so every event passes: give type, subject, source or datacontenttype\n"
		  "5:144 spec.dependencies[0].filters.time.timezone: invalid timezone: time zone Nowhere is not in the system's database: write a name like Europe/Berlin\n"
		  "5:108 spec.dependencies[0].filters.time.start: invalid start \"1:00\": must be HH:MM:SS\n"
		  "5:122 spec.dependencies[0].filters.time.stop: invalid stop \"25:00:00\": must be HH:MM:SS\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filters: {context: {type: x, id: y}, time: {start: '01:00:00', stop: '01:00:00'}}}]\n"
		  LOG,
		  "5:99 warning spec.dependencies[0].filters.context.id: is not compared: only type, subject, source and datacontenttype are\n"
		  "5:135 spec.dependencies[0].filters.time.stop: stop is equal to start\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filters: {data: [{path: x, type: string, value: [a], template: '{{ .Input | nope }}'}]}}]\n"
		  LOG,
		  "5:129 spec.dependencies[0].filters.data[0].template: template:1: function \"nope\" not defined\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filter: {}}]\n"
		  LOG,
		  "5:66 spec.dependencies[0].filter: unknown field \"filter\"; did you mean \"filters\"?\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push, filters: {conditions: [], data: [{path: x, type: string, value: [a], unless: b}]}}]\n"
		  LOG,
		  "5:76 spec.dependencies[0].filters.conditions: unknown field \"conditions\"; known are: context, data, dataLogicalOperator, exprLogicalOperator, exprs, script, time\n"
		  "5:135 spec.dependencies[0].filters.data[0].unless: unknown field \"unless\"; known are: comparator, path, template, type, value\n" },
		{ "  dependencies: [{name: a, eventSourceName: es, eventName: push}]\n"
		  "  errorOnFailedRound: true\n"
		  "  filters: {data: []}\n"
		  "  triggers: [{template: {name: t, log: {tag: x}, policy: {k8s: {}}}}]\n",
		  "7:3 spec.filters: unknown field \"filters\"; it belongs into \"dependencies\": indent it deeper\n"
		  "6:3 warning spec.errorOnFailedRound: has no effect here; it has none in Argo Events either\n"
		  "8:50 warning spec.triggers[0].template.policy: unknown field \"policy\" does not count\n"
		  "8:41 warning spec.triggers[0].template.log.tag: unknown field \"tag\" does not count; known are: intervalSeconds, level\n" },
	};

	(void)state;
	run_cases(META("Sensor"), cases, ARRAY_LEN(cases));
}

static void
triggers(void **state)
{
	static const struct a_case cases[] = {
		{ "  triggers: [{}]\n",
		  "6:14 spec.triggers[0]: trigger template can't be nil: write template: {name: ..., http: ...}\n" },
		{ "  triggers: [{template: {}}]\n",
		  "6:25 spec.triggers[0].template: trigger must define a name\n" },
		{ "  triggers: [{template: {name: t, log: {}}}, {template: {name: t, log: {}}}]\n",
		  "6:64 spec.triggers[1].template.name: duplicate trigger name: t\n" },
		{ "  triggers: [{template: {name: t, log: {}, http: {url: 'http://u', method: POST}}}]\n",
		  "6:35 warning spec.triggers[0].template.log: has no effect: a trigger does one thing, and http wins\n" },
		{ "  triggers: [{template: {name: t, conditions: a && (b || c), log: {}}}]\n",
		  "6:47 spec.triggers[0].template.conditions: at 12: no dependency is called c\n" },
		{ "  triggers: [{template: {name: t, conditions: a &, log: {}}}]\n",
		  "6:47 spec.triggers[0].template.conditions: at 3: single &: write &&\n" },
		{ "  triggers: [{template: {name: t, conditions: a || b, log: {}}}]\n",
		  "" },
		{ "  triggers: [{template: {name: t, log: {}, conditionsReset: [{}, {byTime: {cron: '* *', timezone: Nowhere}}]}}]\n",
		  "6:62 spec.triggers[0].template.conditionsReset[0]: invalid conditionsReset: byTime is missing\n"
		  "6:82 spec.triggers[0].template.conditionsReset[1].byTime.cron: invalid cron expression: schedule \"* *\": 2 fields where five are expected: minute, hour, day of month, month, day of week\n"
		  "6:99 spec.triggers[0].template.conditionsReset[1].byTime.timezone: invalid timezone: time zone Nowhere is not in the system's database: write a name like Europe/Berlin\n" },
		{ "  triggers: [{template: {name: t, log: {}}, policy: {k8s: {}, status: {allow: [200, x]}}}]\n",
		  "6:59 spec.triggers[0].policy.k8s.labels: resource labels are not specified\n"
		  "6:85 spec.triggers[0].policy.status.allow[1]: a status must be an integer, not a string\n"
		  "6:54 warning spec.triggers[0].policy.k8s: has no effect on a trigger of kind log\n"
		  "6:63 warning spec.triggers[0].policy.status: has no effect on a trigger of kind log\n" },
		{ "  triggers: [{template: {name: t, http: {url: 'http://u'}}, policy: {status: {}}}]\n",
		  "6:78 spec.triggers[0].policy.status.allow: list of allowed response status is not specified\n" },
		{ "  triggers: [{template: {name: t, log: {}}, rateLimit: {requestsPerUnit: 0, unit: Day}}]\n",
		  "6:74 spec.triggers[0].rateLimit.requestsPerUnit: 0 is out of range: must be between 1 and 1000000\n"
		  "6:83 spec.triggers[0].rateLimit.unit: unknown value \"Day\"; known are: Second, Minute, Hour\n" },
		{ "  triggers: [{template: {name: t, log: {}}, dlqTrigger: {template: {name: d, log: {}}}}]\n",
		  "6:45 spec.triggers[0].dlqTrigger: to use dlqTrigger, atLeastOnce must be true\n"
		  "6:57 spec.triggers[0].dlqTrigger.atLeastOnce: atLeastOnce must be true within the dlqTrigger\n" },
		{ "  triggers: [{atLeastOnce: true, template: {name: t, log: {}}, dlqTrigger: {atLeastOnce: true, template: {name: d}}}]\n",
		  "6:106 spec.triggers[0].dlqTrigger.template: the trigger does nothing: give one of http, log, argoWorkflow, k8s\n" },
		{ "  triggers: [{template: {name: t, log: {}}, parameters: [{}, {src: {}, dest: x}, {src: {dependencyName: q}, dest: x}, {src: {dependencyName: q, value: v}, dest: x}, {src: {dependencyName: a}, dest: x, operation: add}]}]\n",
		  "6:58 spec.triggers[0].parameters[0]: parameter source can't be empty: write src: {dependencyName: ..., dataKey: ...}\n"
		  "6:58 spec.triggers[0].parameters[0].dest: parameter destination can't be empty\n"
		  "6:68 spec.triggers[0].parameters[1].src: parameter dependency name can't be empty: set dependencyName\n"
		  "6:213 spec.triggers[0].parameters[4].operation: unknown value \"add\"; known are: overwrite, append, prepend\n"
		  "6:105 spec.triggers[0].parameters[2].src.dependencyName: no dependency is called \"q\"\n"
		  "6:142 warning spec.triggers[0].parameters[3].src.dependencyName: no dependency is called \"q\": the value is always used\n" },
		{ "  triggers: [{template: {name: t, log: {}}, parameters: [{src: {dependencyName: a, dataTemplate: '{{ .Input.x'}, dest: x}, {src: {dependencyName: a, contextTemplate: '{{ nope }}', value: v}, dest: y}]}]\n",
		  "6:98 spec.triggers[0].parameters[0].src.dataTemplate: template:1: unclosed action\n"
		  "6:167 warning spec.triggers[0].parameters[1].src.contextTemplate: template:1: function \"nope\" not defined\n" },
		{ "  triggers: [{template: {name: t, http: {url: 'http://u', payload: [{src: {dependencyName: c, dataKey: body}}]}}}]\n",
		  "6:92 spec.triggers[0].template.http.payload[0].src.dependencyName: no dependency is called \"c\"\n" },
		{ "  triggers: [{template: {name: t, awsLambda: {}}}]\n",
		  "6:46 spec.triggers[0].template.awsLambda.functionName: functionName must be specified\n"
		  "6:46 spec.triggers[0].template.awsLambda.region: region must be specified\n"
		  "6:46 spec.triggers[0].template.awsLambda.payload: payload parameters are not specified\n" },
		{ "  triggers: [{template: {name: t, kafka: {url: u}}}]\n",
		  "6:42 spec.triggers[0].template.kafka.payload: payload parameters are not specified\n"
		  "6:42 spec.triggers[0].template.kafka.topic: topic must be specified\n" },
		{ "  triggers: [{template: {name: t, nats: {url: u, subject: s}}}]\n",
		  "6:41 spec.triggers[0].template.nats.payload: payload parameters are not specified\n" },
		{ "  triggers: [{template: {name: t, slack: {attachments: '{'}}}]\n",
		  "6:42 spec.triggers[0].template.slack.slackToken: slackToken must be specified: {name: <secret>, key: <key>}\n"
		  "6:56 warning spec.triggers[0].template.slack.attachments: is not JSON\n" },
		{ "  triggers: [{template: {name: t, openWhisk: {host: h}}}]\n",
		  "6:46 spec.triggers[0].template.openWhisk.actionName: actionName must be specified\n"
		  "6:46 spec.triggers[0].template.openWhisk.authToken: authToken must be specified: {name: <secret>, key: <key>}\n"
		  "6:46 spec.triggers[0].template.openWhisk.payload: payload parameters are not specified\n" },
		{ "  triggers: [{template: {name: t, custom: {serverURL: u, secure: true}}}]\n",
		  "6:43 spec.triggers[0].template.custom.spec: spec can't be empty\n"
		  "6:66 spec.triggers[0].template.custom.secure: certSecret can't be empty when the trigger server connection is secure\n" },
		{ "  triggers: [{template: {name: t, email: {port: 70000}}}]\n",
		  "6:49 spec.triggers[0].template.email.port: 70000 is out of range: must be between 0 and 65535\n"
		  "6:42 spec.triggers[0].template.email.host: host must be specified\n" },
		{ "  triggers: [{template: {name: t, pulsar: {}}}]\n",
		  "6:43 spec.triggers[0].template.pulsar.url: url must be specified\n"
		  "6:43 spec.triggers[0].template.pulsar.topic: topic must be specified\n"
		  "6:43 spec.triggers[0].template.pulsar.payload: payload parameters are not specified\n" },
		{ "  triggers: [{template: {name: t, azureEventHubs: {}}}]\n",
		  "6:51 spec.triggers[0].template.azureEventHubs.fqdn: fqdn must be specified\n"
		  "6:51 spec.triggers[0].template.azureEventHubs.hubName: hubName must be specified\n"
		  "6:51 spec.triggers[0].template.azureEventHubs.sharedAccessKey: sharedAccessKey must be specified: {name: <secret>, key: <key>}\n"
		  "6:51 spec.triggers[0].template.azureEventHubs.sharedAccessKeyName: sharedAccessKeyName must be specified: {name: <secret>, key: <key>}\n"
		  "6:51 spec.triggers[0].template.azureEventHubs.payload: payload parameters are not specified\n" },
		{ "  triggers: [{template: {name: t, azureServiceBus: {connectionString: " KEY "}}}]\n",
		  "6:52 spec.triggers[0].template.azureServiceBus: must specify queueName or topicName\n"
		  "6:52 spec.triggers[0].template.azureServiceBus.payload: payload parameters are not specified\n" },
	};

	(void)state;
	run_cases(META("Sensor") DEPS, cases, ARRAY_LEN(cases));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources), cmocka_unit_test(event_sources), cmocka_unit_test(sensors), cmocka_unit_test(triggers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
