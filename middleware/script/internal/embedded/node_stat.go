package embedded

import (
	"io/fs"
	"time"

	"github.com/dop251/goja"
)

// stats has the modification for every time: a portable FileInfo knows no other.
func (e *engine) stats(info fs.FileInfo) goja.Value {
	object := e.vm.NewObject()
	_ = object.Set("size", info.Size())
	_ = object.Set("mode", int64(info.Mode().Perm())|typeBits(info.Mode()))
	for _, name := range []string{"mtimeMs", "atimeMs", "ctimeMs", "birthtimeMs"} {
		_ = object.Set(name, float64(info.ModTime().UnixNano())/float64(time.Millisecond))
	}
	_ = object.Set("kind", kindOf(info.Mode()))
	return object
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeNamedPipe != 0:
		return "fifo"
	case mode&fs.ModeCharDevice != 0:
		return "character"
	}
	return "block"
}

func typeBits(mode fs.FileMode) int64 {
	switch kindOf(mode) {
	case "file":
		return 0o100000
	case "directory":
		return 0o040000
	case "link":
		return 0o120000
	}
	return 0
}
