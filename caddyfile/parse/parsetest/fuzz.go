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

// Seed adds what the fixtures of adaptation tests, given as a pattern of their files, give to a parser whose module has this name.
func Seed(f *testing.F, fixtures, name string) {
	f.Helper()
	files, err := filepath.Glob(fixtures)
	if err != nil || len(files) == 0 {
		f.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(data), "\n----------\n")
		if i := strings.Index(input, name+" "); i >= 0 {
			f.Add([]byte(input[i:]))
		}
	}
}

// Module is a module with options, in both of its forms.
type Module interface {
	caddyfile.Unmarshaler
	json.Unmarshaler
}

// FuzzOptions reads anything as the options of a module, as a Caddyfile or as JSON. What is accepted says the same when
// it is written down and read again, and must stand up to the checks of a loaded config, with an error at most.
func FuzzOptions[T Module](f *testing.F, fixtures, name, object string, blank func() T, check func(*testing.T, T)) {
	Seed(f, fixtures, name)
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
