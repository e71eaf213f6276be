#!/bin/sh
# Runs Redis, three targets and three nodes until it is interrupted.
#
# CADDY is the binary, PORTS and ADMIN_PORTS are those of the nodes, TARGET_PORTS those of the targets, and REDIS_PORT is that of Redis.
set -eu
cd "$(dirname "$0")"

folder=$(mktemp -d)
started=
stop() {
	trap - EXIT INT TERM
	kill $started 2>/dev/null || true
	wait
	rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

redis=${REDIS_PORT:-6390}
redis-server --bind 127.0.0.1 --port "$redis" --save '' --appendonly no --dir "$folder" >/dev/null &
started=$!

targets=
for port in ${TARGET_PORTS:-7001 7002 7003}; do
	node server.js "$port" &
	started="$started $!"
	targets="$targets 127.0.0.1:$port"
done

set -- ${ADMIN_PORTS:-2021 2022 2023}
for port in ${PORTS:-8081 8082 8083}; do
	# Each node has folders of its own, as if it were on another machine.
	XDG_DATA_HOME=$folder/$port XDG_CONFIG_HOME=$folder/$port \
		PORT=$port ADMIN=$1 REDIS=127.0.0.1:$redis TARGETS=$targets "${CADDY:-caddy}" run &
	started="$started $!"
	shift
done
wait
