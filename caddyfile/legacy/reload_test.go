//go:build unix

package legacy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
)

// edit replaces a text in a file of the box.
func (b *box) edit(name, old, new string) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(b.folder, name))
	if err != nil {
		b.Fatal(err)
	}
	b.write(name, strings.Replace(string(text), old, new, 1))
}

// closed checks that no process listens at the address.
func (b *box) closed(address string) {
	b.Helper()
	if answers("tcp", address) {
		b.Errorf("somebody listens at %s", address)
	}
}

// A reload is for the instance that has the config, whichever has the default admin endpoint, or for the one with
// the index.
func TestReload(t *testing.T) {
	b := newBox(t)
	first, second := b.config("config.json", "one"), b.config("second.json", "two")
	b.expect(0, `Success: .*\n`, "start")
	b.expect(0, `Success: .*\n`, "start", "--config", "second.json")

	moved := b.config("second.json", "three")
	b.expect(0, `Success: Reloaded loadbalancer, PID: \d+\n`, "reload", "--config", "second.json")
	b.served(first, "one")
	b.served(moved, "three")
	b.closed(second)
	b.expect(0, fmt.Sprintf(`Index: 0, .*/config.json, Port: %d, .*\n  \S+ is active\nIndex: 1, .*/second.json, Port: %d, .*\n  \S+ is active\n`, portOf(t, first), portOf(t, moved)), "list")

	again := b.config("second.json", "four")
	b.expect(0, `Success: .*\n`, "reload", "1")
	b.served(again, "four")
	b.closed(moved)
	latest := b.config("config.json", "five")
	b.expect(0, `Success: .*\n`, "reload")
	b.served(latest, "five")
	b.served(again, "four")

	// With an index, another config is taken over, which is the instance's own from then on.
	third := b.config("third.json", "six")
	b.expect(0, `Success: .*\n`, "reload", "0", "--config", "third.json")
	b.served(third, "six")
	b.expect(0, `Success: .*\n`, "reload", "--config", "third.json")
	b.expect(1, `Error: no loadbalancer runs with /\S+/config.json; 'caddy loadbalancer list' tells which do\n`, "reload")
	b.expect(0, `Success: Stopped loadbalancers\n`, "stop")
	b.nothingLeft()
}

