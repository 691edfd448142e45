# SPDX-License-Identifier: Apache-2.0
"""Git artifacts end to end: real repositories over http (git's own server program) and over ssh (OpenSSH's server), with what each asks for; and
repositories that mean harm, which are refused with a reason and change nothing outside."""
import getpass
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import TestCase, free_port, until
from repositories import Repositories

FLOW = """apiVersion: argoproj.io/v1alpha1
kind: Workflow
metadata: {generateName: git-}
spec:
  entrypoint: main
  templates:
  - name: main
    inputs:
      artifacts:
ARTIFACTS
    script:
      image: busybox
      command: [sh, -e]
      source: |
        SCRIPT
"""
LOGIN = "usernameSecret: {name: keys, key: user}, passwordSecret: {name: keys, key: password}"


class Case(Repositories, TestCase):
    def secrets(self, **values):
        lines = "".join(f"  {k}: |-\n" + "".join(f"    {x}\n" for x in v.splitlines()) for k, v in values.items())
        return {"keys.yaml": f"apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData:\n{lines}"}

    def submit(self, d, artifacts, script="true", more=""):
        """Each of `artifacts` by its name; it comes to /tmp/in/NAME."""
        lines = "".join(f"      - {{name: {k}, path: {self.place(d)}/{k}, git: {{{v}}}{more}}}\n" for k, v in artifacts.items())
        text = FLOW.replace("ARTIFACTS\n", lines).replace("SCRIPT", script.replace("IN", self.place(d)))
        return d.submit(text)

    @staticmethod
    def place(d):
        return "/tmp/in"

    def lines(self, d, name):
        w = d.ended(name, 180)
        self.assertEqual(w["status"]["phase"], "Succeeded", w["status"].get("message", "") + "\n" + d.log())
        return [line.split(": ", 1)[-1] for line in d.cli("logs", name, "--no-color").stdout.splitlines()]

    def refused(self, d, name):
        w = d.ended(name, 180)
        self.assertEqual(w["status"]["phase"], "Error")
        return next(iter(w["status"]["nodes"].values()))["message"]


