//go:build !unix

package embedded

import (
	"io/fs"
	"os"
)

// access tells whether a file is there, and whether it may be written if that is asked.
func access(path string, mode uint32) error {
	info, err := os.Stat(path)
	if err == nil && mode&2 != 0 && info.Mode().Perm()&0o200 == 0 {
		return fs.ErrPermission
	}
	return err
}