// A reload that is refused says why, and the instance serves on as before.
func TestReloadRefused(t *testing.T) {
	b := newBox(t)
	b.expect(1, `Error: no loadbalancers are running\n`, "reload")
	b.expect(1, `Error: no loadbalancers are running\n`, "reload", "0")
	address := b.config("config.json", "one")
	b.expect(0, `Success: .*\n`, "start")
	listed := fmt.Sprintf(`Index: 0, .*/config.json, Port: %d, .*\n  \S+ is active\n`, portOf(t, address))
	text, err := os.ReadFile(filepath.Join(b.folder, "config.json"))
	if err != nil {
		t.Fatal(err)
	}

	b.expect(1, `Error: there is no loadbalancer with index 1: the last one has 0\n`, "reload", "1")
	b.expect(1, `Error: "x" is not an index of the list, such as 0\n`, "reload", "x")
	b.expect(1, `Error: reading the config: open \S+/none.json: no such file or directory\n`, "reload", "0", "-c", "none.json")
	taken, err := net.Listen("tcp", freeport.Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct{ old, new, says string }{
		{`"sourcePort"`, `"sourcPort"`, `\S+/config.json: unknown option "sourcPort" \(did you mean 'sourcePort'\?\)`},
		{`{`, `{"balancerControllerPath": "none.js", `, `\S+/config.json: balancerControllerPath: \S+/none.js can't be read: no such file or directory`},
		{`{`, `{"downgradeToUser": "no-such-user", `, `\S+/config.json: downgradeToUser: there is no user 'no-such-user'.*`},
		{fmt.Sprint(portOf(t, address)), fmt.Sprint(portOf(t, taken.Addr().String())), fmt.Sprintf(
			`the loadbalancer with PID \d+ has not taken \S+/config.json over: .*the process with PID %d \(.*\) listens there already.*`, os.Getpid())},
		{`{`, `{"balancerControllerPath": "bad.js", `, `the loadbalancer with PID \d+ has not taken \S+/config.json over: .*it makes no sense.*`},
	} {
		b.write("bad.js", "throw new Error('it makes no sense');")
		b.write("config.json", string(text))
		b.edit("config.json", c.old, c.new)
		b.expect(1, `Error: `+c.says+`\n`, "reload")
		b.served(address, "one")
		b.expect(0, listed, "list")
	}
	b.write("config.json", string(text))
	b.expect(0, `Success: .*\n`, "reload")
}

// One config can have been started twice, with another port each time.
func TestReloadOfSeveral(t *testing.T) {
	b := newBox(t)
	first := b.config("config.json", "one")
	b.expect(0, `Success: .*\n`, "start")
	second := b.config("config.json", "two")
	b.expect(0, `Success: .*\n`, "start")
	b.config("config.json", "three")
	b.expect(1, `Error: several loadbalancers run with \S+/config.json; give the index that the one has in the list\n`, "reload")
	b.served(first, "one")
	b.expect(0, `Success: .*\n`, "reload", "1")
	b.served(first, "one")
	b.closed(second)
}

// An instance that has become another user is reloaded as that user, and remains that user's.
func TestReloadDowngraded(t *testing.T) {
	folderOfNobody(t)
	b := newBox(t)
	if err := os.Chmod(b.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b.config("first.json", "one")
	b.expect(0, `Success: .*\n`, "start", "--config", "first.json")
	downgraded := func(greeting, more string) (address string) {
		address = b.config("config.json", greeting)
		b.edit("config.json", "{", `{"downgradeToUser": "nobody"`+more+", ")
		return address
	}
	downgraded("two", "")
	b.expect(0, `Success: .*\n`, "start")
	address := downgraded("three", "")
	b.expect(0, `Success: .*\n`, "reload")
	b.served(address, "three")
	b.expect(0, fmt.Sprintf(`(?s).*Index: 1, .*, Port: %d, .*`, portOf(t, address)), "list")

	b.write("secret.js", "")
	downgraded("four", `, "balancerControllerPath": "secret.js"`)
	b.expect(1, `Error: .*secret.js can't be read: permission denied\n`, "reload")
	b.config("config.json", "five")
	b.expect(1, `Error: .*: downgradeToUser: the loadbalancer with PID \d+ has become 'nobody'; stop it and start it to change that\n`, "reload")
	b.edit("first.json", "{", `{"downgradeToUser": "nobody", `)
	b.expect(1, `Error: .*: downgradeToUser: the loadbalancer with PID \d+ has become nobody else; stop it and start it to change that\n`, "reload", "-c", "first.json")
	b.served(address, "three")
}

// What an instance's file gets while it runs is read as a whole or not at all.
func TestInstanceChanges(t *testing.T) {
	one := &instance{PID: os.Getpid(), Config: "/config.json", Port: 80, folder: t.TempDir()}
	if err := one.write(); err != nil {
		t.Fatal(err)
	}
	file, err := one.openForChanges()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []change{{Admin: "unix//a"}, {Port: 81, Config: "/other.json"}, {Port: 82}} {
		if err := appendChange(file, c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := file.WriteString(`{"port":83,`); err != nil {
		t.Fatal(err)
	}
	got := &instance{PID: one.PID, folder: one.folder}
	if err := got.read(); err != nil || got.Port != 82 || got.Config != "/other.json" || got.Admin != "unix//a" {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestReason(t *testing.T) {
	for quoted, want := range map[string]string{
		`caddy responded with error: HTTP 400: {"error":"loading config: \"x\" is {bad}"}` + "\n": `loading config: "x" is {bad}`,
		`performing request: dial unix /x: connect: connection refused`:                           `performing request: dial unix /x: connect: connection refused`,
		`caddy responded with error: HTTP 500: {`:                                                 `caddy responded with error: HTTP 500: {`,
	} {
		if got := reason(fmt.Errorf("%s", quoted)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
