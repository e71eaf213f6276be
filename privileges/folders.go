package privileges

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// stateFolder is where users without a home of their own get a folder for Caddy's files.
var stateFolder = "/var/lib/caddy-loadbalancer"

// Become drops root's privileges as Drop does, and then gives Caddy folders for its data and its last config into
// which the user may write: those that the environment names, or others in the user's home, or in a folder that it makes
// for a user who does not own a home. A process that already has the user's effective UID keeps its folders.
func (u *User) Become() error {
	if uid, err := currentUID(); err == nil && uid == u.uid {
		return u.Drop()
	}
	home, err := u.makeHome()
	if err != nil {
		return err
	}
	if err := u.Drop(); err != nil {
		return err
	}
	unwritable := tryFolders()
	if unwritable == nil {
		return nil
	}
	if err := os.Setenv("HOME", home); err != nil {
		return fmt.Errorf("setting HOME: %w", err)
	}
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("unsetting %s: %w", name, err)
		}
	}
	if err := tryFolders(); err != nil {
		return fmt.Errorf("'%s' can't write into %s: %w", u.Name, home, err)
	}
	// Caddy set these paths from the environment when the process started.
	caddy.ConfigAutosavePath = filepath.Join(caddy.AppConfigDir(), filepath.Base(caddy.ConfigAutosavePath))
	caddy.DefaultStorage.Path = caddy.AppDataDir()
	caddy.Log().Info("caddy keeps its files in another folder, since the user can't write into root's",
		zap.String("user", u.Name), zap.String("folder", home), zap.NamedError("reason", unwritable))
	return nil
}

// makeHome returns the user's home if it belongs to the user, which that of a system user often does not. Otherwise it
// makes a folder for the user and returns that.
func (u *User) makeHome() (string, error) {
	if u.owns(u.Home) {
		return u.Home, nil
	}
	home := filepath.Join(stateFolder, u.Name)
	err := makeSearchable(stateFolder)
	if err == nil && !u.owns(home) {
		if err = os.Mkdir(home, 0o700); err == nil || errors.Is(err, os.ErrExist) {
			err = u.chown(home)
		}
	}
	if err != nil {
		return "", fmt.Errorf("making a folder for '%s': %w", u.Name, err)
	}
	return home, nil
}

// makeSearchable makes a folder that every user may enter, independent of the umask.
func makeSearchable(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm()&0o001 != 0 {
		return err
	}
	return os.Chmod(folder, 0o755)
}

// tryFolders makes Caddy's folders, and returns an error if this process cannot write into them.
func tryFolders() error {
	for _, folder := range []string{caddy.AppDataDir(), caddy.AppConfigDir()} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		file, err := os.CreateTemp(folder, "writable")
		if err != nil {
			return err
		}
		_ = file.Close()
		if err := os.Remove(file.Name()); err != nil {
			return err
		}
	}
	return nil
}
