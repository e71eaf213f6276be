package redis

import (
	"strings"
	"unicode"
)

// maxText is how much of an error's text is kept, in bytes.
const maxText = 300

// A redactedError is an error whose text is one line, short, and without a password. What a server answers may have anything in it.
type redactedError struct {
	text string
	error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.error }

// redacted returns the error without the passwords of the store in its text.
func (s *Store) redacted(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return &redactedError{"redis: " + text, err}
}
