//go:build unix

package node

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// markSize is how much the host writes: the number of the client for whom the script is at work, or zero, and a number
// that is another one each time.
const markSize = 8

// mark is a file that the host writes and that is mapped here, so that it can be read at any time, also after the host has
// died of whatever.
type mark struct{ memory []byte }

// open makes the file. The caller closes it.
func (m *mark) open() (*os.File, error) {
	file, err := newMarkFile()
	if err == nil {
		err = file.Truncate(markSize)
	}
	if err == nil {
		m.memory, err = unix.Mmap(int(file.Fd()), 0, markSize, unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil && file != nil {
		file.Close()
	}
	return file, err
}

// read returns what the host has written last: the number of the client in the lower half.
func (m *mark) read() uint64 { return binary.LittleEndian.Uint64(m.memory) }

func (m *mark) close() {
	if m.memory != nil {
		_ = unix.Munmap(m.memory)
		m.memory = nil
	}
}
