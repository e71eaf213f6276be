package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sampleConfig is the sample of LoadBalancer.js's README that has every option.
const sampleConfig = `{
  "sourcePort": %d,
  "balancerCount": 1,
  "targetDeactivationDuration": 60000,
  "sessionExpiry": 30000,
  "downgradeToUser": "nobody",
  "balancerControllerPath": "../balancer.js",
  "targets": [
    {
      "host": "localhost",
      "port": %d
    },
    {
      "host": "localhost",
      "port": %d
    }
  ]
}
`

// sampleScript is the script of that README with a condition filled in.
const sampleScript = `module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    // You can use whatever logic you want in order to decide whether or
    // not to process this connection
    if (socket.remoteAddress !== '::ffff:%s') {
      // Allow connection to go through
      next();
    } else {
      // Block connection
      next('Blocked connection from client with IP: ' + socket.remoteAddress);
    }
  });
};
`

// sample is a folder with config/config.json and balancer.js, and who works in it.
type sample struct {
	*testing.T
	folder  string
	command func(args ...string) (output string, err error)
}

func newSample(t *testing.T) *sample {
	t.Helper()
	folder, err := os.MkdirTemp("", "caddy-sample-")
	if err != nil {
		t.Fatal(err)
	}
	s := &sample{t, folder, commandLine(t, folder, freeAddr(t))}
	t.Cleanup(func() {
		_, _ = s.command("loadbalancer", "stop")
		if t.Failed() {
			t.Logf("loadbalancer.out:\n%s", s.log())
		}
		_ = os.RemoveAll(folder)
	})
	for _, shared := range []string{folder, filepath.Join(folder, "config")} { // other users must be able to read
		_ = os.Mkdir(shared, 0o755)
		if err := os.Chmod(shared, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *sample) write(name, format string, values ...any) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.folder, name), fmt.Appendf(nil, format, values...), 0o644); err != nil {
		s.Fatal(err)
	}
}

// must runs a command and returns what it prints, which must be like the pattern.
func (s *sample) must(pattern, args string) (match []string) {
	s.Helper()
	output, err := s.command(strings.Fields(args)...)
	if err != nil {
		s.Fatalf("caddy %s: %v: %s", args, err, output)
	}
	if match = regexp.MustCompile("^(?s:" + pattern + ")$").FindStringSubmatch(output); match == nil {
		s.Errorf("caddy %s said %q, want %q", args, output, pattern)
	}
	return match
}

func (s *sample) log() string {
	log, err := os.ReadFile(filepath.Join(s.folder, "loadbalancer.out"))
	if err != nil {
		s.Error(err)
	}
	return string(log)
}

// Who comes from LoadBalancer.js starts it with the config.json and the script that are there, and does with it all
// that one does.
func TestSampleOfLoadBalancerJS(t *testing.T) {
	s, to, port, targets := newSample(t), nobody(t), lowPort(t), greeters(t, 2)
	s.write("config/config.json", sampleConfig, port, portOf(targets[0].addr), portOf(targets[1].addr))
	s.write("balancer.js", sampleScript, "127.0.0.3")
	listen := fmt.Sprintf("127.0.0.1:%d", port)

	started := s.must(`Success: Started loadbalancer, PID: (\d+)\n`, "loadbalancer start --config config/config.json")
	pid, err := strconv.Atoi(started[1])
	if err != nil {
		t.Fatal(err)
	}
	mustHaveDropped(t, pid, to)

	// It serves, and blocks.
	conn, home := hold(t, "127.0.0.2", listen)
	if who(t, "127.0.0.2", listen) != home || who(t, "127.0.0.4", listen) != home || who(t, "127.0.0.5", listen) == home {
		t.Error("clients are not where LoadBalancer.js places them")
	}
	mustEndLike(t, "ours", "127.0.0.3", listen, closed)
	if !strings.Contains(s.log(), "Blocked connection from client with IP: ::ffff:127.0.0.3") {
		t.Error("the log does not say who was blocked")
	}

	// It is reloaded, with another client to block. Connections and sessions stay.
	s.write("balancer.js", sampleScript, "127.0.0.5")
	s.must(".*", "reload --adapter loadbalancer --config config/config.json")
	mustEcho(t, conn)
	if who(t, "127.0.0.2", listen) != home || who(t, "127.0.0.3", listen) == home {
		t.Error("clients are not where they were before the reload")
	}
	mustEndLike(t, "ours", "127.0.0.5", listen, closed)

	// A script that does not load changes nothing.
	s.write("balancer.js", "module.exports.run = function (balancer) {\n  balancer.addMiddelware();\n};\n")
	place := filepath.Join(s.folder, "balancer.js") + ":2:25: TypeError"
	if output, err := s.command("reload", "--adapter", "loadbalancer", "--config", "config/config.json"); err == nil || !strings.Contains(output, place) {
		t.Errorf("%v: %q does not say %q", err, output, place)
	}
	mustEndLike(t, "ours", "127.0.0.5", listen, closed)

	// A target fails.
	named(t, targets, home).stop()
	if who(t, "127.0.0.2", listen) == home {
		t.Error("the client is at the target that is gone")
	}
	mustHaveDropped(t, pid, to)

	// It is listed, and stopped.
	s.must(fmt.Sprintf(`Index: 0, PID: %d, Config: [^\n]*/config/config\.json, Port: 80, Admin: [^\n]+\n(  localhost:\d+ is (active|deactivated: [^\n]+)\n){2}`, pid), "loadbalancer list")
	s.must("Success: Stopped loadbalancers\n", "loadbalancer stop")
	s.must("No loadbalancers are running\n", "loadbalancer list")
	if conn, err := tryDial("127.0.0.2", listen); err == nil {
		conn.Close()
		t.Error("somebody listens after stop")
	}
	// What nobody has waited for yet has no command line any more.
	if command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && len(command) > 0 {
		t.Error("it still runs")
	}
}
