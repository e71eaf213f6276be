package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"time"
)

func faultScenario(name, title, way string) scenario {
	return scenario{
		name: name, title: title,
		note: "One of three targets fails after many clients got their sessions. Then new clients and those with a session connect by turns, at a steady rate. " +
			"Times are from the connect to the whole answer; after 5 s a client gives up, which is a failure and its time.",
		columns: []column{
			{"new_max_ms", "new clients: slowest, ms", "%.1f", spread},
			{"new_p99_ms", "p99 of those served, ms", "%.1f", median},
			{"new_failed", "failed", "%.0f", total},
			{"session_max_ms", "with a session: slowest, ms", "%.1f", spread},
			{"session_p99_ms", "p99 of those served, ms", "%.1f", median},
			{"session_failed", "failed", "%.0f", total},
			{"conns", "connections", "%.0f", median},
		},
		takes:   anyBalancer,
		measure: func(r *round) (figures, error) { return r.fault(way) },
	}
}

func (r *round) fault(way string) (figures, error) {
	result, err := r.paced(func() error { return r.failTarget(way) })
	if err != nil {
		return nil, err
	}
	f := figures{}
	for i, name := range []string{groupNew: "new", groupHeld: "session"} {
		g := result.Groups[i]
		f[name+"_max_ms"], f[name+"_p99_ms"] = milliseconds(g.Max), milliseconds(g.P99)
		f[name+"_failed"] = float64(g.failures())
		f["conns"] += float64(g.Done + g.failures())
	}
	return f, nil
}

// paced has new clients and those with a session connect by turns at a steady rate, after something is done.
func (r *round) paced(before func() error) (outcome, error) {
	// As many clients as there are connections, so that each comes once.
	sources := 1 + int(float64(r.rate)*r.window.Seconds()/2)
	j := job{Kind: kindFault, Conns: 16, Sources: sources, Rate: r.rate, Window: r.window}
	c, err := r.client(j)
	if err != nil {
		return outcome{}, err
	}
	defer c.stop()
	if err := r.ready(c); err != nil {
		return outcome{}, err
	}
	if err := before(); err != nil {
		return outcome{}, err
	}
	if err := c.say("go"); err != nil {
		return outcome{}, err
	}
	return r.finish(c, j)
}

func reloadScenario() scenario {
	return scenario{
		name: "reload", title: "Reload under load",
		note: fmt.Sprintf("A reload every %v (or when the one before is done, if that is later) while connections come and go "+
			"as fast as they can and others stay open and talk every %v.", reloadPause, pause),
		columns: []column{
			{"lost", "connections lost", "%.0f", total},
			{"died", "long-lived ones that died", "%.0f", total},
			{"done", "connections", "%.0f", total},
			{"long", "long-lived ones", "%.0f", total},
			{"reloads", "reloads", "%.0f", total},
			{"p99_ms", "p99, ms", "%.1f", median},
			{"max_ms", "slowest, ms", "%.1f", spread},
		},
		takes:   whoeverReloads,
		measure: measureReload,
	}
}

// reloadPause is how long it takes from the beginning of a reload to the next.
const reloadPause = 300 * time.Millisecond

func measureReload(r *round) (figures, error) {
	j := job{Kind: kindReload, Conns: 16, Long: 100, Warm: r.window / 4, Window: 2 * r.window}
	c, err := r.client(j)
	if err != nil {
		return nil, err
	}
	defer c.stop()
	if err := r.ready(c); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	reloads, failed := 0, make(chan error, 1)
	go func() {
		var err error
		reloads, err = r.reloadUntilDone(ctx)
		failed <- err
	}()
	if err := c.say("go"); err != nil {
		return nil, err
	}
	result, err := r.finish(c, j)
	cancel()
	if reloadErr := <-failed; err == nil {
		err = reloadErr
	}
	if err != nil {
		return nil, err
	}
	brief, long := result.Groups[groupNew], result.Groups[groupHeld]
	return figures{
		"lost": float64(brief.failures()), "died": float64(long.failures()), "done": float64(brief.Done), "long": float64(j.Long),
		"reloads": float64(reloads), "p99_ms": milliseconds(brief.P99), "max_ms": milliseconds(max(brief.Max, long.Max)),
	}, nil
}

// reloadUntilDone reloads until the context ends, and tells how often.
func (r *round) reloadUntilDone(ctx context.Context) (int, error) {
	ticker := time.NewTicker(reloadPause)
	defer ticker.Stop()
	for reloads := 0; ; reloads++ {
		select {
		case <-ctx.Done():
			return reloads, nil
		case <-ticker.C:
		}
		if err := r.reload(); err != nil {
			return reloads, fmt.Errorf("reloading %s: %w", r.balancer.name, err)
		}
	}
}

// reload makes the balancer load its config anew, in the way that its manual tells.
func (r *round) reload() error {
	switch r.balancer.tool {
	case toolHAProxy:
		return r.running.cmd.Process.Signal(syscall.SIGUSR2)
	case toolNginx:
		return r.running.cmd.Process.Signal(syscall.SIGHUP)
	}
	return r.loadCaddy()
}

// loadCaddy does what `caddy reload --force` does: the config goes to the admin API, which answers when it is in use.
func (r *round) loadCaddy() error {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(r.site.dir, adminSocket))
		},
	}}
	config := bytes.NewBufferString(r.balancer.config(r.site))
	request, err := http.NewRequestWithContext(r.ctx, http.MethodPost, "http://127.0.0.1/load", config)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Header.Set("Cache-Control", "must-revalidate") // the same config is loaded all the same
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 2000))
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return nil
}
