package legacy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky"
)

const (
	aPort       = "a port from 1 to 65535"
	someTargets = `a list of at least one target such as {"host": "localhost", "port": 8000}`
	aTarget     = `a target such as {"host": "localhost", "port": 8000}`
	aHost       = "a host name, an IPv4 or an IPv6 address (alone: no port, brackets, blanks or placeholders)"
)

// The placements of sticky_proxy that a config is adapted to.
const (
	placementLegacy = "legacy"
	placementRandom = "random"
)

// controllerName is the option that names a script.
const controllerName = "balancerControllerPath"

// configOptions has all options of LoadBalancer.js, and gracePeriod, which is not one of its own.
var configOptions = []option[*config]{
	{name: "sourcePort", required: aPort, read: readSourcePort},
	{name: "targets", required: someTargets, read: readTargets},
	{name: "targetDeactivationDuration", read: duration(func(c *config) *caddy.Duration { return &c.handler.DeactivationDuration })},
	{name: "sessionExpiry", read: duration(func(c *config) *caddy.Duration { return &c.handler.SessionExpiry })},
	{name: "gracePeriod", read: readGracePeriod},
	{name: "stickiness", read: readStickiness},
	{name: "sessionExpiryInterval", read: obsolete(checkDuration, "sessions expire exactly when they are due")},
	{name: "maxBufferSize", read: obsolete(wholeFrom(0), "early bytes are held back by flow control: no buffer grows and no byte is dropped")},
	{name: "balancerCount", read: obsolete(wholeFrom(1), "one process uses all cores")},
	{name: "schedulingPolicy", read: obsolete(checkPolicy, "there is one process, whose work the Go runtime spreads over the cores")},
	{name: "configDir", read: obsolete(anything, "it is always the folder that the config file is in")},
	{name: "downgradeToUser", read: readUser},
	{name: controllerName, read: readController},
}

// A destination is the host and port of a target.
type destination struct {
	host string
	port int
}

var targetOptions = []option[*destination]{
	{name: "host", read: readHost},
	{name: "port", required: aPort, read: func(t *destination, path string, value any) (err error) {
		t.port, err = port(path, value)
		return err
	}},
}

func readSourcePort(c *config, path string, value any) (err error) {
	c.sourcePort, err = port(path, value)
	return err
}

// readGracePeriod reads how long connections may go on when Caddy exits; 0 means not at all, which is the default.
func readGracePeriod(c *config, path string, value any) error {
	grace, err := milliseconds(path, value)
	c.handler.GracePeriod = caddy.Duration(grace)
	return err
}

// readTargets keeps the order of the targets and duplicates, because the legacy placement depends on both.
func readTargets(c *config, path string, value any) error {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return refuse(path, value, someTargets)
	}
	for i, item := range list {
		place := fmt.Sprintf("%s[%d]", path, i)
		object, ok := item.(map[string]any)
		if !ok {
			return refuse(place, item, aTarget)
		}
		t := new(destination)
		if err := readObject(t, place+".", object, targetOptions); err != nil {
			return err
		}
		if t.host == "" {
			t.host = "localhost"
			c.warn(place+".host", "missing; localhost is dialled")
		}
		c.handler.Upstreams = append(c.handler.Upstreams, &l4sticky.Upstream{
			Dial: net.JoinHostPort(t.host, strconv.Itoa(t.port)),
		})
	}
	return nil
}

// readController reads the path of a script, which is relative to the folder of the config. The path is made absolute,
// because Caddy may run in any folder.
func readController(c *config, path string, value any) error {
	script, ok := value.(string)
	if !ok || script == "" || strings.ContainsAny(script, "{}") {
		return refuse(path, value, "the path of a script such as ./balancer.js (without placeholders)")
	}
	if !filepath.IsAbs(script) {
		if c.file == "" {
			return fmt.Errorf("%s: %s is relative to a config file, and this config comes from none; give an absolute path", path, show(value))
		}
		script = filepath.Join(filepath.Dir(c.file), script)
	}
	script, err := filepath.Abs(script)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.controller = script
	return nil
}

// checkController returns an error if there is a script that cannot be read. Where the config is only adapted, the script
// need not be there.
func (c *config) checkController() error {
	if c.controller == "" {
		return nil
	}
	file, err := openFile(c.controller)
	if err == nil {
		return file.Close()
	}
	var cause *fs.PathError
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return fmt.Errorf("%s can't be read: %w", cli.Printable(c.controller), err)
}

