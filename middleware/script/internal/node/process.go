//go:build unix

package node

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// supported says that processes can be given pipes here.
const supported = true

// patience is how long a process may take to end by itself, and what it wrote to arrive.
const patience = 250 * time.Millisecond

// process is a child process that runs the host.
type process struct {
	command *exec.Cmd

	// Our ends of the pipes. The names are those of js/pipes.js.
	requests, answers, replies *os.File
	// mark is a file in which the host writes for whom the script is at work, so that it can be read at any time, also after the
	// host has died of whatever.
	mark *os.File

	exited chan struct{} // closed when the process has ended, and what it printed has arrived
}

// startProcess starts the host for a script, and has it end with the context: by itself if it does so soon. What the script
// prints goes to stdout and stderr. The caller closes the process after its end.
func startProcess(ctx context.Context, path string, script *decide.Script, stdout, stderr io.Writer) (*process, error) {
	requests, ourRequests, err1 := os.Pipe()
	ourAnswers, answers, err2 := os.Pipe()
	replies, ourReplies, err3 := os.Pipe()
	mark, err4 := newMarkFile()
	defer closeFiles(requests, answers, replies)
	p := &process{requests: ourRequests, answers: ourAnswers, replies: ourReplies, mark: mark, exited: make(chan struct{})}
	err := errors.Join(err1, err2, err3, err4)
	if err == nil {
		// The young generation of the heap is bounded as well: it is up to three semispaces.
		megabytes := max(script.Options().MemoryLimit>>20, 16)
		p.command = exec.CommandContext(ctx, path, fmt.Sprint("--max-old-space-size=", megabytes), fmt.Sprint("--max-semi-space-size=", min(megabytes/16, 16)),
			"-", script.Path(), decide.Program(), fmt.Sprint(decide.PrepareLimit.Milliseconds()))
		p.command.Env = environment()
		p.command.Stdin, p.command.Stdout, p.command.Stderr = strings.NewReader(host), stdout, stderr
		p.command.ExtraFiles = []*os.File{requests, answers, replies, mark}
		p.command.SysProcAttr = attributes()
		p.command.Cancel = p.requests.Close // which the host takes as the end
		p.command.WaitDelay = patience
		started := make(chan error)
		go safely.Do("script process", func() { p.run(started) })
		err = <-started
	}
	if err != nil {
		p.close()
		return nil, fmt.Errorf("runtime node: %w", err)
	}
	return p, nil
}

// run starts the process and waits for its end. It has a thread of its own, since the rights that the process gets are
// those of the thread that starts it, and since the process ends with that thread.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread() // for good: the thread ends with this function
	err := dropRights()
	if err == nil {
		err = p.command.Start()
	}
	started <- err
	if err == nil {
		wait(p.command)
		_ = p.answers.SetReadDeadline(time.Now().Add(patience)) // a process that it has started may still hold the pipe
		close(p.exited)
	}
}

// kill ends the process at once, also one that was stopped.
func (p *process) kill() { _ = p.command.Process.Kill() }

// marked returns what the host has written last: the number of the client for whom the script is at work, or zero, in the lower
// half, and a number in the other one that is another one each time.
func (p *process) marked() uint64 {
	var mark [8]byte
	_, _ = p.mark.ReadAt(mark[:], 0) // there is nothing before the first client
	return binary.LittleEndian.Uint64(mark[:])
}

// close closes our ends of the pipes, and the mark.
func (p *process) close() { closeFiles(p.requests, p.answers, p.replies, p.mark) }

func closeFiles(files ...*os.File) {
	for _, f := range files {
		f.Close() // an error if there is no file
	}
}
