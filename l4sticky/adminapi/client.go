package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// patience is how long an endpoint may take for an answer.
const patience = time.Minute

// A Client asks the API at one admin endpoint. It may be used by several goroutines at once.
type Client struct {
	// Address is that of the admin endpoint, as in a config of Caddy.
	Address string

	base   string // of the URLs
	origin string // empty for a Unix socket
	http   http.Client
}

// An Error is an answer that is none.
type Error struct {
	// Status is that of HTTP.
	Status int
	// Text tells what is wrong.
	Text string
}

func (e *Error) Error() string { return e.Text }

// NewClient returns a client for the admin endpoint at an address such as localhost:2019 or unix//run/caddy.sock.
func NewClient(address string) (*Client, error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		return nil, fmt.Errorf("the admin address '%s': %w", address, err)
	}
	if parsed.PortRangeSize() > 1 {
		return nil, fmt.Errorf("the admin address '%s' has several ports", address)
	}
	c := &Client{Address: address, http: http.Client{Timeout: patience}}
	if parsed.IsUnixNetwork() {
		c.base = "http://127.0.0.1"
		parsed.Host, _, _ = strings.Cut(parsed.Host, "|") // what follows are the socket's permissions
	} else {
		c.base = "http://" + parsed.JoinHostPort(0)
		c.origin = c.base // which the endpoint may insist on
	}
	c.http.Transport = &http.Transport{IdleConnTimeout: time.Minute, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, parsed.Network, parsed.JoinHostPort(0))
	}}
	return c, nil
}

// Close closes the connections that no request uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Path returns the path below /sticky/ that these names lead to, whatever characters are in them.
func Path(names ...string) string {
	escaped := make([]string, len(names))
	for i, name := range names {
		escaped[i] = url.PathEscape(name)
	}
	return strings.Join(escaped, "/")
}

// Do sends a request for a Path, with a query and a body unless these are nil, and decodes the answer. A body that is no
// json.RawMessage is encoded. What the API refuses is an *Error.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, body, answer any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	target := c.base + "/sticky/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, target, sent)
	if err != nil {
		return fmt.Errorf("the admin address '%s': %w", c.Address, err)
	}
	if c.origin != "" {
		request.Header.Set("Origin", c.origin)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	text, err := c.exchange(request)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("the answer of the admin endpoint at %s: %w", c.Address, err)
	}
	return nil
}

// exchange sends a request and returns the body of the answer.
func (c *Client) exchange(request *http.Request) ([]byte, error) {
	response, err := c.send(request)
	var text []byte
	if err == nil {
		defer response.Body.Close()
		text, err = io.ReadAll(response.Body)
	}
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the URL says no more than the address
		}
		return nil, fmt.Errorf("the admin endpoint at %s can't be asked: %w", c.Address, err)
	}
	if response.StatusCode == http.StatusOK {
		return text, nil
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = fmt.Sprintf("the admin endpoint at %s answers %s", c.Address, response.Status)
	}
	return nil, &Error{Status: response.StatusCode, Text: said.Error}
}

// send sends a request, and does so again if the connection was closed without an answer. That is what the admin endpoint of a config that
// a reload has just replaced does, without a look at the request. To apply a request twice does the same as once.
func (c *Client) send(request *http.Request) (*http.Response, error) {
	response, err := c.http.Do(request)
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return response, err
	}
	again := request.Clone(request.Context())
	if request.GetBody != nil {
		if again.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
	return c.http.Do(again)
}
