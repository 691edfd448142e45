# SPDX-License-Identifier: Apache-2.0
"""Limits of semaphores: the four calls of the interface and the command, for both kinds; a change counts for who waits."""
import unittest

from harness import TestCase, until

# It holds the semaphore until somebody resumes it.
WORKFLOW = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {name: NAME}
spec:
  entrypoint: main
  synchronization: {semaphores: [SEMAPHORE]}
  templates:
  - name: main
    suspend: {}
"""
FILE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: from-file}
data: {k: "1"}
"""


class Sync(TestCase):
    def setUp(self):
        super().setUp()
        self.d = self.daemon({"limits.yaml": FILE})

    def sync(self, method, key="", body=None, **query):
        text = "&".join(f"{k}={v}" for k, v in query.items())
        return self.d.api(method, "/api/v1/sync/default" + (f"/{key}" if key else "") + (f"?{text}" if text else ""), body)

    def submit(self, name, semaphore):
        self.d.cli("submit", "-", data=WORKFLOW.replace("NAME", name).replace("SEMAPHORE", semaphore))
        return self.d.get(name)["status"]

    def phase(self, name):
        return self.d.get(name)["status"]["phase"]

    def test_limits_in_the_database(self):
        d = self.d
        body = {"key": "licences", "limit": 1, "namespace": "default", "type": "DATABASE"}
        self.assertEqual(self.sync("POST", body=body), (200, body))
        status, answer = self.sync("POST", body=body)
        self.assertEqual((status, answer["code"], answer["message"]), (409, 6, 'Database sync limit already exists in namespace "default".'))
        semaphore = "{database: {key: licences}}"
        self.assertEqual(self.submit("a", semaphore)["phase"], "Running")
        waiting = self.submit("b", semaphore)
        self.assertEqual(waiting["phase"], "Pending")
        self.assertEqual(waiting["message"], "Waiting for default/Database/licences lock (sem/default/licences). Lock status: 1/1")
        self.assertEqual(waiting["synchronization"]["semaphore"]["waiting"],
                         [{"semaphore": "default/Database/licences", "holders": ["default/a"]}])
        self.submit("c", semaphore)
        self.assertEqual(self.sync("PUT", "licences", {**body, "limit": 2}), (200, {**body, "limit": 2}))
        self.assertEqual((self.phase("b"), self.phase("c")), ("Running", "Pending"))
        d.kill()
        d.start()
        self.assertEqual(self.sync("GET", "licences", type="DATABASE"), (200, {**body, "limit": 2}))
        self.assertEqual((self.phase("b"), self.phase("c")), ("Running", "Pending"))
        d.cli("resume", "a")
        until(lambda: self.phase("c") == "Running", 30, "c to get what a gave back")
        self.assertEqual(self.sync("DELETE", "licences", type="DATABASE"), (200, {}))
        self.assertEqual(self.sync("GET", "licences", type="DATABASE")[0], 404)
        self.assertEqual(self.sync("DELETE", "licences", type="DATABASE")[0], 404)
        failed = self.submit("e", "{database: {key: nobody-made-it}}")
        self.assertEqual(failed["phase"], "Failed")
        self.assertIn("Failed to acquire the synchronization lock. failed to initialize semaphore default/Database/nobody-made-it with limit", failed["message"])

    def test_limits_in_config_maps(self):
        body = {"cmName": "limits", "key": "k", "limit": 1, "namespace": "default", "type": "CONFIGMAP"}
        self.assertEqual(self.sync("GET", "k", cmName="limits")[0], 404)
        self.assertEqual(self.sync("PUT", "k", body)[0], 404)
        self.assertEqual(self.sync("POST", body=body), (200, body))
        self.assertEqual(self.sync("POST", body=body)[0], 409)
        semaphore = "{configMapKeyRef: {name: limits, key: k}}"
        self.assertEqual(self.submit("a", semaphore)["phase"], "Running")
        self.assertEqual(self.submit("b", semaphore)["message"], "Waiting for default/ConfigMap/limits/k lock. Lock status: 0/1")
        self.assertEqual(self.sync("PUT", "k", {**body, "limit": 2})[0], 200)
        self.assertEqual(self.phase("b"), "Running")
        self.d.kill()
        self.d.start()
        self.assertEqual(self.sync("GET", "k", cmName="limits"), (200, {**body, "limit": 2}))
        self.assertEqual(self.sync("DELETE", "k", cmName="limits"), (200, {}))
        self.assertEqual(self.sync("GET", "k", cmName="limits")[0], 404)
        status, answer = self.sync("PUT", "k", {**body, "cmName": "from-file", "limit": 2})
        self.assertEqual(status, 409)
        self.assertIn("limits.yaml", answer["message"])

    def test_a_changed_file_counts_at_once(self):
        semaphore = "{configMapKeyRef: {name: from-file, key: k}}"
        self.submit("a", semaphore)
        self.assertEqual(self.submit("b", semaphore)["phase"], "Pending")
        self.d.write("limits.yaml", FILE.replace('"1"', '"2"'))
        until(lambda: self.phase("b") == "Running", 60, "b to be let in")

    def test_what_is_deleted_or_terminated_gives_back(self):
        semaphore = "{configMapKeyRef: {name: from-file, key: k}}"
        for name in "abcd":
            self.submit(name, semaphore)
        self.d.cli("delete", "a")
        self.assertEqual([self.phase(x) for x in "bcd"], ["Running", "Pending", "Pending"])
        self.d.cli("delete", "c")  # one that waits
        self.d.cli("terminate", "b")
        self.assertEqual(self.phase("d"), "Running")
        self.assertEqual(self.d.get("d")["status"]["synchronization"],
                         {"semaphore": {"holding": [{"semaphore": "default/ConfigMap/from-file/k", "holders": ["default/d"]}]}})
        self.d.kill()
        self.d.start()
        self.submit("e", semaphore)
        self.assertEqual((self.phase("d"), self.phase("e")), ("Running", "Pending"))
        self.d.cli("retry", "b")
        self.assertEqual(self.phase("b"), "Pending")
        self.d.cli("resume", "d")
        until(lambda: self.phase("b") == "Running", 30, "the older of those who wait")
        self.assertEqual(self.phase("e"), "Pending")

    def test_what_is_wrong_is_said(self):
        for body, message in (({"key": "k", "limit": 0, "type": "DATABASE"}, "limit must be greater than zero"),
                              ({"key": "k", "limit": 1, "type": "ETCD"}, "unsupported sync config type: ETCD"),
                              ({"limit": 1, "type": "DATABASE"}, "key is required"),
                              ({"key": "k", "limit": 1}, "cmName is required when type is CONFIGMAP")):
            status, answer = self.sync("POST", body=body)
            self.assertEqual((status, answer["message"]), (400, message))

    def test_the_command(self):
        d = self.d
        made = d.cli("sync", "create", "k", "--type", "configmap", "--cm-name", "limits", "--limit", "3").stdout
        self.assertEqual(made, "Sync limit created\nKey: k\nType: configmap\nConfigMap Name: limits\nNamespace: default\nLimit: 3\n")
        d.cli("sync", "create", "k", "--type", "database", "--limit", "4")
        d.cli("sync", "update", "k", "--type", "database", "--limit", "5")
        self.assertEqual(d.cli("sync", "get", "k", "--type", "database").stdout, "Key: k\nType: database\nNamespace: default\nLimit: 5\n")
        self.assertEqual(d.cli("sync", "delete", "k", "--type", "database").stdout, "Sync limit deleted\n")
        self.assertEqual(d.cli("sync", "get", "k", "--type", "database", check=False).returncode, 4)
        for wrong in (["create", "k", "--type", "database"], ["get", "k"], ["get", "k", "--type", "configmap"], ["drop", "k", "--type", "database"]):
            self.assertEqual(d.cli("sync", *wrong, check=False).returncode, 2)


if __name__ == "__main__":
    unittest.main()
