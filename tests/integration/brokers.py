# SPDX-License-Identifier: Apache-2.0
"""Real message brokers on loopback, and what the tests see of them: small clients of their own for NATS and Redis, the brokers' own tools
for the others. Each may be stopped, and started again with what it had."""
import base64
import binascii
import ctypes
import json
import os
import shutil
import socket
import ssl
import subprocess
import textwrap

from harness import ROOT, free_port, until


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Broker:
    """A server process in a directory of its own."""

    def __init__(self, directory):
        self.dir, self.port, self.process = directory, free_port(), None
        os.makedirs(directory, exist_ok=True)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(textwrap.dedent(text))
        return path

    def command(self):
        raise NotImplementedError

    def ready(self):
        return answers(self.port)

    def environment(self):
        return os.environ

    def run(self, *args):
        done = subprocess.run(args, cwd=self.dir, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise AssertionError(f"{' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def text(self, name):
        with open(os.path.join(self.dir, name), encoding="utf-8") as f:
            return f.read()

    def certificates(self, names="DNS:localhost,IP:127.0.0.1"):
        """Two authorities, ca and other, and by the first a certificate for the server, of these names, and one for a client."""
        for name in ("ca", "other"):
            self.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "2",
                     "-subj", f"/CN=test authority {name}")
        for name, extension in (("server", "subjectAltName=" + names), ("client", "extendedKeyUsage=clientAuth")):
            self.file(name + ".ext", extension + "\n")
            self.run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
            self.run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.crt",
                     "-days", "2", "-extfile", f"{name}.ext")
            os.chmod(os.path.join(self.dir, f"{name}.key"), 0o644)  # a broker may run as a user of its own

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.dir, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
                                            start_new_session=True)
        def up():
            if self.process.poll() is not None:
                with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as f:
                    raise AssertionError("the broker ended:\n" + f.read()[-3000:])
            return self.ready()
        until(up, 120, type(self).__name__)
        return self

    def close(self):
        self.stop()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Lines:
    """A connection of a protocol of lines and counted bytes."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.f = self.s.makefile("rb")

    def encrypt(self, context):
        self.s = context.wrap_socket(self.s, server_hostname="localhost")
        self.f = self.s.makefile("rb")

    def send(self, data):
        self.s.sendall(data)

    def line(self):
        return self.f.readline().rstrip(b"\r\n").decode()

    def close(self):
        self.f.close()
        self.s.close()


class Nats(Broker):
    """With `secure`, all who connect need a certificate."""

    CONFIG = ""
    secure = False
    streams = True
    OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3  # kinds of keys, as the first byte of a public one

    def context(self):
        c = ssl.create_default_context(cafile=os.path.join(self.dir, "ca.crt"))
        c.load_cert_chain(os.path.join(self.dir, "client.crt"), os.path.join(self.dir, "client.key"))
        return c

    def command(self):
        path = self.file("nats.conf", f"""
            listen: 127.0.0.1:{self.port}
            {f'jetstream {{ store_dir: "{self.dir}/js" }}' if self.streams else ''}
            {'tls { cert_file: server.crt, key_file: server.key, ca_file: ca.crt, verify: true }' if self.secure else ''}
            {self.CONFIG}
            """)
        return [shutil.which("nats-server") or "/usr/sbin/nats-server", "-c", path]

    def connect(self, **login):
        c = Lines(self.port)
        c.line()  # INFO
        if self.secure:
            c.encrypt(self.context())
        c.send(b"CONNECT " + json.dumps(dict({"verbose": False, "headers": True, "no_responders": True}, **login)).encode() + b"\r\nPING\r\n")
        until(lambda: c.line() == "PONG", 30, "PONG")
        return c

    @staticmethod
    def message(c):
        """(subject, headers as text, body) of the next one."""
        while True:
            words = c.line().split(" ")
            if words[0] == "PING":
                c.send(b"PONG\r\n")
            if words[0] == "MSG":
                data = c.f.read(int(words[-1]) + 2)[:-2]
                return words[1], "", data
            if words[0] == "HMSG":
                data = c.f.read(int(words[-1]) + 2)[:-2]
                return words[1], data[:int(words[-2])].decode(), data[int(words[-2]):]

    def subscribe(self, subject, **login):
        c = self.connect(**login)
        c.send(f"SUB {subject} 1\r\nPING\r\n".encode())
        until(lambda: c.line() == "PONG", 30, "PONG")
        return c

    def request(self, subject, body):
        c = self.subscribe("inbox.t")
        data = json.dumps(body).encode()
        c.send(f"PUB {subject} inbox.t {len(data)}\r\n".encode() + data + b"\r\n")
        answer = json.loads(self.message(c)[2])
        c.close()
        return answer

    def key(self, name, kind):
        """A pair of keys by OpenSSL, written as NATS writes them: (seed, public key); name.der stays for sign()."""
        self.run("openssl", "genpkey", "-algorithm", "ed25519", "-outform", "DER", "-out", name + ".der")
        self.run("openssl", "pkey", "-inform", "DER", "-in", name + ".der", "-pubout", "-outform", "DER", "-out", name + ".pub")
        def written(prefix, file):
            with open(os.path.join(self.dir, file), "rb") as f:
                raw = prefix + f.read()[-32:]
            return base64.b32encode(raw + binascii.crc_hqx(raw, 0).to_bytes(2, "little")).decode().rstrip("=")
        return written(bytes([18 << 3 | kind >> 5, (kind & 31) << 3]), name + ".der"), written(bytes([kind]), name + ".pub")

    def token(self, signer, issuer, subject, claims):
        """A token of NATS: what `issuer`, whose key is signer.der, says of `subject`."""
        def part(value):
            return base64.urlsafe_b64encode(value).decode().rstrip("=")
        body = {"jti": "T", "iat": 1700000000, "iss": issuer, "name": "t", "sub": subject, "nats": dict(claims, version=2)}
        text = part(b'{"typ":"JWT","alg":"ed25519-nkey"}') + "." + part(json.dumps(body).encode())
        self.file("text", text)
        self.run("openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", signer + ".der", "-in", "text", "-out", "signature")
        with open(os.path.join(self.dir, "signature"), "rb") as f:
            return text + "." + part(f.read())

    def by_credentials(self):
        """Lets in whom an account vouches for: (credentials of a user, those of another account's, the user's seed)."""
        self.streams = False  # they need an account of the system then
        (_, operator), (_, account), (seed, user) = self.key("operator", self.OPERATOR), self.key("account", self.ACCOUNT), self.key("user", self.USER)
        _, other = self.key("other", self.ACCOUNT)
        no_limits = {"subs": -1, "data": -1, "payload": -1}
        more = {"imports": -1, "exports": -1, "conn": -1, "leaf": -1, "wildcards": True}
        said = self.token("operator", operator, account, {"type": "account", "limits": dict(no_limits, **more)})
        self.CONFIG = (f"operator: {self.token('operator', operator, operator, {'type': 'operator'})}\n            resolver: MEMORY\n"
                       f"            resolver_preload: {{ {account}: {said} }}")
        def credentials(signer, issuer):
            token = self.token(signer, issuer, user, dict(no_limits, type="user"))
            return (f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
                    f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n")
        return credentials("account", account), credentials("other", other), seed

    def stored(self, stream):
        """What the stream has: [(headers as text, body)]."""
        last = self.request(f"$JS.API.STREAM.INFO.{stream}", {})["state"]["last_seq"]
        got = [self.request(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": i + 1})["message"] for i in range(last)]
        return [(base64.b64decode(m.get("hdrs", "")).decode(), base64.b64decode(m.get("data", ""))) for m in got]


class Redis(Broker):
    secure = 0  # a port with TLS besides, where all who connect need a certificate

    def command(self):
        tls = ["--tls-port", str(self.secure), "--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt"]
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--requirepass", "pw", "--appendonly", "yes", "--dir", self.dir,
                *(tls if self.secure else [])]

    def ready(self):
        try:
            return super().ready() and self.call("PING") == "PONG"
        except (OSError, ValueError):
            return False

    @staticmethod
    def encode(*words):
        return b"".join([b"*%d\r\n" % len(words)] + [b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words])

    def reply(self, c):
        line = c.line()
        if line[0] in "$":
            return None if line == "$-1" else c.f.read(int(line[1:]) + 2)[:-2].decode()
        if line[0] == "*":
            return [self.reply(c) for _ in range(int(line[1:]))]
        if line[0] == "-":
            raise ValueError(line)
        return int(line[1:]) if line[0] == ":" else line[1:]

    def connect(self):
        c = Lines(self.port)
        c.send(self.encode("AUTH", "pw"))
        self.reply(c)
        return c

    def call(self, *words):
        c = self.connect()
        try:
            c.send(self.encode(*words))
            return self.reply(c)
        finally:
            c.close()


class Mosquitto(Broker):
    """Keeps a session for `tests`, which is subscribed to t/# and misses nothing, wherever it is itself."""

    EXTRA = ""
    secure = 0  # a port where all who connect need a certificate

    def command(self):
        return ["/usr/sbin/mosquitto", "-c", self.file("mosquitto.conf", f"""
            listener {self.port} 127.0.0.1
            allow_anonymous true
            persistence true
            persistence_location {self.dir}/
            autosave_interval 1
            autosave_on_changes true
            user root
            {self.EXTRA}
            """) if not self.secure else self.file("mosquitto.conf", f"""
            allow_anonymous true
            user root
            listener {self.port} 127.0.0.1
            listener {self.secure} 127.0.0.1
            cafile {self.dir}/ca.crt
            certfile {self.dir}/server.crt
            keyfile {self.dir}/server.key
            require_certificate true
            """)]

    def tool(self, *args):
        return subprocess.run(["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-i", "tests", "-c", "-q", "1", "-t", "t/#",
                               "-x", "4294967295", *args], capture_output=True, text=True, timeout=60)

    def listen(self):
        self.tool("-E")

    def messages(self, n):
        """The next n: (topic, body, user properties)."""
        got = self.tool("-C", str(n), "-W", "30", "-F", "%j")
        return [json.loads(x) for x in got.stdout.splitlines()]


