package embedded

import (
	"errors"
	"net"
	"testing"
)

// Errors of resolvers have the codes that scripts look for.
func TestNameErrors(t *testing.T) {
	for _, c := range []struct {
		question string
		err      error
		want     string
	}{
		{"queryA", &net.DNSError{IsNotFound: true}, "queryA ENOTFOUND h"},
		{"queryA", nil, "queryA ENOTFOUND h"},
		{"queryA", &net.DNSError{IsTimeout: true}, "queryA ETIMEOUT h"},
		{"queryA", errors.New("other"), "queryA ESERVFAIL h"},
		{"getaddrinfo", &net.DNSError{IsNotFound: true}, "getaddrinfo ENOTFOUND h"},
		{"getaddrinfo", &net.DNSError{IsTimeout: true}, "getaddrinfo EAI_AGAIN h"},
	} {
		if got := nameError(c.err, c.question, "h").Error(); got != c.want {
			t.Errorf("%v\n got %s\nwant %s", c.err, got, c.want)
		}
	}
}
