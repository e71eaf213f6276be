package decide

import (
	"embed"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strconv"
	"time"
)

//go:embed js
var shared embed.FS

// Shared are the modules of JavaScript that the runtimes have in common, in the order in which they need each other. What a
// runtime does for them are the functions of an object, native.
var Shared = []string{"errors", "socket", "balancer"}

// SharedText returns the text of one of them.
func SharedText(name string) (string, error) {
	text, err := shared.ReadFile("js/" + name + ".js")
	return string(text), err
}

// PrepareLimit is how long a script, once it has run, may take for what it has begun to read.
const PrepareLimit = 5 * time.Second

// Program returns the path of the program that runs, which is the main module to scripts.
func Program() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// Limit is how long the script may compute without a pause: for a client, or for none, or while it is loaded.
func (s *Script) Limit(loaded, forClient bool) time.Duration {
	switch {
	case !loaded:
		return s.options.RunLimit * LoadRuns
	case !forClient:
		return s.options.RunLimit * FreeRuns
	}
	return s.options.RunLimit
}

// TookLong is the error of a script that was at work for that long.
func TookLong(limit time.Duration) error {
	return fmt.Errorf("the script computed for %v without a pause", limit)
}

var (
	errNoTargets = errors.New("not available here: a middleware decides who may come in, not where to")
	errLoading   = errors.New("not available while the script is loaded: the targets are not known yet")
)

// AskTarget answers isTargetActive and deactivateTarget of the balancer for a target as the script names it.
func (s *Script) AskTarget(function, host string, port float64, loaded bool) (active bool, err error) {
	targets := s.options.Targets
	address := net.JoinHostPort(host, strconv.FormatFloat(math.Trunc(port), 'f', -1, 64))
	switch {
	case targets == nil:
		err = errNoTargets
	case !loaded:
		err = errLoading
	case host == "" || !(port >= 1 && port < 1<<16):
		return false, fmt.Errorf("balancer: %s:%v is no target", host, port)
	case function == "isTargetActive":
		active, err = targets.IsActive(address)
	default:
		err = targets.Deactivate(address)
	}
	if err != nil {
		err = fmt.Errorf("balancer.%s: %w", function, err)
	}
	return active, err
}

// Offer sends a value to a channel, unless that is full.
func Offer[T any](c chan<- T, value T) {
	select {
	case c <- value:
	default:
	}
}
