package haproxy

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A Table is a stick table.
type Table struct {
	// Name is that of the proxy or of the `peers` section and the table in it.
	Name string
	// Entries are those whose clients stick to servers.
	Entries []Entry
	// Others counts the entries without a server, of clients that are merely counted.
	Others int
}

// An Entry is what a table knows of a client.
type Entry struct {
	Client netip.Addr
	// Server is the same for all entries of a server, in all tables that are read together.
	Server *Server
	// Left is how long the entry is kept, if Bounded.
	Left time.Duration
	// Bounded is false for an entry that is in use, and for those of a table without `expire`.
	Bounded bool
}

// A Server is what a table stores of one.
type Server struct {
	// ID is its number within the backend.
	ID string
	// Key is its name or, in a table with `srvkey addr`, its address, in which IPv6 has no brackets. It is empty if the table has none.
	Key string
}

// String returns how the dump names the server.
func (s Server) String() string {
	if s.Key == "" {
		return "server_id=" + s.ID
	}
	return "server_id=" + s.ID + " server_key=" + s.Key
}

const tableHeader = "# table: "

// IsTable reports whether the first line of a text is that of a dump of tables.
func IsTable(line string) bool { return strings.HasPrefix(line, tableHeader) }

// ReadTables reads the answers to `show table NAME` for one or more tables. A table that comes twice is taken once, as the later answer has it.
func ReadTables(r io.Reader) ([]*Table, error) {
	reader := tableReader{servers: make(map[Server]*Server)}
	if err := eachLine(r, reader.read); err != nil {
		return nil, err
	}
	if err := reader.finish(); err != nil {
		return nil, err
	}
	if len(reader.tables) == 0 {
		return nil, errors.New("there is no table in it")
	}
	return reader.tables, nil
}

// A tableReader reads tables line by line.
type tableReader struct {
	tables  []*Table
	servers map[Server]*Server // by themselves

	current *Table // nil before the first
	used    string // how many entries its header tells of
	timed   bool   // an entry of it has time left
	foreign string // the type of its keys if these are no addresses
}

func (r *tableReader) read(line string) error {
	switch {
	case strings.TrimSpace(line) == "":
		return nil
	case IsTable(line):
		if err := r.finish(); err != nil {
			return err
		}
		return r.begin(line)
	case strings.HasPrefix(line, "# contents not dumped"):
		return errors.New("HAProxy has not dumped the entries, because its socket needs the level 'operator'")
	case r.current == nil:
		return fmt.Errorf("'%s' is not the head of a table", line)
	}
	return r.entry(line)
}

// begin reads the head of a table.
func (r *tableReader) begin(line string) error {
	name, rest, found := strings.Cut(strings.TrimPrefix(line, tableHeader), ", type: ")
	kind, size, sized := strings.Cut(rest, ", size:")
	_, used, counted := strings.Cut(size, ", used:")
	if !found || !sized || !counted || name == "" {
		return fmt.Errorf("'%s' is not the head of a table", line)
	}
	r.current, r.used, r.timed, r.foreign = &Table{Name: name}, used, false, ""
	if kind != "ip" && kind != "ipv6" && kind != "string" {
		r.foreign = kind
	}
	for i, t := range r.tables {
		if t.Name == name {
			r.tables[i] = r.current
			return nil
		}
	}
	r.tables = append(r.tables, r.current)
	return nil
}

// finish ends the table that is read. Where no entry has time left, the table has no `expire`.
func (r *tableReader) finish() error {
	t := r.current
	if t == nil {
		return nil
	}
	if len(t.Entries)+t.Others == 0 && r.used != "0" {
		return fmt.Errorf("the table '%s' has %s entries, none of which is there; 'show table %s' dumps them", t.Name, r.used, t.Name)
	}
	if !r.timed {
		for i := range t.Entries {
			t.Entries[i].Bounded = false
		}
	}
	return nil
}

// entry reads a line such as `0x55c97f68e1a0: key=192.0.2.1 use=0 exp=598788 server_id=1 server_key=s1`.
func (r *tableReader) entry(line string) error {
	pointer, rest, found := strings.Cut(line, ": ")
	if !found || !strings.HasPrefix(pointer, "0x") {
		return fmt.Errorf("'%s' is not an entry of a table", line)
	}
	var key, id, name string
	var left time.Duration
	inUse := false
	for _, field := range fields(rest) {
		var err error
		switch field.name {
		case "key":
			key = field.value
		case "use":
			var users int
			users, err = strconv.Atoi(field.value)
			inUse = users > 0
		case "exp":
			var ms int
			ms, err = strconv.Atoi(field.value)
			left = time.Duration(ms) * time.Millisecond
		case "server_id":
			id = field.value
		case "server_key", "server_name": // the latter until 2.3
			name = field.value
		}
		if err != nil {
			return fmt.Errorf("%s: '%s' is not a whole number", field.name, field.value)
		}
	}
	r.timed = r.timed || left > 0
	return r.add(key, Server{ID: id, Key: name}, left, inUse)
}

func (r *tableReader) add(key string, server Server, left time.Duration, inUse bool) error {
	t := r.current
	if server.Key == "-" {
		server.Key = ""
	}
	if server.Key == "" && (server.ID == "" || server.ID == "0") {
		t.Others++
		return nil
	}
	if r.foreign != "" {
		return fmt.Errorf("the keys of the table '%s' are of type %s, not addresses of clients", t.Name, r.foreign)
	}
	client, err := netip.ParseAddr(key)
	if err != nil {
		return fmt.Errorf("key: '%s' is not an IP address", key)
	}
	known := r.servers[server]
	if known == nil {
		known = &Server{ID: strings.Clone(server.ID), Key: strings.Clone(server.Key)} // without the line around them
		r.servers[*known] = known
	}
	t.Entries = append(t.Entries, Entry{Client: client.Unmap(), Server: known, Left: left, Bounded: !inUse})
	return nil
}

type field struct{ name, value string }

// fields splits an entry. A backslash stands before a space and other characters within a value.
func fields(text string) (all []field) {
	for text != "" {
		end := 0
		for end < len(text) && text[end] != ' ' {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end, len(text))
		if name, value, found := strings.Cut(text[:end], "="); found {
			all = append(all, field{name, value})
		}
		text = strings.TrimPrefix(text[end:], " ")
	}
	return all
}