// openFile opens a regular file. Others, such as FIFOs and terminals, need not have an end and cannot be read twice.
func openFile(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	return os.Open(path)
}

// readUser reads the name or UID of a user. The user need not exist where the config is only adapted.
func readUser(c *config, path string, value any) error {
	name, _ := value.(string)
	if n, ok := number(value); ok && n == math.Trunc(n) && n >= 0 && n <= math.MaxUint32 {
		name = strconv.FormatUint(uint64(n), 10)
	}
	switch name {
	case "":
		return refuse(path, value, "the name or UID of a user")
	case "root", "0":
		return refuse(path, value, "a user other than root; leave the option out to run as who starts it")
	}
	c.user = name
	return nil
}

// readStickiness follows the documentation of LoadBalancer.js, where sticky is the default. Version 0.9.26 had it the other
// way round by mistake.
func readStickiness(c *config, path string, value any) error {
	sticky, ok := value.(bool)
	if !ok {
		return refuse(path, value, "true or false")
	}
	if !sticky {
		c.handler.Placement = placementRandom
	}
	return nil
}

// readHost reads a host and normalizes its spelling, because the state of a target is kept by its address.
func readHost(t *destination, path string, value any) error {
	host, ok := value.(string)
	if !ok {
		return refuse(path, value, aHost)
	}
	if host == "" {
		return nil
	}
	if !parse.IsHost(host) {
		return refuse(path, value, aHost)
	}
	t.host = strings.ToLower(host)
	if address, err := netip.ParseAddr(host); err == nil {
		t.host = address.String()
	}
	return nil
}

// port reads a port, which LoadBalancer.js also took as a string of digits.
func port(path string, value any) (int, error) {
	if text, ok := value.(string); ok {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil && n > 0 {
			return int(n), nil
		}
	}
	if n, ok := number(value); ok && n == math.Trunc(n) && n >= 1 && n <= math.MaxUint16 {
		return int(n), nil
	}
	return 0, refuse(path, value, aPort)
}

// number returns a JSON number; one that is too large for a float64 is an infinity.
func number(value any) (float64, bool) {
	literal, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	n, _ := strconv.ParseFloat(string(literal), 64) // the syntax has been checked: only the range can be wrong
	return n, true
}

// milliseconds reads a duration exactly, down to a nanosecond.
func milliseconds(path string, value any) (time.Duration, error) {
	n, ok := number(value)
	if !ok || n < 0 || n > float64(parse.MaxDuration.Milliseconds()) {
		return 0, refuse(path, value, fmt.Sprintf("a number of milliseconds from 0 to %d (100 years)", parse.MaxDuration.Milliseconds()))
	}
	exact := math.Round(n * float64(time.Millisecond))
	if n > 0 && exact < 1 {
		exact = 1 // 0 has a meaning of its own
	}
	return time.Duration(exact), nil
}

// duration returns a reader of an option whose 0 means the default, as it did in LoadBalancer.js.
func duration(field func(*config) *caddy.Duration) func(*config, string, any) error {
	return func(c *config, path string, value any) error {
		d, err := milliseconds(path, value)
		if err != nil {
			return err
		}
		if d == 0 {
			c.warn(path, "0 means the default, not at once")
		}
		*field(c) = caddy.Duration(d)
		return nil
	}
}

// obsolete returns a reader that checks an option, and warns that it has no effect for the reason given.
func obsolete(check func(path string, value any) error, reason string) func(*config, string, any) error {
	return func(c *config, path string, value any) error {
		if err := check(path, value); err != nil {
			return err
		}
		c.warn(path, "has no effect any more: "+reason)
		return nil
	}
}

func checkDuration(path string, value any) error {
	_, err := milliseconds(path, value)
	return err
}

func wholeFrom(least float64) func(path string, value any) error {
	return func(path string, value any) error {
		if n, ok := number(value); !ok || n < least || n != math.Trunc(n) || math.IsInf(n, 0) {
			return refuse(path, value, fmt.Sprintf("a whole number of at least %v", least))
		}
		return nil
	}
}

func checkPolicy(path string, value any) error {
	if n, ok := number(value); !ok || (n != 1 && n != 2) {
		return refuse(path, value, "1 or 2")
	}
	return nil
}

func anything(string, any) error { return nil }
