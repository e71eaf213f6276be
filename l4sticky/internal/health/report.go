package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// maxReport is how long the line of an agent may be.
const maxReport = 1024

// A Report is what an agent has said of its target, in the words of HAProxy's agent check. What it has not mentioned is the zero value:
// that stays as it was.
type Report struct {
	// State is `up`, or `down`, `fail` or `stopped`.
	State string
	// Mode is `ready`, `drain` or `maint`.
	Mode string
	// Percent is the share of the target's weight that counts.
	Percent *int
	// MaxConnections is the limit of the target's connections. 0 means that there is none.
	MaxConnections *int
	// Description is what the agent says in its own words.
	Description string
	// Unknown is the first word that has no meaning.
	Unknown string
}

// mostPercent bounds what an agent may make of a weight.
const mostPercent = 10_000

// ParseReport reads the line of an agent: words that are separated by spaces, tabs or commas, in any order and in upper or lower case, and a
// description behind a `#`.
func ParseReport(line string) (r Report) {
	said, description, _ := strings.Cut(line, "#")
	r.Description = strings.TrimSpace(description)
	for _, word := range strings.FieldsFunc(said, func(c rune) bool { return c == ' ' || c == '\t' || c == ',' }) {
		if !r.take(strings.ToLower(word)) && r.Unknown == "" {
			r.Unknown = word
		}
	}
	return r
}

// take notes what a word says, and reports false if that is nothing.
func (r *Report) take(word string) bool {
	limit, isLimit := strings.CutPrefix(word, "maxconn:")
	percent, isPercent := strings.CutSuffix(word, "%")
	switch {
	case word == "up", word == "down", word == "fail", word == "stopped":
		r.State = word
	case word == "ready", word == "drain", word == "maint":
		r.Mode = word
	case isLimit:
		r.MaxConnections = number(limit, 1<<31-1)
		return r.MaxConnections != nil
	case isPercent:
		r.Percent = number(percent, mostPercent)
		return r.Percent != nil
	default:
		return false
	}
	return true
}

// number returns a number of digits that is not above the limit, or nil.
func number(text string, limit int) *int {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n > uint64(limit) {
		return nil
	}
	value := int(n)
	return &value
}

// Ask asks the agent at the other end of a connection for its line, by what is to be sent to it, if anything. It ends at the deadline,
// and with its context, by closing the connection.
func Ask(ctx context.Context, conn net.Conn, send []byte, deadline time.Time) (line string, err error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, safely.Func("health check", func() { _ = conn.Close() }))()
	if _, err := conn.Write(send); err != nil {
		return "", fmt.Errorf("asking the agent: %w", err)
	}
	said := make([]byte, 0, maxReport)
	for {
		n, err := conn.Read(said[len(said):cap(said)])
		said = said[:len(said)+n]
		if end := bytes.IndexAny(said, "\r\n"); end >= 0 {
			return string(said[:end]), nil
		}
		switch {
		case errors.Is(err, io.EOF) && len(said) > 0:
			return string(said), nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", fmt.Errorf("no line has come in time, but %q", shorten(said))
		case err != nil:
			return "", fmt.Errorf("reading the line of the agent: %w", err)
		case len(said) == maxReport:
			return "", fmt.Errorf("the line is longer than %d bytes: %q", maxReport, shorten(said))
		}
	}
}
