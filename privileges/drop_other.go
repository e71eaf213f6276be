//go:build !linux

package privileges

import "errors"

const canDrop = false

// Drop succeeds if this process runs as the user already.
func (u *User) Drop() error {
	if u.IsCurrent() {
		return nil
	}
	return errors.New("dropping privileges works on Linux only; run caddy as that user from the start")
}

// What only Drop would make use of.

func (u *User) owns(string) bool { return true }

func (u *User) own(string) error { return nil }
