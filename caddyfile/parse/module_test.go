package parse

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// TestModule reads what stands on a module's line, and its block.
func TestModule(t *testing.T) {
	for input, want := range map[string]string{
		"module a 7":                       "",
		"module a 7 {\nflag\n}":            "",
		"module a":                         "module: takes 2 arguments (text, number), got 1: 'a'",
		"module a 7 b {\nflag\n}":          "module: takes 2 arguments (text, number), got 3: 'a 7 b'",
		`module "" 7`:                      "module: text: '' is empty",
		"module a seven":                   "module: number: 'seven' is not a whole number",
		"module a 7 {\ntext b\n}":          "module: unknown option 'text'",
		"module a 7 {\nflag\nflag on\n}":   "module: option 'flag' is given twice",
		"module a 7 {\nunknown\n}":         "module: unknown option 'unknown'",
		"module a 7 {\nflag {\nflag\n}\n}": "module: option 'flag' takes no block",
	} {
		var b block
		err := Options{
			String("text", &b.text, "").OnLine(), Int("number", &b.number, 0).OnLine(), Flag("flag", &b.flag),
		}.ReadModule(caddyfile.NewTestDispenser(input), "module")
		if want == "" && (err != nil || b.text != "a" || b.number != 7 || b.flag != strings.Contains(input, "flag")) {
			t.Errorf("%q became %+v, %v", input, b, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", input, err, want)
		}
	}
}

// TestModuleWithoutLine refuses whatever stands on a line that takes nothing.
func TestModuleWithoutLine(t *testing.T) {
	for want, table := range map[string]Options{
		"module: unexpected argument 'a b'; options go into a block": {Flag("flag", new(bool))},
		"module: unexpected argument 'a b'; it has no options":       {},
	} {
		if err := table.ReadModule(caddyfile.NewTestDispenser("module a b"), "module"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err := table.ReadModule(caddyfile.NewTestDispenser("module"), "module"); err != nil {
			t.Error(err)
		}
	}
}
