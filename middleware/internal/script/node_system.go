package script

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
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
		"cwd": func() (string, error) {
			return os.Getwd()
		},
		"nanoseconds": func() string { return strconv.FormatInt(time.Since(processStart).Nanoseconds(), 10) },
	}
}

var processStart = time.Now()

func (e *engine) osBinding() map[string]any {
	return map[string]any{
		"hostname": os.Hostname,
		"platform": platform,
		"type":     func() string { return strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:] },
		"arch":     architecture,
		"release":  func() string { return "" },
		"tmpdir":   os.TempDir,
		"homedir":  os.UserHomeDir,
		"uptime":   func() float64 { return time.Since(processStart).Seconds() },
		"endianness": func() string {
			return "LE"
		},
		"cpus": func() any {
			cpus := e.vm.NewArray()
			for i := range runtime.NumCPU() {
				cpu := e.vm.NewObject()
				_ = cpu.Set("model", runtime.GOARCH)
				_ = cpu.Set("speed", 0)
				_ = cpus.Set(strconv.Itoa(i), cpu)
			}
			return cpus
		},
		"availableParallelism": runtime.NumCPU,
		"loadavg":              func() any { return e.vm.NewArray(0, 0, 0) },
		"networkInterfaces":    e.networkInterfaces,
	}
}
