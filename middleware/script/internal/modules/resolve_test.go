package modules

import (
	"path/filepath"
	"strings"
	"testing"
)

// folderOf writes files into a folder of their own and returns its real path.
func folderOf(t testing.TB, files map[string]string) string {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(folder, name), text)
	}
	return folder
}

func TestResolve(t *testing.T) {
	folder := folderOf(t, map[string]string{
		"a.js": "", "a/index.js": "", "list.json": "", "b/package.json": `{"main": "lib"}`, "b/lib/index.js": "",
		"node_modules/p.js": "", "node_modules/q/index.js": "", "sub/node_modules/q/package.json": `{"main": "./m.js"}`, "sub/node_modules/q/m.js": "",
		"node_modules/@s/e/package.json": `{"main": "no.js", "exports": {".": {"import": "./i.mjs", "require": "./r.js"}, "./x/*": ["./y/*.js"], "./x/deep/*": "./z/*.js"}}`,
		"node_modules/@s/e/r.js":         "", "node_modules/@s/e/i.mjs": "", "node_modules/@s/e/y/1.js": "", "node_modules/@s/e/z/1.js": "",
		"node_modules/r/package.json": `{"exports": {"./*/with-a-long-end": "./a.js", "./deep/*": "./b.js"}}`, "node_modules/r/a.js": "", "node_modules/r/b.js": "",
		"node_modules/buffer/index.js": "", "node_modules/one/package.json": `{"exports": "./o.js"}`, "node_modules/one/o.js": "",
	})
	for _, c := range []struct{ from, name, want string }{
		{".", "./a", "a.js"},
		{".", "./a/", "a/index.js"},
		{"a", "..", "error"},
		{"a", "../list", "list.json"},
		{".", "./b", "b/lib/index.js"},
		{".", "p", "node_modules/p.js"},
		{".", "q", "node_modules/q/index.js"},
		{"sub", "q", "sub/node_modules/q/m.js"},
		{"sub/deeper", "q", "sub/node_modules/q/m.js"},
		{".", "@s/e", "node_modules/@s/e/r.js"},
		{".", "@s/e/x/1", "node_modules/@s/e/y/1.js"},
		{".", "@s/e/x/deep/1", "node_modules/@s/e/z/1.js"},
		{".", "@s/e/r.js", `the package "@s/e" does not export "./r.js"`},
		{".", "r/deep/with-a-long-end", "node_modules/r/b.js"}, // the start before the star counts first
		{".", "one", "node_modules/one/o.js"},
		{".", "one/o.js", "does not export"},
		{".", "buffer/", "node_modules/buffer/index.js"},
		{".", "http", `the module "http" needs runtime node`},
		{".", "node:test", `the module "test" needs runtime node`},
		{".", "test", `cannot find the module "test" from `},
		{".", "@s", "cannot find"},
	} {
		got, err := Resolve(filepath.Join(folder, c.from), c.name)
		switch want := filepath.Join(folder, c.want); {
		case err == nil && got != want:
			t.Errorf("%s from %s is %s, want %s", c.name, c.from, got, want)
		case err != nil && c.want != "error" && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s from %s: %v, want %s", c.name, c.from, err, c.want)
		}
	}
}
