package middleware

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
)

// capture returns what a TLS client says first.
func capture(t testing.TB) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: "example.com"}).Handshake()
		client.Close()
	}()
	hello := make([]byte, 16384)
	n, err := server.Read(hello)
	if err != nil {
		t.Fatal(err)
	}
	return hello[:n]
}

// records puts a handshake message into records of a size.
func records(message []byte, size int) (all []byte) {
	for len(message) > 0 {
		n := min(size, len(message))
		all = append(append(all, recordHandshake, 3, 1, byte(n>>8), byte(n)), message[:n]...)
		message = message[n:]
	}
	return all
}

func TestAwaitsHello(t *testing.T) {
	message := capture(t)[recordHeader:]
	for _, size := range []int{1, 2, 3, 4, 100, len(message)} {
		hello := records(message, size)
		for n := range len(hello) + 1 {
			if got, want := awaitsHello(hello[:n]), n > 0 && n < len(hello); got != want {
				t.Errorf("%d of %d bytes in records of %d: %v", n, len(hello), size, got)
			}
		}
		if awaitsHello(append(hello, "and more"...)) {
			t.Error("it waits after the end")
		}
	}
	for text, want := range map[string]bool{
		"GET / HTTP/1.1\r\n":         false,
		"\x16":                       true,
		"\x16\x03":                   true,
		"\x16\xfe\xfd":               false, // DTLS
		"\x16this is something else": false,
		"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00":   false, // a ServerHello
		"\x16\x03\x01\x00\x00":                       true,
		"\x16\x03\x01\x00\x01\x01GET":                false, // no second record
		"\x16\x03\x01\xff\xff":                       false, // larger than layer4 takes
		"\x16\x03\x01\x00\x04\x01\x00\xff\xff":       false,
		strings.Repeat("\x16\x03\x01\x00\x00", 1000): true,
	} {
		if awaitsHello([]byte(text)) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
