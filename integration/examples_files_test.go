package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/metrics" // which an example has in its Caddyfile
)

// The ports that the README of an example starts servers on are those of its Caddyfile.
func TestExamplePorts(t *testing.T) {
	started := regexp.MustCompile(`for port in ([0-9 ]+); do node server.js`)
	examples := 0
	for _, p := range readPages(t) {
		found := started.FindStringSubmatch(p.text)
		if found == nil {
			continue
		}
		examples++
		file, err := os.ReadFile(filepath.Join("..", filepath.Dir(p.path), "Caddyfile"))
		if err != nil {
			t.Fatal(err)
		}
		config := adapts(t, "caddyfile", string(file))
		var dials []string
		for _, dial := range regexp.MustCompile(`"dial":"127\.0\.0\.1:(\d+)"`).FindAllStringSubmatch(string(config), -1) {
			dials = append(dials, dial[1])
		}
		if got := strings.Join(dials, " "); got != found[1] {
			t.Errorf("%s starts servers on %s, and the Caddyfile has %s", p.path, found[1], got)
		}
	}
	if examples < 3 {
		t.Errorf("only %d examples were found", examples)
	}
}

// Every Caddyfile of an example is formatted and becomes a config without a warning, and its README tells of every
// variable that it takes from the environment.
func TestExampleCaddyfiles(t *testing.T) {
	files, err := filepath.Glob("../examples/*/Caddyfile")
	if err != nil || len(files) < 7 {
		t.Fatalf("only %d Caddyfiles were found: %v", len(files), err)
	}
	for _, path := range files {
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		adapts(t, "caddyfile", string(file))
		readme, err := os.ReadFile(filepath.Join(filepath.Dir(path), "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range regexp.MustCompile(`\{\$(\w+)`).FindAllStringSubmatch(string(file), -1) {
			if !strings.Contains(string(readme), "`"+variable[1]+"`") {
				t.Errorf("the README beside %s does not tell of %s", path, variable[1])
			}
		}
	}
}

// The packages of the examples are those that the tests install.
func TestExamplePackages(t *testing.T) {
	type packages struct{ Dependencies map[string]string }
	read := func(path string) (p packages) {
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &p)
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	installed := read("node/package.json")
	files, err := filepath.Glob("../examples/*/package.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no package.json was found: %v", err)
	}
	for _, file := range files {
		for name, version := range read(file).Dependencies {
			if installed.Dependencies[name] != version {
				t.Errorf("%s has %s %s, and the tests %q", file, name, version, installed.Dependencies[name])
			}
		}
	}
}
