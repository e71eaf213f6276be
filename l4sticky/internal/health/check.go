package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// MaxAnswer is how many bytes of an answer are read at most, those of HTTP's header included.
const MaxAnswer = 64 << 10

// A Check is what is asked of a target, and what is expected of its answer. The zero value passes for every target that can be
// dialled.
type Check struct {
	// Header is a PROXY header that goes first.
	Header []byte
	// TLS is nil without TLS.
	TLS *tls.Config
	// Send goes before anything is read.
	Send []byte
	// Expect tells whether what has come so far is the answer that is expected. Nothing is read if it is nil.
	Expect func(answer []byte) bool
	// HTTP is nil without HTTP. If not, Send and Expect are nil.
	HTTP *Request
}

// A Request is an HTTP request, and which responses are expected.
type Request struct {
	Method, Path, Host string
	// Statuses are those that are expected.
	Statuses Statuses
	// Body is what the body must match. Nil means that it is not read.
	Body *regexp.Regexp
}

// Run looks at the target behind a connection, and returns why the check failed. It ends at the deadline, and with its context,
// by closing the connection.
func (c *Check) Run(ctx context.Context, conn net.Conn, deadline time.Time) error {
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	raw := conn // which stays the same below TLS
	defer context.AfterFunc(ctx, safely.Func("health check", func() { _ = raw.Close() }))()
	if _, err := conn.Write(c.Header); err != nil {
		return fmt.Errorf("sending the PROXY header: %w", err)
	}
	if c.TLS != nil {
		secure := tls.Client(conn, c.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
		conn = secure
	}
	if c.HTTP != nil {
		return c.HTTP.run(conn)
	}
	if _, err := conn.Write(c.Send); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	if c.Expect == nil {
		return nil
	}
	if err := await(io.LimitReader(conn, MaxAnswer), c.Expect); err != nil {
		return fmt.Errorf("the answer is not as expected: %w", err)
	}
	return nil
}

// New returns the request as net/http takes it.
func (r *Request) New() (*http.Request, error) {
	request, err := http.NewRequest(r.Method, "http://target"+r.Path, nil)
	if err != nil {
		return nil, err
	}
	request.Host = r.Host
	request.Close = true
	request.Header.Set("User-Agent", "caddy-sticky")
	return request, nil
}

func (r *Request) run(conn net.Conn) error {
	request, err := r.New()
	if err != nil {
		return err
	}
	if err := request.Write(conn); err != nil {
		return fmt.Errorf("sending the request: %w", err)
	}
	reader := bufio.NewReader(io.LimitReader(conn, MaxAnswer))
	response, err := http.ReadResponse(reader, request)
	for err == nil && response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
		response, err = http.ReadResponse(reader, request) // what came before is information only
	}
	if err != nil {
		return fmt.Errorf("reading the response: %w", err)
	}
	defer response.Body.Close()
	if !r.Statuses.Has(response.StatusCode) {
		return fmt.Errorf("the status is %d", response.StatusCode)
	}
	if r.Body == nil {
		return nil
	}
	if err := await(response.Body, r.Body.Match); err != nil {
		return fmt.Errorf("the body is not as expected: %w", err)
	}
	return nil
}

// await reads until what has come is as expected.
func await(r io.Reader, expected func([]byte) bool) error {
	var answer []byte
	for {
		answer = slices.Grow(answer, 4096)
		n, err := r.Read(answer[len(answer):cap(answer)])
		answer = answer[:len(answer)+n]
		if (n > 0 || errors.Is(err, io.EOF)) && expected(answer) {
			return nil
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%q came in time", shorten(answer))
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return fmt.Errorf("%q came", shorten(answer))
		case err != nil:
			return fmt.Errorf("%q came, and then: %w", shorten(answer), err)
		}
	}
}

// shorten returns what of an answer goes into an error.
func shorten(answer []byte) []byte { return answer[:min(len(answer), 64)] }
