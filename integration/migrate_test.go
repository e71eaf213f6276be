package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// An exportedSession is a line of an export.
type exportedSession struct {
	Client, Upstream string
	Connections      int
	Since, At        time.Time
	ExpiresIn        *float64 `json:"expires_in"`
}

// parseExport returns the lines of an export by their clients.
func parseExport(t *testing.T, text string) map[string]exportedSession {
	t.Helper()
	all := make(map[string]exportedSession)
	for line := range strings.Lines(text) {
		var s exportedSession
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all[s.Client] = s
	}
	return all
}

// writeFile writes a file of the test, and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// line returns a session as `import` reads it.
func line(client, upstream string) string {
	return fmt.Sprintf("{\"client\": %q, \"upstream\": %q}\n", client, upstream)
}

// Clients that change to another balancer with their sessions stay at their targets, and go elsewhere without.
func TestStickyExportImport(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 3), clientIPs(60)
	first, second, third := freeAddr(t), freeAddr(t), freeAddr(t)
	before := startCaddy(t, balance(first, "session_expiry 1h", targets[0]))
	whoEach(t, ips, first)
	hold(t, ips[0], first)
	await(t, "the others are idle", func() bool { return before.pool(t).Sessions.Idle == len(ips)-1 })
	code, lines, stderr := before.stickyCommand(t)("sessions", "export")
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	all := parseExport(t, lines)
	for client, s := range all {
		if live := client == ips[0]; s.Upstream != targets[0].addr || (s.Connections == 1) != live || (s.ExpiresIn == nil) != live || time.Since(s.At) > time.Minute || time.Since(s.Since) > time.Minute {
			t.Errorf("a line of the export is %+v", s)
		}
	}
	if len(all) != len(ips) {
		t.Errorf("the export has %d sessions of %d", len(all), len(ips))
	}

	after := startCaddy(t, balance(second, "session_expiry 2h", targets...))
	there := slices.IndexFunc(ips, func(ip string) bool { return who(t, ip, second) != "a" }) // which the balancer has already
	mustMatch(t, after.stickyCommand(t), `IMPORTED .*\n`+fmt.Sprint(len(ips)-1-there)+` +`+fmt.Sprint(1+there)+` +0 +0 +0 *\n`, "sessions", "import", writeFile(t, "sessions", lines))
	mustMatch(t, after.stickyCommand(t), `{\n  "imported": 0,\n  "present": 60,\n.*}\n`, "sessions", "import", writeFile(t, "again", lines), "--json")
	for i, ip := range ips {
		if name := who(t, ip, second); (name == "a") == (i == there) {
			t.Errorf("client %d is at %s", i, name)
		}
	}
	startCaddy(t, balance(third, "", targets...))
	homes := slices.Collect(maps.Values(whoEach(t, ips, third)))
	if slices.Sort(homes); len(slices.Compact(homes)) != len(targets) {
		t.Errorf("without the import, the clients are at %v", homes)
	}
}

// An export has the sessions that a filter lets through, and an import reads the standard input.
func TestStickyExportFilters(t *testing.T) {
	t.Parallel()
	targets, ips, listen := greeters(t, 2), clientIPs(10), freeAddr(t)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
	sticky := p.stickyCommand(t)
	var lines strings.Builder
	for i, ip := range ips {
		lines.WriteString(line(ip, targets[i%2].addr))
	}
	cmd := caddyCommand(t, "sticky", "--address", "unix/"+p.socket, "sessions", "import", "-")
	cmd.Stdin = strings.NewReader(lines.String())
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	hold(t, ips[0], listen)
	for want, args := range map[string][]string{
		fmt.Sprint(ips[:1]):            {"--client", ips[0]},
		fmt.Sprint(ips[:1], "live"):    {"--state", "live"},
		fmt.Sprint(ips[1:], "idle"):    {"--state", "idle"},
		fmt.Sprint(everySecond(ips)):   {"--upstream", targets[0].addr},
		fmt.Sprint([]string{}, "none"): {"--upstream", targets[1].addr, "--state", "live"},
	} {
		_, stdout, stderr := sticky(append([]string{"sessions", "export"}, args...)...)
		clients := slices.Sorted(maps.Keys(parseExport(t, stdout)))
		slices.SortFunc(clients, func(a, b string) int { return slices.Index(ips, a) - slices.Index(ips, b) })
		if got := fmt.Sprint(clients); stderr != "" || !strings.HasPrefix(want, got) {
			t.Errorf("%v: %s%s, want %s", args, got, stderr, want)
		}
	}
}

func everySecond(all []string) (some []string) {
	for i := 0; i < len(all); i += 2 {
		some = append(some, all[i])
	}
	return some
}

