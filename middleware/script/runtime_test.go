package script

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded"
)

// journal keeps what is logged.
type journal struct{ strings.Builder }

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func writeScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "balancer.js")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// saying is a script that keeps each client out with a word.
func saying(word string) string {
	return "module.exports.run = (b) => b.addMiddleware('connection', (socket, next) => next(" + word + "));"
}

// TestRuntimes has scripts run where the option says, or where they can, and tells which runtime was taken and why.
func TestRuntimes(t *testing.T) {
	const inNode = "process.versions.v8 && 'in Node.js'"
	for name, test := range map[string]struct{ runtime, script, want, logged string }{
		"auto, which is embedded":   {runtimeAuto, saying("typeof Intl"), "undefined", "the script runs in the embedded runtime"},
		"auto, which is Node.js":    {runtimeAuto, "require('http');" + saying(inNode), "in Node.js", `require(\"http\"): not in the embedded runtime`},
		"auto, an error at loading": {runtimeAuto, "if (!process.versions.v8) throw new Error('old');" + saying(inNode), "in Node.js", "balancer.js:1:"},
		"embedded":                  {runtimeEmbedded, saying("typeof Intl"), "undefined", ""},
		"node":                      {runtimeNode, saying(inNode), "in Node.js", ""},
	} {
		t.Run(name, func(t *testing.T) {
			log := new(journal)
			s, err := load(t.Context(), test.runtime, writeScript(t, test.script), "", decide.Options{Logger: log.logger()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Decide(t.Context(), decide.Client{Remote: netip.MustParseAddrPort("192.0.2.1:1")})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if !strings.Contains(log.String(), test.logged) {
				t.Errorf("%q is not in\n%s", test.logged, log)
			}
		})
	}
}

// A script that runs nowhere is refused with both reasons.
func TestRuntimesRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		runtime, script, nodePath string
		want                      []string
	}{
		"embedded":            {runtimeEmbedded, "require('http');", "", []string{`balancer.js:1: require("http"): not in the embedded runtime, needs runtime node`}},
		"node":                {runtimeNode, "throw new Error('no');", "", []string{"path: ", "balancer.js:1:7: no"}},
		"node is not there":   {runtimeNode, saying("1"), "/nowhere/node", []string{"runtime: node_path: "}},
		"auto without Node":   {runtimeAuto, "require('http');", "/nowhere/node", []string{`require("http")`, "(runtime embedded)", "node_path: "}},
		"auto, wrong in both": {runtimeAuto, "oops(", "", []string{"SyntaxError", "(runtime embedded); ", "(runtime node)"}},
		"no function run":     {runtimeAuto, "1", "", []string{"module.exports.run is not a function"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := load(t.Context(), test.runtime, writeScript(t, test.script), test.nodePath, decide.Options{Logger: slog.New(slog.DiscardHandler)})
			if err == nil {
				s.Close()
				t.Fatal("it was loaded")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

// The globals that are said to be missing are.
func TestMissingGlobals(t *testing.T) {
	script := saying("[" + "'" + strings.Join(embedded.MissingGlobals(), "', '") + "'].filter((name) => name in globalThis).join() || 'none'")
	s, err := load(t.Context(), runtimeEmbedded, writeScript(t, script), "", decide.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Decide(context.Background(), decide.Client{}); err == nil || err.Error() != "none" {
		t.Errorf("%v are there", err)
	}
}
