# SPDX-License-Identifier: Apache-2.0
"""Source resource over objects of a Kubernetes cluster, against cluster_stub.py, which is a peer of these tests: a real API server needs etcd and is no package."""
import base64
import os
import unittest
import unittest.mock

from cluster_stub import Cluster, now, status
from harness import scaled, until
from source_case import SourceCase

WIDGETS = "group: example.org\nversion: v1\nresource: widgets\neventTypes: [ADD, UPDATE, DELETE]\n"


class ClusterCase(SourceCase):
    def cluster(self, **more):
        c = Cluster(os.path.join(self.directory, "cluster"), **more)
        self.addCleanup(c.stop)
        return c.start()

    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return "--config", path

    def watch(self, c, lines=WIDGETS, settings=None, start=True, config=None):
        options = self.settings(settings or f"kubernetes: {{access: kubeconfig, kubeconfig: {config or c.kubeconfig()}}}\n")
        return self.daemon({"source.yaml": self.entry("resource", lines)}, *options, start=start)

    def told(self, d):
        return [(e["type"], e["body"]["metadata"]["name"]) for e in self.events(d)]

    def settled(self, d, wanted):
        until(lambda: len(self.told(d)) >= len(wanted), 60, f"{wanted}")
        self.assertEqual(self.told(d), wanted)

    def watched(self, c):
        until(lambda: c.watching() == 1, 60, "the watch")


class Watch(ClusterCase):
    def test_data(self):
        c = self.cluster()
        c.put("one", size=1, html="<a>")
        d = self.watch(c, WIDGETS + "metadata: {k: v}\n")
        self.settled(d, [("ADD", "one")])
        self.watched(c)
        c.put("one", size=2)
        c.delete("one")
        self.settled(d, [("ADD", "one"), ("UPDATE", "one"), ("DELETE", "one")])
        add, update, delete = self.events(d)
        self.assertEqual(list(add), ["type", "body", "oldBody", "group", "version", "resource", "metadata"])
        self.assertEqual([add[k] for k in ("oldBody", "group", "version", "resource", "metadata")], [None, "example.org", "v1", "widgets", {"k": "v"}])
        self.assertEqual(list(add["body"]), ["apiVersion", "kind", "metadata", "spec"])
        self.assertIn('"html":"\\u003ca\\u003e"', self.text(d, 0))
        self.assertEqual((update["oldBody"]["spec"]["size"], update["body"]["spec"]["size"]), (1, 2))
        self.assertEqual((delete["oldBody"], delete["body"]["spec"]["size"], delete["body"]["metadata"]["resourceVersion"]), (None, 2, "103"))
        self.assertEqual(c.calls[0][0], "/apis/example.org/v1/widgets")
        ids = [x[0] for x in self.rows(d, "id")]
        self.assertEqual(len(set(ids)), 3)

    def test_pages_and_kinds_that_a_list_does_not_say(self):
        c = self.cluster(path="/api/v1/pods", kind="Pod", says_kind=False)
        c.page = 3
        for i in range(10):
            c.put(f"p{i}")
        c.put("elsewhere", ns="b")
        d = self.watch(c, 'version: v1\nresource: pods\nnamespace: a\neventTypes: [ADD]\n')
        self.settled(d, [("ADD", f"p{i}") for i in range(10)])
        self.assertEqual({(e["body"]["kind"], e["body"]["apiVersion"]) for e in self.events(d)}, {("Pod", "v1")})
        self.watched(c)
        self.assertEqual([q.get("continue") for q in c.asked("list")], [None, "111 a/p2", "111 a/p5", "111 a/p8"])
        self.assertEqual(c.calls[0][0], "/api/v1/namespaces/a/pods")

    def test_a_large_page_is_asked_for_in_smaller_ones(self):
        c = self.cluster()
        for i in range(12):
            c.put(f"w{i:02}", fill="x" * 1000000)
        d = self.watch(c)
        self.settled(d, [("ADD", f"w{i:02}") for i in range(12)])
        self.assertEqual([int(q["limit"]) for q in c.asked("list")][:5], [100, 50, 25, 12, 6])

    def test_too_large_an_object_is_passed_over(self):
        c = self.cluster()
        d = self.watch(c)
        self.watched(c)
        c.put("large", fill="x" * 9000000)
        c.put("small")
        self.settled(d, [("ADD", "small")])
        self.assertIn("an object of more than", d.log())

    def test_filters(self):
        c = self.cluster()
        c.put("old", created="2020-01-01T00:00:00Z")
        c.put("a-one", labels={"team": "x"}, size=1)
        d = self.watch(c, WIDGETS + "filter: {prefix: a-, createdBy: 2030-01-01T00:00:00Z, labels: [{key: team, operation: ==, value: x}],"
                       " fields: [{key: spec.size, operation: ==, value: ^1$}]}\n")
        self.watched(c)
        self.assertEqual(c.asked("watch")[0]["labelSelector"], "team==x".replace("==", "="))
        c.put("a-two", labels={"team": "y"}, size=1)
        c.put("a-three", labels={"team": "x"}, size=2)
        c.put("b-four", labels={"team": "x"}, size=1)
        c.put("a-two", labels={"team": "x"})           # comes to have them
        c.put("a-two", labels={"team": "x"}, size=1)
        c.put("a-one", labels={"team": "y"}, size=1)   # has them no more
        self.settled(d, [("ADD", "a-one"), ("UPDATE", "a-two"), ("DELETE", "a-one")])

    def test_after_start(self):
        c = self.cluster()
        c.put("before")
        d = self.watch(c, WIDGETS + "filter: {afterStart: true}\n")
        self.watched(c)
        c.put("before", size=2)
        c.put("after", created=now(5))
        self.settled(d, [("ADD", "after")])
        d.kill()
        c.delete("before")
        c.put("after", size=2)
        d.start()
        self.settled(d, [("ADD", "after"), ("UPDATE", "after")])


