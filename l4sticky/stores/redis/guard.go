package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// A guarded connection fails once the server sends what a client must not see: the client would end the process if there is an answer without a
// question, or allocate whatever length is told. It also ends when the client is closed, even while the client does
// not know it yet.
type guarded struct {
	net.Conn
	forget   func() bool
	in, out  frames
	mu       sync.Mutex // guards all below
	asked    []question
	channels int // whose subscription is still to be confirmed
}

// A question is a command whose answer is awaited.
type question struct {
	command, subcommand string
	args                int
}

var errUnasked = errors.New("an answer without a question")

func newGuarded(ctx context.Context, conn net.Conn) *guarded {
	g := &guarded{Conn: conn}
	g.in.each, g.out.each = g.answer, g.ask
	g.forget = context.AfterFunc(ctx, safely.Func("redis.close", func() { _ = conn.Close() }))
	return g
}

// Read returns an error in place of bytes that the client must not see.
func (g *guarded) Read(into []byte) (int, error) {
	n, err := g.Conn.Read(into)
	if e := g.in.feed(into[:n]); e != nil {
		_ = g.Conn.Close()
		return 0, fmt.Errorf("this is no Redis: %w", e)
	}
	return n, err
}

// Write notes the commands before the server can answer them.
func (g *guarded) Write(bytes []byte) (int, error) {
	if err := g.out.feed(bytes); err != nil {
		return 0, err
	}
	return g.Conn.Write(bytes)
}

// Close closes the connection.
func (g *guarded) Close() error {
	g.forget()
	return g.Conn.Close()
}

func (g *guarded) ask(f frame) error {
	g.mu.Lock()
	g.asked = append(g.asked, question{f.words[0], f.words[1], f.elements - 1})
	g.mu.Unlock()
	return nil
}

// answer looks whether a frame is one that the client understands at this point.
func (g *guarded) answer(f frame) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.kind == '>' {
		return g.unsyncedPush(f)
	}
	if len(g.asked) == 0 {
		return errUnasked
	}
	q := g.asked[0]
	g.asked = g.asked[1:]
	if !q.isAnsweredBy(f) {
		return fmt.Errorf("%c%s does not answer %s", f.kind, f.words[0], q.command)
	}
	if q.command == "UNSUBSCRIBE" { // which has no answer of its own, so that the client sends a PING after it
		if len(g.asked) == 0 {
			return errUnasked
		}
		g.asked = g.asked[1:]
	}
	return nil
}

func (q *question) isAnsweredBy(f frame) bool {
	if f.kind == '-' || f.kind == '!' {
		redirects := strings.HasPrefix(f.words[0], "MOVED") || strings.HasPrefix(f.words[0], "ASK")
		return q.command != "UNSUBSCRIBE" && (!redirects || strings.Count(f.words[0], " ") >= 2)
	}
	switch q.command {
	case "SUBSCRIBE":
		return false // it is confirmed by a push
	case "UNSUBSCRIBE":
		return f.words[0] == "PONG"
	case "ROLE":
		return f.elements > 0
	case "SENTINEL":
		return !strings.EqualFold(q.subcommand, "GET-MASTER-ADDR-BY-NAME") || f.kind == '_' || f.elements == 2
	}
	return true
}

// news has for each channel of a Sentinel to which the client listens how many words its messages have at least.
var news = map[string]int{"+sentinel": 4, "+switch-master": 5, "+reboot": 4}

// unsyncedPush is answer for what the server sends by itself, or to confirm subscriptions. The lock must be held.
func (g *guarded) unsyncedPush(f frame) error {
	switch word := f.words[0]; {
	case word == "message":
		if strings.Count(f.words[2], " ")+1 < news[f.words[1]] {
			return fmt.Errorf("'%s' is no message of %s", f.words[2], f.words[1])
		}
		return nil
	case !strings.HasSuffix(word, "subscribe") || strings.HasSuffix(word, "unsubscribe"):
		return nil
	case g.channels == 0:
		if len(g.asked) == 0 || g.asked[0].command != "SUBSCRIBE" || word != "subscribe" {
			return errUnasked
		}
		g.channels, g.asked = g.asked[0].args, g.asked[1:]
	}
	g.channels--
	return nil
}
