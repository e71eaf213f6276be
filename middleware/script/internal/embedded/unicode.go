package embedded

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// goja takes \p{…} of a regular expression with flag u for the letter p. These are written out as ranges,
// from what package unicode knows.

// codePoints is a set of them.
type codePoints [unicode.MaxRune + 1]bool

func (c *codePoints) put(in bool, tables ...*unicode.RangeTable) *codePoints {
	for _, table := range tables {
		for _, r := range table.R16 {
			for at := rune(r.Lo); at <= rune(r.Hi); at += rune(r.Stride) {
				c[at] = in
			}
		}
		for _, r := range table.R32 {
			for at := rune(r.Lo); at <= rune(r.Hi); at += rune(r.Stride) {
				c[at] = in
			}
		}
	}
	return c
}

// rangeMark is how a range begins that was written out: nobody else writes so many zeros. Without flag u these ranges
// mean nothing, which the mark tells.
const rangeMark = `\u{0000`

// ranges writes the members for within a class, or those that are none.
func (c *codePoints) ranges(members bool) string {
	var text strings.Builder
	for at := 0; at < len(c); at++ {
		if c[at] != members {
			continue
		}
		first := at
		for at+1 < len(c) && c[at+1] == members {
			at++
		}
		fmt.Fprintf(&text, `\u{0000%x}`, first)
		if at > first {
			fmt.Fprintf(&text, `-\u{0000%x}`, at)
		}
	}
	return text.String()
}

// properties are the binary ones of ECMAScript that package unicode knows, by each of their names.
var properties = func() map[string]func() *codePoints {
	known := make(map[string]func() *codePoints)
	define := func(names string, in ...*unicode.RangeTable) {
		for _, name := range strings.Fields(names) {
			known[name] = func() *codePoints { return new(codePoints).put(true, in...) }
		}
	}
	for _, names := range []string{
		"ASCII_Hex_Digit AHex", "Bidi_Control Bidi_C", "Dash", "Deprecated Dep", "Diacritic Dia", "Extender Ext", "Hex_Digit Hex",
		"IDS_Binary_Operator IDSB", "IDS_Trinary_Operator IDST", "Ideographic Ideo", "Join_Control Join_C",
		"Logical_Order_Exception LOE", "Noncharacter_Code_Point NChar", "Pattern_Syntax Pat_Syn", "Pattern_White_Space Pat_WS",
		"Quotation_Mark QMark", "Radical", "Regional_Indicator RI", "Sentence_Terminal STerm", "Soft_Dotted SD",
		"Terminal_Punctuation Term", "Unified_Ideograph UIdeo", "Variation_Selector VS", "White_Space space",
	} {
		define(names, unicode.Properties[strings.Fields(names)[0]])
	}
	define("Any", &unicode.RangeTable{R32: []unicode.Range32{{Hi: unicode.MaxRune, Stride: 1}}})
	define("ASCII", &unicode.RangeTable{R16: []unicode.Range16{{Hi: unicode.MaxASCII, Stride: 1}}})
	define("Assigned", unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs)
	define("Alphabetic Alpha", unicode.L, unicode.Nl, unicode.Other_Alphabetic)
	define("Grapheme_Extend Gr_Ext", unicode.Me, unicode.Mn, unicode.Other_Grapheme_Extend)
	define("Lowercase Lower", unicode.Ll, unicode.Other_Lowercase)
	define("Math", unicode.Sm, unicode.Other_Math)
	define("Uppercase Upper", unicode.Lu, unicode.Other_Uppercase)
	start := []*unicode.RangeTable{unicode.L, unicode.Nl, unicode.Other_ID_Start}
	define("ID_Start IDS", start...)
	define("ID_Continue IDC", append(start, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)...)
	for _, name := range []string{"ID_Start", "IDS", "ID_Continue", "IDC"} {
		all := known[name]
		known[name] = func() *codePoints { return all().put(false, unicode.Pattern_Syntax, unicode.Pattern_White_Space) }
	}
	return known
}()

