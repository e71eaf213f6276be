package privileges

import (
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"strconv"
	"strings"
)

// howTo is the advice at the end of an error; it takes a user's name.
const howTo = "start it with 'caddy loadbalancer run --config config.json' as root, " +
	"or as that user with systemd's User=%s and AmbientCapabilities=CAP_NET_BIND_SERVICE"

// A User is one to run as.
type User struct {
	Name string
	Home string

	uid, gid string // as the system writes them
}

// Lookup finds a user by name or UID. Root is none to run as.
func Lookup(nameOrUID string) (*User, error) {
	found, err := osuser.Lookup(nameOrUID)
	if err != nil {
		if _, notNumeric := strconv.ParseUint(nameOrUID, 10, 32); notNumeric == nil {
			found, err = osuser.LookupId(nameOrUID)
		}
	}
	var unknown osuser.UnknownUserError
	var unknownID osuser.UnknownUserIdError
	switch {
	case errors.As(err, &unknown), errors.As(err, &unknownID):
		return nil, fmt.Errorf("there is no user '%s'", nameOrUID)
	case err != nil:
		return nil, fmt.Errorf("looking for the user '%s': %w", nameOrUID, err)
	}
	if found.Uid == "0" {
		return nil, fmt.Errorf("'%s' is root", nameOrUID)
	}
	return &User{Name: found.Username, Home: found.HomeDir, uid: found.Uid, gid: found.Gid}, nil
}

// IsCurrent reports whether this process runs as the user, with nothing of root's left but the right to bind low ports.
func (u *User) IsCurrent() bool { return u.checkCurrent() == nil }

// CheckBecome returns an error unless Become is going to work, as far as that can be told.
func (u *User) CheckBecome() error {
	if u.mayDrop() {
		return nil
	}
	return u.checkCurrent()
}

// checkCurrent returns an error unless IsCurrent.
func (u *User) checkCurrent() error {
	uid, err := currentUID()
	switch {
	case err != nil:
		return fmt.Errorf("looking up who runs this process: %w", err)
	case uid == "0":
		return fmt.Errorf("caddy runs as root, and can't become '%s' any more: "+howTo, u.Name, u.Name)
	case uid != u.uid:
		return fmt.Errorf("caddy runs with UID %s, which can't become '%s': "+howTo, uid, u.Name, u.Name)
	}
	left, err := u.leftOver()
	switch {
	case err != nil:
		return fmt.Errorf("looking up what this process may do: %w", err)
	case len(left) > 0:
		return fmt.Errorf("caddy runs as '%s', but still with %s: "+howTo, u.Name, strings.Join(left, ", "), u.Name)
	}
	return nil
}

// currentUID returns the effective UID. It asks package user only where the system tells no UID, since that package
// remembers the user with which the process started.
func currentUID() (string, error) {
	if uid := os.Geteuid(); uid >= 0 {
		return strconv.Itoa(uid), nil
	}
	current, err := osuser.Current()
	if err != nil {
		return "", err
	}
	return current.Uid, nil
}
