package legacy

import (
	"maps"
	"testing"
)

// Each member of a document is found in its line, and what is missing in that of its object.
func TestLines(t *testing.T) {
	const document = `{
	"a": 1, "b": [
		{"host": "x"},
		2

		, [
			3
		]
	],
	"c": {"d":
		{"e": "\n"}},
	"a":
		2
}`
	lines := linesOf([]byte(document))
	want := map[string]int{"a": 12, "b": 2, "b[0]": 3, "b[0].host": 3, "b[1]": 4, "b[2]": 6, "b[2][0]": 7, "c": 10, "c.d": 10, "c.d.e": 11}
	if !maps.Equal(lines, want) {
		t.Errorf("got %v, want %v", lines, want)
	}
	for path, want := range map[string]int{"b[0].port": 3, "b[9]": 2, "c.d.f.g": 10, "z": 0} {
		if got := lineOf(lines, path); got != want {
			t.Errorf("%s is in line %d, want %d", path, got, want)
		}
	}
}
