package l4sticky

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// seedJSON adds the modules of a name in the JSON of the integration tests' fixtures, without what names them.
func seedJSON(f *testing.F, key, name string) {
	f.Helper()
	for _, parts := range parsetest.Fixtures(f, fixtures) {
		for _, part := range parts {
			var config any
			if json.Unmarshal([]byte(part), &config) == nil {
				seedModules(f, config, key, name)
			}
		}
	}
	for _, odd := range []string{"", "{", "null", "[]", "7", "{}", `{"": 1}`, `{"pool": "a", "pool": "b"}`, `{"Session_Expiry": "soon"}`, "{}{}"} {
		f.Add(odd)
	}
}

func seedModules(f *testing.F, value any, key, name string) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			seedModules(f, element, key, name)
		}
	case map[string]any:
		if v[key] == name {
			delete(v, key)
			module, err := json.Marshal(v)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(module))
		}
		for _, member := range v {
			seedModules(f, member, key, name)
		}
	}
}

// mustName fails unless the error of a module's JSON names one of the options that are given in it, at any depth.
func mustName(t *testing.T, input string, err error) {
	t.Helper()
	var given map[string]any
	if json.Unmarshal([]byte(input), &given) == nil && !namesOne(strings.ToLower(err.Error()), given) {
		t.Errorf("%s: the error names no option: %v", input, err)
	}
}

func namesOne(text string, value any) bool {
	switch v := value.(type) {
	case []any:
		return slices.ContainsFunc(v, func(element any) bool { return namesOne(text, element) })
	case map[string]any:
		for option, member := range v {
			lower := strings.ToLower(option)
			if strings.Contains(text, lower) || strings.Contains(text, strings.Trim(strconv.Quote(lower), `"`)) || namesOne(text, member) {
				return true
			}
		}
	}
	return false
}

// mustSurvive fails unless a module is the same after it was written as JSON and read again. Both have their defaults.
func mustSurvive[M any](t *testing.T, module *M, complete func(*M) error) {
	t.Helper()
	text, err := json.Marshal(module)
	if err != nil {
		t.Fatal(err)
	}
	again := new(M)
	if err := caddy.StrictUnmarshalJSON(text, again); err != nil {
		t.Fatalf("%s is refused: %v", text, err)
	}
	if err := complete(again); err != nil {
		t.Fatalf("%s has become wrong: %v", text, err)
	}
	if rewritten, err := json.Marshal(again); err != nil || string(rewritten) != string(text) {
		t.Errorf("%s became %s, %v", text, rewritten, err)
	}
}

// FuzzHandlerJSON reads anything as the options of a sticky_proxy.
func FuzzHandlerJSON(f *testing.F) {
	seedJSON(f, "handler", "sticky_proxy")
	f.Fuzz(func(t *testing.T, input string) {
		h := new(Handler)
		if err := json.Unmarshal([]byte(input), h); err != nil {
			mustName(t, input, err)
			return
		}
		if err := h.setDefaults(); err != nil {
			mustName(t, input, err)
			return
		}
		mustSurvive(t, h, (*Handler).setDefaults)
		for _, u := range h.Upstreams {
			if u != nil {
				mustBeTarget(t, u)
			}
		}
	})
}

// mustBeTarget fails if an upstream is taken that can't be dialled, or not under one name.
func mustBeTarget(t *testing.T, u *Upstream) {
	t.Helper()
	configs, err := u.configs()
	if err != nil {
		if !strings.Contains(err.Error(), u.Dial) {
			t.Errorf("upstream '%s': the error does not name it: %v", u.Dial, err)
		}
		return
	}
	for _, c := range configs {
		if c.Weight < 0 || c.Weight > target.MaxWeight || c.MaxConnections < 0 {
			t.Errorf("%+v became %+v", u, c)
		}
		if again, err := dialAddress(c.Address.String()); err != nil || again != c.Address {
			t.Errorf("'%s' is known as %s, which is %v: %v", u.Dial, c.Address, again, err)
		}
	}
}

// FuzzUpstream reads anything as an upstream's address, and as its JSON.
func FuzzUpstream(f *testing.F) {
	for _, address := range []string{
		"localhost:80", "[::1]:80", "10.0.0.1:80", "tcp6/[fe80::1%lo]:1", "unix//run/app.sock", "unix/@abstract", ":80", "tcp4/:80", "a:b", "a:1-2", "{env.HOME}:80",
		"tcp/::ffff:10.0.0.1:80", "A.Example.:080", "udp/a:1", "fd/3", "", "/", "unix/", "unix//a|0200", "tcp/tcp/a:1", "a:+1", "a:65536", "[a]:1", "0x7f.1:80",
	} {
		f.Add(address, `{"dial": "a:1", "weight": 2}`)
	}
	f.Fuzz(func(t *testing.T, address, text string) {
		mustBeTarget(t, &Upstream{Dial: address})
		u := new(Upstream)
		if err := caddy.StrictUnmarshalJSON([]byte(text), u); err == nil {
			mustBeTarget(t, u)
		}
	})
}

// FuzzPolicyJSON reads anything as the options of a sticky_ip, and of a sticky_session, which has none.
func FuzzPolicyJSON(f *testing.F) {
	seedJSON(f, "policy", "sticky_ip")
	f.Fuzz(func(t *testing.T, input string) {
		if err := caddy.StrictUnmarshalJSON([]byte(input), new(SessionHandler)); err != nil {
			mustName(t, input, err)
		}
		p := new(SelectionPolicy)
		if err := json.Unmarshal([]byte(input), p); err != nil {
			mustName(t, input, err)
			return
		}
		if err := p.setDefaults(); err != nil {
			mustName(t, input, err)
			return
		}
		mustSurvive(t, p, func(p *SelectionPolicy) error { return p.setDefaults() })
	})
}
