package parse

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// block is what the tests parse into.
type block struct {
	duration caddy.Duration
	number   int
	word     string
	text     string
	flag     bool
	on, off  bool
	nested   []string
}

func read(input string) (b block, err error) {
	d := caddyfile.NewTestDispenser(input)
	d.Next()
	b.off = true
	err = Options{
		Duration("duration", &b.duration, 0),
		Int("number", &b.number, 0),
		Enum("word", &b.word, "", "one", "two"),
		String("text", &b.text, ""),
		Flag("flag", &b.flag),
		OnOff("on", &b.on),
		OnOff("off", &b.off),
		Blocks("nested", func(d *caddyfile.Dispenser) error {
			b.nested = append(b.nested, d.RemainingArgs()...)
			return Options{String("text", &b.text, "")}.ReadBlock(d, "module nested")
		}),
	}.ReadBlock(d, "module")
	return b, err
}

func TestBlock(t *testing.T) {
	got, err := read(`module {
		duration 1m30s
		nested a {
			text inner
		}
		number 7
		nested b
		word two
		flag
		on on
		off off
	}`)
	if err != nil {
		t.Fatal(err)
	}
	if got.duration != caddy.Duration(90e9) || got.number != 7 || got.word != "two" || got.text != "inner" || !got.flag || !got.on || got.off ||
		strings.Join(got.nested, " ") != "a b" {
		t.Errorf("read %+v", got)
	}
	if _, err := read("module"); err != nil {
		t.Errorf("without a block: %v", err)
	}
}

func TestBlockRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"durtion 30s":                `module: unknown option 'durtion' (did you mean 'duration'?)`,
		"zebra":                      "module: unknown option 'zebra'; it must be one of duration, flag, nested, number, off, on, text, word, at",
		"flag\nflag":                 "module: option 'flag' is given twice",
		"flag on":                    "module: option 'flag' takes no argument, got 1: 'on'",
		"on yes":                     "module: on: 'yes' is not one of on, off",
		"number":                     "module: option 'number' takes one argument, got 0: ''",
		"number 1 2":                 "module: option 'number' takes one argument, got 2: '1 2'",
		"number one":                 "module: number: 'one' is not a whole number",
		"number 0":                   "module: number: '0' is below 1",
		"number 9007199254740993":    "module: number: '9007199254740993' is above 9007199254740992",
		"number 9223372036854775807": "module: number: '9223372036854775807' is above 9007199254740992",
		"number 9223372036854775808": "module: number: '9223372036854775808' is out of range",
		"duration 30":                "module: duration: '30' is not a duration such as 30s, 500ms or 2h",
		"duration 0":                 "module: duration: '0' is not above zero",
		"word three":                 "module: word: 'three' is not one of one, two",
		`text ""`:                    "module: text: '' is empty",
		"number 1 {\nflag\n}":        "module: option 'number' takes no block",
		"nested {\nflag\n}":          "module nested: unknown option 'flag'",
		"nested {\ntext a b\n}":      "module nested: option 'text' takes one argument, got 2: 'a b'",
	} {
		if _, err := read("module {\n" + line + "\n}"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"sessionExpiry", "targets", "port", "host"}
	for name, want := range map[string]string{
		"sesionExpiry":  ` (did you mean 'sessionExpiry'?)`,
		"sessionexpiry": ` (did you mean 'sessionExpiry'?)`,
		"prot":          ` (did you mean 'port'?)`,
		"target":        ` (did you mean 'targets'?)`,
		"somethingElse": "; it must be one of sessionExpiry, targets, port, host",
		"":              "; it must be one of sessionExpiry, targets, port, host",
	} {
		if got := Suggest(name, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestIsHost(t *testing.T) {
	for _, good := range []string{"localhost", "a", "web-1.example.com", "web_1", "example.com.", "10.0.0.1", "::1", "fe80::1%eth0", "1a", "x1"} {
		if !IsHost(good) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{
		"", ".", "a b", "-a", "a-", "a..b", "10.0.0.300", "10.0.0", "7", "a:80", "[::1]", "{env.HOST}", "a/b", "fe80::1%e/0",
		"\x00", "é", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "aa",
	} {
		if IsHost(bad) {
			t.Errorf("%q is taken", bad)
		}
	}
}

// settings are what the tests of defaults and bounds set.
type settings struct {
	plain, bounded, off caddy.Duration
	number, share       int
	text, word, choice  string
	flag                bool
	prefix              *ClientPrefix
}

func (s *settings) table() Options {
	return Options{
		Duration("plain", &s.plain, time.Minute),
		Duration("bounded", &s.bounded, 2*time.Second, Between[caddy.Duration](1e9, 3600e9)),
		DurationOrOff("off", &s.off, time.Second, -1, Between[caddy.Duration](1e9, 3600e9)),
		Int("number", &s.number, 7),
		Int("share", &s.share, s.number, Between(1, 100)),
		String("text", &s.text, "x"),
		Enum("word", &s.word, "one", "one", "two"),
		Enum("choice", &s.choice, "", "a", "b"),
		Flag("flag", &s.flag),
		Prefix("prefix", &s.prefix, 24, 64),
		Blocks("nested", nil),
	}
}

func TestDefaults(t *testing.T) {
	s := settings{number: 9}
	for range 2 { // what is set stays
		if err := s.table().SetDefaults(); err != nil {
			t.Fatal(err)
		}
		prefix := s.prefix
		s.prefix = nil
		want := settings{caddy.Duration(time.Minute), caddy.Duration(2 * time.Second), caddy.Duration(time.Second), 9, 9, "x", "one", "", false, nil}
		if s != want || *prefix != (ClientPrefix{24, 64}) {
			t.Errorf("%+v and %v, want %+v", s, prefix, want)
		}
		s.prefix = prefix
	}
}

func TestBounds(t *testing.T) {
	for want, set := range map[string]func(*settings){
		"plain: -1s is negative": func(s *settings) { s.plain = -1e9 },
		"plain: 876000h0m0.000000001s is above 876000h0m0s (100 years)":     func(s *settings) { s.plain = caddy.Duration(MaxDuration + 1) },
		"bounded: -1s is negative":                                          func(s *settings) { s.bounded = -1e9 },
		"bounded: 999.999999ms is not from 1s to 1h0m0s":                    func(s *settings) { s.bounded = 1e9 - 1 },
		"bounded: 1h0m0.000000001s is not from 1s to 1h0m0s":                func(s *settings) { s.bounded = 3600e9 + 1 },
		"off: 1ns is not from 1s to 1h0m0s":                                 func(s *settings) { s.off = 1 },
		"number: -1 is negative":                                            func(s *settings) { s.number = -1 },
		"share: -1 is not from 1 to 100":                                    func(s *settings) { s.share = -1 },
		"share: 101 is not from 1 to 100":                                   func(s *settings) { s.share = 101 },
		"word: 'three' is not one of one, two":                              func(s *settings) { s.word = "three" },
		"choice: 'c' is not one of a, b":                                    func(s *settings) { s.choice = "c" },
		"prefix: 33 is not a prefix length of IPv4, which is from 1 to 32":  func(s *settings) { s.prefix = &ClientPrefix{33, 0} },
		"prefix: -1 is not a prefix length of IPv6, which is from 1 to 128": func(s *settings) { s.prefix = &ClientPrefix{1, -1} },
	} {
		s := &settings{number: 7}
		set(s)
		if err := s.table().SetDefaults(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, off := range []caddy.Duration{-1, -7} {
		if s := (settings{off: off, number: 7}); s.table().SetDefaults() != nil || s.off != off {
			t.Errorf("%d has become %d", off, s.off)
		}
	}
}

// TestOnlyFor refuses an option without what it is for, unless it has its default.
func TestOnlyFor(t *testing.T) {
	for want, d := range map[string]caddy.Duration{
		"every: 5s is given, which is for keep only": 5e9,
		"every: -1s is negative":                     -1e9,
		"":                                           caddy.Duration(time.Minute),
	} {
		for _, applies := range []bool{true, false} {
			value, left := d, caddy.Duration(0)
			err := Options{
				Duration("every", &value, time.Minute).OnlyFor("keep", applies), Duration("left", &left, time.Minute).OnlyFor("keep", applies),
			}.SetDefaults()
			switch {
			case (want == "" || applies && d > 0) && (err != nil || value != d || left != caddy.Duration(time.Minute)):
				t.Errorf("%v, applies %t: %v and %v, %v", d, applies, value, left, err)
			case want != "" && (!applies || d < 0) && (err == nil || err.Error() != want):
				t.Errorf("%v, applies %t: %v, want %s", d, applies, err, want)
			}
		}
	}
}

func TestCheckSame(t *testing.T) {
	for want, set := range map[string]func(*settings){
		"a different plain (1s and 1m0s)":          func(s *settings) { s.plain = 1e9 },
		"a different number (5 and 7)":             func(s *settings) { s.number, s.share = 5, 7 },
		"a different text (y and x)":               func(s *settings) { s.text = "y" },
		"a different word (two and one)":           func(s *settings) { s.word = "two" },
		"a different flag (true and false)":        func(s *settings) { s.flag = true },
		"a different prefix ({24 56} and {24 64})": func(s *settings) { s.prefix = &ClientPrefix{24, 56} },
		"a different prefix ({32 64} and {24 64})": func(s *settings) { s.prefix = &ClientPrefix{IPv4: 32} },
		"":                                    func(s *settings) { s.prefix = new(ClientPrefix) },
		"a different off (-1ns and 1s)":       func(s *settings) { s.off = -1 },
		"a different share (3 and 7)":         func(s *settings) { s.share = 3 },
		"a different bounded (1h0m0s and 2s)": func(s *settings) { s.bounded = 3600e9 },
	} {
		a, b := &settings{number: 7}, &settings{number: 7}
		set(a)
		for _, s := range []*settings{a, b} {
			if err := s.table().SetDefaults(); err != nil {
				t.Fatal(err)
			}
		}
		text := ""
		if err := a.table().CheckSame(b.table()); err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%q, want %q", text, want)
		}
	}
}
