package l4sticky

import (
	"errors"
	"syscall"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// Who ended a connection.
const (
	byClient   = "client"
	byUpstream = "upstream"
	byProxy    = "proxy"
)

// endWords are what the access log says of connections that the pool has ended.
var endWords = map[error]string{
	errDrained:      "drained",
	errForgotten:    "forgotten",
	errRebalanced:   "rebalanced",
	errDown:         "down",
	errExit:         "exit",
	errByMiddleware: "middleware",
}

func wordOf(because error) string {
	if word, known := endWords[because]; known {
		return word
	}
	return "ended"
}

// endOf returns who has ended the connection, how, and with what error or reason.
func (a *access) endOf(r flow.Result) (by, end string, why error) {
	because := a.because.Load()
	switch {
	case because != nil:
		return byProxy, wordOf(*because), *because
	case errors.Is(r.ClientErr, safely.ErrPanic):
		return byProxy, "panic", r.ClientErr
	case r.ClientErr != nil:
		return byClient, failureOf(r.ClientErr), r.ClientErr
	case r.TargetErr != nil:
		return byUpstream, failureOf(r.TargetErr), r.TargetErr
	}
	switch r.End {
	case flow.IdleEnd:
		return byProxy, "idle_timeout", nil
	case flow.AgeEnd:
		return byProxy, "max_connection_age", errTooOld
	case flow.HalfCloseEnd:
		return byProxy, "half_close_timeout", nil
	case flow.ClientFirst:
		return byClient, "eof", nil
	case flow.TargetFirst:
		return byUpstream, "eof", nil
	}
	return byProxy, "descriptors", errShortage
}

// errShortage is why a half-open connection ends.
var errShortage = errors.New("descriptors are short, and one side had ended its direction long ago")

// failureOf returns what the error of a connection means.
func failureOf(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.ETIMEDOUT):
		return "vanished"
	}
	return "failed"
}
