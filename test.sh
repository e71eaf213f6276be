#!/bin/sh
# Installs what the tests need, on Debian and as root where something is missing, and runs them all.
# Go, Node.js with npm, and git must be there.
set -eu
cd "$(dirname "$0")"

# The race detector needs a C compiler.
if ! command -v cc >/dev/null; then
	apt-get update -q
	apt-get install -qy --no-install-recommends gcc=4:12.2.0-3 libc6-dev
fi
npm ci --prefix integration/node --no-audit --no-fund

unformatted=$(go tool gofumpt -l .)
if [ -n "$unformatted" ]; then
	echo "not formatted with gofumpt:" "$unformatted" >&2
	exit 1
fi
go vet ./...
go tool staticcheck ./...
for system in linux darwin windows; do
	for machine in amd64 arm64; do
		GOOS=$system GOARCH=$machine go build ./...
		GOOS=$system GOARCH=$machine go vet ./l4sticky/... ./caddyfile/... ./middleware/... ./privileges/...
	done
done

# One package at a time: some have limits of time, and many use up ports.
go test -race -p 1 -timeout 20m ./...
