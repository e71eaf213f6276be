package parsetest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Fixtures returns the parts of each fixture of adaptation tests, which are given as a pattern of their files: first the input,
// then what becomes of it.
func Fixtures(t testing.TB, pattern string) (fixtures [][]string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fixtures = append(fixtures, strings.Split(string(data), "\n----------\n"))
	}
	return fixtures
}

// Seeds returns what the fixtures give to a parser whose module has this name, from the name on.
func Seeds(t testing.TB, pattern, name string) (seeds []string) {
	t.Helper()
	for _, parts := range Fixtures(t, pattern) {
		if i := strings.Index(parts[0], name); i >= 0 {
			seeds = append(seeds, parts[0][i:])
		}
	}
	return seeds
}

// Module is a module with options, in both of its forms.
type Module interface {
	caddyfile.Unmarshaler
	json.Unmarshaler
}

// FuzzOptions reads anything as the options of a module, as a Caddyfile or as JSON. What is accepted says the same when
// it is written down and read again, and must stand up to the checks of a loaded config, with an error at most.
func FuzzOptions[T Module](f *testing.F, fixtures, name, object string, blank func() T, check func(*testing.T, T)) {
	for _, input := range Seeds(f, fixtures, name+" ") {
		f.Add([]byte(input))
	}
	for _, text := range []string{object, `{}`, `null`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		read := blank()
		if json.Valid(input) {
			if read.UnmarshalJSON(input) != nil {
				return
			}
		} else {
			tokens, err := caddyfile.Tokenize(input, "Caddyfile")
			if err != nil || read.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)) != nil {
				return
			}
		}
		written, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		again := blank()
		if err := again.UnmarshalJSON(written); err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		if rewritten, err := json.Marshal(again); err != nil || !bytes.Equal(written, rewritten) {
			t.Errorf("%s became %s, %v", written, rewritten, err)
		}
		check(t, read)
	})
}
