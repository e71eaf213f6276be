package parse

import (
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Options is the table of a module's options.
type Options []Option

// An Option is one row of the table. A function such as Duration makes it.
type Option struct {
	name string
	// args is the number of arguments in a Caddyfile, which set stores.
	args int
	set  func(args []string) error
	// line means that the argument follows the module's name in a Caddyfile.
	line bool
	// block, if not nil, reads the option from a Caddyfile instead of set, from its name on.
	block func(d *caddyfile.Dispenser) error
	// many means that the option may be given several times.
	many bool
	// secret means that no error may show the value.
	secret bool
	// complete puts the default where nothing is set and checks the bounds.
	complete func() error
	// value returns what the field holds.
	value func() any
	// preset reports whether the field holds the default.
	preset func() bool
}

// OnLine makes an option that takes one argument a part of the module's own line in a Caddyfile, where it must be given.
func (o Option) OnLine() Option {
	o.line = true
	return o
}

// Secret keeps the value out of errors.
func (o Option) Secret() Option {
	o.secret = true
	return o
}

// OnlyFor makes it an error to give an option any value but its default unless it applies: without what it is for, it could do nothing. That is another option, as
// a user reads it in the error.
func (o Option) OnlyFor(other string, applies bool) Option {
	complete := o.complete
	o.complete = func() error {
		if err := complete(); err != nil || applies || o.preset() {
			return err
		}
		return fmt.Errorf("%v is given, which is for %s only", show(o.value()), other)
	}
	return o
}

// ReadBy makes read what reads the option from a Caddyfile, from its name on.
func (o Option) ReadBy(read func(d *caddyfile.Dispenser) error) Option {
	o.block = read
	return o
}

// onLine returns the options of the module's line, in their order.
func (o Options) onLine() Options {
	return slices.DeleteFunc(slices.Clone(o), func(option Option) bool { return !option.line })
}

// Names returns the names of the options of the module's block in alphabetical order.
func (o Options) Names() []string {
	names := slices.DeleteFunc(slices.Clone(o), func(option Option) bool { return option.line }).names()
	slices.Sort(names)
	return names
}

func (o Options) names() []string {
	names := make([]string, len(o))
	for i, option := range o {
		names[i] = option.name
	}
	return names
}

// SetDefaults puts the default where an option is not set, and returns an error if a value is out of its bounds.
func (o Options) SetDefaults() error {
	for _, option := range o {
		if err := option.complete(); err != nil {
			return fmt.Errorf("%s: %w", option.name, err)
		}
	}
	return nil
}

// CheckSame returns an error that names the first option whose value differs in the same table of another module.
func (o Options) CheckSame(other Options) error {
	for i, option := range o {
		if a, b := option.value(), other[i].value(); a != b {
			return fmt.Errorf("a different %s (%v and %v)", option.name, show(a), show(b))
		}
	}
	return nil
}

// Differences returns the names of the options whose values differ in the same table of another module.
func (o Options) Differences(other Options) (names []string) {
	for i, option := range o {
		if option.value() != other[i].value() {
			names = append(names, option.name)
		}
	}
	return names
}

// show returns a value as it is to be printed.
func show(value any) any {
	if d, ok := value.(caddy.Duration); ok {
		return time.Duration(d)
	}
	return value
}
