package l4sticky

import (
	"context"
	"fmt"
	"net"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/portowner"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
)

func init() {
	for network, tcp := range map[string]string{"seamless": "tcp", "seamless4": "tcp4", "seamless6": "tcp6"} {
		caddy.RegisterNetwork(network, seamless(tcp))
	}
	eventloop.Reporter = func(doing string, err error) {
		caddy.Log().Named("layer4.sticky").Error(doing, zap.Error(err))
	}
}

// seamless opens listeners of the networks seamless, seamless4 and seamless6: TCP on an address whose socket stays
// open while configs come and go, so that no connection that waits in it is reset. A config gets connections when all
// of it runs, and none if it is refused. Their Accept never fails for want of descriptors, and what it accepts costs
// sticky_proxy least. An address on which another process listens is an error unless the config has the option
// reuse_port.
//
// The hosts `fd/3` and `fdname/web` stand for a listening socket that this process was started with.
func seamless(tcp string) caddy.ListenerFunc {
	return func(ctx context.Context, _, host, portRange string, portOffset uint, config net.ListenConfig) (any, error) {
		fd, err := inheritedDescriptor(host)
		if err != nil {
			return nil, fmt.Errorf("listening on %s: %w", host, err)
		}
		key, open := fmt.Sprintf("fd/%d", fd), openInherited(fd)
		if fd < 0 {
			// Several ports come as a range with the offset of the one that is meant.
			address, err := caddy.ParseNetworkAddress(caddy.JoinNetworkAddress(tcp, host, portRange))
			if err != nil {
				return nil, fmt.Errorf("listening on the ports %s: %w", portRange, err)
			}
			address = address.At(portOffset)
			key, open = address.String(), openAddress(address)
		}
		return listen.Listen(ctx, key, config, open, func() bool { return isRunning(ctx) })
	}
}

// openAddress opens a socket in Caddy's own way, which knows how to bind a low port without being root, and shares it
// with its plain sockets; not with other processes unless that is wanted.
func openAddress(address caddy.NetworkAddress) listen.Open {
	return func(ctx context.Context, config net.ListenConfig) (net.Listener, error) {
		if !reusesPorts(ctx) {
			defer portowner.Lock(uint16(address.StartPort))()
			config = refusingSharedPorts(config)
		}
		opened, err := address.Listen(ctx, 0, config)
		if err != nil {
			return nil, err
		}
		ln, ok := opened.(net.Listener)
		if !ok {
			return nil, fmt.Errorf("%s is no address for streams", address)
		}
		return ln, nil
	}
}

// openInherited takes a socket that this process was started with.
func openInherited(fd int) listen.Open {
	return func(_ context.Context, config net.ListenConfig) (net.Listener, error) {
		ln, err := listenInherited(fd, config)
		if err != nil {
			return nil, fmt.Errorf("listening on fd/%d: %w", fd, err)
		}
		return ln, nil
	}
}
