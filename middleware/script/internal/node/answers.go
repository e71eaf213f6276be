//go:build unix

package node

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// readAnswers takes frames until the process ends.
func (e *engine) readAnswers() {
	buffer, filled := make([]byte, 1<<16), 0
	for {
		n, err := e.process.answers.Read(buffer[filled:])
		if err != nil {
			return
		}
		filled += n
		safely.Reach("script answers")
		for data := buffer[:filled]; ; {
			f, rest, err := parseFrame(data)
			if err != nil {
				e.abort(err)
				return
			}
			if len(rest) == len(data) {
				filled = copy(buffer, data)
				break
			}
			e.take(f)
			data = rest
		}
		if filled == len(buffer) {
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
	}
}

// take does what a frame says.
func (e *engine) take(f frame) {
	switch f.kind {
	case hello:
		if err := e.load(); err != nil {
			e.abort(err)
		}
	case ready:
		e.ready.Store(true)
		e.finishLoading(nil)
	case broken:
		e.finishLoading(errors.New(string(f.texts[0])))
	case allow:
		e.allow(f.number)
	case block:
		if d := e.takeAsked(f.number); d != nil {
			e.script.Settle(d, errors.New(string(f.texts[0])))
		}
	case failed:
		e.takeFailure(f)
	case follow:
		e.follow(f.number)
	case kick:
		e.kick(f.number)
	case forget:
		e.forget(f.number)
	case log:
		e.script.Log.Log(levels[f.number%uint32(len(levels))], string(f.texts[0]))
	case pong:
		e.pongs.Store(f.number)
	case target:
		e.reply(f)
	}
}

var levels = [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}

// finishLoading tells Start the outcome; only the first one counts.
func (e *engine) finishLoading(err error) {
	select {
	case e.loaded <- err:
	default:
	}
}

// takeAsked returns a client that waits, which has its answer now.
func (e *engine) takeAsked(number uint32) *decide.Decision {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.asked[number]
	delete(e.asked, number)
	return d
}

// allow lets a client in. It is remembered if the script can kick it.
func (e *engine) allow(number uint32) {
	e.mu.Lock()
	d := e.asked[number]
	delete(e.asked, number)
	if d != nil && flagsOf(&d.Client) != 0 && e.guests != nil {
		e.guests[number] = &guest{client: d.Client}
		if len(e.guests) > e.mostGuests {
			e.mostGuests = 2 * len(e.guests)
			e.lockedSend(func(to []byte) []byte { return appendFrame(to, collect, 0) })
		}
	}
	e.mu.Unlock()
	if d != nil && !e.script.Settle(d, nil) {
		e.takeGuest(number)
	}
}

// takeFailure logs an error of the script and keeps out the client for whom it was at work.
func (e *engine) takeFailure(f frame) {
	reason := errors.New(string(f.texts[0]))
	args := []any{slog.String("error", reason.Error()), slog.String("stack", string(f.texts[1]))}
	if d := e.takeAsked(f.number); d != nil && e.script.Settle(d, reason) {
		args = append(args, slog.String("client", d.Client.Remote.Addr().Unmap().String()))
	}
	e.script.Log.Log(slog.LevelError, "the script failed", args...)
}

// follow has the script told when a client that was let in leaves.
func (e *engine) follow(number uint32) {
	e.mu.Lock()
	g := e.guests[number]
	e.mu.Unlock()
	if g == nil || g.client.OnEnd == nil || g.stop != nil {
		return
	}
	g.stop = func() {}
	g.stop = g.client.OnEnd(func() {
		if e.takeGuest(number) != nil {
			e.sendPlain(gone, number)
		}
	})
}

// kick ends the connection of a client that was let in.
func (e *engine) kick(number uint32) {
	if g := e.takeGuest(number); g != nil {
		if g.stop != nil {
			g.stop()
		}
		if g.client.Kick != nil {
			g.client.Kick()
		}
	}
}

func (e *engine) takeGuest(number uint32) *guest {
	e.mu.Lock()
	defer e.mu.Unlock()
	g := e.guests[number]
	delete(e.guests, number)
	return g
}

// forget lets go of a generation of clients.
func (e *engine) forget(number uint32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range uint32(generation) {
		delete(e.guests, number*generation+i)
	}
	e.mostGuests = max(leastGuests, min(e.mostGuests, 2*len(e.guests)))
}

// reply answers a question about a target, for which the process waits.
func (e *engine) reply(f frame) {
	port, _ := strconv.ParseFloat(string(f.texts[2]), 64) // what is none is no port
	active, err := e.script.AskTarget(string(f.texts[0]), string(f.texts[1]), port, e.ready.Load())
	text, code := "", byte(0)
	if err != nil {
		text, code = err.Error(), 2
		text = text[:min(len(text), 1000)]
	} else if active {
		code = 1
	}
	_ = e.process.replies.SetWriteDeadline(time.Now().Add(patience)) // a script that writes questions itself may never read
	head := binary.LittleEndian.AppendUint16([]byte{code}, uint16(len(text)))
	if _, err := e.process.replies.Write(append(head, text...)); err != nil {
		e.abort(err)
	}
}

// maxLine bounds the lines that a script prints; longer ones are split.
const maxLine = 10000

func (e *engine) readStdout() { e.readLines(e.process.stdout, slog.LevelInfo) }
func (e *engine) readStderr() { e.readLines(e.process.stderr, slog.LevelWarn) }

// readLines logs what is printed otherwise than by console.
func (e *engine) readLines(from *os.File, level slog.Level) {
	for lines := bufio.NewReaderSize(from, maxLine); ; {
		line, err := lines.ReadSlice('\n')
		if bytes.Contains(line, outOfMemory) {
			e.noRoom.Store(true)
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 {
			e.script.Log.Log(level, strings.ToValidUTF8(string(line), "\uFFFD"))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// outOfMemory is what Node.js says when it dies of its limits.
var outOfMemory = []byte("out of memory")
