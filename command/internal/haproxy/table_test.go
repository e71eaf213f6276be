package haproxy

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var versions = []string{"2.4.0", "2.6.12", "3.5-dev5"}

func open(t testing.TB, name string) *os.File {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// TestTablesOfVersions reads what several versions of HAProxy have dumped, one table after the other.
func TestTablesOfVersions(t *testing.T) {
	for _, version := range versions {
		tables, err := ReadTables(open(t, version+".table"))
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		got := make(map[string]string)
		for _, table := range tables {
			got[table.Name] = describe(table)
		}
		want := map[string]string{
			"v4": "4 bounded", "v6": "5 bounded", "str": "4 bounded", "noexp": "4 unbounded", "track": "4 unbounded", "pref": "2 bounded",
			"none": "0 and 4 others",
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", version, got, want)
		}
	}
}

// known are the servers of the tables.
var known = []Server{{"1", "s1"}, {"2", "s2"}, {"1", "127.0.0.1:9201"}, {"2", "::1:9202"}, {"3", "/tmp/haproxy/u1"}}

// describe tells how many entries a table has, and whether they have time left.
func describe(table *Table) string {
	bounded := 0
	for _, e := range table.Entries {
		if !slices.Contains(known, *e.Server) {
			return fmt.Sprintf("a client at %v", e.Server)
		}
		if e.Bounded && e.Left > 9*time.Minute && e.Left < 10*time.Minute {
			bounded++
		}
	}
	switch {
	case table.Others > 0:
		return fmt.Sprintf("%d and %d others", len(table.Entries), table.Others)
	case bounded == len(table.Entries):
		return fmt.Sprintf("%d bounded", bounded)
	case bounded == 0:
		return fmt.Sprintf("%d unbounded", len(table.Entries))
	}
	return fmt.Sprintf("%d of %d bounded", bounded, len(table.Entries))
}

// TestEntries reads single entries of a table.
func TestEntries(t *testing.T) {
	const other = "0x1: key=192.0.2.9 use=0 exp=5 server_id=9\n"
	for line, want := range map[string]string{
		"0x1: key=192.0.2.1 use=0 exp=1500 shard=0 server_id=1 server_key=s1":                            "192.0.2.1 at 1 s1 for 1.5s",
		"0x1: key=::ffff:192.0.2.1 use=0 exp=1500 server_id=1 server_name=s1":                            "192.0.2.1 at 1 s1 for 1.5s",
		"0x1: key=2001:db8::1 use=0 exp=1500 server_id=1":                                                "2001:db8::1 at 1  for 1.5s",
		"0x1: key=192.0.2.1 use=0 exp=1500 server_key=s1":                                                "192.0.2.1 at  s1 for 1.5s",
		"0x1: key=192.0.2.1 use=2 exp=1500 server_id=1 server_key=s1":                                    "192.0.2.1 at 1 s1",
		"0x1: key=192.0.2.1 use=0 exp=0 server_id=1 server_key=s1":                                       "192.0.2.1 at 1 s1 for 0s",
		"0x1: key=192.0.2.1 use=0 exp=9 gpc0=0 conn_rate(10000)=1 bytes_out_rate(60000)=187 server_id=1": "192.0.2.1 at 1  for 9ms",
		"0x1: key=192.0.2.1 use=0 exp=9 server_id=0 server_key=-":                                        "none",
		"0x1: key=192.0.2.1 use=1 exp=9 conn_cur=1":                                                      "none",
		`0x1: key=192.0.2.1 use=0 exp=9 odd=a\ server_id=7\\ server_id=1 server_key=s1` + "\r":           "192.0.2.1 at 1 s1 for 9ms",
		"0x80e6a80: key=fe80::1%eth0 use=0 exp=1 server_id=1 server_key=be.s1:x_-":                       "fe80::1%eth0 at 1 be.s1:x_- for 1ms",
		"(nil): key=192.0.2.1":                                                                                   "line 3: '(nil): key=192.0.2.1' is not an entry of a table",
		"0x1: key=name use=0 exp=1 server_id=1":                                                                  "line 3: key: 'name' is not an IP address",
		"0x1: use=0 exp=1 server_id=1":                                                                           "line 3: key: '' is not an IP address",
		"0x1: key=192.0.2.1 use=x exp=1 server_id=1":                                                             "line 3: use: 'x' is not a whole number",
		"0x1: key=192.0.2.1 use=0 exp=1h server_id=1":                                                            "line 3: exp: '1h' is not a whole number",
		"0x1: key=192.0.2.1 use=0 exp=1 server_id=1\x1b[2J":                                                      "line 3: it has characters that HAProxy does not print",
		"0x1: key=192.0.2.1 use=0 exp=1 server_id=" + strings.Repeat("1", longestLine):                           "line 3: it has more than 65536 bytes",
		"# contents not dumped due to insufficient privileges":                                                   "line 3: HAProxy has not dumped the entries, because its socket needs the level 'operator'",
		"# table: nonsense":                                                                                      "line 3: '# table: nonsense' is not the head of a table",
		"# table: b, type: ip, size:10240, used:3":                                                               "the table 'b' has 3 entries, none of which is there; 'show table b' dumps them",
		"# table: b, type: ip, size:10240, used:3\n# table: c, type: ip, size:1, used:0":                         "line 4: the table 'b' has 3 entries, none of which is there; 'show table b' dumps them",
		"# table: b, type: integer, size:10240, used:1\n0x1: key=7 use=0 exp=1 server_id=1":                      "line 4: the keys of the table 'b' are of type integer, not addresses of clients",
		"# table: t, type: ip, size:10240, used:1\n0x1: key=192.0.2.2 use=0 exp=7 shard=0 server_id=1 new_thing": "192.0.2.2 at 1  for 7ms",
	} {
		tables, err := ReadTables(strings.NewReader("# table: t, type: ip, size:10240, used:5\n" + other + line + "\n\n"))
		got := fmt.Sprint(err)
		if err == nil {
			got = "none"
			if entries := tables[0].Entries; len(entries) > 1 || tables[0].Others == 0 {
				e := entries[len(entries)-1]
				got = fmt.Sprintf("%v at %s %s", e.Client, e.Server.ID, e.Server.Key)
				if e.Bounded {
					got += fmt.Sprintf(" for %v", e.Left)
				}
			}
		}
		if got != want {
			t.Errorf("%.200s\n%s, want\n%s", line, got, want)
		}
	}
}

// TestTextsThatAreNoTables names the line at which a text can't be one.
func TestTextsThatAreNoTables(t *testing.T) {
	for text, want := range map[string]string{
		"":                  "there is no table in it",
		"\n\n":              "there is no table in it",
		"No such table\n\n": "line 1: 'No such table' is not the head of a table",
		"# table: t, type: ip, size:10240, used:1\n0x1: key=192.0.2.1 use=0 exp=59": "line 2: it is cut off",
	} {
		if _, err := ReadTables(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestServersOfVersions reads the state of servers as several versions tell it.
func TestServersOfVersions(t *testing.T) {
	for _, version := range versions {
		servers, err := ReadServers(open(t, version+".servers"))
		if err != nil {
			t.Errorf("%s: %v", version, err)
			continue
		}
		got := fmt.Sprint(servers[2:5], servers[7])
		want := "[{v6 1 s1 [127.0.0.1:9201]} {v6 2 s2 [[::1]:9202]} {v6 3 s3 []}] {noexp 1 s1 [127.0.0.1:9201 localhost:9201]}"
		if got != want || len(servers) != 15 {
			t.Errorf("%s: %d servers, %s, want %s", version, len(servers), got, want)
		}
	}
}

// TestTextsThatAreNoServers names what is wrong with a text.
func TestTextsThatAreNoServers(t *testing.T) {
	const columns = "1\n# be_name srv_id srv_name srv_addr srv_fqdn srv_port\n"
	for text, want := range map[string]string{
		"":                                     "there is no state of servers in it",
		"1\n":                                  "there is no state of servers in it",
		"Can't find backend.\n\n":              "line 1: 'Can't find backend.' is not the beginning of the state of servers",
		"1\n# be_name srv_id srv_name\n":       "line 2: there is no column srv_addr",
		columns + "be 1 s1 127.0.0.1 - 80 7\n": "line 3: there are 7 fields in place of 6",
		columns + "be 1 s1 127.0.0.1 - 8":      "line 3: it is cut off",
	} {
		if _, err := ReadServers(strings.NewReader(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