// propertyNamed finds what is between the braces of \p{…}, or nothing if it is not known here.
func propertyNamed(text string) *codePoints {
	name, value, pair := strings.Cut(text, "=")
	var table *unicode.RangeTable
	switch {
	case pair && (name == "Script" || name == "sc"):
		table = unicode.Scripts[value]
	case pair && name != "General_Category" && name != "gc":
		return nil
	case !pair && properties[name] != nil:
		return properties[name]()
	default:
		category := text[strings.Index(text, "=")+1:]
		if short := unicode.CategoryAliases[category]; short != "" {
			category = short
		}
		table = unicode.Categories[category]
	}
	if table == nil {
		return nil
	}
	return new(codePoints).put(true, table)
}

// propertyRanges writes out \p{…} or \P{…}. What it gave once it remembers; there are few properties.
var propertyRanges = func() func(escape string) (string, error) {
	var known sync.Map
	return func(escape string) (string, error) {
		if text, ok := known.Load(escape); ok {
			return text.(string), nil
		}
		set := propertyNamed(escape[3 : len(escape)-1])
		if set == nil {
			return "", fmt.Errorf("the property %s is not known here", escape)
		}
		text := set.ranges(escape[1] == 'p')
		if text == "" {
			return "", fmt.Errorf("%s is no character", escape) // goja knows no class without any
		}
		known.Store(escape, text)
		return text, nil
	}
}()

// hasProperties reports whether a pattern, or the text of a program, may have something for expandProperties.
func hasProperties(text string) bool {
	return strings.Contains(text, `\p`) || strings.Contains(text, `\P`)
}

var (
	propertyEscape = regexp.MustCompile(`^\\[pP]\{[A-Za-z0-9_]+(=[A-Za-z0-9_]+)?\}`)
	patternAtom    = regexp.MustCompile(`(?s)^(\[\^?|\\(u\{[0-9a-fA-F]+\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)|.)`)
)

// expandProperties writes out the properties in a pattern that has flag u.
func expandProperties(pattern string) (string, error) {
	var e expander
	for rest := pattern; rest != ""; {
		atom := propertyEscape.FindString(rest)
		if atom == "" {
			atom = patternAtom.FindString(rest)
		}
		rest = rest[len(atom):]
		if err := e.read(atom, strings.HasPrefix(rest, "]")); err != nil {
			return "", err
		}
	}
	return e.text.String(), nil
}

// expander follows the classes of a pattern, and the ranges in them, of which a property can be no end.
type expander struct {
	text   strings.Builder
	within bool // of a class
	last   int  // what was read last there
}

const (
	nothing   = iota // that a dash may follow as an operator
	character        // which may begin a range
	dash             // the operator
	set              // a property or another escape that stands for many
)

func (e *expander) read(atom string, last bool) error {
	written := atom
	if hasProperties(atom) {
		if len(atom) == 2 {
			return errors.New("invalid property name")
		}
		ranges, err := propertyRanges(atom)
		if err != nil {
			return err
		}
		if written = ranges; !e.within {
			written = "[" + ranges + "]"
		}
	}
	if e.within {
		if err := e.follow(atom, &written, last); err != nil {
			return err
		}
	} else if atom[0] == '[' {
		e.within, e.last = true, nothing
	}
	e.text.WriteString(written)
	return nil
}

// follow notes an atom of a class. Dashes that are no operators are escaped, as what is beside them may be ranges now.
func (e *expander) follow(atom string, written *string, last bool) error {
	many := len(atom) > 1 && strings.ContainsRune("dDsSwWpP", rune(atom[1]))
	switch {
	case atom == "]":
		e.within = false
	case e.last == dash && many, e.last == set && atom == "-" && !last:
		return errors.New("invalid character class")
	case atom == "-" && e.last == character && !last:
		e.last = dash
	case e.last == dash:
		e.last = nothing
	case many:
		e.last = set
	default:
		e.last = character
	}
	if atom == "-" && e.last != dash {
		*written = `\-`
	}
	return nil
}
