package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
)

// sources remembers the files that a script consists of as they were read last: a script that is started
// anew is the same, whatever has become of its files. It is shared by the engines of a script.
type sources struct {
	mu    sync.Mutex
	files map[string]string
}

func newSources() *sources { return &sources{files: make(map[string]string)} }

// get returns the text of a file, read anew if fresh is true or it was never read, as a function can have it in it.
func (s *sources) get(path string, fresh bool) (string, error) {
	s.mu.Lock()
	text, known := s.files[path]
	s.mu.Unlock()
	if known && !fresh {
		return text, nil
	}
	data, err := modules.ReadFile(path, maxScript)
	if err != nil {
		return "", err
	}
	if text = strings.TrimPrefix(string(data), "\ufeff"); strings.HasPrefix(text, "#!") {
		text = "//" + text
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = text
	return text, nil
}

// The function that Node would wrap a module in.
const (
	wrapperHead = "(function (exports, require, module, __filename, __dirname) {"
	wrapperTail = "\n})"
)

// placed is a syntax error whose message names its place.
func placed(path string, line, column int, message string) error {
	return &problem{fmt.Errorf("%s:%d:%d: %s", path, line, column, message), "SyntaxError", map[string]any{"placed": true}}
}

func jsonError(path, text string, err error) error {
	var fault *json.SyntaxError
	if !errors.As(err, &fault) {
		return placed(path, 1, 1, "SyntaxError: no JSON")
	}
	before := []byte(text)[:max(0, min(int(fault.Offset)-1, len(text)))]
	return placed(path, 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n'), err.Error())
}

// maxScript is how large a file of a script may be.
const maxScript = 128 << 20
