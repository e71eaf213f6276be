package command

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
)

// TestRecords reads lines, and tells how long their sessions live on a minute later.
func TestRecords(t *testing.T) {
	at := time.Date(2025, 3, 1, 10, 0, 0, 0, time.UTC)
	now := at.Add(time.Minute)
	for line, want := range map[string]string{
		`{"client":"192.0.2.1","upstream":"a:1"}`: "192.0.2.1 a:1",
		`{"client":"192.0.2.1","upstream":"a:1","connections":3,"since":"2025-03-01T09:00:00Z","expires_in":null,"at":"2025-03-01T10:00:00Z"}`:           "192.0.2.1 a:1 since 09:00",
		`{"client":"2001:db8::1","upstream":"a:1","connections":0,"since":"2025-03-01T09:00:00Z","expires_in":100.5,"at":"2025-03-01T10:00:00Z"}` + "\r": "2001:db8::1 a:1 since 09:00 for 40.5",
		`{"client":"192.0.2.1","upstream":"a:1","expires_in":60,"at":"2025-03-01T10:00:00Z"}`:                                                            "192.0.2.1 a:1 for 0",
		`{"client":"192.0.2.1","upstream":"a:1","expires_in":59,"at":"2025-03-01T10:00:00Z"}`:                                                            "192.0.2.1 a:1 for 0",
		`{"client":"192.0.2.1","upstream":"a:1","expires_in":59,"at":"2025-03-01T11:00:00Z"}`:                                                            "192.0.2.1 a:1 for 59",
		`{"client":"192.0.2.1","upstream":"a:1","expires_in":59}`:                                                                                        "192.0.2.1 a:1 for 59",
		"   \t": "none",
		`{"client":"192.0.2.1","upstream":"a:1","connexions":3}`:        `line 2: json: unknown field "connexions"`,
		`{"client":"192.0.2.1","upstream":"a:1"}{}`:                     "line 2: there is something behind the object",
		`{"client":"192.0.2.1","upstream":"a:1"`:                        "line 2: unexpected EOF",
		`192.0.2.1 a:1`:                                                 "line 2: the line: it can't be a number",
		`client=192.0.2.1`:                                              "line 2: invalid character 'c' looking for beginning of value",
		`{"client":"192.0.2.1","upstream":7}`:                           "line 2: upstream: it can't be a number",
		`{"client":"192.0.2.1","upstream":"a:1","expires_in":"1s"}`:     "line 2: expires_in: it can't be a string",
		`{"client":"192.0.2.1","upstream":"a:1","connections":1.5}`:     "line 2: connections: it can't be a number 1.5",
		`{"client":"x","upstream":"a:1"}`:                               "line 2: client: 'x' is not an IP address",
		`{"client":"\u001b[2J","upstream":"a:1"}`:                       `line 2: client: '"\x1b[2J"' is not an IP address`,
		`{"upstream":"a:1"}`:                                            "line 2: client: '' is not an IP address",
		`null`:                                                          "line 2: client: '' is not an IP address",
		`{"client":"192.0.2.1"}`:                                        "line 2: upstream: it is missing",
		`{"client":"192.0.2.1","upstream":"a:1","expires_in":-1}`:       "line 2: expires_in: -1 is negative",
		`{"client":"192.0.2.1","upstream":"a:1","since":"yesterday"}`:   `line 2: parsing time "yesterday"`,
		`{"client":"` + strings.Repeat("1", 65536) + `","upstream":""}`: "line 2: it has more than 65536 bytes",
	} {
		got := "none"
		err := eachRecord(strings.NewReader("\n"+line), func(r importedRecord) error {
			s := r.session(now)
			got = s.Client + " " + s.Upstream
			if s.Since != nil {
				got += " since " + s.Since.Format("15:04")
			}
			if s.ExpiresIn != nil {
				got += fmt.Sprint(" for ", *s.ExpiresIn)
			}
			return nil
		})
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%.200s\n%s, want\n%s", line, got, want)
		}
	}
}

// FuzzRecord has lines of strangers do no harm. What is taken is a session that the API takes, also later.
func FuzzRecord(f *testing.F) {
	f.Add(`{"client":"192.0.2.1","upstream":"a:1","connections":0,"since":"2025-03-01T09:00:00Z","expires_in":100.5,"at":"2025-03-01T10:00:00Z"}`)
	f.Add(`{"client":"fe80::1%eth0","upstream":"unix//a","expires_in":1e308,"at":"0001-01-01T00:00:00Z"}`)
	f.Add("{\"at\": \"\x7f\"}")
	f.Fuzz(func(t *testing.T, text string) {
		err := eachRecord(strings.NewReader(text), func(r importedRecord) error {
			s := r.session(time.Now())
			if _, err := netip.ParseAddr(s.Client); err != nil || s.Upstream == "" || s.ExpiresIn != nil && (*s.ExpiresIn < 0 || math.IsNaN(*s.ExpiresIn)) {
				t.Errorf("%q is taken as %+v", text, s)
			}
			if _, err := json.Marshal(s); err != nil {
				t.Errorf("%q can't be sent: %v", text, err)
			}
			return nil
		})
		if err != nil && strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the error is %q", err)
		}
	})
}
