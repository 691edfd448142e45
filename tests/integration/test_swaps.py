# SPDX-License-Identifier: Apache-2.0
"""Steps that swap files and folders for links while somebody else opens them: what is collected of a step, and the folders of volumes that others mount.
The swapping is one system call, in a loop of a process of its own, some hundred thousand times a second."""
import gzip
import json
import os
import tarfile

from harness import TestCase, until

# swap A B [A B ...]: exchanges each pair for ever, and says so in /v/swapping.
SWAP = r"""
import ctypes, itertools, os, sys
libc = ctypes.CDLL(None)
pairs = list(zip(*[iter(s.encode() for s in sys.argv[1:])] * 2))
for i in itertools.count():
    for a, b in pairs:
        libc.renameat2(-100, a, -100, b, 2)
    if i == 3:
        open("/v/swapping", "w").close()
"""
SECRET = "secret of the host"
PLACES = 40


def flow(templates, **spec):
    return json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "swap-"}, "spec": dict(
        {"entrypoint": "main", "templates": templates}, **spec)})


class Swaps(TestCase):
    def setUp(self):
        super().setUp()
        self.host = os.path.join(self.directory, "host")
        os.makedirs(os.path.join(self.host, "in"))
        for name in ("f", "in/f"):
            with open(os.path.join(self.host, name), "w", encoding="utf-8") as f:
                f.write(SECRET)
        self.before = self.look()
        self.d = self.daemon({})

    def look(self):
        return sorted((at, sorted(folders), sorted(files)) for at, folders, files in os.walk(self.host))

    def run_to_its_end(self, text):
        name = self.d.submit(text)
        return self.d.ended(name, 240)

    def nothing_came_out(self, where="", *words):
        """Neither in what was kept, nor in logs, nor in the status; `where`, a folder of the state, has none of `words` either."""
        for at, _, files in os.walk(self.d.state):
            for f in files:
                path = os.path.join(at, f)
                if os.path.islink(path) or not os.path.isfile(path):
                    continue
                with open(path, "rb") as opened:
                    data = opened.read()
                for text in (data, gzip.decompress(data) if data[:2] == b"\x1f\x8b" else b""):
                    for word in (SECRET, *words) if at.startswith(os.path.join(self.d.state, where)) else (SECRET,):
                        self.assertNotIn(word.encode(), text, path)
        self.assertEqual(self.look(), self.before)

    def swapped(self, make, pairs, outputs):
        """A main container that makes something; a side container that swaps it until all is over."""
        script = f"import os\nos.chdir('/v')\n{make}\nopen('made', 'w').close()\nwhile not os.path.exists('swapping'): pass\n"
        side = f"while not __import__('os').path.exists('/v/made'): pass\n{SWAP}"
        return self.run_to_its_end(flow([{
            "name": "main", "podSpecPatch": '{"terminationGracePeriodSeconds": 0}', "outputs": outputs,
            "container": {"image": "busybox", "command": ["python3", "-c", script], "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
            "sidecars": [{"name": "side", "image": "busybox", "mirrorVolumeMounts": True, "command": ["python3", "-c", side, *pairs]}],
        }], volumes=[{"name": "v", "emptyDir": {}}]))

    def outputs(self, w):
        return next(n.get("outputs", {}) for n in w["status"]["nodes"].values() if n["type"] == "Pod")

    def test_folders_and_files_within_an_artifact(self):
        """Each entry is what it was at one moment: a folder with what is in it, a file, or the link itself; never what the link leads to."""
        make = f"""
os.makedirs('outside'); open('outside/f', 'w').write('beside ' + 'the artifact')
os.makedirs('o'); os.makedirs('s')
for i in range({PLACES}):
    os.mkdir(f'o/d{{i}}'); open(f'o/d{{i}}/f', 'w').write('own'); os.symlink(['/v/outside', '../outside', '{self.host}', '/proc/1/root{self.host}'][i % 4], f's/d{{i}}')
    open(f'o/f{{i}}', 'w').write('own'); os.symlink(['/v/outside/f', '../outside/f', '{self.host}/f', '/proc/self/root/v/outside/f'][i % 4], f's/f{{i}}')
"""
        pairs = [p for i in range(PLACES) for k in "df" for p in (f"/v/o/{k}{i}", f"/v/s/{k}{i}")]
        seen = set()

        def swap():
            w = self.swapped(make, pairs, {"artifacts": [{"name": "o", "path": "/v/o"}]})
            self.nothing_came_out("artifacts", "beside the artifact")
            for a in self.outputs(w).get("artifacts", []):
                with open(os.path.join(self.d.state, "artifacts/objects/default", a["local"]["key"]), "rb") as f, tarfile.open(fileobj=f) as t:
                    seen.update("link" if m.issym() else "own" for m in t if m.name.count("/") == 1)
            return seen == {"link", "own"}

        until(swap, 600, "both of what is swapped, in what is kept")

    def test_a_folder_in_the_middle_of_a_path_and_the_thing_itself(self):
        """The path is looked up in the step's own root: a link in it leads to nothing of the host."""
        make = f"""
os.makedirs('s')
for i in range({PLACES}):
    os.makedirs(f'm{{i}}/in'); open(f'm{{i}}/in/f', 'w').write('own'); os.symlink(['{self.host}', '/proc/1/root{self.host}'][i % 8 == 7], f's/m{{i}}')
    open(f'x{{i}}', 'w').write('own'); os.symlink(['{self.host}/f', '/proc/1/root{self.host}/f'][i % 8 == 7], f's/x{{i}}')
    open(f'p{{i}}', 'w').write('own')
    os.mkfifo(f's/p{{i}}') if i % 2 else os.symlink('{self.host}/f', f's/p{{i}}')
"""
        pairs = [p for i in range(PLACES) for k in "mxp" for p in (f"/v/{k}{i}", f"/v/s/{k}{i}")]
        seen = set()

        def swap(n):
            w = self.swapped(make, pairs, {
                "artifacts": [dict({"name": f"{k}{i}", "path": f"/v/{k}{i}" + ("/in" if k == "m" else ""), "optional": True}) for i in range(n) for k in "mx"],
                "parameters": [{"name": f"p{i}", "valueFrom": {"path": f"/v/p{i}", "default": "none"}} for i in range(n)]})
            self.nothing_came_out()
            values = [p["value"] for p in self.outputs(w).get("parameters", [])]
            self.assertLessEqual(set(values), {"own", "none"})
            names = {a["name"] for a in self.outputs(w).get("artifacts", [])}
            if w["status"]["phase"] == "Succeeded":
                seen.update(values)
                seen.update(f"{k}{'' if f'{k}{i}' in names else ' missing'}" for i in range(n) for k in "mx")
            return len(seen) == 6

        until(lambda: swap(7), 600, "each of what is swapped")  # without those of /proc, which are errors
        self.assertEqual(seen, {"own", "none", "m", "x", "m missing", "x missing"})
        swap(PLACES)

    def test_descriptors_of_who_collects(self):
        """Links by way of /proc to what the process that collects has open, the folder of all steps among it: they lead nowhere."""
        up = os.path.relpath(self.host + "/f", os.path.join(self.d.state, "tasks"))
        numbers = range(3, 40)
        make = "".join(f"os.symlink('/proc/{who}/fd/{n}/{'../' * k}{up}', '/tmp/{who}{k}-{n}')\n" for n in numbers for who in ("self", "1") for k in range(3))
        names = [f"{who}{k}-{n}" for n in numbers for who in ("self", "1") for k in range(3)]
        for kind in ({"artifacts": [{"name": n, "path": "/tmp/" + n, "optional": True} for n in names]},
                     {"parameters": [{"name": n, "valueFrom": {"path": "/tmp/" + n, "default": "none"}} for n in names]}):
            w = self.run_to_its_end(flow([{"name": "main", "outputs": kind, "container": {"image": "busybox", "command": ["python3", "-c", "import os\n" + make]}}]))
            self.assertEqual(w["status"]["phase"], "Error" if "artifacts" in kind else "Succeeded")
            self.assertEqual({p["value"] for p in self.outputs(w).get("parameters", [])}, set() if "artifacts" in kind else {"none"})
            self.nothing_came_out()

    def test_sub_paths_of_a_volume(self):
        """One step swaps what others mount: they have a folder of the volume, or are told that it leads out of it."""
        make = ["import os", "os.chdir('/v')", "os.makedirs('s')"]
        links = {"up": "../../../../../../../../.." + self.host, "absolute": self.host, "middle": self.host}
        for k, to in links.items():
            make += [f"os.makedirs('{k}/in'); open('{k}/in/f', 'w').write('own'); open('{k}/f', 'w').write('own'); os.symlink('{to}', 's/{k}')"]
        pairs = [p for k in links for p in (f"/v/{k}", f"/v/s/{k}")]
        paths = {"up": "up", "absolute": "absolute/", "middle": "middle/in", "new": "middle/new-{{inputs.parameters.i}}/x", "file": "absolute/in/f"}

        def user(name):
            look = "cat /m" if name == "file" else "cat /m/f; echo x >/m/mark-{{inputs.parameters.i}}; ls -a /m"
            return {"name": name, "inputs": {"parameters": [{"name": "i"}]}, "container": {
                "image": "busybox", "command": ["sh", "-c", look + "; true"], "volumeMounts": [{"name": "v", "mountPath": "/m", "subPath": paths[name]}]}}

        mount = [{"name": "v", "mountPath": "/v"}]
        swapper = {"name": "swapper", "daemon": True, "podSpecPatch": '{"terminationGracePeriodSeconds": 0}', "container": {
            "image": "busybox", "command": ["python3", "-c", "\n".join(make) + SWAP, *pairs], "volumeMounts": mount}}
        wait = {"name": "wait", "container": {"image": "busybox", "command": ["sh", "-c", "until test -e /v/swapping; do :; done"], "volumeMounts": mount}}
        use = [{"name": k, "template": k, "continueOn": {"failed": True, "error": True}, "withSequence": {"count": "6"},
                "arguments": {"parameters": [{"name": "i", "value": "{{item}}"}]}} for k in paths]
        text = flow([{"name": "main", "steps": [[{"name": "swapper", "template": "swapper"}], [{"name": "wait", "template": "wait"}], use]}, swapper, wait,
                     *(user(k) for k in paths)], volumeClaimTemplates=[{"metadata": {"name": "v"}}])
        seen = {}

        def swap():
            w = self.run_to_its_end(text)
            for n in w["status"]["nodes"].values():
                kind = n["displayName"].partition("(")[0]
                if n["type"] == "Pod" and kind in paths:
                    seen.setdefault(kind, set()).add(n["phase"])
                    if n["phase"] != "Succeeded":
                        self.assertIn("leads out of the volume", n["message"])
            self.nothing_came_out()
            return all(s == {"Succeeded", "Error"} for s in seen.values())

        until(swap, 600, "both, with each")


if __name__ == "__main__":
    import unittest
    unittest.main()
