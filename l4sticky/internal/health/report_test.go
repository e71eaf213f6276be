package health

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
)

// text returns what a report says in the words of a test.
func (r Report) text() string {
	said := []string{r.State, r.Mode}
	if r.Percent != nil {
		said = append(said, fmt.Sprintf("%d%%", *r.Percent))
	}
	if r.MaxConnections != nil {
		said = append(said, fmt.Sprintf("maxconn:%d", *r.MaxConnections))
	}
	if r.Description != "" {
		said = append(said, "#"+r.Description)
	}
	if r.Unknown != "" {
		said = append(said, "unknown:"+r.Unknown)
	}
	return strings.Join(strings.Fields(strings.Join(said, " ")), " ")
}

func TestParseReport(t *testing.T) {
	for line, want := range map[string]string{
		"":                                 "",
		"up":                               "up",
		"DOWN":                             "down",
		"stopped # for an update, 50%":     "stopped #for an update, 50%",
		"fail#disk":                        "fail #disk",
		"ready":                            "ready",
		"75%":                              "75%",
		"0%":                               "0%",
		"250%":                             "250%",
		"maxconn:30":                       "maxconn:30",
		"up,ready 100%\tMaxConn:0":         "up ready 100% maxconn:0",
		"maint down":                       "down maint",
		" , drain,,  50% ":                 "drain 50%",
		"up down":                          "down", // the last word counts
		"hello up":                         "up unknown:hello",
		"-5%":                              "unknown:-5%",
		"10001%":                           "unknown:10001%",
		"%":                                "unknown:%",
		"+5%":                              "unknown:+5%",
		"maxconn:":                         "unknown:maxconn:",
		"maxconn: 30":                      "unknown:maxconn:",
		"maxconn:99999999999999999999 up":  "up unknown:maxconn:99999999999999999999",
		"75":                               "unknown:75",
		"HTTP/1.1 400 Bad Request 50% 20%": "20% unknown:HTTP/1.1",
	} {
		if got := ParseReport(line).text(); got != want {
			t.Errorf("%q says %q, want %q", line, got, want)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	f.Add("up ready 75% maxconn:30 # fine")
	f.Fuzz(func(t *testing.T, line string) {
		r := ParseReport(line)
		if r.Percent != nil && (*r.Percent < 0 || *r.Percent > mostPercent) || r.MaxConnections != nil && *r.MaxConnections < 0 {
			t.Errorf("%q says %q", line, r.text())
		}
	})
}

func TestAsk(t *testing.T) {
	for name, test := range map[string]struct {
		send  string
		agent func(net.Conn)
		want  string
		fails string
	}{
		"a line":         {"", func(c net.Conn) { _, _ = c.Write([]byte("up 50%\nmore")) }, "up 50%", ""},
		"with CR":        {"", func(c net.Conn) { _, _ = c.Write([]byte("up\r\n")) }, "up", ""},
		"without an end": {"", func(c net.Conn) { _, _ = c.Write([]byte("up")); _ = c.Close() }, "up", ""},
		"byte by byte": {"", func(c net.Conn) {
			_, _ = c.Write([]byte("u"))
			_, _ = c.Write([]byte("p"))
			_, _ = c.Write([]byte("\n"))
		}, "up", ""},
		"an answer":       {"web\n", func(c net.Conn) { b := make([]byte, 4); _, _ = c.Read(b); _, _ = c.Write(b) }, "web", ""},
		"nothing":         {"", func(c net.Conn) { _ = c.Close() }, "", "EOF"},
		"silence":         {"", func(net.Conn) {}, "", "in time"},
		"no end in sight": {"", func(c net.Conn) { _, _ = c.Write([]byte(strings.Repeat("up ", 1000))) }, "", "longer"},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := conntest.Connected(t, "tcp", "127.0.0.1:0")
			go test.agent(there)
			line, err := Ask(context.Background(), here, []byte(test.send), time.Now().Add(200*time.Millisecond))
			if line != test.want || (err != nil) != (test.fails != "") || err != nil && !strings.Contains(err.Error(), test.fails) {
				t.Errorf("got %q and %v, want %q and an error with %q", line, err, test.want, test.fails)
			}
		})
	}
}

// Whoever ends the checks need not wait for an agent.
func TestAskEndsWithItsContext(t *testing.T) {
	here, _ := conntest.Connected(t, "tcp", "127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(10*time.Millisecond, cancel)
	if line, err := Ask(ctx, here, nil, time.Now().Add(time.Hour)); err == nil {
		t.Errorf("got %q", line)
	}
}
