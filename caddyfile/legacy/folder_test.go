//go:build unix

package legacy

import (
	"os"
	"path/filepath"
	"testing"
)

// Root's instances are in a folder that no other user can change, whatever the environment says.
func TestFolderOfRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has a folder of its own")
	}
	before := rootFolder
	rootFolder = filepath.Join(t.TempDir(), "run", "instances")
	defer func() { rootFolder = before }()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		prepare func(data string)
		taken   bool
	}{
		"nothing there":   {func(string) {}, true},
		"root's":          {func(data string) { must(os.MkdirAll(filepath.Join(data, "caddy"), 0o755)) }, true},
		"in a sticky one": {func(data string) { must(os.Chmod(filepath.Dir(data), 0o777|os.ModeSticky)) }, true},
		"in anybody's":    {func(data string) { must(os.Chmod(filepath.Dir(data), 0o777)) }, false},
		"in a group's":    {func(data string) { must(os.Chmod(filepath.Dir(data), 0o775)) }, false},
		"in another's":    {func(data string) { must(os.Chown(filepath.Dir(data), 65534, 0)) }, false},
		"behind a link":   {func(data string) { must(os.Symlink(t.TempDir(), data)) }, false},
		"a file":          {func(data string) { must(os.WriteFile(data, nil, 0o600)) }, false},
		"a link at the end": {func(data string) {
			must(os.MkdirAll(filepath.Join(data, "caddy"), 0o755))
			must(os.Symlink(t.TempDir(), filepath.Join(data, "caddy", adapterName)))
		}, false},
		"sticky itself": {func(data string) {
			instances := filepath.Join(data, "caddy", adapterName)
			must(os.MkdirAll(instances, 0o755))
			must(os.Chmod(instances, 0o777|os.ModeSticky))
		}, false},
	} {
		data := filepath.Join(t.TempDir(), "data")
		c.prepare(data)
		t.Setenv("XDG_DATA_HOME", data)
		want := rootFolder
		if c.taken {
			want = filepath.Join(data, "caddy", adapterName)
		}
		if got, err := folder(); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
		if _, err := os.Stat(filepath.Join(data, "caddy")); name == "in another's" && err == nil {
			t.Errorf("%s: root has made a folder", name)
		}
	}
	for name, value := range map[string]string{"XDG_DATA_HOME": "", "HOME": t.TempDir()} {
		t.Setenv(name, value)
	}
	if got, err := folder(); err != nil || got != rootFolder {
		t.Errorf("with a HOME alone: got %s, %v", got, err)
	}
	must(os.Chmod(filepath.Dir(rootFolder), 0o777))
	if got, err := folder(); err == nil {
		t.Errorf("%s is in anybody's folder", got)
	}
}

// Writing an instance's file does not follow a link that another process has put there.
func TestInstanceBesideLink(t *testing.T) {
	one, elsewhere := &instance{PID: os.Getpid(), folder: t.TempDir()}, filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(elsewhere, one.path(".tmp")); err != nil {
		t.Fatal(err)
	}
	if err := one.write(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(elsewhere); err == nil {
		t.Error("it went through the link")
	}
}
