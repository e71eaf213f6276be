package embedded

import (
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

// maxScript is how large a file of a script may be.
const maxScript = 128 << 20
