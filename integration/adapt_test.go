package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	_ "github.com/caddy-sticky/caddy-sticky"
)

// separator stands in a fixture between what is given and what is expected.
const separator = "\n----------\n"

// fixtures runs a test for each file of a folder, with its two parts.
func fixtures(t *testing.T, folder string, test func(t *testing.T, input, want string)) {
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s: %v", folder, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, ok := strings.Cut(string(data), separator)
			if !ok {
				t.Fatalf("%s has no separator", file)
			}
			test(t, input, strings.TrimSpace(want))
		})
	}
}

// adaptCaddyfile returns the JSON of a Caddyfile whose layer4 app has one route with these handlers, or with the
// matcher @allowed that is given.
func adaptCaddyfile(input string) ([]byte, error) {
	matcher, route := "", "route {\n"+input+"\n}"
	if isMatcher(input) {
		matcher, route = input, "route @allowed {\nsticky_proxy 10.0.0.1:80\n}"
	}
	file := "{\n\tadmin off\n\tlayer4 {\n\t\t127.0.0.1:7000 {\n" + matcher + "\n" + route + "\n\t\t}\n\t}\n}\n"
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file), nil)
	return config, err
}

func isMatcher(input string) bool {
	return strings.HasPrefix(input, "@allowed ") || strings.HasPrefix(input, `{"middleware"`)
}

// TestAdapt compares the JSON of each option's Caddyfile form with what is documented, and loads it.
func TestAdapt(t *testing.T) {
	certificates := t.TempDir()
	writeCertificate(t, certificates)
	t.Setenv("CERTIFICATES", certificates)
	fixtures(t, "adapt", func(t *testing.T, input, want string) {
		config, err := adaptCaddyfile(input)
		if err != nil {
			t.Fatal(err)
		}
		var app struct {
			Apps struct {
				Layer4 struct {
					Servers map[string]struct {
						Routes []map[string]json.RawMessage `json:"routes"`
					} `json:"servers"`
				} `json:"layer4"`
			} `json:"apps"`
		}
		if err := json.Unmarshal(config, &app); err != nil {
			t.Fatal(err)
		}
		member := "handle"
		if isMatcher(input) {
			member = "match"
		}
		var got bytes.Buffer
		if err := json.Indent(&got, app.Apps.Layer4.Servers["srv0"].Routes[0][member], "", "\t"); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("adapted to\n%s\nwant\n%s", got.String(), want)
		}
		if err := validate(config); err != nil {
			t.Error(err)
		}
	})
}

// TestRefuse loads what must not be loaded, as a Caddyfile or as JSON, and compares the end of the message.
func TestRefuse(t *testing.T) {
	fixtures(t, "refuse", func(t *testing.T, input, want string) {
		config, err := adaptCaddyfile(input)
		if strings.HasPrefix(input, "{") {
			member := "handle"
			if isMatcher(input) {
				member = "match"
			}
			config, err = []byte(`{"admin":{"disabled":true},"apps":{"layer4":{"servers":{"s":{"listen":["127.0.0.1:7000"],"routes":[{"`+member+`":[`+input+`]}]}}}}}`), nil
		}
		if err == nil {
			err = validate(config)
		}
		if err == nil {
			t.Fatalf("it was loaded; want the error %q", want)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("refused with %q, want it to say %q", err, want)
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("the message %q has more than one line", err)
		}
	})
}

func validate(config []byte) error {
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	return caddy.Validate(&c)
}
