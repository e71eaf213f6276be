package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// site is where a balancer works.
type site struct {
	dir     string // for its files, empty at first
	listen  string // where its clients come
	targets []string
	redis   string // the address of a redis-server, for balancers that use one
	// What goes before the listening address in the Caddyfile of ours, such as "seamless/".
	network string
	// How many connections it must be ready for.
	conns int
	// Where npm has put LoadBalancer.js.
	script string
}

// The programs that balancers are run by.
const (
	toolCaddy   = "caddy"
	toolHAProxy = "haproxy"
	toolNginx   = "nginx"
	toolNode    = "node"
	toolRedis   = "redis-server" // which balances nothing
)

// balancer is one way to get from the clients to the targets.
type balancer struct {
	name string
	tool string // one of the above, or none for the direct way
	note string // how it is configured, for the reader of the results
	// Returns what goes into the config file.
	config func(site) string
	env    []string
	redis  bool // a redis-server runs beside it
	// Tells whether it takes part where its name is not given.
	standard bool
	// Takes part only in scenarios whose names begin with one of these, or in all that it can if there are none.
	only []string
}

// balancers returns all, in the order of the tables.
func balancers() []balancer {
	haproxy := func(threads int, lines ...string) func(site) string {
		return func(s site) string { return haproxyConfig(s, threads, lines...) }
	}
	nginx := func(workers int) func(site) string { return func(s site) string { return nginxConfig(s, workers) } }
	legacy := func(workers int) func(site) string {
		return func(s site) string { return loadBalancerConfig(s, workers) }
	}
	all := []balancer{
		{name: "ours", tool: toolCaddy, config: oursConfig, note: "`sticky_proxy` as it comes, all cores"},
		{
			name: "ours-1core", tool: toolCaddy, config: oursConfig, note: "the same with GOMAXPROCS=1",
			env: []string{"GOMAXPROCS=1"}, only: []string{"conn", "trips", "bulk"},
		},
		{
			name: "caddy-l4", tool: toolCaddy, config: caddyL4Config,
			note: "caddy-l4's `proxy` in the same binary, `lb_policy ip_hash`, retries and passive checks on",
		},
		{name: "haproxy", tool: toolHAProxy, config: haproxy(1), note: "one thread, `balance source`, consistent hash"},
		{
			name: "haproxy-splice", tool: toolHAProxy, config: haproxy(1, "option splice-auto"),
			note: "the same with `option splice-auto`", only: []string{"bulk"},
		},
		{
			name: "haproxy-2", tool: toolHAProxy, config: haproxy(2), note: "the same with two threads, as it comes on two cores",
			only: []string{"conn", "trips"},
		},
		{name: "nginx", tool: toolNginx, config: nginx(1), note: "one worker, `hash $remote_addr consistent`"},
		{name: "loadbalancer.js", tool: toolNode, config: legacy(1), note: "one worker, `stickiness: true`"},
		{
			name: "ours-embedded", tool: toolCaddy, config: scripted("embedded"), only: []string{"script"},
			note: "`ours` behind a `script` that lets everybody in, in the embedded runtime",
		},
		{
			name: "ours-node", tool: toolCaddy, config: scripted("node"), only: []string{"script"},
			note: "the same with the script in Node.js",
		},
		{
			name: "loadbalancer.js-script", tool: toolNode, config: legacyScripted, only: []string{"script"},
			note: "`loadbalancer.js` with the same script",
		},
		{
			name: "ours-redis", tool: toolCaddy, config: redisConfig, redis: true, only: []string{"store"},
			note: "`ours` with `session_store redis` on the same machine",
		},
		{name: "direct", note: "no balancer: clients connect to the targets"},
	}
	for i := range all {
		all[i].standard = true
	}
	return append(
		all,
		balancer{
			name: "haproxy-stick", tool: toolHAProxy, config: haproxy(1, "stick-table type ip size 1m expire 30s", "stick on src"),
			note: "one thread, a stick-table by source with an expiry of 30 s",
		},
		balancer{name: "nginx-2", tool: toolNginx, config: nginx(2), note: "`nginx` with two workers"},
		balancer{name: "loadbalancer.js-2", tool: toolNode, config: legacy(2), note: "`loadbalancer.js` with two workers"},
	)
}

// command returns the name of the config file in the site's folder, and the arguments of the program that reads it.
func (b balancer) command(s site) (path string, args []string) {
	switch b.tool {
	case toolHAProxy:
		path = filepath.Join(s.dir, "haproxy.cfg")
		return path, []string{"-W", "-f", path}
	case toolNginx:
		path = filepath.Join(s.dir, "nginx.conf")
		return path, []string{"-p", s.dir, "-c", path, "-e", "stderr"}
	case toolNode:
		path = filepath.Join(s.dir, "config.json")
		return path, []string{s.script, "--config", path}
	}
	path = filepath.Join(s.dir, "Caddyfile")
	return path, []string{"run", "--config", path, "--adapter", "caddyfile"}
}

// plays tells whether the balancer takes part in a scenario of this name.
func (b balancer) plays(scenario string) bool {
	return len(b.only) == 0 || slices.ContainsFunc(b.only, func(beginning string) bool { return strings.HasPrefix(scenario, beginning) })
}

