//go:build unix

package node

import (
	"context"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// Start implements decide.Runtime.
func (r *Runtime) Start(ctx context.Context, s *decide.Script) (decide.Engine, error) {
	p, err := startProcess(r.path, s)
	if err != nil {
		return nil, err
	}
	e := &engine{
		script: s, process: p,
		loaded: make(chan error, 1), wakeWatchdog: make(chan struct{}, 1), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	for place, f := range map[string]func(){"answers": e.readAnswers, "stdout": e.readStdout, "stderr": e.readStderr} {
		e.readers.Go(safely.Func("script "+place, f, p.kill))
	}
	e.workers.Go(safely.Func("script requests", e.write, p.kill))
	e.workers.Go(safely.Func("script watchdog", e.watch, p.kill))
	go safely.Do("script end", e.end)
	return s.Loaded(ctx, e, e.loaded, startLimit)
}

// load has the host load the script, within its bounds.
func (e *engine) load() error {
	o := e.script.Options()
	pid := e.process.command.Process.Pid
	if err := limit(pid, o.MemoryLimit); err != nil {
		return err
	}
	e.base.Store(usedMemory(pid))
	e.sendPlain(load, 0)
	return nil
}
