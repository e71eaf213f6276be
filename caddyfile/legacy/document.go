package legacy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

// An option is one member of a JSON object, and how it is read into an R.
type option[R any] struct {
	name string
	// required describes the value of an option that must be given. It is empty for all others.
	required string
	// read stores the value, which is never null. Its errors begin with the path.
	read func(into R, path string, value any) error
}

// readObject reads every option that the object gives. As in LoadBalancer.js, null means that the
// option is not given. The prefix is the object's own path with a dot, if it has one.
func readObject[R any](into R, prefix string, object map[string]any, options []option[R]) error {
	var names []string
	for _, o := range options {
		names = append(names, o.name)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(names, name) {
			return fmt.Errorf("unknown option %s%s", show(prefix+name), parse.Suggest(name, names))
		}
	}
	for _, o := range options {
		path, value := prefix+o.name, object[o.name]
		if value == nil {
			if o.required != "" {
				return fmt.Errorf("%s: missing or null; it must be %s", path, o.required)
			}
			continue
		}
		if err := o.read(into, path, value); err != nil {
			return err
		}
	}
	return nil
}

// decode reads strict JSON, as JSON.parse does: of a key that is given twice the last one counts. Numbers stay in the
// form in which they are written.
func decode(body []byte) (map[string]any, error) {
	if bytes.HasPrefix(body, []byte("\xef\xbb\xbf")) {
		return nil, errors.New("the config begins with a byte order mark (BOM), which JSON does not allow: save it as UTF-8 without one")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("the config is empty; it must be a JSON object")
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, located(err, body)
	}
	var document any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the config is not a JSON object: %s", show(document))
	}
	return object, nil
}

// located adds the line and the column to a syntax error.
func located(err error, body []byte) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 1 || syntax.Offset > int64(len(body)) {
		return fmt.Errorf("the config is not valid JSON: %w", err)
	}
	// The offset is that of the byte after the one at fault.
	before, fault := body[:syntax.Offset-1], body[syntax.Offset-1]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	hint := ""
	if fault == '/' || fault == '#' {
		hint = " (JSON has no comments)"
	}
	return fmt.Errorf("the config is not valid JSON: line %d, column %d: %w%s", line, column, err, hint)
}

// maxShown is the number of characters that an error shows of a value.
const maxShown = 60

// show returns a value in the form in which an error names it: as JSON, on one line, and not too long.
func show(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "the value"
	}
	shown := []rune(string(bytes.TrimSpace(text.Bytes())))
	if len(shown) > maxShown {
		return string(shown[:maxShown]) + "…"
	}
	return string(shown)
}

// refuse returns the error for a value that is not allowed.
func refuse(path string, value any, allowed string) error {
	return fmt.Errorf("%s: %s is not %s", path, show(value), allowed)
}
