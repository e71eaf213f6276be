package parse

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// Module returns an option that is a guest module: in a Caddyfile its name, and what the module reads after that. The field has the module's
// JSON with its name under a key.
func Module(name string, field *json.RawMessage, namespace, key string) Option {
	return Option{
		name: name,
		block: func(d *caddyfile.Dispenser) error {
			module, err := ReadGuest(d, name, namespace, key)
			*field = module
			return err
		},
		complete: func() error {
			if *field == nil {
				return nil
			}
			return CheckGuest(*field, key)
		},
		value: func() any { return Guest(*field, key) },
	}
}

// ReadGuest reads a guest module at the name of whose option the dispenser stands, and returns its JSON with its name under a key. An
// error begins with the option.
func ReadGuest(d *caddyfile.Dispenser, option, namespace, key string) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, d.Errf("%s takes the name of a %s", option, key)
	}
	name := d.Val()
	var known []string
	for _, module := range caddy.GetModules(namespace) {
		known = append(known, module.ID.Name())
	}
	if !slices.Contains(known, name) {
		return nil, d.Errf("%s: unknown %s '%s'%s", option, key, name, Suggest(name, known))
	}
	module, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(module, key, name, nil), nil
}

// CheckGuest returns an error unless the JSON of a guest module has its name under a key. It is to be called before Caddy loads the module, whose
// own error has all options in it: they may be secret.
func CheckGuest(raw json.RawMessage, key string) error {
	var members map[string]any
	switch err := json.Unmarshal(raw, &members); {
	case err != nil || members == nil:
		return fmt.Errorf(`it is no object such as {"%s": "…"}`, key)
	case GuestName(raw, key) == "":
		return fmt.Errorf(`the name of a module under "%s" must be given`, key)
	}
	return nil
}

// Guest returns what is equal for the JSON of guest modules of the same name, under a key, and with the same options.
func Guest(raw json.RawMessage, key string) any {
	return guest{GuestName(raw, key), Canonical(raw)}
}

// A guest is what tells a guest module with its options from another one. Its text is the name alone: options may be secret.
type guest struct{ name, options string }

func (g guest) String() string { return cmp.Or(g.name, "none") + " with its options" }

// GuestName returns the name that the JSON of a guest module has under a key, or nothing if it has none.
func GuestName(raw json.RawMessage, key string) string {
	var members map[string]any
	_ = json.Unmarshal(raw, &members)
	name, _ := members[key].(string)
	return name
}

// Canonical returns a JSON text in a form that is the same for all that mean the same. What is no JSON it returns as it is.
func Canonical(raw json.RawMessage) string {
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return string(raw)
	}
	text, _ := json.Marshal(value) // the members of an object are sorted
	return string(text)
}
