# SPDX-License-Identifier: Apache-2.0
"""Ceph's gateway for objects, radosgw, with a monitor and one storage daemon in memory, for the tests: a bucket whose notifications are pushed to a URL.
Debian's radosgw, ceph-mon, ceph-osd and ceph-common; half a minute until it serves."""
import datetime
import hashlib
import http.client
import os
import re
import subprocess
import urllib.parse
import uuid

from brokers import Broker, answers
from harness import free_port, until
from test_services import aws_signature

CONF = """
[global]
fsid = FSID
mon_host = v1:127.0.0.1:MON
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
ms_bind_msgr2 = false
osd_objectstore = memstore
memstore_device_bytes = 1073741824
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
mon_warn_on_pool_no_redundancy = false
run_dir = DIR
mon_data = DIR/mon.a
osd_data = DIR/osd.0
rgw_data = DIR/rgw
keyring = DIR/keyring
log_file = DIR/$name.log
admin_socket = DIR/$name.asok
rgw_enable_apis = s3, notifications, admin
rgw_frontends = beast endpoint=127.0.0.1:PORT
"""


class Ceph(Broker):
    ACCESS, SECRET = "ak", "sksksksk"

    def __init__(self, directory):
        super().__init__(directory)
        self.processes, self.mon_port = [], free_port()

    def ceph(self, *args):
        return self.run(args[0], "-c", os.path.join(self.dir, "ceph.conf"), *args[1:])

    def background(self, *args):
        with open(os.path.join(self.dir, "out"), "ab") as out:
            self.processes.append(subprocess.Popen([args[0], "-c", os.path.join(self.dir, "ceph.conf"), *args[1:], "-f"], cwd=self.dir, stdout=out, stderr=out))

    def start(self):
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        self.file("ceph.conf", CONF.replace("FSID", fsid).replace("MON", str(self.mon_port)).replace("PORT", str(self.port)).replace("DIR", self.dir))
        for name in ("mon.a", "osd.0", "rgw"):
            os.makedirs(os.path.join(self.dir, name))
        self.run("monmaptool", "--create", "--clobber", "--addv", "a", f"[v1:127.0.0.1:{self.mon_port}]", "--fsid", fsid, "monmap")
        self.run("ceph-authtool", "--create-keyring", "mon.key", "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
        self.ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", "monmap", "--keyring", "mon.key")
        self.background("ceph-mon", "-i", "a")
        until(lambda: answers(self.mon_port), 120, "the monitor")
        self.ceph("ceph", "osd", "new", osd)
        self.ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self.background("ceph-osd", "-i", "0")
        until(self.has_storage, 300, "the storage daemon")
        self.background("radosgw", "-n", "client.rgw.a")
        until(lambda: answers(self.port), 300, "the gateway")
        self.ceph("radosgw-admin", "-n", "client.rgw.a", "user", "create", "--uid=u", "--display-name=u", f"--access-key={self.ACCESS}",
                  f"--secret-key={self.SECRET}")

    def has_storage(self):
        try:
            return re.search(r"1 up", self.ceph("ceph", "osd", "stat"))
        except AssertionError:  # a busy monitor may not answer in time
            return None

    def stop(self):
        for p in reversed(self.processes):
            p.kill()
            p.wait()
        self.processes = []

    def request(self, method, path, body=b""):
        now = datetime.datetime.now(datetime.timezone.utc)
        headers = {"host": f"127.0.0.1:{self.port}", "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ")}
        names = ";".join(sorted(headers))
        auth = f"AWS4-HMAC-SHA256 Credential={self.ACCESS}/{now:%Y%m%d}/default/s3/aws4_request, SignedHeaders={names}, Signature="
        call = {"headers": {**headers, "Authorization": auth, "X-Amz-Date": headers["x-amz-date"]}, "path": path, "body": body}
        headers["Authorization"] = auth + aws_signature(call, self.SECRET, method, once=True)
        if method == "POST":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            c.request(method, path, body, headers)
            r = c.getresponse()
            text = r.read().decode()
            if r.status // 100 != 2:
                raise AssertionError(f"{method} {path}: {r.status} {text}")
            return text
        finally:
            c.close()

    def notify(self, bucket, url):
        """Makes a bucket whose notifications go to that URL."""
        self.request("PUT", f"/{bucket}")
        topic = self.request("POST", "/", urllib.parse.urlencode({"Action": "CreateTopic", "Name": "t", "Attributes.entry.1.key": "push-endpoint",
                                                                 "Attributes.entry.1.value": url}).encode())
        arn = re.search(r"<TopicArn>([^<]+)</TopicArn>", topic).group(1)
        self.request("PUT", f"/{bucket}?notification=", (f"<NotificationConfiguration><TopicConfiguration><Id>n</Id><Topic>{arn}</Topic>"
                     "<Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event></TopicConfiguration></NotificationConfiguration>").encode())
