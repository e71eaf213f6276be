package integration

import (
	"slices"
	"strings"
	"testing"
)

// commands are those of the pages, by what runs them or something like them.
var commands = map[string][]string{
	"TestDemo": {
		"go run ./build && ./caddy run",
		"curl --interface 127.0.0.2 http://127.0.0.1:8080",
		"curl --interface 127.0.0.3 http://127.0.0.1:8080",
	},
	"TestLegacyCommand, and the adapter's tests": {
		"./caddy loadbalancer run --config config.json",
		"./caddy adapt --adapter loadbalancer --config config.json",
	},
	"TestExamples… of the same name": {
		"caddy run",
		"for port in 8001 8002 8003 8004; do node server.js $port & done",
		"node client.js http://127.0.0.1:8080 127.0.0.2",
		"node client.js http://127.0.0.1:8080 127.0.0.3",
		"for port in 8001 8002; do node server.js $port & done",
		"node client.js 8080 127.0.0.2",
		"node client.js 8080 127.0.0.3",
		"for port in 7001 7002; do node server.js $port & done",
		"nc -s 127.0.0.2 127.0.0.1 7777",
		"nc -s 127.0.0.3 127.0.0.1 7777",
		"curl --insecure --interface 127.0.0.2 --connect-to ::127.0.0.1:8443 https://chat.example.com",
		"curl --insecure --interface 127.0.0.3 --connect-to ::127.0.0.1:8443 https://chat.example.com",
		"curl --insecure --interface 127.0.0.3 --connect-to ::127.0.0.1:8443 https://game.example.com",
		"curl http://[::1]:8080",
	},
	"TestExampleCluster": {
		"./cluster.sh",
		`for port in 8081 8082 8083; do curl "http://127.0.0.1:$port/?name=ann"; done`,
		`for port in 8081 8082 8083; do curl --interface 127.0.0.3 "http://127.0.0.1:$port/?name=bob"; done`,
		"caddy sticky drain 127.0.0.1:7001 --address localhost:2021",
		"caddy sticky status --address localhost:2023",
	},
	"TestPools, TestExplain, TestDrainWithDeadline": {
		"curl localhost:2019/sticky/pools",
		"curl localhost:2019/sticky/pools/default/explain?client=127.0.0.2",
		`curl -X PATCH -d '{"state": "drain", "deadline": "10m"}' localhost:2019/sticky/pools/default/upstreams/localhost:8000`,
	},
	"TestStickyCommands, TestStickyDrainWaits": {
		"caddy sticky status",
		"caddy sticky explain 127.0.0.2",
		"caddy sticky drain localhost:8000 --deadline 10m --wait",
		"caddy sticky activate localhost:8000",
		"caddy sticky plan Caddyfile",
	},
	"TestStickyExportImport": {
		"caddy sticky sessions export > sessions.jsonl",
		"caddy sticky sessions import sessions.jsonl",
	},
	"TestImportFromHAProxy, TestImportOfRecordedTables": movingCommands,
	"whoever uses an example, and the tests of what these start": {
		"npm install",
		"docker compose up --build",
		"curl http://127.0.0.1:8080",
		"install -D -m 644 Caddyfile /etc/caddy-sticky/Caddyfile",
		"install -m 644 caddy-sticky.service caddy-sticky.socket /etc/systemd/system/",
		"systemctl daemon-reload",
		"systemctl enable --now caddy-sticky.service",
	},
	"whoever works on the code": {
		"./test.sh",
		"xcaddy build --with github.com/caddy-sticky/caddy-sticky",
		"go run ./build",
		"go run ./build -race -o /tmp/caddy",
		"./test.sh -short ./l4sticky/...",
		"npm ci --prefix integration/node",
		"CADDY_BIN=/tmp/caddy go test -race -run TestWeights ./integration",
		".ci/fuzz 10s ./caddyfile/parse",
		"integration/bench/run.sh",
		"integration/bench/run.sh -only conn -balancers ours,nginx,haproxy",
		"integration/bench/run.sh -only bulk,idle -balancers ours,haproxy-splice -rounds 3 -bin ./caddy",
		"integration/bench/run.sh -only store -balancers ours,ours-redis -o bench-results/store",
	},
}

// checkCommands knows every command of a snippet.
func checkCommands(t *testing.T, s snippet) {
	for command := range strings.Lines(s.text) {
		known := false
		for _, list := range commands {
			known = known || slices.Contains(list, strings.TrimSpace(command))
		}
		if !known {
			t.Errorf("%s:%d: nothing runs the command %q", s.page, s.line, command)
		}
	}
}

// Every command that is known stands in a page.
func TestCommandsAreInPages(t *testing.T) {
	var all strings.Builder
	for _, p := range readPages(t) {
		for _, s := range p.snippets {
			if s.language == "sh" {
				all.WriteString("\n" + s.text)
			}
		}
	}
	for _, list := range commands {
		for _, command := range list {
			if !strings.Contains(all.String(), "\n"+command+"\n") {
				t.Errorf("no page has the command %q", command)
			}
		}
	}
}
