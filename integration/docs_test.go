package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// A page is one of the project's texts, by its path from the root of the checkout.
type page struct {
	path, text string
	snippets   []snippet
}

// A snippet is a fenced block of a page.
type snippet struct {
	page     string
	line     int    // of the opening fence
	language string // what follows the fence
	text     string
	before   string // the last line of the page before the fence that is not empty
}

// readPages returns all pages that people read.
func readPages(t *testing.T) (pages []page) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/README.md", "integration/bench/README.md"} {
		paths, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("no pages match %s: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			pages = append(pages, page{name, string(text), readSnippets(t, name, string(text))})
		}
	}
	return pages
}

func readSnippets(t *testing.T, path, text string) (snippets []snippet) {
	t.Helper()
	var open *snippet
	before := ""
	for i, line := range strings.Split(text, "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &snippet{page: path, line: 1 + i, language: language, before: before}
		case fence:
			snippets = append(snippets, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		case line != "":
			before = line
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the snippet has no end", path, open.line)
	}
	return snippets
}

// TestDocs checks every snippet of every page by its language, and that the JSON beside a Caddyfile is the same.
func TestDocs(t *testing.T) {
	pages := readPages(t)
	source, err := os.ReadFile("../middleware/middleware.go")
	if err != nil {
		t.Fatal(err)
	}
	besideScript(t, pages)
	checks := map[string]func(t *testing.T, s snippet){
		"caddyfile": checkCaddyfile,
		"json":      checkJSON,
		"sh":        checkCommands,
		"js":        func(t *testing.T, s snippet) { checkProgram(t, s, "script.js", "node", "--check", "script.js") },
		"haproxy":   func(t *testing.T, s snippet) { checkProgram(t, s, "haproxy.cfg", "haproxy", "-c", "-f", "haproxy.cfg") },
		"nginx":     checkNginx,
		"text":      func(*testing.T, snippet) {},
		"go": func(t *testing.T, s snippet) {
			if !strings.Contains(string(source), "\t"+strings.Replace(s.text, "middleware.", "", 1)) {
				t.Errorf("%s:%d: this is not the interface: %s", s.page, s.line, s.text)
			}
		},
	}
	counts := make(map[string]int)
	for _, p := range pages {
		for i, s := range p.snippets {
			check, known := checks[s.language]
			if !known {
				t.Errorf("%s:%d: a snippet in %q is not checked", s.page, s.line, s.language)
				continue
			}
			counts[s.language]++
			check(t, s)
			if strings.HasPrefix(s.before, "The same in JSON") {
				mustBeSame(t, p.snippets[i-1], s)
			}
		}
	}
	for language := range checks {
		if counts[language] == 0 {
			t.Errorf("no snippet in %s was found", language)
		}
	}
}

// besideScript goes where the script of the pages is, with the list that it reads, and has in the environment what
// their configs take from there.
func besideScript(t *testing.T, pages []page) {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("FIRST_TARGET", "localhost:8000")
	t.Setenv("TARGET", "localhost")
	t.Setenv("REDIS_PASSWORD", "secret")
	writeCertificate(t, ".")
	if err := os.WriteFile("blocked.txt", []byte("::ffff:192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	scripts := 0
	for _, p := range pages {
		for _, s := range p.snippets {
			if s.language != "js" {
				continue
			}
			scripts++
			if err := os.WriteFile("balancer.js", []byte(s.text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if scripts != 1 {
		t.Fatalf("%d scripts in the pages, want the one that their configs name", scripts)
	}
}

// checkCaddyfile loads a config; with remote_ip_list, which would hang, and with privileges, which depends on who runs
// the test, it only adapts it. TestAddressListInFile and package privileges load those.
func checkCaddyfile(t *testing.T, s snippet) {
	if strings.Contains(s.text, "output file") { // which only the real binary has
		path, _ := writeConfig(t, s.text)
		if output, err := caddyCommand(t, "validate", "--config", path).CombinedOutput(); err != nil {
			t.Errorf("%s:%d: %v: %s", s.page, s.line, err, output)
		}
		return
	}
	config := adapts(t, "caddyfile", s.text)
	if strings.Contains(s.text, "remote_ip_list") || strings.Contains(s.text, "privileges") {
		return
	}
	if err := validate(config); err != nil {
		t.Errorf("%s:%d: %v", s.page, s.line, err)
	}
}

func checkJSON(t *testing.T, s snippet) {
	switch {
	case strings.Contains(s.text, "sourcePort"):
		loads(t, "loadbalancer", s.text)
	case strings.Contains(s.text, "privileges"):
		if !json.Valid([]byte(s.text)) {
			t.Errorf("%s:%d: this is no JSON", s.page, s.line)
		}
	default:
		if err := validate([]byte(s.text)); err != nil {
			t.Errorf("%s:%d: %v", s.page, s.line, err)
		}
	}
}

// checkProgram has a program that may not be installed look at a snippet in a file.
func checkProgram(t *testing.T, s snippet, file, program string, args ...string) {
	if err := os.WriteFile(file, []byte(s.text), 0o600); err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath(program)
	if err != nil {
		t.Logf("%s:%d: not checked, since there is no %s", s.page, s.line, program)
		return
	}
	if output, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		t.Errorf("%s:%d: %v\n%s", s.page, s.line, err, output)
	}
}

// checkNginx has the stream module loaded where Debian has it apart.
func checkNginx(t *testing.T, s snippet) {
	const module = "/usr/lib/nginx/modules/ngx_stream_module.so"
	if _, err := os.Stat(module); err == nil {
		s.text = "load_module " + module + ";\n" + s.text
	}
	s.text = "pid nginx.pid;\n" + s.text
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	checkProgram(t, s, "nginx.conf", "nginx", "-t", "-e", "stderr", "-p", folder, "-c", "nginx.conf")
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

// mustBeSame fails unless a Caddyfile becomes the JSON, apart from the names of servers.
func mustBeSame(t *testing.T, file, same snippet) {
	t.Helper()
	if file.language != "caddyfile" || same.language != "json" {
		t.Errorf("%s:%d: there is no Caddyfile before the JSON that is the same", same.page, same.line)
		return
	}
	got, want := appsOf(t, adapts(t, "caddyfile", file.text)), appsOf(t, []byte(same.text))
	if !isSame(got, want) {
		text, _ := json.MarshalIndent(got, "", "\t")
		t.Errorf("%s:%d: the Caddyfile before becomes\n%s", same.page, same.line, text)
	}
}

// appsOf returns the apps of a config, with the servers of layer4 as a list.
func appsOf(t *testing.T, config []byte) map[string]any {
	t.Helper()
	var root struct{ Apps map[string]map[string]any }
	if err := json.Unmarshal(config, &root); err != nil {
		t.Fatal(err)
	}
	apps := make(map[string]any)
	for name, app := range root.Apps {
		apps[name] = app
		if servers, ok := app["servers"].(map[string]any); ok && len(servers) == 1 {
			for _, server := range servers {
				apps[name] = server
			}
		}
	}
	return apps
}

// isSame compares what JSON holds. A duration may be a text or a number, and the version of a script is not written by hand.
func isSame(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		delete(got, "version")
		if len(got) != len(want) {
			return false
		}
		for name, value := range want {
			if !isSame(got[name], value) {
				return false
			}
		}
		return true
	case []any:
		got, _ := got.([]any)
		if len(got) != len(want) {
			return false
		}
		for i, value := range want {
			if !isSame(got[i], value) {
				return false
			}
		}
		return true
	case string:
		if number, ok := got.(float64); ok {
			duration, err := caddy.ParseDuration(want)
			return err == nil && float64(duration) == number
		}
	}
	return reflect.DeepEqual(got, want)
}
