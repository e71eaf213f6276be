package embedded

import (
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// platform and architecture as Node names them.
func platform() string {
	if runtime.GOOS == "windows" {
		return "win32"
	}
	return runtime.GOOS
}

func architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x64"
	case "386":
		return "ia32"
	}
	return runtime.GOARCH
}

// processBinding is what a script may know of the process. It is told the version of Node whose ways it finds.
func (e *engine) processBinding() map[string]any {
	arguments := e.vm.NewArray("node", mainProgram())
	env := e.vm.NewObject() // of JavaScript: what a script sets stays its own
	for _, pair := range os.Environ() {
		if key, value, ok := strings.Cut(pair, "="); ok {
			_ = env.Set(key, value)
		}
	}
	versions := e.vm.NewObject()
	_ = versions.Set("node", "20.0.0")
	facts := e.vm.NewObject()
	for key, value := range map[string]any{
		"env": env, "argv": arguments, "execArgv": e.vm.NewArray(), "pid": os.Getpid(), "ppid": os.Getppid(), "title": "node",
		"platform": platform(), "arch": architecture(), "version": "v20.0.0", "versions": versions,
	} {
		_ = facts.Set(key, value)
	}
	return map[string]any{
		"facts":    facts,
		"nextTick": e.nextTick,
		"procFile": procFile,
		"heap":     heapSize,
		"ids": map[string]any{
			"getuid": os.Getuid, "geteuid": os.Geteuid, "getgid": os.Getgid, "getegid": os.Getegid,
		},
		"cwd": func() (string, error) {
			return os.Getwd()
		},
		"nanoseconds": func() string { return strconv.FormatInt(time.Since(processStart).Nanoseconds(), 10) },
	}
}

var processStart = time.Now()

func (e *engine) osBinding() map[string]any {
	return map[string]any{
		"systemErrors": e.systemErrors(),
		"windows":      runtime.GOOS == "windows",
		"procFile":     procFile,
		"user":         e.userInfo,
		"cpuCount":     runtime.NumCPU(),
		"networkInterfaces": func(goja.FunctionCall) goja.Value {
			return e.networkInterfaces()
		},
		"call": map[string]any{
			"hostname":             os.Hostname,
			"platform":             platform,
			"type":                 func() string { return strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:] },
			"arch":                 architecture,
			"tmpdir":               os.TempDir,
			"homedir":              os.UserHomeDir,
			"endianness":           func() string { return "LE" },
			"availableParallelism": runtime.NumCPU,
		},
	}
}

// procFile reads a file of Linux's /proc. It is empty on other systems, and what is in it unknown.
func procFile(name string) string {
	text, err := os.ReadFile("/proc/" + name)
	if err != nil {
		return ""
	}
	return string(text)
}

func (e *engine) userInfo() (goja.Value, error) {
	u, err := user.Current()
	if err != nil {
		return nil, err
	}
	object := e.vm.NewObject()
	_ = object.Set("uid", os.Getuid())
	_ = object.Set("gid", os.Getgid())
	_ = object.Set("username", u.Username)
	_ = object.Set("homedir", u.HomeDir)
	return object, nil
}
