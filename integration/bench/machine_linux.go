package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes where the figures are from. It names neither hosts nor paths.
type machine struct {
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Memory   string            `json:"memory"`
	Kernel   string            `json:"kernel"`
	System   string            `json:"system"`
	Network  string            `json:"network"`
	Versions map[string]string `json:"versions"`
}

// describeMachine looks at the machine and at the programs, of which it says nothing that the run does not use.
func describeMachine(o *options) (machine, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return machine{}, err
	}
	m := machine{
		CPU: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(), Memory: field("/proc/meminfo", "MemTotal"),
		Kernel: unix.ByteSliceToString(name.Release[:]) + " " + runtime.GOARCH, System: field("/etc/os-release", "PRETTY_NAME"),
		Network:  "Loopback in a namespace for each round, congestion control reno",
		Versions: map[string]string{"go": runtime.Version()},
	}
	if !canIsolate() {
		control, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
		if err != nil {
			return m, err
		}
		m.Network = "The machine's loopback, congestion control " + strings.TrimSpace(string(control))
	}
	for tool, command := range map[string][]string{
		toolCaddy: {"version"}, toolHAProxy: {"-v"}, toolNginx: {"-v"}, toolNode: {"--version"}, toolRedis: {"--version"},
	} {
		if path := o.programs[tool]; path != "" {
			output, err := exec.Command(path, command...).CombinedOutput()
			if err != nil {
				return m, fmt.Errorf("asking %s for its version: %w", tool, err)
			}
			m.Versions[tool], _, _ = strings.Cut(strings.TrimSpace(string(output)), "\n")
		}
	}
	if o.programs[toolNode] != "" {
		m.Versions["loadbalancer.js"] = packageVersion(o.script)
	}
	m.Versions["checkout"] = checkoutVersion()
	if o.binary != "" {
		m.Versions["checkout"] += ", but ours is a binary that was given"
	}
	return m, nil
}

// canIsolate tells whether rounds get networks of their own.
func canIsolate() bool {
	done := make(chan bool)
	go func() {
		runtime.LockOSThread() // and never unlocked, see isolated
		done <- !errors.Is(enterNetwork(), errNotAllowed)
	}()
	return <-done
}

// field returns the value of the first line that begins with a name, in a file of such lines.
func field(path, name string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			return strings.Trim(value, " \t\n:=\"")
		}
	}
	return "unknown"
}

var versionLine = regexp.MustCompile(`"version": "([^"]+)"`)

// packageVersion returns the version of the npm package whose main file is given.
func packageVersion(script string) string {
	data, err := os.ReadFile(strings.TrimSuffix(script, "index.js") + "package.json")
	if err != nil {
		return "unknown"
	}
	if found := versionLine.FindSubmatch(data); found != nil {
		return string(found[1])
	}
	return "unknown"
}

// checkoutVersion names the commit that ours was built from, as far as git knows.
func checkoutVersion() string {
	commit, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return string(bytes.TrimSpace(commit))
}