class Rabbit(Broker):
    """RabbitMQ with a port mapper of its own, which ends with it."""

    secure = 0  # a port where all who connect need a certificate

    def __init__(self, directory):
        super().__init__(directory)
        self.epmd_port, self.dist_port, self.epmd = free_port(), free_port(), None

    def environment(self):
        return dict(os.environ, HOME=self.dir, RABBITMQ_NODENAME="t@localhost", RABBITMQ_NODE_IP_ADDRESS="127.0.0.1", RABBITMQ_NODE_PORT=str(self.port),
                    RABBITMQ_DIST_PORT=str(self.dist_port), ERL_EPMD_PORT=str(self.epmd_port), ERL_EPMD_ADDRESS="127.0.0.1",
                    RABBITMQ_MNESIA_BASE=self.dir, RABBITMQ_LOG_BASE=self.dir, RABBITMQ_PID_FILE=os.path.join(self.dir, "pid"),
                    RABBITMQ_ENABLED_PLUGINS_FILE=self.file("plugins", "[].\n"), RABBITMQ_CONFIG_FILE=self.file("rabbitmq.conf", self.settings())[:-5],
                    RABBITMQ_CONF_ENV_FILE=os.path.join(self.dir, "none"),
                    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}")

    def settings(self):
        return f"""
            listeners.ssl.1 = 127.0.0.1:{self.secure}
            ssl_options.cacertfile = {self.dir}/ca.crt
            ssl_options.certfile = {self.dir}/server.crt
            ssl_options.keyfile = {self.dir}/server.key
            ssl_options.verify = verify_peer
            ssl_options.fail_if_no_peer_cert = true
            """ if self.secure else ""

    def command(self):
        if not self.epmd:
            self.epmd = subprocess.Popen(["epmd", "-port", str(self.epmd_port), "-address", "127.0.0.1"], stdin=subprocess.DEVNULL)
            until(lambda: answers(self.epmd_port), 60, "epmd")
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def ready(self):
        return super().ready() and self.tool("amqp-declare-queue", "-d", "-q", "q").returncode == 0

    def close(self):
        self.stop()
        if self.epmd:
            self.epmd.kill()
            self.epmd.wait()

    def tool(self, name, *args):
        return subprocess.run([name, "-u", f"amqp://guest:guest@127.0.0.1:{self.port}", *args], capture_output=True, text=True, timeout=60)

    def take(self):
        """What the queue q has; empties it."""
        got = []
        while (one := self.tool("amqp-get", "-q", "q")).returncode == 0:
            got.append(one.stdout)
        return got


