# SPDX-License-Identifier: Apache-2.0
"""Artifacts between real steps, with and without a sandbox: files and trees, packed in every way, kept over kill -9, gone with their workflow."""
import fcntl
import json
import os
import shutil
import subprocess
import tarfile
import unittest

from harness import TestCase, node, until

HEAD = """
apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: art-}
spec:
  entrypoint: main
"""
# A tree that is packed in each way, and comes out the same.
WAYS = HEAD + """
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - name: look
        template: look
        arguments:
          artifacts:
          - {name: tar, from: "{{steps.make.outputs.artifacts.tar}}"}
          - {name: zip, from: "{{steps.make.outputs.artifacts.zip}}"}
          - {name: none, from: "{{steps.make.outputs.artifacts.none}}"}
          - {name: part, from: "{{steps.make.outputs.artifacts.none}}", subPath: sub/two}
          - {name: file, from: "{{steps.make.outputs.artifacts.file}}"}
          - {name: text, raw: {data: "raw {{workflow.name}}"}}
  - name: make
    container:
      image: busybox
      command: [sh, -ec]
      args: ["mkdir -p DIR/tree/sub; echo 1 >DIR/tree/one; echo 2 >DIR/tree/sub/two; chmod 750 DIR/tree/one; echo file >DIR/file"]
    outputs:
      artifacts:
      - {name: tar, path: DIR/tree}
      - {name: zip, path: DIR/tree, archive: {zip: {}}}
      - {name: none, path: DIR/tree, archive: {none: {}}}
      - {name: file, path: DIR/file}
  - name: look
    inputs:
      artifacts:
      - {name: tar, path: DIR/in/tar}
      - {name: zip, path: DIR/in/zip}
      - {name: none, path: DIR/in/none}
      - {name: part, path: DIR/in/part}
      - {name: file, path: DIR/in/file, mode: 448}
      - {name: text, path: DIR/in/text}
      - {name: absent, path: DIR/in/absent, optional: true}
    script:
      image: busybox
      command: [sh, -e]
      source: |
        cd DIR/in
        for d in tar zip none; do cat $d/one $d/sub/two; done
        stat -c %a tar/one zip/one none/one file
        cat part file text
        test ! -e absent
        echo more >>tar/one
"""
EXPECTED = ["1", "2"] * 3 + ["750", "750", "644", "700", "2", "file"]


