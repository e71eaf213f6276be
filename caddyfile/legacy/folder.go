package legacy

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/caddyserver/caddy/v2"
)

// rootFolder is the folder of root's instances. There are no symbolic links on the way to it.
var rootFolder = cmp.Or(map[string]string{
	"linux":  "/run/caddy-loadbalancer",
	"darwin": "/private/var/run/caddy-loadbalancer",
}[runtime.GOOS], "/var/run/caddy-loadbalancer")

// folder makes and returns the folder with the files of this user's instances. What root does with its instances must
// not depend on other users: their files are in a fixed place, or below XDG_DATA_HOME if only root can have made what
// is there.
func folder() (string, error) {
	dir, err := filepath.Abs(filepath.Join(caddy.AppDataDir(), adapterName))
	if err != nil {
		return "", err
	}
	if os.Geteuid() != 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		return dir, checkOwn(dir, false)
	}
	if os.Getenv("XDG_DATA_HOME") != "" && makeOwn(dir, 0o700) == nil {
		return dir, nil
	}
	return rootFolder, makeOwn(rootFolder, 0o700)
}

// makeOwn makes a folder that no other user may change or replace.
func makeOwn(dir string, mode fs.FileMode) error {
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeOwn(parent, 0o755|fs.ModeSticky); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode.Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return checkOwn(dir, mode&fs.ModeSticky != 0)
}

// checkOwn returns an error unless the path is a folder of this user into which no other user may write. If maybeSticky is
// true, a folder such as /tmp is allowed as well, where other users may write but not touch what is not theirs.
func checkOwn(dir string, maybeSticky bool) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	closed := info.Mode().Perm()&0o022 == 0 || maybeSticky && info.Mode()&fs.ModeSticky != 0
	if !info.IsDir() || !isOwned(info) || !closed {
		return fmt.Errorf("%s is not a folder that only the user who runs this may change", dir)
	}
	return nil
}
