package haproxy

import (
	"io"
	"strings"
	"testing"
	"unicode"
)

// FuzzTables has texts of strangers do no harm: what is read has clients and servers, and an error can be shown on a terminal.
func FuzzTables(f *testing.F) {
	for _, version := range versions {
		seed(f, version+".table")
	}
	f.Add("# table: t, type: string, size:1, used:1\n0x1: key=a\\ b\\=c\\x00 use=0 exp=-1 server_id=1 server_key=-\n")
	f.Fuzz(func(t *testing.T, text string) {
		tables, err := ReadTables(strings.NewReader(text))
		if err != nil {
			mustBePrintable(t, err)
			return
		}
		seen := make(map[string]bool)
		for _, table := range tables {
			if table.Name == "" || seen[table.Name] {
				t.Errorf("the name %q comes twice, or is none", table.Name)
			}
			seen[table.Name] = true
			for _, e := range table.Entries {
				if !e.Client.IsValid() || e.Client.Is4In6() || e.Server == nil || *e.Server == (Server{}) || e.Server.Key == "-" {
					t.Errorf("an entry is %+v", e)
				}
			}
		}
	})
}

// FuzzServers does the same for the state of servers.
func FuzzServers(f *testing.F) {
	for _, version := range versions {
		seed(f, version+".servers")
	}
	f.Fuzz(func(t *testing.T, text string) {
		servers, err := ReadServers(strings.NewReader(text))
		if err != nil {
			mustBePrintable(t, err)
			return
		}
		for _, s := range servers {
			if s.Backend == "" || s.ID == "" || s.Name == "" || len(s.Addresses) > 2 {
				t.Errorf("a server is %+v", s)
			}
		}
	})
}

func seed(f *testing.F, name string) {
	f.Helper()
	text, err := io.ReadAll(open(f, name))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
}

func mustBePrintable(t *testing.T, err error) {
	t.Helper()
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("the error is %q", err)
	}
}
