package parse

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// MaxDuration is the longest duration that makes sense anywhere, and leaves room to reckon with it.
const MaxDuration = 100 * 365 * 24 * time.Hour

// MaxInt is the greatest whole number that an option may have in a Caddyfile: Caddy decodes a config's numbers as a
// float64 before a module sees them, and that keeps no greater ones.
const MaxInt = 1 << 53

// one returns an option with one argument in a Caddyfile. If the field is zero, it gets the preset, which may be zero, too.
// Then the checks look at what it holds.
func one[T comparable](name string, field *T, preset T, parse func(arg string) (T, error), checks ...func(T) error) Option {
	return Option{
		name: name,
		args: 1,
		set: func(args []string) (err error) {
			*field, err = parse(args[0])
			return err
		},
		complete: func() error {
			*field = cmp.Or(*field, preset)
			for _, check := range checks {
				if err := check(*field); err != nil {
					return err
				}
			}
			return nil
		},
		value:  func() any { return *field },
		preset: func() bool { return *field == preset },
	}
}

// Between allows values from least to most for an Int or a Duration. It is checked with the defaults, not while a
// Caddyfile is read.
func Between[T int | caddy.Duration](least, most T) func(T) error {
	return func(value T) error {
		if value < least || value > most {
			return fmt.Errorf("%v is not from %v to %v", show(value), show(least), show(most))
		}
		return nil
	}
}

// Required refuses an option that is not given and has no default. The error is `must be given`, and then the hint.
func Required[T comparable](hint string) func(T) error {
	return func(value T) error {
		if value == *new(T) {
			return errors.New("must be given" + hint)
		}
		return nil
	}
}

// Duration is an option with one duration above zero, such as 30s, 1m30s or 2d, up to MaxDuration. The preset is its
// default.
func Duration(name string, field *caddy.Duration, preset time.Duration, checks ...func(caddy.Duration) error) Option {
	return one(name, field, caddy.Duration(preset), parseDuration, slices.Insert(checks, 0, checkDuration)...)
}

// DurationOrOff is a Duration that may be the word off in a Caddyfile, which stores a value of its own. If that is
// negative, every negative value means off.
func DurationOrOff(name string, field *caddy.Duration, preset time.Duration, off caddy.Duration, checks ...func(caddy.Duration) error) Option {
	o := Duration(name, field, preset, checks...)
	set, complete := o.set, o.complete
	o.set = func(args []string) error {
		if args[0] == "off" {
			*field = off
			return nil
		}
		return set(args)
	}
	o.complete = func() error {
		if off < 0 && *field < 0 {
			return nil
		}
		return complete()
	}
	return o
}

