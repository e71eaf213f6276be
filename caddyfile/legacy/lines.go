package legacy

import (
	"bytes"
	"encoding/json"
	"fmt"
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
			w.value(fmt.Sprintf("%s[%d]", path, i))
		}
		_, _ = w.decoder.Token()
	}
}

func (w *lineWalker) object(path string) {
	if path != "" {
		path += "."
	}
	for w.decoder.More() {
		key, err := w.decoder.Token()
		if err != nil {
			return
		}
		member := path + key.(string)
		w.lines[member] = 1 + bytes.Count(w.body[:w.decoder.InputOffset()], []byte("\n"))
		w.value(member)
	}
	_, _ = w.decoder.Token()
}