class Git(Case):
    def repository(self):
        """repo.git: main with two commits, the branch `side`, the tag v1 on the first, refs/extra/1 that no clone brings; and a submodule in a submodule."""
        self.shell("git init -q -b main inner; cd inner; echo inner >i; git add .; git commit -q -m i; cd ..; git clone -q --bare inner inner.git; "
                   "git init -q -b main mod; cd mod; echo module >m; git -c protocol.file.allow=always submodule --quiet add ../inner.git in; "
                   "git config -f .gitmodules submodule.in.url ../inner.git; git add .; git commit -q -m m; cd ..; git clone -q --bare mod mod.git; "
                   "git init -q -b main work; cd work; echo one >f; mkdir d; echo deep >d/g; ln -s d/g l; chmod +x f; git add .; git commit -q -m one; git tag v1; "
                   "git checkout -q -b side; echo side >f; git commit -q -a -m side; git checkout -q -b extra; echo extra >f; git commit -q -a -m extra; "
                   "git checkout -q main; echo two >f; git -c protocol.file.allow=always submodule --quiet add ../mod.git sub; "
                   "git config -f .gitmodules submodule.sub.url ../mod.git; git add .; git commit -q -m two; cd ..; git clone -q --bare work repo.git; "
                   "cd repo.git; git update-ref refs/extra/1 extra; git branch -q -D extra; git config uploadpack.allowReachableSHA1InWant true")

    def commit(self, what):
        return subprocess.run(["git", "-C", os.path.join(self.directory, "repo.git"), "rev-parse", what], check=True, capture_output=True, text=True,
                              timeout=60).stdout.strip()

    def test_over_http(self):
        self.repository()
        server = self.git_server(free_port())
        repo = f"repo: 'http://127.0.0.1:{server.server_port}/repo.git', {LOGIN}"
        d = self.daemon(self.secrets(user="ann", password="p w'd"))
        kinds = {"plain": "", "tag": ", revision: v1", "branch": ", revision: side", "commit": f", revision: {self.commit('main~1')}", "shallow": ", depth: 1",
                 "single": ", singleBranch: true, branch: side", "more": ", fetch: ['refs/extra/*:refs/extra/*'], revision: refs/extra/1",
                 "beyond": ", depth: 1, revision: v1", "without": ", disableSubmodules: true", "parent": ", revision: main~1"}
        name = self.submit(d, {k: repo + v for k, v in kinds.items()},
                           "cd IN; for x in *; do echo $x $(cat $x/f) $(cat $x/.git/HEAD) $(cat $x/l) $(cat $x/sub/m $x/sub/in/i 2>&1 | tr '\\n' ' '); done; "
                           "stat -c %a plain/f; if grep -rqa \"p w'd\" plain/.git || grep -q ann plain/.git/config; then echo secret; fi; ls -d */.git/hooks 2>/dev/null || true; "
                           "cat shallow/.git/shallow plain/sub/.git")
        seen = {line.split()[0]: line.split()[1:] for line in self.lines(d, name) if line.split()[0] in kinds}
        one, side, extra = self.commit("main~1"), self.commit("side"), self.commit("refs/extra/1")
        for kind, want in {"plain": ["two", "ref:", "refs/heads/main", "deep", "module", "inner"], "shallow": ["two", "ref:", "refs/heads/main", "deep", "module", "inner"],
                           "tag": ["one", one], "branch": ["side", side], "commit": ["one", one], "single": ["side", "ref:", "refs/heads/side"],
                           "more": ["extra", extra], "beyond": ["one", one], "parent": ["one", one], "without": ["two", "ref:", "refs/heads/main"]}.items():
            self.assertEqual(seen[kind][:len(want)], want, kind)
        self.assertNotIn("inner", seen["without"])
        rest = [line for line in self.lines(d, name) if line.split()[0] not in kinds]
        self.assertEqual((rest[0], rest[-1]), ("755", "gitdir: ../.git/modules/sub"))
        self.assertEqual(set(rest[1:-1]), {one, side, self.commit("main")})  # where the shallow one ends
        self.assertTrue(server.commands)
        self.assertFalse([c for c in server.commands if "w'd" in c or "ann" in c])

    def test_what_is_wrong_is_said_without_the_password(self):
        self.repository()
        server = self.git_server(free_port())
        url = f"http://127.0.0.1:{server.server_port}"
        d = self.daemon(self.secrets(user="ann", password="wr0ng", right="p w'd"))
        good = LOGIN.replace("key: password", "key: right")
        cases = {f"repo: '{url}/repo.git', {LOGIN}": "Authentication failed", f"repo: '{url}/repo.git', {good}, revision: none": "ouldn't find remote ref none",
                 f"repo: '{url}/repo.git', {good}, revision: --upload-pack=x": "is no revision", f"repo: '{url}/none.git', {good}": "not found",
                 f"repo: '{url}/repo.git', {good}, singleBranch: true": "singleBranch needs a branch", f"repo: '{self.directory}/repo.git'": "must begin with https://",
                 f"repo: 'file://{self.directory}/repo.git'": "must begin with https://", "repo: 'ext::sh -c x'": "must begin with https://",
                 f"repo: '{url}/repo.git', {good}, fetch: [--upload-pack=x]": "is no refspec"}
        names = {self.submit(d, {"x": k}): v for k, v in cases.items()}
        for name, reason in names.items():
            message = self.refused(d, name)
            self.assertIn(reason, message)
            self.assertNotIn("wr0ng", message)
        self.assertEqual(self.lines(d, self.submit(d, {"x": f"repo: '{url}/none.git', {good}"}, "ls IN 2>/dev/null || echo none", ", optional: true"))[-1:], ["none"])

    @unittest.skipUnless(os.path.exists("/usr/sbin/sshd"), "openssh-server is not installed")
    def test_over_ssh(self):
        self.repository()
        self.shell("ssh-keygen -q -t ed25519 -N '' -f host; ssh-keygen -q -t ed25519 -N '' -f user; ssh-keygen -q -t ed25519 -N '' -f other")
        port = self.sshd()
        known = os.path.join(self.directory, "known_hosts")
        os.environ["SSH_KNOWN_HOSTS"] = known
        self.addCleanup(os.environ.pop, "SSH_KNOWN_HOSTS")

        def know(key):
            with open(known, "w", encoding="utf-8") as f, open(os.path.join(self.directory, key), encoding="utf-8") as k:
                f.write(f"[127.0.0.1]:{port} " + k.read())

        secrets = {}
        for key in ("user", "other"):
            with open(os.path.join(self.directory, key), encoding="utf-8") as f:
                secrets[key] = f.read()
        d = self.daemon(self.secrets(**secrets))
        repo = f"repo: 'ssh://{getpass.getuser()}@127.0.0.1:{port}{self.directory}/repo.git', sshPrivateKeySecret: {{name: keys, key: KEY}}"
        know("host.pub")
        self.assertEqual(self.lines(d, self.submit(d, {"x": repo.replace("KEY", "user")}, "cat IN/x/f IN/x/sub/in/i"))[-2:], ["two", "inner"])
        self.assertIn("Permission denied", self.refused(d, self.submit(d, {"x": repo.replace("KEY", "other")})))
        know("other.pub")
        self.assertIn("Host key verification failed", self.refused(d, self.submit(d, {"x": repo.replace("KEY", "user")})))
        name = self.submit(d, {"x": repo.replace("KEY", "user") + ", insecureIgnoreHostKey: true, revision: side"}, "cat IN/x/f")
        self.assertEqual(self.lines(d, name)[-1:], ["side"])
        until(lambda: not [f for _, _, fs in os.walk(os.path.join(d.state, "tasks")) for f in fs if f == "key"], what="the key to go")

    def test_an_empty_repository_is_an_empty_folder(self):
        self.shell("git init -q --bare empty.git")
        server = self.git_server(free_port(), login=False)
        d = self.daemon({})
        name = self.submit(d, {"x": f"repo: 'http://127.0.0.1:{server.server_port}/empty.git'"}, "ls -A IN/x")
        self.assertEqual(self.lines(d, name)[-1:], [".git"])

    def test_without_git_it_says_so(self):
        self.shell("git init -q --bare empty.git")
        path = os.environ["PATH"]
        self.addCleanup(os.environ.__setitem__, "PATH", path)
        os.environ["PATH"] = self.directory  # the daemon's
        d = self.daemon({})
        os.environ["PATH"] = path
        self.assertIn("need the program git", self.refused(d, self.submit(d, {"x": "repo: 'http://127.0.0.1:1/empty.git'"})))


