package l4sticky

import (
	"context"
	"io"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
)

// isRunning reports whether the config of a Caddy context is the one that runs. Caddy makes it so when all apps have
// started, just before it stops those of the config before. For any other context it reports true.
func isRunning(ctx context.Context) bool {
	own, ok := ctx.(caddy.Context)
	if !ok {
		return true
	}
	return configOf(own) == configOf(caddy.ActiveContext())
}

// configOf tells configs apart. Contexts that are derived from a config's have its config, but Caddy doesn't export it.
func configOf(ctx caddy.Context) uintptr {
	config := reflect.ValueOf(ctx).FieldByName("cfg")
	if config.Kind() != reflect.Pointer {
		return 0
	}
	return config.Pointer()
}

// startPause is how often a connection that has come too early looks whether its config runs.
const startPause = 2 * time.Millisecond

// A run tells a handler whether its config has come to run. Layer4 accepts on plain addresses before the other apps
// have started, when the config may still be refused.
type run struct {
	ctx   caddy.Context
	began atomic.Bool
}

// await waits until the config runs, and reports false if it is refused.
func (r *run) await() bool {
	for !r.began.Load() {
		if isRunning(r.ctx) || r.ended() && !r.wasRefused() {
			r.began.Store(true)
			break
		}
		select {
		case <-r.ctx.Done():
			if r.wasRefused() {
				return false
			}
		case <-time.After(startPause):
		}
	}
	return true
}

func (r *run) ended() bool { return r.ctx.Err() != nil }

// wasRefused reports whether the config has ended because of an error. The one that it replaces ends in another way,
// though it may not have been asked for while it ran.
func (r *run) wasRefused() bool {
	cause := context.Cause(r.ctx)
	return cause != nil && strings.HasPrefix(cause.Error(), "configuration ")
}

// hasRun reports whether a config that has ended has come to run: it was neither refused nor only validated.
func (r *run) hasRun() bool { return !r.wasRefused() && !r.wasValidated() }

// wasValidated reports whether the config was only validated, and has ended.
func (r *run) wasValidated() bool {
	cause := context.Cause(r.ctx)
	return cause != nil && cause.Error() == "validation complete"
}

// closeLeftovers closes what layer4 has opened for a config whose start has failed: Caddy stops only the apps that did
// start, and layer4 itself keeps what it had opened by then. After an ordinary stop there is nothing left to close.
func closeLeftovers(ctx caddy.Context) {
	for _, module := range ctx.Modules() {
		app, ok := module.(*layer4.App)
		if !ok {
			continue
		}
		for _, ln := range *unexported[[]net.Listener](app, "listeners") {
			closeOpen(ln, ln)
		}
		for _, conn := range *unexported[[]net.PacketConn](app, "packetConns") {
			closeOpen(conn, conn)
		}
	}
}

// unexported returns a field that layer4 does not export, or an empty one if there is none of that type.
func unexported[T any](app *layer4.App, name string) *T {
	field := reflect.ValueOf(app).Elem().FieldByName(name)
	if !field.IsValid() || field.Type() != reflect.TypeFor[T]() {
		return new(T)
	}
	return (*T)(unsafe.Pointer(field.UnsafeAddr()))
}

// closeOpen closes a socket unless it is closed already, which Caddy would count as if another config had closed it.
// The socket of the network seamless sees to itself.
func closeOpen(socket any, closer io.Closer) {
	raw, err := syscallConn(socket)
	if err == nil && raw.Control(func(uintptr) {}) == nil {
		_ = closer.Close()
	}
}

// syscallConn finds the socket below Caddy's wrappers, which embed it.
func syscallConn(socket any) (syscall.RawConn, error) {
	for {
		if conn, ok := socket.(syscall.Conn); ok {
			return conn.SyscallConn()
		}
		value := reflect.Indirect(reflect.ValueOf(socket))
		if value.Kind() != reflect.Struct || value.NumField() == 0 || !value.Type().Field(0).Anonymous || !value.Field(0).CanInterface() {
			return nil, syscall.EINVAL
		}
		socket = value.Field(0).Interface()
	}
}
