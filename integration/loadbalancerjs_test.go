package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// legacyProcess is a LoadBalancer.js.
type legacyProcess struct {
	addr   string
	cmd    *exec.Cmd
	mu     sync.Mutex
	output bytes.Buffer
}

// startLegacy runs LoadBalancer.js with a script until the test ends.
func startLegacy(t testing.TB, script string, targets ...*target) *legacyProcess {
	t.Helper()
	port := freePort(t)
	p := &legacyProcess{addr: fmt.Sprintf("127.0.0.1:%d", port)}
	args := []string{filepath.Join("node", "loadbalancer.js"), fmt.Sprint(port), script}
	for _, target := range targets {
		args = append(args, fmt.Sprint(portOf(target.addr)))
	}
	p.cmd = exec.Command("node", args...)
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	lines := bufio.NewReader(stdout)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-done
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("LoadBalancer.js said:\n%s%s", p.said(), &stderr)
		}
	})
	first, _ := lines.ReadString('\n')
	go func() {
		defer close(done)
		p.listen(lines)
	}()
	if first != "listening\n" {
		t.Fatalf("LoadBalancer.js said %q (npm ci in integration/node installs it)", first)
	}
	return p
}

func (p *legacyProcess) listen(lines *bufio.Reader) {
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.output.WriteString(line)
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (p *legacyProcess) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// notices awaits as many reasons of blocks.
func (p *legacyProcess) notices(t testing.TB, count int) (reasons []string) {
	t.Helper()
	await(t, fmt.Sprintf("%d notices of LoadBalancer.js", count), func() bool {
		reasons = nil
		for line := range strings.Lines(p.said()) {
			var said struct{ Notice string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Notice != "" {
				reasons = append(reasons, said.Notice)
			}
		}
		return len(reasons) >= count
	})
	return reasons
}
