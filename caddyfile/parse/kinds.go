package parse

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// MaxDuration is the longest duration that makes sense anywhere, and leaves room to reckon with it.
const MaxDuration = 100 * 365 * 24 * time.Hour

// MaxInt is the greatest whole number that an option may have in a Caddyfile: Caddy decodes a config's numbers as a
// float64 before a module sees them, and that keeps no greater ones.
const MaxInt = 1 << 53

// A Limit says more about the values that a Duration or an Int may have.
type Limit func(*limits)

type limits struct {
	least, most int64 // no bounds if most is zero
	off         *int64
}

func limited(by []Limit) (l limits) {
	for _, limit := range by {
		limit(&l)
	}
	return l
}

// Between allows values from least to most. It is checked together with the default, not while a Caddyfile is read.
func Between[T ~int | ~int64](least, most T) Limit {
	return func(l *limits) { l.least, l.most = int64(least), int64(most) }
}

// Off allows the word off for a Duration in a Caddyfile, which stores the value. If that is negative, every negative
// value in JSON means off, too.
func Off(stored int64) Limit {
	return func(l *limits) { l.off = &stored }
}

func (l *limits) check(value int64, show func(int64) any) error {
	if l.most > 0 && (value < l.least || value > l.most) {
		return fmt.Errorf("%v is not from %v to %v", show(value), show(l.least), show(l.most))
	}
	return nil
}

// Duration is an option with one duration above zero, such as 30s, 1m30s or 2d, up to MaxDuration. The preset is its default.
func Duration(name string, field *caddy.Duration, preset time.Duration, by ...Limit) Option {
	l := limited(by)
	return Option{
		name: name, args: 1, duration: true,
		set: func(args []string) (err error) {
			if l.off != nil && args[0] == "off" {
				*field = caddy.Duration(*l.off)
				return nil
			}
			*field, err = parseDuration(args[0])
			return err
		},
		complete: func() error {
			switch value := time.Duration(*field); {
			case value < 0 && l.off != nil && *l.off < 0:
				return nil
			case value < 0:
				return fmt.Errorf("%v is negative", value)
			case value > MaxDuration:
				return fmt.Errorf("%v is above %v (100 years)", value, MaxDuration)
			}
			*field = cmp.Or(*field, caddy.Duration(preset))
			return l.check(int64(*field), func(n int64) any { return time.Duration(n) })
		},
		value: func() any { return time.Duration(*field) },
	}
}

func parseDuration(arg string) (caddy.Duration, error) {
	value, err := caddy.ParseDuration(arg)
	switch {
	case err != nil:
		return 0, fmt.Errorf("'%s' is not a duration such as 30s, 500ms or 2h", arg)
	case value <= 0:
		return 0, fmt.Errorf("'%s' is not above zero; leave the option out for its default", arg)
	case value > MaxDuration:
		return 0, fmt.Errorf("'%s' is above %v (100 years)", arg, MaxDuration)
	}
	return caddy.Duration(value), nil
}

// Int is an option with one whole number, which is from 1 to MaxInt in a Caddyfile. The preset is its default.
func Int(name string, field *int, preset int, by ...Limit) Option {
	l := limited(by)
	return Option{
		name: name, args: 1,
		set: func(args []string) (err error) {
			*field, err = parseInt(args[0])
			return err
		},
		complete: func() error {
			*field = cmp.Or(*field, preset)
			if l.most == 0 && *field < 0 {
				return fmt.Errorf("%d is negative", *field)
			}
			return l.check(int64(*field), func(n int64) any { return n })
		},
		value: func() any { return *field },
	}
}

func parseInt(arg string) (int, error) {
	value, err := strconv.Atoi(arg)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("'%s' is out of range", arg)
	case err != nil:
		return 0, fmt.Errorf("'%s' is not a whole number", arg)
	case value < 1:
		return 0, fmt.Errorf("'%s' is below 1", arg)
	case int64(value) > MaxInt:
		return 0, fmt.Errorf("'%s' is above %d", arg, int64(MaxInt))
	}
	return value, nil
}

// String is an option with one argument that may be anything but empty. The preset is its default.
func String(name string, field *string, preset string) Option {
	return Option{
		name: name, args: 1,
		set: func(args []string) error {
			if *field = args[0]; *field == "" {
				return errors.New("'' is empty")
			}
			return nil
		},
		complete: func() error {
			*field = cmp.Or(*field, preset)
			return nil
		},
		value: func() any { return *field },
	}
}

// Enum is an option with one of the words allowed. The preset is its default; if that is empty, so may be the option.
func Enum(name string, field *string, preset string, allowed ...string) Option {
	o := String(name, field, preset)
	o.set = func(args []string) error {
		*field = args[0]
		return checkOneOf(*field, allowed...)
	}
	o.complete = func() error {
		if *field = cmp.Or(*field, preset); *field == "" {
			return nil
		}
		return checkOneOf(*field, allowed...)
	}
	return o
}

func checkOneOf(value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("'%s' is not one of %s", value, strings.Join(allowed, ", "))
}

// Flag is an option without arguments in a Caddyfile, where its name alone means true. Its default is false.
func Flag(name string, field *bool) Option {
	return Option{
		name: name,
		set: func([]string) error {
			*field = true
			return nil
		},
		value: func() any { return *field },
	}
}

// OnOff is an option with the word on or off in a Caddyfile. Its default is off.
func OnOff(name string, field *bool) Option {
	o := Flag(name, field)
	o.args = 1
	o.set = func(args []string) error {
		*field = args[0] == "on"
		return checkOneOf(args[0], "on", "off")
	}
	return o
}

// Blocks is an option that a Caddyfile may have several times. It is read from its name on, with a block of its own if
// it has one. Its defaults and bounds are not the table's to know.
func Blocks(name string, read func(d *caddyfile.Dispenser) error) Option {
	return Option{name: name, block: read}
}
