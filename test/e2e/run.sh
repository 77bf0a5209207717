#!/bin/sh
# Runs the e2e tests against a Docker Engine of their own, apart from the machine: own network (so no port and no bridge
# can collide with a Docker that runs here, and nothing gets out), own mounts, own process ids (so that nothing the tests
# started can outlive them, however they end). Arguments are names of suites, such as gc, or go to vitest. Needs root on Debian or Ubuntu.
set -eu

# program:package[,package]. apt-get installs the packages of the programs that are missing.
needed="dockerd:docker.io docker:docker.io iptables:iptables ip:iproute2 unshare:util-linux"
# The clients of the matrix.
needed="$needed ctr:containerd podman:podman buildah:buildah skopeo:skopeo curl:curl"
# What builds the real registry, the S3 server and more clients. An old one fetches a newer toolchain (test/support/goPrograms.ts).
needed="$needed go:golang-go"
# What unpacks the clients of the current Debian release (test/support/currentDebian.ts).
needed="$needed mmdebstrap:mmdebstrap,debian-archive-keyring"
# What makes the program file smaller (scripts/programFile.ts).
needed="$needed strip:binutils"
# What a node is prepared over.
needed="$needed sshd:openssh-server ssh:openssh-client"

cd "$(dirname "$0")/../.."
PATH=$PATH:/usr/sbin:/sbin:/usr/local/go/bin
export PATH

if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
	echo "The end-to-end tests start a Docker Engine of their own, which needs root on Linux: sudo -E npm run test:e2e" >&2
	exit 1
fi

install_missing() {
	missing=""
	for entry in $needed; do
		command -v "${entry%%:*}" >/dev/null || missing="$missing $(echo "${entry#*:}" | tr , ' ')"
	done
	if [ -z "$missing" ]; then return; fi
	if ! command -v apt-get >/dev/null; then
		echo "The end-to-end tests need what these Debian packages bring:$missing. There is no apt-get to install them." >&2
		exit 1
	fi
	if [ "$1" = --check ]; then return; fi
	echo "Installing$missing with apt-get"
	# Debian's packages ask this file before they start a service (invoke-rc.d(8)); none shall run after the tests.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update >/dev/null
	# shellcheck disable=SC2086 # One word for each package.
	apt-get install -y --no-install-recommends $missing >/dev/null
}
# In a shell of its own, so that its trap ends with it.
(install_missing "${1:-}")
# With --check alone: whether they can run here.
if [ "${1:-}" = --check ]; then exit 0; fi

# The tests have no network, so the packages of the stand-in images are fetched before.
HEPHAESTUS_CACHE=${HEPHAESTUS_CACHE:-$PWD/.demo/cache}
export HEPHAESTUS_CACHE
prefetch() { npx tsx test/e2e/prefetch.ts "$HEPHAESTUS_CACHE" "$@"; }
engine29=$HEPHAESTUS_CACHE/engine29
# With --prefetch alone, that is all.
if [ "${1:-}" = --prefetch ]; then
	prefetch
	exit
fi

# A suite by its name is its file.
previous=
for word; do
	shift
	case $previous in
	-t | --testNamePattern) set -- "$@" "$word" ;;
	*) if [ -f "test/e2e/$word.test.ts" ]; then set -- "$@" "test/e2e/$word.test.ts"; else set -- "$@" "$word"; fi ;;
	esac
	previous=$word
done

# The tests start what was built.
npm run --silent build

# The suite engine29 runs with that engine, and with HEPHAESTUS_ENGINE=29 every suite that is named does. To build it takes many minutes.
case " $* " in *" test/e2e/engine29.test.ts "*) HEPHAESTUS_ENGINE=29 ;; esac
if [ "${HEPHAESTUS_ENGINE:-}" = 29 ]; then prefetch "$engine29"; else prefetch; fi

# Short, since the engine's socket paths must be (107 bytes). Everything the tests write goes there.
TMPDIR=$(mktemp -d /tmp/heph.XXXXXX)
export TMPDIR
running=
# With the first process of a namespace of process ids the kernel ends all others in it.
end_all() {
	for pid in $running; do
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" || true
	done
	rm -rf "$TMPDIR"
}
trap end_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The CLI of Debian 12 (20.10) is the oldest that the README promises: parts of the tests run with it, whatever else is
# installed, and the others with the first docker in PATH. A docker named in HEPHAESTUS_DOCKER is the first for all.
default_cli=${HEPHAESTUS_DOCKER:-$(command -v docker)}
debian_cli=${HEPHAESTUS_DOCKER:-/usr/bin/docker}
if [ ! -x "$debian_cli" ]; then debian_cli=$default_cli; fi

# Go's programs (dockerd with all that it starts, docker, the clients) collect garbage less often: a tenth of their processor time, for
# 70 MB of each engine. Most of them end before they would begin.
GOGC=400
export GOGC

# isolated PART DOCKER VITEST_ARGUMENTS: in the background. DOCKER is a docker command, or a folder with an engine 29 too. A tmpfs on /run hides the sockets of a Docker or containerd of the
# machine. The shell stays the first process and collects orphans; exec would leave that to node, which does not.
isolated() {
	HEPHAESTUS_PART=$1
	export HEPHAESTUS_PART
	first=$TMPDIR/docker$1
	mkdir "$first"
	if [ -d "$2" ]; then ln -s "$2"/* "$first/"; else ln -s "$2" "$first/docker"; fi
	shift 2
	# shellcheck disable=SC2016 # Expanded by the inner shell.
	PATH=$first:$PATH unshare --net --mount --pid --fork --kill-child --mount-proc sh -c '
		mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
		echo "These tests run with $(docker --version): $*"
		npx vitest run --project e2e "$@"
		exit $?
	' sh "$@" &
	running="$running $!"
}

# Without arguments all tests run, in parts, several at once, each with an engine of its own: most of the time they wait.
# Suites that share the Swarm of three nodes are in one part.
if [ $# = 0 ]; then
	rolls="rotation safety days passwords library deploy history backup ownership edge notifications maintain bundle program"
	faults="faults gc diff doctor goingBack size metrics whole mirror"
	# shellcheck disable=SC2046,SC2086 # One argument for each file.
	isolated -rolls "$debian_cli" $(printf 'test/e2e/%s.test.ts ' $rolls) >"$TMPDIR/rolls.log" 2>&1
	# shellcheck disable=SC2046,SC2086
	isolated -faults "$debian_cli" $(printf 'test/e2e/%s.test.ts ' $faults) >"$TMPDIR/faults.log" 2>&1
	isolated "" "$default_cli" --exclude "test/e2e/{$(echo "$rolls $faults" engine29 | tr ' ' ,)}.test.ts"
	# The others run while it is built, the first time. Without it, its own part fails.
	nice npx tsx test/e2e/prefetch.ts "$HEPHAESTUS_CACHE" "$engine29" || true
	isolated -engine29 "$engine29" test/e2e/engine29.test.ts >"$TMPDIR/engine29.log" 2>&1
elif [ "${HEPHAESTUS_ENGINE:-}" = 29 ]; then
	isolated "" "$engine29" "$@"
else
	isolated "" "$default_cli" "$@"
fi
status=0
for pid in $running; do wait "$pid" || status=$?; done
running=
if [ $# = 0 ]; then cat "$TMPDIR/rolls.log" "$TMPDIR/faults.log" "$TMPDIR/engine29.log"; fi
exit "$status"
