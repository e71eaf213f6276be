package l4sticky

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// TestAdminIsDocumented looks for every endpoint, parameter and field in the page about them.
func TestAdminIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		if !strings.Contains(string(page), "| `"+e.method+" /sticky/"+e.path+"` |") {
			t.Errorf("%s /sticky/%s has no row", e.method, e.path)
		}
		for _, param := range e.params {
			if !strings.Contains(string(page), "`"+param+"`") && !strings.Contains(string(page), "`"+param+"=true`") {
				t.Errorf("the parameter %s is not there", param)
			}
		}
	}
	for _, document := range []any{
		adminapi.Pool{},
		adminapi.Upstream{},
		adminapi.Sessions{},
		adminapi.LastError{},
		adminapi.Override{},
		adminapi.Session{},
		adminapi.SessionPage{},
		adminapi.Rebalance{},
		adminapi.Plan{},
		adminapi.PoolPlan{},
		adminapi.UpstreamPlan{},
		adminapi.Forgotten{},
		adminapi.Import{},
		adminapi.ImportedSession{},
		adminapi.Imported{},
		adminapi.Explanation{},
		adminapi.Candidate{},
	} {
		for field := range fieldsOf(reflect.TypeOf(document)) {
			if !strings.Contains(string(page), "`"+field+"`") {
				t.Errorf("the field %s of %T is not there", field, document)
			}
		}
	}
}

// fieldsOf yields the names that the fields of a document have in JSON.
func fieldsOf(document reflect.Type) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, f := range reflect.VisibleFields(document) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !yield(name) {
				return
			}
		}
	}
}

// TestRoutes finds the endpoint of a path, whatever is escaped in it.
func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		method, path, want string
		vars               map[string]string
		allowed            []string
	}{
		{"GET", "pools", "pools", map[string]string{}, nil},
		{"HEAD", "pools", "pools", map[string]string{}, nil},
		{"GET", "pools/a%2Fb", "pools/{pool}", map[string]string{"pool": "a/b"}, nil},
		{"PATCH", "pools/x/upstreams/unix%2F%2Frun%2Fs", "pools/{pool}/upstreams/{address}", map[string]string{"pool": "x", "address": "unix//run/s"}, nil},
		{"POST", "pools/x/upstreams/y", "", nil, []string{"GET", "PATCH"}},
		{"GET", "pools/", "pools/{pool}", map[string]string{"pool": ""}, nil},
		{"GET", "pools/x/y/z/a", "", nil, nil},
		{"GET", "pools/%zz", "", nil, nil},
	} {
		found, vars, allowed := route(c.method, c.path)
		got := ""
		if found != nil {
			got = found.path
		}
		if got != c.want || !reflect.DeepEqual(vars, c.vars) || !slices.Equal(allowed, c.allowed) {
			t.Errorf("%s %s is %q with %v, allowed %v", c.method, c.path, got, vars, allowed)
		}
	}
}

// FuzzCursor has cursors of strangers do no harm, and those of ours come back as they were.
func FuzzCursor(f *testing.F) {
	f.Add("MCAxMC4wLjAuMQ")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseCursor(text)
		if err != nil || text == "" {
			return
		}
		if again, err := parseCursor(formatCursor(p)); err != nil || again != p {
			t.Errorf("%+v comes back as %+v, %v", p, again, err)
		}
	})
}
