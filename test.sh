#!/bin/sh
# Installs what the tests need, on Debian and as root where something is missing, and runs the checks and the tests.
# Go, Node.js with npm, and git must be there.
#
#	./test.sh                            everything
#	./test.sh ./l4sticky/...             the checks and tests of some packages
#	./test.sh -short ./middleware/...    those that don't take long
set -eu
cd "$(dirname "$0")"

short=
if [ "${1-}" = -short ]; then
	short=-short
	shift
fi
everything=
if [ $# -eq 0 ]; then
	everything=yes
	set -- ./...
fi

began=$(date +%s)
say() { echo "[$(($(date +%s) - began)) s] $*"; }

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
trap 'trap "" TERM; kill 0; exit 130' INT # what runs in the background, too
chmod 755 "$made" # some tests run the binary as another user

black_box=$(go list "$@" | grep '/integration$' || true)
white_box=$(go list "$@" | grep -v '/integration$' | sort -r) # those with scripts, which take long, are the first then

# The race detector needs a C compiler.
if ! command -v cc >/dev/null; then
	say "installing a C compiler"
	apt-get update -q
	apt-get install -qy --no-install-recommends gcc=4:12.2.0-3 libc6-dev
fi
# The tests of the session store start servers of their own. The one that comes with a package is not started.
if ! command -v redis-server >/dev/null || ! command -v redis-sentinel >/dev/null; then
	say "installing Redis"
	apt-get update -q
	RUNLEVEL=1 apt-get install -qy --no-install-recommends redis-server redis-sentinel
fi
installed=integration/node/node_modules/.package-lock.json
if [ "$black_box" ] && ! [ $installed -nt integration/node/package-lock.json ]; then
	say "installing Node modules"
	npm ci --prefix integration/node --no-audit --no-fund
	touch $installed
fi

# All steps build with the same flags, so that what they import is compiled once. No debugger looks at the outcome: what one would
# read is a sixth of a compiler's work.
lean=-gcflags=all=-dwarf=false
# The virtual machine of scripts, whose memory one goroutine has at a time, is not ours, and would be fifty times slower under the race
# detector. No other package is left out: what the compiler inlines there or instantiates for all would hide locks from the detector.
unwatched="$lean '-gcflags=modernc.org/...=-dwarf=false -race=false'"
flags="-race -trimpath $unwatched"

# build runs what compiles or checks. It collects less garbage, within a bound.
build() { env GOGC=400 GOMEMLIMIT=2GiB "$@"; }
# tool runs a tool of go.mod, which is not built for the race detector, on packages that are.
tool() { GOFLAGS=$flags build go run -race=false -trimpath=false "$lean" "$@"; }

say "checking the format"
unformatted=$(tool mvdan.cc/gofumpt -l .)
if [ -n "$unformatted" ]; then
	echo "not formatted with gofumpt:" "$unformatted" >&2
	exit 1
fi
say "vetting"
GOFLAGS=$flags build go vet "$@"

# From here on, two and more things happen at a time, because most tests wait for most of their time. What failed is told at the end.
failed=
export GORACE=atexit_sleep_ms=0 # else each program that the race detector watches takes a second to end
run() { GOFLAGS=$flags go test -vet=off $short -timeout 20m "$@"; }
checks() {
	tool honnef.co/go/tools/cmd/staticcheck "$@" || return
	if [ "$everything" ]; then
		# The black-box tests need Linux.
		GOFLAGS=$lean build go run ./build/crosscheck darwin/amd64,windows/amd64,linux/arm64 $white_box
	fi
}

say "testing${white_box:+ the packages}"
if [ "$white_box" ]; then
	run $white_box &
	white_box_tests=$!
fi
if [ "$black_box" ]; then
	say "building the binary under test"
	GOFLAGS=$unwatched build go run ./build -race -o "$made/caddy" >"$made/log" 2>&1 || { cat "$made/log" >&2; failed="$failed build"; }
	export CADDY_BIN="$made/caddy"
fi
say "running staticcheck${everything:+, and type-checking for other systems}"
checks "$@" >"$made/checks" 2>&1 &
checking=$!
renice -n 19 -p $checking >/dev/null # it takes what the tests leave
if [ "$black_box" ] && [ -z "$failed" ]; then
	say "testing the binary"
	run -skip '^TestChaos$' ./integration || failed="$failed black-box-tests"
fi
[ -z "$white_box" ] || wait $white_box_tests || failed="$failed tests"
wait $checking || { cat "$made/checks" >&2; failed="$failed checks"; }
# The chaos run has the machine for itself: it looks at what happens when.
if [ "$black_box" ] && [ -z "$failed" ]; then
	say "testing in chaos"
	run -run '^TestChaos$' ./integration || failed="$failed chaos"
fi
if [ "$failed" ]; then
	say "failed:$failed"
	exit 1
fi
say "done"
