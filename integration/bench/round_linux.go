package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// round is one balancer in one scenario, once, with processes of its own.
type round struct {
	*options
	ctx      context.Context
	balancer balancer
	site     site
	targets  *process
	running  *process // the balancer, if there is one
	redis    *process // if the balancer uses one
	clients  int      // how many client processes there were
}

// targetCount is how many targets the balancers have.
const targetCount = 3

// playRound starts the targets and the balancer, measures, and stops all.
func playRound(ctx context.Context, o *options, s scenario, b balancer) (result figures, err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	err = isolated(func() error {
		r := &round{options: o, ctx: ctx, balancer: b}
		r.site = site{dir: dir, network: o.network, conns: o.descriptors/2 - 300, script: o.script}
		defer r.stop()
		if err := r.start(); err != nil {
			return err
		}
		var err error
		result, err = s.measure(r)
		return err
	})
	return result, err
}

func (r *round) start() error {
	addresses, err := freeAddresses(2 + targetCount)
	if err != nil {
		return err
	}
	r.site.listen, r.site.redis, r.site.targets = addresses[0], addresses[1], addresses[2:]
	r.targets, err = r.child("targets", append([]string{"target"}, r.site.targets...)...)
	if err != nil {
		return err
	}
	if _, err := r.targets.line(r.ctx, 10*time.Second); err != nil {
		return err
	}
	if r.balancer.tool == "" {
		return nil
	}
	if r.balancer.redis {
		if err := r.startRedis(); err != nil {
			return err
		}
	}
	path, args := r.balancer.command(r.site)
	if err := os.WriteFile(path, []byte(r.balancer.config(r.site)), 0o600); err != nil {
		return err
	}
	cmd := exec.Command(r.programs[r.balancer.tool], args...)
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.site.dir, "XDG_CONFIG_HOME=" + r.site.dir, "XDG_DATA_HOME=" + r.site.dir,
	}, r.balancer.env...)
	if r.running, err = startProcess(r.balancer.name, r.site.dir, cmd); err != nil {
		return err
	}
	return awaitListener(r.site.listen, r.running)
}

func (r *round) stop() {
	if r.running != nil {
		r.running.stop()
	}
	for _, p := range []*process{r.redis, r.targets} {
		if p != nil {
			p.stop()
		}
	}
}

// child starts this very program in one of its other roles.
func (r *round) child(name string, args ...string) (*process, error) {
	cmd := exec.Command(r.self, args...)
	// One thread, and no signals that interrupt it so that the scheduler may look at it.
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1", childMark+"=1")
	return startSpeaker(name, r.site.dir, cmd)
}

// client starts the process of the clients with a job, of which it fills in what holds for all.
func (r *round) client(j job) (*process, error) {
	j.To, j.Target, j.Patience = r.site.targets, r.targets.group(), 5*time.Second
	if r.running != nil {
		j.To, j.Balancer = []string{r.site.listen}, r.running.group()
	}
	if r.redis != nil {
		j.Store = r.redis.group()
	}
	if j.Size == 0 {
		j.Size = 64
	}
	if j.Sources == 0 {
		j.Sources = 10_000
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	r.clients++
	return r.child(fmt.Sprintf("clients-%d", r.clients), "client", string(text))
}

// work runs a job that needs no word in between.
func (r *round) work(j job) (outcome, error) {
	c, err := r.client(j)
	if err != nil {
		return outcome{}, err
	}
	defer c.stop()
	return r.finish(c, j)
}

// finish waits for the outcome of a job.
func (r *round) finish(c *process, j job) (result outcome, err error) {
	line, err := r.await(c, j.Warm+j.Window+30*time.Second)
	if err != nil {
		return result, err
	}
	if err := json.Unmarshal([]byte(line), &result); err != nil {
		return result, fmt.Errorf("reading the outcome %q: %w", line, err)
	}
	return result, nil
}

// await waits for a line of a child, and for none if the balancer or the targets end.
func (r *round) await(child *process, limit time.Duration) (string, error) {
	others := []*process{r.targets}
	if r.running != nil {
		others = append(others, r.running)
	}
	return child.line(r.ctx, limit, others...)
}

// ready waits until the clients are at the point between two phases of their job.
func (r *round) ready(c *process) error {
	line, err := r.await(c, time.Minute)
	if err == nil && line != "ready" {
		err = fmt.Errorf("%s: unexpected %q", c.name, line)
	}
	return err
}

// failTarget makes the last target fail in the given way.
func (r *round) failTarget(way string) error {
	if err := r.targets.say(fmt.Sprintf("%s %d", way, targetCount-1)); err != nil {
		return err
	}
	line, err := r.await(r.targets, 10*time.Second)
	if err == nil && line != "done" {
		err = fmt.Errorf("making a target fail: %s", strings.TrimSpace(line))
	}
	return err
}
