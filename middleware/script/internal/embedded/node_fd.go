package embedded

import (
	"os"
	"sync"
	"syscall"
)

// maxOpen is how many files a script may have open at a time.
const maxOpen = 256

// descriptors are the files that a script has opened, by numbers that mean something to the script alone.
type descriptors struct {
	mu     sync.Mutex
	files  map[int64]*os.File
	last   int64
	closed bool // and so is what is opened from now on
}

func (d *descriptors) open(path string) (int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.files) >= maxOpen || d.closed {
		f.Close()
		return 0, syscall.EMFILE
	}
	if d.files == nil {
		d.files, d.last = make(map[int64]*os.File), 2
	}
	d.last++
	d.files[d.last] = f
	return d.last, nil
}

func (d *descriptors) get(fd int64) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.files[fd]; f != nil {
		return f, nil
	}
	return nil, syscall.EBADF
}

func (d *descriptors) close(fd int64) error {
	f, err := d.get(fd)
	if err != nil {
		return err
	}
	d.mu.Lock()
	delete(d.files, fd)
	d.mu.Unlock()
	return f.Close()
}

func (d *descriptors) closeAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for fd, f := range d.files {
		f.Close()
		delete(d.files, fd)
	}
}
