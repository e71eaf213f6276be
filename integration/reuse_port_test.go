package integration

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// A port that another process serves is refused, whatever form its address has and the own one, with the PID; the
// clients there notice nothing.
func TestPortOfAnotherProcess(t *testing.T) {
	t.Parallel()
	targets, other := greeters(t, 2), freeAddr(t)
	second := startCaddy(t, balance("seamless/"+other, "", targets[1]))
	for _, form := range []struct{ theirs, ours string }{
		{"seamless/127.0.0.1:PORT", "seamless/127.0.0.1:PORT"},
		{"seamless/127.0.0.1:PORT", "seamless/:PORT"},
		{"seamless/:PORT", "seamless/127.0.0.1:PORT"},
		{"seamless/:PORT", "seamless4/:PORT"},
		{"seamless/:PORT", "seamless4/localhost:PORT"},
		{"127.0.0.1:PORT", "seamless/127.0.0.1:PORT"},
		{":PORT", "seamless/:PORT"},
	} {
		t.Run(form.theirs+" and "+form.ours, func(t *testing.T) {
			t.Parallel()
			listen := freeAddr(t)
			address := func(form string) string { return strings.Replace(form, "PORT", fmt.Sprint(portOf(listen)), 1) }
			first := startCaddy(t, balance(address(form.theirs), "", targets[0]))
			conn, _ := hold(t, "127.0.0.2", listen)
			says := fmt.Sprintf("the process with PID %d (%s", first.cmd.Process.Pid, "caddy")
			if log := mustNotStart(t, balance(address(form.ours), "", targets[1])); !strings.Contains(log, says) {
				t.Errorf("the log does not say %q:\n%s", says, log)
			}

			if err := second.load(balance("seamless/"+other+" "+address(form.ours), "", targets[1])); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("reloading: %v, want it to say %q", err, says)
			}
			if name := who(t, "127.0.0.3", other); name != "b" {
				t.Errorf("after the refused reload %s serves there", name)
			}
			for i, ip := range clientIPs(20) {
				if name := who(t, ip, listen); name != "a" {
					t.Fatalf("client %d came to the process that was refused", i)
				}
			}
			mustEcho(t, conn)
		})
	}
}

// The port is free for the next process when the first one is gone, however it went.
func TestPortOfProcessThatIsGone(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	config := func(i int) string { return balance("seamless/"+listen, "", targets[i]) }
	path, adapter := writeConfig(t, config(0))
	killed := launch(t, "CADDY_ADMIN=unix/"+adminSocket(t), "run", "--config", path, "--adapter", adapter)
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-killed.exited

	second := startCaddy(t, config(1))
	if name := who(t, "127.0.0.2", listen); name != "b" {
		t.Errorf("%s serves", name)
	}
	second.reload(t, balance("seamless/"+freeAddr(t), "", targets[1]))
	startCaddy(t, config(0))
	if name := who(t, "127.0.0.2", listen); name != "a" {
		t.Errorf("%s serves after a reload without the port", name)
	}
}

// With reuse_port on the port is shared, and only with it: when it is taken back, other ports are refused again.
func TestReusePort(t *testing.T) {
	t.Parallel()
	listen, other, targets := freeAddr(t), freeAddr(t), greeters(t, 2)
	startCaddy(t, caddyfile(
		server{"seamless/" + listen, sticky("", targets[0])},
		server{"seamless/" + other, sticky("", targets[0])},
	))
	second := startCaddy(t, balance("seamless/"+listen, "reuse_port on", targets[1]))
	await(t, "both to serve", func() bool {
		names := make(map[string]bool)
		for _, ip := range clientIPs(20) {
			names[who(t, ip, listen)] = true
		}
		return len(names) == 2
	})

	both := func(option string) string {
		return caddyfile(server{"seamless/" + listen, sticky(option, targets[1])}, server{"seamless/" + other, sticky(option, targets[1])})
	}
	for _, option := range []string{"", "reuse_port off"} {
		if err := second.load(both(option)); err == nil || !strings.Contains(err.Error(), "reuse_port on shares the port with it") {
			t.Errorf("with %q: %v", option, err)
		}
	}
	// A config that was refused leaves nothing of its option behind.
	refused := strings.Replace(both("reuse_port on"), "sticky_proxy", "sticky_proxy nonsense:address:1", 1)
	if err := second.load(refused); err == nil {
		t.Error("nonsense was accepted")
	}
	if err := second.load(both("")); err == nil {
		t.Error("the port is shared by an option of a config that was refused")
	}
	second.reload(t, both("reuse_port on"))
}

// Of those that start on a port at the same moment exactly one does.
func TestPortTakenTogether(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	const count = 4
	processes := make([]*balancerProcess, count)
	for i := range processes {
		// Their own ports come up whether or not the shared one does, so that they can be told what to serve.
		processes[i] = startCaddy(t, balance("seamless/"+freeAddr(t), "", targets...))
	}
	for range 5 {
		var wait sync.WaitGroup
		errs := make([]error, count)
		for i, p := range processes {
			own := freeAddr(t)
			wait.Go(func() { errs[i] = p.load(balance("seamless/"+own+" seamless/"+listen, "", targets...)) })
		}
		wait.Wait()
		serving := 0
		for i, p := range processes {
			switch {
			case errs[i] == nil:
				serving++
				p.reload(t, balance("seamless/"+freeAddr(t), "", targets...))
			case !strings.Contains(errs[i].Error(), "listens there already"):
				t.Error(errs[i])
			}
		}
		if serving != 1 {
			t.Errorf("%d have got the port: %v", serving, errs)
		}
	}
}

// mustNotStart runs the binary with a config, and returns its log when it has ended with an error.
func mustNotStart(t testing.TB, config string) (log string) {
	t.Helper()
	path, adapter := writeConfig(t, config)
	cmd := caddyCommand(t, "run", "--config", path, "--adapter", adapter)
	cmd.Env = append(cmd.Env, "CADDY_ADMIN=unix/"+adminSocket(t))
	timer := time.AfterFunc(2*patience, func() { _ = cmd.Process.Kill() })
	output, err := cmd.CombinedOutput()
	if !timer.Stop() || err == nil || cmd.ProcessState.ExitCode() < 1 {
		t.Errorf("it has not refused to start: %v\n%s", err, output)
	}
	return string(output)
}