# What is done in an empty repository, and what is said of it; OUT is a folder that must stay as it is.
HOSTILE = {
    "absolute": ("ln -s OUT l; git add l", "l is a link to something outside"),
    "parent": ("mkdir d; ln -s ../../x d/l; git add d", "d/l is a link to something outside"),
    "chain": ("mkdir -p a/b; ln -s ../.. a/b/top; ln -s a/b/top/../x out; git add .", "out is a link to something outside"),
    "dotgit": ("b=$(echo '[core] fsmonitor = touch OUT/pwned' | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tconfig\\n' $b | git mktree); "
               "git read-tree $(printf '040000 tree %s\\t.git\\n' $t | git mktree) 2>&1 || TREE=$(printf '040000 tree %s\\t.git\\n' $t | git mktree)", "invalid path"),
    "dotgitcase": ("b=$(echo x | git hash-object -w --stdin); TREE=$(printf '100644 blob %s\\tgit~1\\n' $b | git mktree)", "invalid path"),
    "dotdot": ("b=$(echo x | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tpwned\\n' $b | git mktree); "
               "TREE=$(printf '040000 tree %s\\t..\\n' $t | git mktree)", "invalid path"),
    # A link and a folder of the same name, so that what is in the folder would go where the link leads.
    "twice": ("b=$(printf OUT | git hash-object -w --stdin); t=$(printf '100644 blob %s\\tpwned\\n' $(echo x | git hash-object -w --stdin) | git mktree); "
              "TREE=$({ printf '120000 a\\0'; printf $(echo $b | sed 's/../\\\\x&/g'); printf '40000 a\\0'; printf $(echo $t | sed 's/../\\\\x&/g'); } | "
              "git hash-object -t tree -w --stdin --literally)", ""),
    "bomb": ("t=$(printf '100644 blob %s\\tf\\n' $(echo x | git hash-object -w --stdin) | git mktree); for i in 1 2 3 4 5 6 7 8; do "
             "t=$(for j in 0 1 2 3 4 5 6 7 8 9; do printf '040000 tree %s\\t%s\\n' $t $j; done | git mktree); done; TREE=$t", "has more than 5000 files"),
    "option": (".gitmodules -u./pwn mod sub", "No url found for submodule path 'sub'"),
    "ext": (".gitmodules 'ext::sh -c \"touch OUT/pwned\"' mod sub", "has no URL"),
    "file": (".gitmodules file://OUT/repo mod sub", "has no URL"),
    "name": (".gitmodules http://127.0.0.1:1/x ../../../../OUT/pwned sub", "No url found for submodule path 'sub'"),
    "deep": ("b=$(printf '[submodule \"m\"]\\n\\tpath = sub\\n\\turl = URL/deep.git\\n' | git hash-object -w --stdin); C=$(git commit-tree -m x $(git mktree </dev/null)); "
             "for i in 1 2 3 4 5 6 7 8 9 10 11; do TREE=$(printf '100644 blob %s\\t.gitmodules\\n160000 commit %s\\tsub\\n' $b $C | git mktree --missing); "
             "C=$(git commit-tree -m x $TREE); git branch keep-$i $C; done", "deep in each other"),
    "command": (".gitmodules URL/absent.git mod sub '!touch OUT/pwned'", ""),
    "linked": ("b=$(printf OUT/config | git hash-object -w --stdin); "
               "TREE=$(printf '120000 blob %s\\t.gitmodules\\n160000 commit %040d\\tsub\\n' $b 1 | git mktree --missing)", "invalid path"),
    "attributes": ("echo '* filter=evil diff=evil merge=evil' >.gitattributes; echo x >x; git add -A 2>/dev/null", None),
    "hooks": ("mkdir hooks; printf '#!/bin/sh\\ntouch OUT/pwned\\n' >hooks/post-checkout; chmod +x hooks/post-checkout; git add -A", None),
}


