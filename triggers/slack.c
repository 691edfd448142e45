/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack: posts to a Slack channel by chat.postMessage. Messages with one aggregation key go into one thread: the first makes it, and the
 * others wait until it is there, so they are posted one after the other. Threads are remembered while the daemon runs.
 */
#include "core/map.h"
#include "triggers/call.h"
#include "triggers/check.h"

#define API_URL "https://slack.com/api/"

enum { THREADS = 1000 /* that a trigger remembers: then those go that were used longest ago */ };

struct slack_sender {
	str icon;
	str username;
	const struct val *src;
};
static const struct schema slack_sender_schema = { "SlackSender", "Who posts.", sizeof(struct slack_sender),
	(const struct field[]){
	FIELD(struct slack_sender, icon, "icon", 0, .doc = "Emoji or URL of the picture."),
	FIELD(struct slack_sender, username, "username", 0, .doc = "Name to show."),
	FIELD_SRC(struct slack_sender, src),
	{ 0 } } };

struct slack_thread {
	bool broadcast_message_to_channel;
	str message_aggregation_key;
	const struct val *src;
};
static const struct schema slack_thread_schema = { "SlackThread", "Thread to post to.", sizeof(struct slack_thread),
	(const struct field[]){
	FIELD(struct slack_thread, broadcast_message_to_channel, "broadcastMessageToChannel", 0,
		.doc = "Show it in the channel as well."),
	FIELD(struct slack_thread, message_aggregation_key, "messageAggregationKey", 0,
		.doc = "Messages with the same key go into one thread."),
	FIELD_SRC(struct slack_thread, src),
	{ 0 } } };

struct slack_trigger {
	str api_url;
	str attachments;
	str blocks;
	str channel;
	str message;
	LIST_OF(struct trigger_parameter) parameters;
	struct slack_sender *sender;
	struct secret_ref *slack_token;
	struct slack_thread *thread;
	const struct val *src;
};

/* Parameters may still fill in a template here, so text with a placeholder is not looked into. */
static void
check_json(str text, const struct val *in, struct decode *c, const char *field)
{
	if (text.n && str_find(text, S("{{"), 0) == SIZE_MAX && !json_valid(text))
		decode_warn(c, in, field, "is not JSON");
}

static void
check(void *obj, const struct val *in, struct decode *c)
{
	const struct slack_trigger *t = obj;

	trigger_need_ref(t->slack_token, in, c, "slackToken");
	check_json(t->attachments, in, c, "attachments");
	check_json(t->blocks, in, c, "blocks");
	if (t->api_url.n && !str_starts(t->api_url, S("http://")) && !str_starts(t->api_url, S("https://")))
		decode_error(c, in, "apiURL", "apiURL %.*s: must begin with http:// or https://", STR_ARG(t->api_url));
}

static const struct schema slack_trigger_schema = { "SlackTrigger", "Posts to a Slack channel.",
	sizeof(struct slack_trigger), (const struct field[]){
	FIELD(struct slack_trigger, api_url, "apiURL", 0, .doc = "URL before the method, if it is not " API_URL ". Ours, not Argo's."),
	FIELD(struct slack_trigger, attachments, "attachments", 0, .doc = "Attachments, JSON."),
	FIELD(struct slack_trigger, blocks, "blocks", 0, .doc = "Blocks, JSON."),
	FIELD(struct slack_trigger, channel, "channel", 0, .doc = "Channel to post to."),
	FIELD(struct slack_trigger, message, "message", 0, .doc = "Text to post."),
	FIELD_LIST(struct slack_trigger, parameters, "parameters", 0, &trigger_parameter_schema,
		.doc = "Values from events to put into this trigger."),
	FIELD_PTR(struct slack_trigger, sender, "sender", 0, &slack_sender_schema, .doc = "Who posts."),
	FIELD_PTR(struct slack_trigger, slack_token, "slackToken", 0, &secret_ref_schema, .doc = "Token of the app."),
	FIELD_PTR(struct slack_trigger, thread, "thread", 0, &slack_thread_schema, .doc = "Thread to post to."),
	FIELD_SRC(struct slack_trigger, src),
	{ 0 } }, check };

/* ---- threads --------------------------------------------------------------------------------------------------------- */

struct thread {
	struct link link;     /* in threads.used, the last used at the end */
	char *key;            /* "channel key" */
	char *ts;             /* of its first message; NULL: there is none yet */
	struct post *posting; /* under way */
	struct link waiting;  /* posts for it */
};
struct threads {
	struct map by_key;
	struct link used;
};
/* One attempt; in the firing's arena. */
struct post {
	struct link link;
	struct firing *f;
	struct thread *thread; /* NULL: none */
};

