package embedded

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

func (e *engine) httpBinding() map[string]any {
	codes := e.vm.NewObject()
	for code := 100; code < 600; code++ {
		if text := http.StatusText(code); text != "" {
			_ = codes.Set(fmt.Sprint(code), text)
		}
	}
	return map[string]any{"request": e.httpRequest, "statusCodes": codes}
}

// question is a request as js/http.js puts it.
type question struct {
	URL, Method, SocketPath string
	Insecure                bool
	serverName, authorities string
	header                  http.Header
	more                    chan struct{} // gets something when the answer may go on
}

// httpRequest is request(options, body, {head, data, end, close, error}); it returns {abort, more}.
func (e *engine) httpRequest(call goja.FunctionCall) goja.Value {
	options := call.Argument(0).ToObject(e.vm)
	q := question{
		URL:         options.Get("url").String(),
		Method:      options.Get("method").String(),
		SocketPath:  options.Get("socketPath").String(),
		Insecure:    options.Get("insecure").ToBoolean(),
		serverName:  options.Get("servername").String(),
		authorities: options.Get("ca").String(),
		header:      e.headerOf(options.Get("headers").ToObject(e.vm)),
		more:        make(chan struct{}, 1),
	}
	body := bytes.Clone(e.bytes(call.Argument(1)))
	events := call.Argument(2).ToObject(e.vm)
	ctx, cancel := context.WithCancel(e.ctx)
	d := e.owner.Load()
	e.background(e.netSlots, func(context.Context) func() {
		defer cancel()
		err := e.exchange(ctx, q, body, func(name string, value func() goja.Value) {
			e.post(d, func() { e.event(events, name, value()) })
		})
		return func() {
			switch {
			case errors.Is(err, errSwitched):
				e.event(events, "close", goja.Undefined())
			case err != nil:
				e.event(events, "error", e.httpError(err))
			default:
				e.event(events, "end", goja.Undefined())
			}
		}
	})
	handle := e.vm.NewObject()
	_ = handle.Set("abort", func(goja.FunctionCall) goja.Value {
		cancel()
		return goja.Undefined()
	})
	_ = handle.Set("more", func(goja.FunctionCall) goja.Value {
		select {
		case q.more <- struct{}{}:
		default:
		}
		return goja.Undefined()
	})
	return handle
}

func (e *engine) event(events *goja.Object, name string, value goja.Value) {
	f, _ := goja.AssertFunction(events.Get(name))
	e.call(f, goja.Undefined(), value)
}

func (e *engine) headerOf(object *goja.Object) http.Header {
	header := make(http.Header)
	for _, key := range object.Keys() {
		value := object.Get(key)
		if n := e.length(value); n > 0 { // not exported: it may have itself in it
			for i := range n {
				header.Add(key, value.ToObject(e.vm).Get(strconv.FormatInt(i, 10)).String())
			}
		} else {
			header.Set(key, value.String())
		}
	}
	return header
}

// silence is how long a request may go without a byte from the service, or from the script to which that is passed on.
// It is what Node's fetch has. Without it, services that say nothing would take the slots of all requests one by one.
var silence = 5 * time.Minute

// maxHeader is as in Node.
const maxHeader = 16 << 10

var (
	errLongAnswer = errors.New("http: the answer is longer than the script's memory limit")
	errSwitched   = errors.New("http: the service has switched protocols")
	errSilence    = &net.OpError{Op: "read", Err: syscall.ETIMEDOUT}
)

// exchange asks a service and passes on its answer as fast as the script takes it, up to the script's memory limit. As
// in Node, redirects are not followed and nothing is unpacked.
func (e *engine) exchange(ctx context.Context, q question, body []byte, pass func(string, func() goja.Value)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(silence, safely.Func("script request", func() { cancel(errSilence) }))
	defer patience.Stop()
	request, err := http.NewRequestWithContext(ctx, q.Method, q.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = q.header
	if !q.hasHeader("User-Agent") {
		request.Header["User-Agent"] = []string{""} // else it would be Go's
	}
	if host := q.header.Get("Host"); host != "" {
		request.Host = host
	}
	transport := transport(q)
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return causeOr(ctx, err)
	}
	defer response.Body.Close()
	if _, switched := response.Body.(io.Writer); switched {
		return errSwitched // the body is the connection, which no context ends
	}
	pass("head", func() goja.Value { return e.headValue(response) })
	left := e.script.Options().MemoryLimit
	for buffer := make([]byte, 32<<10); ; {
		n, err := response.Body.Read(buffer)
		patience.Reset(silence)
		if left -= int64(n); left < 0 {
			return errLongAnswer
		}
		if n > 0 {
			chunk := bytes.Clone(buffer[:n])
			pass("data", func() goja.Value { return e.vm.ToValue(e.vm.NewArrayBuffer(chunk)) })
			select {
			case <-q.more:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return causeOr(ctx, err)
		}
	}
}

// causeOr returns why a context has ended, or else the error.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (q question) hasHeader(name string) bool {
	_, ok := q.header[name]
	return ok
}

// transport makes connections for one request: it is what holds nothing when the script is stopped.
func transport(q question) *http.Transport {
	t := &http.Transport{
		DisableCompression:     true,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: maxHeader,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: q.Insecure, ServerName: q.serverName}, //nolint:gosec // the script says so
	}
	if q.authorities != "" {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		t.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(q.authorities))
	}
	if q.SocketPath != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", q.SocketPath)
		}
	}
	return t
}

func (e *engine) headValue(response *http.Response) goja.Value {
	head, headers := e.vm.NewObject(), e.vm.NewObject()
	raw := []any{}
	for _, key := range slices.Sorted(maps.Keys(response.Header)) { // their order on the wire is not known
		values := response.Header[key]
		name := strings.ToLower(key)
		for _, value := range values {
			raw = append(raw, key, value)
		}
		if name == "set-cookie" {
			list := make([]any, len(values))
			for i, value := range values {
				list[i] = value
			}
			_ = headers.Set(name, e.vm.NewArray(list...))
		} else {
			_ = headers.Set(name, strings.Join(values, ", "))
		}
	}
	_ = head.Set("statusCode", response.StatusCode)
	_ = head.Set("statusMessage", strings.TrimSpace(strings.TrimPrefix(response.Status, fmt.Sprint(response.StatusCode))))
	_ = head.Set("httpVersion", fmt.Sprintf("%d.%d", response.ProtoMajor, response.ProtoMinor))
	_ = head.Set("headers", headers)
	_ = head.Set("rawHeaders", e.vm.NewArray(raw...))
	return head
}
