package l4sticky

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/health"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// checked returns the check of an option that is what reads it.
func checked[T any](read func(string) (T, error)) func(string) error {
	return func(value string) error {
		_, err := read(value)
		return err
	}
}

// unescape returns the bytes that are sent for a text.
func unescape(text string) ([]byte, error) {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			out = append(out, text[i])
			continue
		}
		i++
		at := -1
		if i < len(text) {
			at = strings.IndexByte(`rnt\`, text[i])
		}
		if at < 0 {
			return nil, fmt.Errorf(`'%s' has a backslash that stands for nothing; \r, \n, \t and \\ do`, text)
		}
		out = append(out, "\r\n\t\\"[at])
	}
	return out, nil
}

func decodeHex(text string) ([]byte, error) {
	decoded, err := hex.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("'%s' is not an even number of hexadecimal digits", text)
	}
	return decoded, nil
}

// compile returns a regular expression, or nil for none.
func compile(expression string) (*regexp.Regexp, error) {
	if expression == "" {
		return nil, nil
	}
	compiled, err := regexp.Compile(expression)
	if err != nil {
		return nil, fmt.Errorf("'%s' is not a regular expression: %w", expression, err)
	}
	return compiled, nil
}

// setDefaults puts the defaults where nothing is set, and returns an error if a value is out of its bounds or options contradict each other.
func (c *HealthCheck) setDefaults() error {
	if c.Type == "" {
		return errors.New("health_check: type: must be given, one of tcp, send, http")
	}
	if err := c.checkBelonging(); err != nil {
		return fmt.Errorf("health_check: %w", err)
	}
	if err := c.table().SetDefaults(); err != nil {
		return fmt.Errorf("health_check: %w", err)
	}
	_, err := c.newCheck()
	if err != nil {
		return fmt.Errorf("health_check: %w", err)
	}
	return nil
}

// checkBelonging returns an error if an option is given that is for another type of check, or for TLS only.
func (c *HealthCheck) checkBelonging() error {
	for _, group := range []struct {
		applies bool
		options string
		wanted  string
		given   []string
	}{
		{c.Type == checkSend, "send, send_hex, expect and expect_hex", "type send", []string{c.Send, c.SendHex, c.Expect, c.ExpectHex}},
		{c.Type == checkHTTP, "method, path, host, status and body", "type http", []string{c.Method, c.Path, c.Host, c.Status, c.Body}},
		{c.TLS, "tls_server_name", "tls", []string{c.TLSServerName}},
		{c.AgentPort != 0, "agent_send", "agent_port", []string{c.AgentSend}},
	} {
		if given := strings.Join(slices.DeleteFunc(group.given, func(s string) bool { return s == "" }), ", "); !group.applies && given != "" {
			return fmt.Errorf("%s: '%s' is given, which is for %s only", group.options, given, group.wanted)
		}
	}
	switch {
	case c.TLSInsecureSkipVerify && !c.TLS:
		return errors.New("tls_insecure_skip_verify: it is for tls only")
	case c.Type != checkSend:
		return nil
	case c.Send != "" && c.SendHex != "":
		return fmt.Errorf("send and send_hex: one of both can be sent, not '%s' and '%s'", c.Send, c.SendHex)
	case (c.Expect == "") == (c.ExpectHex == ""):
		return errors.New("expect, expect_hex: one of both must be given with type send")
	}
	return nil
}

// checkPorts returns an error if a port is to be dialled at an upstream that has none.
func (c *HealthCheck) checkPorts(upstreams []target.Config) error {
	for _, u := range upstreams {
		for option, port := range map[string]int{"port": c.Port, "agent_port": c.AgentPort} {
			if u.Address.Network == "unix" && port != 0 {
				return fmt.Errorf("health_check: %s: upstream %s has none, so that %d can't be dialled there", option, u.Address, port)
			}
		}
	}
	return nil
}

// newCheck returns what is done on a connection to a target, but for the PROXY header, the host and the server's name, which are the
// target's.
func (c *HealthCheck) newCheck() (check health.Check, err error) {
	if c.TLS {
		check.TLS = &tls.Config{ServerName: c.TLSServerName, InsecureSkipVerify: c.TLSInsecureSkipVerify}
	}
	switch c.Type {
	case checkSend:
		check.Send, err = unescape(c.Send)
		if err == nil && c.SendHex != "" {
			check.Send, err = decodeHex(c.SendHex)
		}
		if err != nil {
			return check, err
		}
		check.Expect, err = c.expected()
		return check, err
	case checkHTTP:
		check.HTTP, err = c.request()
		return check, err
	}
	return check, nil
}

// expected returns what tells whether an answer is the one that is expected.
func (c *HealthCheck) expected() (func([]byte) bool, error) {
	if c.ExpectHex != "" {
		wanted, err := decodeHex(c.ExpectHex)
		return func(answer []byte) bool { return bytes.Contains(answer, wanted) }, err
	}
	expression, err := compile(c.Expect)
	if err != nil {
		return nil, err
	}
	return expression.Match, nil
}

// request returns the HTTP request, and checks whether it is one.
func (c *HealthCheck) request() (*health.Request, error) {
	statuses, err := health.ParseStatuses(c.Status)
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	body, err := compile(c.Body)
	if err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	request := &health.Request{Method: c.Method, Path: c.Path, Host: c.Host, Statuses: statuses, Body: body}
	if _, err := request.New(); err != nil || !strings.HasPrefix(c.Path, "/") {
		return nil, fmt.Errorf("method, path: '%s %s' is not an HTTP request such as GET /health", c.Method, c.Path)
	}
	if c.Host != "" && strings.ContainsFunc(c.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '/' }) {
		return nil, fmt.Errorf("host: '%s' is not a host", c.Host)
	}
	return request, nil
}