class Kafka(Broker):
    """KRaft in one process, from the jars of `make build/kafka/.installed`: plain, SASL over TLS with PLAIN and SCRAM, and SASL without TLS with
    OAUTHBEARER, where Kafka's own validator takes tokens that nobody signed, and looks at their times. A connection ends with its token."""

    LIBS = os.path.join(ROOT, "build", "kafka", "libs")

    def __init__(self, directory):
        super().__init__(directory)
        self.sasl_port, self.token_port, self.controller_port, self.formatted = free_port(), free_port(), free_port(), False

    def java(self, *args):
        return ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(self.LIBS, "*"), *args]

    def command(self):
        login = "org.apache.kafka.common.security"
        path = self.file("server.properties", f"""
            process.roles=broker,controller
            node.id=1
            controller.quorum.voters=1@127.0.0.1:{self.controller_port}
            listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port},SASL_SSL://127.0.0.1:{self.sasl_port},TOKENS://127.0.0.1:{self.token_port}
            advertised.listeners=PLAINTEXT://127.0.0.1:{self.port},SASL_SSL://127.0.0.1:{self.sasl_port},TOKENS://127.0.0.1:{self.token_port}
            listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,TOKENS:SASL_PLAINTEXT
            controller.listener.names=CONTROLLER
            inter.broker.listener.name=PLAINTEXT
            log.dirs={self.dir}/data
            offsets.topic.replication.factor=1
            transaction.state.log.replication.factor=1
            transaction.state.log.min.isr=1
            num.partitions=4
            auto.create.topics.enable=true
            controlled.shutdown.enable=false
            ssl.keystore.type=PEM
            ssl.keystore.location={self.dir}/server.pem
            sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
            listener.name.sasl_ssl.plain.sasl.jaas.config={login}.plain.PlainLoginModule required user_ann="ann-pw" user_$ConnectionString="CONNECTION";
            listener.name.tokens.sasl.enabled.mechanisms=OAUTHBEARER
            listener.name.tokens.oauthbearer.connections.max.reauth.ms=3600000
            listener.name.tokens.oauthbearer.sasl.jaas.config={login}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
            listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={login}.scram.ScramLoginModule required;
            listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login}.scram.ScramLoginModule required;
            """.replace("CONNECTION", "Endpoint=sb://localhost/;SharedAccessKeyName=send;SharedAccessKey=k3y="))
        if not self.formatted:
            self.certificates()
            self.file("server.pem", self.text("server.key") + self.text("server.crt") + self.text("ca.crt"))
            self.run(*self.java("kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c", path, "--add-scram",
                                "SCRAM-SHA-256=[name=bob,password=bob-pw]", "--add-scram", "SCRAM-SHA-512=[name=bob,password=bob-pw]"))
            self.formatted = True
        return self.java("kafka.Kafka", path)

    def ready(self):
        return answers(self.port) and subprocess.run(["kcat", "-b", f"127.0.0.1:{self.port}", "-L", "-m", "2"], capture_output=True).returncode == 0

    def send(self, topic, lines, partition=None, key=None):
        """A message a line."""
        where = ["-p", str(partition)] if partition is not None else []
        subprocess.run(["kcat", "-b", f"127.0.0.1:{self.port}", "-P", "-t", topic, *where, *(["-k", key] if key else [])],
                       input="".join(x + "\n" for x in lines), text=True, check=True, capture_output=True, timeout=300)

    def delete(self, topic, partition, before):
        """As retention does: all before that offset."""
        path = self.file("delete.json", json.dumps({"version": 1, "partitions": [{"topic": topic, "partition": partition, "offset": before}]}))
        self.run(*self.java("org.apache.kafka.tools.DeleteRecordsCommand", "--bootstrap-server", f"127.0.0.1:{self.port}", "--offset-json-file", path))

    def topic(self, topic):
        """All it has: [{topic, partition, offset, key, payload, headers}]."""
        out = self.run("kcat", "-b", f"127.0.0.1:{self.port}", "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J")
        return [json.loads(x) for x in out.splitlines()]


