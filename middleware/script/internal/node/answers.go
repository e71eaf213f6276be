//go:build unix

package node

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// The kinds of frames that the host sends. Each frame has a number and a text, which may be empty. The number is a client's,
// unless the kind says something else.
const (
	hello  = iota + 1 // the host runs
	ready             // the script is loaded
	broken            // the script could not be loaded; the text says why
	allow
	block  // with the reason
	failed // an error that nothing caught. The number is zero if no client is kept out for it.
	follow // the script wants to know of the client's end
	kick
	forget // the script has no sockets any more of the clients from this number to the one in the text
	log    // a line that the script prints; the number is its level
	pong
	target // what is asked of the balancer about a target: the function, the port and the host
	stack  // where the error that comes next was made
)

const (
	// frameHead is how many bytes follow the kind of a frame: the number and the length of the text, with the least byte first.
	frameHead = 8
	// maxText bounds the texts that the host may send. It keeps them much shorter.
	maxText = 1 << 17
)

// readAnswers does what the frames say that come, until the process ends.
func (e *engine) readAnswers() {
	answers := bufio.NewReaderSize(e.process.answers, maxText)
	for {
		kind, err := answers.ReadByte()
		if err != nil {
			return
		}
		safely.Reach("script answers")
		if kind < hello || kind > stack {
			e.abort(fmt.Errorf("the host sent a frame of the unknown kind %d", kind))
			return
		}
		head, err := answers.Peek(frameHead)
		if err != nil {
			return
		}
		number, length := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
		if length > maxText {
			e.abort(fmt.Errorf("the host sent a text of %d bytes", length))
			return
		}
		_, _ = answers.Discard(frameHead)
		text, err := answers.Peek(int(length))
		if err != nil {
			return
		}
		e.take(kind, number, string(text))
		_, _ = answers.Discard(len(text))
	}
}

// take does what a frame says.
func (e *engine) take(kind byte, number uint32, text string) {
	switch kind {
	case hello:
		if err := e.load(); err != nil {
			e.abort(err)
		}
	case ready:
		e.ready.Store(true)
		decide.Offer(e.loaded, nil)
	case broken:
		decide.Offer(e.loaded, errors.New(text))
	case allow:
		e.script.Settle(number, nil)
	case block:
		e.script.Settle(number, errors.New(text))
	case failed:
		e.script.Failed(number, errors.New(text), e.stack)
	case follow:
		e.script.Follow(number)
	case kick:
		e.script.Kick(number)
	case forget:
		last, _ := strconv.ParseUint(text, 10, 64) // the numbers begin anew after the largest one
		e.script.Forget(number, uint32(last))
	case log:
		e.script.Log.Log(levels[number%uint32(len(levels))], text)
	case pong:
		e.pongs.Store(number)
	case target:
		e.reply(text)
	case stack:
		e.stack = text
	}
}

var levels = [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// load has the host load the script, within its bounds.
func (e *engine) load() error {
	used, err := limit(e.process.command.Process.Pid, e.script.Options().MemoryLimit)
	if err == nil {
		e.base.Store(used)
		e.sendPlain(load, 0)
	}
	return err
}

// reply answers a question about a target, for which the process waits.
func (e *engine) reply(question string) {
	function, about, _ := strings.Cut(question, " ")
	number, host, _ := strings.Cut(about, " ")
	port, _ := strconv.ParseFloat(number, 64) // what is none is no port
	active, err := e.script.AskTarget(function, host, port, e.ready.Load())
	answer := "no"
	if err != nil {
		answer = "!" + err.Error()
		answer = answer[:min(len(answer), 500)] // a pipe takes that at once on every system
	} else if active {
		answer = "yes"
	}
	_ = e.process.replies.SetWriteDeadline(time.Now().Add(patience)) // a script that writes questions itself may never read
	if _, err := e.process.replies.WriteString(answer); err != nil {
		e.abort(err)
	}
}
