#!/bin/sh
# Installs the rivals, on Debian and as root where something is missing, and runs the benchmark with the given
# arguments. Go and Node.js with npm must be there.
set -eu
cd "$(dirname "$0")/../.."

if ! command -v haproxy || ! command -v nginx || ! command -v redis-server || ! [ -e /usr/lib/nginx/modules/ngx_stream_module.so ]; then
	# Debian starts what it installs, unless a policy says no.
	policy=/usr/sbin/policy-rc.d
	if [ -e $policy ]; then
		policy=
	else
		trap 'rm -f $policy' EXIT
		printf '#!/bin/sh\nexit 101\n' >$policy
		chmod +x $policy
	fi
	apt-get update -q
	apt-get install -qy --no-install-recommends haproxy nginx libnginx-mod-stream redis-server
	trap - EXIT
	rm -f $policy
fi >&2
npm ci --prefix integration/bench --no-audit --no-fund --ignore-scripts >&2

# Not by go run, which would not pass a signal on.
go build -o integration/bench/bench ./integration/bench
exec integration/bench/bench "$@"
