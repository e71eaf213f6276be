package l4sticky

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// firstInherited is the first descriptor that systemd's socket activation hands over.
const firstInherited = 3

// inheritedDescriptor returns the descriptor that is meant by a host such as fd/3, or fdname/web where the names are
// those of systemd's socket activation. It is negative if the host means none.
func inheritedDescriptor(host string) (fd int, err error) {
	kind, name, found := strings.Cut(host, "/")
	switch {
	case found && kind == "fd":
		if fd, err = strconv.Atoi(name); err != nil || fd < firstInherited {
			return -1, fmt.Errorf("%q is not the number of a descriptor, which is %d or more", name, firstInherited)
		}
		return fd, nil
	case found && kind == "fdname":
		return namedDescriptor(name)
	}
	return -1, nil
}

// namedDescriptor returns the descriptor that has the name, of those that this very process was given.
func namedDescriptor(name string) (int, error) {
	names := os.Getenv("LISTEN_FDNAMES")
	if names == "" || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return -1, errors.New("this process was given no descriptors with names (LISTEN_FDNAMES and LISTEN_PID in its environment)")
	}
	all := strings.Split(names, ":")
	index := slices.Index(all, name)
	switch {
	case index < 0:
		return -1, fmt.Errorf("no descriptor has the name %q; those that this process was given are %s", name, strings.Join(all, ", "))
	case slices.Contains(all[index+1:], name):
		return -1, fmt.Errorf("several descriptors have the name %q; use their numbers, such as fd/%d", name, firstInherited+index)
	}
	return firstInherited + index, nil
}
