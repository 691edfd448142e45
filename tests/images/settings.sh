#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# settings.sh: prints settings with an image table in which the images of Argo's examples are commands of the host and the
# stand-ins beside this file. Paths in settings are absolute, which is why this is not a file.
bin=$(cd "$(dirname "$0")" && pwd)/bin
cat <<END
images:
  - { name: "argoproj/argosay:*", entrypoint: [argosay], path: ["$bin"] }
  - { name: "docker/whalesay:*", cmd: [/bin/bash], path: ["$bin"] }
  - { name: "python:*", cmd: [python], path: ["$bin"] }
  - { name: "busybox:*", cmd: [sh], path: ["$bin"] }
  - { name: "alpine:*", cmd: [/bin/sh], path: ["$bin"] }
  - { name: "debian:*", cmd: [bash], path: ["$bin"] }
  - { name: "*", path: ["$bin"] }
END
