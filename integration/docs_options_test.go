package integration

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

const modulePath = "github.com/caddy-sticky/caddy-sticky/"

// documented tells in which page of docs each module is.
var documented = map[string]string{
	"layer4.handlers.sticky_proxy":              "sticky_proxy.md",
	"layer4.handlers.sticky_session":            "sticky_ip.md",
	"layer4.proxy.selection_policies.sticky_ip": "sticky_ip.md",
	"layer4.matchers.middleware":                "middleware.md",
	"layer4.middleware.authorize":               "authorize.md",
	"layer4.middleware.rate_limit":              "rate_limit.md",
	"layer4.middleware.script":                  "script.md",
	"layer4.sticky.stores.redis":                "session_store.md",
	"layer4.sticky.upstreams.a":                 "dynamic_upstreams.md",
	"layer4.sticky.upstreams.srv":               "dynamic_upstreams.md",
	"layer4.sticky.stores.memory":               "session_store.md",
	"privileges":                                "privileges.md",
	"admin.api.sticky":                          "admin.md",
}

// onTheLine are options that have no line of their own in a Caddyfile, by their names, or by package, type and name.
var onTheLine = map[string]bool{"l4sticky/upstreams.A.name": true, "l4sticky/upstreams.A.port": true, "l4sticky/upstreams.SRV.name": true, "l4sticky/stores/redis.Store.addresses": true, "upstreams": true, "dynamic_upstreams": true, "dial": true, "chain": true, "path": true, "type": true, "url": true, "ipv4": true, "ipv6": true}

// noSnippet are options that nobody writes by hand.
var noSnippet = map[string]bool{"version": true}

// Every option of every module has a row in the table of its page, with the default that its doc comment tells, and
// stands in the page's snippets, as a Caddyfile and as JSON, and in a golden of TestAdapt.
func TestOptionsAreDocumented(t *testing.T) {
	comments, goldens := fieldComments(t), adaptedGoldens(t)
	pages := make(map[string]page)
	for _, p := range readPages(t) {
		pages[p.path] = p
	}
	for _, info := range caddy.Modules() {
		module, err := caddy.GetModule(info)
		if err != nil {
			t.Fatal(err)
		}
		typ := reflect.TypeOf(module.New())
		if typ.Kind() != reflect.Pointer || !strings.HasPrefix(typ.Elem().PkgPath()+"/", modulePath) {
			continue
		}
		name, known := documented[info]
		if !known {
			t.Errorf("the module %s has no page", info)
		}
		if name == "" {
			continue
		}
		p, exists := pages["docs/"+name]
		if !exists {
			t.Errorf("there is no page docs/%s", name)
			continue
		}
		if !strings.Contains(p.text, "`"+info+"`") && info != "privileges" {
			t.Errorf("%s does not name the module %s", p.path, info)
		}
		for _, o := range optionsOf(typ.Elem()) {
			checkOption(t, p, o, comments[o.key])
			if name := `"` + o.name + `":`; info != "privileges" && !noSnippet[o.name] && !strings.Contains(goldens, name) {
				t.Errorf("no golden of TestAdapt has %s", o.key)
			}
		}
	}
}

// adaptedGoldens returns the JSON of all goldens of TestAdapt.
func adaptedGoldens(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	files, err := filepath.Glob("testdata/adapt/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, adapted, _ := strings.Cut(string(text), separator)
		all.WriteString(adapted)
	}
	return all.String()
}

// A documentedOption is a field of a module, by its name in JSON.
type documentedOption struct {
	name string
	key  string // package, type and name in JSON
}

// optionsOf returns the options of a struct, with those that are within others.
func optionsOf(typ reflect.Type) (options []documentedOption) {
	for field := range typ.Fields() {
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			options = append(options, documentedOption{name, typ.PkgPath() + "." + typ.Name() + "." + name})
		}
		if (name != "" || field.Anonymous) && inner.Kind() == reflect.Struct && strings.HasPrefix(inner.PkgPath(), modulePath) {
			options = append(options, optionsOf(inner)...)
		}
	}
	return options
}

func checkOption(t *testing.T, p page, o documentedOption, comment string) {
	t.Helper()
	if comment == "" {
		t.Errorf("%s has no doc comment", o.key)
	}
	inPrefix := strings.Contains(o.key, "ClientPrefix") // which has no table of its own
	row := regexp.MustCompile("(?m)^\\| `"+o.name+"` \\| (.*?) ?\\| (.+) \\|$").FindAllStringSubmatch(p.text, -1)
	if len(row) == 0 && !inPrefix {
		t.Errorf("%s has no row for %s", p.path, o.name)
	}
	if !inPrefix && !hasDefault(row, comment) {
		t.Errorf("%s has another default for %s than its doc comment: %s", p.path, o.name, comment)
	}
	if noSnippet[o.name] {
		return
	}
	var files, configs string
	for _, s := range p.snippets {
		switch s.language {
		case "caddyfile":
			files += s.text
		case "json":
			configs += s.text
		}
	}
	if !onTheLine[o.name] && !onTheLine[strings.TrimPrefix(o.key, modulePath)] && !regexp.MustCompile(`(?m)^\s+`+o.name+`( .*)?$`).MatchString(files) {
		t.Errorf("no Caddyfile of %s has %s", p.path, o.name)
	}
	if !strings.Contains(configs, `"`+o.name+`":`) {
		t.Errorf("no JSON of %s has %s", p.path, o.name)
	}
}

// hasDefault tells whether one of the rows has the default of a doc comment, or none if the comment has none.
func hasDefault(rows [][]string, comment string) bool {
	_, want, hasOne := strings.Cut(strings.ReplaceAll(comment, "`", ""), "Default: ")
	for _, row := range rows {
		got := strings.ReplaceAll(row[1], "`", "")
		if hasOne && got != "" && strings.Contains(want, got) || !hasOne && got == "" {
			return true
		}
	}
	return false
}

// fieldComments returns the doc comments of the struct fields of all packages, on one line each, by package, type and
// name in JSON.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	comments, set := make(map[string]string), token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		folder := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "../")
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if fields, ok := spec.Type.(*ast.StructType); ok {
					collectComments(comments, modulePath+folder+"."+spec.Name.Name+".", fields)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return comments
}

func collectComments(comments map[string]string, prefix string, fields *ast.StructType) {
	for _, field := range fields.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`"))
		name, _, _ := strings.Cut(tag.Get("json"), ",")
		comments[prefix+name] = strings.Join(strings.Fields(field.Doc.Text()), " ")
	}
}

// Every option that LoadBalancer.js's config.json can have is in the table of its page. The goldens of the adapter have
// them all.
func TestLegacyOptionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/migrating-from-loadbalancerjs.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../caddyfile/legacy/testdata/adapt/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, _, _ := strings.Cut(string(golden), separator)
		var config map[string]any
		if err := json.Unmarshal([]byte(input), &config); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name := range config {
			names[name] = true
		}
	}
	if len(names) < 12 {
		t.Fatalf("only %d options were found", len(names))
	}
	for name := range names {
		if !strings.Contains(string(text), "\n| `"+name+"` |") {
			t.Errorf("there is no row for %s", name)
		}
	}
}
