package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// caddy-l4's own matchers serve as allow and deny lists, as docs/middleware.md shows them.
func TestAddressLists(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), greeters(t, 1)[0]
	config := func(options string) string {
		return "{\n\tlayer4 {\n\t\t" + listen + " {\n" +
			"@denied remote_ip 127.0.0.3 127.0.1.0/24\nroute @denied {\nclose\n}\n" +
			"@office remote_ip 127.0.0.0/16\nroute @office {\n" + sticky(options, target) + "\n}\n}\n}\n}\n"
	}
	caddy := startCaddy(t, config(""))
	for i := range 3 {
		who(t, "127.0.0.2", listen)
		for _, ip := range []string{"127.0.0.3", "127.0.1.7", "127.1.0.1"} {
			mustClose(t, dialFrom(t, ip, listen))
		}
		caddy.reload(t, config(fmt.Sprintf("session_expiry %ds", 10+i)))
	}
}

// A list in a file holds as soon as the file is changed.
func TestAddressListInFile(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), greeters(t, 1)[0]
	list := filepath.Join(t.TempDir(), "denied.txt")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("127.0.0.3\n127.0.1.0/24\n")
	path, adapter := writeConfig(t, "{\n\tlayer4 {\n\t\t"+listen+" {\n"+
		"@denied remote_ip_list "+list+"\nroute @denied {\nclose\n}\nroute {\n"+sticky("", target)+"\n}\n}\n}\n}\n")
	caddy := launch(t, "CADDY_ADMIN=unix/"+adminSocket(t), "run", "--config", path, "--adapter", adapter)
	t.Cleanup(func() {
		// With this matcher, caddy-l4 v0.1.2 hangs when Caddy is told to end.
		_ = caddy.cmd.Process.Kill()
		<-caddy.exited
	})
	who(t, "127.0.0.2", listen)
	for _, ip := range []string{"127.0.0.3", "127.0.1.7"} {
		mustClose(t, dialFrom(t, ip, listen))
	}
	write("127.0.0.2\n")
	await(t, "the changed list to hold", func() bool {
		_, err := tryWho("127.0.0.2", listen)
		return err != nil
	})
	who(t, "127.0.0.3", listen)
}
