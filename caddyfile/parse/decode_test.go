package parse

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// document has a field of each kind that a config may have.
type document struct {
	Embedded
	Duration caddy.Duration    `json:"duration,omitempty"`
	Flag     bool              `json:"flag,omitempty"`
	Number   int               `json:"number,omitempty"`
	Share    *float64          `json:"share"`
	Since    *time.Time        `json:"since"`
	List     []*Embedded       `json:"list,omitempty"`
	Words    []string          `json:"words,omitempty"`
	Inner    *Embedded         `json:"inner,omitempty"`
	Guest    json.RawMessage   `json:"guest,omitempty"`
	Guests   []json.RawMessage `json:"guests,omitempty"`
	Skipped  string            `json:"-"`
}

type Embedded struct {
	Text     string `json:"text,omitempty"`
	Password string `json:"password,omitempty"`
}

// TestDecode names the option and the value at fault as they are written, wherever they are, and no type of Go.
func TestDecode(t *testing.T) {
	for text, want := range map[string]string{
		`{"duration":"30s","flag":true,"number":7,"share":0.5,"since":"2025-03-01T10:00:00Z","list":[{"text":"a"}],"words":["b"],"guest":5,"guests":[[]]}`: "",
		`{"DURATION":5,"list":[null],"inner":null,"number":null}`: "",
		`null`:                               "",
		`{"duration":true}`:                  `duration: true is not a duration such as "30s"`,
		`{"Duration":"soon"}`:                `Duration: "soon" is not a duration such as "30s"`,
		`{"duration":[1]}`:                   `duration: a list is not a duration such as "30s"`,
		`{"flag":"on"}`:                      `flag: "on" is not true or false`,
		`{"number":"5"}`:                     `number: "5" is not a whole number`,
		`{"number":1.5}`:                     `number: 1.5 is not a whole number`,
		`{"number":1e30}`:                    `number: 1e30 is out of range`,
		`{"number":-1e999}`:                  `number: -1e999 is out of range`,
		`{"share":"half"}`:                   `share: "half" is not a number`,
		`{"since":"now"}`:                    `since: "now" is not a time such as "2006-01-02T15:04:05Z"`,
		`{"list":5}`:                         `list: 5 is not a list`,
		`{"list":{"text":"a"}}`:              `list: an object is not a list`,
		`{"list":[{"text":"a"},"b"]}`:        `list[1]: "b" is not an object with options`,
		`{"list":[{"text":"a"},{"text":5}]}`: `list[1].text: 5 is not a string`,
		`{"list":[{"texd":"a"}]}`:            `list[0]: unknown option "texd" (did you mean 'text'?)`,
		`{"words":["a",["b"]]}`:              `words[1]: a list is not a string`,
		`{"inner":{"text":{}}}`:              `inner: text: an object is not a string`,
		`{"inner":{"x\ny":1}}`:               `inner: unknown option "x\ny"; it must be one of password, text`,
		`{"guests":{}}`:                      `guests: an object is not a list`,
		`{"flag":true,"flag":1}`:             `flag: 1 is not true or false`,
		`{"flag":1,"flag":true}`:             `flag: 1 is not true or false`,
		`{"text":7}`:                         `text: 7 is not a string`,
		`{"Skipped":"a"}`:                    `unknown option "Skipped"`,
		`{"hidden":"a"}`:                     `unknown option "hidden"`,
		`{"duration":"` + strings.Repeat("x", 99) + `"}`: `duration: "` + strings.Repeat("x", 59) + `… is not`,
		`[]`:              `a list is not an object with options`,
		`"a"`:             `"a" is not an object with options`,
		`{"flag":true}{}`: `invalid character '{' after top-level value`,
		`{"flag":`:        `unexpected end of JSON input`,
	} {
		var d document
		err := Decode([]byte(text), &d)
		if (err == nil) != (want == "") || err != nil && (!strings.HasPrefix(err.Error(), want) || strings.ContainsAny(err.Error(), "\n")) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestSecrets are in no error about JSON or a Caddyfile.
func TestSecrets(t *testing.T) {
	var d document
	table := Options{String("text", &d.Text, ""), String("password", &d.Password, "").Secret()}
	for text, want := range map[string]string{
		`{"text":31337}`:       "text: 31337 is not a string",
		`{"password":31337}`:   "password: what is given is not a string",
		`{"PASSWORD":[31337]}`: "PASSWORD: what is given is not a string",
	} {
		if err := table.ReadJSON([]byte(text), &d); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	const want = "module: option 'password' takes one argument, got 2"
	if err := table.ReadModule(caddyfile.NewTestDispenser("module {\npassword a b\n}"), "module"); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "a b") {
		t.Errorf("%v, want %s", err, want)
	}
}
