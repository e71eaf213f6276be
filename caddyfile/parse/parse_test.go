package parse

import (
	"strings"
	"testing"

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
	err = Block(d, "module", Options{
		"duration": Duration(&b.duration),
		"number":   Int(&b.number),
		"word":     Enum(&b.word, "one", "two"),
		"text":     String(&b.text),
		"flag":     Flag(&b.flag),
		"on":       OnOff(&b.on),
		"off":      OnOff(&b.off),
		"nested": {Repeat: true, Nested: func(d *caddyfile.Dispenser) error {
			b.nested = append(b.nested, d.RemainingArgs()...)
			return Block(d, "module nested", Options{"text": String(&b.text)})
		}},
	})
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
		"durtion 30s":                `module: unknown option 'durtion': did you mean "duration"?`,
		"zebra":                      "module: unknown option 'zebra', at",
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
		"sesionExpiry":  `: did you mean "sessionExpiry"?`,
		"sessionexpiry": `: did you mean "sessionExpiry"?`,
		"prot":          `: did you mean "port"?`,
		"target":        `: did you mean "targets"?`,
		"somethingElse": "",
		"":              "",
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
