// Package parse reads a module's Caddyfile block by a table of its options, so that every module
// checks arity, duplicates and types in the same way and words its errors alike.
package parse

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// MaxDuration is the longest duration that makes sense anywhere, and leaves room to reckon with it.
const MaxDuration = 100 * 365 * 24 * time.Hour

// MaxInt is the greatest whole number that an option may have in a Caddyfile: Caddy decodes a config's numbers as a
// float64 before a module sees them, and that keeps no greater ones.
const MaxInt = 1 << 53

// Option tells how one option of a block is read.
type Option struct {
	// Args is the number of arguments that the option takes.
	Args int
	// Repeat allows the option to be given more than once.
	Repeat bool
	// Set stores the arguments; there are exactly Args of them.
	Set func(args []string) error
	// Nested, if not nil, reads the option instead of Set, from its name on and with its own block.
	Nested func(d *caddyfile.Dispenser) error
}

// Options holds what a block may contain, by name.
type Options map[string]Option

// Block reads the block that the dispenser stands before, if there is one. Module is the name that
// errors begin with. An option that is unknown, given twice, or has the wrong number of arguments or
// an argument of the wrong type is an error that names the option and the value.
func Block(d *caddyfile.Dispenser, module string, options Options) error {
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		option, known := options[name]
		if !known {
			return d.Errf("%s: unknown option '%s'%s", module, name, Suggest(name, slices.Sorted(maps.Keys(options))))
		}
		if given[name] && !option.Repeat {
			return d.Errf("%s: option '%s' is given twice", module, name)
		}
		given[name] = true

		if option.Nested != nil {
			if err := option.Nested(d); err != nil {
				return err
			}
			continue
		}
		args := d.RemainingArgs()
		if len(args) != option.Args {
			return d.Errf("%s: option '%s' takes %s, got %d: '%s'", module, name, count(option.Args), len(args), strings.Join(args, " "))
		}
		if inner := d.Nesting(); d.NextBlock(inner) {
			return d.Errf("%s: option '%s' takes no block", module, name)
		}
		if err := option.Set(args); err != nil {
			return d.Errf("%s: %s: %v", module, name, err)
		}
	}
	return nil
}

// NoBlock is an error if a block follows for a module that takes none.
func NoBlock(d *caddyfile.Dispenser, module string) error {
	return Block(d, module, nil)
}

func count(args int) string {
	switch args {
	case 0:
		return "no argument"
	case 1:
		return "one argument"
	}
	return strconv.Itoa(args) + " arguments"
}

// Flag is an option without arguments that sets dst.
func Flag(dst *bool) Option {
	return Option{Set: func([]string) error {
		*dst = true
		return nil
	}}
}

// OnOff is an option with the word on or off that sets dst.
func OnOff(dst *bool) Option {
	return Option{Args: 1, Set: func(args []string) error {
		*dst = args[0] == "on"
		return OneOf(args[0], "on", "off")
	}}
}

// Duration is an option with one duration above zero, such as 30s, 1m30s or 2d.
func Duration(dst *caddy.Duration) Option {
	return Option{Args: 1, Set: func(args []string) error {
		value, err := caddy.ParseDuration(args[0])
		if err != nil {
			return fmt.Errorf("'%s' is not a duration such as 30s, 500ms or 2h", args[0])
		}
		if value <= 0 {
			return fmt.Errorf("'%s' is not above zero; leave the option out for its default", args[0])
		}
		if value > MaxDuration {
			return fmt.Errorf("'%s' is above %v (100 years)", args[0], MaxDuration)
		}
		*dst = caddy.Duration(value)
		return nil
	}}
}

// Off returns the option with the word off as a further value, for which it calls set.
func Off(option Option, set func()) Option {
	return Option{Args: 1, Set: func(args []string) error {
		if args[0] == "off" {
			set()
			return nil
		}
		return option.Set(args)
	}}
}

// Int is an option with one whole number from 1 to MaxInt.
func Int(dst *int) Option {
	return Ints(dst)
}

// Ints is an option with as many whole numbers as there are destinations, each from 1 to MaxInt.
func Ints(dst ...*int) Option {
	return Option{Args: len(dst), Set: func(args []string) error {
		for i, arg := range args {
			value, err := strconv.Atoi(arg)
			switch {
			case errors.Is(err, strconv.ErrRange):
				return fmt.Errorf("'%s' is out of range", arg)
			case err != nil:
				return fmt.Errorf("'%s' is not a whole number", arg)
			case value < 1:
				return fmt.Errorf("'%s' is below 1", arg)
			case int64(value) > MaxInt:
				return fmt.Errorf("'%s' is above %d", arg, int64(MaxInt))
			}
			*dst[i] = value
		}
		return nil
	}}
}

// String is an option with one argument that may be anything but empty.
func String(dst *string) Option {
	return Option{Args: 1, Set: func(args []string) error {
		if args[0] == "" {
			return errors.New("'' is empty")
		}
		*dst = args[0]
		return nil
	}}
}

// Enum is an option with one of the words allowed.
func Enum(dst *string, allowed ...string) Option {
	return Option{Args: 1, Set: func(args []string) error {
		if err := OneOf(args[0], allowed...); err != nil {
			return err
		}
		*dst = args[0]
		return nil
	}}
}

// OneOf is an error that names the value and what is allowed unless the value is one of these.
func OneOf(value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("'%s' is not one of %s", value, strings.Join(allowed, ", "))
}

// Suggest returns `: did you mean "x"?` for the known name that is closest to a mistyped one, or
// nothing when none is close.
func Suggest(name string, known []string) string {
	best, distance := "", 1+(len(name)+2)/3
	for _, candidate := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %q?", best)
}
