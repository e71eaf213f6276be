package privileges

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// The folder of the user nobody is usable after a narrow umask, also if it was made with another umask before.
func TestFolderInSpiteOfUmask(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes folders for others")
	}
	user, err := Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	before := stateFolder
	stateFolder = filepath.Join(t.TempDir(), "state")
	defer func() { stateFolder = before }()
	defer syscall.Umask(syscall.Umask(0o077))
	for range 2 {
		home, err := user.makeHome()
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(stateFolder); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%v, %v", info, err)
		}
		if !user.owns(home) {
			t.Errorf("%s is not the user's", home)
		}
		if err := os.Chmod(stateFolder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// The user's folder needs no right to give it away once it is there.
func TestFolderWithoutChown(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes folders for others")
	}
	user := &User{Name: "me", uid: strconv.Itoa(os.Geteuid()), gid: "nonsense"}
	before := stateFolder
	stateFolder = t.TempDir()
	defer func() { stateFolder = before }()
	if err := os.Mkdir(filepath.Join(stateFolder, user.Name), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := user.makeHome(); err != nil {
		t.Error(err)
	}
}
