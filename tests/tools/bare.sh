#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# bare.sh [--user | --nothing] [--keep] COMMAND...: runs a command on a fresh clone in a bare Debian 12 that has only git
# and make, entered by pivot_root in namespaces of its own, so that the step sandbox works inside as on a real machine.
#
#   (as it is)  as root
#   --user      as an ordinary user; the packages were installed before, by root
#   --nothing   as an ordinary user without capabilities and without user namespaces
#   --keep      use the root file system of the last run again, with what was installed there
#
# Needs root and the package mmdebstrap. Nothing outside build/bare is touched.
set -eu
cd "$(dirname "$0")/../.."
as=root keep=
while :; do
	case ${1-} in
	--user) as=user ;;
	--nothing) as=nothing ;;
	--keep) keep=1 ;;
	*) break ;;
	esac
	shift
done
[ $# -gt 0 ] || { sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 2; }
[ "$(id -u)" = 0 ] || { echo "bare.sh: needs root" >&2; exit 2; }
base=$PWD/build/bare
root=$base/root
mkdir -p "$base"
if [ ! -e "$base/debian.tar" ]; then
	mmdebstrap --quiet --variant=minbase --include=git,make bookworm "$base/debian.tar"
fi
if [ -z "$keep" ] || [ ! -d "$root" ]; then
	rm -rf "$root"
	mkdir -p "$root"
	tar -xf "$base/debian.tar" -C "$root" --exclude='./dev/*'
fi
rm -rf "$root/home/someone/tidegate"
mkdir -p "$root/home/someone" "$root/old"
git clone -q . "$root/home/someone/tidegate"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# Runs inside, after pivot_root. $1: as whom; the rest: the command.
cat >"$root/enter" <<'ENTER'
#!/bin/sh
set -eu
as=$1
shift
mount -t proc proc /proc
mount -t sysfs -o ro sys /sys 2>/dev/null || true
mount --rbind /old/sys/fs/cgroup /sys/fs/cgroup 2>/dev/null || true
mount -t tmpfs -o mode=755 dev /dev
for d in null zero full random urandom tty; do
	touch /dev/$d
	mount --bind /old/dev/$d /dev/$d
done
mkdir /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 pts /dev/pts
ln -s pts/ptmx /dev/ptmx
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=1777 tmp /tmp
umount -l /old
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8
unset XDG_STATE_HOME XDG_RUNTIME_DIR
cd /home/someone/tidegate
if [ "$as" = root ]; then
	export HOME=/root
	exec "$@"
fi
id someone >/dev/null 2>&1 || useradd -d /home/someone -s /bin/sh someone
make deps
chown -R someone: /home/someone
export HOME=/home/someone
case $as in
user) exec setpriv --reuid someone --regid someone --clear-groups --bounding-set=-all "$@" ;;
# A user namespace that maps every id to itself, in which no other can be made: the limit counts for it and what is below,
# and not for the machine.
nothing)
	mkfifo /tmp/mapped
	unshare --user sh -c 'read -r go </tmp/mapped
		exec setpriv --reuid someone --regid someone --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all "$@"' sh "$@" &
	pid=$!
	while [ "$(readlink /proc/$pid/ns/user)" = "$(readlink /proc/self/ns/user)" ]; do :; done
	echo 0 0 4294967295 >/proc/$pid/uid_map
	echo 0 0 4294967295 >/proc/$pid/gid_map
	nsenter --user --target $pid --preserve-credentials sh -c 'echo 0 >/proc/sys/user/max_user_namespaces'
	echo go >/tmp/mapped
	wait $pid
	;;
esac
ENTER
chmod 755 "$root/enter"
env -i TERM="${TERM:-dumb}" ${CI:+CI="$CI"} unshare --mount --pid --ipc --uts --fork --kill-child --propagation private sh -c '
	mount --bind "$1" "$1"
	cd "$1"
	pivot_root . old
	shift
	exec /enter "$@"' sh "$root" "$as" "$@" </dev/null
