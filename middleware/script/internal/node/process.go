//go:build unix

package node

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// supported says that processes can be given pipes here.
const supported = true

// notInherited are variables that are about Caddy's own process, or would have Node.js look for a parent of its own kind.
var notInherited = []string{
	"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID",
}

// environment returns the variables that the child gets.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(notInherited, name)
	})
}

// process is a child process that runs the host.
type process struct {
	command *exec.Cmd
	mark    mark

	// Our ends of the pipes. The names are those of js/pipes.js.
	requests, answers, replies, stdout, stderr *os.File

	exited chan struct{} // closed when the process has ended
}

// startProcess starts the host for a script. The caller kills the process at last, waits for its end, and closes it and its mark.
func startProcess(path string, script *decide.Script) (*process, error) {
	p := &process{exited: make(chan struct{})}
	var theirs []*os.File
	defer func() { closeFiles(theirs) }()
	err := p.open(&theirs)
	if err == nil {
		// The young generation of the heap is bounded as well: it is up to three semispaces.
		megabytes := max(script.Options().MemoryLimit>>20, 16)
		p.command = exec.Command(path, fmt.Sprint("--max-old-space-size=", megabytes), fmt.Sprint("--max-semi-space-size=", min(megabytes/16, 16)),
			"-", script.Path(), decide.Program(), fmt.Sprint(decide.PrepareLimit.Milliseconds()))
		p.command.Env = environment()
		p.command.Stdin, p.command.Stdout, p.command.Stderr, p.command.ExtraFiles = theirs[0], theirs[1], theirs[2], theirs[3:]
		p.command.SysProcAttr = attributes()
		started := make(chan error)
		go safely.Do("script process", func() { p.run(started) })
		err = <-started
	}
	if err != nil {
		p.close()
		p.mark.close()
		return nil, fmt.Errorf("runtime node: %w", err)
	}
	return p, nil
}

// open makes the pipes, and appends the child's ends in the order of its descriptors. The program is in the first one.
func (p *process) open(theirs *[]*os.File) (err error) {
	var program *os.File
	for _, ours := range []struct {
		file   **os.File
		writes bool
	}{{&program, true}, {&p.stdout, false}, {&p.stderr, false}, {&p.requests, true}, {&p.answers, false}, {&p.replies, true}} {
		reader, writer, err := os.Pipe()
		if err != nil {
			return err
		}
		if !ours.writes {
			reader, writer = writer, reader
		}
		*ours.file, *theirs = writer, append(*theirs, reader)
	}
	defer program.Close()
	if _, err := io.WriteString(program, host); err != nil { // a pipe takes that much
		return err
	}
	file, err := p.mark.open()
	if err == nil {
		*theirs = append(*theirs, file)
	}
	return err
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
		close(p.exited)
	}
}

// kill ends the process at once, also one that was stopped.
func (p *process) kill() { _ = p.command.Process.Kill() }

// close closes our ends of the pipes.
func (p *process) close() {
	closeFiles([]*os.File{p.requests, p.answers, p.replies, p.stdout, p.stderr})
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}
