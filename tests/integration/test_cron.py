# SPDX-License-Identifier: Apache-2.0
"""CronWorkflows in the real daemon: kill -9 around the firing second, the verbs of REST and the command line, manifests that change."""
import datetime as dt
import json
import os
import random
import re
import time
import unittest

from harness import TestCase, scaled, until

STEP = 2  # s between slots
API = "/api/v1/cron-workflows/default"


def manifest(name, schedule, more="", command="true"):
    return f"""
apiVersion: argoproj.io/v1alpha1
kind: CronWorkflow
metadata: {{name: {name}}}
spec:
  schedules: ["{schedule}"]
  {more}
  workflowSpec:
    entrypoint: main
    volumes: [{{name: journal, hostPath: {{path: "DIRECTORY"}}}}]
    templates:
    - name: main
      container:
        image: busybox
        command: [sh, -c, '{command}']
        volumeMounts: [{{name: journal, mountPath: "DIRECTORY"}}]
"""


def seconds(text):
    """Of RFC 3339 since 1970; whole ones. 0: there is no time."""
    return int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) if text else 0


class Cron(TestCase):
    def serve(self, manifests, start=True):
        self.shared = os.path.join(self.directory, "shared")
        os.makedirs(self.shared)
        os.chmod(self.shared, 0o777)
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write(f"hostPaths: [{self.directory}]\n")
        self.d = self.daemon({name: text.replace("DIRECTORY", self.shared) for name, text in manifests.items()}, "--config", settings, start=start)
        return self.d

    def cron(self, name):
        return json.loads(self.d.cli("cron", "get", name, "-o", "json").stdout)

    def journal(self):
        path = os.path.join(self.shared, "journal")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as f:
            return f.read().split()

    def test_killed_around_the_firing_second(self):
        """None fires twice and none is lost; of those that fall into one absence of the daemon the last one fires."""
        kills = scaled(4, 100)
        d = self.serve({"tick.yaml": manifest("tick", f"@every {STEP}s", "successfulJobsHistoryLimit: 10000",
                                              'echo {{workflow.name}} >> "DIRECTORY/journal"')})
        rng = random.Random(7)
        since = seconds(self.cron("tick")["metadata"]["creationTimestamp"])
        for _ in range(kills):
            now = time.time()
            slot = since + (int(now - since) // STEP + 1) * STEP
            until(lambda: time.time() >= slot + rng.choice([-0.02, -0.005, 0, 0.002, 0.005, 0.01, 0.02, 0.05]), 30, "the moment")
            d.kill()
            d.start()
        quiet = int(time.time())
        until(lambda: seconds(self.cron("tick")["status"]["lastScheduledTime"]) > quiet, 60, "a last slot")
        d.cli("cron", "suspend", "tick")
        last = seconds(self.cron("tick")["status"]["lastScheduledTime"])
        until(lambda: self.cron("tick")["status"]["active"] is None, 120, "the end of the last one")
        fired = [int(x.split("-")[1]) for x in self.journal()]
        self.assertEqual(len(fired), len(set(fired)), "a slot fired twice")
        self.assertEqual({t for t in fired if (t - since) % STEP}, set(), "something fired that is no slot")
        # One that did not was passed over for a later one, and when that was decided, the next was due.
        passed = [tuple(map(seconds, x)) for x in
                  re.findall(r"time=(\S+) .*were passed over for a later one.* first=(\S+) slot=(\S+)", d.log())]
        lost = [t for t in range(since + STEP, last + 1, STEP)
                if t not in fired and not any(first <= t < slot and at >= t + STEP for at, first, slot in passed)]
        self.assertEqual(lost, [], f"lost; passed over: {passed}")
        self.assertEqual(self.cron("tick")["status"]["succeeded"], len(fired))
        slots = (last - since) // STEP
        print(f"kills: {kills} around {slots} slots: {len(fired)} fired, each once, {slots - len(fired)} passed over for a later one while it was away")

    def test_what_a_file_says_is_suspended_beside_it(self):
        d = self.serve({"tick.yaml": manifest("tick", "@every 1s")})
        until(lambda: self.cron("tick")["status"]["succeeded"], 60, "the first one")
        status, answer = d.api("PUT", API + "/tick/suspend", {"name": "tick", "namespace": "default"})
        self.assertEqual((status, answer["spec"]["suspend"]), (200, True))
        d.kill()
        d.start()
        self.assertTrue(self.cron("tick")["spec"]["suspend"])
        self.assertNotIn("tidegate", self.cron("tick")["status"])
        self.assertIn("it is suspended", d.cli("explain", "schedule", "tick", check=False).stdout)
        before = self.cron("tick")["status"]["lastScheduledTime"]
        self.assertEqual(d.api("DELETE", API + "/tick")[0], 409)
        status, answer = d.api("PUT", API + "/tick/resume", {})
        self.assertEqual((status, answer["spec"].get("suspend", False)), (200, False))
        until(lambda: self.cron("tick")["status"]["lastScheduledTime"] > before, 60, "the next one")
        d.cli("cron", "suspend", "tick")
        d.write("tick.yaml", manifest("tick", "@every 1s", "suspend: true").replace("DIRECTORY", self.shared))
        until(lambda: "suspend: true" in d.cli("explain", "schedule", "tick", check=False).stdout, 60, "the manifest's own suspend")
        os.unlink(os.path.join(d.manifests, "tick.yaml"))
        until(lambda: d.cli("cron", "get", "tick", check=False).returncode, 60, "its end")
        self.assertNotEqual(d.cli("list", "-o", "name").stdout, "", "its workflows went with it")

    def test_rest_as_clients_call_it(self):
        """Create, get, put what get gave, suspend, resume, list, delete: as the argo command and Hera do."""
        d = self.serve({})
        body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": "nightly", "namespace": "default", "labels": {"a": "b"}},
                "spec": {"schedules": ["30 2 * * *"], "timezone": "Europe/Berlin", "concurrencyPolicy": "Replace",
                         "workflowSpec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}}}
        self.assertEqual(d.api("POST", API + "/lint", {"namespace": "default", "cronWorkflow": body})[0], 200)
        status, made = d.api("POST", API, {"namespace": "default", "cronWorkflow": body})
        self.assertEqual((status, made["metadata"]["name"]), (200, "nightly"))
        status, got = d.api("GET", API + "/nightly")
        self.assertEqual(got["status"]["active"], None)
        self.assertRegex(got["status"]["tidegate"]["nextScheduledTime"], "T0[01]:30:00Z$")
        self.assertEqual(got["metadata"]["annotations"]["cronworkflows.argoproj.io/last-used-schedule"], "CRON_TZ=Europe/Berlin 30 2 * * *")
        for verb, held in (("suspend", True), ("resume", False)):
            status, got = d.api("PUT", f"{API}/nightly/{verb}", {"name": "nightly", "namespace": "default"})
            self.assertEqual((status, got["spec"]["suspend"]), (200, held))
            self.assertEqual("tidegate" in d.api("GET", API + "/nightly")[1]["status"], not held)
        got = d.api("GET", API + "/nightly")[1]
        got["spec"]["schedules"] = ["45 2 * * *"]
        self.assertEqual(d.api("PUT", API + "/nightly", {"name": "nightly", "namespace": "default", "cronWorkflow": got})[0], 200)
        d.kill()
        d.start()
        items = d.api("GET", API + "?listOptions.labelSelector=a%3Db")[1]["items"]
        self.assertRegex(items[0]["status"]["tidegate"]["nextScheduledTime"], "T0[01]:45:00Z$")
        bad = json.loads(json.dumps(body).replace("30 2 * * *", "30 2 * *"))
        bad["metadata"]["name"] = "bad"
        status, error = d.api("POST", API, {"namespace": "default", "cronWorkflow": bad})
        self.assertEqual(status, 400)
        self.assertIn("cron schedule 30 2 * * is malformed", error["message"])
        self.assertEqual(d.api("PUT", API + "/nothing/suspend", {})[0], 404)
        self.assertEqual(d.api("DELETE", API + "/nightly"), (200, {}))
        self.assertEqual(d.api("GET", API + "/nightly")[0], 404)

    def test_the_command_line(self):
        d = self.serve({"nightly.yaml": manifest("nightly", "30 2 * * *", "timezone: Europe/Berlin",
                                                 'echo {{workflow.scheduledTime}} >> "DIRECTORY/journal"'),
                        "elsewhere.yaml": manifest("elsewhere", "CRON_TZ=Asia/Tokyo 0 9 * * *")})
        table = d.cli("cron", "list").stdout.splitlines()
        self.assertEqual(re.split(r"\s{2,}", table[0].strip()), ["NAME", "AGE", "LAST RUN", "NEXT RUN", "SCHEDULES", "TIMEZONE", "SUSPENDED"])
        self.assertRegex(table[2], r"^nightly +\d+\w +N/A +\d+\w +30 2 \* \* \* +Europe/Berlin +false$")
        shown = d.cli("cron", "get", "nightly").stdout
        self.assertRegex(shown, r"(?m)^Schedules: +30 2 \* \* \*$")
        slots = d.cli("cron", "next", "nightly", "-n", "400").stdout.splitlines()
        self.assertEqual(len(slots), 401)
        self.assertEqual({re.match(r"\S+ (\S+) \S+ (\S+)", x).groups() for x in slots[1:]} - {("03:00:00", "CEST")},
                         {("02:30:00", "CET"), ("02:30:00", "CEST")}, "not once a day")
        days = d.cli("cron", "backfill", "nightly", "--from", "2026-10-24", "--to", "2026-10-27", "--dry-run").stdout.split()
        self.assertEqual(days, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"])
        done = d.cli("cron", "backfill", "nightly", "--start", "2026-10-24", "--end", "2026-10-27", "--parallel", "2").stdout
        self.assertIn("3 started, 0 failed, 0 were there", done)
        self.assertEqual(sorted(self.journal()), days)
        self.assertIn("0 started, 0 failed, 3 were there",
                      d.cli("cron", "backfill", "nightly", "--from", "2026-10-24", "--to", "2026-10-27").stdout)
        self.assertEqual(self.cron("nightly")["status"]["succeeded"], 0)
        self.assertEqual(d.cli("cron", "suspend", "nightly").stdout, "CronWorkflow 'nightly' suspended\n")
        self.assertRegex(d.cli("cron", "list").stdout.splitlines()[2], r"N/A +N/A +30 2 \* \* \* +Europe/Berlin +true$")
        held = d.cli("cron", "next", "nightly", "-n", "1")
        self.assertEqual(len(held.stdout.splitlines()), 2)
        self.assertIn("it is suspended", held.stderr)
        self.assertEqual(d.cli("cron", "next", "elsewhere", "-n", "1").stderr, "")
        self.assertRegex(d.cli("cron", "next", "elsewhere", "-n", "1").stdout, r"^IN Asia/Tokyo .*\n\S+ 09:00:00 \+0900 JST +\S+ ")
        self.assertNotIn("next slot", d.cli("explain", "schedule", "nightly", check=False).stdout)
        self.assertIn("0 9 * * * Asia/Tokyo", d.cli("explain", "schedule", "elsewhere").stdout)
        self.assertEqual(d.cli("cron", "suspend", "nothing", check=False).returncode, d.cli("get", "nothing", check=False).returncode)

    def test_backfill_as_argo_has_it(self):
        d = self.serve({"nightly.yaml": manifest("nightly", "30 2 * * *", "timezone: Europe/Berlin",
                                                 'echo {{workflow.name}} {{workflow.parameters.day}} | tr " " , >> "DIRECTORY/journal"')
                        .replace("    entrypoint: main", "    arguments: {parameters: [{name: day, value: none}]}\n    entrypoint: main")})
        period = ["--start", "Sat, 24 Oct 2026 00:00:00 UTC", "--end", "Tue, 27 Oct 2026 00:00:00 UTC"]
        done = d.cli("cron", "backfill", "nightly", *period, "--parallel", "--argname", "day", "--name", "Fixed", "--format", "2006-01-02T15:04Z07:00").stdout
        self.assertIn("3 started, 0 failed, 0 were there", done)
        days = ["2026-10-24T02:30+02:00", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]
        self.assertEqual(sorted(self.journal()), [f"nightly-backfill-fixed-{seconds(x)},{x}" for x in days])
        call = ["cron", "backfill", "nightly", "--start", "24.10.2026", "--end", "27.10.2026", "--format", "02.01.2006", "--argname", "day",
                "--maxworkflowcount", "2", "--parallel=false"]
        self.assertIn("2 started, 0 failed, 0 were there; there are more", d.cli(*call).stdout)
        self.assertIn("1 started, 0 failed, 2 were there\n", d.cli(*call).stdout)
        self.assertEqual(self.journal()[3:], [f"nightly-{seconds(x)},{x[8:10]}.10.2026" for x in days])
        self.assertIn("0 started, 0 failed, 3 were there", d.cli("cron", "backfill", "nightly", *period, "--name", "fixed").stdout)
        d.cli("cron", "backfill", "nightly", "--start", "2026-10-24", "--end", "2026-10-25", "--name", "told")
        self.assertIn("2026-10-24 02:30:00 +0200 CEST", d.cli("get", f"nightly-backfill-told-{seconds(days[0])}", "-o", "json").stdout)
        for wrong, why in ((["--start", "soon", "--format", "2006-01-02"], "not as --format 2006-01-02"), (["--start", "2h", "--parallel", "0"], "--parallel"),
                           (["--start", "2h", "--maxworkflowcount", "0"], "--maxworkflowcount"), (["--end", "2h"], "--from is needed")):
            refused = d.cli("cron", "backfill", "nightly", *wrong, check=False)
            self.assertEqual(refused.returncode, 2, wrong)
            self.assertIn(why, refused.stderr)

    def test_create_and_update_take_argos_flags(self):
        d = self.serve({})
        files = {"timed.yaml": manifest("timed", "30 2 * * *"), "bare.yaml": manifest("bare", "").replace('  schedules: [""]\n', ""),
                 "parameters.yaml": "a: 1\nb: file\n"}
        for name, text in files.items():
            with open(os.path.join(self.directory, name), "w", encoding="utf-8") as f:
                f.write(text.replace("DIRECTORY", self.shared))
            files[name] = os.path.join(self.directory, name)
        made = d.cli("cron", "create", files["timed.yaml"], "--schedule", "0 1 * * *", "-p", "b=given", "-f", files["parameters.yaml"], "-l", "x=y,z=1",
                     "--priority", "7", "--strict=false").stdout
        self.assertRegex(made, r"(?m)^Name: +timed$[^$]*^Schedules: +0 1 \* \* \*$[^$]*^NextScheduledTime: +\S+T01:00:00Z")
        self.assertRegex(made, r"(?m)^Workflow Parameters:\n  a: +1\n  b: +given$")
        got = self.cron("timed")
        self.assertEqual(got["metadata"]["labels"], {"x": "y", "z": "1"})
        self.assertEqual((got["spec"]["schedules"], got["spec"]["workflowSpec"]["priority"]), (["0 1 * * *"], 7))
        self.assertEqual(d.cli("cron", "create", files["bare.yaml"], "--schedule", "@daily", "-o", "name").stdout, "bare\n")
        self.assertNotEqual(d.cli("cron", "create", files["bare.yaml"], "--name", "unscheduled", check=False).returncode, 0)
        self.assertRegex(d.cli("cron", "create", files["timed.yaml"], "--generate-name", "made-", "-o", "name").stdout, r"^made-\w{5}\n$")
        self.assertEqual(d.cli("cron", "create", files["timed.yaml"], check=False).returncode, 5, "it is there already")
        new = json.loads(d.cli("cron", "update", files["timed.yaml"], "--entrypoint", "main", "-o", "json").stdout)
        self.assertEqual((new["spec"]["schedules"], new["status"]["lastScheduledTime"]), (["30 2 * * *"], None))
        self.assertNotIn("labels", new["metadata"])
        self.assertEqual(d.cli("cron", "update", files["timed.yaml"], "--name", "nothing", check=False).returncode, 4)

    def test_one_that_has_stopped_is_found_by_its_label(self):
        d = self.serve({"tick.yaml": manifest("tick", "@every 1s", 'stopStrategy: {expression: "cronworkflow.succeeded >= 1"}'), "on.yaml": manifest("on", "@daily")})
        until(lambda: self.cron("tick")["status"]["phase"] == "Stopped", 60, "its end")
        self.assertEqual(d.cli("cron", "list", "-l", "cronworkflows.argoproj.io/completed=true", "-o", "name").stdout, "tick\n")

    def test_who_changes_an_old_version_is_told(self):
        d = self.serve({})
        spec = {"schedules": ["@yearly"], "workflowSpec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}}
        self.assertEqual(d.api("POST", API, {"cronWorkflow": {"metadata": {"name": "job"}, "spec": spec}})[0], 200)
        mine = d.api("GET", API + "/job")[1]
        self.assertEqual(d.api("PUT", API + "/job/suspend", {})[0], 200)  # somebody else
        mine["spec"]["schedules"] = ["@daily"]
        status, answer = d.api("PUT", API + "/job", {"cronWorkflow": mine})
        self.assertEqual(status, 409)
        self.assertIn('cronworkflows.argoproj.io "job" has been changed meanwhile', answer["message"])
        got = d.api("GET", API + "/job")[1]
        self.assertEqual((got["spec"]["schedules"], got["spec"]["suspend"]), (["@yearly"], True))
        got["spec"]["schedules"] = ["@daily"]
        self.assertEqual(d.api("PUT", API + "/job", {"cronWorkflow": got})[0], 200)
        got = d.api("GET", API + "/job")[1]  # argo's update has no name in the path
        got["spec"]["schedules"] = ["@weekly"]
        self.assertEqual(d.api("PUT", API + "/", {"namespace": "default", "cronWorkflow": got})[1]["spec"]["schedules"], ["@weekly"])
        self.assertEqual(d.api("PUT", API + "/", {"cronWorkflow": dict(got, metadata={"name": "other"})})[0], 404)
        self.assertEqual(d.api("PUT", API + "/", {"cronWorkflow": dict(got, metadata={"name": "job", "namespace": "else"})})[0], 400)
        got = d.api("GET", API + "/job")[1]
        old = os.path.join(self.directory, "old.json")  # a file that was got from it is put as often as one likes
        with open(old, "w", encoding="utf-8") as f:
            json.dump(got, f)
        for _ in range(2):
            d.cli("cron", "update", old)
        del got["metadata"]["resourceVersion"]  # as a manifest has it
        self.assertEqual(d.api("PUT", API + "/job", {"cronWorkflow": got})[0], 200)

    def test_made_and_suspended_by_triggers(self):
        def trigger(name, event, operation, resource):
            return {"template": {"name": name, "conditions": event, "k8s": {
                "operation": operation, "patchStrategy": "application/merge-patch+json",
                "source": {"resource": {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", **resource}},
                **({"parameters": [{"src": {"dependencyName": event, "dataKey": "who"}, "dest": "spec.workflowSpec.arguments.parameters.0.value"}]}
                   if event == "make" else {})}}}

        spec = {"schedules": ["@every 1s"], "workflowSpec": {"entrypoint": "main", "arguments": {"parameters": [{"name": "who", "value": "nobody"}]},
                                                            "templates": [{"name": "main", "suspend": {"duration": "0"}}]}}
        never = {"schedule": "0 0 29 2 *"}
        sensor = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Sensor", "metadata": {"name": "maker"}, "spec": {
            "dependencies": [{"name": x, "eventSourceName": "es", "eventName": x} for x in ("make", "hold")],
            "triggers": [trigger("make", "make", "create", {"metadata": {"name": "made"}, "spec": spec}),
                         trigger("hold", "hold", "patch", {"metadata": {"name": "made"}, "spec": {"suspend": True}})]}}
        d = self.serve({"es.yaml": json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "EventSource", "metadata": {"name": "es"},
                                               "spec": {"calendar": {"make": never, "hold": never}}}), "sensor.yaml": json.dumps(sensor)})
        d.cli("emit", "es/make", "-d", '{"who": "somebody"}')
        until(lambda: d.api("GET", API + "/made")[0] == 200 and self.cron("made")["status"]["succeeded"], 60, "what it starts")
        child = json.loads(d.cli("list", "-o", "json").stdout)[0]
        self.assertEqual(child["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"], "made")
        child = json.loads(d.cli("get", child["metadata"]["name"], "-o", "json").stdout)
        self.assertEqual(child["spec"]["arguments"]["parameters"], [{"name": "who", "value": "somebody"}])
        d.cli("emit", "es/hold")
        until(lambda: self.cron("made")["spec"].get("suspend"), 60, "its suspension")
        self.assertNotIn("tidegate", self.cron("made")["status"])
        d.kill()
        d.start()
        self.assertTrue(self.cron("made")["spec"]["suspend"])

    def test_bodies_that_are_wrong(self):
        d = self.serve({})
        spec = {"schedules": ["@yearly"], "workflowSpec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}}

        def put(method, path, name, ns=None, **more):
            meta = {"name": name, **({"namespace": ns} if ns else {})}
            return d.api(method, path, {"cronWorkflow": {"metadata": meta, "spec": {**spec, **more}}})

        other = API.replace("default", "other")
        self.assertEqual(put("POST", API, "job")[0], 200)
        self.assertEqual(put("POST", other, "job", schedules=["@daily"])[0], 200)
        for method, path in (("POST", API), ("PUT", API + "/job")):  # another namespace than the path's is nobody's to change from there
            status, answer = put(method, path, "job", "other", schedules=["@hourly"])
            self.assertEqual(status, 400)
            self.assertIn("is not the namespace in the path", answer["message"])
        self.assertEqual(d.api("GET", other + "/job")[1]["spec"]["schedules"], ["@daily"])
        self.assertEqual(put("PUT", API + "/job", "another")[0], 400)
        self.assertEqual(put("POST", API + "/lint", "job", "other")[0], 200)
        for verb in ("suspend", "resume"):
            self.assertEqual(d.api("PUT", f"{API}/job/{verb}", "garbage")[0], 400)
            self.assertEqual(d.api("PUT", f"{API}/job/{verb}", [])[0], 400)
            self.assertEqual(d.api("PUT", f"{API.replace('default', 'nowhere')}/job/{verb}", {})[0], 404)
        self.assertNotIn("suspend", d.api("GET", API + "/job")[1]["spec"])
        for more in ({"schedules": []}, {"schedules": "@daily"}, {"schedules": ["* * * * * *"]}, {"schedules": ["@every x"]}, {"schedule": "@daily"},
                     {"timezone": "Mars/North"}, {"concurrencyPolicy": "Sometimes"}, {"startingDeadlineSeconds": -1}, {"workflowSpec": None},
                     {"stopStrategy": {"expression": "1 +"}}):
            self.assertEqual(put("POST", API, "bad", **more)[0], 400, more)
        self.assertEqual(d.api("GET", API + "/bad")[0], 404)
        backfill = "/tidegate/v1/cron-workflows/default/job/backfill"
        for body in ({}, {"scheduledTime": 5}, {"scheduledTime": "soon"}, {"scheduledTime": "2026-01-01T00:00:00Z", "parameters": ["x"]},
                     {"scheduledTime": "2026-01-01T00:00:00Z", "name": "../x"}, {"scheduledTime": "2026-01-01T00:00:00Z", "name": "x" * 60},
                     {"scheduledTime": "2026-01-02T00:00:00Z"}):
            self.assertEqual(d.api("POST", backfill, body)[0], 400, body)


if __name__ == "__main__":
    unittest.main()