class KafkaProducer:
    """librdkafka's producer: idempotent, and it sends until the broker has it. At most `ahead` messages wait for that."""

    class Value(ctypes.Structure):
        """rd_kafka_vu_t"""
        class Union(ctypes.Union):
            class Memory(ctypes.Structure):
                _fields_ = [("p", ctypes.c_void_p), ("n", ctypes.c_size_t)]

            class Header(ctypes.Structure):
                _fields_ = [("name", ctypes.c_char_p), ("p", ctypes.c_void_p), ("n", ctypes.c_ssize_t)]

            _fields_ = [("text", ctypes.c_char_p), ("i32", ctypes.c_int32), ("i", ctypes.c_int), ("i64", ctypes.c_int64), ("mem", Memory),
                        ("header", Header), ("pad", ctypes.c_char * 64)]

        _fields_ = [("type", ctypes.c_int), ("u", Union)]

    TOPIC, PARTITION, VALUE, KEY, FLAGS, TIMESTAMP, HEADER = 1, 3, 4, 5, 7, 8, 9

    def __init__(self, address, ahead=100000):
        self.lib = lib = ctypes.CDLL("librdkafka.so.1")
        self.address = address
        for name in ("conf_new", "new", "produceva", "mock_cluster_new"):
            getattr(lib, "rd_kafka_" + name).restype = ctypes.c_void_p
        self.producer = self.client({"bootstrap.servers": address, "linger.ms": "5", "enable.idempotence": "true", "message.timeout.ms": "0",
                                     "queue.buffering.max.messages": str(ahead), "reconnect.backoff.max.ms": "1000"}) if address else None

    def client(self, settings, kind=0):
        conf, why = ctypes.c_void_p(self.lib.rd_kafka_conf_new()), ctypes.create_string_buffer(500)
        for name, value in dict({"log_level": "0"}, **settings).items():
            assert self.lib.rd_kafka_conf_set(conf, name.encode(), value.encode(), why, 500) == 0, why.value
        return ctypes.c_void_p(self.lib.rd_kafka_new(kind, conf, why, 500))

    def send(self, topic, value, key=None, partition=-1, headers=(), timestamp=0):
        """Bytes, or None for null."""
        parts = []
        def add(kind, **fields):
            v = self.Value(type=kind)
            for name, field in fields.items():
                setattr(v.u, name, field)
            parts.append(v)
        memory = self.Value.Union.Memory
        def bytes_of(b):
            return memory(ctypes.cast(ctypes.c_char_p(b), ctypes.c_void_p) if b is not None else None, len(b or b""))
        add(self.TOPIC, text=topic.encode())
        add(self.PARTITION, i32=partition)
        add(self.VALUE, mem=bytes_of(value))
        add(self.FLAGS, i=2 | 4)  # copy; wait while the queue is full
        if key is not None:
            add(self.KEY, mem=bytes_of(key))
        if timestamp:
            add(self.TIMESTAMP, i64=timestamp)
        for name, text in headers:
            add(self.HEADER, header=self.Value.Union.Header(name.encode(), ctypes.cast(ctypes.c_char_p(text), ctypes.c_void_p), len(text)))
        error = self.lib.rd_kafka_produceva(self.producer, (self.Value * len(parts))(*parts), len(parts))
        assert not error, topic

    class Message(ctypes.Structure):
        """rd_kafka_message_t"""
        _fields_ = [("err", ctypes.c_int), ("topic", ctypes.c_void_p), ("partition", ctypes.c_int32), ("value", ctypes.c_void_p),
                    ("n", ctypes.c_size_t)]

    def consume(self, topic, n):
        """The values of the first n messages of partition 0."""
        self.lib.rd_kafka_topic_new.restype = ctypes.c_void_p
        self.lib.rd_kafka_consume.restype = ctypes.POINTER(self.Message)
        client = self.client({"bootstrap.servers": self.address}, 1)
        place = ctypes.c_void_p(self.lib.rd_kafka_topic_new(client, topic.encode(), None))
        assert self.lib.rd_kafka_consume_start(place, 0, ctypes.c_int64(0)) == 0
        got = []
        for _ in range(600):
            m = self.lib.rd_kafka_consume(place, 0, 100)
            if m and not m.contents.err:
                got.append(ctypes.string_at(m.contents.value, m.contents.n))
            if m:
                self.lib.rd_kafka_message_destroy(m)
            if len(got) == n:
                break
        self.lib.rd_kafka_consume_stop(place, 0)
        self.lib.rd_kafka_topic_destroy(place)
        self.lib.rd_kafka_destroy(client)
        assert len(got) == n, got
        return got

    def flush(self, seconds=60):
        assert self.lib.rd_kafka_flush(self.producer, seconds * 1000) == 0

    def close(self):
        self.lib.rd_kafka_purge(self.producer, 3)
        self.lib.rd_kafka_destroy(self.producer)