class Gaps(ClusterCase):
    def test_what_happened_meanwhile_is_told_after_a_restart(self):
        c = self.cluster()
        for name in ("stays", "changes", "goes"):
            c.put(name)
        d = self.watch(c)
        self.settled(d, [("ADD", "changes"), ("ADD", "goes"), ("ADD", "stays")])
        self.watched(c)
        c.bookmark()
        wanted = self.told(d)
        for too_old in (False, True):
            until(lambda: c.watching() == 1, 30, "the watch")
            d.kill()
            until(lambda: c.watching() == 0, 30, "its end")
            lists = len(c.asked("list"))
            c.put("changes", size=len(wanted))
            c.delete("goes")
            c.put("comes")
            if too_old:
                c.delete("comes")
                c.put("comes")  # another of that name
                c.forget()
            d.start()
            if too_old:
                wanted += [("UPDATE", "changes"), ("DELETE", "comes"), ("ADD", "comes"), ("DELETE", "goes")]
            else:
                wanted += [("UPDATE", "changes"), ("DELETE", "goes"), ("ADD", "comes")]
            self.settled(d, wanted)
            self.assertEqual(len(c.asked("list")) > lists, too_old)
            c.put("goes")
            wanted.append(("ADD", "goes"))
            self.settled(d, wanted)

    def test_a_version_that_is_too_old_in_the_stream(self):
        c = self.cluster()
        c.gone_in_stream = True
        c.put("one")
        d = self.watch(c)
        self.watched(c)
        d.stop()
        c.put("one", size=2)
        c.forget()
        d.start()
        self.settled(d, [("ADD", "one"), ("UPDATE", "one")])
        self.watched(c)

    def test_a_list_that_is_broken_off_is_begun_anew(self):
        """Its pages are too old when the next is asked for; what was told of them is not told again."""
        c = self.cluster()
        c.page = 2
        for i in range(6):
            c.put(f"w{i}")
        refuse, seen = c.list, []
        def one_that_fails(path, query):
            seen.append(query)
            return refuse(path, query) if len(seen) != 3 else (410, status(410, "Expired", "The provided continue parameter is too old"))
        c.list = one_that_fails
        d = self.watch(c)
        self.watched(c)
        self.settled(d, [("ADD", f"w{i}") for i in range(6)])
        self.assertIn("continue parameter is too old", d.log())

    def test_streams_that_end(self):
        """Well, in the middle of a line, with an error: nothing is lost, and nothing told twice."""
        c = self.cluster()
        d = self.watch(c)
        wanted = []
        endings = [{}, {"cut": True}, {"error": status(500, "InternalError", "etcd is away")}, {"error": status(429, "TooManyRequests", "later")}, {"cut": True}]
        for i, how in enumerate(endings):
            self.watched(c)
            c.put(f"w{i}")
            wanted.append(("ADD", f"w{i}"))
            self.settled(d, wanted)
            c.end_watches(**how)
            c.put(f"x{i}")
            wanted.append(("ADD", f"x{i}"))
            self.settled(d, wanted)
        self.assertLessEqual(len(self.lines(d)), 5 * len(endings), d.log())

    def test_a_cluster_that_is_away(self):
        c = self.cluster()
        c.put("one")
        d = self.watch(c)
        self.settled(d, [("ADD", "one")])
        c.stop()
        self.wait_state(d, "failed")
        c.put("two")
        c.start()
        self.wait_state(d, "running")
        self.settled(d, [("ADD", "one"), ("ADD", "two")])

    def test_killed(self):
        """kill -9 at any moment, with versions forgotten in between: each state that an object had is told once, or was passed over in a gap; the last is."""
        c = self.cluster()
        n = scaled(300, 3000)
        d = self.watch(c)
        for i in range(n):
            c.put(f"w{i % 20}", n=i)
            if i % (n // 6) == n // 12:
                until(lambda: self.count(d) > 0, 60, "some")
                d.kill()
                if i % (n // 3) == n // 12:
                    c.forget()
                d.start()
        until(lambda: {e["body"]["metadata"]["name"]: e["body"]["spec"]["n"] for e in self.events(d)} ==
              {f"w{i % 20}": i for i in range(n - 20, n)}, 60, "the last of each")
        told = [(e["body"]["metadata"]["name"], e["body"]["spec"]["n"]) for e in self.events(d)]
        self.assertEqual(len(told), len(set(told)))
        last = {}
        for e in self.events(d):
            name = e["body"]["metadata"]["name"]
            self.assertEqual(e["type"], "UPDATE" if name in last else "ADD")
            self.assertEqual(e["oldBody"] and e["oldBody"]["spec"]["n"], last.get(name))
            last[name] = e["body"]["spec"]["n"]


class Access(ClusterCase):
    def test_a_token_that_is_renewed(self):
        c = self.cluster()
        c.put("one")
        config = c.kubeconfig()
        c.write_token("0ld")
        d = self.watch(c, config=config)
        self.wait_state(d, "failed", "the cluster answered 401: Unauthorized")
        c.write_token("t0ken-of-tests")
        self.settled(d, [("ADD", "one")])
        c.tokens = {"n3w-token"}
        c.end_watches()
        self.wait_state(d, "failed", "401")
        c.write_token("n3w-token")
        self.wait_state(d, "running")
        self.assertNotIn("n3w-token", d.log())

    def test_client_certificates_and_names(self):
        c = self.cluster()
        c.put("one")
        with open(f"{c.dir}/ca.crt", "rb") as f:
            ca = base64.b64encode(f.read()).decode()
        config = c.kubeconfig({"client-certificate": "client.crt", "client-key": "client.key"}, **{"tls-server-name": "cluster.test", "certificate-authority": None,
                                                                                                  "certificate-authority-data": ca})
        self.settled(self.watch(c, config=config), [("ADD", "one")])

    def test_certificates_are_checked(self):
        c = self.cluster()
        config = c.kubeconfig(**{"certificate-authority": "other.crt"})
        d = self.watch(c, config=config)
        self.wait_state(d, "failed", "certificate")
        self.assertEqual(c.calls, [])
        c.kubeconfig(**{"certificate-authority": None, "insecure-skip-tls-verify": True})
        self.wait_state(d, "running")

    def test_in_a_pod(self):
        c = self.cluster()
        c.put("one")
        c.kubeconfig()
        os.rename(f"{c.dir}/kubeconfig", f"{c.dir}/none")
        with unittest.mock.patch.dict(os.environ, KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(c.port)):
            d = self.watch(c, settings=f"kubernetes: {{access: inCluster, serviceAccount: {c.dir}}}\n")
        self.settled(d, [("ADD", "one")])

    def test_what_is_refused(self):
        c = self.cluster()
        with unittest.mock.patch.dict(os.environ, KUBECONFIG=c.kubeconfig()):
            d = self.watch(c, settings="logLevel: info\n")  # never by chance
        self.wait_state(d, "failed", "there is no cluster: write `kubernetes: {access: kubeconfig, kubeconfig: FILE}` into the settings")
        self.assertEqual(c.calls, [])
        d.stop()
        with unittest.mock.patch.dict(os.environ, KUBECONFIG=c.kubeconfig({"exec": {"command": "/bin/false"}})):
            d = self.watch(c, settings="kubernetes: {access: kubeconfig}\n")
        self.wait_state(d, "failed", 'user "u": exec is not served')
        d.stop()
        for user, cluster, reason in (({"auth-provider": {"name": "gcp"}}, {}, "auth-provider is not served"), ({"as": "root"}, {}, "as is not served"),
                                      (None, {"proxy-url": "http://p"}, "proxy-url is not served")):
            d = self.watch(c, config=c.kubeconfig(user, **cluster))
            self.wait_state(d, "failed", reason)
            d.stop()
        d = self.watch(c, WIDGETS.replace("widgets", "gadgets"))
        self.wait_state(d, "failed", "the cluster answered 404: the server could not find the requested resource")
        d.stop()
        d = self.watch(c, "version: v1\nresource: secrets\neventTypes: [ADD]\n", start=False)
        self.assertIn("secrets are not told of", d.cli("lint", d.manifests, check=False).stderr + d.cli("lint", d.manifests, check=False).stdout)


if __name__ == "__main__":
    unittest.main()
