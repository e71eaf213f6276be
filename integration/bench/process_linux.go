package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a program that the benchmark has started, the leader of a process group of its own.
type process struct {
	name   string
	cmd    *exec.Cmd
	log    string // the path of what it writes
	stdin  io.WriteCloser
	lines  chan string   // of standard output, closed at its end
	exited chan struct{} // closed when the process has ended
}

// startProcess starts a program whose output goes into a file in dir. It dies with the calling thread, which must be locked,
// so that nothing is left even when the benchmark is killed.
func startProcess(name, dir string, cmd *exec.Cmd) (*process, error) {
	p := newProcess(name, dir, cmd)
	file, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go p.reap()
	return p, nil
}

// startSpeaker is startProcess for a child that is spoken with by lines.
func startSpeaker(name, dir string, cmd *exec.Cmd) (*process, error) {
	p := newProcess(name, dir, cmd)
	file, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd.Stderr = file
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.lines = make(chan string, 16)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go p.listen(stdout)
	return p, nil
}

func newProcess(name, dir string, cmd *exec.Cmd) *process {
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return &process{name: name, cmd: cmd, log: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
}

func (p *process) reap() {
	_ = p.cmd.Wait()
	close(p.exited)
}

func (p *process) listen(stdout io.Reader) {
	for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
		p.lines <- scanner.Text()
	}
	close(p.lines)
	p.reap() // not before the end of its output, which Wait would cut off
}

// group is the number of the process and of its group.
func (p *process) group() int { return p.cmd.Process.Pid }

// stop kills the process and all that it has started.
func (p *process) stop() {
	_ = unix.Kill(-p.group(), unix.SIGKILL)
	<-p.exited
	for range 200 {
		if left, err := members(p.group()); err != nil || len(left) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// death returns the error that the process has ended, with the end of what it wrote.
func (p *process) death() error {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s has ended (%v):\n%s", p.name, p.cmd.ProcessState, log[max(0, len(log)-2000):])
}

var errSlow = errors.New("it took too long")

// line waits for the next line of a child, as long as the other processes live.
func (p *process) line(ctx context.Context, limit time.Duration, others ...*process) (string, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, other := range others {
		go other.watch(ctx, cancel)
	}
	select {
	case line, ok := <-p.lines:
		if !ok {
			<-p.exited
			return "", p.death()
		}
		return line, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-timer.C:
		return "", fmt.Errorf("waiting %v for %s: %w", limit, p.name, errSlow)
	}
}

// watch cancels the context with an error when the process ends.
func (p *process) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	select {
	case <-p.exited:
		cancel(p.death())
	case <-ctx.Done():
	}
}

// say writes a line to a child.
func (p *process) say(line string) error {
	_, err := io.WriteString(p.stdin, line+"\n")
	return err
}
