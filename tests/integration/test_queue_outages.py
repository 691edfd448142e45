# SPDX-License-Identifier: Apache-2.0
"""Messages of queues that are pulled over HTTP, through outages of the service and of the daemon (outages.py).

row          counterpart                                        what must come of it: none is lost, and none is an event twice
-----------  -------------------------------------------------  --------------------------------------------------------------
sqs          ElasticMQ, which keeps its messages on disk        by the message's id. What a server has of a batch that it did
                                                                not answer, the publisher sends again: as other messages
azure        Azurite, which keeps its messages on disk; a call  by the message's id
             takes it ms, the more the more messages wait
pub-sub      Google's pstest, in memory: the wire to it is cut  by the message's id
mns          a peer of the tests' own, in memory                by the message's id
service-bus  a peer of the tests' own, in memory                by sequence number

All of them in `make integration` only; what `make test` has of this is in test_source_queues.py. TIDEGATE_N=100000 is what takes too long there."""
import concurrent.futures
import contextlib
import http.client
import os
import unittest
import unittest.mock

from harness import scaled
from outages import Row, Through, case
from queues import Azurite, ElasticMq, MnsServer, PubSub, ServiceBusServer, Wire, azure_connection, bus_connection, connect
from source_case import Publisher, ref


class BatchPublisher(Publisher):
    """Batches of ten over four connections, since a batch takes a server that keeps it on disk some ms."""

    def __init__(self, broker):
        super().__init__(400)
        self.b, self.url, self.pool = broker, broker.url(), concurrent.futures.ThreadPoolExecutor(4)

    def some(self, bodies):
        """Sends them; those that the queue has."""
        c, done = connect(self.b.port), []
        with contextlib.suppress(OSError, http.client.HTTPException, AssertionError):
            for i in range(0, len(bodies), 10):
                self.b.put_batch(self.url, [x.decode() for x in bodies[i:i + 10]], c)
                done += bodies[i:i + 10]
        c.close()
        return done

    def send(self, bodies):
        share = -(-len(bodies) // 4)
        done = {b for some in self.pool.map(self.some, [bodies[i:i + share] for i in range(0, len(bodies), share)]) for b in some}
        bodies[:] = [b for b in bodies if b not in done]
        if bodies:
            raise OSError("some were not taken")


class PutPublisher(Publisher):
    """One after the other; put(text) is how."""

    def __init__(self, put):
        super().__init__(100)
        self.put = put

    def send(self, bodies):
        while bodies:
            self.put(bodies[0].decode())
            del bodies[0]


class SqsElasticMq(Row):
    kind, broker, needs_full, identity = "sqs", ElasticMq, True, "messageId"
    n, most_waiting = scaled(2000, 20000), 2000
    secrets = {"access": "AKID", "secret": "s3cr3t"}
    fields = (f"region: eu-central-1\nqueue: orders\nendpoint: http://127.0.0.1:PORT\naccessKey: {ref('access')}\nsecretKey: {ref('secret')}\n"
              "waitTimeSeconds: 1\njsonBody: true")

    def publisher(self):
        return BatchPublisher(self.b)

    def show(self):
        self.breaks()  # it forgets who had what

    def left(self):
        return self.b.left()


class AzurePublisher(PutPublisher):
    def __init__(self, broker):
        super().__init__(lambda text: broker.put(text, self.c))
        self.b = broker

    def send(self, bodies):
        self.c = self.c or connect(self.b.port)
        try:
            super().send(bodies)
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e


class AzureAzurite(Row):
    kind, broker, needs_full, identity = "azureQueueStorage", Azurite, True, "messageID"
    n, most_waiting = scaled(2000, 3000), 600
    fields = f"queueName: orders\nconnectionString: {ref('connection')}\nwaitTimeInSeconds: 1\njsonBody: true"

    def prepare(self):
        self.b.call("PUT", "/orders")
        self.secrets = {"connection": azure_connection(self.b.port)}

    def publisher(self):
        return AzurePublisher(self.b)

    def left(self):
        return self.b.left()


class PubSubPublisher(Publisher):
    def __init__(self, broker):
        super().__init__(500)
        self.b = broker

    def send(self, bodies):
        self.b.put([b.decode() for b in bodies])
        bodies.clear()


class PubSubPstest(Row):
    kind, broker, needs_full, identity = "pubSub", PubSub, True, "id"
    n, most_waiting = scaled(2000, 100000), 5000
    fields = "projectID: p\ntopic: orders\njsonBody: true"

    def prepare(self):
        self.wire = Wire(self.b.port).start()
        self.test.addCleanup(self.wire.stop)
        patch = unittest.mock.patch.dict(os.environ, PUBSUB_EMULATOR_HOST=f"127.0.0.1:{self.wire.port}")
        patch.start()
        self.test.addCleanup(patch.stop)

    def breaks(self):
        self.wire.stop()
        self.wire.start()

    def publisher(self):
        self.test.assertEqual(list(self.b.subscriptions().values()), ["projects/p/topics/orders"])
        return PubSubPublisher(self.b)

    def left(self):
        return sum(not m["Acks"] for m in self.b.messages())


class Mns(Row):
    kind, broker, needs_full, identity = "mns", MnsServer, True, "messageId"
    n, most_waiting = scaled(2000, 20000), 500
    secrets = {"access": "AKID", "secret": "s3cr3t-key-of-tests"}
    fields = f"queue: orders\nendpoint: http://127.0.0.1:PORT\naccessKey: {ref('access')}\nsecretKey: {ref('secret')}"

    def publisher(self):
        return PutPublisher(self.b.queue.put)

    def left(self):
        return len(self.b.queue.messages)


class ServiceBus(Mns):
    kind, broker, identity = "azureServiceBus", ServiceBusServer, "sequenceNumber"
    n = scaled(2000, 10000)
    fields = f"queueName: orders\nconnectionString: {ref('connection')}\njsonBody: true"

    def prepare(self):
        self.secrets = {"connection": bus_connection(self.b.port)}


class QueueOutages(Through):
    test_sqs = case(SqsElasticMq)
    test_azure = case(AzureAzurite)
    test_pub_sub = case(PubSubPstest)
    test_mns = case(Mns)
    test_service_bus = case(ServiceBus)


if __name__ == "__main__":
    unittest.main()
