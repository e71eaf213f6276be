package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

var now = time.UnixMilli(1_700_000_000_123)

// some are sessions of all sorts, those that expire last first.
var some = []Session{
	{netip.MustParseAddr("192.0.2.1"), "b:1", now.Add(time.Minute), now.Add(-time.Hour), false},
	{netip.MustParseAddr("2001:db8::1"), "a:1", now.Add(30 * time.Second), now, true},
	{netip.MustParseAddr("fe80::1%eth0"), "unix//run/a b.sock", now.Add(time.Millisecond), now.Add(time.Second), false},
	{netip.MustParseAddr("192.0.2.2"), "b:1", now.Add(-time.Hour), time.UnixMilli(0), true},
}

func write(pool string, sessions ...Session) []byte {
	w := NewWriter(len(sessions))
	for _, s := range sessions {
		w.Add(s)
	}
	return w.Bytes(pool, now)
}

func read(pool string, data []byte) (sessions []Session, err error) {
	f, err := Open(pool, data)
	if err != nil {
		return nil, err
	}
	for s, err := range f.Sessions() {
		if err != nil {
			return sessions, err
		}
		sessions = append(sessions, s)
	}
	if len(sessions) != f.Len() {
		return nil, fmt.Errorf("%d sessions, but Len is %d", len(sessions), f.Len())
	}
	return sessions, nil
}

func TestSessionsComeBack(t *testing.T) {
	shuffled := []Session{some[2], some[0], some[3], some[1]}
	shuffled[1].Client = netip.AddrFrom16(some[0].Client.As16())
	got, err := read("a pool", write("a pool", shuffled...))
	if err != nil || !slices.Equal(got, some) {
		t.Errorf("got %v, %v, want %v", got, err, some)
	}
	f, err := Open("", write(""))
	if err != nil || f.Len() != 0 || !f.Written.Equal(now) {
		t.Errorf("got %v, %v of no sessions", f, err)
	}
}

// The times of sessions are what a clock says, be it as wrong as it may.
func TestExtremeTimes(t *testing.T) {
	want := []Session{
		{some[0].Client, "a:1", time.UnixMilli(math.MaxInt64), time.UnixMilli(math.MinInt64), false},
		{some[1].Client, "a:1", time.UnixMilli(math.MinInt64), time.UnixMilli(math.MaxInt64), false},
	}
	if got, err := read("p", write("p", want...)); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// TestEveryChangeIsNoticed changes each byte, and cuts the bytes off at each.
func TestEveryChangeIsNoticed(t *testing.T) {
	data := write("p", some...)
	for i := range data {
		changed := slices.Clone(data)
		changed[i] ^= 0x10
		want := ErrDamaged
		switch {
		case i < len(magic):
			want = ErrForeign
		case i == len(magic):
			want = ErrFuture
		}
		if got, err := read("p", changed); !errors.Is(err, want) || got != nil {
			t.Errorf("byte %d changed: got %v, %v, want %v", i, got, err, want)
		}
		if got, err := read("p", data[:i]); !errors.Is(err, ErrDamaged) || got != nil {
			t.Errorf("cut off at %d: got %v, %v", i, got, err)
		}
	}
	for want, data := range map[error][]byte{
		ErrDamaged: append(slices.Clone(data), 0),
		ErrForeign: []byte(`{"sessions": []}`),
		ErrFuture:  append([]byte(magic), version+1, 'x'),
	} {
		if _, err := read("p", data); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", data, err, want)
		}
	}
	if _, err := read("q", data); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "'p'") {
		t.Errorf("the sessions of another pool: %v", err)
	}
	if _, err := read("p", append([]byte(magic), 0)); !errors.Is(err, ErrForeign) {
		t.Errorf("version 0: %v", err)
	}
}

// sealed returns the bytes of a body with a checksum that is right.
func sealed(body []byte) []byte {
	data := append(append([]byte(magic), version), body...)
	return binary.LittleEndian.AppendUint64(data, xxhash.Sum64(data))
}

// TestLargeNumbersTakeNoMemory has bytes that promise more than there is.
func TestLargeNumbersTakeNoMemory(t *testing.T) {
	huge := binary.AppendUvarint(nil, math.MaxUint64)
	for name, body := range map[string][]byte{
		"a text":   huge,
		"targets":  append([]byte{0, 0}, huge...),
		"sessions": append([]byte{0, 0, 0}, huge...),
		"a target": append(append([]byte{0, 0, 0, 1, 0, 1, 2, 3, 4}, huge...), 0, 0),
		"the flag": {0, 0, 1, 0, 1, 8, 1, 2, 3, 4, 0, 0, 0},
		"too much": {0, 0, 0, 0, 0},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := read("", sealed(body))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 100_000 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// FuzzOpen has any bytes, with a checksum that is wrong and with one that is right. What is read and written again stays the same.
func FuzzOpen(f *testing.F) {
	data := write("", some...)
	f.Add(data)
	f.Add(data[len(magic)+1 : len(data)-checksumSize])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = read("", data)
		sessions, err := read("", sealed(data))
		if err != nil {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
				t.Fatal(err)
			}
			return
		}
		if again, err := read("", write("", sessions...)); err != nil || len(again) != len(sessions) {
			t.Fatalf("%v became %v, %v", sessions, again, err)
		}
	})
}
