package legacy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/portowner"
	"github.com/caddy-sticky/caddy-sticky/privileges"
)

// run serves until the process ends. It returns only if that fails.
func run(cmd *cobra.Command, _ []string) error {
	path, pingback := cmd.Flag("config").Value.String(), cmd.Flag("pingback").Value.String()
	c, user, err := checkConfig(path)
	if err != nil {
		return err
	}
	self, ownSocket, err := enlist(c, user)
	if err != nil {
		return err
	}
	if self != nil {
		caddy.OnExit(func(context.Context) { self.remove() })
		defer self.remove()
	}
	if err := c.checkPortFree(); err != nil {
		return err
	}
	beforeServing = func() error { return becomeInstance(user, self, ownSocket) }

	args := []string{"--adapter", adapterName, "--config", path}
	if pingback != "" {
		args = append(args, "--pingback", pingback)
	}
	caddyRun, _, err := cmd.Root().Find([]string{"run"})
	if err != nil {
		return err
	}
	if err := caddyRun.ParseFlags(args); err != nil {
		return err
	}
	cmd.SilenceErrors = true // caddy run logs its own
	return caddyRun.RunE(caddyRun, nil)
}

// enlist registers this process as an instance. The result ownSocket says that it needs an admin endpoint of its own. The
// instance is nil if it cannot be registered.
func enlist(c *config, user *privileges.User) (self *instance, ownSocket bool, err error) {
	self, earlier, err := register(c.file, c.sourcePort, nameOf(user))
	if err != nil {
		caddy.Log().Warn("'list', 'reload' and 'stop' will not know this loadbalancer", zap.Error(err))
		return nil, false, nil
	}
	if err := self.checkPort(earlier); err != nil {
		self.remove()
		return nil, false, fmt.Errorf("%s: sourcePort: %w", c.file, err)
	}
	return self, isAdminTaken(earlier), nil
}

// becomeInstance makes this process the user's, and then writes the address of its admin endpoint into its file.
func becomeInstance(user *privileges.User, self *instance, ownSocket bool) error {
	if self == nil {
		return become(user)
	}
	file, err := self.openForChanges()
	if err != nil {
		return fmt.Errorf("opening the file of this loadbalancer: %w", err)
	}
	defer file.Close()
	if err := become(user); err != nil {
		return err
	}
	if ownSocket {
		if err := self.ownAdmin(); err != nil {
			return err
		}
	}
	return appendChange(file, change{Admin: caddy.DefaultAdminListen})
}

// nameOf returns the user's name, or the empty string for nil.
func nameOf(user *privileges.User) string {
	if user == nil {
		return ""
	}
	return user.Name
}

// checkConfig reads the config, and returns an error if this process cannot become its user.
func checkConfig(path string) (*config, *privileges.User, error) {
	c, err := readFile(path)
	if err != nil {
		return nil, nil, err
	}
	if c.user == "" {
		return c, nil, nil
	}
	user, err := privileges.Lookup(c.user)
	if err == nil {
		err = user.CheckBecome()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: downgradeToUser: %w", path, err)
	}
	return c, user, nil
}

// readFile reads a config from its file.
func readFile(path string) (*config, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	defer file.Close()
	body, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	c, err := readConfig(body, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// checkPortFree returns an error if another process listens on the port. Caddy itself would share the port with another
// Caddy of the same user, because it opens its sockets with SO_REUSEPORT.
func (c *config) checkPortFree() error {
	listener, err := net.Listen("tcp", c.listen())
	if err != nil {
		everywhere := netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(c.sourcePort))
		if other := portowner.Other(everywhere, false); other != nil {
			err = fmt.Errorf("%d: %v listens there already", c.sourcePort, other)
		}
		return fmt.Errorf("%s: sourcePort: %w", c.file, err)
	}
	return listener.Close()
}

// become makes this process the user's, unless the user is nil.
func become(user *privileges.User) error {
	if user == nil {
		return nil
	}
	if err := user.Become(); err != nil {
		return fmt.Errorf("downgradeToUser: %w", err)
	}
	return nil
}

// answers reports whether a connection to the address is accepted.
func answers(network, address string) bool {
	conn, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
