package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// load gives the process a new config and returns why it refused.
func (p *balancerProcess) load(config string) error {
	contentType := "text/caddyfile"
	if json.Valid([]byte(config)) {
		contentType = "application/json"
	}
	response, err := p.admin.Post("http://localhost/load", contentType, strings.NewReader(config))
	// The admin server of the config before may take the call and end without an answer.
	for range 10 {
		if err == nil || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			break
		}
		response, err = p.admin.Post("http://localhost/load", contentType, strings.NewReader(config))
	}
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	return nil
}

// reload is load for a config that must be accepted.
func (p *balancerProcess) reload(t testing.TB, config string) {
	t.Helper()
	if err := p.load(config); err != nil {
		t.Fatalf("reloading with this config: %v\n%s", err, config)
	}
}

// descriptors counts what the process has open, by kind: "socket", "pipe", "anon_inode" or a path.
func (p *balancerProcess) descriptors(t testing.TB) map[string]int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]int)
	for _, entry := range entries {
		if link, err := os.Readlink(filepath.Join(dir, entry.Name())); err == nil {
			kind, _, _ := strings.Cut(link, ":")
			kinds[kind]++
		}
	}
	return kinds
}

// goroutines returns the number of goroutines in the process and their stacks.
func (p *balancerProcess) goroutines(t testing.TB) (int, string) {
	t.Helper()
	response, err := p.admin.Get("http://localhost/debug/pprof/goroutine?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	stacks, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var count int
	if _, err := fmt.Sscanf(string(stacks), "goroutine profile: total %d", &count); err != nil {
		t.Fatalf("counting goroutines: %v in %.200s", err, stacks)
	}
	return count, string(stacks)
}

// residentKB returns the memory that the process occupies.
func (p *balancerProcess) residentKB(t testing.TB) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := bytes.Cut(status, []byte("VmRSS:"))
	var kb int
	if _, err := fmt.Sscan(string(after), &kb); err != nil {
		t.Fatalf("reading VmRSS: %v", err)
	}
	return kb
}