static void
free_thread(struct thread *t)
{
	list_del(&t->link);
	free(t->key);
	free(t->ts);
	free(t);
}

static void
forget(void *memory)
{
	struct threads *all = memory;
	while (!list_empty(&all->used))
		free_thread(LIST_FIRST(&all->used, struct thread, link));
	map_free(&all->by_key);
	free(all);
}

static struct threads *
threads_of(struct firing *f)
{
	void **memory = firing_memory(f);
	if (!*memory) {
		struct threads *all = MEM_NEW(struct threads);
		list_init(&all->used);
		*memory = all;
	}
	return *memory;
}

static void
drop_oldest(struct threads *all)
{
	LIST_EACH(&all->used, struct thread, link, t)
	{
		if (t->posting)
			continue;
		map_del(&all->by_key, str_c(t->key));
		free_thread(t);
		return;
	}
}

static struct thread *
thread_of(struct firing *f, str channel, str key)
{
	struct threads *all = threads_of(f);
	str name = arena_fmt(firing_arena(f), "%.*s %.*s", STR_ARG(channel), STR_ARG(key));
	struct thread *t = map_get(&all->by_key, name);
	if (!t) {
		if (all->by_key.n >= THREADS)
			drop_oldest(all);
		t = MEM_NEW(struct thread);
		t->key = mem_text(name);
		list_init(&t->waiting);
		map_put(&all->by_key, str_c(t->key), t);
	}
	list_del(&t->link);
	list_add_tail(&all->used, &t->link);
	return t;
}

/* ---- the message -------------------------------------------------------------------------------------------------------- */

static str
channel_of(const struct slack_trigger *t)
{
	return str_slice(t->channel, str_starts(t->channel, S("#")), t->channel.n);
}

static const struct val *
set_text(struct arena *a, const struct val *body, const char *key, str text)
{
	struct val v = val_str(text);
	return text.n ? val_set(a, body, str_c(key), &v) : body;
}

/* A list that the manifest has as JSON text. */
static int
set_list(struct arena *a, const struct val **body, const char *key, str text, struct err *e)
{
	struct val v;
	if (!text.n)
		return 0;
	if (json_read(a, text, &v, e) < 0)
		return err_wrap(e, "%s", key);
	if (v.kind != VAL_LIST)
		return err_set(e, ERR_INVALID, "%s: a list is expected", key);
	*body = val_set(a, *body, str_c(key), &v);
	return 0;
}

static const struct val *
set_sender(struct arena *a, const struct val *body, const struct slack_sender *s)
{
	bool emoji = s->icon.n > 2 && str_starts(s->icon, S(":")) && str_ends(s->icon, S(":"));
	body = set_text(a, body, "username", s->username);
	return set_text(a, body, emoji ? "icon_emoji" : "icon_url", s->icon);
}

static int
message(struct firing *f, const struct thread *thread, str *out, struct err *e)
{
	const struct slack_trigger *t = firing_config(f);
	struct arena *a = firing_arena(f);
	const struct val *body = set_text(a, NULL, "channel", channel_of(t));
	body = set_text(a, body, "text", t->message);
	if (set_list(a, &body, "attachments", t->attachments, e) < 0 || set_list(a, &body, "blocks", t->blocks, e) < 0)
		return -1;
	if (t->sender)
		body = set_sender(a, body, t->sender);
	if (thread && thread->ts) {
		struct val broadcast = val_bool(t->thread->broadcast_message_to_channel);
		body = set_text(a, body, "thread_ts", str_c(thread->ts));
		body = val_set(a, body, S("reply_broadcast"), &broadcast);
	}
	*out = json_write(a, body);
	return 0;
}

/* ---- the call ----------------------------------------------------------------------------------------------------------- */

/* Slack's words for what may pass; all others stay as they are until somebody does something. */
static const char *const passing[] = { "ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable",
	                               "request_timeout", "team_added_to_org" };
static const char *const logins[] = { "invalid_auth", "not_authed", "account_inactive", "token_expired", "token_revoked", "no_permission" };

static bool
is_one_of(str s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(s, str_c(list[i])))
			return true;
	return false;
}

