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

// rootFolder is where root's instances are kept, without symbolic links on the way.
var rootFolder = cmp.Or(map[string]string{
	"linux":  "/run/caddy-loadbalancer",
	"darwin": "/private/var/run/caddy-loadbalancer",
}[runtime.GOOS], "/var/run/caddy-loadbalancer")

// folder makes the folder in which the instances of this user are kept. What root does with its own must not depend
// on anybody else: they are in a fixed place, or below XDG_DATA_HOME if only root can have made what is there.
func folder() (string, error) {
	dir, err := filepath.Abs(filepath.Join(caddy.AppDataDir(), adapterName))
	if err != nil {
		return "", err
	}
	if os.Geteuid() != 0 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		return dir, mustBeOwn(dir, false)
	}
	if os.Getenv("XDG_DATA_HOME") != "" && makeOwn(dir, 0o700) == nil {
		return dir, nil
	}
	return rootFolder, makeOwn(rootFolder, 0o700)
}

// makeOwn makes a folder that nobody else may change or replace.
func makeOwn(dir string, mode fs.FileMode) error {
	if parent := filepath.Dir(dir); parent != dir {
		if err := makeOwn(parent, 0o755|fs.ModeSticky); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, mode.Perm()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return mustBeOwn(dir, mode&fs.ModeSticky != 0)
}

// mustBeOwn is an error unless the path is that of a folder of this user's into which nobody else may write, or may
// write without touching what is not theirs if it may be a sticky one such as /tmp.
func mustBeOwn(dir string, maybeSticky bool) error {
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
