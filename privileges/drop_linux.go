package privileges

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

const canDrop = true

// Drop makes this process, with all its threads, the user's: it gets the user's UID and group, no supplementary
// groups, and of root's capabilities only CAP_NET_BIND_SERVICE, permitted but not in effect. Caddy puts that into
// effect for the moment in which it binds a low port.
//
// A process that is the user's already is left alone; one of another user than root is refused. After another
// error the process may have lost some of its privileges, and must end.
func (u *User) Drop() error {
	if u.IsCurrent() {
		return nil
	}
	if os.Geteuid() != 0 {
		return u.mustBeCurrent()
	}
	uid, gid, err := u.ids()
	if err != nil {
		return err
	}
	kept, err := bindOnly()
	if err != nil {
		return err
	}
	// The group goes first, while the process may still change it. Capabilities outlast the change of the
	// user only because SetUID sees to it; so they are dropped last.
	if err := cap.SetGroups(gid); err != nil {
		return fmt.Errorf("changing to the group of '%s': %w", u.Name, err)
	}
	if err := cap.SetUID(uid); err != nil {
		return fmt.Errorf("becoming '%s': %w", u.Name, err)
	}
	if err := kept.SetProc(); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	// The kernel has hidden the process from its own user, and with it /proc/self, which metrics are read from.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("making /proc/self readable: %w", err)
	}
	if os.Getuid() != uid || os.Geteuid() != uid || os.Getgid() != gid || os.Getegid() != gid {
		return errors.New("the process still has another user or group")
	}
	return nil
}

// owns reports whether a folder is the user's.
func (u *User) owns(folder string) bool {
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && strconv.Itoa(int(stat.Uid)) == u.uid
}

// own gives a file to the user.
func (u *User) own(path string) error {
	uid, gid, err := u.ids()
	if err != nil {
		return err
	}
	return os.Lchown(path, uid, gid)
}

func (u *User) ids() (uid, gid int, err error) {
	if uid, err = strconv.Atoi(u.uid); err != nil {
		return 0, 0, fmt.Errorf("the UID of '%s': %w", u.Name, err)
	}
	if gid, err = strconv.Atoi(u.gid); err != nil {
		return 0, 0, fmt.Errorf("the GID of '%s': %w", u.Name, err)
	}
	return uid, gid, nil
}

// bindOnly returns a set with the capability to bind low ports, if the process has that.
func bindOnly() (*cap.Set, error) {
	kept := cap.NewSet()
	has, err := cap.GetProc().GetFlag(cap.Permitted, cap.NET_BIND_SERVICE)
	if err != nil {
		return nil, fmt.Errorf("looking at the process's capabilities: %w", err)
	}
	if err := kept.SetFlag(cap.Permitted, has, cap.NET_BIND_SERVICE); err != nil {
		return nil, fmt.Errorf("choosing capabilities: %w", err)
	}
	return kept, nil
}
