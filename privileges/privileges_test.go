package privileges

import (
	"context"
	"encoding/json"
	"os"
	osuser "os/user"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "app.go", "parseGlobalOption", new(App).table())
}

func TestLookup(t *testing.T) {
	nobody, err := osuser.Lookup("nobody")
	if err != nil {
		t.Skip(err)
	}
	for _, nameOrUID := range []string{"nobody", nobody.Uid} {
		user, err := Lookup(nameOrUID)
		if err != nil {
			t.Fatal(err)
		}
		if user.Name != "nobody" || user.uid != nobody.Uid || user.gid != nobody.Gid {
			t.Errorf("%s is %+v", nameOrUID, user)
		}
	}
	for nameOrUID, want := range map[string]string{
		"no-such-user": "there is no user 'no-such-user'",
		"4000000000":   "there is no user '4000000000'",
		"-1":           "there is no user '-1'",
		"":             "there is no user ''",
		"root":         "'root' is root",
		"0":            "'0' is root",
	} {
		if _, err := Lookup(nameOrUID); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", nameOrUID, err, want)
		}
	}
}

// Plain Caddy doesn't run as root where another user is asked for, and says what to do instead.
func TestProvision(t *testing.T) {
	refused := func(user string, words ...string) {
		t.Helper()
		err := (&App{User: user}).Provision(caddy.Context{Context: context.Background()})
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%q: %v, want %q", user, err, word)
			}
		}
	}
	refused("", "user: must be given")
	refused("no-such-user", "user: there is no user 'no-such-user'")
	if os.Geteuid() != 0 {
		current, err := osuser.Current()
		if err != nil {
			t.Fatal(err)
		}
		if err := (&App{User: current.Username}).Provision(caddy.Context{}); err != nil {
			t.Error(err)
		}
		refused("nobody", "user: caddy runs with UID")
		return
	}
	refused("root", "user: 'root' is root")
	refused("nobody", "user: caddy runs as root", "caddy loadbalancer run", "User=nobody", "AmbientCapabilities=CAP_NET_BIND_SERVICE")
}

// TestJSON names an option that is wrong as it is written.
func TestJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"user":1000}`:    "user: 1000 is not a string",
		`{"usr":"nobody"}`: `unknown option "usr" (did you mean 'user'?)`,
	} {
		if err := json.Unmarshal([]byte(text), new(App)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestCaddyfile(t *testing.T) {
	adapt := func(option string) ([]byte, error) {
		config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("{\n"+option+"\n}\n"), nil)
		return config, err
	}
	config, err := adapt("privileges {\nuser nobody\n}")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Apps map[string]json.RawMessage }
	if err := json.Unmarshal(config, &got); err != nil {
		t.Fatal(err)
	}
	if string(got.Apps["privileges"]) != `{"user":"nobody"}` {
		t.Errorf("adapted to %s", config)
	}
	for option, want := range map[string]string{
		"privileges nobody":               "privileges: unexpected argument 'nobody'; options go into a block",
		"privileges {\nuser\n}":           "privileges: option 'user' takes one argument, got 0",
		"privileges {\nuser \"\"\n}":      "privileges: user: '' is empty",
		"privileges {\nusr nobody\n}":     `privileges: unknown option 'usr' (did you mean 'user'?)`,
		"privileges {\nuser a\nuser b\n}": "privileges: option 'user' is given twice",
		"privileges {\nuser a b\n}":       "privileges: option 'user' takes one argument, got 2",
		"privileges {\nuser a {\nx\n}\n}": "privileges: option 'user' takes no block",
	} {
		if _, err := adapt(option); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", option, err, want)
		}
	}
}