class MockKafka(KafkaProducer):
    """librdkafka's own broker, which lives in this process: what it lacks is TLS and logins, a disk, and other people's code."""

    def __init__(self, _directory="", brokers=1):
        super().__init__(None)
        self.lib.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        self.brokers, self.owner = brokers, self.client({})
        self.cluster = ctypes.c_void_p(self.lib.rd_kafka_mock_cluster_new(self.owner, brokers))
        self.address = self.lib.rd_kafka_mock_cluster_bootstraps(self.cluster).decode()
        self.port = int(self.address.rsplit(":", 1)[1])
        super().__init__(self.address)

    def topic(self, name, partitions):
        assert self.lib.rd_kafka_mock_topic_create(self.cluster, name.encode(), partitions, 1) == 0

    def fail_topic(self, name, error):
        """What is said of the topic, by Kafka's number; 0: all is well."""
        self.lib.rd_kafka_mock_topic_set_error(self.cluster, name.encode(), error)

    def down(self, down):
        """Connections break, and nobody answers."""
        for i in range(self.brokers):
            call = self.lib.rd_kafka_mock_broker_set_down if down else self.lib.rd_kafka_mock_broker_set_up
            assert call(self.cluster, i + 1) == 0

    def stop(self):
        self.down(True)

    def start(self):
        self.down(False)
        return self

    def close(self):
        super().close()
        self.lib.rd_kafka_mock_cluster_destroy(self.cluster)
        self.lib.rd_kafka_destroy(self.owner)
