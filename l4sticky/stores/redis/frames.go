package redis

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The bounds of what is read. A script's answer, and what a client asks for about the servers, is much smaller.
const (
	maxLine     = 64 << 10
	maxBlob     = 16 << 20
	maxElements = 256 << 10 // of one frame, with those within others
	maxDepth    = 8
	maxWords    = 3 // of the strings in a frame, which is all that is looked at
	maxWord     = 512
)

// frames finds the ends of the frames in a stream of RESP3, which comes in pieces. What no server sends, which are streamed
// strings and attributes for instance, is an error.
type frames struct {
	// each is called with each whole frame.
	each func(frame) error

	line   []byte // what there is of a header
	blob   int    // how many bytes of a string are still to come
	ending string // what must come after them
	open   []int  // how many elements of each aggregate are still to come

	frame    frame
	elements int // of the frame, with those within others
}

// A frame is what is looked at of one.
type frame struct {
	kind     byte             // its type, or '_' for any null
	elements int              // if it is an aggregate
	words    [maxWords]string // how the first of its strings, numbers and the like begin, in whatever depth they are
	count    int              // of the words
}

// feed reads the next piece.
func (f *frames) feed(piece []byte) error {
	for len(piece) > 0 {
		var err error
		switch {
		case f.blob > 0:
			n := min(f.blob, len(piece))
			f.note(piece[:n])
			f.blob, piece = f.blob-n, piece[n:]
		case f.ending != "":
			if piece[0] != f.ending[0] {
				return errors.New("a string does not end where it should")
			}
			if f.ending, piece = f.ending[1:], piece[1:]; f.ending == "" {
				err = f.endedWord()
			}
		default:
			end := bytes.IndexByte(piece, '\n') + 1
			if end == 0 {
				end = len(piece)
			}
			f.line = append(f.line, piece[:end]...)
			piece = piece[end:]
			if len(f.line) > maxLine {
				return errors.New("a line is too long")
			}
			if f.line[len(f.line)-1] == '\n' {
				err = f.header()
				f.line = f.line[:0]
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// note keeps the beginning of what may come in several pieces.
func (f *frames) note(text []byte) {
	if f.frame.count < maxWords {
		word := &f.frame.words[f.frame.count]
		*word += string(text[:min(len(text), maxWord-len(*word))])
	}
}

// header reads the line of which an element consists, or with which it begins.
func (f *frames) header() error {
	kind, text := f.line[0], f.line[1:]
	text, whole := bytes.CutSuffix(text, []byte("\r\n"))
	if !whole {
		return errors.New("a line does not end with CRLF")
	}
	if len(f.open) == 0 {
		f.frame, f.elements = frame{kind: kind}, 0
	}
	switch kind {
	case '+', '-', ':', ',', '(':
	case '_':
		if len(text) != 0 {
			return fmt.Errorf("'_%s' is no null", text)
		}
	case '#':
		if len(text) != 1 {
			return fmt.Errorf("'#%s' is no boolean", text)
		}
	case '$', '!':
		return f.beginString(text)
	case '*', '%', '~', '>':
		return f.beginAggregate(kind, text)
	default:
		return fmt.Errorf("%q is no type", kind)
	}
	f.note(text)
	return f.endedWord()
}

func (f *frames) beginString(text []byte) error {
	n, err := strconv.Atoi(string(text))
	switch {
	case n == -1:
		return f.null()
	case err != nil || n < 0 || n > maxBlob:
		return fmt.Errorf("'%s' is no length of a string", text)
	}
	f.blob, f.ending = n, "\r\n"
	return nil
}

func (f *frames) beginAggregate(kind byte, text []byte) error {
	n, err := strconv.Atoi(string(text))
	if kind == '%' {
		n *= 2
	}
	switch {
	case n == -1 && kind == '*':
		return f.null()
	case err != nil || n < 0 || n > maxElements-f.elements || len(f.open) == maxDepth || kind == '>' && len(f.open) > 0:
		return fmt.Errorf("'%c%s' is no beginning of an aggregate", kind, text)
	}
	if len(f.open) == 0 {
		f.frame.elements = n
	}
	f.elements += n
	if n == 0 {
		return f.ended()
	}
	f.open = append(f.open, n)
	return nil
}

// null ends an element that is none.
func (f *frames) null() error {
	if len(f.open) == 0 {
		f.frame.kind = '_'
	}
	return f.endedWord()
}

// endedWord ends an element that is no aggregate.
func (f *frames) endedWord() error {
	if f.frame.count < maxWords {
		f.frame.count++
	}
	return f.ended()
}

// ended ends an element, and the aggregates whose last one it is.
func (f *frames) ended() error {
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return nil
		}
		f.open = slices.Delete(f.open, last, last+1)
	}
	return f.each(f.frame)
}
