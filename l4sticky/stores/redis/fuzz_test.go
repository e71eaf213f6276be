package redis

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "store.go", "(s *Store) UnmarshalCaddyfile", new(Store).table())
}

// FuzzStore reads anything as the options of the store.
func FuzzStore(f *testing.F) {
	const (
		fixtures = "../../../integration/testdata/*/session-store-redis*.txt"
		object   = `{"addresses": ["[::1]:6379", "a:1"], "username": "u", "password": "p", "key_prefix": "a:b", "tls": true, "tls_server_name": "b"}`
	)
	parsetest.FuzzOptions(f, fixtures, "redis", object, func() *Store { return new(Store) }, func(t *testing.T, s *Store) {
		if s.TLSCA+s.TLSCertificate+s.TLSKey != "" {
			return // which may be any file
		}
		if s.Provision(caddy.Context{}) != nil {
			return
		}
		if len(s.Addresses) == 0 || s.KeyPrefix == "" || s.connection == nil {
			t.Errorf("%+v was taken", s)
		}
		if err := s.Cleanup(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzTexts reads anything as news, as what is noted of a node, and as the answer of a script.
func FuzzTexts(f *testing.F) {
	for _, text := range []string{
		"session n1 10.1.2.3 10.0.0.11:8000", "session n%201 fe80::1%25eth0 ", "setting n1 10.0.0.11:8000 weight 5", "setting n1 x ", "session", "",
		"1764454857123 5000 12 lb 1", "-1 99999999999999999999 1 h", "=", "-10.0.0.11:8000", "!WRONGTYPE x", "=a%20b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if node, news, ok := parseNews(text); ok && (news == stores.News{} || !news.Client.IsValid() && news.Target == "") {
			t.Errorf("%q is news of %q: %+v", text, node, news)
		}
		if node, ok := parseNode("id", text, 1764454857123); ok && (node.ID != "id" || node.Seen < 0) {
			t.Errorf("%q is %+v", text, node)
		}
		u := stores.Update{Target: "t"}
		if err := readAnswer(text, &u); err == nil && text[0] != '=' && text[0] != '-' {
			t.Errorf("%q was taken", text)
		}
		if got := unescape(escape(text)); got != text || strings.Contains(escape(text), " ") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// FuzzFrames reads anything as a stream, at once and in pieces, which must be the same.
func FuzzFrames(f *testing.F) {
	for _, text := range []string{
		"+OK\r\n:1\r\n", "*2\r\n$3\r\nabc\r\n%1\r\n$0\r\n\r\n_\r\n", ">3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n", "$-1\r\n*-1\r\n*0\r\n", "!3\r\nERR\r\n#t\r\n,1.5\r\n(12\r\n~0\r\n",
		"$3\r\nabcd\r\n", "*1000000000000\r\n", "$-5\r\n", "HTTP/1.1 400\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "|1\r\n+a\r\n+b\r\n", "+a\n",
	} {
		f.Add([]byte(text), 1)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size int) {
		read := func(pieces [][]byte) (all []frame, err error) {
			in := frames{each: func(f frame) error {
				all = append(all, f)
				return nil
			}}
			for _, piece := range pieces {
				if err = in.feed(piece); err != nil {
					break
				}
			}
			return all, err
		}
		whole, err := read([][]byte{bytes.Clone(stream)})
		pieces, e := read(slices.Collect(slices.Chunk(bytes.Clone(stream), max(1, size%100))))
		if (err == nil) != (e == nil) || !slices.Equal(whole, pieces) {
			t.Errorf("%q is %v, %v and in pieces %v, %v", stream, whole, err, pieces, e)
		}
	})
}
