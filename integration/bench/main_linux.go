package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// childMark is the environment variable that tells a child process from the benchmark.
const childMark = "BENCH_CHILD"

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the benchmark, or one of its own child processes: the targets or the clients.
func run(args []string) error {
	if os.Getenv(childMark) == "" {
		return bench(args)
	}
	switch {
	case len(args) > 1 && args[0] == "target":
		return runTarget(args[1:])
	case len(args) == 2 && args[0] == "client":
		return runClient(args[1])
	}
	return fmt.Errorf("no such role: %q", args)
}

func bench(args []string) (err error) {
	o, err := readOptions(args)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if o.descriptors, err = raiseLimit(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := o.findPrograms(dir); err != nil {
		return err
	}
	m, err := describeMachine(o)
	if err != nil {
		return err
	}
	rounds := playAll(ctx, o)
	if err := o.write(m, rounds); err != nil {
		return err
	}
	failed := 0
	for _, p := range rounds {
		if p.Error != "" {
			failed++
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted; the results are of the rounds played so far")
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d rounds failed", failed, len(rounds))
	}
	return nil
}

// playAll plays the rounds of each scenario in turn. The balancers follow each other within a round, each time from another
// one on, so that whatever else the machine does meets all of them.
func playAll(ctx context.Context, o *options) (rounds []played) {
	for _, s := range o.scenarios {
		for number := range o.rounds {
			for i := range o.balancers {
				b := o.balancers[(i+number)%len(o.balancers)]
				if !s.takes(b) || !b.plays(s.name) {
					continue
				}
				fmt.Fprintf(os.Stderr, "%s %d/%d %s", s.name, number+1, o.rounds, b.name)
				f, err := playRound(ctx, o, s, b)
				if ctx.Err() != nil {
					fmt.Fprintln(os.Stderr)
					return rounds
				}
				p := played{Scenario: s.name, Balancer: b.name, Round: number + 1, Figures: f}
				if err != nil {
					fmt.Fprintf(os.Stderr, ": %v", err)
					p.Error, _, _ = strings.Cut(err.Error(), "\n")
				} else {
					fmt.Fprint(os.Stderr, ": ", brief(s.columns, f))
				}
				fmt.Fprintln(os.Stderr)
				rounds = append(rounds, p)
			}
		}
	}
	return rounds
}

// write puts the results into the output folder, and the tables on standard output too.
func (o *options) write(m machine, rounds []played) error {
	if err := os.MkdirAll(o.output, 0o755); err != nil {
		return err
	}
	var text strings.Builder
	o.writeIntroduction(&text, m)
	for _, s := range o.scenarios {
		writeTable(&text, heading{s.name, s.title, s.note, s.columns}, balancerNames(o.balancers), rounds)
	}
	fmt.Print(text.String())
	if err := os.WriteFile(filepath.Join(o.output, "results.md"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	data, err := json.MarshalIndent(map[string]any{
		"machine": m, "rounds": o.rounds, "window_seconds": o.window.Seconds(), "clients": o.crowd, "network": o.network, "played": rounds,
	}, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(o.output, "results.json"), append(data, '\n'), 0o644)
}

// writeIntroduction says what the tables need to be read: where, with what, and how.
func (o *options) writeIntroduction(w *strings.Builder, m machine) {
	fmt.Fprintf(w, "# Results\n\n%s, %d cores, %s of memory; Linux %s, %s. %s.\n\n", m.CPU, m.Cores, m.Memory, m.Kernel, m.System, m.Network)
	fmt.Fprintf(w, "%d rounds of %v, %d clients at a time, %d targets. Cells are medians, with the least and the greatest in brackets; failures and counts are sums.\n",
		o.rounds, o.window, o.crowd, targetCount)
	if o.network != "" {
		fmt.Fprintf(w, "Ours listens on the network `%s`.\n", o.network)
	}
	fmt.Fprintf(w, "`norm` is the processor time of all of the balancer's processes by that of clients and targets at the same time.\n\n")
	for _, b := range o.balancers {
		fmt.Fprintf(w, "- `%s`: %s\n", b.name, b.note)
	}
	fmt.Fprintln(w)
	for _, name := range []string{"checkout", "go", toolCaddy, toolHAProxy, toolNginx, "loadbalancer.js", toolNode, toolRedis} {
		if version := m.Versions[name]; version != "" {
			fmt.Fprintf(w, "- %s: %s\n", name, version)
		}
	}
	fmt.Fprintln(w)
}
