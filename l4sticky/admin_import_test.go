package l4sticky

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// tcpTarget returns the config of a target, which may be one of those of a name.
func tcpTarget(dial, upstream string) target.Config {
	c := target.Config{Address: target.Address{Network: "tcp", Dial: dial}, Weight: 1}
	if upstream != "" {
		c.Upstream = target.Address{Network: "tcp", Dial: upstream}
	}
	return c
}

// importInto posts sessions to a pool.
func importInto(t *testing.T, c *poolConfig, sessions string) (answer adminapi.Imported) {
	t.Helper()
	recorder := ask("POST", "/sticky/pools/"+c.name+"/sessions", `{"sessions": [`+sessions+`]}`)
	if recorder.Code != http.StatusOK {
		t.Fatalf("%d: %s", recorder.Code, recorder.Body)
	}
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// stayOf returns where the session of a client is, and in how many seconds it ends.
func stayOf(t *testing.T, c *poolConfig, client string) string {
	t.Helper()
	info, found := c.sessions.Peek(netip.MustParseAddr(client))
	if !found {
		return ""
	}
	s := c.sessionStatus(info)
	if s.ExpiresIn == nil {
		return s.Upstream
	}
	return fmt.Sprintf("%s for %.0fs", s.Upstream, *s.ExpiresIn)
}

// TestImport puts sessions into a pool, and leaves those out that have no place there.
func TestImport(t *testing.T) {
	c := joinUpstreams(t, Options{MaxSessions: 5, SessionExpiry: caddy.Duration(time.Hour), ClientPrefix: &parse.ClientPrefix{IPv4: 32, IPv6: 64}},
		tcpTarget("127.0.0.1:1", ""), tcpTarget("127.0.0.1:2", ""))
	held := c.sessions.Acquire(netip.MustParseAddr("192.0.2.1"))
	defer c.sessions.Release(held)
	c.sessions.Settle(held, nil, func() *target.Target { return c.targets.Members()[0].Target })
	got := importInto(t, c, `
		{"client": "192.0.2.1", "upstream": "127.0.0.1:2"},
		{"client": "192.0.2.2", "upstream": "127.0.0.1:2", "expires_in": 60, "since": "2025-03-01T10:00:00Z"},
		{"client": "::ffff:192.0.2.3", "upstream": "127.0.0.1:1", "expires_in": 1e300, "since": "9999-03-01T10:00:00Z"},
		{"client": "192.0.2.3", "upstream": "127.0.0.1:2"},
		{"client": "192.0.2.4", "upstream": "127.0.0.1:1", "expires_in": 0},
		{"client": "192.0.2.5", "upstream": "127.0.0.1:9"},
		{"client": "192.0.2.6", "upstream": "127.0.0.1:9"},
		{"client": "2001:db8::1:2", "upstream": "127.0.0.1:2", "expires_in": null},
		{"client": "192.0.2.7", "upstream": "127.0.0.1:2", "expires_in": 61},
		{"client": "192.0.2.8", "upstream": "127.0.0.1:2", "expires_in": 59}`)
	want := adminapi.Imported{Imported: 4, Present: 2, Expired: 1, NoRoom: 1, UnknownUpstreams: map[string]int{"127.0.0.1:9": 2}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	for client, want := range map[string]string{
		"192.0.2.1":    "127.0.0.1:1",
		"192.0.2.2":    "127.0.0.1:2 for 60s",
		"192.0.2.3":    "127.0.0.1:1 for 3600s",
		"192.0.2.4":    "",
		"192.0.2.7":    "127.0.0.1:2 for 61s",
		"192.0.2.8":    "",
		"2001:db8::":   "127.0.0.1:2 for 3600s",
		"2001:db8::01": "",
	} {
		if got := stayOf(t, c, client); got != want {
			t.Errorf("%s is at %q, want %q", client, got, want)
		}
	}
	if info, _ := c.sessions.Peek(netip.MustParseAddr("192.0.2.2")); !wallTime(info.Since).Equal(time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("a session began at %v", wallTime(info.Since))
	}
	if got := importInto(t, c, ""); got.Imported != 0 || got.UnknownUpstreams == nil {
		t.Errorf("no sessions are answered by %+v", got)
	}
}

// TestImportByName takes an upstream of the config that stands for one target, and no other.
func TestImportByName(t *testing.T) {
	c := joinUpstreams(t, Options{}, tcpTarget("127.0.0.1:1", "one:1"), tcpTarget("127.0.0.2:2", "two:2"), tcpTarget("127.0.0.3:2", "two:2"))
	got := importInto(t, c, `
		{"client": "192.0.2.1", "upstream": "one:1"},
		{"client": "192.0.2.2", "upstream": "two:2"},
		{"client": "192.0.2.3", "upstream": "127.0.0.3:2"}`)
	if want := (adminapi.Imported{Imported: 2, UnknownUpstreams: map[string]int{"two:2": 1}}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if at := stayOf(t, c, "192.0.2.1"); at != "127.0.0.1:1 for 30s" {
		t.Errorf("the client is at %q", at)
	}
}

// TestImportOfInvalidSessions imports nothing of a body that has a fault, and names that.
func TestImportOfInvalidSessions(t *testing.T) {
	c := joinUpstreams(t, Options{}, tcpTarget("127.0.0.1:1", ""))
	const valid = `{"client": "192.0.2.1", "upstream": "127.0.0.1:1"}`
	for body, want := range map[string]string{
		`{"sessions": [` + valid + `, {"client": "x", "upstream": "127.0.0.1:1"}]}`:                             "sessions[1].client: 'x' is not an IP address",
		`{"sessions": [` + valid + `, {"client": "192.0.2.2", "upstream": ""}]}`:                                "sessions[1].upstream: it is missing",
		`{"sessions": [` + valid + `, {"client": "192.0.2.2", "upstream": "127.0.0.1:1", "expires_in": -0.5}]}`: "sessions[1].expires_in: -0.5 is negative",
		`{"sessions": [` + valid + `, {"client": "192.0.2.2", "upstream": "127.0.0.1:1", "connections": 1}]}`:   `sessions[1]: unknown option "connections"`,
		`{"sessions": [` + valid + `, {"client": "192.0.2.2", "upstream": "127.0.0.1:1", "since": "now"}]}`:     `sessions[1].since: "now" is not a time such as`,
		`{"sessions": [` + valid + `, null]}`:                                                                   "sessions[1].client: '' is not an IP address",
		`{"sessions": [` + valid + strings.Repeat(" ", maxImport) + `]}`:                                        "the body has more than 16777216 bytes",
		`{"session": []}`: `unknown option "session" (did you mean 'sessions'?)`,
		``:                "the body: unexpected end of JSON input",
	} {
		answer := ask("POST", "/sticky/pools/"+c.name+"/sessions", body)
		code := http.StatusBadRequest
		if len(body) > maxImport {
			code = http.StatusRequestEntityTooLarge
		}
		if answer.Code != code || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%.200s is answered by %d %s, want %s", body, answer.Code, answer.Body, want)
		}
	}
	if c.sessions.Len() != 0 {
		t.Errorf("%d sessions are imported", c.sessions.Len())
	}
}

// TestImportWithoutSessions refuses an import into a pool whose placement has no sessions.
func TestImportWithoutSessions(t *testing.T) {
	c := joinUpstreams(t, Options{Placement: "random"}, tcpTarget("127.0.0.1:1", ""))
	if answer := ask("POST", "/sticky/pools/"+c.name+"/sessions", `{"sessions": []}`); answer.Code != http.StatusConflict {
		t.Errorf("it is answered by %d %s", answer.Code, answer.Body)
	}
}
