package integration

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// clientHello returns what a TLS client says first.
func clientHello(t testing.TB, name string) string {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: name}).Handshake()
		client.Close()
	}()
	hello := make([]byte, 16384)
	n, err := io.ReadAtLeast(server, hello, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := 5 + int(hello[3])<<8 + int(hello[4]); n != want || want < 1000 {
		t.Fatalf("a hello of %d bytes, want %d and with a post-quantum key", n, want)
	}
	return string(hello[:n])
}

// inPieces cuts a text at these places.
func inPieces(text string, places ...int) (pieces []string) {
	at := 0
	for _, place := range append(places, len(text)) {
		pieces = append(pieces, text[at:place])
		at = place
	}
	return pieces
}

// The middleware matcher does not answer for a connection while a TLS matcher before it waits for the rest of a
// ClientHello; and it answers at once for every other.
func TestHelloInPieces(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		secure, other := startTarget(t, "secure", answerAll("secure")), startTarget(t, "other", answerAll("other"))
		const chain = "middleware {\nrate_limit {\nconnections 100000\nclient_prefix 8 64\n}\n}\n"
		matchers := "@secure tls sni secure.example.com\n@in " + chain + "@out not " + chain + "@far remote_ip 192.0.2.0/24\n"
		toRest := "route {\n" + sticky("pool other", other) + "\n}\n"
		toSecure, toOther := "route @secure {\n"+sticky("pool secure", secure)+"\n}\n", "route @in {\n"+sticky("pool other", other)+"\n}\n"
		layouts := map[string]struct{ routes, header string }{
			"after":         {toSecure + toOther, ""},
			"behind a gate": {"route @out {\nclose\n}\n" + toSecure + toRest, ""},
			"after another": {toSecure + "route @far {\nclose\n}\n" + toOther, ""},
			"behind both":   {"route {\nproxy_protocol\n}\nroute @out {\nclose\n}\n" + toSecure + toRest, proxyHeaders["v2"]("192.0.2.9")},
			"in a subroute": {"route {\nproxy_protocol\nsubroute {\n" + matchers + toSecure + toOther + "}\n}\n", proxyHeaders["v1"]("192.0.2.9")},
		}
		var config strings.Builder
		addresses := make(map[string]string)
		for name, layout := range layouts {
			addresses[name] = freeAddr(t)
			fmt.Fprintf(&config, "%s%s {\nmatching_timeout 1h\n%s%s}\n", network, addresses[name], matchers, layout.routes)
		}
		startCaddy(t, "{\nlayer4 {\n"+config.String()+"}\n}\n")
		ours, theirs := clientHello(t, "secure.example.com"), clientHello(t, "other.example.com")
		type try struct {
			pieces []string
			want   string
		}
		tries := []try{
			{inPieces(ours), "secure"},
			{inPieces(theirs), "other"},
			{inPieces("hello"), "other"},
		}
		for _, place := range []int{1, 4, 5, 6, 9, 700, len(ours) - 1} {
			tries = append(tries, try{inPieces(ours, place), "secure"}, try{inPieces(theirs, place), "other"})
		}
		tries = append(tries, try{inPieces(ours, 3, 500, 1000), "secure"}, try{inPieces(theirs, 3, 500, 1000), "other"})
		for name, layout := range layouts {
			each(len(tries), func(i int) {
				conn, err := tryDial("127.0.0.2", addresses[name])
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				if layout.header != "" {
					_, _ = io.WriteString(conn, layout.header)
					time.Sleep(10 * time.Millisecond)
				}
				sendSlowly(conn, tries[i].pieces...)
				if got, err := readLine(conn); got != tries[i].want {
					t.Errorf("%s: %d pieces, the first of %d bytes: got %q and %v, want %q", name, len(tries[i].pieces), len(tries[i].pieces[0]),
						got, err, tries[i].want)
				}
			})
		}
	})
}

// answerAll serves by saying its name after whatever came first.
func answerAll(name string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		if _, err := conn.Read(make([]byte, 1)); err == nil {
			_, _ = io.WriteString(conn, name+"\n")
			_, _ = io.Copy(io.Discard, conn)
		}
	}
}
