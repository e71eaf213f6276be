package privileges

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// FuzzPrivileges reads anything as the app's options, as a Caddyfile or as JSON. Whoever is found is never root.
func FuzzPrivileges(f *testing.F) {
	for _, text := range []string{
		"privileges {\n\tuser nobody\n}", "privileges {\n\tuser 0\n}", "privileges nobody", "privileges {\n}", "privileges {\n\tuser a b\n}",
		`{"user": "nobody"}`, `{"user": "root"}`, `{"user": "00"}`, `{"user": 1}`, `{}`, `null`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		app := new(App)
		if json.Valid(input) {
			if caddy.StrictUnmarshalJSON(input, app) != nil {
				return
			}
		} else {
			tokens, err := caddyfile.Tokenize(input, "Caddyfile")
			if err != nil || app.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
				return
			}
		}
		user, err := Lookup(app.User)
		if err != nil {
			return
		}
		if user.uid == "0" || user.uid == "" || user.gid == "" {
			t.Errorf("'%s' is %+v", app.User, user)
		}
	})
}
