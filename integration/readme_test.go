package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// ran are the commands of the pages that are run: the demo by TestDemo, the old command line by TestLegacyCommand,
// the others by whoever builds the binary and runs the tests.
var ran = []string{
	"go run ./build && ./caddy run",
	"curl --interface 127.0.0.2 http://127.0.0.1:8080",
	"curl --interface 127.0.0.3 http://127.0.0.1:8080",
	"./test.sh",
	"xcaddy build --with github.com/caddy-sticky/caddy-sticky",
	"./caddy loadbalancer run --config config.json",
}

var snippet = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// TestDocs loads every config of the README and of docs, and knows every command.
func TestDocs(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	var snippets [][]string
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		snippets = append(snippets, snippet.FindAllStringSubmatch(string(text), -1)...)
	}
	if len(snippets) < 10 {
		t.Fatalf("only %d snippets found", len(snippets))
	}
	source, err := os.ReadFile("../middleware/middleware.go")
	if err != nil {
		t.Fatal(err)
	}
	besideScript(t, snippets)
	for _, s := range snippets {
		language, text := s[1], s[2]
		switch {
		case language == "sh":
			for command := range strings.Lines(text) {
				if !slices.Contains(ran, strings.TrimSpace(command)) {
					t.Errorf("nothing runs the command %q", command)
				}
			}
		case language == "go":
			if !strings.Contains(string(source), "\t"+strings.Replace(text, "middleware.", "", 1)) {
				t.Errorf("not the interface: %s", text)
			}
		case language == "js":
			// The configs that name it load it.
		case strings.Contains(text, "remote_ip_list"), strings.Contains(text, "privileges"):
			// The first would hang, as the README says, and the second depends on who runs the test. TestAddressListInFile
			// and package privileges load them.
			adapts(t, "caddyfile", text)
		case language == "caddyfile":
			loads(t, "caddyfile", text)
		case strings.Contains(text, "sourcePort"):
			loads(t, "loadbalancer", text)
		case language == "json":
			if err := validate([]byte(text)); err != nil {
				t.Errorf("%v in\n%s", err, text)
			}
		default:
			t.Errorf("a snippet in %s is not checked", language)
		}
	}
}

// besideScript goes where the script of the pages is, with the list that it reads.
func besideScript(t *testing.T, snippets [][]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("blocked.txt", []byte("::ffff:192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for _, s := range snippets {
		if s[1] != "js" {
			continue
		}
		scripts++
		if err := os.WriteFile("balancer.js", []byte(s[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if scripts != 1 {
		t.Fatalf("%d scripts in the pages, want the one that its configs name", scripts)
	}
}

func loads(t *testing.T, adapter, text string) {
	t.Helper()
	if err := validate(adapts(t, adapter, text)); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

func adapts(t *testing.T, adapter, text string) []byte {
	t.Helper()
	config, warnings, err := caddyconfig.GetAdapter(adapter).Adapt([]byte(text), nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for _, w := range warnings {
		t.Errorf("warning %q for\n%s", w.Message, text)
	}
	return config
}
