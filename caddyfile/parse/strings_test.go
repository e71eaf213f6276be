package parse

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// A list has at least one argument on each of its lines, and no words but those that are allowed.
func TestStrings(t *testing.T) {
	for _, c := range []struct {
		input string
		want  []string
		fault string
	}{
		{"m {\nlist a b\nlist a\n}", []string{"a", "b", "a"}, ""},
		{"m {\nlist\n}", nil, "option 'list' takes at least one argument"},
		{"m {\nlist c\n}", nil, "list: 'c' is not one of a, b"},
		{"m {\nlist \"\"\n}", nil, "list: '' is empty"},
		{"m", nil, ""},
	} {
		var list []string
		table := Options{Strings("list", &list, "a", "b")}
		err := table.ReadModule(caddyfile.NewTestDispenser(c.input), "m")
		if err == nil {
			err = table.SetDefaults()
		}
		switch {
		case c.fault == "" && (err != nil || !slices.Equal(list, c.want)):
			t.Errorf("%q: got %v, %v; want %v", c.input, list, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: got the error %v, want %q", c.input, err, c.fault)
		}
	}
}
