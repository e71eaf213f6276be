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
	if err := c.portIsFree(); err != nil {
		return err
	}
	beforeServing = func() error { return settle(user, self, ownSocket) }

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

// enlist registers this process, which gets an admin endpoint of its own if ownSocket is true. The instance is nil
// where that can't be done.
func enlist(c *config, user *privileges.User) (self *instance, ownSocket bool, err error) {
	self, earlier, err := register(c.file, c.sourcePort, nameOf(user))
	if err != nil {
		caddy.Log().Warn("'list', 'reload' and 'stop' will not know this loadbalancer", zap.Error(err))
		return nil, false, nil
	}
	if err := self.mustHavePort(earlier); err != nil {
		self.remove()
		return nil, false, fmt.Errorf("%s: sourcePort: %w", c.file, err)
	}
	return self, isLate(earlier), nil
}

// settle makes this process the user's, and then tells where its admin endpoint is going to be.
func settle(user *privileges.User, self *instance, ownSocket bool) error {
	if self == nil {
		return become(user)
	}
	file, err := self.changes()
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
	return note(file, change{Admin: caddy.DefaultAdminListen})
}

// nameOf returns the user's name, which is empty for none.
func nameOf(user *privileges.User) string {
	if user == nil {
		return ""
	}
	return user.Name
}

// checkConfig reads the config, and sees that its user is one to run as.
func checkConfig(path string) (*config, *privileges.User, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the config: %w", err)
	}
	defer file.Close()
	body, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the config: %w", err)
	}
	c, err := readConfig(body, path)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
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

// portIsFree is an error if somebody listens on the port. Caddy itself would share it with another Caddy of the same
// user, since it opens its sockets with SO_REUSEPORT.
func (c *config) portIsFree() error {
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

// become makes this process the user's, if there is one.
func become(user *privileges.User) error {
	if user == nil {
		return nil
	}
	if err := user.Become(); err != nil {
		return fmt.Errorf("downgradeToUser: %w", err)
	}
	return nil
}

// answers tells whether somebody listens at the address.
func answers(network, address string) bool {
	conn, err := net.DialTimeout(network, address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
