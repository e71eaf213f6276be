package l4sticky

import (
	"cmp"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

const (
	defaultCheckInterval = 5 * time.Second
	defaultCheckTimeout  = 2 * time.Second
	defaultRise          = 2
	defaultFall          = 3
	defaultMethod        = "GET"
	defaultPath          = "/"
	defaultStatus        = "200-399"
)

const (
	checkTCP  = "tcp"
	checkSend = "send"
	checkHTTP = "http"
)

// inCheckInterval keeps targets from being hammered.
var inCheckInterval = parse.Between(caddy.Duration(100*time.Millisecond), caddy.Duration(parse.MaxDuration))

// HealthCheck tells how targets are looked at, each by one connection after the other, whatever the number of handlers.
type HealthCheck struct {
	// What a target must do to pass: accept a connection (`tcp`), answer to what is sent to it (`send`), or answer an HTTP request
	// (`http`). Must be given.
	Type string `json:"type,omitempty"`

	// The time from one check of a target to the next one, give or take a tenth. At least `100ms`. Zero means the default;
	// negative is an error. Default: `5s`.
	Interval caddy.Duration `json:"interval,omitempty"`

	// How long a check may take, with the dial. If that is longer than the interval, a slow check is followed by the next one as soon
	// as it is over. Zero means the default; negative is an error. Default: `2s`, or the interval if that is less.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How many checks must pass in a row until a target that is down is up again, or a deactivation ends before its time. Zero means
	// the default; negative is an error. Default: 2.
	Rise int `json:"rise,omitempty"`

	// How many checks must fail in a row until a target is down. Of the checks since a target is known, the very first one is
	// enough. Zero means the default; negative is an error. Default: 3.
	Fall int `json:"fall,omitempty"`

	// The port to dial for checks. Not for Unix sockets. Zero means the default. Default: the upstream's port.
	Port int `json:"port,omitempty"`

	// The port of an agent beside each target: a program that says in a line how the target does, in the words of HAProxy's agent
	// check. `up` and `down`, `fail` or `stopped` tell the health; `ready`, `drain` and `maint` the mode; a number with `%` is the
	// share of the upstream's weight that counts, and `maxconn:` with a number replaces its `max_connections`. What it does not
	// mention stays, and an agent that does not answer changes nothing. Not for Unix sockets. Default: none.
	AgentPort int `json:"agent_port,omitempty"`

	// The time from one question to a target's agent to the next one, give or take a tenth. At least `100ms`. Zero means the
	// default; negative is an error. Default: the `interval`.
	AgentInterval caddy.Duration `json:"agent_interval,omitempty"`

	// What an agent is sent before it says its line, with the same meaning of backslashes as in `send`. Default: nothing.
	AgentSend string `json:"agent_send,omitempty"`

	// What a check of type `send` sends. `\r`, `\n`, `\t` and `\\` stand for a carriage return, a line feed, a tab and a backslash.
	// Default: nothing, for targets that speak first.
	Send string `json:"send,omitempty"`

	// The same in hexadecimal digits, for protocols that are no text. Default: nothing.
	SendHex string `json:"send_hex,omitempty"`

	// A regular expression (RE2) that the answer to a check of type `send` must match, as soon as enough of it has come, within its first
	// 64 KiB. A check of that type needs it or `expect_hex`. Default: none.
	Expect string `json:"expect,omitempty"`

	// Bytes that the answer must contain, in hexadecimal digits. Default: none.
	ExpectHex string `json:"expect_hex,omitempty"`

	// The method of a check of type `http`. Default: `GET`.
	Method string `json:"method,omitempty"`

	// The path of the request, with a query if need be. Default: `/`.
	Path string `json:"path,omitempty"`

	// The host that the request names. Default: the upstream's address.
	Host string `json:"host,omitempty"`

	// The statuses that pass, and ranges of them, separated by commas. Redirects are not followed. Default: `200-399`.
	Status string `json:"status,omitempty"`

	// A regular expression (RE2) that the response's body must match within its first 64 KiB. Default: any body.
	Body string `json:"body,omitempty"`

	// Whether checks speak TLS. Default: false.
	TLS bool `json:"tls,omitempty"`

	// The name for which the target's certificate must be good, and which it is told (SNI). Default: the upstream's host.
	TLSServerName string `json:"tls_server_name,omitempty"`

	// Whether any certificate is good enough. Default: false.
	TLSInsecureSkipVerify bool `json:"tls_insecure_skip_verify,omitempty"`
}

// table returns the check's options.
func (c *HealthCheck) table() parse.Options {
	interval := cmp.Or(c.Interval, caddy.Duration(defaultCheckInterval))
	var method, path, status string
	if c.Type == checkHTTP {
		method, path, status = defaultMethod, defaultPath, defaultStatus
	}
	return parse.Options{
		parse.Enum("type", &c.Type, "", checkTCP, checkSend, checkHTTP).OnLine(),
		parse.Duration("interval", &c.Interval, defaultCheckInterval, inCheckInterval),
		parse.Duration("timeout", &c.Timeout, min(time.Duration(interval), defaultCheckTimeout)),
		parse.Int("rise", &c.Rise, defaultRise),
		parse.Int("fall", &c.Fall, defaultFall),
		parse.Int("port", &c.Port, 0, parse.Between(0, 65535)),
		parse.Int("agent_port", &c.AgentPort, 0, parse.Between(0, 65535)),
		parse.Duration("agent_interval", &c.AgentInterval, time.Duration(interval), inCheckInterval).OnlyFor("agent_port", c.AgentPort != 0),
		parse.String("agent_send", &c.AgentSend, "", checked(unescape)),
		parse.String("send", &c.Send, "", checked(unescape)),
		parse.String("send_hex", &c.SendHex, "", checked(decodeHex)),
		parse.String("expect", &c.Expect, "", checked(compile)),
		parse.String("expect_hex", &c.ExpectHex, "", checked(decodeHex)),
		parse.String("method", &c.Method, method),
		parse.String("path", &c.Path, path),
		parse.String("host", &c.Host, ""),
		parse.String("status", &c.Status, status),
		parse.String("body", &c.Body, "", checked(compile)),
		parse.Flag("tls", &c.TLS),
		parse.String("tls_server_name", &c.TLSServerName, ""),
		parse.Flag("tls_insecure_skip_verify", &c.TLSInsecureSkipVerify),
	}
}

// UnmarshalCaddyfile sets up the HealthCheck from Caddyfile tokens. Syntax:
//
//	health_check tcp|send|http {
//		interval <duration>
//		timeout <duration>
//		rise <number>
//		fall <number>
//		port <number>
//		agent_port <number>
//		agent_interval <duration>
//		agent_send <text>
//		send <text>
//		send_hex <digits>
//		expect <expression>
//		expect_hex <digits>
//		method <name>
//		path <path>
//		host <host>
//		status <statuses>
//		body <expression>
//		tls
//		tls_server_name <name>
//		tls_insecure_skip_verify
//	}
func (c *HealthCheck) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Prev() // to the option's name, with which ReadModule begins
	return c.table().ReadModule(d, "sticky_proxy health_check")
}

var _ caddyfile.Unmarshaler = (*HealthCheck)(nil)