// Many sessions take several batches and many pages. A line that can't be read leaves the batches before it imported, and the file may be
// imported again.
func TestStickyImportOfMany(t *testing.T) {
	t.Parallel()
	const count = 25_000
	targets, listen := greeters(t, 2), freeAddr(t)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
	sticky := p.stickyCommand(t)
	var lines strings.Builder
	for i := range count {
		fmt.Fprintf(&lines, `{"client": "10.0.%d.%d", "upstream": "%s", "since": "2025-03-01T10:00:00Z", "expires_in": %d}`+"\n", i/250, i%250, targets[i%2].addr, 1000+i%2000)
	}
	code, stdout, stderr := sticky("sessions", "import", writeFile(t, "part", lines.String()+"x\n"))
	part := p.pool(t).Sessions.Idle
	if code != 1 || !strings.Contains(stderr, "Error: only a part is imported: line 25001: ") || part == 0 || part == count || !regexp.MustCompile(fmt.Sprintf(`\n%d +0 +0`, part)).MatchString(stdout) {
		t.Errorf("exit code %d, %d sessions, %s%s", code, part, stdout, stderr)
	}
	mustMatch(t, sticky, fmt.Sprintf(`IMPORTED .*\n%d +%d +0 +0 +0 *\n`, count-part, part), "sessions", "import", writeFile(t, "sessions", lines.String()))
	_, stdout, stderr = sticky("sessions", "export")
	all := parseExport(t, stdout)
	wrong := 0
	for i := range count {
		s := all[fmt.Sprintf("10.0.%d.%d", i/250, i%250)]
		if left := float64(1000 + i%2000); s.Upstream != targets[i%2].addr || s.ExpiresIn == nil || *s.ExpiresIn > left || *s.ExpiresIn < left-100 || s.Since.Year() != 2025 {
			wrong++
		}
	}
	if len(all) != count || wrong > 0 {
		t.Errorf("of %d sessions %d are exported, %d are wrong%s", count, len(all), wrong, stderr)
	}
}

// What can't be imported is told, and the exit code is 1.
func TestStickyImportErrors(t *testing.T) {
	t.Parallel()
	targets, listen := greeters(t, 1), freeAddr(t)
	address := targets[0].addr
	p := startCaddy(t, balance(listen, "session_expiry 1h\nmax_sessions 2", targets...))
	sticky := p.stickyCommand(t)
	const table = "# table: web, type: ip, size:10, used:1\n0x1: key=127.0.0.9 use=0 exp=1000 server_id=1 server_key=s1\n"
	for i, c := range []struct {
		text, table, want string
		args              []string
	}{
		{line("127.0.0.2", address) + "nonsense\n", "", "line 2: invalid character", nil},
		{line("127.0.0.2", address) + line("x", address), "", "line 2: client: 'x' is not an IP address", nil},
		{line("127.0.0.2", "a:1") + line("127.0.0.3", "a:1"), `0 +0 +0 +0 +2`, "the pool 'default' does not have these upstreams: a:1 (2 sessions)", nil},
		{line("127.0.0.2", address), "", "--table, --server and --servers are of use with a dump of HAProxy only", []string{"--server", "a=" + address}},
		{table, "", "it is not known which upstreams of the pool 'default' these servers are: server_id=1 server_key=s1 (1 sessions); add", nil},
		{table, "", "--server: the pool 'default' has no upstream 'a:1'", []string{"--server", "s1=a:1"}},
		{table, "", "--table: 'x' is not one of the tables web", []string{"--table", "x"}},
		{table, "", "--servers: open nowhere: no such file", []string{"--servers", "nowhere"}},
		{"# table: web, type: ip, size:10, used:7\n", "", "the table 'web' has 7 entries, none of which is there", nil},
		{table, "", "there is no pool 'x'", []string{"--pool", "x"}},
		// From here on, sessions are imported.
		{line("127.0.0.2", address) + line("127.0.0.3", address) + line("127.0.0.4", address), `2 +0 +0 +1 +0`, "the pool 'default' has no room for 1 sessions", nil},
	} {
		args := append([]string{"sessions", "import", writeFile(t, fmt.Sprint(i), c.text)}, c.args...)
		code, stdout, stderr := sticky(args...)
		pattern := "^$"
		if c.table != "" {
			pattern = `^IMPORTED .*\n` + c.table + ` *\n$`
		}
		if code != 1 || !regexp.MustCompile(pattern).MatchString(stdout) || !strings.Contains(stderr, "Error: "+c.want) {
			t.Errorf("%q: exit code %d, %s%s, want %s", c.text, code, stdout, stderr, c.want)
		}
	}
	for want, args := range map[string][]string{
		"open nowhere: no such file":                                {"sessions", "import", "nowhere"},
		"accepts at most 1 arg(s), received 2":                      {"sessions", "import", "a", "b"},
		`sessions has no command "exprot" (did you mean 'export'?)`: {"sessions", "exprot"},
		"upstream: the pool 'default' has no upstream 'x'":          {"sessions", "export", "--upstream", "x"},
		"can't be asked: dial unix":                                 {"sessions", "export", "--pool", "x", "--address", "unix//nowhere"},
	} {
		if code, _, stderr := sticky(args...); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %s, want %s", args, code, stderr, want)
		}
	}
}

// Sessions that are imported at one node are known at the others, where their clients may come.
func TestSharedImport(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 4), clientIPs(100)
	store := startRedis(t)
	c := startCluster(t, storeAt(store), targets...)
	await(t, "both nodes use the store", func() bool { return c.works(t) })
	var lines strings.Builder
	homes := make(map[string]string)
	for i, ip := range ips {
		lines.WriteString(line(ip, targets[i%4].addr))
		homes[ip] = targets[i%4].name
	}
	mustMatch(t, c.first.stickyCommand(t), `IMPORTED .*\n100 +0 +0 +0 +0 *\n`, "sessions", "import", writeFile(t, "sessions", lines.String()))
	await(t, "the store has all", func() bool { return store.clients() == len(ips) })
	mustAgree(t, "at the second node", whoEach(t, ips, c.secondListen), homes)
	mustAgree(t, "at the first node", whoEach(t, ips, c.firstListen), homes)
}
