package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/semaphore"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

const (
	maxEntries  = 1 << 20 // of a folder that can be listed
	maxWatchers = 1000
)

// fileFunctions are what js/fs.js calls. It makes Node's answers of theirs.
func (e *engine) fileFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"fileSync":  func(a []any) (any, error) { return e.blocking(e.operation(a)) },
		"fileAsync": func(a []any) (any, error) { return e.background(e.fileSlots, e.operation(a)) },
		"watch":     func(a []any) (any, error) { return e.watchPath(a[0].(string)) },
		"unwatch": does(func(a []any) {
			if stop := e.watched[int(a[0].(float64))]; stop != nil {
				stop()
			}
		}),
	}
}

// blocking has the script wait for work, unless that takes longer than the script may.
func (e *engine) blocking(work func(context.Context) (any, error)) (any, error) {
	done := make(chan struct{})
	var found any
	var fault error
	go safely.Do("script file", func() {
		defer close(done)
		found, fault = e.guarded(work)
	})
	select {
	case <-done:
		return found, fault
	case <-e.ctx.Done():
		return nil, quickjs.ErrInterrupted
	}
}

// codes are those that Node has for errors of the system. An error may be of several kinds, of which the first one counts.
var codes = []struct {
	err  error
	code string
}{
	{fs.ErrNotExist, "ENOENT"},
	{syscall.EPERM, "EPERM"},
	{fs.ErrPermission, "EACCES"},
	{syscall.EISDIR, "EISDIR"},
	{syscall.ENOTDIR, "ENOTDIR"},
	{syscall.EMFILE, "EMFILE"},
	{syscall.EFBIG, "EFBIG"},
}

// coded gives an error its code. It names the call and the path.
func coded(err error, call, path string) error {
	for _, known := range codes {
		if errors.Is(err, known.err) {
			if at := (*fs.PathError)(nil); errors.As(err, &at) {
				err = at.Err
			}
			message := fmt.Sprintf("%s: %v, %s '%s'", known.code, err, call, path)
			return &problem{errors.New(message), "Error", map[string]any{"code": known.code, "syscall": call, "path": path}}
		}
	}
	return err
}

// operation is what is asked about a file, by the call that Node names in errors, a path, and whether access is to be read.
func (e *engine) operation(a []any) func(context.Context) (any, error) {
	call, path, toRead := a[0].(string), strings.Clone(a[1].(string)), a[2] == true // the arguments end with the call
	return func(context.Context) (any, error) {
		value, err := e.askFile(call, path, toRead)
		return value, coded(err, call, path)
	}
}

func (e *engine) askFile(call, path string, toRead bool) (any, error) {
	switch call {
	case "open":
		return e.readFile(path)
	case "scandir":
		return readFolder(path)
	}
	if toRead {
		f, err := openFile(path)
		if err == nil {
			f.Close()
		}
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	modified := float64(info.ModTime().UnixNano()) / float64(time.Millisecond)
	return map[string]any{"size": info.Size(), "kind": kindOf(info.Mode()), "mtimeMs": modified}, nil
}

// openFile opens a file for reading. Of a FIFO without a writer, it would not return otherwise.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// mostRead is how much of files there may be beside the script's memory.
func (e *engine) mostRead() int64 { return e.script.Options().MemoryLimit / 2 }

// readFile reads a file of at most half of the script's memory limit, and of what has no size, such as a device, a
// sixteenth of that: there are files without an end.
func (e *engine) readFile(path string) (any, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer context.AfterFunc(e.ctx, safely.Func("script file", func() { f.Close() }))()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	most := e.mostRead()
	limit := max(info.Size(), most/8)
	if limit > most {
		return nil, syscall.EFBIG
	}
	h := &held{size: limit, budget: e.memory}
	if err := e.memory.Acquire(e.ctx, limit); err != nil {
		return nil, err
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead)
	if _, err = data.ReadFrom(io.LimitReader(f, limit+1)); err == nil && int64(data.Len()) > limit {
		err = syscall.EFBIG
	}
	if err != nil {
		h.Release()
		return nil, err
	}
	h.data = data.Bytes()
	return h, nil
}

// held is what was read and is not the script's yet, which takes a part of a budget.
type held struct {
	data   []byte
	size   int64
	budget *semaphore.Weighted
}

// Bytes are what the script gets.
func (h *held) Bytes() []byte { return h.data }

// Release makes room for others.
func (h *held) Release() { h.budget.Release(h.size) }

// readFolder lists a folder.
func readFolder(path string) (any, error) {
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > maxEntries {
		err = syscall.ENOMEM
	}
	if err != nil {
		return nil, err
	}
	found := make([]map[string]string, len(entries))
	for i, entry := range entries {
		found[i] = map[string]string{"name": entry.Name(), "kind": kindOf(entry.Type())}
	}
	return found, nil
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "link"
	}
	return "other"
}

// watchPath begins fs.watch and returns the number by which js/fs.js hears of changes and ends it.
func (e *engine) watchPath(path string) (any, error) {
	if len(e.watched) >= maxWatchers {
		return nil, coded(syscall.EMFILE, "watch", path)
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(path); err != nil {
			watcher.Close()
		}
	}
	if err != nil {
		return nil, coded(err, "watch", path)
	}
	number, client := e.timers.number(), e.owner.Load()
	ctx, cancel := context.WithCancel(e.ctx)
	e.watched[number] = func() {
		cancel()
		delete(e.watched, number)
	}
	e.jobs.Go(safely.Func("script watch", func() {
		defer watcher.Close()
		for {
			select {
			case event := <-watcher.Events:
				kind := "change"
				if event.Has(fsnotify.Create) || event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
					kind = "rename"
				}
				name := filepath.Base(event.Name)
				e.post(client, func() { e.call(e.entry["complete"], number, nil, []string{kind, name}) })
			case err := <-watcher.Errors:
				e.post(client, func() { e.call(e.entry["complete"], number, err) })
			case <-ctx.Done():
				return
			}
		}
	}))
	return number, nil
}
