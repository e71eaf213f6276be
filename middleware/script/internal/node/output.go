//go:build unix

package node

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// maxLine bounds the lines that a script prints; longer ones are split.
const maxLine = 10000

// outOfMemory is what Node.js says when it dies of its limits.
var outOfMemory = []byte("out of memory")

// output logs what is printed otherwise than by console. It implements io.Writer.
type output struct {
	engine *engine
	level  slog.Level
	line   []byte // that has begun
}

func (o *output) Write(data []byte) (int, error) {
	defer safely.Recover("script output", func() { o.engine.cancel(safely.ErrPanic) })
	for line := range bytes.Lines(data) {
		o.line = append(o.line, line...)
		if bytes.HasSuffix(line, []byte("\n")) || len(o.line) >= maxLine {
			o.flush()
		}
	}
	return len(data), nil
}

// flush logs the line that has begun.
func (o *output) flush() {
	if bytes.Contains(o.line, outOfMemory) {
		o.engine.noRoom.Store(true)
	}
	for part := range slices.Chunk(bytes.TrimRight(o.line, "\r\n"), maxLine) {
		o.engine.script.Log.Log(o.level, strings.ToValidUTF8(string(part), "\uFFFD"))
	}
	o.line = o.line[:0]
}