func checkDuration(d caddy.Duration) error {
	if d < 0 {
		return fmt.Errorf("%v is negative", time.Duration(d))
	}
	if time.Duration(d) > MaxDuration {
		return fmt.Errorf("%v is above %v (100 years)", time.Duration(d), MaxDuration)
	}
	return nil
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

// Int is an option with one whole number, which is from 1 to MaxInt in a Caddyfile. The preset is its default. Without
// checks it may be anything but negative.
func Int(name string, field *int, preset int, checks ...func(int) error) Option {
	if len(checks) == 0 {
		checks = append(checks, checkNatural)
	}
	return one(name, field, preset, parseInt(1), checks...)
}

// IntOrOff is an Int that may be the word off in a Caddyfile, which stores -1. Every negative value means off.
func IntOrOff(name string, field *int, preset int) Option {
	o := one(name, field, preset, parseInt(1))
	set := o.set
	o.set = func(args []string) error {
		if args[0] == "off" {
			*field = -1
			return nil
		}
		return set(args)
	}
	return o
}

// IntOrZero is an Int for which zero is a value like others, and which has no default.
func IntOrZero(name string, field *int, checks ...func(int) error) Option {
	return one(name, field, 0, parseInt(0), checks...)
}

func checkNatural(n int) error {
	if n < 0 {
		return fmt.Errorf("%d is negative", n)
	}
	return nil
}

func parseInt(least int) func(arg string) (int, error) {
	return func(arg string) (int, error) {
		value, err := strconv.Atoi(arg)
		switch {
		case errors.Is(err, strconv.ErrRange):
			return 0, fmt.Errorf("'%s' is out of range", arg)
		case err != nil:
			return 0, fmt.Errorf("'%s' is not a whole number", arg)
		case value < least:
			return 0, fmt.Errorf("'%s' is below %d", arg, least)
		case int64(value) > MaxInt:
			return 0, fmt.Errorf("'%s' is above %d", arg, int64(MaxInt))
		}
		return value, nil
	}
}

// Size is an option with a number of bytes, in a Caddyfile also with a unit, such as 256MiB or 1GB. It is at least so many.
// The preset is its default.
func Size(name string, field *int, preset, least int) Option {
	return one(name, field, preset, parseSize, func(n int) error {
		if n < least {
			return fmt.Errorf("%d is less than %d bytes (%s)", n, least, humanize.IBytes(uint64(least)))
		}
		return nil
	})
}

func parseSize(arg string) (int, error) {
	n, err := humanize.ParseBytes(arg)
	switch {
	case err != nil:
		return 0, fmt.Errorf("'%s' is not a size such as 256MiB", arg)
	case n == 0:
		return 0, fmt.Errorf("'%s' is not above zero; leave the option out for its default", arg)
	case n > MaxInt || n > math.MaxInt:
		return 0, fmt.Errorf("'%s' is too large", arg)
	}
	return int(n), nil
}

// String is an option with one argument that may be anything but empty. The preset is its default.
func String(name string, field *string, preset string, checks ...func(string) error) Option {
	return one(name, field, preset, func(arg string) (string, error) {
		if arg == "" {
			return "", errors.New("'' is empty")
		}
		return arg, nil
	}, checks...)
}

// Enum is an option with one of the words allowed. The preset is its default, which may be empty.
func Enum(name string, field *string, preset string, allowed ...string) Option {
	parse := func(arg string) (string, error) { return arg, checkOneOf(arg, allowed...) }
	return one(name, field, preset, parse, func(value string) error {
		if value == "" {
			return nil
		}
		return checkOneOf(value, allowed...)
	})
}

func checkOneOf(value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("'%s' is not one of %s", value, strings.Join(allowed, ", "))
}

// OnOff is an option with the word on or off in a Caddyfile. Its default is off.
func OnOff(name string, field *bool) Option {
	parse := func(arg string) (bool, error) { return arg == "on", checkOneOf(arg, "on", "off") }
	return one(name, field, false, parse)
}

// Flag is an option without arguments in a Caddyfile, where its name alone means true. Its default is false.
func Flag(name string, field *bool) Option {
	o := OnOff(name, field)
	o.args = 0
	o.set = func([]string) error {
		*field = true
		return nil
	}
	return o
}

// Strings is an option with a list, which has at least one argument in a Caddyfile, where it may be given several times. If there
// are words that are allowed, it has no others. Its default is none.
func Strings(name string, field *[]string, allowed ...string) Option {
	return Option{
		name: name,
		many: true,
		block: func(d *caddyfile.Dispenser) error {
			args := d.RemainingArgs()
			if len(args) == 0 {
				return d.Errf("option '%s' takes at least one argument", name)
			}
			*field = append(*field, args...)
			return nil
		},
		complete: func() error {
			for _, value := range *field {
				if value == "" {
					return errors.New("'' is empty")
				}
				if len(allowed) == 0 {
					continue
				}
				if err := checkOneOf(value, allowed...); err != nil {
					return err
				}
			}
			return nil
		},
		value: func() any { return strings.Join(*field, " ") },
	}
}

// Blocks is an option that a Caddyfile may have several times. It is read from its name on, with a block of its own if
// it has one. The table knows neither its defaults nor its bounds.
func Blocks(name string, read func(d *caddyfile.Dispenser) error) Option {
	return Option{
		name:     name,
		block:    read,
		many:     true,
		complete: func() error { return nil },
		value:    func() any { return nil },
	}
}
