#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh check|install [goals of make]: are the packages of docs/packages.txt there; install what is missing.
# As root, or with sudo without a password; otherwise prints the one command to run and fails.
set -eu
mode=$1
shift
cd "$(dirname "$0")/../.."
groups=build
for goal in "$@"; do
	case $goal in
	demo | test | check | unit | conformance | fuzz*) groups="$groups test" ;;
	integration)
		groups="$groups test kafka queues ceph kerberos"
		command -v npm >/dev/null || groups="$groups integration" # wherever it came from
		command -v go >/dev/null || groups="$groups go"
		;;
	bench) groups="$groups test bench" ;;
	lint) groups="$groups lint" ;;
	esac
done
wanted=
for g in $groups; do
	wanted="$wanted $(sed -n "s/^$g //p" docs/packages.txt)"
done
missing=
for p in $wanted; do
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
[ "$mode" = install ] || exit 1
as_root=
if [ "$(id -u)" != 0 ]; then
	if sudo -n true 2>/dev/null; then
		as_root=sudo
	else
		echo "run this once, then again what you ran: sudo apt-get update && sudo apt-get install -y --no-install-recommends$missing" >&2
		exit 1
	fi
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root apt-get install -y -qq --no-install-recommends $missing
