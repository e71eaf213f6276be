//go:build !linux

package privileges

import "errors"

// Drop succeeds if this process runs as the user already.
func (u *User) Drop() error {
	if u.IsCurrent() {
		return nil
	}
	return errors.New("dropping privileges works on Linux only; run caddy as that user from the start")
}

func (u *User) mayDrop() bool { return false }

// leftOver returns nothing: on this system the effective UID is all that there is to look at.
func (u *User) leftOver() ([]string, error) { return nil, nil }

// The methods below always succeed, and so leave the error to Drop.

func (u *User) owns(string) bool { return true }

func (u *User) chown(string) error { return nil }
