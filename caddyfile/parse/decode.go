package parse

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// ReadJSON decodes a module's JSON, as Decode does. The module must not be one whose UnmarshalJSON calls ReadJSON.
func (o Options) ReadJSON(data []byte, module any) error {
	var secrets []string
	for _, option := range o {
		if option.secret {
			secrets = append(secrets, option.name)
		}
	}
	return decode(data, module, secrets)
}

// Decode decodes one JSON text strictly into the struct that a pointer leads to. An error names the option that it is about, within lists and objects,
// too, with its value and what that must be.
func Decode(data []byte, into any) error { return decode(data, into, nil) }

func decode(data []byte, into any, secrets []string) error {
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil { // the syntax, to the end of the text
		return err
	}
	err := caddy.StrictUnmarshalJSON(data, into)
	if err == nil {
		return nil
	}
	// What encoding/json says about a value that does not fit is about types of Go.
	return cmp.Or(place{secrets: secrets}.check(data, reflect.TypeOf(into)), err)
}

// A place is where in a JSON text a value is. Its path is empty for the whole.
type place struct {
	path    string
	secrets []string // options whose values no error may show
	secret  bool
}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// check returns an error if a value can't be decoded into the type. A null can be, as it changes nothing there.
func (p place) check(value []byte, t reflect.Type) error {
	value = bytes.TrimSpace(value)
	switch {
	case t == rawType || string(value) == "null":
		return nil
	case t.Kind() == reflect.Pointer:
		return p.check(value, t.Elem())
	case t.Kind() == reflect.Slice:
		return p.checkList(value, t)
	case t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(textType):
		return p.checkObject(value, t)
	case json.Unmarshal(value, reflect.New(t).Interface()) != nil:
		return p.refuse(value, t)
	}
	return nil
}

func (p place) checkList(value []byte, t reflect.Type) error {
	var elements []json.RawMessage
	if json.Unmarshal(value, &elements) != nil {
		return p.refuse(value, t)
	}
	for i, e := range elements {
		within := p
		within.path = fmt.Sprintf("%s[%d]", p.path, i)
		if err := within.check(e, t.Elem()); err != nil {
			return err
		}
	}
	return nil
}

func (p place) checkObject(value []byte, t reflect.Type) error {
	if value[0] != '{' {
		return p.refuse(value, t)
	}
	options := optionsOf(t)
	members := json.NewDecoder(bytes.NewReader(value))
	for _, _ = members.Token(); members.More(); { // no error is possible, as the syntax is right
		token, _ := members.Token()
		var member json.RawMessage
		_ = members.Decode(&member)
		name := token.(string)
		// This is how encoding/json finds its field.
		i := slices.IndexFunc(options, func(o jsonOption) bool { return strings.EqualFold(o.name, name) })
		if i < 0 {
			return fmt.Errorf("%sunknown option %s%s", p.in(), shorten(strconv.Quote(name)), Suggest(name, namesOf(options)))
		}
		within := place{p.path + name, p.secrets, slices.Contains(p.secrets, options[i].name)}
		switch {
		case strings.HasSuffix(p.path, "]"):
			within.path = p.path + "." + name
		case p.path != "":
			within.path = p.path + ": " + name
		}
		if err := within.check(member, options[i].field); err != nil {
			return err
		}
	}
	return nil
}

// A jsonOption is a field of a struct under its name in JSON.
type jsonOption struct {
	name  string
	field reflect.Type
}

func optionsOf(t reflect.Type) (options []jsonOption) {
	for _, field := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "-" {
			options = append(options, jsonOption{name, field.Type})
		}
	}
	return options
}

func namesOf(options []jsonOption) (names []string) {
	for _, o := range options {
		names = append(names, o.name)
	}
	slices.Sort(names)
	return names
}

// in returns how an error begins that is about what is at the place.
func (p place) in() string {
	if p.path == "" {
		return ""
	}
	return p.path + ": "
}

// refuse returns the error for a value. Lists and objects it does not show: they may be long, and have secrets in them.
func (p place) refuse(value []byte, t reflect.Type) error {
	shown := shorten(string(value))
	switch {
	case p.secret:
		shown = "what is given"
	case value[0] == '[':
		shown = "a list"
	case value[0] == '{':
		shown = "an object"
	case t.Kind() == reflect.Int && isLarge(shown):
		return fmt.Errorf("%s%s is out of range", p.in(), shown)
	}
	return fmt.Errorf("%s%s is not %s", p.in(), shown, describe(t))
}

// maxShown is the number of characters that an error shows of a value.
const maxShown = 60

func shorten(text string) string {
	if r := []rune(text); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return text
}

func isLarge(number string) bool {
	n, err := strconv.ParseFloat(number, 64)
	return (err == nil || errors.Is(err, strconv.ErrRange)) && math.Abs(n) > MaxInt
}

// describe tells what a value of a type looks like.
func describe(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[caddy.Duration]():
		return `a duration such as "30s"`
	case reflect.TypeFor[time.Time]():
		return `a time such as "2006-01-02T15:04:05Z"`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	}
	return "an object with options"
}
