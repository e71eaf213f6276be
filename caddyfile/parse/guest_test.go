package parse

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestCheckGuest refuses the JSON of a module without a name, and tells none of its options: they may be secret.
func TestCheckGuest(t *testing.T) {
	for raw, right := range map[string]bool{
		`{"store": "redis", "password": "s3cret"}`: true,
		`{"password": "s3cret"}`:                   false,
		`{"store": "", "password": "s3cret"}`:      false,
		`{"store": ["s3cret"]}`:                    false,
		`"s3cret"`:                                 false,
		`["s3cret"]`:                               false,
		`null`:                                     false,
		`s3cret`:                                   false,
	} {
		switch err := CheckGuest(json.RawMessage(raw), "store"); {
		case (err == nil) != right:
			t.Errorf("%s: %v", raw, err)
		case err != nil && (strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), `"store"`)):
			t.Errorf("%s is told as %v", raw, err)
		}
	}
}