class Hostile(Case):
    def make(self, name, how, url, out):
        """URL/NAME.git"""
        if how.startswith(".gitmodules "):
            how = f"""set -- {how[12:]}; printf '[submodule "%s"]\\n\\tpath = %s\\n\\turl = "%s"\\n' "$2" "$3" "$(printf %s "$1" | sed 's/"/\\\\"/g')" >.gitmodules; """ \
                  """[ $# -lt 4 ] || printf '\\tupdate = %s\\n' "$4" >>.gitmodules; """ \
                  """git add .gitmodules; git update-index --add --cacheinfo 160000,$(printf %040d 1),sub"""
        how = how.replace("OUT", out).replace("URL", url)
        self.shell(f"git init -q -b main work-{name}; cd work-{name}; TREE=; {how}; [ -n \"$TREE\" ] || TREE=$(git write-tree); "
                   f"git update-ref refs/heads/main $(git commit-tree -m x $TREE); git clone -q --bare . ../{name}.git")

    @staticmethod
    def look(path):
        return subprocess.run(["find", path, "-printf", "%p %m %s %T@ %l\n"], check=True, capture_output=True, text=True, timeout=60).stdout

    def test_what_leads_out_is_refused(self):
        out = tempfile.mkdtemp(prefix="tidegate-test-out-")
        self.addCleanup(shutil.rmtree, out, ignore_errors=True)
        self.shell(f"git init -q {out}/repo; echo kept >{out}/kept; printf '[submodule \"m\"]\\n\\tpath = sub\\n\\turl = http://127.0.0.1:1/x\\n' >{out}/config")
        server = self.git_server(free_port(), login=False)
        url = f"http://127.0.0.1:{server.server_port}"
        for name, (how, _) in HOSTILE.items():
            self.make(name, how, url, out)
        before = self.look(out)
        settings = os.path.join(self.directory, "settings.yaml")
        with open(settings, "w", encoding="utf-8") as f:
            f.write("artifactFiles: 5000\n")
        d = self.daemon({}, "--config", settings)
        names = {name: self.submit(d, {"x": f"repo: '{url}/{name}.git'"}, "ls IN/x") for name in HOSTILE}
        for name, (_, reason) in HOSTILE.items():
            with self.subTest(name):
                if reason is None:
                    self.lines(d, names[name])
                elif reason or d.ended(names[name], 180)["status"]["phase"] == "Error":
                    self.assertIn(reason, self.refused(d, names[name]))
        self.assertEqual(self.look(out), before)


if __name__ == "__main__":
    unittest.main()
