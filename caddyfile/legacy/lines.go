package legacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// linesOf returns in which line of a JSON document each of its members is, by its path, such as targets[0].port. The document must be
// valid. Of a key that is given twice the last one counts.
func linesOf(body []byte) map[string]int {
	w := lineWalker{body: body, decoder: json.NewDecoder(bytes.NewReader(body)), lines: make(map[string]int)}
	w.value("")
	return w.lines
}

// A lineWalker goes through a document token by token.
type lineWalker struct {
	body    []byte
	decoder *json.Decoder
	lines   map[string]int
}

// value goes through a value with the path.
func (w *lineWalker) value(path string) {
	token, err := w.decoder.Token()
	if err != nil {
		return
	}
	switch token {
	case json.Delim('{'):
		w.object(path)
	case json.Delim('['):
		for i := 0; w.decoder.More(); i++ {
			element := fmt.Sprintf("%s[%d]", path, i)
			w.lines[element] = w.line()
			w.value(element)
		}
		_, _ = w.decoder.Token()
	}
}

func (w *lineWalker) object(path string) {
	if path != "" {
		path += "."
	}
	for w.decoder.More() {
		line := w.line()
		key, err := w.decoder.Token()
		if err != nil {
			return
		}
		member := path + key.(string)
		w.lines[member] = line
		w.value(member)
	}
	_, _ = w.decoder.Token()
}

// line returns the line of the next token.
func (w *lineWalker) line() int {
	read := w.body[:w.decoder.InputOffset()]
	next := w.body[len(read):]
	gap := next[:len(next)-len(bytes.TrimLeft(next, ", \t\r\n"))]
	return 1 + bytes.Count(read, []byte("\n")) + bytes.Count(gap, []byte("\n"))
}

// lineOf returns the line of an option, or of what it is missing in.
func lineOf(lines map[string]int, path string) int {
	for path != "" && lines[path] == 0 {
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return lines[path]
}
