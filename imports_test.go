package sticky

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/caddy-sticky/caddy-sticky"

// arrows tells for each package which others of the project it may import; all that is not said here is
// forbidden. A package that ends with a slash stands for all below it.
var arrows = map[string][]string{
	"":                             {"l4sticky", "l4sticky/stores/redis", "middleware", "middleware/script", "privileges", "caddyfile/legacy", "command"},
	"build":                        {},
	"build/":                       {},
	"caddyfile/parse":              {},
	"caddyfile/parse/":             {"caddyfile/parse"},
	"caddyfile/legacy":             {"caddyfile/parse", "internal/", "l4sticky", "l4sticky/adminapi", "middleware", "middleware/script", "privileges"},
	"command":                      {"caddyfile/legacy", "command/internal/", "internal/", "l4sticky/adminapi"},
	"internal/":                    {"internal/"},
	"internal/cli":                 {"caddyfile/parse"},
	"hijack":                       {"internal/"},
	"l4sticky":                     {"l4sticky/adminapi", "l4sticky/internal/", "l4sticky/stores", "l4sticky/upstreams", "internal/", "caddyfile/parse", "hijack"},
	"l4sticky/adminapi":            {},
	"l4sticky/upstreams":           {"l4sticky/internal/names", "caddyfile/parse"},
	"l4sticky/stores":              {},
	"l4sticky/stores/storetest":    {"l4sticky/stores"},
	"l4sticky/stores/redis":        {"l4sticky/stores", "internal/", "caddyfile/parse"},
	"l4sticky/internal/share":      {"l4sticky/stores", "l4sticky/internal/session", "internal/"},
	"l4sticky/internal/":           {"internal/"},
	"l4sticky/internal/target":     {"l4sticky/internal/flow"},
	"l4sticky/internal/search":     {"l4sticky/internal/flow"},
	"l4sticky/internal/simulation": {"l4sticky/internal/target"},
	"l4sticky/internal/listen":     {"l4sticky/internal/eventloop", "l4sticky/internal/keepalive"},
	"l4sticky/internal/connect":    {"l4sticky/internal/search", "l4sticky/internal/flow", "l4sticky/internal/eventloop", "l4sticky/internal/keepalive"},
	"l4sticky/internal/relay":      {"l4sticky/internal/connect", "l4sticky/internal/listen", "l4sticky/internal/search", "l4sticky/internal/flow", "l4sticky/internal/eventloop", "l4sticky/internal/keepalive"},
	"middleware":                   {"internal/", "caddyfile/parse", "hijack"},
	"middleware/script":            {"middleware", "middleware/script/internal/", "internal/", "caddyfile/parse"},
	"middleware/script/internal/":  {"middleware/script/internal/", "internal/"},
	"privileges":                   {"caddyfile/parse"},
	"integration":                  {"", "internal/freeport"},
	"integration/":                 {""},
}

// testArrows tells what the tests of a package may import besides.
var testArrows = map[string][]string{
	"l4sticky/internal/":    {"l4sticky/internal/conntest", "l4sticky/stores/storetest"},
	"l4sticky":              {"caddyfile/parse/parsetest", "l4sticky/stores/redis", "l4sticky/stores/storetest"},
	"l4sticky/stores":       {"l4sticky", "l4sticky/stores/storetest"},
	"l4sticky/upstreams":    {"caddyfile/parse/parsetest", "l4sticky"},
	"l4sticky/stores/redis": {"caddyfile/parse/parsetest"},
	"middleware":            {"caddyfile/parse/parsetest", "middleware/script"},
	"middleware/script":     {"caddyfile/parse/parsetest"},
	"privileges":            {"caddyfile/parse/parsetest"},
}

// frameworks are what the internal packages, which are plain Go, do without.
var frameworks = []string{"github.com/caddyserver/", "github.com/mholt/caddy-l4", "go.uber.org/zap", "github.com/prometheus/"}

type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImportArrows(t *testing.T) {
	command := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; packages++ {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		from := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		for i, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			to, ours := strings.CutPrefix(path, module)
			to = strings.TrimPrefix(to, "/")
			if inTest := i >= len(p.Imports); ours && !allowed(arrows, from, to) && !(inTest && allowed(testArrows, from, to)) {
				t.Errorf("%s must not import %s", from, path)
			}
			for _, f := range frameworks {
				if strings.Contains(from, "internal/") && strings.HasPrefix(path, f) {
					t.Errorf("%s must not import %s", from, path)
				}
			}
		}
	}
	if packages < 8 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

func allowed(arrows map[string][]string, from, to string) bool {
	if from == to {
		return true // an external test of its own package
	}
	for pattern, targets := range arrows {
		if !covers(pattern, from) {
			continue
		}
		for _, target := range targets {
			if covers(target, to) {
				return true
			}
		}
	}
	return false
}

func covers(pattern, path string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(path, pattern)
	}
	return pattern == path
}

// leastDoc is how many lines a package comment has at least: what the package promises does not fit into fewer.
const leastDoc = 3

// TestPackageComments looks for the comment of each package in its doc.go, and nowhere else.
func TestPackageComments(t *testing.T) {
	output, err := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.Name}} {{len .GoFiles}}", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		path := strings.TrimPrefix(strings.TrimPrefix(fields[0], module), "/")
		if fields[2] == "0" {
			continue // what has only tests promises nothing
		}
		packages++
		if err := checkPackageComment(filepath.FromSlash(path), fields[1]); err != nil {
			t.Errorf("package %q: %v", path, err)
		}
	}
	if packages < 8 {
		t.Errorf("only %d packages were looked at", packages)
	}
}

// checkPackageComment returns an error unless the folder has a doc.go with the package's comment, and no other file has one.
func checkPackageComment(folder, name string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		return err
	}
	comments := make(map[string]string)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		if parsed.Doc != nil {
			comments[filepath.Base(file)] = parsed.Doc.Text()
		}
	}
	comment, found := comments["doc.go"]
	opening := "Package " + name + " "
	if name == "main" {
		opening = "Command " + filepath.Base(folder) + " "
	}
	switch {
	case !found:
		return errors.New("there is no doc.go with a package comment")
	case len(comments) > 1:
		return fmt.Errorf("several files have a package comment: %v", slices.Sorted(maps.Keys(comments)))
	case !strings.HasPrefix(comment, opening):
		return fmt.Errorf("the comment does not begin with %q", opening)
	case strings.Count(comment, "\n") < leastDoc:
		return fmt.Errorf("the comment has less than %d lines", leastDoc)
	}
	return nil
}
