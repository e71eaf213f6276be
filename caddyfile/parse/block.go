package parse

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// ReadModule reads a module at whose name the dispenser comes next: the options of its line, and its block. It returns an
// error if there are more or fewer arguments than the line takes, and for the reasons that ReadBlock has.
func (o Options) ReadModule(d *caddyfile.Dispenser, module string) error {
	d.Next() // consume the module's name
	line, args := o.onLine(), d.RemainingArgs()
	switch {
	case len(args) == len(line):
	case len(o) == 0:
		return d.Errf("%s: unexpected argument '%s'; it has no options", module, strings.Join(args, " "))
	case len(line) == 0:
		return d.Errf("%s: unexpected argument '%s'; options go into a block", module, strings.Join(args, " "))
	default:
		return d.Errf("%s: takes %s (%s), got %d: '%s'", module, counts[len(line)], strings.Join(line.names(), ", "), len(args), strings.Join(args, " "))
	}
	for i := range line {
		if err := line[i].store(d, module, args[i:i+1]); err != nil {
			return err
		}
	}
	return o.ReadBlock(d, module)
}

// ReadBlock reads the block that the dispenser stands before, if there is one. An error begins with the module's name.
// It returns an error if an option is unknown, given twice, or has the wrong number of arguments or an argument of the
// wrong type.
func (o Options) ReadBlock(d *caddyfile.Dispenser, module string) error {
	given := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(o, func(option Option) bool { return option.name == name && !option.line })
		if i < 0 {
			return d.Errf("%s: unknown option '%s'%s", module, name, Suggest(name, o.Names()))
		}
		if given[name] && !o[i].many {
			return d.Errf("%s: option '%s' is given twice", module, name)
		}
		given[name] = true
		if err := o[i].read(d, module); err != nil {
			return err
		}
	}
	return nil
}

// read reads the option at whose name the dispenser stands.
func (o *Option) read(d *caddyfile.Dispenser, module string) error {
	if o.block != nil {
		return o.block(d)
	}
	args := d.RemainingArgs()
	if len(args) != o.args {
		return d.Errf("%s: option '%s' takes %s, got %d%s", module, o.name, counts[o.args], len(args), o.show(args))
	}
	if inner := d.Nesting(); d.NextBlock(inner) {
		return d.Errf("%s: option '%s' takes no block", module, o.name)
	}
	return o.store(d, module, args)
}

// show returns the end of an error about arguments.
func (o *Option) show(args []string) string {
	if o.secret {
		return ""
	}
	return ": '" + strings.Join(args, " ") + "'"
}

// store sets the option to its arguments.
func (o *Option) store(d *caddyfile.Dispenser, module string, args []string) error {
	if err := o.set(args); err != nil {
		return d.Errf("%s: %s: %w", module, o.name, err)
	}
	return nil
}

// counts are the numbers of arguments that options take.
var counts = [...]string{"no argument", "one argument", "2 arguments"}

// maxCompared is the length of the longest name that may be a mistyped one.
const maxCompared = 60

// Suggest returns the end of an error about a name that is not known: the one that was probably meant, or else all that there are.
func Suggest(name string, known []string) string {
	best, distance := "", 1+(len(name)+2)/3
	for _, candidate := range known {
		if len(name) > maxCompared {
			break
		}
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(candidate)); d < distance {
			best, distance = candidate, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf(" (did you mean '%s'?)", best)
	case len(known) == 0:
		return ""
	}
	return "; it must be one of " + strings.Join(known, ", ")
}
