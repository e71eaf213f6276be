package parse

import (
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// FuzzBlock reads anything as a module with an option of each kind.
func FuzzBlock(f *testing.F) {
	for _, input := range []string{
		"module", "module {\n}", "module {\nduration 1m30s\nnumber 7\nword two\nflag\ntext x\nlimit off\nprefix 24 64\n}", "module {\nduration 36500d\n}",
		"module {\nnested a {\ntext b\n}\nnested c\n}", "module {\nnumber 9007199254740992\n}", "module {\nnested {\nflag\n}\n}", "module {\nprefix 0 0\n}",
		"module {\nduration -1s\n}", "module {\nlimit 1e9h\n}", "module {", "module {\n\"\" a\n}", "module {\nflag {\n}\n}", "module {\ntext {$HOME}\n}",
	} {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input string) {
		tokens, err := caddyfile.Tokenize([]byte(input), "Caddyfile")
		if err != nil {
			return
		}
		d := caddyfile.NewDispenser(tokens)
		if !d.Next() {
			return
		}
		var b struct {
			duration, limit caddy.Duration
			number          int
			word, text      string
			prefix          *ClientPrefix
			flag            bool
		}
		err = Options{
			Duration("duration", &b.duration, 0),
			DurationOrOff("limit", &b.limit, 0, -1),
			Int("number", &b.number, 0),
			Enum("word", &b.word, "", "one", "two"),
			String("text", &b.text, ""),
			Flag("flag", &b.flag),
			Prefix("prefix", &b.prefix, 32, 128),
			Blocks("nested", func(d *caddyfile.Dispenser) error {
				d.RemainingArgs()
				return Options{String("text", &b.text, "")}.ReadBlock(d, "module nested")
			}),
		}.ReadBlock(d, "module")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "module") {
				t.Errorf("%q: the error does not name the module: %v", input, err)
			}
			return
		}
		if b.duration < 0 || time.Duration(b.duration) > MaxDuration || b.limit < -1 || b.number < 0 || int64(b.number) > MaxInt || b.word != "" && b.word != "one" && b.word != "two" {
			t.Errorf("%q became %+v", input, b)
		}
	})
}

// FuzzJSON reads anything as a module's JSON. What is refused is named.
func FuzzJSON(f *testing.F) {
	for _, input := range []string{
		`{"number": 1, "first": "1s", "second": 5, "text": "x"}`, `{"first": "soon"}`, `{"SECOND": "soon"}`, `{"second": 1e99}`, `{"first": null}`, `{"first": []}`,
		`{"first": "1s"}{"second": ""}`, `{"third": 1}`, `null`, `{`, `[]`, `{"first": "876001h"}`, `{"first": -1}`, `{"\u0066irst": ""}`, `{"number": 1.5}`,
	} {
		f.Add(input)
	}
	f.Fuzz(func(t *testing.T, input string) {
		var into struct {
			First  caddy.Duration `json:"first"`
			Second caddy.Duration `json:"second"`
			Number int            `json:"number"`
			Text   string         `json:"text"`
		}
		table := Options{
			Duration("first", &into.First, time.Second), Duration("second", &into.Second, time.Second), Int("number", &into.Number, 0), String("text", &into.Text, ""),
		}
		if err := table.ReadJSON([]byte(input), &into); err != nil {
			var given map[string]json.RawMessage
			if json.Unmarshal([]byte(input), &given) != nil {
				return
			}
			if strings.Contains(err.Error(), "Go ") && !strings.Contains(input, "Go ") {
				t.Errorf("%s: the error is about types of Go: %v", input, err)
			}
			for option := range given {
				text, lower := strings.ToLower(err.Error()), strings.ToLower(option)
				if strings.Contains(text, lower) || strings.Contains(text, strings.Trim(strconv.Quote(lower), `"`)) {
					return
				}
			}
			t.Errorf("%s: the error names no option: %v", input, err)
			return
		}
		for name, d := range map[string]*caddy.Duration{"first": &into.First, "second": &into.Second} {
			if err := (Options{Duration(name, d, time.Second)}).SetDefaults(); err != nil && !strings.HasPrefix(err.Error(), name) {
				t.Errorf("%s: %v", input, err)
			} else if err == nil && (*d <= 0 || time.Duration(*d) > MaxDuration) {
				t.Errorf("%s: %s became %v", input, name, time.Duration(*d))
			}
		}
	})
}

// FuzzIsHost takes nothing for a host that could be read as something else.
func FuzzIsHost(f *testing.F) {
	for _, text := range []string{"localhost", "web-1.example.com.", "10.0.0.1", "::1", "fe80::1%eth0", "10.0.0", "0x7f.1", "a b", "{env.HOST}", "a:80", "[::1]", "é", "_a._tcp", "1e3", "%"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !IsHost(text) {
			return
		}
		if strings.ContainsAny(text, " \t\r\n/[]{}\"\\@?#|") {
			t.Errorf("%q is taken", text)
		}
		host, port, err := net.SplitHostPort(net.JoinHostPort(text, "80"))
		if err != nil || host != text || port != "80" {
			t.Errorf("%q with a port is %q and %q, %v", text, host, port, err)
		}
		if u, err := url.Parse("tcp://" + net.JoinHostPort(strings.ReplaceAll(text, "%", "%25"), "80")); err != nil || u.Hostname() != text {
			t.Errorf("%q as a URL is %v, %v", text, u, err)
		}
	})
}

// FuzzClientPrefix makes clients of addresses under any prefixes.
func FuzzClientPrefix(f *testing.F) {
	f.Add(24, 64, []byte{192, 0, 2, 1}, "")
	f.Add(0, 0, slices.Repeat([]byte{255}, 16), "eth0")
	f.Add(33, -1, []byte(nil), "")
	f.Fuzz(func(t *testing.T, ipv4, ipv6 int, address []byte, zone string) {
		p := &ClientPrefix{ipv4, ipv6}
		if err := (Options{Prefix("client_prefix", &p, 32, 128)}).SetDefaults(); err != nil {
			if !strings.HasPrefix(err.Error(), "client_prefix: ") {
				t.Error(err)
			}
			return
		}
		ip, _ := netip.AddrFromSlice(address)
		client := p.Client(ip.WithZone(zone))
		if client.IsValid() != ip.IsValid() || client.Zone() != "" || p.Client(client) != client {
			t.Errorf("%v is the client %v, which is the client %v", ip, client, p.Client(client))
		}
	})
}
