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
chmod 755 "$made" # some tests run the binary as another user

black_box=$(go list "$@" | grep '/integration$' || true)

# The race detector needs a C compiler.
if ! command -v cc >/dev/null; then
	say "installing a C compiler"
	apt-get update -q
	apt-get install -qy --no-install-recommends gcc=4:12.2.0-3 libc6-dev
fi
installed=integration/node/node_modules/.package-lock.json
if [ "$black_box" ] && ! [ $installed -nt integration/node/package-lock.json ]; then
	say "installing Node modules"
	npm ci --prefix integration/node --no-audit --no-fund
	touch $installed
fi

say "checking the format"
unformatted=$(go tool gofumpt -l .)
if [ -n "$unformatted" ]; then
	echo "not formatted with gofumpt:" "$unformatted" >&2
	exit 1
fi

# The checks, the tests and the binary are built with the same flags, so that what they import is compiled once. The virtual
# machine of scripts, whose memory one goroutine has at a time, is not ours, and would be fifty times slower.
unwatched='-gcflags=modernc.org/...=-race=false'
flags="-race -trimpath $unwatched"
if [ "$black_box" ]; then
	say "building the binary under test"
	GOFLAGS=$unwatched go run ./build -race -o "$made/caddy" >"$made/log" 2>&1 || { cat "$made/log" >&2; exit 1; }
	export CADDY_BIN="$made/caddy"
fi
say "vetting"
GOFLAGS=$flags go vet "$@"
say "running staticcheck"
staticcheck=$(go tool -n staticcheck)
GOFLAGS=$flags "$staticcheck" "$@"
if [ "$everything" ]; then
	say "type-checking for other systems"
	# The black-box tests need Linux.
	go run ./build/crosscheck darwin/amd64,windows/amd64,linux/arm64 $(go list ./... | grep -v '/integration$')
fi

# The chaos run has the machine for itself: it looks at what happens when.
export GORACE=atexit_sleep_ms=0 # else each program that the race detector watches takes a second to end
say "testing"
GOFLAGS=$flags go test -vet=off $short -timeout 20m -skip '^TestChaos$' "$@"
if [ "$black_box" ]; then
	say "testing in chaos"
	GOFLAGS=$flags go test -vet=off $short -timeout 20m -run '^TestChaos$' ./integration
fi
say "done"
