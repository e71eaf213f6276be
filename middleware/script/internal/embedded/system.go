package embedded

import (
	"encoding/hex"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/nlnwa/whatwg-url/url"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

var (
	processStart = time.Now()
	logLevels    = map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
)

// systemFunctions are what a script may know of the process and the system. It is told the version of Node whose ways it
// finds.
func (e *engine) systemFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"log": does(func(a []any) {
			const most = 10000
			message := a[1].(string)
			if len(message) > most {
				message = message[:most] + "…" // a copy
			}
			e.script.Log.Log(logLevels[a[0].(string)], message) // info by default
		}),
		"cwd":         func([]any) (any, error) { return os.Getwd() },
		"nanoseconds": func([]any) (any, error) { return strconv.FormatInt(time.Since(processStart).Nanoseconds(), 10), nil },
		"process": func([]any) (any, error) {
			env := make(map[string]string)
			for _, pair := range os.Environ() {
				if key, value, ok := strings.Cut(pair, "="); ok {
					env[key] = value
				}
			}
			return map[string]any{
				"env": env, "argv": []string{"node", decide.Program()}, "execArgv": []string{}, "execPath": decide.Program(), "pid": os.Getpid(), "ppid": os.Getppid(),
				"title": "node", "platform": platform(), "arch": architecture(), "version": "v20.0.0", "versions": map[string]string{"node": "20.0.0"},
			}, nil
		},
		"system": func([]any) (any, error) {
			host, _ := os.Hostname()
			home, _ := os.UserHomeDir()
			return map[string]any{
				"hostname": host, "homedir": home, "platform": platform(), "arch": architecture(), "tmpdir": os.TempDir(),
				"type": strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:],
			}, nil
		},
		"ip":  func(a []any) (any, error) { return ipText(a[0].(string)), nil },
		"url": urlParts,
	}
}

// platform and architecture as Node names them.
func platform() string {
	if runtime.GOOS == "windows" {
		return "win32"
	}
	return runtime.GOOS
}

func architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

// ipText is the family of an address, 4 or 6, and the 32 hexadecimal digits of it as one of IPv6, or nothing.
func ipText(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || strings.Count(text, "%") > 1 {
		return ""
	}
	bytes := a.As16()
	digits := hex.EncodeToString(bytes[:])
	if a.Is4() {
		return "4" + digits
	}
	return "6" + digits
}

// urlParts parses a URL, which may be relative to a base, sets one of its parts if that is given, and returns all of them.
func urlParts(a []any) (any, error) {
	const most = 64 << 10 // what Go computes cannot be interrupted
	text, base := a[0].(string), ""
	if len(text) > most {
		return nil, nil
	}
	if given, ok := a[1].(string); ok {
		base = given
	}
	u, err := url.ParseRef(base, text)
	if base == "" {
		u, err = url.Parse(text)
	}
	if err != nil {
		return nil, nil
	}
	if part, ok := a[2].(string); ok {
		set := map[string]func(string){
			"protocol": u.SetProtocol, "username": u.SetUsername, "password": u.SetPassword, "host": u.SetHost, "hostname": u.SetHostname, "port": u.SetPort,
			"pathname": u.SetPathname, "search": u.SetSearch, "hash": u.SetHash,
		}[part]
		set(a[3].(string))
	}
	return map[string]string{
		"href": u.Href(false), "protocol": u.Protocol(), "username": u.Username(), "password": u.Password(), "host": u.Host(), "hostname": u.Hostname(),
		"port": u.Port(), "pathname": u.Pathname(), "search": u.Search(), "hash": u.Hash(),
	}, nil
}
