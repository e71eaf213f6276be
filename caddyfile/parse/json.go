package parse

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// JSON decodes a module's JSON, in which the named options are durations. An error of a caddy.Duration does
// not tell which option it is about, so they are looked at first.
func JSON(data []byte, into any, durations ...string) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for _, option := range slices.Sorted(maps.Keys(raw)) {
		value := raw[option]
		isDuration := func(name string) bool { return strings.EqualFold(name, option) } // as encoding/json finds its field
		var d caddy.Duration
		if slices.ContainsFunc(durations, isDuration) && json.Unmarshal(value, &d) != nil {
			return fmt.Errorf("%s: %s is not a duration such as \"30s\"", option, value)
		}
	}
	return caddy.StrictUnmarshalJSON(data, into)
}

// DefaultDuration puts the value where a duration is zero, and refuses one that makes no sense.
func DefaultDuration(d *caddy.Duration, name string, value time.Duration) error {
	if *d < 0 {
		return fmt.Errorf("%s: %v is negative", name, time.Duration(*d))
	}
	if time.Duration(*d) > MaxDuration {
		return fmt.Errorf("%s: %v is above %v (100 years)", name, time.Duration(*d), MaxDuration)
	}
	if *d == 0 {
		*d = caddy.Duration(value)
	}
	return nil
}