class Artifacts(TestCase):
    def settings(self, text):
        path = os.path.join(self.directory, "settings.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def submit(self, d, text):
        return d.submit(text)

    def ended(self, d, name):
        return d.ended(name)

    node = staticmethod(node)

    def log(self, d, name):
        return d.cli("logs", name, "--no-color").stdout

    def pack_and_unpack(self, sandbox):
        d = self.daemon({}, "--config", self.settings("sandbox: %s\n" % sandbox))
        place = "/tmp/work" if sandbox == "require" else os.path.join(self.directory, "work")
        name = self.submit(d, WAYS.replace("DIR", place))
        w = self.ended(d, name)
        self.assertEqual(w["status"]["phase"], "Succeeded", d.log())
        lines = [line.split(": ", 1)[-1] for line in self.log(d, name).splitlines()]
        self.assertEqual(lines[-len(EXPECTED) - 1:], EXPECTED + ["raw " + name])
        made = {a["name"]: a for a in self.node(w, "make")["outputs"]["artifacts"]}
        self.assertTrue(made["tar"]["local"]["key"].endswith("/tar.tgz"))

    def test_a_tree_comes_out_as_it_went_in(self):
        self.pack_and_unpack("require")

    def test_without_a_sandbox_it_lies_at_its_path(self):
        self.pack_and_unpack("off")

    def test_without_a_sandbox_the_next_step_gets_its_own_folder(self):
        made, given, notes = (os.path.join(self.directory, name) for name in ("made", "given", "notes"))
        text = HEAD + f"""
  arguments: {{parameters: [{{name: word}}]}}
  templates:
  - name: main
    steps:
    - - {{name: make, template: make}}
    - - {{name: use, template: use, arguments: {{artifacts: [{{name: in, from: "{{{{steps.make.outputs.artifacts.out}}}}"}}]}}}}
  - name: make
    container: {{image: x, command: [sh, -ec], args: ["rm -rf {made}; mkdir {made}; echo {{{{workflow.parameters.word}}}} >{made}/{{{{workflow.parameters.word}}}}"]}}
    outputs: {{artifacts: [{{name: out, path: {made}}}]}}
  - name: use
    inputs: {{artifacts: [{{name: in, path: {given}}}]}}
    container: {{image: x, command: [sh, -ec], args: ["ls {given} >>{notes}; mkdir -p {given}/more/still"]}}
"""
        d = self.daemon({}, "--config", self.settings("sandbox: off\n"))
        os.mkdir(given)  # empty: nobody's
        for word in ("one", "two", "three"):
            w = self.ended(d, d.cli("submit", "-", "-p", f"word={word}", "-o", "name", data=text).stdout.strip())
            self.assertEqual(w["status"]["phase"], "Succeeded", [n.get("message") for n in w["status"]["nodes"].values()])
        with open(notes, encoding="utf-8") as f:
            self.assertEqual(f.read().split(), ["one", "two", "three"])
        shutil.rmtree(given)
        os.makedirs(os.path.join(given, "mine"))
        w = self.ended(d, d.cli("submit", "-", "-p", "word=four", "-o", "name", data=text).stdout.strip())
        self.assertEqual(self.node(w, "use")["message"],
                         f"init: Error (exit code 64): artifacts cannot be loaded: artifact in: {given} is a folder that lay there before, and no "
                         "artifact: remove it, or let the step run in a sandbox")
        self.assertEqual(os.listdir(given), ["mine"])

    def test_a_link_is_not_followed(self):
        secret = os.path.join(self.directory, "secret")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("secret")
        d = self.daemon({})
        text = HEAD + """
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c], args: ["mkdir /tmp/d; ln -s %s /tmp/d/link; ln -s /proc/1/root/etc /tmp/etc; ln -s %s /tmp/l"]}
    outputs: {artifacts: [{name: inside, path: /tmp/d}, {name: out, path: /tmp/l, optional: true}, {name: proc, path: /tmp/etc, optional: true}]}
""" % (secret, secret)
        w = self.ended(d, self.submit(d, text))
        names = [a["name"] for a in self.node(w, w["metadata"]["name"]).get("outputs", {}).get("artifacts", [])]
        self.assertNotIn("out", names)
        repository = os.path.join(d.state, "artifacts")
        self.assertEqual(subprocess.run(["grep", "-rqz", "secret", repository], check=False).returncode, 1)

    def test_optional_is_what_is_not_there_and_nothing_else(self):
        text = HEAD + """
  templates:
  - name: main
    inputs: {artifacts: [{name: gone, path: /tmp/gone, optional: true, s3: {key: nothing}}, {name: bad, path: /tmp/bad, optional: true, git: {repo: /tmp}}]}
    container: {image: x, command: ["true"]}
"""
        d = self.daemon({})
        w = self.ended(d, self.submit(d, text))
        self.assertEqual(w["status"]["phase"], "Error")
        self.assertIn("artifact bad: git: repo is", w["status"]["message"])

    def test_mode_and_owner_are_not_those_of_what_links_lead_to(self):
        text = HEAD + """
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: use, template: use, arguments: {artifacts: [{name: in, from: "{{steps.make.outputs.artifacts.d}}"}]}}
  - name: make
    container: {image: x, command: [sh, -ec], args: ["mkdir -p /tmp/d/sub; cd /tmp/d; echo 1 >one; ln -s nowhere gone; ln -s ../one sub/up; ln -s sub to"]}
    outputs: {artifacts: [{name: d, path: /tmp/d}]}
  - name: use
    securityContext: {runAsUser: 1234}
    inputs: {artifacts: [{name: in, path: /tmp/in, mode: 0o750, recurseMode: true}]}
    container: {image: x, command: [sh, -ec], args: ["cd /tmp/in; test $(stat -c %a-%u . one sub sub/up | sed s/777/750/ | sort -u) = 750-1234; test $(readlink gone) = nowhere; cat sub/up"]}
"""
        d = self.daemon({})
        w = self.ended(d, self.submit(d, text))
        self.assertEqual(w["status"]["phase"], "Succeeded", [n.get("message") for n in w["status"]["nodes"].values()])

    def test_a_folder_without_an_archive_is_saved_without_its_links(self):
        text = HEAD + """
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: use, template: use, arguments: {artifacts: [{name: in, from: "{{steps.make.outputs.artifacts.etc}}"}]}}
  - name: make
    container: {image: x, command: [sh, -ec], args: ["mkdir -p /tmp/etc/d; cd /tmp/etc; echo 1 >one; ln -s one in; ln -s /etc/passwd out; ln -s ../.. d/up; ln -s . loop; ln -s nowhere d/gone; echo 2 >d/two"]}
    outputs: {artifacts: [{name: etc, path: /tmp/etc, archive: {none: {}}}]}
  - name: use
    inputs: {artifacts: [{name: in, path: /tmp/in}]}
    container: {image: x, command: [sh, -ec], args: ["cd /tmp/in; find . | sort | tr '\\n' ' '; cat d/two"]}
"""
        d = self.daemon({})
        name = self.submit(d, text)
        w = self.ended(d, name)
        self.assertEqual(w["status"]["phase"], "Succeeded", [n.get("message") for n in w["status"]["nodes"].values()])
        self.assertTrue(self.log(d, name).strip().endswith(": . ./d ./d/two ./one 2"), self.log(d, name))

    def test_what_a_container_set_leaves_is_read_when_all_have_ended(self):
        """As in Argo's own example: main ends at once, another container writes what is to be saved. It is ended, and waited for, when main fails."""
        text = HEAD + """
  volumes: [{name: w, emptyDir: {}}]
  templates:
  - name: main
    steps:
    - - {name: well, template: well}
      - {name: badly, template: badly, continueOn: {failed: true}}
    - - {name: use, template: use, arguments: {artifacts: [{name: in, from: "{{steps.well.outputs.artifacts.out}}"}]}}
  - name: well
    containerSet:
      volumeMounts: [{name: w, mountPath: /w}]
      containers:
      - {name: a, image: x, command: [sh, -c, "sleep 1; echo a >/w/out"]}
      - {name: b, image: x, command: [sh, -c, "sleep 1; echo b >>/w/out"], dependencies: [a, main]}
      - {name: main, image: x, command: ["true"]}
    outputs: &both
      parameters: [{name: out, valueFrom: {path: /w/out}}]
      artifacts: [{name: out, path: /w/out}]
  - name: badly
    containerSet:
      volumeMounts: [{name: w, mountPath: /w}]
      containers:
      - {name: a, image: x, command: [sh, -c, "trap 'echo ended >/w/out; exit 0' TERM; touch /w/up; while :; do sleep 0.1; done"]}
      - {name: main, image: x, command: [sh, -c, "until [ -e /w/up ]; do sleep 0.1; done; exit 3"]}
    outputs: *both
  - name: use
    inputs: {artifacts: [{name: in, path: /tmp/in}]}
    container: {image: x, command: [cat, /tmp/in]}
"""
        d = self.daemon({})
        w = self.ended(d, self.submit(d, text))
        messages = [(n["displayName"], n.get("message")) for n in w["status"]["nodes"].values()]
        self.assertEqual(self.node(w, "well")["outputs"]["parameters"][0]["value"], "a\nb", messages)
        self.assertEqual((self.node(w, "use")["phase"], self.node(w, "badly")["phase"]), ("Succeeded", "Failed"), messages)
        self.assertEqual(self.node(w, "badly")["outputs"]["parameters"][0]["value"], "ended", messages)

    def test_what_is_saved_survives_a_kill(self):
        text = HEAD + """
  templates:
  - name: main
    steps:
    - - {name: make, template: make}
    - - {name: use, template: use, arguments: {artifacts: [{name: x, from: "{{steps.make.outputs.artifacts.x}}"}]}}
  - name: make
    container: {image: busybox, command: [sh, -c], args: ["head -c 3000000 /dev/zero >/tmp/x; sleep 1"]}
    outputs: {artifacts: [{name: x, path: /tmp/x}]}
  - name: use
    inputs: {artifacts: [{name: x, path: /tmp/y}]}
    container: {image: busybox, command: [sh, -c], args: ["wc -c </tmp/y"]}
"""
        d = self.daemon({})
        for _ in range(3):
            name = self.submit(d, text)
            until(lambda: "make" in [n["displayName"] for n in d.get(name)["status"].get("nodes", {}).values()], 60, "its first step")
            d.kill()
            d.start()
            w = self.ended(d, name)
            self.assertEqual(w["status"]["phase"], "Succeeded", d.log())
            self.assertIn("3000000", self.log(d, name))

    def test_what_cannot_be_loaded_is_an_error(self):
        d = self.daemon({})
        text = HEAD + """
  templates:
  - name: main
    inputs: {artifacts: [{name: x, path: /tmp/y, s3: {key: no/such/key}}]}
    container: {image: busybox, command: ["true"]}
"""
        w = self.ended(d, self.submit(d, text))
        self.assertEqual(w["status"]["phase"], "Error")
        self.assertIn("there is no artifact with the key default/no/such/key", w["status"]["message"])

    def test_logs_are_artifacts(self):
        d = self.daemon({})
        text = HEAD + """
  archiveLogs: true
  templates:
  - name: main
    steps: [[{name: one, template: one}, {name: set, template: set}, {name: not, template: not}]]
  - name: one
    container: {image: busybox, command: [sh, -c], args: ["echo out; echo '#no comment' >&2; printf last"]}
  - name: set
    containerSet:
      containers:
      - {name: a, image: busybox, command: [echo, of a]}
      - {name: main, image: busybox, command: [echo, of main]}
  - name: not
    archiveLocation: {archiveLogs: false}
    container: {image: busybox, command: [echo, "no"]}
"""
        w = self.ended(d, self.submit(d, text))
        self.assertEqual(w["status"]["phase"], "Succeeded", d.log())

        def logs(display):
            found = {}
            for a in self.node(w, display).get("outputs", {}).get("artifacts", []):
                with open(os.path.join(d.state, "artifacts/objects/default", a["local"]["key"]), encoding="utf-8") as f:
                    found[a["name"]] = f.read()
            return found

        self.assertEqual(logs("one"), {"main-logs": "out\n#no comment\nlast\n"})
        self.assertEqual(logs("set"), {"a-logs": "of a\n", "main-logs": "of main\n"})
        self.assertEqual(logs("not"), {})

    def test_a_kill_ends_what_moves(self):
        """An input that takes for ever: stopping the workflow ends the helper at once."""
        d = self.daemon({})
        objects = os.path.join(d.state, "artifacts/objects/default")
        os.makedirs(objects, exist_ok=True)
        text = HEAD + """
  templates:
  - name: main
    inputs: {artifacts: [{name: x, path: /tmp/y, s3: {key: big}}]}
    container: {image: busybox, command: ["true"]}
"""
        os.mkfifo(os.path.join(objects, "big"))  # nobody ever writes into it
        name = self.submit(d, text)

        until(lambda: self.helpers(d), 60, "its helper")
        d.cli("terminate", name)
        w = self.ended(d, name)
        self.assertEqual(w["status"]["phase"], "Failed")
        until(lambda: not self.helpers(d), 60, "its helper's end")

    def helpers(self, d):
        return [p for p in os.listdir("/proc") if p.isdigit() and self.is_helper_of(d, p)]

    @staticmethod
    def is_helper_of(d, pid):
        try:
            with open("/proc/%s/stat" % pid, encoding="utf-8") as f:
                text = f.read()
        except OSError:
            return False
        return "(tidegate-artifa" in text and text.rsplit(")", 1)[1].split()[1] == str(d.process.pid)

    def test_artifacts_go_with_their_workflow(self):
        d = self.daemon({})
        text = HEAD + """
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c], args: ["echo x >/tmp/x"]}
    outputs: {artifacts: [{name: x, path: /tmp/x}]}
"""
        name = self.submit(d, text)
        self.assertEqual(self.ended(d, name)["status"]["phase"], "Succeeded")
        blobs = os.path.join(d.state, "artifacts", "blobs")
        self.assertEqual(sum(len(f) for _, _, f in os.walk(blobs)), 1)
        d.cli("delete", name)
        until(lambda: sum(len(f) for _, _, f in os.walk(blobs)) == 0, 60, "their end")

    def test_hostile_outputs_are_refused(self):
        d = self.daemon({}, "--config", self.settings("artifactSize: 4\nartifactFiles: 400\n"))
        cases = {
            "mkfifo /tmp/o/p": "o/p is a device, a pipe or a socket",
            "mkfifo /tmp/x; rmdir /tmp/o; mv /tmp/x /tmp/o": "o is a device, a pipe or a socket",
            "truncate -s 100G /tmp/o/big": "larger than 4194304 bytes",
            "cd /tmp/o; for i in $(seq 500); do echo >$i; done": "more than 400 files",
            "cd /tmp/o; for i in $(seq 300); do mkdir d && cd d || exit; done": "more than 256 folders in each other",
            "rmdir /tmp/o": "open /tmp/o: no such file or directory",
        }
        for command, expected in cases.items():
            with self.subTest(command=command):
                text = HEAD + """
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c], args: [%s]}
    outputs: {artifacts: [{name: o, path: /tmp/o}]}
""" % json.dumps("mkdir /tmp/o; " + command)
                w = self.ended(d, self.submit(d, text))
                self.assertEqual(w["status"]["phase"], "Error")
                self.assertIn("wait: Error (exit code 64): outputs.artifacts.o: ", w["status"]["message"])
                self.assertIn(expected, w["status"]["message"])

    def test_what_a_side_container_swaps_leads_nowhere(self):
        """A side container shares the folder and swaps what is in it for links all the time while it is collected."""
        secret = os.path.join(self.directory, "secret")
        with open(secret, "w", encoding="utf-8") as f:
            f.write("secret of the host")
        d = self.daemon({})
        text = HEAD + """
  volumes: [{name: v, emptyDir: {}}]
  templates:
  - name: main
    podSpecPatch: '{"terminationGracePeriodSeconds": 1}'
    container:
      image: busybox
      command: [sh, -c, "mkdir /v/o; for i in $(seq 300); do mkdir /v/o/$i; echo own >/v/o/$i/f; done; touch /v/go"]
      volumeMounts: [{name: v, mountPath: /v}]
    sidecars:
    - name: side
      image: busybox
      mirrorVolumeMounts: true
      command: [sh, -c, "trap exit TERM; until test -e /v/go; do :; done; while :; do for i in 299 300; do rm -rf /v/o/$i; ln -s /proc/1/root/etc /v/o/$i; rm /v/o/$i; ln -s %s /v/o/$i; rm /v/o/$i; mkdir /v/o/$i; done; done"]
    outputs: {artifacts: [{name: o, path: /v/o, archive: {tar: {compressionLevel: 0}}}]}
""" % secret
        self.ended(d, self.submit(d, text))  # well, or with an error that something changed
        found = subprocess.run(["grep", "-rlE", "secret of the host|root:x:0", os.path.join(d.state, "artifacts")], stdout=subprocess.PIPE, check=False).stdout
        self.assertEqual(found, b"")

    MOVED = HEAD + """
  templates:
  - name: main
    inputs: {artifacts: [{name: x, path: /tmp/y, s3: {key: slow}}]}
    podSpecPatch: '{"terminationGracePeriodSeconds": 1}'
    container: {image: busybox, command: [sh, -c], args: ["echo ran; cat /tmp/y; echo z >/tmp/z"]}
    outputs: {artifacts: [{name: z, path: /tmp/z, s3: {key: "saved/{{workflow.name}}"}}]}
"""

    def test_a_kill_while_an_input_comes(self):
        d = self.daemon({})
        objects = os.path.join(d.state, "artifacts/objects/default")
        os.makedirs(objects)
        os.mkfifo(os.path.join(objects, "slow"))
        name = self.submit(d, self.MOVED)
        until(lambda: self.helpers(d), 60, "its helper")
        pids = self.helpers(d)
        d.kill()
        until(lambda: not any(os.path.exists("/proc/" + p) for p in pids), 60, "its helper's end")
        os.unlink(os.path.join(objects, "slow"))
        with open(os.path.join(objects, "slow"), "w", encoding="utf-8") as f:
            f.write("came")
        d.start()
        self.assertEqual(self.ended(d, name)["status"]["phase"], "Succeeded", d.log())
        self.assertEqual([line.split(": ", 1)[-1] for line in self.log(d, name).splitlines()], ["ran", "came"])

    def begin_save(self):
        """A step that has ended, and whose output cannot be saved as long as the lock is held."""
        d = self.daemon({})
        objects = os.path.join(d.state, "artifacts/objects/default")
        os.makedirs(objects)
        with open(os.path.join(objects, "slow"), "w", encoding="utf-8") as f:
            f.write("came\n")
        lock = open(os.path.join(d.state, "artifacts/lock"), "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.addCleanup(lock.close)
        fcntl.flock(lock, fcntl.LOCK_EX)
        name = self.submit(d, self.MOVED)
        tasks = os.path.join(d.state, "tasks/default", name)
        until(lambda: self.helpers(d) and any(f.endswith(".artifact.0") for f in os.listdir(tasks)), 120, "the end of the command")
        until(lambda: any(f.endswith(".save") for f in os.listdir(tasks)), 60, "the helper that saves")
        return d, name, lock, os.path.join(objects, "saved", name)

    def test_a_kill_while_an_output_is_saved(self):
        d, name, lock, saved = self.begin_save()
        d.kill()
        fcntl.flock(lock, fcntl.LOCK_UN)
        d.start()
        w = self.ended(d, name)
        self.assertEqual(w["status"]["phase"], "Succeeded", d.log())
        self.assertTrue(os.path.exists(saved))
        self.assertEqual([line.split(": ", 1)[-1] for line in self.log(d, name).splitlines()], ["ran", "came"])

    def test_terminating_ends_what_is_saved(self):
        d, name, _, saved = self.begin_save()
        d.cli("terminate", name)
        w = self.ended(d, name)
        self.assertEqual(w["status"]["phase"], "Failed")
        until(lambda: not self.helpers(d), 60, "its helper's end")
        self.assertFalse(os.path.exists(saved))

    EVERYWHERE = HEAD + """
  podGC: {strategy: OnPodCompletion, deleteDelayDuration: "0"}
  templates:
  - name: main
    steps:
    - - {name: set, template: set}
      - {name: tries, template: tries}
    - - name: server
        template: server
        arguments: {artifacts: [{name: page, from: "{{steps.set.outputs.artifacts.page}}"}]}
    - - name: user
        template: user
        arguments:
          artifacts:
          - {name: page, from: "{{steps.set.outputs.artifacts.page}}"}
          - {name: tries, from: "{{steps.tries.outputs.artifacts.tries}}"}
          parameters: [{name: ip, value: "{{steps.server.ip}}"}]
    - - name: last
        template: last
        arguments: {artifacts: [{name: all, from: "{{steps.user.outputs.artifacts.all}}"}]}
  - name: set
    containerSet:
      volumeMounts: [{name: v, mountPath: /v}]
      containers:
      - {name: a, image: busybox, command: [sh, -c, "mkdir /v/page; echo of a >/v/page/index.html"]}
      - {name: main, image: busybox, command: [sh, -c, "echo of main >>/v/page/index.html"], dependencies: [a]}
    volumes: [{name: v, emptyDir: {}}]
    outputs: {artifacts: [{name: page, path: /v/page}]}
  - name: tries
    retryStrategy: {limit: 2}
    container: {image: busybox, command: [sh, -c, "echo try {{retries}} >/tmp/t; exit $((1 - {{retries}}))"]}
    outputs: {artifacts: [{name: tries, path: /tmp/t}]}
  - name: server
    daemon: true
    inputs: {artifacts: [{name: page, path: /srv/www}]}
    container:
      image: busybox
      command: [python3, -m, http.server, "8000", --directory, /srv/www]
      readinessProbe: {httpGet: {path: /index.html, port: 8000}, periodSeconds: 1}
  - name: user
    inputs:
      artifacts: [{name: page, path: /in/page}, {name: tries, path: /in/tries, mode: 0600}]
      parameters: [{name: ip}]
    container:
      image: busybox
      securityContext: {runAsUser: 1234, runAsGroup: 1234}
      command: [sh, -ec, "id -u; curl -s http://{{inputs.parameters.ip}}:8000/index.html >/tmp/served; cat /in/tries >>/in/page/index.html; cp -r /in/page /tmp/all; cat /tmp/served >>/tmp/all/index.html; chmod 700 /tmp/all"]
    outputs: {artifacts: [{name: all, path: /tmp/all}]}
  - name: last
    inputs: {artifacts: [{name: all, path: /in/all}]}
    container: {image: busybox, command: [cat, /in/all/index.html]}
"""

    def test_every_kind_of_pod(self):
        """A container set, attempts, a daemon, a step of another user; with the files of pods removed as they end."""
        d = self.daemon({})
        name = self.submit(d, self.EVERYWHERE)
        w = self.ended(d, name)
        self.assertEqual(w["status"]["phase"], "Succeeded", d.log())
        objects = os.path.join(d.state, "artifacts/objects/default")
        with tarfile.open(os.path.join(objects, self.node(w, "user")["outputs"]["artifacts"][0]["local"]["key"])) as t:
            text = t.extractfile("all/index.html").read().decode()
        self.assertEqual(text, "of a\nof main\ntry 1\nof a\nof main\n")
        self.assertEqual([a["name"] for a in self.node(w, "tries(0)")["outputs"]["artifacts"]], ["tries"])

    def test_a_memoized_resubmission_takes_what_there_is(self):
        d = self.daemon({})
        text = HEAD + """
  templates:
  - name: main
    steps: [[{name: make, template: make}], [{name: use, template: use, arguments: {artifacts: [{name: x, from: "{{steps.make.outputs.artifacts.x}}"}]}}]]
  - name: make
    container: {image: busybox, command: [sh, -c, "echo made >/tmp/x"]}
    outputs: {artifacts: [{name: x, path: /tmp/x}]}
  - name: use
    inputs: {artifacts: [{name: x, path: /tmp/y}]}
    container: {image: busybox, command: [sh, -c, "cat /tmp/y; test -e %s"]}
""" % os.path.join(self.directory, "state")  # never in a sandbox
        name = self.submit(d, text)
        self.assertEqual(self.ended(d, name)["status"]["phase"], "Failed")
        again = d.cli("resubmit", name, "--memoized", "-o", "name").stdout.strip()
        w = self.ended(d, again)
        self.assertEqual(self.node(w, "make")["phase"], "Skipped")
        self.assertIn("made", self.log(d, again))

    COLLECTED = HEAD + """
  artifactGC: {strategy: OnWorkflowDeletion}
  templates:
  - name: main
    steps: [[{name: make, template: make}], [{name: wait, template: wait}]]
  - name: wait
    suspend: {}
  - name: make
    container: {image: busybox, command: [sh, -c], args: ["mkdir /tmp/d; echo a >/tmp/d/a; echo b >/tmp/d/b; echo x >/tmp/x"]}
    outputs:
      artifacts:
      - {name: end, path: /tmp/x, archive: {none: {}}, s3: {key: "gc/{{workflow.name}}/end"}, artifactGC: {strategy: OnWorkflowCompletion}}
      - {name: gone, path: /tmp/d, archive: {none: {}}, s3: {key: "gc/{{workflow.name}}/gone"}}
      - {name: stays, path: /tmp/x, archive: {none: {}}, s3: {key: "gc/{{workflow.name}}/stays"}, artifactGC: {strategy: Never}}
      - {name: default, path: /tmp/x, artifactGC: {strategy: Never}}
"""

    def begin_collected(self):
        d = self.daemon({})
        name = self.submit(d, self.COLLECTED)
        until(lambda: self.find_node(d.get(name), "wait"), 120, "its second step")
        objects = os.path.join(d.state, "artifacts/objects/default")
        kept = os.path.join(objects, "gc", name)
        self.assertEqual(sorted(os.listdir(kept)), ["end", "gone", "stays"])
        return d, name, kept, os.path.join(objects, name)

    def find_node(self, w, display):
        return next((n for n in w["status"].get("nodes", {}).values() if n["displayName"] == display), None)

    def deleted(self, d, name):
        return [a["name"] for a in self.node(d.get(name), "make")["outputs"]["artifacts"] if a.get("deleted")]

    def test_each_artifact_goes_when_its_strategy_says(self):
        d, name, kept, own = self.begin_collected()
        d.cli("resume", name)
        self.ended(d, name)
        until(lambda: self.deleted(d, name) == ["end"], 60, "the mark of the first")
        self.assertEqual(sorted(os.listdir(kept)), ["gone", "stays"])
        d.cli("delete", name)
        until(lambda: os.listdir(kept) == ["stays"], 60, "the end of the second")
        self.assertEqual(len(os.listdir(own)), 1)  # nothing is taken from a workflow that keeps something

    def test_what_cannot_be_removed_is_said_and_tried_again(self):
        d, name, kept, _ = self.begin_collected()
        lock = os.path.join(d.state, "artifacts/lock")
        os.unlink(lock)
        os.mkdir(lock)
        d.cli("resume", name)
        self.ended(d, name)

        def condition():
            return next((c["message"] for c in d.get(name)["status"]["conditions"] if c["type"] == "ArtifactGCError"), None)

        until(condition, 60, "the condition")
        self.assertIn("end of make: ", condition())
        d.kill()
        os.rmdir(lock)
        d.start()
        until(lambda: self.deleted(d, name) == ["end"], 60, "the mark")
        self.assertIsNone(condition())
        self.assertEqual(sorted(os.listdir(kept)), ["gone", "stays"])

    def test_what_is_to_go_goes_whatever_is_killed(self):
        for when in range(4):
            with self.subTest(when=when):
                d, name, kept, _ = self.begin_collected()
                d.cli("resume", name)
                if when % 2:
                    self.ended(d, name)
                    d.cli("delete", name)
                d.kill()
                d.start()
                if when % 2 == 0:
                    self.ended(d, name)
                    until(lambda: self.deleted(d, name) == ["end"], 60, "the mark")
                    d.cli("delete", name)
                until(lambda: os.listdir(kept) == ["stays"], 60, "the end of both")
                d.stop()


if __name__ == "__main__":
    unittest.main()
