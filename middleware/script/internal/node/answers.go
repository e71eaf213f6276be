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
		e.script.Settle(f.number, nil)
	case block:
		e.script.Settle(f.number, errors.New(string(f.texts[0])))
	case failed:
		e.script.Failed(f.number, errors.New(string(f.texts[0])), string(f.texts[1]))
	case follow:
		e.script.Follow(f.number)
	case kick:
		e.script.Kick(f.number)
	case forget:
		last, _ := strconv.ParseUint(string(f.texts[0]), 10, 32)
		e.script.Forget(f.number, uint32(last))
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