/* Slack answers 200 also when it refuses: {"ok":false,"error":"channel_not_found"}. */
static int
judge(struct firing *f, const struct http_answer *ans, struct val *body, struct err *e)
{
	const struct slack_trigger *t = firing_config(f);
	if (call_judge(f, S("Slack"), ans, e) < 0)
		return -1;
	firing_alone(f);
	if (json_read(firing_arena(f), ans->body, body, e) < 0)
		return err_set(e, ERR_UNAVAILABLE, "Slack's answer is no JSON: %.*s", STR_ARG(http_excerpt(firing_arena(f), ans->body)));
	const struct val *ok = val_get(body, S("ok"));
	str error = http_excerpt(firing_arena(f), val_get_str(body, "error"));
	if (ok && ok->kind == VAL_BOOL && ok->b)
		return 0;
	enum err_code code = is_one_of(error, passing, ARRAY_LEN(passing)) ? ERR_UNAVAILABLE
	                     : is_one_of(error, logins, ARRAY_LEN(logins)) ? ERR_UNAUTHENTICATED
	                                                                   : ERR_INVALID;
	return err_set(e, code, "Slack refused the message to %.*s: %.*s", STR_ARG(t->channel), STR_ARG(error));
}

static void post(struct post *p);

/* The next message of the thread, if one waits. */
static void
go_on(struct thread *t)
{
	t->posting = NULL;
	while (!t->posting && !list_empty(&t->waiting)) {
		struct post *p = LIST_FIRST(&t->waiting, struct post, link);
		list_del(&p->link);
		t->posting = p;
		post(p);
	}
}

/* What waits is on disk, and the next daemon posts it. */
static void
give_back(struct thread *t)
{
	struct err e;
	err_set(&e, ERR_UNAVAILABLE, "the daemon ends");
	while (!list_empty(&t->waiting)) {
		struct post *p = LIST_FIRST(&t->waiting, struct post, link);
		list_del(&p->link);
		firing_done(p->f, &e, NULL);
	}
}

/* The thread is busy until firing_done has returned, lest a firing that begins in it overtakes those that wait. */
static void
end(struct post *p, const struct err *e, const struct val *result)
{
	struct thread *t = p->thread;
	bool over = firing_is_over(p->f);
	if (t && over)
		give_back(t);
	firing_done(p->f, e, result); /* if it is over, the thread may be gone now */
	if (t && !over)
		go_on(t);
}

static void
answered(void *arg, const struct http_answer *ans, const struct err *failure)
{
	struct post *p = arg;
	struct arena *a = firing_arena(p->f);
	struct err e = { 0 };
	struct val body = val_null();
	if (failure)
		e = *failure;
	else
		(void)!judge(p->f, ans, &body, &e); /* e says it */
	str ts = val_get_str(&body, "ts");
	if (!e.code && p->thread && !p->thread->ts && ts.n)
		p->thread->ts = mem_text(ts);
	end(p, e.code ? &e : NULL, set_text(a, set_text(a, NULL, "channel", val_get_str(&body, "channel")), "ts", ts));
}

static void
post(struct post *p)
{
	struct firing *f = p->f;
	const struct slack_trigger *t = firing_config(f);
	const struct trigger_env *env = firing_env(f);
	struct arena *a = firing_arena(f);
	struct err e = { 0 };
	str token, body;
	if (call_secret(f, t->slack_token, &token, &e) < 0 || message(f, p->thread, &body, &e) < 0) {
		end(p, &e, NULL);
		return;
	}
	str base = t->api_url.n ? t->api_url : S(API_URL);
	const struct http_header headers[] = { { S("Content-Type"), S("application/json; charset=utf-8") },
		                               { S("Authorization"), arena_fmt(a, "Bearer %.*s", STR_ARG(token)) },
		                               { S("X-Tidegate-Firing-Id"), firing_id(f) } };
	struct http_call call = { .method = S("POST"), .headers = headers, .headers_n = ARRAY_LEN(headers), .body = body,
		                  .url = arena_fmt(a, "%.*s%schat.postMessage", STR_ARG(base), str_ends(base, S("/")) ? "" : "/") };
	httpc_send(env->httpc(env->arg), &call, answered, p);
}

static void
fire(struct firing *f)
{
	const struct slack_trigger *t = firing_config(f);
	struct post *p = ARENA_NEW(firing_arena(f), struct post);
	struct err e = { 0 };
	*p = (struct post){ .f = f };
	if (!t->channel.n)
		err_set(&e, ERR_INVALID, "no channel to post to");
	else if (!t->message.n && !t->attachments.n && !t->blocks.n)
		err_set(&e, ERR_INVALID, "nothing to post: one of message, attachments and blocks is needed");
	if (e.code) {
		firing_done(f, &e, NULL);
		return;
	}
	if (t->thread && t->thread->message_aggregation_key.n)
		p->thread = thread_of(f, channel_of(t), t->thread->message_aggregation_key);
	if (p->thread && p->thread->posting) {
		list_add_tail(&p->thread->waiting, &p->link);
		return;
	}
	if (p->thread)
		p->thread->posting = p;
	post(p);
}

const struct trigger_ops trigger_slack = { .kind = "slack", .doc = "Posts to a Slack channel.",
	.schema = &slack_trigger_schema, .fire = fire, .forget = forget };
