package modules

import (
	"os"
	"path/filepath"
	"testing"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFingerprint(t *testing.T) {
	folder := t.TempDir()
	files := []string{"balancer.js", "a.js", "b/index.js", "list.json", "c.js", "d.js"}
	write(t, filepath.Join(folder, "balancer.js"), "const a = require('./a'), fs = require('fs'); require( \"./b\" )")
	write(t, filepath.Join(folder, "a.js"), "require('./balancer'); require('./list.json'); import('./c.js')")
	write(t, filepath.Join(folder, "b", "index.js"), "import d from '../d.js'; require('./nowhere')")
	write(t, filepath.Join(folder, "list.json"), "[]")
	write(t, filepath.Join(folder, "c.js"), "")
	write(t, filepath.Join(folder, "d.js"), "")
	path := filepath.Join(folder, "balancer.js")
	last := Fingerprint(path)
	if last == "" || Fingerprint(path) != last {
		t.Fatalf("%q is no fingerprint", last)
	}
	if got := Fingerprint(filepath.Join(folder, "balancer")); got != last {
		t.Errorf("without its ending it is %q", got)
	}
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, name), string(text)+" ")
		if now := Fingerprint(path); now == last {
			t.Errorf("%s has changed and the fingerprint has not", name)
		} else {
			last = now
		}
	}
	write(t, filepath.Join(folder, "other.js"), "")
	if Fingerprint(path) != last {
		t.Error("a file that is not required changes the fingerprint")
	}
	if got := Fingerprint(filepath.Join(folder, "none.js")); got != "" {
		t.Errorf("%q for no file", got)
	}
}

// What has no end, or is too large, is not read for a fingerprint.
func TestFingerprintOfEndlessFiles(t *testing.T) {
	folder := t.TempDir()
	path, large := filepath.Join(folder, "balancer.js"), filepath.Join(folder, "large.json")
	write(t, path, "require('./endless/file'); require('./package'); require('./large.json')")
	for _, sub := range []string{"endless", "package"} {
		if err := os.Mkdir(filepath.Join(folder, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"endless/file", "package/package.json"} {
		if err := os.Symlink("/dev/zero", filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	small := Fingerprint(path)
	write(t, large, "")
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	if got := Fingerprint(path); small == "" || got != small {
		t.Errorf("got %q and %q", small, got)
	}
	if got := Fingerprint("/dev/zero"); got == "" {
		t.Error("an endless script has no fingerprint")
	}
}
