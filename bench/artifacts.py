# SPDX-License-Identifier: Apache-2.0
"""artifacts: a file and a tree from step to step, and a file to S3, beside cp, tar and curl. Both sides end with what they wrote on the disk."""
import contextlib
import os
import shutil

from common import ROUNDS, TOP, Server, free_port, run_workflow, timed, workflow_head, write

MIB, FILES = int(os.environ.get("BENCH_MIB", "1024")), 10000
KEYS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench-secret", "AWS_REGION": "us-east-1"}


def large_file(work):
    path = os.path.join(work, "large")
    if not os.path.exists(path):
        with open(path, "wb") as f:
            for _ in range(MIB):
                f.write(os.urandom(1 << 20))
    return path


def small_files(work):
    path = os.path.join(work, "small")
    for i in range(FILES if not os.path.exists(path) else 0):
        os.makedirs(os.path.join(path, str(i % 100)), exist_ok=True)
        write(os.path.join(path, str(i % 100)), f"{i}.txt", f"file {i}\n" * 100)
    return path


def passing(path, to, archive):
    """A step leaves what is there already; the next takes it."""
    return workflow_head("pass") + f"""    - name: give
      container: {{image: any, command: [/bin/true]}}
      outputs: {{artifacts: [{{name: x, path: {path}{archive}}}]}}
    - name: take
      inputs: {{artifacts: [{{name: x, path: {to}}}]}}
      container: {{image: any, command: [/bin/true]}}
    - name: main
      steps:
        - - {{name: give, template: give}}
        - - {{name: take, template: take, arguments: {{artifacts: [{{name: x, from: "{{{{steps.give.outputs.artifacts.x}}}}"}}]}}}}
"""


def through(work):
    path, to = large_file(work), os.path.join(work, "large.taken")
    manifest = write(work, "pass.yaml", passing(path, to, ", archive: {none: {}}"))
    for i in range(ROUNDS):
        other = f"{to}.{i}"
        yield run_workflow(work, manifest, "off"), timed(["sh", "-c", 'cp "$1" "$2" && sync "$2"', "sh", path, other])
        os.unlink(other)


def tree(work):
    path, to = small_files(work), os.path.join(work, "small.taken")
    manifest = write(work, "tree.yaml", passing(path, to, ""))
    for i in range(ROUNDS):
        other = f"{to}.{i}"
        os.mkdir(other)
        yield run_workflow(work, manifest, "off"), timed(
            ["sh", "-c", 'tar -czf "$2/x.tgz" -C "$1" . && tar -xzf "$2/x.tgz" -C "$2" && sync "$2/x.tgz"', "sh", path, other])
        shutil.rmtree(other)
        shutil.rmtree(to, ignore_errors=True)


@contextlib.contextmanager
def bucket(work):
    port = free_port()
    program = os.path.join(TOP, "build", "minio", "minio")
    if not os.path.exists(program):
        raise RuntimeError("make build/minio/.installed first")
    environment = dict(os.environ, MINIO_ROOT_USER=KEYS["AWS_ACCESS_KEY_ID"], MINIO_ROOT_PASSWORD=KEYS["AWS_SECRET_ACCESS_KEY"], MINIO_BROWSER="off",
                       MINIO_CI_CD="1", HOME=work)
    with Server([program, "server", "--quiet", "--address", f"127.0.0.1:{port}", os.path.join(work, "minio")], port, env=environment):
        url = f"http://127.0.0.1:{port}/bench"
        timed(["curl", "-sf", "--retry", "20", "--retry-all-errors", *curl_keys(), "-X", "PUT", url])
        yield port, url


def curl_keys():
    return ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{KEYS['AWS_ACCESS_KEY_ID']}:{KEYS['AWS_SECRET_ACCESS_KEY']}"]


def upload(work):
    path = large_file(work)
    os.environ.update(KEYS)
    with bucket(work) as (port, url):
        manifest = write(work, "s3.yaml", workflow_head("s3") + f"""    - name: main
      container: {{image: any, command: [/bin/true]}}
      outputs:
        artifacts:
          - name: x
            path: {path}
            archive: {{none: {{}}}}
            s3: {{endpoint: "127.0.0.1:{port}", insecure: true, bucket: bench, key: ours, useSDKCreds: true}}
""")
        for _ in range(ROUNDS):
            yield run_workflow(work, manifest, "off"), timed(["curl", "-sf", *curl_keys(), "-T", path, url + "/theirs"])
