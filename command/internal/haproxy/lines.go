package haproxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// longestLine is how many bytes a line may have. HAProxy's are shorter than one of its buffers, which has 16 KiB by default.
const longestLine = 64 << 10

var (
	errCutOff      = errors.New("it is cut off")
	errTooLong     = fmt.Errorf("it has more than %d bytes", longestLine)
	errUnprintable = errors.New("it has characters that HAProxy does not print")
)

// eachLine calls do for the lines of a text, without what ends them, until it returns an error. An error that it returns names the line, and has
// nothing in it from the text that a terminal would not show.
func eachLine(r io.Reader, do func(line string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestLine)
	lines.Split(wholeLines)
	number := 1
	for ; lines.Scan(); number++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		err := errUnprintable
		if !strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
			err = do(line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d: %w", number, errTooLong)
	case errors.Is(err, errCutOff):
		return fmt.Errorf("line %d: %w", number, err)
	default:
		return err
	}
}

// wholeLines splits like bufio.ScanLines, and returns an error for a last line without an end.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	for i, b := range data {
		if b == '\n' {
			return i + 1, data[:i], nil
		}
	}
	if atEOF && len(data) > 0 {
		return 0, nil, errCutOff
	}
	return 0, nil, nil
}
