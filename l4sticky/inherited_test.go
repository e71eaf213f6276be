package l4sticky

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestInheritedDescriptor(t *testing.T) {
	own := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		host, names, pid string
		fd               int
		refused          string
	}{
		{host: "localhost", fd: -1},
		{host: "", fd: -1},
		{host: "::1", fd: -1},
		{host: "fd", fd: -1},
		{host: "fd/3", fd: 3},
		{host: "fd/17", fd: 17},
		{host: "fd/2", refused: "3 or more"},
		{host: "fd/x", refused: `"x" is not the number`},
		{host: "fd/", refused: `"" is not the number`},
		{host: "fdname/web", names: "admin:web", pid: own, fd: 4},
		{host: "fdname/web", names: "web", pid: own, fd: 3},
		{host: "fdname/web", names: "web", pid: "1", refused: "was given no descriptors with names"},
		{host: "fdname/web", refused: "was given no descriptors with names"},
		{host: "fdname/web", names: "a:b", pid: own, refused: `no descriptor has the name "web"; those that this process was given are a, b`},
		{host: "fdname/web", names: "a:web:web", pid: own, refused: `several descriptors have the name "web"; use their numbers, such as fd/4`},
	} {
		t.Setenv("LISTEN_FDNAMES", c.names)
		t.Setenv("LISTEN_PID", c.pid)
		fd, err := inheritedDescriptor(c.host)
		if c.refused == "" && (err != nil || fd != c.fd) {
			t.Errorf("%s: %d, %v, want %d", c.host, fd, err, c.fd)
		}
		if c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: %d, %v, want it to say %q", c.host, fd, err, c.refused)
		}
	}
}
