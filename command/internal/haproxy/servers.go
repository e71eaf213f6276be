package haproxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// A ServerState is a server of a backend.
type ServerState struct {
	Backend, ID, Name string
	// Addresses are where it listens: its IP address and, if the config has one, its host name, each with the port. There is none for
	// one at a Unix socket.
	Addresses []string
}

// ReadServers reads the answer to `show servers state`.
func ReadServers(r io.Reader) (all []ServerState, err error) {
	var columns []string
	err = eachLine(r, func(line string) error {
		heads, isHead := strings.CutPrefix(line, "# ")
		values := strings.Fields(line)
		switch {
		case isHead:
			columns = strings.Fields(heads)
			return checkColumns(columns)
		case len(values) == 0, columns == nil && len(values) == 1 && values[0] == "1": // the version of the format
			return nil
		case columns == nil:
			return fmt.Errorf("'%s' is not the beginning of the state of servers", line)
		case len(values) != len(columns):
			return fmt.Errorf("there are %d fields in place of %d", len(values), len(columns))
		}
		all = append(all, serverState(columns, values))
		return nil
	})
	if err == nil && columns == nil {
		err = errors.New("there is no state of servers in it")
	}
	return all, err
}

// checkColumns returns an error unless the columns have all that is needed.
func checkColumns(columns []string) error {
	for _, name := range []string{"be_name", "srv_id", "srv_name", "srv_addr", "srv_fqdn", "srv_port"} {
		if !slices.Contains(columns, name) {
			return fmt.Errorf("there is no column %s", name)
		}
	}
	return nil
}

func serverState(columns, values []string) ServerState {
	value := func(column string) string { return values[slices.Index(columns, column)] }
	s := ServerState{Backend: value("be_name"), ID: value("srv_id"), Name: value("srv_name")}
	for _, host := range []string{value("srv_addr"), value("srv_fqdn")} {
		if port := value("srv_port"); host != "-" && port != "0" {
			s.Addresses = append(s.Addresses, net.JoinHostPort(host, port))
		}
	}
	return s
}
