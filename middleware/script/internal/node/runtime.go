package node

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// leastVersion is the oldest major version of Node.js that is good enough.
const leastVersion = 18

//go:embed js
var files embed.FS

// host is the program that the child process runs: one function, so that the script sees none of its names. Each of the modules that
// both runtimes have in common is a function in it.
var host = func() string {
	text := "(function () {'use strict';\n"
	for _, name := range []string{"pipes", "owner", "clients"} {
		text += must(files.ReadFile("js/" + name + ".js"))
	}
	for _, name := range decide.Shared {
		text += fmt.Sprintf("{const module = {exports: {}};\n(function (require) {%s\n})(need);\nshared['internal/%s'] = module.exports;}\n",
			must(decide.SharedText(name)), name)
	}
	return text + must(files.ReadFile("js/main.js")) + "})();\n"
}()

// must returns the text of a file that is part of this program.
func must[T string | []byte](text T, err error) string {
	if err != nil {
		panic(err)
	}
	return string(text)
}

// notInherited are variables that are about Caddy's own process, or would have Node.js look for a parent of its own kind.
var notInherited = []string{
	"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "WATCHDOG_USEC", "WATCHDOG_PID", "NODE_CHANNEL_FD", "NODE_UNIQUE_ID",
}

// environment returns the variables that the child gets.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(notInherited, name)
	})
}

// A Runtime starts scripts in Node.js. It implements decide.Runtime.
type Runtime struct {
	path    string
	version string
}

// Find returns the runtime for the Node.js at path, or for the one that is found in PATH if path is empty. An
// error says what to do about it.
func Find(ctx context.Context, path string) (*Runtime, error) {
	if !supported {
		return nil, errors.New("runtime node is not available on this system; choose runtime embedded")
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, cmp.Or(path, "node"), "--version")
	command.WaitDelay = time.Second
	command.Env = environment()
	output, err := command.Output()
	found := command.Path
	switch {
	case command.Err != nil && path == "":
		return nil, errors.New("no Node.js in PATH: install Node.js 18 or newer, set node_path, or choose runtime embedded")
	case command.Process == nil:
		return nil, fmt.Errorf("node_path: %w", err)
	case err != nil:
		return nil, fmt.Errorf("%s --version: %w", found, err)
	}
	version := string(bytes.TrimSpace(output))
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < leastVersion || version[0] != 'v' {
		return nil, fmt.Errorf("%s is version %.20q: install Node.js %d or newer, set node_path, or choose runtime embedded", found, version, leastVersion)
	}
	return &Runtime{path: found, version: version}, nil
}

// Path returns the path of the Node.js that runs.
func (r *Runtime) Path() string { return r.path }

// Version returns the version of the Node.js that runs, such as v20.20.2.
func (r *Runtime) Version() string { return r.version }