// adminSocket is the file of Caddy's admin API in the site's folder.
const adminSocket = "admin"

// caddyfile returns a Caddyfile with one layer4 server. What connections cost is not to be logged, but trouble is.
func caddyfile(s site, listen, handler string) string {
	return fmt.Sprintf(`{
	admin unix/%s
	persist_config off
	layer4 {
		%s {
			route {
				%s
			}
		}
	}
}
`, filepath.Join(s.dir, adminSocket), listen, handler)
}

func oursConfig(s site) string {
	return caddyfile(s, s.network+s.listen, "sticky_proxy "+strings.Join(s.targets, " "))
}

func redisConfig(s site) string {
	return caddyfile(s, s.network+s.listen, "sticky_proxy "+strings.Join(s.targets, " ")+" {\n\t\t\t\t\tsession_store redis "+s.redis+"\n\t\t\t\t}")
}

// allowAll is a script that lets everybody in.
const allowAll = `module.exports.run = (balancer) => balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, (socket, next) => next());`

// scriptFile writes the script into the site's folder and returns its path. A balancer that can't read it does not start.
func scriptFile(s site) string {
	path := filepath.Join(s.dir, "allow.js")
	_ = os.WriteFile(path, []byte(allowAll), 0o600)
	return path
}

// scripted returns the config of ours with the script in a runtime.
func scripted(runtime string) func(site) string {
	return func(s site) string {
		config := caddyfile(s, s.network+s.listen, "sticky_proxy "+strings.Join(s.targets, " "))
		matcher := "@allowed middleware {\n\t\t\t\tscript " + scriptFile(s) + " {\n\t\t\t\t\truntime " + runtime + "\n\t\t\t\t}\n\t\t\t}\n\t\t\troute @allowed {"
		return strings.Replace(config, "route {", matcher, 1)
	}
}

// legacyScripted is the config.json of LoadBalancer.js with the script.
func legacyScripted(s site) string {
	path, _ := json.Marshal(scriptFile(s))
	return strings.Replace(loadBalancerConfig(s, 1), "{\n", "{\n\t\"balancerControllerPath\": "+string(path)+",\n", 1)
}

func caddyL4Config(s site) string {
	return caddyfile(s, s.listen, `proxy {
					upstream `+strings.Join(s.targets, "\n\t\t\t\t\tupstream ")+`
					lb_policy ip_hash
					lb_try_duration 5s
					lb_try_interval 10ms
					fail_duration 30s
				}`)
}

// haproxyConfig has one thread by default, which costs the least per connection: threads share the listener, the queues and
// the locks.
func haproxyConfig(s site, threads int, lines ...string) string {
	if !slices.ContainsFunc(lines, func(line string) bool { return strings.HasPrefix(line, "stick") }) {
		lines = append([]string{"balance source", "hash-type consistent"}, lines...)
	}
	for i, target := range s.targets {
		lines = append(lines, fmt.Sprintf("server t%d %s check inter 2s observe layer4 error-limit 1 on-error mark-down", i, target))
	}
	return fmt.Sprintf(`global
	nbthread %d
	maxconn %d
	maxpipes 64
	stats socket %s mode 600 level admin expose-fd listeners

defaults
	mode tcp
	timeout connect 1s
	timeout client 1h
	timeout server 1h
	retries 3
	option redispatch 1

listen balancer
	bind %s backlog 4096
	%s
`, threads, s.conns, filepath.Join(s.dir, "stats"), s.listen, strings.Join(lines, "\n\t"))
}

// nginxConfig gives nginx the module from the place where Debian has it, and lets the workers be who the other balancers are.
func nginxConfig(s site, workers int) string {
	return fmt.Sprintf(`load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
pid %s;
worker_processes %d;
worker_rlimit_nofile %d;
error_log stderr crit;
events {
	worker_connections %d;
}
stream {
	access_log off;
	upstream targets {
		hash $remote_addr consistent;
		server %s max_fails=1 fail_timeout=30s;
	}
	server {
		listen %s backlog=4096;
		proxy_pass targets;
		proxy_connect_timeout 1s;
		proxy_timeout 1h;
	}
}
`, filepath.Join(s.dir, "nginx.pid"), workers, 2*s.conns+500, 2*s.conns+200,
		strings.Join(s.targets, " max_fails=1 fail_timeout=30s;\n\t\tserver "), s.listen)
}

// loadBalancerConfig is a config.json. The program listens on all addresses, and can not be told otherwise.
func loadBalancerConfig(s site, workers int) string {
	type target struct {
		Host string `json:"host"`
		Port int    `json:"port"`
	}
	port := func(address string) int {
		_, text, _ := net.SplitHostPort(address)
		number, _ := strconv.Atoi(text)
		return number
	}
	var targets []target
	for _, address := range s.targets {
		targets = append(targets, target{"127.0.0.1", port(address)})
	}
	data, _ := json.MarshalIndent(map[string]any{
		"sourcePort": port(s.listen), "targets": targets, "stickiness": true, "balancerCount": workers,
		"sessionExpiry": 30000, "targetDeactivationDuration": 60000,
	}, "", "\t")
	return string(data) + "\n"
}
