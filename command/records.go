package command

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// A record is a line of an export.
type record struct {
	adminapi.Session
	// At is when the session was so, for what expires before it is imported.
	At time.Time `json:"at"`
}

// An importedRecord is a line that is imported. It may have been written by other programs, which need not know all of a record.
type importedRecord struct {
	adminapi.ImportedSession
	At          *time.Time `json:"at"`
	Connections int        `json:"connections"` // which are not imported
}

// session returns the session at a moment. It has less time left than in the record, unless it is live there.
func (r importedRecord) session(now time.Time) adminapi.ImportedSession {
	s := r.ImportedSession
	if s.ExpiresIn != nil && r.At != nil {
		left := max(0, *s.ExpiresIn-max(0, now.Sub(*r.At).Seconds()))
		s.ExpiresIn = &left
	}
	return s
}

// longestRecord is how many bytes a line may have.
const longestRecord = 64 << 10

// eachRecord calls do for all lines but empty ones, until it returns an error. An error of a line names it.
func eachRecord(text io.Reader, do func(importedRecord) error) error {
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, longestRecord)
	number := 1
	for ; lines.Scan(); number++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		r, err := parseRecord(line)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := do(r); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return fmt.Errorf("line %d: it has more than %d bytes", number, longestRecord)
	}
	return lines.Err()
}

func parseRecord(line []byte) (r importedRecord, err error) {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&r)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:] // without the struct that it is promoted from
		return r, fmt.Errorf("%s: it can't be a %s", cmp.Or(field, "the line"), wrong.Value)
	}
	if err != nil {
		return r, errors.New(cli.Printable(err.Error())) // some have what they are about in them
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("there is something behind the object")
	}
	if _, err := netip.ParseAddr(r.Client); err != nil {
		return r, fmt.Errorf("client: '%s' is not an IP address", cli.Printable(r.Client))
	}
	switch {
	case r.Upstream == "":
		return r, errors.New("upstream: it is missing")
	case r.ExpiresIn != nil && *r.ExpiresIn < 0:
		return r, fmt.Errorf("expires_in: %v is negative", *r.ExpiresIn)
	}
	return r, nil
}
