/* SPDX-License-Identifier: Apache-2.0 */
/* nats_lib: what peer_nats.c, which sends, and the source nats share: opening cnats, connecting, errors. */
#ifndef TIDEGATE_CORE_NET_NATS_LIB_H
#define TIDEGATE_CORE_NET_NATS_LIB_H

#include <nats/nats.h>

#include "core/net/peer.h"

#define NATS_FUNCTIONS(X)                                                                                                   \
	X(natsOptions_Create) X(natsOptions_Destroy) X(natsOptions_SetURL) X(natsOptions_SetServers) X(natsOptions_SetUserInfo) X(natsOptions_SetToken) \
	X(natsOptions_SetNKeyFromSeed) X(natsOptions_SetUserCredentialsFromFiles) X(natsOptions_SetName) X(natsOptions_SetTimeout) X(natsOptions_SetSecure) \
	X(natsOptions_SetCATrustedCertificates) X(natsOptions_SetCertificatesChain) X(natsOptions_SkipServerVerification) X(natsOptions_SetAllowReconnect) \
	X(natsOptions_SetErrorHandler) X(natsOptions_SetClosedCB) X(natsOptions_SetPingInterval) \
	X(natsConnection_Connect) X(natsConnection_Destroy) X(natsConnection_PublishMsg) X(natsConnection_FlushTimeout) X(natsConnection_GetLastError) \
	X(natsConnection_HasHeaderSupport) X(natsConnection_JetStream) X(natsConnection_IsClosed) X(natsConnection_GetMaxPayload) X(natsMsg_Create) \
	X(natsConnection_Subscribe) X(natsConnection_QueueSubscribe) X(natsConnection_PublishString) X(natsConnection_PublishRequestString) \
	X(natsSubscription_SetPendingLimits) X(natsSubscription_SetOnCompleteCB) X(natsSubscription_Destroy) X(natsSubscription_GetDropped) \
	X(natsInbox_Create) X(natsInbox_Destroy) X(natsMsg_GetSubject) X(natsMsg_GetReply) X(natsMsg_GetData) X(natsMsg_GetDataLength) \
	X(natsMsgHeader_Keys) X(natsMsgHeader_Values) X(natsMsgHeader_Get) \
	X(natsMsg_Destroy) X(natsMsgHeader_Set) X(js_PublishMsg) X(jsPubAck_Destroy) X(jsPubOptions_Init) X(jsCtx_Destroy) X(natsStatus_GetText) \
	X(js_GetConsumerInfo) X(js_AddConsumer) X(jsConsumerInfo_Destroy) X(jsConsumerConfig_Init) X(nats_GetLastError)

struct nats_lib {
#define X(name) __typeof__(&name) name;
	NATS_FUNCTIONS(X)
#undef X
};
extern struct nats_lib nats_lib;

/* Sets `e` from the library's status and words. Returns -1. */
int nats_fail(natsStatus s, const char *what, struct err *e);
/*
 * Opens the library and connects as the target says, without the library's own reconnecting: what it keeps for that, nobody waits for.
 * `more` (or NULL) sets further options.
 */
int nats_connect(const struct peer_target *t, natsStatus (*more)(natsOptions *o, void *arg), void *arg, natsConnection **out, struct err *e) MUST_CHECK;

#endif
