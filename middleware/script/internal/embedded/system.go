package embedded

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
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

// systemFunctions are what a script may know of the process and the system.
func (e *engine) systemFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"log": does(func(a []any) {
			const most = 10000
			message := kept(a[1])
			if len(message) > most {
				message = message[:most] + "…"
			}
			e.script.Log.Log(logLevels[a[0].(string)], message) // info by default
		}),
		"cwd":         func([]any) (any, error) { return os.Getwd() },
		"nanoseconds": func([]any) (any, error) { return time.Since(processStart).Nanoseconds(), nil },
		"system": func([]any) (any, error) {
			host, _ := os.Hostname()
			home, _ := os.UserHomeDir()
			return map[string]any{
				"environ": os.Environ(), "execPath": decide.Program(), "pid": os.Getpid(), "ppid": os.Getppid(),
				"hostname": host, "homedir": home, "tmpdir": os.TempDir(), "type": strings.ToUpper(runtime.GOOS[:1]) + runtime.GOOS[1:],
				"platform": cmp.Or(map[string]string{"windows": "win32"}[runtime.GOOS], runtime.GOOS),
				"arch":     cmp.Or(map[string]string{"amd64": "x64"}[runtime.GOARCH], runtime.GOARCH),
			}, nil
		},
		"ip":      func(a []any) (any, error) { return ipText(a[0].(string)), nil },
		"between": func(a []any) (any, error) { return between(a[0].(string), a[1].(string)), nil },
		"url":     urlParts,
	}
}

// ipText is the family of an address, 4 or 6, the 128 bits of it as one of IPv6, and the address as Node writes it; or nothing.
func ipText(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || strings.Count(text, "%") > 1 {
		return ""
	}
	family, bytes := 6, a.As16()
	if a.Is4() {
		family = 4
	}
	return fmt.Sprintf("%d%064b%064b%v", family, binary.BigEndian.Uint64(bytes[:8]), binary.BigEndian.Uint64(bytes[8:]), a.WithZone(""))
}

// between gives the bits that all addresses from the first to the last one begin with.
func between(first, last string) []string {
	at := 0 // where they begin to differ
	for at < len(first) && first[at] == last[at] {
		at++
	}
	if !strings.Contains(first[at:], "1") && !strings.Contains(last[at:], "0") {
		return []string{first[:at]}
	}
	rest := len(first) - at - 1
	below, above := first[:at]+"0"+strings.Repeat("1", rest), first[:at]+"1"+strings.Repeat("0", rest)
	return append(between(first, below), between(above, last)...)
}

// urlParts parses a URL, which may be relative to a base, and returns its parts.
func urlParts(a []any) (any, error) {
	const most = 64 << 10 // what Go computes cannot be interrupted
	text := a[0].(string)
	base, _ := a[1].(string)
	if len(text) > most {
		return nil, nil
	}
	u, err := url.ParseRef(base, text)
	if base == "" {
		u, err = url.Parse(text)
	}
	if err != nil {
		return nil, nil
	}
	return map[string]string{
		"href": u.Href(false), "protocol": u.Protocol(), "username": u.Username(), "password": u.Password(), "host": u.Host(), "hostname": u.Hostname(),
		"port": u.Port(), "pathname": u.Pathname(), "search": u.Search(), "hash": u.Hash(),
	}, nil
}
