package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says, and what follows from it.
type options struct {
	rounds    int
	window    time.Duration
	settle    time.Duration
	crowd     int
	idleConns int
	rate      int
	network   string
	output    string
	binary    string

	scenarios   []scenario
	balancers   []balancer
	programs    map[string]string // the path of each tool that is needed
	script      string            // the main file of LoadBalancer.js
	self        string            // this program
	descriptors int               // how many a process may have
}

// readOptions parses the command line.
func readOptions(args []string) (*options, error) {
	o := &options{programs: make(map[string]string)}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "how many rounds of each scenario")
	flags.DurationVar(&o.window, "window", 2*time.Second, "how long a round counts; bulk half, reload twice as long")
	flags.DurationVar(&o.settle, "settle", time.Second, "how long to wait before memory is looked at")
	flags.IntVar(&o.crowd, "clients", 64, "connections at a time, for new connections and round trips")
	flags.IntVar(&o.idleConns, "idle", 10_000, "idle connections, fewer if descriptors do not suffice")
	flags.IntVar(&o.rate, "rate", 1000, "connections per second while a target fails")
	flags.StringVar(&o.network, "network", "seamless", "the network that ours listens on; empty for Caddy's own sockets")
	flags.StringVar(&o.output, "o", "bench-results", "the folder for results.md and results.json")
	flags.StringVar(&o.binary, "bin", "", "a caddy binary with ours, in place of building it")
	only := flags.String("only", "", "scenarios, separated by commas; a beginning such as bulk stands for all that have it (default all: "+
		strings.Join(scenarioNames(), ",")+")")
	who := flags.String("balancers", "", "balancers, separated by commas (default: those up to direct of "+
		strings.Join(balancerNames(balancers()), ",")+")")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rounds < 1 || o.window < 50*time.Millisecond || o.crowd < 1 || o.idleConns < 1 || o.rate < 1 {
		return nil, errors.New("rounds, window, clients, idle and rate must be positive, the window at least 50ms")
	}
	if o.network != "" && !strings.HasSuffix(o.network, "/") {
		o.network += "/"
	}
	var err error
	if o.scenarios, err = chooseScenarios(*only); err != nil {
		return nil, err
	}
	if o.balancers, err = chooseBalancers(*who); err != nil {
		return nil, err
	}
	return o, nil
}

func scenarioNames() (names []string) {
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

func balancerNames(all []balancer) (names []string) {
	for _, b := range all {
		names = append(names, b.name)
	}
	return names
}

func chooseScenarios(only string) ([]scenario, error) {
	if only == "" {
		return scenarios(), nil
	}
	wanted := strings.Split(only, ",")
	for _, w := range wanted {
		if w == "" || !slices.ContainsFunc(scenarioNames(), func(name string) bool { return strings.HasPrefix(name, w) }) {
			return nil, fmt.Errorf("there is no scenario %q, but %s", w, strings.Join(scenarioNames(), ", "))
		}
	}
	return slices.DeleteFunc(scenarios(), func(s scenario) bool {
		return !slices.ContainsFunc(wanted, func(w string) bool { return strings.HasPrefix(s.name, w) })
	}), nil
}

func chooseBalancers(who string) ([]balancer, error) {
	if who == "" {
		return slices.DeleteFunc(balancers(), func(b balancer) bool { return !b.standard }), nil
	}
	wanted := strings.Split(who, ",")
	for _, w := range wanted {
		if !slices.Contains(balancerNames(balancers()), w) {
			return nil, fmt.Errorf("there is no balancer %q, but %s", w, strings.Join(balancerNames(balancers()), ", "))
		}
	}
	return slices.DeleteFunc(balancers(), func(b balancer) bool { return !slices.Contains(wanted, b.name) }), nil
}

// maxDescriptors is how many descriptors each process gets if the system allows.
const maxDescriptors = 65536

// raiseLimit lets this process and its children have many descriptors, more than the limit if it may, and tells how many.
func raiseLimit() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: maxDescriptors, Max: maxDescriptors}); err == nil {
		return maxDescriptors, nil
	}
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	limit.Cur = min(limit.Max, maxDescriptors)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	if limit.Cur < 1024 {
		return 0, fmt.Errorf("a process may have only %d descriptors", limit.Cur)
	}
	return int(limit.Cur), nil
}

// findPrograms finds what the chosen balancers need, and builds ours in dir unless it is given. It must be called in the root of
// the checkout.
func (o *options) findPrograms(dir string) (err error) {
	if o.self, err = os.Executable(); err != nil {
		return err
	}
	o.script, err = filepath.Abs("integration/bench/node_modules/loadbalancer/index.js")
	if err != nil {
		return err
	}
	o.leaveOutRedis()
	for _, b := range o.balancers {
		switch {
		case b.tool == "" || o.programs[b.tool] != "":
			continue
		case b.tool == toolCaddy:
			o.programs[b.tool], err = o.caddy(dir)
		default:
			// Debian has servers where not every user looks for programs.
			if o.programs[b.tool], err = exec.LookPath(b.tool); err != nil {
				o.programs[b.tool], err = exec.LookPath("/usr/sbin/" + b.tool)
			}
		}
		if err == nil && b.tool == toolNode {
			_, err = os.Stat(o.script)
		}
		if err != nil {
			return fmt.Errorf("%s (run.sh installs what is needed): %w", b.name, err)
		}
	}
	return nil
}

// caddy returns the path of the binary with ours.
func (o *options) caddy(dir string) (string, error) {
	if o.binary != "" {
		return filepath.Abs(o.binary)
	}
	fmt.Fprintln(os.Stderr, "building ours")
	path := filepath.Join(dir, "caddy")
	if output, err := exec.Command("go", "run", "./build", "-o", path).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building (in the root of the checkout): %w\n%s", err, output)
	}
	return path, nil
}

// leaveOutRedis takes the balancers that use a redis-server out if there is none.
func (o *options) leaveOutRedis() {
	path, err := exec.LookPath(toolRedis)
	o.balancers = slices.DeleteFunc(o.balancers, func(b balancer) bool {
		if b.redis && err != nil {
			fmt.Fprintf(os.Stderr, "%s is left out (run.sh installs what is needed): %v\n", b.name, err)
		}
		return b.redis && err != nil
	})
	if slices.ContainsFunc(o.balancers, func(b balancer) bool { return b.redis }) {
		o.programs[toolRedis] = path
	}
}
